"""Threads that read tiles, the most urgent first; what is no longer wanted is not begun."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

#: Results that wait to be taken, at most: a reader that is ahead of the picture waits.
MAX_WAITING = 24


@dataclass(frozen=True)
class Job:
    """Something to read.

    Attributes
    ----------
    key : hashable
        Two jobs of one key are the same.
    run : callable
        Runs in a thread of the loader.
    """

    key: Any
    run: Callable[[], Any]


@dataclass(frozen=True)
class Done:
    """What became of a job: its value, or what it raised."""

    job: Job
    value: Any = None
    error: Exception | None = None


class Loader:
    """A few threads with one list of jobs, which its owner replaces every frame.

    Parameters
    ----------
    threads : int
    wake : callable, optional
        Called in a thread of the loader when there is something to take, never after `close`; it
        must not wait for anything.
    """

    def __init__(self, threads: int, wake: Callable[[], None] | None = None) -> None:
        self._count, self._wake = threads, wake
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._running: dict[Hashable, Job] = {}
        self._done: deque[Done] = deque()
        self._closed = False

    def want(self, jobs: Sequence[Job]) -> None:
        """Replace the jobs that wait; what is being read goes on."""
        with self._changed:
            busy = {*self._running, *(done.job.key for done in self._done)}
            self._jobs = deque(job for job in jobs if job.key not in busy)
            if self._jobs and not self._closed:
                self._start()
                self._changed.notify_all()

    def take(self) -> list[Done]:
        """Return what has been read since the last time; does not wait."""
        with self._changed:
            done = list(self._done)
            self._done.clear()
            if done:
                self._changed.notify_all()
        return done

    @property
    def busy(self) -> bool:
        """Whether something is being read, waits to be read or to be taken."""
        with self._changed:
            return bool(self._jobs or self._running or self._done)

    @property
    def reading(self) -> bool:
        """Whether something is being read or waits to be read."""
        with self._changed:
            return bool(self._jobs or self._running)

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to take or nothing to do; tell whether there is."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._done or not (self._jobs or self._running), timeout=seconds
            )
            return bool(self._done)

    def close(self) -> None:
        """Begin nothing more and forget everything; does not wait for what is being read."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._done.clear()
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until all threads have ended; after `close`."""
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        while len(self._threads) < self._count:
            # A file share that does not answer must not keep the program from ending.
            thread = threading.Thread(target=self._work, name="tiles", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                done = Done(job, job.run())
            except Exception as error:  # carried to the owner's thread
                done = Done(job, error=error)
            with self._changed:
                self._running.pop(job.key, None)
                if self._closed:
                    return
                self._done.append(done)
                self._changed.notify_all()
                if self._wake is not None:
                    self._wake()
            del job, done

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or (self._jobs and len(self._done) < MAX_WAITING)
            )
            if self._closed:
                return None
            job = self._jobs.popleft()
            self._running[job.key] = job
            return job
