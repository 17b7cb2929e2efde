"""Brings tiles that loader threads have read into the canvas, a few times a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, QTimer, Signal

from plumbline.render.scene_view import SceneView

#: Milliseconds in which several tiles make one frame, where more are being read.
PAUSE = 30


class TileFeed(QObject):
    """Calls views whenever there are more tiles to show.

    Parameters
    ----------
    views : callable
        Returns the views, which may be others over time.
    """

    #: A sentence about what was left out of a tree.
    noted = Signal(str)
    _woken = Signal()

    def __init__(self, views: Callable[[], Iterable[SceneView]], parent: QObject) -> None:
        super().__init__(parent)
        self._views = views
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._feed)
        # Emitted in another thread, it arrives in this one.
        self._woken.connect(self._gather)

    def wake(self) -> None:
        """Have the view look at its tiles soon; may be called in any thread."""
        self._woken.emit()

    def note_frame(self, seconds: float) -> None:
        """A frame was drawn: what it could not take yet comes with the next."""
        for view in self._views():
            view.note_frame(seconds)
        if any(view.tiles.waiting for view in self._views()):
            self._plan()

    def stop(self) -> None:
        """Call nobody any more."""
        self._woken.disconnect(self._gather)
        self._timer.stop()

    def _gather(self) -> None:
        """Something was read: wait for more if there is more to come."""
        if any(view.tiles.gathering for view in self._views()):
            self._plan()
        else:
            self._timer.start(0)

    def _plan(self) -> None:
        if not self._timer.isActive():
            self._timer.start(PAUSE)

    def _feed(self) -> None:
        views = list(self._views())
        again = [view.stream() for view in views]
        for note in views[0].tiles.notes():  # all views read the same trees
            self.noted.emit(note)
        if any(again):
            self._plan()
