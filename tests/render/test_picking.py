"""Picks against float64 ray casting and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from render_scenes import (
    CRS,
    PLACE,
    SIZE,
    above,
    boxes_layer,
    color_at,
    hills,
    is_sky,
    new_scene,
    pixel,
    terrain_layer,
    vector_layer,
    viewing,
)

from plumbline.core.data import MeshData, PointCloudData
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Camera, Scene, Scheme
from plumbline.geometry.rays import ray_triangles
from plumbline.render import camera as moves


def slanted(distance: float = 260.0) -> Camera:
    focal = PLACE + (20, 5, 10)
    eye = focal + np.array([0.5, -0.7, 0.6]) * distance
    return Camera(tuple(eye), tuple(focal))


def random_mesh() -> MeshData:
    rng = np.random.default_rng(8)
    centers = PLACE + rng.uniform((-60, -60, 0), (100, 70, 40), (3000, 3))
    corners = centers[:, None] + rng.normal(0, 3, (3000, 3, 3))
    return MeshData(corners.reshape(-1, 3), np.arange(9000).reshape(-1, 3))


@pytest.mark.parametrize("parallel", [False, True])
def test_200_picks_on_a_mesh_equal_testing_every_triangle(parallel: bool) -> None:
    scene = new_scene()
    data = random_mesh()
    scene.add(Layer("mesh", "mesh", LayerKind.MESH, data, CRS))
    rng = np.random.default_rng(2)
    with viewing(scene) as view:
        view.set_camera(moves.set_parallel(slanted(), parallel))
        corners = data.vertices[data.triangles]
        met = 0
        for x, y in rng.integers((0, 0), SIZE, (200, 2)):
            ray = moves.ray(view.camera(), x + 0.5, y + 0.5, SIZE)
            t = ray_triangles(ray.origin, ray.direction, corners)
            t[t < ray.start] = np.inf
            found = view.pick(int(x), int(y))
            if not np.isfinite(t.min()):
                assert found is None
                continue
            met += 1
            assert found is not None
            assert found.primitive == int(np.argmin(t))
            assert np.abs(np.array(found.position) - ray.at(float(t.min()))).max() < 1e-6
        assert met > 60


def test_picks_agree_with_the_picture() -> None:
    """Where a pick hits, the pixel is not sky, and the other way round."""
    scene = new_scene()
    scene.add(boxes_layer())
    rng = np.random.default_rng(4)
    with viewing(scene) as view:
        view.set_camera(slanted(120))
        picture = view.screenshot()
        wrong = 0
        for x, y in rng.integers((0, 0), SIZE, (400, 2)):
            r, g, b = (int(v) for v in picture[SIZE[1] - 1 - y, x])
            wrong += is_sky((r, g, b)) != (view.pick(int(x), int(y)) is None)
        assert wrong <= 6, "only on smoothed edges"


def test_nothing_behind_the_visible_surface_is_picked() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(Camera(tuple(PLACE + (5, -200, 5)), tuple(PLACE + (5, 0, 5))))
        found = view.pick(*pixel(view, PLACE + (5, 0, 5)))
        assert found is not None
        assert found.entity == "low"
        assert found.position[1] == pytest.approx(PLACE[1], abs=1e-6), "the front, not the back"
        assert found.normal == pytest.approx((0, -1, 0))


def test_200_picks_on_terrain_lie_on_the_bilinear_surface(tmp_path: Path) -> None:
    from plumbline.io.raster import sample_bilinear

    scene = new_scene()
    layer = terrain_layer(tmp_path)
    scene.add(layer)
    rng = np.random.default_rng(6)
    with viewing(scene) as view:
        focal = PLACE + (200, 200, 20)
        view.set_camera(Camera(tuple(focal + (90, -260, 110)), tuple(focal)))
        met = []
        for x, y in rng.integers((0, 0), SIZE, (200, 2)):
            found = view.pick(int(x), int(y))
            if found is not None:
                ray = moves.ray(view.camera(), x + 0.5, y + 0.5, SIZE)
                position = np.array(found.position)
                t = float((position - ray.origin) @ ray.direction)
                assert np.abs(ray.at(t) - position).max() < 1e-6, "on the ray"
                before = ray.origin + np.linspace(0.2, 0.999, 400)[:, None] * t * ray.direction
                z = sample_bilinear(layer.data, before[:, :2])  # type: ignore[arg-type]
                assert not (before[:, 2] < z - 1e-6).any(), "no hill before it"
                met.append(position)
        assert len(met) > 100
        z = sample_bilinear(layer.data, np.array(met)[:, :2])  # type: ignore[arg-type]
        assert np.abs(z - np.array(met)[:, 2]).max() < 1e-6


def test_terrain_drawn_in_a_reduced_grid_is_picked_on_the_file(tmp_path: Path) -> None:
    from dataclasses import replace

    from plumbline.io.raster import sample_bilinear
    from plumbline.render.theme import SOFTWARE

    scene = new_scene()
    layer = terrain_layer(tmp_path)
    scene.add(layer)
    with viewing(scene, budget=replace(SOFTWARE, terrain_cells=2500)) as view:
        view.set_camera(above(200, 200, span=300))
        for x, y in np.random.default_rng(1).integers((20, 20), (300, 220), (50, 2)):
            found = view.pick(int(x), int(y))
            assert found is not None
            xy = np.array([found.position[:2]])
            z = float(sample_bilinear(layer.data, xy)[0])  # type: ignore[arg-type]
            assert found.position[2] == pytest.approx(z, abs=1e-6)


def test_200_picks_in_a_cloud_equal_testing_every_point() -> None:
    rng = np.random.default_rng(9)
    points = PLACE + rng.uniform((-60, -60, 0), (100, 70, 30), (20_000, 3))
    scene = new_scene()
    scene.add(
        Layer(
            "cloud",
            "cloud",
            LayerKind.POINTCLOUD,
            PointCloudData(points),
            CRS,
            style=LayerStyle(point_size=6),
        )
    )
    with viewing(scene) as view:
        view.set_camera(slanted())
        met = 0
        for x, y in rng.integers((0, 0), SIZE, (200, 2)):
            ray = moves.ray(view.camera(), x + 0.5, y + 0.5, SIZE)
            t = (points - ray.origin) @ ray.direction
            away = np.linalg.norm(points - ray.origin - t[:, None] * ray.direction, axis=1)
            t[(away > 3.0 * ray.pixel_slope * t) | (t < 0)] = np.inf
            found = view.pick(int(x), int(y))
            if not np.isfinite(t.min()):
                assert found is None
                continue
            met += 1
            assert found is not None
            nearest = int(np.argmin(t))
            assert (found.entity, found.primitive) == (str(nearest), nearest)
            assert found.position == tuple(points[nearest]), "the point itself, to the last bit"
            assert found.snap == "point"
        assert met > 60


def district(tmp_path: Path) -> Scene:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    plots = [shapely.box(40, 40, 200, 200), shapely.box(200, 40, 360, 200)]
    scene.add(vector_layer("plots", plots))
    scene.add(vector_layer("road", [shapely.LineString([(40, 120), (360, 120)])], line_width=4))
    scene.add(vector_layer("houses", [shapely.box(90, 60, 110, 80)], {"h": [30.0]}, extrude="h"))
    return scene


def test_what_lies_on_the_ground_has_the_exact_height_of_the_ground(tmp_path: Path) -> None:
    from plumbline.io.raster import sample_bilinear

    scene = district(tmp_path)
    with viewing(scene) as view:
        view.set_camera(above(200, 120, span=240))
        found = view.pick(*pixel(view, PLACE + (280, 70, 20)))
        assert found is not None
        assert (found.layer, found.entity) == ("plots", "f1")
        xy = np.array([found.position[:2]])
        z = float(sample_bilinear(scene["terrain"].data, xy)[0])  # type: ignore[arg-type]
        assert found.position[2] == pytest.approx(z, abs=1e-6)


def test_lines_win_over_the_areas_they_cross_and_houses_over_both(tmp_path: Path) -> None:
    scene = district(tmp_path)
    with viewing(scene) as view:
        view.set_camera(above(150, 120, span=240))
        for place, layer in (
            ((280, 120, 20), "road"),
            ((280, 160, 20), "plots"),
            ((100, 70, 50), "houses"),
            ((380, 300, 20), None),
        ):
            x, y = pixel(view, PLACE + place)
            found = view.pick(x, y) if 0 <= x < SIZE[0] and 0 <= y < SIZE[1] else None
            assert (found.layer if found else None) == layer, place


def test_the_upper_of_two_layers_on_the_ground_is_picked(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    area = shapely.box(100, 100, 200, 200)
    scene.add(vector_layer("below", [area], color="#ff0000"))
    scene.add(vector_layer("above", [area], color="#00ff00"))
    with viewing(scene) as view:
        view.set_camera(above(150, 150, span=150))
        place = pixel(view, PLACE + (150, 150, 20))
        found = view.pick(*place)
        assert found is not None
        assert found.layer == "above"
        assert color_at(view, *place)[1] > 200
        scene.set_tree(["below", "above", "terrain"])
        found = view.pick(*place)
        assert found is not None
        assert found.layer == "below"
        assert color_at(view, *place)[0] > 200


def test_hidden_things_are_not_picked() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(20, 5))
        low = pixel(view, PLACE + (5, 5, 10))
        assert view.pick(*low) is not None
        hidden = Scheme("s", "s", hidden=(EntityRef("boxes", "low"),))
        scene.set_schemes([hidden])
        scene.activate_scheme("s")
        assert view.pick(*low) is None
        assert is_sky(color_at(view, *low))
        high = view.pick(*pixel(view, PLACE + (35, 5, 30)))
        assert high is not None
        assert high.entity == "high"
        assert high.primitive >= 12, "the index in the data, not among what is left"
        scene.activate_scheme("")
        assert view.pick(*low) is not None
        scene.set_view("boxes", visible=False)
        assert view.pick(*low) is None


def test_terrain_that_a_scheme_cuts_or_flattens(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    ring = tuple((float(x), float(y)) for x, y in PLACE[:2] + [(100, 100), (300, 100), (200, 300)])
    scene.set_schemes(
        [
            Scheme("cut", "cut", terrain_polygon=ring),
            Scheme("flat", "flat", terrain_polygon=ring, terrain_height=35.0),
        ]
    )
    with viewing(scene) as view:
        view.set_camera(above(200, 150, span=200))
        place = pixel(view, PLACE + (200, 160, 20))
        scene.activate_scheme("cut")
        assert view.pick(*place) is None
        assert is_sky(color_at(view, *place))
        scene.activate_scheme("flat")
        found = view.pick(*place)
        assert found is not None
        assert found.position[2] == pytest.approx(35.0, abs=1e-6)
        scene.activate_scheme("")
        found = view.pick(*place)
        assert found is not None
        x, y, z = np.array(found.position) - PLACE
        assert z == pytest.approx(hills(np.array(x), np.array(y)), abs=0.02)


def test_hovering_while_the_camera_moves_is_as_exact_as_a_pick() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(slanted(120))
        place = pixel(view, PLACE + (5, 0, 5))
        found = view.pick(*place)
        view.begin_interaction()
        assert found is not None
        assert view.hover_position(*place) == found.position
        assert view.hover_position(2, 2) is None
        view.end_interaction()
