"""The tool that builds a scheme: blocks drawn on parcels, dragged by their faces, set by numbers.

What is built belongs to the scheme that is shown. The panel also levels its ground, clears areas
of captures, takes a parcel as its site, and tells the indicators while all this changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
)

from plumbline.api import (
    Clearing,
    Pick,
    RefusedError,
    UserError,
    VectorData,
    tr,
)
from plumbline.ui_kit import MessageBar, Panel, Section, button, follow
from plumbline.ui_kit.context import Point, ToolContext
from plumbline.ui_kit.fields import UnitSpinBox
from plumbline.ui_kit.selections import outline_of_selection
from plumbline_schemes.analysis.massing import Block
from plumbline_schemes.analysis.massing_edits import (
    TEMPLATES,
    aligned,
    direction_of,
    drawn,
    from_table,
    middle_of,
    moved,
    on_parcel,
    placed,
    split,
    table_rows,
)
from plumbline_schemes.massing_form import BlockForm, LiveNumbers, field_row
from plumbline_schemes.massing_grips import Grip, grips_of, marks_of
from plumbline_schemes.massing_store import MassingStore

OUTLINE, PARCEL, SPLIT, ALIGN, TERRAIN, CLEAR = (
    "outline", "parcel", "split", "align", "terrain", "clear",
)  # fmt: skip
#: What is drawn as an outline of several points.
RINGS = (OUTLINE, TERRAIN, CLEAR)
DRAFT = "massing"


class MassingPanel(Panel):
    """Draws and edits the blocks of a scheme."""

    def __init__(self, context: ToolContext) -> None:
        super().__init__(icon="massing")
        self.context = context
        self.store = MassingStore(context.scene)
        self.mode = ""
        self._points: list[Point] = []
        self._selected = ""
        self._grips: list[Grip] = []
        self._listening = False
        #: Asks for a table; empty when the user gave up.
        self.ask_table: Callable[[], str] = self._ask_table
        self._message = MessageBar()
        self.add(self._message)
        self._make_place()
        self.numbers = LiveNumbers(context)
        self.add(self.numbers)
        self._make_block()
        self._make_ground()
        scene = context.scene
        follow(self, scene.schemes_changed, self.refresh)
        follow(self, scene.tree_changed, self.refresh)
        follow(self, scene.layer_changed, self._layer_changed)
        self.retranslate()

    # -- building --------------------------------------------------------------------------

    def _make_place(self) -> None:
        self._place = Section()
        grid = QGridLayout()
        grid.setSpacing(6)
        self.modes = {
            name: button("", clicked=lambda name=name: self.start(name))
            for name in (OUTLINE, PARCEL, *TEMPLATES)
        }
        self.table = button("", clicked=self._from_table)
        for n, part in enumerate([*self.modes.values(), self.table]):
            part.setCheckable(part is not self.table)
            grid.addWidget(part, n // 2, n % 2)
        self._place.body.addLayout(grid)
        self.setback = UnitSpinBox("m", decimals=1, minimum=0, maximum=200)
        self.setback.set_value(5.0)
        self._setback_row = field_row(self._place, self.setback)
        self.add(self._place)

    def _make_block(self) -> None:
        self.form = BlockForm(lambda: self.store.units)
        self.form.edited.connect(self._edit)
        grid = QGridLayout()
        grid.setSpacing(6)
        self.copy = button("", icon="copy", clicked=self._copy)
        self.remove = button("", icon="trash", clicked=self._remove)
        self.modes[SPLIT] = button("", clicked=lambda: self.start(SPLIT))
        self.modes[ALIGN] = button("", clicked=lambda: self.start(ALIGN))
        for n, part in enumerate((self.copy, self.remove, self.modes[SPLIT], self.modes[ALIGN])):
            grid.addWidget(part, n // 2, n % 2)
        self.modes[SPLIT].setCheckable(True)
        self.modes[ALIGN].setCheckable(True)
        self.form.body.addLayout(grid)
        self.add(self.form)

    def _make_ground(self) -> None:
        self._ground = Section(open_=False)
        self.level = UnitSpinBox("m", decimals=2, step=0.5)
        self._level_row = field_row(self._ground, self.level)
        grid = QGridLayout()
        grid.setSpacing(6)
        self.modes[TERRAIN] = button("", icon="flatten", clicked=lambda: self.start(TERRAIN))
        self.modes[CLEAR] = button("", icon="clip", clicked=lambda: self.start(CLEAR))
        self.site = button("", clicked=self._take_site)
        self.untouched = button("", icon="undo", clicked=self._untouch)
        parts = (self.modes[TERRAIN], self.modes[CLEAR], self.site, self.untouched)
        for n, part in enumerate(parts):
            grid.addWidget(part, n // 2, n % 2)
        self.modes[TERRAIN].setCheckable(True)
        self.modes[CLEAR].setCheckable(True)
        self._ground.body.addLayout(grid)
        self.add(self._ground)

    def retranslate(self) -> None:
        """Set every text again."""
        self.set_title(tr("Massing"))
        self._place.set_title(tr("Build"))
        self.form.retranslate()
        self._ground.set_title(tr("Ground and site"))
        self.numbers.retranslate()
        texts = {
            OUTLINE: tr("Outline"), PARCEL: tr("On a parcel"), SPLIT: tr("Split"),
            ALIGN: tr("Align"), TERRAIN: tr("Level ground"), CLEAR: tr("Clear an area"),
        }  # fmt: skip
        for name, part in self.modes.items():
            part.setText(tr(TEMPLATES[name].title) if name in TEMPLATES else texts[name])
        self.table.setText(tr("From a table…"))
        self._setback_row.setText(tr("Setback on parcels"))
        self._level_row.setText(tr("Level of the ground"))
        self.copy.setText(tr("Copy"))
        self.remove.setText(tr("Remove"))
        self.site.setText(tr("Parcel is the site"))
        self.site.setToolTip(tr("The selected parcel becomes the site that indicators refer to."))
        self.untouched.setText(tr("Ground as it is"))
        self.refresh()

    # -- state -----------------------------------------------------------------------------

    @property
    def selected(self) -> Block | None:
        """The block that is being edited."""
        return next((b for b in self._blocks() if b.id == self._selected), None)

    def _blocks(self) -> tuple[Block, ...]:
        try:
            return self.store.blocks()
        except UserError as error:
            self._message.show_message(str(error), "bad")
            return ()

    def start(self, mode: str) -> None:
        """Begin to place, to draw or to part something; the same again ends it."""
        self._points = []
        if mode and mode == self.mode:
            mode = ""
        if mode:
            try:
                self.store.editable()
            except UserError as error:
                self._message.show_message(str(error), "warn")
                mode = ""
        self.mode = mode
        self.refresh()

    def select(self, block_id: str) -> None:
        """Edit a block, or none."""
        self.form.finish()
        self._selected = block_id
        block = self.selected
        ref = None if block is None else self.store.ref(block)
        self.context.scene.select([] if ref is None else [ref])
        self.refresh()

    def refresh(self) -> None:
        """Show everything as it is now."""
        block = self.selected
        for name, part in self.modes.items():
            part.setChecked(name == self.mode)
        self._setback_row.parentWidget().setVisible(self.mode == PARCEL)
        self.form.setVisible(block is not None)
        if block is not None:
            self.form.show_block(block)
        self.set_instruction(self._what_next())
        self._draw()
        if self.isVisible():
            self.numbers.ask_soon()

    def _what_next(self) -> str:
        if self.store.scheme is None:
            return tr("Choose a scheme, or make a new one, under Schemes.")
        if self.mode in TEMPLATES:
            return tr("Click where it stands; it takes the direction of the last one.")
        texts = {
            OUTLINE: tr("Click the corners; Enter or a double click ends."),
            TERRAIN: tr("Click the corners of what is levelled; Enter ends."),
            CLEAR: tr("Click the corners of what captures lose; Enter ends."),
            PARCEL: tr("Click a parcel: it is built upon up to the setback."),
            SPLIT: tr("Click two points of the line that parts the building."),
            ALIGN: tr("Click two points of the line that the building follows."),
        }
        if self.mode:
            return texts[self.mode]
        if self.selected is not None:
            return tr("Drag its walls and its top, or the grips beside it to move and turn it.")
        return tr("Build something, or click a building to edit it.")

    # -- canvas ----------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Take the canvas."""
        super().showEvent(event)
        self._listen(True)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the canvas as it was found."""
        super().hideEvent(event)
        self._listen(False)
        canvas = self.context.canvas
        canvas.clear_marks(DRAFT)
        canvas.set_handles([])
        canvas.clear_preview()

    def _listen(self, on: bool) -> None:
        canvas = self.context.canvas
        if on == self._listening:
            return
        self._listening = on
        for signal, slot in (
            (canvas.hovered, self._hovered), (canvas.clicked, self._clicked),
            (canvas.finished, self._finished), (canvas.stepped_back, self._step_back),
            (canvas.escaped, self._escaped), (canvas.handle_moved, self._dragged),
            (canvas.handle_released, self._released),
        ):  # fmt: skip
            if on:
                signal.connect(slot)
            else:
                signal.disconnect(slot)

    def _draw(self) -> None:
        """Show the grips of the selected block, or nothing while something is drawn."""
        if not self.isVisible():
            return
        canvas, block = self.context.canvas, self.selected
        canvas.clear_marks(DRAFT)
        self._grips = []
        if block is not None and not self.mode and self._may_edit():
            self._grips = grips_of(block, self.store.units)
        canvas.set_handles([g.place for g in self._grips], [g.guide for g in self._grips])
        if not self.mode:
            canvas.clear_preview()

    def _may_edit(self) -> bool:
        scheme = self.store.scheme
        return scheme is not None and not scheme.locked

    def _hovered(self, pick: Pick | None) -> None:
        if pick is None or not self.mode:
            return
        canvas = self.context.canvas
        if self.mode in RINGS or self.mode in (SPLIT, ALIGN):
            canvas.show_preview([*self._points, pick.position], closed=self.mode in RINGS)
        elif self.mode in TEMPLATES:
            self._show_draft(self._template(pick))

    def _show_draft(self, block: Block) -> None:
        self.context.canvas.show_marks(DRAFT, marks_of(block, self.store.units))

    def _template(self, pick: Pick) -> Block:
        x, y, _ = pick.position
        last = self.selected
        angle = 90.0 if last is None else direction_of(last)
        return placed(self.mode, (x, y), angle, self.store.ground(x, y), self.store.units)

    def _clicked(self, pick: Pick) -> None:
        self._message.dismiss()
        if not self.mode:
            block = self.store.block(pick.ref)
            self.select("" if block is None else block.id)
        elif self.mode in TEMPLATES:
            self._try(lambda: self._add([self._template(pick)]))
        elif self.mode == PARCEL:
            self._try(lambda: self._build_on(pick))
        else:
            self._points.append(pick.position)
            if self.mode in (SPLIT, ALIGN) and len(self._points) == 2:
                self._try(self._apply_line)

    def _finished(self) -> None:
        if self.mode in RINGS and len(self._points) >= 3:
            self._try(self._apply_ring)
        elif self.mode:
            self.start("")

    def _step_back(self) -> None:
        if self._points:
            self._points.pop()
            self.context.canvas.show_preview(self._points, closed=self.mode in RINGS)

    def _escaped(self) -> None:
        if self._points:
            self._points = []
            self.context.canvas.clear_preview()
        elif self.mode:
            self.start("")
        elif self.selected is not None:
            self.select("")
        else:
            self.context.close_tool()

    def _dragged(self, number: int, pick: Pick) -> None:
        if number < len(self._grips):
            try:
                self._show_draft(self._grips[number].drag(pick.position))
            except UserError:
                self.context.canvas.clear_marks(DRAFT)

    def _released(self, number: int, pick: Pick) -> None:
        if number >= len(self._grips):
            return
        drag = self._grips[number].drag
        self._try(lambda: self.store.replace(drag(pick.position), tr("Drag building")))

    def _try(self, edit: Callable[[], object]) -> None:
        """Make an edit; what it refuses is said, and what is drawn is drawn anew."""
        try:
            edit()
            self._message.dismiss()
        except UserError as error:
            self._points = []
            self._message.show_message(str(error), "warn")
        self.refresh()

    # -- edits -----------------------------------------------------------------------------

    def _add(self, blocks: list[Block]) -> None:
        made = self.store.add(blocks, tr("Add building"))
        self._selected = made[-1].id

    def _apply_ring(self) -> None:
        points, mode = self._points, self.mode
        ring = tuple((x, y) for x, y, _ in points)
        self._points = []
        if mode == OUTLINE:
            base = min(self.store.ground(x, y) for x, y in ring)
            like = self.selected
            tier = None if like is None else like.tiers[-1]
            self._add([
                drawn(ring, base, 6, 3.0, "住宅") if tier is None
                else drawn(ring, base, tier.storeys, tier.storey_height, tier.use)
            ])  # fmt: skip
            self.start("")
            return
        scheme = self.store.editable()
        scene = self.context.scene
        if mode == CLEAR:
            scene.update_scheme(scheme.id, cleared=(*scheme.cleared, Clearing((ring,))))
        else:
            level = self.level.value()
            if level is None:
                heights = [self.store.ground(x, y) for x, y in ring]
                level = round(float(np.mean(heights)) * self.store.units.vertical, 2)
                self.level.set_value(level)
            scene.update_scheme(
                scheme.id, terrain_polygon=ring, terrain_height=level / self.store.units.vertical
            )
        self.start("")

    def _apply_line(self) -> None:
        block = self.selected
        (x0, y0, _), (x1, y1, _) = self._points
        mode, self._points = self.mode, []
        if block is None:
            raise RefusedError(tr("Click a building first."), "")
        if mode == ALIGN:
            angle = float(np.degrees(np.arctan2(x1 - x0, y1 - y0)))
            self.store.replace(aligned(block, angle), tr("Align building"))
        else:
            first, *others = split(block, (x0, y0), (x1, y1))
            with self.context.scene.history.step(tr("Split building")):
                self.store.replace(replace(first, id=block.id), tr("Split building"))
                self.store.add([replace(one, name="") for one in others], tr("Split building"))
        self.start("")

    def _build_on(self, pick: Pick) -> None:
        """Build on the polygon that was clicked, or on the one that lies there."""
        import shapely

        x, y, _ = pick.position
        for layer in self.context.scene:
            data = layer.data
            named = pick.ref is not None and layer.id == pick.layer
            if not isinstance(data, VectorData) or not (named or layer.id == "parcels"):
                continue
            shapes = data.features.geometry
            inside = shapes.index[shapely.intersects_xy(shapes.to_numpy(), x, y)]
            if len(inside):
                shape = shapely.force_2d(shapes[inside[0]])
                parcel = max(shapely.get_parts(shape), key=lambda part: float(part.area))
                base = self.store.ground(x, y)
                gap = self.setback.value() or 0.0
                self._add(on_parcel(parcel, gap, base, 6, 3.0, "住宅", self.store.units))
                return
        raise RefusedError(
            tr("There is no parcel."), tr("Show a layer of parcels and click into one of them.")
        )

    def _edit(self, edit: Callable[[Block], Block]) -> None:
        block = self.selected
        if block is None:
            return

        def make() -> None:
            new = edit(block)
            if new != block:
                self.store.replace(new, tr("Edit building"))

        self._try(make)

    def _copy(self) -> None:
        block = self.selected
        if block is None:
            return
        x0, _, x1, _ = block.tiers[0].polygon.bounds
        gap = 6.0 / (self.store.units.horizontal or 1.0)
        away = moved(replace(block, name=""), x1 - x0 + gap, 0.0)
        x, y = middle_of(away)
        self._try(lambda: self._add([replace(away, base=self.store.ground(x, y))]))

    def _remove(self) -> None:
        block = self.selected
        if block is not None:
            self._try(lambda: self.store.remove(block))

    def _take_site(self) -> None:
        def take() -> None:
            scheme = self.store.editable()
            ring = [[x, y] for x, y in outline_of_selection(self.context.scene)]
            site = {**scheme.site, "polygons": [ring]}
            self.context.scene.update_scheme(scheme.id, site=site)

        self._try(take)

    def _untouch(self) -> None:
        def undo() -> None:
            scheme = self.store.editable()
            cleared = tuple(one for one in scheme.cleared if one.of)
            self.context.scene.update_scheme(
                scheme.id, terrain_polygon=(), terrain_height=None, cleared=cleared
            )

        self._try(undo)

    def _from_table(self) -> None:
        path = self.ask_table()
        if path:
            store = self.store
            self._try(
                lambda: self._add(from_table(table_rows(Path(path)), store.units, store.ground))
            )

    def _ask_table(self) -> str:
        found, _ = QFileDialog.getOpenFileName(
            self, tr("Table of buildings"), "", tr("Tables") + " (*.csv *.xlsx)"
        )
        return found

    def _layer_changed(self) -> None:
        if self.isVisible():
            self.refresh()
