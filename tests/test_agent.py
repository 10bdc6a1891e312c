"""The registry: how agents are found, made and checked."""

from __future__ import annotations

import importlib
import pickle
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmopt_bench import PassList, agent_names, load_agent, make_action_set
from llmopt_bench.agent import GROUP, registered_agents
from llmopt_bench.errors import BadAgent, UnknownName

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture(autouse=True)
def _odd_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


@pytest.fixture
def env() -> Any:
    """As much of an environment as checking an answer needs."""
    actions = make_action_set()
    return SimpleNamespace(action_set=actions, action_names=actions.names)


def install_plugin(site: Path) -> None:
    """Put the example plugin into a folder as an installer would."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text("utf-8"))["project"]
    name, version = project["name"], project["version"]
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata, "utf-8")
    points = project["entry-points"][GROUP]
    lines = [f"[{GROUP}]", *(f"{key} = {value}" for key, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    shutil.copy(PLUGIN / "example_plugin.py", site)


def test_third_party_package_registers_an_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: Any
) -> None:
    assert "first-n" not in agent_names()
    install_plugin(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert "first-n" in agent_names()
    agent = load_agent("first-n", n=1)
    assert agent.info.version == "3.2.1"
    assert agent.info.settings == {"n": 1}
    assert agent.run(env).names == ("mem2reg",)
    assert agent.usage == {"names": 1}


def test_shipped_agents_are_registered_without_import() -> None:
    found = {r.name: r for r in registered_agents()}
    assert {"O0", "O1", "O2", "O3", "Os", "Oz", "random", "greedy"} <= found.keys()
    assert found["Oz"].target == "llmopt_bench.baselines.pipelines:Oz"
    assert found["Oz"].distribution.startswith("llmopt-bench ")


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'random'"):
        load_agent("randm")


def test_class_gets_settings_and_info_has_the_defaults() -> None:
    assert load_agent("random", max_passes=3).info.settings == {
        "max_passes": 3,
        "after_oz": True,
        "patience": None,
    }


def test_function_gets_the_environment_and_settings(env: Any) -> None:
    agent = load_agent("odd_agents:first_actions", count=2)
    assert agent.info.settings == {"count": 2}
    assert agent.run(env).names == env.action_names[:2]


def test_object_is_used_as_it_is() -> None:
    info = load_agent("odd_agents:an_object").info
    assert (info.name, info.version, info.settings) == ("odd_agents:an_object", "7", {})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("no_such_module:X", {}, "cannot import it: ModuleNotFoundError"),
        ("odd_agents:Nothing", {}, "no attribute 'Nothing'. Check the name after the colon"),
        ("odd_agents:", {}, "expected module:attribute"),
        ("odd_agents:NoRun", {}, r"class NoRun has no method run\(env\)"),
        ("odd_agents:a_number", {}, "expected a class or object with run.* got int"),
        ("odd_agents:an_object", {"x": 1}, "takes no settings, got x"),
        ("odd_agents:first_actions", {"x": 1}, "Its settings: count"),
        ("odd_agents:Picky", {}, "missing a required argument: 'size'. Its settings: size"),
        ("odd_agents:Picky", {"size": 0}, "size must be 1 or more, got 0"),
        ("odd_agents:BadVersion", {}, "expected a text as its version, got 3"),
        ("random", {"max_passes": 0}, "max_passes must be 1 or more"),
        ("random", {"episodes": 1}, "Its settings: max_passes, after_oz, patience"),
    ],
)
def test_what_is_no_agent(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadAgent, match=message):
        load_agent(name, **settings)


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "raise ModuleNotFoundError('no torch', name='torch.nn')"
    (tmp_path / "needs_torch.py").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadAgent, match=r"needs torch. .*pip install 'llmopt-bench\[rl\]'"):
        load_agent("needs_torch:Agent")


@pytest.mark.parametrize("kind", ["text", "names"])
def test_answers_that_make_a_pass_list(kind: str, env: Any) -> None:
    answer = load_agent("odd_agents:Answers", kind=kind).run(env)
    assert answer == PassList(["sroa", "instcombine"])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("number", "expected a PassList as the answer, got int"),
        ("none", "got NoneType"),
        ("bytes", "got bytes"),
        ("mapping", "got dict"),
        ("numbers", "the answer is not a pass list"),
        ("unknown", "unknown pass 'no-such-pass'"),
        ("excluded", "'internalize' is excluded"),
    ],
)
def test_answers_that_do_not(kind: str, message: str, env: Any) -> None:
    with pytest.raises(BadAgent, match=message):
        load_agent("odd_agents:Answers", kind=kind).run(env)


def test_usage_is_checked() -> None:
    with pytest.raises(BadAgent, match="expected numbers of 0 or more"):
        _ = load_agent("odd_agents:BadUsage").usage


def test_agent_travels_as_its_name_and_settings() -> None:
    agent = load_agent("random", max_passes=3)
    assert pickle.loads(pickle.dumps(agent)).info == agent.info
