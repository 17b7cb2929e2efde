"""What the results of 2.5D volumes share: layers, histogram, and what a reader must be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    N_,
    Cover,
    EmbreeCaster,
    Feedback,
    GridData,
    Layer,
    LayerKind,
    RasterData,
    RefusedError,
    VectorData,
    Volumes,
    draw_figure,
    figure_colors,
    tr,
)
from plumbline_volume.analysis.surfaces import MAX_CELLS, Surface, common_box

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pyproj import CRS

FloatArray = NDArray[np.float64]

#: Air under an overhang that is thinner than this is none, metres.
GAP = 0.3
#: Plumb lines by which overhangs are looked for.
_PLUMBS = 200_000


def grid_layer(
    layer_id: str,
    name: str,
    cover: Cover,
    values: NDArray[Any],
    surface: Surface,
    quantity: str,
    heights: bool = False,
) -> Layer:
    """Return numbers on a grid as a layer; on all cells of the surface where that is a raster."""
    transform = cover.grid.transform
    data = surface.layer.data
    if isinstance(data, RasterData) and data.width * data.height <= MAX_CELLS:
        a, b, c, d, e, f = data.transform
        column, row = (cover.grid.xmin - c) / a, (cover.grid.ymax - f) / e
        place = (round(row), round(column))
        same = b == 0 and d == 0 and abs(cover.grid.dx / a - 1) < 1e-9
        foreign = data.target_crs is not None and data.crs != data.target_crs
        if same and not foreign and math.hypot(row - place[0], column - place[1]) < 1e-3:
            whole = np.full((data.height, data.width), 255 if values.dtype == np.uint8 else np.nan)
            rows, columns = values.shape
            whole[place[0] : place[0] + rows, place[1] : place[1] + columns] = values
            values, transform = whole.astype(values.dtype), data.transform
    grid = GridData(values, transform, quantity, "m", heights)
    return Layer(layer_id, name, LayerKind.RASTER, grid, surface.georeference.crs)


def difference_layer(cover: Cover, volumes: Volumes, surface: Surface) -> Layer:
    """Return the difference of heights as a layer."""
    values = volumes.difference
    name = tr("Difference")
    return grid_layer("difference", name, cover, values, surface, N_("Height difference"))


def zero_line(cover: Cover, difference: FloatArray, crs: CRS | None) -> Layer | None:
    """Return where a difference changes its sign as a layer of lines; None where it never does."""
    import geopandas
    import shapely
    from contourpy import contour_generator

    if min(difference.shape) < 2:
        return None
    a, _, c, _, e, f = cover.grid.transform
    x = c + (np.arange(difference.shape[1]) + 0.5) * a
    y = f + (np.arange(difference.shape[0]) + 0.5) * e
    lines = contour_generator(x, y, np.ma.masked_invalid(difference)).lines(0.0)
    long = [shapely.LineString(line) for line in lines if len(line) > 1]
    if not long:
        return None
    long.sort(key=lambda line: (-line.length, line.coords[0]))
    lengths = [line.length * cover.grid.unit for line in long]
    features = geopandas.GeoDataFrame({"length": lengths}, geometry=long, crs=crs)
    name = tr("Balance line")
    return Layer("balance_line", name, LayerKind.VECTOR, VectorData(features), crs)


def histogram(volumes: Volumes, level_of_detection: float = 0.0) -> bytes:
    """Return the histogram of a difference as PNG: area by height, lower and higher in colour."""
    known = np.isfinite(volumes.difference) & (volumes.weight > 0)
    d, weight = volumes.difference[known], volumes.weight[known]
    # A few cells far off would leave one bar for all the others.
    low, high = np.percentile(d, [0.1, 99.9]) if len(d) else (0.0, 0.0)
    low = min(float(low), -2 * level_of_detection, -1e-3)
    high = max(float(high), 2 * level_of_detection, 1e-3)
    # 0 is an edge: no bar is both lower and higher.
    width = (high - low) / 80
    edges = np.arange(math.floor(low / width), math.ceil(high / width) + 1) * width
    areas, _ = np.histogram(np.clip(d, edges[0], edges[-1]), edges, weights=weight)
    colors = figure_colors()

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        middles = (edges[:-1] + edges[1:]) / 2
        for side, color, label in (
            (middles < 0, colors["cut"], tr("Lower")),
            (middles >= 0, colors["fill"], tr("Higher")),
        ):
            axes.bar(middles[side], areas[side], width, color=color, label=label)
        if level_of_detection > 0:
            text = tr("Level of detection")
            axes.axvspan(-level_of_detection, level_of_detection, color=colors["muted"],
                         alpha=0.2, label=text)  # fmt: skip
        axes.set_xlabel(tr("Height difference (m)"))
        axes.set_ylabel(tr("Area (m²)"))
        axes.legend()

    return draw_figure(paint)


# -- what a reader must be told ----------------------------------------------------------------


def refuse_nothing(volumes: Volumes, surfaces: Sequence[Surface]) -> None:
    """Refuse a volume of no cell.

    Raises
    ------
    RefusedError
        If no cell of the polygon has heights.
    """
    if volumes.area + volumes.area_interpolated <= 0:
        names = ", ".join(f"“{one.layer.name}”" for one in surfaces)
        raise RefusedError(
            tr("{names} have no heights in common inside the polygon.", names=names)
            if len(surfaces) > 1
            else tr("{names} has no heights inside the polygon.", names=names),
            tr("Choose another polygon or surface; check the CRS of the layers."),
        )


def coverage_notes(cover: Cover, volumes: Volumes) -> list[str]:
    """Return what is to be said of empty cells."""
    whole = cover.area
    if whole <= 0 or volumes.area_empty <= 1e-6 * whole:
        return []
    share = 100 * volumes.area_empty / whole
    notes = []
    if volumes.area_empty > 0.5 * whole:
        notes.append(
            tr("More than half of the area ({share:.1f} %) has no measured heights.", share=share)
        )
    left = 100 * (volumes.area_empty - volumes.area_interpolated) / whole
    if volumes.area_interpolated > 0:
        part = 100 * volumes.area_interpolated / whole
        notes.append(
            tr("{share:.1f} % of the area is interpolated between measured cells.", share=part)
        )
    if left > 1e-4:
        notes.append(tr("{share:.2f} % of the area has no height and counts nothing.", share=left))
    return notes


def unit_notes(surfaces: Sequence[Surface]) -> list[str]:
    """Return what is to be said of the units of heights: mixed, assumed or implausible ones."""
    notes = []
    factors = {}
    for one in surfaces:
        meta = one.layer.metadata
        stated = meta.get("z_factor")
        factors[one.layer.name] = float(stated) if stated is not None else one.factor
        unsure = meta.get("z_factor_source") in ("plane", "assumed")
        if unsure and abs(one.unit - 1) > 1e-9:
            notes.append(
                tr(
                    "“{name}” does not state the unit of its heights: {factor:.4f} m was taken.",
                    name=one.layer.name,
                    factor=factors[one.layer.name],
                )
            )
    if len({round(factor, 6) for factor in factors.values()}) > 1:
        listed = ", ".join(f"“{name}” {factor:.4f} m" for name, factor in factors.items())
        notes.append(
            tr("The heights have different units ({list}); all were taken in metres.", list=listed)
        )
    return notes


def level_notes(surfaces: Sequence[Surface]) -> list[str]:
    """Return what is to be said of tiles that were too many to be read as fine as they are."""
    return [
        tr(
            "“{name}” is taken at a coarser level: {lod}.",
            name=one.layer.name,
            lod=f"error ≤ {one.coarseness:.2f} m",
        )
        for one in surfaces
        if one.coarseness > 0
    ]


def feet_note(a: FloatArray, b: FloatArray) -> list[str]:
    """Return a warning where two surfaces differ as feet differ from metres."""
    both = np.isfinite(a) & np.isfinite(b)
    if not both.any():
        return []
    one, two = float(np.median(a[both])), float(np.median(b[both]))
    if min(abs(one), abs(two)) < 1.0:
        return []
    ratio = max(one / two, two / one)
    if abs(ratio / 3.2808 - 1) < 0.02:
        return [
            tr(
                "One surface is {ratio:.2f} times as high as the other: one seems to be in feet.",
                ratio=ratio,
            )
        ]
    return []


def outside_note(cover: Cover, surfaces: Sequence[Surface]) -> list[str]:
    """Return a warning where the polygon reaches beyond the surfaces."""
    import shapely

    if cover.polygon is None:
        return []
    outside = shapely.difference(cover.polygon, shapely.box(*common_box(surfaces))).area
    share = 100 * outside / cover.polygon.area
    if share < 0.01:
        return []
    return [tr("{share:.1f} % of the polygon lie outside of the surface.", share=share)]


def overhang_note(surface: Surface, cover: Cover, feedback: Feedback) -> list[str]:
    """Return a warning where a mesh has air under its upper side, which 2.5D counts as solid.

    Below the upper side of a thing comes its lower side; what a plumb line meets after it, deeper
    than `GAP`, lies under air.
    """
    caster = surface.caster(cover, feedback)
    if caster is None:
        return []
    cells = np.flatnonzero(cover.share > 0)
    step = max(1, len(cells) // _PLUMBS)
    places = cover.places(cells[::step])
    heights = [np.full(len(places), float(caster.high[2]) + 1.0)]
    for _ in range(3):
        heights.append(_below(caster, places, heights[-1], feedback))
    with np.errstate(invalid="ignore"):
        air = (heights[2] - heights[3]) * surface.factor
        hidden = np.nan_to_num(air) > GAP
    area = float(hidden.sum()) * step * cover.grid.cell_area
    volume = float(air[hidden].sum()) * step * cover.grid.cell_area
    if volume <= 0:
        return []
    return [
        tr(
            "Under overhangs of “{name}” lie about {volume:.0f} m³ of air on {area:.0f} m², which "
            "are counted as solid: heights see upper sides only.",
            name=surface.layer.name,
            volume=volume,
            area=area,
        )
    ]


def _below(
    caster: EmbreeCaster, places: FloatArray, starts: FloatArray, feedback: Feedback
) -> FloatArray:
    """Return the next height under others, NaN where there is none."""
    found = np.full(len(places), np.nan)
    known = np.flatnonzero(np.isfinite(starts))
    for part in np.array_split(known, max(1, len(known) // 100_000)):
        feedback.check()
        origins = np.column_stack([places[part], starts[part] - 1e-4])
        down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), origins.shape)
        distance, _ = caster.first_hits(origins, down)
        found[part] = np.where(np.isfinite(distance), origins[:, 2] - distance, np.nan)
    return found
