"""The hash that copies share: deaf to names and values of constants, not to the code."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from llmopt_bench._core import Module
from llmopt_bench.datasets import load_program
from llmopt_bench.frontend import compile_source

BASE = b"""
source_filename = "a.c"
target triple = "x86_64-pc-linux-gnu"
%pair = type { i32, ptr }
@message = private constant [6 x i8] c"hello\\00"
@state = internal global i32 3
declare i32 @helper(i32, ptr)
declare i64 @strlen(ptr)
declare i32 @personality(...)
declare i32 @llvm.umax.i32(i32, i32)
define i32 @main_part(i32 %a, ptr %p, <2 x i32> %v) personality ptr @personality {
entry:
  %slot = alloca %pair, align 8
  %field = getelementptr %pair, ptr %slot, i32 0, i32 1
  store volatile i32 %a, ptr %field, align 4
  %old = atomicrmw add ptr %p, i32 5 seq_cst
  %swap = cmpxchg ptr %p, i32 %old, i32 %a acq_rel monotonic
  %was = extractvalue { i32, i1 } %swap, 0
  %mixed = shufflevector <2 x i32> %v, <2 x i32> poison, <2 x i32> <i32 1, i32 0>
  %lane = extractelement <2 x i32> %mixed, i32 0
  %len = call i64 @strlen(ptr @message)
  %top = call i32 @llvm.umax.i32(i32 %lane, i32 %was)
  %less = icmp slt i32 %top, 10
  br i1 %less, label %then, label %join
then:
  %sum = add nsw i32 %a, 7
  %got = call i32 @helper(i32 %sum, ptr @message)
  call void asm sideeffect "pause", ""()
  switch i32 %got, label %join [ i32 1, label %entry2 i32 2, label %join ]
entry2:
  br label %join
join:
  %out = phi i32 [ %top, %entry ], [ %got, %then ], [ %got, %then ], [ 1, %entry2 ]
  %scaled = fmul double 2.0, 3.5
  %global = load i32, ptr @state
  %gone = icmp eq ptr %p, null
  %both = select i1 %gone, i32 %global, i32 undef
  ret i32 %out
}
define i32 @second(i32 %n) {
  %r = call i32 @main_part(i32 %n, ptr null, <2 x i32> zeroinitializer)
  ret i32 %r
}
"""

SAME = {
    "value names": [(b"%sum", b"%total"), (b"%slot", b"%room"), (b"join", b"end")],
    "function names": [(b"@helper", b"@util"), (b"@main_part", b"@part"), (b"@second", b"@next")],
    "variable names": [(b"@message", b"@greeting"), (b"@state", b"@count")],
    "type names": [(b"%pair", b"%struct.both")],
    "integers": [(b"i32 %a, 7", b"i32 %a, 8"), (b"i32 %top, 10", b"i32 %top, 0")],
    "case values": [(b"i32 1, label", b"i32 40, label")],
    "floats": [(b"3.5", b"0.0")],
    "vectors": [(b"<2 x i32> zeroinitializer", b"<2 x i32> <i32 1, i32 2>")],
    "strings": [(b'[6 x i8] c"hello\\00"', b'[9 x i8] c"good bye\\00"')],
    "empty strings": [(b'[6 x i8] c"hello\\00"', b"[1 x i8] zeroinitializer")],
    "initializers": [(b"global i32 3", b"global i32 zeroinitializer")],
    "field indices": [(b"i32 0, i32 1\n", b"i32 0, i32 0\n")],
    "flags": [(b"add nsw", b"add nuw"), (b"fmul", b"fmul fast")],
    "alignments": [(b"align 8", b"align 16")],
    "attributes": [(b"<2 x i32> %v) p", b"<2 x i32> noundef %v) minsize p")],
    "metadata": [(b"add nsw i32 %a, 7", b"add nsw i32 %a, 7, !x !{i32 1}")],
    "linkage": [
        (b"internal global", b"global"),
        (b"define i32 @second", b"define hidden i32 @second"),
    ],
    "file and target": [(b"a.c", b"b.c"), (b"x86_64-pc-linux-gnu", b"aarch64-linux-gnu")],
    "unused globals": [(b"declare i64", b"@spare = global i64 1\ndeclare i64")],
}

OTHER = {
    "opcode": (b"add nsw", b"sub nsw"),
    "order of operands": (b"i32 %lane, i32 %was", b"i32 %was, i32 %lane"),
    "other operand": (b"add nsw i32 %a, 7", b"add nsw i32 %top, 7"),
    "value for constant": (b"add nsw i32 %a, 7", b"add nsw i32 %a, %a"),
    "constant for value": (b"i32 %sum, ptr @message", b"i32 1, ptr @message"),
    "predicate": (b"icmp slt", b"icmp sgt"),
    "structure of a type": (b"{ i32, ptr }", b"{ i32, i64, ptr }"),
    "packing of a type": (b"type { i32, ptr }", b"type <{ i32, ptr }>"),
    "width": (b"fmul double 2.0, 3.5", b"fmul float 2.0, 3.5"),
    "type behind a pointer": (b"alloca %pair", b"alloca i64"),
    "element type of an address": (
        b"getelementptr %pair, ptr %slot, i32 0, i32 1",
        b"getelementptr i32, ptr %slot, i32 0",
    ),
    "volatile": (b"store volatile", b"store"),
    "atomic operation": (b"atomicrmw add", b"atomicrmw sub"),
    "ordering": (b"seq_cst", b"monotonic"),
    "failure ordering": (b"acq_rel monotonic", b"acq_rel acquire"),
    "weak": (b"cmpxchg ptr", b"cmpxchg weak ptr"),
    "scope": (b"seq_cst", b'syncscope("singlethread") seq_cst'),
    "shuffle": (b"<i32 1, i32 0>", b"<i32 0, i32 0>"),
    "library function": (b"strlen", b"strlem"),
    "intrinsic": (b"umax", b"umin"),
    "assembly": (b'"pause"', b'"nop"'),
    "constraints": (b'"pause", ""', b'"pause", "~{memory}"'),
    "calling convention": (b"call i32 @helper", b"call fastcc i32 @helper"),
    "must be a tail call": (
        b"%r = call i32 @main_part(i32 %n, ptr null, <2 x i32> zeroinit",
        b"%r = notail call i32 @main_part(i32 %n, ptr null, <2 x i32> zeroinit",
    ),
    "target of a branch": (
        b"br i1 %less, label %then, label %join",
        b"br i1 %less, label %join, label %then",
    ),
    "number of cases": (b"i32 2, label %join", b"i32 2, label %join i32 3, label %entry2"),
    "incoming value": (b"[ %got, %then ], [ 1, %entry2 ]", b"[ %got, %then ], [ %a, %entry2 ]"),
    "incoming blocks": (b"[ %top, %entry ], [ %got, %then ]", b"[ %got, %then ], [ %top, %entry ]"),
    "undef": (b"i32 undef", b"i32 0"),
    "poison": (b"i32 undef", b"i32 poison"),
    "which global": (b"call i64 @strlen(ptr @message)", b"call i64 @strlen(ptr @state)"),
    "which function": (b"ret i32 %r", b"%q = call i32 @second(i32 %r)\n  ret i32 %q"),
    "constant or variable": (b"internal global", b"internal constant"),
    "thread local": (b"internal global", b"internal thread_local global"),
    "type of a global": (b"global i32 3", b"global i64 3"),
    "bundle": (b"ptr @message)\n  call void", b'ptr @message) [ "x"(i32 %a) ]\n  call void'),
    "personality": (b" personality ptr @personality", b""),
    "arguments": (b"@second(i32 %n)", b"@second(i32 %n, i32 %m)"),
    "instructions": (b"  ret i32 %r", b"  %x = xor i32 %r, 1\n  ret i32 %r"),
    "functions": (
        b"define i32 @second",
        b"define void @third() {\n  ret void\n}\ndefine i32 @second",
    ),
}


def near(text: bytes) -> str:
    module = Module.read(text, "test")
    module.verify()
    return module.near_hash()


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
def test_is_deaf_to(changes: list[tuple[bytes, bytes]]) -> None:
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    assert text != BASE
    assert near(text) == near(BASE)


@pytest.mark.parametrize(("old", "new"), OTHER.values(), ids=OTHER.keys())
def test_hears(old: bytes, new: bytes) -> None:
    assert BASE.count(old)
    assert near(BASE.replace(old, new)) != near(BASE)


SOURCE = """
struct item { int key; struct item *next; };
static int twice(int n) { return 2 * n; }
int count(struct item *list, int limit) {
  int n = 0;
  for (; list && n < limit; list = list->next)
    n += twice(list->key);
  return n;
}
"""


class TestOfSources:
    def test_a_renamed_copy_is_near(self) -> None:
        copy = SOURCE
        for old, new in [("item", "node"), ("twice", "z_two"), ("2 *", "3 *"), ("list", "head")]:
            copy = copy.replace(old, new)
        ours = Module.read(compile_source(SOURCE, "c"), "ours").extract("count")
        theirs = Module.read(compile_source(copy, "c"), "theirs").extract("count")
        assert ours.near_hash() == theirs.near_hash()
        assert ours.content_hash() != theirs.content_hash()

    def test_debug_info_does_not_count(self) -> None:
        plain = Module.read(compile_source(SOURCE, "c"), "plain")
        debug = Module.read(compile_source(SOURCE, "c", cflags=["-g"]), "debug")
        assert debug.near_hash() == plain.near_hash()

    def test_passes_change_it(self) -> None:
        module = Module.read(compile_source(SOURCE, "c"), "test")
        before = module.near_hash()
        module.run("function(sroa)")
        assert module.near_hash() != before

    def test_few_functions_of_the_programs_are_near(self) -> None:
        module = Module.read(load_program("bundled-v1/lisp_mini").bitcode, "lisp_mini")
        found = Counter(module.extract(name).near_hash() for name in module.functions())
        assert len(found) > 0.8 * found.total()


class TestIdentity:
    def test_survives_text_bitcode_and_clone(self) -> None:
        module = Module.read(load_program("bundled-v1/crc_family").bitcode, "crc_family")
        expected = module.near_hash()
        assert Module.read(module.bitcode(), "a").near_hash() == expected
        assert Module.read(module.text().encode(), "a").near_hash() == expected
        assert module.clone().near_hash() == expected

    def test_leaves_the_module_alone(self) -> None:
        module = Module.read(BASE, "test")
        before = module.bitcode()
        assert module.near_hash() == module.near_hash()
        assert module.bitcode() == before

    def test_is_the_same_in_another_process(self) -> None:
        code = (
            "import sys; from llmopt_bench._core import Module; "
            "print(Module.read(sys.stdin.buffer.read(), 'x').near_hash())"
        )
        for _ in range(2):
            done = subprocess.run([sys.executable, "-c", code], input=BASE, capture_output=True)
            assert done.stdout.decode().split() == [near(BASE)], done.stderr

    def test_is_a_hex_sha256(self) -> None:
        assert len(bytes.fromhex(near(BASE))) == 32
