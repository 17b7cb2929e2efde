"""What a tile of a 3D Tiles set holds: b3dm, i3dm, pnts, cmpt and glTF, as meshes or points.

Facts of the formats: OGC 22-025r4, *3D Tiles Specification 1.1*, and its appendix of 1.0 formats.
Coordinates come out in the tile's own axes, z up, before the tile's transform.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, Element, FloatArray, MeshData, PointCloudData
from plumbline.core.i18n import tr
from plumbline.core.tiles import join
from plumbline.io import gltf_draco
from plumbline.io.base import file_inside
from plumbline.io.gltf import read_gltf
from plumbline.io.stores import MAX_BYTES

#: Returns the bytes of a file that a content names, where they do not lie in a folder.
Fetch = Callable[[str], bytes]
#: Tiles inside tiles.
MAX_DEPTH = 8
#: Copies of one model that a tile may place.
MAX_INSTANCES = 100_000

_COMPONENTS = {
    "BYTE": "i1", "UNSIGNED_BYTE": "u1", "SHORT": "<i2", "UNSIGNED_SHORT": "<u2", "INT": "<i4",
    "UNSIGNED_INT": "<u4", "FLOAT": "<f4", "DOUBLE": "<f8",
}  # fmt: skip
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def unpacked(raw: bytes) -> bytes:
    """Return bytes that may be gzipped, as servers store them."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
        plain = stream.read(MAX_BYTES + 1)
    if len(plain) > MAX_BYTES:
        raise ValueError(tr("it unpacks to more than 1 GiB"))
    return plain


def read_content(
    raw: bytes, path: Path, up: str = "y", depth: int = 0, fetch: Fetch | None = None
) -> tuple[list[MeshData], list[PointCloudData], list[str]]:
    """Return the meshes and clouds of a tile's content, and what was left out.

    Parameters
    ----------
    path : Path
        File that it came out of; other files are looked for in its folder only.
    up : str
        Axis that points up in its glTF.
    fetch : callable, optional
        Returns the bytes of a file that it names, where they do not lie in a folder.

    Raises
    ------
    InputError, ValueError
        If the content is damaged or of no known kind.
    """
    raw = unpacked(raw)
    magic = raw[:4]
    if magic == b"b3dm":
        return _b3dm(raw, path, up, fetch)
    if magic == b"i3dm":
        mesh, notes = _i3dm(raw, path, up, fetch)
        return [mesh], [], notes
    if magic == b"pnts":
        return [], [_pnts(raw)], []
    if magic == b"cmpt":
        return _cmpt(raw, path, up, depth, fetch)
    if magic == b"glTF" or raw.lstrip()[:1] == b"{":
        return _gltf(raw, path, up, fetch)
    raise ValueError(tr("its content is of no known kind"))


def _gltf(
    raw: bytes, path: Path, up: str, fetch: Fetch | None
) -> tuple[list[MeshData], list[PointCloudData], list[str]]:
    mesh, clouds, notes = read_gltf(raw, path, fetch)
    meshes = [] if mesh is None else [mesh]
    for one in meshes:
        one.vertices = _upright(one.vertices, up)
    for cloud in clouds:
        cloud.points = _upright(cloud.points, up)
    return meshes, clouds, notes


def _upright(points: FloatArray, up: str) -> FloatArray:
    """Return points ``(N, 3)`` of a glTF with z up."""
    x, y, z = points.T
    if up == "y":
        return np.column_stack([x, -z, y])
    return np.column_stack([-y, x, z]) if up == "x" else points


class _Head:
    """The head of a tile: feature table, batch table, and what comes behind them."""

    def __init__(self, raw: bytes, size: int = 28) -> None:
        if len(raw) < size:
            raise ValueError(tr("it is cut off"))
        version, length, *parts = struct.unpack_from("<6I", raw, 4)
        if version != 1 or length > len(raw) or size + sum(parts) > length:
            raise ValueError(tr("its structure is damaged"))
        at = size
        pieces = []
        for part in parts:
            pieces.append(raw[at : at + part])
            at += part
        self.rest = raw[at:length]
        self.feature = _json(pieces[0])
        self.feature_binary = pieces[1]
        self.batch, self.batch_binary = _json(pieces[2]), pieces[3]

    def number(self, name: str) -> int:
        """Return a count of the feature table, 0 where it is not there."""
        value = self.feature.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 500_000_000:
            raise ValueError(tr("its structure is damaged"))
        return value

    def center(self) -> FloatArray:
        """Return the origin ``(3,)`` that coordinates are relative to."""
        center = np.array(self.feature.get("RTC_CENTER", (0, 0, 0)), dtype=np.float64)
        if center.shape != (3,) or not np.isfinite(center).all():
            raise ValueError(tr("its structure is damaged"))
        return center

    def array(self, name: str, kind: str, width: int, count: int) -> AnyArray | None:
        """Return a property ``(count, width)`` of the feature table, None where it is not there."""
        where = self.feature.get(name)
        if where is None:
            return None
        offset = where.get("byteOffset") if isinstance(where, dict) else None
        if not isinstance(offset, int) or isinstance(offset, bool):
            raise ValueError(tr("its structure is damaged"))
        return _numbers(self.feature_binary, offset, kind, count, width)


def _json(raw: bytes) -> dict[str, Any]:
    text = raw.strip(b"\0 \n")
    found = json.loads(text.decode("utf-8")) if text else {}
    if not isinstance(found, dict):
        raise ValueError(tr("its structure is damaged"))
    return found


def _numbers(raw: bytes, offset: int, kind: str, count: int, width: int) -> AnyArray:
    dtype = np.dtype(kind)
    if offset < 0 or offset + count * width * dtype.itemsize > len(raw):
        raise ValueError(tr("it is cut off"))
    return np.frombuffer(raw, dtype, count * width, offset).reshape(count, width)


# -- attributes ------------------------------------------------------------------------------------


def batch_rows(head: dict[str, Any], binary: bytes, count: int) -> list[dict[str, Any]]:
    """Return the attributes of each batch from a batch table; broken columns are left out."""
    columns: dict[str, list[Any]] = {}
    for name, column in head.items():
        if isinstance(column, list) and len(column) >= count:
            columns[name] = column[:count]
        elif isinstance(column, dict) and column.get("componentType") in _COMPONENTS:
            width = _WIDTHS.get(str(column.get("type")), 1)
            offset = column.get("byteOffset")
            if isinstance(offset, int):
                kind = _COMPONENTS[column["componentType"]]
                values = _numbers(binary, offset, kind, count, width)
                columns[name] = [row[0] if width == 1 else row for row in values.tolist()]
    return [{name: values[n] for name, values in columns.items()} for n in range(count)]


def with_batches(mesh: MeshData, rows: list[dict[str, Any]]) -> MeshData:
    """Return a mesh whose elements are the batches, with their attributes."""
    batch = mesh.scalars.pop("batch", None)
    if batch is None or not rows:
        return mesh
    index = np.where(np.isfinite(batch), batch, -1).astype(np.int64)
    index[(index < 0) | (index >= len(rows))] = -1
    mesh.elements = [
        Element(str(n), cls="Building" if "height" in {k.lower() for k in row} else "",
                name=_name(row), properties={"Attributes": row})
        for n, row in enumerate(rows)
    ]  # fmt: skip
    mesh.element_index = index.astype(np.int32)
    return mesh


def _name(row: dict[str, Any]) -> str:
    for key in ("名称", "name", "Name", "NAME", "blockid", "id", "ID"):
        if row.get(key) not in (None, ""):
            return str(row[key])
    return ""


# -- kinds -----------------------------------------------------------------------------------------


def _b3dm(
    raw: bytes, path: Path, up: str, fetch: Fetch | None
) -> tuple[list[MeshData], list[PointCloudData], list[str]]:
    head = _Head(raw)
    meshes, clouds, notes = _gltf(head.rest, path, up, fetch)
    rows = batch_rows(head.batch, head.batch_binary, head.number("BATCH_LENGTH"))
    for mesh in meshes:
        mesh.vertices = mesh.vertices + head.center()
        with_batches(mesh, rows)
    for cloud in clouds:
        cloud.points = cloud.points + head.center()
    return meshes, clouds, notes


def _pnts(raw: bytes) -> PointCloudData:
    head = _Head(raw)
    count = head.number("POINTS_LENGTH")
    packed_all = dict(head.feature.get("extensions") or {}).get("3DTILES_draco_point_compression")
    if packed_all is not None:
        return _draco_points(head, packed_all, count)
    points = head.array("POSITION", "<f4", 3, count)
    if points is None:
        steps = head.array("POSITION_QUANTIZED", "<u2", 3, count)
        if steps is None:
            raise ValueError(tr("it is compressed in a way that cannot be decoded here"))
        scale, offset = (
            np.array(head.feature.get(f"QUANTIZED_VOLUME_{name}"), dtype=np.float64)
            for name in ("SCALE", "OFFSET")
        )
        points = steps / 65535.0 * scale + offset
    attributes: dict[str, AnyArray] = {}
    rgb = head.array("RGB", "u1", 3, count)
    rgba = head.array("RGBA", "u1", 4, count)
    packed = head.array("RGB565", "<u2", 1, count)
    if rgb is not None or rgba is not None:
        attributes["rgb"] = np.array(rgb if rgb is not None else rgba)[:, :3]
    elif packed is not None:
        value = packed[:, 0].astype(np.uint32)
        red, green, blue = value >> 11, value >> 5 & 63, value & 31
        scaled = np.column_stack([red * 255 / 31, green * 255 / 63, blue * 255 / 31])
        attributes["rgb"] = np.rint(scaled).astype(np.uint8)
    if not np.isfinite(points).all():
        raise ValueError(tr("its coordinates are not finite"))
    return PointCloudData(points.astype(np.float64) + head.center(), attributes)


def _draco_points(head: _Head, packed: dict[str, Any], count: int) -> PointCloudData:
    """Return points that are compressed with Draco, ``3DTILES_draco_point_compression``."""
    start, length = int(packed["byteOffset"]), int(packed["byteLength"])
    if start < 0 or length < 0 or start + length > len(head.feature_binary):
        raise ValueError(tr("it is cut off"))
    wanted = {k: v for k, v in packed["properties"].items() if k in ("POSITION", "RGB", "RGBA")}
    raw = head.feature_binary[start : start + length]
    found, _ = gltf_draco.decode(raw, wanted)
    if len(found["POSITION"]) != count:
        raise ValueError(tr("its attributes differ in length"))
    colors = found.get("RGB", found.get("RGBA"))
    attributes = {} if colors is None else {"rgb": colors[:, :3].astype(np.uint8)}
    return PointCloudData(found["POSITION"].astype(np.float64) + head.center(), attributes)


def _i3dm(raw: bytes, path: Path, up: str, fetch: Fetch | None) -> tuple[MeshData, list[str]]:
    head = _Head(raw, 32)
    form = struct.unpack_from("<I", raw, 28)[0]
    model = head.rest
    if form == 0:
        name = head.rest.rstrip(b"\0 ").decode("utf-8", "replace")
        model = _model(name, path, fetch)
    meshes, _, notes = _gltf(unpacked(model), path, up, fetch)
    mesh = join(meshes)
    count = head.number("INSTANCES_LENGTH")
    if count > MAX_INSTANCES or count * len(mesh.triangles) > 50_000_000:
        raise ValueError(tr("it places its model {n} times", n=count))
    rows = batch_rows(head.batch, head.batch_binary, count)
    copies = [_copy(mesh, matrix) for matrix in _instances(head, count)]
    joined = join(copies)
    if rows:
        joined.scalars["batch"] = np.repeat(np.arange(count), len(mesh.triangles)).astype(float)
    return with_batches(joined, rows), notes


def _model(name: str, path: Path, fetch: Fetch | None) -> bytes:
    """Return the model that a tile names."""
    if fetch is not None:
        return fetch(name)
    file = None if "://" in name else file_inside(path.parent, name)
    if file is None or file.stat().st_size > MAX_BYTES:
        raise ValueError(tr("its model “{name}” is not there", name=name[-80:]))
    return file.read_bytes()


def _instances(head: _Head, count: int) -> Iterator[FloatArray]:
    """Yield the matrix ``(4, 4)`` of every instance."""
    position = head.array("POSITION", "<f4", 3, count)
    if position is None:
        raise ValueError(tr("it is compressed in a way that cannot be decoded here"))
    up, right = (
        head.array("NORMAL_UP", "<f4", 3, count),
        head.array("NORMAL_RIGHT", "<f4", 3, count),
    )
    scale = head.array("SCALE", "<f4", 1, count)
    wide = head.array("SCALE_NON_UNIFORM", "<f4", 3, count)
    center = head.center()
    for n in range(count):
        matrix = np.eye(4)
        if up is not None and right is not None:
            # The x axis maps to right, the y axis to up.
            x, y = right[n].astype(np.float64), up[n].astype(np.float64)
            matrix[:3, :3] = np.column_stack([x, y, np.cross(x, y)])
        if scale is not None:
            matrix[:3, :3] *= float(scale[n, 0])
        if wide is not None:
            matrix[:3, :3] *= wide[n].astype(np.float64)
        matrix[:3, 3] = position[n] + center
        yield matrix


def _copy(mesh: MeshData, matrix: FloatArray) -> MeshData:
    vertices = mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3]
    return MeshData(
        vertices,
        mesh.triangles,
        mesh.uv,
        materials=mesh.materials,
        material_index=mesh.material_index,
    )


def _cmpt(
    raw: bytes, path: Path, up: str, depth: int, fetch: Fetch | None
) -> tuple[list[MeshData], list[PointCloudData], list[str]]:
    if depth >= MAX_DEPTH:
        raise ValueError(tr("its structure is damaged"))
    _, length, count = struct.unpack_from("<3I", raw, 4)
    at = 16
    meshes: list[MeshData] = []
    clouds: list[PointCloudData] = []
    notes: list[str] = []
    for _ in range(min(count, 10_000)):
        if at + 12 > min(length, len(raw)):
            raise ValueError(tr("it is cut off"))
        size = struct.unpack_from("<I", raw, at + 8)[0]
        if size < 12 or at + size > len(raw):
            raise ValueError(tr("it is cut off"))
        inner = read_content(raw[at : at + size], path, up, depth + 1, fetch)
        meshes += inner[0]
        clouds += inner[1]
        notes += inner[2]
        at += size
    return meshes, clouds, notes
