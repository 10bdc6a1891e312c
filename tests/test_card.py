"""Cards: what they may say, and that nothing else gets in."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_entries import made_card

from llmopt_bench.card import MAX_FILE_BYTES, MAX_TEXT, Card, is_address, read_card
from llmopt_bench.errors import BadCard

# What a TOML string must escape, and letters that few fonts have.
TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=40)
WORDS = TEXTS.filter(lambda text: bool(text.strip()))


def rejected(key: str, value: object) -> str:
    """Return the complaint about a card that says ``value`` under ``key``."""
    with pytest.raises(BadCard) as caught:
        made_card(**{key: value})
    message = str(caught.value)
    assert message.startswith(f"{key}: expected ")
    assert len(message) < 400
    return message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=WORDS, names=st.lists(WORDS, min_size=1, max_size=3, unique=True))
def test_what_is_written_is_read_again(tmp_path: Path, text: str, names: list[str]) -> None:
    card = made_card(
        description=f"{text}\n\"'\\ {text}",
        authors=tuple(names),
        trained_on=tuple(names),
        hardware=text,
        seeds=(3, 0, 2**63 - 1),
        model="https://example.org/m?a=1#b",
    )
    path = tmp_path / "card.toml"
    path.write_text(card.to_toml(), "utf-8")
    assert read_card(path) == card


def test_keys_with_a_default_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    lines = made_card().to_toml().splitlines()
    optional = ("schema", "model", "paper")
    path.write_text("\n".join(line for line in lines if not line.startswith(optional)), "utf-8")
    assert read_card(path) == made_card()


@pytest.mark.parametrize("key", [f.name for f in fields(Card)])
@pytest.mark.parametrize("value", [None, True, 1.5, float("nan"), {"a": 1}, [1.5], [[]], b"x"])
def test_wrong_types(key: str, value: object) -> None:
    rejected(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", 2),
        ("schema", 0),
        ("agent", ""),
        ("agent", "../../etc"),
        ("agent", "a/b"),
        ("agent", ".hidden"),
        ("agent", "-x"),
        ("agent", "a b"),
        ("agent", "a\n"),
        ("agent", "ä"),
        ("agent", "a" * 61),
        ("version", "1:2"),
        ("version", "C:\\x"),
        ("version", 1),
        ("kind", "best"),
        ("description", " \n"),
        ("description", "a" * (MAX_TEXT + 1)),
        ("authors", ()),
        ("authors", ("A", "A")),
        ("authors", ("",)),
        ("authors", "A. Author"),
        ("authors", tuple(map(str, range(101)))),
        ("hardware", "two\nlines"),
        ("code", "http://example.org"),
        ("code", "javascript:alert(1)"),
        ("model", "javascript://alert(1)"),
        ("model", "ftp://example.org"),
        ("paper", "arXiv 2309.07062"),
        ("trained_on", "corpus-train-v1"),
        ("training_compilations", -1),
        ("training_compilations", 2**63),
        ("seeds", ()),
        ("seeds", (0, 0)),
        ("seeds", (-1,)),
        ("seeds", (True,)),
        ("licence", ""),
    ],
)
def test_wrong_values(key: str, value: object) -> None:
    rejected(key, value)


@pytest.mark.parametrize("key", ["description", "command", "hardware", "licence", "model"])
@pytest.mark.parametrize(
    "unseen",
    ["\x00", "\x1b[2J", "\r", "\x85", "\u202e", "\u2066", "\u200b", "\ud800", "\U000e0041"],
)
def test_text_that_a_reader_would_not_see(key: str, unseen: str) -> None:
    rejected(key, f"fine{unseen}text")


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("https://example.org", True),
        ("https://example.org:443/a?b=c&d#e", True),
        ("https://[::1]/a", False),
        ("http://example.org", False),
        ("HTTPS://example.org", False),
        ("https://", False),
        ("https:///path", False),
        ("https://example.org@evil.example/", False),
        ("https://example.org\\@evil.example", False),
        ("https://example.org:8080/", False),
        ("https://example.org:port/", False),
        ('https://example.org/"onclick=', False),
        ("https://example.org/<script>", False),
        ("https://example.org/ a", False),
        ("https://example.org/\n", False),
        ("https://exämple.org/", False),
        ("javascript:alert(1)//https://example.org", False),
        ("data:text/html,x", False),
        ("", False),
    ],
)
def test_addresses(text: str, good: bool) -> None:
    assert is_address(text) is good


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "agent, version, kind"),
        ("agent = ", "Invalid value"),
        ("agent = 'a'\nagent = 'b'", "Cannot overwrite"),
        ("[agent]\nname = 'a'\n", "missing"),
        ("colour = 1", "unknown key 'colour'"),
        ("x" * 300 + " = 1", "unknown key"),
        ("schema = " + "9" * 5000, "Exceeds the limit"),
        ("seeds = " + "[" * 5000 + "]" * 5000, "nested|recursion"),
    ],
)
def test_files_that_are_no_card(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "card.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadCard, match=message) as caught:
        read_card(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 1000


def test_other_files(tmp_path: Path) -> None:
    large, binary, pipe = tmp_path / "large", tmp_path / "binary", tmp_path / "pipe"
    large.write_text("#" * (MAX_FILE_BYTES + 1))
    binary.write_bytes(b"\xff\xfe")
    os.mkfifo(pipe)
    complaints: dict[Path, Any] = {
        large: "more than 65,536 bytes",
        binary: "UTF-8",
        pipe: "not a plain file",
        tmp_path: "Is a directory|not a plain file",
        tmp_path / "none": "No such file",
    }
    for path, message in complaints.items():
        with pytest.raises(BadCard, match=message):
            read_card(path)
