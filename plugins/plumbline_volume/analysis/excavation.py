"""`volume.excavation`: what comes out of a pit, and which pipes and structures it meets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Cover,
    Feedback,
    Frame,
    Grid,
    Heights,
    Layer,
    LayerRef,
    LayerRefs,
    MeshData,
    Params,
    Problem,
    RefusedError,
    Region,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    cover_of,
    entity_ids,
    entity_name,
    numbers_of,
    region,
    slope_distance,
    tr,
)
from plumbline_volume.analysis.polygon import SURFACES, CellSize, Classes
from plumbline_volume.analysis.sheets import grid_layer
from plumbline_volume.analysis.surfaces import Surface, surface_of

if TYPE_CHECKING:
    import shapely

FloatArray = NDArray[np.float64]

#: Cells across a pit, and places in each at which its slope is asked.
CELLS_ACROSS, PLACES = 200, 4
#: Distance between the places of a pipe that are looked at, metres, and how many there may be.
STEP, MAX_STEPS = 0.1, 20_000
#: Names of attributes that hold a diameter in millimetres.
DIAMETERS = ("管径", "diameter", "DIAMETER", "Diameter", "DN", "dn")
COLUMNS = ("layer", "id", "name", "met", "length", "length_under", "least_cover", "left_cover")
UNITS = dict.fromkeys(("length", "length_under", "least_cover", "left_cover"), "m")


class ExcavationParams(Params):
    """What `volume.excavation` can be asked."""

    polygon: Annotated[
        Region,
        Field(
            title=N_("Pit"),
            description=N_("Outline of the bottom of the pit."),
            json_schema_extra={"widget": "region"},
        ),
    ]
    terrain: Annotated[
        LayerRef,
        Field(
            title=N_("Terrain"),
            description=N_("The ground as it is; any kind of surface."),
            json_schema_extra=SURFACES,
        ),
    ]
    depth: Annotated[
        float | None,
        Field(
            gt=0,
            le=5_000,
            title=N_("Depth"),
            description=N_("Of the level bottom below the mean ground inside the outline."),
            json_schema_extra={"unit": "m"},
        ),
    ] = None
    bottom: Annotated[
        float | None,
        Field(
            ge=-12_000,
            le=9_000,
            title=N_("Height of the bottom"),
            description=N_("Above the vertical datum; instead of the depth."),
            json_schema_extra={"unit": "m"},
        ),
    ] = None
    slope_ratio: Annotated[
        float,
        Field(
            ge=0,
            le=20,
            title=N_("Slope ratio"),
            description=N_("Metres outwards for each metre upwards (1 : m); 0 for upright sides."),
        ),
    ] = 0.0
    underground: Annotated[
        LayerRefs,
        Field(
            title=N_("Underground layers"),
            description=N_("Pipes as lines with heights (of their axes), and models."),
            json_schema_extra={"widget": "layers", "kinds": ["vector", "mesh", "bim"]},
        ),
    ] = ()
    diameter: Annotated[
        str,
        Field(
            title=N_("Attribute with the diameter"),
            description=N_("In millimetres; 管径, diameter or DN otherwise, where there is one."),
        ),
    ] = ""
    cell_size: CellSize = None
    classes: Classes = ()


@dataclass(frozen=True)
class Buried:
    """A layer under the ground: the course of each entity and its half height."""

    layer: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    #: Corners of lines or triangles ``(N, 3)`` with z in metres, and the entity of each.
    lines: tuple[tuple[int, FloatArray], ...]
    radius: FloatArray
    solid: bool


@dataclass(frozen=True)
class Inputs:
    """Snapshot: terrain, outline and what lies under the ground."""

    terrain: Surface
    polygon: shapely.Polygon | shapely.MultiPolygon
    buried: tuple[Buried, ...]


@dataclass(frozen=True)
class Pit:
    """A dug pit.

    Attributes
    ----------
    bottom : float
        Metres above the vertical datum.
    reach : float
        Width of the widest slope, metres.
    ratio : float
        Metres outwards for each metre upwards.
    """

    polygon: shapely.Polygon | shapely.MultiPolygon
    bottom: float
    reach: float
    ratio: float
    unit: float

    def floor(self, places: FloatArray) -> FloatArray:
        """Return the height of bottom and slopes at places, metres; inf outside."""
        away = slope_distance(places, self.polygon) * self.unit
        if self.ratio == 0:
            return np.where(away > 0, np.inf, self.bottom)
        floor: FloatArray = np.where(away > self.reach, np.inf, self.bottom + away / self.ratio)
        return floor

    @property
    def outline(self) -> shapely.Polygon | shapely.MultiPolygon:
        """The outline at the height of the highest ground, project CRS."""
        return self.polygon.buffer(self.reach / self.unit, join_style="mitre", mitre_limit=5.0)


class Excavation(Analysis[ExcavationParams]):
    """Excavated volume of a pit with a level bottom and plane slopes up to the ground.

    Pipes and structures count as met where any part of them lies in the dug body. `least_cover` is
    from the ground down to their top, `left_cover` from the bottom or the slope of the pit down to
    their top: negative where the pit cuts them.
    """

    id = "volume.excavation"
    version = "1"
    title = N_("Excavation")
    description = N_(
        "Volume of a pit with sloping sides, and the pipes and structures that it meets, with "
        "their lengths and least cover."
    )
    Params = ExcavationParams

    def check(self, scene: Scene, params: ExcavationParams) -> list[Problem]:
        problems = []
        if (params.depth is None) == (params.bottom is None):
            problems.append(Problem("depth", tr("Give either a depth or a height of the bottom.")))
        for one in params.underground:
            data = scene[one].data
            lines = isinstance(data, VectorData) and data.has_z
            if not lines and not isinstance(data, MeshData):
                text = tr("“{name}” has no heights underground.", name=scene[one].name)
                problems.append(Problem("underground", text))
        return problems

    def layers(self, params: ExcavationParams) -> list[str]:
        return list(dict.fromkeys([params.terrain, *params.underground]))

    def prepare(self, scene: Scene, params: ExcavationParams) -> Inputs:
        terrain = surface_of(scene, params.terrain, params.classes)
        frame = Frame.of(scene.georeference, (0.0, 0.0, 0.0))
        buried = tuple(
            _buried(scene[one], frame.scale[2], params.diameter, scene.hidden_entities(one))
            for one in dict.fromkeys(params.underground)
        )
        return Inputs(terrain, region(params.polygon), buried)

    def compute(self, inputs: Inputs, params: ExcavationParams, feedback: Feedback) -> Result:
        pit, cover, ground = _dig(inputs, params, feedback.part(0.0, 0.5))
        feedback.step(0.5, 1, tr("Measuring the slopes"))
        inside, slopes, dug, u = _volumes(pit, cover, ground)
        feedback.step(0.7, 1, tr("Looking for pipes and structures"))
        rows = _met(inputs, pit, cover, ground)
        met = [row for row in rows if row[3]]
        depths = np.where(dug > 0, dug / cover.grid.cell_area, np.nan)
        warnings = []
        missing = float((np.isnan(ground.z) * cover.areas).sum())
        if missing > 1e-6 * cover.area:
            share = 100 * missing / cover.area
            warnings.append(
                tr("The ground has no height on {share:.1f} % of the pit.", share=share)
            )
        own = cover_of(cover.grid, pit.polygon).areas
        below = float(own[np.nan_to_num(ground.z, nan=np.inf) < pit.bottom].sum())
        if below > 1e-6 * own.sum():
            share = 100 * below / float(own.sum())
            warnings.append(
                tr("On {share:.1f} % of the pit the ground lies below the bottom.", share=share)
            )
        if met:
            warnings.append(tr("The pit meets {n} pipes and structures.", n=len(met)))
        least = [row[6] for row in met]
        return Result(
            values={
                "volume": Value(inside + slopes, "m³", u),
                "volume_pit": Value(inside, "m³"),
                "volume_slopes": Value(slopes, "m³"),
                "bottom": Value(pit.bottom, "m"),
                "area_bottom": Value(pit.polygon.area * pit.unit**2, "m²"),
                "area_top": Value(_top_area(cover, dug), "m²"),
                "met": Value(len(met)),
                "met_length": Value(math.fsum(row[4] for row in met), "m"),
                "least_cover": Value(min(least) if least else None, "m"),
                "cell_size": Value(cover.grid.dx * cover.grid.unit, "m"),
            },
            tables={"met": Table(COLUMNS, tuple(rows), UNITS)},
            layers={
                "pit": grid_layer(
                    "pit", tr("Depth of the pit"), cover, depths, inputs.terrain, N_("Depth")
                )
            },
            warnings=warnings,
            headline="volume",
        )


# -- the pit -----------------------------------------------------------------------------------


def _dig(
    inputs: Inputs, params: ExcavationParams, feedback: Feedback
) -> tuple[Pit, Cover, Heights]:
    """Return the pit, and the ground on a grid that holds all of it."""
    unit = inputs.terrain.unit
    cover, ground = _ground(inputs, params, inputs.polygon, feedback)
    weight = np.where(np.isfinite(ground.z), cover.areas * ground.weight, 0.0)
    if weight.sum() < 0.5 * cover.area:
        raise _no_ground()
    mean = float((weight * np.nan_to_num(ground.z)).sum() / weight.sum())
    bottom = mean - params.depth if params.depth is not None else params.bottom
    assert bottom is not None
    highest = float(np.max(ground.z[weight > 0]))
    if highest <= bottom:
        raise RefusedError(
            tr("The bottom lies above the ground: there is nothing to dig."),
            tr("Give a lower bottom; the ground is {z:.2f} m high at most.", z=highest),
        )
    pit = Pit(inputs.polygon, bottom, 0.0, params.slope_ratio, unit)
    # The higher the ground beside the pit, the farther the slope reaches.
    for _ in range(20):
        reach = (highest - bottom) * params.slope_ratio
        if reach <= pit.reach:
            break
        pit = replace(pit, reach=reach)
        cover, ground = _ground(inputs, params, pit.outline, feedback)
        if not np.isfinite(ground.z).any():
            raise _no_ground()
        highest = float(np.nanmax(ground.z))
    return pit, cover, ground


def _no_ground() -> RefusedError:
    return RefusedError(
        tr("The ground has no heights on over half of the pit."),
        tr("Choose a pit on the terrain, or another terrain."),
    )


def _ground(
    inputs: Inputs,
    params: ExcavationParams,
    polygon: shapely.Polygon | shapely.MultiPolygon,
    feedback: Feedback,
) -> tuple[Cover, Heights]:
    """Return the ground inside a polygon, on square cells; gaps between measured ones filled."""
    box = polygon.bounds
    span = max(box[2] - box[0], box[3] - box[1]) * inputs.terrain.unit
    size = params.cell_size or span / CELLS_ACROSS
    cover = cover_of(Grid.over(box, size, inputs.terrain.unit), polygon)
    return cover, inputs.terrain.heights(cover, feedback, "auto")


def _volumes(pit: Pit, cover: Cover, ground: Heights) -> tuple[float, float, FloatArray, float]:
    """Return the volume over the bottom, over the slopes, of each cell, and half its range."""
    own = cover_of(cover.grid, pit.polygon)
    z = np.nan_to_num(ground.z, nan=-np.inf)
    inside = own.areas * np.maximum(z - pit.bottom, 0.0)
    slopes = np.zeros(own.share.shape)
    cells = np.flatnonzero((own.share < 1) & (cover.share > 0))
    if pit.ratio > 0 and len(cells):
        # Even places in each cell; the ground tilts with its neighbours.
        steps = (np.arange(PLACES) + 0.5) / PLACES - 0.5
        dx, dy = (np.ravel(a) for a in np.meshgrid(steps, steps))
        tilt_x, tilt_y = _tilts(ground.z)
        centres = cover.grid.centres(cells)
        heights, count = np.zeros(len(cells)), np.zeros(len(cells))
        for u, v in zip(dx, dy, strict=True):
            floor = pit.floor(centres + (u * cover.grid.dx, -v * cover.grid.dy))
            here = z.flat[cells] + u * tilt_x.flat[cells] + v * tilt_y.flat[cells]
            heights += np.where(np.isfinite(floor), np.maximum(here - floor, 0.0), 0.0) * (
                floor > pit.bottom
            )
            count += floor > pit.bottom
        # What lies outside of the outline in a cell is known exactly; its mean height is sampled.
        bare = count == 0
        heights[bare], count[bare] = np.maximum(z.flat[cells] - pit.bottom, 0.0)[bare], 1
        outside = (1 - own.share.flat[cells]) * cover.grid.cell_area
        slopes.flat[cells] = heights / count * outside
    dug = inside + slopes
    area = np.where(dug > 0, cover.areas, 0.0)
    doubt = 2 * float(np.sqrt(np.nansum((area * ground.u) ** 2))) + 2 * float(
        np.sum(area * ground.common)
    )
    return float(inside.sum()), float(slopes.sum()), dug, doubt


def _tilts(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return by how much the ground rises over a cell to the east and to the south, metres."""
    if min(z.shape) < 2:
        return np.zeros(z.shape), np.zeros(z.shape)
    tilts = [np.nan_to_num(np.asarray(np.gradient(z, axis=axis))) for axis in (1, 0)]
    return tilts[0], tilts[1]


def _top_area(cover: Cover, dug: FloatArray) -> float:
    return float(cover.areas[dug > 0].sum())


# -- pipes and structures ----------------------------------------------------------------------


def _buried(layer: Layer, factor: float, diameter: str, hidden: frozenset[str]) -> Buried:
    """Return the entities of a layer as lines or triangles with heights in metres."""
    import shapely

    data = layer.data
    ids = entity_ids(layer) or [""]
    lines: list[tuple[int, FloatArray]] = []
    radius = np.zeros(len(ids))
    if isinstance(data, VectorData):
        column = diameter or next((n for n in DIAMETERS if n in data.features.columns), "")
        radius = np.nan_to_num(numbers_of(data, column)) / 2000
        for n, geometry in enumerate(data.features.geometry):
            for part in shapely.get_parts(geometry):
                points = shapely.get_coordinates(part, include_z=True)
                if ids[n] not in hidden and len(points) > 1:
                    lines.append((n, points * (1, 1, factor)))
    else:
        assert isinstance(data, MeshData)
        corners = data.vertices[data.triangles] * (1, 1, factor)
        owner = np.zeros(len(corners), np.intp)
        if data.elements:
            none = np.full(len(corners), -1)
            owner = none if data.element_index is None else np.asarray(data.element_index)
        gone = {n for n, one in enumerate(ids) if one in hidden}
        for n in np.unique(owner[owner >= 0]).tolist():
            if n not in gone:
                lines.append((n, corners[owner == n].reshape(-1, 3)))
    names = tuple(entity_name(layer, one) if one else "" for one in ids)
    solid = isinstance(data, MeshData)
    return Buried(layer.id, tuple(ids), names, tuple(lines), radius, solid)


def _met(
    inputs: Inputs, pit: Pit, cover: Cover, ground: Heights
) -> list[tuple[str, str, str, int, float, float, float, float]]:
    """Return a row for everything that lies on the map inside the pit, met or under it."""
    import shapely

    outline = shapely.box(*pit.outline.bounds)
    rows = []
    for layer in inputs.buried:
        found: dict[int, list[FloatArray]] = {}
        for n, points in layer.lines:
            low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
            if not shapely.intersects(outline, shapely.box(*low, *high)):
                continue
            places = _along(points, pit.unit, layer.solid)
            found.setdefault(n, []).append(_inside(places, pit, cover, ground, layer.radius[n]))
        for n in sorted(found):
            values = np.concatenate(found[n])
            if len(values):
                name = (layer.layer, layer.ids[n], layer.names[n])
                rows.append((*name, *_summary(values, pit.unit, layer.solid)))
    return rows


def _along(points: FloatArray, unit: float, solid: bool) -> FloatArray:
    """Return places ``(N, 4)`` along lines or sides of triangles: x, y, z and length, metres."""
    if solid:
        triangles = points.reshape(-1, 3, 3)
        start = triangles.reshape(-1, 3)
        end = np.roll(triangles, -1, axis=1).reshape(-1, 3)
    else:
        start, end = points[:-1], points[1:]
    lengths = np.linalg.norm((end - start) * (unit, unit, 1), axis=1)
    step = max(STEP, float(lengths.sum()) / MAX_STEPS)
    counts = np.maximum(1, np.ceil(lengths / step).astype(np.intp))
    leg = np.repeat(np.arange(len(start)), counts)
    t = (np.arange(len(leg)) - np.repeat(np.cumsum(counts) - counts, counts) + 0.5) / counts[leg]
    at = start[leg] + t[:, None] * (end - start)[leg]
    return np.column_stack([at, lengths[leg] / counts[leg]])


def _inside(
    places: FloatArray, pit: Pit, cover: Cover, ground: Heights, radius: float
) -> FloatArray:
    """Return places inside the pit: x, y, z, length, met, cover, and what the pit leaves of it."""
    grid = cover.grid
    column = np.floor((places[:, 0] - grid.xmin) / grid.dx).astype(np.intp)
    row = np.floor((grid.ymax - places[:, 1]) / grid.dy).astype(np.intp)
    on = (row >= 0) & (row < grid.rows) & (column >= 0) & (column < grid.columns)
    places, row, column = places[on], row[on], column[on]
    z = ground.z[row, column]
    floor = pit.floor(places[:, :2])
    with np.errstate(invalid="ignore"):
        dug = np.isfinite(floor) & (z > floor)
    top, low = places[:, 2] + radius, places[:, 2] - radius
    met = dug & (top > floor) & (low < np.nan_to_num(z, nan=-np.inf))
    return np.column_stack([places, met, z - top, floor - top])[dug]


def _summary(
    values: FloatArray, unit: float, solid: bool
) -> tuple[int, float, float, float, float]:
    """Return met or not, lengths in and under the dug body, least cover before and after."""
    inside = values[:, 4] > 0
    lengths = [
        _extent(values[part, :3] * (unit, unit, 1)) if solid else float(values[part, 3].sum())
        for part in (inside, ~inside)
    ]
    least, left = values[:, 5:].min(axis=0).tolist()
    return int(inside.any()), lengths[0], lengths[1], least, left


def _extent(places: FloatArray) -> float:
    """Return how far a structure reaches along its longest axis, metres."""
    if len(places) < 2:
        return 0.0
    local = places - places.mean(axis=0)
    _, _, axes = np.linalg.svd(local, full_matrices=False)
    return float(np.ptp(local @ axes[0]))
