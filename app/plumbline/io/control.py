"""Bringing a layer into place by control points: local grids, and models that float.

A table beside the file names points before and after: ``x, y, z, to_x, to_y, to_z`` (heights may be
left out). Every vertex is transformed; the residuals are told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.data import FloatArray, MeshData, PointCloudData, VectorData
from plumbline.core.errors import InputError, RefusedError, UsageError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.core.tiles import MovedSource, TilesData
from plumbline.geometry.similarity import Similarity, fit_plane, fit_space
from plumbline.io.table import read_table

#: Residuals above this are a warning, metres.
DOUBTFUL = 0.1
FITS = ("4", "3", "7")


def place_by_control(layer: Layer, folder: Path, name: str, method: str) -> None:
    """Transform a layer by the control points in a table, in place.

    Parameters
    ----------
    name : str
        CSV or XLSX in `folder`.
    method : str
        ``"4"`` (shift, turn, scale on the map), ``"3"`` (without scale), ``"7"`` (in space).

    Raises
    ------
    UsageError, InputError, RefusedError
        If the table cannot be read, or its points do not fix a transformation.
    """
    source, target = read_control(folder, name)
    if method == "7":
        fit = fit_space(source, target)
    else:
        fit = fit_plane(source, target, with_scale=method == "4")
    transform(layer, fit)
    worst = float(np.linalg.norm(fit.residuals, axis=1).max())
    layer.metadata["control"] = {
        "points": len(source),
        "parameters": int(method),
        "scale": fit.scale,
        "turn": fit.turn,
        "shift": (fit.shift - fit.origin).tolist(),
        "rms": fit.rms,
        "residuals": np.round(fit.residuals, 6).tolist(),
    }
    layer.metadata["crs_source"] = "control"
    if worst > DOUBTFUL:
        layer.warnings.append(
            tr(
                "The control points do not fit each other: the largest residual is {size:.3f} m.",
                size=worst,
            )
        )


def read_control(folder: Path, name: str) -> tuple[FloatArray, FloatArray]:
    """Return control points before and after ``(N, 3)``, heights NaN where none are given."""
    if not name or Path(name).name != name:
        raise UsageError(
            tr("“{name}” is not the name of a file beside the layer.", name=name[:80]),
            tr("Put the table into the folder of the layer."),
        )
    header, rows = read_table(folder / name)
    lower = [column.lower() for column in header]
    missing = [c for c in ("x", "y", "to_x", "to_y") if c not in lower]
    if missing:
        raise InputError(
            tr("The table of control points has no column “{name}”.", name=missing[0]),
            tr("Name its columns x, y, z, to_x, to_y, to_z."),
        )
    columns = []
    for column in ("x", "y", "z", "to_x", "to_y", "to_z"):
        place = lower.index(column) if column in lower else -1
        columns.append([_number(row, place, column) for row in rows])
    points = np.array(columns, dtype=np.float64).T.reshape(-1, 6)
    return points[:, :3], points[:, 3:]


def _number(row: list[object], place: int, column: str) -> float:
    if place < 0 or place >= len(row) or row[place] in (None, ""):
        return float("nan")
    try:
        return float(str(row[place]))
    except ValueError as error:
        raise InputError(
            tr("“{text}” in column “{name}” is no number.", text=str(row[place])[:40], name=column),
            tr("Correct the table of control points."),
        ) from error


def transform(layer: Layer, fit: Similarity) -> None:
    """Move everything in a layer, in place; its CRS is what the control points are in."""
    data = layer.data
    if isinstance(data, MeshData):
        data.vertices = fit.apply(data.vertices)
    elif isinstance(data, TiledCloud):
        data.move(fit.apply)
    elif isinstance(data, PointCloudData):
        data.points = fit.apply(data.points)
    elif isinstance(data, VectorData):
        _move_features(data, fit)
    elif isinstance(data, TilesData):
        data.source = MovedSource(data.source, fit.apply)
    else:
        raise RefusedError(
            tr("“{name}” is a raster: it cannot be turned without computing it anew.",
               name=layer.name),
            tr("Georeference it before, e.g. with gdal_translate and gdalwarp."),
        )  # fmt: skip
    layer.crs = None


def _move_features(data: VectorData, fit: Similarity) -> None:
    import geopandas
    import shapely

    shapes = data.features.geometry.to_numpy()
    points = shapely.get_coordinates(shapes, include_z=True)
    moved = fit.apply(np.nan_to_num(points, nan=0.0))
    shapes = shapely.set_coordinates(shapes.copy(), moved if data.has_z else moved[:, :2])
    name = str(data.features.geometry.name)
    series = geopandas.GeoSeries(shapes, index=data.features.index, name=name)
    data.features = data.features.drop(columns=name).set_geometry(series)
