"""The panel that every analysis tool is made of.

It offers the analyses of a plugin that are there, builds their forms from their `Params`, lets
points be clicked or typed, says beside the field what is wrong before anything runs, runs as a
task, and ends in a result card with tables, figures, layers in the canvas and a history.

A plugin subclasses it and names its analyses and words. What is special to a tool goes into the
hooks at the end: `filled` puts values in, `live` follows the mouse, `present` draws a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from plumbline.analysis.references import resolve
from plumbline.analysis.registry import registry
from plumbline.analysis.validation import InvalidParamsError, validate
from plumbline.api import (
    EntityRef,
    Layer,
    LayerStyle,
    Pick,
    Problem,
    Result,
    UserError,
    surface,
    tr,
)
from plumbline.ui_kit import layer_defaults
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.context import Mark, Point, Running, ToolContext
from plumbline.ui_kit.field_specs import Editor, FieldSpec, human_name
from plumbline.ui_kit.fields import ComboBox, MessageBar, ProgressRow
from plumbline.ui_kit.forms import ParameterForm
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import follow
from plumbline.ui_kit.panel import Panel
from plumbline.ui_kit.picking import Picker
from plumbline.ui_kit.result_links import entity_of_row, show_row
from plumbline.ui_kit.result_view import ResultView
from plumbline.ui_kit.run_history import Run, RunHistory
from plumbline.ui_kit.selections import selected_values, selection_fields

#: Milliseconds without a change after which the analysis is asked what is wrong.
CHECK_AFTER = 300
RESULT = "result"


class AnalysisPanel(Panel):
    """A tool made of analyses.

    Parameters
    ----------
    context : ToolContext
        Scene, canvas and task runner.
    analyses : sequence of str
        Ids in the order of the chooser; those that are not installed are left out.
    title : str
        English name of the tool, passes through `tr`.
    icon : str
        Name of its icon.
    """

    #: English words for the names of values, columns, tables, layers and figures.
    words: ClassVar[Mapping[str, str]] = {}
    #: Fields that the panel sets itself, by analysis.
    hidden: ClassVar[Mapping[str, Sequence[str]]] = {}
    #: Fields with a default that are not folded away all the same.
    unfolded: ClassVar[Sequence[str]] = ()
    #: Fields that clicks go to first although they may stay empty.
    wanted: ClassVar[Sequence[str]] = ()

    def __init__(
        self, context: ToolContext, analyses: Sequence[str], *, title: str, icon: str = ""
    ) -> None:
        super().__init__(icon=icon)
        self.context = context
        self._tool_title = title
        installed = set(registry.ids())
        self._ids = [analysis for analysis in analyses if analysis in installed]
        self._forms: dict[str, ParameterForm] = {}
        self._running: Running | None = None
        #: Keys of the layers that a result has in the canvas.
        self._drawn: set[str] = set()
        self._heights: dict[tuple[float, float], float] = {}
        self.picker = Picker(context.canvas, self.height_at, self.taken, self, self.wanted)
        self._make_inputs()
        self._make_result()
        self._connect()
        self.build()
        if self._ids:
            self._choose(0)
        self.retranslate()

    # -- building --------------------------------------------------------------------------

    def _make_inputs(self) -> None:
        self._chooser = ComboBox()
        self._chooser.setVisible(len(self._ids) > 1)
        for analysis in self._ids:
            self._chooser.addItem("", analysis)
        self._about = label("", "hint", wrap=True)
        self._holder = QVBoxLayout()
        self._holder.setContentsMargins(0, 0, 0, 0)
        holder = QWidget()
        holder.setLayout(self._holder)
        # Room that is left belongs below the result, not into the fields.
        holder.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._from_selection = button("", icon="select", clicked=self._take_selection)
        self.add(self._chooser)
        self.add(self._about)
        #: Where a subclass puts what stands above the form.
        self.above = QVBoxLayout()
        self.above.setContentsMargins(0, 0, 0, 0)
        self.above.setSpacing(8)
        self.body.addLayout(self.above)
        self.add(holder)
        self.add(self._from_selection)

    def _make_result(self) -> None:
        self._progress = ProgressRow()
        self._progress.cancel_requested.connect(self._cancel)
        self._progress.hide()
        self._message = MessageBar()
        self.view = ResultView(self.word)
        #: Where a subclass puts what stands below the result.
        self.below = QVBoxLayout()
        self.below.setContentsMargins(0, 0, 0, 0)
        self.below.setSpacing(8)
        self.runs = RunHistory()
        for part in (self._progress, self._message, self.view):
            self.add(part)
        self.body.addLayout(self.below)
        self.add(self.runs)
        self._check_timer = QTimer(self)
        self._check_timer.setSingleShot(True)
        self._check_timer.setInterval(CHECK_AFTER)
        self._check_timer.timeout.connect(self._check)
        self._watch = QTimer(self)
        self._watch.setInterval(250)
        self._watch.timeout.connect(self._show_progress)

    def _connect(self) -> None:
        self._chooser.activated.connect(self._choose)
        self.run_requested.connect(self.run)
        self.picker.field_changed.connect(self._instruct)
        self.picker.moved.connect(self._moved)
        self.picker.completed.connect(self.run)
        self.picker.left.connect(self.context.close_tool)
        self.picker.passed_on.connect(self.clicked)
        self.view.add_requested.connect(self._add_layers)
        self.view.export_requested.connect(self._export)
        self.view.keep_requested.connect(self._keep)
        self.view.print_requested.connect(self._to_paper)
        self.view.row_chosen.connect(self.row_chosen)
        self.view.enlarged.connect(self.context.show_chart)
        self.runs.chosen.connect(self._restore)
        scene = self.context.scene
        # `follow` ends with the panel: a scene outlives the panels that listen to it.
        follow(self, scene.tree_changed, self._layers_changed)
        follow(self, scene.style_changed, self._layers_changed)
        follow(self, scene.schemes_changed, self._inputs_changed)
        follow(self, scene.selection_changed, self._selection_changed)

    def retranslate(self) -> None:
        """Set every text again; called at the start and when the language changes."""
        self.set_title(tr(self._tool_title))
        for index, analysis in enumerate(self._ids):
            self._chooser.setItemText(index, registry.title(analysis))
        self._from_selection.setText(tr("Use the selection"))
        if self._ids:
            about = registry.get(self.analysis).description
            self._about.setText(tr(about) if about else "")
            self._about.setVisible(bool(about))
        else:
            self._about.setText(tr("None of its analyses is installed."))
        self._show_primary()
        self._instruct()

    def word(self, name: str) -> str:
        """Return the translated name of a value, column, table, layer or figure."""
        return tr(self.words[name]) if name in self.words else human_name(name)

    # -- choosing --------------------------------------------------------------------------

    @property
    def analysis(self) -> str:
        """Id of the analysis that is chosen."""
        return str(self._chooser.currentData() or "")

    @property
    def form(self) -> ParameterForm:
        """The form of the analysis that is chosen."""
        return self._forms[self.analysis]

    def choose(self, analysis: str) -> None:
        """Choose an analysis by its id."""
        index = self._chooser.findData(analysis)
        if index >= 0:
            self._chooser.setCurrentIndex(index)
            self._choose(index)

    def _choose(self, index: int) -> None:
        analysis = self._ids[index]
        if analysis not in self._forms:
            self._forms[analysis] = self._make_form(analysis)
        for name, form in self._forms.items():
            form.setVisible(name == analysis)
        self._message.dismiss()
        self._clear_result()
        self.picker.set_form(self.form)
        self._selection_changed()
        self.chosen()
        self.retranslate()
        self._inputs_changed()

    def _make_form(self, analysis: str) -> ParameterForm:
        cls = registry.get(analysis).Params
        hidden = [name for name in self.hidden.get(analysis, ()) if name in cls.model_fields]
        form = ParameterForm(
            cls,
            hidden=hidden,
            fold=True,
            unfolded=self.unfolded,
            editors=self.editors(analysis),
        )
        self._holder.addWidget(form)
        scene, specs = self.context.scene, form.specs()
        form.set_values(layer_defaults.proposals(scene, specs))
        form.set_layers(layer_defaults.choices(scene), layer_defaults.fitting(scene, specs))
        filled = self.filled(analysis)
        form.set_values({name: filled[name] for name in filled if name in cls.model_fields})
        form.changed.connect(lambda _values: self._inputs_changed())
        form.validity_changed.connect(lambda _valid: self._show_primary())
        return form

    def _layers_changed(self) -> None:
        self._heights.clear()
        scene = self.context.scene
        for form in self._forms.values():
            specs = form.specs()
            form.set_layers(layer_defaults.choices(scene), layer_defaults.fitting(scene, specs))
            proposed = layer_defaults.proposals(scene, specs)
            empty = {name for name in proposed if not form.values().get(name)}
            form.set_values({name: proposed[name] for name in empty})
        self._selection_changed()

    def height_at(self, x: float, y: float) -> float:
        """Return where a place without a height is drawn: on the terrain, else at the foot."""
        if (x, y) not in self._heights:
            scene = self.context.scene
            terrain = next((n for n in scene if layer_defaults.is_terrain(scene, n)), None)
            height = float("nan")
            if terrain is not None:
                height = float(surface(scene, terrain.id).heights(np.array([[x, y]]))[0])
            box = scene.bounds
            foot = box.zmin if box is not None else 0.0
            self._heights[x, y] = height if np.isfinite(height) else foot
        return self._heights[x, y]

    # -- selection -------------------------------------------------------------------------

    def _selection_changed(self) -> None:
        self._from_selection.setVisible(
            bool(self._forms and self.context.scene.selection and selection_fields(self.form))
        )

    def _take_selection(self) -> None:
        """Put what is selected into the form: its entities, or its outline."""
        names = selection_fields(self.form)
        try:
            self.form.set_values(selected_values(self.context.scene, self.form, names))
        except UserError as error:
            self._message.show_message(str(error), "warn")
            return
        self.form.edited(names[0])
        self.picker.pick_for("")

    # -- inputs ----------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Listen to the canvas only while this tool is the one in sight."""
        super().showEvent(event)
        self.picker.listen(True)
        if self.view.result is not None:
            self.present(self.view.result)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the canvas as it was found."""
        super().hideEvent(event)
        self.picker.listen(False)
        self.clear_canvas()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Give Esc and Enter the same meaning when the panel has the focus."""
        if event.key() == Qt.Key.Key_Escape:
            self.picker.escape()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.picker.finish()
        else:
            super().keyPressEvent(event)

    def _inputs_changed(self) -> None:
        self.view.set_stale(True)
        self._show_primary()
        self.picker.draw()
        self._instruct()
        self._check_timer.start()
        self.inputs_changed()

    def _moved(self, moving: bool) -> None:
        self._instruct()
        self.follow_mouse(moving)

    def _instruct(self) -> None:
        if not self._ids:
            return
        text = self.picker.instruction()
        if not text:
            ready = self.form.is_valid()
            text = tr("Press Enter or Run.") if ready else tr("Fill in what is missing.")
        self.set_instruction(text)

    def _show_primary(self) -> None:
        ready = bool(self._ids) and self.form.is_valid() and self._running is None
        self.set_primary(tr("Run"), enabled=ready, icon="play")

    def _check(self) -> None:
        """Ask the analysis what is wrong with the inputs, and say it beside the fields."""
        if not self._ids or not self.isVisible() or not self.form.is_valid():
            return
        scene, analysis = self.context.scene, registry.get(self.analysis)()
        values, problems = resolve(analysis.Params, self.form.values(), scene)
        params, invalid = validate(analysis.Params, values)
        problems += invalid
        if params is not None and not problems:
            shown = scene.active_scheme
            try:
                problems = tuple(analysis.check(scene.under(shown.id if shown else ""), params))
            except UserError as error:
                problems = (Problem("", str(error)),)
        self.form.set_problems(problems)

    # -- running ---------------------------------------------------------------------------

    def run(self) -> None:
        """Run the chosen analysis as a task."""
        if not self._ids or self._running is not None:
            return
        if not self.form.is_valid():
            self.form.show_all_errors()
            return
        self._message.dismiss()
        # What is complete takes no more clicks: they are for what the result shows.
        self.picker.pick_for("")
        analysis, values = self.analysis, self.form.values()
        self._running = self.context.run(
            analysis, values, lambda result: self._done(analysis, values, result), self._failed
        )
        if self._running is not None:
            # Never the bar that moves to and fro: every change of a widget costs the whole window.
            self._progress.set_progress(0.0)
            self._progress.set_text(registry.title(analysis))
            self._progress.show()
            self._watch.start()
        self._show_primary()

    def _cancel(self) -> None:
        if self._running is not None:
            self._running.cancel()
            self._progress.set_cancellable(False)

    def _show_progress(self) -> None:
        running = self._running
        if running is None or running.finished:
            self._ended()
            return
        self._progress.set_progress(running.fraction)
        if running.text:
            self._progress.set_text(running.text)

    def _ended(self) -> None:
        self._watch.stop()
        self._running = None
        self._progress.hide()
        self._progress.set_cancellable(True)
        self._show_primary()

    def _done(self, analysis: str, values: dict[str, Any], result: Result) -> None:
        self._ended()
        title = registry.get(analysis).title
        self.runs.add_run(Run(analysis, title, values, result, datetime.now()))
        if analysis == self.analysis:
            self._show_result(result)

    def _failed(self, error: Exception) -> None:
        self._ended()
        if isinstance(error, InvalidParamsError):
            self.form.set_problems(error.problems)
            general = [p.message for p in error.problems if not p.field]
            if general:
                self._message.show_message(" ".join(general), "bad")
        elif isinstance(error, UserError):
            self._message.show_message(str(error), "bad")
        # A defect has been told by the task runner, which has its details.

    def _show_result(self, result: Result) -> None:
        self.view.show_result(result)
        self.clear_canvas()
        if self.isVisible():
            self.present(result)
            self.scroll_to(self.view)

    def _clear_result(self) -> None:
        self.view.clear()
        self.clear_canvas()

    def _restore(self, run: Run) -> None:
        """Bring the inputs and the result of an earlier run back."""
        if run.analysis != self.analysis:
            self.choose(run.analysis)
        self.form.set_values(run.values)
        self._show_result(run.result)
        self.restored(run)
        self.picker.pick_for("")
        self._show_primary()

    # -- what can be done with a result ----------------------------------------------------

    def _add_layers(self) -> None:
        result = self.view.result
        if result is None:
            return
        try:
            self.context.add_layers(result, {name: self.word(name) for name in result.layers})
        except UserError as error:
            self._message.show_message(str(error), "bad")
            return
        self.clear_canvas()
        self.context.canvas.show_marks(RESULT, self.marks_of(result))
        self.view.set_added(True)

    def _export(self) -> None:
        if self.view.result is not None:
            self.context.export(self.view.result)

    def _to_paper(self) -> None:
        result = self.view.result
        if result is None:
            return
        try:
            self.context.print_result(result, self.word)
        except UserError as error:
            self._message.show_message(str(error), "bad")

    def _keep(self) -> None:
        result = self.view.result
        if result is None:
            return
        title = registry.title(result.analysis)
        taken = {record.name for record in self.context.scene.records}
        number = next(n for n in range(1, len(taken) + 2) if f"{title} {n}" not in taken)
        record = self.context.keep(result, f"{title} {number}")
        plan = self.context.scene.report
        self.context.scene.set_report(replace(plan, records=(*plan.records, record.id)))
        self._message.show_message(
            tr("Kept as “{name}”.", name=f"{title} {number}"), "good", seconds=6
        )

    # -- hooks -----------------------------------------------------------------------------

    def build(self) -> None:
        """Called once, before the first form is made: put widgets into `above` and `below`."""

    def chosen(self) -> None:
        """Called when another analysis was chosen, before its form is shown."""

    def editors(self, analysis: str) -> Mapping[str, Callable[[FieldSpec], Editor]]:
        """Return makers of editors for fields that need one of their own, by name."""
        return {}

    def filled(self, analysis: str) -> dict[str, Any]:
        """Return values to start a form with, over the proposed layers."""
        return {}

    def taken(self, field: str, pick: Pick) -> Point:
        """Return the point that a field takes from a pick."""
        return pick.position

    def follow_mouse(self, moving: bool) -> None:
        """Called when the mouse moves over the canvas, drags a point, or has set one."""

    def inputs_changed(self) -> None:
        """Called when a field has another value, by hand, mouse or panel."""

    def clicked(self, pick: Pick) -> None:
        """Called for a click in the canvas that no field takes: select what was hit."""
        self.context.scene.select([pick.ref] if pick.ref is not None else [])

    def restored(self, run: Run) -> None:
        """Called after an earlier run was brought back."""

    def style_of(self, name: str, layer: Layer) -> LayerStyle:
        """Return how a layer of a result is drawn before it belongs to the scene."""
        return layer.style

    def marks_of(self, result: Result) -> list[Mark]:
        """Return what is drawn for a result beside its layers."""
        if len(result.points) > 1:
            return [Mark(result.points, label="")]
        return [Mark(result.points, "points")] if result.points else []

    def present(self, result: Result) -> None:
        """Draw a result in the canvas."""
        canvas = self.context.canvas
        canvas.show_marks(RESULT, self.marks_of(result))
        for name, layer in result.layers.items():
            self._drawn.add(f"{RESULT}.{name}")
            canvas.show_layer(f"{RESULT}.{name}", layer, self.style_of(name, layer))

    def clear_canvas(self) -> None:
        """Take what `present` has drawn out of the canvas."""
        canvas = self.context.canvas
        canvas.clear_marks(RESULT)
        for key in self._drawn:
            canvas.show_layer(key, None)
        self._drawn.clear()

    def row_chosen(self, table: str, row: dict[str, Any]) -> None:
        """Show where a row of a table is: select its entity, or go to its place."""
        ref = self.entity_of_row(row)
        show_row(self.context, row, ref)

    def entity_of_row(self, row: Mapping[str, Any]) -> EntityRef | None:
        """Return the entity that a row names: in its own layer, or in one of the request's."""
        named = str(row.get("layer") or "")
        layers = [named] if named else self._layers_of_request()
        return entity_of_row(self.context.scene, row, layers)

    def _layers_of_request(self) -> list[str]:
        result = self.view.result
        inputs = result.provenance.get("inputs", ()) if result is not None else ()
        return [str(row["id"]) for row in inputs]
