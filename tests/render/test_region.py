"""What a part of the screen touches: against shapely on projected shapes, and behind the eye."""

from __future__ import annotations

import numpy as np
import shapely

from plumbline.core.scene import Camera
from plumbline.render.camera import project
from plumbline.render.region import cells_in

SIZE = (200, 100)
DOWN = Camera((0.0, 0.0, 100.0), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), True, 50.0)
AHEAD = Camera((0.0, -10.0, 0.0), (0.0, 0.0, 0.0))


def test_triangles_touch_like_polygons() -> None:
    random = np.random.default_rng(5)
    corners = random.uniform(-60, 60, (400, 1, 3)) + random.uniform(-25, 25, (400, 3, 3))
    lasso = shapely.Polygon([(40, 20), (160, 30), (120, 45), (150, 80), (60, 70)])
    flat = project(DOWN, corners.reshape(-1, 3), SIZE).reshape(-1, 3, 3)[..., :2]
    expected = shapely.intersects(lasso, shapely.polygons(flat))
    found = cells_in(corners, DOWN, SIZE, lasso)
    assert 50 < expected.sum() < 350
    assert np.array_equal(found, expected)


def test_a_box_within_one_large_triangle_touches_it() -> None:
    large = np.array([[(-90.0, -90.0, 0.0), (90.0, -90.0, 0.0), (0.0, 90.0, 0.0)]])
    assert cells_in(large, DOWN, SIZE, shapely.box(99, 49, 101, 51)).tolist() == [True]
    assert cells_in(large, DOWN, SIZE, shapely.box(0, 90, 5, 95)).tolist() == [False]


def test_points_and_segments() -> None:
    area = shapely.box(90, 40, 110, 60)
    points = np.array([[(0.0, 0.0, 0.0)], [(30.0, 0.0, 0.0)]])
    assert cells_in(points, DOWN, SIZE, area).tolist() == [True, False]
    crossing = np.array(
        [[(-50.0, 0.0, 0.0), (50.0, 0.0, 0.0)], [(-50.0, 30.0, 0.0), (50.0, 30.0, 0.0)]]
    )
    assert cells_in(crossing, DOWN, SIZE, area).tolist() == [True, False]


def test_what_is_behind_the_viewer_is_not_on_the_screen() -> None:
    whole = shapely.box(0, 0, *SIZE)
    before = np.array([[(-1.0, 0.0, -1.0), (1.0, 0.0, -1.0), (0.0, 0.0, 1.0)]])
    assert cells_in(before, AHEAD, SIZE, whole).tolist() == [True]
    assert cells_in(before - (0.0, 20.0, 0.0), AHEAD, SIZE, whole).tolist() == [False]
