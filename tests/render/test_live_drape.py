"""A grid that follows a hand lies in the picture of the scene where it would lie on the ground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from render_scenes import (
    PLACE,
    SIZE,
    above,
    boxes_layer,
    grid_layer,
    new_scene,
    pixel,
    terrain_layer,
    viewing,
)

from plumbline.core.data import GridData
from plumbline.core.layer import Layer, LayerStyle
from plumbline.render.scene_view import SceneView

STYLE = LayerStyle(
    color_by="class", class_colors={"1": "#ff0000", "0": "#0000ff"}, hidden_classes=("0",)
)


def flat(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.zeros_like(x)


def west_half() -> Layer:
    """Red on the west half of 200 x 200 m, nothing on the east half."""
    values = np.zeros((20, 20), dtype=np.uint8)
    values[:, :10] = 1
    layer = grid_layer(values)
    assert isinstance(layer.data, GridData)
    return layer


def window(view: SceneView) -> np.ndarray:
    """Return what the window shows now, first row on top: no frame of rest as a capture is."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

    pixels = vtkUnsignedCharArray()
    wide, high = SIZE
    view.plotter.render_window.GetPixelData(0, 0, wide - 1, high - 1, 0, pixels, 0)
    return vtk_to_numpy(pixels).reshape(high, wide, 3)[::-1].astype(int)


def is_red(picture: np.ndarray, view: SceneView, x: float, y: float, z: float = 0.0) -> bool:
    column, row = pixel(view, PLACE + (x, y, z))
    r, g, b = picture[SIZE[1] - 1 - row, column]
    return bool(r > g + 40 and r > b + 40)


def test_a_live_grid_is_laid_on_the_ground_and_not_on_roofs(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path, flat, cells=100))
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(50, 50, span=160))
        view.render()
        assert not is_red(window(view), view, 60, 60)
        view.show_layer("live", west_half(), STYLE, live=True)
        shown = window(view)
        assert is_red(shown, view, 60, 60)
        assert is_red(shown, view, 20, 15)
        assert not is_red(shown, view, 5, 5, 10), "the roof of a box is not the ground"
        assert not is_red(shown, view, 110, 60), "a hidden class is not drawn"
        assert [layer.id for layer, _ in view.passing_layers] == ["grid"]


def test_the_next_grid_takes_no_frame_of_the_scene(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path, flat, cells=100))
    with viewing(scene) as view:
        view.set_camera(above(50, 50, span=160))
        view.show_layer("live", west_half(), STYLE, live=True)
        frames: list[object] = []
        number = view._renderer.AddObserver("EndEvent", lambda *_: frames.append(1))
        turned = west_half()
        assert isinstance(turned.data, GridData)
        turned.data.values[:] = 1 - turned.data.values
        view.show_layer("live", turned, STYLE, live=True)
        shown = window(view)
        assert is_red(shown, view, 115, 60)
        assert not is_red(shown, view, 60, 60)
        assert frames == []
        view._renderer.RemoveObserver(number)


def test_it_follows_the_camera_and_goes_without_a_trace(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path, flat, cells=100))
    with viewing(scene) as view:
        view.set_camera(above(50, 50, span=160))
        view.render()
        before = window(view)
        view.show_layer("live", west_half(), STYLE, live=True)
        view.set_camera(above(80, 80, span=100))
        view.render()
        shown = window(view)
        assert is_red(shown, view, 85, 85)
        assert not is_red(shown, view, 115, 85)
        view.set_camera(above(50, 50, span=160))
        view.clear_layers()
        view.render()
        assert np.abs(window(view) - before).max() <= 1
        assert view.passing_layers == []
