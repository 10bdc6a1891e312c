"""The agent ``llm``: a language model that runs here names the pass list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from numpy.random import Generator

from llmopt_bench import ActionSet, BadModel, PassList, PassOrderEnv

from ..search.trials import check_at_least
from ..search.tuner import Tuner
from .answering import (
    OZ,
    Replies,
    Tally,
    affordable,
    fallback,
    greedy_then_draws,
    propose,
    settle,
    show,
    within,
)
from .feedback import Conversation, Turns
from .feedback_text import LENGTHS
from .grammar import has_grammar, make_grammar
from .model import Model, Reply, Sampling
from .prompt import Prompt, Request, make_prompt
from .shipped import SHIPPED, shipped_models

if TYPE_CHECKING:
    from .loading import Loaded
    from .local import LocalModel

DECODINGS = ("greedy", "sample", "priority")
_NEEDS = ("torch", "transformers", "llguidance")
_PROMPT = "paper"
"""Of models that do not say what they have learnt from."""
_DTYPES = ("auto", "bfloat16", "float32")
_STOPS = {"paper": (" to ",), "compact": (" to ",), "llm-compiler-ftd": ("<code>",)}
"""What ends the answer, by prompt: what follows is no part of the list."""
_BETWEEN = {"paper": ",", "compact": ",", "llm-compiler-ftd": "),function(", "chat": '", "'}
"""What stands between the actions of an answer, by prompt."""
_WORDS = 16
"""Tokens of an answer for the words around the list."""


@dataclass(frozen=True)
class LlmAgent:
    """Shows the program to a language model, and answers with the pass list that it names.

    Without a budget for compilations the answer is the greedy one, untried. With a budget the model
    names more lists, and each different one is tried, the greedy one first. What is left of the
    budget then goes to the search of the agent ``tuner``, which starts from them (``refine``). The
    best list that was tried wins, or the empty one.

    ``Oz`` is no candidate of the model's own, but for two cases: ``try_oz``, and where its greedy
    answer has no list (``fallbacks`` in ``usage``).

    ``usage`` counts tokens, answers and what was wrong with them: see ``answering.Tally``.
    """

    version: ClassVar[str] = "2"
    model: str | None = None
    """A folder or the name of a model on the hub, as transformers loads it, or of one of those that
    come with the library: ``llm-careful-v1`` seldom makes a function worse than -Oz, and gains
    less; ``llm-v1`` was the first. None for ``llm-v2``."""
    prompt: str | None = None
    """How the model is asked: ``paper``, ``compact``, ``llm-compiler-ftd`` or ``chat``; None for
    what a model of ``llmopt-bench train llm`` has learnt from, and ``paper`` for others."""
    decoding: str = "priority"
    """Where further lists come from: ``priority`` (Priority Sampling), ``sample`` (random draws),
    ``greedy`` (there are none)."""
    samples: int | None = None
    """The most lists of the model that are tried, as far as the budget allows; None for 30, and
    where ``refine`` shares a budget for as many as the portfolio has that the model has learnt
    from, or, where there is none, for half of the budget, 8 at least and 15 at most."""
    refine: bool = True
    """Whether the tuner goes on with what is left of the budget. Without it, more budget never
    gives more instructions, since the lists come in the same order at any budget."""
    whole_path: bool = True
    """What ranks a beginning in Priority Sampling: the probability of all its tokens, or of the
    last one (``priority.by_priority``). The first is better for a model that learnt from a
    portfolio, whose lists differ at their first action (``docs/llm.md``)."""
    temperature: float = 1.0
    """Of draws."""
    top_p: float = 1.0
    """Draws are from the most probable tokens that have this share together."""
    try_oz: bool = False
    """Whether ``Oz`` is tried after the greedy list; it is one of the lists of the budget."""
    constrained: bool = True
    """Whether the model can write nothing but lists of actions; not for ``llm-compiler-ftd``."""
    max_passes: int = 64
    """The most passes of a list, where the model is constrained."""
    max_tokens: int | None = None
    """The most tokens of an answer; None for what ``max_passes`` passes of middling length take."""
    turns: int = 1
    """The most answers with the compiler's feedback in between (``feedback.Conversation``); 1 for
    none. Each list is tried as it comes, without ``samples``, ``refine`` and ``try_oz``."""
    feedback: str = "short"
    """What the model is told: ``fast``, ``short`` or ``long``."""
    threads: int = 1
    """Of torch, on the CPU. Another number may give other roundings, and so other lists."""
    dtype: str = "auto"
    """Of the weights: ``float32``, ``bfloat16``, or ``auto``: bfloat16 on a GPU, else float32."""
    usage: dict[str, int | float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What the last run used beside compilations."""

    def __post_init__(self) -> None:
        """Check the settings, and that what is needed is installed."""
        if self.prompt is not None:
            make_prompt(self.prompt)
        if self.decoding not in DECODINGS or self.dtype not in _DTYPES:
            raise ValueError(
                f"expected a decoding of {DECODINGS} and a dtype of {_DTYPES}, got "
                f"{self.decoding!r} and {self.dtype!r}"
            )
        self._check_numbers()
        if self.feedback not in LENGTHS:
            raise ValueError(f"feedback must be one of {LENGTHS}, got {self.feedback!r}")
        if self.turns > 1 and (self.decoding == "priority" or self.samples or self.try_oz):
            raise ValueError(
                "turns need decoding 'greedy' or 'sample', and neither samples nor try_oz, got "
                f"{self.decoding!r}, {self.samples} and {self.try_oz}"
            )
        if self.constrained and self.prompt and not has_grammar(self.prompt):
            raise ValueError(f"prompt {self.prompt!r}: no known form. Set constrained=False.")
        for name in _NEEDS:
            if find_spec(name) is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def _check_numbers(self) -> None:
        names = ("max_passes", "turns", "threads", "samples", "max_tokens")
        check_at_least(1, **{name: getattr(self, name) for name in names})
        if self.decoding == "sample" and not self.temperature > 0:
            raise ValueError(f"expected a temperature above 0, got {self.temperature}")
        Sampling(1, temperature=self.temperature, top_p=self.top_p)

    @property
    def trained_on(self) -> tuple[str, ...]:
        """Where the model learnt, which is known of the shipped ones only, and the tuner."""
        shipped = ("corpus-train-v1",) if self._shipped() is not None else ()
        return shipped or (Tuner.trained_on if self.refine else ())

    def _shipped(self) -> Path | None:
        """Return the folder of a model that comes with the library, if it is one."""
        if self.model is None:
            return SHIPPED
        return shipped_models().get(self.model)

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the answer of the model, or the best of its answers.

        Raises:
            BadModel: There is no such model, or it cannot be used.
        """
        from .local import LocalModel, torch_threads

        self.usage.clear()
        tally = Tally()
        with torch_threads(self.threads):
            loaded = self._loaded()
            prompt = make_prompt(self.prompt or loaded.prompt or _PROMPT)
            grammar = None
            if self.constrained:
                grammar = make_grammar(prompt.name, env.action_set, self.max_passes)
            model = LocalModel(loaded, grammar)
            try:
                return self._answer(env, model, prompt, tally, loaded.lists)
            finally:
                self.usage.update(tally.with_usage(model.usage))

    def _answer(
        self, env: PassOrderEnv, model: LocalModel, prompt: Prompt, tally: Tally, known: int
    ) -> PassList:
        actions = env.action_set
        room = self.max_tokens or answer_room(model, prompt, actions, self.max_passes)
        fitting = show(env, prompt, model, room)
        tally.fitting(fitting)
        sampling = self._sampling(prompt, room, env.np_random)
        if self.turns > 1:
            talk = Conversation(env, model, prompt, tally.answer)
            found = talk.run(fitting, sampling, Turns(self.turns, self.feedback))
            return fallback(actions, tally) if found is None else found
        most = affordable(env, self.samples, halved=self.refine, known=known)
        lists = propose(fitting, prompt, actions, self._replies(model, sampling), most, tally)
        if self.try_oz:
            lists.insert(1, PassList([OZ], actions))
        lists = within(most, lists)
        left = env.meter.remaining
        if self.refine and left is not None and left > sum(map(bool, lists)):
            return Tuner().run(env, lists)
        return settle(env, lists)

    def _loaded(self) -> Loaded:
        from .loading import load

        if self.model is None and not SHIPPED.is_dir():
            raise BadModel(
                "expected the model that comes with the library, which is not there. Train one "
                "with `llmopt-bench train llm`, and name its folder with the setting model."
            )
        return load(str(self._shipped() or self.model), self.dtype, constrained=self.constrained)

    def _sampling(self, prompt: Prompt, max_tokens: int, rng: Generator) -> Sampling:
        draws = self.decoding == "sample"
        seed, temperature = (int(rng.integers(1 << 31)), self.temperature) if draws else (0, 0.0)
        # Feedback tells about what stands behind the list, too.
        stop = _STOPS.get(prompt.name, ()) if self.turns == 1 else ()
        return Sampling(max_tokens, 1, temperature, self.top_p, seed, stop)

    def _replies(self, model: LocalModel, sampling: Sampling) -> Replies:
        if self.decoding != "priority":
            return greedy_then_draws(model, sampling)

        def replies(request: Request, wanted: int) -> Iterator[Reply]:
            del wanted
            return model.by_priority(request, sampling, whole_path=self.whole_path)

        return replies


def answer_room(model: Model, prompt: Prompt, actions: ActionSet, max_passes: int) -> int:
    """Return the tokens that an answer may have: for a list of actions of middling length.

    Args:
        model: Counts tokens.
        prompt: Says how lists are written.
        actions: What is in them.
        max_passes: How many of them.
    """
    tokens = model.count(_BETWEEN[prompt.name].join(actions.names))
    return _WORDS + ceil(max_passes * tokens / len(actions))
