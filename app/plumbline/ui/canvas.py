"""The canvas: the scene in 3D, mouse and keys, and the small controls that float above it.

The camera maths is in `plumbline.render.camera`; this module only says which movement of the hand
means which movement of the camera.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np
from psygnal import Signal
from PySide6.QtCore import QElapsedTimer, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from vtkmodules.vtkRenderingCore import vtkRenderer

from plumbline.api import Bounds, Camera, Scene
from plumbline.render import camera as moves
from plumbline.render.scene_view import PrepareAsync, SceneView
from plumbline.render.views import Views
from plumbline.services.settings import NavigationSettings
from plumbline.ui.aim import HOLDING, Aim
from plumbline.ui.interactor import Interactor
from plumbline.ui.overlays import Legend, NavigationBar, ScaleBar
from plumbline.ui.region_select import RegionSelect, Shape
from plumbline.ui.render_theme import render_theme
from plumbline.ui.tile_feed import TileFeed
from plumbline.ui.tool_channel import GripHand, ToolChannel
from plumbline.ui_kit.live import follow, on_theme
from plumbline.ui_kit.theme import current_theme

Point = tuple[float, float, float]

#: A press that moved less is a click, logical pixels.
CLICK_RADIUS = 4
#: At rest after this long without input, milliseconds.
REST_DELAY = 250
#: Degrees of orbit for a drag across the height of the canvas.
ORBIT_RANGE = 180.0
#: Zoom factor of one notch of the wheel.
WHEEL_ZOOM = 1.25
#: Time of the ease between two views, milliseconds.
EASE_TIME = 320


class Mode(Enum):
    """How the keys and a left drag move the camera."""

    ORBIT = "orbit"
    WALK = "walk"
    FLY = "fly"


class Canvas(QWidget):
    """Shows a scene; reports clicks, the place under the cursor and the camera."""

    #: Pick or None: what was clicked while no tool has the canvas; and whether to add to it.
    picked = Signal(object, bool)
    #: Right click: Pick or None, and the global position.
    menu_requested = Signal(object, object)
    #: (x, y, z) under the cursor, or None.
    cursor_moved = Signal(object)
    frame_drawn = Signal(float)
    #: The camera came to rest.
    rested = Signal()
    mode_changed = Signal(object)

    def __init__(
        self,
        scene: Scene,
        prepare_async: PrepareAsync[Any] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.interactor = Interactor(self)
        self._prepare_async = prepare_async
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.interactor)
        self.tool = ToolChannel(self)
        self.grip = GripHand(self)
        self._tool_active = False
        self.mode = Mode.ORBIT
        #: How fast the camera moves; whoever owns the canvas sets it.
        self.habits = NavigationSettings()
        self._measure_color = ""
        self._quality: tuple[str, int] | None = None
        self.tiles = TileFeed(lambda: self.views, self)
        self.views = self._make_views(scene)
        self._make_overlays()
        self.aim = Aim(self)
        self.region = RegionSelect(self)
        self._closed = False
        self._press: QPointF | None = None
        self._last: QPointF | None = None
        self._dragging = False
        self._anchor: Point | None = None
        self._keys: set[int] = set()
        self._hover_at: QPointF | None = None
        self._make_timers()
        self._connect()
        on_theme(self, self._theme_changed)

    @property
    def tool_active(self) -> bool:
        """Whether a tool has the canvas; what it drew goes when it gives the canvas back."""
        return self._tool_active

    @tool_active.setter
    def tool_active(self, active: bool) -> None:
        if self._tool_active and not active:
            self.tool.reset()
        if active:
            self.region.choose(Shape.NONE)
        self._tool_active = active

    def set_measure_color(self, color: str) -> None:
        """Draw measurements in a colour ``#rrggbb``; the theme's when empty."""
        if color != self._measure_color:
            self._measure_color = color
            self._theme_changed()

    def set_quality(self, quality: str, points: int) -> None:
        """Draw finer or faster, and at most so many points at rest."""
        self._quality = (quality, points)
        for view in self.views:
            view.set_quality(quality, points)

    def set_scene(self, scene: Scene) -> None:
        """Show another scene."""
        self.region.cancel()
        self.views.close()
        self.views = self._make_views(scene)
        self.bind_overlays(scene)

    def bind_overlays(self, scene: Scene) -> None:
        """Let compass, scale bar and legend follow a scene."""
        self._legend.bind(scene)
        follow(self, scene.schemes_changed, self.stir)
        self.refresh_overlays()

    def close_view(self) -> None:
        """Release everything that belongs to VTK; the canvas cannot be used afterwards."""
        for timer in (self._rest, self._hover, self._step, self._ease):
            timer.stop()
        self.tiles.stop()
        self._closed = True
        self.views.close()
        self.interactor.close()

    @property
    def view(self) -> SceneView:
        """The view that mouse and keys belong to."""
        return self.views.current

    def _make_views(self, scene: Scene) -> Views:
        return Views(
            self.interactor,
            lambda renderer, scheme: self._make_view(scene, renderer, scheme),
        )

    def _make_view(
        self, scene: Scene, renderer: vtkRenderer | None, scheme: str | None
    ) -> SceneView:
        view = SceneView(
            self.interactor,
            scene,
            render_theme(current_theme(), self._measure_color),
            prepare_async=self._prepare_async,
            request_render=self.interactor.render,
            pixel_ratio=self.devicePixelRatioF(),
            wake=self.tiles.wake,
            renderer=renderer,
            scheme=scheme,
        )
        if self._quality is not None:
            view.set_quality(*self._quality)
        return view

    def _make_overlays(self) -> None:
        self.navigation = NavigationBar(self)
        self._scale = ScaleBar(self)
        self._legend = Legend(self)

    def _make_timers(self) -> None:
        self._rest = _timer(self, REST_DELAY, self._come_to_rest, single=True)
        self._hover = _timer(self, 30, self._report_hover, single=True)
        self._step = _timer(self, 16, self._step_keys)
        self._ease = _timer(self, 16, self._step_ease)
        self._clock = QElapsedTimer()
        self._ease_clock = QElapsedTimer()
        self._ease_ends: tuple[Camera, Camera] | None = None

    def _connect(self) -> None:
        source = self.interactor
        source.mouse_pressed.connect(self._pressed)
        source.mouse_moved.connect(self._moved)
        source.mouse_released.connect(self._released)
        source.mouse_double_clicked.connect(self._double_clicked)
        source.mouse_left.connect(self._left)
        source.wheel_turned.connect(self._wheeled)
        source.key_pressed.connect(self._key_pressed)
        source.key_released.connect(self._key_released)
        source.drawn.connect(self._drawn)

    # -- camera ----------------------------------------------------------------------------

    def camera(self) -> Camera:
        """Return the camera, points in the project CRS."""
        return self.view.camera()

    def go_to(self, camera: Camera, *, ease: bool = True) -> None:
        """Move to a camera, with a short ease unless told otherwise."""
        self._ease.stop()
        if not (ease and self.habits.smooth and self.isVisible()):
            self.views.set_camera(camera)
            self.refresh_overlays()
            return
        self._ease_ends = (self.camera(), camera)
        self._ease_clock.start()
        self._begin()
        self._ease.start()

    def frame(self, bounds: Bounds | None = None, *, ease: bool = True) -> None:
        """Show a box, or everything."""
        box = bounds or self.view.visible_bounds()
        if box is not None:
            self.go_to(moves.frame(self.camera(), _at_least(box), self._aspect()), ease=ease)

    def look(self, direction: moves.Direction) -> None:
        """Look at everything from a standard side."""
        box = self.view.visible_bounds()
        if box is not None:
            self.go_to(moves.look(self.camera(), direction, box, self._aspect()))

    def set_parallel(self, parallel: bool) -> None:
        """Switch between perspective and orthographic projection."""
        self.go_to(moves.set_parallel(self.camera(), parallel), ease=False)
        self.interactor.render()

    def set_plan(self, plan: bool) -> None:
        """Switch between a plan (from above, orthographic, north up) and an oblique view in 3D."""
        camera = moves.set_parallel(self.camera(), plan)
        away = moves.distance(camera)
        back = (0.0, 0.0, 1.0) if plan else (0.0, -0.7071, 0.7071)
        position = tuple(f + away * b for f, b in zip(camera.focal_point, back, strict=True))
        up = (0.0, 1.0, 0.0) if plan else (0.0, 0.0, 1.0)
        x, y, z = position
        self.go_to(replace(camera, position=(x, y, z), view_up=up))

    def turn_north(self) -> None:
        """Turn the view so that true north is up on the screen."""
        camera = self.camera()
        turn = self.view.north_angle()
        self.go_to(moves.orbit(camera, camera.focal_point, -turn, 0.0))

    def set_mode(self, mode: Mode) -> None:
        """Choose what keys and a left drag do."""
        self.mode = mode
        self._keys.clear()
        self.interactor.setFocus()
        self.mode_changed.emit(mode)

    def _aspect(self) -> float:
        width, height = self.view.size
        return width / height

    @property
    def _ratio(self) -> float:
        """Pixels of the frame for each of the widget."""
        height = max(1, self.interactor.ren_win.GetSize()[1])
        return float(height / max(1, self.interactor.height()))

    def _in_frame(self, position: QPointF) -> tuple[float, float]:
        up = self.interactor.height() - 1 - position.y()
        return position.x() * self._ratio, up * self._ratio

    def pixel(self, position: QPointF) -> tuple[int, int]:
        """Return the pixel of the view's picture, origin at its lower left, of a place."""
        (x, y), (left, bottom) = self._in_frame(position), self.view.corner
        return int(x - left), int(y - bottom)

    def _turn_to(self, position: QPointF) -> None:
        """Give mouse and keys to the view at a place in the widget."""
        self.views.current = self.views.at(*self._in_frame(position))

    def place_of(self, point: Point) -> QPointF:
        """Return where a point of the scene is in the widget."""
        x, y, _ = moves.project(self.camera(), np.array([point]), self.view.size)[0]
        left, bottom = self.view.corner
        up = (y + bottom) / self._ratio
        return QPointF((x + left) / self._ratio, self.interactor.height() - 1 - up)

    def _move_to(self, camera: Camera) -> None:
        self._begin()
        self.views.set_camera(camera)
        self.interactor.render()
        self._rest.start()

    def stir(self) -> None:
        """Draw fast for a moment: something moves."""
        if not self._closed:
            self._begin()

    def _begin(self) -> None:
        if not self._rest.isActive() and not self._ease.isActive():
            self.views.begin_interaction()
            self.interactor.set_coarse(self.view.budget.slow)
        self._rest.start()

    def _come_to_rest(self) -> None:
        if self._keys or self._dragging or self._ease.isActive() or self.tool.sun_moves:
            self._rest.start()
            return
        self.interactor.set_coarse(False)
        self.views.end_interaction()
        self.refresh_overlays()
        self.rested.emit()

    def _step_ease(self) -> None:
        if self._ease_ends is None:
            return
        share = min(1.0, self._ease_clock.elapsed() / EASE_TIME)
        self.views.set_camera(moves.interpolate(*self._ease_ends, share))
        self.interactor.render()
        if share >= 1.0:
            self._ease.stop()
            self._ease_ends = None
            self._rest.start()

    # -- mouse -----------------------------------------------------------------------------

    def _pressed(self, event: QMouseEvent) -> None:
        self.interactor.setFocus()
        self._ease.stop()
        self._turn_to(event.position())
        self._press = self._last = event.position()
        self._dragging = False
        left = event.button() == Qt.MouseButton.LeftButton
        if left and self.tool_active and self.grip.take(event.position()):
            return
        if left and not self.tool_active and self.region.begin(event.position()):
            return
        self._anchor = self.view.hover_position(*self.pixel(event.position()))

    def _moved(self, event: QMouseEvent) -> None:
        position = event.position()
        if self._press is None or self._last is None or not event.buttons():
            self._hover_at = position
            if not self._hover.isActive():
                self._hover.start()
            return
        if not self._dragging and (position - self._press).manhattanLength() < CLICK_RADIUS:
            return
        self._dragging = True
        self.aim.leave()
        if self.grip.holds:
            self.grip.drag(position)
        elif self.region.drawing:
            self.region.move(position)
        else:
            self._drag(event, self._last, position)
        self._last = position

    def _drag(self, event: QMouseEvent, start: QPointF, end: QPointF) -> None:
        camera, buttons = self.camera(), event.buttons()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        anchor = self._anchor or camera.focal_point
        step = ORBIT_RANGE * self.habits.mouse_sensitivity / max(1, self.height())
        dx, dy = end.x() - start.x(), end.y() - start.y()
        if buttons & Qt.MouseButton.MiddleButton or (buttons & Qt.MouseButton.LeftButton and shift):
            self._move_to(
                moves.pan(camera, anchor, self.pixel(start), self.pixel(end), self.view.size)
            )
        elif buttons & Qt.MouseButton.RightButton:
            self._move_to(moves.zoom_to(camera, anchor, 1.01**-dy))
        elif self.mode is Mode.ORBIT:
            self._move_to(moves.orbit(camera, anchor, -dx * step, dy * step))
        else:
            self._move_to(moves.turn_head(camera, dx * step / 2, dy * step / 2))

    def _released(self, event: QMouseEvent) -> None:
        if self._press is None:
            return
        dragged, self._dragging, self._press = self._dragging, False, None
        if self.grip.holds and event.button() == Qt.MouseButton.LeftButton:
            self.grip.release()
            if dragged:
                return
        if dragged and self.region.drawing:
            self.region.finish(event.modifiers())
            return
        self.region.cancel()
        if dragged:
            self._rest.start()
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self._click(event)
        elif event.button() == Qt.MouseButton.RightButton:
            pick = self.view.pick(*self.pixel(event.position()))
            if self.tool_active:
                self.tool.finished.emit()
            else:
                self.menu_requested.emit(pick, event.globalPosition().toPoint())

    def _click(self, event: QMouseEvent) -> None:
        if self.tool_active:
            pick = self.aim.pick(event.position(), event.modifiers())
            if pick is not None:
                self.tool.clicked.emit(pick)
            return
        pick = self.view.pick(*self.pixel(event.position()))
        add = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        self.picked.emit(pick, add)

    def _double_clicked(self, event: QMouseEvent) -> None:
        if self.tool_active:
            self.tool.finished.emit()
            return
        anchor = self.view.hover_position(*self.pixel(event.position()))
        if anchor is not None:
            self.go_to(moves.zoom_to(self.camera(), anchor, 2.5))

    def _wheeled(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / 120 * (-1 if self.habits.invert_wheel else 1)
        if not notches:
            return
        self._turn_to(event.position())
        anchor = self.view.hover_position(*self.pixel(event.position()))
        camera = self.camera()
        target = self._ease_ends[1] if self._ease_ends and self._ease.isActive() else camera
        self._ease.stop()
        self._move_to(moves.zoom_to(target, anchor or target.focal_point, WHEEL_ZOOM**notches))

    def _left(self) -> None:
        self._hover_at = None
        self.aim.leave()
        self.cursor_moved.emit(None)

    def _report_hover(self) -> None:
        if self._hover_at is None or self._dragging:
            return
        self._turn_to(self._hover_at)
        place = self.pixel(self._hover_at)
        if self.tool_active and not self._rest.isActive():
            self.grip.hover(self._hover_at)
            pick = self.aim.hover(self._hover_at)
            self.tool.hovered.emit(pick)
            self.cursor_moved.emit(pick.position if pick else None)
        else:
            self.cursor_moved.emit(self.view.hover_position(*place))

    # -- keys ------------------------------------------------------------------------------

    def _key_pressed(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self._escape()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.tool_active:
            self.tool.finished.emit()
        elif key == Qt.Key.Key_Backspace and self.tool_active:
            self.tool.stepped_back.emit()
        elif key in HOLDING and self.tool_active:
            self._hover.start()  # the hand is held, or free again
        elif self._is_movement(key) and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if not event.isAutoRepeat():
                self._keys.add(key)
                self._clock.start()
                self._step.start()
        else:
            return
        event.accept()

    def _key_released(self, event: QKeyEvent) -> None:
        if not event.isAutoRepeat():
            self._keys.discard(event.key())
            if event.key() in HOLDING and self.tool_active:
                self._hover.start()

    def _escape(self) -> None:
        if self.tool_active:
            self.tool.escaped.emit()
        elif self.region.shape is not Shape.NONE:
            self.region.choose(Shape.NONE)
        elif self.mode is not Mode.ORBIT:
            self.set_mode(Mode.ORBIT)
        else:
            self.picked.emit(None, False)

    def _is_movement(self, key: int) -> bool:
        arrows = {Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down}
        letters = {getattr(Qt.Key, f"Key_{letter}") for letter in "WASDEQ"}
        return key in arrows or (key in letters and self.mode is not Mode.ORBIT)

    def _step_keys(self) -> None:
        if not self._keys:
            self._step.stop()
            return
        seconds = min(0.2, self._clock.restart() / 1000)
        camera = self._turned(self.camera(), 60 * seconds)
        if self.mode is not Mode.ORBIT:
            camera = self._advanced(camera, seconds)
        self._move_to(camera)

    def _held(self, plus: Qt.Key, minus: Qt.Key) -> float:
        return float(plus in self._keys) - float(minus in self._keys)

    def _turned(self, camera: Camera, angle: float) -> Camera:
        turn = self._held(Qt.Key.Key_Left, Qt.Key.Key_Right) * angle
        tilt = self._held(Qt.Key.Key_Up, Qt.Key.Key_Down) * angle / 2
        if self.mode is Mode.ORBIT:
            return moves.orbit(camera, camera.focal_point, -turn, -tilt)
        return moves.turn_head(camera, turn, tilt)

    def _advanced(self, camera: Camera, seconds: float) -> Camera:
        ahead = self._held(Qt.Key.Key_W, Qt.Key.Key_S)
        aside = self._held(Qt.Key.Key_D, Qt.Key.Key_A)
        above = self._held(Qt.Key.Key_E, Qt.Key.Key_Q)
        speed = self.habits.walk_speed * seconds
        if self.mode is Mode.FLY:
            share = self.habits.fly_speed
            speed = max(self.habits.walk_speed, self._above_ground(camera) * share) * seconds
        if QGuiApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier:
            speed *= 4
        step = moves.walk if self.mode is Mode.WALK else moves.fly
        moved = step(camera, ahead * speed, aside * speed, above * speed)
        return self._at_eye_height(moved) if self.mode is Mode.WALK and not above else moved

    def _above_ground(self, camera: Camera) -> float:
        x, y, z = camera.position
        ground = self.view.ground_height(x, y)
        return moves.distance(camera) if ground is None else z - ground

    def _at_eye_height(self, camera: Camera) -> Camera:
        """Return the camera with the walker's eyes above the ground under it."""
        x, y, z = camera.position
        ground = self.view.ground_height(x, y)
        lift = 0.0 if ground is None else ground + self.habits.eye_height - z
        return moves.walk(camera, 0.0, 0.0, lift)

    # -- overlays --------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_overlays()

    def _place_overlays(self) -> None:
        margin = 12
        self.navigation.fit(self.height() - 2 * margin)
        self.navigation.move(self.width() - self.navigation.width() - margin, margin)
        self._scale.move(margin, self.height() - self._scale.height() - margin)
        self._legend.place()

    def show_legend(self) -> None:
        """Let the legend tell the colours of a tool's layers too."""
        self._legend.set_more(self.view.passing_layers)

    def refresh_overlays(self) -> None:
        """Bring compass, scale bar and legend up to date with the camera."""
        self.navigation.set_north(self.view.north_angle())
        metres, pixels = self.view.scale_bar()
        self._scale.set_scale(metres, pixels / self._ratio)
        self._place_overlays()

    def _drawn(self, seconds: float) -> None:
        self.frame_drawn.emit(seconds)
        self.tiles.note_frame(seconds)
        self.navigation.set_north(self.view.north_angle())

    def _theme_changed(self) -> None:
        if self._closed:
            return
        for view in self.views:
            view.set_theme(render_theme(current_theme(), self._measure_color))
        self.interactor.render()


def _timer(owner: QObject, interval: int, run: object, *, single: bool = False) -> QTimer:
    timer = QTimer(owner)
    timer.setInterval(interval)
    timer.setSingleShot(single)
    timer.timeout.connect(run)
    return timer


def _at_least(box: Bounds, size: float = 2.0) -> Bounds:
    """Return a box that is more than a point, so that it can be framed (metres)."""
    pad = size / 2 if box.diagonal < 1e-6 else 0.0
    return Bounds(
        box.xmin - pad,
        box.ymin - pad,
        box.zmin - pad,
        box.xmax + pad,
        box.ymax + pad,
        box.zmax + pad,
    )
