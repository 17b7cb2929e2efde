"""A city of boxes, as large as asked, for measuring sunlight."""

from __future__ import annotations

import numpy as np


def city(side: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a city of boxes on plots of 40 m, ten triangles each, and its footprints."""
    rng = np.random.default_rng(1)
    plots = np.stack(np.meshgrid(np.arange(0, side, 40.0), np.arange(0, side, 40.0)), -1)
    corner = plots.reshape(-1, 2)
    size = rng.uniform(12, 28, corner.shape)
    low = corner + rng.uniform(0, 1, corner.shape) * (40 - size)
    high = low + size
    top = rng.choice([12.0, 18, 24, 36, 60, 90], len(low), p=[0.25, 0.3, 0.2, 0.15, 0.07, 0.03])
    ring = np.stack(
        [low, np.stack([high[:, 0], low[:, 1]], 1), high, np.stack([low[:, 0], high[:, 1]], 1)], 1
    )
    foot = np.concatenate([ring, np.zeros((*ring.shape[:2], 1))], axis=2)
    roof = np.concatenate([ring, np.broadcast_to(top[:, None, None], (*ring.shape[:2], 1))], 2)
    faces = [(roof[:, 0], roof[:, 1], roof[:, 2], roof[:, 3])]
    faces += [
        (foot[:, n], foot[:, (n + 1) % 4], roof[:, (n + 1) % 4], roof[:, n]) for n in range(4)
    ]
    triangles = [np.stack(f, 1) for a, b, c, d in faces for f in ((a, b, c), (a, c, d))]
    return np.concatenate(triangles), np.hstack([low, high])


def ground(side: float, half: float, feet: np.ndarray) -> np.ndarray:
    """Return places 1 m apart in the middle of the city, those inside buildings left out."""
    line = np.arange(0.5, 2 * half) + side / 2 - half
    x, y = np.meshgrid(line, line)
    points = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    free = np.ones(len(points), dtype=bool)
    near = (feet[:, :2] < side / 2 + half).all(1) & (feet[:, 2:] > side / 2 - half).all(1)
    for x0, y0, x1, y1 in feet[near]:
        inside = (x0 <= points[:, 0]) & (points[:, 0] <= x1)
        free &= ~(inside & (y0 <= points[:, 1]) & (points[:, 1] <= y1))
    return points[free]
