"""Raster viewsheds against lines of sight traced one by one, closed forms and two programs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from plumbline.core.errors import CancelledError
from plumbline.core.feedback import Feedback
from plumbline.geometry.curvature import curvature_drop
from plumbline.geometry.viewshed import Directions, GridView, needed_heights, outside, thinned


def seen(heights: np.ndarray, view: GridView) -> np.ndarray:
    return needed_heights(heights, view) <= np.float32(view.target)


def rough(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    return 8 * np.sin(x / 9) * np.cos(y / 7) + rng.random((rows, columns)) * 4


def traced(z: np.ndarray, view: GridView) -> np.ndarray:
    """Return what each cell lacks, by its own line and every cell that the line passes.

    Written against the definition in the module's text, in polar angles and without a horizon.
    """
    rows, columns = z.shape
    lacks = np.full(z.shape, np.nan)
    i, j = np.mgrid[:rows, :columns]
    y, x = i - view.row, j - view.column

    def apparent(height: float, u: float, v: float) -> float:
        d2 = (u * view.cell[1]) ** 2 + (v * view.cell[0]) ** 2
        return float(height) - view.eye - view.bend * d2

    def corner(r: int, c: int, dr: int, dc: int) -> float:
        near = [(r, c), (r + dr, c), (r, c + dc), (r + dr, c + dc)]
        inside = all(0 <= a < rows and 0 <= b < columns for a, b in near)
        mean = float(np.mean([z[p] for p in near])) if inside else math.nan
        return float(z[r, c]) - view.eye if math.isnan(mean) else mean - view.eye

    edges = []
    for r in range(rows):
        for c in range(columns):
            v, u = int(x[r, c]), int(y[r, c])
            if (u == 0 and v == 0) or math.isnan(z[r, c]):
                continue
            # Corners across the line of sight, by the sign of the offset on each axis.
            su, sv = int(np.sign(u)), int(np.sign(v))
            if su and sv:
                ends = [(su, -sv), (-su, sv)]
            else:
                ends = [(-su, 1), (-su, -1)] if su else [(1, -sv), (-1, -sv)]
            for du, dv in ends:
                height = corner(r, c, du, dv)
                edges.append(((u, v, float(z[r, c]) - view.eye), (u + du / 2, v + dv / 2, height)))
    for r in range(rows):
        for c in range(columns):
            v, u = int(x[r, c]), int(y[r, c])
            if (u == 0 and v == 0) or math.isnan(z[r, c]):
                continue
            steepest = -math.inf
            for one, two in edges:
                if max(abs(one[0]), abs(one[1])) >= max(abs(u), abs(v)):
                    continue
                side1, side2 = one[0] * v - one[1] * u, two[0] * v - two[1] * u
                if side1 * side2 > 0 or side1 == side2:
                    continue
                share = side1 / (side1 - side2)
                uu = one[0] + share * (two[0] - one[0])
                vv = one[1] + share * (two[1] - one[1])
                if uu * u + vv * v <= 0:
                    continue
                height = one[2] + share * (two[2] - one[2])
                steepest = max(steepest, height / math.hypot(uu, vv))
            lacks[r, c] = max(steepest * math.hypot(u, v) - (z[r, c] - view.eye), 0.0)
    return lacks


@pytest.mark.parametrize(("row", "column"), [(6, 7), (0, 0), (12, 3), (5, 15)])
def test_every_cell_agrees_with_its_own_line_of_sight(row: int, column: int) -> None:
    z = rough(13, 16)
    z[2, 3] = np.nan
    view = GridView(row, column, float(z[row, column]) + 1.6)
    found, true = needed_heights(z, view), traced(z, view)
    true[row, column] = 0.0
    assert np.array_equal(np.isnan(found), np.isnan(z))
    assert found == pytest.approx(true, abs=1e-5, nan_ok=True)
    assert 10 < (found <= 0).sum() < 190


def test_the_answer_depends_neither_on_threads_nor_on_the_type_of_the_heights() -> None:
    z = rough(300, 257).astype(np.float32)
    view = GridView(140, 30, float(z[140, 30]) + 1.6)
    once = needed_heights(z, view, threads=1)
    for heights, threads in ((z, 3), (z.astype(np.float64), 2), (np.asfortranarray(z), 2)):
        assert np.array_equal(needed_heights(heights, view, threads=threads), once, equal_nan=True)


@pytest.mark.parametrize("turn", range(4))
def test_turning_the_ground_turns_the_view(turn: int) -> None:
    z = rough(90, 90)
    row, column = 20, 33
    eye = float(z[row, column]) + 1.6
    mark = np.zeros(z.shape, bool)
    mark[row, column] = True
    there = np.argwhere(np.rot90(mark, turn))[0]
    turned = seen(np.rot90(z, turn).copy(), GridView(int(there[0]), int(there[1]), eye))
    assert np.array_equal(turned, np.rot90(seen(z, GridView(row, column, eye)), turn))


def test_a_tilted_plane_is_seen_whole_and_nothing_of_it_from_below() -> None:
    y, x = np.mgrid[:200, :300]
    z = 0.3 * x - 0.11 * y
    assert seen(z, GridView(100, 40, float(z[100, 40]) + 0.01)).all()
    below = seen(z, GridView(100, 40, float(z[100, 40]) - 0.01))
    # The nearest cells have nothing in front of them.
    assert below.sum() == 9


def test_the_shadow_of_a_wall_is_as_long_as_similar_triangles_say() -> None:
    """A wall 3 m over the eye's plane, eye 5 m up: heights behind it by the intercept theorem."""
    z = np.zeros((101, 201))
    z[:, 120] = 8.0
    view = GridView(50, 100, 5.0)
    needed = needed_heights(z, view)
    beyond = np.arange(121, 201)
    along = (beyond - 100) / 20.0
    assert needed[50, beyond] == pytest.approx(5.0 + 3.0 * along - 0.0, abs=1e-5)
    assert (needed[:, :120] == 0).all()
    low = needed_heights(z, GridView(50, 100, 10.0))[50]
    # 2 m under the eye after 20 cells: the ground is met again after 100.
    assert (low[121:200] > 0).all()
    assert low[200] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("kilometres", [1, 10, 50])
@pytest.mark.parametrize("refraction", [0.0, 0.13])
def test_the_sea_hides_as_much_as_the_formula_says(kilometres: int, refraction: float) -> None:
    """Eye 20 m over a sea; hidden height behind its horizon: (d - d0)² / 2R (1 - k)."""
    radius, cell = 6_371_000.0, 50.0
    count = kilometres * 1000 // int(cell)
    sea = np.zeros((3, count + 1))
    view = GridView(1, 0, 20.0, (cell, cell), bend=(1 - refraction) / (2 * radius))
    needed = needed_heights(sea, view)[1]
    horizon = math.sqrt(2 * radius / (1 - refraction) * 20.0)
    beyond = max(0.0, kilometres * 1000.0 - horizon)
    hidden = float(curvature_drop(beyond, radius, refraction))
    # The horizon falls between two cells: less than a cell's own bulge.
    assert needed[-1] == pytest.approx(hidden, abs=float(curvature_drop(cell, radius)) + 1e-4)
    assert (needed[-1] > 0) == (kilometres == 50)
    first = np.flatnonzero(needed > 0)
    if len(first):
        assert abs(first[0] * cell - horizon) <= 2 * cell


def test_a_ball_is_seen_to_its_terminator() -> None:
    """From height h over a sphere of radius R the cap within acos(R / (R + h)) is seen."""
    radius, height, cell = 1000.0, 400.0, 2.0
    y, x = np.mgrid[-400:401, -400:401] * cell
    z = np.sqrt(radius**2 - x**2 - y**2, where=x**2 + y**2 < 700**2, out=np.full(x.shape, np.nan))
    view = GridView(400, 400, radius + height, (cell, cell))
    found = seen(z, view)
    edge = radius * math.sin(math.acos(radius / (radius + height)))
    away = np.hypot(x, y)
    assert found[away < edge - 1.5 * cell].all()
    assert not found[(away > edge + 1.5 * cell) & np.isfinite(z)].any()


def test_targets_of_a_height_and_the_greatest_distance() -> None:
    z = rough(120, 120)
    view = GridView(60, 60, float(z[60, 60]) + 1.6, (2.0, 3.0), max_distance=90.0)
    needed = needed_heights(z, view)
    i, j = np.mgrid[:120, :120]
    within = np.hypot((i - 60) * 3.0, (j - 60) * 2.0) <= 90.0
    assert np.array_equal(np.isfinite(needed), within)
    higher = GridView(60, 60, view.eye, view.cell, 2.0, 90.0)
    assert np.array_equal(seen(z, higher), np.nan_to_num(needed, nan=np.inf) <= 2.0)


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [(0, 360, 81), (0, 90, 25), (350, 10, 5), (180, 270, 25), (90, 0, 65)],
)
def test_azimuths_go_clockwise_from_north(start: float, end: float, count: int) -> None:
    z = np.zeros((9, 9))
    held = ~outside(z, GridView(4, 4, 1.0), Directions(start, end), slice(0, 9))
    assert held.sum() == count
    if (start, end) == (0, 90):
        assert held[:5, 4:].all()


def test_elevations_are_those_of_the_targets() -> None:
    z = np.zeros((9, 9))
    z[4, 8] = 5.0
    view = GridView(4, 4, 1.0)
    flat = ~outside(z, view, Directions(elevation_from=-16.0), slice(0, 9))
    away = np.hypot(*(np.mgrid[:9, :9] - 4))
    expected = np.degrees(np.arctan2(z - 1.0, away)) >= -16.0
    expected[4, 4] = True
    assert np.array_equal(flat, expected)
    both = ~outside(z, view, Directions(elevation_from=40.0, elevation_to=50.0), slice(3, 6))
    assert both.sum() == 2
    assert both[1, 8]


def test_previews_are_means_of_blocks_and_holes_stay_holes() -> None:
    z = np.arange(30.0).reshape(5, 6)
    z[0, 0] = np.nan
    z[2:4, 2:4] = np.nan
    mean, cell = thinned(z, (1.0, 2.0), 2)
    assert cell == (2.0, 4.0)
    assert mean.shape == (2, 3)
    assert mean[0].tolist() == pytest.approx([14 / 3, 5.5, 7.5])
    assert math.isnan(mean[1, 1])


def test_looking_can_be_cancelled() -> None:
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        needed_heights(np.zeros((5, 5)), GridView(2, 2, 1.0), feedback)


CASES = {
    "dem25_A": ("terrain/qgis/dem25.tif", (270_000, 4_459_000), 1.7),
    "gbgDSM_C": ("terrain/goteborg/DSM_KRbig.tif", (147_837, 6_398_668), 1.6),
}


@pytest.mark.parametrize("program", ["grass", "r3"])
@pytest.mark.parametrize("case", CASES)
def test_other_programs_see_the_same(real_data: Path, case: str, program: str) -> None:
    """GRASS r.viewshed and an exhaustive line of sight; the few others lie on the boundary."""
    import rasterio
    from scipy.ndimage import binary_dilation, binary_erosion

    path, (x, y), height = CASES[case]
    with rasterio.open(real_data / path) as dataset:
        z, transform = dataset.read(1), dataset.transform
    with rasterio.open(real_data / f"reference/viewshed/{program}_{case}.tif") as dataset:
        theirs = dataset.read(1) == 1
    column, row = (int(v) for v in ~transform @ (x, y))
    needed = needed_heights(z, GridView(row, column, float(z[row, column]) + height))
    ours = needed <= 0
    differ = ours != theirs
    share = {("grass"): 0.9999, ("r3"): 0.998}[program]
    assert (~differ).mean() >= share
    # Every cell that differs touches the boundary of what they see, or misses by a hair.
    cross = np.ones((3, 3), bool)
    boundary = binary_dilation(theirs, cross) & ~binary_erosion(theirs, cross, border_value=1)
    assert (boundary | (needed < 0.5))[differ].all()
