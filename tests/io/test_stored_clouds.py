"""Clouds that stay in their file: the same points as those that were read whole."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pytest

from plumbline.core.data import PointCloudData, StoredCloud
from plumbline.core.errors import InputError
from plumbline.io import ply, pointcloud
from plumbline.io.registry import load
from plumbline.io.writers import write_ply


@pytest.fixture(autouse=True)
def _small_clouds_count_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ply, "STORED_POINTS", 100)
    monkeypatch.setattr(pointcloud, "STORED_POINTS", 100)


def points() -> np.ndarray:
    return np.random.default_rng(3).uniform(-50, 50, (2_345, 3)).round(3) + [500_000, 4e6, 100]


def las(path: Path) -> Path:
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.scales, header.offsets = np.full(3, 0.001), [500_000, 4e6, 0]
    cloud = laspy.LasData(header)
    cloud.xyz = points()
    cloud.classification = np.arange(2_345) % 7
    cloud.write(path)
    return path


def together(data: PointCloudData, size: int) -> tuple[np.ndarray, np.ndarray | None]:
    blocks = list(data.blocks(size))
    assert max(len(block) for block, _ in blocks) <= size
    classes = [found for _, found in blocks if found is not None]
    return np.concatenate([block for block, _ in blocks]), np.concatenate(
        classes
    ) if classes else None


@pytest.mark.parametrize("name", ["cloud.ply", "cloud.las", "cloud.laz"])
def test_blocks_of_a_file_are_the_points_of_the_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("ply"):
        write_ply(path, points())
    else:
        las(path)
    stored, whole = (load(path, stored=flag)[0] for flag in (True, False))
    assert isinstance(stored.data, StoredCloud)
    assert not isinstance(whole.data, StoredCloud)
    assert stored.counts == whole.counts == {"points": 2_345}
    assert stored.bounds == whole.bounds
    assert stored.crs == whole.crs
    expected, classes = together(whole.data, 500)
    for size in (500, 2_345, 10_000):
        found, found_classes = together(stored.data, size)
        assert np.array_equal(found, expected)
        assert (found_classes is None) == (classes is None)
        assert classes is None or np.array_equal(found_classes, classes)
    # Whoever asks for all of them gets them, with their attributes.
    assert np.array_equal(stored.data.points, whole.data.points)
    assert stored.data.attributes.keys() == whole.data.attributes.keys()
    assert stored.bounds == whole.bounds


def test_small_clouds_meshes_and_texts_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "small.ply"
    write_ply(path, points()[:50])
    assert not isinstance(load(path, stored=True)[0].data, StoredCloud)
    text = tmp_path / "text.ply"
    rows = "\n".join(f"{x} {y} {z}" for x, y, z in points())
    text.write_text(
        "ply\nformat ascii 1.0\nelement vertex 2345\nproperty double x\nproperty double y\n"
        f"property double z\nend_header\n{rows}\n"
    )
    assert not isinstance(load(text, stored=True)[0].data, StoredCloud)


def test_a_cloud_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.ply"
    write_ply(path, points())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="cut off"):
        load(path, stored=True)
    packed = las(tmp_path / "cut.laz")
    packed.write_bytes(packed.read_bytes()[:-2_000])
    with pytest.raises(InputError):
        load(packed, stored=True)


def test_a_cloud_without_coordinates_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nothing.ply"
    write_ply(path, np.full((500, 3), np.nan))
    with pytest.raises(InputError, match="no points"):
        load(path, stored=True)
