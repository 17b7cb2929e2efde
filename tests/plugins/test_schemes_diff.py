"""Differences of schemes and city models, against construction and published city models."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
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
QUADS = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
SIDES = np.array([t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))])


def model(layer: str, *boxes: tuple[str, float, float, float, float, float], **more: Any) -> Layer:
    """Return a city model of boxes: id, x, y, length, depth, height."""
    corners = [[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)]
    vertices = [
        np.array(corners) * [dx, dy, h] + [X + x, Y + y, 5.0] for _, x, y, dx, dy, h in boxes
    ]
    data = MeshData(
        np.concatenate(vertices),
        np.concatenate([SIDES + 8 * n for n in range(len(boxes))]),
        elements=[Element(b[0], "Building", properties={"g": dict(more)}) for b in boxes],
        element_index=np.repeat(np.arange(len(boxes)), 12),
    )
    return Layer(layer, layer, LayerKind.MESH, data, PLANE)


def outlines(layer: str, *boxes: tuple[str, float, float, float, float, float]) -> Layer:
    features = geopandas.GeoDataFrame(
        {"h": [b[5] for b in boxes]},
        geometry=[
            shapely.box(X + x, Y + y, X + x + dx, Y + y + dy) for _, x, y, dx, dy, _ in boxes
        ],
        crs=PLANE,
        index=[b[0] for b in boxes],
    )
    style = LayerStyle(extrude="h")
    return Layer(layer, layer, LayerKind.VECTOR, VectorData(features), PLANE, style=style)


def diff(*layers: Layer, schemes: Any = (), **params: Any) -> Result:
    scene = Scene(Georeference(PLANE, (X, Y, 0.0)))
    for layer in layers:
        scene.add(layer)
    scene.set_schemes(schemes)
    return api.run("schemes.diff", scene, {"a": "a", "b": "b", **params})


def counts(result: Result) -> tuple[Any, ...]:
    names = ("added", "removed", "changed", "unchanged")
    return tuple(result.values[name].value for name in names)


def rows(result: Result) -> dict[str, dict[str, Any]]:
    table = result.tables["changes"]
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_each_kind_of_change_is_named() -> None:
    before = model(
        "a", ("same", 0, 0, 10, 8, 6), ("taller", 20, 0, 10, 8, 6), ("longer", 40, 0, 10, 8, 6),
        ("moved", 60, 0, 10, 8, 6), ("gone", 80, 0, 10, 8, 6),
    )  # fmt: skip
    after = model(
        "b", ("same", 0, 0, 10, 8, 6), ("taller", 20, 0, 10, 8, 9), ("longer", 40, 0, 14, 8, 6),
        ("moved", 63, 4, 10, 8, 6), ("new", 100, 0, 5, 4, 3),
    )  # fmt: skip
    result = diff(before, after)
    found = rows(result)
    assert counts(result) == (1, 1, 3, 1)
    assert result.values["moved"].value == 2
    assert {name: row["change"] for name, row in found.items()} == {
        "same": "unchanged", "taller": "changed", "longer": "changed", "moved": "changed",
        "gone": "removed", "new": "added",
    }  # fmt: skip
    assert found["taller"]["height_before"] == pytest.approx(6.0)
    assert found["taller"]["height_after"] == pytest.approx(9.0)
    assert found["taller"]["volume_after"] == pytest.approx(720.0)
    assert found["taller"]["differs"] == "height; volume"
    assert found["taller"]["top_after"] == pytest.approx(14.0)
    assert found["longer"]["footprint_after"] == pytest.approx(112.0)
    assert found["longer"]["overlap"] == pytest.approx(80 / 112)
    assert found["moved"]["moved"] == pytest.approx(5.0)
    assert found["moved"]["differs"] == "moved"
    assert found["gone"]["height_after"] is None
    assert found["new"]["volume_before"] is None


def test_ids_that_say_nothing_leave_it_to_the_outlines() -> None:
    before = model("a", ("1", 0, 0, 10, 8, 6), ("2", 40, 0, 12, 8, 6))
    after = model("b", ("x", 40, 0, 12, 8, 9), ("y", 1, 0, 10, 8, 6), ("z", 80, 0, 6, 6, 3))
    result = diff(before, after)
    assert counts(result) == (1, 0, 2, 0)
    found = rows(result)
    assert [found[n]["id_after"] for n in ("1", "2")] == ["y", "x"]
    assert {found[n]["matched"] for n in ("1", "2")} == {"geometry"}


def test_a_house_of_the_same_shape_next_door_has_moved() -> None:
    before = model("a", ("1", 0, 0, 12, 8, 6))
    result = diff(before, model("b", ("9", 14, 0, 12, 8, 6)))
    assert counts(result) == (0, 0, 1, 0)
    assert rows(result)["1"]["moved"] == pytest.approx(14.0)
    # Farther away than it is long it is another house.
    far = diff(before, model("b", ("9", 30, 0, 12, 8, 6)))
    assert counts(far) == (1, 1, 0, 0)


@pytest.mark.parametrize(("tolerance", "expected"), [(0.05, "changed"), (0.2, "unchanged")])
def test_the_tolerance_decides(tolerance: float, expected: str) -> None:
    result = diff(
        model("a", ("1", 0, 0, 10, 8, 6)),
        model("b", ("1", 0.1, 0, 10, 8, 6.1)),
        tolerance=tolerance,
    )
    assert rows(result)["1"]["change"] == expected


def test_attributes_differ_by_meaning_and_not_by_single_precision() -> None:
    box = ("1", 0.0, 0.0, 10.0, 8.0, 6.0)
    same = diff(
        model("a", box, h=13.35, use="shop"), model("b", box, h=13.3500003814697, use="shop")
    )
    assert counts(same) == (0, 0, 0, 1)
    other = diff(model("a", box, h=13.35, use="shop"), model("b", box, h=13.4, use="shop", new=1))
    assert rows(other)["1"]["attributes"] == "h; new"
    assert rows(other)["1"]["change"] == "changed"


def test_outlines_with_heights_are_compared_with_a_model() -> None:
    box = ("1", 0.0, 0.0, 10.0, 8.0, 6.0)
    found = rows(diff(outlines("a", box), model("b", box)))["1"]
    assert found["volume_before"] == pytest.approx(480.0)
    assert found["volume_after"] == pytest.approx(480.0)
    assert found["height_difference"] == pytest.approx(0.0)


def test_schemes_are_compared_by_what_they_hide_and_add() -> None:
    old = model("old", ("1", 0, 0, 10, 8, 6), ("2", 20, 0, 10, 8, 6), ("3", 40, 0, 10, 8, 6))
    new_a = model("new_a", ("t", 0, 0, 10, 8, 30))
    new_b = model("new_b", ("t", 0, 0, 10, 8, 18))
    schemes = [
        Scheme("A", "A", hidden=(EntityRef("old", "1"),), layers=("new_a",)),
        Scheme("B", "B", hidden=(EntityRef("old", "1"), EntityRef("old", "2")), layers=("new_b",)),
    ]
    layers = (old, new_a, new_b)
    between = diff(*layers, schemes=schemes, a="A", b="B")
    assert counts(between) == (0, 1, 1, 1)
    assert rows(between)["2"]["change"] == "removed"
    assert rows(between)["t"]["height_difference"] == pytest.approx(-12.0)
    # The tower stands where house 1 stood: it is that house, grown.
    grown = diff(*layers, schemes=schemes, a="baseline", b="A")
    assert counts(grown) == (0, 0, 1, 2)
    assert rows(grown)["1"]["id_after"] == "t"


def test_feet_are_metres_in_the_table() -> None:
    feet = CRS("EPSG:2994")
    scene = Scene(Georeference(feet, (637_000.0, 849_000.0, 0.0)))
    for name, tall in (("a", 10.0), ("b", 20.0)):
        layer = model(name, ("1", 0, 0, 100, 100, tall))
        assert isinstance(layer.data, MeshData)
        layer.data.vertices += [637_000 - X, 849_000 - Y, 0]
        layer.crs = feet
        scene.add(layer)
    found = rows(api.run("schemes.diff", scene, a="a", b="b"))["1"]
    assert found["footprint_before"] == pytest.approx((100 * 0.3048) ** 2, rel=1e-6)
    vertical = api.crs_units(feet).vertical
    assert found["height_difference"] == pytest.approx(10 * vertical, rel=1e-6)


def test_two_entities_with_one_id_are_refused() -> None:
    twice = model("b", ("1", 0, 0, 10, 8, 6), ("1", 20, 0, 10, 8, 6))
    with pytest.raises(RefusedError, match="two entities"):
        diff(model("a", ("1", 0, 0, 10, 8, 6)), twice)


def test_what_cannot_be_compared_is_said() -> None:
    box = ("1", 0.0, 0.0, 10.0, 8.0, 6.0)
    with pytest.raises(UsageError, match="same"):
        diff(model("a", box), b="a")
    with pytest.raises(UsageError, match="There is no layer “c”"):
        diff(model("a", box), b="c")
    points = geopandas.GeoDataFrame(geometry=[shapely.Point(X, Y)], crs=PLANE)
    with pytest.raises(RefusedError, match="no outlines"):
        diff(model("a", box), Layer("b", "b", LayerKind.VECTOR, VectorData(points), PLANE))


def loaded(scene: Scene, **files: Path) -> Scene:
    for name, path in files.items():
        scene.add(api.load(path, layer_id=name)[0])
    return scene


def test_rotterdam_misses_exactly_one_building(real_data: Path) -> None:
    folder = real_data / "citymodel" / "versions_rotterdam"
    scene = loaded(Scene(), a=folder / "initial.json", b=folder / "initial_deleted_building.json")
    result = api.run("schemes.diff", scene, a="a", b="b")
    assert counts(result) == (0, 1, 0, 852)
    gone = [row for row in rows(result).values() if row["change"] != "unchanged"]
    assert [row["id"] for row in gone] == ["{0D6F0F6D-F2B9-4039-B579-A46334C77B88}"]


def test_delft_gives_160_pairs_with_height_differences(real_data: Path) -> None:
    models = {
        "a": real_data / "citymodel" / "cjio" / "delft.json",
        "b": real_data / "mesh" / "3dfier_output" / "testarea.json",
    }
    first = api.load(models["a"])[0]
    result = api.run("schemes.diff", loaded(Scene(Georeference(first.crs)), **models), a="a", b="b")
    assert result.values["pairs"].value == 160
    assert counts(result)[:2] == (0, 0)
    # Tops that another program read off both files (see the folder's own notes).
    table = real_data / "reference" / "delft" / "building_heights_lidar_vs_models.csv"
    with table.open(encoding="utf-8") as stream:
        known = {row["gml_id"]: row for row in csv.DictReader(stream)}
    found = rows(result)
    assert len(known) == 160
    for name, row in known.items():
        assert found[name]["top_before"] == pytest.approx(float(row["delft.json_zmax"]), abs=0.011)
        after = float(row["3dfier_testarea.json_zmax"])
        assert found[name]["top_after"] == pytest.approx(after, abs=0.011)


def test_the_demo_clears_the_old_quarter(demo_scene: Any) -> None:
    scene, truth = demo_scene
    result = api.run("schemes.diff", scene, a="baseline", b="A")
    gone = {row["id"] for row in rows(result).values() if row["change"] == "removed"}
    replaced = {r["id"] for r in rows(result).values() if r["matched"] == "geometry"}
    assert gone | replaced == set(truth["old_quarter"]["buildings"])
    added = [r for r in rows(result).values() if r["change"] == "added" or r["id"] in replaced]
    assert len(added) == len(truth["schemes"]["A"]["buildings"])


def test_a_stored_comparison_of_schemes_replays(demo_scene: Any, tmp_path: Path) -> None:
    from plumbline.analysis.replay import replay
    from plumbline.analysis.runner import needed_layers
    from plumbline.analysis.store import write_result

    scene, _ = demo_scene
    params = {"a": "A", "b": "B"}
    needed = set(needed_layers("schemes.diff", params, scene))
    assert needed == {"scheme_A", "scheme_B", "models", "buildings"}
    result = api.run("schemes.diff", scene, params)
    assert [scheme["id"] for scheme in result.provenance["schemes_read"]] == ["A", "B"]
    again, differences = replay(write_result(result, tmp_path / "result"))
    assert differences == []
    assert counts(again) == counts(result)
