"""A corpus of four small packages, with archives of its own: what the tests build."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from llmopt_bench.datasets.corpus import curate, manifest
from llmopt_bench.datasets.corpus.corpus import Corpus
from llmopt_bench.datasets.corpus.staging import Outcome

ALPHA = {
    "alpha.c": """
#include "config.h"
#include <string.h>
#ifndef HAVE_STRDUP
#error strdup is there
#endif
static int twice(int x) { return x * 2 + x / 3; }
int sum(const int *p, int n) { int s = 0; for (int i = 0; i < n; i++) s += twice(p[i]); return s; }
int compare(const char *a, const char *b) { return a && b ? strcmp(a, b) : a - b; }
int tiny(void) { return 1; }
""",
    "lib/more.c": """
#include "alpha.h"
int product(const int *p, int n) { int s = 1; while (n-- > 0) s *= *p++; return s; }
long power(long base, int e) { long r = 1; for (; e > 0; e >>= 1, base *= base) 
  if (e & 1) r *= base; return r; }
""",
    "broken.c": "int f( {",
    "include/alpha.h": "int sum(const int *p, int n);\n",
    "config.h.in": "#undef HAVE_STRDUP\n#undef HAVE_NOSUCHCALL\n#undef LIMIT\n",
}
BETA = {
    "beta.cpp": """
#include <vector>
#include <alpha.h>
struct Shape { virtual ~Shape(); virtual int area(int k) const { return k * k + 7; } };
Shape::~Shape() {}
int total(const std::vector<int>& v) { int s = 0; for (int x : v) s += sum(&x, 1); return s; }
int use(const Shape& s, int n) { int r = 0; for (int i = 0; i < n; ++i) r += s.area(i); return r; }
"""
}
GAMMA = {
    # The same code as in alpha under other names, and code of its own.
    "gamma.c": """
int gather(const int *q, int m) { int s = 1; while (m-- > 0) s *= *q++; return s; }
int clamp(int x, int lo, int hi) { if (x < lo) return lo; if (x > hi) return hi; return x; }
unsigned mix(unsigned h, unsigned k) { h ^= k * 0x9e3779b1u; h = (h << 13) | (h >> 19);
  return h * 5 + 0xe6546b64u; }
"""
}
DELTA = {
    "delta.c": """
int digits(unsigned n) { int d = 0; do { d++; n /= 10; } while (n); return d; }
int parity(unsigned n) { int p = 0; while (n) { p ^= n & 1; n >>= 1; } return p; }
void fill(int *a, int n) { for (int i = 0; i < n; i++) a[i] = i * i; }
"""
}

RECIPE = """
[alpha]
source = "{source}"
version = "1.0"
licence = "MIT"
archives = {{ "alpha-1.0.tar.gz" = "{alpha}" }}
files = ["*.c", "lib/*.c"]
include = [".", "include"]
exports = ["include"]
generate."config.h" = {{ template = "config.h.in", set = {{ LIMIT = 7 }} }}

[beta]
source = "{source}"
version = "2.1"
licence = "Apache-2.0"
archives = {{ "beta-2.1.tar.gz" = "{beta}" }}
files = ["*.cpp"]
uses = ["alpha"]

[gamma]
source = "{source}"
version = "3"
licence = "GPL-2.0-or-later"
archives = {{ "gamma-3.tar.gz" = "{gamma}" }}
files = ["**/*.c"]
split = "test"

[delta]
source = "{source}"
version = "4"
licence = "Zlib"
archives = {{ "delta-4.tar.gz" = "{delta}" }}
files = ["*.c"]
split = "validation"
"""


class Quiet:
    """Watches a build and remembers what it was told."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.compiled_files: list[str] = []
        self.outcomes: list[Outcome] = []

    def planned(self, packages: int) -> None:
        self.packages = packages

    def opened(self, package: str, files: int) -> None:
        self.files[package] = files

    def compiled(self, package: str) -> None:
        self.compiled_files.append(package)

    def finished(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def pack(path: Path, files: Mapping[str, str], top: str) -> str:
    """Write an archive with one folder at its top; return its SHA-256."""
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def define(folder: Path) -> Path:
    """Write archives and a recipe without manifests below ``folder``; return the recipe's."""
    archives, definition = folder / "upstream", folder / "definition"
    archives.mkdir()
    definition.mkdir()
    digests = {
        "alpha": pack(archives / "alpha-1.0.tar.gz", ALPHA, "alpha-1.0"),
        "beta": pack(archives / "beta-2.1.tar.gz", BETA, "beta-2.1"),
        "gamma": pack(archives / "gamma-3.tar.gz", GAMMA, "gamma-3"),
        "delta": pack(archives / "delta-4.tar.gz", DELTA, "delta-4"),
    }
    text = RECIPE.format(source=archives.as_uri(), **digests)
    (definition / "tiny.toml").write_text(text, "utf-8")
    for name in (manifest.FUNCTIONS, manifest.MODULES):
        manifest.write_manifest(definition / name, [])
    return definition


def make(folder: Path) -> Corpus:
    """Return a small corpus with manifests, built once below ``folder``."""
    definition = define(folder)
    first = Corpus(definition, folder / "home" / "tiny-v1")
    first.build(Quiet(), jobs=2)
    curate.write(first, definition)
    return Corpus(definition, folder / "home" / "tiny-v1")
