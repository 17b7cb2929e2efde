"""What a view is kept open to: points, an outline or entities, and how a place sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from plumbline.api import Entities, Obstacles, Point, RefusedError, tr

FloatArray = NDArray[np.float64]


def _read_landmark(value: object) -> object:
    """Accept points as `Points` does, and entities as `EntityRefs` does."""
    if isinstance(value, Mapping) and "coordinates" in value:
        coordinates = value["coordinates"]
        if value.get("type") == "Polygon" and isinstance(coordinates, list | tuple):
            return tuple(coordinates[0][:-1]) if coordinates else ()
        return (coordinates,) if value.get("type") == "Point" else coordinates
    if isinstance(value, Mapping):
        return (value,)
    if isinstance(value, str) and not any(c.isdigit() and "," in value for c in value):
        return ({"layer": value},)
    if isinstance(value, str):
        parts = value.replace("；", ";").replace("\n", ";").split(";")
        return tuple(p.replace(",", " ").split() for p in parts if p.strip())
    if isinstance(value, list | tuple) and value and isinstance(value[0], int | float):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple({"layer": v} if isinstance(v, str) else v for v in value)
    return value


#: One point, the two ends of a line, the corners of an outline, or entities of layers.
Landmark: TypeAlias = Annotated[
    tuple[Entities, ...] | tuple[Point, ...],
    BeforeValidator(_read_landmark),
    Field(min_length=1, json_schema_extra={"widget": "points"}),
]


@dataclass(frozen=True)
class Outline:
    """A landmark on the map with its highest and its lowest protected heights.

    Attributes
    ----------
    points : (N, 2) float64
        One point, two ends, or a convex outline counterclockwise; metres of the frame.
    top, sill : (N,) float64
        Heights of the frame.
    """

    points: FloatArray
    top: FloatArray
    sill: FloatArray

    @property
    def middle(self) -> FloatArray:
        """Mean of the points ``(2,)``."""
        middle: FloatArray = self.points.mean(axis=0)
        return middle


def outline_of(
    landmark: tuple[Entities, ...] | tuple[Point, ...],
    protected: float | None,
    obstacles: Obstacles,
) -> Outline:
    """Return the outline of what is protected.

    Parameters
    ----------
    protected : float, optional
        How much of the landmark, from its top down, is to stay in view, metres. By default the
        upper half of entities, and points as they are.

    Raises
    ------
    RefusedError
        If points have no heights or entities no triangles.
    """
    if isinstance(landmark[0], Entities):
        refs = tuple(one for one in landmark if isinstance(one, Entities))
        return _of_entities(refs, protected, obstacles)
    given = [point for point in landmark if not isinstance(point, Entities)]
    if any(len(point) == 2 for point in given):
        raise RefusedError(
            tr("The landmark has no heights."),
            tr("Give its points as x, y, z, z being the highest that is to stay in view."),
        )
    points = obstacles.frame.local(np.array(given, dtype=np.float64))
    if len(points) > 2:
        points = points[_hull(points[:, :2])]
    return Outline(points[:, :2], points[:, 2], points[:, 2] - (protected or 0.0))


def owners_of(refs: tuple[Entities, ...], obstacles: Obstacles) -> NDArray[np.bool_]:
    """Tell which owners of triangles are named."""
    wanted = [(ref.layer, frozenset(ref.entities)) for ref in refs]
    return np.array(
        [
            any(e.layer == layer and (not ids or e.entity in ids) for layer, ids in wanted)
            for e in obstacles.entities
        ],
        dtype=bool,
    )


def _of_entities(
    refs: tuple[Entities, ...], protected: float | None, obstacles: Obstacles
) -> Outline:
    chosen = owners_of(refs, obstacles)[obstacles.owner]
    corners = obstacles.vertices[obstacles.triangles[chosen]]
    if len(corners) == 0:
        raise RefusedError(
            tr("The landmark has no shape among the obstacles."),
            tr("Add its layer to the obstacles, and check the ids of its entities."),
        )
    low, high = float(corners[..., 2].min()), float(corners[..., 2].max())
    sill = high - (protected if protected is not None else (high - low) / 2)
    above = _above(corners, max(sill, low))
    points = above[_hull(above)]
    return Outline(points, np.full(len(points), high), np.full(len(points), max(sill, low)))


def _above(corners: FloatArray, level: float) -> FloatArray:
    """Return on the map the corners above a level and where edges cross it."""
    points = [corners[corners[..., 2] >= level][:, :2]]
    for n in range(3):
        a, b = corners[:, n], corners[:, (n + 1) % 3]
        crosses = (a[:, 2] - level) * (b[:, 2] - level) < 0
        a, b = a[crosses], b[crosses]
        share = (level - a[:, 2]) / (b[:, 2] - a[:, 2])
        points.append(a[:, :2] + share[:, None] * (b - a)[:, :2])
    return np.concatenate(points)


def _hull(points: FloatArray) -> NDArray[np.intp]:
    """Return the corners of the convex hull, counterclockwise; the two ends of a line of points."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    half: list[list[int]] = []
    for way in (order, order[::-1]):
        chain: list[int] = []
        for n in way.tolist():
            while len(chain) > 1 and _turn(points[chain[-2]], points[chain[-1]], points[n]) <= 0:
                chain.pop()
            chain.append(n)
        half.append(chain[:-1])
    return np.array(half[0] + half[1] if len(order) > 1 else [0], dtype=np.intp)


def _turn(a: FloatArray, b: FloatArray, c: FloatArray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


@dataclass(frozen=True)
class Sector:
    """A landmark as one place sees it: a chain of points from side to side.

    Attributes
    ----------
    eye : (3,) float64
    points : (N, 2) float64
        At least two.
    top, sill : (N,) float64
    """

    eye: FloatArray
    points: FloatArray
    top: FloatArray
    sill: FloatArray

    def fan(self, heights: FloatArray) -> FloatArray:
        """Return the triangles ``(N - 1, 3, 3)`` from the eye to the chain at heights."""
        chain = np.column_stack([self.points, heights])
        eye = np.broadcast_to(self.eye, (len(chain) - 1, 3))
        return np.stack([eye, chain[:-1], chain[1:]], axis=1)

    def body(self) -> FloatArray:
        """Return the closed surface of what has to stay free, facing outwards, ``(K, 3, 3)``."""
        low, high = self.fan(self.sill), self.fan(self.top)
        a, b, c, d = low[:, 1], low[:, 2], high[:, 2], high[:, 1]
        sides = [
            np.stack([self.eye, high[0, 1], low[0, 1]])[None],
            np.stack([self.eye, low[-1, 2], high[-1, 2]])[None],
        ]
        ends = [np.stack([a, c, b], axis=1), np.stack([a, d, c], axis=1)]
        body = np.concatenate([low, high[:, [0, 2, 1]], *ends, *sides])
        # A chain may run either way; seen from outside, triangles turn counterclockwise.
        outwards = np.linalg.det(body - self.eye).sum() >= 0
        return body if outwards else body[:, [0, 2, 1]]

    def volume(self) -> float:
        """Return the volume of the body, m³."""
        local = self.body() - self.eye
        return abs(float(np.linalg.det(local).sum())) / 6.0


def sector_from(eye: FloatArray, outline: Outline, width: float) -> Sector:
    """Return how a place sees a landmark; one point is taken `width` metres wide.

    Raises
    ------
    RefusedError
        If the place is on the landmark.
    """
    points, top, sill = outline.points, outline.top, outline.sill
    away = points - eye[:2]
    if len(points) == 1:
        distance = float(np.hypot(*away[0]))
        if distance < width / 2:
            raise _too_near()
        across = np.array([-away[0, 1], away[0, 0]]) / distance * width / 2
        both = np.array([points[0] - across, points[0] + across])
        return Sector(eye, both, np.repeat(top, 2), np.repeat(sill, 2))
    # Sides that face the eye: it lies on their right.
    after = np.roll(points, -1, axis=0)
    side = after - points
    facing = side[:, 0] * (eye[1] - points[:, 1]) - side[:, 1] * (eye[0] - points[:, 0]) < 0
    if not facing.any():
        raise _too_near()
    # They follow each other: begin where the one before does not face.
    start = int(np.flatnonzero(facing & ~np.roll(facing, 1))[0])
    order = (start + np.arange(int(facing.sum()) + 1)) % len(points)
    return Sector(eye, points[order], top[order], sill[order])


def _too_near() -> RefusedError:
    return RefusedError(
        tr("A viewpoint lies on the landmark."), tr("Choose viewpoints away from it.")
    )
