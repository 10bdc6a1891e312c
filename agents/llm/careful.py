"""The agent ``llm-careful``: the agent ``llm``, with a model that seldom loses against -Oz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .agent import LlmAgent


@dataclass(frozen=True)
class CarefulLlmAgent(LlmAgent):
    """``llm`` with the model ``llm-careful-v1``, as an agent of its own, so that boards have it.

    Its model learnt that to make a function worse than -Oz costs 30 instructions more than it
    does, so that it names the lists that gain most only where this is not to be expected.
    """

    version: ClassVar[str] = "1"
    model: str | None = "llm-careful-v1"
