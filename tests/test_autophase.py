"""The agent ``autophase`` without PyTorch: its actions, what it sees, its models, its answers."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmopt_bench import (
    Action,
    ActionSet,
    BadModel,
    Meter,
    PassOrderEnv,
    feature_names,
    make_action_set,
    make_dataset,
)

actions = importlib.import_module("llmopt_bench.baselines.autophase.actions")
agent = importlib.import_module("llmopt_bench.baselines.autophase.agent")
models = importlib.import_module("llmopt_bench.baselines.models")
observation = importlib.import_module("llmopt_bench.baselines.autophase.observation")
policies = importlib.import_module("llmopt_bench.baselines.autophase.policy")

NAMES = actions.ACTION_NAMES
INPUTS = 56 + len(NAMES)
PROGRAM = "bundled-functions-v1/aes128_modes/from_hex"
FLAGS = """adce break-crit-edges constmerge correlated-propagation deadargelim dse early-cse
functionattrs functionattrs globaldce globalopt gvn indvars inline instcombine ipsccp
jump-threading lcssa licm loop-deletion loop-idiom loop-reduce loop-rotate loop-simplify loop-unroll
loop-unswitch lower-expect loweratomic lowerinvoke lowerswitch mem2reg memcpyopt partial-inliner
prune-eh reassociate sccp simplifycfg sink sroa strip strip-nondebug tailcallelim"""


def preferring(*names: str) -> dict[str, np.ndarray]:
    """Return a network that wants these actions most, the first above all, whatever it sees."""
    wishes = -np.arange(len(NAMES), dtype=np.float32)
    for rank, name in enumerate(reversed(names), start=1):
        wishes[NAMES.index(name)] = rank
    weight = np.zeros((len(NAMES), INPUTS), dtype=np.float32)
    return {"policy.0.weight": weight, "policy.0.bias": wishes}


def random_network() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    shapes = {"0.weight": (8, INPUTS), "0.bias": (8,), "1.weight": (len(NAMES), 8)}
    shapes["1.bias"] = (len(NAMES),)
    return {f"policy.{k}": rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}


def save(path: Path, tensors: dict[str, np.ndarray], masked: bool = True, **facts: Any) -> str:
    policies.save_policy(path, tensors, masked, {"data": ["some-v1"], **facts}, make_action_set())
    return str(path)


def fresh(budget: int | None = None, program: str = PROGRAM, **options: Any) -> PassOrderEnv:
    env = PassOrderEnv(program, meter=Meter(budget), **options)
    env.reset(seed=0)
    return env


def test_every_action_of_the_original_has_its_place() -> None:
    assert [slot.flag for slot in actions.SLOTS] == FLAGS.split()
    assert set(NAMES) <= set(make_action_set().names)
    assert len(set(NAMES)) == len(NAMES) == 37


@pytest.mark.parametrize("slot", actions.SLOTS, ids=lambda slot: slot.flag)
def test_an_action_is_the_pass_of_the_same_name_or_says_why_not(slot: Any) -> None:
    assert (slot.action == slot.flag) == (not slot.note)


def test_observation_by_hand() -> None:
    features = np.zeros((2, 56), dtype=np.int64)
    total = feature_names("autophase").index("TotalInsts")
    features[0, [0, 1, total]] = (5, 80, 40)
    taken = np.zeros((2, len(NAMES)), dtype=np.int64)
    taken[1, 3], taken[0, 2] = 9, 100
    rows = observation.observe(features, taken)
    assert (rows.shape, rows.dtype) == ((2, INPUTS), np.float32)
    assert rows[0, [0, 1, 2, total]].tolist() == [0.125, 1.0, 0.0, 1.0]
    assert rows[1, :56].tolist() == [0.0] * 56  # no instructions at all
    assert rows[1, 56 + 3] == np.float32(9 / 45)
    assert rows[0, 56 + 2] == 1.0


def test_observation_is_the_normalized_one_of_the_environment() -> None:
    env = PassOrderEnv(PROGRAM, observation="autophase_normalized", max_passes=45)
    theirs, _ = env.reset()
    features = env.session.features("autophase")[None]
    ours = observation.observe(features, np.zeros((1, len(NAMES)), dtype=np.int64))
    np.testing.assert_array_equal(ours[0, :56], theirs[:56])


def test_history_knows_what_is_useless_until_something_changes() -> None:
    history = observation.History(2)
    seen = np.array([True, True])
    history.note(np.array([4, 4]), np.array([False, True]), seen)
    history.note(np.array([5, 5]), np.array([False, False]), seen)
    assert np.flatnonzero(~history.useful[0]).tolist() == [4, 5]
    assert np.flatnonzero(~history.useful[1]).tolist() == [5]
    history.note(np.array([6, 5]), np.array([True, False]), seen)
    assert history.useful[0].all()
    assert history.taken[:, 4:7].tolist() == [[1, 1, 1], [1, 2, 0]]
    history.forget(np.array([False, True]))
    assert history.taken.sum(axis=1).tolist() == [3, 0]
    assert history.useful.all()


def test_an_action_that_only_says_it_changed_something_has_to_wait() -> None:
    history = observation.History(1)
    yes, no = np.array([True]), np.array([False])
    history.note(np.array([4]), no, no)
    history.note(np.array([5]), yes, no)
    assert np.flatnonzero(~history.useful[0]).tolist() == [5]  # 4 may have something to do now
    history.note(np.array([4]), no, no)
    history.note(np.array([6]), yes, yes)
    assert history.useful.all()


def test_correlated_propagation_is_believed_when_it_is_seen() -> None:
    history = observation.History(1)
    yes, no = np.array([True]), np.array([False])
    ours = NAMES.index("correlated-propagation")
    history.note(np.array([4]), no, no)
    history.note(np.array([ours]), yes, no)
    assert np.flatnonzero(~history.useful[0]).tolist() == sorted([ours, 4])
    history.note(np.array([ours]), yes, yes)
    assert history.useful.all()


def test_history_knows_when_there_is_nothing_left() -> None:
    history = observation.History(2)
    for action in range(len(NAMES)):
        assert not history.exhausted.any()
        changed = np.array([False, action == 0])
        history.note(np.array([action, action]), changed, changed)
    assert history.exhausted.tolist() == [True, False]


@pytest.mark.parametrize("masked", [True, False])
def test_policy_takes_the_best_action_that_it_may(masked: bool) -> None:
    policy = policies.policy_of(preferring("gvn", "dse"), masked)
    useful = np.ones((2, len(NAMES)), dtype=np.bool_)
    useful[1, NAMES.index("gvn")] = False
    chosen = policy.act(np.zeros((2, INPUTS), dtype=np.float32), useful)
    assert [NAMES[number] for number in chosen] == ["gvn", "dse" if masked else "gvn"]


def test_a_saved_policy_acts_as_before(tmp_path: Path) -> None:
    tensors = random_network()
    before = policies.policy_of(tensors, masked=True)
    path = Path(save(tmp_path / "m.safetensors", tensors))
    after = policies.load_policy(path, make_action_set())
    rows = np.random.default_rng(1).random((50, INPUTS), dtype=np.float32)
    useful = np.random.default_rng(2).random((50, len(NAMES))) < 0.5
    assert after.act(rows, useful).tolist() == before.act(rows, useful).tolist()
    assert (after.masked, after.data) == (True, ("some-v1",))


def test_agent_answers_with_the_best_prefix(tmp_path: Path) -> None:
    model = save(tmp_path / "m.safetensors", preferring("mem2reg", "break-crit-edges"))
    env = fresh(program="bundled-functions-v1/aes128_modes/aes_ctr")
    answer = agent.AutoPhase(model=model, episode=3).run(env)
    assert env.pass_list.names == ("mem2reg", "mem2reg", "break-crit-edges")
    assert answer.names == ("mem2reg",)
    small, large = env.session.evaluate([answer, env.pass_list])
    assert small < large


def test_agent_can_answer_with_the_whole_episode(tmp_path: Path) -> None:
    model = save(tmp_path / "m.safetensors", preferring("mem2reg"), masked=False)
    assert agent.AutoPhase(model=model).run(fresh()).names == ("mem2reg",)
    last = agent.AutoPhase(model=model, answer="last", episode=7).run(fresh())
    assert last.names == ("mem2reg",) * 7


def test_agent_ends_when_no_action_changes_anything(tmp_path: Path) -> None:
    file = tmp_path / "nothing.ll"
    file.write_text("define i32 @f() #0 { ret i32 0 }\nattributes #0 = { nounwind }\n")
    env = fresh(program=str(file))
    model = save(tmp_path / "m.safetensors", random_network())
    agent.AutoPhase(model=model, episode=1000).run(env)
    assert len(NAMES) <= env.meter.compilations < 3 * len(NAMES)


@pytest.mark.parametrize("budget", [0, 1, 3])
def test_agent_keeps_to_its_budget(tmp_path: Path, budget: int) -> None:
    env = fresh(budget)
    model = save(tmp_path / "m.safetensors", random_network())
    assert len(agent.AutoPhase(model=model, answer="last").run(env)) == budget
    assert env.meter.compilations == budget
    assert len(agent.AutoPhase(model=model).run(fresh(budget))) <= budget


def test_agent_ends_with_the_episode_of_the_environment(tmp_path: Path) -> None:
    env = fresh(max_passes=4)
    agent.AutoPhase(model=save(tmp_path / "m.safetensors", random_network())).run(env)
    assert env.meter.compilations == 4


def test_agent_is_deterministic(tmp_path: Path) -> None:
    ours = agent.AutoPhase(model=save(tmp_path / "m.safetensors", random_network()))
    first, second = fresh(), fresh()
    assert ours.run(first) == ours.run(second)
    assert first.pass_list == second.pass_list


def test_a_crash_ends_the_episode_and_what_came_before_counts() -> None:
    known = make_action_set()
    crash = Action("simplify-and-crash", "function(instcombine),trigger-crash-module", "module")
    broken = [
        Action("gvn", crash.pipeline, "module", composite=True)
        if name == "gvn"
        else known.actions[i]
        for i, name in enumerate(known.names)
    ]
    env = fresh(action_set=ActionSet("broken", known.llvm_major, tuple(broken)))
    policy = policies.policy_of(preferring("mem2reg", "gvn"), masked=True)
    names, best = agent.follow(policy, env)
    assert (names[0], best) == ("mem2reg", 1)
    assert "gvn" not in names
    assert env.compiler_failures == 1


def test_agent_says_what_it_was_trained_on(tmp_path: Path) -> None:
    model = save(tmp_path / "m.safetensors", random_network())
    assert agent.AutoPhase(model=model).trained_on == ("some-v1",)


def test_a_model_that_was_trained_again_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    for name in ("mem2reg", "sroa<modify-cfg>"):
        model = save(path, preferring(name))
        assert agent.AutoPhase(model=model, episode=1, answer="last").run(fresh()).names == (name,)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"none\.safetensors: expected a model"):
        agent.AutoPhase(model=str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"episode": 0}, "episode must be 1 or more, got 0"), ({"answer": "first"}, "got 'first'")],
)
def test_refused_settings(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    model = save(tmp_path / "m.safetensors", random_network())
    with pytest.raises(ValueError, match=message):
        agent.AutoPhase(model=model, **settings)


def test_a_model_for_other_actions_is_refused(tmp_path: Path) -> None:
    path = Path(save(tmp_path / "m.safetensors", random_network()))
    other = ActionSet("other-v1", 22, make_action_set().actions)
    with pytest.raises(BadModel, match=r"expected action set .*other-v1.*got .*passes-v1"):
        agent.AutoPhase(model=str(path)).run(fresh(action_set=other))


def refused(
    path: Path, tensors: dict[str, np.ndarray], kind: str, features: str, **facts: Any
) -> str:
    facts = {"actions": list(NAMES), "masked": True, **facts}
    models.save_model(path, kind, tensors, facts, action_set=make_action_set(), features=features)
    with pytest.raises(BadModel) as caught:
        agent.AutoPhase(model=str(path))
    return str(caught.value)


def test_refused_models(tmp_path: Path) -> None:
    path, good = tmp_path / "m.safetensors", random_network()
    assert "expected kind 'autophase'" in refused(path, good, "coreset-nvp", "autophase")
    assert "expected features 'autophase'" in refused(path, good, "autophase", "instcount")
    text = refused(path, good, "autophase", "autophase", actions=list(reversed(NAMES)))
    assert "37 actions of AutoPhase" in text
    text = refused(path, {"policy.0.weight": good["policy.0.weight"]}, "autophase", "autophase")
    assert "expected the layers of a network" in text
    narrow = preferring()
    narrow["policy.0.weight"] = narrow["policy.0.weight"][:, 1:]
    assert "(93, 37) inputs and outputs, got (92, 37)" in refused(
        path, narrow, "autophase", "autophase"
    )


def test_the_agent_needs_no_pytorch() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'stable_baselines3', 'sb3_contrib'): sys.modules[name] = None\n"
        "import llmopt_bench.baselines.autophase.agent\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_model_that_comes_along() -> None:
    ours = agent.AutoPhase()
    assert agent.SHIPPED.stat().st_size < 5_000_000
    assert "corpus-train-v1" in ours.trained_on
    oz = new = 0
    for uri in list(make_dataset("bundled-functions-v1").uris())[::60]:
        env = fresh(program=uri)
        answer = ours.run(env)
        oz, new = oz + env.oz, new + env.session.evaluate([answer])[0]
        assert env.meter.compilations <= 45
    assert oz / new - 1 > -0.0385  # the published level
