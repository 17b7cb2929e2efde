"""Buildings of layers and schemes, whatever they come from: footprint, base, top and volume.

City models, building models, meshes of objects and footprints with heights all become `Building`
in metres of a `Frame`. What a layer calls a building decides: where it names any, the rest of it
(roads, trees, furniture) is left out; parts belong to the building that they are parts of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from plumbline.api import (
    Bounds,
    Element,
    EmbreeCaster,
    Feedback,
    Frame,
    Layer,
    LayerStyle,
    MeshData,
    RefusedError,
    Scene,
    Scheme,
    VectorData,
    heights_from_above,
    numbers_of,
    tr,
)

FloatArray = NDArray[np.float64]

BUILDING_CLASSES = frozenset({"Building", "IfcBuilding"})
#: Products that are not the body of a building: air, furnishing, pipes, and what sticks out of
#: walls a little.
NO_BODY = (
    "IfcSpace", "IfcOpening", "IfcWindow", "IfcDoor", "IfcFurni", "IfcFlow", "IfcDistribution",
    "IfcAnnotation", "IfcGrid", "IfcSite", "IfcGeographic", "IfcRailing", "IfcVirtual",
    "IfcSanitary", "IfcLight", "IfcElectric", "IfcPipe", "IfcDuct", "IfcCable", "IfcProxy",
)  # fmt: skip
#: Snapping distance of projected triangles, metres; far below any survey.
GRID = 1e-4
#: Plumb lines under which the envelope of an open body is measured.
PLUMB_LINES = 20_000
#: Share of the footprint by which the faces of a body that is one may fail to balance.
BALANCE = 2e-3


@dataclass(frozen=True)
class Building:
    """A building, in metres of the frame of the request.

    Attributes
    ----------
    layer, id : str
        Entity of the scene.
    footprint : shapely geometry
        What it covers on the map.
    base : float, optional
        Height of its ground floor; None where the layer gives no heights above the datum.
    height : float
        From base to highest point; NaN where unknown.
    volume : float
        NaN where unknown.
    volume_from : str
        ``solid`` (faces), ``envelope`` (under the faces seen from above), ``quantity`` (stated in
        the file), ``prism`` (footprint times height).
    corners : (M, 3, 3) float64, optional
        Faces of the body.
    parts : tuple of Element
        Its storeys and rooms, for floor areas.
    """

    layer: str
    id: str
    name: str
    footprint: Any
    base: float | None
    height: float
    volume: float
    volume_from: str
    attributes: dict[str, Any]
    corners: FloatArray | None = None
    parts: tuple[Element, ...] = ()

    @property
    def top(self) -> float | None:
        """Height of the highest point; None where the layer has no heights above the datum."""
        return None if self.base is None else self.base + self.height


@dataclass(frozen=True)
class Stock:
    """Snapshot of a layer as a scheme has it; `only` are the entities wanted, None for all."""

    layer: Layer
    style: LayerStyle
    hidden: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def wants(self, entity: str) -> bool:
        """Tell whether an entity is there and asked for."""
        return entity not in self.hidden and (self.only is None or entity in self.only)


def stock(
    scene: Scene, layer_id: str, hidden: Iterable[str] = (), only: Iterable[str] | None = None
) -> Stock:
    """Return the snapshot of a layer of buildings, on the scene's thread.

    Raises
    ------
    RefusedError
        If the layer has no buildings.
    """
    layer = scene[layer_id]
    style = scene.style(layer_id)
    if isinstance(layer.data, VectorData):
        kinds = set(layer.data.features.geometry.geom_type.dropna())
        if not kinds & {"Polygon", "MultiPolygon"}:
            raise RefusedError(
                tr("“{name}” has no outlines of buildings.", name=layer.name),
                tr("Choose polygons, a city model, a building model or a mesh of objects."),
            )
    elif not isinstance(layer.data, MeshData):
        raise RefusedError(
            tr("“{name}” has no buildings: it is neither a model nor outlines.", name=layer.name),
            tr("Choose polygons, a city model, a building model or a mesh of objects."),
        )
    return Stock(layer, style, frozenset(hidden), None if only is None else frozenset(only))


def frame_of(scene: Scene, layer_ids: Iterable[str]) -> Frame:
    """Return metres near some layers, the same wherever the project has its origin.

    Rounding depends on the origin, and a replay has to give the same numbers.
    """
    box = Bounds.union(scene[layer_id].bounds for layer_id in layer_ids)
    low = np.zeros(3) if box is None else np.floor(box.low / 1000) * 1000
    return Frame.of(scene.georeference, (float(low[0]), float(low[1]), 0.0))


def scheme_layers(scene: Scene, scheme: Scheme) -> list[str]:
    """Return the layers of a scheme: those it adds, then those it hides something of.

    Several layers may show the same baseline buildings, e.g. as outlines and as models. Of those,
    models stand for the baseline, since they have heights; outlines where there is no model.
    """
    touched = list(dict.fromkeys(ref.layer for ref in scheme.hidden))
    models = [one for one in touched if one in scene and isinstance(scene[one].data, MeshData)]
    return [*scheme.layers, *(models or touched[:1])]


def hidden_in(scheme: Scheme, layer_id: str) -> frozenset[str]:
    """Return the entities of a layer that a scheme removes."""
    return frozenset(ref.entity for ref in scheme.hidden if ref.layer == layer_id)


def buildings(
    stocks: Sequence[Stock], frame: Frame, feedback: Feedback
) -> tuple[list[Building], int]:
    """Return the buildings of layers, in their order, and how many entities are none.

    Raises
    ------
    RefusedError
        If two entities of a layer have one id.
    """
    found: list[Building] = []
    left_out = 0
    for n, one in enumerate(stocks):
        feedback.step(n, len(stocks), tr("Reading the buildings of “{name}”", name=one.layer.name))
        part = feedback.part(n / len(stocks), (n + 1) / len(stocks))
        if isinstance(one.layer.data, MeshData):
            own, other = _of_mesh(one, one.layer.data, frame, part)
        else:
            own, other = _of_outlines(one, frame)
        ids = [building.id for building in own]
        twice = next((i for i, count in Counter(ids).items() if count > 1), None)
        if twice is not None:
            raise RefusedError(
                tr("“{name}” has two entities with the id “{id}”.", name=one.layer.name, id=twice),
                tr("Give every entity an id of its own."),
            )
        found += own
        left_out += other
    return found, left_out


# -- outlines --------------------------------------------------------------------------------


def _of_outlines(one: Stock, frame: Frame) -> tuple[list[Building], int]:
    data = one.layer.data
    assert isinstance(data, VectorData)
    # Attributes are metres by contract; coordinates are in units of the CRS.
    height = numbers_of(data, one.style.extrude)
    base = numbers_of(data, one.style.base)
    attributes = data.features.drop(columns=data.features.geometry.name).to_dict("records")
    found, other = [], 0
    labels, shapes = data.features.index.astype(str), data.features.geometry
    for n, (label, shape) in enumerate(zip(labels, shapes, strict=True)):
        outline = None if shape is None else _polygonal(to_frame(shape, frame))
        if not one.wants(label):
            continue
        if outline is None or outline.is_empty:
            other += 1
            continue
        level: float | None = None
        if np.isfinite(base[n]):
            level = float(frame.local_height(base[n]))
        elif data.has_z:
            z = shapely.get_coordinates(shape, include_z=True)[:, 2]
            level = float((z.min() - frame.origin[2]) * frame.scale[2])
        tall = float(height[n])
        own = {str(key): value for key, value in attributes[n].items()}
        found.append(
            Building(
                one.layer.id, label, _name_of(own), outline, level, tall,
                outline.area * tall, "prism", own,
            )
        )  # fmt: skip
    return found, other


def to_frame(shape: Any, frame: Frame) -> Any:
    """Return a shape of the project CRS on the map of the frame, without heights."""
    scale, origin = np.array(frame.scale[:2]), np.array(frame.origin[:2])
    return shapely.transform(shapely.force_2d(shape), lambda xy: (xy - origin) * scale)


def to_project(shape: Any, frame: Frame) -> Any:
    """Return a shape on the map of the frame in the project CRS."""
    scale, origin = np.array(frame.scale[:2]), np.array(frame.origin[:2])
    return shapely.transform(shape, lambda xy: xy / scale + origin)


def _polygonal(shape: Any) -> Any:
    """Return the polygons of a shape, mended where sides cross."""
    if not shape.is_valid:
        shape = shapely.make_valid(shape)
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _name_of(attributes: Mapping[str, Any]) -> str:
    for column in ("名称", "name", "Name", "NAME", "编号"):
        value = attributes.get(column)
        if isinstance(value, str) and value:
            return value
    return ""


# -- models ----------------------------------------------------------------------------------


def _of_mesh(
    one: Stock, data: MeshData, frame: Frame, feedback: Feedback
) -> tuple[list[Building], int]:
    corners = frame.local(data.vertices)[data.triangles]
    if not data.elements or data.element_index is None:
        whole = _body(one.layer.id, Element(""), (), corners, feedback)
        return ([] if whole is None else [whole]), 0
    roots, members = _roots(data.elements)
    root_of_triangle = np.where(data.element_index >= 0, roots[data.element_index], -1)
    skip = np.array([element.cls.startswith(NO_BODY) for element in data.elements] + [True])
    root_of_triangle[skip[data.element_index]] = -1
    order = np.argsort(root_of_triangle, kind="stable")
    ends = np.searchsorted(root_of_triangle[order], np.arange(len(data.elements) + 1))
    found, other = [], int((roots < 0).sum())
    for n, (number, parts) in enumerate(members.items()):
        if n % 50 == 0:
            feedback.step(n, len(members))
        element = data.elements[number]
        if not one.wants(element.id):
            continue
        own = corners[order[ends[number] : ends[number + 1]]]
        body = _body(one.layer.id, element, parts, own, feedback)
        if body is None:
            other += 1
        else:
            found.append(body)
    return found, other


def _roots(elements: Sequence[Element]) -> tuple[NDArray[np.intp], dict[int, tuple[Element, ...]]]:
    """Return the building of each element (-1 for none), and the parts of each building.

    Where no element is called a building, each is one by itself.
    """
    number = {element.id: n for n, element in enumerate(elements)}
    houses = {n for n, element in enumerate(elements) if element.cls in BUILDING_CLASSES}
    if not houses:
        return np.arange(len(elements)), dict.fromkeys(range(len(elements)), ())
    roots = np.full(len(elements), -1)
    members: dict[int, list[Element]] = {n: [] for n in sorted(houses)}
    for n, element in enumerate(elements):
        at: int | None = n
        for _ in range(len(elements)):
            if at is None or at in houses:
                break
            at = number.get(elements[at].parent)
        if at is not None and at in houses:
            roots[n] = at
            if at != n:
                members[at].append(element)
    return roots, {n: tuple(parts) for n, parts in members.items()}


def flat(element: Element) -> dict[str, Any]:
    """Return the properties of an element in one level; the first group that says one wins."""
    found: dict[str, Any] = {}
    for group in element.properties.values():
        for key, value in group.items():
            found.setdefault(str(key), value)
    return found


def _body(
    layer: str,
    element: Element,
    parts: tuple[Element, ...],
    corners: FloatArray,
    feedback: Feedback,
) -> Building | None:
    """Return the building that triangles make, None where they cover nothing."""
    feedback.check()
    if len(corners) == 0:
        return None
    footprint = covered(corners)
    if footprint.is_empty:
        return None
    attributes = flat(element)
    low, high = float(corners[..., 2].min()), float(corners[..., 2].max())
    base = _ground_floor(low, corners, parts)
    stated = attributes.get("GrossVolume")
    if isinstance(stated, int | float) and stated > 0:
        volume, source = float(stated), "quantity"
    else:
        hollow = element.cls == "IfcBuilding"
        volume, source = _volume(corners, base, footprint, hollow, feedback)
    return Building(
        layer, element.id, element.name, footprint, base, high - base, volume, source, attributes,
        corners, parts,
    )  # fmt: skip


def _ground_floor(low: float, corners: FloatArray, parts: tuple[Element, ...]) -> float:
    """Return the height of the ground floor: of the lowest room's floor, else the lowest point.

    Slabs and foundations reach below the floor that people walk on.
    """
    storeys = [flat(part).get("Elevation") for part in parts if part.cls == "IfcBuildingStorey"]
    levels = [float(level) for level in storeys if isinstance(level, int | float)]
    if not levels or min(levels) != 0.0:
        return low
    # The storey at 0 is the ground floor: its slab's upper side is the lowest large level face.
    edge = corners[:, 1:] - corners[:, :1]
    normal = np.cross(edge[:, 0], edge[:, 1]) / 2
    level = (normal[:, 2] > 0) & (np.ptp(corners[..., 2], axis=1) < 1e-6)
    if not level.any():
        return low
    z = np.round(corners[level, 0, 2], 3)
    heights, index = np.unique(z, return_inverse=True)
    area = np.bincount(index, normal[level, 2])
    return float(heights[area > 0.25 * area.max()][0])


def covered(corners: FloatArray) -> Any:
    """Return what triangles cover on the map, as polygons."""
    xy = corners[..., :2]
    edge = xy[:, 1:] - xy[:, :1]
    area = np.abs(edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]) / 2
    flat_ones = xy[area > GRID**2 * 100]
    if len(flat_ones) == 0:
        return shapely.Polygon()
    shapes = shapely.polygons(flat_ones)
    joined = shapely.union_all(shapes, grid_size=GRID)
    parts = [p for p in shapely.get_parts(joined) if p.geom_type == "Polygon"]
    # Triangles that meet but for rounding leave hairlines between them.
    closed = [
        shapely.Polygon(p.exterior, [r for r in p.interiors if shapely.Polygon(r).area > 1e-3])
        for p in parts
    ]
    return closed[0] if len(closed) == 1 else shapely.MultiPolygon(closed)


def _volume(
    corners: FloatArray, low: float, footprint: Any, hollow: bool, feedback: Feedback
) -> tuple[float, str]:
    """Return the volume of a body above a level and how it was found.

    The flux of (0, 0, z - low) through faces that look outwards is the volume (Gauss). Walls and a
    floor at `low` add nothing, so that bodies without floor count too. Whether the faces look
    outwards shows in their upward areas: they cancel, or leave the footprint where the floor is
    missing. Otherwise, and where walls and slabs have faces of their own (`hollow`), the space
    under the faces seen from above counts.
    """
    edge = corners[:, 1:] - corners[:, :1]
    upward = (edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]) / 2
    net, area = float(upward.sum()), float(footprint.area)
    if not hollow and min(abs(net), abs(abs(net) - area)) <= BALANCE * area:
        return abs(float(upward @ (corners[..., 2].mean(axis=1) - low))), "solid"
    cell = max(float(np.sqrt(area / PLUMB_LINES)), 0.05)
    x0, y0, x1, y1 = footprint.bounds
    x, y = np.arange(x0 + cell / 2, x1, cell), np.arange(y0 + cell / 2, y1, cell)
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    inside = shapely.contains_xy(footprint, places[:, 0], places[:, 1])
    vertices = corners.reshape(-1, 3)
    caster = EmbreeCaster(vertices, np.arange(len(vertices)).reshape(-1, 3))
    top = heights_from_above(caster, places[inside], float(vertices[:, 2].max()) + 1.0, feedback)
    mean = float(np.nanmean(top)) if np.isfinite(top).any() else low
    return area * (mean - low), "envelope"
