"""What stands there, kept ready for the next question, and the places where eyes and targets are.

While an observer is dragged the same obstacles are asked again and again; building their tree takes
seconds, asking milliseconds. So the last set is kept, as long as the layers behind it are the same
objects; an answer never depends on it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    EmbreeCaster,
    Feedback,
    Frame,
    ObstacleLayers,
    Obstacles,
    Point,
    RasterData,
    RefusedError,
    apparent_points,
    build_obstacles,
    first_along,
    heights_from_above,
    plan_boxes,
    tr,
    winding_numbers,
)

FloatArray = NDArray[np.float64]
Box = tuple[float, float, float, float]

#: An eye this far under a surface is on it, metres: files keep heights with that many digits.
ON_SURFACE = 0.001
#: An eye on the bilinear terrain may lie this far under the triangles between its cells, metres.
LIFT = 1.0
#: A body that encloses an eye this many times holds it; less is an open surface nearby.
INSIDE = 0.75


@dataclass(frozen=True)
class Stand:
    """A place in the frame of the obstacles.

    Attributes
    ----------
    place : (3,) float64
        Metres of the frame.
    surface : float
        Height of the surface below, metres of the frame; NaN where the point has its own height.
    """

    place: FloatArray
    surface: float
    warnings: tuple[str, ...] = ()


class Standing:
    """Obstacles with their ray caster and the boxes of what they are.

    Attributes
    ----------
    is_ground : (entities,) bool
        Which of the owners are the terrain.
    warnings : tuple of str
        What was thinned, what is empty, what has holes.
    """

    def __init__(self, layers: ObstacleLayers, obstacles: Obstacles, *, whole: bool) -> None:
        self.layers, self.obstacles = layers, obstacles
        self.caster: EmbreeCaster = obstacles.caster()
        rasters = [one.layer.id for one in layers.layers if isinstance(one.layer.data, RasterData)]
        self.is_ground = np.array([e.layer in rasters for e in obstacles.entities], dtype=np.bool_)
        self._low, self._high = _boxes(obstacles)
        holes = _holes(layers, obstacles) if whole else ()
        self.warnings = (*obstacles.warnings, *holes)
        #: For `cut_upright`; curvature lowers triangles but does not move them on the map.
        self.plan = plan_boxes(obstacles.vertices, obstacles.triangles)

    def stand(self, point: Point, height: float) -> Stand:
        """Return where an eye or a target is.

        Parameters
        ----------
        point : (x, y) or (x, y, z)
            Project CRS. Without z it is `height` metres above the highest surface there, that of
            the obstacles or else of the project's terrain.

        Raises
        ------
        RefusedError
            If there is no surface at the place.
        """
        frame = self.layers.frame
        if len(point) == 3:
            return Stand(frame.local(point), float("nan"))
        place = frame.local([*point[:2], frame.origin[2]])
        top = float(
            heights_from_above(self.caster, place[None, :2], float(self.caster.high[2]) + 1.0)[0]
        )
        if not np.isfinite(top):
            top = self._terrain(point)
        if not np.isfinite(top):
            raise RefusedError(
                tr("There is no ground at {x:.2f}, {y:.2f}.", x=point[0], y=point[1]),
                tr("Give the height of the point as a third number, or a place on the surface."),
            )
        place[2] = top + height
        return Stand(place, top)

    def eye(self, point: Point, height: float) -> Stand:
        """Return where an eye is; as `stand`, and say where it lies inside a body.

        Raises
        ------
        RefusedError
            If there is no surface at the place, or the eye is under the terrain.
        """
        at = self.stand(point, height)
        depth = self._terrain(point) - at.place[2] if len(point) == 3 else 0.0
        lift = self._lift(at.place)
        if depth > ON_SURFACE or lift > LIFT:
            raise RefusedError(
                tr(
                    "The point {x:.2f}, {y:.2f} lies {depth:.2f} m under the terrain.",
                    x=point[0],
                    y=point[1],
                    depth=max(lift, depth),
                ),
                tr("Give a greater height, or leave it out to stand on the surface."),
            )
        place = at.place + [0.0, 0.0, lift]
        warnings = self._inside(place, point)
        if lift > ON_SURFACE:
            text = tr(
                "The point was lifted by {lift:.3f} m onto the triangles between the cells of the "
                "terrain.",
                lift=lift,
            )
            warnings = (*warnings, text)
        return Stand(place, at.surface, warnings)

    def _terrain(self, point: Point) -> float:
        flat = np.array([point[:2]], dtype=np.float64)
        return float(self.layers.frame.local_height(self.layers.ground_heights(flat))[0])

    def _lift(self, place: FloatArray) -> float:
        """Return how far a place lies under the triangles of a terrain; 0 above them."""
        distance, triangle = first_along(self.caster, place, np.array([0.0, 0.0, 1.0]))
        if triangle[0] < 0 or not self.is_ground[self.obstacles.owner[triangle[0]]]:
            return 0.0
        return float(distance[0])

    def _inside(self, place: FloatArray, point: Point) -> tuple[str, ...]:
        """Say which closed bodies hold a place: an eye there sees their walls from within."""
        holds = (self._low <= place).all(axis=1) & (self._high >= place).all(axis=1)
        holds &= ~self.is_ground
        if not holds.any():
            return ()
        mine = np.flatnonzero(holds[self.obstacles.owner])
        corners = self.obstacles.vertices[self.obstacles.triangles[mine]] - place
        turns = winding_numbers(corners, self.obstacles.owner[mine], len(holds))
        return tuple(
            tr(
                "The point {x:.2f}, {y:.2f} lies inside “{name}”.",
                x=point[0],
                y=point[1],
                name=self.obstacles.names[n],
            )
            for n in np.flatnonzero(np.abs(turns) > INSIDE)
        )

    def seen_from(self, eye: FloatArray, radius: float, refraction: float) -> EmbreeCaster:
        """Return the caster of the obstacles as they appear from an eye on the round earth."""
        if not np.isfinite(radius):
            return self.caster
        vertices = apparent_points(self.obstacles.vertices, eye, radius, refraction)
        return EmbreeCaster(vertices, self.obstacles.triangles)


def _boxes(obstacles: Obstacles) -> tuple[FloatArray, FloatArray]:
    """Return the boxes ``(entities, 3)`` of the owners; every owner has a triangle."""
    if len(obstacles.owner) == 0:
        return np.empty((0, 3)), np.empty((0, 3))
    order = np.argsort(obstacles.owner, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(obstacles.owner[order]) > 0])
    corners = obstacles.vertices[obstacles.triangles[order]]
    low = np.minimum.reduceat(corners.min(axis=1), starts)
    high = np.maximum.reduceat(corners.max(axis=1), starts)
    return low, high


def _holes(layers: ObstacleLayers, obstacles: Obstacles) -> tuple[str, ...]:
    """Say which terrain has cells without height: fewer triangles than its cells make."""
    texts = []
    for one in layers.layers:
        data = one.layer.data
        full = obstacles.lods.get(one.layer.id) == "full"
        if not isinstance(data, RasterData) or not full or not is_plain(data):
            continue
        mine = [n for n, entity in enumerate(obstacles.entities) if entity.layer == one.layer.id]
        count = int(np.isin(obstacles.owner, mine).sum())
        if 0 < count < 2 * (data.width - 1) * (data.height - 1):
            texts.append(
                tr("“{name}” has holes: nothing stands in the way there.", name=one.layer.name)
            )
    return tuple(texts)


def is_plain(data: RasterData) -> bool:
    """Tell whether a raster lies north up in the project CRS."""
    _, b, _, d, e, _ = data.transform
    same = data.crs is None or data.target_crs is None or data.crs == data.target_crs
    return same and not b and not d and e < 0


# -- kept for the next question --------------------------------------------------------------

_lock = threading.Lock()
_last: tuple[tuple[Any, ...], Standing] | None = None


def standing(
    layers: ObstacleLayers, feedback: Feedback, around: Box | None, max_cells: int | None = None
) -> Standing:
    """Return the obstacles of a snapshot with their caster, those of the last time if the same.

    Parameters
    ----------
    around, max_cells
        As of `build_obstacles`.
    """
    global _last
    key = _key(layers, around, max_cells)
    with _lock:
        if _last is not None and _same(_last[0], key):
            return _last[1]
    budget = {} if max_cells is None else {"max_cells": max_cells}
    built = Standing(
        layers, build_obstacles(layers, feedback, around, **budget), whole=around is None
    )
    with _lock:
        _last = (key, built)
    return built


def _key(layers: ObstacleLayers, around: Box | None, max_cells: int | None) -> tuple[Any, ...]:
    """Return what decides the obstacles: the very data objects, and how they stand."""
    parts: list[Any] = [layers.frame.origin, layers.frame.scale, around, max_cells]
    for one in (*layers.layers, *([] if layers.ground is None else [layers.ground])):
        data = one.layer.data
        parts += [data, one.layer.id, one.hidden, one.clip, one.clip_height, one.style]
        if isinstance(data, RasterData):
            state = data.path.stat() if data.path.exists() else None
            parts.append(None if state is None else (state.st_mtime_ns, state.st_size))
    return tuple(parts)


def _same(one: Sequence[Any], two: Sequence[Any]) -> bool:
    """Tell whether two keys are the same; data are compared by identity."""
    plain = (tuple, frozenset, str, float, int, type(None))
    return len(one) == len(two) and all(
        a is b or (isinstance(a, plain) and a == b) or (hasattr(a, "model_dump") and a == b)
        for a, b in zip(one, two, strict=True)
    )


def anchored(layers: ObstacleLayers) -> ObstacleLayers:
    """Return a snapshot in a frame that depends on its layers alone.

    Rounding to float32 depends on where zero is; a scene's origin differs between window, command
    line and replay, and the answer shall not.
    """
    bounds = [one.layer.bounds for one in layers.layers]
    low = np.array([(b.xmin, b.ymin) for b in bounds if b is not None]).reshape(-1, 2)
    if len(low) == 0:
        return layers
    x, y = (np.floor(low.min(axis=0) / 1000.0) * 1000.0).tolist()
    return replace(layers, frame=Frame.of(layers.frame.georeference, (x, y, 0.0)))


def box_of(layers: ObstacleLayers, points: Sequence[Point], reach: float | None) -> Box | None:
    """Return the box of terrain that lines between points, or a reach around them, need.

    None for all of it where terrain is small, so that the obstacles can be kept while points move.

    Parameters
    ----------
    reach : float, optional
        Metres around every point; None for the points' own box.
    """
    cells = sum(
        one.layer.data.width * one.layer.data.height
        for one in layers.layers
        if isinstance(one.layer.data, RasterData)
    )
    if cells <= KEPT_CELLS:
        return None
    flat = np.array([point[:2] for point in points])
    margin = ((reach or 0.0) + MARGIN) / layers.frame.scale[0]
    low, high = flat.min(axis=0) - margin, flat.max(axis=0) + margin
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


#: Terrain of so many cells is taken whole.
KEPT_CELLS = 2_000_000
#: Terrain is taken this much farther than the lines go, metres: a few cells of the coarsest.
MARGIN = 200.0
