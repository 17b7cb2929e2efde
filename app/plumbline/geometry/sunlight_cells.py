"""Most verdicts of a day's sunlight without casting: cells of receivers and times, split as needed.

A cell is a block of neighbouring receivers during a stretch of the sun's course; one of its rays is
cast. What a ray meets can change only where it passes an outline (an edge behind which, as the ray
sees it, no triangle goes on) or where its origin passes a triangle. So a cell is decided

* if no outline passes through its rays: all have the verdict of the one that was cast;
* if the surface around the triangle that was met covers all rays: whatever lies behind it;
* if all outlines lie on one line (the eaves of a house): the rays on either side of it are of one
  kind, and one more ray tells of the other side.

Any other cell is halved, in space or in time, whichever the doubt comes from, until casting it
costs less. What passes an outline closer than the rounding of Embree's float32 is left to Embree.
The verdicts are therefore those of casting every receiver at every sample, and the cost follows the
corners of shadows, not the number of receivers times samples.

For an edge from v to w and a ray from p in direction d, ``h = d · ((w - p) × (v - p))`` is the
edge's length times the signed distance between edge and ray times the sine of their angle. It is
linear in d and in p, so its bounds over boxes of both are exact up to the term in both, which is
added. A ray passes through a triangle if all three have one sign, and beside it if two differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray

#: Triangles of a leaf of the tree: a box is looked at in a fifth of the time of a triangle.
LEAF = 1

#: Receivers and samples (two to this power) of the largest cells.
BLOCK, TIME_LEVEL = 16, 4

DARK, LIT, ASK = 0, 1, 2

#: Rounding of float32.
EPSILON = 2.0**-24


@dataclass(frozen=True)
class TriangleTree:
    """Boxes around triangles in a complete binary tree; node n has children 2n and 2n + 1.

    Attributes
    ----------
    corners : (M, 3, 3) float64
        Triangles along a space-filling curve, `LEAF` for each leaf.
    neighbours : (M, 3) int64
        Behind each side, from corner n to corner n + 1: three times the neighbour plus its side;
        -1 where there is none.
    boxes : (2L, 6) float64
        Low and high corner, wider by what rounding may move; of empty leaves low is above high.
    margin : float
        How far float32 may move a corner or an origin, metres.
    rank : (M,) int64
        Place in `corners` of each triangle as it was given.
    """

    corners: FloatArray
    neighbours: NDArray[np.int64]
    boxes: FloatArray
    margin: float
    rank: NDArray[np.int64]

    @classmethod
    def of(cls, corners: FloatArray, reach: float) -> TriangleTree:
        """Build the tree of triangles ``(M, 3, 3)``; `reach` bounds all coordinates from 0."""
        order = curve_order(corners.mean(axis=1))
        corners = np.ascontiguousarray(corners[order])
        leaves = 1 << max(0, int(np.ceil(np.log2(max(1, len(corners)) / LEAF))))
        low, high = np.full((2 * leaves, 3), np.inf), np.full((2 * leaves, 3), -np.inf)
        starts = np.arange(0, len(corners), LEAF)
        margin = 1e-4 + 4 * EPSILON * reach
        wide = margin + 32 * EPSILON * 4 * reach
        used = slice(leaves, leaves + len(starts))
        low[used] = np.minimum.reduceat(corners.min(axis=1), starts) - wide
        high[used] = np.maximum.reduceat(corners.max(axis=1), starts) + wide
        while leaves > 1:
            part = slice(leaves, 2 * leaves)
            leaves //= 2
            low[leaves : 2 * leaves] = low[part].reshape(-1, 2, 3).min(axis=1)
            high[leaves : 2 * leaves] = high[part].reshape(-1, 2, 3).max(axis=1)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        boxes = np.hstack([low, high])
        return cls(corners, neighbours(corners), boxes, margin, rank)


def neighbours(corners: FloatArray) -> NDArray[np.int64]:
    """Return what lies behind each side of triangles; corners are one where they are identical."""
    from plumbline.geometry import sunlight_kernel

    points = corners.reshape(-1, 3) + 0.0  # -0.0 and 0.0 are one place
    bits = points.view(np.uint64).astype(np.uint64)
    mixed = np.zeros(len(points), dtype=np.uint64)
    for axis, factor in enumerate((0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)):
        mixed = (mixed ^ bits[:, axis]) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(29)
    _, first, number = np.unique(mixed, return_index=True, return_inverse=True)
    if not np.array_equal(points[first][number], points):  # two places of one hash: once in ages
        _, number = np.unique(points, axis=0, return_inverse=True)
    ends = number.reshape(-1, 3).astype(np.int64)
    one, two = ends.ravel(), np.roll(ends, -1, axis=1).ravel()
    key = np.minimum(one, two) * len(points) + np.maximum(one, two)
    result = np.full((len(corners), 3), -1, dtype=np.int64)
    sunlight_kernel.join(np.argsort(key, kind="stable"), key, corners, result)
    return result


def curve_order(points: AnyArray) -> NDArray[np.intp]:
    """Return the order of points ``(N, 3)`` along a Morton curve of 21 bits for each axis."""
    if len(points) == 0:
        return np.empty(0, dtype=np.intp)
    low = points.min(axis=0)
    span = float((points.max(axis=0) - low).max()) or 1.0
    cells = ((points - low) * ((2**21 - 1) / span)).astype(np.uint64)
    code = np.zeros(len(points), dtype=np.uint64)
    for axis in range(3):
        v = cells[:, axis]
        for shift, mask in (
            (32, 0x1F00000000FFFF),
            (16, 0x1F0000FF0000FF),
            (8, 0x100F00F00F00F00F),
            (4, 0x10C30C30C30C30C3),
            (2, 0x1249249249249249),
        ):
            v = (v | (v << np.uint64(shift))) & np.uint64(mask)
        code |= v << np.uint64(axis)
    return np.argsort(code, kind="stable")


@dataclass(frozen=True)
class TimeTree:
    """Directions of the sun bounded over aligned stretches of 1, 2, 4, … samples.

    Attributes
    ----------
    offsets : (levels,) int64
        Row ``offsets[level] + n`` stands for samples ``n * 2**level`` to ``(n + 1) * 2**level``.
    rows : (R, 15) float64
        Directions are ``middle + t * chord + rest`` with t from -1 to 1 and `rest` within a box:
        the three vectors, and the least and the greatest components.
    """

    offsets: NDArray[np.int64]
    rows: FloatArray

    @classmethod
    def of(cls, directions: FloatArray) -> TimeTree:
        """Build the tree of directions ``(K, 3)``; the last one is repeated to fill it up."""
        whole = -(-len(directions) // 2**TIME_LEVEL) * 2**TIME_LEVEL
        padded = np.concatenate(
            [directions, np.repeat(directions[-1:], whole - len(directions), axis=0)]
        )
        rows: list[FloatArray] = []
        offsets = [0]
        for level in range(TIME_LEVEL + 1):
            groups = padded.reshape(-1, 2**level, 3)
            middle = (groups[:, 0] + groups[:, -1]) / 2
            chord = (groups[:, -1] - groups[:, 0]) / 2
            length = np.maximum(np.einsum("nd,nd->n", chord, chord), 1e-300)
            off = groups - middle[:, None]
            t = np.clip(np.einsum("nkd,nd->nk", off, chord) / length[:, None], -1, 1)
            rest = np.abs(off - t[..., None] * chord[:, None]).max(axis=1)
            least, greatest = groups.min(axis=1), groups.max(axis=1)
            rows.append(np.hstack([middle, chord, rest, least, greatest]))
            offsets.append(offsets[-1] + len(groups))
        return cls(np.array(offsets[:-1], dtype=np.int64), np.concatenate(rows))


#: Tells which triangle the rays from receivers at samples meet, -1 for none: ``(C,)`` of ``(C,)``.
Cast = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.intp]]


def verdicts(
    tree: TriangleTree,
    times: TimeTree,
    origins: FloatArray,
    wanted: NDArray[np.bool_],
    cast: Cast,
) -> NDArray[np.uint8]:
    """Return `DARK`, `LIT` or `ASK` (Embree) for receivers at samples ``(B, K)``.

    Parameters
    ----------
    origins : (B, 3) float64
        In the axes of the tree; neighbours stand together.
    wanted : (B, K) bool
        Verdicts that are needed; the others are `DARK`.
    cast : callable
        Casts one ray of each cell.
    """
    # Compiled at its first use: numba is not imported before that.
    from plumbline.geometry import sunlight_kernel

    state = np.zeros(wanted.shape, dtype=np.uint8)
    origins = np.ascontiguousarray(origins)
    cells = _largest_cells(wanted)
    while len(cells):
        stretch = 1 << cells[:, 2]
        sample = np.minimum(cells[:, 3] * stretch + stretch // 2, wanted.shape[1] - 1)
        found = cast((cells[:, 0] + cells[:, 1]) // 2, sample)
        found = np.where(found >= 0, tree.rank[found], -1)
        halves = np.empty((2 * len(cells), 4), dtype=np.int64)
        rims, probes = np.empty((len(cells), 7)), np.empty((len(cells), 8), dtype=np.int64)
        count, ringed = sunlight_kernel.judge(
            (tree.corners, tree.neighbours, tree.boxes, tree.margin),
            times.offsets,
            times.rows,
            origins,
            state,
            cells,
            found,
            halves,
            rims,
            probes,
        )
        cells, rims, probes = halves[:count], rims[:ringed], probes[:ringed]
        answers = np.full((ringed, 2), ASK, dtype=np.uint8)
        for side in range(2):
            row, sample = probes[:, 4 + 2 * side], probes[:, 5 + 2 * side]
            there = np.flatnonzero(row >= 0)
            dark = cast(row[there], sample[there]) >= 0
            answers[there, side] = np.where(dark, DARK, LIT)
        sunlight_kernel.settle(rims, probes, answers, origins, times.rows, state, tree.margin)
    state *= wanted  # DARK is 0
    return state


def _largest_cells(wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the cells to begin with, where any verdict is needed."""
    step = 2**TIME_LEVEL
    first = np.arange(0, len(wanted), BLOCK)
    blocks, stretches = len(first), -(-wanted.shape[1] // step)
    some = np.ones((blocks, stretches), dtype=np.bool_)
    if not wanted.all():
        for n in range(stretches):
            some[:, n] = np.logical_or.reduceat(
                wanted[:, n * step : (n + 1) * step].any(axis=1), first
            )
    block, stretch = np.nonzero(some)
    last = np.minimum((block + 1) * BLOCK, len(wanted))
    return np.column_stack([block * BLOCK, last, np.full_like(block, TIME_LEVEL), stretch])
