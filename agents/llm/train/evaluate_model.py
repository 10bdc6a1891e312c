"""A trained model that writes, greedily."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .network import without_bars


class GreedyModel:
    """A model that goes on with texts by the most probable token at each step.

    Args:
        folder: The results of stage ``train``.
    """

    def __init__(self, folder: Path) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
        with without_bars():
            model: Any = LlamaForCausalLM.from_pretrained(folder)
        # The weights are bfloat16, which most processors multiply slower.
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        self._model = model.to(self._device, dtype).eval()

    @property
    def context(self) -> int:
        """The most tokens of a text with what is written."""
        return int(self._model.config.max_position_embeddings)

    def tokens(self, text: str, *, begins: bool = True) -> list[int]:
        """Return the tokens of a text.

        Args:
            text: The text.
            begins: Whether the text is a beginning, or goes on with another one.
        """
        # Without its warning of long texts: they are known, and counted as too long.
        found = self._tokenizer(text, add_special_tokens=begins, verbose=False)
        return list(found["input_ids"])

    @torch.no_grad()
    def write(self, given: Sequence[Sequence[int]], room: Sequence[int], stop: str) -> list[str]:
        """Return what the model writes after each text.

        Args:
            given: The tokens of the texts; texts of like length are written fastest.
            room: The most tokens to write after each.
            stop: The token that ends it, beside that of the end; it is part of what is returned.
        """
        tokenizer = self._tokenizer
        padded = tokenizer.pad({"input_ids": [list(tokens) for tokens in given]})
        inputs = {
            name: torch.tensor(rows, device=self._device)
            for name, rows in padded.items()
            if name in ("input_ids", "attention_mask")
        }
        found = self._model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=max(room),
            eos_token_id=[tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(stop)],
            pad_token_id=tokenizer.pad_token_id,
        )
        written = found[:, inputs["input_ids"].shape[1] :].tolist()
        rows = [tokens[:most] for tokens, most in zip(written, room, strict=True)]
        return list(tokenizer.batch_decode(rows, skip_special_tokens=True))
