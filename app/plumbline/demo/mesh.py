"""A photogrammetry-like mesh of the old quarter: one continuous skin, draped in pictures.

A grid of 1 m follows the surface seen from above. Where a wall passes between two nodes, the inner
one moves onto its top and the outer one to its foot: that turns the steps of a grid into walls, and
leaves the slightly melted edges that dense matching leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo import facades, obj
from plumbline.demo.frame import (
    ORIGIN,
    SUN_AZIMUTH,
    Bytes,
    Floats,
    noise,
    random,
)
from plumbline.demo.model import District
from plumbline.demo.orthophoto import crop
from plumbline.demo.surface import BUILDING, TREE, Sampling, surface
from plumbline.demo.terrain import sample

BOUNDS = (232.0, 302.0, 582.0, 652.0)
"""West, south, east, north in local m."""
STEP = 1.0
SIGMA = 0.025
"""Standard deviation in m of the heights against the true surfaces."""
INNER, OUTER = 0.04, 0.12
"""Distance in m of the nodes at the top and at the foot of a wall from the true wall."""
ATLAS = 2048
SUNK = 1.5
"""The facade pictures begin this far below the base, in m."""


@dataclass
class _Walls:
    """Edges of all footprints: ends (n, 4) in local m, heights, owners, places in the atlas."""

    ends: Floats
    base: Floats
    top: Floats
    owner: NDArray[np.int64]
    page: NDArray[np.int64]
    place: Floats
    """(n, 2) pixel of the lower left corner."""
    scale: float = 8.0
    """Pixels per m."""

    @property
    def length(self) -> Floats:
        return np.hypot(self.ends[:, 2] - self.ends[:, 0], self.ends[:, 3] - self.ends[:, 1])

    def direction(self, index: Any) -> Floats:
        along = self.ends[index, 2:] - self.ends[index, :2]
        return np.asarray(along / self.length[index][:, None])


def write(district: District, photo: Bytes, folder: Path) -> int:
    """Write ``photogrammetry.obj`` with its pictures; return the number of triangles."""
    rng = random(district.seed, "photogrammetry")
    walls = _walls(district)
    nodes, owner, edge = _nodes(district, walls, rng)
    cells = _triangles(nodes)
    model, materials = _texture(district, photo, nodes, owner, edge, cells, walls, rng)
    obj.write(folder / "photogrammetry.obj", model, materials, origin())
    return len(cells)


def origin() -> tuple[float, float, float]:
    """Return the SRSOrigin of the mesh: its south-west corner."""
    return ORIGIN[0] + BOUNDS[0], ORIGIN[1] + BOUNDS[1], 0.0


def _walls(district: District) -> _Walls:
    import shapely

    area = shapely.box(*BOUNDS)
    ends, base, top, owner = [], [], [], []
    for index, building in enumerate(district.buildings):
        if not area.intersects(building.footprint):
            continue
        for polygon in shapely.get_parts(building.footprint):
            polygon = shapely.orient_polygons(polygon)
            for ring in (polygon.exterior, *polygon.interiors):
                points = np.asarray(ring.coords)
                ends += [(*a, *b) for a, b in pairwise(points)]
                base += [building.base] * (len(points) - 1)
                top += [building.base + building.ridge + 1.4] * (len(points) - 1)
                owner += [index] * (len(points) - 1)
    n = len(ends)
    walls = _Walls(
        np.array(ends),
        np.array(base),
        np.array(top),
        np.array(owner),
        np.zeros(n, np.int64),
        np.zeros((n, 2)),
    )
    _pack(walls)
    return walls


def _pack(walls: _Walls) -> None:
    """Place every wall on a page, in shelves from the lowest wall to the highest."""
    height = walls.top - walls.base + SUNK
    page, x, y, shelf = 0, 0, 0, 0
    for i in np.argsort(height, kind="stable"):
        wide = min(int(walls.length[i] * walls.scale) + 4, ATLAS)
        high = int(height[i] * walls.scale) + 4
        if x + wide > ATLAS:
            x, y, shelf = 0, y + shelf, 0
        if y + high > ATLAS:
            page, x, y, shelf = page + 1, 0, 0, 0
        walls.page[i], walls.place[i] = page, (x + 2, y + 2)
        x, shelf = x + wide, max(shelf, high)


def _nodes(
    district: District, walls: _Walls, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Return nodes (rows, columns, 3), the building each stands on (-1), its wall (-1)."""
    import shapely

    west, south, east, north = BOUNDS
    half = STEP / 2
    at = Sampling.grid(STEP, (west - half, south - half, east + half, north + half))
    seen = surface(district, at)
    owner = np.where(seen.kind == BUILDING, seen.ident, -1).astype(np.int64)
    u, v = (a.copy() for a in np.broadcast_arrays(at.u, at.v))
    z = seen.z.astype(float)
    border = np.zeros(owner.shape, bool)
    for axis in (0, 1):
        differ = np.diff(owner, axis=axis) != 0
        first = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        second = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        border[first] |= differ
        border[second] |= differ
    lines = shapely.linestrings(walls.ends.reshape(-1, 2, 2))
    edge = np.full(owner.shape, -1, np.int64)
    where = np.flatnonzero(border)
    points = shapely.points(u.ravel()[where], v.ravel()[where])
    found = shapely.STRtree(lines).query_nearest(points, max_distance=1.3, all_matches=False)
    where, nearest = where[found[0]], found[1]
    edge.ravel()[where] = nearest
    along = walls.direction(nearest)
    start = walls.ends[nearest, :2]
    run = ((np.column_stack([u.ravel()[where], v.ravel()[where]]) - start) * along).sum(axis=1)
    inside = owner.ravel()[where] == walls.owner[nearest]
    run = np.clip(
        run,
        np.where(inside, INNER, -OUTER),
        walls.length[nearest] + np.where(inside, -INNER, OUTER),
    )
    out = np.column_stack([along[:, 1], -along[:, 0]]) * np.where(inside, -INNER, OUTER)[:, None]
    foot = start + along * run[:, None] + out
    u.ravel()[where], v.ravel()[where] = foot.T
    ground = sample(district.ground, foot[:, 0], foot[:, 1])
    z.ravel()[where] = np.where(inside, z.ravel()[where], ground)
    _tops(district, u, v, z, owner, border)
    z += _error(seen.kind, owner.shape, rng)
    return np.dstack([u, v, z]), owner, edge


def _tops(
    district: District,
    u: Floats,
    v: Floats,
    z: Floats,
    owner: NDArray[np.int64],
    border: NDArray[np.bool_],
) -> None:
    """Take the roof height of every moved node at its new place."""
    flat = np.flatnonzero(border.ravel() & (owner.ravel() >= 0))
    for index in np.unique(owner.ravel()[flat]):
        own = flat[owner.ravel()[flat] == index]
        building = district.buildings[index]
        heights = [p.heights(u.ravel()[own], v.ravel()[own]) for p in building.parts]
        best = np.fmax.reduce(heights) + building.base
        known = ~np.isnan(best)
        z.ravel()[own[known]] = best[known]


def _error(kind: Bytes, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Return smooth height errors of SIGMA; crowns are rougher, as matching leaves them."""
    smooth = noise(shape, 4, rng).astype(float)
    error = SIGMA * smooth / smooth.std()
    return np.asarray(error + np.where(kind == TREE, rng.normal(0, 0.22, shape), 0.0))


def _triangles(nodes: Floats) -> NDArray[np.int64]:
    """Return two triangles per cell, split along the diagonal that bends less."""
    rows, cols = nodes.shape[:2]
    index = np.arange(rows * cols).reshape(rows, cols)
    a, b, c, d = (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
    z = nodes[..., 2]
    down = np.abs(z[:-1, :-1] - z[1:, 1:]) < np.abs(z[1:, :-1] - z[:-1, 1:])
    first = np.where(down[..., None], np.stack([a, b, c], -1), np.stack([a, b, d], -1))
    second = np.where(down[..., None], np.stack([a, c, d], -1), np.stack([b, c, d], -1))
    return np.stack([first, second], axis=2).reshape(-1, 3)


def _texture(
    district: District,
    photo: Bytes,
    nodes: Floats,
    owner: NDArray[np.int64],
    edge: NDArray[np.int64],
    cells: NDArray[np.int64],
    walls: _Walls,
    rng: np.random.Generator,
) -> tuple[obj.Model, dict[str, Bytes]]:
    """Return the model and its pictures: facades on steep faces, the orthophoto elsewhere."""
    west, south, east, north = BOUNDS
    points = nodes.reshape(-1, 3)
    over = (points[:, :2] - [west, south]) / [east - west, north - south]
    stands, wall = owner.ravel()[cells], edge.ravel()[cells]
    heights = points[cells][..., 2]
    steep = (np.ptp(heights, axis=1) > 1.2) & (stands.min(axis=1) != stands.max(axis=1))
    # The picture of the wall that an upper node stands on; one that stands on none has no facade.
    upper = np.where(stands >= 0, heights, -np.inf).argmax(axis=1)
    chosen = wall[np.arange(len(cells)), upper]
    steep &= chosen >= 0
    chosen = chosen[steep]
    corners = points[cells[steep]]
    run = (
        (corners[..., :2] - walls.ends[chosen, None, :2]) * walls.direction(chosen)[:, None]
    ).sum(axis=2)
    run = np.clip(run, 0, walls.length[chosen][:, None])
    up = np.clip(corners[..., 2] - walls.base[chosen][:, None] + SUNK, 0, None)
    pixel = walls.place[chosen][:, None] + np.stack([run, up], axis=2) * walls.scale
    uv = np.vstack([over, (pixel / ATLAS).reshape(-1, 2)])
    pieces = [obj.Piece("terrain", "ortho", cells[~steep], cells[~steep])]
    number = np.arange(len(chosen) * 3).reshape(-1, 3) + len(over)
    materials: dict[str, Bytes] = {"ortho": crop(photo, BOUNDS, ATLAS)}
    for page in np.unique(walls.page[chosen]):
        mine = walls.page[chosen] == page
        name = f"facade_{page}"
        pieces.append(obj.Piece("facades", name, cells[steep][mine], number[mine]))
        materials[name] = _atlas(district, walls, int(page), rng)
    local = points - [west, south, 0.0]
    return obj.Model(local, uv, pieces=pieces), materials


def _atlas(district: District, walls: _Walls, page: int, rng: np.random.Generator) -> Bytes:
    """Return one page of facades, lit by the sun of the orthophoto."""
    from PIL import Image, ImageFilter

    image = np.full((ATLAS, ATLAS, 3), 140, np.float32)
    tiles: dict[str, Bytes] = {}
    sun = np.array([np.sin(np.radians(SUN_AZIMUTH)), np.cos(np.radians(SUN_AZIMUTH))])
    for i in np.flatnonzero(walls.page == page):
        building = district.buildings[walls.owner[i]]
        tile = tiles.setdefault(building.facade, facades.facade(building.facade, district.seed))
        x, y = (int(k) for k in walls.place[i])
        wide, high = (
            int(walls.length[i] * walls.scale) + 1,
            int((walls.top[i] - walls.base[i] + SUNK) * walls.scale) + 1,
        )
        bays = max(1, round(walls.length[i] / facades.bay_width(building.facade)))
        cell = len(tile) // facades.TILE_BAYS
        storey = building.eaves / building.storeys
        along = (np.arange(wide) / max(wide - 1, 1) * bays * cell).astype(int) % len(tile)
        above = np.arange(high) / walls.scale - SUNK
        up = len(tile) - 1 - (above / storey * cell).astype(int) % len(tile)
        patch = tile[np.ix_(up, along)].astype(np.float32)
        patch[above < 0.6] = 0.55 * patch[above < 0.6] + 0.45 * np.array(
            [128, 122, 114], np.float32
        )
        along_wall = (walls.ends[i, 2:] - walls.ends[i, :2]) / max(walls.length[i], 1e-6)
        facing = float(np.array([along_wall[1], -along_wall[0]]) @ sun)
        light = np.array([0.56, 0.59, 0.66]) + max(facing, 0) * np.array([0.52, 0.47, 0.36])
        grime = 1 - 0.25 * np.exp(-np.maximum(above, 0) / 2.5)
        image[y : y + high, x : x + wide] = (patch * light * grime[:, None, None])[
            : ATLAS - y, : ATLAS - x
        ]
    image *= 1 + 0.04 * noise((ATLAS, ATLAS), 24, rng)[..., None]
    picture = Image.fromarray(np.clip(image[::-1], 0, 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)))
