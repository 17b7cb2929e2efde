"""Single-building extraction: the part of a mesh, of tiles or of a cloud that belongs to an entity.

Cut exactly at the entity's outline; the source is never changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.city import CityEntity
from plumbline.core.data import MeshData, PointCloudData
from plumbline.core.errors import RefusedError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.tiles import TilesData
from plumbline.geometry.prism import part_above, points_above

if TYPE_CHECKING:
    import shapely

_BLOCK = 1_000_000


def part_of_entity(
    layer: Layer, entity: CityEntity, margin: float = 0.0, feedback: Feedback | None = None
) -> MeshData | PointCloudData:
    """Return what of a layer belongs to an entity.

    Parameters
    ----------
    margin : float
        The outline is widened by this first, units of the CRS; things with ids of their own are
        taken whole.

    Raises
    ------
    RefusedError
        If the layer has nothing of the entity.
    """
    feedback = feedback or Feedback()
    data = layer.data
    things = {ref.entity for ref in entity.parts if ref.layer == layer.id}
    found: MeshData | PointCloudData | None = None
    if isinstance(data, MeshData) and things:
        found = elements_of(data, things)
    elif isinstance(data, MeshData | TilesData):
        outline = _outline(entity, margin)
        box: tuple[float, float, float, float] = outline.bounds
        mesh = data if isinstance(data, MeshData) else data.mesh(box, feedback=feedback).mesh
        found = part_above(mesh, outline)
    elif isinstance(data, PointCloudData):
        found = _points(data, _outline(entity, margin), feedback)
    if found is None or _is_empty(found):
        raise RefusedError(
            tr("“{layer}” has nothing of “{name}”.", layer=layer.name, name=entity.title),
            tr("Choose a mesh, tiles, a cloud or a model that covers it."),
        )
    return found


def _outline(entity: CityEntity, margin: float) -> shapely.Geometry:
    import shapely

    shape = entity.shape()
    return shape if margin == 0 else shapely.buffer(shape, margin, join_style="mitre")


def _is_empty(data: MeshData | PointCloudData) -> bool:
    return len(data.triangles if isinstance(data, MeshData) else data.points) == 0


def elements_of(data: MeshData, ids: set[str]) -> MeshData:
    """Return some elements of a mesh as a mesh, with what they share."""
    numbers = [n for n, element in enumerate(data.elements) if element.id in ids]
    index = np.full(len(data.triangles), -1) if data.element_index is None else data.element_index
    chosen = np.isin(index, numbers)
    triangles = np.asarray(data.triangles)[chosen]
    used, inverse = np.unique(triangles, return_inverse=True)
    place = {number: n for n, number in enumerate(numbers)}
    return MeshData(
        data.vertices[used],
        inverse.reshape(-1, 3),
        None if data.uv is None else data.uv[used],
        None if data.colors is None else data.colors[used],
        list(data.materials),
        None if data.material_index is None else np.asarray(data.material_index)[chosen],
        [replace(data.elements[n]) for n in numbers],
        np.array([place[n] for n in np.asarray(index)[chosen].tolist()], dtype=np.int32),
        {name: np.asarray(values)[chosen] for name, values in data.scalars.items()},
    )


def _points(data: PointCloudData, outline: shapely.Geometry, feedback: Feedback) -> PointCloudData:
    rows, before = [], 0
    for points, _ in data.blocks(_BLOCK):
        feedback.check()
        rows.append(points_above(points, outline) + before)
        before += len(points)
    chosen = np.concatenate(rows) if rows else np.empty(0, np.intp)
    if len(chosen) == 0:
        return PointCloudData(np.empty((0, 3)))
    attributes = {name: values[chosen] for name, values in data.attributes.items()}
    return PointCloudData(data.points[chosen], attributes)


def extracted_layer(
    layer: Layer, entity: CityEntity, layer_id: str, feedback: Feedback | None = None
) -> Layer:
    """Return an entity's part of a layer as a layer of its own, drawn like its source."""
    data = part_of_entity(layer, entity, feedback=feedback)
    name = tr("{name} of {layer}", name=entity.title, layer=layer.name)
    metadata = {"format": tr("Part of “{name}”", name=layer.name), "entity": entity.id}
    kind = LayerKind.POINTCLOUD if isinstance(data, PointCloudData) else LayerKind.MESH
    return Layer(layer_id, name, kind, data, layer.crs, metadata=metadata, style=layer.style)
