"""A computed grid laid over the last picture of the scene: what follows a hand, without a render.

Draping a grid on terrain and drawing a city again takes a second or two; a drag has a tenth. The
picture that stands for the scene knows how deep each of its pixels lies, so that the cell of the
grid under every pixel of the ground is a look-up, made once for each place of the camera.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray, GridData
from plumbline.core.layer import Layer, LayerStyle
from plumbline.geometry.rays import HeightField
from plumbline.render.backdrop import Backdrop
from plumbline.render.grid import OPACITY
from plumbline.render.ground import Ground
from plumbline.render.scales import scale_of
from plumbline.render.theme import RenderTheme

#: A pixel shows the ground that lies this near to it: metres, and share of the distance.
NEAR, SHARE = 0.4, 0.002


def lies_on_ground(layer: Layer) -> bool:
    """Tell whether a layer is a grid of cells without heights of their own."""
    return isinstance(layer.data, GridData) and not layer.data.heights


@dataclass(frozen=True)
class _Shown:
    layer: Layer
    style: LayerStyle
    theme: RenderTheme


class LiveDrape:
    """Computed grids by a key of the tool's choice, in the picture that stands for the scene.

    Parameters
    ----------
    backdrop : Backdrop
        Keeps the picture and its depth.
    origin : callable
        Returns the scene's origin, project CRS.
    ground : callable
        Returns the ground as it is drawn, None where there is no terrain.
    draw : callable
        Has the next frame drawn; with True the scene itself, for its picture is not there.
    """

    def __init__(
        self,
        backdrop: Backdrop,
        origin: Callable[[], tuple[float, float, float]],
        ground: Callable[[], Ground | None],
        draw: Callable[[bool], None],
    ) -> None:
        self._backdrop, self._origin, self._ground, self._draw = backdrop, origin, ground, draw
        self._shown: dict[str, _Shown] = {}
        self._places: tuple[FloatArray, NDArray[np.intp]] | None = None
        self._cells: dict[object, tuple[NDArray[np.intp], NDArray[np.intp]]] = {}
        backdrop.taken = self._taken

    @property
    def layers(self) -> list[tuple[Layer, LayerStyle]]:
        """The grids with their styles, for the legend."""
        return [(shown.layer, shown.style) for shown in self._shown.values()]

    def show(self, key: str, layer: Layer, style: LayerStyle, theme: RenderTheme) -> None:
        """Lay a grid over the picture; it replaces that of the same key."""
        self._shown[key] = _Shown(layer, style, theme)
        self._backdrop.deep = True
        there = self._backdrop.depth is not None
        if there:
            self._paint()
        self._draw(not there)

    def remove(self, key: str = "") -> None:
        """Take a grid away, or all of them."""
        gone = self._shown.pop(key, None) is not None if key else bool(self._shown)
        if not key:
            self._shown.clear()
        if not gone:
            return
        self._backdrop.deep = bool(self._shown)
        if self._backdrop.depth is not None:
            self._paint()
        self._draw(self._backdrop.depth is None)

    def _taken(self) -> None:
        """The backdrop has another picture: what is laid over it goes on it too."""
        self._places = None
        self._cells.clear()
        if self._shown:
            self._paint()
            self._draw(False)

    def _paint(self) -> None:
        pixels = self._backdrop.pixels.copy()
        for shown in self._shown.values():
            data = shown.layer.data
            assert isinstance(data, GridData)
            where, cell = self._under(data)
            flat = data.values.ravel()
            colors = scale_of(flat, shown.style, shown.theme).colors(flat)[cell]
            seen = colors[:, 3] > 0
            where, colors = where[seen], colors[seen]
            share = round(256 * OPACITY)
            mixed = pixels[where].astype(np.uint16) * (256 - share) + colors[:, :3] * np.uint16(
                share
            )
            pixels[where] = (mixed >> 8).astype(np.uint8)
        self._backdrop.paint(pixels)

    def _under(self, data: GridData) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the pixels of the ground that a grid covers, and the cell under each."""
        key = (data.transform, data.values.shape)
        if key not in self._cells:
            if self._places is None:
                self._places = self._on_ground()
            places, pixels = self._places
            grid = HeightField(data.values, data.transform).to_grid(places)
            column, row = np.floor(grid + 0.5).astype(np.intp).T
            rows, columns = data.values.shape
            held = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            self._cells[key] = pixels[held], (row * columns + column)[held]
        return self._cells[key]

    def _on_ground(self) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return where on the map the pixels lie that show the ground, and which they are."""
        depth = self._backdrop.depth
        assert depth is not None
        pixels = np.flatnonzero(depth.ravel() < 1.0)
        points, away = unprojected(depth, pixels, self._backdrop.matrix)
        points += self._origin()
        ground = self._ground()
        if ground is not None:
            miss = np.abs(points[:, 2] - ground.sample(points[:, :2]))
            on = miss < NEAR + SHARE * away
            points, pixels = points[on], pixels[on]
        return points[:, :2], pixels


def unprojected(
    depth: AnyArray, pixels: NDArray[np.intp], matrix: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the places of pixels ``(N, 3)`` and how far along the view they lie.

    Parameters
    ----------
    depth : (H, W) float32
        Of the window, 0 near to 1 far, first row at the bottom.
    pixels : (N,) intp
        Numbers of pixels, row by row.
    matrix : (4, 4) float64
        From the world to the normalised cube.
    """
    height, width = depth.shape
    row, column = np.divmod(pixels, width)
    cube = np.column_stack(
        [
            2 * (column + 0.5) / width - 1,
            2 * (row + 0.5) / height - 1,
            2 * depth.ravel()[pixels].astype(np.float64) - 1,
            np.ones(len(pixels)),
        ]
    )
    world = cube @ np.linalg.inv(matrix).T
    points: FloatArray = world[:, :3] / world[:, 3:]
    # The last row of the matrix is the distance along the view, 1 in parallel projection.
    return points, np.abs(1.0 / world[:, 3])
