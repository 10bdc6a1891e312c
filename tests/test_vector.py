import os

import gymnasium as gym
import numpy as np
import pytest

from llmopt_bench import PassOrderEnv

PROGRAMS = ["bundled-v1/crc_family", "bundled-v1/mandel_ascii", "bundled-v1/heap_merge"]


def make(num_envs=3, **options):
    return gym.make_vec("llmopt_bench/PassOrder-v0", num_envs=num_envs, **options)


def walk(envs, steps, seed):
    rng = np.random.default_rng(seed)
    size = envs.single_action_space.n - 1
    return [rng.integers(size, size=envs.num_envs) for _ in range(steps)]


@pytest.mark.parametrize("observation", ["autophase", ("instcount", "ir"), "autophase_normalized"])
@pytest.mark.parametrize("threads", [1, 4])
def test_equals_single_environments(observation, threads):
    envs = make(programs=PROGRAMS, observation=observation, max_passes=7, threads=threads)
    singles = [
        PassOrderEnv(programs=PROGRAMS, observation=observation, max_passes=7) for _ in range(3)
    ]
    observations, _ = envs.reset(seed=11)
    expected = [env.reset(seed=11 + i)[0] for i, env in enumerate(singles)]
    assert_equal(envs, observations, expected)
    ended = [False] * 3
    for actions in walk(envs, 20, seed=1):
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        for i, env in enumerate(singles):
            if ended[i]:
                step = (env.reset()[0], 0.0, False, False, env._info(False))
            else:
                step = env.step(actions[i])
            expected[i] = step[0]
            assert (rewards[i], terminated[i], truncated[i]) == step[1:4]
            assert infos["instruction_count"][i] == step[4]["instruction_count"]
            assert infos["pass_list"][i] == step[4]["pass_list"]
            ended[i] = step[2] or step[3]
        assert_equal(envs, observations, expected)


def assert_equal(envs, observations, expected):
    assert envs.observation_space.contains(observations)
    if isinstance(observations, dict):
        for name in observations:
            for i, one in enumerate(expected):
                assert np.array_equal(observations[name][i], one[name])
    else:
        assert np.array_equal(observations, np.stack(expected))


def test_observations_of_one_step_stay_when_the_next_is_taken():
    envs = make()
    first, _ = envs.reset(seed=0)
    kept = first.copy()
    mem2reg = envs.envs[0].action_set.index("mem2reg")
    second = envs.step([mem2reg] * 3)[0]
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)


def test_stop_in_one_environment_leaves_the_others():
    envs = make()
    envs.reset(seed=0)
    stop = envs.single_action_space.n - 1
    mem2reg = envs.envs[0].action_set.index("mem2reg")
    _, rewards, terminated, _, _ = envs.step([stop, mem2reg, mem2reg])
    assert terminated.tolist() == [True, False, False]
    assert rewards[0] == 0
    assert rewards[1] == rewards[2] > 0
    _, rewards, terminated, _, infos = envs.step([mem2reg] * 3)
    assert terminated.tolist() == [False] * 3
    assert infos["pass_list"][0] == ""
    assert infos["compilations"].tolist() == [0, 2, 2]


def test_wrong_actions_step_nothing():
    envs = make()
    envs.reset()
    for actions in ([0, 0], [0, 0, 10_000], [0, -1, 0]):
        with pytest.raises(gym.error.InvalidAction, match="expected"):
            envs.step(actions)
    assert envs.get_attr("pass_list")[0] == envs.envs[0].pass_list
    assert [len(env.pass_list) for env in envs.envs] == [0, 0, 0]


def test_call_and_bad_arguments():
    envs = make(num_envs=2)
    envs.reset()
    assert envs.call("evaluate", "Oz") == (282, 282)
    assert envs.call("initial") == (635, 635)
    with pytest.raises(ValueError, match="at least one"):
        make(num_envs=0)
    with pytest.raises(ValueError, match="2 seeds"):
        envs.reset(seed=[1, 2, 3])


def test_partial_reset():
    envs = make(num_envs=2)
    envs.reset(seed=0)
    mem2reg = envs.envs[0].action_set.index("mem2reg")
    after = envs.step([mem2reg] * 2)[0]
    mixed, _ = envs.reset(options={"reset_mask": np.array([True, False])})
    assert not np.array_equal(mixed[0], after[0])
    assert np.array_equal(mixed[1], after[1])
    assert [len(env.pass_list) for env in envs.envs] == [0, 1]


def test_partial_reset_needs_a_whole_one_first():
    with pytest.raises(gym.error.ResetNeeded, match="without reset_mask"):
        make(num_envs=2).reset(options={"reset_mask": np.array([True, False])})


def test_threads_survive_fork():
    envs = make(threads=3)
    envs.reset(seed=0)
    envs.step([0, 1, 2])
    child = os.fork()
    if child == 0:
        envs.step([3, 4, 5])
        envs.close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    envs.step([3, 4, 5])


def test_random_walks_by_gymnasium_sampling():
    envs = make(programs=PROGRAMS, max_passes=5)
    envs.action_space.seed(0)
    envs.reset(seed=0)
    for _ in range(12):
        observations, *_ = envs.step(envs.action_space.sample())
        assert observations.shape == (3, 56)
