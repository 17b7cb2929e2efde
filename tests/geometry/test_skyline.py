"""Skylines and skies against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plumbline.geometry.inside import winding_numbers
from plumbline.geometry.raycast import EmbreeCaster
from plumbline.geometry.sky import sky_of
from plumbline.geometry.skyline import Azimuths, skyline

ALL = Azimuths(0.0, 0.1, 3600)


def quad(a: object, b: object, c: object, d: object) -> np.ndarray:
    p = [np.array(v, float) for v in (a, b, c, d)]
    return np.array([[p[0], p[1], p[2]], [p[0], p[2], p[3]]])


def box(low: tuple[float, ...], high: tuple[float, ...]) -> np.ndarray:
    """Return the walls and the roof of a box."""
    (a, b, c), (d, e, f) = low, high
    return np.concatenate(
        [
            quad((a, b, c), (d, b, c), (d, b, f), (a, b, f)),
            quad((d, b, c), (d, e, c), (d, e, f), (d, b, f)),
            quad((d, e, c), (a, e, c), (a, e, f), (d, e, f)),
            quad((a, e, c), (a, b, c), (a, b, f), (a, e, f)),
            quad((a, b, f), (d, b, f), (d, e, f), (a, e, f)),
        ]
    )


def sphere(center: tuple[float, ...], radius: float, n: int = 200) -> np.ndarray:
    """Return a ball of small triangles whose corners lie on it."""
    lat, lon = np.linspace(-np.pi / 2, np.pi / 2, n + 1), np.linspace(0, 2 * np.pi, 2 * n + 1)
    grid = np.stack(
        [
            np.cos(lat)[:, None] * np.cos(lon),
            np.cos(lat)[:, None] * np.sin(lon),
            np.sin(lat)[:, None] + 0 * lon,
        ],
        axis=-1,
    )
    grid = grid * radius + np.array(center)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    return np.concatenate([np.stack(t, axis=-2).reshape(-1, 3, 3) for t in ((a, b, c), (a, c, d))])


def box_elevation(
    azimuth: np.ndarray, low: tuple[float, ...], high: tuple[float, ...]
) -> np.ndarray:
    """Return the skyline of a box higher than the eye: the top at its nearest wall."""
    d = np.stack([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))], axis=-1)
    with np.errstate(divide="ignore"):
        one, two = np.array(low[:2]) / d, np.array(high[:2]) / d
    near = np.minimum(one, two).max(axis=1)
    far = np.maximum(one, two).min(axis=1)
    top = np.degrees(np.arctan2(high[2], near))
    return np.where((near <= far) & (near > 0), top, np.nan)


def test_a_box_is_exact_to_rounding_in_every_azimuth() -> None:
    low, high = (-13.0, 40.0, -1.6), (21.0, 63.0, 28.4)
    found = skyline(box(low, high), ALL)
    expected = box_elevation(ALL.degrees, low, high)
    # The two azimuths along its sides may fall either way.
    assert (np.isnan(found.elevation) != np.isnan(expected)).sum() <= 2
    both = ~np.isnan(found.elevation) & ~np.isnan(expected)
    assert both.sum() > 400
    assert found.elevation[both] == pytest.approx(expected[both], abs=1e-9)
    assert found.distance[0] == pytest.approx(40.0)


def test_a_ball_has_the_outline_of_its_tangent_cone() -> None:
    center, radius = np.array([0.0, 100.0, 30.0]), 20.0
    found = skyline(sphere(tuple(center), radius, 700), Azimuths(-10, 0.05, 401))
    azimuth = np.radians(Azimuths(-10, 0.05, 401).degrees)
    # Directions u(e) that touch the ball: u · c = sqrt(|c|² - r²); the greater root in e.
    limit = math.sqrt(center @ center - radius**2)
    level = center[1] * np.cos(azimuth)
    reach = np.hypot(level, center[2])
    with np.errstate(invalid="ignore"):
        expected = np.degrees(np.arctan2(center[2], level) + np.arccos(limit / reach))
    # Its flat pieces are 0.1 m wide, so it lies within 1e-4 m of the ball: within 1e-4 degrees.
    inside = ~np.isnan(expected) & (np.abs(np.degrees(azimuth)) < 9)
    assert inside.sum() > 300
    assert found.elevation[inside] == pytest.approx(expected[inside], abs=1e-4)


def test_a_tilted_plane_is_cut_off_at_the_distance() -> None:
    # z = 0.2 y - 10: towards azimuth a it rises by 0.2 cos(a) per metre.
    plane = quad((-900, -900, -190), (900, -900, -190), (900, 900, 170), (-900, 900, 170))
    found = skyline(plane, ALL, max_distance=500.0)
    a = np.radians(ALL.degrees)
    expected = np.degrees(np.arctan2(500 * 0.2 * np.cos(a) - 10, 500.0))
    # Falling away, the plane is highest at the distance too: its angle tends to the slope.
    assert found.elevation == pytest.approx(expected, abs=1e-9)
    assert found.distance == pytest.approx(np.full(3600, 500.0))


def test_the_nearer_of_two_equally_high_counts_and_nothing_is_nothing() -> None:
    near = box((-5, 50, 0), (5, 51, 10))
    far = box((-50, 500, 0), (50, 510, 100))
    found = skyline(np.concatenate([far, near]), Azimuths(-2.0, 0.1, 41))
    assert found.triangle[20] >= len(far)
    assert found.distance[20] == pytest.approx(50.0)
    empty = skyline(near, Azimuths(90.0, 0.1, 100))
    assert np.isnan(empty.elevation).all()
    assert (empty.triangle == -1).all()


def test_what_is_overhead_covers_every_azimuth() -> None:
    roof = quad((-3, -3, 5), (4, -3, 5), (4, 6, 5), (-3, 6, 5))
    found = skyline(roof, ALL)
    assert found.elevation == pytest.approx(np.full(3600, 90.0))


# -- sky view factors --------------------------------------------------------------------------


def test_an_open_plane_sees_the_whole_sky() -> None:
    plane = quad((-900, -900, 0), (900, -900, 0), (900, 900, 0), (-900, 900, 0)) - [0, 0, 1.6]
    sky = sky_of(plane)
    assert sky.view_factor == 1.0
    assert sky.visible_share == 1.0
    assert sky.openness == pytest.approx(90, abs=0.11)  # the edge of the plane, 0.1° below
    nothing = sky_of(np.empty((0, 3, 3)))
    assert (nothing.view_factor, nothing.visible_share, nothing.openness) == (1.0, 1.0, 90.0)


def test_a_long_wall_hides_a_lune() -> None:
    height, away = 30.0, 20.0
    wall = quad((-1e6, away, -5), (1e6, away, -5), (1e6, away, height), (-1e6, away, height))
    sky = sky_of(wall)
    beta = math.atan(height / away)
    # Half-plane tilted by beta: its lune weighs (1 - cos beta) / 2 by cosine, beta / pi by angle.
    assert sky.view_factor == pytest.approx((1 + math.cos(beta)) / 2, abs=1e-4)
    assert sky.visible_share == pytest.approx(1 - beta / math.pi, abs=1e-4)
    assert abs(sky.view_factor - (1 + math.cos(beta)) / 2) <= 4 * sky.view_factor_error + 1e-5


@pytest.mark.parametrize(("a", "b", "h"), [(10.0, 10.0, 10.0), (30.0, 8.0, 15.0)])
def test_a_courtyard_agrees_with_the_form_factor_of_its_opening(
    a: float, b: float, h: float
) -> None:
    # Howell, A Catalog of Radiation Heat Transfer Configuration Factors, B-3: from a small plane to
    # a parallel rectangle with a corner above it; the centre sees four of half the size.
    x, y = a / h, b / h
    corner = (
        x / math.hypot(1, x) * math.atan(y / math.hypot(1, x))
        + y / math.hypot(1, y) * math.atan(x / math.hypot(1, y))
    ) / (2 * math.pi)
    walls = box((-a, -b, 0), (a, b, h))[:8]
    sky = sky_of(walls)
    assert sky.view_factor == pytest.approx(4 * corner, abs=2e-5)
    assert sky.view_factor_error < 1e-4
    # The solid angle of a rectangle seen from below its centre (Van Oosterom and Strackee 1983).
    solid = 4 * math.asin(a * b / math.sqrt((a * a + h * h) * (b * b + h * h)))
    assert sky.visible_share == pytest.approx(solid / (2 * math.pi), abs=2e-5)


def test_a_canopy_hides_what_is_above_it_and_not_what_is_beside_it() -> None:
    radius, height = 8.0, 5.0
    turn = np.linspace(0, 2 * np.pi, 2001)
    rim = np.column_stack([radius * np.cos(turn), radius * np.sin(turn), np.full(2001, height)])
    middle = np.broadcast_to(np.array([0.0, 0.0, height]), (2000, 3))
    sky = sky_of(np.stack([middle, rim[:-1], rim[1:]], axis=1))
    # A disk weighs sin² of its half angle; the ring of sky below it is left.
    assert sky.view_factor == pytest.approx(1 - radius**2 / (radius**2 + height**2), abs=1e-5)
    assert sky.visible_share == pytest.approx(height / math.hypot(radius, height), abs=1e-5)
    assert sky.openness == pytest.approx(0.0)


def test_the_answer_does_not_depend_on_how_things_are_cut_up() -> None:
    rng = np.random.default_rng(5)
    parts = [
        box(tuple(p), tuple(p + s))
        for p, s in zip(
            rng.uniform(-80, 80, (60, 3)) * [1, 1, 0.05], rng.uniform(3, 25, (60, 3)), strict=True
        )
    ]
    corners = np.concatenate([p for p in parts if np.abs(p[..., :2]).max(axis=(0, 1)).max() > 30])
    a, b, c = (corners[:, n] for n in range(3))
    m = (a + b) / 2
    finer = np.concatenate([np.stack([a, m, c], axis=1), np.stack([m, b, c], axis=1)])
    one, two = sky_of(corners), sky_of(finer[rng.permutation(len(finer))])
    assert two.view_factor == pytest.approx(one.view_factor, abs=1e-9)
    assert two.visible_share == pytest.approx(one.visible_share, abs=1e-9)
    lines = skyline(corners, ALL).elevation, skyline(finer, ALL).elevation
    assert np.nan_to_num(lines[0], nan=-99) == pytest.approx(np.nan_to_num(lines[1], nan=-99))


def test_winding_numbers_tell_inside_from_outside() -> None:
    closed = np.concatenate(
        [box((-3, -2, -1), (5, 4, 6)), quad((-3, -2, -1), (-3, 4, -1), (5, 4, -1), (5, -2, -1))]
    )
    owner = np.zeros(len(closed), dtype=int)
    both = np.concatenate([closed, closed - [20, 0, 0]])
    numbers = winding_numbers(both, np.r_[owner, owner + 1], 2)
    assert numbers == pytest.approx([1, 0], abs=1e-12)
    # Without its floor a box lacks the solid angle of the floor, here a known one.
    cube = box((-1, -1, -1), (1, 1, 1))
    assert winding_numbers(cube, np.zeros(len(cube), dtype=int), 1) == pytest.approx([5 / 6])


def test_it_agrees_with_rays_in_random_directions() -> None:
    rng = np.random.default_rng(11)
    parts = []
    while len(parts) < 80:
        low = rng.uniform(-70, 70, 3) * [1, 1, 0] + [0, 0, rng.choice([-1.6, 6.0])]
        high = low + rng.uniform(4, 20, 3)
        if not ((low[:2] < 1).all() and (high[:2] > -1).all()):
            parts.append(box(tuple(low), tuple(high)))
    corners = np.concatenate(parts)
    sky = sky_of(corners)
    # Directions even by the cosine from the zenith (Malley): up from even places of a disk.
    count = 200_000
    turn, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(size=count))
    up = np.sqrt(1 - radius**2)
    ways = np.column_stack([radius * np.cos(turn), radius * np.sin(turn), up])
    vertices = corners.reshape(-1, 3)
    caster = EmbreeCaster(vertices, np.arange(len(vertices)).reshape(-1, 3))
    free = caster.first_hits(np.zeros_like(ways), ways)[1] < 0
    # Four standard deviations of a share of 200,000 rays.
    assert sky.view_factor == pytest.approx(free.mean(), abs=4 * 0.5 / math.sqrt(count))
    even = rng.normal(size=(count, 3))
    even[:, 2] = np.abs(even[:, 2])
    even /= np.linalg.norm(even, axis=1)[:, None]
    free = caster.first_hits(np.zeros_like(even), even)[1] < 0
    assert sky.visible_share == pytest.approx(free.mean(), abs=4 * 0.5 / math.sqrt(count))
    assert 0.2 < sky.view_factor < 0.9
    # A hair below the skyline a ray meets something, a hair above it nothing.
    line = skyline(corners, ALL)
    azimuth, elevation = np.radians(ALL.degrees), np.radians(line.elevation)
    seen = np.flatnonzero(np.isfinite(elevation) & (line.elevation < 89))
    for shift, blocked in ((-1e-4, True), (1e-4, False)):
        e = elevation[seen] + np.radians(shift)
        level = np.cos(e)
        rays = np.column_stack(
            [level * np.sin(azimuth[seen]), level * np.cos(azimuth[seen]), np.sin(e)]
        )
        hit = caster.first_hits(np.zeros_like(rays), rays)[1] >= 0
        assert (hit == blocked).mean() > 0.999
