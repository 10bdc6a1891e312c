"""What the IR is worth that a model writes behind its list."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from llm_training import URIS, module

from llmopt_bench import IrError, Session

pytest.importorskip("torch")
pytest.importorskip("transformers")

ir = module("evaluate_ir")
paper_prompt: Any = importlib.import_module("llmopt_bench.agents.llm.prompt").paper_prompt
SENTENCE = "Run passes mem2reg to reduce instruction count from 15 to 7:\n"


class Scripted:
    """A model that says what it is told to, and has a token for each character."""

    context = 2000

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = dict(answers)
        """What comes after each text."""
        self.batches: list[list[int]] = []
        """The room of each text."""

    def tokens(self, text: str, *, begins: bool = True) -> list[int]:
        return [1] * begins + [ord(character) for character in text]

    def write(self, given: Sequence[list[int]], room: Sequence[int], stop: str) -> list[str]:
        assert stop == "[/code]"
        self.batches.append(list(room))
        return [self.answers["".join(map(chr, tokens[1:]))] for tokens in given]


def head_of(uri: str, text: str = SENTENCE + "[code]", pass_list: str = "mem2reg") -> Any:
    return ir.Head(uri, Session(uri).ir(normalized=True), pass_list, text)


def result(uri: str, passes: str = "mem2reg") -> str:
    session = Session(uri)
    if passes:
        session.apply(passes)
    return session.ir(normalized=True)


def written(answers: Mapping[Any, str], batch: int = 2) -> tuple[list[Any], Scripted]:
    model = Scripted({paper_prompt(head.ir) + head.text: text for head, text in answers.items()})
    return ir.write_ir(model, list(answers), batch, lambda done, text: None), model


def test_the_compilers_ir_is_exact() -> None:
    heads = [head_of(uri) for uri in URIS[:5]]
    found, model = written({h: "\n" + result(h.uri) + "[/code]" for h in heads})
    assert {one.uri for one in found} == set(URIS[:5])
    scores = ir.scores_of_ir(found)
    assert scores["ir_functions"] == 5
    assert scores["ir_compiles"] == scores["ir_exact"] == scores["ir_bleu"] == 1.0
    assert scores["ir_instruction_error"] == 0.0
    assert 0 < scores["ir_copy_bleu"] < 1
    assert not {"ir_run", "ir_right"} & set(scores)
    # Texts of like length together, each with what the context has left for it.
    left = [2000 - 1 - len(paper_prompt(h.ir)) - len(h.text) for h in heads]
    assert [len(some) for some in model.batches] == [2, 2, 1]
    rooms = [room for some in model.batches for room in some]
    assert rooms == sorted((max(room, 1) for room in left), reverse=True)


def test_a_copy_is_worth_what_a_copy_is_worth() -> None:
    heads = [head_of(uri) for uri in URIS[:3]]
    found, _ = written({head: "\n" + head.ir + "[/code]\n" for head in heads})
    scores = ir.scores_of_ir(found)
    assert scores["ir_bleu"] == scores["ir_copy_bleu"] < 1
    assert (scores["ir_compiles"], scores["ir_exact"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("head", "text", "error"),
    [
        (SENTENCE, "", IrError.EMPTY),
        (SENTENCE, "I am done.", IrError.EMPTY),
        (SENTENCE + "[code]", "", IrError.EMPTY),
        (SENTENCE + "[code]", "\ndefine i32 @f(", IrError.SYNTAX),
        (SENTENCE + "[code]", "\ndefine i32 @f() {\nret i32 %9\n}\n", IrError.UNDEFINED_VALUE),
    ],
)
def test_ir_that_is_missing_or_cut_counts(head: str, text: str, error: IrError) -> None:
    found, _ = written({head_of(URIS[0], head): text})
    scores = ir.scores_of_ir(found)
    assert (scores["ir_compiles"], scores[f"ir_error_{error}"]) == (0.0, 1.0)


def test_the_answer_may_go_on_before_its_ir_and_behind_it() -> None:
    text = "[code]\n" + result(URIS[0]) + "[/code]\nand so on"
    found, _ = written({head_of(URIS[0], SENTENCE): text})
    assert found[0].score.exact


def test_the_reference_is_what_the_models_own_list_makes() -> None:
    uri = URIS[0]
    nothing, all_of_it = head_of(uri, pass_list=""), head_of(uri, pass_list="Oz")
    for head, passes in ((nothing, ""), (all_of_it, "Oz")):
        found, _ = written({head: "\n" + result(uri, passes) + "[/code]"})
        assert found[0].score.exact
        assert found[0].score.expected_instructions == Session(uri).evaluate([passes])[0]


def test_without_functions_there_is_nothing_to_say() -> None:
    assert ir.scores_of_ir([]) == {"ir_functions": 0.0}
    assert written({})[0] == []


def test_rows_are_json() -> None:
    found, _ = written({head_of(URIS[0]): "\nx"})
    row = json.loads(json.dumps(found[0].to_json()))
    assert set(row) == {"uri", "pass_list", "written", "score"}
    assert (row["written"], row["score"]["error"]) == ("x", "syntax")
