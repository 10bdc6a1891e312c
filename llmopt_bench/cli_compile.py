"""The commands about one file: tune, opt."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmopt_bench import cli_isolation as limits
from llmopt_bench.cli_console import Json, grid, print_json, print_table

if TYPE_CHECKING:
    from llmopt_bench.agent import LoadedAgent
    from llmopt_bench.budget import Meter
    from llmopt_bench.isolation import Isolation
    from llmopt_bench.passes import PassList
    from llmopt_bench.program import Program
    from llmopt_bench.session import Session

_ENDINGS = (".bc", ".ll")
_LEVELS = ("O0", "O2", "Os", "Oz")

File = Annotated[Path, typer.Argument(help="Source or IR: .c .cc .cpp .cxx .ll .bc")]
Cflags = Annotated[
    str, typer.Option(help="More arguments for clang, for sources: '-DNDEBUG -I include'.")
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write: .bc or .ll")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(tune)
    app.command("opt")(optimize)


def tune(
    file: File,
    agent: Annotated[str, typer.Option(help="Agent that searches.")] = "greedy",
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
    deadline: limits.Deadline = limits.DEADLINE,
    memory_limit: limits.MemoryLimit = limits.MEMORY_MIB,
    in_process: limits.InProcess = False,
    as_json: Json = False,
) -> None:
    """Search for a pass list that makes a file smaller than clang -Oz does.

    The result is never larger than that of -Oz: where the search finds nothing smaller, the
    answer is -Oz. The levels are what clang makes of a source at each of them. Of IR and bitcode
    they are what clang's pipelines make of it, and functions that ask to be small stay so.

    To make an object file of the result: clang -c -Oz -Xclang -disable-llvm-passes OUT
    """
    from llmopt_bench.budget import Meter
    from llmopt_bench.cli_run import load_agents
    from llmopt_bench.datasets.files import load_file

    _check_ending(out)
    arguments = _split(cflags)
    started = time.perf_counter()
    loaded = load_agents(agent, settings or [])
    if len(loaded) != 1:
        raise typer.BadParameter(f"expected one agent, got {agent!r}.", param_hint="--agent")
    meter = Meter(budget)
    isolation = limits.isolation_of(deadline, memory_limit, in_process)
    program = load_file(file, cflags=arguments)
    session, answer = _search(program, loaded[0], metric, meter, seed, isolation)
    levels = _levels(file, session, arguments)
    facts = {
        "file": str(file),
        "counts": _sizes(levels, session, "instruction_count"),
        "text_bytes": _sizes(levels, session, "text_size"),
        "pass_list": answer.text,
        "actions": list(answer.names),
        "compilations": meter.compilations,
        "seconds": round(time.perf_counter() - started, 3),
    }
    if out is not None:
        _write(session, out)
    if as_json:
        print_json(facts)
    else:
        _show(facts)


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

    _check_ending(out)
    isolation = limits.isolation_of(deadline, memory_limit, in_process)
    program = load_file(file, cflags=_split(cflags))
    session = replay(program, PassList.parse(passes), isolation=isolation)
    if out is None:
        typer.echo(session.ir(), nl=False)
    else:
        _write(session, out)
    before, oz = session.initial(), session.reference("Oz")
    typer.echo(f"instructions: {before:,} -> {session.measure():,} (-Oz: {oz:,})", err=True)


def _search(
    program: Program,
    agent: LoadedAgent,
    metric: str,
    meter: Meter,
    seed: int,
    isolation: Isolation | None,
) -> tuple[Session, PassList]:
    """Return the smaller of the agent's answer and -Oz, and a session that holds it."""
    from llmopt_bench.env import PassOrderEnv
    from llmopt_bench.passes import PassList
    from llmopt_bench.verify import replay, settle

    env = PassOrderEnv(program, metric=metric, meter=meter, isolation=isolation)
    env.reset(seed=seed)
    answer, session = settle(program, agent.run(env), metric=metric, isolation=isolation)
    if session.measure() < session.reference("Oz"):
        return session, answer
    oz = PassList(["Oz"])
    return replay(program, oz, metric=metric, isolation=isolation), oz


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


def _show(facts: dict[str, Any]) -> None:
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
    typer.echo(f"{facts['compilations']:,} compilations in {facts['seconds']:.1f} s")
    typer.echo(f"passes: {','.join(facts['actions'])}")


def _over(oz: int | None, size: int | None) -> str:
    """Return how much larger or smaller than -Oz a size is."""
    if oz is None or size is None:
        return "-"
    return f"{100 * (size - oz) / max(oz, 1):+.2f} %"


def _split(cflags: str) -> list[str]:
    try:
        return shlex.split(cflags)
    except ValueError as error:
        raise typer.BadParameter(f"{error} in {cflags!r}.", param_hint="--cflags") from error


def _check_ending(out: Path | None) -> None:
    if out is not None and out.suffix not in _ENDINGS:
        raise typer.BadParameter(
            f"expected a name ending in {' or '.join(_ENDINGS)}, got {out}.", param_hint="-o"
        )


def _write(session: Session, out: Path) -> None:
    """Write the module, so that the file is whole or is not touched at all."""
    data = session.ir().encode() if out.suffix == ".ll" else session.bitcode()
    target = Path(os.path.realpath(out))  # Path.resolve raises for links in a circle
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(data)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
