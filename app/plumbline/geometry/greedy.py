"""The best few of many sets: greedy maximum coverage with a bound on what could be missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray
from plumbline.core.feedback import Feedback

Indices = NDArray[np.intp]

#: Share of the optimum that greedy choice never falls below: 1 - 1/e.
GUARANTEE = 1.0 - 1.0 / np.e


@dataclass(frozen=True)
class Chosen:
    """Sets in the order of their choice.

    Attributes
    ----------
    sets : (K,) intp
    gains : (K,) float64
        What each adds to those before it.
    upper_bound : float
        No choice of as many sets covers more.
    """

    sets: Indices
    gains: FloatArray
    upper_bound: float


def greedy_cover(
    covers: NDArray[np.uint8],
    weights: FloatArray,
    count: int,
    feedback: Feedback | None = None,
) -> Chosen:
    """Choose sets one by one, each time the one that adds most.

    Covers at least 1 - 1/e of what the best choice covers (Nemhauser, Wolsey, Fisher 1978, "An
    analysis of approximations for maximizing submodular set functions", Math. Programming 14). The
    bound is the least, over all steps, of what is covered so far and the greatest `count` gains
    that are left, which holds since gains only shrink.

    Parameters
    ----------
    covers : (S, ceil(D / 8)) uint8
        Sets as packed bits, as `numpy.packbits` gives them.
    weights : (D,) float64
        Of the things that are covered, at least 0.
    count : int
        Sets to choose; fewer are chosen where nothing is left to add. A set may be chosen once.
    """
    feedback = feedback or Feedback()
    left = np.array(weights, dtype=np.float64)
    chosen: list[int] = []
    gains: list[float] = []
    bound = np.inf
    for step in range(count + 1):
        feedback.step(step, count + 1)
        gain = _gains(covers, left)
        top = np.sort(gain)[::-1][:count]
        bound = min(bound, sum(gains) + float(top.sum()))
        if step == count or len(gain) == 0 or top[0] <= 0:
            break
        best = int(np.argmax(gain))
        chosen.append(best)
        gains.append(float(gain[best]))
        left[np.unpackbits(covers[best], count=len(left)).astype(bool)] = 0.0
    return Chosen(np.array(chosen, dtype=np.intp), np.array(gains), float(bound))


def _gains(covers: NDArray[np.uint8], left: FloatArray) -> FloatArray:
    """Return the weight that each set still adds, a bounded number of bits unpacked at a time."""
    gain = np.zeros(len(covers))
    for n, packed in enumerate(covers):
        gain[n] = left @ np.unpackbits(packed, count=len(left))
    return gain
