"""The log file, and the hooks that bring every uncaught exception to the notifier.

Python has three doors through which an exception can leave unseen: the main thread, another
thread, and places where it cannot be raised (``__del__``, callbacks from C). All three lead to
the notifier, which logs and shows it. Crashes below Python leave a trace in ``faults.log``.
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TextIO

from plumbline.core.errors import CancelledError
from plumbline.services import paths
from plumbline.services.notifier import Notifier, environment
from plumbline.services.notifier import notifier as default_notifier

LARGEST = 2_000_000
KEPT = 5


class _Session:
    """What `setup` installed, so that `shutdown` can take it back."""

    def __init__(self, notifier: Notifier) -> None:
        folder = paths.log_folder()
        self.notifier = notifier
        self.path = folder / "plumbline.log"
        self.faults: TextIO = (folder / "faults.log").open("a", encoding="utf-8")
        self.handler = logging.handlers.RotatingFileHandler(
            self.path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8"
        )
        self.hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)

    def install(self, level: int) -> None:
        form = "%(asctime)s %(levelname)-7s %(threadName)s %(name)s: %(message)s"
        self.handler.setFormatter(logging.Formatter(form))
        root = logging.getLogger()
        root.addHandler(self.handler)
        logging.getLogger("plumbline").setLevel(level)
        logging.captureWarnings(True)
        faulthandler.enable(self.faults)
        sys.excepthook = self.on_exception
        threading.excepthook = self.on_thread_exception
        sys.unraisablehook = self.on_unraisable

    def remove(self) -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = self.hooks
        faulthandler.disable()
        self.faults.close()
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(self.handler)
        self.handler.close()

    def on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            self.hooks[0](kind, error, trace)
        else:
            self.tell(error)

    def on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            self.tell(args.exc_value)

    def on_unraisable(self, args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            args.exc_value.add_note(f"{args.err_msg or 'Ignored'}: {type(args.object).__name__}")
            self.tell(args.exc_value)

    def tell(self, error: BaseException) -> None:
        """Tell the notifier; whatever listens to it must not take the exception away."""
        try:
            self.notifier.error(error)
        except Exception:
            logging.getLogger(__name__).exception("a listener of the notifier failed")
        if not isinstance(error, CancelledError) and sys.stderr is not None:
            self.hooks[0](type(error), error, error.__traceback__)


_session: _Session | None = None


def setup(level: int = logging.INFO, notifier: Notifier | None = None) -> Path:
    """Open the log file and install the hooks; a second call changes nothing.

    Returns
    -------
    Path
        The log file: UTF-8, at most five older ones of 2 MB beside it.
    """
    global _session
    if _session is None:
        _session = _Session(notifier or default_notifier)
        _session.install(level)
        logging.getLogger(__name__).info("%s", environment())
    return _session.path


def shutdown() -> None:
    """Give the hooks back and close the log file; for tests and for embedding."""
    global _session
    if _session is not None:
        _session.remove()
        _session = None
