"""A street of three houses as footprints, photographed mesh, model and points, known by heart.

Footprints are 10 m squares with their south-western corners at (0, 0), (20, 0) and (40, 0); the
houses are 12 m, 7 m and 3 m tall and stand on the ground at 5 m.
"""

from __future__ import annotations

import geopandas
import numpy as np
import shapely

from plumbline.core.data import Element, MeshData, PointCloudData, VectorData
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Scene

CRS = "EPSG:4549"
EAST, NORTH = 534_000.0, 3_994_000.0
HEIGHTS = (12.0, 7.0, 3.0)
GROUND = 5.0
IDS = ("A1", "A2", "A3")


def outline(n: int) -> shapely.Polygon:
    """Return the footprint of a house."""
    return shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 10, NORTH + 10)


def footprints() -> VectorData:
    """Return footprints with an id, a name and the storeys of two of them."""
    frame = geopandas.GeoDataFrame(
        {
            "编号": list(IDS),
            "名称": ["Inn", "Shop", None],
            "层数": [4, 2, None],
            "plan": ["inn.pdf; inn.dwg", None, None],
        },
        geometry=[outline(n) for n in range(3)],
        crs=CRS,
    )
    return VectorData(frame)


def capture(cell: float = 1.0) -> MeshData:
    """Return a photographed mesh in one piece: a sheet that rises steeply to the flat roofs."""
    x = np.arange(-5.0, 60.0, cell)
    y = np.arange(-5.0, 16.0, cell)
    gx, gy = np.meshgrid(x, y)
    z = np.full(gx.shape, GROUND)
    for n, height in enumerate(HEIGHTS):
        inside = (gx >= 20 * n) & (gx <= 20 * n + 10) & (gy >= 0) & (gy <= 10)
        z[inside] = GROUND + height
    points = np.column_stack([gx.ravel() + EAST, gy.ravel() + NORTH, z.ravel()])
    k = np.arange(gx.size).reshape(gx.shape)
    a, b, c, d = (v.ravel() for v in (k[:-1, :-1], k[:-1, 1:], k[1:, 1:], k[1:, :-1]))
    triangles = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    uv = np.column_stack([gx.ravel() / 65, gy.ravel() / 21]).astype(np.float32)
    return MeshData(points, triangles.astype(np.int32), uv=uv)


def _box(n: int, height: float, inset: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Return a box on a footprint, a little smaller than it."""
    west, south, east, north = shapely.box(*outline(n).bounds).buffer(-inset).bounds
    corners = [(west, south), (east, south), (east, north), (west, north)]
    points = [(x, y, z) for z in (GROUND, GROUND + height) for x, y in corners]
    faces = [(0, 2, 1), (0, 3, 2), (4, 5, 6), (4, 6, 7)]
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
        faces += [(a, b, b + 4), (a, b + 4, a + 4)]
    return np.array(points), np.array(faces, dtype=np.int32)


def models() -> MeshData:
    """Return two boxes as elements: one stands on A1, one has the id of A2 but stands on A3."""
    parts = [_box(0, 12.0), _box(2, 7.0)]
    return MeshData(
        np.concatenate([points for points, _ in parts]),
        np.concatenate([parts[0][1], parts[1][1] + 8]),
        elements=[
            Element("m1", name="Tower", properties={"plan": {"architect": "Wu"}}),
            Element("A2", name="Annex"),
        ],
        element_index=np.repeat([0, 1], 12).astype(np.int32),
    )


def points(step: float = 0.5) -> PointCloudData:
    """Return points on roofs and ground, of no class."""
    x = np.arange(-5.0, 60.0, step)
    y = np.arange(-5.0, 16.0, step)
    gx, gy = (v.ravel() for v in np.meshgrid(x, y))
    z = np.full(gx.shape, GROUND)
    for n, height in enumerate(HEIGHTS):
        inside = (gx >= 20 * n) & (gx <= 20 * n + 10) & (gy >= 0) & (gy <= 10)
        z[inside] = GROUND + height
    return PointCloudData(np.column_stack([gx + EAST, gy + NORTH, z]))


def city(*wanted: str) -> Scene:
    """Return a scene with some of ``footprints, capture, models, points``; all of them by default.

    The first is the lowest of the tree.
    """
    scene = Scene(Georeference.from_text(CRS, (EAST, NORTH, 0.0)))
    kinds = {
        "footprints": (LayerKind.VECTOR, footprints),
        "capture": (LayerKind.MESH, capture),
        "models": (LayerKind.MESH, models),
        "points": (LayerKind.POINTCLOUD, points),
    }
    for name in wanted or kinds:
        kind, make = kinds[name]
        scene.add(Layer(name, name.title(), kind, make(), scene.georeference.crs))
    scene.history.clear()
    return scene
