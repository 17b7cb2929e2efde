"""Which side of a window is outside, and where the outer wall is: asked of the walls with rays.

A little off the wall on either side of a window, rays fan out above the horizon. Indoors ceilings
and walls stop them; outdoors some reach the sky, also in a narrow court. The side from which more
rays get away is outside; where neither is clearly more open the direction is not known, and that is
said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.api import Feedback, ObstacleLayers, Obstacles, Occluder, build_obstacles

if TYPE_CHECKING:
    from plumbline_sunlight.analysis.openings import Opening

FloatArray = NDArray[np.float64]

#: Distance of the eyes from the middle of the window, metres, and their height above the sill.
OFF, ABOVE = 0.6, 0.75

#: Elevations of the fan, and azimuths off the normal, degrees.
ELEVATIONS = (5.0, 20.0, 35.0, 50.0, 65.0, 80.0)
ASIDE = tuple(range(-75, 76, 15))

#: One side is outside where its share of free rays is larger by this.
CLEARLY = 0.05

#: How far outside of a window its wall may end, metres, and how far beside it that is looked for.
REVEAL, BESIDE = 1.0, 0.15


class Walls:
    """Walls without their windows; put together when they are first asked."""

    def __init__(self, layers: ObstacleLayers, feedback: Feedback) -> None:
        self._layers, self._feedback = layers, feedback

    @cached_property
    def _obstacles(self) -> Obstacles:
        return build_obstacles(self._layers, self._feedback)

    @cached_property
    def _occluder(self) -> Occluder:
        return Occluder(self._obstacles.vertices, self._obstacles.triangles)

    def turned_outward(self, given: Sequence[Opening]) -> tuple[Opening, ...]:
        """Return windows with their outward directions, those that state one as they are."""
        found = list(given)
        ask = [n for n, one in enumerate(given) if one.outward is None]
        if not ask:
            return tuple(found)
        across = np.array([[-given[n].along[1], given[n].along[0]] for n in ask])
        middle = np.array([given[n].middle for n in ask])
        one, other = (_free(self._occluder, middle, side) for side in (across, -across))
        for k, n in enumerate(ask):
            if abs(one[k] - other[k]) <= CLEARLY:
                continue
            x, y = across[k] if one[k] > other[k] else -across[k]
            found[n] = replace(found[n], outward=(float(x), float(y)), how="sky")
        return tuple(found)

    def on_the_wall(self, given: Sequence[Opening]) -> list[Opening]:
        """Return windows turned outward, their sills moved out to the face of the wall beside."""
        turned = self.turned_outward(given)
        caster = self._obstacles.caster()
        known = [n for n, one in enumerate(turned) if one.outward is not None]
        out = np.array([turned[n].outward for n in known]).reshape(-1, 2)
        reach = np.full(len(known), -np.inf)
        for end in (-1.0, 1.0):
            beside = np.array(
                [turned[n].at(end * (turned[n].width / 2 + BESIDE)) for n in known]
            ).reshape(-1, 3)
            origins = beside + np.column_stack([REVEAL * out, np.full(len(known), ABOVE)])
            inward = np.column_stack([-out, np.zeros(len(known))])
            distance, _ = caster.first_hits(origins, inward)
            # What is nearer than the wall can be (a fin, the next wall of a corner) is none.
            wall = (distance > 1e-3) & (distance < 2 * REVEAL)
            reach = np.where(wall, np.maximum(reach, REVEAL - distance), reach)
        found = list(turned)
        for k, n in enumerate(known):
            shift = float(reach[k]) if np.isfinite(reach[k]) else 0.0
            x, y, z = found[n].middle
            middle = (x + shift * float(out[k, 0]), y + shift * float(out[k, 1]), z)
            found[n] = replace(found[n], middle=middle)
        return found


def buried(given: Sequence[Opening], occluder: Occluder) -> list[bool]:
    """Tell which windows look into a building: the sky is seen from their other side only."""
    out = np.array([one.outward for one in given]).reshape(-1, 2)
    middle = np.array([one.middle for one in given]).reshape(-1, 3)
    ahead, behind = (_free(occluder, middle, side) for side in (out, -out))
    wrong: list[bool] = ((ahead == 0.0) & (behind > CLEARLY)).tolist()
    return wrong


def _free(occluder: Occluder, middle: FloatArray, side: FloatArray) -> FloatArray:
    """Return the share ``(N,)`` of rays that get away from one side of windows."""
    origins = np.column_stack([middle[:, :2] + OFF * side, middle[:, 2] + ABOVE])
    heading = np.arctan2(side[:, 0], side[:, 1])
    free = np.zeros(len(middle))
    for aside in np.radians(ASIDE):
        for rise in np.radians(ELEVATIONS):
            azimuth = heading + aside
            up = np.full(len(free), np.sin(rise))
            east, north = np.sin(azimuth) * np.cos(rise), np.cos(azimuth) * np.cos(rise)
            free += ~occluder.blocked(origins, np.column_stack([east, north, up]))
    share: FloatArray = free / (len(ASIDE) * len(ELEVATIONS))
    return share
