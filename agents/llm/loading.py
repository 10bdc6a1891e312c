"""Models of transformers: from a folder or the name of one on a hub to one that can answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from llmopt_bench import BadModel

from .constraint import Constraint
from .decoding_drafts import Drafts
from .decoding_tree import Ending, Tree
from .prompt import prompt_names
from .shipped import shipped_models
from .train.network import PROMPT_KEY, without_bars

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
_PORTFOLIO = "portfolio.json"
_TRIED = (3, 5, 4, 6)
"""Tokens for a try; any will do."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in memory."""

    name: str
    network: Any
    tokenizer: Any
    ends: tuple[int, ...]
    """Tokens that end an answer."""
    context: int | None
    """The most tokens of a request and its answer; None where the model does not say."""
    constraint: Constraint | None
    """None where grammars are not asked for."""
    prompt: str | None
    """The prompt that it has learnt from; None where the model does not say."""
    drafts: Drafts
    """Lists that it is likely to write."""
    lists: int
    """How many lists the portfolio has that it has learnt from; 0 without one."""


@lru_cache(maxsize=2)
def load(name: str, dtype: str = "auto", *, constrained: bool = True) -> Loaded:
    """Return a model; a process loads it once.

    It runs on the first GPU, where there is one. Code that comes with a model is not run, and
    weights are read from safetensors only.

    Args:
        name: A folder with ``config.json``, weights and tokenizer, or the name of a model on the
            hub, as ``transformers`` loads it.
        dtype: ``float32``, ``bfloat16``, or ``auto``: bfloat16 on a GPU, float32 elsewhere.
        constrained: Whether it must be able to hold to grammars.

    Raises:
        BadModel: There is no such model, it is damaged, or of a kind that cannot be used here.
        ValueError: There is no such dtype.
    """
    if dtype not in ("auto", *DTYPES):
        raise ValueError(f"dtype: expected auto, {' or '.join(DTYPES)}, got {dtype!r}")
    place = _place(name)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if dtype == "auto":
        dtype = "bfloat16" if device.type == "cuda" else "float32"
    common: dict[str, Any] = {"trust_remote_code": False}
    weights = {"dtype": DTYPES[dtype], "use_safetensors": True, "output_loading_info": True}
    try:
        config = AutoConfig.from_pretrained(place, **common)
        tokenizer: Any = AutoTokenizer.from_pretrained(place, **common)
        with without_bars():
            loader: Any = AutoModelForCausalLM
            network, about = loader.from_pretrained(place, config=config, **common, **weights)
    except Exception as error:  # whatever the files, or a connection, make transformers raise
        raise BadModel(_trouble(name, place, error)) from error
    if missing := sorted(about["missing_keys"]):
        raise BadModel(
            f"model {name!r}: expected all weights, {len(missing)} are missing: "
            f"{', '.join(missing[:3])}. Save it whole."
        )
    network.to(device).eval()
    _check_branches(name, network, tokenizer)
    ends = _ends(network, tokenizer)
    constraint = Constraint(tokenizer, _vocabulary(network), ends) if constrained else None
    context, prompt = _context(network.config), _prompt(name, network.config)
    likely = _likely(Path(place), tokenizer)
    said = context, constraint, prompt
    return Loaded(name, network, tokenizer, ends, *said, Drafts(likely), len(likely))


def _place(name: str) -> str:
    """Return what transformers is to load; a name that could be a folder and a hub's is a folder.

    Raises:
        BadModel: It can be neither, or the folder has no model.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BadModel(
                f"model {name!r}: expected a folder with config.json, which is not there. Name the "
                "folder that save_pretrained wrote."
            )
        return str(folder)
    if folder.exists() or not _HUB_NAME.fullmatch(name):
        raise BadModel(
            f"model {name!r}: expected a folder, or the name of a model on the hub "
            "(organisation/model), and it is neither. Check the path."
        )
    return name


def _trouble(name: str, place: str, error: Exception) -> str:
    """Return what is wrong with a model that cannot be loaded."""
    lines = str(error).strip().split("\n")
    said = f"{type(error).__name__}: {lines[0][:300]}"
    if Path(place).is_dir():
        return (
            f"model {name!r}: expected a causal language model with tokenizer and safetensors, "
            f"got {said}. Check the files of the folder."
        )
    return (
        f"model {name!r}: there is no folder of this name, and the hub gives no such model: "
        f"{said}. Check the name and the connection, or download it and name the folder. With the "
        f"library come {', '.join(shipped_models()) or 'no models'}."
    )


def _ends(network: Any, tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that end answers, as the model and its tokenizer say."""
    told = network.generation_config.eos_token_id
    numbers: Sequence[int | None] = told if isinstance(told, list) else [told]
    return tuple(dict.fromkeys(n for n in [*numbers, tokenizer.eos_token_id] if n is not None))


def _likely(folder: Path, tokenizer: Any) -> list[list[int]]:
    """Return the tokens of the lists of the portfolio that a model has learnt from."""
    file = folder / _PORTFOLIO
    if not file.is_file():
        return []
    try:
        lists = [",".join(names) for names in json.loads(file.read_text("utf-8"))]
    except (TypeError, ValueError) as error:
        raise BadModel(
            f"{file}: expected a JSON list of lists of actions, got {error}. Mend it, or delete "
            "it: it makes answers quicker, and says how many lists the model knows."
        ) from error
    return [list(tokenizer(one, add_special_tokens=False)["input_ids"]) for one in lists]


def _vocabulary(network: Any) -> int:
    return int(network.get_output_embeddings().weight.shape[0])


def _context(config: Any) -> int | None:
    """Return the context, cut to the window of models that look back so far only.

    Beyond the window, what a token may see depends on more than its ancestors in the tree.
    """
    config = config.get_text_config()
    limits = [getattr(config, "max_position_embeddings", None)]
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    if any(kind != "full_attention" for kind in kinds):
        limits.append(getattr(config, "sliding_window", None))
    return min((limit for limit in limits if limit), default=None)


def _prompt(name: str, config: Any) -> str | None:
    prompt: object = getattr(config, PROMPT_KEY, None)
    if prompt is None or prompt in prompt_names():
        return None if prompt is None else str(prompt)
    raise BadModel(
        f"model {name!r}: expected {PROMPT_KEY} in config.json to be one of "
        f"{', '.join(prompt_names())}, got {str(prompt)[:60]!r}. Update the library, or mend the "
        "file."
    )


def _check_branches(name: str, network: Any, tokenizer: Any) -> None:
    """Check that a token in a tree is what it is in a text.

    Raises:
        BadModel: It is not: the model has another kind of memory, or of attention.
    """
    begin, wrong, right, last = _TRIED
    try:
        tree = Tree(network, tokenizer, [begin], Ending(frozenset(), len(_TRIED)))
        node = tree.step([(tree.root, wrong), (tree.root, right)])[1]
        (node,) = tree.step([(node, last)])
        given = torch.tensor([[begin, right, last]], device=network.device)
        with torch.inference_mode():
            plain = torch.log_softmax(network(given).logits[0, -1].float().cpu(), 0)
        apart = float((plain[node.choices] - torch.from_numpy(node.logs)).abs().max())
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise BadModel(_NO_TREE.format(name, f"{type(error).__name__}: {error}"[:300])) from error
    # What rounding makes of logarithms of probabilities.
    if not apart < (1e-3 if network.dtype == torch.float32 else 0.25):
        raise BadModel(_NO_TREE.format(name, f"logarithms that are {apart:.2g} apart"))


_NO_TREE = (
    "model {!r}: expected a transformer whose tokens can branch (keys and values in a cache, an "
    "attention mask of 4 dimensions), as Llama, Mistral and Qwen are; got {}. Serve it behind an "
    "API, or use another model."
)
