"""``import llmopt_bench`` is cheap and has no effect but registering the environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import llmopt_bench

HEAVY = (
    "torch",
    "transformers",
    "stable_baselines3",
    "ray",
    "rich",
    "typer",
    "llmopt_bench._core",
    "llmopt_bench.env",
    "llmopt_bench.session",
)
TOTAL_LIMIT_S = 0.3
OWN_LIMIT_S = 0.05
TRIALS = 5

TIME_IMPORT = """
import json, time
start = time.process_time()
import gymnasium
middle = time.process_time()
import llmopt_bench
end = time.process_time()
print(json.dumps([end - start, end - middle]))
"""

WATCH_IMPORT = """
import json, os, sys
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.symlink", "socket.connect", "subprocess.Popen"}
effects = []

def watch(event, args):
    if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
        effects.append([event, str(args[0])])
    elif event in CHANGES:
        effects.append([event, str(args)])

sys.addaudithook(watch)
import llmopt_bench
if {provoke}:
    open("planted", "w").close()
sys.stderr.write(json.dumps(effects))
"""


def run_fresh(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that writes no bytecode, in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import json, sys, llmopt_bench; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(run_fresh(code, tmp_path).stdout))
    assert "llmopt_bench" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_import_is_fast(tmp_path: Path) -> None:
    # Processor time, the best of some trials: what else the machine does has little say in it.
    # Gymnasium and numpy are most of the total; the second figure is what we add.
    trials = [json.loads(run_fresh(TIME_IMPORT, tmp_path).stdout) for _ in range(TRIALS)]
    total, own = (min(times) for times in zip(*trials, strict=True))
    assert own < OWN_LIMIT_S
    assert total < TOTAL_LIMIT_S


def test_import_has_no_side_effect(tmp_path: Path) -> None:
    result = run_fresh(WATCH_IMPORT.replace("{provoke}", "False"), tmp_path)
    assert result.stdout == ""
    assert json.loads(result.stderr) == []
    assert list(tmp_path.iterdir()) == []


def test_a_side_effect_would_be_seen(tmp_path: Path) -> None:
    result = run_fresh(WATCH_IMPORT.replace("{provoke}", "True"), tmp_path)
    assert json.loads(result.stderr) == [["open", "planted"]]


def test_import_registers_the_environments(tmp_path: Path) -> None:
    code = (
        "import json, gymnasium; before = set(gymnasium.registry); import llmopt_bench; "
        "print(json.dumps(sorted(set(gymnasium.registry) - before)))"
    )
    registered = json.loads(run_fresh(code, tmp_path).stdout)
    kinds = ("autophase-codesize", "autophase-ic", "codesize", "ic", "ir-codesize", "ir-ic")
    names = [*(f"CompilerGym-llvm-{kind}-v0" for kind in kinds), "CompilerGym-llvm-v0"]
    names += ["PassList-v0", "PassOrder-v0", "SinglePass-v0"]
    assert registered == [f"llmopt_bench/{name}" for name in names]


@pytest.mark.parametrize("name", llmopt_bench.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(llmopt_bench, name) is not None
    assert name in dir(llmopt_bench)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = llmopt_bench.no_such_name


def test_star_import_gives_the_public_names(tmp_path: Path) -> None:
    code = "import json\nfrom llmopt_bench import *\nprint(json.dumps(sorted(globals())))"
    names = set(json.loads(run_fresh(code, tmp_path).stdout))
    assert set(llmopt_bench.__all__) <= names
