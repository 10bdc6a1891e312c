"""Drafts: answers are what they are without them, and take fewer forward passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llm_models import action_tokenizer, module, network_for
from test_llm_decoding import Counting, paper_start, tree_of

from llmopt_bench import BadModel

Model = tuple[Any, Any]


@pytest.fixture(scope="module")
def model() -> Model:
    tokenizer = action_tokenizer()
    return tokenizer, network_for(tokenizer)


def drafts(*answers: tuple[int, ...]) -> Any:
    return module("decoding_drafts").Drafts(answers)


def test_a_draft_is_what_followed_the_same_tokens() -> None:
    known = drafts((1, 2, 3, 4, 5), (9, 2, 3, 8, 7, 2, 3, 6))
    assert known.behind((1,)) == (2, 3, 4, 5)
    assert known.behind((1, 2, 3)) == known.behind((0, 0, 1, 2, 3)) == (4, 5)  # what begins so
    assert known.behind((9, 2, 3)) == (8, 7, 2, 3, 6)
    assert known.behind((0, 0, 0, 0, 0, 2, 3)) == (6,)  # the nearest place
    assert known.behind((4, 3)) == known.behind((5,)) == known.behind(()) == ()


def test_where_only_the_last_tokens_are_the_same_a_draft_is_short() -> None:
    known = drafts(tuple(range(100)))
    assert known.behind((0, 1, 2)) == tuple(range(3, 100))
    assert known.behind((7, 1, 2)) == tuple(range(3, 15))


def test_a_copy_learns_for_itself() -> None:
    known = drafts((1, 2, 3))
    twin = known.copy()
    twin.add((1, 5, 6))
    assert twin.behind((1, 5)) == (6,)
    assert known.behind((1, 5)) == ()


def greedy_answer(model: Model, known: Any, start: Any = None) -> tuple[Any, list[int], Any]:
    tokenizer, network = model
    counting = Counting(network)
    tree = tree_of((tokenizer, counting), start=start, drafts=known)
    return module("decoding").greedy(tree), counting.calls[1:], tree


@pytest.mark.parametrize("constrained", [False, True])
def test_a_right_draft_is_one_forward_pass(model: Model, constrained: bool) -> None:
    start = paper_start(model[0]) if constrained else None
    plain, calls, _ = greedy_answer(model, None, start)
    assert len(calls) == sum(calls) > 3
    found, calls, _ = greedy_answer(model, drafts(plain.tokens), start)
    assert (found.tokens, found.text, found.whole) == (plain.tokens, plain.text, plain.whole)
    assert len(calls) == 1


@pytest.mark.parametrize("constrained", [False, True])
def test_a_wrong_draft_changes_nothing(model: Model, constrained: bool) -> None:
    start = paper_start(model[0]) if constrained else None
    plain, calls, _ = greedy_answer(model, None, start)
    middle = len(plain.tokens) // 2
    wrong = (*plain.tokens[:middle], *reversed(plain.tokens))
    found, calls_of_wrong, tree = greedy_answer(model, drafts(wrong), start)
    assert (found.tokens, found.text) == (plain.tokens, plain.text)
    assert len(calls_of_wrong) <= len(calls)
    node = tree.root
    for token in found.tokens:  # every place on the way is what it is without drafts
        assert int(node.choices[0]) == token
        node = node.children[token]


@pytest.mark.parametrize(("later", "kept"), [(8192, True), (100, False)])
def test_what_a_model_says_is_kept_for_small_vocabularies_only(
    model: Model, monkeypatch: pytest.MonkeyPatch, later: int, kept: bool
) -> None:
    monkeypatch.setattr(module("decoding_tree"), "LATER", later)
    plain, _, _ = greedy_answer(model, None)
    tree = tree_of(model, drafts=drafts(plain.tokens))
    (node,) = tree.step([(tree.root, plain.tokens[0])])
    (drafted,) = node.children.values()
    assert (drafted.logits is not None) == kept
    assert int(drafted.choices[0]) == plain.tokens[2]
    assert drafted.logits is None


def test_answers_of_a_tree_are_drafts_of_the_next(model: Model) -> None:
    tree = tree_of(model, stop=(",",))
    first = module("decoding").greedy(tree)
    assert not first.whole or tree._drafts.behind(first.tokens[:1]) == first.tokens[1:]


def test_priority_sampling_finds_the_same(model: Model) -> None:
    by_priority = module("priority").by_priority

    def texts(known: Any) -> list[str]:
        answers = by_priority(tree_of(model, start=paper_start(model[0]), drafts=known))
        return [node.text for node, _ in zip(answers, range(12), strict=False)]

    plain = texts(None)
    _, *tokens = model[0](plain[3])["input_ids"]
    assert texts(drafts(tuple(tokens))) == plain


def test_a_broken_portfolio_is_named(tmp_path: Path, model: Model) -> None:
    likely = module("loading")._likely
    assert likely(tmp_path, model[0]) == []
    (tmp_path / "portfolio.json").write_text('[["Oz", "sroa<modify-cfg>"]]', "utf-8")
    _, *tokens = model[0]("Oz,sroa<modify-cfg>")["input_ids"]  # without what begins a text
    assert likely(tmp_path, model[0]) == [tokens]
    for broken in ("{", "[[1]]", "7"):
        (tmp_path / "portfolio.json").write_text(broken, "utf-8")
        with pytest.raises(BadModel, match=r"portfolio.json: expected a JSON list"):
            likely(tmp_path, model[0])
