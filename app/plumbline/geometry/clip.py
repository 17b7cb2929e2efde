"""Which part of space a clipping keeps: for points, and for rays. Pure NumPy, float64.

Half-spaces cut a ray to one stretch; an upright prism over any polygon, also one that is not
convex, cuts it to several. A pick is then solved on these stretches alone, so that nothing that is
clipped can be hit, exactly to the plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from plumbline.core.clipping import Clipping
from plumbline.core.data import FloatArray

Span = tuple[float, float]


@dataclass(frozen=True)
class Region:
    """The part of space that is kept.

    Attributes
    ----------
    points, normals : (K, 3) float64
        Planes; what lies on the side of the normal is kept. Normals have unit length.
    polygon : (N, 2) float64
        Outline of a prism; none when empty.
    inside : bool
        Whether the inside of the prism is kept, or its outside.
    """

    points: FloatArray = field(default_factory=lambda: np.empty((0, 3)))
    normals: FloatArray = field(default_factory=lambda: np.empty((0, 3)))
    polygon: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    inside: bool = True

    @property
    def whole(self) -> bool:
        """Whether everything is kept."""
        return len(self.points) == 0 and len(self.polygon) == 0

    def contains(self, places: FloatArray) -> NDArray[np.bool_]:
        """Tell which places ``(N, 3)`` are kept; those on a border are."""
        kept = np.ones(len(places), dtype=bool)
        for point, normal in zip(self.points, self.normals, strict=True):
            # Of places on a plane some lie a rounding before it.
            kept &= (places - point) @ normal >= -1e-7
        if len(self.polygon):
            kept &= in_polygon(places[:, :2], self.polygon) == self.inside
        return kept

    def spans(self, origin: FloatArray, direction: FloatArray, start: float) -> list[Span]:
        """Return the stretches of a ray that are kept, as distances, from near to far.

        Parameters
        ----------
        origin, direction : (3,) float64
            The direction has unit length.
        start : float
            Distance at which the ray begins; may be -inf.
        """
        near, far = start, np.inf
        for point, normal in zip(self.points, self.normals, strict=True):
            rate, gap = float(normal @ direction), float(normal @ (point - origin))
            if rate > 0:
                near = max(near, gap / rate)
            elif rate < 0:
                far = min(far, gap / rate)
            elif gap > 0:
                return []
        if near >= far:
            return []
        if len(self.polygon) == 0:
            return [(near, far)]
        cuts = _crossings(origin[:2], direction[:2], self.polygon)
        ends = [near, *(float(t) for t in cuts if near < t < far), far]
        pieces = list(pairwise(ends))
        middles = np.array([_between(a, b) for a, b in pieces])
        places = origin[:2] + middles[:, None] * direction[:2]
        kept = in_polygon(places, self.polygon) == self.inside
        return _joined([piece for piece, k in zip(pieces, kept, strict=True) if k])


def region_of(clipping: Clipping) -> Region:
    """Return what a clipping keeps of everything but the ground."""
    if not clipping.cuts:
        return Region()
    planes = list(clipping.half_spaces())
    points = np.array([plane.point for plane in planes], dtype=np.float64).reshape(-1, 3)
    normals = np.array([plane.normal for plane in planes], dtype=np.float64).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    prism = clipping.prism
    polygon = np.array(prism.polygon if prism else (), dtype=np.float64).reshape(-1, 2)
    return Region(points, normals, polygon, prism.inside if prism else True)


def ground_region(clipping: Clipping) -> list[Region]:
    """Return what a clipping keeps of the ground: the part that lies in all of these regions.

    The ground is cut by the section and, of its own, where it is taken away; wholly cut away it is
    not drawn at all (`is_ground_gone`).
    """
    regions = [region_of(clipping)]
    if clipping.active and clipping.ground == "cut" and clipping.ground_area:
        area = np.array(clipping.ground_area, dtype=np.float64)
        regions.append(Region(polygon=area, inside=False))
    return regions


def is_ground_gone(clipping: Clipping) -> bool:
    """Tell whether no ground is shown at all."""
    return clipping.active and clipping.ground == "cut" and not clipping.ground_area


def common(spans: Sequence[list[Span]]) -> list[Span]:
    """Return the stretches that lie in one of every list."""
    result = spans[0]
    for others in spans[1:]:
        pairs = ((max(a, c), min(b, d)) for a, b in result for c, d in others)
        result = [span for span in pairs if span[0] < span[1]]
    return sorted(result)


def in_polygon(xy: FloatArray, polygon: FloatArray) -> NDArray[np.bool_]:
    """Tell which places ``(N, 2)`` lie in a polygon ``(M, 2)``, by the even-odd rule."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    x, y = xy[:, :1], xy[:, 1:2]
    crosses = (a[:, 1] > y) != (b[:, 1] > y)
    rise = np.where(b[:, 1] != a[:, 1], b[:, 1] - a[:, 1], 1.0)
    at = a[:, 0] + (y - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    inside: NDArray[np.bool_] = (crosses & (x < at)).sum(axis=1) % 2 == 1
    return inside


def _crossings(origin: FloatArray, direction: FloatArray, polygon: FloatArray) -> FloatArray:
    """Return the distances at which a line crosses the sides of a polygon, rising."""
    a = polygon - origin
    side = np.roll(polygon, -1, axis=0) - polygon
    turn = direction[0] * side[:, 1] - direction[1] * side[:, 0]
    parallel = turn == 0
    safe = np.where(parallel, 1.0, turn)
    along = (a[:, 0] * side[:, 1] - a[:, 1] * side[:, 0]) / safe
    share = (a[:, 0] * direction[1] - a[:, 1] * direction[0]) / safe
    found: FloatArray = np.unique(along[~parallel & (share >= 0) & (share <= 1)])
    return found


def _between(a: float, b: float) -> float:
    """Return a number between two, of which either may be infinite."""
    if np.isfinite(a) and np.isfinite(b):
        return (a + b) / 2
    if np.isfinite(a):
        return a + 1.0
    return b - 1.0 if np.isfinite(b) else 0.0


def _joined(spans: list[Span]) -> list[Span]:
    """Return stretches with those joined that meet."""
    joined: list[Span] = []
    for near, far in spans:
        if joined and joined[-1][1] == near:
            joined[-1] = (joined[-1][0], far)
        else:
            joined.append((near, far))
    return joined
