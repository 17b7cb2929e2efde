"""Ground under buildings: from a terrain model, from ground points, or from a ring around them.

Nobody measured the ground under a building. A terrain model and classified points say what they
say around it, and a ring takes the lowest samples around the footprint; under the building each
gives a surface. Which one was used is part of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from plumbline.api import tin_weights
from plumbline_volume.analysis.demolition_skin import GROUND, VEGETATION, Skin

FloatArray = NDArray[np.float64]
Method = Literal["layer", "class2", "ring_plane", "ring_tin", "ring_idw"]

#: The ring begins so far from the footprint, by the kind of survey: the feet of walls melt into the
#: ground of a mesh, and cells of a raster reach over them. Metres.
INNER = {"cloud": 0.3, "mesh": 0.8, "raster": 1.0}
#: Width of the ring; wider ones where it holds too little, metres.
WIDTHS = (1.2, 3.0, 6.0, 12.0, 25.0)
#: Sectors of the ring, in each of which the lowest third of the samples is ground.
SECTORS, LOWEST = 16, 0.3
#: Ground points this near to a footprint make the TIN; farther ones where they leave gaps. Metres.
REACH = (2.0, 5.0, 15.0)
#: Fewest samples that make a surface.
FEWEST = 4


@dataclass(frozen=True)
class Ground:
    """Ground under one footprint.

    Attributes
    ----------
    heights : function
        From places ``(N, 2)`` to heights ``(N,)``, metres of the frame.
    method : str
        How it was found, e.g. ``ring_plane``.
    samples : int
        What it rests on.
    """

    heights: Callable[[FloatArray], FloatArray]
    method: str
    samples: int


def ground_under(
    footprint: Any, skin: Skin, method: Method, others: Any, terrain: Skin | None
) -> Ground | None:
    """Return the ground under a footprint, None where nothing tells it.

    Parameters
    ----------
    others : shapely geometry
        Union of all footprints around, which are no ground.
    terrain : Skin, optional
        The layer of `method` ``layer``.
    """
    if method == "layer":
        assert terrain is not None
        return _of_layer(footprint, terrain)
    if method == "class2":
        return _of_points(footprint, skin, "class2")
    points = _ring(footprint, skin, others)
    if len(points) < FEWEST:
        return None
    if method == "ring_plane":
        return _plane(points)
    if method == "ring_tin":
        return _tin(points, "ring_tin")
    return _idw(points)


def _of_layer(footprint: Any, terrain: Skin) -> Ground | None:
    if terrain.kind == "cloud":
        return _of_points(footprint, terrain, "layer")
    known = terrain.sampled(shapely.get_coordinates(footprint.exterior))
    if len(known) == 0:
        return None

    def heights(places: FloatArray) -> FloatArray:
        found = terrain.sampled(places)
        if len(found) == len(places):
            return found[:, 2]
        return _nearest(np.vstack([found, known]), places)

    return Ground(heights, "layer", len(known))


def _of_points(footprint: Any, skin: Skin, method: str) -> Ground | None:
    """Return the TIN of the ground points around a footprint, near ones where they surround it."""
    for reach in REACH:
        points = skin.inside(footprint.buffer(reach), GROUND)
        if len(points) and len(_lowest(points, footprint.centroid)) >= 0.75 * SECTORS:
            break
    return _tin(points, method) if len(points) >= FEWEST else None


def _ring(footprint: Any, skin: Skin, others: Any) -> FloatArray:
    """Return the lowest samples of the sectors around a footprint, outside of all footprints."""
    inner = INNER[skin.kind]
    near = shapely.intersection(others, footprint.buffer(WIDTHS[-1] + 2 * inner).envelope)
    taken = near.buffer(inner)
    for width in WIDTHS:
        ring = shapely.difference(footprint.buffer(inner + width), taken)
        points = skin.inside(ring)
        if skin.classes is not None:
            classes = tuple(int(c) for c in np.unique(skin.classes) if c not in VEGETATION)
            points = skin.inside(ring, classes)
        lowest = _lowest(points, footprint.centroid)
        if len(lowest) >= SECTORS // 2:
            return lowest
    return lowest


def _lowest(points: FloatArray, centre: Any) -> FloatArray:
    if len(points) == 0:
        return points
    angle = np.arctan2(points[:, 1] - centre.y, points[:, 0] - centre.x)
    sector = np.minimum(((angle + np.pi) / (2 * np.pi) * SECTORS).astype(int), SECTORS - 1)
    found = []
    for number in np.unique(sector):
        own = points[sector == number]
        level = np.quantile(own[:, 2], LOWEST)
        low = own[own[:, 2] <= level + 1e-9]
        found.append([*low[:, :2].mean(axis=0), float(np.median(low[:, 2]))])
    return np.array(found)


def _plane(points: FloatArray) -> Ground:
    """Return the plane with the least squares; points far off it are left out once."""
    for _ in range(2):
        centre = points.mean(axis=0)
        local = points - centre
        matrix = np.column_stack([local[:, :2], np.ones(len(local))])
        factors, *_ = np.linalg.lstsq(matrix, local[:, 2], rcond=None)
        miss = np.abs(local[:, 2] - matrix @ factors)
        kept = miss <= max(3 * float(np.median(miss)), 0.05)
        if kept.all() or kept.sum() < FEWEST:
            break
        points = points[kept]

    def heights(places: FloatArray) -> FloatArray:
        result: FloatArray = (places - centre[:2]) @ factors[:2] + factors[2] + centre[2]
        return result

    return Ground(heights, "ring_plane", len(points))


def _tin(points: FloatArray, method: str) -> Ground:
    """Return the TIN through points; places outside of it take the nearest one's height."""

    def heights(places: FloatArray) -> FloatArray:
        return interpolated(points, places)

    return Ground(heights, method, len(points))


def interpolated(points: FloatArray, places: FloatArray) -> FloatArray:
    """Return heights of a TIN at places; outside of it that of the nearest point."""
    corners, weights = tin_weights(points[:, :2], places)
    z: FloatArray = (points[corners, 2] * weights).sum(axis=1)
    bare = np.isnan(z)
    z[bare] = _nearest(points, places[bare])
    return z


def _nearest(points: FloatArray, places: FloatArray) -> FloatArray:
    from scipy.spatial import cKDTree

    if len(places) == 0:
        return np.empty(0)
    _, index = cKDTree(points[:, :2]).query(places)
    result: FloatArray = points[index, 2]
    return result


def _idw(points: FloatArray) -> Ground:
    """Return heights weighted by the inverse square of the distance (Shepard 1968)."""

    def heights(places: FloatArray) -> FloatArray:
        apart = ((places[:, None] - points[None, :, :2]) ** 2).sum(axis=2)
        weight = 1.0 / np.maximum(apart, 1e-6)
        result: FloatArray = (weight @ points[:, 2]) / weight.sum(axis=1)
        return result

    return Ground(heights, "ring_idw", len(points))
