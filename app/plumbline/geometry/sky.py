"""How much of the sky a place sees, and how: exact in elevation, a quadrature in azimuth.

Along each azimuth the elevations that triangles cover are joined to intervals, whose weights have
closed forms. So overhangs, bridges and arcades count as what they are, and only the azimuth is
sampled, at the middles of even steps (midpoint rule).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray
from plumbline.core.feedback import Feedback
from plumbline.geometry.skyline import Azimuths, cut

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Intervals:
    """Covered elevations above the horizon, joined so that no two touch.

    Attributes
    ----------
    azimuth : (K,) intp
    low, high : (K,) float64
        Radians, 0 to pi/2.
    nearest : (K,) intp
        One of the triangles of each, that which reaches highest.
    """

    azimuth: Indices
    low: FloatArray
    high: FloatArray
    nearest: Indices


@dataclass(frozen=True)
class Sky:
    """What a horizontal place sees of the sky.

    Attributes
    ----------
    view_factor, view_factor_error : float
        Sky view factor: weighted by the cosine from the zenith (Johnson and Watson 1984), 0 to 1.
    visible_share, visible_share_error : float
        Share of the solid angle of the upper hemisphere, 0 to 1.
    openness, openness_error : float
        Mean angle from the zenith down to the horizon, degrees (positive openness of Yokoyama,
        Shirasawa and Pike 2002, over all azimuths); where nothing stands the horizon is level.
    azimuths : Azimuths
    horizon : (N,) float64
        Highest covered elevation, degrees; NaN where nothing stands.
    covered : Intervals

    The errors are the greatest deviation among the means over every third azimuth: those of a rule
    three times as coarse, and none of the three is the mirror image of both others.
    """

    view_factor: float
    view_factor_error: float
    visible_share: float
    visible_share_error: float
    openness: float
    openness_error: float
    azimuths: Azimuths
    horizon: FloatArray
    covered: Intervals


def sky_of(
    corners: FloatArray,
    step: float = 0.25,
    radius: float = np.inf,
    feedback: Feedback | None = None,
) -> Sky:
    """Return what the origin sees of the sky between triangles.

    Parameters
    ----------
    corners : (M, 3, 3) float64
        Triangles relative to the eye: x east, y north, z up, metres.
    step : float
        Degrees between azimuths; 360 must be three times a whole number of them.
    radius : float
        What is farther away horizontally does not count, metres.
    """
    count = round(360.0 / step)
    if count % 3 or abs(count * step - 360.0) > 1e-9:
        raise ValueError("360 degrees must be three times a whole number of steps")
    azimuths = Azimuths(step / 2, step, count)
    horizon = np.full(count, -np.inf)
    covered = Intervals(*(np.empty(0, t) for t in (np.intp, float, float, np.intp)))
    for cuts in cut(corners, azimuths, radius, feedback):
        np.maximum.at(horizon, cuts.azimuth, cuts.high)
        above = cuts.high > 0
        covered = _joined(
            np.concatenate([covered.azimuth, cuts.azimuth[above]]),
            np.concatenate([covered.low, np.maximum(cuts.low[above], 0.0)]),
            np.concatenate([covered.high, cuts.high[above]]),
            np.concatenate([covered.nearest, cuts.triangle[above]]),
        )
    # Integrals over elevation: of 2 sin e cos e for the view factor, of cos e for the solid angle.
    factor, share = np.ones(count), np.ones(count)
    np.subtract.at(factor, covered.azimuth, np.sin(covered.high) ** 2 - np.sin(covered.low) ** 2)
    np.subtract.at(share, covered.azimuth, np.sin(covered.high) - np.sin(covered.low))
    zenith = 90.0 - np.degrees(np.where(np.isfinite(horizon), horizon, 0.0))
    known = np.where(np.isfinite(horizon), np.degrees(horizon), np.nan)
    return Sky(*_mean(factor), *_mean(share), *_mean(zenith), azimuths, known, covered)


def _mean(values: FloatArray) -> tuple[float, float]:
    """Return the mean over all azimuths and its error."""
    mean = float(values.mean())
    error = float(np.abs([values[n::3].mean() - mean for n in range(3)]).max())
    return max(mean, 0.0), error


def _joined(azimuth: Indices, low: FloatArray, high: FloatArray, triangle: Indices) -> Intervals:
    """Join intervals of the same azimuth that touch or overlap."""
    if len(azimuth) == 0:
        return Intervals(azimuth, low, high, triangle)
    order = np.lexsort((triangle, -high, low, azimuth))
    azimuth, low, high, triangle = azimuth[order], low[order], high[order], triangle[order]
    # One running maximum for all azimuths: each lies above the one before it.
    lift = 4.0 * azimuth
    reached = np.maximum.accumulate(high + lift)
    # Rounding of the lift: gaps less than this are none (1e-9 rad is 0.1 mm at 100 km).
    begins = np.r_[True, low[1:] + lift[1:] > reached[:-1] + 1e-9]
    begins[1:] |= azimuth[1:] != azimuth[:-1]
    group = np.cumsum(begins) - 1
    top = np.full(group[-1] + 1, -np.inf)
    np.maximum.at(top, group, high)
    highest = np.zeros(len(top), dtype=np.intp)
    at = np.flatnonzero(high == top[group])[::-1]
    highest[group[at]] = triangle[at]
    return Intervals(azimuth[begins], low[begins], top, highest)
