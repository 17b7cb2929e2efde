"""Named viewpoints of the project, under the layer tree."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from plumbline.api import Camera, Scene, Viewpoint, tr
from plumbline.ui_kit.buttons import tool_button
from plumbline.ui_kit.icons import icon
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import follow, on_language, on_theme

_KEY = Qt.ItemDataRole.UserRole


class ViewpointList(QWidget):
    """A list of named cameras: click to go there, rename in place."""

    chosen = Signal(str)
    add_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._add = tool_button("bookmark-add", size=16, clicked=self.add_requested.emit)
        self._hint = label("", "muted", wrap=True)
        self._hint.setContentsMargins(12, 8, 12, 8)
        self.list = QListWidget()
        self.list.setIconSize(QSize(16, 16))
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.itemClicked.connect(lambda item: self.chosen.emit(item.data(_KEY)))
        self.list.itemChanged.connect(self._renamed)
        row = QHBoxLayout()
        row.setContentsMargins(8, 4, 8, 4)
        row.addStretch(1)
        row.addWidget(self._add)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self._hint)
        column.addWidget(self.list, 1)
        on_language(self, self.refresh)
        on_theme(self, self.refresh)
        self.refresh()

    def bind(self, scene: Scene) -> None:
        """Show another scene's viewpoints."""
        self._scene = scene
        follow(self, scene.viewpoints_changed, self.refresh)
        self.refresh()

    def add(self, camera: Camera) -> None:
        """Keep a camera and what is shown under a new name and let the user change it."""
        if self._scene is None:
            return
        clipping = self._scene.clipping if self._scene.clipping.changes else None
        taken = {viewpoint.name for viewpoint in self._scene.viewpoints}
        names = (tr("Viewpoint {n}", n=n) for n in range(1, 10_000))
        name = next(n for n in names if n not in taken)
        self._scene.set_viewpoints([*self._scene.viewpoints, Viewpoint(name, camera, clipping)])
        self.list.editItem(self.list.item(self.list.count() - 1))

    def refresh(self) -> None:
        """Show the list in the current language."""
        self._add.setToolTip(tr("Keep this view"))
        self._hint.setText(tr("Keep a view to come back to it; it is saved with the project."))
        viewpoints = self._scene.viewpoints if self._scene is not None else ()
        self.list.blockSignals(True)
        self.list.clear()
        for viewpoint in viewpoints:
            item = QListWidgetItem(icon("viewpoint", role="muted"), viewpoint.name)
            item.setData(_KEY, viewpoint.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            self.list.addItem(item)
        self.list.blockSignals(False)
        self._hint.setVisible(not viewpoints)
        self.list.setVisible(bool(viewpoints))

    def _renamed(self, item: QListWidgetItem) -> None:
        assert self._scene is not None
        old, new = item.data(_KEY), item.text().strip()
        names = {viewpoint.name for viewpoint in self._scene.viewpoints}
        if not new or (new in names and new != old):
            self.refresh()
            return
        self._scene.set_viewpoints(
            replace(v, name=new) if v.name == old else v for v in self._scene.viewpoints
        )

    def _show_menu(self, where: QPoint) -> None:
        item = self.list.itemAt(where)
        if item is None or self._scene is None:
            return
        scene, name = self._scene, item.data(_KEY)
        menu = QMenu(self)
        menu.addAction(icon("rename", role="muted"), tr("Rename")).triggered.connect(
            lambda: self.list.editItem(item)
        )
        menu.addAction(icon("trash", role="muted"), tr("Remove")).triggered.connect(
            lambda: scene.set_viewpoints(v for v in scene.viewpoints if v.name != name)
        )
        menu.exec(self.list.viewport().mapToGlobal(where))
        menu.deleteLater()
