"""Lines of sight: what is seen from a place, what stands in the way, and by how much."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    REFRACTION,
    Analysis,
    Crossings,
    EmbreeCaster,
    Feedback,
    Georeference,
    Layer,
    LayerKind,
    LayerStyle,
    ObstacleLayers,
    Params,
    Point,
    Points,
    Problem,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    all_between,
    apparent_points,
    clearance_below,
    curvature_drop,
    cut_upright,
    earth_radius,
    in_threads,
    needed_rise,
    obstacle_layers,
    rise_over,
    tr,
)
from plumbline_sightline.analysis.fields import Curvature, EyeHeight, ObstacleRefs, Refraction
from plumbline_sightline.analysis.viewshed_standing import (
    Stand,
    Standing,
    anchored,
    box_of,
    standing,
)

if TYPE_CHECKING:
    from pyproj import CRS

FloatArray = NDArray[np.float64]

MAX_TARGETS = 100_000
#: Triangles in one line beyond which nobody counts.
MAX_CROSSINGS = 2000
TARGETS = (
    "target", "visible", "obstruction_x", "obstruction_y", "obstruction_z", "layer", "entity",
    "distance", "clearance", "obstruction_distance", "obstructing", "entities", "raise_target",
    "lower_obstacle",
)  # fmt: skip
OBSTRUCTIONS = ("target", "layer", "entity", "x", "y", "z", "distance", "lower_by")
METRES = (
    "distance", "clearance", "obstruction_distance", "raise_target", "lower_obstacle", "lower_by",
)  # fmt: skip


class LineParams(Params):
    """What `sightline.line` can be asked."""

    observer: Annotated[
        Point,
        Field(
            title=N_("Observer"),
            description=N_("With z: the eye itself. Without: the eye height above the surface."),
        ),
    ]
    targets: Annotated[
        Points,
        Field(
            min_length=1,
            max_length=MAX_TARGETS,
            title=N_("Targets"),
            description=N_("With z: the targets themselves. Without: above the surface."),
        ),
    ]
    obstacles: ObstacleRefs
    observer_height: EyeHeight = 1.6
    target_height: Annotated[
        float,
        Field(
            ge=0,
            le=10_000,
            title=N_("Target height"),
            description=N_("Above the surface, where a target has no z."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.0
    curvature: Curvature = False
    refraction: Refraction = REFRACTION


@dataclass(frozen=True)
class Sight:
    """Snapshot: what may stand in the way, and where it lies on the earth."""

    layers: ObstacleLayers
    georeference: Georeference


@dataclass(frozen=True)
class Lines:
    """Lines from one eye, in the frame of the obstacles.

    Attributes
    ----------
    eye : (3,) float64
    targets : (N, 3) float64
    caster, vertices
        Obstacles as they appear from the eye: lowered by the curvature of the earth.
    seen : (N, 3) float64
        Targets as they appear.
    """

    here: Standing
    eye: FloatArray
    targets: FloatArray
    radius: float
    refraction: float
    caster: EmbreeCaster
    vertices: FloatArray
    seen: FloatArray

    def real(self, apparent: FloatArray) -> FloatArray:
        """Return apparent places ``(..., 3)`` where they really are, project CRS."""
        places = np.array(apparent)
        away = np.hypot(places[..., 0] - self.eye[0], places[..., 1] - self.eye[1])
        places[..., 2] += curvature_drop(away, self.radius, self.refraction)
        return self.here.layers.frame.project(places)


class Line(Analysis[LineParams]):
    """Whether targets are seen from a place.

    A line is met by the first triangle in it, in float64; a triangle on which the eye or the target
    lies is none. `clearance` is positive where the target is seen: the least height of the line
    over what lies under it, without 2 m at both ends. Else it is negative: by so much the
    obstructions rise over the line. `raise_target` is the least rise that gives a free line.
    """

    id = "sightline.line"
    version = "1"
    title = N_("Line of sight")
    description = N_(
        "Whether targets are seen from a place: the first obstruction and all the others, the "
        "clearance over what lies below, and by how much a target has to rise or an obstacle to "
        "sink."
    )
    Params = LineParams

    def check(self, scene: Scene, params: LineParams) -> list[Problem]:
        same = [n for n, t in enumerate(params.targets) if len(t) == 3 and t == params.observer]
        if same:
            text = tr("Target {n} is the observer itself.", n=same[0] + 1)
            return [Problem("targets", text)]
        return []

    def layers(self, params: LineParams) -> list[str]:
        return list(dict.fromkeys(params.obstacles))

    def prepare(self, scene: Scene, params: LineParams) -> Sight:
        return Sight(anchored(obstacle_layers(scene, params.obstacles)), scene.georeference)

    def compute(self, inputs: Sight, params: LineParams, feedback: Feedback) -> Result:
        radius = math.inf
        if params.curvature:
            radius = earth_radius(inputs.georeference, *params.observer[:2])
        box = box_of(inputs.layers, [params.observer, *params.targets], None)
        here = standing(inputs.layers, feedback.part(0.0, 0.5), box)
        eye = here.eye(params.observer, params.observer_height)
        places = [here.stand(target, params.target_height) for target in params.targets]
        lines = _lines(here, eye, places, radius, params.refraction)
        found = all_between(lines.caster, lines.eye, lines.seen, MAX_CROSSINGS, feedback)
        rows, obstructions = _rows(lines, found, feedback.part(0.6, 1.0))
        warnings = [*here.warnings, *eye.warnings, *_doubts(found, here, places)]
        visible = sum(row[1] for row in rows)
        frame = inputs.layers.frame
        units = dict.fromkeys(METRES, "m")
        return Result(
            values={
                "targets": Value(len(rows)),
                "visible_count": Value(visible),
                "hidden_count": Value(len(rows) - visible),
                "visible_share": Value(visible / len(rows)),
            },
            tables={
                "targets": Table(TARGETS, tuple(rows), units),
                "obstructions": Table(OBSTRUCTIONS, tuple(obstructions), units),
            },
            layers={"sightlines": _drawn(lines, rows, inputs.georeference.crs)},
            warnings=warnings,
            points=tuple((x, y, z) for x, y, z in frame.project(lines.eye[None]).tolist()),
            headline="visible_count",
            provenance={
                "lods": here.obstacles.lods,
                "earth_radius": radius if params.curvature else None,
            },
        )


def _lines(
    here: Standing, eye: Stand, places: list[Stand], radius: float, refraction: float
) -> Lines:
    targets = np.array([one.place for one in places])
    vertices, seen = here.obstacles.vertices, targets
    if math.isfinite(radius):
        vertices = apparent_points(vertices, eye.place, radius, refraction)
        seen = apparent_points(targets, eye.place, radius, refraction)
    caster = here.seen_from(eye.place, radius, refraction)
    return Lines(here, eye.place, targets, radius, refraction, caster, vertices, seen)


def _rows(
    lines: Lines, found: Crossings, feedback: Feedback
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the rows of both tables, in the order of the targets."""
    first = np.searchsorted(found.segment, np.arange(len(lines.targets) + 1))

    def work(part: slice) -> list[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
        return [
            _row(lines, n, found, slice(int(first[n]), int(first[n + 1])))
            for n in range(part.start, part.stop)
        ]

    rows, obstructions = [], []
    text = tr("Measuring clearances")
    for _, some in in_threads(work, len(lines.targets), feedback, None, 16, text):
        for row, mine in some:
            rows.append(row)
            obstructions += mine
    return rows, obstructions


def _row(
    lines: Lines, n: int, found: Crossings, part: slice
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Return the row of a target, and one for each entity that stands in the way."""
    obstacles, target = lines.here.obstacles, lines.seen[n]
    length = float(np.linalg.norm(lines.targets[n] - lines.eye))
    cut = cut_upright(lines.vertices, obstacles.triangles, lines.eye, target, lines.here.plan)
    owners, distances = obstacles.owner[found.triangle[part]], found.distance[part]
    if len(owners) == 0:
        below = math.inf if cut is None else clearance_below(cut)
        clear = below if math.isfinite(below) else None
        return (n + 1, 1, *[None] * 3, "", "", length, clear, None, 0, "", 0.0, 0.0), []
    rise = None if cut is None else rise_over(cut, len(obstacles.entities), obstacles.owner)
    way = (target - lines.eye) / float(np.linalg.norm(target - lines.eye))
    # Each entity where the line first meets it, nearest first.
    _, nearest = np.unique(owners, return_index=True)
    mine = []
    for k in np.sort(nearest).tolist():
        entity = obstacles.entities[owners[k]]
        at = lines.real(lines.eye + distances[k] * way).tolist()
        lower = None if rise is None else float(rise[owners[k]])
        mine.append((n + 1, entity.layer, entity.entity, *at, float(distances[k]), lower))
    lower = max((row[-1] for row in mine if row[-1] is not None), default=None)
    up = math.inf if cut is None else needed_rise(cut)
    names = "; ".join(row[2] or row[1] for row in mine)
    _, layer, entity_id, x, y, z, distance, _ = mine[0]
    clear = None if lower is None else -lower
    row = (n + 1, 0, x, y, z, layer, entity_id, length, clear, distance, len(mine), names)
    return (*row, up if math.isfinite(up) else None, lower), mine


def _doubts(found: Crossings, here: Standing, places: list[Stand]) -> list[str]:
    warnings = []
    if not found.complete.all():
        warnings.append(
            tr(
                "Of {n} lines only the first {limit} triangles in the way were taken.",
                n=int((~found.complete).sum()),
                limit=MAX_CROSSINGS,
            )
        )
    low, high = here.caster.low, here.caster.high
    flat = np.array([one.place[:2] for one in places])
    outside = int(((flat < low[:2]) | (flat > high[:2])).any(axis=1).sum())
    if outside:
        warnings.append(tr("{n} targets lie outside of all obstacles.", n=outside))
    return warnings


def _drawn(lines: Lines, rows: list[tuple[Any, ...]], crs: CRS | None) -> Layer:
    """Return the lines as features: what is seen, and what is hidden behind the obstruction."""
    import geopandas
    import shapely

    frame = lines.here.layers.frame
    eye = frame.project(lines.eye)
    shapes, columns = [], []
    for row, target in zip(rows, frame.project(lines.targets), strict=True):
        parts = [(eye, target, 1)]
        if not row[1]:
            hit = np.array(row[2:5])
            parts = [(eye, hit, 1), (hit, target, 0)]
        for start, end, seen in parts:
            shapes.append(shapely.LineString([start, end]))
            columns.append({"target": row[0], "visible": seen})
    index = [str(n) for n in range(len(shapes))]
    frame_ = geopandas.GeoDataFrame(columns, geometry=shapes, crs=crs, index=index)
    style = LayerStyle(color_by="attribute", attribute="visible", line_width=3.0)
    return Layer(
        "sightlines", tr("Lines of sight"), LayerKind.VECTOR, VectorData(frame_, True), crs,
        style=style,
    )  # fmt: skip
