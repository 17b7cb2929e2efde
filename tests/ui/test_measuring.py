"""The measuring tool by hand in the real window, on level ground with one house."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from sightline_scenes import X, Y, bodies, box, terrain

from plumbline.api import Camera, Georeference
from plumbline.render.snapping import KINDS

from .hand import LEFT, NONE, Hand, live

GROUND = 10.0
#: The house: corners at these offsets, 20 m high.
LOW, HIGH = (-10.0, 0.0), (10.0, 15.0)
Place = tuple[float, float, float]


def at(x: float, y: float, z: float = 0.0) -> Place:
    """Return a place by its offsets from the foot of the house."""
    return (X + x, Y + y, GROUND + z)


@pytest.fixture
def site(hand: Hand, tmp_path: Path) -> Hand:
    """Return a hand before the house, seen from the south-east above."""
    scene = hand.window.scene
    scene.set_georeference(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    scene.add(terrain(tmp_path, np.full((60, 60), GROUND), cell=4.0, corner=(X - 120, Y + 120)))
    scene.add(
        bodies({"house": box((-10, 0, 0), (10, 15, 20), at(0, 0))}, "houses", classes={"house": ""})
    )
    hand.rest(60)
    hand.window.canvas.go_to(Camera(at(40, -90, 70), at(0, 5, 8)), ease=False)
    hand.rest(60)
    return hand


def spot(hand: Hand, place: Place, dx: int = 0, dy: int = 0) -> QPoint:
    """Return where a place is on the canvas, and some pixels beside it."""
    return hand.window.canvas.place_of(place).toPoint() + QPoint(dx, dy)


def open_tool(hand: Hand, name: str) -> Any:
    hand.click(hand.action_button(f"tool.{name}"))
    live(100)
    return hand.window.tools.currentWidget()


def click(hand: Hand, place: Place, dx: int = 0, dy: int = 0, keys: Any = NONE) -> None:
    canvas = hand.window.canvas.interactor
    handle, where = hand._at(canvas, spot(hand, place, dx, dy))
    QTest.mouseClick(handle, LEFT, keys, where)
    live(20)


def hover(hand: Hand, place: Place, dx: int = 0, dy: int = 0) -> str:
    """Move the mouse; return what the canvas says it would snap to."""
    hand.move(hand.window.canvas.interactor, spot(hand, place, dx, dy))
    return str(hand.window.canvas.aim.marker.kind)


def records(hand: Hand, count: int) -> Any:
    """Wait for the number of records; return the last one."""
    hand.wait_until(lambda: len(hand.window.scene.records) == count, 30)
    return hand.window.scene.records[-1]


def value(record: Any, name: str) -> float:
    return float(record.values[name]["value"])


def exactly(place: Place) -> Any:
    return pytest.approx(place, abs=1e-6)


CORNER, FAR, FOOT = at(10, 0, 20), at(10, 15, 20), at(10, 0, 0)


def test_snapping_by_hand(site: Hand) -> None:
    """Marker, loupe and clicks agree; kinds are turned off and on; keys hold the direction."""
    hand, canvas = site, site.window.canvas
    assert not canvas.aim.bar.isVisible()
    open_tool(hand, "measure")
    assert canvas.aim.bar.isVisible()
    assert hover(hand, CORNER, 5, 4) == "vertex"
    assert canvas.aim.loupe.isVisible()
    assert hover(hand, at(10, 7.5, 20), 3, 2) == "midpoint"
    assert hover(hand, at(10, 4, 20), 2, 2) == "feature"
    assert hover(hand, at(10, 4, 12)) == "face"

    click(hand, CORNER, 5, 4)
    click(hand, FAR, -4, 3)
    record = records(hand, 1)
    assert record.points == (exactly(CORNER), exactly(FAR))
    assert value(record, "distance") == pytest.approx(15.0, abs=1e-6)
    picked = record.request["params"]["picked"]
    assert [p["snap"] for p in picked] == ["vertex", "vertex"]
    assert {p["layer"] for p in picked} == {"houses"}

    # The foot of the perpendicular from a corner of the ground plan.
    click(hand, at(10, 0, 0), 3, 3)
    assert hover(hand, at(10.2, 0, 20)) == "vertex"
    assert hover(hand, at(10, 0.0, 9)) in ("feature", "midpoint", "perpendicular")
    hand.key(Qt.Key.Key_Escape)

    for kind, button in ((k, canvas.aim.bar.button(k)) for k in ("vertex", "midpoint", "feature")):
        hand.click(button)
        assert kind not in canvas.aim.bar.kinds
    hand.click(canvas.aim.bar.button("loupe"))
    assert hover(hand, CORNER, -6, 6) == "face"
    assert not canvas.aim.loupe.isVisible()
    settings = hand.window.session.settings
    assert set(settings.snaps) == set(KINDS) - {"vertex", "midpoint", "feature"}
    assert not settings.loupe
    for kind in ("vertex", "midpoint", "feature"):
        hand.click(canvas.aim.bar.button(kind))

    # Level with the first point, and straight above it, whatever is pointed at.
    click(hand, FOOT, 3, 3)
    click(hand, CORNER, 4, 4, Qt.KeyboardModifier.ShiftModifier)
    assert len(hand.window.scene.records) == 1, "the very point where it began"
    click(hand, FAR, -4, 3, Qt.KeyboardModifier.ShiftModifier)
    level = records(hand, 2)
    assert level.points[1] == exactly(at(10, 15, 0))
    click(hand, at(30, -20), 0, 0)
    start = hand.window.tools.currentWidget().points[0]
    click(hand, CORNER, 4, 4, Qt.KeyboardModifier.ControlModifier)
    upright = records(hand, 3)
    assert upright.points[1] == exactly((start[0], start[1], GROUND + 20))
    assert value(upright, "horizontal") == pytest.approx(0.0, abs=1e-9)

    # Other tools are not told of corners, and the marker goes with the tool.
    hand.click(hand.action_button("tool.select"))
    assert not canvas.aim.bar.isVisible()
    assert hover(hand, CORNER, 4, 4) == ""


def choose(hand: Hand, panel: Any, kind: str) -> None:
    hand.click(panel._kind._buttons[kind])
    assert panel.kind == kind


def test_every_kind_is_measured_kept_and_dragged_by_hand(site: Hand) -> None:
    hand, scene = site, site.window.scene
    panel = open_tool(hand, "measure")

    # A distance whose end is dragged to another corner; the record stays the same one.
    click(hand, FOOT, 3, 3)
    hover(hand, CORNER, 4, 4)
    assert panel._card._number.text() == "20.000"
    click(hand, CORNER, 4, 4)
    first = records(hand, 1)
    assert scene.records[0].headline == "distance"
    hand.drag(hand.window.canvas.interactor, spot(hand, CORNER), spot(hand, FAR, -3, 2))
    hand.wait_until(lambda: scene.records[0] != first, 30)
    dragged = scene.records[0]
    assert (dragged.id, dragged.name) == (first.id, first.name)
    assert value(dragged, "distance") == pytest.approx(25.0, abs=1e-6)
    assert [p["snap"] for p in dragged.request["params"]["picked"]] == ["vertex", "vertex"]
    assert dragged.provenance["inputs"][0]["id"] == "houses"

    choose(hand, panel, "measure.polyline")
    for place in (FOOT, CORNER, FAR):
        click(hand, place, 3, 3)
    click(hand, at(30, -20))
    hand.key(Qt.Key.Key_Backspace)
    assert len(panel.points) == 3
    hand.key(Qt.Key.Key_Return)
    assert value(records(hand, 2), "length") == pytest.approx(35.0, abs=1e-6)

    choose(hand, panel, "measure.area")
    for place in (at(-10, 0, 20), CORNER, FAR, at(-10, 15, 20)):
        click(hand, place, 2, 2)
    hand.key(Qt.Key.Key_Return)
    assert value(records(hand, 3), "area_horizontal") == pytest.approx(300.0, abs=1e-6)

    choose(hand, panel, "measure.angle")
    for place in (FOOT, CORNER, FAR):
        click(hand, place, 3, 3)
    assert value(records(hand, 4), "angle") == pytest.approx(90.0, abs=1e-6)

    choose(hand, panel, "measure.point")
    click(hand, FAR, -3, 2)
    assert records(hand, 5).points == (exactly(FAR),)

    # Typed, and refused in words where it cannot be.
    panel._typing.set_open(True)
    choose(hand, panel, "measure.area")
    panel._edit.text_edit.setPlainText(
        f"{X}, {Y}, 0\n{X + 9}, {Y + 9}, 0\n{X + 9}, {Y}, 0\n{X}, {Y + 9}, 0"
    )
    hand.click(panel.primary)
    hand.wait_until(lambda: panel._message.isVisible(), 10)
    assert len(scene.records) == 5
    hand.key(Qt.Key.Key_Escape)

    hand.click(panel.kept.table_button)
    table = hand.window.chart.chart.table
    assert [row["snaps"] for row in table.shown_rows()] == ["Corner"] * 5
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(scene.records) == 4


def test_clipping_by_hand(site: Hand) -> None:
    """What is clipped is not there for the mouse; views keep it; other tools use it too."""
    hand, scene, canvas = site, site.window.scene, site.window.canvas
    panel = open_tool(hand, "clip")
    hand.click(panel.box_button)
    hand.rest(60)
    hover(hand, CORNER, 4, 4)
    top = canvas.view.tools.handles[5]
    # Along its axis: where the mouse is aside of it does not matter, and the camera stands.
    camera = canvas.camera()
    hand.drag(canvas.interactor, spot(hand, top), spot(hand, (top[0], top[1], GROUND + 12), 9, 0))
    assert canvas.camera() == camera
    box = scene.clipping.box
    assert box.center[2] + box.size[2] / 2 == pytest.approx(GROUND + 12, abs=1.5)
    assert hover(hand, CORNER, 4, 4) == ""
    hand.click(panel.draw_button("face"))
    click(hand, at(10, 7, 4))
    assert scene.clipping.planes[0].normal == pytest.approx((-1.0, 0.0, 0.0))
    hand.click(panel.look._buttons["xray"])
    hand.window.add_viewpoint()
    hand.click(panel.all_button)
    assert not scene.clipping.changes

    # In the view that was kept the corner is away, also for measuring; in the whole it is there.
    hand.window.show_viewpoint(scene.viewpoints[0].name)
    hand.rest(60)
    assert scene.clipping.look == "xray"
    open_tool(hand, "measure")
    assert hover(hand, CORNER, 4, 4) != "vertex"
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    hand.rest(60)
    assert hover(hand, CORNER, 4, 4) == "vertex"


def next_analysis(hand: Hand, panel: Any, analysis: str) -> None:
    """Go on to the next analysis of the chooser by key."""
    panel._chooser.setFocus()
    hand.key(Qt.Key.Key_Down)
    assert panel.analysis == analysis


def result(hand: Hand, panel: Any) -> Any:
    """Run with the button and return the result."""
    hand.wait_until(panel.primary.isEnabled, 20)
    hand.click(panel.primary)
    hand.wait_until(lambda: panel.view.result is not None and not panel.view.stale, 60)
    return panel.view.result


def test_profile_section_clearance_height_and_count_by_hand(site: Hand) -> None:
    hand, scene = site, site.window.scene
    scene.add(bodies({"kiosk": box((20, 0, 0), (24, 4, 3), at(0, 0))}, "kiosks", classes={}))
    hand.rest(60)
    panel = open_tool(hand, "section")
    assert hand.window.canvas.aim.bar.isVisible()

    # Before the house the ground is level.
    assert panel.analysis == "measure.profile"
    for place in (at(-25, -8), at(28, -8)):
        click(hand, place)
    hand.key(Qt.Key.Key_Return)
    hand.wait_until(lambda: panel.view.result is not None, 60)
    rows = {row[0]: row[1:3] for row in panel.view.result.tables["layers"].rows}
    assert rows["terrain"] == pytest.approx((GROUND, GROUND))

    next_analysis(hand, panel, "measure.section")
    for place in (at(10, 0, 20), at(10, 15, 20)):
        click(hand, place, 3, 2)
    line = panel.form.values()["line"]
    assert [tuple(point[:2]) for point in line] == [exactly(CORNER[:2]), exactly(FAR[:2])]
    assert result(hand, panel).values["line_length"].value == pytest.approx(15.0, abs=1e-6)

    next_analysis(hand, panel, "measure.clearance")
    panel.form.set_values({"a": ["houses"], "b": ["kiosks"]})
    assert result(hand, panel).values["distance"].value == pytest.approx(10.0, abs=1e-6)

    next_analysis(hand, panel, "measure.height")
    panel.picker.pick_for("point")
    click(hand, CORNER, 3, 3)
    assert result(hand, panel).values["height"].value == pytest.approx(20.0, abs=1e-6)

    next_analysis(hand, panel, "measure.count")
    panel.form.set_values({"layers": ["houses", "kiosks"]})
    # From above: what is behind the house cannot be clicked.
    hand.window.canvas.go_to(Camera(at(0, 0, 200), at(0, 0), (0, 1, 0), True, 60.0), ease=False)
    hand.rest(60)
    panel.picker.pick_for("polygon")
    for place in (at(-15, -8), at(15, -8), at(15, 30), at(-15, 30)):
        click(hand, place)
    assert result(hand, panel).values["entities"].value == 1
    hand.key(Qt.Key.Key_Escape)
