"""CompilerGym's 124 actions and what they mean today."""

from __future__ import annotations

import pickle
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench import PassList, Session, make_action_set
from llmopt_bench.compiler_gym_actions import ACTION_SET, FLAGS, FlagSpace, flag_mapping
from llmopt_bench.errors import UnknownPass

SHA256 = "2abe98ff7b2118f354cac484742ae2ce571da1b50feff53d1493bc3c7a93aa3d"
MERGED = {
    "-constprop": "-instsimplify",
    "-die": "-dce",
    "-ipconstprop": "-ipsccp",
    "-prune-eh": "-functionattrs",
}
"""Flags whose pass another flag means too."""


def test_the_mapping_has_every_flag_once_with_a_pass_or_a_reason() -> None:
    mapping = flag_mapping()
    assert [entry.flag for entry in mapping] == list(FLAGS)
    assert [entry.number for entry in mapping] == list(range(124))
    assert len(set(FLAGS)) == 124
    assert (FLAGS[0], FLAGS[10], FLAGS[-1]) == (
        "-add-discriminators",
        "-simplifycfg",
        "-mergereturn",
    )
    for entry in mapping:
        assert (entry.action is None) != (entry.reason is None), entry
    assert sum(entry.action is None for entry in mapping) == 36


def test_the_action_set_is_pinned_and_has_the_passes_in_the_order_of_the_flags() -> None:
    actions = make_action_set(ACTION_SET)
    assert actions.sha256 == SHA256
    passes = [entry.action for entry in flag_mapping() if entry.action is not None]
    assert list(actions.names) == list(dict.fromkeys(passes))
    reviewed = make_action_set("passes-v1")
    assert [reviewed.pipeline_of(name) for name in actions.names] == list(actions.pipelines)


def test_flags_are_numbered_and_named() -> None:
    space = FlagSpace()
    assert space.n == len(space.flags) == len(space.passes) == 88
    assert space.names == space.flags
    assert list(space.flags) == [flag for flag in FLAGS if flag in space.flags]
    number = space["-loop-unswitch"]
    assert number == space.flags.index("-loop-unswitch")
    assert space.passes[number] == "simple-loop-unswitch<nontrivial;trivial>"
    assert space == pickle.loads(pickle.dumps(space))


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("-newgvn", "has no successor: Miscompiles"),
        ("-loop-reroll", "LLVM removed the pass"),
        ("-mem2re", "Did you mean '-mem2reg'"),
        ("mem2reg", "unknown flag"),
    ],
)
def test_flags_that_are_absent_say_why(flag: str, message: str) -> None:
    with pytest.raises(UnknownPass, match=message):
        FlagSpace()[flag]


@pytest.mark.parametrize("seed", range(5))
def test_command_lines_round_trip(seed: int) -> None:
    space = FlagSpace()
    actions = np.random.default_rng(seed).integers(space.n, size=seed * 10).tolist()
    text = space.to_string(actions)
    again = space.from_string(text)
    twins = {space[flag]: space[other] for flag, other in MERGED.items()}
    assert again == [twins.get(number, number) for number in actions]
    assert space.to_string(again) == text


def test_every_flag_comes_back_as_itself_or_its_twin() -> None:
    space = FlagSpace()
    back = {
        space.flags[n]: space.flags[space.from_string(space.to_string([n]))[0]] for n in range(88)
    }
    assert {flag: other for flag, other in back.items() if flag != other} == MERGED


def test_the_empty_command_line() -> None:
    assert FlagSpace().to_string([]) == "opt input.bc -o output.bc"
    assert FlagSpace().from_string("opt input.bc -o output.bc") == []


def test_command_lines_of_compiler_gym_are_read() -> None:
    space = FlagSpace()
    text = "opt -mem2reg -early-cse-memssa -strip -sroa input.bc -o output.bc"
    with pytest.raises(UnknownPass, match="'-strip' has no successor"):
        space.from_string(text)
    found = space.from_string(text, drop_unmapped=True)
    assert [space.flags[number] for number in found] == ["-mem2reg", "-early-cse-memssa", "-sroa"]
    assert space.pass_list(found) == PassList(
        ["mem2reg", "early-cse<memssa>", "sroa"], make_action_set(ACTION_SET)
    )


@pytest.mark.skipif(shutil.which("opt-22") is None, reason="needs opt-22")
def test_command_lines_run(tmp_path: Path) -> None:
    space = FlagSpace()
    session = Session("bundled-v1/crc_family")
    (tmp_path / "input.bc").write_bytes(session.bitcode())
    flags = ("-mem2reg", "-simplifycfg", "-instcombine", "-loop-rotate", "-inline")
    text = space.to_string(space[flag] for flag in flags)
    _, *arguments = shlex.split(text)
    subprocess.run(["opt-22", *arguments], cwd=tmp_path, check=True, timeout=60)
    session.apply(space.pass_list(space[flag] for flag in flags))
    assert Session(tmp_path / "output.bc").content_hash() == session.content_hash()
