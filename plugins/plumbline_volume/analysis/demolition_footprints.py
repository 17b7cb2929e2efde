"""Footprints with what their attributes say, and the models that belong to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from plumbline.api import Entities, Frame, MeshData, RefusedError, Scene, VectorData, tr

FloatArray = NDArray[np.float64]

#: What columns are called, by what they mean.
NAMES = {
    "number": ("编号", "gml_id", "id"),
    "name": ("名称", "name", "Name"),
    "use": ("用途", "使用性质", "use", "function"),
    "storeys": ("层数", "地上层数", "storeys", "floors"),
    "structure": ("结构", "结构类型", "structure"),
    "height": ("高度", "建筑高度", "height"),
    "floor_area": ("建筑面积", "floor_area"),
}


@dataclass(frozen=True)
class Footprint:
    """A building on the map of the frame; `id` is that of its feature."""

    id: str
    name: str
    shape: Any
    attributes: dict[str, Any]
    layer: str = ""

    def text(self, meaning: str) -> str:
        """Return an attribute as text, empty where it is not there."""
        for column in NAMES[meaning]:
            value = self.attributes.get(column)
            if value is not None and value == value and str(value).strip():
                return str(value).strip()
        return ""

    def number(self, meaning: str) -> float | None:
        """Return an attribute as a number, None where it holds none."""
        for column in NAMES[meaning]:
            value = self.attributes.get(column)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value) if math.isfinite(value) else None
        return None


def to_frame(shape: Any, frame: Frame) -> Any:
    """Return a shape of the project CRS on the map of the frame, without heights."""
    scale, origin = np.array(frame.scale[:2]), np.array(frame.origin[:2])
    return shapely.transform(shapely.force_2d(shape), lambda xy: (xy - origin) * scale)


def to_project(shape: Any, frame: Frame) -> Any:
    """Return a shape on the map of the frame in the project CRS."""
    scale, origin = np.array(frame.scale[:2]), np.array(frame.origin[:2])
    return shapely.transform(shape, lambda xy: xy / scale + origin)


def outlines_of(scene: Scene, refs: Sequence[Entities], frame: Frame) -> list[Footprint]:
    """Return the outlines of layers; on the scene's thread.

    Raises
    ------
    RefusedError
        If an entity that is asked for is not there.
    """
    found: list[Footprint] = []
    for ref in refs:
        layer = scene[ref.layer]
        assert isinstance(layer.data, VectorData)
        features = layer.data.features
        labels = features.index.astype(str)
        missing = set(ref.entities) - set(labels)
        if missing:
            raise RefusedError(
                tr("“{name}” has no entity “{id}”.", name=layer.name, id=min(missing)[:80]),
                tr("Choose entities of the layer."),
            )
        hidden = scene.hidden_entities(ref.layer)
        rows = features.drop(columns=features.geometry.name).to_dict("records")
        for label, shape, row in zip(labels, features.geometry, rows, strict=True):
            if label in hidden or (ref.entities and label not in ref.entities):
                continue
            polygons = _polygons(shape, frame)
            if polygons is not None:
                attributes = {str(key): value for key, value in row.items()}
                one = Footprint(label, "", polygons, attributes, ref.layer)
                found.append(Footprint(label, one.text("name"), polygons, attributes, ref.layer))
    return found


def _polygons(shape: Any, frame: Frame) -> Any:
    """Return the polygons of a feature, mended where sides cross; None where there are none."""
    if shape is None or shape.is_empty:
        return None
    local = to_frame(shape, frame)
    if not local.is_valid:
        local = shapely.make_valid(local)
    parts = [p for p in shapely.get_parts(local) if p.geom_type == "Polygon" and p.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def models_of(
    scene: Scene, layer_id: str, footprints: Sequence[Footprint], frame: Frame
) -> dict[str, FloatArray]:
    """Return the triangles ``(M, 3, 3)`` of the model of each footprint, by the footprint's id.

    A model belongs to the footprint whose number it bears, else to the one that it stands on.
    """
    data = scene[layer_id].data
    assert isinstance(data, MeshData)
    corners = frame.local(data.vertices)[data.triangles]
    if not data.elements or data.element_index is None:
        return {}
    by_number = {one.text("number"): one.id for one in footprints if one.text("number")}
    tree = shapely.STRtree([one.shape for one in footprints])
    order = np.argsort(data.element_index, kind="stable")
    ends = np.searchsorted(data.element_index[order], np.arange(len(data.elements) + 1))
    found: dict[str, list[FloatArray]] = {}
    hidden = scene.hidden_entities(layer_id)
    for number, element in enumerate(data.elements):
        own = corners[order[ends[number] : ends[number + 1]]]
        if len(own) == 0 or element.id in hidden:
            continue
        owner = by_number.get(element.id) or _stands_on(own, footprints, tree)
        if owner is not None:
            found.setdefault(owner, []).append(own)
    return {owner: np.concatenate(parts) for owner, parts in found.items()}


def _stands_on(corners: FloatArray, footprints: Sequence[Footprint], tree: Any) -> str | None:
    """Return the footprint that holds most of the middles of a model's faces."""
    middles = corners[..., :2].mean(axis=1)
    points = shapely.points(middles)
    _, hits = tree.query(points, predicate="intersects")
    if len(hits) == 0:
        return None
    numbers, counts = np.unique(hits, return_counts=True)
    best = int(np.argmax(counts))
    return footprints[int(numbers[best])].id if counts[best] > len(points) / 2 else None
