"""The editor of rule packs: read one, copy it, change its values, check it, keep it as one's own.

Packs that ship are read only; a copy of one is an office's own. What is wrong with the pack stands
below its values and marks their rows while it is typed, and only a pack without problems is kept.
Every value says where it comes from and whether somebody compared it with the text of the code.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMessageBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from plumbline.analysis.rule_sheet import NONE, Path, Row, RuleSheet, row_of, text_of, value_of
from plumbline.analysis.rules import (
    Pack,
    copied,
    known_packs,
    load_pack,
    own_pack_file,
    rule_files,
    write_pack,
)
from plumbline.api import UserError, tr
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.fields import ComboBox
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.rule_words import choices_of, name_of
from plumbline.ui_kit.theme import current_theme
from plumbline.ui_kit.views import set_up_tree

NAME, VALUE, STATE, CLAUSE, SOURCE = range(5)
ROW = Qt.ItemDataRole.UserRole
#: What a cell says before it is put into words.
RAW = Qt.ItemDataRole.UserRole + 1
#: Packs with more wrong than this are shown the first of it.
PROBLEMS = 4


class _Cells(QStyledItemDelegate):
    """Edits a cell: a choice where only some values exist, else a text."""

    def createEditor(
        self,
        parent: QWidget,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> QWidget:
        """Return a list of the values that exist, or a line of text."""
        row = index.model().index(index.row(), NAME, index.parent()).data(ROW)
        choices = choices_of(row.path) if index.column() == VALUE else {}
        if not choices:
            return QLineEdit(parent)
        combo = QComboBox(parent)
        for value, name in choices.items():
            combo.addItem(name, value)
        combo.activated.connect(lambda _: self.commitData.emit(combo))
        combo.activated.connect(lambda _: self.closeEditor.emit(combo))
        return combo

    def setEditorData(self, editor: QWidget, index: QModelIndex | QPersistentModelIndex) -> None:
        """Show what the cell says."""
        if isinstance(editor, QComboBox):
            editor.setCurrentIndex(max(0, editor.findData(index.data(RAW))))
        elif isinstance(editor, QLineEdit):
            shown = str(index.data(Qt.ItemDataRole.DisplayRole) or "")
            editor.setText("" if shown == NONE else shown)

    def setModelData(
        self, editor: QWidget, model: Any, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Put into the cell what was chosen or typed."""
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentData(), RAW)
        elif isinstance(editor, QLineEdit) and editor.isModified():
            before = index.data(RAW)
            text = editor.text()
            value = value_of(text, before) if index.column() == VALUE else text.strip()
            model.setData(index, value, RAW)


class RuleEditor(QDialog):
    """A window with the packs of one kind.

    Parameters
    ----------
    kind : type of Pack
        Packs of this kind are shown.
    pack_id : str
        The one to begin with; the first one where it is not known.
    """

    #: A pack was kept; its id.
    kept = Signal(str)

    def __init__(self, kind: type[Pack], pack_id: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ruleEditor")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Rule packs"))
        self._kind = kind
        self._sheet: RuleSheet[Pack] | None = None
        self._changed = self._filling = self._own = False
        self._items: dict[Path, QTreeWidgetItem] = {}
        self._make_head()
        self._make_tree()
        self._make_foot()
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(10)
        column.addLayout(self._head)
        column.addLayout(self._names)
        column.addWidget(self.tree, 1)
        column.addWidget(self.problems)
        column.addLayout(self._foot)
        self.resize(900, 640)
        self._list_packs(pack_id)

    # -- building --------------------------------------------------------------------------

    def _make_head(self) -> None:
        self.packs = ComboBox()
        self.packs.activated.connect(lambda _: self._pack_chosen())
        self.copy = button(tr("Copy"), icon="copy", clicked=self.copy_pack)
        self._head = QHBoxLayout()
        self._head.setSpacing(8)
        self._head.addWidget(self.packs, 1)
        self._head.addWidget(self.copy)
        self.fields = {name: QLineEdit() for name in ("id", "version", "en", "zh_CN", "note")}
        names = {
            "id": tr("Id"), "version": tr("Version"), "en": tr("Title in English"),
            "zh_CN": tr("Title in Chinese"), "note": tr("Note"),
        }  # fmt: skip
        self._names = QFormLayout()
        self._names.setHorizontalSpacing(16)
        for name, field in self.fields.items():
            self._names.addRow(names[name], field)
            field.textEdited.connect(lambda _text: self._named())

    def _make_tree(self) -> None:
        self.tree = QTreeWidget()
        set_up_tree(self.tree)
        self.tree.setHeaderLabels(
            [tr("Rule"), tr("Value"), tr("Compared with the code"), tr("Clause"), tr("Source")]
        )
        self.tree.setItemDelegate(_Cells(self.tree))
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.itemDoubleClicked.connect(self._edit)
        self.tree.itemActivated.connect(self._edit)
        self.tree.itemChanged.connect(self._item_changed)
        self.tree.currentItemChanged.connect(lambda _now, _old: self._show_state())
        header = self.tree.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column, width in ((NAME, 270), (VALUE, 140), (STATE, 190), (CLAUSE, 70)):
            header.resizeSection(column, width)

    def _make_foot(self) -> None:
        self.problems = label("", "muted", wrap=True)
        self.add = button(tr("Add a requirement"), icon="plus", clicked=self._add)
        self.remove = button(tr("Remove"), icon="trash", clicked=self._remove)
        self.save = button(tr("Keep as own pack"), "primary", icon="save", clicked=self.keep)
        self._close = button(tr("Close"), clicked=self.close)
        self._foot = QHBoxLayout()
        self._foot.setSpacing(8)
        for part in (self.add, self.remove):
            self._foot.addWidget(part)
        self._foot.addStretch(1)
        for part in (self._close, self.save):
            self._foot.addWidget(part)

    # -- packs -----------------------------------------------------------------------------

    def _list_packs(self, wanted: str) -> None:
        self.packs.clear()
        for pack in known_packs(self._kind):
            state = "" if pack.verified else f"  ·  {tr('values not verified')}"
            self.packs.addItem(f"{pack.name}  ({pack.id} {pack.version}){state}", pack.id)
        self.packs.setCurrentIndex(max(0, self.packs.findData(wanted)))
        self._pack_chosen()

    def _pack_chosen(self) -> None:
        chosen = self.packs.currentData()
        if chosen is None:
            return
        if not self._may_leave():
            self.packs.setCurrentIndex(self.packs.findData(self.fields["id"].text()))
            return
        self._own = own_pack_file(chosen) == rule_files().get(chosen)
        self._show(load_pack(chosen, self._kind), changed=False)

    def copy_pack(self) -> None:
        """Begin an own pack from the one that is shown."""
        if self._sheet is None:
            return
        source = load_pack(str(self.packs.currentData()), self._kind)
        taken, number = rule_files(), 1
        while (name := f"{source.id}-{number}") in taken:
            number += 1
        titles: dict[str, str] = {key: f"{text} ({number})" for key, text in source.title.items()}
        self._own = True
        self._show(copied(source, name, titles), changed=True)
        self.fields["id"].setFocus()

    def keep(self) -> None:
        """Write the pack among the office's own; the list then has it."""
        if self._sheet is None:
            return
        try:
            pack = self._sheet.pack()
            write_pack(pack, own_pack_file(pack.id))
        except UserError as error:
            self._tell(str(error), "error")
            return
        self._changed = False
        self._list_packs(pack.id)
        self.kept.emit(pack.id)

    # -- what is shown ---------------------------------------------------------------------

    def _show(self, pack: Pack, *, changed: bool) -> None:
        self._sheet = RuleSheet(pack)
        self._changed = changed
        texts: dict[str, str] = {"id": pack.id, "version": pack.version, "note": pack.note}
        texts.update(pack.title.items())
        for name, field in self.fields.items():
            field.setText(texts[name])
            # An id that has been kept names a file, and verdicts that rest on it.
            field.setReadOnly(not self._own or (name == "id" and not changed))
        self._fill()

    def _fill(self, current: Path | None = None) -> None:
        """Show the rows anew."""
        assert self._sheet is not None
        self._filling = True
        self.tree.clear()
        items = self._items = {}
        for row in self._sheet.rows():
            above = next(
                (
                    items[row.path[:n]]
                    for n in range(len(row.path) - 1, 0, -1)
                    if row.path[:n] in items
                ),
                self.tree.invisibleRootItem(),
            )
            items[row.path] = self._item(row, above)
        self.tree.expandToDepth(0)
        if current in items:
            self.tree.setCurrentItem(items[current])
            items[current].setExpanded(True)
        self._filling = False
        self._show_state()

    def _item(self, row: Row, above: QTreeWidgetItem) -> QTreeWidgetItem:
        assert self._sheet is not None
        item = QTreeWidgetItem(above)
        item.setData(NAME, ROW, row)
        item.setText(NAME, name_of(row.path, self._sheet.get(row.path) if row.heading else None))
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if self._own:
            flags |= Qt.ItemFlag.ItemIsEditable
        if row.origin is not None and self._own:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        item.setFlags(flags)
        self._write(item, row)
        return item

    def _write(self, item: QTreeWidgetItem, row: Row) -> None:
        """Put what a row says into its cells."""
        assert self._sheet is not None
        if not row.heading:
            value = self._sheet.get(row.path)
            item.setData(VALUE, RAW, value)
            item.setText(VALUE, choices_of(row.path).get(value, "") if _plain(value) else "")
            if not item.text(VALUE):
                item.setText(VALUE, text_of(value))
        if row.origin is None:
            return
        origin = self._sheet.get(row.origin)
        verified = bool(origin["verified"])
        item.setCheckState(STATE, Qt.CheckState.Checked if verified else Qt.CheckState.Unchecked)
        item.setText(STATE, tr("Verified") if verified else tr("Not verified"))
        item.setForeground(STATE, current_theme().color("good" if verified else "warn"))
        for column, name in ((CLAUSE, "clause"), (SOURCE, "source")):
            item.setData(column, RAW, origin[name])
            item.setText(column, origin[name])
            item.setToolTip(column, origin[name])

    def _show_state(self) -> None:
        """Say what is wrong, what is not verified, and what can be done."""
        if self._sheet is None or self._filling:
            return
        found = self._sheet.problems()
        self._mark(found)
        unverified = len(self._sheet.unverified)
        if found:
            shown = [f"{field}: {why}" if field else why for field, why in found[:PROBLEMS]]
            self._tell("\n".join(shown), "error")
        elif unverified:
            told = tr("{n} values are not verified: every verdict by them says so.", n=unverified)
            self._tell(told, "warn")
        else:
            self._tell(tr("Every value was compared with the text of the code."), "good")
        row = self._row()
        entry = self._own and row is not None and _entry(row) is not None
        self.add.setEnabled(entry)
        self.remove.setEnabled(entry)
        self.save.setEnabled(self._own and self._changed and not found)

    def _mark(self, found: list[tuple[str, str]]) -> None:
        assert self._sheet is not None
        rows = list(self._sheet.rows())
        wrong = {row.path: why for field, why in found if (row := row_of(field, rows)) is not None}
        plain, bad = current_theme().color("text"), current_theme().color("bad")
        self._filling = True
        for path, item in self._items.items():
            why = wrong.get(path, "")
            item.setForeground(NAME, bad if why else plain)
            item.setToolTip(NAME, why)
            above = item.parent()
            if why and above is not None:
                above.setExpanded(True)
        self._filling = False

    def _tell(self, text: str, role: str) -> None:
        self.problems.setText(text)
        self.problems.setProperty("role", role)
        self.problems.style().unpolish(self.problems)
        self.problems.style().polish(self.problems)

    # -- what happens ----------------------------------------------------------------------

    def _row(self) -> Row | None:
        item = self.tree.currentItem()
        return None if item is None else item.data(NAME, ROW)

    def _edit(self, item: QTreeWidgetItem, column: int) -> None:
        row = item.data(NAME, ROW)
        editable = (column == VALUE and not row.heading) or (
            column in (CLAUSE, SOURCE) and row.origin is not None
        )
        if self._own and editable:
            self.tree.editItem(item, column)

    def _item_changed(self, item: QTreeWidgetItem, column: int) -> None:
        if self._filling or self._sheet is None:
            return
        row: Row = item.data(NAME, ROW)
        if column == VALUE and not row.heading:
            self._sheet.set(row.path, item.data(VALUE, RAW))
        elif column in (CLAUSE, SOURCE) and row.origin is not None:
            name = "clause" if column == CLAUSE else "source"
            self._sheet.set((*row.origin, name), item.data(column, RAW))
        elif column == STATE and row.origin is not None:
            checked = item.checkState(STATE) == Qt.CheckState.Checked
            self._sheet.set((*row.origin, "verified"), checked)
        self._changed = True
        self._filling = True
        self._write(item, row)
        self._filling = False
        self._show_state()

    def _named(self) -> None:
        if self._sheet is None:
            return
        texts = {name: field.text().strip() for name, field in self.fields.items()}
        for name in ("id", "version", "note"):
            self._sheet.set((name,), texts[name])
        for language in ("en", "zh_CN"):
            self._sheet.set(("title", language), texts[language])
        self._changed = True
        self._show_state()

    def _add(self) -> None:
        row = self._row()
        entry = None if row is None else _entry(row)
        if self._sheet is not None and entry is not None:
            self._changed = True
            self._fill(self._sheet.add(entry))

    def _remove(self) -> None:
        row = self._row()
        entry = None if row is None else _entry(row)
        if self._sheet is None or entry is None:
            return
        try:
            self._sheet.remove(entry)
        except UserError as error:
            self._tell(str(error), "error")
            return
        self._changed = True
        self._fill(entry[:-1])

    def _may_leave(self) -> bool:
        """Ask what becomes of changes that were not kept."""
        if not self._changed:
            return True
        answers = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self,
            tr("Rule packs"),
            tr("The changes of this rule pack are not kept. Give them up?"),
            answers.Discard | answers.Cancel,
        )
        return bool(answer == answers.Discard)

    def reject(self) -> None:
        """Stay open while there are changes that nobody gives up."""
        if self._may_leave():
            self._changed = False
            super().reject()


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | bool)


def _entry(row: Row) -> Path | None:
    """Return the entry of a list that a row belongs to."""
    for depth, key in enumerate(row.path):
        if isinstance(key, int):
            return row.path[: depth + 1]
    return None
