import threading

import numpy as np
import pytest

import llmopt_bench
from llmopt_bench import PassList, Session, load_program
from llmopt_bench.errors import UnknownName, UnknownPass

PROGRAM = "bundled-v1/crc_family"
SMALL = "bundled-v1/mandel_ascii"


@pytest.fixture
def session() -> Session:
    return Session(PROGRAM)


def test_apply_changes_the_module_and_reset_brings_it_back(session):
    before = session.instruction_count
    assert session.apply("mem2reg") is True
    assert session.instruction_count < before
    session.reset()
    assert session.instruction_count == before == session.initial()


def test_apply_says_when_nothing_changed(session):
    session.apply("mem2reg")
    assert session.apply("mem2reg") is False


def test_apply_takes_alias_text_and_pass_list(session):
    by_alias, by_text, by_list = session, Session(PROGRAM), Session(PROGRAM)
    by_alias.apply("instcombine")
    by_text.apply("function(instcombine)")
    by_list.apply(PassList(["instcombine"]))
    assert by_alias.content_hash() == by_text.content_hash() == by_list.content_hash()


def test_plain_instcombine_never_runs_its_fixpoint_check():
    # In opt this text ends the process on many modules.
    for uri in llmopt_bench.make_dataset("bundled-v1").uris():
        Session(uri).apply("function(instcombine),function(instcombine<max-iterations=1>)")


@pytest.mark.parametrize("text", ["no-such-pass", "function(", "sroa<nonsense>", "loop(inline)"])
def test_unknown_pass_leaves_the_module_alone(session, text):
    with pytest.raises(UnknownPass, match=r"expected a pass pipeline.*got"):
        session.apply(text)
    assert session.instruction_count == session.initial()


def test_evaluate_leaves_the_session_alone(session):
    session.apply("mem2reg")
    now = session.content_hash()
    assert session.evaluate([["mem2reg"], [], "Oz"]) == [
        session.instruction_count,
        session.initial(),
        session.reference("Oz"),
    ]
    assert session.content_hash() == now


def test_evaluate_refuses_one_list_where_several_are_meant(session):
    with pytest.raises(TypeError, match="sequence of pass lists"):
        session.evaluate("mem2reg")


def test_evaluate_refuses_what_the_action_set_excludes(session):
    with pytest.raises(UnknownPass, match="excluded"):
        session.evaluate(["internalize,globaldce"])


def test_step_by_step_equals_one_pipeline():
    names = ["sroa", "simplifycfg", "instcombine", "gvn", "licm", "inline", "globaldce", "Oz"]
    stepped, at_once = Session(PROGRAM), Session(PROGRAM)
    for name in names:
        stepped.apply(name)
    at_once.apply(PassList(names))
    assert stepped.content_hash() == at_once.content_hash()


def test_clone_goes_on_by_itself(session):
    session.apply("mem2reg")
    twin = session.clone()
    assert twin.content_hash() == session.content_hash()
    twin.apply("Oz")
    assert twin.instruction_count < session.instruction_count
    session.apply("simplifycfg")
    fresh = Session(PROGRAM)
    fresh.apply(PassList(["mem2reg", "simplifycfg"]))
    assert session.content_hash() == fresh.content_hash()


@pytest.mark.parametrize(
    ("program", "first", "second"),
    [
        ("dct_image", "function(gvn-hoist)", "function(early-cse<memssa>)"),
        (
            "delta_varint",
            "default<O2>,function(loop-mssa(licm<no-allowspeculation>))",
            "function(break-crit-edges)",
        ),
        ("arena_pool", "default<Os>,function(loop-simplify)", "function(break-crit-edges)"),
    ],
)
def test_clone_has_the_analyses_too(program, first, second):
    """On these lists a copy of the IR alone, whose analyses start anew, becomes other code."""
    uri = f"bundled-v1/{program}"
    session = Session(uri)
    session.apply(first)
    twin, value = session.clone(), session.evaluate([second], here=True)
    twin.apply(second)
    session.apply(second)
    assert twin.content_hash() == session.content_hash()
    assert value == [session.instruction_count]
    copy = llmopt_bench._core.Module.read(load_program(uri).bitcode, uri)
    copy.run(first)
    copy = copy.clone()
    copy.run(second)
    assert copy.content_hash() != session.content_hash()


def test_clone_of_an_unchanged_session(session):
    twin = session.clone()
    twin.apply("mem2reg")
    assert session.instruction_count == session.initial() > twin.instruction_count


def test_references_are_ordered_as_the_levels_promise(session):
    assert session.reference("O0") == session.initial() == 635
    assert session.reference("Oz") < session.reference("O0")
    with pytest.raises(UnknownName, match="optimization level 'O4'"):
        session.reference("O4")


def test_reference_is_what_the_composite_action_gives():
    for uri in llmopt_bench.make_dataset("bundled-v1").uris():
        session = Session(uri)
        assert session.evaluate([["Oz"]]) == [session.reference("Oz")], uri


def test_metrics(session):
    size = Session(PROGRAM, metric="text_size")
    assert size.measure() == session.text_size == size.initial()
    assert size.reference("Oz") < size.initial()
    with pytest.raises(UnknownName, match="metric 'speed'"):
        Session(PROGRAM, metric="speed")


def test_bitcode_and_ir_read_back_as_the_same_code(session):
    session.apply("Oz")
    for data in (session.bitcode(), session.ir().encode()):
        again = llmopt_bench._core.Module.read(data, "again")
        assert again.content_hash() == session.content_hash()


def test_normalized_ir_is_shorter_and_keeps_the_code(session):
    text = session.ir(normalized=True)
    assert len(text) < len(session.ir())
    assert llmopt_bench._core.Module.read(text.encode(), "x").instruction_count() == 635


def test_features_are_fresh_arrays(session):
    first = session.features("autophase")
    session.apply("mem2reg")
    second = session.features("autophase")
    names = llmopt_bench.feature_names("autophase")
    assert first.shape == second.shape == (56,)
    assert first[names.index("TotalInsts")] == 635
    assert second[names.index("NumAllocaInst")] < first[names.index("NumAllocaInst")]


def test_sessions_run_in_parallel_threads():
    uris = list(llmopt_bench.make_dataset("bundled-v1").uris())[:8]
    alone = {uri: Session(uri).evaluate([["Oz"], ["mem2reg", "gvn"]]) for uri in uris}
    found: dict[str, list[int]] = {}

    def work(uri: str) -> None:
        found[uri] = Session(uri).evaluate([["Oz"], ["mem2reg", "gvn"]])

    threads = [threading.Thread(target=work, args=(uri,)) for uri in uris]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


def test_clones_used_from_other_threads_wait_for_each_other():
    base = Session(SMALL)
    base.apply("mem2reg")
    twins = [base.clone() for _ in range(6)]
    threads = [threading.Thread(target=twin.apply, args=("Oz",)) for twin in twins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({twin.content_hash() for twin in twins}) == 1


def test_program_objects_and_uris_are_the_same():
    program = load_program(SMALL)
    assert Session(program).content_hash() == Session(SMALL).content_hash()
    assert np.array_equal(Session(program).features(), Session(SMALL).features())
