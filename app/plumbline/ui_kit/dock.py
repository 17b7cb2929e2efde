"""Docks with a quiet title bar: the name, what belongs beside it, and a way to close."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QWidget

from plumbline.core.i18n import tr
from plumbline.ui_kit.buttons import tool_button
from plumbline.ui_kit.labels import ElidedLabel
from plumbline.ui_kit.live import on_language


class DockTitle(QWidget):
    """The title bar of a dock: 36 px, a name on the left, small buttons on the right."""

    HEIGHT = 36

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        self.setObjectName("dockTitle")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._dock = dock
        self._name = ElidedLabel(dock.windowTitle(), "heading")
        self._tools = QHBoxLayout()
        self._tools.setSpacing(2)
        self._close = tool_button("close", role="muted", size=16, clicked=dock.close)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 6, 0)
        row.setSpacing(4)
        row.addWidget(self._name, 1)
        row.addLayout(self._tools)
        row.addWidget(self._close)
        self.setFixedHeight(self.HEIGHT)
        dock.windowTitleChanged.connect(self._name.setText)
        closable = QDockWidget.DockWidgetFeature.DockWidgetClosable
        self._close.setVisible(bool(dock.features() & closable))
        dock.featuresChanged.connect(lambda now: self._close.setVisible(bool(now & closable)))
        on_language(self, self.retranslate)
        self.retranslate()

    def add_tool(self, widget: QWidget) -> None:
        """Put a small button between the name and the close button."""
        self._tools.addWidget(widget)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._close.setToolTip(tr("Close"))
        self._close.setAccessibleName(tr("Close"))

    def sizeHint(self) -> QSize:
        """Full height, any width."""
        return QSize(120, self.HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Never wider than the dock wants."""
        return QSize(80, self.HEIGHT)


def make_dock(
    name: str, title: str, content: QWidget, parent: QWidget | None = None
) -> QDockWidget:
    """Return a dock with a quiet title bar.

    Parameters
    ----------
    name : str
        Object name, under which the window remembers its place.
    title : str
        Translated title; set it again with ``setWindowTitle`` when the language changes.
    content : QWidget
        What it shows.
    parent : QWidget, optional
        The main window.
    """
    dock = QDockWidget(title, parent)
    dock.setObjectName(name)
    dock.setFeatures(
        QDockWidget.DockWidgetFeature.DockWidgetClosable
        | QDockWidget.DockWidgetFeature.DockWidgetMovable
    )
    dock.setTitleBarWidget(DockTitle(dock))
    dock.setWidget(content)
    return dock
