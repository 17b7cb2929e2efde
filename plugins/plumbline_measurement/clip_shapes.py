"""What of a clipping can be dragged, what is drawn of it, and clippings made from clicked points.

Apart from the panel, so that it needs no Qt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    Bounds,
    ClipBox,
    Clipping,
    ClipPlane,
    ClipPrism,
    ClipSlab,
    Pick,
)

Point = tuple[float, float, float]
#: Least thickness that a slab can be dragged to, metres.
THINNEST = 1e-3
#: Room between a box around something and the thing, as a share of its diagonal.
ROOM = 0.02


@dataclass(frozen=True)
class Grip:
    """A face of a clipping that is moved along its normal.

    Attributes
    ----------
    place, axis : (x, y, z)
        Project CRS; the axis has unit length.
    moved : callable
        Returns the clipping with the face moved along the axis by a length.
    """

    place: Point
    axis: Point
    moved: Callable[[float], Clipping]

    def dragged(self, to: Sequence[float]) -> Clipping:
        """Return the clipping with the face where the grip was dragged to."""
        return self.moved(float(np.subtract(to, self.place) @ np.array(self.axis)))


def grips(clipping: Clipping) -> list[Grip]:
    """Return what can be dragged: faces of the box, planes, faces of the slab."""
    found: list[Grip] = []
    box, slab = clipping.box, clipping.slab
    if box is not None:
        for n, face in enumerate(box.faces()):
            outward = _point(-np.array(face.normal))
            found.append(
                Grip(face.point, outward, lambda by, n=n: replace(clipping, box=box.moved(n, by)))
            )
    for n, plane in enumerate(clipping.planes):
        axis = _unit(plane.normal)
        found.append(Grip(plane.point, axis, lambda by, n=n: _plane_moved(clipping, n, by)))
    if slab is not None:
        for face in slab.faces():
            outward = _unit([-v for v in face.normal])
            found.append(
                Grip(face.point, outward, lambda by, o=outward: _slab_moved(clipping, slab, o, by))
            )
    return found


def _plane_moved(clipping: Clipping, number: int, by: float) -> Clipping:
    plane = clipping.planes[number]
    moved = replace(plane, point=_along(plane.point, _unit(plane.normal), by))
    return replace(
        clipping,
        planes=(*clipping.planes[:number], moved, *clipping.planes[number + 1 :]),
    )


def _slab_moved(clipping: Clipping, slab: ClipSlab, outward: Point, by: float) -> Clipping:
    thickness = max(slab.thickness + by, THINNEST)
    middle = _along(slab.point, outward, (thickness - slab.thickness) / 2)
    return replace(clipping, slab=replace(slab, point=middle, thickness=thickness))


# -- what is drawn -------------------------------------------------------------------------------


def outlines(clipping: Clipping, size: float, height: float) -> list[list[Point]]:
    """Return closed outlines of the shapes of a clipping.

    Parameters
    ----------
    size : float
        Side of the square that stands for an endless plane, metres.
    height : float
        At which outlines on the map are drawn.
    """
    drawn: list[list[Point]] = []
    if clipping.box is not None:
        corners = _corners(clipping.box)
        rings = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6))
        drawn += [[corners[n] for n in ring] for ring in rings]
    planes = list(clipping.planes)
    if clipping.slab is not None:
        planes += list(clipping.slab.faces())
    drawn += [_square(plane, size) for plane in planes]
    polygons = [clipping.ground_area]
    if clipping.prism is not None:
        polygons.append(clipping.prism.polygon)
    drawn += [[(x, y, height) for x, y in polygon] for polygon in polygons if polygon]
    return drawn


def _corners(box: ClipBox) -> list[Point]:
    axes, half = np.array(box.axes), np.array(box.size) / 2
    signs = [(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
    return [_point(np.array(box.center) + (np.array(s) * half) @ axes) for s in signs]


def _square(plane: ClipPlane, size: float) -> list[Point]:
    normal = np.array(_unit(plane.normal))
    level = np.cross(normal, (0.0, 0.0, 1.0))
    across = np.array((1.0, 0.0, 0.0)) if np.linalg.norm(level) < 1e-9 else np.array(_unit(level))
    up = np.cross(across, normal)
    turns = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [_point(np.array(plane.point) + size / 2 * (a * across + b * up)) for a, b in turns]


# -- made by hand ----------------------------------------------------------------------------------


def box_around(bounds: Bounds) -> ClipBox:
    """Return an upright box around a box, with a little room."""
    room = max(ROOM * bounds.diagonal, 0.1)
    low = np.array((bounds.xmin, bounds.ymin, bounds.zmin)) - room
    high = np.array((bounds.xmax, bounds.ymax, bounds.zmax)) + room
    return ClipBox(_point((low + high) / 2), _point(high - low))


def plane_on(pick: Pick) -> ClipPlane:
    """Return the plane of a clicked face, which takes away what lies before it.

    Where a point has no face the plane is level.
    """
    normal = pick.normal or (0.0, 0.0, 1.0)
    return ClipPlane(pick.position, (-normal[0], -normal[1], -normal[2]))


def level_plane(point: Point) -> ClipPlane:
    """Return the level plane through a point, which takes away what lies above it."""
    return ClipPlane(point, (0.0, 0.0, -1.0))


def upright_plane(start: Point, end: Point) -> ClipPlane:
    """Return the upright plane through two points; what lies to the right of the way is kept.

    Raises
    ------
    ValueError
        If both are at the same place on the map.
    """
    return ClipPlane(start, (end[1] - start[1], start[0] - end[0], 0.0))


def upright_slab(start: Point, end: Point, thickness: float) -> ClipSlab:
    """Return the slab around the upright plane through two points."""
    plane = upright_plane(start, end)
    return ClipSlab(plane.point, plane.normal, thickness)


def prism_over(points: Iterable[Point], inside: bool) -> ClipPrism:
    """Return the prism over clicked corners."""
    return ClipPrism(tuple((x, y) for x, y, _ in points), inside)


def _unit(vector: Iterable[float]) -> Point:
    given = np.array(tuple(vector), dtype=np.float64)
    return _point(given / math.hypot(*given))


def _along(point: Point, axis: Point, by: float) -> Point:
    return _point(np.array(point) + by * np.array(axis))


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = (float(v) for v in values)
    return (x, y, z)
