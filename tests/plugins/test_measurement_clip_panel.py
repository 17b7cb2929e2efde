"""The clipping tool: shapes made by clicks and numbers, faces dragged along their normals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from sightline_scenes import X, Y, bodies, box

from plumbline.api import Bounds, ClipBox, Clipping, ClipPlane, ClipSlab, EntityRef, Pick
from plumbline.core.i18n import translator
from plumbline.geometry.clip import region_of
from plumbline_measurement.clip_panel import ClipPanel
from plumbline_measurement.clip_shapes import box_around, grips, level_plane, outlines, plane_on

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def kept(clipping: Clipping, *place: float) -> bool:
    """Tell whether a place beside (X, Y) is shown."""
    return bool(region_of(clipping).contains(np.array([place]) + (X, Y, 0.0))[0])


@pytest.mark.parametrize(
    "clipping",
    [
        Clipping(box=ClipBox((X, Y, 5), (10, 20, 8), 30.0)),
        Clipping(planes=(ClipPlane((X, Y, 5), (3, 4, 0)), ClipPlane((X, Y, 0), (0, 0, -2)))),
        Clipping(slab=ClipSlab((X, Y, 5), (1, 2, 2), 4.0)),
    ],
)
def test_each_face_goes_where_its_grip_is_dragged(clipping: Clipping) -> None:
    """A dragged face passes through the new place, and all the other faces stay."""
    for number, grip in enumerate(grips(clipping)):
        assert np.linalg.norm(grip.axis) == pytest.approx(1.0)
        to = np.array(grip.place) + 1.5 * np.array(grip.axis) + (0.0, 0.0, 0.0)
        after = grips(grip.dragged(to))
        for n, (one, other) in enumerate(zip(grips(clipping), after, strict=True)):
            moved = (np.array(other.place) - np.array(one.place)) @ np.array(one.axis)
            assert moved == pytest.approx(1.5 if n == number else 0.0, abs=1e-6)
    assert all(len(ring) == 4 for ring in outlines(clipping, 10.0, 0.0))


def test_clicked_faces_take_away_what_lies_before_them() -> None:
    wall = Pick((X + 2, Y, 3), "house", normal=(1.0, 0.0, 0.0))
    cut = Clipping(planes=(plane_on(wall),))
    assert kept(cut, 1.9, 50, 0)
    assert not kept(cut, 2.1, -50, 0)
    assert kept(Clipping(planes=(level_plane((X, Y, 3)),)), 9, 9, 2.9)
    assert not kept(Clipping(planes=(level_plane((X, Y, 3)),)), 9, 9, 3.1)
    bounds = Bounds(X, Y, 0, X + 10, Y + 20, 5)
    around = Clipping(box=box_around(bounds))
    assert all(kept(around, x, y, z) for x in (0, 10) for y in (0, 20) for z in (0, 5))
    assert not kept(around, 5, 5, 7)


@pytest.fixture
def panel(context: Any, qtbot: QtBot) -> ClipPanel:
    import plumbline_measurement

    translator.add_folder(Path(plumbline_measurement.__file__).parent / "translations")
    context.scene.add(bodies({"a": box((0, 0, 0), (10, 20, 5), (X, Y, 0))}, "houses"))
    panel = ClipPanel(context)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def press(widget: Any) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def test_a_section_box_is_made_dragged_typed_and_taken_back(panel: ClipPanel, context: Any) -> None:
    scene = context.scene
    assert not panel.active.isChecked()
    press(panel.box_button)
    first = scene.clipping.box
    assert first is not None
    assert panel.active.isChecked()
    assert len(context.canvas.handles) == len(context.canvas.guides) == 6
    top = context.canvas.handles[5]
    context.canvas.drag_handle(5, top[0], top[1], 3.0)
    assert kept(scene.clipping, 5, 5, 2.9)
    assert not kept(scene.clipping, 5, 5, 3.1)
    panel.azimuth.lineEdit().selectAll()
    QTest.keyClicks(panel.azimuth.lineEdit(), "45")
    assert scene.clipping.box.azimuth == 45.0
    press(panel.active)
    assert not scene.clipping.active
    assert kept(scene.clipping, 500, 5, 5)
    assert context.canvas.handles == []
    press(panel.all_button)
    assert scene.clipping == Clipping()
    scene.history.undo()
    assert scene.clipping.box is not None


def test_the_box_is_put_around_what_is_selected(panel: ClipPanel, context: Any) -> None:
    context.canvas.click(X, Y, 0, ref=EntityRef("houses", "a"))
    assert context.scene.selection == (EntityRef("houses", "a"),)
    assert panel.box_button.text() == "Box around the selection"
    press(panel.box_button)
    assert context.scene.clipping.box.center == pytest.approx((X + 5, Y + 10, 2.5))


def test_planes_slab_and_polygon_by_clicks(panel: ClipPanel, context: Any) -> None:
    scene, canvas = context.scene, context.canvas
    press(panel.draw_button("level"))
    assert canvas.aim[0]
    canvas.click(X, Y, 3)
    press(panel.draw_button("upright"))
    canvas.click(X, Y, 0)
    canvas.hover(X, Y + 9, 0)
    assert canvas.preview[0] == [(X, Y, 0), (X, Y + 9, 0)]
    canvas.click(X, Y + 9, 0)
    assert len(scene.clipping.planes) == 2
    assert kept(scene.clipping, 1, 5, 2)
    assert not kept(scene.clipping, -1, 5, 2)
    panel._flip(1)
    assert kept(scene.clipping, -1, 5, 2)
    panel._remove_plane(0)
    assert kept(scene.clipping, -1, 5, 99)
    press(panel.all_button)

    press(panel.draw_button("slab"))
    canvas.click(X, Y, 0)
    canvas.click(X + 9, Y, 0)
    assert kept(scene.clipping, 50, 0.9, 0)
    assert not kept(scene.clipping, 50, 1.1, 0)
    press(panel.draw_button("prism"))
    for x, y in ((0, -5), (8, -5), (8, 5)):
        canvas.click(X + x, Y + y, 0)
    canvas.stepped_back.emit()
    canvas.finished.emit()
    assert scene.clipping.prism is None, "two corners are no polygon"
    canvas.click(X + 8, Y + 5, 0)
    canvas.finished.emit()
    assert kept(scene.clipping, 7, 0, 0)
    assert not kept(scene.clipping, 9, 0, 0)
    press(panel.side._buttons["outside"])
    assert kept(scene.clipping, 9, 0, 0)
    assert len(canvas.marks["clip"]) == 3


def test_what_cannot_be_cut_with_is_said(panel: ClipPanel, context: Any) -> None:
    press(panel.draw_button("upright"))
    context.canvas.click(X, Y, 0)
    context.canvas.click(X, Y, 7)
    assert "above each other" in panel._message._text.text()
    assert context.scene.clipping == Clipping()
    context.canvas.escaped.emit()
    press(panel.draw_button("level"))
    for _ in range(13):
        context.canvas.click(X, Y, 3)
        if panel._drawing == "":
            panel.draw("level")
    assert len(context.scene.clipping.planes) == 12
    assert "too many planes" in panel._message._text.text()
    context.canvas.escaped.emit()
    context.canvas.escaped.emit()
    assert context.closed == 1


def test_looks_and_the_language(panel: ClipPanel, context: Any) -> None:
    scene = context.scene
    press(panel.look._buttons["ghost"])
    press(panel.ground._buttons["transparent"])
    panel.explode.lineEdit().setText("")
    QTest.keyClicks(panel.explode.lineEdit(), "4")
    assert (scene.clipping.look, scene.clipping.ground) == ("ghost", "transparent")
    assert scene.clipping.explode == 4.0
    press(panel.draw_button("ground"))
    for x, y in ((0, 0), (8, 0), (8, 5)):
        context.canvas.click(X + x, Y + y, 0)
    context.canvas.finished.emit()
    assert scene.clipping.ground == "cut"
    assert len(scene.clipping.ground_area) == 3
    translator.set_language("zh_CN")
    assert panel._title.text() == "裁剪"
    assert panel.look._buttons["ghost"].text() == "虚影"
    panel.hide()
    assert context.canvas.marks == {}
    assert scene.clipping.look == "ghost"
