"""Heights of a raster surface at points and along lines, bilinear, in float64.

A cell's height is that of its centre; between centres heights are interpolated bilinearly, within
half a cell of the border the outermost centres count. The raster is read in small windows, however
large it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.crs import horizontal_crs, same_crs, transformer
from plumbline.core.data import AnyArray, FloatArray, RasterData
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from pyproj import Transformer

#: Longest side of a window that is read at once, cells.
_WINDOW = 1024


class HeightSampler:
    """An open raster surface; made by `open_heights`, used in one thread.

    Parameters
    ----------
    dataset : rasterio dataset
        Open for reading.
    z_factor : float
        Metres per vertical unit of the file.
    to_file : pyproj Transformer, optional
        From the project CRS to the file's. Places are brought to the cells, never cells to places:
        resampling a surface before interpolating it would smooth it twice.
    """

    def __init__(
        self, dataset: Any, z_factor: float = 1.0, to_file: Transformer | None = None
    ) -> None:
        self._dataset = dataset
        self._z_factor = z_factor
        self._to_file = to_file
        self._inverse = ~dataset.transform

    def cells(self, points: AnyArray) -> FloatArray:
        """Return ``(N, 2)`` column and row of places ``(N, 2)``; centres are whole numbers."""
        x, y = np.asarray(points, dtype=np.float64).T[:2]
        if self._to_file is not None:
            x, y = self._to_file.transform(x, y)
        t = self._inverse
        columns, rows = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        cells: FloatArray = np.column_stack([columns, rows]) - 0.5
        return cells

    def heights(self, points: AnyArray) -> FloatArray:
        """Return heights ``(N,)`` in metres at places ``(N, 2)`` of the project CRS.

        NaN outside the raster and wherever a cell that counts has no data.
        """
        cells = self.cells(points)
        heights = np.full(len(cells), np.nan)
        size = np.array([self._dataset.width, self._dataset.height])
        inside = np.all((cells >= -0.5) & (cells <= size - 0.5), axis=1)
        clamped = np.clip(cells, 0, size - 1)
        for window in _windows(clamped, np.flatnonzero(inside)):
            heights[window] = self._read(clamped[window])
        return heights * self._z_factor

    def _read(self, cells: FloatArray) -> FloatArray:
        from rasterio.windows import Window

        limit = (self._dataset.width - 1, self._dataset.height - 1)
        first = np.minimum(np.floor(cells).astype(int), limit)
        second = np.minimum(first + 1, limit)
        low, high = first.min(axis=0), second.max(axis=0) + 1
        band = self._dataset.read(1, window=Window(*low, *(high - low)), masked=True)
        values = np.ma.filled(band.astype(np.float64), np.nan)
        (c0, r0), (c1, r1) = (first - low).T, (second - low).T
        u, v = (cells - first).T
        corners = [(r0, c0, (1 - u) * (1 - v)), (r0, c1, u * (1 - v))]
        corners += [(r1, c0, (1 - u) * v), (r1, c1, u * v)]
        total = np.zeros(len(cells))
        for row, column, weight in corners:
            # A cell without data spoils only the places where it counts.
            total += np.where(weight > 0, values[row, column] * weight, 0.0)
        return total


@contextmanager
def open_heights(data: RasterData) -> Iterator[HeightSampler]:
    """Open a raster surface for sampling in the project CRS.

    Raises
    ------
    InputError
        If the file cannot be opened any more.
    """
    import rasterio

    try:
        dataset = rasterio.open(data.path)
    except rasterio.errors.RasterioIOError as error:
        raise InputError(
            tr("“{name}” cannot be read any more.", name=data.path.name),
            tr("Check the path and the disk."),
            str(error),
        ) from error
    to_file = None
    if data.crs is not None and data.target_crs is not None:
        project, file = horizontal_crs(data.target_crs), horizontal_crs(data.crs)
        to_file = None if same_crs(project, file) else transformer(project, file)
    with dataset:
        yield HeightSampler(dataset, data.z_factor, to_file)


def _windows(cells: FloatArray, indices: AnyArray) -> Iterator[AnyArray]:
    """Split places into runs whose common window is small."""
    keys = (cells[indices] // _WINDOW).astype(int)
    if not len(indices):
        return
    order = np.lexsort(keys.T)
    changes = np.flatnonzero(np.any(np.diff(keys[order], axis=0) != 0, axis=1)) + 1
    yield from np.split(indices[order], changes)
