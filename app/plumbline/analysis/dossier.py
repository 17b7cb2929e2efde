"""The dossier of an entity: everything that is known of it, whichever of its parts was picked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from plumbline.core.city import CityEntity, DocumentName
from plumbline.core.data import BimData, GridData, MeshData, VectorData
from plumbline.core.entities import Attributes, entity_attributes
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Record, Scene
from plumbline.core.units import default_digits, format_value
from plumbline.geometry.geodesy import crs_units
from plumbline.geometry.prism import points_above

#: Things of one model that are described one by one; of more, their kinds are counted.
MAX_DESCRIBED = 3
#: Points of a result this near to the outline concern what stands on it, units of the CRS.
NEAR = 0.5


def dossier(scene: Scene, entity: CityEntity) -> Attributes:
    """Return groups of names and values: itself, its parts, rows, documents and results.

    Titles are translated or names that people gave; they are not to be translated again.
    """
    groups: Attributes = [(tr("Entity"), _itself(scene, entity))]
    by_layer: dict[str, list[str]] = {}
    for ref in entity.parts:
        by_layer.setdefault(ref.layer, []).append(ref.entity)
    for layer_id, ids in by_layer.items():
        if layer_id in scene:
            rows = _rows_of(scene[layer_id], ids)
            groups.append((scene[layer_id].name, rows))
    for part in entity.surfaces:
        if part.layer in scene:
            what = tr("Triangles") if part.what == "triangles" else tr("Points")
            rows = [(what, part.count), (tr("Lowest"), part.low), (tr("Highest"), part.high)]
            groups.append((scene[part.layer].name, rows))
    groups += [(name, list(row.items())) for name, row in entity.rows.items()]
    if entity.documents:
        named = [
            (tr("Document {n}", n=n), DocumentName(name))
            for n, name in enumerate(entity.documents, start=1)
        ]
        groups.append((tr("Documents"), named))
    if found := list(results_of(scene, entity)):
        groups.append((tr("Results"), found))
    return groups


def _itself(scene: Scene, entity: CityEntity) -> list[tuple[str, Any]]:
    units = crs_units(scene.georeference.crs)
    rows: list[tuple[str, Any]] = [(tr("Id"), entity.id)]
    if entity.name:
        rows.append((tr("Name"), entity.name))
    if entity.height is not None:
        source = entity.sources.get("height", "")
        rows.append((tr("Height"), f"{format_value(entity.height, 'm', digits=2)}{_from(source)}"))
    if entity.storeys is not None:
        source = entity.sources.get("storeys", "")
        rows.append((tr("Storeys"), f"{entity.storeys:g}{_from(source)}"))
    for name, level in ((tr("Ground"), entity.base), (tr("Roof"), entity.top)):
        if level is not None:
            rows.append((name, format_value(level * units.vertical, "m", digits=2)))
    if units.horizontal is not None:
        area = entity.shape().area * units.horizontal**2
        rows.append((tr("Footprint area"), format_value(area, "m²", digits=1)))
    return rows


def _from(source: str) -> str:
    return f" ({tr(source)})" if source else ""


def _rows_of(layer: Layer, ids: list[str]) -> list[tuple[str, Any]]:
    """Return what a layer says of some of its things, flat; of many, how many of which kind."""
    data = layer.data
    if len(ids) > MAX_DESCRIBED and isinstance(data, MeshData):
        wanted = set(ids)
        kinds: dict[str, int] = {}
        for element in data.elements:
            if element.id in wanted:
                kinds[element.cls or tr("Elements")] = kinds.get(element.cls, 0) + 1
        rows: list[tuple[str, Any]] = [(tr("Elements"), len(ids)), *sorted(kinds.items())]
        if isinstance(data, BimData) and data.storeys:
            rows.insert(1, (tr("Storeys"), len(data.storeys)))
        return rows
    return [row for one in ids[:MAX_DESCRIBED] for _, rows in entity_attributes(layer, one)
            for row in rows]  # fmt: skip


def results_of(scene: Scene, entity: CityEntity) -> Iterator[tuple[str, Any]]:
    """Yield names and values of kept results and layers of results that concern an entity."""
    import shapely

    around = shapely.buffer(entity.shape(), NEAR)
    ids: dict[str, set[str]] = {}
    for ref in entity.parts:
        ids.setdefault(ref.layer, set()).add(ref.entity)
    for record in scene.records:
        if _names(record.request.get("params"), ids) or _touches(record, around):
            yield record.name, record.label or tr("kept")
    for layer in scene:
        if layer.kind is LayerKind.RESULT or isinstance(layer.data, GridData):
            value = _value_at(layer, around, ids)
            if value:
                yield layer.name, value


def _names(params: Any, ids: Mapping[str, set[str]]) -> bool:
    """Tell whether a request names things of an entity: ``{"layer": ID, "entities": [...]}``."""
    if isinstance(params, Mapping):
        layer, things = params.get("layer"), params.get("entities")
        if isinstance(layer, str) and isinstance(things, list | tuple):
            return bool(ids.get(layer, set()) & set(map(str, things)))
        return any(_names(value, ids) for value in params.values())
    return isinstance(params, list | tuple) and any(_names(value, ids) for value in params)


def _touches(record: Record, around: Any) -> bool:
    import shapely

    return bool(record.points) and any(
        shapely.intersects_xy(around, point[0], point[1]) for point in record.points
    )


def _value_at(layer: Layer, around: Any, ids: Mapping[str, set[str]]) -> str:
    """Return what a result says at an entity: its cells, its features, its triangles; or ""."""
    data = layer.data
    if isinstance(data, GridData):
        return _cells(data, around)
    if isinstance(data, VectorData):
        count = int(data.features.geometry.intersects(around).sum())
        return tr("{n} features", n=count) if count else ""
    if isinstance(data, MeshData) and data.scalars:
        middle = data.vertices[np.asarray(data.triangles)].mean(axis=1)
        numbers = next(iter(data.scalars.values()))
        return _spread(np.asarray(numbers)[points_above(middle, around)], "")
    return ""


def _cells(data: GridData, around: Any) -> str:
    """Return what the cells say whose middles lie above an outline."""
    a, b, x0, d, e, y0 = data.transform
    west, south, east, north = around.bounds
    corners = np.array([(x - x0, y - y0) for x in (west, east) for y in (south, north)])
    columns, rows = np.linalg.solve([[a, b], [d, e]], corners.T)
    height, width = data.values.shape
    r, c = (
        np.arange(max(0, int(np.floor(v.min()))), min(end, int(np.ceil(v.max())) + 1))
        for v, end in ((rows, height), (columns, width))
    )
    row, column = (grid.ravel() for grid in np.meshgrid(r, c, indexing="ij"))
    x, y = column + 0.5, row + 0.5
    middle = np.column_stack([a * x + b * y + x0, d * x + e * y + y0, np.zeros(x.size)])
    inside = points_above(middle, around)
    values = data.values[row[inside], column[inside]]
    if values.dtype != np.uint8:
        return _spread(values, data.unit)
    known = values[values != 255]
    if len(known) == 0:
        return ""
    share = f"{100 * float((known > 0).mean()):.0f}"
    return tr("{share} % of {n} cells", share=share, n=len(known))


def _spread(values: Any, unit: str) -> str:
    """Return the lowest and highest number, the mean between them; "" where there is none."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return ""
    digits = default_digits(unit)
    low, mean, high = (
        format_value(float(v), unit, digits=digits)
        for v in (known.min(), known.mean(), known.max())
    )
    return tr("{low} to {high}, mean {mean}", low=low, high=high, mean=mean)
