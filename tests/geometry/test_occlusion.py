"""Segments against triangles: blocked, first, all; the earth's curvature in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.core.errors import CancelledError, RefusedError
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.geometry.curvature import apparent_points, curvature_drop, earth_radius
from plumbline.geometry.occlusion import all_between, blocked, first_along, first_between
from plumbline.geometry.raycast import EmbreeCaster
from plumbline.geometry.rays import ray_triangles


def walls(*places: float) -> EmbreeCaster:
    """Return upright squares of 10 m across the x axis at the places, two triangles each."""
    square = np.array([[0, -5, -5], [0, 5, -5], [0, 5, 5], [0, -5, 5]], float)
    points = np.concatenate([square + [x, 0, 0] for x in places])
    cells = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * n for n in range(len(places))])
    return EmbreeCaster(points, cells)


def test_random_segments_agree_with_every_triangle_on_any_number_of_threads() -> None:
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, 100, (300, 1, 3)) + rng.normal(0, 6, (300, 3, 3))
    caster = EmbreeCaster(corners.reshape(-1, 3), np.arange(900).reshape(-1, 3))
    starts, ends = rng.uniform(0, 100, (2, 3000, 3))
    distance, triangle = first_between(caster, starts, ends)
    crossings = all_between(caster, starts, ends)
    for n in range(len(starts)):
        way = ends[n] - starts[n]
        t = ray_triangles(starts[n], way, corners)
        inside = np.sort(t[(t > 0) & (t < 1)]) * np.linalg.norm(way)
        mine = crossings.distance[crossings.segment == n]
        assert mine == pytest.approx(inside, abs=1e-6)
        assert distance[n] == pytest.approx(inside[0] if len(inside) else np.inf, abs=1e-6)
    assert crossings.complete.all()
    assert 500 < np.isfinite(distance).sum() < 2900
    assert np.array_equal(triangle >= 0, np.isfinite(distance))
    # Float32 alone: the same but for segments that pass an edge within its resolution.
    assert np.array_equal(blocked(caster, starts, ends), triangle >= 0)
    for threads in (1, 3):
        assert np.array_equal(blocked(caster, starts, ends, threads=threads), triangle >= 0)
        again = first_between(caster, starts, ends, threads=threads)
        assert np.array_equal(again[0], distance)


def test_triangles_at_the_ends_do_not_block_and_the_rest_come_in_order() -> None:
    caster = walls(0, 10, 20, 30)
    start, end = np.array([0.0, 1.0, 2.0]), np.array([30.0, 1.0, 2.0])
    distance, triangle = first_between(caster, start, end)
    assert distance == pytest.approx([10])
    assert triangle[0] // 2 == 1
    assert all_between(caster, start, end).distance == pytest.approx([10, 20])
    some = all_between(caster, start, end, limit=1)
    assert some.distance == pytest.approx([10])
    assert not some.complete.any()
    free, none = first_between(caster, start, np.array([9.0, 1.0, 2.0]))
    assert np.isinf(free).all()
    assert none.tolist() == [-1]


def test_a_place_of_no_length_is_free() -> None:
    here = np.array([5.0, 0.0, 0.0])
    assert np.isinf(first_between(walls(0, 10), here, here)[0]).all()


def test_rays_beside_everything_meet_nothing() -> None:
    directions = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    distance, triangle = first_along(walls(10), np.zeros(3), directions)
    assert distance.tolist() == [10, np.inf, np.inf]
    assert triangle[1:].tolist() == [-1, -1]


def test_asking_can_be_cancelled() -> None:
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        blocked(walls(10), np.zeros(3), np.ones((4, 3)), feedback)


@pytest.mark.parametrize(
    ("distance", "plain", "refracted"),
    # d² / 2R and 0.87 of it for R = 6 371 km: 7.85 cm a kilometre squared, as every handbook says.
    [(1e3, 0.0784806, 0.0682782), (1e4, 7.84806, 6.82782), (5e4, 196.2015, 170.6953)],
)
def test_the_earth_falls_away_by_the_formula(
    distance: float, plain: float, refracted: float
) -> None:
    assert curvature_drop(distance, 6_371_000.0, 0.0) == pytest.approx(plain, rel=1e-6)
    assert curvature_drop(distance, 6_371_000.0) == pytest.approx(refracted, rel=1e-6)
    assert curvature_drop(distance, np.inf) == 0


def test_the_drop_is_that_of_a_sphere() -> None:
    """Against the sphere itself, R (sec d/R - 1): the formula leaves 5/24 d⁴/R³."""
    radius = 6_371_000.0
    for distance in (1e3, 1e4, 5e4):
        sphere = radius * (1 / np.cos(distance / radius) - 1)
        rest = 5 / 24 * distance**4 / radius**3
        found = float(curvature_drop(distance, radius, 0.0))
        assert sphere - found == pytest.approx(rest, rel=0.01, abs=1e-8)


def test_the_radius_follows_the_ellipsoid() -> None:
    """WGS 84: b² / a at the equator across both, a² / b at the pole (Gauss)."""
    a, f = 6_378_137.0, 1 / 298.257223563
    b = a * (1 - f)
    equator = Georeference.from_text("EPSG:32631")
    assert earth_radius(equator, 500_000, 0.0) == pytest.approx(b, rel=1e-9)
    pole = Georeference.from_text("EPSG:32661")
    assert earth_radius(pole, 2_000_000, 2_000_000) == pytest.approx(a**2 / b, rel=1e-9)
    with pytest.raises(RefusedError):
        earth_radius(Georeference(), 0, 0)


def test_points_appear_lower_the_farther_they_are() -> None:
    points = np.array([[0.0, 0, 50], [10_000, 0, 50], [6_000, 8_000, 50]])
    seen = apparent_points(points, [0.0, 0.0], 6_371_000.0, 0.0)
    assert seen[:, 2] == pytest.approx([50, 50 - 7.84806, 50 - 7.84806], abs=1e-5)
    assert np.array_equal(seen[:, :2], points[:, :2])
