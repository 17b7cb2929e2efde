"""``analyses``, ``run`` and ``replay``: analyses by id, with the parameter names of the form."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.cli.common import (
    add_json,
    existing_project,
    key_value,
    one_layer_each,
    scene_of_files,
    scene_of_project,
    start_plugins,
)
from plumbline.cli.main import Command
from plumbline.cli.output import table, values_table
from plumbline.core.errors import EXIT_REFUSED, InputError, UsageError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from plumbline.core.scene import Scene

#: A file of parameters is small; anything larger is a mistake.
_MAX_PARAMS = 64 * 1024 * 1024


def add_analyses(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``analyses``."""
    parser.add_argument("id", nargs="?", metavar="ID", help=tr("describe the parameters of one"))
    parser.add_argument(
        "--markdown", action="store_true", help=tr("all of them as the page of the manual")
    )
    add_json(parser)
    parser.set_defaults(function=analyses)


def analyses(command: Command) -> None:
    """List every analysis, or describe one."""
    from plumbline.analysis.registry import registry

    start_plugins(command)
    if command.options.markdown:
        text = manual()
        command.answer({"markdown": text}, text.rstrip("\n"))
        return
    if command.options.id:
        schema = parameter_schema(command.options.id)
        command.answer(schema, _describe(command.options.id, schema))
        return
    rows = [{"id": name, "title": registry.title(name)} for name in registry.ids()]
    command.answer({"analyses": rows}, table([(row["id"], row["title"]) for row in rows]))


def parameter_schema(analysis_id: str) -> dict[str, Any]:
    """Return the JSON schema of an analysis's parameters, with its id, title and version."""
    from plumbline.analysis.registry import registry

    analysis = registry.get(analysis_id)
    schema = analysis.Params.model_json_schema()
    return {
        **schema,
        "title": tr(analysis.title) or analysis_id,
        "description": tr(analysis.description),
        "x-analysis": analysis.id,
        "x-version": analysis.version,
    }


def manual() -> str:
    """Return the page of the manual that lists every analysis with its parameters."""
    from plumbline.analysis.registry import registry

    parts = [
        f"# {tr('Analyses')}",
        tr("Made by “plumbline analyses --markdown”; change the classes, not this page."),
    ]
    for name in registry.ids():
        schema = parameter_schema(name)
        parts.append(f"## `{name}` {schema['title']}\n\n{schema['description']}")
        rows = [f"| {tr('Parameter')} | {tr('Kind')} | {tr('Unit')} | | |", "|---|---|---|---|---|"]
        for field, kind, unit, state, text in _parameter_rows(schema):
            rows.append(f"| `{field}` | {kind.replace('|', ', ')} | {unit} | {state} | {text} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _parameter_rows(schema: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return name, kind, unit, default and description of every parameter."""
    required = set(schema.get("required", ()))
    rows = []
    for name, field in schema.get("properties", {}).items():
        default = field.get("default")
        given = "" if default is None else json.dumps(default, ensure_ascii=False)
        state = tr("required") if name in required else f"[{given}]" if given else tr("optional")
        text = tr(field.get("description", "")) if field.get("description") else ""
        rows.append((name, _type(field), str(field.get("unit", "")), state, text))
    return rows


def _describe(analysis_id: str, schema: dict[str, Any]) -> str:
    rows = _parameter_rows(schema)
    head = f"{analysis_id}  {schema['title']}\n{schema['description']}"
    return f"{head}\n\n{table(rows, '  ')}" if rows else head


def _type(field: Mapping[str, Any]) -> str:
    widget = field.get("widget")
    if widget:
        return str(widget)
    kinds = [str(f.get("type", "")) for f in field.get("anyOf", ({"type": field.get("type")},))]
    return "|".join(kind for kind in kinds if kind and kind != "null")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``run``."""
    parser.add_argument("id", metavar="ID", help=tr("analysis, e.g. measure.distance"))
    parser.add_argument("--project", metavar="PROJECT", help=tr("run on the layers of a project"))
    parser.add_argument(
        "--layer",
        action="append",
        default=[],
        metavar="ID=FILE",
        help=tr("run on a file under this layer id; repeat for more"),
    )
    parser.add_argument(
        "--crs", help=tr("project CRS with --layer, and CRS of files that say none")
    )
    parser.add_argument("--scheme", default="", help=tr("id of the scheme to look at"))
    parser.add_argument("--params", metavar="FILE.json", help=tr("file with the parameters"))
    parser.add_argument(
        "-p",
        dest="param",
        action="append",
        default=[],
        type=key_value,
        metavar="K=V",
        help=tr("one parameter; V is JSON or text, a point x,y,z; wins over --params"),
    )
    parser.add_argument("--out", required=True, metavar="DIR", help=tr("folder for the result"))
    add_json(parser)
    parser.set_defaults(function=run)


def run(command: Command) -> None:
    """Run an analysis and write its result folder."""
    from plumbline.analysis import runner
    from plumbline.analysis.store import check_folder, document, write_result

    options = command.options
    if options.project and (options.layer or options.crs):
        raise UsageError(
            tr("--project and --layer exclude each other."),
            tr("A project brings its own layers and CRS; add files to it with “plumbline add”."),
        )
    start_plugins(command)
    params = read_params(options.id, options.params, options.param)
    # What can be wrong is said before anything large is read.
    needed = runner.needed_layers(options.id, params, _described(options.project))
    out = Path(options.out).expanduser().absolute()
    check_folder(out)
    scene = _scene(command, needed)
    result = runner.run(options.id, scene, params, command.feedback, options.scheme)
    path = write_result(result, out)
    notes = [f"{tr('warning')}: {warning}" for warning in result.warnings]
    tables = [f"{name}: {len(t.rows)} {tr('rows')}" for name, t in result.tables.items()]
    lines = [values_table(result.values), *tables, *notes, tr("Result in {path}", path=path.parent)]
    command.answer(
        {**document(result), "out": str(path.parent)}, "\n".join(line for line in lines if line)
    )


def _described(project: str | None) -> Scene | None:
    """Return a project's scene without data: its schemes say which layers they need."""
    from plumbline.services.project import build_scene, read_project

    return build_scene(read_project(existing_project(project))) if project else None


def _scene(command: Command, needed: list[str]) -> Scene:
    options = command.options
    if options.project:
        return scene_of_project(existing_project(options.project), command, needed)[0]
    return scene_of_files(one_layer_each(options.layer), options.crs, command)


def read_params(analysis_id: str, file: str | None, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return parameters from a JSON file and from ``-p K=V``, which wins.

    V is taken as JSON where it is JSON, else as text; where the parameter is a text, V is that
    text, so that a layer called ``2024`` stays one.

    Raises
    ------
    UsageError
        If the analysis does not exist, or the file holds no JSON object.
    InputError
        If the file cannot be read.
    """
    params = _params_of(Path(file).expanduser()) if file else {}
    fields = parameter_schema(analysis_id).get("properties", {})
    for name, text in pairs:
        params[name] = _value(text, fields.get(name, {}))
    return params


def _params_of(path: Path) -> dict[str, Any]:
    hint = tr("Write a JSON object with the parameters by name.")
    try:
        if path.stat().st_size > _MAX_PARAMS:
            raise UsageError(tr("“{path}” is too large for parameters.", path=path), hint)
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be read: {why}.", path=path, why=error.strerror or error),
            tr("Check the path and the disk."),
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            tr("“{path}” is no JSON: {why}.", path=path, why=error), hint, str(error)
        ) from error
    if not isinstance(data, dict):
        raise UsageError(tr("“{path}” holds no JSON object.", path=path), hint)
    return data


def _value(text: str, field: Mapping[str, Any]) -> Any:
    kinds = {f.get("type") for f in field.get("anyOf", (field,))} - {"null"}
    if kinds == {"string"} and not text.startswith('"') and text != "null":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``replay``."""
    parser.add_argument("result", metavar="DIR/result.json")
    add_json(parser)
    parser.set_defaults(function=replay)


def replay(command: Command) -> None:
    """Run a stored result again; exit code 4 where its numbers cannot be confirmed."""
    from plumbline.analysis.replay import TOLERANCE
    from plumbline.analysis.replay import replay as run_again
    from plumbline.analysis.store import document, plain

    start_plugins(command)
    result, differences = run_again(Path(command.options.result), command.feedback)
    if differences:
        command.exit_code = EXIT_REFUSED
        lines = [tr("The replay is not the same:")]
        lines += [f"  {difference.message}" for difference in differences]
    else:
        lines = [
            tr(
                "The same: {n} values agree within a relative {tolerance}.",
                n=len(result.values),
                tolerance=f"{TOLERANCE:g}",
            )
        ]
    rows = [
        {"what": d.what, "before": plain(d.before), "now": plain(d.now), "message": d.message}
        for d in differences
    ]
    command.answer(
        {
            "analysis": result.analysis,
            "same": not differences,
            "tolerance": TOLERANCE,
            "differences": rows,
            "values": document(result)["values"],
        },
        "\n".join(lines),
    )
