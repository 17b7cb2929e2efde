"""``entities``: build the entities of a project from footprints, read a dossier, take one out."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.cli.common import add_json, existing_project, key_value, scene_of_project
from plumbline.cli.main import Command
from plumbline.cli.output import table
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from plumbline.core.city import CityEntity
    from plumbline.core.scene import Camera, Scene

_COLUMNS = ("id", "name", "height", "storeys", "documents")
#: Entities that are listed for people; all of them with --json.
_LISTED = 30


def add_entities(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``entities``."""
    parser.add_argument("project", metavar="PROJECT")
    parser.add_argument(
        "--footprints", metavar="LAYER", help=tr("build the entities from the polygons of a layer")
    )
    parser.add_argument("--where", default="", metavar="EXPR", help=tr("only some footprints"))
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        type=key_value,
        metavar="K=V",
        help=tr("column of the footprints with id, name, height, storeys or documents"),
    )
    for name, text in (
        (
            "surfaces",
            tr("meshes, tiles and clouds to cut, ids with commas between"),
        ),
        ("models", tr("models whose things are joined, likewise")),
    ):
        parser.add_argument(f"--{name}", metavar="IDS", help=text)
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="FILE=KEY",
        help=tr("CSV or XLSX whose rows are joined by the column KEY"),
    )
    parser.add_argument(
        "--margin", type=float, default=0.0, metavar="D", help=tr("widen outlines before cutting")
    )
    parser.add_argument(
        "--overlay", nargs="?", const="", metavar="COLUMN",
        help=tr("add the entities as a layer of tinted prisms, coloured by a column"),
    )  # fmt: skip
    parser.add_argument("--show", metavar="ID", help=tr("print the dossier of one entity"))
    parser.add_argument("--export", metavar="ID", help=tr("write one entity's part of a layer"))
    parser.add_argument("--layer", metavar="LAYER", help=tr("layer that --export takes it from"))
    parser.add_argument("--out", metavar="FILE", help=tr("file that --export writes: .obj or .ply"))
    parser.add_argument("--clear", action="store_true", help=tr("forget all entities"))
    add_json(parser)
    parser.set_defaults(function=entities)


def entities(command: Command) -> None:
    """Build, list, show, export or forget entities."""
    options = command.options
    path = existing_project(options.project)
    if options.footprints:
        _build(command, path)
    elif options.clear:
        _clear(command, path)
    elif options.export:
        _export(command, path)
    elif options.show:
        _show(command, path)
    else:
        _list(command, path)


def _build(command: Command, path: Path) -> None:
    from plumbline.analysis.entities import build, plan
    from plumbline.analysis.entity_layer import overlay_layer
    from plumbline.io.table import read_table
    from plumbline.services.project import ProjectLock, snapshot, write_content

    options = command.options
    with ProjectLock(path):
        scene, camera = scene_of_project(path, command)
        tables = []
        for text in options.table:
            name, _, key = text.rpartition("=")
            header, rows = read_table(Path(name or key).expanduser())
            where = Path(name or key).name
            tables.append(
                (where, tuple(header), tuple(map(tuple, rows)), key if name else header[0])
            )
        columns = dict(options.column)
        if unknown := set(columns) - set(_COLUMNS):
            raise UsageError(
                tr("“{name}” is no part of an entity.", name=sorted(unknown)[0]),
                tr("The columns are: {names}.", names=", ".join(_COLUMNS)),
            )
        inputs = plan(
            scene,
            options.footprints,
            expression=options.where,
            columns=columns,
            surfaces=_ids(options.surfaces),
            models=_ids(options.models),
            tables=tables,
            margin=options.margin,
        )
        built = build(inputs, command.feedback)
        command.progress.clear()
        scene.set_entities(built.entities)
        if options.overlay is not None:
            layer_id = scene.unique_id("entities")
            crs = scene.georeference.crs
            scene.add(overlay_layer(built.entities, crs, layer_id, options.overlay))
        write_content(_kept(scene, camera, path, snapshot), path)
    for warning in built.warnings:
        command.note(warning)
    _tell(command, scene, built.warnings)


def _kept(scene: Scene, camera: Camera | None, path: Path, snapshot: Any) -> Any:
    """Return what is to be written, with what other programs keep in the project."""
    from plumbline.services.project import read_project

    return snapshot(scene, camera, read_project(path).extra)


def _ids(text: str | None) -> list[str] | None:
    return None if text is None else [one.strip() for one in text.split(",") if one.strip()]


def _clear(command: Command, path: Path) -> None:
    from plumbline.services.project import ProjectLock, read_project, write_content

    with ProjectLock(path):
        content = read_project(path)
        write_content(replace(content, entities=()), path)
    command.answer({"project": str(path), "entities": []}, tr("The project has no entities now."))


def _list(command: Command, path: Path) -> None:
    from plumbline.services.project import build_scene, read_project

    content = read_project(path)
    scene = build_scene(content)
    _tell(command, scene, ())


def _tell(command: Command, scene: Scene, warnings: Any) -> None:
    found = scene.entities
    rows = [[tr("Id"), tr("Name"), tr("Height"), tr("Storeys"), tr("Parts")]]
    for one in found[:_LISTED]:
        height = "–" if one.height is None else f"{one.height:.2f} m"
        storeys = "–" if one.storeys is None else f"{one.storeys:g}"
        parts = len(one.parts) + len(one.surfaces)
        rows.append([one.id, one.name, height, storeys, str(parts)])
    lines = [tr("{n} entities", n=len(found)), table(rows, "  ")] if found else [
        tr("The project has no entities. Build them with --footprints LAYER.")
    ]  # fmt: skip
    if len(found) > _LISTED:
        lines.append("  …")
    document = {"entities": [_plain(one) for one in found], "warnings": list(warnings)}
    command.answer(document, "\n".join(lines))


def _plain(one: CityEntity) -> dict[str, Any]:
    """Return an entity as plain JSON, without its outline."""
    plain = asdict(one)
    del plain["outline"]
    return plain


def _chosen(command: Command, path: Path, ident: str) -> tuple[Scene, CityEntity]:
    from plumbline.services.project import read_project

    known = {one.id: one for one in read_project(path).entities}
    if ident not in known:
        raise UsageError(
            tr("The project has no entity “{id}”.", id=ident[:80]),
            tr("“plumbline entities PROJECT” lists them."),
        )
    one = known[ident]
    layers = {ref.layer for ref in one.parts} | {part.layer for part in one.surfaces}
    if command.options.export:
        layers = {command.options.layer or _surface_of(one)}
    else:
        content = read_project(path)
        layers |= {entry.id for entry in content.layers if entry.kind == "result"}
    return scene_of_project(path, command, layers)[0], one


def _surface_of(one: CityEntity) -> str:
    """Return the layer that an export takes without being told: its mesh, else its model."""
    meshes = [part.layer for part in one.surfaces if part.what == "triangles"]
    models = list(dict.fromkeys(ref.layer for ref in one.parts[1:]))
    found = [*meshes, *models, *(part.layer for part in one.surfaces)]
    if not found:
        raise UsageError(
            tr("“{name}” is a footprint and nothing else.", name=one.title),
            tr("Add a mesh, tiles, a cloud or a model, and build the entities again."),
        )
    return found[0]


def _show(command: Command, path: Path) -> None:
    from plumbline.analysis.dossier import dossier
    from plumbline.io.info import as_json

    scene, one = _chosen(command, path, command.options.show)
    groups = dossier(scene, one)
    lines = []
    for title, rows in groups:
        lines.append(title)
        lines.append(table([[str(name), _text(value)] for name, value in rows], "  "))
    document = _plain(one)
    document["dossier"] = [
        {"title": title, "rows": [[str(k), as_json(v)] for k, v in rows]} for title, rows in groups
    ]
    command.answer(document, "\n".join(lines))


def _text(value: Any) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _export(command: Command, path: Path) -> None:
    from plumbline.analysis.extract import part_of_entity
    from plumbline.core.data import MeshData
    from plumbline.io.obj_writer import write_part
    from plumbline.io.writers import write_ply

    options = command.options
    if not options.out:
        raise UsageError(tr("--export needs --out FILE."), tr("E.g. --out house.obj"))
    scene, one = _chosen(command, path, options.export)
    layer = scene[options.layer or _surface_of(one)]
    part = part_of_entity(layer, one, options.margin, command.feedback)
    command.progress.clear()
    out = Path(options.out).expanduser().absolute()
    if isinstance(part, MeshData):
        write_part(part, out)
        count = {"triangles": len(part.triangles)}
    else:
        if out.suffix.lower() != ".ply":
            raise UsageError(
                tr("Points are not written as “{suffix}”.", suffix=out.suffix or out.name),
                tr("Name a file that ends in .ply."),
            )
        write_ply(out, part.points, colors=part.attributes.get("rgb"))
        count = {"points": len(part.points)}
    command.answer(
        {"entity": one.id, "layer": layer.id, "out": str(out), **count},
        tr("Wrote {path}", path=out),
    )
