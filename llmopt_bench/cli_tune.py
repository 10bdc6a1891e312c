"""The command that makes a file smaller: tune."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmopt_bench import cli_isolation as limits
from llmopt_bench.cli_console import Json, grid, print_json, print_table
from llmopt_bench.cli_files import Cflags, File, Out, check_ending, split_cflags, write_module

if TYPE_CHECKING:
    from llmopt_bench.cli_search import Found
    from llmopt_bench.session import Session

_AGENT = "tuner"
_LEVELS = ("O0", "O2", "Os", "Oz")
_IR_ENDINGS = (".bc", ".ll")


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command()(tune)


def tune(
    file: File,
    agent: Annotated[str, typer.Option(help="Agent that searches.")] = _AGENT,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="AGENT.SETTING=VALUE", help="Repeatable."),
    ] = None,
    budget: Annotated[
        int, typer.Option(min=0, max=sys.maxsize, help="Compilations to spend.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=sys.maxsize, help="Seed of the search.")] = 0,
    metric: Annotated[
        str, typer.Option(help="What to make small: instruction_count or text_size.")
    ] = "instruction_count",
    cflags: Cflags = "",
    out: Out = None,
    ir: Annotated[
        Path | None,
        typer.Option("--ir", metavar="FILE", help="Also write the IR before the passes: .bc, .ll"),
    ] = None,
    deadline: limits.Deadline = limits.DEADLINE,
    memory_limit: limits.MemoryLimit = limits.MEMORY_MIB,
    in_process: limits.InProcess = False,
    as_json: Json = False,
) -> None:
    """Search for a pass list that makes a file smaller than clang -Oz does.

    The result is never larger than that of -Oz: where the search finds nothing smaller, the
    answer is -Oz. The levels are what clang makes of a source at each of them. Of IR and bitcode
    they are what clang's pipelines make of it, and functions that ask to be small stay so.

    Ctrl-C ends the search: the best so far is shown and written, and the exit code is 130. A
    second Ctrl-C ends the command at once.
    """
    from llmopt_bench.cli_run import load_agents
    from llmopt_bench.cli_search import Search
    from llmopt_bench.datasets.files import load_file

    check_ending(out)
    check_ending(ir, _IR_ENDINGS, "--ir")
    arguments = split_cflags(cflags)
    started = time.perf_counter()
    loaded = load_agents(agent, settings or [])
    if len(loaded) != 1:
        raise typer.BadParameter(f"expected one agent, got {agent!r}.", param_hint="--agent")
    isolation = limits.isolation_of(deadline, memory_limit, in_process)
    search = Search(load_file(file, cflags=arguments), metric, isolation)
    if ir is not None:
        write_module(search.unoptimised(), ir)
    if out is not None and out.suffix == ".o":
        search.require_machine_code()
    found = search.run(loaded[0], budget, seed)
    facts = {
        "file": str(file),
        **_all_sizes(file, found.session, arguments),
        "pass_list": found.pass_list.text,
        "actions": list(found.pass_list.names),
        "opt_command": _opt_command(file, ir, found),
        "compilations": found.compilations,
        "minimizing_compilations": found.minimizing,
        "interrupted": found.interruption is not None,
        "seconds": round(time.perf_counter() - started, 3),
    }
    if out is not None:
        write_module(found.session, out)
    if as_json:
        print_json(facts)
    else:
        _show(facts, needs_ir=ir is None and file.suffix not in _IR_ENDINGS)
    if found.interruption is not None:
        raise found.interruption


def _opt_command(file: Path, ir: Path | None, found: Found) -> str:
    """Return the command line with which LLVM's own tool repeats the result."""
    before = ir or (file if file.suffix in _IR_ENDINGS else file.with_suffix(".bc").name)
    passes = found.pass_list.text or "verify"  # opt takes no empty list
    return shlex.join(["opt-22", f"-passes={passes}", str(before), "-o", "tuned.bc"])


def _all_sizes(file: Path, tuned: Session, cflags: list[str]) -> dict[str, dict[str, int | None]]:
    levels = _levels(file, tuned, cflags)
    return {
        "counts": _sizes(levels, tuned, "instruction_count"),
        "text_bytes": _sizes(levels, tuned, "text_size"),
    }


def _levels(file: Path, tuned: Session, cflags: list[str]) -> dict[str, Session]:
    """Return for each level a session to ask for its reference.

    The front end writes the level into the functions, so a source is compiled again for each.
    """
    from llmopt_bench.datasets.files import load_file
    from llmopt_bench.session import Session

    if tuned.program.source is None:
        return dict.fromkeys(_LEVELS, tuned)
    others = {
        level: Session(load_file(file, level=level, cflags=cflags))
        for level in _LEVELS
        if level not in ("O0", "Oz")
    }
    return {level: others.get(level, tuned) for level in _LEVELS}


def _sizes(levels: dict[str, Session], tuned: Session, metric: str) -> dict[str, int | None]:
    """Return what each level and the search make of the program, in a metric.

    Bytes of machine code are known for x86-64 only; they are None for a module of another target.
    """
    from llmopt_bench.errors import CompilerError

    try:
        sizes = {level: session.reference(level, metric) for level, session in levels.items()}
        return {**sizes, "tuned": tuned.measure(metric)}
    except CompilerError:
        return dict.fromkeys((*_LEVELS, "tuned"))


def _show(facts: dict[str, Any], needs_ir: bool) -> None:
    counts, sizes = facts["counts"], facts["text_bytes"]
    rows = [
        [
            "tuned" if level == "tuned" else f"-{level}",
            counts[level],
            _over(counts["Oz"], counts[level]),
            sizes[level],
            _over(sizes["Oz"], sizes[level]),
        ]
        for level in counts
    ]
    print_table(grid(["", "Instructions", "vs -Oz", "Text bytes", "vs -Oz"], rows))
    typer.echo(
        f"{facts['compilations']:,} compilations in {facts['seconds']:.1f} s, and "
        f"{facts['minimizing_compilations']:,} to leave out passes that the result does not need"
    )
    typer.echo(f"passes: {','.join(facts['actions'])}")
    typer.echo(f"repeat: {facts['opt_command']}")
    if needs_ir:
        typer.echo(
            "        on the IR that the front end makes; add --ir FILE.bc to have it written"
        )


def _over(oz: int | None, size: int | None) -> str:
    """Return how much larger or smaller than -Oz a size is."""
    if oz is None or size is None:
        return "-"
    return f"{100 * (size - oz) / max(oz, 1):+.2f} %"
