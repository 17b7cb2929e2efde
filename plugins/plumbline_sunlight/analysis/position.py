"""Where the sun stands at a place: azimuth, elevation, clocks, the day and the standard days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Annotated

import numpy as np
from pydantic import Field

from plumbline.api import (
    N_,
    STANDARD_DAYS,
    Analysis,
    Feedback,
    Georeference,
    Params,
    Place,
    Point,
    Problem,
    RefusedError,
    Result,
    Scene,
    SunPositions,
    Table,
    Value,
    civil_time,
    crs_units,
    instants_of_solar_time,
    solar_day,
    standard_day,
    sun_positions,
    tr,
    transformer,
    zone_of,
)
from plumbline_sunlight.analysis.clocks import (
    clock,
    far_zone,
    hour_text,
    instant_of,
    zone_problems,
)
from plumbline_sunlight.analysis.fields import StatedZone

#: Rows of a series.
MAX_ROWS = 100_000


class PositionParams(Params):
    """What `sunlight.position` can be asked."""

    time: Annotated[
        datetime,
        Field(
            title=N_("Time"),
            description=N_("With offset, e.g. 2001-01-20T10:00+08:00, or civil time of the zone."),
        ),
    ]
    until: Annotated[
        datetime | None,
        Field(title=N_("Until"), description=N_("Last time of a series; one time otherwise.")),
    ] = None
    step: Annotated[
        float,
        Field(
            gt=0,
            le=1440,
            title=N_("Step"),
            description=N_("Between the times of a series."),
            json_schema_extra={"unit": "min"},
        ),
    ] = 10.0
    latitude: Annotated[
        float | None,
        Field(
            ge=-90,
            le=90,
            title=N_("Latitude"),
            description=N_("North positive; with longitude, instead of a point."),
            json_schema_extra={"unit": "°"},
        ),
    ] = None
    longitude: Annotated[
        float | None,
        Field(
            ge=-180,
            le=180,
            title=N_("Longitude"),
            description=N_("East of Greenwich positive."),
            json_schema_extra={"unit": "°"},
        ),
    ] = None
    point: Annotated[
        Point | None,
        Field(
            title=N_("Point"),
            description=N_("Project CRS; the project's origin where no place is given."),
        ),
    ] = None
    timezone: StatedZone = "+08:00"


@dataclass(frozen=True)
class Somewhere:
    """Snapshot: the place, and whether it has a grid north."""

    place: Place
    grid: bool


class Position(Analysis[PositionParams]):
    """Position of the sun by NREL's algorithm, and what clocks and calendars make of it.

    `elevation_true` is geometric, `elevation_apparent` holds standard refraction; azimuths are
    clockwise from true and from grid north, ``azimuth_grid = azimuth_true - convergence``.
    """

    id = "sunlight.position"
    version = "1"
    title = N_("Position of the sun")
    description = N_(
        "Azimuth to true and to grid north, true and apparent elevation, equation of time, true "
        "solar time, sunrise, transit and sunset, and the standard days of the year."
    )
    Params = PositionParams

    def check(self, scene: Scene, params: PositionParams) -> list[Problem]:
        problems = zone_problems(params.timezone)
        if (params.latitude is None) != (params.longitude is None):
            field = "latitude" if params.latitude is None else "longitude"
            problems.append(Problem(field, tr("Latitude and longitude belong together.")))
        if params.latitude is not None and params.point is not None:
            problems.append(
                Problem("point", tr("Give a point, or latitude and longitude, not both."))
            )
        if problems or params.until is None:
            return problems
        zone = zone_of(params.timezone)
        length = instant_of(params.until, zone) - instant_of(params.time, zone)
        if length < 0:
            problems.append(Problem("until", tr("The series ends before it begins.")))
        elif length / (params.step * 60) > MAX_ROWS:
            problems.append(Problem("step", tr("The series has too many times.")))
        return problems

    def prepare(self, scene: Scene, params: PositionParams) -> Somewhere:
        georeference = scene.georeference
        if params.latitude is not None and params.longitude is not None:
            return _geographic(georeference, params.longitude, params.latitude)
        x, y = (params.point or georeference.origin)[:2]
        place = Place.of(georeference, x, y)
        return Somewhere(place, crs_units(georeference.crs).horizontal is not None)

    def compute(self, inputs: Somewhere, params: PositionParams, feedback: Feedback) -> Result:
        place, zone = inputs.place, zone_of(params.timezone)
        instant = instant_of(params.time, zone)
        sun = sun_positions(np.array([instant]), place)
        own = solar_date(sun)
        day = solar_day(own, place)
        year = civil_time(instant, zone).year
        values = {
            "azimuth_true": Value(float(sun.azimuth_true[0]), "°"),
            "azimuth_grid": Value(float(sun.azimuth_grid[0]) if inputs.grid else None, "°"),
            "elevation_true": Value(float(sun.elevation_true[0]), "°"),
            "elevation_apparent": Value(float(sun.elevation_apparent[0]), "°"),
            "equation_of_time": Value(float(sun.equation_of_time[0]), "min"),
            "true_solar_time": Value(float(sun.solar_time[0]) / 3600, "h"),
            "sunrise": Value(clock(day.sunrise, zone)),
            "transit": Value(clock(day.transit, zone)),
            "sunset": Value(clock(day.sunset, zone)),
            "day_length": Value(_length(day.sunrise, day.sunset, day.polar), "h"),
            "latitude": Value(place.latitude, "°"),
            "longitude": Value(place.longitude, "°"),
            "convergence": Value(place.convergence if inputs.grid else None, "°"),
        }
        tables = {"standard_days": _standard_days(year, place, zone)}
        if params.until is not None:
            count = int((instant_of(params.until, zone) - instant) / (params.step * 60) + 1e-9)
            times = instant + np.arange(count + 1) * params.step * 60
            tables["series"] = _series(sun_positions(times, place), inputs.grid, zone)
        warnings = far_zone(place, zone, instant)
        if not inputs.grid:
            warnings.append(tr("There is no grid here, so no azimuth from grid north."))
        if day.polar:
            polar = tr("polar day") if day.polar == "day" else tr("polar night")
            warnings.append(tr("The sun neither rises nor sets: {polar}.", polar=polar))
        return Result(values=values, tables=tables, warnings=warnings, headline="elevation_true")


def _geographic(georeference: Georeference, longitude: float, latitude: float) -> Somewhere:
    """Return a place by longitude and latitude, with the convergence of the project's grid."""
    crs = georeference.crs
    if crs is None or crs.geodetic_crs is None or crs_units(crs).horizontal is None:
        return Somewhere(Place(longitude, latitude), False)
    x, y = transformer(crs.geodetic_crs.to_2d(), crs).transform(longitude, latitude)[:2]
    try:
        convergence = georeference.convergence(x, y)
    except RefusedError:
        convergence = float("nan")
    grid = bool(np.isfinite(convergence))
    return Somewhere(Place(longitude, latitude, 0.0, convergence if grid else 0.0), grid)


def solar_date(sun: SunPositions) -> date:
    """Return the date of the place's own solar calendar at the first instant."""
    local = sun.times[0] + sun.place.longitude * 240 + sun.equation_of_time[0] * 60
    return date(1970, 1, 1) + timedelta(days=int(local // 86_400))


def _length(rise: float | None, sets: float | None, polar: str) -> float | None:
    if polar:
        return 24.0 if polar == "day" else 0.0
    return None if rise is None or sets is None else (sets - rise) / 3600


def _series(sun: SunPositions, grid: bool, zone: tzinfo) -> Table:
    """Return a row for each instant."""
    rows = zip(
        (clock(t, zone) for t in sun.times),
        sun.azimuth_true.tolist(),
        sun.azimuth_grid.tolist() if grid else [None] * len(sun.times),
        sun.elevation_true.tolist(),
        sun.elevation_apparent.tolist(),
        sun.equation_of_time.tolist(),
        (hour_text(s) for s in sun.solar_time),
        strict=True,
    )
    columns = ("time", "azimuth_true", "azimuth_grid", "elevation_true", "elevation_apparent")
    units = dict.fromkeys(columns[1:], "°") | {"equation_of_time": "min"}
    return Table((*columns, "equation_of_time", "true_solar_time"), tuple(rows), units)


def _standard_days(year: int, place: Place, zone: tzinfo) -> Table:
    """Return the standard days of a year with their sun at the place."""
    rows = []
    for name, (longitude, _) in STANDARD_DAYS.items():
        instant, day = standard_day(name, year, zone)
        sun = solar_day(day, place)
        noon = sun_positions(np.array([sun.transit]), place)
        eight = float(instants_of_solar_time(day, np.array([8 * 3600.0]), place)[0])
        rows.append(
            (
                name,
                longitude,
                clock(instant, zone),
                day.isoformat(),
                clock(sun.sunrise, zone),
                clock(sun.transit, zone),
                clock(sun.sunset, zone),
                float(noon.elevation_true[0]),
                clock(eight, zone),
            )
        )
    columns = ("day", "solar_longitude", "instant", "date", "sunrise", "transit", "sunset")
    return Table(
        (*columns, "noon_elevation", "true_solar_8h"),
        tuple(rows),
        {"solar_longitude": "°", "noon_elevation": "°"},
    )
