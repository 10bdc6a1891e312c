"""Packages that only some readers need: asked for by name, and not before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_folder_of_its_name_is_not_the_package(tmp_path: Path) -> None:
    (tmp_path / "planted_package").mkdir()
    script = (
        "from llmopt_bench.datasets.optional import optional\n"
        "try: optional('planted_package', 'hub')\n"
        "except RuntimeError as error: print(error)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "planted_package is only a folder). Install it with" in out.stdout


def test_listing_datasets_needs_none_of_it() -> None:
    script = (
        "import sys, llmopt_bench.datasets as d\n"
        "[d.make_dataset(name).installed for name in d.dataset_names()]\n"
        "sys.exit(bool({'pyarrow', 'datasets', 'huggingface_hub'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
