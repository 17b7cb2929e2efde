"""Which cells of a grid of heights an observer sees: exact, every cell by its own line of sight.

The surface is that of GRASS GIS r.viewshed (Toma, Zhuang, Richard, "Efficient visibility
computation", 2008): the observer stands at the centre of a cell, and a line of sight that passes a
cell meets it along the diagonal that lies across its way, from the mean of the four cells around
one corner over the height of the centre to the mean around the other corner. A target is seen when
no such diagonal of a nearer row (seen to the north or south; column to the east or west) rises
above the line to it. `viewshed_kernels` says how this is decided for all cells at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.feedback import Feedback
from plumbline.geometry.occlusion import in_threads

#: Directions into which a quadrant is cut; a number for the threads, that no answer depends on.
PARTS = 16
#: Grids of no more cells are done sooner by one thread than handed out to several.
SMALL = 250_000


@dataclass(frozen=True)
class GridView:
    """What one observer looks at, and how.

    Attributes
    ----------
    row, column : int
        Cell of the observer.
    eye : float
        Height of the eye, metres, on the datum of the heights.
    cell : (width, height)
        Sides of a cell, metres.
    target : float
        Height of targets above the surface, metres.
    max_distance : float
        Horizontal, metres.
    bend : float
        By how much a point at one metre's distance appears lower, 1/m: (1 - k) / 2R, 0 for none.
    """

    row: int
    column: int
    eye: float
    cell: tuple[float, float] = (1.0, 1.0)
    target: float = 0.0
    max_distance: float = math.inf
    bend: float = 0.0


@dataclass(frozen=True)
class Directions:
    """Where an observer looks; all around and up and down by default.

    Attributes
    ----------
    azimuth_from, azimuth_to : float
        Degrees clockwise from the north of the grid; from 350 to 10 goes through north.
    elevation_from, elevation_to : float
        Degrees above the horizontal.
    """

    azimuth_from: float = 0.0
    azimuth_to: float = 360.0
    elevation_from: float = -90.0
    elevation_to: float = 90.0

    @property
    def all_around(self) -> bool:
        """Whether no azimuth is left out."""
        return self.azimuth_to - self.azimuth_from >= 360.0

    @property
    def unlimited(self) -> bool:
        """Whether nothing is left out."""
        return self.all_around and self.elevation_from <= -90 and self.elevation_to >= 90

    def hold(self, east: AnyArray, north: AnyArray, up: AnyArray) -> NDArray[np.bool_]:
        """Tell which offsets from the eye, metres, lie in these directions; limits belong to it."""
        held = np.ones(np.broadcast_shapes(np.shape(east), np.shape(north)), dtype=np.bool_)
        if not self.all_around:
            azimuth = np.degrees(np.arctan2(east, north))
            span = (self.azimuth_to - self.azimuth_from) % 360.0
            held &= (azimuth - self.azimuth_from) % 360.0 <= span
        if self.elevation_from > -90 or self.elevation_to < 90:
            elevation = np.degrees(np.arctan2(up, np.hypot(east, north)))
            held &= (elevation >= self.elevation_from) & (elevation <= self.elevation_to)
        return held


def needed_heights(
    heights: AnyArray,
    view: GridView,
    feedback: Feedback | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Return how far above the surface a target at each cell has to rise to be seen.

    A target of height `view.target` is seen exactly where the number is no greater than it (as
    float32). Holes in the surface hide nothing.

    Parameters
    ----------
    heights : (rows, columns) float32 or float64
        Metres, first row in the north, NaN for none.
    view : GridView
    threads : int, optional
        As many as there are processors by default; the result does not depend on it.

    Returns
    -------
    (rows, columns) float32
        Metres; 0 where the surface itself is seen, NaN where there is none or it is too far.

    Notes
    -----
    Memory is 4 bytes for each cell beside the heights. Time is in proportion to the cells and to
    the pieces of the horizon, which are about as many as a row has cells.
    """
    from plumbline.geometry import viewshed_kernels as kernels

    rows, columns = heights.shape
    needed = np.full((rows, columns), np.nan, dtype=np.float32)
    flat, written = np.ascontiguousarray(heights).ravel(), needed.ravel()
    small = heights.size <= SMALL
    sectors = list(_sectors(1 if small else PARTS))

    def sweep(part: slice) -> None:
        first, last, sign, on_columns = sectors[part.start]
        shape, steps, place = (rows, columns), (columns, 1), (view.row, view.column)
        du, dv = view.cell[1], view.cell[0]
        if on_columns:
            shape, steps, place, du, dv = shape[::-1], steps[::-1], place[::-1], dv, du
        sector = (first, last, last == 1.0, not on_columns)
        limit = (du * du, dv * dv, view.max_distance**2)
        kernels.sweep(
            flat,
            written,
            shape,
            steps,
            place,
            sign,
            sector,
            view.eye,
            view.target,
            view.bend,
            limit,
        )

    for _ in in_threads(sweep, len(sectors), feedback, 1 if small else threads, 1):
        pass
    if math.isfinite(float(heights[view.row, view.column])):
        needed[view.row, view.column] = 0.0
    return needed


def _sectors(parts: int) -> Iterator[tuple[float, float, int, bool]]:
    """Yield first and last direction, sense, and whether columns are swept."""
    steps = [2.0 * n / parts - 1.0 for n in range(parts + 1)]
    for n in range(parts):
        for sign in (-1, 1):
            for on_columns in (False, True):
                yield steps[n], steps[n + 1], sign, on_columns


def outside(
    heights: AnyArray, view: GridView, directions: Directions, rows: slice
) -> NDArray[np.bool_]:
    """Tell which cells of some rows lie in none of the directions that are looked into.

    Parameters
    ----------
    heights : (rows, columns) float
        The whole grid.
    rows : slice
        Consecutive rows, so that memory stays bounded.
    """
    i, j = np.arange(rows.start, rows.stop)[:, None], np.arange(heights.shape[1])[None, :]
    east, north = (j - view.column) * view.cell[0], (view.row - i) * view.cell[1]
    up: FloatArray = np.asarray(heights[rows], dtype=np.float64) + view.target - view.eye
    up -= view.bend * (np.square(east) + np.square(north))
    beside = ~directions.hold(east, north, up)
    # The observer's own cell has no direction.
    beside[(i == view.row) & (j == view.column)] = False
    return beside


def thinned(
    heights: AnyArray, cell: tuple[float, float], factor: int
) -> tuple[FloatArray, tuple[float, float]]:
    """Return means of blocks of `factor` by `factor` cells, for previews; NaN where all are."""
    rows, columns = (n // factor * factor for n in heights.shape)
    blocks = heights[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0.0).sum(axis=(1, 3))
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean, (cell[0] * factor, cell[1] * factor)
