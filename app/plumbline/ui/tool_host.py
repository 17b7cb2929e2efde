"""The right side of the window: the active tool's panel, and what tools may use of the window.

Panels come from plugin manifests and are imported when first opened.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget

from plumbline.analysis.picked import with_resolution
from plumbline.analysis.runner import begin
from plumbline.analysis.store import write_result
from plumbline.api import (
    N_,
    Layer,
    Record,
    Result,
    Scene,
    UserError,
    default_digits,
    format_value,
    tr,
)
from plumbline.services.notifier import notifier
from plumbline.services.plugins import PanelManifest
from plumbline.services.tasks import Task, TaskRunner
from plumbline.ui.canvas import Canvas, ToolChannel
from plumbline.ui.canvas_bar import CanvasBar
from plumbline.ui.film import Film
from plumbline.ui.poster import Poster
from plumbline.ui.previews import Previews, Request
from plumbline.ui.printing import file_filter, printer
from plumbline.ui_kit.panel import EmptyState, Panel

#: Group of the layer tree that takes the layers of results.
RESULTS = N_("Results")


class ToolHost(QStackedWidget):
    """Shows one panel at a time; implements `plumbline.ui_kit.context.ToolContext`."""

    #: A chart or a table for the drawer, with its translated title.
    chart_shown = Signal(str, QWidget)

    def __init__(
        self,
        canvas: Canvas,
        scene: Scene,
        tasks: TaskRunner,
        operator: Callable[[], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._canvas, self._scene, self._tasks, self._operator = canvas, scene, tasks, operator
        self._panels: dict[str, Panel] = {}
        self._previews = Previews(Poster(self).post)
        self._results_group = ""
        self._bar: CanvasBar | None = None
        #: Asks for a folder under a translated title; empty when the user gave up.
        self.ask_folder: Callable[[str], str] = self._ask_folder
        #: Asks for the file of an animation, with a name to begin with.
        self.ask_film: Callable[[str], str] = self._ask_film
        #: Asks for the file of a document, with a name to begin with.
        self.ask_print: Callable[[str], str] = self._ask_print
        self._active = ""
        self.closed: Callable[[], object] = lambda: None
        self._empty = EmptyState("measure")
        self.addWidget(self._empty)

    # -- ToolContext -----------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """The open scene."""
        return self._scene

    @property
    def canvas(self) -> ToolChannel:
        """The canvas as tools see it."""
        return self._canvas.tool

    @property
    def operator(self) -> str:
        """Name of the person at the desk."""
        return self._operator()

    def run(
        self,
        analysis: str,
        params: Mapping[str, Any],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> Task[Result] | None:
        """Check and prepare here, compute in a worker, deliver here."""
        try:
            prepared = begin(analysis, self._scene, params, self._scheme)
        except UserError as error:
            if failed is None:
                raise
            failed(error)
            return None
        return self._tasks.submit(tr(prepared.title), prepared.compute, done=done, failed=failed)

    def preview(
        self,
        key: str,
        analysis: str,
        params: Mapping[str, Any],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Compute in a worker while the mouse moves; only the newest of a key counts."""
        asked = Request(self._scene, analysis, dict(params), self._scheme, done, failed)
        self._previews.submit(key, asked)

    def add_layers(self, result: Result, names: Mapping[str, str] | None = None) -> list[str]:
        """Add the layers of a result to the group of results, as one step that undo takes back."""
        scene, added = self._scene, list[str]()
        with scene.history.step(tr("Add the result to the scene")):
            group = self._group_of_results()
            # The last one added is on top of the tree: the first of the result ends there.
            for key, layer in reversed(result.layers.items()):
                made = self._named(layer, result, (names or {}).get(key, layer.name or key))
                scene.add(made, group=group)
                added.insert(0, made.id)
        return added

    def export(self, result: Result) -> None:
        """Ask for a folder, and write the result into a new one in it."""
        parent = self.ask_folder(tr("Export the result into"))
        if not parent:
            return
        out = _unused(Path(parent), f"{result.analysis} {datetime.now():%Y-%m-%d %H%M}")
        self._tasks.submit(
            tr("Export"),
            lambda _feedback: write_result(result, out),
            done=lambda path: notifier.info(tr("Exported to {path}", path=path.parent)),
        )

    def film(
        self,
        name: str,
        count: int,
        seconds: float,
        show: Callable[[int], str],
        ended: Callable[[], object],
    ) -> Film | None:
        """Ask for a file, take the pictures here, let a worker write."""
        answer = self.ask_film(f"{name}.gif")
        if not answer:
            return None
        return Film(self._canvas, self._tasks, Path(answer), count, seconds, show, ended)

    def print_result(self, result: Result, word: Callable[[str], str]) -> None:
        """Ask for a file, and write the result there as a document with a map."""
        chosen = self.ask_print(f"{result.analysis} {datetime.now():%Y-%m-%d %H%M}.pdf")
        if not chosen:
            return
        write = printer(
            result, self._scene, Path(chosen), word=word, view=self.canvas.picture(),
            operator=self.operator,
        )  # fmt: skip
        self._tasks.submit(
            tr("Print"),
            lambda _feedback: write(),
            done=lambda path: notifier.info(tr("Saved: {path}", path=path)),
        )

    def show_chart(self, title: str, chart: QWidget) -> None:
        """Show a chart or a table in the drawer."""
        self.chart_shown.emit(title, chart)

    def show_bar(self, bar: QWidget | None) -> None:
        """Show a bar at the foot of the canvas; None takes it away."""
        if self._bar is None:
            self._bar = CanvasBar(self._canvas)
        self._bar.set_content(bar)

    def keep(self, result: Result, name: str, instead_of: str = "") -> Record:
        """Keep a result in the project, in the place of another record where one is named."""
        head = result.values.get(result.headline)
        label = ""
        if head is not None and isinstance(head.value, int | float):
            label = format_value(
                float(head.value), head.unit, head.uncertainty, default_digits(head.unit)
            )
        record = Record(
            id=instead_of or uuid.uuid4().hex,
            name=name,
            request={
                "analysis": result.analysis,
                "version": result.version,
                "params": result.params,
            },
            values={key: value.as_json() for key, value in result.values.items()},
            points=result.points,
            label=label,
            created=datetime.now().astimezone().isoformat(timespec="seconds"),
            operator=self.operator,
            provenance=with_resolution(self._scene, result.provenance),
            headline=result.headline,
        )
        kept = [record if old.id == instead_of else old for old in self._scene.records]
        self._scene.set_records(kept if instead_of else [*kept, record])
        return record

    def close_tool(self) -> None:
        """Give the canvas back to plain selection."""
        self._canvas.tool_active = False
        self._previews.clear()
        self._canvas.tool.clear_preview()
        self._active = ""
        self.setCurrentWidget(self._empty)
        self.closed()

    @property
    def _scheme(self) -> str:
        shown = self._scene.active_scheme
        return shown.id if shown else ""

    def _named(self, layer: Layer, result: Result, name: str) -> Layer:
        """Return a layer of a result as one of the scene: own id, and what it came from."""
        request = {"analysis": result.analysis, "version": result.version, "params": result.params}
        return replace(
            layer,
            id=self._scene.unique_id(f"{result.analysis}.{layer.id}"),
            name=name,
            metadata={**layer.metadata, "request": request},
        )

    def _group_of_results(self) -> str:
        """Return the id of the group of results, made when it is not there."""
        groups = self._scene.groups
        if not any(group.id == self._results_group for group in groups):
            named = [group.id for group in groups if group.name in (RESULTS, tr(RESULTS))]
            self._results_group = named[0] if named else self._scene.add_group(tr(RESULTS))
        return self._results_group

    def _ask_print(self, name: str) -> str:
        path, _ = QFileDialog.getSaveFileName(self, tr("Print"), name, file_filter())
        return path

    def _ask_folder(self, title: str) -> str:
        return QFileDialog.getExistingDirectory(self, title)

    def _ask_film(self, name: str) -> str:
        kinds = (
            tr("Animation") + " (*.gif)",
            tr("Animation") + " (*.webp)",
            tr("Numbered pictures") + " (*.png)",
        )
        path, _ = QFileDialog.getSaveFileName(self, tr("Save"), name, ";;".join(kinds))
        return path

    def shut_down(self) -> None:
        """Close the tool while the canvas is there, and wait for previews; the window closes."""
        self.close_tool()
        self._previews.close()

    # -- the window's side -----------------------------------------------------------------

    @property
    def active(self) -> str:
        """Id of the active tool, empty when none is."""
        return self._active

    def bind(self, scene: Scene) -> None:
        """Serve another scene; panels are made anew since they listen to theirs."""
        self.close_tool()
        self._scene = scene
        self._results_group = ""
        for panel in self._panels.values():
            self.removeWidget(panel)
            panel.deleteLater()
        self._panels.clear()

    def open_tool(self, manifest: PanelManifest) -> Panel:
        """Show the panel of a plugin and give it the canvas."""
        if manifest.id != self._active:
            self._canvas.tool.reset()
        if manifest.id not in self._panels:
            module, _, name = manifest.class_.partition(":")
            panel: Panel = getattr(import_module(module), name)(self)
            panel.close_requested.connect(self.close_tool)
            self._panels[manifest.id] = panel
            self.addWidget(panel)
        self._active = manifest.id
        self._canvas.tool_active = True
        self.setCurrentWidget(self._panels[manifest.id])
        self._canvas.interactor.setFocus()
        return self._panels[manifest.id]

    def show_panel(self, panel: Panel) -> None:
        """Show a panel of the window's own (layer style), which leaves the canvas alone."""
        self._canvas.tool_active = False
        self._canvas.tool.clear_preview()
        self._active = ""
        old = self._panels.pop("window", None)
        if old is not None:
            self.removeWidget(old)
            old.deleteLater()
        self._panels["window"] = panel
        panel.close_requested.connect(self.close_tool)
        self.addWidget(panel)
        self.setCurrentWidget(panel)


def _unused(parent: Path, name: str) -> Path:
    """Return a folder that is not there yet."""
    candidates = (parent / (name if n == 1 else f"{name} ({n})") for n in range(1, 10_000))
    return next(path for path in candidates if not path.exists())
