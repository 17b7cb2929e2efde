"""A small chart, for profiles and counts: lines, areas and bars, painted in the theme.

It reads out what is under the mouse, says where the mouse is (`hovered`), and saves what it shows
as PNG (always light, for print) and CSV.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QByteArray, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QImageWriter,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.units import digits_for, format_number
from plumbline.ui_kit.fonts import ui_font
from plumbline.ui_kit.theme import Theme, current_theme, load_theme

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """One line, area or row of bars.

    Attributes
    ----------
    name : str
        Translated name.
    x, y : array_like
        Equally many numbers; a NaN in `y` is a gap.
    kind : {"line", "area", "bar"}
        How it is drawn.
    color : str, optional
        Token of the theme, or ``#RRGGBB``; None takes the next categorical colour.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    kind: Literal["line", "area", "bar"] = "line"
    color: str | None = None


@dataclass(frozen=True)
class _Drawn:
    """A series with its numbers checked and its colour settled."""

    series: Series
    x: FloatArray
    y: FloatArray
    index: int

    def color(self, theme: Theme) -> str:
        wanted = self.series.color
        if wanted is None:
            return theme.categorical[self.index % len(theme.categorical)]
        if wanted.startswith("#"):
            return wanted
        analysis = getattr(theme.analysis, wanted, None)
        return analysis if analysis is not None else theme.token(wanted)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers within a range: steps of 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    low, high : float
        The range; swapped ends and an empty range are mended.
    count : int
        About how many are wanted.
    """
    low, high = min(low, high), max(low, high)
    if high - low <= abs(high) * 1e-12:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if raw <= factor * power * (1 + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


class Chart(QWidget):
    """A chart with one pair of axes."""

    #: The x under the mouse, NaN when the mouse has left.
    hovered = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drawn: list[_Drawn] = []
        self._x_title, self._y_title = "", ""
        self._categories: tuple[str, ...] = ()
        self._hover: float | None = None
        self.setMouseTracking(True)
        self.setMinimumSize(200, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        """A profile's shape."""
        return QSize(480, 200)

    def set_axes(self, x: str = "", y: str = "", *, categories: Sequence[str] = ()) -> None:
        """Name the axes, with units: ``tr("Distance (m)")``.

        With `categories` the x of the series are 0, 1, 2... and stand for these names.
        """
        self._x_title, self._y_title, self._categories = x, y, tuple(categories)
        self.update()

    def set_series(self, series: Sequence[Series]) -> None:
        """Show these series in place of the old ones; unequal lengths are a `ValueError`."""
        drawn = []
        for index, one in enumerate(series):
            x = np.asarray(one.x, dtype=np.float64).ravel()
            y = np.asarray(one.y, dtype=np.float64).ravel()
            if x.size != y.size:
                raise ValueError(f"{one.name}: {x.size} x for {y.size} y")
            drawn.append(_Drawn(one, x, y, index))
        self._drawn = drawn
        self._hover = None
        self.update()

    def set_hover(self, x: float | None) -> None:
        """Read out the point nearest to an x, e.g. of what the mouse points at elsewhere."""
        if x is not None and self._drawn and self._drawn[0].x.size:
            places = self._drawn[0].x
            x = float(places[np.argmin(np.abs(places - x))])
        if x != self._hover:
            self._hover = x
            self.update()

    # Saving

    def save_png(self, path: Path, width: int = 1200, height: int = 500) -> None:
        """Save what is shown, in the light theme, at twice the density of the screen."""
        image = QImage(width, height, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(2)
        theme = load_theme("light")
        image.fill(theme.color("raised"))
        painter = QPainter(image)
        _Painting(self, painter, QRectF(0, 0, width / 2, height / 2), theme).paint(None)
        painter.end()
        if not QImageWriter(str(path), QByteArray(b"png")).write(image):
            raise InputError(
                tr("The picture could not be written to {path}.", path=path),
                tr("Choose a folder that you may write to."),
            )

    def save_csv(self, path: Path) -> None:
        """Save the numbers, one row per point: series, x, y. UTF-8 with BOM, for spreadsheets."""
        try:
            with path.open("w", encoding="utf-8-sig", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(["series", self._x_title or "x", self._y_title or "y"])
                for one in self._drawn:
                    for x, y in zip(one.x, one.y, strict=True):
                        place = self._category(x) or repr(float(x))
                        writer.writerow([_plain_cell(one.series.name), place, repr(float(y))])
        except OSError as error:
            raise InputError(
                tr("The table could not be written to {path}.", path=path),
                tr("Choose a folder that you may write to."),
                str(error),
            ) from error

    def _category(self, x: float) -> str:
        index = round(x)
        return self._categories[index] if 0 <= index < len(self._categories) else ""

    # Mouse and paint

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read out what is under the mouse."""
        frame = _Painting(self, None, QRectF(self.rect()), current_theme())
        x = frame.x_at(event.position().x())
        if x != self._hover:
            self._hover = x
            self.hovered.emit(math.nan if x is None else x)
            self.update()

    def leaveEvent(self, event: object) -> None:
        """Forget the mouse."""
        super().leaveEvent(event)
        self._hover = None
        self.hovered.emit(math.nan)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint axes, series and the read-out."""
        painter = QPainter(self)
        _Painting(self, painter, QRectF(self.rect()), current_theme()).paint(self._hover)


def _plain_cell(text: str) -> str:
    """Keep a spreadsheet from reading a name as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


class _Painting:
    """One act of painting: ranges, the transform from numbers to pixels, and the strokes."""

    def __init__(self, chart: Chart, painter: QPainter | None, area: QRectF, theme: Theme) -> None:
        self.chart, self.painter, self.theme = chart, painter, theme
        self.drawn = chart._drawn
        self.x_low, self.x_high = self._range("x")
        self.y_low, self.y_high = self._range("y")
        top = 28 if len(self.drawn) > 1 or chart._y_title else 12
        self.area = area
        self.plot = area.adjusted(56, top, -16, -40 if chart._x_title else -24)
        ticks = nice_ticks(self.y_low, self.y_high, max(2, int(self.plot.height() / 36)))
        self.y_ticks = ticks
        self.x_ticks = nice_ticks(self.x_low, self.x_high, max(2, int(self.plot.width() / 80)))

    def _range(self, axis: Literal["x", "y"]) -> tuple[float, float]:
        parts = [getattr(one, axis) for one in self.drawn]
        finite = [part[np.isfinite(part)] for part in parts]
        numbers = np.concatenate(finite) if finite else np.empty(0)
        if numbers.size == 0:
            return 0.0, 1.0
        low, high = float(numbers.min()), float(numbers.max())
        bars = [one for one in self.drawn if one.series.kind == "bar"]
        if axis == "x":
            margin = max((_gap(one.x) / 2 for one in bars), default=0.0 if high > low else 0.5)
            return low - margin, high + margin
        if bars:
            low, high = min(low, 0.0), max(high, 0.0)
        margin = (high - low) * 0.06 or 0.5
        return (low if bars and low == 0 else low - margin), high + margin

    def to_x(self, x: float) -> float:
        share = (x - self.x_low) / (self.x_high - self.x_low)
        return float(self.plot.left() + share * self.plot.width())

    def to_y(self, y: float) -> float:
        share = (y - self.y_low) / (self.y_high - self.y_low)
        return float(self.plot.bottom() - share * self.plot.height())

    def x_at(self, pixel: float) -> float | None:
        """Return the x of the nearest point of the first series, None outside of the plot."""
        if not self.drawn or not self.plot.left() <= pixel <= self.plot.right():
            return None
        x = self.x_low + (pixel - self.plot.left()) / self.plot.width() * (self.x_high - self.x_low)
        xs = self.drawn[0].x
        return float(xs[np.argmin(np.abs(xs - x))]) if xs.size else None

    def paint(self, hover: float | None) -> None:
        painter = self.painter
        assert painter is not None
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(ui_font(12))
        if not self.drawn:
            painter.setPen(self.theme.color("muted"))
            painter.drawText(self.area, Qt.AlignmentFlag.AlignCenter, tr("Nothing to draw yet"))
            return
        self._axes(painter)
        painter.save()
        painter.setClipRect(self.plot.adjusted(-2, -2, 2, 2))
        for one in self.drawn:
            self._bars(painter, one) if one.series.kind == "bar" else self._line(painter, one)
        painter.restore()
        self._legend(painter)
        if hover is not None:
            self._read_out(painter, hover)

    def _axes(self, painter: QPainter) -> None:
        flags = Qt.AlignmentFlag
        plot = self.plot
        digits = _tick_digits(self.y_ticks)
        for y in self.y_ticks:
            pixel = self.to_y(y)
            painter.setPen(QPen(self.theme.color("border"), 1))
            painter.drawLine(QPointF(plot.left(), pixel), QPointF(plot.right(), pixel))
            painter.setPen(self.theme.color("muted"))
            place = QRectF(self.area.left(), pixel - 9, plot.left() - self.area.left() - 8, 18)
            painter.drawText(place, flags.AlignRight | flags.AlignVCenter, format_number(y, digits))
        digits = _tick_digits(self.x_ticks)
        for x in self.x_ticks:
            text = format_number(x, digits)
            if self.chart._categories:
                text = self.chart._category(x) if x == round(x) else ""
            place = QRectF(self.to_x(x) - 50, plot.bottom() + 4, 100, 18)
            painter.drawText(place, flags.AlignHCenter | flags.AlignTop, text)
        painter.setPen(QPen(self.theme.color("border_strong"), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        painter.setPen(self.theme.color("muted"))
        below = QRectF(plot.left(), plot.bottom() + 20, plot.width(), 18)
        painter.drawText(below, flags.AlignRight | flags.AlignVCenter, self.chart._x_title)
        above = QRectF(self.area.left() + 8, self.area.top() + 4, plot.width() / 2, 18)
        painter.drawText(above, flags.AlignLeft | flags.AlignVCenter, self.chart._y_title)

    def _line(self, painter: QPainter, one: _Drawn) -> None:
        color = one.color(self.theme)
        for part in _runs(one.x, one.y, max(2, int(self.plot.width()))):
            points = [QPointF(self.to_x(x), self.to_y(y)) for x, y in part]
            if one.series.kind == "area":
                base = self.plot.bottom()
                closed = [QPointF(points[0].x(), base), *points, QPointF(points[-1].x(), base)]
                fill = _with_alpha(color, 0.18)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(fill)
                painter.drawPolygon(QPolygonF(closed))
            pen = QPen(_with_alpha(color, 1.0), 1.75)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            if len(points) == 1:
                painter.drawPoint(points[0])
            else:
                painter.drawPolyline(QPolygonF(points))

    def _bars(self, painter: QPainter, one: _Drawn) -> None:
        rows = [other for other in self.drawn if other.series.kind == "bar"]
        place = rows.index(one)
        gap = _gap(one.x)
        slot = gap * 0.72 / len(rows)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_with_alpha(one.color(self.theme), 1.0))
        zero = self.to_y(0.0)
        for x, y in zip(one.x, one.y, strict=True):
            if not math.isfinite(y):
                continue
            left = self.to_x(x - gap * 0.36 + place * slot)
            right = self.to_x(x - gap * 0.36 + (place + 1) * slot)
            bar = QRectF(QPointF(left, self.to_y(y)), QPointF(max(left + 1, right - 1), zero))
            painter.drawRoundedRect(bar.normalized(), 1.5, 1.5)

    def _legend(self, painter: QPainter) -> None:
        if len(self.drawn) < 2:
            return
        right = self.plot.right()
        metrics = painter.fontMetrics()
        for one in reversed(self.drawn):
            name = metrics.elidedText(one.series.name, Qt.TextElideMode.ElideRight, 140)
            width = metrics.horizontalAdvance(name)
            painter.setPen(self.theme.color("muted"))
            painter.drawText(QPointF(right - width, self.area.top() + 17), name)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_with_alpha(one.color(self.theme), 1.0))
            painter.drawRoundedRect(QRectF(right - width - 14, self.area.top() + 9, 9, 9), 2, 2)
            right -= width + 30

    def _read_out(self, painter: QPainter, x: float) -> None:
        pixel = self.to_x(x)
        painter.setPen(QPen(self.theme.color("muted"), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(pixel, self.plot.top()), QPointF(pixel, self.plot.bottom()))
        digits = _tick_digits(self.x_ticks) + 1
        lines = [self.chart._category(x) or format_number(x, digits)]
        for one in self.drawn:
            y = _value_at(one, x)
            if y is None:
                continue
            named = f"{one.series.name}  " if len(self.drawn) > 1 else ""
            lines.append(f"{named}{format_number(y, _tick_digits(self.y_ticks) + 2)}")
            painter.setPen(QPen(self.theme.color("raised"), 1.5))
            painter.setBrush(_with_alpha(one.color(self.theme), 1.0))
            painter.drawEllipse(QPointF(pixel, self.to_y(y)), 4, 4)
        self._box(painter, pixel, lines)

    def _box(self, painter: QPainter, pixel: float, lines: list[str]) -> None:
        metrics = painter.fontMetrics()
        width = max(metrics.horizontalAdvance(text) for text in lines) + 16
        height = 18 * len(lines) + 8
        left = pixel + 10 if pixel + 10 + width < self.area.right() else pixel - 10 - width
        box = QRectF(left, self.plot.top() + 4, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.color("tooltip", 0.94))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(self.theme.color("tooltip_text"))
        for index, text in enumerate(lines):
            row = QRectF(box.left() + 8, box.top() + 4 + 18 * index, width - 16, 18)
            painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, text)


def _gap(x: FloatArray) -> float:
    """Return the least distance between two different x, 1 where there is only one."""
    places = np.unique(x)
    return float(np.diff(places).min()) if places.size > 1 else 1.0


def _with_alpha(color: str, alpha: float) -> QColor:
    result = QColor(color)
    result.setAlphaF(alpha)
    return result


def _tick_digits(ticks: list[float]) -> int:
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    return max(0, digits_for(step, 0) - 1)


def _value_at(one: _Drawn, x: float) -> float | None:
    if not one.x.size:
        return None
    index = int(np.argmin(np.abs(one.x - x)))
    return float(one.y[index]) if math.isfinite(one.y[index]) else None


def _runs(x: FloatArray, y: FloatArray, pixels: int) -> list[list[tuple[float, float]]]:
    """Return the unbroken parts of a line, thinned to what a width in pixels can show.

    A thinned part keeps the least and the greatest of each pixel, so that no peak is lost.
    """
    runs = []
    breaks = np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    for part in np.split(np.arange(x.size), breaks):
        kept = part[np.isfinite(x[part]) & np.isfinite(y[part])]
        if kept.size > 4 * pixels:
            chunks = np.array_split(kept, pixels)
            extremes = [[c[np.argmin(y[c])], c[np.argmax(y[c])]] for c in chunks]
            kept = np.unique(np.concatenate([kept[:1], np.ravel(extremes), kept[-1:]]))
        if kept.size:
            runs.append(list(zip(x[kept].tolist(), y[kept].tolist(), strict=True)))
    return runs
