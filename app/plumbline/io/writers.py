"""Writing layers for other programs: GeoPackage, GeoTIFF, PLY; coordinates stay float64."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import (
    AnyArray,
    GridData,
    MeshData,
    PointCloudData,
    RasterData,
    VectorData,
)
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.core.tiles import TilesData
from plumbline.io.base import library_notes
from plumbline.io.raster import Affine6, read_grid, read_image

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pyproj import CRS


def write_layer(layer: Layer, folder: Path, name: str) -> Path:
    """Write a layer as ``name`` with the suffix of its kind: .gpkg, .tif or .ply.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    data = layer.data
    if isinstance(data, VectorData):
        path = folder / f"{name}.gpkg"
        write_vector(data.features, path, layer=name)
    elif isinstance(data, RasterData):
        path = folder / f"{name}.tif"
        _copy_raster(data, path, layer.crs)
    elif isinstance(data, GridData):
        path = folder / f"{name}.tif"
        write_raster(path, data.values, data.transform, layer.crs, data.nodata)
    elif isinstance(data, PointCloudData):
        path = folder / f"{name}.ply"
        colors = data.attributes.get("rgb")
        write_ply(path, data.points, colors=colors)
    else:
        path = folder / f"{name}.ply"
        write_mesh(data.mesh().mesh if isinstance(data, TilesData) else data, path)
    return path


def write_vector(features: GeoDataFrame, path: Path, layer: str = "") -> None:
    """Write features with attributes to a GeoPackage, replacing the file."""
    import pyogrio

    try:
        path.unlink(missing_ok=True)
        with library_notes():
            pyogrio.write_dataframe(features, path, driver="GPKG", layer=layer or path.stem)
    except (OSError, RuntimeError, ValueError) as error:
        raise not_written(path, error) from error


def write_raster(
    path: Path,
    values: AnyArray,
    transform: Affine6,
    crs: CRS | None = None,
    nodata: float | None = None,
) -> None:
    """Write an array ``(rows, columns)`` or ``(bands, rows, columns)`` as tiled GeoTIFF.

    Parameters
    ----------
    transform : tuple of 6 floats
        From (column, row) of cell corners to the CRS, as `read_grid` returns it.
    nodata : float, optional
        NaN in floats is written as NaN and marked as nodata by itself.
    """
    import rasterio
    from affine import Affine
    from rasterio.errors import RasterioError

    bands = values[None] if values.ndim == 2 else values
    if nodata is None and bands.dtype.kind == "f":
        nodata = float("nan")
    try:
        with (
            library_notes(),
            rasterio.open(
                path,
                "w",
                driver="GTiff",
                height=bands.shape[1],
                width=bands.shape[2],
                count=bands.shape[0],
                dtype=bands.dtype,
                crs=crs.to_wkt() if crs is not None else None,
                transform=Affine(*transform),
                nodata=nodata,
                compress="deflate",
                tiled=True,
                blockxsize=256,
                blockysize=256,
            ) as dataset,
        ):
            dataset.write(bands)
    except (OSError, RasterioError, ValueError) as error:
        raise not_written(path, error) from error


def write_mesh(mesh: MeshData, path: Path) -> None:
    """Write a mesh as binary PLY with float64 coordinates and the colours it has."""
    colors = mesh.colors
    if colors is None and mesh.materials and mesh.material_index is not None:
        palette = np.array([material.color for material in mesh.materials] + [(0.8,) * 4])
        face_colors = np.rint(palette[mesh.material_index] * 255).astype(np.uint8)
        write_ply(
            path, mesh.vertices, mesh.triangles, face_colors=face_colors, scalars=mesh.scalars
        )
        return
    write_ply(path, mesh.vertices, mesh.triangles, colors=colors, scalars=mesh.scalars)


def write_ply(
    path: Path,
    points: AnyArray,
    triangles: AnyArray | None = None,
    *,
    colors: AnyArray | None = None,
    face_colors: AnyArray | None = None,
    scalars: Mapping[str, AnyArray] | None = None,
) -> None:
    """Write points ``(N, 3)`` and triangles ``(M, 3)`` as binary PLY, coordinates float64.

    `scalars` are numbers of each triangle, written as properties of its face.
    """
    vertex = _table(
        [("x", "f8"), ("y", "f8"), ("z", "f8")], [points[:, i] for i in range(3)], colors
    )
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property double {axis}" for axis in "xyz"] + _color_lines(colors)
    blocks = [vertex]
    if triangles is not None:
        face = _table(
            [("n", "u1"), ("a", "<i4"), ("b", "<i4"), ("c", "<i4")],
            [np.full(len(triangles), 3), *np.asarray(triangles).T],
            face_colors,
        )
        numbers = {re.sub(r"\W", "_", n): v for n, v in (scalars or {}).items()}
        face = _with_numbers(face, numbers)
        header += [f"element face {len(triangles)}", "property list uchar int vertex_indices"]
        header += _color_lines(face_colors)
        header += [f"property double {name}" for name in numbers]
        blocks.append(face)
    try:
        with path.open("wb") as stream:
            stream.write("\n".join([*header, "end_header", ""]).encode("ascii"))
            for block in blocks:
                block.tofile(stream)
    except OSError as error:
        raise not_written(path, error) from error


def _with_numbers(table: NDArray[np.void], numbers: Mapping[str, AnyArray]) -> NDArray[np.void]:
    """Return a packed table with columns of numbers after its own."""
    wide = np.empty(len(table), dtype=table.dtype.descr + [(name, "<f8") for name in numbers])
    for name in table.dtype.names or ():
        wide[name] = table[name]
    for name, values in numbers.items():
        wide[name] = values
    return wide


def _color_lines(colors: AnyArray | None) -> list[str]:
    names = ("red", "green", "blue", "alpha")[: 0 if colors is None else colors.shape[1]]
    return [f"property uchar {name}" for name in names]


def _table(
    fields: list[tuple[str, str]], columns: list[AnyArray], colors: AnyArray | None
) -> NDArray[np.void]:
    """Return a packed table of columns and, after them, colours."""
    if colors is not None:
        names = ("red", "green", "blue", "alpha")[: colors.shape[1]]
        fields = fields + [(name, "u1") for name in names]
        columns = columns + [colors[:, i] for i in range(colors.shape[1])]
    table = np.empty(len(columns[0]), dtype=fields)
    for (name, _), column in zip(fields, columns, strict=True):
        table[name] = column
    return table


def _copy_raster(data: RasterData, path: Path, crs: CRS | None) -> None:
    if data.role == "terrain":
        heights, transform = read_grid(data, max_cells=data.width * data.height * 4)
        write_raster(path, heights, transform, crs)
        return
    image, (xmin, ymin, xmax, ymax) = read_image(data, max_pixels=data.width * data.height * 4)
    rows, columns = image.shape[:2]
    transform = ((xmax - xmin) / columns, 0.0, xmin, 0.0, (ymin - ymax) / rows, ymax)
    write_raster(path, np.moveaxis(image, 2, 0), transform, crs)


def not_written(path: Path, error: Exception) -> InputError:
    """Return the error for a file that cannot be written."""
    why = getattr(error, "strerror", None) or " ".join(str(error).split())[:160]
    return InputError(
        tr("“{path}” cannot be written: {why}.", path=path, why=str(why).rstrip(".")),
        tr("Check the folder, its rights and the free space."),
    )
