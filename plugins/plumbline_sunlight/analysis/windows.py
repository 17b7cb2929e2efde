"""Verdicts on windows by a rule pack: lit periods, counted hours, margin, and who blocks when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Band,
    Feedback,
    LayerRefs,
    ObstacleLayers,
    Obstacles,
    Problem,
    RefusedError,
    Result,
    Scene,
    SunlightRule,
    Table,
    Value,
    build_obstacles,
    obstacle_layers,
    tr,
)
from plumbline_sunlight.analysis.fields import LetThroughRailings
from plumbline_sunlight.analysis.judging import (
    CLOSE,
    FAIL,
    PASS,
    UNKNOWN,
    WindowSun,
    judge,
)
from plumbline_sunlight.analysis.openings import (
    BuildingNames,
    Opening,
    WindowRefs,
    WindowSnapshot,
    openings,
    snapshot,
    window_layers,
    window_problems,
)
from plumbline_sunlight.analysis.packs import (
    PackParams,
    band_of,
    pack_problems,
    rule_of,
    rule_provenance,
    rule_warnings,
)
from plumbline_sunlight.analysis.roll_up import buildings, dwellings, share_verdict
from plumbline_sunlight.analysis.window_figures import day_figure
from plumbline_sunlight.analysis.window_tables import (
    DARK_COLUMNS,
    PERIOD_COLUMNS,
    ROLL_COLUMNS,
    WINDOW_COLUMNS,
    WINDOW_UNITS,
    Clockwork,
    Shaders,
    dark_rows,
    period_rows,
    roll_rows,
    window_layer,
    window_rows,
)


class WindowsParams(PackParams):
    """What `sunlight.windows` can be asked."""

    windows: Annotated[
        WindowRefs,
        Field(
            title=N_("Windows"),
            description=N_(
                "Building models (their IfcWindow elements), layers of points (with width and "
                "azimuth) or of facade lines, some of them by {layer, where}, or facade lines "
                "themselves: {line, width, bay, sill, storeys, storey_height}."
            ),
        ),
    ]
    obstacles: Annotated[
        LayerRefs,
        Field(
            title=N_("Obstacles"),
            description=N_(
                "Layers that stand in the way, the windows' own buildings too; the models that "
                "hold the windows otherwise."
            ),
        ),
    ] = ()
    without: LetThroughRailings = ("IfcWindow",)
    height_uncertainty: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            title=N_("Uncertainty of heights"),
            description=N_("How much higher or lower everything may stand; widens the margins."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.0


@dataclass(frozen=True)
class WindowInputs:
    """Snapshot of a request."""

    windows: WindowSnapshot
    obstacles: ObstacleLayers
    rule: SunlightRule
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """Windows with their sun, and what they were judged with."""

    windows: tuple[WindowSun, ...]
    obstacles: Obstacles
    buildings: BuildingNames
    band: Band
    rule: SunlightRule
    warnings: list[str] = field(default_factory=list)


class Windows(Analysis[WindowsParams]):
    """Sunlight on windows by a rule pack, with a verdict for each, and who stands in the way.

    A window counts as lit by the pack's window rule at the sill. Sills of building models lie at
    the lower edge of the window, on the face of the wall beside it; their outward direction is that
    from which more rays reach the sky (`outward` in the table, and `how` it was found).
    """

    id = "sunlight.windows"
    version = "1"
    title = N_("Sunlight on windows")
    description = N_(
        "Lit periods and counted hours of every window on the standard day of a rule pack, the "
        "verdict with its clause, the margin with its uncertainty, and who blocks the sun when; "
        "gathered by dwelling and by building."
    )
    Params = WindowsParams

    def layers(self, params: WindowsParams) -> list[str]:
        return list(dict.fromkeys([*window_layers(params.windows), *params.obstacles]))

    def check(self, scene: Scene, params: WindowsParams) -> list[Problem]:
        problems = [*pack_problems(params), *window_problems(scene, params.windows)]
        if not params.obstacles and not _models(scene, params):
            text = tr("Name the layers that stand in the way, the windows' own buildings too.")
            problems.append(Problem("obstacles", text))
        return problems

    def prepare(self, scene: Scene, params: WindowsParams) -> WindowInputs:
        named = params.obstacles or tuple(_models(scene, params))
        warnings = []
        if not params.obstacles:
            warnings.append(tr("No obstacles were named: only the windows' own models shade them."))
        return WindowInputs(
            snapshot(scene, params.windows, named),
            obstacle_layers(scene, named, without=params.without),
            rule_of(params),
            tuple(warnings),
        )

    def compute(self, inputs: WindowInputs, params: WindowsParams, feedback: Feedback) -> Result:
        judged = judged_windows(inputs, params, feedback.part(0.0, 0.95))
        return window_result(judged, params)


def _models(scene: Scene, params: WindowsParams) -> list[str]:
    """Return the building models among the layers that hold windows."""
    found = dict.fromkeys(window_layers(params.windows))
    return [one for one in found if one in scene and scene[one].counts.get("triangles")]


def judged_windows(inputs: WindowInputs, params: WindowsParams, feedback: Feedback) -> Judged:
    """Return the windows of a request with their sun."""
    rule = inputs.rule
    feedback.step(0, 1, tr("Reading windows"))
    given = openings(inputs.windows, rule.sill_height, feedback.part(0.0, 0.2))
    obstacles = build_obstacles(
        inputs.obstacles, feedback.part(0.2, 0.3), _around(given, inputs.windows)
    )
    band = band_of(rule, params)
    windows = judge(
        given, rule, band, obstacles, feedback.part(0.3, 1.0), params.height_uncertainty
    )
    layers = [one.layer for one in inputs.obstacles.layers]
    return Judged(
        windows,
        obstacles,
        BuildingNames(layers),
        band,
        rule,
        [*inputs.warnings, *rule_warnings(rule, params), *obstacles.warnings, *_warnings(windows)],
    )


#: How far around the windows terrain can stand in the way, metres.
REACH = 2000.0


def _around(given: Sequence[Opening], windows: WindowSnapshot) -> tuple[float, float, float, float]:
    points = np.array([one.middle for one in given])
    low = windows.frame.project(points.min(axis=0) - REACH)
    high = windows.frame.project(points.max(axis=0) + REACH)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _warnings(windows: Sequence[WindowSun]) -> list[str]:
    found = []
    if not any(one.opening.flat for one in windows):
        found.append(tr("Windows name no dwellings: each counts as a room by itself."))
    buried = [one.opening for one in windows if one.margin is None and one.opening.outward]
    if buried:
        found.append(
            tr(
                "{n} windows look into a building and have no verdict, e.g. “{id}”: check their "
                "place and azimuth.",
                n=len(buried),
                id=buried[0].id,
            )
        )
    unknown = [one.opening for one in windows if one.opening.outward is None]
    if not unknown:
        return found
    return [
        *found,
        tr(
            "{n} windows have no clear outside and no verdict, e.g. “{id}”: state their azimuth, "
            "or name the walls around them as obstacles.",
            n=len(unknown),
            id=unknown[0].id,
        ),
    ]


def window_result(judged: Judged, params: WindowsParams) -> Result:
    """Return the result of judged windows."""
    windows, rule = judged.windows, judged.rule
    frame = judged.obstacles.frame
    clock = Clockwork.of(frame, windows, params.timezone)
    shaders = Shaders(judged.obstacles, judged.buildings)
    homes, houses = dwellings(windows), buildings(windows, rule.share)
    counts = {v: sum(w.verdict == v for w in windows) for v in (PASS, FAIL, CLOSE, UNKNOWN)}
    known = [w for w in windows if w.margin is not None]
    if not known:
        raise RefusedError(
            tr("No window has a clear outside."),
            tr("State their azimuth, or name the walls around them as obstacles."),
        )
    worst = min(known, key=lambda w: (w.margin or 0.0, w.opening.id))
    values = {
        "windows": Value(len(windows)),
        "passed": Value(counts[PASS]),
        "failed": Value(counts[FAIL]),
        "too_close": Value(counts[CLOSE]),
        "unknown": Value(counts[UNKNOWN]),
        "verdict": Value(share_verdict(counts, rule.share)),
        "required": Value(rule.hours, "h"),
        "worst_hours": Value(worst.hours, "h", worst.uncertainty),
        "worst_margin": Value(worst.margin, "h", worst.uncertainty),
        "worst_window": Value(worst.opening.id),
        "buildings_failed": Value(sum(h.verdict == FAIL for h in houses)),
        "rule": Value(rule.name),
        "verified": Value(rule.verified),
        "day": Value(judged.band.day.isoformat()),
    }
    tables = {
        "windows": Table(WINDOW_COLUMNS, window_rows(windows, shaders, rule, frame), WINDOW_UNITS),
        "periods": Table(PERIOD_COLUMNS, period_rows(windows, clock), {"minutes": "min"}),
        "dark": Table(DARK_COLUMNS, dark_rows(windows, clock, shaders), {"minutes": "min"}),
        "buildings": Table(ROLL_COLUMNS, roll_rows(houses), {"hours": "h"}),
    }
    if homes:
        tables["dwellings"] = Table(ROLL_COLUMNS, roll_rows(homes), {"hours": "h"})
    return Result(
        values=values,
        tables=tables,
        layers={"windows": window_layer(windows, frame)},
        figures={"days": day_figure(windows, shaders, clock, rule, judged.band)},
        warnings=judged.warnings,
        headline="failed",
        provenance=rule_provenance(rule),
    )
