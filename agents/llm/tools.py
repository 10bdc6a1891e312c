"""A small tool-using loop: the model tries lists by calling a function, until it is done.

As in Compiler-R1 (arXiv 2506.15701), whose tools count instructions and look up good lists; the
second one is left out here, so that what is measured is the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from llmopt_bench import PassList, PassOrderEnv

from ..search.trials import FAILED, Trials
from .answer import Answer
from .answer_names import read_names
from .api_reply import Choice, ToolCall
from .fitting import Fitting
from .model import Sampling
from .prompt import Message, Prompt, View
from .tools_text import FINISH, reminder, tool_schemas, tools_system

_SHOWN_NAMES = 10


class ToolModel(Protocol):
    """A language model that can call functions; ``api.ApiModel`` is one."""

    @property
    def context(self) -> int | None:
        """The most tokens of a conversation and the answer; None where that is unknown."""

    def count_messages(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Return about how many tokens a conversation has, rather too many than too few."""

    def call(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        sampling: Sampling,
    ) -> Choice:
        """Return the model's next answer."""


class ToolLoop:
    """A conversation in which the model tries lists; the best list tried wins.

    Broken calls (an unknown tool, arguments that are not as the schema says, unknown passes, no
    compilation left) cost nothing: the model is told, and goes on. The loop ends when the model
    finishes or answers with a list in words, after ``max_calls`` requests, or when the
    conversation no longer fits into the context. The list that it ends with is tried too, if a
    compilation is left.

    Args:
        env: The environment that pays.
        model: The model.
        prompt: How it is asked; one that asks with messages.
        note: Called with each answer in words.
        max_calls: The most requests.
    """

    def __init__(
        self,
        env: PassOrderEnv,
        model: ToolModel,
        prompt: Prompt,
        note: Callable[[Answer], None],
        max_calls: int,
    ) -> None:
        self._env = env
        self._model = model
        self._prompt = prompt
        self._note = note
        self._max_calls = max_calls
        self._trials = Trials(env, None if env.meter.budget is not None else max_calls)
        self._tried = False

    def run(self, fitting: Fitting, sampling: Sampling) -> PassList | None:
        """Return the best list of those tried and of the empty one.

        If nothing was tried the answer is what the model ends with, and None if that is no list.

        Args:
            fitting: What is shown of the program. Of a split one the model sees only the longest
                function; the tools run lists on all of it.
            sampling: How to write.
        """
        if not fitting.views:
            return None
        last = self._talk(self._opening(fitting.views[0]), sampling)
        if last is not None:
            self._measure(last)
        return self._trials.best if self._tried else last

    def _opening(self, view: View) -> list[dict[str, Any]]:
        request = self._prompt.request(view, self._env.action_set)
        if isinstance(request, str):
            raise ValueError(
                f"expected a prompt with messages for tools, got {self._prompt.name!r}. Use 'chat'."
            )
        more = tools_system(self._env.metric, self._env.meter.remaining)
        system, *others = request
        messages = [Message(system.role, system.content + more), *others]
        return [{"role": message.role, "content": message.content} for message in messages]

    def _talk(self, messages: list[dict[str, Any]], sampling: Sampling) -> PassList | None:
        """Go on until the model ends; return the list that it ends with."""
        model, metric = self._model, self._env.metric
        for _ in range(self._max_calls):
            size = model.count_messages(messages) + sampling.max_tokens
            if model.context is not None and size > model.context:
                return None
            choice = model.call(messages, tool_schemas(metric, self._trials.room > 0), sampling)
            messages.append(_said(choice))
            if choice.calls:
                replies = [self._reply(call) for call in choice.calls]
                for call, reply in zip(choice.calls, replies, strict=True):
                    if isinstance(reply, PassList):
                        return reply
                    content = json.dumps(reply)
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
                continue
            answer = self._prompt.parse(choice.text, self._env.action_set)
            self._note(answer)
            if answer.passes is not None:
                return answer.passes
            messages.append({"role": "user", "content": reminder()})
        return None

    def _reply(self, call: ToolCall) -> PassList | dict[str, Any]:
        """Return what a call gives: the list that ends the loop, or what the model is told."""
        measure = self._env.metric
        if call.name not in (measure, FINISH):
            return {"error": f"unknown tool {call.name[:80]!r}. Tools: {measure}, {FINISH}."}
        names = _names(call.arguments)
        if names is None:
            return {"error": 'expected arguments like {"passes": ["first name", "second name"]}'}
        reading = read_names(names, self._env.action_set)
        if reading.dropped or reading.passes is None:
            unknown = ", ".join(reading.dropped[:_SHOWN_NAMES])
            return {"error": f"these are no passes to choose from: {unknown}. Nothing was run."}
        if call.name == FINISH:
            return reading.passes
        return self._measured(reading.passes)

    def _measured(self, passes: PassList) -> dict[str, Any]:
        value = self._measure(passes)
        if value is None:
            return {"error": f"no compilation is left. Call {FINISH}."}
        if value == FAILED:
            return {"error": "LLVM fails on this list", **self._left()}
        known = {"without_passes": self._env.initial, "best": self._trials.value}
        return {self._env.metric: value, **known, **self._left()}

    def _left(self) -> dict[str, int]:
        left = self._env.meter.remaining
        return {} if left is None else {"compilations_left": left}

    def _measure(self, passes: PassList) -> int | None:
        """Return what a list makes of the program; None if it is new and cannot be paid."""
        values = self._trials.values([passes])
        self._tried = self._tried or bool(values)
        return values[0] if values else None


def _said(choice: Choice) -> dict[str, Any]:
    """Return an answer as a message of the conversation."""
    message: dict[str, Any] = {"role": "assistant", "content": choice.text}
    if choice.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in choice.calls
        ]
    return message


def _names(arguments: str) -> list[str] | None:
    """Return the names in the arguments of a call, None if they are not as the schema says."""
    try:
        content = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    names = content.get("passes") if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return names
