"""What of a program a model is shown when not all of it fits into the context.

The rule, for every prompt:

1. A program that fits is shown whole (``WHOLE``).
2. A module with two or more functions that does not fit is split (``FUNCTIONS``): its functions are
   shown one by one, each as a module of its own with what it mentions, longest first, at most
   ``MAX_FUNCTIONS`` of them. The shorter ones are not shown, and named in ``Fitting.left_out``.
3. A function that does not fit is shown as the prompt says (``TOTALS``), or else by its features
   and its head (``HEAD``): the Autophase features by name, then the line ``define`` and as many
   lines after it as fit, without the types, variables and declarations before it, and then a
   comment that says how much was left out.
4. If not even the first line fits, its features are shown (``FEATURES``); if these do not fit
   either, it is not shown (``NOTHING``), and named in ``Fitting.left_out``.

The answers to the views of a split module become one with ``combine``, which compiles nothing.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmopt_bench import PassList, Session, feature_names, load_program

from .answer import Answer, once
from .module_text import Function, take_apart
from .prompt_view import Rule, View, features_view

MAX_FUNCTIONS = 8
"""Functions of a split module that are shown."""

Measure = Callable[[View], int]
"""How many tokens a view takes, with the prompt around it and the room for the answer."""
Brief = Callable[[View], View | None]
"""From a view of a function that does not fit to a shorter one; None for features and head."""
Features = Callable[[str], Mapping[str, int]]
"""From the IR text of a module to its features by name."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """What is shown of a program, and by which rule."""

    rule: Rule
    """For records: ``WHOLE``, ``FUNCTIONS``, or what became of a single function."""
    views: tuple[View, ...]
    """What to ask the model about; of a split module the longest function first."""
    left_out: tuple[str, ...] = ()
    """Names of the functions that are not shown at all, in the order of the module."""


def autophase(ir: str) -> dict[str, int]:
    """Return the Autophase features of a module's IR text, by name.

    Raises:
        BadProgram: LLVM cannot read the text.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.ll"
        file.write_text(ir + "\n", encoding="utf-8")
        values = Session(load_program(file.as_uri())).features("autophase")
    return dict(zip(feature_names("autophase"), map(int, values), strict=True))


def _by_features(view: View) -> View | None:
    del view
    return None


def fit(
    ir: str,
    measure: Measure,
    limit: int,
    brief: Brief = _by_features,
    features: Features = autophase,
) -> Fitting:
    """Return what a model is shown of a program.

    Args:
        ir: IR text of the program, normalised or not, as the prompt has it.
        measure: Counts the tokens of a view; a longer text must not have fewer.
        limit: The most tokens of a view.
        brief: What the prompt has for functions that do not fit.
        features: Called for functions that do not fit.

    Example:
        >>> prompt, actions = make_prompt("paper"), make_action_set()
        >>> def measure(view):
        ...     return len(tokenizer.encode(prompt.request(view, actions))) + room_for_the_answer
        >>> fitting = fit(session.ir(normalized=prompt.normalized), measure, context_length)
        >>> answers = [(view, prompt.parse(ask(view), actions)) for view in fitting.views]
        >>> answer = combine(answers)
    """

    def fits(view: View) -> bool:
        return measure(view) <= limit

    whole = View(ir.rstrip("\n"))
    if fits(whole):
        return Fitting(Rule.WHOLE, (whole,))
    module = take_apart(ir)
    if len(module.functions) < 2:
        view = _shorten(whole, module.functions, fits, brief, features)
        names = tuple(function.name for function in module.functions)
        return Fitting(view.rule, (view,)) if view else Fitting(Rule.NOTHING, (), names)
    longest = sorted(module.functions, key=lambda function: -len(function.lines))
    views: dict[str, View] = {}
    for function in longest[:MAX_FUNCTIONS]:
        alone = View(module.alone(function), function=function.name, lines=len(function.lines))
        view = alone if fits(alone) else _shorten(alone, [function], fits, brief, features)
        if view is not None:
            views[function.name] = view
    left_out = tuple(one.name for one in module.functions if one.name not in views)
    rule = Rule.FUNCTIONS if views else Rule.NOTHING
    return Fitting(rule, tuple(views.values()), left_out)


def combine(answers: Sequence[tuple[View, Answer]]) -> Answer:
    """Return one answer for a program from the answers to its views.

    The answer for a program that was not split stays as it is. For a module, whose passes run on
    all of it, one of the lists is taken: the one whose functions have the most lines together; of
    equals, the one that came first. An answer without a list has no vote. Counts and IR of a
    function say nothing about the module and are left away; problems and dropped names are those
    of all answers.
    """
    if len(answers) == 1 and answers[0][0].function is None:
        return answers[0][1]
    votes: defaultdict[PassList, int] = defaultdict(int)
    for view, answer in answers:
        if answer.passes is not None:
            votes[answer.passes] += view.lines
    return Answer(
        max(votes, key=lambda passes: votes[passes], default=None),
        problems=once(problem for _, answer in answers for problem in answer.problems),
        dropped=tuple(dict.fromkeys(name for _, one in answers for name in one.dropped)),
    )


def _shorten(
    whole: View,
    functions: Sequence[Function],
    fits: Callable[[View], bool],
    brief: Brief,
    features: Features,
) -> View | None:
    """Return what is shown of a program with one function that does not fit, or none."""
    other = brief(whole)
    if other is not None and fits(other):
        return other
    known = features(whole.text)
    lines = functions[0].lines if functions else tuple(whole.text.split("\n"))
    shown = replace(features_view(known), function=whole.function, lines=whole.lines)
    best = shown if fits(shown) else None
    low, high = 1, len(lines)
    while low <= high:  # how many lines fit
        count = (low + high) // 2
        text = "\n".join([shown.text, *lines[:count], _marker(len(lines) - count)])
        longer = replace(whole, text=text, rule=Rule.HEAD)
        if fits(longer):
            best, low = longer, count + 1
        else:
            high = count - 1
    return best


def _marker(count: int) -> str:
    return f"; left out: {count} more lines, and declarations of what these lines mention"
