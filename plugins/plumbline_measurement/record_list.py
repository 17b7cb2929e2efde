"""The list of kept measurements in the panel: select, rename, hide, remove, export, print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from plumbline.api import Record, UsageError, UserError, tr, unit_choice
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.context import ToolContext
from plumbline.ui_kit.live import follow
from plumbline.ui_kit.panel import Section
from plumbline.ui_kit.views import set_up_tree
from plumbline_measurement.exports import as_dxf, as_xlsx, write_geopackage
from plumbline_measurement.record_table import RecordTable
from plumbline_measurement.records import as_csv, as_geojson, measurements
from plumbline_measurement.sheet import sheet_pdf
from plumbline_measurement.words import NAMES, headline_text

#: What measurements are exported as.
EXPORTS = ("csv", "xlsx", "geojson", "gpkg", "dxf")


class RecordList(Section):
    """The measurements of the project.

    Parameters
    ----------
    context : ToolContext
    tell : callable
        Shows a message, with its tone (``good`` or ``bad``), to whoever uses the panel.
    """

    #: Another measurement was selected, or the selected one changed.
    chosen = Signal()

    def __init__(self, context: ToolContext, tell: Callable[[str, str], None]) -> None:
        super().__init__()
        self._context, self._tell = context, tell
        self._make_tree()
        self._make_buttons()
        # `follow` ends with the panel: a scene outlives the panels that listen to it.
        follow(self, context.scene.records_changed, self.refresh)
        follow(self, unit_choice.changed, self.refresh)
        self.refresh()

    # -- building --------------------------------------------------------------------------

    def _make_tree(self) -> None:
        self.tree = QTreeWidget()
        set_up_tree(self.tree)
        self.tree.setObjectName("measurements")
        self.tree.setHeaderHidden(True)
        self.tree.setRootIsDecorated(False)
        self.tree.setColumnCount(2)
        self.tree.setFixedHeight(160)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.currentItemChanged.connect(lambda *_: self._select_changed())
        self.tree.itemChanged.connect(self._item_edited)
        self.add(self.tree)

    def _make_buttons(self) -> None:
        self._out = button("", icon="export")
        menu = QMenu(self._out)
        for suffix in EXPORTS:
            menu.addAction(suffix.upper(), partial(self._ask_export, suffix))
        self._out.setMenu(menu)
        self._sheet = button("", icon="report", clicked=lambda: self._ask_export("pdf"))
        self.table_button = tool_button("table", clicked=self.show_table)
        self.remove_button = tool_button("trash", clicked=self._remove_selected)
        row = QWidget()
        buttons = QHBoxLayout(row)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(8)
        for widget in (self._out, self._sheet):
            buttons.addWidget(widget)
        buttons.addStretch(1)
        for widget in (self.table_button, self.remove_button):
            buttons.addWidget(widget)
        self.add(row)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self.set_title(tr("Measurements"))
        self._out.setText(tr("Export"))
        self._out.setToolTip(tr("Export all measurements as a table, features or a drawing"))
        self._sheet.setText(tr("Sheet"))
        self._sheet.setToolTip(tr("Print the selected measurement on one page"))
        for widget, tip in (
            (self.table_button, tr("Show all measurements as a table")),
            (self.remove_button, tr("Remove the selected measurement")),
        ):
            widget.setToolTip(tip)
            widget.setAccessibleName(tip)
        self.refresh()

    # -- the list --------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Return the measurements of the project."""
        return measurements(self._context.scene.records)

    @property
    def selected(self) -> Record | None:
        """The measurement that is selected."""
        wanted = _record_id(self.tree.currentItem())
        return next((r for r in self.records() if r.id == wanted), None)

    def select(self, record_id: str) -> None:
        """Select a measurement; none with an empty id."""
        found = [item for item in self._items() if _record_id(item) == record_id]
        self.tree.setCurrentItem(found[0] if found else None)

    def refresh(self) -> None:
        """Show the records of the project."""
        records = self.records()
        chosen = _record_id(self.tree.currentItem())
        blocked = self.tree.blockSignals(True)
        # A rename comes from inside an item: it must still be there when its editor closes, so
        # items are made anew only when the list is another one.
        if [r.id for r in records] != [_record_id(item) for item in self._items()]:
            self.tree.clear()
            self.tree.addTopLevelItems([_new_item(record) for record in records])
        for item, record in zip(self._items(), records, strict=True):
            _fill_item(item, record)
            if record.id == chosen:
                self.tree.setCurrentItem(item)
        self.tree.blockSignals(blocked)
        self.setVisible(bool(records))
        self._select_changed()

    def _items(self) -> list[QTreeWidgetItem]:
        return [self.tree.topLevelItem(n) for n in range(self.tree.topLevelItemCount())]

    def _select_changed(self) -> None:
        self.remove_button.setEnabled(self.selected is not None)
        self.chosen.emit()

    def _item_edited(self, item: QTreeWidgetItem) -> None:
        record_id = _record_id(item)
        shown = item.checkState(0) is Qt.CheckState.Checked
        name = item.text(0).strip()
        self._context.scene.set_records(
            replace(r, name=name or r.name, visible=shown) if r.id == record_id else r
            for r in self._context.scene.records
        )

    def _remove_selected(self) -> None:
        record = self.selected
        if record is not None:
            kept = [r for r in self._context.scene.records if r.id != record.id]
            self._context.scene.set_records(kept)

    def show_table(self) -> None:
        """Show every measurement with all that is known of it in the drawer."""
        table = RecordTable(self._context.scene)
        table.chosen.connect(self.select)
        self._context.show_chart(tr("Measurements"), table)

    # -- files -----------------------------------------------------------------------------

    def _ask_export(self, kind: str) -> None:
        name = f"{tr('Measurements')}.{kind}"
        path, _ = QFileDialog.getSaveFileName(self, tr("Export"), name, f"*.{kind}")
        if path:
            self.export(Path(path))

    def export(self, path: Path) -> None:
        """Write all measurements by the file's suffix; a ``.pdf`` is the selected one's sheet."""
        try:
            self._write(path)
        except OSError as error:
            why = error.strerror or str(error)
            self._tell(tr("“{path}” cannot be written: {why}.", path=path, why=why), "bad")
            return
        except UserError as error:
            self._tell(str(error), "bad")
            return
        self._tell(tr("Exported to {path}", path=path), "good")

    def _write(self, path: Path) -> None:
        georeference, records = self._context.scene.georeference, self.records()
        suffix = path.suffix.lower()
        if suffix == ".gpkg":
            write_geopackage(records, georeference, path)
        elif suffix == ".pdf":
            record = self.selected
            if record is None:
                raise UsageError(
                    tr("No measurement is selected."), tr("Select one in the list of measurements.")
                )
            words = {name: tr(text) for name, text in NAMES.items()}
            picture = self._context.canvas.picture()
            path.write_bytes(sheet_pdf(record, georeference, picture, words))
        elif suffix in (".xlsx", ".dxf"):
            make = as_xlsx if suffix == ".xlsx" else as_dxf
            path.write_bytes(make(records, georeference))
        elif suffix == ".csv":
            # With a byte order mark: Excel takes a CSV without one for the system's old encoding.
            path.write_text(as_csv(records, georeference), encoding="utf-8-sig", newline="")
        else:
            path.write_text(as_geojson(records, georeference), encoding="utf-8", newline="")


def _new_item(record: Record) -> QTreeWidgetItem:
    item = QTreeWidgetItem()
    item.setData(0, Qt.ItemDataRole.UserRole, record.id)
    item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable)
    return item


def _fill_item(item: QTreeWidgetItem, record: Record) -> None:
    item.setText(0, record.name)
    item.setText(1, headline_text(record))
    item.setToolTip(0, f"{record.name}\n{record.created} {record.operator}".strip())
    item.setCheckState(0, Qt.CheckState.Checked if record.visible else Qt.CheckState.Unchecked)


def _record_id(item: QTreeWidgetItem | None) -> str:
    return "" if item is None else str(item.data(0, Qt.ItemDataRole.UserRole))
