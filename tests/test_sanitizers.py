"""The bundled sources are free of undefined behaviour where they go: another compiler watches.

A program whose behaviour C does not define may print anything after correct passes, and every
comparison of outputs rests on this. gcc also shares no code with LLVM, so that it prints the same
says that the expected output is the meaning of the source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from llmopt_bench.datasets.bundled import DATA, entries
from llmopt_bench.execution import Execution, Expected

GCC = shutil.which("gcc")
FLAGS = ("-std=gnu17", "-w", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Memory that a program does not give back at its end is no undefined behaviour.
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1", "LC_ALL": "C"}
CLEAN = "#include <stdio.h>\nint main(void) { puts(\"fine\"); return 0; }\n"  # fmt: skip
FAULTS = {
    "overflow": "int main(int count, char **a) { return (2147483647 + count) & 1; }\n",
    "shift": "int main(int count, char **a) { return 1 << (count + 31); }\n",
    "out of bounds": "int main(int count, char **a) { int t[4] = {0}; return t[count + 3]; }\n",
    "after free": "#include <stdlib.h>\nint main(void) { int *p = calloc(1, 4); free(p); "
    "return *(volatile int *)p; }\n",
    "misaligned": "int main(int count, char **a) { _Alignas(4) char t[8] = {0}; "
    "return *(int *)(t + count); }\n",
}


def watched(source: Path, folder: Path) -> tuple[Execution, str]:
    """Compile and run a program with the sanitizers; return what it did and what they said."""
    program = folder / source.stem
    subprocess.run([str(GCC), *FLAGS, source, "-o", program, "-lm"], check=True, timeout=120)
    environment = {"PATH": os.environ["PATH"], **OPTIONS}
    done = subprocess.run([program], env=environment, capture_output=True, timeout=120)
    program.unlink()
    return Execution(done.stdout, done.returncode, False), done.stderr.decode("utf-8", "replace")


def write(folder: Path, text: str) -> Path:
    source = folder / "x.c"
    source.write_text(text, "utf-8")
    return source


@pytest.fixture(scope="module", autouse=True)
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> None:
    if GCC is None:
        pytest.skip("needs gcc")
    folder = tmp_path_factory.mktemp("probe")
    try:
        watched(write(folder, CLEAN), folder)
    except subprocess.CalledProcessError:
        pytest.skip("gcc has no sanitizers here: it needs libasan and libubsan")


@pytest.mark.parametrize("fault", FAULTS)
def test_the_sanitizers_see_faults(tmp_path: Path, fault: str) -> None:
    run, said = watched(write(tmp_path, FAULTS[fault]), tmp_path)
    assert run.status != 0
    assert "runtime error" in said or "AddressSanitizer" in said


@pytest.mark.parametrize("name", list(entries()))
def test_the_bundled_programs_are_clean(tmp_path: Path, name: str) -> None:
    entry = entries()[name]
    run, said = watched(Path(str(DATA)) / entry.source_path, tmp_path)
    assert said == ""
    assert Expected(entry.stdout_sha256, entry.exit_code).difference(run) is None
