"""E57: several scans with poses, colours and intensities by their limits, damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.io.mesh_files import write

from plumbline.core.data import AnyArray, PointCloudData
from plumbline.core.errors import InputError
from plumbline.core.layer import Layer
from plumbline.io import load

RNG = np.random.default_rng(7)
LOCAL = RNG.uniform(-5, 5, (400, 3))
#: A quarter turn about z: x becomes y.
QUARTER = np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)])


def write_e57(path: Path, scans: int = 2) -> Path:
    """Write scans of the same points, each a quarter turn and 100 m further."""
    import pye57

    path.parent.mkdir(parents=True, exist_ok=True)
    file = pye57.E57(str(path), mode="w")
    for n in range(scans):
        data: dict[str, AnyArray] = {
            f"cartesian{axis}": LOCAL[:, k].copy() for k, axis in enumerate("XYZ")
        }
        data |= {
            f"color{name}": np.arange(400, dtype=np.uint8) // (k + 1)
            for k, name in enumerate(("Red", "Green", "Blue"))
        }
        data["intensity"] = np.linspace(0, 1, 400)
        data["cartesianInvalidState"] = (np.arange(400) >= 390).astype(np.int8)
        turn = QUARTER if n else np.array([1.0, 0, 0, 0])
        place = np.array([500_000.0 + 100 * n, 4_000_000.0, 50.0])
        file.write_scan_raw(data, name=f"站{n}", rotation=turn, translation=place)
    file.close()
    return path


def cloud(layer: Layer) -> PointCloudData:
    assert isinstance(layer.data, PointCloudData)
    return layer.data


def test_scans_are_put_where_their_poses_say(tmp_path: Path) -> None:
    (layer,) = load(write_e57(tmp_path / "扫描 a.e57"), digest=False)
    data = cloud(layer)
    assert layer.counts == {"points": 780}
    x, y, z = LOCAL[:390].T
    assert data.points[:390] == pytest.approx(LOCAL[:390] + [500_000, 4_000_000, 50], abs=1e-6)
    turned = np.column_stack([-y, x, z]) + [500_100, 4_000_000, 50]
    assert np.abs(data.points[390:] - turned).max() < 1e-6
    assert np.bincount(data.attributes["scan"]).tolist() == [390, 390]
    assert layer.metadata["scans"] == [
        {"name": "站0", "points": 390},
        {"name": "站1", "points": 390},
    ]
    assert any("20 points that the scanner marked" in warning for warning in layer.warnings)
    assert layer.crs is None


def test_colours_and_intensities_have_their_full_range(tmp_path: Path) -> None:
    (layer,) = load(write_e57(tmp_path / "a.e57", 1), digest=False)
    data = cloud(layer)
    assert data.attributes["rgb"].dtype == np.uint8
    assert data.attributes["rgb"][200].tolist() == [200, 100, 66]
    assert data.attributes["intensity"].dtype == np.uint16
    expected = np.rint(np.linspace(0, 1, 400)[:390] * 65_535)
    assert np.abs(data.attributes["intensity"] - expected).max() <= 1
    assert "scan" not in data.attributes


def test_damaged_files_end_in_one_sentence(tmp_path: Path) -> None:
    raw = write_e57(tmp_path / "a.e57").read_bytes()
    path = tmp_path / "b.e57"
    damaged = [raw[: len(raw) * n // 5] for n in range(1, 5)]
    rng = np.random.default_rng(1)
    for _ in range(6):
        changed = bytearray(raw)
        changed[int(rng.integers(48, len(raw)))] ^= 0x55
        damaged.append(bytes(changed))
    for data in damaged:
        with pytest.raises(InputError) as caught:
            load(write(path, data), digest=False)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
        assert path.read_bytes() == data  # the library would remove what it cannot open


def test_what_is_no_e57_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no E57 file"):
        load(write(tmp_path / "a.e57", "LASF" * 100))


def test_a_machine_without_the_reader_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_e57(tmp_path / "a.e57")
    monkeypatch.setattr("plumbline.io.e57.find_spec", lambda name: None)
    with pytest.raises(InputError, match="no E57 reader"):
        load(path)


def test_a_file_without_scans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no points"):
        load(write_e57(tmp_path / "a.e57", 0))


def test_real_clouds(real_data: Path) -> None:
    folder = real_data / "e57/libe57"
    (bunny,) = load(folder / "bunnyInt32.e57", digest=False)
    assert bunny.counts == {"points": 30_571}
    (cube,) = load(folder / "ColouredCubeFloat.e57", digest=False)
    data = cloud(cube)
    assert len(data.points) == 7_680
    assert np.abs(data.points).max() == pytest.approx(0.5)
    assert len(np.unique(data.attributes["rgb"], axis=0)) > 2
    assert data.attributes["rgb"].max() == 255


def test_a_wrong_checksum_is_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match=r"bad-crc\.e57.*checksum"):
        load(real_data / "e57/libe57/bad-crc.e57", digest=False)
