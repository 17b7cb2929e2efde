"""Sight, Sun and Volume by hand in the real window, on level ground with one house."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from sightline_scenes import X, Y, bodies, box, terrain

from plumbline.api import Camera, Georeference
from plumbline.render import camera as moves

from .hand import LEFT, NONE, Hand, live

GROUND = 10.0


@pytest.fixture
def place(hand: Hand, tmp_path: Path) -> Hand:
    """Return a hand before level ground with a house, 20 m high, seen from the south above."""
    scene = hand.window.scene
    scene.set_georeference(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    scene.add(terrain(tmp_path, np.full((120, 120), GROUND), cell=2.0, corner=(X - 120, Y + 120)))
    scene.add(bodies({"house": box((-10, 0, 0), (10, 15, 20), (X, Y, GROUND))}, layer_id="houses"))
    look(hand)
    return hand


def look(hand: Hand) -> None:
    """Look at the house from the south-east, above."""
    hand.rest(60)
    camera = Camera((X + 60.0, Y - 220.0, 150.0), (X, Y, GROUND))
    hand.window.canvas.go_to(camera, ease=False)
    hand.rest(60)


def spot(hand: Hand, x: float, y: float, z: float = GROUND) -> QPoint:
    """Return where a place is on the canvas, metres from the foot of the house."""
    canvas = hand.window.canvas
    point = np.array([(X + x, Y + y, z)])
    column, row, depth = moves.project(canvas.camera(), point, canvas.view.size)[0]
    assert depth > 0
    ratio = canvas.view.size[1] / canvas.interactor.height()
    return QPoint(round(column / ratio), round(canvas.interactor.height() - 1 - row / ratio))


def tool(hand: Hand, name: str) -> object:
    hand.click(hand.action_button(f"tool.{name}"))
    look(hand)
    return hand.window.tools.currentWidget()


def test_what_is_behind_the_house_is_not_seen_until_the_eye_has_moved(place: Hand) -> None:
    hand = place
    panel = tool(hand, "sightline")
    ground = hand.window.canvas.interactor
    hand.click(ground, spot(hand, 0, -50))
    hand.click(ground, spot(hand, -60, 40))
    hand.key(Qt.Key.Key_Return)
    hand.wait_until(lambda: panel.view.result is not None, 120)
    assert panel.view.result.values["visible_count"].value == 1
    # The handle of the eye stands 1.6 m above the ground that was clicked.
    start = spot(hand, 0, -50, GROUND + 1.6)
    hand.drag(ground, start, spot(hand, 30, 5), steps=8)
    assert panel.form.values()["observer"][0] == pytest.approx(X + 30, abs=2)
    assert panel.view.stale
    hand.wait_until(lambda: not hand.window.tools._previews._running, 60)
    hand.key(Qt.Key.Key_Return)
    hand.wait_until(lambda: not panel.view.stale, 60)
    assert panel.view.result.values["visible_count"].value == 0
    (row,) = panel.view.result.tables["targets"].rows
    assert "house" in row
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Escape)
    assert hand.window.tools.active == ""


def test_the_volume_of_a_drawn_area_becomes_a_layer(place: Hand) -> None:
    hand = place
    panel = tool(hand, "volume")
    ground = hand.window.canvas.interactor
    for x, y in ((-30, -60), (30, -60), (30, -20), (-30, -20)):
        hand.click(ground, spot(hand, x, y))
    hand.key(Qt.Key.Key_Return)
    hand.wait_until(lambda: panel.view.result is not None, 120)
    # Level ground has no volume over its rim; its area is what was clicked, to a pixel or two.
    values = panel.view.result.values
    assert values["net"].value == pytest.approx(0.0, abs=0.01)
    assert values["area"].value == pytest.approx(60 * 40, rel=0.05)
    panel.scroll_to(panel.view._add)
    live(50)
    hand.click(panel.view._add)
    results = [group for group in hand.window.scene.groups if group.name == "Results"]
    assert len(results) == 1
    assert results[0].layers
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(hand.window.scene) == 2


def test_the_sun_goes_where_the_hand_of_the_bar_is_dragged(place: Hand) -> None:
    hand = place
    panel = tool(hand, "sunlight")
    hand.wait_until(lambda: panel.bar.light is not None, 60)
    # In the morning the shadow lies in the west of the house, in the afternoon in the east.
    west, east = (spot(hand, x, y) for x, y in ((-18, 18), (25, 20)))

    def shadow(dark: QPoint, light: QPoint) -> bool:
        image = hand.window.canvas.grab().toImage()
        return image.pixelColor(dark).lightness() < image.pixelColor(light).lightness() - 30

    hand.wait_until(lambda: shadow(west, east), 60)
    scale = panel.bar.scale
    handle, start = hand._at(scale, QPoint(round(scale._x(panel.bar.minutes)), 12))
    QTest.mousePress(handle, LEFT, NONE, start)
    QTest.mouseMove(handle, hand._at(scale, QPoint(round(scale._x(15 * 60.0)), 12))[1])
    QTest.mouseRelease(handle, LEFT, NONE, hand._at(scale, QPoint(round(scale._x(900.0)), 12))[1])
    assert panel.bar.minutes == pytest.approx(900, abs=8)
    hand.wait_until(lambda: shadow(east, west), 60)
    hand.click(hand.action_button("tool.select"))
    assert not panel.bar.isVisible()
