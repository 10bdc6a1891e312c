"""What a search starts from."""

from __future__ import annotations

from llmopt_bench import ActionSet, PassList

OZ = "Oz"


def start_of(action_set: ActionSet) -> PassList:
    """Return -Oz as a list, or the empty list where -Oz is no action, as in CompilerGym."""
    return PassList([OZ] if OZ in action_set else [], action_set)
