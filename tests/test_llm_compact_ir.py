"""IR in few words: what is kept of each kind of line, on IR of LLVM."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmopt_bench.agents.llm.compact_ir import compact_ir, compact_totals

from llmopt_bench import Session, make_dataset


def body(*lines: str) -> list[str]:
    """Return the compact lines of a function's body."""
    text = "\n".join(["define void @f(ptr %0, i32 %1) {", *lines, "}"])
    first, *rest = compact_ir(text).split("\n")
    assert first == "define void ptr i32"
    return rest[: rest.index("}")]


def test_a_function_as_a_whole() -> None:
    ir = """\
%struct.s = type { i8, ptr }
@x = constant [3 x i8] c"{%0\\00"
declare dso_local i32 @g(ptr) align 2
define dso_local noundef i32 @f(ptr noundef %0, { i64, ptr } %1) align 2 {
%3 = alloca ptr, align 8
store ptr %0, ptr %3, align 8
%4 = load ptr, ptr %3, align 8
%5 = getelementptr inbounds nuw %struct.s, ptr %4, i32 0, i32 1
%6 = call i32 @g(ptr %5)
%7 = icmp sle i32 %6, 12
br i1 %7, label %9, label %8
8:
br label %9
9:
%10 = phi i32 [ %6, %2 ], [ 0, %8 ]
ret i32 %10
}
"""
    assert compact_ir(ir).split("\n") == [
        "define i32 ptr agg",
        "alloca ptr",
        "store ptr p0 a0",
        "load ptr a0",
        "gep agg ^1 0 1",
        "call i32 f0 ^1",
        "icmp sle i32 ^1 12",
        "br ^1 b0 b1",
        "b1:",
        "br b0",
        "b0:",
        "phi i32 ^2 b2 0 b1",
        "ret i32 ^1",
        "}",
        "all 7 block 2 br 2 alloca 0 call 0 gep 0 icmp 0 load 0 phi 0 ret 0 store 0",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%3 = zext nneg i32 %1 to i64", "zext i32 p1 i64"),
        ("%3 = add nsw i32 %1, -100000", "add i32 p1 #7"),
        ("%3 = load <4 x [2 x i8]>, ptr %0, align 4", "load vec p0"),
        ("%3 = load volatile i32, ptr @x, align 4", "load volatile i32 g0"),
        ('%3 = load %"a b", ptr @"x y", align 4', "load agg g0"),
        ("call void @llvm.memcpy.p0.p0.i64(ptr %0, ptr %0, i64 8, i1 false)",
         "call void memcpy p0 p0 8 false"),
        ("%3 = call i8 @llvm.umax.v16i8(i8 1)", "call i8 umax 1"),
        ("%3 = tail call ptr %0(i32 %1)", "call ptr p0 p1"),
        ("switch i32 %1, label %9 [", "switch p1 b0"),
        ("unreachable", "unreachable"),
        ("to label %3 unwind label %4", "b0 unwind b1"),
        ("; 3 lines", "; 3 lines"),
    ],
)  # fmt: skip
def test_a_line(line: str, expected: str) -> None:
    assert body(line) == [expected]


def test_values_are_named_by_their_distance_and_slots_by_their_place() -> None:
    lines = ["%3 = alloca i8", "%4 = alloca i8", "%5 = load i8, ptr %4", "%6 = load i8, ptr %3"]
    assert body(*lines, "%7 = sub i8 %5, %6")[2:] == ["load i8 a1", "load i8 a0", "sub i8 ^2 ^1"]


def test_each_function_of_a_module_has_names_of_its_own() -> None:
    one = "define i8 @f() {\n%1 = call i8 @a()\nret i8 %1\n}\n"
    other = "define i8 @g() {\n%1 = call i8 @b()\nret i8 %1\n}\n"
    text = compact_ir(one).removesuffix("all 2 call 0 ret 0")
    assert compact_ir(one + other) == text + text + "all 4 call 2 ret 2"


def test_totals_are_told_in_steps_of_the_square_root_of_two() -> None:
    adds = ["%2 = add i8 %1, 1"] * 13
    loop = ["br label %3", "3:", "br i1 %4, label %3, label %5", "5:", "br label %3"]
    text = compact_ir("\n".join(["define void @f() {", *adds, *loop, "}"]))
    assert text.split("\n")[-1] == "all 8 add 7 br 3 back 2 block 2"
    assert (
        compact_totals("\n".join(["define void @f() {", *adds, *loop, "}"])) == text.split("\n")[-1]
    )
    assert compact_ir("; nothing") == "; nothing"
    assert compact_totals("; nothing") == ""


def test_programs_need_less_than_half_of_the_characters_and_keep_their_instructions() -> None:
    for uri in list(make_dataset("bundled-functions-v1").uris())[::50]:
        session = Session(uri)
        ir = session.ir(normalized=True)
        text, _, _ = compact_ir(ir).rpartition("\n")  # without the totals
        assert len(text) < len(ir) / 2
        marks = sum(line.endswith(":") or line == "}" for line in text.split("\n"))
        defined = text.count("define")
        cases = sum(line[0] in "-0123456789#" for line in text.split("\n"))
        assert session.instruction_count <= len(text.split("\n")) - marks - defined - cases + 2
        assert "%" not in text


@given(st.text(alphabet='%@"<>{}[]()=,;:\n i0123ptr.define', max_size=200))
def test_no_text_raises(text: str) -> None:
    compact_ir(text)
    compact_ir("define void @f() {\n" + text)
