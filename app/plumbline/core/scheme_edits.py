"""Schemes come and go with the layers that are theirs; each edit is one step of undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plumbline.core.i18n import tr
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Scene
from plumbline.core.scheme import Phase, Scheme


def unique_name(scene: Scene, wanted: str) -> str:
    """Return a name that no scheme has: the wanted one, or with a number after it."""
    taken = {scheme.name for scheme in scene.schemes}
    names = (wanted if n == 1 else f"{wanted} {n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def unique_scheme_id(scene: Scene) -> str:
    """Return an id that no scheme has."""
    taken = {scheme.id for scheme in scene.schemes}
    return next(i for i in (f"scheme-{n}" for n in range(1, len(taken) + 2)) if i not in taken)


def add_scheme(scene: Scene, name: str) -> str:
    """Add an empty scheme and show it; return its id."""
    scheme = Scheme(unique_scheme_id(scene), unique_name(scene, name))
    with scene.history.step(tr("Add scheme")):
        scene.set_schemes([*scene.schemes, scheme])
        scene.activate_scheme(scheme.id)
    return scheme.id


def duplicate_scheme(scene: Scene, scheme_id: str, name: str) -> str:
    """Copy a scheme and show the copy; return its id.

    Layers that live in the project, as massing does, are copied too, so that either can be edited.
    Those that come from files are shared.
    """
    old = scene.scheme(scheme_id)
    place = [scheme.id for scheme in scene.schemes].index(scheme_id) + 1
    with scene.history.step(tr("Duplicate scheme")):
        names = {layer: _copied(scene, layer) for layer in old.layers if layer in scene}
        new = replace(
            _renamed(old, names),
            id=unique_scheme_id(scene),
            name=unique_name(scene, name),
            locked=False,
        )
        schemes = list(scene.schemes)
        scene.set_schemes([*schemes[:place], new, *schemes[place:]])
        scene.activate_scheme(new.id)
    return new.id


def remove_scheme(scene: Scene, scheme_id: str) -> None:
    """Remove a scheme with the layers that no other scheme has."""
    gone = scene.scheme(scheme_id)
    kept = [scheme for scheme in scene.schemes if scheme.id != scheme_id]
    shared = {layer for scheme in kept for layer in scheme.layers}
    active = scene.active_scheme
    with scene.history.step(tr("Remove scheme")):
        if active is not None and active.id == scheme_id:
            scene.activate_scheme("")
        for layer in gone.layers:
            if layer in scene and layer not in shared:
                scene.remove(layer)
        scene.set_schemes(kept)


def set_begin(scheme: Scheme, begins: str, layers: Sequence[str], hidden: bool = False) -> Scheme:
    """Return a scheme in which layers come, or what it removes goes, on a day.

    Parameters
    ----------
    begins : str
        ISO 8601 date; empty for the beginning.
    hidden : bool
        All that the scheme removes.
    """
    refs: tuple[EntityRef, ...] = scheme.hidden if hidden else ()
    freed = replace(
        scheme,
        phases=tuple(
            phase
            for old in scheme.phases
            if (phase := _without(old, layers, refs)).layers or phase.hidden
        ),
    )
    if not begins:
        return freed
    there = next((p for p in freed.phases if p.begins == begins), Phase(begins))
    return freed.phased(
        replace(there, layers=(*there.layers, *layers), hidden=(*there.hidden, *refs))
    )


def _without(phase: Phase, layers: Sequence[str], refs: Sequence[EntityRef]) -> Phase:
    gone = set(refs)
    return replace(
        phase,
        layers=tuple(i for i in phase.layers if i not in layers),
        hidden=tuple(ref for ref in phase.hidden if ref not in gone),
    )


def _copied(scene: Scene, layer_id: str) -> str:
    """Return the id of a layer for the copy of a scheme: a copy, or itself if it has a file."""
    layer = scene[layer_id]
    if layer.source is not None:
        return layer_id
    group = scene.group_of(layer_id)
    new = replace(layer, id=scene.unique_id(layer_id), metadata=dict(layer.metadata))
    scene.add(new, style=scene.style(layer_id), group=group.id if group else "")
    return new.id


def _renamed(scheme: Scheme, names: Mapping[str, str]) -> Scheme:
    """Return a scheme with other layers in the places of its own."""

    def of(layers: Sequence[str]) -> tuple[str, ...]:
        return tuple(names.get(layer, layer) for layer in layers)

    phases = tuple(replace(phase, layers=of(phase.layers)) for phase in scheme.phases)
    return replace(scheme, layers=of(scheme.layers), phases=phases)
