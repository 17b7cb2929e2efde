"""How each kind of data is drawn: one table. Trees of tiles are streamed (`render.streaming`)."""

from __future__ import annotations

from collections.abc import Callable

from plumbline.core.data import (
    BimData,
    GridData,
    MeshData,
    PointCloudData,
    RasterData,
    VectorData,
)
from plumbline.core.layer import Layer
from plumbline.render import bim, grid, mesh, pointcloud, raster, vector
from plumbline.render.parts import Prepared, Request

KINDS: dict[type, Callable[[Request], Prepared]] = {
    BimData: bim.prepare,
    GridData: grid.prepare,
    MeshData: mesh.prepare,
    PointCloudData: pointcloud.prepare,
    RasterData: raster.prepare,
    VectorData: vector.prepare,
}


def prepare(request: Request) -> Prepared:
    """Prepare a layer for drawing and picking; pure, may run in any thread."""
    kinds = type(request.layer.data).__mro__
    return next(KINDS[kind] for kind in kinds if kind in KINDS)(request)


def is_terrain(layer: Layer) -> bool:
    """Tell whether other layers are laid on this one."""
    return isinstance(layer.data, RasterData) and layer.data.role == "terrain"


def is_ground(layer: Layer) -> bool:
    """Tell whether a layer is the ground: terrain, or a photograph of it."""
    return isinstance(layer.data, RasterData)


def needs_ground(layer: Layer) -> bool:
    """Tell whether a layer must be prepared anew when the terrain changes."""
    if isinstance(layer.data, VectorData):
        return not layer.data.has_z
    if isinstance(layer.data, GridData):
        return not layer.data.heights
    return isinstance(layer.data, RasterData) and layer.data.role == "imagery"
