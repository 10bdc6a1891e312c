"""Archives of sources, unpacked so that nothing lands outside of their folder."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import zlib
from lzma import LZMAError
from pathlib import Path

from llmopt_bench.datasets.corpus.recipe import Package
from llmopt_bench.errors import BadArchive, shorten

MAX_BYTES = 3 << 30
"""The most that one archive may unpack to; the largest of the corpus has a tenth of that."""
MAX_FILES = 200_000
_CHUNK = 1 << 20
_COMPONENT = re.compile(r"\.orig-([A-Za-z0-9-]+)\.tar\.")


def check(file: Path, sha256: str) -> None:
    """See that a file is the one that the recipe means.

    Raises:
        BadArchive: It has another checksum.
    """
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise BadArchive(
            f"expected {file.name} with SHA-256 {sha256}, got {digest.hexdigest()}. It is damaged "
            "or another version; remove it and build again to fetch it anew."
        )


def unpack(package: Package, archives: Path, target: Path) -> None:
    """Unpack the archives of a package into the folder ``target``, which must not be there.

    A single folder at the top of an archive is taken off. Links and special files are left out:
    what compiles needs none of them, and a link can point anywhere. A link to another file in the
    archive becomes a copy of it.

    Raises:
        BadArchive: An archive is damaged, too large, or has a path that leads out of it.
        OSError: The disk is full, for example.
    """
    target.mkdir(parents=True)
    for name in package.archives:
        component = _COMPONENT.search(name)
        place = (
            target / component[1] if component and name != next(iter(package.archives)) else target
        )
        try:
            _unpack(archives / name, place)
        except (tarfile.TarError, EOFError, LZMAError, zlib.error) as error:
            raise BadArchive(
                f"expected an archive that can be unpacked, got {name}: {shorten(str(error), 200)}."
                " Remove it and build again to fetch it anew."
            ) from error


def _unpack(archive: Path, place: Path) -> None:
    raw = place.with_name(place.name + ".raw")
    shutil.rmtree(raw, ignore_errors=True)
    raw.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        _extract(tar, raw)
    inside = list(raw.iterdir())
    top = inside[0] if len(inside) == 1 and inside[0].is_dir() else raw
    place.mkdir(exist_ok=True)
    for entry in top.iterdir():
        shutil.move(entry, place / entry.name)
    shutil.rmtree(raw)


def _extract(tar: tarfile.TarFile, raw: Path) -> None:
    size = count = 0
    for member in tar:
        size += member.size
        count += 1
        if size > MAX_BYTES or count > MAX_FILES:
            raise tarfile.TarError(
                f"it unpacks to more than {MAX_BYTES:,} bytes or {MAX_FILES:,} files"
            )
        if member.issym() or member.islnk():
            _copy_target(tar, member, raw)
        elif member.isfile() or member.isdir():
            # Raises for paths that lead out of the folder, and drops odd permissions.
            tar.extract(member, raw, filter="data")


def _copy_target(tar: tarfile.TarFile, link: tarfile.TarInfo, raw: Path) -> None:
    """Put a copy of the file in place of a link to it, if it has been unpacked before."""
    base = Path(link.name).parent if link.issym() else Path()
    source = (raw / base / link.linkname).resolve()
    place = (raw / link.name).resolve()
    root = raw.resolve()
    if source.is_relative_to(root) and place.is_relative_to(root) and source.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
