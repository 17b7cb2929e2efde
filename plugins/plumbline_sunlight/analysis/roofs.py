"""Roofs of rays over a site: what may be built below the sun that a window keeps.

A window keeps the sun of a stretch of its day. Seen from an end of its sill, a cell of the site
spans some azimuths; the lowest ray of the kept stretch within them, at the distance of the nearest
point of the cell, is the limit of that cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.api import Feedback, Frame, Place, SunlightRule, sun_positions, tr, zones
from plumbline_sunlight.analysis.judging import FAIL, Period, WindowSun

FloatArray = NDArray[np.float64]

#: Instants of the sun's course, seconds, and starts of stretches that are tried.
STEP, TRIED = 30.0, 600.0

#: What is kept beyond the rule's hours and tolerance, seconds, and below the rays, metres.
SPARE, CLEAR = 30.0, 0.02

#: Roofs times cells up to which stretches are chosen a second time around.
SECOND_ROUND = 40_000_000


@dataclass(frozen=True)
class Site:
    """Cells of a site, metres of the frame.

    Attributes
    ----------
    middles : (N, 2) float64
    size : float
        Side of a cell.
    ground : (N,) float64
    max_height : float
        Above the ground, where nothing limits it.
    """

    middles: FloatArray
    size: float
    ground: FloatArray
    max_height: float

    @property
    def free(self) -> FloatArray:
        """Tops where nothing limits them."""
        tops: FloatArray = self.ground + self.max_height
        return tops


@dataclass(frozen=True)
class Roof:
    """What a window leaves to the site.

    Attributes
    ----------
    top : (N,) float64
        Metres of the frame; inf where the window sets no limit.
    free : float
        Seconds of sun that do not cross the site.
    kept : float
        Seconds of sun over the site that are kept.
    span : (from, to)
        Instants between which they lie, seconds of UTC; None where nothing is kept.
    """

    top: FloatArray
    free: float
    kept: float
    span: tuple[float | None, float | None]


@dataclass(frozen=True)
class _Course:
    """The sun at a place: instants, azimuth from grid north (unwrapped, rad), tangent of height."""

    times: FloatArray
    azimuth: FloatArray
    rise: FloatArray

    @classmethod
    def of(cls, place: Place, start: float, end: float) -> _Course:
        times = np.arange(start - STEP, end + 2 * STEP, STEP)
        sun = sun_positions(times, place)
        azimuth = np.unwrap(np.radians(sun.azimuth_grid))
        return cls(times, azimuth, np.tan(np.radians(sun.elevation_true)))


@dataclass(frozen=True)
class _View:
    """Cells as one end of a sill sees them: azimuths (rad, near the sun's) and distance."""

    low: FloatArray
    high: FloatArray
    near: FloatArray
    z: float


def chosen_roofs(
    site: Site,
    windows: Sequence[WindowSun],
    ends: Sequence[FloatArray],
    rule: SunlightRule,
    frame: Frame,
    feedback: Feedback,
) -> list[Roof]:
    """Return a roof for each window, chosen so that the volume below all of them is large.

    Parameters
    ----------
    windows : sequence of WindowSun
        As they are lit when nothing stands on the site.
    ends : sequence of (1 or 2, 3) float64
        Ends of the sill that must be lit at once, metres of `frame`.
    """
    courses = _courses(windows, frame)
    options: list[list[Roof]] = []
    for n, window in enumerate(windows):
        feedback.step(0.6 * n / max(1, len(windows)), 1, tr("Looking for the sun to keep"))
        options.append(_options(site, window, ends[n], rule, courses[n]))
    return _best(site, options, feedback.part(0.6, 1.0))


def _courses(windows: Sequence[WindowSun], frame: Frame) -> list[_Course]:
    found: dict[int, _Course] = {}
    points = np.array([w.opening.middle for w in windows]).reshape(-1, 3)
    for rows, place in zones(frame, points):
        spans = [t for n in rows.tolist() for p in windows[n].periods for t in p]
        if spans:
            course = _Course.of(place, min(spans), max(spans))
            found |= dict.fromkeys(rows.tolist(), course)
    nothing = _Course(np.zeros(1), np.zeros(1), np.zeros(1))
    return [found.get(n, nothing) for n in range(len(windows))]


def _options(
    site: Site, window: WindowSun, ends: FloatArray, rule: SunlightRule, course: _Course
) -> list[Roof]:
    """Return the roofs of a window, one for every stretch of its day that is enough."""
    nothing = [Roof(np.full(len(site.middles), np.inf), 0.0, 0.0, (None, None))]
    if not window.periods:
        return nothing
    views = [_view(site, end, course) for end in ends]
    crossing = _crossing(window.periods, views, course)
    free = _subtract(window.periods, crossing)
    needed = rule.hours * 3600.0 + rule.tolerance * 60.0 + SPARE
    needed = min(needed, rule.count(window.periods, 3600.0).total)
    spared = sum(b - a for a, b in free)
    if not crossing or rule.count(free, 3600.0).total >= needed - 1e-6:
        return [Roof(nothing[0].top, spared, 0.0, (None, None))]
    failing = window.verdict == FAIL
    stretches = [crossing] if failing else _stretches(crossing, free, needed, rule)
    return [
        Roof(
            np.min([_limit(view, kept, course) for view in views], axis=0),
            spared,
            sum(b - a for a, b in kept),
            (kept[0][0], kept[-1][1]),
        )
        for kept in stretches
    ]


def _view(site: Site, end: FloatArray, course: _Course) -> _View:
    """Return cells as seen from a point; the whole turn where the point lies on the cell."""
    away = site.middles - end[:2]
    half = site.size / 2
    near = np.linalg.norm(np.maximum(np.abs(away) - half, 0.0), axis=1)
    corner = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
    middle = np.arctan2(away[:, 0], away[:, 1])
    seen = away[:, None, :] + corner[None]
    off = np.arctan2(seen[..., 0], seen[..., 1]) - middle[:, None]
    off = (off + np.pi) % (2 * np.pi) - np.pi
    # Near the azimuths of the sun, so that both can be compared as numbers.
    centre = float(course.azimuth.mean())
    middle = centre + (middle - centre + np.pi) % (2 * np.pi) - np.pi
    on = near == 0.0
    low = np.where(on, -np.inf, middle + off.min(axis=1))
    high = np.where(on, np.inf, middle + off.max(axis=1))
    return _View(low, high, near, float(end[2]))


def _crossing(periods: Sequence[Period], views: Sequence[_View], course: _Course) -> list[Period]:
    """Return the parts of periods in which a ray from either end passes over the site."""
    over = np.zeros(len(course.times), dtype=np.bool_)
    for view in views:
        order = np.argsort(view.low)
        low, high = view.low[order], np.maximum.accumulate(view.high[order])
        last = np.searchsorted(low, course.azimuth, side="right") - 1
        over |= (last >= 0) & (high[np.maximum(last, 0)] >= course.azimuth)
    # A step more on either side: between two instants a ray may touch a cell.
    over[1:] |= over[:-1].copy()
    over[:-1] |= over[1:].copy()
    edges = np.flatnonzero(np.diff(np.r_[False, over, False].astype(np.int8)))
    spans = [
        (float(course.times[a]), float(course.times[b - 1]))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]
    return _intersect(periods, spans)


def _stretches(
    crossing: Sequence[Period], free: Sequence[Period], needed: float, rule: SunlightRule
) -> list[list[Period]]:
    """Return parts of the crossing periods that, with the free ones, are enough by the rule."""
    found: list[list[Period]] = []
    total = sum(b - a for a, b in crossing)
    starts = np.arange(0.0, total, TRIED).tolist()
    whole = list(crossing)
    for start in starts:
        kept = _shortest_from(whole, start, total, free, needed, rule)
        if kept is not None and kept not in found:
            found.append(kept)
    # Those that end with the last of the sun.
    low, high = 0.0, total
    for _ in range(24):
        middle = (low + high) / 2
        enough = _enough(_part(whole, middle, total), free, needed, rule)
        low, high = (middle, high) if enough else (low, middle)
    found.append(_part(whole, low, total))
    return found


def _shortest_from(
    crossing: Sequence[Period],
    start: float,
    total: float,
    free: Sequence[Period],
    needed: float,
    rule: SunlightRule,
) -> list[Period] | None:
    """Return the shortest part from a start that is enough; None where all the rest is not."""
    if not _enough(_part(crossing, start, total), free, needed, rule):
        return None
    low, high = start, total
    for _ in range(24):
        middle = (low + high) / 2
        enough = _enough(_part(crossing, start, middle), free, needed, rule)
        low, high = (low, middle) if enough else (middle, high)
    return _part(crossing, start, high)


def _enough(
    kept: Sequence[Period], free: Sequence[Period], needed: float, rule: SunlightRule
) -> bool:
    return rule.count(_joined([*kept, *free]), 3600.0).total >= needed - 1e-3


def _part(periods: Sequence[Period], start: float, end: float) -> list[Period]:
    """Return what lies between two lengths along periods laid end to end."""
    found, at = [], 0.0
    for a, b in periods:
        low, high = max(a, a + start - at), min(b, a + end - at)
        if high > low:
            found.append((low, high))
        at += b - a
    return found


def _limit(view: _View, kept: Sequence[Period], course: _Course) -> FloatArray:
    """Return the tops ``(N,)`` below the rays of kept periods, inf where none passes."""
    least = np.full(len(view.low), np.inf)
    for start, end in kept:
        # A little longer, so that what changes between two instants is inside.
        first, last = np.interp([start - 15.0, end + 15.0], course.times, course.azimuth)
        low, high = np.maximum(view.low, first), np.minimum(view.high, last)
        inside = low <= high
        # The sun rises and then sinks: over a stretch it is lowest at one of its ends.
        rise = np.minimum(*(np.interp(side, course.azimuth, course.rise) for side in (low, high)))
        least = np.where(inside, np.minimum(least, rise), least)
    with np.errstate(invalid="ignore"):
        tops: FloatArray = np.where(np.isfinite(least), view.z + view.near * least - CLEAR, np.inf)
    return tops


# -- choosing ------------------------------------------------------------------------------------


def _best(site: Site, options: Sequence[Sequence[Roof]], feedback: Feedback) -> list[Roof]:
    """Return one option of each: the one that leaves most below all of them."""
    free = site.free

    def room(tops: FloatArray) -> float:
        return float(np.maximum(tops - site.ground, 0.0).sum())

    # Those that have least choice, and then those that limit most, go first.
    order = sorted(
        range(len(options)),
        key=lambda n: (max(room(np.minimum(o.top, free)) for o in options[n]), n),
    )
    chosen: dict[int, Roof] = {}
    around = 2 if len(options) * len(free) <= SECOND_ROUND else 1
    for turn in range(around):
        # What the windows after each one leave, as they were chosen the last time.
        after = [free]
        for n in reversed(order):
            last = chosen[n].top if turn else free
            after.append(np.minimum(after[-1], last))
        after.reverse()
        before = free
        for k, n in enumerate(order):
            done = turn * len(order) + k
            feedback.step(done, around * len(order), tr("Choosing the sun to keep"))
            others = np.minimum(before, after[k + 1])
            chosen[n] = max(options[n], key=lambda o: room(np.minimum(o.top, others)))
            before = np.minimum(before, chosen[n].top)
    return [chosen[n] for n in range(len(options))]


# -- periods -------------------------------------------------------------------------------------


def _intersect(one: Sequence[Period], other: Sequence[Period]) -> list[Period]:
    return [(max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) < min(b, d)]


def _subtract(one: Sequence[Period], other: Sequence[Period]) -> list[Period]:
    found = []
    for a, b in one:
        start = a
        for c, d in other:
            if d <= start or c >= b:
                continue
            if c > start:
                found.append((start, c))
            start = max(start, d)
        if start < b:
            found.append((start, b))
    return found


def _joined(periods: Sequence[Period]) -> list[Period]:
    """Return periods in order, those that touch as one."""
    found: list[Period] = []
    for a, b in sorted(periods):
        if found and a <= found[-1][1] + 1e-6:
            found[-1] = (found[-1][0], max(b, found[-1][1]))
        else:
            found.append((a, b))
    return found
