"""Georeference: convergence and places against published values, a second derivation, and PROJ.

GDA: ICSM, *Geocentric Datum of Australia Technical Manual*, version 2.4 (2014), chapter 5 and its
worked examples for Flinders Peak and Buninyong. The manual adds its convergence to an azimuth to
get a grid bearing, so its sign is opposite to ours.
Series: Karney 2011, *Transverse Mercator with an accuracy of a few nanometers*, J. Geodesy 85,
eq. 7-9, 11, 35 (Krüger 1912 carried to the fifth order).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from pyproj import Transformer

from plumbline.core.crs import parse_crs
from plumbline.core.errors import RefusedError
from plumbline.core.georeference import Georeference

GRS80 = (6378137.0, 1 / 298.257222101)


def dms(degrees: int, minutes: int, seconds: float) -> float:
    """Return decimal degrees; the sign is that of the degrees."""
    return math.copysign(abs(degrees) + minutes / 60 + seconds / 3600, degrees)


def krueger(
    lat: float, lon: float, meridian: float, scale: float = 1.0
) -> tuple[float, float, float]:
    """Return (easting, northing, convergence) of a transverse Mercator, no false origin."""
    a, f = GRS80
    n, e = f / (2 - f), math.sqrt(f * (2 - f))
    alpha = (
        n / 2 - 2 / 3 * n**2 + 5 / 16 * n**3 + 41 / 180 * n**4 - 127 / 288 * n**5,
        13 / 48 * n**2 - 3 / 5 * n**3 + 557 / 1440 * n**4 + 281 / 630 * n**5,
        61 / 240 * n**3 - 103 / 140 * n**4 + 15061 / 26880 * n**5,
        49561 / 161280 * n**4 - 179 / 168 * n**5,
        34729 / 80640 * n**5,
    )
    phi, lam = math.radians(lat), math.radians(lon - meridian)
    t = math.sinh(math.atanh(math.sin(phi)) - e * math.atanh(e * math.sin(phi)))
    xi = math.atan2(t, math.cos(lam))
    eta = math.asinh(math.sin(lam) / math.hypot(t, math.cos(lam)))
    terms = [(2 * j, c) for j, c in enumerate(alpha, 1)]
    north = xi + sum(c * math.sin(j * xi) * math.cosh(j * eta) for j, c in terms)
    east = eta + sum(c * math.cos(j * xi) * math.sinh(j * eta) for j, c in terms)
    p = 1 + sum(j * c * math.cos(j * xi) * math.cosh(j * eta) for j, c in terms)
    q = sum(j * c * math.sin(j * xi) * math.sinh(j * eta) for j, c in terms)
    gamma = math.atan(t / math.hypot(1, t) * math.tan(lam)) + math.atan2(q, p)
    radius = scale * a / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    return radius * east, radius * north, math.degrees(gamma)


@pytest.mark.parametrize(
    ("zone", "easting", "northing", "lat", "lon", "convergence"),
    [
        (55, 273741.297, 5796489.777, (-37, 57, 3.7203), (144, 25, 29.5244), (-1, 35, 3.65)),
        (55, 228854.052, 5828259.038, (-37, 39, 10.1561), (143, 55, 35.3839), (-1, 52, 43.22)),
        (54, 758173.797, 5828674.340, (-37, 39, 10.1561), (143, 55, 35.3839), (1, 47, 19.36)),
    ],
    ids=["Flinders Peak", "Buninyong", "Buninyong from the west"],
)
def test_published_convergence(
    zone: int,
    easting: float,
    northing: float,
    lat: tuple[int, int, float],
    lon: tuple[int, int, float],
    convergence: tuple[int, int, float],
) -> None:
    georeference = Georeference.from_text(f"EPSG:{28300 + zone}")
    place = georeference.geographic(easting, northing)
    assert place == pytest.approx((dms(*lon), dms(*lat)), abs=2e-8)  # 1 mm on the ground
    ours = georeference.convergence(easting, northing)
    assert -ours == pytest.approx(dms(*convergence), abs=0.005 / 3600 + 1e-9)


@pytest.mark.parametrize(
    ("lat", "lon"), [(36.1, 120.5), (40.0, 118.5), (18.2, 121.4), (53.0, 119.0)]
)
def test_chinese_zone_against_the_series(lat: float, lon: float) -> None:
    east, north, gamma = krueger(lat, lon, 120.0)
    georeference = Georeference.from_text("EPSG:4549")
    x, y = 500000 + east, north
    assert georeference.geographic(x, y) == pytest.approx((lon, lat), abs=1e-9)
    assert georeference.convergence(x, y) == pytest.approx(gamma, abs=1e-8)
    # Positive in the north-east of the central meridian: grid north lies east of true north.
    assert georeference.convergence(x, y) * (lon - 120) > 0


@pytest.mark.parametrize(
    ("code", "x", "y"),
    [
        ("EPSG:4549", 545000.0, 3996754.0),
        ("EPSG:28992", 85000.0, 446000.0),  # oblique stereographic
        ("EPSG:28992+5709", 85000.0, 446000.0),  # with heights
        ("EPSG:2994", 637000.0, 850000.0),  # Lambert, international feet
        ("EPSG:9897", 77000.0, 75000.0),
        ("EPSG:27572", 700000.0, 2428000.0),  # grads from Paris
        ("EPSG:32760", 729013.0, 9063992.0),  # south of the equator
    ],
)
def test_convergence_is_the_direction_of_the_meridian_on_the_grid(
    code: str, x: float, y: float
) -> None:
    crs = parse_crs(code)
    plane = crs.sub_crs_list[0] if crs.is_compound else crs
    forward = Transformer.from_crs(plane.geodetic_crs, plane, always_xy=True)
    lon, lat = forward.transform(x, y, direction="INVERSE")
    south, north = forward.transform(lon, lat - 1e-5), forward.transform(lon, lat + 1e-5)
    meridian = math.degrees(math.atan2(north[0] - south[0], north[1] - south[1]))
    # azimuth_true = azimuth_grid + convergence, and the meridian's true azimuth is 0.
    convergence = Georeference(crs).convergence(x, y)
    assert meridian + convergence == pytest.approx(0, abs=1e-5)


def test_geographic_counts_degrees_from_greenwich() -> None:
    # Longitude of the Paris meridian, EPSG 8903: 2.5969213 grads = 2.33722917 degrees.
    lon, lat = Georeference.from_text("EPSG:27572").geographic(600000, 2427000)
    assert lon == pytest.approx(2.33722917, abs=1e-6)
    assert 48.5 < lat < 49.2


def test_geographic_crs_has_no_convergence() -> None:
    georeference = Georeference.from_text("EPSG:4490")
    assert georeference.convergence(120.5, 36.1) == 0
    assert georeference.geographic(120.5, 36.1) == pytest.approx((120.5, 36.1))


@pytest.mark.parametrize("crs", [None, 'LOCAL_CS["site",UNIT["metre",1]]'])
def test_without_the_earth_it_refuses(crs: str | None) -> None:
    georeference = Georeference.from_text(crs)
    with pytest.raises(RefusedError, match="earth"):
        georeference.convergence(0, 0)
    with pytest.raises(RefusedError):
        georeference.geographic(0, 0)


def test_local_and_back_is_exact_in_float64() -> None:
    georeference = Georeference.from_text("EPSG:4549", (40512300.0, 4001200.0, 0.0))
    points = np.array([[40512345.0625, 4001234.03125, 12.015625]])
    local = georeference.to_local(points)
    assert local.dtype == np.float64
    np.testing.assert_array_equal(local, [[45.0625, 34.03125, 12.015625]])
    np.testing.assert_array_equal(georeference.to_project(local), points)
    whole = georeference.to_local(np.array([[40512301, 4001201, 1]], dtype=np.int32))
    np.testing.assert_array_equal(whole, [[1.0, 1.0, 1.0]])
