"""Work that may crash, hang or eat memory, done in a process of its own that can be killed.

`run_in_child` starts a fresh interpreter on ``python -m plumbline.io.child``, hands it one request
as a line of JSON and reads progress as lines of JSON. Arrays come back as ``.npy`` files in a
folder, the rest as ``document.json`` beside them; neither can carry code, so a parser that a
hostile file has taken over cannot reach the parent through its answer.

Why a plain subprocess and not `multiprocessing`: its *spawn* imports the parent's main module
again (the whole window, or a test runner), it pickles, and its resource tracker outlives a killed
child. The child imports only NumPy, our core and the module of its function: no Qt, no VTK.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from plumbline.core.data import AnyArray
from plumbline.core.errors import (
    CancelledError,
    InputError,
    MissingCrsError,
    RefusedError,
    UsageError,
    UserError,
)
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr, translator

#: First argument that makes a frozen application act as a child (see `child_command`).
CHILD_FLAG = "--child-process"
DOCUMENT = "document.json"

_ERRORS: dict[str, type[UserError]] = {
    cls.__name__: cls for cls in (InputError, MissingCrsError, RefusedError, UsageError)
}
#: Seconds between two looks at the cancel flag.
_LOOK = 0.05
#: Bytes of the child's standard error that are kept for the details of an error.
_STDERR_TAIL = 8000


class ChildDefectError(RuntimeError):
    """The function in the child raised something that is no `UserError`: a defect of Plumbline."""


@dataclass
class ChildResult:
    """What a child handed over: a JSON document and named arrays."""

    document: dict[str, Any]
    arrays: dict[str, AnyArray]

    @classmethod
    def read(cls, folder: Path) -> ChildResult:
        """Read a folder that a child has written; no pickles.

        Raises
        ------
        OSError, ValueError
            If the folder is not complete or not sound.
        """
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError("the document is no object")
        files = sorted(folder.glob("*.npy"))
        return cls(document, {f.stem: np.load(f, allow_pickle=False) for f in files})


@dataclass
class Child:
    """What a function sees of its parent: where to save arrays, whom to report to."""

    folder: Path
    feedback: Feedback = field(default_factory=Feedback)

    def save(self, name: str, array: AnyArray) -> None:
        """Hand an array over."""
        np.save(self.folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def child_command() -> list[str]:
    """Return the command line that starts a child.

    A frozen application has no interpreter beside it: it starts itself with `CHILD_FLAG`, and its
    entry point calls `main` before it imports anything else.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable, CHILD_FLAG]
    # -P: never import from the folder that the user happens to stand in.
    return [sys.executable, "-P", "-m", "plumbline.io.child"]


def run_in_child(
    function: str,
    args: dict[str, Any],
    feedback: Feedback | None = None,
    *,
    subject: str,
    folder: Path | None = None,
    memory: int | None = None,
    patience: float = 900.0,
) -> ChildResult:
    """Run ``module:name`` as ``name(args, child)`` in a child process.

    Parameters
    ----------
    function : str
        A function of a module: takes the arguments and a `Child`, returns a JSON document.
    args : dict
        Plain JSON values.
    feedback : Feedback, optional
        Gets the child's progress; cancelling kills the child within a fraction of a second.
    subject : str
        What is worked on, for error messages, e.g. the name of the file.
    folder : Path, optional
        Existing empty folder for the answer, which the caller then owns when all went well; a
        temporary one otherwise. After an error or a cancel it is gone.
    memory : int, optional
        Most address space for the child, bytes; where the system can limit it.
    patience : float
        Seconds that the child may stay silent before it counts as hanging.

    Raises
    ------
    InputError
        If the child crashed, was killed, ran out of memory or hangs.
    UserError
        Whatever the function raised.
    CancelledError
        If someone cancelled.
    ChildDefectError
        If the function raised anything else.
    """
    feedback = feedback or Feedback()
    feedback.check()
    work = folder or Path(tempfile.mkdtemp(prefix="plumbline-"))
    keep = False
    try:
        request = {
            "function": function,
            "args": args,
            "folder": str(work),
            "language": translator.language,
            "memory": memory,
        }
        _Parent(request, feedback, subject, patience).run()
        result = ChildResult.read(work)
        keep = folder is not None
        return result
    finally:
        if not keep:
            shutil.rmtree(work, ignore_errors=True)


class _Parent:
    """The parent's side of one child."""

    def __init__(
        self, request: dict[str, Any], feedback: Feedback, subject: str, patience: float
    ) -> None:
        self.request = request
        self.feedback = feedback
        self.subject = subject
        self.patience = patience

    def run(self) -> None:
        """Start the child, follow it to its end, raise what it raised."""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                child_command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            try:
                self._follow(process, errors)
            finally:
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout):
                    assert stream is not None
                    _close_quietly(stream)

    def _follow(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        reader = threading.Thread(
            target=_pump, args=(process.stdout, messages), name="child-reader", daemon=True
        )
        reader.start()
        try:
            # The pipe stays open: its end tells the child that the parent is gone.
            process.stdin.write(json.dumps(self.request).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            pass  # it died already; the reader sees the end of its output
        try:
            self._listen(messages, process, errors)
        finally:
            process.kill()
            reader.join()

    def _listen(
        self,
        messages: queue.SimpleQueue[bytes],
        process: subprocess.Popen[bytes],
        errors: IO[bytes],
    ) -> None:
        heard = time.monotonic()
        while True:
            self.feedback.check()
            try:
                line = messages.get(timeout=_LOOK)
            except queue.Empty:
                if time.monotonic() - heard > self.patience:
                    raise self._hanging() from None
                continue
            heard = time.monotonic()
            if not line:
                raise self._crashed(process.wait(), _tail(errors))
            if self._handle(json.loads(line)):
                return

    def _handle(self, message: dict[str, Any]) -> bool:
        """Act on one message; True when the child is done."""
        if "progress" in message:
            self.feedback.step(message["progress"], 1.0, message["text"])
        elif "error" in message:
            kind = _ERRORS.get(message["error"], InputError)
            raise kind(message["message"], message["hint"], message["details"])
        elif "memory" in message:
            raise self._out_of_memory(message["memory"])
        elif "defect" in message:
            raise ChildDefectError(message["defect"])
        return "done" in message

    def _hanging(self) -> InputError:
        return InputError(
            tr("Reading “{name}” came to a standstill and was stopped.", name=self.subject),
            tr("The file is probably damaged; copy or export it again."),
        )

    def _out_of_memory(self, details: str) -> InputError:
        return InputError(
            tr("“{name}” needs more memory than Plumbline may use for it.", name=self.subject),
            tr("Close other programs, or split the file into parts."),
            details,
        )

    def _crashed(self, code: int, details: str) -> InputError:
        if "bad_alloc" in details or "MemoryError" in details:
            return self._out_of_memory(details)
        why = tr("exit code {code}", code=code)
        if code < 0:
            why = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return InputError(
            tr(
                "The reader of “{name}” crashed ({why}); nothing was loaded.",
                name=self.subject,
                why=why,
            ),
            tr("The file is probably damaged; copy or export it again."),
            details,
        )


def _environment() -> dict[str, str]:
    """Return the child's environment: ours, but no pools of threads that only reserve memory."""
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _pump(stream: IO[bytes], messages: queue.SimpleQueue[bytes]) -> None:
    """Move lines into a queue; an empty one says that the child is gone."""
    for line in stream:
        messages.put(line)
    messages.put(b"")


def _tail(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _STDERR_TAIL))
    return errors.read().decode("utf-8", "replace")


def _close_quietly(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # the unsent rest of a request to a child that died
        stream.close()


# -- the child's side ---------------------------------------------------------------------------


def main() -> NoReturn:
    """Serve one request from standard input; never returns.

    The process ends with `os._exit`: destructors of native libraries have crashed at interpreter
    shutdown after all work was done and saved.
    """
    # Messages get the original standard output for themselves; what libraries print goes to
    # standard error, which the parent keeps for the details of an error.
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def send(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message).encode() + b"\n")

    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    translator.set_language(request["language"])
    _limit(request["memory"])
    send(_serve(request, send))
    os._exit(0)


def _serve(request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Do the work; return the last message."""
    import traceback

    def report(fraction: float, text: str) -> None:
        send({"progress": fraction, "text": text})

    child = Child(Path(request["folder"]), Feedback(report))
    module, _, name = request["function"].partition(":")
    try:
        document = getattr(importlib.import_module(module), name)(request["args"], child)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        (child.folder / DOCUMENT).write_text(text, encoding="utf-8")
    except CancelledError:
        raise
    except UserError as error:
        return {
            "error": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "details": error.details,
        }
    except MemoryError:
        return {"memory": traceback.format_exc()}
    except Exception:
        return {"defect": traceback.format_exc()}
    return {"done": True}


def _die_with_parent() -> None:
    """Wait for the end of standard input: then the parent is gone, and so should be the child."""
    sys.stdin.buffer.read()
    os._exit(1)


def _limit(memory: int | None) -> None:
    """Cap the address space and write no core files, where the system knows such limits."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        try:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        except (ValueError, OSError):
            return  # macOS refuses limits below what is mapped already


if __name__ == "__main__":
    main()
