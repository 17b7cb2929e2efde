"""Scores against hand computation and against a search over weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plumbline import api
from plumbline.api import Result, Scene, UsageError


def score(matrix: dict[str, dict[str, float]], weights: dict[str, float], **more: Any) -> Result:
    return api.run("schemes.score", Scene(), matrix=matrix, weights=weights, **more)


def rows(result: Result, name: str) -> list[dict[str, Any]]:
    table = result.tables[name]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


THREE = {
    "A": {"sun": 4.0, "cost": 100.0, "homes": 600.0},
    "B": {"sun": 3.0, "cost": 60.0, "homes": 400.0},
    "C": {"sun": 2.0, "cost": 90.0, "homes": 380.0},
}


def test_three_schemes_by_hand() -> None:
    """Merits: sun 1, 1/2, 0; cost (less is better) 0, 1, 1/4; homes 1, 1/11, 0."""
    result = score(THREE, {"sun": 2, "cost": 1, "homes": 1}, better={"cost": "less"})
    found = {row["scheme"]: row for row in rows(result, "scores")}
    assert found["A"]["score"] == pytest.approx(0.75)
    assert found["B"]["score"] == pytest.approx((2 * 0.5 + 1 + 1 / 11) / 4)
    assert found["C"]["score"] == pytest.approx(0.25 / 4)
    assert [row["scheme"] for row in rows(result, "scores")] == ["A", "B", "C"]
    assert [found[s]["pareto"] for s in "ABC"] == [1, 1, 0]
    assert result.values["winner"].value == "A"
    # With the weight w of cost: A has (1 - w), B (1 - w) (2/2 + 1/11) / 3 + w.
    (cost,) = (row for row in rows(result, "sensitivity") if row["criterion"] == "cost")
    other = (1 + 1 / 11) / 3
    assert cost["upper"] == pytest.approx((1 - other) / (2 - other))
    assert cost["winner_above"] == "B"
    assert cost["lower"] is None


@pytest.mark.parametrize("seed", range(20))
def test_turning_points_agree_with_a_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names, criteria = "ABCDE", ("p", "q", "r", "s")
    matrix = {n: dict(zip(criteria, rng.uniform(0, 1, 4).tolist(), strict=True)) for n in names}
    weights = dict(zip(criteria, rng.uniform(0.1, 1, 4).tolist(), strict=True))
    result = score(matrix, weights)
    winner = result.values["winner"].value
    values = np.array([[matrix[n][c] for c in criteria] for n in names])
    merits = (values - values.min(axis=0)) / np.ptp(values, axis=0)
    for k, row in enumerate(rows(result, "sensitivity")):
        others = np.array([0.0 if j == k else weights[c] for j, c in enumerate(criteria)])
        grid = np.linspace(0, 1, 4001)
        mixed = np.outer(1 - grid, others / others.sum()) + np.outer(grid, np.arange(4) == k)
        leads = np.array(list(names))[np.argmax(mixed @ merits.T, axis=1)] == winner
        held = grid[leads]
        low, high = held.min(), held.max()
        assert (row["lower"] or 0.0) == pytest.approx(low, abs=5e-4)
        assert (1.0 if row["upper"] is None else row["upper"]) == pytest.approx(high, abs=5e-4)


def test_a_tie_is_said_and_gaps_are_refused() -> None:
    even = {"A": {"x": 1.0, "y": 0.0}, "B": {"x": 0.0, "y": 1.0}}
    assert any("shared" in w for w in score(even, {"x": 1, "y": 1}).warnings)
    with pytest.raises(UsageError, match="has no value of “y”"):
        score({"A": {"x": 1.0}, "B": {"x": 0.0, "y": 1.0}}, {"x": 1, "y": 1})
    with pytest.raises(UsageError, match="weights are 0"):
        score(even, {"x": 0, "y": 0})
    with pytest.raises(UsageError, match="has no weight"):
        score(even, {"x": 1}, better={"y": "less"})
