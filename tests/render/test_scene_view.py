"""The picture follows the scene: events, order, selection, records, closing."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvista
import shapely
from render_scenes import (
    PLACE,
    SIZE,
    THEME,
    above,
    boxes_layer,
    color_at,
    image_layer,
    is_sky,
    new_scene,
    pixel,
    terrain_layer,
    vector_layer,
    viewing,
)

from plumbline.core.crs import parse_crs
from plumbline.core.errors import InputError
from plumbline.core.georeference import Georeference
from plumbline.core.layer import LayerStyle, LayerView
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Camera, Record, Scene
from plumbline.render.scene_view import SceneView
from plumbline.render.theme import DARK


def actors(view: SceneView) -> int:
    return int(view.plotter.renderer.GetActors().GetNumberOfItems())


def test_layers_come_change_and_go() -> None:
    scene = new_scene()
    with viewing(scene) as view:
        empty = actors(view)
        scene.add(boxes_layer())
        view.set_camera(above(5, 5))
        place = pixel(view, PLACE + (5, 5, 10))
        assert color_at(view, *place)[1] > 90
        scene.set_style("boxes", LayerStyle(color_by="solid", color="#ff0000"))
        r, g, _ = color_at(view, *place)
        assert r > 4 * g
        scene.set_view("boxes", visible=False)
        assert is_sky(color_at(view, *place))
        scene.set_view("boxes", visible=True)
        assert not is_sky(color_at(view, *place))
        moved = boxes_layer()
        moved.data.vertices += (0, 500, 0)  # type: ignore[union-attr]
        scene.replace_data(moved)
        assert is_sky(color_at(view, *place))
        scene.remove("boxes")
        assert actors(view) == empty
        scene.history.undo()
        assert actors(view) > empty


def test_groups_hide_their_layers() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    group = scene.add_group("g", ["boxes"])
    with viewing(scene) as view:
        view.set_camera(above(5, 5))
        scene.update_group(group, visible=False)
        assert is_sky(color_at(view, *pixel(view, PLACE + (5, 5, 10))))


def test_plan_layers_rise_when_terrain_arrives(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(vector_layer("park", [shapely.box(100, 100, 200, 200)]))
    with viewing(scene) as view:
        (ref,) = [EntityRef("park", "f0")]
        flat = view.extent([ref])
        assert flat is not None
        assert (flat.zmin, flat.zmax) == (0, 0)
        scene.add(terrain_layer(tmp_path))
        laid = view.extent([ref])
        assert laid is not None
        assert laid.zmin > 10
        scene.remove("terrain")
        again = view.extent([ref])
        assert again is not None
        assert again.zmax == 0


def test_terrain_below_a_full_photograph_is_not_drawn_twice(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    scene.add(image_layer(tmp_path, np.full((3, 100, 100), 120, np.uint8), 4.0))
    with viewing(scene) as view:
        (terrain,) = view.layers.shown["terrain"].drawn
        assert not terrain.actor.GetVisibility()
        scene.set_view("image", opacity=0.5)
        assert terrain.actor.GetVisibility()
        scene.set_view("image", opacity=1.0, visible=False)
        assert terrain.actor.GetVisibility()


def test_selection_is_outlined_and_not_painted_over() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(20, 5))
        middle, edge = (
            pixel(view, PLACE + (5, 5, 10)),
            pixel(view, PLACE + (0, 5, 10)),
        )
        before = np.array(color_at(view, *middle))
        scene.select([EntityRef("boxes", "low")])
        tinted = np.array(color_at(view, *middle))
        r, _, b = color_at(view, *edge)
        assert b > 150 > r, "the outline has the colour of the selection"
        assert 0 < np.abs(tinted - before).max() < 90, "the thing itself stays readable"
        assert view.selection_bounds() is not None
        scene.select([])
        assert np.abs(np.array(color_at(view, *middle)) - before).max() < 10
        assert view.selection_bounds() is None


def test_records_and_preview_are_drawn_in_front() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(20, 5))
        a, b = PLACE + (-5, 5, -50), PLACE + (45, 5, -50)
        place = pixel(view, PLACE + (5, 5, -50))
        scene.set_records([Record("m1", "m", {}, {}, (tuple(a), tuple(b)), "49.99 m 距离")])
        _, g, b_ = color_at(view, *place)
        assert b_ > 150, "in front of the box above it"
        assert b_ > g + 50
        scene.set_records([])
        assert color_at(view, *place)[2] < 150
        view.set_preview([tuple(a), tuple(b)], "50 m")
        assert color_at(view, *place)[2] > 150
        view.clear_preview()
        assert color_at(view, *place)[2] < 150


def test_another_theme_repaints_the_sky() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(5, 5, span=100))
        assert is_sky(color_at(view, 2, 2))
        view.set_theme(DARK)
        assert max(color_at(view, 2, 2)) < 100


def test_preparing_elsewhere_keeps_only_the_last_result() -> None:
    scene = new_scene()
    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def later(work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        waiting.append((work, done))

    with viewing(scene, prepare_async=later) as view:
        scene.add(boxes_layer())
        scene.set_style("boxes", LayerStyle(color_by="solid", color="#ff0000"))
        assert len(waiting) == 2
        assert not view.layers.shown["boxes"].drawn
        (old, old_done), (new, new_done) = waiting
        new_done(new())
        count = actors(view)
        old_done(old())
        assert actors(view) == count
        view.set_camera(above(5, 5))
        r, g, _ = color_at(view, *pixel(view, PLACE + (5, 5, 10)))
        assert r > 4 * g
        scene.set_style("boxes", LayerStyle())
        scene.remove("boxes")
        work, done = waiting[-1]
        done(work())
        assert "boxes" not in view.layers.shown


def test_renders_are_left_to_the_window_when_it_asks() -> None:
    scene = new_scene()
    asked: list[int] = []
    with viewing(scene, request_render=lambda: asked.append(1)) as view:
        before = view.frame_time()
        asked.clear()
        scene.add(boxes_layer())
        scene.set_view("boxes", opacity=0.5)
        assert len(asked) >= 2
        assert view.frame_time() == before


def test_camera_goes_and_comes_back_in_float64() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    camera = Camera(
        (555_010.123456789, 3_990_020.987654321, 77.125),
        (555_000.1, 3_990_000.2, 0.3),
        view_angle=35.0,
    )
    with viewing(scene) as view:
        view.set_camera(camera)
        assert view.camera() == camera
        view.set_camera(Camera((0, 0, 1), (0, 0, 0)), animate=True)
        assert view.camera() == Camera((0, 0, 1), (0, 0, 0))


def test_framing_shows_everything_or_the_selection() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.look("front")
        view.frame()
        for corner in ((0, 0, 0), (40, 10, 30)):
            x, y = pixel(view, PLACE + corner)
            assert 0 <= x <= SIZE[0]
            assert 0 <= y <= SIZE[1]
        view.frame(view.extent([EntityRef("boxes", "high")]))
        x, y = pixel(view, PLACE + (35, 5, 25))
        assert (x, y) == pytest.approx((SIZE[0] / 2, SIZE[1] / 2), abs=8)


def test_scale_bar_and_north() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(0, 0, span=240))
        metres, pixels = view.scale_bar()
        assert metres == 100
        assert pixels == pytest.approx(100)
        # 0.6 degrees of longitude east of the central meridian: convergence by Snyder 8-15.
        lon, lat = scene.georeference.geographic(*PLACE[:2])
        convergence = np.degrees(np.arctan(np.tan(np.radians(lon - 120)) * np.sin(np.radians(lat))))
        assert view.heading() == pytest.approx(convergence, abs=1e-3)
        assert view.north_angle() == pytest.approx(360 - convergence, abs=1e-3)
    plane = Scene(Georeference(None))
    plain = boxes_layer()
    plain.crs = None
    plane.add(plain)
    with viewing(plane) as view:
        view.look("top")
        assert view.north_angle() == pytest.approx(0)


def test_another_georeference_moves_nothing_on_the_screen() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(5, 5))
        before = view.screenshot().astype(int)
        scene.set_georeference(Georeference(scene.georeference.crs, (554_000, 3_991_000, 10)))
        assert np.abs(view.screenshot().astype(int) - before).mean() < 1


def test_closing_leaves_nothing_behind() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    scene.select([EntityRef("boxes", "low")])
    plotter = pyvista.Plotter(off_screen=True, window_size=SIZE)
    before = plotter.renderer.GetViewProps().GetNumberOfItems()
    view = SceneView(plotter, scene, THEME)
    scene.set_records([Record("m", "m", {}, {}, ((0, 0, 0), (1, 1, 1)), "x")])
    view.set_preview([(0, 0, 0), (1, 0, 0)], "y")
    layer_actors = [weakref.ref(d.actor) for d in view.layers.shown["boxes"].drawn]
    view.close()
    assert plotter.renderer.GetViewProps().GetNumberOfItems() == before
    scene.add(boxes_layer("later"))
    assert plotter.renderer.GetViewProps().GetNumberOfItems() == before, "no longer listening"
    gone = weakref.ref(view)
    del view
    gc.collect()
    assert gone() is None
    assert all(ref() is None for ref in layer_actors)
    SceneView(plotter, scene, THEME).close()
    plotter.close()


def test_hidden_layers_cost_nothing_until_they_are_shown() -> None:
    scene = new_scene()
    scene.add(boxes_layer(), view=LayerView(visible=False))
    with viewing(scene) as view:
        view.set_camera(above(5, 5))
        assert not view.layers.shown["boxes"].drawn
        scene.set_style("boxes", LayerStyle(color_by="solid", color="#ff0000"))
        assert not view.layers.shown["boxes"].drawn
        scene.set_view("boxes", visible=True)
        r, g, _ = color_at(view, *pixel(view, PLACE + (5, 5, 10)))
        assert r > 4 * g
        assert view.pick(*pixel(view, PLACE + (5, 5, 10))) is not None


def test_plan_layers_wait_for_terrain_that_is_being_read(tmp_path: Path) -> None:
    scene = new_scene()
    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    scene.add(terrain_layer(tmp_path))
    scene.add(vector_layer("park", [shapely.box(100, 100, 200, 200)]))
    with viewing(scene, prepare_async=lambda work, done: waiting.append((work, done))) as view:
        ((work, done),) = waiting
        done(work())
        assert len(waiting) == 2
        work, done = waiting[1]
        done(work())
        box = view.extent([EntityRef("park", "f0")])
        assert box is not None
        assert box.zmin > 10


def test_what_cannot_be_read_is_said_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    scene = new_scene()
    terrain = terrain_layer(tmp_path)
    (tmp_path / "terrain.tif").unlink()
    scene.add(terrain)
    scene.add(vector_layer("park", [shapely.box(0, 0, 20, 20)]))
    with pytest.raises(InputError, match=r"terrain\.tif"), viewing(scene):
        pass
    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    with viewing(scene, prepare_async=lambda work, done: waiting.append((work, done))) as view:
        work, done = waiting.pop()
        result = work()
        with pytest.raises(InputError):
            done(result)
        work, done = waiting.pop()
        done(work())
        assert view.layers.shown["park"].drawn


def test_names_are_written_once_and_never_over_each_other() -> None:
    scene = new_scene()
    shapes = [shapely.box(0, 0, 30, 30), shapely.LineString([(40, 0), (40, 30)]), None]
    crowd = [shapely.Point(20, -8), shapely.Point(20.01, -8)]
    titles: list[object] = ["学校 A", "Road", "nowhere", "tree", "tree"]
    scene.add(vector_layer("plan", [*shapes, *crowd], {"名称": titles}, label="名称"))
    with viewing(scene) as view:
        view.set_camera(above(20, 15))
        assert [label.text for label in view.layers.shown["plan"].prepared.labels] == [
            "学校 A",
            "Road",
            "tree",
            "tree",
        ]
        assert view._names.count == 3, "one of the two trees has no room"
        view.begin_interaction()
        assert view._names.count == 0
        view.end_interaction()
        scene.set_view("plan", visible=False)
        assert view._names.count == 0


def test_names_behind_a_building_are_not_written() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    tree = vector_layer("tree", [shapely.Point(5, 60)], {"n": ["tree"]}, label="n")
    scene.add(tree)
    with viewing(scene) as view:
        view.set_camera(Camera(tuple(PLACE + (5, -80, 5)), tuple(PLACE + (5, 0, 5))))
        assert view._names.count == 0
        scene.set_view("boxes", visible=False)
        assert view._names.count == 1


def test_the_scale_bar_is_in_metres_where_the_project_counts_in_feet() -> None:
    scene = Scene(Georeference(parse_crs("EPSG:2994"), (640_000.0, 850_000.0, 0.0)))
    with viewing(scene) as view:
        place = (640_000.0, 850_000.0)
        view.set_camera(Camera((*place, 500.0), (*place, 0.0), (0, 1, 0), True, 240.0))
        metres, pixels = view.scale_bar()
        assert pixels * 480 / SIZE[1] * 0.3048 == pytest.approx(metres)
