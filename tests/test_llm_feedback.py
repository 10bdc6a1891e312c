"""Feedback turns: what a model is told, what that costs, and which list wins."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import Any

from llmopt_bench.agents.llm.compact_ir import compact_ir
from searching import Recorder, few_actions

from llmopt_bench import PassList, make_action_set

LLM = "llmopt_bench.agents.llm."
feedback: Any = importlib.import_module(LLM + "feedback")
fitting: Any = importlib.import_module(LLM + "fitting")
model: Any = importlib.import_module(LLM + "model")
prompts: Any = importlib.import_module(LLM + "prompt")

ACTIONS = make_action_set()


class Scripted:
    """A model that says prepared texts, the last one for ever, and remembers the requests."""

    def __init__(self, *texts: str, context: int | None = None) -> None:
        self.texts = texts
        self.context = context
        self.usage = model.Usage()
        self.requests: list[Any] = []
        self.seeds: list[int] = []

    def count(self, request: Any) -> int:
        if isinstance(request, str):
            return len(request)
        return sum(len(message.content) for message in request)

    def write(self, request: Any, sampling: Any) -> list[Any]:
        self.requests.append(request)
        self.seeds.append(sampling.seed)
        assert sampling.samples == 1
        return [model.Reply(self.texts[min(len(self.requests), len(self.texts)) - 1], True)]


def passes(*names: str) -> PassList:
    return PassList(names, ACTIONS)


def converse(
    env: Recorder,
    asked: Scripted,
    turns: int = 3,
    length: str = "short",
    prompt: str = "chat",
    shown: Any = None,
) -> tuple[Any, list[Any]]:
    """Return the answer of a conversation about a program, and the answers of the model."""
    answers: list[Any] = []
    form = prompts.make_prompt(prompt)
    ir = env.session.ir(normalized=form.normalized).rstrip("\n")
    shown = shown or fitting.Fitting(prompts.Rule.WHOLE, (prompts.View(ir),))
    talk = feedback.Conversation(env, asked, form, answers.append)
    found = talk.run(shown, model.Sampling(64, seed=7), feedback.Turns(turns, length))
    return found, answers


def chat(*names: str) -> str:
    return json.dumps({"passes": names})


def test_each_turn_is_one_compilation_and_the_best_list_wins() -> None:
    env = Recorder(10)
    asked = Scripted(chat("dce"), chat("Oz"), chat("mem2reg"))
    found, answers = converse(env, asked)
    assert env.lists == [passes("dce"), passes("Oz"), passes("mem2reg")]
    assert env.value_of(found) == env.best_seen()[0]
    assert env.meter.compilations == 3
    assert len(answers) == 3
    assert asked.seeds == [7, 8, 9]


def test_the_model_is_told_what_came_of_its_list() -> None:
    env = Recorder(10)
    asked = Scripted(chat("mem2reg", "papyrus"), chat("Oz"))
    converse(env, asked, turns=2)
    (_, value) = env.seen[0]
    *_, said, told = asked.requests[1]
    assert (said.role, said.content) == ("assistant", asked.texts[0])
    assert told.role == "user"
    assert f"With this list it is {value}." in told.content
    assert f"is {env.initial} without passes" in told.content
    assert "left out: papyrus" in told.content


def test_the_budget_ends_it() -> None:
    env = Recorder(2)
    asked = Scripted(chat("dce"), chat("Oz"), chat("mem2reg"))
    converse(env, asked, turns=9)
    assert len(env.lists) == len(asked.requests) == 2


def test_without_a_budget_the_first_list_counts_untried() -> None:
    env = Recorder(0)
    asked = Scripted(chat("mem2reg"))
    assert converse(env, asked)[0] == passes("mem2reg")
    assert (env.lists, len(asked.requests)) == ([], 1)


def test_turns_end_it_where_there_is_no_limit() -> None:
    env = Recorder(None)
    asked = Scripted(chat("dce"), chat("mem2reg"))
    converse(env, asked, turns=4)
    assert len(asked.requests) == 4
    assert env.lists == [passes("dce"), passes("mem2reg")]


def test_a_list_that_is_said_again_costs_nothing() -> None:
    env = Recorder(5)
    asked = Scripted(chat("dce"))
    converse(env, asked)
    assert env.meter.compilations == 1
    assert "It was tried before." in asked.requests[2][-1].content
    assert "It was tried before." not in asked.requests[1][-1].content


def test_an_answer_without_a_list_is_told() -> None:
    env = Recorder(5)
    asked = Scripted("I do not know.", chat("mem2reg"))
    found, _ = converse(env, asked, turns=2)
    assert "There is no pass list" in asked.requests[1][-1].content
    assert found == passes("mem2reg")
    assert converse(Recorder(5), Scripted("no"))[0] is None


def test_the_empty_list_wins_over_lists_that_are_larger() -> None:
    env = Recorder(5)
    found, _ = converse(env, Scripted(chat("reg2mem")), turns=1)
    assert env.seen[0][1] > env.initial
    assert found == passes()


def test_a_list_on_which_llvm_fails_is_told() -> None:
    actions = few_actions("dce", "mem2reg", failing=True)
    env = Recorder(5, actions=actions)
    asked = Scripted(chat("trigger-crash-module"), chat("mem2reg"))
    found, _ = converse(env, asked, turns=2)
    assert "but LLVM fails on it" in asked.requests[1][-1].content
    assert found == PassList(["mem2reg"], actions)


def paper_answer(ir: str) -> str:
    return f"Run passes mem2reg to reduce instruction count from 1 to 2:\n[code]\n{ir}\n[/code]\n"


def told_about_ir(length: str, ir: str, prompt: str = "paper") -> tuple[str, str]:
    """Return what a model in the paper's format is told, and the IR that its list gives."""
    env = Recorder(5)
    asked = Scripted(paper_answer(ir), "no")
    converse(env, asked, turns=2, length=length, prompt=prompt)
    session = env.session.clone()
    session.apply(passes("mem2reg"))
    told = asked.requests[1].partition("[feedback]\n")[2]
    return told, session.ir(normalized=True).rstrip("\n")


def test_fast_feedback_tells_nothing_of_ir() -> None:
    told, _ = told_about_ir("fast", "define void @f() {\n  ret i32\n}")
    assert "You said 1 without passes" in told
    assert "IR" not in told


def test_short_feedback_tells_what_is_wrong_with_the_ir() -> None:
    told, compiled = told_about_ir("short", "define void @f() {\n  ret i32\n}")
    assert "Your IR does not compile: " in told
    assert "/tmp" not in told
    assert compiled not in told
    told, _ = told_about_ir("short", "define void @f() {\n  ret void\n}")
    assert "Your IR compiles, has 1 instructions, and is not what this list gives." in told


def test_right_ir_is_confirmed() -> None:
    _, compiled = told_about_ir("short", "x")
    told, _ = told_about_ir("short", compiled)
    assert "Your IR is what this list gives." in told


def test_long_feedback_shows_the_ir_that_the_list_gives() -> None:
    told, compiled = told_about_ir("long", "x")
    assert f"The IR with this list:\n{compiled}\n" in told


def test_long_feedback_shows_ir_as_the_model_reads_it() -> None:
    told, compiled = told_about_ir("long", "x", "compact")
    shown = compact_ir(compiled)
    assert shown != compiled
    assert f"The IR with this list:\n{shown}\n" in told


def test_showing_ir_costs_no_further_compilation() -> None:
    env = Recorder(5)
    converse(env, Scripted(chat("mem2reg"), chat("dce")), turns=2, length="long")
    assert env.meter.compilations == 2


def test_old_turns_are_forgotten_when_the_context_is_full() -> None:
    env = Recorder(9)
    lists = [("dce",), ("mem2reg",), ("gvn",), ("sroa",)]
    asked = Scripted(*(chat(*names) for names in lists))
    first = prompts.make_prompt("chat").request(
        prompts.View(env.session.ir(normalized=True).rstrip("\n")), env.action_set
    )
    asked.context = asked.count(first) + 64 + 300  # room for one turn
    converse(env, asked, turns=4)
    assert [len(request) for request in asked.requests] == [2, 4, 4, 4]
    assert asked.requests[3][2].content == chat("gvn")
    assert all(asked.count(request) + 64 <= asked.context for request in asked.requests)


def test_it_ends_when_not_even_the_last_turn_fits() -> None:
    env = Recorder(9)
    asked = Scripted(chat("dce"), chat("mem2reg"))
    asked.context = 64 + asked.count(
        prompts.make_prompt("chat").request(
            prompts.View(env.session.ir(normalized=True).rstrip("\n")), env.action_set
        )
    )
    found, _ = converse(env, asked, turns=4)
    assert len(asked.requests) == 1
    assert env.value_of(found) == min(env.best_seen()[0], env.initial)


def test_the_views_of_a_split_program_are_told_the_same() -> None:
    env = Recorder(9)
    views: Sequence[Any] = [
        prompts.View(f"define void @{name}()", function=f"@{name}", lines=lines)
        for name, lines in (("f", 5), ("g", 3))
    ]
    shown = fitting.Fitting(prompts.Rule.FUNCTIONS, tuple(views))
    asked = Scripted(chat("mem2reg"), chat("dce"), chat("gvn"))
    converse(env, asked, turns=2, length="long", shown=shown)
    assert env.lists == [passes("mem2reg"), passes("gvn")]
    about_f, about_g = asked.requests[2], asked.requests[3]
    assert "@f" in about_f[1].content
    assert "@g" in about_g[1].content
    assert about_f[2].content == chat("mem2reg")
    assert about_g[2].content == chat("dce")
    assert about_f[3] == about_g[3]
    assert "The IR with this list" not in about_f[3].content


def test_nothing_to_show_is_nothing_to_ask() -> None:
    asked = Scripted(chat("dce"))
    shown = fitting.Fitting(prompts.Rule.NOTHING, ())
    assert converse(Recorder(3), asked, shown=shown)[0] is None
    assert asked.requests == []
