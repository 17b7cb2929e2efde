"""A document written into a file of the format that its name asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr
from plumbline.services.documents.content import Document


def _pdf(document: Document) -> bytes:
    from plumbline.services.documents.pdf import pdf_bytes

    return pdf_bytes(document)


def _docx(document: Document) -> bytes:
    from plumbline.services.documents.docx import docx_bytes

    return docx_bytes(document)


def _xlsx(document: Document) -> bytes:
    from plumbline.services.documents.xlsx import xlsx_bytes

    return xlsx_bytes(document)


def _html(document: Document) -> bytes:
    from plumbline.services.documents.html import html_bytes

    return html_bytes(document)


#: Writers by the ending of a file's name.
FORMATS: dict[str, Callable[[Document], bytes]] = {
    ".pdf": _pdf,
    ".docx": _docx,
    ".xlsx": _xlsx,
    ".html": _html,
}


def check_format(path: Path) -> None:
    """Refuse a file name whose ending names no format.

    Raises
    ------
    UsageError
        With the endings that there are.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            tr("“{name}” names no format of documents.", name=path.name),
            tr("Give a file that ends in {endings}.", endings=", ".join(FORMATS)),
        )


def write_document(document: Document, path: Path) -> Path:
    """Write a document; the file appears whole or not at all.

    Raises
    ------
    UsageError
        If the ending of the name is no format.
    InputError
        If the file cannot be written.
    """
    check_format(path)
    content = FORMATS[path.suffix.lower()](document)
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(
            tr("“{path}” cannot be written: {why}.", path=path, why=error.strerror or error),
            tr("Check the folder and the disk."),
        ) from error
    return path
