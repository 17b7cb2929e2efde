"""The application in the light theme, with the fonts of the window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication

from plumbline.ui_kit.fonts import setup_fonts
from plumbline.ui_kit.theme import apply_theme, current_mode, current_theme


@pytest.fixture
def themed(qapp: QApplication) -> Iterator[QApplication]:
    """The application as it looks after start; light again after the test."""
    if not qapp.styleSheet() or current_theme().name != "light":
        setup_fonts(qapp)
        apply_theme(qapp, "light")
    yield qapp
    if current_theme().name != "light" or current_mode() != "light":
        apply_theme(qapp, "light")
