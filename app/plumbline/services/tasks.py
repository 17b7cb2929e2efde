"""Long work off the owner's thread: progress, cancelling, results back where they are wanted.

A task is a function ``work(feedback)`` run by a thread of a small pool; loaders that need a child
process start one themselves. Its callbacks and events come on the owner's thread, through the
`post` hook: a window passes one that queues into its event loop, everyone else drains the queue
with `wait`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, Generic, TypeVar

from psygnal import Signal

from plumbline.core.errors import CancelledError, UserError
from plumbline.core.feedback import Feedback
from plumbline.services.notifier import Notifier
from plumbline.services.notifier import notifier as default_notifier

T = TypeVar("T")

#: Seconds between two progress events of one task.
PROGRESS_EVERY = 0.1
THREADS = 4


class TaskState(StrEnum):
    """Where a task is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Task(Generic[T]):
    """One piece of long work, listed while it runs. Read it from any thread.

    Attributes
    ----------
    title : str
        Translated text for the list.
    fraction : float
        Share done, 0..1.
    text : str
        What is being done now.
    error : Exception, optional
        Why it failed.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.state = TaskState.WAITING
        self.fraction = 0.0
        self.text = ""
        self.error: Exception | None = None
        self.result: T | None = None
        self._cancel = threading.Event()
        self._started: float | None = None
        self._ended: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since it began to run, until it ended."""
        if self._started is None:
            return 0.0
        return (self._ended or time.monotonic()) - self._started

    @property
    def finished(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.state in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)

    @property
    def cancelling(self) -> bool:
        """Whether someone asked it to stop and it has not stopped yet."""
        return self._cancel.is_set() and not self.finished

    def cancel(self) -> None:
        """Ask it to stop at its next step; a task that waits never starts."""
        self._cancel.set()


class TaskRunner:
    """Runs tasks and tells their owner.

    Parameters
    ----------
    post : callable, optional
        Carries a function to the owner's thread and runs it there later. Without one, functions
        queue up until `wait` or `process` is called on the owner's thread.
    notifier : Notifier, optional
        Gets what failed when the submitter gave no `failed`, and every defect.
    """

    #: All three are emitted on the owner's thread.
    task_added = Signal(Task)
    task_progress = Signal(Task)
    task_finished = Signal(Task)

    def __init__(
        self,
        post: Callable[[Callable[[], None]], None] | None = None,
        *,
        notifier: Notifier | None = None,
        threads: int = THREADS,
    ) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._post = post or self._queue.put
        self._own_queue = post is None
        self._notifier = notifier or default_notifier
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="task")
        self._tasks: list[Task[Any]] = []
        self._running = threading.Condition()
        self._closed = False

    @property
    def tasks(self) -> list[Task[Any]]:
        """Tasks whose end the owner has not been told yet, oldest first."""
        return list(self._tasks)

    def submit(
        self,
        title: str,
        work: Callable[[Feedback], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
        cancelled: Callable[[], None] | None = None,
    ) -> Task[T]:
        """Start work in a thread; call on the owner's thread.

        Parameters
        ----------
        work : callable
            Gets a `Feedback`, returns the result. Must not touch the scene.
        done, failed, cancelled : callable, optional
            Called on the owner's thread with the result, the exception, or nothing. Without
            `failed` the notifier tells a `UserError`; a defect goes to the notifier always.
        """
        if self._closed:
            raise RuntimeError("the task runner is closed")
        task: Task[T] = Task(title)
        self._tasks.append(task)
        self.task_added.emit(task)

        def deliver() -> None:
            self._deliver(task, done, failed, cancelled)

        self._pool.submit(self._run, task, work, deliver)
        return task

    def process(self) -> None:
        """Run what is queued for the owner's thread (without a `post` hook)."""
        while True:
            try:
                function = self._queue.get_nowait()
            except queue.Empty:
                return
            function()

    def wait(self, timeout: float | None = None) -> bool:
        """Run callbacks until no task is left (without a `post` hook).

        Returns
        -------
        bool
            False when the time was over first.
        """
        if not self._own_queue:
            raise RuntimeError("the owner's event loop runs the callbacks of this runner")
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._tasks:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            try:
                function = self._queue.get(timeout=left)
            except queue.Empty:
                return False
            function()
        return True

    def cancel_all(self) -> None:
        """Ask every task to stop."""
        for task in self._tasks:
            task.cancel()

    def close(self, timeout: float = 30.0) -> bool:
        """Cancel everything and wait for the threads; no callback comes afterwards.

        Returns
        -------
        bool
            False when a task did not stop in time.
        """
        self._closed = True
        self.cancel_all()
        self._pool.shutdown(wait=False)
        with self._running:
            stopped = self._running.wait_for(lambda: all(t.finished for t in self._tasks), timeout)
        self._tasks.clear()
        return stopped

    # -- inside ----------------------------------------------------------------------------

    def _run(
        self, task: Task[T], work: Callable[[Feedback], T], deliver: Callable[[], None]
    ) -> None:
        """Run one task in a thread of the pool; never raises."""
        state = TaskState.DONE
        task.state, task._started = TaskState.RUNNING, time.monotonic()
        feedback = Feedback(self._reporter(task), task._cancel)
        try:
            feedback.check()
            task.result = work(feedback)
        except CancelledError:
            state = TaskState.CANCELLED
        except Exception as error:
            task.error = error
            state = TaskState.FAILED
        task._ended = time.monotonic()
        with self._running:
            task.state = state
            self._running.notify_all()
        self._post(deliver)

    def _reporter(self, task: Task[Any]) -> Callable[[float, str], None]:
        last = 0.0
        pending = threading.Event()

        def tell() -> None:
            pending.clear()
            if not self._closed and not task.finished:
                self.task_progress.emit(task)

        def report(fraction: float, text: str) -> None:
            nonlocal last
            task.fraction = fraction
            task.text = text or task.text
            now = time.monotonic()
            # One event at a time and ten a second: a loop that feeds back often stays fast.
            if now - last >= PROGRESS_EVERY and not pending.is_set():
                last = now
                pending.set()
                self._post(tell)

        return report

    def _deliver(
        self,
        task: Task[T],
        done: Callable[[T], None] | None,
        failed: Callable[[Exception], None] | None,
        cancelled: Callable[[], None] | None,
    ) -> None:
        """Tell the owner how a task ended, on its thread."""
        if self._closed:
            return
        self._tasks.remove(task)
        if task.state is TaskState.DONE:
            task.fraction = 1.0
        self.task_finished.emit(task)
        error = task.error
        if error is not None and (failed is None or not isinstance(error, UserError)):
            self._notifier.error(error)
        if error is not None and failed is not None:
            failed(error)
        elif task.state is TaskState.CANCELLED and cancelled is not None:
            cancelled()
        elif task.state is TaskState.DONE and done is not None:
            result, task.result = task.result, None  # the list must not keep big data alive
            done(result)  # type: ignore[arg-type]
