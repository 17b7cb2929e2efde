"""A table of a result: sorted by a click, filtered by a word, linked with the scene by its rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtWidgets import QTableView, QVBoxLayout, QWidget

from plumbline.analysis.store import table_csv
from plumbline.api import InputError, Table, default_digits, format_number, tr
from plumbline.ui_kit.fields import SearchField
from plumbline.ui_kit.live import on_language
from plumbline.ui_kit.views import set_up_table

Index = QModelIndex | QPersistentModelIndex

#: Tables with more rows than this get a box to filter them.
FILTER_FROM = 8
#: Columns of 1 and 0 that mean yes and no.
FLAGS = ("visible", "closed", "lit", "passed")
_RAW = Qt.ItemDataRole.UserRole


def cell_text(value: Any, unit: str = "") -> str:
    """Return a cell as people read it: numbers with digits after their unit, yes and no."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if isinstance(value, float):
        return format_number(value, default_digits(unit))
    return str(value)


class _Model(QAbstractTableModel):
    def __init__(self, table: Table, word: Callable[[str], str], parent: QWidget) -> None:
        super().__init__(parent)
        self._table, self._word = table, word

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._table.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._table.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        value = self._table.rows[index.row()][index.column()]
        column = self._table.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            if column in FLAGS and value in (0, 1):
                return tr("yes") if value else tr("no")
            return cell_text(value, self._table.units.get(column, ""))
        if role == _RAW:
            return value
        if role == Qt.ItemDataRole.TextAlignmentRole and isinstance(value, int | float):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(value, str):
            return value
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        column = self._table.columns[section]
        unit = self._table.units.get(column, "")
        return f"{self._word(column)} ({unit})" if unit else self._word(column)

    def retranslate(self) -> None:
        self.headerDataChanged.emit(
            Qt.Orientation.Horizontal, 0, max(0, len(self._table.columns) - 1)
        )


class _Sorted(QSortFilterProxyModel):
    """Sorts numbers as numbers and empty cells to the end."""

    def lessThan(self, left: Index, right: Index) -> bool:
        source = self.sourceModel()
        one, other = (source.data(index, _RAW) for index in (left, right))
        return _order(one) < _order(other)


def _order(value: Any) -> tuple[int, float, str]:
    if value is None or value == "":
        return (2, 0.0, "")
    if isinstance(value, int | float):
        return (0, float(value), "")
    return (1, 0.0, str(value))


class ResultTable(QWidget):
    """The rows of one `Table`.

    Parameters
    ----------
    table : Table
        What to show.
    word : callable
        Gives the translated name of a column.
    rows : int, optional
        Height in rows; None fills the place.
    """

    #: A row was clicked or reached by key: its cells by column.
    row_chosen = Signal(dict)

    def __init__(
        self,
        table: Table,
        word: Callable[[str], str] = str,
        *,
        rows: int | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._table = table
        self._model = _Model(table, word, self)
        self._sorted = _Sorted(self)
        self._sorted.setSourceModel(self._model)
        self._sorted.setFilterKeyColumn(-1)
        self._sorted.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._filter = SearchField()
        self._filter.textChanged.connect(self._sorted.setFilterFixedString)
        self._filter.setVisible(len(table.rows) >= FILTER_FROM)
        self.view = set_up_table(QTableView())
        self.view.setModel(self._sorted)
        self.view.setSortingEnabled(True)
        # As computed until a heading is clicked.
        self._sorted.sort(-1)
        self.view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.view.resizeColumnsToContents()
        self.view.selectionModel().currentRowChanged.connect(lambda now, _old: self._choose(now))
        self.view.clicked.connect(self._choose)
        if rows is not None:
            height = self.view.verticalHeader().defaultSectionSize()
            shown = max(1, min(rows, len(table.rows)))
            self.view.setFixedHeight(height * shown + 48)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._filter)
        column.addWidget(self.view, 1)
        on_language(self, self.retranslate)
        self.retranslate()

    def shown_rows(self) -> list[dict[str, Any]]:
        """Return the rows in the order in which they stand now."""
        return [self._cells(self._sorted.index(n, 0)) for n in range(self._sorted.rowCount())]

    def choose_row(self, column: str, value: Any) -> dict[str, Any] | None:
        """Select the first row with a value in a column, without a signal; return its cells."""
        for number, row in enumerate(self.shown_rows()):
            if column in row and row[column] == value:
                model = self.view.selectionModel()
                blocked = model.blockSignals(True)
                self.view.selectRow(number)
                model.blockSignals(blocked)
                self.view.viewport().update()
                self.view.scrollTo(self._sorted.index(number, 0))
                return row
        return None

    def set_filter(self, text: str) -> None:
        """Show only rows that hold a text."""
        self._filter.setText(text)

    def save_csv(self, path: Path) -> None:
        """Save all rows with all digits; UTF-8 with BOM, for spreadsheets."""
        try:
            path.write_text(table_csv(self._table), encoding="utf-8-sig", newline="")
        except OSError as error:
            raise InputError(
                tr("The table could not be written to {path}.", path=path),
                tr("Choose a folder that you may write to."),
                str(error),
            ) from error

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._filter.setPlaceholderText(tr("Filter"))
        self._model.retranslate()

    def _cells(self, index: Index) -> dict[str, Any]:
        row = self._table.rows[self._sorted.mapToSource(index).row()]
        return dict(zip(self._table.columns, row, strict=True))

    def _choose(self, index: Index) -> None:
        if index.isValid():
            self.row_chosen.emit(self._cells(index))
