"""Polygons with holes as geometries, refused where they enclose nothing or cross themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plumbline.analysis.params import Region
from plumbline.core.errors import RefusedError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    import shapely


def region(polygons: Region) -> shapely.Polygon | shapely.MultiPolygon:
    """Return polygons on the map, project CRS.

    Raises
    ------
    RefusedError
        If sides cross or touch, or polygons overlap.
    """
    import shapely

    parts = []
    for rings in polygons:
        flat = [np.array([point[:2] for point in ring]) for ring in rings]
        # Checked near the origin: far from it, rounding makes sides touch.
        local = shapely.Polygon(flat[0] - flat[0][0], [hole - flat[0][0] for hole in flat[1:]])
        if not local.is_valid or local.area == 0:
            raise RefusedError(
                tr("The polygon has no area, or its sides cross or touch."),
                tr("Give the corners in their order along the outline."),
                shapely.is_valid_reason(local),
            )
        parts.append(shapely.Polygon(flat[0], flat[1:]))
    if len(parts) == 1:
        return parts[0]
    joined = shapely.MultiPolygon(parts)
    if not joined.is_valid:
        raise RefusedError(
            tr("The polygons overlap each other."), tr("Join them before, or give one of them.")
        )
    return joined
