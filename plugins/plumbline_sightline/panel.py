"""The tool for looking: who sees what, from where, and what stands in the way.

The eye is placed by a click and dragged; the line to what it looks at follows, green as far as it
sees and red behind what stands in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import atan2, degrees, nan
from typing import Any, ClassVar

import numpy as np
import shiboken6
from PySide6.QtGui import QShowEvent

from plumbline.api import N_, Camera, Layer, LayerStyle, Pick, Result, tr
from plumbline.ui_kit.analysis_panel import RESULT, AnalysisPanel
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.charts import Chart, Series
from plumbline.ui_kit.context import Mark, Point, ToolContext
from plumbline.ui_kit.field_specs import Editor, FieldSpec
from plumbline.ui_kit.theme import current_theme
from plumbline_sightline.editors import InstrumentEditor, LandmarkEditor, SurfacesEditor
from plumbline_sightline.words import WORDS

LINE, VIEWSHED, SKYLINE = "sightline.line", "sightline.viewshed", "sightline.skyline"
ANALYSES = (
    LINE,
    VIEWSHED,
    SKYLINE,
    "sightline.dome",
    "sightline.corridor",
    "sightline.height_limit",
    "sightline.highpoints",
    "sightline.windows",
    "sightline.coverage",
)
LIVE = "live"
#: Fields that hold an eye, and the field with its height above what was clicked.
EYES = {
    "observer": "observer_height",
    "viewpoint": "observer_height",
    "point": "observer_height",
    "targets": "target_height",
    "viewpoints": "observer_height",
    "path": "observer_height",
    "route": "target_height",
    "candidates": "instrument",
}
EYE_HEIGHT = 1.6
#: A face steeper than this is a wall: nobody stands on it. Vertical part of its normal.
WALL = 0.5
#: An eye at a wall looks out from this far in front of it, metres.
OFF_WALL = 0.05
#: Vertical field of view of a look around, degrees.
VIEW_ANGLE = 60.0


class SightlinePanel(AnalysisPanel):
    """Lines of sight, viewsheds, skylines and corridors."""

    words: ClassVar[Mapping[str, str]] = WORDS
    wanted: ClassVar[tuple[str, ...]] = ("viewpoints", "route")
    hidden: ClassVar[Mapping[str, tuple[str, ...]]] = {VIEWSHED: ("preview",)}

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context, ANALYSES, title=N_("Sightlines"), icon="sight")

    def build(self) -> None:
        """Add the look through the observer's eye."""
        self._skyline: Chart | None = None
        self._look = button("", icon="eye", clicked=self.look)
        self.below.addWidget(self._look)

    def editors(self, analysis: str) -> Mapping[str, Callable[[FieldSpec], Editor]]:
        """Let landmarks be selected, control surfaces be drawn, instruments be described."""
        return {
            "landmark": LandmarkEditor,
            "surfaces": SurfacesEditor,
            "instrument": InstrumentEditor,
        }

    def showEvent(self, event: QShowEvent) -> None:
        """Get the obstacles ready in the background, so that the first line follows at once."""
        super().showEvent(event)
        box = self.context.scene.bounds
        if LINE not in self._forms or box is None:
            return
        # A line into the scene and one over it: everything that lines need is made ready.
        x, y, _ = box.center.tolist()
        params = {**self._forms[LINE].values(), "observer": (x - 50, y, box.zmax + 5.0)}
        params["targets"] = [(x + 50, y, box.zmin), (x + 50, y, box.zmax + 10.0)]
        self.context.preview("warm up", LINE, params, lambda _result: None)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        super().retranslate()
        self._look.setText(tr("Look from the observer"))
        self._look.setVisible(self._eye_field() != "")
        self._look.setEnabled(bool(self._eye()))

    # -- the eye ---------------------------------------------------------------------------

    def _eye_field(self) -> str:
        if not self._forms:
            return ""
        names = [spec.name for spec in self.form.specs() if self.form.editor(spec.name).shape]
        return next((n for n in names if n in EYES and n != "targets"), "")

    def _eye(self) -> list[Point]:
        """Return where the eye is, as it is drawn; nothing before it was placed."""
        field = self._eye_field()
        if not field:
            return []
        heights = self.form.values()
        return [
            (*place[:2], place[2] if len(raw) == 3 else place[2] + _number(heights, EYES[field]))
            for raw, place in zip(self.picker.points(field), self.picker.places(field), strict=True)
        ]

    def look(self) -> None:
        """Put the camera into the observer's eye, towards the first target or onwards."""
        eyes = self._eye()
        if not eyes:
            return
        eye = np.array(eyes[0])
        targets = self.picker.places("targets") if self.analysis == LINE else []
        if targets:
            ahead = np.array(targets[0]) - eye
        else:
            now = self.context.canvas.camera
            ahead = np.subtract(now.focal_point, now.position) * (1.0, 1.0, 0.0)
        length = float(np.linalg.norm(ahead))
        ahead = ahead / length if length > 0 else np.array([0.0, 1.0, 0.0])
        x, y, z = eye.tolist()
        dx, dy, dz = (eye + 10.0 * ahead).tolist()
        self.context.canvas.go_to(Camera((x, y, z), (dx, dy, dz), view_angle=VIEW_ANGLE))

    def taken(self, field: str, pick: Pick) -> Point:
        """Return the eye above the ground that was clicked, or just in front of the wall."""
        x, y, z = pick.position
        if field not in EYES:
            return pick.position
        normal = pick.normal or (0.0, 0.0, 1.0)
        if abs(normal[2]) < WALL:
            x, y, z = (p + OFF_WALL * n for p, n in zip(pick.position, normal, strict=True))
            return (x, y, z)
        return (x, y, z + _number(self.form.values(), EYES[field]))

    # -- following the mouse ---------------------------------------------------------------

    def follow_mouse(self, moving: bool) -> None:
        """Show what the eye sees of where the mouse points, or of its targets while it moves."""
        self._look.setEnabled(bool(self._eye()))
        self._point_out()
        if self.analysis == VIEWSHED and moving and self.picker.dragging:
            self._follow_viewshed()
        aiming = self.picker.field == "targets"
        if self.analysis != LINE or (moving and not aiming and not self.picker.dragging):
            return
        params = self.form.values()
        targets = list(self.picker.points("targets"))
        if moving and aiming and not self.picker.dragging and self.picker.cursor is not None:
            targets.append(self.picker.cursor)
        if not self.picker.points("observer") or not targets:
            self.context.canvas.clear_marks(LIVE)
            return
        params["targets"] = targets
        self.context.preview(LIVE, LINE, params, self._show_live, self._refused_live)

    def _follow_viewshed(self) -> None:
        """Show what is seen from the observer while it is dragged, on coarse cells."""
        if self.form.is_valid():
            params = {**self.form.values(), "preview": True}
            self.context.preview(LIVE, VIEWSHED, params, self._show_area, self._refused_live)

    def _show_area(self, result: Result) -> None:
        layer = result.layers.get("visible")
        # What is complete is not covered by a preview of the same inputs.
        current = self.view.result is not None and not self.view.stale
        if layer is None or not self.isVisible() or current:
            return
        self.context.canvas.show_layer(f"{RESULT}.visible", None)
        style = self.style_of("visible", layer)
        self.context.canvas.show_layer(LIVE, layer, style, live=True)

    def _show_live(self, result: Result) -> None:
        if self.isVisible():
            self.context.canvas.clear_marks("result")
            self.context.canvas.show_marks(LIVE, self.marks_of(result))

    def _refused_live(self, error: Exception) -> None:
        self.context.canvas.clear_marks(LIVE)
        if self.isVisible():
            self.set_instruction(str(error))

    # -- results ---------------------------------------------------------------------------

    def marks_of(self, result: Result) -> list[Mark]:
        """Return the lines of sight: green as far as they see, red behind the obstruction."""
        if result.analysis != LINE or "targets" not in result.tables:
            return super().marks_of(result)
        eye = result.points[0]
        marks: list[Mark] = []
        for row, target in zip(_rows(result, "targets"), result.params["targets"], strict=True):
            end = self._target(target, result)
            if row["visible"]:
                marks.append(Mark([eye, end], tone="visible", width=3.0))
                continue
            stop = (row["obstruction_x"], row["obstruction_y"], row["obstruction_z"])
            marks.append(Mark([eye, stop], tone="visible", width=3.0))
            marks.append(Mark([stop, end], tone="hidden", width=3.0))
            marks.append(Mark([stop], "points", tone="hidden", width=9.0))
        return marks

    def _target(self, point: Any, result: Result) -> Point:
        x, y = float(point[0]), float(point[1])
        if len(point) == 3:
            return (x, y, float(point[2]))
        return (x, y, self.height_at(x, y) + _number(result.params, "target_height"))

    def row_chosen(self, table: str, row: dict[str, Any]) -> None:
        """Go to the target of a row; what stands in the way is the row's of the other table."""
        result = self.view.result
        if table != "targets" or result is None or result.analysis != LINE:
            super().row_chosen(table, row)
            return
        x, y, z = self._target(result.params["targets"][int(row["target"]) - 1], result)
        super().row_chosen(table, {"x": x, "y": y, "z": z})

    def present(self, result: Result) -> None:
        """Draw a result; it takes the place of what followed the mouse."""
        canvas = self.context.canvas
        canvas.clear_marks(LIVE)
        canvas.show_layer(LIVE, None)
        if result.analysis == LINE:
            # The marks say the same as the layer, in front of the scene.
            canvas.show_marks(RESULT, self.marks_of(result))
            return
        super().present(result)
        if result.analysis == SKYLINE:
            self._show_skyline(result)

    # -- the skyline, both ways ------------------------------------------------------------

    def _show_skyline(self, result: Result) -> None:
        """Show the skyline in the drawer; what the mouse points at there lights up here."""
        rows = _rows(result, "skyline")
        azimuths = [row["azimuth"] for row in rows]
        chart = Chart()
        chart.set_axes(tr("Azimuth (°)"), tr("Elevation angle (°)"))
        elevations = [nan if row["elevation"] is None else row["elevation"] for row in rows]
        chart.set_series([Series(tr("Skyline"), azimuths, elevations, "area", "accent")])
        chart.hovered.connect(lambda azimuth: self._light_up(rows, azimuth))
        self._skyline = chart
        self.context.show_chart(tr("Skyline"), chart)

    def _light_up(self, rows: list[dict[str, Any]], azimuth: float) -> None:
        """Mark the place of the skyline under the mouse, and select whose it is."""
        canvas, scene = self.context.canvas, self.context.scene
        result = self.view.result
        near = [row for row in rows if row["azimuth"] == azimuth and row["x"] is not None]
        if not near or result is None or result.analysis != SKYLINE or not self.isVisible():
            canvas.clear_marks(LIVE)
            return
        place = (near[0]["x"], near[0]["y"], near[0]["z"])
        eye = result.points[0]
        canvas.show_marks(
            LIVE, [Mark([eye, place], tone="visible"), Mark([place], "points", width=9.0)]
        )
        ref = self.entity_of_row(near[0])
        scene.select([ref] if ref is not None else [])

    def _point_out(self) -> None:
        """Read out in the chart the azimuth of what the mouse points at in the canvas."""
        result, cursor = self.view.result, self.picker.cursor
        # The drawer deletes a chart when it shows another.
        if self._skyline is None or not shiboken6.isValid(self._skyline):
            return
        if result is None or result.analysis != SKYLINE:
            return
        if cursor is None:
            self._skyline.set_hover(None)
            return
        x, y, _ = result.points[0]
        georeference = self.context.scene.georeference
        turn = 0.0 if georeference.crs is None else georeference.convergence(x, y)
        azimuth = degrees(atan2(cursor[0] - x, cursor[1] - y)) + turn
        low = float(result.params["azimuth_from"])
        self._skyline.set_hover(low + (azimuth - low) % 360.0)

    def clear_canvas(self) -> None:
        """Take everything out of the canvas."""
        super().clear_canvas()
        self.context.canvas.clear_marks(LIVE)
        self.context.canvas.show_layer(LIVE, None)

    def style_of(self, name: str, layer: Layer) -> LayerStyle:
        """Return green for what is seen; what is hidden stays as it is."""
        if name != "visible" or layer.style != LayerStyle():
            return layer.style
        colors = current_theme().analysis
        return LayerStyle(
            color_by="class",
            class_colors={"1": colors.visible, "0": colors.hidden},
            class_names={"1": N_("Visible"), "0": N_("Hidden")},
            hidden_classes=("0",),
        )


def _rows(result: Result, name: str) -> list[dict[str, Any]]:
    table = result.tables[name]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name, EYE_HEIGHT if name == "observer_height" else 0.0)
    if isinstance(value, Mapping):
        value = value.get("height")
    return float(value) if isinstance(value, int | float) else 0.0
