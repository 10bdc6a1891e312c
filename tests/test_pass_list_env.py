import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

from llmopt_bench import PassList, Session

PROGRAM = "bundled-v1/crc_family"


@pytest.fixture
def env():
    made = gym.make("llmopt_bench/PassList-v0", program=PROGRAM).unwrapped
    made.reset(seed=0)
    return made


def test_check_env(env):
    check_env(env)


def test_an_answer_is_free_and_ends_the_episode(env):
    _, reward, terminated, truncated, info = env.step("-mem2reg -simplifycfg")
    assert (terminated, truncated) == (True, False)
    assert reward == 635 - info["instruction_count"] > 0
    assert info["pass_list"] == "function(mem2reg),function(simplifycfg)"
    assert info["compilations"] == 0
    assert info["changed"] is True
    with pytest.raises(gym.error.ResetNeeded):
        env.step("")


def test_the_observation_is_the_program_then_the_result(env):
    before, _ = env.reset()
    assert before == Session(PROGRAM).ir(normalized=True)
    after = env.step("Oz")[0]
    expected = Session(PROGRAM)
    expected.apply(PassList(["Oz"]))
    assert after == expected.ir(normalized=True)


@pytest.mark.parametrize("text", ["please optimise", "internalize,globaldce", "gvn(", "é" * 10])
def test_a_wrong_answer_ends_the_episode_with_an_error(env, text):
    observation, reward, terminated, _, info = env.step(text)
    assert (reward, terminated) == (0.0, True)
    assert info["error"]
    assert info["instruction_count"] == 635
    assert env.observation_space.contains(observation)


def test_error_reward_and_evaluate_before_the_answer():
    env = gym.make("llmopt_bench/PassList-v0", program=PROGRAM, error_reward=-2.0, budget=2)
    env.reset()
    assert env.unwrapped.evaluate(["Oz", "mem2reg"])[0] == env.unwrapped.oz
    _, reward, _, _, info = env.step("???")
    assert reward == -2.0
    assert info["compilations"] == 2


def test_samples_are_valid_lists(env):
    env.action_space.seed(1)
    for _ in range(50):
        text = env.action_space.sample()
        assert 1 <= len(PassList.parse(text)) <= 8
        assert text in env.action_space
    assert 3 not in env.action_space
