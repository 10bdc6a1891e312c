"""What this installation is made of: everything that could change a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from llmopt_bench import _core
from llmopt_bench.action_set import action_set_names, make_action_set


def build_info() -> dict[str, str]:
    """Return the versions and build options that could change a result, as text by name."""
    info = {"llmopt_bench": version("llmopt-bench")}
    info |= {key: str(value) for key, value in _core.build_info().items()}
    info |= {name: make_action_set(name).sha256[:16] for name in action_set_names()}
    info["python"] = platform.python_version()
    info["platform"] = f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}"
    for package in ("gymnasium", "numpy", "torch", "transformers", "stable-baselines3"):
        try:
            info[package] = version(package)
        except PackageNotFoundError:
            info[package] = "not installed"
    return info
