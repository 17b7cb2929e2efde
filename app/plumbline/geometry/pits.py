"""Pits with sloping sides: how far a place lies up the slope, corners mitred as they are dug."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.data import FloatArray

if TYPE_CHECKING:
    import shapely

#: A corner is cut off where it would reach farther than this many times the width of the slope.
MITRE_LIMIT = 5.0


def slope_distance(
    places: FloatArray, polygon: shapely.Polygon | shapely.MultiPolygon
) -> FloatArray:
    """Return how far places lie outside of a polygon, across the side that they belong to.

    The plane slopes of neighbouring sides meet in an edge over the bisector of a corner, as in the
    formula of the foundation pit ``V = (a + m h)(b + m h) h + m² h³ / 3``, not in a cone.

    Parameters
    ----------
    places : (N, 2) float64
    polygon : shapely.Polygon or shapely.MultiPolygon
        Valid.

    Returns
    -------
    (N,) float64
        0 inside.
    """
    import shapely

    found = np.full(len(places), np.inf)
    for ring in shapely.get_rings(shapely.get_parts(shapely.orient_polygons(polygon))):
        corners = shapely.get_coordinates(ring)[:-1]
        # Corners on a straight side have no bisector of their own.
        along = np.roll(corners, -1, axis=0) - corners
        length = np.linalg.norm(along, axis=1)
        corners, along, length = (a[length > 0] for a in (corners, along, length))
        _nearer(found, places, corners, along / length[:, None], length)
    inside = shapely.contains_xy(polygon, places[:, 0], places[:, 1])
    found[inside] = 0.0
    return found


def _nearer(
    found: FloatArray,
    places: FloatArray,
    corners: FloatArray,
    along: FloatArray,
    length: FloatArray,
) -> None:
    """Lower distances to those of the sides of one ring, whose inside is on their left."""
    count = len(corners)
    for n in range(count):
        offset = places - corners[n]
        t = offset @ along[n]
        # Outside is on the right of a side.
        away = offset @ np.array([along[n, 1], -along[n, 0]])
        beside = (t >= 0) & (t <= length[n]) & (away >= 0)
        found[beside] = np.minimum(found[beside], away[beside])
        before = along[n - 1]
        convex = before[0] * along[n, 1] - before[1] * along[n, 0] > 0
        if not convex:
            continue
        # In the wedge behind a corner both neighbouring slopes run on.
        wedge = (t < 0) & (offset @ before > 0)
        other = offset @ np.array([before[1], -before[0]])
        mitred = np.maximum(away, other)
        wedge &= (mitred >= 0) & (np.hypot(*offset.T) <= MITRE_LIMIT * mitred)
        found[wedge] = np.minimum(found[wedge], mitred[wedge])
