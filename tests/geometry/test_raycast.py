"""Embree's answers in float64, against all triangles one by one."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.core.errors import CancelledError
from plumbline.core.feedback import Feedback
from plumbline.geometry.raycast import EmbreeCaster, heights_from_above
from plumbline.geometry.rays import ray_triangles

FAR = np.array([40_534_200.0, 3_993_400.0, 30.0])


@pytest.mark.parametrize("seed", range(4))
def test_random_rays_agree_with_every_triangle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 100, (400, 1, 3)) + rng.normal(0, 6, (400, 3, 3)) + FAR
    caster = EmbreeCaster(corners.reshape(-1, 3), np.arange(1200).reshape(-1, 3))
    origins = rng.uniform(-50, 150, (2000, 3)) + FAR
    directions = rng.normal(size=(2000, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    distance, triangle = caster.first_hits(origins, directions)
    hits = 0
    for o, d, found, index in zip(origins, directions, distance, triangle, strict=True):
        t = ray_triangles(o, d, corners)
        t[t < 0] = np.inf
        assert found == pytest.approx(t.min(), abs=1e-6)
        if np.isfinite(found):
            hits += 1
            assert t[index] == pytest.approx(found, abs=1e-9)
        else:
            assert index == -1
    assert hits > 200


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a square of n × n cells, two triangles each, waving."""
    x, y = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0))
    z = np.sin(x / 3) * np.cos(y / 4)
    points = np.column_stack([x.ravel(), y.ravel(), z.ravel()]) + FAR
    a = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    one, two = np.column_stack([a, a + 1, a + n + 2]), np.column_stack([a, a + n + 2, a + n + 1])
    return points, np.concatenate([one, two])


def test_plumb_lines_through_vertices_edges_and_the_border_never_slip_through() -> None:
    points, triangles = grid(30)
    caster = EmbreeCaster(points, triangles)
    found = heights_from_above(caster, points[:, :2], FAR[2] + 50)
    assert found == pytest.approx(points[:, 2], abs=1e-6)
    middles = points[triangles[:, [0, 1]]].mean(axis=1)
    assert heights_from_above(caster, middles[:, :2], FAR[2] + 50) == pytest.approx(
        middles[:, 2], abs=1e-6
    )


def test_heights_inside_triangles_are_those_of_their_planes() -> None:
    points, triangles = grid(30)
    share = np.random.default_rng(3).dirichlet([1, 1, 1], len(triangles))
    inside = np.einsum("nk,nkd->nd", share, points[triangles])
    found = heights_from_above(EmbreeCaster(points, triangles), inside[:, :2], FAR[2] + 50)
    assert found == pytest.approx(inside[:, 2], abs=1e-6)


def test_beside_the_mesh_there_is_nothing() -> None:
    points, triangles = grid(3)
    caster = EmbreeCaster(points, triangles)
    away = points[:, :2] + 10
    assert np.isnan(heights_from_above(caster, away, FAR[2] + 50)).all()
    empty = EmbreeCaster(points, triangles[:0])
    assert np.isnan(heights_from_above(empty, away, FAR[2] + 50)).all()


def test_casting_can_be_cancelled() -> None:
    points, triangles = grid(3)
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        heights_from_above(EmbreeCaster(points, triangles), points[:, :2], 99, feedback)
