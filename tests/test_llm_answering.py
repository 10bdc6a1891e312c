"""From replies to a pass list: what is tried, what is counted, and what happens without a list."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from searching import PROGRAM, Recorder, few_actions

from llmopt_bench import Meter, PassList, PassOrderEnv, make_action_set

ACTIONS = make_action_set()
NONSENSE = "I would rather not say."


def module(name: str) -> Any:
    return importlib.import_module(f"llmopt_bench.agents.llm.{name}")


answering, prompts, fitting = module("answering"), module("prompt"), module("fitting")
PAPER = prompts.make_prompt("paper")


@dataclass
class Scripted:
    """A model that gives prepared texts in turn, and remembers how it was asked."""

    texts: Sequence[str]
    context: int | None = None
    asked: list[Any] = field(default_factory=list)

    def count(self, request: Any) -> int:
        return len(str(request))

    def write(self, request: Any, sampling: Any) -> list[Any]:
        self.asked.append(sampling)
        given = sum(one.samples for one in self.asked[:-1])
        texts = [self.texts[(given + n) % len(self.texts)] for n in range(sampling.samples)]
        return [module("model").Reply(text, True) for text in texts]


def run_passes(*lists: str) -> list[str]:
    return [f"Run passes {names} to" for names in lists]


def whole() -> Any:
    return fitting.Fitting(prompts.Rule.WHOLE, (prompts.View("ir"),))


def split(*lines: int) -> Any:
    views = [
        prompts.View(f"f{n}", function=f"@f{n}", lines=weight) for n, weight in enumerate(lines)
    ]
    return fitting.Fitting(prompts.Rule.FUNCTIONS, tuple(views))


def propose(
    shown: Any, texts: Sequence[str], wanted: int, tally: Any = None, actions: Any = ACTIONS
) -> list[str]:
    def replies(request: Any, count: int) -> Iterator[Any]:
        return (module("model").Reply(text, True) for text in texts)

    found = answering.propose(shown, PAPER, actions, replies, wanted, tally or answering.Tally())
    return [passes.compact for passes in found]


def test_lists_are_different_and_the_first_reply_comes_first() -> None:
    texts = run_passes("dce", "dce", "adce,dce", "dce", "bdce")
    assert propose(whole(), texts, 3) == ["dce", "adce,dce", "bdce"]
    assert propose(whole(), texts, 2) == ["dce", "adce,dce"]
    assert propose(whole(), texts, 1) == ["dce"]


def test_the_empty_list_takes_no_place_of_another() -> None:
    texts = ["Run no passes to", *run_passes("dce", "adce", "bdce")]
    assert propose(whole(), texts, 2) == ["", "dce", "adce"]
    assert propose(whole(), texts, 1) == [""]
    assert propose(whole(), [texts[1], texts[0], texts[2]], 2) == ["dce", "", "adce"]


def test_no_reply_is_made_that_is_not_needed() -> None:
    taken: list[str] = []

    def replies(request: Any, count: int) -> Iterator[Any]:
        for text in run_passes("dce", "adce", "bdce"):
            taken.append(text)
            yield module("model").Reply(text, True)

    answering.propose(whole(), PAPER, ACTIONS, replies, 2, answering.Tally())
    assert len(taken) == 2


def test_a_model_that_says_the_same_for_ever_is_not_asked_for_ever() -> None:
    def replies(request: Any, count: int) -> Iterator[Any]:
        while True:
            yield module("model").Reply("Run passes dce to", True)

    tally = answering.Tally()
    found = answering.propose(whole(), PAPER, ACTIONS, replies, 5, tally)
    assert [one.compact for one in found] == ["dce"]
    assert tally.with_usage(module("model").Usage())["answers"] == 20


def test_without_a_list_in_the_first_reply_oz_comes_first() -> None:
    tally = answering.Tally()
    texts = [NONSENSE, NONSENSE, *run_passes("dce")]
    assert propose(whole(), texts, 3, tally) == ["Oz", "dce"]
    counts = tally.with_usage(module("model").Usage(tokens_in=7))
    assert counts["fallbacks"] == 1
    assert (counts["answers"], counts["problem_no-list"], counts["tokens_in"]) == (3, 2, 7)
    assert propose(whole(), texts, 1) == ["Oz"]
    assert propose(whole(), [], 1) == ["Oz"]
    assert propose(whole(), [NONSENSE], 2, actions=few_actions("dce")) == [""]


def test_nothing_that_can_be_shown_is_oz() -> None:
    tally = answering.Tally()
    nothing = fitting.Fitting(prompts.Rule.NOTHING, (), ("@f",))
    tally.fitting(nothing)
    assert propose(nothing, run_passes("dce"), 3, tally) == ["Oz"]
    counts = tally.with_usage(module("model").Usage())
    assert (counts["rule_nothing"], counts["fallbacks"]) == (1, 1)


def test_counts_that_are_zero_are_not_there() -> None:
    tally = answering.Tally()
    propose(whole(), run_passes("dce"), 1, tally)
    counts = tally.with_usage(module("model").Usage())
    assert [name for name, value in counts.items() if value] == ["answers"]
    assert "fallbacks" not in counts


def test_functions_of_a_module_vote_and_then_speak_for_themselves() -> None:
    answers = {"f0": ["dce", "adce"], "f1": ["bdce", "sink"], "f2": ["bdce", "licm"]}

    def replies(request: str, count: int) -> Iterator[Any]:
        assert count == 2
        name = next(name for name in answers if name in request)
        return (module("model").Reply(text, True) for text in run_passes(*answers[name]))

    found = answering.propose(split(5, 3, 3), PAPER, ACTIONS, replies, 6, answering.Tally())
    # 3 + 3 lines outvote 5; of the second answers no two agree, and 5 lines are most.
    assert [one.compact for one in found] == ["bdce", "dce", "adce", "sink", "licm"]


def test_a_function_without_a_list_has_no_vote() -> None:
    def replies(request: str, count: int) -> Iterator[Any]:
        yield module("model").Reply(NONSENSE if "f0" in request else "Run passes dce to", True)

    tally = answering.Tally()
    found = answering.propose(split(9, 1), PAPER, ACTIONS, replies, 1, tally)
    assert [one.compact for one in found] == ["dce"]
    assert "fallbacks" not in tally.with_usage(module("model").Usage())


def test_draws_follow_the_greedy_reply_and_are_never_the_same_draws() -> None:
    model = Scripted(run_passes("dce", "adce", "bdce"))
    sampling = module("model").Sampling(9, temperature=0.7, top_p=0.9, seed=100, stop=("x",))
    replies = answering.greedy_then_draws(model, sampling)("request", 3)
    texts = [next(replies).text for _ in range(6)]
    assert texts[:3] == list(model.texts)
    assert [(one.samples, one.temperature) for one in model.asked] == [
        (1, 0),
        (2, 0.7),
        (2, 0.7),
        (2, 0.7),
    ]
    assert [one.seed for one in model.asked[1:]] == [100, 102, 104]
    assert {(one.max_tokens, one.top_p, one.stop) for one in model.asked} == {(9, 0.9, ("x",))}


def test_without_a_temperature_there_is_the_greedy_reply_alone() -> None:
    model = Scripted(run_passes("dce"))
    replies = answering.greedy_then_draws(model, module("model").Sampling(9))
    assert len(list(replies("request", 5))) == 1


@pytest.mark.parametrize(
    ("budget", "samples", "wanted"),
    [(0, None, 1), (0, 5, 1), (7, None, 7), (7, 3, 3), (2, 3, 2), (None, None, 30), (None, 4, 4)],
)
def test_as_many_lists_are_wanted_as_can_be_tried(
    budget: int | None, samples: int | None, wanted: int
) -> None:
    env = PassOrderEnv(PROGRAM, meter=Meter(budget))
    env.reset(seed=1)
    assert answering.affordable(env, samples) == wanted


def test_the_best_list_wins_and_each_costs_a_compilation() -> None:
    lists = [PassList(names.split(",")) for names in ("lcssa", "Oz", "sroa<modify-cfg>")]
    env = Recorder(3)
    answer = answering.settle(env, lists)
    assert env.lists == lists
    assert env.value_of(answer) == env.best_seen()[0] < env.initial
    assert env.meter.compilations == 3


def test_what_makes_a_program_larger_does_not_win() -> None:
    env = Recorder(1)
    assert answering.settle(env, [PassList(["reg2mem"])]) == PassList()
    assert env.value_of(PassList(["reg2mem"])) > env.initial


def test_a_list_on_which_llvm_fails_does_not_win() -> None:
    actions = few_actions("dce", "Oz", failing=True)
    lists = [PassList([name], actions) for name in ("trigger-crash-module", "Oz")]
    env = Recorder(2, actions=actions)
    assert answering.settle(env, lists) == lists[1]


def test_without_a_budget_the_first_list_is_the_answer() -> None:
    env = Recorder(0)
    assert answering.settle(env, [PassList(["reg2mem"])]) == PassList(["reg2mem"])
    assert env.meter.compilations == 0


def test_a_program_is_shown_as_the_prompt_has_it() -> None:
    env = Recorder(0)
    shown = answering.show(env, PAPER, Scripted([]), 64)
    assert shown.views[0].text == env.session.ir(normalized=True).rstrip("\n")
    length = len(PAPER.request(shown.views[0], ACTIONS))
    enough = answering.show(env, PAPER, Scripted([], context=length + 64), 64)
    assert enough.rule is prompts.Rule.WHOLE
    cut = answering.show(env, PAPER, Scripted([], context=length + 63), 64)
    assert cut.rule is prompts.Rule.HEAD
