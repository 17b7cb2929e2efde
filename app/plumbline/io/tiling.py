"""Large layers tiled once: 3D Tiles for meshes, rasters and features, COPC for clouds."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.crs import crs_label, crs_text
from plumbline.core.data import GridData, MeshData, PointCloudData, RasterData, VectorData
from plumbline.core.errors import InputError, RefusedError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.core.tiles import TilesData
from plumbline.io.copc_writer import write_copc
from plumbline.io.mesh_tiling import tile_mesh
from plumbline.io.raster_tiling import tile_raster
from plumbline.io.tileset_writer import TilesetWriter, new_folder
from plumbline.io.vector_tiling import mesh_of_features

#: Files that are indexed as they are, point by point.
_LAS = (".las", ".laz")


@dataclass(frozen=True)
class TilingOptions:
    """How features become triangles: the column of heights, and the width of lines in metres."""

    height: str = ""
    width: float = 1.0
    overwrite: bool = False


def is_cloud_file(path: Path) -> bool:
    """Tell whether a file can be indexed without being read whole."""
    return path.suffix.lower() in _LAS


def tile_cloud_file(
    path: Path, target: Path, overwrite: bool, feedback: Feedback | None = None
) -> dict[str, Any]:
    """Index a LAS or LAZ file into COPC; see `plumbline.io.copc_writer.write_copc`."""
    _free(target, overwrite)
    return {"path": str(target), "format": "COPC", "points": write_copc(path, target, feedback)}


def tile_layer(
    layer: Layer,
    target: Path,
    options: TilingOptions | None = None,
    feedback: Feedback | None = None,
) -> dict[str, Any]:
    """Tile a layer; return what was written.

    Parameters
    ----------
    target : Path
        A folder for 3D Tiles, a file ``.copc.laz`` for a cloud; must not exist.

    Returns
    -------
    dict
        ``path``, ``format``, and counts: ``tiles`` and ``triangles`` (of the finest), ``points``.

    Raises
    ------
    RefusedError
        If the layer is in degrees, is tiled already, or holds nothing.
    InputError
        If it cannot be written; nothing is left behind then.
    """
    options, feedback = options or TilingOptions(), feedback or Feedback()
    if isinstance(layer.data, TilesData | TiledCloud):
        raise RefusedError(
            tr("“{name}” is a tree of tiles already.", name=layer.name),
            tr("Add it to a project as it is."),
        )
    if layer.crs is not None and (layer.crs.is_geographic or layer.crs.is_geocentric):
        raise RefusedError(
            tr("“{name}” is in {crs}, not on a map.", name=layer.name, crs=crs_label(layer.crs)),
            tr("Name a CRS in metres to tile it in: --to EPSG:…."),
        )
    if isinstance(layer.data, PointCloudData):
        _free(target, options.overwrite)
        return _tile_cloud(layer, layer.data, target, feedback)
    box = layer.bounds
    if box is None:
        raise RefusedError(
            tr("“{name}” holds nothing.", name=layer.name), tr("Choose another layer.")
        )
    with new_folder(target, options.overwrite) as folder:
        writer = TilesetWriter(folder, np.floor(box.center))
        if isinstance(layer.data, RasterData):
            root = tile_raster(layer.data, writer, feedback)
        else:
            root = tile_mesh(_triangles(layer, options), writer, feedback)
        writer.finish(root, crs_text(layer.crs), layer.name)
    return {
        "path": str(target), "format": "3D Tiles 1.1", "tiles": writer.tiles,
        "triangles": writer.triangles,
    }  # fmt: skip


def _triangles(layer: Layer, options: TilingOptions) -> MeshData:
    data = layer.data
    if isinstance(data, VectorData):
        data = mesh_of_features(data, options.height, options.width)
    if not isinstance(data, MeshData) or isinstance(data, GridData) or len(data.triangles) == 0:
        raise RefusedError(
            tr("“{name}” holds nothing.", name=layer.name), tr("Choose another layer.")
        )
    return data


def _free(target: Path, overwrite: bool) -> None:
    if not target.name.lower().endswith(".copc.laz"):
        raise UsageError(
            tr("A cloud is tiled into one file that ends in .copc.laz."),
            tr("Give such a name with --out."),
        )
    if target.exists() and not overwrite:
        raise InputError(
            tr("There is something at “{path}” already.", path=target),
            tr("Choose another place, or --overwrite to replace it."),
        )


def _tile_cloud(
    layer: Layer, data: PointCloudData, target: Path, feedback: Feedback
) -> dict[str, Any]:
    """Write a cloud that was read from another format as LAS, and index that."""
    import laspy

    colored = "rgb" in data.attributes
    header = laspy.LasHeader(point_format=7 if colored else 6, version="1.4")
    box = layer.bounds
    assert box is not None
    header.offsets, header.scales = np.floor(box.center), np.full(3, 0.001)
    if layer.crs is not None:
        header.add_crs(layer.crs)
    points = laspy.LasData(header)
    points.xyz = data.points
    for name in ("intensity", "classification", "return_number", "number_of_returns", "gps_time"):
        if name in data.attributes:
            points[name] = data.attributes[name]
    if colored:
        rgb = np.asarray(data.attributes["rgb"], np.uint16) * 257
        points.red, points.green, points.blue = rgb.T
    with tempfile.TemporaryDirectory(prefix=".tiling-", dir=target.parent) as folder:
        path = Path(folder) / "cloud.las"
        points.write(path)
        count = write_copc(path, target, feedback)
    return {"path": str(target), "format": "COPC", "points": count}
