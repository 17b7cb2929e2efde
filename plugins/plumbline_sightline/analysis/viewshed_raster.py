"""Viewsheds of one terrain raster: every cell by its own line of sight."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    Feedback,
    GridView,
    ObstacleLayer,
    Point,
    RasterData,
    RefusedError,
    needed_heights,
    outside,
    read_grid,
    sample_bilinear,
    thinned,
    tr,
)
from plumbline_sightline.analysis.viewshed_answer import (
    Affine6,
    Answer,
    Question,
    Seer,
    empty_answer,
    in_extent,
)
from plumbline_sightline.analysis.viewshed_standing import ON_SURFACE

HeightArray = NDArray[np.floating[Any]]

#: Cells that are looked at in one go: 16 bytes each.
MAX_CELLS = 100_000_000
#: Cells of a preview: some hundredths of a second.
PREVIEW_CELLS = 90_000
#: Types of cells that float32 holds without loss.
_SMALL = ("float32", "int16", "uint16", "uint8", "int8", "float16")
_ROWS = 512


@dataclass(frozen=True)
class Grid:
    """Heights in metres, first row in the north, with where they lie in the result's grid."""

    heights: HeightArray
    transform: Affine6
    full_shape: tuple[int, int]
    full_transform: Affine6
    warnings: tuple[str, ...] = ()

    @property
    def offset(self) -> tuple[int, int]:
        """Row and column of the first cell in the result's grid."""
        a, e = self.full_transform[0], self.full_transform[4]
        row = round((self.transform[5] - self.full_transform[5]) / e)
        return row, round((self.transform[2] - self.full_transform[2]) / a)

    def cell_at(self, point: Point) -> tuple[int, int]:
        """Return row and column of the cell that a point lies in; it may lie outside."""
        a, _, c, _, e, f = self.transform
        return math.floor((point[1] - f) / e), math.floor((point[0] - c) / a)


def raster_viewshed(question: Question, feedback: Feedback) -> Answer:
    """Return what observers see of a terrain raster.

    Raises
    ------
    RefusedError
        If an observer is outside of the raster, over a hole or under ground, or the raster is too
        large.
    """
    (one,) = question.layers.layers
    grid = (
        _previewed(one, question.layers.frame.scale[2])
        if question.preview
        else _grid(question, one)
    )
    frame = question.layers.frame
    scale = frame.scale
    answer = empty_answer(grid.full_shape, grid.full_transform, scale, needed=not question.preview)
    answer.warnings += grid.warnings
    row, column = grid.offset
    window = (
        slice(row, row + grid.heights.shape[0]),
        slice(column, column + grid.heights.shape[1]),
    )
    cell = (abs(grid.transform[0]) * scale[0], abs(grid.transform[4]) * scale[1])
    held = in_extent(grid.transform, grid.heights.shape, question.extent)
    for n, point in enumerate(question.observers):
        part = feedback.part(n / len(question.observers), (n + 1) / len(question.observers))
        part.step(0, 1, tr("Looking around"))
        view, ground, warnings = _view(question, one, grid, cell, point)
        answer.warnings += warnings
        needed = needed_heights(grid.heights, view, part)
        _mask(needed, grid, view, question, held)
        looked_at = np.isfinite(needed)
        seen = needed <= np.float32(view.target)
        answer.take(seen, looked_at, window)
        if answer.needed is not None:
            answer.needed[window] = np.fmin(answer.needed[window], needed)
        eye = (
            grid.transform[2] + (view.column + 0.5) * grid.transform[0],
            grid.transform[5] + (view.row + 0.5) * grid.transform[4],
            view.eye / scale[2],
        )
        visible, all_cells = int(np.count_nonzero(seen)), int(np.count_nonzero(looked_at))
        answer.seers.append(Seer(eye, ground / scale[2], visible, all_cells))
    answer.warnings += _holes(grid, question, cell, answer)
    answer.provenance = {
        "method": "raster",
        "cell": list(cell),
        "lods": {one.layer.id: "full" if grid.full_shape == _shape(one) else f"{cell[0]:g} m"},
    }
    return answer


def _shape(one: ObstacleLayer) -> tuple[int, int]:
    data = one.layer.data
    assert isinstance(data, RasterData)
    return data.height, data.width


def _view(
    question: Question,
    one: ObstacleLayer,
    grid: Grid,
    cell: tuple[float, float],
    point: Point,
) -> tuple[GridView, float, list[str]]:
    """Return the observer at the centre of its cell, the ground there in metres, and warnings."""
    row, column = grid.cell_at(point)
    rows, columns = grid.heights.shape
    inside = 0 <= row < rows and 0 <= column < columns
    ground = float(grid.heights[row, column]) if inside else math.nan
    if not inside:
        raise _outside(point)
    if not math.isfinite(ground):
        raise RefusedError(
            tr("The surface has no height at {x:.2f}, {y:.2f}.", x=point[0], y=point[1]),
            tr("Place the observer on the surface."),
        )
    eye, warnings = ground + question.observer_height, list[str]()
    if len(point) == 3:
        eye, warnings = _own_height(question, one, point, ground)
    view = GridView(
        row, column, eye, cell, question.target_height, question.max_distance, question.bend
    )
    return view, ground, warnings


def _outside(point: Point) -> RefusedError:
    return RefusedError(
        tr("The observer at {x:.2f}, {y:.2f} is outside of the surface.", x=point[0], y=point[1]),
        tr("Place the observer on the surface."),
    )


def _own_height(
    question: Question, one: ObstacleLayer, point: Point, centre: float
) -> tuple[float, list[str]]:
    """Return the eye of an observer with its own z, metres; never under the ground.

    Under ground is judged at the very place; where the middle of the cell is higher than the eye,
    the eye is lifted with the ground.
    """
    data = one.layer.data
    assert isinstance(data, RasterData)
    assert len(point) == 3
    eye = point[2] * question.layers.frame.scale[2]
    here = centre
    if not one.clip and not question.preview:
        here = float(sample_bilinear(data, np.array([point[:2]]))[0])
    if eye < here - ON_SURFACE and not question.preview:
        raise RefusedError(
            tr(
                "The observer at {x:.2f}, {y:.2f} is {depth:.2f} m under the surface.",
                x=point[0],
                y=point[1],
                depth=here - eye,
            ),
            tr("Give a greater height, or leave it out to stand on the surface."),
        )
    if eye >= centre:
        return eye, []
    lifted = centre + max(0.0, eye - here)
    text = tr(
        "The observer was lifted by {lift:.2f} m onto the middle of its cell.", lift=lifted - eye
    )
    return lifted, [text]


def _mask(
    needed: NDArray[np.float32],
    grid: Grid,
    view: GridView,
    question: Question,
    held: NDArray[np.bool_] | None,
) -> None:
    """Take out what lies in none of the directions, or outside of the extent."""
    if not question.directions.unlimited:
        for start in range(0, len(needed), _ROWS):
            rows = slice(start, min(start + _ROWS, len(needed)))
            needed[rows][outside(grid.heights, view, question.directions, rows)] = np.nan
    if held is not None:
        needed[~held] = np.nan


def _holes(grid: Grid, question: Question, cell: tuple[float, float], answer: Answer) -> list[str]:
    """Say how much of what could be looked at has no height, and what is smaller than a cell."""
    warnings = []
    known = np.isfinite(grid.heights)
    if not known.all():
        warnings.append(
            tr(
                "{share:.2f} % of the surface has no height: nothing hides or is seen there.",
                share=100.0 * float(np.mean(~known)),
            )
        )
    if question.max_distance < min(cell):
        warnings.append(tr("The greatest distance is shorter than a cell."))
    if not answer.looked_at.any():
        warnings.append(tr("No cell lies in the extent and the directions that are looked into."))
    return warnings


# -- reading ---------------------------------------------------------------------------------


def _grid(question: Question, one: ObstacleLayer) -> Grid:
    """Return the part of the raster that can be seen or stand in the way."""
    data = one.layer.data
    assert isinstance(data, RasterData)
    bounds = _bounds(question, data)
    _refuse_large(data, bounds)
    heights, transform = read_grid(data, 10 * MAX_CELLS, bounds)
    if heights.size == 0:
        raise _outside(question.observers[0])
    warnings: list[str] = []
    full_shape, full_transform = (data.height, data.width), data.transform
    if not _aligned(transform, full_transform):
        # Another CRS or a turned grid: the result lies on the grid that was made of it.
        full_shape, full_transform = heights.shape, transform
        warnings.append(tr("The surface was turned north up into the project CRS."))
    elif data.width * data.height > MAX_CELLS:
        full_shape, full_transform = heights.shape, transform
        warnings.append(tr("The surface is large: the result covers what was looked at only."))
    _clip(heights, transform, one, question.layers.frame.scale[2])
    small: HeightArray = heights
    if data.dtype in _SMALL and data.z_factor == 1.0 and _aligned(transform, data.transform):
        small = heights.astype(np.float32)
    grid = Grid(small, transform, full_shape, full_transform, tuple(warnings))
    return _coarser(grid, question)


def _bounds(question: Question, data: RasterData) -> tuple[float, float, float, float] | None:
    """Return the box that holds observers, targets and all between them; None for everything."""
    if question.reach is None and question.extent is None:
        return None
    flat = np.array([point[:2] for point in question.observers])
    low, high = flat.min(axis=0), flat.max(axis=0)
    # Two cells more: the mean around a corner asks its neighbours.
    span = 2 * max(math.hypot(*data.transform[:2]), math.hypot(*data.transform[3:5]))
    if question.reach is not None:
        reach = question.reach / question.layers.frame.scale[0] + span
        low, high = low - reach, high + reach
    if question.extent is not None:
        box = np.array(question.extent)
        if question.reach is None:
            low, high = np.minimum(low, box[:2]) - span, np.maximum(high, box[2:]) + span
        else:
            near = np.minimum(flat.min(axis=0), box[:2]) - span
            far = np.maximum(flat.max(axis=0), box[2:]) + span
            low, high = np.maximum(low, near), np.minimum(high, far)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _refuse_large(data: RasterData, bounds: tuple[float, float, float, float] | None) -> None:
    cells = float(data.width * data.height)
    if bounds is not None:
        a, b, _, d, e, _ = data.transform
        cells = min(cells, (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) / abs(a * e - b * d))
    if cells > MAX_CELLS:
        raise RefusedError(
            tr("This looks at {n:.0f} million cells of the surface.", n=cells / 1e6),
            tr("Give a greatest distance or an extent, or a coarser surface."),
        )


def _aligned(transform: Affine6, full: Affine6) -> bool:
    """Tell whether a grid is a window of another."""
    a, b, c, d, e, f = full
    if b or d or a <= 0 or e >= 0:
        return False
    sizes = abs(transform[0] - a) <= 1e-9 * a and abs(transform[4] - e) <= -1e-9 * e
    steps = np.array([(transform[2] - c) / a, (transform[5] - f) / e])
    return sizes and bool((np.abs(steps - np.round(steps)) < 1e-3).all())


def _clip(heights: HeightArray, transform: Affine6, one: ObstacleLayer, scale: float) -> None:
    """Cut or flatten what a scheme cuts or flattens, in place."""
    if not one.clip:
        return
    import shapely

    polygon = shapely.Polygon(one.clip)
    shapely.prepare(polygon)
    a, _, c, _, e, f = transform
    x = c + (np.arange(heights.shape[1]) + 0.5) * a
    y = f + (np.arange(heights.shape[0]) + 0.5) * e
    xmin, ymin, xmax, ymax = polygon.bounds
    columns = np.flatnonzero((x >= xmin) & (x <= xmax))
    rows = np.flatnonzero((y >= ymin) & (y <= ymax))
    if len(rows) == 0 or len(columns) == 0:
        return
    part = np.ix_(rows, columns)
    inside = shapely.contains_xy(polygon, *np.meshgrid(x[columns], y[rows]))
    level = math.nan if one.clip_height is None else one.clip_height * scale
    heights[part] = np.where(inside, level, heights[part])


def _coarser(grid: Grid, question: Question) -> Grid:
    """Return means of blocks where larger cells are asked for."""
    if question.cell_size is None:
        return grid
    own = abs(grid.transform[0]) * question.layers.frame.scale[0]
    factor = round(question.cell_size / own)
    warnings = list(grid.warnings)
    if factor < 1 or abs(factor * own - question.cell_size) > 1e-6 * own:
        factor = max(1, factor)
        text = tr(
            "The cells are {size:g} m: a whole multiple of those of the surface.", size=factor * own
        )
        warnings.append(text)
    factor = min(factor, *grid.heights.shape)
    if factor == 1:
        return Grid(
            grid.heights, grid.transform, grid.full_shape, grid.full_transform, tuple(warnings)
        )
    mean, _ = thinned(grid.heights, (own, own), factor)
    heights: HeightArray = mean.astype(grid.heights.dtype)
    a, b, c, d, e, f = grid.transform
    transform = (a * factor, b, c, d, e * factor, f)
    return Grid(heights, transform, heights.shape, transform, tuple(warnings))


# -- previews --------------------------------------------------------------------------------

_lock = threading.Lock()
_last: tuple[tuple[Any, ...], Grid] | None = None


def _previewed(one: ObstacleLayer, scale: float) -> Grid:
    """Return the whole raster thinned, that of the last time if it is the same file."""
    global _last
    data = one.layer.data
    assert isinstance(data, RasterData)
    state = data.path.stat()
    key = (data.path, state.st_mtime_ns, state.st_size, data.transform, data.z_factor,
           data.target_crs, one.clip, one.clip_height)  # fmt: skip
    with _lock:
        if _last is not None and _last[0] == key:
            return _last[1]
    heights, transform = read_grid(data, PREVIEW_CELLS)
    _clip(heights, transform, one, scale)
    text = tr("A preview on cells of {size:.2f} m.", size=abs(transform[0]))
    grid = Grid(heights.astype(np.float32), transform, heights.shape, transform, (text,))
    with _lock:
        _last = (key, grid)
    return grid
