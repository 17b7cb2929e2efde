"""The skyline as it is: triangles cut by the vertical half-plane of each azimuth.

A half-plane that stands on the eye meets a triangle in a straight stretch, along which the
elevation angle only rises or only falls. So its ends say exactly how much of the sky the triangle
covers in that direction; elevation is never sampled, and a roof is not missed however far it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray
from plumbline.core.feedback import Feedback

Indices = NDArray[np.intp]

#: Triangles that are laid out at a time, and cuts that are computed at a time.
_TRIANGLES, _CUTS = 500_000, 1_000_000


@dataclass(frozen=True)
class Azimuths:
    """Half-planes at even steps, clockwise from grid north.

    Attributes
    ----------
    start, step : float
        Degrees.
    count : int
    """

    start: float
    step: float
    count: int

    @property
    def degrees(self) -> FloatArray:
        """Azimuths ``(count,)``, not wrapped to 0..360."""
        degrees: FloatArray = self.start + self.step * np.arange(self.count, dtype=np.float64)
        return degrees


@dataclass(frozen=True)
class Cuts:
    """Where half-planes meet triangles.

    Attributes
    ----------
    azimuth, triangle : (K,) intp
    low, high : (K,) float64
        Elevation angles between which the triangle covers the view, radians.
    distance : (K,) float64
        Horizontal distance of the point at `high`, metres.
    """

    azimuth: Indices
    triangle: Indices
    low: FloatArray
    high: FloatArray
    distance: FloatArray


@dataclass(frozen=True)
class Skyline:
    """The highest point in each direction.

    Attributes
    ----------
    elevation : (N,) float64
        Degrees above the horizontal; NaN where there is nothing.
    distance : (N,) float64
        Horizontal distance to the point, metres; NaN where there is nothing.
    triangle : (N,) intp
        -1 where there is nothing.
    """

    elevation: FloatArray
    distance: FloatArray
    triangle: Indices


def skyline(
    corners: FloatArray,
    azimuths: Azimuths,
    max_distance: float = np.inf,
    feedback: Feedback | None = None,
) -> Skyline:
    """Return the upper outline of triangles as seen from the origin.

    Parameters
    ----------
    corners : (M, 3, 3) float64
        Triangles relative to the eye: x east, y north, z up, metres.
    max_distance : float
        What is farther away horizontally is not seen, metres.

    Notes
    -----
    The elevation in each azimuth is exact to rounding. Between two points equally high the nearer
    one counts, then the triangle that comes first.
    """
    best = np.full(azimuths.count, -np.inf)
    distance = np.full(azimuths.count, np.inf)
    triangle = np.full(azimuths.count, -1, dtype=np.intp)
    for cuts in cut(corners, azimuths, max_distance, feedback):
        order = np.lexsort((cuts.triangle, cuts.distance, -cuts.high, cuts.azimuth))
        at = cuts.azimuth[order]
        first = order[np.r_[True, at[1:] != at[:-1]]] if len(order) else order
        k = cuts.azimuth[first]
        better = (cuts.high[first] > best[k]) | (
            (cuts.high[first] == best[k]) & (cuts.distance[first] < distance[k])
        )
        first, k = first[better], k[better]
        best[k], distance[k] = cuts.high[first], cuts.distance[first]
        triangle[k] = cuts.triangle[first]
    found = triangle >= 0
    return Skyline(
        np.where(found, np.degrees(best), np.nan), np.where(found, distance, np.nan), triangle
    )


def cut(
    corners: FloatArray,
    azimuths: Azimuths,
    max_distance: float = np.inf,
    feedback: Feedback | None = None,
) -> Iterator[Cuts]:
    """Cut triangles by half-planes, a bounded number at a time; see `skyline`."""
    feedback = feedback or Feedback()
    angle = np.radians(azimuths.degrees)
    ahead = np.column_stack([np.sin(angle), np.cos(angle)])
    for begin in range(0, len(corners), _TRIANGLES):
        feedback.step(begin, len(corners))
        some = corners[begin : begin + _TRIANGLES]
        triangle, first, count = _spans(some, azimuths, max_distance)
        total = np.cumsum(count)
        start = 0
        while start < len(triangle):
            feedback.check()
            done = total[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(total, done + _CUTS, side="right")))
            part = slice(start, stop)
            rows = np.repeat(triangle[part], count[part])
            within = np.arange(len(rows)) - np.repeat(total[part] - count[part] - done, count[part])
            k = np.repeat(first[part], count[part]) + within
            cuts = _cuts(some, rows, k, ahead, max_distance)
            yield Cuts(cuts.azimuth, cuts.triangle + begin, cuts.low, cuts.high, cuts.distance)
            start = stop


def _spans(
    corners: FloatArray, azimuths: Azimuths, max_distance: float
) -> tuple[Indices, Indices, Indices]:
    """Return triangles with the first azimuth that may meet each and how many follow.

    A triangle that crosses the ends of the range comes twice. Which azimuths really meet it is
    decided by the cut.
    """
    x, y = corners[..., 0], corners[..., 1]
    near = _least_distance(x, y) <= max_distance
    rows = np.flatnonzero(near)
    x, y = x[rows], y[rows]
    azimuth = np.degrees(np.arctan2(x, y))
    turned = (azimuth - azimuth[:, :1] + 180.0) % 360.0 - 180.0
    low, high = _least(turned), _most(turned)
    side = x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y
    around = (_least(side) >= 0) | (_most(side) <= 0) | (high - low > 179.0)
    width = np.where(around, 360.0, high - low)
    begin = np.where(around, 0.0, (azimuth[:, 0] + low - azimuths.start) % 360.0)
    firsts, lasts = [], []
    for turn in (0.0, -360.0):
        # A millionth of a step wider, so that rounding loses no azimuth.
        firsts.append(np.ceil((begin + turn) / azimuths.step - 1e-6))
        lasts.append(np.floor((begin + turn + width) / azimuths.step + 1e-6))
    # A triangle all around has its range whole in the first turn.
    lasts[1] = np.where(around, -1.0, lasts[1])
    first = np.clip(np.concatenate(firsts), 0, azimuths.count).astype(np.intp)
    last = np.clip(np.concatenate(lasts), -1, azimuths.count - 1).astype(np.intp)
    keep = last >= first
    both = np.concatenate([rows, rows])
    return both[keep], first[keep], (last - first + 1)[keep]


def _least_distance(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return a lower bound of the horizontal distance of triangles: that of their boxes."""
    away = [np.maximum(np.maximum(_least(v), -_most(v)), 0.0) for v in (x, y)]
    bound: FloatArray = np.hypot(*away)
    return bound


def _least(values: FloatArray) -> FloatArray:
    """Return the least of three columns; several times faster than a reduction of rows."""
    least: FloatArray = np.minimum(np.minimum(values[:, 0], values[:, 1]), values[:, 2])
    return least


def _most(values: FloatArray) -> FloatArray:
    """Return the greatest of three columns."""
    most: FloatArray = np.maximum(np.maximum(values[:, 0], values[:, 1]), values[:, 2])
    return most


def _cuts(
    corners: FloatArray, rows: Indices, k: Indices, ahead: FloatArray, max_distance: float
) -> Cuts:
    """Return the stretches in which half-planes `k` meet triangles `rows`."""
    east, north = ahead[k].T
    x, y, z = (corners[rows, :, n] for n in range(3))
    across = x * north[:, None] - y * east[:, None]
    along = x * east[:, None] + y * north[:, None]
    near, far = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    near_z, far_z = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)

    def meet(valid: NDArray[np.bool_], r: FloatArray, height: FloatArray) -> None:
        nearer = valid & ((r < near) | ((r == near) & (height < near_z)))
        near[nearer], near_z[nearer] = r[nearer], height[nearer]
        farther = valid & ((r > far) | ((r == far) & (height > far_z)))
        far[farther], far_z[farther] = r[farther], height[farther]

    for i in range(3):
        j = (i + 1) % 3
        crosses = across[:, i] * across[:, j] < 0
        with np.errstate(divide="ignore", invalid="ignore"):
            t = across[:, i] / (across[:, i] - across[:, j])
            r = along[:, i] + t * (along[:, j] - along[:, i])
            height = z[:, i] + t * (z[:, j] - z[:, i])
        meet(crosses, r, height)
        # An edge that only ends on the plane still belongs to it.
        meet(across[:, i] == 0, along[:, i], z[:, i])
    return _limited(rows, k, near, near_z, far, far_z, max_distance)


def _limited(
    rows: Indices,
    k: Indices,
    near: FloatArray,
    near_z: FloatArray,
    far: FloatArray,
    far_z: FloatArray,
    max_distance: float,
) -> Cuts:
    """Clip stretches to what lies ahead of the eye and within the distance."""
    keep = (far >= 0) & (near <= max_distance) & (far >= near)
    rows, k = rows[keep], k[keep]
    near, near_z, far, far_z = near[keep], near_z[keep], far[keep], far_z[keep]
    # A stretch that is clipped has a length: one end lies on each side of the limit.
    behind = near < 0
    share = near[behind] / (near[behind] - far[behind])
    near_z[behind] += share * (far_z[behind] - near_z[behind])
    near[behind] = 0.0
    beyond = far > max_distance
    share = (max_distance - near[beyond]) / (far[beyond] - near[beyond])
    far_z[beyond] = near_z[beyond] + share * (far_z[beyond] - near_z[beyond])
    far[beyond] = max_distance
    one, two = np.arctan2(near_z, near), np.arctan2(far_z, far)
    high = np.maximum(one, two)
    return Cuts(k, rows, np.minimum(one, two), high, np.where(one >= two, near, far))
