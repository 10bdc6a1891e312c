"""Work in several processes: all of it, in any order, and nothing is left of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from llmopt_bench.errors import CompilerKilled
from llmopt_bench.process_map import in_processes

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from process_tree import is_gone


def with_pid(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def fail_at(bad: int, number: int) -> int:
    if number == bad:
        raise ValueError(f"no {bad}")
    return number


def end_itself(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_for_ever(folder: Path, number: int) -> None:
    (folder / f"{os.getpid()}").touch()
    time.sleep(600)


def test_every_item_is_done_once_elsewhere() -> None:
    results = dict(in_processes(with_pid, list(range(20)), jobs=2))
    assert {place: square for place, (square, _) in results.items()} == {
        n: n * n for n in range(20)
    }
    pids = {pid for _, pid in results.values()}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert all(map(is_gone, pids))


@pytest.mark.parametrize(("items", "jobs"), [([3, 4], 1), ([3], 8), ([], 8)])
def test_one_process_is_this_one(items: list[int], jobs: int) -> None:
    expected = [(place, (n * n, os.getpid())) for place, n in enumerate(items)]
    assert list(in_processes(with_pid, items, jobs)) == expected


def test_an_error_comes_out_as_it_is() -> None:
    with pytest.raises(ValueError, match="no 1"):
        list(in_processes(partial(fail_at, 1), [0, 1, 2], jobs=2))


def test_a_process_that_is_killed_is_an_error() -> None:
    with pytest.raises(CompilerKilled, match="ended from outside"):
        list(in_processes(end_itself, [0, 1, 2], jobs=2))


def test_whoever_leaves_early_does_not_wait(tmp_path: Path) -> None:
    """As Ctrl-C does: it is raised where the next result is waited for."""
    results = in_processes(partial(wait_for_ever, tmp_path), [0, 1], jobs=2)
    main = threading.get_ident()

    def interrupt() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        next(results)
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 2
    assert all(map(is_gone, pids))


def test_nothing_is_left_of_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = multiprocessing.get_context("spawn").Process(target=_parent, args=(tmp_path,))
    parent.start()
    while len(list(tmp_path.iterdir())) < 2:
        assert parent.is_alive()
        time.sleep(0.01)
    parent.kill()
    parent.join()
    pids = [int(path.name) for path in tmp_path.iterdir()]
    end = time.monotonic() + 10
    while not all(map(is_gone, pids)):
        assert time.monotonic() < end
        time.sleep(0.01)


def _parent(folder: Path) -> None:
    list(in_processes(partial(wait_for_ever, folder), [0, 1], jobs=2))
