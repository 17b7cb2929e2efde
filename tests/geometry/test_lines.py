"""Lines in plain numbers against closed forms and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.geometry.lines import (
    azimuth,
    grid_crossings,
    parabola_arcs,
    rise_and_fall,
    slope,
)


@pytest.mark.parametrize(
    ("vector", "expected"),
    [((0, 1), 0), ((1, 0), 90), ((0, -1), 180), ((-1, 0), 270), ((1, 1), 45), ((-1, 1), 315)],
)
def test_azimuth_is_clockwise_from_north(vector: tuple[float, float], expected: float) -> None:
    assert azimuth(*vector) == pytest.approx(expected, abs=1e-12)


def test_azimuth_stays_below_360() -> None:
    # atan2 gives -1e-17 rad here, whose remainder by 360 rounds up to 360 itself.
    assert azimuth(-1e-17, 1.0) == 0.0


def test_no_length_has_no_direction() -> None:
    assert azimuth(0.0, 0.0) is None
    assert slope(0.0, 0.0) == (None, None)


def test_slope_of_a_vertical_line_has_no_percentage() -> None:
    assert slope(0.0, -3.0) == (-90.0, None)
    assert slope(100.0, 5.0) == pytest.approx((math.degrees(math.atan(0.05)), 5.0))


def test_rise_and_fall() -> None:
    assert rise_and_fall(np.array([0.0, 2, 1, 1, 4, 0])) == (5.0, 5.0)
    assert rise_and_fall(np.array([3.0])) == (0.0, 0.0)


finite = st.floats(-50, 50, allow_nan=False)


@given(finite, finite, finite, finite)
def test_crossings_are_where_the_segment_meets_the_grid(
    c0: float, r0: float, c1: float, r1: float
) -> None:
    cuts = grid_crossings(np.array([c0, r0]), np.array([c1, r1]))
    assert cuts[0] == 0.0
    assert cuts[-1] == 1.0
    assert (np.diff(cuts) > 0).all()
    # Between two cuts the segment stays within one cell.
    middles = (cuts[:-1] + cuts[1:]) / 2
    for share, low, high in zip(middles, cuts[:-1], cuts[1:], strict=True):
        for a, b in ((c0, c1), (r0, r1)):
            cell = math.floor(a + share * (b - a))
            for end in (low, high):
                at = a + end * (b - a)
                assert cell - 1e-9 <= at <= cell + 1 + 1e-9


def test_parabola_arc_has_its_closed_length() -> None:
    # z = x^2 on 0..1: (2 sqrt 5 + asinh 2) / 4.
    length, up, down = parabola_arcs([1.0], [0.0], [0.25], [1.0])
    assert length == pytest.approx((2 * math.sqrt(5) + math.asinh(2)) / 4, abs=1e-12)
    assert (up, down) == pytest.approx((1.0, 0.0))


def test_an_arch_rises_and_falls_although_its_ends_are_level() -> None:
    # z = 4 x (1 - x): up 1 and down 1.
    _, up, down = parabola_arcs([1.0], [0.0], [1.0], [0.0])
    assert (up, down) == pytest.approx((1.0, 1.0))


@given(finite, finite, finite, st.floats(0.1, 100))
def test_parabola_arcs_agree_with_fine_chords(z0: float, zm: float, z1: float, d: float) -> None:
    t = np.linspace(0, 1, 20_001)
    z = z0 * (1 - t) * (1 - 2 * t) + 4 * zm * t * (1 - t) + z1 * t * (2 * t - 1)
    steps = np.diff(z)
    chords = np.hypot(np.diff(t) * d, steps).sum()
    length, up, down = parabola_arcs([d], [z0], [zm], [z1])
    assert length == pytest.approx(chords, rel=1e-6)
    assert up == pytest.approx(steps[steps > 0].sum(), abs=1e-4)
    assert down == pytest.approx(-steps[steps < 0].sum(), abs=1e-4)
    assert length >= math.hypot(d, z1 - z0) - 1e-9
