"""Schemes beside each other, behind a curtain, or in turns: the controls above the canvas.

What is drawn where is in `plumbline.render.views`; here are the bar that chooses it, the caption of
each view with its scheme, and the curtain's handle.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QWidget

from plumbline.api import Scene, tr
from plumbline.render.views import MOST
from plumbline.ui.canvas import Canvas
from plumbline.ui.overlays import Floating
from plumbline.ui_kit.buttons import tool_button
from plumbline.ui_kit.fields import ComboBox, SegmentedControl
from plumbline.ui_kit.labels import line
from plumbline.ui_kit.live import follow, on_language
from plumbline.ui_kit.theme import current_theme

BESIDE, CURTAIN, FLICKER = "beside", "curtain", "flicker"
MARGIN = 12
#: How long each scheme is shown in turns, milliseconds.
TURN = 900
#: A caption narrower than this says nothing, logical pixels.
NARROWEST = 110
#: Steps of the curtain by keys and the least that is left of a view, shares of the width.
LEAST = 0.02


class CompareBar(Floating):
    """How schemes are compared, and how many of them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("compareBar")
        self.layouts = SegmentedControl()
        self.layouts.add(BESIDE, icon="columns")
        self.layouts.add(CURTAIN, icon="swipe")
        self.layouts.add(FLICKER, icon="refresh")
        self.fewer = tool_button("minus", size=16)
        self.more = tool_button("plus", size=16)
        self.linked = tool_button("link", size=16, checkable=True)
        self.linked.setChecked(True)
        self.leave = tool_button("close", role="muted", size=16)
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 4, 6, 4)
        row.setSpacing(4)
        row.addWidget(self.layouts)
        for part in (line("v"), self.fewer, self.more, self.linked, line("v"), self.leave):
            row.addWidget(part)
        on_language(self, self.retranslate)
        self.retranslate()
        self.hide()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        for key, text in (
            (BESIDE, tr("Side by side")),
            (CURTAIN, tr("Swipe")),
            (FLICKER, tr("In turns")),
        ):
            self.layouts.set_text(key, "", tip=text)
        for part, text in (
            (self.fewer, tr("One view less")),
            (self.more, tr("One view more")),
            (self.linked, tr("All views share one camera")),
            (self.leave, tr("End the comparison")),
        ):
            part.setToolTip(text)
            part.setAccessibleName(text)
        self.adjustSize()


class Caption(Floating):
    """The scheme of one view, to be chosen."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.choice = ComboBox()
        self.choice.setObjectName("captionScheme")
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 4, 4, 4)
        row.addWidget(self.choice)

    def fill(self, schemes: list[tuple[str, str]], shown: str) -> None:
        """Offer schemes by id and name."""
        self.choice.blockSignals(True)
        self.choice.clear()
        for key, name in schemes:
            self.choice.addItem(name, key)
        self.choice.setCurrentIndex(max(0, self.choice.findData(shown)))
        self.choice.blockSignals(False)


class CurtainHandle(QWidget):
    """The edge of the curtain; it is dragged, or moved by the arrow keys."""

    moved = Signal(float)

    WIDTH = 28

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("curtainHandle")
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFixedWidth(self.WIDTH)
        self._taken: int | None = None
        self.hide()

    def place(self, share: float) -> None:
        """Stand at a share of the canvas's width."""
        canvas = self.parentWidget()
        left = round(share * canvas.width()) - self.WIDTH // 2
        self.setGeometry(left, 0, self.WIDTH, canvas.height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the edge where it is held."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._taken = round(event.position().x()) - self.WIDTH // 2

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse."""
        if self._taken is None:
            return
        x = self.mapToParent(event.position().toPoint()).x() - self._taken
        share = x / max(1, self.parentWidget().width())
        self.moved.emit(min(max(share, LEAST), 1 - LEAST))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._taken = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line with a knob."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, height = self.WIDTH / 2, self.height()
        painter.setPen(QPen(theme.color("raised"), 4))
        painter.drawLine(QPointF(middle, 0), QPointF(middle, height))
        painter.setPen(QPen(QColor(theme.accent), 2))
        painter.drawLine(QPointF(middle, 0), QPointF(middle, height))
        painter.setBrush(theme.color("raised"))
        painter.drawEllipse(QPointF(middle, height / 2), 12.0, 12.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.accent))
        for side in (-1, 1):
            tip = QPointF(middle + side * 8, height / 2)
            foot = QPointF(middle + side * 3, height / 2)
            painter.drawPolygon(QPolygonF([tip, foot + QPointF(0, -5), foot + QPointF(0, 5)]))
        painter.end()


class Compare(QObject):
    """Two to four schemes in one canvas.

    Parameters
    ----------
    canvas : Canvas
        Whose views are arranged.
    """

    #: Comparing begins or ends.
    active_changed = Signal(bool)

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._scene: Scene | None = None
        self._schemes: list[str] = []
        self._layout = ""
        self._turn = 0
        self.bar = CompareBar(canvas)
        self.handle = CurtainHandle(canvas)
        self.captions = [Caption(canvas) for _ in range(MOST)]
        for number, caption in enumerate(self.captions):
            caption.choice.activated.connect(lambda _n, number=number: self._chosen(number))
            caption.hide()
        self._timer = QTimer(self)
        self._timer.setInterval(TURN)
        self._timer.timeout.connect(self._next)
        bar = self.bar
        bar.layouts.changed.connect(self.start)
        bar.fewer.clicked.connect(lambda: self._set_count(len(self._schemes) - 1))
        bar.more.clicked.connect(lambda: self._set_count(len(self._schemes) + 1))
        bar.linked.toggled.connect(lambda on: canvas.views.set_linked(on))
        bar.leave.clicked.connect(self.stop)
        self.handle.moved.connect(self._move_curtain)
        canvas.installEventFilter(self)
        on_language(self, self._refresh)

    # -- what is compared ------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether schemes are compared."""
        return bool(self._layout)

    @property
    def schemes(self) -> list[str]:
        """Ids of what is compared, "" for the baseline."""
        return list(self._schemes)

    def bind(self, scene: Scene) -> None:
        """Compare schemes of another scene; what was compared is over."""
        if scene is not self._scene:
            self.stop()
            self._scene = scene
            self._schemes = []
            follow(self, scene.schemes_changed, self._refresh)

    def toggle(self) -> None:
        """Begin or end."""
        if self.active:
            self.stop()
        else:
            self.start(BESIDE)

    def start(self, layout: str = BESIDE) -> None:
        """Compare in one of the three ways: what was compared last, or the first schemes."""
        if self._scene is None:
            return
        known = [key for key, _ in self._offered()]
        self._schemes = [key for key in self._schemes if key in known]
        if len(self._schemes) < 2:
            scheme = self._scene.active_scheme
            first = "" if scheme is None else scheme.id
            # The schemes are what one compares; the baseline where there is one scheme only.
            rest = [key for key in [*known[1:], ""] if key != first]
            self._schemes = [first, *rest][:2] if rest else ["", ""]
            if first == "" and len(known) > 2:
                self._schemes = known[1:3]
        began = not self.active
        self._layout = layout
        self._arrange()
        if began:
            self.active_changed.emit(True)

    def stop(self) -> None:
        """Show one view again, which follows the scene."""
        if not self.active:
            return
        self._layout = ""
        self._timer.stop()
        self._canvas.views.arrange([None])
        self._canvas.refresh_overlays()
        self._refresh()
        self.active_changed.emit(False)

    # -- inside ----------------------------------------------------------------------------

    def _offered(self) -> list[tuple[str, str]]:
        schemes = self._scene.schemes if self._scene is not None else ()
        return [("", tr("Baseline")), *((scheme.id, scheme.name) for scheme in schemes)]

    def _arrange(self) -> None:
        views = self._canvas.views
        self._timer.stop()
        if self._layout == FLICKER:
            self._turn = 0
            views.arrange([self._schemes[0]])
            self._timer.start()
        elif self._layout == CURTAIN:
            views.arrange(self._schemes[:2], "curtain")
        else:
            views.arrange(self._schemes, "beside")
        self._canvas.refresh_overlays()
        self._refresh()

    def _set_count(self, count: int) -> None:
        known = [key for key, _ in self._offered()]
        fresh = [key for key in known if key not in self._schemes] or known
        self._schemes = [*self._schemes, fresh[0]][: max(2, min(count, MOST))]
        self._arrange()

    def _chosen(self, number: int) -> None:
        caption = self.captions[number]
        if self._layout == FLICKER:
            number = self._turn
        self._schemes[number] = str(caption.choice.currentData())
        views = self._canvas.views
        views.set_scheme(0 if self._layout == FLICKER else number, self._schemes[number])
        self._canvas.stir()

    def _next(self) -> None:
        self._turn = (self._turn + 1) % len(self._schemes)
        self._canvas.views.set_scheme(0, self._schemes[self._turn])
        self._refresh()

    def _move_curtain(self, share: float) -> None:
        self._canvas.stir()
        self._canvas.views.set_share(share)
        self._place()

    def _refresh(self) -> None:
        """Bring bar and captions up to date."""
        active, offered = self.active, self._offered()
        self.bar.setVisible(active)
        if active:
            known = {key for key, _ in offered}
            gone = [n for n, key in enumerate(self._schemes) if key not in known]
            for n in gone:
                self._schemes[n] = ""
            if gone:
                self._arrange()
                return
            self.bar.layouts.set_current(self._layout)
        count = len(self._schemes)
        self.bar.fewer.setEnabled(self._layout != CURTAIN and count > 2)
        self.bar.more.setEnabled(self._layout != CURTAIN and count < MOST)
        self.bar.linked.setEnabled(self._layout == BESIDE)
        shown = self._shown()
        for n, caption in enumerate(self.captions):
            if n < len(shown):
                caption.fill(offered, shown[n])
        self._place()

    def _shown(self) -> list[str]:
        """Return what the captions say."""
        if not self.active:
            return []
        if self._layout == FLICKER:
            return [self._schemes[self._turn]]
        return self._schemes[:2] if self._layout == CURTAIN else self._schemes

    def _place(self) -> None:
        """Put bar, captions and handle where the views are."""
        canvas, views = self._canvas, list(self._canvas.views)
        width, height = canvas.width(), canvas.height()
        self.bar.adjustSize()
        self.bar.move(max(MARGIN, (width - self.bar.width()) // 2), MARGIN)
        taken = QRect(self.bar.pos(), self.bar.size()) if self.active else QRect()
        count = len(self._shown())
        for caption, view in zip(self.captions, views, strict=False):
            left, _, right, top = view.pane.viewport
            room = round((right - left) * width) - 2 * MARGIN
            size = QSize(min(200, room), caption.sizeHint().height())
            at = QPoint(round(left * width) + MARGIN, round((1 - top) * height) + MARGIN)
            if QRect(at, size).intersects(taken):
                at.setY(taken.bottom() + MARGIN)
            caption.setGeometry(QRect(at, size))
        for n, caption in enumerate(self.captions):
            caption.setVisible(n < count and caption.width() >= NARROWEST)
        curtain = self._layout == CURTAIN
        self.handle.setVisible(curtain)
        if curtain:
            self.handle.place(self._canvas.views.share)
        for part in (self.handle, *self.captions, self.bar):
            part.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in place when the canvas changes its size."""
        if event.type() == QEvent.Type.Resize and self.active:
            self._place()
        return False
