"""Clouds gathered into the cells of a grid, batch by batch, in bounded memory.

Sums are integers, so that neither the order of points, nor the size of batches, nor the number of
threads changes a digit of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray
from plumbline.geometry.gridding import Cover, Heights, raster_heights

#: Heights are summed in steps of this length, their squares in steps of the other, metres.
_STEP, _SQUARE_STEP = 1e-5, 1e-3
#: Heights farther than this from the reference are no heights, metres.
_REACH = 100_000.0


class CloudGrid:
    """Points gathered into cells, batch by batch, in bounded memory.

    Parameters
    ----------
    cover : Cover
        Where; points outside the polygon do not count.
    reference : float
        A height near those of the points, metres.
    factor : float
        Metres per unit of z.
    """

    def __init__(self, cover: Cover, reference: float, factor: float = 1.0) -> None:
        size = cover.share.size
        self._cover, self._reference, self._factor = cover, reference, factor
        self._kind = np.ravel(cover.share > 0).astype(np.uint8)
        self._kind[cover.border] = 2
        self._count = np.zeros(size, np.int32)
        self._sum, self._squares = np.zeros(size, np.int64), np.zeros(size, np.int64)

    def add(self, points: AnyArray) -> None:
        """Add points ``(N, 3)`` of the project CRS; those that are not finite are left out."""
        grid, cells = self._cover.grid, np.empty(len(points), np.int64)
        frame = (grid.xmin, grid.ymax, 1 / grid.dx, 1 / grid.dy, self._reference, self._factor)
        sums = (self._count, self._sum, self._squares)
        _gather()(points, np.array(frame), grid.rows, grid.columns, self._kind, cells, *sums)
        cut = np.flatnonzero(cells >= 0)
        if len(cut):
            self._add_border(points[cut], cells[cut])

    def _add_border(self, points: AnyArray, cells: NDArray[np.int64]) -> None:
        import shapely

        inside = shapely.contains_xy(self._cover.polygon, points[:, 0], points[:, 1])
        local = points[inside, 2] * self._factor - self._reference
        np.add.at(self._count, cells[inside], 1)
        np.add.at(self._sum, cells[inside], np.rint(local / _STEP).astype(np.int64))
        squares = np.rint(local / _SQUARE_STEP).astype(np.int64) ** 2
        np.add.at(self._squares, cells[inside], squares)

    @property
    def counts(self) -> NDArray[np.int32]:
        """Points ``(rows, columns)`` in each cell."""
        return self._count.reshape(self._cover.grid.shape)

    def heights(self) -> Heights:
        """Return the mean of each cell; its uncertainty from the scatter of the points in it.

        A mean of n points that scatter by s errs by ``s / √n``; a cell with one point takes s from
        the cells around it. Where a cell has more than twice as many points as the median cell
        (a wall that was seen from the side), points are not spread evenly over the map: what they
        scatter by then counts as the same error in all such cells.
        """
        shape = self._cover.grid.shape
        n = self._count.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum * _STEP / n
            spread = self._squares * _SQUARE_STEP**2 - n * mean**2
        mean, n = mean.reshape(shape), n.reshape(shape)
        # Rounding of the squares leaves a little less than nothing at times.
        spread = np.where(n > 1, np.maximum(spread.reshape(shape), 0.0), 0.0)
        freedom = np.maximum(n - 1, 0)
        around, free = _window_sum(spread), _window_sum(freedom)
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.where(n > 1, spread / freedom, around / free)
        bare = (n == 1) & (free == 0)
        if bare.any():
            variance[bare] = (raster_heights(mean, self._cover).u[bare]) ** 2
        u = np.sqrt(variance / np.maximum(n, 1))
        u[n == 0] = np.nan
        typical = np.median(n[n > 0]) if (n > 0).any() else 0.0
        # A border cell has as many points as its share, so it is compared with that.
        crowded = n > 2 * typical * np.maximum(self._cover.share, 1e-9) + 3
        common = np.where(crowded, np.sqrt(np.nan_to_num(variance)), 0.0)
        z = np.where(n > 0, mean + self._reference, np.nan)
        return Heights(z, u, (n > 0).astype(np.float64), common)


@cache
def _gather() -> Callable[..., None]:
    """Return the loop over points, compiled: a hundred million points in seconds."""
    import numba

    @numba.njit(nogil=True)
    def gather(points, frame, rows, columns, kind, cells, count, total, squares):  # type: ignore[no-untyped-def]
        xmin, ymax, per_dx, per_dy, reference, factor = frame
        for i in range(len(points)):
            cells[i] = -1
            x = (points[i, 0] - xmin) * per_dx
            y = (ymax - points[i, 1]) * per_dy
            z = points[i, 2] * factor - reference
            # Not finite is never inside.
            if not (0.0 <= x <= columns and 0.0 <= y <= rows and abs(z) < _REACH):
                continue
            cell = min(int(y), rows - 1) * columns + min(int(x), columns - 1)
            if kind[cell] == 1:
                count[cell] += 1
                total[cell] += np.int64(np.rint(z / _STEP))
                squares[cell] += np.int64(np.rint(z / _SQUARE_STEP)) ** 2
            elif kind[cell] == 2:
                cells[i] = cell

    return gather  # type: ignore[no-any-return]


def _window_sum(values: FloatArray) -> FloatArray:
    """Return sums over 3 × 3 cells."""
    from scipy.ndimage import uniform_filter

    sums: FloatArray = uniform_filter(values, 3, mode="constant") * 9
    # The filter adds and takes away: what is left of nothing is rounding.
    return np.where(sums < 1e-9 * max(float(values.max(initial=0.0)), 1e-300), 0.0, sums)
