"""From a program to a pass list, whatever the model: what the agents of language models share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice, zip_longest

from llmopt_bench import ActionSet, PassList, PassOrderEnv

from ..search.trials import Trials
from .answer import Answer
from .fitting import Fitting, combine, fit
from .model import Model, Reply, Sampling, Usage
from .prompt import Prompt, Request, View

Replies = Callable[[Request, int], Iterator[Reply]]
"""How a model is asked: its replies to a request, made as they are taken, the greedy one first.
The number is how many will be wanted, if they all differ."""

OZ = "Oz"
_SAMPLES = 30
"""Different lists that are wanted where the settings do not say how many, as far as the budget
allows."""
_OF_A_SHARED_BUDGET = (8, 15)
"""The least and the most lists of a budget that is shared with a search. On the validation split no
share was clearly better with 10 compilations; with 30 half was, by a little (docs/llm.md)."""
_REPLIES = 4
"""Most replies that are read for each different list that is wanted."""
_UNLIMITED = 1 << 62


class Tally:
    """Counts what happens in a run, for ``Agent.usage``.

    ``rule_<rule>``: how the program was made to fit (``fitting.Rule``). ``answers``: replies that
    were read. ``problem_<problem>``: of these, how many had it (``answer.Problem``). ``fallbacks``:
    1 if the model's best guess had no list. What did not happen is not there.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def fitting(self, fitting: Fitting) -> None:
        """Note by which rule the program was shown."""
        self._counts[f"rule_{fitting.rule}"] += 1

    def answer(self, answer: Answer) -> None:
        """Note an answer and its problems."""
        self._counts["answers"] += 1
        self._counts.update(f"problem_{problem}" for problem in answer.problems)

    def fallback(self) -> None:
        """Note that the model had no list; see ``fallback``."""
        self._counts["fallbacks"] += 1

    def with_usage(self, usage: Usage) -> dict[str, int | float]:
        """Return the counts, and what the model used."""
        return {**usage.as_dict(), **self._counts}


def show(env: PassOrderEnv, prompt: Prompt, model: Model, max_tokens: int) -> Fitting:
    """Return what the model is shown of a program that has just been reset.

    Args:
        env: Its environment.
        prompt: How the model is asked.
        model: Tells its context, and counts tokens.
        max_tokens: Room for the answer.
    """

    def measure(view: View) -> int:
        return model.count(prompt.request(view, env.action_set)) + max_tokens

    limit = _UNLIMITED if model.context is None else model.context
    return fit(env.session.ir(normalized=prompt.normalized), measure, limit, prompt.brief)


def affordable(
    env: PassOrderEnv, samples: int | None, *, halved: bool = False, known: int = 0
) -> int:
    """Return how many different lists are wanted: what the budget can try, and one at least.

    Args:
        env: Its meter holds the budget.
        samples: The most lists; None for 30.
        halved: Whether, where ``samples`` does not say, they get half of the budget, between 8 and
            15, or ``known``.
        known: How many lists the model has learnt, if that is known.
    """
    wanted, left = samples or _SAMPLES, env.meter.remaining
    if left is None:
        return wanted
    if halved and samples is None:
        least, most = _OF_A_SHARED_BUDGET
        wanted = known or min(max(least, left // 2), most)
    return max(1, min(left, wanted))


def greedy_then_draws(model: Model, sampling: Sampling) -> Replies:
    """Return a way to ask: first the greedy reply, then draws without end.

    Args:
        model: The model.
        sampling: How to draw; with temperature 0 there is the greedy reply alone.
    """

    def replies(request: Request, wanted: int) -> Iterator[Reply]:
        yield from model.write(request, replace(sampling, samples=1, temperature=0.0))
        some = max(wanted - 1, 1)
        for number in count() if sampling.temperature > 0 else ():
            seed = sampling.seed + number * some
            yield from model.write(request, replace(sampling, samples=some, seed=seed))

    return replies


def propose(
    fitting: Fitting,
    prompt: Prompt,
    actions: ActionSet,
    replies: Replies,
    wanted: int,
    tally: Tally,
) -> list[PassList]:
    """Return different lists that the model names, its best guess first; one at least.

    Of a split module, the first answers about its functions give one list together
    (``fitting.combine``), and then each its own; after that the second answers, and so on. The
    answers to all functions are about as many as the lists that are wanted.

    If the best guess has no list, that of ``fallback`` is in its place.

    Args:
        fitting: What the model is shown.
        prompt: How it is asked.
        actions: What it may name.
        replies: Asks it.
        wanted: The most lists, beside the empty one, which costs nothing to try.
        tally: Where answers and problems are counted.
    """
    views = fitting.views
    each = -(-wanted // max(len(views), 1))
    columns: list[list[Answer]] = []
    for view in views:
        request = prompt.request(view, actions)
        texts = (reply.text for reply in islice(replies(request, each), _REPLIES * each))
        columns.append(_different((prompt.parse(text, actions) for text in texts), each, tally))
    found: list[PassList | None] = []
    for row in zip_longest(*columns):
        answers = [(view, one) for view, one in zip(views, row, strict=True) if one is not None]
        found.append(combine(answers).passes)
        if len(views) > 1:
            found += [answer.passes for _, answer in answers]
    if not found or found[0] is None:
        found.insert(0, fallback(actions, tally))
    return within(wanted, [passes for passes in found if passes is not None])


def within(compilations: int, lists: Iterable[PassList]) -> list[PassList]:
    """Return the first different lists, as many as can be tried; the empty one costs nothing."""
    kept: list[PassList] = []
    for passes in dict.fromkeys(lists):
        if passes and sum(map(bool, kept)) == compilations:
            break
        kept.append(passes)
    return kept


def _different(answers: Iterator[Answer], wanted: int, tally: Tally) -> list[Answer]:
    """Return the first answer, and those after it with lists that are new, as many as wanted.

    One more if the empty list is among them, unless it is the only one that is wanted.
    """
    kept: list[Answer] = []
    free = 0
    for answer in answers:
        tally.answer(answer)
        known = [one.passes for one in kept]
        if not kept or (answer.passes is not None and answer.passes not in known):
            kept.append(answer)
            free += answer.passes is not None and not answer.passes
        if len(kept) == wanted + (free if wanted > 1 else 0):
            break
    return kept


def fallback(actions: ActionSet, tally: Tally) -> PassList:
    """Return the answer where the model has none: ``Oz``, or the empty list if it is no action."""
    tally.fallback()
    return PassList([OZ] if OZ in actions else [], actions)


def settle(env: PassOrderEnv, lists: Sequence[PassList]) -> PassList:
    """Return the best of some lists and the empty one; with nothing left to spend, the first list.

    Args:
        env: Pays a compilation for each list, as far as its budget goes.
        lists: Different lists, one at least, the best guess first.
    """
    if env.meter.exhausted:
        return lists[0]
    trials = Trials(env, patience=len(lists))
    trials.values(lists)
    return trials.best
