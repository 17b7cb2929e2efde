"""What the painters of the orthophoto share: its grid, and work in strips on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo.frame import HEIGHT

RESOLUTION = 0.25
"""Size in m of a pixel."""


def pixels(points: Any) -> list[tuple[float, float]]:
    """Return local points as (column, row) of the orthophoto."""
    points = np.asarray(points, float)
    return [(x / RESOLUTION, (HEIGHT - y) / RESOLUTION) for x, y in points[:, :2]]


def in_strips(rows: int, work: Callable[[slice], None], high: int = 250) -> None:
    """Call `work` for every strip of rows, several at once; strips must not depend on each other.

    NumPy lets go of the interpreter lock, and a strip stays in the cache of its core.
    """
    strips = [slice(k, min(k + high, rows)) for k in range(0, rows, high)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for _ in pool.map(work, strips):
            pass


def haze(image: NDArray[np.float32]) -> None:
    """Take away some colour and contrast in place, as the air between does."""
    grey = image.mean(axis=2, keepdims=True)
    image *= 0.86
    image += 0.08 * grey
    image += 9
