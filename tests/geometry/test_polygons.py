"""Rings and triangles of polygons against their areas."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import affinity

from plumbline.geometry.polygons import rings_of, triangulate

SQUARE = shapely.box(0, 0, 10, 10)
COURT = shapely.Polygon(
    [(0, 0), (30, 0), (30, 30), (0, 30)],
    [[(5, 5), (5, 25), (25, 25), (25, 5)], [(1, 1), (2, 1), (2, 2)]],
)
ELL = shapely.Polygon([(0, 0), (20, 0), (20, 10), (10, 10), (10, 20), (0, 20)])
CLOCKWISE = shapely.Polygon([(0, 0), (0, 7), (9, 7), (9, 0)])
MANY = shapely.MultiPolygon([affinity.translate(SQUARE, 100, 0), affinity.translate(ELL, 200, 0)])
STAR = shapely.Polygon(
    [(np.cos(a) * r, np.sin(a) * r) for a, r in zip(np.arange(10) * 0.628, [9, 3] * 5, strict=True)]
)


def areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, n]] for n in range(3))
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


def test_triangles_have_the_area_of_each_feature() -> None:
    shapes = [SQUARE, COURT, ELL, CLOCKWISE, MANY, STAR]
    placed = np.array(
        [affinity.translate(s, 555_000 + 50 * n, 3_990_000) for n, s in enumerate(shapes)]
    )
    rings = rings_of(placed, np.arange(len(placed)))
    triangles, owner = triangulate(rings)
    area = areas(rings.points, triangles)
    assert (area >= 0).all(), "counterclockwise"
    sums = np.bincount(owner, area, minlength=len(placed))
    assert sums == pytest.approx(shapely.area(placed), abs=1e-6)


def test_a_pentagram_is_not_taken_for_convex() -> None:
    """It turns left at every corner, but twice around."""
    angles = np.arange(5) * 4 * np.pi / 5
    star = shapely.Polygon(np.column_stack([np.cos(angles), np.sin(angles)]) * 10)
    rings = rings_of(np.array([star]), np.array([0]))
    triangles, _ = triangulate(rings)
    assert areas(rings.points, triangles).sum() < 300


def test_repeated_and_closing_points_are_left_out() -> None:
    ring = shapely.Polygon([(0, 0), (4, 0), (4, 0), (4, 3), (0, 3), (0, 0)])
    rings = rings_of(np.array([ring]), np.array([7]))
    assert len(rings.points) == 4
    start, end = rings.segments()
    lengths = np.linalg.norm(rings.points[end] - rings.points[start], axis=1)
    assert sorted(lengths) == pytest.approx([3, 3, 4, 4])
    assert set(rings.point_feature) == {7}


def test_corners_are_where_a_wall_turns() -> None:
    wall = shapely.Polygon([(0, 0), (5, 0), (10, 0.01), (10, 10), (0, 10)])
    assert len(rings_of(np.array([wall]), np.array([0])).corners()) == 4


def test_other_geometries_and_empty_ones_give_nothing() -> None:
    mixed = np.array([shapely.Point(1, 1), shapely.LineString([(0, 0), (1, 1)]), shapely.Polygon()])
    rings = rings_of(mixed, np.arange(3))
    triangles, owner = triangulate(rings)
    assert len(triangles) == len(owner) == 0


def test_taking_some_rings_keeps_polygons_whole() -> None:
    rings = rings_of(np.array([COURT, SQUARE]), np.array([3, 9]))
    kept = rings.take(rings.feature == 3)
    triangles, owner = triangulate(kept)
    assert areas(kept.points, triangles).sum() == pytest.approx(COURT.area)
    assert set(owner) == {3}
