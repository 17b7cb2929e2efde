"""Shares of cells against shapely, gathered clouds against NumPy, gaps against planes."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from plumbline.core.errors import RefusedError
from plumbline.geometry.cloud_grid import CloudGrid
from plumbline.geometry.gridding import (
    Cover,
    Grid,
    Heights,
    cover_of,
    fill_gaps,
    raster_heights,
    sampled_heights,
)

X, Y = 534_200.0, 3_993_400.0


def star(seed: int, corners: int = 13, size: float = 9.0) -> shapely.Polygon:
    """Return a star-shaped polygon with a hole, far from the origin."""
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    reach = random.uniform(0.3, 1.0, corners) * size
    ring = np.column_stack([X + reach * np.cos(angle), Y + reach * np.sin(angle)])
    hole = shapely.Point(X, Y).buffer(0.05 * size, quad_segs=2)
    made = shapely.make_valid(shapely.Polygon(ring)).difference(hole)
    return max(shapely.get_parts(made), key=lambda part: part.area)


@pytest.mark.parametrize("seed", range(8))
def test_shares_of_cells_are_those_of_shapely(seed: int) -> None:
    polygon = star(seed)
    grid = Grid.over(polygon.bounds, 0.73)
    covered = cover_of(grid, polygon)
    cells = grid.boxes(np.arange(grid.rows * grid.columns))
    expected = shapely.area(shapely.intersection(cells, polygon)) / (grid.dx * grid.dy)
    assert covered.share.ravel() == pytest.approx(expected, abs=1e-7)
    assert covered.area == pytest.approx(polygon.area, rel=1e-7)
    middles = shapely.get_coordinates(
        shapely.centroid(shapely.intersection(grid.boxes(covered.border), polygon))
    )
    assert covered.places(covered.border) == pytest.approx(middles, abs=1e-6)


def test_what_lies_outside_of_the_grid_is_counted() -> None:
    grid = Grid(X, Y, 1.0, 1.0, 10, 10)
    covered = cover_of(grid, shapely.box(X + 5, Y - 5, X + 25, Y + 5))
    assert covered.share.sum() == pytest.approx(25.0, abs=1e-9)
    assert covered.outside == pytest.approx(175.0, abs=1e-6)
    assert covered.area == pytest.approx(200.0, abs=1e-6)


def test_cells_in_feet_have_areas_in_square_metres() -> None:
    grid = Grid.over((0.0, 0.0, 100.0, 100.0), 3.048, unit=0.3048)
    assert grid.shape == (10, 10)
    assert grid.cell_area == pytest.approx(3.048**2)


def test_too_many_cells_are_refused() -> None:
    with pytest.raises(RefusedError, match="million cells"):
        Grid.over((0.0, 0.0, 1e5, 1e5), 1.0)


def square(cells: int, polygon: shapely.Polygon | None = None) -> Cover:
    return cover_of(Grid(X, Y + cells, 1.0, 1.0, cells, cells), polygon)


def test_a_gathered_cloud_does_not_depend_on_order_or_batches() -> None:
    random = np.random.default_rng(5)
    points = np.column_stack(
        [X + random.uniform(-1, 13, 40_000), Y + random.uniform(-1, 13, 40_000),
         random.normal(87.0, 3.0, 40_000)]
    )  # fmt: skip
    covered = square(12, shapely.Point(X + 6, Y + 6).buffer(5.3))
    found = []
    for order, batch in ((np.arange(40_000), 40_000), (random.permutation(40_000), 777)):
        gathered = CloudGrid(covered, 80.0)
        for start in range(0, 40_000, batch):
            gathered.add(points[order[start : start + batch]])
        found.append(gathered.heights())
    assert np.array_equal(found[0].z, found[1].z, equal_nan=True)
    assert np.array_equal(found[0].u, found[1].u, equal_nan=True)


def test_a_gathered_cell_is_the_mean_of_its_points_inside() -> None:
    random = np.random.default_rng(6)
    points = np.column_stack([random.uniform(0, 4, (9_000, 2)) + [X, Y], random.normal(size=9_000)])
    points[:50, 2] = np.nan
    polygon = shapely.Polygon([(X, Y), (X + 4, Y), (X, Y + 4)])
    covered = square(4, polygon)
    gathered = CloudGrid(covered, 0.0)
    gathered.add(points)
    heights = gathered.heights()
    known = points[50:]
    inside = shapely.contains_xy(polygon, known[:, :2])
    for row, column in ((3, 0), (2, 1), (0, 0)):
        of_cell = (known[:, 0] // 1 == X + column) & (known[:, 1] // 1 == Y + 3 - row) & inside
        z = known[of_cell, 2]
        assert heights.z[row, column] == pytest.approx(z.mean(), abs=1e-5)
        assert heights.u[row, column] == pytest.approx(z.std(ddof=1) / np.sqrt(len(z)), rel=1e-3)
    assert np.isnan(heights.z[0, 3])


def test_a_plane_closes_its_gaps_exactly() -> None:
    covered = square(30)
    x, y = covered.places().T.reshape(2, 30, 30)
    plane = 0.31 * (x - X) - 0.17 * (y - Y) + 5
    z = plane.copy()
    z[8:14, 5:25] = np.nan
    filled = fill_gaps(raster_heights(z, covered), covered, None)
    assert filled.z == pytest.approx(plane, abs=1e-9)
    assert filled.interpolated.sum() == 6 * 20
    near = fill_gaps(raster_heights(z, covered), covered, 2.0)
    assert np.isnan(near.z[10:12, 7:23]).all()
    assert not np.isnan(near.z[8:10, 7:23]).any()


def test_what_a_cell_lends_to_gaps_errs_with_it() -> None:
    covered = square(21)
    known = np.ones((21, 21))
    known[::2, 1::2] = 0.0
    z = np.where(known > 0, 1.0, np.nan)
    heights = Heights(z, np.where(known > 0, 0.1, np.nan), known)
    filled = fill_gaps(heights, covered, None)
    # All of 441 cells hang on the measured ones: their weights add up to the whole area.
    assert (filled.u[known > 0] / 0.1).sum() == pytest.approx(441.0, rel=1e-6)


def test_noise_of_a_raster_is_seen_and_a_slope_is_none() -> None:
    covered = square(200)
    x, y = covered.places().T.reshape(2, 200, 200)
    slope = 0.4 * (x - X) + 0.2 * (y - Y)
    assert np.nanmax(raster_heights(slope, covered).u) < 1e-6
    noisy = slope + np.random.default_rng(3).normal(0, 0.25, slope.shape)
    u = raster_heights(noisy, covered).u
    assert np.sqrt((u**2).mean()) == pytest.approx(0.25, rel=0.03)


def test_places_in_cells_integrate_a_block_whose_walls_run_along_them() -> None:
    covered = square(40)

    def block(places: np.ndarray) -> np.ndarray:
        x, y = (places - [X, Y]).T
        return np.where((abs(x - 20) < 8.27) & (abs(y - 20) < 5.61), 10.0, 0.0)

    heights = sampled_heights(block, covered)
    assert heights.z.sum() == pytest.approx(4 * 8.27 * 5.61 * 10, rel=5e-4)
    assert (heights.known == 1).all()
