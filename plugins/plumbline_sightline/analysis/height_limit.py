"""Height control: who rises above planes, cones, corridors and zones, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Element,
    Excess,
    Feedback,
    Georeference,
    Layer,
    LayerKind,
    LayerRef,
    LayerRefs,
    LayerStyle,
    MeshData,
    ObstacleLayers,
    Obstacles,
    Params,
    Problem,
    RasterData,
    Result,
    Scene,
    Table,
    Value,
    build_obstacles,
    excess_over,
    lowest_on_grid,
    obstacle_layers,
    tr,
)
from plumbline_sightline.analysis.control_surfaces import ControlSurface, Limit, Zones, limits_of
from plumbline_sightline.analysis.fields import HeightCells
from plumbline_sightline.analysis.grids import (
    SEEN_THROUGH,
    Cells,
    cells_over,
    raster_layer,
)

FloatArray = NDArray[np.float64]

#: What rises less above a limit touches it, metres.
TOUCH = 1e-6
COLUMNS = ("entity", "name", "layer", "surface", "exceedance", "x", "y", "z", "limit")


class HeightLimitParams(Params):
    """What `sightline.height_limit` can be asked."""

    obstacles: Annotated[
        LayerRefs,
        Field(
            min_length=1,
            title=N_("Obstacles"),
            description=N_("What is to stay below: models, meshes, footprints with heights."),
        ),
    ]
    surfaces: Annotated[
        tuple[ControlSurface, ...],
        Field(
            min_length=1,
            title=N_("Control surfaces"),
            description=N_(
                "Planes, cones, corridors and zones, each with its kind: "
                '{"kind": "zone", "polygon": [...], "height": 24, "above": "ground"}.'
            ),
        ),
    ]
    ground: Annotated[
        LayerRef | None,
        Field(
            title=N_("Ground"),
            description=N_("The terrain raster that heights above the ground are counted from."),
            json_schema_extra={"widget": "layer", "kinds": ["raster"]},
        ),
    ] = None
    cell_size: HeightCells = 5.0


@dataclass(frozen=True)
class Controlled:
    """Snapshot: what is to stay below, and the layers of zones."""

    layers: ObstacleLayers
    ground: ObstacleLayers
    named: dict[str, Layer]
    georeference: Georeference


@dataclass(frozen=True)
class Found:
    """What rises above one surface."""

    limit: Limit
    excess: Excess


class HeightLimit(Analysis[HeightLimitParams]):
    """Heights against control surfaces.

    Exact to rounding for planes, corridors and zones above the datum; cones are made of pieces that
    are flat to a millimetre. Above the ground, heights are counted from the terrain under each
    corner of a body and under each crossing of its edges with the border of the zone.
    """

    id = "sightline.height_limit"
    version = "1"
    title = N_("Height control")
    description = N_(
        "Which entities rise above control surfaces (planes, cones, corridors, zones) and by how "
        "much, and the lowest limit everywhere as a raster."
    )
    Params = HeightLimitParams

    def layers(self, params: HeightLimitParams) -> list[str]:
        zones = [one.layer for one in params.surfaces if isinstance(one, Zones)]
        ground = [] if params.ground is None else [params.ground]
        return list(dict.fromkeys([*params.obstacles, *zones, *ground]))

    def check(self, scene: Scene, params: HeightLimitParams) -> list[Problem]:
        on_ground = any(getattr(one, "above", "") == "ground" for one in params.surfaces)
        if on_ground and params.ground is None:
            return [Problem("ground", tr("Heights above the ground need a terrain raster."))]
        if params.ground is not None:
            data = scene[params.ground].data
            if not isinstance(data, RasterData) or data.role != "terrain":
                name = scene[params.ground].name
                return [Problem("ground", tr("“{name}” is no terrain raster.", name=name))]
        return []

    def prepare(self, scene: Scene, params: HeightLimitParams) -> Controlled:
        zones = {one.layer for one in params.surfaces if isinstance(one, Zones)}
        named = {layer_id: scene[layer_id] for layer_id in sorted(zones)}
        layers = obstacle_layers(scene, params.obstacles)
        ground = layers if params.ground is None else obstacle_layers(scene, [params.ground])
        return Controlled(layers, ground, named, scene.georeference)

    def compute(self, inputs: Controlled, params: HeightLimitParams, feedback: Feedback) -> Result:
        layers = inputs.layers
        limits = limits_of(params.surfaces, layers, inputs.named, inputs.georeference)
        obstacles = build_obstacles(layers, feedback.part(0.0, 0.4))
        found = []
        for n, limit in enumerate(limits):
            feedback.step(4 * len(limits) + 5 * n, 10 * len(limits))
            ground = _ground(inputs.ground) if limit.on_ground else None
            excess = excess_over(
                obstacles.corners, obstacles.owner, limit.corners, ground, above=TOUCH
            )
            found.append(Found(limit, excess))
        cells, lowest = _raster(limits, inputs.ground, params.cell_size)
        rows = _rows(found, obstacles)
        covered = np.isfinite(lowest)
        return Result(
            values={
                "exceeding": Value(len({(row[2], row[0]) for row in rows})),
                "highest_exceedance": Value(rows[0][4] if rows else 0.0, "m"),
                "area": Value(float(covered.sum()) * cells.area, "m²"),
                "lowest_limit": Value(float(lowest[covered].min()) if covered.any() else None, "m"),
            },
            tables={"exceedances": Table(COLUMNS, tuple(rows), {"exceedance": "m", "limit": "m"})},
            layers=_layers(limits, cells, lowest),
            warnings=list(obstacles.warnings),
            headline="exceeding",
            provenance={"lods": obstacles.lods, "surfaces": [limit.name for limit in limits]},
        )


def _ground(layers: ObstacleLayers) -> Any:
    """Return a function of heights of the terrain in the frame."""
    frame = layers.frame

    def heights(xy: FloatArray) -> FloatArray:
        places = frame.project(np.column_stack([xy, np.zeros(len(xy))]))[:, :2]
        return frame.local_height(layers.ground_heights(places))

    return heights


def _rows(found: list[Found], obstacles: Obstacles) -> list[tuple[Any, ...]]:
    """Return who exceeds which surface, the worst first."""
    rows: list[tuple[Any, ...]] = []
    for one in found:
        for k, owner in enumerate(one.excess.body.tolist()):
            entity = obstacles.entities[owner]
            height, place = float(one.excess.height[k]), one.excess.place[k]
            x, y, z = obstacles.frame.project(place).tolist()
            limit = float(obstacles.frame.project_height(place[2] - height))
            name = obstacles.names[owner] if entity.entity else ""
            rows.append((entity.entity, name, entity.layer, one.limit.name, height, x, y, z, limit))
    return sorted(rows, key=lambda row: (-row[4], row[2], row[0], row[3]))


def _raster(limits: list[Limit], layers: ObstacleLayers, size: float) -> tuple[Cells, FloatArray]:
    """Return the lowest limit at cell centres, metres above the datum, NaN where there is none."""
    frame = layers.frame
    flat = np.concatenate([limit.corners for limit in limits])[..., :2].reshape(-1, 2)
    cells = cells_over(frame, flat.min(axis=0), flat.max(axis=0), size)
    lowest = np.full(cells.shape, np.nan)
    ground: FloatArray | None = None
    for limit in limits:
        heights = lowest_on_grid(limit.corners, cells.x, cells.y)
        if limit.on_ground:
            if ground is None:
                ground = layers.ground_heights(cells.project_places).reshape(cells.shape)
            heights = heights + ground
        else:
            heights = frame.project_height(heights)
        lowest = np.fmin(lowest, heights)
    return cells, lowest


def _layers(limits: list[Limit], cells: Cells, lowest: FloatArray) -> dict[str, Layer]:
    result = {
        "limit": raster_layer(
            cells, "limit", tr("Height limit"), lowest, N_("Height limit"), "m", heights=True
        )
    }
    solid = [limit for limit in limits if not limit.on_ground]
    if solid:
        sizes = [len(limit.corners) for limit in solid]
        corners = np.concatenate([limit.corners for limit in solid])
        vertices = cells.frame.project(corners.reshape(-1, 3))
        surfaces = MeshData(
            vertices,
            np.arange(len(vertices)).reshape(-1, 3),
            elements=[Element(str(n + 1), name=one.name) for n, one in enumerate(solid)],
            element_index=np.repeat(np.arange(len(solid), dtype=np.int32), sizes),
        )
        crs = cells.frame.georeference.crs
        style = LayerStyle(color_by="solid", color="#c0503c", opacity=SEEN_THROUGH)
        result["surfaces"] = Layer(
            "surfaces", tr("Control surfaces"), LayerKind.MESH, surfaces, crs, style=style
        )
    return result
