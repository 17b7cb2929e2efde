"""PLY, text and binary: meshes with colours and texture, or bare points as a point cloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import (
    AnyArray,
    FloatArray,
    IntArray,
    Material,
    MeshData,
    PointCloudData,
    Texture,
)
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.io.base import check_magic, file_inside, name_encoding, parse_numbers, reading
from plumbline.io.cloud import STORED_POINTS, stored_layer
from plumbline.io.images import image_problem
from plumbline.io.mesh import mesh_layer, split_seams, triangulate
from plumbline.io.registry import LoadContext

TITLE = "PLY"
MAX_HEADER = 1 << 20
MAX_FACE_COLORS = 1000
TEXT_PIECE = 8 << 20
TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
#: Names that writers use for the same thing.
COLORS = (("red", "diffuse_red", "r"), ("green", "diffuse_green", "g"),
          ("blue", "diffuse_blue", "b"), ("alpha", "diffuse_alpha", "a"))  # fmt: skip
COORDINATES = (("s", "u", "texture_u", "texture_s"), ("t", "v", "texture_v", "texture_t"))

#: Per property: plain values, or for a list its lengths and all its items, one after another.
Column = AnyArray | tuple[IntArray, AnyArray]


@dataclass
class _Property:
    name: str
    kind: str
    length_kind: str = ""


@dataclass
class _Element:
    name: str
    count: int
    properties: list[_Property]

    @property
    def plain(self) -> bool:
        return not any(p.length_kind for p in self.properties)


def load_ply(path: Path, context: LoadContext) -> list[Layer]:
    """Read a PLY file: a mesh layer, or a point cloud when it has no faces.

    Raises
    ------
    InputError
        If the file is no PLY or is damaged.
    """
    check_magic(path, TITLE, [b"ply\n", b"ply\r"])
    with reading(path, TITLE):
        kept = _stored_cloud(path, context) if context.stored else None
        if kept is not None:
            return [kept]
        raw = path.read_bytes()
        context.feedback.step(1, 10, tr("Reading {name}", name=path.name))
        order, elements, comments, body = _header(raw)
        tables = _tables(raw, body, order, elements, context.feedback.part(0.1, 0.8))
        vertex = tables.get("vertex", {})
        points = _points(vertex)
        colors = _colors(vertex, len(points))
        face = tables.get("face")
        if face is None or len(next(iter(face.values()))) == 0:
            return [_cloud_layer(path, vertex, points, colors)]
        warnings: list[str] = []
        data = _mesh(vertex, face, points, colors, warnings)
        texture = _texture(path, comments, warnings)
        if texture is not None and data.uv is not None:
            data.materials = [Material("texture", (1.0, 1.0, 1.0, 1.0), texture)]
            data.material_index = np.zeros(len(data.triangles), np.int32)
    return [mesh_layer(path, data, context, title=TITLE, warnings=warnings)]


def _header(raw: bytes) -> tuple[str, list[_Element], list[str], int]:
    """Return byte order ('' for text), elements, comments, and where the body starts."""
    end = raw.find(b"end_header", 0, MAX_HEADER)
    if end < 0:
        raise ValueError(tr("its header does not end"))
    newline = raw.find(b"\n", end, end + 16)
    body = (newline if newline >= 0 else end + 10) + 1
    order, elements, comments = None, list[_Element](), list[str]()
    text = raw[:end].decode(name_encoding(raw[:end]))
    for line in text.replace("\r", "\n").split("\n"):
        words = line.split()
        if not words:
            continue
        if words[0] == "format":
            order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[words[1]]
        elif words[0] == "comment":
            comments.append(line.strip()[8:])
        elif words[0] == "element":
            elements.append(_Element(words[1], int(words[2]), []))
            if elements[-1].count < 0:
                raise ValueError(tr("its header counts less than nothing"))
        elif words[0] == "property" and words[1] == "list":
            kind = _Property(words[4], TYPES[words[3]], TYPES[words[2]])
            elements[-1].properties.append(kind)
        elif words[0] == "property":
            elements[-1].properties.append(_Property(words[2], TYPES[words[1]]))
    if order is None:
        raise ValueError(tr("its header names no format"))
    return order, elements, comments, body


def _tables(
    raw: bytes, at: int, order: str, elements: list[_Element], feedback: Feedback
) -> dict[str, dict[str, Column]]:
    """Read every element; its columns by the names of its properties."""
    tables: dict[str, dict[str, Column]] = {}
    if order == "":
        numbers = _numbers(raw, at, feedback.part(0.0, 0.7))
        used, feedback = 0, feedback.part(0.7, 1.0)
        for n, element in enumerate(elements):
            feedback.step(n, len(elements))
            tables[element.name], used = _text_table(numbers, used, element, feedback)
        return tables
    for n, element in enumerate(elements):
        feedback.step(n, len(elements))
        read = _plain_table if element.plain else _list_table
        tables[element.name], at = read(raw, at, order, element, feedback)
    return tables


def _numbers(raw: bytes, at: int, feedback: Feedback) -> FloatArray:
    """Return all numbers of a text body, parsed in pieces that end with a line."""
    parts = [np.zeros(0)]
    while at < len(raw):
        feedback.step(at, len(raw))
        cut = raw.find(b"\n", at + TEXT_PIECE) + 1 or len(raw)
        parts.append(parse_numbers(raw[at:cut], np.float64))
        at = cut
    return np.concatenate(parts)


def _plain_table(
    raw: bytes, at: int, order: str, element: _Element, feedback: Feedback
) -> tuple[dict[str, Column], int]:
    dtype = np.dtype([(f"{n}", order + p.kind) for n, p in enumerate(element.properties)])
    end = at + element.count * dtype.itemsize
    if end > len(raw):
        raise ValueError(tr("it is cut off"))
    if dtype.itemsize == 0:
        return {}, at
    table = np.frombuffer(raw, dtype, element.count, at)
    return {p.name: table[f"{n}"] for n, p in enumerate(element.properties)}, end


def _list_table(
    raw: bytes, at: int, order: str, element: _Element, feedback: Feedback
) -> tuple[dict[str, Column], int]:
    """Read an element with lists: at one go when all lists are of one length, else row by row."""
    if element.count == 0:
        return {p.name: np.zeros(0) for p in element.properties}, at
    lengths = _first_lengths(raw, at, order, element)
    dtype = _row_type(order, element, lengths)
    end = at + element.count * dtype.itemsize
    if end <= len(raw):
        table = np.frombuffer(raw, dtype, element.count, at)
        if all((table[f"n{n}"] == length).all() for n, length in lengths.items()):
            columns: dict[str, Column] = {}
            for n, prop in enumerate(element.properties):
                values = table[f"{n}"]
                columns[prop.name] = (
                    (np.full(element.count, lengths[n], np.int64), values.reshape(-1))
                    if prop.length_kind
                    else values
                )
            return columns, end
    return _ragged_table(raw, at, order, element, feedback)


def _first_lengths(raw: bytes, at: int, order: str, element: _Element) -> dict[int, int]:
    lengths = {}
    for n, prop in enumerate(element.properties):
        if prop.length_kind:
            length, at = _scalar(raw, at, order + prop.length_kind)
            lengths[n] = length
            at += length * np.dtype(prop.kind).itemsize
        else:
            at += np.dtype(prop.kind).itemsize
    return lengths


def _scalar(raw: bytes, at: int, kind: str) -> tuple[int, int]:
    size = np.dtype(kind).itemsize
    if at + size > len(raw):
        raise ValueError(tr("it is cut off"))
    length = int(np.frombuffer(raw, kind, 1, at)[0])
    if length < 0 or length > len(raw):
        raise ValueError(tr("a list is longer than the file"))
    return length, at + size


def _row_type(order: str, element: _Element, lengths: dict[int, int]) -> np.dtype[np.void]:
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    for n, prop in enumerate(element.properties):
        if prop.length_kind:
            fields.append((f"n{n}", order + prop.length_kind))
            fields.append((f"{n}", order + prop.kind, (lengths[n],)))
        else:
            fields.append((f"{n}", order + prop.kind))
    return np.dtype(fields)


def _ragged_table(
    raw: bytes, at: int, order: str, element: _Element, feedback: Feedback
) -> tuple[dict[str, Column], int]:
    lengths: list[list[int]] = [[] for _ in element.properties]
    items: list[list[bytes]] = [[] for _ in element.properties]
    sizes = [np.dtype(p.kind).itemsize for p in element.properties]
    for row in range(element.count):
        if row % 50_000 == 0:
            feedback.step(row, element.count)
        for n, prop in enumerate(element.properties):
            length = 1
            if prop.length_kind:
                length, at = _scalar(raw, at, order + prop.length_kind)
                lengths[n].append(length)
            end = at + length * sizes[n]
            if end > len(raw):
                raise ValueError(tr("it is cut off"))
            items[n].append(raw[at:end])
            at = end
    columns: dict[str, Column] = {}
    for n, prop in enumerate(element.properties):
        values = np.frombuffer(b"".join(items[n]), order + prop.kind)
        columns[prop.name] = (np.array(lengths[n]), values) if prop.length_kind else values
    return columns, at


def _text_table(
    numbers: FloatArray, used: int, element: _Element, feedback: Feedback
) -> tuple[dict[str, Column], int]:
    if element.plain:
        width = len(element.properties)
        end = used + element.count * width
        if end > len(numbers):
            raise ValueError(tr("it is cut off"))
        rows = numbers[used:end].reshape(element.count, width)
        return {p.name: rows[:, n] for n, p in enumerate(element.properties)}, end
    if len(element.properties) == 1 and used < len(numbers):
        length = int(np.clip(numbers[used], 0, len(numbers)))
        rows = numbers[used : used + element.count * (length + 1)]
        if len(rows) == element.count * (length + 1) and (rows[:: length + 1] == length).all():
            items = rows.reshape(element.count, length + 1)[:, 1:].reshape(-1)
            uniform = np.full(element.count, length, np.int64)
            return {element.properties[0].name: (uniform, items)}, used + len(rows)
    parts: list[list[FloatArray]] = [[] for _ in element.properties]
    lengths: list[list[int]] = [[] for _ in element.properties]
    for row in range(element.count):
        if row % 50_000 == 0:
            feedback.step(row, element.count)
        for n, prop in enumerate(element.properties):
            length = 1
            if prop.length_kind:
                if used >= len(numbers):
                    raise ValueError(tr("it is cut off"))
                length = int(numbers[used])
                used += 1
                lengths[n].append(length)
            if length < 0 or used + length > len(numbers):
                raise ValueError(tr("it is cut off"))
            parts[n].append(numbers[used : used + length])
            used += length
    columns: dict[str, Column] = {}
    for n, prop in enumerate(element.properties):
        values = np.concatenate(parts[n]) if parts[n] else np.zeros(0)
        columns[prop.name] = (np.array(lengths[n], int), values) if prop.length_kind else values
    return columns, used


def _plain(table: dict[str, Column], names: tuple[str, ...]) -> AnyArray | None:
    for name in names:
        column = table.get(name)
        if column is not None and not isinstance(column, tuple):
            return column
    return None


def _points(vertex: dict[str, Column]) -> FloatArray:
    columns = [_plain(vertex, (axis,)) for axis in "xyz"]
    known = [column.astype(np.float64) for column in columns if column is not None]
    if len(known) < 3:
        raise ValueError(tr("its vertices have no x, y, z"))
    return np.column_stack(known)


def _colors(table: dict[str, Column], count: int) -> NDArray[np.uint8] | None:
    """Return RGBA ``(N, 4)`` of a table, None when it has no colours."""
    columns = [_plain(table, names) for names in COLORS]
    if any(column is None for column in columns[:3]):
        return None
    rgba = np.full((count, 4), 255, np.uint8)
    for slot, column in enumerate(columns):
        if column is None:
            continue
        values = column.astype(np.float64)
        if column.dtype.kind == "f" and values.max(initial=0) <= 1.0:
            values = values * 255
        elif column.dtype == np.uint16:
            values = values / 257
        rgba[:, slot] = np.clip(np.rint(np.nan_to_num(values)), 0, 255)
    return rgba


def _cloud_layer(
    path: Path, vertex: dict[str, Column], points: FloatArray, colors: AnyArray | None
) -> Layer:
    finite = np.isfinite(points).all(axis=1)
    if not finite.any():
        raise ValueError(tr("it holds no points"))
    data = PointCloudData(points[finite])
    if colors is not None:
        data.attributes["rgb"] = colors[finite, :3]
    taken = {"x", "y", "z", *(name for names in COLORS for name in names)}
    for name, column in vertex.items():
        if name not in taken and not isinstance(column, tuple):
            data.attributes[name] = column[finite]
    warnings = []
    if not finite.all():
        n = int((~finite).sum())
        warnings.append(tr("{n} points without a position were left out.", n=n))
    metadata = {"format": TITLE, "attributes": sorted(data.attributes)}
    stem = path.stem
    return Layer(stem, stem, LayerKind.POINTCLOUD, data, metadata=metadata, warnings=warnings)


def _stored_cloud(path: Path, context: LoadContext) -> Layer | None:
    """Return the layer of a large binary cloud that stays in its file; None for any other file."""
    with path.open("rb") as stream:
        head = stream.read(MAX_HEADER)
    order, elements, _, body = _header(head)
    vertex = elements[0] if elements else None
    alone = len(elements) == 1 or all(one.count == 0 for one in elements[1:])
    if vertex is None or order == "" or not alone or vertex.name != "vertex" or not vertex.plain:
        return None
    kinds = {p.name: order + p.kind for p in vertex.properties}
    if vertex.count < STORED_POINTS or not {"x", "y", "z"} <= kinds.keys():
        return None
    dtype = np.dtype([(p.name, order + p.kind) for p in vertex.properties])
    if body + vertex.count * dtype.itemsize > path.stat().st_size:
        raise ValueError(tr("it is cut off"))

    def stream_blocks(size: int) -> Iterator[tuple[AnyArray, AnyArray | None]]:
        with path.open("rb") as file:
            file.seek(body)
            for start in range(0, vertex.count, size):
                table = np.fromfile(file, dtype, min(size, vertex.count - start))
                points = np.empty((len(table), 3))
                for axis, name in enumerate("xyz"):
                    points[:, axis] = table[name]
                classes = table["classification"] if "classification" in kinds else None
                yield points, classes

    def whole() -> PointCloudData:
        data = load_ply(path, LoadContext(context.options))[0].data
        assert isinstance(data, PointCloudData)
        return data

    return stored_layer(path, TITLE, vertex.count, stream_blocks, whole, context.feedback)


def _mesh(
    vertex: dict[str, Column],
    face: dict[str, Column],
    points: FloatArray,
    colors: AnyArray | None,
    warnings: list[str],
) -> MeshData:
    indices = face.get("vertex_indices", face.get("vertex_index"))
    if not isinstance(indices, tuple):
        raise ValueError(tr("its faces name no vertices"))
    counts, items = indices
    corners = items.astype(np.int64)
    bad = (corners < 0) | (corners >= len(points))
    safe = np.where(bad, 0, corners)
    triangles, owner, skipped = triangulate(points, safe, counts)
    keep = ~bad[triangles].any(axis=1)
    lost = skipped + len(np.unique(owner[~keep]))
    if lost:
        warnings.append(
            tr("{n} faces name corners that are not there; they were left out.", n=lost)
        )
    triangles, owner = triangles[keep], owner[keep]
    data = MeshData(points, safe[triangles], colors=colors)
    u, v = (_plain(vertex, names) for names in COORDINATES)
    wedge = face.get("texcoord")
    if u is not None and v is not None:
        data.uv = np.column_stack([u, v]).astype(np.float32)
    elif isinstance(wedge, tuple) and len(wedge[1]) == 2 * len(corners):
        uvs = wedge[1].reshape(-1, 2).astype(np.float64)
        pairs, number = np.unique(uvs, axis=0, return_inverse=True)
        vertices, source, uv = split_seams(safe, number.ravel(), triangles, len(points), pairs)
        data = MeshData(points[source], vertices, uv)
        data.colors = colors[source] if colors is not None else None
    face_colors = _colors(face, len(counts))
    if face_colors is not None and colors is None:
        _set_face_colors(data, face_colors[owner])
    return data


def _set_face_colors(data: MeshData, colors: AnyArray) -> None:
    """Keep colours of faces as materials, as long as there are not too many of them."""
    distinct, number = np.unique(colors, axis=0, return_inverse=True)
    if len(distinct) > MAX_FACE_COLORS:
        return
    data.materials = []
    for r, g, b, a in distinct.tolist():
        color = (r / 255, g / 255, b / 255, a / 255)
        data.materials.append(Material(f"#{r:02x}{g:02x}{b:02x}", color))
    data.material_index = number.ravel().astype(np.int32)


def _texture(path: Path, comments: list[str], warnings: list[str]) -> Texture | None:
    for comment in comments:
        if comment.lower().startswith("texturefile"):
            name = comment[11:].strip()
            image = file_inside(path.parent, name)
            problem = (
                tr("it is not in the folder of the model")
                if image is None
                else image_problem(image)
            )
            if image is not None and not problem:
                return Texture(image)
            warnings.append(
                tr("The texture “{name}” was left out: {why}.", name=name[-120:], why=problem)
            )
    return None
