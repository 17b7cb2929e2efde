"""A footprint corrected by hand: its corners are dragged, set and taken back in the canvas.

The source of the footprints stays as it is: the first correction copies them into the project, and
the form goes on with the copy. Undo takes a correction back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from plumbline.api import EntityRef, Layer, Pick, RefusedError, Scene, VectorData, tr
from plumbline.ui_kit.context import Mark, Point, ToolContext

MARKS = "footprint"


class FootprintHand(QObject):
    """Edits the outline of one footprint at a time.

    Parameters
    ----------
    height_at : callable
        Height at which a corner is drawn, of its x and y.
    done : callable
        Called with the id of the layer that holds the correction, "" when it was given up.
    """

    def __init__(
        self,
        context: ToolContext,
        height_at: Callable[[float, float], float],
        done: Callable[[str], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._context, self._height_at, self._done = context, height_at, done
        self._ref: EntityRef | None = None
        self._corners: list[tuple[float, float]] = []

    @property
    def active(self) -> bool:
        """Whether a footprint is being corrected."""
        return self._ref is not None

    def begin(self, ref: EntityRef) -> None:
        """Show the corners of a footprint as grips.

        Raises
        ------
        RefusedError
            If it has no single outline.
        """
        self._corners = ring_of(self._context.scene, ref)
        self._ref = ref
        canvas = self._context.canvas
        for signal, slot in self._slots():
            signal.connect(slot)
        canvas.clear_preview()
        self._draw()

    def finish(self) -> None:
        """Keep the corrected outline."""
        if self._ref is None or len(self._corners) < 3:
            return
        layer = corrected(self._context.scene, self._ref, self._corners)
        self._leave(layer)

    def give_up(self) -> None:
        """Leave the footprint as it was."""
        if self.active:
            self._leave("")

    def _leave(self, layer: str) -> None:
        for signal, slot in self._slots():
            signal.disconnect(slot, missing_ok=True)
        self._ref, self._corners = None, []
        self._context.canvas.clear_marks(MARKS)
        self._context.canvas.set_handles([])
        self._done(layer)

    def _slots(self) -> tuple[tuple[Any, Callable[..., None]], ...]:
        canvas = self._context.canvas
        return (
            (canvas.handle_moved, self._moved),
            (canvas.handle_released, self._moved),
            (canvas.clicked, self._clicked),
            (canvas.stepped_back, self._fewer),
            (canvas.finished, self.finish),
            (canvas.escaped, self.give_up),
        )

    def _moved(self, index: int, pick: Pick) -> None:
        if index < len(self._corners):
            self._corners[index] = (pick.position[0], pick.position[1])
            self._draw()

    def _clicked(self, pick: Pick) -> None:
        """Put a corner into the side that is nearest to the click."""
        ring = np.array(self._corners)
        ends = np.roll(ring, -1, axis=0)
        place, way = np.array(pick.position[:2]), ends - ring
        length = np.maximum(np.einsum("ij,ij->i", way, way), 1e-12)
        share = np.clip(np.einsum("ij,ij->i", place - ring, way) / length, 0.0, 1.0)
        away = np.linalg.norm(ring + share[:, None] * way - place, axis=1)
        self._corners.insert(int(away.argmin()) + 1, (pick.position[0], pick.position[1]))
        self._draw()

    def _fewer(self) -> None:
        if len(self._corners) > 3:
            self._corners.pop()
            self._draw()

    def _draw(self) -> None:
        places: list[Point] = [(x, y, self._height_at(x, y)) for x, y in self._corners]
        self._context.canvas.show_marks(MARKS, [Mark(places, "polygon", closed=True)])
        self._context.canvas.set_handles(places)


def ring_of(scene: Scene, ref: EntityRef) -> list[tuple[float, float]]:
    """Return the corners of a footprint, project CRS, without the closing one.

    Raises
    ------
    RefusedError
        If it is no polygon with one outline.
    """
    shape = _shape(scene, ref)
    parts = list(getattr(shape, "geoms", [shape]))
    if shape is None or len(parts) != 1 or parts[0].geom_type != "Polygon" or parts[0].interiors:
        raise RefusedError(
            tr("The selected feature is no polygon with one outline."),
            tr("Select one footprint."),
        )
    return [(float(p[0]), float(p[1])) for p in parts[0].exterior.coords[:-1]]


def _shape(scene: Scene, ref: EntityRef) -> Any:
    data = scene[ref.layer].data if ref.layer in scene else None
    if not isinstance(data, VectorData):
        return None
    found = np.flatnonzero(data.features.index.astype(str) == ref.entity)
    return data.features.geometry.iloc[found[0]] if len(found) else None


def corrected(scene: Scene, ref: EntityRef, corners: list[tuple[float, float]]) -> str:
    """Give a footprint another outline as one step of undo; return the id of its layer.

    Raises
    ------
    RefusedError
        If the outline crosses itself.
    """
    import shapely

    outline = shapely.Polygon(corners)
    if not outline.is_valid or outline.area <= 0:
        raise RefusedError(
            tr("The corrected outline crosses itself."), tr("Move its corners apart.")
        )
    layer = scene[ref.layer]
    assert isinstance(layer.data, VectorData)
    features = layer.data.features.copy()
    found = features.index.astype(str) == ref.entity
    features.loc[found, features.geometry.name] = [outline]
    data = VectorData(features, layer.data.has_z)
    if layer.source is None:
        scene.set_data(layer.id, data)
        return layer.id
    with scene.history.step(tr("Correct a footprint")):
        name = tr("{name}, corrected", name=layer.name)
        made: Layer = replace(
            layer, id=scene.unique_id(f"{layer.id}.corrected"), name=name, data=data, source=None
        )
        scene.add(made)
        scene.set_style(made.id, scene.style(layer.id))
        scene.set_view(layer.id, visible=False)
    return made.id
