"""Point clouds: coloured points, fewer of them while the camera moves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import Bounds, FloatArray, PointCloudData
from plumbline.core.layer import LayerStyle
from plumbline.geometry.masking import standing_points
from plumbline.geometry.rays import PointSet
from plumbline.render.colors import classes, palette, rgb8
from plumbline.render.parts import Part, Prepared, Request, Target


def prepare(request: Request) -> Prepared:
    """Prepare a cloud; a fixed random order makes the first k points an even sample."""
    data = request.layer.data
    assert isinstance(data, PointCloudData)
    order = np.random.default_rng(0).permutation(len(data.points))
    standing = np.arange(len(data.points))
    if request.mask is not None:
        there = standing_points(data.points, request.mask)
        order, standing = order[there[order]], standing[there]
    shown = order[: request.budget.points]
    style = request.style
    part = Part(
        points=request.local32(data.points[shown]),
        colors=colors(request, data)[shown],
        lit=False,
        size=style.point_size,
        moving=request.budget.moving_points,
        spacing=spacing_of(data.points[:, :2], len(shown)),
    )
    # All points can be picked, also those that are too many to draw.
    # Ids are places in the whole cloud, also where a scheme leaves a part of it.
    left = data.points if len(standing) == len(data.points) else data.points[standing]
    target = Target(
        PointSet(left, max(style.point_size / 2, 1.5)),
        entity=lambda n: str(standing[n]),
        primitive=lambda n: int(standing[n]),
    )

    def rows(ids: Iterable[str]) -> NDArray[np.intp]:
        index = np.array([int(i) for i in ids if i.isdigit()], dtype=np.intp)
        return index[index < len(data.points)]

    def highlight(ids: Iterable[str]) -> list[Part]:
        marked = data.points[rows(ids)]
        color = request.theme.selection
        size = max(10.0, 2 * style.point_size)
        return [Part(request.local32(marked), color=color, size=size, round=True, lit=False)]

    def extent(ids: Iterable[str]) -> Bounds | None:
        return Bounds.of(data.points[rows(ids)])

    return Prepared([part], [target], highlight, extent, eye_dome=style.eye_dome)


def colors(request: Request, data: PointCloudData) -> NDArray[np.uint8]:
    """Return the colour ``(N, 3)`` of every point by the layer's style.

    ``auto`` takes RGB, else the class where there are several, else the elevation. A colouring
    that the cloud has no values for is drawn in the layer's one colour.
    """
    style, table = request.style, data.attributes
    by = coloring(style, data)
    if by == "rgb" and "rgb" in table:
        result: NDArray[np.uint8] = np.asarray(table["rgb"], dtype=np.uint8)[:, :3]
        return result
    if by in ("class", "classification") and "classification" in table:
        return classes(table["classification"], style.class_colors)
    if by == "elevation":
        return palette(style.palette, data.points[:, 2], style.value_range)
    name = "intensity" if by == "intensity" else style.attribute
    if by in ("intensity", "attribute") and name in table and table[name].ndim == 1:
        scale = "gray" if by == "intensity" and style.palette == "viridis" else style.palette
        return palette(scale, table[name], style.value_range)
    return np.tile(np.array(rgb8(style.color), dtype=np.uint8), (len(data.points), 1))


def coloring(style: LayerStyle, data: PointCloudData) -> str:
    """Return the `color_by` of a style, with the richest that a cloud offers for ``auto``."""
    if style.color_by in ("auto", "texture", "material"):
        return _richest(data)
    return style.color_by


def spacing_of(xy: FloatArray, shown: int) -> float:
    """Return the distance between neighbours in plan when only `shown` points are drawn.

    Told from how many points fall into one occupied cell, since a cloud rarely fills its box.
    """
    if len(xy) < 2:
        return 0.0
    low, high = xy.min(axis=0), xy.max(axis=0)
    side = 6 * float(np.sqrt(max(np.prod(high - low), 1e-9) / len(xy)))
    cells = ((xy - low) / side).astype(np.int64)
    counts = np.unique(cells[:, 0] * (cells[:, 1].max() + 1) + cells[:, 1], return_counts=True)[1]
    return side / float(np.sqrt(np.median(counts))) * float(np.sqrt(len(xy) / shown))


def _richest(data: PointCloudData) -> str:
    table = data.attributes
    if "rgb" in table and np.any(table["rgb"]):
        return "rgb"
    if "classification" in table and len(np.unique(table["classification"])) > 1:
        return "class"
    return "elevation"
