"""Counting: what lies inside a polygon, by layer and class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Frame,
    Layer,
    LayerRefs,
    MeshData,
    Params,
    PointCloudData,
    Problem,
    RasterData,
    Region,
    Result,
    Scene,
    Table,
    TilesData,
    Value,
    VectorData,
    read_grid,
    region,
    standing,
    table_columns,
    tr,
)

FloatArray = NDArray[np.float64]

#: Cells of a raster that are looked at; more are thinned.
MAX_CELLS = 20_000_000


class CountParams(Params):
    """What `measure.count` can be asked."""

    polygon: Annotated[
        Region,
        Field(title=N_("Polygon"), description=N_("What lies inside is counted; may have holes.")),
    ]
    layers: Annotated[
        LayerRefs,
        Field(
            min_length=1,
            title=N_("Layers"),
            description=N_("Features, elements, points and cells of these layers are counted."),
        ),
    ]
    by: Annotated[
        str,
        Field(
            title=N_("Class by"),
            description=N_("Attribute that tells the classes of features apart; optional."),
        ),
    ] = ""
    inside: Annotated[
        Literal["centre", "whole", "touching"],
        Field(
            title=N_("Counts as inside"),
            description=N_("A thing whose centre is inside, that is wholly inside, or touches it."),
        ),
    ] = "centre"


@dataclass(frozen=True)
class Contents:
    """Snapshot: the layers, and the metres of the project."""

    frame: Frame
    layers: tuple[Layer, ...]


#: A row without its layer: class, count, area inside, length inside, lowest, highest.
Row = tuple[str, int, float | None, float | None, float | None, float | None]


class Count(Analysis[CountParams]):
    """Entities, points and cells inside a polygon, by class, with areas and heights.

    Areas and lengths are those parts of the counted features that lie inside, on the map. The
    centre of a feature is a point that is sure to lie on it; of an element it is the middle of its
    box.
    """

    id = "measure.count"
    version = "1"
    title = N_("Count")
    description = N_(
        "What lies inside a polygon: features and elements by class with their areas, points of "
        "clouds by class, cells of rasters with their heights."
    )
    Params = CountParams

    def check(self, scene: Scene, params: CountParams) -> list[Problem]:
        if not params.by:
            return []
        if not any(params.by in table_columns(scene[n]) for n in params.layers):
            text = tr("None of the layers has the attribute “{name}”.", name=params.by[:80])
            return [Problem("by", text)]
        return []

    def layers(self, params: CountParams) -> list[str]:
        return list(dict.fromkeys(params.layers))

    def prepare(self, scene: Scene, params: CountParams) -> Contents:
        frame = Frame.of(scene.georeference)
        return Contents(frame, tuple(standing(scene, scene[n]) for n in self.layers(params)))

    def compute(self, inputs: Contents, params: CountParams, feedback: Feedback) -> Result:
        polygon = region(params.polygon)
        rows: list[tuple[Any, ...]] = []
        warnings: list[str] = []
        entities = points = 0
        for n, layer in enumerate(inputs.layers):
            feedback.step(n, len(inputs.layers), tr("Counting in {name}", name=layer.name))
            found = _count(layer, polygon, params, inputs.frame)
            if not found:
                warnings.append(tr("Nothing of “{name}” lies inside.", name=layer.name))
            total = sum(row[1] for row in found)
            if isinstance(layer.data, PointCloudData):
                points += total
            elif isinstance(layer.data, VectorData | MeshData | TilesData):
                entities += total
            rows += [(layer.id, *row) for row in found]
        scale = inputs.frame.scale[0]
        columns = ("layer", "class", "count", "area", "length", "z_min", "z_max")
        units = {"area": "m²", "length": "m", "z_min": "m", "z_max": "m"}
        return Result(
            values={
                "entities": Value(entities),
                "points": Value(points),
                "polygon_area": Value(float(polygon.area) * scale**2, "m²"),
            },
            tables={"counts": Table(columns, tuple(rows), units)},
            warnings=warnings,
            headline="entities",
        )


def _count(layer: Layer, polygon: Any, params: CountParams, frame: Frame) -> list[Row]:
    data = layer.data
    if isinstance(data, VectorData):
        return _features(data, polygon, params, frame)
    if isinstance(data, MeshData):
        return _elements(data, polygon, params, frame)
    if isinstance(data, TilesData):
        return _elements(data.mesh(polygon.bounds).mesh, polygon, params, frame)
    if isinstance(data, PointCloudData):
        return _points(data.within(polygon.bounds), polygon, frame)
    if isinstance(data, RasterData):
        return _cells(data, polygon, frame)
    return []


def _features(data: VectorData, polygon: Any, params: CountParams, frame: Frame) -> list[Row]:
    import shapely

    shapes = data.features.geometry.to_numpy()
    known = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    shapely.prepare(polygon)
    chosen = np.zeros(len(shapes), dtype=bool)
    if params.inside == "touching":
        chosen[known] = shapely.intersects(polygon, shapes[known])
    elif params.inside == "whole":
        chosen[known] = shapely.covers(polygon, shapes[known])
    else:
        chosen[known] = shapely.intersects(polygon, shapely.point_on_surface(shapes[known]))
    classes = np.full(len(shapes), "", dtype=object)
    if params.by in data.features.columns:
        column = data.features[params.by]
        classes = column.astype(object).where(column.notna(), "").astype(str).to_numpy()
    rows: list[Row] = []
    for name in sorted(set(classes[chosen].tolist())):
        mine = shapes[chosen & (classes == name)]
        parts = shapely.intersection(shapely.force_2d(mine), polygon)
        kinds = shapely.get_dimensions(mine)
        area = math.fsum(shapely.area(parts[kinds == 2])) * frame.scale[0] ** 2
        length = math.fsum(shapely.length(parts[kinds == 1])) * frame.scale[0]
        z = shapely.get_coordinates(mine, include_z=True)[:, 2]
        low, high = _range(z * frame.scale[2] if data.has_z else z[:0])
        sizes = (area if (kinds == 2).any() else None, length if (kinds == 1).any() else None)
        rows.append((name, len(mine), *sizes, low, high))
    return rows


def _elements(data: MeshData, polygon: Any, params: CountParams, frame: Frame) -> list[Row]:
    """Count elements by class; a mesh without elements is one thing, its triangles decide."""
    import shapely

    count = max(1, len(data.elements))
    owner = np.zeros(len(data.triangles), dtype=np.intp)
    if data.elements and data.element_index is not None:
        owner = np.asarray(data.element_index)
    shapely.prepare(polygon)
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    corners = data.vertices[data.triangles[owner >= 0]]
    np.minimum.at(low, owner[owner >= 0], corners.min(axis=1))
    np.maximum.at(high, owner[owner >= 0], corners.max(axis=1))
    solid = np.isfinite(low).all(axis=1)
    middle = (low + high) / 2
    inside = np.zeros(count, dtype=bool)
    if params.inside == "centre":
        inside[solid] = shapely.intersects_xy(polygon, middle[solid, :2])
    else:
        boxes = shapely.box(*low[solid, :2].T, *high[solid, :2].T)
        test = shapely.covers if params.inside == "whole" else shapely.intersects
        inside[solid] = test(polygon, boxes)
    names = np.array([element.cls for element in data.elements] or [""], dtype=object)
    rows: list[Row] = []
    for name in sorted(set(names[inside].tolist())):
        mine = inside & (names == name)
        heights = np.concatenate([low[mine, 2], high[mine, 2]]) * frame.scale[2]
        rows.append((name, int(mine.sum()), None, None, *_range(heights)))
    return rows


def _points(data: PointCloudData, polygon: Any, frame: Frame) -> list[Row]:
    import shapely

    shapely.prepare(polygon)
    inside = shapely.intersects_xy(polygon, data.points[:, 0], data.points[:, 1])
    classes = data.attributes.get("classification", np.zeros(len(data.points), dtype=np.uint8))
    rows: list[Row] = []
    for number in np.unique(classes[inside]).tolist():
        z = data.points[inside & (classes == number), 2] * frame.scale[2]
        name = str(number) if "classification" in data.attributes else ""
        rows.append((name, len(z), None, None, *_range(z)))
    return rows


def _cells(data: RasterData, polygon: Any, frame: Frame) -> list[Row]:
    """Count cells of terrain whose centres are inside."""
    import shapely

    if data.role != "terrain":
        return []
    heights, (a, _, c, _, e, f) = read_grid(data, MAX_CELLS, polygon.bounds)
    if heights.size == 0:
        return []
    rows, columns = heights.shape
    x, y = np.meshgrid(c + (np.arange(columns) + 0.5) * a, f + (np.arange(rows) + 0.5) * e)
    shapely.prepare(polygon)
    known = shapely.intersects_xy(polygon, x, y) & np.isfinite(heights)
    count = int(known.sum())
    if count == 0:
        return []
    return [("", count, count * abs(a * e) * frame.scale[0] ** 2, None, *_range(heights[known]))]


def _range(values: FloatArray) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else (None, None)
