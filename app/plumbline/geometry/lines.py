"""Lengths and directions of lines, in plain numbers.

Works on metres in a plane with x east and y north; what the plane is on earth belongs to
`plumbline.geometry.geodesy`.
"""

from __future__ import annotations

import math

import numpy as np

from plumbline.core.data import AnyArray, FloatArray

#: Below this change of slope the closed form of an arc loses digits, and Simpson's rule has them.
_STRAIGHT = 1e-3


def azimuth(dx: float, dy: float) -> float | None:
    """Return the direction of a vector, degrees clockwise from the y axis in 0..360.

    None for a vector without length: it has no direction.
    """
    if dx == 0 and dy == 0:
        return None
    angle = math.degrees(math.atan2(dx, dy)) % 360.0
    return 0.0 if angle == 360.0 else angle


def slope(horizontal: float, vertical: float) -> tuple[float | None, float | None]:
    """Return the slope in degrees and in percent, rising positive.

    A vertical line has 90° and no percentage; a line without length has neither.
    """
    if horizontal == 0 and vertical == 0:
        return None, None
    degrees = math.degrees(math.atan2(vertical, horizontal))
    return degrees, (100.0 * vertical / horizontal if horizontal > 0 else None)


def rise_and_fall(heights: AnyArray) -> tuple[float, float]:
    """Return the sums of all rises and of all falls along ``(N,)`` heights, both positive."""
    steps = np.diff(np.asarray(heights, dtype=np.float64))
    return float(steps[steps > 0].sum()), float(np.abs(steps[steps < 0]).sum())


def grid_crossings(start: AnyArray, end: AnyArray) -> FloatArray:
    """Return where a segment crosses whole numbers of column or row, with both its ends.

    Parameters
    ----------
    start, end : (2,)
        In cell units, so that interpolation between cells is smooth between crossings.

    Returns
    -------
    (K,) float64
        Fractions of the segment from 0 to 1, increasing.
    """
    cuts = [np.array([0.0, 1.0])]
    for a, b in zip(np.asarray(start, float), np.asarray(end, float), strict=True):
        low, high = min(a, b), max(a, b)
        whole = np.arange(math.floor(low) + 1, math.ceil(high))
        if a != b:
            cuts.append((whole - a) / (b - a))
    fractions: FloatArray = np.unique(np.clip(np.concatenate(cuts), 0.0, 1.0))
    return fractions


def parabola_arcs(
    lengths: AnyArray, z_start: AnyArray, z_middle: AnyArray, z_end: AnyArray
) -> tuple[float, float, float]:
    """Return length, ascent and descent of a line whose heights are parabolas piece by piece.

    Along a straight line, bilinear interpolation in one cell is exactly a parabola; three heights
    of each piece give it whole.

    Parameters
    ----------
    lengths : (N,)
        Horizontal length of each piece, metres, greater than 0.
    z_start, z_middle, z_end : (N,)
        Heights at both ends and in the middle of each piece, metres.
    """
    d, z0, zm, z1 = (np.asarray(v, float) for v in (lengths, z_start, z_middle, z_end))
    first = (4 * zm - 3 * z0 - z1) / d
    last = (z0 - 4 * zm + 3 * z1) / d
    length = float((_mean_stretch(first, last) * d).sum())
    ascent = float((_positive_mean(first, last) * d).sum())
    descent = float((_positive_mean(-first, -last) * d).sum())
    return length, ascent, descent


def _mean_stretch(first: FloatArray, last: FloatArray) -> FloatArray:
    """Return the mean of ``sqrt(1 + s²)`` over slopes s that run linearly."""

    def stretch(s: FloatArray) -> FloatArray:
        value: FloatArray = np.hypot(1.0, s)
        return value

    def integral(s: FloatArray) -> FloatArray:
        value: FloatArray = (s * stretch(s) + np.arcsinh(s)) / 2
        return value

    change = last - first
    straight = np.abs(change) < _STRAIGHT
    simpson = (stretch(first) + 4 * stretch((first + last) / 2) + stretch(last)) / 6
    closed = (integral(last) - integral(first)) / np.where(straight, 1.0, change)
    mean: FloatArray = np.where(straight, simpson, closed)
    return mean


def _positive_mean(first: FloatArray, last: FloatArray) -> FloatArray:
    """Return the mean over 0..1 of the positive part of values that run linearly."""
    low, high = np.minimum(first, last), np.maximum(first, last)
    width = np.where(high > low, high - low, 1.0)
    crossing = np.where((low < 0) & (high > 0), high**2 / (2 * width), 0.0)
    mean: FloatArray = np.where(low >= 0, (low + high) / 2, crossing)
    return mean
