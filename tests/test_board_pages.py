"""The pages of boards: what they say, and that nothing in a card becomes markup of a page."""

from __future__ import annotations

import functools
import re
from dataclasses import fields, replace

import pytest
from made_entries import OZ, TASK, made_card, made_entry, made_run
from markdown_it.token import Token
from test_markdown import HOSTILE, READER, all_tokens, one_line

from llmopt_bench.board import Board, make_board
from llmopt_bench.board_pages import MARK, overview_page, pages, task_page
from llmopt_bench.card import Card
from llmopt_bench.entries import Entry

MANY = [f"p{number:03}" for number in range(20)]
OWN_HTML = re.compile(rf'({re.escape(MARK)}|<a id="entry-[A-Za-z0-9._+-]*">|</a>)\n?')


def board() -> Board:
    spends = {"budget": 50, "additional_compilations": 40}
    best = made_entry("best", dict.fromkeys(MANY, 800), **spends)
    level, other = (made_entry(name, dict.fromkeys(MANY, OZ)) for name in ("level", "other"))
    taught = Entry(
        made_card("taught", trained_on=("t",)), (made_run("taught", dict.fromkeys(MANY, 9)),)
    )
    return make_board(TASK, [taught, other, level, best])


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading."""
    part = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_tracks_of_a_task() -> None:
    page = task_page(board())
    headings, _, *ranked = rows(page, "At most 100 compilations")[:5]
    by_agent = {cells[1]: dict(zip(headings, cells, strict=True)) for cells in ranked}
    assert [cells["Rank"] for cells in by_agent.values()] == ["1", "=2", "=2"]
    assert by_agent["[best 1](#entry-best-1)"] == {
        "Rank": "1",
        "Agent": "[best 1](#entry-best-1)",
        "Over -Oz": "+25.00 %",
        "95 % interval": "+25.00 .. +25.00",
        "With backup": "+25.00 %",
        "Mean": "+20.00 %",
        "Geomean": "1.2500",
        "Scaled": "1.2000",
        "Anytime": "-",
        "Improved": "20",
        "Regressed": "0",
        "Compilations": "40.0",
        "Most": "40",
        "Budget": "50",
    }
    assert [cells[1] for cells in rows(page, "At most 10 compilations")[2:4]] == [
        "[level 1](#entry-level-1)",
        "[other 1](#entry-other-1)",
    ]


def test_who_learnt_from_the_task_has_a_table_without_ranks() -> None:
    page = task_page(board())
    headings, _, taught = rows(page, "No additional compilation")[-3:]
    assert "Rank" not in headings
    assert taught[0] == "[taught 1](#entry-taught-1)"
    assert page.count("Not ranked:\n") == 5


def test_links_to_entries_arrive() -> None:
    page = task_page(board())
    targets = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert targets == set(re.findall(r'<a id="([^"]+)"></a>', page)) != set()


def test_overview_has_the_best_of_each_track() -> None:
    page = overview_page([board()])
    cells = rows(page, "[t](t/README.md)")
    assert [line[:3] for line in cells[2:]] == [
        ["No additional compilation", "level 1, other 1", "+0.00 %"],
        ["At most 10 compilations", "level 1, other 1", "+0.00 %"],
        ["At most 100 compilations", "best 1", "+25.00 %"],
        ["At most 1,000 compilations", "best 1", "+25.00 %"],
        ["Any number of compilations", "best 1", "+25.00 %"],
    ]
    assert "taught" not in page


def test_a_task_without_entries_has_pages() -> None:
    empty = make_board(TASK, [])
    assert task_page(empty).count("Nobody yet.") == 5
    assert overview_page([empty]).count("nobody yet") == 5
    assert "3 programs, 0 entries" in overview_page([empty])


def test_pages_depend_on_no_order() -> None:
    one = board()
    other = make_board(replace(TASK, name="another"), [])
    assert pages([one, other]) == pages([other, one])
    assert list(pages([one, other])) == ["README.md", "another/README.md", "t/README.md"]
    assert all(page.startswith(f"{MARK}\n\n# ") for page in pages([one, other]).values())


def hostile_card(name: str, text: str) -> Card:
    """Return a card with a text that no card could be read with, as if all checks had failed."""
    card = made_card("x")
    value: object = (text,) if isinstance(getattr(card, name), tuple) else text
    object.__setattr__(card, name, value)
    return card


HARMLESS = "harmless"
TEXTS = [f.name for f in fields(Card) if f.name not in ("schema", "training_compilations", "seeds")]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", TEXTS)
def test_no_text_of_a_card_becomes_markup(name: str, text: str) -> None:
    """The page has the same blocks, links and HTML as with a harmless text."""
    for tokens, plain in zip(pages_saying(name, text), pages_saying(name, HARMLESS), strict=True):
        assert structure(tokens) == structure(plain)
        for token in tokens:
            if token.type in ("html_block", "html_inline"):
                assert OWN_HTML.fullmatch(token.content)
            if token.type == "link_open":
                assert re.match(r"#entry-|(\.\./)*docs/|t/README", str(token.attrGet("href")))
        if HARMLESS in shown_by(plain):
            assert one_line(text) in shown_by(tokens)


@functools.cache
def pages_saying(name: str, text: str) -> list[list[Token]]:
    """Return the pages, as tokens, of a board whose only card says ``text`` somewhere."""
    made = make_board(TASK, [Entry(hostile_card(name, text), (made_run("x", {"a": 900}),))])
    return [
        list(all_tokens(READER.parse(page))) for page in (task_page(made), overview_page([made]))
    ]


def shown_by(tokens: list[Token]) -> str:
    return one_line(" ".join(token.content for token in tokens))


def structure(tokens: list[Token]) -> list[tuple[str, str]]:
    """Return what a page is made of, without its texts."""
    texts = ("text", "text_special")
    return [(token.type, token.tag) for token in tokens if token.type not in texts]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_description_of_a_task_becomes_markup(text: str) -> None:
    found, plain = (make_board(replace(TASK, description=said), []) for said in (text, HARMLESS))
    for page in (task_page, lambda board: overview_page([board])):
        tokens, expected = (list(all_tokens(READER.parse(page(b)))) for b in (found, plain))
        assert structure(tokens) == structure(expected)
        assert one_line(text) in shown_by(tokens)


@pytest.mark.parametrize("name", ["code", "model", "paper"])
@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://example.org", "data:text/html,x", "//example.org"]
)
def test_only_https_addresses_are_links(name: str, address: str) -> None:
    entry = Entry(hostile_card(name, address), (made_run("x", {"a": 900}),))
    tokens = all_tokens(READER.parse(task_page(make_board(TASK, [entry]))))
    links = [str(token.attrGet("href")) for token in tokens if token.type == "link_open"]
    assert not any(address in target for target in links)


def test_https_addresses_are_links() -> None:
    card = made_card("x", code="https://example.org/a_(b)?c&d", paper="https://example.org/p")
    page = task_page(make_board(TASK, [Entry(card, (made_run("x", {"a": 900}),))]))
    tokens = all_tokens(READER.parse(page))
    links = {str(token.attrGet("href")) for token in tokens if token.type == "link_open"}
    assert {"https://example.org/a_%28b%29?c&d", "https://example.org/p"} <= links
