"""What tools draw in the real window: grips under the mouse, the sun, and what goes with a tool."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from plumbline.api import Bounds, Camera, GridData, Layer, LayerKind, Pick
from plumbline.render.sun import Sun
from plumbline.ui_kit.context import CanvasTool, Mark

from .hand import LEFT, NONE, Hand

PLACE = np.array([555_000.0, 3_990_000.0, 0.0])


def slope(x: float, y: float) -> float:
    """Height of the ground at offsets from the place."""
    return 20.0 + 0.1 * x


def at(x: float, y: float) -> tuple[float, float, float]:
    return (PLACE[0] + x, PLACE[1] + y, slope(x, y))


@pytest.fixture
def on_slope(hand: Hand) -> Hand:
    """Show a sloping ground from above, and give the canvas to a tool."""
    middle = (np.arange(100) + 0.5) * 2
    heights = slope(np.meshgrid(middle, middle)[0], 0.0)
    transform = (2.0, 0.0, PLACE[0], 0.0, -2.0, PLACE[1] + 200)
    ground = GridData(np.asarray(heights), transform, "Height", "m", heights=True)
    window = hand.window
    window.scene.add(Layer("ground", "Ground", LayerKind.RASTER, ground))
    hand.rest()
    x, y, _ = at(100, 100)
    window.canvas.go_to(Camera((x, y, 500.0), (x, y, 30.0), (0, 1, 0), True, 120.0), ease=False)
    window.canvas.tool_active = True
    hand.rest()
    return hand


def spot(hand: Hand, point: tuple[float, float, float]) -> QPoint:
    return hand.window.canvas.place_of(point).toPoint()


def test_a_grip_is_dragged_over_the_ground_while_the_camera_stands(on_slope: Hand) -> None:
    canvas = on_slope.window.canvas
    moved: list[tuple[int, Pick]] = []
    released: list[tuple[int, Pick]] = []
    clicked: list[Pick] = []
    canvas.tool.handle_moved.connect(lambda n, pick: moved.append((n, pick)))
    canvas.tool.handle_released.connect(lambda n, pick: released.append((n, pick)))
    canvas.tool.clicked.connect(clicked.append)
    canvas.tool.set_handles([at(40, 60), at(120, 60)])
    camera = canvas.camera()
    start, end = spot(on_slope, at(120, 60)), spot(on_slope, at(160, 140))

    on_slope.move(canvas.interactor, start)
    assert canvas.interactor.cursor().shape() == Qt.CursorShape.OpenHandCursor
    # Taken at its rim, a grip does not jump to the cursor.
    rim = QPoint(4, 0)
    on_slope.drag(canvas.interactor, start + rim, end + rim)

    assert canvas.camera() == camera
    assert not clicked
    assert {n for n, _ in moved} == {1}
    ((number, pick),) = released
    assert number == 1
    assert pick.layer == "ground"
    metre = 240.0 / canvas.interactor.height()  # of one pixel
    assert pick.position[:2] == pytest.approx(at(160, 140)[:2], abs=1.5 * metre)
    x, y, z = pick.position
    assert z == pytest.approx(slope(x - PLACE[0], y - PLACE[1]), abs=1e-6), "on the ground itself"
    assert canvas.view.tools.handles == [at(40, 60), pick.position]
    on_slope.move(canvas.interactor, start)
    assert canvas.interactor.cursor().shape() == Qt.CursorShape.ArrowCursor


def test_beside_a_grip_the_camera_moves_and_on_it_a_click_stays_a_click(on_slope: Hand) -> None:
    canvas = on_slope.window.canvas
    clicked: list[Pick] = []
    canvas.tool.clicked.connect(clicked.append)
    canvas.tool.set_handles([at(120, 60)])
    on_slope.click(canvas.interactor, spot(on_slope, at(120, 60)))
    assert len(clicked) == 1
    before = canvas.camera()
    place = spot(on_slope, at(60, 100))
    on_slope.drag(canvas.interactor, place, place + QPoint(60, 20))
    assert canvas.camera() != before


def test_a_grip_let_go_over_nothing_stays_where_it_last_was(on_slope: Hand) -> None:
    canvas = on_slope.window.canvas
    released: list[Pick] = []
    canvas.tool.handle_released.connect(lambda _, pick: released.append(pick))
    canvas.tool.set_handles([at(120, 60)])
    handle = canvas.window().windowHandle()
    start = canvas.interactor.mapTo(canvas.window(), spot(on_slope, at(120, 60)))
    inside = canvas.interactor.mapTo(canvas.window(), spot(on_slope, at(190, 60)))
    sky = canvas.interactor.mapTo(canvas.window(), spot(on_slope, at(230, 60)))
    QTest.mousePress(handle, LEFT, NONE, start)
    for place in (inside, sky):
        QTest.mouseMove(handle, place)
        QTest.qWait(150)
    QTest.mouseRelease(handle, LEFT, NONE, sky)
    QTest.qWait(50)
    (pick,) = released
    assert pick.position[0] - PLACE[0] == pytest.approx(190, abs=1.0)


def legend_texts(hand: Hand) -> set[str]:
    found = hand.window.canvas._legend.findChildren(QLabel)
    return {label.toolTip() or label.text() for label in found if label.isVisible()}


def test_what_a_tool_drew_goes_when_it_gives_the_canvas_back(on_slope: Hand) -> None:
    canvas = on_slope.window.canvas
    tool = canvas.tool
    grid = GridData(np.array([[0, 1]], dtype=np.uint8), (50, 0, PLACE[0], 0, -50, PLACE[1] + 50))
    tool.show_marks("a", [Mark([at(0, 0), at(50, 50)], tone="lit", label="12 m")])
    tool.set_handles([at(120, 60)])
    tool.show_layer("grid", Layer("grid", "Lit at noon", LayerKind.RASTER, grid))
    on_slope.rest()
    assert "Lit at noon" in legend_texts(on_slope)
    assert list(canvas.view.tools.drawn)
    canvas.tool_active = False
    on_slope.rest()
    assert not list(canvas.view.tools.drawn)
    assert not canvas.view.transients.layers
    assert "Lit at noon" not in legend_texts(on_slope)
    assert "Ground" in legend_texts(on_slope)


def test_the_sun_of_a_tool_goes_with_it(on_slope: Hand) -> None:
    canvas = on_slope.window.canvas
    plain = canvas.view.screenshot().astype(int)
    canvas.tool.set_sun(200.0, 50.0)
    canvas.tool.set_sun(200.0, -6.0)
    on_slope.wait_until(lambda: canvas.view.sun is not None, 5)
    on_slope.rest()
    assert canvas.view.sun == Sun(200.0, -6.0), "only the last of two is shown"
    assert np.abs(canvas.view.screenshot().astype(int) - plain).mean() > 20, "it is dusk"
    canvas.tool_active = False
    on_slope.rest()
    assert np.abs(canvas.view.screenshot().astype(int) - plain).mean() < 1


def test_the_canvas_offers_what_tools_are_promised(on_slope: Hand) -> None:
    tool = on_slope.window.canvas.tool
    promised = {name for name in vars(CanvasTool) if not name.startswith("_")}
    promised |= set(CanvasTool.__annotations__)
    assert "set_sun" in promised
    assert "handle_moved" in promised
    for name in promised:
        assert hasattr(tool, name), name
    before = tool.camera
    x, y, z = at(20, 20)
    tool.zoom_to(Bounds(x, y, z, x + 10, y + 10, z + 1))
    on_slope.wait_until(lambda: tool.camera.parallel_scale < before.parallel_scale / 4, 5)
    tool.go_to(before)
    on_slope.wait_until(lambda: tool.camera == before, 5)
