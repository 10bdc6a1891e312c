"""What the commands about one file have in common: its options, and how a module is written."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmopt_bench.plain_file import write_whole

if TYPE_CHECKING:
    from llmopt_bench.session import Session

ENDINGS = (".bc", ".ll", ".o")

File = Annotated[Path, typer.Argument(help="Source or IR: .c .cc .cpp .cxx .ll .bc")]
Cflags = Annotated[
    str, typer.Option(help="More arguments for clang, for sources: '-DNDEBUG -I include'.")
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write: .bc, .ll or .o")]


def split_cflags(cflags: str) -> list[str]:
    """Return the arguments in a text, as a shell splits them."""
    try:
        return shlex.split(cflags)
    except ValueError as error:
        raise typer.BadParameter(f"{error} in {cflags!r}.", param_hint="--cflags") from error


def check_ending(out: Path | None, endings: tuple[str, ...] = ENDINGS, option: str = "-o") -> None:
    """Refuse a name whose ending says nothing about what to write.

    Raises:
        typer.BadParameter: It ends otherwise.
    """
    if out is not None and out.suffix not in endings:
        expected = f"{', '.join(endings[:-1])} or {endings[-1]}"
        raise typer.BadParameter(
            f"expected a name ending in {expected}, got {out}.", param_hint=option
        )


def write_module(session: Session, out: Path) -> None:
    """Write the module as its name says, so that the file is whole or is not touched at all.

    Raises:
        CompilerError: There is no machine code for the module's target.
        OSError: The file cannot be written.
    """
    target = Path(os.path.realpath(out))  # Path.resolve raises for links in a circle
    write_whole(target, _content(session, out.suffix))


def _content(session: Session, ending: str) -> bytes:
    if ending == ".ll":
        return session.ir().encode()
    if ending == ".o":
        return session.state.ask(lambda module: module.object())
    return session.bitcode()
