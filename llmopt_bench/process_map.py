"""A function over many items in several processes, which all end with this one and with Ctrl-C."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import TypeVar

from llmopt_bench.errors import CompilerKilled

_T = TypeVar("_T")
_R = TypeVar("_R")
# Not fork: LLVM holds threads and locks that a forked child cannot use.
_processes = multiprocessing.get_context("spawn")


def in_processes(
    function: Callable[[_T], _R], items: Sequence[_T], jobs: int
) -> Generator[tuple[int, _R], None, None]:
    """Yield the place of each item and what the function makes of it, in the order of completion.

    Args:
        function: Something that can be pickled.
        items: What to call it with.
        jobs: How many processes; with 1, or a single item, the work is done in this one.

    Raises:
        CompilerKilled: A process was ended from outside.
        Exception: What the function raised.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1:
        yield from enumerate(map(function, items))
        return
    theirs, ours = _processes.Pipe(duplex=False)
    executor = ProcessPoolExecutor(jobs, _processes, _begin, (theirs,))
    try:
        places = {executor.submit(function, item): place for place, item in enumerate(items)}
        for future in as_completed(places):
            yield places.pop(future), future.result()
    except BrokenProcessPool as error:
        raise CompilerKilled(
            "a process was ended from outside before its work was done; is the machine short of "
            "memory? Use fewer with --jobs."
        ) from error
    except BaseException:
        ours.close()  # which ends them, whatever they are at
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        ours.close()
        theirs.close()


def _begin(parent: Connection) -> None:
    """Prepare a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which ends us
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    """Wait for the end of the parent, or of its need for this process."""
    with contextlib.suppress(EOFError, OSError):
        parent.recv()
    os._exit(1)
