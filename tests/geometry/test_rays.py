"""Rays against closed forms, at coordinates as large as those of a city in EPSG:4549."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.geometry.rays import (
    HeightField,
    PointSet,
    Ray,
    SegmentSet,
    TriangleSet,
    nearest_on_segments,
    ray_triangles,
)

#: A place near Qingdao in EPSG:4549.
PLACE = np.array([555_123.456, 3_990_987.654, 31.25])
TOLERANCE = 1e-6


def unit(*v: float) -> np.ndarray:
    vector = np.array(v, dtype=np.float64)
    return vector / np.linalg.norm(vector)


def test_triangle_is_hit_where_its_plane_is() -> None:
    vertices = PLACE + np.array([[0, 0, 0], [40, 3, 5], [-6, 37, 9]], dtype=np.float64)
    surface = TriangleSet(vertices, np.array([[0, 1, 2]]))
    inside = vertices.mean(axis=0)
    direction = unit(0.3, -0.5, -0.7)
    hit = surface.hit(Ray(inside - 1234.5 * direction, direction))
    assert hit is not None
    assert np.abs(hit.position - inside).max() < TOLERANCE
    assert hit.t == pytest.approx(1234.5, abs=TOLERANCE)
    normal = np.cross(vertices[1] - vertices[0], vertices[2] - vertices[0])
    assert abs(hit.normal @ (normal / np.linalg.norm(normal))) == pytest.approx(1)
    assert hit.normal @ direction < 0


def test_no_ray_slips_between_triangles() -> None:
    """A fan of thin triangles is hit exactly at its spokes and its hub."""
    angles = np.linspace(0, 2 * np.pi, 38)[:-1]
    rim = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(37)]) * 50
    vertices = PLACE + np.vstack([[[0, 0, 0]], rim])
    fan = np.array([[0, 1 + n, 1 + (n + 1) % 37] for n in range(37)])
    surface = TriangleSet(vertices, fan)
    direction = unit(0.2, 0.1, -1)
    for spoke in range(37):
        for share in (0.0, 0.1, 0.5, 0.9):
            aim = vertices[0] * (1 - share) + vertices[1 + spoke] * share
            hit = surface.hit(Ray(aim - 777.0 * direction, direction))
            assert hit is not None, (spoke, share)
            assert np.abs(hit.position - aim).max() < TOLERANCE


def test_many_triangles_give_the_same_as_all_of_them_at_once() -> None:
    rng = np.random.default_rng(3)
    centers = PLACE + rng.uniform(-300, 300, (20_000, 3))
    corners = centers[:, None] + rng.normal(0, 4, (20_000, 3, 3))
    surface = TriangleSet(corners.reshape(-1, 3), np.arange(60_000).reshape(-1, 3))
    met = 0
    for _ in range(200):
        origin = PLACE + rng.uniform(-600, 600, 3)
        direction = unit(*(PLACE + rng.uniform(-200, 200, 3) - origin))
        every = ray_triangles(origin, direction, corners)
        every[every < 0] = np.inf
        hit = surface.hit(Ray(origin, direction))
        if not np.isfinite(every.min()):
            assert hit is None
            continue
        met += 1
        assert hit is not None
        assert hit.primitive == int(np.argmin(every))
        assert hit.t == pytest.approx(float(every.min()), abs=TOLERANCE)
    assert met > 50


def test_degenerate_triangles_are_no_hit() -> None:
    vertices = PLACE + np.array([[0, 0, 0], [10, 0, 0], [20, 0, 0]], dtype=np.float64)
    surface = TriangleSet(vertices, np.array([[0, 1, 2], [1, 1, 1]]))
    assert surface.hit(Ray(PLACE + (5, 0, 50), unit(0, 0, -1))) is None


def test_empty_sets_are_never_hit() -> None:
    ray = Ray(PLACE, unit(1, 0, 0), 0.1)
    none = np.empty((0, 3))
    assert TriangleSet(none, np.empty((0, 3), dtype=int)).hit(ray) is None
    assert PointSet(none, 3).hit(ray) is None
    assert SegmentSet(np.empty((0, 2, 3)), 3).hit(ray) is None


def test_nearest_point_in_the_cone_wins() -> None:
    direction = unit(1, 2, -0.5)
    side = unit(2, -1, 0)
    along = np.array([400.0, 250.0, 300.0, 100.0])
    # A pixel is 0.5 mm per metre: three points are within 4 pixels, the last one is far off.
    away = np.array([0.1, 0.3, 0.0, 5.0])
    points = PLACE + along[:, None] * direction + away[:, None] * side
    hit = PointSet(points, 4.0).hit(Ray(PLACE, direction, 0.0, 0.0005))
    assert hit is not None
    assert hit.primitive == 1
    assert np.array_equal(hit.position, points[1])


def test_point_cloud_agrees_with_testing_every_point() -> None:
    rng = np.random.default_rng(5)
    points = PLACE + rng.uniform(-200, 200, (50_000, 3)) * (1, 1, 0.1)
    cloud = PointSet(points, 3.0)
    for _ in range(100):
        origin = PLACE + rng.uniform(-100, 100, 3) + (0, 0, 600)
        direction = unit(*(PLACE + rng.uniform(-150, 150, 3) * (1, 1, 0) - origin))
        ray = Ray(origin, direction, 0.0, 0.0006)
        t = (points - origin) @ direction
        away = np.linalg.norm(points - origin - t[:, None] * direction, axis=1)
        inside = np.nonzero((away <= 3 * 0.0006 * t) & (t > 0))[0]
        hit = cloud.hit(ray)
        if len(inside) == 0:
            assert hit is None
        else:
            assert hit is not None
            assert hit.primitive == inside[np.argmin(t[inside])]


def test_segment_gives_the_point_on_its_axis() -> None:
    a, b = PLACE + (0, 0, -2), PLACE + (100, 20, -3)
    aim = a + 0.37 * (b - a)
    direction = unit(0.1, 0.4, -0.8)
    # The ray passes the axis at the common perpendicular, 3 cm away.
    across = np.cross(b - a, direction)
    origin = aim - 500 * direction + 0.03 * across / np.linalg.norm(across)
    hit = SegmentSet(np.array([[a, b]]), 3.0).hit(Ray(origin, direction, 0.02))
    assert hit is not None
    assert np.abs(hit.position - aim).max() < TOLERANCE
    assert SegmentSet(np.array([[a, b]]), 1.0).hit(Ray(origin, direction, 0.02)) is None


def test_nearest_on_segments_stops_at_the_ends() -> None:
    ends = np.array([[[0.0, 0, 0], [1, 0, 0]]])
    points, t = nearest_on_segments(np.array([5.0, 0, 10]), np.array([0.0, 0, -1]), ends)
    assert points[0] == pytest.approx([1, 0, 0])
    assert t[0] == pytest.approx(10)


TRANSFORM = (2.0, 0.0, PLACE[0], 0.0, -2.0, PLACE[1])


def plane_field(rows: int = 60, cols: int = 80) -> tuple[HeightField, np.ndarray]:
    """A tilted plane: bilinear patches reproduce it exactly."""
    col, row = np.meshgrid(np.arange(cols) + 0.5, np.arange(rows) + 0.5)
    x, y = PLACE[0] + 2 * col, PLACE[1] - 2 * row
    slope = np.array([0.13, -0.07])
    z = 20 + slope[0] * (x - PLACE[0]) + slope[1] * (y - PLACE[1])
    return HeightField(z, TRANSFORM), slope


def test_height_field_gives_the_plane_it_samples() -> None:
    field, slope = plane_field()
    rng = np.random.default_rng(1)
    for _ in range(100):
        xy = PLACE[:2] + rng.uniform((2, -118), (158, -2))
        z = 20 + slope @ (xy - PLACE[:2])
        aim = np.array([*xy, z])
        direction = unit(*rng.uniform(-1, 1, 2), -rng.uniform(0.2, 1))
        hit = field.hit(Ray(aim - 300 * direction, direction))
        assert hit is not None
        assert np.abs(hit.position - aim).max() < TOLERANCE
        assert hit.normal == pytest.approx(unit(-slope[0], -slope[1], 1.0), abs=1e-9)


def test_height_field_solves_the_curved_patch() -> None:
    """One cell z = u v, whose bilinear interpolation is itself, crossed along its diagonal."""
    field = HeightField(np.array([[0.0, 0.0], [0.0, 1.0]]), (1, 0, 0, 0, 1, 0))
    # In cell coordinates u = v = s along the diagonal: the height is s squared.
    origin, direction = np.array([0.5, 0.5, 0.25]), unit(1, 1, 0)
    hit = field.hit(Ray(origin, direction))
    assert hit is not None
    assert hit.position == pytest.approx([1.0, 1.0, 0.25], abs=1e-12)


def test_vertical_and_level_rays() -> None:
    field, slope = plane_field()
    xy = PLACE[:2] + (31.7, -40.3)
    z = 20 + slope @ (xy - PLACE[:2])
    down = field.hit(Ray(np.array([*xy, 900.0]), unit(0, 0, -1)))
    assert down is not None
    assert down.position == pytest.approx([*xy, z], abs=TOLERANCE)
    level = field.hit(Ray(np.array([PLACE[0] - 50, xy[1], z]), unit(1, 0, 0)))
    assert level is not None
    assert level.position == pytest.approx([*xy, z], abs=TOLERANCE)


def test_rays_pass_holes_and_the_outside() -> None:
    field, _ = plane_field()
    field.heights[20:25, 30:35] = np.nan
    hole = PLACE[:2] + (2 * 32.5, -2 * 22.5)
    assert field.hit(Ray(np.array([*hole, 900.0]), unit(0, 0, -1))) is None
    assert field.hit(Ray(PLACE + (-30, 0, 900), unit(0, 0, -1))) is None
    assert field.hit(Ray(PLACE + (50, -50, 900), unit(0, 0, 1))) is None


def test_first_crossing_wins_over_a_later_one() -> None:
    """Across two ridges the nearer one is met."""
    col = np.arange(101)
    ridge = np.exp(-(((col - 30) / 5) ** 2)) * 20 + np.exp(-(((col - 70) / 5) ** 2)) * 40
    field = HeightField(np.tile(ridge, (11, 1)), (1, 0, 0, 0, 1, 0))
    hit = field.hit(Ray(np.array([-10.0, 5.5, 10.0]), unit(1, 0, 0)))
    assert hit is not None
    assert 25 < hit.position[0] < 31


def test_sampling_is_bilinear_and_nan_outside() -> None:
    field, slope = plane_field()
    xy = PLACE[:2] + np.array([[10.0, -10.0], [33.3, -77.7], [-5.0, -5.0], [400.0, -5.0]])
    z = field.sample(xy)
    expected = 20 + (xy - PLACE[:2]) @ slope
    assert z[:2] == pytest.approx(expected[:2], abs=1e-9)
    assert np.isnan(z[2:]).all()
    assert np.isfinite(field.sample_clamped(xy)).all()
