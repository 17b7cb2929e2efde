"""What a viewshed is asked and what it answers, whichever way it is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import Directions, Georeference, Layer, ObstacleLayers, Point

FloatArray = NDArray[np.float64]
Affine6 = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Question:
    """A viewshed in metres of the obstacles' frame.

    Attributes
    ----------
    layers : ObstacleLayers
        What is looked at and what stands in the way.
    extent : (xmin, ymin, xmax, ymax), optional
        Only targets in this box count, project CRS.
    max_distance : float
        On the map, metres; inf for all.
    directions : Directions
        Azimuths from grid north.
    cell_size : float, optional
        Metres; the surface's own otherwise.
    radius : float
        Of the earth, metres; inf for a plane.
    """

    layers: ObstacleLayers
    georeference: Georeference
    observers: tuple[Point, ...]
    observer_height: float
    target_height: float
    extent: tuple[float, float, float, float] | None
    max_distance: float
    directions: Directions
    cell_size: float | None
    radius: float
    refraction: float
    facades: bool
    preview: bool

    @property
    def bend(self) -> float:
        """By how much a point at one metre's distance appears lower, 1/m."""
        return (1.0 - self.refraction) / (2.0 * self.radius)

    @property
    def reach(self) -> float | None:
        """The greatest distance, None where there is none."""
        return self.max_distance if math.isfinite(self.max_distance) else None


@dataclass(frozen=True)
class Seer:
    """What one observer sees.

    Attributes
    ----------
    eye : (x, y, z)
        Project CRS.
    ground : float
        Height of the surface there in the unit of the project's z; NaN where the point had a z.
    visible, looked_at : int
        Cells.
    """

    eye: tuple[float, float, float]
    ground: float
    visible: int
    looked_at: int


@dataclass
class Answer:
    """A viewshed on its grid.

    Attributes
    ----------
    count : (rows, columns) uint16
        Observers that see a cell.
    looked_at : (rows, columns) bool
        Cells with a height that lie in the directions and the distance of some observer.
    needed : (rows, columns) float32, optional
        How far above the surface a target has to be, metres.
    transform : tuple of 6 floats
        As of `GridData`.
    cell_area : float
        m².
    faces : dict of str to Layer
        Painted faces by layer id.
    """

    count: NDArray[np.uint16]
    looked_at: NDArray[np.bool_]
    needed: NDArray[np.float32] | None
    transform: Affine6
    cell_area: float
    seers: list[Seer] = field(default_factory=list)
    faces: dict[str, Layer] = field(default_factory=dict)
    facade_area: tuple[float, float] | None = None
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    def take(self, seen: NDArray[np.bool_], looked_at: NDArray[np.bool_], window: Any) -> None:
        """Add what one observer sees in a window of the grid."""
        self.count[window] += seen
        self.looked_at[window] |= looked_at


def empty_answer(
    shape: tuple[int, int], transform: Affine6, scale: Sequence[float], *, needed: bool
) -> Answer:
    """Return a grid on which nobody has looked; `scale` is metres per unit of the project CRS."""
    return Answer(
        np.zeros(shape, dtype=np.uint16),
        np.zeros(shape, dtype=np.bool_),
        np.full(shape, np.nan, dtype=np.float32) if needed else None,
        transform,
        abs(transform[0] * transform[4]) * scale[0] * scale[1],
    )


def in_extent(
    transform: Affine6,
    shape: tuple[int, int],
    extent: tuple[float, float, float, float] | None,
) -> NDArray[np.bool_] | None:
    """Tell which cells have their centre in a box; None where there is no box."""
    if extent is None:
        return None
    a, _, c, _, e, f = transform
    x, y = c + (np.arange(shape[1]) + 0.5) * a, f + (np.arange(shape[0]) + 0.5) * e
    within_x, within_y = (x >= extent[0]) & (x <= extent[2]), (y >= extent[1]) & (y <= extent[3])
    return within_y[:, None] & within_x[None, :]
