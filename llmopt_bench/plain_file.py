"""Files that users name: read only if they are plain, and written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import BinaryIO


def open_plain(path: Path) -> BinaryIO:
    """Return a plain file, opened for reading.

    Raises:
        OSError: It cannot be opened, or it is a pipe, a device or a folder.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe waits until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError as error:
        raise _bad_name() from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a plain file")
    return os.fdopen(descriptor, "rb")


def read_plain(path: Path, limit: int) -> bytes:
    """Return what is in a plain file of at most ``limit`` bytes.

    Raises:
        OSError: As ``open_plain``, or the file is larger.
    """
    with open_plain(path) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes")
    return data


def open_to_append(path: Path) -> FileIO:
    """Return a file, unbuffered, to append to; missing folders and a missing file are made.

    Raises:
        OSError: It cannot be opened or made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab", buffering=0)
    except ValueError as error:
        raise _bad_name() from error


def append_whole(stream: FileIO, data: bytes) -> None:
    """Append ``data`` and wait until it is on the disk.

    Raises:
        OSError: It cannot be written, and the file is as it was: the disk is full, for example.
    """
    before = os.fstat(stream.fileno()).st_size
    try:
        left = memoryview(data)
        while left:
            left = left[stream.write(left) :]
        os.fsync(stream.fileno())
    except OSError as error:
        os.ftruncate(stream.fileno(), before)
        raise OSError(error.errno, error.strerror, stream.name) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that whoever looks finds it whole, or as it was before.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder of files so that whoever looks finds it whole or not at all.

    Raises:
        OSError: It cannot be written, or a folder with something in it is there already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.mkdir()
        for name, data in files.items():
            (draft / name).write_bytes(data)
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def reason_of(error: Exception) -> str:
    """Return why a file could not be used, in a few words and without its name."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _bad_name() -> OSError:
    """Return the error of a name with a NUL byte or with half of a surrogate pair in it."""
    return OSError(errno.EINVAL, "no file can have such a name")
