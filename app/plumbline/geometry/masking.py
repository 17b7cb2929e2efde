"""What a scheme clears from layers that know no buildings: meshes, tiles, clouds, photographs.

What stands above a cleared area goes, cut exactly at its sides; the sources stay as they are. The
terrain below is another layer, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, Bounds, FloatArray, MeshData, PointCloudData
from plumbline.geometry.prism import part_above, points_above

if TYPE_CHECKING:
    import shapely

#: A building is cleared with what is near to its walls, metres: eaves, and the blur of matching.
MARGIN = 1.0


def area_of(outlines: Iterable[Sequence[Sequence[tuple[float, float]]]]) -> shapely.MultiPolygon:
    """Return polygons from rings (the outline, then its holes), joined; empty without any."""
    import shapely

    shapes = [
        shapely.make_valid(shapely.Polygon(rings[0], rings[1:]))
        for rings in outlines
        if rings and len(rings[0]) >= 3
    ]
    joined = shapely.union_all(shapes)
    return shapely.MultiPolygon(
        [part for part in shapely.get_parts(joined) if part.geom_type == "Polygon"]
    )


def clearing_around(
    footprint: shapely.Polygon | shapely.MultiPolygon,
    standing: Sequence[shapely.Polygon | shapely.MultiPolygon] = (),
    margin: float = MARGIN,
) -> list[tuple[tuple[tuple[float, float], ...], ...]]:
    """Return the rings of what is cleared when a building goes.

    Parameters
    ----------
    footprint : polygon or polygons
        Of the building.
    standing : sequence of polygons
        Footprints of buildings that stay: the margin does not reach into them.
    margin : float
        Units of the CRS.
    """
    import shapely

    grown = shapely.buffer(footprint, margin, join_style="mitre")
    kept = [other for other in standing if shapely.intersects(grown, other)]
    cleared = shapely.difference(grown, shapely.union_all(kept)) if kept else grown
    parts = [part for part in shapely.get_parts(cleared) if part.geom_type == "Polygon"]
    return [
        tuple(
            tuple((float(x), float(y)) for x, y in ring.coords[:-1])
            for ring in (part.exterior, *part.interiors)
        )
        for part in parts
    ]


def cleared_mesh(data: MeshData, area: shapely.MultiPolygon) -> MeshData:
    """Return a mesh without what stands above an area; the mesh itself where nothing does."""
    import shapely

    box = data.bounds
    if box is None or area.is_empty:
        return data
    around = shapely.box(box.xmin, box.ymin, box.xmax, box.ymax)
    if not shapely.intersects(around, area):
        return data
    # A frame wider than the mesh, so that nothing is cut at its rim.
    frame = shapely.buffer(around, 1.0 + box.diagonal * 1e-3, join_style="mitre")
    return part_above(data, shapely.difference(frame, area))


def standing_points(points: FloatArray, area: shapely.MultiPolygon) -> NDArray[np.bool_]:
    """Tell which points ``(N, 3)`` do not lie above an area."""
    kept = np.ones(len(points), dtype=bool)
    if not area.is_empty:
        kept[points_above(points, area)] = False
    return kept


class StandingCloud(PointCloudData):
    """A cloud without the points above an area; it is read as its source is, in blocks or whole.

    Parameters
    ----------
    source : PointCloudData
    area : polygons
        In the CRS of the points.
    """

    def __init__(self, source: PointCloudData, area: shapely.MultiPolygon) -> None:
        self._source, self._area = source, area
        self._held: PointCloudData | None = None

    def __repr__(self) -> str:
        return f"StandingCloud({self._source!r})"

    def _all(self) -> PointCloudData:
        if self._held is None:
            self._held = self._without(self._source)
        return self._held

    def _without(self, cloud: PointCloudData) -> PointCloudData:
        kept = standing_points(cloud.points, self._area)
        attributes = {name: values[kept] for name, values in cloud.attributes.items()}
        return PointCloudData(cloud.points[kept], attributes)

    @property
    def points(self) -> FloatArray:
        """Points ``(N, 3)`` that stand."""
        return self._all().points

    @points.setter
    def points(self, points: FloatArray) -> None:
        raise AttributeError("what stands of a cloud is read, not moved")

    @property
    def attributes(self) -> dict[str, AnyArray]:  # type: ignore[override]
        """Attributes of the points that stand."""
        return self._all().attributes

    @property
    def bounds(self) -> Bounds | None:
        """Box of the source, which holds all that stands."""
        return self._source.bounds

    @property
    def counts(self) -> dict[str, int]:
        """Points of the source: how many are looked through."""
        return self._source.counts

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes; nothing is read."""
        return self._source.attribute_names

    def within(self, box: tuple[float, float, float, float]) -> PointCloudData:
        """Return the points that stand in a box, its border included."""
        return self._without(self._source.within(box))

    def blocks(
        self, size: int, around: tuple[float, float, float, float] | None = None
    ) -> Iterator[tuple[AnyArray, AnyArray | None]]:
        """Yield the points that stand and their classes, at most `size` at a time."""
        for points, classes in self._source.blocks(size, around):
            kept = standing_points(points, self._area)
            yield points[kept], None if classes is None else classes[kept]


def cleared_pixels(
    shape: tuple[int, int],
    box: tuple[float, float, float, float],
    area: shapely.MultiPolygon,
) -> NDArray[np.bool_]:
    """Tell which pixels ``(rows, columns)`` of a picture have their centre in an area.

    Parameters
    ----------
    box : (xmin, ymin, xmax, ymax)
        Of the picture, whose first row is in the north.
    """
    import shapely

    rows, columns = shape
    west, south, east, north = box
    found = np.zeros(shape, dtype=bool)
    step_x, step_y = (east - west) / columns, (north - south) / rows
    for part in shapely.get_parts(area):
        x0, y0, x1, y1 = part.bounds
        left, right = _span((x0 - west) / step_x, (x1 - west) / step_x, columns)
        top, bottom = _span((north - y1) / step_y, (north - y0) / step_y, rows)
        x = west + (np.arange(left, right) + 0.5) * step_x
        y = north - (np.arange(top, bottom) + 0.5) * step_y
        grid_x, grid_y = np.meshgrid(x, y)
        shapely.prepare(part)
        found[top:bottom, left:right] |= shapely.contains_xy(part, grid_x, grid_y)
    return found


def _span(low: float, high: float, count: int) -> tuple[int, int]:
    return max(0, int(np.floor(low))), min(count, int(np.ceil(high)))


def footprint_of(data: Any, entity: str) -> shapely.Polygon | shapely.MultiPolygon | None:
    """Return what an entity of a vector layer or a mesh covers on the map; None for nothing."""
    import shapely

    from plumbline.core.data import VectorData

    if isinstance(data, VectorData):
        labels = data.features.index
        label: Any = int(entity) if labels.dtype.kind in "iu" and entity.isdigit() else entity
        shape = data.features.geometry.get(label)
        parts = [] if shape is None else shapely.get_parts(shapely.force_2d(shape))
    elif isinstance(data, MeshData) and data.element_index is not None:
        wanted = [n for n, element in enumerate(data.elements) if element.id == entity]
        faces = data.triangles[np.isin(data.element_index, wanted)]
        flat = shapely.polygons(data.vertices[faces][..., :2])
        parts = shapely.get_parts(
            shapely.union_all(flat[shapely.area(flat) > 1e-6], grid_size=1e-4)
        )
    else:
        return None
    polygons = [part for part in parts if part.geom_type == "Polygon"]
    if not polygons:
        return None
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
