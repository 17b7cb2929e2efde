"""Doubts about a declared CRS: do the coordinates lie where it is used?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from plumbline.core.crs import horizontal_crs, transformer

if TYPE_CHECKING:
    from pyproj import CRS

#: Degrees by which a place may miss the area of use: these boxes are drawn generously or tightly.
_MARGIN = 3.0


def outside_area(crs: CRS, x: float, y: float) -> bool:
    """Tell whether a place, in a projected CRS, lies far outside the CRS's area of use.

    A CRS without an area, or that is no projection, is never doubted.
    """
    from pyproj.exceptions import ProjError

    area = crs.area_of_use
    flat = horizontal_crs(crs)
    if area is None or not flat.is_projected or crs.geodetic_crs is None:
        return False
    try:
        lon, lat = transformer(flat, crs.geodetic_crs.to_2d()).transform(x, y)
    except ProjError:
        return True
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return True
    east = area.east + (360.0 if area.east < area.west else 0.0)
    return not (
        area.south - _MARGIN <= lat <= area.north + _MARGIN
        and any(area.west - _MARGIN <= lon + turn <= east + _MARGIN for turn in (-360, 0, 360))
    )
