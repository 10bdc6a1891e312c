"""``llmopt-bench curve``: the table, the document and the picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from test_score_curve import run

from llmopt_bench.cli import main
from llmopt_bench.report import percent


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    common = {"budget": 12}
    lines = [
        run("a", 100, 80, (1, 110), (5, 90), (6, 80), **common).to_json(),
        run("a", 100, 100, agent="level", **common).to_json(),
        run("a", 100, 90, agent="old", schema=1, additional_compilations=5, **common).to_json(),
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def curve(*arguments: str | Path, code: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main(["curve", *map(str, arguments)])
    assert end.value.code == code


def test_table(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curve(records)
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.split()}
    assert lines["Agent"].split()[3:] == ["0", "1", "2", "5", "10", "12"]
    gains = [-0.5, 100 / 110 - 1, 100 / 110 - 1, 100 / 90 - 1, 0.25, 0.25]
    assert " ".join(lines["x"].split()) == " ".join(["x 1 1 0", *map(percent, gains)])
    assert lines["old"].split()[4:7] == ["-", "-", "-"]


def test_budgets_of_an_agent_are_lines_of_their_own(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    more = run("a", 100, 70, (1, 90), (40, 70), budget=40)
    records.write_text(f"{records.read_text('utf-8')}{more.to_json()}\n", "utf-8")
    curve(records, "--svg", tmp_path / "x.svg")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:4] == ["Agent", "Budget", "Runs", "Failed"]
    assert [line[2] for line in lines if line[:1] == ["x"]] == ["12", "40"]
    picture = (tmp_path / "x.svg").read_text("utf-8")
    assert ">x at 12 +25.00 %<" in picture
    assert ">x at 40 +42.86 %<" in picture
    assert ">level +0.00 %<" in picture


def test_document(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curve(records, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["task"] == "t-v1"
    assert [line["agent"] for line in document["curves"]] == ["level", "old", "x"]
    assert document["curves"][2]["budget"] == 12
    assert document["curves"][2]["compilations"] == [0, 1, 2, 5, 10, 12]
    assert document["curves"][2]["overall_improvement"][-1] == 0.25


def test_picture_is_the_same_every_time_and_names_the_agents(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    pictures = []
    for name in ("one.svg", "two.svg"):
        curve(records, "--svg", tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    text = pictures[0].decode()
    for label in ("x +25.00 %", "level +0.00 %", "old +11.11 %", "t-v1"):
        assert f">{label}<" in text
    assert "dc:date" not in text
    curve(records)  # capsys holds the tables; nothing else was printed
    assert "error" not in capsys.readouterr().err


def test_without_matplotlib_the_extra_is_named(
    records: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    curve(records, "--svg", tmp_path / "x.svg", code=1)
    assert "pip install 'llmopt-bench[plot]'" in capsys.readouterr().err
    assert not (tmp_path / "x.svg").exists()


def test_no_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.jsonl").touch()
    curve(tmp_path / "empty.jsonl", code=1)
    assert "expected records, found none" in capsys.readouterr().err
