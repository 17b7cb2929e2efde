"""Large LAS and LAZ files indexed into COPC, in bounded memory and with the same bytes every time.

Points are looked at twice. The first time they are counted in a coarse grid, which says how the
cloud is divided into bricks that fit into memory. The second time a point goes to the coarsest node
above its brick whose grid cell is still free, else into the file of the brick; afterwards each
brick is divided the same way in memory, or once more on disk where its points stand too dense.
What is written appears under its name when it is whole.

Facts of the format: COPC 1.0 (Hobu 2021), on LAZ 1.4 (ASPRS).
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.data import AnyArray, FloatArray, IntArray
from plumbline.core.errors import InputError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.io.copc import Key, entry_bytes, info_bytes
from plumbline.io.las_points import third_party
from plumbline.io.pointcloud_header import check_header

if TYPE_CHECKING:
    from laspy import LasHeader, PackedPointRecord

#: Cells along the side of a node; one point of each is in it (a power of two, as bits).
CELL_BITS = 7
#: Points at which a node is not divided any more.
NODE_POINTS = 65_536
#: Points of a brick, which is divided in memory.
BRICK_POINTS = 1_000_000
#: Levels of the grid in which points are counted.
GRID_LEVELS = 7
#: Levels of the octree; places are counted in as many bits and those of a cell.
MAX_LEVEL = 20
#: Points of one brick that even the finest grid does not divide: copies of the same place.
MAX_DENSE = 50_000_000
_BITS = MAX_LEVEL + CELL_BITS
#: Points read at a time, and bytes held before they are written to the files of bricks.
_BLOCK, _HELD = 500_000, 64 * 1024 * 1024
#: COPC point format for each of LAS: with time of day, with colours, with infrared.
_FORMATS = (6, 6, 7, 7, 6, 7, 6, 7, 8, 6, 8)
#: Degrees per unit of the scan angle of the new formats.
_ANGLE = 0.006


@dataclass(frozen=True)
class _Cube:
    """The cube of the root: its low corner and its side."""

    low: FloatArray
    side: float

    def places(self, records: AnyArray, header: LasHeader) -> IntArray:
        """Return the places ``(N, 3)`` of points, in steps of the finest cells."""
        xyz = np.column_stack([records[n] for n in "XYZ"]) * header.scales + header.offsets
        steps = np.floor((xyz - self.low) / self.side * 2.0**_BITS)
        places: IntArray = np.clip(steps, 0, 2**_BITS - 1).astype(np.int64)
        return places


@dataclass
class _Written:
    """Nodes in the order in which their chunks are written."""

    nodes: list[tuple[Key, int]] = field(default_factory=list)
    returns: AnyArray = field(default_factory=lambda: np.zeros(15, np.int64))
    low: FloatArray = field(default_factory=lambda: np.full(3, np.inf))
    high: FloatArray = field(default_factory=lambda: np.full(3, -np.inf))
    gps: FloatArray = field(default_factory=lambda: np.array([np.inf, -np.inf]))


def write_copc(path: Path, target: Path, feedback: Feedback | None = None) -> int:
    """Index a LAS or LAZ file into a COPC file; return the number of its points.

    All points and their attributes are kept; wave packets are not. Beside the target as much disk
    is needed as the points take without compression.

    Raises
    ------
    InputError
        If the file cannot be read or the disk is too small; nothing is left behind then.
    """
    import laspy

    feedback = feedback or Feedback()
    check_header(path)
    with third_party(path), laspy.open(path) as reader:
        source = reader.header
    header = _header(source)
    _check_disk(target, int(source.point_count) * header.point_format.size)
    with tempfile.TemporaryDirectory(prefix=".tiling-", dir=target.parent) as folder:
        part = Path(folder) / "cloud.copc.laz"
        box, counts = _counted(path, source, feedback.part(0.0, 0.2))
        spill = _Spill(Path(folder), header)
        upper = _Upper(counts)
        for block in _blocks(path, header, feedback.part(0.2, 0.6)):
            upper.take(block, box.places(block, header), spill)
        spill.flush()
        written = _write(part, header, box, spill, feedback.part(0.6, 1.0))
        part.replace(target)
    return sum(count for _, count in written.nodes)


def _check_disk(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if needed * 1.5 > free:
        raise InputError(
            tr(
                "Tiling needs {need:.1f} GB of disk in “{folder}”, and {free:.1f} GB are free.",
                need=needed * 1.5 / 1e9,
                folder=target.parent,
                free=free / 1e9,
            ),
            tr("Free some space, or tile into a folder on another disk."),
        )


# -- reading ---------------------------------------------------------------------------------------


def _header(source: LasHeader) -> LasHeader:
    """Return the header of the COPC file: LAS 1.4, the CRS and extra bytes of the source."""
    import laspy

    header = deepcopy(source)
    form = laspy.PointFormat(_FORMATS[source.point_format.id])
    form.dimensions.extend(source.point_format.extra_dimensions)
    records = [*source.vlrs, *(source.evlrs or ())]
    header.set_version_and_point_format(laspy.header.Version(1, 4), form)
    kept = [
        r for r in records
        if r.user_id == "LASF_Projection" or (r.user_id == "LASF_Spec" and r.record_id == 4)
    ]  # fmt: skip
    header.vlrs = laspy.vlrs.vlrlist.VLRList(kept)
    header.evlrs = None
    header.extra_header_bytes = header.extra_vlr_bytes = b""
    header.global_encoding.wkt = any(r.record_id == 2112 for r in kept)
    header.generating_software = "Plumbline"
    # The same cloud gives the same file whenever it is tiled.
    header.creation_date = source.creation_date or date(1970, 1, 1)
    return header


def _blocks(path: Path, header: LasHeader, feedback: Feedback) -> Iterator[AnyArray]:
    """Yield the records of a file in the point format of a header."""
    import laspy

    decoders = (laspy.LazBackend.LazrsParallel, laspy.LazBackend.Lazrs)
    text = tr("Reading {name}", name=path.name)
    with third_party(path), laspy.open(path, laz_backend=decoders) as reader:
        done, count = 0, int(reader.header.point_count)
        for block in reader.chunk_iterator(_BLOCK):
            feedback.step(done, count, text)
            done += len(block)
            yield _converted(block, header)


def _converted(block: PackedPointRecord, header: LasHeader) -> AnyArray:
    from laspy import PackedPointRecord

    if block.point_format == header.point_format:
        return np.asarray(block.array)
    new = PackedPointRecord.from_point_record(block, header.point_format)
    if block.point_format.id < 6:
        new["scan_angle"] = np.rint(np.asarray(block["scan_angle_rank"]) / _ANGLE).astype("i2")
    return np.asarray(new.array)


def _counted(path: Path, source: LasHeader, feedback: Feedback) -> tuple[_Cube, IntArray]:
    """Return the cube of the cloud and the points in each cell of the grid.

    The box in a header may be wrong: then the points are looked at once more.
    """
    low, high = np.array(source.mins), np.array(source.maxs)
    for tries in (1, 2):
        cube = _cube(low, high)
        counts = np.zeros(2 ** (3 * GRID_LEVELS), np.int64)
        true_low, true_high = np.full(3, np.inf), np.full(3, -np.inf)
        for block in _blocks(path, source, feedback):
            counts += _in_grid(cube.places(block, source), 0)
            extent = [(block[n].min(), block[n].max()) for n in "XYZ"]
            ends = np.array(extent, float).T * source.scales + source.offsets
            true_low, true_high = np.minimum(true_low, ends[0]), np.maximum(true_high, ends[1])
        tolerance = 1.5 * np.asarray(source.scales)
        inside = (true_low >= low - tolerance).all() and (true_high <= high + tolerance).all()
        if inside or tries == 2:
            break
        low, high = true_low, true_high
    return cube, counts


def _in_grid(places: IntArray, level: int) -> IntArray:
    """Return how many places lie in each cell of the grid of their node of a level."""
    x, y, z = _grid_cells(places, level).T
    side = 2**GRID_LEVELS
    counts: IntArray = np.bincount((x * side + y) * side + z, minlength=side**3)
    return counts


def _grid_cells(places: IntArray, level: int) -> IntArray:
    """Return the cells ``(N, 3)`` of the grid of a node of a level."""
    cells: IntArray = (places >> (_BITS - level - GRID_LEVELS)) & (2**GRID_LEVELS - 1)
    return cells


def _cube(low: FloatArray, high: FloatArray) -> _Cube:
    if not np.isfinite([low, high]).all():
        low, high = np.zeros(3), np.ones(3)
    # A little more on all sides, so that no rounding of a reader puts a point outside.
    side = float(max((high - low).max(), 1e-3))
    return _Cube(low - side * 1e-6, side * (1 + 2e-6))


def _brick_levels(counts: IntArray) -> AnyArray:
    """Return for each cell of the grid the level of the brick that it belongs to."""
    levels = np.full((2**GRID_LEVELS,) * 3, GRID_LEVELS, np.uint8)
    for level in range(GRID_LEVELS - 1, -1, -1):
        n, step = 2**level, 2 ** (GRID_LEVELS - level)
        total = counts.reshape(n, step, n, step, n, step).sum(axis=(1, 3, 5))
        small = np.kron(total <= BRICK_POINTS, np.ones((step, step, step), bool))
        levels[small.astype(bool)] = level
    return levels


class _Spill:
    """Records of nodes and bricks in files, written in large pieces."""

    def __init__(self, folder: Path, header: LasHeader) -> None:
        self.folder, self.kind = folder, header.point_format.dtype()
        self.nodes: set[Key] = set()
        self.bricks: set[Key] = set()
        self._held: dict[str, list[AnyArray]] = defaultdict(list)
        self._size = 0

    def add(self, key: Key, records: AnyArray, brick: bool) -> None:
        """Keep records of a node, or of a brick."""
        (self.bricks if brick else self.nodes).add(key)
        self._held[_name(key, brick)].append(records)
        self._size += records.nbytes
        if self._size > _HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        for name, parts in self._held.items():
            with (self.folder / name).open("ab") as stream:
                for records in parts:
                    stream.write(records.tobytes())
        self._held.clear()
        self._size = 0

    def size(self, key: Key, brick: bool) -> int:
        """Return the number of records of a node or a brick."""
        size = (self.folder / _name(key, brick)).stat().st_size
        return size // int(self.kind.itemsize)

    def read(self, key: Key, brick: bool) -> AnyArray:
        """Return all records of a node or a brick, and remove their file."""
        path = self.folder / _name(key, brick)
        records = np.fromfile(path, self.kind)
        path.unlink()
        return records

    def aside(self, key: Key) -> Path:
        """Put the file of a brick under another name, and return it."""
        return (self.folder / _name(key, True)).rename(self.folder / f"dense-{_name(key, True)}")

    def blocks(self, path: Path) -> Iterator[AnyArray]:
        """Yield the records of a file that was put aside."""
        with path.open("rb") as stream:
            while len(records := np.fromfile(stream, self.kind, _BLOCK)):
                yield records

    def order(self) -> list[tuple[Key, bool]]:
        """Return nodes and bricks that were added since this was asked, the coarsest first."""
        found = [
            *((k, False) for k in sorted(self.nodes)),
            *((k, True) for k in sorted(self.bricks)),
        ]
        self.nodes, self.bricks = set(), set()
        return found


def _name(key: Key, brick: bool) -> str:
    return ("b" if brick else "n") + "-".join(map(str, key))


class _Upper:
    """The nodes between a node of a level and the bricks below it, filled while points are read."""

    def __init__(self, counts: IntArray, level: int = 0) -> None:
        self._level, self._levels = level, _brick_levels(counts)
        self._taken: dict[Key, AnyArray] = {}

    def take(self, records: AnyArray, places: IntArray, spill: _Spill) -> None:
        """Give each point to the coarsest node with a free cell, or to its brick."""
        brick = self._level + self._levels[tuple(_grid_cells(places, self._level).T)]
        left = np.arange(len(records))
        for level in range(self._level, int(brick.max(initial=0))):
            placed = np.zeros(len(left), bool)
            above = brick[left] > level
            for key, mine in _by_node(places[left], level, above):
                chosen = mine[self._free(key, cell_of(places[left[mine]], level))]
                placed[chosen] = True
                if len(chosen):
                    spill.add(key, records[left[chosen]], brick=False)
            left = left[~placed]
        for level in np.unique(brick[left]).tolist():
            for key, mine in _by_node(places[left], level, brick[left] == level):
                spill.add(key, records[left[mine]], brick=True)

    def _free(self, key: Key, cells: IntArray) -> IntArray:
        """Return which points are the first in their cells, and take these."""
        taken = self._taken.setdefault(key, np.zeros(2 ** (3 * CELL_BITS) // 8, np.uint8))
        cells, first = np.unique(cells, return_index=True)
        bits = np.left_shift(1, cells & 7).astype(np.uint8)
        free = taken[cells >> 3] & bits == 0
        np.bitwise_or.at(taken, cells[free] >> 3, bits[free])
        chosen: IntArray = np.sort(first[free])
        return chosen


def cell_of(places: IntArray, level: int) -> IntArray:
    """Return the number of the cell in its node of a level for places ``(N, 3)``."""
    inner = (places >> (_BITS - level - CELL_BITS)) & (2**CELL_BITS - 1)
    cells: IntArray = (inner[:, 0] << 2 * CELL_BITS) | (inner[:, 1] << CELL_BITS) | inner[:, 2]
    return cells


def _by_node(places: IntArray, level: int, wanted: AnyArray) -> Iterator[tuple[Key, IntArray]]:
    """Yield the nodes of a level and which of the wanted points lie in them, in their order."""
    chosen = np.flatnonzero(wanted)
    if len(chosen) == 0:
        return
    nodes = places[chosen] >> (_BITS - level)
    number = (nodes[:, 0] << 42) | (nodes[:, 1] << 21) | nodes[:, 2]
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(number[order]) != 0])
    for group in np.split(order, starts[1:]):
        x, y, z = nodes[group[0]].tolist()
        yield (level, x, y, z), chosen[group]


# -- writing ---------------------------------------------------------------------------------------


def _write(
    part: Path, header: LasHeader, cube: _Cube, spill: _Spill, feedback: Feedback
) -> _Written:
    """Write the whole file: header, nodes, index."""
    import laspy
    import lazrs

    written = _Written()
    extra = header.point_format.num_extra_bytes
    record = lazrs.LazVlr.new_for_compression(header.point_format.id, extra, True)
    header.vlrs.insert(0, laspy.VLR("copc", 1, "COPC info", bytes(160)))
    header.vlrs.append(laspy.VLR("laszip encoded", 22204, "", record.record_data()))
    header.are_points_compressed = True
    with part.open("wb+") as stream:
        header.write_to(stream)
        start = stream.tell()
        packer = lazrs.ParLasZipCompressor(stream, record)
        packer.reserve_offset_to_chunk_table()
        for parts in _nodes(header, cube, spill, part.name, feedback):
            for node, points in parts:
                _note(written, node, points, header)
            packer.compress_chunks([points.tobytes() for _, points in parts])
        packer.done()
        stream.seek(start)
        sizes = [size for count, size in lazrs.read_chunk_table(stream, record) if count]
        offsets = start + 8 + np.cumsum([0, *sizes])
        entries = b"".join(
            entry_bytes(key, int(at), size, count)
            for (key, count), at, size in zip(written.nodes, offsets, sizes, strict=False)
        )
        _finish(stream, header, cube, written, entries)
    return written


def _nodes(
    header: LasHeader, cube: _Cube, spill: _Spill, name: str, feedback: Feedback
) -> Iterator[list[tuple[Key, AnyArray]]]:
    """Yield all nodes with their points, those of a brick together, the coarsest first."""
    todo = spill.order()[::-1]
    total = len(todo)
    while todo:
        total = max(total, len(todo))
        feedback.step(total - len(todo), total, tr("Writing {name}", name=name))
        key, brick = todo.pop()
        dense = brick and spill.size(key, brick) > 2 * BRICK_POINTS
        if dense and key[0] + GRID_LEVELS <= MAX_LEVEL:
            _split(key, header, cube, spill)
            todo += spill.order()[::-1]
            continue
        if dense and spill.size(key, brick) > MAX_DENSE:
            raise InputError(
                tr("More than {n} points stand at one place.", n=MAX_DENSE),
                tr("Thin the cloud before, or remove copies of its points."),
            )
        records = spill.read(key, brick)
        yield _divided(key, records, cube.places(records, header)) if brick else [(key, records)]


def _split(key: Key, header: LasHeader, cube: _Cube, spill: _Spill) -> None:
    """Divide a brick that the grid of the whole cloud was too coarse for, on disk."""
    dense = spill.aside(key)
    counts = np.zeros(2 ** (3 * GRID_LEVELS), np.int64)
    for records in spill.blocks(dense):
        counts += _in_grid(cube.places(records, header), key[0])
    upper = _Upper(counts, key[0])
    for records in spill.blocks(dense):
        upper.take(records, cube.places(records, header), spill)
    spill.flush()
    dense.unlink()


def _divided(key: Key, records: AnyArray, places: IntArray) -> list[tuple[Key, AnyArray]]:
    """Return a brick and the nodes below it with their points."""
    level = key[0]
    if len(records) <= NODE_POINTS or level >= MAX_LEVEL:
        return [(key, records)]
    _, first = np.unique(cell_of(places, level), return_index=True)
    own = np.zeros(len(records), bool)
    own[first] = True
    parts = [(key, records[own])]
    rest, where = records[~own], places[~own]
    for child, mine in _by_node(where, level + 1, np.ones(len(rest), bool)):
        parts += _divided(child, rest[mine], where[mine])
    return parts


def _note(written: _Written, key: Key, records: AnyArray, header: LasHeader) -> None:
    """Note a node, its points and what the header says of all."""
    from laspy import PackedPointRecord

    written.nodes.append((key, len(records)))
    number = np.asarray(PackedPointRecord(records, header.point_format)["return_number"])
    written.returns += np.bincount(number, minlength=16)[1:16]
    ends = np.array([[records[n].min(), records[n].max()] for n in "XYZ"], float)
    low, high = ends.T * header.scales + header.offsets
    written.low, written.high = np.minimum(written.low, low), np.maximum(written.high, high)
    times = records["gps_time"]
    written.gps = np.array([min(written.gps[0], times.min()), max(written.gps[1], times.max())])


def _finish(stream: Any, header: LasHeader, cube: _Cube, written: _Written, entries: bytes) -> None:
    """Write the index behind the points, and what is known by now into the header."""
    stream.seek(0, os.SEEK_END)
    start = stream.tell()
    stream.write(struct.pack("<H16sHQ32s", 0, b"copc", 1000, len(entries), b"EPT Hierarchy"))
    stream.write(entries)
    header.start_of_first_evlr, header.number_of_evlrs = start, 1
    header.point_count = sum(count for _, count in written.nodes)
    header.number_of_points_by_return = written.returns
    header.mins, header.maxs = written.low, written.high
    stream.seek(0)
    header.write_to(stream, ensure_same_size=True)
    # The record is the first behind the header of LAS 1.4: 375 bytes, and 54 of its own head.
    stream.seek(375 + 54)
    half = cube.side / 2
    root = (start + 60, len(entries))
    stream.write(info_bytes(cube.low + half, half, cube.side / 2**CELL_BITS, root, written.gps))
