"""`volume.demolition`: what comes down in an area, measured in its survey and not in the field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Bounds,
    EntityRefs,
    Feedback,
    Frame,
    LayerRef,
    MeshData,
    Params,
    PointCloudData,
    Problem,
    RefusedError,
    Region,
    Result,
    Scene,
    VectorData,
    region,
    tr,
)
from plumbline_volume.analysis.demolition_factors import factor_names, factors_with
from plumbline_volume.analysis.demolition_footprints import (
    Footprint,
    models_of,
    outlines_of,
    to_frame,
)
from plumbline_volume.analysis.demolition_ground import Ground, Method, ground_under
from plumbline_volume.analysis.demolition_objects import APART, Thing, find_things, split_leaves
from plumbline_volume.analysis.demolition_roofs import Measured, measure
from plumbline_volume.analysis.demolition_sheet import Finding, sheet
from plumbline_volume.analysis.demolition_skin import (
    GROUND,
    VEGETATION,
    Skin,
    Survey,
    places_in,
    skin_of,
    survey_of,
)
from plumbline_volume.analysis.trees import Tree, find_trees

FloatArray = NDArray[np.float64]

METHODS = ("class2", "ring_plane", "ring_tin", "ring_idw")
#: How far around the area the survey is looked at, metres.
AROUND = 30.0
#: Samples nearer to the ground are ground or grass, metres.
LOW = 0.5
#: Crowns reach into an area from no farther than this, metres.
CROWNS = 8.0
#: Share of a footprint in the area from which its building comes down.
MOSTLY = 0.5


class DemolitionParams(Params):
    """What `volume.demolition` can be asked."""

    surface: Annotated[
        LayerRef,
        Field(
            title=N_("Surface"),
            description=N_("The survey: a point cloud, a mesh, or a GeoTIFF of heights."),
        ),
    ]
    area: Annotated[
        Region | None,
        Field(
            title=N_("Area"),
            description=N_("What is cleared; all footprints that are given otherwise."),
        ),
    ] = None
    footprints: Annotated[
        EntityRefs | None,
        Field(
            title=N_("Footprints"),
            description=N_(
                "A layer of outlines, or some of them; without, buildings are found in the survey."
            ),
        ),
    ] = None
    ground: Annotated[
        str,
        Field(
            title=N_("Ground"),
            description=N_(
                "A terrain layer, class2 (ground points), ring_plane, ring_tin or ring_idw (lowest "
                "around each building); auto takes class2 where there is any, else ring_plane."
            ),
            json_schema_extra={"widget": "layer"},
        ),
    ] = "auto"
    models: Annotated[
        LayerRef | None,
        Field(
            title=N_("Models"),
            description=N_("Closed models of the buildings, for the third method."),
        ),
    ] = None
    factors: Annotated[
        dict[str, float],
        Field(
            title=N_("Factors"),
            description=N_(
                "Values that replace those of the file, by name, e.g. debris.砖木 or cost.demolish."
            ),
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    objects: Annotated[
        bool,
        Field(
            title=N_("Find walls, sheds and trees"),
            description=N_("Look for what is not on the map between the buildings."),
        ),
    ] = True


@dataclass(frozen=True)
class Given:
    """Snapshot: the survey, the area, what stands on it."""

    frame: Frame
    survey: Survey
    terrain: Survey | None
    method: Method | str
    area: Any
    footprints: tuple[Footprint, ...]
    models: dict[str, FloatArray]
    mapped: bool


class Demolition(Analysis[DemolitionParams]):
    """Buildings, sheds, walls and trees of an area, with volumes, materials and a budget.

    Each building's volume comes by three methods side by side; the first that there is counts:
    the surface over the ground, the model where the surface covers less than 60 %, the extruded
    footprint. The uncertainty of the total is half of the range of the totals by method.
    """

    id = "volume.demolition"
    version = "1"
    title = N_("Demolition")
    description = N_(
        "Every building of an area with heights, storeys, floor area and volume by three methods, "
        "sheds and walls that are on no map, trees, material, debris and budget."
    )
    Params = DemolitionParams

    def layers(self, params: DemolitionParams) -> list[str]:
        ids = [params.surface, *(ref.layer for ref in params.footprints or ())]
        ids += [params.models] if params.models else []
        ids += [params.ground] if params.ground not in ("auto", *METHODS) else []
        return list(dict.fromkeys(ids))

    def check(self, scene: Scene, params: DemolitionParams) -> list[Problem]:
        problems = []
        if params.area is None and params.footprints is None:
            problems.append(Problem("area", tr("Give an area or footprints.")))
        for name in sorted(set(params.factors) - set(factor_names())):
            text = tr("There is no factor “{name}”.", name=name[:80])
            problems.append(Problem("factors", text))
        if any(value < 0 for value in params.factors.values()):
            problems.append(Problem("factors", tr("A factor is negative.")))
        for ref in params.footprints or ():
            data = scene[ref.layer].data
            if not isinstance(data, VectorData):
                text = tr("“{name}” holds no outlines.", name=scene[ref.layer].name)
                problems.append(Problem("footprints", text))
        if params.models and not isinstance(scene[params.models].data, MeshData):
            text = tr("“{name}” holds no models.", name=scene[params.models].name)
            problems.append(Problem("models", text))
        return problems

    def prepare(self, scene: Scene, params: DemolitionParams) -> Given:
        shape = None if params.area is None else region(params.area)
        frame = _frame(scene, params, shape)
        area = None if shape is None else to_frame(shape, frame)
        footprints = outlines_of(scene, params.footprints or (), frame)
        if area is None:
            area = shapely.union_all([one.shape for one in footprints])
        shapely.prepare(area)
        chosen = tuple(
            one
            for one in footprints
            if shapely.intersection(one.shape, area).area > MOSTLY * one.shape.area
        )
        if params.footprints is not None and not chosen:
            raise RefusedError(
                tr("No footprint lies in the area."), tr("Check the area and the footprints.")
            )
        survey = survey_of(scene, params.surface, frame)
        method, terrain = _ground_of(scene, params, survey, frame)
        models = {} if params.models is None else models_of(scene, params.models, chosen, frame)
        mapped = params.footprints is not None
        return Given(frame, survey, terrain, method, area, chosen, models, mapped)

    def compute(self, inputs: Given, params: DemolitionParams, feedback: Feedback) -> Result:
        around = inputs.area.buffer(AROUND)
        skin = skin_of(inputs.survey, around, feedback.part(0, 0.2))
        terrain = None
        if inputs.terrain is not None:
            terrain = skin_of(inputs.terrain, around, feedback.part(0.2, 0.25))
        method = _method(inputs.method, skin)
        known = shapely.union_all([one.shape for one in inputs.footprints])
        things: list[Thing] = []
        trees: list[Tree] = []
        if params.objects or not inputs.mapped:
            feedback.step(0.3, 1, tr("Looking for what is on no map"))
            under = ground_under(inputs.area.convex_hull, skin, _open(method), known, terrain)
            things, trees = _between(inputs, skin, under, known)
        footprints = list(inputs.footprints)
        footprints += [
            Footprint(f"+{n}", "", thing.outline, {})
            for n, thing in enumerate((t for t in things if t.kind == "building"), 1)
        ]
        things = [thing for thing in things if thing.kind != "building"]
        if not footprints:
            raise RefusedError(
                tr("The survey shows no building in the area."), tr("Check the area.")
            )
        others = shapely.union_all([known, *(one.shape for one in footprints)])
        findings = []
        for n, one in enumerate(footprints):
            feedback.step(0.4 + 0.55 * n / len(footprints), 1, tr("Measuring the buildings"))
            ground = ground_under(one.shape, skin, method, others, terrain)
            measured = measure(one.shape, skin, ground, inputs.models.get(one.id))
            findings.append(Finding(one, measured))
        _refuse_nothing(findings)
        factors = factors_with(params.factors)
        return sheet(inputs.frame, inputs.area, findings, things, trees, factors, str(method))


def _frame(scene: Scene, params: DemolitionParams, shape: Any) -> Frame:
    """Return metres near the area, the same wherever the project has its origin."""
    if shape is not None:
        x, y = shape.bounds[:2]
    else:
        box = Bounds.union(scene[ref.layer].bounds for ref in params.footprints or ())
        x, y = (0.0, 0.0) if box is None else (box.xmin, box.ymin)
    return Frame.of(scene.georeference, (x // 1000 * 1000, y // 1000 * 1000, 0.0))


def _ground_of(
    scene: Scene, params: DemolitionParams, survey: Survey, frame: Frame
) -> tuple[str, Survey | None]:
    """Return the method of the ground, and the layer that gives it where one does."""
    if params.ground == "auto":
        return "auto", None
    if params.ground not in METHODS:
        return "layer", survey_of(scene, params.ground, frame)
    data = survey.layer.data
    if params.ground == "class2" and (
        not isinstance(data, PointCloudData) or "classification" not in data.attribute_names
    ):
        raise RefusedError(
            tr("“{name}” has no classes of points.", name=survey.layer.name),
            tr("Choose another ground: a terrain layer or a ring."),
        )
    return params.ground, None


def _method(wanted: str, skin: Skin) -> Method:
    """Return how the ground is found; `auto` decides by what the survey has."""
    classified = skin.classes is not None and bool(np.isin(skin.classes, GROUND).any())
    if wanted == "class2" and not classified:
        raise RefusedError(
            tr("The survey has no ground points in the area."),
            tr("Choose another ground: a terrain layer or a ring."),
        )
    if wanted == "auto":
        return "class2" if classified else "ring_plane"
    return wanted  # type: ignore[return-value]


def _open(method: Method) -> Method:
    """Return how the ground between buildings is found: no ring runs around an area."""
    return "ring_tin" if method.startswith("ring") else method


def _between(
    inputs: Given, skin: Skin, ground: Ground | None, known: Any
) -> tuple[list[Thing], list[Tree]]:
    """Return what stands between the buildings, and the trees whose tops are in the area.

    Crowns that reach in from outside would look like trees of their own if they were cut off at
    the edge: they are looked at whole.
    """
    wider = inputs.area.buffer(CROWNS)
    outside = shapely.difference(wider, known.buffer(APART))
    if ground is None or outside.is_empty:
        return [], []
    if skin.classes is None:
        step = max(skin.spacing, math.sqrt(wider.area / 2e6))
        cloud = skin.kind == "cloud"
        samples = skin.inside(outside) if cloud else skin.sampled(places_in(outside, step))
        solid, leaves = split_leaves(_standing(samples, ground))
    else:
        present = {int(c) for c in np.unique(skin.classes)}
        solid = skin.inside(outside, tuple(present - {*GROUND, *VEGETATION}))
        leaves = skin.inside(wider, VEGETATION)
        if not present & set(VEGETATION):
            # Vegetation is among what nobody classified.
            solid, leaves = split_leaves(_standing(solid, ground))
    solid = solid[shapely.contains_xy(inputs.area, solid[:, 0], solid[:, 1])]
    things = find_things(solid, solid[:, 2] - ground.heights(solid[:, :2]), skin)
    trees = find_trees(leaves, leaves[:, 2] - ground.heights(leaves[:, :2]), skin.spacing)
    return things, [t for t in trees if shapely.contains_xy(inputs.area, t.x, t.y)]


def _standing(points: FloatArray, ground: Ground) -> FloatArray:
    """Return the samples that are clear of the ground."""
    return points[points[:, 2] - ground.heights(points[:, :2]) > LOW]


def _refuse_nothing(findings: Sequence[Finding]) -> None:
    """Refuse a survey that gives no volume of anything."""
    measured: list[Measured] = [finding.measured for finding in findings]
    if all(not one.methods for one in measured):
        if all(one.ground is None for one in measured):
            raise RefusedError(
                tr("Nothing tells the ground under the buildings."),
                tr("Choose another ground: a terrain layer, class2 or a ring."),
            )
        raise RefusedError(
            tr("The survey covers none of the buildings."),
            tr("Check the surface, the footprints and their CRS."),
        )
