"""The page on moving over from CompilerGym: its examples run, its tables are what the code does."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from llmopt_bench import compiler_gym_env
from llmopt_bench.compiler_gym_actions import ACTION_SET, FlagSpace, flag_mapping
from llmopt_bench.compiler_gym_env import CompilerGymEnv
from llmopt_bench.compiler_gym_observations import standard_observations
from llmopt_bench.compiler_gym_place import is_set_up
from llmopt_bench.compiler_gym_rewards import REWARDS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "migrate.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
WITH_COMPILER_GYM = re.findall(r"```python compiler-gym\n(.*?)```", PAGE, flags=re.DOTALL)
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))


def rows(section: str) -> list[list[str]]:
    """Return the cells of the lines of the tables of a section, without headings and rules."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", SECTIONS[section], flags=re.MULTILINE):
        lines = [line.strip("|").split("|") for line in table.splitlines()]
        found += [[cell.strip() for cell in line] for line in lines[2:]]
    return found


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


def action_table() -> list[list[str]]:
    """Return the table of actions as the page must have it."""
    flags = FlagSpace().flags
    return [
        [
            str(entry.number),
            f"`{entry.flag}`",
            str(flags.index(entry.flag)) if entry.action else "",
            f"`{entry.action}`" if entry.action else str(entry.reason),
        ]
        for entry in flag_mapping()
    ]


def test_every_example_is_run() -> None:
    assert len(EXAMPLES) == 6
    assert len(WITH_COMPILER_GYM) == 1
    assert PAGE.count("```") == 2 * 7


@pytest.mark.skipif(not is_set_up(), reason="needs CompilerGym: llmopt-bench compiler-gym setup")
@pytest.mark.parametrize("code", WITH_COMPILER_GYM)
def test_examples_with_compiler_gym_run(code: str) -> None:
    test_examples_run(code)


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code: str) -> None:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_example_in_the_class_runs() -> None:
    result = doctest.testmod(compiler_gym_env)
    assert result.attempted == 5
    assert result.failed == 0


def test_the_table_of_actions_is_the_mapping() -> None:
    assert rows("Actions") == action_table()
    assert f"`{ACTION_SET}`" in SECTIONS["Actions"]


def test_the_table_of_ids_is_what_is_registered() -> None:
    table = {}
    for _, here, observation, reward in rows("Ids"):
        table[named(here)[0]] = tuple((named(cell) or [None])[0] for cell in (observation, reward))
    registered = {}
    for name, spec in gym.registry.items():
        if name.startswith("llmopt_bench/CompilerGym-"):
            kwargs = spec.kwargs
            registered[name] = (kwargs.get("observation_space"), kwargs.get("reward_space"))
    assert table == registered


@pytest.mark.parametrize(
    ("section", "known"), [("Observations", standard_observations()), ("Rewards", REWARDS)]
)
def test_what_the_tables_call_there_is_there(section: str, known: dict[str, object]) -> None:
    there, absent = set(), set()
    for names, answer, _ in rows(section):
        start = ""
        for name in named(names):
            # `...O3` goes on from the name before it.
            if name.startswith("..."):
                name = re.sub("(Bytes|O0)?$", "", start, count=1) + name[3:]
            else:
                start = name
            (there if answer == "yes" else absent).add(name)
    assert there == set(known)
    assert (
        len(there | absent)
        == len(there) + len(absent)
        == {"Observations": 34, "Rewards": 12}[section]
    )


def test_methods_that_are_the_same_exist() -> None:
    env = CompilerGymEnv()
    env.reset()
    same = [cells[0] for cells in rows("Method by method") if cells[1:2] == ["the same"]]
    names = {name for cell in same for name in re.findall(r"env\.(\w+)", cell)}
    assert len(names) > 25
    assert [name for name in names if not hasattr(env, name)] == []
    parts = {part for cell in same for part in re.findall(r"env\.(\w+\.\w+)", cell)} - {
        "observation.X"
    }
    for part in parts:
        owner, name = part.split(".")
        assert hasattr(getattr(env, owner), name), part


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    for target in links:
        assert (ROOT / "docs" / target).exists(), target
