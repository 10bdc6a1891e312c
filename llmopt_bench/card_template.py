"""The first draft of a card: what records say is filled in, the rest is left to their author."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from llmopt_bench.card import KINDS, is_name
from llmopt_bench.errors import BadCard, shown
from llmopt_bench.record import Record

_HEAD = "# A card of llmopt-bench. Fill in what is empty; the rest is what the records say."
# For each key that no record knows: an empty value, which no card may have, and what it is for.
_TO_FILL = {
    "kind": ('""', f"one of {', '.join(KINDS)}"),
    "description": ('""', "what the agent does, in one to five sentences"),
    "authors": ("[]", 'a list of names: ["A. Person", "B. Person"]'),
    "code": ('""', "https address of its code; may stay empty"),
    "model": ('""', "name or https address of a model that it uses; may stay empty"),
    "paper": ('""', "https address; may stay empty"),
    "hardware": ('""', "what the records were made on"),
    "licence": ('""', "of the agent, as an SPDX expression where there is one"),
}


def card_template(records: Sequence[Record]) -> str:
    """Return the text of a card for records of one agent, to be filled in.

    It is no card yet: what has to be filled in holds a value that a card refuses.

    Args:
        records: At least one record.

    Raises:
        BadCard: No card can name this agent, or this version of it.
    """
    first = records[0]
    for name in (first.agent, first.agent_version):
        if not is_name(name):
            raise BadCard(
                f"expected letters, digits and '._+-' as the name of an agent and its version, got "
                f"{shown(name)}. Register the agent under such a name (agents/README.md), then run "
                "it again."
            )
    trained_on = sorted({name for record in records for name in record.trained_on})
    known = {
        "schema": ("1", ""),
        "agent": (_quoted(first.agent), ""),
        "version": (_quoted(first.agent_version), ""),
        "command": (_quoted(_command(records)), "how the records were made; check it"),
        "trained_on": (_quoted(trained_on), "program sets that it has learnt from"),
        "training_compilations": ("-1" if trained_on else "0", "spent to make the agent"),
        "seeds": (_quoted(sorted({record.seed for record in records})), ""),
    }
    lines = (
        f"{key} = {value}" + (f"  # {note}" if note else "")
        for key, (value, note) in {**known, **_TO_FILL}.items()
    )
    return "\n".join((_HEAD, *lines)) + "\n"


def _command(records: Sequence[Record]) -> str:
    """Return a command line for each budget and seed, joined as a shell takes them."""
    runs = {(record.budget, record.seed): record for record in records}
    return " && ".join(shlex.join(_arguments(runs[run])) for run in sorted(runs))


def _arguments(record: Record) -> list[str]:
    command = ["llmopt-bench", "run", "--task", record.task, "--agents", record.agent]
    for name, value in record.agent_settings.items():
        command += ["--set", f"{record.agent}.{name}={json.dumps(value)}"]
    return [*command, "--budget", str(record.budget), "--seed", str(record.seed)]


def _quoted(value: object) -> str:
    """Return a value as TOML, whose strings and lists are those of JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
