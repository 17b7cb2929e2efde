"""The things in a layer, whatever its kind: their ids, attributes, table and boxes.

An entity is an IFC product, a mesh element, a vector feature, a point of a cloud, a cell of a
computed grid or a triangle of a mesh with computed numbers. The attribute panel, the attribute
table, search and "zoom to selection" all ask here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.core.cloud_tree import tree_of
from plumbline.core.data import (
    BimData,
    Bounds,
    Element,
    FloatArray,
    GridData,
    MeshData,
    PointCloudData,
    VectorData,
)
from plumbline.core.i18n import N_, tr
from plumbline.core.layer import Layer
from plumbline.core.units import format_value

#: Groups of attributes: title (English, passes through `tr`) and rows of name and value.
Attributes = list[tuple[str, list[tuple[str, Any]]]]


def entity_ids(layer: Layer) -> list[str]:
    """Return the ids of a layer's entities; empty for clouds and rasters, which have too many."""
    data = layer.data
    if isinstance(data, VectorData):
        return [str(i) for i in data.features.index]
    if isinstance(data, MeshData):
        return [element.id for element in data.elements]
    return []


def entity_name(layer: Layer, entity: str) -> str:
    """Return what people call an entity: its name attribute, else its class and id."""
    data = layer.data
    if isinstance(data, VectorData):
        row = _feature(data, entity)
        for column in ("名称", "name", "Name", "NAME", "编号", "id"):
            if row is not None and column in row and isinstance(row[column], str) and row[column]:
                return str(row[column])
    elif isinstance(data, MeshData):
        element = _element(data, entity)
        if element is not None and (element.name or element.cls):
            return element.name or f"{element.cls} {element.id}"
    if (met := _met(data, entity)) is not None and (met.name or met.cls):
        return met.name or f"{met.cls} {met.id}"
    if isinstance(data, GridData) and (value := _cell_value(data, entity)) is not None:
        return f"{tr(data.quantity) if data.quantity else layer.name}: {value}"
    return f"{layer.name} {entity}"


def entity_attributes(layer: Layer, entity: str) -> Attributes:
    """Return everything that is known of an entity; empty when the layer has no such entity."""
    data = layer.data
    if isinstance(data, VectorData):
        row = _feature(data, entity)
        return [] if row is None else [(N_("Attributes"), list(row.items()))]
    if isinstance(data, MeshData):
        element = _element(data, entity)
        described = [] if element is None else _element_attributes(element)
        return described + _numbers_of(data, entity)
    if tree_of(data) is not None:
        met = _met(data, entity)
        return [] if met is None else _element_attributes(met)
    if isinstance(data, PointCloudData):
        return _point_attributes(data, entity)
    if isinstance(data, GridData):
        return _cell_attributes(data, entity)
    return []


def entity_bounds(layer: Layer, entity: str) -> Bounds | None:
    """Return the box of an entity in the project CRS."""
    data = layer.data
    if isinstance(data, VectorData):
        return _feature_bounds(data, entity)
    if isinstance(data, MeshData) and data.element_index is not None:
        wanted = [n for n, element in enumerate(data.elements) if element.id == entity]
        if wanted:
            triangles = data.triangles[data.element_index == wanted[0]]
            return Bounds.of(data.vertices[triangles.ravel()])
    if isinstance(data, GridData) and (cell := grid_cell(data, entity)) is not None:
        return Bounds.of(cell_corners(data, *cell))
    if (tree := tree_of(data)) is not None:
        return tree.box_of(entity)
    if isinstance(data, PointCloudData) and entity.isdigit() and int(entity) < len(data.points):
        return Bounds.of(data.points[int(entity)][None])
    return None


def table_columns(layer: Layer) -> list[str]:
    """Return the columns of a layer's attribute table; empty when it has none."""
    data = layer.data
    if isinstance(data, VectorData):
        return [str(c) for c in data.features.columns if c != data.features.geometry.name]
    if isinstance(data, MeshData) and not isinstance(data, BimData) and _properties(data):
        return [N_("Id"), N_("Name"), *_properties(data)]
    if isinstance(data, MeshData) and data.elements:
        return [N_("Id"), N_("Class"), N_("Name"), N_("Storey"), N_("Type"), N_("Material")]
    return []


def table_rows(layer: Layer) -> list[tuple[Any, ...]]:
    """Return the rows of a layer's attribute table, in the order of `entity_ids`."""
    data = layer.data
    if isinstance(data, VectorData):
        frame = data.features.drop(columns=data.features.geometry.name)
        return list(frame.itertuples(index=False, name=None))
    if isinstance(data, MeshData) and not isinstance(data, BimData) and _properties(data):
        names = _properties(data)
        flat = [{k: v for g in e.properties.values() for k, v in g.items()} for e in data.elements]
        return [
            (e.id, e.name, *(row.get(name) for name in names))
            for e, row in zip(data.elements, flat, strict=True)
        ]
    if isinstance(data, MeshData):
        return [(e.id, e.cls, e.name, e.storey, e.type_name, e.material) for e in data.elements]
    return []


def _properties(data: MeshData) -> list[str]:
    """Return the names of all properties of a mesh's elements, in the order of their coming."""
    groups = (group for element in data.elements for group in element.properties.values())
    return list(dict.fromkeys(name for group in groups for name in group))


def _feature(data: VectorData, entity: str) -> dict[str, Any] | None:
    labels = data.features.index
    label: Any = int(entity) if labels.dtype.kind in "iu" and entity.isdigit() else entity
    if label not in labels:
        return None
    row = data.features.loc[label].to_dict()
    row.pop(data.features.geometry.name, None)
    return {str(k): v for k, v in row.items()}


def _feature_bounds(data: VectorData, entity: str) -> Bounds | None:
    import shapely

    labels = data.features.index
    label: Any = int(entity) if labels.dtype.kind in "iu" and entity.isdigit() else entity
    if label not in labels:
        return None
    points = shapely.get_coordinates(data.features.geometry.loc[label], include_z=True)
    return Bounds.of(np.nan_to_num(points, nan=0.0))


def _element(data: MeshData, entity: str) -> Element | None:
    return next((element for element in data.elements if element.id == entity), None)


def _met(data: object, entity: str) -> Element | None:
    """Return a thing in a tree of tiles, if somebody met it."""
    tree = tree_of(data)
    return None if tree is None else tree.element(entity)


def _element_attributes(element: Element) -> Attributes:
    general = [
        (tr("Name"), element.name),
        (tr("Class"), element.cls),
        (tr("Type"), element.type_name),
        (tr("Storey"), element.storey),
        (tr("Material"), element.material),
        (tr("Id"), element.id),
    ]
    groups: Attributes = [(N_("General"), [(name, value) for name, value in general if value])]
    groups += [(name, list(values.items())) for name, values in element.properties.items()]
    return groups


def _numbers_of(data: MeshData, entity: str) -> Attributes:
    """Return the computed numbers of an element, lowest and highest, or of a single triangle."""
    if not data.scalars:
        return []
    if data.elements and data.element_index is not None:
        place = next((n for n, e in enumerate(data.elements) if e.id == entity), None)
        chosen = data.element_index == place
    else:
        chosen = np.arange(len(data.triangles)) == (int(entity) if entity.isdigit() else -1)
    rows: list[tuple[str, Any]] = []
    for name, numbers in data.scalars.items():
        known = numbers[chosen & np.isfinite(numbers)]
        if len(known):
            ends = dict.fromkeys(format_value(float(v)) for v in (known.min(), known.max()))
            rows.append((tr(name), " … ".join(ends)))
    return [(N_("Results"), rows)] if rows else []


def _point_attributes(data: PointCloudData, entity: str) -> Attributes:
    if not entity.isdigit() or int(entity) >= len(data.points):
        return []
    n = int(entity)
    rows: list[tuple[str, Any]] = list(zip("XYZ", data.points[n].tolist(), strict=True))
    for name, values in data.attributes.items():
        value = values[n]
        rows.append((name, ", ".join(map(str, value)) if np.ndim(value) else value.item()))
    return [(N_("Point"), rows)]


def grid_cell(data: GridData, entity: str) -> tuple[int, int] | None:
    """Return row and column of a cell by its number, counted row by row from the first."""
    if not (entity.isascii() and entity.isdigit()) or int(entity) >= data.values.size:
        return None
    columns = int(data.values.shape[1])
    return divmod(int(entity), columns)


def cell_corners(data: GridData, row: int, column: int) -> FloatArray:
    """Return the corners of a cell ``(4, 3)``; z is its number if numbers are heights, else 0."""
    a, b, c, d, e, f = data.transform
    z = float(data.values[row, column]) if data.heights else 0.0
    around = ((0, 0), (1, 0), (1, 1), (0, 1))
    places = [(column + i, row + j) for i, j in around]
    return np.array([(a * i + b * j + c, d * i + e * j + f, z) for i, j in places])


def _cell_value(data: GridData, entity: str) -> str | None:
    """Return the number of a cell with its unit; a dash where there is none."""
    cell = grid_cell(data, entity)
    if cell is None:
        return None
    value = data.values[cell]
    if not np.isfinite(value) or value == data.nodata:
        return "–"
    if data.values.dtype == np.uint8:
        boolean = bool(np.isin(data.values, (0, 1, 255)).all())
        return (tr("Yes") if value else tr("No")) if boolean else str(int(value))
    return format_value(float(value), data.unit)


def _cell_attributes(data: GridData, entity: str) -> Attributes:
    cell = grid_cell(data, entity)
    if cell is None:
        return []
    row, column = cell
    x, y, _ = cell_corners(data, row, column).mean(axis=0).tolist()
    name = tr(data.quantity) if data.quantity else tr("Value")
    place = [("X", x), ("Y", y), (tr("Row"), row + 1), (tr("Column"), column + 1)]
    return [(N_("Cell"), [(name, _cell_value(data, entity)), *place])]


def has_table(layer: Layer) -> bool:
    """Tell whether the attribute table can show a layer; asks without reading the table."""
    if isinstance(layer.data, VectorData):
        return len(layer.data.features.columns) > 1
    return isinstance(layer.data, MeshData) and bool(layer.data.elements)
