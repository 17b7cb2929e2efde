"""The tool for volumes: the area is drawn, the difference follows, the bases stand side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas
import numpy as np
import pytest
import shapely
from PySide6.QtWidgets import QApplication
from sightline_scenes import X, Y, bodies, box, terrain
from tool_context import FakeContext

from plumbline.api import (
    EntityRef,
    Georeference,
    GridData,
    Layer,
    LayerKind,
    Scene,
    Source,
    VectorData,
)
from plumbline.core.i18n import translator
from plumbline.ui_kit.theme import current_theme
from plumbline_volume.panel import LIVE_BASE, LIVE_KEY, VolumePanel
from plumbline_volume.words import WORDS

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    """Return level ground at 10 m with a block of 20 m x 20 m x 5 m on it, and a solid."""
    heights = np.full((100, 100), 10.0)
    heights[40:60, 40:60] = 15.0
    scene = Scene(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    scene.add(terrain(tmp_path, heights, cell=1.0, corner=(X - 50, Y + 50)))
    scene.add(bodies({"cube": box((0, 0, 0), (10, 10, 10), (X + 30, Y + 30, 10.0))}))
    return FakeContext(scene)


@pytest.fixture
def panel(context: FakeContext, qtbot: QtBot, qapp: QApplication) -> Iterator[VolumePanel]:
    import plumbline_volume

    translator.add_folder(Path(plumbline_volume.__file__).parent / "translations")
    panel = VolumePanel(context)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.hide()


def draw(context: FakeContext, size: float = 20.0) -> None:
    for dx, dy in ((-size, -size), (size, -size), (size, size), (-size, size)):
        context.canvas.click(X + dx, Y + dy, 10.0)


def test_a_drawn_area_gives_its_volume_over_every_base(
    panel: VolumePanel, context: FakeContext
) -> None:
    assert panel.form.values()["surface"] == "terrain"
    assert panel.picker.field == "polygon"
    draw(context)
    context.canvas.finished.emit()
    assert panel.view.result is not None, panel._message._text.text()
    values = panel.view.result.values
    assert values["above"].value == pytest.approx(20 * 20 * 5, rel=0.02)
    assert values["below"].value == pytest.approx(0.0, abs=1.0)
    bases = panel.view.result.tables["bases"]
    assert {row[0] for row in bases.rows} >= {"lowest", "mean", "plane", "rim"}
    assert "result.difference" in context.canvas.layers
    style = context.canvas.layers["result.difference"][1]
    # What stands above the base is what would be cut.
    assert style.class_colors["4"] == current_theme().analysis.cut


def test_the_difference_follows_the_area_while_it_is_drawn(
    panel: VolumePanel, context: FakeContext, qtbot: QtBot
) -> None:
    draw(context)
    qtbot.waitUntil(lambda: LIVE_KEY in context.canvas.layers, timeout=5000)
    assert panel._live.isVisible()
    assert panel.view.result is None
    key, analysis, params = context.previews[-1]
    assert (key, analysis) == (LIVE_KEY, "volume.polygon")
    # About 20 000 cells in the 1 600 m² of the area.
    assert params["cell_size"] == pytest.approx((1600 / 20_000) ** 0.5)
    # The base is drawn once the hand rests, and seen through.
    qtbot.waitUntil(lambda: LIVE_BASE in context.canvas.layers, timeout=5000)
    assert context.canvas.layers[LIVE_BASE][1].opacity < 1
    asked = len(context.previews)
    context.canvas.drag_handle(0, X - 30, Y - 30, 10.0)
    qtbot.waitUntil(lambda: len(context.previews) > asked, timeout=5000)
    panel.run()
    assert LIVE_KEY not in context.canvas.layers
    assert LIVE_BASE not in context.canvas.layers
    assert context.canvas.layers["result.base"][1].opacity < 1
    assert not panel._live.isVisible()


def test_between_two_surfaces_what_has_come_is_fill(
    panel: VolumePanel, context: FakeContext
) -> None:
    panel.choose("volume.cutfill")
    grid = GridData(np.array([[-2.0, 0.0], [0.0, 2.0]]), (1.0, 0.0, X, 0.0, -1.0, Y))
    style = panel.style_of("difference", Layer("d", "d", LayerKind.RASTER, grid))
    colors = current_theme().analysis
    assert (style.class_colors["0"], style.class_colors["4"]) == (colors.cut, colors.fill)
    assert style.breaks == (-1.0, -0.2, 0.2, 1.0)


def test_a_click_on_a_body_measures_it(panel: VolumePanel, context: FakeContext) -> None:
    panel.choose("volume.solid")
    cube = EntityRef("city", "cube")
    context.canvas.click(X + 35, Y + 35, 20.0, ref=cube)
    assert context.scene.selection == (cube,)
    panel.run()
    assert panel.view.result is not None, (panel._message._text.text(), panel.form.errors())
    assert panel.view.result.values["volume"].value == pytest.approx(1000.0)
    context.scene.select([])
    context.canvas.click(X + 35, Y + 35, 20.0, ref=cube)
    assert len(panel.view._tables["solids"].view.selectedIndexes()) > 0


def footprints() -> Layer:
    """Return the outline of the block, but 4 m too short in the east; from a file."""
    shape = shapely.box(X - 10, Y - 10, X + 6, Y + 10)
    frame = geopandas.GeoDataFrame({"层数": [1]}, geometry=[shape], crs="EPSG:4549", index=["b1"])
    source = Source(Path("map.shp"), "vector")
    crs = Georeference.from_text("EPSG:4549").crs
    return Layer("map", "map", LayerKind.VECTOR, VectorData(frame), crs, source=source)


def test_one_footprint_is_corrected_and_measured_again(
    panel: VolumePanel, context: FakeContext
) -> None:
    scene = context.scene
    scene.add(footprints())
    panel.choose("volume.demolition")
    panel.form.set_values(
        {"surface": "terrain", "footprints": ("map",), "ground": "ring_plane", "objects": False}
    )
    panel.run()
    first = panel.view.result
    assert first is not None, (panel._message._text.text(), panel.form.errors())
    assert first.values["footprint_area"].value == pytest.approx(16 * 20)
    panel.correct_footprint()
    assert "No footprint is selected" in panel._message._text.text()
    scene.select([EntityRef("map", "b1")])
    panel.correct_footprint()
    assert len(context.canvas.handles) == 4
    for n, (x, y, _) in enumerate(context.canvas.handles):
        if x > X:
            context.canvas.drag_handle(n, X + 10, y, 10.0)
    context.canvas.finished.emit()
    second = panel.view.result
    assert second is not None
    assert second is not first
    assert second.values["footprint_area"].value == pytest.approx(20 * 20)
    # The source is left alone; the copy lies in the project.
    (made,) = [layer for layer in scene if layer.id.startswith("map.corrected")]
    assert made.source is None
    assert not scene.is_visible("map")
    assert panel.form.values()["footprints"] == (made.id,)
    assert context.canvas.handles == []
    # Once more: into the same copy, with a corner that is clicked; Esc leaves all as it was.
    scene.select([EntityRef(made.id, "b1")])
    panel.correct_footprint()
    context.canvas.click(X + 14, Y, 10.0)
    context.canvas.finished.emit()
    assert panel.view.result is not None
    assert panel.view.result.values["footprint_area"].value == pytest.approx(400 + 20 * 4 / 2)
    panel.correct_footprint()
    context.canvas.escaped.emit()
    assert context.canvas.handles == []
    scene.history.undo()
    scene.history.undo()
    assert [layer.id for layer in scene if layer.kind == LayerKind.VECTOR] == ["map"]
    assert scene.is_visible("map")


def test_a_building_shows_its_sheet_and_the_statement_is_printed(
    panel: VolumePanel, context: FakeContext
) -> None:
    context.scene.add(footprints())
    panel.choose("volume.demolition")
    panel.form.set_values(
        {"surface": "terrain", "footprints": ("map",), "ground": "ring_plane", "objects": False}
    )
    panel.run()
    panel.picker.pick_for("")
    context.canvas.click(X, Y, 15.0, ref=EntityRef("map", "b1"))
    assert panel.view._tables["buildings"].view.selectedIndexes()
    sheet = dict(panel._sheet.rows())
    assert sheet[panel.word("footprint_area")].startswith("320")
    assert panel._sheet.isVisible()
    panel.view._print.click()
    assert [result.analysis for result, _ in context.printed] == ["volume.demolition"]


def test_every_word_is_translated(panel: VolumePanel) -> None:
    translator.set_language("zh_CN")
    shown = {panel.word(name) for name in WORDS}
    assert not {text for text in shown if text.isascii()}
