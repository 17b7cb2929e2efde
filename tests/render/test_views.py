"""Views with schemes of their own: what each shows and picks, what a scheme clears, going back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import pyvista
from render_scenes import CRS, PLACE, SIZE, THEME, new_scene

from plumbline.core.data import MeshData, PointCloudData
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.core.scene import Camera, Clearing, Scene, Scheme
from plumbline.render.scene_view import SceneView
from plumbline.render.views import Views

RED, GREY = "#c02020", "#808080"


def slab(size: float, z: float) -> MeshData:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * size + PLACE + (0, 0, z)
    return MeshData(corners, np.array([[0, 1, 2], [0, 2, 3]]))


def square(size: float) -> tuple[tuple[float, float], ...]:
    x, y = float(PLACE[0]), float(PLACE[1])
    return tuple((x + a * size, y + b * size) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)))


@pytest.fixture
def scene() -> Scene:
    """A captured roof and captured points over a grey ground that is a scheme's; A clears them."""
    scene = new_scene()
    across = np.linspace(-30, 30, 121)
    grid = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
    points = np.column_stack([grid, np.full(len(grid), 12.0)]) + PLACE
    for layer_id, kind, data, color in (
        ("ground", LayerKind.MESH, slab(60, 0), GREY),
        ("roof", LayerKind.MESH, slab(30, 10), RED),
        ("points", LayerKind.POINTCLOUD, PointCloudData(points), "#2020c0"),
    ):
        style = LayerStyle(color=color, color_by="solid")
        scene.add(Layer(layer_id, layer_id, kind, data, CRS, style=style))
    scene.set_schemes([
        Scheme("A", "A", layers=("ground",), cleared=(Clearing((square(15),)),)),
        Scheme("B", "B", layers=("ground",)),
    ])  # fmt: skip
    return scene


@pytest.fixture
def views(scene: Scene) -> Iterator[Views]:
    plotter = pyvista.Plotter(off_screen=True, window_size=SIZE)
    views = Views(
        plotter,
        lambda renderer, scheme: SceneView(
            plotter, scene, THEME, renderer=renderer, scheme=scheme, request_render=lambda: None
        ),
    )
    x, y, _ = PLACE
    views.set_camera(Camera((x, y, 300.0), (x, y, 0.0), (0, 1, 0), True, 40.0))
    try:
        yield views
    finally:
        views.close()
        plotter.close()


def hit(view: SceneView, across: float) -> str:
    """Return the layer under a place of a view, in shares of half its width from its middle."""
    width, height = view.size
    pick = view.pick(int(width / 2 * (1 + across)), height // 2)
    return "" if pick is None else pick.layer


def test_what_a_scheme_clears_is_gone_from_its_view_and_from_its_picks(views: Views) -> None:
    views.arrange(["A", "B"])
    a, b = views
    assert a.size == (SIZE[0] // 2, SIZE[1])
    assert (hit(a, 0.0), hit(b, 0.0)) == ("ground", "points")
    assert (hit(a, 0.6), hit(b, 0.6)) == ("points", "points"), "beside the area nothing changes"
    picture = views.screenshot().astype(int)
    middle = SIZE[1] // 2
    left, right = picture[middle, SIZE[0] // 4], picture[middle, 3 * SIZE[0] // 4]
    assert np.ptp(left) < 30, "the grey ground"
    assert right[2] - right[0] > 60, "blue points"


def test_behind_a_curtain_both_show_one_picture(views: Views) -> None:
    views.arrange(["A", "B"], "curtain")
    a, b = views
    assert a.size == b.size == SIZE
    for share in (0.25, 0.75):
        views.set_share(share)
        assert views.at(share * SIZE[0] - 2, 5) is a
        assert views.at(share * SIZE[0] + 2, 5) is b
        picture = views.screenshot().astype(int)
        color = picture[SIZE[1] // 2, SIZE[0] // 2]
        blue = color[2] - color[0] > 60
        assert blue == (share < 0.5), "the middle is seen through the view that it belongs to"


def test_going_back_to_a_scheme_shows_what_was_prepared(views: Views) -> None:
    view = views.main
    view.show_scheme("A")
    first = [drawn.actor for drawn in view.layers.shown["roof"].drawn]
    view.show_scheme("B")
    assert [drawn.actor for drawn in view.layers.shown["roof"].drawn] != first
    view.show_scheme("A")
    assert [drawn.actor for drawn in view.layers.shown["roof"].drawn] == first
    assert hit(view, 0.0) == "ground"


def test_a_new_view_draws_what_tools_and_previews_draw(views: Views) -> None:
    views.main.tools.set_handles([tuple(PLACE)])
    views.main.show_layer("draft", Layer("d", "d", LayerKind.MESH, slab(5, 20), CRS))
    views.arrange(["", "A", "B", "B"])
    for view in views:
        assert view.tools.handles == [tuple(PLACE)]
        assert len(view.transients.layers) == 1
    views.arrange([None])
    assert len(views) == 1
