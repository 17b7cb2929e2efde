"""How clear a line of sight is, or what would have to give way: cut upright, in closed form.

The obstacles are cut by the upright plane through eye and target. In that plane each triangle is a
straight stretch, so clearances and the angles that it covers are those of its two ends, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray

#: Eyes and targets stand on something: this much of a line, at most, does not count at each end
#: when a free line's clearance is taken, metres.
ENDS = 2.0
#: What is this near to an end is the end's own, metres.
TOUCH = 1e-6
#: Stretches whose angles differ by less join, as a tangent of the angle.
_JOIN = 1e-9
#: Tangent of the angle above which an eye has a roof over its head.
_STEEPEST = 1000.0
#: Triangles that are passed over together.
_BLOCK = 64


@dataclass(frozen=True)
class UprightCut:
    """Obstacles in the upright plane of one line.

    Attributes
    ----------
    length : float
        Of the line on the map, metres.
    eye, target : float
        Heights, metres.
    s, z : (K, 2) float64
        Distance on the map from the eye and height of both ends of each stretch; inside the line.
    triangle : (K,) intp
        Which triangle it is.
    """

    length: float
    eye: float
    target: float
    s: FloatArray
    z: FloatArray
    triangle: NDArray[np.intp]

    @property
    def over(self) -> FloatArray:
        """Heights ``(K, 2)`` of the ends of stretches over the line."""
        over: FloatArray = self.z - (self.eye + (self.target - self.eye) * self.s / self.length)
        return over


def plan_boxes(vertices: FloatArray, triangles: Any) -> FloatArray:
    """Return what blocks of consecutive triangles cover on the map: ``(K, 4)`` low x, y, high x, y.

    Neighbours in a file are mostly neighbours on the ground, so a line passes few of them.
    """
    starts = np.arange(0, len(triangles), _BLOCK)
    boxes = np.empty((len(starts), 4))
    for axis in (0, 1):
        ends = [vertices[triangles[:, k], axis] for k in range(3)]
        low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
        if len(starts):
            boxes[:, axis] = np.minimum.reduceat(low, starts)
            boxes[:, axis + 2] = np.maximum.reduceat(high, starts)
    return boxes


def cut_upright(
    vertices: FloatArray, triangles: Any, eye: Any, target: Any, boxes: FloatArray | None = None
) -> UprightCut | None:
    """Cut triangles by the upright plane of a line; None where the line itself is upright.

    Parameters
    ----------
    vertices : (N, 3) float64
        Metres.
    triangles : (M, 3) integer
    eye, target : (3,) float64
    boxes : (K, 4) float64, optional
        As `plan_boxes` gives; worth keeping where many lines are cut.
    """
    if boxes is None:
        boxes = plan_boxes(vertices, triangles)
    length = math.hypot(target[0] - eye[0], target[1] - eye[1])
    if length <= TOUCH:
        return None
    way = ((target[0] - eye[0]) / length, (target[1] - eye[1]) / length)
    found, triangle = np.empty((4096, 4)), np.empty(4096, np.intp)
    line = (float(eye[0]), float(eye[1]), *way, length)
    count = _kernel()(vertices, triangles, boxes, *line, found, triangle)
    if count > len(found):
        found, triangle = np.empty((count, 4)), np.empty(count, np.intp)
        _kernel()(vertices, triangles, boxes, *line, found, triangle)
    found, triangle = found[:count], triangle[:count]
    s, z = found[:, 0::2], found[:, 1::2]
    # Clip to the line: a stretch that crosses an end keeps its part inside.
    kept = (s.max(axis=1) >= TOUCH) & (s.min(axis=1) <= length - TOUCH)
    s, z, triangle = s[kept], z[kept], triangle[kept]
    clipped = np.clip(s, TOUCH, length - TOUCH)
    span = s[:, 1] - s[:, 0]
    slope = (z[:, 1] - z[:, 0]) / np.where(span == 0, 1.0, span)
    z = np.where(clipped == s, z, z[:, :1] + slope[:, None] * (clipped - s[:, :1]))
    return UprightCut(length, float(eye[2]), float(target[2]), clipped, z, triangle)


@cache
def _kernel() -> Callable[..., int]:
    """Return the cut; it writes what fits (s, z of both ends) and returns how many there are."""
    from numba import njit

    @njit(nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
    def cut(
        vertices: Any, triangles: Any, boxes: Any, x: float, y: float, dx: float, dy: float,
        length: float, found: Any, which: Any,
    ) -> int:  # fmt: skip
        count, missed = 0, False
        side, along = np.empty(3), np.empty(3)
        for n in range(len(triangles)):
            if n % _BLOCK == 0:
                m = n // _BLOCK
                px, py = (boxes[m, 0] + boxes[m, 2]) / 2 - x, (boxes[m, 1] + boxes[m, 3]) / 2 - y
                # A little more, for what rounding takes from a box.
                wide = (boxes[m, 2] - boxes[m, 0]) / 2 + 1e-6
                high = (boxes[m, 3] - boxes[m, 1]) / 2 + 1e-6
                reach = wide * abs(dx) + high * abs(dy)
                ahead = px * dx + py * dy
                beside = abs(px * dy - py * dx) > wide * abs(dy) + high * abs(dx)
                missed = beside or ahead + reach < 0 or ahead - reach > length
            if missed:
                continue
            for k in range(3):
                px = vertices[triangles[n, k], 0] - x
                py = vertices[triangles[n, k], 1] - y
                side[k] = px * dy - py * dx
                along[k] = px * dx + py * dy
            if min(side[0], side[1], side[2]) > 0 or max(side[0], side[1], side[2]) < 0:
                continue
            if max(along[0], along[1], along[2]) <= 0 or min(along[0], along[1], along[2]) > length:
                continue
            ends = 0
            low_s, low_z, high_s, high_z = np.inf, np.inf, -np.inf, -np.inf
            for k in range(3):
                one, two = side[k], side[(k + 1) % 3]
                if one != 0 and one * two >= 0:
                    continue
                share = 0.0 if one == 0 else one / (one - two)
                s = along[k] + share * (along[(k + 1) % 3] - along[k])
                z = vertices[triangles[n, k], 2]
                z += share * (vertices[triangles[n, (k + 1) % 3], 2] - z)
                ends += 1
                # An upright stretch has one s: then height decides.
                if s < low_s or (s == low_s and z < low_z):
                    low_s, low_z = s, z
                if s > high_s or (s == high_s and z > high_z):
                    high_s, high_z = s, z
            if ends < 2:
                continue
            if count < len(found):
                found[count, 0], found[count, 1] = low_s, low_z
                found[count, 2], found[count, 3] = high_s, high_z
                which[count] = n
            count += 1
        return count

    compiled: Callable[..., int] = cut
    return compiled


def clearance_below(cut: UprightCut) -> float:
    """Return the least height of the line over what lies under it, metres; inf where nothing does.

    Both ends do not count, `ENDS` metres of a long line.
    """
    ends = min(ENDS, cut.length / 4)
    # A stretch below the line: its ends, and where it enters and leaves what counts.
    inside = np.clip(cut.s, ends, cut.length - ends)
    kept = (cut.s.max(axis=1) >= ends) & (cut.s.min(axis=1) <= cut.length - ends)
    span = cut.s[:, 1] - cut.s[:, 0]
    over = cut.over
    slope = (over[:, 1] - over[:, 0]) / np.where(span == 0, 1.0, span)
    clipped = np.where(
        inside == cut.s, over, over[:, :1] + slope[:, None] * (inside - cut.s[:, :1])
    )
    below = -clipped[kept & (clipped.max(axis=1) <= 0)]
    return float(below.min(initial=np.inf))


def rise_over(cut: UprightCut, count: int, owner: NDArray[np.integer[Any]]) -> FloatArray:
    """Return how far each owner rises over the line, metres ``(count,)``; 0 where it does not."""
    rise = np.zeros(count)
    np.maximum.at(rise, owner[cut.triangle], cut.over.max(axis=1, initial=0.0))
    return rise


def needed_rise(cut: UprightCut) -> float:
    """Return by how much the target has to rise for a free line, metres; inf where nothing helps.

    Stretches are taken for what they are: a line that passes under a bridge is free. The angles
    that they cover are joined from the line's own upwards, until there is a gap.
    """
    slopes = (cut.z - cut.eye) / cut.s
    low, high = slopes.min(axis=1), slopes.max(axis=1)
    start = (cut.target - cut.eye) / cut.length
    order = np.argsort(low, kind="stable")
    top = start
    for one, two in zip(low[order].tolist(), high[order].tolist(), strict=True):
        if one > top + _JOIN * (1 + abs(top)):
            break
        top = max(top, two)
    return (top - start) * cut.length if top < _STEEPEST else math.inf
