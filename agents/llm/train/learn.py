"""The fourth stage: the model. It needs PyTorch and transformers, and neither compiler nor core."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from llmopt_bench import BadTraining, TrainJob

from .batches import Examples
from .checkpoint import Plan, Progress, load_checkpoint
from .config import LlmConfig
from .fit import CHECKPOINT, LIST_LOSS, Fit, make_optimizer
from .network import make_network, model_config, network_from, without_bars
from .stages import ABOUT, Stages, read_about
from .throughput import faster_dtype
from .token_files import FORMAT, TokenFile, TokenIds, Tokens
from .tokens import TOTALS

_OF_THIS_MACHINE = (
    "stage",
    "inputs",
    "start",
    "threads",
    "log_every",
    "checkpoint_minutes",
    "eval_batch",
    "eval_ir",
)
"""Settings that say nothing about the model."""
_WEIGHTS = "model.safetensors"
_WRITING = 0.02
"""Share of the time that is left for the last losses and files."""


def make_model(stages: Stages) -> None:
    """Train a model on the tokens, and write it as transformers reads it."""
    config, job = stages.config, stages.job
    torch.set_num_threads(stages.threads)
    torch.set_float32_matmul_precision("high")
    place, tokenizer = stages.results("tokens"), stages.results("tokenizer")
    about = _about_tokens(place, tokenizer)
    if config.regression_cost and about["oz"] is None:
        raise BadTraining(
            "regression_cost: expected 0 without a portfolio that has the list Oz, got "
            f"{config.regression_cost}. Put Oz into the portfolio, or leave the setting away."
        )
    fit = _begin(stages, about)
    first, file = about["first"], _open(place, "train", about)
    totals = Tokens.open(place, TOTALS, about["dtype"]) if config.totals_repeats else None
    train = Examples(file, _ids(about), config, job.seed, first, totals)
    if not len(train):
        raise BadTraining(
            f"{place}: expected examples of at most {config.context} tokens, got none. "
            "Raise context, or learn from other labels."
        )
    start = _digest(Path(config.start) / _WEIGHTS) if config.start else None
    losses = fit.run(train, _unseen(place, about, config), stages.report("train"))
    facts = {
        "finished": fit.done >= 1,
        "settings": {k: v for k, v in asdict(config).items() if k not in _OF_THIS_MACHINE},
        "seed": job.seed,
        "start_sha256": start,
        "data": {name: about[name] for name in ("data", "tokenizer_sha256")},
        "examples": len(train),
        "examples_without_ir": train.without_ir,
        "examples_too_long": train.too_long,
        "parameters": fit.model.num_parameters(),
        "device": _device_name(fit.device),
        "dtype": fit.plan.dtype,
        **asdict(fit.progress),
        **losses,
    }
    _write(fit.model, tokenizer, stages.folder("train"))
    stages.finish("train", facts)


def _about_tokens(place: Path, tokenizer: Path) -> dict[str, Any]:
    """Return what is known of the tokens, if a model can learn from them."""
    about = read_about(place)
    if about["format"] != FORMAT:
        raise BadTraining(
            f"{place}: expected format {FORMAT}, got {about['format']}. Make it again."
        )
    if _digest(tokenizer / "tokenizer.json") != about["tokenizer_sha256"]:
        raise BadTraining(
            f"{place}: expected tokens of the tokenizer in {tokenizer}, got those of another. "
            "Make them again, with --set stage=tokens."
        )
    return about


def _begin(stages: Stages, about: dict[str, Any]) -> Fit:
    """Return the training, from its checkpoint if there is one."""
    config, job = stages.config, stages.job
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shape = model_config(config, about["vocabulary"], _ids(about))
    model: Any = make_network(shape, job.seed)
    if config.start is not None and not _goes_on(job):
        _check_tokenizer(Path(config.start), about)
        model = network_from(Path(config.start), shape)
    model.to(device)
    if config.recompute:
        model.gradient_checkpointing_enable()
    optimizer = make_optimizer(model, config)
    data = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    path = job.out / CHECKPOINT
    if _goes_on(job):
        state = load_checkpoint(path, data, device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        plan, progress = state["plan"], state["progress"]
    else:
        plan, progress = _plan(stages, data, device), Progress()
    deadline = stages.deadline("train")
    lists = about["first"], about["oz"]
    return Fit(model, optimizer, config, job.seed, plan, progress, *lists, job.out, deadline)


def _goes_on(job: TrainJob) -> bool:
    return job.resume and (job.out / CHECKPOINT).exists()


def _check_tokenizer(start: Path, about: dict[str, Any]) -> None:
    file = start / "tokenizer.json"
    if file.exists() and _digest(file) != about["tokenizer_sha256"]:
        raise BadTraining(
            f"{file}: expected the tokenizer of the tokens, got another. Start with a model that "
            "has learnt from the same tokenizer, or make the tokens with its own."
        )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _plan(stages: Stages, data: str, device: torch.device) -> Plan:
    config = stages.config
    if config.steps is None and stages.job.max_minutes is None:
        raise BadTraining(
            "expected to know how long to train, got neither steps nor minutes. Give "
            "--max-minutes, or --set steps=NUMBER."
        )
    dtype = config.dtype
    if dtype == "auto":
        dtype = str(faster_dtype(device)).removeprefix("torch.")
    seconds = (1 - _WRITING) * (stages.deadline("train") - time.monotonic())
    return Plan(dtype, max(seconds, 1e-9), data)


def _ids(about: dict[str, Any]) -> TokenIds:
    return TokenIds(**about["ids"])


def _open(place: Path, part: str, about: dict[str, Any]) -> TokenFile:
    return TokenFile.open(place, part, about["dtype"])


def _unseen(place: Path, about: dict[str, Any], config: LlmConfig) -> dict[str, Examples]:
    """Return the examples that were kept apart, by the name of the loss on them."""
    file = _open(place, "holdout", about)
    whole = replace(config, share=1.0, ir_task=0.0, prompt_weight=0.0, list_weight=1.0)
    # Of the answer up to the counts, which every kind of training learns.
    found = {LIST_LOSS: Examples(file, _ids(about), whole, 0, about["first"])}
    if config.prompt == "paper":
        whole = replace(whole, ir_task=1.0)
        found["validation_loss"] = Examples(file, _ids(about), whole, 0, about["first"])
    return {name: examples for name, examples in found.items() if len(examples)}


def _write(model: Any, tokenizer: Path, folder: Path) -> None:
    """Write weights as bfloat16, the configuration and the tokenizer."""
    with without_bars():
        model.to(torch.bfloat16).save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # safetensors lets nobody else read
    for path in sorted(tokenizer.iterdir()):
        if path.name != ABOUT and path.name.startswith("tokenizer"):
            shutil.copyfile(path, folder / path.name)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
