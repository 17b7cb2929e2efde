"""Terrain as few triangles as its shape needs: a right-triangulated irregular network.

After Evans, Kirkpatrick and Townsend (2001), "Right-Triangulated Irregular Networks",
Algorithmica 30: every triangle halves at the middle of its longest side until the middle lies
within a tolerance of the heights; sides are shared, so there are no cracks. Worked level by level
in NumPy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, Bounds, FloatArray
from plumbline.geometry.rays import HeightField


def relief(
    field: HeightField, tolerance: float, box: Bounds | None = None
) -> tuple[FloatArray, AnyArray, NDArray[np.float32]]:
    """Return vertices, triangles and normals of a height field.

    Parameters
    ----------
    tolerance : float
        How far the triangles may lie from the grid, metres.
    box : Bounds, optional
        Keep only the part inside this box on the map.

    Returns
    -------
    points : (N, 3) float64
        Project CRS.
    triangles : (M, 3) int64
    normals : (N, 3) float32
        Of the full grid, so that large triangles keep the shading of what they stand for.
    """
    heights = np.asarray(field.heights, dtype=np.float64)
    col, row, triangles = _triangulate(heights, tolerance)
    z = heights[row, col]
    a, b, c, d, e, f = field.transform
    x = a * (col + 0.5) + b * (row + 0.5) + c
    y = d * (col + 0.5) + e * (row + 0.5) + f
    points = np.column_stack([x, y, z])
    if box is not None:
        points, triangles, col, row = _cut(points, triangles, col, row, box)
    return points, triangles, _normals(field, col, row)


def _triangulate(heights: AnyArray, tolerance: float) -> tuple[AnyArray, AnyArray, AnyArray]:
    rows, cols = heights.shape
    levels = int(np.ceil(np.log2(max(rows, cols) - 1)))
    size = 1 << max(levels, 1)
    hole = ~np.isfinite(heights)
    errors = _errors(heights, size)
    corners = _leaves(errors, size, tolerance)
    inside = (corners[..., 0] < cols).all(axis=1) & (corners[..., 1] < rows).all(axis=1)
    corners = corners[inside]
    corners = corners[~hole[corners[..., 1], corners[..., 0]].any(axis=1)]
    key = corners[..., 1] * (size + 1) + corners[..., 0]
    used, triangles = np.unique(key, return_inverse=True)
    return used % (size + 1), used // (size + 1), triangles.reshape(-1, 3)


def _halve(triangles: AnyArray) -> AnyArray:
    """Halve triangles (a, b, apex) ``(M, 3, 2)`` at the middle of a-b, their longest side."""
    a, b, apex = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    middle = (a + b) // 2
    return np.concatenate([np.stack([apex, a, middle], 1), np.stack([b, apex, middle], 1)])


def _errors(heights: AnyArray, size: int) -> NDArray[np.float32]:
    """Return, for every grid point, the largest error that leaving it out would make.

    From the smallest triangles up, two kinds in turn: those whose longest side runs along the grid
    and those whose longest side is the diagonal of a square. A triangle that is partly beyond the
    data or in a hole must be halved down to single cells, so its error is infinite.
    """
    rows, cols = heights.shape
    z = np.full((size + 1, size + 1), np.nan, dtype=np.float32)
    z[:rows, :cols] = heights
    errors = np.zeros_like(z)
    h = 1
    while h < size:
        for axis in (0, 1):
            _side_errors(z if axis else z.T, errors if axis else errors.T, h)
        _diagonal_errors(z, errors, h)
        h *= 2
    return errors


def _side_errors(z: AnyArray, errors: AnyArray, h: int) -> None:
    """Errors in the middles of sides along the second axis, each of length ``2 h``."""
    left, middle, right = (
        z[:: 2 * h, : -h : 2 * h],
        z[:: 2 * h, h :: 2 * h],
        z[:: 2 * h, 2 * h :: 2 * h],
    )
    worst = _departure(left, right, middle)
    # The apexes stand above and below the middle.
    apex = z[h :: 2 * h, h :: 2 * h]
    mixed = np.isnan(apex) != np.isnan(middle[:-1])
    worst[:-1][mixed] = np.inf
    mixed = np.isnan(apex) != np.isnan(middle[1:])
    worst[1:][mixed] = np.inf
    if h > 1:
        q = h // 2
        for shift in (q, 3 * q):
            child = errors[q :: 2 * h, shift :: 2 * h]
            worst[:-1] = np.maximum(worst[:-1], child)
            child = errors[h + q :: 2 * h, shift :: 2 * h]
            worst[1:] = np.maximum(worst[1:], child)
    errors[:: 2 * h, h :: 2 * h] = worst


def _diagonal_errors(z: AnyArray, errors: AnyArray, h: int) -> None:
    """Errors in the centres of squares of side ``2 h``, whose diagonals turn like a chessboard."""
    step = 2 * h
    a, b = z[:-1:step, :-1:step], z[step::step, step::step]
    c, d = z[:-1:step, step::step], z[step::step, :-1:step]
    middle = z[h::step, h::step]
    even = np.add.outer(np.arange(len(a)), np.arange(a.shape[1])) % 2 == 0
    worst = np.where(even, _departure(a, b, middle), _departure(c, d, middle))
    # Some corner without data beside one with data: the triangle hangs over the edge.
    known = np.isfinite(np.stack([a, b, c, d])).sum(axis=0)
    worst[(known > 0) & (known < 4)] = np.inf
    for child in (
        errors[h::step, :-1:step],
        errors[h::step, step::step],
        errors[:-1:step, h::step],
        errors[step::step, h::step],
    ):
        worst = np.maximum(worst, child)
    errors[h::step, h::step] = worst


def _departure(a: AnyArray, b: AnyArray, middle: AnyArray) -> AnyArray:
    """Return how far `middle` lies from the mean of `a` and `b`: 0 where all three lack data."""
    unknown = np.isnan(a).astype(np.int8) + np.isnan(b) + np.isnan(middle)
    error = np.abs((a + b) / 2 - middle)
    return np.where(unknown == 0, error, np.where(unknown == 3, 0.0, np.inf)).astype(np.float32)


def _leaves(errors: AnyArray, size: int, tolerance: float) -> AnyArray:
    s = size
    triangles = np.array([[[0, 0], [s, s], [s, 0]], [[s, s], [0, 0], [0, s]]], dtype=np.int32)
    done = []
    for _ in range(2 * int(np.log2(size))):
        m = (triangles[:, 0] + triangles[:, 1]) // 2
        split = errors[m[:, 1], m[:, 0]] > tolerance
        done.append(triangles[~split])
        triangles = _halve(triangles[split])
    return np.concatenate([*done, triangles])


def _cut(
    points: FloatArray, triangles: AnyArray, col: AnyArray, row: AnyArray, box: Bounds
) -> tuple[FloatArray, AnyArray, AnyArray, AnyArray]:
    """Keep the triangles that touch a box."""
    x, y = points[triangles, 0], points[triangles, 1]
    touches = (x.max(1) > box.xmin) & (x.min(1) < box.xmax)
    touches &= (y.max(1) > box.ymin) & (y.min(1) < box.ymax)
    used, inverse = np.unique(triangles[touches], return_inverse=True)
    return points[used], inverse.reshape(-1, 3), col[used], row[used]


def _normals(field: HeightField, col: AnyArray, row: AnyArray) -> NDArray[np.float32]:
    heights = np.asarray(field.heights, dtype=np.float32)
    by_row, by_col = np.gradient(heights, axis=0), np.gradient(heights, axis=1)
    inverse = np.linalg.inv(
        np.array(
            [[field.transform[0], field.transform[1]], [field.transform[3], field.transform[4]]]
        )
    )
    slope = np.nan_to_num(np.column_stack([by_col[row, col], by_row[row, col]])) @ inverse
    normals = np.column_stack([-slope, np.ones(len(slope))])
    unit: NDArray[np.float32] = (normals / np.linalg.norm(normals, axis=1)[:, None]).astype(
        np.float32
    )
    return unit
