"""Clouds indexed into COPC: read back by laspy, every point and attribute, at every level."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import laspy
import numpy as np
import pytest

from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.data import PointCloudData
from plumbline.core.errors import CancelledError, InputError
from plumbline.core.feedback import Feedback
from plumbline.io import copc_writer, indexed, load
from plumbline.io.copc_writer import write_copc

COUNT = 12_000


@pytest.fixture(autouse=True)
def _small_bricks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small numbers, so that a small cloud has every part of a large one."""
    monkeypatch.setattr(copc_writer, "CELL_BITS", 3)
    monkeypatch.setattr(copc_writer, "_BITS", copc_writer.MAX_LEVEL + 3)
    monkeypatch.setattr(copc_writer, "NODE_POINTS", 200)
    monkeypatch.setattr(copc_writer, "BRICK_POINTS", 1_000)
    monkeypatch.setattr(copc_writer, "GRID_LEVELS", 3)
    monkeypatch.setattr(copc_writer, "_BLOCK", 3_000)


def hills(count: int = COUNT) -> np.ndarray:
    """Return points of a terrain, most of them crowded into one corner."""
    random = np.random.default_rng(5)
    xy = np.concatenate([random.uniform(0, 4000, (count // 3, 2)),
                         random.normal(700, 15, (count - count // 3, 2))])  # fmt: skip
    z = 20 * np.sin(xy[:, 0] / 300) + random.uniform(0, 5, count)
    return np.column_stack([xy, z]).round(3) + [500_000, 3_400_000, 0]


def las(path: Path, form: int = 7, xyz: np.ndarray | None = None) -> laspy.LasData:
    xyz = hills() if xyz is None else xyz
    header = laspy.LasHeader(point_format=form, version="1.4" if form > 5 else "1.2")
    header.scales, header.offsets = np.full(3, 0.001), [500_000, 3_400_000, 0]
    header.add_extra_dim(laspy.ExtraBytesParams("reflectance", np.float32))
    cloud = laspy.LasData(header)
    cloud.xyz = xyz
    random = np.random.default_rng(6)
    cloud.intensity = random.integers(0, 60_000, len(xyz))
    cloud.classification = random.integers(0, 20, len(xyz))
    cloud.return_number = random.integers(1, 4, len(xyz))
    cloud.number_of_returns = np.full(len(xyz), 3)
    cloud["reflectance"] = random.normal(size=len(xyz)).astype("f4")
    if "red" in cloud.point_format.dimension_names:
        cloud.red, cloud.green, cloud.blue = random.integers(0, 65_535, (3, len(xyz)))
    if "gps_time" in cloud.point_format.dimension_names:
        cloud.gps_time = random.uniform(0, 1e6, len(xyz))
    cloud.write(path)
    return cloud


def in_order(cloud: laspy.LasData | laspy.ScaleAwarePointRecord) -> np.ndarray:
    return np.lexsort((cloud["reflectance"], cloud["intensity"], cloud.X, cloud.Y, cloud.Z))


SAME = ("X", "Y", "Z", "intensity", "classification", "return_number", "number_of_returns",
        "reflectance")  # fmt: skip


@pytest.mark.parametrize(("form", "name"), [(0, "a.las"), (3, "a.laz"), (6, "a.laz"), (7, "a.las"),
                                            (8, "a.laz")])  # fmt: skip
def test_laspy_reads_back_every_point(tmp_path: Path, form: int, name: str) -> None:
    source = las(tmp_path / name, form)
    target = tmp_path / "out.copc.laz"
    assert write_copc(tmp_path / name, target) == COUNT
    with laspy.CopcReader.open(target) as reader:
        read = reader.query()
        assert reader.header.version == laspy.header.Version(1, 4)
        assert reader.header.mins == pytest.approx(source.xyz.min(axis=0), abs=1e-9)
        assert reader.header.maxs == pytest.approx(source.xyz.max(axis=0), abs=1e-9)
        by_return = np.bincount(source.return_number, minlength=4)[1:4]
        assert reader.header.number_of_points_by_return[:3].tolist() == by_return.tolist()
    a, b = in_order(source), in_order(read)
    colors = ("red", "green", "blue") if form in (3, 7, 8) else ()
    times = ("gps_time",) if form not in (0, 2) else ()
    for column in (*SAME, *colors, *times):
        assert np.array_equal(np.asarray(source[column])[a], np.asarray(read[column])[b]), column
    # Any LAZ reader reads it as well, index or not.
    assert len(laspy.read(target)) == COUNT


def test_every_level_is_a_thinned_cloud_in_its_cubes(tmp_path: Path) -> None:
    """The nodes that the index names hold points inside of them, one in each cell of a parent."""
    las(tmp_path / "a.laz")
    write_copc(tmp_path / "a.laz", tmp_path / "a.copc.laz")
    with laspy.CopcReader.open(tmp_path / "a.copc.laz") as reader:
        info, entries = reader.copc_info, reader.root_page.entries
        low, side = np.array(info.center) - info.halfsize, 2 * info.halfsize
        assert info.spacing == pytest.approx(side / 2**copc_writer.CELL_BITS)
        assert sum(entry.point_count for entry in entries.values()) == COUNT
        levels = {key.level for key in entries}
        # The crowd is divided finer than the grid of three levels reaches: on disk once more.
        assert max(levels) > copc_writer.GRID_LEVELS
        for level in sorted(levels):
            found = reader.query(level=level)
            points = np.column_stack([found.x, found.y, found.z])
            cells = np.floor((points - low) / side * 2 ** (level + copc_writer.CELL_BITS))
            keys = np.unique(np.floor((points - low) / side * 2**level).astype(int), axis=0)
            assert {(k.x, k.y, k.z) for k in entries if k.level == level} == set(
                map(tuple, keys.tolist())
            )
            refined = {(k.x // 2, k.y // 2, k.z // 2) for k in entries if k.level == level + 1}
            parent = [tuple(p) in refined for p in (cells // 2**copc_writer.CELL_BITS).astype(int)]
            alone = cells[np.array(parent)]
            assert len(np.unique(alone, axis=0)) == len(alone)


def test_a_box_is_answered_as_by_looking_at_every_point(tmp_path: Path) -> None:
    source = las(tmp_path / "a.laz")
    write_copc(tmp_path / "a.laz", tmp_path / "a.copc.laz")
    low, high = np.array([500_650, 3_400_650, -100]), np.array([500_710, 3_400_900, 100])
    inside = ((source.xyz >= low) & (source.xyz <= high)).all(axis=1).sum()
    with laspy.CopcReader.open(tmp_path / "a.copc.laz") as reader:
        assert len(reader.query(laspy.copc.Bounds(low, high))) == inside > 500
    (layer,) = load(tmp_path / "a.copc.laz")
    assert isinstance(layer.data, TiledCloud)
    box = (500_650.0, 3_400_650.0, 500_710.0, 3_400_900.0)
    assert len(layer.data.within(box).points) == inside


def test_the_same_cloud_gives_the_same_file(tmp_path: Path) -> None:
    las(tmp_path / "a.laz")
    write_copc(tmp_path / "a.laz", tmp_path / "one.copc.laz")
    write_copc(tmp_path / "a.laz", tmp_path / "two.copc.laz")
    assert (tmp_path / "one.copc.laz").read_bytes() == (tmp_path / "two.copc.laz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.laz", "one.copc.laz", "two.copc.laz"]


def test_a_wrong_box_in_the_header_and_points_far_away(tmp_path: Path) -> None:
    """One point is 900 km off; the header knows nothing of it."""
    xyz = hills()
    xyz[-1] = [1_400_000, 3_400_000, 0]
    las(tmp_path / "a.las", xyz=xyz)
    with (tmp_path / "a.las").open("r+b") as stream:
        stream.seek(179)  # max x, min x, …: LAS 1.4, table 3
        stream.write(np.array([500_001.0, 500_000.0]).tobytes())
    assert write_copc(tmp_path / "a.las", tmp_path / "a.copc.laz") == COUNT
    with laspy.CopcReader.open(tmp_path / "a.copc.laz") as reader:
        assert reader.header.maxs[0] == pytest.approx(1_400_000)
        found = reader.query()
        largest = max(entry.point_count for entry in reader.root_page.entries.values())
    assert np.array_equal(np.sort(found.x), np.sort(xyz[:, 0].round(3)))
    assert largest <= 2 * copc_writer.NODE_POINTS


def test_copies_of_one_point_are_one_node_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    las(tmp_path / "a.laz", xyz=np.repeat(hills()[:1], COUNT, axis=0))
    assert write_copc(tmp_path / "a.laz", tmp_path / "a.copc.laz") == COUNT
    assert len(laspy.read(tmp_path / "a.copc.laz")) == COUNT
    monkeypatch.setattr(copc_writer, "MAX_DENSE", 5_000)
    with pytest.raises(InputError, match="at one place"):
        write_copc(tmp_path / "a.laz", tmp_path / "b.copc.laz")


# -- what goes wrong -------------------------------------------------------------------------------


def test_nothing_is_left_of_a_broken_or_cancelled_run(tmp_path: Path) -> None:
    las(tmp_path / "a.laz")
    raw = (tmp_path / "a.laz").read_bytes()
    (tmp_path / "broken.laz").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InputError):
        write_copc(tmp_path / "broken.laz", tmp_path / "b.copc.laz")

    def cancel(fraction: float, _text: str) -> None:
        if fraction > 0.5:
            feedback.cancel()

    feedback = Feedback(cancel)
    with pytest.raises(CancelledError):
        write_copc(tmp_path / "a.laz", tmp_path / "b.copc.laz", feedback)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.laz", "broken.laz"]


def test_too_small_a_disk_is_said_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    las(tmp_path / "a.laz")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage(10**12, 10**12 - 1000, 1000))
    with pytest.raises(InputError, match="GB of disk"):
        write_copc(tmp_path / "a.laz", tmp_path / "b.copc.laz")


# -- indexes beside projects -----------------------------------------------------------------------


def test_a_large_cloud_is_indexed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexed, "INDEX_POINTS", 1000)
    las(tmp_path / "a.laz", 0)
    (whole,) = load(tmp_path / "a.laz")
    assert not isinstance(whole.data, TiledCloud)
    beside, shared = tmp_path / "p.tiles", tmp_path / "cache"
    (layer,) = load(tmp_path / "a.laz", tiles=(beside, shared))
    assert isinstance(layer.data, TiledCloud)
    assert layer.source is not None
    assert layer.source.path == tmp_path / "a.laz"
    assert (layer.id, layer.counts, layer.crs) == (whole.id, whole.counts, whole.crs)
    assert layer.metadata["format"] == whole.metadata["format"]
    assert isinstance(whole.data, PointCloudData)
    assert layer.data.attributes.keys() == whole.data.attributes.keys()
    a, b = (np.lexsort(c.points.T) for c in (layer.data, whole.data))
    assert np.array_equal(layer.data.points[a], whole.data.points[b])
    (made,) = beside.iterdir()
    stamp = made.stat().st_mtime_ns
    load(tmp_path / "a.laz", tiles=(beside, shared))
    load(tmp_path / "a.laz", tiles=(shared, beside))
    assert made.stat().st_mtime_ns == stamp
    assert not shared.exists()
    # A new content has an index of its own, and a damaged index is made again.
    las(tmp_path / "a.laz", 0, hills()[:-1])
    made.write_bytes(b"LASF")
    (layer,) = load(tmp_path / "a.laz", tiles=(beside,))
    assert layer.counts == {"points": COUNT - 1}
    assert len(list(beside.iterdir())) == 2


def test_colours_of_16_bits_come_as_8(tmp_path: Path) -> None:
    las(tmp_path / "a.laz", 7)
    write_copc(tmp_path / "a.laz", tmp_path / "a.copc.laz")
    plain, tiled = (load(tmp_path / name)[0].data for name in ("a.laz", "a.copc.laz"))
    assert isinstance(plain, PointCloudData)
    assert isinstance(tiled, TiledCloud)
    a, b = (np.lexsort((c.attributes["gps_time"], *c.points.T)) for c in (plain, tiled))
    assert np.array_equal(plain.attributes["rgb"][a], tiled.attributes["rgb"][b])
    assert plain.attributes["rgb"].max() > 200


def test_a_folder_that_takes_no_index_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexed, "INDEX_POINTS", 1000)
    las(tmp_path / "a.laz")
    (tmp_path / "file").write_bytes(b"no folder")
    (layer,) = load(tmp_path / "a.laz", tiles=(tmp_path / "file", tmp_path / "cache"))
    assert isinstance(layer.data, TiledCloud)
    assert layer.warnings == []
    (layer,) = load(tmp_path / "a.laz", tiles=(tmp_path / "file",))
    assert not isinstance(layer.data, TiledCloud)
    assert "could not be indexed" in layer.warnings[0]
