"""The forms that models are held to: what they let through, and that it is a valid list."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_models import action_tokenizer, module, plain_tokenizer
from searching import few_actions

from llmopt_bench import Action, ActionSet, BadModel, PassList, make_action_set

ACTIONS = make_action_set()
LISTS = st.lists(st.sampled_from(ACTIONS.names), max_size=4)


def grammar(prompt: str, actions: ActionSet = ACTIONS, most: int = 4) -> Any:
    return module("grammar").make_grammar(prompt, actions, most)


def matches(prompt: str, text: str) -> bool:
    return re.fullmatch(grammar(prompt).pattern, text) is not None


@pytest.fixture(scope="module", params=["each action is a token", "in pieces"])
def constraint(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Return a tokenizer and the constraint of its tokens."""
    tokenizer = action_tokenizer() if request.param.startswith("each") else plain_tokenizer()
    vocabulary = -(-len(tokenizer) // 64) * 64
    made = module("constraint").Constraint(tokenizer, vocabulary, [tokenizer.eos_token_id])
    return tokenizer, made


@given(LISTS, st.integers(0, 999_999_999))
def test_answers_of_the_paper_have_the_form(names: list[str], count: int) -> None:
    answer = module("prompt").paper_answer(PassList(names), count, count, None)
    assert matches("paper", answer.rstrip("\n"))


@given(LISTS)
def test_answers_in_json_have_the_form(names: list[str]) -> None:
    assert matches("chat", json.dumps({"passes": names}))
    assert matches("chat", json.dumps({"passes": names}, separators=(",", ":")))


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("paper", "Run passes  to reduce instruction count from 3 to 2:"),
        ("paper", "Run passes sroa to reduce instruction count from 3 to 2:"),
        ("paper", "Run passes dce,dce,dce,dce,dce to reduce instruction count from 3 to 2:"),
        ("paper", "Run passes dce to reduce instruction count from 3 to 2"),
        ("paper", "Run passes gvnXno-pre> to reduce instruction count from 3 to 2:"),
        ("paper", "Run no passes to keep instruction count 1234567890:"),
        ("chat", '{"passes": ["dce", "unheard-of"]}'),
        ("chat", '{"passes": ["dce", "dce", "dce", "dce", "dce"]}'),
        ("chat", '{"passes": ["dce"]'),
        ("chat", '{"passes": [dce]}'),
    ],
)
def test_other_texts_do_not_have_the_form(prompt: str, text: str) -> None:
    assert not matches(prompt, text)


def test_names_are_not_expressions(constraint: tuple[Any, Any]) -> None:
    odd = ActionSet("odd", 22, (Action("a.b-c+", "a.b-c+", "module"),))
    found = grammar("paper", odd)
    words = "Run passes {} to reduce instruction count from 2 to 1:"
    assert re.fullmatch(found.pattern, words.format("a.b-c+"))
    assert not re.fullmatch(found.pattern, words.format("aXb-cc"))
    tokenizer, made = constraint
    place = made.start(found)
    for token in tokenizer(words.format("a.b-c+"), add_special_tokens=False)["input_ids"]:
        place = place.behind(token)
    assert place.over


def test_a_prompt_without_a_known_form_is_refused() -> None:
    assert not module("grammar").has_grammar("llm-compiler-ftd")
    with pytest.raises(ValueError, match="constrained=False"):
        grammar("llm-compiler-ftd")


def test_a_form_without_any_list_is_refused() -> None:
    with pytest.raises(ValueError, match="one pass and one action or more"):
        grammar("paper", most=0)


@pytest.mark.parametrize("prompt", ["paper", "chat"])
def test_whatever_tokens_are_taken_the_text_is_a_valid_list(
    constraint: tuple[Any, Any], prompt: str
) -> None:
    tokenizer, made = constraint
    reader = module("prompt").make_prompt(prompt)
    lists = set()
    for seed in range(25):
        rng = np.random.default_rng(seed)
        place, tokens = made.start(grammar(prompt)), list[int]()
        while not place.over:
            tokens.append(int(rng.choice(place.allowed())))
            place = place.behind(tokens[-1])
        text = tokenizer.decode(tokens)
        answer = reader.parse(text, ACTIONS)
        assert matches(prompt, text)
        assert answer.problems == ()
        lists.add(answer.passes)
    assert len(lists) > 5
    assert place.allowed().tolist() == [tokenizer.eos_token_id]


def test_the_tokens_of_an_answer_are_allowed(constraint: tuple[Any, Any]) -> None:
    tokenizer, made = constraint
    text = "Run passes sroa<modify-cfg>,Oz,gvn<no-pre> to reduce instruction count from 52 to 31:"
    place = made.start(grammar("paper"))
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        assert token in place.allowed()
        place = place.behind(token)
    assert place.over


def test_an_action_is_one_token_of_the_trained_tokenizer() -> None:
    tokenizer = action_tokenizer()
    made = module("constraint").Constraint(tokenizer, len(tokenizer), [tokenizer.eos_token_id])
    few = few_actions("dce", "gvn<no-pre>")
    place = made.start(grammar("paper", few))
    for token in tokenizer("Run passes ", add_special_tokens=False)["input_ids"]:
        place = place.behind(token)
    allowed = {tokenizer.decode([token]) for token in place.allowed()}
    assert {"dce", "gvn<no-pre>"} <= allowed
    assert not {"Oz", "gvn<no-pre", "gvn-hoist"} & (allowed & set(ACTIONS.names))


def test_a_place_is_not_changed_by_going_on(constraint: tuple[Any, Any]) -> None:
    _, made = constraint
    place = made.start(grammar("paper"))
    before = place.allowed().tolist()
    place.behind(before[0])
    assert place.allowed().tolist() == before


def test_a_token_that_is_not_allowed_is_refused(constraint: tuple[Any, Any]) -> None:
    tokenizer, made = constraint
    with pytest.raises(BadModel, match="expected a token of the grammar"):
        made.start(grammar("paper")).behind(tokenizer.convert_tokens_to_ids("z"))


def test_tokenizers_and_expressions_that_cannot_be_used_are_refused() -> None:
    constraint = module("constraint").Constraint
    with pytest.raises(BadModel, match="a token that ends answers"):
        constraint(plain_tokenizer(), 448, [])
    with pytest.raises(BadModel, match=r"expected a tokenizer with a tokenizer\.json, got a str"):
        constraint("words", 448, [2])
    with pytest.raises(BadModel, match="expected a regular expression"):
        constraint(plain_tokenizer(), 448, [2]).start(module("grammar").Grammar("(a"))
