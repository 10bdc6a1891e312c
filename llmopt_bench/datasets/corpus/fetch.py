"""Source archives, fetched once and checked: through ``apt-get``, or from an address.

Debian's source packages come from the mirror that this machine's own apt uses, with a private
state of apt's in the cache folder, so no root is needed and nothing of the system changes. The
release is pinned; each archive's checksum is in the recipe.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from llmopt_bench.datasets.corpus.recipe import Package
from llmopt_bench.datasets.corpus.unpack import check
from llmopt_bench.errors import BadArchive, MissingTool, Unavailable, shorten

SUITE = "bookworm"
"""Debian 12. Only the release itself: its updates for security come and go."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TIME_LIMIT = 600.0
"""Seconds for one package."""
_LISTS = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")
_ADDRESS = re.compile(r"(https?|file)://")


class Fetcher:
    """Gets archives into a folder and never leaves half of one there."""

    def __init__(self, folder: Path, mirror: str | None = None) -> None:
        """Keep archives in ``folder``; ``mirror`` is the address of a Debian mirror.

        Without one, it is the one in this machine's apt configuration.
        """
        self.folder = folder
        self._mirror = mirror
        self._apt: list[str] | None = None

    def fetch(self, package: Package) -> None:
        """Make sure that the archives of a package are there and right.

        Raises:
            BadArchive: What came has another checksum; it is not kept.
            Unavailable: It cannot be fetched: no network, no such version.
            MissingTool: There is no ``apt-get``.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [name for name in package.archives if not self._have(package, name)]
        if not missing:
            return
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=self.folder) as scratch:
            if _ADDRESS.match(package.source):
                self._download(package, missing, Path(scratch))
            else:
                self._from_debian(package, Path(scratch))
            for name in missing:
                self._keep(package, Path(scratch) / name)

    def _have(self, package: Package, name: str) -> bool:
        file = self.folder / name
        if not file.is_file():
            return False
        try:
            check(file, package.archives[name])
        except BadArchive:
            # Damaged since, or left by an older recipe: what is fetched now takes its place.
            file.unlink()
            return False
        return True

    def _keep(self, package: Package, file: Path) -> None:
        if not file.is_file():
            raise Unavailable(
                f"expected {file.name} in Debian's {package.source} {package.version}, got no such "
                "file. Correct `archives` in the recipe."
            )
        check(file, package.archives[file.name])
        file.replace(self.folder / file.name)

    def _download(self, package: Package, names: Sequence[str], scratch: Path) -> None:
        for name in names:
            url = package.source if package.source.endswith(name) else f"{package.source}/{name}"
            try:
                with urllib.request.urlopen(url, timeout=60) as stream:
                    with (scratch / name).open("wb") as out:
                        shutil.copyfileobj(stream, out)
            except OSError as error:
                raise Unavailable(
                    f"expected {name} from {shorten(url, 200)}, got {error}. Is there a network? "
                    f"Or put the file into {self.folder} by hand."
                ) from error

    def _from_debian(self, package: Package, scratch: Path) -> None:
        wanted = f"{package.source}={package.version}"
        command = [*self.apt_command(), "source", "--download-only", "--tar-only", "-qq", wanted]
        done = _run(command, scratch)
        if done.returncode != 0:
            raise Unavailable(
                f"expected the sources of {wanted} from Debian's {SUITE}, got: {_reason(done)}. "
                f"Is there a network? Or put {' and '.join(package.archives)} into {self.folder} "
                "by hand."
            )

    def apt_command(self) -> list[str]:
        """Return how an apt-get command with the private state starts.

        Raises:
            Unavailable: The list of source packages cannot be fetched.
            MissingTool: There is no ``apt-get``.
        """
        if self._apt is None:
            self._apt = self._prepare_apt()
        return self._apt

    def _prepare_apt(self) -> list[str]:
        """Read the lists of source packages once; return how an apt command starts."""
        program = shutil.which("apt-get")
        if program is None:
            raise MissingTool(
                "expected apt-get, which fetches Debian's source packages, got none. Build on "
                f"Debian or Ubuntu, or put the archives into {self.folder} by hand."
            )
        state = self.folder / "apt"
        for name in ("lists/partial", "archives/partial"):
            (state / name).mkdir(parents=True, exist_ok=True)
        mirror = self._mirror or _mirror_of_machine()
        sources = state / "sources.list"
        sources.write_text(f"deb-src [signed-by={KEYRING}] {mirror} {SUITE} main\n", "utf-8")
        command = [program, *_options(state, sources)]
        stamp = state / "read"
        if not stamp.is_file() or stamp.read_text("utf-8") != mirror:
            done = _run([*command, "update", "-qq", "-o", "APT::Update::Error-Mode=any"], state)
            if done.returncode != 0:
                raise Unavailable(
                    f"expected the list of Debian's source packages, got: {_reason(done)}. "
                    "Is there a network? `--mirror` names another mirror."
                )
            stamp.write_text(mirror, "utf-8")
        return command


def _options(state: Path, sources: Path) -> list[str]:
    settings = {
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": state,
        "Dir::Cache::Archives": state / "archives",
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::http::Timeout": "30",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def _mirror_of_machine() -> str:
    """Return the address that this machine gets Debian's packages from.

    Raises:
        Unavailable: Its apt configuration names none that has the release.
    """
    for file in _list_files():
        try:
            text = file.read_text("utf-8", errors="replace")
        except OSError:
            continue
        for uri, suites in (*_one_line(text), *_deb822(text)):
            if SUITE in suites:
                return uri
    raise Unavailable(
        f"expected a mirror of Debian's {SUITE} in {' or '.join(_LISTS)}, got none. Name one with "
        "--mirror."
    )


def _list_files() -> list[Path]:
    single, folder = map(Path, _LISTS)
    parts = sorted((*folder.glob("*.list"), *folder.glob("*.sources")))
    return [file for file in (single, *parts) if file.is_file()]


def _one_line(text: str) -> list[tuple[str, list[str]]]:
    """Return address and suites of lines like ``deb [options] ADDRESS SUITE main``."""
    lines = re.findall(r"^deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+main\b", text, re.M)
    return [(uri, [suite]) for uri, suite in lines]


def _deb822(text: str) -> list[tuple[str, list[str]]]:
    """Return address and suites of paragraphs with ``URIs:`` and ``Suites:``."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\w[\w-]*):\s*(.*)$", paragraph, re.M))
        if "URIs" in fields and "main" in fields.get("Components", "").split():
            found.append((fields["URIs"].split()[0], fields.get("Suites", "").split()))
    return found


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    kept = ("PATH", "HOME", "http_proxy", "https_proxy", "no_proxy")
    environment = {key: os.environ[key] for key in kept if key in os.environ}
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"expected an answer of apt-get within {TIME_LIMIT:g} s, got none. Try again later."
        ) from None


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
    text = " ".join(lines) or done.stderr.strip() or f"status {done.returncode}"
    return shorten(text.rstrip("."), 300)
