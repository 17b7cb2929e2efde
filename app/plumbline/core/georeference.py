"""The one georeference of a project: its CRS and its scene origin.

Only rendering and ray casting see coordinates relative to the origin; what a user reads is in the
project CRS. Grid north is not true north: directions that mean compass directions apply the
meridian convergence computed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.crs import crs_text, horizontal_crs, parse_crs, transformer
from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.errors import RefusedError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from pyproj import CRS


@dataclass(frozen=True)
class Georeference:
    """CRS (None: the files' own plane) and scene origin ``(x, y, z)`` in that CRS."""

    crs: CRS | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def from_text(
        cls, crs: str | None, origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ) -> Georeference:
        """Build from an EPSG code or WKT."""
        return cls(parse_crs(crs) if crs else None, origin)

    @property
    def crs_text(self) -> str | None:
        """Text that names the CRS again, None when there is none."""
        return crs_text(self.crs)

    def to_local(self, points: AnyArray) -> FloatArray:
        """Subtract the origin: project CRS ``(..., 3)`` to scene coordinates, still float64."""
        local: FloatArray = np.asarray(points, dtype=np.float64) - np.asarray(self.origin)
        return local

    def to_project(self, points: AnyArray) -> FloatArray:
        """Add the origin: scene coordinates ``(..., 3)`` to the project CRS."""
        absolute: FloatArray = np.asarray(points, dtype=np.float64) + np.asarray(self.origin)
        return absolute

    def geographic(self, x: float, y: float) -> tuple[float, float]:
        """Return ``(longitude, latitude)`` in degrees from Greenwich on the CRS's own ellipsoid.

        Raises
        ------
        RefusedError
            If the project has no CRS tied to the earth.
        """
        lon, lat = self._degrees(x, y)
        geodetic = self._earth_crs().geodetic_crs
        assert geodetic is not None
        meridian = geodetic.prime_meridian
        assert meridian is not None
        unit = math.degrees(float(meridian.unit_conversion_factor))
        return lon + meridian.longitude * unit, lat

    def convergence(self, x: float, y: float) -> float:
        """Return the meridian convergence at a place, degrees.

        Positive where grid north lies east of true north, so that
        ``azimuth_true = azimuth_grid + convergence``. Computed by PROJ from the projection's
        factors (Snyder 1987, *Map Projections: A Working Manual*, eq. 8-15 for the transverse
        Mercator).
        """
        from pyproj import Proj

        crs = horizontal_crs(self._earth_crs())
        if crs.is_geographic:
            return 0.0
        # PROJ counts longitude from the CRS's own prime meridian here.
        lon, lat = self._degrees(x, y)
        return float(Proj(crs).get_factors(lon, lat).meridian_convergence)

    def _degrees(self, x: float, y: float) -> tuple[float, float]:
        """Return longitude from the CRS's own prime meridian and latitude; some count in grads."""
        crs = self._earth_crs()
        geodetic = crs.geodetic_crs
        assert geodetic is not None
        lon, lat = x, y
        if not crs.is_geographic:
            lon, lat = transformer(horizontal_crs(crs), geodetic.to_2d()).transform(x, y)
        unit = math.degrees(float(geodetic.axis_info[0].unit_conversion_factor))
        return float(lon) * unit, float(lat) * unit

    def _earth_crs(self) -> CRS:
        if self.crs is None or self.crs.geodetic_crs is None:
            raise RefusedError(
                tr("The project has no coordinate reference system tied to the earth."),
                tr("Set the project CRS, e.g. EPSG:4549."),
            )
        return self.crs
