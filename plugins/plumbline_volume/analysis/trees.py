"""Trees in a survey: counted by the tops of their crowns, with the volume of the canopy.

The canopy is gridded by its highest samples, smoothed a little, and every local maximum is a tree
(Popescu and Wynne 2004, *Seeing the trees in the forest*, with one window). Each cell belongs to
the tree to whose top the steepest way up leads from it. A crown is taken as an ellipsoid: its
radius from the area of its cells, its vertical semi-axis from how far its samples hang below its
top. What stands under a crown is not seen and not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Edge of the cells, in spacings of the samples and in metres.
CELL, FINEST, COARSEST = 0.8, 0.4, 1.0
#: Smoothing, in cells, and the radius in metres within which a crown has one top.
SMOOTH, WINDOW = 0.7, 1.2
#: Below this it is a shrub; below the least it is nothing, metres.
TREE, LEAST = 2.0, 0.3
#: Crowns of less are leaves of another one, m².
SMALLEST = 0.6
#: Share of a crown's samples that hang lower than its rim.
RIM = 0.1
#: Cells of the canopy.
MAX_CELLS = 40_000_000


@dataclass(frozen=True)
class Tree:
    """A tree on the map of the frame; metres, m³."""

    x: float
    y: float
    ground: float
    height: float
    radius: float
    semi: float

    @property
    def shrub(self) -> bool:
        """Whether it is too low for a tree."""
        return self.height < TREE

    @property
    def volume(self) -> float:
        """Volume of the crown."""
        return 4 / 3 * math.pi * self.radius**2 * self.semi


def find_trees(points: FloatArray, above: FloatArray, spacing: float) -> list[Tree]:
    """Return the trees that samples of vegetation belong to, from west to east.

    Parameters
    ----------
    points : (N, 3) float64
        Metres.
    above : (N,) float64
        Their height above the ground.
    spacing : float
        Mean distance of samples, metres.
    """
    from scipy import ndimage

    kept = np.isfinite(above) & (above > LEAST)
    points, above = points[kept], above[kept]
    if len(points) == 0:
        return []
    size = float(np.clip(CELL * spacing, FINEST, COARSEST))
    low = np.floor(points[:, :2].min(axis=0) / size) * size - 2 * size
    cell = ((points[:, :2] - low) / size).astype(np.intp)
    shape = tuple(int(n) for n in cell.max(axis=0) + 3)
    canopy = np.zeros(shape)
    np.maximum.at(canopy, (cell[:, 0], cell[:, 1]), above)
    crown = ndimage.binary_closing(canopy > 0)
    # Holes of one cell between samples are no gaps between crowns.
    smooth = ndimage.gaussian_filter(ndimage.grey_closing(canopy, size=3), SMOOTH)
    reach = max(1, round(WINDOW / size))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = rows**2 + columns**2 <= reach**2 + 0.5
    tops = (ndimage.maximum_filter(smooth, footprint=disk) == smooth) & crown & (smooth > LEAST)
    labels, count = ndimage.label(tops, structure=np.ones((3, 3)))
    if count == 0:
        return []
    basins = np.where(crown, _uphill(smooth, labels), 0)
    owner = basins[cell[:, 0], cell[:, 1]]
    area: FloatArray = np.bincount(basins.ravel(), minlength=count + 1) * size**2.0
    return _trees(points, above, owner, area)


def _uphill(smooth: FloatArray, labels: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the top that each cell comes to when it always steps to its highest neighbour.

    Small tops within the window of a higher one are none: they belong to the nearest.
    """
    from scipy.spatial import cKDTree

    rows, columns = smooth.shape
    wide = np.pad(smooth, 1, constant_values=-np.inf)
    around = np.stack([wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)])
    step_row, step_column = np.divmod(np.argmax(around, axis=0), 3)
    row, column = np.indices(smooth.shape)
    to = ((row + step_row - 1) * columns + column + step_column - 1).ravel()
    while True:
        further = to[to]
        if (further == to).all():
            break
        to = further
    found = labels.ravel()[to]
    lost = np.flatnonzero((found == 0) & (smooth.ravel() > 0))
    tops = np.argwhere(labels > 0)
    _, nearest = cKDTree(tops).query(np.column_stack(np.divmod(to[lost], columns)))
    found[lost] = labels[tops[nearest, 0], tops[nearest, 1]]
    basins: NDArray[np.intp] = found.reshape(smooth.shape).astype(np.intp)
    return basins


def _trees(
    points: FloatArray, above: FloatArray, owner: NDArray[np.integer], area: FloatArray
) -> list[Tree]:
    order = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(1, len(area) + 1))
    found = []
    for number in range(1, len(area)):
        own = order[ends[number - 1] : ends[number]]
        if len(own) == 0 or area[number] < SMALLEST:
            continue
        top = own[np.argmax(above[own])]
        height = float(above[top])
        rim = float(np.quantile(above[own], RIM))
        radius = math.sqrt(area[number] / math.pi)
        # That share of the samples on an ellipsoid lies so far below its top, in semi-axes.
        semi = float(np.clip((height - rim) / (1 - math.sqrt(RIM)), 0.1, height / 2))
        x, y, z = points[top].tolist()
        found.append(Tree(x, y, z - height, height, radius, semi))
    return sorted(found, key=lambda tree: (tree.x, tree.y))
