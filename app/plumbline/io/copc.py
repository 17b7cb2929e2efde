"""COPC: a LAZ file whose chunks are the nodes of an octree, opened as a streamed tree.

Nothing but the header and pages of the index is read when a file is opened, so that a cloud of any
size is there at once. The index is hostile until checked: an entry must lie in the file, a page is
followed once, and all nodes together hold no more points than the header says.

Facts of the format: COPC 1.0 (Hobu 2021), on LAZ 1.4 (ASPRS).
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.data import AnyArray, Bounds, FloatArray, PointCloudData
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.tiles import Tile, TileSource
from plumbline.io.las_points import attribute_names, cloud_of, rgb_shift, third_party
from plumbline.io.pointcloud_header import damaged, read_crs
from plumbline.io.pointcloud_laz import items_of, layers_fit

if TYPE_CHECKING:
    from laspy import LasHeader

#: Levels of the octree that are believed.
MAX_LEVEL = 30
#: Points of one node; writers put a hundred thousand into one.
MAX_NODE = 50_000_000
#: Clouds whose classes are counted when they are opened.
SMALL = 1_000_000
_ENTRY = struct.Struct("<iiiiQii")
_INFO = struct.Struct("<3dddQQdd")

Key = tuple[int, int, int, int]


@dataclass(frozen=True)
class CopcInfo:
    """What the record ``copc info`` says."""

    center: tuple[float, float, float]
    half: float
    spacing: float
    root: tuple[int, int]


def read_info(header: LasHeader) -> CopcInfo | None:
    """Return the COPC record of a LAS header, None where the file is a plain LAS or LAZ."""
    first = header.vlrs[0] if len(header.vlrs) else None
    if first is None or (first.user_id, first.record_id) != ("copc", 1):
        return None
    return CopcInfo(
        (float(first.center[0]), float(first.center[1]), float(first.center[2])),
        float(first.halfsize),
        float(first.spacing),
        (int(first.hierarchy_root_offset), int(first.hierarchy_root_size)),
    )


class CopcSource(TileSource):
    """Nodes of a COPC file; the id of a tile is ``level-x-y-z``."""

    def __init__(
        self,
        path: Path,
        header: LasHeader,
        info: CopcInfo,
        names: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__()
        self.path, self.info = path, info
        self._header, self._size = header, path.stat().st_size
        self._record = next(
            bytes(v.record_data_bytes()) for v in header.vlrs if v.user_id == "laszip encoded"
        )
        self._box = Bounds(*map(float, (*header.mins, *header.maxs)))
        self._entries: dict[Key, tuple[int, int, int]] = {}
        self._pages: set[int] = set()
        self._left = int(header.point_count)
        self._lock = threading.Lock()
        numbers = (*info.center, info.half, info.spacing)
        if not np.isfinite(numbers).all() or not 0 < info.half < 1e9 or not info.spacing > 0:
            raise damaged(path, tr("its index of tiles contradicts itself"))
        self._page(*info.root)
        if (0, 0, 0, 0) not in self._entries:
            raise damaged(path, tr("its index of tiles has no root"))
        self.names = attribute_names(header) if names is None else names
        # Colours come as they are stored as long as no shift is known.
        root = self.content(self.roots()[0])
        self.shift = 0
        if root is not None and "rgb" in root.attributes:
            self.shift = rgb_shift(root.attributes["rgb"])
            if not root.attributes["rgb"].any():
                self.names = tuple(name for name in self.names if name != "rgb")

    # -- the tree ----------------------------------------------------------------------------

    def roots(self) -> tuple[Tile, ...]:
        """Return the root."""
        return (self._tile((0, 0, 0, 0)),)

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the nodes that refine a tile; pages of the index are read as they are needed."""
        key = key_of(tile.id)
        return tuple(self._tile(child) for child in below(key) if self._known(child))

    def content(self, tile: Tile) -> PointCloudData | None:
        """Return the points of a node."""
        key = key_of(tile.id)
        offset, size, count = self._entries.get(key, (0, 0, 0))
        if count <= 0:
            return None
        try:
            raw = self._decoded(offset, size, count)
        except (OSError, InputError) as error:
            self.note(tr("“{name}” is left out: {why}.", name=f"{self.path.name} {tile.id}",
                         why=str(error).rstrip(".。")))  # fmt: skip
            return None
        cloud = cloud_of(raw, self._header, self.names)
        if "rgb" in cloud.attributes and hasattr(self, "shift"):
            cloud.attributes["rgb"] = (cloud.attributes["rgb"] >> self.shift).astype(np.uint8)
        return cloud

    def _tile(self, key: Key) -> Tile:
        level, *place = key
        count = self._entries[key][2]
        leaf = not any(child in self._entries for child in below(key))
        side = 2 * self.info.half / 2**level
        low = np.array(self.info.center) - self.info.half + side * np.array(place)
        # A cube reaches far above flat land: what the header says of the points is nearer.
        low, high = np.maximum(low, self._box.low), np.minimum(low + side, self._box.high)
        if (low > high).any():
            low = high = self._box.center
        return Tile(
            "-".join(map(str, key)),
            Bounds(*map(float, (*low, *high))),
            0.0 if leaf else self.info.spacing / 2**level,
            "add",
            has_content=count > 0,
            is_leaf=leaf,
        )

    # -- the index ---------------------------------------------------------------------------

    def _known(self, key: Key) -> bool:
        """Tell whether there is a node; an entry that stands for a page is replaced by it."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry[2] == -1:
                del self._entries[key]
                self._page(entry[0], entry[1])
                entry = self._entries.get(key)
                if entry is not None and entry[2] == -1:
                    del self._entries[key]
                    entry = None
            return entry is not None

    def _page(self, offset: int, size: int) -> None:
        """Take the entries of a page that can be true."""
        name = self.path.name
        if offset in self._pages:
            self.note(tr("“{name}” refers to itself.", name=name))
            return
        self._pages.add(offset)
        if offset <= 0 or size < _ENTRY.size or offset + size > self._size:
            self.note(tr("A page of the index of “{name}” lies outside of it.", name=name))
            return
        with self.path.open("rb") as stream:
            stream.seek(offset)
            raw = stream.read(size)
        wrong = 0
        for *key, start, length, count in _ENTRY.iter_unpack(raw[: size // 32 * 32]):
            place = (key[0], key[1], key[2], key[3])
            if place in self._entries or not self._possible(place, start, length, count):
                wrong += 1
                continue
            self._entries[place] = (start, length, count)
            self._left -= max(count, 0)
        if wrong:
            self.note(tr("{n} entries of the index of “{name}” cannot be.", n=wrong, name=name))

    def _possible(self, key: Key, start: int, length: int, count: int) -> bool:
        level, *place = key
        if not 0 <= level <= MAX_LEVEL or not all(0 <= p < 2**level for p in place):
            return False
        inside = start > 0 and length > 0 and start + length <= self._size
        return count == 0 or (inside and -1 <= count <= min(self._left, MAX_NODE))

    # -- points --------------------------------------------------------------------------------

    def _decoded(self, offset: int, size: int, count: int) -> AnyArray:
        """Return the records of a chunk."""
        import lazrs

        with self.path.open("rb") as stream:
            stream.seek(offset)
            raw = stream.read(size)
        width = self._header.point_format.size
        if not layers_fit(raw, width, count, items_of(self._record)):
            raise damaged(self.path, tr("its table of compressed points contradicts the file"))
        out = np.zeros(count * width, np.uint8)
        with third_party(self.path):
            lazrs.decompress_points_with_chunk_table(raw, self._record, out, [(count, size)], None)
        return out


def key_of(text: str) -> Key:
    """Return level and place of a node by the id of its tile."""
    level, x, y, z = map(int, text.split("-"))
    return level, x, y, z


def below(key: Key) -> list[Key]:
    """Return the eight nodes that a node may be refined by."""
    level, x, y, z = key
    return [
        (level + 1, 2 * x + (n & 1), 2 * y + (n >> 1 & 1), 2 * z + (n >> 2 & 1)) for n in range(8)
    ]


def copc_layer(
    path: Path,
    header: LasHeader,
    info: CopcInfo,
    metadata: dict[str, Any],
    names: tuple[str, ...] | None = None,
) -> Layer:
    """Return the layer of a COPC file, streamed.

    Parameters
    ----------
    names : tuple of str, optional
        Attributes that the points have; all that the file has room for otherwise.

    Raises
    ------
    InputError
        If its index cannot be used.
    """
    source = CopcSource(path, header, info, names)
    box = Bounds(*map(float, (*header.mins, *header.maxs)))
    data = TiledCloud(source, int(header.point_count), box, source.names)
    declared = read_crs(header, box)
    if int(header.point_count) <= SMALL:
        found = data.attributes.get("classification", np.zeros(0, np.uint8))
        counts = np.bincount(found, minlength=1)
        metadata["classes"] = {str(n): int(counts[n]) for n in np.flatnonzero(counts)}
    if "rgb" in source.names:
        metadata["colors"] = "16-bit" if source.shift else "8-bit values in 16-bit fields"
    metadata |= {"spacing": info.spacing, "streamed": True}
    name = path.name.removesuffix(path.suffix).removesuffix(".copc")
    return Layer(
        name,
        name,
        LayerKind.POINTCLOUD,
        data,
        declared.crs,
        metadata=metadata | declared.metadata,
        warnings=[*source.notes, *declared.warnings],
    )


def info_bytes(
    center: FloatArray, half: float, spacing: float, root: tuple[int, int], gps: FloatArray
) -> bytes:
    """Return the 160 bytes of the record ``copc info``."""
    return _INFO.pack(*center, half, spacing, *root, *gps) + bytes(160 - _INFO.size)


def entry_bytes(key: Key, offset: int, size: int, count: int) -> bytes:
    """Return an entry of the index."""
    return _ENTRY.pack(*key, offset, size, count)
