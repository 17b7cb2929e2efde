"""Air under what hangs over: passages, stilts, canopies. Heights from above count it as solid.

From the ground a plumb line goes up. Inside a body it meets a roof or a floor from within; under an
overhang it meets a lower side first, and what lies between is air.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import EmbreeCaster

FloatArray = NDArray[np.float64]

#: Lower sides nearer to the ground than this are floors on uneven ground, metres.
HEADROOM = 1.0
#: Plumb lines start this much over the ground, metres: the ground itself is none of the building.
START = 0.05


@dataclass(frozen=True)
class Overhang:
    """Air under a building: area on the map in m² and volume in m³; 0 where there is none."""

    area: float = 0.0
    volume: float = 0.0


class Underside:
    """Triangles that are asked from below.

    Parameters
    ----------
    corners : (M, 3, 3) float64
        Metres of the frame, wound so that normals point out of the body, or all into it.
    outward : bool, optional
        Which of the two; by default what the sign of the volume says.
    """

    def __init__(self, corners: FloatArray, outward: bool | None = None) -> None:
        flat = corners.reshape(-1, 3)
        self._caster = EmbreeCaster(flat, np.arange(len(flat)).reshape(-1, 3))
        edge = corners[:, 1:, :2] - corners[:, :1, :2]
        up = edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]
        if outward is None:
            height = corners[..., 2].mean(axis=1) - corners[..., 2].min()
            outward = float(up @ height) >= 0
        self._lower = up < 0 if outward else up > 0

    def air(self, places: FloatArray, ground: FloatArray) -> FloatArray:
        """Return the height of the air over the ground at places ``(N, 2)``, metres; 0 for none."""
        height, lower = self._meet(np.column_stack([places, ground + START]), 1.0)
        height += START
        under = np.flatnonzero(lower & (height > HEADROOM))
        # The top of a body may lie on the lower side of the next, and be missed for it.
        inside = np.column_stack([places[under], ground[under] + height[under] - START])
        _, floor = self._meet(inside, -1.0)
        under = under[~floor]
        air = np.zeros(len(places))
        air[under] = height[under]
        return air

    def _meet(self, origins: FloatArray, sign: float) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return how far up or down the next face is, and whether it is a lower side."""
        ways = np.broadcast_to(np.array([0.0, 0.0, sign]), origins.shape)
        distance, triangle = self._caster.first_hits(origins, ways)
        return distance, (triangle >= 0) & self._lower[triangle]


def overhang_of(
    underside: Underside | None, footprint: Any, places: FloatArray, ground: FloatArray
) -> Overhang | None:
    """Return the air under a building, None where nothing shows its lower sides.

    Parameters
    ----------
    places : (N, 2) float64
        Spread evenly over the footprint.
    ground : (N,) float64
        Its height there.
    """
    if underside is None or len(places) == 0:
        return None
    air = underside.air(places, ground)
    share = footprint.area / len(places)
    return Overhang(float(np.count_nonzero(air)) * share, float(air.sum()) * share)
