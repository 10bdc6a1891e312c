"""The agent ``llm``: with models that know nothing, what it answers is always a valid list."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from llm_models import CHAT, action_tokenizer, module, plain_tokenizer, save_model, torch
from searching import Recorder, few_actions

from llmopt_bench import BadModel, PassList, load_agent

NAME = "llmopt_bench.agents.llm.agent:LlmAgent"
MODULE = "bundled-v1/arena_pool"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return folders with models: one in which each action is a token, one that spells them."""
    place = tmp_path_factory.mktemp("models")
    spelling = plain_tokenizer()
    spelling.chat_template = CHAT
    return {
        "actions": save_model(place / "actions", action_tokenizer(), 3),
        "short": save_model(place / "short", action_tokenizer(), 3, context=1536),
        "pieces": save_model(place / "pieces", spelling, 1, context=8192),
    }


def answer(env: Recorder, folder: str, **settings: Any) -> tuple[PassList, dict[str, Any]]:
    """Ask the model alone, unless ``refine`` is among the settings."""
    agent = load_agent(NAME, model=folder, max_passes=5, **{"refine": False, **settings})
    passes = agent.run(env)
    return passes, agent.usage


def test_without_a_budget_the_greedy_answer_is_not_tried(folders: dict[str, str]) -> None:
    found = []
    for decoding in ("greedy", "sample", "priority"):
        env = Recorder(0)
        passes, usage = answer(env, folders["actions"], decoding=decoding)
        assert (env.meter.compilations, usage["answers"], usage["rule_whole"]) == (0, 1, 1)
        found.append(passes)
    assert found[0] == found[1] == found[2]
    assert "fallbacks" not in usage


@pytest.mark.parametrize("decoding", ["sample", "priority"])
def test_with_a_budget_different_lists_are_tried(folders: dict[str, str], decoding: str) -> None:
    untried, _ = answer(Recorder(0), folders["actions"])
    env = Recorder(7)
    passes, usage = answer(env, folders["actions"], decoding=decoding)
    assert env.lists[0] == untried
    assert len(set(env.lists)) == len(env.lists) == env.meter.compilations == 7
    assert env.value_of(passes) == min(env.best_seen()[0], env.initial) <= env.value_of(untried)
    assert usage["answers"] >= 7
    fewer = Recorder(7)
    answer(fewer, folders["actions"], decoding=decoding, samples=3)
    assert fewer.lists == env.lists[:3]


def test_without_a_limit_thirty_lists_are_tried(folders: dict[str, str]) -> None:
    env = Recorder(None)
    answer(env, folders["actions"])
    assert len(set(env.lists)) == env.meter.compilations == 30


@pytest.mark.parametrize(
    ("budget", "samples", "of_the_model"),
    [(6, None, 6), (12, None, 8), (20, None, 10), (40, None, 15), (9, 3, 3)],
)
def test_the_tuner_goes_on_from_the_lists_of_the_model(
    folders: dict[str, str], budget: int, samples: int | None, of_the_model: int
) -> None:
    alone, env = Recorder(of_the_model), Recorder(budget)
    answer(alone, folders["actions"])
    passes, usage = answer(env, folders["actions"], samples=samples, refine=True)
    assert env.lists[:of_the_model] == alone.lists
    assert len(set(env.lists)) == len(env.lists) == env.meter.compilations == budget
    assert env.value_of(passes) == min(env.best_seen()[0], env.initial)
    assert usage["answers"] < budget or of_the_model == budget


def test_of_a_shared_budget_a_model_with_a_portfolio_names_as_many_lists(
    folders: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["actions"], folder)
    (folder / "portfolio.json").write_text('[["Oz"], ["sroa<modify-cfg>"], ["gvn"]]', "utf-8")
    alone, env, unlimited = Recorder(3), Recorder(12), Recorder(None)
    answer(alone, folders["actions"])
    _, usage = answer(env, str(folder), refine=True)
    assert (env.lists[:3], usage["answers"]) == (alone.lists, 3)
    assert env.meter.compilations == 12
    answer(unlimited, str(folder), refine=True)
    assert unlimited.meter.compilations == 30


def test_the_tuner_takes_what_the_model_leaves(folders: dict[str, str]) -> None:
    env = Recorder(5)
    _, usage = answer(env, folders["actions"], decoding="greedy", refine=True)
    assert (usage["answers"], env.meter.compilations) == (1, 5)


@pytest.mark.parametrize(
    ("model", "prompt"), [("actions", "paper"), ("pieces", "paper"), ("pieces", "chat")]
)
def test_every_answer_of_a_model_that_knows_nothing_is_valid(
    folders: dict[str, str], model: str, prompt: str
) -> None:
    env = Recorder(12)
    # Tokens enough for the longest actions, letter by letter.
    settings = {"prompt": prompt, "decoding": "sample", "temperature": 2.0, "max_tokens": 700}
    _, usage = answer(env, folders[model], **settings)
    assert len(env.lists) == 12
    assert all(1 <= len(passes) <= 5 for passes in env.lists)
    assert not [name for name in usage if name.startswith(("problem", "fallback"))]


def test_nonsense_is_oz(folders: dict[str, str]) -> None:
    passes, usage = answer(Recorder(0), folders["actions"], constrained=False)
    assert passes == PassList(["Oz"])
    assert usage["fallbacks"] == 1
    assert usage.get("problem_no-list", 0) + usage.get("problem_empty", 0) == 1


def test_an_answer_that_is_cut_before_its_list_is_oz(folders: dict[str, str]) -> None:
    passes, usage = answer(Recorder(0), folders["pieces"], max_tokens=2)
    assert (passes, usage["fallbacks"]) == (PassList(["Oz"]), 1)


def test_oz_is_tried_if_it_is_asked_for(folders: dict[str, str]) -> None:
    env = Recorder(4)
    answer(env, folders["actions"], try_oz=True)
    assert env.lists[1] == PassList(["Oz"])
    assert len(env.lists) == 4
    env = Recorder(4)
    answer(env, folders["actions"], try_oz=True, decoding="greedy")
    assert env.lists[1:] == [PassList(["Oz"])]
    env = Recorder(1)
    answer(env, folders["actions"], try_oz=True)
    assert PassList(["Oz"]) not in env.lists


def test_draws_depend_on_the_seed_of_the_environment_alone(folders: dict[str, str]) -> None:
    torch.manual_seed(1)
    envs = [Recorder(6) for _ in range(3)]
    envs[2].reset(seed=2)
    for env in envs:
        answer(env, folders["actions"], decoding="sample")
        torch.rand(3)
    assert envs[0].lists == envs[1].lists != envs[2].lists


def test_a_module_that_does_not_fit_is_split(folders: dict[str, str]) -> None:
    env = Recorder(3, MODULE)
    passes, usage = answer(env, folders["short"])
    assert usage["rule_functions"] == 1
    assert usage["answers"] > 1
    assert env.meter.compilations == 3
    assert env.value_of(passes) <= env.initial


def test_a_program_that_cannot_be_shown_is_oz(tmp_path: Path) -> None:
    folder = save_model(tmp_path, action_tokenizer(), context=64)
    passes, usage = answer(Recorder(0, MODULE), folder)
    assert passes == PassList(["Oz"])
    assert (usage["rule_nothing"], usage["fallbacks"], usage["calls"]) == (1, 1, 0)


def test_the_action_set_of_the_environment_is_the_grammar(folders: dict[str, str]) -> None:
    actions = few_actions("dce", "gvn<no-pre>", "Oz")
    env = Recorder(8, actions=actions)
    answer(env, folders["pieces"], decoding="sample", temperature=2.0)
    assert len(env.lists) == 8


def test_feedback_turns_are_compilations(folders: dict[str, str]) -> None:
    env = Recorder(9)
    settings = {"turns": 3, "decoding": "sample", "temperature": 2.0, "prompt": "chat"}
    _, usage = answer(env, folders["pieces"], max_tokens=400, **settings)
    assert usage["answers"] == 3
    assert len(env.lists) == env.meter.compilations == len(set(env.lists))


def test_usage_is_that_of_the_last_run(folders: dict[str, str]) -> None:
    agent = load_agent(NAME, model=folders["short"], max_passes=5)
    agent.run(Recorder(0, MODULE))
    assert "rule_functions" in agent.usage
    agent.run(Recorder(0))
    first = agent.usage
    assert "rule_functions" not in first
    assert first["tokens_in"] > first["tokens_out"] > 0
    agent.run(Recorder(0))
    assert agent.usage == first


def test_the_reference_is_not_looked_at(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any) -> int:
        raise AssertionError("an agent must not see the reference")

    monkeypatch.setattr(Recorder, "oz", property(refuse))
    answer(Recorder(3), folders["actions"])


def test_torch_runs_with_the_threads_of_the_settings(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    show = module("agent").show
    monkeypatch.setattr(
        module("agent"),
        "show",
        lambda *args: (seen.append(torch.get_num_threads()), show(*args))[1],
    )
    before = torch.get_num_threads()
    answer(Recorder(0), folders["actions"], threads=before + 1)
    assert (seen, torch.get_num_threads()) == ([before + 1], before)


def test_the_room_for_an_answer_grows_with_its_passes(folders: dict[str, str]) -> None:
    agent, actions = module("agent"), Recorder(0).action_set
    load, paper = module("loading").load, module("prompt").make_prompt("paper")
    own, pieces = (
        [
            agent.answer_room(
                module("local").LocalModel(load(folders[name])), paper, actions, count
            )
            for count in (1, 20)
        ]
        for name in ("actions", "pieces")
    )
    assert own[1] - own[0] == pytest.approx(38, abs=2)  # an action and its comma are two tokens
    assert pieces[1] - pieces[0] > 38


def test_a_model_that_says_its_prompt_is_asked_that_way(
    folders: dict[str, str], tmp_path: Path
) -> None:
    told = tmp_path / "told"
    shutil.copytree(folders["actions"], told)
    config = json.loads((told / "config.json").read_text())
    (told / "config.json").write_text(json.dumps(config | {"llmopt_prompt": "compact"}))
    tokens = {}
    for prompt in (None, "compact", "paper"):
        _, tokens[prompt] = answer(Recorder(0), str(told), prompt=prompt)
    assert tokens[None] == tokens["compact"]
    assert tokens["compact"]["tokens_in"] < tokens["paper"]["tokens_in"]
    assert answer(Recorder(0), folders["actions"])[1] == tokens["paper"]  # says nothing
    (told / "config.json").write_text(json.dumps(config | {"llmopt_prompt": "poem"}))
    module("loading").load.cache_clear()
    with pytest.raises(
        BadModel, match=r"llmopt_prompt in config.json to be one of paper, .*'poem'"
    ):
        answer(Recorder(0), str(told))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoding": "beam"}, "expected a decoding of"),
        ({"dtype": "float16"}, "a dtype of"),
        ({"prompt": "poem"}, "unknown prompt 'poem'"),
        ({"prompt": "llm-compiler-ftd"}, "Set constrained=False"),
        ({"samples": 0}, "samples must be 1 or more"),
        ({"max_tokens": 0}, "max_tokens must be 1 or more"),
        ({"threads": 0}, "threads must be 1 or more"),
        ({"temperature": 0.0, "decoding": "sample"}, "temperature above 0"),
        ({"top_p": 0.0}, "top_p"),
        ({"turns": 2}, "turns need decoding 'greedy' or 'sample'"),
        ({"feedback": "rude"}, "feedback must be one of"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        load_agent(NAME, **settings)


@pytest.mark.parametrize("name", ["torch", "transformers", "llguidance"])
def test_what_is_not_installed_is_told_before_a_run(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    agent = module("agent")
    monkeypatch.setattr(agent, "find_spec", lambda wanted: None if wanted == name else object())
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{name}'"):
        agent.LlmAgent()


def test_without_the_shipped_model_one_must_be_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module("agent"), "SHIPPED", tmp_path / "nothing")
    with pytest.raises(BadModel, match="llmopt-bench train llm"):
        load_agent(NAME).run(Recorder(0))


def test_where_a_model_learnt_is_known_of_the_shipped_one_and_the_tuner(
    folders: dict[str, str],
) -> None:
    def learnt(**settings: Any) -> tuple[str, ...]:
        return load_agent(NAME, **settings).info.trained_on

    assert learnt() == learnt(refine=False) == ("corpus-train-v1",)
    assert learnt(model=folders["actions"]) == load_agent("tuner").info.trained_on
    assert learnt(model=folders["actions"], refine=False) == ()


def test_the_agent_is_found_without_torch() -> None:
    import subprocess
    import sys

    script = (
        f"import sys, llmopt_bench; llmopt_bench.load_agent({NAME!r}, model='x');"
        "sys.exit(bool({'torch', 'transformers', 'llguidance'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
