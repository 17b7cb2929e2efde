"""Clearances of layers and entities against closed forms and brute force."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyproj import CRS

from plumbline import api
from plumbline.api import (
    Element,
    Georeference,
    Layer,
    LayerKind,
    MeshData,
    PointCloudData,
    RefusedError,
    Result,
    Scene,
    UsageError,
    VectorData,
)
from plumbline.geometry.clearance import triangle_distances

PLANE = CRS("EPSG:4528")
X, Y = 40_534_200.0, 3_993_400.0
CUBE = np.array([[i >> k & 1 for k in range(3)] for i in range(8)], float)
QUADS = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
SIDES = np.array([t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))])


def boxes(places: list[Any], size: float = 1.0, turn: Any = None) -> MeshData:
    """Return cubes, each an element named by its number."""
    cube = CUBE * size if turn is None else CUBE * size @ turn
    return MeshData(
        np.concatenate([cube + [X, Y, 0] + place for place in places]),
        np.concatenate([SIDES + 8 * n for n in range(len(places))]),
        elements=[Element(f"e{n}", "IfcColumn", f"Column {n}") for n in range(len(places))],
        element_index=np.repeat(np.arange(len(places)), 12),
    )


def scene(**data: Any) -> Scene:
    held = Scene(Georeference(PLANE))
    kinds = {MeshData: LayerKind.BIM, PointCloudData: LayerKind.POINTCLOUD}
    for name, one in data.items():
        held.add(Layer(name, name.title(), kinds.get(type(one), LayerKind.VECTOR), one, PLANE))
    return held


def values(result: Result) -> dict[str, Any]:
    return {name: value.value for name, value in result.values.items()}


def test_two_boxes_in_closed_form() -> None:
    held = scene(one=boxes([[0, 0, 0]]), two=boxes([[4, 5, -8]]))
    result = api.run("measure.clearance", held, a="one", b="two")
    found = values(result)
    # From corner (1, 1, 0) to corner (4, 5, -7).
    assert found["distance"] == pytest.approx(math.sqrt(9 + 16 + 49), abs=1e-6)
    assert found["horizontal"] == pytest.approx(5.0, abs=1e-6)
    assert found["vertical"] == pytest.approx(-7.0, abs=1e-6)
    assert np.array(result.points) == pytest.approx(
        np.array([[X + 1, Y + 1, 0], [X + 4, Y + 5, -7]]), abs=1e-6
    )
    row = dict(zip(result.tables["pairs"].columns, result.tables["pairs"].rows[0], strict=True))
    assert (row["a"], row["b"], row["b_layer"]) == ("e0", "e0", "two")
    assert (row["a_name"], row["a_x"], row["b_z"]) == ("Column 0", X + 1, -7)


def test_every_pair_once_and_none_with_itself() -> None:
    held = scene(one=boxes([[3 * n, 0, 0] for n in range(5)]))
    result = api.run("measure.clearance", held, a="one", b="one")
    table = result.tables["pairs"]
    found = {(row[0], row[1]): row[6] for row in table.rows}
    assert found == pytest.approx(
        {(f"e{i}", f"e{j}"): 3 * (j - i) - 1 for i in range(5) for j in range(i + 1, 5)}
    )
    assert [row[6] for row in table.rows] == sorted(row[6] for row in table.rows)
    near = api.run("measure.clearance", held, a="one", b="one", max_distance=5)
    assert [row[6] for row in near.tables["pairs"].rows] == pytest.approx([2] * 4 + [5] * 3)


def test_entities_can_be_named() -> None:
    held = scene(one=boxes([[3 * n, 0, 0] for n in range(5)]))
    refs = {"a": {"layer": "one", "entities": ["e0", "e1"]}, "b": ["one"]}
    result = api.run("measure.clearance", held, refs)
    assert {row[:2] for row in result.tables["pairs"].rows} == {
        ("e0", "e1"), *((i, f"e{j}") for i in ("e0", "e1") for j in (2, 3, 4)),
    }  # fmt: skip
    again = api.run("measure.clearance", held, result.params)
    assert again.tables == result.tables


@pytest.mark.parametrize("seed", range(3))
def test_turned_boxes_agree_with_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turns = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2)]
    one, two = (boxes(list(rng.uniform(0, 9, (6, 3))), turn=turn) for turn in turns)
    result = api.run("measure.clearance", scene(one=one, two=two), a="one", b="two")
    rows = result.tables["pairs"].rows
    assert len(rows) == 36
    for row in rows:
        i, j = int(row[0][1:]), int(row[1][1:])
        p = (one.vertices - [X, Y, 0])[one.triangles[12 * i : 12 * i + 12]]
        q = (two.vertices - [X, Y, 0])[two.triangles[12 * j : 12 * j + 12]]
        least = triangle_distances(np.repeat(p, 12, axis=0), np.tile(q, (12, 1, 1)))[0].min()
        assert row[6] == pytest.approx(least, abs=1e-6)
        assert math.dist(row[9:12], row[12:15]) == pytest.approx(least, abs=1e-6)


def test_pipes_as_lines_points_of_a_cloud_and_features() -> None:
    import geopandas

    line = shapely.LineString([[X - 5, Y, 3], [X + 5, Y, 3], [X + 5, Y + 9, 3]])
    post = shapely.Point(X + 20, Y, 2)
    roof = shapely.Polygon([[X, Y + 20, 4], [X + 5, Y + 20, 4], [X + 5, Y + 25, 4]])
    features = geopandas.GeoDataFrame(geometry=[line, post, roof], index=[7, 8, 9])
    cloud = PointCloudData(np.array([[X + 0.5, Y + 0.5, 1.75], [X + 99, Y, 0]]))
    held = scene(pipes=VectorData(features, has_z=True), one=boxes([[0, 0, 0]]), cloud=cloud)
    result = api.run("measure.clearance", held, a=["pipes", "cloud"], b="one")
    found = {row[0]: row[6] for row in result.tables["pairs"].rows}
    assert found == pytest.approx(
        {"7": 2.0, "8": math.hypot(19, 1), "9": math.hypot(19, 3), "": 0.75}, abs=1e-6
    )


def test_feet_become_metres() -> None:
    held = Scene(Georeference(CRS("EPSG:2994")))
    data = boxes([[0, 0, 0], [11, 0, 0]])
    held.add(Layer("one", "One", LayerKind.BIM, data, CRS("EPSG:2994")))
    result = api.run("measure.clearance", held, a="one", b="one", max_distance=3.1)
    assert result.values["distance"].value == pytest.approx(3.048, abs=1e-6)
    assert result.points[1] == pytest.approx((X + 11, Y, 0), abs=1)


def test_touching_and_crossing_are_no_distance_apart() -> None:
    held = scene(one=boxes([[0, 0, 0], [1, 0, 0], [0.5, 0.5, 0.5]]))
    result = api.run("measure.clearance", held, a="one", b="one", max_distance=0)
    assert [row[6] for row in result.tables["pairs"].rows] == [0, 0, 0]


def test_nothing_near_enough_is_said() -> None:
    held = scene(one=boxes([[0, 0, 0], [9, 0, 0]]))
    result = api.run("measure.clearance", held, a="one", b="one", max_distance=1)
    assert result.values["distance"].value is None
    assert result.tables["pairs"].rows == ()
    assert "No pair" in result.warnings[0]


def test_entities_without_geometry_are_counted() -> None:
    data = boxes([[0, 0, 0], [9, 0, 0]])
    data.elements.append(Element("none", "IfcSite"))
    result = api.run("measure.clearance", scene(one=data), a="one", b="one")
    assert result.warnings == ["1 entities have no geometry and are left out."]


def test_clearances_that_cannot_be_answered() -> None:
    import geopandas

    flat = VectorData(geopandas.GeoDataFrame(geometry=[shapely.Point(X, Y)]))
    held = scene(one=boxes([[0, 0, 0]]), flat=flat)
    for params in (
        {"a": "one"},
        {"a": [], "b": "one"},
        {"a": 7, "b": "one"},
        {"a": {"layer": "one", "entities": ["nothing"]}, "b": "one"},
        {"a": {"layer": "one", "where": "x"}, "b": "one"},
        {"a": "one", "b": "one", "max_distance": -1},
        {"a": "one", "b": "one", "max_distance": float("inf")},
    ):
        with pytest.raises(UsageError):
            api.run("measure.clearance", held, params)
    with pytest.raises(RefusedError, match="no pair"):
        api.run("measure.clearance", held, a="one", b="one")
    with pytest.raises(RefusedError, match="no shape in space"):
        api.run("measure.clearance", held, a="one", b="flat")
    with pytest.raises(UsageError, match="b: There is no layer"):
        api.run("measure.clearance", held, a="one", b="nothing")
    degrees = Scene(Georeference.from_text("EPSG:4490"))
    degrees.add(Layer("one", "One", LayerKind.BIM, boxes([[0, 0, 0]]), CRS("EPSG:4490")))
    with pytest.raises(RefusedError, match="in degrees"):
        api.run("measure.clearance", degrees, a="one", b="one")


@pytest.mark.slow
def test_every_product_of_a_house_against_every_other(real_data: Path) -> None:
    layer = api.load(real_data / "ifc" / "web-ifc" / "AC20-FZK-Haus.ifc", layer_id="bim")[0]
    held = Scene(Georeference(layer.crs))
    held.add(layer)
    started = time.perf_counter()
    result = api.run("measure.clearance", held, a="bim", b="bim")
    took = time.perf_counter() - started
    print(f"{len(result.tables['pairs'].rows)} pairs in {took:.1f} s")
    data = layer.data
    assert isinstance(data, MeshData)
    assert data.element_index is not None
    number = {element.id: n for n, element in enumerate(data.elements)}
    corners = data.vertices[data.triangles] - data.vertices[0]
    rows = result.tables["pairs"].rows
    count = len(np.unique(data.element_index[data.element_index >= 0]))
    assert len(rows) == count * (count - 1) // 2
    for row in rows[:: len(rows) // 60]:
        p, q = (corners[data.element_index == number[one]] for one in row[:2])
        if len(p) * len(q) < 200_000:
            least = triangle_distances(np.repeat(p, len(q), axis=0), np.tile(q, (len(p), 1, 1)))[0]
            assert row[6] == pytest.approx(least.min(), abs=2e-9)
