"""Feedback turns: the model names a list, the compiler says what came of it, the model goes on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmopt_bench import LlmoptError, PassList, PassOrderEnv, Session, load_program

from ..search.trials import FAILED, Trials
from .answer import Answer
from .feedback_text import Report, feedback_text, go_on
from .fitting import Fitting, combine
from .model import Model, Sampling
from .prompt import Prompt, Request, Rule, View

_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Turns:
    """How a conversation goes."""

    turns: int
    """The most answers."""
    length: str = "short"
    """One of ``feedback_text.LENGTHS``."""


@dataclass(slots=True)
class _Talk:
    """The conversation about one view of the program."""

    view: View
    request: Request
    turns: list[tuple[str, str]] = field(default_factory=list)
    """Answers and what was said about them."""
    said: str = ""
    """The last answer."""


class Conversation:
    """Asks a model for pass lists, and tells it what came of each.

    A list is one compilation; one that was tried before costs nothing again. The conversation ends
    after ``turns`` answers, when the budget is spent, or when it no longer fits into the context:
    the oldest turns are forgotten first. Of a split program there is a conversation about each
    view; what is tried and reported is the one list that they give together (``fitting.combine``).

    Args:
        env: The environment that pays.
        model: The model.
        prompt: How it is asked.
        note: Called with each answer.
    """

    def __init__(
        self, env: PassOrderEnv, model: Model, prompt: Prompt, note: Callable[[Answer], None]
    ) -> None:
        self._env = env
        self._model = model
        self._prompt = prompt
        self._note = note

    def run(self, fitting: Fitting, sampling: Sampling, settings: Turns) -> PassList | None:
        """Return the best list of those tried and of the empty one.

        If nothing can be tried the answer is the first list, and None if there is none.

        Args:
            fitting: What is shown of the program.
            sampling: How to write. There is one sample a turn; the seed grows with the turns.
            settings: How many turns, and what is said.
        """
        env, turns = self._env, settings.turns
        trials = Trials(env, None if env.meter.budget is not None else turns)
        requests = [(view, self._prompt.request(view, env.action_set)) for view in fitting.views]
        talks = [_Talk(view, request) for view, request in requests]
        tried = False
        for turn in range(turns if talks else 0):
            answer = self._ask(talks, replace(sampling, samples=1, seed=sampling.seed + turn))
            if answer is None:
                break
            lists = [] if answer.passes is None else [answer.passes]
            repeated = any(passes and trials.knows(passes) for passes in lists)
            values = trials.values(lists)
            tried = tried or bool(values)
            if not tried and lists:
                return lists[0]  # there is no budget at all
            if turn + 1 == turns or trials.room <= 0:
                break
            report = self._report(answer, values, trials, repeated)
            if fitting.rule is Rule.WHOLE:
                report = self._with_ir(report, settings.length)
            text = feedback_text(report)
            for talk in talks:
                talk.turns.append((talk.said, text))
        return trials.best if tried else None

    def _ask(self, talks: Sequence[_Talk], sampling: Sampling) -> Answer | None:
        """Return what the model says about all views together; None if nothing fits any more."""
        answers: list[tuple[View, Answer]] = []
        for talk in talks:
            request = self._fitting(talk, sampling.max_tokens)
            if request is None:
                return None
            talk.said = self._model.write(request, sampling)[0].text
            answer = self._prompt.parse(talk.said, self._env.action_set)
            self._note(answer)
            answers.append((talk.view, answer))
        return combine(answers)

    def _fitting(self, talk: _Talk, room: int) -> Request | None:
        """Return the conversation, without its oldest turns if it is too long for the model."""
        context = self._model.context
        for first in range(len(talk.turns) + 1):
            request = go_on(self._prompt.name, talk.request, talk.turns[first:])
            if context is None or self._model.count(request) + room <= context:
                # With none of the turns left the model would only say again what it has said.
                return request if first < len(talk.turns) or not talk.turns else None
        return None

    def _report(
        self, answer: Answer, values: Sequence[int], trials: Trials, repeated: bool
    ) -> Report:
        env = self._env
        after = values[0] if values and values[0] != FAILED else None
        return Report(answer, env.metric, env.initial, after, trials.best, trials.value, repeated)

    def _with_ir(self, report: Report, length: str) -> Report:
        """Return a report that also tells of IR, where the program was shown whole."""
        written = report.answer.ir
        if length == "fast" or report.answer.passes is None or report.after is None:
            return report
        if length == "short" and written is None:
            return report
        compiled = self._compiled(report.answer.passes)
        return replace(
            report,
            written=_about_ir(written, compiled) if written else "",
            compiled=self._prompt.shown(compiled) if length == "long" else "",
        )

    def _compiled(self, passes: PassList) -> str:
        """Return the IR that a list gives.

        ``evaluate`` has paid for this compilation, and tells only its count; to show the result
        it is done again.
        """
        session = self._env.session.clone()
        session.apply(passes)
        return session.ir(normalized=self._prompt.normalized).rstrip("\n")


def _about_ir(ir: str, compiled: str) -> str:
    """Return what is right or wrong about IR that a model wrote; no pass is run for that."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "written.ll"
        file.write_text(ir + "\n", encoding="utf-8")
        try:
            count = Session(load_program(file.as_uri())).instruction_count
        except LlmoptError as error:
            reason = " ".join(str(error).split())[:_LONGEST_ERROR]
            return f"Your IR does not compile: {reason}"
    if ir == compiled:
        return "Your IR is what this list gives."
    return f"Your IR compiles, has {count} instructions, and is not what this list gives."
