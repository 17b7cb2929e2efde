"""Small scenes with known answers, at the coordinates of a city in EPSG:4549."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas
import numpy as np
import pyvista
import rasterio
import shapely

from plumbline.core.crs import parse_crs
from plumbline.core.data import (
    Bounds,
    Element,
    GridData,
    Material,
    MeshData,
    RasterData,
    VectorData,
)
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.core.scene import Camera, Scene
from plumbline.render import camera as moves
from plumbline.render.scene_view import SceneView
from plumbline.render.theme import RenderTheme

CRS = parse_crs("EPSG:4549")
#: South-west corner of the scenes.
PLACE = np.array([555_000.0, 3_990_000.0, 0.0])
SIZE = (320, 240)
#: A sky that no layer looks like.
THEME = RenderTheme(sky_top="#ff00ff", sky_bottom="#ff00ff")


def new_scene() -> Scene:
    return Scene(Georeference(CRS, (555_000.0, 3_990_000.0, 0.0)))


@contextmanager
def viewing(scene: Scene, **options: object) -> Iterator[SceneView]:
    plotter = pyvista.Plotter(off_screen=True, window_size=SIZE)
    view = SceneView(plotter, scene, THEME, **options)  # type: ignore[arg-type]
    try:
        yield view
    finally:
        view.close()
        plotter.close()


def pixel(view: SceneView, point: np.ndarray) -> tuple[int, int]:
    """Return the pixel at which a point of the project CRS is seen."""
    x, y, _ = moves.project(view.camera(), np.array([point], dtype=np.float64), view.size)[0]
    return int(x), int(y)


def color_at(view: SceneView, x: int, y: int) -> tuple[int, int, int]:
    picture = view.screenshot()
    r, g, b = (int(v) for v in picture[picture.shape[0] - 1 - y, x])
    return r, g, b


def is_sky(color: tuple[int, int, int]) -> bool:
    return max(abs(a - b) for a, b in zip(color, (255, 0, 255), strict=True)) < 8


def above(x: float, y: float, height: float = 300.0, span: float = 60.0) -> Camera:
    """Straight down on a place, `span` metres high, north up."""
    place = PLACE + (x, y, 0)
    return Camera(
        (place[0], place[1], height), (place[0], place[1], 0.0), (0, 1, 0), True, span / 2
    )


def box_mesh(x: float, y: float, z: float, side: float) -> tuple[np.ndarray, np.ndarray]:
    solid = pyvista.Box((x, x + side, y, y + side, z, z + side)).triangulate()
    return np.asarray(solid.points, dtype=np.float64) + PLACE, solid.regular_faces


def boxes_layer(layer_id: str = "boxes", **style: object) -> Layer:
    """Two boxes as elements: ``low`` at (0, 0) and ``high`` at (30, 0), 10 m wide."""
    low, faces = box_mesh(0, 0, 0, 10)
    high, _ = box_mesh(30, 0, 20, 10)
    data = MeshData(
        np.vstack([low, high]),
        np.vstack([faces, faces + len(low)]),
        materials=[Material("a", (0.2, 0.9, 0.2, 1.0)), Material("b", (0.2, 0.2, 0.9, 1.0))],
        material_index=np.repeat([0, 1], len(faces)).astype(np.int32),
        elements=[Element("low", "Shed"), Element("high", "Tower")],
        element_index=np.repeat([0, 1], len(faces)).astype(np.int32),
    )
    return Layer(
        layer_id, layer_id, LayerKind.MESH, data, CRS, style=LayerStyle.model_validate(style)
    )


def hills(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heights at offsets from the place."""
    return 20 + 8 * np.sin(x / 40) * np.cos(y / 60) + 0.05 * x


def terrain_layer(
    folder: Path,
    heights: Callable[[np.ndarray, np.ndarray], np.ndarray] = hills,
    cells: int = 200,
    cell: float = 2.0,
) -> Layer:
    """Terrain of `cells` by `cells` whose south-west corner is the place."""
    middle = (np.arange(cells) + 0.5) * cell
    x, y = np.meshgrid(middle, middle[::-1])
    path = folder / "terrain.tif"
    transform = (cell, 0.0, PLACE[0], 0.0, -cell, PLACE[1] + cells * cell)
    z = heights(x, y).astype(np.float64)
    write_tiff(path, z[None], transform)
    box = Bounds(*PLACE[:2], z.min(), *(PLACE[:2] + cells * cell), z.max())
    data = RasterData(
        path, "terrain", cells, cells, 1, "float64", transform, box, CRS, None, (z.min(), z.max())
    )
    return Layer("terrain", "terrain", LayerKind.RASTER, data, CRS)


def image_layer(folder: Path, bands: np.ndarray, cell: float) -> Layer:
    """An orthophoto ``(3, rows, cols)`` whose south-west corner is the place."""
    _, rows, cols = bands.shape
    path = folder / "image.tif"
    transform = (cell, 0.0, PLACE[0], 0.0, -cell, PLACE[1] + rows * cell)
    write_tiff(path, bands, transform)
    box = Bounds(*PLACE[:2], 0, PLACE[0] + cols * cell, PLACE[1] + rows * cell, 0)
    data = RasterData(path, "imagery", cols, rows, 3, "uint8", transform, box, CRS)
    return Layer("image", "image", LayerKind.RASTER, data, CRS)


def write_tiff(path: Path, bands: np.ndarray, transform: tuple[float, ...]) -> None:
    count, rows, cols = bands.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=cols,
        height=rows,
        count=count,
        dtype=bands.dtype,
        crs="EPSG:4549",
        transform=rasterio.Affine(*transform),
    ) as file:
        file.write(bands)


def vector_layer(
    layer_id: str,
    shapes: list[shapely.Geometry],
    columns: dict[str, list[object]] | None = None,
    *,
    has_z: bool = False,
    **style: object,
) -> Layer:
    """Features at offsets from the place, named ``f0``, ``f1``, ..."""
    moved = shapely.transform(np.array(shapes), lambda c: c + PLACE[: c.shape[1]], include_z=has_z)
    names = [f"f{n}" for n in range(len(shapes))]
    table = geopandas.GeoDataFrame(columns or {}, geometry=moved, crs="EPSG:4549", index=names)
    return Layer(
        layer_id,
        layer_id,
        LayerKind.VECTOR,
        VectorData(table, has_z),
        CRS,
        style=LayerStyle.model_validate(style),
    )


def grid_layer(
    values: np.ndarray, cell: float = 10.0, *, heights: bool = False, **style: object
) -> Layer:
    """A computed grid whose south-west corner is the place."""
    transform = (cell, 0.0, PLACE[0], 0.0, -cell, PLACE[1] + len(values) * cell)
    data = GridData(values, transform, "Distance", "m", heights)
    return Layer(
        "grid", "grid", LayerKind.RASTER, data, CRS, style=LayerStyle.model_validate(style)
    )
