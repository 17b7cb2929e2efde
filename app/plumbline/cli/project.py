"""``new``, ``add`` and ``layers``: projects without a window."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.cli.common import add_json, existing_project, key_value
from plumbline.cli.main import Command
from plumbline.cli.output import table
from plumbline.core.errors import MissingCrsError, UsageError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from plumbline.core.layer import Layer, LayerEntry
    from plumbline.core.scene import Scene


def add_new(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``new``."""
    parser.add_argument("project", metavar="PROJECT", help=tr("file; .plumb.gpkg is added"))
    parser.add_argument("--crs", help=tr("project CRS, e.g. EPSG:4549; none: the files' own plane"))
    parser.add_argument(
        "--origin",
        nargs=3,
        type=float,
        metavar=("X", "Y", "Z"),
        help=tr("scene origin in the project CRS; the middle of the first layer otherwise"),
    )
    parser.add_argument(
        "--overwrite", action="store_true", help=tr("replace a project of that name")
    )
    add_json(parser)
    parser.set_defaults(function=new)


def new(command: Command) -> None:
    """Make an empty project."""
    import math

    from plumbline.core.georeference import Georeference
    from plumbline.services.project import new_project

    options = command.options
    origin = tuple(options.origin or (0.0, 0.0, 0.0))
    if not all(map(math.isfinite, origin)):
        raise UsageError(tr("The origin must be three finite numbers."), tr("E.g. --origin 0 0 0"))
    georeference = Georeference.from_text(options.crs, (origin[0], origin[1], origin[2]))
    path = new_project(Path(options.project), georeference, overwrite=options.overwrite)
    command.answer(
        {"project": str(path), "crs": georeference.crs_text, "origin": list(origin)},
        tr("Made {path}", path=path),
    )


def add_add(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``add``."""
    parser.add_argument("project", metavar="PROJECT")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--id", default="", help=tr("id of the layer; the file's name otherwise"))
    parser.add_argument("--name", default="", help=tr("name that people see"))
    parser.add_argument("--crs", help=tr("CRS of the file, where it says none or a wrong one"))
    parser.add_argument("--layer", default="", help=tr("only this layer of a file with several"))
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=key_value,
        metavar="K=V",
        help=tr("option of the loader; “plumbline info” lists them"),
    )
    add_json(parser)
    parser.set_defaults(function=add)


def add(command: Command) -> None:
    """Add a file to a project; each of its layers becomes one."""
    from plumbline.services.project import (
        ProjectLock,
        build_scene,
        read_project,
        snapshot,
        write_content,
    )

    options = command.options
    path = existing_project(options.project)
    with ProjectLock(path):
        content = read_project(path)
        # The other layers stay where they are: only the new file is read.
        scene = build_scene(content)
        target = content.georeference.crs
        layers = _load(command, target, path)
        if not content.layers:
            _adopt(scene, layers)
        for layer in reversed(layers):
            if options.id and layer.id in _taken(scene):
                raise UsageError(
                    tr("The project already has a layer “{id}”.", id=layer.id),
                    tr("Choose another --id."),
                )
            layer.id = scene.unique_id(layer.id)
            if options.name and len(layers) == 1:
                layer.name = options.name
            scene.add(layer)
        saved = snapshot(scene, content.camera, content.extra)
        # On top, as in the window; layers that were not loaded find their own places first.
        tree = (*(layer.id for layer in layers), *content.tree)
        write_content(replace(saved, tree=tree), path)
    for layer in layers:
        for warning in layer.warnings:
            command.note(f"{layer.name}: {warning}")
    rows = [_loaded_row(layer) for layer in layers]
    lines = [tr("Added {id} ({kind}).", id=row["id"], kind=row["kind"]) for row in rows]
    command.answer({"project": str(path), "layers": rows}, "\n".join(lines))


def _load(command: Command, target: Any, project: Path) -> list[Layer]:
    from plumbline.io.registry import load
    from plumbline.services.paths import cache_folder, tiles_folders

    options = command.options
    try:
        return load(
            options.file,
            dict(options.option),
            command.feedback,
            crs=options.crs,
            target_crs=target,
            layer_id=options.id,
            sublayer=options.layer,
            cache=cache_folder(),
            tiles=tiles_folders(project),
        )
    except MissingCrsError as error:
        raise MissingCrsError(
            error.message, tr("State it with --crs, e.g. --crs EPSG:4549."), error.details
        ) from error


def _adopt(scene: Scene, layers: list[Layer]) -> None:
    """Give an empty project what it does not say itself: the CRS and a near origin of its file."""
    from plumbline.cli.common import origin_of
    from plumbline.core.georeference import Georeference

    known = scene.georeference
    origin = known.origin if any(known.origin) else origin_of(layers)
    scene.set_georeference(Georeference(known.crs or layers[0].crs, origin))


def _taken(scene: Scene) -> set[str]:
    return {*scene.layer_ids, *(entry.id for entry in scene.absent)}


def _loaded_row(layer: Layer) -> dict[str, Any]:
    from plumbline.core.crs import crs_text

    box = layer.bounds
    return {
        "id": layer.id,
        "name": layer.name,
        "kind": layer.kind.value,
        "crs": crs_text(layer.crs),
        "counts": layer.counts,
        "bounds": None if box is None else box.as_list(),
        "warnings": layer.warnings,
    }


def add_layers(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``layers``."""
    parser.add_argument("project", metavar="PROJECT")
    add_json(parser)
    parser.set_defaults(function=layers)


def layers(command: Command) -> None:
    """List the layers of a project without loading them."""
    from plumbline.services.project import read_project

    path = existing_project(command.options.project)
    content = read_project(path)
    groups = {i: g.name for g in content.tree if not isinstance(g, str) for i in g.layers}
    rows = [_entry_row(entry, groups.get(entry.id, "")) for entry in content.layers]
    missing = tr("missing")
    lines = [
        (r["id"], r["kind"], r["path"] or tr("in the project"), missing if r["missing"] else "")
        for r in rows
    ]
    for warning in content.warnings:
        command.note(warning)
    head = f"{path.name}  {content.georeference.crs_text or tr('no CRS')}"
    command.answer(
        {
            "project": str(path),
            "crs": content.georeference.crs_text,
            "origin": list(content.georeference.origin),
            "layers": rows,
            "warnings": list(content.warnings),
        },
        "\n".join([head, table(lines, "  ") if lines else "  " + tr("no layers")]),
    )


def _entry_row(entry: LayerEntry, group: str) -> dict[str, Any]:
    source = entry.source
    return {
        "id": entry.id,
        "name": entry.name,
        "kind": entry.kind.value,
        "group": group,
        "visible": entry.view.visible,
        "path": None if source is None else str(source.path),
        "sublayer": "" if source is None else source.sublayer,
        "loader": None if source is None else source.loader,
        "crs": entry.crs or None if source is None else source.crs,
        "sha256": None if source is None else source.sha256 or None,
        "missing": source is not None and not source.path.exists(),
    }
