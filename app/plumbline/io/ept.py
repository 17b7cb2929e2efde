"""Entwine Point Tiles: a folder of small clouds in an octree, opened as a streamed tree.

Facts of the format: *Entwine Point Tile* 1.1.0 (Hobu). Nothing but ``ept.json`` and the first page
of the hierarchy is read when it is opened. Its index is hostile until checked, as that of COPC is.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.crs import parse_crs
from plumbline.core.data import AnyArray, Bounds, PointCloudData
from plumbline.core.errors import UserError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.tiles import Tile, TileSource
from plumbline.io.base import damaged, reading
from plumbline.io.copc import MAX_LEVEL, MAX_NODE, Key, below, key_of
from plumbline.io.las_points import cloud_of, rgb_shift, third_party
from plumbline.io.pointcloud_header import check_header
from plumbline.io.registry import LoadContext
from plumbline.io.stores import FolderStore, HttpStore, Store

TITLE = "EPT"
#: Most points that are believed.
MAX_POINTS = 10**13
#: Names of dimensions and those that layers use.
_NAMES = {
    "Intensity": "intensity", "ReturnNumber": "return_number", "GpsTime": "gps_time",
    "NumberOfReturns": "number_of_returns", "Classification": "classification",
}  # fmt: skip
_XYZ, _RGB = ("X", "Y", "Z"), ("Red", "Green", "Blue")
_SUFFIXES = {"laszip": "laz", "binary": "bin"}
_KINDS = {"signed": "i", "unsigned": "u", "float": "f"}


class EptSource(TileSource):
    """Nodes of an EPT folder; the id of a tile is ``level-x-y-z``."""

    def __init__(self, store: Store, document: dict[str, Any]) -> None:
        super().__init__()
        self._store = store
        self._suffix = _SUFFIXES.get(str(document["dataType"]), "")
        if not self._suffix:
            raise ValueError(tr("it is compressed in a way that cannot be decoded here"))
        self.count = int(document["points"])
        cube = np.array(document["bounds"], np.float64)
        box = np.array(document.get("boundsConforming", cube), np.float64)
        span = float(document["span"])
        sound = cube.shape == box.shape == (6,) and np.isfinite([*cube, *box, span]).all()
        side = float((cube[3:] - cube[:3]).max()) if sound else 0.0
        if not (sound and 0 < side < 1e9 and span >= 1 and 0 < self.count <= MAX_POINTS):
            raise ValueError(tr("its index of tiles contradicts itself"))
        if (box[3:] < box[:3]).any():
            raise ValueError(tr("its index of tiles contradicts itself"))
        self._low, self._side, self._spacing = cube[:3], side, side / span
        self.box = Bounds(*map(float, box))
        self._schema = [dict(one) for one in document["schema"]]
        self._counts: dict[Key, int] = {}
        self._pages: set[Key] = set()
        self._left = self.count
        self._lock = threading.Lock()
        self._page((0, 0, 0, 0))
        if (0, 0, 0, 0) not in self._counts:
            raise ValueError(tr("its index of tiles has no root"))
        stated = {str(one.get("name")) for one in self._schema}
        self.names = tuple(plain for name, plain in _NAMES.items() if name in stated)
        self.names += ("rgb",) if stated.issuperset(_RGB) else ()
        # Colours come as they are stored as long as no shift is known.
        root = self.content(self.roots()[0])
        self._shift = 0
        if root is not None and "rgb" in root.attributes:
            self._shift = rgb_shift(root.attributes["rgb"])

    def roots(self) -> tuple[Tile, ...]:
        """Return the root."""
        return (self._tile((0, 0, 0, 0)),)

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the nodes that refine a tile; pages of the index are read as they are needed."""
        return tuple(self._tile(child) for child in below(key_of(tile.id)) if self._known(child))

    def content(self, tile: Tile) -> PointCloudData | None:
        """Return the points of a node."""
        count = self._counts.get(key_of(tile.id), 0)
        if count <= 0:
            return None
        name = f"ept-data/{tile.id}.{self._suffix}"
        try:
            if self._suffix == "laz":
                cloud = _laz(self._store, name, count, self.names)
            else:
                cloud = _binary(self._store.read(name), self._schema, count, self.names)
        except (OSError, ValueError, KeyError, TypeError, UserError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self.note(tr("“{name}” is left out: {why}.", name=name, why=why.rstrip(".。")))
            return None
        if "rgb" in cloud.attributes and hasattr(self, "_shift"):
            cloud.attributes["rgb"] = (cloud.attributes["rgb"] >> self._shift).astype(np.uint8)
        return cloud

    def _tile(self, key: Key) -> Tile:
        level, *place = key
        leaf = not any(child in self._counts for child in below(key))
        side = self._side / 2**level
        low = self._low + side * np.array(place)
        low, high = np.maximum(low, self.box.low), np.minimum(low + side, self.box.high)
        if (low > high).any():
            low = high = self.box.center
        return Tile(
            "-".join(map(str, key)),
            Bounds(*map(float, (*low, *high))),
            0.0 if leaf else self._spacing / 2**level,
            "add",
            has_content=self._counts[key] > 0,
            is_leaf=leaf,
        )

    def _known(self, key: Key) -> bool:
        """Tell whether there is a node; an entry that stands for a page is replaced by it."""
        with self._lock:
            if self._counts.get(key) == -1:
                del self._counts[key]
                self._page(key)
                if self._counts.get(key) == -1:
                    del self._counts[key]
            return key in self._counts

    def _page(self, key: Key) -> None:
        """Take the entries of a page that can be true; a page is read once."""
        if key in self._pages:
            return
        self._pages.add(key)
        name = f"ept-hierarchy/{'-'.join(map(str, key))}.json"
        wrong = 0
        try:
            page = json.loads(self._store.read(name))
            for text, count in page.items():
                if not self._take(str(text), count):
                    wrong += 1
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self.note(tr("“{name}” is left out: {why}.", name=name, why=why.rstrip(".。")))
        if wrong:
            self.note(tr("{n} entries of the index of “{name}” cannot be.", n=wrong, name=name))

    def _take(self, text: str, count: Any) -> bool:
        try:
            key = key_of(text)
        except ValueError:
            return False
        level, *place = key
        fits = 0 <= level <= MAX_LEVEL and all(0 <= p < 2**level for p in place)
        if not fits or key in self._counts or isinstance(count, bool) or not isinstance(count, int):
            return False
        if not -1 <= count <= min(self._left, MAX_NODE):
            return False
        self._counts[key] = count
        self._left -= max(count, 0)
        return True


def _laz(store: Store, name: str, count: int, names: tuple[str, ...]) -> PointCloudData:
    import laspy

    with _on_disk(store, name) as path:
        check_header(path)
        with third_party(path), laspy.open(path) as reader:
            if reader.header.point_count != count:
                raise ValueError(tr("it holds {n} points, not {m}", n=reader.header.point_count,
                                    m=count))  # fmt: skip
            record = reader.read().points
            raw = np.ascontiguousarray(record.array).view(np.uint8)
            return cloud_of(raw, reader.header, names)


@contextmanager
def _on_disk(store: Store, name: str) -> Iterator[Path]:
    """Give the path of a file, for a while where it lies on another machine."""
    local = store.local(name)
    if local is not None:
        yield local
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-ept-") as folder:
        path = Path(folder) / name.rpartition("/")[2]
        path.write_bytes(store.read(name))
        yield path


def _binary(
    raw: bytes, schema: list[dict[str, Any]], count: int, names: tuple[str, ...]
) -> PointCloudData:
    """Return points that are stored one after the other as their schema says."""
    fields = [(str(d["name"]), f"<{_KINDS[str(d['type'])]}{int(d['size'])}") for d in schema]
    dtype = np.dtype(fields)
    if len(raw) != count * dtype.itemsize:
        raise ValueError(tr("it is cut off"))
    records = np.frombuffer(raw, dtype)
    stated = {str(d["name"]): d for d in schema}

    def plain(name: str) -> AnyArray:
        scale, offset = (
            stated[name].get(k, default) for k, default in (("scale", 1), ("offset", 0))
        )
        return np.asarray(records[name] * float(scale) + float(offset))

    points = np.column_stack([plain(name) for name in _XYZ])
    attributes = {p: np.array(records[n]) for n, p in _NAMES.items() if p in names}
    if "rgb" in names:
        attributes["rgb"] = np.column_stack([records[name] for name in _RGB])
    return PointCloudData(points, attributes)


def load_ept(path: Path, context: LoadContext) -> list[Layer]:
    """Read an ``ept.json`` as one streamed point cloud.

    Raises
    ------
    InputError
        If it, or the first page of its index, cannot be used.
    """
    name = path.parent.name if path.name == "ept.json" else path.stem
    return [_layer(path, FolderStore(path.parent), path.name, name)]


def ept_of_address(path: Path, url: str, context: LoadContext) -> list[Layer]:
    """Read a cloud at an address on the local network; see `load_ept`."""
    return [_layer(path, HttpStore(url), "ept.json", path.stem)]


def _layer(path: Path, store: Store, entrance: str, name: str) -> Layer:
    with reading(path, TITLE):
        document = json.loads(store.read(entrance))
        source = EptSource(store, document)
        crs, warnings = _crs(document.get("srs") or {})
    data = TiledCloud(source, source.count, source.box, source.names)
    if not data.tree.source.roots():
        raise damaged(path, TITLE, tr("it holds no points"))
    metadata = {"format": TITLE, "version": str(document.get("version", "")), "streamed": True}
    notes = [*source.notes, *warnings]
    return Layer(name, name, LayerKind.POINTCLOUD, data, crs, metadata=metadata, warnings=notes)


def _crs(stated: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return the CRS that a cloud states, and a warning where it cannot be understood."""
    text = str(stated.get("wkt") or "")
    if not text and stated.get("horizontal"):
        authority = str(stated.get("authority") or "EPSG")
        text = f"{authority}:{stated['horizontal']}"
        text += f"+{stated['vertical']}" if stated.get("vertical") else ""
    if not text:
        return None, []
    try:
        return parse_crs(text), []
    except UserError:
        return None, [tr("Its CRS cannot be understood: {text}.", text=text[:80])]
