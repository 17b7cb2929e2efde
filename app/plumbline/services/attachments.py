"""Documents that entities name: which of them may be handed to the system to be opened.

The names come from columns of files that anybody may have sent. So only files beside the project
are opened, none that is a program, and no addresses.
"""

from __future__ import annotations

from pathlib import Path

from plumbline.core.errors import InputError, RefusedError
from plumbline.core.i18n import tr

#: What people keep about buildings. Programs, scripts, shortcuts, web pages and the kinds of office
#: files that exist for macros are not among them.
OPENED = frozenset(
    (
        *(".pdf", ".ofd", ".txt", ".md", ".rtf", ".csv", ".tsv"),
        *(".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".odp"),
        *(".wps", ".et", ".dps"),
        *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".heic"),
        *(".dwg", ".dxf", ".dgn", ".ifc", ".skp", ".rvt"),
        *(".mp4", ".mov", ".avi", ".mp3", ".wav"),
    )
)
#: How programs begin: of Windows, of Linux, of macOS, and scripts.
_PROGRAMS = (
    b"MZ",
    b"\x7fELF",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"#!",
)


def attached_file(name: str, project: Path | None) -> Path:
    """Return the file that a document's name stands for, if it may be opened.

    Parameters
    ----------
    name : str
        Relative to the project's folder, or absolute; see `CityEntity.documents`.
    project : Path, optional
        The project file; None while it has not been saved.

    Raises
    ------
    RefusedError
        If there is no project to lie beside, or the file, with links followed, lies elsewhere, is
        no file, or is not of a kind that is opened.
    InputError
        If it is not there or cannot be read.
    """
    if project is None:
        raise RefusedError(
            tr("“{name}” cannot be found before the project is saved.", name=name[:200]),
            tr("Save the project in the folder of the documents."),
        )
    folder = project.parent.resolve()
    try:
        file = (folder / name).resolve()
        if not file.is_relative_to(folder):
            raise RefusedError(
                tr("“{name}” is not opened: it does not lie beside the project.", name=name[:200]),
                tr("Move the document into the folder of the project: {folder}", folder=folder),
            )
        if file.suffix.lower() not in OPENED:
            raise RefusedError(
                tr("“{name}” is not opened: files of this kind may be programs.", name=name[:200]),
                tr("Open it in the file manager if you trust it: {folder}", folder=file.parent),
            )
        if not file.is_file():
            raise InputError(
                tr("There is no document “{name}”.", name=name[:200]),
                tr("It was looked for here: {path}", path=file),
            )
        with file.open("rb") as stream:
            begin = stream.read(4)
    except (OSError, ValueError) as error:
        raise InputError(
            tr("“{name}” cannot be read: {why}.", name=name[:200], why=error),
            tr("It was looked for here: {path}", path=folder),
        ) from error
    if begin.startswith(_PROGRAMS):
        raise RefusedError(
            tr("“{name}” is not opened: it is a program.", name=name[:200]),
            tr("Open it in the file manager if you trust it: {folder}", folder=file.parent),
        )
    return file
