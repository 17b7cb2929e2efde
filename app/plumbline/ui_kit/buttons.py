"""Buttons in their kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QPushButton, QToolButton

from plumbline.ui_kit.icons import set_icon

Kind = Literal["secondary", "primary", "ghost", "danger", "flat"]

_ICON_ROLE = {"primary": "accent_text", "danger": "bad_text", "ghost": "link"}


def button(
    text: str,
    kind: Kind = "secondary",
    *,
    icon: str = "",
    clicked: Callable[[], object] | None = None,
) -> QPushButton:
    """Return a push button; ``primary`` is the one thing to do next."""
    result = QPushButton(text)
    result.setProperty("kind", kind)
    result.setAutoDefault(False)
    if icon:
        set_icon(result, icon, role=_ICON_ROLE.get(kind, "text"), size=16)
    if clicked is not None:
        result.clicked.connect(lambda _=False: clicked())
    return result


def tool_button(
    icon: str,
    tip: str = "",
    *,
    role: str = "text",
    size: int = 20,
    checkable: bool = False,
    clicked: Callable[[], object] | None = None,
) -> QToolButton:
    """Return a quiet button with an icon only; `tip` is also its name for screen readers."""
    result = QToolButton()
    result.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    result.setToolTip(tip)
    result.setAccessibleName(tip)
    result.setCheckable(checkable)
    result.setFixedSize(QSize(size + 8, size + 8))
    set_icon(result, icon, role=role, size=size)
    if clicked is not None:
        result.clicked.connect(lambda _=False: clicked())
    return result
