"""The board of a task is opened: the list of its programs, which all entries are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from llmopt_bench.board_programs import PROGRAMS, ProgramFacts, programs_file
from llmopt_bench.entries import TASK
from llmopt_bench.errors import BadEntry
from llmopt_bench.isolation import DEFAULT, Isolation
from llmopt_bench.plain_file import read_plain, write_folder
from llmopt_bench.process_map import in_processes
from llmopt_bench.runner import task_programs
from llmopt_bench.runner_work import Job
from llmopt_bench.task import MAX_FILE_BYTES, make_task, task_names


def open_board(
    name_or_path: str,
    boards: Path,
    *,
    jobs: int = 1,
    isolation: Isolation | None = DEFAULT,
    progress: Callable[[int, int, str], object] | None = None,
) -> Path:
    """Write the list of the programs of a task, with what -Oz makes of them; return its file.

    Args:
        name_or_path: A shipped task, or the path of a task's file, which is copied.
        boards: The folder ``leaderboards``.
        jobs: How many processes measure programs.
        isolation: The limits of the compiler.
        progress: Called with the number of programs that are done, of all, and the last one.

    Raises:
        BadEntry: The board is open already, with other programs or another task.
        LlmoptError: The task or a program cannot be loaded.
        OSError: It cannot be written.
    """
    task = make_task(name_or_path)
    uris = task_programs(task)
    # The job of a run, which knows how a task's programs are measured; it has no agents here.
    job = Job(task, (), task.budget, 0, isolation)
    facts: dict[int, ProgramFacts] = {}
    with closing(in_processes(job.facts, uris, jobs)) as results:
        for place, found in results:
            facts[place] = ProgramFacts(uri=uris[place], **found._asdict())
            if progress:
                progress(len(facts), len(uris), uris[place])
    content = {PROGRAMS: programs_file(facts[place] for place in range(len(uris)))}
    if task.name not in task_names():
        content[TASK] = read_plain(Path(name_or_path), MAX_FILE_BYTES)
    folder = boards / task.name
    if folder.exists():
        _check_same(folder, content)
    else:
        write_folder(folder, content)
    return folder / PROGRAMS


def _check_same(folder: Path, content: Mapping[str, bytes]) -> None:
    """Refuse to change a board that is open: its entries were held against what is there."""
    for name, data in content.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            raise BadEntry(
                f"{path}: the board is open, and this file is not what the task gives now. A task "
                "that changes gets a new name; if this file is the wrong one, remove it first."
            )
