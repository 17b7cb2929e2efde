"""LAS, LAZ and COPC: what is read is what the file says, in its own units; lies are refused."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest
from pyproj import CRS

from plumbline.core.data import PointCloudData
from plumbline.core.errors import CancelledError, InputError
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer
from plumbline.io import load

RNG = np.random.default_rng(7)
N = 1000


def write(
    path: Path,
    *,
    version: str = "1.4",
    point_format: int = 7,
    count: int = N,
    crs: int | None = None,
    colors: int = 0,
    offset: tuple[float, float, float] = (500_000.0, 4_000_000.0, 0.0),
    **fields: Any,
) -> laspy.LasData:
    """Write a small cloud; `colors` is the highest colour value."""
    header = laspy.LasHeader(point_format=point_format, version=version)
    header.scales, header.offsets = np.full(3, 0.001), np.array(offset)
    if crs is not None:
        header.add_crs(CRS.from_epsg(crs), keep_compatibility=False)
    las = laspy.LasData(header)
    rng = np.random.default_rng(3)
    las.X, las.Y, las.Z = (rng.integers(-50_000, 50_000, count) for _ in range(3))
    las.classification = rng.integers(0, 10, count)
    las.intensity = rng.integers(0, 65_536, count)
    las.return_number = rng.integers(1, 5, count)
    las.number_of_returns = np.full(count, 5)
    if colors:
        for name in ("red", "green", "blue"):
            las[name] = rng.integers(0, colors + 1, count)
            las[name][0] = colors
    for name, values in fields.items():
        las[name] = values
    las.write(path)
    return las


def cloud(path: Path, **options: Any) -> tuple[Layer, PointCloudData]:
    """Load a cloud."""
    (layer,) = load(path, **options)
    assert isinstance(layer.data, PointCloudData)
    return layer, layer.data


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.parametrize(
    ("version", "point_format"),
    [("1.2", n) for n in range(4)] + [("1.4", n) for n in (0, 1, 2, 3, 6, 7, 8)],
)
def test_every_common_point_format(
    tmp_path: Path, suffix: str, version: str, point_format: int
) -> None:
    """Coordinates are exact, attributes are those of the file, for all versions and formats."""
    path = tmp_path / f"点 云{suffix}"
    written = write(path, version=version, point_format=point_format)
    layer, data = cloud(path)
    expected = np.column_stack(
        [written.X * 0.001 + 500_000.0, written.Y * 0.001 + 4_000_000.0, written.Z * 0.001]
    )
    np.testing.assert_array_equal(data.points, expected)
    assert data.points.dtype == np.float64
    for name in ("classification", "intensity", "return_number", "number_of_returns"):
        np.testing.assert_array_equal(data.attributes[name], written[name])
    packed = " (LAZ)" if suffix == ".laz" else ""
    assert layer.metadata["format"] == f"LAS {version} PDRF {point_format}{packed}"
    classes, counts = np.unique(np.asarray(written.classification), return_counts=True)
    assert layer.metadata["classes"] == {
        str(c): int(n) for c, n in zip(classes, counts, strict=True)
    }
    assert layer.crs is None
    assert layer.warnings == []


def test_several_blocks_join_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are put one after the other, the last one short; progress rises to the end."""
    monkeypatch.setattr("plumbline.io.pointcloud._BLOCK", 300)
    path = tmp_path / "a.laz"
    written = write(path, gps_time=np.arange(N, dtype=float))
    seen: list[float] = []
    _, data = cloud(path, feedback=Feedback(lambda f, _: seen.append(f)))
    np.testing.assert_array_equal(data.attributes["gps_time"], np.arange(N))
    np.testing.assert_array_equal(data.attributes["intensity"], written.intensity)
    assert len(seen) >= 5
    assert seen == sorted(seen)


def test_eight_bit_colors_in_sixteen_bit_fields(tmp_path: Path) -> None:
    """Values that never exceed 255 are 8-bit colours, taken as they are."""
    path = tmp_path / "a.las"
    written = write(path, colors=255)
    layer, data = cloud(path)
    assert data.attributes["rgb"].dtype == np.uint8
    np.testing.assert_array_equal(data.attributes["rgb"][:, 0], written.red)
    assert "8-bit" in layer.metadata["colors"]


def test_sixteen_bit_colors(tmp_path: Path) -> None:
    """One value over 255 makes the whole file 16-bit; the high byte is the colour."""
    path = tmp_path / "a.las"
    written = write(path, colors=65_535)
    layer, data = cloud(path)
    np.testing.assert_array_equal(data.attributes["rgb"][:, 2], np.asarray(written.blue) // 256)
    assert layer.metadata["colors"] == "16-bit"


def test_black_colors_are_no_colors(tmp_path: Path) -> None:
    """A colour field that nobody filled is not shown as black."""
    write(tmp_path / "a.las")
    layer, data = cloud(tmp_path / "a.las")
    assert "rgb" not in data.attributes
    assert "black" in layer.metadata["colors"]


def test_extra_dimensions(tmp_path: Path) -> None:
    """Extra dimensions keep name, type and scale; vectors keep their width."""
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.add_extra_dims(
        [
            laspy.ExtraBytesParams("amplitude", "float32"),
            laspy.ExtraBytesParams("height", "int16", scales=np.array([0.01]), offsets=np.zeros(1)),
            laspy.ExtraBytesParams("normal", "3f4"),
        ]
    )
    las = laspy.LasData(header)
    las.X = las.Y = las.Z = np.arange(5)
    las.amplitude = np.arange(5) / 3
    las.height = np.arange(5) * 0.5
    las.normal = np.arange(15).reshape(5, 3)
    las.write(tmp_path / "a.laz")
    layer, data = cloud(tmp_path / "a.laz")
    np.testing.assert_array_equal(
        data.attributes["amplitude"], (np.arange(5) / 3).astype(np.float32)
    )
    np.testing.assert_allclose(data.attributes["height"], np.arange(5) * 0.5)
    np.testing.assert_array_equal(data.attributes["normal"], np.arange(15).reshape(5, 3))
    assert layer.metadata["extra_dimensions"] == ["amplitude", "height", "normal"]


# -- CRS and units --------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "point_format"), [("1.2", 1), ("1.4", 6)])
def test_crs_from_keys_and_from_wkt(tmp_path: Path, version: str, point_format: int) -> None:
    """GeoTIFF keys (old) and WKT (new) both give the CRS, with its source noted."""
    path = tmp_path / "a.las"
    write(path, version=version, point_format=point_format, crs=4549)
    layer, _ = cloud(path)
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4549
    assert layer.metadata["units"] == "metre"
    assert layer.metadata["z_factor"] == 1.0
    source = "header WKT" if version == "1.4" else "header GeoTIFF keys"
    assert layer.metadata["crs_source"] == source
    assert layer.warnings == []


def test_compound_crs_keeps_its_heights(tmp_path: Path) -> None:
    """A compound CRS stays compound."""
    path = tmp_path / "a.las"
    write(path, point_format=6, crs=7415, offset=(85_000.0, 447_500.0, 0.0))
    layer, _ = cloud(path)
    assert layer.crs is not None
    assert layer.crs.is_compound
    assert layer.metadata["vertical_units"] == "metre"


def test_feet_stay_feet_and_are_said(tmp_path: Path) -> None:
    """Coordinates stay in feet of the CRS; heights without a unit are taken as feet and told."""
    path = tmp_path / "a.las"
    write(path, point_format=6, crs=2994, offset=(637_000.0, 851_000.0, 500.0))
    layer, data = cloud(path)
    assert layer.metadata["units"] == "foot"
    assert layer.metadata["z_factor"] == 0.3048
    assert data.points[:, 0].mean() == pytest.approx(637_000, abs=60)
    assert any("heights" in w for w in layer.warnings)


def test_stated_metres_replace_assumed_feet(tmp_path: Path) -> None:
    """Heights that were feet only because the plane was are metres once the user states metres."""
    path = tmp_path / "a.las"
    write(path, point_format=6, crs=2994, offset=(637_000.0, 851_000.0, 500.0))
    metres = CRS.from_epsg(32651)
    layer, data = cloud(path, crs="EPSG:32650", target_crs=metres)
    assert data.points[:, 2].mean() == pytest.approx(500, abs=2)
    assert layer.crs == metres


def test_us_survey_feet_are_told_apart(tmp_path: Path) -> None:
    """A US survey foot is 1200/3937 m, 2 ppm more than an international foot: 1.3 m in Texas."""
    path = tmp_path / "a.las"
    write(path, point_format=6, crs=2277, offset=(3_100_000.0, 10_070_000.0, 500.0))
    layer, _ = cloud(path)
    assert layer.metadata["units"] == "US survey foot"
    assert layer.metadata["z_factor"] == pytest.approx(1200 / 3937, rel=1e-12)


@pytest.mark.parametrize(
    ("crs", "offset"),
    [(4978, (515_385.0, 4_918_361.0, 2_330.0)), (4326, (515_385.0, 4_918_361.0, 2_330.0))],
)
def test_impossible_crs_is_not_taken(
    tmp_path: Path, crs: int, offset: tuple[float, float, float]
) -> None:
    """Numbers that cannot be in the declared CRS leave the layer without one, and say why."""
    path = tmp_path / "a.las"
    write(path, point_format=6, crs=crs, offset=offset)
    layer, _ = cloud(path)
    assert layer.crs is None
    assert layer.metadata["crs_declared"] == f"EPSG:{crs}"
    assert any("doubted" in w for w in layer.warnings)


def test_true_geocentric_is_taken(tmp_path: Path) -> None:
    """A geocentric cloud at the surface of the earth is geocentric."""
    path = tmp_path / "a.las"
    write(path, point_format=6, crs=4978, offset=(-2_594_000.0, 4_470_000.0, 3_730_000.0))
    layer, _ = cloud(path)
    assert layer.crs is not None
    assert layer.crs.is_geocentric


def test_place_outside_the_area_of_the_crs(tmp_path: Path) -> None:
    """A projected CRS whose area is far away is kept, with a warning."""
    path = tmp_path / "a.las"
    write(path, point_format=6, crs=28992, offset=(500_000.0, 4_000_000.0, 0.0))
    layer, _ = cloud(path)
    assert layer.crs is not None
    assert any("outside the area" in w for w in layer.warnings)


def test_stated_crs_wins(tmp_path: Path) -> None:
    """What the user states replaces a doubted CRS."""
    path = tmp_path / "a.las"
    write(path, point_format=6, crs=4978)
    layer, _ = cloud(path, crs="EPSG:32651")
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 32651


# -- damage ---------------------------------------------------------------------------------------


@pytest.fixture
def las_bytes(tmp_path: Path) -> bytes:
    """Return a small sound LAS 1.4 file."""
    write(tmp_path / "sound.las", crs=4549)
    return (tmp_path / "sound.las").read_bytes()


def patched(data: bytes, at: int, fmt: str, *values: float) -> bytes:
    """Return bytes with a header field replaced."""
    packed = struct.pack(fmt, *values)
    return data[:at] + packed + data[at + len(packed) :]


@pytest.mark.parametrize(
    ("at", "fmt", "value", "says"),
    [
        (0, "<4s", b"LAZF", "signature"),
        (24, "<B", 3, "LAS 3.4"),
        (94, "<H", 100, "contradicts"),
        (96, "<I", 2**32 - 1, "ends before"),
        (100, "<I", 2**32 - 1, "header records"),
        (104, "<B", 37, "point format"),
        (105, "<H", 3, "too short"),
        (131, "<d", 0.0, "cannot be"),
        (131, "<d", float("nan"), "cannot be"),
        (139, "<d", 1e300, "cannot be"),
        (155, "<d", float("inf"), "cannot be"),
        (243, "<I", 2**32 - 1, "header records"),
        (247, "<Q", 2**62, "claims"),
        (247, "<Q", N + 1, "claims"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_hostile_header_is_refused(
    tmp_path: Path, las_bytes: bytes, at: int, fmt: str, value: Any, says: str
) -> None:
    """Every promise of the header is checked against the file, before anything is allocated."""
    path = tmp_path / "bad.las"
    path.write_bytes(patched(las_bytes, at, fmt, value))
    with pytest.raises(InputError, match=says):
        load(path)


def laszip_record(data: bytes) -> int:
    """Return where the LASzip record of a file begins."""
    return data.index(b"laszip encoded") - 2 + 54


@pytest.mark.parametrize(
    ("what", "fmt", "value"),
    [
        ("chunk size", "<I", 2**31),
        ("chunk size", "<I", 0),
        ("item size", "<H", 65_535),
        ("table offset", "<q", 2**50),
        ("table offset", "<q", 5),
        ("number of chunks", "<I", 2**32 - 1),
        ("number of chunks", "<I", 0),
        ("layer size", "<I", 2**32 - 1),
    ],
)
def test_hostile_compression_is_refused(tmp_path: Path, what: str, fmt: str, value: int) -> None:
    """The decoder never sees sizes from which it would allocate gigabytes and abort."""
    write(tmp_path / "sound.laz", point_format=6)
    data = (tmp_path / "sound.laz").read_bytes()
    record, first = laszip_record(data), struct.unpack_from("<I", data, 96)[0]
    at = {
        "chunk size": record + 12,
        "item size": record + 36,
        "table offset": first,
        "number of chunks": struct.unpack_from("<q", data, first)[0] + 4,
        "layer size": first + 8 + 30 + 4,
    }[what]
    (tmp_path / "bad.laz").write_bytes(patched(data, at, fmt, value))
    with pytest.raises(InputError, match="contradicts"):
        load(tmp_path / "bad.laz")


def test_no_points(tmp_path: Path) -> None:
    """A cloud without points is refused, not loaded as nothing."""
    write(tmp_path / "a.las", count=0)
    with pytest.raises(InputError, match="no points"):
        load(tmp_path / "a.las")


def test_wrong_box_in_the_header_is_told(tmp_path: Path, las_bytes: bytes) -> None:
    """The box of the points counts, not that of the header."""
    path = tmp_path / "a.las"
    path.write_bytes(patched(las_bytes, 179, "<d", 9e6))
    layer, data = cloud(path)
    assert data.bounds is not None
    assert data.bounds.xmax < 500_100
    assert any("box" in w for w in layer.warnings)


def test_other_files_by_that_name(tmp_path: Path) -> None:
    """A picture is no point cloud."""
    path = tmp_path / "photo.laz"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    with pytest.raises(InputError, match="not a LAS"):
        load(path)


def test_cancel_between_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelling ends at the next block."""
    monkeypatch.setattr("plumbline.io.pointcloud._BLOCK", 100)
    write(tmp_path / "a.laz")
    feedback = Feedback(lambda f, _: feedback.cancel() if f > 0.2 else None)
    with pytest.raises(CancelledError):
        load(tmp_path / "a.laz", feedback=feedback)


def load_or_refuse(path: Path) -> Layer | None:
    """Load; a refusal is fine as long as it is one clear line."""
    try:
        return load(path, digest=False)[0]
    except InputError as error:
        refusal = str(error)
    assert "\n" not in refusal
    return None


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_truncation_is_refused(tmp_path: Path, suffix: str) -> None:
    """A file cut off anywhere is an error; half a cloud is never taken for a whole one."""
    sound = tmp_path / f"sound{suffix}"
    write(sound, colors=65_535)
    data = sound.read_bytes()
    path = tmp_path / f"cut{suffix}"
    for end in np.linspace(1, len(data) - 1, 20).astype(int):
        path.write_bytes(data[:end])
        assert load_or_refuse(path) is None, end


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_flipped_bytes_never_crash(tmp_path: Path, suffix: str) -> None:
    """Damaged bytes end in a layer or in one clear line."""
    flip(tmp_path, suffix, 60)


@pytest.mark.nightly
@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_flipped_bytes_never_crash_at_length(tmp_path: Path, suffix: str) -> None:
    """The same, two thousand times."""
    flip(tmp_path, suffix, 2000)


def flip(folder: Path, suffix: str, times: int) -> None:
    """Flip bytes, mostly in header and records, and load."""
    sound = folder / f"sound{suffix}"
    write(sound, colors=65_535, crs=4549, count=200)
    data = sound.read_bytes()
    rng = random.Random(11)
    path = folder / f"flipped{suffix}"
    for _ in range(times):
        broken = bytearray(data)
        end = len(data) if rng.random() < 0.5 else min(600, len(data))
        for _ in range(rng.choice((1, 1, 4))):
            broken[rng.randrange(end)] = rng.randrange(256)
        path.write_bytes(broken)
        layer = load_or_refuse(path)
        assert layer is None or layer.counts["points"] > 0


# -- real files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "points", "classes", "crs"),
    [
        ("3dfier_ahn3/ahn3_cropped_1.laz", 640_510, {"1", "2", "6", "9", "26"}, None),
        ("3dfier_ahn3/ahn3_cropped_2.laz", 208_432, {"1", "2", "6", "9", "26"}, None),
        ("autzen_pdal_data/autzen_depth0-1.laz", 738_877, {"0"}, "EPSG:2994"),
        ("pdal/lone-star.copc.laz", 518_862, {"0"}, None),
        ("lidr/Topography.laz", 73_403, {"1", "2", "9"}, "EPSG:2949"),
    ],
)
def test_real_clouds(
    real_data: Path, file: str, points: int, classes: set[str], crs: str | None
) -> None:
    """The facts of the real files: every point is where laspy puts it."""
    path = real_data / "pointcloud" / file
    layer, data = cloud(path, digest=False)
    assert layer.counts["points"] == points
    assert set(layer.metadata["classes"]) == classes
    assert (layer.crs.to_string() if layer.crs else None) == crs
    reference = laspy.read(path)
    # A COPC comes node after node, the coarsest first.
    own, theirs = (data.points, reference.xyz)
    if "COPC" in layer.metadata["format"]:
        own, theirs = (xyz[np.lexsort(xyz.T)] for xyz in (own, theirs))
    np.testing.assert_array_equal(own, theirs)


def test_real_traps(real_data: Path) -> None:
    """Feet and 8-bit colours at Autzen; a geocentric label on UTM numbers at Lone Star."""
    autzen, data = cloud(real_data / "pointcloud/autzen_pdal_data/autzen_depth0-1.laz")
    assert (autzen.metadata["units"], autzen.metadata["z_factor"]) == ("foot", 0.3048)
    assert "8-bit" in autzen.metadata["colors"]
    assert data.attributes["rgb"].max() > 200
    star, _ = cloud(real_data / "pointcloud/pdal/lone-star.copc.laz")
    assert star.metadata["format"] == "LAS 1.4 PDRF 6 (COPC)"
    assert star.metadata["crs_declared"] == "EPSG:4978"
    assert any("EPSG:4978" in w for w in star.warnings)
