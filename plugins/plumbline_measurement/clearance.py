"""Clearances: the smallest distances between things, as one number and as a table of pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Bodies,
    Entities,
    EntityRefs,
    Feedback,
    Georeference,
    Layer,
    MeshData,
    Params,
    PointCloudData,
    Problem,
    RefusedError,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    crs_units,
    entity_ids,
    nearest,
    tr,
    triangles_of_features,
)

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Pairs that are measured in one request.
MAX_PAIRS = 5_000_000


class ClearanceParams(Params):
    """What `measure.clearance` can be asked."""

    a: Annotated[
        EntityRefs,
        Field(
            title=N_("From"),
            description=N_("Layers, or entities of layers: every one of them is measured."),
        ),
    ]
    b: Annotated[
        EntityRefs,
        Field(title=N_("To"), description=N_("Layers, or entities of layers; may be the same.")),
    ]
    max_distance: Annotated[
        float | None,
        Field(
            ge=0,
            title=N_("Greatest distance"),
            description=N_("Pairs farther apart are left out; all pairs are measured otherwise."),
            json_schema_extra={"unit": "m"},
        ),
    ] = None


@dataclass(frozen=True)
class Thing:
    """One entity, or a whole layer that has none."""

    layer: str
    id: str
    name: str


@dataclass(frozen=True)
class Group:
    """The things on one side, with their triangles in the project CRS."""

    things: tuple[Thing, ...]
    corners: FloatArray
    owner: Indices


@dataclass(frozen=True)
class Sides:
    """Snapshot: both sides, and where coordinates lie."""

    georeference: Georeference
    a: Group
    b: Group
    empty: int


class Clearance(Analysis[ClearanceParams]):
    """Smallest distance between the surfaces of things, for every pair of them.

    The distance is between surfaces: a thing that lies wholly inside another has a distance to its
    walls. Things that touch or cross are 0 apart. A pair of a thing with itself is left out, and so
    is a pair that was there already the other way round.
    """

    id = "measure.clearance"
    version = "1"
    title = N_("Clearance")
    description = N_(
        "Smallest distance between layers or entities, with both points and its horizontal and "
        "vertical part; a table of all pairs, or of those nearer than a distance."
    )
    Params = ClearanceParams

    def layers(self, params: ClearanceParams) -> list[str]:
        return list(dict.fromkeys(one.layer for one in (*params.a, *params.b)))

    def check(self, scene: Scene, params: ClearanceParams) -> list[Problem]:
        problems = []
        for field, refs in (("a", params.a), ("b", params.b)):
            for ref in refs:
                known = set(entity_ids(scene[ref.layer])) if ref.entities else set()
                missing = [one for one in ref.entities if one not in known]
                if missing:
                    text = tr(
                        "“{name}” has no entity “{id}”.",
                        name=scene[ref.layer].name,
                        id=missing[0][:80],
                    )
                    problems.append(Problem(field, text))
        return problems

    def prepare(self, scene: Scene, params: ClearanceParams) -> Sides:
        if crs_units(scene.georeference.crs).horizontal is None:
            raise RefusedError(
                tr("The project CRS is in degrees: this needs metres."),
                tr("Set a projected project CRS, e.g. EPSG:4549."),
            )
        a, skipped_a = _group(scene, params.a)
        b, skipped_b = _group(scene, params.b)
        return Sides(scene.georeference, a, b, len(skipped_a | skipped_b))

    def compute(self, inputs: Sides, params: ClearanceParams, feedback: Feedback) -> Result:
        unit = crs_units(inputs.georeference.crs)
        assert unit.horizontal is not None
        scale = np.array([unit.horizontal, unit.horizontal, unit.vertical])
        origin = inputs.a.corners[0, 0]
        limit = math.inf if params.max_distance is None else params.max_distance
        feedback.step(0, 1, tr("Sorting the things"))
        one, two = (
            Bodies((side.corners - origin) * scale, side.owner, len(side.things))
            for side in (inputs.a, inputs.b)
        )
        pairs = _pairs(inputs, one, two, limit)
        feedback.step(0.2, 1, tr("Measuring {n} pairs", n=len(pairs)))
        found = nearest(one, two, pairs, limit, feedback)
        # By distance, then in the order of the things, so that a replay gives the same table.
        order = np.lexsort((pairs[:, 1], pairs[:, 0], found.distance))
        order = order[np.isfinite(found.distance[order])]
        on_a, on_b = found.a[order] / scale + origin, found.b[order] / scale + origin
        across = (found.b - found.a)[order]
        distance = found.distance[order]
        rows = _rows(inputs, pairs[order], distance, across, on_a, on_b)
        parts = (distance, np.hypot(across[:, 0], across[:, 1]), across[:, 2])
        least = [float(part[0]) if len(part) else None for part in parts]
        warnings = []
        if inputs.empty:
            warnings.append(tr("{n} entities have no geometry and are left out.", n=inputs.empty))
        if not rows:
            warnings.append(tr("No pair is that near."))
        return Result(
            values={
                "distance": Value(least[0], "m"),
                "horizontal": Value(least[1], "m"),
                "vertical": Value(least[2], "m"),
                "pairs": Value(len(rows)),
            },
            tables={"pairs": Table(COLUMNS, rows, dict.fromkeys(COLUMNS[6:9], "m"))},
            warnings=warnings,
            points=tuple((float(x), float(y), float(z)) for x, y, z in (*on_a[:1], *on_b[:1])),
            headline="distance",
        )


COLUMNS = (
    *("a", "b", "a_name", "b_name", "a_layer", "b_layer", "distance", "horizontal", "vertical"),
    *("a_x", "a_y", "a_z", "b_x", "b_y", "b_z"),
)


def _rows(
    inputs: Sides,
    pairs: Indices,
    distance: FloatArray,
    across: FloatArray,
    on_a: FloatArray,
    on_b: FloatArray,
) -> tuple[tuple[object, ...], ...]:
    """Return a row for each pair; the vertical part rises from a to b."""
    horizontal = np.hypot(across[:, 0], across[:, 1]).tolist()
    rows = []
    for n, (i, j) in enumerate(pairs.tolist()):
        a, b = inputs.a.things[i], inputs.b.things[j]
        parts = (float(distance[n]), horizontal[n], float(across[n, 2]))
        places = (*on_a[n].tolist(), *on_b[n].tolist())
        rows.append((a.id, b.id, a.name, b.name, a.layer, b.layer, *parts, *places))
    return tuple(rows)


def _pairs(inputs: Sides, one: Bodies, two: Bodies, limit: float) -> Indices:
    """Return the pairs to measure: each once, none of a thing with itself."""
    numbers: dict[tuple[str, str], int] = {}
    keys = [
        np.array([numbers.setdefault((t.layer, t.id), len(numbers)) for t in side.things])
        for side in (inputs.a, inputs.b)
    ]
    if math.isfinite(limit):
        pairs = _near(one, two, len(keys[0]), len(keys[1]), limit)
    else:
        _refuse_many(len(keys[0]) * len(keys[1]))
        pairs = np.indices((len(keys[0]), len(keys[1]))).reshape(2, -1).T
    first, second = keys[0][pairs[:, 0]], keys[1][pairs[:, 1]]
    low, high = np.minimum(first, second), np.maximum(first, second)
    _, once = np.unique(low * len(numbers) + high, return_index=True)
    chosen: Indices = pairs[once[low[once] != high[once]]]
    if len(chosen) == 0 and not math.isfinite(limit):
        raise RefusedError(
            tr("There is no pair of two different things."), tr("Choose other layers or entities.")
        )
    return chosen


def _near(one: Bodies, two: Bodies, count_one: int, count_two: int, limit: float) -> Indices:
    """Return the pairs whose boxes on the map are near enough."""
    import shapely

    reach = limit + 1e-6
    boxes = [
        shapely.box(*(low[:count, :2] - grow).T, *(high[:count, :2] + grow).T)
        for (low, high), count, grow in (
            (one.boxes, count_one, reach),
            (two.boxes, count_two, 0.0),
        )
    ]
    found = shapely.STRtree(boxes[1]).query(boxes[0])
    _refuse_many(found.shape[1])
    pairs: Indices = found.T.astype(np.intp)
    return pairs


def _refuse_many(count: int) -> None:
    if count > MAX_PAIRS:
        raise RefusedError(
            tr("These are {n:.0f} million pairs.", n=count / 1e6),
            tr("Give a smaller max_distance, or fewer entities."),
        )


# -- things ----------------------------------------------------------------------------------


def _group(scene: Scene, refs: Sequence[Entities]) -> tuple[Group, set[tuple[str, str]]]:
    """Return the things that are named, and those that have no geometry."""
    things: list[Thing] = []
    parts: list[FloatArray] = []
    owners: list[Indices] = []
    skipped: set[tuple[str, str]] = set()
    for ref in refs:
        layer = scene[ref.layer]
        corners, owner = _triangles(layer)
        entities = entity_ids(layer) or [""]
        wanted = set(ref.entities)
        full = np.bincount(owner[owner >= 0], minlength=len(entities)) > 0
        number = np.full(len(entities), -1)
        for n, entity in enumerate(entities):
            if wanted and entity not in wanted:
                continue
            if not full[n]:
                skipped.add((layer.id, entity))
                continue
            number[n] = len(things)
            things.append(Thing(layer.id, entity, _name(layer, n)))
        mine = np.where(owner >= 0, number[owner], -1)
        parts.append(corners[mine >= 0])
        owners.append(mine[mine >= 0])
    if not things:
        raise RefusedError(
            tr("The layers hold nothing that can be measured."),
            tr("Choose meshes, building models, clouds, or features with heights."),
        )
    return Group(tuple(things), np.concatenate(parts), np.concatenate(owners)), skipped


def _triangles(layer: Layer) -> tuple[FloatArray, Indices]:
    """Return the triangles of a layer and the entity of each; segments and points are some too."""
    data = layer.data
    if isinstance(data, MeshData):
        corners = data.vertices[data.triangles]
        owner = np.zeros(len(corners), dtype=np.intp)
        if data.elements:
            owner = np.full(len(corners), -1) if data.element_index is None else data.element_index
        return corners, owner.astype(np.intp)
    if isinstance(data, PointCloudData):
        corners = np.repeat(data.points[:, None], 3, axis=1)
        return corners, np.zeros(len(corners), dtype=np.intp)
    if isinstance(data, VectorData) and data.has_z:
        return triangles_of_features(data.features.geometry.to_numpy())
    raise RefusedError(
        tr("“{name}” has no shape in space.", name=layer.name),
        tr("Choose meshes, building models, clouds, or features with heights."),
    )


def _name(layer: Layer, n: int) -> str:
    if isinstance(layer.data, MeshData) and layer.data.elements:
        return layer.data.elements[n].name or layer.data.elements[n].cls
    # Not the layer's own name: that may change, and a replay must give the same table.
    return ""
