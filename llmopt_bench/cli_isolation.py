"""The options of the commands that compile: how LLVM is kept from hurting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from llmopt_bench.isolation import Isolation

Deadline = Annotated[
    float, typer.Option(min=0, help="Seconds that one compilation may take; 0 for no limit.")
]
MemoryLimit = Annotated[
    int, typer.Option(min=0, help="MiB that a compilation may take; 0 for no limit.")
]
InProcess = Annotated[
    bool,
    typer.Option("--in-process", help="Without a process for LLVM: a crash ends the command."),
]
# Spelled again because a command line must not import the compiler to print its help; a test
# holds them against isolation.DEFAULT.
DEADLINE = 60.0
MEMORY_MIB = 4096


def isolation_of(deadline: float, memory_limit: int, in_process: bool) -> Isolation | None:
    """Return what the options say."""
    from llmopt_bench.isolation import Isolation

    return None if in_process else Isolation(deadline, memory_limit)
