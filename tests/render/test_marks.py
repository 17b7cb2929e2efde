"""What tools draw in front of the scene: marks, grips, labels, and layers that are not in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import shapely
from render_scenes import (
    PLACE,
    above,
    boxes_layer,
    color_at,
    grid_layer,
    new_scene,
    pixel,
    vector_layer,
    viewing,
)

from plumbline.core.georeference import Georeference
from plumbline.core.scene import Record, Scene
from plumbline.render import camera as moves
from plumbline.render.scene_view import SceneView
from plumbline.render.theme import SOFTWARE

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Mark:
    """As `plumbline.ui_kit.context.Mark`, which needs Qt."""

    points: tuple[Point, ...]
    kind: str = "line"
    tone: str = "accent"
    width: float = 2.5
    label: str = ""
    closed: bool = False


def at(x: float, y: float, z: float = 0.0) -> Point:
    return (PLACE[0] + x, PLACE[1] + y, PLACE[2] + z)


SQUARE = (at(0, 0), at(20, 0), at(20, 20), at(0, 20))


@contextmanager
def looking_down(scene: Scene, **options: object) -> Iterator[SceneView]:
    with viewing(scene, budget=SOFTWARE, **options) as view:
        view.set_camera(above(20, 10))
        yield view


def seen(view: SceneView, x: float, y: float) -> np.ndarray:
    return np.array(color_at(view, *pixel(view, np.array(at(x, y)))))


def test_marks_of_every_kind_have_the_colour_of_their_tone() -> None:
    with looking_down(new_scene()) as view:
        sky = seen(view, 10, 10)
        view.tools.set_marks("a", [Mark(SQUARE, "polygon", "hidden")])
        view.tools.set_marks("b", [Mark((at(30, 0), at(30, 20)), "line", "visible", 6.0)])
        view.tools.set_marks("c", [Mark((at(38, 5), at(38, 15)), "points", "fill", 12.0)])
        inside = seen(view, 10, 10)
        assert np.abs(inside - sky).sum() > 60, "filled"
        assert inside[0] > 150
        assert inside[2] > 60, "but not quite: what lies below stays to be seen"
        for x, y, color in ((0, 10, "#D2441C"), (30, 10, "#2FB380"), (38, 5, "#2F6FDE")):
            wanted = np.frombuffer(bytes.fromhex(color[1:]), np.uint8).astype(int)
            assert np.abs(seen(view, x, y) - wanted).max() < 40, color
        view.tools.clear_marks("a")
        assert np.abs(seen(view, 10, 10) - sky).sum() < 6
        assert np.abs(seen(view, 30, 10) - sky).sum() > 60
        view.tools.clear_marks()
        assert np.abs(seen(view, 30, 10) - sky).sum() < 6


def test_marks_replace_those_of_their_key_and_an_unknown_tone_is_an_error() -> None:
    with looking_down(new_scene()) as view:
        sky = seen(view, 30, 10)
        view.tools.set_marks("a", [Mark((at(30, 0), at(30, 20)))])
        view.tools.set_marks("a", [Mark((at(10, 0), at(10, 20)))])
        assert np.abs(seen(view, 30, 10) - sky).sum() < 6
        assert np.abs(seen(view, 10, 10) - sky).sum() > 60
        view.tools.set_marks("a", [])
        assert np.abs(seen(view, 10, 10) - sky).sum() < 6
        with pytest.raises(KeyError):
            view.tools.set_marks("a", [Mark(SQUARE, tone="loud")])


def test_an_upright_outline_is_filled_too() -> None:
    wall = (at(0, 0, 0), at(20, 0, 0), at(20, 0, 20), at(0, 0, 20))
    with viewing(new_scene(), budget=SOFTWARE) as view:
        place = np.array(at(10, 0, 10))
        view.set_camera(moves.Camera((place[0], place[1] - 60, 10), tuple(place)))  # type: ignore[arg-type]
        sky = np.array(color_at(view, *pixel(view, place)))
        for points in (wall, wall[::-1]):
            view.tools.set_marks("a", [Mark(points, "polygon", "hidden")])
            assert np.abs(np.array(color_at(view, *pixel(view, place))) - sky).sum() > 60


def test_two_hundred_marks_are_a_few_actors() -> None:
    with looking_down(new_scene()) as view:
        tones = ("visible", "hidden")
        view.tools.set_marks(
            "a", [Mark((at(n / 5, 0), at(n / 5, 20)), tone=tones[n % 2]) for n in range(200)]
        )
        assert len(list(view.tools.drawn)) == 4


def test_a_change_in_front_is_drawn_over_the_last_picture_of_the_scene() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    frames: list[int] = []
    with looking_down(scene, request_render=lambda: None) as view:
        view._renderer.AddObserver("EndEvent", lambda *_: frames.append(view._renderer.GetDraw()))
        view.render()
        for n in range(3):
            view.tools.set_marks("a", [Mark((at(0, n), at(40, n)))])
            view.render()
        assert frames == [1], "the scene itself was drawn once"
        quick = picture(view)
        view.request_render()
        view.render()
        assert frames == [1, 1]
        # Texts and lines are the same; what stands for the scene is the scene.
        assert np.abs(picture(view) - quick).mean() < 0.5
        scene.set_view("boxes", visible=False)
        view.render()
        assert np.abs(picture(view) - quick).mean() > 2, "the scene was drawn again"
        view.tools.set_marks("a", [])
        view.plotter.render_window.SetSize(200, 150)
        view.render()
        assert picture(view).shape == (150, 200, 3)
        assert frames == [1, 1, 1, 1], "another size needs another picture"


def picture(view: SceneView) -> np.ndarray:
    """Return what the window shows now."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

    grab = vtkWindowToImageFilter()
    grab.SetInput(view.plotter.render_window)
    grab.ReadFrontBufferOff()
    grab.ShouldRerenderOff()
    grab.Update()
    width, height, _ = grab.GetOutput().GetDimensions()
    flat = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    return flat.reshape(height, width, -1)[::-1, :, :3].astype(int)


def test_labels_never_cover_each_other_and_the_preview_comes_first() -> None:
    scene = new_scene()
    lines = [(at(20, n), at(20.1, n)) for n in range(8)]
    scene.set_records(
        [Record(f"m{n}", "m", {}, {}, line, f"{n} m 距离") for n, line in enumerate(lines)]
    )
    with looking_down(scene) as view:
        boxes = view._tags.boxes
        assert 3 <= len(boxes) < 8
        for n, (left, bottom, right, top) in enumerate(boxes):
            for other in boxes[n + 1 :]:
                apart = left >= other[2] or right <= other[0]
                assert apart or bottom >= other[3] or top <= other[1]
        view.set_preview([at(20, 4), at(20, 4.1)], "now")
        x, y = pixel(view, np.array(at(20, 4)))
        left, bottom, right, top = view._tags.boxes[0]
        assert left < x < right
        assert bottom > y, "above its place, as if it were alone"
        view.set_camera(above(20, 4, span=10))
        assert len(view._tags.boxes) >= 3, "nearer by, those that are in view find room"


def test_grips_are_found_by_pixels_and_drawn_where_they_are() -> None:
    with looking_down(new_scene()) as view:
        view.tools.set_handles([at(0, 0), at(30, 10)])
        x, y = pixel(view, np.array(at(30, 10)))
        size, camera = view.size, view.camera()
        assert view.tools.handle_at(camera, size, x + 8, y) == 1
        assert view.tools.handle_at(camera, size, x + 30, y) is None
        before = seen(view, 30, 10)
        view.tools.move_handle(1, at(20, 10))
        assert np.abs(seen(view, 30, 10) - before).sum() > 60
        assert np.abs(seen(view, 20, 10) - before).sum() < 30
        view.tools.set_handles([])
        assert view.tools.handle_at(camera, size, *pixel(view, np.array(at(20, 10)))) is None


def test_another_theme_and_origin_redraw_what_tools_drew() -> None:
    scene = new_scene()
    with looking_down(scene) as view:
        view.tools.set_marks("a", [Mark((at(0, 10), at(40, 10)), width=8.0)])
        before = seen(view, 20, 10)
        scene.set_georeference(Georeference(scene.georeference.crs, (554_000, 3_991_000, 10)))
        assert np.abs(seen(view, 20, 10) - before).max() < 12


def test_a_layer_outside_of_the_scene_is_drawn_and_not_picked() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with looking_down(scene) as view:
        ghost = grid_layer(np.full((4, 4), 30.0), heights=True, color_by="solid", color="#ff0000")
        view.show_layer("ghost", ghost)
        assert seen(view, 20, 15)[0] > 120
        assert view.pick(*pixel(view, np.array(at(20, 15)))) is None
        assert [layer.id for layer, _ in view.transients.layers] == ["grid"]
        view.show_layer("ghost", None)
        assert seen(view, 20, 15)[1] < 20, "the sky again"
        assert view.transients.layers == []


def test_while_a_layer_is_prepared_only_the_newest_waits() -> None:
    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    with looking_down(
        new_scene(), prepare_async=lambda work, done: waiting.append((work, done))
    ) as view:
        for height in (10.0, 20.0, 30.0):
            view.show_layer("ghost", grid_layer(np.full((4, 4), height), heights=True))
        assert len(waiting) == 1
        work, done = waiting.pop()
        done(work())
        assert len(list(view.transients.drawn)) == 1
        assert len(waiting) == 1
        work, done = waiting.pop()
        done(work())
        assert not waiting
        (drawn,) = view.transients.drawn
        assert drawn.actor.GetBounds()[5] == pytest.approx(30.0)
        view.show_layer("ghost", grid_layer(np.full((4, 4), 5.0), heights=True))
        view.show_layer("ghost", None)
        work, done = waiting.pop()
        done(work())
        assert not list(view.transients.drawn), "taken away meanwhile"


def test_names_make_way_for_labels_and_come_back() -> None:
    scene = new_scene()
    scene.add(vector_layer("trees", [shapely.Point(20, 12)], {"n": ["Ginkgo"]}, label="n"))
    with looking_down(scene) as view:
        (actor,) = view._names._board.actors
        assert actor.GetVisibility()
        view.set_preview([at(20, 9), at(20.1, 9)], "12.34 m")
        assert not actor.GetVisibility()
        view.clear_preview()
        assert actor.GetVisibility()
