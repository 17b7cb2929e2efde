"""The tool for looking: the line that follows, the eye, the skyline both ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from sightline_scenes import X, Y, bodies, box, terrain
from tool_context import FakeContext

from plumbline.api import EntityRef, Georeference, Pick, Scene
from plumbline.core.i18n import translator
from plumbline_sightline.panel import LIVE, SightlinePanel
from plumbline_sightline.words import WORDS

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


@pytest.fixture
def context() -> FakeContext:
    """Return a wall, 20 m high and 40 m wide, 50 m east of the origin, on a slab of ground."""
    scene = Scene(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    at = (X, Y, 0.0)
    scene.add(
        bodies({"wall": box((50, -20, 0), (52, 20, 20), at),
                "ground": box((-100, -100, -1), (200, 100, 0), at)})
    )  # fmt: skip
    return FakeContext(scene)


@pytest.fixture
def panel(context: FakeContext, qtbot: QtBot, qapp: QApplication) -> Iterator[SightlinePanel]:
    import plumbline_sightline

    translator.add_folder(Path(plumbline_sightline.__file__).parent / "translations")
    panel = SightlinePanel(context)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.hide()


def lines(context: FakeContext, key: str = "result") -> list[tuple[str, list[Any]]]:
    return [(m.tone, list(m.points)) for m in context.canvas.marks[key] if m.kind == "line"]


def test_the_eye_stands_above_the_click_and_the_line_follows_the_mouse(
    panel: SightlinePanel, context: FakeContext
) -> None:
    assert panel.form.values()["obstacles"] == ("city",)
    context.canvas.click(X, Y, 0)
    assert panel.form.values()["observer"] == pytest.approx((X, Y, 1.6))
    context.canvas.hover(X + 100, Y, 10.0)
    (free, hidden) = lines(context, LIVE)
    assert (free[0], hidden[0]) == ("visible", "hidden")
    # The line meets the near face of the wall, halfway: 1.6 m and half of the way to 10 m.
    assert free[1][-1] == pytest.approx((X + 50, Y, (1.6 + 10) / 2))
    assert hidden[1][-1] == (X + 100, Y, 10.0)
    context.canvas.hover(X + 30, Y, 10.0)
    assert [tone for tone, _ in lines(context, LIVE)] == ["visible"]
    assert panel.view.result is None


def test_the_result_counts_what_is_seen_and_dragging_the_eye_follows(
    panel: SightlinePanel, context: FakeContext
) -> None:
    context.canvas.click(X, Y, 0)
    context.canvas.click(X + 30, Y, 10)
    context.canvas.click(X + 100, Y, 10)
    context.canvas.finished.emit()
    assert panel.view.card._number.text() == "1"
    assert [tone for tone, _ in lines(context)] == ["visible", "visible", "hidden"]
    assert context.canvas.layers == {}
    before = len(context.previews)
    context.canvas.drag_handle(0, X + 80, Y, 0, release=False)
    assert len(context.previews) == before + 1
    # From behind the wall the other target is the hidden one.
    tones = [tone for tone, points in lines(context, LIVE)]
    assert tones == ["visible", "hidden", "visible"]
    assert panel.view._stale.isVisible()


def test_an_eye_at_a_wall_looks_out_from_in_front_of_it(
    panel: SightlinePanel, context: FakeContext
) -> None:
    pick = Pick((X + 50, Y, 10.0), "city", "wall", normal=(-1.0, 0.0, 0.0))
    context.canvas.clicked.emit(pick)
    x, y, z = panel.form.values()["observer"]
    assert x < X + 50
    assert (y, z) == (Y, 10.0)
    context.canvas.hover(X, Y, 10.0)
    assert [tone for tone, _ in lines(context, LIVE)] == ["visible"]


def test_the_camera_goes_into_the_observer_s_eye(
    panel: SightlinePanel, context: FakeContext
) -> None:
    assert not panel._look.isEnabled()
    context.canvas.click(X, Y, 0)
    context.canvas.click(X + 30, Y, 1.6)
    QTest.mouseClick(panel._look, Qt.MouseButton.LeftButton)
    camera = context.canvas.camera
    assert camera.position == pytest.approx((X, Y, 1.6))
    assert camera.focal_point == pytest.approx((X + 10, Y, 1.6))


def test_a_row_goes_to_its_target(panel: SightlinePanel, context: FakeContext) -> None:
    context.canvas.click(X, Y, 0)
    context.canvas.click(X + 100, Y, 10)
    panel.run()
    panel.row_chosen("targets", {"target": 1, "entity": "wall"})
    assert context.canvas.zoomed[-1].center == pytest.approx((X + 100, Y, 10))
    assert context.scene.selection == ()
    panel.row_chosen("obstructions", {"target": 1, "layer": "city", "entity": "wall"})
    assert context.scene.selection == (EntityRef("city", "wall"),)


def test_skyline_and_view_point_at_each_other(panel: SightlinePanel, context: FakeContext) -> None:
    panel.choose("sightline.skyline")
    context.canvas.click(X, Y, 0)
    panel.run()
    assert panel.view.result is not None, panel._message._text.text()
    (title, chart) = context.charts[0]
    assert title == "Skyline"
    rows = panel.view.result.tables["skyline"].rows
    # Due east on the grid stands the wall.
    turn = context.scene.georeference.convergence(X, Y)
    east = min((row[0] for row in rows), key=lambda azimuth: abs(azimuth - 90 - turn))
    chart.hovered.emit(east)
    assert context.scene.selection == (EntityRef("city", "wall"),)
    assert context.canvas.marks[LIVE][0].points[1] == pytest.approx((X + 50, Y, 20.0), abs=0.2)
    context.canvas.hover(X + 50, Y, 20.0)
    assert chart._hover == pytest.approx(90 + turn, abs=0.06)


def test_a_corridor_is_clicked_and_its_landmark_may_be_selected(
    panel: SightlinePanel, context: FakeContext
) -> None:
    panel.choose("sightline.corridor")
    assert panel.picker.field == "landmark"
    context.canvas.click(X + 150, Y, 30.0)
    context.canvas.finished.emit()
    panel.picker.pick_for("viewpoints")
    context.canvas.click(X, Y, 0)
    context.canvas.finished.emit()
    result = panel.view.result
    assert result is not None, (panel._message._text.text(), panel.form.errors())
    # From 1.6 m to 30 m over 150 m the sill is 11.4 m over the far side of the wall, 20 m high.
    assert [row[0] for row in result.tables["breakers"].rows] == ["wall"]
    for name in ("corridor", "height_limit"):
        style = context.canvas.layers[f"result.{name}"][1]
        assert 0 < style.opacity < 1, "what breaks it stays in sight"
    context.scene.select([EntityRef("city", "wall")])
    assert panel._from_selection.isVisible()
    QTest.mouseClick(panel._from_selection, Qt.MouseButton.LeftButton)
    assert panel.form.values()["landmark"] == ({"layer": "city", "entities": ["wall"]},)
    panel.run()
    assert panel.view.result is not result
    assert not panel.view.result.tables["breakers"].rows, "the landmark breaks nothing"


def test_control_surfaces_are_drawn(panel: SightlinePanel, context: FakeContext) -> None:
    panel.choose("sightline.height_limit")
    editor: Any = panel.form.editor("surfaces")
    assert panel.picker.field == "surfaces"
    for dx, dy in ((40, -30), (60, -30), (60, 30), (40, 30)):
        context.canvas.click(X + dx, Y + dy, 0)
    editor._numbers["height"][1].set_value(12.0)
    editor._another.click()
    editor.choose("cone")
    context.canvas.click(X + 51, Y, 0)
    for name, value in (("height", 15.0), ("slope", 0.0), ("radius_to", 100.0)):
        editor._numbers[name][1].set_value(value)
    editor.edited.emit()
    assert panel.form.is_valid(), panel.form.errors()
    panel.run()
    result = panel.view.result
    assert result is not None, panel._message._text.text()
    columns = result.tables["exceedances"].columns
    rows = [dict(zip(columns, row, strict=True)) for row in result.tables["exceedances"].rows]
    # The wall is 20 m high.
    assert [row["exceedance"] for row in rows] == pytest.approx([8.0, 5.0])
    style = context.canvas.layers["result.surfaces"][1]
    assert 0 < style.opacity < 1
    given = panel.form.values()["surfaces"]
    panel.form.set_values({"surfaces": given})
    assert panel.form.values()["surfaces"] == given
    editor._fewer.click()
    assert len(panel.form.values()["surfaces"]) == 1


def test_guards_are_placed_by_clicks_at_their_own_height(
    panel: SightlinePanel, context: FakeContext
) -> None:
    panel.choose("sightline.coverage")
    editor: Any = panel.form.editor("instrument")
    editor.spins["height"].set_value(2.0)
    editor.spins["range"].set_value(80.0)
    context.canvas.click(X, Y, 0)
    context.canvas.click(X + 80, Y, 0)
    assert panel.form.values()["candidates"][0] == pytest.approx((X, Y, 2.0))
    context.canvas.finished.emit()
    assert panel.picker.field == "area"
    for dx, dy in ((10, -15), (70, -15), (70, 15), (10, 15)):
        context.canvas.click(X + dx, Y + dy, 0)
    panel.form.set_values({"count": 2})
    context.canvas.finished.emit()
    result = panel.view.result
    assert result is not None, (panel._message._text.text(), panel.form.errors())
    assert result.params["instrument"]["height"] == 2.0
    columns = result.tables["positions"].columns
    rows = [dict(zip(columns, row, strict=True)) for row in result.tables["positions"].rows]
    # One on each side of the wall: neither sees all, both together nearly do.
    assert all(row["covered_share"] < 75 for row in rows)
    assert max(row["total_share"] or 0 for row in rows) > 90


def test_every_word_is_translated(panel: SightlinePanel) -> None:
    translator.set_language("zh_CN")
    shown = {panel.word(name) for name in WORDS}
    assert not {text for text in shown if text.isascii()}


def test_the_viewshed_follows_the_dragged_observer_on_coarse_cells(
    panel: SightlinePanel, context: FakeContext, tmp_path: Path
) -> None:
    heights = np.zeros((50, 50))
    heights[:, 30] = 30.0
    context.scene.add(terrain(tmp_path, heights, cell=4.0, corner=(X - 100, Y + 100)))
    panel.choose("sightline.viewshed")
    panel.form.set_values({"surface": ("terrain",)})
    panel.form.edited("surface")
    context.canvas.click(X - 50, Y, 0)
    context.canvas.finished.emit()
    assert panel.view.result is not None, (panel._message._text.text(), panel.form.errors())
    layer, style = context.canvas.layers["result.visible"]
    assert set(np.unique(layer.data.values)) <= {0, 1, 255}
    assert style is not None
    context.canvas.drag_handle(0, X + 60, Y, 0, release=False)
    key, analysis, params = context.previews[-1]
    assert (key, analysis, params["preview"]) == (LIVE, "sightline.viewshed", True)
    assert LIVE in context.canvas.layers
    assert "result.visible" not in context.canvas.layers
    panel.run()
    assert LIVE not in context.canvas.layers
    assert "preview" not in panel.form.values()
