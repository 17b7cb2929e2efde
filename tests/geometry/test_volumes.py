"""Volumes over bases against closed forms; what each cell weighs against finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from plumbline.geometry.gridding import Cover, Grid, Heights, cover_of, raster_heights
from plumbline.geometry.pits import slope_distance
from plumbline.geometry.volumes import (
    base_of,
    changes_of,
    inundated,
    layer_base,
    volumes_between,
)

X, Y = 534_200.0, 3_993_400.0


def covered(polygon: shapely.Polygon | None = None, cells: int = 60) -> Cover:
    return cover_of(Grid(X, Y + cells, 1.0, 1.0, cells, cells), polygon)


def on(cover: Cover, function: object) -> Heights:
    x, y = (cover.places() - [X, Y]).T
    z = np.asarray(function(x, y), float).reshape(cover.share.shape)  # type: ignore[operator]
    heights = raster_heights(z, cover)
    return replace(heights, u=np.where(np.isfinite(heights.z), 0.1, np.nan))


ROUND = shapely.Point(X + 30, Y + 30).buffer(23.7, quad_segs=64)


@pytest.mark.parametrize("base", ["plane", "rim"])
def test_a_heap_on_tilted_ground_is_measured_over_its_rim(base: str) -> None:
    cover = covered(ROUND)

    def heap(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        ground = 0.11 * x - 0.07 * y + 40
        return ground + np.where((abs(x - 30) < 10) & (abs(y - 30) < 5), 4.0, 0.0)

    heights = on(cover, heap)
    found = volumes_between(cover, heights, base_of(base, cover, heights))
    assert found.net == pytest.approx(20 * 10 * 4, rel=1e-6)
    assert found.below == pytest.approx(0.0, abs=1e-6)
    assert found.area == pytest.approx(ROUND.area, rel=1e-7)


def test_lowest_and_mean_are_of_the_surface_inside() -> None:
    cover = covered(ROUND)
    heights = on(cover, lambda x, y: x + 0.0 * y)
    low = volumes_between(cover, heights, base_of("lowest", cover, heights))
    assert low.below == 0
    assert low.net == pytest.approx(ROUND.area * (30 - np.nanmin(heights.z)), rel=1e-6)
    mean = volumes_between(cover, heights, base_of("mean", cover, heights))
    assert mean.net == pytest.approx(0.0, abs=1e-6)
    # Over the level through the middle a tilted disc holds 2/3 r³ of volume on either side.
    assert mean.above == pytest.approx(2 / 3 * 23.7**3, rel=2e-3)
    assert mean.below == pytest.approx(mean.above, rel=1e-9)


@pytest.mark.parametrize("base", ["lowest", "mean", "plane", "rim"])
def test_the_range_comes_from_what_each_cell_weighs(base: str) -> None:
    cover = covered(shapely.Point(X + 6, Y + 6).buffer(4.6), 12)
    random = np.random.default_rng(8)
    heights = on(cover, lambda x, y: 3 + 0.2 * x + random.normal(0, 0.2, x.shape))

    def net(h: Heights) -> float:
        return volumes_between(cover, h, base_of(base, cover, h)).net

    step, weights = 1e-6, []
    for cell in np.flatnonzero(cover.share > 0):
        z = heights.z.copy()
        z.flat[cell] += step
        weights.append((net(replace(heights, z=z)) - net(heights)) / step)
    expected = 2 * 0.1 * float(np.sqrt(np.sum(np.square(weights))))
    found = volumes_between(cover, heights, base_of(base, cover, heights))
    assert found.u_net == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_empty_cells_do_not_count_and_are_told() -> None:
    cover = covered()
    heights = on(cover, lambda x, y: np.where(x < 20, np.nan, 5.0 + 0 * y))
    found = volumes_between(cover, heights, base_of("constant", cover, heights, 2.0))
    assert found.net == pytest.approx(40 * 60 * 3)
    assert found.area == pytest.approx(2400)
    assert found.area_empty == pytest.approx(1200)
    assert found.mean_height == pytest.approx(3.0)


def test_changes_below_the_level_of_detection_are_none() -> None:
    cover = covered()
    before = on(cover, lambda x, y: 10 + 0 * x)
    after = on(cover, lambda x, y: 10 + np.select([x < 10, x < 30, x < 50], [-2.0, 0.04, 1.0], 0))
    found = volumes_between(cover, after, layer_base(before))
    changed = changes_of(found, 0.1)
    assert changed.cut == pytest.approx(10 * 60 * 2)
    assert changed.fill == pytest.approx(20 * 60 * 1)
    assert changed.net == pytest.approx(0.0, abs=1e-9)
    assert changed.unchanged_area == pytest.approx(30 * 60)
    assert changed.error == pytest.approx(0.1 * 30 * 60)
    assert changes_of(found).fill == pytest.approx(20 * 60 * 1.04)
    swapped = changes_of(volumes_between(cover, before, layer_base(after)))
    assert swapped.cut == pytest.approx(changes_of(found).fill)
    # Both surfaces err: 2 sqrt(2) 0.1 sqrt(N) A.
    assert found.u_net == pytest.approx(2 * np.sqrt(2) * 0.1 * 60)


def test_water_that_is_not_joined_to_its_source_stays_away() -> None:
    cover = covered()
    ground = on(cover, lambda x, y: np.where(abs(x - 30) < 2, 5.0, 0.0) + 0 * y)
    source = np.zeros(cover.share.shape, bool)
    source[30, 5] = True
    assert inundated(ground, cover, 3.0).sum() == 56 * 60
    assert inundated(ground, cover, 3.0, source).sum() == 28 * 60
    assert inundated(ground, cover, 5.5, source).sum() == 60 * 60
    assert inundated(ground, cover, -1.0, source).sum() == 0


def test_slopes_meet_over_the_bisector_of_a_corner() -> None:
    square = shapely.box(0, 0, 10, 10)
    places = np.array([[5, 5], [5, -3], [13, 5], [12, 13], [-4, -4], [11, -9]], float)
    assert slope_distance(places, square) == pytest.approx([0, 3, 3, 3, 4, 9])
    bent = shapely.Polygon([(0, 0), (10, 0), (10, 4), (4, 4), (4, 10), (0, 10)])
    # In the reflex corner the nearer of both sides counts.
    assert slope_distance(np.array([[6.0, 5.0], [5.0, 7.0]]), bent) == pytest.approx([1, 1])
    holed = shapely.Polygon(square.exterior, [shapely.box(3, 3, 7, 7).exterior])
    assert slope_distance(np.array([[5.0, 4.0]]), holed) == pytest.approx([1])
