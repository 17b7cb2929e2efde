"""`volume.storage`: area and volume of water over a surface, by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from plumbline.api import (
    N_,
    Analysis,
    Cover,
    Feedback,
    Heights,
    LayerRef,
    Params,
    Point,
    Problem,
    RefusedError,
    Region,
    Result,
    Scene,
    Table,
    Value,
    inundated,
    region,
    tr,
)
from plumbline_volume.analysis.polygon import SURFACES, Area, CellSize, Classes, EmptyCells
from plumbline_volume.analysis.sheets import grid_layer
from plumbline_volume.analysis.surfaces import Surface, make_cover, surface_of

if TYPE_CHECKING:
    import shapely

FloatArray = NDArray[np.float64]

#: Levels of one request.
MAX_LEVELS = 500


def _read_levels(value: object) -> object:
    """Accept one level, a list of them, or a text with blanks or commas between."""
    if isinstance(value, str):
        value = tuple(value.replace(";", ",").replace("，", ",").replace(",", " ").split())
    return value if isinstance(value, list | tuple) else (value,)


Levels = Annotated[
    tuple[float, ...],
    BeforeValidator(_read_levels),
    Field(min_length=1, max_length=MAX_LEVELS, json_schema_extra={"unit": "m"}),
]


class StorageParams(Params):
    """What `volume.storage` can be asked."""

    surface: Annotated[
        LayerRef,
        Field(
            title=N_("Surface"),
            description=N_("The ground that the water stands on; any kind."),
            json_schema_extra=SURFACES,
        ),
    ]
    level: Annotated[
        Levels,
        Field(
            title=N_("Water level"),
            description=N_("One or several, above the vertical datum."),
            json_schema_extra={"unit": "m"},
        ),
    ]
    polygon: Area = None
    water: Annotated[
        Literal["all", "connected"],
        Field(
            title=N_("Where water stands"),
            description=N_(
                "all: wherever the ground lies below the level; connected: only where that hangs "
                "together with the source."
            ),
        ),
    ] = "all"
    source: Annotated[
        Point | None,
        Field(
            title=N_("Source"),
            description=N_("Where connected water comes from; the lowest ground otherwise."),
        ),
    ] = None
    cell_size: CellSize = None
    empty: EmptyCells = "auto"
    classes: Classes = ()


@dataclass(frozen=True)
class Inputs:
    """Snapshot: the ground and the polygon."""

    surface: Surface
    polygon: shapely.Polygon | shapely.MultiPolygon | None


@dataclass(frozen=True)
class Stage:
    """Water at one level; m, m², m³."""

    level: float
    area: float
    volume: float
    deepest: float
    uncertainty: float
    depth: FloatArray


class Storage(Analysis[StorageParams]):
    """Stage, area and volume: how much water stands on a surface at each level.

    A level is flat; nothing flows. `connected` keeps what is joined to the source over edges or
    corners of cells, so that a dry hollow behind a ridge stays dry until the ridge is under water.
    """

    id = "volume.storage"
    version = "1"
    title = N_("Storage")
    description = N_(
        "Area and volume under water at one or several levels, with the depth at the highest of "
        "them."
    )
    Params = StorageParams

    def check(self, scene: Scene, params: StorageParams) -> list[Problem]:
        if params.source is not None and params.water == "all":
            text = tr("A source counts for connected water only.")
            return [Problem("source", text, "warning")]
        return []

    def layers(self, params: StorageParams) -> list[str]:
        return [params.surface]

    def prepare(self, scene: Scene, params: StorageParams) -> Inputs:
        polygon: Region | None = params.polygon
        return Inputs(
            surface_of(scene, params.surface, params.classes),
            None if polygon is None else region(polygon),
        )

    def compute(self, inputs: Inputs, params: StorageParams, feedback: Feedback) -> Result:
        cover = make_cover([inputs.surface], inputs.polygon, params.cell_size)
        ground = inputs.surface.heights(cover, feedback.part(0.0, 0.8), params.empty)
        outlet = _outlet(params, cover, ground) if params.water == "connected" else None
        stages = []
        for n, level in enumerate(params.level):
            feedback.step(0.8 + 0.2 * n / len(params.level), 1, tr("Filling to {z} m", z=level))
            stages.append(_stage(ground, cover, level, outlet))
        top = max(stages, key=lambda stage: stage.level)
        depth = grid_layer(
            "depth", tr("Depth of water"), cover, top.depth, inputs.surface, N_("Depth of water")
        )
        rows = tuple((s.level, s.area, s.volume, s.deepest, s.uncertainty) for s in stages)
        columns = ("level", "area", "volume", "max_depth", "uncertainty")
        units = dict(zip(columns, ("m", "m²", "m³", "m", "m³"), strict=True))
        return Result(
            values={
                "level": Value(top.level, "m"),
                "area": Value(top.area, "m²"),
                "volume": Value(top.volume, "m³", top.uncertainty),
                "max_depth": Value(top.deepest, "m"),
                "cell_size": Value(cover.grid.dx * cover.grid.unit, "m"),
            },
            tables={"storage": Table(columns, rows, units)},
            layers={"depth": depth},
            warnings=_notes(cover, ground, top, params),
            headline="volume",
        )


def _outlet(params: StorageParams, cover: Cover, ground: Heights) -> NDArray[np.bool_]:
    """Return the cells that water comes from: that of the source, else the lowest ones."""
    known = np.isfinite(ground.z) & (cover.share > 0)
    _refuse_dry(known)
    outlet = np.zeros(known.shape, dtype=bool)
    if params.source is None:
        outlet[known & (ground.z == np.min(ground.z[known]))] = True
        return outlet
    grid = cover.grid
    column = int(np.floor((params.source[0] - grid.xmin) / grid.dx))
    row = int(np.floor((grid.ymax - params.source[1]) / grid.dy))
    inside = 0 <= row < grid.rows and 0 <= column < grid.columns
    if not inside or not known[row, column]:
        raise RefusedError(
            tr("The ground has no height at the source of the water."),
            tr("Give a source inside the polygon and on the surface."),
        )
    outlet[row, column] = True
    return outlet


def _refuse_dry(known: NDArray[np.bool_]) -> None:
    if not known.any():
        raise RefusedError(
            tr("The surface has no height inside the polygon."),
            tr("Choose a polygon on the surface, or another surface."),
        )


def _stage(ground: Heights, cover: Cover, level: float, outlet: NDArray[np.bool_] | None) -> Stage:
    _refuse_dry(np.isfinite(ground.z) & (cover.share > 0))
    wet = inundated(ground, cover, level, outlet)
    depth = np.where(wet, level - ground.z, np.nan)
    weight = np.where(wet, cover.areas * ground.weight, 0.0)
    u = 2 * float(np.sqrt(np.nansum((weight * ground.u) ** 2)))
    u += 2 * float(np.sum(weight * ground.common))
    volume = float((weight * np.nan_to_num(depth)).sum())
    deepest = float(np.nanmax(depth)) if wet.any() else 0.0
    return Stage(level, float(weight.sum()), volume, deepest, u, depth)


def _notes(cover: Cover, ground: Heights, top: Stage, params: StorageParams) -> list[str]:
    notes = []
    known = float((cover.areas * ground.weight * np.isfinite(ground.z)).sum())
    if known < cover.area * (1 - 1e-6):
        share = 100 * (1 - known / cover.area)
        notes.append(tr("{share:.2f} % of the area has no height and counts nothing.", share=share))
        if share > 50:
            notes.append(
                tr(
                    "More than half of the area ({share:.1f} %) has no measured heights.",
                    share=share,
                )
            )
    wet = np.isfinite(top.depth)
    edge = np.zeros(wet.shape, dtype=bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    if (wet & (edge | (cover.share < 1))).any():
        notes.append(tr("Water reaches the border: beyond it there may be more of it."))
    if params.water == "all":
        notes.append(
            tr("All ground below the level counts as under water, also hollows without inflow.")
        )
    return notes
