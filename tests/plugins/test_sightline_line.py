"""Lines of sight against similar triangles, the curvature's formula and the demo's truth."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sightline_scenes import X, Y, bodies, box, held, terrain

from plumbline import api
from plumbline.api import (
    Element,
    Layer,
    LayerKind,
    MeshData,
    RefusedError,
    Result,
    Scene,
    UsageError,
)

EYE = [X, Y, 10.0]


def rows(result: Result, table: str = "targets") -> list[dict[str, Any]]:
    found = result.tables[table]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def line(scene: Scene, observer: Any, targets: Any, *obstacles: str, **params: Any) -> Result:
    return api.run(
        "sightline.line", scene, observer=observer, targets=targets, obstacles=obstacles, **params
    )


def wall(low: float, high: float, at: float = 50.0, name: str = "wall") -> dict[str, Any]:
    return {name: box((at, -20, low), (at + 2, 20, high), (X, Y, 0))}


def test_a_wall_hides_and_the_numbers_are_those_of_similar_triangles() -> None:
    scene = held(bodies(wall(0, 30)))
    (row,) = rows(line(scene, EYE, [[X + 100, Y, 20.0]], "city"))
    assert row["visible"] == 0
    assert (row["layer"], row["entity"], row["entities"]) == ("city", "wall", "wall")
    # The line climbs 0.1 m a metre: 15 m at the face of the wall, which is 15 m higher there.
    assert row["obstruction_x"] == pytest.approx(X + 50)
    assert row["obstruction_y"] == pytest.approx(Y)
    assert row["obstruction_z"] == pytest.approx(15.0)
    assert row["distance"] == pytest.approx(math.hypot(100, 10))
    assert row["obstruction_distance"] == pytest.approx(math.hypot(50, 5))
    assert row["lower_obstacle"] == pytest.approx(15.0)
    assert row["clearance"] == pytest.approx(-15.0)
    # Over the near edge: 20 m up in 50 m, 40 m in 100 m.
    assert row["raise_target"] == pytest.approx(30.0)
    (again,) = rows(line(scene, EYE, [[X + 100, Y, 20.0 + 30.0 + 1e-6]], "city"))
    assert again["visible"] == 1
    assert again["clearance"] == pytest.approx(0.0, abs=1e-6)


def test_a_free_line_has_the_least_height_over_what_lies_below() -> None:
    scene = held(bodies({**wall(0, 8), **wall(0, 12, 70, "roof")}))
    (row,) = rows(line(scene, EYE, [[X + 100, Y, 20.0]], "city"))
    assert row["visible"] == 1
    # 17 m over the near edge of the second, 12 m high; 7 m over the first.
    assert row["clearance"] == pytest.approx(5.0)
    assert (row["obstructing"], row["raise_target"], row["lower_obstacle"]) == (0, 0, 0)
    assert row["obstruction_x"] is None
    assert row["entity"] == ""


def test_every_entity_in_the_way_is_named_in_order() -> None:
    parts = {**wall(0, 30, 50, "a"), **wall(0, 18, 80, "b"), **wall(0, 5, 60, "low")}
    result = line(held(bodies(parts)), EYE, [[X + 100, Y, 20.0], [X + 40, Y, 9.0]], "city")
    (one, two), found = rows(result), rows(result, "obstructions")
    assert (one["visible"], two["visible"]) == (0, 1)
    assert one["entities"] == "a; b"
    assert one["obstructing"] == 2
    assert [(r["target"], r["entity"]) for r in found] == [(1, "a"), (1, "b")]
    assert [r["lower_by"] for r in found] == pytest.approx([15.0, 0.0], abs=1e-6)
    assert found[1]["x"] == pytest.approx(X + 80)
    assert one["lower_obstacle"] == pytest.approx(15.0)
    values = {name: value.value for name, value in result.values.items()}
    assert values == {"targets": 2, "visible_count": 1, "hidden_count": 1, "visible_share": 0.5}


def test_under_a_bridge_one_sees_and_through_it_not() -> None:
    scene = held(bodies(wall(15, 18, name="bridge")))
    targets = [[X + 100, Y, 10.0], [X + 100, Y, 22.0]]
    under, through = rows(line(scene, EYE, targets, "city"))
    assert (under["visible"], under["clearance"], under["raise_target"]) == (1, None, 0)
    assert through["visible"] == 0
    # 15.77 to 16.12 m inside it: it ends at 18 m, 8 m up in 50 m.
    assert through["raise_target"] == pytest.approx(16 - 12)
    assert through["lower_obstacle"] == pytest.approx(18 - (10 + 12 * 0.50))


def test_a_target_on_a_wall_or_a_roof_does_not_hide_itself() -> None:
    scene = held(bodies(wall(0, 30)))
    on_face, on_roof, behind = rows(
        line(scene, EYE, [[X + 50, Y, 12.0], [X + 50, Y, 30.0], [X + 52, Y, 12.0]], "city")
    )
    assert (on_face["visible"], on_roof["visible"], behind["visible"]) == (1, 1, 0)


def test_heights_are_above_the_surface_unless_the_point_has_a_z(tmp_path: Path) -> None:
    ground = terrain(tmp_path, np.full((100, 100), 5.0))
    scene = held(ground, bodies(wall(0, 30)))
    result = line(
        scene, [X, Y], [[X + 51, Y], [X + 51, Y, 40.0]], "terrain", "city", target_height=0.1
    )
    on_roof, high = rows(result)
    assert result.points[0] == pytest.approx((X, Y, 6.6))
    assert on_roof["distance"] == pytest.approx(math.hypot(51, 30.1 - 6.6))
    assert high["distance"] == pytest.approx(math.hypot(51, 40 - 6.6))
    assert (on_roof["visible"], high["visible"]) == (0, 1)
    # 23.4 m up in 50 m over the edge.
    assert on_roof["raise_target"] == pytest.approx(23.4 * 51 / 50 - 23.5)
    # Over the ground, 2 m from the eye: the wall lies within 2 m of the target.
    assert high["clearance"] == pytest.approx(6.6 + 33.4 * 2 / 51 - 5)


@pytest.mark.parametrize("kilometres", [1, 10, 50])
@pytest.mark.parametrize("refraction", [0.0, 0.13])
def test_the_round_earth_lowers_what_is_far_by_the_formula(
    kilometres: int, refraction: float
) -> None:
    """A wall in the middle of a level line: the chord passes d1 d2 (1 - k) / 2R under the level."""
    length = kilometres * 1000.0
    scene = held(bodies({"wall": box((length / 2 - 1, -20, -999), (length / 2, 20, 5.0), EYE)}))
    target = [X + length, Y, 10.0]
    (flat,) = rows(line(scene, EYE, [target], "city"))
    assert flat["lower_obstacle"] == pytest.approx(5.0, abs=1e-6)
    (bent,) = rows(line(scene, EYE, [target], "city", curvature=True, refraction=refraction))
    latitude = math.radians(api.Georeference.from_text("EPSG:4549").geographic(X, Y)[1])
    # WGS-like GRS 80 of CGCS2000, the Gaussian mean radius.
    a, e2 = 6_378_137.0, 0.006694380022901
    radius = a * math.sqrt(1 - e2) / (1 - e2 * math.sin(latitude) ** 2)
    bulge = (length / 2 - 1) * (length / 2 + 1) * (1 - refraction) / (2 * radius)
    near = (length / 2) ** 2 * (1 - refraction) / (2 * radius)
    assert bent["lower_obstacle"] == pytest.approx(5.0 + near, abs=1e-4)
    # Corners 20 m beside the line lie lower by 3e-5 m.
    # What is shown lies where it is, not where it appears.
    assert bent["obstruction_x"] == pytest.approx(X + length / 2 - 1)
    assert bent["obstruction_z"] == pytest.approx(10.0 - bulge, abs=1e-4)


def test_curvature_needs_the_earth() -> None:
    scene = held(bodies(wall(0, 30), crs=None), crs=None)
    (row,) = rows(line(scene, EYE, [[X + 100, Y, 20.0]], "city"))
    assert row["visible"] == 0
    with pytest.raises(RefusedError, match="no coordinate reference system"):
        line(scene, EYE, [[X + 100, Y, 20.0]], "city", curvature=True)


def test_feet_are_measured_in_metres() -> None:
    """EPSG:2994 counts international feet across and up."""
    foot = 0.3048
    corners, cells = box((50, -20, 0), (52, 20, 30))
    layer = Layer(
        "city",
        "city",
        LayerKind.MESH,
        MeshData(corners, cells, elements=[Element("wall", "")], element_index=np.zeros(12, int)),
        api.parse_crs("EPSG:2994"),
    )
    scene = held(layer, crs="EPSG:2994", origin=(0, 0, 0))
    (row,) = rows(line(scene, [0, 0, 10], [[100, 0, 20]], "city"))
    assert row["distance"] == pytest.approx(math.hypot(100, 10) * foot)
    assert row["obstruction_z"] == pytest.approx(15.0)
    assert row["raise_target"] == pytest.approx(30 * foot)


def test_plumb_lines_have_no_clearance() -> None:
    scene = held(bodies(wall(15, 18)))
    (row,) = rows(line(scene, [X + 51, Y, 10], [[X + 51, Y, 40]], "city"))
    assert (row["visible"], row["entity"]) == (0, "wall")
    assert row["clearance"] is None
    assert row["raise_target"] is None


def test_bad_places_are_refused_with_a_reason(tmp_path: Path) -> None:
    heights = np.full((100, 100), 5.0)
    heights[:10, :10] = np.nan
    ground = terrain(tmp_path, heights)
    scene = held(ground, bodies({"house": box((20, 20, 0), (40, 40, 30), (X, Y, 0))}))
    target = [[X + 100, Y, 20.0]]
    for observer, words in (
        ([X, Y, 4.0], r"lies 1\.00 m under the terrain"),
        ([X + 5000, Y], "no ground"),
        ([X - 480, Y + 480], "no ground"),
    ):
        with pytest.raises(RefusedError, match=words):
            line(scene, observer, target, "terrain", "city")
    with pytest.raises(RefusedError, match="no ground"):
        line(scene, EYE, [[X + 5000, Y]], "terrain")
    with pytest.raises(UsageError, match="observer itself"):
        line(scene, EYE, [EYE], "terrain")
    with pytest.raises(UsageError, match="finite"):
        line(scene, [X, Y, math.nan], target, "terrain")
    inside = line(scene, [X + 30, Y + 30, 12.0], target, "terrain", "city")
    assert any("lies inside “house”" in text for text in inside.warnings)
    assert rows(inside)[0]["visible"] == 0
    far = line(scene, EYE, [[X + 5000, Y, 20.0]], "terrain")
    assert any("outside of all obstacles" in text for text in far.warnings)


def test_the_same_question_is_answered_from_what_is_kept(tmp_path: Path) -> None:
    """A layer that changed is another layer, and the answer changes with it."""
    target = [[X + 100, Y, 20.0]]
    scene = held(bodies(wall(0, 30)))
    first = line(scene, EYE, target, "city")
    assert line(scene, EYE, target, "city").tables == first.tables
    other = line(held(bodies(wall(0, 12))), EYE, target, "city")
    assert rows(other)[0]["visible"] == 1


def test_the_drawn_lines_are_seen_up_to_the_obstruction() -> None:
    result = line(held(bodies(wall(0, 30))), EYE, [[X + 100, Y, 20.0], [X, Y + 9, 9.0]], "city")
    features = result.layers["sightlines"].data.features
    assert features["visible"].tolist() == [1, 0, 1]
    assert features["target"].tolist() == [1, 1, 2]
    lengths = [
        np.hypot(*np.diff(np.array(g.coords)[:, [0, 2]], axis=0)[0]) for g in features.geometry
    ]
    assert lengths[:2] == pytest.approx([math.hypot(50, 5)] * 2)


def test_the_truth_of_the_demo_holds(demo_district: Path) -> None:
    """Known pairs, free or blocked by a margin; depths by buildings and ground, by construction."""
    from plumbline.demo.layers import LAYERS

    truth = json.loads((demo_district / "truth.json").read_text(encoding="utf-8"))
    files = {one.id: one.path for one in LAYERS}
    scene = Scene(api.Georeference.from_text(truth["crs"], (*truth["bounds"][:2], 0.0)))
    named = ("terrain", "models", "tree_models")
    for name in named:
        scene.add(api.load(demo_district / files[name], layer_id=name)[0])
    pairs = truth["sightlines"]
    assert {pair["visible"] for pair in pairs} == {True, False}
    for pair in pairs:
        result = line(scene, pair["observer"], [pair["target"]], *named)
        (row,) = rows(result)
        assert bool(row["visible"]) == pair["visible"], pair["name"]
        assert row["distance"] == pytest.approx(pair["distance"], abs=1e-3)
        if pair["visible"]:
            assert row["clearance"] == pytest.approx(pair["clearance"], abs=0.5)
        else:
            # Deepest where a step of 0.2 m finds it; parapets stand a little higher.
            assert row["clearance"] <= pair["clearance"] + 0.5
            # One of the eyes is in a house: from there no height helps.
            inside = any("lies inside" in text for text in result.warnings)
            assert row["raise_target"] is None if inside else row["raise_target"] > 0
