"""The C++ core, as Python sees it: identity, extraction, normalised text, and bad input."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from llmopt_bench._core import Module
from llmopt_bench.datasets import load_program, make_dataset
from llmopt_bench.errors import BadProgram, CompilerError, InvalidModule, UnknownPass
from llmopt_bench.frontend import compile_source

SUM = b"""
source_filename = "sum.c"
target triple = "x86_64-pc-linux-gnu"
@table = internal constant [2 x i32] [i32 5, i32 7]
@state = internal global i32 0
declare i32 @helper(i32)
define i32 @sum(i32 %a, i32 %b) {
entry:
  %first = add i32 %a, %b
  %second = call i32 @helper(i32 %first)
  ret i32 %second
}
define internal i32 @lookup(i32 %i) {
  %p = getelementptr [2 x i32], ptr @table, i32 0, i32 %i
  %v = load i32, ptr %p
  %s = load i32, ptr @state
  %r = add i32 %v, %s
  ret i32 %r
}
define i32 @use(i32 %i) {
  %r = call i32 @lookup(i32 %i)
  ret i32 %r
}
"""


def read(text: bytes, name: str = "sum") -> Module:
    return Module.read(text, name)


@pytest.fixture(scope="module")
def crc() -> bytes:
    return load_program("bundled-v1/crc_family").bitcode


@pytest.fixture(scope="module", params=["crc_family", "text_format", "lisp_mini"])
def module(request: pytest.FixtureRequest) -> Module:
    return Module.read(load_program(f"bundled-v1/{request.param}").bitcode, request.param)


class TestContentHash:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"%first", b"%x"),
            (b"entry:", b"start:"),
            (b"sum.c", b"elsewhere/other.c"),
            (b"%a, i32 %b) {", b"%u, i32 %v) {\n; a comment"),
            (b"declare", b'!llvm.ident = !{!0}\n!0 = !{!"some compiler"}\ndeclare'),
        ],
    )
    def test_ignores_what_is_not_code(self, old: bytes, new: bytes) -> None:
        assert old in SUM
        text = SUM.replace(old, new)
        if old.startswith(b"%a"):
            text = text.replace(b"add i32 %a, %b", b"add i32 %u, %v")
        assert read(text, "another").content_hash() == read(SUM).content_hash()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"add i32 %a, %b", b"sub i32 %a, %b"),
            (b"add i32 %a, %b", b"add nsw i32 %a, %b"),
            (b"add i32 %a, %b", b"add i32 %b, %a"),
            (b"i32 7]", b"i32 8]"),
            (b"@sum(", b"@total("),
            (b"define i32 @use(i32 %i) {", b"define i32 @use(i32 %i) minsize {"),
            (b"define internal i32", b"define i32"),
            (b"x86_64-pc-linux-gnu", b"x86_64-pc-windows-msvc"),
        ],
    )
    def test_depends_on_the_code(self, old: bytes, new: bytes) -> None:
        assert old in SUM
        assert read(SUM.replace(old, new)).content_hash() != read(SUM).content_hash()

    def test_survives_text_and_bitcode_and_clone(self, crc: bytes) -> None:
        module = read(crc)
        module.run("function(sroa,instcombine<no-verify-fixpoint>)")
        expected = module.content_hash()
        assert read(module.bitcode()).content_hash() == expected
        assert read(module.text().encode()).content_hash() == expected
        assert module.clone().content_hash() == expected

    def test_of_a_source_does_not_depend_on_its_folder(self, tmp_path) -> None:
        hashes = set()
        for place in ("one/a.c", "two/three/b.c"):
            path = tmp_path / place
            path.parent.mkdir(parents=True)
            path.write_text("int twice(int n) { return 2 * n; }\n")
            bitcode = compile_source(path)
            assert str(tmp_path).encode() not in bitcode
            hashes.add(read(bitcode).content_hash())
        assert len(hashes) == 1


class TestExtract:
    def test_keeps_the_function_and_what_it_needs(self) -> None:
        alone = read(SUM).extract("sum")
        assert alone.functions() == ["sum"]
        assert alone.instruction_count() == 3
        assert "declare i32 @helper(i32)" in alone.text()
        assert "@table" not in alone.text()

    def test_local_functions_become_visible_and_keep_local_constants(self) -> None:
        alone = read(SUM).extract("lookup")
        assert alone.external_definitions() == ["lookup"]
        assert "@table = internal constant [2 x i32] [i32 5, i32 7]" in alone.text()
        assert re.search(r"@state = external (dso_local )?global i32", alone.text())
        before = alone.instruction_count()
        alone.run("globaldce")
        assert alone.instruction_count() == before

    def test_leaves_the_module_alone(self) -> None:
        module = read(SUM)
        before = module.content_hash()
        module.extract("lookup").run("function(instcombine<no-verify-fixpoint>)")
        assert module.content_hash() == before

    def test_every_function_of_a_program_is_a_valid_module(self, crc: bytes) -> None:
        module = read(crc)
        counts = []
        for name in module.functions():
            alone = module.extract(name)
            alone.verify()
            assert alone.functions() == [name]
            counts.append(alone.instruction_count())
        assert sum(counts) == module.instruction_count()

    @pytest.mark.parametrize("name", ["nowhere", "helper", ""])
    def test_refuses_what_is_not_defined(self, name: str) -> None:
        with pytest.raises(BadProgram, match=rf"defines, got '{name}'.*functions\(\)"):
            read(SUM).extract(name)


class TestNormalizedText:
    def test_reads_back_as_the_same_instructions(self, module: Module) -> None:
        again = read(module.normalized_text().encode())
        assert again.instruction_count() == module.instruction_count()
        assert again.functions() == module.functions()
        assert again.external_definitions() == module.external_definitions()
        assert again.normalized_text() == module.normalized_text()

    def test_has_no_comments_metadata_attributes_or_spare_blanks(self, module: Module) -> None:
        literals = re.compile(r'c?"[^"]*"')
        lines = [literals.sub("LITERAL", line) for line in module.normalized_text().splitlines()]
        assert len(lines) > 100
        for line in lines:
            assert not re.search(r";|!|#\d|  |\t| $|^ |^$", line), line
            assert not line.startswith(("attributes", "source_filename", "target")), line
            assert not re.search(r"\b(noundef|nounwind|nocapture|dereferenceable)\b", line), line

    def test_literals_stay_as_they_are(self) -> None:
        text = rb'@s = constant [18 x i8] c"a  b; c #1 !x \09\22!!"' + b"\n"
        assert read(text).normalized_text().encode() == text


class TestRead:
    def test_bitcode_of_every_bundled_program_is_valid(self) -> None:
        for program in make_dataset("bundled-v1"):
            Module.read(program.bitcode, program.uri).verify()

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "the file is empty"),
            (b"BC\xc0\xde", "Expected a single module"),
            (b"BC\xc0\xde" + bytes(100), "Malformed block"),
            (b"\x7fELF\x02\x01", "line 1, column 1: expected top-level entity"),
            (b"int main(void) {}", "line 1, column 1: expected top-level entity"),
            (b"\n\ndefine i32 @f() {\n  ret i64 0\n}", "line 4, column 7: value doesn't match"),
            (b"define void @f() {\n  frob i32 1\n}", "line 2, column 3: expected instruction"),
            (
                b"define void @f() {\n  call void @g()\n  ret void\n}",
                "line 2, column 13: use of undefined",
            ),
            (b"define void @f() {\na:\n  br label %b\n}", "use of undefined value '%b'"),
            (
                b"define i32 @f(i1 %c) {\n br i1 %c, label %a, label %b\na:\n %x = add i32 1, 2\n"
                b" br label %b\nb:\n ret i32 %x\n}",
                "not valid IR: Instruction does not dominate all uses",
            ),
        ],
    )
    def test_refuses_what_is_not_a_program(self, data: bytes, message: str) -> None:
        with pytest.raises(BadProgram, match=re.escape(message)) as caught:
            Module.read(data, "input")
        assert str(caught.value).startswith("expected LLVM bitcode or IR text that LLVM 22")
        assert "got input: " in str(caught.value)

    def test_refuses_text_that_is_not_utf8(self) -> None:
        with pytest.raises(BadProgram, match="line 1, column 1"):
            Module.read(b"\xff\xfe\xfd", "input")

    @pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.9, 0.99])
    def test_refuses_truncated_bitcode(self, crc: bytes, part: float) -> None:
        with pytest.raises(BadProgram, match="got input: "):
            Module.read(crc[: int(len(crc) * part)], "input")


class TestRun:
    @pytest.mark.parametrize(
        ("pipeline", "message"),
        [
            ("frobnicate", "unknown pass name 'frobnicate'"),
            ("sroa,frobnicate", "unknown function pass 'frobnicate'"),
            ("function(sroa", "invalid pipeline"),
            ("function(globaldce)", "unknown function pass 'globaldce'"),
            ("instcombine<max-iterations=x>", "max-iterations parameter: 'x'"),
            ("gvn<everything>", "invalid GVN pass parameter 'everything'"),
            ("default<O9>", "default<O9>"),
            ("sroa,", "invalid|unknown"),
            ("-sroa", "unknown pass name '-sroa'"),
        ],
    )
    def test_refuses_a_wrong_pipeline_and_changes_nothing(
        self, crc: bytes, pipeline: str, message: str
    ) -> None:
        module = read(crc)
        before = module.content_hash()
        with pytest.raises(UnknownPass, match=message) as caught:
            module.run(pipeline)
        assert "`llmopt-bench passes`" in str(caught.value)
        assert module.content_hash() == before

    def test_tells_whether_anything_changed(self, crc: bytes) -> None:
        module = read(crc)
        assert module.run("") is False
        assert module.run("function(sroa)") is True
        assert module.run("function(sroa)") is False

    def test_unknown_level_of_clang(self, crc: bytes) -> None:
        with pytest.raises(UnknownPass, match="expected one of the levels 1, 2, 3, s, z, got '4'"):
            read(crc).run_clang("4")

    def test_verify_finds_what_a_pass_broke(self, crc: bytes) -> None:
        module = read(crc)
        module.verify()
        module.run("trigger-verifier-error")
        with pytest.raises(InvalidModule, match="passes LLVM's verifier, got: "):
            module.verify()

    def test_code_size_needs_a_target_that_is_built_in(self) -> None:
        module = read(SUM.replace(b"x86_64-pc-linux-gnu", b"riscv64-unknown-linux-gnu"))
        with pytest.raises(CompilerError, match="got triple 'riscv64-unknown-linux-gnu'"):
            module.text_size()


@pytest.mark.parametrize("measure", [Module.instruction_count, Module.text_size])
def test_clang_oz_makes_programs_smaller(crc: bytes, measure: Callable[[Module], int]) -> None:
    module = read(crc)
    before = measure(module)
    module.run_clang("z")
    assert 0 < measure(module) < before / 1.3
