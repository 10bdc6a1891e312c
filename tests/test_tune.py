"""``llmopt-bench tune``: minimal lists, outputs that others can use, and Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llmopt_bench import PassList, Session, load_program
from llmopt_bench.cli import main
from llmopt_bench.datasets.bundled import DATA
from llmopt_bench.errors import CompilerError
from llmopt_bench.minimize import Minimizer

PROGRAM = "bundled-v1/crc_family"
(SOURCE,) = Path(str(DATA)).rglob("crc_family.c")
OTHER_TARGET = """\
target triple = "aarch64-unknown-linux-gnu"
define i32 @f(i32 %x) {
  %y = add i32 %x, 0
  ret i32 %y
}
"""
AGENT = """\
import os, signal

def slow(env):
    env.evaluate(["mem2reg", "Oz", "mem2reg,dce,Oz,adce,loop-reduce,function-simplification<O1>"])
    print("ready", file=__import__("sys").stderr, flush=True)
    for _ in range(100_000):
        env.evaluate("mem2reg")

def interrupted(env):
    env.evaluate(["mem2reg", "Oz,loop-reduce,function-simplification<O1>"])
    signal.raise_signal(signal.SIGINT)

def stops(env):
    env.step(env.action_names.index("mem2reg"))
    env.evaluate("Oz,loop-reduce,function-simplification<O1>", here=True)
    signal.raise_signal(signal.SIGINT)
"""
BEST = ["Oz", "loop-reduce", "function-simplification<O1>"]
"""For 279 instructions, where -Oz gives 282."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "slow_agents.py").write_text(AGENT, "utf-8")
    shutil.copy(SOURCE, tmp_path / "crc.c")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def tune(
    capture: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0
) -> dict[str, Any]:
    with pytest.raises(SystemExit) as end:
        main(["tune", *map(str, arguments), "--json"])
    out, err = capture.readouterr()
    assert end.value.code == code, err
    return json.loads(out) if out else {"error": err}


class TestMinimizer:
    def test_keeps_what_the_result_needs(self) -> None:
        session = Session(PROGRAM)
        noise = ["dce", "adce", "globaldce"]
        given = PassList([*BEST[:1], *noise, *BEST[1:], *noise])
        minimizer = Minimizer(session, given)
        assert list(minimizer.run()) == BEST
        assert session.evaluate([minimizer.pass_list, given]) == [279, 279]
        # No single pass more can go.
        rests = [[*BEST[:i], *BEST[i + 1 :]] for i in range(3)]
        assert all(value > 279 for value in session.evaluate(rests))

    def test_counts_what_it_compiles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compiled: list[PassList] = []
        real = Session.evaluate

        def counting(self: Session, lists: list[PassList], *rest: Any, **options: Any) -> list[int]:
            compiled.extend(lists)
            return real(self, lists, *rest, **options)

        monkeypatch.setattr(Session, "evaluate", counting)
        minimizer = Minimizer(Session(PROGRAM), PassList(["mem2reg", "dce", "adce"]))
        minimizer.run()
        assert minimizer.compilations == len(compiled) > 3

    def test_a_list_without_effect_becomes_empty(self) -> None:
        for names in ([], ["globaldce", "strip-dead-prototypes"]):
            assert not Minimizer(Session(PROGRAM), PassList(names)).run()

    def test_a_shorter_list_on_which_llvm_fails_is_not_taken(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = PassList(["mem2reg", "dce"])

        def fails(self: Session, lists: list[PassList], **_: Any) -> list[int]:
            if lists != [given]:
                raise CompilerError("no")
            return [350]

        monkeypatch.setattr(Session, "evaluate", fails)
        assert Minimizer(Session(PROGRAM), given).run() == given


def test_object_file_of_the_size_that_was_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tune(capsys, "crc.c", "--budget", "3", "-o", "crc.o")
    data = (folder / "crc.o").read_bytes()
    assert data.startswith(b"\x7fELF")
    linker = shutil.which("cc") or shutil.which("clang-22")
    if linker:
        subprocess.run([linker, "crc.o", "-o", "crc", "-lm"], check=True, timeout=60)
        assert subprocess.run(["./crc"], capture_output=True, timeout=60).returncode == 0
    assert document["text_bytes"]["tuned"] > 0


def test_no_machine_code_is_said_before_the_search(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "arm.ll").write_text(OTHER_TARGET, "utf-8")
    document = tune(capsys, "arm.ll", "--agent", "slow_agents:slow", "-o", "arm.o", code=1)
    assert "ready" not in document["error"]
    assert not (folder / "arm.o").exists()


def test_bytes_are_tuned_where_they_are_the_metric(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--agent", "random", "--budget", "60", "--metric", "text_size")
    sizes = tune(capsys, "crc.c", *arguments)["text_bytes"]
    assert sizes["tuned"] < sizes["Oz"]


@pytest.mark.skipif(shutil.which("opt-22") is None, reason="needs opt-22")
def test_the_printed_command_repeats_the_result(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--agent", "random", "--budget", "60", "--ir", "before.bc")
    document = tune(capsys, "crc.c", *arguments)
    assert document["counts"]["tuned"] < document["counts"]["Oz"]
    command = shlex.split(document["opt_command"])
    assert command[2:] == ["before.bc", "-o", "tuned.bc"]
    subprocess.run(command, check=True, timeout=60)
    assert Session(folder / "before.bc").instruction_count == document["counts"]["O0"]
    assert Session(folder / "tuned.bc").instruction_count == document["counts"]["tuned"]


@pytest.mark.parametrize(
    ("agent", "actions"), [("interrupted", BEST), ("stops", ["Oz", *BEST[1:]])]
)
def test_interruption_gives_the_best_so_far(
    folder: Path, capsys: pytest.CaptureFixture[str], agent: str, actions: list[str]
) -> None:
    document = tune(capsys, "crc.c", "--agent", f"slow_agents:{agent}", "-o", "small.bc", code=130)
    assert (document["actions"], document["counts"]["tuned"]) == (actions, 279)
    assert (document["compilations"], document["interrupted"]) == (2, True)
    assert Session(folder / "small.bc").instruction_count == 279


def start(folder: Path, stderr: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "llmopt_bench", "tune", "crc.c", "--budget", "1000000"]
    return subprocess.Popen(
        [*command, "--agent", "slow_agents:slow", "-o", "small.bc"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )


def test_a_real_ctrl_c_reaches_the_whole_group(folder: Path) -> None:
    """As a terminal sends it: the process in which LLVM works gets it too."""
    with start(folder, subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"ready" in process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert re.search(r"tuned +279 +-1.06 %", out.decode())
    assert "error: interrupted" in err.decode()
    assert Session(folder / "small.bc").instruction_count == 279


def test_the_second_ctrl_c_ends_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Minimizer) -> PassList:
        signal.raise_signal(signal.SIGINT)
        return self.pass_list

    monkeypatch.setattr(Minimizer, "run", interrupt)
    agent = ("--agent", "slow_agents:interrupted", "-o", "small.bc")
    document = tune(capsys, "crc.c", *agent, code=130)
    assert "error: interrupted" in document["error"]
    assert not (folder / "small.bc").exists()


def test_a_terminal_sees_the_best_so_far(folder: Path) -> None:
    ours, theirs = pty.openpty()
    seen, end = b"", time.monotonic() + 60
    with start(folder, theirs) as process:
        os.close(theirs)
        while b"best 279 after 3" not in seen and time.monotonic() < end:
            if select.select([ours], [], [], 1)[0]:
                seen += os.read(ours, 1 << 16)
        process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    os.read(ours, 1 << 16)
                except OSError:  # the other end is closed
                    break
        assert process.wait(timeout=60) == 130
    os.close(ours)
    assert b"best 279 after 3" in seen
    assert b"-Oz 282" in seen


def test_ir_needs_a_name_that_says_what_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tune(capsys, "crc.c", "--ir", "x.o", code=2)
    assert "ending in .bc or .ll" in document["error"]


def test_the_ir_of_a_source_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in ((["crc.c"], True), (["crc.c", "--ir", "x.bc"], False)):
        with pytest.raises(SystemExit):
            main(["tune", *arguments, "--budget", "1"])
        assert ("add --ir FILE.bc" in capsys.readouterr().out) is told
    assert load_program(str(folder / "x.bc")).bitcode
