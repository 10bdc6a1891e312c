"""The model: the Llama architecture, by size, and its loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from llmopt_bench import BadTraining

from .batches import Batch
from .config import LlmConfig
from .token_files import TokenIds

_SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 176,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "tie_word_embeddings": True,
    },
    # 1.1 million parameters with 2,048 tokens: for trials.
    "micro": {
        "hidden_size": 128,
        "intermediate_size": 352,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "tie_word_embeddings": True,
    },
    # 5.8 million parameters: what three hours of two processor cores are best spent on.
    "mini": {
        "hidden_size": 256,
        "intermediate_size": 704,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "tie_word_embeddings": True,
    },
    # 15.7 million parameters, 31 MB. Tied, since the embeddings are a tenth of the model.
    "small": {
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 8,
        "num_attention_heads": 6,
        "tie_word_embeddings": True,
    },
    # Llama 2 7B, as in arXiv 2309.07062.
    "7b": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "tie_word_embeddings": False,
    },
}

PROMPT_KEY = "llmopt_prompt"
"""Where the configuration of a model says which prompt it has learnt from."""
_SHAPE = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "tie_word_embeddings",
)
"""What two models have in common if one can have the weights of the other."""
_SHARPNESS = 100.0
"""Lists that differ by a hundredth of the function differ by e in what the model is to foretell."""
_MULTIPLE = 64
"""The vocabulary of the model is a multiple of this: GPUs multiply such matrices faster."""


def model_config(config: LlmConfig, vocabulary: int, ids: TokenIds) -> LlamaConfig:
    """Return the shape of a model, and what is to be known to use it.

    Args:
        config: Says the size, the context and the prompt.
        vocabulary: Tokens.
        ids: Those with a meaning.
    """
    llama: Any = LlamaConfig
    found: LlamaConfig = llama(
        **_SIZES[config.size],
        vocab_size=-(-vocabulary // _MULTIPLE) * _MULTIPLE,
        max_position_embeddings=config.context,
        bos_token_id=ids.begin,
        eos_token_id=ids.end,
        pad_token_id=ids.padding,
        attn_implementation="sdpa",
        use_cache=True,
        **{PROMPT_KEY: config.prompt},
    )
    return found


def make_network(config: LlamaConfig, seed: int) -> LlamaForCausalLM:
    """Return a model with random weights: the same seed, the same weights."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)


def network_from(folder: Path, config: LlamaConfig) -> LlamaForCausalLM:
    """Return a model with the weights in a folder.

    Raises:
        BadTraining: There is no such model, or it has another shape.
    """
    try:
        there: Any = LlamaConfig.from_pretrained(folder, local_files_only=True)
        shapes = [(name, getattr(config, name), getattr(there, name)) for name in _SHAPE]
        wrong = [f"{name} {right}, got {found}" for name, right, found in shapes if found != right]
        if wrong:
            raise BadTraining(f"{folder}: expected a model with {'; '.join(wrong)}.")
        load: Any = LlamaForCausalLM.from_pretrained
        with without_bars():
            model: LlamaForCausalLM = load(
                folder, config=config, dtype=torch.float32, local_files_only=True
            )
    except OSError as error:
        raise BadTraining(
            f"{folder}: expected a folder with a model to start with. Name the folder `model` of a "
            f"training. {error}"
        ) from error
    return model


def hidden_states(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Return what the model makes of each place of a batch, (places, width).

    No mask is needed: padding comes after the text, where causal attention does not look.
    """
    hidden: Tensor = model.model(batch.tokens, use_cache=False).last_hidden_state
    return hidden.flatten(0, 1)


def token_losses(model: LlamaForCausalLM, hidden: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the loss of each token that counts, and its weight.

    Logits are made for these tokens alone.
    """
    logits = model.lm_head(hidden[batch.places])
    targets = batch.tokens.flatten()[batch.places + 1]
    losses = functional.cross_entropy(logits.float(), targets, reduction="none")
    return losses, batch.weights.flatten()[batch.places + 1]


def choose(model: LlamaForCausalLM, hidden: Tensor, batch: Batch, first: Sequence[int]) -> Tensor:
    """Return the number of the list of the portfolio that is most probable for each example."""
    logits = model.lm_head(hidden[batch.choices])
    chosen: Tensor = logits[:, torch.tensor(first, device=logits.device)].argmax(1)
    return chosen


def with_regressions(batch: Batch, instructions: float) -> Tensor:
    """Return what each list costs, (examples, lists), more for those that are worse than -Oz.

    Functions are drawn by their instructions, but their regressions are counted one by one. So a
    regression costs the same number of instructions in each, which is much of a small function.

    Args:
        batch: With costs.
        instructions: What a list costs beside, in instructions, where it leaves more than -Oz.
    """
    return batch.costs + batch.worse * (instructions / batch.before.clamp(min=1))[:, None]


def choice_losses(
    model: LlamaForCausalLM, hidden: Tensor, batch: Batch, first: Sequence[int], cost_weight: float
) -> Tensor:
    """Return the loss of the choice among the lists of a portfolio, for each example.

    It is made where the first action of the list is foretold. The cross-entropy against the lists
    by what they leave of the function keeps the other tokens away; the expected cost, as in minimum
    risk training (Shen et al., arXiv 1512.02433), makes the most probable list the one that pays.

    Args:
        model: The model.
        hidden: What it makes of the batch.
        batch: With costs.
        first: The tokens with which the lists begin.
        cost_weight: Weight of the expected cost.
    """
    logits = model.lm_head(hidden[batch.choices]).float()
    best = batch.costs.min(dim=1, keepdim=True).values
    wanted = functional.softmax((best - batch.costs) * _SHARPNESS, dim=1)
    columns = torch.tensor(first, device=logits.device)
    known = functional.log_softmax(logits, dim=1)[:, columns]
    expected = (functional.softmax(logits[:, columns], dim=1) * (batch.costs - best)).sum(1)
    return -(wanted * known).sum(1) + cost_weight * expected


def flops_of(config: LlamaConfig, batch: Batch) -> float:
    """Return the operations that a training step needs for a batch, without its padding.

    Twice the parameters of each matrix for each token, and what attention does to the tokens
    before; the backward pass costs twice as much as the forward pass.
    """
    width, layers = config.hidden_size, config.num_hidden_layers
    heads = (config.num_key_value_heads or config.num_attention_heads) / config.num_attention_heads
    matrices = 2 * width * width * (1 + heads) + 3 * width * config.intermediate_size
    forward = 2.0 * layers * matrices * batch.lengths.sum()
    forward += 2.0 * layers * width * (batch.lengths.astype(float) ** 2).sum()
    forward += 2.0 * config.vocab_size * width * len(batch.places)
    return float(3 * forward)


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep transformers from drawing a bar for each file of weights."""
    bars: Any = logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()
