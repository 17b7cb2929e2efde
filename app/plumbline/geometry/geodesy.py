"""Lines on the earth: metres in any project CRS, geodesics on its ellipsoid, true azimuths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plumbline.core.crs import horizontal_crs
from plumbline.core.georeference import Georeference

if TYPE_CHECKING:
    from pyproj import CRS


@dataclass(frozen=True)
class CrsUnits:
    """Metres per unit of the project CRS.

    Attributes
    ----------
    horizontal : float or None
        Metres per unit of x and y; None where they are degrees.
    vertical : float
        Metres per unit of z.
    vertical_stated : bool
        Whether the CRS states the unit of z. Where it does not, z is taken to have the unit of x
        and y, or metres beside degrees.
    """

    horizontal: float | None = 1.0
    vertical: float = 1.0
    vertical_stated: bool = False


def crs_units(crs: CRS | None) -> CrsUnits:
    """Return the units of a CRS; a plane without CRS is in metres."""
    if crs is None:
        return CrsUnits()
    axes = horizontal_crs(crs).axis_info
    degrees = horizontal_crs(crs).is_geographic
    horizontal = None if degrees or not axes else float(axes[0].unit_conversion_factor)
    up = [a for a in crs.axis_info if a.direction.lower() in ("up", "down")]
    if up:
        return CrsUnits(horizontal, float(up[0].unit_conversion_factor), True)
    return CrsUnits(horizontal, horizontal or 1.0, False)


def geodesic(
    georeference: Georeference, start: tuple[float, float], end: tuple[float, float]
) -> tuple[float, float]:
    """Return the shortest line between two places on the ellipsoid of the project CRS.

    Computed with Karney's algorithm (GeographicLib, as PROJ has it), to nanometres.

    Parameters
    ----------
    start, end : (x, y)
        Project CRS.

    Returns
    -------
    azimuth : float
        Degrees clockwise from true north in 0..360, at `start`.
    length : float
        Metres on the ellipsoid, at height 0.

    Raises
    ------
    RefusedError
        If the project has no CRS tied to the earth.
    """
    a, b = georeference.geographic(*start), georeference.geographic(*end)
    assert georeference.crs is not None
    geod = georeference.crs.get_geod()
    assert geod is not None
    azimuth, _, length = geod.inv(*a, *b)
    return float(azimuth) % 360.0, float(length)
