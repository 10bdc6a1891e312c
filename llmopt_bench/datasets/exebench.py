"""ExeBench: functions in C from public repositories, with what they need to compile."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from llmopt_bench.datasets.file_uri import JSON_LINES, open_named, row_uri
from llmopt_bench.datasets.foreign import Failure, Origin
from llmopt_bench.datasets.json_lines import MAX_LINE, JsonLines, Line
from llmopt_bench.datasets.rows import RowPrograms, no_row
from llmopt_bench.errors import BadProgram, shown
from llmopt_bench.frontend import compile_source, find_compiler
from llmopt_bench.program import Program

Deps = Literal["auto", "real", "synth"]
# The second is the name in the published archives, the third that of the reader beside them.
_DEPS_KEYS: Mapping[Deps, tuple[str, ...]] = {
    "auto": ("real_deps", "angha_deps", "synth_deps"),
    "real": ("real_deps",),
    "synth": ("angha_deps", "synth_deps"),
}


class ExeBenchPrograms(RowPrograms):
    """The rows of ExeBench's archives, compiled as ``clang -Oz`` hands them to the optimizer.

    Reads the published ``.tar.gz`` as they are, and ``.jsonl``, ``.jsonl.gz`` and ``.jsonl.zst``
    files. Rows come one after another: to load one takes a pass through those before it, unless
    they are asked for in ascending order, and the size is known after a first pass. Unpack to
    ``.jsonl`` for random access.

    Args:
        path: A file, or a folder of files.
        deps: Whose declarations come before the function: ``"real"``, those of its repository;
            ``"synth"``, types that were made up so that it compiles; ``"auto"``, the first of
            these that a row has.
        cflags: More arguments for the compiler.
        on_failure: Called with each row that does not compile while iterating.
    """

    name = "exebench"
    description = "C functions in the archives of ExeBench"
    suffixes = JSON_LINES

    def __init__(
        self,
        path: str | Path,
        *,
        deps: Deps = "auto",
        cflags: Sequence[str] = (),
        on_failure: Callable[[Failure], object] | None = None,
    ) -> None:
        if deps not in get_args(Deps):
            raise ValueError(f"expected deps of {', '.join(get_args(Deps))}, got {shown(deps)}.")
        super().__init__(path, on_failure=on_failure)
        self.deps = deps
        self.cflags = tuple(cflags)

    def require(self) -> None:
        """See that a clang is here.

        Raises:
            MissingTool: It is not.
        """
        find_compiler()

    def _count(self, path: Path) -> int:
        return _lines(path).count()

    def _rows(self, path: Path) -> Iterator[Callable[[], Program]]:
        for number, line in enumerate(_lines(path)):
            yield functools.partial(self._program, row_uri(path, number), line)

    def _load(self, path: Path, row: int) -> Program:
        return self._program(row_uri(path, row), _line(path, row))

    def _origin(self, path: Path, row: int) -> Origin:
        record = _record(_line(path, row), row_uri(path, row))
        package = record.get("path")
        return Origin(package=package if isinstance(package, str) else None, language="c")

    def _program(self, uri: str, line: Line) -> Program:
        source = _source(_record(line, uri), self.deps, uri)
        try:
            return Program(uri, compile_source(source, "c", cflags=self.cflags), source)
        except BadProgram as error:
            raise BadProgram(f"{uri}: {error}") from error


def _lines(path: Path) -> JsonLines:
    """Return the lines of a file in the state that it is in."""
    with open_named(path) as stream:
        state = os.fstat(stream.fileno())
    return _remembered(path, state.st_ino, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _remembered(path: Path, inode: int, size: int, changed: int) -> JsonLines:
    return JsonLines(path)


def _line(path: Path, row: int) -> Line:
    lines = _lines(path)
    try:
        return lines.line(row)
    except IndexError:
        raise no_row(path, row, lines.count()) from None


def _record(line: Line, uri: str) -> Mapping[str, Any]:
    """Return the fields of a row; the published archives have them in a field ``text``."""
    if line is None:
        raise BadProgram(f"expected at most {MAX_LINE:,} bytes in {uri}, got more. Skip this row.")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadProgram(
            f"expected a JSON object in {uri}, got {shown(line[:80])}: {error}. Skip this row."
        ) from error
    inner = value.get("text", value) if isinstance(value, dict) else value
    if not isinstance(inner, dict):
        raise BadProgram(
            f"expected a JSON object with the fields of ExeBench in {uri}, got {shown(value)}. "
            "Skip this row."
        )
    return inner


def _source(record: Mapping[str, Any], deps: Deps, uri: str) -> str:
    function = record.get("func_def")
    if not isinstance(function, str):
        raise BadProgram(
            f"expected C text in field 'func_def' of {uri}, got {shown(function)} among the fields "
            f"{shown(list(record)[:12], 200)}. Skip this row."
        )
    declarations = next(
        (text for key in _DEPS_KEYS[deps] if isinstance(text := record.get(key), str)), None
    )
    if declarations is None and deps != "auto":
        raise BadProgram(
            f"expected declarations in field {' or '.join(_DEPS_KEYS[deps])} of {uri}, got none. "
            'Take deps="auto", or skip this row.'
        )
    source = f"{declarations or ''}\n{function}\n"
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise BadProgram(f"expected Unicode text in {uri}, got {error}. Skip this row.") from error
    return source
