"""Greedy cover against all choices."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from plumbline.geometry.greedy import GUARANTEE, greedy_cover


def test_it_falls_into_the_trap_that_is_known() -> None:
    # Two halves cover all 8; the set across is larger than either half and is taken first.
    sets = np.array([[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 0, 0]])
    found = greedy_cover(np.packbits(sets.astype(bool), axis=1), np.ones(8), 2)
    assert found.sets.tolist() == [2, 1]
    assert found.gains.tolist() == [5, 2]
    assert found.upper_bound == 8.0


def test_bound_and_guarantee_hold_on_random_sets() -> None:
    rng = np.random.default_rng(8)
    for _ in range(25):
        sets, weights = rng.random((9, 30)) < 0.25, rng.random(30)
        found = greedy_cover(np.packbits(sets, axis=1), weights, 3)
        best = max(
            weights[sets[list(three)].any(axis=0)].sum() for three in combinations(range(9), 3)
        )
        covered = weights[sets[found.sets].any(axis=0)].sum()
        assert found.gains.sum() == pytest.approx(covered)
        assert GUARANTEE * best - 1e-9 <= covered <= best + 1e-9
        assert best <= found.upper_bound + 1e-9
        assert found.upper_bound <= weights.sum() + weights.max() * 30


def test_nothing_is_chosen_that_adds_nothing() -> None:
    sets = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
    found = greedy_cover(np.packbits(sets, axis=1), np.ones(3), 3)
    assert found.sets.tolist() == [0]
    assert found.upper_bound == 1.0
    assert len(greedy_cover(np.empty((0, 1), np.uint8), np.ones(3), 2).sets) == 0
