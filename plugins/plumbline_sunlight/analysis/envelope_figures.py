"""The heights that an envelope allows, on the map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import Region, draw_figure, figure_colors, tr

Affine6 = tuple[float, float, float, float, float, float]


def envelope_figure(heights: NDArray[np.float64], transform: Affine6, site: Region) -> bytes:
    """Return a figure of buildable heights; metres above the ground."""

    def paint(figure: Any) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        colors = figure_colors()
        ramp = LinearSegmentedColormap.from_list("height", colors["sequential"])
        a, _, c, _, e, f = transform
        rows, columns = heights.shape
        axes = figure.add_subplot()
        image = axes.imshow(
            heights,
            extent=(c, c + columns * a, f + rows * e, f),
            cmap=ramp,
            vmin=0.0,
            interpolation="nearest",
        )
        for polygon in site:
            for ring in polygon:
                points = np.array([point[:2] for point in (*ring, ring[0])])
                axes.plot(*points.T, color=colors["text"], linewidth=0.8)
        figure.colorbar(image, label=tr("Buildable height (m)"), shrink=0.8)
        axes.ticklabel_format(style="plain", useOffset=False)
        axes.tick_params(axis="x", rotation=30)
        axes.grid(visible=False)
        axes.set_title(tr("Sunlight envelope"))
        axes.set_xlabel(tr("Easting (m)"))
        axes.set_ylabel(tr("Northing (m)"))

    return draw_figure(paint, (8.0, 5.2))
