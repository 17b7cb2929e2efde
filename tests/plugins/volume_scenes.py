"""Scenes for the tests of volumes: heights, meshes and clouds in a metric project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio import Affine

from plumbline import api
from plumbline.api import (
    Element,
    Georeference,
    Layer,
    LayerKind,
    MeshData,
    PointCloudData,
    Result,
    Scene,
)

CRS = "EPSG:4549"
X, Y = 534_000.0, 3_994_000.0


def scene(crs: str | None = CRS) -> Scene:
    return Scene(Georeference.from_text(crs, (X, Y, 0.0)))


def add(held: Scene, layer_id: str, kind: LayerKind, data: Any, **metadata: Any) -> Layer:
    crs = held.georeference.crs
    layer = Layer(layer_id, layer_id, kind, data, crs, metadata=metadata)
    held.add(layer)
    return layer


def raster(
    held: Scene,
    folder: Path,
    layer_id: str,
    heights: Any,
    cell: float = 1.0,
    crs: str | None = CRS,
    nodata: float | None = -9999.0,
) -> Layer:
    """Add a GeoTIFF whose north-west corner is (X, Y)."""
    rows, columns = heights.shape
    path = folder / f"{layer_id}.tif"
    values = heights if nodata is None else np.where(np.isnan(heights), nodata, heights)
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float64",
        crs=crs, nodata=nodata, transform=Affine(cell, 0, X, 0, -cell, Y),
    ) as file:  # fmt: skip
        file.write(np.asarray(values, dtype="float64"), 1)
    layer = api.load(path, layer_id=layer_id)[0]
    held.add(layer)
    return layer


def mesh(held: Scene, layer_id: str, *parts: Any, at: Any = (X, Y, 0.0)) -> Layer:
    """Add triangles ``(M, 3, 3)``; several sets of them are elements ``0``, ``1``, ..."""
    corners = np.concatenate(parts) + np.asarray(at)
    data = MeshData(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3))
    if len(parts) > 1:
        data.elements = [Element(str(n), "Building", f"house {n}") for n in range(len(parts))]
        data.element_index = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return add(held, layer_id, LayerKind.MESH, data)


def cloud(held: Scene, layer_id: str, points: Any, **attributes: Any) -> Layer:
    """Add points relative to (X, Y, 0)."""
    data = PointCloudData(np.asarray(points, float) + (X, Y, 0.0), attributes)
    return add(held, layer_id, LayerKind.POINTCLOUD, data)


def square(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [
        [X + west, Y + south],
        [X + east, Y + south],
        [X + east, Y + north],
        [X + west, Y + north],
    ]


def values(result: Result) -> dict[str, Any]:
    return {name: value.value for name, value in result.values.items()}


def sheet(surface: Any, size: float, step: float) -> np.ndarray:
    """Return triangles ``(M, 3, 3)`` of z = surface(x, y) over ±size."""
    axis = np.linspace(-size, size, round(2 * size / step) + 1)
    x, y = np.meshgrid(axis, axis)
    points = np.stack([x, y, surface(x, y)], axis=-1)
    nw, ne, sw, se = points[:-1, :-1], points[:-1, 1:], points[1:, :-1], points[1:, 1:]
    both = [np.stack([nw, ne, sw], axis=2), np.stack([ne, se, sw], axis=2)]
    return np.concatenate([part.reshape(-1, 3, 3) for part in both])
