"""Eaves, ridge and parapet of a building from its faces.

What counts is what is seen from above. Where most of that is level the roof is flat, its level is
the highest that holds a real share of it, and what stands higher along the rim is a parapet. Else
the roof slopes from its eaves to its ridge. The height of a building as GB 50016-2014, appendix A
counts it is the level of a flat roof, and half-way from eaves to ridge of a sloping one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from plumbline.api import EmbreeCaster, Feedback
from plumbline_schemes.analysis.buildings import Building
from plumbline_schemes.analysis.floors import number

FloatArray = NDArray[np.float64]

#: Plumb lines on one building.
SAMPLES = 2500
#: A face that is steeper than this is no level roof (2 %), or no roof at all (80°).
LEVEL, STEEP = np.cos(np.arctan(0.02)), np.cos(np.radians(80.0))
#: Least share of what is seen from above that makes a level a roof, not a stair head.
SHARE = 0.15
#: How near to the outline a parapet stands, and how low it may be, metres.
RIM, LEAST = 0.5, 0.05


@dataclass(frozen=True)
class Heights:
    """Heights above the ground floor in metres, None where unknown.

    Attributes
    ----------
    height : float, optional
        As planning law counts it.
    top : float, optional
        The highest point, whatever it is.
    source : str
        ``attributes``, ``faces``, or ``outline`` (an outline with one height).
    """

    eaves: float | None
    ridge: float | None
    parapet: float | None
    height: float | None
    top: float | None
    source: str


def heights(building: Building, columns: Mapping[str, str], feedback: Feedback) -> Heights:
    """Return the heights of a building: stated ones, else those of its faces."""
    eaves = number(building.attributes, "eaves", columns)
    ridge = number(building.attributes, "ridge", columns)
    parapet = number(building.attributes, "parapet", columns)
    top = float(building.height) if np.isfinite(building.height) else None
    if eaves is not None and ridge is not None:
        return Heights(eaves, ridge, parapet, (eaves + ridge) / 2, top, "attributes")
    if building.corners is None:
        return Heights(eaves, ridge, parapet, top, top, "outline")
    return of_faces(building, building.corners, feedback)


def of_faces(building: Building, corners: FloatArray, feedback: Feedback) -> Heights:
    """Return the heights of a building from its faces ``(M, 3, 3)``."""
    seen = _seen_from_above(building, corners, feedback)
    base = building.base
    assert base is not None
    top = float(corners[..., 2].max()) - base
    if len(seen) == 0:
        return Heights(None, None, None, top, top, "faces")
    face, count = np.unique(seen, return_counts=True)
    edge = corners[face, 1:] - corners[face, :1]
    normal = np.cross(edge[:, 0], edge[:, 1])
    upward = np.abs(normal[:, 2]) / np.linalg.norm(normal, axis=1)
    level = upward >= LEVEL
    if count[level].sum() >= 0.5 * count.sum():
        z = np.round(corners[face[level]][..., 2].mean(axis=1), 2)
        steps, index = np.unique(z, return_inverse=True)
        share = np.bincount(index, count[level]) / count.sum()
        roofs = steps[share >= min(SHARE, share.max())]
        roof = float(roofs.max()) - base
        rim = _highest_at_rim(building, corners) - base
        parapet = rim if rim > roof + LEAST else None
        return Heights(roof, roof, parapet, roof, top, "faces")
    sloping = corners[face[~level & (upward > STEEP)]][..., 2]
    eaves, ridge = float(sloping.min()) - base, float(sloping.max()) - base
    return Heights(eaves, ridge, None, (eaves + ridge) / 2, top, "faces")


def _seen_from_above(
    building: Building, corners: FloatArray, feedback: Feedback
) -> NDArray[np.intp]:
    """Return the face that each of a grid of plumb lines over the footprint meets first."""
    cell = max(float(np.sqrt(building.footprint.area / SAMPLES)), 0.02)
    x0, y0, x1, y1 = building.footprint.bounds
    x, y = np.arange(x0 + cell / 2, x1, cell), np.arange(y0 + cell / 2, y1, cell)
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    places = places[shapely.contains_xy(building.footprint, places[:, 0], places[:, 1])]
    vertices = corners.reshape(-1, 3)
    caster = EmbreeCaster(vertices, np.arange(len(vertices)).reshape(-1, 3))
    ceiling = np.full(len(places), float(vertices[:, 2].max()) + 1.0)
    down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), (len(places), 3))
    _, face = caster.first_hits(np.column_stack([places, ceiling]), down, feedback)
    return face[face >= 0]


def _highest_at_rim(building: Building, corners: FloatArray) -> float:
    """Return the height of the highest corner near the outline."""
    points = corners.reshape(-1, 3)
    rim = building.footprint.boundary
    near = shapely.dwithin(shapely.points(points[:, :2]), rim, RIM)
    return float(points[near, 2].max()) if near.any() else -np.inf
