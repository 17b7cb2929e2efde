"""Where to put cameras, watch-towers, drone nests or antennas, and what they leave uncovered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from plumbline.api import (
    N_,
    Analysis,
    Chosen,
    EmbreeCaster,
    Feedback,
    Georeference,
    Layer,
    LayerRefs,
    ObstacleLayers,
    Obstacles,
    Params,
    Points,
    RefusedError,
    Region,
    Result,
    Scene,
    Table,
    Value,
    blocked,
    build_obstacles,
    draw_figure,
    figure_colors,
    greedy_cover,
    heights_from_above,
    obstacle_layers,
    region,
    tr,
)
from plumbline_sightline.analysis.eyes import Eye, Places, box_around, ground_of, north_at
from plumbline_sightline.analysis.grids import Cells, cells_over, raster_layer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Memory for who sees what, bytes; lines of sight of one request.
MAX_BYTES, MAX_LINES = 500_000_000, 500_000_000
#: Degrees between the directions that are tried for an instrument without one.
HEADINGS = 15.0
#: Lines end this far above what they look at, metres.
_ABOVE = 0.05
#: Share of the optimum below which a greedy choice never falls, percent: 100 (1 - 1/e).
GUARANTEE = 100.0 * (1.0 - 1.0 / np.e)
COLUMNS = (
    *("position", "x", "y", "z", "azimuth", "covered_area", "covered_share"),
    *("order", "gain_area", "total_share"),
)
UNITS = {"azimuth": "°", "covered_area": "m²", "covered_share": "%"}
UNITS |= {"gain_area": "m²", "total_share": "%"}


class Instrument(BaseModel):
    """What watches: a camera, a guard, a radar, an antenna."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    height: float = Field(3.0, ge=0, le=1000)
    range: float = Field(200.0, gt=0)
    horizontal_fov: float = Field(360.0, gt=0, le=360)
    vertical_fov: float = Field(180.0, gt=0, le=180)
    azimuth: float | None = Field(None, ge=-360, le=360)
    tilt: float = Field(0.0, ge=-90, le=90)


class CoverageParams(Params):
    """What `sightline.coverage` can be asked."""

    candidates: Annotated[
        Points,
        Field(
            min_length=1,
            title=N_("Candidate positions"),
            description=N_(
                "Where instruments could be; [x, y] stands on the roof or the ground there."
            ),
            json_schema_extra={"widget": "points", "places": True},
        ),
    ]
    area: Annotated[
        Region,
        Field(
            title=N_("Area of interest"),
            description=N_("What is to be watched."),
            json_schema_extra={"widget": "region"},
        ),
    ]
    obstacles: Annotated[
        LayerRefs,
        Field(
            min_length=1,
            title=N_("Obstacles"),
            description=N_("Terrain and buildings that stand in the way."),
        ),
    ]
    instrument: Annotated[
        Instrument,
        Field(
            title=N_("Instrument"),
            description=N_(
                "height above roof or ground (m), range (m), horizontal_fov and vertical_fov (°), "
                "azimuth of its axis (° from true north; the best is looked for without one) and "
                "tilt of its axis (°, upwards positive)."
            ),
        ),
    ] = Instrument()
    count: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            title=N_("How many"),
            description=N_("Instruments to choose; several may stand at one position."),
        ),
    ] = 3
    target_height: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            title=N_("Target height"),
            description=N_("Above the ground of the area, what has to be seen."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.0
    cell_size: Annotated[
        float,
        Field(
            ge=0.01,
            title=N_("Cell size"),
            description=N_("Of the raster on which the area is watched."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 5.0


@dataclass(frozen=True)
class Watched:
    """Snapshot: obstacles and where they lie on the earth."""

    layers: ObstacleLayers
    georeference: Georeference


@dataclass(frozen=True)
class Demand:
    """What is to be seen: the open ground of the area.

    Attributes
    ----------
    cell : (D,) intp
        Cells of the raster.
    points : (D, 3) float64
        Metres of the frame.
    """

    cells: Cells
    cell: Indices
    points: FloatArray


@dataclass(frozen=True)
class Options:
    """Every candidate position with every direction of its instrument.

    Attributes
    ----------
    position : (S,) intp
    azimuth : (S,) float64
        From true north, degrees; NaN for all around.
    covers : (S, ...) uint8
        Packed bits of the demand.
    area : (S,) float64
        m².
    """

    position: Indices
    azimuth: FloatArray
    covers: NDArray[np.uint8]
    area: FloatArray


class Coverage(Analysis[CoverageParams]):
    """Coverage of an area from candidate positions, and the best few of them.

    Demand is the ground in the area; what buildings stand on is no demand. The choice is greedy:
    it covers at least 63.2 % (1 - 1/e) of what the best choice of as many options could, and
    `upper_bound` says what no choice can exceed here. Where the instrument has no azimuth,
    directions every 15° are tried at each position.
    """

    id = "sightline.coverage"
    version = "1"
    title = N_("Coverage")
    description = N_(
        "How much of an area instruments at candidate positions see, the best set of a given "
        "number with a bound on the optimum, and the gaps that it leaves."
    )
    Params = CoverageParams

    def layers(self, params: CoverageParams) -> list[str]:
        return list(params.obstacles)

    def prepare(self, scene: Scene, params: CoverageParams) -> Watched:
        return Watched(obstacle_layers(scene, params.obstacles), scene.georeference)

    def compute(self, inputs: Watched, params: CoverageParams, feedback: Feedback) -> Result:
        layers = inputs.layers
        # Lines of sight keep to what lies between the positions and the area.
        rim = [point for polygon in params.area for ring in polygon for point in ring]
        box = box_around(layers, [*params.candidates, *rim], 0.0)
        obstacles = build_obstacles(layers, feedback.part(0.0, 0.2), box)
        caster = obstacles.caster()
        demand = _demand(params, layers, obstacles, caster, feedback.part(0.2, 0.3))
        eyes = _eyes(params, layers, obstacles, caster)
        turn, north = north_at(inputs.georeference, params.candidates[0])
        options = _options(eyes, demand, params, turn, caster, feedback.part(0.3, 0.9))
        weights = np.full(len(demand.cell), demand.cells.area)
        best = greedy_cover(options.covers, weights, params.count, feedback.part(0.9, 1.0))
        seen = _seen_by(options, best, len(weights))
        rasters = _rasters(demand, seen)
        warnings = [*obstacles.warnings, *dict.fromkeys(t for e in eyes for t in e.warnings)]
        if len(best.sets) < params.count:
            text = tr("{n} instruments are enough: more would add nothing.", n=len(best.sets))
            warnings.append(text)
        return Result(
            values={**_values(best, weights, options), "north": Value(north)},
            tables={"positions": _table(options, best, eyes, float(weights.sum()))},
            layers=rasters,
            figures={"map": _figure(demand, seen, eyes, options, best, layers)},
            warnings=warnings,
            points=tuple(
                eyes[n].point for n in dict.fromkeys(options.position[best.sets].tolist())
            ),
            headline="covered_share",
            provenance={
                "lods": obstacles.lods,
                "demand_cells": len(demand.cell),
                "options": len(options.position),
                "method": "greedy, 1 - 1/e",
                "convergence": turn,
            },
        )


def _eyes(
    params: CoverageParams, layers: ObstacleLayers, obstacles: Obstacles, caster: EmbreeCaster
) -> list[Eye]:
    """Return the instruments at all positions; [x, y] stands on the roof or the ground there."""
    places = Places(layers, obstacles)
    frame, height = layers.frame, params.instrument.height
    flat = np.array([[*point[:2], frame.origin[2]] for point in params.candidates])
    tops = heights_from_above(caster, frame.local(flat)[:, :2], float(caster.high[2]) + 1.0)
    eyes = []
    for point, top in zip(params.candidates, tops.tolist(), strict=True):
        if len(point) == 2 and np.isfinite(top):
            z = (top + height) / frame.scale[2] + frame.origin[2]
            eyes.append(places.eye((point[0], point[1], z), 0.0))
        else:
            eyes.append(places.eye(point, height))
    return eyes


def _demand(
    params: CoverageParams,
    layers: ObstacleLayers,
    obstacles: Obstacles,
    caster: EmbreeCaster,
    feedback: Feedback,
) -> Demand:
    """Return the open ground of the area at cell centres."""
    import shapely

    area = region(params.area)
    box = np.array(area.bounds).reshape(2, 2)
    low, high = layers.frame.local(np.column_stack([box, np.zeros(2)]))
    cells = cells_over(layers.frame, low, high, params.cell_size)
    shapely.prepare(area)
    inside = np.flatnonzero(shapely.contains_xy(area, *cells.project_places.T))
    flat = cells.places[inside]
    ceiling = float(caster.high[2]) + 1.0
    origins = np.column_stack([flat, np.full(len(flat), ceiling)])
    down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), origins.shape)
    distance, triangle = caster.first_hits(origins, down, feedback)
    open_ = triangle >= 0
    ground = ground_of(layers)
    if ground is not None:
        is_ground = np.array([entity.layer == ground for entity in obstacles.entities])
        open_[open_] = is_ground[obstacles.owner[triangle[open_]]]
    if not open_.any():
        raise RefusedError(
            tr("There is no open ground in the area."),
            tr("Draw the area on the terrain, or give a smaller cell_size."),
        )
    height = ceiling - distance[open_] + max(params.target_height, _ABOVE)
    return Demand(cells, inside[open_], np.column_stack([flat[open_], height]))


def _options(
    eyes: list[Eye],
    demand: Demand,
    params: CoverageParams,
    turn: float,
    caster: EmbreeCaster,
    feedback: Feedback,
) -> Options:
    """Cast all lines of sight once, then try every direction on them."""
    tool = params.instrument
    azimuths = _azimuths(tool)
    size = len(eyes) * len(azimuths) * len(demand.cell) / 8
    if size > MAX_BYTES or len(eyes) * len(demand.cell) > MAX_LINES:
        raise RefusedError(
            tr(
                "{n} positions and {cells} cells are too many.", n=len(eyes), cells=len(demand.cell)
            ),
            tr("Give a larger cell_size, a smaller area or fewer positions."),
        )
    covers, areas = [], []
    for n, eye in enumerate(eyes):
        feedback.step(n, len(eyes), tr("Looking from the positions"))
        way = demand.points - eye.place
        level = np.hypot(way[:, 0], way[:, 1])
        elevation = np.degrees(np.arctan2(way[:, 2], level))
        near = np.linalg.norm(way, axis=1) <= tool.range
        near &= np.abs(elevation - tool.tilt) <= tool.vertical_fov / 2 + 1e-9
        chosen = np.flatnonzero(near)
        free = np.zeros(len(near), dtype=bool)
        free[chosen] = ~blocked(caster, demand.points[chosen], eye.place, feedback)
        bearing = np.degrees(np.arctan2(way[:, 0], way[:, 1])) + turn
        for azimuth in azimuths:
            seen = free
            if np.isfinite(azimuth):
                aside = np.abs((bearing - azimuth + 180.0) % 360.0 - 180.0)
                seen = free & (aside <= tool.horizontal_fov / 2 + 1e-9)
            covers.append(np.packbits(seen))
            areas.append(float(seen.sum()) * demand.cells.area)
    position = np.repeat(np.arange(len(eyes)), len(azimuths))
    return Options(position, np.tile(azimuths, len(eyes)), np.array(covers), np.array(areas))


def _azimuths(tool: Instrument) -> FloatArray:
    """Return the directions to try."""
    if tool.horizontal_fov >= 360:
        return np.array([np.nan])
    if tool.azimuth is not None:
        return np.array([tool.azimuth % 360.0])
    return np.arange(0.0, 360.0, HEADINGS)


def _seen_by(options: Options, best: Chosen, count: int) -> NDArray[np.intp]:
    """Return how many of the chosen instruments see each place of the demand."""
    seen = np.zeros(count, dtype=np.intp)
    for n in best.sets:
        seen += np.unpackbits(options.covers[n], count=count)
    return seen


def _values(best: Chosen, weights: FloatArray, options: Options) -> dict[str, Value]:
    total, covered = float(weights.sum()), float(best.gains.sum())
    everything = np.bitwise_or.reduce(options.covers, axis=0)
    most = float(weights @ np.unpackbits(everything, count=len(weights)))
    bound = min(best.upper_bound, most)
    return {
        "covered_area": Value(covered, "m²"),
        "covered_share": Value(100 * covered / total, "%"),
        "gap_area": Value(total - covered, "m²"),
        "demand_area": Value(total, "m²"),
        "chosen": Value(len(best.sets)),
        "upper_bound": Value(100 * bound / total, "%"),
        "of_optimum": Value(100 * covered / bound if bound > 0 else None, "%"),
        "guarantee": Value(GUARANTEE, "%"),
        "all_positions_share": Value(100 * most / total, "%"),
    }


def _table(options: Options, best: Chosen, eyes: list[Eye], total: float) -> Table:
    """Return the chosen in their order, then the others, each at its best direction."""
    rows: list[tuple[Any, ...]] = []
    sum_ = 0.0
    used: set[int] = set()
    for order, (n, gain) in enumerate(zip(best.sets.tolist(), best.gains.tolist(), strict=True), 1):
        sum_ += gain
        used.add(int(options.position[n]))
        rows.append((*_option(options, n, eyes, total), order, gain, 100 * sum_ / total))
    rest = []
    for position in range(len(eyes)):
        own = np.flatnonzero(options.position == position)
        n = int(own[np.argmax(options.area[own])])
        if position not in used:
            rest.append((*_option(options, n, eyes, total), None, None, None))
    rest.sort(key=lambda row: (-row[5], row[0]))
    return Table(COLUMNS, tuple(rows + rest), UNITS)


def _option(options: Options, n: int, eyes: list[Eye], total: float) -> tuple[Any, ...]:
    position = int(options.position[n])
    azimuth = float(options.azimuth[n]) if np.isfinite(options.azimuth[n]) else None
    area = float(options.area[n])
    return (position + 1, *eyes[position].point, azimuth, area, 100 * area / total)


def _rasters(demand: Demand, seen: NDArray[np.intp]) -> dict[str, Layer]:
    cells = demand.cells
    size = cells.shape[0] * cells.shape[1]
    covered, gaps = np.full(size, np.nan), np.full(size, 255, dtype=np.uint8)
    covered[demand.cell] = seen
    gaps[demand.cell] = seen == 0
    count = N_("Instruments that see it")
    return {
        "covered": raster_layer(cells, "covered", tr("Covered"), covered, count),
        "gaps": raster_layer(cells, "gaps", tr("Gaps"), gaps, N_("Gap")),
    }


def _figure(
    demand: Demand,
    seen: NDArray[np.intp],
    eyes: list[Eye],
    options: Options,
    best: Chosen,
    layers: ObstacleLayers,
) -> bytes:
    """Return a map of what is covered, of the gaps and of the positions."""
    cells = demand.cells
    ends = np.array([[cells.x[0], cells.y[-1], 0.0], [cells.x[-1], cells.y[0], 0.0]])
    half = cells.size / 2 / layers.frame.scale[0]
    (west, south, _), (east, north, _) = layers.frame.project(ends).tolist()
    state = np.zeros(cells.shape[0] * cells.shape[1], dtype=np.intp)
    state[demand.cell] = np.where(seen > 0, 2, 1)
    chosen = list(dict.fromkeys(options.position[best.sets].tolist()))

    def paint(figure: Figure) -> None:
        from matplotlib.colors import ListedColormap
        from matplotlib.patches import Patch

        colors = figure_colors()
        axes = figure.add_subplot()
        shades = [colors["sunken"], colors["hidden"], colors["visible"]]
        axes.imshow(
            state.reshape(cells.shape),
            extent=(west - half, east + half, south - half, north + half),
            cmap=ListedColormap(shades),
            vmin=0,
            vmax=2,
            interpolation="nearest",
            alpha=0.75,
        )
        for n, eye in enumerate(eyes):
            mark, size = ("^", 9) if n in chosen else (".", 7)
            x, y, _ = eye.point
            axes.plot(x, y, mark, color=colors["text"], ms=size, mec="white", mew=0.8)
            if n in chosen:
                axes.annotate(str(n + 1), eye.point[:2], xytext=(6, 5), textcoords="offset points")
        labels = (tr("No demand"), tr("Gaps"), tr("Covered"))
        handles = [Patch(color=c, label=t) for c, t in zip(shades, labels, strict=True)]
        axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.02, 0.5))
        axes.ticklabel_format(useOffset=False, style="plain")
        axes.tick_params(axis="x", rotation=30)
        axes.grid(visible=False)

    return draw_figure(paint, (7.5, 5.5))
