"""The sun's ways over a place through the year, and what hides them: the sun-path diagram."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    LIFT,
    N_,
    Analysis,
    Band,
    Feedback,
    LayerRefs,
    ObstacleLayers,
    Obstacles,
    Occluder,
    Params,
    Place,
    Point,
    Problem,
    Receivers,
    RefusedError,
    Result,
    Scene,
    Sky,
    SolarDay,
    Table,
    UserError,
    Value,
    build_obstacles,
    lit_periods,
    obstacle_layers,
    sky_of,
    solar_day,
    sun_positions,
    sun_tracks,
    tr,
    zone_of,
)
from plumbline_sunlight.analysis.clocks import clock, day_of
from plumbline_sunlight.analysis.fields import LetThroughRailings, ToldZone
from plumbline_sunlight.analysis.openings import BuildingNames
from plumbline_sunlight.analysis.path_figures import Path, fisheye, unrolled
from plumbline_sunlight.analysis.window_tables import Shaders

FloatArray = NDArray[np.float64]

#: Degrees between the azimuths of the silhouette.
STEP = 0.25

#: How far around the place terrain can stand in the way, metres.
REACH = 2000.0


class ShadowPathParams(Params):
    """What `sunlight.shadow_path` can be asked."""

    point: Annotated[
        Point,
        Field(title=N_("Place"), description=N_("Where the sun is looked for.")),
    ]
    obstacles: Annotated[
        LayerRefs,
        Field(min_length=1, title=N_("Obstacles"), description=N_("Layers that stand in the way.")),
    ]
    days: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            max_length=24,
            title=N_("Days"),
            description=N_("Dates, or standard days such as great_cold, with year."),
        ),
    ] = ("winter_solstice", "great_cold", "spring_equinox", "summer_solstice")
    year: Annotated[
        int, Field(ge=1, le=3000, title=N_("Year"), description=N_("Of the standard days."))
    ] = 2001
    height: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            title=N_("Height"),
            description=N_("Above the ground, where the place has no height of its own."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 1.5
    timezone: ToldZone = "+08:00"
    without: LetThroughRailings = ()


@dataclass(frozen=True)
class PathInputs:
    """Snapshot: the obstacles, and the place on earth."""

    layers: ObstacleLayers
    place: Place


@dataclass(frozen=True)
class Day:
    """A day at the place: the sun's way, and what of it reaches the place.

    Attributes
    ----------
    periods : tuple of (start, end)
        Lit periods, seconds of UTC.
    """

    name: str
    date: date
    sun: SolarDay
    path: Path
    periods: tuple[tuple[float, float], ...]

    @property
    def hours(self) -> float:
        """Hours of sun."""
        return sum(b - a for a, b in self.periods) / 3600.0

    @property
    def possible(self) -> float | None:
        """Hours from sunrise to sunset; None in polar day and night."""
        if self.sun.sunrise is None or self.sun.sunset is None:
            return None
        return float(self.sun.sunset - self.sun.sunrise) / 3600.0


class ShadowPath(Analysis[ShadowPathParams]):
    """Sun-path diagram of a place with the silhouettes of what stands around it.

    Silhouettes are exact in elevation, overhangs and bridges included, a quarter of a degree apart
    in azimuth. Hours of sun are those of `sunlight.hours` from sunrise to sunset: the sun's centre
    above the horizontal.
    """

    id = "sunlight.shadow_path"
    version = "1"
    title = N_("Sun path")
    description = N_(
        "Sun-path diagram of a place with the silhouettes of the obstacles, as fisheye and "
        "unrolled, the table of the silhouette, and the hours of sun on chosen days."
    )
    Params = ShadowPathParams

    def layers(self, params: ShadowPathParams) -> list[str]:
        return list(params.obstacles)

    def check(self, scene: Scene, params: ShadowPathParams) -> list[Problem]:
        problems = []
        try:
            zone = zone_of(params.timezone)
        except UserError as error:
            return [Problem("timezone", str(error))]
        for day in params.days:
            try:
                day_of(day, params.year, zone)
            except UserError as error:
                problems.append(Problem("days", str(error)))
        return problems

    def prepare(self, scene: Scene, params: ShadowPathParams) -> PathInputs:
        layers = obstacle_layers(scene, params.obstacles, without=params.without)
        place = Place.of(scene.georeference, *params.point[:2])
        return PathInputs(layers, place)

    def compute(self, inputs: PathInputs, params: ShadowPathParams, feedback: Feedback) -> Result:
        frame = inputs.layers.frame
        point = _point(inputs, params)
        eye = frame.local(np.array(point))
        low, high = frame.project(eye - REACH), frame.project(eye + REACH)
        around = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        obstacles = build_obstacles(inputs.layers, feedback.part(0.0, 0.3), around)
        sky = sky_of(obstacles.corners - eye, STEP, np.inf, feedback.part(0.3, 0.6))
        days = _days(inputs, params, obstacles, eye, feedback.part(0.6, 0.95))
        shaders = Shaders(obstacles, BuildingNames([one.layer for one in inputs.layers.layers]))
        turn = inputs.place.convergence
        paths = [(day.name, day.path) for day in days]
        labels = _labels(sky, obstacles, shaders)
        return Result(
            values={
                **{f"hours_{day.name}": Value(day.hours, "h") for day in days},
                "visible_share": Value(sky.visible_share, "", sky.visible_share_error),
                "sky_view_factor": Value(sky.view_factor, "", sky.view_factor_error),
            },
            tables={
                "silhouette": _silhouette(sky, obstacles, shaders, turn),
                "days": _day_table(days, params),
            },
            figures={
                "fisheye": fisheye(sky, labels, paths, turn),
                "unrolled": unrolled(sky, labels, paths, turn),
            },
            warnings=list(obstacles.warnings),
            points=(point,),
            headline=f"hours_{days[0].name}",
            provenance={"lods": obstacles.lods, "convergence": turn},
        )


def _point(inputs: PathInputs, params: ShadowPathParams) -> tuple[float, float, float]:
    """Return the place in the project CRS with its height."""
    if len(params.point) == 3:
        x, y, z = params.point
        return (x, y, z)
    x, y = params.point
    ground = float(inputs.layers.ground_heights(np.array([[x, y]]))[0])
    if not np.isfinite(ground):
        raise RefusedError(
            tr("A place without height needs terrain under it."), tr("Give z, or add terrain.")
        )
    return (x, y, (ground + params.height) / inputs.layers.frame.scale[2])


def _days(
    inputs: PathInputs,
    params: ShadowPathParams,
    obstacles: Obstacles,
    eye: FloatArray,
    feedback: Feedback,
) -> list[Day]:
    occluder = Occluder(obstacles.vertices, obstacles.triangles)
    # The engine lifts receivers off the ground that they lie on; this place lies on none.
    receivers = Receivers(eye[None] - (0.0, 0.0, LIFT))
    zone, place = zone_of(params.timezone), inputs.place
    found = []
    for n, name in enumerate(params.days):
        feedback.step(n, len(params.days), tr("Following the sun"))
        day = day_of(name, params.year, zone)
        sun = solar_day(day, place)
        if sun.polar == "night":
            found.append(Day(name, day, sun, Path.empty(), ()))
            continue
        track = sun_tracks(obstacles.frame, eye[None], Band(day, 0.0, 86_400.0, step=120.0))
        lit = lit_periods(occluder, receivers, track)
        first = sun.transit - 43_200.0 if sun.sunrise is None else sun.sunrise
        last = sun.transit + 43_200.0 if sun.sunset is None else sun.sunset
        positions = sun_positions(np.linspace(first, last, 241), place)
        path = Path(positions.azimuth_true, positions.elevation_true, positions.solar_time / 3600.0)
        found.append(Day(name, day, sun, path, tuple(lit.of(0))))
    return found


def _day_table(days: list[Day], params: ShadowPathParams) -> Table:
    zone = zone_of(params.timezone)
    rows = [
        (
            *(day.name, day.date.isoformat(), clock(day.sun.sunrise, zone)),
            *(clock(day.sun.transit, zone), clock(day.sun.sunset, zone)),
            *(day.possible, day.hours, len(day.periods)),
        )
        for day in days
    ]
    columns = ("day", "date", "sunrise", "transit", "sunset", "possible", "hours", "periods")
    return Table(columns, tuple(rows), {"possible": "h", "hours": "h"})


def _labels(sky: Sky, obstacles: Obstacles, shaders: Shaders) -> list[str]:
    """Return whose each covered interval is, by building or entity."""
    owners = obstacles.owner[sky.covered.nearest].tolist()
    known = {owner: shaders.label(owner) for owner in set(owners)}
    return [known[owner] for owner in owners]


def _silhouette(sky: Sky, obstacles: Obstacles, shaders: Shaders, turn: float) -> Table:
    """Return the covered elevations by azimuth, from true north on."""
    covered = sky.covered
    grid = sky.azimuths.degrees[covered.azimuth] % 360.0
    true = (grid + turn) % 360.0
    order = np.lexsort((covered.low, true))
    low, high = np.degrees(covered.low), np.degrees(covered.high)
    owner = obstacles.owner[covered.nearest]
    rows = []
    for n in order.tolist():
        who = int(owner[n])
        rows.append(
            (
                *(float(true[n]), float(grid[n]), float(low[n]), float(high[n])),
                *(shaders.layer(who), shaders.entity(who), shaders.building(who)),
            )
        )
    columns = ("azimuth_true", "azimuth_grid", "from", "to", "layer", "entity", "building")
    return Table(columns, tuple(rows), dict.fromkeys(columns[:4], "°"))
