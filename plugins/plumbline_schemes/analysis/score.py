"""`schemes.score`: a weighted score of schemes, and how far it can be trusted.

Every criterion is brought to 0 for the worst scheme and 1 for the best; the score is the weighted
mean. Since a score moves in a straight line with the weight of one criterion while the others keep
their proportions, the weight at which another scheme takes the lead follows in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Params,
    Problem,
    Result,
    Scene,
    Table,
    Value,
    tr,
)

FloatArray = NDArray[np.float64]

#: Scores that differ by less are equal.
EQUAL = 1e-12
#: Schemes and criteria that anyone can still weigh up.
MOST = 200


class ScoreParams(Params):
    """What `schemes.score` can be asked."""

    matrix: Annotated[
        dict[str, dict[str, float]],
        Field(
            min_length=2,
            max_length=MOST,
            title=N_("Matrix"),
            description=N_("Value of every criterion, by scheme."),
        ),
    ]
    weights: Annotated[
        dict[str, Annotated[float, Field(ge=0)]],
        Field(
            min_length=1,
            max_length=MOST,
            title=N_("Weights"),
            description=N_("Weight of every criterion; they are brought to a sum of 1."),
        ),
    ]
    better: Annotated[
        dict[str, Literal["more", "less"]],
        Field(
            title=N_("Better"),
            description=N_("Criteria of which less is better, as less; of the others more is."),
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it


@dataclass(frozen=True)
class Weighed:
    """Schemes by criteria, brought to 0 to 1, and weights with a sum of 1."""

    schemes: tuple[str, ...]
    criteria: tuple[str, ...]
    merits: FloatArray
    weights: FloatArray

    @property
    def scores(self) -> FloatArray:
        """Weighted mean of the merits of each scheme."""
        scores: FloatArray = self.merits @ self.weights
        return scores


class Score(Analysis[ScoreParams]):
    """Weighted score, ranking, the schemes that none beats in everything, and sensitivity.

    `lower` and `upper` are the weights of one criterion between which the winner stays, the other
    weights keeping their proportions; empty where it stays down to 0 or up to 1.
    """

    id = "schemes.score"
    version = "1"
    title = N_("Score")
    description = N_(
        "Weighted score and ranking of schemes, when the winner changes with the weights, and the "
        "schemes that none beats in everything."
    )
    Params = ScoreParams

    def check(self, scene: Scene, params: ScoreParams) -> list[Problem]:
        problems = []
        for scheme, row in params.matrix.items():
            missing = sorted(set(params.weights) - set(row))
            if missing:
                text = tr(
                    "“{scheme}” has no value of “{name}”.", scheme=scheme[:80], name=missing[0][:80]
                )
                problems.append(Problem("matrix", text))
        if math.fsum(params.weights.values()) <= 0:
            problems.append(Problem("weights", tr("All weights are 0.")))
        for name in sorted(set(params.better) - set(params.weights)):
            text = tr("“{name}” has no weight.", name=name[:80])
            problems.append(Problem("better", text))
        return problems

    def prepare(self, scene: Scene, params: ScoreParams) -> Weighed:
        schemes, criteria = tuple(params.matrix), tuple(params.weights)
        values = np.array([[params.matrix[s][c] for c in criteria] for s in schemes])
        sign = np.array([-1.0 if params.better.get(c) == "less" else 1.0 for c in criteria])
        good = values * sign
        low, span = good.min(axis=0), np.ptp(good, axis=0)
        # A criterion in which all are alike tells nothing: all have its best.
        merits = np.where(span > 0, (good - low) / np.where(span > 0, span, 1.0), 1.0)
        weights = np.array([params.weights[c] for c in criteria])
        return Weighed(schemes, criteria, merits, weights / weights.sum())

    def compute(self, inputs: Weighed, params: ScoreParams, feedback: Feedback) -> Result:
        scores = inputs.scores
        order = np.lexsort((np.arange(len(scores)), -scores))
        winner = int(order[0])
        tied = [n for n in order if scores[winner] - scores[n] <= EQUAL]
        best = pareto(inputs.merits)
        rows = tuple(
            (inputs.schemes[n], float(scores[n]), rank, int(best[n]), *inputs.merits[n].tolist())
            for rank, n in enumerate(order.tolist(), 1)
        )
        columns = ("scheme", "score", "rank", "pareto", *(f"merit_{c}" for c in inputs.criteria))
        turns = []
        for k, criterion in enumerate(inputs.criteria):
            lower, by_lower, upper, by_upper = turning_points(inputs, winner, k)
            turns.append((criterion, float(inputs.weights[k]), lower, by_lower, upper, by_upper))
        warnings = []
        if len(tied) > 1:
            names = ", ".join(inputs.schemes[n] for n in tied)
            warnings.append(tr("The best score is shared by {names}.", names=names))
        return Result(
            values={
                "winner": Value(inputs.schemes[winner]),
                "score": Value(float(scores[winner])),
                "lead": Value(float(scores[winner] - scores[order[1]])),
                "pareto": Value(int(best.sum())),
            },
            tables={
                "scores": Table(columns, rows),
                "sensitivity": Table(
                    ("criterion", "weight", "lower", "winner_below", "upper", "winner_above"),
                    tuple(turns),
                ),
            },
            warnings=warnings,
            headline="winner",
        )


def pareto(merits: FloatArray) -> NDArray[np.bool_]:
    """Tell which rows no other row is at least as good as in everything and better in something."""
    at_least = (merits[:, None] >= merits[None]).all(axis=2)
    better = (merits[:, None] > merits[None]).any(axis=2)
    beaten = np.asarray((at_least & better).any(axis=0))
    return ~beaten


def turning_points(
    inputs: Weighed, winner: int, k: int
) -> tuple[float | None, str, float | None, str]:
    """Return the weights of a criterion at which the winner loses its lead, and to whom.

    With the weight w of criterion k the score of a scheme is ``(1 - w) r + w m``: r is its score by
    the other criteria, m its merit in k. Two schemes meet where ``w = d / (d - e)``, d and e being
    what the winner is ahead by in r and in m.
    """
    weight = float(inputs.weights[k])
    others = np.delete(inputs.weights, k)
    if others.sum() <= 0:
        return None, "", None, ""
    rest = np.delete(inputs.merits, k, axis=1) @ (others / others.sum())
    ahead, in_k = rest[winner] - rest, inputs.merits[winner, k] - inputs.merits[:, k]
    lower: tuple[float | None, str] = (None, "")
    upper: tuple[float | None, str] = (None, "")
    for n, name in enumerate(inputs.schemes):
        # Only lines that cross while the winner is ahead can take the lead from it.
        if n == winner or abs(ahead[n] - in_k[n]) <= EQUAL:
            continue
        at = float(ahead[n] / (ahead[n] - in_k[n]))
        rises = in_k[n] > ahead[n]
        if rises and 0 <= at <= weight and (lower[0] is None or at > lower[0]):
            lower = (at, name)
        if not rises and weight <= at <= 1 and (upper[0] is None or at < upper[0]):
            upper = (at, name)
    return *lower, *upper
