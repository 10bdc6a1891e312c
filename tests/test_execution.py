"""Native programs: what they do is seen as it is, and they cannot take more than they may."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest

from llmopt_bench import execution
from llmopt_bench.datasets import csmith, expected_of, load_program, make_dataset
from llmopt_bench.errors import BadProgram, LlmoptError, MissingTool
from llmopt_bench.execution import Execution, Expected, Limits, execute, require_native, run_program
from llmopt_bench.frontend import compile_source, find_compiler

try:
    find_compiler()
except MissingTool:
    pytest.skip("needs clang 22", allow_module_level=True)

HELLO = 'int puts(const char *);\nint main(void) { puts("hello"); return 3; }\n'


def run(source: str, limits: Limits | None = None) -> Execution:
    return execute(compile_source(source, "c"), "tiny", limits)


class TestWhatIsSeen:
    def test_output_and_exit_code(self) -> None:
        assert run(HELLO) == Execution(b"hello\n", 3, False)

    def test_bytes_are_not_changed(self) -> None:
        source = "long write(int, const void *, unsigned long);\nint main(void) { return (int)(3 - "
        source += 'write(1, "a\\0\\xff", 3)); }\n'
        assert run(source) == Execution(b"a\0\xff", 0, False)

    def test_a_signal(self) -> None:
        done = run("int main(void) { __builtin_trap(); }\n")
        assert done.status == -signal.SIGILL
        assert done.ending == "SIGILL"

    def test_standard_error_is_not_output(self, capfd: pytest.CaptureFixture[str]) -> None:
        source = '#include <stdio.h>\nint main(void) { fputs("no", stderr); return 0; }\n'
        assert run(source).stdout == b""
        assert capfd.readouterr() == ("", "")

    def test_there_is_no_input(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"text")
        ours = os.dup(0)
        os.dup2(reader, 0)
        try:
            done = run("int getchar(void);\nint main(void) { return getchar() == -1; }\n")
        finally:
            os.dup2(ours, 0)
            for descriptor in (reader, writer, ours):
                os.close(descriptor)
        assert done.status == 1

    def test_the_environment_does_not_leak_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLMOPT_SECRET", "1")
        source = "char *getenv(const char *);\n"
        assert run(source + 'int main(void) { return getenv("LLMOPT_SECRET") != 0; }').status == 0


class TestLimits:
    def test_they_are_set(self) -> None:
        source = """
#include <stdio.h>
#include <sys/resource.h>
int main(void) {
  int kinds[] = {RLIMIT_CPU, RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_CORE};
  for (int i = 0; i < 4; i++) {
    struct rlimit limit;
    getrlimit(kinds[i], &limit);
    printf("%llu ", (unsigned long long)limit.rlim_max);
  }
  return 0;
}
"""
        done = run(source, Limits(seconds=2.5, memory=2**28, output=2**20))
        assert done.stdout.decode().split() == ["4", str(2**28), str(2**20), "0"]

    def test_a_program_that_never_ends(self) -> None:
        started = time.monotonic()
        done = run(
            '#include <stdio.h>\nint main(void) { puts("on"); fflush(stdout); for (;;); }\n',
            Limits(seconds=0.4),
        )
        assert done == Execution(b"on\n", -signal.SIGKILL, True)
        assert done.ending == "no end within the time limit"
        assert time.monotonic() - started < 5

    def test_more_memory_than_allowed(self) -> None:
        source = "#include <stdlib.h>\nint main(void) { return malloc(1 << 28) == 0; }\n"
        assert run(source).status == 0
        assert run(source, Limits(memory=2**27)).status == 1

    def test_more_output_than_allowed(self) -> None:
        done = run("int puts(const char *);\nint main(void) { for (;;) puts(\"x\"); }\n",
                   Limits(output=10_000))  # fmt: skip
        assert done.ending == "SIGXFSZ"
        assert 9_000 < len(done.stdout) <= 10_000

    def test_children_end_with_the_program(self, tmp_path: Path) -> None:
        mark = tmp_path / "mark"
        mark.touch()
        source = f"""
#include <stdio.h>
#include <unistd.h>
int main(void) {{
  if (fork() == 0) {{
    for (;;) {{
      FILE *file = fopen("{mark}", "a");
      fputs("x", file);
      fclose(file);
      usleep(10000);
    }}
  }}
  usleep(200000);
  return 0;
}}
"""
        done = run(source, Limits(seconds=5))
        assert (done.status, done.timed_out) == (0, False)
        written = mark.stat().st_size
        assert written > 0
        time.sleep(0.2)
        assert mark.stat().st_size == written

    def test_it_works_in_an_empty_folder_that_goes_away(self, tmp_path: Path) -> None:
        source = "#include <stdio.h>\n#include <unistd.h>\nint main(void) { char t[4096];"
        source += ' puts(getcwd(t, sizeof t)); return fopen("left", "w") == 0; }'
        done = run(source)
        assert done.status == 0
        assert not Path(done.stdout.decode().strip()).exists()

    def test_a_limit_that_is_in_force_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(execution.resource, "getrlimit", lambda kind: (2**27, 2**27))
        source = "#include <stdlib.h>\nint main(void) { return malloc(1 << 28) == 0; }\n"
        assert run(source).status == 1


class TestErrors:
    def test_a_module_without_main(self) -> None:
        with pytest.raises(BadProgram, match=r"expected tiny to link, got: .* undefined .*main"):
            run("int f(void) { return 1; }\n")

    def test_no_compiler(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bitcode = compile_source(HELLO, "c")
        monkeypatch.setenv("LLMOPT_CLANG", "/nowhere/clang")
        with pytest.raises(MissingTool, match="no executable"):
            execute(bitcode, "tiny")

    def test_a_program_that_is_not_there_is_no_success(self, tmp_path: Path) -> None:
        assert run_program(tmp_path / "gone").status == 127

    @pytest.mark.parametrize(
        ("outcome", "message"),
        [
            (Execution(b"", 126, False), r"expected exit code 42 .* exit code 126\. .*TMPDIR"),
            (BadProgram("cannot find crt1.o."), r"cannot find crt1\.o\. Install .*libc6-dev"),
            (MissingTool("no clang"), "^no clang$"),
        ],
    )
    def test_a_machine_that_cannot_run_programs_says_why(
        self, monkeypatch: pytest.MonkeyPatch, outcome: Execution | LlmoptError, message: str
    ) -> None:
        def pretend(bitcode: bytes, name: str) -> Execution:
            if isinstance(outcome, LlmoptError):
                raise outcome
            return outcome

        monkeypatch.setattr(execution, "execute", pretend)
        with pytest.raises(MissingTool, match=message):
            require_native.__wrapped__()

    def test_this_machine_can(self) -> None:
        require_native.__wrapped__()


class TestExpected:
    expected = Expected(hashlib.sha256(b"hello\n").hexdigest(), 3)

    def test_of_a_run(self) -> None:
        assert Expected.of(Execution(b"hello\n", 3, False)) == self.expected
        assert self.expected.difference(Execution(b"hello\n", 3, False)) is None

    @pytest.mark.parametrize(
        ("run", "difference"),
        [
            (Execution(b"hello\n", 0, False), "expected exit code 3, got exit code 0"),
            (Execution(b"hello\n", -11, False), "expected exit code 3, got SIGSEGV"),
            (Execution(b"hello\n", -9, True), "got no end within the time limit"),
            (Execution(b"hallo\n", 3, False), "expected output of SHA-256 5891b5b522d5, got "),
        ],
    )
    def test_each_difference(self, run: Execution, difference: str) -> None:
        assert difference in str(self.expected.difference(run))

    def test_a_late_program_is_never_as_expected(self) -> None:
        late = Execution(b"hello\n", 3, True)
        assert self.expected.difference(late) is not None

    def test_what_is_known_of_programs(self, tmp_path: Path) -> None:
        known = expected_of(load_program("bundled-v1/crc_family"))
        assert known is not None
        assert known.exit_code == 0
        function = next(make_dataset("bundled-functions-v1").uris())
        assert expected_of(load_program(function)) is None
        (tmp_path / "x.c").write_text(HELLO)
        assert expected_of(load_program(tmp_path / "x.c")) is None


@pytest.mark.skipif(not make_dataset("csmith-v0").installed, reason="needs csmith")
class TestCsmith:
    def test_what_a_program_does_unoptimized_is_expected(self) -> None:
        program = load_program("csmith-v0/13")
        run = execute(program.bitcode, "csmith-v0/13")
        assert run.stdout.startswith(b"checksum = ")
        assert expected_of(program) == Expected.of(run)

    def test_nothing_is_expected_of_a_program_without_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(csmith, "RUN_LIMITS", Limits(seconds=0.2))
        assert expected_of(load_program("csmith-v0/7")) is None
