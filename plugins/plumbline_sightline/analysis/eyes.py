"""Where an eye is, in metres among the obstacles, and what is wrong with the place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    Georeference,
    ObstacleLayers,
    Obstacles,
    Point,
    RefusedError,
    heights_from_above,
    tr,
    winding_numbers,
)

FloatArray = NDArray[np.float64]

#: An eye this far under the terrain is on it, metres: heights are kept with that many digits.
ON_GROUND = 0.001
#: A body that encloses the eye this many times holds it; less is an open surface nearby.
_INSIDE = 0.75
_BATCH = 500_000
#: No project reaches farther from its origin, metres.
FARTHEST = 1e8
#: Terrain is taken this much farther than asked, metres: a few cells of the coarsest models.
MARGIN = 100.0


@dataclass(frozen=True)
class Eye:
    """A place in the frame of the obstacles, and what a reader must know of it.

    Attributes
    ----------
    place : (3,) float64
        Metres of the frame.
    point : (x, y, z)
        Project CRS.
    """

    place: FloatArray
    point: tuple[float, float, float]
    warnings: tuple[str, ...] = ()


def ground_of(layers: ObstacleLayers) -> str | None:
    """Return the terrain among the obstacles; one that nobody named decides nothing."""
    ground = None if layers.ground is None else layers.ground.layer.id
    return ground if any(one.layer.id == ground for one in layers.layers) else None


class Places:
    """Looks up where eyes are, many of them quickly.

    Parameters
    ----------
    layers : ObstacleLayers
        Snapshot, for the terrain.
    obstacles : Obstacles
        What stands around; closed bodies refuse an eye inside.
    """

    def __init__(self, layers: ObstacleLayers, obstacles: Obstacles) -> None:
        self._layers, self._obstacles = layers, obstacles
        self._ground = ground_of(layers)
        of_ground = [e.layer == self._ground for e in obstacles.entities]
        self._is_ground = np.array(of_ground, dtype=bool)
        self._low = np.full((len(obstacles.entities), 3), np.inf)
        self._high = -self._low
        for corner in obstacles.triangles.T:
            np.minimum.at(self._low, obstacles.owner, obstacles.vertices[corner])
            np.maximum.at(self._high, obstacles.owner, obstacles.vertices[corner])
        self._ground_corners = obstacles.vertices[obstacles.triangles[self._is_ground_triangle()]]
        flat = self._ground_corners[..., :2]
        a, b, c = flat[:, 0], flat[:, 1], flat[:, 2]
        self._ground_low = np.minimum(np.minimum(a, b), c).T.copy()
        self._ground_high = np.maximum(np.maximum(a, b), c).T.copy()
        self._ceiling = float(self._high[:, 2].max(initial=0.0)) + 1.0

    def _is_ground_triangle(self) -> NDArray[np.bool_]:
        if not self._is_ground.any():
            return np.zeros(len(self._obstacles.triangles), dtype=bool)
        chosen: NDArray[np.bool_] = self._is_ground[self._obstacles.owner]
        return chosen

    def eye(self, point: Point, height: float) -> Eye:
        """Return where an eye is.

        Parameters
        ----------
        point : (x, y) or (x, y, z)
            Project CRS. Without z the eye is `height` metres above the terrain among the
            obstacles, or above what a plumb line from above meets first where there is none.

        Raises
        ------
        RefusedError
            If there is no height at the place, or the eye is under ground or inside something.
        """
        frame = self._layers.frame
        place = frame.local([*point[:2], point[2] if len(point) == 3 else frame.origin[2]])
        if not (np.abs(place) < FARTHEST).all():
            raise RefusedError(
                tr("The point {x:.6g}, {y:.6g} is out of range.", x=point[0], y=point[1]),
                tr("Check its coordinates against the project CRS."),
            )
        flat = np.array([point[:2]], dtype=np.float64)
        ground = np.nan
        if self._ground is not None:
            ground = float(frame.local_height(self._layers.ground_heights(flat))[0])
        if len(point) == 2:
            below = ground if self._ground is not None else self._from_above(place)
            if not np.isfinite(below):
                raise RefusedError(
                    tr("There is no ground at {x:.2f}, {y:.2f}.", x=point[0], y=point[1]),
                    tr(
                        "Give the height of the point as a third number, or add the terrain to the "
                        "obstacles."
                    ),
                )
            place[2] = below + height
        if place[2] < ground - ON_GROUND:
            raise RefusedError(
                tr(
                    "The point {x:.2f}, {y:.2f} lies {depth:.2f} m under the terrain.",
                    x=point[0],
                    y=point[1],
                    depth=ground - place[2],
                ),
                tr("Give a greater height, or leave it out to stand on the terrain."),
            )
        place, warnings = self._on_triangles(place)
        self._refuse_inside(place, point)
        at = frame.project(place)
        return Eye(place, (float(at[0]), float(at[1]), float(at[2])), warnings)

    def _from_above(self, place: FloatArray) -> float:
        caster = self._obstacles.caster()
        return float(heights_from_above(caster, place[None, :2], self._ceiling)[0])

    def _triangles_of(self, owners: NDArray[np.bool_]) -> tuple[FloatArray, NDArray[np.int32]]:
        chosen = np.flatnonzero(owners[self._obstacles.owner])
        triangles = self._obstacles.triangles[chosen]
        return self._obstacles.vertices[triangles], self._obstacles.owner[chosen]

    def _on_triangles(self, place: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
        """Lift an eye on the bilinear terrain that is under the triangles that stand for it."""
        x, y = float(place[0]), float(place[1])
        near = (self._ground_low[0] <= x) & (self._ground_high[0] >= x)
        near &= (self._ground_low[1] <= y) & (self._ground_high[1] >= y)
        corners = self._ground_corners[near]
        height = max((_height_in(one, x, y) for one in corners), default=-np.inf)
        if place[2] >= height:
            return place, ()
        lifted = np.array([x, y, height])
        if height - place[2] < ON_GROUND:
            return lifted, ()
        text = tr(
            "The point was lifted by {lift:.3f} m onto the triangles between the cells of the "
            "terrain.",
            lift=height - place[2],
        )
        return lifted, (text,)

    def _refuse_inside(self, place: FloatArray, point: Point) -> None:
        """Refuse an eye inside a closed body: it would see nothing, or through its walls."""
        within = (self._low <= place) & (self._high >= place)
        holds: NDArray[np.bool_] = np.logical_and.reduce(within, axis=1)
        corners, owner = self._triangles_of(holds & ~self._is_ground)
        total = np.zeros(len(holds))
        for start in range(0, len(corners), _BATCH):
            part = slice(start, start + _BATCH)
            total += winding_numbers(corners[part] - place, owner[part], len(total))
        inside = np.flatnonzero(np.abs(total) > _INSIDE)
        if len(inside):
            raise RefusedError(
                tr(
                    "The point {x:.2f}, {y:.2f} lies inside “{name}”.",
                    x=point[0],
                    y=point[1],
                    name=self._obstacles.names[inside[0]],
                ),
                tr("Choose a place outside, or leave that layer out of the obstacles."),
            )


def eye_at(point: Point, height: float, layers: ObstacleLayers, obstacles: Obstacles) -> Eye:
    """Return where one eye is; see `Places.eye`."""
    return Places(layers, obstacles).eye(point, height)


def _height_in(triangle: FloatArray, x: float, y: float) -> float:
    """Return the height of a triangle over a place, -inf beside it."""
    a, b, c = triangle
    det = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    if det == 0:
        return -np.inf
    u = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / det
    v = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / det
    if min(u, v, 1 - u - v) < -1e-9:
        return -np.inf
    return float(a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2]))


def box_around(
    layers: ObstacleLayers, points: list[Point], radius: float | None
) -> tuple[float, float, float, float] | None:
    """Return the box of the terrain that is needed, project CRS; None for all of it."""
    if radius is None:
        return None
    flat = np.array([point[:2] for point in points])
    # Cells beyond the box give the heights between their centres and those within.
    reach = (radius + MARGIN) / layers.frame.scale[0]
    low, high = flat.min(axis=0) - reach, flat.max(axis=0) + reach
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def north_at(georeference: Georeference, point: Point) -> tuple[float, str]:
    """Return what turns azimuths of the grid into those of the result, degrees, and their north.

    Azimuths are true where the project lies on the earth; a plane without CRS has its own north.
    """
    try:
        return georeference.convergence(point[0], point[1]), "true"
    except RefusedError:
        return 0.0, "grid"
