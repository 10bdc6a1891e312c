"""What those use who write recipes and make versions of a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ziglang", reason="needs the extra corpus")
pytest.importorskip("pyarrow", reason="needs the extra corpus")

from llmopt_bench.datasets.corpus import fetch, pin, statistics, try_package
from llmopt_bench.datasets.corpus.corpus import Corpus
from llmopt_bench.errors import NotBuilt

APT_GET = """#!/bin/sh
case "$*" in
  *" update "*) exit 0 ;;
  *--print-uris*libfoo*)
    echo "'http://m/foo_2.orig-data.tar.xz' foo_2.orig-data.tar.xz 7 SHA256:@B@"
    echo "'http://m/foo_2.orig.tar.xz' foo_2.orig.tar.xz 9 SHA256:@A@" ;;
  *) echo "E: Unable to find a source package for $6" >&2; exit 100 ;;
esac
"""
APT_CACHE = """#!/bin/sh
printf 'Package: libfoo\\nVersion: 2-1\\n\\nPackage: libfoo\\nVersion: 2-3\\n'
"""


def test_statistics(built: Corpus, tmp_path: Path) -> None:
    splits, sizes, areas, licences = statistics.tables(built)
    rows = [line.split(" | ") for line in splits.splitlines()]
    assert [row[:3] for row in rows[3:]] == [
        ["| validation", "1", "3"],
        ["| test", "1", "2"],
        ["| all", "4", str(len(built.functions))],
    ]
    assert f"| tiny | 4 | {len(built.functions)} |" in areas
    total = sum(int(line.split(" | ")[4]) for line in sizes.splitlines()[2:])
    assert total == len(built.functions)
    assert "| others, with one package each | 4 |" in licences
    with pytest.raises(NotBuilt):
        next(statistics.tables(Corpus(built._definition, tmp_path / "tiny-v1")))


def test_try_package(
    built: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(try_package, "corpus_home", lambda: tmp_path)
    monkeypatch.setattr(try_package, "corpus_v1", lambda: built)
    assert try_package.main(["alpha", "delta"]) == 0
    out = capsys.readouterr().out
    assert "alpha: 3 files, 1 failed, 6 functions, 5 of 5 to 2,000 instructions" in out
    assert "broken.c: ./broken.c:1:8: error: expected" in out
    assert "delta: 1 files, 0 failed, 3 functions" in out
    assert (tmp_path / "try" / "alpha" / "config.h").is_file()


def test_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("apt-get", APT_GET), ("apt-cache", APT_CACHE)):
        (tmp_path / name).write_text(text.replace("@A@", "a" * 64).replace("@B@", "b" * 64))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(pin, "corpus_home", lambda: tmp_path / "home")
    monkeypatch.setattr(fetch, "_mirror_of_machine", lambda: "http://m")
    assert pin.main(["libfoo", "libbar"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[:3] == ["[libfoo]", 'source = "libfoo"', 'version = "2-3"']
    # The package itself comes first, its components after it.
    assert out.index("foo_2.orig.tar.xz") < out.index("foo_2.orig-data.tar.xz")
    assert f'"foo_2.orig.tar.xz" = "{"a" * 64}"' in out
    assert "libbar" in err
