"""One building's heights and volume by three methods that have little in common.

``2_5d``: between the TIN of the roof's samples and the ground, over the footprint.
``extruded``: footprint times the height of the building code, half-way from eaves to ridge.
``solid``: the closed model of the building above the ground where there is one, else columns of
voxels that the samples reach, less the air that a mesh shows under overhangs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline_volume.analysis.demolition_ground import Ground, interpolated
from plumbline_volume.analysis.demolition_overhangs import Overhang, Underside, overhang_of
from plumbline_volume.analysis.demolition_skin import (
    BUILDING,
    Skin,
    lattice_step,
    places_in,
    without_walls,
)

FloatArray = NDArray[np.float64]

#: What lies nearer to the outline than this is wall; the melted rim of a dense matching is wider.
RIM = {"cloud": 0.15, "mesh": 0.45, "raster": 0.0}
#: Shares of the roof that are as low as the eaves and as high as the ridge.
LOW, HIGH = 0.02, 0.98
#: Fewest samples of a roof.
FEWEST = 6
#: A place is covered that has a sample nearer than so many times their spacing, and than 0.75 m.
REACH, NEAREST = 1.5, 0.75
#: Share of the footprint below which the surface alone does not give the volume.
COVERED = 0.6
#: Edge of voxels, in spacings of the samples and at least, metres.
VOXEL, SMALLEST = 1.0, 0.25
#: Share of the footprint by which upward faces of a model may fail to balance.
BALANCE = 5e-3
#: Neighbours by which the slope of the roof is carried on to its rim.
SLOPE = 8


@dataclass(frozen=True)
class Measured:
    """A building as measured; metres, m², m³; None where it could not be.

    Attributes
    ----------
    eaves, ridge : float
        Above the mean ground under the footprint.
    p50, p90 : float
        Heights of the samples of the roof, percentiles, metres of the frame.
    coverage : float
        Share of the footprint that the surface covers, 0 to 1.
    overhang : Overhang, optional
        Air under it, where a model or a mesh shows its lower sides.
    """

    ground: float | None
    ground_method: str
    eaves: float | None
    ridge: float | None
    top: float | None
    p50: float | None
    p90: float | None
    volume_2_5d: float | None
    volume_extruded: float | None
    volume_solid: float | None
    solid_method: str
    coverage: float
    samples: int
    overhang: Overhang | None = None

    @property
    def methods(self) -> dict[str, float]:
        """The volumes that there are, by method, the one that counts first."""
        found = {
            "2_5d": self.volume_2_5d,
            "solid": self.volume_solid,
            "extruded": self.volume_extruded,
        }
        hangs = self.overhang is not None and self.overhang.volume > 0
        if hangs or (self.coverage < COVERED and self.solid_method == "model"):
            found = {"solid": self.volume_solid, **found}
        return {name: volume for name, volume in found.items() if volume is not None}

    @property
    def spread(self) -> float | None:
        """Greatest less smallest volume, m³; None where there is only one method."""
        known = self.methods.values()
        return max(known) - min(known) if len(known) > 1 else None


def measure(
    footprint: Any, skin: Skin, ground: Ground | None, model: FloatArray | None
) -> Measured:
    """Return the heights and volumes of one building.

    Parameters
    ----------
    footprint : shapely geometry
        Metres of the frame.
    model : (M, 3, 3) float64, optional
        Triangles of its model.
    """
    inner = footprint.buffer(-RIM[skin.kind], join_style="mitre")
    whole = skin.inside(inner if not inner.is_empty else footprint, BUILDING)
    roof = without_walls(whole)
    places = places_in(footprint, lattice_step(footprint))
    if ground is None or len(places) == 0:
        return _nothing(ground, roof)
    under = ground.heights(places)
    floor = float(under.mean())
    solid, how = _model_volume(model, floor, footprint.area) if model is not None else (None, "")
    underside = skin.underside if solid is None or model is None else Underside(model)
    overhang = overhang_of(underside, footprint, places, under)
    if len(roof) < FEWEST:
        return Measured(
            floor, ground.method, None, None, None, None, None, None, None, solid, how,
            0.0, len(roof), overhang,
        )  # fmt: skip
    top = roof_heights(roof, places)
    above = np.maximum(top - under, 0.0)
    volume = float(above.mean()) * footprint.area
    eaves, ridge = _eaves_and_ridge(top - floor)
    if solid is None:
        air = 0.0 if overhang is None else overhang.volume
        solid, how = _voxels(roof, footprint, floor, skin.spacing) - air, "voxels"
    return Measured(
        floor, ground.method, eaves, ridge, float(whole[:, 2].max()) - floor,
        float(np.quantile(whole[:, 2], 0.5)), float(np.quantile(whole[:, 2], 0.9)), volume,
        footprint.area * (eaves + ridge) / 2, solid, how, _coverage(roof, places, skin),
        len(roof), overhang,
    )  # fmt: skip


def _nothing(ground: Ground | None, roof: FloatArray) -> Measured:
    method = "" if ground is None else ground.method
    return Measured(
        None, method, None, None, None, None, None, None, None, None, "", 0.0, len(roof)
    )


def roof_heights(roof: FloatArray, places: FloatArray) -> FloatArray:
    """Return the height of a roof at places: its TIN, and its slope carried on to the rim."""
    from scipy.spatial import ConvexHull, QhullError, cKDTree

    origin = roof[:, :2].mean(axis=0)
    z = interpolated(roof, places)
    try:
        hull = ConvexHull(roof[:, :2] - origin)
    except QhullError:  # all on one line
        return z
    distance = (places - origin) @ hull.equations[:, :2].T + hull.equations[:, 2]
    outside = (distance > 0).any(axis=1)
    if not outside.any():
        return z
    _, index = cKDTree(roof[:, :2]).query(places[outside], k=min(SLOPE, len(roof)))
    near = roof[index]
    centre = near.mean(axis=1, keepdims=True)
    flat, rise = near[..., :2] - centre[..., :2], near[..., 2] - centre[..., 2]
    # A touch of regularisation: neighbours in one row tell no slope across it.
    normal = np.einsum("nki,nkj->nij", flat, flat) + 1e-2 * np.eye(2)
    slope = np.linalg.solve(normal, np.einsum("nki,nk->ni", flat, rise)[..., None])[..., 0]
    step = places[outside] - centre[:, 0, :2]
    z[outside] = centre[:, 0, 2] + np.einsum("ni,ni->n", slope, step)
    return z


def _eaves_and_ridge(heights: FloatArray) -> tuple[float, float]:
    """Return the lowest and highest height of a roof without the few that stand out.

    On a gable roof heights are spread evenly, so that what the shares leave out at both ends is
    known: they are moved out by it. On a flat roof both are the roof.
    """
    low, high = (float(q) for q in np.quantile(heights, (LOW, HIGH)))
    beyond = (high - low) * LOW / (HIGH - LOW)
    if high - low < 0.3:  # flat but for noise
        middle = float(np.median(heights))
        return middle, middle
    return low - beyond, high + beyond


def _coverage(roof: FloatArray, places: FloatArray, skin: Skin) -> float:
    from scipy.spatial import cKDTree

    reach = max(REACH * skin.spacing, NEAREST)
    distance, _ = cKDTree(roof[:, :2]).query(places, distance_upper_bound=reach)
    return float(np.isfinite(distance).mean())


# -- solids ------------------------------------------------------------------------------------


def _model_volume(corners: FloatArray, floor: float, area: float) -> tuple[float | None, str]:
    """Return the volume of a model above the ground; None where its faces enclose nothing.

    The flux of (0, 0, max(z - floor, 0)) through closed faces is the volume above the floor
    (Gauss): foundations and cellars do not count, and a missing floor below changes nothing.
    """
    edge = corners[:, 1:, :2] - corners[:, :1, :2]
    upward = (edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]) / 2
    net = float(upward.sum())
    if min(abs(net), abs(abs(net) - area)) > BALANCE * area:
        return None, ""
    return abs(float(upward @ _mean_above(corners[..., 2] - floor))), "model"


def _mean_above(z: FloatArray) -> FloatArray:
    """Return the mean over each triangle of the positive part of a linear function."""
    a, b, c = np.sort(z, axis=1).T
    mean = (a + b + c) / 3
    with np.errstate(invalid="ignore", divide="ignore"):
        one_above = c / 3 * (c / (c - a)) * (c / (c - b))
        one_below = mean - a / 3 * (a / (a - b)) * (a / (a - c))
    crossing = np.where(b <= 0, one_above, one_below)
    result: FloatArray = np.where(a >= 0, mean, np.where(c <= 0, 0.0, crossing))
    return result


def _voxels(roof: FloatArray, footprint: Any, floor: float, spacing: float) -> float:
    """Return the volume of columns of voxels from the ground to the highest sample in each.

    A column without a sample takes the mean of those around it. A sample lies anywhere in its
    voxel: half of it counts.
    """
    size = max(VOXEL * spacing, SMALLEST)
    x0, y0 = footprint.bounds[:2]
    cell = np.floor((roof[:, :2] - (x0, y0)) / size).astype(np.intp)
    level = np.floor((roof[:, 2] - floor) / size)
    places = places_in(footprint, size / 2)
    wanted = np.floor((places - (x0, y0)) / size).astype(np.intp)
    columns, rows = np.maximum(cell.max(axis=0, initial=0), wanted.max(axis=0, initial=0)) + 1
    total, count = np.zeros((columns, rows)), np.zeros((columns, rows))
    np.add.at(total, (cell[:, 0], cell[:, 1]), (level + 0.5) * size)
    np.add.at(count, (cell[:, 0], cell[:, 1]), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        top = total / count
    filled = interpolated(
        np.column_stack([np.argwhere(count > 0).astype(float), top[count > 0]]),
        np.argwhere(count == 0).astype(float),
    )
    top[count == 0] = filled
    heights = np.maximum(top[wanted[:, 0], wanted[:, 1]], 0.0)
    return math.fsum(heights.tolist()) / max(len(heights), 1) * float(footprint.area)
