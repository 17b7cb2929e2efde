"""Viewsheds: what observers see of a terrain, a city, or both."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeAlias

import numpy as np
from pydantic import BeforeValidator, Field

from plumbline.api import (
    N_,
    REFRACTION,
    Analysis,
    Directions,
    Feedback,
    GridData,
    Layer,
    LayerKind,
    LayerRefs,
    Params,
    Points,
    Problem,
    RasterData,
    Result,
    Scene,
    Table,
    Value,
    earth_radius,
    obstacle_layers,
    tr,
)
from plumbline_sightline.analysis.eyes import north_at
from plumbline_sightline.analysis.fields import (
    AzimuthFrom,
    AzimuthTo,
    Curvature,
    EyeHeight,
    Refraction,
)
from plumbline_sightline.analysis.skyline import azimuth_problems
from plumbline_sightline.analysis.viewshed_answer import Answer, Question
from plumbline_sightline.analysis.viewshed_raster import raster_viewshed
from plumbline_sightline.analysis.viewshed_scene import scene_viewshed
from plumbline_sightline.analysis.viewshed_standing import anchored

MAX_OBSERVERS = 1000
OBSERVERS = ("observer", "x", "y", "z", "ground", "visible_area", "visible_share")


def _one_or_many(value: Any) -> Any:
    """Accept one point where several may be given."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], int | float):
        return (value,)
    return value


def _layer_or_layers(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _four_numbers(value: Any) -> Any:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


Observers: TypeAlias = Annotated[Points, BeforeValidator(_one_or_many)]
Surfaces: TypeAlias = Annotated[LayerRefs, BeforeValidator(_layer_or_layers)]
Extent: TypeAlias = Annotated[tuple[float, float, float, float], BeforeValidator(_four_numbers)]


class ViewshedParams(Params):
    """What `sightline.viewshed` can be asked."""

    observer: Annotated[
        Observers,
        Field(
            min_length=1,
            max_length=MAX_OBSERVERS,
            title=N_("Observer"),
            description=N_(
                "One point or several. With z: the eye itself. Without: the eye height above the "
                "surface."
            ),
            json_schema_extra={"widget": "points"},
        ),
    ]
    surface: Annotated[
        Surfaces,
        Field(
            min_length=1,
            title=N_("Surface"),
            description=N_("A terrain raster, or terrain, meshes and building models together."),
            json_schema_extra={"widget": "layers"},
        ),
    ]
    observer_height: EyeHeight = 1.6
    target_height: Annotated[
        float,
        Field(
            ge=0,
            le=10_000,
            title=N_("Target height"),
            description=N_("Of what is looked at, above the surface."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.0
    extent: Annotated[
        Extent | None,
        Field(
            title=N_("Extent"),
            description=N_("Only targets in this box count: xmin, ymin, xmax, ymax."),
        ),
    ] = None
    max_distance: Annotated[
        float | None,
        Field(
            gt=0,
            title=N_("Greatest distance"),
            description=N_("On the map; what is farther away is not looked at."),
            json_schema_extra={"unit": "m"},
        ),
    ] = None
    azimuth_from: AzimuthFrom = 0.0
    azimuth_to: AzimuthTo = 360.0
    elevation_from: Annotated[
        float,
        Field(
            ge=-90,
            le=90,
            title=N_("From elevation"),
            description=N_("Targets that appear lower are not looked at."),
            json_schema_extra={"unit": "°"},
        ),
    ] = -90.0
    elevation_to: Annotated[
        float,
        Field(
            ge=-90,
            le=90,
            title=N_("To elevation"),
            description=N_("Targets that appear higher are not looked at."),
            json_schema_extra={"unit": "°"},
        ),
    ] = 90.0
    cell_size: Annotated[
        float | None,
        Field(
            gt=0,
            title=N_("Cell size"),
            description=N_("Of the result; that of the raster otherwise."),
            json_schema_extra={"unit": "m"},
        ),
    ] = None
    curvature: Curvature = False
    refraction: Refraction = REFRACTION
    facades: Annotated[
        bool,
        Field(
            title=N_("Faces too"),
            description=N_("Also paint the faces of meshes and buildings."),
        ),
    ] = True
    preview: Annotated[
        bool,
        Field(
            title=N_("Preview"),
            description=N_("Coarse and quick, to follow a dragged observer; visible cells only."),
        ),
    ] = False


class Viewshed(Analysis[ViewshedParams]):
    """Cells and faces that observers see.

    One terrain raster is answered by the raster method: the observer stands at the centre of its
    cell, every cell is decided by its own line of sight. Several layers are answered by rays to the
    highest surface in the middle of each cell, on the grid of the first raster.
    """

    id = "sightline.viewshed"
    version = "1"
    title = N_("Viewshed")
    description = N_(
        "What one or several observers see of a terrain or a city: visible cells, number of "
        "observers, the height above ground needed to be seen, and painted faces."
    )
    Params = ViewshedParams

    def layers(self, params: ViewshedParams) -> list[str]:
        return list(dict.fromkeys(params.surface))

    def check(self, scene: Scene, params: ViewshedParams) -> list[Problem]:
        problems = azimuth_problems(params.azimuth_from, params.azimuth_to)
        if params.elevation_from >= params.elevation_to:
            text = tr("The range of elevations is empty.")
            problems.append(Problem("elevation_to", text))
        box = params.extent
        if box is not None and not (box[0] < box[2] and box[1] < box[3]):
            text = tr("The extent is empty: give xmin, ymin, xmax, ymax.")
            problems.append(Problem("extent", text))
        return problems

    def prepare(self, scene: Scene, params: ViewshedParams) -> Question:
        first = params.observer[0]
        layers = anchored(obstacle_layers(scene, self.layers(params)))
        turn, _ = north_at(scene.georeference, first)
        radius = math.inf
        if params.curvature:
            radius = earth_radius(scene.georeference, first[0], first[1])
        width = params.azimuth_to - params.azimuth_from
        return Question(
            layers,
            scene.georeference,
            params.observer,
            params.observer_height,
            params.target_height,
            params.extent,
            math.inf if params.max_distance is None else params.max_distance,
            Directions(
                params.azimuth_from - turn,
                params.azimuth_from - turn + (width if width > 0 else width % 360.0),
                params.elevation_from,
                params.elevation_to,
            ),
            params.cell_size,
            radius,
            params.refraction,
            params.facades,
            params.preview,
        )

    def compute(self, inputs: Question, params: ViewshedParams, feedback: Feedback) -> Result:
        layers = inputs.layers.layers
        alone = len(layers) == 1 and isinstance(layers[0].layer.data, RasterData)
        answer = (raster_viewshed if alone else scene_viewshed)(inputs, feedback)
        return _result(inputs, answer)


def _result(question: Question, answer: Answer) -> Result:
    seen = answer.count > 0
    looked_at = int(np.count_nonzero(answer.looked_at))
    visible = int(np.count_nonzero(seen))
    values = {
        "visible_area": Value(visible * answer.cell_area, "m²"),
        "visible_share": Value(visible / looked_at if looked_at else None),
        "area": Value(looked_at * answer.cell_area, "m²"),
        "observers": Value(len(question.observers)),
    }
    if answer.facade_area is not None:
        values["visible_facade_area"] = Value(answer.facade_area[0], "m²")
        values["facade_area"] = Value(answer.facade_area[1], "m²")
    rows = tuple(
        (
            n + 1,
            *one.eye,
            None if math.isnan(one.ground) else one.ground,
            one.visible * answer.cell_area,
            one.visible / one.looked_at if one.looked_at else None,
        )
        for n, one in enumerate(answer.seers)
    )
    provenance = dict(answer.provenance)
    if math.isfinite(question.radius):
        provenance["earth_radius"] = question.radius
    return Result(
        values=values,
        tables={"observers": Table(OBSERVERS, rows, {"visible_area": "m²"})},
        layers={**_grids(question, answer, seen), **_faces(answer)},
        warnings=list(dict.fromkeys(answer.warnings)),
        points=tuple(one.eye for one in answer.seers),
        headline="visible_share",
        provenance=provenance,
    )


def _grids(question: Question, answer: Answer, seen: Any) -> dict[str, Layer]:
    """Return the rasters: seen or not, by how many, and the height needed."""
    crs = question.georeference.crs
    visible = np.where(answer.looked_at, seen.astype(np.uint8), np.uint8(255))
    grids = {"visible": (tr("Visible"), GridData(visible, answer.transform, N_("Visible")))}
    if len(question.observers) > 1:
        count = np.where(answer.looked_at, answer.count, np.nan).astype(np.float32)
        data = GridData(count, answer.transform, N_("Observers that see it"))
        grids["observer_count"] = (tr("Observers that see it"), data)
    if answer.needed is not None:
        data = GridData(answer.needed, answer.transform, N_("Height needed to be seen"), "m")
        grids["height_needed"] = (tr("Height needed to be seen"), data)
    return {
        key: Layer(key, name, LayerKind.RASTER, data, crs) for key, (name, data) in grids.items()
    }


def _faces(answer: Answer) -> dict[str, Layer]:
    return {layer.id: layer for layer in answer.faces.values()}
