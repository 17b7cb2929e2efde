"""CRS as city models and GML name them, and the order of their coordinates.

The standards want coordinates in the order of the CRS (latitude first where EPSG says so), many
writers put the easting first all the same. Which one a file does is decided by the area in which
the CRS is used, and said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.crs import crs_label, horizontal_crs, parse_crs, transformer
from plumbline.core.data import FloatArray
from plumbline.core.errors import UserError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from pyproj import CRS

#: ``http://www.opengis.net/def/crs/EPSG/0/7415``, ``urn:ogc:def:crs:EPSG::7415``, ``EPSG:7415``
_NAME = re.compile(r"(?:^|crs[/:])([A-Za-z]+)[/:](?:[\w.]*[/:])?(\w+)$")
#: ``urn:ogc:def:crs,crs:EPSG::28992,crs:EPSG::5709``: a plane and heights.
_PARTS = re.compile(r"crs:EPSG:[\d.]*:(\d+)")


def crs_named(text: str) -> CRS:
    """Return the CRS that a URL, a URN or a code names.

    Raises
    ------
    UsageError
        If it names none.
    """
    text = text.strip()
    parts = _PARTS.findall(text)
    if len(parts) == 2:
        return parse_crs(f"EPSG:{parts[0]}+{parts[1]}")
    found = _NAME.search(text)
    if found is None:
        return parse_crs(text)
    authority, code = found.groups()
    return parse_crs(f"{authority.upper()}:{code}")


def declared_crs(text: str, metadata: dict[str, Any], warnings: list[str]) -> CRS | None:
    """Return the CRS that a file declares; None, with a note, when it declares none."""
    if not text.strip():
        return None
    try:
        crs = crs_named(text)
    except UserError:
        warnings.append(tr("The file names the CRS “{name}”, which is not known.", name=text[:80]))
        return None
    metadata["crs_source"] = "file"
    return crs


def east_first(points: FloatArray, crs: CRS, metadata: dict[str, Any]) -> FloatArray:
    """Return points ``(N, 3)`` with the easting or the longitude first, and note the order.

    The order that the CRS wants is taken, unless the points then lie outside the area where the
    CRS is used and the other order brings them inside.
    """
    plane = horizontal_crs(crs)
    if len(points) == 0 or plane.axis_info[0].direction.lower() not in ("north", "south"):
        return points
    swapped = points[:, [1, 0, 2]]
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    as_stored, turned = _inside(plane, centre[0], centre[1]), _inside(plane, centre[1], centre[0])
    if as_stored and not turned:
        metadata["axis_order"] = tr("easting or longitude first, though {crs} wants it second",
                                    crs=crs_label(plane))  # fmt: skip
        return points
    metadata["axis_order"] = tr("northing or latitude first, as {crs} wants it",
                                crs=crs_label(plane))  # fmt: skip
    return swapped


def _inside(plane: CRS, x: float, y: float) -> bool:
    """Tell whether a place lies where a CRS is used, with a degree to spare."""
    from pyproj import CRS

    area = plane.area_of_use
    if area is None or not np.isfinite([x, y]).all():
        return False
    lon, lat = x, y
    if not plane.is_geographic:
        lon, lat = transformer(plane, CRS.from_epsg(4326)).transform(x, y)
    west, south, east, north = area.bounds
    if east < west:  # across the date line
        east += 360.0
        lon += 360.0 if lon < 0 else 0.0
    return bool(west - 1 <= lon <= east + 1 and south - 1 <= lat <= north + 1)
