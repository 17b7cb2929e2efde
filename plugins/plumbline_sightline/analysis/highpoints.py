"""High ground and prominent roofs of an area, ranked: where to look from, and what is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Layer,
    LayerKind,
    LayerRefs,
    LayerStyle,
    ObstacleLayers,
    Obstacles,
    Params,
    RefusedError,
    Region,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    build_obstacles,
    draw_figure,
    figure_colors,
    obstacle_layers,
    peaks,
    region,
    tr,
)
from plumbline_sightline.analysis.eyes import box_around, ground_of
from plumbline_sightline.analysis.grids import Cells, cells_over

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]

COLUMNS = (
    *("rank", "kind", "entity", "name", "layer", "x", "y", "z", "height_above_ground"),
    *("prominence", "saddle_x", "saddle_y", "saddle_z"),
)
UNITS = {"height_above_ground": "m", "prominence": "m"}


class HighpointsParams(Params):
    """What `sightline.highpoints` can be asked."""

    obstacles: Annotated[
        LayerRefs,
        Field(
            min_length=1,
            title=N_("Surfaces"),
            description=N_("Terrain, and models or meshes whose roofs stand on it."),
        ),
    ]
    area: Annotated[
        Region | None,
        Field(
            title=N_("Area of interest"),
            description=N_("Where high points are looked for; everywhere otherwise."),
            json_schema_extra={"widget": "region"},
        ),
    ] = None
    rank_by: Annotated[
        Literal["prominence", "height"],
        Field(
            title=N_("Rank by"),
            description=N_("Prominence above the way to anything higher, or height."),
        ),
    ] = "prominence"
    count: Annotated[
        int, Field(ge=1, le=1000, title=N_("How many"), description=N_("Points in the table."))
    ] = 20
    min_prominence: Annotated[
        float,
        Field(
            ge=0,
            title=N_("Least prominence"),
            description=N_("Points that stand out less are left out."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 3.0
    cell_size: Annotated[
        float,
        Field(
            ge=0.01,
            title=N_("Cell size"),
            description=N_("Of the raster on which saddles are looked for."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 2.0


@dataclass(frozen=True)
class Tops:
    """The highest point in every cell.

    Attributes
    ----------
    heights : (rows, columns) float64
        Metres of the frame, NaN outside the area.
    places : (rows * columns, 3) float64
        Where they are.
    owner : (rows * columns,) intp
        Whose they are, -1 for nobody.
    """

    heights: FloatArray
    places: FloatArray
    owner: Indices


class Highpoints(Analysis[HighpointsParams]):
    """Peaks of the surface of terrain and roofs by topographic prominence.

    Peaks are exact: a cell takes its highest corner of a triangle where there is one. Saddles are
    those of the cells, so prominence is good to the slope of a cell. The area is taken as an
    island: what lies outside counts as low.
    """

    id = "sightline.highpoints"
    version = "1"
    title = N_("High points")
    description = N_(
        "The highest points and the most prominent roofs of an area, ranked, with their "
        "topographic prominence."
    )
    Params = HighpointsParams

    def layers(self, params: HighpointsParams) -> list[str]:
        return list(params.obstacles)

    def prepare(self, scene: Scene, params: HighpointsParams) -> ObstacleLayers:
        return obstacle_layers(scene, params.obstacles)

    def compute(
        self, inputs: ObstacleLayers, params: HighpointsParams, feedback: Feedback
    ) -> Result:
        rim = [point for polygon in params.area or () for ring in polygon for point in ring]
        box = box_around(inputs, rim, 0.0) if rim else None
        obstacles = build_obstacles(inputs, feedback.part(0.0, 0.4), box)
        cells, inside = _cells(params, inputs, obstacles)
        around = _widened(inside.reshape(cells.shape)).ravel()
        tops = _tops(cells, around, obstacles, feedback.part(0.4, 0.8))
        heights = np.where(inside.reshape(cells.shape), tops.heights, np.nan)
        found = peaks(heights, params.min_prominence)
        feedback.step(9, 10)
        height = heights.ravel()[found.cell]
        # At the border of the area a slope that goes on outside is no peak.
        order = np.flatnonzero(~(_highest_beside(tops.heights).ravel()[found.cell] > height))
        if params.rank_by == "height":
            order = order[np.lexsort((found.cell[order], -found.prominence[order], -height[order]))]
        order = order[: params.count]
        rows = _rows(found.cell[order], found.saddle[order], tops, inputs, obstacles)
        warnings = list(obstacles.warnings)
        if not rows:
            warnings.append(tr("Nothing in the area stands out that much."))
        prominence = max((float(row[9]) for row in rows), default=None)
        known = heights[np.isfinite(heights)]
        highest = float(inputs.frame.project_height(known.max())) if len(known) else None
        return Result(
            values={
                "points": Value(len(rows)),
                "highest": Value(highest, "m"),
                "highest_prominence": Value(prominence, "m"),
            },
            tables={"points": Table(COLUMNS, tuple(rows), UNITS)},
            layers={"points": _layer(rows, inputs)} if rows else {},
            figures={"map": _figure(cells, heights, rows, inputs)},
            warnings=warnings,
            points=tuple((row[5], row[6], row[7]) for row in rows),
            headline="highest",
            provenance={"lods": obstacles.lods, "cell_size": params.cell_size},
        )


def _cells(
    params: HighpointsParams, layers: ObstacleLayers, obstacles: Obstacles
) -> tuple[Cells, NDArray[np.bool_]]:
    """Return the cells and which of them lie in the area."""
    import shapely

    if len(obstacles.vertices) == 0 and params.area is not None:
        raise _outside()
    if len(obstacles.vertices) == 0:
        raise RefusedError(
            tr("There is nothing in the layers."), tr("Choose terrain, models or meshes.")
        )
    low, high = obstacles.vertices.min(axis=0), obstacles.vertices.max(axis=0)
    if params.area is None:
        cells = cells_over(layers.frame, low, high, params.cell_size)
        return cells, np.ones(len(cells.places), dtype=bool)
    area = region(params.area)
    box = np.array(area.bounds).reshape(2, 2)
    corners = layers.frame.local(np.column_stack([box, np.zeros(2)]))[:, :2]
    first, last = np.maximum(corners[0], low[:2]), np.minimum(corners[1], high[:2])
    if (first >= last).any():
        raise _outside()
    ring = params.cell_size
    cells = cells_over(layers.frame, first - ring, last + ring, params.cell_size)
    shapely.prepare(area)
    x, y = cells.project_places.T
    inside: NDArray[np.bool_] = shapely.contains_xy(area, x, y)
    if not inside.any():
        raise RefusedError(
            tr("The area is smaller than a cell."), tr("Give a smaller cell_size or a larger area.")
        )
    return cells, inside


def _outside() -> RefusedError:
    return RefusedError(
        tr("The area lies outside of the layers."), tr("Draw it where there is something.")
    )


def _widened(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return cells with all their neighbours."""
    return _highest_beside(inside.astype(np.float64)) > 0


def _highest_beside(values: FloatArray) -> FloatArray:
    """Return the greatest of each cell and its eight neighbours, NaN counting for nothing."""
    rows, columns = values.shape
    padded = np.pad(values, 1, constant_values=np.nan)
    around = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    highest: FloatArray = np.fmax.reduce(around)
    return highest


def _tops(
    cells: Cells, inside: NDArray[np.bool_], obstacles: Obstacles, feedback: Feedback
) -> Tops:
    """Return the highest point of each cell: under its centre, or a corner of a triangle in it."""
    flat = cells.places
    caster = obstacles.caster()
    ceiling = float(caster.high[2]) + 1.0
    places = np.column_stack([flat, np.full(len(flat), np.nan)])
    owner = np.full(len(flat), -1, dtype=np.intp)
    chosen = np.flatnonzero(inside)
    origins = np.column_stack([flat[chosen], np.full(len(chosen), ceiling)])
    down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), origins.shape)
    distance, triangle = caster.first_hits(origins, down, feedback)
    hit = triangle >= 0
    places[chosen[hit], 2] = ceiling - distance[hit]
    owner[chosen[hit]] = obstacles.owner[triangle[hit]]
    _raise_to_corners(cells, inside, obstacles, places, owner)
    return Tops(places[:, 2].reshape(cells.shape), places, owner)


def _raise_to_corners(
    cells: Cells,
    inside: NDArray[np.bool_],
    obstacles: Obstacles,
    places: FloatArray,
    owner: Indices,
) -> None:
    """Let cells take the highest corner of a triangle in them: spires are narrower than cells."""
    rows, columns = cells.shape
    corners = obstacles.vertices[obstacles.triangles].reshape(-1, 3)
    column = np.floor((corners[:, 0] - cells.x[0]) / cells.size + 0.5).astype(np.intp)
    row = np.floor((cells.y[0] - corners[:, 1]) / cells.size + 0.5).astype(np.intp)
    within = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    at = np.where(within, row * columns + column, 0)
    within &= inside[at] & ~(places[at, 2] >= corners[:, 2])
    number, at = np.flatnonzero(within), at[within]
    best = np.full(rows * columns, -np.inf)
    np.maximum.at(best, at, corners[number, 2])
    top = corners[number, 2] == best[at]
    at, first = np.unique(at[top], return_index=True)
    number = number[top][first]
    places[at] = corners[number]
    owner[at] = obstacles.owner[number // 3]


def _rows(
    peak: Indices, saddle: Indices, tops: Tops, layers: ObstacleLayers, obstacles: Obstacles
) -> list[tuple[Any, ...]]:
    frame = layers.frame
    at, low = frame.project(tops.places[peak]), frame.project(tops.places[saddle])
    ground_layer = ground_of(layers)
    ground = np.full(len(peak), np.nan)
    if ground_layer is not None:
        ground = frame.local_height(layers.ground_heights(at[:, :2]))
    rows: list[tuple[Any, ...]] = []
    for n in range(len(peak)):
        entity = obstacles.entities[tops.owner[peak[n]]]
        height = float(tops.places[peak[n], 2])
        above = height - float(ground[n])
        kind = "ground" if entity.layer == ground_layer else "roof"
        name = obstacles.names[tops.owner[peak[n]]] if entity.entity else ""
        prominence = height - float(tops.places[saddle[n], 2])
        rows.append(
            (n + 1, kind, entity.entity, name, entity.layer, *at[n].tolist())
            + (above if np.isfinite(above) else None, prominence, *low[n].tolist())
        )
    return rows


def _layer(rows: list[tuple[Any, ...]], layers: ObstacleLayers) -> Layer:
    """Return the points as features with their ranks."""
    import geopandas as gpd
    import shapely

    points = shapely.points(np.array([row[5:8] for row in rows], dtype=np.float64))
    columns = {name: [row[n] for row in rows] for n, name in enumerate(COLUMNS[:5])}
    columns["prominence"] = [row[9] for row in rows]
    crs = layers.frame.georeference.crs
    frame = gpd.GeoDataFrame(columns, geometry=points, crs=crs)
    style = LayerStyle(color="#D2441C", point_size=8.0, label="rank")
    data = VectorData(frame, has_z=True)
    return Layer("points", tr("High points"), LayerKind.VECTOR, data, crs, style=style)


def _figure(
    cells: Cells, heights: FloatArray, rows: list[tuple[Any, ...]], layers: ObstacleLayers
) -> bytes:
    """Return a map of heights with the ranks."""
    frame = layers.frame
    ends = np.array([[cells.x[0], cells.y[-1], 0.0], [cells.x[-1], cells.y[0], 0.0]])
    half = cells.size / 2 / frame.scale[0]
    (west, south, _), (east, north, _) = frame.project(ends).tolist()

    def paint(figure: Figure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        colors = figure_colors()
        palette = LinearSegmentedColormap.from_list("heights", colors["sequential"])
        axes = figure.add_subplot()
        image = axes.imshow(
            frame.project_height(heights),
            extent=(west - half, east + half, south - half, north + half),
            cmap=palette,
        )
        figure.colorbar(image, ax=axes, label=tr("Height, m"), shrink=0.8)
        for row in rows:
            color = colors["hidden"] if row[1] == "roof" else colors["lit"]
            axes.plot(row[5], row[6], "^", color=color, ms=7, mec="white", mew=0.8)
            axes.annotate(
                str(row[0]), (row[5], row[6]), xytext=(5, 4), textcoords="offset points", fontsize=8
            )
        axes.ticklabel_format(useOffset=False, style="plain")
        axes.tick_params(axis="x", rotation=30)
        axes.set_aspect("equal")

    return draw_figure(paint, (7.5, 6.0))
