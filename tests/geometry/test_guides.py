"""Grips on lines and planes, by closed form."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.geometry.guides import on_line, on_plane
from plumbline.geometry.rays import Ray

FAR = np.array([500_000.0, 4_000_000.0, 0.0])


def ray(origin: tuple[float, float, float], towards: tuple[float, float, float]) -> Ray:
    direction = np.array(towards) - origin
    return Ray(FAR + origin, direction / np.linalg.norm(direction))


def test_a_ray_passes_nearest_to_a_point_of_an_upright_line() -> None:
    up = np.array([0.0, 0.0, 1.0])
    found = on_line(ray((0, -100, 50), (0, 0, 30)), FAR, up)
    assert found == pytest.approx(FAR + (0, 0, 30)), "it meets the line there"
    # Past the line: the common perpendicular decides, which is level.
    beside = on_line(ray((5, -100, 50), (5, 0, 30)), FAR, up)
    assert beside == pytest.approx(FAR + (0, 0, 30))
    assert on_line(ray((0, 0, 100), (0, 0, 0)), FAR, up) is None, "straight from above"


def test_a_ray_meets_a_plane_in_front_of_the_eye() -> None:
    up = np.array([0.0, 0.0, 1.0])
    found = on_plane(ray((0, 0, 100), (30, 40, 50)), FAR, up)
    assert found == pytest.approx(FAR + (60, 80, 0))
    assert on_plane(ray((0, 0, 100), (30, 40, 150)), FAR, up) is None, "behind the eye"
    assert on_plane(ray((0, 0, 100), (30, 40, 100)), FAR, up) is None, "level"
