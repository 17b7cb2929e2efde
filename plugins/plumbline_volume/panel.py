"""The tool for volumes: draw or pick the area, see the difference in place, compare the bases.

While an area is drawn and parameters change, a coarse difference follows in the canvas; the run
gives the number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent

from plumbline.api import (
    N_,
    VOLUME_BASES,
    EntityRef,
    GridData,
    Layer,
    LayerStyle,
    Pick,
    RefusedError,
    Result,
    shoelace,
    tr,
)
from plumbline.ui_kit.analysis_panel import RESULT, AnalysisPanel
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.context import ToolContext
from plumbline.ui_kit.editors import SuggestEditor
from plumbline.ui_kit.field_specs import Editor, FieldSpec, human_name
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.result_view import headline_text
from plumbline.ui_kit.theme import current_theme
from plumbline_volume.building_sheet import BuildingSheet
from plumbline_volume.footprint_hand import FootprintHand
from plumbline_volume.words import WORDS

POLYGON, CUT_FILL, SOLID = "volume.polygon", "volume.cutfill", "volume.solid"
DEMOLITION = "volume.demolition"
ANALYSES = (
    POLYGON,
    CUT_FILL,
    SOLID,
    "volume.excavation",
    DEMOLITION,
    "volume.storage",
)
#: Analyses whose difference follows the mouse and the parameters.
LIVE = (POLYGON, CUT_FILL)
LIVE_KEY = "live"
#: A preview has about so many cells, so that it keeps up with the hand.
PREVIEW_CELLS = 20_000
#: Milliseconds between two previews.
PREVIEW_AFTER = 80
LIVE_BASE = "live base"
#: Milliseconds of rest after which the base is drawn too: that draws the whole scene.
SETTLED = 600
#: Opacity of the base surface: what stands on it and below it stays in sight.
BASE_OPACITY = 0.5
#: Where nothing changes.
EVEN = "#D8D8D8"
BASES: Mapping[str, str] = {
    "constant": N_("Constant height"),
    "lowest": N_("Lowest point"),
    "mean": N_("Mean height"),
    "plane": N_("Plane through the rim"),
    "rim": N_("Triangles through the rim"),
}

GROUNDS: Mapping[str, str] = {
    "auto": N_("Ground points, else a ring"),
    "class2": N_("Ground points (class 2)"),
    "ring_plane": N_("Ring around each: plane"),
    "ring_tin": N_("Ring around each: triangles"),
    "ring_idw": N_("Ring around each: inverse distance"),
}


class VolumePanel(AnalysisPanel):
    """Volumes over a base, between surfaces, of solids and of buildings."""

    words: ClassVar[Mapping[str, str]] = WORDS
    unfolded: ClassVar[tuple[str, ...]] = (
        "base", "base_z", "level_of_detection", "entities", "depth", "slope",
    )  # fmt: skip
    wanted: ClassVar[tuple[str, ...]] = ("polygon", "area")

    def __init__(self, context: ToolContext) -> None:
        self._timer, self._settled = QTimer(), QTimer()
        self._base: Layer | None = None
        super().__init__(context, ANALYSES, title=N_("Volumes"), icon="volume")

    def build(self) -> None:
        """Add the line that tells the preview's number."""
        self._live = label("", "hint", wrap=True)
        self._live.hide()
        self.below.addWidget(self._live)
        self._sheet = BuildingSheet(self.word)
        self.below.addWidget(self._sheet)
        self._correct = button("", icon="edit", clicked=self.correct_footprint)
        self.below.addWidget(self._correct)
        self._hand = FootprintHand(self.context, self.height_at, self._corrected, self)
        self._timer.setParent(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PREVIEW_AFTER)
        self._timer.timeout.connect(self._preview)
        self._settled.setParent(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLED)
        self._settled.timeout.connect(self._show_base)

    def editors(self, analysis: str) -> Mapping[str, Callable[[FieldSpec], Editor]]:
        """Let the base and the ground be a word or a layer."""
        editors: dict[str, Callable[[FieldSpec], Editor]] = {
            "base": lambda spec: SuggestEditor(spec, self._bases)
        }
        if analysis == DEMOLITION:
            editors["ground"] = lambda spec: SuggestEditor(spec, self._grounds)
        return editors

    def _bases(self) -> list[tuple[str, str]]:
        words = [(name, tr(BASES.get(name, human_name(name)))) for name in VOLUME_BASES]
        return words + self._surfaces()

    def _grounds(self) -> list[tuple[str, str]]:
        return [(name, tr(text)) for name, text in GROUNDS.items()] + self._surfaces()

    def _surfaces(self) -> list[tuple[str, str]]:
        return [
            (layer.id, tr("Layer “{name}”", name=layer.name))
            for layer in self.context.scene
            if layer.kind in ("raster", "mesh", "pointcloud")
        ]

    def retranslate(self) -> None:
        """Take up the language of the window."""
        super().retranslate()
        self._correct.setText(tr("Correct the outline of the selected footprint"))
        self._correct.setVisible(self.analysis == DEMOLITION)

    # -- correcting a footprint ------------------------------------------------------------

    def correct_footprint(self) -> None:
        """Let the corners of the selected footprint be dragged."""
        ref = next(iter(self.context.scene.selection), None)
        try:
            if ref is None:
                raise RefusedError(tr("No footprint is selected."), tr("Select one footprint."))
            self.picker.listen(False)
            self._hand.begin(ref)
        except RefusedError as error:
            self.picker.listen(self.isVisible())
            self._message.show_message(f"{error} {error.hint}", "warn", seconds=8)
            return
        self.set_instruction(
            tr("Drag corners, click to add one, Backspace takes one back. Enter keeps, Esc leaves.")
        )

    def _corrected(self, layer: str) -> None:
        """Go on with the corrected footprints, measured as soon as the inputs are complete."""
        self.picker.listen(self.isVisible())
        self._instruct()
        if not layer:
            return
        kept = self.form.values().get("footprints") or ()
        kept = (kept,) if isinstance(kept, str | dict) else kept
        names = [one["layer"] if isinstance(one, dict) else one for one in kept]
        if layer not in names:
            self.form.set_values({"footprints": (layer,)})
        self.form.edited("footprints")
        if self.form.is_valid():
            self.run()

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave a footprint that is being corrected as it was."""
        self._hand.give_up()
        super().hideEvent(event)

    # -- following -------------------------------------------------------------------------

    def inputs_changed(self) -> None:
        """Ask for a preview, a few times a second at most."""
        if not self._timer.isActive():
            self._timer.start()

    def _ring(self) -> list[tuple[float, ...]]:
        return self.picker.points("polygon") if self._has("polygon") else []

    def _has(self, field: str) -> bool:
        return bool(self._forms) and any(s.name == field for s in self.form.specs())

    def _preview(self) -> None:
        """Compute the difference on coarse cells; only of an area, never of everything."""
        ring = self._ring()
        if not self.isVisible() or self.analysis not in LIVE or len(ring) < 3:
            self._clear_live()
            return
        if not self.form.is_valid():
            return
        params = self.form.values()
        area = abs(shoelace([point[:2] for point in ring]))
        if params.get("cell_size") is None and area > 0:
            params["cell_size"] = max(0.25, math.sqrt(area / PREVIEW_CELLS))
        self.context.preview(LIVE_KEY, self.analysis, params, self._show_live, self._no_live)

    def _show_live(self, result: Result) -> None:
        # What is complete is not covered by a preview of the same inputs.
        if not self.isVisible() or result.analysis != self.analysis or self._is_current():
            return
        self.context.canvas.show_layer(f"{RESULT}.difference", None)
        layer = result.layers.get("difference")
        if layer is not None:
            style = self.style_of("difference", layer)
            self.context.canvas.show_layer(LIVE_KEY, layer, style, live=True)
        self._base = result.layers.get("base")
        self._settled.start()
        self._live.setText(tr("About {value} on coarse cells", value=headline_text(result)))
        self._live.show()

    def _show_base(self) -> None:
        """Draw the base of the preview once the hand rests."""
        if self._base is not None and self.isVisible() and not self._is_current():
            style = self.style_of("base", self._base)
            self.context.canvas.show_layer(LIVE_BASE, self._base, style)

    def _no_live(self, error: Exception) -> None:
        self._clear_live()

    def _is_current(self) -> bool:
        return self.view.result is not None and not self.view.stale

    def _clear_live(self) -> None:
        self._live.hide()
        self._settled.stop()
        self._base = None
        for key in (LIVE_KEY, LIVE_BASE):
            self.context.canvas.show_layer(key, None)

    # -- results ---------------------------------------------------------------------------

    def present(self, result: Result) -> None:
        """Draw a result in place of its preview."""
        self._timer.stop()
        self._clear_live()
        super().present(result)

    def clear_canvas(self) -> None:
        """Take everything out of the canvas."""
        super().clear_canvas()
        self._clear_live()
        if self.view.result is None or self.view.result.analysis != DEMOLITION:
            self._sheet.hide()

    def clicked(self, pick: Pick) -> None:
        """Select what was hit: for solids it is what is measured, for buildings its sheet shows."""
        super().clicked(pick)
        if pick.ref is None:
            return
        if self.analysis == SOLID:
            self.form.set_values({"layer": pick.ref.layer, "entities": (pick.ref.entity,)})
            self.form.edited("entities")
        self._show_row(pick.ref)

    def _show_row(self, ref: EntityRef) -> None:
        self.view.choose_row("solids", "id", ref.entity)
        for column in ("id", "number"):
            row = self.view.choose_row("buildings", column, ref.entity)
            if row is not None:
                self._show_sheet(row)
                return

    def _show_sheet(self, row: Mapping[str, Any]) -> None:
        if self.view.result is not None:
            self._sheet.show_building(row, self.view.result.tables["buildings"].units)
            self.scroll_to(self._sheet)

    def row_chosen(self, table: str, row: dict[str, Any]) -> None:
        """Go to the building of a row and show its sheet."""
        super().row_chosen(table, row)
        if table == "buildings":
            self._show_sheet(row)

    def style_of(self, name: str, layer: Layer) -> LayerStyle:
        """Return red for what is to be cut and blue for what is to be filled."""
        if name == "base" and layer.style == LayerStyle():
            return LayerStyle(opacity=BASE_OPACITY)
        if name != "difference" or layer.style != LayerStyle():
            return layer.style
        assert isinstance(layer.data, GridData)
        known = layer.data.values[np.isfinite(layer.data.values)]
        highest = max(float(np.abs(known).max()) if known.size else 0.0, 0.1)
        colors = current_theme().analysis
        # Over a base, what stands above it is cut; between two surfaces, what has come is fill.
        low, high = (colors.fill, colors.cut)
        if self.analysis == CUT_FILL:
            low, high = high, low
        return LayerStyle(
            breaks=tuple(round(highest * share, 3) for share in (-0.5, -0.1, 0.1, 0.5)),
            class_colors={"0": low, "1": _paler(low), "2": EVEN, "3": _paler(high), "4": high},
            legend=N_("Difference (m)"),
        )


def _paler(color: str) -> str:
    """Return a colour halfway to white."""
    parts = (int(color[n : n + 2], 16) for n in (1, 3, 5))
    return "#" + "".join(f"{(part + 255) // 2:02X}" for part in parts)
