"""The schemes of the project, under the layer tree: which is shown, what each does, and when.

A scheme is added, copied, renamed, locked and removed here; buildings that are selected are taken
out of it; and the day on which its parts come is set. What is built in it is drawn by a tool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from PySide6.QtCore import QDate, QEvent, QObject, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDateEdit,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPlainTextEdit,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from plumbline.analysis.clearing import keeping, removing
from plumbline.api import EntityRef, Scene, Scheme, UserError, tr
from plumbline.core.scheme_edits import add_scheme, duplicate_scheme, remove_scheme, set_begin
from plumbline.services.notifier import notifier
from plumbline.ui.scheme_controls import PlanControls
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.icons import icon, set_icon
from plumbline.ui_kit.labels import ElidedLabel, label
from plumbline.ui_kit.live import follow, on_language, on_theme
from plumbline.ui_kit.panel import scroll_area
from plumbline.ui_kit.views import set_up_calendar

#: Schemes that are listed without scrolling.
MOST_ROWS = 8
#: How long a day of building is seen while days play, milliseconds.
DAY_SHOWN = 1500

_KEY = Qt.ItemDataRole.UserRole


class SchemePanel(QWidget):
    """The list of schemes, and what the shown one is made of."""

    compare_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._hint = label("", "muted", wrap=True)
        self._hint.setContentsMargins(12, 0, 12, 8)
        self._make_buttons()
        self.list = QListWidget()
        self.list.setIconSize(QSize(16, 16))
        self.list.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.itemClicked.connect(lambda item: self._activate(item.data(_KEY)))
        self.list.itemChanged.connect(self._renamed)
        self.details = SchemeDetails()
        self.phases = PhaseBar()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._row)
        column.addWidget(self._hint)
        column.addWidget(self.list)
        column.addWidget(self.phases)
        column.addWidget(self.details, 1)
        on_language(self, self.refresh)
        on_theme(self, self.refresh)
        self.refresh()

    def _make_buttons(self) -> None:
        self.add = tool_button("plus", size=16, clicked=self._add)
        self.copy = tool_button("copy", size=16, clicked=self._duplicate)
        self.lock = tool_button("lock", size=16, checkable=True, clicked=self._toggle_lock)
        self.remove = tool_button("trash", size=16, clicked=self._remove)
        self.compare = tool_button("swipe", size=16, clicked=self.compare_requested.emit)
        self._row = QHBoxLayout()
        self._row.setContentsMargins(8, 4, 8, 4)
        for part in (self.add, self.copy, self.lock, self.remove):
            self._row.addWidget(part)
        self._row.addStretch(1)
        self._row.addWidget(self.compare)

    def bind(self, scene: Scene) -> None:
        """Show another scene's schemes."""
        self._scene = scene
        follow(self, scene.schemes_changed, self.refresh)
        self.details.bind(scene)
        self.phases.bind(scene)
        self.refresh()

    @property
    def _active(self) -> Scheme | None:
        scene = self._scene
        if scene is None or scene.active_scheme is None:
            return None
        return scene.scheme(scene.active_scheme.id)

    def refresh(self) -> None:
        """Show the list in the current language."""
        self._hint.setText(tr("A scheme changes what is there now, and leaves the sources alone."))
        schemes = self._scene.schemes if self._scene is not None else ()
        active = self._active
        shown = active.id if active else ""
        self.list.blockSignals(True)
        self.list.clear()
        for key, name, locked in [
            ("", tr("Baseline"), False),
            *((s.id, s.name, s.locked) for s in schemes),
        ]:
            mark = "lock" if locked else "radio" if key == shown else "schemes"
            item = QListWidgetItem(icon(mark, role="link" if key == shown else "muted"), name)
            item.setData(_KEY, key)
            if key and not locked:
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            self.list.addItem(item)
            if key == shown:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        rows = min(self.list.count(), MOST_ROWS)
        self.list.setFixedHeight(rows * self.list.sizeHintForRow(0) + 8)
        self._hint.setVisible(not schemes)
        self._show_buttons(active, len(schemes))

    def _show_buttons(self, active: Scheme | None, count: int) -> None:
        locked = active is not None and active.locked
        self.lock.setChecked(locked)
        set_icon(self.lock, "lock" if locked else "unlock", size=16)
        for part, text, enabled in (
            (self.add, tr("New scheme"), self._scene is not None),
            (self.copy, tr("Duplicate"), active is not None),
            (self.lock, tr("Unlock") if locked else tr("Lock"), active is not None),
            (self.remove, tr("Remove"), active is not None and not locked),
            (self.compare, tr("Compare schemes"), count > 0),
        ):
            part.setToolTip(text)
            part.setAccessibleName(text)
            part.setEnabled(enabled)

    # -- doing -----------------------------------------------------------------------------

    def _activate(self, key: str) -> None:
        if self._scene is not None:
            self._scene.activate_scheme(key)

    def _add(self) -> None:
        assert self._scene is not None
        add_scheme(self._scene, tr("New scheme"))
        self._edit_name()

    def _duplicate(self) -> None:
        active = self._active
        if self._scene is not None and active is not None:
            duplicate_scheme(self._scene, active.id, tr("Copy of {name}", name=active.name))
            self._edit_name()

    def _edit_name(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.list.editItem(item)

    def _remove(self) -> None:
        active = self._active
        if self._scene is not None and active is not None:
            remove_scheme(self._scene, active.id)

    def _toggle_lock(self) -> None:
        active = self._active
        if self._scene is not None and active is not None:
            self._scene.update_scheme(active.id, locked=not active.locked)

    def _renamed(self, item: QListWidgetItem) -> None:
        assert self._scene is not None
        name, key = item.text().strip(), item.data(_KEY)
        taken = {scheme.name for scheme in self._scene.schemes if scheme.id != key}
        if not name or name in taken:
            self.refresh()
        elif name != self._scene.scheme(key).name:
            self._scene.update_scheme(key, name=name)

    def _show_menu(self, where: QPoint) -> None:
        item = self.list.itemAt(where)
        if item is None or not item.data(_KEY):
            return
        self._activate(item.data(_KEY))
        locked = self._active is not None and self._active.locked
        menu = QMenu(self)
        for name, text, run, enabled in (
            ("rename", tr("Rename"), self._edit_name, not locked),
            ("copy", tr("Duplicate"), self._duplicate, True),
            ("unlock" if locked else "lock", self.lock.toolTip(), self._toggle_lock, True),
            ("trash", tr("Remove"), self._remove, not locked),
        ):
            action = menu.addAction(icon(name, role="muted"), text)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _=False, run=run: run())
        menu.exec(self.list.viewport().mapToGlobal(where))
        menu.deleteLater()


class SchemeDetails(QWidget):
    """Note, what is taken away, and the days of the scheme that is shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._note_title = label("", "heading")
        self.note = QPlainTextEdit()
        self.note.setFixedHeight(64)
        self.note.setTabChangesFocus(True)
        self.note.installEventFilter(self)
        self._gone_title = label("", "heading")
        self._gone = label("", "muted", wrap=True)
        self.take = button("", icon="trash", clicked=self._take)
        self.give_back = button("", icon="undo", clicked=self._give_back)
        self._days_title = label("", "heading")
        self._rows = QVBoxLayout()
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(4)
        column = QVBoxLayout()
        column.setContentsMargins(12, 8, 12, 12)
        column.setSpacing(6)
        for part in (
            self._gone_title, self._gone, self.take, self.give_back, self._days_title,
        ):  # fmt: skip
            column.addWidget(part)
        column.addLayout(self._rows)
        self._controls_title = label("", "heading")
        self.controls = PlanControls()
        self.controls.changed.connect(self._set_controls)
        column.addWidget(self._controls_title)
        column.addWidget(self.controls)
        column.addWidget(self._note_title)
        column.addWidget(self.note)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll_area(column))
        on_language(self, self.refresh)

    def bind(self, scene: Scene) -> None:
        """Show a scheme of another scene."""
        self._scene = scene
        follow(self, scene.schemes_changed, self.refresh)
        follow(self, scene.selection_changed, self._show_selection)
        follow(self, scene.tree_changed, self.refresh)
        self.refresh()

    def _scheme(self) -> Scheme | None:
        scene = self._scene
        if scene is None or scene.active_scheme is None:
            return None
        return scene.scheme(scene.active_scheme.id)

    def refresh(self) -> None:
        """Show the scheme in the current language."""
        scheme = self._scheme()
        self.setVisible(scheme is not None)
        if scheme is None or self._scene is None:
            return
        self._note_title.setText(tr("Note"))
        self.note.setPlaceholderText(tr("What it is for, who drew it, what is open"))
        if self.note.toPlainText() != scheme.note and not self.note.hasFocus():
            self.note.setPlainText(scheme.note)
        self.note.setReadOnly(scheme.locked)
        self._gone_title.setText(tr("Taken away"))
        areas = sum(not one.of for one in scheme.cleared)
        self._gone.setText(
            tr("{n} entities, {m} cleared areas", n=len(scheme.hidden), m=areas)
            if scheme.hidden or areas
            else tr("Nothing yet: select buildings and take them out.")
        )
        self._days_title.setText(tr("From which day"))
        self._fill_days(scheme)
        self._controls_title.setText(tr("Limits of the plan"))
        self.controls.show_scheme(scheme)
        self._show_selection()

    def _show_selection(self) -> None:
        scheme = self._scheme()
        if scheme is None or self._scene is None:
            return
        chosen = self._scene.selection
        gone = set(scheme.hidden)
        outside = [ref for ref in chosen if ref not in gone and ref.layer not in scheme.layers]
        self.take.setText(tr("Take out what is selected"))
        self.take.setEnabled(bool(outside) and not scheme.locked)
        self.give_back.setText(tr("Put everything back"))
        self.give_back.setEnabled(bool(scheme.hidden or scheme.cleared) and not scheme.locked)

    def _take(self) -> None:
        scheme, scene = self._scheme(), self._scene
        if scheme is None or scene is None:
            return
        refs = [ref for ref in scene.selection if ref.layer not in scheme.layers]
        new = removing(scene, scheme, parts_of(scene, refs))
        with scene.history.step(tr("Take out of the scheme")):
            scene.update_scheme(scheme.id, hidden=new.hidden, cleared=new.cleared)
            scene.select(())

    def _give_back(self) -> None:
        scheme, scene = self._scheme(), self._scene
        if scheme is not None and scene is not None:
            new = keeping(scheme, scheme.hidden)
            scene.update_scheme(scheme.id, hidden=new.hidden, cleared=(), phases=new.phases)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the note when its field is left."""
        if watched is self.note and event.type() == QEvent.Type.FocusOut:
            self._keep_note()
        return False

    def _keep_note(self) -> None:
        scheme, scene = self._scheme(), self._scene
        text = self.note.toPlainText()
        if scheme is not None and scene is not None and not scheme.locked and text != scheme.note:
            scene.update_scheme(scheme.id, note=text)

    def _set_controls(self, controls: dict[str, float]) -> None:
        scheme, scene = self._scheme(), self._scene
        if scheme is not None and scene is not None and not scheme.locked:
            scene.update_scheme(scheme.id, site={**scheme.site, "controls": controls})

    # -- days ------------------------------------------------------------------------------

    def _fill_days(self, scheme: Scheme) -> None:
        assert self._scene is not None
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        scene = self._scene
        for layer_id in scheme.layers:
            if layer_id in scene:
                day = next((p.begins for p in scheme.phases if layer_id in p.layers), "")
                self._add_day(scene[layer_id].name, day, scheme, [layer_id], False)
        if scheme.hidden:
            day = next((p.begins for p in scheme.phases if p.hidden), "")
            self._add_day(tr("Demolition"), day, scheme, [], True)
        self._days_title.setVisible(self._rows.count() > 0)

    def _add_day(
        self, name: str, day: str, scheme: Scheme, layers: Sequence[str], hidden: bool
    ) -> None:
        row = DayRow(name, day, lambda chosen: self._set_day(chosen, layers, hidden))
        row.setEnabled(not scheme.locked)
        self._rows.addWidget(row)

    def _set_day(self, day: str, layers: Sequence[str], hidden: bool) -> None:
        scheme, scene = self._scheme(), self._scene
        if scheme is None or scene is None:
            return
        try:
            scene.update_scheme(scheme.id, phases=set_begin(scheme, day, layers, hidden).phases)
        except UserError as error:
            notifier.error(error)


def parts_of(scene: Scene, refs: Sequence[EntityRef]) -> list[EntityRef]:
    """Return entities with all that is joined with them: outline and model are one building."""
    found = dict.fromkeys(refs)
    for entity in scene.entities:
        parts = entity.parts
        if any(part in found for part in parts):
            found.update(dict.fromkeys(parts))
    return list(found)


class DayRow(QWidget):
    """From which day on a part of a scheme is there."""

    def __init__(self, name: str, day: str, changed: Callable[[str], None]) -> None:
        super().__init__()
        self._changed = changed
        self.dated = QCheckBox()
        self.dated.setChecked(bool(day))
        self.dated.setToolTip(tr("Comes on a day of its own"))
        self.edit = QDateEdit()
        set_up_calendar(self.edit)
        self.edit.setDisplayFormat("yyyy-MM-dd")
        self.edit.setKeyboardTracking(False)
        shown = date.fromisoformat(day) if day else date.today()
        self.edit.setDate(QDate(shown.year, shown.month, shown.day))
        self.edit.setEnabled(bool(day))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.dated)
        row.addWidget(ElidedLabel(name), 1)
        row.addWidget(self.edit)
        self.dated.clicked.connect(lambda _=False: self._tell())
        self.edit.dateChanged.connect(lambda _date: self._tell())

    def _tell(self) -> None:
        on = self.dated.isChecked()
        self._changed(self.edit.date().toString(Qt.DateFormat.ISODate) if on else "")


class PhaseBar(QWidget):
    """The days on which something changes in a scheme, on a slider."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("phaseBar")
        self._scene: Scene | None = None
        self._days: list[str] = []
        self._caption = label("", "muted")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setPageStep(1)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setTickInterval(1)
        self.slider.valueChanged.connect(self._moved)
        self.play = tool_button("play", size=16, checkable=True)
        self.play.toggled.connect(self._play_toggled)
        self._timer = QTimer(self)
        self._timer.setInterval(DAY_SHOWN)
        self._timer.timeout.connect(self._next_day)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.play)
        row.addWidget(self.slider, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 4)
        column.setSpacing(2)
        column.addWidget(self._caption)
        column.addLayout(row)
        on_language(self, self.refresh)

    def bind(self, scene: Scene) -> None:
        """Show the days of another scene."""
        self._scene = scene
        follow(self, scene.schemes_changed, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the days of all schemes, so that those compared are seen on the same day."""
        scene = self._scene
        known = {p.begins for s in scene.schemes for p in s.phases} if scene is not None else set()
        self.setVisible(bool(known))
        if scene is None or not known:
            self._days = []
            if scene is not None and scene.day:
                scene.show_day("")
            return
        days = sorted(known)
        before = (date.fromisoformat(days[0]) - timedelta(days=1)).isoformat()
        # On the last day all has come, which is how a scheme is shown without a day.
        self._days = [before, *days[:-1], ""]
        at = self._days.index(scene.day) if scene.day in self._days else len(self._days) - 1
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(self._days) - 1)
        self.slider.setValue(at)
        self.slider.blockSignals(False)
        first, last = days[0], days[-1]
        if at == 0:
            text = tr("Before {day}", day=first)
        else:
            text = tr("From {day} on", day=self._days[at] or last)
        self._caption.setText(text)
        self.slider.setAccessibleName(tr("Day on which schemes are shown"))
        self.play.setToolTip(tr("Let it be built, day by day"))
        self.play.setAccessibleName(tr("Let it be built, day by day"))

    def _moved(self, at: int) -> None:
        if self._scene is not None and at < len(self._days):
            self._scene.show_day(self._days[at])

    # -- play ------------------------------------------------------------------------------

    def _play_toggled(self, on: bool) -> None:
        set_icon(self.play, "pause" if on else "play", size=16)
        if not on:
            self._timer.stop()
            return
        if self.slider.value() == self.slider.maximum():
            self.slider.setValue(0)
        self._timer.start()

    def _next_day(self) -> None:
        """Show the next day; the last one ends the play."""
        self.slider.setValue(self.slider.value() + 1)
        if self.slider.value() == self.slider.maximum():
            self.play.setChecked(False)

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing plays out of sight."""
        super().hideEvent(event)
        self.play.setChecked(False)
