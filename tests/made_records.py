"""Records that no agent has made, for tests of what is done with records."""

from __future__ import annotations

from typing import Any

from llmopt_bench import Record


def made_record(program: str, answer: str, **changes: Any) -> Record:
    """Return a record of agent ``a`` 1 on a program of 10 instructions, of which 7 are left."""
    values = {
        "task": "t",
        "task_sha256": "0" * 64,
        "program": program,
        "program_sha256": "1" * 64,
        "agent": "a",
        "agent_version": "1",
        "seed": 0,
        "repetition": 0,
        "action_set": "passes-v1",
        "action_set_sha256": "2" * 64,
        "metric": "instruction_count",
        "budget": 9,
        "pass_list": answer,
        "status": "ok",
        "initial": 10,
        "oz": 8,
        "new": 7,
        "module_sha256": "3" * 64,
        "additional_compilations": 4,
        "passes_applied": 5,
        "wall_seconds": 1.5,
        "llvm_version": "22",
        "package_version": "1",
    }
    return Record(**{**values, **changes})
