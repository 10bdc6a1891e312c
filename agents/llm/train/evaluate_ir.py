"""Part of the last stage: the IR that a model writes after its pass list, against the compiler's.

The model goes on with its own answer, and what it writes is compared with what the compiler makes
of the function with the list in that answer, good or bad. A function whose list cannot be read or
compiled has no such reference and is left out. IR that is cut since the context is full counts as
it stands, and so does an answer without IR. Nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from llmopt_bench import CompilerError, IrScore, IrScorer, PassList, Session, summarize_ir

from ..prompt import paper_prompt
from .evaluate_model import GreedyModel
from .stages import Report
from .tokenizer import CODE, END_CODE


@dataclass(frozen=True)
class Head:
    """A function, and the beginning of the model's answer."""

    uri: str
    ir: str
    """Normalised, unoptimised."""
    pass_list: str
    """In the answer."""
    text: str
    """The answer up to where its IR begins."""


@dataclass(frozen=True)
class WrittenIr:
    """What became of the IR of an answer."""

    uri: str
    pass_list: str
    written: str
    score: IrScore
    copy: IrScore
    """What the unoptimised IR would have been worth in its place."""

    def to_json(self) -> dict[str, object]:
        """Return it as an object for ``json.dumps``, without the copy."""
        row = asdict(self) | {"score": self.score.to_json()}
        del row["copy"]
        return row


def write_ir(
    model: GreedyModel, heads: Sequence[Head], batch: int, report: Report
) -> list[WrittenIr]:
    """Let a model go on with its answers, and return what the IR is worth.

    Args:
        model: The model.
        heads: What it goes on with.
        batch: Functions at a time.
        report: Takes the share that is done, and a text.
    """
    scorer = IrScorer()
    found: list[WrittenIr] = []
    for head, written in _written(model, heads, batch):
        scored = _scored(scorer, head, written)
        found += [scored] if scored else []
        report(len(found) / len(heads), f"IR of {len(found):,} of {len(heads):,} functions")
    return found


def scores_of_ir(found: Sequence[WrittenIr]) -> dict[str, float]:
    """Return what IR is worth, by name, as ``summarize_ir`` has it with ``ir_`` before the name.

    Also how many functions that is of, ``ir_functions``, and the BLEU that the unoptimised IR has,
    ``ir_copy_bleu``: what a model earns that optimises nothing.
    """
    scores = {"ir_functions": float(len(found))}
    if not found:
        return scores
    summary = summarize_ir([one.score for one in found])
    del summary["run"]
    scores |= {f"ir_{name}": value for name, value in summary.items()}
    scores["ir_copy_bleu"] = sum(one.copy.bleu for one in found) / len(found)
    return scores


def _written(model: GreedyModel, heads: Sequence[Head], batch: int) -> Iterator[tuple[Head, str]]:
    """Yield the IR that the model writes."""
    given = [
        model.tokens(paper_prompt(head.ir)) + model.tokens(head.text, begins=False)
        for head in heads
    ]
    order = sorted(range(len(heads)), key=lambda number: len(given[number]))
    for start in range(0, len(order), batch):
        some = order[start : start + batch]
        room = [max(model.context - len(given[number]), 1) for number in some]
        texts = model.write([given[number] for number in some], room, END_CODE)
        for number, text in zip(some, texts, strict=True):
            answer = heads[number].text + text
            yield heads[number], answer.partition(CODE)[2].partition(END_CODE)[0].strip("\n")


def _scored(scorer: IrScorer, head: Head, written: str) -> WrittenIr | None:
    """Compare IR with the compiler's; None if the compiler fails this time."""
    session = Session(head.uri)
    try:
        if passes := PassList.parse(head.pass_list):
            session.apply(passes)
        expected = session.ir(normalized=True)
    except CompilerError:
        return None
    score, copy = (scorer.score(text, expected) for text in (written, head.ir))
    return WrittenIr(head.uri, head.pass_list, written, score, copy)
