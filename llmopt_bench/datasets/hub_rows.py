"""Bitcode streamed from a hub of datasets, without a download of the whole."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from llmopt_bench.datasets.compile_schema import CONTENT, origin_of, program_of
from llmopt_bench.datasets.file_uri import short_reason
from llmopt_bench.datasets.foreign import Failure, ForeignPrograms, Origin
from llmopt_bench.datasets.optional import optional
from llmopt_bench.errors import BadProgram, LlmoptError, Unavailable, UnknownProgram, shown
from llmopt_bench.program import Program

EXTRA = "hub"
TIME_LIMIT = 10.0
"""Seconds in which the hub has to answer at first; the library by itself tries for minutes."""
ROWS_AT_A_TIME = 16
"""Rows that are decoded at a time: by itself the library takes whole row groups."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


class HubPrograms(ForeignPrograms):
    """Bitcode with the columns of ComPile, streamed with the ``datasets`` library.

    Made for iteration. To load one program, all before it are skipped, which takes long over a
    network: download the Parquet files and use ``ParquetPrograms`` instead. A program's URI is
    ``hub://<name>/<split>#<row>``, with ``@<revision>`` and ``?language=<language>`` where given;
    rows are counted among those of the language.

    Args:
        name: A dataset on the hub, whose files are Parquet, or a local folder of Parquet files.
        split: One of its splits.
        language: Only programs of this value in the column ``language``.
        data_dir: Only the files in this folder of the dataset.
        revision: A commit, tag or branch of it; without one, results change when it does.
        on_failure: Called with each row that is no program while iterating.
    """

    name = "hub"
    description = "Bitcode streamed from a hub, with the columns of ComPile"

    def __init__(
        self,
        name: str = "llvm-ml/ComPile",
        split: str = "train",
        *,
        language: str | None = None,
        data_dir: str | None = None,
        revision: str | None = None,
        on_failure: Callable[[Failure], object] | None = None,
    ) -> None:
        super().__init__(on_failure)
        self.source = name
        self.split = split
        self.language = language
        self.data_dir = data_dir
        self.revision = revision

    def require(self) -> None:
        """See that the ``datasets`` library is here.

        Raises:
            MissingTool: It is not.
        """
        optional("datasets", EXTRA)

    @property
    def size(self) -> int | None:
        """The number of rows, None where the dataset does not say it."""
        if self.language is not None or self.data_dir is not None:
            return None
        splits = self._stream.info.splits
        return splits[self.split].num_examples if splits and self.split in splits else None

    def uris(self) -> Iterator[str]:
        """Yield the URI of every row: a pass through the dataset."""
        return (f"{self._prefix}{row}" for row, _ in enumerate(self._rows()))

    def load(self, uri: str) -> Program:
        """Return the program in one row, after all rows before it.

        Raises:
            UnknownProgram: There is no such row, or no such dataset.
            BadProgram: The row holds no program.
            Unavailable: The hub cannot be reached.
            MissingTool: The ``datasets`` library is not installed.
        """
        return program_of(uri, self._row(uri)[CONTENT])

    def origin(self, uri: str) -> Origin:
        """Return what a row says about where its program comes from.

        Raises:
            UnknownProgram, BadProgram, Unavailable, MissingTool: As ``load``.
        """
        return origin_of(self._row(uri))

    def random(self, rng: np.random.Generator) -> Program:
        """Return the program of a row that ``rng`` picks; see ``load`` for what it costs.

        Raises:
            Unavailable: Nobody knows how many rows there are.
        """
        size = self.size
        if not size:
            raise Unavailable(
                f"expected the number of rows of {self._place}, and it is not known. Iterate, or "
                "download the Parquet files and use ParquetPrograms."
            )
        return self.load(f"{self._prefix}{int(rng.integers(size))}")

    def _each(self) -> Iterator[tuple[str, Callable[[], Program]]]:
        for number, row in enumerate(self._rows()):
            uri = f"{self._prefix}{number}"
            yield uri, functools.partial(program_of, uri, row[CONTENT])

    @property
    def _local(self) -> bool:
        return os.path.isdir(self.source)  # noqa: PTH112  (Path.is_dir raises for some names)

    @property
    def _place(self) -> str:
        commit = f"@{self.revision}" if self.revision else ""
        language = f"?language={self.language}" if self.language else ""
        return f"hub://{self.source.rstrip('/')}{commit}/{self.split}{language}"

    @property
    def _prefix(self) -> str:
        return f"{self._place}#"

    def _row(self, uri: str) -> dict[str, Any]:
        number = uri.removeprefix(self._prefix)
        if number == uri or not _NUMBER.fullmatch(number):
            raise UnknownProgram(f"expected {self._prefix}<row>, got {shown(uri, 300)}.")
        row = next(self._rows(int(number)), None)
        if row is None:
            raise UnknownProgram(
                f"expected a row of {self._place}, which has fewer, got row {number}. Take another."
            )
        return row

    def _rows(self, skipped: int = 0) -> Iterator[dict[str, Any]]:
        stream = self._stream.skip(skipped)
        with self._explained(BadProgram):
            for row in stream:
                if CONTENT not in row:
                    raise BadProgram(
                        f"expected a column {CONTENT!r} with bitcode in {self._place}, got "
                        f"{shown(list(row), 200)}. Take another dataset."
                    )
                yield row

    @functools.cached_property
    def _stream(self) -> Any:
        """The dataset, opened as far as that its files are known."""
        library = optional("datasets", EXTRA)
        options: dict[str, Any] = {"batch_size": ROWS_AT_A_TIME}
        if self.language is not None:
            # Row groups without the language are not even read.
            options["filters"] = [("language", "==", self.language)]
        with self._explained(UnknownProgram):
            if not self._local:
                hub = optional("huggingface_hub", EXTRA).HfApi()
                hub.dataset_info(self.source, revision=self.revision, timeout=TIME_LIMIT)
            return library.load_dataset(
                self.source,
                split=self.split,
                data_dir=self.data_dir,
                revision=self.revision,
                streaming=True,
                **options,
            )

    @contextmanager
    def _explained(self, otherwise: type[LlmoptError]) -> Iterator[None]:
        """Turn what the libraries raise into an error of ours; they have classes by the dozen.

        Args:
            otherwise: What it is where the network is not to blame.
        """
        hub = optional("huggingface_hub.errors", EXTRA)
        try:
            yield
        except LlmoptError:
            raise
        except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError) as error:
            raise UnknownProgram(
                f"expected a dataset on the hub that you may read, got {self._place}: "
                f"{short_reason(error)}. Check the name, or log in with `hf auth login`."
            ) from error
        except Exception as error:  # of either of two HTTP libraries, of pyarrow, or of a socket
            data = isinstance(error, FileNotFoundError | ValueError)
            if not self._local and (not data or isinstance(error, hub.LocalEntryNotFoundError)):
                raise self._unavailable(error) from error
            broken = isinstance(error, optional("pyarrow", EXTRA).ArrowException)
            raise (BadProgram if broken else otherwise)(
                f"expected complete Parquet files with the columns of ComPile in {self._place}, "
                f"got: {short_reason(error)}. Check name, split and language, or download it again."
            ) from error

    def _unavailable(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"expected an answer about {self._place} from the hub, got {type(error).__name__}: "
            f"{short_reason(error)}. Check the network, or download the Parquet files elsewhere "
            "and use ParquetPrograms."
        )
