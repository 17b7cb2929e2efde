"""Viewsheds of meshes, building models and terrain together, by rays; cells and faces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    Feedback,
    GridView,
    Layer,
    LayerKind,
    LayerStyle,
    MeshData,
    RasterData,
    RefusedError,
    apparent_points,
    blocked,
    first_along,
    needed_heights,
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
from plumbline_sightline.analysis.viewshed_standing import (
    Stand,
    Standing,
    box_of,
    is_plain,
    standing,
)

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Cells that rays are sent to; more are made larger, and that is said.
MAX_CELLS = 25_000_000
#: Cells and terrain triangles of a preview.
PREVIEW_CELLS, PREVIEW_TERRAIN = 20_000, 250_000
#: Cell size where no raster says it, metres.
CELL = 1.0
#: Pieces that faces are cut into.
MAX_PIECES = 4_000_000
#: Rays of one round; bounds memory.
BATCH = 500_000
#: Targets on a surface are held off it by so many times the resolution of the ray caster.
OFF = 2.0


def scene_viewshed(question: Question, feedback: Feedback) -> Answer:
    """Return what observers see of several layers together.

    Raises
    ------
    RefusedError
        If an observer has no ground or is under it.
    """
    layers = question.layers
    box = box_of(layers, _corners(question), question.reach)
    budget = PREVIEW_TERRAIN if question.preview else None
    here = standing(layers, feedback.part(0.0, 0.3), box, budget)
    if len(here.obstacles.triangles) == 0:
        raise RefusedError(
            tr("Nothing stands in these layers."), tr("Choose layers with surfaces.")
        )
    eyes = [here.eye(point, question.observer_height) for point in question.observers]
    shape, transform, warnings = _grid(question, here)
    answer = empty_answer(shape, transform, layers.frame.scale, needed=False)
    answer.warnings += [*here.warnings, *warnings]
    for eye in eyes:
        answer.warnings += eye.warnings
    top = _tops(here, shape, transform, feedback.part(0.3, 0.5))
    held = in_extent(transform, shape, question.extent)
    # What is outside still stands in the way, but is not looked at.
    looked_at = top if held is None else np.where(held, top, np.nan)
    _look(question, here, eyes, answer, looked_at, feedback.part(0.5, 0.8))
    if not question.preview:
        answer.needed = _needed(question, here, eyes, answer, top, feedback.part(0.8, 0.9))
        if question.facades:
            _paint(question, here, eyes, answer, feedback.part(0.9, 1.0))
    if not answer.looked_at.any():
        answer.warnings.append(
            tr("No cell lies in the extent and the directions that are looked into.")
        )
    cell = [abs(transform[0]) * layers.frame.scale[0], abs(transform[4]) * layers.frame.scale[1]]
    answer.provenance = {"method": "rays", "cell": cell, "lods": here.obstacles.lods}
    return answer


def _corners(question: Question) -> list[Any]:
    points: list[Any] = list(question.observers)
    if question.extent is not None:
        xmin, ymin, xmax, ymax = question.extent
        points += [(xmin, ymin), (xmax, ymax)]
    elif question.reach is None:
        for one in question.layers.layers:
            bounds = one.layer.bounds
            if bounds is not None:
                points += [(bounds.xmin, bounds.ymin), (bounds.xmax, bounds.ymax)]
    return points


# -- cells -----------------------------------------------------------------------------------


def _grid(question: Question, here: Standing) -> tuple[tuple[int, int], Affine6, list[str]]:
    """Return the grid: that of the first raster, or one over all that stands there."""
    warnings: list[str] = []
    frame = question.layers.frame
    plain = [
        one.layer.data
        for one in question.layers.layers
        if isinstance(one.layer.data, RasterData) and is_plain(one.layer.data)
    ]
    limit = PREVIEW_CELLS if question.preview else MAX_CELLS
    if plain and question.cell_size is None and plain[0].width * plain[0].height <= limit:
        return (plain[0].height, plain[0].width), plain[0].transform, warnings
    low, high = frame.project(here.caster.low)[:2], frame.project(here.caster.high)[:2]
    if question.extent is not None:
        low, high = np.maximum(low, question.extent[:2]), np.minimum(high, question.extent[2:])
    if question.reach is not None:
        flat = np.array([point[:2] for point in question.observers])
        reach = question.reach / frame.scale[0]
        low = np.maximum(low, flat.min(axis=0) - reach)
        high = np.minimum(high, flat.max(axis=0) + reach)
    span = np.maximum(high - low, 0.0)
    own = abs(plain[0].transform[0]) * frame.scale[0] if plain else CELL
    cell = (question.cell_size or own) / frame.scale[0]
    least = math.sqrt(float(span[0] * span[1]) / limit)
    if cell < least:
        cell = least
        text = tr("The cells are {size:.2f} m, so that there are not too many.",
                  size=cell * frame.scale[0])  # fmt: skip
        warnings.append(text)
    # Whole cells from a corner that others know too, so that answers can be laid on each other.
    corner = _corner(question, plain[0] if plain else None)
    west, south = np.floor((low - corner) / cell + 1e-6)
    east, north = np.ceil((high - corner) / cell - 1e-6)
    columns, rows = max(1, int(east - west)), max(1, int(north - south))
    x, y = float(corner[0] + west * cell), float(corner[1] + (south + rows) * cell)
    return (rows, columns), (cell, 0.0, x, 0.0, -cell, y), warnings


def _corner(question: Question, raster: RasterData | None) -> FloatArray:
    """Return a place where cells meet: of the extent, of the raster, or of the whole CRS."""
    if question.extent is not None:
        return np.array([question.extent[0], question.extent[3]])
    if raster is not None:
        return np.array([raster.transform[2], raster.transform[5]])
    return np.zeros(2)


def _tops(
    here: Standing, shape: tuple[int, int], transform: Affine6, feedback: Feedback
) -> NDArray[np.float32]:
    """Return the highest surface at the centre of every cell, metres of the frame."""
    top = np.full(shape, np.nan, dtype=np.float32)
    ceiling = float(here.caster.high[2]) + 1.0
    step = max(1, BATCH // shape[1])
    for start in range(0, shape[0], step):
        feedback.step(start, shape[0], tr("Finding the surface"))
        rows = slice(start, min(start + step, shape[0]))
        origins = _centres(here, rows, shape[1], transform)
        origins[:, 2] = ceiling
        distance, _ = first_along(here.caster, origins, np.array([0.0, 0.0, -1.0]), feedback)
        heights = np.where(np.isfinite(distance), ceiling - distance, np.nan)
        top[rows] = heights.reshape(-1, shape[1])
    return top


def _centres(here: Standing, rows: slice, columns: int, transform: Affine6) -> FloatArray:
    """Return the centres of the cells of some rows ``(N, 3)`` in the frame, at height 0."""
    a, _, c, _, e, f = transform
    x = c + (np.arange(columns) + 0.5) * a
    y = f + (np.arange(rows.start, rows.stop) + 0.5) * e
    frame = here.layers.frame
    grid = np.stack([*np.meshgrid(x, y), np.full((len(y), columns), frame.origin[2])], axis=-1)
    return frame.local(grid.reshape(-1, 3))


def _look(
    question: Question,
    here: Standing,
    eyes: list[Stand],
    answer: Answer,
    top: NDArray[np.float32],
    feedback: Feedback,
) -> None:
    """Send a ray from every eye to every cell that it may look at."""
    rows, columns = top.shape
    step = max(1, BATCH // columns)
    for n, eye in enumerate(eyes):
        caster = here.seen_from(eye.place, question.radius, question.refraction)
        off = OFF * caster.resolution
        visible = looked = 0
        for start in range(0, rows, step):
            feedback.step(n * rows + start, rows * len(eyes), tr("Looking around"))
            part = slice(start, min(start + step, rows))
            targets = _centres(here, part, columns, answer.transform)
            targets[:, 2] = top[part].ravel() + question.target_height
            held = np.flatnonzero(np.isfinite(targets[:, 2]))
            held = held[_within(question, eye.place, targets[held])]
            ends = targets[held]
            if math.isfinite(question.radius):
                ends = apparent_points(ends, eye.place, question.radius, question.refraction)
            ends = ends + [0.0, 0.0, off]
            seen = np.zeros(len(targets), dtype=np.bool_)
            seen[held] = ~blocked(caster, eye.place, ends, feedback)
            looked_at = np.zeros(len(targets), dtype=np.bool_)
            looked_at[held] = True
            answer.take(seen.reshape(-1, columns), looked_at.reshape(-1, columns), part)
            visible += int(np.count_nonzero(seen))
            looked += len(held)
        at = here.layers.frame.project(eye.place).tolist()
        ground = eye.surface / here.layers.frame.scale[2] + here.layers.frame.origin[2]
        answer.seers.append(Seer((at[0], at[1], at[2]), ground, visible, looked))


def _within(question: Question, eye: FloatArray, targets: FloatArray) -> Mask:
    """Tell which targets lie in the directions and the distance."""
    east, north, up = (targets - eye).T
    away = np.hypot(east, north)
    up = up - question.bend * np.square(away)
    held: Mask = away <= question.max_distance
    return held & question.directions.hold(east, north, up)


def _needed(
    question: Question,
    here: Standing,
    eyes: list[Stand],
    answer: Answer,
    top: NDArray[np.float32],
    feedback: Feedback,
) -> NDArray[np.float32] | None:
    """Return the height needed over the highest surface, by the raster method on that surface.

    Where rays and raster differ, at edges, the rays have the last word on seen or not.
    """
    a, _, c, _, e, f = answer.transform
    scale = here.layers.frame.scale
    needed = np.full(top.shape, np.nan, dtype=np.float32)
    target = np.float32(question.target_height)
    for eye in eyes:
        x, y = here.layers.frame.project(eye.place)[:2]
        row, column = math.floor((y - f) / e), math.floor((x - c) / a)
        inside = 0 <= row < top.shape[0] and 0 <= column < top.shape[1]
        if not inside or not top[row, column] <= eye.place[2]:
            # Beside the grid, or with something overhead: the highest surface says nothing.
            return None
        view = GridView(
            row, column, float(eye.place[2]), (abs(a) * scale[0], abs(e) * scale[1]),
            question.target_height, question.max_distance, question.bend,
        )  # fmt: skip
        needed = np.fmin(needed, needed_heights(top, view, feedback))
    seen = answer.count > 0
    above = np.nextafter(target, np.float32(np.inf))
    needed = np.where(seen, np.minimum(needed, target), np.maximum(needed, above))
    needed[~answer.looked_at] = np.nan
    return needed


# -- faces -----------------------------------------------------------------------------------


def _paint(
    question: Question, here: Standing, eyes: list[Stand], answer: Answer, feedback: Feedback
) -> None:
    """Paint the faces of everything but terrain, cut into pieces of about a cell."""
    obstacles = here.obstacles
    chosen = np.flatnonzero(~here.is_ground[obstacles.owner])
    if len(chosen) == 0:
        return
    corners = obstacles.vertices[obstacles.triangles[chosen]]
    edge = 2.0 * math.sqrt(answer.cell_area)
    pieces, whole = _pieces(corners, edge)
    if len(pieces) > MAX_PIECES:
        pieces, whole = corners, np.arange(len(corners))
        answer.warnings.append(tr("There are many faces: large ones are painted whole."))
    normal = np.cross(pieces[:, 1] - pieces[:, 0], pieces[:, 2] - pieces[:, 0])
    double = np.linalg.norm(normal, axis=1)
    kept = double > 0
    pieces, whole, normal, double = pieces[kept], whole[kept], normal[kept], double[kept]
    normal /= double[:, None]
    middles = pieces.mean(axis=1)
    count, looked_at = np.zeros(len(pieces)), np.zeros(len(pieces), dtype=np.bool_)
    for n, eye in enumerate(eyes):
        feedback.step(n, len(eyes), tr("Painting faces"))
        held = _within(question, eye.place, middles) & _in_box(question, here, middles)
        facing = np.einsum("ij,ij->i", normal, eye.place - middles)
        ends = middles + normal * np.sign(facing)[:, None] * OFF * here.caster.resolution
        if math.isfinite(question.radius):
            ends = apparent_points(ends, eye.place, question.radius, question.refraction)
        caster = here.seen_from(eye.place, question.radius, question.refraction)
        mine = np.flatnonzero(held & (facing != 0))
        count[mine] += ~blocked(caster, eye.place, ends[mine], feedback)
        looked_at |= held
    area = double / 2
    answer.facade_area = (float(area[count > 0].sum()), float(area[looked_at].sum()))
    owner = obstacles.owner[chosen[whole]]
    layer_of = np.array([entity.layer for entity in obstacles.entities])
    for layer in dict.fromkeys(layer_of[np.unique(owner)].tolist()):
        own = np.flatnonzero(layer_of[owner] == layer)
        scalars = {"visible": np.where(looked_at[own], count[own] > 0, np.nan)}
        if len(eyes) > 1:
            scalars["observers"] = np.where(looked_at[own], count[own], np.nan)
        answer.faces[layer] = _faces(question, here, pieces[own], scalars, layer)


def _pieces(corners: FloatArray, edge: float) -> tuple[FloatArray, NDArray[np.intp]]:
    """Cut triangles at the middle of their longest edge until none is longer than `edge`.

    Returns pieces ``(K, 3, 3)`` and the triangle of each, in the order of the triangles.
    """
    done: list[tuple[FloatArray, NDArray[np.intp]]] = []
    left, whole = corners, np.arange(len(corners))
    total = 0
    while len(left):
        lengths = np.linalg.norm(left - np.roll(left, -1, axis=1), axis=2)
        longest = lengths.argmax(axis=1)
        fine = lengths.max(axis=1) <= edge
        done.append((left[fine], whole[fine]))
        total += int(fine.sum())
        left, whole, longest = left[~fine], whole[~fine], longest[~fine]
        if total + 2 * len(left) > MAX_PIECES:
            return np.empty((MAX_PIECES + 1, 3, 3)), np.empty(MAX_PIECES + 1, dtype=np.intp)
        rows = np.arange(len(left))
        a, b = left[rows, longest], left[rows, (longest + 1) % 3]
        c, middle = left[rows, (longest + 2) % 3], (a + b) / 2
        left = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
        whole = np.concatenate([whole, whole])
    pieces = np.concatenate([part for part, _ in done])
    triangle = np.concatenate([part for _, part in done])
    order = np.argsort(triangle, kind="stable")
    return pieces[order], triangle[order]


def _in_box(question: Question, here: Standing, places: FloatArray) -> Mask:
    if question.extent is None:
        return np.ones(len(places), dtype=np.bool_)
    x, y = here.layers.frame.project(places)[:, :2].T
    xmin, ymin, xmax, ymax = question.extent
    inside: Mask = (x >= xmin) & (x <= xmax) & (y >= ymin) & (y <= ymax)
    return inside


def _faces(
    question: Question,
    here: Standing,
    pieces: FloatArray,
    scalars: dict[str, Any],
    layer: str,
) -> Layer:
    vertices = here.layers.frame.project(pieces.reshape(-1, 3))
    triangles = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
    data = MeshData(vertices, triangles, scalars=scalars)
    style = LayerStyle(color_by="scalar", attribute="visible", value_range=(0.0, 1.0))
    return Layer(
        f"faces_{layer}",
        tr("Visible faces"),
        LayerKind.MESH,
        data,
        question.georeference.crs,
        style=style,
    )
