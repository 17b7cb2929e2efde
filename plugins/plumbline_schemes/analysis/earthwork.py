"""`schemes.earthwork`: what ground a scheme takes away and brings, from the levels it builds at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Frame,
    LayerRef,
    Params,
    Problem,
    RasterData,
    RefusedError,
    Result,
    Scene,
    Scheme,
    Table,
    Value,
    sample_bilinear,
    tr,
)
from plumbline_schemes.analysis.buildings import (
    Stock,
    buildings,
    frame_of,
    stock,
    to_frame,
    to_project,
)

FloatArray = NDArray[np.float64]

#: Samples of one area that anyone waits for; the cells grow beyond.
MAX_SAMPLES = 4_000_000


class EarthworkParams(Params):
    """What `schemes.earthwork` can be asked."""

    scheme: Annotated[
        str,
        Field(title=N_("Scheme"), description=N_("Its buildings and its levelled ground count.")),
    ]
    terrain: Annotated[
        LayerRef, Field(title=N_("Terrain"), description=N_("The ground as it is: a raster."))
    ]
    cell_size: Annotated[
        float,
        Field(
            gt=0.01,
            le=100,
            title=N_("Cell size"),
            description=N_("Distance of the samples of the ground."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.5


@dataclass(frozen=True)
class Given:
    """Snapshot: the ground, the added buildings, and the ground that the scheme levels."""

    frame: Frame
    terrain: RasterData
    stocks: tuple[Stock, ...]
    levelled: Any
    height: float | None


class Earthwork(Analysis[EarthworkParams]):
    """Cut and fill that brings the ground to where a scheme builds.

    First the ground that the scheme levels, then the footprint of every building that it adds down
    or up to its ground floor. Upright sides; no basements, no loosening, no pavements.
    """

    id = "schemes.earthwork"
    version = "1"
    title = N_("Earthwork")
    description = N_(
        "Cut and fill that bring the ground to the level that a scheme gives it and to the ground "
        "floors of its buildings."
    )
    Params = EarthworkParams

    def layers(self, params: EarthworkParams) -> list[str]:
        return [params.terrain]

    def schemes(self, params: EarthworkParams) -> list[str]:
        return [params.scheme]

    def check(self, scene: Scene, params: EarthworkParams) -> list[Problem]:
        if _scheme(scene, params) is None:
            text = tr("The project has no scheme “{id}”.", id=params.scheme[:80])
            return [Problem("scheme", text)]
        return []

    def prepare(self, scene: Scene, params: EarthworkParams) -> Given:
        scheme = _scheme(scene, params)
        assert scheme is not None
        layer = scene[params.terrain]
        if not isinstance(layer.data, RasterData) or layer.data.role != "terrain":
            raise RefusedError(
                tr("“{name}” is no terrain.", name=layer.name),
                tr("Choose a GeoTIFF of heights."),
            )
        frame = frame_of(scene, [params.terrain])
        polygon = scheme.terrain_polygon
        levelled = to_frame(shapely.Polygon(polygon), frame) if len(polygon) > 2 else None
        return Given(
            frame,
            layer.data,
            tuple(stock(scene, name) for name in scheme.layers),
            levelled,
            scheme.terrain_height,
        )

    def compute(self, inputs: Given, params: EarthworkParams, feedback: Feedback) -> Result:
        rows: list[tuple[Any, ...]] = []
        warnings: list[str] = []
        if inputs.levelled is not None and inputs.height is not None:
            ground = _ground(inputs, inputs.levelled, params.cell_size, feedback)
            rows.append(_row("ground", "", inputs.levelled.area, inputs.height, ground))
        elif inputs.levelled is not None:
            warnings.append(tr("The scheme cuts a hole of no stated depth, which is not counted."))
        found, _ = buildings(inputs.stocks, inputs.frame, feedback.part(0, 0.5))
        for n, building in enumerate(found):
            feedback.step(0.5 + 0.5 * n / len(found), 1)
            if building.base is None:
                text = tr("“{name}” has no level: not counted.", name=building.name or building.id)
                warnings.append(text)
                continue
            level = float(inputs.frame.project_height(building.base))
            ground = _ground(inputs, building.footprint, params.cell_size, feedback)
            rows.append(_row("building", building.id, building.footprint.area, level, ground))
        if not rows:
            raise RefusedError(
                tr("The scheme builds nothing and levels no ground."),
                tr("Give it layers of buildings, or a polygon of terrain with its height."),
            )
        return _result(rows, warnings)


def _scheme(scene: Scene, params: EarthworkParams) -> Scheme | None:
    return next((scheme for scheme in scene.schemes if scheme.id == params.scheme), None)


def _ground(inputs: Given, shape: Any, cell: float, feedback: Feedback) -> FloatArray:
    """Return heights of the ground in metres at the centres of cells in a shape of the frame.

    Within the levelled ground it is that level, unless the shape is that ground itself.
    """
    x0, y0, x1, y1 = shape.bounds
    cell = max(cell, math.sqrt((x1 - x0) * (y1 - y0) / MAX_SAMPLES))
    # Whole multiples: the same samples wherever the shape begins.
    x = (np.arange(np.floor(x0 / cell), np.ceil(x1 / cell)) + 0.5) * cell
    y = (np.arange(np.floor(y0 / cell), np.ceil(y1 / cell)) + 0.5) * cell
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    places = places[shapely.contains_xy(shape, places[:, 0], places[:, 1])]
    if len(places) == 0:
        return np.full(1, np.nan)
    feedback.check()
    on_map = shapely.get_coordinates(to_project(shapely.multipoints(places), inputs.frame))
    heights = sample_bilinear(inputs.terrain, on_map)
    if inputs.levelled is not None and inputs.height is not None and shape is not inputs.levelled:
        within = shapely.contains_xy(inputs.levelled, places[:, 0], places[:, 1])
        heights[within] = inputs.height
    return heights


def _row(kind: str, name: str, area: float, level: float, ground: FloatArray) -> tuple[Any, ...]:
    """Return a row of the table; what has no ground is left out of cut and fill, and told."""
    known = ground[np.isfinite(ground)]
    each = area / len(ground)
    cut = each * float(np.maximum(known - level, 0).sum())
    fill = each * float(np.maximum(level - known, 0).sum())
    return (kind, name, area, level, cut, fill, each * (len(ground) - len(known)))


def _result(rows: list[tuple[Any, ...]], warnings: list[str]) -> Result:
    cut, fill, empty = (math.fsum(row[k] for row in rows) for k in (4, 5, 6))
    if empty > 0:
        text = tr("{area:.1f} m² lie where the terrain has no heights.", area=empty)
        warnings.append(text)
    # A part without ground is not known to be nothing.
    whole = empty == 0
    return Result(
        values={
            "cut": Value(cut if whole else None, "m³"),
            "fill": Value(fill if whole else None, "m³"),
            "net": Value(fill - cut if whole else None, "m³"),
            "moved": Value(fill + cut if whole else None, "m³"),
            "area": Value(math.fsum(row[2] for row in rows), "m²"),
            "area_empty": Value(empty, "m²"),
        },
        tables={
            "levels": Table(
                ("kind", "id", "area", "level", "cut", "fill", "area_empty"),
                tuple(rows),
                {"area": "m²", "level": "m", "cut": "m³", "fill": "m³", "area_empty": "m²"},
            )
        },
        warnings=warnings,
        headline="net",
    )
