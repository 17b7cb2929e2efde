"""The panel of a tool, on the right of the canvas, and the blocks it is made of.

A panel says what to do next in one line, takes its inputs, runs, and ends in a result card. It
keeps its width and its place; only the middle scrolls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import shiboken6
from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from plumbline.core.i18n import tr
from plumbline.core.units import digits_for, format_number
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.icons import set_icon
from plumbline.ui_kit.labels import ElidedLabel, label, line
from plumbline.ui_kit.live import on_language

WIDTH = 320


class Panel(QWidget):
    """Base of every tool panel: title, one line of instruction, scrolling body, footer.

    A subclass fills `body` in its constructor, overrides `retranslate` to set its texts and
    connects `run_requested`. `retranslate` is called at the end of the subclass's constructor by
    the subclass, and again by the panel whenever the language changes.
    """

    #: The primary button was pressed.
    run_requested = Signal()
    #: The close button in the title was pressed.
    close_requested = Signal()

    def __init__(self, title: str = "", icon: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(280)
        self._title = ElidedLabel(title, "title")
        self._icon = QLabel()
        self._icon.setVisible(bool(icon))
        if icon:
            set_icon(self._icon, icon, role="link")
        self._close = tool_button("close", role="muted", size=16, clicked=self.close_requested.emit)
        self._instruction = _Instruction()
        self.body = QVBoxLayout()
        self.body.setContentsMargins(16, 12, 16, 16)
        self.body.setSpacing(12)
        self.body.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.footer = QHBoxLayout()
        self.footer.setContentsMargins(16, 12, 16, 12)
        self.footer.setSpacing(8)
        self._primary = button("", "primary", clicked=self.run_requested.emit)
        self._primary.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.footer.addWidget(self._primary)
        self._footer_box = QWidget()
        self._lay_out()
        self.set_primary("")
        on_language(self, self._language_changed)
        self._translate_own()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(16, 10, 8, 10)
        head.setSpacing(8)
        head.addWidget(self._icon)
        head.addWidget(self._title, 1)
        head.addWidget(self._close)
        hint = QHBoxLayout()
        hint.setContentsMargins(16, 0, 16, 4)
        hint.addWidget(self._instruction)
        foot = QVBoxLayout(self._footer_box)
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(0)
        foot.addWidget(line())
        foot.addLayout(self.footer)
        self._scroll = scroll_area(self.body)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(hint)
        column.addWidget(self._scroll, 1)
        column.addWidget(self._footer_box)

    def sizeHint(self) -> QSize:
        """The width all panels share."""
        return QSize(WIDTH, 560)

    def set_title(self, text: str) -> None:
        """Set the translated title."""
        self._title.setText(text)

    def set_instruction(self, text: str) -> None:
        """Say in one translated line what to do next; an empty text frees the place."""
        self._instruction.set_text(text)

    def set_closable(self, closable: bool) -> None:
        """Show or hide the close button of the title."""
        self._close.setVisible(closable)

    def set_primary(self, text: str, *, enabled: bool = True, icon: str = "") -> None:
        """Name the one action at the foot of the panel; an empty text hides the foot."""
        self._primary.setText(text)
        self._primary.setEnabled(enabled)
        if icon:
            set_icon(self._primary, icon, role="accent_text", size=16)
        self._footer_box.setVisible(bool(text))

    @property
    def primary(self) -> QPushButton:
        """The primary button."""
        return self._primary

    def scroll_to(self, widget: QWidget) -> None:
        """Bring a part of the body into sight, once the layout has settled."""

        def scroll() -> None:
            if shiboken6.isValid(widget) and widget.isVisible():
                top = widget.mapTo(self._scroll.widget(), QPoint(0, 0)).y()
                self._scroll.verticalScrollBar().setValue(top - 12)

        QTimer.singleShot(0, self, scroll)

    def add(self, widget: QWidget) -> QWidget:
        """Append a widget to the body and return it."""
        self.body.addWidget(widget)
        return widget

    def retranslate(self) -> None:
        """Set every text again; override, and call at the end of the constructor."""

    def _translate_own(self) -> None:
        self._close.setToolTip(tr("Close"))
        self._close.setAccessibleName(tr("Close"))

    def _language_changed(self) -> None:
        self._translate_own()
        self.retranslate()


class _Instruction(QFrame):
    """The one line that says what to do next; two lines high at most, so that nothing jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("instruction", True)
        mark = QLabel()
        set_icon(mark, "info", role="link", size=16)
        self._text = label("", wrap=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 10, 8)
        row.setSpacing(8)
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._text, 1)
        self.setContentsMargins(0, 0, 0, 0)
        self.hide()

    def set_text(self, text: str) -> None:
        self._text.setText(text)
        self.setVisible(bool(text))


def scroll_area(content: QVBoxLayout) -> QScrollArea:
    """Return a frameless area that scrolls a column downwards and never sideways."""
    inside = QWidget()
    inside.setProperty("scrollBody", True)
    inside.setLayout(content)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    area.viewport().setAutoFillBackground(False)
    inside.setAutoFillBackground(False)
    margins = content.contentsMargins()

    def make_room(low: int, high: int) -> None:
        # The scroll bar stands in the margin: what is inside keeps its width when it appears.
        taken = area.verticalScrollBar().sizeHint().width() if high > low else 0
        right = max(0, margins.right() - taken)
        content.setContentsMargins(margins.left(), margins.top(), right, margins.bottom())

    area.verticalScrollBar().rangeChanged.connect(make_room)
    return area


class Section(QWidget):
    """A part of a panel under a heading that opens and closes it."""

    toggled = Signal(bool)

    def __init__(
        self, title: str = "", *, open_: bool = True, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._head = button(title, "flat", clicked=self._toggle)
        self._head.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._content = QWidget()
        self.body = QVBoxLayout(self._content)
        self.body.setContentsMargins(0, 4, 0, 4)
        self.body.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self._content)
        self.set_open(open_)

    @property
    def is_open(self) -> bool:
        """Whether the content is shown."""
        return not self._content.isHidden()

    def set_open(self, open_: bool) -> None:
        """Show or hide the content."""
        self._content.setVisible(open_)
        set_icon(self._head, "chevron-down" if open_ else "chevron-right", role="muted", size=16)

    def set_title(self, text: str) -> None:
        """Set the translated heading."""
        self._head.setText(text)

    def add(self, widget: QWidget) -> QWidget:
        """Append a widget and return it."""
        self.body.addWidget(widget)
        return widget

    def _toggle(self) -> None:
        self.set_open(not self.is_open)
        self.toggled.emit(self.is_open)


class EmptyState(QWidget):
    """What an empty place says: what would be here, and the ways to get it."""

    def __init__(
        self, icon: str, title: str = "", text: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        picture = QLabel()
        picture.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        set_icon(picture, icon, role="muted", size=32)
        self._title = label(title, "heading", wrap=True)
        self._text = label(text, "muted", wrap=True)
        for part in (self._title, self._text):
            part.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._actions = QVBoxLayout()
        self._actions.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(picture)
        column.addWidget(self._title)
        column.addWidget(self._text)
        column.addSpacing(8)
        column.addLayout(self._actions)
        column.addStretch(3)
        self.set_text(title, text)

    def set_text(self, title: str, text: str = "") -> None:
        """Set the translated texts."""
        self._title.setText(title)
        self._text.setText(text)
        self._title.setVisible(bool(title))
        self._text.setVisible(bool(text))

    def add_action(
        self, text: str, clicked: Callable[[], object], *, icon: str = "", primary: bool = False
    ) -> QPushButton:
        """Append a way out of the emptiness."""
        result = button(text, "primary" if primary else "secondary", icon=icon, clicked=clicked)
        self._actions.addWidget(result, 0, Qt.AlignmentFlag.AlignHCenter)
        return result


class ResultCard(QFrame):
    """A result: the number large, unit beside it, uncertainty after it, then details.

    The digits follow the uncertainty. `set_value` may be called on every mouse move.
    """

    export_requested = Signal()
    report_requested = Signal()

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        self._title = ElidedLabel(title, "caption")
        self._number = label("–", "value")
        self._uncertainty = label("", "unit")
        self._unit = label("", "unit")
        self._rows: list[tuple[ElidedLabel, QLabel]] = []
        self._details = QGridLayout()
        self._details.setHorizontalSpacing(12)
        self._details.setVerticalSpacing(4)
        self._details.setColumnStretch(0, 1)
        self._notes = label("", "warn", wrap=True)
        self._notes.hide()
        self._export = button("", icon="export", clicked=self.export_requested.emit)
        self._report = button("", icon="report-add", clicked=self.report_requested.emit)
        for text in (self._number, self._uncertainty, self._unit):
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._lay_out()
        on_language(self, self.retranslate)
        self.retranslate()

    def _lay_out(self) -> None:
        number = QHBoxLayout()
        number.setSpacing(6)
        for text in (self._number, self._uncertainty, self._unit):
            number.addWidget(text, 0, Qt.AlignmentFlag.AlignBottom)
        for small in (self._uncertainty, self._unit):
            small.setContentsMargins(0, 0, 0, 4)
        number.addStretch(1)
        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 4, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._export)
        row.addWidget(self._report)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(4)
        column.addWidget(self._title)
        column.addLayout(number)
        column.addLayout(self._details)
        column.addWidget(self._notes)
        column.addWidget(self._buttons)

    def set_title(self, text: str) -> None:
        """Set the translated name of the number."""
        self._title.setText(text)

    def set_value(
        self,
        value: float | None,
        unit: str = "",
        uncertainty: float | None = None,
        *,
        digits: int = 2,
    ) -> None:
        """Show a number in the unit it is given in.

        Parameters
        ----------
        value : float, optional
            The number; ``None`` shows a dash.
        unit : str
            ``m``, ``m²``, ``°``...
        uncertainty : float, optional
            One standard uncertainty in the same unit; ``None`` when it is not known.
        digits : int
            Decimals to show where the uncertainty is not known.
        """
        digits = digits_for(uncertainty, digits)
        self._number.setText("–" if value is None else format_number(value, digits))
        spread = "" if value is None or uncertainty is None else format_number(uncertainty, digits)
        self._uncertainty.setText(f"± {spread}" if spread else "")
        self._uncertainty.setVisible(bool(spread))
        self._unit.setText(unit)

    def set_text(self, text: str) -> None:
        """Show a word as the result ("visible") in place of a number."""
        self._number.setText(text)
        self._uncertainty.hide()
        self._unit.setText("")

    def set_details(self, rows: Iterable[tuple[str, str]]) -> None:
        """Replace the list of details by rows of translated name and formatted value."""
        rows = list(rows)
        while len(self._rows) < len(rows):
            self._add_row()
        while len(self._rows) > len(rows):
            for old in self._rows.pop():
                self._details.removeWidget(old)
                old.hide()
                old.deleteLater()
        for (name, value), texts in zip(self._rows, rows, strict=True):
            name.setText(texts[0])
            value.setText(texts[1])

    def _add_row(self) -> None:
        name, value = ElidedLabel(role="muted"), label()
        value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._details.addWidget(name, len(self._rows), 0)
        self._details.addWidget(value, len(self._rows), 1)
        self._rows.append((name, value))

    def set_notes(self, notes: Iterable[str]) -> None:
        """Show warnings below the details, one per line."""
        text = "\n".join(notes)
        self._notes.setText(text)
        self._notes.setVisible(bool(text))

    def set_actions(self, *, export: bool = True, report: bool = True) -> None:
        """Show or hide the two buttons."""
        self._export.setVisible(export)
        self._report.setVisible(report)
        self._buttons.setVisible(export or report)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._export.setText(tr("Export"))
        self._report.setText(tr("Add to report"))
