"""A writer of small ``.osgb`` files, in every dialect that the reader knows.

Written from the format's description, apart from the reader: only what a photogrammetric tile has.
"""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

#: A level of a place: its triangles, the file with the next one, and its sphere.
Level = tuple[np.ndarray, str, tuple[float, float, float, float]]


class Writer:
    """Writes objects of one version, with or without sizes of blocks."""

    def __init__(self, version: int, brackets: bool) -> None:
        self.version, self.brackets = version, brackets
        self.number = 0

    def block(self, content: bytes) -> bytes:
        if not self.brackets:
            return content
        kind = "<q" if self.version > 148 else "<i"
        return struct.pack(kind, len(content) + struct.calcsize(kind)) + content

    def text(self, text: str) -> bytes:
        raw = text.encode()
        return struct.pack("<i", len(raw)) + raw

    def item(self, cls: str, content: Callable[[], bytes]) -> bytes:
        self.number += 1
        head = struct.pack("<I", self.number)
        return self.text(cls) + self.block(head + content())

    # -- what every object of a kind has -----------------------------------------------------

    def object(self) -> bytes:
        return self.text("") + struct.pack("<i", 2) + b"\0"

    def node(self, state: bytes = b"\0") -> bytes:
        old = b"\0" if self.version < 77 else b""
        return self.object() + b"\0" * 5 + b"\1" + struct.pack("<I", 0xFFFFFFFF) + old + state

    def group(self, children: Sequence[bytes]) -> bytes:
        return self.item(
            "osg::Group",
            lambda: (
                self.node()
                + b"\1"
                + struct.pack("<I", len(children))
                + self.block(b"".join(children))
            ),
        )

    def paged(self, geode: bytes, file: str, sphere: tuple[float, ...]) -> bytes:
        ranges = struct.pack("<4f", 0, 320, 320, 1e30)
        names = self.text("") + self.text(file)
        content = self.node() + struct.pack("<i", 1) + b"\1" + struct.pack("<4d", *sphere)
        content += struct.pack("<i", 1) + b"\1" + struct.pack("<I", 2) + self.block(ranges)
        content += b"\1\0" + struct.pack("<I", 0) + b"\0"
        content += b"\1" + struct.pack("<I", 2) + self.block(names)
        content += struct.pack("<I", 2) + self.block(struct.pack("<4f", 0, 1, 0, 1))
        content += b"\1" + struct.pack("<I", 1) + self.block(geode)
        return self.item("osg::PagedLOD", lambda: content)

    def geode(self, geometry: bytes) -> bytes:
        return self.item(
            "osg::Geode",
            lambda: self.node() + b"\1" + struct.pack("<I", 1) + self.block(geometry),
        )

    # -- geometry ----------------------------------------------------------------------------

    def geometry(self, points: np.ndarray, image: bytes) -> bytes:
        """Return one geometry of separate triangles, `points` being their corners."""
        state = b"\1" + self.state(image)
        head = self.node(state) if self.version >= 154 else self.object()
        # Two versions have the state in both places; the second one is empty.
        content = head + (b"" if self.version >= 156 else b"\0" if self.version >= 154 else state)
        content += b"\0\0\0" + b"\1\1\0"
        content += b"\0" * 4 if self.version < 156 else b""
        content += struct.pack("<I", 0xFFFFFFFF) if self.version >= 142 else b""
        content += b"\0" if self.version >= 145 else b""
        uv = np.tile(np.array([[0, 0], [1, 0], [0, 1]], "<f4"), (len(points) // 3, 1))
        if self.version < 112:
            content += struct.pack("<I", 1) + self.old_primitives(len(points))
            content += b"\1" + self.block(self.old_array(points.astype("<f4"), 16))
            content += b"\0" * 4
            content += b"\1" + struct.pack("<I", 1)
            content += self.block(self.block(self.old_array(uv, 15))) + b"\0\0"
        else:
            content += struct.pack("<I", 1) + self.new_primitives(len(points))
            content += b"\1" + self.new_array("Vec3", points.astype("<f4")) + b"\0" * 4
            content += struct.pack("<I", 1) + self.new_array("Vec2", uv) + struct.pack("<I", 0)
        return self.item("osg::Geometry", lambda: content)

    def old_array(self, values: np.ndarray, kind: int) -> bytes:
        self.number += 1
        head = struct.pack("<Iii", self.number, kind, len(values))
        return b"\1" + head + self.block(values.tobytes()) + b"\0" + struct.pack("<ii", 4, 0)

    def new_array(self, name: str, values: np.ndarray) -> bytes:
        buffer = b"\0" if self.version >= 147 else b""
        content = self.object() + buffer + struct.pack("<i", 4) + b"\0\0"
        content += struct.pack("<I", len(values)) + values.tobytes()
        return self.item(f"osg::{name}Array", lambda: content)

    def old_primitives(self, count: int) -> bytes:
        instances = struct.pack("<I", 0) if self.version > 96 else b""
        run = np.arange(count, dtype="<u2")
        head = struct.pack("<ii", 53, 4) + instances + struct.pack("<I", count)
        return head + self.block(run.tobytes())

    def new_primitives(self, count: int) -> bytes:
        buffer = b"\0" if self.version >= 147 else b""
        content = self.object() + buffer + struct.pack("<iI", 0, 4)
        content += struct.pack("<I", count) + np.arange(count, dtype="<u2").tobytes()
        return self.item("osg::DrawElementsUShort", lambda: content)

    # -- look ----------------------------------------------------------------------------------

    def state(self, image: bytes) -> bytes:
        texture = self.item("osg::Texture2D", lambda: self.texture(image))
        content = self.object() + b"\0\0\0"
        attributes = struct.pack("<I", 1) + self.block(texture + struct.pack("<i", 1))
        content += b"\1" + struct.pack("<I", 1) + self.block(attributes)
        content += b"\0" + struct.pack("<3i", 0, 0, 0) + self.text("") + b"\1\0\0"
        content += b"\0" if self.version >= 151 else b""
        return self.item("osg::StateSet", lambda: content)

    def texture(self, image: bytes) -> bytes:
        content = self.object() + b"\0\0"
        content += (b"\1" + struct.pack("<I", 0x812F)) * 5
        content += struct.pack("<f", 1) + b"\1\0\0\1" + struct.pack("<4d", 0, 0, 0, 0)
        content += struct.pack("<ii", 0, 0) + b"\0\0\0" + b"\0" + struct.pack("<iif", 0, 0, 0)
        content += b"\0" if 95 <= self.version < 154 else b""
        content += b"\0" if self.version >= 98 else b""
        content += struct.pack("<3f", 0, 0, 0) if self.version >= 155 else b""
        content += b"\1" + self.image(image) + struct.pack("<ii", 0, 0)
        return content

    def image(self, data: bytes) -> bytes:
        self.number += 1
        cls = self.text("osg::Image") if self.version > 94 else b""
        head = cls + struct.pack("<I", self.number) + self.text("a.jpg")
        return head + struct.pack("<iiI", 0, 1, len(data)) + data + self.object()


def jpeg() -> bytes:
    """Return a small picture."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (200, 120, 40)).save(stream, "JPEG")
    return stream.getvalue()


def osgb(
    levels: Sequence[Level], version: int = 80, brackets: bool = False, packed: bool = False
) -> bytes:
    """Return a file whose root holds paged levels; an empty file name ends there."""
    writer = Writer(version, brackets)
    writer.number = 1
    children = []
    for points, file, sphere in levels:
        geode = writer.geode(writer.geometry(points, jpeg()))
        children.append(writer.paged(geode, file, sphere) if file else geode)
    writer.number += 1
    body = writer.group(children)
    head = struct.pack("<II", 0x6C910EA1, 0x1AFB4545)
    head += struct.pack("<III", 1, version, 4 if brackets else 0)
    if packed:
        return head + writer.text("zlib") + gzip.compress(body)
    return head + writer.text("0") + body


def square(x: float, y: float, size: float, z: float, count: int = 1) -> np.ndarray:
    """Return the corners of `2 * count²` triangles that cover a square."""
    step = size / count
    corners = []
    for i in range(count):
        for j in range(count):
            a, b = x + i * step, y + j * step
            corners += [(a, b, z), (a + step, b, z), (a, b + step, z)]
            corners += [(a + step, b + step, z), (a, b + step, z), (a + step, b, z)]
    return np.array(corners)


def production(folder: Path, srs: str = "EPSG:4547", origin: str = "500000,2500000,0") -> Path:
    """Write a production of one tile in three levels; return its ``metadata.xml``."""
    tile = folder / "Data" / "Tile_+000_+000"
    tile.mkdir(parents=True)
    metadata = folder / "metadata.xml"
    metadata.write_text(
        f'<?xml version="1.0"?><ModelMetadata version="1"><SRS>{srs}</SRS>'
        f"<SRSOrigin>{origin}</SRSOrigin></ModelMetadata>",
        encoding="utf-8",
    )
    sphere = (50.0, 50.0, 5.0, 70.0)
    name = tile.name
    (tile / f"{name}.osgb").write_bytes(
        osgb([(square(0, 0, 100, 5), f"{name}_L15_0.osgb", sphere)])
    )
    halves = [(square(x, 0, 50, 5, 2), f"{name}_L16_0{n}.osgb", (x + 25.0, 50.0, 5.0, 56.0))
              for n, x in enumerate((0, 50))]  # fmt: skip
    (tile / f"{name}_L15_0.osgb").write_bytes(osgb(halves, 161, True))
    # The second half names a file that is not there, as productions do that were cut out.
    (tile / f"{name}_L16_00.osgb").write_bytes(
        osgb([(square(0, 0, 50, 5, 8), "", sphere)], 130, True, packed=True)
    )
    return metadata
