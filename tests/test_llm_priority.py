"""Priority Sampling, against a search of all answers that a small grammar allows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from llm_models import module, network_for, plain_tokenizer, torch

TEXT = "which?"
PATTERN = "[abc]{1,3};"
ALL = {"".join(some) + ";" for n in (1, 2, 3) for some in itertools.product("abc", repeat=n)}
Tokens = tuple[int, ...]


@pytest.fixture(scope="module", params=[1, 2])
def model(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Return a tokenizer in which each letter is a token, and a network."""
    tokenizer = plain_tokenizer(["nothing"], 260)
    return tokenizer, network_for(tokenizer, request.param)


def tree_of(model: tuple[Any, Any], pattern: str = PATTERN, max_tokens: int = 8) -> Any:
    tokenizer, network = model
    constraint = module("constraint").Constraint(
        tokenizer, network.config.vocab_size, [tokenizer.eos_token_id]
    )
    decoding_tree = module("decoding_tree")
    ending = decoding_tree.Ending(frozenset([tokenizer.eos_token_id]), max_tokens)
    request = tokenizer(TEXT)["input_ids"]
    start = constraint.start(module("grammar").Grammar(pattern))
    return decoding_tree.Tree(network, tokenizer, request, ending, start)


def next_logs(model: tuple[Any, Any], answer: str) -> dict[str, float]:
    """Return what may follow the beginning of an answer, by the grammar as a person reads it."""
    tokenizer, network = model
    letters = [";"] if len(answer) == 3 else ["a", "b", "c"] + ([";"] if answer else [])
    ids = tokenizer.convert_tokens_to_ids
    given = [*tokenizer(TEXT)["input_ids"], *map(ids, answer)]
    with torch.inference_mode():
        logits = network(torch.tensor([given]), use_cache=False).logits[0, -1]
    logs = torch.log_softmax(logits[[ids(letter) for letter in letters]], 0)
    return dict(zip(letters, logs.tolist(), strict=True))


def by_brute_force(model: tuple[Any, Any], whole_path: bool) -> Iterator[str]:
    """Yield answers: of all edges that leave the answers so far, the most probable one is next."""
    logs: dict[str, dict[str, float]] = {}
    taken: set[str] = set()  # beginnings that are part of an answer so far
    path = {"": 0.0}
    beginning = ""
    while True:
        while not beginning.endswith(";"):
            here = logs[beginning] = next_logs(model, beginning)
            path |= {beginning + letter: path[beginning] + log for letter, log in here.items()}
            beginning += max(here, key=lambda letter: here[letter])
            taken.add(beginning)
        yield beginning
        edges = {
            place + letter: path[place + letter] if whole_path else log
            for place, here in logs.items()
            for letter, log in here.items()
            if place + letter not in taken
        }
        if not edges:
            return
        beginning = max(edges, key=lambda edge: edges[edge])
        taken.add(beginning)


@pytest.mark.parametrize("whole_path", [False, True])
def test_answers_come_in_the_order_of_a_brute_force_search(
    model: tuple[Any, Any], whole_path: bool
) -> None:
    found = module("priority").by_priority(tree_of(model), whole_path=whole_path)
    texts = [node.text for node in found]
    assert texts == list(by_brute_force(model, whole_path))
    assert len(texts) == len(ALL)
    assert set(texts) == ALL


def test_the_two_readings_differ(model: tuple[Any, Any]) -> None:
    by_priority = module("priority").by_priority
    one, other = (
        [node.text for node in by_priority(tree_of(model), whole_path=path)]
        for path in (False, True)
    )
    assert one[0] == other[0] == module("decoding").greedy(tree_of(model)).text
    assert one != other


def test_the_same_text_in_other_tokens_is_no_new_answer() -> None:
    tokenizer = plain_tokenizer(["abc abc"] * 9, 262)  # "ab" and "abc" are tokens too
    model = tokenizer, network_for(tokenizer, 4)
    assert len(tokenizer("abc", add_special_tokens=False)["input_ids"]) == 1
    texts = [node.text for node in module("priority").by_priority(tree_of(model, "[abc]{3};"))]
    assert len(texts) == len(set(texts)) == 27


def test_it_ends_when_only_known_texts_come(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = plain_tokenizer(["aaaaaaaa aaaa aa"] * 9, 263)  # "aa" and "aaaa" are tokens too
    model = tokenizer, network_for(tokenizer, 4)
    tree = tree_of(model, "a{1,12};", 40)  # twelve texts, and 1,200 ways to cut them
    walks: list[str] = []
    child = tree._child
    monkeypatch.setattr(tree, "_child", lambda *edge: (walks.append("child"), child(*edge))[1])
    texts = [node.text for node in module("priority").by_priority(tree)]
    assert len(set(texts)) == len(texts) <= 12
    assert len(walks) < 1000


def test_an_answer_costs_only_what_is_new(
    model: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tree_of(model)
    steps: list[int] = []
    compute = tree._compute
    monkeypatch.setattr(tree, "_compute", lambda new: (steps.append(len(new)), compute(new))[1])
    assert len(list(module("priority").by_priority(tree))) == len(ALL)
    # Each beginning of an answer is read once: those of one, two and three letters.
    assert sum(steps) == 3 + 9 + 27
    assert len(steps) < sum(steps) * 0.6  # forward passes: several beginnings go on together


def test_more_answers_begin_with_the_same_ones_to_the_last_bit(model: tuple[Any, Any]) -> None:
    by_priority, found = module("priority").by_priority, []
    for count in (2, 9, len(ALL)):
        nodes = itertools.islice(by_priority(tree_of(model)), count)
        found.append([(node.text, node.tokens, node.logs.tolist()) for node in nodes])
    assert found[0] == found[2][:2]
    assert found[1] == found[2][:9]
