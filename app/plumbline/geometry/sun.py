"""Where the sun stands: positions, clocks and standard days, for one place and many instants.

Positions are those of NREL's Solar Position Algorithm (Reda and Andreas 2004, *Solar position
algorithm for solar radiation applications*, Solar Energy 76(5), revised 2008) as pvlib has it.
Instants are seconds of UTC since 1970-01-01 (`float64`), so that a day is an array; civil time,
true solar time and calendar dates are turned into instants here and back.

The sun of this module is its centre. `elevation_true` is geometric and topocentric, without
refraction; sunlight rules count with it. UT1 is taken to be UTC (they differ by less than 0.9 s).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import numpy as np

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.errors import RefusedError, UsageError
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import N_, tr

DAY = 86_400.0

#: Years for which the positions hold: the polynomials for TT - UT end in the year 3000.
FIRST_YEAR, LAST_YEAR = 1, 3000

#: Elevation of the sun's centre when its upper limb rises in standard refraction, degrees.
RISE_ELEVATION = -0.8333

#: Standard days: apparent longitude of the sun (degrees) and what people call them.
STANDARD_DAYS: dict[str, tuple[float, str]] = {
    "great_cold": (300.0, N_("Great Cold")),
    "spring_equinox": (0.0, N_("Spring Equinox")),
    "summer_solstice": (90.0, N_("Summer Solstice")),
    "autumn_equinox": (180.0, N_("Autumn Equinox")),
    "winter_solstice": (270.0, N_("Winter Solstice")),
}


@dataclass(frozen=True)
class Place:
    """A place on the earth, and where its grid points.

    Attributes
    ----------
    longitude, latitude : float
        Degrees, east and north positive, from Greenwich.
    height : float
        Metres above the ellipsoid; a kilometre moves the sun by less than 0.001 degrees.
    convergence : float
        Meridian convergence, degrees: ``azimuth_true = azimuth_grid + convergence``.
    """

    longitude: float
    latitude: float
    height: float = 0.0
    convergence: float = 0.0

    def __post_init__(self) -> None:
        if not (-180.0 <= self.longitude <= 180.0 and -90.0 <= self.latitude <= 90.0):
            raise RefusedError(
                tr(
                    "There is no place at longitude {longitude} and latitude {latitude}.",
                    longitude=f"{self.longitude:g}",
                    latitude=f"{self.latitude:g}",
                ),
                tr("Check the coordinates against the project CRS."),
            )

    @classmethod
    def of(cls, georeference: Georeference, x: float, y: float, height: float = 0.0) -> Place:
        """Return the place of a point of the project CRS.

        Raises
        ------
        RefusedError
            If the project has no CRS tied to the earth, or the point lies outside of it.
        """
        longitude, latitude = georeference.geographic(x, y)
        if not np.isfinite([longitude, latitude]).all():
            raise RefusedError(
                tr("The point lies outside the area of the project CRS."),
                tr("Check the coordinates against the project CRS."),
            )
        convergence = georeference.convergence(x, y)
        return cls((longitude + 180.0) % 360.0 - 180.0, latitude, height, convergence)


@dataclass(frozen=True)
class SunPositions:
    """Positions of the sun at instants, each ``(N,)``.

    Attributes
    ----------
    times : float64
        Seconds of UTC since 1970-01-01.
    azimuth_true, elevation_true, elevation_apparent : float64
        Degrees; azimuth clockwise from true north, `elevation_apparent` with refraction at
        1013.25 hPa and 12 °C.
    equation_of_time : float64
        Minutes, true minus mean solar time.
    place : Place
    """

    times: FloatArray
    azimuth_true: FloatArray
    elevation_true: FloatArray
    elevation_apparent: FloatArray
    equation_of_time: FloatArray
    place: Place

    @property
    def azimuth_grid(self) -> FloatArray:
        """Azimuth clockwise from grid north, degrees in 0..360."""
        return (self.azimuth_true - self.place.convergence) % 360.0

    @property
    def solar_time(self) -> FloatArray:
        """True solar time, seconds since the place's own midnight, 0..86400."""
        mean = self.times + self.place.longitude * 240.0
        return (mean + self.equation_of_time * 60.0) % DAY

    @property
    def directions(self) -> FloatArray:
        """Unit vectors ``(N, 3)`` towards the sun on the grid's axes: east, north, up."""
        return directions(self.azimuth_grid, self.elevation_true)


def directions(azimuth: AnyArray | float, elevation: AnyArray | float) -> FloatArray:
    """Return unit vectors ``(..., 3)`` (x, y, z) of azimuths and elevations, degrees."""
    a, e = np.radians(azimuth), np.radians(elevation)
    vectors: FloatArray = np.stack(
        [np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e)], axis=-1
    )
    return vectors


def sun_positions(times: AnyArray, place: Place) -> SunPositions:
    """Return the positions of the sun.

    Parameters
    ----------
    times : (N,) float
        Seconds of UTC since 1970-01-01.

    Raises
    ------
    RefusedError
        If an instant is outside the years for which the positions hold.
    """
    times = np.atleast_1d(np.asarray(times, dtype=np.float64))
    return _positions(times, place, delta_t(times), 1013.25, 12.0)


def _positions(
    times: FloatArray, place: Place, tt_ut: float, pressure: float, temperature: float
) -> SunPositions:
    """As `sun_positions`, with TT - UT in seconds, the air's pressure (hPa) and temperature."""
    from pvlib import spa

    _, _, apparent, true, azimuth, equation = spa.solar_position_numpy(
        times,
        place.latitude,
        place.longitude,
        place.height,
        pressure,
        temperature,
        tt_ut,
        0.5667,
        None,
    )
    return SunPositions(times, azimuth, true, apparent, equation, place)


def delta_t(times: FloatArray) -> float:
    """Return TT - UT in seconds for the middle of instants (Espenak and Meeus 2006).

    Raises
    ------
    RefusedError
        Outside the years for which the positions hold.
    """
    from pvlib import spa

    low = (date(FIRST_YEAR, 1, 2) - date(1970, 1, 1)).days * DAY
    high = (date(LAST_YEAR, 12, 31) - date(1970, 1, 1)).days * DAY
    if not (np.isfinite(times).all() and len(times) and low <= times.min() <= times.max() <= high):
        raise RefusedError(
            tr(
                "The date is outside the ephemeris, which holds from the year {first} to {last}.",
                first=FIRST_YEAR,
                last=LAST_YEAR,
            ),
            tr("Choose another date."),
        )
    middle = datetime(1970, 1, 1) + timedelta(seconds=float(times.min() + times.max()) / 2)
    return float(spa.calculate_deltat(middle.year, middle.month))


# -- clocks ------------------------------------------------------------------------------------


def midnight(day: date) -> float:
    """Return the instant at which a calendar day begins in UTC."""
    return (day - date(1970, 1, 1)).days * DAY


def instants_of_solar_time(day: date, seconds: AnyArray, place: Place) -> FloatArray:
    """Return the instants ``(N,)`` at which sundials at a place show a true solar time.

    Parameters
    ----------
    day : date
        Of the place's own solar calendar.
    seconds : (N,) float
        True solar time, seconds since midnight; 43200 is the transit.
    """
    solar = midnight(day) + np.atleast_1d(np.asarray(seconds, dtype=np.float64))
    mean = solar - place.longitude * 240.0
    times = mean
    # The equation of time moves by less than 30 s in a day: each round gains a factor of 3000.
    for _ in range(3):
        times = mean - sun_positions(times, place).equation_of_time * 60.0
    return times


def instants_of_civil_time(day: date, seconds: AnyArray, zone: tzinfo) -> FloatArray:
    """Return the instants ``(N,)`` of a civil time of day, seconds since midnight."""
    many = np.atleast_1d(np.asarray(seconds, dtype=np.float64))
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    offset = noon.utcoffset() or timedelta()
    instants: FloatArray = midnight(day) + many - offset.total_seconds()
    return instants


def zone_of(text: str) -> tzinfo:
    """Return the time zone that a text names: ``+08:00``, ``UTC``, ``Asia/Shanghai``, ``120E``.

    ``120E`` is the zone meridian: four minutes for each degree.

    Raises
    ------
    UsageError
        If the text names no time zone.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    name = text.strip()
    if name.upper() in ("Z", "UTC"):
        return UTC
    offset = re.fullmatch(r"([+-])(\d{1,2}):?([0-5]\d)?", name)
    meridian = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*°?\s*([EWew])", name)
    minutes: float | None = None
    if offset:
        minutes = (60 * int(offset[2]) + int(offset[3] or 0)) * (-1 if offset[1] == "-" else 1)
    elif meridian:
        minutes = round(float(meridian[1]) * 4, 6) * (-1 if meridian[2] in "Ww" else 1)
    if minutes is not None and abs(minutes) <= (12 if meridian else 14) * 60:
        return timezone(timedelta(minutes=minutes))
    try:
        return ZoneInfo(name or "-")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            tr("“{text}” is no time zone.", text=text[:40]),
            tr("Give an offset such as +08:00, a meridian such as 120E, or Asia/Shanghai."),
        ) from error


def civil_time(instant: float, zone: tzinfo) -> datetime:
    """Return an instant as civil time, to the second."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(float(instant)))
    return moment.astimezone(zone)


# -- the day -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class SolarDay:
    """Instants of a solar day; sunrise and sunset are None in polar day and polar night.

    `polar` is ``""``, ``"day"`` or ``"night"``.
    """

    sunrise: float | None
    transit: float
    sunset: float | None
    polar: str = ""


def solar_day(day: date, place: Place) -> SolarDay:
    """Return sunrise, transit and sunset of a place's solar day, to 0.1 s of the algorithm.

    The transit is the instant of 12:00 true solar time; the sun rises and sets where the true
    elevation of its centre is `RISE_ELEVATION`.
    """
    first, transit, last = instants_of_solar_time(day, np.array([0.0, DAY / 2, DAY]), place)
    low, noon, high = sun_positions(np.array([first, transit, last]), place).elevation_true
    if noon <= RISE_ELEVATION:
        return SolarDay(None, float(transit), None, "night")
    if min(low, high) > RISE_ELEVATION:
        return SolarDay(None, float(transit), None, "day")
    # One of the two midnights may be bright at the edge of the polar day.
    rise = None if low > RISE_ELEVATION else _crossing(first, transit, place)
    sets = None if high > RISE_ELEVATION else _crossing(last, transit, place)
    return SolarDay(rise, float(transit), sets)


def _crossing(below: float, above: float, place: Place) -> float:
    """Return the instant between two at which the sun's centre passes `RISE_ELEVATION`."""
    for _ in range(20):
        middle = (below + above) / 2
        elevation = sun_positions(np.array([middle]), place).elevation_true[0]
        below, above = (middle, above) if elevation < RISE_ELEVATION else (below, middle)
    return (below + above) / 2


# -- the year ----------------------------------------------------------------------------------


def solar_longitude(times: AnyArray) -> FloatArray:
    """Return the apparent geocentric longitude of the sun, degrees in 0..360, at instants."""
    from pvlib import spa

    times = np.atleast_1d(np.asarray(times, dtype=np.float64))
    ephemeris_day = spa.julian_ephemeris_day(spa.julian_day(times), delta_t(times))
    century = spa.julian_ephemeris_century(ephemeris_day)
    millennium = spa.julian_ephemeris_millennium(century)
    arguments = (
        spa.mean_elongation(century),
        spa.mean_anomaly_sun(century),
        spa.mean_anomaly_moon(century),
        spa.moon_argument_latitude(century),
        spa.moon_ascending_longitude(century),
    )
    nutation = np.empty((2, len(times)))
    spa.longitude_obliquity_nutation(century, *arguments, nutation)
    aberration = spa.aberration_correction(spa.heliocentric_radius_vector(millennium))
    geometric = spa.geocentric_longitude(spa.heliocentric_longitude(millennium))
    longitude = spa.apparent_sun_longitude(geometric, nutation[0], aberration)
    result: FloatArray = np.asarray(longitude) % 360.0
    return result


def instant_of_longitude(year: int, longitude: float) -> float:
    """Return the instant in a calendar year at which the sun reaches an apparent longitude.

    Longitudes from 281 to 360 degrees belong to the weeks before the March equinox.
    """
    _check_year(year)
    turn = longitude if longitude < 281.0 else longitude - 360.0
    rate = 360.0 / (365.2422 * DAY)
    instant = midnight(date(year, 3, 20)) + DAY / 2 + turn / rate
    for _ in range(6):
        ahead = (float(solar_longitude(np.array([instant]))[0]) - longitude + 180.0) % 360.0 - 180.0
        instant -= ahead / rate
    return instant


def standard_day(name: str, year: int, zone: tzinfo) -> tuple[float, date]:
    """Return the instant of a standard day and its astronomical date in a time zone.

    Parameters
    ----------
    name : str
        A key of `STANDARD_DAYS`.
    """
    instant = instant_of_longitude(year, STANDARD_DAYS[name][0])
    return instant, civil_time(instant, zone).date()


def _check_year(year: int) -> None:
    if not FIRST_YEAR < year <= LAST_YEAR:
        delta_t(np.array([np.inf]))
