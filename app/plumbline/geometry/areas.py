"""Areas: of a polygon in its best-fit plane, and of a raster surface inside a polygon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray
from plumbline.geometry.polygons import rings_of, triangulate

if TYPE_CHECKING:
    from shapely import Polygon

#: Patches that are integrated at a time.
_BATCH = 200_000


def shoelace(points: AnyArray) -> float:
    """Return the signed area of a ring ``(N, 2)`` without its closing point; counterclockwise > 0.

    Relative to the first point, so that large coordinates cost no digits.
    """
    x, y = (np.asarray(points, dtype=np.float64) - points[0]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def best_fit_plane(points: AnyArray) -> tuple[FloatArray, FloatArray] | None:
    """Return the plane with the least squares of distances to points.

    Returns
    -------
    normal : (3,) float64
        Unit length, upwards.
    flat : (N, 2) float64
        The points in the plane, in lengths of the space.

    None where the points lie on one line: no plane is better than another.
    """
    local = np.asarray(points, dtype=np.float64) - np.mean(points, axis=0)
    _, spread, axes = np.linalg.svd(local, full_matrices=False)
    if len(spread) < 3 or spread[1] <= 1e-12 * max(float(np.abs(points).max()), spread[0]):
        return None
    axes = axes if np.linalg.det(axes) > 0 else axes * [[1.0], [1.0], [-1.0]]
    if axes[2, 2] < 0:
        axes = axes * [[-1.0], [1.0], [-1.0]]
    flat: FloatArray = local @ axes[:2].T
    return axes[2], flat


def surface_area(
    heights: AnyArray,
    transform: tuple[float, float, float, float, float, float],
    polygon: Polygon,
) -> tuple[float, float]:
    """Return the area of a raster surface inside a polygon, and how much of the polygon it covers.

    Between cell centres the surface is bilinear, in the outermost half cells level across the
    border: the surface that `plumbline.io.raster.sample_bilinear` samples. Patches that the polygon
    cuts are cut exactly; the area element is integrated with 5 × 5 Gauss points.

    Parameters
    ----------
    heights : (rows, columns) float64
        In the unit of x and y; NaN where unknown, which counts as not covered.
    transform : tuple of 6 floats
        Affine transform of cell corners, north up.
    polygon : shapely.Polygon
        Valid; same coordinates.
    """
    import shapely

    if heights.size == 0:
        return 0.0, 0.0
    x, y, z = _nodes(heights, transform)
    i, j = _touching(x, y, z, polygon.bounds)
    shapely.prepare(polygon)
    total, covered = 0.0, 0.0
    for start in range(0, len(i), _BATCH):
        r, c = i[start : start + _BATCH], j[start : start + _BATCH]
        low_y, high_y = np.minimum(y[r], y[r + 1]), np.maximum(y[r], y[r + 1])
        boxes = shapely.box(x[c], low_y, x[c + 1], high_y)
        whole = shapely.contains_properly(polygon, boxes)
        cut = np.flatnonzero(~whole & shapely.intersects(polygon, boxes))
        pieces = shapely.intersection(boxes[cut], polygon)
        for corners, patch in (
            _halves(x, y, r[whole], c[whole]),
            _pieces(pieces, r[cut], c[cut]),
        ):
            sizes = _sizes(corners)
            covered += float(sizes.sum())
            total += float((sizes * _mean_stretch(x, y, z, corners, patch)).sum())
    return total, covered


def _nodes(
    heights: AnyArray, transform: tuple[float, float, float, float, float, float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the lines on which heights are known: cell centres, and the border itself."""
    rows, columns = heights.shape
    along = np.r_[0.0, np.arange(columns) + 0.5, columns]
    down = np.r_[0.0, np.arange(rows) + 0.5, rows]
    z = np.pad(np.asarray(heights, dtype=np.float64), 1, mode="edge")
    return transform[2] + transform[0] * along, transform[5] + transform[4] * down, z


def _touching(
    x: FloatArray, y: FloatArray, z: FloatArray, box: tuple[float, float, float, float]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of the patches with heights that meet a box."""
    known = np.isfinite(z)
    known = known[:-1, :-1] & known[1:, :-1] & known[:-1, 1:] & known[1:, 1:]
    known &= (np.maximum(x[:-1], x[1:]) >= box[0]) & (np.minimum(x[:-1], x[1:]) <= box[2])
    rows = (np.maximum(y[:-1], y[1:]) >= box[1]) & (np.minimum(y[:-1], y[1:]) <= box[3])
    row, column = np.nonzero(known & rows[:, None])
    return row, column


def _halves(
    x: FloatArray, y: FloatArray, r: NDArray[np.intp], c: NDArray[np.intp]
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return whole patches as two triangles each, with their row and column."""
    corner = [np.column_stack([x[c + a], y[r + b]]) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
    one = np.stack([corner[0], corner[1], corner[2]], axis=1)
    two = np.stack([corner[0], corner[2], corner[3]], axis=1)
    patch = np.column_stack([r, c])
    return np.concatenate([one, two]), np.concatenate([patch, patch])


def _pieces(
    pieces: AnyArray, r: NDArray[np.intp], c: NDArray[np.intp]
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return the triangles of cut patches, with their row and column."""
    rings = rings_of(pieces, np.arange(len(pieces)))
    triangles, patch = triangulate(rings)
    return rings.points[triangles], np.column_stack([r, c])[patch]


def _sizes(corners: FloatArray) -> FloatArray:
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    size: FloatArray = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    return size


def _mean_stretch(
    x: FloatArray, y: FloatArray, z: FloatArray, corners: FloatArray, patch: NDArray[np.intp]
) -> FloatArray:
    """Return the mean of surface area over map area in triangles, each inside one patch."""
    r, c = patch[:, 0], patch[:, 1]
    width, height = x[c + 1] - x[c], y[r + 1] - y[r]
    z00, z10, z01, z11 = z[r, c], z[r, c + 1], z[r + 1, c], z[r + 1, c + 1]
    nodes, weights = np.polynomial.legendre.leggauss(5)
    nodes, weights = (nodes + 1) / 2, weights / 2
    mean = np.zeros(len(corners))
    for s, ws in zip(nodes, weights, strict=True):
        for t, wt in zip(nodes, weights, strict=True):
            # The square folded onto the triangle; 2 s is how much the fold shrinks it.
            share = np.array([1 - s, s * (1 - t), s * t])
            at = np.einsum("k,nkd->nd", share, corners)
            u, v = (at[:, 0] - x[c]) / width, (at[:, 1] - y[r]) / height
            to_east = ((z10 - z00) * (1 - v) + (z11 - z01) * v) / width
            to_north = ((z01 - z00) * (1 - u) + (z11 - z10) * u) / height
            mean += 2 * s * ws * wt * np.sqrt(1 + to_east**2 + to_north**2)
    return mean
