"""What two schemes or two city models have different: buildings added, removed, changed, moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import shapely
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Frame,
    Layer,
    LayerKind,
    LayerStyle,
    Params,
    Problem,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    tr,
)
from plumbline_schemes.analysis.buildings import (
    Building,
    Stock,
    buildings,
    frame_of,
    hidden_in,
    scheme_layers,
    stock,
    to_project,
)

#: Name of the scene as it stands, with nothing hidden or added.
BASELINE = "baseline"
#: Share of their common ground from which two outlines are the same building.
OVERLAP = 0.5
#: Relative difference below which two numbers of attributes are one; files keep single precision.
SAME_NUMBER = 1e-6
#: Colour of each kind of change.
COLOURS = {"added": "#2e9e5b", "removed": "#d03a3a", "changed": "#e0912f", "unchanged": "#9aa5b1"}
COLUMNS = (
    "id", "change", "height_before", "height_after", "volume_before", "volume_after",
    "height_difference", "top_before", "top_after", "footprint_before", "footprint_after",
    "overlap", "moved", "differs", "attributes", "matched", "id_after", "layer_before",
    "layer_after",
)  # fmt: skip


class DiffParams(Params):
    """What `schemes.diff` can be asked."""

    a: Annotated[
        str,
        Field(
            min_length=1,
            title=N_("Before"),
            description=N_("A layer of buildings, a scheme, or “baseline”."),
            json_schema_extra={"widget": "layer"},
        ),
    ]
    b: Annotated[
        str,
        Field(
            min_length=1,
            title=N_("After"),
            description=N_("A layer of buildings, a scheme, or “baseline”."),
            json_schema_extra={"widget": "layer"},
        ),
    ]
    tolerance: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            title=N_("Tolerance"),
            description=N_("Heights, places and outlines that differ by less are the same."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.05


@dataclass(frozen=True)
class Sides:
    """Snapshot: the layers on both sides, and the metres around them."""

    frame: Frame
    a: tuple[Stock, ...]
    b: tuple[Stock, ...]


@dataclass(frozen=True)
class Pair:
    """A building before and after; None where there is none."""

    before: Building | None
    after: Building | None
    matched: str = ""


@dataclass(frozen=True)
class Change:
    """What a pair has different; `differs` are the quantities beyond the tolerance."""

    pair: Pair
    kind: str
    overlap: float | None
    moved: float | None
    differs: tuple[str, ...]
    attributes: tuple[str, ...]


class Diff(Analysis[DiffParams]):
    """Buildings paired by id, then by outline; what neither finds was added or removed.

    A pair has changed where height, volume, outline or place differ by more than the tolerance, or
    an attribute differs. A volume has changed where moving every face by the tolerance cannot
    explain it. Of two schemes, the layers that either adds or hides something of are compared.
    """

    id = "schemes.diff"
    version = "1"
    title = N_("Differences")
    description = N_(
        "Buildings added, removed, moved and changed (height, outline, volume, attributes) between "
        "two schemes or two city models, paired by id and by outline."
    )
    Params = DiffParams

    def layers(self, params: DiffParams) -> list[str]:
        return [one for one in dict.fromkeys((params.a, params.b)) if one != BASELINE]

    def schemes(self, params: DiffParams) -> list[str]:
        return [params.a, params.b]

    def check(self, scene: Scene, params: DiffParams) -> list[Problem]:
        if params.a == params.b:
            return [Problem("b", tr("Both sides are the same."))]
        known = {scheme.id for scheme in scene.schemes}
        plain = [s for s in (params.a, params.b) if s in scene and s not in known]
        if BASELINE in (params.a, params.b) and plain:
            return [Problem("b", tr("The baseline is compared with schemes, not with layers."))]
        return []

    def prepare(self, scene: Scene, params: DiffParams) -> Sides:
        known = {scheme.id: scheme for scheme in scene.schemes}
        chosen = [known[s] for s in (params.a, params.b) if s in known and s not in scene]
        touched = list(dict.fromkeys(i for s in chosen for i in scheme_layers(scene, s)))
        own = {i for s in scene.schemes for i in s.layers}

        def side(name: str) -> tuple[Stock, ...]:
            if name in scene:
                return (stock(scene, name),)
            scheme = known.get(name)
            there = [i for i in touched if i not in own or (scheme and i in scheme.layers)]
            return tuple(stock(scene, i, hidden_in(scheme, i) if scheme else ()) for i in there)

        a, b = side(params.a), side(params.b)
        return Sides(frame_of(scene, [one.layer.id for one in (*a, *b)]), a, b)

    def compute(self, inputs: Sides, params: DiffParams, feedback: Feedback) -> Result:
        before, other_a = buildings(inputs.a, inputs.frame, feedback.part(0, 0.4))
        after, other_b = buildings(inputs.b, inputs.frame, feedback.part(0.4, 0.8))
        feedback.step(0.8, 1, tr("Comparing {n} buildings", n=len(before) + len(after)))
        pairs = pair_up(before, after, params.tolerance)
        changes = [judge(pair, params.tolerance) for pair in pairs]
        warnings = []
        if other_a or other_b:
            text = tr("{n} entities are no buildings and are left out.", n=other_a + other_b)
            warnings.append(text)
        if not before or not after:
            warnings.append(tr("One side has no buildings."))
        return _result(changes, inputs.frame, warnings)


# -- pairs -----------------------------------------------------------------------------------


def pair_up(before: Sequence[Building], after: Sequence[Building], tolerance: float) -> list[Pair]:
    """Return pairs: the same layer and id, the same id, the same ground, the same shape nearby."""
    pairs: list[Pair] = []
    left, right = list(before), list(after)
    for key in (lambda x: (x.layer, x.id), lambda x: x.id):
        known = {key(building): building for building in right if building.id}
        twins = [(one, known[key(one)]) for one in left if one.id and key(one) in known]
        # An id that a side has in two layers tells nothing.
        unique = {key(one) for one, _ in twins if sum(key(o) == key(one) for o, _ in twins) == 1}
        twins = [(one, two) for one, two in twins if key(one) in unique]
        pairs += [Pair(one, two, "id") for one, two in twins]
        left, right = _rest(left, right, twins)
    for find in (_on_common_ground, _of_one_shape):
        twins = find(left, right, tolerance)
        pairs += [Pair(one, two, "geometry") for one, two in twins]
        left, right = _rest(left, right, twins)
    pairs += [Pair(one, None) for one in left]
    order = {id(building): n for n, building in enumerate(before)}
    pairs.sort(key=lambda pair: order[id(pair.before)])
    return [*pairs, *(Pair(None, two) for two in right)]


Twins = list[tuple[Building, Building]]


def _rest(
    left: Sequence[Building], right: Sequence[Building], twins: Twins
) -> tuple[list[Building], list[Building]]:
    gone = {id(one) for pair in twins for one in pair}
    return [x for x in left if id(x) not in gone], [x for x in right if id(x) not in gone]


def overlap(one: Building, two: Building) -> float:
    """Return the common ground of two buildings as a share of what both cover."""
    common = float(shapely.intersection(one.footprint, two.footprint).area)
    return float(min(common / (one.footprint.area + two.footprint.area - common), 1.0))


def _on_common_ground(
    left: Sequence[Building], right: Sequence[Building], _tolerance: float
) -> Twins:
    """Return pairs whose outlines overlap by more than half, the most alike first."""
    if not left or not right:
        return []
    tree = shapely.STRtree([two.footprint for two in right])
    first, second = tree.query([one.footprint for one in left], predicate="intersects")
    shares = [(-overlap(left[i], right[j]), i, j) for i, j in zip(first, second, strict=True)]
    return _greedy(sorted(s for s in shares if -s[0] >= OVERLAP), left, right)


def _of_one_shape(left: Sequence[Building], right: Sequence[Building], tolerance: float) -> Twins:
    """Return pairs of one outline and height in two places no farther apart than they are long."""
    if not left or not right:
        return []
    tree = shapely.STRtree([two.footprint.centroid for two in right])
    long = [2 * shapely.minimum_bounding_radius(one.footprint) for one in left]
    centres = [one.footprint.centroid for one in left]
    found = []
    for i, j in tree.query(centres, predicate="dwithin", distance=long).T:
        one, two = left[i], right[j]
        if abs(one.height - two.height) <= tolerance and _unlike(one, two) <= tolerance:
            far = float(shapely.distance(centres[i], two.footprint.centroid))
            found.append((far, int(i), int(j)))
    return _greedy(sorted(found), left, right)


def _greedy(
    ranked: Sequence[tuple[float, int, int]], left: Sequence[Building], right: Sequence[Building]
) -> Twins:
    taken_left: set[int] = set()
    taken_right: set[int] = set()
    twins = []
    for _, i, j in ranked:
        if i not in taken_left and j not in taken_right:
            twins.append((left[i], right[j]))
            taken_left.add(i)
            taken_right.add(j)
    return twins


def _unlike(one: Building, two: Building) -> float:
    """Return how far apart two outlines are when their centroids lie on each other."""
    shapes = []
    for building in (one, two):
        at = building.footprint.centroid
        shapes.append(shapely.transform(building.footprint, lambda xy, p=at: xy - [p.x, p.y]))
    return float(shapely.hausdorff_distance(shapes[0].boundary, shapes[1].boundary))


# -- judging ---------------------------------------------------------------------------------


def judge(pair: Pair, tolerance: float) -> Change:
    """Return what a pair has different."""
    before, after = pair.before, pair.after
    if before is None or after is None:
        return Change(pair, "added" if before is None else "removed", None, None, (), ())
    moved = float(shapely.distance(before.footprint.centroid, after.footprint.centroid))
    reach = tolerance * (before.footprint.area + before.footprint.length * _known(before.height))
    checks = {
        "height": _differ(before.height, after.height, tolerance),
        "footprint": _unlike(before, after) > tolerance,
        "moved": moved > tolerance,
        "level": before.base is not None
        and after.base is not None
        and abs(before.base - after.base) > tolerance,
        "volume": _differ(before.volume, after.volume, reach),
    }
    attributes = tuple(
        key
        for key in dict.fromkeys((*before.attributes, *after.attributes))
        if not _same(before.attributes.get(key), after.attributes.get(key))
    )
    differs = tuple(name for name, wrong in checks.items() if wrong)
    kind = "changed" if differs or attributes else "unchanged"
    return Change(pair, kind, overlap(before, after), moved, differs, attributes)


def _known(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _differ(a: float, b: float, tolerance: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) != math.isnan(b)
    # Heights that differ by the tolerance itself, but for rounding, are the same.
    return abs(a - b) > tolerance + 1e-9 * max(abs(a), abs(b))


def _same(a: Any, b: Any) -> bool:
    numbers = [x for x in (a, b) if isinstance(x, int | float) and not isinstance(x, bool)]
    if len(numbers) == 2:
        both_unknown = all(math.isnan(x) for x in numbers)
        return both_unknown or math.isclose(*numbers, rel_tol=SAME_NUMBER)
    return bool(a == b)


# -- result ----------------------------------------------------------------------------------


def _result(changes: Sequence[Change], frame: Frame, warnings: list[str]) -> Result:
    counts = {kind: sum(c.kind == kind for c in changes) for kind in COLOURS}
    units = {
        **dict.fromkeys(("height_before", "height_after", "height_difference", "moved"), "m"),
        **dict.fromkeys(("top_before", "top_after"), "m"),
        **dict.fromkeys(("footprint_before", "footprint_after"), "m²"),
        **dict.fromkeys(("volume_before", "volume_after"), "m³"),
    }
    return Result(
        values={
            "added": Value(counts["added"]),
            "removed": Value(counts["removed"]),
            "changed": Value(counts["changed"]),
            "unchanged": Value(counts["unchanged"]),
            "moved": Value(sum("moved" in c.differs for c in changes)),
            "pairs": Value(counts["changed"] + counts["unchanged"]),
        },
        tables={"changes": Table(COLUMNS, tuple(_row(c, frame) for c in changes), units)},
        layers={} if not changes else {"changes": _layer(changes, frame)},
        warnings=warnings,
        headline="changed",
    )


def _row(change: Change, frame: Frame) -> tuple[Any, ...]:
    before, after = change.pair.before, change.pair.after
    heights = [None if x is None else _number(x.height) for x in (before, after)]
    tops = [
        None if x is None or x.top is None else _number(float(frame.project_height(x.top)))
        for x in (before, after)
    ]
    difference = None if None in heights else heights[1] - heights[0]  # type: ignore[operator]
    shown = before if before is not None else after
    assert shown is not None
    return (
        shown.id,
        change.kind,
        *heights,
        *(None if x is None else _number(x.volume) for x in (before, after)),
        difference,
        *tops,
        *(None if x is None else float(x.footprint.area) for x in (before, after)),
        change.overlap,
        change.moved,
        "; ".join(change.differs),
        "; ".join(change.attributes),
        change.pair.matched,
        "" if after is None else after.id,
        "" if before is None else before.layer,
        "" if after is None else after.layer,
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _layer(changes: Sequence[Change], frame: Frame) -> Layer:
    """Return the outlines of all buildings, coloured by what happened to them."""
    import geopandas

    shown = [c.pair.after or c.pair.before for c in changes]
    rows = {
        "id": [one.id for one in shown if one is not None],
        "change": [c.kind for c in changes],
        "height": [np.nan if one is None else one.height for one in shown],
        "height_difference": [
            np.nan
            if c.pair.before is None or c.pair.after is None
            else c.pair.after.height - c.pair.before.height
            for c in changes
        ],
        "base": [
            np.nan if one is None or one.base is None else float(frame.project_height(one.base))
            for one in shown
        ],
    }
    shapes = [to_project(one.footprint, frame) for one in shown if one is not None]
    crs = frame.georeference.crs
    features = geopandas.GeoDataFrame(rows, geometry=shapes, crs=crs)
    style = LayerStyle(
        extrude="height", base="base", color_by="attribute", attribute="change",
        class_colors=COLOURS, edges=True,
    )  # fmt: skip
    return Layer(
        "changes", tr("Differences"), LayerKind.VECTOR, VectorData(features), crs, style=style
    )
