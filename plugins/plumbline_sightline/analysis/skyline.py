"""The skyline from a place, exact in each azimuth, alone or against that of another scheme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Azimuths,
    Feedback,
    Georeference,
    LayerRefs,
    ObstacleLayers,
    Obstacles,
    Params,
    Point,
    Problem,
    Result,
    Scene,
    Skyline,
    Table,
    Value,
    build_obstacles,
    curvature_drop,
    earth_radius,
    obstacle_layers,
    skyline,
    tr,
)
from plumbline_sightline.analysis.eyes import Eye, box_around, eye_at, north_at
from plumbline_sightline.analysis.fields import AzimuthFrom, AzimuthTo, Curvature, ObstacleRefs
from plumbline_sightline.analysis.skyline_figure import skyline_figure

FloatArray = NDArray[np.float64]

COLUMNS = ("azimuth", "elevation", "distance", "entity", "layer", "x", "y", "z")
UNITS = {"azimuth": "°", "elevation": "°", "distance": "m"}
#: Square degrees in a steradian.
SQUARE_DEGREES = (180.0 / np.pi) ** 2


class SkylineParams(Params):
    """What `sightline.skyline` can be asked."""

    viewpoint: Annotated[
        Point, Field(title=N_("Viewpoint"), description=N_("Where the skyline is seen from."))
    ]
    obstacles: ObstacleRefs
    azimuth_from: AzimuthFrom = 0.0
    azimuth_to: AzimuthTo = 360.0
    step: Annotated[
        float,
        Field(
            ge=0.001,
            le=0.1,
            title=N_("Step"),
            description=N_("Between azimuths; the elevation in each of them is exact."),
            json_schema_extra={"unit": "°"},
        ),
    ] = 0.1
    max_distance: Annotated[
        float | None,
        Field(
            gt=0,
            title=N_("Greatest distance"),
            description=N_("What is farther away is not seen; everything is otherwise."),
            json_schema_extra={"unit": "m"},
        ),
    ] = None
    observer_height: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            title=N_("Eye height"),
            description=N_("Above the ground, where the viewpoint has no height of its own."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 1.6
    compare: Annotated[
        LayerRefs | None,
        Field(
            min_length=1,
            title=N_("Obstacles to compare"),
            description=N_("A second skyline is laid over the first and the difference measured."),
        ),
    ] = None
    compare_scheme: Annotated[
        str | None,
        Field(
            title=N_("Scheme to compare"),
            description=N_("The scheme under which the second skyline is taken."),
        ),
    ] = None
    curvature: Curvature = False
    refraction: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            title=N_("Refraction"),
            description=N_("Coefficient of refraction, used with curvature."),
        ),
    ] = 0.13


@dataclass(frozen=True)
class View:
    """Snapshot: the obstacles, those to compare, and where they lie on the earth."""

    layers: ObstacleLayers
    compare: ObstacleLayers | None
    georeference: Georeference


@dataclass(frozen=True)
class Seen:
    """A skyline with what it is made of."""

    obstacles: Obstacles
    line: Skyline
    eye: Eye


class SkylineOf(Analysis[SkylineParams]):
    """Highest elevation in every azimuth of a range, with what stands there.

    In each azimuth the triangles are cut by the vertical half-plane on the viewpoint, so elevation
    is exact and never sampled. `difference_area` is the area between both skylines on the figure,
    degrees by degrees; `difference_solid_angle` is what it covers of the sphere.
    """

    id = "sightline.skyline"
    version = "1"
    title = N_("Skyline")
    description = N_(
        "Elevation, horizontal distance and entity of the skyline in every azimuth, with a figure; "
        "two sets of obstacles or two schemes overlaid, with the area of their difference."
    )
    Params = SkylineParams

    def layers(self, params: SkylineParams) -> list[str]:
        return list(dict.fromkeys([*params.obstacles, *(params.compare or ())]))

    def schemes(self, params: SkylineParams) -> list[str]:
        return [] if params.compare_scheme is None else [params.compare_scheme]

    def check(self, scene: Scene, params: SkylineParams) -> list[Problem]:
        problems = azimuth_problems(params.azimuth_from, params.azimuth_to)
        schemes = [scheme.id for scheme in scene.schemes]
        if params.compare_scheme and params.compare_scheme not in schemes:
            text = tr("The schemes are: {ids}.", ids=", ".join(schemes) or "–")
            problems.append(Problem("compare_scheme", text))
        return problems

    def prepare(self, scene: Scene, params: SkylineParams) -> View:
        compare = None
        if params.compare is not None or params.compare_scheme is not None:
            other = scene if params.compare_scheme is None else scene.under(params.compare_scheme)
            compare = obstacle_layers(other, params.compare or params.obstacles)
        return View(obstacle_layers(scene, params.obstacles), compare, scene.georeference)

    def compute(self, inputs: View, params: SkylineParams, feedback: Feedback) -> Result:
        turn, north = north_at(inputs.georeference, params.viewpoint)
        azimuths = steps(params.azimuth_from, params.azimuth_to, params.step)
        grid = Azimuths(azimuths.start - turn, azimuths.step, azimuths.count)
        share = 0.9 if inputs.compare is None else 0.45
        first = _seen(inputs, inputs.layers, params, grid, feedback.part(0.0, share))
        values = {**_values(first.line, azimuths), "north": Value(north)}
        tables = {"skyline": _table(first, azimuths, grid)}
        warnings = [*first.obstacles.warnings, *first.eye.warnings]
        lods: Any = first.obstacles.lods
        second = None
        if inputs.compare is not None:
            part = feedback.part(share, 0.9)
            second = _seen(inputs, inputs.compare, params, grid, part)
            values |= difference(first.line.elevation, second.line.elevation, azimuths)
            tables["skyline_compare"] = _table(second, azimuths, grid)
            news = [*second.obstacles.warnings, *second.eye.warnings]
            warnings += [text for text in news if text not in warnings]
            lods = {"skyline": lods, "skyline_compare": second.obstacles.lods}
        warnings += _gaps(first.line)
        figure = skyline_figure(
            azimuths, first.line, first.obstacles, None if second is None else second.line, north
        )
        return Result(
            values=values,
            tables=tables,
            figures={"skyline": figure},
            warnings=warnings,
            points=(first.eye.point,),
            headline="highest_elevation" if second is None else "difference_area",
            provenance={"lods": lods, "convergence": turn},
        )


def azimuth_problems(start: float, end: float) -> list[Problem]:
    """Return what is wrong with a range of azimuths; one through north is told, not refused."""
    if start == end:
        return [Problem("azimuth_to", tr("The range of azimuths is empty."))]
    if end - start > 360:
        return [Problem("azimuth_to", tr("The range of azimuths is more than a full circle."))]
    if end < start:
        text = tr(
            "The range runs clockwise from {start}° past north to {end}°: {width:.1f}°.",
            start=start,
            end=end,
            width=(end - start) % 360.0,
        )
        return [Problem("azimuth_to", text, "warning")]
    return []


def steps(start: float, end: float, step: float) -> Azimuths:
    """Return the azimuths of a range; the end comes too where a step falls on it.

    A full circle does not repeat its first azimuth.
    """
    width = end - start if end > start else (end - start) % 360.0
    count = int(np.floor(width / step + 1e-9)) + 1
    full = abs(width - 360.0) < 1e-9 and abs((count - 1) * step - 360.0) < 1e-6
    return Azimuths(start, step, count - 1 if full else count)


def _seen(
    inputs: View,
    layers: ObstacleLayers,
    params: SkylineParams,
    grid: Azimuths,
    feedback: Feedback,
) -> Seen:
    """Return the skyline of one set of obstacles."""
    box = box_around(layers, [params.viewpoint], params.max_distance)
    obstacles = build_obstacles(layers, feedback.part(0.0, 0.5), box)
    eye = eye_at(params.viewpoint, params.observer_height, layers, obstacles)
    corners = obstacles.corners - eye.place
    if params.curvature:
        radius = earth_radius(inputs.georeference, params.viewpoint[0], params.viewpoint[1])
        across = np.hypot(corners[..., 0], corners[..., 1])
        corners[..., 2] -= curvature_drop(across, radius, params.refraction)
    limit = np.inf if params.max_distance is None else params.max_distance
    return Seen(obstacles, skyline(corners, grid, limit, feedback.part(0.5, 1.0)), eye)


def _table(seen: Seen, azimuths: Azimuths, grid: Azimuths) -> Table:
    line, obstacles = seen.line, seen.obstacles
    angle = np.radians(grid.degrees)
    ahead = np.column_stack([np.sin(angle), np.cos(angle), np.tan(np.radians(line.elevation))])
    at = obstacles.frame.project(seen.eye.place + line.distance[:, None] * ahead)
    rows: list[tuple[Any, ...]] = []
    for n, azimuth in enumerate((azimuths.degrees % 360.0).tolist()):
        if line.triangle[n] < 0:
            rows.append((azimuth, None, None, "", "", None, None, None))
            continue
        entity = obstacles.entities[obstacles.owner[line.triangle[n]]]
        elevation, distance = float(line.elevation[n]), float(line.distance[n])
        rows.append((azimuth, elevation, distance, entity.entity, entity.layer, *at[n].tolist()))
    return Table(COLUMNS, tuple(rows), UNITS)


def _values(line: Skyline, azimuths: Azimuths) -> dict[str, Value]:
    if (line.triangle < 0).all():
        return {name: Value(None, "°") for name in ("highest_elevation", "highest_azimuth")}
    top = int(np.nanargmax(line.elevation))
    return {
        "highest_elevation": Value(float(line.elevation[top]), "°"),
        "highest_azimuth": Value(float(azimuths.degrees[top] % 360.0), "°"),
        "mean_elevation": Value(float(np.nanmean(line.elevation)), "°"),
    }


def difference(one: FloatArray, two: FloatArray, azimuths: Azimuths) -> dict[str, Value]:
    """Return the areas between two skylines; where one has nothing it is level.

    Trapezoids between azimuths; a full circle is closed.
    """
    one, two = np.nan_to_num(one, nan=0.0), np.nan_to_num(two, nan=0.0)
    closed = abs(azimuths.count * azimuths.step - 360.0) < 1e-6

    def total(gap: FloatArray) -> float:
        ends = 0.0 if closed else (gap[0] + gap[-1]) / 2
        return float((gap.sum() - ends) * azimuths.step)

    rise = two - one
    solid = np.abs(np.sin(np.radians(two)) - np.sin(np.radians(one)))
    return {
        "difference_area": Value(total(np.abs(rise)), "°²"),
        "raised_area": Value(total(np.maximum(rise, 0.0)), "°²"),
        "lowered_area": Value(total(np.maximum(-rise, 0.0)), "°²"),
        "difference_solid_angle": Value(total(solid) * np.pi / 180.0 * SQUARE_DEGREES, "°²"),
    }


def _gaps(line: Skyline) -> list[str]:
    empty = int((line.triangle < 0).sum())
    if not empty:
        return []
    share = 100 * empty / len(line.triangle)
    return [tr("Nothing stands in {share:.1f} % of the azimuths.", share=share)]
