"""Rows and layers of windows: times in civil and in true solar time, blockers by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    Frame,
    Layer,
    LayerKind,
    LayerStyle,
    Obstacles,
    SunlightRule,
    VectorData,
    civil_time,
    sun_positions,
    tr,
    zone_of,
    zones,
)
from plumbline_sunlight.analysis.judging import WindowSun, cause_of
from plumbline_sunlight.analysis.openings import BuildingNames
from plumbline_sunlight.analysis.roll_up import RollUp

FloatArray = NDArray[np.float64]
Row = tuple[Any, ...]

WINDOW_COLUMNS = (
    *("id", "hours", "longest", "periods", "verdict", "margin", "uncertainty", "blockers"),
    *("clause", "verified", "layer", "name", "building", "storey", "flat"),
    *("x", "y", "z", "width", "outward", "how", "stretch"),
)
WINDOW_UNITS = {
    **dict.fromkeys(("hours", "longest", "margin", "uncertainty"), "h"),
    **dict.fromkeys(("width", "stretch"), "m"),
    "outward": "°",
}
PERIOD_COLUMNS = ("id", "start", "end", "solar_start", "solar_end", "minutes", "counted")
DARK_COLUMNS = (
    *("id", "start", "end", "solar_start", "solar_end", "minutes", "cause"),
    *("layer", "entity", "building", "name"),
)
ROLL_COLUMNS = (
    *("layer", "building", "storey", "flat", "verdict", "hours"),
    *("passed", "failed", "too_close", "unknown", "by"),
)


@dataclass(frozen=True)
class Clockwork:
    """Tells instants at a window in civil and in true solar time.

    Attributes
    ----------
    lead : (N,) float64
        Longitude of each window as seconds of time.
    times, equation : (N, 2) float64
        Two instants around the window's day and the equation of time at them, seconds. Between them
        it is linear to a twentieth of a second.
    """

    zone: tzinfo
    lead: FloatArray
    times: FloatArray
    equation: FloatArray

    @classmethod
    def of(cls, frame: Frame, windows: Sequence[WindowSun], zone: str) -> Clockwork:
        """Return the clocks of windows; `zone` is a time zone's name."""
        told = [(w.periods[0][0], w.periods[-1][1]) for w in windows if w.periods]
        told += [(w.dark[0].start, w.dark[-1].end) for w in windows if w.dark]
        first, last = min((a for a, _ in told), default=0.0), max((b for _, b in told), default=1.0)
        span = np.array([first, last])
        points = np.array([w.opening.middle for w in windows])
        lead, equation = np.zeros(len(windows)), np.zeros((len(windows), 2))
        for rows, place in zones(frame, points):
            lead[rows] = place.longitude * 240.0
            equation[rows] = sun_positions(span, place).equation_of_time * 60.0
        return cls(zone_of(zone), lead, np.broadcast_to(span, equation.shape), equation)

    def civil(self, instant: float) -> str:
        """Return ISO 8601 with offset, to the second."""
        return civil_time(instant, self.zone).isoformat()

    def solar_hours(self, window: int, instants: Sequence[float]) -> list[float]:
        """Return the true solar time at a window, decimal hours."""
        ahead = np.interp(instants, self.times[window], self.equation[window]) + self.lead[window]
        hours: list[float] = ((np.asarray(instants) + ahead) % 86_400 / 3600).tolist()
        return hours

    def solar(self, window: int, instants: Sequence[float]) -> list[str]:
        """Return the true solar time at a window, to the second."""
        return [_clock(hours * 3600) for hours in self.solar_hours(window, instants)]


def _clock(seconds: float) -> str:
    whole = round(seconds) % 86_400
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class Shaders:
    """Who stands in the way, by owner of a triangle."""

    def __init__(self, obstacles: Obstacles, buildings: BuildingNames) -> None:
        self._obstacles, self._buildings = obstacles, buildings

    def layer(self, owner: int) -> str:
        """Return the layer; empty where nothing stands in the way."""
        return "" if owner < 0 else self._obstacles.entities[owner].layer

    def entity(self, owner: int) -> str:
        """Return the entity."""
        return "" if owner < 0 else self._obstacles.entities[owner].entity

    def name(self, owner: int) -> str:
        """Return what people call the entity; layers have names that may change, so not those."""
        return self._obstacles.names[owner] if self.entity(owner) else ""

    def building(self, owner: int) -> str:
        """Return the building that the entity belongs to, where a model says so."""
        return self._buildings.of(self.layer(owner), self.entity(owner))

    def label(self, owner: int) -> str:
        """Return ``layer/building``, ``layer/entity``, ``own wall`` or ``low sun``."""
        if owner < 0:
            return cause_of(owner)
        part = self.building(owner) or self.entity(owner)
        return f"{self.layer(owner)}/{part}" if part else self.layer(owner)

    def minutes(self, window: WindowSun) -> list[tuple[str, float]]:
        """Return who keeps a window dark for how long, the longest first."""
        total: dict[str, float] = {}
        for dark in window.dark:
            label = self.label(dark.owner)
            total[label] = total.get(label, 0.0) + (dark.end - dark.start) / 60.0
        return sorted(total.items(), key=lambda one: (-one[1], one[0]))


def window_rows(
    windows: Sequence[WindowSun], shaders: Shaders, rule: SunlightRule, frame: Frame
) -> tuple[Row, ...]:
    """Return the rows of `WINDOW_COLUMNS`."""
    rows = []
    middles = frame.project(np.array([w.opening.middle for w in windows])).tolist()
    for one, (x, y, z) in zip(windows, middles, strict=True):
        o = one.opening
        known = one.margin is not None
        blockers = "; ".join(f"{name} {m:.1f} min" for name, m in shaders.minutes(one))
        rows.append(
            (
                *(o.id, one.hours, one.counted.longest / 3600.0 if known else None),
                *(sum(one.counted.counted) if known else None, one.verdict),
                *(one.margin, one.uncertainty, blockers, rule.clause, int(rule.verified)),
                *(o.layer, o.name, o.building, o.storey, o.flat),
                *(x, y, z, o.width, o.azimuth, o.how, one.offset),
            )
        )
    return tuple(rows)


def period_rows(windows: Sequence[WindowSun], clock: Clockwork) -> tuple[Row, ...]:
    """Return the rows of `PERIOD_COLUMNS`."""
    rows = []
    for n, one in enumerate(windows):
        solar = clock.solar(n, [t for period in one.periods for t in period])
        for k, (start, end) in enumerate(one.periods):
            told = (clock.civil(start), clock.civil(end), solar[2 * k], solar[2 * k + 1])
            counted = int(one.counted.counted[k])
            rows.append((one.opening.id, *told, (end - start) / 60.0, counted))
    return tuple(rows)


def dark_rows(windows: Sequence[WindowSun], clock: Clockwork, shaders: Shaders) -> tuple[Row, ...]:
    """Return the rows of `DARK_COLUMNS`."""
    rows = []
    for n, one in enumerate(windows):
        solar = clock.solar(n, [t for dark in one.dark for t in (dark.start, dark.end)])
        for k, dark in enumerate(one.dark):
            told = (clock.civil(dark.start), clock.civil(dark.end), solar[2 * k], solar[2 * k + 1])
            who = (
                *(cause_of(dark.owner), shaders.layer(dark.owner), shaders.entity(dark.owner)),
                *(shaders.building(dark.owner), shaders.name(dark.owner)),
            )
            rows.append((one.opening.id, *told, (dark.end - dark.start) / 60.0, *who))
    return tuple(rows)


def roll_rows(given: Sequence[RollUp]) -> tuple[Row, ...]:
    """Return the rows of `ROLL_COLUMNS`."""
    return tuple(
        (
            *(one.layer, one.building, one.storey, one.flat, one.verdict, one.hours),
            *(one.counts[v] for v in ("pass", "fail", "close", "unknown")),
            one.by,
        )
        for one in given
    )


def window_layer(windows: Sequence[WindowSun], frame: Frame) -> Layer:
    """Return the windows as points that carry their hours and verdict."""
    import geopandas
    import shapely

    middles: FloatArray = frame.project(np.array([w.opening.middle for w in windows]))
    numbers = {
        "hours": [w.hours for w in windows],
        "margin": [w.margin for w in windows],
        "uncertainty": [w.uncertainty for w in windows],
    }
    crs = frame.georeference.crs
    table = geopandas.GeoDataFrame(
        {
            "window": [w.opening.id for w in windows],
            "name": [w.opening.name for w in windows],
            "building": [w.opening.building for w in windows],
            "storey": [w.opening.storey for w in windows],
            "verdict": [w.verdict for w in windows],
            **{k: np.array([np.nan if v is None else v for v in c]) for k, c in numbers.items()},
        },
        geometry=shapely.points(middles),
        crs=crs,
    )
    colors = {"pass": "#2f9e62", "fail": "#d1472f", "close": "#d9a21b", "unknown": "#8fa3b8"}
    style = LayerStyle(
        color_by="attribute", attribute="verdict", class_colors=colors, point_size=6.0
    )
    return Layer(
        "windows", tr("Windows by verdict"), LayerKind.VECTOR, VectorData(table, True), crs,
        style=style,
    )  # fmt: skip
