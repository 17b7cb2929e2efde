"""The attribute table of a layer, linked both ways with the selection in the scene."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from plumbline.api import EntityRef, Layer, Scene, tr
from plumbline.core.entities import entity_ids, has_table, table_columns, table_rows
from plumbline.ui.attributes import value_text
from plumbline.ui_kit.buttons import tool_button
from plumbline.ui_kit.fields import ComboBox
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import Soon, follow, on_language
from plumbline.ui_kit.views import set_up_table

Index = QModelIndex | QPersistentModelIndex
_SORT = Qt.ItemDataRole.UserRole


class EntityModel(QAbstractTableModel):
    """Rows of one layer, read once; texts are made only for cells on the screen."""

    def __init__(self, layer: Layer | None = None) -> None:
        super().__init__()
        self.ids = entity_ids(layer) if layer else []
        self._columns = table_columns(layer) if layer else []
        self._rows = table_rows(layer) if layer else []
        self.row_of = {entity: n for n, entity in enumerate(self.ids)}

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the count of entities."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the count of attributes."""
        return 0 if parent.isValid() else len(self._columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text, or the bare value for sorting."""
        value = self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return value_text(value)
        if role == _SORT:
            missing = value is None or (isinstance(value, float) and math.isnan(value))
            return value if isinstance(value, int | float) and not missing else value_text(value)
        if role == Qt.ItemDataRole.TextAlignmentRole and isinstance(value, int | float):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the name of an attribute."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return tr(self._columns[section])
        return None


class _Sorted(QSortFilterProxyModel):
    """Sorts numbers as numbers, and before texts; leaves out what the layer's filter hides."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._left_out: frozenset[str] = frozenset()

    def leave_out(self, ids: frozenset[str]) -> None:
        """Show no rows of these entities."""
        if ids != self._left_out:
            self._left_out = ids
            self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        model = self.sourceModel()
        if self._left_out and isinstance(model, EntityModel) and model.ids[row] in self._left_out:
            return False
        return super().filterAcceptsRow(row, parent)

    def lessThan(self, left: Index, right: Index) -> bool:
        a, b = left.data(_SORT), right.data(_SORT)
        if isinstance(a, str) == isinstance(b, str):
            return bool(a < b)
        return not isinstance(a, str)


class AttributeTable(QWidget):
    """A layer chooser, a filter and the table."""

    zoom_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._linking = False
        self._later = Soon(self, self._list_layers)
        self._layers = ComboBox()
        self._layers.setMinimumWidth(180)
        self._layers.currentIndexChanged.connect(lambda _n: self._load())
        self._filter = QLineEdit()
        self._filter.setClearButtonEnabled(True)
        self._filter.setMaximumWidth(260)
        self._count = label("", "caption")
        self._zoom = tool_button("zoom-selection", clicked=self.zoom_requested.emit)
        self._model = EntityModel()
        self._proxy = _Sorted(self)
        self._proxy.setFilterKeyColumn(-1)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._filter.textChanged.connect(self._filter_changed)
        self._view = set_up_table(QTableView())
        self._view.setModel(self._proxy)
        self._view.setSortingEnabled(True)
        self._view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        row = QHBoxLayout()
        row.setContentsMargins(12, 8, 12, 8)
        for widget in (self._layers, self._filter, self._zoom):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._count)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self._view, 1)
        on_language(self, self.retranslate)
        self.retranslate()

    def bind(self, scene: Scene) -> None:
        """Follow another scene."""
        self._scene = scene
        follow(self, scene.tree_changed, self._later.ask)
        follow(self, scene.layer_changed, self._load)
        follow(self, scene.selection_changed, self._selection_from_scene)
        follow(self, scene.view_changed, self._leave_out)
        self._list_layers()

    def show_layer(self, layer_id: str) -> None:
        """Show the table of one layer."""
        self._later.settle()
        place = self._layers.findData(layer_id)
        if place >= 0:
            self._layers.setCurrentIndex(place)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._filter.setPlaceholderText(tr("Filter rows"))
        self._zoom.setToolTip(tr("Zoom to selection"))
        self._show_count()
        self._model.headerDataChanged.emit(
            Qt.Orientation.Horizontal, 0, max(0, self._model.columnCount() - 1)
        )

    def _list_layers(self) -> None:
        self._later.drop()
        if self._scene is None:
            return
        wanted = [(layer.name, layer.id) for layer in self._scene if has_table(layer)]
        now = [
            (self._layers.itemText(n), self._layers.itemData(n))
            for n in range(self._layers.count())
        ]
        if wanted == now:
            return
        current = self._layers.currentData()
        self._layers.blockSignals(True)
        self._layers.clear()
        for name, layer_id in wanted:
            self._layers.addItem(name, layer_id)
        self._layers.setCurrentIndex(max(0, self._layers.findData(current)))
        self._layers.blockSignals(False)
        self._load()

    def _load(self) -> None:
        layer_id = self._layers.currentData()
        layer = (
            self._scene[layer_id] if self._scene is not None and layer_id in self._scene else None
        )
        self._model = EntityModel(layer)
        self._proxy.leave_out(
            self._scene.left_out(layer.id) if layer and self._scene else frozenset()
        )
        self._proxy.setSourceModel(self._model)
        # The order of the file until somebody asks for another.
        self._view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self._view.selectionModel().selectionChanged.connect(self._selection_to_scene)
        for n in range(self._model.columnCount()):
            hint = (
                max(self._view.sizeHintForColumn(n), 72) if self._model.rowCount() < 5000 else 110
            )
            self._view.setColumnWidth(n, min(260, hint + 24))
        self._selection_from_scene()
        self._show_count()

    def _leave_out(self) -> None:
        layer_id = self._layers.currentData()
        if self._scene is not None and layer_id in self._scene:
            self._proxy.leave_out(self._scene.left_out(layer_id))
            self._show_count()

    def _filter_changed(self, text: str) -> None:
        self._proxy.setFilterFixedString(text)
        self._show_count()

    def _show_count(self) -> None:
        shown, total = self._proxy.rowCount(), self._model.rowCount()
        self._count.setText(
            tr("{shown} of {total} rows", shown=shown, total=total)
            if shown != total
            else tr("{total} rows", total=total)
        )

    def _selection_to_scene(self, _on: QItemSelection, _off: QItemSelection) -> None:
        if self._linking or self._scene is None:
            return
        layer_id = self._layers.currentData()
        rows = [
            self._proxy.mapToSource(i).row() for i in self._view.selectionModel().selectedRows()
        ]
        self._linking = True
        self._scene.select(EntityRef(layer_id, self._model.ids[n]) for n in rows)
        self._linking = False

    def _selection_from_scene(self) -> None:
        if self._linking or self._scene is None:
            return
        layer_id = self._layers.currentData()
        chosen = QItemSelection()
        first: QModelIndex | None = None
        for ref in self._scene.selection:
            row = self._model.row_of.get(ref.entity) if ref.layer == layer_id else None
            if row is None:
                continue
            index = self._proxy.mapFromSource(self._model.index(row, 0))
            if index.isValid():
                chosen.select(index, index)
                first = first or index
        flags = QItemSelectionModel.SelectionFlag
        self._linking = True
        self._view.selectionModel().select(chosen, flags.ClearAndSelect | flags.Rows)
        self._linking = False
        if first is not None:
            self._view.scrollTo(first)
