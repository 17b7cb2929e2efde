"""What a scheme clears from meshes, clouds and photographs, against areas known in closed form."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from plumbline.core.data import Element, MeshData, VectorData
from plumbline.geometry.masking import (
    area_of,
    cleared_mesh,
    cleared_pixels,
    clearing_around,
    footprint_of,
    standing_points,
)

SQUARE = ((2.0, 2.0), (6.0, 2.0), (6.0, 6.0), (2.0, 6.0))
HOLE = ((3.0, 3.0), (5.0, 3.0), (5.0, 5.0), (3.0, 5.0))


def sheet(n: int = 5) -> MeshData:
    """A level sheet of 10 m by 10 m at a height of 3 m, far from the origin of the CRS."""
    x, y = np.meshgrid(np.linspace(0, 10, n), np.linspace(0, 10, n))
    vertices = np.column_stack([x.ravel(), y.ravel(), np.full(n * n, 3.0)])
    at = np.arange(n * n).reshape(n, n)
    sw, se, nw, ne = at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((sw, se, ne), (sw, ne, nw))])
    uv = (vertices[:, :2] / 10).astype(np.float32)
    return MeshData(vertices, faces, uv=uv)


def area(data: MeshData) -> float:
    a, b, c = np.moveaxis(data.vertices[data.triangles], 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize(("rings", "left"), [((SQUARE,), 100 - 16), ((SQUARE, HOLE), 100 - 16 + 4)])
def test_a_mesh_loses_exactly_the_area(rings: tuple[object, ...], left: float) -> None:
    mesh = sheet()
    rest = cleared_mesh(mesh, area_of([rings]))  # type: ignore[list-item]
    assert area(rest) == pytest.approx(left, rel=1e-9)
    assert len(mesh.vertices) == 25, "the source stays as it is"


def test_photographs_stay_in_their_places_on_what_is_left() -> None:
    rest = cleared_mesh(sheet(), area_of([(SQUARE,)]))
    assert rest.uv is not None
    np.testing.assert_allclose(rest.uv, rest.vertices[:, :2] / 10, atol=1e-6)


def test_what_an_area_does_not_touch_is_not_copied() -> None:
    mesh = sheet()
    away = area_of([(tuple((x + 100, y) for x, y in SQUARE),)])
    assert cleared_mesh(mesh, away) is mesh


def test_a_cloud_loses_the_points_above_the_area() -> None:
    points = np.array([[4, 4, 50.0], [1, 1, 0], [2.5, 4, -3], [4, 2.5, 9], [7, 7, 1]])
    kept = standing_points(points, area_of([(SQUARE, HOLE)]))
    assert np.flatnonzero(kept).tolist() == [0, 1, 4]


def test_pixels_are_those_with_their_centre_inside() -> None:
    mask = cleared_pixels((10, 20), (0.0, 0.0, 20.0, 10.0), area_of([(SQUARE,)]))
    assert mask.sum() == 16
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 7, 2, 5)


def test_the_margin_of_a_building_stops_at_its_neighbours() -> None:
    house, beside = shapely.box(0, 0, 10, 10), shapely.box(10, 0, 20, 10)
    alone = area_of(clearing_around(house, margin=1.0))
    assert alone.area == pytest.approx(12 * 12)
    attached = area_of(clearing_around(house, [beside], margin=1.0))
    assert attached.area == pytest.approx(12 * 12 - 10)
    assert shapely.intersection(attached, beside).area == pytest.approx(0, abs=1e-9)


def test_footprints_of_features_and_of_elements() -> None:
    features = gpd.GeoDataFrame({"n": [1]}, geometry=[shapely.box(0, 0, 4, 5)], index=["a"])
    found = footprint_of(VectorData(features), "a")
    assert found is not None
    assert found.area == 20
    assert footprint_of(VectorData(features), "b") is None
    mesh = sheet()
    mesh.elements, mesh.element_index = [Element("e")], np.full(len(mesh.triangles), 0)
    found = footprint_of(mesh, "e")
    assert found is not None
    assert found.area == pytest.approx(100)
    assert footprint_of(sheet(), "e") is None
