"""What stands on the ground and is on no map: sheds, walls, and buildings without a footprint.

Samples well above the ground, outside of all footprints and no vegetation, are gathered into things
by nearness. A thing that is long and thin is a masonry wall, a large one a building, the rest are
sheds. Surfaces that nobody classified tell vegetation by its roughness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from plumbline_volume.analysis.demolition_skin import Skin

FloatArray = NDArray[np.float64]

#: Lower things are steps, cars' bonnets and noise, metres.
LOWEST = 1.0
#: Distance from a footprint within which things belong to its building, metres.
APART = 0.6
#: Things are one that are nearer than so many spacings, and than this, metres.
LINK, NEAREST = 2.0, 2.0
#: Walls are thinner and longer than this, metres.
WALL_WIDTH, WALL_LENGTH = 0.8, 4.0
#: Thickness of a wall that is not measured: one brick, metres. An assumption.
WALL_THICKNESS = 0.24
#: Sheds are larger than this, and buildings than that, m²; buildings are at least so high, metres.
SHED, HOUSE, HOUSE_HEIGHT = 4.0, 20.0, 2.2
#: Fewest samples of a thing.
FEWEST = 6
#: Samples whose heights scatter by more around the plane of their neighbours are leaves, metres.
ROUGH, NEIGHBOURS = 0.25, 8


@dataclass(frozen=True)
class Thing:
    """Something on no map; metres of the frame, m², m³."""

    kind: str
    outline: Any
    length: float
    width: float
    height: float
    area: float
    volume: float
    samples: int


def split_leaves(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the smooth and the rough of samples that nobody classified."""
    from scipy.spatial import cKDTree

    if len(points) <= NEIGHBOURS:
        return points, points[:0]
    _, index = cKDTree(points[:, :2]).query(points[:, :2], k=NEIGHBOURS + 1)
    near = points[index] - points[index].mean(axis=1, keepdims=True)
    normal = np.einsum("nki,nkj->nij", near[..., :2], near[..., :2]) + 1e-3 * np.eye(2)
    rise = np.einsum("nki,nk->ni", near[..., :2], near[..., 2])
    slope = np.linalg.solve(normal, rise[..., None])[..., 0]
    miss = near[..., 2] - np.einsum("nki,ni->nk", near[..., :2], slope)
    rough = np.sqrt((miss**2).mean(axis=1))
    # One sample on an edge is rough; leaves are rough all around.
    leaves = np.median(rough[index], axis=1) > ROUGH
    return points[~leaves], points[leaves]


def find_things(points: FloatArray, above: FloatArray, skin: Skin) -> list[Thing]:
    """Return the things that samples outside of footprints make, the largest first."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    kept = np.isfinite(above) & (above >= LOWEST)
    points, above = points[kept], above[kept]
    if len(points) < FEWEST:
        return []
    link = max(LINK * skin.spacing, NEAREST)
    pairs = cKDTree(points[:, :2]).query_pairs(link, output_type="ndarray")
    size = len(points)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (size, size))
    count, label = connected_components(graph, directed=False)
    order = np.argsort(label, kind="stable")
    ends = np.searchsorted(label[order], np.arange(count + 1))
    found = []
    for number in range(count):
        own = order[ends[number] : ends[number + 1]]
        if len(own) >= FEWEST:
            thing = _thing(points[own], above[own], skin.spacing)
            if thing is not None:
                found.append(thing)
    return sorted(found, key=lambda one: (-one.volume, one.outline.bounds))


def _thing(points: FloatArray, above: FloatArray, spacing: float) -> Thing | None:
    """Return what a heap of samples is, None where it is too small for anything."""
    centre = points[:, :2].mean(axis=0)
    _, _, axes = np.linalg.svd(points[:, :2] - centre, full_matrices=False)
    along = (points[:, :2] - centre) @ axes.T
    length, width = (float(np.ptp(along[:, k])) for k in (0, 1))
    height = float(np.quantile(above, 0.9))
    if length >= WALL_LENGTH and width <= WALL_WIDTH:
        ends = centre + np.outer([along[:, 0].min(), along[:, 0].max()], axes[0])
        line = shapely.LineString(ends)
        outline = line.buffer(WALL_THICKNESS / 2, cap_style="flat")
        area = length * WALL_THICKNESS
        return Thing(
            "wall", outline, length, WALL_THICKNESS, height, area, area * height, len(points)
        )
    # Samples lie half a spacing inside of the edge, on the average.
    hull = shapely.concave_hull(shapely.MultiPoint(points[:, :2]), ratio=0.3)
    outline = hull.buffer(spacing / 2, join_style="mitre").simplify(spacing / 2)
    area = float(outline.area)
    if area < SHED or outline.geom_type != "Polygon":
        return None
    mean = math.fsum(above.tolist()) / len(above)
    kind = "building" if area >= HOUSE and height >= HOUSE_HEIGHT else "shed"
    return Thing(kind, outline, length, width, height, area, area * mean, len(points))
