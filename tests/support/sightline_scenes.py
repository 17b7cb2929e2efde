"""Bodies and scenes for the tests of the sightline plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.api import (
    BimData,
    Element,
    Georeference,
    Layer,
    LayerKind,
    MeshData,
    Scene,
    Table,
    load,
    parse_crs,
)
from plumbline.io.writers import write_raster

#: A place in China in a CRS of metres; grid north and true north differ there.
X, Y = 534_000.0, 3_994_000.0
FACES = [(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7), (3, 2, 1, 0)]


def box(
    low: Sequence[float], high: Sequence[float], at: Sequence[float] = (0.0, 0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Return corners and outward triangles of a closed box."""
    (a, b, c), (d, e, f) = low, high
    points = [
        (a, b, c),
        (d, b, c),
        (d, e, c),
        (a, e, c),
        (a, b, f),
        (d, b, f),
        (d, e, f),
        (a, e, f),
    ]
    triangles = [t for p, q, r, s in FACES for t in ((p, q, r), (p, r, s))]
    return np.array(points, float) + np.array(at, float), np.array(triangles)


def bodies(
    parts: dict[str, tuple[np.ndarray, np.ndarray]],
    layer_id: str = "city",
    crs: str | None = "EPSG:4549",
    classes: dict[str, str] | None = None,
) -> Layer:
    """Return a layer of named bodies; its classes make it a building model."""
    vertices, triangles, index, count = [], [], [], 0
    for n, (points, cells) in enumerate(parts.values()):
        vertices.append(points)
        triangles.append(cells + count)
        index.append(np.full(len(cells), n, dtype=np.int32))
        count += len(points)
    kind = MeshData if classes is None else BimData
    data = kind(
        np.concatenate(vertices),
        np.concatenate(triangles),
        elements=[Element(name, (classes or {}).get(name, ""), name=name) for name in parts],
        element_index=np.concatenate(index),
    )
    held = LayerKind.MESH if classes is None else LayerKind.BIM
    return Layer(layer_id, layer_id, held, data, parse_crs(crs) if crs else None)


def terrain(
    folder: Path,
    heights: Any,
    cell: float = 10.0,
    corner: tuple[float, float] = (X - 500, Y + 500),
    crs: str | None = "EPSG:4549",
) -> Layer:
    """Return a terrain raster `terrain`, its north-west corner given."""
    path = folder / "terrain.tif"
    transform = (cell, 0.0, corner[0], 0.0, -cell, corner[1])
    values = np.asarray(heights, dtype=np.float64)
    write_raster(path, values, transform, parse_crs(crs) if crs else None)
    return load(path, layer_id="terrain")[0]


def held(*layers: Layer, crs: str | None = "EPSG:4549", origin: Any = (X, Y, 0.0)) -> Scene:
    """Return a scene of layers with its origin near them."""
    scene = Scene(Georeference.from_text(crs, origin))
    for layer in layers:
        scene.add(layer)
    return scene


def column(table: Table, name: str) -> np.ndarray:
    """Return a column of numbers, NaN where a cell is empty."""
    at = table.columns.index(name)
    return np.array([np.nan if row[at] is None else row[at] for row in table.rows])
