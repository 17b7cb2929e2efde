"""Cutting meshes by outlines: areas against shapely and closed forms, walls, holes, properties."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from plumbline.core.data import MeshData
from plumbline.geometry.prism import Columns, cut_by_outline, part_above, points_above

OUTLINES = {
    "square": shapely.box(2.25, 2.25, 7.75, 7.75),
    "hole": shapely.box(1.1, 1.1, 8.9, 8.9).difference(shapely.box(3.3, 3.3, 5.7, 6.1)),
    "L": shapely.Polygon([(1, 1), (9, 1.5), (8.5, 4), (4, 4), (3.5, 8.5), (1.2, 9)]),
    "two": shapely.MultiPolygon([shapely.box(0.5, 0.5, 3, 3), shapely.box(5, 5, 9.3, 9.2)]),
    "small": shapely.box(4.4, 4.4, 4.6, 4.6),
    "all": shapely.box(-5, -5, 50, 50),
    "hole in a cell": shapely.box(2, 2, 8, 8).difference(shapely.box(4.6, 4.1, 4.7, 4.2)),
}


def sheet(side: int = 10, slope: float = 0.0) -> MeshData:
    """Return a sheet of unit cells, rising by `slope` eastwards."""
    x, y = np.meshgrid(np.arange(side + 1.0), np.arange(side + 1.0))
    points = np.column_stack([x.ravel(), y.ravel(), slope * x.ravel()])
    n = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
    a, b, c, d = (k.ravel() for k in (n[:-1, :-1], n[:-1, 1:], n[1:, 1:], n[1:, :-1]))
    triangles = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    return MeshData(points, triangles, uv=points[:, :2].astype(np.float32) / side)


def area(data: MeshData) -> float:
    p = data.vertices[data.triangles]
    return float(np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1).sum() / 2)


@pytest.mark.parametrize("name", OUTLINES)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (500_000.0, 4_000_000.0)])
def test_area_is_that_of_the_outline(name: str, shift: tuple[float, float]) -> None:
    """Shapely's area of outline and sheet, over a slope whose factor is known."""
    data = sheet(slope=0.75)
    data.vertices[:, :2] += shift
    outline = shapely.transform(OUTLINES[name], lambda xy: xy + shift)
    part = part_above(data, outline)
    common = outline.intersection(shapely.box(*shift, shift[0] + 10, shift[1] + 10)).area
    assert area(part) == pytest.approx(1.25 * common, rel=1e-7)  # √(1 + 0.75²) = 1.25
    assert np.allclose(part.vertices[:, 2], 0.75 * (part.vertices[:, 0] - shift[0]), atol=1e-8)
    assert np.allclose(part.uv * 10, part.vertices[:, :2] - shift, atol=1e-3)


def test_pieces_have_no_gap_and_no_overlap() -> None:
    """The union of the pieces, put together by shapely, is the outline itself."""
    part = part_above(sheet(), OUTLINES["hole"])
    pieces = shapely.polygons(part.vertices[part.triangles][..., :2])
    assert shapely.area(pieces).sum() == pytest.approx(OUTLINES["hole"].area, rel=1e-9)
    union = shapely.union_all(shapely.buffer(pieces, 1e-9))
    assert union.symmetric_difference(OUTLINES["hole"]).area < 1e-6


@pytest.mark.parametrize(("x", "length"), [(3.0, 6.0), (1.0, 6.0), (5.0, 6.0), (9.0, 0.0)])
def test_walls_are_cut_though_they_have_no_area_on_the_map(x: float, length: float) -> None:
    """A wall along a side, along the diagonal's start, and outside: length times height."""
    wall = np.array([(x, -5, 0), (x, 20, 0), (x, 20, 3), (x, -5, 3)], dtype=float)
    data = MeshData(wall, np.array([(0, 1, 2), (0, 2, 3)]))
    assert area(part_above(data, shapely.box(1, 1, 7, 7))) == pytest.approx(3 * length)


def test_a_wall_on_the_seam_of_the_outline_is_kept_once() -> None:
    """The outline consists of triangles; a wall over their common side must not be doubled."""
    outline = shapely.box(0, 0, 6, 6)
    for ends in (((-3, -3), (9, 9)), ((-3, 9), (9, -3))):
        (a, b), (c, d) = ends
        wall = np.array([(a, b, 0), (c, d, 0), (c, d, 2), (a, b, 2)], dtype=float)
        data = MeshData(wall, np.array([(0, 1, 2), (0, 2, 3)]))
        assert area(part_above(data, outline)) == pytest.approx(2 * 6 * np.sqrt(2))


def test_source_is_untouched_and_inner_triangles_keep_their_corners() -> None:
    data = sheet()
    before = data.vertices.copy(), data.triangles.copy()
    cut = cut_by_outline(data.vertices, data.triangles, shapely.box(2, 2, 5, 5))
    assert len(cut.whole) == 18
    assert len(cut.owner) == 0
    assert np.array_equal(data.vertices, before[0])
    assert np.array_equal(data.triangles, before[1])


def test_columns_find_what_a_look_at_everything_finds() -> None:
    """Random triangles, a few of them as large as the city."""
    random = np.random.default_rng(7)
    points = random.uniform(0, 1000, (900, 1, 3)) + random.normal(0, 3, (900, 3, 3))
    points[::97] *= random.uniform(0.1, 1, (len(points[::97]), 3, 1))
    data = points.reshape(-1, 3), np.arange(2700).reshape(-1, 3)
    columns = Columns(*data)
    low, high = points[..., :2].min(axis=1), points[..., :2].max(axis=1)
    for box in random.uniform(0, 900, (40, 2)):
        west, south, east, north = (*box, *(box + random.uniform(1, 120, 2)))
        meets = (low <= (east, north)).all(axis=1) & (high >= (west, south)).all(axis=1)
        assert (
            columns.touching((west, south, east, north)).tolist() == np.flatnonzero(meets).tolist()
        )


def test_points() -> None:
    random = np.random.default_rng(3)
    points = random.uniform(0, 10, (2000, 3))
    found = points_above(points, OUTLINES["L"])
    inside = shapely.covers(OUTLINES["L"], shapely.points(points[:, :2]))
    assert found.tolist() == np.flatnonzero(inside).tolist()
