"""What of the scene is shown: a section box, planes, a slab, a prism, storeys apart, seen through.

Plain data of a project: the same for every view, for picking and for snapping, saved with the
project, and each change is a step that undo takes back. The numerics are in `geometry.clip`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Vector = tuple[float, float, float]

#: Most planes and most corners that a clipping may have; shaders hold this many.
MOST_PLANES = 12
MOST_CORNERS = 32


@dataclass(frozen=True)
class ClipPlane:
    """A plane through a point; what lies on the side of its normal is kept.

    Attributes
    ----------
    point : (x, y, z)
        Project CRS.
    normal : (x, y, z)
        Of any length but 0.
    """

    point: Vector
    normal: Vector

    def __post_init__(self) -> None:
        _finite(*self.point, *self.normal)
        if math.hypot(*self.normal) == 0:
            raise ValueError("a plane needs a direction")


@dataclass(frozen=True)
class ClipBox:
    """An upright box; what lies in it is kept.

    Attributes
    ----------
    center : (x, y, z)
        Project CRS.
    size : (along, across, high)
        Lengths of its sides.
    azimuth : float
        Turn about the vertical, degrees clockwise from grid north.
    """

    center: Vector
    size: Vector
    azimuth: float = 0.0

    def __post_init__(self) -> None:
        _finite(*self.center, *self.size, self.azimuth)
        if min(self.size) <= 0:
            raise ValueError("a box needs a size")

    @property
    def axes(self) -> tuple[Vector, Vector, Vector]:
        """Unit vectors along its sides."""
        turn = math.radians(self.azimuth)
        cos, sin = math.cos(turn), math.sin(turn)
        return (cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)

    def faces(self) -> Iterator[ClipPlane]:
        """Return the six faces as planes that keep the inside: -x, +x, -y, +y, -z, +z."""
        for axis, size in zip(self.axes, self.size, strict=True):
            for side in (-1.0, 1.0):
                at = [c + side * a * size / 2 for c, a in zip(self.center, axis, strict=True)]
                inward = [-side * a for a in axis]
                yield ClipPlane((at[0], at[1], at[2]), (inward[0], inward[1], inward[2]))

    def moved(self, face: int, by: float) -> ClipBox:
        """Return the box with one face moved outwards by a length; it keeps 1 mm at least."""
        axis, outward = self.axes[face // 2], 1.0 if face % 2 else -1.0
        old = self.size[face // 2]
        new = max(old + by, 1e-3)
        shift = outward * (new - old) / 2
        size = [new if n == face // 2 else s for n, s in enumerate(self.size)]
        center = [c + a * shift for c, a in zip(self.center, axis, strict=True)]
        return ClipBox((center[0], center[1], center[2]), (size[0], size[1], size[2]), self.azimuth)


@dataclass(frozen=True)
class ClipSlab:
    """The space between two parallel planes, `thickness` apart around a point."""

    point: Vector
    normal: Vector
    thickness: float

    def __post_init__(self) -> None:
        ClipPlane(self.point, self.normal)
        _finite(self.thickness)
        if self.thickness <= 0:
            raise ValueError("a slab needs a thickness")

    def faces(self) -> Iterator[ClipPlane]:
        """Return both planes; what lies between them is kept."""
        length = math.hypot(*self.normal)
        for side in (-1.0, 1.0):
            step = -side * self.thickness / 2 / length
            at = [p + n * step for p, n in zip(self.point, self.normal, strict=True)]
            inward = [n * side for n in self.normal]
            yield ClipPlane((at[0], at[1], at[2]), (inward[0], inward[1], inward[2]))


@dataclass(frozen=True)
class ClipPrism:
    """An upright prism over a polygon on the map; what lies in it is kept, or what lies outside."""

    polygon: tuple[tuple[float, float], ...]
    inside: bool = True

    def __post_init__(self) -> None:
        _check_polygon(self.polygon)
        if len(self.polygon) < 3:
            raise ValueError("a prism needs three corners")


Look = Literal["solid", "xray", "ghost"]
GroundLook = Literal["solid", "transparent", "cut"]


@dataclass(frozen=True)
class Clipping:
    """What is shown and how; by default everything as it is.

    Attributes
    ----------
    active : bool
        Whether any of it applies; off, it is kept for later.
    box, planes, slab, prism
        What is kept lies in all of them.
    explode : float
        Height by which each storey of a building model is lifted above the one below it, metres.
        Picking and measuring give the places where things really are.
    look : str
        ``xray``: all solid things are translucent; ``ghost``: all but the selection.
    ground : str
        Terrain and photographs on it: ``transparent``, or ``cut`` away; what lies below is picked
        through it.
    ground_area : tuple of (x, y)
        Where the ground is cut away; everywhere when empty.
    """

    active: bool = True
    box: ClipBox | None = None
    planes: tuple[ClipPlane, ...] = ()
    slab: ClipSlab | None = None
    prism: ClipPrism | None = None
    explode: float = 0.0
    look: Look = "solid"
    ground: GroundLook = "solid"
    ground_area: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        _finite(self.explode)
        _check_polygon(self.ground_area)
        if len(list(self.half_spaces())) > MOST_PLANES:
            raise ValueError(f"a clipping has at most {MOST_PLANES} planes")

    def half_spaces(self) -> Iterator[ClipPlane]:
        """Return every plane of box, slab and single planes."""
        if self.box is not None:
            yield from self.box.faces()
        if self.slab is not None:
            yield from self.slab.faces()
        yield from self.planes

    @property
    def cuts(self) -> bool:
        """Whether it takes anything away from what is not the ground."""
        shapes = (self.box, self.slab, self.prism)
        return self.active and (any(s is not None for s in shapes) or bool(self.planes))

    @property
    def changes(self) -> bool:
        """Whether anything looks other than it is."""
        looks = self.look != "solid" or self.ground != "solid" or self.explode != 0
        return self.cuts or (self.active and looks)


def _finite(*numbers: float) -> None:
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a clipping needs finite numbers")


def _check_polygon(polygon: tuple[tuple[float, float], ...]) -> None:
    _finite(*(v for corner in polygon for v in corner))
    if len(polygon) > MOST_CORNERS:
        raise ValueError(f"a clipping polygon has at most {MOST_CORNERS} corners")
