"""One box that finds commands, layers, viewpoints, entities and coordinates (Ctrl+K)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from plumbline.api import EntityRef, Scene, tr
from plumbline.core.entities import entity_ids, entity_name
from plumbline.ui.commands import Commands
from plumbline.ui.layer_tree import layer_icon
from plumbline.ui_kit.icons import icon

LIMIT = 40
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_COORDINATE = re.compile(rf"^\s*({_NUMBER})[\s,;，]+({_NUMBER})(?:[\s,;，]+({_NUMBER}))?\s*$")


@dataclass(frozen=True)
class Hit:
    """One line of the list."""

    text: str
    detail: str
    icon: str
    run: Callable[[], object]


@dataclass
class SearchTargets:
    """What a hit does; given by the window."""

    zoom_layer: Callable[[str], object]
    zoom_entity: Callable[[EntityRef], object]
    zoom_point: Callable[[float, float, float | None], object]
    show_viewpoint: Callable[[str], object]


def find(text: str, scene: Scene, commands: Commands, targets: SearchTargets) -> list[Hit]:
    """Return what a text finds, best kinds first, at most `LIMIT`."""
    hits: list[Hit] = []
    for hit in _find(text.strip(), scene, commands, targets):
        hits.append(hit)
        if len(hits) >= LIMIT:
            break
    return hits


def _find(text: str, scene: Scene, commands: Commands, targets: SearchTargets) -> Iterator[Hit]:
    coordinate = _COORDINATE.match(text)
    if coordinate:
        x, y = float(coordinate[1]), float(coordinate[2])
        z = float(coordinate[3]) if coordinate[3] else None
        yield Hit(
            tr("Go to {x}, {y}", x=coordinate[1], y=coordinate[2]),
            tr("Coordinates"),
            "coordinates",
            lambda: targets.zoom_point(x, y, z),
        )
    key = text.casefold()
    for command in commands:
        action = commands[command.id]
        if key in f"{action.text()} {command.text}".casefold() and action.isEnabled():
            keys = action.shortcut().toString()
            yield Hit(action.text(), keys or tr("Command"), command.icon or "check", action.trigger)
    for layer in scene:
        if key in layer.name.casefold():
            yield Hit(
                layer.name,
                tr("Layer"),
                layer_icon(layer),
                lambda layer_id=layer.id: targets.zoom_layer(layer_id),
            )
    for viewpoint in scene.viewpoints:
        if key in viewpoint.name.casefold():
            yield Hit(
                viewpoint.name,
                tr("Viewpoint"),
                "viewpoint",
                lambda name=viewpoint.name: targets.show_viewpoint(name),
            )
    if key:
        yield from _find_entities(key, scene, targets)


def _find_entities(key: str, scene: Scene, targets: SearchTargets) -> Iterator[Hit]:
    for layer in scene:
        for entity in entity_ids(layer):
            name = entity_name(layer, entity)
            if key in name.casefold() or key == entity.casefold():
                ref = EntityRef(layer.id, entity)
                yield Hit(name, layer.name, layer_icon(layer), lambda r=ref: targets.zoom_entity(r))


class SearchBox(QDialog):
    """The box itself: type, arrow keys, Enter."""

    def __init__(
        self, scene: Scene, commands: Commands, targets: SearchTargets, parent: QWidget
    ) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("searchBox")
        self._scene, self._commands, self._targets = scene, commands, targets
        self._hits: list[Hit] = []
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(tr("Search commands, layers, buildings, coordinates"))
        self.edit.addAction(icon("search", role="muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.edit.setMinimumHeight(36)
        self.edit.textChanged.connect(self._search)
        self.edit.installEventFilter(self)
        self.list = QListWidget()
        self.list.setIconSize(QSize(16, 16))
        self.list.setUniformItemSizes(True)
        self.list.itemActivated.connect(lambda _item: self._take())
        self.list.itemClicked.connect(lambda _item: self._take())
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.edit)
        column.addWidget(self.list)
        self.resize(560, 420)
        frame = parent.frameGeometry()
        self.move(frame.center().x() - 280, frame.top() + 90)
        self._search("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the arrow keys move in the list while the text has the focus."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step:
                row = self.list.currentRow() + step
                self.list.setCurrentRow(max(0, min(self.list.count() - 1, row)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._take()
                return True
        return super().eventFilter(watched, event)

    def _search(self, text: str) -> None:
        self._hits = find(text, self._scene, self._commands, self._targets)
        self.list.clear()
        for hit in self._hits:
            item = QListWidgetItem(icon(hit.icon, role="muted"), f"{hit.text}    {hit.detail}")
            item.setToolTip(hit.detail)
            self.list.addItem(item)
        if not self._hits:
            item = QListWidgetItem(tr("Nothing found"))
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _take(self) -> None:
        row = self.list.currentRow()
        if 0 <= row < len(self._hits):
            self.accept()
            self._hits[row].run()
