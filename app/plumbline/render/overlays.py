"""Measurements and the rubber band: lines with a halo and labels, always in front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkTexturedActor2D

from plumbline.core.scene import Camera, Record
from plumbline.render.camera import project
from plumbline.render.labels import label_actor, text_image
from plumbline.render.parts import Drawn, Label, Part, build
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


class Names:
    """Names of features, as many as find room: the nearest first, none over another.

    Set anew whenever the camera comes to rest.
    """

    #: More than this many names nobody reads.
    MOST = 120

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._actors: list[vtkTexturedActor2D] = []

    def show(
        self,
        labels: Sequence[Label],
        camera: Camera,
        size: tuple[int, int],
        origin: Point,
        theme: RenderTheme,
        scale: float,
        is_hidden: Callable[[np.ndarray], bool],
    ) -> None:
        """Write the names that are in view."""
        self.clear()
        if not labels:
            return
        places = np.array([label.place for label in labels], dtype=np.float64)
        x, y, depth = project(camera, places, size).T
        with np.errstate(invalid="ignore"):
            seen = (depth > 0) & (x > 0) & (x < size[0]) & (y > 0) & (y < size[1])
        taken: list[tuple[float, float, float, float]] = []
        nearest = sorted((int(n) for n in np.nonzero(seen)[0]), key=lambda n: float(depth[n]))
        for n in nearest[: 4 * self.MOST]:
            image = text_image(labels[n].text, round(TEXT * scale * 0.9), theme.text, theme.halo)
            half_width, half_height = image.shape[1] / 2, image.shape[0] / 2
            box = (x[n] - half_width, y[n] - half_height, x[n] + half_width, y[n] + half_height)
            if any(_overlap(box, other) for other in taken) or is_hidden(places[n]):
                continue
            taken.append(box)
            self._write(image, places[n] - origin)
            if len(taken) == self.MOST:
                break

    def _write(self, image: np.ndarray, place: np.ndarray) -> None:
        actor = label_actor(image)
        position = actor.GetPositionCoordinate()
        position.SetCoordinateSystemToWorld()
        position.SetValue(*(float(v) for v in place))
        self._renderer.AddViewProp(actor)
        self._actors.append(actor)

    def clear(self) -> None:
        """Take all names away."""
        for actor in self._actors:
            self._renderer.RemoveViewProp(actor)
        self._actors = []


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


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
