"""What of a mesh or a cloud stands above an outline on the map: the exact cut by a vertical prism.

Triangles inside of the outline stay as they are. Those that its sides cross are cut at these sides
in space, so that walls, which have no area on the map, are cut like roofs. The source is untouched.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray, MeshData
from plumbline.geometry.polygons import rings_of, triangulate

if TYPE_CHECKING:
    import shapely

#: Pieces smaller than this are what rounding leaves of a cut, square units of the CRS.
_NOTHING = 1e-12
#: A corner this near to a side of the outline lies on it, units of the CRS.
_ON_LINE = 1e-9


@dataclass(frozen=True)
class Cut:
    """Triangles of a mesh inside of an outline.

    Attributes
    ----------
    whole : (K,) intp
        Triangles that lie inside.
    owner : (M,) intp
        Triangle that each piece was cut from.
    weights : (M, 3, 3) float64
        Barycentric coordinates, in its owner, of the three corners of each piece.
    """

    whole: NDArray[np.intp]
    owner: NDArray[np.intp]
    weights: FloatArray


@dataclass
class Columns:
    """Triangles of a mesh, found by where they are on the map.

    Sorted by their western ends, so that a building is found without looking at the whole city.
    """

    vertices: FloatArray
    triangles: AnyArray
    _low: FloatArray = field(init=False)
    _high: FloatArray = field(init=False)
    _order: NDArray[np.intp] = field(init=False)
    _wide: NDArray[np.intp] = field(init=False)
    _width: float = field(init=False)

    def __post_init__(self) -> None:
        corners = self.vertices[self.triangles][..., :2]
        self._low, self._high = corners.min(axis=1), corners.max(axis=1)
        width = self._high[:, 0] - self._low[:, 0]
        self._width = float(np.quantile(width, 0.99)) if len(width) else 0.0
        narrow = np.flatnonzero(width <= self._width)
        self._wide = np.flatnonzero(width > self._width)
        self._order = narrow[np.argsort(self._low[narrow, 0], kind="stable")]

    def touching(self, box: tuple[float, float, float, float]) -> NDArray[np.intp]:
        """Return the triangles whose box on the map touches a box, in rising order."""
        west, south, east, north = box
        starts = self._low[self._order, 0]
        first, last = np.searchsorted(starts, [west - self._width, np.nextafter(east, np.inf)])
        found = np.concatenate([self._order[first:last], self._wide])
        low, high = self._low[found], self._high[found]
        meets = (low[:, 0] <= east) & (high[:, 0] >= west)
        meets &= (low[:, 1] <= north) & (high[:, 1] >= south)
        return np.sort(found[meets])


def cut_by_outline(
    vertices: FloatArray,
    triangles: AnyArray,
    outline: shapely.Polygon | shapely.MultiPolygon,
    columns: Columns | None = None,
) -> Cut:
    """Cut triangles by the vertical prism over an outline.

    Parameters
    ----------
    vertices : (N, 3) float64
    triangles : (M, 3) integer
    outline : polygon or polygons
        Valid, in the plane of the vertices; holes are left out.
    columns : Columns, optional
        Of the same mesh, where it is cut by many outlines.
    """
    import shapely

    columns = columns or Columns(vertices, triangles)
    found = columns.touching(outline.bounds)
    nothing = np.empty(0, np.intp)
    if len(found) == 0 or outline.is_empty:
        return Cut(nothing, nothing, np.empty((0, 3, 3)))
    # Near the origin: far from it, rounding moves what lies on a side to one or the other.
    origin = np.array(outline.bounds[:2])
    local = shapely.transform(outline, lambda xy: xy - origin)
    flat = vertices[triangles[found]][..., :2] - origin
    inside = _inside(flat, local)
    owner, weights = _pieces(flat[~inside], local)
    owner = found[~inside][owner]
    corners = weights @ vertices[triangles[owner]]
    size = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    real = size > _NOTHING
    return Cut(found[inside], owner[real], weights[real])


def _inside(flat: FloatArray, outline: shapely.Geometry) -> NDArray[np.bool_]:
    """Tell which triangles ``(N, 3, 2)`` lie wholly inside of an outline."""
    import shapely

    shapely.prepare(outline)
    around = shapely.linestrings(flat[:, [0, 1, 2, 0]])
    inside: NDArray[np.bool_] = shapely.covers(outline, around)
    holes = [ring for part in shapely.get_parts(outline) for ring in part.interiors]
    if holes and inside.any():
        # A triangle around a hole has all its sides inside.
        faces = shapely.polygons(flat[inside])
        for hole in holes:
            point = shapely.Point(hole.coords[0])
            inside[np.flatnonzero(inside)[shapely.intersects(faces, point)]] = False
            faces = shapely.polygons(flat[inside])
    return inside


def _pieces(flat: FloatArray, outline: shapely.Geometry) -> tuple[NDArray[np.intp], FloatArray]:
    """Cut triangles ``(N, 3, 2)`` by the triangles that an outline consists of."""
    rings = rings_of(np.array([outline], dtype=object), np.zeros(1, np.intp))
    faces, _ = triangulate(rings)
    shared = _shared_sides(faces)
    low, high = flat.min(axis=1), flat.max(axis=1)
    owners, weights = [np.empty(0, np.intp)], [np.empty((0, 3, 3))]
    for face, second in zip(faces, shared, strict=True):
        corners = rings.points[face]
        near = ((low <= corners.max(axis=0)) & (high >= corners.min(axis=0))).all(axis=1)
        owner = np.flatnonzero(near)
        part = np.tile(np.eye(3), (len(owner), 1, 1))
        for n in range(3):
            start, end = corners[n], corners[(n + 1) % 3]
            places = part @ flat[owner]
            side = (end[0] - start[0]) * (places[..., 1] - start[1])
            side -= (end[1] - start[1]) * (places[..., 0] - start[0])
            # What rounding has moved off a line by less than this is on it, for both neighbours.
            side[np.abs(side) <= _ON_LINE * np.hypot(*(end - start))] = 0.0
            kept, part = _half(part, side, open_=bool(second[n]))
            owner = owner[kept]
        owners.append(owner)
        weights.append(part)
    return np.concatenate(owners), np.concatenate(weights)


def _shared_sides(faces: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which sides of triangles an earlier triangle has: a wall on it belongs to that one."""
    sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    _, first = np.unique(sides, axis=0, return_index=True)
    shared = np.ones(len(sides), dtype=bool)
    shared[first] = False
    return shared.reshape(-1, 3)


def _half(
    weights: FloatArray, side: FloatArray, *, open_: bool
) -> tuple[NDArray[np.intp], FloatArray]:
    """Keep of triangles what is on the left of a line (`side` at least 0); one becomes up to two.

    What lies on the line is kept unless the side is `open_`.
    """
    left = side >= 0
    count = left.sum(axis=1)
    touching = (side.max(axis=1) <= 0) if open_ else np.zeros(len(side), dtype=bool)
    all_in = np.flatnonzero((count == 3) & ~touching)
    one, two = np.flatnonzero((count == 1) & ~touching), np.flatnonzero((count == 2) & ~touching)
    # The corner that is alone on its side comes first.
    a = _turned(weights, side, one, np.argmax(left[one], axis=1))
    b = _turned(weights, side, two, np.argmin(left[two], axis=1))
    only = np.stack([a[0][:, 0], _between(a, 1), _between(a, 2)], axis=1)
    near, far = _between(b, 1), _between(b, 2)
    first = np.stack([near, b[0][:, 1], b[0][:, 2]], axis=1)
    other = np.stack([near, b[0][:, 2], far], axis=1)
    kept = np.concatenate([all_in, one, two, two])
    return kept, np.concatenate([weights[all_in], only, first, other])


def _turned(
    weights: FloatArray, side: FloatArray, chosen: NDArray[np.intp], first: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    order = (first[:, None] + np.arange(3)) % 3
    row = chosen[:, None]
    return weights[row, order], side[row, order]


def _between(turned: tuple[FloatArray, FloatArray], n: int) -> FloatArray:
    """Return where the line crosses the side from the first corner to corner `n`."""
    weights, side = turned
    share = side[:, 0] / (side[:, 0] - side[:, n])
    result: FloatArray = weights[:, 0] + share[:, None] * (weights[:, n] - weights[:, 0])
    return result


def part_above(
    data: MeshData,
    outline: shapely.Polygon | shapely.MultiPolygon,
    columns: Columns | None = None,
) -> MeshData:
    """Return the part of a mesh above an outline as a mesh with the same materials and elements."""
    cut = cut_by_outline(data.vertices, data.triangles, outline, columns)
    whole = np.asarray(data.triangles)[cut.whole]
    used, inverse = np.unique(whole, return_inverse=True)
    source = np.asarray(data.triangles)[cut.owner]

    def corners(values: AnyArray | None) -> AnyArray | None:
        if values is None:
            return None
        mixed = cut.weights @ values[source].astype(np.float64)
        joined = np.concatenate([values[used], mixed.reshape(-1, values.shape[1])])
        integer = np.issubdtype(values.dtype, np.integer)
        return (np.rint(joined) if integer else joined).astype(values.dtype)

    def faces(values: AnyArray | None) -> AnyArray | None:
        return None if values is None else np.asarray(values)[np.r_[cut.whole, cut.owner]]

    vertices = corners(data.vertices)
    assert vertices is not None
    pieces = np.arange(3 * len(cut.owner)).reshape(-1, 3) + len(used)
    return MeshData(
        vertices,
        np.concatenate([inverse.reshape(-1, 3), pieces]),
        corners(data.uv),
        corners(data.colors),
        list(data.materials),
        faces(data.material_index),
        [replace(element) for element in data.elements],
        faces(data.element_index),
        {name: np.asarray(values)[np.r_[cut.whole, cut.owner]]
         for name, values in data.scalars.items()},
    )  # fmt: skip


def points_above(points: FloatArray, outline: shapely.Geometry) -> NDArray[np.intp]:
    """Return the points ``(N, 3)`` that lie above an outline, its border included."""
    import shapely

    west, south, east, north = outline.bounds
    x, y = points[:, 0], points[:, 1]
    near = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
    shapely.prepare(outline)
    found: NDArray[np.intp] = near[shapely.intersects_xy(outline, x[near], y[near])]
    return found
