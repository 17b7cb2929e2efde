"""Propagated uncertainties against the spread of 40,000 random trials (JCGM 101:2008)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plumbline.geometry.uncertainty import (
    area_sigma,
    azimuth_sigma,
    length_sigma,
    propagated,
    resolution_sigma,
    slope_sigma,
)

TRIALS = 40_000
#: The spread of so many trials is itself known to 1/√(2n), 0.35 %; three times that and curvature.
NEAR = 0.015


def trials(points: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(7).standard_normal((TRIALS, *points.shape))
    return np.asarray(points + noise * sigma[:, None])


def test_lengths_of_lines_open_and_closed() -> None:
    points = np.array([[0.0, 0, 0], [30, 4, 1], [28, 40, 9], [-5, 33, 2]])
    sigma = np.array([0.02, 0.1, 0.05, 0.03])
    drawn = trials(points, sigma)
    open_ = np.linalg.norm(np.diff(drawn, axis=1), axis=2).sum(axis=1)
    last = np.linalg.norm(drawn[:, 0] - drawn[:, -1], axis=1)
    assert length_sigma(points, sigma) == pytest.approx(open_.std(), rel=NEAR)
    assert length_sigma(points, sigma, closed=True) == pytest.approx((open_ + last).std(), rel=NEAR)


def test_areas() -> None:
    points = np.array([[0.0, 0], [40, 3], [35, 30], [20, 12], [2, 28]])
    sigma = np.array([0.02, 0.1, 0.05, 0.03, 0.2])
    x, y = np.moveaxis(trials(points, sigma), 2, 0)
    areas = (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1) / 2
    assert area_sigma(points, sigma) == pytest.approx(areas.std(), rel=NEAR)


def test_slopes_and_azimuths() -> None:
    points = np.array([[0.0, 0, 0], [12, 5, 7]])
    sigma = np.array([0.03, 0.04])
    across = np.diff(trials(points, sigma), axis=1)[:, 0]
    horizontal = np.hypot(across[:, 0], across[:, 1])
    angle, percent = slope_sigma(13, 7, math.hypot(*sigma))
    assert angle == pytest.approx(np.degrees(np.arctan2(across[:, 2], horizontal)).std(), rel=NEAR)
    assert percent == pytest.approx((100 * across[:, 2] / horizontal).std(), rel=NEAR)
    turn = np.degrees(np.arctan2(across[:, 0], across[:, 1]))
    assert azimuth_sigma(13, math.hypot(*sigma)) == pytest.approx(turn.std(), rel=NEAR)


def test_any_angle_by_differences() -> None:
    points = np.array([[0.0, 3, 1], [12, 5, 7], [2, 9, -4]])
    sigma = np.array([0.03, 0.04, 0.01])

    def angle(corners: np.ndarray) -> np.ndarray:
        a, b = corners[..., 0, :] - corners[..., 1, :], corners[..., 2, :] - corners[..., 1, :]
        cosine = (a * b).sum(axis=-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
        return np.degrees(np.arccos(cosine))

    spread = propagated(lambda moved: float(angle(moved)), points, sigma)
    assert spread == pytest.approx(angle(trials(points, sigma)).std(), rel=NEAR)
    # An azimuth near north does not jump by 360 degrees.
    leg = np.array([[0.0, 0, 0], [1e-4, 10, 0]])

    def azimuth(moved: np.ndarray) -> float:
        x, y, _ = moved[1] - moved[0]
        return float(np.degrees(np.arctan2(x, y)) % 360)

    wanted = azimuth_sigma(10.0, math.hypot(0.03, 0.04))
    assert propagated(azimuth, leg, sigma[:2]) == pytest.approx(wanted, rel=1e-3)
    assert math.isnan(propagated(azimuth, leg, np.array([0.1, np.nan])))


def test_a_place_known_to_a_cell() -> None:
    """A uniform distribution of width r has the standard deviation r/√12."""
    places = np.random.default_rng(3).uniform(-0.5, 0.5, TRIALS)
    assert resolution_sigma(1.0) == pytest.approx(places.std(), rel=NEAR)
