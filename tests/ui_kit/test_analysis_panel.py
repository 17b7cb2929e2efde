"""The panel of analyses, driven as the canvas and the keyboard drive it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import geopandas
import numpy as np
import pytest
import shapely
from pydantic import Field
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from tool_context import FakeContext

from plumbline.analysis.registry import registry
from plumbline.api import (
    Analysis,
    EntityRef,
    Feedback,
    Georeference,
    GridData,
    Layer,
    LayerKind,
    Params,
    Point3,
    Points,
    Polygon,
    Problem,
    RefusedError,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
)
from plumbline.core.i18n import translator
from plumbline.ui_kit.analysis_panel import AnalysisPanel
from plumbline.ui_kit.result_table import ResultTable

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

X, Y = 534_200.0, 3_993_400.0


class LookParams(Params):
    observer: Point3
    targets: Annotated[Points, Field(min_length=1)]
    height: Annotated[float, Field(ge=0, json_schema_extra={"unit": "m"})] = 1.6


class Look(Analysis[LookParams]):
    """Distances from one point to others, as a table, a layer and a number."""

    id = "test.look"
    title = "Look"
    Params = LookParams

    def check(self, scene: Scene, params: LookParams) -> list[Problem]:
        return [Problem("height", "Nobody is that tall.")] if params.height > 3 else []

    def prepare(self, scene: Scene, params: LookParams) -> None:
        if params.height == 2.5:
            raise RefusedError("The observer is under ground.", "Move it.")

    def compute(self, inputs: None, params: LookParams, feedback: Feedback) -> Result:
        x, y, _ = params.observer
        rows = [(n, t[0], t[1], float(np.hypot(t[0] - x, t[1] - y)), "house" if n == 0 else "")
                for n, t in enumerate(params.targets)]  # fmt: skip
        grid = GridData(np.ones((2, 2), np.uint8), (1.0, 0.0, x, 0.0, -1.0, y))
        return Result(
            values={"farthest": Value(max(row[3] for row in rows), "m", 0.02),
                    "all_seen": Value(True)},
            tables={"targets": Table(("n", "x", "y", "distance", "entity"), tuple(rows),
                                     {"distance": "m"})},
            layers={"seen": Layer("seen", "seen", LayerKind.RASTER, grid)},
            headline="farthest",
            warnings=["One eye only."],
        )  # fmt: skip


class AreaParams(Params):
    polygon: Polygon


class AreaOf(Analysis[AreaParams]):
    id = "test.area"
    title = "Area"
    Params = AreaParams

    def prepare(self, scene: Scene, params: AreaParams) -> None:
        return None

    def compute(self, inputs: None, params: AreaParams, feedback: Feedback) -> Result:
        area = shapely.Polygon([p[:2] for p in params.polygon]).area
        return Result(values={"area": Value(area, "m²")}, headline="area")


class LookPanel(AnalysisPanel):
    words = {"farthest": "Distance"}  # noqa: RUF012


@pytest.fixture
def context() -> Iterator[FakeContext]:
    registry.ids()
    registry.add("test.look", Look, "Look")
    registry.add("test.area", AreaOf, "Area")
    yield FakeContext(Scene(Georeference.from_text(None, (X, Y, 0.0))))
    registry.remove("test.look")
    registry.remove("test.area")


@pytest.fixture
def panel(context: FakeContext, qtbot: QtBot, themed: QApplication) -> Iterator[LookPanel]:
    panel = LookPanel(context, ["test.look", "test.missing", "test.area"], title="Sight")
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.hide()


def look(context: FakeContext, *offsets: float) -> None:
    context.canvas.click(X, Y, 5)
    for dx in offsets:
        context.canvas.click(X + dx, Y, 5)


def test_only_installed_analyses_are_offered(panel: LookPanel) -> None:
    assert [panel._chooser.itemData(n) for n in range(panel._chooser.count())] == [
        "test.look",
        "test.area",
    ]


def test_clicks_fill_one_field_after_the_other_and_enter_runs(
    panel: LookPanel, context: FakeContext
) -> None:
    assert "Observer" in panel._instruction._text.text()
    look(context, 30, 40)
    assert panel.form.values()["observer"] == (X, Y, 5)
    assert panel.picker.field == "targets"
    # The second click of a double click adds nothing; the double click runs.
    context.canvas.click(X + 40, Y, 5)
    context.canvas.finished.emit()
    assert panel.view.card._number.text() == "40.000"
    assert panel.view.card._uncertainty.text() == "± 0.020"
    assert panel.view.card._title.text() == "Distance"
    assert [texts[1].text() for texts in panel.view.card._rows] == ["yes"]
    assert panel.view.card._notes.text() == "One eye only."
    assert list(context.canvas.layers) == ["result.seen"]
    assert context.canvas.handles == [(X, Y, 5), (X + 30, Y, 5), (X + 40, Y, 5)]


def test_typed_points_are_drawn_and_dragged_points_are_typed(
    panel: LookPanel, context: FakeContext
) -> None:
    panel.form.editor("observer").focusProxy().setText("")
    QTest.keyClicks(panel.form.editor("observer").focusProxy(), f"{X}, {Y}, 7")
    assert context.canvas.handles == [(X, Y, 7)]
    context.canvas.drag_handle(0, X + 1, Y, 7)
    assert panel.form.editor("observer").focusProxy().text() == f"{X + 1:.3f}, {Y:.3f}, 7.000"
    assert context.canvas.handles == [(X + 1, Y, 7)]


def test_backspace_takes_back_and_escape_begins_anew_and_then_leaves(
    panel: LookPanel, context: FakeContext
) -> None:
    look(context, 30, 40)
    context.canvas.stepped_back.emit()
    assert panel.form.values()["targets"] == ((X + 30, Y, 5),)
    context.canvas.stepped_back.emit()
    context.canvas.stepped_back.emit()
    assert "observer" not in panel.form.values()
    look(context, 30)
    context.canvas.escaped.emit()
    assert "observer" not in panel.form.values()
    assert context.closed == 0
    assert panel.picker.field == "observer"
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    assert context.closed == 1


def test_an_area_gets_a_rubber_band_that_closes(panel: LookPanel, context: FakeContext) -> None:
    panel.choose("test.area")
    for dx, dy in ((0, 0), (10, 0), (10, 10)):
        context.canvas.click(X + dx, Y + dy, 0)
    context.canvas.hover(X, Y + 10, 0)
    assert context.canvas.preview is not None
    assert context.canvas.preview[0][-1] == (X, Y + 10, 0)
    assert context.canvas.preview_closed
    context.canvas.click(X, Y + 10, 0)
    context.canvas.finished.emit()
    assert panel.view.result is not None
    assert panel.view.result.values["area"].value == pytest.approx(100.0)


def test_what_is_wrong_is_said_beside_the_field_before_the_run(
    panel: LookPanel, context: FakeContext, qtbot: QtBot
) -> None:
    look(context, 30)
    panel.form.set_values({"height": 9.0})
    panel.form.edited("height")
    message = panel.form._rows["height"].message
    qtbot.waitUntil(lambda: message.text() == "Nobody is that tall.")
    assert panel.view.result is None
    context.canvas.finished.emit()
    assert panel.view.result is None


def test_a_refusal_is_told_in_the_panel(panel: LookPanel, context: FakeContext) -> None:
    look(context, 30)
    panel.form.set_values({"height": 2.5})
    panel.run()
    assert "under ground" in panel._message._text.text()
    assert panel.primary.isEnabled()


def test_changed_inputs_make_a_result_old(panel: LookPanel, context: FakeContext) -> None:
    look(context, 30)
    panel.run()
    assert not panel.view._stale.isVisible()
    context.canvas.drag_handle(0, X - 10, Y, 5)
    assert panel.view._stale.isVisible()
    panel.run()
    assert not panel.view._stale.isVisible()
    assert panel.view.card._number.text() == "40.000"


def test_an_earlier_run_comes_back_with_its_inputs(panel: LookPanel, context: FakeContext) -> None:
    look(context, 30)
    panel.run()
    context.canvas.drag_handle(1, X + 70, Y, 5)
    panel.run()
    assert [run.result.values["farthest"].value for run in panel.runs.runs] == [70.0, 30.0]
    panel.choose("test.area")
    assert not panel.view.isVisible()
    panel.runs._list.itemClicked.emit(panel.runs._list.item(1))
    assert panel.analysis == "test.look"
    assert panel.form.values()["targets"] == ((X + 30, Y, 5),)
    assert panel.view.card._number.text() == "30.000"


def test_a_row_of_a_table_shows_its_entity_or_its_place(
    panel: LookPanel, context: FakeContext
) -> None:
    square = shapely.box(X + 20, Y - 5, X + 40, Y + 5)
    frame = geopandas.GeoDataFrame(index=["house"], geometry=[square])
    data = VectorData(frame, "Polygon")
    context.scene.add(Layer("houses", "Houses", LayerKind.VECTOR, data))
    look(context, 30, 60)
    panel.run()
    panel.view.result.provenance["inputs"] = [{"id": "houses"}]
    table = panel.view.findChild(ResultTable)
    table.view.selectRow(1)
    assert context.canvas.zoomed[-1].center[0] == pytest.approx(X + 60)
    assert context.scene.selection == ()
    table.view.selectRow(0)
    assert context.scene.selection == (EntityRef("houses", "house"),)
    assert context.canvas.zoomed[-1].xmax == pytest.approx(X + 40)


def test_tables_sort_as_numbers_filter_and_go_to_the_drawer(
    panel: LookPanel, context: FakeContext
) -> None:
    look(context, 9, 100, 30, 40, 50, 60, 70, 80)
    panel.run()
    panel.view.enlarged.emit("Targets", ResultTable(panel.view.result.tables["targets"]))
    (title, table) = context.charts[0]
    assert title == "Targets"
    table.view.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert [row["distance"] for row in table.shown_rows()][:2] == [100.0, 80.0]
    table.set_filter("house")
    assert [row["n"] for row in table.shown_rows()] == [0]


def test_layers_go_into_the_scene_and_leave_the_preview(
    panel: LookPanel, context: FakeContext
) -> None:
    look(context, 30)
    panel.run()
    QTest.mouseClick(panel.view._add, Qt.MouseButton.LeftButton)
    assert [layer.name for layer in context.scene] == ["Seen"]
    assert context.canvas.layers == {}
    assert not panel.view._add.isEnabled()
    QTest.mouseClick(panel.view.card._export, Qt.MouseButton.LeftButton)
    assert context.exported == [panel.view.result]
    QTest.mouseClick(panel.view.card._report, Qt.MouseButton.LeftButton)
    assert [record.name for record in context.scene.records] == ["Look 1"]
    assert context.scene.report.records == (context.scene.records[0].id,)


def test_the_selected_outline_becomes_the_area(panel: LookPanel, context: FakeContext) -> None:
    frame = geopandas.GeoDataFrame(
        index=["a", "b"],
        geometry=[shapely.box(X, Y, X + 4, Y + 5), shapely.Point(X, Y)],
    )
    context.scene.add(Layer("lots", "Lots", LayerKind.VECTOR, VectorData(frame, "Polygon")))
    panel.choose("test.area")
    assert not panel._from_selection.isVisible()
    context.scene.select([EntityRef("lots", "a")])
    QTest.mouseClick(panel._from_selection, Qt.MouseButton.LeftButton)
    panel.run()
    assert panel.view.result.values["area"].value == pytest.approx(20.0)
    context.scene.select([EntityRef("lots", "b")])
    QTest.mouseClick(panel._from_selection, Qt.MouseButton.LeftButton)
    assert "no polygon" in panel._message._text.text()


def test_a_hidden_panel_leaves_the_canvas_as_it_was(panel: LookPanel, context: FakeContext) -> None:
    look(context, 30)
    panel.run()
    panel.hide()
    assert context.canvas.marks == {}
    assert context.canvas.layers == {}
    assert context.canvas.handles == []
    context.canvas.click(X, Y + 1, 5)
    assert panel.form.values()["targets"] == ((X + 30, Y, 5),)
    panel.show()
    assert list(context.canvas.layers) == ["result.seen"]
    assert len(context.canvas.handles) == 2


def test_the_language_can_change_while_it_is_open(panel: LookPanel, context: FakeContext) -> None:
    look(context, 30)
    panel.run()
    translator.set_language("zh_CN")
    assert panel.view.card._title.text() == "距离"
    assert panel.primary.text() == "运行"
