"""Several runs of one task as one: other programs, other agents or other seeds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from llmopt_bench.errors import BadRecord, BadStore
from llmopt_bench.record import Record, RecordKey, read_records
from llmopt_bench.run_store import STORE, RunStore
from llmopt_bench.runner import RECORDS

_COMMON = (
    "task",
    "task_sha256",
    "action_set",
    "action_set_sha256",
    "metric",
    "budget",
    "llvm_version",
    "package_version",
)
"""What all records of a merged run have in common."""


def merge_runs(folders: Sequence[str | Path], out: str | Path) -> int:
    """Write the records of several runs into one folder, and return how many there are.

    Records of the same run that differ in times and machine only are one: the first is kept.

    Args:
        folders: Folders of finished runs.
        out: The new folder; all of its records are there, or none.

    Raises:
        BadRecord: There are no records, two contradict each other, they are of different tasks or
            settings, or ``out`` holds records already; the message names them.
        BadStore: A run is in the middle of a second phase.
    """
    out = Path(out)
    target = out / RECORDS
    if target.exists():
        raise BadRecord(f"{target} is there already. Choose another folder.")
    kept: dict[RecordKey, tuple[Path, Record]] = {}
    agents: dict[tuple[str, str], tuple[Path, Record]] = {}
    for folder in map(Path, folders):
        keys = set()
        for record in read_records(folder / RECORDS):
            keys.add(record.key)
            here = (folder, record)
            _check_common(next(iter(kept.values()), here), here, _COMMON)
            name = (record.agent, record.agent_version)
            _check_common(agents.setdefault(name, here), here, ("agent_settings", "trained_on"))
            _check_same(kept.setdefault(record.key, here), here)
        _check_finished(folder, keys)
    if not kept:
        raise BadRecord("expected records to merge, found none. Run an agent first.")
    _write(target, (record for _, record in kept.values()))
    return len(kept)


def _check_common(
    first: tuple[Path, Record], second: tuple[Path, Record], names: Sequence[str]
) -> None:
    for name in names:
        values = getattr(first[1], name), getattr(second[1], name)
        if values[0] != values[1]:
            raise BadRecord(
                f"cannot merge: {name} is {values[0]!r} for {_shown(first)}, and {values[1]!r} "
                f"for {_shown(second)}. Merge runs of the same task and settings."
            )


def _check_same(first: tuple[Path, Record], second: tuple[Path, Record]) -> None:
    """Raise if two records of the same run differ in more than time and machine."""
    one, two = (replace(record, wall_seconds=0, build={}) for _, record in (first, second))
    differing = [
        name for name in type(one).__dataclass_fields__ if getattr(one, name) != getattr(two, name)
    ]
    if differing:
        raise BadRecord(
            f"cannot merge: {_shown(first)} and {_shown(second)} are the same run, seed "
            f"{one.seed}, repetition {one.repetition}, and differ in {', '.join(differing)}. "
            "Leave out the wrong one; `verify` tells which."
        )


def _check_finished(folder: Path, keys: set[RecordKey]) -> None:
    path = folder / STORE
    if not path.exists():
        return
    with RunStore(path, resume=True) as store:
        open_keys = sorted(store.keys - keys)
    if open_keys:
        raise BadStore(
            f"cannot merge: {folder} has no record yet for {len(open_keys)} runs with a second "
            f"phase, the first: {open_keys[0].agent} on {open_keys[0].program}. Finish it with "
            "--resume."
        )


def _shown(place: tuple[Path, Record]) -> str:
    folder, record = place
    return f"{record.agent} on {record.program} in {folder}"


def _write(target: Path, records: Iterator[Record]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".part")
    with draft.open("wb") as stream:
        for record in records:
            stream.write(record.to_json().encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(target)
