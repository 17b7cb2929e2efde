"""Topographic prominence: how far down one must go from a peak to reach anything higher."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Peaks:
    """Peaks of a grid of heights, the most prominent first.

    Attributes
    ----------
    cell : (K,) intp
        Index into the flat grid.
    prominence : (K,) float64
        Height above the key saddle; of the highest peak of each part of the grid that nothing
        connects, above the lowest cell of that part.
    saddle : (K,) intp
        Cell of the key saddle, of the lowest cell for the highest peak.
    """

    cell: Indices
    prominence: FloatArray
    saddle: Indices


def peaks(heights: FloatArray, least: float = 0.0) -> Peaks:
    """Return the peaks of a grid whose prominence is more than `least`.

    Cells are flooded from the highest down; where two floods meet, the lower peak has its saddle
    (Edelsbrunner, Harer 2010, *Computational Topology*, ch. VII: persistence of maxima). Each cell
    has eight neighbours. Of equally high cells the one that comes first counts as the higher.

    Parameters
    ----------
    heights : (rows, columns) float64
        NaN where there is nothing; nobody walks there.
    """
    flat = np.ascontiguousarray(heights, dtype=np.float64).ravel()
    known = np.flatnonzero(np.isfinite(flat))
    order = known[np.argsort(-flat[known], kind="stable")]
    cell, saddle = _flood()(flat, order, heights.shape[1])
    prominence: FloatArray = flat[cell] - flat[saddle]
    kept = np.flatnonzero(prominence > least)
    kept = kept[np.lexsort((cell[kept], -flat[cell[kept]], -prominence[kept]))]
    return Peaks(cell[kept], prominence[kept], saddle[kept])


@cache
def _flood() -> Any:
    """Return the compiled flooding; numba is loaded when it is first needed."""
    from numba import njit

    @njit(nogil=True)  # type: ignore[untyped-decorator]
    def flood(flat: Any, order: Any, columns: int) -> Any:
        size = len(flat)
        parent = np.full(size, -1, dtype=np.intp)
        rank = np.empty(size, dtype=np.intp)
        top = np.empty(size, dtype=np.intp)
        lowest = np.empty(size, dtype=np.intp)
        cells, saddles = [], []
        for n in range(len(order)):
            here = order[n]
            rank[here] = n
            parent[here] = here
            top[here] = here
            lowest[here] = here
            row, column = here // columns, here % columns
            for step_row in range(-1, 2):
                for step in range(-1, 2):
                    side = column + step
                    there = (row + step_row) * columns + side
                    if side < 0 or side >= columns or there < 0 or there >= size:
                        continue
                    if there == here or parent[there] < 0:
                        continue
                    a, b = here, there
                    while parent[a] != a:
                        parent[a] = parent[parent[a]]
                        a = parent[a]
                    while parent[b] != b:
                        parent[b] = parent[parent[b]]
                        b = parent[b]
                    if a == b:
                        continue
                    if rank[top[a]] > rank[top[b]]:
                        a, b = b, a
                    # The lower top ends here, unless it is this very cell.
                    if top[b] != here:
                        cells.append(top[b])
                        saddles.append(here)
                    parent[b] = a
                    lowest[a] = here
        for n in range(len(order)):
            here = order[n]
            if parent[here] == here:
                cells.append(top[here])
                saddles.append(lowest[here])
        return np.array(cells, dtype=np.intp), np.array(saddles, dtype=np.intp)

    return flood
