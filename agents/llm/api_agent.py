"""The agent ``llm-api``: a model behind any server that speaks the protocol of OpenAI."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv

from ..search.trials import check_at_least
from .answering import Tally, affordable, fallback, greedy_then_draws, propose, settle, show
from .api import ApiModel, ApiModelSettings
from .api_client import Connection, Server
from .feedback import Conversation, Turns
from .feedback_text import LENGTHS
from .model import Sampling, Usage
from .prompt import make_prompt
from .tools import ToolLoop

_STOPS = {"paper": ("[code]",), "llm-compiler-ftd": ("<code>",)}
"""What ends the answer, by prompt: before the IR, which only some feedback looks at."""


@dataclass(frozen=True)
class LlmApi:
    """Asks a model behind a server for pass lists, and tries them as far as the budget goes.

    Without a budget for compilations its first answer counts, untried. With one there are three
    ways to spend it, of which one can be chosen:

    * ``samples``: the greedy answer and then draws; different lists are tried, the best wins.
    * ``turns``: the model is told what came of its list, and answers again (``feedback.py``).
    * ``tools``: the model calls a function that measures lists, until it is done (``tools.py``).

    The key comes from the environment alone. An error of the server fails this one program; what
    it cost until then is in ``usage``: calls, tokens, retries, ``cost_usd`` by the given prices
    (without discounts), and the counts of ``answering.Tally``.
    """

    version: ClassVar[str] = "1"
    model: str
    """What the server calls it."""
    base_url: str | None = None
    """Address of the server; None for ``OPENAI_BASE_URL``, or OpenAI. See ``api_client.Server``."""
    key_env: str | None = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; None for a server without keys."""
    prompt: str = "chat"
    """How it is asked: ``chat``; ``paper``, ``llm-compiler-ftd`` for models trained on these."""
    samples: int | None = 1
    """The most different lists; None for 30."""
    temperature: float | None = 0.8
    """Of draws and of conversations; None to send neither it nor a seed, for models that refuse
    them."""
    top_p: float = 1.0
    """Draws are from the most probable tokens that have this share together."""
    turns: int = 1
    """The most answers with feedback in between; 1 for none."""
    feedback: str = "short"
    """What the model is told: ``fast``, ``short`` or ``long``."""
    tools: bool = False
    """Whether the model calls tools."""
    max_calls: int = 16
    """The most requests of a conversation with tools."""
    max_tokens: int = 1_024
    """The most tokens of an answer; models that think aloud need more."""
    limit_name: str = "max_tokens"
    """What the server calls that limit: ``max_tokens`` or ``max_completion_tokens``."""
    context: int | None = None
    """The most tokens of a request and its answer; None to show every program whole."""
    bytes_per_token: float = 2.0
    """For the estimate whether a program fits."""
    timeout: float = 120.0
    """Seconds for an answer to begin, and then to come."""
    retries: int = 5
    """How often a request is sent again."""
    requests_per_minute: float | None = None
    """Limit for the threads of one process together; each process has its own."""
    usd_in: float = 0.0
    """Price of a million tokens of requests, in US dollars."""
    usd_out: float = 0.0
    """Price of a million tokens of answers, in US dollars."""
    usage: dict[str, int | float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What the last run used."""

    def __post_init__(self) -> None:
        """Check the settings, and that the client is installed."""
        make_prompt(self.prompt)
        self._server().check_without_key(self.model, self.base_url or "")
        self._about_model()
        self._sampling(seed=0)
        if self.feedback not in LENGTHS:
            raise ValueError(f"feedback must be one of {LENGTHS}, got {self.feedback!r}")
        check_at_least(1, samples=self.samples, turns=self.turns, max_calls=self.max_calls)
        if (self.samples != 1) + (self.turns > 1) + self.tools > 1:
            raise ValueError("expected one of samples, turns and tools, got more. Choose one.")
        if self.tools and self.prompt != "chat":
            raise ValueError(f"tools need the prompt 'chat', got {self.prompt!r}")
        if find_spec("openai") is None:
            raise ModuleNotFoundError(
                "it needs openai. Install it with: pip install 'llmopt-bench[api]'", name="openai"
            )

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list that the model named.

        Raises:
            ApiError: The server gave no usable answer.
        """
        tally, usage = Tally(), Usage()
        self.usage.clear()
        try:
            with Connection(self._server(), self.model, usage) as connection:
                model = ApiModel(connection, self._about_model(), usage)
                return self._answer(env, model, tally)
        finally:
            self.usage.update(tally.with_usage(usage))

    def _answer(self, env: PassOrderEnv, model: ApiModel, tally: Tally) -> PassList:
        prompt, actions = make_prompt(self.prompt), env.action_set
        fitting = show(env, prompt, model, self.max_tokens)
        tally.fitting(fitting)
        sampling = self._sampling(seed=int(env.np_random.integers(1 << 31)))
        if self.turns == 1 and not self.tools:
            wanted = affordable(env, self.samples)
            replies = greedy_then_draws(model, sampling)
            return settle(env, propose(fitting, prompt, actions, replies, wanted, tally))
        if self.tools:
            loop = ToolLoop(env, model, prompt, tally.answer, self.max_calls)
            found = loop.run(fitting, sampling)
        else:
            talk = Conversation(env, model, prompt, tally.answer)
            found = talk.run(fitting, sampling, Turns(self.turns, self.feedback))
        return fallback(actions, tally) if found is None else found

    def _server(self) -> Server:
        return Server(
            self.base_url, self.key_env, self.timeout, self.retries, self.requests_per_minute
        )

    def _about_model(self) -> ApiModelSettings:
        return ApiModelSettings(
            self.model,
            self.context,
            self.bytes_per_token,
            self.limit_name,
            self.temperature is not None,
            self.usd_in,
            self.usd_out,
        )

    def _sampling(self, seed: int) -> Sampling:
        with_ir = self.turns > 1 and self.feedback != "fast"
        stop = () if with_ir else _STOPS.get(self.prompt, ())
        temperature = 1.0 if self.temperature is None else self.temperature
        return Sampling(self.max_tokens, 1, temperature, self.top_p, seed, stop)
