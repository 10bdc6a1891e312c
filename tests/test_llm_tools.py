"""The tool-using loop: lists that the model tries, calls that are broken, and how it ends."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from searching import Recorder, few_actions

from llmopt_bench import PassList, make_action_set

LLM = "llmopt_bench.agents.llm."
fitting: Any = importlib.import_module(LLM + "fitting")
model: Any = importlib.import_module(LLM + "model")
prompts: Any = importlib.import_module(LLM + "prompt")
reply: Any = importlib.import_module(LLM + "api_reply")
tools: Any = importlib.import_module(LLM + "tools")

ACTIONS = make_action_set()
COUNT = "instruction_count"


class Scripted:
    """A model that calls prepared tools, the last ones for ever, and remembers what it saw."""

    def __init__(self, *choices: Any, context: int | None = None) -> None:
        self.choices = choices
        self.context = context
        self.messages: list[list[dict[str, Any]]] = []
        self.offered: list[list[str]] = []

    def count_messages(self, messages: Any) -> int:
        return sum(len(json.dumps(message)) for message in messages)

    def call(self, messages: Any, offered: Any, sampling: Any) -> Any:
        self.messages.append([dict(message) for message in messages])
        self.offered.append([tool["function"]["name"] for tool in offered])
        return self.choices[min(len(self.messages), len(self.choices)) - 1]

    def told(self, place: int) -> list[dict[str, Any]]:
        """Return what the tools said before a request, counted from 0."""
        return [
            json.loads(message["content"])
            for message in self.messages[place]
            if message["role"] == "tool"
        ]


def calls(*wanted: tuple[str, Any]) -> Any:
    """Return an answer that calls tools: names, and passes or the text of the arguments."""
    return reply.Choice(
        "",
        True,
        tuple(
            reply.ToolCall(
                f"id{number}",
                name,
                given if isinstance(given, str) else json.dumps({"passes": given}),
            )
            for number, (name, given) in enumerate(wanted)
        ),
    )


def words(text: str) -> Any:
    return reply.Choice(text, True)


def passes(*names: str) -> PassList:
    return PassList(names, ACTIONS)


def loop(env: Recorder, asked: Scripted, max_calls: int = 8, prompt: str = "chat") -> Any:
    """Return the answer of a loop about a program."""
    ir = env.session.ir(normalized=True).rstrip("\n")
    shown = fitting.Fitting(prompts.Rule.WHOLE, (prompts.View(ir),))
    form = prompts.make_prompt(prompt)
    run = tools.ToolLoop(env, asked, form, lambda answer: None, max_calls).run
    return run(shown, model.Sampling(64))


def test_lists_are_measured_and_the_best_one_wins() -> None:
    env = Recorder(9)
    asked = Scripted(
        calls((COUNT, ["Oz"])), calls((COUNT, ["mem2reg"])), calls(("finish", ["dce"]))
    )
    found = loop(env, asked)
    assert env.lists == [passes("Oz"), passes("mem2reg"), passes("dce")]
    assert env.value_of(found) == env.best_seen()[0]
    first, second = (value for _, value in env.seen[:2])
    assert asked.told(2) == [
        {COUNT: first, "without_passes": env.initial, "best": first, "compilations_left": 8},
        {
            COUNT: second,
            "without_passes": env.initial,
            "best": min(first, second),
            "compilations_left": 7,
        },
    ]


def test_the_conversation_is_as_the_protocol_wants_it() -> None:
    asked = Scripted(calls((COUNT, ["dce"]), (COUNT, ["gvn"])), calls(("finish", ["dce"])))
    loop(Recorder(9), asked)
    system, user, said, *told = asked.messages[1]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "The tool instruction_count runs a list" in system["content"]
    assert "there are 9 of them" in system["content"]
    assert said["role"] == "assistant"
    assert [call["function"]["name"] for call in said["tool_calls"]] == [COUNT, COUNT]
    assert [message["tool_call_id"] for message in told] == ["id0", "id1"]


def test_a_list_that_was_tried_costs_nothing() -> None:
    env = Recorder(9)
    asked = Scripted(calls((COUNT, ["dce"]), (COUNT, ["dce"])), calls(("finish", ["dce"])))
    loop(env, asked)
    assert env.meter.compilations == 1
    first, second = asked.told(1)
    assert first == second


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("rm", ["dce"]), "unknown tool 'rm'. Tools: instruction_count, finish."),
        (("", ["dce"]), "unknown tool ''"),
        ((COUNT, "{"), "expected arguments like"),
        ((COUNT, "[" * 100_000), "expected arguments like"),
        ((COUNT, "[]"), "expected arguments like"),
        ((COUNT, "{}"), "expected arguments like"),
        ((COUNT, '{"passes": "dce"}'), "expected arguments like"),
        ((COUNT, '{"passes": [1]}'), "expected arguments like"),
        ((COUNT, ["dce", "papyrus"]), "no passes to choose from: papyrus. Nothing was run."),
        (("finish", ["papyrus"]), "no passes to choose from: papyrus"),
    ],
)
def test_broken_calls_are_told_and_cost_nothing(call: tuple[str, Any], text: str) -> None:
    env = Recorder(9)
    asked = Scripted(calls(call), calls(("finish", ["mem2reg"])))
    assert loop(env, asked) == passes("mem2reg")
    (told,) = asked.told(1)
    assert told.keys() == {"error"}
    assert text in told["error"]
    assert env.meter.compilations == 1  # of what it ended with


def test_the_budget_is_kept() -> None:
    env = Recorder(2)
    asked = Scripted(
        calls((COUNT, ["dce"]), (COUNT, ["gvn"]), (COUNT, ["sroa"])),
        calls(("finish", ["mem2reg"])),
    )
    found = loop(env, asked)
    assert env.lists == [passes("dce"), passes("gvn")]
    assert asked.told(1)[2] == {"error": "no compilation is left. Call finish."}
    assert asked.offered == [[COUNT, "finish"], ["finish"]]
    assert env.value_of(found) == min(env.best_seen()[0], env.initial)


def test_without_a_budget_it_can_only_finish() -> None:
    env = Recorder(0)
    asked = Scripted(calls(("finish", ["mem2reg"])))
    assert loop(env, asked) == passes("mem2reg")
    assert asked.offered == [["finish"]]
    assert env.lists == []


def test_an_answer_in_words_ends_it() -> None:
    env = Recorder(9)
    asked = Scripted(words('{"passes": ["mem2reg"]}'))
    assert loop(env, asked) == passes("mem2reg")
    assert len(asked.messages) == 1


def test_an_answer_without_a_list_is_asked_again() -> None:
    asked = Scripted(words("Let me think."), calls(("finish", ["mem2reg"])))
    assert loop(Recorder(9), asked) == passes("mem2reg")
    assert asked.messages[1][-1]["role"] == "user"
    assert "Call a tool" in asked.messages[1][-1]["content"]


@pytest.mark.parametrize("budget", [50, None])
def test_requests_are_bounded(budget: int | None) -> None:
    env = Recorder(budget)
    asked = Scripted(calls((COUNT, ["mem2reg"])))
    assert loop(env, asked, max_calls=5) == passes("mem2reg")
    assert len(asked.messages) == 5
    idle = Scripted(words("hm"))
    assert loop(Recorder(budget), idle, max_calls=5) is None
    assert len(idle.messages) == 5


def test_it_ends_when_the_context_is_full() -> None:
    asked = Scripted(calls((COUNT, ["mem2reg"])))
    loop(Recorder(None), asked, max_calls=1)
    asked.context = asked.count_messages(asked.messages[0]) + 64 + 500
    asked.messages.clear()
    assert loop(Recorder(50), asked) == passes("mem2reg")
    assert 1 <= len(asked.messages) < 8
    assert all(asked.count_messages(one) + 64 <= asked.context for one in asked.messages)


def test_a_list_on_which_llvm_fails_is_told() -> None:
    actions = few_actions("dce", "mem2reg", failing=True)
    env = Recorder(9, actions=actions)
    asked = Scripted(calls((COUNT, ["trigger-crash-module"])), calls(("finish", ["mem2reg"])))
    assert loop(env, asked) == PassList(["mem2reg"], actions)
    assert asked.told(1) == [{"error": "LLVM fails on this list", "compilations_left": 8}]


def test_a_prompt_without_messages_is_refused() -> None:
    with pytest.raises(ValueError, match="Use 'chat'"):
        loop(Recorder(9), Scripted(words("x")), prompt="paper")


def test_the_tool_is_named_after_the_metric() -> None:
    text: Any = importlib.import_module(LLM + "tools_text")
    schemas = text.tool_schemas("text_size", can_measure=True)
    assert [one["function"]["name"] for one in schemas] == ["text_size", "finish"]
    assert "bytes of machine code" in text.tools_system("text_size", None)
