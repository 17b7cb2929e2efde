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
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from sunlight_city import city, ground

from plumbline.core.georeference import Georeference
from plumbline.geometry import sunlight
from plumbline.geometry.frame import Frame
from plumbline.geometry.sunlight import Band, Occluder, Receivers, lit_periods, sun_tracks
from plumbline.geometry.sunlight_cells import curve_order

FRAME = Frame.of(Georeference.from_text("EPSG:4549", (500_000.0, 4_000_000.0, 0.0)))
BAND = Band(date(2001, 1, 20), 8 * 3600, 16 * 3600)


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


@dataclass(frozen=True)
class Measured:
    """One run: sizes, seconds of the processor, verdicts that differ."""

    triangles: int
    receivers: int
    seconds: float
    tree: float
    bare: float
    different: int

    @property
    def ratio(self) -> float:
        """How many times faster than bare embreex, the tree included."""
        return self.bare / (self.seconds + self.tree)


def measure(side: float, half: float, monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Print and return what a city and a square of receivers take on both sides."""
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
    tree = time.process_time() - start
    lit = lit_periods(occluder, Receivers(points), tracks, workers=1)
    seconds = time.process_time() - start - tree
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    plain, verdicts = bare(corners, points, tracks)
    pairs = zip(verdicts, at_samples(lit, tracks), strict=True)
    different = sum(int((a != b).sum()) for a, b in pairs)
    found = Measured(len(corners), len(points), seconds, tree, plain, different)
    print(
        f"\n{len(corners):,} triangles, {len(points):,} receivers: {seconds:.2f} s, {tree:.2f} s "
        f"for the tree, bare {plain:.2f} s, ratio {found.ratio:.2f}, without the tree "
        f"{plain / seconds:.2f}; {lit.rays / len(points):.1f} rays for each receiver instead of "
        f"{len(tracks[0][1].samples)}; {different} verdicts differ; peak memory {peak:.2f} GB"
    )
    return found


@pytest.mark.timeout(3600)
def test_a_million_triangles_at_one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    half = 600.0 if os.environ.get("PLUMBLINE_FULL") else 100.0
    found = measure(12_640.0, half, monkeypatch)
    assert found.different == 0
    # With few receivers the tree weighs more.
    assert found.bare / found.seconds > 4


@pytest.mark.timeout(3600)
def test_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time grows with the receivers, and hardly with the triangles.

    ``PLUMBLINE_FIGURES=folder`` keeps the plot.
    """
    by_receivers = [measure(3200.0, half, monkeypatch) for half in (25.0, 50.0, 100.0, 200.0)]
    by_triangles = [measure(side, 100.0, monkeypatch) for side in (400.0, 800.0, 1600.0, 6400.0)]
    each = [one.seconds / one.receivers for one in (*by_receivers, *by_triangles)]
    print("µs for each receiver:", ", ".join(f"{1e6 * seconds:.1f}" for seconds in each))
    assert each[3] < 1.5 * each[1]
    assert each[7] < 3 * each[5]
    folder = os.environ.get("PLUMBLINE_FIGURES")
    if folder:
        plot(by_receivers, by_triangles, Path(folder) / "sunlight-growth.png")


def plot(by_receivers: list[Measured], by_triangles: list[Measured], path: Path) -> None:
    """Draw seconds over receivers and over triangles, ours and bare embreex's."""
    from matplotlib.figure import Figure

    figure = Figure((9, 3.6), layout="constrained")
    for axes, runs, name in zip(
        figure.subplots(1, 2), (by_receivers, by_triangles), ("receivers", "triangles"), strict=True
    ):
        counts = [getattr(one, name) for one in runs]
        axes.loglog(counts, [one.bare for one in runs], "s--", color="0.5", label="bare embreex")
        axes.loglog(counts, [one.seconds + one.tree for one in runs], "o-", label="Plumbline")
        other = "triangles" if name == "receivers" else "receivers"
        axes.set_title(f"{getattr(runs[-1], other):,} {other}, 481 minutes", fontsize=10)
        axes.set_xlabel(name)
        axes.set_ylabel("seconds of one processor")
        axes.grid(visible=True, which="both", alpha=0.25)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
