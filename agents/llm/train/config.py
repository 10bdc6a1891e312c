"""What a training of a language model can be told: `llmopt-bench train llm --set NAME=VALUE`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

STAGES = ("data", "tokenizer", "tokens", "train", "eval")
SIZES = ("tiny", "micro", "mini", "small", "7b")
PROMPTS = ("paper", "compact")
DTYPES = ("auto", "float32", "bfloat16")

_AT_LEAST_ONE = (
    "validation_functions",
    "tokenizer_functions",
    "batch_tokens",
    "log_every",
    "validate_every",
    "eval_batch",
)
_SHARES = ("share", "ir_task", "final_rate", "warmup")
_POSITIVE = ("share", "list_weight", "rate", "clip")
_IF_GIVEN = ("threads", "functions", "steps")
_NOT_NEGATIVE = (
    "holdout",
    "prompt_weight",
    "choice_weight",
    "choice_cost",
    "regression_cost",
    "totals_repeats",
    "decay",
    "checkpoint_minutes",
    "eval_ir",
)


@dataclass(frozen=True)
class LlmConfig:
    """The settings of a training."""

    stage: str = "all"
    """One of ``STAGES``, or ``all`` for one after the other."""
    inputs: str | None = None
    """Folder with results of earlier stages that are not in the folder of this training."""
    threads: int | None = None
    """Threads of a stage, but for `tokenizers`, which takes all; None for one on each core."""

    prompt: str = "paper"
    """What the model sees: ``paper`` or ``compact``."""
    portfolio: str | None = None
    """JSON file with pass lists, each with another first action. The model learns which of them is
    best for a function, from what each of them makes of it; None to learn from labels."""
    functions: int | None = None
    """Functions to learn from: labelled ones, chosen at random, None for all; or, with a
    portfolio, functions of the datasets in ``--data``, drawn by their instructions."""
    holdout: int = 500
    """At most so many of them are kept apart, in whole packages, for the loss on unseen code."""
    validation: str = "corpus-validation-v1"
    """Dataset on which ``eval`` lets the model answer."""
    validation_functions: int = 1000
    """The most of its functions that are used."""
    sample_seed: int = 0
    """Seed of the choice of functions; the seed of the training is that of the model."""

    vocabulary: int = 4096
    """Tokens, with those of the actions."""
    tokenizer_functions: int = 5000
    """Functions from which the tokenizer learns."""

    size: str = "small"
    """One of ``SIZES``."""
    context: int = 2048
    """The most tokens of an example. What is longer ends after the counts, or is left out."""
    ir_task: float = 1.0
    """Share of examples whose answer goes on with the optimised IR."""
    prompt_weight: float = 0.0
    """Weight of the tokens of the prompt in the loss; those of optimised IR weigh 1."""
    list_weight: float = 1.0
    """Weight of the tokens of the answer up to the counts in the loss."""
    choice_weight: float = 5.0
    """Weight of the choice among the lists of a portfolio in the loss."""
    choice_cost: float = 30.0
    """Weight, beside the cross-entropy of that choice, of the instructions that it is expected to
    cost, as a share of the function's."""
    regression_cost: float = 0.0
    """How many instructions a list is said to leave beside where it leaves more than -Oz, so that
    the model learns to avoid it; the same in each function, since regressions are counted by
    functions. Needs a portfolio with the list ``Oz``."""
    foretold: bool = False
    """Whether the stage ``tokens`` gives the model what lists may be expected to leave of a
    function (``foretell``), in place of what they leave; needs a portfolio with the list ``Oz``,
    and scikit-learn."""
    totals_repeats: int = 0
    """How often an epoch has each function without its instructions, by their totals alone, beside
    once as a whole; with the prompt ``compact`` and a portfolio. Such an example ends with the
    choice, and has a tenth of the tokens, so that what totals tell is learnt in little time."""
    totals_whole: bool = False
    """Whether such an example goes on to the end of its answer."""
    share: float = 1.0
    """Share of the examples that is used, for ablations."""
    start: str | None = None
    """Folder of a model of this size, whose weights to begin with, and whose tokenizer the stage
    ``tokenizer`` takes; None for random weights and a tokenizer that is learnt."""

    steps: int | None = None
    """Steps of the optimizer; None to fill ``--max-minutes``."""
    batch_tokens: int = 32768
    """Tokens of a step, about."""
    micro_tokens: int = 8192
    """The most tokens, with padding, that go through the model at a time."""
    rate: float = 1e-3
    """Learning rate, at its highest; arXiv 2309.07062 has 1e-5 for 7B."""
    final_rate: float = 0.1
    """The learning rate ends at this share of the highest."""
    warmup: float = 0.033
    """Share of the training in which the rate rises; 1,000 of 30,000 steps in the paper."""
    decay: float = 0.1
    """Weight decay of the matrices."""
    clip: float = 1.0
    """The most that the norm of the gradient may be."""
    dtype: str = "auto"
    """In what the matrices are multiplied; ``auto``: bfloat16 where this machine is faster so."""
    recompute: bool = False
    """Whether to save memory by computing activations twice."""
    log_every: int = 10
    """Steps between two lines of the log."""
    validate_every: int = 250
    """Steps between two losses on the functions that were kept apart; also after the last step."""
    checkpoint_minutes: float = 5.0
    """Time between two checkpoints, 0 for one after each step; the last step has one too."""

    eval_batch: int = 16
    """Functions that are answered at a time."""
    eval_ir: int = 0
    """Functions for which the model also writes the optimised IR, to see what that is worth."""

    def __post_init__(self) -> None:
        """Check the settings."""
        choices = (
            ("stage", (*STAGES, "all")),
            ("prompt", PROMPTS),
            ("size", SIZES),
            ("dtype", DTYPES),
        )
        for name, known in choices:
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}"
                )
        self._expect(_AT_LEAST_ONE, "1 or more", lambda value: value >= 1)
        self._expect(_NOT_NEGATIVE, "0 or more", lambda value: value >= 0)
        self._expect(_POSITIVE, "more than 0", lambda value: value > 0)
        self._expect(_SHARES, "a share, 0 to 1", lambda value: 0 <= value <= 1)
        self._expect(_IF_GIVEN, "1 or more, or null", lambda value: value is None or value >= 1)
        if self.prompt == "compact" and self.ir_task:
            raise ValueError(
                f"ir_task: expected 0 with the prompt compact, whose IR is not whole, "
                f"got {self.ir_task}"
            )
        if self.totals_repeats and (self.prompt != "compact" or self.portfolio is None):
            raise ValueError(
                "totals_repeats: expected 0 without the prompt compact, which has totals, and a "
                f"portfolio to choose from, got {self.totals_repeats}"
            )
        if self.portfolio is not None and self.functions is None:
            raise ValueError("functions: expected a number of functions to draw, got none")
        if self.micro_tokens < self.context:
            raise ValueError(
                f"micro_tokens: expected at least the context, {self.context}, "
                f"got {self.micro_tokens}"
            )

    def _expect(self, names: Iterable[str], what: str, good: Callable[[Any], bool]) -> None:
        for name in names:
            if not good(getattr(self, name)):
                raise ValueError(f"{name}: expected {what}, got {getattr(self, name)}")
