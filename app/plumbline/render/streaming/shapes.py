"""What rays meet of the tiles that are drawn: one shape for a layer, whatever the number of tiles.

A ray is asked against the boxes of the tiles first; the triangles or points of a tile are sorted
when a ray comes near to them for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plumbline.core.data import FloatArray
from plumbline.geometry.rays import Hit, Pickable, Ray
from plumbline.render.streaming.content import Held
from plumbline.render.streaming.tree import Node


@dataclass(frozen=True)
class _Tiles:
    """What is drawn now, with the number of the first primitive of each."""

    nodes: Sequence[Node]
    boxes: FloatArray
    starts: list[int]


class TileShape:
    """The triangles, or the points, of all tiles of a layer that are drawn.

    Parameters
    ----------
    drawn : callable
        Returns the nodes that are drawn now, each with its `Held`.
    pickable : callable
        Returns the shape of one tile.
    margin : float
        Pixels beside a ray that count as met: of points.
    """

    def __init__(
        self,
        drawn: Callable[[], Sequence[Node]],
        pickable: Callable[[Held], Pickable],
        margin: float = 0.0,
    ) -> None:
        self._drawn, self._pickable, self._margin = drawn, pickable, margin
        self._tiles: _Tiles | None = None

    def forget(self) -> None:
        """Other tiles are drawn than before."""
        self._tiles = None

    def hit(self, ray: Ray) -> Hit | None:
        """Return the first primitive along the ray, counted through all tiles."""
        tiles = self._known()
        best: Hit | None = None
        enters = _enters(ray, tiles.boxes, self._margin)
        for n in np.argsort(enters, kind="stable"):
            if not np.isfinite(enters[n]) or (best is not None and enters[n] > best.t):
                break
            hit = self._pickable(tiles.nodes[n].holds).hit(ray)
            if hit is not None and (best is None or hit.t < best.t):
                best = replace(hit, primitive=hit.primitive + tiles.starts[n])
        return best

    def find(self, primitive: int) -> tuple[Node, int]:
        """Return the tile of a primitive, and its place among what is drawn of that tile."""
        tiles = self._known()
        n = int(np.searchsorted(tiles.starts, primitive, side="right")) - 1
        return tiles.nodes[n], primitive - tiles.starts[n]

    def _known(self) -> _Tiles:
        if self._tiles is None:
            nodes = self._drawn()
            boxes = np.array([node.holds.box for node in nodes]).reshape(-1, 6)
            starts = np.cumsum([0, *(len(node.holds.kept) for node in nodes)]).tolist()
            self._tiles = _Tiles(nodes, boxes, starts[:-1])
        return self._tiles


class TilePoints(TileShape):
    """The points of all tiles of a layer that are drawn."""


def _enters(ray: Ray, boxes: FloatArray, margin: float) -> FloatArray:
    """Return how far along a ray it enters each box ``(N,)``, inf where it misses.

    A box is grown by `margin` pixels of its far side, and by a hair for boxes without thickness.
    """
    low, high = boxes[:, :3] - ray.origin, boxes[:, 3:] - ray.origin
    if margin:
        far = np.linalg.norm(np.maximum(np.abs(low), np.abs(high)), axis=1)
        grow = margin * (ray.pixel_base + ray.pixel_slope * far)[:, None]
        low, high = low - grow, high + grow
    low, high = low - 1e-6, high + 1e-6
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = low / ray.direction, high / ray.direction
    # Along a side that it runs parallel to, a ray is always inside or never.
    inside = (low <= 0) & (high >= 0)
    flat = ray.direction == 0
    near = np.where(flat, np.where(inside, -np.inf, np.inf), np.fmin(a, b)).max(axis=1)
    away = np.where(flat, np.where(inside, np.inf, -np.inf), np.fmax(a, b)).min(axis=1)
    missed = (near > away) | (away < ray.start)
    enters: FloatArray = np.where(missed, np.inf, np.maximum(near, -1e300))
    return enters
