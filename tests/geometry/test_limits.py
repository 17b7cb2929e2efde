"""Heights above limits against brute force and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plumbline.geometry.limits import cone, excess_over, lowest_on_grid


def prism(x: float, y: float, size: float, top: float) -> np.ndarray:
    """Return the roof and walls of a square block."""
    a, b, c, d = ((x, y), (x + size, y), (x + size, y + size), (x, y + size))
    low = [np.array([*p, 0.0]) for p in (a, b, c, d)]
    high = [np.array([*p, top]) for p in (a, b, c, d)]
    faces = [(high[0], high[1], high[2]), (high[0], high[2], high[3])]
    for i in range(4):
        j = (i + 1) % 4
        faces += [(low[i], low[j], high[j]), (low[i], high[j], high[i])]
    return np.array(faces)


def test_a_block_under_a_sloping_limit() -> None:
    # Limit z = 10 + 0.1 x over 0..100; blocks 20 m high with their lowest limit at their west side.
    limit = np.array(
        [[[0, -50, 10], [100, -50, 20], [100, 50, 20]], [[0, -50, 10], [100, 50, 20], [0, 50, 10]]],
        dtype=float,
    )
    corners = np.concatenate([prism(x, -5, 10, 20) for x in (-30.0, -4.0, 40.0, 96.0)])
    owner = np.repeat(np.arange(4), len(corners) // 4)
    found = excess_over(corners, owner, limit)
    assert found.body.tolist() == [1, 2, 3]
    # The second begins before the limit does: there it is highest, at x = 0.
    assert found.height == pytest.approx([10.0, 6.0, 0.4])
    assert found.place[0, 0] == pytest.approx(0.0)
    assert found.place[1, 0] == pytest.approx(40.0)


def test_it_agrees_with_dense_sampling() -> None:
    rng = np.random.default_rng(3)
    upper = rng.uniform(0, 10, (60, 3, 3))
    lower = rng.uniform(0, 10, (8, 3, 3))
    found = excess_over(upper, np.arange(60), lower)
    known = dict(zip(found.body.tolist(), found.height.tolist(), strict=True))
    u, v = rng.uniform(size=(2, 40_000))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    for n, triangle in enumerate(upper):
        a, b, c = triangle
        points = a + u[:, None] * (b - a) + v[:, None] * (c - a)
        best = -np.inf
        for one in lower:
            p, q, r = one
            s = np.linalg.solve(np.column_stack([q - p, r - p])[:2], (points - p)[:, :2].T)
            inside = (s >= 0).all(axis=0) & (s.sum(axis=0) <= 1)
            if inside.any():
                below = p[2] + s[0] * (q - p)[2] + s[1] * (r - p)[2]
                best = max(best, float((points[:, 2] - below)[inside].max()))
        if np.isfinite(best):
            assert known[n] >= best - 1e-9
            assert known[n] == pytest.approx(best, abs=0.5)
    assert len(known) > 40


def test_the_order_of_things_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    upper, owner = rng.uniform(0, 10, (300, 3, 3)), rng.integers(0, 30, 300)
    lower = rng.uniform(0, 10, (20, 3, 3))
    one = excess_over(upper, owner, lower)
    order = rng.permutation(300)
    two = excess_over(upper[order], owner[order], lower[rng.permutation(20)])
    assert one.body.tolist() == two.body.tolist()
    assert one.height == pytest.approx(two.height)


def test_a_limit_may_follow_the_ground() -> None:
    limit = np.array([[[-100, -100, 24], [100, -100, 24], [0, 200, 24]]], dtype=float)
    block = prism(-5, -5, 10, 40)
    found = excess_over(block, np.zeros(len(block), int), limit, lambda xy: 0.5 * xy[:, 0] + 8)
    # Ground at the west side: 5.5; limit there 29.5.
    assert found.height == pytest.approx([10.5])


def test_a_cone_is_flat_to_a_millimetre() -> None:
    pieces = cone((100.0, 50.0), 45.0, 0.05, (4000.0, 6000.0))
    rng = np.random.default_rng(1)
    azimuth, radius = rng.uniform(0, 2 * np.pi, 500), rng.uniform(4010, 5990, 500)
    points = np.column_stack([100 + radius * np.sin(azimuth), 50 + radius * np.cos(azimuth)])
    needles = np.zeros((500, 3, 3))
    needles[:, :, :2] = points[:, None]
    # A point is an upright triangle without width.
    found = excess_over(needles, np.arange(500), pieces)
    assert found.body.tolist() == list(range(500))
    assert -found.height == pytest.approx(45 + 0.05 * (radius - 4000), abs=1.1e-3)
    sector = cone((0, 0), 0.0, 1.0, (0.0, 10.0), (0.0, 90.0))
    assert (sector[..., :2] > -1e-9).all()
    assert sector[..., 2].max() == pytest.approx(10.0)


def test_a_grid_has_the_lowest_limit_at_cell_centres() -> None:
    flat = np.array([[[0, 0, 30], [10, 0, 30], [0, 10, 30]]], dtype=float)
    steep = np.array([[[0, 0, 20], [10, 0, 40], [0, 10, 20]]], dtype=float)
    x, y = np.arange(0.5, 12), np.arange(11.5, 0, -1)
    grid = lowest_on_grid(np.concatenate([flat, steep]), x, y)
    some_x, some_y = np.meshgrid(x, y)
    inside = some_x + some_y <= 10
    assert (np.isfinite(grid) == inside).all()
    assert grid[inside] == pytest.approx(np.minimum(30, 20 + 2 * some_x)[inside])
    top = lowest_on_grid(np.concatenate([flat, steep]), x, y, highest=True)
    assert top[inside] == pytest.approx(np.maximum(30, 20 + 2 * some_x)[inside])
    assert math.isnan(top[0, 0])
