"""The store of a run: what agents with a second phase have found before their records are due.

Records are the truth about what is finished; the store keeps what a run of days must not lose
until then. It is an SQLite file which only the process that drives the run has open.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from llmopt_bench.errors import BadRecord, BadStore, shorten
from llmopt_bench.record import Record, RecordKey

STORE = "store.sqlite"
_APPLICATION = 0x6C6C6D6F
_SCHEMA = 1
# From the records: older stores have keys without the budget.
_FIELDS = ", ".join(f"json_extract(record, '$.{name}')" for name in RecordKey._fields)
_KEYS = f"SELECT {_FIELDS} FROM first"
_TABLES = """
CREATE TABLE first (key TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE broadcast (
    agent TEXT, agent_version TEXT, repetition INTEGER,
    programs INTEGER NOT NULL, programs_sha256 TEXT NOT NULL, lists TEXT NOT NULL,
    PRIMARY KEY (agent, agent_version, repetition)
) WITHOUT ROWID;
CREATE VIEW improvement AS
    SELECT json_extract(record, '$.agent') AS agent, json_extract(record, '$.program') AS program,
        json_extract(record, '$.repetition') AS repetition,
        json_extract(point.value, '$[0]') AS compilations,
        json_extract(point.value, '$[1]') AS value
    FROM first, json_each(first.record, '$.curve') AS point;
"""


class Phase(NamedTuple):
    """One broadcast: all programs of a run, for one agent, once."""

    agent: str
    agent_version: str
    repetition: int


class RunStore:
    """The answers of first phases with their accounts, and the lists that broadcasts go through.

    The record of a first phase is kept as it would be if there were no second one. What a method
    has returned from survives a crash of the machine. Use it in a ``with`` statement.

    Args:
        path: The file; it is made, with its folder, if there is none.
        resume: Go on with a file that has content.

    Raises:
        BadStore: It is not the store of a run, it is damaged or in use, it has content and
            ``resume`` is not set, or it cannot be written. The file is as it was.
    """

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path = Path(path)
        with self._translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=1, isolation_level=None)
        try:
            with self._translated():
                self._open(resume)
        except BaseException:
            self._connection.close()
            raise

    @property
    def keys(self) -> frozenset[RecordKey]:
        """The runs whose first phase is finished."""
        with self._translated():
            return frozenset(RecordKey(*row) for row in self._connection.execute(_KEYS))

    def add_first(self, record: Record) -> None:
        """Keep what a first phase gave.

        Raises:
            BadStore: It is there already, or it cannot be written.
        """
        with self._translated():
            self._connection.execute(
                "INSERT INTO first VALUES (?, ?)", (json.dumps(record.key), record.to_json())
            )

    def firsts(self) -> Iterator[Record]:
        """Yield what the first phases gave."""
        with self._translated():
            for (line,) in self._connection.execute("SELECT record FROM first ORDER BY key"):
                yield Record.from_json(line)

    def lists(self, phase: Phase, programs: Sequence[str]) -> tuple[str, ...]:
        """Return the lists of a broadcast, which are the same ever after.

        They are the distinct answers of the first phases, those of many programs first, and in
        the order of their texts among equals.

        Args:
            phase: Which broadcast.
            programs: The programs of the run, which have gone through their first phases.

        Raises:
            BadStore: The broadcast has begun with other programs.
        """
        if (frozen := self._frozen(phase, programs)) is not None:
            return frozen
        wanted = set(programs)
        answers = Counter(
            record.pass_list
            for record in self.firsts()
            if (record.agent, record.agent_version, record.repetition) == phase
            and record.program in wanted
        )
        del answers[""]  # no list: every environment starts there
        lists = sorted(answers, key=lambda text: (-answers[text], text))
        row = (*phase, len(programs), _digest(programs), json.dumps(lists))
        with self._translated():
            self._connection.execute("INSERT INTO broadcast VALUES (?, ?, ?, ?, ?, ?)", row)
        return tuple(lists)

    def check_programs(self, phase: Phase, programs: Sequence[str]) -> None:
        """Raise if a broadcast has begun with other programs than these.

        Raises:
            BadStore: It has.
        """
        self._frozen(phase, programs)

    def close(self) -> None:
        """Close the file. Closing twice is fine."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frozen(self, phase: Phase, programs: Sequence[str]) -> tuple[str, ...] | None:
        with self._translated():
            row = self._connection.execute(
                "SELECT programs, programs_sha256, lists FROM broadcast "
                "WHERE (agent, agent_version, repetition) = (?, ?, ?)",
                phase,
            ).fetchone()
            if row is None:
                return None
            count, digest, lists = row
            if digest != _digest(programs):
                raise BadStore(
                    f"cannot resume: the broadcast of {phase.agent} began with {count:,} programs, "
                    f"and this run has {len(programs):,}, or others. Use the same task and limit, "
                    "or another folder."
                )
            return tuple(json.loads(lists))

    def _open(self, resume: bool) -> None:
        ask = self._connection.execute
        (application,) = ask("PRAGMA application_id").fetchone()
        (version,) = ask("PRAGMA user_version").fetchone()
        (objects,) = ask("SELECT count(*) FROM sqlite_schema").fetchone()
        if objects and (application, version) != (_APPLICATION, _SCHEMA):
            raise BadStore(
                f"{self._name}: expected the store of a run, schema {_SCHEMA}, got another SQLite "
                "file. Choose another folder."
            )
        (state,) = ask("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(state)
        # One process writes. With this, SQLite needs no shared memory and refuses a second one.
        ask("PRAGMA locking_mode = EXCLUSIVE")
        ask("PRAGMA journal_mode = WAL")
        ask("PRAGMA synchronous = FULL")
        if not objects:
            marks = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_SCHEMA};"
            self._connection.executescript(f"BEGIN EXCLUSIVE; {_TABLES} {marks} COMMIT;")
        elif not resume and ask("SELECT 1 FROM first").fetchone():
            raise BadStore(f"{self._name} holds a run. Resume it, or choose another folder.")

    @property
    def _name(self) -> str:
        return shorten(str(self.path), 200)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what SQLite and the contents complain of into an error of ours."""
        try:
            yield
        except BadStore:
            raise
        except sqlite3.OperationalError as error:
            raise BadStore(
                f"{self._name}: cannot use the store: {error}. See that no other run uses it and "
                "that it can be written."
            ) from error
        except (sqlite3.Error, BadRecord, ValueError, TypeError) as error:
            raise BadStore(
                f"{self._name}: the store is damaged: {shorten(str(error), 200)}. Move it away; "
                "the records beside it are whole."
            ) from error
        except OSError as error:
            raise BadStore(f"{self._name}: cannot make the store: {error.strerror}.") from error


def _digest(programs: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(programs).encode()).hexdigest()
