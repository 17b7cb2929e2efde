"""A tree of tiles in another CRS: its source is asked for its own tiles, and nothing is kept."""

from __future__ import annotations

import gc
import weakref

import numpy as np

from plumbline.core.data import Bounds, MeshData
from plumbline.core.tiles import Content, MovedSource, Tile, TileSource


class Halves(TileSource):
    """A square, halved along x without end; tells what it was asked by the box of the tile."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[weakref.ref[Tile]] = []

    def make(self, name: str, low: float, high: float) -> Tile:
        tile = Tile(name, Bounds(low, 0, 0, high, 1, 0), high - low)
        self.seen.append(weakref.ref(tile))
        return tile

    def roots(self) -> tuple[Tile, ...]:
        return (self.make("r", 0.0, 1.0),)

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        low, high = tile.bounds.xmin, tile.bounds.xmax
        middle = (low + high) / 2
        return (self.make(tile.id + "0", low, middle), self.make(tile.id + "1", middle, high))

    def content(self, tile: Tile) -> Content:
        corners = [(tile.bounds.xmin, 0, 0), (tile.bounds.xmax, 0, 0), (tile.bounds.xmax, 1, 0)]
        return MeshData(np.array(corners, dtype=np.float64), np.array([[0, 1, 2]], dtype=np.int32))


def test_a_tree_that_was_moved_twice_asks_for_its_own_tiles_and_keeps_none() -> None:
    halves = Halves()
    moved = MovedSource(MovedSource(halves, lambda p: p + (100, 0, 0)), lambda p: 2 * p)
    (tile,) = moved.roots()
    for _ in range(20):
        tile = moved.children(tile)[1]
    assert tile.bounds.xmax == 202
    assert tile.bounds.xmin == 202 - 2 * 0.5**20
    content = moved.content(tile)
    assert isinstance(content, MeshData)
    assert content.vertices[:, 0].tolist() == [tile.bounds.xmin, 202, 202]
    assert len(halves.seen) == 41
    del tile
    gc.collect()
    # The root is asked for again and again; of everything else nothing is left.
    assert sum(one() is not None for one in halves.seen) == 1
