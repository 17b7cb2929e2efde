"""Points, angles and heights against closed forms and PROJ."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS, Transformer

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

PLANE = CRS("EPSG:4549")
X, Y = 534_000.0, 3_994_000.0


def values(result: Result) -> dict[str, Any]:
    return {name: value.value for name, value in result.values.items()}


def box(low: Any, high: Any) -> MeshData:
    """Return a closed box."""
    corners = np.array([[(low, high)[i >> k & 1][k] for k in range(3)] for i in range(8)], float)
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    triangles = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    return MeshData(corners, triangles)


@pytest.fixture
def held(tmp_path: Path) -> Scene:
    """A plane of terrain that rises to the east, a box on it, a cloud and a layer of features."""
    heights = np.broadcast_to(10 + 0.1 * (np.arange(60) + 0.5) * 2, (40, 60))
    path = tmp_path / "plane.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=60, height=40, count=1, dtype="float64",
        crs="EPSG:4549", transform=Affine(2, 0, X, 0, -2, Y),
    ) as file:  # fmt: skip
        file.write(heights, 1)
    scene = Scene(Georeference.from_text("EPSG:4549"))
    scene.add(api.load(path, layer_id="dem")[0])
    tower = box((X + 20, Y - 40, 5), (X + 30, Y - 30, 42.5))
    scene.add(Layer("tower", "Tower", LayerKind.MESH, tower, PLANE))
    points = np.array([[X + 25, Y - 35, 43.0], [X + 22, Y - 33, 44.25], [X + 90, Y - 35, 99.0]])
    scene.add(Layer("cloud", "Cloud", LayerKind.POINTCLOUD, PointCloudData(points), PLANE))
    import geopandas

    features = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy([X], [Y]))
    scene.add(Layer("lines", "Lines", LayerKind.VECTOR, VectorData(features), PLANE))
    return scene


# -- point -----------------------------------------------------------------------------------


def test_a_point_in_three_crs_and_above_two_layers(held: Scene) -> None:
    result = api.run(
        "measure.point", held, point=[X + 25, Y - 35, 50], layers=["dem", "tower"], crs="EPSG:4528"
    )
    found = values(result)
    assert (found["x"], found["y"], found["z"]) == (X + 25, Y - 35, 50)
    way = Transformer.from_crs(CRS("EPSG:4549"), CRS("EPSG:4490"), always_xy=True)
    assert (found["longitude"], found["latitude"]) == pytest.approx(
        way.transform(X + 25, Y - 35), abs=1e-12
    )
    assert found["crs_x"] == pytest.approx(40_000_000 + X + 25, abs=1e-6)
    assert (found["crs_y"], found["crs_z"]) == pytest.approx((Y - 35, 50), abs=1e-6)
    assert found["crs"] == "EPSG:4528"
    assert found["ground"] == pytest.approx(12.5, abs=1e-6)
    assert found["height_above_ground"] == pytest.approx(37.5, abs=1e-6)
    rows = result.tables["heights"].rows
    assert [row[0] for row in rows] == ["dem", "tower"]
    assert rows[1][1:] == pytest.approx((42.5, 7.5), abs=1e-9)


def test_a_point_without_height_lies_on_the_first_layer(held: Scene) -> None:
    result = api.run("measure.point", held, point=[X + 25, Y - 35], layers=["tower", "dem"])
    assert result.values["z"].value == pytest.approx(42.5, abs=1e-9)
    assert result.values["height_above_ground"].value == pytest.approx(0, abs=1e-9)
    assert result.points == ((X + 25, Y - 35, pytest.approx(42.5)),)


def test_off_a_layer_its_height_is_unknown_and_said(held: Scene) -> None:
    result = api.run("measure.point", held, point=[X + 50, Y - 35, 1], layers=["tower"])
    assert result.values["height_above_ground"].value is None
    assert "has no height there" in result.warnings[0]
    with pytest.raises(RefusedError, match="no height at"):
        api.run("measure.point", held, point=[X + 50, Y - 35], layers=["tower"])


def test_points_that_cannot_be_answered(held: Scene) -> None:
    with pytest.raises(UsageError, match="needs a layer"):
        api.run("measure.point", held, point=[X, Y])
    with pytest.raises(UsageError, match="not a coordinate reference system"):
        api.run("measure.point", held, point=[X, Y, 0], crs="EPSG:nowhere")
    with pytest.raises(RefusedError, match="gives no height"):
        api.run("measure.point", held, point=[X, Y, 0], layers=["lines"])
    with pytest.raises(RefusedError, match="tied to the earth"):
        api.run("measure.point", Scene(), point=[X, Y, 0], crs="EPSG:4326")
    alone = api.run("measure.point", Scene(), point=[1, 2, 3])
    assert alone.values["longitude"].value is None
    assert "No longitude" in alone.warnings[0]
    far = api.run("measure.point", held, point=[1e12, 1e12, 0])
    assert far.values["latitude"].value is None


# -- angle -----------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [1e-7, 0.5, 30, 90, 135, 180])
def test_angles_keep_their_digits(degrees: float) -> None:
    turn = math.radians(degrees)
    points = [[X + 100, Y, 5], [X, Y, 5], [X + 100 * math.cos(turn), Y + 100 * math.sin(turn), 5]]
    found = values(api.run("measure.angle", Scene(), points=points))
    assert found["angle"] == pytest.approx(degrees, abs=1e-6)
    if degrees < 180:
        assert found["slope"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("aspect", range(0, 360, 40))
@pytest.mark.parametrize("steep", [5, 45, 89, 90])
def test_slope_and_aspect_of_a_face(aspect: int, steep: int) -> None:
    a, s = math.radians(aspect), math.radians(steep)
    level = np.array([math.cos(a), -math.sin(a), 0])
    fall = np.array([math.sin(a) * math.cos(s), math.cos(a) * math.cos(s), -math.sin(s)])
    start = np.array([X, Y, 50])
    points = [start, start + 7 * fall, start + 3 * level]
    found = values(api.run("measure.angle", Scene(), points=[p.tolist() for p in points]))
    assert found["slope"] == pytest.approx(steep, abs=1e-6)
    turn = math.remainder(found["aspect"] - aspect, 360)
    # A wall faces both ways.
    assert min(abs(turn), abs(abs(turn) - 180) if steep == 90 else 999) < 1e-6


def test_between_two_faces() -> None:
    floor = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    roof = [[0, 0, 9], [1, 0, 9 + math.tan(math.radians(35))], [0, 1, 9]]
    found = values(api.run("measure.angle", Scene(), points=floor, other=roof))
    assert found["dihedral"] == pytest.approx(35, abs=1e-9)
    assert found["aspect"] is None
    assert found["angle"] == pytest.approx(45, abs=1e-9)


def test_three_points_on_a_line_make_no_face() -> None:
    result = api.run("measure.angle", Scene(), points=[[0, 0, 0], [1, 1, 1], [2, 2, 2]])
    assert result.values["angle"].value == pytest.approx(180)
    assert result.values["slope"].value is None
    assert "one line" in result.warnings[0]
    same = api.run("measure.angle", Scene(), points=[[0, 0, 0], [0, 0, 0], [2, 2, 2]])
    assert same.values["angle"].value is None


def test_angles_that_cannot_be_answered() -> None:
    three = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    for params in (
        {"points": three[:2]},
        {"points": [*three, [1, 1, 1]]},
        {"points": [[0, 0], [1, 0], [0, 1]]},
        {"points": three, "other": three[:2]},
    ):
        with pytest.raises(UsageError):
            api.run("measure.angle", Scene(), params)
    with pytest.raises(RefusedError, match="in degrees"):
        api.run("measure.angle", Scene(Georeference.from_text("EPSG:4490")), points=three)


# -- height ----------------------------------------------------------------------------------

FOOT = [[X + 19, Y - 41], [X + 31, Y - 41], [X + 31, Y - 29], [X + 19, Y - 29]]


def test_a_point_above_ground_and_an_object_in_its_footprint(held: Scene) -> None:
    params = {"point": [X + 40, Y - 20, 30], "ground": "dem", "footprint": FOOT, "object": "tower"}
    found = values(api.run("measure.height", held, params))
    assert found["height"] == pytest.approx(16.0, abs=1e-6)
    # The lowest corner is the western one.
    assert found["base"] == pytest.approx(11.9, abs=1e-6)
    assert found["top"] == pytest.approx(42.5, abs=1e-9)
    assert found["object_height"] == pytest.approx(30.6, abs=1e-6)


def test_the_top_of_a_cloud_counts_inside_only(held: Scene) -> None:
    found = values(api.run("measure.height", held, ground="dem", footprint=FOOT, object="cloud"))
    assert found["top"] == 44.25


def test_heights_that_cannot_be_answered(held: Scene) -> None:
    for params in ({}, {"footprint": FOOT}, {"point": [X, Y, 0], "object": "tower"}):
        with pytest.raises(UsageError):
            api.run("measure.height", held, {"ground": "dem", **params})
    with pytest.raises(RefusedError, match="no height at"):
        api.run("measure.height", held, ground="dem", point=[X - 1, Y, 0])
    with pytest.raises(RefusedError, match="holds no object"):
        api.run("measure.height", held, ground="dem", footprint=FOOT, object="dem")
    away = [[x + 40, y] for x, y in FOOT]
    with pytest.raises(RefusedError, match="inside the footprint"):
        api.run("measure.height", held, ground="dem", footprint=away, object="tower")
    crossed = [FOOT[0], FOOT[2], FOOT[1], FOOT[3]]
    with pytest.raises(RefusedError, match="cross or touch"):
        api.run("measure.height", held, ground="dem", footprint=crossed, object="tower")


def test_a_room_is_no_roof() -> None:
    floor, room = box((0, 0, 0), (4, 4, 1)), box((0, 0, 1), (4, 4, 9))
    data = MeshData(
        np.concatenate([floor.vertices, room.vertices]),
        np.concatenate([floor.triangles, room.triangles + 8]),
        elements=[Element("1", "IfcSlab"), Element("2", "IfcSpace")],
        element_index=np.repeat([0, 1], 12),
    )
    scene = Scene()
    scene.add(Layer("bim", "BIM", LayerKind.BIM, data))
    result = api.run("measure.point", scene, point=[1.3, 2.1, 9], layers=["bim"])
    assert result.values["height_above_ground"].value == pytest.approx(8.0, abs=1e-12)
