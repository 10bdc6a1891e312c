"""A static site of the boards: pages that open from a file, without a server or a network.

The pages are made with Jinja2 (optional extra ``site``). All that an entry says is data: templates
escape it, and the scripts of the site, which are the same for every board, write it as text only.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from llmopt_bench.board import Board, Standing
from llmopt_bench.board_plot import Plot, Point, make_plot
from llmopt_bench.board_site_data import (
    COLUMNS,
    UNITS,
    entry_name,
    interval_text,
    json_text,
    mean_spent,
    number,
    pass_data,
    signed_percent,
    task_data,
    track_name,
)
from llmopt_bench.card import KINDS, is_address
from llmopt_bench.datasets.optional import optional
from llmopt_bench.entries import Entry
from llmopt_bench.plain_text import visible

INDEX = "index.html"
_GENERATOR = b'<meta name="generator" content="llmopt-bench board">'
_HEAD_BYTES = 4096
_WIDE = (760.0, 400.0)
_NARROW = (340.0, 320.0)


def write_site(boards: Sequence[Board], folder: Path) -> None:
    """Write the site of some boards into a folder: all of it, or nothing.

    A site that is there already is replaced. The same boards give the same bytes.

    Args:
        boards: One board for each task.
        folder: Must not exist, or be empty, or hold a site that this function has written.

    Raises:
        FileExistsError: The folder holds something else.
        OSError: It cannot be written.
        MissingTool: Jinja2 is not installed.
    """
    folder = folder.absolute()
    _check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as draft:
        for name, content in site_files(boards):
            file = Path(draft, "new", name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        _swap(folder, Path(draft))


def site_files(boards: Sequence[Board]) -> Iterator[tuple[str, bytes]]:
    """Yield the path, relative to the site's folder, and the content of every file of the site.

    Raises:
        MissingTool: Jinja2 is not installed.
    """
    pages = _Pages()
    for asset in sorted(_shipped("assets").iterdir(), key=lambda file: file.name):
        yield f"assets/{asset.name}", asset.read_bytes()
    ordered = sorted(boards, key=lambda board: board.task.name)
    yield INDEX, pages.render(INDEX, root="", boards=ordered)
    for board in ordered:
        yield from _task_files(board, pages)


def _task_files(board: Board, pages: _Pages) -> Iterator[tuple[str, bytes]]:
    folder = f"tasks/{board.task.name}"
    plots = _plots(board)
    yield f"{folder}/{INDEX}", pages.render("task.html", root="../../", board=board, plots=plots)
    yield f"{folder}/data.js", _script("llmoptBoardData", task_data(board))
    for place, entry in enumerate(board.entries):
        page = pages.render("agent.html", root="../../../", board=board, entry=entry)
        yield f"{folder}/agents/{entry.card.folder}.html", page
        passes = pass_data(entry, board.programs)
        yield f"{folder}/passes/{entry.card.folder}.js", _script(f"llmoptPasses{place}", passes)


def _script(name: str, content: object) -> bytes:
    """Return a script that only sets one variable."""
    return f'"use strict";\nvar {name} = {json_text(content)};\n'.encode("ascii")


def _plots(board: Board) -> list[Plot]:
    points = list(_points(board))
    return [make_plot("wide", points, *_WIDE), make_plot("narrow", points, *_NARROW)]


def _points(board: Board) -> Iterator[Point]:
    """Yield a point for each run that stands in a track; a run of several tracks comes once."""
    every = {
        (s.card.folder, s.run.budget): s
        for track in board.tracks
        for s in (*track.standings, *track.apart)
    }
    places = _places(board)
    for (folder, budget), standing in sorted(every.items()):
        gain = standing.row.overall_improvement
        if gain is not None:
            yield Point(
                agent=f"{standing.card.agent} {standing.card.version}",
                page=f"agents/{folder}.html",
                kind=standing.card.kind,
                budget=budget,
                spent=mean_spent(standing),
                gain=gain,
                most=standing.run.most,
                entry=places[folder],
                ranked=standing.rank is not None,
            )


class _Pages:
    """The templates."""

    def __init__(self) -> None:
        jinja2 = optional("jinja2", "site")
        markup = optional("markupsafe", "site").Markup
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(_template),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # Applied to whatever a template prints, so that no template can forget it.
            finalize=lambda value: _finalize(value, markup),
        )
        self._environment.filters |= {
            "percent": signed_percent,
            "interval": interval_text,
            "number": number,
            "track": track_name,
        }
        self._environment.tests["address"] = is_address
        self._environment.globals |= {
            "columns": COLUMNS,
            "kinds": KINDS,
            "units": UNITS,
            "entry_name": entry_name,
            "places": _places,
            "stands": _stands,
            "span": _span,
        }

    def render(self, template: str, **values: Any) -> bytes:
        """Return a page."""
        text: str = self._environment.get_template(template).render(**values)
        return text.encode("utf-8")


def _finalize(value: Any, markup: type[str]) -> Any:
    plain = isinstance(value, str) and not isinstance(value, markup)
    return visible(value) if plain else value


def _places(board: Board) -> Mapping[str, int]:
    """Return the number of each entry, by the name of its folder."""
    return {entry.card.folder: place for place, entry in enumerate(board.entries)}


def _stands(board: Board, entry: Entry) -> list[tuple[int | None, Standing, bool]]:
    """Return limit, standing and whether it is ranked, for each track that an entry stands in."""
    return [
        (track.limit, standing, standing.rank is not None)
        for track in board.tracks
        for standing in (*track.standings, *track.apart)
        if standing.card.folder == entry.card.folder
    ]


def _span(standings: Sequence[Standing]) -> tuple[float, float]:
    """Return the ends of a scale that shows all intervals, without those far below -Oz."""
    ends = [end for s in standings if s.row.interval for end in s.row.interval]
    high = max([0.0, *ends])
    return max(min([0.0, *ends]), -max(high, 0.01)), high or 0.01


def _template(name: str) -> str:
    return _shipped("templates").joinpath(name).read_text("utf-8")


def _shipped(folder: str) -> Traversable:
    return resources.files("llmopt_bench").joinpath("site", folder)


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace what is not a site of ours."""
    if not os.path.lexists(folder):
        return
    if folder.is_dir() and not folder.is_symlink():
        index = folder / INDEX
        if index.is_file():
            with index.open("rb") as stream:
                if _GENERATOR in stream.read(_HEAD_BYTES):
                    return
        elif not any(folder.iterdir()):
            return
    raise FileExistsError(
        errno.EEXIST,
        "expected no such folder, an empty one, or a site of boards, got something else. "
        "Choose another folder",
        str(folder),
    )


def _swap(folder: Path, draft: Path) -> None:
    """Put ``draft/new`` where ``folder`` is; what was there stays if that fails."""
    old = draft / "old"
    if folder.exists():
        folder.rename(old)
    try:
        (draft / "new").rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
