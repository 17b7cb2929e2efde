"""Hours of sun against bare embreex at every minute, as ratios measured in one run.

`pytest -m benchmark -s tests/benchmarks/test_sunlight.py`; the full million of receivers with
``PLUMBLINE_FULL=1``. Both sides run on one thread and are measured by the time of the processor, so
that other work on the machine does not count. The bare side is the plain loop: for every minute one
call of embreex with the receivers that the sun reaches.
"""

from __future__ import annotations

import os
import resource
import time
from datetime import date

import numpy as np
import pytest
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from plumbline.core.georeference import Georeference
from plumbline.geometry import sunlight
from plumbline.geometry.frame import Frame
from plumbline.geometry.sunlight import Band, Occluder, Receivers, lit_periods, sun_tracks
from plumbline.geometry.sunlight_cells import curve_order

FRAME = Frame.of(Georeference.from_text("EPSG:4549", (500_000.0, 4_000_000.0, 0.0)))
BAND = Band(date(2001, 1, 20), 8 * 3600, 16 * 3600)


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


def bare(corners: np.ndarray, points: np.ndarray, tracks: sunlight.Tracks) -> tuple[float, list]:
    """Return the seconds of casting every receiver at every minute, and the verdicts."""
    scene = EmbreeScene(robust=True)
    flat = corners.reshape(-1, 3)
    middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
    triangles = np.arange(len(flat), dtype=np.int32).reshape(-1, 3)
    TriangleMesh(scene, (flat - middle).astype(np.float32), triangles)
    origins = (points + [0, 0, sunlight.LIFT] - middle).astype(np.float32)
    scene.run(origins[:1], np.array([[0, 0, 1]], dtype=np.float32), query="OCCLUDED")
    start = time.process_time()
    verdicts = []
    for rows, track in tracks:
        own = origins[rows]
        lit = np.empty((len(rows), len(track.samples)), dtype=bool)
        for k, ray in enumerate(track.directions[:: track.between].astype(np.float32)):
            rays = np.ascontiguousarray(np.broadcast_to(ray, own.shape))
            lit[:, k] = scene.run(own, rays, query="OCCLUDED") < 0
        verdicts.append(lit)
    return time.process_time() - start, verdicts


def at_samples(lit: sunlight.LitPeriods, tracks: sunlight.Tracks) -> list[np.ndarray]:
    """Return the verdicts at the samples, from the periods."""
    found = []
    for rows, track in tracks:
        steps = np.zeros((len(rows), len(track.samples) + 1), dtype=np.int64)
        row_of = np.full(len(lit.offsets) - 1, -1)
        row_of[rows] = np.arange(len(rows))
        mine = row_of[lit.receiver] >= 0
        row = row_of[lit.receiver][mine]
        np.add.at(steps, (row, np.searchsorted(track.samples, lit.start[mine], "left")), 1)
        np.add.at(steps, (row, np.searchsorted(track.samples, lit.end[mine], "right")), -1)
        found.append(np.cumsum(steps, axis=1)[:, :-1] > 0)
    return found


def measure(side: float, half: float, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float, int]:
    """Print and return the ratio, seconds for each million of receivers, and what differs."""
    corners, feet = city(side)
    points = ground(side, half, feet)
    points = points[curve_order(points)]
    tracks = sun_tracks(FRAME, points, BAND)
    flat = corners.reshape(-1, 3)
    monkeypatch.setattr(sunlight, "FEW", 0)
    occluder = Occluder(flat, np.arange(len(flat)).reshape(-1, 3))
    some = points[:2000]
    lit_periods(occluder, Receivers(some), sun_tracks(FRAME, some, BAND), workers=1)  # compiles
    occluder.tree = None
    start = time.process_time()
    occluder.plant(points)
    planted = time.process_time() - start
    lit = lit_periods(occluder, Receivers(points), tracks, workers=1)
    own = time.process_time() - start
    plain, verdicts = bare(corners, points, tracks)
    pairs = zip(verdicts, at_samples(lit, tracks), strict=True)
    different = sum(int((a != b).sum()) for a, b in pairs)
    print(
        f"\n{len(corners):,} triangles, {len(points):,} receivers: "
        f"{own - planted:.2f} s and {planted:.2f} s for the tree, bare {plain:.2f} s, "
        f"ratio {plain / own:.2f}, without the tree {plain / (own - planted):.2f}; "
        f"{lit.rays / len(points):.1f} rays for each receiver instead of "
        f"{len(tracks[0][1].samples)}; {different} verdicts differ; "
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"
    )
    return plain / (own - planted), (own - planted) / len(points) * 1e6, different


@pytest.mark.timeout(3600)
def test_a_million_triangles_at_one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    half = 600.0 if os.environ.get("PLUMBLINE_FULL") else 100.0
    ratio, _, different = measure(12_640.0, half, monkeypatch)
    assert different == 0
    assert ratio > 2


def test_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the receivers cost less than five times, and 16 times the triangles little."""
    _, one, _ = measure(800.0, 50.0, monkeypatch)
    _, four, _ = measure(800.0, 100.0, monkeypatch)
    _, large, _ = measure(3200.0, 100.0, monkeypatch)
    print(f"µs for each receiver: {one:.1f}, {four:.1f}, {large:.1f}")
    assert four < 1.5 * one
    assert large < 3 * four
