"""Texts of strangers stay texts, for a reader of CommonMark with tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from llmopt_bench.markdown import code_block, escape, link, table
from llmopt_bench.plain_text import visible

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></table><h1>1st</h1>",
    "<!-- comment",
    "&lt;b&gt; &amp; &#60;",
    "[click](javascript:alert(1))",
    "![pixel](https://example.org/p.png)",
    "[ref]: https://example.org",
    "<https://example.org>",
    "https://example.org and www.example.org or mailto:a@example.org",
    "a | b || c",
    "`code` ``more`` ```",
    "**bold** _it_ __x__ *y* ~~no~~ $x$",
    "# heading",
    "- item",
    "+ item",
    "12. item",
    "3) item",
    "=====",
    "> quote",
    "line\n\n# heading\n---\n| a |\n|---|\n",
    "back\\slash \\| \\`",
    "\u202egnp.exe \u2066x\u2069",
    "~~~\nfence",
    "x\n```\n<b>after</b>\n````\n# heading",
    "    indented",
    ":---:",
    "^1 [^1]",
)
WORDS = st.text(st.sampled_from("<>|`*_[]()#!~\\&;-+=.:/@$^\n 1aw"), max_size=40) | st.text()


def leaves(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.children:
            yield from leaves(token.children)
        else:
            yield token


def shown_in(markdown: str, allowed: set[str]) -> str:
    """Return the text that a page shows; fails if it has anything but ``allowed`` around it."""
    tokens = READER.parse(markdown)
    kinds = {token.type for token in (*tokens, *leaves(tokens))}
    assert (
        kinds <= {"text", "inline", "paragraph_open", "paragraph_close", "text_special"} | allowed
    )
    return "".join(token.content for token in leaves(tokens))


def one_line(text: str) -> str:
    return " ".join(visible(text).split())


TABLE = {
    f"{part}_{end}"
    for part in ("table", "thead", "tbody", "tr", "th", "td")
    for end in ("open", "close")
}
LISTED = {f"{part}_{end}" for part in ("bullet_list", "list_item") for end in ("open", "close")}
LINK = {"link_open", "link_close"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_as_they_are(text: str) -> None:
    check_everywhere(text)


@given(WORDS)
@settings(max_examples=300, deadline=None)
def test_any_text_is_shown_as_it_is(text: str) -> None:
    check_everywhere(text)


def check_everywhere(text: str) -> None:
    expected = one_line(text)
    assert shown_in(escape(text) + "\n", set()) == expected
    assert shown_in(f"- {escape(text)}\n", LISTED) == expected
    page = table(["h"], [[escape(text)], [escape(text)]], [False])
    assert shown_in(page, TABLE) == f"h{expected}{expected}"
    assert shown_in(link(text, "https://example.org") + "\n", LINK) == expected


@pytest.mark.parametrize("text", ["https://example.org", "HTTP://x.org", "www.x.org", "mailto:a@x"])
def test_nothing_is_left_that_github_makes_a_link_of_unasked(text: str) -> None:
    escaped = escape(f"see{text}")
    assert not any(start in escaped.lower() for start in ("http:", "https:", "www.", "mailto:"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://example.org/a_b?x=1&copy=2#c", "https://example.org/a_b?x=1&copy=2#c"),
        ("https://example.org/(a|b)*'\"`", "https://example.org/%28a%7Cb%29%2A%27%22%60"),
        ("#entry-a+b-1.0", "#entry-a+b-1.0"),
    ],
)
def test_links_go_where_they_should(address: str, expected: str) -> None:
    page = table(["h"], [[link("there", address)]], [False])
    (opened,) = [token for token in all_tokens(READER.parse(page)) if token.type == "link_open"]
    assert opened.attrGet("href") == expected


def all_tokens(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from all_tokens(token.children or [])


def test_table() -> None:
    assert (
        table(["a", "b"], [["x", "1"]], [False, True]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n"
    )


@pytest.mark.parametrize("text", [*HOSTILE, "one\ntwo", "```\n````\n``"])
def test_code_is_shown_line_by_line(text: str) -> None:
    (block,) = READER.parse(code_block(text))
    assert block.type == "fence"
    assert block.content == "".join(f"{visible(line)}\n" for line in text.split("\n"))


def test_a_text_before_a_link_makes_no_picture_of_it() -> None:
    assert shown_in(f"{escape('look!')}{link('there', '#x')}\n", LINK) == "look!there"
