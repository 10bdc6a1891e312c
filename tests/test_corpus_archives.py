"""Archives: only the right ones, whole, and never outside of their folder."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from llmopt_bench.datasets.corpus import fetch as fetching
from llmopt_bench.datasets.corpus.fetch import Fetcher
from llmopt_bench.datasets.corpus.recipe import Package
from llmopt_bench.datasets.corpus.unpack import unpack
from llmopt_bench.errors import BadArchive, MissingTool, Unavailable

ARCHIVE = "x-1.tar.gz"
ABSENT = "0" * 64


def package(digest: str, source: str = "file:///nowhere", **more: str) -> Package:
    archives = {ARCHIVE: digest, **more}
    return Package(
        name="x", source=source, version="1", licence="MIT", archives=archives, files=("*.c",)
    )


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> str:
    with tarfile.open(path, "w:gz") as out:
        for info, data in members:
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file(name: str, data: bytes = b"int x;\n") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), data


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


class TestUnpack:
    def test_takes_the_top_folder_off(self, tmp_path: Path) -> None:
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"), file("x-1/sub/b.h"))
        unpack(package(digest), tmp_path, tmp_path / "out")
        assert files_in(tmp_path / "out") == {"a.c", "sub/b.h"}

    def test_keeps_several_at_the_top(self, tmp_path: Path) -> None:
        digest = tar(tmp_path / ARCHIVE, file("a.c"), file("sub/b.h"))
        unpack(package(digest), tmp_path, tmp_path / "out")
        assert files_in(tmp_path / "out") == {"a.c", "sub/b.h"}

    def test_puts_components_in_folders(self, tmp_path: Path) -> None:
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"))
        second = tar(tmp_path / "x_1.orig-data.tar.gz", file("data-1/table.h"))
        wanted = package(digest, **{"x_1.orig-data.tar.gz": second})
        unpack(wanted, tmp_path, tmp_path / "out")
        assert files_in(tmp_path / "out") == {"a.c", "data/table.h"}

    @pytest.mark.parametrize("name", ["../evil.c", "x-1/../../evil.c", "/tmp/llmopt-evil.c"])
    def test_refuses_paths_that_lead_out(self, name: str, tmp_path: Path) -> None:
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"), file(name))
        before = files_in(tmp_path)
        # An absolute path is taken as one inside, the others are refused.
        refused = pytest.raises(BadArchive, match=ARCHIVE) if ".." in name else nullcontext()
        with refused:
            unpack(package(digest), tmp_path, tmp_path / "work" / "out")
        outside = {p for p in files_in(tmp_path) - before if not p.startswith("work/out")}
        assert outside <= {"work/out.raw/x-1/a.c"}
        assert not Path("/tmp/llmopt-evil.c").exists()

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
    def test_follows_no_link_out(self, kind: bytes, tmp_path: Path) -> None:
        (tmp_path / "secret.c").write_text("int secret;")
        members = [link("x-1/s.c", "../../../secret.c", kind), link("x-1/p.c", "/etc/passwd", kind)]
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"), *members)
        unpack(package(digest), tmp_path, tmp_path / "out")
        assert files_in(tmp_path / "out") == {"a.c"}

    def test_writes_through_no_link(self, tmp_path: Path) -> None:
        (tmp_path / "victim").mkdir()
        digest = tar(tmp_path / ARCHIVE, link("x-1/d", str(tmp_path / "victim")), file("x-1/d/e.c"))
        unpack(package(digest), tmp_path, tmp_path / "out")
        assert files_in(tmp_path / "out") == {"d/e.c"}
        assert not list((tmp_path / "victim").iterdir())

    def test_copies_what_a_link_inside_means(self, tmp_path: Path) -> None:
        digest = tar(tmp_path / ARCHIVE, file("x-1/sub/a.h", b"1"), link("x-1/b.h", "sub/a.h"))
        unpack(package(digest), tmp_path, tmp_path / "out")
        assert (tmp_path / "out" / "b.h").read_bytes() == b"1"
        assert not (tmp_path / "out" / "b.h").is_symlink()

    def test_leaves_devices_and_pipes_out(self, tmp_path: Path) -> None:
        info = tarfile.TarInfo("x-1/pipe")
        info.type = tarfile.FIFOTYPE
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"), (info, b""))
        unpack(package(digest), tmp_path, tmp_path / "out")
        assert files_in(tmp_path / "out") == {"a.c"}

    @pytest.mark.parametrize(
        "damage",
        [lambda data: data[: len(data) // 2], lambda data: b"no archive at all", lambda data: b""],
        ids=["truncated", "text", "empty"],
    )
    def test_says_which_archive_is_damaged(
        self, damage: Callable[[bytes], bytes], tmp_path: Path
    ) -> None:
        path = tmp_path / ARCHIVE
        digest = tar(path, file("x-1/a.c", os.urandom(50_000)))
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(BadArchive, match=r"x-1\.tar\.gz"):
            unpack(package(digest), tmp_path, tmp_path / "out")

    def test_bounds_what_comes_out(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("llmopt_bench.datasets.corpus.unpack.MAX_BYTES", 1000)
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c", bytes(2000)))
        with pytest.raises(BadArchive, match="more than 1,000 bytes"):
            unpack(package(digest), tmp_path, tmp_path / "out")


class TestFetch:
    def test_keeps_what_is_right(self, tmp_path: Path) -> None:
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"))
        fetcher = Fetcher(tmp_path / "kept")
        fetcher.fetch(package(digest, tmp_path.as_uri()))
        (tmp_path / ARCHIVE).unlink()
        fetcher.fetch(package(digest, tmp_path.as_uri()))
        assert files_in(tmp_path / "kept") == {ARCHIVE}

    def test_keeps_nothing_with_another_checksum(self, tmp_path: Path) -> None:
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"))
        fetcher = Fetcher(tmp_path / "kept")
        with pytest.raises(
            BadArchive, match=f"expected x-1.tar.gz with SHA-256 {ABSENT}.*{digest}"
        ):
            fetcher.fetch(package(ABSENT, tmp_path.as_uri()))
        assert files_in(tmp_path / "kept") == set()

    def test_fetches_again_what_was_damaged(self, tmp_path: Path) -> None:
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"))
        fetcher = Fetcher(tmp_path / "kept")
        fetcher.fetch(package(digest, tmp_path.as_uri()))
        (tmp_path / "kept" / ARCHIVE).write_bytes(b"damaged")
        fetcher.fetch(package(digest, tmp_path.as_uri()))
        assert (tmp_path / "kept" / ARCHIVE).read_bytes() == (tmp_path / ARCHIVE).read_bytes()

    @pytest.mark.parametrize("source", ["file:///no/such/folder", "http://127.0.0.1:9/x"])
    def test_says_what_it_cannot_get(self, source: str, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match=r"x-1\.tar\.gz.*by hand"):
            Fetcher(tmp_path / "kept").fetch(package(ABSENT, source))
        assert files_in(tmp_path / "kept") == set()

    def test_without_apt(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MissingTool, match="apt-get"):
            Fetcher(tmp_path / "kept", "http://127.0.0.1:9").fetch(package(ABSENT, "zlib"))

    def test_no_mirror_known(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fetching, "_LISTS", (str(tmp_path / "a"), str(tmp_path / "b")))
        (tmp_path / "apt-get").touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Unavailable, match="--mirror"):
            Fetcher(tmp_path / "kept").fetch(package(ABSENT, "zlib"))

    def test_reads_both_forms_of_apts_lists(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, new = tmp_path / "sources.list", tmp_path / "parts"
        new.mkdir()
        monkeypatch.setattr(fetching, "_LISTS", (str(old), str(new)))
        old.write_text("# deb http://no bookworm main\ndeb http://other trixie main\n")
        (new / "d.sources").write_text(
            "Types: deb\nURIs: http://third\nSuites: sid bookworm\nComponents: main\n"
        )
        assert fetching._mirror_of_machine() == "http://third"
        old.write_text("deb [arch=amd64] http://one bookworm main contrib\n")
        assert fetching._mirror_of_machine() == "http://one"


class TestDebian:
    """The way of Debian's packages, with an ``apt-get`` that does what the test says."""

    @pytest.fixture
    def fetcher(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetcher:
        (tmp_path / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        return Fetcher(tmp_path / "kept", "http://mirror")

    def apt(self, tmp_path: Path, update: str, source: str) -> None:
        program = tmp_path / "bin" / "apt-get"
        program.write_text(
            f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n'
            f'case "$*" in\n*" update "*) {update} ;;\n*download-only*) {source} ;;\nesac\n'
        )
        program.chmod(0o755)

    def test_asks_for_the_version_from_a_private_state(
        self, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"))
        self.apt(tmp_path, "exit 0", f"cp {tmp_path / ARCHIVE} .")
        fetcher.fetch(package(digest, "foo"))
        assert (fetcher.folder / ARCHIVE).is_file()
        update, source = (tmp_path / "asked").read_text().splitlines()
        assert source.endswith("source --download-only --tar-only -qq foo=1")
        for line in (update, source):
            assert f"Dir::State={fetcher.folder}/apt" in line
            assert "Dir::Etc::SourceParts=/dev/null" in line
        lists = (fetcher.folder / "apt" / "sources.list").read_text()
        assert lists.endswith("http://mirror bookworm main\n")

    def test_says_what_apt_says(self, fetcher: Fetcher, tmp_path: Path) -> None:
        self.apt(tmp_path, "exit 0", "echo 'E: Unable to find a source package' >&2; exit 100")
        with pytest.raises(Unavailable, match=r"foo=1 .*E: Unable to find a source package.*by"):
            fetcher.fetch(package(ABSENT, "foo"))

    def test_no_network(self, fetcher: Fetcher, tmp_path: Path) -> None:
        self.apt(tmp_path, "echo 'E: Failed to fetch' >&2; exit 100", "exit 0")
        with pytest.raises(Unavailable, match=r"E: Failed to fetch\. Is there a network"):
            fetcher.fetch(package(ABSENT, "foo"))
        # The next attempt asks again.
        digest = tar(tmp_path / ARCHIVE, file("x-1/a.c"))
        self.apt(tmp_path, "exit 0", f"cp {tmp_path / ARCHIVE} .")
        fetcher.fetch(package(digest, "foo"))

    def test_another_archive_came(self, fetcher: Fetcher, tmp_path: Path) -> None:
        self.apt(tmp_path, "exit 0", "touch other.tar.gz")
        with pytest.raises(Unavailable, match=r"expected x-1\.tar\.gz in Debian's foo 1"):
            fetcher.fetch(package(ABSENT, "foo"))
        self.apt(tmp_path, "exit 0", f"echo damaged > {ARCHIVE}")
        with pytest.raises(BadArchive, match="SHA-256"):
            fetcher.fetch(package(ABSENT, "foo"))
        assert not (fetcher.folder / ARCHIVE).exists()
