"""Coordinate reference systems: reading what a user typed, and naming what was understood.

Nothing here guesses: a text that is not a CRS is refused, a missing CRS stays `None`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from pyproj import CRS, Transformer

    from plumbline.core.data import AnyArray


@lru_cache(maxsize=256)
def parse_crs(text: str) -> CRS:
    """Return the CRS that a text names (``EPSG:4549``, ``EPSG:28992+5709``, WKT, PROJ string).

    Raises
    ------
    UsageError
        If the text names no CRS.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise UsageError(
            tr("“{text}” is not a coordinate reference system.", text=text[:80]),
            tr("Give an EPSG code such as EPSG:4549, or WKT."),
            str(error),
        ) from error


def crs_text(crs: CRS | None) -> str | None:
    """Return the shortest text that names a CRS again: authority code if it has one, else WKT."""
    if crs is None:
        return None
    authority = crs.to_authority(min_confidence=100)
    if authority is not None:
        return ":".join(authority)
    if crs.is_compound:
        parts = [part.to_authority(min_confidence=100) for part in crs.sub_crs_list]
        if all(parts) and len({part[0] for part in parts if part}) == 1:
            return f"{parts[0][0]}:" + "+".join(part[1] for part in parts if part)
    return str(crs.to_wkt())


def crs_label(crs: CRS | None) -> str:
    """Return a name for people, e.g. ``EPSG:4549 CGCS2000 / 3-degree Gauss-Kruger CM 120E``."""
    if crs is None:
        return tr("no CRS")
    text = crs_text(crs) or ""
    return f"{text} {crs.name}" if len(text) < 40 else str(crs.name)


def horizontal_crs(crs: CRS) -> CRS:
    """Return the horizontal part of a compound CRS, a 2D twin of a 3D one, or the CRS itself."""
    if crs.is_compound:
        return next(part for part in crs.sub_crs_list if not part.is_vertical)
    return crs.to_2d() if len(crs.axis_info) == 3 and not crs.is_geocentric else crs


def same_crs(a: CRS | None, b: CRS | None) -> bool:
    """Tell whether two layers can share a scene without reprojection (horizontal parts agree)."""
    if a is None or b is None:
        return a is b
    return a == b or horizontal_crs(a).equals(horizontal_crs(b), ignore_axis_order=True)


def vertical_factor(crs: CRS | None) -> float | None:
    """Return metres per unit of the vertical axis of a CRS, None when it has none."""
    if crs is None or crs.is_geocentric:
        return None
    for part in crs.sub_crs_list or [crs]:
        axes = part.axis_info
        if part.is_vertical or len(axes) == 3:
            return float(axes[-1].unit_conversion_factor)
    return None


def metric_crs(crs: CRS, longitude: float, latitude: float) -> CRS:
    """Return a projected CRS in metres for a place whose data are in degrees.

    CGCS2000 (EPSG:4490) goes to its own 3-degree Gauss-Kruger zone without prefix, EPSG:4534 (75°E)
    to EPSG:4554 (135°E); everything else to the UTM zone on WGS 84, EPSG:32601 to EPSG:32760.
    """
    if crs.to_authority() == ("EPSG", "4490") and 73.5 <= longitude < 136.5:
        return parse_crs(f"EPSG:{4534 + round((longitude - 75) / 3)}")
    zone = int((longitude + 180) // 6) % 60 + 1
    return parse_crs(f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}")


def working_crs(crs: CRS | None, center: AnyArray) -> CRS | None:
    """Return a projected CRS to work in with data that are in degrees or geocentric.

    Parameters
    ----------
    center : (3,) float64
        Middle of the data in `crs`.

    Returns
    -------
    CRS or None
        None where the data can be worked with as they are, or are nowhere near the earth's surface.
    """
    if crs is None:
        return None
    if crs.is_geographic:
        return metric_crs(crs, float(center[0]), float(center[1]))
    if not crs.is_geocentric:
        return None
    # 6,357 km to 6,378 km, and twenty kilometres of what people survey.
    if not 6.33e6 < sum(float(v) ** 2 for v in center) ** 0.5 < 6.40e6:
        return None
    degrees = parse_crs("EPSG:4979")
    x, y, z = (float(v) for v in center)
    lon, lat, _ = transformer(crs, degrees).transform(x, y, z)
    return metric_crs(degrees, lon, lat)


@lru_cache(maxsize=256)
def transformer(source: CRS, target: CRS) -> Transformer:
    """Return the float64 transformer between two CRS, x = easting or longitude first."""
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)
