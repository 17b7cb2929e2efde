"""Conflicts of plans and schemes whose areas, lengths and distances follow by hand."""

from __future__ import annotations

from typing import Any

import geopandas
import pytest
import shapely
import shapely.affinity
from pyproj import CRS

from plumbline import api
from plumbline.api import (
    Georeference,
    Layer,
    LayerKind,
    LayerStyle,
    RefusedError,
    Result,
    Scene,
    Scheme,
    UsageError,
    VectorData,
)

PLANE = CRS("EPSG:4549")
X, Y = 534_000.0, 3_993_000.0


def vector(name: str, *shapes: Any, **columns: Any) -> Layer:
    moved = [shapely.affinity.translate(shape, X, Y) for shape in shapes]
    frame = geopandas.GeoDataFrame(columns, geometry=moved, crs=PLANE)
    data = VectorData(frame, has_z=bool(frame.has_z.all()))
    return Layer(name, name, LayerKind.VECTOR, data, PLANE)


def conflicts(*plans: Layer, **params: Any) -> Result:
    """Scheme S builds a square of 20 m, its ground floor at 12 m."""
    scene = Scene(Georeference(PLANE, (X, Y, 0.0)))
    house = vector("house", shapely.box(0, 0, 20, 20), tall=[9.0], level=[12.0])
    scene.add(house, style=LayerStyle(extrude="tall", base="level"))
    for plan in plans:
        scene.add(plan)
    scene.set_schemes((Scheme("S", "S", layers=("house",)), Scheme("empty", "empty")))
    return api.run("schemes.conflicts", scene, {"schemes": ["S"], **params})


def rows(result: Result, table: str = "conflicts") -> list[dict[str, Any]]:
    found = result.tables[table]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_an_area_that_a_building_covers_in_part() -> None:
    area = vector("protected", shapely.box(15, -5, 40, 8), shapely.box(50, 0, 60, 10))
    (row,) = rows(conflicts(area, plans=[{"layer": "protected"}]))
    assert (row["scheme"], row["layer"], row["with_layer"], row["with_id"]) == (
        "S", "house", "protected", "0",
    )  # fmt: skip
    assert row["kind"] == "overlap"
    assert row["area"] == pytest.approx(5 * 8, abs=1e-6)
    assert X + 15 < row["x"] < X + 20
    assert Y < row["y"] < Y + 8


def test_a_pipe_under_a_building_and_one_too_near_it() -> None:
    pipes = vector(
        "pipes",
        shapely.LineString([(-10, 10, 9), (50, 10, 9)]),  # 20 m of it under the house, 3 m deeper
        shapely.LineString([(22, -50, 9), (22, 50, 9)]),  # 2 m beside it
        shapely.LineString([(-3, -50, 9), (-3, 50, 9)]),  # exactly as far as it has to be
    )
    under, near = rows(conflicts(pipes, plans=[{"layer": "pipes", "distance": 3}]))
    assert (under["kind"], under["with_id"], near["kind"], near["with_id"]) == (
        "crossing", "0", "too_near", "1",
    )  # fmt: skip
    assert under["length"] == pytest.approx(20, abs=1e-6)
    assert under["over"] == pytest.approx(12 - 9, abs=1e-6)
    assert near["short"] == pytest.approx(3 - 2, abs=1e-6)


def test_what_lies_outside_a_red_line_and_its_margin() -> None:
    site = vector("site", shapely.box(-1, -1, 15, 100))
    assert [row["area"] for row in rows(conflicts(site, plans=[keep_within()]))] == [
        pytest.approx(5 * 20, abs=1e-6)
    ]
    # Walls stay 2 m inside: on three sides the house is too far out.
    (row,) = rows(conflicts(site, plans=[keep_within(distance=2)]))
    assert row["kind"] == "outside"
    assert row["area"] == pytest.approx(400 - (13 - 1) * (20 - 1), abs=1e-6)


def keep_within(**more: Any) -> dict[str, Any]:
    return {"layer": "site", "rule": "keep_within", **more}


def test_plans_that_overlap_each_other_agree_with_shapely() -> None:
    zones = [shapely.Point(n * 7, 0).buffer(9) for n in range(6)]
    lanes = [shapely.box(-5, y, 45, y + 3) for y in (-12, -4, 4, 30)]
    result = conflicts(
        vector("zones", *zones), vector("lanes", *lanes), schemes=[],
        plans=[{"layer": "zones"}, {"layer": "lanes"}],
    )  # fmt: skip
    expected = {
        (str(i), str(k)): zone.intersection(lane).area
        for i, zone in enumerate(zones)
        for k, lane in enumerate(lanes)
        if zone.intersection(lane).area > 0.001
    }
    found = {(row["id"], row["with_id"]): row["area"] for row in rows(result)}
    assert len(expected) == 12
    assert found == {pair: pytest.approx(area, abs=1e-6) for pair, area in expected.items()}
    assert result.values["area"].value == pytest.approx(sum(expected.values()), abs=1e-6)
    (total,) = rows(result, "totals")
    assert (total["layer"], total["with_layer"], total["conflicts"]) == ("zones", "lanes", 12)
    shapes = result.layers["conflicts"].data
    assert isinstance(shapes, VectorData)
    assert shapes.features.area.sum() == pytest.approx(sum(expected.values()), abs=1e-6)


def test_neighbours_that_only_touch_and_an_empty_scheme_have_no_conflicts() -> None:
    beside = vector("beside", shapely.box(20, 0, 30, 20))
    result = conflicts(beside, plans=[{"layer": "beside"}])
    assert result.values["conflicts"].value == 0
    assert result.layers == {}
    over = vector("over", shapely.box(0, 0, 30, 20))
    assert conflicts(over, plans=[{"layer": "over"}], schemes=["empty"]).tables[
        "conflicts"
    ].rows == ()  # fmt: skip


def test_only_the_features_asked_for_count() -> None:
    pipes = vector("pipes", shapely.box(0, 0, 5, 5), shapely.box(5, 5, 9, 9), kind=["gas", "water"])
    (row,) = rows(conflicts(pipes, plans=[{"layer": "pipes", "where": "kind = 'gas'"}]))
    assert row["area"] == pytest.approx(25, abs=1e-6)


def test_what_cannot_be_asked_is_said() -> None:
    zone = vector("zone", shapely.box(0, 0, 1, 1), kind=["park"])
    with pytest.raises(UsageError, match="no scheme “X”"):
        conflicts(zone, plans=[{"layer": "zone"}], schemes=["X"])
    with pytest.raises(UsageError, match="two plan layers"):
        conflicts(zone, plans=[{"layer": "zone"}], schemes=[])
    with pytest.raises(UsageError, match="nowhere"):
        conflicts(zone, plans=[{"layer": "nowhere"}])
    with pytest.raises((UsageError, RefusedError), match="colour"):
        conflicts(zone, plans=[{"layer": "zone", "where": "colour = 'red'"}])
