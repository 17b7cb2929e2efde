"""The terrain that other layers are laid on.

`GroundGrid` is one terrain as it is drawn; `Ground` looks through several of them from the top of
the layer tree downwards. `drape_triangles` and `drape_lines` split flat shapes until they follow
the ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plumbline.core.data import AnyArray, Bounds, FloatArray
from plumbline.geometry.rays import HeightField


@dataclass(frozen=True)
class GroundGrid:
    """Heights of one terrain layer in the project CRS; `offset` is how far it is drawn above."""

    field: HeightField
    offset: float = 0.0

    @property
    def cell(self) -> float:
        """Length of the side of a cell, metres."""
        a, b, _, d, e, _ = self.field.transform
        return float(np.sqrt(abs(a * e - b * d)))

    @property
    def bounds(self) -> Bounds:
        """Box of cell centres."""
        rows, cols = self.field.heights.shape
        a, b, c, d, e, f = self.field.transform
        corners = np.array([(u, v) for u in (0.5, cols - 0.5) for v in (0.5, rows - 0.5)])
        x = a * corners[:, 0] + b * corners[:, 1] + c
        y = d * corners[:, 0] + e * corners[:, 1] + f
        low, high = float(np.nanmin(self.field.heights)), float(np.nanmax(self.field.heights))
        return Bounds(x.min(), y.min(), low, x.max(), y.max(), high)


class Ground:
    """The terrains of a scene, topmost first."""

    def __init__(self, grids: Sequence[GroundGrid]) -> None:
        self.grids = tuple(grids)

    def sample(self, xy: AnyArray) -> FloatArray:
        """Return heights ``(N,)`` of the drawn ground at ``(N, 2)``, NaN where there is none."""
        heights = np.full(len(xy), np.nan)
        for grid in self.grids:
            missing = np.isnan(heights)
            if not missing.any():
                break
            heights[missing] = grid.field.sample(np.asarray(xy)[missing]) + grid.offset
        return heights

    @property
    def cell(self) -> float:
        """Side of the finest cells, metres."""
        return min(grid.cell for grid in self.grids)


def lay(ground: Ground | None, xy: AnyArray) -> FloatArray:
    """Return points ``(N, 3)`` on the ground.

    Off the terrain a point takes the height of the terrain's border nearest to it, so that a road
    does not fall into an abyss there; with no terrain at all everything lies at height 0.
    """
    xy = np.asarray(xy, dtype=np.float64)
    if ground is None:
        return np.column_stack([xy, np.zeros(len(xy))])
    z = ground.sample(xy)
    for grid in ground.grids:
        missing = np.isnan(z)
        if missing.any():
            z[missing] = grid.field.sample_clamped(xy[missing]) + grid.offset
    known = np.isfinite(z)
    z[~known] = z[known].mean() if known.any() else 0.0
    return np.column_stack([xy, z])


def drape_triangles(
    ground: Ground | None,
    xy: FloatArray,
    triangles: AnyArray,
    *,
    tolerance: float = 0.1,
    rounds: int = 8,
) -> tuple[FloatArray, AnyArray, AnyArray]:
    """Split triangles until their edges follow the ground, without cracks.

    An edge is split when it is longer than a few cells and the ground departs from it; both
    neighbours see the same edge and split it alike.

    Returns
    -------
    points : (N, 3) float64
    triangles : (M, 3) int64
    parents : (M,) int64
        The given triangle that each comes from.
    """
    points = lay(ground, xy)
    faces = np.asarray(triangles, dtype=np.int64)
    parents = np.arange(len(faces))
    if ground is None or len(faces) == 0:
        return points, faces, parents
    for _ in range(rounds):
        edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        key, inverse = np.unique(edges[:, 0] * len(points) + edges[:, 1], return_inverse=True)
        unique = np.column_stack([key // len(points), key % len(points)])
        split = _departs(ground, points, unique, tolerance)
        if not split.any():
            break
        middle_of = np.full(len(unique), -1, dtype=np.int64)
        middle_of[split] = len(points) + np.arange(split.sum())
        middles = points[unique[split]].mean(axis=1)
        points = np.vstack([points, lay(ground, middles[:, :2])])
        faces, origin = _split_faces(faces, middle_of[inverse].reshape(-1, 3))
        parents = parents[origin]
    return points, faces, parents


def drape_lines(
    ground: Ground | None,
    xy: FloatArray,
    segments: AnyArray,
    *,
    tolerance: float = 0.1,
    rounds: int = 8,
) -> tuple[FloatArray, AnyArray, AnyArray]:
    """Split segments until they follow the ground.

    Returns
    -------
    points : (N, 3) float64
    segments : (M, 2) int64
    parents : (M,) int64
        The given segment that each comes from.
    """
    points = lay(ground, xy)
    pairs = np.asarray(segments, dtype=np.int64)
    parents = np.arange(len(pairs))
    if ground is None or len(pairs) == 0:
        return points, pairs, parents
    for _ in range(rounds):
        split = _departs(ground, points, pairs, tolerance)
        if not split.any():
            break
        new = len(points) + np.arange(split.sum())
        points = np.vstack([points, lay(ground, points[pairs[split]].mean(axis=1)[:, :2])])
        first = np.column_stack([pairs[split, 0], new])
        second = np.column_stack([new, pairs[split, 1]])
        parents = np.concatenate([parents[~split], parents[split], parents[split]])
        pairs = np.vstack([pairs[~split], first, second])
    return points, pairs, parents


def _departs(ground: Ground, points: FloatArray, edges: AnyArray, tolerance: float) -> AnyArray:
    """Tell which edges the ground leaves by more than the tolerance at one of five places."""
    a, b = points[edges[:, 0]], points[edges[:, 1]]
    length = np.linalg.norm(b[:, :2] - a[:, :2], axis=1)
    departs = np.zeros(len(edges), dtype=bool)
    long = np.nonzero(length > ground.cell)[0]
    # A long edge may cross a whole valley between the places that are looked at.
    departs |= length > 24 * ground.cell
    for share in (0.5, 0.25, 0.75, 0.1, 0.9):
        left = long[~departs[long]]
        at = a[left] + (b[left] - a[left]) * share
        z = ground.sample(at[:, :2])
        departs[left] = np.abs(np.nan_to_num(z - at[:, 2])) > tolerance
    return departs


def _split_faces(faces: AnyArray, middles: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Split triangles at the middles of their edges (-1: not split); return faces and origins."""
    count = (middles >= 0).sum(axis=1)
    result, origin = [faces[count == 0]], [np.nonzero(count == 0)[0]]

    def emit(index: AnyArray, *corners: AnyArray) -> None:
        result.append(np.column_stack(corners))
        origin.append(index)

    for turn in range(3):
        order = np.roll(np.arange(3), -turn)
        f, m = faces[:, order], middles[:, order]
        one = np.nonzero((count == 1) & (m[:, 0] >= 0))[0]
        emit(one, f[one, 0], m[one, 0], f[one, 2])
        emit(one, m[one, 0], f[one, 1], f[one, 2])
        two = np.nonzero((count == 2) & (m[:, 2] < 0))[0]
        emit(two, m[two, 0], f[two, 1], m[two, 1])
        emit(two, f[two, 0], m[two, 0], m[two, 1])
        emit(two, f[two, 0], m[two, 1], f[two, 2])
    three = np.nonzero(count == 3)[0]
    f, m = faces[three], middles[three]
    emit(three, f[:, 0], m[:, 0], m[:, 2])
    emit(three, m[:, 0], f[:, 1], m[:, 1])
    emit(three, m[:, 2], m[:, 1], f[:, 2])
    emit(three, m[:, 0], m[:, 1], m[:, 2])
    return np.vstack(result), np.concatenate(origin)
