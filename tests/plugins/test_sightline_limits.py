"""Height control against arithmetic, and highest points against hills of known prominence."""

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
    GridData,
    Layer,
    LayerKind,
    MeshData,
    RefusedError,
    Result,
    Scene,
    UsageError,
    VectorData,
)

AT = (X, Y, 0.0)
SQUARE = [[X - 50, Y - 50], [X + 50, Y - 50], [X + 50, Y + 50], [X - 50, Y + 50]]


def limit(scene: Scene, *surfaces: dict[str, Any], **params: Any) -> Result:
    given = {"obstacles": ["city"], "surfaces": surfaces, **params}
    return api.run("sightline.height_limit", scene, **given)


def exceedances(result: Result) -> dict[tuple[str, str], float]:
    table = result.tables["exceedances"]
    assert table.columns[:5] == ("entity", "name", "layer", "surface", "exceedance")
    return {(row[0], row[3]): row[4] for row in table.rows}


def towers(**heights: float) -> Scene:
    """Return blocks 10 m square, their south-west corners 100 m apart along the x axis."""
    parts = {
        name: box((100 * n, 0, 0), (100 * n + 10, 10, top), AT)
        for n, (name, top) in enumerate(heights.items())
    }
    return held(bodies(parts))


def test_a_zone_says_who_is_too_high_and_by_how_much() -> None:
    scene = towers(low=20, high=31)
    wide = [[X - 5, Y - 5], [X + 400, Y - 5], [X + 400, Y + 50], [X - 5, Y + 50]]
    result = limit(scene, {"kind": "zone", "polygon": wide, "height": 24, "name": "old town"})
    assert exceedances(result) == {("high", "old town"): pytest.approx(7.0)}
    assert result.values["exceeding"].value == 1
    assert result.values["area"].value == pytest.approx(405 * 55, rel=0.03)
    assert result.values["lowest_limit"].value == pytest.approx(24.0)
    # A zone that reaches over a corner of the tower still meets it, one beside it does not.
    corner = [[X + 109, Y + 9], [X + 150, Y + 9], [X + 150, Y + 50]]
    beside = [[X + 111, Y + 9], [X + 150, Y + 9], [X + 150, Y + 50]]
    assert limit(scene, {"kind": "zone", "polygon": corner, "height": 24}).values[
        "exceeding"
    ].value == (1)
    assert limit(scene, {"kind": "zone", "polygon": beside, "height": 24}).values[
        "exceeding"
    ].value == (0)


def test_an_approach_surface_rises_and_widens() -> None:
    # ICAO Annex 14, code 4 instrument approach, first section: 2 % slope, inner edge 300 m wide,
    # divergence 15 % each side. At 1000 m: limit 20 m above the threshold, half width 300 m.
    scene = held(
        bodies(
            {
                "inside": box((290, 1000, 0), (299, 1010, 25), AT),
                "outside": box((305, 1000, 0), (315, 1010, 25), AT),
                "under": box((0, 1000, 0), (10, 1010, 19.9), AT),
            }
        )
    )
    strip = {
        "kind": "corridor",
        "start": [X, Y],
        "end": [X, Y + 3000],
        "width": 300,
        "width_end": 1200,
        "height": 0,
        "slope": 0.02,
    }
    found = exceedances(limit(scene, strip, cell_size=20))
    assert found == {("inside", "corridor 1"): pytest.approx(5.0)}


def test_a_cone_rises_with_the_distance_and_keeps_to_its_sector() -> None:
    # Conical surface: 45 m at 4000 m, 5 % slope. Towers at 5000 m true east and true west.
    scene = held(bodies({"n": box((-5, 5000, 0), (5, 5010, 100), AT)}))
    turn = scene.georeference.convergence(X, Y)
    conical = {"kind": "cone", "center": [X, Y], "height": 45, "slope": 0.05}
    conical |= {"radius_from": 4000, "radius_to": 6000}
    found = exceedances(limit(scene, conical, cell_size=50))
    assert found[("n", "cone 1")] == pytest.approx(100 - (45 + 0.05 * 1000), abs=0.002)
    # The tower lies 0.1° about grid north: its true azimuth is the convergence.
    near = conical | {"azimuth_from": turn - 0.01, "azimuth_to": turn + 0.01}
    assert exceedances(limit(scene, near, cell_size=50))
    away = conical | {"azimuth_from": turn + 0.1, "azimuth_to": turn + 350}
    assert not exceedances(limit(scene, away, cell_size=50))


def test_a_plane_is_what_its_corners_say() -> None:
    scene = towers(a=20, b=20, c=20)
    plane = [[X - 10, Y - 10, 0], [X + 400, Y - 10, 41], [X + 400, Y + 50, 41], [X - 10, Y + 50, 0]]
    found = exceedances(limit(scene, {"kind": "plane", "polygon": plane}))
    # z = (x + 10) / 10, lowest at the western wall of each tower.
    assert found == {
        ("a", "plane 1"): pytest.approx(19.0),
        ("b", "plane 1"): pytest.approx(9.0),
    }


def test_the_raster_takes_the_lowest_of_all(tmp_path: Path) -> None:
    slope = np.arange(100)[None, :] * 0.5 + np.zeros((100, 100))  # rises eastwards, 0.05 per metre
    scene = held(terrain(tmp_path, slope), bodies({"t": box((0, 0, 20), (10, 10, 60), AT)}))
    zone = {"kind": "zone", "polygon": SQUARE, "height": 12, "above": "ground"}
    cap = {"kind": "zone", "polygon": SQUARE, "height": 36.0}
    result = limit(scene, zone, cap, cell_size=10, ground="terrain")
    data = result.layers["limit"].data
    assert isinstance(data, GridData)
    assert data.heights
    a, _, c, *_ = data.transform
    x = c + (np.arange(data.values.shape[1]) + 0.5) * a - X
    ground = (x + 500 - 5) * 0.05
    row = data.values[data.values.shape[0] // 2]
    inside = np.isfinite(row)
    assert row[inside] == pytest.approx(np.minimum(ground + 12, 36.0)[inside])
    found = exceedances(result)
    # Ground at the west wall: 495 m from the first cell centre, 24.75 m.
    assert found[("t", "zone 1")] == pytest.approx(60 - (24.75 + 12))
    assert found[("t", "zone 2")] == pytest.approx(24.0)
    assert result.tables["exceedances"].rows[0][3] == "zone 2"
    surfaces = result.layers["surfaces"].data
    assert isinstance(surfaces, MeshData)
    assert [element.name for element in surfaces.elements] == ["zone 2"]


def test_zones_come_from_a_layer_with_an_attribute() -> None:
    frame = gpd.GeoDataFrame(
        {"限高": [24, 12, None]},
        geometry=[
            shapely.box(X - 5, Y - 5, X + 50, Y + 50),
            shapely.box(X + 90, Y - 5, X + 150, Y + 50),
            shapely.box(X + 190, Y - 5, X + 250, Y + 50),
        ],
        crs="EPSG:4549",
    )
    scene = towers(a=20, b=20, c=20)
    scene.add(Layer("plan", "plan", LayerKind.VECTOR, VectorData(frame), scene.georeference.crs))
    zones = {"kind": "zones", "layer": "plan", "attribute": "限高"}
    result = limit(scene, zones)
    assert exceedances(result) == {("b", "zones 1"): pytest.approx(8.0)}
    assert [row["id"] for row in result.provenance["inputs"]] == ["city", "plan"]
    with pytest.raises(RefusedError, match="has a number in “height”"):
        limit(scene, zones | {"attribute": "height"})


def test_limits_that_are_none_are_refused() -> None:
    scene = towers(a=20)
    line = [[X, Y], [X + 1, Y], [X + 2, Y]]
    zone = {"kind": "zone", "height": 5}
    for surface, error, text in (
        (zone | {"polygon": line}, RefusedError, "no area"),
        (zone | {"polygon": SQUARE, "above": "ground"}, UsageError, "need a terrain"),
        (zone | {"polygon": SQUARE, "above": "sea"}, UsageError, "surfaces"),
        ({"kind": "plane", "polygon": SQUARE}, RefusedError, "need heights"),
        ({"kind": "dome"}, UsageError, "surfaces"),
        # So steep and large a cone would be made of a hundred million pieces.
        (
            {"kind": "cone", "center": [X, Y], "height": 1, "slope": 1e6, "radius_to": 1e6},
            UsageError,
            "surfaces",
        ),
        (
            {"kind": "corridor", "start": [X, Y], "end": [X + 9, Y], "width": 1e9, "height": 1},
            RefusedError,
            "million cells",
        ),
        (
            {"kind": "cone", "center": [X, Y], "height": 1, "radius_from": 5, "radius_to": 5},
            RefusedError,
            "no area on the map",
        ),
        (
            {"kind": "corridor", "start": [X, Y], "end": [X, Y], "width": 5, "height": 1},
            RefusedError,
            "no area on the map",
        ),
    ):
        with pytest.raises(error, match=text):
            limit(scene, surface)
    with pytest.raises(UsageError, match="surfaces"):
        limit(scene)
    assert math.isfinite(limit(scene, zone | {"polygon": SQUARE}).values["area"].value)  # type: ignore[arg-type]


# -- high points -------------------------------------------------------------------------------


def highpoints(scene: Scene, *obstacles: str, **params: Any) -> Result:
    return api.run("sightline.highpoints", scene, obstacles=obstacles, **params)


def rows(result: Result) -> list[dict[str, Any]]:
    table = result.tables["points"]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def two_hills(folder: Path) -> Layer:
    """Return cones of slope 1/2 with tops 80 m and 60 m high, 100 m apart, on a plain at 20 m."""
    x = np.arange(100)[None, :] * 10.0 + 5 - 500
    y = 500 - np.arange(100)[:, None] * 10.0 - 5
    one, two = (top - np.hypot(x - at, y - 5) / 2 for top, at in ((80, -95), (60, 5)))
    return terrain(folder, np.maximum(np.maximum(one, two), 20.0))


def test_hills_are_ranked_by_what_they_stand_out(tmp_path: Path) -> None:
    found = rows(highpoints(held(two_hills(tmp_path)), "terrain", cell_size=10))
    assert [(row["kind"], row["z"]) for row in found] == [
        ("ground", pytest.approx(80)),
        ("ground", pytest.approx(60)),
    ]
    # The cones meet at (80 + 60 - 100 / 2) / 2 = 45 m.
    assert found[1]["prominence"] == pytest.approx(15.0, abs=0.01)
    assert found[0]["prominence"] == pytest.approx(60.0, abs=0.01)
    assert (found[1]["x"] - X, found[1]["y"] - Y) == pytest.approx((5, 5))
    assert found[1]["saddle_z"] == pytest.approx(45, abs=0.01)


def test_a_spire_narrower_than_a_cell_is_found_exactly(tmp_path: Path) -> None:
    points = np.array([(200.3, 100, 20), (201.3, 100, 20), (200.8, 101, 20), (200.8, 100.4, 77.7)])
    spire = (points + AT, np.array([(0, 1, 3), (1, 2, 3), (2, 0, 3)]))
    scene = held(
        two_hills(tmp_path),
        bodies({"spire": spire, "block": box((-300, -200, 0), (-270, -170, 50), AT)}),
    )
    result = highpoints(scene, "terrain", "city", cell_size=5, rank_by="height")
    found = rows(result)
    assert [row["entity"] for row in found] == ["", "spire", "", "block"]
    assert [row["rank"] for row in found] == [1, 2, 3, 4]
    spire_row = found[1]
    assert (spire_row["x"] - X, spire_row["y"] - Y, spire_row["z"]) == pytest.approx(
        (200.8, 100.4, 77.7)
    )
    assert spire_row["kind"] == "roof"
    assert spire_row["prominence"] == pytest.approx(57.7)
    assert spire_row["height_above_ground"] == pytest.approx(57.7)
    assert result.values["highest"].value == pytest.approx(80)
    by_prominence = rows(highpoints(scene, "terrain", "city", cell_size=5, count=2))
    assert [row["z"] for row in by_prominence] == pytest.approx([80, 77.7])
    features = result.layers["points"].data
    assert isinstance(features, VectorData)
    assert features.features["rank"].tolist() == [1, 2, 3, 4]


def test_only_the_area_counts(tmp_path: Path) -> None:
    scene = held(two_hills(tmp_path))
    around = [[X - 40, Y - 50], [X + 50, Y - 50], [X + 50, Y + 50], [X - 40, Y + 50]]
    found = rows(highpoints(scene, "terrain", area=around, cell_size=10))
    assert [row["z"] for row in found] == pytest.approx([60])
    assert highpoints(scene, "terrain", area=around, min_prominence=50).warnings
    far = [[X + 5000, Y], [X + 5100, Y], [X + 5100, Y + 100]]
    with pytest.raises(RefusedError, match="outside of the layers"):
        highpoints(scene, "terrain", area=far)
    with pytest.raises(RefusedError, match="no area"):
        highpoints(scene, "terrain", area=[[X, Y], [X + 1, Y], [X + 2, Y]])
    tiny = [[X + 1, Y + 1], [X + 1.1, Y + 1], [X + 1.1, Y + 1.1]]
    with pytest.raises(RefusedError, match="smaller than a cell"):
        highpoints(scene, "terrain", area=tiny, cell_size=10)
    with pytest.raises(UsageError, match="cell_size"):
        highpoints(scene, "terrain", cell_size=0)
