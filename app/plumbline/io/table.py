"""Tables (CSV, XLSX) joined to a layer: to the objects of a mesh by name, to features by a key."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plumbline.core.data import Element, MeshData, VectorData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.base import library_notes, name_encoding

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


def join_features(layer: Layer, folder: Path, name: str, key: str) -> None:
    """Add the columns of a table to the features of a layer, in place.

    Parameters
    ----------
    layer : Layer
        With `VectorData`; what is missing becomes a warning of it.
    name : str
        CSV or XLSX beside the layer's file, columns named in its first row.
    key : str
        Column of both, or ``column of the layer=column of the table``; empty takes the first
        column of the table.

    Raises
    ------
    UsageError
        If the name leads out of the folder, or a column is not there.
    InputError
        If the table cannot be read.
    """
    data = layer.data
    assert isinstance(data, VectorData)
    if not name or Path(name).name != name:
        raise UsageError(
            tr("“{name}” is not the name of a file beside the layer.", name=name[:80]),
            tr("Put the table into the folder of the layer."),
        )
    header, rows = read_table(folder / name)
    own, _, other = key.partition("=")
    own, other = own or header[0], other or own or header[0]
    columns = [str(c) for c in data.features.columns]
    for column, known in ((own, columns), (other, header)):
        if column not in known:
            raise UsageError(
                tr("There is no column “{name}”.", name=column[:80]),
                tr("The columns are: {names}.", names=", ".join(known)[:500]),
            )
    place = header.index(other)
    found = {_as_key(row[place]): row for row in rows if len(row) > place}
    keys = [_as_key(value) for value in data.features[own]]
    features = data.features.copy()
    for n, column in enumerate(header):
        if n != place:
            title = column if column not in columns else f"{column}_{Path(name).stem}"
            features[title] = [row[n] if (row := found.get(k)) and n < len(row) else None
                               for k in keys]  # fmt: skip
    data.features = features
    missing = [k for k in keys if k not in found]
    if missing:
        text = tr(
            "{n} features have no row in {table}, e.g. “{id}”.",
            n=len(missing),
            table=name,
            id=missing[0],
        )
        layer.warnings.append(text)
    layer.metadata["table"] = {"name": name, "rows": len(rows), "key": f"{own}={other}"}


def _as_key(value: Any) -> str:
    """Return a key as text: 7, 7.0 and "7" are one, "007" is another."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def read_table(path: Path) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows of a CSV (UTF-8 or GBK) or of the first sheet of an XLSX.

    Raises
    ------
    InputError
        If the table cannot be read or holds nothing.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                tr("The table “{name}” is too large.", name=path.name),
                tr("Keep the attributes in a GeoPackage layer."),
            )
        rows = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)
        header = [str(cell).strip() for cell in next(rows, []) if cell not in (None, "")]
        body = [row for row in rows if any(cell not in (None, "") for cell in row)]
    except (OSError, ValueError, KeyError, csv.Error, zipfile.BadZipFile) as error:
        raise InputError(
            tr("The table “{name}” cannot be read.", name=path.name),
            tr("Save it as CSV in UTF-8 or as XLSX beside the layer."),
            str(error),
        ) from error
    if not header:
        raise InputError(
            tr("The table “{name}” has no columns.", name=path.name),
            tr("Name the columns in its first row."),
        )
    return header, body


def _csv(path: Path) -> Iterator[list[Any]]:
    raw = path.read_bytes()
    text = raw.decode(name_encoding(raw))
    for n, cells in enumerate(csv.reader(io.StringIO(text, newline=""))):
        yield cells if n == 0 else [_value(cell) if cell else None for cell in cells]


def _xlsx(path: Path) -> Iterator[list[Any]]:
    """Yield the rows of the first sheet; formulas give the value that was saved."""
    from openpyxl import load_workbook

    with zipfile.ZipFile(path) as archive:
        if sum(one.file_size for one in archive.infolist()) > 10 * MAX_BYTES:
            raise ValueError("it unpacks to too much")
    with library_notes():
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            for row in book.worksheets[0].iter_rows(values_only=True):
                yield [value.isoformat() if hasattr(value, "isoformat") else value for value in row]
        finally:
            book.close()


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows by their first cell."""
    header, rows = read_table(path)
    return {str(row[0]): dict(zip(header, row, strict=False)) for row in rows if row[0] is not None}


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
