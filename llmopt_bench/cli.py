"""The command line: what ``llmopt-bench`` does with arguments, and how it ends.

Commands import what they need when they run, so that ``--help`` is quick.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer

from llmopt_bench import (
    cli_board,
    cli_compile,
    cli_compiler_gym,
    cli_curve,
    cli_datasets,
    cli_lists,
    cli_records,
    cli_run,
    cli_submit,
    cli_train,
    cli_tune,
    cli_verify,
)
from llmopt_bench.errors import (
    BadAgent,
    BadTask,
    BadTraining,
    LlmoptError,
    UnknownName,
    UnknownPass,
    UnknownProgram,
    shorten,
)

FAILED, BAD_USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes other than 0."""

# What asks a process to end, besides Ctrl-C: a scheduler's time limit, a terminal that closes.
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
_ended_by: int = signal.SIGINT

_LONGEST_LINE = 400
_USAGE_ERRORS = (UnknownName, UnknownPass, UnknownProgram, BadTask, BadAgent, BadTraining)
# The base of every error of the parser; typer exports no name for it.
_PARSER_ERROR: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="llmopt-bench",
    help="Score agents on how small they make LLVM IR, and make your own files smaller.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli_run.register(app)
cli_verify.register(app)
cli_submit.register(app)
cli_board.register(app)
cli_records.register(app)
cli_curve.register(app)
cli_tune.register(app)
cli_train.register(app)
cli_compile.register(app)
cli_lists.register(app)
cli_datasets.register(app)
cli_compiler_gym.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    _prepare_output()
    for number in _ENDINGS:
        signal.signal(number, _interrupt)
    code = _guarded(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        # What could not be written must not be tried again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code != FAILED:
            code = _end_of_output(error)
    sys.exit(code)


def _prepare_output() -> None:
    """Make the output streams take any text, and be there even if the caller has closed one."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of files and agents need not be in the terminal's encoding.
            stream.reconfigure(errors="backslashreplace")


def _end_of_output(error: OSError) -> int:
    """Return the exit code after a failed write to standard output."""
    if isinstance(error, BrokenPipeError):
        return FAILED  # whoever read our output has left, for example `head`
    return _complain(f"cannot write to standard output: {error.strerror}", FAILED)


def _guarded(arguments: Sequence[str] | None) -> int:
    """Run the command and return the exit code; errors become one or two lines."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="llmopt-bench", standalone_mode=False) or 0
    except BrokenPipeError as error:
        return _end_of_output(error)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except _PARSER_ERROR as error:
        return _complain(_usage_text(error), BAD_USAGE)
    except _USAGE_ERRORS as error:
        return _complain(str(error), BAD_USAGE)
    except (LlmoptError, OSError) as error:
        return _complain(str(error), FAILED)
    # Versions of typer differ in whether Ctrl-C comes out as an exception or as a code.
    return _end_of_interruption(arguments) if code == INTERRUPTED else int(code)


def _interrupt(number: int, _: object) -> NoReturn:
    """Make a signal that asks the process to end do what Ctrl-C does."""
    global _ended_by
    _ended_by = number
    raise KeyboardInterrupt


def _end_of_interruption(arguments: Sequence[str] | None) -> int:
    """Return the exit code after Ctrl-C or a signal, and say what became of the work."""
    given = sys.argv[1:] if arguments is None else arguments
    advice = "; run it again with --resume and --out" if given[:1] in (["run"], ["train"]) else ""
    return _complain(f"interrupted; what was finished is kept{advice}", 128 + _ended_by)


def _usage_text(error: Exception) -> str:
    text = str(getattr(error, "format_message", error.__str__)())
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "llmopt-bench"
    return f"{text}\nTry '{path} --help'."


def _complain(text: str, code: int) -> int:
    lines = [shorten(line, _LONGEST_LINE) for line in text.splitlines() if line.strip()][:2]
    typer.echo("error: " + "\n".join(lines), err=True)
    return code
