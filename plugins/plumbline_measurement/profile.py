"""Profiles: heights of several layers along one line, in one table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    CrsUnits,
    Feedback,
    LayerRefs,
    Params,
    Point3,
    PointCloudData,
    Points,
    Problem,
    RefusedError,
    Result,
    Scene,
    Surface,
    Table,
    Value,
    crs_units,
    draw_figure,
    rise_and_fall,
    standing,
    surface,
    tr,
)
from plumbline_measurement.analysis import Plane

FloatArray = NDArray[np.float64]

#: Rows of a table that anyone can still open.
MAX_STATIONS = 1_000_000
#: Columns that the table has besides the layers'.
PLACE = ("distance", "x", "y")


class ProfileParams(Params):
    """What `measure.profile` can be asked."""

    line: Annotated[
        Points,
        Field(
            min_length=2,
            title=N_("Line"),
            description=N_("At least two points; their heights do not matter."),
        ),
    ]
    layers: Annotated[
        LayerRefs,
        Field(
            min_length=1,
            title=N_("Layers"),
            description=N_("Terrain, meshes, building models and point clouds."),
        ),
    ]
    step: Annotated[
        float,
        Field(
            gt=0,
            title=N_("Step"),
            description=N_("Horizontal distance between two heights; corners are always there."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 1.0
    width: Annotated[
        float,
        Field(
            gt=0,
            title=N_("Width"),
            description=N_("Of the band along the line from which points of clouds are taken."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 1.0


@dataclass(frozen=True)
class Band:
    """A point cloud, of which a profile takes the points in a band along its line.

    The height at a station is the median of the points that are nearer to it along the line than
    to any other station.
    """

    layer: str
    name: str
    cloud: PointCloudData


@dataclass(frozen=True)
class Cut:
    """Snapshot: the plane of the project and what is cut, in the order that was asked for."""

    plane: Plane
    sources: tuple[Surface | Band, ...]


@dataclass(frozen=True)
class Stations:
    """Places along a line.

    Attributes
    ----------
    distance : (N,) float64
        Horizontal, metres from the start.
    xy : (N, 2) float64
        Project CRS.
    corners : tuple of int
        Stations of the points of the line.
    """

    distance: FloatArray
    xy: FloatArray
    corners: tuple[int, ...]


class Profile(Analysis[ProfileParams]):
    """Heights along a line: rasters bilinear, meshes by plumb lines, clouds from a band."""

    id = "measure.profile"
    version = "1"
    title = N_("Profile")
    description = N_(
        "Heights of terrain, meshes, building models and point clouds along a line, as a table by "
        "distance, with lowest and highest point and steepest slope of each layer."
    )
    Params = ProfileParams

    def check(self, scene: Scene, params: ProfileParams) -> list[Problem]:
        problems = []
        if len(set(params.layers)) < len(params.layers):
            problems.append(Problem("layers", tr("A layer is named twice.")))
        if set(params.layers) & set(PLACE):
            text = tr("A layer cannot be called like a column: distance, x, y.")
            problems.append(Problem("layers", text))
        plane = Plane(scene.georeference)
        legs = [plane.leg((*a[:2], 0.0), (*b[:2], 0.0))[0] for a, b in pairwise(params.line)]
        if not math.isfinite(sum(legs)) or sum(legs) == 0:
            problems.append(Problem("line", tr("The line has no length.")))
        elif sum(legs) / params.step > MAX_STATIONS:
            text = tr("This makes more than {n:.0f} heights.", n=MAX_STATIONS)
            problems.append(Problem("step", text))
        return problems

    def layers(self, params: ProfileParams) -> list[str]:
        return list(params.layers)

    def prepare(self, scene: Scene, params: ProfileParams) -> Cut:
        sources: list[Surface | Band] = []
        for layer_id in params.layers:
            data = standing(scene, scene[layer_id]).data
            if isinstance(data, PointCloudData):
                sources.append(Band(layer_id, scene[layer_id].name, data))
            else:
                sources.append(surface(scene, layer_id))
        return Cut(Plane(scene.georeference), tuple(sources))

    def compute(self, inputs: Cut, params: ProfileParams, feedback: Feedback) -> Result:
        unit = crs_units(inputs.plane.georeference.crs)
        stations = _stations(inputs.plane, params)
        columns, warnings = [], inputs.plane.notes()
        for n, source in enumerate(inputs.sources):
            feedback.step(n, len(inputs.sources), tr("Cutting {name}", name=source.name))
            part = feedback.part(n / len(inputs.sources), (n + 1) / len(inputs.sources))
            if isinstance(source, Band):
                z = _in_band(source, stations, params.width, unit, part)
            else:
                z = source.heights(stations.xy, part)
            columns.append(z * unit.vertical)
            if not np.isfinite(z).any():
                warnings.append(tr("“{name}” has no height along the line.", name=source.name))
        heights = np.column_stack(columns)
        if not np.isfinite(heights).any():
            raise RefusedError(
                tr("None of the layers has a height along the line."),
                tr("Check the line and the layers."),
            )
        return _result(inputs.sources, stations, heights, unit, warnings)


def _stations(plane: Plane, params: ProfileParams) -> Stations:
    """Return a station at every step from the start, and at every corner of the line."""
    corners: list[Point3] = [(p[0], p[1], 0.0) for p in params.line]
    lengths = [plane.leg(a, b)[0] for a, b in pairwise(corners)]
    ends = np.r_[0.0, np.cumsum(lengths)]
    regular = np.arange(math.ceil(ends[-1] / params.step)) * params.step
    # A step that ends on a corner but for rounding is that corner.
    near = ends[np.clip(np.searchsorted(ends, regular), 0, len(ends) - 1)]
    before = ends[np.clip(np.searchsorted(ends, regular) - 1, 0, len(ends) - 1)]
    close = 1e-9 * max(1.0, float(ends[-1]))
    regular = regular[(np.abs(regular - near) > close) & (np.abs(regular - before) > close)]
    distance = np.unique(np.r_[regular, ends])
    leg = np.clip(np.searchsorted(ends, distance, side="right") - 1, 0, len(lengths) - 1)
    # A corner given twice is a leg without length; no station falls on it.
    span = np.where(np.array(lengths)[leg] > 0, np.array(lengths)[leg], 1.0)
    share = ((distance - ends[leg]) / span)[:, None]
    points = np.array(corners)[:, :2]
    xy = points[leg] + share * (points[leg + 1] - points[leg])
    return Stations(distance, xy, tuple(int(np.searchsorted(distance, end)) for end in ends))


def _in_band(
    band: Band, stations: Stations, width: float, unit: CrsUnits, feedback: Feedback
) -> FloatArray:
    """Return the median height at each station of the points in the band, NaN where none."""
    if unit.horizontal is None:
        raise RefusedError(
            tr("The project CRS is in degrees: this needs metres."),
            tr("Set a projected project CRS, e.g. EPSG:4549."),
        )
    at, heights = [], []
    for n, (first, last) in enumerate(pairwise(stations.corners)):
        feedback.step(n, len(stations.corners))
        if first == last:
            continue
        start, end = stations.xy[first], stations.xy[last]
        length = float(np.linalg.norm(end - start))
        along_leg, half = (end - start) / length, width / 2 / unit.horizontal
        # Half a width around the leg's box, and a little for rounding.
        low, high = np.minimum(start, end) - 1.01 * half, np.maximum(start, end) + 1.01 * half
        points = band.cloud.within((*low.tolist(), *high.tolist())).points
        local = points[:, :2] - start
        along = local @ along_leg
        across = local[:, 0] * along_leg[1] - local[:, 1] * along_leg[0]
        inside = (np.abs(across) <= half) & (along >= 0) & (along <= length)
        distance = stations.distance[first] + along[inside] * unit.horizontal
        middles = (stations.distance[first:last] + stations.distance[first + 1 : last + 1]) / 2
        at.append(first + np.searchsorted(middles, distance))
        heights.append(points[inside, 2])
    return _medians(np.concatenate(at), np.concatenate(heights), len(stations.distance))


def _medians(group: NDArray[np.intp], values: FloatArray, count: int) -> FloatArray:
    order = np.lexsort((values, group))
    group, values = group[order], values[order]
    size = np.bincount(group, minlength=count)
    begin = np.cumsum(size) - size
    full = size > 0
    median = np.full(count, np.nan)
    low = values[(begin + (size - 1) // 2)[full]]
    high = values[(begin + size // 2)[full]]
    median[full] = (low + high) / 2
    return median


def _result(
    sources: tuple[Surface | Band, ...],
    stations: Stations,
    heights: FloatArray,
    unit: CrsUnits,
    warnings: list[str],
) -> Result:
    ids = [source.layer for source in sources]
    rows = tuple(
        (d, x, y, *(None if math.isnan(z) else z for z in zs))
        for d, (x, y), zs in zip(
            stations.distance.tolist(), stations.xy.tolist(), heights.tolist(), strict=True
        )
    )
    summary = tuple(
        (s.layer, *_summary(stations.distance, z)) for s, z in zip(sources, heights.T, strict=True)
    )
    names = ("z_min", "z_max", "steepest", "ascent", "descent", "missing")
    units = {"z_min": "m", "z_max": "m", "steepest": "°", "ascent": "m", "descent": "m"}
    first = heights[:, 0] / unit.vertical
    drawn = [(*stations.xy[n].tolist(), first[n]) for n in stations.corners]
    return Result(
        values={
            "length": Value(float(stations.distance[-1]), "m"),
            "z_min": Value(float(np.nanmin(heights)), "m"),
            "z_max": Value(float(np.nanmax(heights)), "m"),
            "stations": Value(len(rows)),
        },
        tables={
            "profile": Table((*PLACE, *ids), rows, {"distance": "m", **dict.fromkeys(ids, "m")}),
            "layers": Table(("layer", *names), summary, units),
        },
        figures={"profile": _figure(sources, stations, heights)},
        warnings=warnings,
        points=tuple((x, y, float(z)) for x, y, z in drawn if math.isfinite(z)),
        headline="length",
    )


def _figure(sources: tuple[Surface | Band, ...], stations: Stations, heights: FloatArray) -> bytes:
    """Draw all layers on one chart; corners of the line are marked."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for source, z in zip(sources, heights.T, strict=True):
            axes.plot(stations.distance, z, linewidth=1.2, label=source.name)
        for corner in stations.corners[1:-1]:
            axes.axvline(stations.distance[corner], linewidth=0.6, linestyle=":")
        axes.set_xlabel(tr("Distance (m)"))
        axes.set_ylabel(tr("Height (m)"))
        axes.margins(x=0.01)
        axes.legend(loc="best", frameon=False)

    return draw_figure(paint, (8.0, 3.6))


def _summary(distance: FloatArray, z: FloatArray) -> tuple[float | int | None, ...]:
    """Return lowest, highest, steepest slope in degrees, ascent, descent and unknown heights.

    Slopes and rises are between neighbouring stations that both have a height.
    """
    missing = int(np.isnan(z).sum())
    if missing == len(z):
        return None, None, None, None, None, missing
    rise, run = np.diff(z), np.diff(distance)
    known = np.isfinite(rise)
    steepest = float(np.degrees(np.arctan2(np.abs(rise[known]), run[known])).max(initial=0.0))
    up, down = rise_and_fall(np.r_[0.0, np.cumsum(rise[known])])
    return float(np.nanmin(z)), float(np.nanmax(z)), steepest, up, down, missing
