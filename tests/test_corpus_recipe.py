"""Recipes: what they may say, and the headers that they make without running anything."""

from __future__ import annotations

import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ziglang", reason="needs the extra corpus")

from llmopt_bench.datasets.corpus import libc
from llmopt_bench.datasets.corpus.corpus import corpus_v1
from llmopt_bench.datasets.corpus.manifest import Entry, read_manifest, write_manifest
from llmopt_bench.datasets.corpus.prepare import fill, prepare
from llmopt_bench.datasets.corpus.recipe import LANGUAGES, Package, read_recipe
from llmopt_bench.datasets.corpus.units import MOST_FILES, units_of
from llmopt_bench.errors import BadRecipe

GOOD = f"""
[x]
source = "x"
version = "1:1.2~rc1+ds-3"
licence = "MIT"
archives = {{ "x.tar.gz" = "{"a" * 64}" }}
files = ["*.c"]
"""


def make(**changes: Any) -> Package:
    values: dict[str, Any] = {
        "name": "x",
        "source": "x",
        "version": "1:1.2~rc1+ds-3",
        "licence": "MIT",
        "archives": {"x.tar.gz": "a" * 64},
        "files": ["*.c"],
    }
    return Package(**(values | changes))


class TestRecipe:
    def test_shipped_recipe(self) -> None:
        recipe = corpus_v1().recipe
        # The size that the corpus was asked to have.
        cxx = [p for p in recipe.values() if p.area.startswith("cxx-")]
        assert len(cxx) >= 20
        assert len(recipe) - len(cxx) >= 80
        assert sum(p.split == "test" for p in recipe.values()) >= 15
        assert any(p.split == "validation" for p in recipe.values())

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('version = "1:1.2~rc1+ds-3"\n', "", "version is missing"),
            ('"MIT"', "3", "licence: expected a string, got 3"),
            ('["*.c"]', "[]", "files: expected at least one pattern"),
            ('["*.c"]', '["src/**"]', "files: expected patterns of files, such as **/*"),
            ('["*.c"]', '["../*.c"]', "files: expected a path inside the package"),
            ('["*.c"]', '["/etc/*.c"]', "files: expected a path inside the package"),
            ("a" * 64, "a" * 63, "expected a SHA-256"),
            ("x.tar.gz", "../x.tar.gz", "archives: expected the name of a file"),
            ("licence", "license", "unknown key 'license'. Did you mean 'licence'"),
            ("[x]", "[X]", "name: expected lower case"),
            ("files", 'split = "tset"\nfiles', "split: expected train or validation or test"),
            ("files", 'uses = ["y"]\nfiles', "unknown package 'y'"),
            ("files", 'generate."a.h" = { tmplate = "b" }\nfiles', "Did you mean 'template'"),
            ("files", 'generate."../a.h" = { text = "b" }\nfiles', "inside the package"),
            ("[x]", "[x", "expected TOML"),
            ("[x]", "y = 3\n[x]", "y: expected a table"),
        ],
    )
    def test_says_what_is_wrong(self, old: str, new: str, message: str, tmp_path: Path) -> None:
        (tmp_path / "area.toml").write_text(GOOD.replace(old, new, 1))
        with pytest.raises(BadRecipe) as caught:
            read_recipe(tmp_path)
        assert message in str(caught.value)

    def test_a_package_twice(self, tmp_path: Path) -> None:
        for name in ("a.toml", "b.toml"):
            (tmp_path / name).write_text(GOOD)
        with pytest.raises(BadRecipe, match="once, got x twice"):
            read_recipe(tmp_path)

    def test_fingerprint_is_of_what_is_compiled(self) -> None:
        assert make().fingerprint == make(split="test", area="games").fingerprint
        changes: list[dict[str, Any]] = [
            {"defines": ["A"]},
            {"files": ["a.c"]},
            {"generate": {"c.h": {"text": "x"}}},
            {"archives": {"x.tar.gz": "b" * 64}},
        ]
        assert len({make(**change).fingerprint for change in [{}, *changes]}) == 5

    def test_units(self, tmp_path: Path) -> None:
        for name in ("a.c", "b.cc", "c.h", "win/d.c", "sub/e.c"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        package = make(
            files=["**/*"],
            exclude=["win/*"],
            include=["inc"],
            uses=["y"],
            defines=["A=1"],
            flags=["-std=gnu89"],
            flags_by_pattern={"sub/*.c": ["-DSUB"]},
        )
        used = make(name="y", include=["."], exports=["api"])
        units = units_of(package, {"x": package, "y": used}, tmp_path)
        common = ("-Iinc", "-I../y/api", "-DA=1", "-std=gnu89")
        assert [(u.path, u.language, u.flags) for u in units] == [
            ("a.c", "c", common),
            ("b.cc", "c++", common),
            ("sub/e.c", "c", (*common, "-DSUB")),
        ]

    def test_some_files_of_many(self, tmp_path: Path) -> None:
        for number in range(80):
            (tmp_path / f"{number}.c").touch()
            (tmp_path / f"{number}.cc").touch()
        units = units_of(make(files=["*"]), {}, tmp_path)
        chosen = Counter(unit.language for unit in units)
        assert chosen == MOST_FILES == {"c": 60, "c++": 16}
        assert [unit.path for unit in units] == sorted(unit.path for unit in units)
        assert units == units_of(make(files=["*.c", "*.cc"]), {}, tmp_path)


class TestManifest:
    """What was asked of the corpus, held against the lists that are committed."""

    def test_sizes(self) -> None:
        corpus = corpus_v1()
        splits = Counter(entry.split for entry in corpus.functions.values())
        assert len(corpus.functions) >= 60_000
        assert splits["validation"] == 2_000
        assert splits["test"] + splits["mini"] == 5_000
        assert splits["mini"] == 500
        assert len(corpus.modules) == 200

    def test_at_most_a_third_is_cxx(self) -> None:
        uris = list(corpus_v1().functions)
        files = [uri.rsplit("/", 1)[0] for uri in uris]
        cxx = sum(LANGUAGES[Path(file).suffix] == "c++" for file in files)
        assert 0 < cxx <= len(uris) / 3

    def test_packages_belong_to_one_split(self) -> None:
        corpus = corpus_v1()
        for entry in (*corpus.functions.values(), *corpus.modules.values()):
            split = "test" if entry.split == "mini" else entry.split
            assert corpus.recipe[entry.package].split == split
        mini = {entry.package for entry in corpus.functions.values() if entry.split == "mini"}
        assert len(mini) >= 15

    def test_is_sorted_and_each_once(self) -> None:
        for manifest in (corpus_v1().functions, corpus_v1().modules):
            assert list(manifest) == sorted(manifest)
            assert len({e.fingerprint for e in manifest.values()}) == len(manifest)

    def test_a_damaged_manifest(self, tmp_path: Path) -> None:
        path = tmp_path / "functions.tsv.xz"
        write_manifest(path, [Entry("a/b.c/f", "0" * 16, "train")])
        assert read_manifest(path) == {"a/b.c/f": Entry("a/b.c/f", "0" * 16, "train")}
        for data in (b"", b"text", path.read_bytes()[:-8], lzma.compress(b"a\tb\tz\n")):
            path.write_bytes(data)
            with pytest.raises(BadRecipe, match="Install the package again"):
                read_manifest(path)


class TestLibc:
    @pytest.mark.parametrize(
        ("macro", "value"),
        [
            ("HAVE_UNISTD_H", "1"),
            ("HAVE_SYS_STAT_H", "1"),
            ("HAVE_STDARG_H", "1"),
            ("HAVE_WINDOWS_H", None),
            ("HAVE_ZLIB_H", None),
            ("HAVE_STRDUP", "1"),
            ("HAVE_EPOLL_CREATE1", "1"),
            ("HAVE_KQUEUE", None),
            ("HAVE_DECL_STRSIGNAL", "1"),
            ("HAVE_DECL_ARC4RANDOM_STIR", "0"),
            ("SIZEOF_LONG", "8"),
            ("SIZEOF_WCHAR_T", "4"),
            ("STDC_HEADERS", "1"),
            ("WORDS_BIGENDIAN", None),
        ],
    )
    def test_answers(self, macro: str, value: str | None) -> None:
        assert libc.answer(macro) == value


class TestPrepare:
    def test_fills_every_kind_of_template(self) -> None:
        values = {"A": "1", "B": None, "C": '"text"', "N": "12", "Z": "0"}
        template = (
            "#undef A\n # undef B\n#undef C /* why */\n#cmakedefine A\n#cmakedefine B\n"
            "#cmakedefine01 A\n#cmakedefine01 B\n#cmakedefine N @N@\n"
            "#mesondefine A\n#define S @C@\n"
        )
        assert fill(template, values).splitlines() == [
            "#define A 1",
            "/* #undef B */",
            '#define C "text"',
            "#define A",
            "/* #undef B */",
            "#define A 1",
            "#define B 0",
            "#define N 12",
            "#define A 1",
            '#define S "text"',
        ]

    def test_generates(self, tmp_path: Path) -> None:
        template = "#undef HAVE_STRDUP\n#undef VERSION\n#undef MINE\n/* @EMPTY@ */\n"
        (tmp_path / "config.h.in").write_text(template)
        (tmp_path / "a.c").write_text("#if HAVE_STRLEN && HAVE_NO_SUCH && SIZEOF_INT\n#endif\n")
        (tmp_path / "orig.h").write_text("int old;\n")
        package = make(
            generate={
                "config.h": {"template": "config.h.in", "set": {"MINE": "x", "EMPTY": ""}},
                "scan/found.h": {"scan": True, "set": {"ON": True, "OFF": False}},
                "probe.h": {"probe": ["HAVE_STRLEN", "HAVE_NO_SUCH"], "text": "int end;\n"},
                "copy.h": {"copy": "orig.h", "replace": [["old", "new"]]},
            }
        )
        prepare(package, tmp_path)
        read = {p: (tmp_path / p).read_text() for p in package.generate}
        assert read["config.h"].splitlines() == [
            *("#define HAVE_STRDUP 1", '#define VERSION "1.2~rc1"', "#define MINE x", "/*  */")
        ]
        assert "#define HAVE_STRLEN 1\n" in read["scan/found.h"]
        assert "#define SIZEOF_INT 4\n" in read["scan/found.h"]
        assert "HAVE_NO_SUCH" not in read["scan/found.h"] + read["probe.h"]
        assert "#define ON 1\n" in read["scan/found.h"]
        assert "OFF" not in read["scan/found.h"]
        assert read["probe.h"] == "#define HAVE_STRLEN 1\nint end;\n"
        assert read["copy.h"] == "int new;\n"

    @pytest.mark.parametrize(
        ("how", "message"),
        [
            ({"template": "no.h.in"}, "expected the file 'no.h.in' in the package"),
            ({"text": "a", "replace": [["b", "c"]]}, "expected 'b' in it"),
            (
                {"template": "a.h.in", "set": {"A": 1, "B": 2}},
                "macros of the template",
            ),
            ({"set": {"A": [1]}}, "A: expected true, false, a number or text"),
        ],
    )
    def test_says_what_is_wrong(self, how: dict[str, Any], message: str, tmp_path: Path) -> None:
        (tmp_path / "a.h.in").write_text("#undef A\n")
        with pytest.raises(BadRecipe) as caught:
            prepare(make(generate={"a.h": how}), tmp_path)
        assert message in str(caught.value)
        assert not (tmp_path / "a.h").exists()
