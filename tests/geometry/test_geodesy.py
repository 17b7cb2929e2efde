"""Units and geodesics of project CRS, checked against PROJ's own answers."""

import math

import numpy as np
import pytest
from pyproj import CRS, Geod, Transformer

from plumbline.core.errors import RefusedError
from plumbline.core.georeference import Georeference
from plumbline.geometry.geodesy import crs_units, geodesic


@pytest.mark.parametrize(
    ("crs", "horizontal", "vertical", "stated"),
    [
        ("EPSG:4549", 1.0, 1.0, False),
        ("EPSG:2994", 0.3048, 0.3048, False),
        ("EPSG:2229", 1200 / 3937, 1200 / 3937, False),
        ("EPSG:28992+5709", 1.0, 1.0, True),
        ("EPSG:2229+5703", 1200 / 3937, 1.0, True),
        ("EPSG:4490", None, 1.0, False),
        ("EPSG:4979", None, 1.0, True),
    ],
)
def test_units(crs: str, horizontal: float | None, vertical: float, stated: bool) -> None:
    units = crs_units(CRS(crs))
    assert units.horizontal == pytest.approx(horizontal)
    assert units.vertical == pytest.approx(vertical)
    assert units.vertical_stated is stated


def test_a_plane_without_crs_is_in_metres() -> None:
    assert (crs_units(None).horizontal, crs_units(None).vertical) == (1.0, 1.0)


# The same place in CGCS2000 3-degree GK, without and with the zone prefix, and at a zone's edge.
PLACES = [
    ("EPSG:4549", 534_200.0, 3_993_400.0),
    ("EPSG:4528", 40_534_200.0, 3_993_400.0),
    ("EPSG:4549", 634_000.0, 3_993_400.0),
    ("EPSG:4528", 40_366_000.0, 3_993_400.0),
    ("EPSG:28992", 85_000.0, 447_500.0),
    ("EPSG:3007", 147_837.0, 6_398_668.0),
]


@pytest.mark.parametrize(("crs", "x", "y"), PLACES)
def test_azimuth_is_that_of_the_geodesic_on_the_ellipsoid(crs: str, x: float, y: float) -> None:
    reference = Georeference.from_text(crs)
    assert reference.crs is not None
    # Found without the inverse: walk along a geodesic, and see where its end lies on the grid.
    geographic = reference.crs.geodetic_crs
    there = Transformer.from_crs(reference.crs, geographic, always_xy=True)
    back = Transformer.from_crs(geographic, reference.crs, always_xy=True)
    ellipsoid = reference.crs.ellipsoid
    assert ellipsoid is not None
    geod = Geod(a=ellipsoid.semi_major_metre, rf=ellipsoid.inverse_flattening)
    for wanted in (0.0, 37.5, 123.0, 271.25):
        lon, lat, _ = geod.fwd(*there.transform(x, y), wanted, 800.0)
        azimuth, length = geodesic(reference, (x, y), back.transform(lon, lat))
        assert length == pytest.approx(800.0, abs=1e-6)
        assert math.remainder(azimuth - wanted, 360) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize(("crs", "x", "y"), PLACES)
def test_azimuth_is_grid_azimuth_and_convergence_on_a_short_line(
    crs: str, x: float, y: float
) -> None:
    reference = Georeference.from_text(crs)
    azimuth, _ = geodesic(reference, (x, y), (x + 10.0, y))
    assert azimuth == pytest.approx(90.0 + reference.convergence(x, y), abs=1e-4)


def test_convergence_matters_at_the_edge_of_a_zone() -> None:
    # 1.5 degrees off the central meridian at 36 N: sin(36) * 1.5 = 0.88 degrees.
    reference = Georeference.from_text("EPSG:4549")
    azimuth, _ = geodesic(reference, (634_000.0, 3_993_400.0), (634_000.0, 3_993_500.0))
    assert azimuth == pytest.approx(0.88, abs=0.02)


def test_scale_on_the_central_meridian_is_one() -> None:
    _, length = geodesic(
        Georeference.from_text("EPSG:4549"), (500_000.0, 4e6), (500_000.0, 4_001_000.0)
    )
    assert length == pytest.approx(1000.0, abs=1e-6)


@pytest.mark.parametrize("crs", [None, 'LOCAL_CS["site",UNIT["metre",1]]'])
def test_no_earth_no_geodesic(crs: str | None) -> None:
    with pytest.raises(RefusedError):
        geodesic(Georeference.from_text(crs), (0.0, 0.0), (1.0, 1.0))


def test_geodesic_is_symmetric() -> None:
    reference = Georeference.from_text("EPSG:4549")
    points = np.random.default_rng(7).uniform((4.3e5, 3e6), (5.7e5, 5e6), (20, 2, 2))
    for start, end in points:
        a = geodesic(reference, tuple(start), tuple(end))[1]
        b = geodesic(reference, tuple(end), tuple(start))[1]
        assert a == pytest.approx(b, rel=1e-12)
