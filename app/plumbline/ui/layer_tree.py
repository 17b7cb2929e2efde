"""The layer tree: what is in the scene, in which order, and what is shown.

Shows the scene and edits it through its methods only; every change comes back as an event, so
that undo, the command line of the window and this tree never disagree.
"""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QDropEvent, QIcon, QMouseEvent, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from plumbline.api import GridData, Group, Layer, RasterData, Scene, VectorData, tr
from plumbline.core.crs import crs_label
from plumbline.core.data import LayerData
from plumbline.core.layer import LayerEntry
from plumbline.ui_kit.icons import icon, pixmap
from plumbline.ui_kit.live import Soon, follow, on_language, on_theme
from plumbline.ui_kit.theme import current_theme
from plumbline.ui_kit.views import set_up_tree

_ID = Qt.ItemDataRole.UserRole
_IS_GROUP = Qt.ItemDataRole.UserRole + 1
_SHOWN = Qt.ItemDataRole.UserRole + 2
_ABSENT = Qt.ItemDataRole.UserRole + 3
_EYE = 28


def layer_icon(layer: Layer) -> str:
    """Return the icon name for a layer."""
    data = layer.data
    if isinstance(data, RasterData):
        return "layer-terrain" if data.role == "terrain" else "layer-orthophoto"
    if isinstance(data, GridData):
        return "layer-terrain" if data.heights else "layer-result"
    if isinstance(data, VectorData):
        kinds = set(data.features.geom_type.dropna().str.replace("Multi", "").unique())
        names = {"Point": "point", "LineString": "line", "Polygon": "polygon"}
        kind = names.get(next(iter(kinds))) if len(kinds) == 1 else None
        return f"layer-vector-{kind}" if kind else "layer-vector"
    return f"layer-{layer.kind.value}"


class LayerTree(QTreeWidget):
    """Tree of groups and layers with an eye on each row; drag to reorder and group."""

    #: A layer was chosen (single click); empty when none is.
    current_layer_changed = Signal(str)
    zoom_requested = Signal(str)
    style_requested = Signal(str)
    table_requested = Signal(str)
    query_requested = Signal(str)
    remove_requested = Signal(str)
    reload_requested = Signal(str)
    relink_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        set_up_tree(self)
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self.header().setMinimumSectionSize(_EYE)
        self.header().resizeSection(1, _EYE)
        self.header().setStretchLastSection(False)
        self.setIconSize(QSize(16, 16))
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setItemDelegateForColumn(1, _EyeDelegate(self))
        self.customContextMenuRequested.connect(self._show_menu)
        self.itemChanged.connect(self._item_edited)
        self.itemSelectionChanged.connect(self._announce_current)
        self.itemDoubleClicked.connect(self._double_clicked)
        self.itemExpanded.connect(lambda _item: self._remember_open())
        self.itemCollapsed.connect(lambda _item: self._remember_open())
        self._closed: set[str] = set()
        self._icons: dict[str, QIcon] = {}
        self._kinds: dict[str, tuple[LayerData, str]] = {}
        self._rows = Soon(self, self.rebuild)
        self._eyes = Soon(self, self._refresh_eyes)
        on_language(self, self.rebuild)
        on_theme(self, self._theme_changed)

    def bind(self, scene: Scene) -> None:
        """Show another scene."""
        self._scene = scene
        self._closed.clear()
        for event in (
            scene.tree_changed,
            scene.absent_changed,
            scene.layer_renamed,
            scene.schemes_changed,
        ):
            follow(self, event, self._rows.ask)
        follow(self, scene.view_changed, self._eyes.ask)
        follow(self, scene.layer_changed, self._rows.ask)
        self.rebuild()

    def selected_layers(self) -> list[str]:
        """Return the ids of the chosen layers, top to bottom; a group stands for its layers."""
        self._rows.settle()
        return self._chosen()

    def _chosen(self) -> list[str]:
        if self._scene is None:
            return []
        ids: set[str] = set()
        for item in self.selectedItems():
            if item.data(0, _IS_GROUP):
                ids |= {item.child(n).data(0, _ID) for n in range(item.childCount())}
            else:
                ids.add(item.data(0, _ID))
        return [i for i in self._scene.layer_ids if i in ids]

    def choose(self, layer_id: str) -> None:
        """Make a layer the current one, as if it was clicked."""
        self._rows.settle()
        for item in self._items():
            if item.data(0, _ID) == layer_id and not item.data(0, _IS_GROUP):
                flags = QItemSelectionModel.SelectionFlag
                self.setCurrentItem(item, 0, flags.ClearAndSelect | flags.Rows)

    # -- showing ---------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Build the rows anew, keeping the scroll position and the choice."""
        self._rows.drop()
        self._eyes.drop()
        if self._scene is None:
            return
        chosen = set(self._chosen())
        place = self.verticalScrollBar().value()
        self.blockSignals(True)
        self.clear()
        self._absent = {entry.id: entry for entry in self._scene.absent}
        for node in self._scene.full_tree:
            if isinstance(node, Group):
                parent = self._group_item(node)
                for layer_id in node.layers:
                    parent.addChild(self._row(layer_id))
                parent.setExpanded(node.id not in self._closed)
            else:
                self.addTopLevelItem(self._row(node))
        for item in self._items():
            if item.data(0, _ID) in chosen and not item.data(0, _IS_GROUP):
                item.setSelected(True)
        self.verticalScrollBar().setValue(place)
        self.blockSignals(False)

    def _theme_changed(self) -> None:
        self._icons.clear()
        self.rebuild()

    def _icon(self, name: str) -> QIcon:
        """Return an icon of the current theme; made once, since hundreds of rows share a few."""
        if name not in self._icons:
            self._icons[name] = icon(name, role="muted")
        return self._icons[name]

    def _kind(self, layer: Layer) -> str:
        """Return the icon name of a layer; looked up once while its data stay."""
        known = self._kinds.get(layer.id)
        if known is None or known[0] is not layer.data:
            known = self._kinds[layer.id] = (layer.data, layer_icon(layer))
        return known[1]

    def _group_item(self, group: Group) -> QTreeWidgetItem:
        item = QTreeWidgetItem(self, [group.name])
        item.setIcon(0, self._icon("layer-group"))
        item.setData(0, _ID, group.id)
        item.setData(0, _IS_GROUP, True)
        item.setData(1, _SHOWN, group.visible)
        flags = Qt.ItemFlag
        item.setFlags(
            flags.ItemIsEnabled
            | flags.ItemIsSelectable
            | flags.ItemIsEditable
            | flags.ItemIsDropEnabled
        )
        return item

    def _row(self, layer_id: str) -> QTreeWidgetItem:
        assert self._scene is not None
        if layer_id in self._scene:
            return self._layer_item(self._scene[layer_id])
        return self._absent_item(self._absent[layer_id])

    def _absent_item(self, entry: LayerEntry) -> QTreeWidgetItem:
        """Return the row of a layer that is loading, or whose source cannot be read."""
        item = QTreeWidgetItem([entry.name])
        item.setIcon(0, self._icon("warning" if entry.problem else "clock"))
        item.setData(0, _ID, entry.id)
        item.setData(0, _IS_GROUP, False)
        item.setData(0, _ABSENT, True)
        item.setData(1, _SHOWN, True)
        item.setToolTip(0, entry.problem or tr("Loading…"))
        item.setForeground(0, self.palette().placeholderText())
        flags = Qt.ItemFlag
        item.setFlags(flags.ItemIsEnabled | flags.ItemIsSelectable | flags.ItemNeverHasChildren)
        return item

    def _layer_item(self, layer: Layer) -> QTreeWidgetItem:
        assert self._scene is not None
        item = QTreeWidgetItem([layer.name])
        item.setIcon(0, self._icon(self._kind(layer)))
        item.setData(0, _ID, layer.id)
        item.setData(0, _IS_GROUP, False)
        item.setData(1, _SHOWN, self._scene.view(layer.id).visible)
        lines = [layer.name, str(layer.metadata.get("format", "")), crs_label(layer.crs)]
        item.setToolTip(0, "\n".join(line for line in [*lines, *layer.warnings[:3]] if line))
        if not self._scene.is_visible(layer.id):
            item.setForeground(0, self.palette().placeholderText())
        flags = Qt.ItemFlag
        item.setFlags(
            flags.ItemIsEnabled
            | flags.ItemIsSelectable
            | flags.ItemIsEditable
            | flags.ItemIsDragEnabled
            | flags.ItemNeverHasChildren
        )
        return item

    def _refresh_eyes(self) -> None:
        self._rows.settle()
        if self._scene is None:
            return
        self.blockSignals(True)
        for item in self._items():
            if not item.data(0, _IS_GROUP) and not item.data(0, _ABSENT):
                layer_id = item.data(0, _ID)
                item.setData(1, _SHOWN, self._scene.view(layer_id).visible)
                palette = self.palette()
                shown = self._scene.is_visible(layer_id)
                item.setForeground(0, palette.text() if shown else palette.placeholderText())
        self.blockSignals(False)
        self.viewport().update()

    def _items(self) -> list[QTreeWidgetItem]:
        items: list[QTreeWidgetItem] = []
        for n in range(self.topLevelItemCount()):
            item = self.topLevelItem(n)
            items += [item, *(item.child(k) for k in range(item.childCount()))]
        return items

    # -- editing ---------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Toggle the eye under the cursor, else choose."""
        self._rows.settle()
        item = self.itemAt(event.position().toPoint())
        left = event.button() == Qt.MouseButton.LeftButton
        if item is not None and left and self.columnAt(int(event.position().x())) == 1:
            if not item.data(0, _ABSENT):
                self._toggle(item)
            event.accept()
            return
        super().mousePressEvent(event)

    def _toggle(self, item: QTreeWidgetItem) -> None:
        assert self._scene is not None
        shown = not item.data(1, _SHOWN)
        if item.data(0, _IS_GROUP):
            self._scene.update_group(item.data(0, _ID), visible=shown)
        else:
            self._scene.set_view(item.data(0, _ID), visible=shown)

    def _item_edited(self, item: QTreeWidgetItem, column: int) -> None:
        name = item.text(0).strip()
        if self._scene is None or column != 0:
            return
        if not name:
            self.rebuild()
        elif item.data(0, _IS_GROUP):
            self._scene.update_group(item.data(0, _ID), name=name)
        elif name != self._scene[item.data(0, _ID)].name:
            self._scene.rename(item.data(0, _ID), name)

    def dropEvent(self, event: QDropEvent) -> None:
        """Let Qt move the rows, then make the scene's tree follow what they say."""
        super().dropEvent(event)
        if self._scene is None:
            return
        groups = {group.id: group for group in self._scene.groups}
        tree: list[str | Group] = []
        for n in range(self.topLevelItemCount()):
            item = self.topLevelItem(n)
            if item.data(0, _IS_GROUP):
                old = groups[item.data(0, _ID)]
                children = [item.child(k) for k in range(item.childCount())]
                members = tuple(c.data(0, _ID) for c in children if not c.data(0, _ABSENT))
                tree.append(Group(old.id, old.name, members, old.visible))
            elif not item.data(0, _ABSENT):
                tree.append(item.data(0, _ID))
        self._scene.set_tree(tree)

    def _remember_open(self) -> None:
        items = (self.topLevelItem(n) for n in range(self.topLevelItemCount()))
        self._closed = {
            i.data(0, _ID) for i in items if i.data(0, _IS_GROUP) and not i.isExpanded()
        }

    def _announce_current(self) -> None:
        chosen = self.selected_layers()
        self.current_layer_changed.emit(chosen[0] if chosen else "")

    def _double_clicked(self, item: QTreeWidgetItem, column: int) -> None:
        if column == 0 and not item.data(0, _IS_GROUP) and not item.data(0, _ABSENT):
            self.zoom_requested.emit(item.data(0, _ID))

    # -- menu ------------------------------------------------------------------------------

    def _show_menu(self, where: QPoint) -> None:
        menu = self.make_menu(self.itemAt(where))
        menu.exec(self.viewport().mapToGlobal(where))
        menu.deleteLater()

    def make_menu(self, item: QTreeWidgetItem | None) -> QMenu:
        """Return what can be done with a row."""
        menu = QMenu(self)
        if item is None or self._scene is None:
            return menu
        scene, node = self._scene, item.data(0, _ID)
        if item.data(0, _IS_GROUP):
            self._entry(menu, "rename", tr("Rename"), lambda: self.editItem(item, 0))
            self._entry(menu, "layer-group", tr("Ungroup"), lambda: scene.ungroup(node))
            return menu
        if item.data(0, _ABSENT):
            self._entry(menu, "link", tr("Relink…"), lambda: self.relink_requested.emit(node))
            self._entry(menu, "trash", tr("Remove"), lambda: scene.remove_absent(node))
            return menu
        chosen = self.selected_layers() or [node]
        self._entry(menu, "zoom-to", tr("Zoom to layer"), lambda: self.zoom_requested.emit(node))
        self._entry(
            menu, "palette", tr("Style and information"), lambda: self.style_requested.emit(node)
        )
        self._entry(menu, "table", tr("Attribute table"), lambda: self.table_requested.emit(node))
        self._entry(
            menu,
            "filter",
            tr("Select, filter and count…"),
            lambda: self.query_requested.emit(node),
        )
        menu.addSeparator()
        self._entry(menu, "eye", tr("Show only this"), lambda: self._show_only(chosen))
        self._entry(menu, "rename", tr("Rename"), lambda: self.editItem(item, 0))
        self._entry(menu, "layer-group", tr("Group"), lambda: scene.add_group(tr("Group"), chosen))
        self._entry(menu, "refresh", tr("Reload"), lambda: self.reload_requested.emit(node))
        menu.addSeparator()
        self._entry(menu, "trash", tr("Remove"), lambda: self._remove(chosen))
        return menu

    def _entry(self, menu: QMenu, icon_name: str, text: str, run: object) -> QAction:
        action = menu.addAction(icon(icon_name, role="muted"), text)
        action.triggered.connect(lambda _checked=False: run())  # type: ignore[operator]
        return action

    def _show_only(self, ids: list[str]) -> None:
        assert self._scene is not None
        for layer_id in self._scene.layer_ids:
            wanted = layer_id in ids
            if self._scene.view(layer_id).visible != wanted:
                self._scene.set_view(layer_id, visible=wanted)

    def _remove(self, ids: list[str]) -> None:
        for layer_id in ids:
            self.remove_requested.emit(layer_id)


class _EyeDelegate(QStyledItemDelegate):
    """Paints the eye: full when shown, closed and pale when hidden."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pictures: dict[tuple[str, str, float], QPixmap] = {}

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: object) -> None:
        super().paint(painter, option, index)  # type: ignore[arg-type]
        shown = index.data(_SHOWN)  # type: ignore[attr-defined]
        name, role = ("eye", "muted") if shown else ("eye-off", "disabled")
        ratio = option.widget.devicePixelRatioF() if option.widget else 1.0
        key = (name, current_theme().token(role), ratio)
        if key not in self._pictures:
            self._pictures[key] = pixmap(name, 16, role=role, ratio=ratio)
        picture = self._pictures[key]
        box = QRect(0, 0, 16, 16)
        box.moveCenter(option.rect.center())
        painter.drawPixmap(box, picture)
