"""Labels: the best pass list that is known for each program, as a table to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from llmopt_bench.action_set import make_action_set
from llmopt_bench.datasets.optional import optional
from llmopt_bench.errors import BadRecord, shorten
from llmopt_bench.formulas import overall_improvement
from llmopt_bench.passes import PassList
from llmopt_bench.record import Record

_ROWS_AT_A_TIME = 4096
_EXTRA = "corpus"


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """One program and its best pass list; the fields are the columns, in this order."""

    uri: str
    program_sha256: str
    pass_list: str
    """As in the record."""
    passes: int
    """How many the list has."""
    initial: int
    oz: int
    best: int
    compilations: int
    """What all records of this program have spent."""

    def __post_init__(self) -> None:
        """Check what can be checked without a compiler."""
        if not self.uri or len(self.program_sha256) != 64:
            raise BadRecord(f"expected a URI and a SHA-256, got {self.uri!r}. Write it again.")
        if min(self.passes, self.initial, self.oz, self.best, self.compilations) < 0:
            raise BadRecord(f"{self.uri}: expected counts of 0 or more. Write the labels again.")


def labels_of(records: Iterable[Record]) -> list[Label]:
    """Return the label of each program that a record has an answer for, sorted by URI.

    Among records with equal results the one with fewer passes counts, then the earlier text.

    Raises:
        BadRecord: Records are of different metrics or action sets, or contradict each other about
            a program.
    """
    seen: dict[str, _Seen] = {}
    common: Record | None = None
    for record in records:
        common = common or record
        for name in ("metric", "action_set_sha256", "llvm_version"):
            _require_equal(name, common, record)
        place = seen.setdefault(record.program, _Seen(record))
        for name in ("program_sha256", "initial", "oz"):
            _require_equal(name, place.any, record)
        place.add(record)
    return sorted(place.label() for place in seen.values() if place.best)


def write_labels(path: str | Path, labels: Iterable[Label]) -> None:
    """Write labels as Parquet; the same labels give the same bytes.

    Raises:
        MissingTool: pyarrow is not installed.
        BadRecord: A program comes twice.
    """
    pyarrow = optional("pyarrow", _EXTRA)
    parquet = optional("pyarrow.parquet", _EXTRA)
    rows = sorted(labels)
    _require_order([label.uri for label in rows])
    schema = _schema(pyarrow)
    columns = [[getattr(label, name) for label in rows] for name in schema.names]
    table = pyarrow.table(columns, schema=schema)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # Hashes do not repeat, so a dictionary of them is only a second copy.
    repeating = [name for name in schema.names if name not in ("uri", "program_sha256")]
    parquet.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=repeating,
        column_encoding={"uri": "DELTA_BYTE_ARRAY", "program_sha256": "PLAIN"},
        store_schema=False,
    )


def read_labels(path: str | Path) -> Iterator[Label]:
    """Yield the labels of a file, some at a time in memory, and check them.

    Raises:
        MissingTool: pyarrow is not installed.
        BadRecord: The file cannot be read, has other columns, or is not sorted by URI.
    """
    pyarrow = optional("pyarrow", _EXTRA)
    parquet = optional("pyarrow.parquet", _EXTRA)
    name = shorten(str(path), 200)
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            expected = _schema(pyarrow)
            if not file.schema_arrow.equals(expected):
                raise BadRecord(
                    f"{name}: expected the columns {', '.join(expected.names)} of a file of "
                    f"labels, got {shorten(', '.join(file.schema_arrow.names))}. Is it one?"
                )
            last = ""
            for batch in file.iter_batches(batch_size=_ROWS_AT_A_TIME, use_threads=False):
                labels = [Label(**row) for row in batch.to_pylist()]
                _require_order([last, *(label.uri for label in labels)])
                last = labels[-1].uri
                yield from labels
    except (pyarrow.ArrowException, OSError) as error:
        text = shorten(" ".join(str(error).split()), 200)
        raise BadRecord(
            f"{name}: expected a complete file of labels: {text}. Write or download it again."
        ) from error


@dataclass(slots=True)
class LabelSummary:
    """What labels are worth in all."""

    programs: int = 0
    improved: int = 0
    oz: int = 0
    best: int = 0
    passes: Counter[str] = field(default_factory=Counter)
    """In how many lists each pass is."""

    def add(self, label: Label) -> None:
        """Count a label."""
        self.programs += 1
        self.improved += label.best < label.oz
        self.oz += label.oz
        self.best += label.best
        self.passes.update(set(PassList.parse(label.pass_list)))

    @property
    def gain(self) -> float | None:
        """Overall improvement over -Oz; None if it is not defined."""
        return overall_improvement([self.oz], [self.best]) if self.best else None


def _schema(pyarrow: Any) -> Any:
    texts = ("uri", "program_sha256", "pass_list")
    numbers = ("passes", "initial", "oz", "best", "compilations")
    return pyarrow.schema(
        [pyarrow.field(name, pyarrow.string(), nullable=False) for name in texts]
        + [pyarrow.field(name, pyarrow.int64(), nullable=False) for name in numbers]
    )


class _Seen:
    """What the records of one program say."""

    def __init__(self, record: Record) -> None:
        self.any = record
        self.best: tuple[int, int, str] | None = None
        """Result, number of passes and text of the best list."""
        self._spent = 0

    def add(self, record: Record) -> None:
        self._spent += record.additional_compilations
        if record.new is not None and (self.best is None or record.new <= self.best[0]):
            passes = PassList.parse(record.pass_list, make_action_set(record.action_set))
            found = (record.new, len(passes), record.pass_list)
            self.best = found if self.best is None else min(self.best, found)

    def label(self) -> Label:
        record = self.any
        if self.best is None:
            raise BadRecord(f"{record.program}: expected an answer, got none. Run an agent on it.")
        best, passes, text = self.best
        return Label(
            uri=record.program,
            program_sha256=record.program_sha256,
            pass_list=text,
            passes=passes,
            initial=record.initial,
            oz=record.oz,
            best=best,
            compilations=self._spent,
        )


def _require_equal(name: str, first: Record, second: Record) -> None:
    values = getattr(first, name), getattr(second, name)
    if values[0] != values[1]:
        raise BadRecord(
            f"{name}: expected the same in all records, got {values[0]!r} for {first.agent} on "
            f"{first.program}, and {values[1]!r} for {second.agent} on {second.program}. Leave "
            "one of them out."
        )


def _require_order(uris: list[str]) -> None:
    for one, two in pairwise(uris):
        if one >= two:
            raise BadRecord(
                f"expected every URI once, in order, got {two!r} after {one!r}. Write the labels "
                "again."
            )
