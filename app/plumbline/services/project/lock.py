"""One window per project: a lock file beside it that says who has it open.

The lock itself is the operating system's, so that it ends with the process however that dies; the
text in the file only tells the second window whom to ask.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.services.project.geopackage import now

#: Windows locks bytes against reading too: lock one far behind the text.
_LOCKED_BYTE = 1 << 30


class ProjectLock:
    """Holds a project open for writing; a context manager.

    A project on a medium that cannot be written needs no lock: it can only be looked at.

    Attributes
    ----------
    writable : bool
        False where the project's folder cannot be written, so that saving will fail.

    Raises
    ------
    InputError
        If another window or command has it open; says who.
    """

    def __init__(self, project: Path) -> None:
        project = project.absolute()
        self.path = project.with_name(f".{project.name}.lock")
        self.writable = True
        self._stream: IO[str] | None = None
        while self._stream is None and self.writable:
            self._stream = self._try(project)

    def _try(self, project: Path) -> IO[str] | None:
        """Take the lock; None when the file was removed between opening and locking it."""
        try:
            stream = self.path.open("a+", encoding="utf-8")
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and project.is_file():
                self.writable = False
                return None
            raise InputError(
                tr("“{path}” cannot be opened: {why}.", path=project, why=error.strerror or error),
                tr("Check that you may write to its folder."),
            ) from error
        try:
            _lock(stream)
        except OSError as error:
            holder = _holder(stream)
            stream.close()
            raise InputError(
                tr("“{name}” is open already ({holder}).", name=project.name, holder=holder),
                tr("Close it there, or open a copy of the project."),
            ) from error
        try:
            same = os.path.samestat(os.fstat(stream.fileno()), self.path.stat())
        except FileNotFoundError:
            same = False
        if not same:
            stream.close()
            return None
        stream.truncate(0)
        who = {"host": platform.node(), "pid": os.getpid(), "since": now()}
        stream.write(json.dumps(who))
        stream.flush()
        return stream

    def release(self) -> None:
        """Let others open the project; may be called twice."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        if sys.platform == "win32":  # an open file cannot be removed there
            stream.close()
        with suppress(OSError):
            self.path.unlink()
        stream.close()

    def __enter__(self) -> ProjectLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _holder(stream: IO[str]) -> str:
    """Return who holds a lock, in words; what the file says is only shown."""
    try:
        stream.seek(0)
        who = json.loads(stream.read(1000))
        return tr("process {pid} on {host}", pid=str(who["pid"])[:20], host=str(who["host"])[:80])
    except (OSError, ValueError, KeyError, TypeError):
        return tr("another process")


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: IO[str]) -> None:
        stream.seek(_LOCKED_BYTE)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(stream: IO[str]) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
