"""Pits against the formulas of earthwork; pipes against where they were laid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
import trimesh
from tests.plugins.volume_scenes import X, Y, add, mesh, raster, scene, square, values

from plumbline import api
from plumbline.api import LayerKind, RefusedError, Result, Scene, UsageError, VectorData

PIT = square(40, -60, 60, -40)


def terrain(held: Scene, folder: Path, tilt: float = 0.0) -> None:
    x = np.mgrid[0:100, 0:100][1]
    raster(held, folder, "t", 50 + tilt * (x - 49.5))


def dig(held: Scene, **params: Any) -> Result:
    return api.run("volume.excavation", held, terrain="t", **params)


def test_a_pit_with_upright_sides_is_a_prism(tmp_path: Path) -> None:
    held = scene()
    terrain(held, tmp_path)
    found = values(dig(held, polygon=PIT, depth=4))
    assert found["volume"] == pytest.approx(1600.0, rel=1e-6)
    assert found["bottom"] == pytest.approx(46.0)
    assert found["area_top"] == pytest.approx(400.0, rel=1e-6)
    assert values(dig(held, polygon=PIT, bottom=46.0))["volume"] == pytest.approx(1600.0, rel=1e-6)


@pytest.mark.parametrize("m", [0.5, 1.0, 1.5])
def test_a_pit_with_slopes_follows_the_formula_of_foundation_pits(tmp_path: Path, m: float) -> None:
    held = scene()
    terrain(held, tmp_path)
    h = 5.0
    found = values(dig(held, polygon=PIT, depth=h, slope_ratio=m))
    # V = (a + m h)(b + m h) h + m² h³ / 3 (the usual formula for a pit with four slopes).
    volume = (20 + m * h) ** 2 * h + m**2 * h**3 / 3
    assert found["volume"] == pytest.approx(volume, rel=1e-3)
    assert found["volume_pit"] == pytest.approx(2000.0, rel=1e-6)
    assert found["area_top"] == pytest.approx((20 + 2 * m * h) ** 2, rel=0.02)


def test_slopes_reach_farther_up_a_hill(tmp_path: Path) -> None:
    held = scene()
    terrain(held, tmp_path, tilt=0.2)
    found = values(dig(held, polygon=PIT, depth=4, slope_ratio=1))
    # The slope of 1 : 1 from the bottom meets ground z = 50 + 0.2 u: by sums over a fine grid.
    u, v = np.meshgrid(np.arange(-40, 40, 0.1) + 0.05, np.arange(-40, 40, 0.1) + 0.05)
    floor = 46 + np.maximum(np.maximum(abs(u), abs(v)) - 10, 0)
    expected = np.maximum(50 + 0.2 * u - floor, 0).sum() * 0.01
    assert found["volume"] == pytest.approx(expected, rel=2e-3)


def test_ground_below_the_bottom_is_told(tmp_path: Path) -> None:
    held = scene()
    terrain(held, tmp_path, tilt=0.5)
    result = dig(held, polygon=PIT, bottom=50.0)
    # z = 50 + 0.5 u: a wedge over half of the pit.
    assert values(result)["volume"] == pytest.approx(0.5 * 10 * 5 * 20, rel=5e-3)
    assert any("On 50.0 % of the pit" in text for text in result.warnings)


def pipes(held: Scene, lines: list[Any], **columns: Any) -> None:
    features = geopandas.GeoDataFrame(
        columns, geometry=[shapely.LineString(line) for line in lines], crs="EPSG:4549"
    )
    add(held, "pipes", LayerKind.VECTOR, VectorData(features, has_z=True))


def test_pipes_in_the_pit_are_met_with_their_lengths_and_cover(tmp_path: Path) -> None:
    held = scene()
    terrain(held, tmp_path)
    through = [(X + 30, Y - 50, 48.5), (X + 80, Y - 50, 48.5)]
    under = [(X + 30, Y - 45, 44.0), (X + 80, Y - 45, 44.0)]
    beside = [(X + 30, Y - 80, 48.5), (X + 80, Y - 80, 48.5)]
    pipes(held, [through, under, beside], name=["water", "sewer", "gas"], 管径=[600, 1000, 300])
    result = dig(held, polygon=PIT, depth=4, underground=["pipes"])
    table = result.tables["met"]
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["id"], row["met"]) for row in found] == [("0", 1), ("1", 0)]
    water, sewer = found
    assert water["length"] == pytest.approx(20.0, abs=0.2)
    assert water["least_cover"] == pytest.approx(50 - 48.5 - 0.3)
    assert water["left_cover"] == pytest.approx(46 - 48.5 - 0.3)
    assert sewer["length_under"] == pytest.approx(20.0, abs=0.2)
    assert sewer["left_cover"] == pytest.approx(46 - 44 - 0.5)
    assert values(result)["met"] == 1
    assert values(result)["met_length"] == pytest.approx(20.0, abs=0.2)
    assert values(result)["least_cover"] == pytest.approx(1.2)
    # On the slope of 1 : 1 the pipe is met until the slope rises above its top.
    sloped = dig(held, polygon=PIT, depth=4, slope_ratio=1, underground=["pipes"])
    assert sloped.tables["met"].rows[0][4] == pytest.approx(20 + 2 * 2.8, abs=0.3)


def test_structures_in_the_pit_are_met(tmp_path: Path) -> None:
    held = scene()
    terrain(held, tmp_path)
    tank = trimesh.creation.box((6, 3, 2)).triangles + [50, -50, 47]
    deep = trimesh.creation.box((6, 3, 2)).triangles + [50, -45, 40]
    mesh(held, "tanks", tank, deep)
    rows = dig(held, polygon=PIT, depth=4, underground=["tanks"]).tables["met"].rows
    assert [(row[1], row[3]) for row in rows] == [("0", 1), ("1", 0)]
    assert rows[0][4] == pytest.approx(6.0, abs=0.2)
    assert rows[0][6] == pytest.approx(2.0)
    assert rows[1][7] == pytest.approx(46 - 41)


def test_the_pipes_of_the_demo_are_met(demo_district: Path) -> None:
    held = Scene()
    held.add(api.load(demo_district / "terrain.tif", layer_id="t")[0])
    layer = api.load(demo_district / "pipes.gpkg", layer_id="pipes")[0]
    held.add(layer)
    line = layer.data.features.geometry.iloc[0]
    x, y = line.interpolate(0.5, normalized=True).coords[0][:2]
    around = [[x - 10, y - 10], [x + 10, y - 10], [x + 10, y + 10], [x - 10, y + 10]]
    result = dig(held, polygon=around, depth=6, underground=["pipes"])
    row = next(r for r in result.tables["met"].rows if r[1] == str(layer.data.features.index[0]))
    inside = line.intersection(shapely.Polygon(around)).length
    assert row[4] == pytest.approx(inside, rel=0.02)
    # 埋深 counts to the axis, 管径 is in millimetres; between vertices the pipe runs straight.
    first = layer.data.features.iloc[0]
    assert row[6] == pytest.approx(first["埋深"] - first["管径"] / 2000, abs=0.15)


def test_bad_pits_are_refused(tmp_path: Path) -> None:
    held = scene()
    terrain(held, tmp_path)
    with pytest.raises(UsageError, match="either a depth"):
        dig(held, polygon=PIT)
    with pytest.raises(UsageError, match="either a depth"):
        dig(held, polygon=PIT, depth=3, bottom=40)
    with pytest.raises(RefusedError, match="above the ground"):
        dig(held, polygon=PIT, bottom=60)
    with pytest.raises(RefusedError, match="cross"):
        dig(held, polygon=[PIT[0], PIT[2], PIT[1], PIT[3]], depth=3)
    with pytest.raises(RefusedError, match="no heights on over half"):
        dig(held, polygon=square(200, 200, 220, 220), depth=3)
    flat = geopandas.GeoDataFrame(geometry=[shapely.box(X, Y, X + 1, Y + 1)], crs="EPSG:4549")
    add(held, "flat", LayerKind.VECTOR, VectorData(flat))
    with pytest.raises(UsageError, match="no heights underground"):
        dig(held, polygon=PIT, depth=3, underground=["flat"])
