"""Action sets and pass lists."""

from __future__ import annotations

import pickle
import re
import time
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench.errors import LlmoptError, UnknownName, UnknownPass
from llmopt_bench.passes import (
    Action,
    ActionSet,
    Exclusion,
    PassList,
    action_set_names,
    as_pass_list,
    make_action_set,
)
from llmopt_bench.passlist_text import MAX_PASSES, MAX_TEXT_LENGTH, legacy_flags

SMALL_TOML = """
name = "small-v1"
llvm_major = 22
[aliases]
"gvn" = "gvn<pre>"
[[action]]
name = "gvn<pre>"
pipeline = "function(gvn<pre>)"
level = "function"
[[action]]
name = "globaldce"
pipeline = "globaldce"
level = "module"
[[excluded]]
name = "internalize"
category = "visibility"
reason = "Hides definitions."
[[excluded]]
name = "globaldce<vfe>"
category = "visibility"
reason = "Hides tables."
[[excluded_rule]]
pattern = "print<.*>"
category = "prints"
reason = "Only prints."
"""


@pytest.fixture(scope="module")
def small() -> ActionSet:
    return ActionSet.from_toml(SMALL_TOML)


class TestActionSet:
    def test_looks_like_a_sequence_of_actions(self, small: ActionSet) -> None:
        assert len(small) == 2
        assert [action.name for action in small] == ["gvn<pre>", "globaldce"]
        assert small.names == ("gvn<pre>", "globaldce")
        assert small.pipelines == ("function(gvn<pre>)", "globaldce")
        assert small.index("globaldce") == 1
        assert small.pipeline_of("gvn<pre>") == "function(gvn<pre>)"
        assert "globaldce" in small
        assert "licm" not in small
        assert small.excluded["internalize"] == Exclusion("visibility", "Hides definitions.")

    def test_alias_means_its_action(self, small: ActionSet) -> None:
        assert small.index("gvn") == 0
        assert PassList(["gvn"], small).names == ("gvn<pre>",)

    def test_alias_of_nothing_is_refused(self) -> None:
        with pytest.raises(UnknownPass, match="licm"):
            ActionSet("x", 22, (Action("dce", "function(dce)", "function"),), aliases={"a": "licm"})

    def test_hash_follows_content_and_order_only(self, small: ActionSet) -> None:
        same = ActionSet("small-v1", 22, small.actions)
        turned = ActionSet("small-v1", 22, small.actions[::-1])
        renamed = ActionSet("small-v2", 22, small.actions)
        assert same.sha256 == small.sha256
        assert same == small
        assert len({small.sha256, turned.sha256, renamed.sha256}) == 3

    def test_hash_is_pinned(self, small: ActionSet) -> None:
        # Records carry this hash: a change of the way it is computed orphans all of them.
        expected = "87d34165b7f8073e0b6ecd5b1de5bfb820a323b3c7d606e3afeadcd724b905f3"
        assert small.sha256 == expected

    @pytest.mark.parametrize(
        ("name", "pipeline", "level"),
        [
            ("gvn", "function(dce)", "function"),
            ("gvn", "function(gvn)", "module"),
            ("gvn", "function(gvn,dce)", "function"),
        ],
    )
    def test_pipeline_must_hold_its_own_pass(self, name: str, pipeline: str, level: str) -> None:
        with pytest.raises(UnknownPass, match="should hold"):
            ActionSet("bad", 22, (Action(name, pipeline, level),))

    def test_repeated_action_is_refused(self) -> None:
        with pytest.raises(UnknownPass, match="twice"):
            ActionSet("bad", 22, (Action("globaldce", "globaldce", "module"),) * 2)

    @pytest.mark.parametrize(
        "text", ["name =", "name = 'x'", "name='x'\nllvm_major=22\naction=[{}]"]
    )
    def test_broken_toml_names_its_source(self, text: str) -> None:
        with pytest.raises(UnknownPass, match=r"mine\.toml"):
            ActionSet.from_toml(text, "mine.toml")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("globaldec", "Did you mean 'globaldce'"),
            ("internalize", r"excluded .*visibility.*Hides definitions"),
            ("internalize<preserve-gv=main>", "Hides definitions"),
            ("globaldce<vfe>", "Hides tables"),
            ("print<domtree>", "Only prints"),
            ("gvn<no-pre>", "which has 'gvn<pre>'"),
        ],
    )
    def test_miss_says_why(self, small: ActionSet, name: str, message: str) -> None:
        with pytest.raises(UnknownPass, match=message):
            small.index(name)

    def test_is_immutable(self, small: ActionSet) -> None:
        with pytest.raises(FrozenInstanceError):
            small.name = "other"  # type: ignore[misc]
        with pytest.raises(TypeError):
            small.excluded["dce"] = Exclusion("x", "y")  # type: ignore[index]
        with pytest.raises(AttributeError):
            PassList().names = ()  # type: ignore[misc]

    def test_own_set_survives_pickling(self, small: ActionSet) -> None:
        copy = pickle.loads(pickle.dumps(small))
        assert copy == small
        assert copy.excluded == small.excluded
        assert copy.index("gvn") == 0


class TestShippedSet:
    def test_is_made_once_and_pickles_to_itself(self) -> None:
        actions = make_action_set()
        assert make_action_set("passes-v1") is actions
        assert pickle.loads(pickle.dumps(actions)) is actions
        assert len(pickle.dumps(actions)) < 200

    def test_names(self) -> None:
        assert "passes-v1" in action_set_names()
        assert "legacy" not in action_set_names()
        with pytest.raises(UnknownName, match="passes-v1"):
            make_action_set("passes-v9")

    def test_holds_the_pipelines_and_no_excluded_pass(self) -> None:
        actions = make_action_set()
        assert actions.llvm_major == 22
        assert {"default<Oz>", "default<O3>", "globaldce", "inline"} <= set(actions.names)
        assert "internalize" in actions.excluded
        assert not set(actions.names) & set(actions.excluded)
        for pattern, exclusion in actions.exclusion_rules:
            assert not [name for name in actions.names if re.fullmatch(pattern, name)], exclusion

    def test_every_legacy_flag_has_one_fate(self) -> None:
        legacy, actions = legacy_flags(), make_action_set()
        assert not set(legacy.mapped) & set(legacy.dropped)
        assert [name for name in legacy.mapped.values() if name not in actions] == []
        assert all(flag.startswith("-") for flag in (*legacy.mapped, *legacy.dropped))


class TestPassList:
    def test_is_a_sequence_of_names(self) -> None:
        passes = PassList(["gvn", "globaldce", "licm"])
        assert list(passes) == ["gvn", "globaldce", "licm"]
        assert passes[0] == "gvn"
        assert passes[-1] == "licm"
        assert len(passes) == 3
        assert "licm" in passes
        assert repr(passes) == "PassList(['gvn', 'globaldce', 'licm'])"

    def test_text_is_nested_to_module_level(self) -> None:
        assert PassList(["gvn", "globaldce"]).text == "function(gvn),globaldce"
        assert str(PassList()) == ""

    def test_slices_and_sums_are_pass_lists(self) -> None:
        passes = PassList(["gvn", "globaldce", "licm"])
        assert passes[1:] == PassList(["globaldce", "licm"])
        more = ["dce"]
        assert passes + more == PassList(["gvn", "globaldce", "licm", "dce"])
        assert PassList(["gvn"]) + PassList(["dce"]) == PassList(["gvn", "dce"])

    def test_equal_by_names_and_action_set(self, small: ActionSet) -> None:
        ours, theirs = PassList(["globaldce"], small), PassList(["globaldce"])
        assert ours != theirs
        assert PassList(["globaldce"]) == theirs
        assert len({ours, theirs, PassList(["globaldce"])}) == 2
        assert theirs != ["globaldce"]

    def test_lists_of_two_sets_do_not_mix(self, small: ActionSet) -> None:
        with pytest.raises(UnknownPass, match="small-v1"):
            PassList(["dce"]) + PassList(["globaldce"], small)
        with pytest.raises(UnknownPass, match="small-v1"):
            as_pass_list(PassList(["dce"]), small)

    def test_checks_names_and_length(self) -> None:
        with pytest.raises(UnknownPass, match="sroaa"):
            PassList(["sroaa"])
        with pytest.raises(UnknownPass, match="parse"):
            PassList("gvn")
        with pytest.raises(UnknownPass, match="100,001"):
            PassList(["dce"] * (MAX_PASSES + 1))
        with pytest.raises(UnknownPass):
            PassList([3])  # type: ignore[list-item]

    def test_pickles_small(self) -> None:
        passes = PassList(["gvn", "dce"])
        assert pickle.loads(pickle.dumps(passes)) == passes
        assert len(pickle.dumps(passes)) < 300

    def test_as_pass_list(self) -> None:
        passes = PassList(["gvn", "dce"])
        assert as_pass_list(passes) is passes
        assert as_pass_list("gvn,dce") == passes
        assert as_pass_list(name for name in ("gvn", "dce")) == passes


class TestParse:
    @given(st.lists(st.sampled_from(make_action_set().names), max_size=12))
    @settings(max_examples=200, deadline=None)
    def test_own_text_and_names_round_trip(self, names: list[str]) -> None:
        passes = PassList(names)
        assert PassList.parse(passes.text) == passes
        assert PassList.parse(" ".join(names)) == passes

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("", []),
            (" \n", []),
            ("gvn, dce\n licm", ["gvn", "dce", "licm"]),
            ("module(globaldce)", ["globaldce"]),
            ("function(gvn,dce)", ["gvn", "dce"]),
            ("function<eager-inv>(gvn),globaldce", ["gvn", "globaldce"]),
            ("cgscc(inline,function(gvn))", ["inline", "gvn"]),
            ("module(function(loop-mssa(licm,lnicm),dce),globaldce)",
             ["licm", "lnicm", "dce", "globaldce"]),
            ("function(early-cse<memssa>) default<Oz>", ["early-cse<memssa>", "default<Oz>"]),
            ("instcombine", ["instcombine<no-verify-fixpoint>"]),
            ("opt -passes='function(gvn,dce)' in.bc -S -o out.ll", ["gvn", "dce"]),
            ("/usr/bin/opt-22 -p gvn,dce -", ["gvn", "dce"]),
            ("opt --passes=gvn in.ll", ["gvn"]),
        ],
    )  # fmt: skip
    def test_reads(self, text: str, names: list[str]) -> None:
        assert list(PassList.parse(text)) == names

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("-mem2reg -early-cse-memssa -O2", ["mem2reg", "early-cse<memssa>", "default<O2>"]),
            ("--gvn", ["gvn"]),
            ("opt -O2 -gvn input.bc -o out.bc", ["default<O2>", "gvn"]),
            ("-gvn,dce -licm", ["gvn", "dce", "licm"]),
            ("function(-gvn)", ["gvn"]),
        ],
    )
    def test_reads_legacy_flags(self, text: str, names: list[str]) -> None:
        assert list(PassList.parse(text)) == names

    def test_flag_without_successor_needs_leave_to_go(self) -> None:
        flag, reason = next(iter(legacy_flags().dropped.items()))
        text = f"-gvn {flag} -dce"
        with pytest.raises(UnknownPass, match=re.escape(reason)):
            PassList.parse(text)
        assert list(PassList.parse(text, drop_unmapped=True)) == ["gvn", "dce"]

    def test_flag_whose_action_the_set_lacks_counts_as_unmapped(self, small: ActionSet) -> None:
        with pytest.raises(UnknownPass, match="licm"):
            PassList.parse("-licm", small)
        assert list(PassList.parse("-licm -globaldce", small, drop_unmapped=True)) == ["globaldce"]

    def test_unknown_flag_is_never_dropped(self) -> None:
        with pytest.raises(UnknownPass, match="made-up"):
            PassList.parse("-made-up", drop_unmapped=True)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("sroaa", "Did you mean 'sroa"),
            ("internalize,globaldce", "excluded"),
            ("early-cse<memsa>", "early-cse<memssa>"),
            ("function(globaldce)", "module pass"),
            ("function(module(globaldce))", "cannot stand inside"),
            ("repeat<2>(gvn)", "expected one of module"),
            ("function(gvn", r"1 '\(' without"),
            ("gvn)", r"column 4: '\)'"),
            ("gvn<pre", "column 4"),
            ("gvn>", "column 4"),
            ("function (gvn)", "before '\\('"),
            ("opt 'gvn", "command line"),
        ],
    )
    def test_refuses(self, text: str, message: str) -> None:
        with pytest.raises(UnknownPass, match=message):
            PassList.parse(text)

    @pytest.mark.parametrize(
        "text",
        [
            "(" * 1_000_000,
            "function(" * 110_000,
            ")" * 1_000_000,
            "a<" * 500_000,
            "x" * MAX_TEXT_LENGTH,
            "x" * (MAX_TEXT_LENGTH + 1),
            "dce," * (MAX_PASSES + 1),
            "-" * 1_000_000,
            "opt '" + "x" * 200_000,
        ],
        ids=lambda text: f"{text[:9]}*{len(text)}",
    )
    def test_hostile_text_is_refused_quickly(self, text: str) -> None:
        start = time.perf_counter()
        with pytest.raises(UnknownPass) as caught:
            PassList.parse(text)
        assert time.perf_counter() - start < 5
        assert len(str(caught.value)) < 500

    @given(st.text(alphabet="gvndce,()<> -\n'", max_size=40))
    @settings(max_examples=300, deadline=None)
    def test_any_text_is_read_or_refused_by_our_error(self, text: str) -> None:
        try:
            passes = PassList.parse(text)
        except LlmoptError:
            return
        assert PassList.parse(passes.text) == passes
