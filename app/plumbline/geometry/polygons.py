"""Polygons as flat arrays of rings, and their triangles, fast for a hundred thousand of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray


@dataclass(frozen=True)
class Rings:
    """Rings of polygons without their closing points.

    Attributes
    ----------
    points : (N, 2) float64
    z : (N,) float64, optional
    starts, ends : (R,) intp
        Points of each ring.
    polygon : (R,) intp
        Polygon of each ring; the first ring of a polygon is its outline, counterclockwise, and
        the others are holes, clockwise.
    feature : (R,) intp
        Feature of each ring.
    """

    points: FloatArray
    z: FloatArray | None
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    polygon: NDArray[np.intp]
    feature: NDArray[np.intp]

    @property
    def point_ring(self) -> NDArray[np.intp]:
        """Ring of each point."""
        return np.repeat(np.arange(len(self.starts)), self.ends - self.starts)

    @property
    def point_feature(self) -> NDArray[np.intp]:
        """Feature of each point."""
        return self.feature[self.point_ring]

    def segments(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the first and the last point of each side."""
        start = np.arange(len(self.points))
        end = start + 1
        end[self.ends - 1] = self.starts
        return start, end

    def corners(self, degrees: float = 20.0) -> NDArray[np.intp]:
        """Return the points at which a ring turns by more than an angle."""
        start, end = self.segments()
        before = np.empty(len(start), dtype=np.intp)
        before[end] = start
        along = self.points[end] - self.points
        along /= np.maximum(np.linalg.norm(along, axis=1), 1e-12)[:, None]
        cosine = np.einsum("ij,ij->i", along, along[before])
        return np.nonzero(cosine < np.cos(np.radians(degrees)))[0]

    def take(self, chosen: NDArray[np.bool_]) -> Rings:
        """Return some of the rings; whole polygons must be chosen."""
        keep = chosen[self.point_ring]
        length = (self.ends - self.starts)[chosen]
        ends = np.cumsum(length)
        _, polygon = np.unique(self.polygon[chosen], return_inverse=True)
        return Rings(
            self.points[keep],
            None if self.z is None else self.z[keep],
            ends - length,
            ends,
            polygon,
            self.feature[chosen],
        )


def rings_of(geometry: AnyArray, features: NDArray[np.intp]) -> Rings:
    """Take the polygons of geometries apart into rings; other geometries are left out.

    Parameters
    ----------
    geometry : (K,) array of shapely geometries
    features : (K,) intp
        Number of the feature that each belongs to.
    """
    import shapely

    parts, index = shapely.get_parts(geometry, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)
    index = index[inner]
    chosen = (shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)
    polygons = shapely.orient_polygons(parts[chosen])
    rings, polygon = shapely.get_rings(polygons, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, include_z=True, return_index=True)
    last = np.r_[ring[1:] != ring[:-1], True] if len(ring) else np.empty(0, dtype=bool)
    # Repeated points make sides without length, which have no normal.
    same = np.zeros(len(ring), dtype=bool)
    same[1:] = (ring[1:] == ring[:-1]) & (coordinates[1:, :2] == coordinates[:-1, :2]).all(axis=1)
    keep = ~last & ~same
    coordinates, ring = coordinates[keep], ring[keep]
    length = np.bincount(ring, minlength=len(rings))
    ends = np.cumsum(length)
    z = coordinates[:, 2] if len(coordinates) and np.isfinite(coordinates[:, 2]).all() else None
    return Rings(
        np.ascontiguousarray(coordinates[:, :2]),
        z,
        ends - length,
        ends,
        polygon,
        features[index[chosen]][polygon],
    )


def triangulate(rings: Rings) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Triangulate polygons on the points they have.

    Convex outlines without holes become fans, all at once; the others go through ear cutting.

    Returns
    -------
    triangles : (M, 3) intp
        Into ``rings.points``, counterclockwise.
    features : (M,) intp
        Feature of each triangle.
    """
    if len(rings.starts) == 0:
        return np.empty((0, 3), dtype=np.intp), np.empty(0, dtype=np.intp)
    first = np.r_[True, rings.polygon[1:] != rings.polygon[:-1]]
    begins = np.nonzero(first)[0]
    holes = np.diff(np.r_[begins, len(rings.starts)]) > 1
    convex = _convex(rings)[begins] & ~holes
    fans = _fans(rings.starts[begins[convex]], rings.ends[begins[convex]])
    fan_ring = np.repeat(
        begins[convex], np.maximum(rings.ends[begins[convex]] - rings.starts[begins[convex]] - 2, 0)
    )
    triangles, owners = [fans], [rings.feature[fan_ring]]
    stops = np.r_[begins[1:], len(rings.starts)]
    for begin, stop in zip(begins[~convex], stops[~convex], strict=True):
        cut = _cut_ears(rings, int(begin), int(stop))
        triangles.append(cut)
        owners.append(np.full(len(cut), rings.feature[begin]))
    return np.concatenate(triangles), np.concatenate(owners)


def triangles_of_features(geometry: AnyArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return features in space as triangles: polygons, and lines and points as flattened ones.

    Parameters
    ----------
    geometry : (K,) array of shapely geometries
        With z.

    Returns
    -------
    corners : (M, 3, 3) float64
        A segment is a triangle whose last two corners are the same, a point one with three.
    features : (M,) intp
        Feature of each triangle.
    """
    import shapely

    rings = rings_of(geometry, np.arange(len(geometry)))
    triangles, owner = triangulate(rings)
    z = np.zeros(len(rings.points)) if rings.z is None else rings.z
    corners, owners = [np.column_stack([rings.points, z])[triangles]], [owner]
    parts, feature = shapely.get_parts(geometry, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)
    feature, kind = feature[inner], shapely.get_type_id(parts)
    lines = np.isin(kind, (1, 2))
    points, line = shapely.get_coordinates(parts[lines], include_z=True, return_index=True)
    start = np.flatnonzero(line[1:] == line[:-1])
    corners.append(points[np.column_stack([start, start + 1, start + 1])])
    owners.append(feature[lines][line[start]])
    points, alone = shapely.get_coordinates(parts[kind == 0], include_z=True, return_index=True)
    corners.append(np.repeat(points[:, None], 3, axis=1))
    owners.append(feature[kind == 0][alone])
    return np.concatenate(corners), np.concatenate(owners)


def _cut_ears(rings: Rings, begin: int, stop: int) -> NDArray[np.intp]:
    import mapbox_earcut

    low, high = rings.starts[begin], rings.ends[stop - 1]
    # Near the origin: ear cutting multiplies coordinates.
    points = rings.points[low:high] - rings.points[low]
    ends = (rings.ends[begin:stop] - low).astype(np.uint32)
    cut = mapbox_earcut.triangulate_float64(np.ascontiguousarray(points), ends)
    result: NDArray[np.intp] = cut.astype(np.intp).reshape(-1, 3) + low
    return result


def _convex(rings: Rings) -> NDArray[np.bool_]:
    """Tell which rings turn left at every corner, and only once around."""
    if len(rings.points) == 0:
        return np.zeros(len(rings.starts), dtype=bool)
    start, end = rings.segments()
    along = rings.points[end] - rings.points[start]
    after = along[end]
    turn = np.arctan2(
        along[:, 0] * after[:, 1] - along[:, 1] * after[:, 0],
        along[:, 0] * after[:, 0] + along[:, 1] * after[:, 1],
    )
    ring = rings.point_ring
    right = np.bincount(ring, turn < 0, minlength=len(rings.starts))
    total = np.bincount(ring, turn, minlength=len(rings.starts))
    result: NDArray[np.bool_] = (right == 0) & (np.abs(total - 2 * np.pi) < 1e-6)
    return result


def _fans(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    counts = np.maximum(ends - starts - 2, 0)
    first = np.repeat(starts, counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.column_stack([first, first + step + 1, first + step + 2])
