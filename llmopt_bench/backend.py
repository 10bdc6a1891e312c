"""The compilers that sessions and environments work with: ours, and CompilerGym's.

An action set belongs to one compiler, so whatever names an action set (a task, a record, a pass
list) also says which compiler it means.
"""

from __future__ import annotations

from llmopt_bench.action_set import ActionSet, make_action_set
from llmopt_bench.compiler_gym_module import CompilerGymHost
from llmopt_bench.errors import UnknownName, unknown
from llmopt_bench.isolation import Host, Isolation

_ACTION_SETS = {"llvm": "passes-v1", "compiler_gym": "compiler-gym-v0"}
"""The backends: today's LLVM in a worker process, and CompilerGym 0.2.5 with LLVM 10 in an
interpreter of its own; and the action set that each has by default."""

_COMPILER_GYM_LLVM = 10


def backend_of(action_set: ActionSet) -> str:
    """Return ``llvm`` or ``compiler_gym``, to which an action set belongs."""
    return "compiler_gym" if action_set.llvm_major == _COMPILER_GYM_LLVM else "llvm"


def choose_action_set(backend: str | None, action_set: ActionSet | str | None) -> ActionSet:
    """Return the action set that somebody means who names a backend, an action set, or both.

    Raises:
        UnknownName: There is no such backend or action set.
        ValueError: The action set belongs to another backend.
    """
    if backend is not None and backend not in _ACTION_SETS:
        raise UnknownName(unknown("backend", backend, _ACTION_SETS))
    if action_set is None:
        action_set = _ACTION_SETS[backend or "llvm"]
    if isinstance(action_set, str):
        action_set = make_action_set(action_set)
    if backend not in (None, backend_of(action_set)):
        raise ValueError(
            f"expected an action set of the backend {backend}, got {action_set.name} of "
            f"{backend_of(action_set)}. Name one of the two."
        )
    return action_set


def make_host(isolation: Isolation | None, action_set: ActionSet) -> Host:
    """Return where the modules live that the actions of a set are applied to."""
    if backend_of(action_set) == "compiler_gym":
        return CompilerGymHost(isolation)
    return Host(isolation)


def compiler_facts(action_set: ActionSet) -> dict[str, str]:
    """Return what ``build_info`` does not say: the versions of CompilerGym, if that compiles.

    Raises:
        NoCompilerGym: It is not set up.
    """
    if backend_of(action_set) == "llvm":
        return {}
    facts = CompilerGymHost().process().facts
    version, _, target = str(facts["llvm"]).partition(" ")
    return {
        "llvm_version": version,
        "compiler_gym": str(facts["compiler_gym"]),
        "compiler_gym_target": target,
        "compiler_gym_clang": str(facts["clang"]),
    }
