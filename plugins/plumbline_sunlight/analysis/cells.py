"""Hours of sun under two schemes, cell by cell on a raster or point by point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    N_,
    Feedback,
    GridData,
    Layer,
    LayerKind,
    RefusedError,
    Result,
    Table,
    Value,
    crs_units,
    draw_figure,
    figure_colors,
    tr,
)
from plumbline_sunlight.analysis.hours import Hours, HoursInputs, HoursParams

FloatArray = NDArray[np.float64]

#: Hours by which a cell must differ to have changed: both sides of the engine's ten seconds.
CHANGED = 20.0 / 3600.0


@dataclass(frozen=True)
class CellSide:
    """Snapshot of one scheme."""

    scheme: str
    inputs: HoursInputs
    params: HoursParams


def compared_cells(sides: Sequence[CellSide], feedback: Feedback) -> Result:
    """Return before, after and change of hours; the sides in that order.

    Raises
    ------
    RefusedError
        If the receivers are faces, which differ from scheme to scheme.
    """
    results = []
    for n, side in enumerate(sides):
        part = feedback.part(0.5 * n, 0.5 * (n + 1))
        results.append(Hours().compute(side.inputs, side.params, part))
    before, after = results[0], results[1]
    warnings = list(dict.fromkeys([*before.warnings, *after.warnings]))
    if "receivers" in before.tables and "receivers" in after.tables:
        return _points(before.tables["receivers"], after.tables["receivers"], warnings)
    grids = [one.layers["hours"].data if "hours" in one.layers else None for one in results]
    one, two = grids[0], grids[1]
    if not (isinstance(one, GridData) and isinstance(two, GridData)):
        raise RefusedError(
            tr("Faces of two schemes cannot be compared cell by cell."),
            tr("Ask for receivers on a polygon, on a raster or at points."),
        )
    if one.values.shape != two.values.shape or one.transform != two.transform:
        raise RefusedError(
            tr("The rasters of both schemes differ in size."), tr("Use a polygon as receivers.")
        )
    frame = sides[0].inputs.obstacles.frame
    return _grids(one, two, frame.georeference.crs, warnings)


def _grids(one: GridData, two: GridData, crs: Any, warnings: list[str]) -> Result:
    before, after = (np.asarray(g.values, dtype=np.float64) for g in (one, two))
    change = after - before
    a, b, _, d, e, _ = one.transform
    unit = crs_units(crs).horizontal or 1.0
    area = abs(a * e - b * d) * unit**2
    known = np.isfinite(change)
    less, more = change < -CHANGED, change > CHANGED
    rows = []
    for level in range(int(np.ceil(np.nanmax([before, after], initial=0.0))) + 1):
        held = [float((known & (side >= level - 1e-9)).sum() * area) for side in (before, after)]
        rows.append((level, *held, held[1] - held[0]))
    layers = {}
    for name, title, values in (
        ("before", tr("Hours of sun before"), before),
        ("after", tr("Hours of sun after"), after),
        ("change", tr("Change of hours of sun"), change),
    ):
        grid = GridData(values, one.transform, N_("Hours of sun"), "h")
        layers[name] = Layer(name, title, LayerKind.RASTER, grid, crs)
    return Result(
        values={
            "mean_before": Value(_mean(before[known]), "h"),
            "mean_after": Value(_mean(after[known]), "h"),
            "area": Value(float(known.sum() * area), "m²"),
            "area_less": Value(float(less.sum() * area), "m²"),
            "area_more": Value(float(more.sum() * area), "m²"),
            "largest_loss": Value(float(max(0.0, -np.nanmin(change, initial=0.0))), "h"),
            "largest_gain": Value(float(max(0.0, np.nanmax(change, initial=0.0))), "h"),
        },
        tables={
            "areas": Table(
                ("hours", "before", "after", "change"),
                tuple(rows),
                {"hours": "h", **dict.fromkeys(("before", "after", "change"), "m²")},
            )
        },
        layers=layers,
        figures={"change": _figure(change, one.transform)},
        warnings=warnings,
        headline="area_less",
    )


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None


def _points(one: Table, two: Table, warnings: list[str]) -> Result:
    at = {name: one.columns.index(name) for name in ("id", "x", "y", "z", "hours")}
    later = {row[at["id"]]: row for row in two.rows}
    rows = []
    for row in one.rows:
        before, after = row[at["hours"]], later[row[at["id"]]][at["hours"]]
        rows.append((*(row[at[k]] for k in ("id", "x", "y", "z")), before, after, after - before))
    change = np.array([row[-1] for row in rows])
    return Result(
        values={
            "points": Value(len(rows)),
            "less": Value(int((change < -CHANGED).sum())),
            "more": Value(int((change > CHANGED).sum())),
            "largest_loss": Value(float(max(0.0, -change.min())), "h"),
            "largest_gain": Value(float(max(0.0, change.max())), "h"),
        },
        tables={
            "receivers": Table(
                ("id", "x", "y", "z", "before", "after", "change"),
                tuple(rows),
                dict.fromkeys(("before", "after", "change"), "h"),
            )
        },
        warnings=warnings,
        headline="less",
    )


def _figure(change: FloatArray, transform: tuple[float, ...]) -> bytes:
    """Return a map of the change; losses and gains in two colours around none."""

    def paint(figure: Any) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        colors = figure_colors()
        ramp = LinearSegmentedColormap.from_list("change", colors["diverging"])
        a, _, c, _, e, f = transform
        rows, columns = change.shape
        limit = float(np.nanmax(np.abs(change), initial=0.0)) or 1.0
        axes = figure.add_subplot()
        image = axes.imshow(
            change,
            extent=(c, c + columns * a, f + rows * e, f),
            cmap=ramp,
            vmin=-limit,
            vmax=limit,
            interpolation="nearest",
        )
        figure.colorbar(image, label=tr("Change of hours of sun (h)"), shrink=0.8)
        axes.ticklabel_format(style="plain", useOffset=False)
        axes.tick_params(axis="x", rotation=30)
        axes.grid(visible=False)
        axes.set_title(tr("Change of hours of sun"))
        axes.set_xlabel(tr("Easting (m)"))
        axes.set_ylabel(tr("Northing (m)"))

    return draw_figure(paint, (8.0, 5.2))
