"""Features and attributes inside glTF, compressed triangles, points and copies."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import DracoPy
import numpy as np
import pytest
from PIL import Image
from tests.io.gltf_files import CORNERS, SQUARE, Glb

from plumbline.core.data import MeshData
from plumbline.core.errors import InputError
from plumbline.io.gltf import read_gltf
from plumbline.io.tiles3d_content import read_content

SCHEMA = {
    "id": "city",
    "enums": {"use": {"valueType": "UINT8", "values": [{"name": "住宅", "value": 0},
                                                       {"name": "shop", "value": 7}]}},
    "classes": {"building": {"properties": {
        "height": {"type": "SCALAR", "componentType": "FLOAT32"},
        "name": {"type": "STRING"},
        "listed": {"type": "BOOLEAN"},
        "use": {"type": "ENUM", "enumType": "use"},
        "steps": {"type": "SCALAR", "componentType": "UINT8", "array": True},
        "centre": {"type": "VEC3", "componentType": "FLOAT64", "name": "Centre"},
        "share": {"type": "SCALAR", "componentType": "UINT8", "normalized": True},
        "level": {"type": "SCALAR", "componentType": "INT16", "scale": 0.5, "offset": 10},
        "pair": {"type": "SCALAR", "componentType": "UINT16", "array": True, "count": 2},
        "owner": {"type": "STRING", "noData": "-", "default": "nobody"},
        "absent": {"type": "SCALAR", "componentType": "UINT8"},
    }}},
}  # fmt: skip


def table(glb: Glb) -> dict[str, Any]:
    """Return a table of three buildings; the third has no triangles."""

    def of(*values: Any, kind: str) -> dict[str, int]:
        return {"values": glb.view(np.array(values, kind).tobytes())}

    def texts(*values: str) -> dict[str, int]:
        raw = [value.encode() for value in values]
        places = glb.view(np.cumsum([0, *map(len, raw)]).astype("<u4").tobytes())
        return {"values": glb.view(b"".join(raw)), "stringOffsets": places}

    offsets = glb.view(np.array([0, 2, 2, 3], "<u2").tobytes())
    by_offsets = {"arrayOffsets": offsets, "arrayOffsetType": "UINT16"}
    return {
        "class": "building", "count": 3,
        "properties": {
            "height": of(12.5, 30, 7, kind="<f4"),
            "name": texts("甲楼", "B", "c"),
            "listed": of(0b101, kind="u1"),
            "use": of(0, 7, 9, kind="u1"),
            "steps": of(3, 4, 5, kind="u1") | by_offsets,
            "centre": of(1, 2, 3, 4, 5, 6, 7, 8, 9, kind="<f8"),
            "share": of(0, 255, 51, kind="u1"),
            "level": of(2, -4, 0, kind="<i2"),
            "pair": of(1, 2, 3, 4, 5, 6, kind="<u2"),
            "owner": texts("-", "Li", "-"),
        },
    }  # fmt: skip


def whole(glb: Glb, primitive: dict[str, Any], known: dict[str, Any], **more: Any) -> bytes:
    return glb.bytes([primitive], extensions={"EXT_structural_metadata": known}, **more)


def triangles(raw: bytes) -> MeshData:
    mesh, clouds, notes = read_gltf(raw, Path("a.glb"))
    assert mesh is not None
    assert (clouds, notes) == ([], [])
    return mesh


def attributes(mesh: MeshData) -> list[dict[str, Any]]:
    """Return the attributes of each triangle."""
    assert mesh.element_index is not None
    return [mesh.elements[n].properties.get("Attributes", {}) for n in mesh.element_index]


def test_every_type_of_property_becomes_an_attribute() -> None:
    glb = Glb()
    # The second triangle begins with corner 0 as well, so its feature differs by the texture only:
    # here every corner says its feature, and both triangles belong to that of corner 0.
    primitive = glb.square(_FEATURE_ID_0=np.array([1, 1, 1, 1], "<f4"))
    ids = [{"featureCount": 3, "attribute": 0, "propertyTable": 0}]
    primitive["extensions"] = {"EXT_mesh_features": {"featureIds": ids}}
    mesh = triangles(whole(glb, primitive, {"schema": SCHEMA, "propertyTables": [table(glb)]}))
    first, second = attributes(mesh)
    assert first == second
    assert [e.name for e in mesh.elements] == ["B"]
    assert first == {
        "height": 30.0, "name": "B", "listed": False, "use": "shop", "steps": [],
        "Centre": [4.0, 5.0, 6.0], "share": 1.0, "level": 8.0, "pair": [3, 4], "owner": "Li",
    }  # fmt: skip


def test_texts_arrays_defaults_and_unknown_numbers() -> None:
    glb = Glb()
    primitive = glb.square(_FEATURE_ID_0=np.array([0, 0, 0, 0], "<f4"))
    other = glb.square(_FEATURE_ID_0=np.array([2, 2, 2, 2], "<f4"))
    for one in (primitive, other):
        ids = [{"featureCount": 3, "attribute": 0, "propertyTable": 0}]
        one["extensions"] = {"EXT_mesh_features": {"featureIds": ids}}
    known = {"schema": SCHEMA, "propertyTables": [table(glb)]}
    raw = glb.bytes([primitive, other], extensions={"EXT_structural_metadata": known})
    a, _, c, _ = attributes(triangles(raw))
    assert (a["name"], a["use"], a["steps"], a["listed"]) == ("甲楼", "住宅", [3, 4], True)
    assert (a["owner"], c["owner"], c["use"], c["steps"]) == ("nobody", "nobody", 9, [5])
    assert c["share"] == pytest.approx(0.2)
    assert "absent" not in a


def test_features_from_a_texture_and_without_any_table() -> None:
    """The left triangle's middle falls into red 2, the right one's into red 0: no feature."""
    image = Image.new("RGB", (2, 1), (2, 0, 0))
    image.putpixel((1, 0), (0, 0, 0))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    glb = Glb()
    uv = np.array([[0.6, 0], [0.9, 0], [0.9, 1], [0.0, 1]], "<f4")  # glTF counts from the top
    primitive = glb.square(TEXCOORD_0=uv)
    primitive["indices"] = glb.accessor(np.array([0, 1, 2, 0, 3, 3], "<u2"))
    picture = glb.view(stream.getvalue())
    texture = {"index": 0, "texCoord": 0, "channels": [0]}
    ids = [{"featureCount": 3, "texture": texture, "nullFeatureId": 0, "propertyTable": 0}]
    primitive["extensions"] = {"EXT_mesh_features": {"featureIds": ids}}
    mesh = triangles(whole(
        glb, primitive, {"schema": SCHEMA, "propertyTables": [table(glb)]},
        images=[{"bufferView": picture, "mimeType": "image/png"}], textures=[{"source": 0}],
    ))  # fmt: skip
    right, left = attributes(mesh)
    assert (left["name"], right) == ("c", {})
    assert [e.name for e in mesh.elements] == ["c", "node"]


def test_copies_of_a_node_have_attributes_of_their_own() -> None:
    glb = Glb()
    primitive = glb.square()
    places = {"TRANSLATION": glb.accessor(np.array([[0, 0, 0], [10, 0, 0]], "<f4")),
              "SCALE": glb.accessor(np.array([[1, 1, 1], [2, 2, 2]], "<f4")),
              "_FEATURE_ID_0": glb.accessor(np.array([2, 0], "<u2"))}  # fmt: skip
    node = {"mesh": 0, "name": "tree", "extensions": {
        "EXT_mesh_gpu_instancing": {"attributes": places},
        "EXT_instance_features": {"featureIds": [{"featureCount": 3, "attribute": 0,
                                                  "propertyTable": 0}]}}}  # fmt: skip
    known = {"schema": SCHEMA, "propertyTables": [table(glb)]}
    required = ["EXT_mesh_gpu_instancing"]
    mesh = triangles(whole(glb, primitive, known, nodes=[node], extensionsRequired=required))
    first, second = np.split(mesh.vertices, 2)
    assert np.ptp(first, axis=0) == pytest.approx([1, 1, 0])
    assert second.min(axis=0) == pytest.approx([10, 0, 0])
    assert np.ptp(second, axis=0) == pytest.approx([2, 2, 0])
    assert [a["name"] for a in attributes(mesh)] == ["c", "c", "甲楼", "甲楼"]
    assert len({e.id for e in mesh.elements}) == 2


@pytest.mark.parametrize(
    "damage",
    [
        {"values": 99},
        {"values": 0, "stringOffsets": 1},
        {"values": 0, "stringOffsets": 99},
        {"values": -1},
        {"values": "x"},
        {},
    ],
)
def test_a_damaged_column_is_left_out_alone(damage: dict[str, Any]) -> None:
    glb = Glb()
    primitive = glb.square(_FEATURE_ID_0=np.array([1, 1, 1, 1], "<f4"))
    ids = [{"featureCount": 3, "attribute": 0, "propertyTable": 0}]
    primitive["extensions"] = {"EXT_mesh_features": {"featureIds": ids}}
    rows = table(glb)
    rows["properties"]["name"] = damage
    mesh, _, notes = read_gltf(whole(glb, primitive, {"schema": SCHEMA, "propertyTables": [rows]}),
                               Path("a.glb"))  # fmt: skip
    assert mesh is not None
    (row, _) = attributes(mesh)
    assert row["height"] == 30.0
    assert "name" not in row
    assert len(notes) == 1
    assert "name" in notes[0]


@pytest.mark.parametrize("count", [10**18, -5, 0])
@pytest.mark.parametrize("feature", [0, 2, 10**6, -1])
def test_absurd_numbers_of_features_cost_nothing(count: int, feature: int) -> None:
    glb = Glb()
    primitive = glb.square(_FEATURE_ID_0=np.full(4, feature, "<f4"))
    ids = [{"featureCount": count, "attribute": 0, "propertyTable": 0}]
    primitive["extensions"] = {"EXT_mesh_features": {"featureIds": ids}}
    rows = table(glb) | {"count": count}
    raw = whole(glb, primitive, {"schema": SCHEMA, "propertyTables": [rows]})
    mesh, _, _ = read_gltf(raw, Path("a.glb"))
    assert mesh is not None
    assert len(mesh.triangles) == 2
    assert len(mesh.elements) == 1


# -- compressed ------------------------------------------------------------------------------------


def draco_square(glb: Glb) -> dict[str, Any]:
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], "f8")
    batch = np.arange(4, dtype=np.uint16).reshape(-1, 1)
    raw = DracoPy.encode(SQUARE * 100, CORNERS.reshape(-1, 3).astype("u4"), quantization_bits=16,
                         tex_coord=uv, generic_attributes={5: batch})  # fmt: skip
    found = DracoPy.decode(raw)
    kinds = {one["attribute_type"]: one["unique_id"] for one in found.attributes}
    ids = {"POSITION": kinds[0], "TEXCOORD_0": kinds[3], "_FEATURE_ID_0": 5}
    packed = {"bufferView": glb.view(raw), "attributes": ids}
    plain = {"POSITION": SQUARE, "TEXCOORD_0": uv.astype("f4"), "_FEATURE_ID_0": batch}
    named = {name: glb.accessor(values, False) for name, values in plain.items()}
    return {"attributes": named, "indices": glb.accessor(CORNERS, False),
            "extensions": {"KHR_draco_mesh_compression": packed}}  # fmt: skip


def test_draco_is_unpacked() -> None:
    glb = Glb()
    primitive = draco_square(glb)
    raw = glb.bytes([primitive], extensionsRequired=["KHR_draco_mesh_compression"])
    mesh = triangles(raw)
    corners = mesh.vertices[mesh.triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.linalg.norm(np.cross(a, b), axis=1)
    assert area.sum() / 2 == pytest.approx(100 * 100, rel=1e-3)
    assert set(mesh.scalars["batch"].tolist()) <= {0.0, 1.0, 2.0, 3.0}


@pytest.mark.parametrize("cut", [3, 11, 40])
def test_damaged_draco_is_refused(cut: int) -> None:
    glb = Glb()
    primitive = draco_square(glb)
    view = glb.views[primitive["extensions"]["KHR_draco_mesh_compression"]["bufferView"]]
    view["byteLength"] = cut
    with pytest.raises(InputError):
        read_gltf(glb.bytes([primitive]), Path("a.glb"))


def test_draco_points_of_a_tile() -> None:
    points = np.random.default_rng(1).uniform(0, 50, (200, 3)).astype("f4")
    colors = np.random.default_rng(2).integers(0, 255, (200, 3), dtype=np.uint8)
    raw = DracoPy.encode(points, None, quantization_bits=16, colors=colors, preserve_order=True)
    kinds = {one["attribute_type"]: one["unique_id"] for one in DracoPy.decode(raw).attributes}
    packed = {"properties": {"POSITION": kinds[0], "RGB": kinds[2]}, "byteOffset": 0,
              "byteLength": len(raw)}  # fmt: skip
    feature = {"POINTS_LENGTH": 200, "POSITION": {"byteOffset": 0}, "RTC_CENTER": [1000, 0, 0],
               "extensions": {"3DTILES_draco_point_compression": packed}}  # fmt: skip
    head = str(feature).replace("'", '"').encode()
    head += b" " * (-(28 + len(head)) % 8)
    size = 28 + len(head) + len(raw)
    tile = struct.pack("<4s6I", b"pnts", 1, size, len(head), len(raw), 0, 0) + head + raw
    _, (cloud,), _ = read_content(tile, Path("a.pnts"))
    assert cloud.points == pytest.approx(points + [1000, 0, 0], abs=0.01)
    assert np.array_equal(cloud.attributes["rgb"], colors)


# -- points ----------------------------------------------------------------------------------------


def test_points_in_gltf_are_a_cloud_of_the_tile() -> None:
    """3D Tiles 1.1 keeps clouds in glTF: y up there, z up in the tile."""
    glb = Glb()
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], "u1")
    named = {"POSITION": glb.accessor(SQUARE), "COLOR_0": glb.accessor(colors)}
    glb.accessors[-1]["normalized"] = True
    meshes, (cloud,), _ = read_content(glb.bytes([{"attributes": named, "mode": 0}]), Path("a.glb"))
    assert meshes == []
    assert cloud.points.tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]]
    assert cloud.attributes["rgb"][0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_coordinates_that_are_not_finite_are_refused(wrong: float) -> None:
    glb = Glb()
    places = SQUARE.copy()
    places[2, 1] = wrong
    primitive = {"attributes": {"POSITION": glb.accessor(places)}, "indices": glb.accessor(CORNERS)}
    with pytest.raises(InputError, match="not finite"):
        read_gltf(glb.bytes([primitive]), Path("a.glb"))
