"""How sure a measured number is, propagated from how sure its points are.

First-order propagation (JCGM 100:2008, "GUM", clause 5.1.2) for points whose coordinates have
independent standard uncertainties, the same along each axis of a point. What is printed is the
expanded uncertainty with coverage factor 2, about 95 % (clause 6.3.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from plumbline.core.data import FloatArray

#: Coverage factor of about 95 % (JCGM 100:2008, 6.3.3).
COVERAGE = 2.0


def resolution_sigma(resolution: float) -> float:
    """Return the standard uncertainty of a place known to one cell or point spacing.

    A uniform distribution over the resolution: ``r / √12`` (JCGM 100:2008, 4.3.7).
    """
    return resolution / math.sqrt(12.0)


def expanded(sigma: float | None) -> float | None:
    """Return the half-width of the 95 % range, None where nothing is known."""
    return None if sigma is None or not math.isfinite(sigma) else COVERAGE * sigma


def length_sigma(points: FloatArray, sigma: FloatArray, *, closed: bool = False) -> float:
    """Return the standard uncertainty of the length of a line.

    Moving a point changes the length by the sum of the unit vectors from its neighbours.

    Parameters
    ----------
    points : (N, D) float64
        Metres.
    sigma : (N,) float64
        Of each coordinate of each point, metres.
    """
    gradient = np.zeros_like(points)
    numbers = list(range(len(points))) + ([0] if closed else [])
    for a, b in pairwise(numbers):
        leg = points[b] - points[a]
        size = float(np.linalg.norm(leg))
        # Where two points are the same every direction lengthens the leg alike; one stands for all.
        along = leg / size if size else np.eye(points.shape[1])[0]
        gradient[b] += along
        gradient[a] -= along
    return float(np.sqrt((sigma**2 * (gradient**2).sum(axis=1)).sum()))


def area_sigma(points: FloatArray, sigma: FloatArray) -> float:
    """Return the standard uncertainty of the area of a polygon, by the shoelace formula.

    Moving a corner by ``d`` changes the area by half of the cross product of ``d`` and the chord
    between its neighbours.

    Parameters
    ----------
    points : (N, 2) float64
        Metres.
    sigma : (N,) float64
    """
    chord = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    return float(np.sqrt((sigma**2 * (chord**2).sum(axis=1)).sum()) / 2)


def propagated(
    value: Callable[[FloatArray], float], points: FloatArray, sigma: FloatArray
) -> float:
    """Return the standard uncertainty of any angle in degrees that points make.

    The derivatives are central differences over a thousandth of the extent of the points.

    Parameters
    ----------
    value : callable
        Of points like these; degrees.
    points : (N, 3) float64
        Metres.
    sigma : (N,) float64
        Of each coordinate of each point, metres.
    """
    step = 1e-3 * float(np.ptp(points, axis=0).max())
    if step == 0 or not np.isfinite(sigma).all():
        return math.nan
    total = 0.0
    for n, axis in np.ndindex(*points.shape):
        moved = np.zeros_like(points)
        moved[n, axis] = step
        change = value(points + moved) - value(points - moved)
        change = (change + 180.0) % 360.0 - 180.0  # across north
        total += (float(sigma[n]) * change / (2 * step)) ** 2
    return math.sqrt(total)


def slope_sigma(horizontal: float, vertical: float, sigma: float) -> tuple[float, float]:
    """Return the standard uncertainties of a slope in degrees and in per cent.

    Parameters
    ----------
    horizontal, vertical : float
        Metres.
    sigma : float
        Of each component of the difference of both ends, metres.
    """
    length = math.hypot(horizontal, vertical)
    angle = math.degrees(sigma / length) if length else math.inf
    if horizontal == 0:
        return angle, math.inf
    return angle, 100 * sigma * length / horizontal**2


def azimuth_sigma(horizontal: float, sigma: float) -> float:
    """Return the standard uncertainty of an azimuth, degrees."""
    return math.degrees(sigma / horizontal) if horizontal else math.inf
