"""A city of any number of tiles that exists only while somebody looks at it."""

from __future__ import annotations

import threading

import numpy as np

from plumbline.core.data import Bounds, Element, MeshData
from plumbline.core.tiles import Content, Tile, TilesData, TileSource

#: Metres of a district, the tiles below the root; halved at each of three further levels.
DISTRICT = 400.0
LEVELS = 4
#: Metres of error at the root and at the levels below it.
ERRORS = (64.0, 8.0, 4.0, 2.0, 0.0)


class City(TileSource):
    """`across` x `across` districts of 85 tiles each, in five levels with the root.

    Parameters
    ----------
    cells : int
        Squares along the side of a tile: 64 make a tile of 0.2 MB.
    corner : (x, y)
        South-west corner.
    """

    def __init__(
        self, across: int, cells: int = 8, corner: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        super().__init__()
        self.across, self.corner = across, np.array(corner)
        self.read: list[str] = []
        self._lock = threading.Lock()
        u, v = np.meshgrid(*[np.linspace(0, 1, cells + 1)] * 2)
        self._places = np.column_stack([u.ravel(), v.ravel()])
        a = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
        b, c, d = a + 1, a + cells + 1, a + cells + 2
        self._triangles = np.concatenate([np.c_[a, b, d], np.c_[a, d, c]]).astype(np.int32)

    @property
    def tiles(self) -> int:
        return 1 + 85 * self.across**2

    @property
    def middle(self) -> np.ndarray:
        return np.array([*(self.corner + DISTRICT * self.across / 2), 0.0])

    def data(self) -> TilesData:
        return TilesData(self, {"tiles": self.tiles})

    def tile(self, level: int, i: int, j: int) -> Tile:
        x, y, side = self.square(level, i, j)
        box = Bounds(x, y, 0.0, x + side, y + side, 40.0)
        return Tile(f"{level}/{i}/{j}", box, ERRORS[level], is_leaf=level == LEVELS)

    def square(self, level: int, i: int, j: int) -> tuple[float, float, float]:
        side = DISTRICT * self.across if level == 0 else DISTRICT / 2 ** (level - 1)
        x, y = self.corner + (i * side, j * side)
        return float(x), float(y), side

    def roots(self) -> tuple[Tile, ...]:
        return (self.tile(0, 0, 0),)

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        level, i, j = map(int, tile.id.split("/"))
        k = self.across if level == 0 else 2
        places = ((i * k + a, j * k + b) for a in range(k) for b in range(k))
        return tuple(self.tile(level + 1, *place) for place in places)

    def content(self, tile: Tile) -> Content | None:
        with self._lock:
            self.read.append(tile.id)
        level, i, j = map(int, tile.id.split("/"))
        x, y, side = self.square(level, i, j)
        xy = self._places * side + (x, y)
        z = 20 + 10 * np.sin(xy[:, 0] / 30) * np.cos(xy[:, 1] / 40)
        tint = 60 + np.array([level * 40, (i * 37) % 128, (j * 53) % 128])
        return MeshData(
            np.column_stack([xy, z]),
            self._triangles,
            colors=np.tile(tint.astype(np.uint8), (len(xy), 1)),
            elements=[Element(f"block {tile.id}", "Block", properties={"Register": {"row": i}})],
            element_index=np.zeros(len(self._triangles), dtype=np.int32),
        )


def districts(tiles: int) -> int:
    """Return how many districts across make a city of about so many tiles."""
    return max(1, round(((tiles - 1) / 85) ** 0.5))
