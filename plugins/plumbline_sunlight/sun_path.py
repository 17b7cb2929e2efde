"""The sun through a day as a bar follows it: places a few minutes apart, and straight between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from plumbline.api import Result

#: Minutes between the places of the sun that its path is drawn through.
PATH_STEP = 5.0


@dataclass(frozen=True)
class SunPath:
    """The sun through a day: minutes from midnight; degrees, azimuths without a jump at north."""

    day: date
    minutes: NDArray[np.float64]
    azimuth_true: NDArray[np.float64]
    azimuth_grid: NDArray[np.float64]
    elevation: NDArray[np.float64]

    @classmethod
    def of(cls, day: date, result: Result) -> SunPath:
        """Return the path that `sunlight.position` gives as a series from midnight."""
        table = result.tables["series"]
        columns = dict(zip(table.columns, zip(*table.rows, strict=True), strict=True))
        count = len(table.rows)
        return cls(
            day,
            np.arange(count) * PATH_STEP,
            np.unwrap(np.array(columns["azimuth_true"]), period=360.0),
            np.unwrap(np.array(columns["azimuth_grid"]), period=360.0),
            np.array(columns["elevation_apparent"]),
        )

    def at(self, minutes: float) -> tuple[float, float, float]:
        """Return azimuth to true and to grid north and the elevation at a minute."""
        true, grid, elevation = (
            float(np.interp(minutes, self.minutes, values))
            for values in (self.azimuth_true, self.azimuth_grid, self.elevation)
        )
        return true % 360.0, grid % 360.0, elevation
