"""Metres around a place: the axes in which rays are cast and distances are taken.

A project CRS may count feet across and metres up, and its numbers are too large for float32. A
frame turns it into equal metres near an origin, and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from plumbline.core.data import FloatArray
from plumbline.core.errors import RefusedError
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import tr
from plumbline.geometry.geodesy import crs_units


@dataclass(frozen=True)
class Frame:
    """East, north and up in metres from the scene origin, on the axes of the project CRS.

    Attributes
    ----------
    origin : (x, y, z)
        Project CRS.
    scale : (sx, sy, sz)
        Metres per unit of the project CRS.
    """

    georeference: Georeference
    origin: tuple[float, float, float]
    scale: tuple[float, float, float]

    @classmethod
    def of(
        cls, georeference: Georeference, origin: tuple[float, float, float] | None = None
    ) -> Frame:
        """Return the frame of a project, at its scene origin or another one.

        Raises
        ------
        RefusedError
            If the project CRS is in degrees, which are no lengths.
        """
        units = crs_units(georeference.crs)
        if units.horizontal is None:
            raise RefusedError(
                tr("The project CRS is in degrees: this needs metres."),
                tr("Set a projected project CRS, e.g. EPSG:4549."),
            )
        scale = (units.horizontal, units.horizontal, units.vertical)
        return cls(georeference, origin or georeference.origin, scale)

    def local(self, points: ArrayLike) -> FloatArray:
        """Return points ``(..., 3)`` of the project CRS in metres of this frame."""
        local: FloatArray = (np.asarray(points, dtype=np.float64) - self.origin) * self.scale
        return local

    def project(self, points: ArrayLike) -> FloatArray:
        """Return points ``(..., 3)`` of this frame in the project CRS."""
        absolute: FloatArray = np.asarray(points, dtype=np.float64) / self.scale + self.origin
        return absolute

    def local_height(self, metres: ArrayLike) -> FloatArray:
        """Return heights as rasters give them (metres above the vertical datum) in this frame."""
        local: FloatArray = np.asarray(metres, dtype=np.float64) - self.origin[2] * self.scale[2]
        return local

    def project_height(self, local: ArrayLike) -> FloatArray:
        """Return heights of this frame in metres above the vertical datum."""
        metres: FloatArray = np.asarray(local, dtype=np.float64) + self.origin[2] * self.scale[2]
        return metres
