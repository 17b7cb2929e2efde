"""Classes of numbers for graduated themes: equal steps, quantiles, natural breaks, round limits."""

from __future__ import annotations

import math

import numpy as np

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.errors import UsageError
from plumbline.core.i18n import N_, tr

METHODS = {
    "equal": N_("Equal steps"),
    "quantile": N_("Equal counts"),
    "natural": N_("Natural breaks"),
    "round": N_("Round numbers"),
}
MOST_CLASSES = 12
#: Numbers that natural breaks look at; of more, evenly many by rank.
MOST_NUMBERS = 1000


def class_breaks(values: AnyArray, method: str, count: int) -> tuple[float, ...]:
    """Return the limits between classes of numbers, rising; fewer where the numbers are few.

    Parameters
    ----------
    values : (N,) numbers
        Those that are not finite do not count.
    method : str
        ``equal`` steps from lowest to highest; ``quantile``: classes of equal counts; ``natural``:
        the classes with the least sum of squared deviations from their means (Fisher 1958, "On
        grouping for maximum homogeneity"; known after Jenks), found exactly; ``round``: steps of 1,
        2 or 5 times a power of ten.
    count : int
        Number of classes, 2 to `MOST_CLASSES`; for ``round`` about so many.

    Raises
    ------
    UsageError
        If the method or the count is none.
    """
    if method not in METHODS or not 2 <= count <= MOST_CLASSES:
        raise UsageError(
            tr("“{method}” with {n} classes is no way to classify.", method=method, n=count),
            tr("Choose one of {names}, 2 to {n} classes.", names=", ".join(METHODS),
               n=MOST_CLASSES),
        )  # fmt: skip
    known = np.sort(np.asarray(values, dtype=np.float64)[np.isfinite(values)])
    if len(known) == 0 or known[0] == known[-1]:
        return ()
    if method == "equal":
        found = np.linspace(known[0], known[-1], count + 1)[1:-1]
    elif method == "quantile":
        found = np.quantile(known, np.arange(1, count) / count)
    elif method == "round":
        found = _round(float(known[0]), float(known[-1]), count)
    else:
        found = _natural(known, count)
    inside = np.unique(found[(found > known[0]) & (found <= known[-1])])
    return tuple(float(v) for v in inside)


def _round(low: float, high: float, count: int) -> FloatArray:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 5, 10), key=lambda n: abs(math.log(n * power / rough))) * power
    first = math.floor(low / step) + 1
    # From whole numbers, so that a limit is 0.3 and not 0.30000000000000004.
    digits = max(0, -math.floor(math.log10(step)))
    numbers = np.arange(first, math.ceil(high / step))
    return np.array([round(float(n) * step, digits) for n in numbers])


def _natural(known: FloatArray, count: int) -> FloatArray:
    """Return the first number of each class but the first, by dynamic programming over all cuts."""
    if len(known) > MOST_NUMBERS:
        place = np.linspace(0, len(known) - 1, MOST_NUMBERS).round().astype(np.intp)
        known = known[place]
    numbers, weight = np.unique(known, return_counts=True)
    size = len(numbers)
    count = min(count, size)
    # Sums over the first n numbers give the squared deviations of any run at once; from the middle,
    # so that large numbers lose no digits.
    centred = numbers - numbers.mean()
    w, s, q = (
        np.concatenate([[0.0], np.cumsum(v)])
        for v in (weight, weight * centred, weight * centred**2)
    )
    start, end = np.triu_indices(size)
    cost = np.full((size, size), np.inf)
    held = w[end + 1] - w[start]
    cost[start, end] = (q[end + 1] - q[start]) - (s[end + 1] - s[start]) ** 2 / held
    best, cuts = cost[0].copy(), np.zeros((count, size), dtype=np.intp)
    for k in range(1, count):
        # Class k begins at number n; what is before it is grouped best into k classes.
        total = np.concatenate([[np.inf], best[:-1]])[:, None] + cost
        cuts[k] = np.argmin(total, axis=0)
        best = total[cuts[k], np.arange(size)]
    found, last = [], size - 1
    for k in range(count - 1, 0, -1):
        first = int(cuts[k, last])
        found.append(numbers[first])
        last = first - 1
    return np.array(found[::-1])
