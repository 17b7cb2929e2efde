"""The one place where messages for the user arrive, from anywhere and any thread.

What the user can mend comes as an error with a hint. Everything else is a defect in Plumbline and
carries the text that "copy details" puts on the clipboard.
"""

from __future__ import annotations

import logging
import platform
import sys
import threading
import traceback
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from psygnal import Signal

from plumbline import __version__
from plumbline.core.errors import CancelledError, UserError
from plumbline.core.i18n import tr

log = logging.getLogger(__name__)

KEPT = 500


class Severity(StrEnum):
    """How much a message asks for."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    DEFECT = "defect"


@dataclass(frozen=True)
class Notification:
    """A message: what happened, what to do, and technical details to copy."""

    severity: Severity
    message: str
    hint: str = ""
    details: str = ""
    time: datetime = field(default_factory=lambda: datetime.now().astimezone())

    @property
    def copy_text(self) -> str:
        """Text for the clipboard: enough for someone else to understand it."""
        stamp = self.time.isoformat(timespec="seconds")
        lines = [f"[{self.severity}] {stamp}", self.message, self.hint, environment(), self.details]
        return "\n".join(line for line in lines if line)


class Notifier:
    """Keeps the last messages, writes them to the log and announces each.

    `notified` is emitted on the thread that notifies; a window moves it to its own.
    """

    notified = Signal(Notification)

    def __init__(self) -> None:
        self._kept: deque[Notification] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    @property
    def notifications(self) -> list[Notification]:
        """The messages kept, oldest first."""
        with self._lock:
            return list(self._kept)

    def clear(self) -> None:
        """Forget the messages kept."""
        with self._lock:
            self._kept.clear()

    def info(self, message: str, hint: str = "") -> None:
        """Tell what went well."""
        self.notify(Notification(Severity.INFO, message, hint))

    def warning(self, message: str, hint: str = "", details: str = "") -> None:
        """Tell what the user should know."""
        self.notify(Notification(Severity.WARNING, message, hint, details))

    def error(self, error: BaseException) -> None:
        """Tell about an exception: a `UserError` with its hint, anything else as a defect.

        A cancelled task is what the user wanted and is not worth a message.
        """
        if isinstance(error, CancelledError):
            return
        if isinstance(error, UserError):
            notification = Notification(
                Severity.ERROR, error.message, error.hint, error.details or _trace(error)
            )
        else:
            notification = Notification(
                Severity.DEFECT,
                tr(
                    "Plumbline did something it should not: {error}.",
                    error=type(error).__name__,
                ),
                tr("Your work is kept. Copy the details and report them."),
                _trace(error),
            )
        self.notify(notification)

    def notify(self, notification: Notification) -> None:
        """Keep, log and announce a message."""
        with self._lock:
            self._kept.append(notification)
        levels = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING}
        text = "\n".join(
            part for part in (notification.message, notification.hint, notification.details) if part
        )
        log.log(levels.get(notification.severity, logging.ERROR), "%s", text)
        self.notified.emit(notification)


def environment() -> str:
    """Return version and platform in one line."""
    python = ".".join(str(n) for n in sys.version_info[:3])
    return f"Plumbline {__version__} · Python {python} · {platform.platform()}"


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


notifier = Notifier()
