"""Viewsheds of rasters and of scenes: against each other, other programs and closed forms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sightline_scenes import X, Y, bodies, box, held, terrain

from plumbline import api
from plumbline.api import (
    GridData,
    Layer,
    LayerKind,
    MeshData,
    RefusedError,
    Result,
    Scene,
    Scheme,
    UsageError,
)

#: The north-west corner of `terrain`, and a place in the middle of a cell near its middle.
WEST, NORTH = X - 500, Y + 500
AT = [X + 5, Y - 5]


def look(scene: Scene, observer: Any, surface: Any, **params: Any) -> Result:
    return api.run("sightline.viewshed", scene, observer=observer, surface=surface, **params)


def grid(result: Result, name: str = "visible") -> np.ndarray:
    data = result.layers[name].data
    assert isinstance(data, GridData)
    return data.values


def number(result: Result, name: str) -> float:
    value = result.values[name].value
    assert isinstance(value, int | float)
    return float(value)


def hills(n: int = 100, noise: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:n, :n]
    return 30 + 25 * np.sin(x / 11) * np.cos(y / 8) + rng.random((n, n)) * noise


def as_mesh(
    heights: np.ndarray,
    cell: float = 10.0,
    corner: tuple[float, float] = (WEST, NORTH),
    crs: str = "EPSG:4549",
) -> Layer:
    """Return the triangles between the centres of the cells of a raster."""
    rows, columns = heights.shape
    j, i = np.meshgrid(np.arange(columns), np.arange(rows))
    points = np.stack(
        [corner[0] + (j + 0.5) * cell, corner[1] - (i + 0.5) * cell, heights], axis=-1
    )
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    cells = np.concatenate(
        [
            np.column_stack([a, a + columns, a + 1]),
            np.column_stack([a + 1, a + columns, a + columns + 1]),
        ]
    )
    mesh = MeshData(points.reshape(-1, 3), cells)
    return Layer("mesh", "mesh", LayerKind.MESH, mesh, api.parse_crs(crs))


@pytest.mark.parametrize("program", ["grass", "r3"])
@pytest.mark.parametrize(
    ("path", "case", "crs", "observer", "height"),
    [
        ("terrain/qgis/dem25.tif", "dem25_A", "EPSG:23030", [270_000, 4_459_000], 1.7),
        ("terrain/goteborg/DSM_KRbig.tif", "gbgDSM_C", "EPSG:3007", [147_837, 6_398_668], 1.6),
    ],
)
def test_the_references_are_met(
    real_data: Path,
    program: str,
    path: str,
    case: str,
    crs: str,
    observer: list[float],
    height: float,
) -> None:
    """GRASS r.viewshed and an exhaustive line of sight, on the grid of the surface."""
    import rasterio

    scene = held(api.load(real_data / path, layer_id="dem")[0], crs=crs, origin=(*observer, 0))
    result = look(scene, observer, "dem", observer_height=height)
    with rasterio.open(real_data / f"reference/viewshed/{program}_{case}.tif") as dataset:
        theirs, transform = dataset.read(1), dataset.transform
    ours = result.layers["visible"].data
    assert isinstance(ours, GridData)
    assert ours.transform == tuple(transform)[:6]
    assert ours.values.dtype == np.uint8
    assert (ours.values == theirs).mean() >= 0.995
    cell = transform.a**2
    assert number(result, "visible_area") == (ours.values == 1).sum() * cell
    assert number(result, "visible_share") == pytest.approx((ours.values == 1).mean())


@pytest.mark.parametrize("target_height", [0.0, 2.0])
def test_meshes_and_rasters_agree_on_the_same_surface(tmp_path: Path, target_height: float) -> None:
    # Noise from cell to cell is another surface for another diagonal of the triangles.
    heights = hills(noise=0.3)
    scene = held(terrain(tmp_path, heights), as_mesh(heights))
    raster = grid(look(scene, AT, "terrain", target_height=target_height))
    both = look(scene, AT, ["terrain", "mesh"], target_height=target_height)
    assert both.provenance["method"] == "rays"
    rays = grid(both)
    assert rays.shape == raster.shape
    assert 0.05 < (raster == 1).mean() < 0.95
    assert (rays == raster).mean() >= 0.995
    assert np.array_equal(grid(both, "height_needed") <= np.float32(target_height), rays == 1)


@pytest.mark.parametrize(
    ("path", "crs", "places"),
    [
        (
            "terrain/goteborg/DSM_KRbig.tif",
            "EPSG:3007",
            [(147_837.5, 6_398_667.5), (147_924.5, 6_398_621.5), (147_800.5, 6_398_714.5)],
        ),
        ("terrain/qgis/dem25.tif", "EPSG:23030", [(270_000, 4_459_000), (274_959, 4_461_237)]),
    ],
)
def test_meshes_and_rasters_agree_on_real_surfaces(
    real_data: Path, path: str, crs: str, places: list[tuple[float, float]]
) -> None:
    """Walls and crowns in cells of 1 m, and hills in cells of 25 m, as triangles alone."""
    from scipy.ndimage import maximum_filter, minimum_filter

    layer = api.load(real_data / path, layer_id="dem")[0]
    heights, (cell, _, west, _, step, north) = api.read_grid(layer.data)  # type: ignore[arg-type]
    mesh = as_mesh(heights, cell, (west, north), crs)
    rows, columns = heights.shape
    whole = [west, north + rows * step, west + columns * cell, north]
    for place in places:
        place = (
            west + (math.floor((place[0] - west) / cell) + 0.5) * cell,
            north + (math.floor((place[1] - north) / step) + 0.5) * step,
        )
        scene = held(layer, mesh, crs=crs, origin=(*place, 0))
        raster = grid(look(scene, place, "dem"))
        rays = grid(look(scene, place, ["mesh"], extent=whole, cell_size=cell, facades=False))
        assert rays.shape == raster.shape
        differ = rays != raster
        assert 1 - differ.mean() >= 0.995
        edge = maximum_filter(raster, 3) != minimum_filter(raster, 3)
        edge |= maximum_filter(rays, 3) != minimum_filter(rays, 3)
        assert edge[differ].mean() >= 0.98


def test_the_cells_of_models_lie_on_whole_metres_or_on_the_extent() -> None:
    """So that the answers of two schemes, or of two surfaces, can be laid on each other."""
    tower = bodies({"tower": box((0.3, 0.4, 0), (9.7, 8.2, 30), (X, Y, 0))})
    data = look(held(tower), [X + 20, Y, 40.0], ["city"], cell_size=2.0).layers["visible"].data
    assert isinstance(data, GridData)
    assert data.transform == (2.0, 0.0, X, 0.0, -2.0, Y + 10)
    assert data.values.shape == (5, 5)
    box_ = [X + 1.5, Y + 0.5, X + 6.0, Y + 7.5]
    data = look(held(tower), [X + 20, Y, 40.0], ["city"], extent=box_).layers["visible"].data
    assert isinstance(data, GridData)
    assert data.transform == (1.0, 0.0, X + 1.5, 0.0, -1.0, Y + 7.5)


def test_a_box_hides_what_similar_triangles_say(tmp_path: Path) -> None:
    """A 30 m high wall 100 m east of an eye at 10 m hides everything behind it."""
    ground = terrain(tmp_path, np.zeros((100, 100)))
    tower = bodies({"wall": box((95, -40, -1), (105, 40, 30), (*AT, 0))})
    scene = held(ground, tower)
    result = look(scene, [*AT, 10.0], ["terrain", "city"])
    visible = grid(result)
    i, j = np.mgrid[:100, :100]
    east, north = (j - 50) * 10.0, (50 - i) * 10.0
    behind = (east > 105) & (np.abs(north) < 40 / 95 * east - 1e-9)
    on_roof = (east >= 95) & (east <= 105) & (np.abs(north) <= 40)
    assert not visible[behind | on_roof].any()
    assert visible[~(behind | on_roof | (np.abs(np.abs(north) - 40 / 95 * east) < 5))].all()
    needed = grid(result, "height_needed")
    # Over the wall's cells: 20 m up in 100 m.
    assert needed[50, 50 + 20] == pytest.approx(10 + 20 * 200 / 100, abs=1.1)
    # The western face is seen, the others are not: 80 m by 30 m.
    faces = result.layers["faces_city"].data
    assert isinstance(faces, MeshData)
    corners = faces.vertices[faces.triangles]
    middle = corners.mean(axis=1) - [*AT, 0]
    seen = faces.scalars["visible"] > 0
    front = np.abs(middle[:, 0] - 95) < 1e-6
    assert np.array_equal(seen, front & (middle[:, 2] > 0))
    area = number(result, "visible_facade_area")
    assert area == pytest.approx(80 * 30, rel=0.04)
    assert number(result, "facade_area") == pytest.approx(2 * (80 * 31 + 10 * 31 + 80 * 10))


def test_the_origin_of_the_scene_moves_no_answer(tmp_path: Path) -> None:
    """Window, command line and replay choose different ones."""
    houses = {f"h{n}": box((30 * n, 0, 0), (30 * n + 20, 25, 60 + 7 * n)) for n in range(8)}
    moved = {name: (points + [*AT, 0], cells) for name, (points, cells) in houses.items()}
    layers = [terrain(tmp_path, hills()), bodies(moved)]
    one, two = (
        look(held(*layers, origin=origin), [*AT, 90.0], ["terrain", "city"])
        for origin in ((X, Y, 0.0), (0.0, 0.0, 0.0))
    )
    assert one.values == two.values
    assert np.array_equal(grid(one), grid(two))
    painted = [r.layers["faces_city"].data.scalars["visible"] for r in (one, two)]  # type: ignore[union-attr]
    assert np.array_equal(*painted)


def ball(radius: float, n: int = 60) -> Layer:
    """Return a sphere about a point 200 m over `AT`, outward triangles."""
    latitude, longitude = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, n + 1), np.linspace(0, 2 * np.pi, 2 * n + 1)[:-1]
    )
    points = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=-1,
    )
    i, j = (a.ravel() for a in np.meshgrid(np.arange(2 * n), np.arange(n), indexing="ij"))
    a, b = i * (n + 1) + j, (i + 1) % (2 * n) * (n + 1) + j
    cells = np.concatenate([np.column_stack([a, b, b + 1]), np.column_stack([a, b + 1, a + 1])])
    mesh = MeshData(points.reshape(-1, 3) * radius + [*AT, 200.0], cells)
    return Layer("ball", "ball", LayerKind.MESH, mesh, api.parse_crs("EPSG:4549"))


def test_of_a_ball_the_faces_turned_to_the_eye_are_seen() -> None:
    """From h away from the surface of a sphere the cap within acos(R / (R + h)) is seen."""
    radius, away = 50.0, 80.0
    eye = np.array([AT[0] - radius - away, AT[1], 200.0])
    result = look(held(ball(radius)), eye.tolist(), ["ball"], cell_size=5.0)
    faces = result.layers["faces_ball"].data
    assert isinstance(faces, MeshData)
    corners = faces.vertices[faces.triangles]
    middle = corners.mean(axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = np.einsum("ij,ij->i", normal, eye - middle)
    assert np.array_equal(faces.scalars["visible"] > 0, facing > 0)
    cap = 2 * np.pi * radius**2 * (1 - radius / (radius + away))
    assert number(result, "visible_facade_area") == pytest.approx(cap, rel=0.02)


@pytest.mark.parametrize("height", [0.5, -0.5])
def test_a_tilted_plane_of_triangles_is_seen_whole_or_not_at_all(height: float) -> None:
    """Three points and a rim; from under it only its lower side is there."""
    y, x = np.mgrid[:100, :100]
    plane = 0.3 * x + 0.2 * y + 50.0
    scene = held(as_mesh(plane))
    eye = [*AT, float(plane[50, 50]) + height]
    visible = grid(look(scene, eye, ["mesh"], cell_size=10.0, facades=False))
    held_cells = visible[visible != 255]
    assert held_cells.all() if height > 0 else not held_cells.any()


def test_a_surface_too_large_is_refused_and_a_part_of_it_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline_sightline.analysis import viewshed_raster

    scene = held(terrain(tmp_path, hills()))
    whole = look(scene, AT, "terrain", max_distance=150.0)
    monkeypatch.setattr(viewshed_raster, "MAX_CELLS", 5000)
    with pytest.raises(RefusedError, match="million cells"):
        look(scene, AT, "terrain")
    part = look(scene, AT, "terrain", max_distance=150.0)
    assert any("looked at only" in text for text in part.warnings)
    assert part.values == whole.values
    assert grid(part).shape == (35, 35)


def test_several_observers_are_counted(tmp_path: Path) -> None:
    scene = held(terrain(tmp_path, hills()))
    places = [AT, [X - 205, Y + 105], [X + 305, Y - 205]]
    alone = [grid(look(scene, place, "terrain")) for place in places]
    result = look(scene, places, "terrain")
    count = grid(result, "observer_count")
    assert np.array_equal(count, np.sum(alone, axis=0))
    assert np.array_equal(grid(result) == 1, count > 0)
    needed = [grid(look(scene, place, "terrain"), "height_needed") for place in places]
    assert np.array_equal(grid(result, "height_needed"), np.min(needed, axis=0))
    rows = result.tables["observers"].rows
    assert [row[0] for row in rows] == [1, 2, 3]
    assert [row[-1] for row in rows] == pytest.approx([(one == 1).mean() for one in alone])


def test_limits_leave_cells_out_and_do_not_move_the_grid(tmp_path: Path) -> None:
    scene = held(terrain(tmp_path, hills()))
    whole = grid(look(scene, AT, "terrain"))
    i, j = np.mgrid[:100, :100]
    east, north = (j - 50) * 10.0, (50 - i) * 10.0
    near = look(scene, AT, "terrain", max_distance=200.0)
    within = np.hypot(east, north) <= 200.0
    assert np.array_equal(grid(near) == 255, ~within)
    assert np.array_equal(grid(near)[within], whole[within])
    assert number(near, "area") == within.sum() * 100.0
    box_ = look(scene, AT, "terrain", extent=[AT[0] + 95, AT[1] - 55, AT[0] + 205, AT[1] + 55])
    inside = (east >= 100) & (east <= 200) & (np.abs(north) <= 50)
    assert np.array_equal(grid(box_) != 255, inside)
    assert np.array_equal(grid(box_)[inside], whole[inside])
    # Azimuths are true; the grid is turned against them by the convergence.
    turn = scene.georeference.convergence(*AT)
    sector = grid(look(scene, AT, "terrain", azimuth_from=80 + turn, azimuth_to=100 + turn))
    azimuth = np.degrees(np.arctan2(east, north)) % 360
    asked = (azimuth > 80) & (azimuth < 100)
    asked[50, 50] = True
    assert np.array_equal(sector != 255, asked)
    low = grid(look(scene, AT, "terrain", elevation_to=-5.0))
    eye = hills()[50, 50] + 1.6
    below = np.degrees(np.arctan2(hills() - eye, np.hypot(east, north))) <= -5.0
    below[50, 50] = True
    assert np.array_equal(low != 255, below)


def test_larger_cells_are_means_of_those_of_the_surface(tmp_path: Path) -> None:
    scene = held(terrain(tmp_path, hills()))
    result = look(scene, AT, "terrain", cell_size=20.0)
    data = result.layers["visible"].data
    assert isinstance(data, GridData)
    assert data.values.shape == (50, 50)
    assert data.transform == (20.0, 0.0, WEST, 0.0, -20.0, NORTH)
    odd = look(scene, AT, "terrain", cell_size=24.0)
    assert any("20 m: a whole multiple" in text for text in odd.warnings)


def test_the_round_earth_hides_the_far_sea(tmp_path: Path) -> None:
    """Eye 1.6 m over a sea: with k = 0.13 the horizon lies at sqrt(2 R h / (1 - k))."""
    sea = terrain(tmp_path, np.zeros((3, 1000)), 10.0)
    scene = held(sea)
    place = [WEST + 5, NORTH - 15]
    assert number(look(scene, place, "terrain"), "visible_share") == 1.0
    bent = look(scene, place, "terrain", curvature=True)
    row = grid(bent)[1]
    horizon = math.sqrt(2 * bent.provenance["earth_radius"] * 1.6 / 0.87)
    assert 4800 < horizon < 4850
    assert abs(np.flatnonzero(row == 0)[0] * 10.0 - horizon) <= 20.0
    flat = held(terrain(tmp_path, np.zeros((3, 9)), crs=None), crs=None)
    with pytest.raises(RefusedError, match="no coordinate reference system"):
        look(flat, place, "terrain", curvature=True)


def test_feet_are_measured_in_metres(tmp_path: Path) -> None:
    """EPSG:2994: 10 ft cells, heights stated in metres."""
    layer = terrain(tmp_path, np.zeros((20, 20)), crs="EPSG:2994", corner=(0, 200))
    result = look(held(layer, crs="EPSG:2994", origin=(0, 0, 0)), [105, 95], "terrain")
    assert number(result, "visible_area") == pytest.approx(400 * 3.048**2)
    eye = result.points[0]
    assert eye == pytest.approx((105, 95, 1.6 / 0.3048))


def test_a_scheme_flattens_the_ground(tmp_path: Path) -> None:
    heights = np.zeros((100, 100))
    heights[:, 60] = 50.0
    scene = held(terrain(tmp_path, heights))
    ring = ((X + 90, Y - 600), (X + 120, Y - 600), (X + 120, Y + 600), (X + 90, Y + 600))
    scene.set_schemes([Scheme("flat", "flat", terrain_polygon=ring, terrain_height=0.0)])
    assert number(look(scene, AT, "terrain"), "visible_share") < 0.7
    params = {"observer": AT, "surface": "terrain"}
    request = api.AnalysisRequest("sightline.viewshed", params, "flat")
    assert number(api.run_request(request, scene), "visible_share") == 1.0


def test_a_preview_is_coarse_and_says_so(tmp_path: Path) -> None:
    scene = held(terrain(tmp_path, hills(500), 2.0), bodies({"a": box((0, 0, 0), (9, 9, 90))}))
    exact, quick = (look(scene, AT, "terrain", preview=p) for p in (False, True))
    assert any("preview" in text for text in quick.warnings)
    assert list(quick.layers) == ["visible"]
    assert grid(quick).size < 0.7 * grid(exact).size
    share = number(exact, "visible_share")
    assert number(quick, "visible_share") == pytest.approx(share, abs=0.05)
    both = look(scene, AT, ["terrain", "city"], preview=True)
    assert list(both.layers) == ["visible"]
    # A cell more at each rim: they begin at whole multiples of their size.
    assert grid(both).size <= 20_000 + 2 * sum(grid(both).shape)


def test_bad_input_is_refused_or_told(tmp_path: Path) -> None:
    heights = hills()
    heights[20:30, 20:30] = np.nan
    scene = held(terrain(tmp_path, heights), bodies({"house": box((0, 0, 0), (9, 9, 90))}))
    told = look(scene, AT, "terrain")
    assert any(text.startswith("1.00 % of the surface has no height") for text in told.warnings)
    assert (grid(told)[20:30, 20:30] == 255).all()
    wrong: list[tuple[Any, str]] = [
        ([X + 9999, Y], "outside of the surface"),
        ([WEST + 255, NORTH - 255], "no height"),
        ([*AT, 0.0], "under the surface"),
    ]
    for observer, words in wrong:
        with pytest.raises(RefusedError, match=words):
            look(scene, observer, "terrain")
    both = look(scene, AT, ["terrain", "city"], facades=False)
    assert any("has holes" in text for text in both.warnings)
    for observer, words in (([X + 9999, Y], "no ground"), ([*AT, 0.0], "under the terrain")):
        with pytest.raises(RefusedError, match=words):
            look(scene, observer, ["terrain", "city"])
    bad: list[tuple[dict[str, Any], str]] = [
        ({"max_distance": 0}, "max_distance"),
        ({"azimuth_from": 90, "azimuth_to": 90}, "azimuth_to"),
        ({"elevation_from": 10, "elevation_to": -10}, "elevation_to"),
        ({"extent": [X, Y, X - 5, Y + 5]}, "extent"),
        ({"cell_size": -1}, "cell_size"),
        ({"observer_height": math.nan}, "observer_height"),
    ]
    for params, field in bad:
        with pytest.raises(UsageError) as caught:
            look(scene, AT, "terrain", **params)
        assert field in str(caught.value) + str(caught.value.details)
    through_north = look(scene, AT, "terrain", azimuth_from=350, azimuth_to=10)
    assert any("past north" in text for text in through_north.warnings)
    short = look(scene, AT, "terrain", max_distance=3.0)
    assert any("shorter than a cell" in text for text in short.warnings)
    nothing = look(scene, AT, "terrain", extent=[X + 9000, Y, X + 9001, Y + 1])
    assert nothing.values["visible_share"].value is None
    assert any("No cell lies" in text for text in nothing.warnings)


def test_an_eye_between_its_own_height_and_the_cells_is_lifted(tmp_path: Path) -> None:
    """On a slope of 45° the middle of the cell is higher than the ground 4 m beside it."""
    heights = np.broadcast_to(np.arange(100) * 10.0, (100, 100))
    scene = held(terrain(tmp_path, heights))
    result = look(scene, [AT[0] - 4.0, AT[1], 500.0 - 4.0 + 1.0], "terrain")
    assert result.points[0][2] == pytest.approx(501.0)
    assert any("lifted by 4.00 m" in text for text in result.warnings)
