"""`schemes.conflicts`: where plans and schemes get into each other's way, and by how much.

What a plan layer means is said with it: its areas are kept free (protection areas, pipes with a
distance), or built within (red lines of a site, zones). Plan layers that are compared with each
other (`overlaps`) conflict where their areas overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Literal

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict, Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Frame,
    Layer,
    LayerKind,
    LayerRef,
    LayerStyle,
    Params,
    Problem,
    RefusedError,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    tr,
    where,
)
from plumbline_schemes.analysis.buildings import (
    Building,
    Stock,
    buildings,
    frame_of,
    stock,
    to_frame,
    to_project,
)

#: Areas (m²) and lengths (m) below which shapes only touch: far below any survey.
LEAST_AREA, LEAST_LENGTH = 1e-3, 1e-3
MAX_CONFLICTS = 200_000


class Plan(BaseModel):
    """A layer of a plan and what it asks of buildings.

    `keep_free`: buildings stay out of its areas and off its lines, by `distance`. `keep_within`:
    buildings stay inside its areas, by `distance`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: LayerRef
    rule: Literal["keep_free", "keep_within"] = "keep_free"
    distance: float = Field(0.0, ge=0, le=10_000)
    where: str = Field("", max_length=2000)


class ConflictParams(Params):
    """What `schemes.conflicts` can be asked."""

    plans: Annotated[
        tuple[Plan, ...],
        Field(
            min_length=1,
            max_length=100,
            title=N_("Plan layers"),
            description=N_(
                "List of {layer, rule, distance, where}: keep_free (zones, protection areas, pipes "
                "with a distance in m), or keep_within (red lines)."
            ),
            json_schema_extra={"widget": "json"},
        ),
    ]
    schemes: Annotated[
        tuple[str, ...],
        Field(
            max_length=100,
            title=N_("Schemes"),
            description=N_("Schemes whose added buildings are held against the plan layers."),
        ),
    ] = ()
    overlaps: Annotated[
        bool,
        Field(
            title=N_("Plans among each other"),
            description=N_("Also find where areas of different plan layers overlap."),
        ),
    ] = True


@dataclass(frozen=True)
class Part:
    """A feature of a plan layer, in metres of the frame."""

    plan: Plan
    id: str
    shape: Any
    low: float
    high: float


@dataclass(frozen=True)
class Given:
    """Snapshot: the features of plans, and the buildings that schemes add."""

    frame: Frame
    crs: Any
    plans: tuple[tuple[Part, ...], ...]
    schemes: dict[str, tuple[Stock, ...]]


@dataclass(frozen=True)
class Found:
    """A conflict: who with whom, what is wrong, and how much of it."""

    a: tuple[str, str, str]
    b: tuple[str, str]
    kind: str
    shape: Any
    area: float
    length: float
    short: float | None
    over: float | None


class Conflicts(Analysis[ConflictParams]):
    """Overlaps between plan layers, and between them and the buildings of schemes.

    Kinds: ``overlap`` (areas), ``crossing`` (a line under or through a footprint), ``too_near``
    (closer than the distance; `short` says by how much), ``outside`` (not within where it has to
    be). `over` is how far the ground floor lies above the line or area, where that has heights.
    """

    id = "schemes.conflicts"
    version = "1"
    title = N_("Conflicts")
    description = N_(
        "Where zones, red lines, protection areas and pipes of plans overlap each other and the "
        "buildings of schemes: what, where, how much."
    )
    Params = ConflictParams

    def layers(self, params: ConflictParams) -> list[str]:
        return list(dict.fromkeys(plan.layer for plan in params.plans))

    def schemes(self, params: ConflictParams) -> list[str]:
        return list(params.schemes)

    def check(self, scene: Scene, params: ConflictParams) -> list[Problem]:
        problems = []
        known = [scheme.id for scheme in scene.schemes]
        unknown = next((name for name in params.schemes if name not in known), None)
        if unknown is not None:
            text = tr("The project has no scheme “{id}”.", id=unknown[:80])
            problems.append(Problem("schemes", text))
        if not params.schemes and (len(params.plans) < 2 or not params.overlaps):
            text = tr("Give schemes, or two plan layers that are compared with each other.")
            problems.append(Problem("schemes", text))
        return problems

    def prepare(self, scene: Scene, params: ConflictParams) -> Given:
        added = {s.id: s.layers for s in scene.schemes if s.id in params.schemes}
        names = [*self.layers(params), *(name for layers in added.values() for name in layers)]
        frame = frame_of(scene, names)
        return Given(
            frame,
            scene.georeference.crs,
            tuple(tuple(_parts(scene, plan, frame)) for plan in params.plans),
            {
                scheme: tuple(stock(scene, name) for name in added[scheme])
                for scheme in params.schemes
            },
        )

    def compute(self, inputs: Given, params: ConflictParams, feedback: Feedback) -> Result:
        found: list[Found] = []
        for n, (scheme, stocks) in enumerate(inputs.schemes.items()):
            part = feedback.part(0.6 * n / len(inputs.schemes), 0.6 * (n + 1) / len(inputs.schemes))
            built, _ = buildings(stocks, inputs.frame, part)
            for parts in inputs.plans:
                found += _of_buildings(scheme, built, parts)
                _refuse_too_many(found)
        if params.overlaps:
            for a, b in combinations(inputs.plans, 2):
                feedback.step(0.6, 1)
                found += _of_plans(a, b)
                _refuse_too_many(found)
        return _result(inputs, found)


def _refuse_too_many(found: Sequence[Found]) -> None:
    if len(found) > MAX_CONFLICTS:
        raise RefusedError(
            tr("This makes more than {n:.0f} conflicts.", n=MAX_CONFLICTS),
            tr("Ask for fewer layers, or some of their features."),
        )


def _parts(scene: Scene, plan: Plan, frame: Frame) -> list[Part]:
    """Return the features of a plan layer on the map of the frame, with their heights."""
    layer = scene[plan.layer]
    if not isinstance(layer.data, VectorData):
        raise RefusedError(
            tr("“{name}” holds no lines.", name=layer.name), tr("Choose a layer of lines or areas.")
        )
    features = layer.data.features
    if plan.where:
        features = features.iloc[where(layer, plan.where)]
    found = []
    for label, shape in zip(features.index.astype(str), features.geometry, strict=True):
        if shape is None or shape.is_empty:
            continue
        low = high = math.nan
        if layer.data.has_z:
            z = shapely.get_coordinates(shape, include_z=True)[:, 2]
            z = (z[np.isfinite(z)] - frame.origin[2]) * frame.scale[2]
            low, high = (float(z.min()), float(z.max())) if len(z) else (low, high)
        flat = to_frame(shape, frame)
        found.append(
            Part(plan, label, flat if flat.is_valid else shapely.make_valid(flat), low, high)
        )
    return found


def _is_area(shape: Any) -> bool:
    return bool(shape.area > 0)


def _of_buildings(scheme: str, built: Sequence[Building], parts: Sequence[Part]) -> list[Found]:
    """Return how buildings of a scheme break what a plan layer asks."""
    if not parts or not built:
        return []
    plan = parts[0].plan
    if plan.rule == "keep_within":
        return _outside(scheme, built, parts)
    tree = shapely.STRtree([part.shape for part in parts])
    found = []
    for building in built:
        near = tree.query(building.footprint, predicate="dwithin", distance=plan.distance)
        for k in sorted(near.tolist()):
            one = _too_near(scheme, building, parts[k])
            if one is not None:
                found.append(one)
    return found


def _too_near(scheme: str, building: Building, part: Part) -> Found | None:
    common = shapely.intersection(building.footprint, part.shape)
    names = (scheme, building.layer, building.id), (part.plan.layer, part.id)
    over = None
    if building.base is not None and math.isfinite(part.high):
        over = building.base - part.high
    area, length = float(common.area), 0.0 if _is_area(part.shape) else float(common.length)
    if _is_area(part.shape) and area > LEAST_AREA:
        return Found(*names, "overlap", common, area, 0.0, part.plan.distance or None, over)
    if length > LEAST_LENGTH:
        return Found(*names, "crossing", common, 0.0, length, part.plan.distance or None, over)
    line = shapely.shortest_line(building.footprint, part.shape)
    short = part.plan.distance - float(line.length)
    if short <= LEAST_LENGTH:
        return None
    return Found(*names, "too_near", line, 0.0, 0.0, short, over)


def _outside(scheme: str, built: Sequence[Building], parts: Sequence[Part]) -> list[Found]:
    """Return buildings that are not inside the areas of a layer, with what lies outside."""
    plan = parts[0].plan
    within = shapely.union_all([part.shape for part in parts if _is_area(part.shape)])
    if plan.distance:
        within = within.buffer(-plan.distance)
    found = []
    for building in built:
        rest = shapely.difference(building.footprint, within)
        if rest.area > LEAST_AREA:
            names = (scheme, building.layer, building.id), (plan.layer, "")
            found.append(Found(*names, "outside", rest, float(rest.area), 0.0, None, None))
    return found


def _of_plans(a: Sequence[Part], b: Sequence[Part]) -> list[Found]:
    """Return where areas of one plan layer overlap areas of another."""
    first = [part for part in a if _is_area(part.shape)]
    second = [part for part in b if _is_area(part.shape)]
    if not first or not second:
        return []
    tree = shapely.STRtree([part.shape for part in second])
    left, right = tree.query([part.shape for part in first], predicate="intersects")
    found = []
    for i, k in sorted(zip(left.tolist(), right.tolist(), strict=True)):
        common = shapely.intersection(first[i].shape, second[k].shape)
        if common.area > LEAST_AREA:
            one, other = first[i], second[k]
            names = ("", one.plan.layer, one.id), (other.plan.layer, other.id)
            found.append(Found(*names, "overlap", common, float(common.area), 0.0, None, None))
    return found


def _result(inputs: Given, found: Sequence[Found]) -> Result:
    rows, shapes = [], []
    for one in found:
        shape = to_project(one.shape, inputs.frame)
        at = shapely.point_on_surface(shape)
        shapes.append(shape)
        rows.append(
            (*one.a, *one.b, one.kind, one.area, one.length, one.short, one.over, at.x, at.y)
        )
    columns = ("scheme", "layer", "id", "with_layer", "with_id", "kind", "area", "length", "short",
               "over", "x", "y")  # fmt: skip
    units = {"area": "m²", "length": "m", "short": "m", "over": "m"}
    pairs = sorted({(one.a[0], one.a[1], one.b[0], one.kind) for one in found})
    totals = []
    for pair in pairs:
        own = [one for one in found if (one.a[0], one.a[1], one.b[0], one.kind) == pair]
        area, length = math.fsum(o.area for o in own), math.fsum(o.length for o in own)
        totals.append((*pair, len(own), area, length))
    values = {
        "conflicts": Value(len(found)),
        "area": Value(math.fsum(one.area for one in found), "m²"),
        "length": Value(math.fsum(one.length for one in found), "m"),
    }
    for kind in ("overlap", "crossing", "too_near", "outside"):
        values[kind] = Value(sum(one.kind == kind for one in found))
    return Result(
        values=values,
        tables={
            "conflicts": Table(columns, tuple(rows), units),
            "totals": Table(
                ("scheme", "layer", "with_layer", "kind", "conflicts", "area", "length"),
                tuple(totals),
                {"area": "m²", "length": "m"},
            ),
        },
        layers={} if not found else {"conflicts": _layer(inputs, rows, columns, shapes)},
        headline="conflicts",
    )


def _layer(
    inputs: Given, rows: Sequence[tuple[Any, ...]], columns: Sequence[str], shapes: Sequence[Any]
) -> Layer:
    """Return what lies in conflict as a layer, with the columns of the table."""
    import geopandas

    frame = geopandas.GeoDataFrame(
        [dict(zip(columns, row, strict=True)) for row in rows], geometry=list(shapes),
        crs=inputs.crs,
    )  # fmt: skip
    style = LayerStyle(color="#c9463d")
    return Layer(
        "conflicts", tr("Conflicts"), LayerKind.RESULT, VectorData(frame), inputs.crs, style=style
    )
