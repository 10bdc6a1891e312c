"""`llmopt-bench train coreset-nvp`: from labels to a model, in stages.

1. **Candidates**: the most frequent best lists of the labels, measured on a sample of functions.
2. **Chains**: every two of those that a greedy choice takes first, measured on the same functions.
3. **Coreset**: the lists that together do best, chosen greedily from both.
4. **Values**: what the coreset makes of many functions, and of those of a validation set.
5. **Network**: it learns which list to try next.

The result of each stage is a file in the folder of the training, and is not made again when the
training is resumed. With ``max_minutes``, a stage that measures ends early, with fewer functions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from llmopt_bench import (
    BadTraining,
    Label,
    PassList,
    Trained,
    TrainJob,
    make_action_set,
    make_dataset,
    train_settings,
    write_whole,
)

from .candidates import chains_of, frequent_lists, read_train_labels, sample_uris, shuffled
from .config import NvpConfig
from .greedy import greedy_coreset, rewards_of
from .learn import learn
from .measure import joined_lists
from .stages import Stages

_CORESET = "coreset.json"


def train(job: TrainJob) -> Trained:
    """Train the model of `coreset-nvp`.

    Raises:
        BadTraining: The settings or the labels are not good for it.
        BadRecord: The labels cannot be read.
        MissingTool: pyarrow, for the labels, is not installed.
    """
    config = train_settings(job, NvpConfig)
    stages = Stages(job, config)
    _check_tables(stages.folder, config)
    labels, sha256 = read_train_labels(job.data)
    lists = _coreset(stages, labels, config)
    uris = shuffled(make_dataset(config.validation).uris(), config.sample_seed)
    validation = stages.measure("validation", uris[: config.validation_functions], lists)
    uris = sample_uris(labels, config.functions, config.sample_seed, improved=False)
    table = stages.measure("train", uris, lists)
    facts = {"labels_sha256": sha256}
    return learn(job, config, lists, (table, validation), facts, stages)


def _check_tables(folder: Path, config: NvpConfig) -> None:
    if config.tables is not None and not (folder / _CORESET).exists():
        raise BadTraining(
            f"tables: expected the folder of a training with its {_CORESET}, got {folder}. "
            "Name another, or leave it out."
        )


def _coreset(stages: Stages, labels: Sequence[Label], config: NvpConfig) -> list[PassList]:
    """Return the coreset, the most useful list first; from its file if that is there."""
    path = stages.folder / _CORESET
    if path.exists():
        return [PassList(names) for names in json.loads(path.read_text("utf-8"))]
    actions = make_action_set()
    uris = sample_uris(labels, config.matrix_functions, config.sample_seed, improved=True)
    candidates = frequent_lists(labels, config.candidates, actions)
    table = stages.measure("candidates", uris, candidates)
    first = greedy_coreset(rewards_of(table, config.reward_power), config.chain)
    chains = chains_of([candidates[number] for number in first], candidates)
    if chains:
        table = joined_lists(table, stages.measure("chains", uris, chains))
    order = greedy_coreset(rewards_of(table, config.reward_power), config.lists)
    both = [*candidates, *chains]
    coreset = [both[number] for number in order]
    text = json.dumps([list(passes) for passes in coreset], indent=1) + "\n"
    write_whole(path, text.encode())
    return coreset
