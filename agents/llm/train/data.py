"""The first stage: what labels say, as texts.

A label is taken at its word only where this machine agrees: the program has the hash, and the
list gives the count, that the label names. Otherwise the labels are of another corpus or another
LLVM, and the function is left out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from random import Random
from time import monotonic

from pyarrow import parquet

from llmopt_bench import (
    BadTraining,
    CompilerError,
    Label,
    PassList,
    Session,
    build_info,
    make_action_set,
    make_dataset,
    read_labels,
)

from .examples import FORMAT, Exam, Example, write_rows
from .stages import Stages

VALIDATION = "validation.parquet"
_SHARD = 500
"""Functions of a shard: what is lost at most when the stage is killed."""


def make_data(stages: Stages) -> None:
    """Write the examples, and the functions of the validation."""
    config, folder = stages.config, stages.folder("data")
    path = _label_file(stages.job.data)
    labels = list(read_labels(path))
    Random(config.sample_seed).shuffle(labels)
    train, holdout = split(labels[: config.functions], config.holdout)
    uris = list(make_dataset(config.validation).uris())
    Random(config.sample_seed).shuffle(uris)
    counts = {}
    with ThreadPoolExecutor(stages.threads) as pool:
        if not (folder / VALIDATION).exists():
            exams = pool.map(_exam, uris[: config.validation_functions])
            write_rows(folder / VALIDATION, exams, Exam)
        for part, some in (("holdout", holdout), ("train", train)):
            counts[part] = _write_part(pool, some, part, stages)
    if not counts["train"]:
        raise BadTraining(
            f"{path}: expected labels of the programs of this machine, got none among "
            f"{len(train):,}. Make labels with this corpus and this LLVM, or build the corpus."
        )
    about = {
        "format": FORMAT,
        "labels_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "action_set": make_action_set().name,
        "action_set_sha256": make_action_set().sha256,
        "llvm_version": build_info()["llvm_version"],
        "validation": config.validation,
        "sample_seed": config.sample_seed,
        "examples": counts,
        "left_out": len(train) + len(holdout) - sum(counts.values()),
    }
    stages.finish("data", about)


def split(labels: Sequence[Label], holdout: int) -> tuple[list[Label], list[Label]]:
    """Return the labels to learn from, and whole packages of at most ``holdout`` labels.

    Functions of a package resemble each other, so that single ones would not be unseen code.
    """
    packages: defaultdict[str, list[Label]] = defaultdict(list)
    for label in labels:
        packages[_package(label)].append(label)
    kept: set[str] = set()
    room = holdout
    for name in sorted(packages, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if len(packages[name]) <= room:
            room -= len(packages[name])
            kept.add(name)
    train = [label for label in labels if _package(label) not in kept]
    return train, [label for label in labels if _package(label) in kept]


def _package(label: Label) -> str:
    """Return the dataset and the package, or program, that a function is of."""
    return "/".join(label.uri.split("/")[:2])


def _label_file(data: Sequence[str]) -> Path:
    if len(data) > 1:
        raise BadTraining(f"data: expected one file of labels, got {len(data)}. Merge them.")
    shipped = files("llmopt_bench.agents.search").joinpath("labels-train-v1.parquet")
    return Path(data[0] if data else str(shipped))


def _write_part(
    pool: ThreadPoolExecutor, labels: Sequence[Label], part: str, stages: Stages
) -> int:
    """Write the shards of a part that are not there; return how many examples it has."""
    report, deadline = stages.report("data"), stages.deadline("data")
    written = 0
    for number, start in enumerate(range(0, len(labels), _SHARD)):
        if number and monotonic() > deadline:
            break
        path = stages.folder("data") / f"{part}-{number:05}.parquet"
        if not path.exists():
            found = pool.map(_example, labels[start : start + _SHARD])
            write_rows(path, [one for one in found if one is not None], Example)
        written += parquet.read_metadata(path).num_rows
        done = min(start + _SHARD, len(labels))
        report(done / len(labels), f"{part}, {done:,} of {len(labels):,} functions")
    return written


def _example(label: Label) -> Example | None:
    """Return what a label says of a function; None if this machine does not agree."""
    session = Session(label.uri)
    if session.program.sha256 != label.program_sha256:
        return None
    ir, before = session.ir(normalized=True), session.instruction_count
    passes = PassList.parse(label.pass_list)
    try:
        if passes:
            session.apply(passes)
    except CompilerError:
        return None
    if (before, session.instruction_count) != (label.initial, label.best):
        return None
    optimised = session.ir(normalized=True)
    return Example(label.uri, ir, passes.compact, before, label.best, optimised)


def _exam(uri: str) -> Exam:
    session = Session(uri)
    return Exam(uri, session.ir(normalized=True), session.initial(), session.reference("Oz"))
