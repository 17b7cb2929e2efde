"""Connections between long-lived signals (language, theme) and widgets that come and go."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
from psygnal import SignalInstance
from PySide6.QtCore import QObject, QTimer

from plumbline.core.i18n import translator
from plumbline.ui_kit.theme import theme_changed


def follow(owner: QObject, signal: SignalInstance, method: Callable[[], Any]) -> None:
    """Call a bound method of `owner` on every emission, for as long as `owner` lives.

    Neither keeps `owner` alive nor calls into a widget that Qt has already deleted.
    """
    reference = weakref.WeakMethod(method)
    owned = weakref.ref(owner)

    def relay(*_: object) -> None:
        target = reference()
        if target is not None and shiboken6.isValid(owned()):
            target()
        else:
            signal.disconnect(relay, missing_ok=True)

    signal.connect(relay)
    weakref.finalize(owner, signal.disconnect, relay, missing_ok=True)


def on_language(owner: QObject, method: Callable[[], Any]) -> None:
    """Call a bound method of `owner` whenever the language changes."""
    follow(owner, translator.changed, method)


def on_theme(owner: QObject, method: Callable[[], Any]) -> None:
    """Call a bound method of `owner` whenever the theme changes."""
    follow(owner, theme_changed, method)


class Soon(QObject):
    """Calls a function once the work at hand is done, however often it was asked for meanwhile.

    For what is shown of many things that change one after the other: a project with hundreds of
    layers announces each of them.
    """

    def __init__(self, owner: QObject, run: Callable[[], Any]) -> None:
        super().__init__(owner)
        self._run = run
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._due)

    def ask(self) -> None:
        """Have it called."""
        if not self._timer.isActive():
            self._timer.start()

    def settle(self) -> None:
        """Call it now if it is waiting: somebody needs what it brings up to date."""
        if self._timer.isActive():
            self._timer.stop()
            self._run()

    def drop(self) -> None:
        """Forget that it was asked for: it has just been done."""
        self._timer.stop()

    def _due(self) -> None:
        self._run()
