"""Makes bitcode of LLVM 10 of the 77 C programs of `bundled-v1`, which LLVM 22 reads as well.

    python docs/experiments/llvm10_programs.py OUT

zig 0.8.1 comes with clang 12 and the headers of musl. It writes the unoptimised IR of -Oz as text;
a few attributes that LLVM 10 does not know are taken out; and llvmlite 0.36.0, which is LLVM
10.0.1, reads the text, verifies it and writes OUT/NAME.bc. Both are installed into OUT/tools, which
takes a CPython 3.9 or 3.8 (no later one has that llvmlite), a package index, and some 400 MB.
Nothing of the machine enters: no header, no path.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from llmopt_bench.compiler_gym_tools import run
from llmopt_bench.datasets.bundled import DATA
from llmopt_bench.errors import LlmoptError

VERSIONS = ("3.9", "3.8")
PINS = ("llvmlite==0.36.0", "ziglang==0.8.1")
TARGET = "x86_64-unknown-linux-gnu"
HEADERS = (
    "include",
    "libc/include/x86_64-linux-musl",
    "libc/include/generic-musl",
    "libc/include/x86_64-linux-any",
    "libc/include/any-linux-any",
)
"""The folders of zig with clang's own headers, musl's and Linux's, in the order of their search."""

_ASK = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"
_FIND_ZIG = "import os, ziglang; print(os.path.dirname(ziglang.__file__))"
_WRITE = """
import sys, llvmlite.binding as llvm
with open(sys.argv[1], encoding="utf-8") as text:
    module = llvm.parse_assembly(text.read())
module.verify()
with open(sys.argv[2], "wb") as bitcode:
    bitcode.write(module.as_bitcode())
"""

# Words of LLVM 11 and 12, of which the optimizer of LLVM 10 knows nothing. Not parts of names.
_NEW_WORDS = re.compile(r"(?<![\w%@.$-])(?:noundef|mustprogress|nocallback)(?![\w.$-]) ?")
# LLVM 10 has sret without the type.
_TYPE_OF_SRET = re.compile(r"\bsret\([^()]*\)")
# What every x86-64 has, and the names of what it has not: some are newer than LLVM 10.
_CPU = re.compile(r' "(?:target-features|tune-cpu)"="[^"]*"')


def pythons() -> Iterator[str]:
    """Yield where an old CPython may be: on PATH, and among the versions of pyenv."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in VERSIONS:
        yield f"python{version}"
        yield from (str(path) for path in sorted(versions.glob(f"{version}.*/bin/python")))


def find_python(named: str | None) -> str:
    """Return a CPython that llvmlite 0.36.0 exists for."""
    for python in [named] if named else pythons():
        try:
            if run([python, "-I", "-c", _ASK], "ask a Python for its version").strip() in VERSIONS:
                return python
        except LlmoptError:  # not there, without venv, or a shim of a version not chosen
            continue
    where = named or "PATH and pyenv's folder"
    raise SystemExit(
        f"expected a CPython {' or '.join(VERSIONS)} with venv and pip, got none in {where}. "
        "Install one (`pyenv install 3.9`), or name it with --python."
    )


def install(tools: Path, named: str | None) -> Path:
    """Return the interpreter of a virtual environment with clang 12 and LLVM 10."""
    inside, done = tools / "bin/python", tools / "installed.txt"
    if not done.is_file() or done.read_text("utf-8").split() != [*PINS]:
        python = find_python(named)
        run([python, "-I", "-m", "venv", "--clear", str(tools)], "make a virtual environment")
        pip = [str(inside), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        advice = " Check the connection to the package index and run this again."
        what = f"install {' and '.join(PINS)}"
        run([*pip, "--only-binary", ":all:", *PINS], what, None, advice)
        done.write_text("\n".join(PINS), "utf-8")
    return inside


def front_end(zig: Path, source: Path, text: Path) -> None:
    """Write the IR that -Oz starts from."""
    headers = [word for name in HEADERS for word in ("-isystem", str(zig / "lib" / name))]
    flags = ["-Oz", "-Xclang", "-disable-llvm-passes", "-g0", "-w", "-target", TARGET, "-nostdinc"]
    command = [str(zig / "zig"), "clang", "-S", "-emit-llvm", *flags, *headers]
    # Compiled where it lies, so that the module is called by the name alone.
    run([*command, source.name, "-o", str(text)], f"compile {source.name}", source.parent)


def as_llvm_10(text: str) -> str:
    """Return IR text of LLVM 12 without what LLVM 10 does not know."""
    lines = text.splitlines(keepends=True)
    # A line that begins with @ is data, whose strings may say anything.
    return "".join(line if line.startswith("@") else _older(line) for line in lines)


def _older(line: str) -> str:
    return _CPU.sub("", _TYPE_OF_SRET.sub("sret", _NEW_WORDS.sub("", line)))


def make(out: Path, named: str | None) -> int:
    """Write the programs; return how many."""
    out = out.absolute()
    inside = install(out / "tools", named)
    zig = Path(run([str(inside), "-I", "-c", _FIND_ZIG], "find zig").strip())
    text = out / "tools" / "program.ll"
    sources = sorted(Path(str(DATA)).glob("*/*.c"))
    for source in sources:
        front_end(zig, source, text)
        text.write_text(as_llvm_10(text.read_text("utf-8")), "utf-8")
        bitcode = out / f"{source.stem}.bc"
        command = [str(inside), "-I", "-c", _WRITE, str(text), str(bitcode)]
        run(command, f"write {bitcode.name} with LLVM 10")
    return len(sources)


def main() -> None:
    """Make the programs, or say what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="a folder, made if it is not there")
    parser.add_argument("--python", help="a CPython 3.9 or 3.8; else looked for")
    given = parser.parse_args()
    try:
        count = make(given.out, given.python)
    except LlmoptError as error:
        raise SystemExit(f"error: {error}") from error
    sys.stdout.write(f"{count} programs are in {given.out}\n")


if __name__ == "__main__":
    main()
