"""Choosing things of a layer by expression and by place: to select, to show alone, to count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QFormLayout, QHBoxLayout, QLineEdit, QWidget

from plumbline.analysis.query import Answer, Question, Rows, ask, footprints
from plumbline.analysis.store import table_csv
from plumbline.api import (
    N_,
    EntityRef,
    Layer,
    MeshData,
    Scene,
    Table,
    UserError,
    VectorData,
    tr,
)
from plumbline.core.entities import entity_ids, has_table, table_columns, table_rows
from plumbline.core.selection import Combine, combined
from plumbline.services.tasks import Task
from plumbline.ui.session import Session
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.fields import ComboBox, ProgressRow, UnitSpinBox
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import follow
from plumbline.ui_kit.panel import Panel, Section
from plumbline.ui_kit.result_table import ResultTable

RELATIONS = {
    "": N_("anywhere"),
    "intersects": N_("touching"),
    "within": N_("inside of"),
    "contains": N_("holding"),
    "disjoint": N_("apart from"),
}
COMBINE = {
    Combine.REPLACE: N_("New selection"),
    Combine.ADD: N_("Add to the selection"),
    Combine.REMOVE: N_("Take from the selection"),
    Combine.INTERSECT: N_("Keep what is in both"),
}
WORDS = {
    "class": N_("Class"),
    "count": N_("How many"),
    "area": N_("Area"),
    "length": N_("Length"),
    "sum": N_("Sum"),
    "mean": N_("Mean"),
    "min": N_("Lowest"),
    "max": N_("Highest"),
}
#: The place is what is selected; layers have ids of their own.
SELECTION = "\x1fselection"
#: Values of a column that are offered.
MOST_VALUES = 200
#: The answer follows the typing after this long, milliseconds.
PAUSE = 300
#: Layers of no more features or triangles are answered at once, larger ones by a task.
AT_ONCE = 2000
#: Classes that are shown.
MOST_CLASSES = 1000


class QueryPanel(Panel):
    """The answer follows what is typed; the buttons select it or show nothing else."""

    def __init__(self, scene: Scene, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(icon="filter", parent=parent)
        self._scene, self._session = scene, session
        self._rows: Rows | None = None
        self._task: Task[Answer] | None = None
        self._then: Callable[[Rows], None] | None = None
        self._table: ResultTable | None = None
        self._told: Table | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(PAUSE)
        self._later.timeout.connect(self.answer)
        self._watch = QTimer(self)
        self._watch.setInterval(100)
        self._watch.timeout.connect(self._show_progress)
        self._make()
        for event in (scene.tree_changed, scene.layer_renamed, scene.layer_changed):
            follow(self, event, self._list_layers)
        follow(self, scene.selection_changed, self._selection_changed)
        follow(self, scene.view_changed, self._show_filter)
        self.run_requested.connect(self.select)
        self.retranslate()

    # -- building --------------------------------------------------------------------------

    def _make(self) -> None:
        self.layers, self.columns, self.values = ComboBox(), ComboBox(), ComboBox()
        self.expression = QLineEdit()
        self.expression.setClearButtonEnabled(True)
        self.relation, self.place, self.distance = ComboBox(), ComboBox(), UnitSpinBox("m")
        self.combine, self.by, self.value = ComboBox(), ComboBox(), ComboBox()
        self.found = label("", "heading", wrap=True)
        self.problem = label("", "error", wrap=True)
        self.progress = ProgressRow()
        self.progress.cancel_requested.connect(self._cancel)
        self.progress.hide()
        self.filter_on = button("", icon="filter", clicked=self.show_only)
        self.filter_off = button("", "ghost", clicked=self.show_all)
        self.filtered = label("", "hint", wrap=True)
        self.copy = button("", "ghost", icon="copy", clicked=self._copy)
        self._what, self._where, self._count = Section(), Section(), Section()
        for section in (self._what, self._where, self._count):
            self.add(section)
        self._texts: list[tuple[Any, str]] = []
        self._what.add(self._form((N_("Layer"), self.layers), (N_("Condition"), self.expression)))
        insert = QWidget()
        row = QHBoxLayout(insert)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.columns, 1)
        row.addWidget(self.values, 1)
        self._what.add(insert)
        self._where.add(
            self._form(
                (N_("Relation"), self.relation),
                (N_("Of what"), self.place),
                (N_("Widened by"), self.distance),
            )
        )
        for part in (self.found, self.progress, self.problem):
            self._what.add(part)
        for part in (self.filter_on, self.filter_off, self.filtered):
            self._what.add(part)
        self._count.add(self._form((N_("Classes"), self.by), (N_("Numbers"), self.value)))
        self._count.add(self.copy)
        self.left_out = label("", "hint", wrap=True)
        self.left_out.hide()
        self._count.add(self.left_out)
        self.footer.insertWidget(0, self.combine)
        self._connect()

    def _form(self, *rows: tuple[str, QWidget]) -> QWidget:
        holder = QWidget()
        form = QFormLayout(holder)
        form.setContentsMargins(0, 0, 0, 0)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for text, field in rows:
            title = label("")
            form.addRow(title, field)
            self._texts.append((title, text))
        return holder

    def _connect(self) -> None:
        self.layers.currentIndexChanged.connect(lambda _n: self._layer_changed())
        self.expression.textChanged.connect(lambda _text: self._later.start())
        self.columns.activated.connect(lambda _n: self._insert_column())
        self.values.activated.connect(lambda _n: self._insert_value())
        for box in (self.relation, self.place, self.by, self.value):
            box.currentIndexChanged.connect(lambda _n: self._later.start())
        self.distance.value_changed.connect(lambda _value: self._later.start())

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self.set_title(tr("Select, filter and count"))
        self.set_instruction(tr("Say what and where; the answer follows. Nothing is changed."))
        self._what.set_title(tr("What"))
        self._where.set_title(tr("Where"))
        self._count.set_title(tr("Statistics"))
        for title, text in self._texts:
            title.setText(tr(text))
        self.expression.setPlaceholderText("用途 = '住宅' AND 层数 >= 6")
        self.filter_on.setText(tr("Show only these"))
        self.filter_off.setText(tr("Show everything again"))
        self.copy.setText(tr("Copy the table"))
        self.set_primary(tr("Select"), icon="select")
        self.relation.set_choices([(key, tr(text)) for key, text in RELATIONS.items()])
        self.combine.set_choices([(key.value, tr(text)) for key, text in COMBINE.items()])
        self._list_layers()

    # -- lists -----------------------------------------------------------------------------

    @property
    def layer(self) -> Layer | None:
        """The layer that is asked."""
        return next((one for one in self._scene if one.id == self.layers.currentData()), None)

    def choose(self, layer_id: str) -> None:
        """Ask a layer."""
        self.layers.setCurrentIndex(max(0, self.layers.findData(layer_id)))

    def _list_layers(self) -> None:
        known = [(one.id, one.name) for one in self._scene if has_table(one)]
        self.layers.set_choices(known)
        self.place.set_choices([(SELECTION, tr("What is selected")), *known])
        self._layer_changed()

    def _layer_changed(self) -> None:
        layer = self.layer
        columns = table_columns(layer) if layer else []
        self.columns.set_choices([("", tr("Insert a column")), *((c, c) for c in columns)])
        none = ("", tr("None"))
        self.by.set_choices([none, *((c, tr(c)) for c in columns)])
        self.value.set_choices([none, *((c, tr(c)) for c in columns)])
        self.values.set_choices([("", tr("Insert a value"))])
        self._show_filter()
        self.answer()

    def _insert_column(self) -> None:
        name = self.columns.currentData()
        if not name or self.layer is None:
            return
        plain = name.isidentifier()
        self.expression.insert(name if plain else f'"{name}"')
        self.expression.setFocus()
        place = table_columns(self.layer).index(name)
        known = {row[place] for row in table_rows(self.layer)} - {None}
        texts = sorted({v for v in known if isinstance(v, str)})
        numbers = sorted({v for v in known if isinstance(v, int | float) and v == v})
        offered = [*texts, *numbers][:MOST_VALUES]
        self.values.set_choices(
            [("", tr("Insert a value")), *((_literal(v), str(v)) for v in offered)]
        )

    def _insert_value(self) -> None:
        if literal := self.values.currentData():
            self.expression.insert(literal)
            self.expression.setFocus()

    # -- asking ----------------------------------------------------------------------------

    def answer(self) -> None:
        """Ask, and tell how many there are, or what is wrong."""
        self._later.stop()
        self._drop_task()
        self._rows = None
        self.place.setEnabled(bool(self.relation.currentData()))
        self.distance.setEnabled(bool(self.relation.currentData()))
        layer = self.layer
        if layer is None:
            self._show(None)
            return
        question = Question(
            layer,
            self._scene.georeference,
            self.expression.text(),
            self._place(),
            self.relation.currentData() or "intersects",
            self._distance(),
            self.by.currentData() or "",
            self.value.currentData() or "",
        )
        place = question.place
        if _size(layer) + (_size(place) if isinstance(place, Layer) else 0) > AT_ONCE:
            self._start(question)
            return
        try:
            self._show(ask(question))
        except UserError as error:
            self._show(None, str(error))

    def _start(self, question: Question) -> None:
        """Let a thread answer; what was asked before is dropped."""

        def end(answer: Answer | None, problem: str = "") -> None:
            if shiboken6.isValid(self) and self._task is task:
                self._task = None
                self._show(answer, problem)

        self._show(None)
        self.progress.set_progress(0.0)
        self.progress.show()
        task = self._session.tasks.submit(
            tr("Looking through “{name}”", name=question.layer.name),
            lambda feedback: ask(question, feedback),
            end,
            lambda error: end(None, str(error)),
            lambda: end(None, tr("Cancelled; nothing was changed.")),
        )
        self._task = task
        self.destroyed.connect(task.cancel)
        self._show_progress()
        self._watch.start()

    def _show(self, answer: Answer | None, problem: str = "") -> None:
        """Show an answer, or why there is none; then do what waited for it."""
        self._watch.stop()
        self.progress.hide()
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self._rows = answer.rows if answer is not None else None
        self.primary.setEnabled(answer is not None)
        self.filter_on.setEnabled(answer is not None and bool(self.expression.text().strip()))
        then, self._then = self._then, None
        if answer is None:
            self.found.setText("")
            return
        self.found.setText(tr("{n} of {total}", n=len(answer.rows), total=answer.total))
        self._tell(answer.table)
        if then is not None:
            then(answer.rows)

    def _show_progress(self) -> None:
        if self._task is not None:
            self.progress.set_progress(self._task.fraction)
            self.progress.set_text(self._task.title)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _drop_task(self) -> None:
        """Forget a question that was not answered yet."""
        self._cancel()
        self._task = None

    def _once_answered(self, then: Callable[[Rows], None]) -> None:
        """Do something with the answer to what is asked now, which may have to be found first."""
        if self._later.isActive() or (self._rows is None and self._task is None):
            self.answer()
        if self._rows is not None:
            then(self._rows)
        elif self._task is not None:
            self._then = then

    def _distance(self) -> float:
        """Return the distance in units of the CRS."""
        from plumbline.geometry.geodesy import crs_units

        unit = crs_units(self._scene.georeference.crs).horizontal
        return (self.distance.value() or 0.0) / (unit or 1.0)

    def _place(self) -> Layer | NDArray[np.object_] | None:
        """Return the things that are the place; None for everywhere."""
        wanted = self.place.currentData()
        if not self.relation.currentData() or wanted is None:
            return None
        if wanted != SELECTION:
            return self._scene[wanted]
        found = []
        shapes: dict[str, dict[str, Any]] = {}
        for ref in self._scene.selection:
            owner = self._scene.entity_book.of(ref)
            layer = self._scene[ref.layer]
            if owner is not None:
                found.append(owner.shape())
            elif has_table(layer):
                if layer.id not in shapes:
                    pairs = zip(entity_ids(layer), footprints(layer), strict=True)
                    shapes[layer.id] = dict(pairs)
                found.append(shapes[layer.id].get(ref.entity))
        return np.array(found, dtype=object)

    def _tell(self, told: Table) -> None:
        by = self.by.currentData()
        keep = [
            n
            for n, name in enumerate(told.columns)
            if name in ("class", "count") or any(row[n] is not None for row in told.rows)
        ]
        if not by:
            keep.remove(0)
        self._told = Table(
            tuple(told.columns[n] for n in keep),
            tuple(tuple(row[n] for n in keep) for row in told.rows),
            told.units,
        )
        if self._table is not None:
            self._table.hide()
            self._table.deleteLater()
        shown = Table(self._told.columns, self._told.rows[:MOST_CLASSES], told.units)
        self._table = ResultTable(shown, lambda name: tr(WORDS[name]))
        self._table.setMinimumHeight(min(360, 70 + 27 * len(shown.rows)))
        self._count.add(self._table)
        self.left_out.setVisible(len(told.rows) > MOST_CLASSES)
        self.left_out.setText(
            tr("The first {n} of {total} classes; the copy has all.",
               n=MOST_CLASSES, total=len(told.rows))
        )  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """Return the statistics that are shown."""
        told = self._told
        return [] if told is None else [dict(zip(told.columns, r, strict=True)) for r in told.rows]

    # -- doing -----------------------------------------------------------------------------

    def select(self) -> None:
        """Select the answer, combined with what is selected."""
        self._once_answered(self._select)

    def _select(self, rows: Rows) -> None:
        if (layer := self.layer) is None:
            return
        ids = entity_ids(layer)
        chosen = [EntityRef(layer.id, ids[n]) for n in rows.tolist()]
        how = Combine(self.combine.currentData())
        self._scene.select(combined(self._scene.selection, chosen, how))

    def show_only(self) -> None:
        """Hide what does not fulfil the condition, in canvas, table and picking."""
        self._once_answered(self._filter)

    def _filter(self, _rows: Rows) -> None:
        if self.layer is not None:
            self._scene.set_view(self.layer.id, filter=self.expression.text().strip())

    def show_all(self) -> None:
        """Take the filter of the layer away."""
        if self.layer is not None:
            self._scene.set_view(self.layer.id, filter="")

    def _show_filter(self) -> None:
        layer = self.layer
        active = self._scene.view(layer.id).filter if layer is not None else ""
        self.filter_off.setVisible(bool(active))
        self.filtered.setVisible(bool(active))
        self.filtered.setText(tr("Only this is shown: {condition}", condition=active))

    def _selection_changed(self) -> None:
        if self.relation.currentData() and self.place.currentData() == SELECTION:
            self._later.start()

    def _copy(self) -> None:
        if self._told is not None:
            QApplication.clipboard().setText(table_csv(self._told))
            self._session.notifier.info(tr("The table was copied."))


def _size(layer: Layer) -> int:
    """Return how many things have to be looked at, as a measure of time."""
    data = layer.data
    if isinstance(data, VectorData):
        return len(data.features)
    return len(data.triangles) if isinstance(data, MeshData) else 0


def _literal(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
