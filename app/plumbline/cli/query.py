"""``query``: entities of a layer by expression and by place, with statistics by class."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.cli.common import (
    add_json,
    existing_project,
    is_project,
    scene_of_files,
    scene_of_project,
)
from plumbline.cli.main import Command
from plumbline.cli.output import table
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    import shapely

    from plumbline.core.layer import Layer
    from plumbline.core.scene import Scene

#: Entities that are listed for people; all of them with --json.
_LISTED = 20


def add_query(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``query``."""
    parser.add_argument("source", metavar="PROJECT|FILE")
    parser.add_argument("--layer", default="", metavar="ID", help=tr("layer that is asked"))
    parser.add_argument(
        "--where",
        default="",
        metavar="EXPR",
        help=tr("condition, e.g. 用途 = '住宅' AND 层数 >= 6"),
    )
    places = parser.add_mutually_exclusive_group()
    for name, text in (
        ("intersects", tr("entities that touch a place: WKT, GeoJSON, or a layer's id")),
        ("within", tr("entities that lie inside a place")),
        ("contains", tr("entities that hold a place")),
        ("disjoint", tr("entities that have nothing in common with a place")),
    ):
        places.add_argument(f"--{name}", metavar="PLACE", help=text)
    parser.add_argument(
        "--buffer", type=float, default=0.0, metavar="D", help=tr("widen the place by a distance")
    )
    parser.add_argument("--by", default="", metavar="COLUMN", help=tr("statistics by class"))
    parser.add_argument("--value", default="", metavar="COLUMN", help=tr("numbers to sum up"))
    parser.add_argument("--crs", help=tr("CRS of a file that says none"))
    parser.add_argument("--out", metavar="FILE", help=tr("write the entities as GeoPackage"))
    add_json(parser)
    parser.set_defaults(function=query)


def query(command: Command) -> None:
    """Choose entities and tell which, how many and how large they are."""
    from plumbline.analysis.query import query as choose
    from plumbline.analysis.query import statistics
    from plumbline.core.entities import entity_ids

    options = command.options
    scene = _scene(command)
    layer = _layer(scene, options.layer)
    relation, place = _place(command, scene)
    rows = choose(layer, options.where, place, relation, options.buffer)  # type: ignore[arg-type]
    told = statistics(layer, rows, scene.georeference, options.by, options.value)
    ids = [entity_ids(layer)[n] for n in rows]
    document: dict[str, Any] = {
        "layer": layer.id,
        "count": len(ids),
        "ids": ids,
        "statistics": [dict(zip(told.columns, row, strict=True)) for row in told.rows],
        "units": told.units,
    }
    if options.out:
        document["out"] = str(_write(layer, rows, Path(options.out)))
    lines = [tr("{n} entities of “{name}”", n=len(ids), name=layer.name)]
    lines += [", ".join(ids[:_LISTED]) + (" …" if len(ids) > _LISTED else "")] if ids else []
    cells = [["–" if cell in (None, "") else _cell(cell) for cell in row] for row in told.rows]
    lines.append(table([told.columns, *cells], "  "))
    command.answer(document, "\n".join(lines))


def _scene(command: Command) -> Scene:
    path = Path(command.options.source).expanduser()
    if is_project(path) or not path.suffix:
        return scene_of_project(existing_project(str(path)), command)[0]
    return scene_of_files([("", path)], command.options.crs, command)


def _layer(scene: Scene, layer_id: str) -> Layer:
    if layer_id:
        return scene[layer_id]
    layers = list(scene)
    if len(layers) != 1:
        raise UsageError(
            tr("There are {n} layers: name one with --layer.", n=len(layers)),
            tr("Its layers are: {ids}.", ids=", ".join(scene.layer_ids) or "–"),
        )
    return layers[0]


def _place(command: Command, scene: Scene) -> tuple[str, shapely.Geometry | None]:
    names = ("intersects", "within", "contains", "disjoint")
    given = [(name, getattr(command.options, name)) for name in names]
    for name, text in given:
        if text is not None:
            return name, _geometry(str(text), scene)
    return "intersects", None


def _geometry(text: str, scene: Scene) -> shapely.Geometry:
    """Return the place that a text names: a layer, GeoJSON or WKT."""
    import shapely
    from shapely.errors import ShapelyError

    from plumbline.analysis.query import footprints

    if text in scene:
        shapes = footprints(scene[text])
        return shapely.union_all(shapes[~shapely.is_missing(shapes)])
    try:
        if text.lstrip().startswith("{"):
            shape = shapely.geometry.shape(json.loads(text))
        else:
            shape = shapely.from_wkt(text)
    except (ShapelyError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            tr("“{text}” is no place.", text=text[:80]),
            tr("Give WKT such as POLYGON ((x y, …)), GeoJSON, or the id of a layer."),
            str(error),
        ) from error
    if shape is None or shape.is_empty or not shape.is_valid:
        raise UsageError(
            tr("“{text}” is no place.", text=text[:80]),
            tr("Give WKT such as POLYGON ((x y, …)), GeoJSON, or the id of a layer."),
        )
    return shape


def _write(layer: Layer, rows: Any, path: Path) -> Path:
    from plumbline.core.data import VectorData
    from plumbline.io.writers import write_vector

    if not isinstance(layer.data, VectorData):
        raise UsageError(
            tr("“{name}” has no features to write.", name=layer.name),
            tr("Choose a vector layer."),
        )
    path = path.expanduser().absolute()
    write_vector(layer.data.features.iloc[rows], path)
    return path


def _cell(cell: Any) -> str:
    return f"{cell:,.3f}" if isinstance(cell, float) else str(cell)
