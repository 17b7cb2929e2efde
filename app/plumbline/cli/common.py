"""What several commands share: options of loaders, scenes from projects and files."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.cli.main import Command
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from plumbline.core.layer import Layer, LayerEntry
    from plumbline.core.scene import Camera, Scene
    from plumbline.services.project import ProjectContent

PROJECT_SUFFIX = ".plumb.gpkg"


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument(
        "--json",
        action="store_true",
        help=tr("print one JSON object on standard output and nothing else there"),
    )


def key_value(text: str) -> tuple[str, str]:
    """Split ``K=V``; the value may hold further equals signs."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise argparse.ArgumentTypeError(tr("“{text}” is not NAME=VALUE", text=text))
    return key.strip(), value


def source_path(text: str) -> Path:
    """Return the path that a user named; for an address, that of a shortcut to it."""
    from plumbline.io.address import is_address, shortcut
    from plumbline.services.paths import tiles_folders

    return shortcut(text, tiles_folders()) if is_address(text) else Path(text).expanduser()


def is_project(path: Path) -> bool:
    """Tell whether a path names a project."""
    return path.name.lower().endswith(PROJECT_SUFFIX)


def existing_project(text: str) -> Path:
    """Return the path of a project that a user named, with or without its suffix.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = Path(text).expanduser().absolute()
    if path.is_file():
        return path
    longer = path.with_name(path.name + PROJECT_SUFFIX)
    if longer.is_file():
        return longer
    raise _no_project(path)


def _no_project(path: Path) -> Exception:
    from plumbline.core.errors import InputError

    return InputError(
        tr("There is no project “{path}”.", path=path),
        tr("Make one with “plumbline new PROJECT --crs EPSG:…”."),
    )


def start_plugins(command: Command) -> None:
    """Start the plugin host, so that every plugin that is switched on is there."""
    from plumbline.services.plugins import plugin_host

    for problem in plugin_host().problems:
        command.note(problem)


def scene_of_project(
    path: Path,
    command: Command,
    only: Iterable[str] | None = None,
    *,
    drawn_only: bool = False,
) -> tuple[Scene, Camera | None]:
    """Return a project's scene with the data of all its layers, of some, or of those it draws.

    Warnings are told on standard error. A layer that cannot be loaded stays absent, and whoever
    needs it says so.
    """
    from plumbline.services.project import build_scene, load_entry, read_project

    content: ProjectContent = read_project(path)
    for warning in content.warnings:
        command.note(warning)
    chosen = None if only is None else set(only)
    shown = build_scene(content)
    wanted = [
        entry
        for entry in content.layers
        if (chosen is None or entry.id in chosen) and not (drawn_only and _is_hidden(entry, shown))
    ]
    loaded: dict[str, Layer] = {}
    problems: dict[str, str] = {}
    from plumbline.core.errors import CancelledError, UserError

    for n, entry in enumerate(wanted):
        part = command.feedback.part(n / len(wanted), (n + 1) / len(wanted))
        part.step(0, 1, tr("Loading {name}", name=entry.name))
        try:
            loaded[entry.id] = load_entry(entry, content.georeference, part, Path(path))
        except CancelledError:
            raise
        except UserError as error:
            problems[entry.id] = str(error)
            command.note(str(error))
    command.progress.clear()
    for layer in loaded.values():
        for warning in layer.warnings:
            command.note(f"{layer.name}: {warning}")
    return build_scene(content, loaded, problems), content.camera


def _is_hidden(entry: LayerEntry, scene: Scene) -> bool:
    """Tell whether a layer is switched off, itself or with its group."""
    group = next((g for g in scene.groups if g.id == entry.group), None)
    return not entry.view.visible or (group is not None and not group.visible)


def scene_of_files(
    files: Sequence[tuple[str, Path]],
    crs: str | None,
    command: Command,
    *,
    for_picture: bool = False,
) -> Scene:
    """Return a scene with files in it, under the ids given (empty: their own).

    The project CRS is `crs`, else that of the first layer that has one; files that say no CRS are
    taken to be in a stated `crs`, and never in a guessed one. Where no file has a CRS they share
    their own plane. A picture of data in degrees is drawn in a CRS in metres, which is said.
    """
    from plumbline.core.crs import crs_label, parse_crs, working_crs
    from plumbline.core.georeference import Georeference
    from plumbline.core.scene import Scene

    stated = parse_crs(crs) if crs else None
    loaded = [
        _load(layer_id, path, command, n, len(files), not for_picture)
        for n, (layer_id, path) in enumerate(files)
    ]
    layers = [layer for group in loaded for layer in group]
    project = stated or next((layer.crs for layer in layers if layer.crs is not None), None)
    box = layers[0].bounds if layers else None
    if for_picture and stated is None and box and (metric := working_crs(project, box.center)):
        project = metric
        command.note(tr("The data are not in metres on a map; drawn in {crs}.",
                        crs=crs_label(metric)))  # fmt: skip
    scene = Scene(Georeference(stated)) if stated is not None and not layers else Scene()
    for layer in layers:
        _place(layer, project, crs, command)
    if layers:
        scene.set_georeference(Georeference(project, origin_of(layers)))
    for layer in reversed(layers):
        layer.id = scene.unique_id(layer.id)
        scene.add(layer)
        for warning in layer.warnings:
            command.note(f"{layer.name}: {warning}")
    scene.history.clear()
    scene.mark_modified(False)
    return scene


def _load(
    layer_id: str, path: Path, command: Command, n: int, total: int, stored: bool
) -> list[Layer]:
    from plumbline.io.registry import load
    from plumbline.services.paths import cache_folder, tiles_folders

    part = command.feedback.part(n / total, (n + 1) / total)
    layers = load(
        path,
        feedback=part,
        layer_id=layer_id,
        cache=cache_folder(),
        stored=stored,
        tiles=tiles_folders(),
    )
    command.progress.clear()
    return layers


def _place(layer: Layer, project: Any, stated: str | None, command: Command) -> None:
    """Bring a loaded layer into the project CRS; a file without CRS takes a stated one only."""
    from dataclasses import replace

    from plumbline.core.crs import same_crs
    from plumbline.core.errors import MissingCrsError

    if project is None:
        return
    if layer.crs is None and stated is not None:
        layer.crs = project
        layer.metadata["crs_source"] = "user"
        if layer.source is not None:
            layer.source = replace(layer.source, crs=stated)
        return
    if layer.crs is None:
        raise MissingCrsError(
            tr("“{name}” does not say its coordinate reference system.", name=layer.name),
            tr("State it: --crs EPSG:… on the command line, or in the dialog."),
        )
    if not same_crs(layer.crs, project):
        from plumbline.io.reproject import reproject_layer

        reproject_layer(layer, project, command.feedback)


def origin_of(layers: Sequence[Layer]) -> tuple[float, float, float]:
    """Return the scene origin in the middle of layers, at whole hundreds of metres."""
    from plumbline.core.data import Bounds

    box = Bounds.union(layer.bounds for layer in layers)
    if box is None:
        return (0.0, 0.0, 0.0)
    x, y, _ = (float(v) for v in box.center.round(-2))
    return (x, y, 0.0)


def one_layer_each(pairs: Sequence[str]) -> list[tuple[str, Path]]:
    """Read ``ID=FILE`` options.

    Raises
    ------
    UsageError
        If one is not of that form, or an id comes twice.
    """
    found: dict[str, Path] = {}
    for text in pairs:
        layer_id, sign, file = text.partition("=")
        if not sign or not layer_id.strip() or not file:
            raise UsageError(tr("“{text}” is no layer.", text=text), tr("Write --layer ID=FILE."))
        if layer_id in found:
            raise UsageError(
                tr("The layer id “{id}” is given twice.", id=layer_id),
                tr("Give each file an id of its own."),
            )
        found[layer_id.strip()] = source_path(file)
    return list(found.items())
