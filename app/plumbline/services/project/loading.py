"""Layers of a project: loading their data, finding them again, making the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from plumbline.core.crs import parse_crs
from plumbline.core.errors import CancelledError, InputError, UserError
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerEntry, Source
from plumbline.core.scene import Camera, Group, Scene
from plumbline.io import load
from plumbline.services import paths
from plumbline.services.project import embedded
from plumbline.services.project.content import CHANGED_FROM, ProjectContent
from plumbline.services.project.reader import read_project


def load_entry(
    entry: LayerEntry,
    georeference: Georeference,
    feedback: Feedback | None = None,
    project: Path | None = None,
) -> Layer:
    """Load the data of one layer of a project; may run in any thread.

    A source that changed since the last save loads with a warning; the project keeps the recorded
    digest, so that the warning comes again until `accept_source`. What is tiled once lies beside
    the file of the project, where there is one.

    Raises
    ------
    InputError
        If the source is not where it was, or cannot be read.
    """
    feedback = feedback or Feedback()
    if entry.source is None:
        return _load_stored(entry)
    source = entry.source
    if not source.path.exists():
        raise InputError(
            tr(
                "The source of layer “{name}” is not where it was: {path}.",
                name=entry.name,
                path=source.path,
            ),
            tr("Put it back, or relink the layer to its new place."),
        )
    layers = load(
        source.path,
        source.options,
        feedback,
        crs=source.crs,
        target_crs=georeference.crs,
        sublayer=source.sublayer,
        cache=paths.cache_folder(),
        tiles=paths.tiles_folders(project),
    )
    layer = _only(layers, entry, source)
    layer.id, layer.name = entry.id, entry.name
    assert layer.source is not None
    known, now = ((s.sha256, s.fingerprint) for s in (source, layer.source))
    if any(a and a != b for a, b in zip(known, now, strict=True)):
        layer.metadata[CHANGED_FROM] = list(known)
        layer.warnings.append(
            tr(
                "The source of layer “{name}” has changed since the project was saved: {path}.",
                name=entry.name,
                path=source.path,
            )
        )
    return layer


def _only(layers: list[Layer], entry: LayerEntry, source: Source) -> Layer:
    matching = [
        layer
        for layer in layers
        if not source.sublayer or (layer.source and layer.source.sublayer == source.sublayer)
    ]
    if len(matching) != 1:
        raise InputError(
            tr(
                "“{path}” no longer holds the layer “{name}”.",
                path=source.path,
                name=source.sublayer or entry.name,
            ),
            tr("Put the earlier file back, or relink the layer to its new place."),
        )
    return matching[0]


def _load_stored(entry: LayerEntry) -> Layer:
    if entry.stored is None:
        raise ValueError(f"the layer {entry.id} has neither a source nor stored data")
    crs = parse_crs(entry.crs) if entry.crs else None
    data = embedded.read(entry.stored, entry.id, crs)
    return Layer(entry.id, entry.name, entry.kind, data, crs, metadata=dict(entry.metadata))


def build_scene(
    content: ProjectContent,
    loaded: Mapping[str, Layer] | None = None,
    problems: Mapping[str, str] | None = None,
) -> Scene:
    """Make the scene of a project on the thread that will own it.

    Layers that are not in `loaded` are its absent layers, with the sentence from `problems` if
    there is one. A window shows this scene at once, loads each `scene.absent` with `load_entry` in
    workers, and hands each to `scene.arrive`, or notes the problem with `note_problem`.
    """
    known = content.georeference.crs is not None or content.layers
    scene = Scene(content.georeference if known else None)
    scene.set_tree(replace(g, layers=()) for g in content.tree if isinstance(g, Group))
    problems = problems or {}
    scene.set_absent(replace(e, problem=problems.get(e.id, "")) for e in content.layers)
    for layer in (loaded or {}).values():
        scene.arrive(layer)
    scene.set_viewpoints(content.viewpoints)
    scene.set_records(content.records)
    scene.set_schemes(content.schemes)
    scene.set_entities(content.entities)
    scene.activate_scheme(content.active_scheme)
    scene.set_clipping(content.clipping)
    scene.set_report(content.report)
    scene.history.clear()
    scene.mark_modified(False)
    return scene


def note_problem(scene: Scene, layer_id: str, problem: str) -> None:
    """Note why the data of an absent layer could not be loaded."""
    scene.set_absent(replace(e, problem=problem) if e.id == layer_id else e for e in scene.absent)


def open_project(
    path: Path | str, feedback: Feedback | None = None
) -> tuple[Scene, list[str], Camera | None]:
    """Read a project and load its layers one after the other, on this thread.

    Returns
    -------
    scene : Scene
        Layers that could not be loaded are in `scene.absent` and survive the next save.
    warnings : list of str
        Translated sentences.
    camera : Camera, optional
        The view at the last save.

    Raises
    ------
    InputError
        As `read_project`. A layer that cannot be loaded is a warning.
    """
    feedback = feedback or Feedback()
    content = read_project(path)
    warnings = list(content.warnings)
    loaded: dict[str, Layer] = {}
    problems: dict[str, str] = {}
    total = max(1, len(content.layers))
    for n, entry in enumerate(content.layers):
        part = feedback.part(n / total, (n + 1) / total)
        part.step(0, 1, tr("Loading {name}", name=entry.name))
        try:
            loaded[entry.id] = load_entry(entry, content.georeference, part, Path(path))
            warnings += loaded[entry.id].warnings
        except CancelledError:
            raise
        except UserError as error:
            problems[entry.id] = error.message
            warnings.append(str(error))
    return build_scene(content, loaded, problems), warnings, content.camera


def relinked(entry: LayerEntry, path: Path | str) -> LayerEntry:
    """Return the entry of a layer with its source at another place, to be given to `load_entry`."""
    if entry.source is None:
        raise ValueError("the layer has no source")
    source = replace(entry.source, path=Path(path).expanduser().absolute())
    return replace(entry, source=source, problem="")


def relink(
    scene: Scene, layer_id: str, path: Path | str, feedback: Feedback | None = None
) -> Layer:
    """Load an absent layer from the place where its source is now.

    Raises
    ------
    InputError
        If it cannot be read; the scene is unchanged.
    """
    entry = relinked(next(e for e in scene.absent if e.id == layer_id), path)
    layer = load_entry(entry, scene.georeference, feedback)
    scene.arrive(layer)
    scene.mark_modified()
    return layer


def accept_source(scene: Scene, layer_id: str) -> None:
    """Take a changed source for the right one: the next save records its digest."""
    if scene[layer_id].metadata.pop(CHANGED_FROM, None) is not None:
        scene.mark_modified()
