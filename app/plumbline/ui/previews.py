"""Analyses that follow the mouse: unlisted, off the GUI thread, and only the newest of each counts.

While one request of a key is being computed, those that come meanwhile replace each other; the last
of them runs next. So a slow analysis shows fewer steps of a drag, never old ones and no queue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from plumbline.analysis.figures import without_figures
from plumbline.analysis.runner import Prepared, begin
from plumbline.api import CancelledError, Feedback, Result, Scene, UserError
from plumbline.services.notifier import notifier

#: Keys that can be computed at the same time.
THREADS = 2


@dataclass(frozen=True)
class Request:
    """One preview that was asked for."""

    scene: Scene
    analysis: str
    params: Mapping[str, Any]
    scheme: str
    done: Callable[[Result], None]
    failed: Callable[[Exception], None] | None


class Previews:
    """Computes previews; belongs to the GUI thread.

    Parameters
    ----------
    post : callable
        Carries a function from a worker to the GUI thread.
    """

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="preview")
        self._waiting: dict[str, Request] = {}
        self._running: dict[str, Feedback] = {}

    def submit(self, key: str, request: Request) -> None:
        """Compute a request, now or as soon as the one that is being computed has ended."""
        self._waiting[key] = request
        if key not in self._running:
            self._next(key)

    def clear(self) -> None:
        """Forget what waits and drop what is being computed."""
        self._waiting.clear()
        for feedback in self._running.values():
            feedback.cancel()

    def close(self) -> None:
        """Drop everything and wait until the workers have ended."""
        self.clear()
        self._pool.shutdown()

    def _next(self, key: str) -> None:
        request = self._waiting.pop(key, None)
        if request is None:
            return
        try:
            prepared = begin(request.analysis, request.scene, request.params, request.scheme)
        except UserError as error:
            if request.failed is not None:
                request.failed(error)
            return
        feedback = self._running[key] = Feedback()
        self._pool.submit(self._compute, key, request, prepared, feedback)

    def _compute(self, key: str, request: Request, prepared: Prepared, feedback: Feedback) -> None:
        """In a worker; never raises."""
        try:
            with without_figures():
                result = prepared.compute(feedback)
            result.figures.clear()
        except Exception as error:
            trouble = error
            self._post(lambda: self._ended(key, request, feedback, None, trouble))
        else:
            self._post(lambda: self._ended(key, request, feedback, result, None))

    def _ended(
        self,
        key: str,
        request: Request,
        feedback: Feedback,
        result: Result | None,
        error: Exception | None,
    ) -> None:
        del self._running[key]
        if feedback.cancelled or isinstance(error, CancelledError):
            pass
        elif result is not None:
            request.done(result)
        elif error is not None and not isinstance(error, UserError):
            notifier.error(error)
        elif error is not None and request.failed is not None:
            request.failed(error)
        if key not in self._running:
            self._next(key)
