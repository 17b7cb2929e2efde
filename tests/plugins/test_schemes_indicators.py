"""Indicators against shapely, hand computation and the demo's construction."""

from __future__ import annotations

import math
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
import shapely.affinity
from pyproj import CRS

from plumbline import api
from plumbline.api import (
    Element,
    EntityRef,
    Georeference,
    Layer,
    LayerKind,
    LayerStyle,
    MeshData,
    RefusedError,
    Result,
    Scene,
    Scheme,
    UsageError,
    VectorData,
)

PLANE = CRS("EPSG:4549")
X, Y = 534_000.0, 3_993_000.0


def vector(name: str, shapes: Any, style: LayerStyle | None = None, **columns: Any) -> Layer:
    moved = [shapely.affinity.translate(s, X, Y) for s in shapes]
    data = VectorData(geopandas.GeoDataFrame(columns, geometry=moved, crs=PLANE))
    return Layer(name, name, LayerKind.VECTOR, data, PLANE, style=style or LayerStyle())


def houses(shapes: Any, name: str = "houses", **columns: Any) -> Layer:
    return vector(name, shapes, LayerStyle(extrude="高度"), **columns)


def indicators(*layers: Layer, schemes: Any = (), **params: Any) -> Result:
    scene = Scene(Georeference(PLANE, (X, Y, 0.0)))
    for layer in layers:
        scene.add(layer)
    scene.set_schemes(schemes)
    return api.run("schemes.indicators", scene, params)


def values(result: Result) -> dict[str, Any]:
    return {name: value.value for name, value in result.values.items()}


def rows(result: Result, table: str) -> list[dict[str, Any]]:
    found = result.tables[table]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def wkt(shape: Any) -> str:
    return str(shapely.affinity.translate(shape, X, Y).wkt)


def random_site(seed: int) -> dict[str, Any]:
    """Return a concave parcel with a hole, houses on it, typed lines around it."""
    rng = np.random.default_rng(seed)
    outer = shapely.Polygon(
        [(0, 0), (200, 0), (200, 90), (120, 90), (120, rng.uniform(140, 160)), (0, 150)]
    )
    pond = shapely.box(20, 100, 20 + rng.uniform(10, 30), 130)
    angle = rng.uniform(0, 90)

    def turn(shape: Any) -> Any:
        return shapely.affinity.rotate(shape, angle, origin=(0, 0))

    places = [(10, 10), (60, 10), (110, 12), (155, 15), (60, 60), (15, 55), (75, 110)]
    shapes = []
    for x, y in places:
        house = shapely.box(x, y, x + rng.uniform(12, 30), y + rng.uniform(8, 18))
        shapes.append(turn(shapely.affinity.rotate(house, rng.uniform(-8, 8))))
    lines = [
        shapely.LineString([(-10, -8), (215, -8)]),
        shapely.LineString([(212, -20), (205, 60), (212, 160)]),
        shapely.Polygon([(-60, 0), (-12, 20), (-20, 120), (-60, 150)]),
    ]
    return {
        "site": turn(outer.difference(pond)),
        "shapes": shapes,
        "lines": [turn(line) for line in lines],
        "storeys": rng.integers(1, 30, len(shapes)),
        "heights": rng.uniform(3, 90, len(shapes)).round(2),
        "green": turn(
            shapely.unary_union([shapely.box(5, 5, 100, 30), shapely.box(-20, 80, 40, 170)])
        ),
    }


@pytest.mark.parametrize("seed", range(20))
def test_twenty_sites_agree_with_shapely(seed: int) -> None:
    given = random_site(seed)
    result = indicators(
        houses(given["shapes"], 层数=given["storeys"], 高度=given["heights"],
               用途=["住宅", "商业"] * 3 + ["住宅"]),
        vector("lines", given["lines"], 类型=["道路红线", "道路红线", "河道蓝线"]),
        vector("green", [given["green"]]),
        buildings="houses", site=wkt(given["site"]), boundaries="lines", green="green",
    )  # fmt: skip
    site, shapes = given["site"], given["shapes"]
    assert len(site.interiors) == 1
    floor = sum(s.area * n for s, n in zip(shapes, given["storeys"], strict=True))
    found = values(result)
    assert found["site_area"] == pytest.approx(site.area, rel=1e-9)
    assert found["footprint_area"] == pytest.approx(sum(s.area for s in shapes), rel=1e-9)
    assert found["floor_area"] == pytest.approx(floor, rel=1e-9)
    assert found["far"] == pytest.approx(floor / site.area, rel=1e-9)
    assert found["density"] == pytest.approx(sum(s.area for s in shapes) / site.area, rel=1e-9)
    green = given["green"].intersection(site).difference(shapely.unary_union(shapes)).area
    assert found["green_ratio"] == pytest.approx(green / site.area, rel=1e-9)
    assert found["height_max"] == pytest.approx(max(given["heights"]))
    assert found["storeys_max"] == max(given["storeys"])
    assert found["floor_area_source"] == "storeys"
    nearest = min(a.distance(b) for n, a in enumerate(shapes) for b in shapes[:n])
    assert found["distance_min"] == pytest.approx(nearest, abs=1e-8)
    for row in rows(result, "setbacks"):
        expected = shapes[int(row["building"])].distance(given["lines"][int(row["boundary"])])
        assert row["distance"] == pytest.approx(expected, abs=1e-8)
        ends = math.dist((row["x"], row["y"]), (row["boundary_x"], row["boundary_y"]))
        assert ends == pytest.approx(expected, abs=1e-8)
    kinds = [row["type"] for row in rows(result, "setbacks")]
    assert kinds == ["道路红线", "道路红线", "河道蓝线"] * len(shapes)
    uses = {row["use"]: row["floor_area"] for row in rows(result, "uses")}
    assert sum(uses.values()) == pytest.approx(floor)
    shops = sum(shapes[n].area * given["storeys"][n] for n in (1, 3, 5))
    assert uses["商业"] == pytest.approx(shops)


def test_setbacks_by_hand_on_a_holed_parcel() -> None:
    """A yard of 60 x 40 with a well of 4 x 4; the house stands 5, 3 and 2 m from its lines."""
    site = shapely.Polygon(
        [(0, 0), (60, 0), (60, 40), (0, 40)], [[(27, 20), (31, 20), (31, 24), (27, 24)]]
    )
    house = shapely.box(5, 3, 25, 23)
    result = indicators(houses([house], 层数=[2], 高度=[6.0]), buildings="houses", site=wkt(site))
    found = {row["boundary"]: row["distance"] for row in rows(result, "setbacks")}
    assert found["1"] == pytest.approx(3.0)
    assert found["1.1"] == pytest.approx(2.0)
    assert values(result)["setback_min"] == pytest.approx(2.0)
    assert values(result)["site_area"] == pytest.approx(2384.0)
    assert values(result)["far"] == pytest.approx(800 / 2384)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([shapely.box(10, 0.2, 50, 12)], 0.4),  # 40 m of 100, 0.2 m behind the line
        ([shapely.box(10, 0.6, 50, 12)], 0.0),  # farther back than the depth of 0.5 m
        ([shapely.box(10, 0, 50, 12), shapely.box(40, 0.3, 70, 12)], 0.6),  # what overlaps, once
        ([shapely.box(-20, 0, 20, 12), shapely.box(90, 0, 130, 12)], 0.3),  # beyond the ends
        # A front that leaves the line by 1 m on 20 m: its first 10 m are within 0.5 m.
        ([shapely.Polygon([(0, 0), (20, 1), (20, 12), (0, 12)])], 0.1),
        # A gable across the line is no front.
        ([shapely.Polygon([(30, 0), (34, 20), (20, 20)])], 0.0),
    ],
)
def test_frontage_ratio_by_hand(shapes: Any, expected: float) -> None:
    result = indicators(
        houses(shapes, 层数=[1] * len(shapes), 高度=[4.0] * len(shapes)),
        vector("line", [shapely.LineString([(0, 0), (100, 0)])]),
        buildings="houses", site=wkt(shapely.box(-50, -1, 150, 50)), frontage="line",
    )  # fmt: skip
    assert values(result)["frontage_ratio"] == pytest.approx(expected, abs=1e-9)


def gabled(eaves: float, ridge: float, x: float = 0.0) -> MeshData:
    """Return a house of 12 x 8 m under a gable roof, its floor left out."""
    low = [(0, 0), (12, 0), (12, 8), (0, 8)]
    points = [(*p, 0.0) for p in low] + [(*p, eaves) for p in low] + [(0, 4, ridge), (12, 4, ridge)]
    faces = [
        (0, 1, 5), (0, 5, 4), (2, 3, 7), (2, 7, 6), (1, 2, 6), (1, 6, 5), (3, 0, 4), (3, 4, 7),
        (5, 6, 9), (7, 4, 8), (4, 5, 9), (4, 9, 8), (6, 7, 8), (6, 8, 9),
    ]  # fmt: skip
    return MeshData(np.array(points) + [X + x, Y, 7.0], np.array(faces))


def test_a_gable_roof_has_eaves_and_ridge_and_the_height_of_the_code() -> None:
    layer = Layer("house", "house", LayerKind.MESH, gabled(6.0, 9.0), PLANE)
    result = indicators(layer, buildings="house", site=wkt(shapely.box(-5, -5, 20, 20)))
    (row,) = rows(result, "buildings")
    assert (row["eaves_height"], row["ridge_height"]) == (pytest.approx(6.0), pytest.approx(9.0))
    assert row["height"] == pytest.approx(7.5)
    assert row["volume"] == pytest.approx(12 * 8 * 6 + 12 * 8 * 3 / 2)
    assert row["base"] == pytest.approx(7.0)
    # Nothing tells how many storeys it has.
    assert row["floor_area"] is None
    assert values(result)["far"] is None
    assert any("floor area" in warning for warning in result.warnings)


def test_a_flat_roof_with_a_parapet_and_a_stair_head() -> None:
    def box(x0: float, y0: float, x1: float, y1: float, low: float, high: float) -> Any:
        import trimesh

        body = trimesh.creation.box((x1 - x0, y1 - y0, high - low))
        body.apply_translation(((x0 + x1) / 2, (y0 + y1) / 2, (low + high) / 2))
        return body

    import trimesh

    parts = [
        box(0, 0, 20, 12, 0, 15), box(0, 0, 20, 0.24, 15, 16.1), box(0, 11.76, 20, 12, 15, 16.1),
        box(0, 0.24, 0.24, 11.76, 15, 16.1), box(19.76, 0.24, 20, 11.76, 15, 16.1),
        box(8, 5, 11, 8, 15, 18),
    ]  # fmt: skip
    mesh = trimesh.util.concatenate(parts)
    data = MeshData(
        np.array(mesh.vertices) + [X, Y, 3.0],
        np.array(mesh.faces),
        elements=[Element("h", "Building", properties={"g": {"层数": 5}})],
        element_index=np.zeros(len(mesh.faces), dtype=int),
    )
    layer = Layer("house", "house", LayerKind.MESH, data, PLANE)
    result = indicators(layer, buildings="house", site=wkt(shapely.box(-5, -5, 30, 30)))
    (row,) = rows(result, "buildings")
    assert row["height"] == row["eaves_height"] == row["ridge_height"] == pytest.approx(15.0)
    assert row["parapet_height"] == pytest.approx(16.1)
    assert row["top_height"] == pytest.approx(18.0)
    assert row["floor_area"] == pytest.approx(5 * 240, rel=1e-4)


def test_a_table_of_floor_areas_wins_and_a_contradiction_is_said() -> None:
    floors = [
        {"building": "0", "use": "商业", "storey": "1F", "area": 700.0},
        {"building": "0", "use": "住宅", "storey": "2F-6F", "area": 3000.0},
    ]
    layer = houses([shapely.box(0, 0, 40, 20)], 层数=[6], 高度=[20.0], 建筑面积=[4800.0])
    result = indicators(
        layer, buildings="houses", site=wkt(shapely.box(-5, -5, 50, 30)), floor_table=floors
    )
    assert values(result)["floor_area"] == pytest.approx(3700.0)
    assert values(result)["floor_area_source"] == "table"
    assert [row["use"] for row in rows(result, "uses")] == ["住宅", "商业"]
    assert any("3700.0" in w and "4800.0" in w for w in result.warnings)


def test_columns_can_be_named() -> None:
    layer = houses([shapely.box(0, 0, 40, 20)], n=[6], 高度=[20.0], homes=[48], cars=[30])
    result = indicators(
        layer, buildings="houses", site=wkt(shapely.box(-5, -5, 50, 30)),
        columns={"storeys": "n", "dwellings": "homes", "parking": "cars"},
    )  # fmt: skip
    found = values(result)
    assert (found["storeys_max"], found["dwellings"], found["parking"]) == (6, 48, 30)


@pytest.mark.parametrize("name", ["A", "B"])
def test_the_demo_schemes_follow_their_truth(demo_scene: Any, name: str) -> None:
    scene, truth = demo_scene
    known = truth["schemes"][name]
    for params in ({"scheme": name}, {"buildings": f"scheme_{name}", "site": "site"}):
        result = api.run("schemes.indicators", scene, params)
        found = values(result)
        for key in ("site_area", "footprint_area", "floor_area", "far", "density", "dwellings"):
            assert found[key] == pytest.approx(known[key], rel=1e-6, abs=1e-6), key
        assert found["height_max"] == pytest.approx(known["height_max"], abs=0.02)
        assert found["volume"] == pytest.approx(known["volume"], rel=1e-6)
        for row, real in zip(rows(result, "buildings"), known["buildings"], strict=True):
            assert row["name"] == real["name"]
            assert row["use"] == real["use"]
            assert row["storeys"] == real["storeys"]
            assert row["base"] == pytest.approx(real["base"], abs=0.01)
            assert row["height"] == pytest.approx(real["height"], abs=0.02)
            assert row["floor_area"] == pytest.approx(real["floor_area"], rel=1e-6)


def test_before_and_after_of_the_demo(demo_scene: Any) -> None:
    scene, truth = demo_scene
    result = api.run("schemes.indicators", scene, scheme="A")
    found = {row["indicator"]: row for row in rows(result, "before_after")}
    before, after = truth["old_quarter"], truth["schemes"]["A"]
    assert found["buildings"]["before"] == before["count"]
    # Attributes of the demo are rounded to 0.01 m².
    assert found["floor_area"]["before"] == pytest.approx(before["floor_area"], rel=1e-5)
    assert found["dwellings"]["difference"] == after["dwellings"] - before["dwellings"]


def test_heights_of_the_demo_models_follow_from_their_faces(demo_scene: Any) -> None:
    """The faces alone, without the attributes that also tell the eaves and the ridge."""
    scene, truth = demo_scene
    ids = truth["old_quarter"]["buildings"][:30]
    result = api.run(
        "schemes.indicators", scene, site="site", buildings={"layer": "models", "entities": ids},
        columns={"eaves": "-", "ridge": "-", "base": "-"},
    )  # fmt: skip
    known = {b["id"]: b for b in truth["buildings"]}
    for row in rows(result, "buildings"):
        real, foundations = known[row["id"]], 1.2
        assert row["heights_from"] == "faces"
        assert row["eaves_height"] - foundations == pytest.approx(real["eaves_height"], abs=0.02)
        assert row["ridge_height"] - foundations == pytest.approx(real["ridge_height"], abs=0.02)


def test_bad_requests_are_refused_in_words() -> None:
    layer = houses([shapely.box(0, 0, 40, 20)], 层数=[6], 高度=[20.0])
    site = wkt(shapely.box(-5, -5, 50, 30))
    away = wkt(shapely.box(500, 500, 600, 600))
    with pytest.raises(RefusedError, match="stands on the site"):
        indicators(layer, buildings="houses", site=away)
    with pytest.raises(UsageError, match="Give a scheme or buildings"):
        indicators(layer, site=site)
    with pytest.raises(UsageError, match="Give a site"):
        indicators(layer, buildings="houses")
    with pytest.raises(UsageError, match="no scheme “Z”"):
        indicators(layer, scheme="Z", site=site)
    with pytest.raises(UsageError, match="no column"):
        indicators(layer, buildings="houses", site=site, columns={"mood": "x"})
    empty = Scheme("E", "E", hidden=(EntityRef("houses", "0"),))
    with pytest.raises(RefusedError, match="stands on the site"):
        indicators(layer, schemes=[empty], scheme="E", site=site)


def test_an_unknown_use_and_a_crossing_are_said() -> None:
    layer = houses([shapely.box(0, 0, 40, 20)], 层数=[1], 高度=[4.0])
    result = indicators(layer, buildings="houses", site=wkt(shapely.box(10, -5, 60, 30)))
    assert any("no known use" in w for w in result.warnings)
    assert any("75 %" in w for w in result.warnings)
    assert any("green ratio is unknown" in w for w in result.warnings)
    assert values(result)["green_ratio"] is None
