"""The command ``compiler-gym``: set up CompilerGym on this machine, and see whether it works."""

from __future__ import annotations

from typing import Annotated

import typer

from llmopt_bench.cli_console import Json, print_json


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    group = typer.Typer(
        help="Set up CompilerGym as a second compiler, and see whether it works.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("setup")(setup)
    group.command("status")(status)
    app.add_typer(group, name="compiler-gym")


def setup(
    python: Annotated[
        str | None, typer.Option(help="The CPython 3.8 to 3.10 to use; looked for by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make it again if it is there.")] = False,
) -> None:
    """Install CompilerGym 0.2.5 into a virtual environment of its own, about 200 MB."""
    from llmopt_bench.compiler_gym_setup import set_up

    home = set_up(python, force=force, say=lambda text: typer.echo(text, err=True))
    typer.echo(f"CompilerGym is in {home}; `llmopt-bench compiler-gym status` tries it.")


def status(as_json: Json = False) -> None:
    """Start CompilerGym and tell what it is; exit with 1 if it is not there or does not start."""
    from llmopt_bench.compiler_gym_client import CompilerGymProcess
    from llmopt_bench.compiler_gym_place import compiler_gym_place

    place = compiler_gym_place()
    process = CompilerGymProcess()
    told = process.facts
    process.close()
    facts: dict[str, object] = {"interpreter": str(place.python), "named_by": place.origin}
    facts |= {name: told[name] for name in ("python", "compiler_gym", "llvm", "clang")}
    facts |= {name: len(told[name]) for name in ("actions", "observations", "rewards")}
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<13} {value}")
