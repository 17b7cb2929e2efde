"""Schemes in the window: the panel, views beside each other, the curtain; with a real mouse."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from plumbline.api import (
    Camera,
    Element,
    EntityRef,
    Layer,
    LayerKind,
    LayerStyle,
    MeshData,
    Phase,
    Pick,
    Scheme,
)
from plumbline.ui_kit.context import Mark

from .hand import LEFT, NONE, Hand

PLACE = np.array([555_000.0, 3_990_000.0, 0.0])
RED, BLUE, GREY = "#d02020", "#2020d0", "#909090"


def slab(size: float, z: float, entity: str = "") -> MeshData:
    """Return a level square around the place."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * size + PLACE + (0, 0, z)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    if not entity:
        return MeshData(corners, faces)
    return MeshData(
        corners, faces, elements=[Element(entity, "Building", entity)],
        element_index=np.zeros(2, dtype=np.int32),
    )  # fmt: skip


@pytest.fixture
def schemes(hand: Hand) -> Hand:
    """A grey ground, an old block on it, and two schemes: a red and a blue slab instead."""
    scene = hand.window.scene
    for layer_id, data, color in (
        ("ground", slab(100, 0, "g"), GREY),
        ("old", slab(30, 5, "block"), "#20a020"),
        ("red", slab(30, 8, "r"), RED),
        ("blue", slab(30, 12, "b"), BLUE),
    ):
        style = LayerStyle(color=color, color_by="solid")
        scene.add(Layer(layer_id, layer_id, LayerKind.MESH, data, style=style))
    gone = (EntityRef("old", "block"),)
    scene.set_schemes([Scheme("A", "Red", gone, ("red",)), Scheme("B", "Blue", gone, ("blue",))])
    hand.rest()
    x, y, _ = PLACE
    hand.window.canvas.go_to(Camera((x, y, 400.0), (x, y, 0.0), (0, 1, 0), True, 60.0), ease=False)
    hand.window.scene_tabs.setCurrentWidget(hand.window.schemes)
    hand.rest()
    return hand


def color_at(hand: Hand, across: float, up: float = 0.5) -> str:
    """Return what colour leads at a place of the canvas, in shares of its size."""
    picture = hand.window.canvas.views.screenshot()
    height, width = picture.shape[:2]
    r, g, b = picture[round((1 - up) * height), round(across * width)].astype(int)
    leading = {"red": r, "green": g, "blue": b}
    name = max(leading, key=lambda key: leading[key])
    return name if max(r, g, b) - min(r, g, b) > 60 else "grey"


def click_scheme(hand: Hand, name: str) -> None:
    shown = hand.window.schemes.list
    (item,) = shown.findItems(name, Qt.MatchFlag.MatchExactly)
    hand.click(shown.viewport(), shown.visualItemRect(item).center())


def test_a_click_shows_a_scheme_and_a_copy_is_renamed_in_place(schemes: Hand) -> None:
    scene, panel = schemes.window.scene, schemes.window.schemes
    for name, color in (("Red", "red"), ("Blue", "blue"), ("Baseline", "green")):
        click_scheme(schemes, name)
        schemes.rest()
        assert color_at(schemes, 0.5) == color
    click_scheme(schemes, "Red")
    schemes.click(panel.copy)
    editor = panel.list.findChild(QLineEdit)
    assert editor is not None
    QTest.keyClicks(editor, "Purple")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    names = ["Red", "Purple", "Blue"]
    schemes.wait_until(lambda: [scheme.name for scheme in scene.schemes] == names, 5)
    copy = scene.schemes[1]
    assert copy.layers == ("red_2",), "what lives in the project is copied, to be edited"
    assert copy.hidden == scene.schemes[0].hidden
    schemes.click(panel.lock)
    assert scene.schemes[1].locked
    assert not panel.remove.isEnabled()
    schemes.click(panel.lock)
    schemes.click(panel.remove)
    assert [scheme.name for scheme in scene.schemes] == ["Red", "Blue"]
    assert "red_2" not in scene


def test_buildings_are_taken_out_and_days_are_set(schemes: Hand, qtbot: QtBot) -> None:
    scene, panel = schemes.window.scene, schemes.window.schemes
    schemes.click(panel.add)
    QTest.keyClick(panel.list.findChild(QLineEdit), Qt.Key.Key_Return)
    new = scene.schemes[-1].id
    scene.select([EntityRef("old", "block")])
    schemes.click(panel.details.take)
    schemes.rest()
    assert scene.scheme(new).hidden == (EntityRef("old", "block"),)
    assert color_at(schemes, 0.5) == "grey", "the ground below"
    scene.set_schemes(
        [scene.scheme("A").phased(Phase("2030-01-01", layers=("red",))), *scene.schemes[1:]]
    )
    click_scheme(schemes, "Red")
    assert panel.phases.isVisible()
    slider = panel.phases.slider
    slider.setFocus()
    schemes.rest()
    assert color_at(schemes, 0.5) == "red"
    QTest.keyClick(slider, Qt.Key.Key_Left)
    schemes.rest()
    assert scene.day == "2029-12-31"
    assert color_at(schemes, 0.5) == "grey", "gone already, and nothing built yet"

    # Play leads from day to day and ends on the last; asked again there, it begins anew.
    panel.phases._timer.setInterval(20)
    schemes.click(panel.phases.play)
    qtbot.waitUntil(lambda: not panel.phases.play.isChecked())
    assert scene.day == ""
    schemes.rest()
    assert color_at(schemes, 0.5) == "red"
    panel.phases._timer.setInterval(60_000)
    schemes.click(panel.phases.play)
    assert scene.day == "2029-12-31"
    schemes.click(panel.phases.play)
    assert not panel.phases._timer.isActive()


def test_limits_of_the_plan_are_typed(schemes: Hand) -> None:
    scene, panel = schemes.window.scene, schemes.window.schemes
    click_scheme(schemes, "Red")
    field = panel.details.controls.fields["far_max"]
    for text, stated in (("2.25", {"far_max": 2.25}), ("", {})):
        field.setFocus()
        field.selectAll()
        QTest.keyClick(field.lineEdit(), Qt.Key.Key_Delete)
        QTest.keyClicks(field.lineEdit(), text)
        QTest.keyClick(field.lineEdit(), Qt.Key.Key_Return)
        assert scene.scheme("A").site["controls"] == stated
    scene.history.undo()
    assert scene.scheme("A").site["controls"] == {"far_max": 2.25}
    assert field.value() == 2.25
    scene.update_scheme("A", locked=True)
    assert not field.isEnabled()


def test_views_beside_each_other_pick_and_measure_what_they_show(schemes: Hand) -> None:
    window = schemes.window
    canvas, compare = window.canvas, window.compare
    schemes.click(window.schemes.compare)
    schemes.rest()
    assert compare.schemes == ["A", "B"]
    assert (color_at(schemes, 0.25), color_at(schemes, 0.75)) == ("red", "blue")
    picked: list[Pick] = []
    canvas.picked.connect(lambda pick, _add: picked.append(pick))
    for across in (0.25, 0.75):
        spot = QPoint(round(across * canvas.width()), canvas.height() // 2)
        schemes.click(canvas.interactor, spot)
    assert [pick.layer for pick in picked] == ["red", "blue"]
    assert picked[1].position == pytest.approx((*PLACE[:2], 12.0), abs=0.5)

    canvas.tool_active = True
    canvas.tool.show_marks("m", [Mark([tuple(PLACE + (-30, 45, 0)), tuple(PLACE + (30, 45, 0))])])
    schemes.click(compare.bar.more)
    schemes.click(compare.bar.more)
    schemes.rest()
    assert compare.schemes == ["A", "B", "", ""]
    assert not compare.bar.more.isEnabled()
    assert [color_at(schemes, x, y) for y in (0.75, 0.25) for x in (0.25, 0.75)] == [
        "red", "blue", "green", "green",
    ]  # fmt: skip
    assert all(list(view.tools.drawn) for view in canvas.views), "marks are in every view"

    schemes.drag(canvas.interactor, QPoint(200, 500), QPoint(260, 560))
    cameras = [view.camera() for view in canvas.views]
    assert cameras[0] == cameras[3], "one camera"
    assert cameras[0].position[:2] != pytest.approx(PLACE[:2]), "which has moved"
    schemes.click(compare.bar.linked)
    schemes.drag(canvas.interactor, QPoint(200, 500), QPoint(240, 500))
    assert canvas.views.current.camera() != canvas.views.main.camera()
    schemes.click(compare.bar.leave)
    schemes.rest()
    assert len(canvas.views) == 1
    assert canvas.view.scheme is None


def test_the_curtain_is_dragged_and_what_is_under_the_mouse_follows(schemes: Hand) -> None:
    window = schemes.window
    canvas, compare = window.canvas, window.compare
    compare.start("curtain")
    schemes.rest()
    # The slabs reach over the middle of the picture, which is the same in both views.
    assert (color_at(schemes, 0.45), color_at(schemes, 0.55)) == ("red", "blue")
    handle = compare.handle
    start = handle.rect().center() + QPoint(0, 60)
    handle_at, first = schemes._at(handle, start)
    end = schemes._at(canvas, canvas.rect().center() + QPoint(round(0.1 * canvas.width()), 60))[1]
    QTest.mousePress(handle_at, LEFT, NONE, first)
    QTest.mouseMove(handle_at, (first + end) / 2)
    QTest.mouseMove(handle_at, end)
    QTest.mouseRelease(handle_at, LEFT, NONE, end)
    schemes.rest()
    assert canvas.views.share == pytest.approx(0.6, abs=0.01)
    assert (color_at(schemes, 0.56), color_at(schemes, 0.64)) == ("red", "blue")
    picked: list[Pick] = []
    canvas.picked.connect(lambda pick, _add: picked.append(pick))
    for across in (0.56, 0.64):
        spot = QPoint(round(across * canvas.width()), canvas.height() // 2)
        schemes.click(canvas.interactor, spot)
    assert [pick.layer for pick in picked] == ["red", "blue"]
    left, right = (pick.position[0] for pick in picked)
    metre = 120.0 / canvas.height()
    assert right - left == pytest.approx(0.08 * canvas.width() * metre, rel=0.05), "one picture"


def test_in_turns_one_view_shows_each_scheme(schemes: Hand) -> None:
    canvas, compare = schemes.window.canvas, schemes.window.compare
    compare.start("flicker")
    seen: set[str | None] = set()

    def both() -> bool:
        seen.add(canvas.view.scheme)
        return seen == {"A", "B"}

    schemes.wait_until(both, 30)
    assert len(canvas.views) == 1
    compare.stop()
