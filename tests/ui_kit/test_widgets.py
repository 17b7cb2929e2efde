"""Fields, panels and docks: values in, values out, texts that follow the language."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QProgressBar, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from plumbline.core.errors import InputError
from plumbline.core.i18n import translator
from plumbline.ui_kit.charts import Chart, Series, nice_ticks
from plumbline.ui_kit.dock import make_dock
from plumbline.ui_kit.fields import (
    ColorButton,
    ComboBox,
    CoordinateEdit,
    MessageBar,
    ProgressRow,
    SearchField,
    SegmentedControl,
    Swatch,
    UnitSpinBox,
)
from plumbline.ui_kit.fonts import font_chain, has_chinese, ui_font
from plumbline.ui_kit.gallery import Gallery
from plumbline.ui_kit.labels import ElidedLabel
from plumbline.ui_kit.live import on_language
from plumbline.ui_kit.panel import EmptyState, Panel, ResultCard, Section
from plumbline.ui_kit.theme import apply_theme


def texts(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget)]


# Fields


def test_number_with_unit(themed: QApplication, qtbot: QtBot) -> None:
    spin = UnitSpinBox("m", decimals=2)
    qtbot.addWidget(spin)
    spin.set_value(12345.678)
    assert spin.text() == "12\u2009345.68"
    assert spin.value() == 12345.678
    told: list[float | None] = []
    spin.value_changed.connect(told.append)
    spin.lineEdit().selectAll()
    qtbot.keyClicks(spin, "7,5")
    assert told == [7.0, 7.5]
    assert spin.value() == 7.5
    spin.lineEdit().selectAll()
    qtbot.keyClicks(spin, "x")
    assert spin.value() is None
    assert not spin.text_is_number()


def test_a_typed_number_is_meant_once(themed: QApplication, qtbot: QtBot) -> None:
    spin = UnitSpinBox("m", decimals=1)
    qtbot.addWidget(spin)
    spin.set_value(3.0)
    meant: list[float | None] = []
    spin.value_committed.connect(meant.append)
    spin.lineEdit().selectAll()
    qtbot.keyClicks(spin, "125")
    assert meant == []
    assert spin.pending
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert meant == [125.0]
    spin.stepUp()
    assert meant == [125.0, 126.0]
    assert not spin.pending


def wheel(widget: QWidget) -> QWheelEvent:
    centre = QPointF(widget.rect().center())
    return QWheelEvent(
        centre, widget.mapToGlobal(centre), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip


def test_stray_wheel_changes_nothing(themed: QApplication, qtbot: QtBot) -> None:
    spin, combo = UnitSpinBox("m"), ComboBox()
    combo.addItems(["a", "b"])
    combo.setCurrentIndex(1)
    for widget in (spin, combo):
        qtbot.addWidget(widget)
        widget.show()
        widget.clearFocus()
        QApplication.sendEvent(widget, wheel(widget))
    assert spin.value() is None
    assert combo.currentIndex() == 1


def test_coordinates(themed: QApplication, qtbot: QtBot) -> None:
    edit = CoordinateEdit()
    qtbot.addWidget(edit)
    edit.set_point((1.23456, 2, 3))
    assert edit.text() == "1.235, 2.000, 3.000"
    assert edit.point() == (1.23456, 2.0, 3.0)
    edit.line_edit.clear()
    told: list[object] = []
    edit.point_changed.connect(told.append)
    QApplication.clipboard().setText("500123.4\t3456789.1\t12.3")
    qtbot.keyClick(edit.line_edit, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert told == [(500123.4, 3456789.1, 12.3)]
    edit.line_edit.clear()
    qtbot.keyClicks(edit.line_edit, "1 2 3")
    assert edit.point() == (1.0, 2.0, 3.0)


def test_segments(themed: QApplication, qtbot: QtBot) -> None:
    control = SegmentedControl()
    qtbot.addWidget(control)
    for key in ("2d", "3d"):
        control.add(key, key.upper())
    assert control.current() == "2d"
    with qtbot.assertNotEmitted(control.changed):
        control.set_current("3d")
    assert control.current() == "3d"
    with qtbot.waitSignal(control.changed) as told:
        control.findChildren(type(control._buttons["2d"]))[0].click()
    assert told.args == ["2d"]


def test_progress(themed: QApplication, qtbot: QtBot) -> None:
    row = ProgressRow("Work")
    qtbot.addWidget(row)
    bar = row.findChild(QProgressBar)
    assert (bar.minimum(), bar.maximum()) == (0, 0)
    width = row.minimumSizeHint().width()
    row.set_progress(0.425)
    assert bar.value() / bar.maximum() == pytest.approx(0.425)
    row.set_text("A much longer description of what is going on at this moment")
    assert row.minimumSizeHint().width() == width
    with qtbot.waitSignal(row.cancel_requested):
        row._cancel.click()


def test_message(themed: QApplication, qtbot: QtBot) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    done: list[int] = []
    bar.show_message("Saved.", "good", action="Undo", run=lambda: done.append(1))
    assert "Saved." in texts(bar)
    next(b for b in bar.findChildren(QPushButton) if b.text() == "Undo").click()
    assert done == [1]
    assert bar.isHidden()
    bar.show_message("Gone soon.", seconds=0.01)
    qtbot.waitUntil(bar.isHidden, timeout=2000)


def test_colours(themed: QApplication, qtbot: QtBot) -> None:
    button, swatch = ColorButton(), Swatch("#FF0000", "#0000FF", width=40)
    for widget in (button, swatch):
        qtbot.addWidget(widget)
    button.set_color("#2f6fde")
    assert button.color() == "#2F6FDE"
    middle = button.grab().toImage().pixelColor(28, 14)
    assert middle.name().upper() == "#2F6FDE"
    picture = swatch.grab().toImage()
    assert picture.pixelColor(8, 8) == QColor("#FF0000")
    assert picture.pixelColor(32, 8) == QColor("#0000FF")


def test_search_hides_its_shortcut_while_typing(themed: QApplication, qtbot: QtBot) -> None:
    field = SearchField("Search", "Ctrl+K")
    qtbot.addWidget(field)
    field.show()
    key = field.findChild(QLabel)
    assert key.isVisibleTo(field)
    qtbot.keyClicks(field, "a")
    assert not key.isVisibleTo(field)


def test_elided_label_gives_way(themed: QApplication, qtbot: QtBot) -> None:
    label = ElidedLabel("A long text that will not fit in so little space")
    qtbot.addWidget(label)
    assert label.minimumSizeHint().width() < 20
    assert label.sizeHint().width() > 200


# Panels


class SamplePanel(Panel):
    def __init__(self) -> None:
        super().__init__(icon="sight")
        self.calls = 0
        self.retranslate()

    def retranslate(self) -> None:
        self.calls += 1
        self.set_title(translator.text("Sightline"))


def test_panel_follows_the_language(themed: QApplication, qtbot: QtBot) -> None:
    panel = SamplePanel()
    qtbot.addWidget(panel)
    translator.set_language("zh_CN")
    assert panel.calls == 2
    assert "通视" in texts(panel)


def test_panel_runs_and_keeps_its_width(themed: QApplication, qtbot: QtBot) -> None:
    panel = SamplePanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.set_instruction("Click the observer, then the target, and then finish with Enter")
    panel.set_title("A very long title of a tool that does a very special thing indeed")
    panel.set_primary("Run", enabled=False)
    assert panel.minimumSizeHint().width() <= panel.minimumWidth()
    assert panel.sizeHint().width() == 320
    assert not panel.primary.isEnabled()
    panel.set_primary("Run")
    with qtbot.waitSignal(panel.run_requested):
        panel.primary.click()
    panel.set_primary("")
    assert not panel.primary.isVisibleTo(panel)


def test_deleted_widgets_are_not_called(themed: QApplication, qtbot: QtBot) -> None:
    class Listener(QWidget):
        def __init__(self) -> None:
            super().__init__()
            on_language(self, self.fail)

        def fail(self) -> None:
            raise AssertionError("called after its end")

    kept = Listener()
    kept.deleteLater()
    qtbot.wait(20)
    forgotten = weakref.ref(Listener())
    gc.collect()
    assert forgotten() is None
    translator.set_language("zh_CN")


def test_result_card(themed: QApplication, qtbot: QtBot) -> None:
    card = ResultCard("Distance")
    qtbot.addWidget(card)
    card.set_value(12.3456, "m", 0.034)
    assert {"12.346", "± 0.034", "m"} <= set(texts(card))
    card.set_value(12.3456, "m", None, digits=1)
    assert "12.3" in texts(card)
    assert not any(text.startswith("±") for text in texts(card))
    card.set_value(None)
    assert "–" in texts(card)
    for rows in ([("Azimuth", "12°"), ("ΔZ", "3 m")], [("Azimuth", "13°")]):
        card.set_details(rows)
    assert "13°" in texts(card)
    assert "12°" not in texts(card)
    card.set_notes(["One.", "Two."])
    assert "One.\nTwo." in texts(card)
    for name, signal in (
        ("Export", card.export_requested),
        ("Add to report", card.report_requested),
    ):
        with qtbot.waitSignal(signal):
            next(b for b in card.findChildren(QPushButton) if b.text() == name).click()


def test_section_opens_and_closes(themed: QApplication, qtbot: QtBot) -> None:
    section = Section("Details")
    qtbot.addWidget(section)
    inside = section.add(QLabel("x"))
    section.findChild(QPushButton).click()
    assert not section.is_open
    assert not inside.isVisibleTo(section)
    section.set_open(True)
    assert inside.isVisibleTo(section)


def test_empty_state(themed: QApplication, qtbot: QtBot) -> None:
    state = EmptyState("layers", "Empty", "Drop files")
    qtbot.addWidget(state)
    done: list[int] = []
    state.add_action("Open", lambda: done.append(1), primary=True).click()
    assert done == [1]


def test_dock_title(themed: QApplication, qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    dock = make_dock("scene", "Scene", QLabel("x"), window)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    window.show()
    assert "Scene" in texts(dock)
    dock.setWindowTitle("场景")
    assert "场景" in texts(dock)
    dock.titleBarWidget()._close.click()
    assert dock.isHidden()


# Charts


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.12, 0.31, [0.15, 0.2, 0.25, 0.3]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (10, 0, [0, 2, 4, 6, 8, 10]),
    ],
)
def test_ticks(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_ticks_of_an_empty_range_and_far_from_zero() -> None:
    assert 5.0 in nice_ticks(5, 5)
    assert nice_ticks(3456789.0, 3456790.0)[0] == 3456789.0


def colors_of(image: QImage) -> set[str]:
    return {
        image.pixelColor(x, y).name().upper()
        for x in range(0, image.width(), 2)
        for y in range(image.height())
    }


def test_chart_saves_what_it_shows(themed: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    chart = Chart()
    qtbot.addWidget(chart)
    chart.set_axes("Distance (m)", "Height (m)")
    chart.set_series([Series("=Ground", [0, 1, 2], [5, np.nan, 6], color="#FF0000", kind="bar")])
    apply_theme(themed, "dark")
    chart.save_png(tmp_path / "profile.png", 400, 200)
    chart.save_csv(tmp_path / "profile.csv")
    image = QImage(str(tmp_path / "profile.png"))
    assert (image.width(), image.height()) == (400, 200)
    # Print is light whatever the screen is.
    assert {"#FFFFFF", "#FF0000"} <= colors_of(image)
    rows = (tmp_path / "profile.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows[:2] == ["series,Distance (m),Height (m)", "'=Ground,0.0,5.0"]
    assert len(rows) == 4
    with pytest.raises(InputError):
        chart.save_csv(tmp_path / "no" / "folder.csv")
    with pytest.raises(InputError):
        chart.save_png(tmp_path / "no" / "folder.png")


def test_chart_reads_out_the_nearest_point(themed: QApplication, qtbot: QtBot) -> None:
    chart = Chart()
    qtbot.addWidget(chart)
    chart.resize(400, 200)
    chart.set_series([Series("a", [0, 10, 20], [1, 2, 3]), Series("b", [0, 10, 20], [3, 2, 1])])
    chart.show()
    seen: list[float] = []
    chart.hovered.connect(seen.append)
    qtbot.mouseMove(chart, QPoint(200, 100))
    qtbot.waitUntil(lambda: bool(seen), timeout=2000)
    assert seen[-1] == 10.0
    assert not chart.grab().isNull()


def test_chart_keeps_peaks_of_long_series(themed: QApplication, qtbot: QtBot) -> None:
    chart = Chart()
    qtbot.addWidget(chart)
    chart.resize(400, 200)
    y = np.zeros(200_000)
    y[123_456] = 100.0
    chart.set_series([Series("a", np.arange(y.size), y, color="#FF0000")])
    image = chart.grab().toImage()
    reddish = [
        row
        for row in range(image.height())
        if any(
            image.pixelColor(x, row).red() > 200 and image.pixelColor(x, row).green() < 160
            for x in range(image.width())
        )
    ]
    assert min(reddish) < 40


def test_chart_refuses_unequal_lengths(themed: QApplication, qtbot: QtBot) -> None:
    chart = Chart()
    qtbot.addWidget(chart)
    with pytest.raises(ValueError, match="2 x for 1 y"):
        chart.set_series([Series("a", [1, 2], [1])])


# Fonts, and everything at once


def test_fonts(themed: QApplication) -> None:
    assert ui_font().pixelSize() == 13
    assert QApplication.font().families() == (font_chain() or QApplication.font().families())
    metrics = QFontMetrics(ui_font())
    assert len({metrics.horizontalAdvance(char) for char in "0123456789"}) == 1
    # Where a Chinese font is installed, it is found.
    assert has_chinese() == bool(
        set(font_chain()) & {"Droid Sans Fallback", "Noto Sans CJK SC", "Noto Sans SC"}
    )


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_gallery_shows_everything(themed: QApplication, qtbot: QtBot, language: str) -> None:
    translator.set_language(language)
    window = Gallery(themed)
    qtbot.addWidget(window)
    window.show()
    for index in range(window.pages.count()):
        window.pages.setCurrentIndex(index)
        assert not window.grab().isNull()
    window._swap_theme()
    window._swap_language()
    window.close()
