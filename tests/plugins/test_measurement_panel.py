"""The measuring panel, driven as the canvas drives it."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from plumbline.api import Pick, record_label, run, unit_choice
from plumbline.core.i18n import translator
from plumbline_measurement.panel import DISTANCE, POLYLINE, MeasurePanel

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

X, Y = 534_200.0, 3_993_400.0


@pytest.fixture
def panel(context: Any, qtbot: QtBot, qapp: QApplication) -> Iterator[MeasurePanel]:
    import plumbline_measurement

    translator.add_folder(Path(plumbline_measurement.__file__).parent / "translations")
    panel = MeasurePanel(context)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.hide()


def choose(panel: MeasurePanel, kind: str) -> None:
    panel._kind._buttons[kind].click()
    assert panel.kind == kind


def test_two_clicks_measure_and_keep_a_distance(panel: MeasurePanel, context: Any) -> None:
    context.canvas.click(X, Y, 5)
    assert panel.points == [(X, Y, 5)]
    context.canvas.click(X + 3, Y + 4, 5)
    (record,) = context.scene.records
    assert record.name == "Distance 1"
    assert record.values["distance"]["value"] == pytest.approx(5.0, abs=1e-9)
    assert record.points == ((X, Y, 5), (X + 3, Y + 4, 5))
    assert record.operator == "Lin Yue"
    assert panel.points == []
    assert panel._card._number.text() == "5.000"
    assert panel._card.isVisible()


def test_the_number_follows_the_mouse(panel: MeasurePanel, context: Any) -> None:
    context.canvas.click(X, Y, 0)
    context.canvas.hover(X + 30, Y + 40, 0)
    assert context.canvas.preview == ([(X, Y, 0), (X + 30, Y + 40, 0)], "50.000 m")
    assert panel._card._number.text() == "50.000"
    context.canvas.hover()
    assert context.canvas.preview == ([(X, Y, 0)], "")


def test_without_a_first_point_the_mouse_draws_nothing(panel: MeasurePanel, context: Any) -> None:
    context.canvas.hover(X, Y, 0)
    assert context.canvas.preview is None


def test_enter_finishes_a_polyline_and_backspace_takes_a_point_back(
    panel: MeasurePanel, context: Any
) -> None:
    choose(panel, POLYLINE)
    for step in range(4):
        context.canvas.click(X + 10 * step, Y, 0)
    context.canvas.stepped_back.emit()
    assert len(panel.points) == 3
    context.canvas.finished.emit()
    (record,) = context.scene.records
    assert record.values["length"]["value"] == pytest.approx(20.0)
    assert record.name == "Polyline 1"


def test_the_second_click_of_a_double_click_adds_nothing(panel: MeasurePanel, context: Any) -> None:
    choose(panel, POLYLINE)
    context.canvas.click(X, Y, 0)
    context.canvas.click(X + 10, Y, 0)
    context.canvas.click(X + 10, Y, 0)
    context.canvas.finished.emit()
    assert len(context.scene.records[0].points) == 2


def test_one_point_cannot_be_finished(panel: MeasurePanel, context: Any) -> None:
    choose(panel, POLYLINE)
    context.canvas.click(X, Y, 0)
    context.canvas.finished.emit()
    assert context.scene.records == ()
    assert panel.points == [(X, Y, 0)]


def test_escape_gives_up_what_was_begun_and_then_leaves(panel: MeasurePanel, context: Any) -> None:
    context.canvas.click(X, Y, 0)
    context.canvas.escaped.emit()
    assert panel.points == []
    assert context.canvas.preview is None
    assert context.closed == 0
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    assert context.closed == 1


def test_a_hidden_panel_leaves_the_canvas_alone(panel: MeasurePanel, context: Any) -> None:
    context.canvas.click(X, Y, 0)
    panel.hide()
    assert context.canvas.preview is None
    context.canvas.click(X + 1, Y, 0)
    assert panel.points == []
    panel.show()
    context.canvas.click(X + 1, Y, 0)
    assert panel.points == [(X + 1, Y, 0)]


def test_coordinates_can_be_typed(panel: MeasurePanel, context: Any) -> None:
    panel._typing.set_open(True)
    panel._edit.text_edit.setPlainText(f"{X}, {Y}, 5\n{X + 3}, {Y + 4}, 17")
    assert panel.primary.isEnabled()
    QTest.mouseClick(panel.primary, Qt.MouseButton.LeftButton)
    assert context.scene.records[0].values["distance"]["value"] == pytest.approx(13.0)


def test_a_half_typed_line_cannot_be_run(panel: MeasurePanel, context: Any) -> None:
    panel._typing.set_open(True)
    panel._edit.text_edit.setPlainText(f"{X}, {Y}, 5\n{X + 3}, ")
    assert not panel.primary.isEnabled()


def test_what_is_wrong_is_said_in_the_panel(panel: MeasurePanel, context: Any) -> None:
    choose(panel, POLYLINE)
    panel._edit.text_edit.setPlainText(f"{X}, {Y}\n{X + 3}, {Y}")
    QTest.mouseClick(panel.primary, Qt.MouseButton.LeftButton)
    assert "needs a surface" in panel._message._text.text()
    assert context.scene.records == ()
    assert len(panel.points) == 2


def test_a_defect_is_not_taken_for_a_user_s_mistake(panel: MeasurePanel) -> None:
    with pytest.raises(ZeroDivisionError):
        panel._failed(ZeroDivisionError())


def measure_two(panel: MeasurePanel, context: Any) -> None:
    for far in (3, 6):
        context.canvas.click(X, Y, 0)
        context.canvas.click(X + far, Y, 0)


def test_the_list_shows_selects_renames_hides_and_removes(
    panel: MeasurePanel, context: Any
) -> None:
    measure_two(panel, context)
    assert panel.kept.tree.topLevelItemCount() == 2
    first = panel.kept.tree.topLevelItem(0)
    panel.kept.tree.setCurrentItem(first)
    assert panel._card._number.text() == "3.000"
    first.setText(0, "Width of the lane")
    assert context.scene.records[0].name == "Width of the lane"
    panel.kept.tree.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    assert not context.scene.records[0].visible
    QTest.mouseClick(panel.kept.remove_button, Qt.MouseButton.LeftButton)
    assert [r.name for r in context.scene.records] == ["Distance 2"]
    context.scene.history.undo()
    assert len(context.scene.records) == 2
    assert panel.kept.tree.topLevelItemCount() == 2


def test_names_do_not_repeat(panel: MeasurePanel, context: Any) -> None:
    measure_two(panel, context)
    context.scene.set_records(context.scene.records[1:])
    measure_two(panel, context)
    assert [r.name for r in context.scene.records] == ["Distance 2", "Distance 1", "Distance 3"]


def test_export(panel: MeasurePanel, context: Any, tmp_path: Path) -> None:
    measure_two(panel, context)
    panel.export(tmp_path / "量测.csv")
    panel.export(tmp_path / "量测.geojson")
    assert (tmp_path / "量测.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "量测.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert [float(row["distance [m]"]) for row in csv.DictReader(stream)] == [3.0, 6.0]
    features = json.loads((tmp_path / "量测.geojson").read_text("utf-8"))["features"]
    assert len(features) == 2
    panel.export(tmp_path / "no folder" / "x.csv")
    assert "cannot be written" in panel._message._text.text()


def test_areas_angles_and_points(panel: MeasurePanel, context: Any) -> None:
    """A square of 10 m, its right angle, and a place; the live label follows the third corner."""
    choose(panel, "measure.area")
    context.canvas.click(X, Y, 5)
    context.canvas.click(X + 10, Y, 5)
    context.canvas.hover(X + 10, Y + 10, 5)
    points, text = context.canvas.preview
    assert len(points) == 3
    assert text.startswith("50")
    context.canvas.click(X + 10, Y + 10, 5)
    context.canvas.click(X, Y + 10, 5)
    context.canvas.finished.emit()
    choose(panel, "measure.angle")
    for x, y in ((X + 10, Y), (X, Y), (X, Y + 10)):
        context.canvas.click(x, y, 5)
    choose(panel, "measure.point")
    context.canvas.click(X, Y, 5)
    area, angle, point = context.scene.records
    assert area.values["area_horizontal"]["value"] == pytest.approx(100)
    assert angle.values["angle"]["value"] == pytest.approx(90)
    assert point.values["z"]["value"] == 5
    assert [r.name for r in context.scene.records] == ["Area 1", "Angle 1", "Point 1"]


def test_continuous_goes_on_where_the_last_one_ended(panel: MeasurePanel, context: Any) -> None:
    panel.continuous.setChecked(True)
    for x in (0, 3, 7):
        context.canvas.click(X + x, Y, 0)
    assert [r.values["distance"]["value"] for r in context.scene.records] == [3.0, 4.0]
    assert panel.points == [(X + 7, Y, 0)]
    assert context.canvas.aim == (True, (X + 7, Y, 0))
    context.canvas.escaped.emit()
    assert panel.points == []
    choose(panel, POLYLINE)
    assert not panel.continuous.isVisible()


def test_a_kept_measurement_is_dragged_by_its_points(panel: MeasurePanel, context: Any) -> None:
    context.canvas.click(X, Y, 5)
    context.canvas.click(X + 3, Y, 5)
    assert context.canvas.handles == [(X, Y, 5), (X + 3, Y, 5)]
    (before,) = context.scene.records
    context.canvas.drag_handle(1, X + 6, Y + 8, 5, release=False)
    assert context.canvas.preview == ([(X, Y, 5), (X + 6, Y + 8, 5)], "10.000 m")
    assert context.scene.records == (before,)
    context.canvas.drag_handle(1, X + 6, Y + 8, 5)
    (after,) = context.scene.records
    assert (after.id, after.name) == (before.id, before.name)
    assert after.values["distance"]["value"] == pytest.approx(10.0)
    assert after.request["params"]["end"] == [X + 6, Y + 8, 5]
    assert context.canvas.preview is None
    assert context.canvas.handles[1] == (X + 6, Y + 8, 5)
    context.scene.history.undo()
    assert context.scene.records == (before,)
    # Points that the measurement cannot have are refused, and it stays as it was.
    choose(panel, "measure.angle")
    for x, y in ((10, 0), (0, 0), (0, 10)):
        context.canvas.click(X + x, Y + y, 5)
    choose(panel, "measure.area")
    for x, y in ((0, 0), (10, 0), (10, 10), (0, 10)):
        context.canvas.click(X + x, Y + y, 5)
    context.canvas.finished.emit()
    area = context.scene.records[-1]
    context.canvas.drag_handle(0, X + 20, Y + 5, 5)
    assert context.scene.records[-1] == area
    assert "cross" in panel._message._text.text()
    context.canvas.clicked.emit(Pick((X, Y, 0.0), "terrain"))
    assert context.canvas.handles == []


def test_clicked_faces_have_a_slope_and_an_angle_between_them(
    panel: MeasurePanel, context: Any
) -> None:
    """A roof of 30 degrees falling to the east, and a wall that looks south."""
    choose(panel, "measure.angle:faces")
    assert context.canvas.aim == (False, None)
    tilt = math.radians(30)
    roof = Pick((X, Y, 9.0), "terrain", normal=(math.sin(tilt), 0.0, math.cos(tilt)), pixel=0.01)
    wall = Pick((X + 5, Y, 4.0), "terrain", normal=(0.0, -1.0, 0.0), pixel=0.01)
    context.canvas.clicked.emit(Pick((X, Y, 9.0), "cloud", snap="point"))
    assert panel.points == [], "a point of a cloud has no face"
    context.canvas.clicked.emit(roof)
    assert panel._card._number.text() == "30.000"
    context.canvas.hovered.emit(wall)
    assert panel._card._number.text() == "90.000"
    context.canvas.finished.emit()
    (slope,) = context.scene.records
    assert slope.headline == "slope"
    assert slope.values["slope"]["value"] == pytest.approx(30.0, abs=1e-6)
    assert slope.values["aspect"]["value"] == pytest.approx(90.0, abs=1e-6)
    context.canvas.clicked.emit(roof)
    context.canvas.clicked.emit(wall)
    between = context.scene.records[1]
    assert between.headline == "dihedral"
    assert between.values["dihedral"]["value"] == pytest.approx(90.0, abs=1e-6)
    assert between.name == "Slope of faces 2"
    assert context.canvas.handles == []


def test_a_record_measures_the_same_again(panel: MeasurePanel, context: Any) -> None:
    for kind in ("measure.distance", "measure.polyline", "measure.area", "measure.angle"):
        choose(panel, kind)
        for x, y, z in ((0.1, 0.2, 5), (7.3, 0.4, 6), (6.1, 9.7, 5)):
            context.canvas.click(X + x, Y + y, z)
        context.canvas.finished.emit()
        context.canvas.escaped.emit()
        record = context.scene.records[-1]
        assert record.request["analysis"] == kind
        again = run(kind, context.scene, **record.request["params"])
        assert {n: v.as_json() for n, v in again.values.items()} == record.values


def test_units_and_the_table_of_all(panel: MeasurePanel, context: Any, qtbot: QtBot) -> None:
    context.canvas.click(X, Y, 5)
    context.canvas.click(X + 3, Y + 4, 5)
    panel.kept.show_table()
    ((title, table),) = context.charts
    qtbot.addWidget(table)
    assert title == "Measurements"
    try:
        unit_choice.choose("mm", "亩")
        assert panel._card._number.text() == "5\u2009000"
        assert panel.kept.tree.topLevelItem(0).text(1) == "5\u2009000 mm"
        choose(panel, "measure.area")
        for x, y in ((0, 0), (100, 0), (100, 100), (0, 100)):
            context.canvas.click(X + x, Y + y, 5)
        context.canvas.finished.emit()
        assert panel._card._number.text() == "15.000"
        rows = table.table.shown_rows()
        assert [row["value"] for row in rows] == ["5\u2009000 mm", "15.000 亩"]
        assert rows[0]["operator"] == "Lin Yue"
        assert record_label(context.scene.records[1]) == "15.000 亩"
        choose(panel, "measure.point")
        context.canvas.click(X, Y, 5)
        assert panel._card._number.text() == "5.000", "a coordinate keeps the unit of its CRS"
    finally:
        unit_choice.choose("m", "m²")
    assert panel.kept.tree.topLevelItem(0).text(1) == "5.000 m"
    table.table.view.selectRow(1)
    assert panel.kept.selected == context.scene.records[1]


def test_sides_that_cross_show_no_number_until_they_do_not(
    panel: MeasurePanel, context: Any
) -> None:
    choose(panel, "measure.area")
    for x, y in ((0, 0), (10, 10), (10, 0)):
        context.canvas.click(X + x, Y + y, 5)
    context.canvas.hover(X, Y + 10, 5)
    assert context.canvas.preview[1] == ""
    context.canvas.finished.emit()
    assert len(context.scene.records) == 1


def test_every_format_and_the_sheet(panel: MeasurePanel, context: Any, tmp_path: Path) -> None:
    context.canvas.click(X, Y, 5)
    context.canvas.click(X + 3, Y + 4, 5)
    for suffix in ("csv", "xlsx", "geojson", "gpkg", "dxf", "pdf"):
        panel.export(tmp_path / f"量测.{suffix}")
        assert (tmp_path / f"量测.{suffix}").stat().st_size > 100
    panel.kept.tree.setCurrentItem(None)
    panel.export(tmp_path / "none.pdf")
    assert "No measurement is selected" in panel._message._text.text()
    assert not (tmp_path / "none.pdf").exists()


def test_the_language_can_change_while_it_is_open(panel: MeasurePanel, context: Any) -> None:
    context.canvas.click(X, Y, 0)
    translator.set_language("zh_CN")
    assert panel._title.text() == "量测"
    assert panel._kind._buttons[DISTANCE].toolTip() == "距离"
    context.canvas.click(X + 3, Y, 0)
    assert context.scene.records[0].name == "距离 1"


def test_terrain_layers_are_offered_as_surfaces(
    panel: MeasurePanel, context: Any, tmp_path: Path
) -> None:
    import numpy as np
    import rasterio
    from affine import Affine

    from plumbline.api import load

    path = tmp_path / "dem.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=50, height=50, count=1, dtype="float32",
        crs="EPSG:4549", transform=Affine(1, 0, X, 0, -1, Y + 50),
    ) as file:  # fmt: skip
        file.write(np.full((50, 50), 12.0, dtype="float32"), 1)
    context.scene.add(load(path, layer_id="dem")[0])
    choose(panel, POLYLINE)
    assert panel._surface.isVisible()
    assert [panel._surface.itemData(n) for n in range(panel._surface.count())] == [None, "dem"]
    panel._surface.setCurrentIndex(1)
    panel._edit.text_edit.setPlainText(f"{X + 5}, {Y + 5}\n{X + 35}, {Y + 45}")
    QTest.mouseClick(panel.primary, Qt.MouseButton.LeftButton)
    assert context.scene.records[0].values["surface_length"]["value"] == pytest.approx(50.0)
    choose(panel, DISTANCE)
    assert not panel._surface.isVisible()
