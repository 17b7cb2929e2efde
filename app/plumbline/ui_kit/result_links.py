"""Rows of results lead into the scene: to the entity that a row names, or to its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from plumbline.api import Bounds, EntityRef, Scene, entity_bounds, entity_ids
from plumbline.ui_kit.context import ToolContext

#: Half a side of the box that is shown around a place, metres.
AROUND = 40.0


def entity_of_row(scene: Scene, row: Mapping[str, Any], layers: Iterable[str]) -> EntityRef | None:
    """Return the entity that a row names, in the first of these layers that has it."""
    entity = str(row.get("entity") or row.get("id") or "")
    refs = (
        EntityRef(layer, entity)
        for layer in layers
        if entity and layer in scene and entity in entity_ids(scene[layer])
    )
    return next(refs, None)


def show_row(context: ToolContext, row: Mapping[str, Any], ref: EntityRef | None) -> None:
    """Select and show an entity; without one, show the row's place if it has one."""
    scene, place = context.scene, place_of_row(row)
    if ref is not None:
        scene.select([ref])
        box = entity_bounds(scene[ref.layer], ref.entity)
        if box is not None:
            context.canvas.zoom_to(box)
    elif place is not None:
        x, y, z = place
        whole = scene.bounds
        z = z if z is not None else float(whole.center[2]) if whole else 0.0
        context.canvas.zoom_to(
            Bounds(x - AROUND, y - AROUND, z - AROUND, x + AROUND, y + AROUND, z + AROUND)
        )


def place_of_row(row: Mapping[str, Any]) -> tuple[float, float, float | None] | None:
    """Return where a row is: its x, y and, where it has one, z; None for a row without a place."""
    for before in ("", "target_", "obstruction_"):
        x, y, z = (row.get(f"{before}{axis}") for axis in "xyz")
        if isinstance(x, int | float) and isinstance(y, int | float):
            return float(x), float(y), float(z) if isinstance(z, int | float) else None
    return None
