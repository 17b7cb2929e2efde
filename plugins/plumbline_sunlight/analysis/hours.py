"""Hours of sun on a raster, on faces or at points through the band of a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    OWN_WALL,
    TOO_LOW,
    Analysis,
    Band,
    Feedback,
    Layer,
    LitPeriods,
    ObstacleLayers,
    Obstacles,
    Occluder,
    Place,
    Problem,
    Result,
    Scene,
    SunlightRule,
    Table,
    UserError,
    Value,
    build_obstacles,
    lit_periods,
    obstacle_layers,
    sun_tracks,
    tr,
    zone_of,
)
from plumbline_sunlight.analysis.clocks import Hour, clock, day_of, far_zone, zone_problems
from plumbline_sunlight.analysis.fields import LetThroughWindows, ObstacleRefs, Receivers
from plumbline_sunlight.analysis.packs import (
    PackParams,
    band_of,
    pack_problems,
    rule_of,
    rule_provenance,
    rule_warnings,
)
from plumbline_sunlight.analysis.receivers import (
    Placed,
    place_receivers,
    receiver_problems,
    shading_layers,
)

FloatArray = NDArray[np.float64]

#: How far around the receivers terrain can stand in the way, metres.
REACH = 2000.0

#: What a request with a pack must leave to the pack.
_OF_PACK = ("band_from", "band_to", "clock", "step", "least_elevation", "shortest", "longest_count")


class HoursParams(PackParams):
    """What `sunlight.hours` can be asked."""

    pack: Annotated[
        str | None,
        Field(
            title=N_("Rule pack"),
            description=N_("Says the band, the clock and what counts; or state them yourself."),
            json_schema_extra={"widget": "pack"},
        ),
    ] = None  # type: ignore[assignment]
    day: Annotated[
        str,
        Field(
            title=N_("Day"),
            description=N_(
                "Date, or great_cold, winter_solstice, spring_equinox, summer_solstice, "
                "autumn_equinox."
            ),
        ),
    ]
    receivers: Receivers
    obstacles: ObstacleRefs = ()
    without: LetThroughWindows = ()
    band_from: Annotated[
        Hour | None, Field(title=N_("From"), description=N_("Begin of the band; 8:00 otherwise."))
    ] = None
    band_to: Annotated[
        Hour | None, Field(title=N_("To"), description=N_("End of the band; 16:00 otherwise."))
    ] = None
    clock: Annotated[
        Literal["true_solar", "civil"] | None,
        Field(
            title=N_("Clock"),
            description=N_("Of the band: true_solar (the place's own), or civil of the time zone."),
        ),
    ] = None
    step: Annotated[
        float | None,
        Field(
            gt=0,
            le=60,
            title=N_("Step"),
            description=N_("Between looks at the sun; 1 min otherwise. Changes are pinned down."),
            json_schema_extra={"unit": "min"},
        ),
    ] = None
    least_elevation: Annotated[
        float | None,
        Field(
            ge=0,
            lt=90,
            title=N_("Least elevation"),
            description=N_("Of the sun, below which its light does not count; 0 otherwise."),
            json_schema_extra={"unit": "°"},
        ),
    ] = None
    shortest: Annotated[
        float | None,
        Field(
            ge=0,
            le=240,
            title=N_("Shortest period"),
            description=N_("That counts; 0 otherwise."),
            json_schema_extra={"unit": "min"},
        ),
    ] = None
    longest_count: Annotated[
        int | None,
        Field(
            ge=1,
            le=20,
            title=N_("Longest periods"),
            description=N_("Only so many of the longest add; all otherwise."),
        ),
    ] = None


@dataclass(frozen=True)
class HoursInputs:
    """Snapshot of a request."""

    obstacles: ObstacleLayers
    named: dict[str, Layer]
    band: Band
    shortest: float
    most: int | None
    rule: SunlightRule | None


class Hours(Analysis[HoursParams]):
    """Hours of sun through the band of a day.

    Light is that of the centre of the sun by its true elevation. It is looked for at every step,
    and every change is pinned down to less than ten seconds. Faces are lit on their outer side.
    """

    id = "sunlight.hours"
    version = "1"
    title = N_("Hours of sun")
    description = N_(
        "Hours of sun on ground, facades and roofs or at points on a day, the number and the "
        "longest of the periods, and at points each period and who stands in the way."
    )
    Params = HoursParams

    def layers(self, params: HoursParams) -> list[str]:
        return list(dict.fromkeys([*params.receivers.layers, *params.obstacles]))

    def check(self, scene: Scene, params: HoursParams) -> list[Problem]:
        problems = [*receiver_problems(scene, params.receivers), *zone_problems(params.timezone)]
        if params.pack is not None:
            problems += pack_problems(params)
            problems += [
                Problem(name, tr("The rule pack says this already: leave one of them out."))
                for name in _OF_PACK
                if getattr(params, name) is not None
            ]
        if problems:
            return problems
        try:
            day_of(params.day, params.year or _base_year(params), zone_of(params.timezone))
            _band(params)
        except UserError as error:
            field = "band_to" if (params.band_to or 16) <= (params.band_from or 8) else "day"
            problems.append(Problem(field, str(error)))
        return problems

    def prepare(self, scene: Scene, params: HoursParams) -> HoursInputs:
        # Refused before anything is read: without a place on earth there is no sun.
        Place.of(scene.georeference, *scene.georeference.origin[:2])
        rule = None if params.pack is None else rule_of(params)
        return HoursInputs(
            obstacle_layers(
                scene, shading_layers(scene, params.receivers, params.obstacles), params.without
            ),
            {one: scene[one] for one in params.receivers.layers},
            _band(params),
            60.0 * (params.shortest or 0.0) if rule is None else 60.0 * rule.shortest,
            params.longest_count if rule is None else rule.counted,
            rule,
        )

    def compute(self, inputs: HoursInputs, params: HoursParams, feedback: Feedback) -> Result:
        obstacles = build_obstacles(inputs.obstacles, feedback.part(0.0, 0.1))
        occluder = Occluder(obstacles.vertices, obstacles.triangles)
        placed = place_receivers(
            params.receivers, inputs.obstacles, inputs.named, obstacles, occluder, feedback
        )
        tracks = sun_tracks(obstacles.frame, placed.receivers.points, inputs.band)
        lit = lit_periods(
            occluder,
            placed.receivers,
            tracks,
            feedback.part(0.15, 0.95),
            owner=obstacles.owner if placed.names else None,
        )
        return _result(inputs, params, placed, obstacles, lit)


def _base_year(params: HoursParams) -> int | None:
    return None if params.pack is None else rule_of(params).base_year


def _band(params: HoursParams) -> Band:
    """Return the band of a request; raises `UsageError` where it is none."""
    if params.pack is not None:
        return band_of(rule_of(params), params)
    zone = zone_of(params.timezone)
    return Band(
        day_of(params.day, params.year, zone),
        3600.0 * (8.0 if params.band_from is None else params.band_from),
        3600.0 * (16.0 if params.band_to is None else params.band_to),
        params.clock or "true_solar",
        60.0 * (params.step or 1.0),
        params.least_elevation or 0.0,
        zone if params.clock == "civil" else UTC,
    )


# -- what comes out --------------------------------------------------------------------------


def _result(
    inputs: HoursInputs,
    params: HoursParams,
    placed: Placed,
    obstacles: Obstacles,
    lit: LitPeriods,
) -> Result:
    hours = lit.seconds(inputs.shortest, inputs.most) / 3600
    longest, count = lit.longest() / 3600, lit.count(inputs.shortest)
    zone = zone_of(params.timezone)
    frame = obstacles.frame
    x, y = frame.project(placed.receivers.points.mean(axis=0))[:2]
    place = Place.of(frame.georeference, float(x), float(y))
    band_hours = float((lit.band[:, 1] - lit.band[:, 0]).max() / 3600)
    first, last = float(lit.band[:, 0].min()), float(lit.band[:, 1].max())
    mean = float(np.average(hours, weights=placed.weights))
    values = {
        "hours_mean": Value(mean, "h"),
        "hours_min": Value(float(hours.min()), "h"),
        "hours_max": Value(float(hours.max()), "h"),
        "receivers": Value(len(hours)),
        "area": Value(None if placed.names else float(placed.weights.sum()), "m²"),
        "day": Value(inputs.band.day.isoformat()),
        "band_from": Value(clock(first, zone)),
        "band_to": Value(clock(last, zone)),
        "band_hours": Value(band_hours, "h"),
    }
    tables = {"distribution": _distribution(hours, placed.weights, bool(placed.names))}
    layers: dict[str, Layer] = {}
    if placed.names:
        tables |= _point_tables(placed, obstacles, lit, (hours, longest, count), zone)
    else:
        for name, title, unit, numbers in (
            ("hours", tr("Hours of sun"), "h", hours),
            ("longest", tr("Longest period of sun"), "h", longest),
            ("periods", tr("Periods of sun"), "", count.astype(np.float64)),
        ):
            layers[name] = placed.layer(obstacles, name, title, title, unit, numbers)
    warnings = [*placed.warnings, *obstacles.warnings, *far_zone(place, zone, first)]
    provenance: dict[str, Any] = {"lods": obstacles.lods, "rays": lit.rays}
    if inputs.rule is not None:
        warnings += rule_warnings(inputs.rule, params)
        provenance |= rule_provenance(inputs.rule)
    return Result(
        values=values,
        tables=tables,
        layers=layers,
        warnings=warnings,
        headline="hours_mean",
        provenance=provenance,
    )


def _distribution(hours: FloatArray, weights: FloatArray, points: bool) -> Table:
    """Return how much of the receivers gets at least so many hours."""
    total = float(weights.sum())
    rows = []
    for least in range(int(np.ceil(hours.max())) + 1):
        held = float(weights[hours >= least - 1e-9].sum())
        rows.append((least, held, 100 * held / total))
    what = "points" if points else "area"
    units = {"hours": "h", "share": "%"} | ({} if points else {"area": "m²"})
    return Table(("hours", what, "share"), tuple(rows), units)


def _point_tables(
    placed: Placed,
    obstacles: Obstacles,
    lit: LitPeriods,
    numbers: tuple[FloatArray, FloatArray, NDArray[np.intp]],
    zone: tzinfo,
) -> dict[str, Table]:
    """Return points, their lit periods, and their dark ones with who stands in the way."""
    hours, longest, count = numbers
    places = obstacles.frame.project(placed.receivers.points)
    points = [
        (name, *map(float, place), float(h), float(m), int(n))
        for name, place, h, m, n in zip(placed.names, places, hours, longest, count, strict=True)
    ]
    periods, dark = [], []
    assert lit.darkness is not None
    for n, name in enumerate(placed.names):
        for start, end in lit.of(n):
            periods.append((name, clock(start, zone), clock(end, zone), (end - start) / 60))
        part = slice(lit.darkness.offsets[n], lit.darkness.offsets[n + 1])
        for (start, end), owner in zip(
            lit.darkness.of(n), lit.darkness.owner[part].tolist(), strict=True
        ):
            who = _who(owner, obstacles)
            dark.append((name, clock(start, zone), clock(end, zone), (end - start) / 60, *who))
    minutes = {"minutes": "min"}
    return {
        "receivers": Table(
            ("id", "x", "y", "z", "hours", "longest", "periods"),
            tuple(points),
            {"hours": "h", "longest": "h"},
        ),
        "periods": Table(("id", "start", "end", "minutes"), tuple(periods), minutes),
        "dark": Table(
            ("id", "start", "end", "minutes", "cause", "layer", "entity"), tuple(dark), minutes
        ),
    }


def _who(owner: int, obstacles: Obstacles) -> tuple[str, str, str]:
    """Return the cause of a dark period, and the layer and entity that stand in the way."""
    if owner == OWN_WALL:
        return "own_wall", "", ""
    if owner == TOO_LOW:
        return "too_low", "", ""
    return "obstacle", obstacles.entities[owner].layer, obstacles.entities[owner].entity
