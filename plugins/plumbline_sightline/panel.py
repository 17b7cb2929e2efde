"""The tool for looking: who sees what, from where, and what stands in the way.

The eye is placed by a click and dragged; the line to what it looks at follows, green as far as it
sees and red behind what stands in the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from plumbline.api import N_, Camera, Layer, LayerStyle, Pick, Result, tr
from plumbline.ui_kit.analysis_panel import AnalysisPanel
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.context import Mark, Point, ToolContext
from plumbline.ui_kit.theme import current_theme

LINE = "sightline.line"
ANALYSES = (
    LINE,
    "sightline.viewshed",
    "sightline.skyline",
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
}
EYE_HEIGHT = 1.6
#: A face steeper than this is a wall: nobody stands on it. Vertical part of its normal.
WALL = 0.5
#: An eye at a wall looks out from this far in front of it, metres.
OFF_WALL = 0.05
#: Vertical field of view of a look around, degrees.
VIEW_ANGLE = 60.0
WORDS: Mapping[str, str] = {
    "visible": N_("Visible"),
    "visible_count": N_("Visible targets"),
    "hidden_count": N_("Hidden targets"),
    "visible_area": N_("Visible area"),
    "visible_share": N_("Visible share"),
    "targets": N_("Targets"),
    "target": N_("Target"),
    "obstruction_x": N_("Obstruction X"),
    "obstruction_y": N_("Obstruction Y"),
    "obstruction_z": N_("Obstruction Z"),
    "entity": N_("Object"),
    "layer": N_("Layer"),
    "distance": N_("Distance"),
    "clearance": N_("Clearance"),
    "azimuth": N_("Azimuth"),
    "elevation": N_("Elevation angle"),
    "sky_view_factor": N_("Sky view factor"),
    "openness": N_("Openness"),
    "north": N_("North"),
    "horizon": N_("Horizon"),
    "fisheye": N_("Fisheye"),
    "skyline": N_("Skyline"),
    "name": N_("Name"),
}


class SightlinePanel(AnalysisPanel):
    """Lines of sight, viewsheds, skylines and corridors."""

    words: ClassVar[Mapping[str, str]] = WORDS

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context, ANALYSES, title=N_("Sightlines"), icon="sight")

    def build(self) -> None:
        """Add the look through the observer's eye."""
        self._look = button("", icon="eye", clicked=self.look)
        self.below.addWidget(self._look)

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
        if field not in EYES or self.analysis.startswith("sightline.viewshed"):
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
        if self.analysis != LINE:
            return
        params = self.form.values()
        targets = list(self.picker.points("targets"))
        if moving and self.picker.field == "targets" and self.picker.cursor is not None:
            targets.append(self.picker.cursor)
        if not self.picker.points("observer") or not targets:
            self.context.canvas.clear_marks(LIVE)
            return
        params["targets"] = targets
        self.context.preview(LIVE, LINE, params, self._show_live, self._refused_live)

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
        table = result.tables["targets"]
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        eye = self._point(result.params["observer"], result, "observer_height")
        marks: list[Mark] = []
        for row, target in zip(rows, result.params["targets"], strict=True):
            end = self._point(target, result, "target_height")
            stop = tuple(row.get(f"obstruction_{axis}") for axis in "xyz")
            if row["visible"]:
                marks.append(Mark([eye, end], tone="visible", width=3.0))
            elif all(isinstance(value, int | float) for value in stop):
                hit = (float(stop[0]), float(stop[1]), float(stop[2]))  # type: ignore[arg-type]
                marks.append(Mark([eye, hit], tone="visible", width=3.0))
                marks.append(Mark([hit, end], tone="hidden", width=3.0))
                marks.append(Mark([hit], "points", tone="hidden", width=9.0))
            else:
                marks.append(Mark([eye, end], tone="hidden", width=3.0))
        return marks

    def _point(self, point: Any, result: Result, height: str) -> Point:
        if len(point) == 3:
            return (float(point[0]), float(point[1]), float(point[2]))
        above = _number(result.params, height)
        x, y = float(point[0]), float(point[1])
        return (x, y, self.height_at(x, y) + above)

    def present(self, result: Result) -> None:
        """Draw a result; it takes the place of what followed the mouse."""
        self.context.canvas.clear_marks(LIVE)
        super().present(result)

    def clear_canvas(self) -> None:
        """Take everything out of the canvas."""
        super().clear_canvas()
        self.context.canvas.clear_marks(LIVE)

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


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name, EYE_HEIGHT if name == "observer_height" else 0.0)
    return float(value) if isinstance(value, int | float) else 0.0
