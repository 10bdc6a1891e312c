"""Runs that are disturbed: what was finished is kept, and in the end the records are the same."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmopt_bench import Record, make_dataset, read_records

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from process_tree import descendants, is_gone

PROGRAMS = list(make_dataset("bundled-functions-v1").uris())[:200]
BUDGET = 4
RECORDS = "records.jsonl"


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("task") / "many.toml"
    lines = ['name = "many"', 'metric = "instruction_count"', f"budget = {BUDGET}", "programs = ["]
    file.write_text("\n".join([*lines, *(f'  "{uri}",' for uri in PROGRAMS), "]", ""]), "utf-8")
    return file


def start(task: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = ["run", "--task", str(task), "--agents", "random", "--out", str(out), "--jobs", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "llmopt_bench", *command, *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell in the background may have left SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def finish(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=120)
    return errors


def records_in(folder: Path) -> list[Record]:
    """Return the records without what depends on time and order."""
    found = read_records(folder / RECORDS)
    return sorted((replace(r, wall_seconds=0) for r in found), key=lambda record: record.key)


@pytest.fixture(scope="module")
def undisturbed(task, tmp_path_factory) -> list[Record]:
    out = tmp_path_factory.mktemp("undisturbed")
    process = start(task, out)
    assert finish(process)
    assert process.returncode == 0
    records = records_in(out)
    assert len(records) == len(PROGRAMS)
    return records


def wait_for_records(folder: Path, count: int) -> None:
    end = time.monotonic() + 60
    file = folder / RECORDS
    while not (file.exists() and file.read_bytes().count(b"\n") >= count):
        assert time.monotonic() < end, "no records"
        time.sleep(0.01)


@contextlib.contextmanager
def killing(pid: int, pause: tuple[float, float]) -> Iterator[list[int]]:
    """Kill random descendants of a process, all the time."""
    rng, killed, done = random.Random(4), list[int](), threading.Event()

    def kill() -> None:
        while not done.wait(rng.uniform(*pause)):
            if targets := descendants(pid):
                victim = rng.choice(targets)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()


def test_kills_at_random_moments_change_no_record(task, tmp_path, undisturbed):
    """Of processes that run agents, of fork servers and of those in which LLVM works."""
    process = start(task, tmp_path)
    wait_for_records(tmp_path, 1)
    with killing(process.pid, (0.2, 0.8)) as killed:
        errors = finish(process)
    assert process.returncode == 0, errors
    assert len(killed) >= 3
    assert records_in(tmp_path) == undisturbed


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_an_interrupted_run_is_resumed_to_the_same_records(task, tmp_path, undisturbed, how, code):
    process = start(task, tmp_path)
    wait_for_records(tmp_path, 10)
    below = descendants(process.pid)
    assert len(below) >= 4
    process.send_signal(how)
    errors = finish(process)
    assert process.returncode == code
    if how != signal.SIGKILL:
        assert "Traceback" not in errors
        assert "--resume" in errors.splitlines()[-1]
    end = time.monotonic() + 5
    while not all(map(is_gone, below)) and time.monotonic() < end:
        time.sleep(0.02)
    assert all(map(is_gone, below))
    kept = records_in(tmp_path)
    assert 10 <= len(kept) < len(PROGRAMS)
    again = start(task, tmp_path, "--resume")
    assert finish(again)
    assert again.returncode == 0
    assert records_in(tmp_path) == undisturbed


def test_a_folder_that_cannot_be_written_is_one_line(task, tmp_path):
    (tmp_path / "file").write_text("no folder", "utf-8")
    process = start(task, tmp_path / "file" / "out")
    errors = finish(process)
    assert process.returncode == 1
    assert len(errors.splitlines()) <= 2
    assert errors.startswith("error: ")
