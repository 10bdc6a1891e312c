"""What a language model is to the agents: something that counts tokens and writes replies."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol

from .prompt_view import Request


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model writes."""

    max_tokens: int
    """The most tokens of an answer."""
    samples: int = 1
    """How many answers."""
    temperature: float = 0.0
    """0: the most probable token at each step; more: tokens are drawn."""
    top_p: float = 1.0
    """Drawn from the most probable tokens that have this share together."""
    seed: int = 0
    """For the draws."""
    stop: tuple[str, ...] = ()
    """An answer ends before any of these texts."""

    def __post_init__(self) -> None:
        """Check the values."""
        if self.max_tokens < 1 or self.samples < 1:
            raise ValueError(
                f"expected one token and one sample or more, got {self.max_tokens} and "
                f"{self.samples}"
            )
        if not (self.temperature >= 0 and 0 < self.top_p <= 1):
            raise ValueError(
                "expected a temperature of 0 or more and a top_p from above 0 to 1, got "
                f"{self.temperature} and {self.top_p}"
            )


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote."""

    text: str
    complete: bool
    """False: it was cut at ``max_tokens``."""


@dataclass(slots=True)
class Usage:
    """What a model used for one program, beside compilations."""

    calls: int = 0
    """Requests that were answered."""
    tokens_in: int = 0
    """Tokens of the requests."""
    tokens_out: int = 0
    """Tokens of the answers."""
    retries: int = 0
    """Requests that were sent again."""
    cost_usd: float = 0.0
    """What the tokens cost, where prices are known."""

    def as_dict(self) -> dict[str, int | float]:
        """Return the numbers by name, as records hold them."""
        return asdict(self)


class Model(Protocol):
    """A language model."""

    usage: Usage
    """What was used since it was last replaced."""

    @property
    def context(self) -> int | None:
        """The most tokens of a request and its answer together; None where that is unknown."""

    def count(self, request: Request) -> int:
        """Return how many tokens a request has; an upper estimate where that is unknown."""

    def write(self, request: Request, sampling: Sampling) -> list[Reply]:
        """Return as many replies to a request as ``sampling`` asks for.

        Raises:
            LlmoptError: The model cannot answer; it says why.
        """
