"""PLY, STL and glTF against what trimesh writes, and against files written by hand."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from tests.io.mesh_files import area, load_mesh, volume, write

from plumbline.core.data import PointCloudData
from plumbline.core.errors import InputError
from plumbline.io import load

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def ball() -> Any:
    mesh = trimesh.creation.icosphere(subdivisions=2)
    mesh.visual.vertex_colors = np.arange(len(mesh.vertices) * 4).reshape(-1, 4) % 256
    return mesh


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.ply", {}),
        ("a.ply", {"encoding": "ascii"}),
        ("a.stl", {}),
        ("a.stl", {"file_type": "stl_ascii"}),
        ("a.glb", {}),
    ],
)
def test_what_trimesh_writes(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    expected = ball()
    expected.export(tmp_path / name, **options)
    mesh, layer = load_mesh(tmp_path / name, {"up": "z"})
    assert layer.counts["triangles"] == len(expected.faces)
    assert layer.counts["vertices"] == len(expected.vertices)
    assert area(mesh) == pytest.approx(expected.area, rel=1e-6)
    assert volume(mesh) == pytest.approx(expected.volume, rel=1e-6)
    assert mesh.vertices.dtype == np.float64


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_ply_colours(tmp_path: Path, encoding: str) -> None:
    expected = ball()
    expected.export(tmp_path / "a.ply", encoding=encoding)
    mesh, _ = load_mesh(tmp_path / "a.ply")
    assert mesh.colors is not None
    assert (mesh.colors == expected.visual.vertex_colors).all()


PLY_HEADER = """ply
format {kind} 1.0
comment written by hand
element vertex 5
property double x
property double y
property double z
property float s
property float t
element face 2
property uchar quality
property list uchar int vertex_indices
end_header
"""
ROWS = [(500000.123456, 0, 0, 0, 0), (500001.123456, 0, 0, 1, 0), (500001.123456, 1, 0, 1, 1),
        (500000.123456, 1, 0, 0, 1), (500002.123456, 0.5, 0, 0.5, 0.5)]  # fmt: skip
FACES = [(9, [0, 1, 2, 3]), (8, [1, 4, 2])]


def ply(kind: str) -> bytes:
    order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[kind]
    if not order:
        body = "".join(" ".join(map(str, row)) + "\n" for row in ROWS)
        body += "".join(f"{q} {len(f)} {' '.join(map(str, f))}\n" for q, f in FACES)
        return PLY_HEADER.format(kind=kind).encode() + body.encode()
    packed = b"".join(struct.pack(order + "dddff", *row) for row in ROWS)
    packed += b"".join(struct.pack(f"{order}BB{len(f)}i", q, len(f), *f) for q, f in FACES)
    return PLY_HEADER.format(kind=kind).encode() + packed


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_with_faces_of_different_length(tmp_path: Path, kind: str) -> None:
    mesh, layer = load_mesh(write(tmp_path / "a.ply", ply(kind)))
    assert layer.counts == {"vertices": 5, "triangles": 3}
    assert area(mesh) == pytest.approx(1.5)
    assert mesh.vertices[0, 0] == 500000.123456
    assert mesh.uv is not None
    assert mesh.uv[4].tolist() == [0.5, 0.5]


def test_ply_without_faces_is_a_point_cloud(tmp_path: Path) -> None:
    text = (
        "ply\nformat ascii 1.0\nelement vertex 2\nproperty double x\nproperty double y\n"
        "property double z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n"
        "property float intensity\nend_header\n1 2 3 10 20 30 0.5\n4 5 6 40 50 60 0.25\n"
    )
    (layer,) = load(write(tmp_path / "a.ply", text))
    assert isinstance(layer.data, PointCloudData)
    assert layer.counts == {"points": 2}
    assert layer.data.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert layer.data.attributes["rgb"].tolist() == [[10, 20, 30], [40, 50, 60]]
    assert layer.data.attributes["intensity"].tolist() == [0.5, 0.25]


def test_ply_with_texture_on_its_corners(tmp_path: Path) -> None:
    write(tmp_path / "a.png", PNG)
    text = (
        "ply\nformat ascii 1.0\ncomment TextureFile a.png\nelement vertex 3\nproperty float x\n"
        "property float y\nproperty float z\nelement face 2\n"
        "property list uchar int vertex_indices\nproperty list uchar float texcoord\nend_header\n"
        "0 0 0\n1 0 0\n0 1 0\n3 0 1 2 6 0 0 1 0 0 1\n3 2 1 0 6 0 1 .5 .5 0 0\n"
    )
    mesh, layer = load_mesh(write(tmp_path / "a.ply", text))
    assert layer.counts == {"vertices": 4, "triangles": 2}
    assert mesh.uv is not None
    assert mesh.uv[mesh.triangles].tolist() == [
        [[0, 0], [1, 0], [0, 1]],
        [[0, 1], [0.5, 0.5], [0, 0]],
    ]
    assert mesh.materials[0].texture is not None


def test_ply_that_counts_more_than_it_holds(tmp_path: Path) -> None:
    text = PLY_HEADER.format(kind="binary_little_endian").replace("vertex 5", "vertex 999999999999")
    with pytest.raises(InputError, match="cut off"):
        load(write(tmp_path / "a.ply", text + "x" * 100))


def test_stl_joins_equal_corners_and_keeps_volume(tmp_path: Path) -> None:
    box = trimesh.creation.box((2, 3, 4))
    box.export(tmp_path / "a.stl")
    mesh, layer = load_mesh(tmp_path / "a.stl")
    assert layer.counts == {"vertices": 8, "triangles": 12}
    assert volume(mesh) == pytest.approx(24)


def test_binary_stl_whose_header_says_solid(tmp_path: Path) -> None:
    raw = bytearray(trimesh.creation.box().export(file_type="stl"))
    raw[:80] = b"solid written by some program".ljust(80)
    _, layer = load_mesh(write(tmp_path / "a.stl", bytes(raw)))
    assert layer.counts["triangles"] == 12


def gltf(**changes: Any) -> dict[str, Any]:
    """One triangle in two nodes; the second moved, turned and mirrored."""
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()
    uv = np.array([[0, 0], [1, 0], [0, 1]], "<f4").tobytes()
    raw = points + uv + np.array([0, 1, 2], "<u2").tobytes() + b"\0\0"
    start = len(raw)
    raw += PNG
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"name": "block", "mesh": 0, "children": [1], "translation": [534000.125, 50, -4e6],
             "extras": {"用途": "住宅"}},
            {"name": "block", "mesh": 0, "matrix": [-2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0,
                                                     0.0625, 0, 0, 1]},
        ],
        "meshes": [{"primitives": [
            {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]}],
        "materials": [{"name": "wall", "pbrMetallicRoughness": {
            "baseColorFactor": [1, 0.5, 0, 0.5], "baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5126, "count": 3, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5123, "count": 3, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 36},
            {"buffer": 0, "byteOffset": 36, "byteLength": 24},
            {"buffer": 0, "byteOffset": 60, "byteLength": 6},
            {"buffer": 0, "byteOffset": start, "byteLength": len(PNG)},
        ],
        "buffers": [{"byteLength": len(raw), "uri":
            "data:application/octet-stream;base64," + base64.b64encode(raw).decode()}],
    }  # fmt: skip
    document.update(changes)
    return document


def test_gltf_nodes_are_placed_in_float64_and_turned_z_up(tmp_path: Path) -> None:
    mesh, layer = load_mesh(write(tmp_path / "a.gltf", json.dumps(gltf())))
    assert layer.metadata["up"] == "y"
    assert layer.counts == {"vertices": 6, "triangles": 2, "elements": 2}
    # y up (x, y, z) is z up (x, -z, y)
    assert mesh.vertices[0].tolist() == [534000.125, 4e6, 50]
    assert mesh.vertices[2].tolist() == [534000.125, 4e6, 51]
    assert mesh.vertices[3].tolist() == [534000.1875, 4e6, 50]
    assert mesh.vertices[4].tolist() == [533998.1875, 4e6, 50]
    assert [e.id for e in mesh.elements] == ["block", "block #2"]
    assert mesh.elements[0].properties == {"extras": {"用途": "住宅"}}


def test_a_mirrored_node_keeps_its_outside_outside(tmp_path: Path) -> None:
    mesh, _ = load_mesh(write(tmp_path / "a.gltf", json.dumps(gltf())))
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    assert normals[0, 1] < 0
    assert normals[1, 1] < 0


def test_gltf_material_texture_and_uv(tmp_path: Path) -> None:
    mesh, _ = load_mesh(write(tmp_path / "a.gltf", json.dumps(gltf())))
    (material,) = mesh.materials
    assert material.name == "wall"
    # sRGB of linear 0.5, IEC 61966-2-1; OPAQUE ignores alpha.
    assert material.color == pytest.approx((1.0, 0.735357, 0.0, 1.0), abs=1e-5)
    assert material.texture is not None
    assert material.texture.data == PNG
    assert mesh.uv is not None
    assert mesh.uv[:3].tolist() == [[0, 1], [1, 1], [0, 0]]  # origin at the lower left


def test_gltf_with_its_buffer_in_a_file(tmp_path: Path) -> None:
    document = gltf()
    raw = base64.b64decode(document["buffers"][0]["uri"].split(",")[1])
    write(tmp_path / "几何 数据.bin", raw)
    document["buffers"][0]["uri"] = "%E5%87%A0%E4%BD%95%20%E6%95%B0%E6%8D%AE.bin"
    _, layer = load_mesh(write(tmp_path / "a.gltf", json.dumps(document)))
    assert layer.counts["triangles"] == 2


@pytest.mark.parametrize("uri", ["../out.bin", "{outside}", "http://127.0.0.1/out.bin", "out.txt"])
def test_gltf_reads_nothing_outside_of_its_folder(tmp_path: Path, uri: str) -> None:
    document = gltf()
    raw = base64.b64decode(document["buffers"][0]["uri"].split(",")[1])
    outside = write(tmp_path / "out.bin", raw)
    document["buffers"][0]["uri"] = uri.format(outside=outside)
    with pytest.raises(InputError, match="is not there"):
        load(write(tmp_path / "model" / "a.gltf", json.dumps(document)))


def nested(depth: int) -> list[dict[str, Any]]:
    return [{"children": [n + 1, n + 1]} for n in range(depth)] + [{"mesh": 0}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extensionsRequired": ["EXT_meshopt_compression"]}, "meshopt"),
        ({"extensionsRequired": ["VENDOR_new"]}, "VENDOR_new"),
        ({"asset": {"version": "1.0"}}, "version 1.0"),
        ({"nodes": [{"mesh": 0, "children": [0]}]}, "tree"),
        ({"nodes": nested(40)}, "tree"),
        ({"nodes": [{"mesh": -1}]}, "number where none can be"),
        ({"nodes": [{"mesh": 5}]}, "structure"),
        ({"meshes": []}, "structure"),
        ({"scenes": [{"nodes": []}]}, "no triangles"),
        ({"asset": None}, "structure"),
        ({"accessors": [{"componentType": 5126, "count": 10**12, "type": "VEC3"}] * 3}, "memory"),
        ({"bufferViews": [{"buffer": 0, "byteLength": 10**9}] * 4}, "beyond"),
    ],
)
def test_gltf_that_cannot_be_read(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        load(write(tmp_path / "a.gltf", json.dumps(gltf(**changes))))


def test_gltf_index_beyond_its_vertices_costs_one_triangle(tmp_path: Path) -> None:
    document = gltf()
    document["accessors"][2] = {
        "bufferView": 2,
        "componentType": 5121,
        "count": 6,
        "type": "SCALAR",
    }
    head, _, text = document["buffers"][0]["uri"].partition(",")
    raw = bytearray(base64.b64decode(text))
    raw[60:66] = bytes([0, 1, 2, 0, 1, 77])
    document["buffers"][0]["uri"] = f"{head},{base64.b64encode(raw).decode()}"
    _, layer = load_mesh(write(tmp_path / "a.gltf", json.dumps(document)))
    assert layer.counts["triangles"] == 2
    assert len(layer.warnings) == 1


def test_real_glb(real_data: Path) -> None:
    folder = real_data / "3dtiles/cesium_samples/1.1/SparseImplicitQuadtree/content"
    for file in sorted(folder.glob("*.glb"))[:4]:
        expected = trimesh.load(file, force="mesh")
        mesh, layer = load_mesh(file)
        assert layer.counts["triangles"] == len(expected.faces)
        assert area(mesh) == pytest.approx(expected.area, rel=1e-6)
