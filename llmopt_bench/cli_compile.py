"""The command that applies passes to a file: opt."""

from __future__ import annotations

from typing import Annotated

import typer

from llmopt_bench import cli_isolation as limits
from llmopt_bench.cli_files import Cflags, File, Out, check_ending, split_cflags, write_module


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command("opt")(optimize)


def optimize(
    file: File,
    passes: Annotated[str, typer.Option(help="Pass list, as in sroa,function(gvn).")],
    cflags: Cflags = "",
    out: Out = None,
    deadline: limits.Deadline = limits.DEADLINE,
    memory_limit: limits.MemoryLimit = limits.MEMORY_MIB,
    in_process: limits.InProcess = False,
) -> None:
    """Apply a pass list to a file; without -o the IR text goes to standard output.

    The passes must be actions of passes-v1, and the result must pass LLVM's verifier.
    """
    from llmopt_bench.datasets.files import load_file
    from llmopt_bench.passes import PassList
    from llmopt_bench.verify import replay

    check_ending(out)
    isolation = limits.isolation_of(deadline, memory_limit, in_process)
    program = load_file(file, cflags=split_cflags(cflags))
    session = replay(program, PassList.parse(passes), isolation=isolation)
    if out is None:
        typer.echo(session.ir(), nl=False)
    else:
        write_module(session, out)
    before, oz = session.initial(), session.reference("Oz")
    typer.echo(f"instructions: {before:,} -> {session.measure():,} (-Oz: {oz:,})", err=True)
