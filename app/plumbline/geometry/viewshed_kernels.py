"""The compiled part of `plumbline.geometry.viewshed`; importing it loads numba.

Seen from the eye, a straight edge of the surface is straight in the plane (t, s), where u and v
count cells forwards and sideways, t = v / u says in which direction a point lies and s = height / u
how steeply: this is a perspective picture. The horizon is the upper outline of all edges in front
of a row of cells, kept as pieces s = a + b·t between ascending `ends`; a row is compared with the
horizon of the rows before it and then drawn into it. Nothing is sampled, so the answer is exact,
and a row costs as much as it has cells and the horizon pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., Any])

#: Metres by which the line of sight may pass through a target and still be said to touch it.
TOUCH = 1e-9


def compiled(function: F) -> F:
    """Compile a function; it lets other threads run."""
    fast: F = njit(nogil=True)(function)
    return fast


@compiled
def _append(
    ends: FloatArray, a: FloatArray, b: FloatArray, n: int, end: float, pa: float, pb: float
) -> int:
    """Add a piece up to `end`, or lengthen the last one where it is the same line."""
    if n == 0 or a[n - 1] != pa or b[n - 1] != pb:
        a[n] = pa
        b[n] = pb
        n += 1
    ends[n] = end
    return n


@compiled
def _raise_horizon(
    ends: FloatArray,
    a: FloatArray,
    b: FloatArray,
    n: int,
    piece: FloatArray,
    m: int,
    ends2: FloatArray,
    a2: FloatArray,
    b2: FloatArray,
) -> int:
    """Write the upper outline of a horizon of `n` pieces and `m` new ones, and return its pieces.

    New pieces (start, end, a, b) ascend and do not overlap; where there is none, or the horizon is
    -inf, the other counts.
    """
    ends2[0] = ends[0]
    x, count, i, p = ends[0], 0, 0, 0
    while i < n:
        end = ends[i + 1]
        while p < m and piece[p, 1] <= x:
            p += 1
        new = p < m and piece[p, 0] <= x
        if p < m:
            end = min(end, piece[p, 1] if new else piece[p, 0])
        if not new:
            count = _append(ends2, a2, b2, count, end, a[i], b[i])
        elif a[i] == -np.inf:
            count = _append(ends2, a2, b2, count, end, piece[p, 2], piece[p, 3])
        else:
            rise, turn = piece[p, 2] - a[i], piece[p, 3] - b[i]
            at_x, at_end = rise + turn * x, rise + turn * end
            crossing = -rise / turn if at_x * at_end < 0 else end
            above = at_x > 0 or (at_x == 0 and at_end > 0)
            if x < crossing < end:
                pa, pb = (piece[p, 2], piece[p, 3]) if above else (a[i], b[i])
                count = _append(ends2, a2, b2, count, crossing, pa, pb)
                above = not above
            elif x >= crossing:
                above = at_end > 0
            pa, pb = (piece[p, 2], piece[p, 3]) if above else (a[i], b[i])
            count = _append(ends2, a2, b2, count, end, pa, pb)
        x = end
        if x >= ends[i + 1]:
            i += 1
    return count


@compiled
def _load(
    z: Any, i: int, rows: int, steps: tuple[int, int], low: int, high: int, line: FloatArray
) -> None:
    """Read cells `low` to `high` of row `i`; NaN where it lies outside of the grid."""
    for j in range(max(low, 0), min(high, len(line) - 1) + 1):
        line[j] = z[i * steps[0] + j * steps[1]] if 0 <= i < rows else np.nan


@compiled
def _corners(
    near: FloatArray,
    far: FloatArray,
    low: int,
    high: int,
    u: float,
    column: int,
    eye: float,
    bend: tuple[float, float],
    corner: FloatArray,
) -> None:
    """Fill `corner[j]` with the apparent height between columns j and j + 1 of two rows.

    It is the mean of the four cells, NaN where one of them has no height.
    """
    for j in range(max(low, 0), min(high, len(near) - 2) + 1):
        v = j + 0.5 - column
        mean = (near[j] + near[j + 1] + far[j] + far[j + 1]) * 0.25
        corner[j] = mean - eye - bend[0] * u * u - bend[1] * v * v


@compiled
def _rises(
    ends: FloatArray, a: FloatArray, b: FloatArray, i: int, start: float, end: float, line: Any
) -> bool:
    """Tell whether a new piece rises above the horizon anywhere, from piece `i` of it on."""
    x = start
    while True:
        stop = min(end, ends[i + 1])
        if line[0] + line[1] * x > a[i] + b[i] * x or line[0] + line[1] * stop > a[i] + b[i] * stop:
            return True
        if stop >= end:
            return False
        x = stop
        i += 1


@compiled
def _edges(
    ends: FloatArray,
    a: FloatArray,
    b: FloatArray,
    n: int,
    rows: tuple[FloatArray, FloatArray, FloatArray],
    directions: FloatArray,
    low: int,
    high: int,
    column: int,
    u: float,
    side: int,
    piece: FloatArray,
) -> int:
    """Fill `piece` with the edges from cells' centres to their corners on one side.

    It is the corner that lies farthest to that side as the eye sees it. Edges below the horizon
    are left out.
    """
    ring, inner, outer = rows
    columns, m, i = len(ring), 0, 0
    by_u, by_inner, by_outer = 1.0 / u, 1.0 / (u - 0.5), 1.0 / (u + 0.5)
    for j in range(low, high + 1):
        if np.isnan(ring[j]):
            continue
        v = j - column
        leaning = v * side >= 0
        k = j if side > 0 else j - 1
        height = np.nan
        if 0 <= k < columns - 1:
            height = inner[k] if leaning else outer[k]
        if np.isnan(height):
            height = ring[j]
        t0, t1 = directions[j], (v + 0.5 * side) / (u - 0.5 if leaning else u + 0.5)
        start, end = max(min(t0, t1), ends[0]), min(max(t0, t1), ends[n])
        if start >= end:
            continue
        s0, s1 = ring[j] * by_u, height * (by_inner if leaning else by_outer)
        slope = (s1 - s0) / (t1 - t0)
        base = s0 - slope * t0
        while ends[i + 1] <= start:
            i += 1
        if _rises(ends, a, b, i, start, end, (base, slope)):
            piece[m, 0], piece[m, 1], piece[m, 2], piece[m, 3] = start, end, base, slope
            m += 1
    return m


@compiled
def _compare(
    ends: FloatArray,
    a: FloatArray,
    b: FloatArray,
    n: int,
    ring: FloatArray,
    directions: FloatArray,
    low: int,
    high: int,
    column: int,
    u: float,
    closed: bool,
    whole: bool,
    target: float,
    limit: tuple[float, float, float],
    needed: Any,
) -> None:
    """Write for each cell of a row how high above it the line of sight over the horizon passes."""
    ceiling = np.float32(target)
    i = 0
    for j in range(low, high + 1):
        v, t = j - column, directions[j]
        if (
            t < ends[0]
            or t > ends[n]
            or (t == ends[n] and not closed)
            or (abs(v) >= u and not whole)
        ):
            continue
        if np.isnan(ring[j]) or limit[0] * u * u + limit[1] * v * v > limit[2]:
            continue
        while i < n - 1 and ends[i + 1] < t:
            i += 1
        s = a[i] + b[i] * t
        if i < n - 1 and ends[i + 1] == t:
            s = max(s, a[i + 1] + b[i + 1] * t)
        height = max(s * u - ring[j], 0.0)
        short = np.float32(height)
        # Float32 must not carry a target over the edge between seen and hidden.
        if height <= target + TOUCH:
            short = min(short, ceiling)
        elif short <= ceiling:
            short = np.nextafter(ceiling, np.float32(np.inf))
        needed[j] = short


@compiled
def sweep(
    z: Any,
    needed: Any,
    shape: tuple[int, int],
    steps: tuple[int, int],
    place: tuple[int, int],
    sign: int,
    sector: tuple[float, float, bool, bool],
    eye: float,
    target: float,
    bend: float,
    limit: tuple[float, float, float],
) -> int:
    """Sweep a sector of a quadrant outwards, row by row; return the most pieces of its horizon.

    Parameters
    ----------
    z : (N,) float32 or float64
        Heights, NaN for none.
    needed : (N,) float32
        Written: how far above its height each cell of the sector would be seen.
    shape, steps
        Rows and columns, and how far apart in `z` the next row and the next column are. East and
        west take the columns of the grid for rows.
    place : (row, column)
        Cell of the eye.
    sign : int
        1 where rows ascend, -1 where they descend.
    sector : (first, last, closed, whole)
        Directions t, whether `last` belongs to it, and whether |t| = 1 does.
    bend : float
        By how much a point at one metre's distance appears lower.
    limit : (du², dv², distance²)
        Squares of the cell's sides and of the greatest distance, m².
    """
    (rows, columns), (row, column), (first, last, closed, whole) = shape, place, sector
    room = 8 * columns + 1024
    ends, a, b = np.empty(room + 1), np.empty(room), np.empty(room)
    ends2, a2, b2 = np.empty(room + 1), np.empty(room), np.empty(room)
    here, ahead = np.empty(columns), np.empty(columns)
    ring, directions, piece = np.empty(columns), np.empty(columns), np.empty((columns, 4))
    inner, outer = np.empty(columns), np.empty(columns)
    bends = (bend * limit[0], bend * limit[1])
    ends[0], ends[1], a[0], b[0], n, most = first, last, -np.inf, 0.0, 1, 1
    i = row + sign
    _load(z, row, rows, steps, column - 4, column + 4, here)
    _load(z, i, rows, steps, column - 4, column + 4, ahead)
    _corners(here, ahead, column - 4, column + 4, 0.5, column, eye, bends, inner)
    while 0 <= i < rows:
        here, ahead = ahead, here
        u = float((i - row) * sign)
        if limit[0] * u * u > limit[2]:
            break
        # Cells beside the sector reach into it.
        low = max(0, int(np.floor(column + first * u)) - 1)
        high = min(columns - 1, int(np.ceil(column + last * u)) + 1)
        for j in range(low, high + 1):
            v = j - column
            ring[j] = here[j] - eye - bends[0] * u * u - bends[1] * v * v
            directions[j] = v / u
        line = needed[i * steps[0] :: steps[1]]
        _compare(
            ends,
            a,
            b,
            n,
            ring,
            directions,
            low,
            high,
            column,
            u,
            closed,
            whole,
            target,
            limit,
            line,
        )
        _load(z, i + sign, rows, steps, low - 4, high + 4, ahead)
        _corners(here, ahead, low - 3, high + 3, u + 0.5, column, eye, bends, outer)
        for side in (-1, 1):
            m = _edges(
                ends, a, b, n, (ring, inner, outer), directions, low, high, column, u, side, piece
            )
            if m == 0:
                continue
            # Each new piece cuts at most two ends and one crossing into every piece it meets.
            if 2 * (n + 2 * m) + 2 > len(a2):
                room = 4 * (n + 2 * m) + 2
                ends2, a2, b2 = np.empty(room + 1), np.empty(room), np.empty(room)
            n = _raise_horizon(ends, a, b, n, piece, m, ends2, a2, b2)
            ends, a, b, ends2, a2, b2 = ends2, a2, b2, ends, a, b
        inner, outer = outer, inner
        most = max(most, n)
        i += sign
    return most
