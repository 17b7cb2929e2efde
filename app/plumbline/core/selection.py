"""What a click selects, and how it and what box, lasso, expression or place chose are combined."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from plumbline.core.city import CityEntity
from plumbline.core.entities import entity_ids
from plumbline.core.pick import EntityRef, Pick
from plumbline.core.scene import Scene


class Combine(StrEnum):
    """What becomes of the selection."""

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"
    INTERSECT = "intersect"


def picked(scene: Scene, pick: Pick | None) -> EntityRef | None:
    """Return what a click selects: the thing itself, else the entity whose surface was hit there.

    Of a mesh, of tiles and of a cloud the entity above whose footprint the place lies is meant; the
    first of its parts in the scene stands for it.
    """
    if pick is None:
        return None
    book = scene.entity_book
    if pick.ref is not None and book.of(pick.ref) is not None:
        return pick.ref
    owner = book.at(pick.layer, *pick.position[:2])
    return pick.ref if owner is None else part_of(scene, owner) or pick.ref


def part_of(scene: Scene, entity: CityEntity) -> EntityRef | None:
    """Return the part that stands for an entity: its first in a layer that is in the scene."""
    return next((ref for ref in entity.parts if ref.layer in scene), None)


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
