"""The tree of answers: every token in it is what the model says, and nothing is computed twice."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from llm_models import action_tokenizer, module, network_for, plain_tokenizer, torch

from llmopt_bench import BadModel, make_action_set

TEXT = "[code]\ndefine i32 @f(i32 %0) {\n  ret i32 %0\n}\n[/code]\n"


class Counting:
    """A network that counts how often it is called, and for how many tokens."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.calls: list[int] = []

    def __call__(self, tokens: torch.Tensor, **settings: Any) -> Any:
        self.calls.append(tokens.shape[1])
        return self._network(tokens, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


@pytest.fixture(scope="module")
def model() -> tuple[Any, Any]:
    """Return a tokenizer and a network."""
    tokenizer = action_tokenizer()
    return tokenizer, network_for(tokenizer)


def tree_of(
    model: tuple[Any, Any],
    max_tokens: int = 12,
    stop: tuple[str, ...] = (),
    start: Any = None,
    drafts: Any = None,
) -> Any:
    tokenizer, network = model
    decoding_tree = module("decoding_tree")
    ending = decoding_tree.Ending(frozenset([tokenizer.eos_token_id]), max_tokens, stop)
    request = tokenizer(TEXT)["input_ids"]
    return decoding_tree.Tree(network, tokenizer, request, ending, start, drafts)


def paper_start(tokenizer: Any) -> Any:
    made = module("constraint").Constraint(tokenizer, 640, [tokenizer.eos_token_id])
    return made.start(module("grammar").make_grammar("paper", make_action_set(), 4))


def plain_logs(model: tuple[Any, Any], tokens: tuple[int, ...]) -> torch.Tensor:
    """Return what the model says behind some tokens when it reads them all, without a cache."""
    tokenizer, network = model
    given = torch.tensor([[*tokenizer(TEXT)["input_ids"], *tokens]])
    with torch.inference_mode():
        return torch.log_softmax(network(given, use_cache=False).logits[0, -1], 0)


def test_a_place_in_the_tree_says_what_the_whole_text_says(model: tuple[Any, Any]) -> None:
    tree = tree_of(model)
    level = [tree.root]
    for _ in range(3):  # three choices of each place at once, some with ancestors in common
        edges = [(node, int(token)) for node in level for token in node.choices[[0, 3, 200]]]
        level = [node for node in tree.step(edges) if not node.ended][::2]
        for node in level:
            expected = plain_logs(model, node.tokens)
            found = torch.from_numpy(node.logs)
            torch.testing.assert_close(found, expected[node.choices], rtol=1e-4, atol=1e-4)
            assert found[0] == found.max() >= expected.max() - 1e-4
    assert len(level) > 3


def test_choices_are_among_what_the_grammar_allows(model: tuple[Any, Any]) -> None:
    tree = tree_of(model, start=paper_start(model[0]))
    (node,) = tree.step([(tree.root, int(model[0]("Run passes ")["input_ids"][1]))])
    allowed = node.position.allowed()
    logs = plain_logs(model, node.tokens)[allowed]
    assert set(node.choices) == set(allowed)
    assert np.exp(node.logs).sum() == pytest.approx(1, abs=1e-5)
    best = allowed[int(logs.argmax())]
    assert node.choices[0] == best


def test_greedy_is_what_transformers_generates(model: tuple[Any, Any]) -> None:
    tokenizer, network = model
    given = tokenizer(TEXT, return_tensors="pt")
    expected = network.generate(**given, do_sample=False, max_new_tokens=12)
    found = module("decoding").greedy(tree_of(model)).tokens
    own = tuple(expected[0, given["input_ids"].shape[1] :].tolist())
    assert found == own[: own.index(2)] if 2 in own else found == own


def test_nothing_is_computed_twice(model: tuple[Any, Any]) -> None:
    tokenizer, network = model
    counting = Counting(network)
    tree = tree_of((tokenizer, counting))
    greedy = module("decoding").greedy
    first = greedy(tree)
    before = list(counting.calls)
    assert before == [len(tokenizer(TEXT)["input_ids"])] + [1] * (len(before) - 1)
    assert greedy(tree) is first
    assert counting.calls == before


def test_samples_take_their_steps_together(model: tuple[Any, Any]) -> None:
    tokenizer, network = model
    counting = Counting(network)
    nodes = module("decoding").draw(tree_of((tokenizer, counting)), 8, 1.5, 1.0, 0)
    assert len({node.tokens for node in nodes}) == 8
    assert len(counting.calls) <= 12
    assert sum(counting.calls[1:]) == len({n.tokens[:k] for n in nodes for k in range(1, 12)})


def test_the_first_draws_do_not_depend_on_how_many_there_are(model: tuple[Any, Any]) -> None:
    draw = module("decoding").draw
    few, many = (draw(tree_of(model), count, 1.0, 1.0, 5) for count in (2, 6))
    rest = draw(tree_of(model), 4, 1.0, 1.0, 5 + 2)
    other = draw(tree_of(model), 2, 1.0, 1.0, 99)
    assert [node.tokens for node in few] == [node.tokens for node in many[:2]]
    assert [node.tokens for node in rest] == [node.tokens for node in many[2:]]
    assert [node.tokens for node in few] != [node.tokens for node in other]


def test_draws_are_as_frequent_as_they_are_probable(model: tuple[Any, Any]) -> None:
    tree = tree_of(model, max_tokens=1)
    counts = Counter(node.tokens for node in module("decoding").draw(tree, 3000, 2.0, 1.0, 1))
    shares = np.exp(tree.root.logs.astype(float) / 2)
    shares /= shares.sum()
    for token, share in list(zip(tree.root.choices, shares, strict=True))[:5]:
        spread = np.sqrt(share * (1 - share) / 3000)
        key = () if token == 2 else (int(token),)
        assert counts[key] / 3000 == pytest.approx(share, abs=5 * spread)


def test_a_small_share_leaves_the_most_probable_tokens(model: tuple[Any, Any]) -> None:
    tree = tree_of(model, max_tokens=1)
    shares = np.exp(tree.root.logs)
    draw = module("decoding").draw
    assert {n.tokens for n in draw(tree, 50, 1.0, float(shares[0]) / 2, 1)} == {
        module("decoding").greedy(tree).tokens
    }
    two = float(shares[0] + shares[1] / 2)
    expected = {(int(token),) for token in tree.root.choices[:2]}
    assert {n.tokens for n in draw(tree, 200, 1.0, two, 1)} <= expected | {()}


def test_without_a_temperature_all_samples_are_greedy(model: tuple[Any, Any]) -> None:
    tree = tree_of(model)
    greedy = module("decoding").greedy(tree)
    assert module("decoding").draw(tree, 3, 0.0, 1.0, 7) == [greedy] * 3


def test_an_answer_is_cut_at_its_length(model: tuple[Any, Any]) -> None:
    node = module("decoding").greedy(tree_of(model, max_tokens=3, start=paper_start(model[0])))
    assert (len(node.tokens), node.cut, node.whole) == (3, True, False)


def test_an_answer_ends_before_a_text(model: tuple[Any, Any]) -> None:
    whole = module("decoding").greedy(tree_of(model, 64, start=paper_start(model[0])))
    assert re.fullmatch(r"Run .*:", whole.text)
    node = module("decoding").greedy(tree_of(model, 64, (" to ",), paper_start(model[0])))
    assert node.whole
    assert node.text == whole.text[: whole.text.index(" to ")]
    assert len(node.tokens) < len(whole.tokens)


def test_the_end_token_ends_an_answer_and_is_not_in_it(model: tuple[Any, Any]) -> None:
    tree = tree_of(model)
    (node,) = tree.step([(tree.root, model[0].eos_token_id)])
    assert (node.tokens, node.text, node.whole) == ((), "", True)


def test_damaged_weights_are_an_error() -> None:
    tokenizer = plain_tokenizer()
    network = network_for(tokenizer)
    network.lm_head.weight.data[:] = float("nan")
    tree = tree_of((tokenizer, network))
    with pytest.raises(BadModel, match="The weights are damaged"):
        module("decoding").greedy(tree)


def test_the_cache_grows_beyond_its_first_room(model: tuple[Any, Any]) -> None:
    tree = tree_of(model, max_tokens=400)
    edges = [(tree.root, int(token)) for token in tree.root.choices if token != 2]
    level = tree.step(edges)
    level = tree.step([(node, int(node.choices[1])) for node in level])
    node = next(node for node in reversed(level) if not node.ended)
    expected = plain_logs(model, node.tokens)[node.choices]
    torch.testing.assert_close(torch.from_numpy(node.logs), expected, rtol=1e-4, atol=1e-4)
