"""Measurements and the rubber band: lines with a halo and labels, always in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkTexturedActor2D

from plumbline.core.scene import Record
from plumbline.render.labels import label_actor, text_image
from plumbline.render.parts import Drawn, Part, build
from plumbline.render.theme import RenderTheme

Point = tuple[float, float, float]
#: Pixels of label text at a pixel ratio of 1.
TEXT = 14


class Overlay:
    """One polyline with its label in the overlay renderer."""

    def __init__(
        self,
        renderer: vtkRenderer,
        points: Sequence[Point],
        origin: Point,
        label: str,
        theme: RenderTheme,
        *,
        closed: bool = False,
        scale: float = 1.0,
    ) -> None:
        self._renderer = renderer
        self.drawn: list[Drawn] = []
        self.label: vtkTexturedActor2D | None = None
        if not points:
            return
        local = (np.asarray(points, dtype=np.float64) - origin).astype(np.float32)
        for part in _parts(local, theme, closed):
            drawn = build(part, scale)
            renderer.AddActor(drawn.actor)
            drawn.show(True, 1.0)
            self.drawn.append(drawn)
        if label:
            self._write(label, _middle(local, closed), theme, scale)

    def _write(self, label: str, place: np.ndarray, theme: RenderTheme, scale: float) -> None:
        image = text_image(label, round(TEXT * scale), theme.text, theme.halo)
        self.label = label_actor(image, (0.0, image.shape[0] * 0.5 + 6 * scale))
        position = self.label.GetPositionCoordinate()
        position.SetCoordinateSystemToWorld()
        position.SetValue(*(float(v) for v in place))
        self._renderer.AddViewProp(self.label)

    def set_text_visible(self, visible: bool) -> None:
        """Hide the label while the camera moves."""
        if self.label is not None:
            self.label.SetVisibility(visible)

    def remove(self) -> None:
        """Take everything out of the renderer."""
        for drawn in self.drawn:
            self._renderer.RemoveActor(drawn.actor)
        if self.label is not None:
            self._renderer.RemoveViewProp(self.label)
        self.drawn, self.label = [], None


def record_overlay(
    renderer: vtkRenderer, record: Record, origin: Point, theme: RenderTheme, scale: float
) -> Overlay:
    """Return the drawing of a kept result."""
    label = record.label or record.name
    return Overlay(renderer, record.points, origin, label, theme, scale=scale)


def _parts(points: np.ndarray, theme: RenderTheme, closed: bool) -> list[Part]:
    """Line over halo over its end points; later parts stand nearer to the viewer."""
    ends = np.column_stack([np.arange(len(points) - 1), np.arange(1, len(points))])
    if closed and len(points) > 2:
        ends = np.vstack([ends, [len(points) - 1, 0]])
    parts = []
    for color, extra, rise in ((theme.halo, 3.0, 0.0), (theme.accent, 0.0, 0.6)):
        look: dict[str, Any] = {"color": color, "lit": False, "draped": True, "rise": rise}
        if len(ends):
            parts.append(Part(points, lines=ends, size=2.5 + extra, **look))
        parts.append(Part(points, size=8.0 + extra, round=True, **look))
    return parts


def _middle(points: np.ndarray, closed: bool) -> np.ndarray:
    """Return the place half-way along a line, or the middle of an outline."""
    if closed or len(points) == 1:
        middle: np.ndarray = points.mean(axis=0)
        return middle
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    reached = np.r_[0.0, np.cumsum(lengths)]
    n = int(np.searchsorted(reached, reached[-1] / 2, side="right")) - 1
    n = min(n, len(lengths) - 1)
    share = (reached[-1] / 2 - reached[n]) / lengths[n] if lengths[n] else 0.0
    result: np.ndarray = points[n] + (points[n + 1] - points[n]) * share
    return result
