"""The command line: its documents, its exit codes, and how it complains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmopt_bench import PassList, Session, make_action_set, make_dataset
from llmopt_bench.cli import main

PLUGIN = Path(__file__).parent / "plugin"
ROW_KEYS = {
    "agent",
    "programs",
    "improved",
    "regressed",
    "instructions_saved",
    "instructions_regressed",
    "overall_improvement",
    "mean_over_oz",
    "geomean_over_oz",
    "additional_compilations",
    "seconds",
    "failures",
}
IR = """\
target triple = "x86_64-pc-linux-gnu"
define i32 @twice(i32 %x) {
  %slot = alloca i32
  store i32 %x, ptr %slot
  %a = load i32, ptr %slot
  %b = load i32, ptr %slot
  %sum = add i32 %a, %b
  ret i32 %sum
}
"""


class Cli:
    """Runs the command line in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str | Path, code: int = 0) -> str:
        """Return what it printed on stdout; ``err`` keeps what it said on stderr."""
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, self.err = self._capture.readouterr()
        assert end.value.code == code, self.err
        return out

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setattr(sys, "path", [str(PLUGIN), *sys.path])
    return Cli(capsys)


@pytest.fixture
def task(tmp_path: Path) -> Path:
    programs = list(make_dataset("bundled-functions-v1").uris())[:2]
    path = tmp_path / "tiny.toml"
    lines = ['name = "tiny"', 'metric = "instruction_count"', "budget = 4"]
    path.write_text("\n".join([*lines, f"programs = {json.dumps(programs)}"]), "utf-8")
    return path


@pytest.fixture
def ir(tmp_path: Path) -> Path:
    path = tmp_path / "twice.ll"
    path.write_text(IR, "utf-8")
    return path


def test_run_score_and_verify(cli: Cli, task: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("run", "--task", task, "--agents", "Oz,random", "--out", out, "--jobs", "1")
    document = cli.json(*arguments, "--set", "random.max_passes=3")
    assert cli.err == f"report: {out / 'report.md'}\n"
    assert document["task"] == "tiny"
    assert [set(row) >= ROW_KEYS for row in document["rows"]] == [True, True]
    by_agent = {row["agent"]: row for row in document["rows"]}
    assert by_agent["Oz"]["overall_improvement"] == 0
    assert by_agent["random"]["additional_compilations"] == 8
    assert cli.json("score", out) == document
    assert "Over -Oz" in cli("score", out / "records.jsonl")
    assert cli("verify", out) == "4 of 4 records hold\n"

    assert cli.json(*arguments, "--set", "random.max_passes=3", "--resume") == document
    cli(*arguments, "--resume", code=1)
    assert cli.err.startswith("error: cannot resume: agent_settings is")
    cli(*arguments, code=1)
    assert "Resume, or choose another name" in cli.err

    records = out / "records.jsonl"
    first, *others = records.read_text("utf-8").splitlines()
    lie = json.loads(first) | {"new": 0}
    records.write_text("\n".join([json.dumps(lie), *others]) + "\n", "utf-8")
    assert "new: the record says 0, the replay gives" in cli("verify", out, code=1)
    (problem,) = cli.json("verify", out, code=1)["problems"]
    assert problem["agent"] == lie["agent"]


def test_run_with_failures_prints_the_table_and_exits_1(
    cli: Cli, task: Path, tmp_path: Path
) -> None:
    agents = "Oz,odd_agents:Raises,odd_agents:Prints"
    document = cli.json("run", "--task", task, "--agents", agents, "--out", tmp_path, code=1)
    assert {row["agent"]: row["failures"] for row in document["rows"]} == {
        "Oz": 0,
        "odd_agents:Prints": 0,
        "odd_agents:Raises": 2,
    }
    assert "error: 2 of 6 runs failed; the first: odd_agents:Raises on" in cli.err


def test_tune_finds_no_larger_module_and_writes_it(cli: Cli, ir: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.ll"
    document = cli.json("tune", ir, "--budget", "50", "-o", out)
    counts = document["counts"]
    assert set(counts) == set(document["text_bytes"]) == {"O0", "O2", "Os", "Oz", "tuned"}
    assert (document["file"], counts["O0"], counts["Oz"]) == (str(ir), 6, 2)
    assert 0 < document["compilations"] <= 50
    assert counts["tuned"] == 2 == Session(out).instruction_count
    pass_list = PassList.parse(document["pass_list"])
    assert list(pass_list) == document["actions"] == ["Oz"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_tune_answers_with_oz_if_the_agent_is_worse(cli: Cli, ir: Path) -> None:
    document = cli.json("tune", ir, "--agent", "O0")
    assert document["actions"] == ["Oz"]
    assert document["counts"]["tuned"] == document["counts"]["Oz"]


def test_agent_of_the_working_folder(
    cli: Cli, ir: Path, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "def mine(env):\n    return ['mem2reg']\n"
    (tmp_path / "folder_agent.py").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    document = cli.json("run", "--task", task, "--agents", "folder_agent:mine", "--out", "out")
    assert document["rows"][0]["failures"] == 0
    assert cli.json("tune", ir, "--agent", "folder_agent:mine")["compilations"] == 0


def test_tune_saves_over_oz_where_it_can(cli: Cli) -> None:
    source = Path(__file__).parents[1] / "llmopt_bench/datasets/bundled"
    (program,) = source.rglob("crc_family.c")
    document = cli.json("tune", program, "--agent", "random", "--budget", "60")
    assert document["counts"]["tuned"] < document["counts"]["Oz"]


def test_tune_works_without_a_size_in_bytes(cli: Cli, ir: Path) -> None:
    ir.write_text(IR.partition("\n")[2], "utf-8")
    document = cli.json("tune", ir, "--budget", "1")
    assert document["counts"]["tuned"] == 2
    assert set(document["text_bytes"].values()) == {None}
    assert " - " in cli("tune", ir, "--budget", "1")


def test_tune_prints_a_table(cli: Cli, ir: Path) -> None:
    out = cli("tune", ir, "--budget", "1", "--metric", "text_size")
    assert "vs -Oz" in out
    assert "passes: Oz\n" in out


def test_opt_applies_a_list(cli: Cli, ir: Path, tmp_path: Path) -> None:
    text = cli("opt", ir, "--passes", "mem2reg")
    assert "alloca" not in text
    assert "ret i32 %sum" in text
    assert cli.err == "instructions: 6 -> 2 (-Oz: 2)\n"
    assert cli("opt", ir, "--passes", "mem2reg", "-o", tmp_path / "out.bc") == ""
    assert Session(tmp_path / "out.bc").instruction_count == 2


def test_failed_opt_leaves_the_output_alone(cli: Cli, ir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ll"
    out.write_text("precious", "utf-8")
    cli("opt", ir, "--passes", "no-such-pass", "-o", out, code=2)
    assert out.read_text("utf-8") == "precious"


def test_lists(cli: Cli) -> None:
    actions = make_action_set()
    document = cli.json("passes")
    assert [action["name"] for action in document["actions"]] == list(actions.names)
    assert document["sha256"] == actions.sha256
    assert "oldest cheat" in cli("passes", "--excluded")
    assert {"programs-v1", "functions-v1"} <= {t["name"] for t in cli.json("tasks")["tasks"]}
    assert {"Oz", "greedy"} <= {a["name"] for a in cli.json("agents")["agents"]}
    (bundled,) = [d for d in cli.json("datasets")["datasets"] if d["name"] == "bundled-v1"]
    assert bundled["programs"] == make_dataset("bundled-v1").size
    assert bundled["installed"] is True
    assert cli.json("info")["llvm_version"].startswith("22.")
    for command in ("tasks", "agents", "passes", "datasets", "info"):
        assert len(cli(command).splitlines()) > 3


def test_dataset_that_is_there_needs_no_build(cli: Cli) -> None:
    assert "nothing to build" in cli("datasets", "build", "bundled-v1")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("run", 2, "Missing option '--task'"),
        ("bogus", 2, "No such command 'bogus'"),
        ("run --task nothing --agents Oz", 2, "unknown task 'nothing'"),
        ("run --task programs-v1 --agents nobody", 2, "unknown agent 'nobody'"),
        ("run --task programs-v1 --agents Oz --limit 0", 2, "'--limit'"),
        ("run --task programs-v1 --agents Oz --budget x", 2, "'--budget'"),
        ("run --task programs-v1 --agents Oz --set Oz", 2, "expected AGENT.SETTING=VALUE"),
        ("run --task programs-v1 --agents Oz --set Os.x=1", 2, "expected AGENT.SETTING=VALUE"),
        ("run --task programs-v1 --agents random --set random.x=1", 2, "Its settings:"),
        ("run --task programs-v1 --agents Oz --resume", 2, "--resume needs --out"),
        ("run --task programs-v1 --agents Oz,Oz --limit 1", 2, "every agent once"),
        ("score nowhere", 1, "nowhere"),
        ("verify nowhere.jsonl", 1, "there is no such file"),
        ("tune nowhere.c", 2, "nowhere.c"),
        ("tune nowhere.c --agent a,b", 2, "unknown agent 'a'"),
        ("tune nowhere.c --agent Oz,O0", 2, "expected one agent"),
        ("tune broken.ll", 1, "broken.ll"),
        ("tune fine.ll -o x.s", 2, "ending in .bc, .ll or .o"),
        ("tune fine.ll --metric size", 2, "unknown metric 'size'"),
        ("opt fine.ll --passes internalize", 2, "'internalize' is excluded"),
        ("opt fine.ll --passes sroa -o nowhere/x.ll", 1, "nowhere"),
        ("datasets build nothing", 2, "unknown dataset 'nothing'"),
        ("passes --action-set nothing", 2, "unknown action set 'nothing'"),
    ],
)
def test_complaints_are_short(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    code: int,
    message: str,
) -> None:
    (tmp_path / "broken.ll").write_text("define", "utf-8")
    (tmp_path / "fine.ll").write_text(IR, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli(*arguments.split(), code=code) == ""
    assert cli.err.startswith("error: ")
    assert message in cli.err
    assert len(cli.err.splitlines()) <= 2


def test_interruption_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("llmopt_bench.task.task_names", interrupt)
    cli("tasks", code=130)
    assert cli.err.strip() == "error: interrupted; what was finished is kept"


@pytest.mark.parametrize(
    "command", ["", "run", "score", "verify", "tune", "opt", "passes", "datasets", "datasets build"]
)
def test_every_command_has_help(cli: Cli, command: str) -> None:
    assert "Usage: llmopt-bench" in cli(*command.split(), "--help")


def test_closed_pipe_is_quiet() -> None:
    command = [sys.executable, "-m", "llmopt_bench", "passes", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_help_loads_neither_compiler_nor_torch_and_is_quick() -> None:
    script = (
        "import sys, llmopt_bench.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'rich.table', 'llmopt_bench._core', 'llmopt_bench.env'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    command = [sys.executable, "-c", script]
    seconds = []
    for _ in range(3):
        # Processor time, to which others on the machine add nothing.
        before = os.times()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
        assert (done.returncode, done.stderr) == (0, "")
    assert min(seconds) < 0.6
