"""Clouds gathered into the cells of a grid, batch by batch, in bounded memory.

Sums are integers, so that neither the order of points, nor the size of batches, nor the number of
threads changes a digit of the result.
"""

from __future__ import annotations

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
        grid = self._cover.grid
        column = np.floor((points[:, 0] - grid.xmin) / grid.dx)
        row = np.floor((grid.ymax - points[:, 1]) / grid.dy)
        z = points[:, 2] * self._factor - self._reference
        # On the east and the south border too; what is not finite is nowhere.
        column[column == grid.columns] = grid.columns - 1
        row[row == grid.rows] = grid.rows - 1
        on = (column >= 0) & (column < grid.columns) & (row >= 0) & (row < grid.rows)
        on &= np.abs(z) < _REACH
        cells = (row[on] * grid.columns + column[on]).astype(np.intp)
        z, kind = z[on], self._kind[cells]
        cut = np.flatnonzero(kind == 2)
        if len(cut):
            import shapely

            x, y = points[np.flatnonzero(on)[cut], :2].T
            kind[cut] = shapely.contains_xy(self._cover.polygon, x, y)
        inside = kind == 1
        if not inside.all():
            cells, z = cells[inside], z[inside]
        np.add.at(self._count, cells, np.int32(1))
        np.add.at(self._sum, cells, np.rint(z / _STEP).astype(np.int64))
        np.add.at(self._squares, cells, np.square(np.rint(z / _SQUARE_STEP).astype(np.int64)))

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
        n = self._count.reshape(shape).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            z = self._sum.reshape(shape) * _STEP / n
            spread = self._squares.reshape(shape) * _SQUARE_STEP**2 - n * z**2
        # Rounding of the squares leaves a little less than nothing at times.
        np.maximum(spread, 0.0, out=spread)
        spread[n < 2] = 0.0
        single = n == 1
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = spread / (n - 1)
        if single.any():
            free = _window_sum(np.maximum(n - 1, 0))
            with np.errstate(invalid="ignore", divide="ignore"):
                variance[single] = (_window_sum(spread) / free)[single]
            bare = single & (free == 0)
            if bare.any():
                variance[bare] = raster_heights(z, self._cover).u[bare] ** 2
        del spread
        # A border cell has as many points as its share, so it is compared with that.
        typical = np.median(n[n > 0]) if (n > 0).any() else 0.0
        crowded = n > 2 * typical * np.maximum(self._cover.share, 1e-9) + 3
        common: FloatArray | float = 0.0
        if crowded.any():
            common = np.where(crowded, np.sqrt(np.nan_to_num(variance)), 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            u = np.sqrt(variance / n)
        u[n == 0] = np.nan
        return Heights(z + self._reference, u, (n > 0).astype(np.float64), common)


def _window_sum(values: FloatArray) -> FloatArray:
    """Return sums over 3 × 3 cells."""
    from scipy.ndimage import uniform_filter

    sums: FloatArray = uniform_filter(values, 3, mode="constant") * 9
    # The filter adds and takes away: what is left of nothing is rounding.
    return np.where(sums < 1e-9 * max(float(values.max(initial=0.0)), 1e-300), 0.0, sums)
