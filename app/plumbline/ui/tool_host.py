"""The right side of the window: the active tool's panel, and what tools may use of the window.

Panels come from plugin manifests and are imported when first opened.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

from PySide6.QtWidgets import QStackedWidget, QWidget

from plumbline.analysis.runner import begin
from plumbline.api import Record, Result, Scene, default_digits, format_value, tr
from plumbline.services.plugins import PanelManifest
from plumbline.services.tasks import TaskRunner
from plumbline.ui.canvas import Canvas, ToolChannel
from plumbline.ui_kit.panel import EmptyState, Panel


class ToolHost(QStackedWidget):
    """Shows one panel at a time; implements `plumbline.ui_kit.context.ToolContext`."""

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
    ) -> None:
        """Check and prepare here, compute in a worker, deliver here."""
        try:
            shown = self._scene.active_scheme
            prepared = begin(analysis, self._scene, params, shown.id if shown else "")
        except Exception as error:
            if failed is None:
                raise
            failed(error)
            return
        self._tasks.submit(tr(prepared.title), prepared.compute, done=done, failed=failed)

    def keep(self, result: Result, name: str) -> Record:
        """Keep a result in the project."""
        head = result.values.get(result.headline)
        label = ""
        if head is not None and isinstance(head.value, int | float):
            label = format_value(
                float(head.value), head.unit, head.uncertainty, default_digits(head.unit)
            )
        record = Record(
            id=uuid.uuid4().hex,
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
            provenance=result.provenance,
        )
        self._scene.set_records([*self._scene.records, record])
        return record

    def close_tool(self) -> None:
        """Give the canvas back to plain selection."""
        self._canvas.tool_active = False
        self._canvas.tool.clear_preview()
        self._active = ""
        self.setCurrentWidget(self._empty)
        self.closed()

    # -- the window's side -----------------------------------------------------------------

    @property
    def active(self) -> str:
        """Id of the active tool, empty when none is."""
        return self._active

    def bind(self, scene: Scene) -> None:
        """Serve another scene; panels are made anew since they listen to theirs."""
        self.close_tool()
        self._scene = scene
        for panel in self._panels.values():
            self.removeWidget(panel)
            panel.deleteLater()
        self._panels.clear()

    def open_tool(self, manifest: PanelManifest) -> Panel:
        """Show the panel of a plugin and give it the canvas."""
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
