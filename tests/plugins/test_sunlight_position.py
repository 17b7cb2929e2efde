"""`sunlight.position` against NREL's example, published seasons and pvlib's other entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from plumbline import api
from plumbline.api import Georeference, RefusedError, Scene, UsageError

BEIJING = {"latitude": 39.95, "longitude": 116 + 19 / 60}


def ask(scene: Scene | None = None, **params: Any) -> api.Result:
    return api.run("sunlight.position", Scene() if scene is None else scene, **params)


def test_nrel_example() -> None:
    """NREL/TP-560-34302, A.5, has the air of Golden, Colorado; zenith moves by 0.006° with it."""
    result = ask(
        time="2003-10-17T12:30:30-07:00", latitude=39.742476, longitude=-105.1786, timezone="-07:00"
    )
    assert result.values["azimuth_true"].value == pytest.approx(194.34024, abs=1e-4)
    assert 90 - result.values["elevation_apparent"].value == pytest.approx(50.11162, abs=0.01)
    assert result.values["equation_of_time"].value == pytest.approx(14.641503, abs=1e-3)
    assert result.values["azimuth_grid"].value is None
    # The program with the report prints sunrise 06:12:43 and sunset 17:20:19, for the day of UT: in
    # Colorado that sunset is of the evening before.
    before = ask(time="2003-10-16T12:00:00-07:00", latitude=39.742476, longitude=-105.1786)
    rise, sets = result.values["sunrise"].value, before.values["sunset"].value
    for found, expected in (
        (rise, "2003-10-17T06:12:43-07:00"),
        (sets, "2003-10-16T17:20:19-07:00"),
    ):
        assert abs((pd.Timestamp(found) - pd.Timestamp(expected)).total_seconds()) < 6


def test_clocks_of_beijing() -> None:
    """8:00 true solar time on Great Cold is 8:25:30 Beijing time (see test_sun.py)."""
    result = ask(time="1999-01-20T08:25:30", **BEIJING)
    assert result.values["true_solar_time"].value * 3600 == pytest.approx(8 * 3600, abs=2)
    days = {row[0]: row for row in result.tables["standard_days"].rows}
    assert days["great_cold"][3] == "1999-01-20"
    assert days["great_cold"][8] in ("1999-01-20T08:25:29+08:00", "1999-01-20T08:25:30+08:00")
    # Noon on the equinox: 90 - latitude, within the quarter of a degree of declination of a day.
    assert days["spring_equinox"][7] == pytest.approx(90 - 39.95, abs=0.25)
    assert days["winter_solstice"][7] == pytest.approx(90 - 39.95 - 23.44, abs=0.01)


def test_a_point_of_the_grid_and_a_series() -> None:
    scene = Scene(Georeference.from_text("EPSG:4549", (500_000.0, 4_429_000.0, 0.0)))
    result = ask(
        scene,
        time="2026-03-01T09:00",
        until="2026-03-01T11:00",
        step=30,
        point=[627_000.0, 4_429_000.0],
    )
    lon, lat = result.values["longitude"].value, result.values["latitude"].value
    bend = result.values["azimuth_true"].value - result.values["azimuth_grid"].value
    # Snyder 1987, eq. 8-15 to first order: convergence = (longitude - central) sin(latitude).
    assert bend == pytest.approx((lon - 120) * np.sin(np.radians(lat)), abs=1e-3)
    rows = result.tables["series"].rows
    assert [row[0][11:16] for row in rows] == ["09:00", "09:30", "10:00", "10:30", "11:00"]
    from pvlib import solarposition

    times = pd.DatetimeIndex([row[0] for row in rows])
    expected = solarposition.get_solarposition(times, lat, lon, method="nrel_numpy")
    assert [row[1] for row in rows] == pytest.approx(expected["azimuth"].tolist(), abs=2e-4)
    assert [row[3] for row in rows] == pytest.approx(expected["elevation"].tolist(), abs=2e-4)


def test_longitude_and_latitude_have_the_north_of_the_project() -> None:
    scene = Scene(Georeference.from_text("EPSG:4549", (500_000.0, 4_429_000.0, 0.0)))
    result = ask(scene, time="2026-03-01T09:00", latitude=40.0, longitude=121.5)
    values = result.values
    bend = values["azimuth_true"].value - values["azimuth_grid"].value
    assert bend == pytest.approx(1.5 * np.sin(np.radians(40)), abs=2e-4)
    own = ask(scene, time="2026-03-01T09:00")
    assert own.values["longitude"].value == pytest.approx(120.0, abs=1e-6)


def test_polar_night_and_day() -> None:
    night = ask(time="2026-12-21T12:00", latitude=70, longitude=20, timezone="+01:00")
    assert night.values["sunrise"].value is None
    assert night.values["day_length"].value == 0
    assert any("polar night" in w for w in night.warnings)
    day = ask(time="2026-06-21T12:00", latitude=70, longitude=20, timezone="+01:00")
    assert day.values["day_length"].value == 24


def test_refusals() -> None:
    with pytest.raises(RefusedError, match="outside the ephemeris"):
        ask(time="3200-01-01T12:00", **BEIJING)
    with pytest.raises(RefusedError, match="no coordinate reference system"):
        ask(time="2026-01-01T12:00")
    with pytest.raises(UsageError, match="belong together"):
        ask(time="2026-01-01T12:00", latitude=40)
    with pytest.raises(UsageError, match="no time zone"):
        ask(time="2026-01-01T12:00", timezone="Middle Earth", **BEIJING)
    with pytest.raises(UsageError, match="ends before it begins"):
        ask(time="2026-01-01T12:00", until="2026-01-01T11:00", **BEIJING)
    far = ask(time="2026-01-01T12:00", latitude=52, longitude=4.5)
    assert any("right one" in w for w in far.warnings)
