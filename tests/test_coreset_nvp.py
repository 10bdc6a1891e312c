"""Coreset-NVP at work: the coreset, the order of its lists, and the limits of its agents."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from searching import PROGRAM, Recorder, few_actions

from llmopt_bench import ActionSet, BadModel, PassList, Session, load_agent, make_action_set
from llmopt_bench.errors import BadAgent

agents: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.agents")
greedy: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.greedy")
improvement: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.improvement")
inputs: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.inputs")
measure: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.measure")
models: Any = importlib.import_module("llmopt_bench.baselines.models")

ACTIONS = make_action_set()
NOTHING, CLEAN, OZ, TWICE = (
    PassList(names) for names in (["lcssa"], ["sroa", "gvn"], ["Oz"], ["sroa", "dse", "adce"])
)
LISTS = (NOTHING, CLEAN, OZ, TWICE)


def table(sizes: Sequence[Sequence[int]], oz: Sequence[int], initial: Sequence[int]) -> Any:
    rows = len(sizes)
    return measure.Measured(
        tuple(map(str, range(rows))),
        np.array(sizes),
        np.array(oz),
        np.array(initial),
        np.ones((rows, 56), dtype=np.int64),
    )


def made_model(
    path: Path,
    bias: Sequence[float],
    *,
    lists: Sequence[PassList] = LISTS,
    sees: Sequence[tuple[int, int]] = (),
    adaptive: bool = True,
    actions: ActionSet = ACTIONS,
    **facts: Any,
) -> str:
    """Write a model that ranks by a bias, and prefers ``then`` once ``tried`` was tried."""
    count = len(lists)
    weight = np.zeros((count, 112 + 2 * count), dtype=np.float32)
    for tried, then in sees:
        weight[then, 112 + tried] = 100
    tensors = {
        "head.0.weight": weight,
        "head.0.bias": np.array(bias, dtype=np.float32),
        "encoder.mean": np.zeros(112, dtype=np.float32),
        "encoder.scale": np.ones(112, dtype=np.float32),
    }
    about = {"lists": [list(one) for one in lists], "encoder": "mlp", "adaptive": adaptive}
    models.save_model(path, "coreset-nvp", tensors, about | facts, action_set=actions)
    return str(path)


def test_greedy_takes_what_adds_most() -> None:
    rewards = np.array([[0, 3, 2, 0], [0, 3, 2, 4], [1, -2, 2, 0.0]])
    # Sums: 1, 4, 6, 4. After list 2, list 3 adds 2 (second row), list 1 adds 1 + 1.
    assert greedy.greedy_coreset(rewards, 2) == [2, 1]
    assert greedy.greedy_coreset(rewards, 9) == [2, 1, 3]  # list 0 adds nothing


def test_rewards_count_instructions_or_functions() -> None:
    measured = table([[90, 110], [1, 4]], oz=[100, 4], initial=[200, 9])
    np.testing.assert_allclose(greedy.rewards_of(measured, 0), [[10, -10], [3, 0]])
    np.testing.assert_allclose(greedy.rewards_of(measured, 1), [[0.1, -0.1], [0.75, 0]])


def test_improvement_counts_the_best_of_the_first_lists_and_the_empty_one() -> None:
    measured = table([[9, 8, 5], [7, 6, 5]], oz=[8, 6], initial=[10, 4])
    order = np.array([[0, 1, 2], [2, 1, 0]])
    assert improvement.improvement_at(order, measured, 1) == pytest.approx(14 / (9 + 4) - 1)
    assert improvement.improvement_at(order, measured, 3) == pytest.approx(14 / (5 + 4) - 1)


def test_features_become_logarithms_and_shares() -> None:
    features = np.zeros(56, dtype=np.int64)
    features[51], features[37] = 20, 5  # TotalInsts, NumLoadInst
    vector = inputs.vector_of(features)
    assert vector.shape == (112,)
    assert vector[[37, 51]] == pytest.approx(np.log([6, 21]))
    assert vector[[56 + 37, 56 + 51]] == pytest.approx([0.25, 1])
    assert np.isfinite(inputs.vector_of(np.zeros((2, 56), dtype=np.int64))).all()


def test_state_says_what_was_tried_and_what_it_saved() -> None:
    state = inputs.state_of({2: 50, 0: 100}, initial=100, lists=3)
    assert state.tolist() == pytest.approx([1, 0, 1, 0, 0, 8 * np.log(2)])


@pytest.mark.parametrize(("tries", "expected"), [(1, 1), (3, 3), (9, 4)])
def test_lists_are_tried_from_the_top(tmp_path: Path, tries: int, expected: int) -> None:
    model = made_model(tmp_path / "m", [0, 1, 3, 2])
    env = Recorder(50)
    answer = agents.CoresetNvp(model=model, tries=tries).run(env)
    assert env.lists == [OZ, TWICE, CLEAN, NOTHING][:expected]
    assert (env.value_of(answer), len(answer)) == min(env.best_seen(), (env.initial, 0))


def test_budget_ends_before_tries(tmp_path: Path) -> None:
    env = Recorder(2)
    agents.CoresetNvp(model=made_model(tmp_path / "m", [0, 1, 3, 2])).run(env)
    assert env.lists == [OZ, TWICE]


@pytest.mark.parametrize("make", ["CoresetNvp", "Coreset", "Oracle"])
def test_without_a_budget_the_first_list_is_the_answer(tmp_path: Path, make: str) -> None:
    model = made_model(tmp_path / "m", [0, 1, 3, 2])
    env = Recorder(0)
    answer = getattr(agents, make)(model=model).run(env)
    assert answer == (OZ if make == "CoresetNvp" else NOTHING)
    assert env.meter.compilations == 0


def test_the_list_that_goes_over_is_cut(tmp_path: Path) -> None:
    model = made_model(tmp_path / "m", [0, 1, 2, 3])
    env = Recorder(50)
    agents.CoresetNvp(model=model, max_passes=5).run(env)
    assert env.lists == [TWICE, OZ, CLEAN[:1]]


def test_results_so_far_change_what_is_next(tmp_path: Path) -> None:
    given: dict[str, Any] = {"bias": [0, 1, 3, 2], "sees": [(2, 0)]}
    for adaptive, second in ((True, NOTHING), (False, TWICE)):
        model = made_model(tmp_path / f"{adaptive}", adaptive=adaptive, **given)
        env = Recorder(50)
        agents.CoresetNvp(model=model).run(env)
        assert env.lists[:2] == [OZ, second]


def test_a_list_on_which_llvm_fails_is_paid_and_passed_over(tmp_path: Path) -> None:
    actions = few_actions("dse", "gvn", failing=True)
    lists = [PassList([name], actions) for name in ("trigger-crash-module", "dse", "gvn")]
    model = made_model(tmp_path / "m", [3, 2, 1], lists=lists, actions=actions)
    env = Recorder(10, actions=actions)
    answer = agents.CoresetNvp(model=model).run(env)
    assert env.meter.compilations == 3
    assert answer in [PassList([], actions), *lists[1:]]


def test_the_fixed_order_and_the_oracle(tmp_path: Path) -> None:
    model = made_model(tmp_path / "m", [0, 1, 3, 2])
    fixed, all_lists, ranked = Recorder(50), Recorder(50), Recorder(50)
    agents.Coreset(model=model, tries=2).run(fixed)
    best = agents.Oracle(model=model).run(all_lists)
    answer = agents.CoresetNvp(model=model, tries=2).run(ranked)
    assert fixed.lists == [NOTHING, CLEAN]
    assert all_lists.lists == list(LISTS)
    assert ranked.value_of(best) <= min(ranked.value_of(answer), ranked.best_seen()[0])


@pytest.mark.parametrize("make", ["CoresetNvp", "Coreset", "Oracle"])
def test_no_agent_looks_at_oz(tmp_path: Path, make: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made_model(tmp_path / "m", [0, 1, 3, 2])
    env = Recorder(50)

    def looked(*args: object) -> int:
        pytest.fail("the agent looked at what -Oz gives")

    monkeypatch.setattr(type(env.session), "reference", looked)
    assert len(getattr(agents, make)(model=model).run(env))


def test_models_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    env = Recorder(5)

    def refused(model: str, message: str) -> None:
        for make in (agents.CoresetNvp, agents.Coreset):
            with pytest.raises(BadModel, match=message):
                make(model=model).run(env)

    refused(str(tmp_path / "none"), "expected a model")
    refused(made_model(tmp_path / "a", [0] * 4, lists=LISTS[:3]), "expected lists and a network")
    refused(made_model(tmp_path / "b", [0] * 4, encoder="cnn"), "unknown encoder 'cnn'")
    refused(made_model(tmp_path / "c", [0] * 4, lists=[]), "expected lists and a network")
    few = few_actions("dse", "gvn")
    other = [PassList(["dse"], few)]
    refused(made_model(tmp_path / "d", [0], lists=other, actions=few), "expected action set")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("coreset-nvp", {"encoder": "cnn"}),
        ("coreset-nvp", {"tries": 0}),
        ("coreset", {"max_passes": 0}),
    ],
)
def test_bad_settings_are_refused(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(BadAgent, match=next(iter(settings))):
        load_agent(name, **settings)


def test_the_shipped_model_serves_by_name() -> None:
    env = Recorder(10)
    answer = load_agent("coreset-nvp").run(env)
    assert 1 <= env.meter.compilations <= 5
    assert env.value_of(answer) <= env.initial
    assert load_agent("coreset-nvp").info.trained_on == ("corpus-train-v1",)


def test_the_shipped_models_have_one_coreset_and_are_small() -> None:
    folder = Path(agents.__file__).parent
    mlp, gnn = (
        models.load_model(folder / agents.SHIPPED[name], "coreset-nvp", ACTIONS)
        for name in ("mlp", "gnn")
    )
    assert mlp.facts["lists"] == gnn.facts["lists"]
    assert 40 <= len({tuple(names) for names in mlp.facts["lists"]}) <= 50
    assert max(file.stat().st_size for file in folder.glob("*.safetensors")) < 5_000_000


def test_agents_need_no_pytorch() -> None:
    text = (
        "import sys; sys.modules['torch'] = None; sys.modules['torch_geometric'] = None\n"
        "import llmopt_bench as l\n"
        f"env = l.PassOrderEnv({PROGRAM!r}, budget=3); env.reset()\n"
        "assert len(l.load_agent('coreset-nvp').run(env)) and env.meter.compilations == 3\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True, timeout=60)


def test_without_pytorch_the_graph_network_says_what_to_install() -> None:
    text = (
        "import sys; sys.modules['torch'] = None\n"
        "import llmopt_bench as l\n"
        "try:\n    l.load_agent('coreset-nvp', encoder='gnn')\n"
        "except l.LlmoptError as error:\n    sys.exit('llmopt-bench[rl]' not in str(error))\n"
        "sys.exit(2)\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True, timeout=60)


def test_a_model_that_was_trained_again_is_read_again(tmp_path: Path) -> None:
    path, tried = tmp_path / "m", []
    for bias in ([0, 1, 3, 2], [3, 1, 0, 2]):
        model = made_model(path, bias)
        env = Recorder(1)
        agents.CoresetNvp(model=model).run(env)
        tried += env.lists
    assert tried == [OZ, NOTHING]


def test_runs_repeat() -> None:
    answers = []
    for _ in range(2):
        env = Recorder(5)
        answers.append((load_agent("coreset-nvp").run(env), env.lists))
    assert answers[0] == answers[1]


def test_tables_join_by_the_functions_of_both() -> None:
    one = table([[1], [2], [3]], oz=[4, 5, 6], initial=[7, 8, 9])
    two = table([[5, 6], [7, 8]], oz=[4, 5], initial=[7, 8])
    both = measure.joined_lists(one, two)
    assert both.sizes.tolist() == [[1, 5, 6], [2, 7, 8]]
    assert both.oz.tolist() == [4, 5]
    assert len(both) == 2


def test_a_list_on_which_llvm_fails_counts_as_one_that_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(session: Session, lists: Sequence[PassList], *, failure: int) -> list[int]:
        return [failure, 7]

    monkeypatch.setattr(Session, "evaluate", evaluate)
    found = measure.measure([PROGRAM], [OZ, CLEAN], tmp_path / "t.npz", lambda done: None)
    assert found.sizes.tolist() == [[Session(PROGRAM).initial(), 7]]
