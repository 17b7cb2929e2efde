"""Sections: what a line or a plane cuts through, as lines, areas and a drawing for CAD."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from plumbline.api import (
    N_,
    Analysis,
    CutPlane,
    Drawing,
    Feedback,
    Frame,
    Layer,
    LayerKind,
    LayerRefs,
    ObstacleLayers,
    Obstacles,
    Params,
    Point3,
    PointCloudData,
    Points,
    Problem,
    RefusedError,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    build_obstacles,
    cut_triangles,
    draw_figure,
    dxf_bytes,
    enclosed_areas,
    figure_colors,
    obstacle_layers,
    standing,
    tr,
)

FloatArray = NDArray[np.float64]

#: Points of clouds that a drawing shows; more make no drawing that CAD can open.
MAX_DRAWN = 100_000


class SectionPlane(BaseModel):
    """A plane through a point; the normal need not have length 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    point: Point3
    normal: tuple[float, float, float]


class SectionParams(Params):
    """What `measure.section` can be asked: a line on the map, or a plane in space."""

    line: Annotated[
        Points,
        Field(
            title=N_("Line"),
            description=N_("The section stands upright on it, from its first to its last point."),
        ),
    ] = ()
    plane: Annotated[
        SectionPlane | None,
        Field(
            title=N_("Plane"),
            description=N_("Instead of a line: a point and a normal of the plane, any direction."),
        ),
    ] = None
    layers: Annotated[
        LayerRefs,
        Field(
            min_length=1,
            title=N_("Layers"),
            description=N_("Terrain, meshes, building models, footprints with heights, clouds."),
        ),
    ]
    width: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            title=N_("Slab width"),
            description=N_("Points of clouds this near, on both sides together, are part of it."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.5


@dataclass(frozen=True)
class Leg:
    """A plane with the stretch of it that counts: from 0 to `length` to the right."""

    plane: CutPlane
    begin: float
    length: float


@dataclass(frozen=True)
class Matter:
    """Snapshot: what has surfaces, what has points, and whose CRS it is."""

    solid: ObstacleLayers | None
    clouds: tuple[tuple[str, PointCloudData], ...]
    frame: Frame


@dataclass
class Found:
    """What was cut so far, in the order of legs and entities."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[tuple[dict[str, Any], Any]] = field(default_factory=list)
    areas: list[tuple[dict[str, Any], Any]] = field(default_factory=list)
    drawing: Drawing = field(default_factory=Drawing)
    leaky: int = 0


class Section(Analysis[SectionParams]):
    """Cut lines of surfaces, cut areas of closed bodies, points of clouds in a slab.

    The drawing has metres: to the right along the line, upwards the height above the vertical
    datum; of a plane it has the plane's own axes. Terrain is cut as the triangles between its cell
    centres. A body whose cut does not close has a length and no area.
    """

    id = "measure.section"
    version = "1"
    title = N_("Section")
    description = N_(
        "What a line or a plane cuts through: cut lines and areas of terrain, meshes and building "
        "models, points of clouds in a slab, as GeoPackage and as a DXF drawing."
    )
    Params = SectionParams

    def check(self, scene: Scene, params: SectionParams) -> list[Problem]:
        if (params.plane is None) == (not params.line):
            return [Problem("line", tr("Give either a line or a plane."))]
        if params.plane is not None:
            if not any(params.plane.normal):
                return [Problem("plane", tr("The normal of the plane has no length."))]
            return []
        if len(params.line) < 2 or all(p[:2] == params.line[0][:2] for p in params.line):
            return [Problem("line", tr("The line has no length."))]
        return []

    def layers(self, params: SectionParams) -> list[str]:
        return list(dict.fromkeys(params.layers))

    def prepare(self, scene: Scene, params: SectionParams) -> Matter:
        ids = self.layers(params)
        data = {n: standing(scene, scene[n]).data for n in ids}
        clouds = [(n, one) for n, one in data.items() if isinstance(one, PointCloudData)]
        solid = [n for n in ids if not isinstance(data[n], PointCloudData)]
        given = obstacle_layers(scene, solid) if solid else None
        return Matter(given, tuple(clouds), Frame.of(scene.georeference))

    def compute(self, inputs: Matter, params: SectionParams, feedback: Feedback) -> Result:
        legs = list(_legs(params, inputs.frame))
        found = Found()
        warnings: list[str] = []
        if inputs.solid is not None:
            around = _around(params) if params.line else None
            bodies = build_obstacles(inputs.solid, feedback.part(0, 0.4), around)
            warnings += bodies.warnings
            for n, leg in enumerate(legs):
                feedback.step(n, len(legs), tr("Cutting"))
                _cut_leg(bodies, leg, n, params, found)
        slabs = [_slab(cloud, legs, params, inputs.frame) for _, cloud in inputs.clouds]
        if not found.rows and not any(len(points) for points, _ in slabs):
            raise RefusedError(
                tr("The section cuts through none of the layers."),
                tr("Check the line or plane, and the layers."),
            )
        if found.leaky:
            warnings.append(
                tr("{n} cuts do not close: they have a length and no area.", n=found.leaky)
            )
        return _result(inputs, params, legs, found, slabs, warnings)


def _legs(params: SectionParams, frame: Frame) -> Iterator[Leg]:
    """Return the upright planes on a line, or the one plane; metres of the frame."""
    if params.plane is not None:
        point = frame.local(np.array(params.plane.point))
        yield Leg(CutPlane.through(point, np.array(params.plane.normal)), -math.inf, math.inf)
        return
    places = frame.local(np.array([(*p[:2], frame.origin[2]) for p in params.line]))[:, :2]
    begin = 0.0
    for start, end in pairwise(places):
        length = float(np.linalg.norm(end - start))
        if length > 0:
            yield Leg(CutPlane.upright(start, end), begin, length)
            begin += length


def _around(params: SectionParams) -> tuple[float, float, float, float]:
    places = np.array([p[:2] for p in params.line])
    low, high = places.min(axis=0), places.max(axis=0)
    # A little more: terrain is cut between cell centres.
    grow = 0.05 * float((high - low).max()) + 10.0
    return (
        float(low[0]) - grow,
        float(low[1]) - grow,
        float(high[0]) + grow,
        float(high[1]) + grow,
    )


def _beside(params: SectionParams, frame: Frame) -> tuple[float, float, float, float]:
    """Return the box of the slab along a line."""
    places = np.array([p[:2] for p in params.line])
    (west, south), (east, north) = places.min(axis=0), places.max(axis=0)
    grow = 0.51 * params.width / min(frame.scale[:2])
    return (west - grow, south - grow, east + grow, north + grow)


def _cut_leg(bodies: Obstacles, leg: Leg, number: int, params: SectionParams, found: Found) -> None:
    """Cut everything with one plane and keep what lies on its stretch."""
    import shapely

    segments, triangle = cut_triangles(bodies.corners, leg.plane)
    flat = leg.plane.flat(segments)
    upright = params.plane is None
    on = np.ones(len(flat), dtype=bool)
    if upright:
        on = (flat[:, :, 0].max(axis=1) >= 0) & (flat[:, :, 0].min(axis=1) <= leg.length)
    owner = bodies.owner[triangle]
    # Whole bodies close or not; only then are they cut off at the ends of the stretch.
    touched = np.isin(owner, np.unique(owner[on]))
    flat, owner = flat[touched], owner[touched]
    entities, mine = np.unique(owner, return_inverse=True)
    enclosed, closed = enclosed_areas(flat, mine, len(entities))
    height = bodies.frame.project_height(0.0) if upright else 0.0
    for n, entity in enumerate(entities.tolist()):
        lines = shapely.line_merge(shapely.multilinestrings(shapely.linestrings(flat[mine == n])))
        area = enclosed[n] if closed[n] else None
        if upright:
            low, high = flat[mine == n, :, 1].min() - 1, flat[mine == n, :, 1].max() + 1
            strip = shapely.box(0, low, leg.length, high)
            lines = shapely.intersection(lines, strip)
            area = None if area is None else shapely.intersection(area, strip)
        if lines.is_empty or lines.length == 0:
            continue
        found.leaky += int(not closed[n] and bodies.entities[entity].entity != "")
        _keep(bodies, leg, number, entity, lines, area, float(height), found)


def _keep(
    bodies: Obstacles,
    leg: Leg,
    number: int,
    entity: int,
    lines: Any,
    area: Any,
    height: float,
    found: Found,
) -> None:
    """Add one cut entity to table, layers and drawing."""
    import shapely

    ref = bodies.entities[entity]
    size = None if area is None or area.is_empty else float(area.area)
    spot = {"layer": ref.layer, "entity": ref.entity, "leg": number + 1}
    points = leg.plane.space(shapely.get_coordinates(lines))[:, 2]
    low, high = (float(v) for v in bodies.frame.project_height([points.min(), points.max()]))
    found.rows.append((*spot.values(), float(lines.length), size, low, high))

    def lifted(shape: Any) -> Any:
        def in_project(flat: FloatArray) -> FloatArray:
            return bodies.frame.project(leg.plane.space(flat[:, :2]))

        return shapely.transform(shapely.force_3d(shape), in_project, include_z=True)

    found.lines.append(({**spot, "length": float(lines.length)}, lifted(lines)))
    begin = leg.begin if math.isfinite(leg.begin) else 0.0
    shift = np.array([begin, height])
    for part in shapely.get_parts(lines):
        if part.geom_type == "LineString":
            found.drawing.lines.append((ref.layer, shapely.get_coordinates(part) + shift))
    if size is None:
        return
    found.areas.append(({**spot, "area": size}, lifted(area)))
    for ring in shapely.get_rings(shapely.get_parts(area)):
        outline = (f"{ref.layer} area", shapely.get_coordinates(ring)[:-1] + shift)
        found.drawing.outlines.append(outline)


def _slab(
    cloud: PointCloudData, legs: list[Leg], params: SectionParams, frame: Frame
) -> tuple[FloatArray, FloatArray]:
    """Return the points of a cloud in the slab, project CRS, and their places on the drawing."""
    points = cloud.within(_beside(params, frame)).points if params.line else cloud.points
    local = frame.local(points)
    chosen, places = [], []
    for leg in legs:
        aside = (local - leg.plane.origin) @ leg.plane.normal
        near = np.flatnonzero(np.abs(aside) <= params.width / 2)
        flat = leg.plane.flat(local[near])
        if params.plane is None:
            on = (flat[:, 0] >= 0) & (flat[:, 0] <= leg.length)
            near, flat = (
                near[on],
                flat[on] + np.array([leg.begin, float(frame.project_height(0.0))]),
            )
        chosen.append(near)
        places.append(flat)
    return points[np.concatenate(chosen)], np.concatenate(places)


def _result(
    inputs: Matter,
    params: SectionParams,
    legs: list[Leg],
    found: Found,
    slabs: list[tuple[FloatArray, FloatArray]],
    warnings: list[str],
) -> Result:
    import geopandas

    crs = inputs.frame.georeference.crs
    layers = {}
    for name, shapes in (("cut_lines", found.lines), ("cut_areas", found.areas)):
        if shapes:
            table = {key: [row[key] for row, _ in shapes] for key in shapes[0][0]}
            frame = geopandas.GeoDataFrame(table, geometry=[s for _, s in shapes], crs=crs)
            layers[name] = Layer(name, name, LayerKind.VECTOR, VectorData(frame, True), crs)
    count = 0
    for (layer_id, _), (points, places) in zip(inputs.clouds, slabs, strict=True):
        name = f"points_{layer_id}"
        layers[name] = Layer(name, name, LayerKind.POINTCLOUD, PointCloudData(points), crs)
        step = max(1, math.ceil(len(places) / MAX_DRAWN))
        if step > 1:
            text = tr("The drawing shows one in {n} points of “{id}”.", n=step, id=layer_id)
            warnings.append(text)
        found.drawing.points.append((layer_id, places[::step]))
        count += len(points)
    sizes = [row[4] for row in found.rows if row[4] is not None]
    length = sum(leg.length for leg in legs) if params.line else None
    units = {"length": "m", "area": "m²", "z_min": "m", "z_max": "m"}
    columns = ("layer", "entity", "leg", "length", "area", "z_min", "z_max")
    return Result(
        values={
            "area": Value(math.fsum(sizes), "m²"),
            "cut_length": Value(math.fsum(row[3] for row in found.rows), "m"),
            "line_length": Value(length, "m"),
            "cuts": Value(len(found.rows)),
            "points": Value(count),
        },
        tables={"cuts": Table(columns, tuple(found.rows), units)},
        layers=layers,
        figures={"section": _figure(found.drawing)},
        documents={"section.dxf": dxf_bytes(found.drawing)},
        warnings=warnings,
        points=tuple((p[0], p[1], p[2]) for p in params.line if len(p) == 3),
        headline="area",
    )


def _figure(drawing: Drawing) -> bytes:
    """Draw the section as the DXF has it, both axes at one scale."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        colors = figure_colors()
        layers = list(dict.fromkeys(name for name, _ in drawing.lines))
        for name, outline in drawing.outlines:
            number = layers.index(name.removesuffix(" area")) % len(colors["categorical"])
            axes.fill(*outline.T, color=colors["categorical"][number], alpha=0.3, linewidth=0)
        for name, points in drawing.points:
            axes.plot(*points.T, ".", markersize=1.0, color=colors["muted"], label=name)
        seen: set[str] = set()
        for name, line in drawing.lines:
            number = layers.index(name) % len(colors["categorical"])
            own = {} if name in seen else {"label": name}
            axes.plot(*line.T, color=colors["categorical"][number], linewidth=0.9, **own)
            seen.add(name)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(tr("Distance (m)"))
        axes.set_ylabel(tr("Height (m)"))
        axes.legend(loc="best", frameon=False)

    return draw_figure(paint, (8.0, 4.0))
