"""What stands between two points: many segments and rays at once, on several threads.

Every function works through the `RayCaster` protocol in batches, so memory stays bounded whatever
the number of rays, and gives the same answer whatever the number of threads: each ray is decided
alone. `blocked` is fastest and good to `RayCaster.resolution`; `first_between` and `first_along`
are exact in float64.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray
from plumbline.core.feedback import Feedback
from plumbline.geometry.raycast import RayCaster

#: Rays of one task of a thread: enough to be worth it, little memory (about 200 bytes a ray).
TASK = 32_768
#: Triangles this near to either end of a segment are the ends' own, metres.
TOUCH = 1e-6

T = TypeVar("T")


def threads_here() -> int:
    """Return how many threads this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(
    work: Callable[[slice], T],
    count: int,
    feedback: Feedback | None = None,
    threads: int | None = None,
    task: int = TASK,
    text: str = "",
) -> Iterator[tuple[slice, T]]:
    """Yield the results of `work` on consecutive slices of `count` things, in order.

    No more than two tasks a thread are under way, so that results do not pile up.

    Parameters
    ----------
    work : callable
        Releases the interpreter for most of its time (Embree, NumPy, compiled loops).
    threads : int, optional
        As many as there are processors by default; the results do not depend on it.
    """
    feedback = feedback or Feedback()
    parts = [slice(n, min(n + task, count)) for n in range(0, count, task)]
    workers = min(threads or threads_here(), len(parts))
    if workers <= 1:
        for part in parts:
            feedback.step(part.start, count, text)
            yield part, work(part)
        return
    waiting: list[tuple[slice, Future[T]]] = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for part in parts:
                waiting.append((part, pool.submit(work, part)))
                if len(waiting) >= 2 * workers:
                    done, future = waiting.pop(0)
                    feedback.step(done.start, count, text)
                    yield done, future.result()
            for done, future in waiting:
                feedback.step(done.start, count, text)
                yield done, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def blocked(
    caster: RayCaster,
    starts: FloatArray,
    ends: FloatArray,
    feedback: Feedback | None = None,
    threads: int | None = None,
) -> NDArray[np.bool_]:
    """Tell which segments something stands in, to within `RayCaster.resolution`.

    Parameters
    ----------
    starts, ends : (N, 3) or (3,) float64
        Metres of the obstacles' frame. An end on a triangle is to be held off it by more than
        `RayCaster.resolution`, or that triangle may block it.

    Returns
    -------
    (N,) bool
    """
    starts, ends = _pairs(starts, ends)
    found = np.empty(len(starts), dtype=np.bool_)

    def work(part: slice) -> NDArray[np.bool_]:
        return caster.occluded(starts[part], ends[part], feedback)

    for part, answer in in_threads(work, len(starts), feedback, threads):
        found[part] = answer
    return found


def first_along(
    caster: RayCaster,
    origins: FloatArray,
    directions: FloatArray,
    feedback: Feedback | None = None,
    threads: int | None = None,
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return distance and index of the first triangle along each ray, inf and -1 for none.

    Parameters
    ----------
    origins, directions : (N, 3) or (3,) float64
        Metres of the obstacles' frame; directions have unit length.
    """
    origins, directions = _pairs(origins, directions)
    distance = np.empty(len(origins))
    triangle = np.empty(len(origins), dtype=np.intp)

    def work(part: slice) -> tuple[FloatArray, NDArray[np.intp]]:
        return caster.first_hits(origins[part], directions[part], feedback)

    for part, (far, which) in in_threads(work, len(origins), feedback, threads):
        distance[part], triangle[part] = far, which
    return distance, triangle


def first_between(
    caster: RayCaster,
    starts: FloatArray,
    ends: FloatArray,
    feedback: Feedback | None = None,
    threads: int | None = None,
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return where each segment is first met, exactly; a triangle at an end is no obstacle.

    Parameters
    ----------
    starts, ends : (N, 3) or (3,) float64
        Metres of the obstacles' frame.

    Returns
    -------
    distance : (N,) float64
        Metres from the start; inf where the segment is free.
    triangle : (N,) intp
        -1 where the segment is free.
    """
    starts, ends = _pairs(starts, ends)
    length, units = _ways(starts, ends)
    # A start on a triangle: begin beyond it.
    distance, triangle = first_along(caster, starts + TOUCH * units, units, feedback, threads)
    distance = distance + TOUCH
    free = ~(distance < length - TOUCH)
    distance[free], triangle[free] = np.inf, -1
    return distance, triangle


@dataclass(frozen=True)
class Crossings:
    """Every triangle in every segment, in the order of segments and of distance.

    Attributes
    ----------
    segment, triangle : (K,) intp
    distance : (K,) float64
        Metres from the segment's start.
    complete : (N,) bool
        False where a segment has more than were asked for.
    """

    segment: NDArray[np.intp]
    triangle: NDArray[np.intp]
    distance: FloatArray
    complete: NDArray[np.bool_]


def all_between(
    caster: RayCaster,
    starts: FloatArray,
    ends: FloatArray,
    limit: int = 1000,
    feedback: Feedback | None = None,
    threads: int | None = None,
) -> Crossings:
    """Return all triangles that stand in segments, each segment to at most `limit` of them.

    Triangles that coincide to within `TOUCH` along the line count once.

    Parameters
    ----------
    starts, ends : (N, 3) or (3,) float64
        Metres of the obstacles' frame.
    """
    starts, ends = _pairs(starts, ends)
    _, units = _ways(starts, ends)
    passed = np.zeros(len(starts))
    open_ = np.arange(len(starts))
    found: list[tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]] = []
    for _ in range(limit):
        begin = starts[open_] + passed[open_, None] * units[open_]
        distance, triangle = first_between(caster, begin, ends[open_], feedback, threads)
        hit = triangle >= 0
        open_, distance = open_[hit], passed[open_[hit]] + distance[hit]
        if len(open_) == 0:
            break
        found.append((open_, triangle[hit], distance))
        passed[open_] = distance
    complete = np.ones(len(starts), dtype=np.bool_)
    complete[open_] = False
    if not found:
        none = np.empty(0, dtype=np.intp)
        return Crossings(none, none, np.empty(0), complete)
    segment, which, far = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(segment, kind="stable")
    return Crossings(segment[order], which[order], far[order], complete)


def _pairs(one: FloatArray, two: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return both as ``(N, 3)``; a single point or direction goes with all of the others."""
    a, b = np.broadcast_arrays(np.atleast_2d(one), np.atleast_2d(two))
    return np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)


def _ways(starts: FloatArray, ends: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return lengths and unit directions; east where there is no length."""
    ways = ends - starts
    length = np.linalg.norm(ways, axis=1)
    still = length == 0
    ways[still] = (1.0, 0.0, 0.0)
    return length, ways / np.where(still, 1.0, length)[:, None]
