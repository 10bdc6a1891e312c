"""Texts of users and models, broken in every way: a value or an error of ours, nothing else."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import typer
from hypothesis import strategies as st

from llmopt_bench import PassList, load_agent, load_program, make_task
from llmopt_bench.action_set import ActionSet, make_action_set
from llmopt_bench.cli_run import load_agents
from llmopt_bench.errors import BadAgent, UnknownPass, shown
from llmopt_bench.passlist_text import MAX_PASSES, MAX_TEXT_LENGTH, _shell_words
from llmopt_bench.task import Task

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))
from bad_input import anything, try_many, value_or_refusal
from good_texts import ACTION_SETS, AGENTS, PASS_LISTS, SETTINGS, TASKS

FAST, MANY = 60, 2000


def check_pass_list(text: str) -> None:
    """What is read, reads back as itself in both of its spellings."""
    for drop in (False, True):
        passes = value_or_refusal(lambda drop=drop: PassList.parse(text, drop_unmapped=drop))
        if passes is not None:
            assert PassList.parse(passes.text) == PassList.parse(passes.compact) == passes


def check_shell_words(text: str) -> None:
    """Command lines are split as a shell does it."""
    try:
        words = shlex.split(text)
    except ValueError:
        with pytest.raises(UnknownPass, match="has no end"):
            list(_shell_words(text))
    else:
        assert list(_shell_words(text)) == words


def check_names(names: list[Any]) -> None:
    passes = value_or_refusal(lambda: PassList(names))
    assert passes is None or all(name in passes.action_set for name in names)


def check_action_set(text: str) -> None:
    actions = value_or_refusal(lambda: ActionSet.from_toml(text))
    if actions is None:
        return
    for name in actions.names:
        assert list(PassList.parse(PassList([name], actions).text, actions)) == [name]
    for name in ("print<domtree>", "internalize", "mem2regs", "mem2reg<x>", text):
        passes = value_or_refusal(lambda name=name: PassList.parse(name, actions))
        assert passes is None or passes.action_set is actions


def check_answer(env: gym.Env[Any, Any], text: str) -> None:
    """Every text ends the episode; one that is no pass list says so and changes nothing."""
    _, before = env.reset()
    _, reward, terminated, _, info = env.step(text)
    assert terminated
    if value_or_refusal(lambda: PassList.parse(text)) is None:
        assert 10 <= len(info["error"]) < 1000
        assert (reward, info["instruction_count"]) == (0.0, before["instruction_count"])


def check_uri(uri: str) -> None:
    if uri.startswith("csmith-v0/") and uri.removeprefix("csmith-v0/").isdecimal():
        return  # may be a good name, and then takes a second
    program = value_or_refusal(lambda: load_program(uri))
    assert program is None or load_program(program.uri) == program


def check_agent(name: str) -> None:
    agent = value_or_refusal(lambda: load_agent(name))
    assert agent is None or agent.info.name == name


def check_settings(given: dict[str, Any]) -> None:
    agent = value_or_refusal(lambda: load_agent("random", **given))
    assert agent is None or set(given) <= set(agent.info.settings)


def check_setting_text(text: str) -> None:
    with contextlib.suppress(typer.BadParameter):
        agents = value_or_refusal(lambda: load_agents("random", [text]))
        assert agents is None or [agent.info.name for agent in agents] == ["random"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
PROPERTIES: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    "pass list": (anything(PASS_LISTS), check_pass_list),
    "shell words": (st.text("ab \\\"'\n\t;#é", max_size=12), check_shell_words),
    "names": (
        st.lists(st.sampled_from(make_action_set().names))
        | st.lists(anything(PASS_LISTS) | JSON | st.binary(), max_size=4),
        check_names,
    ),
    "action set": (anything(ACTION_SETS), check_action_set),
    "agent": (anything(AGENTS), check_agent),
    "settings": (
        st.dictionaries(st.just("max_passes"), st.integers(), max_size=1)
        | st.dictionaries(st.sampled_from(["max_passes", "x", ""]), JSON, max_size=2),
        check_settings,
    ),
    "setting text": (anything(SETTINGS), check_setting_text),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a good program under an ordinary and under an odd name."""
    folder = tmp_path_factory.mktemp("programs")
    bitcode = load_program("bundled-functions-v1/crc_family/adler32").bitcode
    (folder / "good.bc").write_bytes(bitcode)
    Path(os.fsdecode(os.fsencode(folder) + b"/odd %\xff\n.bc")).write_bytes(bitcode)
    (folder / "folder.bc").mkdir()
    return folder


@pytest.fixture(scope="module")
def env() -> Iterator[gym.Env[Any, Any]]:
    uri = "bundled-functions-v1/crc_family/adler32"
    with gym.make("llmopt_bench/PassList-v0", program=uri) as env:
        yield env


def all_properties(
    folder: Path, env: gym.Env[Any, Any]
) -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]]:
    """Return every property, also those that need files or an environment."""
    numbers = count()
    uris = (
        "bundled-v1/crc_family",
        "benchmark://bundled-functions-v1/crc_family/adler32",
        "csmith-v0/99999999999",
        *(path.as_uri() for path in folder.iterdir()),
        f"{folder}/good.bc",
    )

    def check_task(text: str) -> None:
        # A fresh name each time: rewriting one file would hide what an earlier one left behind.
        path = folder / f"{next(numbers)}.toml"
        path.write_text(text, "utf-8", "surrogatepass")
        task = value_or_refusal(lambda: make_task(path))
        path.unlink()
        assert task is None or Task(**asdict(task)).sha256 == task.sha256

    return PROPERTIES | {
        "task": (anything(TASKS), check_task),
        "uri": (anything(uris), check_uri),
        "answer": (anything(PASS_LISTS), lambda text: check_answer(env, text)),
    }


NAMES = (*PROPERTIES, "task", "uri", "answer")


@pytest.mark.parametrize("name", NAMES)
def test_any_text_gives_a_value_or_an_error_of_ours(
    name: str, folder: Path, env: gym.Env[Any, Any]
) -> None:
    try_many(FAST, *all_properties(folder, env)[name])


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_many_texts(name: str, folder: Path, env: gym.Env[Any, Any]) -> None:
    try_many(MANY, *all_properties(folder, env)[name])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "x" * (1 << 23), "function(" * 100_000, "(" * 1_000_000, ")" * 1_000_000,
        "sroa<" * 200_000, "a<b>" * 200_000, "opt '" + "x" * 1_000_000, "opt " + "x " * 500_000,
        "/" * 1_000_000, " " * 1_000_000 + "(", "\0" * 1_000_000, "\ud800" * 1_000_000,
        "dce," * (MAX_PASSES + 1), "repeat<1000000000>(instcombine)", "loop-unroll<O999999999999>",
        "-" + "x" * 1_000_000, "loop-unroll<full-unroll-max=" + "9" * 100_000 + ">",
    ],
    ids=lambda text: f"{text[:12]!a}-{len(text)}",
)  # fmt: skip
def test_huge_pass_lists_are_refused_at_once(text: str, env: gym.Env[Any, Any]) -> None:
    started = time.process_time()
    with pytest.raises(UnknownPass) as refused:
        PassList.parse(text)
    assert time.process_time() - started < 5
    assert 10 <= len(str(refused.value)) < 1000
    env.reset()
    assert env.step(text)[4]["error"] == f"UnknownPass: {refused.value}"


def test_deep_and_long_lists_that_are_good() -> None:
    deep = "function(" * 50_000 + "dce" + ")" * 50_000
    assert list(PassList.parse(deep)) == ["dce"]
    assert len(PassList.parse("dce," * MAX_PASSES)) == MAX_PASSES
    longest = "dce" + " " * (MAX_TEXT_LENGTH - 3)
    assert list(PassList.parse(longest)) == ["dce"]
    with pytest.raises(UnknownPass, match="1,048,576 characters, this one has 1,048,577"):
        PassList.parse(longest + " ")


@pytest.mark.parametrize(
    "answer", [None, 3, b"dce", ["dce"], 10**5000], ids=["none", "3", "bytes", "list", "huge"]
)
def test_answer_that_is_no_text(answer: object, env: gym.Env[Any, Any]) -> None:
    env.reset()
    assert "expected the text of a pass list, got" in env.step(answer)[4]["error"]


def test_answer_without_end() -> None:
    with pytest.raises(UnknownPass, match="100,001 or more"):
        PassList("dce" for _ in count())


def test_shown_bears_everything() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise OSError("no")

    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(Odd()) == "a Odd that cannot be shown"
    assert shown(10**5000) == "a int that cannot be shown"
    assert shown("x" * 200) == "'" + "x" * 79 + "..."
    assert len(shown(deep)) < 100


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"mine-v1"', '"a b"', "name: expected letters, digits"),
        ('"mine-v1"', "3", "name: expected letters, digits"),
        ("= 22", '= "22"', "llvm_major: expected an integer, got '22'"),
        ("= 22", "= true", "llvm_major: expected an integer, got True"),
        ('"print<.*>"', '"print<("', "pattern: expected a regular expression"),
        ('"print<.*>"', "3", "pattern: expected a text"),
        ('"cheats"', "[]", "category: expected a text"),
        ('"function"', '"basic-block"', "level: expected one of module"),
        ("composite = true", "composite = 1", "composite: expected true or false, got 1"),
        ('"function(mem2reg,gvn),globaldce"', '""', "pipeline: expected a text"),
        ('"function(mem2reg,gvn),globaldce"', '"dce"', "pipeline: expected one that is longer"),
        ('"promote" = "mem2reg"', '"promote" = []', "is not an action set"),
        ('"promote" = "mem2reg"', "x = " + "9" * 5000, "Exceeds the limit"),
        ("[aliases]", "[[aliases]]", "is not an action set"),
    ],
)
def test_odd_values_of_action_sets(old: str, new: str, message: str) -> None:
    (good,) = ACTION_SETS
    assert len(ActionSet.from_toml(good)) == 2
    assert good.count(old) == 1
    with pytest.raises(UnknownPass, match=message):
        ActionSet.from_toml(good.replace(old, new))


def test_agents_that_end_the_process_or_hide_their_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agent_that_exits.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "agent_of_odd_origin.py").write_text(
        "trained_on = 5\ndef run(env): ...\n\nclass Odd:\n    trained_on = 5\n    run = run\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadAgent, match="SystemExit"):
        load_agent("agent_that_exits:x")
    with pytest.raises(BadAgent, match="expected names as trained_on, got 5"):
        load_agent("agent_of_odd_origin:Odd")
    with pytest.raises(BadAgent, match="its settings are hidden"):
        load_agent("builtins:min")


def test_deep_settings_are_text() -> None:
    with pytest.raises(BadAgent):
        load_agents("random", ["random.max_passes=" + "[" * 100_000])
