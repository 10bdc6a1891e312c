"""The prompt ``chat``: a pass list from any instruction-tuned model, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import ActionSet

from .answer import Answer, Problem, once, opened, without_list
from .answer_lists import find_list
from .answer_pipeline import read_pipeline
from .prompt_view import Message, Rule, View

_SYSTEM = """\
You choose LLVM optimization passes that make code small. You are given LLVM IR. Name the passes \
to run on it, in order, so that the fewest IR instructions remain. Passes may repeat.{oz}

Use these passes only (LLVM {llvm}), spelled as here:
{passes}

Answer with one JSON object and nothing else, the names in the order to run them; an empty list \
leaves the code as it is:
{{"passes": ["first name", "second name"]}}"""
_OZ = """ "Oz" is all \
that clang -Oz runs, which is hard to beat: what helps are a few passes before or after it, or a \
short list of your own."""
_GIVEN = {
    Rule.WHOLE: "The IR:",
    Rule.HEAD: "The IR is too long to be shown whole. Its features and its beginning:",
    Rule.FEATURES: "The IR is too long to be shown. Its features:",
}
_USER = "{given}\n```llvm\n{text}\n```\nWhich passes, in which order? Answer with the JSON object."


def chat_system(actions: ActionSet) -> str:
    """Return the system message: the task, the actions by what they run on, the form to use."""
    groups: dict[str, list[str]] = {}
    for action in actions:
        whole = action.composite or action.name.startswith("default<")
        groups.setdefault("whole pipelines" if whole else action.level, []).append(action.name)
    passes = "\n".join(f"- {group}: {', '.join(names)}" for group, names in groups.items())
    oz = _OZ if "Oz" in actions else ""
    return _SYSTEM.format(llvm=actions.llvm_major, passes=passes, oz=oz)


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """The prompt ``chat``.

    Answers are read wherever the list stands in them; what is not the JSON object that was asked
    for has ``WRONG_FORMAT``. Counts and IR are not asked for.
    """

    name: ClassVar[str] = "chat"
    normalized: ClassVar[bool] = True

    def shown(self, ir: str) -> str:
        """Return the text in which the model reads IR: as it is."""
        return ir

    def brief(self, view: View) -> None:
        """Return no other view of what does not fit."""
        del view

    def request(self, view: View, actions: ActionSet) -> tuple[Message, ...]:
        """Return a system message with the task and the actions, and the IR as the user's."""
        user = _USER.format(given=_GIVEN[view.rule], text=view.text)
        return Message("system", chat_system(actions)), Message("user", user)

    def parse(self, text: str, actions: ActionSet) -> Answer:
        """Return the pass list of an answer."""
        text, problems = opened(text)
        found = find_list(text, actions)
        if found is None:
            return without_list(problems)
        reading = read_pipeline(found.pipeline, actions)
        form = [
            *([] if found.asked else [Problem.WRONG_FORMAT]),
            *([] if found.closed else [Problem.CUT_LIST]),
        ]
        return Answer(
            reading.passes,
            problems=once([*problems, *form, *reading.problems]),
            dropped=reading.dropped,
        )
