"""`schemes.check`: the indicators of a scheme against a rule pack and the plan's own limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Problem,
    Result,
    Scene,
    SitePack,
    Table,
    UsageError,
    Value,
    load_pack,
    tr,
)
from plumbline_schemes.analysis.indicators import Given, IndicatorParams, Indicators

#: Limits that a plan states, by name: the indicator, its factor (shares are in %), and the side.
CONTROLS: dict[str, tuple[str, float, str]] = {
    "far_max": ("far", 1.0, "max"),
    "far_min": ("far", 1.0, "min"),
    "density_max": ("density", 100.0, "max"),
    "green_min": ("green_ratio", 100.0, "min"),
    "height_max": ("height_max", 1.0, "max"),
    "setback_min": ("setback_min", 1.0, "min"),
    "distance_min": ("distance_min", 1.0, "min"),
    "frontage_min": ("frontage_ratio", 100.0, "min"),
    "dwellings_max": ("dwellings", 1.0, "max"),
    "parking_min": ("parking", 1.0, "min"),
}
#: A value that misses its limit by less is rounding.
ROUNDING = 1e-9
PLAN = N_("the plan's own limit")


class CheckParams(IndicatorParams):
    """What `schemes.check` can be asked."""

    pack: Annotated[
        str,
        Field(
            title=N_("Rule pack"),
            description=N_("Id or file of a pack for sites; empty checks the plan's limits only."),
        ),
    ] = "gb50180-2018-site"
    zone: Annotated[
        Literal["I", "II", "III", "IV", "V", "VI", "VII"] | None,
        Field(
            title=N_("Climate zone"),
            description=N_("Building climate zone of the place, for the limits of the pack."),
        ),
    ] = None
    controls: Annotated[
        dict[str, float],
        Field(
            title=N_("Limits of the plan"),
            description=N_(
                "far_max, far_min, density_max (%), green_min (%), height_max, setback_min, "
                "distance_min, frontage_min (%), dwellings_max, parking_min; those that the scheme "
                "has as controls otherwise."
            ),
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it


@dataclass(frozen=True)
class Rule:
    """A limit of an indicator, with where it comes from."""

    name: str
    limit: float
    clause: str
    source: str
    verified: bool


@dataclass(frozen=True)
class Asked:
    """Snapshot: what the indicators need, the pack, and the plan's limits."""

    given: Given
    pack: SitePack | None
    controls: dict[str, float]


class Check(Analysis[CheckParams]):
    """Every limit with its value, verdict and margin; what has no value has no verdict.

    The mean number of storeys, by which a pack gives its limits, is floor area by footprint. A
    margin is positive where the limit is kept.
    """

    id = "schemes.check"
    version = "1"
    title = N_("Check")
    description = N_(
        "The indicators of a scheme against the limits of a rule pack and of the plan: value, "
        "limit, clause, verdict, margin and the building that decides."
    )
    Params = CheckParams

    def layers(self, params: CheckParams) -> list[str]:
        return Indicators().layers(params)

    def schemes(self, params: CheckParams) -> list[str]:
        return Indicators().schemes(params)

    def check(self, scene: Scene, params: CheckParams) -> list[Problem]:
        problems = Indicators().check(scene, params)
        if params.pack and params.zone is None:
            problems.append(Problem("zone", tr("Give the climate zone of the place.")))
        unknown = sorted(set(params.controls) - set(CONTROLS))
        if unknown:
            text = tr("“{name}” is no limit of a plan.", name=unknown[0][:80])
            problems.append(Problem("controls", text))
        if not params.pack and not _controls(scene, params):
            problems.append(Problem("controls", tr("Give a rule pack or limits of the plan.")))
        return problems

    def prepare(self, scene: Scene, params: CheckParams) -> Asked:
        pack = load_pack(params.pack, SitePack) if params.pack else None
        given = Indicators().prepare(scene, params)
        return Asked(given, pack, _controls(scene, params))

    def compute(self, inputs: Asked, params: CheckParams, feedback: Feedback) -> Result:
        result = Indicators().compute(inputs.given, params, feedback)
        rules, gap = _rules(inputs, params, result)
        rows = [_row(rule, result) for rule in rules]
        verdicts = [row[5] for row in rows]
        columns = ("rule", "indicator", "value", "side", "limit", "verdict", "margin", "clause",
                   "source", "verified", "place")  # fmt: skip
        result.tables["rules"] = Table(columns, tuple(rows))
        result.values |= {
            "passed": Value(verdicts.count("pass")),
            "failed": Value(verdicts.count("fail")),
            "unknown": Value(verdicts.count("unknown")),
        }
        result.headline = "failed"
        result.warnings += gap
        open_rules = sum(not rule.verified for rule in rules)
        if open_rules:
            text = tr("{n} limits were not compared with the text of the code.", n=open_rules)
            result.warnings.append(text)
        if inputs.pack is not None:
            result.provenance["rule_pack"] = {
                "id": inputs.pack.id,
                "version": inputs.pack.version,
                "sha256": inputs.pack.sha256,
            }
        return result


def _controls(scene: Scene, params: CheckParams) -> dict[str, float]:
    """Return the plan's limits: those that are given, else those of the scheme."""
    if params.controls:
        return dict(params.controls)
    scheme = next((s for s in scene.schemes if s.id == params.scheme), scene.active_scheme)
    stated: Mapping[str, Any] = {} if scheme is None else scheme.site.get("controls") or {}
    return {
        name: float(value)
        for name, value in stated.items()
        if name in CONTROLS and isinstance(value, int | float)
    }


def _rules(inputs: Asked, params: CheckParams, result: Result) -> tuple[list[Rule], list[str]]:
    """Return the limits, the pack's first, and a sentence for a pack that has none."""
    found: list[Rule] = []
    notes: list[str] = []
    floor, footprint = (result.values[n].value for n in ("floor_area", "footprint_area"))
    if inputs.pack is not None and params.zone is not None:
        if not isinstance(floor, float) or not isinstance(footprint, float):
            notes.append(tr("The mean number of storeys is unknown: the pack gives no limit."))
        else:
            try:
                one = inputs.pack.limit(params.zone, floor / footprint)
            except UsageError as error:
                notes.append(str(error))
            else:
                limits = {
                    "far_max": one.far[1], "density_max": one.density, "green_min": one.green,
                    "height_max": one.height,
                }  # fmt: skip
                found += [
                    Rule(name, limit, one.clause, one.source, one.verified)
                    for name, limit in limits.items()
                ]
    found += [Rule(n, limit, "", tr(PLAN), True) for n, limit in inputs.controls.items()]
    return found, notes


def _row(rule: Rule, result: Result) -> tuple[Any, ...]:
    indicator, factor, side = CONTROLS[rule.name]
    raw = result.values[indicator].value
    value = None if not isinstance(raw, int | float) else float(raw) * factor
    margin = None
    verdict = "unknown"
    if value is not None:
        margin = rule.limit - value if side == "max" else value - rule.limit
        verdict = "pass" if margin >= -ROUNDING * max(1.0, abs(rule.limit)) else "fail"
    return (
        rule.name, indicator, value, side, rule.limit, verdict, margin, rule.clause, rule.source,
        int(rule.verified), _place(indicator, result),
    )  # fmt: skip


def _place(indicator: str, result: Result) -> str:
    """Return the building, or the two, on which an indicator hangs; empty for those of the site."""
    if indicator == "height_max":
        return _extreme(result.tables["buildings"], "id", "height", max)
    if indicator == "setback_min":
        return _extreme(result.tables["setbacks"], "building", "distance", min)
    if indicator == "distance_min" and result.tables["distances"].rows:
        return "; ".join(result.tables["distances"].rows[0][:2])
    return ""


def _extreme(table: Table, name: str, column: str, pick: Any) -> str:
    place, number = table.columns.index(name), table.columns.index(column)
    rows: Sequence[tuple[Any, ...]] = [row for row in table.rows if row[number] is not None]
    return str(pick(rows, key=lambda row: row[number])[place]) if rows else ""
