"""Windows as the measuring of sunlight sees them: a sill, its outward direction, whose it is.

They come from building models (elements of class IfcWindow), from points that state a width and an
azimuth, and from facade lines, along which windows stand. `snapshot` belongs to the scene's thread,
`openings` to a worker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from plumbline.api import (
    BimData,
    Element,
    Feedback,
    Frame,
    Layer,
    MeshData,
    ObstacleLayers,
    Points,
    Problem,
    RasterData,
    RefusedError,
    Scene,
    UsageError,
    VectorData,
    entity_ids,
    obstacle_layers,
    sample_bilinear,
    tr,
    where,
)
from plumbline_sunlight.analysis.outward import Walls

FloatArray = NDArray[np.float64]

#: What attributes of features may be called; the first one that is there counts.
NAMES = {
    "name": ("编号", "name", "Name", "id"),
    "building": ("楼号", "楼栋", "building"),
    "storey": ("楼层", "storey", "floor"),
    "flat": ("户号", "户", "flat", "dwelling"),
    "width": ("窗宽", "width"),
    "azimuth": ("朝向", "azimuth"),
    "sill": ("窗台高", "sill"),
    "bay": ("开间", "bay"),
    "storeys": ("层数", "storeys"),
    "storey_height": ("层高", "storey_height"),
}

#: More windows than this are refused.
MAX_WINDOWS = 500_000


class FacadeLine(BaseModel):
    """A line along a facade at floor level, and the windows on it; or one point on a sill.

    Attributes
    ----------
    line : points
        At the floor of the lowest storey; without z on the terrain.
    point : (x, y, z)
        Middle of a sill; needs `width` and `azimuth`.
    width : float, optional
        Of one window, metres; the whole line otherwise.
    bay : float, optional
        Distance from window to window along the line; one window in the middle otherwise.
    sill : float, optional
        Height above the floor, metres; that of the rule pack otherwise.
    azimuth : float, optional
        Outward, degrees clockwise from grid north; found from the walls otherwise.
    storeys : int
        The windows stand above each other so many times, `storey_height` metres apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = ""
    name: str = ""
    line: Points | None = None
    point: tuple[float, float, float] | None = None
    width: float | None = Field(None, gt=0, le=1000)
    bay: float | None = Field(None, gt=0, le=1000)
    sill: float | None = Field(None, ge=0, le=100)
    azimuth: float | None = Field(None, ge=-360, le=360)
    storey: str = ""
    storeys: int = Field(1, ge=1, le=300)
    storey_height: float | None = Field(None, gt=0, le=30)
    building: str = ""
    flat: str = ""


class WindowLayer(BaseModel):
    """A layer that holds windows; some of its entities, or those for which a condition holds.

    Attributes
    ----------
    where : str
        Condition on the attributes, e.g. ``楼层 <= 3``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str
    entities: tuple[str, ...] = ()
    where: str = ""


def _read_windows(value: object) -> object:
    """Accept a layer id, ``{"layer", "entities", "where"}``, a facade line, or a list of these."""
    many = value if isinstance(value, list | tuple) else (value,)
    return tuple({"layer": one} if isinstance(one, str) else one for one in many)


WindowRefs: TypeAlias = Annotated[
    tuple[WindowLayer | FacadeLine, ...],
    BeforeValidator(_read_windows),
    Field(min_length=1, json_schema_extra={"widget": "layers"}),
]


@dataclass(frozen=True)
class Opening:
    """One window.

    Attributes
    ----------
    id : str
        Unique in a request; that of the entity where it is one window.
    layer, entity : str
        What it was read from; empty for a line that the request states.
    middle : (x, y, z)
        Middle of the sill, metres of the frame, on the outer wall.
    along : (x, y)
        Unit vector along the sill.
    width : float
        Metres.
    outward : (x, y), optional
        Unit vector across the sill, out of the building; None where it could not be told.
    how : str
        How the outward direction was found: ``stated``, ``sky`` or ``unknown``.
    """

    id: str
    name: str
    layer: str
    entity: str
    building: str
    storey: str
    flat: str
    middle: tuple[float, float, float]
    along: tuple[float, float]
    width: float
    outward: tuple[float, float] | None
    how: str

    @property
    def azimuth(self) -> float | None:
        """Outward direction, degrees clockwise from grid north."""
        if self.outward is None:
            return None
        return math.degrees(math.atan2(self.outward[0], self.outward[1])) % 360.0

    def at(self, offset: float) -> tuple[float, float, float]:
        """Return the point of the sill at an offset from its middle, metres of the frame."""
        x, y, z = self.middle
        return (x + offset * self.along[0], y + offset * self.along[1], z)


@dataclass(frozen=True)
class Source:
    """A layer with windows and those of its entities that are asked for; all where empty."""

    layer: Layer
    entities: frozenset[str]


@dataclass(frozen=True)
class WindowSnapshot:
    """What windows are read from, and the walls that tell inside from outside."""

    frame: Frame
    sources: tuple[Source, ...]
    lines: tuple[FacadeLine, ...]
    walls: ObstacleLayers


def window_layers(windows: Iterable[WindowLayer | FacadeLine]) -> list[str]:
    """Return the layers that windows are read from."""
    return [one.layer for one in windows if isinstance(one, WindowLayer)]


def window_problems(scene: Scene, windows: Sequence[WindowLayer | FacadeLine]) -> list[Problem]:
    """Return what is wrong with the windows of a request."""
    problems = []
    for one in windows:
        text = _line_problem(one) if isinstance(one, FacadeLine) else _layer_problem(scene, one)
        if text:
            problems.append(Problem("windows", text))
    return problems


def _line_problem(one: FacadeLine) -> str:
    name = one.id or one.name or "–"
    if (one.line is None) == (one.point is None):
        return tr("Window “{id}”: give either a line or a point.", id=name)
    if one.point is not None and (one.width is None or one.azimuth is None):
        return tr("Window “{id}”: a point needs width and azimuth.", id=name)
    if one.line is not None and len(one.line) < 2:
        return tr("Window “{id}”: a line needs two points.", id=name)
    if one.storeys > 1 and one.storey_height is None:
        return tr("Window “{id}”: several storeys need a storey height.", id=name)
    return ""


def _layer_problem(scene: Scene, one: WindowLayer) -> str:
    layer = scene[one.layer]
    if not isinstance(layer.data, MeshData | VectorData):
        return tr("“{name}” holds no windows.", name=layer.name)
    known = set(entity_ids(layer)) if one.entities else set()
    missing = [entity for entity in one.entities if entity not in known]
    if missing:
        return tr("“{name}” has no entity “{id}”.", name=layer.name, id=missing[0][:80])
    try:
        _chosen(layer, one)
    except UsageError as error:
        return str(error)
    return ""


def _chosen(layer: Layer, one: WindowLayer) -> frozenset[str]:
    """Return the entities that are asked for; empty for all."""
    if not one.where:
        return frozenset(one.entities)
    known = entity_ids(layer)
    held = {known[n] for n in where(layer, one.where).tolist()}
    # An id that no entity has stands for none: an empty set would mean all.
    return frozenset(held & set(one.entities) if one.entities else held) or frozenset([""])


def snapshot(
    scene: Scene, windows: Sequence[WindowLayer | FacadeLine], obstacles: Sequence[str]
) -> WindowSnapshot:
    """Return what windows are read from; on the scene's thread."""
    frame = Frame.of(scene.georeference)
    sources = tuple(
        Source(scene[one.layer], _chosen(scene[one.layer], one))
        for one in windows
        if isinstance(one, WindowLayer)
    )
    models = [s.layer.id for s in sources if isinstance(s.layer.data, MeshData)]
    # Terrain says nothing about which side of a wall is outside.
    around = [one for one in obstacles if not isinstance(scene[one].data, RasterData)]
    named = dict.fromkeys([*models, *around])
    walls = obstacle_layers(scene, list(named), without=("IfcWindow", "IfcDoor", "IfcRailing"))
    lines = tuple(one for one in windows if isinstance(one, FacadeLine))
    return WindowSnapshot(frame, sources, lines, walls)


def openings(
    given: WindowSnapshot, sill_height: float, feedback: Feedback | None = None
) -> tuple[Opening, ...]:
    """Return the windows, in the order of the request and of their layers.

    Parameters
    ----------
    sill_height : float
        Above the floor, where a facade line states none; metres.

    Raises
    ------
    RefusedError
        If there is no window, or a feature lacks what a window needs.
    """
    feedback = feedback or Feedback()
    walls = Walls(given.walls, feedback.part(0.0, 0.5))
    found: list[Opening] = []
    lines = [(line, "", line.id or f"window-{n + 1}") for n, line in enumerate(given.lines)]
    for source in given.sources:
        data = source.layer.data
        if isinstance(data, MeshData):
            found += _of_model(given.frame, source, walls)
        else:
            assert isinstance(data, VectorData)
            lines += _features(source)
    for n, (line, layer, entity) in enumerate(lines):
        if n % 1000 == 0:
            feedback.step(0.5 + 0.5 * n / len(lines), 1, tr("Reading windows"))
        found += _of_line(given, line, layer, entity, sill_height)
        if len(found) > MAX_WINDOWS:
            raise RefusedError(
                tr("These are more than {n} windows.", n=MAX_WINDOWS), tr("Choose fewer windows.")
            )
    if not found:
        raise RefusedError(
            tr("No window was found."),
            tr("Choose a building model with windows, or points or lines of windows."),
        )
    return walls.turned_outward(found)


# -- building models -----------------------------------------------------------------------------


def _of_model(frame: Frame, source: Source, walls: Walls) -> list[Opening]:
    """Return the windows of a building model: the plan's longer side is the sill."""
    data = source.layer.data
    assert isinstance(data, MeshData)
    if data.element_index is None:
        return []
    wanted = {
        n: element
        for n, element in enumerate(data.elements)
        if element.cls == "IfcWindow" and (not source.entities or element.id in source.entities)
    }
    order = np.argsort(data.element_index, kind="stable")
    owner = data.element_index[order]
    names = BuildingNames([source.layer])
    found = []
    for n, element in wanted.items():
        rows = order[np.searchsorted(owner, n) : np.searchsorted(owner, n, side="right")]
        if len(rows) == 0:
            continue
        points = frame.local(data.vertices[np.unique(data.triangles[rows])])
        found.append(_of_element(points, element, source.layer.id, names))
    return walls.on_the_wall(found)


def _of_element(points: FloatArray, element: Element, layer: str, names: BuildingNames) -> Opening:
    centre, along, width = _plan(points[:, :2])
    return Opening(
        element.id,
        element.name,
        layer,
        element.id,
        names.of(layer, element.id),
        element.storey,
        _flat(element),
        (float(centre[0]), float(centre[1]), float(points[:, 2].min())),
        (float(along[0]), float(along[1])),
        width,
        None,
        "unknown",
    )


def _plan(points: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Return centre, direction and length of the longer side of the smallest box around points."""
    import shapely

    middle = points.mean(axis=0)
    box = shapely.oriented_envelope(shapely.MultiPoint(points - middle))
    ring = shapely.get_coordinates(box)
    if len(ring) < 4:  # a pane without depth
        side = ring[-1] - ring[0]
    else:
        sides = np.diff(ring[:3], axis=0)
        side = sides[np.argmax(np.linalg.norm(sides, axis=1))]
    length = float(np.linalg.norm(side))
    along = side / length if length else np.array([1.0, 0.0])
    return shapely.get_coordinates(box.centroid)[0] + middle, along, length


class BuildingNames:
    """Which building an entity belongs to: what a city asks about, where a model knows walls."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._models = {one.id: one.data for one in layers if isinstance(one.data, BimData)}
        self._known = {
            layer: {e.id: e.name or e.id for e in data.elements if e.cls == "IfcBuilding"}
            for layer, data in self._models.items()
        }

    def of(self, layer: str, entity: str) -> str:
        """Return the name of the building; empty outside of building models."""
        if layer not in self._models:
            return ""
        known, parents = self._known[layer], self._models[layer].spatial
        for _ in range(64):
            if not entity or entity in known:
                break
            entity = parents.get(entity, "")
        return known.get(entity, "")


def _flat(element: Element) -> str:
    """Return the dwelling that a window's properties name."""
    for group in element.properties.values():
        for name in NAMES["flat"]:
            if group.get(name) not in (None, ""):
                return str(group[name])
    return ""


# -- points and lines ----------------------------------------------------------------------------


def _features(source: Source) -> list[tuple[FacadeLine, str, str]]:
    """Return the features of a layer as facade lines, with layer and entity."""
    data = source.layer.data
    assert isinstance(data, VectorData)
    columns = {str(c) for c in data.features.columns}
    used = {
        field: next((c for c in candidates if c in columns), None)
        for field, candidates in NAMES.items()
    }
    found = []
    for label, row, shape in zip(
        data.features.index.astype(str),
        data.features.drop(columns=data.features.geometry.name).to_dict("records"),
        data.features.geometry,
        strict=True,
    ):
        if shape is None or shape.is_empty or (source.entities and label not in source.entities):
            continue
        values = {f: row[c] for f, c in used.items() if c is not None and _known(row[c])}
        for part in getattr(shape, "geoms", (shape,)):
            found.append((_feature(source.layer, label, values, part), source.layer.id, label))
    return found


def _known(value: object) -> bool:
    return value is not None and value != "" and value == value  # NaN is not itself


def _feature(layer: Layer, label: str, values: Mapping[str, Any], shape: Any) -> FacadeLine:
    from pydantic import ValidationError

    points = [tuple(map(float, p)) for p in shape.coords] if hasattr(shape, "coords") else []
    texts = {k: _text(values[k]) for k in ("name", "building", "storey", "flat") if k in values}
    place: dict[str, Any] = {"line": points}
    if shape.geom_type == "Point":
        place = {"point": points[0]}
    try:
        line = FacadeLine.model_validate({**values, **texts, **place})
    except ValidationError as error:
        item = error.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
    else:
        why = _line_problem(line)
        if not why:
            return line
    raise RefusedError(
        tr("“{name}”, {id}: this is no window ({why}).", name=layer.name, id=label, why=why),
        tr("A point needs z, width and azimuth; a line needs two points."),
    )


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _of_line(
    given: WindowSnapshot, line: FacadeLine, layer: str, entity: str, sill_height: float
) -> list[Opening]:
    base = Opening(
        *(entity, line.name, layer, entity if layer else "", line.building, line.storey),
        *(line.flat, (0.0, 0.0, 0.0), (1.0, 0.0), line.width or 0.0, None, "unknown"),
    )
    if line.azimuth is not None:
        angle = math.radians(line.azimuth)
        base = replace(base, outward=(math.sin(angle), math.cos(angle)), how="stated")
    if line.point is not None:
        assert base.outward is not None
        x, y, z = given.frame.local(np.array(line.point)).tolist()
        # Along the sill with the outside on the right hand.
        return [replace(base, middle=(x, y, z), along=(-base.outward[1], base.outward[0]))]
    assert line.line is not None
    start, end = (np.asarray(p, dtype=np.float64) for p in (line.line[0], line.line[-1]))
    floor = _floor(given, line)
    a, b = (given.frame.local(np.array([p[0], p[1], floor])) for p in (start, end))
    length = float(np.linalg.norm((b - a)[:2]))
    if length < 1e-6:
        raise RefusedError(
            tr("Window “{id}” has no length.", id=entity), tr("Give a line of two points.")
        )
    along = (b - a)[:2] / length
    width = min(line.width or length, length)
    count = 1 if line.bay is None else max(1, int(length / line.bay + 1e-9))
    sill = sill_height if line.sill is None else line.sill
    found = []
    for storey in range(line.storeys):
        for k in range(count):
            place = a[:2] + along * (k + 0.5) / count * length
            z = float(a[2]) + sill + storey * (line.storey_height or 0.0)
            many = line.storeys > 1 or count > 1
            found.append(
                replace(
                    base,
                    id=f"{entity}-{storey + 1:02d}-{k + 1:02d}" if many else entity,
                    storey=str(storey + 1) if line.storeys > 1 else line.storey,
                    middle=(float(place[0]), float(place[1]), z),
                    along=(float(along[0]), float(along[1])),
                    width=width,
                )
            )
    return found


def _floor(given: WindowSnapshot, line: FacadeLine) -> float:
    """Return the floor level of a line in the project CRS: its own z, else the terrain's."""
    assert line.line is not None
    heights = [p[2] for p in line.line if len(p) == 3]
    if len(heights) == len(line.line):
        return min(heights)
    middle = (np.asarray(line.line[0][:2]) + np.asarray(line.line[-1][:2])) / 2
    ground = None if given.walls.ground is None else given.walls.ground.layer
    if ground is not None:
        assert isinstance(ground.data, RasterData)
        metres = float(sample_bilinear(ground.data, middle[None])[0])
        if math.isfinite(metres):
            return metres / given.frame.scale[2]
    raise RefusedError(
        tr("A facade line has no z, and there is no terrain under it."),
        tr("Give its points a z: the floor of the lowest storey."),
    )
