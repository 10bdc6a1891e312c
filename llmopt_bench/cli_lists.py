"""The commands that list what there is: tasks, agents, passes, info."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from llmopt_bench.cli_console import Json, grid, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(tasks)
    app.command()(agents)
    app.command()(passes)
    app.command()(info)


def tasks(as_json: Json = False) -> None:
    """List the tasks that agents are scored on."""
    from llmopt_bench.task import make_task, task_names

    found = [make_task(name) for name in task_names()]
    rows = [
        {
            "name": task.name,
            "programs": task.dataset or f"{len(task.programs)} programs",
            "metric": task.metric,
            "budget": task.budget,
            "repetitions": task.repetitions,
            "action_set": task.action_set,
            "description": task.description,
        }
        for task in found
    ]
    hashes = [row | {"sha256": task.sha256} for row, task in zip(rows, found, strict=True)]
    _show("tasks", hashes if as_json else rows, as_json)


def agents(as_json: Json = False) -> None:
    """List the registered agents; run also takes module:attribute."""
    from llmopt_bench.agent import registered_agents

    rows = [
        {"name": r.name, "package": r.distribution, "target": r.target} for r in registered_agents()
    ]
    _show("agents", rows, as_json)


def passes(
    action_set: Annotated[str, typer.Option(help="Name of the action set.")] = "passes-v1",
    excluded: Annotated[
        bool, typer.Option("--excluded", help="List what was left out, with reasons.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the actions of an action set: the passes that agents may use."""
    from llmopt_bench.action_set import make_action_set

    actions = make_action_set(action_set)
    listed = [{"name": a.name, "level": a.level, "pipeline": a.pipeline} for a in actions]
    left_out = [
        {"name": name, "category": entry.category, "reason": entry.reason}
        for name, entry in (*actions.excluded.items(), *actions.exclusion_rules)
    ]
    if as_json:
        document = {
            "action_set": actions.name,
            "sha256": actions.sha256,
            "llvm_major": actions.llvm_major,
            "actions": listed,
            "excluded": left_out,
        }
        print_json(document)
    else:
        # A pipeline may be thousands of characters long: it is in the JSON only.
        short = [{"name": action.name, "level": action.level} for action in actions]
        _show("", left_out if excluded else short, as_json=False)


def info(as_json: Json = False) -> None:
    """Show the versions of everything that could change a result."""
    from llmopt_bench.build import build_info

    facts = build_info()
    if as_json:
        print_json(facts)
    else:
        _show("", [{"what": key, "value": value} for key, value in facts.items()], as_json=False)


def _show(key: str, rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print rows as a JSON document ``{key: rows}``, or as a table."""
    if as_json:
        print_json({key: rows})
        return
    headings = [name.replace("_", " ").capitalize() for name in (rows[0] if rows else ())]
    print_table(grid(headings, [list(row.values()) for row in rows]))
