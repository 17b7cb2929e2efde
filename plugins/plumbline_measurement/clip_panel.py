"""What of the scene is shown: section box, planes, slab, polygon, storeys apart, X-ray, ground.

The clipping belongs to the scene: every view, every pick and every snap keeps to it, it is saved
with the project and with viewpoints, and each change can be undone. The panel only edits it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QWidget

from plumbline.api import (
    MOST_CORNERS,
    N_,
    Bounds,
    ClipBox,
    Clipping,
    EntityRef,
    Pick,
    entity_bounds,
    tr,
)
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.context import Guide, Mark, Point, ToolContext
from plumbline.ui_kit.fields import MessageBar, SegmentedControl, UnitSpinBox
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import follow
from plumbline.ui_kit.panel import Panel, Section
from plumbline_measurement.clip_shapes import (
    box_around,
    grips,
    level_plane,
    outlines,
    plane_on,
    prism_over,
    upright_plane,
    upright_slab,
)

MARKS = "clip"
#: Thickness of a new slab, metres.
SLAB = 2.0
#: What is drawn by clicks: how many points it takes (0 for as many as are clicked), what to do.
DRAWINGS: dict[str, tuple[int, str]] = {
    "level": (1, N_("Click the height to cut at; what is above goes.")),
    "face": (1, N_("Click a face; what is before it goes.")),
    "upright": (2, N_("Click two points of the cut; what is left of the way goes.")),
    "slab": (2, N_("Click two points along the slab.")),
    "prism": (0, N_("Click the corners, finish with Enter or a double click.")),
    "ground": (0, N_("Click the corners, finish with Enter or a double click.")),
}
NAMES = {
    "level": N_("Level plane"),
    "face": N_("Face"),
    "upright": N_("Upright plane"),
    "slab": N_("Draw a slab"),
    "prism": N_("Draw a polygon"),
    "ground": N_("Cut within a polygon"),
}
LOOKS = {"solid": N_("Solid"), "xray": N_("X-ray"), "ghost": N_("Ghosts")}
GROUNDS = {"solid": N_("Solid"), "transparent": N_("Transparent"), "cut": N_("Cut away")}
#: Sizes of the box as the form has them.
SIZES = (N_("Along"), N_("Across"), N_("High"))


class ClipPanel(Panel):
    """Edits the clipping of the scene, by hand in the canvas and by numbers."""

    def __init__(self, context: ToolContext) -> None:
        super().__init__(icon="clip")
        self._context = context
        self._connected = False
        #: What clicks draw now, empty for nothing; and its points so far.
        self._drawing = ""
        self._points: list[Point] = []
        self._draw_buttons: dict[str, Any] = {}
        self._make_head()
        self._make_box()
        self._make_planes()
        self._make_polygon()
        self._make_looks()
        follow(self, context.scene.clipping_changed, self.refresh)
        follow(self, context.scene.selection_changed, self.refresh)
        self.retranslate()

    # -- building --------------------------------------------------------------------------

    def _make_head(self) -> None:
        self.active = QCheckBox()
        self.active.clicked.connect(lambda on: self._change(active=on))
        self.all_button = button("", clicked=lambda: self._set(Clipping()))
        self.add(_row(self.active, None, self.all_button))
        self._message = MessageBar()
        self.add(self._message)

    def _make_box(self) -> None:
        self._box = Section()
        self.box_button = button("", clicked=self._add_box)
        self._box_remove = tool_button("trash", clicked=lambda: self._change(box=None))
        self._box.add(_row(self.box_button, None, self._box_remove))
        self._box_form = QWidget()
        grid = QGridLayout(self._box_form)
        grid.setContentsMargins(0, 0, 0, 0)
        self.sizes = [UnitSpinBox("m", decimals=3, minimum=0.001) for _ in SIZES]
        self.azimuth = UnitSpinBox("°", decimals=2, step=5.0)
        self._size_labels = [label("", "caption") for _ in range(4)]
        for n, field in enumerate((*self.sizes, self.azimuth)):
            grid.addWidget(self._size_labels[n], n // 2 * 2, n % 2)
            grid.addWidget(field, n // 2 * 2 + 1, n % 2)
            field.value_changed.connect(lambda _value: self._box_typed())
        self._box.add(self._box_form)
        self.add(self._box)

    def _make_planes(self) -> None:
        self._planes = Section()
        self._planes.add(_row(*(self._draw_button(n) for n in ("level", "face", "upright")), None))
        self._plane_rows = QGridLayout()
        self._plane_rows.setColumnStretch(0, 1)
        holder = QWidget()
        holder.setLayout(self._plane_rows)
        self._plane_rows.setContentsMargins(0, 0, 0, 0)
        self._planes.add(holder)
        self.thickness = UnitSpinBox("m", decimals=3, minimum=0.001)
        self.thickness.set_value(SLAB)
        self.thickness.value_changed.connect(self._thickness_typed)
        self._slab_remove = tool_button("trash", clicked=lambda: self._change(slab=None))
        self._planes.add(_row(self._draw_button("slab"), self.thickness, None, self._slab_remove))
        self.add(self._planes)

    def _make_polygon(self) -> None:
        self._polygon = Section()
        self.side = SegmentedControl()
        for key in ("inside", "outside"):
            self.side.add(key)
        self.side.changed.connect(self._side_chosen)
        self._prism_remove = tool_button("trash", clicked=lambda: self._change(prism=None))
        self._polygon.add(_row(self._draw_button("prism"), None, self._prism_remove))
        self._polygon.add(self.side)
        self.add(self._polygon)

    def _make_looks(self) -> None:
        self._looks = Section()
        self.look, self.ground = SegmentedControl(), SegmentedControl()
        for control, names in ((self.look, LOOKS), (self.ground, GROUNDS)):
            for key in names:
                control.add(key)
        self.look.changed.connect(lambda key: self._change(look=key))
        self.ground.changed.connect(lambda key: self._change(ground=key))
        self.explode = UnitSpinBox("m", decimals=2, step=1.0, minimum=0.0)
        self.explode.value_changed.connect(self._explode_typed)
        self._look_label, self._ground_label, self._explode_label = (
            label("", "caption") for _ in range(3)
        )
        for widget in (self._look_label, self.look, self._explode_label, self.explode):
            self._looks.add(widget)
        for widget in (self._ground_label, self.ground):
            self._looks.add(widget)
        self._area_remove = tool_button("trash", clicked=lambda: self._change(ground_area=()))
        self._looks.add(_row(self._draw_button("ground"), None, self._area_remove))
        self.add(self._looks)

    def _draw_button(self, name: str) -> QWidget:
        made = button("", clicked=lambda: self.draw(name))
        made.setCheckable(True)
        self._draw_buttons[name] = made
        return made

    def draw_button(self, name: str) -> Any:
        """Return the button that lets clicks draw something, of `DRAWINGS`."""
        return self._draw_buttons[name]

    def retranslate(self) -> None:
        """Set every text again; called at the start and when the language changes."""
        self.set_title(tr("Clip"))
        self.active.setText(tr("Clip the scene"))
        self.all_button.setText(tr("Show everything"))
        for section, title in (
            (self._box, tr("Section box")),
            (self._planes, tr("Planes and slab")),
            (self._polygon, tr("Polygon")),
            (self._looks, tr("Look")),
        ):
            section.set_title(title)
        for text, name in zip(self._size_labels, (*SIZES, N_("Azimuth")), strict=True):
            text.setText(tr(name))
        for name, made in self._draw_buttons.items():
            made.setText(tr(NAMES[name]))
        self.side.set_text("inside", tr("Keep the inside"))
        self.side.set_text("outside", tr("Keep the outside"))
        for control, names in ((self.look, LOOKS), (self.ground, GROUNDS)):
            for key, name in names.items():
                control.set_text(key, tr(name))
        self._look_label.setText(tr("Bodies"))
        self._ground_label.setText(tr("Ground"))
        self._explode_label.setText(tr("Storeys apart by"))
        for remove in (self._box_remove, self._slab_remove, self._prism_remove, self._area_remove):
            remove.setToolTip(tr("Remove"))
            remove.setAccessibleName(tr("Remove"))
        self.refresh()

    # -- the canvas ------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Listen to the canvas only while this tool is the one in sight."""
        super().showEvent(event)
        self._connect(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the canvas as it was found; the clipping stays."""
        super().hideEvent(event)
        self._connect(False)
        self._context.canvas.clear_marks(MARKS)
        self.draw("")

    def _connect(self, on: bool) -> None:
        if on == self._connected:
            return
        self._connected = on
        canvas = self._context.canvas
        for signal, slot in (
            (canvas.clicked, self._clicked),
            (canvas.hovered, self._hovered),
            (canvas.finished, self._finish),
            (canvas.stepped_back, self._step_back),
            (canvas.escaped, self._escape),
            (canvas.handle_moved, self._handle_moved),
            (canvas.handle_released, self._handle_released),
        ):
            if on:
                signal.connect(slot)
            else:
                signal.disconnect(slot, missing_ok=True)
        if on:
            self.refresh()

    def draw(self, name: str) -> None:
        """Let clicks draw something of `DRAWINGS`, or nothing; again: give it up."""
        self._drawing = "" if name == self._drawing else name
        self._points = []
        if self._connected:
            self._context.canvas.clear_preview()
            self._context.canvas.set_aim(snap=bool(self._drawing))
        self.refresh()

    def _clicked(self, pick: Pick) -> None:
        if not self._drawing:
            # What stays solid among ghosts is chosen by clicking, as without a tool.
            ref = pick.ref
            self._context.scene.select([] if ref is None else [EntityRef(ref.layer, ref.entity)])
            return
        if self._points and pick.position == self._points[-1]:
            return
        if self._drawing == "face":
            self._made(lambda: {"planes": (*self._clipping.planes, plane_on(pick))})
            return
        self._points.append(pick.position)
        most = DRAWINGS[self._drawing][0]
        if most and len(self._points) == most:
            self._finish()
        else:
            self._hovered(None)

    def _hovered(self, pick: Pick | None) -> None:
        if self._drawing and self._points:
            points = [*self._points, *([] if pick is None else [pick.position])]
            closed = self._drawing in ("prism", "ground")
            self._context.canvas.show_preview(points, closed=closed)

    def _step_back(self) -> None:
        self._points = self._points[:-1]
        self._context.canvas.clear_preview()
        self._hovered(None)

    def _escape(self) -> None:
        if self._drawing:
            self.draw("")
        else:
            self._context.close_tool()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Give Esc the same meaning when the panel has the focus."""
        if event.key() == Qt.Key.Key_Escape:
            self._escape()
        else:
            super().keyPressEvent(event)

    def _finish(self) -> None:
        """Make what was drawn, once it has the points that it needs."""
        points, clipping = list(self._points), self._clipping
        most = DRAWINGS[self._drawing][0] if self._drawing else 0
        if not self._drawing or len(points) < (most or 3):
            return
        thickness = self.thickness.value() or SLAB
        makers: dict[str, Callable[[], dict[str, Any]]] = {
            "level": lambda: {"planes": (*clipping.planes, level_plane(points[0]))},
            "upright": lambda: {"planes": (*clipping.planes, upright_plane(*points))},
            "slab": lambda: {"slab": upright_slab(points[0], points[1], thickness)},
            "prism": lambda: {"prism": prism_over(points, self.side.current() == "inside")},
            "ground": lambda: {
                "ground": "cut",
                "ground_area": prism_over(points, inside=True).polygon,
            },
        }
        self._made(makers[self._drawing])

    def _made(self, make: Callable[[], dict[str, Any]]) -> None:
        try:
            changed = replace(self._clipping, **{"active": True, **make()})
        except ValueError:
            self._message.show_message(self._refusal(), "bad")
            self._points = []
            self._context.canvas.clear_preview()
            return
        self._message.dismiss()
        self.draw("")
        self._set(changed)

    def _refusal(self) -> str:
        if self._drawing in ("prism", "ground"):
            return tr("A polygon has at most {n} corners.", n=MOST_CORNERS)
        if self._drawing in ("upright", "slab"):
            return tr("The points lie above each other, or there are too many planes.")
        return tr("There are too many planes: remove one first.")

    # -- the clipping ----------------------------------------------------------------------

    @property
    def _clipping(self) -> Clipping:
        return self._context.scene.clipping

    def _set(self, clipping: Clipping, *, live: bool = False) -> None:
        self._context.scene.set_clipping(clipping, live=live)
        self.refresh()

    def _change(self, *, live: bool = False, **changes: Any) -> None:
        """Change parts of the clipping; whoever changes one wants to see it."""
        self._set(replace(self._clipping, **{"active": True, **changes}), live=live)

    def _add_box(self) -> None:
        """Put a box around what is selected, or around everything that is shown."""
        scene = self._context.scene
        chosen = [
            entity_bounds(scene[ref.layer], ref.entity)
            for ref in scene.selection
            if ref.layer in scene
        ]
        shown = [layer.bounds for layer in scene if scene.is_visible(layer.id)]
        around = Bounds.union(chosen) or Bounds.union(shown)
        if around is not None:
            self._change(box=box_around(around))

    def _box_typed(self) -> None:
        box = self._clipping.box
        sizes = [field.value() for field in self.sizes]
        turn = self.azimuth.value()
        if box is None or turn is None or any(size is None or size <= 0 for size in sizes):
            return
        along, across, high = (float(size or 0.0) for size in sizes)
        self._change(box=ClipBox(box.center, (along, across, high), turn), live=True)

    def _thickness_typed(self, value: float | None) -> None:
        slab = self._clipping.slab
        if slab is not None and value is not None and value > 0:
            self._change(slab=replace(slab, thickness=value), live=True)

    def _explode_typed(self, value: float | None) -> None:
        if value is not None and value >= 0:
            self._change(explode=value, live=True)

    def _side_chosen(self, side: str) -> None:
        prism = self._clipping.prism
        if prism is not None:
            self._change(prism=replace(prism, inside=side == "inside"))

    def _flip(self, number: int) -> None:
        planes = list(self._clipping.planes)
        x, y, z = planes[number].normal
        planes[number] = replace(planes[number], normal=(-x, -y, -z))
        self._change(planes=tuple(planes))

    def _remove_plane(self, number: int) -> None:
        planes = self._clipping.planes
        self._change(planes=(*planes[:number], *planes[number + 1 :]))

    def _handle_moved(self, number: int, pick: Pick) -> None:
        found = grips(self._clipping)
        if number < len(found):
            self._set(found[number].dragged(pick.position), live=True)

    def _handle_released(self, number: int, pick: Pick) -> None:
        self._handle_moved(number, pick)

    # -- showing ---------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the clipping as it is now, in the form and in the canvas."""
        clipping = self._clipping
        self.active.setChecked(clipping.active and clipping != Clipping())
        self.all_button.setEnabled(clipping != Clipping())
        box = clipping.box
        self.box_button.setText(
            tr("Box around the selection")
            if self._context.scene.selection
            else tr("Box around everything")
        )
        self._box_form.setVisible(box is not None)
        if box is not None:
            for field, value in zip(
                (*self.sizes, self.azimuth), (*box.size, box.azimuth), strict=True
            ):
                _show(field, value)
        if clipping.slab is not None:
            _show(self.thickness, clipping.slab.thickness)
        _show(self.explode, clipping.explode)
        self.side.setVisible(clipping.prism is not None)
        if clipping.prism is not None:
            self.side.set_current("inside" if clipping.prism.inside else "outside")
        self.look.set_current(clipping.look)
        self.ground.set_current(clipping.ground)
        for remove, there in (
            (self._box_remove, box),
            (self._slab_remove, clipping.slab),
            (self._prism_remove, clipping.prism),
            (self._area_remove, clipping.ground_area),
        ):
            remove.setVisible(bool(there))
        for name, made in self._draw_buttons.items():
            made.setChecked(name == self._drawing)
        self._show_planes()
        self._show_in_canvas()
        self.set_instruction(
            tr(DRAWINGS[self._drawing][1])
            if self._drawing
            else tr("Choose what to cut with; drag the grips to move it.")
        )

    def _show_planes(self) -> None:
        planes = self._clipping.planes
        if self._plane_rows.count() == 3 * len(planes):
            return
        while (item := self._plane_rows.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for n in range(len(planes)):
            flip = tool_button("refresh", tr("Keep the other side"), size=16)
            flip.clicked.connect(lambda _=False, n=n: self._flip(n))
            remove = tool_button("trash", tr("Remove"), size=16)
            remove.clicked.connect(lambda _=False, n=n: self._remove_plane(n))
            cells: tuple[QWidget, ...] = (QLabel(tr("Plane {n}", n=n + 1)), flip, remove)
            for column, widget in enumerate(cells):
                self._plane_rows.addWidget(widget, n, column)

    def _show_in_canvas(self) -> None:
        """Draw the shapes, with a grip on each face; none while something is being drawn."""
        if not self._connected:
            return
        canvas, clipping = self._context.canvas, self._clipping
        shown = clipping if clipping.active else Clipping()
        bounds = self._context.scene.bounds
        camera = canvas.camera
        away = sum((a - b) ** 2 for a, b in zip(camera.position, camera.focal_point, strict=True))
        lines = outlines(shown, 0.15 * away**0.5, bounds.zmax if bounds is not None else 0.0)
        marks = [Mark(line, "line", tone="cut", width=1.5, closed=True) for line in lines]
        canvas.show_marks(MARKS, marks)
        found = [] if self._drawing else grips(shown)
        canvas.set_handles([g.place for g in found], [Guide(g.axis) for g in found])


def _show(field: UnitSpinBox, value: float) -> None:
    """Show a number, unless it is just what is being typed."""
    if field.value() != round(value, 6):
        field.set_value(round(value, 6))


def _row(*widgets: QWidget | None) -> QWidget:
    """Return widgets in a row; None is a gap that takes what room is left."""
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(8)
    for widget in widgets:
        if widget is None:
            line.addStretch(1)
        else:
            line.addWidget(widget)
    return row
