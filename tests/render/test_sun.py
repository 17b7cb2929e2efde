"""Sunlight: shadows fall where geometry says, on everything, and go with the sun."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import pyvista
import shapely
from render_scenes import (
    CRS,
    PLACE,
    SIZE,
    THEME,
    above,
    box_mesh,
    boxes_layer,
    color_at,
    grid_layer,
    image_layer,
    new_scene,
    pixel,
    terrain_layer,
    vector_layer,
    viewing,
)

from plumbline.core.data import Material, MeshData
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Scene
from plumbline.render.offscreen import scene_picture
from plumbline.render.scene_view import SceneView
from plumbline.render.sun import Sun
from plumbline.render.theme import HARDWARE, SOFTWARE


def flat(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 10.0 + 0 * x


def brightness(view: SceneView, x: float, y: float, z: float = 10.0) -> float:
    return float(np.mean(color_at(view, *pixel(view, PLACE + (x, y, z)))))


def scene_with_ground(tmp_path: Path) -> Scene:
    """A level ground at 10 m, 200 m wide; a house 20 m high on it at (100..110, 100..110)."""
    scene = new_scene()
    scene.add(terrain_layer(tmp_path, flat, cells=100))
    house = shapely.box(100, 100, 110, 110)
    scene.add(vector_layer("houses", [house], {"h": [20.0]}, extrude="h"))
    return scene


@pytest.mark.parametrize("azimuth", [90.0, 180.0, 225.0, 315.0])
def test_a_shadow_is_as_long_as_the_height_says_and_points_away(
    tmp_path: Path, azimuth: float
) -> None:
    with viewing(scene_with_ground(tmp_path), budget=SOFTWARE) as view:
        view.set_camera(above(105, 105, span=120))
        view.set_sun(azimuth, 45.0)  # a shadow of 20 m
        turn = math.radians(azimuth)
        away = np.array([-math.sin(turn), -math.cos(turn)])
        # From the middle of the house: its far wall or corner, then the shadow of the roof.
        reach = 5.0 * float(np.abs(away).sum()) if azimuth % 90 else 5.0
        lit = brightness(view, *(105 - 20 * away))
        inside = brightness(view, *(105 + (reach + 17) * away))
        beyond = brightness(view, *(105 + (reach + 24) * away))
        assert inside < 0.75 * lit
        assert beyond == pytest.approx(lit, rel=0.05)


def test_shadows_lie_on_photographs_and_go_when_the_sun_does(tmp_path: Path) -> None:
    scene = scene_with_ground(tmp_path)
    scene.add(image_layer(tmp_path, np.full((3, 100, 100), 200, np.uint8), 2.0))
    with viewing(scene, budget=SOFTWARE) as view:
        view.set_camera(above(105, 105, span=120))
        plain = view.screenshot().astype(int)
        view.set_sun(180.0, 45.0)
        assert brightness(view, 105, 122) < 0.75 * brightness(view, 105, 90)
        sky = view._renderer.GetBackground()
        assert max(abs(a - b) for a, b in zip(sky, (1.0, 0.0, 1.0), strict=True)) > 0.2
        view.set_sun(None)
        assert np.abs(view.screenshot().astype(int) - plain).max() <= 2


def test_a_hill_shades_the_valley(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path, lambda x, y: 40.0 * np.exp(-(((x - 100) / 12) ** 2)), 100))
    with viewing(scene, budget=SOFTWARE) as view:
        view.set_camera(above(100, 100, span=200))
        view.set_sun(90.0, 20.0)
        assert brightness(view, 50, 100, 0) < 0.75 * brightness(view, 150, 100, 0)


def test_the_wall_towards_the_sun_is_lit_and_the_other_is_not() -> None:
    from plumbline.core.scene import Camera

    scene = new_scene()
    scene.add(boxes_layer(color_by="solid", color="#cccccc"))
    with viewing(scene, budget=SOFTWARE) as view:
        view.set_camera(Camera(tuple(PLACE + (-40, -40, 20)), tuple(PLACE + (5, 5, 5))))
        view.set_sun(270.0, 30.0)
        west, south = brightness(view, 0, 5, 5), brightness(view, 5, 0, 5)
        assert west > 1.3 * south
        view.set_sun(180.0, 30.0)
        assert brightness(view, 5, 0, 5) > 1.3 * brightness(view, 0, 5, 5)


def test_colours_that_stand_for_data_are_not_shaded(tmp_path: Path) -> None:
    scene = scene_with_ground(tmp_path)
    scene.add(grid_layer(np.ones((20, 20), np.uint8), class_colors={"1": "#ff8000"}))
    with viewing(scene, budget=SOFTWARE) as view:
        view.set_camera(above(105, 105, span=120))
        view.set_sun(180.0, 45.0)
        in_shade = color_at(view, *pixel(view, PLACE + (105, 122, 10)))
        view.set_sun(0.0, 45.0)
        lit = color_at(view, *pixel(view, PLACE + (105, 122, 10)))
        # Only what shines through from below differs.
        assert np.abs(np.subtract(in_shade, lit)).max() < 40


def test_what_comes_and_goes_casts_with_the_others(tmp_path: Path) -> None:
    scene = scene_with_ground(tmp_path)
    with viewing(scene, budget=SOFTWARE) as view:
        view.set_camera(above(105, 105, span=120))
        view.set_sun(180.0, 45.0)
        dark = brightness(view, 105, 122)
        scene.set_view("houses", visible=False)
        assert brightness(view, 105, 122) > 1.3 * dark
        tower = vector_layer("t", [shapely.box(100, 100, 110, 110)], {"h": [20.0]}, extrude="h")
        view.show_layer("tower", tower)
        assert brightness(view, 105, 122) == pytest.approx(dark, rel=0.05)
        scene.set_georeference(Georeference(scene.georeference.crs, (554_900, 3_990_100, 5)))
        assert brightness(view, 105, 122) == pytest.approx(dark, rel=0.08)


def test_below_the_horizon_everything_is_in_shade(tmp_path: Path) -> None:
    with viewing(scene_with_ground(tmp_path), budget=SOFTWARE) as view:
        view.set_camera(above(105, 105, span=120))
        view.set_sun(180.0, 45.0)
        day = brightness(view, 105, 90)
        view.set_sun(180.0, -3.0)
        assert brightness(view, 105, 122) == pytest.approx(brightness(view, 105, 90), rel=0.03)
        assert brightness(view, 105, 90) < 0.8 * day


def test_shadows_with_all_passes_of_a_graphics_card(tmp_path: Path) -> None:
    scene = scene_with_ground(tmp_path)
    plotter = pyvista.Plotter(off_screen=True, window_size=SIZE)
    view = SceneView(plotter, scene, THEME, budget=HARDWARE)
    try:
        view.look("iso")
        view.set_sun(225.0, 40.0)
        view.begin_interaction()
        view.render()
        view.end_interaction()
        picture = view.screenshot()
        view.set_sun(None)
        assert np.abs(picture.astype(int) - view.screenshot()).mean() > 5
    finally:
        view.close()
        plotter.close()


def test_the_direction_of_the_sun_and_the_colours_of_the_day() -> None:
    assert Sun(90.0, 0.0).direction == pytest.approx([1, 0, 0], abs=1e-12)
    assert Sun(180.0, 30.0).direction == pytest.approx([0, -math.sqrt(3) / 2, 0.5], abs=1e-12)
    noon, dusk, night = (Sun(180, h).colors() for h in (60, 2, -15))
    assert noon[0].mean() > dusk[0].mean() > night[0].mean()
    assert dusk[1][0] > dusk[1][2], "the evening sky is warm at the horizon"
    assert night[2].max() == 0


def test_glass_throws_no_shadow_and_a_roof_does(tmp_path: Path) -> None:
    for alpha, dark in ((1.0, True), (0.4, False)):
        scene = new_scene()
        scene.add(terrain_layer(tmp_path, flat, cells=100))
        points, faces = box_mesh(100, 100, 25, 10)
        material = Material("m", (0.8, 0.8, 0.8, alpha))
        index = np.zeros(len(faces), dtype=np.int32)
        box = MeshData(points, faces, materials=[material], material_index=index)
        scene.add(Layer("box", "box", LayerKind.MESH, box, CRS))
        with viewing(scene, budget=SOFTWARE) as view:
            view.set_camera(above(105, 105, span=120))
            view.set_sun(180.0, 45.0)
            shaded = brightness(view, 105, 125) < 0.75 * brightness(view, 105, 85)
            assert shaded is dark


def test_a_picture_for_a_report_can_have_the_sun(tmp_path: Path) -> None:
    scene = scene_with_ground(tmp_path)
    camera = above(105, 105, span=120)
    plain = scene_picture(scene, (200, 150), camera).astype(int)
    lit = scene_picture(scene, (200, 150), camera, sun=(180.0, 45.0)).astype(int)
    x, y = 100, round(75 - 17 * 150 / 120)  # 17 m north of the middle of the house
    assert lit[y, x].mean() < 0.75 * lit[75 + 30, 100].mean()
    assert plain[y, x].mean() == pytest.approx(plain[75 + 30, 100].mean(), rel=0.05)
