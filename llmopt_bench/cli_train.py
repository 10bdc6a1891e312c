"""The command that trains the model of an agent."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmopt_bench.cli_console import Json, print_json, progress_bar, read_value

if TYPE_CHECKING:
    from llmopt_bench.training import Trained

_BAR = 1000  # what the share that is done is counted in


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(train)


def train(
    agent: Annotated[str, typer.Argument(help="Which agent: autophase, coreset-nvp, ...")],
    data: Annotated[
        str, typer.Option(help="What to learn from: datasets or files, separated by commas.")
    ] = "",
    max_minutes: Annotated[
        float | None, typer.Option(help="When to end, at the latest; by default the settings say.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the training.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/train-AGENT-TIME by default.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training in --out.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SETTING=VALUE", help="Of the trainer; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train the model of an agent, and say where it is and what it scores on validation."""
    from llmopt_bench.training import TrainJob
    from llmopt_bench.training import train as train_model

    if resume and out is None:
        raise typer.BadParameter("--resume needs --out, the folder to go on with.")
    folder = out or Path("runs") / f"train-{agent}-{time.strftime('%Y%m%d-%H%M%S')}"
    with progress_bar() as advance:
        lines = _Lines()

        def report(done: float, text: str) -> None:
            advance(int(done * _BAR), _BAR, text)
            lines.show(done, text)

        trained = train_model(
            TrainJob(
                agent=agent,
                data=tuple(name.strip() for name in data.split(",") if name.strip()),
                out=folder,
                max_minutes=max_minutes,
                seed=seed,
                resume=resume,
                settings=dict(map(_setting, settings or [])),
                report=report,
            )
        )
    if as_json:
        print_json({"model": str(trained.model), "validation": dict(trained.validation)})
    else:
        typer.echo(_last_line(trained))


class _Lines:
    """Progress as lines for where there is no terminal: a log wants one now and then."""

    def __init__(self, every: float = 10.0) -> None:
        self._every = every
        self._next = 0.0

    def show(self, done: float, text: str) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() or now < self._next:
            return
        self._next = now + self._every
        typer.echo(f"{done:6.1%} {text}", err=True)


def _last_line(trained: Trained) -> str:
    return f"model: {trained.model}; validation: {_scores(trained.validation)}"


def _scores(validation: Mapping[str, float]) -> str:
    """Return scores as text; what is called an improvement is a fraction."""
    return ", ".join(
        f"{name} {100 * value:+.2f} %" if "improvement" in name else f"{name} {value:g}"
        for name, value in validation.items()
    )


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"expected SETTING=VALUE, got {text!r}.", param_hint="--set")
    return name, read_value(value)
