"""Large rasters as trees of tiles: terrain as triangles between cells, imagery as flat pictures.

Every tile reads its own part of the raster at its own resolution, so that memory does not depend on
the size of the raster. The error of a tile is the width of its cells; the finest have the raster's.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from plumbline.core.data import (
    Bounds,
    FloatArray,
    IntArray,
    Material,
    MeshData,
    RasterData,
    Texture,
)
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.io.raster import read_grid, read_image
from plumbline.io.tileset_writer import TilesetWriter

#: Cells along the side of a tile of terrain, pixels along that of a picture.
CELLS, PIXELS = 128, 512
#: Levels of the tree.
MAX_LEVEL = 24


def tile_raster(data: RasterData, writer: TilesetWriter, feedback: Feedback) -> dict[str, Any]:
    """Write a raster as tiles and return the root; None of its parts without data is written."""
    assert data.bounds is not None
    box = data.bounds
    # A square, so that all tiles of a level have cells of one size.
    side = max(box.xmax - box.xmin, box.ymax - box.ymin)
    square = (box.xmin, box.ymax - side, box.xmin + side, box.ymax)
    root = _Tiler(data, writer, feedback, _finest(box, data)).node("0", square, 0)
    if root is not None:
        return root
    return writer.tile("0", None, 0.0, [], box)


def _finest(box: Bounds, data: RasterData) -> float:
    """Return the width of the raster's own cells in the project CRS."""
    return max((box.xmax - box.xmin) / data.width, (box.ymax - box.ymin) / data.height)


class _Tiler:
    def __init__(
        self, data: RasterData, writer: TilesetWriter, feedback: Feedback, finest: float
    ) -> None:
        self._data, self._writer, self._feedback = data, writer, feedback
        self._finest = finest
        self._done = 0.0

    def node(
        self, name: str, square: tuple[float, float, float, float], level: int
    ) -> dict[str, Any] | None:
        """Write a tile with everything below it, and return it; None where there is no data."""
        box = self._data.bounds
        assert box is not None
        west, south, east, north = square
        if west >= box.xmax or east <= box.xmin or south >= box.ymax or north <= box.ymin:
            return None
        terrain = self._data.role == "terrain"
        side = CELLS if terrain else PIXELS
        cell = (east - west) / side
        leaf = cell <= self._finest * 1.0001 or level >= MAX_LEVEL
        children = [] if leaf else self._children(name, square, level)
        if leaf:
            self._done += 4.0**-level
            self._feedback.step(self._done, 1.0, tr("Tiling"))
        mesh = self._terrain(square, cell) if terrain else self._picture(square)
        boxes = [_box_of(child, self._writer.origin) for child in children]
        whole = Bounds.union([None if mesh is None else mesh.bounds, *boxes])
        if whole is None:
            return None
        return self._writer.tile(name, mesh, 0.0 if leaf else cell, children, whole)

    def _children(
        self, name: str, square: tuple[float, float, float, float], level: int
    ) -> list[dict[str, Any]]:
        west, south, east, north = square
        x, y = (west + east) / 2, (south + north) / 2
        quarters = (
            (west, south, x, y),
            (x, south, east, y),
            (west, y, x, north),
            (x, y, east, north),
        )
        made = (self.node(f"{name}{n}", quarter, level + 1) for n, quarter in enumerate(quarters))
        return [child for child in made if child is not None]

    def _terrain(self, square: tuple[float, float, float, float], cell: float) -> MeshData | None:
        """Return triangles between the middles of cells, one more than the square to the east and
        south, so that neighbours meet."""
        west, south, east, north = square
        reach = max(cell, self._finest)
        around = (west, south - reach, east + reach, north)
        heights, t = read_grid(self._data, (CELLS + 4) ** 2, around)
        if min(heights.shape) < 2:
            return None
        rows, columns = np.mgrid[0 : heights.shape[0], 0 : heights.shape[1]]
        x = t[2] + (columns + 0.5) * t[0]
        y = t[5] + (rows + 0.5) * t[4]
        return _surface(np.stack([x, y, heights], axis=2))

    def _picture(self, square: tuple[float, float, float, float]) -> MeshData | None:
        from PIL import Image

        pixels, (west, south, east, north) = read_image(self._data, (PIXELS + 4) ** 2, square)
        if pixels.size == 0 or not pixels[..., 3].any():
            return None
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        corners = np.array([[west, south, 0], [east, south, 0], [east, north, 0], [west, north, 0]])
        uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        mesh = MeshData(corners, np.array([[0, 1, 2], [0, 2, 3]]), uv)
        mesh.materials = [Material("picture", (1, 1, 1, 1), Texture(data=stream.getvalue()))]
        mesh.material_index = np.zeros(2, np.int32)
        return mesh


def _surface(grid: FloatArray) -> MeshData | None:
    """Return two triangles for each four neighbours ``(rows, columns, 3)`` that have heights."""
    known = np.isfinite(grid[..., 2])
    whole = known[:-1, :-1] & known[1:, :-1] & known[:-1, 1:] & known[1:, 1:]
    rows, columns = np.nonzero(whole)
    if len(rows) == 0:
        return None
    width = grid.shape[1]
    nw: IntArray = rows * width + columns
    ne, sw, se = nw + 1, nw + width, nw + width + 1
    triangles = np.stack([np.column_stack([nw, sw, se]), np.column_stack([nw, se, ne])], axis=1)
    used, back = np.unique(triangles.reshape(-1, 3), return_inverse=True)
    return MeshData(grid.reshape(-1, 3)[used], back.reshape(-1, 3))


def _box_of(tile: dict[str, Any], origin: FloatArray) -> Bounds:
    numbers = np.array(tile["boundingVolume"]["box"], np.float64)
    centre, half = numbers[:3] + origin, numbers[[3, 7, 11]]
    return Bounds(*map(float, (*(centre - half), *(centre + half))))
