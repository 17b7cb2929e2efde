"""Carries functions from any thread to the GUI thread."""

from __future__ import annotations

from collections.abc import Callable

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal


class Poster(QObject):
    """Made on the GUI thread; `post` may be called from anywhere."""

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._posted.connect(lambda function: function(), Qt.ConnectionType.QueuedConnection)

    def post(self, function: Callable[[], None]) -> None:
        """Run a function on the GUI thread, later; not at all when its window is gone."""
        if shiboken6.isValid(self):
            self._posted.emit(function)
