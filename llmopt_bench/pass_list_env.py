"""``PassList-v0``: the whole pass list in one step, as a language model answers."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from gymnasium import spaces

from llmopt_bench.action_set import ActionSet
from llmopt_bench.env import PassOrderEnv
from llmopt_bench.episode import Step
from llmopt_bench.errors import CompilerError, UnknownPass
from llmopt_bench.passes import PassList
from llmopt_bench.program import Program

_MAX_ANSWER = 1 << 20


class PassListText(spaces.Text):
    """Texts of pass lists: any text up to 1 MiB; samples are valid lists of 1 to 8 actions.

    Every text is in the space, because a model may say anything; one that is no pass list ends
    the episode with ``info["error"]``.
    """

    def __init__(self, action_set: ActionSet) -> None:
        super().__init__(max_length=_MAX_ANSWER, min_length=0, charset=string.printable)
        self._action_set = action_set

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is text that is not too long."""
        return isinstance(x, str) and len(x) <= _MAX_ANSWER

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return the text of a random pass list."""
        names = self._action_set.names
        length = int(self.np_random.integers(1, 9))
        chosen = self.np_random.integers(len(names), size=length)
        return str(PassList([names[number] for number in chosen], self._action_set))


class PassListEnv(PassOrderEnv):
    """Make a program small with one pass list, given as text.

    **Observation**: the program; by default its IR as arXiv 2309.07062 feeds it to a model.

    **Action**: text that ``PassList.parse`` reads.

    **Reward**: what the whole list saved, see ``make_reward``; ``error_reward`` when the text is
    no pass list or the compiler reports an error, which ``info["error"]`` then tells.

    **Episode end**: every step terminates.

    **Info**: as ``PassOrder-v0``. Compiling the answer is free: ``compilations`` is what the
    agent spent on the meter before, through ``evaluate``.

    Args:
        program: As for ``PassOrderEnv``.
        observation: As for ``PassOrderEnv``.
        error_reward: The reward of an answer that is no pass list.
        **options: The other options of ``PassOrderEnv``.

    Example:
        >>> import gymnasium, llmopt_bench
        >>> env = gymnasium.make("llmopt_bench/PassList-v0", program="bundled-v1/crc_family")
        >>> ir, info = env.reset(seed=0)
        >>> _, reward, terminated, _, info = env.step("mem2reg,simplifycfg")
        >>> terminated and reward > 0
        True
    """

    def __init__(
        self,
        program: Program | str | None = None,
        *,
        observation: str | Sequence[str] = "ir_normalized",
        error_reward: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(program, observation=observation, **options)
        self.error_reward = error_reward
        self.action_space = PassListText(self.action_set)

    def step(self, action: str) -> Step:
        """Compile the program with the pass list and end the episode.

        Raises:
            gymnasium.error.ResetNeeded: There is no episode, or it has ended.
        """
        try:
            return self.answer(PassList.parse(action, self.action_set))
        except (UnknownPass, CompilerError) as error:
            return self.answer_error(error, self.error_reward)
