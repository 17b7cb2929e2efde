"""The start page: the demo, recent projects, a place to drop files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from plumbline import __version__
from plumbline.api import tr
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.icons import app_icon
from plumbline.ui_kit.labels import ElidedLabel, label
from plumbline.ui_kit.live import on_language

RECENT_SHOWN = 6


class StartPage(QWidget):
    """Shown in place of the canvas while the scene is empty."""

    demo_requested = Signal()
    new_requested = Signal()
    open_requested = Signal()
    add_requested = Signal()
    recent_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("startPage")
        self._recent: list[Path] = []
        logo = QLabel()
        logo.setPixmap(app_icon().pixmap(QSize(56, 56)))
        self._name = label("Plumbline 准绳", "display")
        self._claim = label("", "muted", wrap=True)
        self._demo = button("", "primary", icon="demo", clicked=self.demo_requested.emit)
        self._new = button("", icon="new", clicked=self.new_requested.emit)
        self._open = button("", icon="open", clicked=self.open_requested.emit)
        self._add = button("", icon="add-layer", clicked=self.add_requested.emit)
        self._recent_title = label("", "heading")
        self._recent_list = QVBoxLayout()
        self._recent_list.setSpacing(2)
        self._drop = label("", "muted", wrap=True)
        self._drop.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._version = label("", "hint")
        self._lay_out(logo)
        on_language(self, self.retranslate)
        self.retranslate()

    def _lay_out(self, logo: QLabel) -> None:
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(logo)
        names = QVBoxLayout()
        names.setSpacing(2)
        names.addWidget(self._name)
        names.addWidget(self._claim)
        head.addLayout(names, 1)
        actions = QVBoxLayout()
        actions.setSpacing(8)
        for entry in (self._demo, self._new, self._open, self._add):
            entry.setMinimumHeight(36)
            actions.addWidget(entry)
        actions.addStretch(1)
        recent = QVBoxLayout()
        recent.setSpacing(8)
        recent.addWidget(self._recent_title)
        recent.addLayout(self._recent_list)
        recent.addStretch(1)
        columns = QHBoxLayout()
        columns.setSpacing(32)
        columns.addLayout(actions, 2)
        columns.addLayout(recent, 3)
        drop = QFrame()
        drop.setObjectName("dropArea")
        drop.setMinimumHeight(96)
        inside = QVBoxLayout(drop)
        inside.addWidget(self._drop)
        card = QWidget()
        card.setMaximumWidth(760)
        column = QVBoxLayout(card)
        column.setSpacing(24)
        column.addLayout(head)
        column.addLayout(columns)
        column.addWidget(drop)
        column.addWidget(self._version)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(32, 24, 32, 24)
        outer.addStretch(2)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(card, 10)
        row.addStretch(1)
        outer.addLayout(row)
        outer.addStretch(3)

    def set_recent(self, projects: list[Path]) -> None:
        """List recent projects; those that are gone are left out."""
        self._recent = [path for path in projects if path.exists()][:RECENT_SHOWN]
        while (item := self._recent_list.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for path in self._recent:
            self._recent_list.addWidget(self._recent_row(path))
        if not self._recent:
            self._recent_list.addWidget(
                label(tr("Projects that you open are listed here."), "muted", wrap=True)
            )

    def _recent_row(self, path: Path) -> QWidget:
        name = path.name.removesuffix(".plumb.gpkg")
        row = QWidget()
        column = QVBoxLayout(row)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(0)
        entry: QPushButton = button(
            name, "flat", icon="project", clicked=lambda: self.recent_requested.emit(str(path))
        )
        entry.setToolTip(str(path))
        where = ElidedLabel(str(path.parent), "hint")
        where.setContentsMargins(32, 0, 0, 0)
        column.addWidget(entry)
        column.addWidget(where)
        return row

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._claim.setText(tr("Real-scene 3D: look, measure, compare, sign."))
        self._demo.setText(tr("Open the demo district"))
        self._new.setText(tr("New project"))
        self._open.setText(tr("Open project"))
        self._add.setText(tr("Open files"))
        self._recent_title.setText(tr("Recent projects"))
        self._drop.setText(
            tr("Drop files here: terrain, orthophotos, meshes, point clouds, IFC, plan layers")
        )
        self._version.setText(tr("Version {version} · works offline", version=__version__))
        self.set_recent(self._recent)
