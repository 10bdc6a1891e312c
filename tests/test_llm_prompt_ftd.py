"""The prompt of Meta's LLM Compiler to the letter, and its answers mapped on passes-v1."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from llmopt_bench import PassList, make_action_set

prompt: Any = importlib.import_module("llmopt_bench.agents.llm.prompt")
Answer, Problem = prompt.Answer, prompt.Problem

ACTIONS = make_action_set("passes-v1")
FTD = prompt.make_prompt("llm-compiler-ftd")


def parse(text: str) -> Any:
    return FTD.parse(text, ACTIONS)


def test_the_prompt_to_the_letter() -> None:
    ir = "define void @f() {\n  ret void\n}"
    expected = (
        "[INST] Tell me how to optimize this LLVM-IR for object file size:\n\n"
        "<code>define void @f() {\n  ret void\n}\n</code> [/INST]"
    )
    assert FTD.request(prompt.View(ir), ACTIONS) == expected
    assert FTD.request(prompt.View(ir + "\n"), ACTIONS) == expected


@pytest.mark.parametrize(
    ("pipeline", "names", "problems"),
    [
        ("module(default<Oz>)", ["default<Oz>"], []),
        ("module(default<Oz>),module(iroutliner)", ["default<Oz>", "iroutliner"], []),
        ("function(sroa<modify-cfg>,gvn<>)", ["sroa", "gvn"], []),
        ("cgscc(inline)", ["inline"], []),
        ("function(loop-mssa(licm<allowspeculation>))", ["licm"], []),
        ("cgscc(devirt<4>(inline)),function(lowerswitch)", ["inline", "lower-switch"], []),
        ("function<eager-inv;no-rerun>(flattencfg)", ["flatten-cfg"], []),
        ("default<O0>,gvn", ["gvn"], [Problem.DROPPED_PASS]),
        ("loop(loop-reroll),gvn", ["gvn"], [Problem.DROPPED_PASS]),
        ("function(newgvn,loweratomic),gvn", ["gvn"], [Problem.DROPPED_PASS]),
        ("require<globals-aa>,invalidate<all>,gvn", ["gvn"], [Problem.DROPPED_PASS]),
        ("instcombine<no-use-loop-info>", ["instcombine"], [Problem.OTHER_PARAMETERS]),
        ("function(loop(licm,indvars))", ["licm", "indvars"], [Problem.REGROUPED]),
        ("cgscc(inline,argpromotion)", ["inline", "argpromotion"], [Problem.REGROUPED]),
        ("module(gvn,newgvm)", ["gvn"], [Problem.UNKNOWN_PASS]),
        ("module(newgvm)", None, [Problem.UNKNOWN_PASS]),
        ("internalize", None, [Problem.DROPPED_PASS]),
        ("module(gvn", ["gvn"], [Problem.CUT_LIST]),
        ("", [], []),
    ],
)
def test_pipelines(pipeline: str, names: list[str] | None, problems: list[Any]) -> None:
    answer = parse(f"Use opt -p '{pipeline}'")
    expected = None if names is None else PassList(names)
    assert (answer.passes, list(answer.problems)) == (expected, problems)


@pytest.mark.parametrize(
    "command",
    [
        "opt -p 'sroa,gvn'",
        'opt -p "sroa,gvn"',
        "opt -passes='sroa,gvn' x.ll",
        "opt-17 -S --passes=sroa,gvn x.ll -o y.ll",
        "Try `opt -p sroa,gvn`.",
    ],
)
def test_spellings_of_the_command(command: str) -> None:
    assert parse(command).passes == PassList(["sroa", "gvn"])


def test_the_first_command_counts() -> None:
    answer = parse("opt -p 'gvn' and then opt -p 'dce' with instruction count from 3 to 2.")
    assert answer == Answer(PassList(["gvn"]), 3, 2)


@pytest.mark.parametrize("text", ["Run passes gvn", "option -p 'gvn'", "opt -O2", "-p 'gvn'"])
def test_no_command(text: str) -> None:
    assert parse(text) == Answer(None, problems=(Problem.NO_LIST,))


def test_a_command_that_is_cut() -> None:
    answer = parse("opt -p 'function(sroa,gvn")
    assert answer.passes == PassList(["sroa", "gvn"])
    assert answer.problems == (Problem.CUT_LIST,)


@pytest.mark.parametrize(
    ("figures", "counts", "sizes"),
    [
        (
            " will reduce the instruction count from 20 to 12 "
            "and the binary size from 300 to 200 bytes.",
            (20, 12),
            (300, 200),
        ),
        (
            "\nThe input code has instruction count 20 and binary size 300 bytes. "
            "The compiled code has instruction count 12 and binary size 200 bytes.",
            (20, 12),
            (300, 200),
        ),
        (": Instruction count goes from 20 to 12.", (20, 12), (None, None)),
        (
            ".\nOptimized code has instruction count 12 and binary size 8 bytes.",
            (None, 12),
            (None, 8),
        ),
    ],
)
def test_figures(figures: str, counts: tuple[int, int], sizes: tuple[int, int]) -> None:
    answer = parse(f"opt -p 'gvn'{figures}")
    assert (answer.before, answer.after) == counts
    assert (answer.bytes_before, answer.bytes_after) == sizes
    assert answer.problems == ()


def test_figures_that_are_missing() -> None:
    assert parse("opt -p 'gvn' makes it smaller.").problems == (Problem.NO_COUNTS,)
    assert parse("opt -p 'gvn'.\n").problems == ()


def test_figures_in_the_ir_do_not_count() -> None:
    text = "opt -p 'gvn'\n<code>; instruction count from 5 to 4.\nret void\n</code>\n"
    answer = parse(text)
    assert (answer.before, answer.ir) == (None, "; instruction count from 5 to 4.\nret void")


def test_ir_that_is_cut() -> None:
    answer = parse("opt -p 'gvn' instruction count from 5 to 4.\n<code>define void @f() {")
    assert (answer.after, answer.ir, answer.problems) == (4, None, (Problem.CUT_IR,))
