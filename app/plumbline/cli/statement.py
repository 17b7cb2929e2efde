"""``statement``: the demolition statement of a stored result as PDF, DOCX or XLSX."""

from __future__ import annotations

import argparse
from pathlib import Path

from plumbline.cli.common import add_json
from plumbline.cli.main import Command
from plumbline.core.i18n import tr


def add_statement(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``statement``."""
    parser.add_argument("result", metavar="DIR/result.json")
    parser.add_argument(
        "--out", metavar="FILE", required=True, action="append",
        help=tr("file that ends in .pdf, .docx or .xlsx; may be given several times"),
    )  # fmt: skip
    parser.add_argument("--picture", metavar="PNG", help=tr("picture of a view of the area"))
    parser.add_argument("--operator", metavar="NAME", help=tr("who answers for it"))
    parser.add_argument("--title", metavar="TEXT", help=tr("title of the document"))
    add_json(parser)
    parser.set_defaults(function=statement)


def statement(command: Command) -> None:
    """Write the demolition statement of a result."""
    from plumbline.services.documents import demolition_statement, write_document
    from plumbline.services.documents.writing import check_format
    from plumbline.services.settings import SettingsStore

    options = command.options
    files = [Path(name).expanduser().absolute() for name in options.out]
    for file in files:
        check_format(file)
    operator = options.operator or SettingsStore().settings.operator
    document = demolition_statement(
        options.result,
        picture=Path(options.picture).expanduser() if options.picture else None,
        operator=operator,
        title=options.title or "",
    )
    written = [write_document(document, file) for file in files]
    lines = [tr("Statement: {path}", path=path) for path in written]
    command.answer({"files": [str(path) for path in written]}, "\n".join(lines))
