"""A table joined to the objects of a mesh: names in its first column, attributes in the others."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from plumbline.core.data import Element, MeshData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr

#: Larger tables belong into a GeoPackage, bytes.
MAX_BYTES = 200_000_000
#: Columns whose text is what people call the object.
NAME_COLUMNS = ("名称", "name", "Name", "NAME")


def join_table(data: MeshData, folder: Path, name: str) -> list[str]:
    """Give every element of a mesh the row of a CSV file that starts with its id.

    Parameters
    ----------
    data : MeshData
        Its elements get a group of properties named after the file.
    folder : Path
        Folder of the mesh; the table must lie in it.
    name : str
        Name of the CSV file, UTF-8, columns named in its first row.

    Returns
    -------
    list of str
        Warnings: elements without a row.

    Raises
    ------
    UsageError
        If the name leads out of the folder.
    InputError
        If the table cannot be read.
    """
    if not name or Path(name).name != name:
        raise UsageError(
            tr("“{name}” is not the name of a file beside the model.", name=name[:80]),
            tr("Put the table into the folder of the model."),
        )
    rows = _read(folder / name)
    missing = [element.id for element in data.elements if element.id not in rows]
    for element in data.elements:
        if element.id in rows:
            _take(element, Path(name).stem, rows[element.id])
    if not missing:
        return []
    return [
        tr(
            "{n} objects have no row in {table}, e.g. “{id}”.",
            n=len(missing),
            table=name,
            id=missing[0],
        )
    ]


def _take(element: Element, group: str, row: dict[str, Any]) -> None:
    element.properties[group] = row
    named = next((str(row[c]) for c in NAME_COLUMNS if row.get(c)), "")
    element.name = named or element.name


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows by their first cell."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                tr("The table “{name}” is too large.", name=path.name),
                tr("Keep the attributes in a GeoPackage layer."),
            )
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            return {
                cells[0]: {k: _value(v) for k, v in zip(header, cells, strict=False)}
                for cells in reader
                if cells and cells[0]
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            tr("The table “{name}” cannot be read.", name=path.name),
            tr("Save it as CSV in UTF-8 beside the model."),
            str(error),
        ) from error


def _value(text: str) -> Any:
    """Return a number where the text is one as a program writes it, else the text."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        # "007" and "1e5" as typed by people are names, not numbers.
        if str(number) == text:
            return number
    return text
