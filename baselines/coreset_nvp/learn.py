"""The last stage of a training: the network, and the file of its best epoch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from llmopt_bench import PassList, Trained, TrainJob, make_action_set

from ..models import save_model
from .config import NvpConfig
from .fit import Split, fit, tried_by
from .improvement import improvement_at
from .inputs import vector_of
from .measure import Measured
from .network import Encoder, Rows, Scaled, ValueNetwork
from .ranker import KIND
from .stages import NETWORK, Stages

_SHOWN = (1, 3, 5, 10)
"""So many lists are tried for the scores that a training tells."""
_OF_THIS_MACHINE = ("tables", "threads")
"""Settings that say nothing about the model."""


def learn(
    job: TrainJob,
    config: NvpConfig,
    lists: Sequence[PassList],
    tables: tuple[Measured, Measured],
    facts: Mapping[str, Any],
    stages: Stages,
) -> Trained:
    """Train the network and write its best epoch: the same seed, the same model.

    Args:
        job: The training.
        config: Its settings.
        lists: The coreset.
        tables: What it makes of the functions to learn from, and of those of the validation.
        facts: What the file of the model should say of its data.
        stages: Take the progress, and say when to end.
    """
    torch.set_num_threads(config.threads or len(os.sched_getaffinity(0)))
    torch.manual_seed(job.seed)
    encoder, train, validation = (
        _mlp(*tables) if config.encoder == "mlp" else _gnn(*tables, config, stages)
    )
    network = ValueNetwork(encoder, len(lists), config)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    fitted = fit(
        network,
        train,
        validation,
        config,
        job.seed,
        stages.report(NETWORK),
        stages.deadline(NETWORK),
    )
    network.load_state_dict({name: torch.from_numpy(a) for name, a in fitted.arrays.items()})
    scores = _scores(network, validation, config, len(lists))
    about = {
        **facts,
        "lists": [list(passes) for passes in lists],
        "encoder": config.encoder,
        "adaptive": config.adaptive,
        "settings": {k: v for k, v in asdict(config).items() if k not in _OF_THIS_MACHINE},
        "seed": job.seed,
        "functions": len(train.table),
        "epoch": fitted.epoch,
        "curve": [round(value, 6) for value in fitted.curve],
        "validation": scores,
    }
    path = job.out / f"{KIND}.safetensors"
    save_model(
        path,
        KIND,
        fitted.arrays,
        about,
        action_set=make_action_set(),
        features="autophase" if config.encoder == "mlp" else "graph",
    )
    (job.out / "model.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    return Trained(path, scores)


def _mlp(train: Measured, validation: Measured) -> tuple[Encoder, Split, Split]:
    """Return an encoder of vectors, and the functions as it takes them."""
    vectors, others = vector_of(train.features), vector_of(validation.features)
    return Scaled(vectors), Split(Rows(vectors), train), Split(Rows(others), validation)


def _gnn(
    train: Measured, validation: Measured, config: NvpConfig, stages: Stages
) -> tuple[Encoder, Split, Split]:
    """Return an encoder of graphs, and the functions as it takes them."""
    from .graphs import GraphEncoder, Graphs  # needs torch-geometric

    splits = [
        Split(Graphs(stages.graphs(name, table.uris)), table)
        for name, table in (("train", train), ("validation", validation))
    ]
    return GraphEncoder(config.nodes, config.messages), splits[0], splits[1]


def _scores(
    network: ValueNetwork, validation: Split, config: NvpConfig, lists: int
) -> dict[str, float]:
    table = validation.table
    shown = [tries for tries in _SHOWN if tries < lists]
    order = tried_by(network, validation, config, max(shown, default=1))
    fixed = np.tile(np.arange(lists), (len(table), 1))
    return {
        **{f"improvement at {k}": improvement_at(order, table, k) for k in shown},
        "improvement of the fixed order at 5": improvement_at(fixed, table, 5),
        "improvement of the oracle": improvement_at(fixed, table, lists),
    }
