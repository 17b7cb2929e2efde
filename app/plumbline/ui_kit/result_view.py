"""A result in a panel: the card with the number, tables, figures, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from plumbline.api import Result, Shown, Value, default_digits, format_value, tr, unit_choice
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.labels import ElidedLabel, label
from plumbline.ui_kit.live import follow, on_language
from plumbline.ui_kit.panel import ResultCard
from plumbline.ui_kit.result_table import ResultTable, cell_text

#: Rows of a table in the panel; the drawer shows them all.
PANEL_ROWS = 6


def value_text(value: Value) -> str:
    """Return a value with unit and uncertainty as people read it."""
    if isinstance(value.value, bool) or not isinstance(value.value, int | float):
        return cell_text(value.value)
    if isinstance(value.value, int):  # a count has no decimals
        return format_value(float(value.value), value.unit, value.uncertainty, 0)
    return unit_choice.text(value.value, value.unit, value.uncertainty)


class Picture(QLabel):
    """A picture as wide as its place."""

    clicked = Signal()

    def __init__(self, png: bytes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = QPixmap()
        self._whole.loadFromData(png, "PNG")
        self.setMinimumSize(QSize(80, 60))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def hasHeightForWidth(self) -> bool:
        """Keep the shape."""
        return True

    def heightForWidth(self, width: int) -> int:
        """As high as the picture is at this width."""
        whole = self._whole.size()
        return round(width * whole.height() / max(1, whole.width()))

    def sizeHint(self) -> QSize:
        """As wide as a panel."""
        return QSize(288, self.heightForWidth(288))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw the picture anew, sharp at the screen's scale."""
        super().resizeEvent(event)
        ratio = self.devicePixelRatioF()
        shown = self._whole.scaled(
            self.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        shown.setDevicePixelRatio(ratio)
        self.setPixmap(shown)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell the click."""
        self.clicked.emit()


class ResultView(QWidget):
    """One result at a time.

    Parameters
    ----------
    word : callable
        Gives the translated name of a value, table, column, layer or figure.
    """

    add_requested = Signal()
    export_requested = Signal()
    keep_requested = Signal()
    print_requested = Signal()
    #: Name of the table, cells of the row.
    row_chosen = Signal(str, dict)
    #: Translated title, widget for the drawer.
    enlarged = Signal(str, QWidget)

    def __init__(self, word: Callable[[str], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._word = word
        self._result: Result | None = None
        self._tables: dict[str, ResultTable] = {}
        self._stale = label("", "hint", wrap=True)
        self.card = ResultCard()
        self.card.export_requested.connect(self.export_requested)
        self.card.report_requested.connect(self.keep_requested)
        self._add = button("", icon="add-layer", clicked=self.add_requested.emit)
        self._print = button("", icon="report", clicked=self.print_requested.emit)
        self._parts = QVBoxLayout()
        self._parts.setContentsMargins(0, 0, 0, 0)
        self._parts.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._stale)
        column.addWidget(self.card)
        column.addWidget(self._add)
        column.addWidget(self._print)
        column.addLayout(self._parts)
        self._stale.hide()
        self.hide()
        on_language(self, self.retranslate)
        follow(self, unit_choice.changed, self.retranslate)

    @property
    def result(self) -> Result | None:
        """What is shown."""
        return self._result

    def show_result(self, result: Result) -> None:
        """Show a result in place of the last one."""
        self._result = result
        self._fill()
        self.set_stale(False)
        self.show()

    def clear(self) -> None:
        """Show nothing."""
        self._result = None
        self.hide()

    @property
    def stale(self) -> bool:
        """Whether the inputs have changed since."""
        return not self._stale.isHidden()

    def choose_row(self, table: str, column: str, value: Any) -> dict[str, Any] | None:
        """Select the row of a table with a value in a column and return its cells."""
        shown = self._tables.get(table)
        return None if shown is None else shown.choose_row(column, value)

    def set_stale(self, stale: bool) -> None:
        """Say that the inputs have changed since."""
        self._stale.setVisible(stale and self._result is not None)

    def set_added(self, added: bool) -> None:
        """Show whether the layers are in the scene already."""
        self._add.setEnabled(not added)
        self._add.setText(tr("In the scene") if added else tr("Add to the scene"))

    def retranslate(self) -> None:
        """Take up the language of the window."""
        if self._result is not None:
            self._fill()

    def _fill(self) -> None:
        result = self._result
        assert result is not None
        self._stale.setText(tr("The inputs have changed since this result."))
        self._fill_card(result)
        self._print.setText(tr("Print…"))
        self._add.setVisible(bool(result.layers))
        self.set_added(False)
        self._tables = {}
        while (item := self._parts.takeAt(0)) is not None:
            widget = item.widget()
            widget.hide()
            widget.deleteLater()
        for name in result.tables:
            self._parts.addWidget(self._table(name))
        for name, png in result.figures.items():
            self._parts.addWidget(self._figure(name, png))

    def _fill_card(self, result: Result) -> None:
        card, values = self.card, result.values
        head = values.get(result.headline)
        card.set_title(self._word(result.headline) if head is not None else "")
        number = None if head is None else head.value
        if head is None:
            card.set_text(tr("Done"))
        elif isinstance(number, bool) or not isinstance(number, int | float):
            card.set_text(cell_text(number))
        else:
            whole = isinstance(number, int)  # a count
            as_it_is = Shown(float(number), head.unit, head.uncertainty)
            shown = as_it_is if whole else unit_choice.shown(*as_it_is)
            card.set_value(*shown, digits=0 if whole else default_digits(shown.unit))
        card.set_details(
            (self._word(name), value_text(value))
            for name, value in values.items()
            if name != result.headline
        )
        card.set_notes(result.warnings)

    def _titled(self, name: str, content: QWidget, enlarge: Callable[[], None]) -> QWidget:
        whole = QWidget()
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(ElidedLabel(self._word(name), "caption"), 1)
        head.addWidget(
            tool_button(
                "drawer-bottom", tr("Show in the drawer"), role="muted", size=16, clicked=enlarge
            )
        )
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(content)
        return whole

    def _table(self, name: str) -> QWidget:
        assert self._result is not None
        source = self._result.tables[name]
        table = ResultTable(source, self._word, rows=PANEL_ROWS)
        table.row_chosen.connect(lambda row: self.row_chosen.emit(name, row))
        self._tables[name] = table

        def enlarge() -> None:
            large = ResultTable(source, self._word)
            large.row_chosen.connect(lambda row: self.row_chosen.emit(name, row))
            self.enlarged.emit(self._word(name), large)

        return self._titled(name, table, enlarge)

    def _figure(self, name: str, png: bytes) -> QWidget:
        picture = Picture(png)

        def enlarge() -> None:
            self.enlarged.emit(self._word(name), Picture(png))

        picture.clicked.connect(enlarge)
        return self._titled(name, picture, enlarge)


def headline_text(result: Result) -> str:
    """Return the value that matters most, as text; empty where a result has none."""
    head: Any = result.values.get(result.headline)
    return "" if head is None else value_text(head)
