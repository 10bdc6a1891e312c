"""A stand-in for CompilerGym's interpreter that does what it is told, also wrong.

It is a program that is started as the interpreter would be, and speaks the worker's messages. Its
compiler knows the actions below: ``-shrink`` takes one of 100 instructions away, and the others
fail in the way that they are called.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmopt_bench.compiler_gym_place import VARIABLE

ACTIONS = (
    "-shrink",
    "-always-inline",
    "-refuse",
    "-crash",
    "-hang",
    "-garble",
    "-lie",
    "-killed",
    "-exhaust",
    "-crash-once",
)

SCRIPTED = """
import importlib.util, os, signal, subprocess, sys, time
spec = importlib.util.spec_from_file_location("worker", sys.argv[2])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
ACTIONS = {actions!r}
HERE = {here!r}
source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
os.dup2(2, 0), os.dup2(2, 1)  # not for the child
sessions, programs = {{}}, {{}}
os.chdir(HERE)


def note(line):
    with open(os.path.join(HERE, "log"), "a") as log:
        log.write(line + "\\n")


def act(session, name):
    if name == "-crash":
        print("the compiler is on fire", file=sys.stderr, flush=True)
        os._exit(3)
    if name == "-crash-once" and not os.path.exists(os.path.join(HERE, "crashed")):
        open(os.path.join(HERE, "crashed"), "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "-exhaust":
        print("terminate called: std::bad_alloc", file=sys.stderr, flush=True)
        os._exit(134)
    if name == "-hang":
        time.sleep(1000)
    if name == "-garble":
        sink.write(b"this is no message, but longer than a header of one")
        sink.flush()
    if name == "-lie":
        sink.write(worker.HEADER.pack(worker.MAGIC, 1 << 31, 1 << 60))
        sink.flush()
    if name == "-killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "-refuse":
        raise worker.Failure("CompilerError", "the verifier complains")
    sessions[session].append(name)


def observe(session, name):
    if name == "Bitcode":
        import array
        return {{"dtype": "|i1", "shape": [len(programs[session])]}}, programs[session]
    if name == "Ir":
        return "; after " + " ".join(sessions[session]), b""
    if name == "Autophase":
        import struct
        return {{"dtype": "<i8", "shape": [56]}}, struct.pack("<56q", *range(56))
    if name.endswith("Oz"):
        return 90, b""
    if name.endswith("O3"):
        return 95, b""
    return 100 - sessions[session].count("-shrink"), b""


def answer(op, data, session=None, name=None, actions=(), observations=(), uri=None):
    if op == "hello":
        return dict(
            compiler_gym="0.0", llvm="10.0.0 scripted", clang="clang", python="3.8.0",
            actions=ACTIONS, rewards=["IrInstructionCount"],
            observations=["Ir", "Bitcode", "Autophase", "IrInstructionCount",
                          "IrInstructionCountOz", "IrInstructionCountO3", "ObjectTextSizeBytes"],
        ), b""
    if op == "open":
        if not data.startswith(b"BC"):
            raise worker.Failure("BadProgram", "it does not parse")
        session = len(sessions) + 1
        sessions[session], programs[session] = [], data
        return session, b""
    if op == "reset":
        sessions[session] = []
        return None, b""
    if op == "apply":
        before = list(sessions[session])
        for number in actions:
            act(session, ACTIONS[number])
        told = [observe(session, wanted) for wanted in observations]
        changed = sessions[session].count("-shrink") != before.count("-shrink")
        return dict(changed=changed, values=[v for v, _ in told]), b"".join(r for _, r in told)
    if op == "observation":
        return observe(session, name)
    if op == "reward":
        return float(sessions[session].count("-shrink")), b""
    raise worker.Failure("UnknownProgram", "no dataset: " + str(uri), lost=False)


# As CompilerGym's service would be: a child that outlives its parent, unless somebody ends it.
child = subprocess.Popen(["sleep", "1000"])
note("process %d %d" % (os.getpid(), child.pid))
while True:
    message = worker.read(source)
    if message is None:
        break
    request, data = message
    note(request["op"])
    for number in request.pop("close"):
        note("close %d" % number)
    try:
        value, raw = answer(data=data, **request)
    except worker.Failure as failure:
        told = dict(error=failure.name, text=str(failure), lost=failure.lost)
        worker.write(sink, told)
        continue
    worker.write(sink, dict(ok=value), raw)
"""

REAL_LOOP = """
import os, subprocess, sys
worker = {{"__name__": "worker"}}
os.chdir({here!r})
with open(sys.argv[2]) as file:
    exec(compile(file.read(), sys.argv[2], "exec"), worker)


class Worker:
    def __init__(self):
        service = subprocess.Popen(["sleep", "1000"])
        worker["_services"].append(service)
        writes = 'while :; do mkdir -p "$1/s"; touch "$1/s/file"; done'
        starting = subprocess.Popen(["sh", "-c", writes, "sh", sys.argv[3]])
        with open(os.path.join({here!r}, "log"), "a") as log:
            log.write("process %d %d %d\\n" % (os.getpid(), service.pid, starting.pid))

    def answer(self, request, data):
        return {{}}, b""


worker["Worker"] = Worker
worker["main"](sys.argv[3], int(sys.argv[4]))
"""
"""The worker as it is, but for CompilerGym: one service is there, and one starts and writes."""


class Script:
    """The stand-in, and what it was asked.

    Args:
        folder: Where it lives.
        text: The program.
    """

    def __init__(self, folder: Path, text: str = SCRIPTED) -> None:
        self.program = folder / "python"
        code = text.format(actions=ACTIONS, here=str(folder))
        self.program.write_text(f"#!{sys.executable} -IS\n{code}")
        self.program.chmod(0o755)
        self._log = folder / "log"

    @property
    def log(self) -> list[str]:
        """What it was asked, in order."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    @property
    def processes(self) -> list[int]:
        """The numbers of all processes that there were, children included."""
        lines = [line.split() for line in self.log if line.startswith("process")]
        return [int(number) for line in lines for number in line[1:]]

    def end(self) -> None:
        """End what should have ended by itself, so that a test that fails leaves nothing."""
        for process in self.processes:
            with contextlib.suppress(OSError):
                # A number may be somebody else's by now, but not in this folder.
                if Path(f"/proc/{process}/cwd").readlink() == self.program.parent:
                    os.kill(process, signal.SIGKILL)


def running(process: int) -> bool:
    """Whether a process is there and does something still."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """The stand-in, named as the interpreter of CompilerGym."""
    made = Script(tmp_path)
    monkeypatch.setenv(VARIABLE, str(made.program))
    yield made
    made.end()
