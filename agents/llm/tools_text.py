"""The tools of the tool-using loop, as the model sees them: schemas, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FINISH = "finish"
_PASSES = {
    "type": "object",
    "properties": {
        "passes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names of passes, in the order to run them.",
        }
    },
    "required": ["passes"],
}
_MEASURES = {
    "instruction_count": "how many IR instructions remain",
    "text_size": "how many bytes of machine code remain",
}
_SYSTEM = """

You may try lists before you answer. The tool {measure} runs a list on the whole program and says \
{what}; that is one compilation, and there are {budget}. A list that was tried before costs \
nothing. When you are done, call {finish} with your best list. An answer without a call of a tool \
is taken as your last one."""
_REMINDER = "There is no pass list in this answer. Call a tool, or answer with the JSON object."


def tools_system(measure: str, budget: int | None) -> str:
    """Return what the system message says about the tools.

    Args:
        measure: Name of the tool that measures, which is the metric.
        budget: Compilations that are left; None for no limit.
    """
    many = "no limit on them" if budget is None else f"{budget} of them"
    return _SYSTEM.format(measure=measure, what=_MEASURES[measure], budget=many, finish=FINISH)


def reminder() -> str:
    """Return what a model is told that neither calls a tool nor names a list."""
    return _REMINDER


def tool_schemas(measure: str, can_measure: bool) -> Sequence[Mapping[str, Any]]:
    """Return the tools in the form of the chat endpoint.

    Args:
        measure: Name of the tool that measures, which is the metric.
        can_measure: Whether a compilation is left for it.
    """
    told = {
        measure: f"Run a pass list on the program and say {_MEASURES[measure]}.",
        FINISH: "Answer with this pass list and end.",
    }
    names = [measure, FINISH] if can_measure else [FINISH]
    return [
        {
            "type": "function",
            "function": {"name": name, "description": told[name], "parameters": _PASSES},
        }
        for name in names
    ]
