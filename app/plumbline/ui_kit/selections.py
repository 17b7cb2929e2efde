"""What is selected, as a form wants it: entities by layer, or the outline of an area."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumbline.api import RefusedError, Scene, VectorData, tr
from plumbline.ui_kit.forms import ParameterForm


def selection_fields(form: ParameterForm) -> list[str]:
    """Return the fields that a selection can fill: entities first, then an outline."""
    specs = form.specs()
    for spec in specs:
        editor = form.editor(spec.name)
        if editor.takes_entities:
            return [spec.name]
    if {"layer", "entities"} <= {spec.name for spec in specs}:
        return ["layer", "entities"]
    return [spec.name for spec in specs if spec.closed][:1]


def selected_values(scene: Scene, form: ParameterForm, names: Sequence[str]) -> dict[str, Any]:
    """Return what is selected as values of these fields.

    Raises
    ------
    RefusedError
        If an outline is wanted and what is selected has none.
    """
    if len(names) == 2:
        # The fields name one layer: that of what was selected first.
        chosen = entities_of_selection(scene)[0]
        return {name: chosen[name] for name in names}
    if form.editor(names[0]).takes_entities:
        return {names[0]: entities_of_selection(scene)}
    return {names[0]: outline_of_selection(scene)}


def entities_of_selection(scene: Scene) -> tuple[dict[str, Any], ...]:
    """Return the selected entities as ``{"layer", "entities"}``, one for each layer."""
    by_layer: dict[str, list[str]] = {}
    for ref in scene.selection:
        by_layer.setdefault(ref.layer, []).append(ref.entity)
    return tuple({"layer": layer, "entities": ids} for layer, ids in by_layer.items())


def outline_of_selection(scene: Scene) -> tuple[tuple[float, float], ...]:
    """Return the outline of the one selected polygon, project CRS, without the closing point.

    Raises
    ------
    RefusedError
        If what is selected has no single outline.
    """
    hint = tr("Select one polygon, e.g. a parcel or a footprint.")
    if len(scene.selection) != 1:
        raise RefusedError(tr("An outline comes from one selected polygon."), hint)
    (ref,) = scene.selection
    data = scene[ref.layer].data
    if not isinstance(data, VectorData):
        raise RefusedError(tr("What is selected has no outline."), hint)
    labels = data.features.index.astype(str)
    shape = data.features.geometry.to_numpy()[int((labels == ref.entity).argmax())]
    parts = list(getattr(shape, "geoms", [shape]))
    if len(parts) != 1 or parts[0].geom_type != "Polygon" or parts[0].interiors:
        raise RefusedError(tr("The selected feature is no polygon with one outline."), hint)
    return tuple((float(p[0]), float(p[1])) for p in parts[0].exterior.coords[:-1])
