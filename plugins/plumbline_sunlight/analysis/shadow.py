"""Where the sun shines at one instant, and the shadows of a day hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Frame,
    Layer,
    LayerKind,
    LayerStyle,
    ObstacleLayers,
    Obstacles,
    Occluder,
    Params,
    Place,
    Problem,
    RefusedError,
    Result,
    Scene,
    Table,
    UserError,
    Value,
    VectorData,
    build_obstacles,
    directions,
    obstacle_layers,
    solar_day,
    sun_positions,
    tr,
    zone_of,
    zones,
)
from plumbline_sunlight.analysis.clocks import clock, day_of, far_zone, instant_of, zone_problems
from plumbline_sunlight.analysis.fields import (
    LetThroughWindows,
    ObstacleRefs,
    Receivers,
    StatedZone,
)
from plumbline_sunlight.analysis.receivers import (
    Grid,
    Placed,
    place_receivers,
    receiver_problems,
    shading_layers,
)

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: Instants of one request.
MAX_TIMES = 300


class SunDirection(BaseModel):
    """A direction of the sun: degrees, azimuth clockwise from true or grid north."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    azimuth: float = Field(ge=-360, le=360)
    elevation: float = Field(gt=0, le=90)
    north: Literal["true", "grid"] = "true"


class ShadowParams(Params):
    """What `sunlight.shadow` can be asked."""

    time: Annotated[
        datetime | None,
        Field(
            title=N_("Time"),
            description=N_("With offset, e.g. 2001-01-20T10:00+08:00, or civil time of the zone."),
        ),
    ] = None
    sun: Annotated[
        SunDirection | None,
        Field(
            title=N_("Sun"),
            description=N_("Instead of a time: {azimuth, elevation, north: true or grid}."),
        ),
    ] = None
    day: Annotated[
        str | None,
        Field(
            title=N_("Day"),
            description=N_("Instead of a time: shadows of a day, a date or a standard day."),
        ),
    ] = None
    year: Annotated[
        int | None,
        Field(ge=1, le=3000, title=N_("Year"), description=N_("Year of a standard day.")),
    ] = None
    interval: Annotated[
        float,
        Field(
            ge=1,
            le=720,
            title=N_("Interval"),
            description=N_("Between the shadows of a day, by the civil clock."),
            json_schema_extra={"unit": "min"},
        ),
    ] = 60.0
    receivers: Receivers
    obstacles: ObstacleRefs = ()
    without: LetThroughWindows = ()
    timezone: StatedZone = "+08:00"


@dataclass(frozen=True)
class ShadowInputs:
    """Snapshot: what shades, what receives, and the instants; none where a direction is given."""

    obstacles: ObstacleLayers
    named: dict[str, Layer]
    times: tuple[float, ...]


class Shadow(Analysis[ShadowParams]):
    """Sunlit and shaded parts at an instant, or through a day."""

    id = "sunlight.shadow"
    version = "1"
    title = N_("Shadow")
    description = N_(
        "Where the sun shines on ground, facades and roofs at a time or from a direction, the "
        "outlines of the shadows, and the shadows of a day hour by hour."
    )
    Params = ShadowParams

    def layers(self, params: ShadowParams) -> list[str]:
        return list(dict.fromkeys([*params.receivers.layers, *params.obstacles]))

    def check(self, scene: Scene, params: ShadowParams) -> list[Problem]:
        problems = [*receiver_problems(scene, params.receivers), *zone_problems(params.timezone)]
        given = [n for n in ("time", "sun", "day") if getattr(params, n) is not None]
        if len(given) != 1:
            text = tr("Give one of time, sun and day.")
            problems.append(Problem(given[1] if given else "time", text))
        if params.day is not None and not problems:
            try:
                day_of(params.day, params.year, zone_of(params.timezone))
            except UserError as error:
                problems.append(Problem("day", str(error)))
            if 1440 / params.interval > MAX_TIMES:
                problems.append(Problem("interval", tr("The day has too many shadows.")))
        return problems

    def prepare(self, scene: Scene, params: ShadowParams) -> ShadowInputs:
        times: tuple[float, ...] = ()
        if params.sun is None:
            place = Place.of(scene.georeference, *scene.georeference.origin[:2])
            times = _times(params, place, zone_of(params.timezone))
        layers = shading_layers(scene, params.receivers, params.obstacles)
        named = {one: scene[one] for one in params.receivers.layers}
        return ShadowInputs(obstacle_layers(scene, layers, params.without), named, times)

    def compute(self, inputs: ShadowInputs, params: ShadowParams, feedback: Feedback) -> Result:
        obstacles = build_obstacles(inputs.obstacles, feedback.part(0.0, 0.2))
        occluder = Occluder(obstacles.vertices, obstacles.triangles)
        placed = place_receivers(
            params.receivers, inputs.obstacles, inputs.named, obstacles, occluder, feedback
        )
        moments = _moments(inputs, params, placed, obstacles.frame)
        lit = []
        for n, moment in enumerate(moments):
            feedback.step(n, len(moments), tr("Casting shadows"))
            lit.append(moment.lit(placed, occluder))
        return _result(params, placed, obstacles, moments, lit)


def _times(params: ShadowParams, place: Place, zone: tzinfo) -> tuple[float, ...]:
    """Return the instants of a request: one, or those of a day at which the sun is up."""
    if params.time is not None:
        return (instant_of(params.time, zone),)
    day = day_of(str(params.day), params.year, zone)
    start = instant_of(datetime(day.year, day.month, day.day), zone)
    times = start + np.arange(0.0, 86_400.0, params.interval * 60.0)
    times = times[sun_positions(times, place).elevation_true > 0]
    if len(times) == 0:
        night = solar_day(day, place).polar == "night"
        raise RefusedError(
            tr("The sun does not rise on {day}.", day=day.isoformat())
            if night
            else tr("The sun is not up at any of the times."),
            tr("Choose another day."),
        )
    return tuple(times.tolist())


@dataclass(frozen=True)
class Moment:
    """The sun at an instant: directions towards it for groups of receivers."""

    time: float | None
    azimuth_true: float | None
    azimuth_grid: float
    elevation: float
    groups: tuple[tuple[NDArray[np.intp], FloatArray], ...]

    def lit(self, placed: Placed, occluder: Occluder) -> BoolArray:
        """Return which receivers are lit."""
        lit = np.zeros(len(placed.receivers), dtype=np.bool_)
        origins = placed.receivers.origins
        for rows, direction in self.groups:
            rays = np.broadcast_to(direction, (len(rows), 3))
            faces = placed.receivers.facing(rows, rays)
            ask = rows[faces]
            lit[ask] = ~occluder.blocked(origins[ask], rays[faces])
        return lit


def _moments(
    inputs: ShadowInputs, params: ShadowParams, placed: Placed, frame: Frame
) -> list[Moment]:
    points = placed.receivers.points
    if params.sun is not None and params.sun.north == "grid":
        ray = directions(params.sun.azimuth, params.sun.elevation)
        everyone = np.arange(len(points))
        azimuth = params.sun.azimuth % 360
        return [Moment(None, None, azimuth, params.sun.elevation, ((everyone, ray),))]
    squares = list(zones(frame, points))
    # What is told of the sun is that of the first square; the numbers are those of each.
    if params.sun is not None:
        given = params.sun
        groups = tuple(
            (rows, directions(given.azimuth - place.convergence, given.elevation))
            for rows, place in squares
        )
        grid = (given.azimuth - squares[0][1].convergence) % 360
        return [Moment(None, given.azimuth % 360, grid, given.elevation, groups)]
    many = np.array(inputs.times)
    suns = [(rows, sun_positions(many, place)) for rows, place in squares]
    first = suns[0][1]
    if first.elevation_true.max() <= 0:
        raise RefusedError(
            tr("The sun is below the horizon at this time."), tr("Choose another time.")
        )
    return [
        Moment(
            time,
            float(first.azimuth_true[n]),
            float(first.azimuth_grid[n]),
            float(first.elevation_true[n]),
            tuple((rows, sun.directions[n]) for rows, sun in suns),
        )
        for n, time in enumerate(inputs.times)
        if first.elevation_true[n] > 0
    ]


# -- what comes out --------------------------------------------------------------------------


def _result(
    params: ShadowParams,
    placed: Placed,
    obstacles: Obstacles,
    moments: list[Moment],
    lit: list[BoolArray],
) -> Result:
    zone = zone_of(params.timezone)
    shares = [float(np.average(one, weights=placed.weights)) for one in lit]
    one = moments[0]
    values = {"sunlit_share": Value(100 * float(np.mean(shares)), "%")}
    if len(moments) == 1:
        values |= {
            "sunlit_share": Value(100 * shares[0], "%"),
            "azimuth_true": Value(one.azimuth_true, "°"),
            "azimuth_grid": Value(one.azimuth_grid, "°"),
            "elevation": Value(one.elevation, "°"),
        }
    if not placed.names:
        values["area"] = Value(float(placed.weights.sum()), "m²")
    warnings = [*placed.warnings, *obstacles.warnings]
    frame = obstacles.frame
    if one.time is not None:
        place = Place.of(frame.georeference, *frame.georeference.origin[:2])
        warnings += far_zone(place, zone, one.time)
    tables = {"hourly": _hourly(moments, shares, zone)}
    layers: dict[str, Layer] = {}
    if placed.names:
        tables["receivers"] = _points(placed, obstacles, moments, lit, zone)
    else:
        layers["sunlit"] = _sunlit(placed, obstacles, lit)
    if placed.grid is not None:
        shadows = _shadows(placed.grid, frame, moments, lit, zone)
        if shadows is not None:
            layers["shadows"] = shadows
    return Result(
        values=values,
        tables=tables,
        layers=layers,
        warnings=warnings,
        headline="sunlit_share",
        provenance={"lods": obstacles.lods},
    )


def _sunlit(placed: Placed, obstacles: Obstacles, lit: list[BoolArray]) -> Layer:
    """Return what is lit: yes or no at one instant, else the share of the instants."""
    if len(lit) == 1:
        title = tr("Sunlit")
        return placed.layer(obstacles, "sunlit", title, title, "", lit[0])
    title = tr("Share of the times that are sunlit")
    share = 100 * np.mean(np.array(lit), axis=0)
    return placed.layer(obstacles, "sunlit", title, title, "%", share)


def _hourly(moments: list[Moment], shares: list[float], zone: tzinfo) -> Table:
    rows = tuple(
        (clock(m.time, zone), m.azimuth_true, m.azimuth_grid, m.elevation, 100 * share)
        for m, share in zip(moments, shares, strict=True)
    )
    columns = ("time", "azimuth_true", "azimuth_grid", "elevation", "sunlit_share")
    return Table(columns, rows, dict.fromkeys(columns[1:4], "°") | {"sunlit_share": "%"})


def _points(
    placed: Placed, obstacles: Obstacles, moments: list[Moment], lit: list[BoolArray], zone: tzinfo
) -> Table:
    places = obstacles.frame.project(placed.receivers.points)
    rows = [
        (name, *map(float, places[n]), clock(moment.time, zone), int(one[n]))
        for moment, one in zip(moments, lit, strict=True)
        for n, name in enumerate(placed.names)
    ]
    return Table(("id", "x", "y", "z", "time", "sunlit"), tuple(rows))


def _shadows(
    grid: Grid, frame: Frame, moments: list[Moment], lit: list[BoolArray], zone: tzinfo
) -> Layer | None:
    """Return the outlines of the shadows along the cells, one feature for each instant."""
    import geopandas
    import rasterio
    import shapely
    from rasterio.features import shapes

    rows: list[dict[str, Any]] = []
    outlines = []
    for moment, one in zip(moments, lit, strict=True):
        dark = np.zeros(grid.shape, dtype=np.uint8)
        dark.ravel()[grid.inside[~one]] = 1
        parts = shapes(dark, mask=dark > 0, transform=rasterio.Affine(*grid.transform))
        outline = shapely.union_all([shapely.geometry.shape(part) for part, _ in parts])
        if outline.is_empty:
            continue
        outlines.append(outline)
        area = outline.area * frame.scale[0] * frame.scale[1]
        time = clock(moment.time, zone)
        rows.append({"time": time, "elevation": moment.elevation, "area": float(area)})
    if not rows:
        return None
    crs = frame.georeference.crs
    features = geopandas.GeoDataFrame(rows, geometry=outlines, crs=crs)
    features.index = features.index.astype(str)
    style = LayerStyle(color="#4a5568", attribute="elevation")
    return Layer("shadows", tr("Shadows"), LayerKind.VECTOR, VectorData(features), crs, style=style)
