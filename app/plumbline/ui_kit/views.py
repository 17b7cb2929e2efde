"""Trees, tables and calendars as the window shows them: even rows, no grid, texts that elide."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtGui import QTextCharFormat
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCalendarWidget,
    QDateTimeEdit,
    QTableView,
    QTreeView,
    QWidget,
)

ROW_HEIGHT = 26


def set_up_tree(tree: QTreeView) -> QTreeView:
    """Give a tree its look; call it before the model is set.

    Qt lays the rows out before the style sheet reaches an unpolished view, and keeps their height.
    """
    tree.ensurePolished()
    tree.setUniformRowHeights(True)
    tree.setAnimated(False)
    tree.setIndentation(16)
    tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    tree.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    tree.header().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return tree


def set_up_table(table: QTableView) -> QTableView:
    """Give a table its look."""
    table.ensurePolished()
    table.setShowGrid(False)
    table.setAlternatingRowColors(True)
    table.setWordWrap(False)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setHighlightSections(False)
    return table


def table_view(model: QAbstractItemModel, parent: QWidget | None = None) -> QTableView:
    """Return a table of a model."""
    table = set_up_table(QTableView(parent))
    table.setModel(model)
    return table


def tree_view(model: QAbstractItemModel, parent: QWidget | None = None) -> QTreeView:
    """Return a tree of a model."""
    tree = set_up_tree(QTreeView(parent))
    tree.setModel(model)
    return tree


def set_up_calendar(edit: QDateTimeEdit) -> None:
    """Give a date field a calendar that starts on Monday and does not shout on weekends."""
    edit.setCalendarPopup(True)
    calendar = edit.calendarWidget()
    calendar.setFirstDayOfWeek(Qt.DayOfWeek.Monday)
    calendar.setVerticalHeaderFormat(QCalendarWidget.VerticalHeaderFormat.NoVerticalHeader)
    plain = QTextCharFormat()
    for day in (Qt.DayOfWeek.Saturday, Qt.DayOfWeek.Sunday):
        calendar.setWeekdayTextFormat(day, plain)
    calendar.setMinimumSize(264, 220)
