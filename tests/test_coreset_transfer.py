"""What ``docs/experiments/coreset_transfer.py`` computes of its counts; no CompilerGym needed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from llmopt_bench import Session, make_action_set
from llmopt_bench.compiler_gym_actions import ACTION_SET, FLAGS
from llmopt_bench.errors import CompilerKilled, CompilerTimeout

EXPERIMENTS = Path(__file__).resolve().parent.parent / "docs" / "experiments"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXPERIMENTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load("coreset_transfer")


LISTS = [["-a"] * 2, ["-b"] * 3]


def two_programs(script: ModuleType) -> list[object]:
    return [
        script.Seen(200, 100, [[200, 90, 120], [200, 150, 80, 80]]),
        script.Seen(50, 40, [[50, 50, 50], [50, 25]]),  # the second list failed at its second flag
    ]


def test_the_lists_are_those_of_the_paper(script: ModuleType) -> None:
    lists = script.read_lists()
    assert len(lists) == 50
    assert sum(map(len, lists)) == 625
    assert {flag for one in lists for flag in one} <= set(FLAGS)
    first = "-irce -scalarizer -ipsccp -slp-vectorizer -newgvn -instcombine -simplifycfg"
    assert lists[0] == first.split()


def test_compilers_run_what_the_flags_mean(script: ModuleType) -> None:
    compilers = script.compilers()
    for compiler in compilers.values():
        assert set(compiler.actions.values()) <= set(make_action_set(compiler.action_set).names)
    assert list(compilers[script.OLD].actions) == list(FLAGS)
    assert list(compilers[script.SAME].actions) == list(compilers[script.NEW].actions)
    assert compilers[script.NEW].actions["-constprop"] == "instsimplify"
    assert "-newgvn" not in compilers[script.NEW].actions


def test_sizes_are_of_whole_lists_and_of_prefixes(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = script.sizes(two_programs(script), LISTS)
    assert found.ends.tolist() == [[120, 80], [50, np.inf]]
    assert script.whole(found).tolist() == [[120, 80], [50, 40]], "a failure counts as -Oz"
    assert found.best.tolist() == [[90, 80], [50, 25]], "what came before a failure counts"
    assert found.top.tolist() == [80, 25]
    monkeypatch.setattr(script, "BUDGET", 3)
    assert script.sizes(two_programs(script), LISTS).top.tolist() == [90, 25]
    monkeypatch.setattr(script, "BUDGET", 2)
    assert script.sizes(two_programs(script), LISTS).top.tolist() == [90, 50]


def test_each_method_has_its_gains(script: ModuleType) -> None:
    found = script.sizes(two_programs(script), LISTS)
    totals = {name: new.sum() for name, new in script.methods(found).items()}
    assert totals == {
        "unoptimised": 250,
        "-Oz": 140,
        "list 1": 170,
        "Top-45": 105,
        "oracle": 105,
        "oracle or -Oz": 105,
    }
    overall, mean, geomean = script.gains(np.array([120.0, 50.0]), found.oz)
    assert overall == pytest.approx(-30 / 140)
    assert mean == pytest.approx((-0.2 - 0.25) / 2)
    assert geomean == pytest.approx((100 / 120 * 40 / 50) ** 0.5)
    assert script.of_each_list(found) == pytest.approx([-30 / 140, 20 / 140])
    line = "| x | list 1 | 170 | -21.4 % | -22.5 % | 0.816 | 0 |"
    assert line in script.summary({"x": found}).splitlines()


def test_gains_on_two_compilers_are_compared(script: ModuleType) -> None:
    a = script.sizes(two_programs(script), LISTS)
    b = a._replace(ends=np.array([[100.0, 130.0], [39.0, 42.0]]))  # the other list is better
    facts = script.facts(a, b)
    assert facts["Pearson, all lists"] == facts["Spearman, all lists"] == "-1.00"
    assert facts["best list on the first, on the second"] == "2 (+14.3 %), 1 (+0.7 %)"
    assert facts["runs on the same side of -Oz"] == "0.0 %"
    runs = "runs smaller than -Oz: on the first, on the second, on both"
    assert facts[runs] == "25.0 %, 25.0 %, 0.0 %"
    # Of the second program it is the first list: a failure is no best.
    chosen = facts["each program's best list on the first, run on the second"]
    assert chosen == f"{100 * (1 - (130 + 39) / 140):+.1f} %"
    assert facts["each program's best list on the second"] == "+0.7 %"
    assert script.facts(a, a)["runs on the same side of -Oz"] == "100.0 %"


def test_equal_values_share_a_rank(script: ModuleType) -> None:
    assert script.ranks(np.array([3.0, 1.0, 3.0, 9.0])).tolist() == [1.5, 0, 1.5, 3]


def test_the_report_names_every_compiler_and_counts_failures(script: ModuleType) -> None:
    seen = two_programs(script)
    text = script.report({name: seen for name in script.compilers()}, LISTS)
    assert "LLVM 22 failed on 1 of 4 runs; list 2 at `-b`: 1." in text
    assert "5 of 5 flags (100.0 %) have no counterpart: `-b` 3, `-a` 2." in text


def test_a_walk_counts_after_each_flag(script: ModuleType) -> None:
    session = Session("bundled-v1/crc_family", action_set=make_action_set(ACTION_SET))
    counts = script.walk(session, ["mem2reg", None, "simplifycfg"])
    promoted, both = session.evaluate([["mem2reg"], ["mem2reg", "simplifycfg"]])
    assert counts == [session.initial(), promoted, promoted, both]
    assert script.walk(session, [None]) == [session.initial()] * 2, "each begins anew"


def test_a_walk_ends_where_the_compiler_fails(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session("bundled-v1/crc_family", action_set=make_action_set(ACTION_SET))
    answers: list[tuple[bool, int] | Exception]
    answers = [(True, 7), CompilerTimeout("late"), CompilerKilled("gone")]

    def step(_: str) -> tuple[bool, int]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(session, "step", step)
    assert script.walk(session, ["mem2reg", "gvn", "dce"]) == [session.initial(), 7]
    with pytest.raises(CompilerKilled):
        script.walk(session, ["mem2reg"])


def test_text_loses_only_what_llvm_10_does_not_know() -> None:
    older = load("llvm10_programs").as_llvm_10
    assert older("define i8* @noundef(i8* noundef %nocallback, i8* sret(%s) %x) #0 {\n") == (
        "define i8* @noundef(i8* %nocallback, i8* sret %x) #0 {\n"
    )
    assert older('attributes #0 = { mustprogress minsize "tune-cpu"="generic" }\n') == (
        "attributes #0 = { minsize }\n"
    )
    data = '@s = constant [9 x i8] c"noundef \\00"\n'
    assert older(data) == data
