"""What the near-duplicate hash hears, one thing at a time."""

from __future__ import annotations

import pytest

from llmopt_bench._core import Module

TABLE = """
@a = global [9 x i32] zeroinitializer
@b = global [9 x i32] zeroinitializer
@far = addrspace(1) global [9 x i32] zeroinitializer
declare void @g()
"""

DIFFERENT = {
    "type of a value": ("%x = zext i32 %n to i64", "%x = zext i32 %n to i128"),
    "type of an element": (
        "%x = getelementptr i8, ptr %p, i32 %n",
        "%x = getelementptr i16, ptr %p, i32 %n",
    ),
    "type of undef": ("store i32 undef, ptr %p", "store i64 undef, ptr %p"),
    "parts of a type": ("%x = alloca { i32, ptr }", "%x = alloca { i64, ptr }"),
    "order of parts": ("%x = alloca { i32, ptr }", "%x = alloca { ptr, i32 }"),
    "address space": ("%x = alloca ptr", "%x = alloca ptr addrspace(1)"),
    "length of an array": ("%x = alloca [3 x i8]", "%x = alloca [4 x i8]"),
    "length of a vector": ("%x = alloca <2 x i8>", "%x = alloca <4 x i8>"),
    "scalable vector": ("%x = alloca <2 x i8>", "%x = alloca <vscale x 2 x i8>"),
    "name of a target's type": (
        'call void %p(target("x", 1) poison)',
        'call void %p(target("y", 1) poison)',
    ),
    "number of a target's type": (
        'call void %p(target("x", 1) poison)',
        'call void %p(target("x", 2) poison)',
    ),
    "variable arguments": ("call void %p(i32 %n)", "call void (i32, ...) %p(i32 %n)"),
    "place of a global": ("%x = load i32, ptr @a", "%x = load i32, ptr addrspace(1) @far"),
    "ordering of a load": (
        "%x = load atomic i32, ptr %p monotonic, align 4",
        "%x = load atomic i32, ptr %p acquire, align 4",
    ),
    "ordering of a store": (
        "store atomic i32 %n, ptr %p monotonic, align 4",
        "store atomic i32 %n, ptr %p release, align 4",
    ),
    "ordering of a fence": ("fence acquire", "fence release"),
    "ordering of an exchange": (
        "%x = cmpxchg ptr %p, i32 %n, i32 %n acq_rel monotonic",
        "%x = cmpxchg ptr %p, i32 %n, i32 %n release monotonic",
    ),
    "must be a tail call": (
        "call void @f(ptr %p, i32 %n)",
        "musttail call void @f(ptr %p, i32 %n)",
    ),
    "tag of a bundle": ('call void @g() [ "x"(i32 %n) ]', 'call void @g() [ "y"(i32 %n) ]'),
    "incoming block": (
        "br i1 true, label %a, label %b\na:\nbr label %c\nb:\nbr label %c\n"
        "c:\n%x = phi i32 [ %n, %a ], [ 1, %b ]",
        "br i1 true, label %a, label %b\na:\nbr label %c\nb:\nbr label %c\n"
        "c:\n%x = phi i32 [ %n, %b ], [ 1, %a ]",
    ),
    "operation of an expression": (
        "store i64 add (i64 ptrtoint (ptr @a to i64), i64 1), ptr %p",
        "store i64 sub (i64 ptrtoint (ptr @a to i64), i64 1), ptr %p",
    ),
    "type of an expression": (
        "store i32 ptrtoint (ptr @a to i32), ptr %p",
        "store i64 ptrtoint (ptr @a to i64), ptr %p",
    ),
    "kind of a constant": (
        "store ptr dso_local_equivalent @g, ptr %p",
        "store ptr no_cfi @g, ptr %p",
    ),
    "effects of assembly": ('call void asm "x", ""()', 'call void asm sideeffect "x", ""()'),
    "stack of assembly": ('call void asm "x", ""()', 'call void asm alignstack "x", ""()'),
    "dialect of assembly": ('call void asm "x", ""()', 'call void asm inteldialect "x", ""()'),
    "throwing assembly": ('call void asm "x", ""()', 'call void asm unwind "x", ""()'),
}


def near(text: str) -> str:
    module = Module.read(text.encode(), "test")
    module.verify()
    return module.near_hash()


def near_of(lines: str, declarations: str = "", more: str = "") -> str:
    head = f"define void @f(ptr %p, i32 %n) {more}"
    return near(f"{declarations}\n{head} {{\n{lines}\nret void\n}}")


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_hears(one: str, other: str) -> None:
    assert near_of(one, TABLE) == near_of(one, TABLE)
    assert near_of(one, TABLE) != near_of(other, TABLE)


@pytest.mark.parametrize(
    "head", ["void @f(i64 %n)", "fastcc void @f(i32 %n)", "void @f(i32 %n, ...)"]
)
def test_hears_how_a_function_is_called(head: str) -> None:
    body = "{\n  ret void\n}"
    assert near(f"define {head} {body}") != near(f"define void @f(i32 %n) {body}")


class TestConstants:
    def test_an_aggregate_without_globals_is_a_value(self) -> None:
        store = "store {{ i32, i32 }} {}, ptr %p"
        assert near_of(store.format("zeroinitializer")) == near_of(store.format("{ i32 0, i32 5 }"))

    def test_globals_in_an_aggregate_count(self) -> None:
        plain = near_of("store [2 x ptr] [ptr null, ptr null], ptr %p", TABLE)
        assert plain == near_of("store [2 x ptr] zeroinitializer, ptr %p", TABLE)
        found = {
            near_of(f"store [2 x ptr] [{parts}], ptr %p", TABLE)
            for parts in (
                "ptr @a, ptr null",
                "ptr null, ptr @a",
                "ptr @a, ptr @b",
                "ptr @a, ptr @a",
            )
        }
        assert len(found | {plain}) == 5

    def test_which_of_two_globals_is_told_by_first_use(self) -> None:
        lines = "store i32 1, ptr @{}\nstore i32 2, ptr @{}\nstore i32 3, ptr @{}"
        assert near_of(lines.format(*"aba"), TABLE) == near_of(lines.format(*"bab"), TABLE)
        assert near_of(lines.format(*"aba"), TABLE) != near_of(lines.format(*"abb"), TABLE)

    def test_expressions_count_and_their_numbers_do_not(self) -> None:
        def through(expression: str) -> str:
            return near_of(f"store ptr {expression}, ptr %p", TABLE)

        place = "getelementptr ({}, ptr @a, i64 {})"
        assert through(place.format("i8", 4)) == through(place.format("i8", 8))
        assert through(place.format("i8", 4)) != through(place.format("i32", 4))
        assert through(place.format("i8", 4)) != through("@a")
        assert through("inttoptr (i64 8 to ptr)") != through("null")

    def test_addresses_of_blocks(self) -> None:
        def label(name: str) -> str:
            lines = "br label %a\na:\nbr label %b\nb:\nstore ptr blockaddress(@{}, %{}), ptr %p"
            other = "define void @g() {\nbr label %a\na:\nret void\n}"
            return near_of(lines.format(*name.split(".")), other)

        assert len({label("f.a"), label("f.b"), label("g.a")}) == 3

    def test_strings_that_are_operands_count(self) -> None:
        name = "double @llvm.experimental.constrained.sqrt.f64"
        declaration = f"declare {name}(double, metadata, metadata)"
        rest = 'metadata !"round.{}", metadata !"fpexcept.strict") strictfp'
        call = f"%x = call {name}(double 1.0, {rest}"
        assert near_of(call.format("upward"), declaration) != near_of(
            call.format("downward"), declaration
        )


class TestIndices:
    def test_of_values_count(self) -> None:
        put = "%x = insertvalue {{ i32, i32 }} zeroinitializer, i32 %n, {}"
        assert near_of(put.format(0)) != near_of(put.format(1))
        get = f"{put.format(0)}\n%y = extractvalue {{ i32, i32 }} %x, "
        assert near_of(f"{get}0") != near_of(f"{get}1")

    def test_of_clauses_count(self) -> None:
        def landing(clauses: str) -> str:
            lines = f"invoke void @g() to label %a unwind label %b\nb:\n{clauses}\nbr label %a\na:"
            return near_of(lines, "declare i32 @h(...)\ndeclare void @g()", "personality ptr @h")

        one = "%x = landingpad { ptr, i32 } "
        parts = (
            "cleanup",
            "catch ptr null",
            "cleanup catch ptr null",
            "filter [1 x ptr] [ptr null]",
        )
        assert len({landing(one + part) for part in parts}) == 4


class TestLibrary:
    def test_a_function_of_another_type_is_not_the_library_s(self) -> None:
        call = "call void @{}(i32 %n)"
        declaration = "declare void @{}(i32)"
        assert near_of(call.format("strlen"), declaration.format("strlen")) == near_of(
            call.format("mine"), declaration.format("mine")
        )

    def test_a_definition_is_not_the_library_s(self) -> None:
        body = "define i64 @{}(ptr %s) {{\n ret i64 0\n}}"
        call = "%x = call i64 @{}(ptr %p)"
        assert near_of(call.format("strlen"), body.format("strlen")) == near_of(
            call.format("mine"), body.format("mine")
        )
