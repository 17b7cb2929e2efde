"""Silhouettes against the closed form of a wall, days against pvlib's sun."""

from __future__ import annotations

import math
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from plumbline import api
from plumbline.api import (
    Georeference,
    Layer,
    LayerKind,
    LayerStyle,
    RefusedError,
    Result,
    Scene,
    UsageError,
    VectorData,
)

CRS = "EPSG:4549"


def scene_with(x: float, y: float, *boxes: tuple[float, float, float, float, float]) -> Scene:
    scene = Scene(Georeference.from_text(CRS, (x, y, 0.0)))
    frame = geopandas.GeoDataFrame(
        {"高度": [b[4] for b in boxes]},
        geometry=[shapely.box(b[0] + x, b[1] + y, b[2] + x, b[3] + y) for b in boxes],
        index=[f"house-{n}" for n in range(len(boxes))],
        crs=CRS,
    )
    style = LayerStyle(extrude="高度", drape=False)
    crs = api.parse_crs(CRS)
    scene.add(Layer("houses", "楼", LayerKind.VECTOR, VectorData(frame), crs, style=style))
    return scene


def path(scene: Scene, **more: Any) -> Result:
    point = [*scene.georeference.origin[:2], 1.5]
    return api.run("sunlight.shadow_path", scene, {"point": point, "obstacles": ["houses"], **more})


@pytest.mark.parametrize("x", [500_250.0, 634_250.0])
def test_the_silhouette_of_a_wall_is_its_closed_form(x: float) -> None:
    # At the middle of the zone and near its edge, where grid and true north differ by 0.9°.
    scene = scene_with(x, 3_993_250.0, (-60, -31, 60, -30, 21.5))
    result = path(scene, days=["great_cold"])
    table = result.tables["silhouette"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    turn = scene.georeference.convergence(x, 3_993_250.0)
    half = math.degrees(math.atan2(60, 30))
    for row in rows:
        off = row["azimuth_grid"] - 180.0
        assert abs(off) <= math.degrees(math.atan2(60, 30)) + 0.25
        # 20 m above the eye, 30 m off; nearer the ends the side of the wall is seen no more.
        expected = math.degrees(math.atan(20.0 / (30.0 / math.cos(math.radians(off)))))
        assert row["to"] == pytest.approx(expected, abs=1e-6)
        assert row["from"] == 0.0
        true = (row["azimuth_grid"] + turn) % 360
        assert row["azimuth_true"] == pytest.approx(true, abs=1e-9)
        assert (row["layer"], row["entity"]) == ("houses", "house-0")
    assert len(rows) == pytest.approx(2 * half / 0.25, abs=2)
    assert [r["azimuth_true"] for r in rows] == sorted(r["azimuth_true"] for r in rows)


def test_hours_behind_a_wall_by_pvlib() -> None:
    from pvlib import solarposition

    scene = scene_with(500_250.0, 3_993_250.0, (-60, -31, 60, -30, 21.5))
    result = path(scene, days=["great_cold", "2001-06-21"], year=2001)
    lon, lat = scene.georeference.geographic(500_250.0, 3_993_250.0)
    for row, day in zip(result.tables["days"].rows, ("2001-01-20", "2001-06-21"), strict=True):
        times = pd.date_range(f"{day} 03:00", f"{day} 21:00", freq="10s", tz="Asia/Shanghai")
        sun = solarposition.get_solarposition(times, lat, lon, delta_t=64.0)
        azimuth = np.radians(sun["azimuth"] - scene.georeference.convergence(500_250, 3_993_250))
        off = azimuth - np.pi
        ahead = np.abs(off) < math.atan2(60, 30)
        hidden = ahead & (np.tan(np.radians(sun["elevation"])) * 30 / np.cos(off) < 20.0)
        lit = float(((sun["elevation"] > 0) & ~hidden).sum()) * 10 / 3600
        assert row[1] == day
        assert row[6] == pytest.approx(lit, abs=0.012)
        assert result.values[f"hours_{row[0]}"].value == row[6]
    # The sun of summer stands above the wall.
    assert result.tables["days"].rows[1][6] > 13
    assert set(result.figures) == {"fisheye", "unrolled"}
    assert all(png.startswith(b"\x89PNG") for png in result.figures.values())


def test_an_open_place_and_the_polar_year() -> None:
    scene = scene_with(500_250.0, 3_993_250.0, (5000, 5000, 5001, 5001, 1))
    result = path(scene, days=["winter_solstice"])
    assert result.values["visible_share"].value == pytest.approx(1.0, abs=1e-3)
    north = Scene(Georeference.from_text("EPSG:32633", (500_000.0, 8_700_000.0, 0.0)))
    frame = geopandas.GeoDataFrame(
        {"高度": [3.0]}, geometry=[shapely.box(5e5, 8.7e6, 5e5 + 1, 8.7e6 + 1)], crs="EPSG:32633"
    )
    style = LayerStyle(extrude="高度", drape=False)
    crs = api.parse_crs("EPSG:32633")
    north.add(Layer("houses", "楼", LayerKind.VECTOR, VectorData(frame), crs, style=style))
    found = api.run(
        "sunlight.shadow_path",
        north,
        {
            "point": [500_020.0, 8_700_000.0, 1.5],
            "obstacles": ["houses"],
            "days": ["winter_solstice", "summer_solstice"],
            "timezone": "+01:00",
        },
    )
    night, day = found.tables["days"].rows
    assert night[2:6:3] == (None, None)
    assert night[6] == 0
    # Only the low hut hides some of the endless day.
    assert 22 < day[6] < 24.01


def test_what_cannot_be_is_refused() -> None:
    scene = scene_with(500_250.0, 3_993_250.0, (-60, -31, 60, -30, 21.5))
    with pytest.raises(UsageError, match="days"):
        path(scene, days=["someday"])
    with pytest.raises(UsageError, match="timezone"):
        path(scene, timezone="nowhere")
    with pytest.raises(RefusedError, match="terrain"):
        path(scene, point=[500_250.0, 3_993_250.0])
    plain = Scene(Georeference())
    frame = geopandas.GeoDataFrame({"高度": [3.0]}, geometry=[shapely.box(0, 0, 1, 1)])
    style = LayerStyle(extrude="高度", drape=False)
    plain.add(Layer("houses", "楼", LayerKind.VECTOR, VectorData(frame), None, style=style))
    with pytest.raises(RefusedError, match="coordinate reference"):
        path(plain)
