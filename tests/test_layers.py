"""Imports point down only: the order of the modules, enforced on the syntax tree."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "llmopt_bench"
PLUGINS = ("agents", "baselines")
LAYERS = (
    ("errors",),
    (
        "program",
        "passes",
        "action_set",
        "passlist_text",
        "plain_file",
        "plain_text",
        "data_home",
        "markdown",
        "process_map",
        "budget",
        "anytime",
        "ir_bleu",
        "ir_errors",
    ),
    (
        "task",
        "record",
        "record_fields",
        "bootstrap",
        "formulas",
        "card",
        "card_template",
        "entries",
        "entry_rules",
        "board_programs",
    ),
    ("score", "score_curve", "_core", "isolation", "module_state"),
    (
        "session",
        "backend",
        "compiler_gym_client",
        "compiler_gym_module",
        "compiler_gym_place",
        "compiler_gym_pool",
        "compiler_gym_session",
        "compiler_gym_setup",
        "compiler_gym_tools",
        "compiler_gym_worker",
        "features",
        "graph",
        "build",
        "datasets",
        "execution",
        "frontend",
        "ir_running",
        "ir_scores",
        "report",
        "plot",
        "board",
        "board_pages",
        "board_folder",
        "board_plot",
        "board_site",
        "board_site_data",
    ),
    (
        "env",
        "episode",
        "pass_list_env",
        "single_pass_env",
        "vector",
        "lockstep",
        "session_cache",
        "observations",
        "rewards",
        "verify",
        "compiler_gym_actions",
        "compiler_gym_env",
        "compiler_gym_episode",
        "compiler_gym_observations",
        "compiler_gym_rewards",
        "compiler_gym_state",
        "minimize",
    ),
    ("agent", "agent_settings", "training"),
    (
        "runner",
        "runner_phases",
        "runner_pool",
        "runner_work",
        "run_store",
        "executor_ray",
        "merge",
        "submit",
        "open_board",
        "labels",
    ),
    ("cli", "__main__"),
)
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
HIGHEST_EAGER_RANK = RANKS["record"]
"""`import llmopt_bench` may load values, but nothing that computes: the rest is loaded on use."""


def imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str, str]]:
    """Yield line, absolute module and imported name of every import in a module of ``package``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            for alias in node.names:
                yield node.lineno, module, alias.name


def rank_of(unit: str) -> int | None:
    """Return the rank of a top-level module of the package, None if it has no place yet."""
    return RANKS["cli"] if unit.startswith("cli_") else RANKS.get(unit)


def units_imported(
    tree: ast.AST, package: tuple[str, ...], known: Collection[str]
) -> Iterator[tuple[int, str]]:
    """Yield line and top-level module name for each import from our own package."""
    for line, module, name in imports(tree, package):
        parts = module.split(".")
        if parts[0] != PACKAGE:
            continue
        if len(parts) > 1:
            yield line, parts[1]
        elif name in known or name in PLUGINS or rank_of(name) is not None:
            yield line, name


def package_violations(root: Path) -> list[str]:
    """Return what is wrong with the imports inside the package, one line each."""
    folder = root / PACKAGE
    files = sorted(file for file in folder.rglob("*.py") if file != folder / "__init__.py")
    known = {file.relative_to(folder).parts[0].removesuffix(".py") for file in files}
    found: list[str] = []
    graph: dict[str, set[str]] = {}
    for file in files:
        unit = file.relative_to(folder).parts[0].removesuffix(".py")
        rank = rank_of(unit)
        if rank is None:
            found.append(f"{unit}: no rank. Give it one in LAYERS of tests/test_layers.py.")
            continue
        package = file.relative_to(root).parent.parts
        for line, target in units_imported(ast.parse(file.read_text("utf-8")), package, known):
            where = f"{file.relative_to(root)}:{line} (rank {rank})"
            target_rank = rank_of(target)
            if target in PLUGINS:
                found.append(f"{where} imports {target}; load it by name through the registry.")
            elif target_rank is not None and target_rank > rank:
                found.append(f"{where} imports {target} (rank {target_rank}); move one of them.")
            elif target != unit:
                graph.setdefault(unit, set()).add(target)
    return [*found, *cycles(graph)]


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """Return a line if modules of one rank import each other in a circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"modules import each other: {' <- '.join(error.args[1])}. Break the circle."]
    return []


def init_violations(root: Path) -> list[str]:
    """Return the imports that ``import llmopt_bench`` would do and should leave for later."""
    tree = ast.parse((root / PACKAGE / "__init__.py").read_text("utf-8"))
    eager = ast.Module([node for node in tree.body if not lazy(node)], [])
    return [
        f"__init__.py:{line} imports {unit} at import time; load it in __getattr__."
        for line, unit in units_imported(eager, (PACKAGE,), ())
        if unit in PLUGINS or (rank_of(unit) or 0) > HIGHEST_EAGER_RANK
    ]


def lazy(node: ast.stmt) -> bool:
    """Whether a statement of a module imports nothing when the module is imported."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def plugin_violations(root: Path, public: Collection[str]) -> list[str]:
    """Return where agents and baselines use more than the public interface."""
    found: list[str] = []
    for plugin in PLUGINS:
        if (root / plugin / "__init__.py").exists():
            found.append(f"{plugin}/__init__.py shadows other packages of this name. Remove it.")
        for file in sorted((root / plugin).rglob("*.py")):
            package = (PACKAGE, *file.relative_to(root).parent.parts)
            for line, module, name in imports(ast.parse(file.read_text("utf-8")), package):
                where = f"{file.relative_to(root)}:{line}"
                parts = module.split(".")
                if parts[0] in PLUGINS:
                    found.append(f"{where} imports {module}; import siblings relatively.")
                elif parts[0] != PACKAGE or parts[:2] == [PACKAGE, plugin]:
                    continue
                elif module != PACKAGE or name not in public:
                    found.append(
                        f"{where} imports {module} {name}; use `from {PACKAGE} import ...` "
                        "and a name of its __all__."
                    )
    return found


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write a tree of files and return its root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def test_package_imports_point_down() -> None:
    assert package_violations(ROOT) == []


def test_package_init_is_lazy() -> None:
    assert init_violations(ROOT) == []


def test_agents_and_baselines_use_the_public_interface() -> None:
    public = importlib.import_module(PACKAGE).__all__
    assert plugin_violations(ROOT, public) == []


def test_checker_sees_the_real_tree() -> None:
    tree = ast.parse((ROOT / PACKAGE / "score.py").read_text("utf-8"))
    assert {unit for _, unit in units_imported(tree, (PACKAGE,), ())} == {
        "errors",
        "formulas",
        "record",
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("record.py", "import llmopt_bench.env", "record.py:1 (rank 2) imports env (rank 5)"),
        ("record.py", "from llmopt_bench.env import x", "imports env (rank 5)"),
        ("record.py", "from llmopt_bench import env", "imports env (rank 5)"),
        ("record.py", "from . import env", "imports env (rank 5)"),
        ("record.py", "from .env import x", "imports env (rank 5)"),
        ("record.py", "def f():\n    from .env import x", "record.py:2"),
        ("datasets/csmith.py", "from ..runner import run", "imports runner (rank 7)"),
        ("runner.py", "from .cli_run import main", "imports cli_run (rank 8)"),
        ("session.py", "from llmopt_bench.agents.search import random", "imports agents"),
        ("cli.py", "from . import baselines", "imports baselines"),
        ("helpers.py", "", "helpers: no rank. Give it one in LAYERS"),
    ],
)
def test_planted_package_violation(tmp_path: Path, name: str, text: str, message: str) -> None:
    plant(tmp_path, {"llmopt_bench/env.py": "", f"llmopt_bench/{name}": text})
    (found,) = package_violations(tmp_path)
    assert message in found


def test_planted_circle(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "llmopt_bench/env.py": "from .vector import x",
            "llmopt_bench/vector.py": "from .env import y",
        },
    )
    (found,) = package_violations(tmp_path)
    assert "import each other" in found


def test_downward_and_level_imports_are_fine(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "llmopt_bench/errors.py": "import json",
            "llmopt_bench/env.py": "from .observations import x\nfrom llmopt_bench import errors",
            "llmopt_bench/observations.py": "from .session import s",
            "llmopt_bench/session.py": "from llmopt_bench import _core, build_info",
            "llmopt_bench/datasets/bundled.py": "from . import manifest\nfrom ..errors import E",
            "llmopt_bench/datasets/manifest.py": "",
            "llmopt_bench/cli_run.py": "from .cli_text import t",
            "llmopt_bench/cli_text.py": "from .runner import run",
        },
    )
    assert package_violations(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("from llmopt_bench.session import Session", 1),
        ("from ._core import Module", 1),
        ("from . import env", 1),
        ("try:\n    from . import _core\nexcept ImportError:\n    raise", 1),
        ("if TYPE_CHECKING:\n    from .session import Session", 0),
        ("def __getattr__(name):\n    from . import session", 0),
        ("from .errors import LlmoptError\nfrom .passes import PassList", 0),
    ],
)
def test_planted_eager_import(tmp_path: Path, text: str, count: int) -> None:
    plant(tmp_path, {"llmopt_bench/__init__.py": text})
    assert len(init_violations(tmp_path)) == count


@pytest.mark.parametrize(
    "text",
    [
        "from llmopt_bench.session import Session",
        "from llmopt_bench import _core",
        "import llmopt_bench.session",
        "import llmopt_bench",
        "from .. import session",
        "from ..session import Session",
        "from ..baselines import pipelines",
        "from llmopt_bench.baselines import pipelines",
        "from agents import other",
        "def f():\n    from llmopt_bench.score import Row",
    ],
)
def test_planted_plugin_violation(tmp_path: Path, text: str) -> None:
    plant(tmp_path, {"agents/mine.py": text})
    (found,) = plugin_violations(tmp_path, {"PassList", "Session"})
    assert found.startswith("agents/mine.py:")


def test_plugin_imports_that_are_fine(tmp_path: Path) -> None:
    deep = "from . import prompt\nfrom ..search.random import x\nfrom llmopt_bench import PassList"
    plant(tmp_path, {"agents/llm/chat.py": deep, "baselines/b.py": "from .a import x\nimport json"})
    assert plugin_violations(tmp_path, {"PassList"}) == []


def test_planted_plugin_init(tmp_path: Path) -> None:
    plant(tmp_path, {"baselines/__init__.py": ""})
    (found,) = plugin_violations(tmp_path, ())
    assert "shadows" in found
