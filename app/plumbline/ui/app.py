"""Starts the workstation: one application, one window, one event loop."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QOpenGLContext, QSurfaceFormat
from PySide6.QtWidgets import QApplication

from plumbline import __version__
from plumbline.core.errors import UserError
from plumbline.core.i18n import tr, translator
from plumbline.render import vtk_errors
from plumbline.services import log
from plumbline.services.notifier import notifier
from plumbline.services.plugins import plugin_host
from plumbline.services.settings import SettingsStore
from plumbline.services.tasks import TaskRunner
from plumbline.ui.main_window import MainWindow
from plumbline.ui.poster import Poster
from plumbline.ui.preferences import Preferences
from plumbline.ui.session import Session
from plumbline.ui_kit.fonts import setup_fonts
from plumbline.ui_kit.icons import app_icon

#: Python looks for a Ctrl+C in the terminal this often, milliseconds.
INTERRUPT_CHECK = 300


def main(paths: Sequence[Path] = (), demo: Path | None = None) -> int:
    """Open the window on a project or files and run until it is closed.

    Parameters
    ----------
    paths : sequence of Path
        A project, or files to add.
    demo : Path, optional
        Open the demo district of this folder, building it first if needed.

    Returns
    -------
    int
        Exit code of the event loop.
    """
    log.setup()
    app = make_application()
    check_opengl()
    vtk_errors.install()
    window = make_window(app)
    window.show()
    _close_on_interrupt(app, window)
    if demo is not None:
        QTimer.singleShot(0, lambda: window.session.open_demo(demo))
    elif paths:
        QTimer.singleShot(0, lambda: window.session.open_paths(list(paths)))
    else:
        QTimer.singleShot(0, window.session.offer_recoveries)
    return app.exec()


def _close_on_interrupt(app: QApplication, window: MainWindow) -> None:
    """Let Ctrl+C in the terminal end the window in the ordinary way, without questions."""

    def close() -> None:
        window.session.answers["discard"] = "drop"
        window.close()

    # Python calls a handler between any two instructions: closing waits for the event loop.
    signal.signal(signal.SIGINT, lambda _number, _frame: QTimer.singleShot(0, close))
    timer = QTimer(app)
    timer.timeout.connect(lambda: None)
    timer.start(INTERRUPT_CHECK)


def check_opengl() -> None:
    """Make sure that a canvas can draw here, before a window opens that could not.

    Raises
    ------
    UserError
        If no OpenGL 3.2 context can be made.
    """
    wanted = QSurfaceFormat()
    wanted.setRenderableType(QSurfaceFormat.RenderableType.OpenGL)
    wanted.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    wanted.setVersion(3, 2)
    context = QOpenGLContext()
    context.setFormat(wanted)
    if not context.create() or context.format().version() < (3, 2):
        raise UserError(
            tr("This display offers no OpenGL 3.2, so that nothing can be drawn."),
            tr(
                "Install the graphics driver, or Mesa's software renderer "
                "(Debian: libgl1-mesa-dri); “plumbline render” and “plumbline run” need no display."
            ),
        )


def make_application() -> QApplication:
    """Return the application, made once, with names, fonts and icon."""
    os.environ.setdefault("QT_API", "pyside6")
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("Plumbline")
    app.setApplicationDisplayName("Plumbline")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("plumbline")
    app.setWindowIcon(app_icon())
    for text in setup_fonts(app):
        notifier.warning(text)
    return app


def make_window(app: QApplication, store: SettingsStore | None = None) -> MainWindow:
    """Return the main window on an empty session, not shown yet."""
    store = store or SettingsStore()
    preferences = Preferences(app, store)
    translator.set_language(store.settings.effective_language)
    poster = Poster(app)
    tasks = TaskRunner(poster.post, notifier=notifier)
    session = Session(store, tasks, notifier, plugin_host().panels)
    return MainWindow(session, preferences)
