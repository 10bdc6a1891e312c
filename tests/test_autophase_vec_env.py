"""The environments that ``autophase`` is trained in, against what Stable-Baselines3 expects."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmopt_bench import Action, ActionSet, PassOrderEnv, make_action_set

pytest.importorskip("stable_baselines3", reason="needs the extra rl")
utils = pytest.importorskip("sb3_contrib.common.maskable.utils", reason="needs the extra rl")

vec_env = importlib.import_module("llmopt_bench.baselines.autophase.vec_env")
NAMES = importlib.import_module("llmopt_bench.baselines.autophase.actions").ACTION_NAMES

PROGRAM = "bundled-functions-v1/aes128_modes/aes_ctr"
# What function-attrs would find out.
KNOWN = "mustprogress nofree norecurse nosync nounwind willreturn memory(none)"
OTHER = "bundled-functions-v1/radix_trie/split_node"


@pytest.fixture(name="make")
def _make() -> Iterator[Any]:
    """Make environments that are closed at the end."""
    made = []

    def make(*programs: str, num_envs: int = 2, **shaping: Any) -> Any:
        made.append(
            vec_env.AutoPhaseVecEnv(
                programs or (PROGRAM,), num_envs, vec_env.Shaping(**shaping), threads=1
            )
        )
        made[-1].seed(1)
        return made[-1]

    yield make
    for env in made:
        env.close()


def number(name: str) -> int:
    return int(NAMES.index(name))


def both(name: str) -> np.ndarray:
    return np.array([number(name)] * 2)


def walk(steps: int) -> np.ndarray:
    """Return actions for two environments that go different ways."""
    return np.random.default_rng(3).integers(len(NAMES), size=(steps, 2))


def test_steps_are_those_of_the_plain_environment(make: Any) -> None:
    env = make(limit=0.0)
    observations = [env.reset()]
    rewards = []
    for row in walk(12):
        observation, reward, done, _ = env.step(row)
        assert not done.any()
        observations.append(observation)
        rewards.append(reward)
    for which in range(2):
        plain = PassOrderEnv(
            PROGRAM, observation="autophase_normalized", reward="instruction_count_oz"
        )
        seen, _ = plain.reset()
        np.testing.assert_array_equal(observations[0][which, :56], seen[:56])
        for step, row in enumerate(walk(12)):
            seen, reward, *_ = plain.step(plain.action_names.index(NAMES[row[which]]))
            np.testing.assert_array_equal(observations[step + 1][which, :56], seen[:56])
            assert rewards[step][which] == reward


def test_what_it_gives_fits_its_spaces(make: Any) -> None:
    env = make(num_envs=3)
    observation = env.reset()
    assert observation.shape == (3, *env.observation_space.shape)
    assert all(row in env.observation_space for row in observation)
    observation, reward, done, infos = env.step(np.array([0, 1, 2]))
    assert observation.dtype == env.observation_space.dtype
    assert (reward.shape, done.shape, done.dtype, len(infos)) == ((3,), (3,), np.bool_, 3)
    assert env.action_space.n == len(NAMES)


def test_the_end_of_an_episode(make: Any) -> None:
    env = make()
    first = env.reset()
    rows = walk(45)
    returns = np.zeros(2)
    for row in rows[:-1]:
        _, reward, done, infos = env.step(row)
        returns += reward
        assert not done.any()
        assert infos == [{}, {}]
    observation, reward, done, infos = env.step(rows[-1])
    returns += reward
    assert done.all()
    np.testing.assert_array_equal(observation, first)  # of the next episode
    for which, info in enumerate(infos):
        last = info["terminal_observation"]
        counts = np.bincount(rows[:, which], minlength=len(NAMES))
        np.testing.assert_array_equal(last[56:], (counts / 45).astype(np.float32))
        assert info["TimeLimit.truncated"]
        assert info["episode"] == {"r": pytest.approx(returns[which]), "l": 45}
    _, _, done, _ = env.step(rows[0])
    assert not done.any()


def test_masks_hold_what_changed_nothing(make: Any) -> None:
    env = make()
    env.reset()
    assert env.action_masks().all()
    env.step(np.array([number("mem2reg"), number("lcssa")]))
    masks = np.stack(env.env_method("action_masks"))
    assert masks[0].all()
    assert np.flatnonzero(~masks[1]).tolist() == [number("lcssa")]
    env.step(both("mem2reg"))
    masks = utils.get_action_masks(env)
    assert np.flatnonzero(~masks[0]).tolist() == [number("mem2reg")]
    assert masks[1].all()
    assert utils.is_masking_supported(env)
    assert np.stack(env.env_method("action_masks", indices=[1])).shape == (1, len(NAMES))


def test_masks_go_with_the_episode(make: Any) -> None:
    env = make()
    env.reset()
    for _ in range(45):
        env.step(both("lcssa"))
    assert env.action_masks().all()


def test_an_episode_in_which_nothing_can_change_is_over(make: Any, tmp_path: Path) -> None:
    file = tmp_path / "nothing.ll"
    file.write_text(f"define noundef i32 @f() local_unnamed_addr {KNOWN} {{ ret i32 0 }}\n")
    env = make(str(file))
    env.reset()
    ends: list[dict[str, Any]] = []
    while not ends:
        _, _, done, infos = env.step(env.action_masks().argmax(axis=1))
        if done.any():
            ends = infos
    assert [info["TimeLimit.truncated"] for info in ends] == [False, False]
    assert ends[0]["episode"]["l"] == len(NAMES)


def test_a_failure_of_the_compiler_costs_one_episode(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = make_action_set()
    crash = "function(instcombine),trigger-crash-module"
    broken = [
        Action("gvn", crash, "module", composite=True) if action.name == "gvn" else action
        for action in known.actions
    ]
    broken_set = ActionSet("broken", known.llvm_major, tuple(broken))
    monkeypatch.setattr(vec_env, "make_action_set", lambda: broken_set)
    env = make()
    first = env.reset()
    env.step(both("mem2reg"))
    observation, reward, done, infos = env.step(np.array([number("gvn"), number("lcssa")]))
    assert done.tolist() == [True, False]
    assert (reward[0], env.failures) == (0.0, 1)
    assert not infos[0]["TimeLimit.truncated"]
    np.testing.assert_array_equal(observation[0], first[0])
    _, reward, done, _ = env.step(both("mem2reg"))
    assert reward[0] > 0
    assert not done.any()


def test_a_seed_settles_the_programs(make: Any) -> None:
    def first_features(seed: int) -> list[Any]:
        env = make(PROGRAM, OTHER, num_envs=8)
        env.seed(seed)
        return [env.reset().tolist(), env.reset().tolist()]

    assert first_features(1) == first_features(1)
    assert first_features(1)[0] != first_features(2)[0]


def test_rewards_beyond_the_limit_leak(make: Any) -> None:
    plain, clamped = make(limit=0.0), make(limit=0.25, leak=0.1)
    for env in (plain, clamped):
        env.reset()
    for name in ("mem2reg", "break-crit-edges"):
        _, whole, _, _ = plain.step(both(name))
        _, reward, _, _ = clamped.step(both(name))
        if name == "mem2reg":
            assert whole[0] > 0.25
            assert reward[0] == pytest.approx(0.25 + 0.1 * (whole[0] - 0.25))
        else:
            assert whole[0] == reward[0] < 0


def test_records_pay_for_the_smallest_size_alone(make: Any) -> None:
    plain, records = make(limit=0.0), make(limit=0.0, record=True)
    sums = {"plain": 0.0, "records": 0.0, "best": 0.0}
    plain.reset()
    records.reset()
    names = ("mem2reg", "break-crit-edges", "simplifycfg<hoist-common-insts;sink-common-insts>")
    for name in names:
        sums["plain"] += plain.step(both(name))[1][0]
        reward = records.step(both(name))[1][0]
        sums["records"] += reward
        sums["best"] = max(sums["best"], sums["plain"])
        assert reward >= 0
        assert sums["records"] == pytest.approx(sums["best"])
        if name == "break-crit-edges":
            assert sums["plain"] < sums["best"]
            assert reward == 0


def test_attributes_of_the_environments(make: Any) -> None:
    env = make()
    assert env.get_attr("metric") == ["instruction_count"] * 2
    env.set_attr("metric", "text_size", indices=1)
    assert env.get_attr("metric") == ["instruction_count", "text_size"]
    assert env.get_attr("metric", indices=[1]) == ["text_size"]
    assert env.has_attr("metric")
    assert not env.has_attr("no_such_thing")
    assert env.env_is_wrapped(object) == [False, False]
