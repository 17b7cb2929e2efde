"""The same sunlight under two schemes: what every window or cell gains or loses, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Params,
    Problem,
    Result,
    Scene,
    Table,
    Value,
    tr,
    validate,
)
from plumbline_sunlight.analysis.cells import CellSide, compared_cells
from plumbline_sunlight.analysis.compare_figures import change_figure
from plumbline_sunlight.analysis.hours import Hours
from plumbline_sunlight.analysis.judging import FAIL, PASS, WindowSun, judge
from plumbline_sunlight.analysis.packs import rule_provenance
from plumbline_sunlight.analysis.window_tables import Shaders
from plumbline_sunlight.analysis.windows import (
    Judged,
    WindowInputs,
    Windows,
    WindowsParams,
    judged_windows,
)

#: What can become of a window.
NEWLY_FAILING, NEWLY_PASSING = "newly failing", "newly passing"
IMPROVED, WORSENED, UNCHANGED = "improved", "worsened", "unchanged"
ADDED, REMOVED, UNDECIDED = "added", "removed", "unknown"

#: Buildings that are taken away one by one to see whom they make fail.
SUSPECTS = 12


class CompareParams(Params):
    """What `sunlight.compare` can be asked."""

    before: Annotated[
        str,
        Field(title=N_("Before"), description=N_("Id of a scheme; empty for the present state.")),
    ] = ""
    after: Annotated[
        str,
        Field(title=N_("After"), description=N_("Id of a scheme; empty for the present state.")),
    ]
    reference: Annotated[
        str | None,
        Field(
            title=N_("Reference"),
            description=N_(
                "Scheme that tells which windows fail anyway, empty for the present state; then "
                "both schemes are said to break the rule or to keep it."
            ),
        ),
    ] = None
    analysis: Annotated[
        Literal["sunlight.windows", "sunlight.hours"],
        Field(title=N_("Analysis"), description=N_("What is asked under each scheme.")),
    ] = "sunlight.windows"
    request: Annotated[
        dict[str, Any],
        Field(
            title=N_("Request"),
            description=N_(
                "Parameters of that analysis. Layers of other schemes are left out under each."
            ),
            json_schema_extra={"widget": "json"},
        ),
    ]


@dataclass(frozen=True)
class Side:
    """Snapshot of one scheme."""

    scheme: str
    inputs: WindowInputs
    params: WindowsParams


@dataclass(frozen=True)
class Sides:
    """Snapshot of all schemes of a request: before, after, and the reference where there is one."""

    windows: tuple[Side, ...] = ()
    cells: tuple[CellSide, ...] = ()


class Compare(Analysis[CompareParams]):
    """One sunlight request under two schemes.

    Windows are paired by layer and id. `newly failing` did not fail before and does now. A window
    has changed where its hours differ by more than the rule's tolerance.
    """

    id = "sunlight.compare"
    version = "1"
    title = N_("Compare sunlight")
    description = N_(
        "The same request under two schemes: before, after and change for every window or cell, "
        "which fail newly or improve, and which buildings do it."
    )
    Params = CompareParams

    def schemes(self, params: CompareParams) -> list[str]:
        return [s for s in _schemes(params) if s]

    def layers(self, params: CompareParams) -> list[str]:
        nested, _ = _nested(params)
        if nested is None:
            return []
        return _analysis(params).layers(nested)

    def check(self, scene: Scene, params: CompareParams) -> list[Problem]:
        nested, problems = _nested(params)
        known = {"", *(s.id for s in scene.schemes)}
        for field in ("before", "after", "reference"):
            if (getattr(params, field) or "") not in known:
                text = tr("The project has no scheme “{id}”.", id=getattr(params, field))
                problems.append(Problem(field, text))
        if params.reference is not None and params.analysis != "sunlight.windows":
            problems.append(Problem("reference", tr("Only windows have a reference.")))
        if params.before == params.after:
            problems.append(Problem("after", tr("Both sides are the same scheme.")))
        if nested is not None and not problems:
            found = _analysis(params).check(scene.under(params.after), nested)
            problems += [Problem("request", f"{p.field}: {p.message}") for p in found]
        return problems

    def prepare(self, scene: Scene, params: CompareParams) -> Sides:
        nested, _ = _nested(params)
        analysis = _analysis(params)
        windows, cells = [], []
        for scheme in _schemes(params):
            under = scene.under(scheme)
            own = _without_others(under, nested)
            snapshot = analysis.prepare(under, own)
            if isinstance(own, WindowsParams):
                windows.append(Side(scheme, snapshot, own))
            else:
                cells.append(CellSide(scheme, snapshot, own))
        return Sides(tuple(windows), tuple(cells))

    def compute(self, inputs: Sides, params: CompareParams, feedback: Feedback) -> Result:
        if inputs.cells:
            return compared_cells(inputs.cells, feedback)
        judged = []
        count = len(inputs.windows)
        for n, side in enumerate(inputs.windows):
            part = feedback.part(0.9 * n / count, 0.9 * (n + 1) / count)
            judged.append(judged_windows(side.inputs, side.params, part))
        return _compared(inputs.windows, judged, params, feedback.part(0.9, 1.0))


def _schemes(params: CompareParams) -> list[str]:
    named = [params.before, params.after]
    return named if params.reference is None else [*named, params.reference]


def _analysis(params: CompareParams) -> Analysis[Any]:
    return Windows() if params.analysis == "sunlight.windows" else Hours()


def _nested(params: CompareParams) -> tuple[Params | None, list[Problem]]:
    """Return the parameters of the request, or what is wrong with them."""
    valid, problems = validate(type(_analysis(params)).Params, params.request)
    return valid, [Problem("request", f"{p.field}: {p.message}") for p in problems]


def _without_others(scene: Scene, params: Any) -> Any:
    """Return parameters without the layers that belong to other schemes than the active one."""
    active = scene.active_scheme
    own = set() if active is None else set(active.layers)
    others = {layer for s in scene.schemes for layer in s.layers} - own
    changes: dict[str, Any] = {}
    for name in ("obstacles", "windows"):
        value = getattr(params, name, None)
        if isinstance(value, tuple):
            changes[name] = tuple(v for v in value if getattr(v, "layer", v) not in others)
    return params.model_copy(update=changes)


# -- windows -------------------------------------------------------------------------------------

COLUMNS = (
    *("id", "before", "after", "change", "status", "verdict_before", "verdict_after"),
    *("margin_after", "uncertainty", "layer", "name", "building", "storey", "flat"),
    *("blockers_after",),
)
UNITS = dict.fromkeys(("before", "after", "change", "margin_after", "uncertainty"), "h")
CULPRIT_COLUMNS = ("scheme", "blocker", "minutes", "windows", "saved")


@dataclass(frozen=True)
class Pair:
    """One window under both schemes; None where it is not there."""

    before: WindowSun | None
    after: WindowSun | None

    @property
    def either(self) -> WindowSun:
        """The window itself."""
        found = self.after or self.before
        assert found is not None
        return found

    def status(self, tolerance: float) -> str:
        """Return what became of it; `tolerance` in hours."""
        if self.before is None or self.after is None:
            return ADDED if self.before is None else REMOVED
        if self.before.hours is None or self.after.hours is None:
            return UNDECIDED
        if self.after.verdict == FAIL and self.before.verdict != FAIL:
            return NEWLY_FAILING
        if self.before.verdict == FAIL and self.after.verdict == PASS:
            return NEWLY_PASSING
        change = self.after.hours - self.before.hours
        if abs(change) <= tolerance:
            return UNCHANGED
        return IMPROVED if change > 0 else WORSENED


def pairs(before: Sequence[WindowSun], after: Sequence[WindowSun]) -> list[Pair]:
    """Return windows paired by layer and id, those of before first."""
    left, right = ({(w.opening.layer, w.opening.id): w for w in side} for side in (before, after))
    return [Pair(left.get(key), right.get(key)) for key in dict.fromkeys([*left, *right])]


def _compared(
    sides: Sequence[Side], judged: Sequence[Judged], params: CompareParams, feedback: Feedback
) -> Result:
    before, after = judged[0], judged[1]
    found = pairs(before.windows, after.windows)
    tolerance = after.rule.tolerance / 60.0
    status = [pair.status(tolerance) for pair in found]
    shaders = [Shaders(one.obstacles, one.buildings) for one in judged]
    values = {name.replace(" ", "_"): Value(status.count(name)) for name in _COUNTED}
    failing = {
        pair.either.opening.building
        for pair, one in zip(found, status, strict=True)
        if one == NEWLY_FAILING
    }
    values["windows"] = Value(len(found))
    values["buildings_newly_failing"] = Value(", ".join(sorted(failing)))
    base = judged[2] if len(judged) > 2 else before
    wanted = [1] if len(judged) < 3 else [0, 1]
    culprits: list[tuple[Any, ...]] = []
    for n in wanted:
        broken = newly_failing(base, judged[n])
        rows = suspects(base, judged[n], broken, feedback.part(n / 2, (n + 1) / 2))
        culprits += [(sides[n].scheme, *row) for row in rows]
        side = ("before", "after")[n]
        values[f"breaks_{side}"] = Value(len(broken))
        values[f"culprits_{side}"] = Value(", ".join(row[0] for row in _guilty(rows)))
    breaking = [sides[n].scheme for n in wanted if values[f"breaks_{('before', 'after')[n]}"].value]
    values["breaking_schemes"] = Value(", ".join(breaking))
    rows = [_row(p, s, shaders[1]) for p, s in zip(found, status, strict=True)]
    warnings = list(dict.fromkeys(w for one in judged for w in one.warnings))
    return Result(
        values=values,
        tables={
            "windows": Table(COLUMNS, tuple(rows), UNITS),
            "culprits": Table(CULPRIT_COLUMNS, tuple(culprits), {"minutes": "min"}),
        },
        figures={"change": change_figure(found, status, after.rule, params.before, params.after)},
        warnings=warnings,
        headline="newly_failing",
        provenance=rule_provenance(after.rule),
    )


_COUNTED = (NEWLY_FAILING, NEWLY_PASSING, IMPROVED, WORSENED, UNCHANGED, ADDED, REMOVED, UNDECIDED)


def _row(pair: Pair, status: str, shaders: Shaders) -> tuple[Any, ...]:
    o = pair.either.opening
    one, two = (None if w is None else w.hours for w in (pair.before, pair.after))
    change = None if one is None or two is None else two - one
    verdicts = ("" if w is None else w.verdict for w in (pair.before, pair.after))
    last = pair.after
    shade = [] if last is None else shaders.minutes(last)
    blockers = "; ".join(f"{name} {minutes:.1f} min" for name, minutes in shade)
    return (
        *(o.id, one, two, change, status, *verdicts),
        *(None if last is None else last.margin, None if last is None else last.uncertainty),
        *(o.layer, o.name, o.building, o.storey, o.flat, blockers),
    )


# -- who does it ---------------------------------------------------------------------------------


def newly_failing(base: Judged, judged: Judged) -> list[WindowSun]:
    """Return the windows that fail and do not fail in the base."""
    return [
        pair.after
        for pair in pairs(base.windows, judged.windows)
        if pair.after is not None
        and pair.after.verdict == FAIL
        and (pair.before is None or pair.before.verdict != FAIL)
    ]


def suspects(
    base: Judged,
    judged: Judged,
    broken: Sequence[WindowSun],
    feedback: Feedback,
) -> list[tuple[str, float, int, int]]:
    """Return who is new and shades windows that fail newly.

    Returns
    -------
    rows of (blocker, minutes, windows, saved)
        Minutes of shade on these windows, how many of them it shades, and how many of them would
        not fail without it; the heaviest first.
    """
    known = {*base.obstacles.entities}
    shaders = Shaders(judged.obstacles, judged.buildings)
    labels = [shaders.label(n) for n in range(len(judged.obstacles.entities))]
    new = {
        label
        for label, entity in zip(labels, judged.obstacles.entities, strict=True)
        if entity not in known
    }
    minutes: dict[str, float] = {}
    shaded: dict[str, int] = {}
    for window in broken:
        for label, length in shaders.minutes(window):
            if label in new:
                minutes[label] = minutes.get(label, 0.0) + length
                shaded[label] = shaded.get(label, 0) + 1
    leading = sorted(minutes, key=lambda label: (-minutes[label], label))[:SUSPECTS]
    rows = []
    for n, label in enumerate(leading):
        feedback.step(n, len(leading), tr("Taking “{name}” away", name=label))
        saved = _saved(judged, broken, labels, label)
        rows.append((label, minutes[label], shaded[label], saved))
    return rows


def _saved(
    judged: Judged,
    broken: Sequence[WindowSun],
    labels: Sequence[str],
    label: str,
) -> int:
    """Return how many windows would not fail without a building."""
    gone = np.array([one == label for one in labels])
    keep: NDArray[np.bool_] = ~gone[judged.obstacles.owner]
    without = replace(
        judged.obstacles,
        triangles=judged.obstacles.triangles[keep],
        owner=judged.obstacles.owner[keep],
    )
    again = judge([w.opening for w in broken], judged.rule, judged.band, without)
    return sum(w.verdict != FAIL for w in again)


def _guilty(rows: Sequence[tuple[str, float, int, int]]) -> list[tuple[str, float, int, int]]:
    """Return those whose absence alone would mend something; else all that shade."""
    return [row for row in rows if row[3]] or list(rows)
