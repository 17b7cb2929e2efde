"""3D Tiles: the samples, generated sets of every kind, hostile ones."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from plumbline.core.crs import parse_crs, working_crs
from plumbline.core.data import MeshData, PointCloudData
from plumbline.core.errors import InputError
from plumbline.core.tiles import Tile, TilesData
from plumbline.io import load
from plumbline.io.tiles3d_content import read_content
from plumbline.io.tiles3d_implicit import morton


def box_glb(batches: int = 0, **extents: Any) -> bytes:
    """Return a GLB of a box, y up; with batch numbers on its vertices."""
    mesh = trimesh.creation.box(**extents)
    if batches:
        mesh.vertex_attributes["_BATCHID"] = (np.arange(8) // (8 // batches)).astype("f4")
    raw = trimesh.Scene(mesh).export(file_type="glb")
    assert isinstance(raw, bytes)
    return raw


def pad(raw: bytes) -> bytes:
    return raw + b" " * (-len(raw) % 8)


def b3dm(glb: bytes, feature: dict[str, Any], batch: dict[str, Any] | None = None) -> bytes:
    head = pad(json.dumps(feature).encode())
    table = pad(json.dumps(batch).encode()) if batch else b""
    size = 28 + len(head) + len(table) + len(glb)
    return struct.pack("<4s6I", b"b3dm", 1, size, len(head), 0, len(table), 0) + head + table + glb


def pnts(feature: dict[str, Any], binary: bytes) -> bytes:
    head = pad(json.dumps(feature).encode())
    size = 28 + len(head) + len(binary)
    return struct.pack("<4s6I", b"pnts", 1, size, len(head), len(binary), 0, 0) + head + binary


def write_set(folder: Path, root: dict[str, Any], **files: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in files.items():
        (folder / name.replace("__", ".")).write_bytes(raw)
    path = folder / "tileset.json"
    document = {"asset": {"version": "1.0"}, "geometricError": 100, "root": root}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def volume(x: float, y: float, z: float, half: float) -> dict[str, Any]:
    return {"box": [x, y, z, half, 0, 0, 0, half, 0, 0, 0, half]}


def tiles_of(data: TilesData, tile: Tile | None = None) -> list[Tile]:
    below = data.source.roots() if tile is None else data.source.children(tile)
    return [t for one in below for t in (one, *tiles_of(data, one))]


def tiles_data(path: Path) -> TilesData:
    (layer,) = load(path)
    assert isinstance(layer.data, TilesData)
    return layer.data


# -- real sets -------------------------------------------------------------------------------------


def test_external_sets_batches_and_points(real_data: Path) -> None:
    """66,094 triangles, 125,000 points, a batch table of 40 rows."""
    folder = real_data / "3dtiles/cesium_samples/1.0/TilesetWithRequestVolume"
    (layer,) = load(folder)
    data = layer.data
    assert isinstance(data, TilesData)
    assert layer.crs == parse_crs("EPSG:4978")
    assert layer.counts == {"tiles": 6}
    contents = [data.source.content(t) for t in tiles_of(data) if t.has_content]
    meshes = [c for c in contents if isinstance(c, MeshData)]
    (points,) = [c for c in contents if isinstance(c, PointCloudData)]
    assert len(points.points) == 125_000
    assert max(len(m.triangles) for m in meshes) == 66_094
    rows = [e for m in meshes for e in m.elements if "Height" in e.properties.get("Attributes", {})]
    assert len(rows) == 40
    whole = data.mesh().mesh
    assert len({e.id for e in whole.elements}) == len(whole.elements)
    # The batch table says how high each building is: so high is the box of its triangles.
    city = next(m for m in meshes if len(m.elements) == 10)
    centre = city.vertices.mean(axis=0)
    up = centre / np.linalg.norm(centre)
    for n, element in enumerate(city.elements):
        along = city.vertices[city.triangles[city.element_index == n].ravel()] @ up
        height = element.properties["Attributes"]["Height"]
        assert np.ptp(along) == pytest.approx(height, rel=0.02)


def test_implicit_tiling(real_data: Path) -> None:
    data = tiles_data(real_data / "3dtiles/cesium_samples/1.1/SparseImplicitQuadtree")
    held = [t for t in tiles_of(data) if t.has_content]
    assert len(held) == 32
    for tile in held:
        content = data.source.content(tile)
        assert isinstance(content, MeshData)
        low, high = content.vertices.min(axis=0), content.vertices.max(axis=0)
        assert (low[:2] >= tile.bounds.low[:2] - 1e-6).all()
        assert (high[:2] <= tile.bounds.high[:2] + 1e-6).all()


def test_buildings_of_a_city_stand_on_the_ground(real_data: Path) -> None:
    folder = real_data / "3dtiles/pg2b3dm/amsterdam/cesium"
    assert len([t for t in tiles_of(tiles_data(folder)) if t.has_content]) == 10
    (layer,) = load(folder)
    assert layer.bounds is not None
    metric = working_crs(layer.crs, layer.bounds.center)
    assert metric is not None
    (placed,) = load(folder, target_crs=metric)
    assert isinstance(placed.data, TilesData)
    z = placed.data.mesh().mesh.vertices[:, 2]
    # Amsterdam lies at the sea, 43 m above the ellipsoid.
    assert 30 < np.median(z) < 90
    assert all("blockid" in e.properties["Attributes"] for e in placed.data.mesh().mesh.elements)


# -- generated sets --------------------------------------------------------------------------------


def test_transforms_and_up_axes_and_origins_add_up(tmp_path: Path) -> None:
    """A box of 2 x 4 x 6 whose glTF is y up, moved by its tile, its parent and its RTC_CENTER."""
    turn = [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 100, 200, 10, 1]
    child = {
        "boundingVolume": volume(1000, 0, 0, 5), "geometricError": 0,
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1], "content": {"uri": "a.b3dm"},
    }  # fmt: skip
    root = {"boundingVolume": volume(0, 0, 0, 2000), "geometricError": 9, "transform": turn,
            "children": [child]}  # fmt: skip
    glb = box_glb(2, extents=(2, 4, 6))
    tile = b3dm(glb, {"BATCH_LENGTH": 2, "RTC_CENTER": [1000, 0, 0]}, {"名称": ["甲", "乙"]})
    path = write_set(tmp_path / "瓦 块", root, a__b3dm=gzip.compress(tile))
    mesh = tiles_data(path).mesh().mesh
    # x of the tile points north: (1005, 0, 0) lands at (100, 200 + 1005, 10).
    assert mesh.vertices.mean(axis=0) == pytest.approx([100, 1205, 10])
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([6, 2, 4])
    assert [e.name for e in mesh.elements] == ["甲", "乙"]
    assert {e.id for e in mesh.elements} == {"a.b3dm#0", "a.b3dm#1"}


def test_points_plain_and_quantized() -> None:
    xyz = np.array([[1, 2, 3], [4, 5, 6]], "<f4")
    rgb = np.array([[255, 0, 0], [0, 255, 0]], "u1")
    plain = pnts(
        {"POINTS_LENGTH": 2, "POSITION": {"byteOffset": 0}, "RGB": {"byteOffset": 24}},
        xyz.tobytes() + rgb.tobytes(),
    )
    _, (cloud,), _ = read_content(plain, Path("a.pnts"))
    assert cloud.points == pytest.approx(xyz)
    assert (cloud.attributes["rgb"] == rgb).all()
    steps = np.array([[0, 0, 0], [65535, 65535, 65535]], "<u2")
    packed = np.array([0xF800, 0x07E0], "<u2")
    quantized = pnts(
        {
            "POINTS_LENGTH": 2, "POSITION_QUANTIZED": {"byteOffset": 0},
            "QUANTIZED_VOLUME_OFFSET": [10, 20, 30], "QUANTIZED_VOLUME_SCALE": [1, 2, 4],
            "RGB565": {"byteOffset": 12},
        },
        steps.tobytes() + packed.tobytes(),
    )  # fmt: skip
    _, (cloud,), _ = read_content(quantized, Path("a.pnts"))
    assert cloud.points == pytest.approx(np.array([[10, 20, 30], [11, 22, 34]]))
    assert (cloud.attributes["rgb"] == rgb).all()


def test_instances_and_composites() -> None:
    """Two copies of a unit cube, the second twice as large and turned about the vertical."""
    places = np.array([[0, 0, 0], [10, 0, 0]], "<f4")
    up, right = np.array([[0, 1, 0], [-1, 0, 0]], "<f4"), np.array([[1, 0, 0], [0, 1, 0]], "<f4")
    scale = np.array([1, 2], "<f4")
    feature = pad(json.dumps({
        "INSTANCES_LENGTH": 2, "POSITION": {"byteOffset": 0}, "NORMAL_UP": {"byteOffset": 24},
        "NORMAL_RIGHT": {"byteOffset": 48}, "SCALE": {"byteOffset": 72},
    }).encode())  # fmt: skip
    binary = pad(b"".join(a.tobytes() for a in (places, up, right, scale)))
    glb = box_glb(extents=(1, 1, 1))
    size = 32 + len(feature) + len(binary) + len(glb)
    i3dm = struct.pack("<4s7I", b"i3dm", 1, size, len(feature), len(binary), 0, 0, 1)
    i3dm += feature + binary + glb
    cloud = pnts({"POINTS_LENGTH": 1, "POSITION": {"byteOffset": 0}}, struct.pack("<3f4x", 7, 8, 9))
    cmpt = struct.pack("<4s3I", b"cmpt", 1, 16 + len(i3dm) + len(cloud), 2) + i3dm + cloud
    (mesh,), (points,), _ = read_content(cmpt, Path("a.cmpt"))
    first, second = np.split(mesh.vertices, 2)
    assert np.abs(first).max() == pytest.approx(0.5)
    assert second.mean(axis=0) == pytest.approx([10, 0, 0])
    assert np.ptp(second, axis=0) == pytest.approx([2, 2, 2])
    assert points.points[0].tolist() == [7, 8, 9]


def test_add_keeps_the_parent_and_replace_does_not(tmp_path: Path) -> None:
    for refine, count in (("ADD", 24), ("REPLACE", 12)):
        child = {"boundingVolume": volume(0, 0, 0, 1), "geometricError": 0,
                 "content": {"uri": "b.glb"}}  # fmt: skip
        root = {"boundingVolume": volume(0, 0, 0, 1), "geometricError": 5, "refine": refine,
                "content": {"uri": "a.glb"}, "children": [child]}  # fmt: skip
        path = write_set(tmp_path / refine, root, a__glb=box_glb(), b__glb=box_glb())
        assert len(tiles_data(path).mesh().mesh.triangles) == count


def test_morton_order() -> None:
    """OGC 22-025r4, clause 7.4.2: bits interleaved, x lowest."""
    assert [morton((x, y)) for y in (0, 1) for x in (0, 1)] == [0, 1, 2, 3]
    assert morton((5, 3)) == 0b011011
    assert morton((1, 1, 1)) == 7


# -- hostile sets ----------------------------------------------------------------------------------


def test_one_bad_branch_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "secret.glb").write_bytes(box_glb())
    good = {"boundingVolume": volume(0, 0, 0, 1), "geometricError": 0, "content": {"uri": "a.glb"}}
    uris = ["../secret.glb", str(tmp_path / "secret.glb"), "http://example.org/a.glb", "gone.glb",
            "broken.b3dm", "C:\\secret.glb", "..%2Fsecret.glb"]  # fmt: skip
    bad = [{**good, "content": {"uri": uri}} for uri in uris]
    itself = {**good, "content": {"uri": "tileset.json"}}
    root = {"boundingVolume": volume(0, 0, 0, 9), "geometricError": 5,
            "children": [*bad, itself, good]}  # fmt: skip
    path = write_set(tmp_path / "set", root, a__glb=box_glb(), broken__b3dm=b"b3dm" + b"\xff" * 40)
    (layer,) = load(path)
    assert isinstance(layer.data, TilesData)
    assert len(layer.data.mesh().mesh.triangles) == 12
    assert len(layer.data.source.notes) == len(uris) + 1


@pytest.mark.parametrize(
    "change",
    [
        {"boundingVolume": {"box": [0] * 11}},
        {"boundingVolume": {"box": [float("1e300")] * 12}},
        {"boundingVolume": {}},
        {"boundingVolume": {"region": [0, 0, 1]}},
        {"transform": [1, 2, 3]},
        {"implicitTiling": {"subdivisionScheme": "SPIRAL", "subtreeLevels": 2}},
        {"implicitTiling": {"subdivisionScheme": "OCTREE", "subtreeLevels": 60}},
    ],
)
def test_absurd_roots_are_refused_in_one_sentence(tmp_path: Path, change: dict[str, Any]) -> None:
    root = {"boundingVolume": volume(0, 0, 0, 1), "geometricError": 5, **change}
    with pytest.raises(InputError):
        load(write_set(tmp_path, root))


@pytest.mark.parametrize("error", [-5, "x", None, 1e300, True])
def test_absurd_errors_count_as_none(tmp_path: Path, error: object) -> None:
    child = {"boundingVolume": volume(0, 0, 0, 1), "geometricError": 0, "content": {"uri": "a.glb"}}
    root = {"boundingVolume": volume(0, 0, 0, 1), "geometricError": error, "children": [child]}
    data = tiles_data(write_set(tmp_path, root, a__glb=box_glb()))
    assert data.source.roots()[0].error == 0
