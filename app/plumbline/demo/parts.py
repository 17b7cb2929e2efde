"""A part of a building: a prism over a rectangle or a regular polygon, with its roof.

One description serves every product, so that they agree by construction: heights at points
(orthophoto, cloud, photogrammetry), outline, volume, and a closed triangle mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo.frame import Floats

PARAPET_WIDTH = 0.3


@dataclass(frozen=True)
class Face:
    """A flat face of a part: ring (n, 3) in local m above the base, outward anticlockwise."""

    ring: Floats
    kind: str
    """``wall``, ``roof`` or ``floor``."""
    holes: tuple[Floats, ...] = ()


@dataclass(frozen=True)
class Part:
    """A prism with a roof.

    Parameters
    ----------
    u, v : centre in local m.
    length, depth : size in m along and across `angle`; the ridge runs along the length.
    angle : direction of the length in rad, anticlockwise from east.
    eaves : height in m of the top of the walls above the base of the building.
    roof : ``flat``, ``gable``, ``hip`` or ``pyramid``.
    rise : height in m of the roof above the eaves.
    bottom : height in m of its underside above the base.
    parapet : height in m of the parapet around a flat roof.
    sides : 4 for a rectangle, else a regular polygon with the length as its diameter.
    tile : name of the roof covering in `facades.ROOFS`.
    holes : shapely polygons cut out (a podium around its towers); flat roofs only.
    """

    u: float
    v: float
    length: float
    depth: float
    angle: float
    eaves: float
    roof: str = "flat"
    rise: float = 0.0
    bottom: float = 0.0
    parapet: float = 0.0
    sides: int = 4
    tile: str = "grey"
    holes: tuple[Any, ...] = ()

    @cached_property
    def corners(self) -> Floats:
        """(sides, 2) corners in local m, anticlockwise."""
        if self.sides == 4:
            half = np.array([self.length, self.depth]) / 2
            own = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        else:
            turn = 2 * np.pi * (np.arange(self.sides) + 0.5) / self.sides
            own = self.length / 2 * np.column_stack([np.cos(turn), np.sin(turn)])
        return self.place(own)

    def place(self, own: Floats) -> Floats:
        """Return points (n, 2) along and across the part as local ones."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.asarray(own @ np.array([[c, s], [-s, c]]) + [self.u, self.v])

    def own(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Return local points as distances along and across from the centre."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        du, dv = u - self.u, v - self.v
        return du * c + dv * s, dv * c - du * s

    @cached_property
    def polygon(self) -> Any:
        """The outline as a shapely polygon in local m."""
        import shapely

        outline = shapely.Polygon(self.corners)
        for hole in self.holes:
            outline = outline.difference(hole)
        return outline

    @property
    def apothem(self) -> float:
        """Distance in m from the centre of a regular polygon to its sides."""
        return float(self.length / 2 * np.cos(np.pi / self.sides))

    def _slope(self, p: Floats, q: Floats) -> Floats:
        """Return 0 on the outline and 1 on the ridge; negative outside."""
        if self.sides != 4:
            turn = 2 * np.pi * np.arange(1, self.sides + 1) / self.sides
            reach = np.max([p * np.cos(a) + q * np.sin(a) for a in turn], axis=0)
            return np.asarray(1 - reach / self.apothem)
        across = 1 - np.abs(q) / (self.depth / 2)
        if self.roof == "hip":
            return np.minimum(across, (self.length / 2 - np.abs(p)) / (self.depth / 2))
        along = 1 - np.abs(p) / (self.length / 2)
        if self.roof == "gable":
            return np.where(along >= 0, across, along)
        return np.minimum(across, along)

    def heights(self, u: Floats, v: Floats) -> Floats:
        """Return heights in m of the roof above the base at local points; NaN outside."""
        p, q = self.own(u, v)
        slope = self._slope(p, q)
        z = np.where(slope >= 0, self.eaves + self.rise * np.maximum(slope, 0), np.nan)
        if self.parapet:
            if self.sides == 4:
                inner = (np.abs(p) < self.length / 2 - PARAPET_WIDTH) & (
                    np.abs(q) < self.depth / 2 - PARAPET_WIDTH
                )
            else:
                inner = slope * self.apothem > PARAPET_WIDTH
            z = np.where(inner, z, z + self.parapet)
        for hole in self.holes:
            import shapely

            z = np.where(shapely.contains_xy(hole, *np.broadcast_arrays(u, v)), np.nan, z)
        return z

    @property
    def top(self) -> float:
        return self.eaves + self.rise + self.parapet

    @property
    def volume(self) -> float:
        """Volume in m³ between underside and roof, without the parapet."""
        area = self.polygon.area
        solid = area * (self.eaves - self.bottom)
        if self.roof == "gable":
            solid += area * self.rise / 2
        elif self.roof == "hip":
            solid += self.rise * self.depth * (3 * self.length - self.depth) / 6
        elif self.roof == "pyramid":
            solid += area * self.rise / 3
        return float(solid)

    @property
    def parapet_volume(self) -> float:
        """Volume in m³ of the parapet."""
        if not self.parapet:
            return 0.0
        outline = replace(self, holes=()).polygon
        inner = outline.buffer(-PARAPET_WIDTH, join_style="mitre")
        return float(self.parapet * (outline.area - inner.area))

    def faces(self) -> list[Face]:
        """Return the closed surface as flat faces (the parapet as a raised rim)."""
        base = self.corners
        holes = [np.asarray(h.exterior.coords)[:-1] for h in self.holes]
        holes = [h[::-1] if _area(h) > 0 else h for h in holes]
        faces = [
            Face(
                _at(base[::-1], self.bottom),
                "floor",
                tuple(_at(h[::-1], self.bottom) for h in holes),
            )
        ]
        if self.roof == "flat":
            rim = self.eaves + self.parapet
            for ring in [base, *holes]:
                faces += _walls(ring, self.bottom, rim if ring is base else self.eaves)
            if not self.parapet:
                return [
                    *faces,
                    Face(_at(base, self.eaves), "roof", tuple(_at(h, self.eaves) for h in holes)),
                ]
            inner = self._inset()
            faces.append(Face(_at(base, rim), "rim", (_at(inner[::-1], rim),)))
            faces += [Face(w.ring, "rim") for w in _walls(inner[::-1], self.eaves, rim)]
            faces.append(
                Face(_at(inner, self.eaves), "roof", tuple(_at(h, self.eaves) for h in holes))
            )
            return faces
        return faces + self._pitched(base)

    def _inset(self) -> Floats:
        shrunk = 1 - PARAPET_WIDTH / self.apothem if self.sides != 4 else 0.0
        if self.sides != 4:
            return np.asarray((self.corners - [self.u, self.v]) * shrunk + [self.u, self.v])
        half = np.array([self.length, self.depth]) / 2 - PARAPET_WIDTH
        return self.place(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half)

    def _pitched(self, base: Floats) -> list[Face]:
        low, high = _at(base, self.eaves), self.eaves + self.rise
        walls = _walls(base, self.bottom, self.eaves)
        if self.roof == "pyramid":
            tip = np.array([self.u, self.v, high])
            n = len(base)
            return walls + [
                Face(np.array([low[i], low[(i + 1) % n], tip]), "roof") for i in range(n)
            ]
        reach = self.length / 2 - (self.depth / 2 if self.roof == "hip" else 0)
        west, east = _at(self.place(np.array([[-reach, 0.0], [reach, 0.0]])), high)
        roof = [
            Face(np.array([low[0], low[1], east, west]), "roof"),
            Face(np.array([low[2], low[3], west, east]), "roof"),
        ]
        ends = [np.array([low[1], low[2], east]), np.array([low[3], low[0], west])]
        if self.roof == "hip":
            return walls + roof + [Face(e, "roof") for e in ends]
        # A gable continues its wall: one pentagon, so that the facade runs up to the ridge.
        walls[1] = Face(np.vstack([walls[1].ring[:2], ends[0][1], east, ends[0][0]]), "wall")
        walls[3] = Face(np.vstack([walls[3].ring[:2], ends[1][1], west, ends[1][0]]), "wall")
        return walls + roof


def _area(ring: Floats) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def _at(ring: Floats, z: float) -> Floats:
    return np.column_stack([ring, np.full(len(ring), z)])


def _walls(ring: Floats, low: float, high: float) -> list[Face]:
    """Return the walls over a ring; an anticlockwise ring has them look outwards."""
    ends = np.roll(ring, -1, axis=0)
    return [
        Face(np.array([[*a, low], [*b, low], [*b, high], [*a, high]]), "wall")
        for a, b in zip(ring, ends, strict=True)
    ]


def triangles(face: Face) -> tuple[Floats, NDArray[np.int64]]:
    """Return points (n, 3) and triangles (m, 3) of a face, holes cut out, orientation kept."""
    rings = [face.ring, *face.holes]
    points = np.vstack(rings)
    if not face.holes:  # every ring here is convex
        n = len(face.ring)
        fan = np.column_stack([np.zeros(n - 2, int), np.arange(1, n - 1), np.arange(2, n)])
        return points, fan
    import mapbox_earcut

    flat = np.ascontiguousarray(points[:, :2])
    ends = np.cumsum([len(r) for r in rings]).astype(np.uint32)
    cut = mapbox_earcut.triangulate_float64(flat, ends).reshape(-1, 3).astype(np.int64)
    a, b, c = (flat[cut[:, k]] for k in range(3))
    turn = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    wrong = (turn > 0) != (_area(face.ring) > 0)
    cut[wrong] = cut[wrong][:, ::-1]
    return points, cut
