"""Ray as the executor of a run: the same records, whatever becomes of its processes and nodes."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmopt_bench import Record, Task, load_agent, make_dataset
from llmopt_bench.agent import LoadedAgent
from llmopt_bench.cli import main
from llmopt_bench.datasets.optional import optional
from llmopt_bench.errors import MissingTool, Unavailable, UnknownProgram
from llmopt_bench.executor_ray import RayExecutor
from llmopt_bench.runner import run

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from process_tree import descendants, is_gone

PLUGIN = Path(__file__).parent / "plugin"
PROGRAMS = tuple(list(make_dataset("bundled-functions-v1").uris())[:12])
TASK = Task(name="tiny", metric="instruction_count", budget=5, programs=PROGRAMS)
TWO_PHASES = "broadcast_agents:TwoPhases"

needs_ray = pytest.mark.usefixtures("ray_is_here")


@pytest.fixture
def ray_is_here() -> Iterator[None]:
    try:
        optional("ray", "distributed")
    except MissingTool as missing:
        pytest.skip(str(missing))
    yield
    # Ray leaves streams and sockets to the garbage collector; these are no defects of ours.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def _agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


def records_of(out: Path, agents: Sequence[str | LoadedAgent], **options: Any) -> list[Record]:
    """Return the records of a run without what depends on time and order."""
    result = run(options.pop("task", TASK), agents, out=out, **options)
    return sorted((replace(r, wall_seconds=0) for r in result.records), key=lambda r: r.key)


@needs_ray
def test_records_are_those_of_local_processes(tmp_path: Path) -> None:
    agents = ["random", TWO_PHASES, "odd_agents:Raises"]
    local = records_of(tmp_path / "local", agents, jobs=1, limit=3)
    dying = load_agent("odd_agents:Killed", marker=str(tmp_path / "marker"))
    with RayExecutor(jobs=1) as executor:
        assert records_of(tmp_path / "ray", agents, executor=executor, limit=3) == local
        (record,) = records_of(tmp_path / "once", [dying], executor=executor, limit=1)
        assert (record.status, record.error) == ("ok", None)
        (record,) = records_of(
            tmp_path / "again", ["odd_agents:Killed"], executor=executor, limit=1
        )
        assert record.error is not None
        assert record.error.startswith("the worker process was lost 6 times")
        assert record.additional_compilations == TASK.budget
        task = replace(TASK, programs=("bundled-v1/no-such",))
        with pytest.raises(UnknownProgram, match="no-such"):
            records_of(tmp_path / "bad", ["Oz"], executor=executor, task=task)
    import ray

    assert not ray.is_initialized()


@needs_ray
@pytest.mark.nightly
def test_node_that_is_lost_changes_no_record(tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    agent = load_agent(TWO_PHASES, pause=0.5)
    local = records_of(tmp_path / "local", ["random", agent], jobs=2)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        lost: list[int] = []

        def lose_a_node(done: int, total: int, record: Record | None) -> None:
            if not lost and done > total // 2:  # while the second phases sleep
                lost.append(done)
                cluster.remove_node(nodes.pop(), allow_graceful=False)

        with RayExecutor(cluster.address, batch_seconds=2) as executor:
            found = records_of(
                tmp_path / "ray", ["random", agent], executor=executor, progress=lose_a_node
            )
    finally:
        cluster.shutdown()
    assert len(lost) == 1
    assert found == local


@needs_ray
@pytest.mark.nightly
def test_interruption_leaves_nothing_of_ray(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    sleeps = ["--agents", "odd_agents:Sleeps", "--set", f"odd_agents:Sleeps.pid_file={pid_file}"]
    task = ["--task", "functions-v1", "--limit", "1", "--jobs", "1", "--out", str(tmp_path / "out")]
    path = os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "llmopt_bench", "run", *task, *sleeps, "--executor", "ray"],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
        # A shell in the background may have left SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(lambda: pid_file.exists() and pid_file.read_text("utf-8") != "")
    below = [*descendants(process.pid), int(pid_file.read_text("utf-8"))]
    assert len(below) >= 3
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "--resume" in errors.splitlines()[-1]
    wait_for(lambda: all(map(is_gone, below)))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@needs_ray
def test_cluster_that_is_not_there() -> None:
    with pytest.raises(Unavailable, match="Check the address"):
        RayExecutor("nowhere").__enter__()


def test_missing_ray_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingTool, match=r"llmopt-bench\[distributed\]"):
        RayExecutor()


def command_of(out: Path, *more: str) -> int:
    """Return the exit code of a run of the command line."""
    options = ["--task", "functions-v1", "--agents", "Oz", "--limit", "1", "--out", str(out)]
    with pytest.raises(SystemExit) as ended:
        main(["run", *options, *more])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_command_without_ray_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert command_of(tmp_path / "out", "--executor", "ray") == 1
    assert "llmopt-bench[distributed]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_address_needs_ray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_of(tmp_path / "out", "--address", "here:1") == 2
    assert "--address needs --executor ray" in capsys.readouterr().err
