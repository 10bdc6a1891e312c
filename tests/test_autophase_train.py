"""The training of ``autophase``, on a few small programs."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmopt_bench import BadTraining, PassOrderEnv, Program, TrainJob, load_program
from llmopt_bench.errors import BadProgram

torch = pytest.importorskip("torch", reason="needs the extra rl")
pytest.importorskip("stable_baselines3", reason="needs the extra rl")
pytest.importorskip("sb3_contrib", reason="needs the extra rl")

agent = importlib.import_module("llmopt_bench.baselines.autophase.agent")
algorithms = importlib.import_module("llmopt_bench.baselines.autophase.algorithms")
policies = importlib.import_module("llmopt_bench.baselines.autophase.policy")
programs = importlib.import_module("llmopt_bench.baselines.autophase.programs")
train = importlib.import_module("llmopt_bench.baselines.autophase.train")
validation = importlib.import_module("llmopt_bench.baselines.autophase.validation")
vec_env = importlib.import_module("llmopt_bench.baselines.autophase.vec_env")

DATA = "bundled-functions-v1"
PROGRAM = f"{DATA}/aes128_modes/aes_ctr"
TINY: dict[str, Any] = {
    "steps": 180,
    "round_steps": 90,
    "num_envs": 2,
    "threads": 1,
    "hidden": 8,
    "episodes_per_update": 1,
    "epochs": 1,
    "minibatches": 2,
    "batch_size": 32,
    "programs": 4,
    "validation": DATA,
    "validation_programs": 2,
}
ALGORITHMS = ("maskable-ppo", "ppo", "dqn")


def job(out: Path, resume: bool = False, **settings: Any) -> TrainJob:
    out.mkdir(exist_ok=True)
    report = settings.pop("report", lambda share, text: None)
    minutes = settings.pop("minutes", None)
    return TrainJob("autophase", (DATA,), out, minutes, 3, resume, TINY | settings, report)


def weights(out: Path) -> dict[str, Any]:
    found = torch.load(out / "checkpoint.pt", weights_only=True)["policy"]
    assert found
    return dict(found)


def curve(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_training_gives_a_model_that_acts(tmp_path: Path, algorithm: str) -> None:
    shares: list[float] = []
    trained = train.train(
        job(tmp_path, algorithm=algorithm, report=lambda share, text: shares.append(share))
    )
    rows = curve(tmp_path)
    assert [row["round"] for row in rows] == [1, 2]
    assert 0 <= rows[0]["seconds"] <= rows[1]["seconds"]  # tenths: a round may take none
    assert 180 <= rows[-1]["steps"] < 190  # DQN collects eight at a time
    scores = [row["validation"]["overall_improvement"] for row in rows]
    assert trained.validation["overall_improvement"] == max(scores)
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1

    ours = agent.AutoPhase(model=str(trained.model))
    assert ours.trained_on == (DATA,)
    env = PassOrderEnv(PROGRAM)
    env.reset()
    assert len(ours.run(env)) <= env.meter.compilations <= 45


def test_a_model_tells_how_it_came_about(tmp_path: Path) -> None:
    trained = train.train(job(tmp_path))
    models = importlib.import_module("llmopt_bench.baselines.models")
    facts = models.load_model(trained.model, "autophase", train.make_action_set()).facts
    assert (facts["seed"], facts["data"], facts["programs"]) == (3, [DATA], 4)
    assert facts["validation"] == trained.validation
    assert facts["settings"]["hidden"] == 8
    assert facts["masked"]
    learnt = programs.draw(DATA, 4, 0, 65_536)
    assert facts["programs_sha256"] == programs.hash_of(reversed(learnt))


@pytest.mark.parametrize(("anneal", "rate"), [(True, 0.25e-3), (False, 1e-3)])
def test_the_learning_rate_falls_with_the_steps_of_all_rounds(anneal: bool, rate: float) -> None:
    config = train.Config(**TINY | {"steps": 400, "anneal": anneal, "learning_rate": 1e-3})
    env = vec_env.AutoPhaseVecEnv([load_program(PROGRAM)], 2, threads=1)
    learner = algorithms.make_algorithm(env, config, 0)
    learner.learn(100)  # as in rounds: it ends after 100, and does not know of the others
    learner.num_timesteps = 300
    learner._update_learning_rate(learner.policy.optimizer)
    assert learner.policy.optimizer.param_groups[0]["lr"] == pytest.approx(rate)
    env.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_resumed_is_as_uninterrupted(tmp_path: Path, algorithm: str) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train.train(job(whole, algorithm=algorithm))

    def interrupt(share: float, text: str) -> None:
        if (broken / "checkpoint.pt").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(job(broken, algorithm=algorithm, report=interrupt))
    assert len(curve(broken)) == 1
    halfway = weights(broken)
    train.train(job(broken, resume=True, algorithm=algorithm))

    expected = weights(whole)
    assert all(torch.equal(expected[name], tensor) for name, tensor in weights(broken).items())
    assert not all(torch.equal(expected[name], tensor) for name, tensor in halfway.items())
    assert [row["validation"] for row in curve(broken)] == [
        row["validation"] for row in curve(whole)
    ]


def test_what_is_interrupted_at_once_resumes_from_the_start(tmp_path: Path) -> None:
    train.train(job(tmp_path, resume=True, steps=90))
    assert len(curve(tmp_path)) == 1


def test_time_ends_a_training_after_a_round(tmp_path: Path) -> None:
    train.train(job(tmp_path, minutes=1e-9))
    assert len(curve(tmp_path)) == 1


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(BadTraining, match="expected a checkpoint of this training"):
        train.train(job(tmp_path, resume=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "a2c"}, "algorithm must be one of ppo, maskable-ppo, dqn, got 'a2c'"),
        ({"steps": 0}, "steps must be 1 or more, got 0"),
        ({"generated_share": 1.5}, "generated_share must be from 0 to 1"),
        ({"gama": 0.9}, "Did you mean 'gamma'"),
        ({"max_bytes": 1}, "at most 1 bytes of bitcode, got none"),
    ],
)
def test_refused_settings(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadTraining, match=message):
        train.train(job(tmp_path, **settings))


@pytest.fixture(name="env", scope="module")
def _env() -> Iterator[Any]:
    env = vec_env.AutoPhaseVecEnv([PROGRAM], 2, threads=1)
    yield env
    env.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_policy_in_numpy_is_that_of_pytorch(env: Any, algorithm: str) -> None:
    config = train.Config(**(TINY | {"algorithm": algorithm}))
    learner = algorithms.make_algorithm(env, config, seed=2)
    masked = algorithm == "maskable-ppo"
    policy = policies.policy_of(algorithms.network_of(learner), masked)
    rng = np.random.default_rng(0)
    rows = 40 * rng.random((64, 93), dtype=np.float32)
    useful = rng.random((64, 37)) < 0.5
    given = {"action_masks": useful} if masked else {}
    theirs, _ = learner.predict(rows, deterministic=True, **given)
    assert policy.act(rows, useful).tolist() == theirs.tolist()
    assert len(set(theirs.tolist())) > 1


@pytest.mark.parametrize("algorithm", ["maskable-ppo", "ppo"])
def test_quick_steps_are_those_of_the_library(env: Any, algorithm: str) -> None:
    config = train.Config(**(TINY | {"algorithm": algorithm}))
    policy = algorithms.make_algorithm(env, config, seed=2).policy
    rng = np.random.default_rng(0)
    rows = torch.as_tensor(40 * rng.random((2000, 93), dtype=np.float32))
    useful = rng.random((2000, 37)) < 0.5
    given = {"action_masks": useful} if algorithm == "maskable-ppo" else {}
    with torch.no_grad():
        actions, values, chances = policy(rows, **given)
        expected_values, expected_chances, _ = policy.evaluate_actions(rows, actions, **given)
        certain, _, _ = policy(rows, deterministic=True, **given)
        expected, _ = policy.predict(rows.numpy(), deterministic=True, **given)
        probabilities = policy.get_distribution(rows, **given).distribution.probs
    torch.testing.assert_close(values, expected_values)
    torch.testing.assert_close(chances, expected_chances)
    assert certain.tolist() == expected.tolist()
    if given:
        assert useful[np.arange(2000), actions].all()
    # How often each action came, against how often it should have.
    counts = np.bincount(actions, minlength=37)
    spread = (probabilities * (1 - probabilities)).sum(0).sqrt().numpy()
    assert (np.abs(counts - probabilities.sum(0).numpy()) <= 5 * spread + 1).all()


def test_validation_is_the_score_of_the_agent(tmp_path: Path) -> None:
    trained = train.train(job(tmp_path, steps=90))
    unseen = programs.draw(DATA, 2, 0, 65_536)
    ours = agent.AutoPhase(model=str(trained.model))
    pairs = []
    for program in unseen:
        env = PassOrderEnv(program)
        env.reset()
        pairs.append((env.oz, env.evaluate(ours.run(env))))
    oz, new = map(sum, zip(*pairs, strict=True))
    assert trained.validation["overall_improvement"] == oz / new - 1
    assert trained.validation["mean_over_oz"] == pytest.approx(
        sum((oz - new) / oz for oz, new in pairs) / 2
    )
    assert trained.validation["programs"] == 2


def test_drawn_programs() -> None:
    first = programs.draw(DATA, 5, 0, 65_536)
    assert len({program.uri for program in first}) == 5
    assert first == programs.draw(DATA, 5, 0, 65_536)
    assert first != programs.draw(DATA, 5, 1, 65_536)
    all_sizes = programs.draw(DATA, 20, 0, 65_536)
    limit = sorted(len(program.bitcode) for program in all_sizes)[9]
    small = [program for program in all_sizes if len(program.bitcode) <= limit]
    assert 10 <= len(small) < 20
    assert programs.draw(DATA, 20, 0, limit) == small


def test_programs_are_the_same_however_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = programs.draw(DATA, 5, 0, 65_536)
    monkeypatch.setattr(programs, "_ALONE", 10_000)
    assert programs.draw(DATA, 5, 0, 65_536) == alone


class Generator:
    """A dataset without an end, of which every other seed fails."""

    size = None
    calls = 0

    def require(self) -> None:
        pass

    def random(self, rng: np.random.Generator) -> Program:
        self.calls += 1
        if self.calls % 2:
            raise BadProgram("no program of this seed")
        return Program(f"generated/{rng.integers(1000)}", load_program(PROGRAM).bitcode)


def test_a_mixture_has_its_share_of_generated_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    real = programs.make_dataset
    generator = Generator()
    monkeypatch.setattr(
        programs, "make_dataset", lambda name: generator if name == "endless" else real(name)
    )
    mixture = programs.Mixture(20, 3, 0.25, 65_536)
    drawn = mixture.draw((DATA, "endless"), 0)
    found = [program.uri.partition("/")[0] for program in drawn]
    assert (found.count("generated"), found.count(DATA)) == (5, 15)
    assert len({program.uri for program in drawn}) == 18
    assert len(mixture.draw(("endless",), 0)) == 20
    none = programs.Mixture(20, 3, 0.0, 65_536).draw((DATA, "endless"), 0)
    assert {program.uri.partition("/")[0] for program in none} == {DATA}
    assert mixture.draw((DATA,), 0) == programs.draw(DATA, 20, 0, 65_536)
