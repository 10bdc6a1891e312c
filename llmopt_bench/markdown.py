"""Markdown with texts of strangers in it, which stay texts: no markup, no HTML, no links.

For CommonMark with GitHub's tables, which is what the pages of this project are read with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from llmopt_bench.plain_text import visible

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKUP = {character: f"\\{character}" for character in "\\`*{}[]()#!|~@$^"}
_ESCAPES = str.maketrans(_MARKUP | _ENTITIES)
# Emphasis, which no underscore within a word is; what makes a list or a heading of a line; and what
# GitHub makes a link without being asked.
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_AT_THE_START = re.compile(r"^(\d{1,9}(?=\.(?: |$))|(?=[-+=]))")
_LINKED = re.compile(r"(https?|ftp|mailto|xmpp|www)([:.])", re.IGNORECASE)


def escape(text: str) -> str:
    """Return a text as one line of Markdown that shows just this text, wherever it stands."""
    shown = " ".join(visible(text).split()).translate(_ESCAPES)
    shown = _AT_THE_START.sub(r"\1\\", _EMPHASIS.sub(r"\\_", shown))
    return _LINKED.sub(r"\1\\\2", shown)


def link(text: str, address: str) -> str:
    """Return a link.

    Args:
        text: What it says; any text.
        address: Where it goes: a path, or an https address of visible ASCII.
    """
    target = quote(address, safe="/:?#@!$&+,;=%~.-").replace("&", "&amp;")
    return f"[{escape(text)}]({target})"


def table(headings: Sequence[str], lines: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    """Return a table.

    Args:
        headings: Markdown, one for each column.
        lines: Markdown, one for each cell; ``escape`` what is no markup of ours.
        numeric: For each column, whether it is aligned right.
    """
    rule = ["---:" if right else "---" for right in numeric]
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rule, *lines))


def code_block(text: str) -> str:
    """Return a block of code that shows a text, line by line."""
    lines = [visible(line) for line in text.split("\n")]
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((fence, *lines, fence)) + "\n"
