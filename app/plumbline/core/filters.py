"""Filters of views: which entities of a layer an expression hides, remembered until data change.

A filter is part of a layer's view. It hides what does not match in canvas, table and picking; it
never changes data, and no analysis looks at it: numbers do not depend on what is displayed.
"""

from __future__ import annotations

from plumbline.core.data import LayerData
from plumbline.core.entities import entity_ids
from plumbline.core.errors import UsageError
from plumbline.core.layer import Layer
from plumbline.core.where import where


def left_out(layer: Layer, expression: str) -> frozenset[str]:
    """Return the ids of the entities for which an expression does not hold.

    Raises
    ------
    UsageError
        If it is no expression on the layer's attributes.
    """
    if not expression.strip():
        return frozenset()
    ids = entity_ids(layer)
    chosen = {ids[n] for n in where(layer, expression).tolist()}
    return frozenset(i for i in ids if i not in chosen)


class Filters:
    """Remembers what the filters of a scene leave out."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[LayerData, str, frozenset[str], str]] = {}

    def left_out(self, layer: Layer, expression: str) -> frozenset[str]:
        """Return what a layer's filter hides; nothing where it cannot be used (see `problem`)."""
        return self._answer(layer, expression)[2] if expression else frozenset()

    def problem(self, layer: Layer, expression: str) -> str:
        """Return why a filter cannot be used, e.g. after a reload without its column; or ""."""
        return self._answer(layer, expression)[3] if expression else ""

    def _answer(self, layer: Layer, expression: str) -> tuple[LayerData, str, frozenset[str], str]:
        known = self._known.get(layer.id)
        if known is None or known[0] is not layer.data or known[1] != expression:
            try:
                known = (layer.data, expression, left_out(layer, expression), "")
            except UsageError as error:
                known = (layer.data, expression, frozenset(), str(error))
            self._known[layer.id] = known
        return known
