"""The README says what the records say, and its examples run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_tables_are_what_the_records_say():
    result = run(sys.executable, "scripts/results.py", "readme", "--check")
    assert result.returncode == 0, result.stderr
    assert README.count("| Oz ") == 1


@pytest.mark.parametrize("number", [r"(\| Oz 1 \| [\d,]+)", r"(\| llm 2 \| 0\.0 \| \d+)"])
def test_a_changed_number_is_noticed(tmp_path, number):
    copy = tmp_path / "scripts" / "results.py"
    copy.parent.mkdir()
    copy.write_text((ROOT / "scripts" / "results.py").read_text("utf-8"), "utf-8")
    (tmp_path / "leaderboards").symlink_to(ROOT / "leaderboards")
    changed = re.sub(number, r"\g<1>9", README)
    assert changed != README
    (tmp_path / "README.md").write_text(changed, "utf-8")
    result = run(sys.executable, str(copy), "readme", "--check")
    assert result.returncode == 1
    assert "make readme" in result.stderr


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code):
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_install_and_episode_by_line_25():
    first = README.splitlines()[:25]
    assert any("pip install" in line for line in first)
    assert any("env.unwrapped.oz" in line for line in first)
    assert len(EXAMPLES) == 2


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
