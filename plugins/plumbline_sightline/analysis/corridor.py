"""View corridors: what has to stay free so that a landmark is seen, and who stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Bounds,
    Entities,
    Excess,
    Feedback,
    Frame,
    Layer,
    LayerKind,
    LayerStyle,
    MeshData,
    ObstacleLayers,
    Obstacles,
    Params,
    Point,
    Points,
    Problem,
    RefusedError,
    Result,
    Scene,
    Table,
    Value,
    build_obstacles,
    entity_bounds,
    entity_ids,
    excess_over,
    lowest_on_grid,
    obstacle_layers,
    tr,
)
from plumbline_sightline.analysis.corridor_figure import corridor_figure
from plumbline_sightline.analysis.eyes import Eye, Places, box_around
from plumbline_sightline.analysis.fields import HeightCells, ObstacleRefs
from plumbline_sightline.analysis.grids import SEEN_THROUGH, Cells, cells_over, raster_layer
from plumbline_sightline.analysis.landmarks import (
    Landmark,
    Sector,
    outline_of,
    owners_of,
    sector_from,
)

FloatArray = NDArray[np.float64]

#: What rises less above the limit touches it, metres.
TOUCH = 1e-6
#: Viewpoints of one request.
MAX_VIEWPOINTS = 500
COLUMNS = (
    *("entity", "name", "layer", "exceedance", "x", "y", "z", "limit"),
    *("viewpoint", "distance"),
)


class CorridorParams(Params):
    """What `sightline.corridor` can be asked."""

    landmark: Annotated[
        Landmark,
        Field(
            title=N_("Landmark"),
            description=N_(
                "What is to be seen: a point, two ends or the corners of an outline, as x, y, z of "
                "its top; or an entity of a layer."
            ),
        ),
    ]
    obstacles: ObstacleRefs
    viewpoints: Annotated[
        Points | None,
        Field(
            min_length=1,
            title=N_("Viewpoints"),
            description=N_("Where people look from; or give a path."),
            json_schema_extra={"widget": "points", "places": True},
        ),
    ] = None
    path: Annotated[
        Points | None,
        Field(
            min_length=2,
            title=N_("Path"),
            description=N_("A line that people walk along, looking."),
            json_schema_extra={"widget": "points"},
        ),
    ] = None
    spacing: Annotated[
        float,
        Field(
            ge=0.1,
            title=N_("Spacing"),
            description=N_("Between viewpoints on the path."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 10.0
    protected_height: Annotated[
        float | None,
        Field(
            ge=0,
            title=N_("Protected part"),
            description=N_(
                "How much of the landmark, from its top down, is to stay in view; by default the "
                "upper half of an entity, and points alone."
            ),
            json_schema_extra={"unit": "m"},
        ),
    ] = None
    width: Annotated[
        float,
        Field(
            gt=0,
            title=N_("Width"),
            description=N_("At a landmark that is one point."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 10.0
    observer_height: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            title=N_("Eye height"),
            description=N_("Above the ground, where a viewpoint has no height of its own."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 1.6
    cell_size: HeightCells = 2.0


@dataclass(frozen=True)
class Looked:
    """Snapshot: the obstacles, and points around the landmark on the map."""

    layers: ObstacleLayers
    rim: tuple[Point, ...]


@dataclass(frozen=True)
class Breach:
    """The worst that one entity does, over all viewpoints."""

    height: float
    place: FloatArray
    viewpoint: int


class Corridor(Analysis[CorridorParams]):
    """Space between viewpoints and the protected part of a landmark.

    Its lower surface is the height limit: straight from each eye to the lowest protected height,
    along the side of the landmark that faces the eye. Whatever rises above it under way is listed
    with the greatest height above it, exact to rounding. The landmark itself does not count.
    """

    id = "sightline.corridor"
    version = "1"
    title = N_("View corridor")
    description = N_(
        "The space that has to stay free between viewpoints or a path and a landmark, the height "
        "limit under it as a raster, and the entities that break it and by how much."
    )
    Params = CorridorParams

    def layers(self, params: CorridorParams) -> list[str]:
        named = [one.layer for one in params.landmark if isinstance(one, Entities)]
        return list(dict.fromkeys([*params.obstacles, *named]))

    def check(self, scene: Scene, params: CorridorParams) -> list[Problem]:
        problems = []
        if (params.viewpoints is None) == (params.path is None):
            problems.append(Problem("viewpoints", tr("Give either viewpoints or a path.")))
        for one in params.landmark:
            if not isinstance(one, Entities):
                continue
            missing = set(one.entities) - set(entity_ids(scene[one.layer]))
            if missing:
                text = tr(
                    "“{name}” has no entity “{id}”.",
                    name=scene[one.layer].name,
                    id=min(missing)[:80],
                )
                problems.append(Problem("landmark", text))
        return problems

    def prepare(self, scene: Scene, params: CorridorParams) -> Looked:
        rim: list[Point] = []
        for one in params.landmark:
            if not isinstance(one, Entities):
                rim.append(one)
                continue
            layer = scene[one.layer]
            boxes = [entity_bounds(layer, entity) for entity in one.entities]
            bounds = Bounds.union(boxes) if boxes else layer.data.bounds
            if bounds is not None:
                rim += [(bounds.xmin, bounds.ymin), (bounds.xmax, bounds.ymax)]
        return Looked(obstacle_layers(scene, self.layers(params)), tuple(rim))

    def compute(self, inputs: Looked, params: CorridorParams, feedback: Feedback) -> Result:
        layers = inputs.layers
        viewpoints = _viewpoints(layers.frame, params)
        # A corridor keeps to what lies between viewpoints and landmark.
        box = box_around(layers, [*viewpoints, *inputs.rim], params.width)
        obstacles = build_obstacles(layers, feedback.part(0.0, 0.3), box)
        outline = outline_of(params.landmark, params.protected_height, obstacles)
        eyes, skipped = standing(
            viewpoints, params.observer_height, Places(layers, obstacles), params.path is not None
        )
        sectors = [sector_from(eye.place, outline, params.width) for eye in eyes]
        breaches = _breaches(sectors, obstacles, params, feedback.part(0.3, 0.8))
        cells, lower, upper = _rasters(sectors, layers.frame, params.cell_size)
        feedback.step(9, 10)
        limit = layers.frame.project_height(lower)
        warnings = [*obstacles.warnings, *skipped, *(text for e in eyes for text in e.warnings)]
        return Result(
            values=_values(breaches, sectors, cells, lower, upper, limit),
            tables={"breakers": _table(breaches, sectors, obstacles)},
            layers=_layers(sectors, cells, limit),
            figures={"section": corridor_figure(sectors[0], layers, obstacles, list(breaches))},
            warnings=list(dict.fromkeys(warnings)),
            points=tuple(eye.point for eye in eyes),
            headline="breakers",
            provenance={"lods": obstacles.lods, "viewpoints": len(eyes)},
        )


def _viewpoints(frame: Frame, params: CorridorParams) -> list[Point]:
    """Return the viewpoints, those on a path at even spacing with its corners."""
    if params.viewpoints is not None:
        points = list(params.viewpoints)
    else:
        assert params.path is not None
        points = along_path(params.path, params.spacing / frame.scale[0], MAX_VIEWPOINTS)
    _refuse_many(len(points), MAX_VIEWPOINTS)
    return points


def _refuse_many(count: float, most: int) -> None:
    if count > most:
        raise RefusedError(
            tr("These are {n:.0f} places; at most {most} are taken.", n=count, most=most),
            tr("Give a larger spacing or a shorter line."),
        )


def along_path(path: Points, spacing: float, most: int) -> list[Point]:
    """Return points along a line at most `spacing` apart on the map, its corners among them.

    Heights are taken along where both ends of a leg have one.

    Raises
    ------
    RefusedError
        If they are more than `most`.
    """
    flat = np.array([point[:2] for point in path])
    _refuse_many(float(np.hypot(*np.diff(flat, axis=0).T).sum()) / spacing, most)
    points: list[Point] = [path[0]]
    for start, end in pairwise(path):
        size = min(len(start), len(end))
        a, b = np.array(start[:size]), np.array(end[:size])
        pieces = int(np.ceil(np.hypot(*(b - a)[:2]) / spacing - 1e-9))
        for n in range(1, pieces):
            x, y, *z = (a + (b - a) * n / pieces).tolist()
            points.append((x, y, z[0]) if z else (x, y))
        if pieces:
            points.append(end)
    return points


def standing(
    points: list[Point], height: float, places: Places, on_path: bool
) -> tuple[list[Eye], list[str]]:
    """Return eyes at points, and warnings; on a path, places to stand nowhere are left out.

    Raises
    ------
    RefusedError
        If a point is no place to stand, or no point of a path is.
    """
    eyes: list[Eye] = []
    last: RefusedError | None = None
    for point in points:
        try:
            eyes.append(places.eye(point, height))
        except RefusedError as error:
            if not on_path:
                raise
            last = error
    if last is None:
        return eyes, []
    if not eyes:
        raise last
    text = tr(
        "{n} of {all} places on the path are left out: {why}",
        n=len(points) - len(eyes),
        all=len(points),
        why=last.message,
    )
    return eyes, [text]


def _breaches(
    sectors: list[Sector], obstacles: Obstacles, params: CorridorParams, feedback: Feedback
) -> dict[int, Breach]:
    """Return the worst breach of each owner of triangles."""
    refs = tuple(one for one in params.landmark if isinstance(one, Entities))
    others = ~owners_of(refs, obstacles)[obstacles.owner]
    owner = obstacles.owner[others]
    corners = obstacles.vertices[obstacles.triangles[others]]
    worst: dict[int, Breach] = {}
    for n, sector in enumerate(sectors):
        feedback.step(n, len(sectors), tr("Looking along the corridor"))
        found: Excess = excess_over(corners, owner, sector.fan(sector.sill), above=TOUCH)
        for k, body in enumerate(found.body.tolist()):
            height = float(found.height[k])
            if body not in worst or height > worst[body].height:
                worst[body] = Breach(height, found.place[k], n)
    return worst


def _rasters(
    sectors: list[Sector], frame: Frame, size: float
) -> tuple[Cells, FloatArray, FloatArray]:
    """Return the lowest lower and the highest upper surface over all viewpoints."""
    low = np.concatenate([sector.fan(sector.sill) for sector in sectors])
    high = np.concatenate([sector.fan(sector.top) for sector in sectors])
    flat = low[..., :2].reshape(-1, 2)
    cells = cells_over(frame, flat.min(axis=0), flat.max(axis=0), size)
    lower = lowest_on_grid(low, cells.x, cells.y)
    upper = lowest_on_grid(high, cells.x, cells.y, highest=True)
    return cells, lower, upper


def _values(
    breaches: dict[int, Breach],
    sectors: list[Sector],
    cells: Cells,
    lower: FloatArray,
    upper: FloatArray,
    limit: FloatArray,
) -> dict[str, Value]:
    covered = np.isfinite(lower)
    # One corridor has a closed form; several overlap, and the raster joins them.
    volume = float((upper - lower)[covered].sum()) * cells.area
    if len(sectors) == 1:
        volume = sectors[0].volume()
    heights = [breach.height for breach in breaches.values()]
    return {
        "breakers": Value(len(breaches)),
        "highest_exceedance": Value(max(heights, default=0.0), "m"),
        "volume": Value(volume, "m³"),
        "area": Value(float(covered.sum()) * cells.area, "m²"),
        "lowest_limit": Value(float(limit[covered].min()) if covered.any() else None, "m"),
        "viewpoints": Value(len(sectors)),
    }


def _table(breaches: dict[int, Breach], sectors: list[Sector], obstacles: Obstacles) -> Table:
    """Return who breaks the corridor, the worst first."""
    rows: list[tuple[Any, ...]] = []
    for owner, breach in sorted(breaches.items(), key=lambda item: (-item[1].height, item[0])):
        entity = obstacles.entities[owner]
        x, y, z = obstacles.frame.project(breach.place).tolist()
        below = float(obstacles.frame.project_height(breach.place[2] - breach.height))
        distance = float(np.hypot(*(breach.place - sectors[breach.viewpoint].eye)[:2]))
        name = obstacles.names[owner] if entity.entity else ""
        rows.append(
            (entity.entity, name, entity.layer, breach.height, x, y, z, below)
            + (breach.viewpoint + 1, distance)
        )
    units = {"exceedance": "m", "limit": "m", "distance": "m"}
    return Table(COLUMNS, tuple(rows), units)


def _layers(sectors: list[Sector], cells: Cells, limit: FloatArray) -> dict[str, Layer]:
    corners = np.concatenate([sector.body() for sector in sectors])
    vertices = cells.frame.project(corners.reshape(-1, 3))
    body = MeshData(vertices, np.arange(len(vertices)).reshape(-1, 3))
    crs = cells.frame.georeference.crs
    style = LayerStyle(color_by="solid", color="#3f7fbf", opacity=SEEN_THROUGH)
    return {
        "corridor": Layer("corridor", tr("View corridor"), LayerKind.MESH, body, crs, style=style),
        "height_limit": raster_layer(
            cells, "height_limit", tr("Height limit"), limit, N_("Height limit"), "m", True
        ),
    }
