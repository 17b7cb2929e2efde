"""Combining what is selected with what was just chosen, by box, lasso, expression or place."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from plumbline.core.entities import entity_ids
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Scene


class Combine(StrEnum):
    """What becomes of the selection."""

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"
    INTERSECT = "intersect"


def combined(
    now: Iterable[EntityRef], chosen: Iterable[EntityRef], how: Combine
) -> tuple[EntityRef, ...]:
    """Return a selection combined with other entities, in a stable order."""
    old, new = list(dict.fromkeys(now)), list(dict.fromkeys(chosen))
    known = set(new)
    if how is Combine.REPLACE:
        return tuple(new)
    if how is Combine.ADD:
        return tuple(dict.fromkeys([*old, *new]))
    if how is Combine.REMOVE:
        return tuple(ref for ref in old if ref not in known)
    return tuple(ref for ref in old if ref in known)


def inverted(scene: Scene) -> tuple[EntityRef, ...]:
    """Return everything that is shown but not selected in the layers that hold the selection."""
    selected = set(scene.selection)
    found = []
    for layer_id in dict.fromkeys(ref.layer for ref in scene.selection):
        gone = scene.left_out(layer_id)
        refs = (EntityRef(layer_id, i) for i in entity_ids(scene[layer_id]) if i not in gone)
        found += [ref for ref in refs if ref not in selected]
    return tuple(found)
