"""CompilerGym's rewards: what is known of each, and that asking for one changes none."""

from __future__ import annotations

import math
from pathlib import Path

import gymnasium as gym
import pytest
from compiler_gym_backends import LARGER

from llmopt_bench import CompilerGymEnv
from llmopt_bench.compiler_gym_rewards import REWARDS, Costs, find_reward
from llmopt_bench.session import Session

ABSENT = ("TextSizeBytes", "TextSizeNorm", "TextSizeO3", "TextSizeOz")


def test_all_of_compiler_gym_is_there_or_absent() -> None:
    assert len(REWARDS) + len(ABSENT) == 12
    for name in ABSENT:
        with pytest.raises(LookupError, match="unknown reward space"):
            find_reward(name)


@pytest.mark.parametrize("name", REWARDS)
def test_what_is_known_of_each_reward(name: str) -> None:
    spec = find_reward(name)
    assert spec.name == spec.id == str(spec) == name
    assert find_reward(spec) is spec
    assert spec.range == (-math.inf, 1.0 if name.endswith("Norm") else math.inf)
    assert spec.success_threshold == (1.0 if name.endswith(("O3", "Oz")) else None)
    assert spec.deterministic is True
    assert spec.platform_dependent is name.startswith("Object")
    assert spec.reward_on_error(5) == -5


def test_asking_changes_nothing_and_may_come_late() -> None:
    asked, silent = CompilerGymEnv(LARGER), CompilerGymEnv(LARGER)
    for env in (asked, silent):
        env.reset()
        assert env.reward["ObjectTextSizeBytes"] == 0
    for flag in ("-mem2reg", "-instcombine", "-mem2reg", "-simplifycfg"):
        for env in (asked, silent):
            env.step(env.action_space[flag])
        first = {name: asked.reward[name] for name in REWARDS}
        assert {name: asked.reward[name] for name in REWARDS} == first
    assert {name: silent.reward[name] for name in REWARDS} == first
    assert first["IrInstructionCount"] == 14


def test_a_step_that_changes_nothing_earns_nothing() -> None:
    env = CompilerGymEnv(LARGER)
    env.reset()
    for expected in (115, 0):
        env.step(env.action_space["-mem2reg"])
        assert env.reward["IrInstructionCount"] == expected
    assert {env.reward[name] for name in REWARDS} == {0}


def test_the_scale_is_at_least_one(tmp_path: Path) -> None:
    file = tmp_path / "small.ll"
    file.write_text("define i32 @f(i1 %c) {\n br label %n\nn:\n ret i32 0\n}\n")
    env = CompilerGymEnv(file)
    env.reset()
    small = env.observation
    assert small["IrInstructionCountO0"] - small["IrInstructionCountOz"] == 1
    env.step(env.action_space["-simplifycfg"])
    assert [env.reward[f"IrInstructionCount{over}"] for over in ("", "Norm", "O3", "Oz")] == [
        1,
        0.5,
        1,
        1,
    ]
    file.write_text("define i32 @f() {\n ret i32 0\n}\n")
    env.reset(file)
    assert small["IrInstructionCountO0"] == small["IrInstructionCountOz"] == 1
    env.step(env.action_space["-reg2mem"])
    lost = 1 - small["IrInstructionCount"]
    assert env.reward["IrInstructionCountOz"] == env.reward["IrInstructionCount"] == lost < 0


def test_the_session_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    measure = Session.measure

    def spy(session: Session, metric: str | None = None) -> int:
        asked.append(str(metric))
        return measure(session, metric)

    monkeypatch.setattr(Session, "measure", spy)
    session = Session(LARGER)
    costs = Costs(session)
    sizes = []
    for flag in ("mem2reg", "instcombine"):
        costs.begin_step()
        changed = session.apply(flag)
        costs.finish_step(changed, session.instruction_count)
        sizes.append((costs.before("text_size"), costs.now("text_size")))
        assert costs.before("text_size") == sizes[-1][0]
    assert sizes[0][1] == sizes[1][0]
    assert asked == ["text_size"] * 3
    costs.begin_step()
    assert session.apply("mem2reg") is False
    costs.finish_step(False, session.instruction_count)
    twin = costs.fork(session.clone())
    assert [c.before("text_size") for c in (costs, twin)] == [sizes[-1][1]] * 2
    assert [c.now("text_size") for c in (costs, twin)] == [sizes[-1][1]] * 2
    assert asked == ["text_size"] * 3


def test_an_episode_comes_first() -> None:
    env = CompilerGymEnv(LARGER)
    with pytest.raises(gym.error.ResetNeeded):
        env.reward["IrInstructionCount"]
    assert env.reward.spaces is REWARDS
