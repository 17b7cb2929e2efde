"""Progress and cancelling, the same for loaders and analyses, threads and child processes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from plumbline.core.errors import CancelledError
from plumbline.core.i18n import tr


class Feedback:
    """What long work reports to and asks whether to go on.

    Parameters
    ----------
    report : callable, optional
        Called with the fraction done (0..1) and a translated text, from the worker's thread.
    cancel : threading.Event, optional
        Set by whoever cancels.
    """

    def __init__(
        self,
        report: Callable[[float, str], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._report = report
        self._cancel = cancel or threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        """Whether someone asked to stop."""
        return self._cancel.is_set()

    def check(self) -> None:
        """Raise `CancelledError` if someone asked to stop."""
        if self.cancelled:
            raise CancelledError(tr("Cancelled; nothing was changed."))

    def step(self, i: float, n: float, text: str = "") -> None:
        """Report that `i` of `n` is done, and raise `CancelledError` if asked to stop."""
        self.check()
        if self._report is not None:
            self._report(min(1.0, max(0.0, i / n if n else 1.0)), text)

    def part(self, start: float, end: float) -> Feedback:
        """Return a feedback for a part of the work that runs from `start` to `end` (0..1)."""

        def report(fraction: float, text: str) -> None:
            if self._report is not None:
                self._report(start + fraction * (end - start), text)

        return Feedback(report, self._cancel)
