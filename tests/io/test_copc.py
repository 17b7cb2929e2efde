"""Indexes of COPC files that lie: contained, named once, and nothing outside of the file read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import pytest

from plumbline.core.cloud_tree import TiledCloud
from plumbline.io import copc_writer, load
from plumbline.io.copc_writer import write_copc

COUNT = 2000
ENTRY = struct.Struct("<iiiiQii")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cloud of a root with 64 points or fewer, and its children."""
    monkeypatch.setattr(copc_writer, "CELL_BITS", 2)
    monkeypatch.setattr(copc_writer, "_BITS", copc_writer.MAX_LEVEL + 2)
    monkeypatch.setattr(copc_writer, "NODE_POINTS", 300)
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.scales = np.full(3, 0.001)
    cloud = laspy.LasData(header)
    cloud.xyz = np.random.default_rng(3).uniform(0, 100, (COUNT, 3))
    cloud.write(tmp_path / "a.las")
    write_copc(tmp_path / "a.las", tmp_path / "a.copc.laz")
    return tmp_path / "a.copc.laz"


def index(path: Path) -> tuple[int, list[list[int]]]:
    """Return where the entries of the index begin, and the entries."""
    with laspy.CopcReader.open(path) as reader:
        info = reader.copc_info
        start, size = info.hierarchy_root_offset, info.hierarchy_root_size
    raw = path.read_bytes()[start : start + size]
    return start, [list(entry) for entry in ENTRY.iter_unpack(raw)]


def put(path: Path, start: int, entries: list[list[int]]) -> None:
    with path.open("r+b") as stream:
        stream.seek(start)
        stream.write(b"".join(ENTRY.pack(*entry) for entry in entries))


def itself(start: int, entry: list[int], size: int) -> None:
    entry[4:] = [start, size, -1]


def outside(start: int, entry: list[int], _: int) -> None:
    entry[4] = 10**15


def long(start: int, entry: list[int], _: int) -> None:
    entry[5] = 2**31 - 1


def negative(start: int, entry: list[int], _: int) -> None:
    entry[6] = -2


def many(start: int, entry: list[int], _: int) -> None:
    entry[6] = 2**31 - 1


def deep(start: int, entry: list[int], _: int) -> None:
    entry[0] = 31


def elsewhere(start: int, entry: list[int], _: int) -> None:
    entry[1] = 7


def far_page(start: int, entry: list[int], _: int) -> None:
    entry[4:] = [10**15, 64, -1]


@pytest.mark.parametrize("lie", [itself, outside, long, negative, many, deep, elsewhere, far_page])
def test_a_lie_about_one_node_costs_that_node(
    path: Path, lie: Callable[[int, list[int], int], None]
) -> None:
    start, entries = index(path)
    assert len(entries) == 9
    lost = entries[4][6]
    lie(start, entries[4], 32 * len(entries))
    put(path, start, entries)
    (layer,) = load(path)
    assert isinstance(layer.data, TiledCloud)
    assert len(layer.data.points) == COUNT - lost
    assert layer.data.tree.source.notes
    assert len(layer.data.tree.source.notes) <= 2


def test_a_node_twice_is_one(path: Path) -> None:
    start, entries = index(path)
    lost = entries[5][6]
    entries[5] = entries[4]
    put(path, start, entries)
    (layer,) = load(path)
    assert isinstance(layer.data, TiledCloud)
    assert len(layer.data.points) == COUNT - lost


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (24, struct.pack("<d", float("nan"))), (24, struct.pack("<d", -1.0)),
        (24, struct.pack("<d", 1e300)), (32, struct.pack("<d", 0.0)),
        (40, struct.pack("<Q", 2**63)), (48, struct.pack("<Q", 0)), (40, struct.pack("<Q", 0)),
    ],
)  # fmt: skip
def test_an_absurd_header_is_read_as_plain_laz(path: Path, place: int, value: bytes) -> None:
    """Centre, half side, spacing, and where the index is: COPC 1.0, "info VLR"."""
    with path.open("r+b") as stream:
        stream.seek(375 + 54 + place)
        stream.write(value)
    (layer,) = load(path)
    assert layer.counts == {"points": COUNT}
    assert not isinstance(layer.data, TiledCloud)
    assert any("plain LAZ" in warning for warning in layer.warnings)


def test_damaged_points_cost_their_node(path: Path) -> None:
    start, entries = index(path)
    entries[4][5] -= 40  # the chunk ends before its points do
    put(path, start, entries)
    (layer,) = load(path)
    assert isinstance(layer.data, TiledCloud)
    found = len(layer.data.points)
    assert found in (COUNT, COUNT - entries[4][6])
    assert found == COUNT or layer.data.tree.source.notes
