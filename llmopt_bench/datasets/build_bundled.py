"""Rebuilds the bitcode and the manifest of the bundled programs from their sources.

``python -m llmopt_bench.datasets.build_bundled`` writes them, in a checkout; with ``--check`` it
only says which programs would become other code, and exits with 1 if there are any.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from llmopt_bench._core import Module
from llmopt_bench.datasets.bundled import DATA, Entry, entries
from llmopt_bench.errors import BadProgram, LlmoptError
from llmopt_bench.execution import Expected, Limits, execute
from llmopt_bench.frontend import clang_version, compile_source

ROOT = Path(str(DATA))
LIMITS = Limits(seconds=5.0)
"""What a program may use: less than where it is checked later, so that no slow one gets in."""


def sources() -> list[Path]:
    """Return the C files, sorted by the names of the programs."""
    return sorted(ROOT.glob("*/*.c"), key=lambda path: path.stem)


def build_entry(source: Path, bitcode: bytes) -> Entry:
    """Return what the manifest has to say of a program.

    Raises:
        BadProgram: It does not link, or it runs too long.
    """
    module = Module.read(bitcode, source.name)
    run = execute(bitcode, source.name, LIMITS)
    if run.timed_out:
        raise BadProgram(
            f"expected {source.name} to end within {LIMITS.seconds:g} s, and it did not. "
            "Let it do less."
        )
    expected = Expected.of(run)
    return Entry(
        name=source.stem,
        kind=source.parent.name,
        source_sha256=_sha256(source.read_bytes()),
        bitcode_sha256=_sha256(bitcode),
        content_hash=module.content_hash(),
        functions={name: module.extract(name).instruction_count() for name in module.functions()},
        **asdict(expected),
    )


def build() -> int:
    """Write the bitcode of all programs and the manifest; return the number of programs."""
    folder = ROOT / "bitcode"
    folder.mkdir(exist_ok=True)
    built = []
    for source in sources():
        bitcode = compile_source(source)
        entry = build_entry(source, bitcode)
        (ROOT / entry.bitcode_path).write_bytes(bitcode)
        built.append(entry)
    for stale in {path.stem for path in folder.glob("*.bc")} - {entry.name for entry in built}:
        (folder / f"{stale}.bc").unlink()
    manifest = {
        "dataset": "bundled-v1",
        "clang": clang_version(),
        "programs": [asdict(entry) for entry in built],
    }
    (ROOT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    return len(built)


def differences() -> list[str]:
    """Return a line for each program whose source and shipped bitcode are not the same code."""
    known = dict(entries())
    found = []
    for source in sources():
        entry = known.pop(source.stem, None)
        if entry is None:
            found.append(f"{source.stem}: not in the manifest")
            continue
        rebuilt = Module.read(compile_source(source), source.name).content_hash()
        shipped = Module.read((ROOT / entry.bitcode_path).read_bytes(), entry.name).content_hash()
        if rebuilt != shipped or shipped != entry.content_hash:
            found.append(
                f"{entry.name}: manifest {entry.content_hash[:12]}, shipped {shipped[:12]}, "
                f"rebuilt {rebuilt[:12]}"
            )
    return found + [f"{name}: no source" for name in known]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="build_bundled", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args(arguments)
    try:
        if not options.check:
            sys.stdout.write(f"wrote {build()} programs to {ROOT}\n")
            return 0
        found = differences()
    except LlmoptError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in found) or "all programs as shipped\n")
    return 1 if found else 0


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
