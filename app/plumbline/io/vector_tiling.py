"""Large vector layers as meshes that can be tiled: areas, lines as ribbons, with all attributes."""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.core.data import Element, FloatArray, IntArray, MeshData, VectorData
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr
from plumbline.geometry.polygons import triangles_of_features


def mesh_of_features(data: VectorData, height: str, width: float) -> MeshData:
    """Return the features of a layer as triangles, an element for each with its attributes.

    Parameters
    ----------
    height : str
        Column with heights in metres to which areas are raised; empty: they lie flat.
    width : float
        Width of lines, metres.

    Raises
    ------
    UsageError
        If there is no such column, or the layer has points only.
    """
    import shapely

    frame = data.features
    if height and height not in frame.columns:
        raise UsageError(
            tr("There is no column “{name}”.", name=height),
            tr("Its columns are: {names}.", names=", ".join(map(str, frame.columns))),
        )
    shapes = frame.geometry.to_numpy().copy()
    dimension = shapely.get_dimensions(shapes)
    if not (dimension >= 1).any():
        raise UsageError(
            tr("The layer holds no areas and no lines."),
            tr("Points need no tiles: add them as they are."),
        )
    lines = dimension == 1
    levels = _levels(shapes)
    shapes[lines] = shapely.buffer(shapely.force_2d(shapes[lines]), width / 2, cap_style="flat")
    shapes[dimension < 1] = None
    raised = np.zeros(len(frame))
    if height:
        raised = np.nan_to_num(np.asarray(frame[height], np.float64))
    points, features = triangles_of_features(shapely.force_2d(shapes))
    corners = np.zeros((len(points), 3, 3))
    corners[..., :2] = points[..., :2]
    corners[..., 2] = (levels + np.where(lines, 0, raised))[features][:, None]
    walls, owners = _walls(shapes, levels, np.where(lines, 0, raised))
    corners, owner = np.concatenate([corners, walls]), np.concatenate([features, owners])
    vertices, back = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    mesh = MeshData(vertices, back.reshape(-1, 3))
    mesh.elements = [
        Element(str(key), properties={"Attributes": _plain(row)})
        for key, row in frame.drop(columns=frame.geometry.name).to_dict("index").items()
    ]
    mesh.element_index = owner.astype(np.int32)
    return mesh


def _levels(shapes: Any) -> FloatArray:
    """Return the mean height of each feature, 0 where it has none."""
    import shapely

    points, index = shapely.get_coordinates(shapes, include_z=True, return_index=True)
    count = np.maximum(np.bincount(index, minlength=len(shapes)), 1)
    total = np.bincount(index, np.nan_to_num(points[:, 2]), minlength=len(shapes))
    found: FloatArray = total / count
    return found


def _walls(shapes: Any, levels: FloatArray, raised: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the walls ``(M, 3, 3)`` under raised areas and their features."""
    import shapely

    tall = np.flatnonzero(raised > 0)
    parts, part_of = shapely.get_parts(shapes[tall], return_index=True)
    parts = shapely.orient_polygons(parts)
    rings, ring_of = shapely.get_rings(parts, return_index=True)
    points, index = shapely.get_coordinates(rings, return_index=True)
    owner = tall[part_of[ring_of[index]]] if len(index) else np.zeros(0, np.int64)
    same = np.flatnonzero(index[:-1] == index[1:]) if len(index) else np.zeros(0, np.int64)
    a, b, mine = points[same], points[same + 1], owner[same]
    low = levels[mine][:, None]
    high = (levels + raised)[mine][:, None]
    p, q = np.hstack([a, low]), np.hstack([b, low])
    r, s = np.hstack([b, high]), np.hstack([a, high])
    walls = np.concatenate([np.stack([p, q, r], 1), np.stack([p, r, s], 1)])
    return walls, np.concatenate([mine, mine])


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """Return the values of a row that are there, as plain ones."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        value = value.item() if isinstance(value, np.generic) else value
        if value is None or value != value:  # NaN and NaT differ from themselves
            continue
        plain[str(name)] = value if isinstance(value, bool | int | float | str) else str(value)
    return plain
