"""Runs a program as `-Oz` makes it and as pass lists make it, and says where the two differ.

    python docs/experiments/run_before_after.py prog.c                       every action, alone
    python docs/experiments/run_before_after.py prog.c 'attributor,default<Oz>'

The program takes no arguments and must print the same text each time. Needs clang-22, opt-22 and
llc-22 on the PATH; LLVM_SUFFIX names another suffix than "-22". Exit code 1 if a list is wrong.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

SUFFIX = os.environ.get("LLVM_SUFFIX", "-22")
ACTION_SET = Path(__file__).parents[2] / "llmopt_bench" / "action_sets" / "passes-v1.toml"
REFERENCE = "default<Oz>"
SECONDS = 20


def tool(name: str, *arguments: str | Path) -> str:
    """Run an LLVM tool; return "" on success, else what went wrong, in one line."""
    command = [name + SUFFIX, *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{name}: no end after {SECONDS} s"
    if done.returncode == 0:
        return ""
    last = done.stderr.strip().splitlines()[-1:] or ["no message"]
    return f"{name}: exit code {done.returncode}: {last[0]}"


def front_end(source: Path, bitcode: Path) -> None:
    """Compile to the IR that -Oz starts from."""
    flags = ["-Oz", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c", "-w"]
    compiler = "clang++" if source.suffix in {".cc", ".cpp"} else "clang"
    failure = tool(compiler, *flags, source, "-o", bitcode)
    if failure:
        raise SystemExit(f"{source} does not compile: {failure}")


def behaviour(bitcode: Path, passes: str, folder: Path) -> str:
    """Return what the program does after `passes`: its exit code and output, or a failure."""
    module, obj, program = folder / "x.bc", folder / "x.o", folder / "x"
    failure = (
        tool("opt", f"-passes={passes},verify", bitcode, "-o", module)
        or tool("llc", "-relocation-model=pic", "-filetype=obj", module, "-o", obj)
        or tool("clang++", obj, "-o", program)
    )
    if failure:
        return failure
    try:
        done = subprocess.run([program], capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"program: no end after {SECONDS} s"
    return f"program: exit code {done.returncode}, output {done.stdout!r}"


def every_action() -> Iterator[str]:
    """Yield each action before and after the reference pipeline."""
    for action in tomllib.loads(ACTION_SET.read_text("utf-8"))["action"]:
        yield f"{action['pipeline']},{REFERENCE}"
        yield f"{REFERENCE},{action['pipeline']}"


def main() -> int:
    """Compare and report; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="a C or C++ file with a main function")
    parser.add_argument("passes", nargs="*", help="pipelines, as opt takes them after -passes=")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bitcode = folder / "source.bc"
        front_end(arguments.source, bitcode)
        expected = behaviour(bitcode, REFERENCE, folder)
        lists = arguments.passes or list(every_action())
        found = {passes: behaviour(bitcode, passes, folder) for passes in lists}
    wrong = {passes: seen for passes, seen in found.items() if seen != expected}
    for passes, seen in wrong.items():
        sys.stdout.write(f"{passes}\n  expected {expected[:200]}\n  found    {seen[:200]}\n")
    sys.stdout.write(f"{len(lists)} pass lists, {len(wrong)} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
