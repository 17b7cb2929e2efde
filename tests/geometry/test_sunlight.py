"""Proven verdicts are those of casting every ray; periods, owners and rules on small scenes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from plumbline.core.errors import CancelledError, RefusedError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.geometry import sunlight
from plumbline.geometry.frame import Frame
from plumbline.geometry.sunlight import (
    OWN_WALL,
    TOO_LOW,
    Band,
    Occluder,
    Periods,
    Receivers,
    lit_periods,
    sun_tracks,
)

FRAME = Frame.of(Georeference.from_text("EPSG:4549", (500_000.0, 4_000_000.0, 0.0)))
BAND = Band(date(2001, 1, 20), 8 * 3600, 16 * 3600)


def quad(*corners: tuple[float, float, float]) -> np.ndarray:
    a, b, c, d = (np.array(p, dtype=np.float64) for p in corners)
    return np.array([[a, b, c], [a, c, d]])


def box(x0: float, x1: float, y0: float, y1: float, top: float) -> np.ndarray:
    """Return an open box ``(10, 3, 3)``."""
    ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    sides = [
        quad((*p, -1), (*q, -1), (*q, top), (*p, top))
        for p, q in zip(ring, ring[1:] + ring[:1], strict=True)
    ]
    return np.concatenate([*sides, quad(*((*p, top) for p in ring))])


def soup(corners: np.ndarray) -> Occluder:
    return Occluder(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3))


def boxes(rng: np.random.Generator) -> np.ndarray:
    """Return a small town of boxes, some turned, two that touch, and a bridge between two."""
    parts = []
    for i in range(5):
        for j in range(5):
            w, d, h = rng.uniform(6, 18), rng.uniform(6, 18), rng.choice([6.0, 12.0, 40.0])
            one = box(-w / 2, w / 2, -d / 2, d / 2, h)
            turn = rng.uniform(0, 2) * (i % 2)
            c, s = np.cos(turn), np.sin(turn)
            one[..., :2] = one[..., :2] @ np.array([[c, s], [-s, c]])
            parts.append(one + [i * 25.0, j * 25.0, 0.0])
    parts.append(box(20, 30, 20, 30, 25))
    parts.append(quad((0, 40, 15), (60, 40, 15), (60, 46, 15), (0, 46, 15)))
    return np.concatenate(parts)


def hills(rng: np.random.Generator) -> np.ndarray:
    """Return rough ground of small triangles with a leaning wall."""
    n = 40
    x, y = np.meshgrid(np.arange(n + 1.0) * 3, np.arange(n + 1.0) * 3)
    z = 6 * np.sin(x / 17) * np.cos(y / 13) + rng.normal(0, 0.3, x.shape)
    points = np.stack([x, y, z], axis=-1)
    a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
    ground = np.concatenate(
        [np.stack([a, b, c], 2).reshape(-1, 3, 3), np.stack([a, c, d], 2).reshape(-1, 3, 3)]
    )
    return np.concatenate([ground, quad((20, 20, -9), (90, 35, -9), (90, 33, 30), (20, 18, 30))])


@pytest.mark.parametrize("scene", [boxes, hills])
def test_proven_verdicts_are_those_of_casting(
    scene: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    corners = scene(rng)  # type: ignore[operator]
    occluder = soup(corners)
    x, y = np.meshgrid(np.arange(-8.0, 116.0, 4.0), np.arange(-8.0, 116.0, 4.0))
    ground = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 0.4)])
    facade = np.column_stack(
        [np.linspace(0, 100, 100), np.full(100, 50.0), rng.uniform(0, 30, 100)]
    )
    points = np.concatenate([ground, facade])
    receivers = Receivers(points)
    tracks = sun_tracks(FRAME, points, BAND)
    cast = lit_periods(occluder, receivers, tracks)
    monkeypatch.setattr(sunlight, "FEW", 0)
    proven = lit_periods(occluder, receivers, tracks, workers=2)
    assert np.array_equal(proven.offsets, cast.offsets)
    assert np.array_equal(proven.start, cast.start)
    assert np.array_equal(proven.end, cast.end)
    assert len(cast.start) > 800
    assert proven.rays < cast.rays / 2
    # One thread, other batches: the same to the last digit.
    monkeypatch.setattr(sunlight, "BATCH", 100_000)
    again = lit_periods(occluder, receivers, tracks, workers=1)
    assert np.array_equal(again.start, proven.start)


def test_facing_sweep_and_least_elevation() -> None:
    """A wall to the south: the sun is 12 degrees off its plane, or too low, as pvlib has it."""
    from plumbline.geometry.sun import Place, sun_positions

    points, normals = np.zeros((1, 3)), np.array([[0.0, -1.0, 0.0]])
    empty = Occluder(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32))
    band = Band(date(2001, 6, 21), 6 * 3600, 18 * 3600, least_elevation=20.0)
    tracks = sun_tracks(FRAME, points, band)
    swept = lit_periods(
        empty, Receivers(points, normals, sweep=12.0), tracks, owner=np.zeros(0, dtype=np.int32)
    )
    place = Place.of(FRAME.georeference, 500_250.0, 4_000_250.0)
    for instant in swept.of(0)[0]:
        azimuth = sun_positions([instant], place).azimuth_grid[0]
        assert min(abs(azimuth - 102), abs(azimuth - 258)) < 0.1
    assert swept.darkness is not None
    assert swept.darkness.owner.tolist() == [TOO_LOW, OWN_WALL, OWN_WALL, TOO_LOW]
    low = swept.darkness.of(0)[0][1]
    assert sun_positions([low], place).elevation_true[0] == pytest.approx(20.0, abs=0.15)


def test_sums_of_periods() -> None:
    found = Periods(
        np.array([0, 3, 3, 4]), np.array([0.0, 100, 400, 5]), np.array([60.0, 220, 700, 65])
    )
    assert found.seconds().tolist() == [480, 0, 60]
    assert found.seconds(shortest=100).tolist() == [420, 0, 0]
    assert found.seconds(most=1).tolist() == [300, 0, 60]
    assert found.count(61).tolist() == [2, 0, 0]
    assert found.longest().tolist() == [300, 0, 60]


def test_zones_depend_on_the_place_alone() -> None:
    points = np.array([[10.0, 10, 0], [490, 490, 0], [510, 10, 0], [10.0, 1010, 0]])
    found = sun_tracks(FRAME, points, BAND)
    assert sorted(rows.tolist() for rows, _ in found) == [[0, 1], [2], [3]]
    alone = sun_tracks(FRAME, points[2:3], BAND)[0][1]
    same = next(track for rows, track in found if rows.tolist() == [2])
    assert np.array_equal(alone.directions, same.directions)


def test_bad_bands_and_cancelling() -> None:
    with pytest.raises(UsageError, match="step"):
        Band(date(2001, 1, 20), 0, 3600, step=0)
    with pytest.raises(UsageError, match="ends before"):
        Band(date(2001, 1, 20), 7200, 3600)
    with pytest.raises(RefusedError, match="does not rise"):
        sun_tracks(FRAME, np.zeros((1, 3)), Band(date(2001, 1, 20), 0, 3600))
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        lit_periods(
            soup(box(0, 1, 0, 1, 1)),
            Receivers(np.zeros((1, 3))),
            sun_tracks(FRAME, np.zeros((1, 3)), BAND),
            feedback,
        )
