"""Volumes between two surfaces on one grid: above and below a base, cut and fill, storage.

A volume is a sum over cells: mean difference of heights times the area of the cell inside the
polygon. The part of a cell is exact; whether a cell lies above or below is decided by its mean.

Uncertainty (about 95 %, coverage factor 2). The net volume is linear in the heights of the cells,
``Σ c z``: `c` is the area of a cell less what the base takes from it (a plane or a TIN through the
rim hangs on the rim's heights). Independent errors `u` of the cells add as ``Σ c² u²``; errors that
are common to cells add as they are. JCGM 100:2008 (GUM), 5.1.2, 5.2.2 and 6.3.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray
from plumbline.core.errors import RefusedError
from plumbline.core.i18n import tr
from plumbline.geometry.gridding import Cover, Heights, Tin

#: Standard uncertainties in half of a range that holds in about 95 % of all cases.
_COVERAGE = 2.0
#: Cells of a base that are made at a time.
_BATCH = 100_000
#: Bases that are made from the surface itself.
VOLUME_BASES = ("constant", "lowest", "mean", "plane", "rim")


@dataclass(frozen=True)
class Base:
    """What a volume stands on.

    Attributes
    ----------
    z : (rows, columns) float64
        Metres, NaN where there is none.
    pull : (rows, columns) float64
        By how much the volume under the base rises with the height of each cell of the surface, m²:
        0 where the base does not hang on it.
    heights : Heights, optional
        The other surface, where the base is one.
    """

    z: FloatArray
    pull: FloatArray
    heights: Heights | None = None


@dataclass(frozen=True)
class Volumes:
    """Sums over the cells of a polygon; m³ and m².

    Attributes
    ----------
    above, below, net : float
        Over the base, under it (both positive), and their difference.
    u_above, u_below, u_net : float
        Half widths of the ranges that hold in 95 % of all cases.
    area : float
        Where heights were measured.
    area_empty : float
        The rest of the polygon, interpolated or not.
    area_interpolated : float
        The part of `area_empty` that was interpolated and counts.
    difference : (rows, columns) float64
        Surface less base, metres; NaN where it does not count.
    weight : (rows, columns) float64
        Area of each cell that counts, m².
    """

    above: float
    below: float
    net: float
    u_above: float
    u_below: float
    u_net: float
    area: float
    area_empty: float
    area_interpolated: float
    difference: FloatArray
    weight: FloatArray

    @property
    def mean_height(self) -> float:
        """Mean of the difference, metres; 0 where nothing counts."""
        total = self.area + self.area_interpolated
        return self.net / total if total else 0.0


def volumes_between(cover: Cover, surface: Heights, base: Base) -> Volumes:
    """Return the volumes between a surface and a base."""
    other = base.heights
    share = surface.weight if other is None else np.minimum(surface.weight, other.weight)
    counts = np.isfinite(surface.z) & np.isfinite(base.z) & (cover.share > 0)
    weight = cover.areas * share
    weight[~counts] = 0.0
    del share
    difference = surface.z - base.z
    difference[weight <= 0] = np.nan
    d = np.nan_to_num(difference)
    guessed = surface.interpolated
    if other is not None:
        guessed = guessed | other.interpolated
    total = float(weight.sum())
    interpolated = float(weight[guessed].sum())
    above, below = (float((weight * np.maximum(side, 0.0)).sum()) for side in (d, -d))
    u_above, u_below, u_net = (
        _range(cover, surface, base, np.where(side, weight, 0.0), d)
        for side in (d > 0, d < 0, counts)
    )
    return Volumes(
        above,
        below,
        above - below,
        u_above,
        u_below,
        u_net,
        total - interpolated,
        max(0.0, cover.area - (total - interpolated)),
        interpolated,
        difference,
        weight,
    )


def _range(cover: Cover, surface: Heights, base: Base, weight: FloatArray, d: FloatArray) -> float:
    """Return the 95 % half width of the volume of some cells, m³."""
    whole = cover.area or 1.0
    errors = weight - base.pull * (float(weight.sum()) / whole)
    errors *= surface.u
    errors *= errors
    variance = float(np.nansum(errors))
    del errors
    common = float(np.sum(weight * surface.common))
    for one, factor in ((surface, 1.0), (base.heights, 0.0)):
        if one is not None and one.samples:
            # The share of rays that met anything is a guess of the share of the cell.
            doubt = one.known * (1 - one.known) / one.samples
            variance += factor * float(np.sum((cover.areas * d) ** 2 * doubt))
    if base.heights is not None:
        variance += float(np.nansum((weight * base.heights.u) ** 2))
        common += float(np.sum(weight * base.heights.common))
    return _COVERAGE * (float(np.sqrt(variance)) + common)


# -- bases -------------------------------------------------------------------------------------


def layer_base(heights: Heights) -> Base:
    """Return another surface as base."""
    return Base(heights.z, np.zeros(heights.z.shape), heights)


def base_of(kind: str, cover: Cover, surface: Heights, height: float | None = None) -> Base:
    """Return a base that is made from a height or from the surface itself.

    Parameters
    ----------
    kind : str
        ``constant`` (`height`); ``lowest`` or ``mean`` height of the surface in the polygon;
        ``plane``, of least squares through the cells along the outline; ``rim``, the TIN through
        the cells along the outline.
    height : float, optional
        Metres, for ``constant``.

    Raises
    ------
    RefusedError
        If the surface has no cell, or the rim none from which the base could be made.
    """
    shape = cover.grid.shape
    weight = np.where(np.isfinite(surface.z), cover.areas * surface.weight, 0.0)
    if not (weight > 0).any():
        raise RefusedError(
            tr("The surface has no height inside the polygon."),
            tr("Choose a polygon on the surface, or another surface."),
        )
    pull = np.zeros(shape)
    total = float(weight.sum())
    if kind == "constant":
        assert height is not None
        return Base(np.full(shape, float(height)), pull)
    if kind == "lowest":
        lowest = int(np.argmin(np.where(weight > 0, surface.z, np.inf)))
        pull.flat[lowest] = total
        return Base(np.full(shape, float(surface.z.flat[lowest])), pull)
    if kind == "mean":
        mean = float((weight * np.nan_to_num(surface.z)).sum()) / total
        return Base(np.full(shape, mean), weight)
    rim = rim_cells(cover, surface)
    return _plane(cover, surface, weight, rim) if kind == "plane" else _tin(cover, surface, rim)


def rim_cells(cover: Cover, surface: Heights) -> NDArray[np.intp]:
    """Return the flat index of the measured cells that the outline cuts or runs along.

    Raises
    ------
    RefusedError
        If fewer than three are measured.
    """
    from scipy.ndimage import binary_erosion

    inside = cover.share > 0
    along = inside & ((cover.share < 1) | ~binary_erosion(inside))
    cells = np.flatnonzero(along & (surface.known > 0))
    if len(cells) < 3:
        raise RefusedError(
            tr("The surface has no heights along the outline."),
            tr("Choose a polygon whose outline lies on the surface, or another base."),
        )
    return cells


def _plane(cover: Cover, surface: Heights, weight: FloatArray, rim: NDArray[np.intp]) -> Base:
    """Return the plane of least squares through the rim; every place on it counts by its share."""
    places = cover.places(rim)
    origin = places.mean(axis=0)
    columns = np.column_stack([np.ones(len(rim)), places - origin])
    share = np.sqrt(cover.share.flat[rim])
    inverse = np.linalg.pinv(columns * share[:, None]) * share
    factors = inverse @ surface.z.flat[rim]
    z, pull = np.full(cover.share.shape, np.nan), np.zeros(cover.share.shape)
    moments = np.zeros(3)
    for cells in _batches(cover):
        wanted = np.column_stack([np.ones(len(cells)), cover.places(cells) - origin])
        z.flat[cells] = wanted @ factors
        moments += weight.flat[cells] @ wanted
    pull.flat[rim] = moments @ inverse
    return Base(z, pull)


def _tin(cover: Cover, surface: Heights, rim: NDArray[np.intp]) -> Base:
    """Return the TIN through the rim; cells outside of it lie on the nearest point of the rim."""
    from scipy.spatial import cKDTree

    nodes, heights = cover.places(rim), surface.z.flat[rim]
    tin, tree = Tin(nodes), cKDTree(nodes)
    z, pull = np.full(cover.share.shape, np.nan), np.zeros(cover.share.shape)
    total = np.zeros(len(rim))
    for cells in _batches(cover):
        places = cover.places(cells)
        corners, weights = tin.weights(places)
        bare = np.isnan(weights[:, 0])
        if bare.any():
            corners[bare] = tree.query(places[bare])[1][:, None]
            weights[bare] = 1 / 3
        z.flat[cells] = (heights[corners] * weights).sum(axis=1)
        lent = weights * (cover.share.flat[cells] * cover.grid.cell_area)[:, None]
        total += np.bincount(corners.ravel(), lent.ravel(), len(rim))
    pull.flat[rim] = total
    return Base(z, pull)


def _batches(cover: Cover) -> Iterator[NDArray[np.intp]]:
    """Yield the flat index of the cells that have a share, some at a time."""
    for start in range(0, cover.share.size, _BATCH):
        part = np.flatnonzero(cover.share.flat[start : start + _BATCH])
        yield part + start


# -- changes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Changes:
    """What was taken away and what was brought; m³ and m².

    Attributes
    ----------
    cut, fill, net : float
        Lower than before, higher than before (both positive), and fill less cut.
    error : float
        Level of detection times changed area: what is lost or made up if every changed cell were
        wrong by the level in one direction.
    unchanged_area : float
        Area whose change is smaller than the level of detection.
    """

    cut: float
    fill: float
    net: float
    error: float
    cut_area: float
    fill_area: float
    unchanged_area: float


def changes_of(volumes: Volumes, level_of_detection: float = 0.0) -> Changes:
    """Return cut and fill of a difference; changes below the level of detection count as none.

    Method: uniform minimum level of detection (Wheaton et al. 2010, Earth Surface Processes and
    Landforms 35: 136-156).
    """
    d, weight = np.nan_to_num(volumes.difference), volumes.weight
    lower, higher = d < -level_of_detection, d > level_of_detection
    cut, fill = float((weight * -d)[lower].sum()), float((weight * d)[higher].sum())
    cut_area, fill_area = float(weight[lower].sum()), float(weight[higher].sum())
    return Changes(
        cut,
        fill,
        fill - cut,
        level_of_detection * (cut_area + fill_area),
        cut_area,
        fill_area,
        max(0.0, float(weight.sum()) - cut_area - fill_area),
    )


# -- water -------------------------------------------------------------------------------------


def inundated(
    ground: Heights, cover: Cover, level: float, outlet: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return the cells under water at a level, metres.

    Parameters
    ----------
    outlet : (rows, columns) bool, optional
        Only water that is connected to one of these cells over edges or corners; all cells below
        the level without it.
    """
    from scipy.ndimage import label

    with np.errstate(invalid="ignore"):
        wet: NDArray[np.bool_] = (ground.z < level) & (cover.share > 0)
    if outlet is None:
        return wet
    lakes, _ = label(wet, np.ones((3, 3)))
    met = np.unique(lakes[outlet & wet])
    return np.isin(lakes, met[met > 0])
