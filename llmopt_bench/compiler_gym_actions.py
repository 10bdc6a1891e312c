"""CompilerGym's 124 actions (LLVM 10) as passes of today: the mapping, and an action space of them.

The flags and their order are the action set ``compiler-gym-v0``, which CompilerGym itself runs.
Which pass a flag means, or why it has no successor, stands in ``action_sets/legacy.toml``.
"""

from __future__ import annotations

import operator
import shlex
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import gymnasium as gym
from gymnasium import spaces

from llmopt_bench.action_set import make_action_set
from llmopt_bench.errors import UnknownPass, shown, unknown
from llmopt_bench.passes import PassList
from llmopt_bench.passlist_text import legacy_flags

ACTION_SET = "compiler-gym-llvm22-v1"
"""The name of the action set of the passes that the flags mean."""

FLAGS = make_action_set("compiler-gym-v0").names
"""The actions of CompilerGym 0.2.5 in its order: the place of a flag is its number there."""


class FlagMapping(NamedTuple):
    """What has become of one action of CompilerGym."""

    number: int
    """Its number in CompilerGym."""
    flag: str
    """Its name there, for example ``-mem2reg``."""
    action: str | None
    """The action of ``compiler-gym-llvm22-v1`` that it means; None without a successor."""
    reason: str | None
    """Why there is no successor; None if there is one."""


@cache
def flag_mapping() -> tuple[FlagMapping, ...]:
    """Return what has become of each of the 124 actions, in CompilerGym's order."""
    table = legacy_flags()
    return tuple(
        FlagMapping(number, flag, table.mapped.get(flag), table.dropped.get(flag))
        for number, flag in enumerate(FLAGS)
    )


class FlagSpace(spaces.Discrete):
    """The flags of CompilerGym that have a successor, in CompilerGym's order.

    The numbers are not CompilerGym's, since flags without a successor are absent; a program that
    keeps numbers has to go by the flags. Four flags mean a pass that another flag means too.
    """

    def __init__(self) -> None:
        kept = [(entry.flag, entry.action) for entry in flag_mapping() if entry.action is not None]
        super().__init__(len(kept))
        self.action_set = make_action_set(ACTION_SET)
        """The passes that the flags mean."""
        self.flags = tuple(flag for flag, _ in kept)
        self.names = self.flags
        """The flags: CompilerGym's space has them under both names."""
        self.passes = tuple(action for _, action in kept)
        """The action of ``action_set`` that each flag means."""
        self._numbers: dict[str, int] = {}
        for number, (flag, action) in enumerate(kept):
            if action not in self._numbers or flag == f"-{action}":
                self._numbers[action] = number

    def __getitem__(self, flag: str) -> int:
        """Return the number of a flag.

        Raises:
            UnknownPass: It is no flag of CompilerGym, or has no successor; the message says why.
        """
        if flag in self.flags:
            return self.flags.index(flag)
        reason = legacy_flags().dropped.get(flag)
        if reason is None:
            raise UnknownPass(unknown("flag", str(flag), self.flags))
        raise UnknownPass(f"the flag {flag!r} has no successor: {reason} Leave it out.")

    def numbers(self, action: Any) -> list[int]:
        """Return the numbers of an action: of one flag, or of several.

        Raises:
            gymnasium.error.InvalidAction: There is no such flag.
        """
        if type(action) is int and 0 <= action < self.n:  # as nearly always
            return [action]
        # Arrays of one element could pass for a number.
        alone = hasattr(action, "__index__") and not getattr(action, "ndim", 0)
        try:
            numbers = [operator.index(one) for one in ([action] if alone else action)]
        except TypeError:
            numbers = [-1]
        if all(0 <= number < self.n for number in numbers):
            return numbers
        raise gym.error.InvalidAction(
            f"expected the number of a flag, 0 to {self.n - 1}, or several, got {shown(action)}. "
            "`action_space.flags` lists them."
        )

    def pass_list(self, actions: Iterable[int]) -> PassList:
        """Return the passes that the numbers of flags mean."""
        return PassList([self.passes[number] for number in actions], self.action_set)

    def to_string(self, actions: Iterable[int]) -> str:
        """Return the command line for LLVM 22's ``opt`` that runs the flags of these numbers."""
        text = str(self.pass_list(actions))
        passes = f"-passes={shlex.quote(text)} " if text else ""
        return f"opt {passes}input.bc -o output.bc"

    def from_string(self, text: str, *, drop_unmapped: bool = False) -> list[int]:
        """Return the numbers of the flags that a command line names.

        Reads what ``to_string`` writes and the command lines of CompilerGym. The answer is one
        flag for each pass: ``-constprop`` comes back as ``-instsimplify``.

        Args:
            text: A command line of ``opt``, or only its passes.
            drop_unmapped: Leave out flags without a successor, in place of refusing them.

        Raises:
            UnknownPass: A pass is not in the action set, or the text cannot be read.
        """
        names = PassList.parse(text, self.action_set, drop_unmapped=drop_unmapped)
        return [self._numbers[name] for name in names]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FlagSpace)

    def __hash__(self) -> int:
        return hash(FlagSpace)

    def __repr__(self) -> str:
        return f"FlagSpace({self.n} flags)"
