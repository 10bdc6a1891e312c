"""``SinglePass-v0``: IR and a pass in, IR out."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

from llmopt_bench import IrError, Session, SinglePassEnv, make_action_set, single_pass_env
from llmopt_bench.errors import CompilerCrashed, UnknownName, UnknownPass, UnknownProgram
from llmopt_bench.execution import require_native
from llmopt_bench.frontend import MissingTool

PROGRAM = "bundled-functions-v1/astar_grid/chebyshev"
OTHER = "bundled-functions-v1/btree_store/set_count"
NAME = "llmopt_bench/SinglePass-v0"


def make(**options: Any) -> SinglePassEnv:
    env = gym.make(NAME, **({"program": PROGRAM} | options)).unwrapped
    assert isinstance(env, SinglePassEnv)
    return env


def result(name: str, program: str = PROGRAM) -> str:
    session = Session(program)
    session.apply(name)
    return session.ir(normalized=True)


def test_check_env() -> None:
    check_env(make())


def test_the_compilers_answer_is_exact() -> None:
    env = make()
    observation, info = env.reset(seed=0, options={"pass_name": "mem2reg"})
    assert observation == {"ir": Session(PROGRAM).ir(normalized=True), "pass": "mem2reg"}
    assert info == {"program": PROGRAM, "pass_name": "mem2reg"}
    last, reward, terminated, truncated, info = env.step(result("mem2reg"))
    assert (last, reward, terminated, truncated) == (observation, 1.0, True, False)
    assert info["expected"] == result("mem2reg")
    assert info["changed"] is True
    assert "error" not in info
    scores = info["scores"]
    assert (scores["compiles"], scores["exact"], scores["same_code"]) == (True, True, True)
    assert (scores["bleu"], scores["instruction_error"], scores["right"]) == (1.0, 0.0, None)
    with pytest.raises(gym.error.ResetNeeded):
        env.step("")


@pytest.mark.parametrize(
    ("name", "copy", "prose"),
    [("exact", 0.0, 0.0), ("same_code", 0.0, 0.0), ("compiles", 1.0, 0.0), ("bleu", 0.22, 0.0)],
)
def test_rewards(name: str, copy: float, prose: float) -> None:
    env = make(reward=name)
    for given, earned in ((None, copy), ("I cannot.", prose), (result("mem2reg"), 1.0)):
        observation, _ = env.reset(options={"pass_name": "mem2reg"})
        assert env.step(given or observation["ir"])[1] == pytest.approx(earned, abs=0.01)


def test_a_pass_that_changes_nothing() -> None:
    env = make()
    observation, _ = env.reset(options={"pass_name": "licm"})
    assert result("licm") == observation["ir"]
    _, reward, _, _, info = env.step(observation["ir"])
    assert (reward, info["changed"]) == (1.0, False)


@pytest.mark.parametrize("text", ["", "nonsense", "é", "\ud800", "ret i32 0"])
def test_any_text_is_an_answer(text: str) -> None:
    env = make()
    env.reset(seed=0)
    assert text in env.action_space
    _, reward, terminated, _, info = env.step(text)
    assert (reward, terminated) == (0.0, True)
    assert info["scores"]["error"] in (IrError.SYNTAX, IrError.EMPTY)
    assert info["error"] == info["scores"]["message"]


def test_what_is_no_text_is_refused_and_the_episode_goes_on() -> None:
    env = make()
    with pytest.raises(gym.error.ResetNeeded):
        env.step("")
    observation, _ = env.reset(seed=0)
    for action in (None, 3, b"ret"):
        with pytest.raises(gym.error.InvalidAction, match="expected IR text"):
            env.step(action)  # type: ignore[arg-type]
    assert env.step(observation["ir"])[2]


def test_the_seed_draws_program_and_pass() -> None:
    def drawn(env: SinglePassEnv, options: dict[str, Any] | None = None) -> list[tuple[str, str]]:
        infos = [env.reset(seed=7, options=options)[1], *(env.reset()[1] for _ in range(30))]
        return [(info["program"], info["pass_name"]) for info in infos]

    passes = ["mem2reg", "sroa", "dce"]
    env = make(program=None, programs=[PROGRAM, OTHER], passes=passes, changes_only=False)
    first = drawn(env)
    assert {program for program, _ in first} == {PROGRAM, OTHER}
    assert {name for _, name in first} == {"mem2reg", "sroa<modify-cfg>", "dce"}
    assert drawn(env) == first
    # What is chosen for one episode leaves the others as they are.
    chosen = drawn(env, {"program": OTHER, "pass_name": "sroa"})
    assert chosen == [(OTHER, "sroa<modify-cfg>"), *first[1:]]


def test_passes_that_change_nothing_are_not_drawn() -> None:
    # It changes attributes, which the text does not show.
    assert Session(PROGRAM).apply("function-attrs")
    env = make(passes=["licm", "mem2reg", "function-attrs", "sroa", "reg2mem", "adce"])
    env.reset(seed=1)
    found = set()
    for _ in range(20):
        observation, info = env.reset()
        assert observation["ir"] == Session(PROGRAM).ir(normalized=True)
        found.add(info["pass_name"])
        info = env.step(observation["ir"])[4]
        assert info["changed"] is True
        assert info["expected"] == result(info["pass_name"])
    # Another run of reg2mem would change the IR once more.
    assert found == {"mem2reg", "sroa<modify-cfg>", "reg2mem"}
    assert make(passes=["licm"]).reset(seed=0)[1]["pass_name"] == "licm"


def test_a_pass_on_which_llvm_fails_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = Session.apply

    def fail_on_mem2reg(session: Session, passes: str) -> bool:
        if passes == "mem2reg":
            raise CompilerCrashed("expected LLVM to survive")
        return apply(session, passes)

    monkeypatch.setattr(Session, "apply", fail_on_mem2reg)
    env = make(passes=["mem2reg", "sroa"])
    env.reset(seed=0)
    assert {env.reset()[1]["pass_name"] for _ in range(10)} == {"sroa<modify-cfg>"}


def test_pipelines_are_no_passes() -> None:
    names = make().pass_names
    assert set(names) < set(make_action_set().names)
    assert not [name for name in names if name.startswith(("O", "default<", "function-simpl"))]
    assert {"mem2reg", "instcombine<no-verify-fixpoint>", "inline"} <= set(names)
    assert make(passes=["Oz"]).pass_names == ("Oz",)


def test_spaces() -> None:
    env = make(passes=["mem2reg", "dce"])
    env.observation_space.seed(0)
    sampled = {env.observation_space.sample()["pass"] for _ in range(20)}
    assert sampled == {"mem2reg", "dce"}
    assert {"ir": "", "pass": "dce"} in env.observation_space
    assert {"ir": "", "pass": "gvn"} not in env.observation_space
    assert 3 not in env.action_space


def test_a_path_is_a_program(tmp_path: Path) -> None:
    path = tmp_path / "f.ll"
    path.write_text("define i32 @f() {\n  ret i32 1\n}\n")
    observation, info = make().reset(options={"program": path, "pass_name": "dce"})
    assert observation["ir"] == "define i32 @f() {\nret i32 1\n}\n"
    assert info["program"].endswith("f.ll")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"pass_name": "mem2rag"}, UnknownPass),
        ({"pass_name": "Oz"}, UnknownPass),
        ({"pass_name": 3}, UnknownPass),
        ({"program": "bundled-v1/nothing"}, UnknownProgram),
        ({"pass": "mem2reg"}, ValueError),
        ("mem2reg", ValueError),
    ],
)
def test_wrong_options(options: Any, error: type[Exception]) -> None:
    env = make()
    env.reset(seed=0)
    with pytest.raises(error):
        env.reset(options=options)
    with pytest.raises(gym.error.ResetNeeded):
        env.step("")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"reward": "luck"}, UnknownName),
        ({"action_set": "passes-v0"}, UnknownName),
        ({"passes": ["mem2rag"]}, UnknownPass),
        ({"passes": []}, ValueError),
        ({"passes": "mem2reg"}, ValueError),
        ({"programs": [PROGRAM]}, ValueError),
        ({"program": None, "programs": []}, ValueError),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        make(**arguments)


def test_a_pass_on_which_llvm_fails_costs_the_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: Session, passes: str) -> bool:
        raise CompilerCrashed(f"expected LLVM to survive {passes}")

    env = make()
    observation, _ = env.reset(options={"pass_name": "dce"})
    monkeypatch.setattr(Session, "apply", fail)
    _, reward, terminated, _, info = env.step(observation["ir"])
    assert (reward, terminated) == (0.0, True)
    assert info["error"] == "CompilerCrashed: expected LLVM to survive dce"
    assert "scores" not in info


def test_answers_are_run_on_demand() -> None:
    try:
        require_native()
    except MissingTool as missing:
        pytest.skip(str(missing))
    env = make(run_programs=True)
    env.reset(options={"pass_name": "mem2reg"})
    right = result("mem2reg")
    assert env.step(right)[4]["scores"]["right"] is True
    env.reset(options={"pass_name": "mem2reg"})
    assert (
        env.step(right.replace("mul nsw i32 10", "mul nsw i32 12"))[4]["scores"]["right"] is False
    )


def test_example() -> None:
    result = doctest.testmod(single_pass_env)
    assert result.attempted > 0
    assert result.failed == 0
