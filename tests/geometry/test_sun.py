"""Sun positions, clocks and standard days against published numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from plumbline.core.errors import RefusedError, UsageError
from plumbline.core.georeference import Georeference
from plumbline.geometry.sun import (
    STANDARD_DAYS,
    Place,
    _positions,
    civil_time,
    directions,
    instant_of_longitude,
    instants_of_civil_time,
    instants_of_solar_time,
    solar_day,
    standard_day,
    sun_positions,
    zone_of,
)

BEIJING_TIME = timezone(timedelta(hours=8))

#: Equinoxes and solstices in UT to the minute, as the almanac offices (USNO, IMCCE) publish them
#: and Wikipedia tabulates them under "Solstice": March, June, September, December.
SEASONS = {
    2004: ("03-20 06:49", "06-21 00:57", "09-22 16:30", "12-21 12:42"),
    2010: ("03-20 17:32", "06-21 11:28", "09-23 03:09", "12-21 23:38"),
    2013: ("03-20 11:02", "06-21 05:04", "09-22 20:44", "12-21 17:11"),
    2016: ("03-20 04:30", "06-20 22:34", "09-22 14:21", "12-21 10:44"),
}

#: The same in Terrestrial Time to the second: J. Meeus, "Astronomical Algorithms" (1998), table
#: 27.E; TT - UT was 64.1 s in 2001 (USNO).
SEASONS_2001_TT = ("03-20 13:31:47", "06-21 07:38:48", "09-22 23:05:32", "12-21 19:22:34")

#: 8:00 true solar time on Great Cold as Beijing time, as makers of Chinese sunlight software
#: publish it. They give neither year nor longitudes. All six agree with the longitudes
#: that design handbooks list to the minute of arc and an equation of time of -10 min 46 s, which
#: 20 January has in the third year after a leap year (1999, 2015, 2023); in the base year 2001 it
#: is -10 min 55 s, and every clock 9 s later.
CLOCKS = {
    "Beijing": (116 + 19 / 60, 39 + 57 / 60, "08:25:30"),
    "Shenyang": (123 + 26 / 60, 41 + 46 / 60, "07:57:02"),
    "Xi'an": (108 + 55 / 60, 34 + 15 / 60, "08:55:06"),
    "Ürümqi": (87 + 37 / 60, 43 + 47 / 60, "10:20:18"),
    "Guangzhou": (113 + 13 / 60, 23.0, "08:37:54"),
    "Shanghai": (121 + 26 / 60, 31 + 12 / 60, "08:05:02"),
}


def at(year: int, text: str) -> float:
    return datetime.fromisoformat(f"{year}-{text}+00:00").timestamp()


def test_nrel_published_example() -> None:
    """Reda and Andreas, NREL/TP-560-34302, appendix A.5: all inputs and both results."""
    instant = datetime(2003, 10, 17, 12, 30, 30, tzinfo=timezone(timedelta(hours=-7)))
    golden = Place(-105.1786, 39.742476, 1830.14)
    found = _positions(np.array([instant.timestamp()]), golden, 67.0, 820.0, 11.0)
    assert 90 - found.elevation_apparent[0] == pytest.approx(50.11162, abs=1e-4)
    assert found.azimuth_true[0] == pytest.approx(194.34024, abs=1e-4)
    assert found.equation_of_time[0] == pytest.approx(14.641503, abs=1e-4)
    # What users get differs by ordinary air and by TT - UT from a formula: less than 0.01 degrees.
    ours = sun_positions(found.times, golden)
    assert ours.azimuth_true[0] == pytest.approx(194.34024, abs=1e-4)
    assert 90 - ours.elevation_apparent[0] == pytest.approx(50.11162, abs=0.01)
    assert ours.elevation_true[0] < ours.elevation_apparent[0]


@pytest.mark.parametrize("city", CLOCKS)
def test_clock_table(city: str) -> None:
    longitude, latitude, clock = CLOCKS[city]
    _, day = standard_day("great_cold", 1999, BEIJING_TIME)
    instant = instants_of_solar_time(day, [8 * 3600.0], Place(longitude, latitude))[0]
    expected = datetime.fromisoformat(f"1999-01-20T{clock}+08:00").timestamp()
    assert instant == pytest.approx(expected, abs=2.0)


@pytest.mark.parametrize("year", SEASONS)
def test_seasons_against_the_almanac(year: int) -> None:
    for longitude, published in zip((0, 90, 180, 270), SEASONS[year], strict=True):
        assert instant_of_longitude(year, longitude) == pytest.approx(at(year, published), abs=60)


def test_seasons_of_the_base_year_to_the_second() -> None:
    for longitude, published in zip((0, 90, 180, 270), SEASONS_2001_TT, strict=True):
        expected = at(2001, published) - 64.1
        assert instant_of_longitude(2001, longitude) == pytest.approx(expected, abs=20)


def test_standard_days_are_dates_of_the_place() -> None:
    # Great Cold 2001: 20 January, 08:16 Beijing time (Purple Mountain Observatory's calendar).
    instant, day = standard_day("great_cold", 2001, BEIJING_TIME)
    assert day == date(2001, 1, 20)
    assert civil_time(instant, BEIJING_TIME).strftime("%H:%M") == "08:16"
    # The solstice of 2001 at 19:22 UT is already the 22nd in Beijing.
    assert standard_day("winter_solstice", 2001, UTC)[1] == date(2001, 12, 21)
    assert standard_day("winter_solstice", 2001, BEIJING_TIME)[1] == date(2001, 12, 22)
    dates = [standard_day(name, 2024, BEIJING_TIME)[1] for name in STANDARD_DAYS]
    assert dates == [
        date(2024, 1, 20),
        date(2024, 3, 20),
        date(2024, 6, 21),
        date(2024, 9, 22),
        date(2024, 12, 21),
    ]


@pytest.mark.parametrize("latitude", [-33.9, 0.0, 31.2, 52.0])
@pytest.mark.parametrize("day", [date(2001, 1, 20), date(2026, 6, 21)])
def test_rise_and_set_agree_with_the_algorithm_of_nrel(latitude: float, day: date) -> None:
    """pvlib's own sunrise is another way to it: interpolated, from geocentric places."""
    from pvlib import spa

    place = Place(10.0, latitude)
    found = solar_day(day, place)
    unix = np.array([datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()])
    transit, rise, sets = spa.transit_sunrise_sunset(unix, latitude, 10.0, 67.0, 1)
    assert found.transit == pytest.approx(transit[0], abs=2)
    assert found.sunrise == pytest.approx(rise[0], abs=6)
    assert found.sunset == pytest.approx(sets[0], abs=6)


def test_polar_day_and_night_have_no_rise() -> None:
    tromso = Place(18.96, 69.65)
    assert solar_day(date(2026, 6, 21), tromso).polar == "day"
    night = solar_day(date(2026, 12, 21), tromso)
    assert (night.polar, night.sunrise, night.sunset) == ("night", None, None)


def test_true_solar_time_is_the_hour_angle() -> None:
    """At 12:00 true solar time the sun is in the meridian; at t it has turned by 15 t degrees."""
    place = Place(116.317, 39.95)
    seconds = np.array([8, 10, 12, 15]) * 3600.0
    sun = sun_positions(instants_of_solar_time(date(2001, 1, 20), seconds, place), place)
    assert sun.solar_time == pytest.approx(seconds, abs=0.01)
    assert sun.azimuth_true[2] == pytest.approx(180.0, abs=0.002)
    a, e, phi = np.radians([sun.azimuth_true, sun.elevation_true, np.full(4, place.latitude)])
    hour = np.arctan2(
        -np.sin(a) * np.cos(e), np.sin(e) * np.cos(phi) - np.cos(e) * np.cos(a) * np.sin(phi)
    )
    assert np.degrees(hour) / 15 * 3600 + 43200 == pytest.approx(seconds, abs=1.0)


def test_grid_azimuth_leaves_out_the_convergence() -> None:
    # 1.5 degrees east of the central meridian at 40 N: convergence = 1.5 sin 40 (Snyder 8-15).
    georeference = Georeference.from_text("EPSG:4549")
    from plumbline.core.crs import parse_crs, transformer

    crs = parse_crs("EPSG:4549")
    x, y = transformer(parse_crs("EPSG:4490"), crs).transform(121.5, 40.0)
    place = Place.of(georeference, x, y)
    assert place.convergence == pytest.approx(1.5 * np.sin(np.radians(40)), abs=2e-4)
    assert (place.longitude, place.latitude) == pytest.approx((121.5, 40.0), abs=1e-9)
    sun = sun_positions([1e9], place)
    assert sun.azimuth_grid[0] == pytest.approx(sun.azimuth_true[0] - place.convergence, abs=1e-12)
    e = np.radians(sun.elevation_true[0])
    expected = np.sin(np.radians(sun.azimuth_grid[0])) * np.cos(e)
    assert sun.directions[0, 0] == pytest.approx(expected)
    assert directions([90.0], [0.0])[0] == pytest.approx([1, 0, 0], abs=1e-12)


def test_zones() -> None:
    day = date(2001, 1, 20)
    eight = [instants_of_civil_time(day, [0.0], zone_of(z))[0] for z in ("+08:00", "120E", "+8")]
    assert eight == [at(2001, "01-19 16:00")] * 3
    assert instants_of_civil_time(day, [0.0], zone_of("Asia/Shanghai"))[0] == eight[0]
    west = instants_of_civil_time(day, [3600.0], zone_of("105W"))[0]
    assert west == at(2001, "01-20 08:00")
    for wrong in ("", "Beijing", "+25:00", "200E", "../etc/passwd"):
        with pytest.raises(UsageError):
            zone_of(wrong)


def test_refusals() -> None:
    with pytest.raises(RefusedError, match="outside the ephemeris"):
        instant_of_longitude(4000, 270.0)
    with pytest.raises(RefusedError, match="outside the ephemeris"):
        sun_positions([1e12], Place(0.0, 0.0))
    with pytest.raises(RefusedError, match="no place"):
        Place(0.0, 91.0)
    with pytest.raises(RefusedError, match="no coordinate reference system"):
        Place.of(Georeference(), 0.0, 0.0)
