"""The tool for sections, profiles, clearances, heights and counts.

Everything that a user of such a tool expects is in `AnalysisPanel`; a plugin adds its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from PySide6.QtGui import QShowEvent

from plumbline.api import N_, MeshData, RasterData, TilesData
from plumbline.ui_kit.analysis_panel import AnalysisPanel
from plumbline.ui_kit.context import ToolContext

ANALYSES = (
    "measure.profile",
    "measure.section",
    "measure.clearance",
    "measure.height",
    "measure.count",
)
WORDS: Mapping[str, str] = {
    "length": N_("Length"),
    "z_min": N_("Lowest"),
    "z_max": N_("Highest"),
    "stations": N_("Stations"),
    "profile": N_("Profile"),
    "layers": N_("Layers"),
    "steepest": N_("Steepest slope"),
    "ascent": N_("Ascent"),
    "descent": N_("Descent"),
    "missing": N_("Without height"),
    "cut_length": N_("Length of the cuts"),
    "line_length": N_("Length of the line"),
    "area": N_("Area"),
    "cuts": N_("Cuts"),
    "cut_lines": N_("Cut lines"),
    "cut_areas": N_("Cut areas"),
    "section": N_("Section"),
    "leg": N_("Leg"),
    "points": N_("Points in the slab"),
    "distance": N_("Distance"),
    "horizontal": N_("Horizontal"),
    "vertical": N_("Vertical"),
    "pairs": N_("Pairs"),
    "height": N_("Height"),
    "object_height": N_("Height of the object"),
    "ground": N_("Ground"),
    "base": N_("Base of the object"),
    "top": N_("Top"),
    "entities": N_("Entities"),
    "polygon_area": N_("Area of the polygon"),
    "counts": N_("Counts"),
    "class": N_("Class"),
    "count": N_("Count"),
    "layer": N_("Layer"),
    "entity": N_("Entity"),
}


class SectionPanel(AnalysisPanel):
    """Profiles and sections along a line, clearances, heights, and what lies in an area."""

    words: ClassVar[Mapping[str, str]] = WORDS
    unfolded: ClassVar[tuple[str, ...]] = ("line", "layers", "width", "step", "point", "by")
    wanted: ClassVar[tuple[str, ...]] = ("line", "polygon", "point")

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context, ANALYSES, title=N_("Section"), icon="section")

    def showEvent(self, event: QShowEvent) -> None:
        """Let clicks snap while this tool is the one in sight."""
        super().showEvent(event)
        self.context.canvas.set_aim(snap=True)

    def filled(self, analysis: str) -> dict[str, Any]:
        """Start with what is in sight: the ground and what stands on it."""
        scene = self.context.scene
        seen = [layer for layer in scene if scene.is_visible(layer.id)]
        ids = [
            layer.id
            for layer in seen
            if isinstance(layer.data, MeshData | TilesData)
            or (isinstance(layer.data, RasterData) and layer.data.role == "terrain")
        ]
        return {"layers": ids} if analysis not in ("measure.clearance", "measure.height") else {}
