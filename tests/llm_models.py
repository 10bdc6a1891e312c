"""What the tests of local language models share: tokenizers and models that know nothing."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llmopt_bench import make_action_set

torch: Any = pytest.importorskip("torch")
tokenizers: Any = pytest.importorskip("tokenizers")
transformers: Any = pytest.importorskip("transformers")
pytest.importorskip("llguidance")

IR = "define i32 @f(i32 %0) {\n  %2 = add nsw i32 %0, 1, align 8\n  ret i32 %2\n}\n"
CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
BEGIN, END, PADDING = "<|begin|>", "<|end|>", "<|padding|>"


def module(name: str) -> Any:
    """Return a module of the agents with language models."""
    return importlib.import_module(f"llmopt_bench.agents.llm.{name}")


def action_tokenizer() -> Any:
    """Return a tokenizer as the trainer makes it: each action is one token."""
    example = module("train.examples").Example("u", IR, "Oz,sroa<modify-cfg>", 3, 2, IR)
    make = module("train.tokenizer").train_tokenizer
    return _fast(make([example] * 3, 640, make_action_set()))


def plain_tokenizer(texts: Sequence[str] = (), size: int = 400) -> Any:
    """Return an ordinary byte-level BPE tokenizer that spells actions in pieces."""
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = byte_level(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PADDING, BEGIN, END],
        initial_alphabet=sorted(byte_level.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts or [IR, ", ".join(make_action_set().names)], trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    return _fast(tokenizer)


def _fast(tokenizer: Any) -> Any:
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PADDING,
        clean_up_tokenization_spaces=False,
    )


def network_for(tokenizer: Any, seed: int = 0, context: int = 2048, spread: float = 0.3) -> Any:
    """Return a tiny model with random weights; ``spread``: how sure it is of its nonsense."""
    config = transformers.LlamaConfig(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=context,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=spread,
    )
    torch.manual_seed(seed)
    return transformers.LlamaForCausalLM(config).eval()


def save_model(folder: Path, tokenizer: Any, seed: int = 0, **settings: Any) -> str:
    """Write a tiny model as transformers reads it, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    network_for(tokenizer, seed, **settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
