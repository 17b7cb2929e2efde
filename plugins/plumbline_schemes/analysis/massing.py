"""Massing: buildings as stacked prisms with storeys, a use and a roof, and what is done to them.

A block is plain data: outlines in the project CRS, the level of its ground floor, and tiers from
the bottom up (a podium, a tower on it), so that it is edited by dragging and by numbers alike. Its
mesh is a closed solid; its attributes are those that indicators read. Lengths are metres whatever
the CRS counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import TypeAdapter

from plumbline.api import (
    CrsUnits,
    Element,
    Layer,
    Material,
    MeshData,
    RefusedError,
    UsageError,
    tr,
    triangles_of_features,
)

FloatArray = NDArray[np.float64]
Ring = tuple[tuple[float, float], ...]
Roof = Literal["flat", "shed", "gable", "hip"]

#: Key of a layer's metadata under which the blocks are.
KEY = "massing"
FORMAT = "massing"
#: Limits that no building reaches.
MOST_STOREYS, MOST_TIERS, MOST_BLOCKS, MOST_CORNERS = 300, 20, 5000, 2000
#: A line this high between two storeys, metres.
BAND = 0.35
#: Two corners this near to each other are one, metres.
NEAR = 1e-3
#: Colours of uses, by what their names begin with; the last one is for any other.
USES: Mapping[str, tuple[float, float, float]] = {
    "住宅": (0.93, 0.83, 0.62), "商业": (0.87, 0.52, 0.47), "办公": (0.56, 0.68, 0.85),
    "酒店": (0.80, 0.62, 0.80), "教育": (0.87, 0.66, 0.80), "医疗": (0.95, 0.72, 0.72),
    "文化": (0.72, 0.62, 0.84), "工业": (0.70, 0.62, 0.54), "停车": (0.70, 0.72, 0.75),
}  # fmt: skip
OTHER = (0.82, 0.84, 0.86)


@dataclass(frozen=True)
class Tier:
    """Storeys of one outline.

    Attributes
    ----------
    rings : tuple of rings
        The outline, then its courts; project CRS, not closed.
    storeys : int
    storey_height : float
        Metres.
    """

    rings: tuple[Ring, ...]
    storeys: int
    storey_height: float = 3.0
    use: str = "住宅"

    @property
    def polygon(self) -> Any:
        """The outline with its courts."""
        return shapely.Polygon(self.rings[0], self.rings[1:])

    @property
    def height(self) -> float:
        """Metres."""
        return self.storeys * self.storey_height


@dataclass(frozen=True)
class Block:
    """A building.

    Attributes
    ----------
    base : float
        Level of the ground floor, z of the project CRS.
    tiers : tuple of Tier
        From the ground up.
    roof_height : float
        From the eaves to the ridge, metres.
    """

    id: str
    name: str
    base: float
    tiers: tuple[Tier, ...]
    roof: Roof = "flat"
    roof_height: float = 0.0
    dwellings: int = 0

    @property
    def storeys(self) -> int:
        """Of all tiers."""
        return sum(tier.storeys for tier in self.tiers)

    @property
    def height(self) -> float:
        """From the ground floor to the highest point, metres."""
        return sum(tier.height for tier in self.tiers) + (
            0.0 if self.roof == "flat" else self.roof_height
        )

    def floor_area(self, units: CrsUnits) -> float:
        """Return the gross floor area, m²."""
        return math.fsum(tier.polygon.area * tier.storeys for tier in self.tiers) * square(units)


_BLOCKS = TypeAdapter(tuple[Block, ...])


def square(units: CrsUnits) -> float:
    """Return the square metres of a square unit of the CRS."""
    return _metre(units) ** 2


def _metre(units: CrsUnits) -> float:
    if units.horizontal is None:
        raise RefusedError(
            tr("Massing is drawn in metres, and the project is in degrees."),
            tr("Open the files in a project with a projected CRS."),
        )
    return units.horizontal


def checked(block: Block) -> Block:
    """Return a block whose outlines are clean, the outer ones anticlockwise.

    Raises
    ------
    UsageError
        If a number is out of range, or an outline crosses itself or covers nothing.
    """
    numbers = [block.base, block.roof_height, *(tier.storey_height for tier in block.tiers)]
    sound = (
        0 < len(block.tiers) <= MOST_TIERS
        and 0 < block.storeys <= MOST_STOREYS
        and all(tier.storeys > 0 and 1.0 <= tier.storey_height <= 50 for tier in block.tiers)
        and all(map(math.isfinite, numbers))
        and 0 <= block.roof_height <= 100
        and 0 <= block.dwellings <= 1_000_000
    )
    if not sound:
        raise UsageError(
            tr("“{name}” is no building: its storeys or heights cannot be.", name=block.name),
            tr("Give 1 to {most} storeys of 1 to 50 m each.", most=MOST_STOREYS),
        )
    return replace(block, tiers=tuple(_clean(tier, block.name) for tier in block.tiers))


def _clean(tier: Tier, name: str) -> Tier:
    polygon = None
    if all(3 <= len(ring) <= MOST_CORNERS for ring in tier.rings) and tier.rings:
        points = np.array([p for ring in tier.rings for p in ring], dtype=np.float64)
        if np.isfinite(points).all():
            polygon = tier.polygon
    if polygon is None or not polygon.is_valid or polygon.area <= 0:
        raise UsageError(
            tr("The outline of “{name}” crosses itself or covers nothing.", name=name),
            tr("Draw its corners in their order, three or more."),
        )
    return replace(tier, rings=rings_of(polygon))


def rings_of(polygon: Any) -> tuple[Ring, ...]:
    """Return the rings of a polygon, the outline anticlockwise, not closed."""
    turned = shapely.orient_polygons(polygon)
    return tuple(
        tuple((float(x), float(y)) for x, y in ring.coords[:-1])
        for ring in (turned.exterior, *turned.interiors)
    )


# -- layers ----------------------------------------------------------------------------------


def blocks_of(layer: Layer) -> tuple[Block, ...]:
    """Return the blocks of a layer of massing; none for another layer.

    Raises
    ------
    UsageError
        If they are damaged.
    """
    stored = layer.metadata.get(KEY)
    if stored is None:
        return ()
    try:
        blocks: tuple[Block, ...] = _BLOCKS.validate_python(stored)
    except ValueError:
        raise UsageError(
            tr("The massing of “{name}” is damaged.", name=layer.name),
            tr("Remove the layer and draw it again."),
        ) from None
    return blocks


def metadata_of(blocks: Sequence[Block]) -> dict[str, Any]:
    """Return the metadata of a layer of massing."""
    return {"format": FORMAT, KEY: _BLOCKS.dump_python(tuple(blocks), mode="json")}


def mesh_of(blocks: Sequence[Block], units: CrsUnits) -> MeshData:
    """Return blocks as closed solids with the attributes that indicators read."""
    elements: list[Element] = []
    materials: dict[str, int] = {}
    corners: list[FloatArray] = [np.empty((0, 3, 3))]
    owner: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)]
    kind: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)]
    for block in blocks:
        number = len(elements)
        elements += _elements(block, units)
        for use, dark, faces in _faces(block, units):
            material = materials.setdefault(f"{use}|{dark}", len(materials))
            corners.append(faces)
            owner.append(np.full(len(faces), number))
            kind.append(np.full(len(faces), material))
    points = np.concatenate(corners).reshape(-1, 3)
    return MeshData(
        points,
        np.arange(len(points)).reshape(-1, 3),
        materials=[_material(name) for name in materials],
        material_index=np.concatenate(kind).astype(np.int32),
        elements=elements,
        element_index=np.concatenate(owner).astype(np.int32),
    )


def _material(key: str) -> Material:
    use, _, dark = key.rpartition("|")
    color = next((c for name, c in USES.items() if use.startswith(name)), OTHER)
    share = {"band": 0.62, "roof": 0.9}.get(dark, 1.0)
    red, green, blue = (c * share for c in color)
    return Material(use, (red, green, blue, 1.0))


def _elements(block: Block, units: CrsUnits) -> list[Element]:
    """Return the building, and its storeys where tiers differ: they are counted each by itself."""
    area = square(units)
    about: dict[str, Any] = {
        "用途": block.tiers[0].use if len({tier.use for tier in block.tiers}) == 1 else "混合",
        "层数": block.storeys,
        "基底面积": round(footprint(block).area * area, 3),
    }
    if block.dwellings:
        about["户数"] = block.dwellings
    found = [Element(block.id, "Building", block.name, properties={"Massing": about})]
    if len(block.tiers) == 1:
        return found
    about["建筑面积"] = round(block.floor_area(units), 3)
    level = 0
    for tier in block.tiers:
        for _ in range(tier.storeys):
            level += 1
            room = {"GrossFloorArea": tier.polygon.area * area, "OccupancyType": tier.use}
            found.append(
                Element(
                    f"{block.id}/{level}", "IfcSpace", f"{block.name} {level}F", str(level),
                    parent=block.id, properties={"Massing": room},
                )
            )  # fmt: skip
    return found


def footprint(block: Block) -> Any:
    """Return what a block covers on the map."""
    return shapely.union_all([tier.polygon for tier in block.tiers])


# -- solids ----------------------------------------------------------------------------------


def _faces(block: Block, units: CrsUnits) -> list[tuple[str, str, FloatArray]]:
    """Return use, part and corners ``(M, 3, 3)`` of the faces of a closed solid."""
    up = 1.0 / units.vertical
    found: list[tuple[str, str, FloatArray]] = []
    level = block.base
    below = None
    for n, tier in enumerate(block.tiers):
        polygon, last = tier.polygon, n == len(block.tiers) - 1
        # Where a tier overhangs the one below, its underside is seen.
        under = polygon if below is None else polygon.difference(below)
        found.append((tier.use, "wall", _level(under, level, upward=False)))
        for storey in range(tier.storeys):
            low = level + storey * tier.storey_height * up
            top = low + tier.storey_height * up
            line = max(low, top - BAND * up)
            found.append((tier.use, "wall", _walls(polygon, low, line)))
            found.append((tier.use, "band", _walls(polygon, line, top)))
        level += tier.height * up
        if not last:
            bare = polygon.difference(block.tiers[n + 1].polygon)
            found.append((tier.use, "roof", _level(bare, level)))
        below = polygon
    use, polygon = block.tiers[-1].use, block.tiers[-1].polygon
    if block.roof == "flat" or block.roof_height <= 0:
        found.append((use, "roof", _level(polygon, level)))
    else:
        found += _sloping(use, polygon, block.roof, level, block.roof_height * up)
    return [one for one in found if len(one[2])]


def _level(shape: Any, z: float, *, upward: bool = True) -> FloatArray:
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > 0]
    if not parts:
        return np.empty((0, 3, 3))
    faces, _ = triangles_of_features(np.array([shapely.force_3d(p, z) for p in parts]))
    return _facing(faces, upward=upward)


def _facing(faces: FloatArray, *, upward: bool) -> FloatArray:
    edge = faces[:, 1:] - faces[:, :1]
    normal = edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]
    wrong = (normal < 0) if upward else (normal > 0)
    faces = faces[normal != 0]
    wrong = wrong[normal != 0]
    faces[wrong] = faces[wrong][:, ::-1]
    return faces


def _walls(polygon: Any, low: float, high: float) -> FloatArray:
    found = [np.empty((0, 3, 3))]
    for ring in rings_of(polygon):
        start = np.array(ring)
        end = np.roll(start, -1, axis=0)
        found.append(
            _upright(start, end, np.full((len(ring), 2), low), np.full((len(ring), 2), high))
        )
    return np.concatenate(found)


def _upright(start: FloatArray, end: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return walls from start to end ``(K, 2)``, between levels ``(K, 2)`` at both ends."""
    a, b = np.column_stack([start, low[:, 0]]), np.column_stack([end, low[:, 1]])
    c, d = np.column_stack([end, high[:, 1]]), np.column_stack([start, high[:, 0]])
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    area = np.linalg.norm(np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]), axis=1)
    kept: FloatArray = faces[area > 1e-12]
    return kept


def _sloping(
    use: str, polygon: Any, roof: Roof, eaves: float, rise: float
) -> list[tuple[str, str, FloatArray]]:
    """Return the planes of a roof over an outline, and the walls up to them.

    The planes are those over the smallest rectangle around the outline, its longer axis being the
    ridge; on the rectangle itself all eaves are level.
    """
    middle, along, across, length, width = axes_of(polygon)

    def height(points: FloatArray) -> FloatArray:
        s: FloatArray = (points - middle) @ along
        d: FloatArray = (points - middle) @ across
        if roof == "shed":
            share = (d + width / 2) / width
        else:
            share = 1 - np.abs(d) / (width / 2)
            if roof == "hip":
                share = np.minimum(share, (length / 2 - np.abs(s)) / (width / 2))
        risen: FloatArray = np.clip(share, 0, 1) * rise
        return risen

    found: list[tuple[str, str, FloatArray]] = []
    outline = polygon.boundary
    for plane in _planes(roof, length, width):
        piece = shapely.intersection(
            polygon, shapely.Polygon(middle + np.array(plane) @ np.array([along, across]))
        )
        for part in shapely.get_parts(piece):
            if part.geom_type != "Polygon" or part.area < 1e-9:
                continue
            flat = _level(part, 0.0)
            xy = flat[..., :2].reshape(-1, 2)
            flat[..., 2] = (eaves + height(xy)).reshape(-1, 3)
            found.append((use, "roof", flat))
            for ring in rings_of(part):
                start = np.array(ring)
                end = np.roll(start, -1, axis=0)
                on = shapely.distance(shapely.points((start + end) / 2), outline) < 1e-6
                start, end = start[on], end[on]
                high = eaves + np.column_stack([height(start), height(end)])
                found.append((use, "wall", _upright(start, end, np.full_like(high, eaves), high)))
    return found


def _planes(roof: Roof, length: float, width: float) -> list[list[tuple[float, float]]]:
    """Return where each plane lies, along and across the ridge from the middle."""
    # A little wider than the outline, so that rounding cuts nothing off.
    far, half, wide = length, length / 2 - width / 2, width
    if roof == "shed":
        return [[(-far, -wide), (far, -wide), (far, wide), (-far, wide)]]
    if roof == "gable":
        return [
            [(-far, 0), (far, 0), (far, wide), (-far, wide)],
            [(-far, -wide), (far, -wide), (far, 0), (-far, 0)],
        ]
    out = half + wide
    return [
        [(-half, 0), (half, 0), (out, wide), (-out, wide)],
        [(-half, 0), (-out, -wide), (out, -wide), (half, 0)],
        [(half, 0), (out, -wide), (out, wide)],
        [(-half, 0), (-out, wide), (-out, -wide)],
    ]


def axes_of(polygon: Any) -> tuple[FloatArray, FloatArray, FloatArray, float, float]:
    """Return middle, long and short direction, length and width of the rectangle around it."""
    # Near the origin, where directions keep all their digits.
    corner = np.array(polygon.bounds[:2])
    near = shapely.transform(polygon, lambda xy: xy - corner)
    box = np.array(shapely.minimum_rotated_rectangle(near).exterior.coords)[:4]
    first, second = box[1] - box[0], box[2] - box[1]
    if np.hypot(*first) < np.hypot(*second):
        first, second = second, first
    length, width = float(np.hypot(*first)), float(np.hypot(*second))
    along = first / length
    return box.mean(axis=0) + corner, along, np.array([-along[1], along[0]]), length, width
