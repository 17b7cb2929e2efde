"""Vector layers: points, lines and polygons, laid on the terrain, at own heights, or extruded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, Bounds, FloatArray, VectorData
from plumbline.geometry.features import feature_edges
from plumbline.geometry.polygons import Rings, rings_of, triangulate
from plumbline.geometry.rays import PointSet, SegmentSet, TriangleSet
from plumbline.render.colors import categories, palette, rgb8
from plumbline.render.ground import drape_lines, drape_triangles, lay
from plumbline.render.mesh import mark_triangles
from plumbline.render.parts import Label, Part, Prepared, Request, Target
from plumbline.render.scales import scale_of
from plumbline.render.snapping import SnapSet
from plumbline.render.tubes import tubes

#: Pixels around a point or a line in which a click takes it.
REACH = 4.0
#: Features with this much or less to stand up are drawn flat, metres.
FLAT = 0.05


#: Grey of a feature without a number.
NO_NUMBER = (160, 165, 172)


@dataclass
class _Shape:
    """Points with cells of one kind in the project CRS; `owner` is the feature of each cell."""

    points: FloatArray
    cells: AnyArray
    owner: NDArray[np.intp]
    draped: bool


def prepare(request: Request) -> Prepared:
    """Prepare a vector layer."""
    data = request.layer.data
    assert isinstance(data, VectorData)
    labels = data.features.index.astype(str).to_numpy()
    shown = ~np.isin(labels, list(request.hidden))
    shown &= ~(data.features.geometry.is_empty | data.features.geometry.isna()).to_numpy()
    rows = np.nonzero(shown)[0]
    colors = feature_colors(request, data)
    prepared = Prepared()
    layer = _Vector(request, data, labels, colors, prepared)
    layer.add_polygons(rows)
    layer.add_lines(rows)
    layer.add_points(rows)
    prepared.labels = layer.names(rows)
    prepared.highlight = layer.highlight
    prepared.extent = layer.extent
    return prepared


class _Vector:
    """A vector layer being prepared, kept to mark its features later."""

    def __init__(
        self,
        request: Request,
        data: VectorData,
        labels: AnyArray,
        colors: NDArray[np.uint8],
        prepared: Prepared,
    ) -> None:
        self.request = request
        self.geometry = data.features.geometry.to_numpy()
        self.has_z = data.has_z
        self.data = data
        self.labels = labels
        self.colors = colors
        self.prepared = prepared
        self.faces: list[_Shape] = []
        self.segments: list[_Shape] = []
        self.dots: list[_Shape] = []

    # -- polygons

    def add_polygons(self, rows: NDArray[np.intp]) -> None:
        rings = rings_of(self.geometry[rows], rows)
        if len(rings.starts) == 0:
            return
        height = self._numbers(self.request.style.extrude)
        tall = np.nan_to_num(height) > FLAT
        rises = tall[rings.feature]
        if rises.any():
            self._extruded(rings.take(rises), height)
        if not rises.all():
            self._flat(rings.take(~rises))

    def _numbers(self, column: str) -> FloatArray:
        """Return an attribute as numbers, NaN where it holds none."""
        import pandas as pd

        if not column or column not in self.data.features.columns:
            return np.full(len(self.labels), np.nan)
        values = pd.to_numeric(self.data.features[column], errors="coerce")
        result: FloatArray = values.to_numpy(dtype=np.float64)
        return result

    def _extruded(self, rings: Rings, height: FloatArray) -> None:
        base = self._bases(rings)
        roof_z = base + height
        triangles, owner = triangulate(rings)
        roof = np.column_stack([rings.points, roof_z[rings.point_feature]])
        floor = np.column_stack([rings.points, base[rings.point_feature]])
        start, end = rings.segments()
        n = len(roof)
        walls = np.concatenate(
            [np.column_stack([start, end, end + n]), np.column_stack([start, end + n, start + n])]
        )
        wall_owner = np.tile(rings.point_feature[start], 2)
        points = np.vstack([roof, floor])
        faces = np.concatenate([triangles, walls])
        shape = _Shape(points, faces, np.concatenate([owner, wall_owner]), False)
        corners = rings.corners()
        edges = np.concatenate(
            [np.column_stack([start, end]), np.column_stack([corners, corners + n])]
        )
        self._show_faces(shape)
        style = self.request.style
        self.prepared.parts.append(
            Part(
                points=self.request.local32(points),
                lines=edges,
                color=self.request.theme.edge,
                opacity=0.9 if style.edges else 0.4,
                size=1.0,
                lit=False,
                outline=True,
                detail=0.6,
                resting_only=True,
            )
        )

    def _bases(self, rings: Rings) -> FloatArray:
        """Return the height of the base of every feature.

        That is its attribute, else its own lowest z, else the lowest ground under its outline, so
        that no wall hangs in the air on a slope.
        """
        given = self._numbers(self.request.style.base)
        if self.has_z and rings.z is not None:
            z = rings.z
        else:
            ground = self.request.ground if self.request.style.drape else None
            z = lay(ground, rings.points)[:, 2]
        lowest = np.full(len(self.labels), np.inf)
        np.minimum.at(lowest, rings.point_feature, z)
        return np.where(np.isfinite(given), given, lowest)

    def _flat(self, rings: Rings) -> None:
        triangles, owner = triangulate(rings)
        start, end = rings.segments()
        ring_owner = rings.point_feature[start]
        if self.has_z and rings.z is not None:
            points = np.column_stack([rings.points, rings.z])
            faces = _Shape(points, triangles, owner, False)
            outline = _Shape(points, np.column_stack([start, end]), ring_owner, False)
        else:
            ground = self.request.ground if self.request.style.drape else None
            points, cells, parents = drape_triangles(ground, rings.points, triangles)
            faces = _Shape(points, cells, owner[parents], True)
            lines = drape_lines(ground, rings.points, np.column_stack([start, end]))
            outline = _Shape(lines[0], lines[1], ring_owner[lines[2]], True)
        self._show_faces(faces)
        self.segments.append(outline)
        if outline.draped:
            self._add_snaps("edge", outline, rings.point_feature)
        darker = (self.colors * 0.7).astype(np.uint8)
        self._show_lines(outline, darker, min(self.request.style.line_width, 1.5))

    def _show_faces(self, shape: _Shape) -> None:
        self.faces.append(shape)
        self.prepared.parts.append(
            Part(
                points=self.request.local32(shape.points),
                triangles=shape.cells,
                colors=self.colors[shape.owner],
                cell_colors=True,
                lit=not shape.draped,
                draped=shape.draped,
            )
        )
        target = TriangleSet(shape.points, shape.cells)
        self._add_target(target, shape, solid=not shape.draped)
        if not shape.draped:
            found = feature_edges(shape.points, shape.cells, shape.owner)
            ends = found.edges.reshape(-1, 3)
            cells = np.arange(len(ends)).reshape(-1, 2)
            self._add_snaps("feature", _Shape(ends, cells, found.owner, False))

    # -- lines

    def add_lines(self, rows: NDArray[np.intp]) -> None:
        import shapely

        parts, feature = _parts_of(self.geometry[rows], rows, (1, 2))
        if len(parts) == 0:
            return
        coordinates, owner = shapely.get_coordinates(parts, include_z=True, return_index=True)
        diameter = self._numbers(self.request.style.tube) * self.request.style.tube_unit
        if (thick := np.nan_to_num(diameter)[feature] > 0).any():
            self._tubes(coordinates, owner, feature, diameter)
            if thick.all():
                return
            inside = ~thick[owner]
            coordinates, owner = coordinates[inside], owner[inside]
        joined = np.nonzero(owner[1:] == owner[:-1])[0]
        segments = np.column_stack([joined, joined + 1])
        segment_owner = feature[owner[joined]]
        if self.has_z:
            points = np.nan_to_num(coordinates)
            shape = _Shape(points, segments, segment_owner, False)
        else:
            ground = self.request.ground if self.request.style.drape else None
            points, cells, parents = drape_lines(ground, coordinates[:, :2], segments)
            shape = _Shape(points, cells, segment_owner[parents], True)
        self.segments.append(shape)
        width = self.request.style.line_width
        self._show_lines(shape, self.colors, width)
        reach = width / 2 + REACH
        ends = shape.points[shape.cells]
        self._add_target(SegmentSet(ends, reach), shape, solid=False)
        self._add_snaps("edge", shape, feature[owner])

    def _tubes(
        self,
        coordinates: FloatArray,
        owner: NDArray[np.intp],
        feature: NDArray[np.intp],
        diameter: FloatArray,
    ) -> None:
        """Show lines whose diameter is known as tubes, at their own heights or below the ground."""
        radius = diameter[feature][owner] / 2
        points = np.array(coordinates)
        if self.has_z:
            points[:, 2] = np.nan_to_num(points[:, 2])
        else:
            below = np.nan_to_num(self._numbers(self.request.style.depth))[feature][owner]
            points[:, 2] = lay(self.request.ground, points[:, :2])[:, 2] - below - radius
        joined = (owner[1:] == owner[:-1]) & (np.diff(points, axis=0) != 0).any(axis=1)
        first = np.nonzero(joined & (radius[1:] > 0))[0]
        if len(first) == 0:
            return
        ends = np.stack([points[first], points[first + 1]], axis=1)
        made = tubes(ends, radius[first], owner[first])
        shape = _Shape(made.points, made.triangles, feature[owner[first]][made.segment], False)
        self.faces.append(shape)
        self.prepared.parts.append(
            Part(
                points=self.request.local32(shape.points),
                triangles=shape.cells,
                colors=self.colors[shape.owner],
                cell_colors=True,
                normals=made.normals.astype(np.float32),
                smooth=True,
            )
        )
        self._add_target(TriangleSet(shape.points, shape.cells), shape, solid=True)
        # From afar a tube is thinner than a pixel: its axis stays to be seen, and to be hit.
        cells = np.arange(2 * len(first)).reshape(-1, 2)
        axis = _Shape(ends.reshape(-1, 3), cells, feature[owner[first]], False)
        width = self.request.style.line_width
        self._show_lines(axis, self.colors, width, draped=False)
        self._add_target(SegmentSet(ends, width / 2 + REACH), axis, solid=False)

    def _show_lines(
        self, shape: _Shape, colors: NDArray[np.uint8], width: float, *, draped: bool = True
    ) -> None:
        self.prepared.parts.append(
            Part(
                points=self.request.local32(shape.points),
                lines=shape.cells,
                colors=colors[shape.owner],
                cell_colors=True,
                lit=False,
                draped=draped,
                size=width,
            )
        )

    # -- points

    def add_points(self, rows: NDArray[np.intp]) -> None:
        import shapely

        parts, feature = _parts_of(self.geometry[rows], rows, (0,))
        if len(parts) == 0:
            return
        coordinates = shapely.get_coordinates(parts, include_z=True)
        if self.has_z:
            points = np.nan_to_num(coordinates)
        else:
            ground = self.request.ground if self.request.style.drape else None
            points = lay(ground, coordinates[:, :2])
        shape = _Shape(points, np.arange(len(points))[:, None], feature, not self.has_z)
        self.dots.append(shape)
        size = max(6.0, 3 * self.request.style.point_size)
        self.prepared.parts.append(
            Part(
                points=self.request.local32(points),
                colors=self.colors[feature],
                size=size,
                round=True,
                draped=True,
            )
        )
        self._add_target(PointSet(points, size / 2 + REACH / 2), shape, solid=False)

    # -- names

    def names(self, rows: NDArray[np.intp]) -> list[Label]:
        """Return the names of features by the attribute of the style, in their middles."""
        import shapely

        column = self.request.style.label
        if not column or column not in self.data.features.columns:
            return []
        values = self.data.features[column].to_numpy()[rows]
        named = np.array([v is not None and v == v and str(v).strip() != "" for v in values])
        rows, values = rows[named], values[named]
        geometry = self.geometry[rows]
        middle = np.where(
            shapely.get_dimensions(geometry) == 1,
            shapely.line_interpolate_point(_lines(geometry), 0.5, normalized=True),
            shapely.point_on_surface(geometry),
        )
        xy = shapely.get_coordinates(middle)
        z = self._tops(rows, xy)
        return [
            Label(str(value), (float(x), float(y), float(height)))
            for value, (x, y), height in zip(values, xy, z, strict=True)
        ]

    def _tops(self, rows: NDArray[np.intp], xy: FloatArray) -> FloatArray:
        """Return the highest z drawn of each feature, or the ground where it is flat on it."""
        top = np.full(len(self.labels), -np.inf)
        for shape in (*self.faces, *self.segments, *self.dots):
            if not shape.draped:
                owner = np.repeat(shape.owner, shape.cells.shape[1])
                np.maximum.at(top, owner, shape.points[shape.cells.ravel(), 2])
        ground = self.request.ground if self.request.style.drape else None
        return np.where(np.isfinite(top[rows]), top[rows], lay(ground, xy)[:, 2])

    # -- picking and marking

    def _add_target(
        self, pickable: TriangleSet | SegmentSet | PointSet, shape: _Shape, *, solid: bool
    ) -> None:
        labels = self.labels
        self.prepared.targets.append(
            Target(
                pickable,
                entity=lambda n: str(labels[shape.owner[n]]),
                primitive=lambda n: int(shape.owner[n]),
                solid=solid,
                draped=shape.draped,
            )
        )

    def _add_snaps(
        self, kind: str, shape: _Shape, corner_owner: NDArray[np.intp] | None = None
    ) -> None:
        """Let a hand snap to the edges of a shape, their ends and middles.

        What is draped has bends where the ground has them: only its own corners count there, the
        first points of the shape, of which the owner is given.
        """
        labels, edge_owner = self.labels, shape.owner
        ends = shape.points[shape.cells]
        corners, owner, middles = ends.reshape(-1, 3), np.repeat(edge_owner, 2), ends.mean(axis=1)
        if shape.draped and corner_owner is not None:
            corners, owner, middles = shape.points[: len(corner_owner)], corner_owner, middles[:0]

        def entity(part: str, number: int) -> str:
            return str(labels[owner[number] if part == "vertex" else edge_owner[number]])

        self.prepared.snaps.append(SnapSet(kind, ends, corners, middles, entity))

    def _rows(self, ids: Iterable[str]) -> AnyArray:
        return np.nonzero(np.isin(self.labels, list(ids)))[0]

    def highlight(self, ids: Iterable[str]) -> list[Part]:
        rows, request = self._rows(ids), self.request
        color = request.theme.selection
        parts: list[Part] = []
        for shape in self.faces:
            cells = shape.cells[np.isin(shape.owner, rows)]
            if shape.draped and len(cells):
                points = request.local32(shape.points)
                parts.append(Part(points, cells, color=color, opacity=0.28, lit=False, draped=True))
            elif len(cells):
                parts += mark_triangles(request, shape.points, cells)
        for shape in self.segments:
            cells = shape.cells[np.isin(shape.owner, rows)]
            if len(cells):
                width = max(3.0, request.style.line_width + 2)
                points = request.local32(shape.points)
                parts.append(
                    Part(points, lines=cells, color=color, size=width, lit=False, draped=True)
                )
        for shape in self.dots:
            marked = shape.points[np.isin(shape.owner, rows)]
            if len(marked):
                points = request.local32(marked)
                parts.append(Part(points, color=color, size=14.0, round=True, draped=True))
        return parts

    def extent(self, ids: Iterable[str]) -> Bounds | None:
        rows = self._rows(ids)
        corners = []
        for shape in (*self.faces, *self.segments, *self.dots):
            cells = shape.cells[np.isin(shape.owner, rows)]
            corners.append(Bounds.of(shape.points[cells.ravel()]))
        return Bounds.union(corners)


def feature_colors(request: Request, data: VectorData) -> NDArray[np.uint8]:
    """Return the colour ``(N, 3)`` of every feature by the layer's style."""
    import pandas as pd

    style, table = request.style, data.features
    named = style.attribute in table.columns
    if named and style.color_by == "attribute" and style.breaks:
        numbers = pd.to_numeric(table[style.attribute], errors="coerce").to_numpy(dtype=np.float64)
        bands = scale_of(numbers, style, request.theme).colors(numbers)
        return np.where(bands[:, 3:] > 0, bands[:, :3], NO_NUMBER).astype(np.uint8)
    classed = style.class_colors and style.color_by != "solid"
    if named and (style.color_by in ("attribute", "class") or classed):
        column = table[style.attribute]
        numeric = pd.api.types.is_numeric_dtype(column) and not style.class_colors
        if numeric and style.color_by == "attribute":
            return palette(style.palette, column.to_numpy(dtype=np.float64), style.value_range)
        return categories(column.tolist(), style.class_colors, request.theme.categorical)
    return np.tile(np.array(rgb8(style.color), dtype=np.uint8), (len(table), 1))


def _lines(geometry: AnyArray) -> AnyArray:
    """Return the longest line of each geometry, None where it is no line."""
    import shapely

    parts, index = shapely.get_parts(geometry, return_index=True)
    lines = shapely.get_dimensions(parts) == 1
    parts, index = parts[lines], index[lines]
    order = np.argsort(shapely.length(parts), kind="stable")
    result = np.full(len(geometry), None, dtype=object)
    result[index[order]] = parts[order]
    return result


def _parts_of(
    geometry: AnyArray, rows: NDArray[np.intp], types: tuple[int, ...]
) -> tuple[AnyArray, NDArray[np.intp]]:
    """Return simple geometries of some types, and the row of the feature of each."""
    import shapely

    parts, index = shapely.get_parts(geometry, return_index=True)
    # Collections may hold multi-geometries: take those apart as well.
    parts, inner = shapely.get_parts(parts, return_index=True)
    chosen = np.isin(shapely.get_type_id(parts), types)
    return parts[chosen], rows[index[inner[chosen]]]
