"""Every command of the window in one place: text, icon, shortcut, what it does.

Menus, tool bars, the command search and the list of shortcuts are all made from this table, so
that a command has one name and one key everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from plumbline.core.i18n import tr
from plumbline.ui_kit.icons import set_icon
from plumbline.ui_kit.live import on_language


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    id : str
        Stable name, e.g. ``"project.save"``; the part before the dot is its group.
    text : str
        English text that passes through `tr`.
    """

    id: str
    text: str
    run: Callable[[], object]
    icon: str = ""
    shortcut: str = ""
    checkable: bool = False


class Commands(QObject):
    """The table; owns one `QAction` for each command."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._commands: dict[str, Command] = {}
        self._actions: dict[str, QAction] = {}
        on_language(self, self.retranslate)

    def add(self, command: Command) -> QAction:
        """Add a command and return its action."""
        action = QAction(self._window)
        action.setObjectName(command.id)
        action.setCheckable(command.checkable)
        if command.shortcut:
            action.setShortcut(QKeySequence(command.shortcut))
        self._window.addAction(action)
        if command.icon:
            set_icon(action, command.icon)
        action.triggered.connect(lambda _checked=False: command.run())
        self._commands[command.id] = command
        self._actions[command.id] = action
        self._set_text(command.id)
        return action

    def __getitem__(self, command_id: str) -> QAction:
        return self._actions[command_id]

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def retranslate(self) -> None:
        """Set the texts of all actions in the current language."""
        for command_id in self._commands:
            self._set_text(command_id)

    def _set_text(self, command_id: str) -> None:
        command, action = self._commands[command_id], self._actions[command_id]
        text = tr(command.text)
        action.setText(text)
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{text} ({keys})" if keys else text)
