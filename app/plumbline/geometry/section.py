"""Triangles cut by a plane: lines that belong to owners, and the areas that they enclose.

Where an edge of the mesh meets the plane is computed from the edge's own two corners in a fixed
order, so that two triangles that share the edge give the same point to the last bit, whether or
not the file shares the vertices; the lines of a closed mesh then close exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray

if TYPE_CHECKING:
    import shapely


@dataclass(frozen=True)
class CutPlane:
    """A plane with axes on it.

    Attributes
    ----------
    origin : (3,) float64
        Zero of the drawing.
    right, up, normal : (3,) float64
        Unit vectors; `right` and `up` lie in the plane.
    """

    origin: FloatArray
    right: FloatArray
    up: FloatArray
    normal: FloatArray

    @classmethod
    def upright(cls, start: FloatArray, end: FloatArray) -> CutPlane:
        """Return the vertical plane through two places ``(2,)``: right goes on, up is up.

        The zero of `up` is height 0.
        """
        right = np.append(end - start, 0.0)
        right /= np.linalg.norm(right)
        up = np.array([0.0, 0.0, 1.0])
        return cls(np.append(start, 0.0), right, up, np.cross(right, up))

    @classmethod
    def through(cls, point: FloatArray, normal: FloatArray) -> CutPlane:
        """Return the plane through a point: right is level, and east where the plane is level."""
        normal = normal / np.linalg.norm(normal)
        right = np.cross([0.0, 0.0, 1.0], normal)
        length = float(np.linalg.norm(right))
        right = np.array([1.0, 0.0, 0.0]) if length < 1e-12 else right / length
        return cls(point, right, np.cross(normal, right), normal)

    def flat(self, points: FloatArray) -> FloatArray:
        """Return points ``(..., 3)`` on the drawing ``(..., 2)``."""
        local = points - self.origin
        flat: FloatArray = np.stack([_dot(local, self.right), _dot(local, self.up)], axis=-1)
        return flat

    def space(self, flat: FloatArray) -> FloatArray:
        """Return places on the drawing ``(..., 2)`` in space ``(..., 3)``."""
        space: FloatArray = (
            self.origin + flat[..., :1] * self.right[None] + flat[..., 1:] * self.up[None]
        )
        return space


def cut_triangles(corners: FloatArray, plane: CutPlane) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return the segments in which triangles meet a plane.

    A corner on the plane counts as above it, so that every crossing is counted once; triangles
    that lie in the plane give nothing.

    Parameters
    ----------
    corners : (M, 3, 3) float64
        Near the origin (metres of a frame).

    Returns
    -------
    segments : (K, 2, 3) float64
    triangle : (K,) intp
        Triangle of each segment.
    """
    height = _dot(corners - plane.origin, plane.normal)
    above = height >= 0
    crossed = np.flatnonzero(above.any(axis=1) & ~above.all(axis=1))
    mine, side, far = corners[crossed], above[crossed], height[crossed]
    # The corner that is alone on its side: both crossed edges start there.
    count = side.sum(axis=1)
    alone = np.where((count == 1)[:, None], side, ~side).argmax(axis=1)
    rows = np.arange(len(crossed))
    ends = [
        _meet(
            mine[rows, alone],
            mine[rows, (alone + n) % 3],
            far[rows, alone],
            far[rows, (alone + n) % 3],
        )
        for n in (1, 2)
    ]
    segments = np.stack(ends, axis=1)
    kept = (segments[:, 0] != segments[:, 1]).any(axis=1)
    return segments[kept], crossed[kept]


def _dot(vectors: FloatArray, axis: FloatArray) -> FloatArray:
    """Return products of vectors ``(..., 3)`` with one; the same for the same vector anywhere.

    A matrix product may add in another order at the end of an array.
    """
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    product: FloatArray = x * axis[0] + y * axis[1] + z * axis[2]
    return product


def _meet(a: FloatArray, b: FloatArray, far_a: FloatArray, far_b: FloatArray) -> FloatArray:
    """Return where edges cross the plane, the same whichever end comes first."""
    differs = a != b
    axis = differs.argmax(axis=1)
    rows = np.arange(len(a))
    swap = a[rows, axis] > b[rows, axis]
    first, second = np.where(swap[:, None], b, a), np.where(swap[:, None], a, b)
    d1, d2 = np.where(swap, far_b, far_a), np.where(swap, far_a, far_b)
    share = (d1 / (d1 - d2))[:, None]
    met: FloatArray = first + (second - first) * share
    return met


def enclosed_areas(
    segments: FloatArray, owner: NDArray[np.intp], count: int
) -> tuple[list[shapely.Geometry | None], NDArray[np.bool_]]:
    """Return what the segments of each owner enclose on a drawing, and whether all of them close.

    An area inside an area is a hole (even-odd), as of a pipe.

    Parameters
    ----------
    segments : (K, 2, 2) float64
        On the drawing.
    owner : (K,) intp
        Below `count`.

    Returns
    -------
    areas : list of geometry or None
        None where nothing is enclosed.
    closed : (count,) bool
        Whether every end of a segment meets another.
    """
    import shapely

    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(count + 1))
    found: list[shapely.Geometry | None] = []
    closed = np.zeros(count, dtype=bool)
    for n in range(count):
        mine = segments[order[bounds[n] : bounds[n + 1]]]
        if len(mine) == 0:
            found.append(None)
            continue
        _, meeting = np.unique(mine.reshape(-1, 2), axis=0, return_counts=True)
        closed[n] = bool((meeting % 2 == 0).all())
        lines = shapely.multilinestrings(shapely.linestrings(mine))
        area = shapely.build_area(lines)
        found.append(None if area.is_empty else area)
    return found, closed
