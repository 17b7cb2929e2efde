"""By how much triangles rise above surfaces that nothing may pass, exactly.

A limit is a surface of triangles over the map: cones and corridors are made of them too. Over the
overlap of two triangles on the map the difference of their heights is linear, so it is greatest at
a corner of the overlap: a corner of one inside the other, or a crossing of two edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.feedback import Feedback

Indices = NDArray[np.intp]
Heights = Callable[[FloatArray], FloatArray]

#: Pairs of triangles that are compared at a time.
_PAIRS = 100_000
#: Cones are made of flat pieces that deviate from them by this at most, metres.
CONE_TOLERANCE = 0.001


@dataclass(frozen=True)
class Excess:
    """How far bodies rise above a limit; only those that overlap it on the map.

    Attributes
    ----------
    body : (K,) intp
    height : (K,) float64
        Greatest height above the limit, metres; negative where the body stays below.
    place : (K, 3) float64
        Point of the body where that is.
    """

    body: Indices
    height: FloatArray
    place: FloatArray


def excess_over(
    corners: FloatArray,
    owner: AnyArray,
    limit: FloatArray,
    ground: Heights | None = None,
    above: float = -np.inf,
    feedback: Feedback | None = None,
) -> Excess:
    """Return how far bodies rise above a limit.

    Parameters
    ----------
    corners : (M, 3, 3) float64
        Triangles of the bodies, metres.
    owner : (M,) integer
        Body of each triangle.
    limit : (L, 3, 3) float64
        Triangles of the limit, none of them upright.
    ground : function, optional
        Heights at places ``(N, 2)`` that the limit is counted from; the difference is then taken at
        the corners of the overlaps. NaN counts as no limit.
    above : float
        Bodies that rise less are not looked for, metres; most triangles are then passed over.

    Notes
    -----
    Without `ground` the result is exact to rounding. Equal heights go to the triangle that comes
    first.
    """
    feedback = feedback or Feedback()
    count = int(owner.max()) + 1 if len(owner) else 0
    best = np.full(count, -np.inf)
    place = np.full((count, 3), np.nan)
    for upper, lower, share in _pairs(corners, limit):
        feedback.step(int(1000 * share), 1000)
        if ground is None and above > -np.inf:
            high = _bound(corners[upper], limit[lower]) > above
            upper, lower = upper[high], lower[high]
        if len(upper) == 0:
            continue
        height, where = _greatest(corners[upper], limit[lower], ground)
        order = np.lexsort((upper, -height, owner[upper]))
        body = owner[upper[order]]
        first = order[np.r_[True, body[1:] != body[:-1]]]
        at = owner[upper[first]]
        better = height[first] > np.maximum(best[at], above)
        best[at[better]] = height[first[better]]
        place[at[better]] = where[first[better]]
    found = np.flatnonzero(np.isfinite(best))
    return Excess(found, best[found], place[found])


def _pairs(corners: FloatArray, limit: FloatArray) -> Iterator[tuple[Indices, Indices, float]]:
    """Yield pairs of triangles whose boxes overlap on the map, and how far that is, 0 to 1."""
    import shapely

    if len(corners) == 0 or len(limit) == 0:
        return
    near = np.flatnonzero(_overlap(corners, limit))
    boxes = [
        shapely.box(*(_least(v[..., n]) for n in (0, 1)), *(-_least(-v[..., n]) for n in (0, 1)))
        for v in (corners[near], limit)
    ]
    tree = shapely.STRtree(boxes[0])
    start, step = 0, 1
    while start < len(limit):
        lower, upper = tree.query(boxes[1][start : start + step])
        for part in range(0, len(lower), _PAIRS):
            chosen = slice(part, part + _PAIRS)
            yield near[upper[chosen]], lower[chosen] + start, start / len(limit)
        start += step
        # As many pieces of the limit at a time as meet about that many bodies.
        step = 2 * step if len(lower) < _PAIRS / 2 else max(1, step // 2)


def _overlap(corners: FloatArray, limit: FloatArray) -> NDArray[np.bool_]:
    """Tell which triangles touch the box of the whole limit on the map."""
    flat = limit[..., :2].reshape(-1, 2)
    low, high = flat.min(axis=0), flat.max(axis=0)
    meets = np.ones(len(corners), dtype=bool)
    for axis in (0, 1):
        values = corners[..., axis]
        meets &= (_least(values) <= high[axis]) & (_least(-values) <= -low[axis])
    return meets


def _least(values: FloatArray) -> FloatArray:
    """Return the least of three columns; several times faster than a reduction of rows."""
    least: FloatArray = np.minimum(np.minimum(values[:, 0], values[:, 1]), values[:, 2])
    return least


def _bound(upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Return how far triangles rise above the planes of others: at least as far as above them."""
    a, b, c = (lower[:, n] for n in range(3))
    det = _cross(b - a, c - a)
    rise = []
    for n in range(3):
        point = upper[:, n]
        u, v = _cross(point - a, c - a) / det, _cross(b - a, point - a) / det
        below = a[:, 2] + u * (b[:, 2] - a[:, 2]) + v * (c[:, 2] - a[:, 2])
        rise.append(point[:, 2] - below)
    # Rounding far from a narrow triangle: nothing near the limit is passed over.
    return -_least(-np.column_stack(rise)) + 1e-6


def _greatest(
    upper: FloatArray, lower: FloatArray, ground: Heights | None
) -> tuple[FloatArray, FloatArray]:
    """Return the greatest height of triangles above others, and where; -inf without overlap."""
    candidates = [*_corners_inside(upper, lower), *_crossings(upper, lower)]
    valid, points, below = (np.stack(column) for column in zip(*candidates, strict=True))
    if ground is not None:
        below[valid] += ground(points[valid][:, :2])
    height = np.where(valid & ~np.isnan(below), points[..., 2] - below, -np.inf)
    best = height.argmax(axis=0)
    pair = np.arange(len(upper))
    return height[best, pair], points[best, pair]


Candidate = tuple[NDArray[np.bool_], FloatArray, FloatArray]


def _corners_inside(upper: FloatArray, lower: FloatArray) -> Iterator[Candidate]:
    """Yield corners of one triangle inside the other on the map, with the height below them."""
    for n in range(3):
        point = upper[:, n]
        inside, height = _over(lower, point)
        yield inside, point, height
    for n in range(3):
        inside, height = _over(upper, lower[:, n])
        point = np.column_stack([lower[:, n, :2], height])
        yield inside, point, lower[:, n, 2]


def _over(triangles: FloatArray, points: FloatArray) -> tuple[NDArray[np.bool_], FloatArray]:
    """Tell which points lie over their triangle on the map, and its height there."""
    a, b, c = (triangles[:, n] for n in range(3))
    det = _cross(b - a, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = _cross(points - a, c - a) / det
        v = _cross(b - a, points - a) / det
        inside = (det != 0) & (np.minimum(np.minimum(u, v), 1 - u - v) >= -1e-12)
        height = a[:, 2] + u * (b[:, 2] - a[:, 2]) + v * (c[:, 2] - a[:, 2])
    return inside, np.where(inside, height, 0.0)


def _crossings(upper: FloatArray, lower: FloatArray) -> Iterator[Candidate]:
    """Yield where edges of both triangles cross on the map."""
    for i in range(3):
        p, r = upper[:, i], upper[:, (i + 1) % 3] - upper[:, i]
        for j in range(3):
            q, s = lower[:, j], lower[:, (j + 1) % 3] - lower[:, j]
            det = _cross(r, s)
            with np.errstate(divide="ignore", invalid="ignore"):
                t = _cross(q - p, s) / det
                w = _cross(q - p, r) / det
                valid = (det != 0) & (t >= 0) & (t <= 1) & (w >= 0) & (w <= 1)
            point = p + np.where(valid, t, 0.0)[:, None] * r
            yield valid, point, q[:, 2] + np.where(valid, w, 0.0) * s[:, 2]


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    product: FloatArray = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return product


def lowest_on_grid(
    limits: FloatArray, x: FloatArray, y: FloatArray, highest: bool = False
) -> FloatArray:
    """Return the lowest height of triangles over the places of a grid, NaN where there is none.

    Parameters
    ----------
    limits : (L, 3, 3) float64
    x : (columns,) float64
    y : (rows,) float64
        Evenly spaced and descending, as the rows of a raster.
    highest : bool
        The highest height instead.
    """
    worst = -np.inf if highest else np.inf
    grid = np.full((len(y), len(x)), worst)
    choose = np.maximum if highest else np.minimum
    for triangle in limits:
        low, high = triangle[:, :2].min(axis=0), triangle[:, :2].max(axis=0)
        columns = slice(*np.searchsorted(x, [low[0], high[0]], side="left") + [0, 1])
        rows = slice(*np.searchsorted(-y, [-high[1], -low[1]], side="left") + [0, 1])
        some_x, some_y = np.meshgrid(x[columns], y[rows])
        points = np.column_stack([some_x.ravel(), some_y.ravel()])
        same = np.broadcast_to(triangle, (len(points), 3, 3))
        inside, height = _over(same, np.column_stack([points, np.zeros(len(points))]))
        values = np.where(inside, height, worst).reshape(some_x.shape)
        grid[rows, columns] = choose(grid[rows, columns], values)
    grid[~np.isfinite(grid)] = np.nan
    return grid


def cone(
    center: tuple[float, float],
    height: float,
    slope: float,
    radii: tuple[float, float],
    azimuths: tuple[float, float] = (0.0, 360.0),
) -> FloatArray:
    """Return a surface that rises evenly with the distance from a place, as triangles.

    Parameters
    ----------
    center : (x, y)
    height : float
        Of the surface at the inner radius, metres.
    slope : float
        Rise for each metre outwards; 0 is a disk.
    radii : (inner, outer)
    azimuths : (from, to)
        Degrees clockwise from grid north.

    Returns
    -------
    (L, 3, 3) float64
        Flat pieces whose corners lie on the cone; between them they deviate by `CONE_TOLERANCE` at
        most, in height and at the rim.
    """
    inner, outer = radii
    span = math.radians(azimuths[1] - azimuths[0])
    # Sagitta of a chord of angle d: R (1 - cos(d / 2)).
    bend = max(outer * max(abs(slope), 1.0), 1e-9)
    widest = 2 * math.acos(max(1 - CONE_TOLERANCE / bend, 0.0))
    count = max(3, math.ceil(span / widest))
    turn = math.radians(azimuths[0]) + np.linspace(0.0, span, count + 1)
    ahead = np.column_stack([np.sin(turn), np.cos(turn)])
    rings = []
    for radius, level in ((inner, height), (outer, height + slope * (outer - inner))):
        rings.append(np.column_stack([ahead * radius + center, np.full(count + 1, level)]))
    a, b = rings
    pieces = [np.stack([a[:-1], b[1:], b[:-1]], axis=1)]
    if inner > 0:
        pieces.append(np.stack([a[:-1], a[1:], b[1:]], axis=1))
    return np.concatenate(pieces)
