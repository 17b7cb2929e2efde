"""The map of a result: its layers from above over the outlines of the scene, with scale and north.

Drawn from the data, not from the screen: the same whatever is displayed and on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.analysis.figures import draw_figure, figure_colors
from plumbline.analysis.result import Result
from plumbline.core.crs import crs_label
from plumbline.core.data import Bounds, FloatArray, GridData, MeshData, VectorData
from plumbline.core.i18n import tr
from plumbline.core.scene import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Share of the result's extent that is shown around it.
MARGIN = 0.06
#: Places that are numbered; more would cover each other.
MOST_NUMBERED = 60
#: Outlines of the scene that are drawn at most.
MOST_OUTLINES = 20_000
#: Triangles of models that are drawn from above at most.
MOST_FACES = 60_000
#: A grid is drawn with so many cells across at most.
MOST_CELLS = 1600
_DEGREES = 111_320.0


@dataclass(frozen=True)
class Backdrop:
    """What of the scene lies around a result; a snapshot, safe in a worker.

    Attributes
    ----------
    shapes : list of shapely geometries
        Outlines and lines of the visible layers of features, project CRS.
    faces : (M, 3, 2) float64
        Faces of visible models on the map.
    unit : float
        Metres of a unit of x and y.
    crs : str
        What people call the coordinate system.
    """

    shapes: list[Any]
    faces: FloatArray
    unit: float
    crs: str


def backdrop_of(scene: Scene) -> Backdrop:
    """Return what of a scene is drawn below results; on the scene's thread."""
    shapes: list[Any] = []
    faces: list[FloatArray] = []
    for layer in scene:
        if not scene.is_visible(layer.id) or layer.metadata.get("request"):
            continue
        data = layer.data
        if isinstance(data, VectorData):
            kept = [g for g in data.features.geometry if g is not None and not g.is_empty]
            shapes += kept[: MOST_OUTLINES - len(shapes)]
        elif isinstance(data, MeshData):
            step = max(1, len(data.triangles) // MOST_FACES)
            faces.append(data.vertices[data.triangles[::step]][..., :2])
    crs = scene.georeference.crs
    unit, name = 1.0, crs_label(crs)
    if crs is not None:
        unit = _DEGREES if crs.is_geographic else float(crs.axis_info[0].unit_conversion_factor)
    return Backdrop(shapes, np.concatenate([np.empty((0, 3, 2)), *faces]), unit, name)


def map_png(result: Result, backdrop: Backdrop) -> bytes:
    """Return the map of a result as PNG; empty where the result has no place.

    Parameters
    ----------
    backdrop : Backdrop
        Of the scene that the result was made in.
    """
    box = _extent(result)
    if box is None:
        return b""

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        _paint_backdrop(axes, backdrop, box)
        for layer in reversed(list(result.layers.values())):
            if isinstance(layer.data, GridData):
                _paint_grid(figure, axes, layer.data)
        for layer in result.layers.values():
            if isinstance(layer.data, VectorData):
                _paint_features(axes, layer.data)
        _paint_points(axes, result.points)
        axes.set_xlim(box[0], box[2])
        axes.set_ylim(box[1], box[3])
        axes.set_aspect("equal")
        axes.ticklabel_format(useOffset=False, style="plain")
        axes.tick_params(labelsize=6)
        axes.grid(True, linewidth=0.3, alpha=0.5)
        _paint_scale(axes, backdrop.unit)
        axes.set_title(backdrop.crs, fontsize=6, loc="right")

    return draw_figure(paint, (9.6, 6.4))


# -- where ---------------------------------------------------------------------------------------


def _extent(result: Result) -> tuple[float, float, float, float] | None:
    bounds = [layer.bounds for layer in result.layers.values()]
    known = Bounds.union(one for one in bounds if one is not None)
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    if known is not None:
        low, high = np.array([known.xmin, known.ymin]), np.array([known.xmax, known.ymax])
    if result.points:
        flat = np.array([point[:2] for point in result.points])
        low, high = np.minimum(low, flat.min(axis=0)), np.maximum(high, flat.max(axis=0))
    if not np.isfinite(low).all():
        return None
    margin = max(MARGIN * float((high - low).max()), 1e-6 * float(np.abs(high).max()), 1e-9)
    return (*(low - margin).tolist(), *(high + margin).tolist())


# -- what ----------------------------------------------------------------------------------------


def _paint_backdrop(axes: Axes, backdrop: Backdrop, box: tuple[float, float, float, float]) -> None:
    import shapely
    from matplotlib.collections import LineCollection, PolyCollection

    faces = backdrop.faces
    low, high = faces.min(axis=1), faces.max(axis=1)
    near = (high >= box[:2]).all(axis=1) & (low <= box[2:]).all(axis=1)
    axes.add_collection(PolyCollection(list(faces[near]), facecolors="#d9dde2", linewidths=0))
    window = shapely.box(*box)
    lines, areas = [], []
    for shape in backdrop.shapes:
        if not shapely.intersects(window, shapely.force_2d(shape)):
            continue
        for part in shapely.get_parts(shape):
            if part.geom_type == "Polygon":
                areas.append(np.asarray(part.exterior.coords)[:, :2])
            elif part.geom_type in ("LineString", "LinearRing"):
                lines.append(np.asarray(part.coords)[:, :2])
    areas_drawn = PolyCollection(areas, facecolors="#e6e8eb", edgecolors="#9aa3ad", linewidths=0.4)
    axes.add_collection(areas_drawn)
    axes.add_collection(LineCollection(lines, colors="#b3bac2", linewidths=0.5))


def _paint_grid(figure: Any, axes: Axes, data: GridData) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Rectangle

    step = max(1, -(-max(data.values.shape) // MOST_CELLS))
    values = data.values[::step, ::step].astype(np.float64)
    a, _, c, _, e, f = data.transform
    rows, columns = data.values.shape
    where = (c, c + a * columns, f + e * rows, f)
    colors = figure_colors()
    if data.values.dtype == np.uint8:
        shown = np.where(values == 1, 1.0, np.nan)
        one = ListedColormap([colors["visible"]])
        axes.imshow(shown, cmap=one, extent=where, alpha=0.55, interpolation="nearest", zorder=2)
        if data.quantity:
            told = Rectangle((0, 0), 0, 0, color=colors["visible"], label=tr(data.quantity))
            axes.legend(handles=[told], loc="upper left", fontsize=7)
        return
    nodata = data.nodata
    known = np.isfinite(values) & (values != nodata if nodata is not None else True)
    shown = np.where(known, values, np.nan)
    look: dict[str, Any] = {
        "cmap": "viridis",
        "alpha": 0.6,
        "interpolation": "nearest",
        "zorder": 2,
    }
    drawn = axes.imshow(shown, extent=where, **look)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.6)
    bar.set_label(f"{tr(data.quantity)}{', ' + data.unit if data.unit else ''}", fontsize=7)


def _paint_features(axes: Axes, data: VectorData) -> None:
    import shapely

    colors = figure_colors()
    points = []
    for shape in data.features.geometry:
        for part in shapely.get_parts(shape):
            if part.geom_type == "Polygon":
                axes.plot(*np.asarray(part.exterior.coords)[:, :2].T, color=colors["accent"],
                          linewidth=1.0, zorder=3)  # fmt: skip
            elif part.geom_type == "Point":
                points.append((part.x, part.y))
            else:
                axes.plot(*np.asarray(part.coords)[:, :2].T, color=colors["accent"], zorder=3)
    _paint_points(axes, points, colors["changed"])


def _paint_points(axes: Axes, points: Sequence[Sequence[float]], color: str = "") -> None:
    if not points:
        return
    flat = np.array([point[:2] for point in points])
    tone = color or figure_colors()["accent"]
    few = len(flat) <= MOST_NUMBERED
    x, y = flat.T
    size = 26 if few else 6
    axes.scatter(x, y, s=size, color=tone, edgecolors="white", linewidths=0.5, zorder=5)
    if few:
        for n, place in enumerate(flat.tolist(), 1):
            axes.annotate(
                str(n), tuple(place), (3, 3), textcoords="offset points", fontsize=6, zorder=6
            )


def _paint_scale(axes: Axes, unit: float) -> None:
    """Draw a bar of round metres and the arrow of grid north."""
    x0, x1 = axes.get_xlim()
    y0, y1 = axes.get_ylim()
    wanted = (x1 - x0) * unit / 4
    power = 10.0 ** math.floor(math.log10(max(wanted, 1e-6)))
    metres = next(power * n for n in (5, 2, 1) if power * n <= wanted)
    length, height = metres / unit, (y1 - y0)
    left, low = x0 + 0.03 * (x1 - x0), y0 + 0.04 * height
    axes.plot([left, left + length], [low, low], color="black", linewidth=2.5, zorder=7)
    axes.text(left + length / 2, low + 0.012 * height, f"{metres:g} m", ha="center", va="bottom",
              fontsize=7, zorder=7)  # fmt: skip
    right = x1 - 0.04 * (x1 - x0)
    axes.annotate("N", (right, y1 - 0.03 * height), (right, y1 - 0.13 * height), ha="center",
                  fontsize=9, zorder=7, arrowprops={"arrowstyle": "->"})  # fmt: skip
