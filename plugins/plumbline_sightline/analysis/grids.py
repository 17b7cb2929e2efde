"""Rasters of results: even cells over a part of the frame, at whole multiples of their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plumbline.api import Frame, GridData, Layer, LayerKind, LayerStyle, RefusedError, tr

FloatArray = NDArray[np.float64]

#: Cells of a result.
MAX_CELLS = 4_000_000

#: Opacity of limits and corridors: what breaks them and what is behind stays in sight.
SEEN_THROUGH = 0.4


@dataclass(frozen=True)
class Cells:
    """Cells of a raster, first row in the north.

    Attributes
    ----------
    x : (columns,) float64
    y : (rows,) float64
        Cell centres, metres of the frame.
    transform : tuple of 6 floats
        From (column, row) of cell corners to the project CRS.
    size : float
        Metres.
    """

    frame: Frame
    x: FloatArray
    y: FloatArray
    transform: tuple[float, float, float, float, float, float]
    size: float

    @property
    def places(self) -> FloatArray:
        """Cell centres ``(rows * columns, 2)``, metres of the frame."""
        x, y = np.meshgrid(self.x, self.y)
        return np.column_stack([x.ravel(), y.ravel()])

    @property
    def project_places(self) -> FloatArray:
        """Cell centres ``(rows * columns, 2)`` in the project CRS."""
        flat = self.places
        places: FloatArray = self.frame.project(np.column_stack([flat, np.zeros(len(flat))]))
        return places[:, :2]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y), len(self.x)

    @property
    def area(self) -> float:
        """Area of a cell, m²."""
        return self.size**2


def cells_over(frame: Frame, low: ArrayLike, high: ArrayLike, size: float) -> Cells:
    """Return cells that cover a box of the frame.

    Raises
    ------
    RefusedError
        If they are too many.
    """
    origin = np.asarray(frame.origin[:2]) * frame.scale[:2]
    first = np.floor((np.asarray(low)[:2] + origin) / size)
    last = np.maximum(np.ceil((np.asarray(high)[:2] + origin) / size), first + 1)
    count = float(np.prod(last - first))
    if not count <= MAX_CELLS:
        raise RefusedError(
            tr(
                "The raster would have {n:.1f} million cells; at most {most:.0f} million are made.",
                n=count / 1e6,
                most=MAX_CELLS / 1e6,
            ),
            tr("Give a larger cell_size."),
        )
    columns, rows = (int(v) for v in last - first)
    x = (first[0] + 0.5 + np.arange(columns)) * size - origin[0]
    y = (last[1] - 0.5 - np.arange(rows)) * size - origin[1]
    step = size / frame.scale[0]
    transform = (step, 0.0, float(first[0]) * step, 0.0, -step, float(last[1]) * step)
    return Cells(frame, x, y, transform, size)


def raster_layer(
    cells: Cells,
    layer_id: str,
    name: str,
    values: NDArray[np.generic],
    quantity: str,
    unit: str = "",
    heights: bool = False,
) -> Layer:
    """Return a raster of a result as a layer.

    Parameters
    ----------
    name : str
        What people read, translated.
    quantity : str
        What the numbers are, English text that passes through `tr`.
    heights : bool
        They are metres above the vertical datum.
    """
    data = GridData(values.reshape(cells.shape), cells.transform, quantity, unit, heights)
    style = LayerStyle(opacity=SEEN_THROUGH) if heights else LayerStyle()
    crs = cells.frame.georeference.crs
    return Layer(layer_id, name, LayerKind.RASTER, data, crs, style=style)
