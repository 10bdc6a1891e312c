"""Scores of IR text: the compiler's answer is worth everything, another one is not."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterator

import numpy as np
import pytest

from llmopt_bench import IrError, IrScore, IrScorer, Session, ir_scores, summarize_ir
from llmopt_bench.action_set import make_action_set
from llmopt_bench.datasets.bundled import BundledFunctions
from llmopt_bench.errors import BadProgram, CompilerTimeout
from llmopt_bench.isolation import Isolation

NAMES = BundledFunctions().names
ACTIONS = make_action_set().names
ADD = "define i32 @f(i32 %0) {\n%2 = add i32 %0, 1\nret i32 %2\n}\n"


@pytest.fixture(scope="module")
def scorer() -> IrScorer:
    return IrScorer()


def made(seed: int, count: int) -> Iterator[tuple[np.random.Generator, str]]:
    """Yield what random passes make of random functions."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        session = Session(f"{BundledFunctions.name}/{NAMES[rng.integers(len(NAMES))]}")
        session.apply(ACTIONS[rng.integers(len(ACTIONS))])
        yield rng, session.ir(normalized=True)


def without_an_instruction(rng: np.random.Generator, ir: str) -> str:
    """Return IR that lacks one line of the function's body."""
    lines = ir.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("define ")) + 1
    body = range(first, lines.index("}", first))
    del lines[rng.choice([n for n in body if not lines[n].endswith(":")])]
    return "\n".join(lines)


def test_what_the_compiler_made_is_perfect_and_a_corrupted_one_is_not(scorer: IrScorer) -> None:
    compiled = 0
    for rng, expected in made(1, 200):
        best = scorer.score(expected, expected)
        assert (best.compiles, best.exact, best.same_code, best.bleu) == (True, True, True, 1.0)
        assert (best.error, best.message, best.instruction_error) == (None, None, 0.0)
        worse = scorer.score(without_an_instruction(rng, expected), expected)
        assert not worse.exact
        assert not worse.same_code
        assert worse.bleu < 1.0
        assert worse.compiles == (worse.error is None) == (worse.instructions is not None)
        if worse.compiles:
            assert worse.instructions == worse.expected_instructions - 1
        compiled += worse.compiles
    assert 0 < compiled < 100  # both happen: a store may go, a value may not


def test_a_text_that_is_cut_does_not_compile(scorer: IrScorer) -> None:
    for _, expected in made(2, 20):
        half = scorer.score(expected[: len(expected) // 2], expected)
        assert not half.compiles
        assert half.error is not None
        assert half.bleu < 1.0


def test_form_is_not_code(scorer: IrScorer) -> None:
    dressed = (
        "; hello\ndefine  i32 @f(i32 noundef %0) #0 {\n  %2 = add i32 %0, 1\n\n  ret i32 %2\n}"
    )
    score = scorer.score(dressed + "\nattributes #0 = { nounwind }\n!llvm.ident = !{}\n", ADD)
    assert (score.exact, score.same_code) == (True, True)
    assert 0 < score.bleu < 1  # of the text as it was written


def test_names_are_not_code(scorer: IrScorer) -> None:
    score = scorer.score(ADD.replace("%2", "%sum"), ADD)
    assert (score.exact, score.same_code, score.instruction_error) == (False, True, 0.0)


def test_other_code(scorer: IrScorer) -> None:
    more = ADD.replace("ret i32 %2", "%3 = mul i32 %2, 2\n%4 = sub i32 %3, %0\nret i32 %4")
    score = scorer.score(more, ADD)
    assert (score.compiles, score.exact, score.same_code) == (True, False, False)
    assert (score.instructions, score.expected_instructions) == (4, 2)
    assert score.instruction_error == 1.0
    assert score.right is None


@pytest.mark.parametrize(
    "text", ["", " \n", "\0", "; nothing\n", "declare void @g()\n", "@x = global i8 0"]
)
def test_no_function_is_no_answer(scorer: IrScorer, text: str) -> None:
    score = scorer.score(text, ADD)
    assert (score.compiles, score.error, score.exact) == (False, IrError.EMPTY, False)


@pytest.mark.parametrize("text", ["I cannot do that.", "\ud800", "é", "BC\u00c0\u00de"])
def test_no_ir(scorer: IrScorer, text: str) -> None:
    score = scorer.score(text, ADD)
    assert (score.compiles, score.error, score.bleu) == (False, IrError.SYNTAX, 0.0)
    assert score.message is not None
    assert score.message.startswith("line 1, column 1: expected top-level entity")


def test_the_message_is_about_the_text(scorer: IrScorer) -> None:
    score = scorer.score(ADD.replace("ret i32", "ret i64"), ADD)
    assert score.error == IrError.TYPE
    assert score.message == (
        "line 3, column 9: '%2' defined with type 'i32' but expected 'i64': ret i64 %2"
    )


def test_a_wrong_reference_is_no_fault_of_the_answer(scorer: IrScorer) -> None:
    with pytest.raises(BadProgram, match="the expected IR"):
        scorer.score(ADD, "ret")


def test_llvm_may_fail_on_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = IrScorer(Isolation(deadline=30))
    read = scorer._host.read

    def fail_on_answers(data: bytes, name: str) -> object:
        if name == "the answer":
            raise CompilerTimeout("expected LLVM to be done within 30 s")
        return read(data, name)

    monkeypatch.setattr(scorer._host, "read", fail_on_answers)
    score = scorer.score(ADD, ADD)
    assert (score.compiles, score.error, score.bleu) == (False, IrError.OTHER, 1.0)
    assert score.message == "expected LLVM to be done within 30 s"


def test_to_json(scorer: IrScorer) -> None:
    told = json.loads(json.dumps(scorer.score("x", ADD).to_json()))
    assert told["error"] == "syntax"
    assert told["instruction_error"] is None
    assert told["expected_instructions"] == 2


def score_of(error: IrError | None, instructions: int | None, right: bool | None) -> IrScore:
    good = error is None
    bleu = 1.0 if good else 0.5
    return IrScore(good, error, None, good, good, bleu, instructions, 10, right)


def test_summary_by_hand() -> None:
    scores = [
        score_of(None, 10, True),
        score_of(None, 8, None),
        score_of(IrError.TYPE, None, False),
        score_of(IrError.OTHER, None, None),
    ]
    found = summarize_ir(scores)
    errors = {name: found.pop(name) for name in list(found) if name.startswith("error_")}
    assert errors.pop("error_type") == errors.pop("error_other") == 0.25
    assert set(errors) == {f"error_{kind}" for kind in IrError} - {"error_type", "error_other"}
    assert set(errors.values()) == {0.0}
    shares = {"compiles": 0.5, "exact": 0.5, "same_code": 0.5, "bleu": 0.75}
    assert found == {**shares, "run": 0.5, "right": 0.5, "instruction_error": pytest.approx(0.1)}


def test_summary_of_what_is_not_known() -> None:
    found = summarize_ir([score_of(IrError.TYPE, None, None)])
    assert "right" not in found
    assert "instruction_error" not in found
    assert found["run"] == 0.0
    with pytest.raises(ValueError, match="at least one score"):
        summarize_ir([])


def test_example() -> None:
    result = doctest.testmod(ir_scores)
    assert result.attempted > 0
    assert result.failed == 0
