"""What is written comes back: coordinates to far below a millimetre, attributes, CRS, colours."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
import trimesh
from pyproj import CRS
from tests.io.mesh_files import load_mesh, write

from plumbline.core.data import Material, MeshData, PointCloudData, RasterData, VectorData
from plumbline.core.errors import InputError
from plumbline.core.layer import Layer, LayerKind
from plumbline.io import load
from plumbline.io.raster import read_grid, read_image
from plumbline.io.writers import write_layer, write_mesh, write_ply, write_raster

FAR = np.array([534_000.123456, 4_003_999.654321, 12.000001])


def mesh() -> MeshData:
    box = trimesh.creation.box()
    return MeshData(np.asarray(box.vertices) + FAR, np.asarray(box.faces))


def test_mesh(tmp_path: Path) -> None:
    start = mesh()
    layer = Layer("m", "m", LayerKind.MESH, start, CRS.from_epsg(4549))
    path = write_layer(layer, tmp_path, "结果 a")
    assert path.name == "结果 a.ply"
    back, _ = load_mesh(path)
    assert (back.vertices == start.vertices).all()
    assert (back.triangles == start.triangles).all()
    other = trimesh.load(path, process=False)
    assert other.volume == pytest.approx(1.0, abs=1e-4)


def test_colours_of_vertices_and_of_materials(tmp_path: Path) -> None:
    start = mesh()
    start.colors = np.arange(32, dtype=np.uint8).reshape(8, 4)
    write_mesh(start, tmp_path / "a.ply")
    back, _ = load_mesh(tmp_path / "a.ply")
    assert (back.colors == start.colors).all()
    start.colors = None
    start.materials = [Material("a", (1, 0, 0, 1)), Material("b", (0, 0, 1, 0.5))]
    start.material_index = np.array([0, 1] * 6, np.int32)
    write_mesh(start, tmp_path / "b.ply")
    back, _ = load_mesh(tmp_path / "b.ply")
    assert back.material_index is not None
    colors = np.array([m.color for m in back.materials])[back.material_index]
    assert np.abs(colors - ([[1, 0, 0, 1], [0, 0, 1, 0.5]] * 6)).max() < 1 / 255


def test_points(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(100, 3)) + FAR
    rgb = np.random.default_rng(1).integers(0, 255, (100, 3)).astype(np.uint8)
    layer = Layer("p", "p", LayerKind.POINTCLOUD, PointCloudData(points, {"rgb": rgb}))
    (back,) = load(write_layer(layer, tmp_path, "p"))
    assert isinstance(back.data, PointCloudData)
    assert (back.data.points == points).all()
    assert (back.data.attributes["rgb"] == rgb).all()


def test_features(tmp_path: Path) -> None:
    shapes = [shapely.LineString([FAR, FAR + 1]), shapely.LineString([FAR, FAR - 1])]
    frame = geopandas.GeoDataFrame({"用途": ["道路", "管线"], "v": [1.5, 2.5]}, geometry=shapes,
                                   crs=4549)  # fmt: skip
    layer = Layer("v", "v", LayerKind.VECTOR, VectorData(frame, True), CRS.from_epsg(4549))
    (tmp_path / "成果.gpkg").write_bytes(b"something older")
    (back,) = load(write_layer(layer, tmp_path, "成果"))
    assert isinstance(back.data, VectorData)
    assert back.data.has_z
    assert back.crs is not None
    assert back.crs.to_epsg() == 4549
    got = back.data.features
    assert list(got["用途"]) == ["道路", "管线"]
    assert (
        shapely.get_coordinates(got.geometry, include_z=True)
        == shapely.get_coordinates(shapes, include_z=True)
    ).all()


def test_rasters(tmp_path: Path) -> None:
    heights = np.random.default_rng(0).normal(size=(30, 40))
    heights[3, 4] = np.nan
    transform = (0.5, 0.0, FAR[0], 0.0, -0.5, FAR[1])
    write_raster(tmp_path / "a.tif", heights, transform, CRS.from_epsg(4549))
    (layer,) = load(tmp_path / "a.tif")
    assert isinstance(layer.data, RasterData)
    again = write_layer(layer, tmp_path, "b")
    (layer,) = load(again)
    assert isinstance(layer.data, RasterData)
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4549
    grid, at = read_grid(layer.data)
    assert at == transform
    assert np.array_equal(grid, heights, equal_nan=True)


def test_images(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (3, 30, 40)).astype(np.uint8)
    write_raster(tmp_path / "a.tif", image, (0.5, 0.0, FAR[0], 0.0, -0.5, FAR[1]))
    (layer,) = load(tmp_path / "a.tif")
    (layer,) = load(write_layer(layer, tmp_path, "b"))
    assert isinstance(layer.data, RasterData)
    rgba, _ = read_image(layer.data)
    assert (np.moveaxis(rgba[..., :3], 2, 0) == image).all()


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = write(tmp_path / "file", "x") / "a.ply"
    with pytest.raises(InputError, match="cannot be written"):
        write_ply(blocked, np.zeros((1, 3)))
    with pytest.raises(InputError, match="cannot be written"):
        write_raster(blocked.with_suffix(".tif"), np.zeros((2, 2)), (1, 0, 0, 0, -1, 5))
    layer = Layer("v", "v", LayerKind.VECTOR, VectorData(geopandas.GeoDataFrame(
        {"n": [1]}, geometry=[shapely.Point(0, 0)], crs=4549)))  # fmt: skip
    with pytest.raises(InputError, match="cannot be written"):
        write_layer(layer, tmp_path / "file", "a")
