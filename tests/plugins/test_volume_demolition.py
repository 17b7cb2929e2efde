"""Demolition against the demo's construction, Delft's lidar, and bodies with known volumes."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from pyproj import CRS

from plumbline import api
from plumbline.analysis.clearing import removing
from plumbline.api import (
    Element,
    Feedback,
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
X, Y = 534_000.0, 3_993_000.0


def values(result: Result) -> dict[str, Any]:
    return {name: value.value for name, value in result.values.items()}


def rows(result: Result, table: str = "buildings") -> list[dict[str, Any]]:
    found = result.tables[table]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


# -- the demo's old quarter ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quarter(demo_district: Path) -> tuple[Scene, dict[str, Any]]:
    """Return the survey of the old quarter, and the truth."""
    from plumbline.demo import load
    from plumbline.demo.project import project_content
    from plumbline.services.project import build_scene, load_entry

    district = load(demo_district)
    content = project_content(district)
    wanted = ("cloud", "buildings", "models", "terrain", "site", "photogrammetry")
    loaded = {
        entry.id: load_entry(entry, content.georeference, Feedback())
        for entry in content.layers
        if entry.id in wanted
    }
    return build_scene(content, loaded), json.loads(district.truth.read_text(encoding="utf-8"))


def demolish(scene: Scene, **params: Any) -> Result:
    asked = {"area": {"layer": "site"}, "footprints": ["buildings"], "surface": "cloud", **params}
    return api.run("volume.demolition", scene, asked)


def trees_on_site(truth: dict[str, Any]) -> np.ndarray[Any, Any]:
    site = shapely.union_all([shapely.Polygon(p) for p in truth["old_quarter"]["polygons"]])
    table = np.array(truth["trees"]["table"])
    return table[shapely.contains_xy(site, table[:, 0], table[:, 1])]


def test_the_old_quarter_comes_down_as_it_was_built(quarter: Any) -> None:
    scene, truth = quarter
    result = demolish(scene, ground="terrain", models="models")
    found, old = values(result), truth["old_quarter"]
    known = {b["id"]: b for b in truth["buildings"]}
    table = rows(result)
    assert sorted(row["number"] for row in table) == sorted(old["buildings"])
    for row in table:
        real = known[row["number"]]
        assert row["volume"] == pytest.approx(real["volume"], rel=0.02), row["number"]
        assert row["volume_solid"] == pytest.approx(real["volume"], rel=1e-3)
        assert row["volume_extruded"] == pytest.approx(real["volume"], rel=0.02)
        assert row["solid_method"] == "model"
        assert row["ground"] == pytest.approx(real["base"], abs=0.05)
        assert row["eaves_height"] == pytest.approx(real["eaves_height"], abs=0.1)
        assert row["ridge_height"] == pytest.approx(real["ridge_height"], abs=0.2)
        assert row["storeys"] == real["storeys"]
        assert row["coverage"] > 95
        assert row["volume_low"] <= row["volume"] <= row["volume_high"]
    assert found["volume"] == pytest.approx(old["volume"], rel=0.01)
    assert found["buildings"] == old["count"]
    assert found["footprint_area"] == pytest.approx(old["footprint_area"], rel=1e-6)
    assert found["floor_area"] == pytest.approx(old["floor_area"], rel=1e-6)
    assert abs(found["volume"] - old["volume"]) <= result.values["volume"].uncertainty * 2
    trees = trees_on_site(truth)
    tall = trees[trees[:, 3] >= 2]
    assert found["trees"] == pytest.approx(len(tall), rel=0.05)
    assert found["trees"] + found["shrubs"] == pytest.approx(len(trees), rel=0.05)
    assert found["canopy_volume"] == pytest.approx(trees[:, 6].sum(), rel=0.15)
    # Nothing stands there that the map does not have.
    assert (found["sheds"], found["walls"]) == (0, 0)


def some(scene: Scene) -> list[dict[str, Any]]:
    """Return every seventh building of the old quarter, so that a test takes a second."""
    features = scene["buildings"].data.features
    marked = features.index[features["拆除"] == "是"].astype(str)
    return [{"layer": "buildings", "entities": list(marked[::7])}]


@pytest.mark.parametrize("ground", ["auto", "ring_plane", "ring_tin", "ring_idw"])
def test_the_ground_may_come_from_points_or_rings(quarter: Any, ground: str) -> None:
    scene, truth = quarter
    result = demolish(scene, ground=ground, objects=False, footprints=some(scene))
    known = {b["id"]: b["volume"] for b in truth["buildings"]}
    assert len(rows(result)) == 13
    for row in rows(result):
        assert row["volume"] == pytest.approx(known[row["number"]], rel=0.02), row["number"]
    assert values(result)["ground_method"] == ("class2" if ground == "auto" else ground)


def test_photogrammetry_measures_them_too(quarter: Any) -> None:
    scene, truth = quarter
    result = demolish(
        scene, surface="photogrammetry", ground="terrain", objects=False, footprints=some(scene)
    )
    known = {b["id"]: b["volume"] for b in truth["buildings"]}
    for row in rows(result):
        assert row["volume"] == pytest.approx(known[row["number"]], rel=0.02), row["number"]


# -- Delft -----------------------------------------------------------------------------------------


def test_delft_blocks_agree_with_the_lidar_percentiles(real_data: Path) -> None:
    rd = CRS("EPSG:28992")
    scene = Scene(Georeference(rd, (84_000.0, 447_000.0, 0.0)))
    clouds = [
        api.load(real_data / "pointcloud" / "3dfier_ahn3" / f"ahn3_cropped_{n}.laz", crs=rd)[0]
        for n in (1, 2)
    ]
    points, classes = (
        np.concatenate([get(cloud.data) for cloud in clouds])
        for get in (lambda d: d.points, lambda d: d.attributes["classification"])
    )
    data = PointCloudData(points, {"classification": classes})
    scene.add(Layer("ahn3", "AHN3", LayerKind.POINTCLOUD, data, rd))
    bgt = api.load(real_data / "vector" / "delft_bgt" / "bgt_pand.sqlite")[0]
    scene.add(Layer("pand", "BGT", LayerKind.VECTOR, bgt.data, rd))
    result = api.run("volume.demolition", scene, surface="ahn3", footprints=["pand"], objects=False)
    # Percentiles of the class-6 points by footprint that another program took.
    file = real_data / "reference" / "delft" / "building_heights_lidar_vs_models.csv"
    with file.open(encoding="utf-8") as stream:
        known = {row["gml_id"]: row for row in csv.DictReader(stream)}
    names = bgt.data.features["gml_id"]
    assert len(rows(result)) == 160
    for mine, theirs in (("roof_p50", "p50_z_class6"), ("roof_p90", "p90_z_class6")):
        miss = [
            row[mine] - float(known[names[type(names.index[0])(row["id"])]][theirs])
            for row in rows(result)
            if row[mine] is not None and known[names[type(names.index[0])(row["id"])]][theirs]
        ]
        assert len(miss) > 130
        assert abs(float(np.median(miss))) <= 0.10
        assert float(np.median(np.abs(miss))) <= 0.15


# -- bodies with known volumes ---------------------------------------------------------------------


def slope(xy: Any) -> Any:
    """Return a hillside of 4 % to the east and 2 % to the north."""
    return 20 + 0.04 * xy[:, 0] + 0.02 * xy[:, 1]


def survey(seed: int = 1, *, classified: bool = True, bare: Any = None) -> Layer:
    """Return a cloud of 8 points per m² on 60 x 60 m with a house, a shed, a wall and a tree.

    The house is a gable of 12 x 8 m, eaves 5 m and ridge 8 m above a level floor at 22.0; the shed
    is 3 x 3 x 2.5 m, the wall 16 m long and 2 m high, the crown a ball of 4 m at 6 m.
    """
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 60, (8 * 3600, 2))
    z, kind = slope(xy), np.full(len(xy), 2)
    x, y = xy.T
    house = (x > 20) & (x < 32) & (y > 30) & (y < 38)
    z[house], kind[house] = 22 + 8 - 3 * np.abs(y[house] - 34) / 4, 6
    shed = (x > 45) & (x < 48) & (y > 10) & (y < 13)
    z[shed], kind[shed] = slope(xy[shed]) + 2.5, 6
    wall = (x > 10) & (x < 26) & (y > 20) & (y < 20.45)
    z[wall], kind[wall] = slope(xy[wall]) + 2.0, 6
    away = np.hypot(x - 48, y - 45)
    crown = away < 2
    z[crown] = slope(xy[crown]) + 4 + np.sqrt(4 - away[crown] ** 2)
    kind[crown] = 5
    points = np.column_stack([x + X, y + Y, z + rng.normal(0, 0.02, len(z))])
    kept = np.ones(len(points), bool) if bare is None else ~bare(xy)
    attributes = {"classification": kind[kept].astype(np.uint8)} if classified else {}
    data = PointCloudData(points[kept], attributes)
    return Layer("cloud", "cloud", LayerKind.POINTCLOUD, data, PLANE)


def outlines(*boxes: tuple[float, float, float, float], **columns: Any) -> Layer:
    shapes = [shapely.box(X + a, Y + b, X + c, Y + d) for a, b, c, d in boxes]
    data = VectorData(geopandas.GeoDataFrame(columns, geometry=shapes, crs=PLANE))
    return Layer("houses", "houses", LayerKind.VECTOR, data, PLANE)


HOUSE = (20.0, 30.0, 32.0, 38.0)
WHOLE = [[X + 2, Y + 2], [X + 58, Y + 2], [X + 58, Y + 58], [X + 2, Y + 58]]


def run(*layers: Layer, **params: Any) -> Result:
    scene = Scene(Georeference(PLANE, (X, Y, 0.0)))
    for layer in layers:
        scene.add(layer)
    return api.run("volume.demolition", scene, {"surface": "cloud", **params})


def house_volume() -> float:
    """Return the house's volume above the hillside under it, by the closed form of its mean."""
    ground = 20 + 0.04 * 26 + 0.02 * 34
    return 96 * (22 + 6.5 - ground)


def test_a_house_a_shed_a_wall_and_a_tree() -> None:
    result = run(
        survey(), outlines(HOUSE, 层数=[2], 结构=["砖混"]), area=WHOLE, footprints="houses"
    )
    found = values(result)
    (house,) = rows(result)
    assert house["volume"] == pytest.approx(house_volume(), rel=0.01)
    assert house["volume_solid"] == pytest.approx(house_volume(), rel=0.03)
    assert house["spread"] <= 0.03 * house["volume"]
    assert house["floor_area"] == pytest.approx(192)
    assert house["ridge_height"] - house["eaves_height"] == pytest.approx(3.0, abs=0.15)
    kinds = {row["kind"]: row for row in rows(result, "objects")}
    assert set(kinds) == {"shed", "wall"}
    assert kinds["shed"]["volume"] == pytest.approx(9 * 2.5, rel=0.2)
    assert kinds["shed"]["height"] == pytest.approx(2.5, abs=0.1)
    # The outermost of some 58 samples on the wall lie within a metre of its ends.
    assert kinds["wall"]["length"] == pytest.approx(16, abs=2)
    length = kinds["wall"]["length"]
    assert kinds["wall"]["volume"] == pytest.approx(length * 0.24 * 2, rel=0.03)
    assert (found["trees"], found["shrubs"]) == (1, 0)
    (tree,) = rows(result, "trees")
    assert math.hypot(tree["x"] - X - 48, tree["y"] - Y - 45) < 0.8
    assert tree["height"] == pytest.approx(6.0, abs=0.1)
    assert found["canopy_volume"] == pytest.approx(4 / 3 * math.pi * 8, rel=0.25)


def bridge_house() -> np.ndarray:
    """Return the triangles of a block of 12 x 8 m, 3 m to 9 m high over 22.0, on two piers."""
    import trimesh

    def block(x0: float, x1: float, z0: float, z1: float) -> np.ndarray:
        box = trimesh.creation.box(bounds=[[x0, 30, z0], [x1, 38, z1]])
        return np.asarray(box.triangles)

    # The passage between the piers is 6 m wide and 3 m high.
    return np.concatenate([block(20, 23, 18, 25), block(29, 32, 18, 25), block(20, 32, 25, 31)])


def models(corners: np.ndarray) -> Layer:
    points = corners.reshape(-1, 3) + [X, Y, 0]
    faces = np.arange(len(points)).reshape(-1, 3)
    data = MeshData(
        points,
        faces,
        elements=[Element("e", "e")],
        element_index=np.zeros(len(faces), dtype=np.int32),
    )
    return Layer("models", "models", LayerKind.MESH, data, PLANE)


def passage() -> tuple[float, float]:
    """Return air in the passage and the block with it, by the mean heights of the hillside."""
    floor = 20 + 0.04 * 26 + 0.02 * 34
    return 6 * 8 * (25 - floor), 12 * 8 * (31 - floor)


def test_air_under_an_overhang_is_named_and_counts_in_no_solid() -> None:
    cloud = survey()
    x, y = (cloud.data.points[:, :2] - [X, Y]).T
    house = (x > 20) & (x < 32) & (y > 30) & (y < 38)
    cloud.data.points[house, 2] = 31.0
    houses = outlines(HOUSE, 层数=[2])
    air, block = passage()
    result = run(cloud, houses, models(bridge_house()), footprints="houses", models="models",
                 objects=False)  # fmt: skip
    (row,) = rows(result)
    assert row["volume_2_5d"] == pytest.approx(block, rel=0.01)
    assert row["overhang_area"] == pytest.approx(48, rel=0.02)
    assert row["overhang_volume"] == pytest.approx(air, rel=0.02)
    assert row["volume_solid"] == pytest.approx(block - air, rel=0.01)
    assert (row["volume"], row["volume_from"]) == (row["volume_solid"], "solid")
    assert any("overhangs of 1 buildings" in text for text in result.warnings)
    # Nothing shows the lower sides without the model: neither air nor a claim that there is none.
    result = run(cloud, houses, footprints="houses", objects=False)
    (row,) = rows(result)
    assert (row["overhang_volume"], row["volume_from"]) == (None, "2_5d")


def test_a_mesh_shows_the_air_under_an_overhang_too() -> None:
    """Photogrammetry: a hillside, and the outer skin of the same house, open at its ends."""
    profile = np.array([(20, 18), (23, 18), (23, 25), (29, 25), (29, 18), (32, 18), (32, 31),
                        (20, 31)], float)  # fmt: skip
    p, q = profile, np.roll(profile, -1, axis=0)
    near, far = np.full(8, 30.0), np.full(8, 38.0)
    corners = [np.column_stack([at[:, 0], y, at[:, 1]]) for at in (p, q) for y in (near, far)]
    skin = np.concatenate([np.stack([corners[k] for k in three], 1)
                           for three in ((0, 1, 3), (0, 3, 2))])  # fmt: skip
    n = 121
    a, b = np.meshgrid(np.linspace(0, 60, n), np.linspace(0, 60, n), indexing="ij")
    ground = np.column_stack([a.ravel(), b.ravel(), slope(np.column_stack([a.ravel(), b.ravel()]))])
    k = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate([np.column_stack([k, k + n, k + n + 1]),
                            np.column_stack([k, k + n + 1, k + 1])])  # fmt: skip
    mesh = models(np.concatenate([ground[faces], skin]))
    mesh.id = "cloud"
    result = run(mesh, outlines(HOUSE, 层数=[2]), footprints="houses", objects=False,
                 ground="ring_plane")  # fmt: skip
    (row,) = rows(result)
    air, block = passage()
    assert row["overhang_volume"] == pytest.approx(air, rel=0.03)
    assert row["volume_2_5d"] == pytest.approx(block, rel=0.02)
    assert row["volume"] == row["volume_solid"] == pytest.approx(block - air, rel=0.05)


def test_without_footprints_the_survey_shows_the_buildings() -> None:
    result = run(survey(), area=WHOLE)
    (house,) = rows(result)
    assert house["footprint_area"] == pytest.approx(96, rel=0.06)
    assert house["volume"] == pytest.approx(house_volume(), rel=0.08)
    # Nobody stated its storeys: 5 m of eaves on the hillside, and that is said.
    assert house["storeys_from"].startswith("eaves")
    assert any("state no storeys" in warning for warning in result.warnings)


def test_without_classes_leaves_are_told_by_their_roughness() -> None:
    result = run(
        survey(classified=False), outlines(HOUSE, 层数=[2]), area=WHOLE, footprints="houses",
        ground="ring_plane",
    )  # fmt: skip
    (house,) = rows(result)
    assert house["volume"] == pytest.approx(house_volume(), rel=0.01)
    assert values(result)["ground_method"] == "ring_plane"
    assert "shed" in {row["kind"] for row in rows(result, "objects")}


def test_what_the_surface_did_not_cover_is_said() -> None:
    def hole(xy: Any) -> Any:
        return (xy[:, 0] > 26) & (xy[:, 0] < 33) & (xy[:, 1] > 29) & (xy[:, 1] < 39)

    result = run(survey(bare=hole), outlines(HOUSE, 层数=[2]), footprints="houses", objects=False)
    (house,) = rows(result)
    assert house["coverage"] == pytest.approx(100 * 6.75 / 12, abs=4)
    assert house["uncovered_area"] == pytest.approx(96 * 5.25 / 12, abs=4)
    assert any("uncovered" in warning for warning in result.warnings)


def test_factors_make_the_budget_and_can_be_replaced() -> None:
    changes = {
        "cost.demolish": 100.0, "cost.haul": 10.0, "debris.砖混": 2.0, "material.砖混": 0.5,
        "cost.survey": 0.0, "cost.trees": 0.0, "cost.walls": 0.0, "cost.reinstate": 0.0,
        "cost.management": 0.1, "cost.contingency": 0.05,
    }  # fmt: skip
    result = run(
        survey(), outlines(HOUSE, 层数=[2], 结构=["砖混"]), footprints="houses", objects=False,
        factors=changes,
    )  # fmt: skip
    found = values(result)
    assert found["debris"] == pytest.approx(384)
    assert found["material_volume"] == pytest.approx(96)
    plain = 192 * 100 + 384 * 10
    assert found["cost"] == pytest.approx(plain * 1.15)
    items = {row["item"]: row for row in rows(result, "budget")}
    assert items["demolish"]["source"] == "given with the request"
    assert items["management"]["quantity"] == pytest.approx(plain)
    groups = list(dict.fromkeys(row["group"] for row in rows(result, "budget")))
    assert groups == ["preparation", "demolition", "rebuilding", "other"]
    assumed = {row["name"] for row in rows(result, "factors") if row["assumption"]}
    assert "cost.demolish" not in assumed
    assert "storey_height" in assumed


def test_feet_are_metres_in_the_sheet() -> None:
    feet = CRS("EPSG:2994")
    cloud, houses = survey(), outlines(HOUSE, 层数=[2])
    cloud.data.points = (cloud.data.points - [X, Y, 0]) / 0.3048 + [637_000, 849_000, 0]
    moved = shapely.transform(
        houses.data.features.geometry.to_numpy(),
        lambda xy: (xy - [X, Y]) / 0.3048 + [637_000, 849_000],
    )
    houses.data.features = geopandas.GeoDataFrame({"层数": [2]}, geometry=moved, crs=feet)
    scene = Scene(Georeference(feet, (637_000.0, 849_000.0, 0.0)))
    for layer in (cloud, houses):
        layer.crs = feet
        scene.add(layer)
    if api.crs_units(feet).vertical == 1.0:
        cloud.data.points[:, 2] *= 0.3048
    result = api.run(
        "volume.demolition", scene, surface="cloud", footprints="houses", objects=False
    )
    (house,) = rows(result)
    assert house["footprint_area"] == pytest.approx(96, rel=1e-6)
    assert house["volume"] == pytest.approx(house_volume(), rel=0.01)


def test_bad_requests_are_refused_in_words() -> None:
    houses = outlines(HOUSE, 层数=[2])
    away = outlines((500, 500, 510, 510), 层数=[2])
    with pytest.raises(UsageError, match="Give an area or footprints"):
        run(survey(), houses)
    with pytest.raises(UsageError, match="no factor"):
        run(survey(), houses, footprints="houses", factors={"cost.bribe": 1.0})
    with pytest.raises(UsageError, match="negative"):
        run(survey(), houses, footprints="houses", factors={"cost.haul": -1.0})
    with pytest.raises(RefusedError, match="no points in the area"):
        run(survey(), away, footprints="houses")
    with pytest.raises(RefusedError, match="No footprint"):
        run(survey(), away, area=WHOLE, footprints="houses")
    with pytest.raises(RefusedError, match="no classes"):
        run(survey(classified=False), houses, footprints="houses", ground="class2")
    with pytest.raises(RefusedError, match="gives no heights"):
        run(survey(), houses, footprints="houses", ground="houses")
    only_roofs = survey()
    only_roofs.data.attributes["classification"][:] = 6
    with pytest.raises(RefusedError, match="no ground points"):
        run(only_roofs, houses, footprints="houses", ground="class2")


def test_a_footprint_off_the_surface_leaves_a_gap() -> None:
    result = run(
        survey(), outlines(HOUSE, (70, 30, 80, 40), 层数=[2, 2]), footprints="houses",
        objects=False,
    )  # fmt: skip
    off = rows(result)[1]
    assert off["volume"] is None
    assert off["coverage"] == 0
    assert any("a gap is left" in warning for warning in result.warnings)
    assert values(result)["volume"] == pytest.approx(house_volume(), rel=0.01)


def test_the_same_request_gives_the_same_bytes() -> None:
    from plumbline.analysis.store import document

    params = {"area": WHOLE, "footprints": "houses"}
    one, two = (run(survey(), outlines(HOUSE, 层数=[2]), **params) for _ in range(2))
    assert document(one)["values"] == document(two)["values"]
    assert one.tables == two.tables
    assert one.figures == two.figures


def test_what_a_scheme_takes_out_of_a_cloud_is_measured_no_more(quarter: Any) -> None:
    """Without its points a building has no volume; the others keep theirs."""
    scene, _ = quarter
    footprints = some(scene)
    gone = footprints[0]["entities"][0]
    cleared = removing(scene, api.Scheme("c", "C"), [api.EntityRef("buildings", gone)]).cleared
    asked = {
        "area": {"layer": "site"}, "footprints": footprints, "surface": "cloud",
        "ground": "terrain", "objects": False,
    }  # fmt: skip
    held = scene.schemes
    scene.set_schemes([*held, api.Scheme("c", "C", cleared=cleared)])
    try:
        before = rows(api.run("volume.demolition", scene, asked))
        request = api.AnalysisRequest("volume.demolition", asked, "c")
        after = {row["number"]: row for row in rows(api.run_request(request, scene))}
    finally:
        scene.set_schemes(held)
    (lost,) = [row for row in before if after[row["number"]]["volume"] != row["volume"]]
    assert lost["id"] == gone
    assert lost["coverage"] > 99
    now = after[lost["number"]]
    assert (now["volume"], now["samples"], now["coverage"]) == (None, 0, 0)
