"""Classes of numbers against numpy, brute force over all groupings, and by construction."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from plumbline.core.classify import class_breaks
from plumbline.core.errors import UsageError


def test_equal_steps_and_counts() -> None:
    values = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 100, np.nan])
    assert class_breaks(values, "equal", 4) == (25.0, 50.0, 75.0)
    breaks = class_breaks(values, "quantile", 2)
    assert breaks == (float(np.median(values[:-1])),)


def test_round_numbers() -> None:
    assert class_breaks(np.array([3.0, 96.0]), "round", 5) == (20.0, 40.0, 60.0, 80.0)
    assert class_breaks(np.array([0.07, 0.93]), "round", 4) == (0.2, 0.4, 0.6, 0.8)


def deviation(groups: list[np.ndarray]) -> float:
    return sum(float(((g - g.mean()) ** 2).sum()) for g in groups)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [2, 3, 4])
def test_natural_breaks_are_the_best_of_all(seed: int, count: int) -> None:
    values = np.sort(np.random.default_rng(seed).gamma(2.0, 20.0, 14).round(1)) + 500_000
    best = min(
        deviation(np.split(values, list(cuts)))
        for cuts in combinations(range(1, len(values)), count - 1)
    )
    found = np.split(values, np.searchsorted(values, class_breaks(values, "natural", count)))
    assert len(found) == count
    assert deviation(found) == pytest.approx(best, rel=1e-9)


def test_few_numbers_and_wrong_questions() -> None:
    assert class_breaks(np.array([5.0, 5.0]), "quantile", 4) == ()
    assert class_breaks(np.array([]), "natural", 3) == ()
    assert class_breaks(np.array([1.0, 2.0]), "natural", 5) == (2.0,)
    assert len(class_breaks(np.random.default_rng(1).normal(size=5000), "natural", 6)) == 5
    with pytest.raises(UsageError):
        class_breaks(np.array([1.0, 2.0]), "best", 3)
    with pytest.raises(UsageError):
        class_breaks(np.array([1.0, 2.0]), "equal", 1000)
