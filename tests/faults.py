"""Programs on which LLVM runs for minutes, eats memory or overflows its stack."""

from __future__ import annotations

from llmopt_bench import Program
from llmopt_bench.isolation import Host

TRIPLE = 'target triple = "x86_64-pc-linux-gnu"\n'


def program_of(ir: str) -> Program:
    return Program("test:faulty", Host().read((TRIPLE + ir).encode(), "faulty").bitcode())


def doubling(levels: int = 40) -> Program:
    """Each function calls the one before twice, and all ask to be inlined: 2**levels calls."""
    lines = [
        "declare void @g()",
        "define void @f0() alwaysinline {",
        " call void @g()",
        " ret void",
        "}",
    ]
    for i in range(1, levels):
        lines += [f"define void @f{i}() alwaysinline {{", *[f" call void @f{i - 1}()"] * 2]
        lines += [" ret void", "}"]
    return program_of("\n".join(lines))


def loop_nest(depth: int = 4000) -> Program:
    """Loops in loops; what LLVM does for each looks at all that are around it."""
    lines = ["declare i1 @c()", "define void @f() {", " br label %l0"]
    for i in range(depth):
        lines += [f"l{i}:", f" br label %l{i + 1}"]
    lines += [f"l{depth}:", f" br label %e{depth - 1}"]
    for i in reversed(range(depth)):
        out = f"e{i - 1}" if i else "end"
        lines += [f"e{i}:", f" %c{i} = call i1 @c()", f" br i1 %c{i}, label %l{i}, label %{out}"]
    return program_of("\n".join([*lines, "end:", " ret void", "}"]))


def nested_type(depth: int = 1_000_000) -> bytes:
    """IR text whose reader calls itself for every bracket."""
    return f"{TRIPLE}@x = global {'[1 x ' * depth}i8{']' * depth} zeroinitializer".encode()
