"""Fields to type into: numbers with a unit, coordinates, search, choices, colours, progress.

Every field takes what people type and paste, keeps its size, and never changes by a stray turn of
the mouse wheel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QFocusEvent,
    QLinearGradient,
    QPainter,
    QPaintEvent,
    QValidator,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QButtonGroup,
    QColorDialog,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStyledItemDelegate,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from plumbline.core.i18n import tr
from plumbline.core.units import format_number
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.icons import set_icon
from plumbline.ui_kit.labels import ElidedLabel, label, set_property
from plumbline.ui_kit.live import on_language
from plumbline.ui_kit.parsing import Point, parse_number, parse_point, parse_points, point_text
from plumbline.ui_kit.theme import current_theme


def inset(spin: QAbstractSpinBox, right: int = 0) -> None:
    """Give the text of a spin box or date field the inset of a line edit.

    Style sheets cannot: Qt ignores their padding for the editor inside a spin box.
    """
    spin.lineEdit().setTextMargins(6, 0, right, 0)


class UnitSpinBox(QAbstractSpinBox):
    """A number with its unit; may be empty; takes anything `parse_number` takes.

    The limits stop the arrows, not the typing: a number out of range stays as typed, so that the
    form can say in words what is wrong with it.
    """

    #: The number (float or None) changed, by typing or by the arrows.
    value_changed = Signal(object)
    #: The number is meant: typed and left or entered, or set by the arrows. For what is edited at
    #: once, where every digit would be an edit of its own.
    value_committed = Signal(object)

    def __init__(
        self,
        unit: str = "",
        *,
        decimals: int | None = None,
        step: float = 1.0,
        minimum: float | None = None,
        maximum: float | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._decimals = decimals
        self._step = step
        self._minimum, self._maximum = minimum, maximum
        self._value: float | None = None
        self._committed: float | None = None
        self._unit_label = label("", "muted")
        self._unit_label.setParent(self.lineEdit())
        self._unit_label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(80)
        self.set_unit(unit)
        self.lineEdit().textEdited.connect(self._read)
        self.editingFinished.connect(self.commit)

    @property
    def unit(self) -> str:
        """The unit shown at the right end."""
        return self._unit_label.text()

    def set_unit(self, unit: str) -> None:
        """Show another unit; the number stays as it is."""
        self._unit_label.setText(unit)
        self._place_unit()

    def set_limits(self, minimum: float | None, maximum: float | None) -> None:
        """Set where the arrows stop."""
        self._minimum, self._maximum = minimum, maximum

    def value(self) -> float | None:
        """Return the number, None when the field is empty or not a number."""
        return self._value

    def text_is_number(self) -> bool:
        """Return whether the text is a number or empty."""
        return self._value is not None or not self.text().strip()

    def set_value(self, value: float | None) -> None:
        """Show a number without emitting a signal."""
        self._value = self._committed = value
        self.lineEdit().setText(self._format(value))

    @property
    def pending(self) -> bool:
        """Whether something is typed that is not committed yet."""
        return self._value != self._committed

    def commit(self) -> None:
        """Take what is typed as meant, once."""
        if self.pending:
            self._committed = self._value
            self.value_committed.emit(self._value)

    def _format(self, value: float | None) -> str:
        if value is None:
            return ""
        if self._decimals is not None:
            return format_number(value, self._decimals)
        plain = f"{value:.9f}".rstrip("0")
        return format_number(value, len(plain.partition(".")[2]))

    def _read(self) -> None:
        value = parse_number(self.text(), self.unit)
        if value != self._value or value is None:
            self._value = value
            self.value_changed.emit(value)

    def stepBy(self, steps: int) -> None:
        """Move by arrows, keys or wheel, stopping at the limits."""
        value = (self._value or 0.0) + steps * self._step
        # Steps of 0.1 must not end in 0.30000000000000004.
        value = round(value, 9)
        if self._minimum is not None:
            value = max(value, self._minimum)
        if self._maximum is not None:
            value = min(value, self._maximum)
        changed = value != self._value
        self.set_value(value)
        self.selectAll()
        if changed:
            self.value_changed.emit(value)
            self.value_committed.emit(value)

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        """Return which arrows still lead somewhere."""
        flags = QAbstractSpinBox.StepEnabledFlag
        result = flags.StepNone
        value = self._value or 0.0
        if self._maximum is None or value < self._maximum:
            result |= flags.StepUpEnabled
        if self._minimum is None or value > self._minimum:
            result |= flags.StepDownEnabled
        return result

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let everything be typed; the form judges."""
        return QValidator.State.Acceptable, text, position

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Set the number in order once the user has left."""
        super().focusOutEvent(event)
        if self._value is not None:
            self.lineEdit().setText(self._format(self._value))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Turn only with focus: a scrolling panel must not change numbers."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def resizeEvent(self, event: object) -> None:
        """Keep the unit at the right end."""
        super().resizeEvent(event)
        self._place_unit()

    def _place_unit(self) -> None:
        width = self._unit_label.sizeHint().width() if self.unit else 0
        editor = self.lineEdit()
        inset(self, width + 6 if width else 2)
        self._unit_label.setGeometry(editor.width() - width - 4, 0, width, editor.height())
        self._unit_label.setVisible(bool(width))

    def sizeHint(self) -> QSize:
        """One control high."""
        return QSize(120, 28)


class ComboBox(QComboBox):
    """A choice that keeps its width and ignores the wheel while it has no focus."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setMaxVisibleItems(16)
        # The delegate that combo boxes bring does not know the style sheet.
        self.setItemDelegate(QStyledItemDelegate(self))

    def set_choices(self, choices: Iterable[tuple[object, str]]) -> None:
        """Offer other keys under their translated texts; keeps what was chosen, and no signal."""
        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        for key, text in choices:
            self.addItem(text, key)
        self.setCurrentIndex(max(0, self.findData(chosen)))
        self.blockSignals(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Turn only with focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class CoordinateEdit(QWidget):
    """One point as ``x, y, z``, typed, pasted from a table or a text, or picked in the scene."""

    #: The point (tuple of floats or None) changed by typing.
    point_changed = Signal(object)
    #: The pick button went down or up.
    pick_toggled = Signal(bool)

    def __init__(self, *, sizes: tuple[int, ...] = (3,), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sizes = sizes
        self._point: Point | None = None
        self.line_edit = QLineEdit()
        self.line_edit.textEdited.connect(self._read)
        self.pick_button = tool_button("pick", checkable=True)
        self.pick_button.toggled.connect(self.pick_toggled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.line_edit, 1)
        row.addWidget(self.pick_button)
        self.setFocusProxy(self.line_edit)
        on_language(self, self.retranslate)
        self.retranslate()

    def point(self) -> Point | None:
        """Return the point, None when the field is empty or not a point."""
        return self._point

    def text(self) -> str:
        """Return what stands in the field."""
        return self.line_edit.text()

    def set_point(self, point: Iterable[float] | None) -> None:
        """Show a point without emitting a signal; its full precision is kept."""
        self._point = None if point is None else tuple(float(value) for value in point)
        self.line_edit.setText("" if self._point is None else point_text(self._point))
        self.line_edit.setCursorPosition(0)

    def set_picking(self, picking: bool) -> None:
        """Show whether the next click in the scene sets this point, without a signal."""
        blocked = self.pick_button.blockSignals(True)
        self.pick_button.setChecked(picking)
        self.pick_button.blockSignals(blocked)

    def _read(self, text: str) -> None:
        point = parse_point(text)
        self._point = point if point is not None and len(point) in self._sizes else None
        self.point_changed.emit(self._point)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self.line_edit.setPlaceholderText("X, Y, Z" if 3 in self._sizes else "X, Y")
        self.pick_button.setToolTip(tr("Pick in the scene"))
        self.pick_button.setAccessibleName(tr("Pick in the scene"))


class PointsEdit(QWidget):
    """A list of points, one per line; rows copied from a spreadsheet can be pasted."""

    points_changed = Signal(object)
    pick_toggled = Signal(bool)

    def __init__(self, *, sizes: tuple[int, ...] = (2, 3), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sizes = sizes
        self._points: list[Point] | None = []
        self.text_edit = QPlainTextEdit()
        self.text_edit.setFixedHeight(96)
        self.text_edit.setTabChangesFocus(True)
        self.text_edit.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text_edit.textChanged.connect(self._read)
        self.pick_button = tool_button("pick", checkable=True)
        self.pick_button.toggled.connect(self.pick_toggled)
        self._clear = tool_button("trash", clicked=self._clear_all)
        self._count = label("", "hint")
        side = QVBoxLayout()
        side.setSpacing(4)
        side.addWidget(self.pick_button)
        side.addWidget(self._clear)
        side.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.text_edit, 1)
        row.addLayout(side)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self._count)
        self.setFocusProxy(self.text_edit)
        on_language(self, self.retranslate)
        self.retranslate()

    def points(self) -> list[Point] | None:
        """Return the points, None when a line is not a point."""
        return self._points

    def text(self) -> str:
        """Return what stands in the field."""
        return self.text_edit.toPlainText()

    def set_points(self, points: Iterable[Iterable[float]]) -> None:
        """Show points without emitting a signal; their full precision is kept."""
        kept = [tuple(float(value) for value in point) for point in points]
        blocked = self.text_edit.blockSignals(True)
        self.text_edit.setPlainText("\n".join(point_text(point) for point in kept))
        self.text_edit.blockSignals(blocked)
        self._points = kept
        self._show_count()

    def set_text(self, text: str) -> None:
        """Show a text that is no list of points, without emitting a signal."""
        blocked = self.text_edit.blockSignals(True)
        self.text_edit.setPlainText(text)
        self.text_edit.blockSignals(blocked)
        self._points = [] if not text else None
        self._show_count()

    def add_point(self, point: Iterable[float]) -> None:
        """Append a picked point and tell it."""
        self.set_points([*(self._points or []), tuple(point)])
        self.points_changed.emit(self._points)

    def set_picking(self, picking: bool) -> None:
        """Show whether clicks in the scene add points, without a signal."""
        blocked = self.pick_button.blockSignals(True)
        self.pick_button.setChecked(picking)
        self.pick_button.blockSignals(blocked)

    def _clear_all(self) -> None:
        self.set_points([])
        self.points_changed.emit(self._points)

    def _read(self) -> None:
        points = parse_points(self.text())
        fits = points is not None and all(len(point) in self._sizes for point in points)
        self._points = points if fits else None
        self._show_count()
        self.points_changed.emit(self._points)

    def _show_count(self) -> None:
        count = len(self._points or [])
        self._count.setText(tr("{n} points", n=count))

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self.pick_button.setToolTip(tr("Pick in the scene"))
        self.pick_button.setAccessibleName(tr("Pick in the scene"))
        self._clear.setToolTip(tr("Remove all points"))
        self._clear.setAccessibleName(tr("Remove all points"))
        self.text_edit.setPlaceholderText(tr("One point per line: X, Y, Z"))
        self._show_count()


class SearchField(QLineEdit):
    """A search box with a lens, a clear button and, where it has one, its shortcut."""

    def __init__(
        self, placeholder: str = "", shortcut: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setPlaceholderText(placeholder)
        self.setClearButtonEnabled(True)
        lens = QAction(self)
        self.addAction(lens, QLineEdit.ActionPosition.LeadingPosition)
        set_icon(lens, "search", role="muted")
        self._key = label(shortcut, "key")
        self._key.setParent(self)
        self._key.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._clear = self.findChild(QAction, "_q_qlineeditclearaction")
        if self._clear is not None:
            set_icon(self._clear, "close", role="muted")
        self._show_key = bool(shortcut)
        self.textChanged.connect(self._place_key)
        self._place_key()

    def resizeEvent(self, event: object) -> None:
        """Keep the shortcut at the right end."""
        super().resizeEvent(event)
        self._place_key()

    def _place_key(self) -> None:
        size = self._key.sizeHint()
        self._key.setGeometry(
            self.width() - size.width() - 6, (self.height() - 18) // 2, size.width(), 18
        )
        self._key.setVisible(self._show_key and not self.text())


class ProgressRow(QWidget):
    """One running task in a line: what it does, how far it is, and a way to stop it."""

    cancel_requested = Signal()

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ElidedLabel(text)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(120)
        self._share = label("", "hint")
        self._share.setFixedWidth(36)
        self._share.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._cancel = tool_button(
            "cancel", role="muted", size=16, clicked=self.cancel_requested.emit
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._text, 1)
        row.addWidget(self._bar)
        row.addWidget(self._share)
        row.addWidget(self._cancel)
        self.setFixedHeight(24)
        self.set_progress(None)
        on_language(self, self.retranslate)
        self.retranslate()

    def set_text(self, text: str) -> None:
        """Say what is being done."""
        self._text.setText(text)

    def set_progress(self, share: float | None) -> None:
        """Show a share of 0 to 1; None while it is not known."""
        if share is None:
            self._bar.setRange(0, 0)
            self._share.setText("")
            return
        share = min(1.0, max(0.0, share))
        self._bar.setRange(0, 1000)
        self._bar.setValue(round(share * 1000))
        self._share.setText(f"{share * 100:.0f}%")

    def set_cancellable(self, cancellable: bool) -> None:
        """Enable or disable the cancel button; its place stays."""
        self._cancel.setEnabled(cancellable)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._cancel.setToolTip(tr("Cancel"))
        self._cancel.setAccessibleName(tr("Cancel"))


_KIND_ICON = {
    "info": ("info", "link"),
    "good": ("success", "good"),
    "warn": ("warning", "warn"),
    "bad": ("error", "bad"),
}


class MessageBar(QFrame):
    """A message that does not stop anybody: a bar with an icon, a text, perhaps one action."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "info")
        self._mark = QLabel()
        self._text = label("", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._action = button("", "ghost", clicked=self._act)
        self._run: Callable[[], object] | None = None
        self._close = tool_button("close", role="muted", size=16, clicked=self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.setSpacing(8)
        row.addWidget(self._mark)
        row.addWidget(self._text, 1)
        row.addWidget(self._action)
        row.addWidget(self._close)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self.hide()
        on_language(self, self.retranslate)
        self.retranslate()

    def show_message(
        self,
        text: str,
        kind: str = "info",
        *,
        action: str = "",
        run: Callable[[], object] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Show a message.

        Parameters
        ----------
        text : str
            Translated text.
        kind : {"info", "good", "warn", "bad"}
            Its meaning.
        action : str
            Translated name of one thing to do about it; empty for none.
        run : callable, optional
            What the action does; the bar closes afterwards.
        seconds : float, optional
            Time after which it leaves by itself; None keeps it until it is closed.
        """
        icon, role = _KIND_ICON[kind]
        set_icon(self._mark, icon, role=role)
        set_property(self, "kind", kind)
        self._text.setText(text)
        self._run = run
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self._timer.stop()
        if seconds is not None:
            self._timer.start(round(seconds * 1000))
        self.show()

    def dismiss(self) -> None:
        """Close the bar."""
        self._timer.stop()
        self.hide()
        self.closed.emit()

    def _act(self) -> None:
        if self._run is not None:
            self._run()
        self.dismiss()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._close.setToolTip(tr("Close"))
        self._close.setAccessibleName(tr("Close"))


class SegmentedControl(QFrame):
    """One of a few choices, all of them in sight."""

    #: The key of the choice the user made.
    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("segmented", True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(1, 1, 1, 1)
        self._row.setSpacing(1)

    def add(self, key: str, text: str = "", *, icon: str = "", tip: str = "") -> None:
        """Append a choice; the first one becomes the current one."""
        choice = QToolButton()
        choice.setCheckable(True)
        choice.setText(text)
        choice.setToolTip(tip)
        choice.setAccessibleName(text or tip)
        choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if icon:
            set_icon(choice, icon, size=16)
            style = Qt.ToolButtonStyle
            choice.setToolButtonStyle(
                style.ToolButtonTextBesideIcon if text else style.ToolButtonIconOnly
            )
        choice.clicked.connect(lambda _=False: self.changed.emit(key))
        self._group.addButton(choice)
        self._row.addWidget(choice)
        self._buttons[key] = choice
        if len(self._buttons) == 1:
            choice.setChecked(True)

    def set_text(self, key: str, text: str, *, tip: str = "") -> None:
        """Set the translated text of one choice."""
        self._buttons[key].setText(text)
        self._buttons[key].setToolTip(tip)
        self._buttons[key].setAccessibleName(text or tip)

    def current(self) -> str:
        """Return the key of the current choice, empty when there is none."""
        return next((key for key, choice in self._buttons.items() if choice.isChecked()), "")

    def set_current(self, key: str) -> None:
        """Make a choice without emitting a signal."""
        self._buttons[key].setChecked(True)


class Swatch(QWidget):
    """A spot of colour, or of several in a row: a legend key, a ramp."""

    def __init__(
        self, *colors: str, smooth: bool = False, width: int = 16, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._colors = colors
        self._smooth = smooth
        self.setFixedSize(width, 16)

    def set_colors(self, *colors: str) -> None:
        """Show other colours."""
        self._colors = colors
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the colours side by side inside a rounded frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5)
        ramp = QLinearGradient(area.topLeft(), area.topRight())
        count = len(self._colors)
        for index, color in enumerate(self._colors):
            if self._smooth and count > 1:
                ramp.setColorAt(index / (count - 1), QColor(color))
            else:
                ramp.setColorAt(index / count, QColor(color))
                ramp.setColorAt(min(1.0, (index + 1) / count - 1e-6), QColor(color))
        painter.setBrush(ramp)
        painter.setPen(current_theme().color("border_strong"))
        painter.drawRoundedRect(area, 3, 3)


class ColorButton(QPushButton):
    """A colour that can be chosen."""

    #: The chosen colour as ``#RRGGBB``.
    color_changed = Signal(str)

    def __init__(self, color: str = "#808080", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._color = color
        self.setFixedSize(56, 28)
        self.clicked.connect(self._choose)
        on_language(self, self.retranslate)
        self.retranslate()

    def color(self) -> str:
        """Return the colour as ``#RRGGBB``."""
        return self._color

    def set_color(self, color: str) -> None:
        """Show a colour without emitting a signal."""
        self._color = QColor(color).name().upper()
        self.retranslate()
        self.update()

    def _choose(self) -> None:
        chosen = QColorDialog.getColor(QColor(self._color), self, tr("Choose a colour"))
        if chosen.isValid():
            self.set_color(chosen.name())
            self.color_changed.emit(self._color)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the button and the colour on it."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor(self._color))
        painter.setPen(current_theme().color("border_strong"))
        painter.drawRoundedRect(self.rect().toRectF().adjusted(5.5, 5.5, -5.5, -5.5), 2, 2)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self.setToolTip(tr("Colour {color}", color=self._color))
        self.setAccessibleName(tr("Colour {color}", color=self._color))
