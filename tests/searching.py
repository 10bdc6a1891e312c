"""What the tests of the searches share: an environment that remembers, and failing passes."""

from __future__ import annotations

from collections.abc import Sequence

from llmopt_bench import Action, ActionSet, Meter, PassList, PassOrderEnv, make_action_set

PROGRAM = "bundled-functions-v1/aes128_modes/from_hex"


class Recorder(PassOrderEnv):
    """Remembers what was evaluated, and to what; one compilation each."""

    def __init__(
        self, budget: int | None, program: str = PROGRAM, actions: ActionSet | None = None
    ) -> None:
        super().__init__(program, meter=Meter(budget), action_set=actions or "passes-v1")
        self.seen: list[tuple[PassList, int]] = []
        self.reset(seed=1)

    def evaluate(  # type: ignore[override]
        self, pass_lists: Sequence[PassList], *, here: bool = False, failure: int | None = None
    ) -> list[int]:
        values = super().evaluate(pass_lists, here=here, failure=failure)
        whole = [self.pass_list + given if here else given for given in pass_lists]
        self.seen += zip(whole, values, strict=True)
        return values

    @property
    def lists(self) -> list[PassList]:
        return [given for given, _ in self.seen]

    def best_seen(self) -> tuple[int, int]:
        """Return value and length of the best list that was evaluated."""
        return min((value, len(given)) for given, value in self.seen)

    def value_of(self, answer: PassList) -> int:
        return self.session.evaluate([answer])[0]


def few_actions(*names: str, failing: bool = False) -> ActionSet:
    """Return an action set with some actions of passes-v1, and perhaps one on which LLVM fails."""
    known = make_action_set()
    actions = [known.actions[known.index(name)] for name in names]
    if failing:
        actions.append(Action("trigger-crash-module", "trigger-crash-module", "module"))
    return ActionSet("few", known.llvm_major, tuple(actions))
