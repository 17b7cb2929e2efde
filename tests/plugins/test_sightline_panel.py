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
