"""A function as a module of its own: what comes along, what does not, and at what cost."""

from __future__ import annotations

import hashlib
import re
from time import process_time

import pytest

from llmopt_bench._core import Module
from llmopt_bench.datasets import load_program, make_dataset

FUNCTIONS_V1 = "be8ffaeec97e87835d3719257013d2cbe164cea8a77b3cc0d76faff18b038b53"
"""SHA-256 of the content hashes of all functions of the bundled programs, in order."""

JUMPS = b"""
@labels = internal constant [2 x ptr] [ptr blockaddress(@jump, %a), ptr blockaddress(@jump, %b)]
define ptr @jump(i32 %i) {
  %p = getelementptr [2 x ptr], ptr @labels, i32 0, i32 %i
  %to = load ptr, ptr %p
  indirectbr ptr %to, [label %a, label %b]
a:
  ret ptr null
b:
  ret ptr %p
}
define ptr @outside() {
  ret ptr @labels
}
define i32 @plain() {
  ret i32 7
}
"""

NAMES = b"""
module asm "nop"
@one = global i32 1
@other_one = alias i32, ptr @one
@by_cpu = ifunc i32 (i32), ptr @resolver
@again = alias i32 (i32), ptr @twice
@llvm.used = appending global [1 x ptr] [ptr @twice], section "llvm.metadata"
define i32 @twice(i32 %n) {
  %r = shl i32 %n, 1
  ret i32 %r
}
define internal ptr @resolver() {
  ret ptr @twice
}
define i32 @calls(i32 %n) {
  %a = call i32 @by_cpu(i32 %n)
  %b = call i32 @again(i32 %a)
  %c = load i32, ptr @other_one
  %r = add i32 %b, %c
  ret i32 %r
}
"""

REACH = b"""
declare i32 @personality(...)
declare void @first()
@text = private constant [3 x i8] c"hi\\00"
@table = internal constant [2 x ptr] [ptr @text, ptr @second]
@unused = private constant [3 x i8] c"no\\00"
define void @second() {
  ret void
}
define ptr @user(ptr %f) prefix ptr @text personality ptr @personality {
  call void %f(), !callees !0
  call void @first()
  ret ptr @table
}
define void @other() {
  ret void
}
!0 = !{ptr @other}
"""

ATTACHED = b"""
$group = comdat any
@tagged = external global i32, !absolute_symbol !0
@grouped = private constant i32 4, comdat($group)
declare i32 @personality(...)
declare !about !1 void @outer()
define void @catches() prefix i32 1 prologue i32 2 personality ptr @personality {
  ret void
}
define ptr @user() {
  call void @catches()
  call void @outer()
  %x = load i32, ptr @grouped
  ret ptr @tagged
}
!0 = !{i64 0, i64 256}
!1 = !{!"it"}
"""

PLAIN = b"""
define i32 @twice(i32 %n) {
  br label %loop
loop:
  %r = shl i32 %n, 1
  br i1 true, label %done, label %loop, !llvm.loop !0
done:
  ret i32 %r
}
!llvm.module.flags = !{!2}
!0 = distinct !{!0, !1}
!1 = !{!"llvm.loop.mustprogress"}
!2 = !{i32 1, !"wchar_size", i32 4}
"""

DEBUG = b"""
define i32 @twice(i32 %n) !dbg !12 {
  #dbg_value(i32 %n, !16, !DIExpression(), !17)
  br label %loop, !dbg !17
loop:
  %r = shl i32 %n, 1, !dbg !17
  br i1 true, label %done, label %loop, !dbg !17, !llvm.loop !0
done:
  ret i32 %r, !dbg !17
}
!llvm.dbg.cu = !{!10}
!llvm.module.flags = !{!3, !4, !2}
!0 = distinct !{!0, !17, !17, !1}
!1 = !{!"llvm.loop.mustprogress"}
!2 = !{i32 1, !"wchar_size", i32 4}
!3 = !{i32 7, !"Dwarf Version", i32 5}
!4 = !{i32 2, !"Debug Info Version", i32 3}
!10 = distinct !DICompileUnit(language: DW_LANG_C11, file: !11, emissionKind: FullDebug)
!11 = !DIFile(filename: "t.c", directory: "/")
!12 = distinct !DISubprogram(name: "twice", file: !11, line: 1, type: !13, unit: !10)
!13 = !DISubroutineType(types: !14)
!14 = !{!15, !15}
!15 = !DIBasicType(name: "int", size: 32, encoding: DW_ATE_signed)
!16 = !DILocalVariable(name: "n", arg: 1, scope: !12, file: !11, line: 1, type: !15)
!17 = !DILocation(line: 1, column: 2, scope: !12)
"""


def extract(text: bytes, function: str) -> Module:
    return Module.read(text, "test").extract(function)


def test_functions_v1_is_what_it_was() -> None:
    digest = hashlib.sha256()
    for uri in make_dataset("bundled-v1").uris():
        module = Module.read(load_program(uri).bitcode, uri)
        for name in module.functions():
            digest.update(module.extract(name).content_hash().encode())
    assert digest.hexdigest() == FUNCTIONS_V1


class TestComputedGoto:
    @pytest.mark.parametrize("name", ["jump", "plain"])
    def test_does_not_hinder(self, name: str) -> None:
        alone = extract(JUMPS, name)
        alone.verify()
        assert alone.functions() == [name]
        assert ("@labels" in alone.text()) == (name == "jump")

    def test_the_table_keeps_the_labels(self) -> None:
        table = r"@labels = .*\[ptr blockaddress\(@jump, %a\), ptr blockaddress\(@jump, %b\)\]"
        assert re.search(table, extract(JUMPS, "jump").text())

    def test_labels_of_another_function_are_nowhere(self) -> None:
        text = extract(JUMPS, "outside").text()
        assert "blockaddress" not in text
        assert "@jump" not in text
        assert text.count("inttoptr (i32 1 to ptr)") == 2


class TestWhatComesAlong:
    def test_aliases_and_ifuncs_become_declarations(self) -> None:
        text = extract(NAMES, "calls").text()
        assert "declare i32 @by_cpu(i32)" in text
        assert "declare i32 @again(i32)" in text
        assert "@other_one = external global i32" in text
        assert not re.search(r"\b(alias|ifunc)\b|@resolver|@one\b|@twice", text)

    @pytest.mark.parametrize("name", ["calls", "twice"])
    def test_module_assembly_and_lists_go(self, name: str) -> None:
        assert "module asm" in Module.read(NAMES, "test").text()
        text = extract(NAMES, name).text()
        assert "module asm" not in text
        assert "llvm.used" not in text

    def test_constants_are_followed_and_order_is_kept(self) -> None:
        text = extract(REACH, "user").text()
        names = re.findall(r"^(?:@|declare [^@]*@|define [^@]*@)(\w+)", text, re.MULTILINE)
        # LLVM prints a function's declaration or definition in the order of the module.
        assert names == ["text", "table", "personality", "first", "second", "user"]
        assert "define ptr @user(ptr %f) prefix ptr @text personality ptr @personality" in text
        assert "declare void @second()" in text

    def test_of_a_called_definition_only_what_a_declaration_has(self) -> None:
        text = extract(ATTACHED, "user").text()
        assert "declare void @catches()\n" in text
        assert "@personality" not in text

    def test_what_is_attached_to_a_global_stays(self) -> None:
        text = extract(ATTACHED, "user").text()
        assert "@tagged = external global i32, !absolute_symbol !0" in text
        assert "declare !about !1 void @outer()" in text
        assert "@grouped = private constant i32 4, comdat($group)" in text
        assert "$group = comdat any" in text

    def test_metadata_alone_keeps_nothing(self) -> None:
        assert "@other" in Module.read(REACH, "test").text()
        assert "@other" not in extract(REACH, "user").text()


class TestDebugInfo:
    def test_leaves_nothing_behind(self) -> None:
        assert extract(DEBUG, "twice").bitcode() == extract(PLAIN, "twice").bitcode()

    def test_stays_in_the_module(self) -> None:
        module = Module.read(DEBUG, "test")
        before = module.text()
        module.extract("twice")
        assert module.text() == before
        assert "DILocalVariable" in before

    @pytest.mark.parametrize("text", [PLAIN, DEBUG])
    def test_what_passes_did_is_seen(self, text: bytes) -> None:
        module = Module.read(text, "test")
        assert module.extract("twice").instruction_count() == 4
        assert module.run("function(simplifycfg)")
        assert module.extract("twice").instruction_count() == module.instruction_count() == 2
        module = Module.read(text, "test")
        module.extract("twice")
        module.run_clang("z")
        assert module.extract("twice").instruction_count() == 2


def test_the_cost_does_not_grow_with_the_module() -> None:
    def seconds(size: int) -> float:
        text = "".join(
            f'@s{i} = private constant [2 x i8] c"a\\00"\n'
            f"define ptr @f{i}() {{\n  call ptr @f{i * 7 % size}()\n  ret ptr @s{i}\n}}\n"
            for i in range(size)
        )
        module = Module.read(text.encode(), "test")
        module.extract("f0")
        times = []
        for i in range(1, 20):
            start = process_time()
            module.extract(f"f{i}")
            times.append(process_time() - start)
        return min(times)

    assert seconds(8000) < 4 * seconds(400)
