"""Distances of triangles against optimisation, and of bodies against all their triangles."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.optimize import minimize

from plumbline.core.errors import CancelledError
from plumbline.core.feedback import Feedback
from plumbline.geometry.clearance import Bodies, nearest, triangle_distances


def by_optimisation(p: np.ndarray, q: np.ndarray) -> float:
    """Return the distance of two triangles as the least of a convex function."""

    def squared(w: np.ndarray) -> float:
        apart = w[:3] @ p - w[3:] @ q
        return float(apart @ apart)

    sums = [
        {"type": "eq", "fun": lambda w: w[:3].sum() - 1},
        {"type": "eq", "fun": lambda w: w[3:].sum() - 1},
    ]
    found = minimize(
        squared, np.full(6, 1 / 3), bounds=[(0, 1)] * 6, constraints=sums, method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 500},
    )  # fmt: skip
    return float(np.sqrt(squared(found.x)))


@pytest.mark.parametrize("kind", ["any", "near", "segment", "point", "flat", "parallel"])
def test_triangles_agree_with_optimisation(kind: str) -> None:
    rng = np.random.default_rng(4)
    p, q = rng.normal(size=(2, 60, 3, 3))
    if kind == "any":
        q += rng.normal(size=(60, 1, 3)) * 3
    elif kind == "segment":
        q[:, 2] = q[:, 1]
        p[:30, 0] = p[:30, 1]
    elif kind == "point":
        q[:] = q[:, :1]
    elif kind == "flat":
        p[..., 2], q[..., 2] = 0.0, 0.0
        q[..., 0] += 1.0
    elif kind == "parallel":
        q = p * rng.uniform(0.5, 2, (60, 1, 1)) + rng.normal(size=(60, 1, 3))
    distance, on_p, on_q = triangle_distances(p, q)
    assert np.linalg.norm(on_p - on_q, axis=1) == pytest.approx(distance, abs=1e-12)
    for n in range(60):
        expected = by_optimisation(p[n], q[n])
        # The optimiser stops above the least; it never comes below.
        assert distance[n] <= expected + 1e-9
        assert distance[n] == pytest.approx(expected, abs=2e-4)


def test_closed_forms() -> None:
    floor = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0]], float)
    cases = [
        (floor + [0, 0, 2.5], 2.5),  # face above face
        (floor + [5, 0, 0], 1.0),  # corner beside corner
        (floor + [4, 4, 0], 2 * np.sqrt(2)),  # corner to slanting edge
        (np.array([[1, 1, 3], [1, 1, 0.5], [2, 2, 3]], float), 0.5),  # corner above inside
        (np.array([[1, 1, 3], [1, 1, -3], [2, 2, 3]], float), 0.0),  # through
        (floor + [1, 1, 0], 0.0),  # overlap in one plane
        (floor[[0, 1, 1]] + [0, 0, 1], 1.0),  # a segment
    ]
    p = np.repeat(floor[None], len(cases), axis=0)
    distance, _, _ = triangle_distances(p, np.array([case[0] for case in cases]))
    assert distance == pytest.approx([case[1] for case in cases], abs=1e-12)


def blob(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return triangles scattered over a random box."""
    size = rng.uniform(0.2, 4, 3)
    centers = rng.uniform(-1, 1, (count, 1, 3)) * size
    return centers + rng.normal(0, 0.4, (count, 3, 3)) + rng.normal(0, 2, 3)


def brute(p: np.ndarray, q: np.ndarray) -> float:
    one, two = np.repeat(p, len(q), axis=0), np.tile(q, (len(p), 1, 1))
    return float(triangle_distances(one, two)[0].min())


def bodies(parts: list[np.ndarray]) -> Bodies:
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    shuffled = np.random.default_rng(0).permutation(len(owner))
    return Bodies(np.concatenate(parts)[shuffled], owner[shuffled], len(parts))


def test_a_thousand_random_pairs_agree_with_brute_force() -> None:
    rng = np.random.default_rng(21)
    one = [blob(rng, int(rng.integers(1, 24))) for _ in range(1000)]
    two = [blob(rng, int(rng.integers(1, 24))) for _ in range(1000)]
    pairs = np.column_stack([np.arange(1000), rng.permutation(1000)])
    found = nearest(bodies(one), bodies(two), pairs)
    expected = [brute(one[a], two[b]) for a, b in pairs]
    assert found.distance == pytest.approx(expected, abs=1e-9)
    assert 50 < sum(d == 0 for d in expected) < 950
    assert np.linalg.norm(found.a - found.b, axis=1) == pytest.approx(expected, abs=1e-9)
    near = nearest(bodies(one), bodies(two), pairs, limit=2.0)
    within = np.array(expected) <= 2.0
    assert near.distance[within] == pytest.approx(np.array(expected)[within], abs=1e-9)
    assert np.isinf(near.distance[~within]).all()
    assert np.isnan(near.a[~within]).all()


def test_the_limit_itself_counts() -> None:
    point = np.zeros((1, 3, 3))
    pair = bodies([point, point + [2.0, 0, 0]])
    assert nearest(pair, pair, [[0, 1]], limit=2.0).distance == [2.0]
    assert np.isinf(nearest(pair, pair, [[0, 1]], limit=1.999).distance[0])
    assert len(nearest(pair, pair, []).distance) == 0


def sphere(n: int) -> np.ndarray:
    """Return about 2 n² triangles on a unit sphere."""
    t, p = np.meshgrid(np.linspace(0, np.pi, n + 1), np.linspace(0, 2 * np.pi, n + 1))
    v = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], axis=-1)
    a, b, c, d = v[:-1, :-1], v[1:, :-1], v[1:, 1:], v[:-1, 1:]
    return np.concatenate([np.stack([a, b, c], 2), np.stack([a, c, d], 2)]).reshape(-1, 3, 3)


def test_spheres_approach_their_closed_form() -> None:
    ball = sphere(200)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    pair = bodies([ball, ball @ turn.T * 0.5 + [1.2, -2.0, 0.7]])
    found = nearest(pair, pair, [[0, 1]])
    expected = np.sqrt(1.2**2 + 2.0**2 + 0.7**2) - 1.5
    assert found.distance[0] == pytest.approx(expected, abs=1e-3)
    # Triangles lie inside their sphere.
    assert found.distance[0] > expected


def test_it_can_be_cancelled() -> None:
    pair = bodies([sphere(4), sphere(4) + [5, 0, 0]])
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        nearest(pair, pair, [[0, 1]], feedback=feedback)


@pytest.mark.benchmark
def test_a_query_grows_like_the_logarithm() -> None:
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    took = []
    for n in (22, 71, 224, 707):
        pair = bodies([sphere(n), sphere(n) @ turn.T + [1.2, -2.0, 0.7]])
        nearest(pair, pair, [[0, 1]])
        started = time.perf_counter()
        for _ in range(5):
            nearest(pair, pair, [[0, 1]])
        took.append((time.perf_counter() - started) / 5)
        print(f"{2 * n * n:>9} triangles a body: {took[-1] * 1e3:.1f} ms a query")
    # A thousand times the triangles; the logarithm doubles, the machine is shared.
    assert took[-1] < 25 * took[0]
