"""The runs of this session in a panel: a click brings inputs and result back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from plumbline.api import Result, tr
from plumbline.ui_kit.live import on_language
from plumbline.ui_kit.panel import Section
from plumbline.ui_kit.result_view import headline_text

#: Runs that are kept; a result may hold large layers.
KEPT = 12


@dataclass(frozen=True)
class Run:
    """One run: what was asked, in the terms of the form, and what came out."""

    analysis: str
    title: str
    values: dict[str, Any]
    result: Result
    at: datetime


class RunHistory(Section):
    """The newest run on top."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._runs: list[Run] = []
        self._list = QListWidget()
        self._list.setProperty("boxed", True)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.itemClicked.connect(self._chosen)
        self._list.itemActivated.connect(self._chosen)
        self.add(self._list)
        self.hide()
        on_language(self, self.retranslate)
        self.retranslate()

    @property
    def runs(self) -> list[Run]:
        """The runs, newest first."""
        return list(self._runs)

    def add_run(self, run: Run) -> None:
        """Put a run on top; the oldest beyond `KEPT` are forgotten."""
        self._runs = [run, *self._runs][:KEPT]
        self._show()

    def clear(self) -> None:
        """Forget all runs."""
        self._runs = []
        self._show()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self.set_title(tr("Runs of this session"))
        self._show()

    def _show(self) -> None:
        self._list.clear()
        for run in self._runs:
            text = "  ".join((f"{run.at:%H:%M}", tr(run.title), headline_text(run.result)))
            item = QListWidgetItem(text, self._list)
            item.setToolTip(text)
        self._list.setFixedHeight(8 + 26 * min(5, max(1, len(self._runs))))
        self.setVisible(bool(self._runs))

    def _chosen(self, item: QListWidgetItem) -> None:
        self.chosen.emit(self._runs[self._list.row(item)])
