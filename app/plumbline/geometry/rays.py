"""Rays against triangles, points, segments and height fields, in float64.

The picker solves every click here, from the data of the layers in the project CRS. Primitives are
sorted along a space-filling curve and enclosed by spheres in blocks; a ray is tested against the
spheres first, so that a click costs little on millions of primitives. Pure NumPy and thread-safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray

BLOCK = 128


@dataclass(frozen=True)
class Ray:
    """A ray with the size of a pixel along it.

    Attributes
    ----------
    origin, direction : (3,) float64
        Project CRS; the direction has unit length.
    pixel_base, pixel_slope : float
        A pixel measures ``pixel_base + pixel_slope * t`` metres at distance `t`.
    start : float
        Hits nearer than this distance do not count (the near side of the view).
    """

    origin: FloatArray
    direction: FloatArray
    pixel_base: float = 0.0
    pixel_slope: float = 0.0
    start: float = 0.0

    def at(self, t: float) -> FloatArray:
        """Return the point ``(3,)`` at distance `t`."""
        point: FloatArray = self.origin + t * self.direction
        return point

    def pixel(self, t: float) -> float:
        """Return the size of a pixel at distance `t`, metres."""
        return self.pixel_base + self.pixel_slope * t


@dataclass(frozen=True)
class Hit:
    """Where a ray meets a primitive.

    Attributes
    ----------
    t : float
        Distance from the ray's origin, metres.
    position : (3,) float64
        Project CRS.
    primitive : int
        Index of the triangle, point or segment, -1 for a height field.
    normal : (3,) float64, optional
        Unit normal towards the origin of the ray.
    """

    t: float
    position: FloatArray
    primitive: int = -1
    normal: FloatArray | None = None


class Pickable(Protocol):
    """What a ray can meet."""

    def hit(self, ray: Ray) -> Hit | None:
        """Return the first hit, None when the ray misses."""


class _Blocks:
    """Primitives in blocks, each inside a sphere."""

    def __init__(self, low: FloatArray, high: FloatArray) -> None:
        centers = (low + high) / 2
        order = _curve_order(centers)
        starts = np.arange(0, len(order), BLOCK)
        self._order = order
        self._starts = starts
        if len(order) == 0:
            self._center, self._radius = np.empty((0, 3)), np.empty(0)
            return
        block_low = np.minimum.reduceat(low[order], starts)
        block_high = np.maximum.reduceat(high[order], starts)
        self._center = (block_low + block_high) / 2
        self._radius = np.linalg.norm(block_high - block_low, axis=1) / 2

    def near(self, ray: Ray, pixels: float = 0.0) -> NDArray[np.intp]:
        """Return indices of primitives that may lie within some pixels of the ray."""
        offset = self._center - ray.origin
        along = offset @ ray.direction
        away = np.linalg.norm(offset - along[:, None] * ray.direction, axis=1)
        # The margin covers rounding of centre and radius.
        reach = self._radius * (1 + 1e-9) + 1e-6
        reach += pixels * (ray.pixel_base + ray.pixel_slope * np.maximum(along + self._radius, 0))
        blocks = np.nonzero((away <= reach) & (along + self._radius >= ray.start - 1e-6))[0]
        if len(blocks) == 0:
            return np.empty(0, dtype=np.intp)
        members = self._starts[blocks][:, None] + np.arange(BLOCK)
        chosen: NDArray[np.intp] = self._order[members[members < len(self._order)]]
        return chosen


def _curve_order(centers: FloatArray) -> NDArray[np.intp]:
    """Return the order of points along a Morton curve, so that neighbours share blocks."""
    if len(centers) == 0:
        return np.empty(0, dtype=np.intp)
    low = centers.min(axis=0)
    span = float((centers.max(axis=0) - low).max()) or 1.0
    cells = ((centers - low) * (1023 / span)).astype(np.uint32)
    code = np.zeros(len(cells), dtype=np.uint32)
    for axis in range(3):
        v = cells[:, axis]
        v = (v | (v << 16)) & 0x030000FF
        v = (v | (v << 8)) & 0x0300F00F
        v = (v | (v << 4)) & 0x030C30C3
        v = (v | (v << 2)) & 0x09249249
        code |= v << axis
    return np.argsort(code, kind="stable")


class TriangleSet:
    """Triangles, hit from both sides, watertight along shared edges.

    Parameters
    ----------
    vertices : (N, 3) float64
        Project CRS.
    triangles : (M, 3) integer
    """

    def __init__(self, vertices: AnyArray, triangles: AnyArray) -> None:
        self._vertices = vertices
        self._triangles = triangles
        corners = vertices[triangles]
        self._blocks = _Blocks(corners.min(axis=1), corners.max(axis=1))

    @property
    def cells(self) -> FloatArray:
        """Corners of all triangles ``(M, 3, 3)``."""
        return np.asarray(self._vertices[self._triangles], dtype=np.float64)

    def hit(self, ray: Ray) -> Hit | None:
        """Return the first triangle along the ray."""
        near = self._blocks.near(ray)
        if len(near) == 0:
            return None
        corners = np.asarray(self._vertices[self._triangles[near]], dtype=np.float64)
        t = ray_triangles(ray.origin, ray.direction, corners)
        t[t < ray.start] = np.inf
        first = int(np.argmin(t))
        if not np.isfinite(t[first]):
            return None
        a, b, c = corners[first]
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal)
        if normal @ ray.direction > 0:
            normal = -normal
        return Hit(float(t[first]), ray.at(float(t[first])), int(near[first]), normal)


def ray_triangles(origin: FloatArray, direction: FloatArray, corners: FloatArray) -> FloatArray:
    """Return the distance along a ray to each triangle, inf where it misses.

    Watertight after Woop, Benthin and Wald (2013), "Watertight Ray/Triangle Intersection", JCGT
    2(1): edge functions of a shared edge are computed from the same numbers, so a ray cannot slip
    between two triangles. Distances may be negative (behind the origin).

    Parameters
    ----------
    origin, direction : (3,) float64
        The direction need not have unit length; distances are in its lengths.
    corners : (M, 3, 3) float64
        Triangles, corners, coordinates.
    """
    kz = int(np.argmax(np.abs(direction)))
    kx, ky = (kz + 1) % 3, (kz + 2) % 3
    if direction[kz] < 0:
        kx, ky = ky, kx
    sz = 1.0 / direction[kz]
    local = corners - origin
    z = local[..., kz]
    x = local[..., kx] - direction[kx] * sz * z
    y = local[..., ky] - direction[ky] * sz * z
    u = x[:, 2] * y[:, 1] - y[:, 2] * x[:, 1]
    v = x[:, 0] * y[:, 2] - y[:, 0] * x[:, 2]
    w = x[:, 1] * y[:, 0] - y[:, 1] * x[:, 0]
    det = u + v + w
    inside = ((u >= 0) & (v >= 0) & (w >= 0)) | ((u <= 0) & (v <= 0) & (w <= 0))
    inside &= det != 0
    t = np.full(len(corners), np.inf)
    scaled = (u * z[:, 0] + v * z[:, 1] + w * z[:, 2])[inside] * sz
    t[inside] = scaled / det[inside]
    return t


class PointSet:
    """Points, hit within a radius in pixels; the nearest to the viewer wins.

    Parameters
    ----------
    points : (N, 3) float64
        Project CRS.
    pixels : float
        Radius of a point on the screen.
    """

    def __init__(self, points: AnyArray, pixels: float) -> None:
        self._points = points
        self._pixels = pixels
        self._blocks = _Blocks(points, points)

    @property
    def cells(self) -> FloatArray:
        """All points ``(M, 1, 3)``."""
        return np.asarray(self._points, dtype=np.float64)[:, None]

    def hit(self, ray: Ray) -> Hit | None:
        """Return the nearest point that covers the ray's pixel."""
        near = self._blocks.near(ray, self._pixels)
        if len(near) == 0:
            return None
        offset = np.asarray(self._points[near], dtype=np.float64) - ray.origin
        t = offset @ ray.direction
        away = np.linalg.norm(offset - t[:, None] * ray.direction, axis=1)
        reach = self._pixels * (ray.pixel_base + ray.pixel_slope * t)
        t[(t < ray.start) | (away > reach)] = np.inf
        first = int(np.argmin(t))
        if not np.isfinite(t[first]):
            return None
        position = np.array(self._points[near[first]], dtype=np.float64)
        return Hit(float(t[first]), position, int(near[first]))

    def around(self, ray: Ray, pixels: float) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return points ``(N, 3)`` that may lie within some pixels of a ray, and their indices."""
        near = self._blocks.near(ray, pixels)
        return np.asarray(self._points[near], dtype=np.float64).reshape(-1, 3), near


class SegmentSet:
    """Line segments, hit within a distance in pixels; the position is on the segment.

    Parameters
    ----------
    ends : (M, 2, 3) float64
        Project CRS.
    pixels : float
        Half of the width on the screen.
    radius : float
        Radius of tubes in metres; counts where it is more than `pixels`.
    """

    def __init__(self, ends: FloatArray, pixels: float, radius: float = 0.0) -> None:
        self._ends = ends
        self._pixels = pixels
        self._radius = radius
        self._blocks = _Blocks(ends.min(axis=1) - radius, ends.max(axis=1) + radius)

    @property
    def cells(self) -> FloatArray:
        """Ends of all segments ``(M, 2, 3)``."""
        return np.asarray(self._ends, dtype=np.float64)

    def hit(self, ray: Ray) -> Hit | None:
        """Return the segment whose axis passes nearest to the viewer within reach."""
        near = self._blocks.near(ray, self._pixels)
        if len(near) == 0:
            return None
        on_segment, t = nearest_on_segments(ray.origin, ray.direction, self._ends[near])
        away = np.linalg.norm(on_segment - ray.origin - t[:, None] * ray.direction, axis=1)
        reach = np.maximum(self._pixels * (ray.pixel_base + ray.pixel_slope * t), self._radius)
        t[(t < ray.start) | (away > reach)] = np.inf
        first = int(np.argmin(t))
        if not np.isfinite(t[first]):
            return None
        return Hit(float(t[first]), on_segment[first], int(near[first]))

    def around(self, ray: Ray, pixels: float) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return segments ``(N, 2, 3)`` that may pass a ray within some pixels; their indices."""
        near = self._blocks.near(ray, pixels)
        return self._ends[near].reshape(-1, 2, 3), near


def nearest_on_segments(
    origin: FloatArray, direction: FloatArray, ends: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the point of each segment nearest to a line, and the distance along the line to it.

    Parameters
    ----------
    origin, direction : (3,) float64
        Line; the direction has unit length.
    ends : (M, 2, 3) float64

    Returns
    -------
    points : (M, 3) float64
    t : (M,) float64
    """
    along = ends[:, 1] - ends[:, 0]
    start = ends[:, 0] - origin
    # Work in the plane across the line: the nearest point minimises the distance there.
    flat = along - (along @ direction)[:, None] * direction
    start_flat = start - (start @ direction)[:, None] * direction
    length2 = np.einsum("ij,ij->i", flat, flat)
    s = -np.einsum("ij,ij->i", start_flat, flat) / np.where(length2 > 0, length2, 1.0)
    s = np.clip(s, 0.0, 1.0)
    points = ends[:, 0] + s[:, None] * along
    return points, (points - origin) @ direction


class HeightField:
    """A surface of heights on a regular grid, bilinear between cell centres.

    Parameters
    ----------
    heights : (rows, cols) float
        NaN where there is no data; a patch with a NaN corner is a hole.
    transform : tuple of 6 floats
        Affine transform of the grid, corner of cell to project CRS, as in `RasterData`.
    """

    def __init__(
        self, heights: AnyArray, transform: tuple[float, float, float, float, float, float]
    ) -> None:
        self.heights = heights
        self.transform = transform
        a, b, _, d, e, _ = transform
        self._inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
        self._low = float(np.nanmin(heights)) if np.isfinite(heights).any() else 0.0
        self._high = float(np.nanmax(heights)) if np.isfinite(heights).any() else 0.0

    def to_grid(self, xy: AnyArray) -> FloatArray:
        """Return fractional (column, row) ``(N, 2)``, whole numbers at cell centres."""
        corner = np.array([self.transform[2], self.transform[5]])
        grid: FloatArray = (np.asarray(xy, dtype=np.float64) - corner) @ self._inverse.T - 0.5
        return grid

    def sample(self, xy: AnyArray) -> FloatArray:
        """Return heights ``(N,)`` at places ``(N, 2)``, NaN outside and in holes."""
        grid = self.to_grid(xy)
        return self._interpolate(grid[:, 0], grid[:, 1])

    def sample_clamped(self, xy: AnyArray) -> FloatArray:
        """Return heights ``(N,)``; a place outside the grid takes that of the nearest border."""
        rows, cols = self.heights.shape
        grid = self.to_grid(xy)
        return self._interpolate(np.clip(grid[:, 0], 0, cols - 1), np.clip(grid[:, 1], 0, rows - 1))

    def _interpolate(self, col: FloatArray, row: FloatArray) -> FloatArray:
        rows, cols = self.heights.shape
        if rows < 2 or cols < 2:
            return np.full(len(col), np.nan)
        # A hair of tolerance: a place on the last row may round to just beyond it.
        inside = (col >= -1e-9) & (col <= cols - 1 + 1e-9)
        inside &= (row >= -1e-9) & (row <= rows - 1 + 1e-9)
        col, row = np.where(inside, col, 0.0), np.where(inside, row, 0.0)
        i = np.clip(np.floor(row).astype(np.intp), 0, rows - 2)
        j = np.clip(np.floor(col).astype(np.intp), 0, cols - 2)
        return np.where(inside, self._patch(i, j, col - j, row - i), np.nan)

    def _patch(self, i: AnyArray, j: AnyArray, u: FloatArray, v: FloatArray) -> FloatArray:
        h = self.heights
        upper = h[i, j].astype(np.float64) * (1 - u) + h[i, j + 1] * u
        lower = h[i + 1, j].astype(np.float64) * (1 - u) + h[i + 1, j + 1] * u
        result: FloatArray = upper * (1 - v) + lower * v
        return result

    def hit(self, ray: Ray) -> Hit | None:
        """Return where the ray first crosses the surface, from above or below.

        The ray is cut at the grid lines; within one patch the height along it is a quadratic,
        which is solved exactly.
        """
        rows, cols = self.heights.shape
        if rows < 2 or cols < 2:
            return None
        start = self.to_grid(ray.origin[None, :2])[0]
        step = self._inverse @ ray.direction[:2]
        span = self._clip(ray, start, step)
        if span is None:
            return None
        cuts = [np.array(span)]
        for axis, size in ((0, cols), (1, rows)):
            if step[axis] != 0:
                first, last = sorted(start[axis] + step[axis] * t for t in span)
                lines = np.arange(max(0, np.ceil(first)), min(size - 1, np.floor(last)) + 1)
                cuts.append((lines - start[axis]) / step[axis])
        t = np.unique(np.clip(np.concatenate(cuts), *span))
        if len(t) == 1:  # a vertical ray that touches no grid line
            return None
        t0, t1 = t[:-1], t[1:]
        root = self._crossings(ray, start, step, t0, t1)
        found = np.nonzero(np.isfinite(root))[0]
        if len(found) == 0:
            return None
        return self._hit_at(ray, float(root[found[0]]))

    def _clip(self, ray: Ray, start: FloatArray, step: FloatArray) -> tuple[float, float] | None:
        """Return the stretch of the ray inside the box of the grid."""
        rows, cols = self.heights.shape
        near, far = ray.start, np.inf
        slabs = [
            (start[0], step[0], 0.0, cols - 1.0),
            (start[1], step[1], 0.0, rows - 1.0),
            (ray.origin[2], ray.direction[2], self._low - 1e-3, self._high + 1e-3),
        ]
        for origin, direction, low, high in slabs:
            if direction == 0:
                if not low <= origin <= high:
                    return None
                continue
            a, b = sorted(((low - origin) / direction, (high - origin) / direction))
            near, far = max(near, a), min(far, b)
        return (float(near), float(far)) if near < far and np.isfinite(far) else None

    def _crossings(
        self, ray: Ray, start: FloatArray, step: FloatArray, t0: FloatArray, t1: FloatArray
    ) -> FloatArray:
        """Return the first crossing in each stretch ``[t0, t1]`` that lies in one patch."""
        rows, cols = self.heights.shape
        middle = (t0 + t1) / 2
        j = np.clip(np.floor(start[0] + step[0] * middle).astype(np.intp), 0, cols - 2)
        i = np.clip(np.floor(start[1] + step[1] * middle).astype(np.intp), 0, rows - 2)

        def above(t: FloatArray) -> FloatArray:
            u, v = start[0] + step[0] * t - j, start[1] + step[1] * t - i
            result: FloatArray = ray.origin[2] + ray.direction[2] * t - self._patch(i, j, u, v)
            return result

        f0, fm, f1 = above(t0), above(middle), above(t1)
        s = _first_root(f0, fm, f1)
        result: FloatArray = t0 + s * (t1 - t0)
        return result

    def _hit_at(self, ray: Ray, t: float) -> Hit:
        position = ray.at(t)
        col, row = self.to_grid(position[None, :2])[0]
        rows, cols = self.heights.shape
        j = min(max(int(np.floor(col)), 0), cols - 2)
        i = min(max(int(np.floor(row)), 0), rows - 2)
        u, v = col - j, row - i
        h = self.heights[i : i + 2, j : j + 2].astype(np.float64)
        along_col = (h[0, 1] - h[0, 0]) * (1 - v) + (h[1, 1] - h[1, 0]) * v
        along_row = (h[1, 0] - h[0, 0]) * (1 - u) + (h[1, 1] - h[0, 1]) * u
        slope = np.array([along_col, along_row]) @ self._inverse
        normal = np.array([-slope[0], -slope[1], 1.0])
        normal /= np.linalg.norm(normal)
        return Hit(t, position, -1, normal if normal @ ray.direction <= 0 else -normal)


def _first_root(f0: FloatArray, fm: FloatArray, f1: FloatArray) -> FloatArray:
    """Return the first root in [0, 1] of quadratics given at 0, 1/2 and 1; NaN where none."""
    a = 2 * (f0 + f1 - 2 * fm)
    b = f1 - f0 - a
    with np.errstate(invalid="ignore", divide="ignore"):
        disc = b * b - 4 * a * f0
        q = -0.5 * (b + np.copysign(np.sqrt(disc), b))
        roots = np.stack([q / a, f0 / q])
        # Rounding may put a root on a grid line a hair outside both neighbours.
        roots[~((roots >= -1e-9) & (roots <= 1 + 1e-9))] = np.inf
        roots[:, f0 == 0] = 0.0
    first: FloatArray = roots.min(axis=0)
    return np.where(np.isfinite(first), np.clip(first, 0.0, 1.0), np.nan)
