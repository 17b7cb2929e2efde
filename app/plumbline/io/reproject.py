"""Bringing a layer into the project CRS: every vertex, point and corner in float64.

The plane is transformed; heights are kept, in metres, unless both CRS name a vertical datum and the
two differ. What was done is written into the layer as a sentence, because it decides what a height
means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.crs import (
    crs_label,
    horizontal_crs,
    same_crs,
    transformer,
    vertical_factor,
)
from plumbline.core.data import (
    Bounds,
    FloatArray,
    MeshData,
    PointCloudData,
    RasterData,
    VectorData,
)
from plumbline.core.errors import InputError, MissingCrsError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.core.tiles import MovedSource, TilesData

if TYPE_CHECKING:
    from pyproj import CRS, Transformer

#: Points transformed between two looks at the cancel button.
CHUNK = 100_000


def reproject_layer(layer: Layer, target: CRS, feedback: Feedback | None = None) -> None:
    """Bring a layer into another CRS, in place; nothing changes when it is there already.

    Parameters
    ----------
    layer : Layer
        With a CRS. Rasters stay as they are on disk and are read through a warped view.
    target : CRS
        The project CRS.

    Raises
    ------
    MissingCrsError
        If the layer has no CRS.
    InputError
        If points of the layer have no place in the target CRS.
    """
    if layer.crs is None:
        raise MissingCrsError(
            tr("“{name}” does not say its coordinate reference system.", name=layer.name),
            tr("State it: --crs EPSG:… on the command line, or in the dialog."),
        )
    plan = _plan(layer, target)
    if plan is None:
        return
    feedback = feedback or Feedback()
    data = layer.data
    if isinstance(data, RasterData):
        _reproject_raster(layer, data, target)
    elif isinstance(data, MeshData):
        data.vertices = _points(data.vertices, plan, layer.name, feedback)
    elif isinstance(data, TiledCloud):
        data.move(plan.move)
        assert data.bounds is not None
        _all_placed(np.array([data.bounds.as_list()]).reshape(-1, 3), layer.name)
    elif isinstance(data, PointCloudData):
        data.points = _points(data.points, plan, layer.name, feedback)
    elif isinstance(data, TilesData):
        data.source = MovedSource(data.source, plan.move)
        boxes = [tile.bounds.as_list() for tile in data.source.roots()]
        _all_placed(np.array(boxes).reshape(-1, 3), layer.name)
    else:
        assert isinstance(data, VectorData)
        _reproject_features(data, plan, layer.name, target, feedback)
    layer.metadata["reprojected"] = tr(
        "From {source} to {target}; {heights}.",
        source=crs_label(layer.crs),
        target=crs_label(target),
        heights=plan.heights,
    )
    if plan.operation:
        layer.metadata["operation"] = plan.operation
    layer.warnings += plan.warnings
    layer.crs = target


@dataclass
class _Plan:
    """How points travel: ``(N, 3)`` in, ``(N, 3)`` out."""

    move: Callable[[FloatArray], FloatArray]
    heights: str
    operation: str
    warnings: list[str]


def _plan(layer: Layer, target: CRS) -> _Plan | None:
    """Return how to move the layer's points, None when they are in place."""
    source = layer.crs
    assert source is not None
    if source.is_geocentric:
        move = _through(transformer(source, target.to_3d()), True)
        heights = tr("heights are ellipsoidal, in metres")
        return _Plan(move, heights, "", [])
    warnings: list[str] = []
    factor, assumed = _height_factor(layer, source)
    if assumed and _has_heights(layer):
        warnings.append(
            tr("The unit of heights is not stated; that of the plane was taken: {unit}.",
               unit=source.axis_info[0].unit_name)
        )  # fmt: skip
    factor /= vertical_factor(target) or 1.0
    same_plane = same_crs(source, target)
    shifted = _vertical_shift(layer, source, target, warnings)
    if shifted is not None:
        heights = tr("heights moved to {datum}", datum=_vertical_name(target))
        return _Plan(_through(shifted, True), heights, shifted.description, warnings)
    if same_plane and (factor == 1.0 or isinstance(layer.data, RasterData)):
        layer.warnings += warnings
        return None
    flat = transformer(horizontal_crs(source), horizontal_crs(target))
    heights = (
        tr("heights kept")
        if factor == 1.0
        else tr("heights multiplied by {factor}", factor=f"{factor:.9g}")
    )
    return _Plan(_through(flat, False, factor), heights, _operation(flat), warnings)


def _through(
    way: Transformer, with_heights: bool, factor: float = 1.0
) -> Callable[[FloatArray], FloatArray]:
    def move(points: FloatArray) -> FloatArray:
        if with_heights:
            return np.column_stack(way.transform(points[:, 0], points[:, 1], points[:, 2]))
        x, y = way.transform(points[:, 0], points[:, 1])
        return np.column_stack([x, y, points[:, 2] * factor])

    return move


def _operation(way: Transformer) -> str:
    """Return PROJ's name of the operation and its accuracy where PROJ knows one."""
    name = way.description or ""
    if name.startswith("unavailable"):  # several operations; each point takes the best
        return ""
    known = way.accuracy is not None and way.accuracy >= 0
    return f"{name} (± {way.accuracy:g} m)" if known else name


def _height_factor(layer: Layer, source: CRS) -> tuple[float, bool]:
    """Return metres per unit of the layer's heights, and whether that was assumed."""
    if isinstance(layer.data, RasterData):
        return 1.0, False  # its readers give metres already
    stated = layer.metadata.get("z_factor")
    if isinstance(stated, int | float):
        return float(stated), False
    vertical = vertical_factor(source)
    if vertical is not None:
        return vertical, False
    if source.is_projected and source.axis_info:
        plane = float(source.axis_info[0].unit_conversion_factor)
        return plane, abs(plane - 1.0) > 1e-9
    return 1.0, False


def _has_heights(layer: Layer) -> bool:
    return not isinstance(layer.data, VectorData) or layer.data.has_z


def _vertical_part(crs: CRS) -> CRS | None:
    return next((part for part in crs.sub_crs_list if part.is_vertical), None)


def _vertical_name(crs: CRS) -> str:
    part = _vertical_part(crs)
    return str(part.name) if part is not None else tr("ellipsoidal heights")


def _vertical_shift(
    layer: Layer, source: CRS, target: CRS, warnings: list[str]
) -> Transformer | None:
    """Return the transformer that also moves heights, None when heights are to be kept."""
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    a, b = _vertical_part(source), _vertical_part(target)
    if a is None or b is None or not _has_heights(layer):
        return None
    datums = [part.datum.name if part.datum is not None else part.name for part in (a, b)]
    if datums[0] == datums[1]:
        return None
    if not isinstance(layer.data, RasterData):
        try:
            return Transformer.from_crs(source, target, always_xy=True, allow_ballpark=False)
        except ProjError:
            pass
    warnings.append(
        tr(
            "Heights stay in {source}: no transformation to {target} is available here.",
            source=a.name,
            target=b.name,
        )
    )
    return None


def _points(points: FloatArray, plan: _Plan, name: str, feedback: Feedback) -> FloatArray:
    """Move points ``(N, 3)`` in chunks."""
    moved = np.empty_like(points, dtype=np.float64)
    for start in range(0, len(points), CHUNK):
        feedback.step(start, len(points), tr("Reprojecting {name}", name=name))
        part = slice(start, start + CHUNK)
        moved[part] = plan.move(points[part])
    _all_placed(moved, name)
    return moved


def _all_placed(points: FloatArray, name: str) -> None:
    failed = int((~np.isfinite(points).all(axis=1)).sum())
    if failed:
        raise InputError(
            tr("{n} points of “{name}” have no place in the project CRS.", n=failed, name=name),
            tr("Check the CRS that the layer states; give another with --crs EPSG:…."),
        )


def _reproject_features(
    data: VectorData, plan: _Plan, name: str, target: CRS, feedback: Feedback
) -> None:
    import geopandas
    import shapely

    frame = data.features
    shapes = frame.geometry.to_numpy()
    points = shapely.get_coordinates(shapes, include_z=True)
    if not data.has_z:
        points[:, 2] = 0.0
    moved = _points(points, plan, name, feedback)
    shapes = shapely.set_coordinates(shapes.copy(), moved if data.has_z else moved[:, :2])
    geometry = geopandas.GeoSeries(shapes, index=frame.index, crs=target)
    data.features = frame.set_geometry(geometry.rename(str(frame.geometry.name)))


def _reproject_raster(layer: Layer, data: RasterData, target: CRS) -> None:
    """Note the target and the box there; readers warp."""
    from plumbline.io.raster import corners

    assert data.crs is not None
    outline = corners(data.transform, data.width, data.height)
    steps = np.linspace(0.0, 1.0, 33)[:, None]
    sides = [a + steps * (b - a) for a, b in zip(outline, np.roll(outline, -1, 0), strict=True)]
    border = np.concatenate(sides)
    way = transformer(horizontal_crs(data.crs), horizontal_crs(target))
    moved = np.column_stack(way.transform(border[:, 0], border[:, 1]))
    _all_placed(moved, layer.name)
    (xmin, ymin), (xmax, ymax) = moved.min(axis=0), moved.max(axis=0)
    low, high = data.height_range or (0.0, 0.0)
    data.target_crs = target
    data.bounds = Bounds(float(xmin), float(ymin), low, float(xmax), float(ymax), high)
