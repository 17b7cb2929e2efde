"""The visible surface at points: roofs, crowns, pier, ground and sea, from the construction.

The orthophoto, the cloud and the photogrammetry mesh all ask here, so they agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.demo.frame import HEIGHT, WIDTH, Floats
from plumbline.demo.model import District
from plumbline.demo.picture import in_strips
from plumbline.demo.terrain import sample

GROUND, BUILDING, TREE, PIER, WATER = 0, 1, 2, 3, 4
SEA_LEVEL = 0.0


@dataclass
class Sampling:
    """Points in rows (north first) and columns, at most `slack` m off a regular grid."""

    u: Floats
    v: Floats
    west: float
    north: float
    step: float
    slack: float = 0.0

    @classmethod
    def grid(
        cls, step: float, bounds: tuple[float, float, float, float] = (0.0, 0.0, WIDTH, HEIGHT)
    ) -> Sampling:
        """Return the cell centres of a raster; `u` is (1, columns) and `v` (rows, 1)."""
        west, south, east, north = bounds
        u = west + (np.arange(round((east - west) / step)) + 0.5) * step
        v = north - (np.arange(round((north - south) / step)) + 0.5) * step
        return cls(np.asarray(u[None, :]), np.asarray(v[:, None]), west, north, step)

    @property
    def shape(self) -> tuple[int, int]:
        return self.v.shape[0], self.u.shape[1]

    def window(self, bounds: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """Return rows and columns that hold every point within the bounds."""
        west, south, east, north = bounds
        cells = [
            (self.north - north - self.slack) / self.step,
            (self.north - south + self.slack) / self.step,
            (west - self.slack - self.west) / self.step,
            (east + self.slack - self.west) / self.step,
        ]
        top, low, left, right = (int(np.floor(c)) for c in cells)
        rows, cols = self.shape
        return slice(max(top, 0), min(low + 1, rows)), slice(max(left, 0), min(right + 1, cols))

    def at(self, window: tuple[slice, slice]) -> tuple[Floats, Floats]:
        """Return u and v of a window, broadcastable against each other."""
        rows, cols = window
        u = self.u[rows, cols] if self.u.shape[0] > 1 else self.u[:, cols]
        v = self.v[rows, cols] if self.v.shape[1] > 1 else self.v[rows, :]
        return u, v


@dataclass
class Surface:
    """Heights and what they belong to, in the shape of a `Sampling`."""

    z: NDArray[np.float32]
    kind: NDArray[np.uint8]
    """One of GROUND, BUILDING, TREE, PIER, WATER."""
    ident: NDArray[np.int32]
    """Index of the building or tree; of the part for `part`."""
    part: NDArray[np.int16]
    """Index among parts and then extras of the building."""
    ground: NDArray[np.float32]
    """The terrain below."""


def surface(district: District, at: Sampling, *, trees: bool = True) -> Surface:
    """Return the surface seen from above at every point of `at`."""
    ground = np.empty(at.shape, np.float32)

    def level(rows: slice) -> None:  # in strips: the float64 intermediates are large
        u, v = np.broadcast_arrays(*at.at((rows, slice(None))))
        ground[rows] = sample(district.ground, u, v)

    in_strips(at.shape[0], level)
    z = np.maximum(ground, np.float32(SEA_LEVEL))
    kind = np.where(ground < SEA_LEVEL, WATER, GROUND).astype(np.uint8)
    found = Surface(z, kind, np.full(at.shape, -1, np.int32), np.zeros(at.shape, np.int16), ground)
    if trees:
        _trees(district, at, found)
    for part in district.pier:
        _stamp(found, at, part, 0.0, PIER, 0, 0)
    for index, building in enumerate(district.buildings):
        for number, part in enumerate((*building.parts, *building.extras)):
            _stamp(found, at, part, building.base, BUILDING, index, number)
    return found


def _stamp(
    found: Surface, at: Sampling, part: object, base: float, kind: int, ident: int, number: int
) -> None:
    from plumbline.demo.parts import Part

    assert isinstance(part, Part)
    window = at.window(part.polygon.bounds)
    z = part.heights(*at.at(window)) + base
    # Roofs win over everything below them; a stair head over its roof.
    above = ~np.isnan(z) & ((found.kind[window] != kind) | (z > found.z[window]))
    found.z[window][above] = z[above]
    found.kind[window][above] = kind
    found.ident[window][above] = ident
    found.part[window][above] = number


def _trees(district: District, at: Sampling, found: Surface) -> None:
    for index, tree in enumerate(district.trees):
        r = tree.radius
        window = at.window((tree.u - r, tree.v - r, tree.u + r, tree.v + r))
        u, v = at.at(window)
        inside = 1 - ((u - tree.u) ** 2 + (v - tree.v) ** 2) / r**2
        z = tree.ground + tree.height - tree.semi * (1 - np.sqrt(np.maximum(inside, 0)))
        above = (inside > 0) & (z > found.z[window])
        found.z[window][above] = z[above]
        found.kind[window][above] = TREE
        found.ident[window][above] = index


def heights_at(district: District, u: Floats, v: Floats, *, trees: bool = True) -> Floats:
    """Return the height in m of the surface at scattered local points (n,)."""
    z = np.maximum(sample(district.ground, u, v), SEA_LEVEL)
    if trees:
        box = u.min(), u.max(), v.min(), v.max()
        for tree in district.trees:
            r = tree.radius
            if not (box[0] - r < tree.u < box[1] + r and box[2] - r < tree.v < box[3] + r):
                continue
            inside = 1 - ((u - tree.u) ** 2 + (v - tree.v) ** 2) / r**2
            crown = tree.ground + tree.height - tree.semi * (1 - np.sqrt(np.maximum(inside, 0)))
            z = np.where(inside > 0, np.maximum(z, crown), z)
    for part in district.pier:
        z = np.fmax(z, part.heights(u, v))
    for building in district.buildings:
        for part in (*building.parts, *building.extras):
            z = np.fmax(z, part.heights(u, v) + building.base)
    return np.asarray(z)
