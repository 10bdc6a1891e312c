"""For whoever writes a recipe: compiles packages and says what became of every file.

``python -m llmopt_bench.datasets.corpus.try_package zlib`` fetches, unpacks, prepares and compiles
the packages of ``corpus-v1`` that are named, and keeps their folders for a look.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llmopt_bench._core import Module
from llmopt_bench.datasets.corpus.corpus import corpus_v1
from llmopt_bench.datasets.corpus.fetch import Fetcher
from llmopt_bench.datasets.corpus.hermetic import compile_unit
from llmopt_bench.datasets.corpus.place import corpus_home
from llmopt_bench.datasets.corpus.prepare import prepare
from llmopt_bench.datasets.corpus.recipe import Package
from llmopt_bench.datasets.corpus.units import Unit, units_of
from llmopt_bench.datasets.corpus.unpack import unpack
from llmopt_bench.errors import BadProgram, LlmoptError


def lay_out(package: Package, recipe: Mapping[str, Package], place: Path) -> Path:
    """Unpack and prepare a package and those it uses, anew; return its folder."""
    fetcher = Fetcher(corpus_home() / "archives")
    for name in (*package.uses, package.name):
        shutil.rmtree(place / name, ignore_errors=True)
        fetcher.fetch(recipe[name])
        unpack(recipe[name], fetcher.folder, place / name)
        prepare(recipe[name], place / name)
    return place / package.name


def attempt(unit: Unit, root: Path, out: Path) -> str | list[int]:
    """Compile one file; return the error, or the instructions of its functions."""
    try:
        compile_unit(root, unit.path, unit.language, unit.flags, out)
        module = Module.read(out.read_bytes(), unit.path)
        return [module.extract(name).instruction_count() for name in module.functions()]
    except BadProgram as error:
        return str(error)
    finally:
        out.unlink(missing_ok=True)


def report(package: Package, recipe: Mapping[str, Package], show: int, jobs: int) -> None:
    """Compile a package and write the result to standard output."""
    place = corpus_home() / "try"
    start = time.monotonic()
    root = lay_out(package, recipe, place)
    units = units_of(package, recipe, root)
    with ThreadPoolExecutor(jobs) as pool:
        outs = (place / f"{package.name}-{number}.bc" for number in range(len(units)))
        results = list(pool.map(attempt, units, [root] * len(units), outs))
    failed = [
        (unit.path, result)
        for unit, result in zip(units, results, strict=True)
        if isinstance(result, str)
    ]
    sizes = [size for result in results if not isinstance(result, str) for size in result]
    good = sum(5 <= size <= 2000 for size in sizes)
    say = sys.stdout.write
    say(
        f"{package.name}: {len(units)} files, {len(failed)} failed, {len(sizes)} functions, "
        f"{good} of 5 to 2,000 instructions, {time.monotonic() - start:.1f} s\n"
    )
    for path, reason in failed[:show]:
        say(f"  {path}: {reason}\n")
    reasons = Counter(
        re.sub(r"^\S+?:\d+:\d+: (fatal )?error: ", "", reason) for _, reason in failed
    )
    for reason, count in reasons.most_common(5) if len(failed) > show else ():
        say(f"  {count} times: {reason}\n")


def main(arguments: list[str]) -> int:
    """Try packages; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="+", help="names in the recipe, or areas")
    parser.add_argument("--show", type=int, default=8, help="how many failures to list")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    recipe = corpus_v1().recipe
    status = 0
    for wanted in options.packages:
        for package in recipe.values():
            if wanted in (package.name, package.area):
                try:
                    report(package, recipe, options.show, options.jobs)
                except LlmoptError as error:
                    sys.stdout.write(f"{package.name}: {error}\n")
                    status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
