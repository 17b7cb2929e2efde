"""The attribute panel: what the picked object is."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHeaderView,
    QLabel,
    QMenu,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from plumbline.analysis.dossier import dossier
from plumbline.api import EntityRef, Scene, tr
from plumbline.core.city import DocumentName
from plumbline.core.entities import entity_attributes, entity_name
from plumbline.ui_kit.labels import ElidedLabel
from plumbline.ui_kit.live import follow, on_language, on_theme
from plumbline.ui_kit.panel import EmptyState
from plumbline.ui_kit.views import set_up_tree

#: Role of the name of a document that a row can open.
_DOCUMENT = Qt.ItemDataRole.UserRole


def value_text(value: Any) -> str:
    """Return an attribute value as people read it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return tr("Yes") if value else tr("No")
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, dict):
        return ", ".join(f"{k}: {value_text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value_text(v) for v in value)
    return str(value)


def title_of(scene: Scene, ref: EntityRef) -> str:
    """Return what people call a thing: the name of the entity that it is part of, else its own."""
    owner = scene.entity_book.of(ref)
    return entity_name(scene[ref.layer], ref.entity) if owner is None else owner.title


class AttributePanel(QWidget):
    """The dossier of the last selected entity: groups of names and values.

    A double click on a document, or Enter, asks for it to be opened.
    """

    document_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._name = ElidedLabel("", "heading")
        self._layer: QLabel = ElidedLabel("", "caption")
        self._tree = QTreeWidget()
        set_up_tree(self._tree)
        self._tree.setColumnCount(2)
        self._tree.setHeaderHidden(True)
        self._tree.setRootIsDecorated(False)
        self._tree.setIndentation(8)
        self._tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self._tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._tree.customContextMenuRequested.connect(self._show_menu)
        self._tree.itemActivated.connect(lambda item, _column: self._open(item))
        self._empty = EmptyState("select")
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(0)
        for text in (self._name, self._layer):
            text.setContentsMargins(12, 0, 12, 2)
            column.addWidget(text)
        column.addWidget(self._tree, 1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(filled)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)
        on_language(self, self.refresh)
        on_theme(self, self.refresh)
        self.refresh()

    def bind(self, scene: Scene) -> None:
        """Follow another scene's selection."""
        self._scene = scene
        follow(self, scene.selection_changed, self.refresh)
        for event in (scene.tree_changed, scene.entities_changed, scene.records_changed):
            follow(self, event, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the last selected entity."""
        self._empty.set_text(
            tr("Nothing selected"), tr("Click a building, a pipe or a tree to read what it is.")
        )
        refs = self._scene.selection if self._scene is not None else ()
        if not refs or self._scene is None:
            self._stack.setCurrentIndex(0)
            return
        layer, ref = self._scene[refs[-1].layer], refs[-1]
        self._name.setText(title_of(self._scene, ref))
        more = tr("{n} selected", n=len(refs)) + " · " if len(refs) > 1 else ""
        self._layer.setText(more + layer.name)
        owner = self._scene.entity_book.of(ref)
        # Whichever part was picked: the same dossier.
        self._fill(
            dossier(self._scene, owner)
            if owner is not None
            else [(tr(title), rows) for title, rows in entity_attributes(layer, ref.entity)]
        )
        self._stack.setCurrentIndex(1)

    def rows(self) -> dict[str, str]:
        """Return what is shown, name to value."""
        found: dict[str, str] = {}
        for n in range(self._tree.topLevelItemCount()):
            group = self._tree.topLevelItem(n)
            for k in range(group.childCount()):
                found[group.child(k).text(0)] = group.child(k).text(1)
        return found

    def _fill(self, groups: list[tuple[str, list[tuple[str, Any]]]]) -> None:
        self._tree.clear()
        for title, rows in groups:
            head = QTreeWidgetItem(self._tree, [title])
            head.setFirstColumnSpanned(True)
            head.setForeground(0, self.palette().placeholderText())
            head.setFlags(Qt.ItemFlag.ItemIsEnabled)
            for name, value in rows:
                text = value_text(value)
                item = QTreeWidgetItem(head, [str(name), text])
                item.setForeground(0, self.palette().placeholderText())
                item.setToolTip(1, text)
                if isinstance(value, DocumentName):
                    self._link(item, value)
            head.setExpanded(True)
        self._tree.resizeColumnToContents(0)
        width = max(80, self._tree.viewport().width())
        if self._tree.columnWidth(0) > width // 2:
            self._tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
            self._tree.setColumnWidth(0, width // 2)
        else:
            self._tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    def _link(self, item: QTreeWidgetItem, name: str) -> None:
        item.setData(0, _DOCUMENT, str(name))
        font = item.font(1)
        font.setUnderline(True)
        item.setFont(1, font)
        item.setForeground(1, self.palette().link())
        item.setToolTip(1, tr("Double-click to open {name}", name=name))

    def _open(self, item: QTreeWidgetItem) -> None:
        if name := item.data(0, _DOCUMENT):
            self.document_requested.emit(name)

    def _show_menu(self, where: QPoint) -> None:
        item = self._tree.itemAt(where)
        if item is None or item.parent() is None:
            return
        menu = QMenu(self)
        if item.data(0, _DOCUMENT):
            menu.addAction(tr("Open")).triggered.connect(lambda: self._open(item))
        clipboard = QGuiApplication.clipboard()
        menu.addAction(tr("Copy value")).triggered.connect(lambda: clipboard.setText(item.text(1)))
        lines = "\n".join(f"{name}\t{value}" for name, value in self.rows().items())
        menu.addAction(tr("Copy all")).triggered.connect(lambda: clipboard.setText(lines))
        menu.exec(self._tree.viewport().mapToGlobal(where))
        menu.deleteLater()
