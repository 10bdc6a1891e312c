"""The first stage: functions with their best lists, as texts.

The lists are those of labels, or the best ones of a portfolio (``portfolio.py``).

A label is taken at its word only where this machine agrees: the program has the hash, and the
list gives the count, that the label names. Otherwise the labels are of another corpus or another
LLVM, and the function is left out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
from .portfolio import Item, Planned, Source, drawn, package_of
from .stages import Stages

VALIDATION = "validation.parquet"
_SHARD = 500
"""Functions of a shard: what is lost at most when the stage is killed."""


def make_data(stages: Stages) -> None:
    """Write the examples, and the functions of the validation."""
    config, folder = stages.config, stages.folder("data")
    source = _labelled(stages) if config.portfolio is None else drawn(stages)
    train, holdout = split(source.functions, config.holdout)
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
            f"{source.place}: expected functions that this machine has, got none among "
            f"{len(train):,}. Make labels with this corpus and this LLVM, or build the corpus."
        )
    about = {
        "format": FORMAT,
        **source.facts,
        "action_set": make_action_set().name,
        "action_set_sha256": make_action_set().sha256,
        "llvm_version": build_info()["llvm_version"],
        "validation": config.validation,
        "sample_seed": config.sample_seed,
        "examples": counts,
        "left_out": len(train) + len(holdout) - sum(counts.values()),
    }
    stages.finish("data", about)


def split(items: Sequence[Item], holdout: int) -> tuple[list[Item], list[Item]]:
    """Return the functions to learn from, and whole packages of at most ``holdout`` functions.

    Functions of a package resemble each other, so that single ones would not be unseen code.
    """
    packages: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        packages[package_of(item.uri)].append(item)
    kept: set[str] = set()
    room = holdout
    for name in sorted(packages, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if len(packages[name]) <= room:
            room -= len(packages[name])
            kept.add(name)
    train = [item for item in items if package_of(item.uri) not in kept]
    return train, [item for item in items if package_of(item.uri) in kept]


def _labelled(stages: Stages) -> Source:
    """Return the labels to learn from."""
    path = _label_file(stages.job.data)
    labels = list(read_labels(path))
    Random(stages.config.sample_seed).shuffle(labels)
    facts = {"labels_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    some = labels[: stages.config.functions]
    return Source(str(path), [Planned(one.uri, partial(_example, one)) for one in some], facts)


def _label_file(data: Sequence[str]) -> Path:
    if len(data) > 1:
        raise BadTraining(f"data: expected one file of labels, got {len(data)}. Merge them.")
    shipped = files("llmopt_bench.agents.search").joinpath("labels-train-v1.parquet")
    return Path(data[0] if data else str(shipped))


def _write_part(
    pool: ThreadPoolExecutor, functions: Sequence[Planned], part: str, stages: Stages
) -> int:
    """Write the shards of a part that are not there; return how many examples it has."""
    report, deadline = stages.report("data"), stages.deadline("data")
    written = 0
    for number, start in enumerate(range(0, len(functions), _SHARD)):
        if number and monotonic() > deadline:
            break
        path = stages.folder("data") / f"{part}-{number:05}.parquet"
        if not path.exists():
            found = pool.map(lambda one: one.make(), functions[start : start + _SHARD])
            write_rows(path, [one for one in found if one is not None], Example)
        written += parquet.read_metadata(path).num_rows
        done = min(start + _SHARD, len(functions))
        report(done / len(functions), f"{part}, {done:,} of {len(functions):,} functions")
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
