"""The drawer at the foot of the window: charts, tasks and messages beside the attribute table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from plumbline.api import N_, UserError, tr
from plumbline.services.notifier import Notification, Notifier, Severity, notifier
from plumbline.services.tasks import Task, TaskRunner, TaskState
from plumbline.ui.poster import Poster
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.icons import icon
from plumbline.ui_kit.labels import ElidedLabel, label
from plumbline.ui_kit.live import on_language
from plumbline.ui_kit.panel import EmptyState, scroll_area

#: Ended tasks that stay listed.
KEPT_TASKS = 40
STATES = {
    TaskState.WAITING: N_("Waiting"),
    TaskState.RUNNING: N_("Running"),
    TaskState.DONE: N_("Done"),
    TaskState.FAILED: N_("Failed"),
    TaskState.CANCELLED: N_("Cancelled"),
}
ICONS = {
    Severity.INFO: ("info", "link"),
    Severity.WARNING: ("warning", "warn"),
    Severity.ERROR: ("error", "bad"),
    Severity.DEFECT: ("error", "bad"),
}


class ChartPage(QWidget):
    """The chart or table that a tool has shown last, with a way to keep it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chart: QWidget | None = None
        #: Asks for a file under a proposed name; empty when the user gave up.
        self.ask_file: Callable[[str], str] = self._ask_file
        self._title = ElidedLabel("", "heading")
        self._picture = button("PNG", icon="export", clicked=lambda: self._save("png"))
        self._numbers = button("CSV", icon="export", clicked=lambda: self._save("csv"))
        head = QHBoxLayout()
        head.setContentsMargins(12, 6, 12, 6)
        head.setSpacing(8)
        head.addWidget(self._title, 1)
        head.addWidget(self._picture)
        head.addWidget(self._numbers)
        self._place = QVBoxLayout()
        self._place.setContentsMargins(0, 0, 0, 0)
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(self._place, 1)
        self._empty = EmptyState("chart")
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(filled)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)
        on_language(self, self.retranslate)
        self.retranslate()

    @property
    def chart(self) -> QWidget | None:
        """What is shown now."""
        return self._chart

    def show_chart(self, title: str, chart: QWidget) -> None:
        """Show a chart or a table in place of the last one, which is deleted."""
        if self._chart is not None and self._chart is not chart:
            self._place.removeWidget(self._chart)
            self._chart.hide()
            self._chart.deleteLater()
        self._chart = chart
        self._title.setText(title)
        self._place.addWidget(chart)
        self._picture.setVisible(hasattr(chart, "save_png"))
        self._numbers.setVisible(hasattr(chart, "save_csv"))
        self._stack.setCurrentIndex(1)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._empty.set_text(tr("No result"), tr("Charts and tables of the tools are shown here."))
        self._picture.setToolTip(tr("Save as a picture"))
        self._numbers.setToolTip(tr("Save the numbers as a table"))

    def _save(self, kind: str) -> None:
        answer = self.ask_file(f"{self._title.text()}.{kind}")
        if not answer:
            return
        path = Path(answer)
        try:
            getattr(self._chart, f"save_{kind}")(path)
        except UserError as error:
            notifier.error(error)
        else:
            notifier.info(tr("Saved: {path}", path=path))

    def _ask_file(self, name: str) -> str:
        path, _ = QFileDialog.getSaveFileName(self, tr("Save"), name, f"*{Path(name).suffix}")
        return path


class TaskRow(QWidget):
    """One task: what it does, how far it is, a way to stop it."""

    def __init__(self, task: Task[Any]) -> None:
        super().__init__()
        self.task = task
        self._title = ElidedLabel(task.title)
        self._text = ElidedLabel("", "muted")
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(160)
        self._time: QLabel = label("", "muted")
        self._time.setFixedWidth(110)
        self._stop = tool_button("cancel", tr("Cancel"), role="muted", size=16, clicked=task.cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(12)
        row.addWidget(self._title, 2)
        row.addWidget(self._text, 3)
        row.addWidget(self._bar)
        row.addWidget(self._time)
        row.addWidget(self._stop)
        self.refresh()

    def refresh(self) -> None:
        """Show the task's state."""
        task = self.task
        self._bar.setValue(round(task.fraction * 1000))
        self._text.setText(str(task.error) if task.error else task.text)
        seconds = f"{task.elapsed:.1f} s" if task.elapsed else ""
        self._time.setText(f"{tr(STATES[task.state])}  {seconds}")
        self._stop.setVisible(not task.finished)


class TaskList(QWidget):
    """Running tasks on top, ended ones below."""

    #: Title and fraction of what runs; an empty title when nothing does.
    running_changed = Signal(str, object)

    def __init__(self, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[TaskRow] = []
        self._empty = EmptyState("tasks")
        self._column = QVBoxLayout()
        self._column.setContentsMargins(12, 8, 12, 8)
        self._column.setSpacing(2)
        self._column.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(scroll_area(self._column))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)
        tasks.task_added.connect(self._added)
        tasks.task_progress.connect(self._progressed)
        tasks.task_finished.connect(self._progressed)
        on_language(self, self.retranslate)
        self.retranslate()

    def cancel_newest(self) -> None:
        """Cancel what the status line shows."""
        running = self._running()
        if running:
            running[0].cancel()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._empty.set_text(tr("No tasks"), tr("Loading, analyses and exports are listed here."))
        for row in self._rows:
            row.refresh()

    def _added(self, task: Task[Any]) -> None:
        row = TaskRow(task)
        self._rows.insert(0, row)
        self._column.insertWidget(0, row)
        for old in [r for r in self._rows[KEPT_TASKS:] if r.task.finished]:
            self._rows.remove(old)
            old.hide()
            old.deleteLater()
        self._stack.setCurrentIndex(1)
        self._announce()

    def _progressed(self, task: Task[Any]) -> None:
        for row in self._rows:
            if row.task is task:
                row.refresh()
        self._announce()

    def _running(self) -> list[Task[Any]]:
        return [row.task for row in self._rows if not row.task.finished]

    def _announce(self) -> None:
        running = self._running()
        if not running:
            self.running_changed.emit("", None)
            return
        first = running[0]
        more = f"  +{len(running) - 1}" if len(running) > 1 else ""
        self.running_changed.emit(first.title + more, first.fraction)


class MessageList(QWidget):
    """Everything that was notified, newest first."""

    def __init__(self, source: Notifier, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._notifier = source
        self._poster = Poster(self)
        self._empty = EmptyState("messages")
        self._list = QTreeWidget()
        self._list.setColumnCount(2)
        self._list.setHeaderHidden(True)
        self._list.setRootIsDecorated(False)
        self._list.setWordWrap(True)
        self._list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        self._list.header().resizeSection(0, 110)
        self._list.currentItemChanged.connect(lambda _now, _old: self._choice_changed())
        self._copy = button("", icon="copy", clicked=self._copy_details)
        self._clear = button("", "ghost", clicked=self._clear_all)
        row = QHBoxLayout()
        row.setContentsMargins(12, 6, 12, 6)
        row.addStretch(1)
        row.addWidget(self._copy)
        row.addWidget(self._clear)
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._list, 1)
        column.addLayout(row)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(filled)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)
        # Notifications come on the thread that notifies.
        source.notified.connect(self._notified)
        on_language(self, self.retranslate)
        self.retranslate()
        for notification in source.notifications:
            self._show(notification)
        self._choice_changed()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._empty.set_text(tr("No messages"), tr("Warnings and errors are listed here."))
        self._copy.setText(tr("Copy details"))
        self._clear.setText(tr("Clear"))

    def _notified(self, notification: Notification) -> None:
        self._poster.post(lambda: self._show(notification))

    def _show(self, notification: Notification) -> None:
        name, role = ICONS[notification.severity]
        text = f"{notification.message} {notification.hint}".strip()
        item = QTreeWidgetItem([notification.time.strftime("%H:%M:%S"), text])
        item.setIcon(0, icon(name, role=role))
        item.setToolTip(1, text)
        item.setData(0, Qt.ItemDataRole.UserRole, notification)
        self._list.insertTopLevelItem(0, item)
        self._stack.setCurrentIndex(1)

    def _choice_changed(self) -> None:
        self._copy.setEnabled(self._list.currentItem() is not None)

    def _copy_details(self) -> None:
        item = self._list.currentItem()
        if item is not None:
            notification: Notification = item.data(0, Qt.ItemDataRole.UserRole)
            QGuiApplication.clipboard().setText(notification.copy_text)

    def _clear_all(self) -> None:
        self._notifier.clear()
        self._list.clear()
        self._stack.setCurrentIndex(0)
