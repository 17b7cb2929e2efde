"""GLB files of meshes for trees of tiles: materials, textures cut to what is used, attributes.

Positions are float32 about a centre that is told to a tenth of a micrometre; z up becomes y up.
Elements become rows of a property table (EXT_structural_metadata) that corners refer to
(EXT_mesh_features). The same mesh gives the same bytes.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, Element, FloatArray, IntArray, Material, MeshData, Texture

#: Side of a texture beyond which it is halved.
MAX_TEXTURE = 4096
#: No number that anyone means, for rows without one.
_NO_NUMBER = -1.7976931348623157e308
_WHOLE = 2**53

#: Returns the pixels ``(rows, columns, 4)`` of a texture, None where it cannot be read.
Pixels = Callable[[Texture], AnyArray | None]


class _Document:
    """Buffer views and accessors in the making."""

    def __init__(self) -> None:
        self.binary = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, raw: bytes) -> int:
        self.binary += bytes(-len(self.binary) % 8)
        self.views.append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(raw)})
        self.binary += raw
        return len(self.views) - 1

    def accessor(self, values: AnyArray, kind: int, shape: str, **more: Any) -> int:
        view = self.view(np.ascontiguousarray(values).tobytes())
        one = {"bufferView": view, "componentType": kind, "count": len(values), "type": shape}
        self.accessors.append(one | more)
        return len(self.accessors) - 1


def glb_of(mesh: MeshData, centre: FloatArray, pixels: Pixels) -> bytes:
    """Return a GLB file of a mesh.

    Parameters
    ----------
    centre : (3,) float64
        Where the origin of its node lies; vertices are written relative to it.
    pixels : callable
        Gives the pixels of a texture.
    """
    made = _Document()
    whole: dict[str, Any] = {"asset": {"version": "2.0", "generator": "Plumbline"}}
    materials: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    index = mesh.material_index
    groups = np.zeros(len(mesh.triangles), np.int64) if index is None else np.asarray(index)
    primitives = []
    for group in np.unique(groups).tolist():
        material = mesh.materials[group] if 0 <= group < len(mesh.materials) else None
        mine = np.flatnonzero(groups == group)
        picture = pixels(material.texture) if material is not None and material.texture else None
        primitives.append(_primitive(made, mesh, mine, centre, picture, images))
        primitives[-1]["material"] = len(materials)
        materials.append(_material(material, None if picture is None else len(images) - 1))
    if mesh.elements:
        whole["extensionsUsed"] = ["EXT_mesh_features", "EXT_structural_metadata"]
        whole["extensions"] = {"EXT_structural_metadata": _tables(made, mesh.elements)}
    x, y, z = (round(float(v), 7) for v in centre)
    whole |= {
        "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0, "translation": [x, z, -y]}],
        "meshes": [{"primitives": primitives}], "materials": materials,
        "accessors": made.accessors, "bufferViews": made.views,
    }  # fmt: skip
    if images:
        whole["images"] = [
            {"bufferView": made.view(i["raw"]), "mimeType": i["type"]} for i in images
        ]
        whole["textures"] = [{"source": n} for n in range(len(images))]
    whole["buffers"] = [{"byteLength": len(made.binary)}]
    return _packed(whole, bytes(made.binary))


def _packed(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    size = 12 + 8 + len(text) + 8 + len(binary)
    head = b"glTF" + struct.pack("<2I", 2, size) + struct.pack("<I4s", len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


def _primitive(
    made: _Document,
    mesh: MeshData,
    mine: IntArray,
    centre: FloatArray,
    picture: AnyArray | None,
    images: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return a primitive with some triangles; corners of different elements are not shared."""
    corners = np.asarray(mesh.triangles[mine], np.int64).ravel()
    owner = np.full(len(mine), -1) if mesh.element_index is None else mesh.element_index[mine]
    owners = np.repeat(np.asarray(owner, np.int64), 3)
    keys = corners * (len(mesh.elements) + 1) + owners + 1
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    used = corners[first]
    x, y, z = (mesh.vertices[used] - centre).T
    local = np.column_stack([x, z, -y]).astype("<f4")
    ends = {"min": local.min(axis=0).tolist(), "max": local.max(axis=0).tolist()}
    attributes = {"POSITION": made.accessor(local, 5126, "VEC3", **ends)}
    if picture is not None and mesh.uv is not None:
        uv, raw, kind = _cut(mesh.uv[used], picture)
        attributes["TEXCOORD_0"] = made.accessor(uv.astype("<f4"), 5126, "VEC2")
        images.append({"raw": raw, "type": kind})
    if mesh.colors is not None:
        linear = _linear(mesh.colors[used][:, :3] / 255.0)
        rgba = np.column_stack([linear, mesh.colors[used][:, 3] / 255.0])
        stored = np.rint(rgba * 65_535).astype("<u2")
        attributes["COLOR_0"] = made.accessor(stored, 5123, "VEC4", normalized=True)
    primitive: dict[str, Any] = {"attributes": attributes}
    primitive["indices"] = made.accessor(back.ravel().astype("<u4"), 5125, "SCALAR")
    if mesh.elements:
        none = len(mesh.elements)
        ids = np.where(owners[first] < 0, none, owners[first]).astype("<f4")
        attributes["_FEATURE_ID_0"] = made.accessor(ids, 5126, "SCALAR")
        features = {"featureCount": none, "attribute": 0, "propertyTable": 0, "nullFeatureId": none}
        primitive["extensions"] = {"EXT_mesh_features": {"featureIds": [features]}}
    return primitive


def _material(material: Material | None, image: int | None) -> dict[str, Any]:
    r, g, b, a = (0.8, 0.8, 0.8, 1.0) if material is None else material.color
    linear = [1.0, 1.0, 1.0] if image is not None else _linear(np.array([r, g, b])).tolist()
    pbr: dict[str, Any] = {"baseColorFactor": [*(round(v, 6) for v in linear), round(a, 6)],
                           "metallicFactor": 0, "roughnessFactor": 1}  # fmt: skip
    if image is not None:
        pbr["baseColorTexture"] = {"index": image}
    made: dict[str, Any] = {"pbrMetallicRoughness": pbr, "doubleSided": True}
    if material is not None and material.name:
        made["name"] = material.name
    return made | ({"alphaMode": "BLEND"} if a < 1 else {})


def _linear(screen: AnyArray) -> FloatArray:
    """Return light from colours 0..1 as screens show them (sRGB)."""
    values = np.asarray(screen, np.float64)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _cut(uv: AnyArray, picture: AnyArray) -> tuple[FloatArray, bytes, str]:
    """Return texture coordinates from the upper left, and the part of a picture that they need."""
    from PIL import Image

    rows, columns = picture.shape[:2]
    u, v = np.asarray(uv[:, 0], np.float64), 1.0 - np.asarray(uv[:, 1], np.float64)
    left, top, right, bottom = 0, 0, columns, rows
    if min(u.min(), v.min()) >= 0 and max(u.max(), v.max()) <= 1:
        # Two pixels around, so that nothing of elsewhere is smeared into the border.
        left, right = max(0, int(u.min() * columns) - 2), min(columns, int(u.max() * columns) + 3)
        top, bottom = max(0, int(v.min() * rows) - 2), min(rows, int(v.max() * rows) + 3)
        u = (u * columns - left) / (right - left)
        v = (v * rows - top) / (bottom - top)
    image = Image.fromarray(picture[top:bottom, left:right])
    longest = max(image.size)
    if longest > MAX_TEXTURE:
        factor = MAX_TEXTURE / longest
        image = image.resize(
            (max(1, int(image.width * factor)), max(1, int(image.height * factor)))
        )
    stream = io.BytesIO()
    if (picture[..., 3] < 255).any():
        image.save(stream, "PNG")
        return np.column_stack([u, v]), stream.getvalue(), "image/png"
    image.convert("RGB").save(stream, "JPEG", quality=90)
    return np.column_stack([u, v]), stream.getvalue(), "image/jpeg"


# -- attributes ------------------------------------------------------------------------------------


def _rows(elements: list[Element]) -> list[dict[str, Any]]:
    """Return what is known of each element as one flat row."""
    rows = []
    for element in elements:
        row: dict[str, Any] = {"id": element.id}
        row |= {k: v for k, v in (("name", element.name), ("class", element.cls),
                                  ("storey", element.storey)) if v}  # fmt: skip
        for group, properties in element.properties.items():
            for name, value in properties.items():
                row[name if group == "Attributes" and name not in row else f"{group}.{name}"] = (
                    value
                )
        rows.append(row)
    return rows


def _tables(made: _Document, elements: list[Element]) -> dict[str, Any]:
    rows = _rows(elements)
    names = list(dict.fromkeys(name for row in rows for name in row))
    described: dict[str, Any] = {}
    stored: dict[str, Any] = {}
    for n, name in enumerate(names):
        kind, column = _column(made, [row.get(name) for row in rows])
        described[f"c{n}"] = {"name": name, **kind}
        stored[f"c{n}"] = column
    schema = {"id": "plumbline", "classes": {"element": {"properties": described}}}
    return {
        "schema": schema,
        "propertyTables": [{"class": "element", "count": len(rows), "properties": stored}],
    }


def _column(made: _Document, values: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the type of a column and where it is stored."""
    known = [v.item() if isinstance(v, np.generic) else v for v in values]
    given = [v for v in known if v is not None]
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in given):
        whole = len(given) == len(known) and all(
            isinstance(v, int) and abs(v) < _WHOLE for v in given
        )
        if whole:
            raw = np.array(known, "<i8").tobytes()
            return {"type": "SCALAR", "componentType": "INT64"}, {"values": made.view(raw)}
        numbers = np.array([_NO_NUMBER if v is None else v for v in known], "<f8")
        numbers = np.where(np.isfinite(numbers), numbers, _NO_NUMBER)
        kind = {"type": "SCALAR", "componentType": "FLOAT64", "noData": _NO_NUMBER}
        return kind, {"values": made.view(numbers.tobytes())}
    texts = [_text(v).encode("utf-8", "replace") for v in known]
    ends = np.cumsum([0, *map(len, texts)]).astype("<u4")
    stored = {"values": made.view(b"".join(texts)), "stringOffsets": made.view(ends.tobytes())}
    return {"type": "STRING", "noData": ""}, stored


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
