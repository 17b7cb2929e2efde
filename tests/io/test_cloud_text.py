"""PCD in its three storages, and points as text with columns named, counted or stated."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from tests.io.mesh_files import write

from plumbline.core.data import AnyArray, PointCloudData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer
from plumbline.io import load
from plumbline.io.pcd import unpack_lzf

FIELDS = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4"), ("intensity", "<f4"),
     ("label", "<u2")]
)  # fmt: skip
STORAGES = ["ascii", "binary", "binary_compressed"]


def points(count: int = 300) -> AnyArray:
    table = np.zeros(count, FIELDS)
    n = np.arange(count)
    table["x"], table["y"], table["z"] = n * 0.25, 7 - n * 0.5, n % 4
    table["rgb"] = (n % 256) << 16 | 20 << 8 | 30
    table["intensity"] = n
    table["label"] = n % 3
    return table


def pack_lzf(data: bytes) -> bytes:
    """Compress greedily: pieces of up to 264 bytes that came up to 8 KiB before."""
    out, known, at, plain = bytearray(), dict[bytes, int](), 0, bytearray()

    def flush() -> None:
        for begin in range(0, len(plain), 32):
            piece = plain[begin : begin + 32]
            out.extend([len(piece) - 1, *piece])
        plain.clear()

    while at < len(data):
        key = data[at : at + 3]
        before = known.get(key, -1)
        known[key] = at
        if len(key) == 3 and before >= 0 and at - before <= 8192:
            length = 3
            while length < 264 and data[at + length : at + length + 1] == (
                data[before + length : before + length + 1] or b"none"
            ):
                length += 1
            flush()
            back, extra = at - before - 1, length - 2
            head = [min(extra, 7) << 5 | back >> 8, *([extra - 7] if extra >= 7 else [])]
            out.extend([*head, back & 255])
            at += length
        else:
            plain.append(data[at])
            at += 1
    flush()
    return bytes(out)


def pcd(table: AnyArray, storage: str) -> bytes:
    names = table.dtype.names
    kinds = {"f": "F", "u": "U", "i": "I"}
    head = (
        "# .PCD v0.7\nVERSION 0.7\n"
        f"FIELDS {' '.join(names)}\n"
        f"SIZE {' '.join(str(table.dtype[n].itemsize) for n in names)}\n"
        f"TYPE {' '.join(kinds[table.dtype[n].kind] for n in names)}\n"
        f"COUNT {' '.join('1' for _ in names)}\n"
        f"WIDTH {len(table)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(table)}\n"
        f"DATA {storage}\n"
    ).encode()
    if storage == "ascii":
        return head + "".join(" ".join(str(v) for v in row) + "\n" for row in table).encode()
    if storage == "binary":
        return head + table.tobytes()
    columns = b"".join(table[name].tobytes() for name in names)
    packed = pack_lzf(columns)
    return head + struct.pack("<II", len(packed), len(columns)) + packed


def cloud(layer: Layer) -> PointCloudData:
    assert isinstance(layer.data, PointCloudData)
    return layer.data


@pytest.mark.parametrize("storage", STORAGES)
def test_pcd_in_every_storage(tmp_path: Path, storage: str) -> None:
    (layer,) = load(write(tmp_path / "点 云.pcd", pcd(points(), storage)), digest=False)
    data = cloud(layer)
    table = points()
    assert data.points.tolist() == np.column_stack([table[c] for c in "xyz"]).tolist()
    assert data.attributes["rgb"][299].tolist() == [299 % 256, 20, 30]
    assert data.attributes["intensity"].tolist() == list(range(300))
    assert data.attributes["label"].tolist() == table["label"].tolist()
    assert layer.crs is None
    assert not layer.warnings


def test_colours_packed_in_a_float_and_padding(tmp_path: Path) -> None:
    fields = np.dtype([("x", "<f8"), ("y", "<f8"), ("z", "<f8"), ("rgb", "<f4"), ("_", "u1")])
    table = np.zeros(2, fields)
    table["x"] = [500_000.123456, np.nan]
    table["rgb"] = np.array([0x0A141E, 0], "<u4").view("<f4")
    (layer,) = load(write(tmp_path / "a.pcd", pcd(table, "binary")), digest=False)
    data = cloud(layer)
    assert data.points[0, 0] == 500_000.123456
    assert data.attributes["rgb"].tolist() == [[10, 20, 30]]
    assert any("1 points without coordinates" in warning for warning in layer.warnings)


@pytest.mark.parametrize("storage", STORAGES)
def test_damaged_pcd_ends_in_one_sentence(tmp_path: Path, storage: str) -> None:
    raw = pcd(points(), storage)
    path = tmp_path / "a.pcd"
    for n in range(1, 40):
        with pytest.raises(InputError) as caught:
            load(write(path, raw[: len(raw) * n // 40]), digest=False)
        assert "\n" not in str(caught.value)
    rng = np.random.default_rng(3)
    refusals = []
    for _ in range(60):
        data = bytearray(raw)
        data[int(rng.integers(0, rng.choice([250, len(raw)])))] = int(rng.integers(0, 256))
        try:
            load(write(path, bytes(data)), digest=False)
        except InputError as error:
            refusals.append(str(error))
    assert refusals
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"POINTS 300", b"POINTS 999999999999", "contradicts"),
        (b"COUNT 1", b"COUNT 4096", "contradicts"),
        (b"SIZE 4", b"SIZE 3", "contradicts"),
        (b"FIELDS x", b"FIELDS q", "no coordinates"),
        (b"DATA binary", b"DATA zipped", "zipped"),
        (b"# .PCD", b"\xff" * 70_000, "no PCD file"),
    ],
)
def test_headers_that_cannot_be(tmp_path: Path, old: bytes, new: bytes, words: str) -> None:
    raw = pcd(points(), "binary").replace(old, new, 1)
    with pytest.raises(InputError, match=words):
        load(write(tmp_path / "a.pcd", raw), digest=False)


def test_lzf_repeats_what_it_makes() -> None:
    data = b"abc" * 500 + bytes(range(256)) * 3
    assert unpack_lzf(pack_lzf(data), len(data), Feedback()) == data
    # One byte, then 262 more of it by looking one byte back.
    assert unpack_lzf(b"\x00a\xe0\xfd\x00", 263, Feedback()) == b"a" * 263
    with pytest.raises(ValueError, match="damaged"):
        unpack_lzf(b"\x20\x05", 3, Feedback())


@pytest.mark.parametrize(
    ("name", "text", "columns", "source"),
    [
        ("a.xyz", "1 2 3\n4 5 6\n", "x,y,z", "number of columns"),
        ("点.xyz", "1,2,3,10\n4,5,6,20\n", "x,y,z,intensity", "number of columns"),
        ("a.pts", "2\n1 2 3 10 255 0 9\n4 5 6 20 0 1 8\n", "x,y,z,intensity,r,g,b",
         "number of columns"),
        ("a.txt", "//X Y Z Classification\n1 2 3 10\n4 5 6 20\n", "x,y,z,classification", "file"),
        ("a.txt", "Northing;Easting;Height;反射\n2;1;3;10\n5;4;6;20\n", "y,x,z,反射", "file"),
        ("a.xyz", "# a remark of four words\n\n1\t2\t3\n4\t5\t6\n", "x,y,z", "number of columns"),
    ],
)  # fmt: skip
def test_points_as_text(tmp_path: Path, name: str, text: str, columns: str, source: str) -> None:
    (layer,) = load(write(tmp_path / name, text), digest=False)
    data = cloud(layer)
    assert data.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert layer.metadata["columns"] == columns
    assert layer.metadata["columns_source"] == source
    if "r,g,b" in columns:
        assert data.attributes["rgb"].tolist() == [[255, 0, 9], [0, 1, 8]]
    for extra in ("intensity", "classification", "反射"):
        if extra in columns.split(","):
            assert data.attributes[extra].tolist() == [10, 20]


def test_the_user_says_what_the_columns_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xyz", "9 2 1 3 0.5 1 0\n9 5 4 6 0.25 0 1\n")
    (layer,) = load(path, {"columns": "-,y,x,z,r,g,b"}, digest=False)
    data = cloud(layer)
    assert data.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert data.attributes["rgb"].tolist() == [[128, 255, 0], [64, 0, 255]]
    assert list(data.attributes) == ["rgb"]
    for wrong in ("x,y", "x,y,z,x", "x,y,z,a,b,c,d,e", "x,y,q"):
        with pytest.raises(UsageError, match="do not fit"):
            load(path, {"columns": wrong}, digest=False)


def test_intensities_of_pts_keep_their_order(tmp_path: Path) -> None:
    (layer,) = load(write(tmp_path / "a.pts", "1 2 3 -2048\n1 2 3 2047\n"), digest=False)
    assert cloud(layer).attributes["intensity"].tolist() == [0, 65_535]
    assert layer.metadata["intensity_range"] == [-2048, 2047]


def test_lines_without_a_point_are_counted(tmp_path: Path) -> None:
    (layer,) = load(write(tmp_path / "a.xyz", "1 2 3\nnan 2 3\n4 5\n4 5 6\n"), digest=False)
    assert layer.counts == {"points": 2}
    assert any("2 points without coordinates" in warning for warning in layer.warnings)


@pytest.mark.parametrize(
    "text",
    ["hello world this is a text\n" * 5, "1 2\n3 4\n", "1 2 3\nfour five six\n", "\0\1\2",
     "nan nan nan\n", "<html><body>x y z</body></html>"],
)  # fmt: skip
def test_text_that_is_no_cloud(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        load(write(tmp_path / "a.xyz", text), digest=False)
    assert "\n" not in str(caught.value)
