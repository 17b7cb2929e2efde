"""Layers tiled into 3D Tiles 1.1 and read back: the finest tiles are what went in."""

from __future__ import annotations

import io
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import trimesh
from PIL import Image
from scipy.spatial import cKDTree

from plumbline.core.crs import parse_crs
from plumbline.core.data import Element, Material, MeshData, PointCloudData, Texture, VectorData
from plumbline.core.errors import CancelledError, InputError, RefusedError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.tiles import Tile, TilesData
from plumbline.io import load, mesh_tiling, raster_tiling
from plumbline.io.tiling import TilingOptions, tile_layer
from plumbline.io.writers import write_ply

CRS = parse_crs("EPSG:4547")


def layer_of(data: MeshData | VectorData) -> Layer:
    kind = LayerKind.MESH if isinstance(data, MeshData) else LayerKind.VECTOR
    return Layer("a", "a", kind, data, CRS)


def hill() -> MeshData:
    """Return a hill of 80 x 80 squares at real map coordinates, an element for each quarter."""
    n = 81
    x, y = np.meshgrid(np.linspace(0, 800, n), np.linspace(0, 800, n))
    z = 60 * np.exp(-((x - 300) ** 2 + (y - 500) ** 2) / 40_000)
    vertices = np.column_stack([x.ravel() + 501_000, y.ravel() + 2_489_000, z.ravel()])
    at = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    triangles = np.concatenate([np.column_stack([at, at + 1, at + n + 1]),
                                np.column_stack([at, at + n + 1, at + n])])  # fmt: skip
    mesh = MeshData(vertices, triangles)
    middle = vertices[triangles].mean(axis=1) - [501_000, 2_489_000, 0]
    quarter = (middle[:, 0] > 400) * 2 + (middle[:, 1] > 400)
    mesh.elements = [
        Element(
            f"q{n}", "Field", f"第{n}块", properties={"Attributes": {"area": n * 1.5, "crop": c}}
        )
        for n, c in enumerate(["rice", None, "稻", "tea"])
    ]
    mesh.element_index = quarter.astype(np.int32)
    return mesh


def leaves(data: TilesData, tile: Tile | None = None) -> list[tuple[Tile, MeshData]]:
    below = data.source.roots() if tile is None else data.source.children(tile)
    found = []
    for one in below:
        content = data.source.content(one)
        if one.is_leaf and isinstance(content, MeshData):
            found.append((one, content))
        found += leaves(data, one)
    return found


def everything(data: TilesData, tile: Tile | None = None) -> list[Tile]:
    below = data.source.roots() if tile is None else data.source.children(tile)
    return [t for one in below for t in (one, *everything(data, one))]


def read(folder: Path) -> tuple[Layer, TilesData]:
    (layer,) = load(folder)
    assert layer.warnings == []
    assert isinstance(layer.data, TilesData)
    return layer, layer.data


def area(mesh: MeshData) -> float:
    a, b, c = (mesh.vertices[mesh.triangles[:, n]] for n in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def middles(mesh: MeshData) -> np.ndarray:
    points = mesh.vertices[mesh.triangles].mean(axis=1)
    return points[np.lexsort(points.round(3).T)]


# -- meshes ----------------------------------------------------------------------------------------


@pytest.fixture
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_tiling, "TRIANGLES", 1000)


@pytest.mark.usefixtures("_small_tiles")
def test_the_finest_tiles_are_the_mesh(tmp_path: Path) -> None:
    mesh = hill()
    done = tile_layer(layer_of(mesh), tmp_path / "set")
    assert done["triangles"] == len(mesh.triangles)
    layer, data = read(tmp_path / "set")
    assert layer.crs == CRS
    assert layer.counts == {"tiles": done["tiles"]}
    found = data.mesh().mesh
    assert middles(found) == pytest.approx(middles(mesh), abs=1e-4)
    assert area(found) == pytest.approx(area(mesh), rel=1e-6)
    for tile, content in leaves(data):
        assert len(content.triangles) <= 1000
        assert (content.vertices >= np.array(tile.bounds.low) - 1e-3).all()
        assert (content.vertices <= np.array(tile.bounds.high) + 1e-3).all()


@pytest.mark.usefixtures("_small_tiles")
def test_coarse_tiles_are_wrong_by_no_more_than_they_say(tmp_path: Path) -> None:
    mesh = hill()
    tile_layer(layer_of(mesh), tmp_path / "set")
    _, data = read(tmp_path / "set")
    known = cKDTree(mesh.vertices)
    coarse = [t for t in everything(data) if not t.is_leaf]
    assert len(coarse) >= 5
    for tile in coarse:
        content = data.source.content(tile)
        assert isinstance(content, MeshData)
        assert 100 < len(content.triangles) <= 1000
        assert known.query(content.vertices)[0].max() <= tile.error
        assert all(child.error < tile.error for child in data.source.children(tile))
    # Asked for an error, the tree gives fewer triangles, and still the whole hill.
    (root,) = data.source.roots()
    rough = data.mesh(error=root.error)
    assert len(rough.mesh.triangles) <= 1000
    assert area(rough.mesh) == pytest.approx(area(mesh), rel=0.15)


@pytest.mark.usefixtures("_small_tiles")
def test_attributes_come_with_every_tile(tmp_path: Path) -> None:
    mesh = hill()
    tile_layer(layer_of(mesh), tmp_path / "set")
    _, data = read(tmp_path / "set")
    for tile in everything(data):
        content = data.source.content(tile)
        assert isinstance(content, MeshData)
        assert content.element_index is not None
        middle = content.vertices[content.triangles].mean(axis=1) - [501_000, 2_489_000, 0]
        for element in range(len(content.elements)):
            row = content.elements[element].properties["Attributes"]
            mine = middle[content.element_index == element]
            quarter = int(str(row["id"])[1:])
            # Coarse triangles reach over the border by their error.
            assert (
                (mine[:, 0] > 400 - tile.error).all()
                if quarter >= 2
                else (mine[:, 0] < 400 + tile.error).all()
            )
            assert row["area"] == quarter * 1.5
            assert row.get("crop") == ["rice", None, "稻", "tea"][quarter]
            assert content.elements[element].name == f"第{quarter}块"


@pytest.mark.usefixtures("_small_tiles")
def test_another_program_reads_the_contents(tmp_path: Path) -> None:
    """trimesh counts the same triangles and area in the leaves."""
    mesh = hill()
    tile_layer(layer_of(mesh), tmp_path / "set")
    _, data = read(tmp_path / "set")
    names = [f"{t.id.replace('/', '')}.glb" for t, _ in leaves(data)]
    assert all((tmp_path / "set" / name).is_file() for name in names)
    scenes = [trimesh.load_scene(tmp_path / "set" / name) for name in names]
    assert sum(len(g.faces) for s in scenes for g in s.geometry.values()) == len(mesh.triangles)
    assert sum(g.area for s in scenes for g in s.geometry.values()) == pytest.approx(area(mesh))


@pytest.mark.usefixtures("_small_tiles")
def test_the_same_mesh_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tile_layer(layer_of(hill()), tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == sorted(p.name for p in (tmp_path / "b").iterdir())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_textures_are_cut_to_what_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strip over a picture of four colours; its colours are where they were, in every tile."""
    monkeypatch.setattr(mesh_tiling, "TRIANGLES", 40)
    colors = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [220, 220, 30]], np.uint8)
    picture = np.repeat(np.repeat(colors[None], 64, axis=0), 256, axis=1)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    n = 65
    x = np.repeat(np.linspace(0, 100, n), 2)
    y = np.tile([0.0, 10.0], n)
    uv = np.column_stack([x / 100, y / 10]).astype("f4")
    at = np.arange(0, 2 * (n - 1), 2)
    triangles = np.concatenate([np.column_stack([at, at + 2, at + 3]),
                                np.column_stack([at, at + 3, at + 1])])  # fmt: skip
    mesh = MeshData(np.column_stack([x, y, 0 * x]), triangles, uv)
    mesh.materials = [Material("photo", (1, 1, 1, 1), Texture(data=stream.getvalue()))]
    mesh.material_index = np.zeros(len(triangles), np.int32)
    tile_layer(layer_of(mesh), tmp_path / "set")
    _, data = read(tmp_path / "set")
    found = leaves(data)
    assert len(found) == 4
    for _, content in found:
        assert content.uv is not None
        (material,) = content.materials
        assert material.texture is not None
        assert material.texture.data is not None
        with Image.open(io.BytesIO(material.texture.data)) as image:
            assert image.width < 400
            pixels = np.asarray(image.convert("RGB")).astype(int)
        middle = content.uv[content.triangles].mean(axis=1)
        place = content.vertices[content.triangles].mean(axis=1)[:, 0]
        columns = (middle[:, 0] * pixels.shape[1]).astype(int)
        seen = pixels[pixels.shape[0] // 2, columns]
        expected = colors[(place / 25).astype(int)]
        assert np.abs(seen - expected).max() < 40  # JPEG smears a little at borders
    (root,) = data.source.roots()
    coarse = data.source.content(root)
    assert isinstance(coarse, MeshData)
    assert coarse.colors is not None
    inner = np.abs(coarse.vertices[:, 0] % 25 - 12.5) < 8
    expected = colors[(coarse.vertices[inner, 0] / 25).astype(int)]
    assert np.abs(coarse.colors[inner, :3].astype(int) - expected).max() <= 3


# -- rasters ---------------------------------------------------------------------------------------


def terrain(path: Path, rows: int = 70, columns: int = 100) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns]
    heights = (100 + 0.5 * x - 0.25 * y).astype("f4")
    heights[10:14, 20:30] = -9999
    with rasterio.open(
        path, "w", "GTiff", columns, rows, 1, "EPSG:4547", dtype="float32", nodata=-9999,
        transform=rasterio.Affine(2, 0, 501_000, 0, -2, 2_489_000),
    ) as out:  # fmt: skip
        out.write(heights, 1)
    return heights


def test_terrain_is_triangles_between_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster_tiling, "CELLS", 16)
    heights = terrain(tmp_path / "t.tif")
    (layer,) = load(tmp_path / "t.tif")
    tile_layer(layer, tmp_path / "set")
    made, data = read(tmp_path / "set")
    assert made.crs == parse_crs("EPSG:4547")
    found = np.concatenate([content.vertices for _, content in leaves(data)])
    column = (found[:, 0] - 501_000) / 2 - 0.5
    row = (2_489_000 - found[:, 1]) / 2 - 0.5
    assert column == pytest.approx(np.rint(column), abs=1e-4)
    at = np.rint(row).astype(int), np.rint(column).astype(int)
    assert found[:, 2] == pytest.approx(heights[at], abs=1e-3)
    # Every cell with a height is there, those without are not.
    seen = np.zeros(heights.shape, bool)
    seen[at] = True
    assert np.array_equal(seen, heights > -9999)
    # The plane between the cells, without the hole, and no gap between tiles.
    flat = np.concatenate([c.vertices[c.triangles][..., :2] for _, c in leaves(data)])
    covered = shapely.union_all(shapely.polygons(flat.round(3)))
    assert covered.area == pytest.approx((99 * 69 - 11 * 5) * 4)
    for tile in everything(data):
        content = data.source.content(tile)
        if not tile.is_leaf and isinstance(content, MeshData):
            x, y = content.vertices[:, 0] - 501_001, 2_488_999 - content.vertices[:, 1]
            plane = 100 + 0.25 * x - 0.125 * y
            assert np.abs(content.vertices[:, 2] - plane).max() <= 0.4 * tile.error


def test_imagery_keeps_its_place_and_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster_tiling, "PIXELS", 32)
    picture = np.zeros((3, 64, 64), np.uint8)
    picture[0, :, :32], picture[1, :, 32:] = 200, 100
    with rasterio.open(
        tmp_path / "i.tif", "w", "GTiff", 64, 64, 3, "EPSG:4547", dtype="uint8",
        transform=rasterio.Affine(1, 0, 501_000, 0, -1, 2_489_000),
    ) as out:  # fmt: skip
        out.write(picture)
    (layer,) = load(tmp_path / "i.tif", {"role": "imagery"})
    tile_layer(layer, tmp_path / "set")
    _, data = read(tmp_path / "set")
    found = leaves(data)
    assert len(found) == 4
    assert sum(area(content) for _, content in found) == pytest.approx(64 * 64)
    for tile, content in found:
        assert content.materials[0].texture is not None
        with Image.open(io.BytesIO(content.materials[0].texture.data or b"")) as image:
            mean = np.asarray(image.convert("RGB")).mean(axis=(0, 1))
        west = tile.bounds.center[0] < 501_032
        assert mean == pytest.approx([200, 0, 0] if west else [0, 100, 0], abs=4)


# -- features --------------------------------------------------------------------------------------


def features() -> VectorData:
    hole = shapely.box(0, 0, 30, 20).difference(shapely.box(10, 5, 20, 15))
    shapes = [hole, shapely.MultiPolygon([shapely.box(50, 0, 60, 10), shapely.box(70, 0, 75, 10)]),
              shapely.LineString([(0, 50), (100, 50)]), shapely.Point(5, 5)]  # fmt: skip
    shapes = [shapely.transform(s, lambda p: p + [501_000, 2_489_000]) for s in shapes]
    rows = {
        "楼层": [3, 5, None, None],
        "height": [9.0, 15.0, None, None],
        "name": ["甲", "乙", "路", "x"],
    }
    frame = geopandas.GeoDataFrame(rows, geometry=shapes, crs="EPSG:4547",
                                   index=["f1", "f2", "f3", "f4"])  # fmt: skip
    return VectorData(frame)


def test_features_are_areas_walls_and_ribbons_with_attributes(tmp_path: Path) -> None:
    tile_layer(layer_of(features()), tmp_path / "set", TilingOptions("height", 4.0))
    _, data = read(tmp_path / "set")
    ((_, content),) = leaves(data)
    assert content.element_index is not None
    names = {e.properties["Attributes"]["id"]: n for n, e in enumerate(content.elements)}
    assert set(names) == {"f1", "f2", "f3"}
    row = content.elements[names["f1"]].properties["Attributes"]
    assert (row["楼层"], row["height"], row["name"]) == (3.0, 9.0, "甲")
    assert "height" not in content.elements[names["f3"]].properties["Attributes"]
    corners = content.vertices[content.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    flat, size = np.abs(normal[:, 2]), np.linalg.norm(normal, axis=1)
    of = {key: content.element_index == n for key, n in names.items()}
    # 30 x 20 less a hole of 10 x 10; outlines of 100 + 40 m, 9 m high.
    assert flat[of["f1"]].sum() == pytest.approx(500)
    assert size[of["f1"] & (flat < 1e-6)].sum() == pytest.approx((100 + 40) * 9)
    assert flat[of["f2"]].sum() == pytest.approx(150)
    assert size[of["f2"] & (flat < 1e-6)].sum() == pytest.approx((40 + 30) * 15)
    assert corners[of["f2"]][..., 2].max() == pytest.approx(15)
    assert size[of["f3"]].sum() == pytest.approx(400)
    # Walls look outwards: what flows through roof and walls is the volume, 500 x 9.
    through = (corners[of["f1"]].mean(axis=1) * normal[of["f1"]])[:, :2].sum()
    assert through / 2 == pytest.approx(500 * 9, rel=1e-4)


def test_real_footprints_keep_their_area(tmp_path: Path, real_data: Path) -> None:
    """Göteborg: 137 buildings, 108,219.668 m²."""
    (layer,) = load(real_data / "vector/goteborg/buildings.shp")
    tile_layer(layer, tmp_path / "set")
    _, data = read(tmp_path / "set")
    mesh = data.mesh().mesh
    assert len(mesh.elements) == 137
    assert area(mesh) == pytest.approx(108_219.668, rel=1e-4)


def test_a_photogrammetric_tile_survives(tmp_path: Path, real_data: Path) -> None:
    """20,454 triangles, 32,100.21 m²."""
    (layer,) = load(real_data / "mesh/photogrammetry_obj/tile_013_L18/tile_013_L18.obj")
    tile_layer(layer, tmp_path / "set")
    _, data = read(tmp_path / "set")
    mesh = data.mesh().mesh
    assert len(mesh.triangles) == 20_454
    assert area(mesh) == pytest.approx(32_100.21, rel=1e-4)
    assert len(mesh.materials) == 8
    assert all(m.texture is not None for m in mesh.materials)


# -- clouds, and what is refused -------------------------------------------------------------------


def test_a_cloud_of_another_format_becomes_copc(tmp_path: Path) -> None:
    points = np.random.default_rng(1).uniform(0, 100, (500, 3)).round(3) + [501_000, 2_489_000, 0]
    write_ply(tmp_path / "c.ply", points)
    (layer,) = load(tmp_path / "c.ply", crs="EPSG:4547")
    done = tile_layer(layer, tmp_path / "c.copc.laz")
    assert done["points"] == 500
    (made,) = load(tmp_path / "c.copc.laz")
    assert isinstance(made.data, PointCloudData)
    assert made.crs is not None
    assert made.crs.to_epsg() == 4547
    found = made.data.points
    assert found[np.lexsort(found.T)] == pytest.approx(points[np.lexsort(points.T)], abs=1e-6)


def test_what_cannot_be_tiled_is_refused(tmp_path: Path) -> None:
    mesh = layer_of(hill())
    tile_layer(mesh, tmp_path / "set")
    with pytest.raises(InputError, match="already"):
        tile_layer(mesh, tmp_path / "set")
    tile_layer(mesh, tmp_path / "set", TilingOptions(overwrite=True))
    (tmp_path / "precious").mkdir()
    with pytest.raises(InputError, match="already"):
        tile_layer(mesh, tmp_path / "precious", TilingOptions(overwrite=True))
    with pytest.raises(RefusedError, match="already"):
        tile_layer(load(tmp_path / "set")[0], tmp_path / "again")
    mesh.crs = parse_crs("EPSG:4490")
    with pytest.raises(RefusedError, match="not on a map"):
        tile_layer(mesh, tmp_path / "again")
    with pytest.raises(UsageError, match="no column"):
        tile_layer(layer_of(features()), tmp_path / "again", TilingOptions("heigth"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["precious", "set"]


@pytest.mark.usefixtures("_small_tiles")
def test_nothing_is_left_when_it_is_cancelled(tmp_path: Path) -> None:
    def cancel(fraction: float, _: str) -> None:
        if fraction > 0.3:
            feedback.cancel()

    feedback = Feedback(cancel)
    with pytest.raises(CancelledError):
        tile_layer(layer_of(hill()), tmp_path / "set", None, feedback)
    assert list(tmp_path.iterdir()) == []
