"""Lines of equal hours of sun, and the bands between them, from a raster of hours.

The hours are taken to be linear along the sides of the squares between cell centres (marching
squares), so lines and bands end at the centres of the outermost cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Georeference,
    GridData,
    Layer,
    LayerKind,
    LayerRef,
    LayerStyle,
    Params,
    Problem,
    RasterData,
    RefusedError,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    crs_units,
    draw_figure,
    figure_colors,
    read_grid,
    tr,
    validate,
)
from plumbline_sunlight.analysis.hours import Hours, HoursInputs, HoursParams

FloatArray = NDArray[np.float64]
Affine6 = tuple[float, float, float, float, float, float]

#: Cells of a raster that are contoured in one request.
MAX_CELLS = 40_000_000


class IsochronesParams(Params):
    """What `sunlight.isochrones` can be asked."""

    hours: Annotated[
        LayerRef | None,
        Field(
            title=N_("Hours"),
            description=N_("Raster of hours of sun, as sunlight.hours gives; or a request."),
        ),
    ] = None
    request: Annotated[
        dict[str, Any] | None,
        Field(
            title=N_("Request"),
            description=N_("Parameters of sunlight.hours that give the raster; or hours."),
            json_schema_extra={"widget": "json"},
        ),
    ] = None
    levels: Annotated[
        tuple[Annotated[float, Field(ge=0, le=24)], ...],
        Field(
            min_length=1,
            max_length=100,
            title=N_("Levels"),
            description=N_("Hours at which lines are drawn; bands lie between them."),
            json_schema_extra={"unit": "h"},
        ),
    ] = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)


@dataclass(frozen=True)
class HoursGrid:
    """Snapshot: the raster or the request that gives it, and where it lies."""

    data: GridData | RasterData | None
    georeference: Georeference
    request: HoursParams | None = None
    inputs: HoursInputs | None = None


@dataclass(frozen=True)
class Contours:
    """Lines by level and polygons by band, as shapely geometries of the project CRS."""

    levels: tuple[float, ...]
    lines: tuple[Any, ...]
    bands: tuple[tuple[float | None, float | None, Any], ...]


class Isochrones(Analysis[IsochronesParams]):
    """Contour lines of equal hours of sun and the bands between them."""

    id = "sunlight.isochrones"
    version = "1"
    title = N_("Isochrones")
    description = N_(
        "Lines of equal hours of sun and the bands between them, with their lengths and areas, "
        "from a raster of hours."
    )
    Params = IsochronesParams

    def layers(self, params: IsochronesParams) -> list[str]:
        if params.hours is not None:
            return [params.hours]
        asked, _ = _request(params)
        return [] if asked is None else Hours().layers(asked)

    def check(self, scene: Scene, params: IsochronesParams) -> list[Problem]:
        problems = []
        if len(set(params.levels)) < len(params.levels):
            problems.append(Problem("levels", tr("A level is given twice.")))
        if (params.hours is None) == (params.request is None):
            problems.append(Problem("hours", tr("Give either hours or a request.")))
        elif params.hours is not None:
            text = _raster_problem(scene, params.hours)
            problems += [Problem("hours", text)] if text else []
        else:
            asked, invalid = _request(params)
            found = invalid if asked is None else Hours().check(scene, asked)
            problems += [Problem("request", f"{p.field}: {p.message}") for p in found]
        return problems

    def prepare(self, scene: Scene, params: IsochronesParams) -> HoursGrid:
        if params.hours is None:
            asked, _ = _request(params)
            assert asked is not None
            inputs = Hours().prepare(scene, asked)
            return HoursGrid(None, scene.georeference, asked, inputs)
        data = scene[params.hours].data
        assert isinstance(data, GridData | RasterData)
        return HoursGrid(data, scene.georeference)

    def compute(self, inputs: HoursGrid, params: IsochronesParams, feedback: Feedback) -> Result:
        unit = crs_units(inputs.georeference.crs).horizontal
        if unit is None:
            raise RefusedError(
                tr("The project CRS is in degrees: this needs metres."),
                tr("Set a projected project CRS, e.g. EPSG:4549."),
            )
        data, noted = inputs.data, list[str]()
        if data is None:
            data, noted = _asked(inputs, feedback.part(0.0, 0.9))
        hours, transform = _hours(data)
        if not np.isfinite(hours).any():
            raise RefusedError(tr("The raster has no hours."), tr("Choose another raster."))
        levels = tuple(sorted(params.levels))
        found = contours(hours, transform, levels, feedback.part(0.9, 1.0))
        lines, bands = _layers(found, inputs.georeference)
        lengths = [float(line.length * unit) for line in found.lines]
        areas = [float(band.area * unit**2) for _, _, band in found.bands]
        low, high = float(np.nanmin(hours)), float(np.nanmax(hours))
        warnings = noted + [
            tr("No place has {level:g} h.", level=level)
            for level, length in zip(found.levels, lengths, strict=True)
            if length == 0
        ]
        return Result(
            values={
                "lowest": Value(low, "h"),
                "highest": Value(high, "h"),
                "length": Value(sum(lengths), "m"),
                "area": Value(sum(areas), "m²"),
            },
            tables={
                "levels": Table(
                    ("level", "length"),
                    tuple(zip(found.levels, lengths, strict=True)),
                    {"level": "h", "length": "m"},
                ),
                "bands": Table(
                    ("from", "to", "area"),
                    tuple((a, b, s) for (a, b, _), s in zip(found.bands, areas, strict=True)),
                    {"from": "h", "to": "h", "area": "m²"},
                ),
            },
            layers={"isochrones": lines, "bands": bands},
            figures={"isochrones": draw_figure(lambda f: _paint(f, hours, transform, found))},
            warnings=warnings,
            headline="area",
        )


def _request(params: IsochronesParams) -> tuple[HoursParams | None, tuple[Problem, ...]]:
    return validate(HoursParams, params.request or {})


def _raster_problem(scene: Scene, layer_id: str) -> str:
    """Return why a layer is no raster of hours."""
    data, name = scene[layer_id].data, scene[layer_id].name
    if not isinstance(data, GridData | RasterData) or (
        isinstance(data, RasterData) and data.bands != 1
    ):
        return tr("“{name}” is no raster of hours.", name=name)
    millions = data.counts["cells"] / 1e6
    if data.counts["cells"] > MAX_CELLS:
        return tr("“{name}” has {n:.0f} million cells.", name=name, n=millions)
    return ""


def _asked(inputs: HoursGrid, feedback: Feedback) -> tuple[GridData, list[str]]:
    """Return the raster of a request, and what has to be said of it."""
    assert inputs.request is not None
    assert inputs.inputs is not None
    result = Hours().compute(inputs.inputs, inputs.request, feedback)
    layer = result.layers.get("hours")
    if layer is None or not isinstance(layer.data, GridData):
        raise RefusedError(
            tr("The request gives no raster of hours."),
            tr("Ask for receivers on a polygon or on a raster."),
        )
    return layer.data, result.warnings


def _hours(data: GridData | RasterData) -> tuple[FloatArray, Affine6]:
    if isinstance(data, RasterData):
        heights, transform = read_grid(data, MAX_CELLS)
        # Rasters on disk are taken for heights; hours have no unit of length.
        return heights / data.z_factor, transform
    values = np.asarray(data.values, dtype=np.float64)
    if data.values.dtype == np.uint8:
        values[data.values == 255] = np.nan
    return values, data.transform


def contours(
    hours: FloatArray, transform: Affine6, levels: tuple[float, ...], feedback: Feedback
) -> Contours:
    """Return contour lines and filled bands of a grid.

    Parameters
    ----------
    hours : (rows, columns) float64
        NaN where unknown; lines end there.
    transform : tuple of 6 floats
        From (column, row) of cell corners to the project CRS.
    levels : tuple of float
        Ascending.
    """
    import contourpy
    import shapely

    generator = contourpy.contour_generator(
        z=np.ma.masked_invalid(hours),
        line_type=contourpy.LineType.Separate,
        fill_type=contourpy.FillType.OuterOffset,
    )
    a, b, c, d, e, f = transform

    def placed(points: FloatArray) -> FloatArray:
        column, row = points[:, 0] + 0.5, points[:, 1] + 0.5
        return np.column_stack([a * column + b * row + c, d * column + e * row + f])

    lines, bands = [], []
    edges = (None, *levels, None)
    for n, level in enumerate(levels):
        feedback.step(n, 2 * len(levels) + 1, tr("Drawing isochrones"))
        drawn: list[Any] = list(generator.lines(level))
        parts = [placed(p) for p in drawn if len(p) > 1]
        lines.append(shapely.MultiLineString(parts))
    for n, (low, high) in enumerate(pairwise(edges)):
        feedback.step(len(levels) + n, 2 * len(levels) + 1, tr("Drawing isochrones"))
        rings = generator.filled(-np.inf if low is None else low, np.inf if high is None else high)
        polygons = []
        for points, offsets in zip(*rings, strict=True):
            cuts = np.split(placed(points), offsets[1:-1])
            polygons.append(shapely.Polygon(cuts[0], cuts[1:]))
        whole = shapely.MultiPolygon([p for p in polygons if p.area > 0])
        bands.append((low, high, whole if whole.is_valid else shapely.make_valid(whole)))
    return Contours(levels, tuple(lines), tuple(bands))


def _layers(found: Contours, georeference: Georeference) -> tuple[Layer, Layer]:
    import geopandas

    line_rows = [(h, g) for h, g in zip(found.levels, found.lines, strict=True) if not g.is_empty]
    lines = geopandas.GeoDataFrame(
        {"hours": [h for h, _ in line_rows]},
        geometry=[g for _, g in line_rows],
        crs=georeference.crs,
    )
    rows = [row for row in found.bands if not row[2].is_empty]
    bands = geopandas.GeoDataFrame(
        {
            "from": np.array([np.nan if a is None else a for a, _, _ in rows], dtype=np.float64),
            "to": np.array([np.nan if b is None else b for _, b, _ in rows], dtype=np.float64),
        },
        geometry=[g for _, _, g in rows],
        crs=georeference.crs,
    )
    style = LayerStyle(color_by="attribute", palette="viridis")
    return (
        Layer(
            "isochrones",
            tr("Isochrones"),
            LayerKind.VECTOR,
            VectorData(lines),
            georeference.crs,
            style=style.model_copy(update={"attribute": "hours", "label": "hours"}),
        ),
        Layer(
            "bands",
            tr("Bands of hours of sun"),
            LayerKind.VECTOR,
            VectorData(bands),
            georeference.crs,
            style=style.model_copy(update={"attribute": "from"}),
        ),
    )


def _paint(figure: Any, hours: FloatArray, transform: Affine6, found: Contours) -> None:
    """Draw bands as colours and levels as lines, with one legend; axes in the project CRS."""
    import shapely
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Patch

    colors = figure_colors()
    ramp = LinearSegmentedColormap.from_list("hours", colors["sequential"])
    axes = figure.add_subplot()
    axes.set_aspect("equal")
    handles = []
    for n, (low, high, band) in enumerate(found.bands):
        tone = ramp(n / max(1, len(found.bands) - 1))
        if not band.is_empty:
            axes.add_patch(_patch(band, tone))
            handles.append(Patch(facecolor=tone, label=_band_label(low, high)))
    for line in found.lines:
        for part in shapely.get_parts(line):
            axes.plot(*np.asarray(part.coords).T, color=colors["text"], linewidth=0.6)
    rows, columns = hours.shape
    a, b, c, d, e, f = transform
    corners = np.array([(0, 0), (columns, 0), (0, rows), (columns, rows)], dtype=np.float64)
    x, y = corners @ [a, b] + c, corners @ [d, e] + f
    axes.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
    axes.ticklabel_format(style="plain", useOffset=False)
    axes.tick_params(axis="x", rotation=30)
    axes.set_title(tr("Hours of sun"))
    axes.set_xlabel(tr("Easting (m)"))
    axes.set_ylabel(tr("Northing (m)"))
    figure.legend(handles=handles, loc="outside right center", title=tr("Hours"))


def _patch(band: Any, tone: Any) -> Any:
    """Return polygons with holes as one patch."""
    import shapely
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    parts = [p for p in shapely.get_parts(band) if p.geom_type == "Polygon"]
    rings = [ring for p in parts for ring in (p.exterior, *p.interiors)]
    paths = [Path(np.asarray(ring.coords), closed=True) for ring in rings]
    return PathPatch(Path.make_compound_path(*paths), facecolor=tone, edgecolor="none")


def _band_label(low: float | None, high: float | None) -> str:
    if low is None:
        return f"< {high:g} h"
    return f"≥ {low:g} h" if high is None else f"{low:g} – {high:g} h"
