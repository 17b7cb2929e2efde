"""Pictures of the canvas one after the other, as a tool changes it: an animation to be kept.

Pictures are taken finely, while the window goes on living, and lie in a folder beside the target
until a worker has put them together.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter

from plumbline.api import InputError, UserError, tr
from plumbline.services.films import write_film
from plumbline.services.notifier import notifier
from plumbline.services.tasks import Task, TaskRunner
from plumbline.ui.canvas import Canvas
from plumbline.ui_kit.fonts import ui_font

#: Pictures are not wider than this, pixels.
WIDEST = 1280
#: Pause between two pictures in which the window lives, milliseconds.
PAUSE = 5


class Film(QObject):
    """Takes `count` pictures of the canvas and writes them; implements `Running`.

    Parameters
    ----------
    show : callable
        Puts the canvas into the state of a picture and returns its caption.
    ended : callable
        Called once when the last picture was taken, or it was cancelled.
    """

    def __init__(
        self,
        canvas: Canvas,
        tasks: TaskRunner,
        path: Path,
        count: int,
        seconds: float,
        show: Callable[[int], str],
        ended: Callable[[], object],
    ) -> None:
        super().__init__(canvas)
        self._canvas, self._tasks, self._path = canvas, tasks, path
        self._count, self._seconds, self._show, self._ended = count, seconds, show, ended
        self._pictures: list[Path] = []
        self._task: Task[Path] | None = None
        self._over = False
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=".pictures-", dir=path.parent))
        except OSError as error:
            raise InputError(
                tr("“{path}” cannot be written: {why}.", path=path, why=error.strerror or error),
                tr("Choose another folder, or make room on the disk."),
            ) from error
        self._pause = QTimer(self)
        self._pause.setInterval(PAUSE)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self._take)
        # What moves is drawn coarsely; the first picture waits until all stands.
        canvas.rested.connect(self._begin)
        canvas.stir()

    @property
    def fraction(self) -> float:
        """Share of the pictures that were taken, 0 to 1."""
        return len(self._pictures) / self._count

    @property
    def text(self) -> str:
        """What is being done now."""
        return tr("Picture {n} of {count}", n=len(self._pictures), count=self._count)

    @property
    def finished(self) -> bool:
        """Whether the canvas is free again."""
        return self._over

    def cancel(self) -> None:
        """Stop; nothing is kept."""
        if self._task is not None:
            self._task.cancel()
        elif not self._over:
            self._end()
            self._clear()

    def _begin(self) -> None:
        self._canvas.rested.disconnect(self._begin)
        self._canvas.tool.fine = True
        if not self._over:
            self._pause.start()

    def _take(self) -> None:
        """Take the next picture; after the last one let a worker write."""
        caption = self._show(len(self._pictures))
        image = _captioned(QImage.fromData(self._canvas.tool.picture()), caption)
        picture = self._folder / f"{len(self._pictures):04d}.png"
        if not image.save(str(picture)):
            self.cancel()
            why = tr("the disk is full or read only")
            notifier.warning(tr("“{path}” cannot be written: {why}.", path=picture, why=why))
            return
        self._pictures.append(picture)
        if len(self._pictures) < self._count:
            self._pause.start()
            return
        self._end()
        self._task = self._tasks.submit(
            tr("Animation"),
            lambda feedback: write_film(self._pictures, self._path, self._seconds, feedback),
            done=self._written,
            failed=self._failed,
            cancelled=self._clear,
        )

    def _end(self) -> None:
        self._pause.stop()
        self._over = True
        self._canvas.tool.fine = False
        self._ended()

    def _written(self, path: Path) -> None:
        self._clear()
        notifier.info(tr("Exported to {path}", path=path))

    def _failed(self, error: Exception) -> None:
        self._clear()
        if isinstance(error, UserError):  # the runner tells of defects
            notifier.error(error)

    def _clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self.deleteLater()


def _captioned(image: QImage, caption: str) -> QImage:
    """Return a picture with a caption at its lower left."""
    if image.width() > WIDEST:
        image = image.scaledToWidth(WIDEST, Qt.TransformationMode.SmoothTransformation)
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    painter = QPainter(image)
    painter.setFont(ui_font(16))
    size = painter.fontMetrics().size(0, caption)
    box = QRectF(12, image.height() - size.height() - 24, size.width() + 20, size.height() + 12)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 150))
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(QColor(255, 255, 255))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, caption)
    painter.end()
    return image
