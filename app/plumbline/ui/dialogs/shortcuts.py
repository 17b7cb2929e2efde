"""The list of keyboard and mouse shortcuts, made from the table of commands."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QVBoxLayout, QWidget

from plumbline.api import N_, tr
from plumbline.ui.commands import Commands
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.panel import scroll_area

GROUPS = {
    "project": N_("Project"),
    "edit": N_("Edit"),
    "view": N_("View"),
    "tool": N_("Tools"),
    "window": N_("Window"),
    "help": N_("Help"),
}
MOUSE = (
    (N_("Orbit"), N_("Left drag")),
    (N_("Pan"), N_("Middle drag, or Shift + left drag")),
    (N_("Zoom to cursor"), N_("Wheel, or right drag")),
    (N_("Select"), N_("Click; with Ctrl, add to the selection")),
    (N_("Move closer to a place"), N_("Double click")),
    (N_("Walk and fly: move"), "W A S D"),
    (N_("Walk and fly: up and down"), "E Q"),
    (N_("Walk and fly: look"), N_("Left drag, or arrow keys")),
    (N_("Walk and fly: faster"), "Shift"),
)


class ShortcutsDialog(QDialog):
    """Two columns: what, and which key."""

    def __init__(self, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Keyboard and mouse"))
        body = QVBoxLayout()
        body.setContentsMargins(20, 16, 20, 16)
        body.setSpacing(16)
        mouse = [(tr(what), tr(how)) for what, how in MOUSE]
        self._add(body, tr("Mouse and navigation"), mouse)
        for group, title in GROUPS.items():
            rows = []
            for command in commands:
                action = commands[command.id]
                keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
                if command.id.split(".")[0] == group and keys:
                    rows.append((action.text(), keys))
            if rows:
                self._add(body, tr(title), rows)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll_area(body))
        self.resize(520, 620)

    def _add(self, body: QVBoxLayout, title: str, rows: list[tuple[str, str]]) -> None:
        body.addWidget(label(title, "heading"))
        grid = QGridLayout()
        grid.setColumnStretch(0, 1)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(6)
        for n, (what, keys) in enumerate(rows):
            grid.addWidget(label(what), n, 0)
            grid.addWidget(label(keys, "key"), n, 1, Qt.AlignmentFlag.AlignRight)
        body.addLayout(grid)
