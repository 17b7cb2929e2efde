"""``info`` and ``formats``: what a loader reads in files, and which files can be read."""

from __future__ import annotations

import argparse
from typing import Any

from plumbline.cli.common import add_json, key_value
from plumbline.cli.main import Command
from plumbline.cli.output import error_line, table
from plumbline.core.decisions import KEYS
from plumbline.core.errors import CancelledError, UserError
from plumbline.core.i18n import tr


def add_info(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``info``."""
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--crs", help=tr("CRS of the files, where they say none or a wrong one"))
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=key_value,
        metavar="K=V",
        help=tr("option of the loader"),
    )
    add_json(parser)
    parser.set_defaults(function=info)


def info(command: Command) -> None:
    """Describe every file; one that cannot be read does not keep the others from being told."""
    from plumbline.io.info import describe
    from plumbline.services.paths import tiles_folders

    options = command.options
    entries: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for n, file in enumerate(options.files):
        part = command.feedback.part(n / len(options.files), (n + 1) / len(options.files))
        try:
            entries += describe(
                file, dict(options.option), part, crs=options.crs, tiles=tiles_folders()
            )
        except CancelledError:
            raise
        except UserError as error:
            if len(options.files) == 1:
                raise
            command.progress.clear()
            error_line(str(error))
            command.exit_code = max(command.exit_code, error.exit_code)
            errors.append({"path": file, "message": error.message, "hint": error.hint})
    document: dict[str, Any] = {"files": entries}
    if errors:
        document["errors"] = errors
    command.answer(document, "\n\n".join(map(_text, entries)))


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``formats``."""
    parser.add_argument(
        "--markdown", action="store_true", help=tr("all of them as the page of the manual")
    )
    add_json(parser)
    parser.set_defaults(function=formats)


def formats(command: Command) -> None:
    """List every format that can be read, and those that have to be converted before."""
    from plumbline.io.registry import FOREIGN, loaders

    rows: list[dict[str, Any]] = [
        {
            "id": spec.id,
            "title": spec.title,
            "extensions": [*spec.extensions, *spec.shared],
            "options": {option.name: tr(option.description) for option in spec.options},
        }
        for spec in loaders()
    ]
    foreign = {suffix: {"title": title, "way_out": tr(out)} for suffix, (title, out)
               in FOREIGN.items()}  # fmt: skip
    if command.options.markdown:
        text = _manual(rows, foreign)
        command.answer({"markdown": text}, text.rstrip("\n"))
        return
    lines = [(str(row["title"]), " ".join(row["extensions"])) for row in rows]
    command.answer({"formats": rows, "foreign": foreign}, table(lines))


def _manual(rows: list[dict[str, Any]], foreign: dict[str, dict[str, str]]) -> str:
    """Return the page of the manual that lists the formats."""
    parts = [
        f"# {tr('Formats')}",
        tr("Made by “plumbline formats --markdown”; change the registry, not this page."),
        f"## {tr('What can be read')}",
    ]
    cells = [f"| {tr('Format')} | {tr('Files')} | {tr('Options')} |", "|---|---|---|"]
    for row in rows:
        options = "; ".join(f"`{name}`: {text}" for name, text in row["options"].items())
        files = " ".join(f"`{suffix}`" for suffix in row["extensions"])
        cells.append(f"| {row['title']} | {files} | {options.replace('|', ', ')} |")
    parts += ["\n".join(cells), f"## {tr('What has to be converted before')}"]
    cells = [f"| {tr('Format')} | {tr('Files')} | {tr('Way out')} |", "|---|---|---|"]
    cells += [f"| {one['title']} | `{s}` | {one['way_out']} |" for s, one in foreign.items()]
    return "\n\n".join([*parts, "\n".join(cells)]) + "\n"


def _text(entry: dict[str, Any]) -> str:
    """Return an entry as people read it."""
    counts = ", ".join(f"{count:,} {name}" for name, count in entry["counts"].items())
    box = entry["bounds"]
    rows = [
        (tr("kind"), f"{entry['kind']} ({entry['format']})"),
        (tr("counts"), counts or "–"),
        (tr("bounds"), _box(box) if box else tr("empty")),
    ]
    metadata = dict(entry["metadata"])
    for one in metadata.pop("decisions"):
        rows.append((one["what"], f"{one['taken']} ({one['why']})" if one["why"] else one["taken"]))
    known = [(key, _value(value)) for key, value in metadata.items() if key not in KEYS]
    rows += known
    rows += [(tr("warning"), warning) for warning in entry["warnings"]]
    title = entry["path"] + (f" : {entry['layer']}" if "layer" in entry else "")
    return f"{title}\n{table(rows, '  ')}"


def _box(box: list[float]) -> str:
    low, high = box[:3], box[3:]
    return "  ..  ".join(", ".join(f"{v:.3f}" for v in corner) for corner in (low, high))


def _value(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:157]}..."
