"""Sun on windows, counted by a rule: lit periods, what counts, who stands in the way, the verdict.

A window is lit where both ends of its sill are lit at once (full window); of a wider window the
best stretch of the rule's favourable width counts, looked for in steps of the rule's sample
spacing. `centre` rules look at the middle of the sill only.

The uncertainty of a margin is the larger of the rule's tolerance and of what the counted time moves
by when every change of light moves by the seconds to which it is known, and, where asked, when
everything stands higher or lower by a stated height. A margin within its uncertainty is too close
to call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    FINEST,
    OWN_WALL,
    TOO_LOW,
    Band,
    CountedSun,
    Feedback,
    LitPeriods,
    Obstacles,
    Occluder,
    Receivers,
    SunlightRule,
    lit_periods,
    sun_tracks,
)
from plumbline_sunlight.analysis.openings import Opening
from plumbline_sunlight.analysis.outward import buried

FloatArray = NDArray[np.float64]
Period = tuple[float, float]

PASS, FAIL, CLOSE, UNKNOWN = "pass", "fail", "close", "unknown"


@dataclass(frozen=True)
class Dark:
    """A dark period, seconds of UTC, and its cause: an owner of obstacles, or a negative code."""

    start: float
    end: float
    owner: int


@dataclass(frozen=True)
class WindowSun:
    """What a window gets.

    Attributes
    ----------
    periods : tuple of (start, end)
        Seconds of UTC since 1970-01-01.
    counted : CountedSun
        Seconds.
    offset : float
        Middle of the stretch that counts, metres from the middle of the sill.
    dark : tuple of Dark
    verdict : str
    margin, uncertainty : float, optional
        Hours; None where the window's outside is not known, or is inside of a building.
    """

    opening: Opening
    periods: tuple[Period, ...]
    counted: CountedSun
    offset: float
    dark: tuple[Dark, ...]
    verdict: str
    margin: float | None
    uncertainty: float | None

    @property
    def hours(self) -> float | None:
        """Counted hours."""
        return None if self.margin is None else self.counted.total / 3600.0


@dataclass(frozen=True)
class Stretch:
    """A part of a sill: the receivers at its two ends, and its middle."""

    one: int
    other: int
    offset: float


def judge(
    given: Sequence[Opening],
    rule: SunlightRule,
    band: Band,
    obstacles: Obstacles,
    feedback: Feedback | None = None,
    height_uncertainty: float = 0.0,
) -> tuple[WindowSun, ...]:
    """Return what each window gets, in their order.

    A window whose stated azimuth points into a building has no verdict.

    Parameters
    ----------
    height_uncertainty : float
        How much higher or lower everything may stand than it is drawn, metres.
    """
    feedback = feedback or Feedback()
    known = [one for one in given if one.outward is not None]
    occluder = Occluder(obstacles.vertices, obstacles.triangles)
    shifts = [0.0] if height_uncertainty == 0 else [0.0, height_uncertainty, -height_uncertainty]
    runs = []
    for n, shift in enumerate(shifts):
        part = feedback.part(n / len(shifts), (n + 1) / len(shifts))
        owner = obstacles.owner if n == 0 else None
        runs.append(_sun(known, rule, band, obstacles, occluder, shift, owner, part))
    found = {}
    blind = [k for k, one in enumerate(known) if one.how == "stated" and not runs[0][k][0]]
    wrong = buried([known[k] for k in blind], occluder)
    lost = {k for k, into in zip(blind, wrong, strict=True) if into}
    for k, one in enumerate(known):
        if k in lost:
            continue
        periods, offset, dark = runs[0][k]
        counted = rule.count(periods, 3600.0)
        moved = [*(_moved(periods, by) for by in (-FINEST / 2, FINEST / 2))]
        moved += [run[k][0] for run in runs[1:]]
        spread = max(abs(rule.count(p, 3600.0).total - counted.total) for p in moved)
        margin = counted.total / 3600.0 - rule.hours
        uncertainty = max(rule.tolerance / 60.0, spread / 3600.0)
        verdict = verdict_of(margin, uncertainty)
        found[id(one)] = WindowSun(
            one, tuple(periods), counted, offset, tuple(dark), verdict, margin, uncertainty
        )
    # Neither pass nor fail: those without an outside, and those that look into a building.
    nothing = CountedSun(0.0, 0.0, ())
    return tuple(
        found.get(id(one)) or WindowSun(one, (), nothing, 0.0, (), UNKNOWN, None, None)
        for one in given
    )


def verdict_of(margin: float, uncertainty: float) -> str:
    """Return the verdict on a margin."""
    if abs(margin) <= uncertainty:
        return CLOSE
    return PASS if margin > 0 else FAIL


# -- receivers ---------------------------------------------------------------------------------


def stretches(width: float, rule: SunlightRule) -> tuple[FloatArray, list[tuple[int, int]]]:
    """Return the offsets of a sill's receivers, metres from its middle, and the pairs that count.

    A stretch counts when both of its ends are lit.
    """
    if rule.window_rule == "centre":
        return np.zeros(1), [(0, 0)]
    best = rule.favourable_width
    if best is None or width <= best + 1e-6:
        return np.array([-width / 2, width / 2]), [(0, 1)]
    count = math.ceil((width - best) / rule.spacing.windows[1] - 1e-9) + 1
    starts = np.linspace(-width / 2, width / 2 - best, count)
    return np.concatenate([starts, starts + best]), [(n, count + n) for n in range(count)]


def _receivers(
    given: Sequence[Opening], rule: SunlightRule, shift: float
) -> tuple[FloatArray, FloatArray, list[list[Stretch]]]:
    points: list[tuple[float, float, float]] = []
    normals: list[tuple[float, float, float]] = []
    choices: list[list[Stretch]] = []
    for one in given:
        assert one.outward is not None
        offsets, pairs = stretches(one.width, rule)
        first = len(points)
        for offset in offsets.tolist():
            x, y, z = one.at(offset)
            points.append((x, y, z + shift))
            normals.append((*one.outward, 0.0))
        choices.append(
            [Stretch(first + a, first + b, float(offsets[a] + offsets[b]) / 2) for a, b in pairs]
        )
    return np.array(points).reshape(-1, 3), np.array(normals).reshape(-1, 3), choices


_Sun = tuple[list[Period], float, list[Dark]]


def _sun(
    given: Sequence[Opening],
    rule: SunlightRule,
    band: Band,
    obstacles: Obstacles,
    occluder: Occluder,
    shift: float,
    owner: NDArray[np.int32] | None,
    feedback: Feedback,
) -> list[_Sun]:
    """Return lit periods, the stretch they are of, and dark periods of each window."""
    # The engine takes one sweep angle at a time.
    sweeps = np.array([rule.sweep_angle(one.width) for one in given])
    result: list[_Sun] = [([], 0.0, [])] * len(given)
    angles = np.unique(sweeps)
    for n, angle in enumerate(angles.tolist()):
        rows = np.flatnonzero(sweeps == angle).tolist()
        points, normals, choices = _receivers([given[k] for k in rows], rule, shift)
        lit = lit_periods(
            occluder,
            Receivers(points, normals, angle),
            sun_tracks(obstacles.frame, points, band),
            feedback.part(n / len(angles), (n + 1) / len(angles)),
            owner=owner,
        )
        for k, choice in zip(rows, choices, strict=True):
            result[k] = _best(lit, choice, rule)
    return result


def _best(lit: LitPeriods, choice: Sequence[Stretch], rule: SunlightRule) -> _Sun:
    """Return the stretch that gets most; of equal ones the nearest to the middle."""
    tried = []
    for stretch in choice:
        periods = overlap(lit.of(stretch.one), lit.of(stretch.other))
        counted = rule.count(periods, 3600.0)
        tried.append((-counted.total, -counted.longest, abs(stretch.offset), stretch, periods))
    *_, stretch, periods = min(tried, key=lambda one: one[:3])
    return periods, stretch.offset, _dark(lit, stretch)


def overlap(one: Sequence[Period], other: Sequence[Period]) -> list[Period]:
    """Return the times that are in both of two ascending lists of disjoint periods."""
    found = []
    i = k = 0
    while i < len(one) and k < len(other):
        start, end = max(one[i][0], other[k][0]), min(one[i][1], other[k][1])
        if start < end:
            found.append((start, end))
        if one[i][1] <= other[k][1]:
            i += 1
        else:
            k += 1
    return found


def _dark(lit: LitPeriods, stretch: Stretch) -> list[Dark]:
    """Return the dark periods of a stretch: those of one end, then what the other end adds."""
    if lit.darkness is None:
        return []
    darkness = lit.darkness
    found: list[Dark] = []
    for end in dict.fromkeys((stretch.one, stretch.other)):
        part = slice(darkness.offsets[end], darkness.offsets[end + 1])
        own = [
            Dark(*row)
            for row in zip(
                darkness.start[part].tolist(),
                darkness.end[part].tolist(),
                darkness.owner[part].tolist(),
                strict=True,
            )
        ]
        taken = [(d.start, d.end) for d in sorted(found, key=lambda d: d.start)]
        for dark in own:
            found += [Dark(a, b, dark.owner) for a, b in _without((dark.start, dark.end), taken)]
    return _merged(sorted(found, key=lambda d: d.start))


def _without(period: Period, taken: Sequence[Period]) -> list[Period]:
    """Return what of a period lies outside of others that are disjoint and ascending."""
    found, start = [], period[0]
    for a, b in taken:
        if b <= start or a >= period[1]:
            continue
        if a > start:
            found.append((start, a))
        start = max(start, b)
    if start < period[1]:
        found.append((start, period[1]))
    return found


def _merged(given: Sequence[Dark]) -> list[Dark]:
    found: list[Dark] = []
    for one in given:
        last = found[-1] if found else None
        if last is not None and last.owner == one.owner and one.start - last.end < 1e-6:
            found[-1] = Dark(last.start, one.end, one.owner)
        else:
            found.append(one)
    return found


def _moved(periods: Sequence[Period], by: float) -> list[Period]:
    """Return periods that begin earlier and end later by some seconds, or the other way."""
    return [(a - by, b + by) for a, b in periods if b - a + 2 * by > 0]


def cause_of(owner: int) -> str:
    """Return what a dark period is due to."""
    return {OWN_WALL: "own wall", TOO_LOW: "low sun"}.get(owner, "obstacle")
