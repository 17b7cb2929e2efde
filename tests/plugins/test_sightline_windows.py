"""Who sees a route: windows, facades and roofs whose lines of sight follow from plane geometry."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from sightline_scenes import X, Y, bodies, box, held, terrain

from plumbline import api
from plumbline.api import (
    Layer,
    LayerKind,
    RefusedError,
    Result,
    Scene,
    UsageError,
    VectorData,
)

AT = (X, Y, 0.0)
IFC = {"wall": "IfcWall", "front": "IfcWindow", "back": "IfcWindow", "side": "IfcWindow"}


def windows(scene: Scene, **params: Any) -> Result:
    given = {"obstacles": ["house"], "windows": ["house"], **params}
    return api.run("sightline.windows", scene, **given)


def rows(result: Result) -> list[dict[str, Any]]:
    table = result.tables["windows"]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def house(**more: Any) -> Scene:
    """Return a house 20 m north of the x axis with windows in three of its walls."""
    parts = {
        "wall": box((-10, 20, 0), (10, 30, 9), AT),
        "front": box((-1, 19.95, 4), (1, 20.05, 5.5), AT),
        "back": box((-1, 29.95, 4), (1, 30.05, 5.5), AT),
        "side": box((9.95, 24, 4), (10.05, 26, 5.5), AT),
    }
    scene = held(bodies(parts, "house", classes=IFC))
    if more:
        scene.add(bodies(more, "city"))
    return scene


def test_only_windows_that_face_it_see_a_place() -> None:
    result = windows(house(), point=[X, Y, 1.5])
    found = rows(result)
    assert [row["entity"] for row in found] == ["front"]
    assert found[0]["kind"] == "window"
    assert found[0]["nearest"] == pytest.approx(math.hypot(20, 4.75 - 1.5))
    assert found[0]["elevation"] == pytest.approx(math.degrees(math.atan2(3.25, 20)))
    assert result.values["windows"].value == 1
    # From the south-east both the front and the side.
    east = rows(windows(house(), point=[X + 30, Y, 1.5]))
    assert {row["entity"] for row in east} == {"front", "side"}
    assert not rows(windows(house(), point=[X, Y, 1.5], range=19))


def test_a_wall_hides_a_known_part_of_the_route() -> None:
    # An eye at (0, 19.5), a screen along y = 10 from x = 0 eastwards, the route along y = 0.
    scene = house(screen=box((0, 9.9, 0), (60, 10.1, 30), AT))
    route = [[X - 40, Y, 1.5], [X + 40, Y, 1.5]]
    result = windows(scene, obstacles=["house", "city"], route=route, spacing=1.0)
    front = next(row for row in rows(result) if row["entity"] == "front")
    # It sees the western half up to the screen's edge, seen at x = 0.
    assert front["length_seen"] == pytest.approx(40.0, abs=1.0)
    assert result.values["length"].value == pytest.approx(80.0)
    assert result.values["places"].value == 81
    free = windows(house(), route=route, spacing=1.0)
    assert rows(free)[0]["length_seen"] == pytest.approx(80.0)
    places = result.tables["places"]
    seen_by = [row[places.columns.index("seen_by")] for row in places.rows]
    assert seen_by[:40] == [1] * 40
    assert seen_by[42:70] == [0] * 28


def test_points_of_windows_look_from_outside_of_the_facade() -> None:
    scene = house()
    frame = gpd.GeoDataFrame(
        {"name": ["south", "north"]},
        geometry=[shapely.Point(X, Y + 20, 5), shapely.Point(X, Y + 30, 5)],
        index=["w1", "w2"],
        crs="EPSG:4549",
    )
    layer = Layer("points", "points", LayerKind.VECTOR, VectorData(frame, has_z=True))
    layer.crs = scene.georeference.crs
    scene.add(layer)
    found = rows(windows(scene, windows=["points"], point=[X, Y, 1.5]))
    assert [row["entity"] for row in found] == ["w1"]


def test_facades_and_roofs_are_counted_by_entity(tmp_path: Path) -> None:
    scene = held(
        terrain(tmp_path, np.zeros((100, 100))),
        bodies(
            {
                "near": box((-10, 20, -1), (10, 30, 6), AT),
                "far": box((-10, 60, -1), (10, 70, 30), AT),
                "hidden": box((-3, 40, -1), (3, 45, 3), AT),
            }
        ),
    )
    result = api.run(
        "sightline.windows",
        scene,
        obstacles=["terrain"],
        facades=["city"],
        point=[X, Y],
        target_height=0.5,
        facade_spacing=1,
    )
    found = {(row["kind"], row["entity"]): row for row in rows(result)}
    assert set(found) == {("facade", "near"), ("roof", "near"), ("facade", "far"), ("roof", "far")}
    # The front alone is free, 20 of 60 m of walls, and 6 of its 7 m stand above the ground.
    assert found[("facade", "near")]["share"] == pytest.approx(6 / 7 / 3, abs=0.01)
    # The near house hides the far wall up to 0.5 + 5.5 * 60 / 20 = 17 m.
    assert found[("facade", "far")]["share"] == pytest.approx(13 / 31 / 3, abs=0.01)
    assert result.values["roofs"].value == 2
    assert len(result.layers["lookouts"].data.features) == 4  # type: ignore[union-attr]


def test_a_route_that_is_none_is_refused() -> None:
    scene = house()
    for params, error, text in (
        ({}, UsageError, "either a route or a place"),
        ({"point": [X, Y, 1], "route": [[X, Y, 1], [X, Y, 2]]}, UsageError, "either a route"),
        ({"point": [X, Y, 1], "windows": None}, UsageError, "Give windows or facades"),
        ({"point": [X, Y, 1], "range": 0}, UsageError, "greater than 0"),
        ({"point": [X, Y + 25, 1]}, RefusedError, "inside “wall”"),
    ):
        with pytest.raises(error, match=text):
            windows(scene, **params)
    wide = held(bodies({"hall": box((-1e4, 50, 0), (1e4, 1e4, 50), AT)}))
    with pytest.raises(RefusedError, match="million points"):
        windows(wide, obstacles=["city"], windows=None, facades=["city"], point=[X, Y, 1.5])
    scene.add(bodies({"block": box((0, 0, 0), (1, 1, 1), AT)}))
    with pytest.raises(RefusedError, match="holds no windows"):
        windows(scene, windows=["city"], point=[X, Y, 1.5])
