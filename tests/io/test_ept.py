"""Entwine point tiles: made from a cloud by the test, read like the cloud; hostile indexes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest

from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.crs import parse_crs
from plumbline.core.errors import InputError
from plumbline.io import load

SCHEMA: list[dict[str, Any]] = [
    *({"name": n, "type": "signed", "size": 4, "scale": 0.001, "offset": o}
      for n, o in zip("XYZ", (1000, 2000, 0), strict=True)),
    {"name": "Intensity", "type": "unsigned", "size": 2},
    {"name": "Classification", "type": "unsigned", "size": 1},
    *({"name": n, "type": "unsigned", "size": 2} for n in ("Red", "Green", "Blue")),
]  # fmt: skip


def cloud() -> np.ndarray:
    return np.random.default_rng(4).uniform(0, 64, (3000, 3)).round(3) + [1000, 2000, 0]


def node_of(xyz: np.ndarray) -> list[str]:
    """Put a tenth into the root, the others into its children: any division is allowed."""
    halves = ((xyz - [1000, 2000, 0]) >= 32).astype(int)
    return [
        "0-0-0-0" if n % 10 == 0 else "1-" + "-".join(map(str, half))
        for n, half in enumerate(halves.tolist())
    ]


def laz(xyz: np.ndarray, rows: np.ndarray) -> bytes:
    header = laspy.LasHeader(point_format=7, version="1.4")
    header.scales, header.offsets = np.full(3, 0.001), [1000, 2000, 0]
    data = laspy.LasData(header)
    data.xyz, data.intensity, data.classification = xyz, rows, rows % 7
    data.red = data.green = data.blue = rows * 20
    stream = io.BytesIO()
    data.write(stream, do_compress=True)
    return stream.getvalue()


def binary(xyz: np.ndarray, rows: np.ndarray) -> bytes:
    kinds = {("signed", 4): "<i4", ("unsigned", 2): "<u2", ("unsigned", 1): "u1"}
    dtype = np.dtype([(d["name"], kinds[d["type"], d["size"]]) for d in SCHEMA])
    records = np.zeros(len(xyz), dtype)
    for axis, name in enumerate("XYZ"):
        records[name] = np.rint((xyz[:, axis] - (1000, 2000, 0)[axis]) / 0.001)
    records["Intensity"], records["Classification"] = rows, rows % 7
    for name in ("Red", "Green", "Blue"):
        records[name] = rows * 20
    return records.tobytes()


def ept(folder: Path, kind: str = "laszip", **changes: Any) -> Path:
    xyz, rows = cloud(), np.arange(3000)
    nodes = np.array(node_of(xyz))
    (folder / "ept-data").mkdir(parents=True)
    (folder / "ept-hierarchy").mkdir()
    counts: dict[str, int] = {}
    for name in np.unique(nodes).tolist():
        mine = nodes == name
        counts[name] = int(mine.sum())
        raw, suffix = (laz, "laz") if kind == "laszip" else (binary, "bin")
        (folder / f"ept-data/{name}.{suffix}").write_bytes(raw(xyz[mine], rows[mine]))
    # One child stands in a page of its own.
    page = {"1-1-1-1": counts["1-1-1-1"]}
    (folder / "ept-hierarchy/1-1-1-1.json").write_text(json.dumps(page), encoding="utf-8")
    first = json.dumps({**counts, "1-1-1-1": -1})
    (folder / "ept-hierarchy/0-0-0-0.json").write_text(first, encoding="utf-8")
    document = {
        "bounds": [1000, 2000, 0, 1064, 2064, 64],
        "boundsConforming": [1000, 2000, 0, 1064, 2064, 64],
        "dataType": kind, "hierarchyType": "json", "points": 3000, "schema": SCHEMA, "span": 128,
        "srs": {"authority": "EPSG", "horizontal": "28992", "vertical": "5709"}, "version": "1.1.0",
        **changes,
    }  # fmt: skip
    path = folder / "ept.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["laszip", "binary"])
def test_all_points_and_attributes_come_back(tmp_path: Path, kind: str) -> None:
    ept(tmp_path / "delft", kind)
    (layer,) = load(tmp_path / "delft")
    data = layer.data
    assert isinstance(data, TiledCloud)
    assert layer.name == "delft"
    assert layer.counts == {"points": 3000}
    assert layer.crs == parse_crs("EPSG:28992+5709")
    order = np.argsort(data.attributes["intensity"])
    assert data.points[order] == pytest.approx(cloud(), abs=1e-6)
    rows = np.arange(3000)
    assert np.array_equal(data.attributes["classification"][order], rows % 7)
    assert np.array_equal(data.attributes["rgb"][order, 0], rows * 20 >> 8)
    box = (1010.0, 2010.0, 1020.0, 2040.0)
    inside = (cloud()[:, 0] >= 1010) & (cloud()[:, 0] <= 1020)
    inside &= (cloud()[:, 1] >= 2010) & (cloud()[:, 1] <= 2040)
    assert len(data.within(box).points) == inside.sum()


def test_a_missing_and_a_damaged_node_are_left_out(tmp_path: Path) -> None:
    ept(tmp_path)
    (tmp_path / "ept-data/1-0-0-0.laz").unlink()
    (tmp_path / "ept-data/1-1-0-0.laz").write_bytes(b"LASF" + b"\xff" * 500)
    (tmp_path / "ept-data/1-0-1-0.laz").write_bytes(laz(cloud()[:5], np.arange(5)))
    (layer,) = load(tmp_path)
    assert isinstance(layer.data, TiledCloud)
    lost = sum(node_of(cloud()).count(n) for n in ("1-0-0-0", "1-1-0-0", "1-0-1-0"))
    assert len(layer.data.points) == 3000 - lost
    assert len(layer.data.tree.source.notes) == 3


@pytest.mark.parametrize(
    "page",
    [
        {"0-0-0-0": 300, "1-0-0-0": -1, "1-9-0-0": 5, "x": 1, "1-0": 2, "2-0-0-0": 10**9},
        {"0-0-0-0": 300, "1-0-0-0": True, "31-0-0-0": 1, "-1-0-0-0": 1, "1-1-0-0": -7},
    ],
)
def test_entries_that_cannot_be_are_left_out(tmp_path: Path, page: dict[str, Any]) -> None:
    ept(tmp_path)
    (tmp_path / "ept-hierarchy/0-0-0-0.json").write_text(json.dumps(page), encoding="utf-8")
    # A page that names itself again is no way round either.
    (tmp_path / "ept-hierarchy/1-0-0-0.json").write_text('{"1-0-0-0": -1}', encoding="utf-8")
    (layer,) = load(tmp_path)
    assert isinstance(layer.data, TiledCloud)
    assert len(layer.data.points) == 300
    assert layer.data.tree.source.notes


@pytest.mark.parametrize(
    "changes",
    [
        {"bounds": [0, 0, 0, 1, 1]}, {"bounds": [0, 0, 0, float("inf"), 1, 1]}, {"points": -1},
        {"bounds": [5, 5, 5, 0, 0, 0]}, {"span": 0}, {"schema": 5}, {"dataType": "zstandard"},
        {"points": 10**20}, {"boundsConforming": [9, 9, 9, 0, 0, 0]}, {"points": 5},
    ],
)  # fmt: skip
def test_absurd_headers_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        load(ept(tmp_path, **changes))


def test_no_index_is_refused(tmp_path: Path) -> None:
    path = ept(tmp_path)
    (tmp_path / "ept-hierarchy/0-0-0-0.json").unlink()
    with pytest.raises(InputError):
        load(path)
