"""A process of CompilerGym: what it is asked, and what becomes of one that goes wrong."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from compiler_gym_scripted import ACTIONS, REAL_LOOP, Script, running, script

from llmopt_bench.compiler_gym_client import CompilerGymProcess
from llmopt_bench.compiler_gym_place import VARIABLE
from llmopt_bench.compiler_gym_pool import give_back, take_process
from llmopt_bench.errors import (
    BadProgram,
    CompilerCrashed,
    CompilerError,
    CompilerKilled,
    CompilerOutOfMemory,
    CompilerTimeout,
    NoCompilerGym,
    UnknownProgram,
)

__all__ = ["script"]

BITCODE = b"BC\xc0\xde"
SECONDS = 20.0


@pytest.fixture
def process(script: Script) -> Iterator[CompilerGymProcess]:
    made = CompilerGymProcess()
    yield made
    made.close()


def open_session(process: CompilerGymProcess) -> int:
    session, _ = process.call("open", SECONDS, BITCODE, name="p")
    return int(session)


def apply(process: CompilerGymProcess, *names: str, deadline: float = SECONDS) -> object:
    numbers = [ACTIONS.index(name) for name in names]
    session = open_session(process)
    wanted = {"actions": numbers, "observations": ["IrInstructionCount"]}
    return process.call("apply", deadline, session=session, **wanted)[0]


def wait_until(holds: Callable[[], bool]) -> bool:
    """Whether something comes true within a few seconds."""
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, with nothing in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_is_asked_is_answered(process: CompilerGymProcess) -> None:
    assert process.facts["llvm"] == "10.0.0 scripted"
    assert apply(process, "-shrink", "-shrink") == {"changed": True, "values": [98]}
    assert apply(process) == {"changed": False, "values": [100]}


def test_raw_bytes_come_with_an_answer(process: CompilerGymProcess) -> None:
    data = BITCODE + bytes(range(256)) * 10_000
    session, _ = process.call("open", SECONDS, data, name="large")
    value, raw = process.call("observation", SECONDS, session=session, name="Bitcode")
    assert raw == data
    assert value == {"dtype": "|i1", "shape": [len(data)]}


@pytest.mark.parametrize(
    ("action", "error", "says"),
    [
        ("-refuse", CompilerError, "the verifier complains"),
        ("-crash", CompilerCrashed, "ended with code 3 at apply. It said: the compiler is on fire"),
        ("-killed", CompilerKilled, "killed from outside"),
        ("-exhaust", CompilerOutOfMemory, "bad_alloc"),
        ("-garble", CompilerCrashed, "something that is no message"),
        ("-lie", CompilerCrashed, "something that is no message"),
    ],
)
def test_a_failure_is_raised_and_nothing_is_left(
    script: Script, temporary: Path, action: str, error: type[Exception], says: str
) -> None:
    process = CompilerGymProcess()
    assert any(temporary.iterdir())
    with pytest.raises(CompilerError, match=says) as caught:
        apply(process, action)
    assert type(caught.value) is error
    assert not process.usable
    assert len(script.processes) == 2
    assert wait_until(lambda: not any(map(running, script.processes)))
    assert not any(temporary.iterdir())
    with pytest.raises(CompilerKilled, match="is gone"):
        open_session(process)


def test_a_deadline_is_kept_and_the_process_ended(
    process: CompilerGymProcess, script: Script
) -> None:
    started = time.monotonic()
    with pytest.raises(CompilerTimeout, match=r"apply within 0\.3 seconds"):
        apply(process, "-hang", deadline=0.3)
    assert time.monotonic() - started < 5
    assert wait_until(lambda: not any(map(running, script.processes)))


def test_an_error_that_costs_nothing_leaves_the_process(process: CompilerGymProcess) -> None:
    with pytest.raises(UnknownProgram, match="no dataset: nope"):
        process.call("load", SECONDS, uri="nope")
    assert apply(process, "-shrink") == {"changed": True, "values": [99]}


def test_bad_bitcode_is_told(process: CompilerGymProcess) -> None:
    with pytest.raises(BadProgram, match="it does not parse"):
        process.call("open", SECONDS, b"no bitcode", name="p")


def test_sessions_are_closed_by_the_next_call(process: CompilerGymProcess, script: Script) -> None:
    session = open_session(process)
    process.forget(session)
    assert f"close {session}" not in script.log
    open_session(process)
    assert f"close {session}" in script.log


def test_nothing_outlives_the_object(script: Script) -> None:
    process = CompilerGymProcess()
    assert all(map(running, script.processes))
    del process
    gc.collect()
    assert wait_until(lambda: not any(map(running, script.processes)))


def test_threads_may_share_a_process(process: CompilerGymProcess) -> None:
    answers: list[object] = []
    work = [
        threading.Thread(target=lambda: answers.append(apply(process, "-shrink"))) for _ in range(8)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert answers == [{"changed": True, "values": [99]}] * 8


@pytest.mark.parametrize("last", ["", "process._socket.sendall(question)"])
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_user(
    tmp_path: Path, temporary: Path, ending: signal.Signals, last: str
) -> None:
    """The real worker sees to this, so it runs, with children in place of CompilerGym."""
    script = Script(tmp_path, REAL_LOOP)
    code = (
        "import time\n"
        "from llmopt_bench.compiler_gym_client import CompilerGymProcess, protocol\n"
        "process = CompilerGymProcess()\n"
        "question = protocol.HEADER.pack(protocol.MAGIC, 2, 0) + b'{}'\n"
        f"{last}\n"
        "time.sleep(0.2)\n"
        "print('ready', flush=True)\n"
        "time.sleep(1000)\n"
    )
    variables = os.environ | {VARIABLE: str(script.program), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=variables) as user:
        if user.stdout is None or user.stdout.readline() != b"ready\n":
            pytest.fail("the user's process did not start")
        assert len(script.processes) == 3
        assert all(map(running, script.processes))
        assert any(temporary.iterdir())
        user.send_signal(ending)
    try:
        assert wait_until(lambda: not any(map(running, script.processes)))
        assert wait_until(lambda: not any(temporary.iterdir()))
    finally:
        script.end()


def test_a_forked_child_leaves_the_process_to_its_parent(process: CompilerGymProcess) -> None:
    child = os.fork()
    if child == 0:
        usable = process.usable
        process.close()
        os._exit(1 if usable else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert apply(process, "-shrink") == {"changed": True, "values": [99]}


def test_an_interpreter_that_does_not_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(broken))
    with pytest.raises(NoCompilerGym, match=r"(?s)python, named by .*no such module.* setup"):
        CompilerGymProcess()


def test_an_interpreter_that_is_none_leaves_nothing(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("neither a program nor a script\n")
    broken.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(broken))
    with pytest.raises(NoCompilerGym, match=r"Exec format error.*setup --force"):
        CompilerGymProcess()
    gc.collect()  # an open socket would warn
    assert not any(temporary.iterdir())


def test_a_process_that_was_given_back_is_taken_again(script: Script) -> None:
    first = take_process()
    second = take_process()
    assert second is not first
    give_back(first)
    assert take_process() is first
    give_back(first)
    first.close()
    assert take_process() is not first
    assert take_process(4096) is not first


def test_few_processes_wait_for_work(script: Script) -> None:
    made = [take_process() for _ in range(3)]
    for process in made:
        give_back(process)
    assert [process.usable for process in made] == [True, True, False]


def test_an_interpreter_without_compiler_gym_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, sys.executable)
    with pytest.raises(NoCompilerGym, match="No module named 'compiler_gym'"):
        CompilerGymProcess()
