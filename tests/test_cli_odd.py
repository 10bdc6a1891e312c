"""The command line given odd files, folders and streams: a code, a line or two, no traceback."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from llmopt_bench.cli import main

pytestmark = pytest.mark.timeout(120)

COMMAND = (sys.executable, "-m", "llmopt_bench")
IR = "define i32 @f(i32 %x) {\n  %y = add i32 %x, 0\n  ret i32 %y\n}\n"
JUNK = bytes(range(256)) * 64
GOLDEN = Path(__file__).parent / "golden" / "records_v2.jsonl"
ODD_NAME = b"odd \xff\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with good and odd files, and a folder that nobody may write in."""
    (tmp_path / "good.ll").write_text(IR)
    (tmp_path / "folder.ll").mkdir()
    (tmp_path / "good.jsonl").write_bytes(GOLDEN.read_bytes())
    for suffix in ("ll", "bc", "c", "jsonl", "jsonl.gz", "toml"):
        (tmp_path / f"empty.{suffix}").touch()
        (tmp_path / f"junk.{suffix}").write_bytes(JUNK)
        os.mkfifo(tmp_path / f"pipe.{suffix}")
        (tmp_path / f"circle.{suffix}").symlink_to(tmp_path / f"circle.{suffix}")
    programs = json.dumps(["bundled-functions-v1/crc_family/adler32"])
    text = f'name = "tiny"\nmetric = "instruction_count"\nbudget = 1\nprograms = {programs}\n'
    (tmp_path / "good.toml").write_text(text)
    (tmp_path / "taken").write_text("a file where a folder should be")
    return tmp_path


def run(
    folder: Path, *arguments: str | bytes, stdout: int | IO[Any] = subprocess.PIPE, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a folder; nothing it does may end in a traceback."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=100,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        **options,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode("utf-8", "replace")
    assert b"Exception ignored" not in done.stderr
    return done


def error_of(code: int, expected: int, out: str | bytes, error: str) -> str:
    """Return the one or two lines of error of a command that has failed as it should."""
    assert code == expected, error
    assert error.startswith("error: ")
    assert 1 <= error.count("\n") <= 2
    assert len(error) < 1000
    assert not out
    return error


def refuse(folder: Path, *arguments: str, code: int, **options: Any) -> str:
    """Run a command that must fail, in a process of its own, and return its lines of error."""
    done = run(folder, *arguments, **options)
    return error_of(done.returncode, code, done.stdout, done.stderr.decode("utf-8", "replace"))


class Refused:
    """Runs commands that must fail in this process, which is much quicker."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str | bytes, code: int) -> str:
        with pytest.raises(SystemExit) as end:
            main([os.fsdecode(argument) for argument in arguments])
        return error_of(int(str(end.value.code)), code, *self._capture.readouterr())


@pytest.fixture
def refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Refused:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return Refused(capsys)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("opt none.ll --passes dce", 2, "got no file"),
        ("opt folder.ll --passes dce", 1, "got the folder"),
        ("opt empty.bc --passes dce", 1, "got an empty file"),
        ("opt junk.bc --passes dce", 1, "expected LLVM bitcode"),
        ("opt pipe.bc --passes dce", 1, "it is not a plain file"),
        ("opt circle.ll --passes dce", 1, "symbolic links"),
        ("opt good.ll --passes repeat<9>(dce)", 2, "got 'repeat<9>'"),
        ("opt good.ll --passes dce --cflags '", 2, "No closing quotation"),
        ("opt good.ll --passes dce -o none/x.ll", 1, "No such file"),
        ("opt good.ll --passes dce -o taken/x.ll", 1, "Not a directory"),
        ("opt good.ll --passes dce -o folder.ll", 1, "directory"),
        ("opt good.ll --passes dce -o taken", 2, "expected a name ending in"),
        ("tune junk.ll", 1, "junk.ll"),
        ("tune junk.c", 1, "expected a source that compiles"),
        ("tune empty.c", 1, "got an empty file"),
        ("tune good.ll --budget 99999999999999999999", 2, "'--budget'"),
        ("tune good.ll --agent Oz,random", 2, "expected one agent"),
        ("tune good.ll --agent builtins:min", 2, "its settings are hidden"),
        ("tune good.ll --agent no.such.module:x", 2, "cannot import it"),
        ("score none.jsonl", 1, "there is no such file"),
        ("score taken", 1, "expected a folder, or a file ending in"),
        ("score folder.ll", 1, "found none"),
        ("score empty.jsonl", 1, "expected records, found none"),
        ("score junk.jsonl", 1, "junk.jsonl:1: "),
        ("score junk.jsonl.gz", 1, "Not a gzipped file"),
        ("score pipe.jsonl", 1, "it is not a plain file"),
        ("verify circle.jsonl.gz", 1, "there is no such file"),
        ("verify junk.jsonl", 1, "junk.jsonl:1: "),
        ("run --task none.toml --agents Oz", 2, "cannot read the task"),
        ("run --task junk.toml --agents Oz", 2, "expected UTF-8 text"),
        ("run --task pipe.toml --agents Oz", 2, "it is not a plain file"),
        ("run --task empty.toml --agents Oz", 2, "this key is missing"),
        ("run --task good.toml --agents ,", 2, "expected at least one agent"),
        ("run --task good.toml --agents Oz --out taken", 1, "cannot write records"),
        ("run --task good.toml --agents Oz --out taken/deep", 1, "cannot write records"),
        ("run --task good.toml --agents Oz --limit 99999999999999999999", 2, "'--limit'"),
        ("run --task good.toml --agents Oz --seed -1", 2, "'--seed'"),
        ("passes --action-set ../passes-v1", 2, "unknown action set"),
        ("datasets build /dev/zero", 2, "unknown dataset"),
        ("datasets build", 2, "Missing argument"),
        ("agents --json=1", 2, "--json"),
        ("no-such-command", 2, "No such command"),
    ],
)
def test_odd_arguments(
    folder: Path, refused: Refused, arguments: str, code: int, message: str
) -> None:
    assert message in refused(*arguments.split(), code=code)
    assert not list(folder.glob(".*.tmp"))


@pytest.mark.parametrize(
    "arguments",
    [
        (b"opt", ODD_NAME + b".bc", b"--passes", b"dce"),
        (b"opt", b"good.ll", b"--passes", ODD_NAME),
        (b"opt", b"good.ll", b"--passes", b"dce", b"--cflags", b"'" + ODD_NAME),
        (b"tune", b"good.ll", b"--agent", ODD_NAME),
        (b"tune", b"good.ll", b"--agent", ODD_NAME + b":x"),
        (b"tune", b"good.ll", b"--set", ODD_NAME),
        (b"run", b"--task", ODD_NAME + b".toml", b"--agents", b"Oz"),
        (b"passes", b"--action-set", ODD_NAME),
        (b"datasets", b"build", ODD_NAME),
    ],
    ids=lambda arguments: arguments[-2].decode("utf-8", "replace"),
)
def test_arguments_that_are_not_utf_8(refused: Refused, arguments: tuple[bytes, ...]) -> None:
    refused(*arguments, code=2)


def test_records_with_an_odd_name_that_are_not_there(refused: Refused) -> None:
    refused(b"score", ODD_NAME + b".jsonl", code=1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("opt pipe.c --passes dce", 1), ("run --task pipe.toml --agents Oz", 2), ("tasks --x", 2)],
)
def test_odd_arguments_of_a_process(folder: Path, arguments: str, code: int) -> None:
    refuse(folder, *arguments.split(), code=code)


def test_files_that_are_not_utf_8_are_read_and_written(folder: Path) -> None:
    name = ODD_NAME + b".ll"
    (folder / os.fsdecode(name)).write_text(IR)
    done = run(folder, b"tune", name, b"--agent", b"Oz", b"-o", b"out" + name, b"--json")
    assert done.returncode == 0, done.stderr
    assert os.fsencode(json.loads(done.stdout)["file"]) == name
    assert (folder / os.fsdecode(b"out" + name)).read_text().startswith("; ModuleID")


def test_odd_names_in_a_run_and_its_report(folder: Path) -> None:
    """Also where the terminal knows ASCII only."""
    (folder / "agent_é.py").write_text("def run(env):\n    raise ValueError('\\udcff é')\n")
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    arguments = ("run", "--task", "good.toml", "--agents", "agent_é:run", "--out", ODD_NAME)
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, timeout=100
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode("utf-8", "replace")
    assert done.returncode == 1
    assert b"1 of 1 runs failed" in done.stderr
    assert "\\udcff" in (folder / os.fsdecode(ODD_NAME) / "report.md").read_text("utf-8")
    again = run(folder, "score", ODD_NAME)
    assert again.returncode == 0
    assert b"agent_" in again.stdout


class TestStreams:
    @pytest.mark.parametrize("command", ["passes", "opt good.ll --passes dce"])
    def test_reader_that_leaves(self, folder: Path, command: str) -> None:
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            done = run(folder, *command.split(), stdout=pipe)
        assert done.returncode == 1
        assert b"error" not in done.stderr

    @pytest.mark.parametrize(
        "command", ["passes --json", "score good.jsonl", "opt good.ll --passes dce"]
    )
    def test_full_disk(self, folder: Path, command: str) -> None:
        with Path("/dev/full").open("wb") as full:
            error = refuse(folder, *command.split(), code=1, stdout=full)
        assert "No space left on device" in error

    @pytest.mark.parametrize("command", ["score good.jsonl", "tasks --json"])
    def test_closed_stdout(self, folder: Path, command: str) -> None:
        script = 'exec "$0" -m llmopt_bench "$@" >&-'
        done = subprocess.run(
            ["sh", "-c", script, sys.executable, *command.split()],
            cwd=folder, stderr=subprocess.PIPE, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0
        assert b"Traceback" not in done.stderr


def no_large_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))


@pytest.mark.parametrize("suffix", [".ll", ".bc"])
def test_output_file_on_a_full_disk(folder: Path, suffix: str) -> None:
    """The old file stays, and no draft does."""
    out = folder / f"out{suffix}"
    out.write_text("old")
    arguments = ("opt", "good.ll", "--passes", "dce", "-o", out.name)
    refuse(folder, *arguments, code=1, preexec_fn=no_large_files)
    assert out.read_text() == "old"
    assert not list(folder.glob(".*.tmp"))


def test_records_on_a_full_disk(folder: Path) -> None:
    arguments = ("run", "--task", "good.toml", "--agents", "Oz", "--out", "out", "--jobs", "1")
    error = refuse(folder, *arguments, code=1, preexec_fn=no_large_files)
    assert "File too large" in error
    assert "records.jsonl" in error
    assert (folder / "out" / "records.jsonl").read_bytes() == b""
    assert run(folder, *arguments, "--resume").returncode == 0
