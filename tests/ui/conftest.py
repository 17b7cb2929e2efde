"""The real window for UI tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from plumbline.services.plugins import plugin_host
from plumbline.services.settings import SettingsStore
from plumbline.ui.app import make_application, make_window
from plumbline.ui.main_window import MainWindow

from .hand import Hand


@pytest.fixture
def open_window(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., Hand]]:
    """Return a function that opens a window; every window is closed at the end."""
    windows: list[MainWindow] = []
    store = SettingsStore(tmp_path / "settings.json")

    def open_one(width: int = 1280, height: int = 800) -> Hand:
        app = make_application()
        window = make_window(app, SettingsStore(store.path))
        windows.append(window)
        window.resize(width, height)
        with qtbot.waitExposed(window):
            window.show()
        window.activateWindow()
        return Hand(window)

    plugin_host.cache_clear()
    yield open_one
    for window in windows:
        window.session.answers["discard"] = "drop"
        window.close()
        window.deleteLater()
    QApplication.processEvents()


@pytest.fixture
def hand(open_window: Callable[..., Hand]) -> Hand:
    """Return a hand in a fresh window."""
    return open_window()
