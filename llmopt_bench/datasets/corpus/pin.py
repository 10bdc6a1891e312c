"""For whoever writes a recipe: prints the table of a Debian source package, to be filled in.

``python -m llmopt_bench.datasets.corpus.pin zlib lz4`` prints name, version and checksums as
Debian's release has them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile

from llmopt_bench.datasets.corpus.fetch import Fetcher
from llmopt_bench.datasets.corpus.place import corpus_home
from llmopt_bench.errors import LlmoptError, Unavailable


def table_of(source: str, fetcher: Fetcher) -> str:
    """Return the TOML of a source package: what Debian says of it, and blanks.

    Raises:
        Unavailable: Debian has no such package, or cannot be reached.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = [*fetcher.apt_command(), "source", "--print-uris", "--tar-only", "-qq", source]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
    archives = re.findall(r"^'[^']*' (\S+) \d+ SHA256:([0-9a-f]{64})$", done.stdout, re.M)
    if done.returncode != 0 or not archives:
        raise Unavailable(f"expected a source package {source}, got: {done.stderr.strip()[:200]}")
    archives.sort(key=lambda pair: ".orig-" in pair[0])  # the package itself first
    version = _version(source, fetcher)
    title = source if re.fullmatch(r"[\w-]+", source) else f'"{source}"'
    lines = [f"[{title}]", f'source = "{source}"', f'version = "{version}"', 'licence = ""']
    pairs = ", ".join(f'"{name}" = "{digest}"' for name, digest in archives)
    return "\n".join([*lines, f"archives = {{ {pairs} }}", 'files = [""]'])


def _version(source: str, fetcher: Fetcher) -> str:
    apt_cache = [part.replace("apt-get", "apt-cache") for part in fetcher.apt_command()[:1]]
    command = [*apt_cache, *fetcher.apt_command()[1:], "showsrc", "--only-source", source]
    done = subprocess.run(command, capture_output=True, text=True)
    versions = re.findall(r"^Version: (\S+)$", done.stdout, re.M)
    if not versions:
        raise Unavailable(f"expected the version of {source}, got: {done.stderr.strip()[:200]}")
    return str(versions[-1])


def main(arguments: list[str]) -> int:
    """Print the tables; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="+")
    fetcher = Fetcher(corpus_home() / "archives")
    status = 0
    for source in parser.parse_args(arguments).packages:
        try:
            sys.stdout.write(table_of(source, fetcher) + "\n\n")
        except LlmoptError as error:
            sys.stderr.write(f"{source}: {error}\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
