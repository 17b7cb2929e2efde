"""The bar at the top: project, undo and redo, tools, search, language and theme."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from plumbline.api import tr
from plumbline.ui.actions import Actions
from plumbline.ui_kit.icons import set_icon
from plumbline.ui_kit.labels import line
from plumbline.ui_kit.live import on_language


class CommandBar(QToolBar):
    """One row, never moved; tools in the middle, the window's own on the right."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions
        self.setObjectName("commandBar")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._project = QToolButton()
        self._project.setObjectName("projectButton")
        self._project.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._project.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._project.setMaximumWidth(280)
        set_icon(self._project, "menu")
        self._tools: list[QToolButton] = []
        self._search = QToolButton()
        self._search.setObjectName("searchButton")
        self._search.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._search.clicked.connect(lambda: self._command("window.search").trigger())
        set_icon(self._search, "search", role="muted", size=16)
        self._lay_out()
        on_language(self, self.retranslate)
        self.retranslate()

    def _lay_out(self) -> None:
        row = QWidget()
        box = QHBoxLayout(row)
        box.setContentsMargins(8, 4, 8, 4)
        box.setSpacing(4)
        box.addWidget(self._project)
        for name in ("project.add", "project.save", "edit.undo", "edit.redo"):
            box.addWidget(self._icon_button(self._command(name)))
        box.addWidget(line("v"))
        for command in self._actions.commands:
            if command.id.startswith("tool."):
                self._tools.append(self._text_button(self._command(command.id)))
        self._tools.insert(0, self._tools.pop())
        for entry in self._tools:
            box.addWidget(entry)
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        box.addWidget(spacer)
        box.addWidget(self._search)
        for name in ("window.table", "window.language", "window.theme", "window.settings"):
            box.addWidget(self._icon_button(self._command(name)))
        row.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.addWidget(row)

    def set_project(self, name: str, modified: bool) -> None:
        """Show the project's name; a dot marks unsaved work."""
        self._project.setText(f"{'• ' if modified else ''}{name}")

    def set_tools_enabled(self, enabled: bool) -> None:
        """Tools need something to work on."""
        for entry in self._tools:
            entry.setEnabled(enabled)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._search.setText(tr("Search") + "   Ctrl+K")
        self._project.setToolTip(tr("Project and window"))
        menu = QMenu(self._project)
        groups = (
            ("project.new", "project.open", "project.demo", "project.add"),
            ("project.save", "project.save_as"),
            ("project.picture", "project.report", "project.close"),
            ("window.scene", "window.table", "window.tasks", "window.messages"),
            ("window.settings", "help.keys", "help.log", "help.about"),
            ("project.quit",),
        )
        for group in groups:
            for name in group:
                menu.addAction(self._command(name))
            menu.addSeparator()
        self._project.setMenu(menu)

    def _command(self, name: str) -> QAction:
        return self._actions.commands[name]

    def _icon_button(self, action: QAction) -> QToolButton:
        entry = QToolButton()
        entry.setDefaultAction(action)
        entry.setIconSize(QSize(20, 20))
        entry.setAutoRaise(True)
        return entry

    def _text_button(self, action: QAction) -> QToolButton:
        entry = self._icon_button(action)
        entry.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        return entry
