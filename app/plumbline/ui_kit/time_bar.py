"""The bar of a day: the date, the standard days of sunlight codes, the hour, and play.

It knows clock times only: where the sun stands then is for whoever listens. Minutes count from
midnight on the clock that the bar is told to show.
"""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import QDate, QElapsedTimer, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QDateEdit, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from plumbline.analysis.sunlight_rules import DAYS
from plumbline.api import tr
from plumbline.ui_kit.buttons import tool_button
from plumbline.ui_kit.fields import ComboBox
from plumbline.ui_kit.fonts import ui_font
from plumbline.ui_kit.icons import set_icon
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import on_language
from plumbline.ui_kit.theme import current_theme
from plumbline.ui_kit.views import set_up_calendar

DAY = 24 * 60.0
#: Days that the codes judge by, in the order of the year.
ORDER = (
    "great_cold", "spring_equinox", "summer_solstice", "autumn_equinox", "winter_solstice",
)  # fmt: skip
#: Minutes of the day that pass in a second of play.
SPEEDS = (10.0, 30.0, 60.0, 120.0)
#: Between two steps of play, milliseconds.
STEP = 50


def clock_text(minutes: float) -> str:
    """Return ``"08:30"``."""
    whole = round(minutes) % round(DAY)
    return f"{whole // 60:02d}:{whole % 60:02d}"


class DayScale(QWidget):
    """A day from end to end: light and dark, hours, and the hand that is dragged."""

    moved = Signal(float)

    MARGIN = 10

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._minutes = 12 * 60.0
        self._light: tuple[float, float] | None = None
        self._band: tuple[float, float] | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(200)
        self.setFixedHeight(38)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Wide enough to hit five minutes."""
        return QSize(420, 38)

    def set_minutes(self, minutes: float) -> None:
        """Put the hand somewhere, without a signal."""
        self._minutes = min(DAY, max(0.0, minutes))
        self.update()

    def set_light(self, light: tuple[float, float] | None) -> None:
        """Show sunrise and sunset; None where they are not known."""
        self._light = light
        self.update()

    def set_band(self, band: tuple[float, float] | None) -> None:
        """Show the hours that a code counts."""
        self._band = band
        self.update()

    def _x(self, minutes: float) -> float:
        return self.MARGIN + minutes / DAY * (self.width() - 2 * self.MARGIN)

    def _take(self, x: float) -> None:
        share = (x - self.MARGIN) / max(1, self.width() - 2 * self.MARGIN)
        minutes = float(round(min(1.0, max(0.0, share)) * DAY))
        if minutes != self._minutes:
            self.set_minutes(minutes)
            self.moved.emit(minutes)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the hand."""
        self._take(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the hand."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._take(event.position().x())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move by five minutes, with Shift by one, with Page keys by an hour."""
        one = 1.0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 5.0
        steps = {
            Qt.Key.Key_Left: -one, Qt.Key.Key_Right: one,
            Qt.Key.Key_PageDown: -60.0, Qt.Key.Key_PageUp: 60.0,
        }  # fmt: skip
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        self.set_minutes(self._minutes + step)
        self.moved.emit(self._minutes)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint night, day, hours and the hand."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        track = QRectF(self._x(0), 8, self._x(DAY) - self._x(0), 8)
        painter.setBrush(theme.color("border_strong"))
        painter.drawRoundedRect(track, 4, 4)
        if self._light is not None:
            rise, fall = self._light
            painter.setBrush(_analysis("lit"))
            painter.drawRoundedRect(
                QRectF(self._x(rise), 8, self._x(fall) - self._x(rise), 8), 4, 4
            )
        if self._band is not None:
            start, end = self._band
            painter.setPen(QPen(theme.color("link"), 2))
            painter.drawLine(QPointF(self._x(start), 18), QPointF(self._x(end), 18))
        self._hours(painter)
        painter.setPen(QPen(theme.color("raised"), 1.5))
        painter.setBrush(theme.color("focus" if self.hasFocus() else "accent"))
        painter.drawEllipse(QPointF(self._x(self._minutes), 12), 7, 7)

    def _hours(self, painter: QPainter) -> None:
        theme = current_theme()
        painter.setFont(ui_font(11))
        every = 3 if self.width() > 260 else 6
        for hour in range(0, 25, every):
            x = self._x(hour * 60.0)
            painter.setPen(theme.color("border_strong"))
            painter.drawLine(QPointF(x, 18), QPointF(x, 21))
            painter.setPen(theme.color("muted"))
            place = QRectF(x - 20, 21, 40, 16)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, f"{hour}")


def _analysis(name: str) -> QColor:
    return QColor(getattr(current_theme().analysis, name))


class TimeBar(QWidget):
    """Day, standard days, hour, play."""

    #: Day or minute changed, by the user or by play: date, minutes from midnight.
    changed = Signal(object, float)
    #: An animation of the day was asked for, at the speed of the bar, or is to be given up.
    film_requested = Signal(bool)
    #: A standard day was asked for by name.
    standard_day_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._minutes = 12 * 60.0
        self._light: tuple[float, float] | None = None
        self._date = QDateEdit()
        self._date.setDisplayFormat("yyyy-MM-dd")
        set_up_calendar(self._date)
        self._date.setFixedWidth(118)
        self._days = ComboBox()
        self._days.setMinimumWidth(112)
        for name in ORDER:
            self._days.addItem("", name)
        self._days.setCurrentIndex(-1)
        self._play = tool_button("play", checkable=True)
        self._film = tool_button("export", checkable=True)
        self._speed = ComboBox()
        self._speed.setMinimumWidth(84)
        for speed in SPEEDS:
            self._speed.addItem("", speed)
        self._speed.setCurrentIndex(1)
        self.scale = DayScale()
        self._time = label("12:00", "heading")
        self._time.setFixedWidth(48)
        self._note = label("", "hint")
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(STEP)
        self._lay_out()
        self._connect()
        on_language(self, self.retranslate)
        self.retranslate()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        for part in (self._date, self._days):
            top.addWidget(part)
        top.addStretch(1)
        top.addWidget(self._note)
        low = QHBoxLayout()
        low.setSpacing(8)
        low.addWidget(self._play)
        low.addWidget(self._time)
        low.addWidget(self.scale, 1)
        low.addWidget(self._speed)
        low.addWidget(self._film)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 6)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(low)

    def _connect(self) -> None:
        self._date.dateChanged.connect(self._day_edited)
        self._days.activated.connect(
            lambda _: self.standard_day_requested.emit(self._days.currentData())
        )
        self._play.toggled.connect(self._play_toggled)
        self._film.toggled.connect(self._film_toggled)
        self.scale.moved.connect(self._hand_moved)
        self._timer.timeout.connect(self._advance)

    # -- what it shows ---------------------------------------------------------------------

    @property
    def day(self) -> date:
        """The day."""
        return self._date.date().toPython()

    @property
    def minutes(self) -> float:
        """The minute of the day."""
        return self._minutes

    @property
    def light(self) -> tuple[float, float] | None:
        """Sunrise and sunset, minutes."""
        return self._light

    @property
    def playing(self) -> bool:
        """Whether time passes."""
        return self._timer.isActive()

    def set_day(self, day: date, standard: str = "") -> None:
        """Show a day, without a signal; `standard` names it where it is a standard day."""
        blocked = self._date.blockSignals(True)
        self._date.setDate(QDate(day.year, day.month, day.day))
        self._date.blockSignals(blocked)
        self._days.setCurrentIndex(self._days.findData(standard))

    def set_minutes(self, minutes: float) -> None:
        """Show a time, without a signal."""
        self._minutes = minutes
        self.scale.set_minutes(minutes)
        self._time.setText(clock_text(minutes))

    def set_light(self, light: tuple[float, float] | None) -> None:
        """Show sunrise and sunset; play goes from one to the other."""
        self._light = light
        self.scale.set_light(light)

    def set_note(self, text: str) -> None:
        """Say something short on the right, e.g. where the sun stands."""
        self._note.setText(text)

    @property
    def speed(self) -> float:
        """Minutes of the day that pass in a second of play."""
        return float(self._speed.currentData())

    def set_filming(self, filming: bool) -> None:
        """Show whether an animation is being taken, without a signal; the hand is not free then."""
        self._film.blockSignals(True)
        self._film.setChecked(filming)
        self._film.blockSignals(False)
        set_icon(self._film, "stop" if filming else "export")
        for part in (self._date, self._days, self._play, self._speed, self.scale):
            part.setEnabled(not filming)

    def stop(self) -> None:
        """Let time stand still."""
        self._play.setChecked(False)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        for index, name in enumerate(ORDER):
            self._days.setItemText(index, tr(DAYS[name]))
        self._days.setPlaceholderText(tr("Standard day"))
        for index, speed in enumerate(SPEEDS):
            text = (
                tr("{n} min/s", n=f"{speed:g}")
                if speed < 60
                else tr("{n} h/s", n=f"{speed / 60:g}")
            )
            self._speed.setItemText(index, text)
        self._speed.setToolTip(tr("How fast time passes"))
        self._date.setToolTip(tr("Day"))
        self._film.setToolTip(tr("Save the day as an animation, at this speed"))
        self._film.setAccessibleName(tr("Save the day as an animation, at this speed"))
        self._play.setToolTip(tr("Let the day pass"))
        self._play.setAccessibleName(tr("Let the day pass"))
        self.scale.setAccessibleName(tr("Time of day"))

    # -- what happens ----------------------------------------------------------------------

    def hideEvent(self, event: object) -> None:
        """Nothing plays out of sight."""
        super().hideEvent(event)
        self.stop()

    def _tell(self) -> None:
        self.changed.emit(self.day, self._minutes)

    def _day_edited(self) -> None:
        self._days.setCurrentIndex(-1)
        self._tell()

    def _hand_moved(self, minutes: float) -> None:
        self.stop()
        self.set_minutes(minutes)
        self._tell()

    def _play_toggled(self, on: bool) -> None:
        set_icon(self._play, "pause" if on else "play")
        if on:
            self._clock.start()
            self._timer.start()
        else:
            self._timer.stop()

    def _film_toggled(self, on: bool) -> None:
        self.stop()
        self.film_requested.emit(on)

    def _advance(self) -> None:
        """Go on by the time that has really passed, from sunrise to sunset and round again."""
        passed = min(0.5, self._clock.restart() / 1000) * self.speed
        start, end = self._light or (0.0, DAY)
        minutes = self._minutes + passed
        self.set_minutes(minutes if start <= minutes <= end else start)
        self._tell()


class LitBar(QWidget):
    """One day of one place: when it is lit, when dark, and what a code counts of it."""

    #: The minute under the mouse was clicked.
    clicked = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._periods: list[tuple[float, float]] = []
        self._range = (6 * 60.0, 18 * 60.0)
        self._band: tuple[float, float] | None = None
        self._now: float | None = None
        self.setFixedHeight(36)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_periods(
        self,
        periods: list[tuple[float, float]],
        light: tuple[float, float],
        band: tuple[float, float] | None = None,
    ) -> None:
        """Show lit periods between sunrise and sunset, minutes from midnight."""
        self._periods, self._range, self._band = periods, light, band
        self.setToolTip("  ".join(f"{clock_text(a)}-{clock_text(b)}" for a, b in periods))
        self.update()

    def set_now(self, minutes: float | None) -> None:
        """Mark a minute."""
        self._now = minutes
        self.update()

    def _x(self, minutes: float) -> float:
        low, high = self._range
        return (minutes - low) / max(1.0, high - low) * self.width()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell which minute it is."""
        low, high = self._range
        self.clicked.emit(low + event.position().x() / max(1, self.width()) * (high - low))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint lit and dark, and the hours below."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_analysis("shade"))
        painter.drawRect(QRectF(0, 0, self.width(), 18))
        painter.setBrush(_analysis("lit"))
        for start, end in self._periods:
            painter.drawRect(QRectF(self._x(start), 0, self._x(end) - self._x(start), 18))
        painter.setPen(QPen(theme.color("link"), 2))
        if self._band is not None:
            painter.drawLine(
                QPointF(self._x(self._band[0]), 20), QPointF(self._x(self._band[1]), 20)
            )
        if self._now is not None:
            painter.setPen(QPen(theme.color("text"), 1.5))
            painter.drawLine(QPointF(self._x(self._now), 0), QPointF(self._x(self._now), 19))
        painter.setFont(ui_font(11))
        painter.setPen(theme.color("muted"))
        low, high = self._range
        for hour in range(int(low // 60) + 1, int(high // 60) + 1, 2):
            place = QRectF(self._x(hour * 60) - 20, 21, 40, 15)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(hour))
