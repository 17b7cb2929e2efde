"""The status line: where the cursor is, in which CRS, what is selected, what is running."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QStatusBar, QToolButton, QWidget

from plumbline.api import Pick, Scene, crs_label, crs_text, format_number, tr
from plumbline.ui_kit.buttons import tool_button
from plumbline.ui_kit.labels import ElidedLabel, label
from plumbline.ui_kit.live import follow, on_language


class StatusLine(QStatusBar):
    """Fixed places, so that nothing jumps while the mouse moves."""

    cancel_requested = Signal()
    tasks_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self._scene: Scene | None = None
        self._position = label("")
        self._position.setMinimumWidth(330)
        self._position.setContentsMargins(10, 0, 0, 0)
        self._crs = ElidedLabel("", "muted")
        self._crs.setMinimumWidth(120)
        self._crs.setMaximumWidth(330)
        self._selection = label("", "muted")
        self._selection.setMinimumWidth(90)
        self._frame = label("", "muted")
        self._frame.setMinimumWidth(64)
        self._task = ElidedLabel("", "muted")
        self._task.setFixedWidth(220)
        self._bar = QProgressBar()
        self._bar.setFixedWidth(120)
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._cancel: QToolButton = tool_button(
            "cancel", role="muted", size=16, clicked=self.cancel_requested.emit
        )
        running = QWidget()
        row = QHBoxLayout(running)
        row.setContentsMargins(0, 0, 8, 0)
        row.setSpacing(8)
        for widget in (self._task, self._bar, self._cancel):
            row.addWidget(widget)
        self._running = running
        self.addWidget(self._position)
        self.addWidget(self._crs, 1)
        self.addWidget(self._selection)
        self.addPermanentWidget(running)
        self.addPermanentWidget(self._frame)
        running.hide()
        on_language(self, self.retranslate)
        self.show_position(None)

    def bind(self, scene: Scene) -> None:
        """Follow another scene."""
        self._scene = scene
        self._frame.clear()
        follow(self, scene.georeference_changed, self.retranslate)
        follow(self, scene.selection_changed, self.retranslate)
        self.retranslate()

    def retranslate(self) -> None:
        """Take up language, CRS and selection."""
        self._cancel.setToolTip(tr("Cancel"))
        crs = self._scene.georeference.crs if self._scene is not None else None
        self._crs.setText(crs_label(crs))
        self._crs.setToolTip(crs_text(crs) or tr("no CRS"))
        count = len(self._scene.selection) if self._scene is not None else 0
        self._selection.setText(tr("{n} selected", n=count) if count else "")

    def show_position(self, position: Pick | tuple[float, float, float] | None) -> None:
        """Show the place under the cursor; None clears it."""
        if isinstance(position, Pick):
            position = position.position
        crs = self._scene.georeference.crs if self._scene is not None else None
        digits = 7 if crs is not None and crs.is_geographic else 2
        if position is None:
            self._position.setText("X –   Y –   Z –")
            return
        x, y, z = position
        self._position.setText(
            f"X {format_number(x, digits)}   Y {format_number(y, digits)}   Z {format_number(z, 2)}"
        )

    def show_frame_time(self, seconds: float) -> None:
        """Show how long the last frame took."""
        self._frame.setText(tr("{ms} ms", ms=round(seconds * 1000)))
        self._frame.setToolTip(tr("Time of the last frame"))

    def show_task(self, title: str, fraction: float | None) -> None:
        """Show a running task; an empty title clears it."""
        self._running.setVisible(bool(title))
        self._task.setText(title)
        if fraction is not None:
            self._bar.setValue(round(fraction * 1000))
