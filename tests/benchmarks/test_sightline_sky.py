"""Cost of exact skylines and sky view factors against triangles, beside a search with rays."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np

from plumbline.geometry.raycast import EmbreeCaster
from plumbline.geometry.sky import sky_of
from plumbline.geometry.skyline import Azimuths, skyline

AZIMUTHS = Azimuths(0.0, 0.1, 3600)


def city(blocks: int) -> np.ndarray:
    """Return blocks of ten triangles on a square, none around the origin."""
    rng = np.random.default_rng(blocks)
    reach = 15.0 * np.sqrt(blocks)
    low = rng.uniform(-reach, reach, (blocks, 2))
    low[np.abs(low).max(axis=1) < 40] += 80.0
    size, top = rng.uniform(8, 20, (blocks, 2)), rng.uniform(5, 60, blocks)
    x, y = (
        np.stack([low[:, 0], low[:, 0] + size[:, 0]]),
        np.stack([low[:, 1], low[:, 1] + size[:, 1]]),
    )
    corner = np.array([(i, j, k) for k in (0, 1) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))])
    faces = np.array([(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7)])
    triangles = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
    points = np.stack(
        [x[corner[:, 0]], y[corner[:, 1]], np.where(corner[:, 2:] == 1, top, -1.6)], axis=-1
    )
    return points[triangles].transpose(2, 0, 1, 3).reshape(-1, 3, 3)


def by_rays(caster: EmbreeCaster, coarse: float = 0.05) -> np.ndarray:
    """Return the skyline as a search finds it: rays every 0.05° upwards, then halving to 1e-4°."""
    azimuth = np.radians(AZIMUTHS.degrees)
    ahead = np.column_stack([np.sin(azimuth), np.cos(azimuth)])

    def meets(elevation: np.ndarray) -> np.ndarray:
        level = np.cos(np.radians(elevation))[:, None]
        rays = np.column_stack([ahead * level, np.sin(np.radians(elevation))])
        return caster.first_hits(np.zeros_like(rays), rays)[1] >= 0

    highest = np.zeros(len(azimuth))
    for elevation in np.arange(coarse, 90, coarse):
        hit = meets(np.full(len(azimuth), elevation))
        highest[hit] = elevation
    low, high = highest, highest + coarse
    while (high - low).max() > 1e-4:
        middle = (low + high) / 2
        hit = meets(middle)
        low, high = np.where(hit, middle, low), np.where(hit, high, middle)
    return low


def test_cost_against_triangles() -> None:
    print()
    for blocks in (200, 2_000, 20_000, 200_000):
        corners = city(blocks)
        clock = time.perf_counter()
        line = skyline(corners, AZIMUTHS)
        exact = time.perf_counter() - clock
        clock = time.perf_counter()
        sky_of(corners)
        sky = time.perf_counter() - clock
        tracemalloc.start()
        skyline(corners, AZIMUTHS)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(
            f"{len(corners):>9} triangles: skyline {exact:.2f} s, sky view factor {sky:.2f} s, "
            f"peak {peak:.0f} MB"
        )
        if blocks == 20_000:
            vertices = corners.reshape(-1, 3)
            caster = EmbreeCaster(vertices, np.arange(len(vertices)).reshape(-1, 3))
            clock = time.perf_counter()
            found = by_rays(caster)
            rays = time.perf_counter() - clock
            same = np.abs(np.nan_to_num(line.elevation) - found) < 2e-4
            print(f"          a search with rays: {rays:.2f} s, ratio {rays / exact:.1f}")
            assert same.mean() > 0.995
            assert rays > exact
