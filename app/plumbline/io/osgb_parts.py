"""From the objects of an ``.osgb`` file to tiles: levels, their switches, textured meshes."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, Bounds, FloatArray, Material, MeshData, Texture
from plumbline.io.osgb import BrokenFileError, Item

#: Pixels on the screen by which a tile may be wrong before its children take over; what the switch
#: of a level (a size in pixels, or a distance) is turned into metres with.
SWITCH_PIXELS = 16.0
#: Height of a screen and tangent of half of its view, for switches that are distances.
SCREEN_PIXELS, HALF_VIEW = 1080.0, 0.577

GL_TRIANGLES, GL_STRIP, GL_FAN, GL_QUADS, GL_QUAD_STRIP, GL_POLYGON = 4, 5, 6, 7, 8, 9
_PIXEL_MODES = {6407: "RGB", 6408: "RGBA", 6409: "L", 6410: "LA", 0x80E0: "BGR", 0x80E1: "BGRA"}
_DXT = {0x83F0: b"DXT1", 0x83F1: b"DXT1", 0x83F2: b"DXT3", 0x83F3: b"DXT5"}


@dataclass
class Part:
    """One level of one place: its own geometries, and the file with the next level.

    Attributes
    ----------
    geometries : list of (matrix, Item)
        With the matrix ``(4, 4)`` that brings them into the file's coordinates (row vectors).
    file : str
        Name of the file with finer levels, empty for none.
    error : float
        Metres, see `plumbline.core.tiles.Tile`.
    """

    geometries: list[tuple[FloatArray, Item]] = field(default_factory=list)
    file: str = ""
    error: float = 0.0
    sphere: tuple[float, float, float, float] | None = None


def parts_of(root: Item) -> list[Part]:
    """Return the parts of a file: one for each paged level, one for what belongs to none."""
    loose = Part()
    parts = list(_walk(root, np.eye(4), loose))
    return [loose, *parts] if loose.geometries else parts


def _walk(item: Any, matrix: FloatArray, here: Part) -> Iterator[Part]:
    if not isinstance(item, Item):
        return
    if item.cls == "osg::MatrixTransform":
        matrix = np.array(item.get("matrix")).reshape(4, 4) @ matrix
    elif item.cls == "osg::PositionAttitudeTransform":
        shift = np.eye(4)
        shift[3, :3] = item.get("position")
        matrix = shift @ matrix
    if item.cls == "osg::Geometry":
        here.geometries.append((matrix, item))
    elif item.cls in ("osg::PagedLOD", "osg::LOD"):
        yield from _level(item, matrix)
        return
    for child in (*(item.get("children") or ()), *(item.get("drawables") or ())):
        yield from _walk(child, matrix, here)


def _level(item: Item, matrix: FloatArray) -> Iterator[Part]:
    """Turn a level of detail into a part: the coarsest child here, the finer ones in files.

    Of several children inside the file the finest is taken; that is how such levels are written
    when they are complete.
    """
    files = [name for name in item.get("files") or () if name]
    ranges = item.get("ranges") or ()
    part = Part(file=files[-1] if files else "")
    center = item.get("center")
    if center is not None:
        x, y, z, radius = center
        x, y, z = (np.array([x, y, z, 1.0]) @ matrix)[:3]
        part.sphere = (float(x), float(y), float(z), abs(float(radius)))
    if part.file:
        part.error = _error(item, ranges, part.sphere)
    children = item.get("children") or ()
    wanted = children if item.cls == "osg::PagedLOD" else children[-1:]
    below: list[Part] = []
    for child in wanted:
        below += _walk(child, matrix, part)
    yield part
    yield from below


def _error(item: Item, ranges: Any, sphere: Any) -> float:
    """Return the metres of error at which the next level takes over."""
    switch = max((low for low, _ in ranges if 0 < low < 1e20), default=0.0)
    if item.get("range_mode") == 1:
        diameter = 2.0 * sphere[3] if sphere else 0.0
        return float(diameter / switch * SWITCH_PIXELS) if switch else 1e-3
    # Distances shrink towards finer levels: the far end of the finest is where it begins.
    near = min((high for _, high in ranges if 0 < high < 1e20), default=0.0)
    return float(near * 2 * HALF_VIEW / SCREEN_PIXELS * SWITCH_PIXELS) or 1e-3


# -- meshes ----------------------------------------------------------------------------------------


def mesh_of(part: Part, images: dict[int, Texture | None]) -> MeshData:
    """Return the geometries of a part as one mesh in the file's coordinates."""
    vertices: list[AnyArray] = []
    triangles: list[AnyArray] = []
    uvs: list[AnyArray] = []
    materials: list[Material] = []
    index: list[AnyArray] = []
    start = 0
    for matrix, item in part.geometries:
        points = _values(item.get("points"))
        if points is None or points.ndim != 2 or points.shape[1] < 3:
            continue
        points = points[:, :3].astype(np.float64)
        cells = _triangles(item, len(points))
        with np.errstate(invalid="ignore", over="ignore"):  # whoever asked looks at the box
            place = points @ matrix[:3, :3] + matrix[3, :3]
        vertices.append(place)
        triangles.append(cells + start)
        uvs.append(_uv(item, len(points)))
        index.append(np.full(len(cells), len(materials)))
        materials.append(_material(item, images, len(materials)))
        start += len(points)
    if not vertices:
        return MeshData(np.empty((0, 3)), np.empty((0, 3), dtype=np.int32))
    return MeshData(
        np.concatenate(vertices),
        np.concatenate(triangles).astype(np.int32),
        uv=np.concatenate(uvs),
        materials=materials,
        material_index=np.concatenate(index).astype(np.int32),
    )


def sphere_box(part: Part) -> Bounds | None:
    """Return the box of a part without its geometries, None where the file does not say."""
    if part.sphere is None:
        return None
    x, y, z, r = part.sphere
    return Bounds(x - r, y - r, z - r, x + r, y + r, z + r)


def _values(found: Any) -> AnyArray | None:
    """Return the numbers of an array, whichever way the version of the file keeps them."""
    if isinstance(found, Item):
        found = found.fields
    if not found:
        return None
    values: AnyArray | None = found.get("values")
    indices = found.get("indices")
    if values is not None and indices is not None:
        if len(indices) and int(indices.max()) >= len(values):
            raise BrokenFileError("an array is indexed past its end")
        values = values[indices]
    return values


def _uv(item: Item, count: int) -> AnyArray:
    for found in item.get("uv") or ():
        values = _values(found)
        if values is not None and values.ndim == 2 and len(values) == count:
            return values[:, :2].astype(np.float32)
    return np.zeros((count, 2), dtype=np.float32)


def _triangles(item: Item, count: int) -> AnyArray:
    found = [np.empty((0, 3), dtype=np.int64)]
    for one in item.get("primitives") or ():
        fields = one.fields if isinstance(one, Item) else one
        if not fields:
            continue
        mode = int(fields.get("mode", -1))
        for run in _runs(fields):
            found.append(_cells(mode, run))
    cells = np.concatenate(found)
    if len(cells) and (cells.min() < 0 or cells.max() >= count):
        raise BrokenFileError("triangles name vertices that are not there")
    return cells


def _runs(fields: dict[str, Any]) -> Iterator[AnyArray]:
    """Return the vertex numbers of each primitive set."""
    if fields.get("indices") is not None:
        yield np.asarray(fields["indices"], dtype=np.int64)
        return
    start = int(fields.get("first", 0))
    for length in fields.get("lengths", (fields.get("count", 0),)):
        yield np.arange(start, start + min(int(length), 100_000_000))
        start += int(length)


def _cells(mode: int, run: AnyArray) -> AnyArray:
    """Return the triangles of a primitive set; points and lines have none."""
    n = len(run)
    if mode == GL_TRIANGLES:
        return run[: n // 3 * 3].reshape(-1, 3)
    if mode == GL_QUADS:
        a, b, c, d = run[: n // 4 * 4].reshape(-1, 4).T
        return np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    if n < 3 or mode not in (GL_STRIP, GL_FAN, GL_QUAD_STRIP, GL_POLYGON):
        return np.empty((0, 3), dtype=np.int64)
    if mode in (GL_FAN, GL_POLYGON):
        return np.column_stack([np.full(n - 2, run[0]), run[1:-1], run[2:]])
    cells = np.column_stack([run[:-2], run[1:-1], run[2:]])
    cells[1::2] = cells[1::2][:, [1, 0, 2]]
    kept: AnyArray = cells[
        (cells[:, 0] != cells[:, 1]) & (cells[:, 1] != cells[:, 2]) & (cells[:, 0] != cells[:, 2])
    ]
    return kept


# -- materials -------------------------------------------------------------------------------------


def _material(item: Item, images: dict[int, Texture | None], number: int) -> Material:
    state = item.get("state")
    color = (1.0, 1.0, 1.0, 1.0)
    texture = None
    if isinstance(state, Item):
        for attribute in state.get("attributes") or ():
            if isinstance(attribute, Item) and attribute.get("diffuse") is not None:
                r, g, b, a = (float(min(max(v, 0.0), 1.0)) for v in attribute.get("diffuse"))
                color = (r, g, b, a)
        for unit in state.get("textures") or ():
            for one in unit:
                image = one.get("image") if isinstance(one, Item) else None
                if isinstance(image, Item) and texture is None:
                    if id(image) not in images:
                        images[id(image)] = _texture(image)
                    texture = images[id(image)]
    return Material(f"{number}", color, texture)


def _texture(image: Item) -> Texture | None:
    """Return an image as the bytes of a JPEG or PNG; None for kinds that are not known."""
    if image.get("file"):
        return Texture(data=image.get("file"))
    pixels = image.get("pixels")
    if not pixels:
        return None
    from PIL import Image

    width, height = image.get("width", 0), image.get("height", 0)
    if not (0 < width <= 16384 and 0 < height <= 16384):
        return None
    kind = image.get("format")
    if kind in _DXT or image.get("internal") in _DXT:
        code = _DXT[kind if kind in _DXT else image.get("internal")]
        picture = Image.open(io.BytesIO(_dds(width, height, code) + pixels)).convert("RGBA")
    elif kind in _PIXEL_MODES and image.get("type") == 5121:
        mode = _PIXEL_MODES[kind]
        plain = {"BGR": "RGB", "BGRA": "RGBA"}.get(mode, mode)
        row = -(-width * len(mode) // max(1, image.get("packing", 1))) * image.get("packing", 1)
        if row * height > len(pixels):
            return None
        picture = Image.frombytes(plain, (width, height), pixels, "raw", mode, row)
    else:
        return None
    if image.get("origin") == 0:
        # Rows from the bottom upwards; pictures in files begin at the top.
        picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return Texture(data=stream.getvalue())


def _dds(width: int, height: int, code: bytes) -> bytes:
    """Return the head of a DDS file, so that Pillow unpacks the blocks behind it."""
    head = struct.pack("<7I44x", 124, 0x1007, height, width, 0, 0, 0)
    pixel = struct.pack("<2I4s5I", 32, 0x4, code, 0, 0, 0, 0, 0)
    return b"DDS " + head + pixel + struct.pack("<5I", 0x1000, 0, 0, 0, 0)
