"""One message at a time over the canvas: what went wrong and what to do; never a modal wall."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from plumbline.api import tr
from plumbline.services.notifier import Notification, Notifier, Severity
from plumbline.ui.poster import Poster
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.icons import set_icon
from plumbline.ui_kit.labels import label, set_property
from plumbline.ui_kit.live import on_language

#: Plain information goes by itself after this long, milliseconds.
INFO_TIME = 6000
ICONS = {
    Severity.INFO: ("info", "link"),
    Severity.WARNING: ("warning", "warn"),
    Severity.ERROR: ("error", "bad"),
    Severity.DEFECT: ("error", "bad"),
}


class MessageBar(QFrame):
    """Shows the newest notification at the top of the canvas."""

    details_requested = Signal()

    def __init__(self, notifier: Notifier, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self._shown: Notification | None = None
        self._mark = QLabel()
        self._text = label("", wrap=True)
        self._hint = label("", "muted", wrap=True)
        self._copy = button("", icon="copy", clicked=self._copy_details)
        self._more = button("", "ghost", clicked=self.details_requested.emit)
        close = tool_button("close", role="muted", size=16, clicked=self.hide)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self._text)
        texts.addWidget(self._hint)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(10)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        row.addWidget(self._copy, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._more, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        # Notifications come on the thread that notifies.
        self._poster = Poster(self)
        notifier.notified.connect(self._notified)
        on_language(self, self.retranslate)
        self.retranslate()
        self.hide()

    def setParent(self, parent: QWidget) -> None:  # type: ignore[override]
        """Float over a widget and follow its size."""
        super().setParent(parent)
        parent.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _notified(self, notification: Notification) -> None:
        self._poster.post(lambda: self.show_notification(notification))

    def show_notification(self, notification: Notification) -> None:
        """Show one notification; information goes away by itself."""
        self._shown = notification
        name, role = ICONS[notification.severity]
        set_icon(self._mark, name, role=role)
        set_property(self, "severity", notification.severity.value)
        self._text.setText(notification.message)
        self._hint.setText(notification.hint)
        self._hint.setVisible(bool(notification.hint))
        self._copy.setVisible(bool(notification.details))
        self.show()
        self._place()
        self.raise_()
        self._timer.stop()
        if notification.severity is Severity.INFO:
            self._timer.start(INFO_TIME)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._copy.setText(tr("Copy details"))
        self._more.setText(tr("All messages"))

    def _copy_details(self) -> None:
        if self._shown is not None:
            QGuiApplication.clipboard().setText(self._shown.details)

    def _place(self) -> None:
        parent = self.parentWidget()
        if parent is None:
            return
        width = min(720, parent.width() - 120)
        self.setFixedWidth(max(240, width))
        self.layout().activate()
        height = max(self.layout().heightForWidth(self.width()), self.sizeHint().height())
        self.resize(QSize(self.width(), height))
        self.move((parent.width() - self.width()) // 2, 12)
