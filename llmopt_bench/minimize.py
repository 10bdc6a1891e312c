"""The passes of a list that its result needs."""

from __future__ import annotations

from llmopt_bench.errors import CompilerError
from llmopt_bench.passes import PassList
from llmopt_bench.session import Session


class Minimizer:
    """Leaves passes out of a list as long as the module that it makes does not become larger.

    Every try is an exact replay of the whole remaining list. First halves are tried, then
    quarters, and so on to single passes, until none of these can be left out.

    Args:
        session: Where to try, in its metric; it stays as it is.
        pass_list: The list to shorten.

    Raises:
        CompilerError: LLVM fails on the list itself.
    """

    def __init__(self, session: Session, pass_list: PassList) -> None:
        self.pass_list = pass_list
        """The list so far: at every moment one that gives a module that is no larger."""
        self.compilations = 1
        """What was spent: pass lists compiled."""
        self._session = session
        (self._value,) = session.evaluate([pass_list])

    def run(self) -> PassList:
        """Shorten the list and return it; ``pass_list`` has what was reached if this is cut off."""
        size = max(len(self.pass_list) // 2, 1)
        while self._without_chunks(size) or size > 1:
            size = max(size // 2, 1)
        return self.pass_list

    def _without_chunks(self, size: int) -> bool:
        """Try to leave out each chunk of passes, the last one first; return whether one was."""
        before = len(self.pass_list)
        for end in range(before, 0, -size):
            shorter = self.pass_list[: max(end - size, 0)] + self.pass_list[end:]
            self._try(shorter)
        return len(self.pass_list) < before

    def _try(self, shorter: PassList) -> None:
        self.compilations += 1
        try:
            (value,) = self._session.evaluate([shorter])
        except CompilerError:
            return
        if value <= self._value:
            self.pass_list, self._value = shorter, value
