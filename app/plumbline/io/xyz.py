"""Point clouds as text: XYZ, PTS and TXT, one point a line.

What the columns are is stated by the option ``columns``, by a line of names, or taken from their
number; the layer says which.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray
from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.base import mislabelled, name_encoding, reading
from plumbline.io.cloud import cloud_layer, colors_8bit, intensity_16bit
from plumbline.io.registry import LoadContext

TITLE = "XYZ"
#: What a line without names holds, by its number of columns.
_USUAL = {
    3: "x,y,z",
    4: "x,y,z,intensity",
    6: "x,y,z,r,g,b",
    7: "x,y,z,intensity,r,g,b",
}
#: Names that programs write for what we call x, r, …
_ALIASES = {
    "//x": "x", "#x": "x", "easting": "x", "e": "x", "northing": "y", "n": "y", "height": "z",
    "elevation": "z", "red": "r", "green": "g", "blue": "b", "i": "intensity",
    "scalar_intensity": "intensity", "class": "classification",
    "scalar_classification": "classification", "label": "classification",
}  # fmt: skip


def load_xyz(path: Path, context: LoadContext) -> list[Layer]:
    """Read points from text into one point cloud layer.

    Raises
    ------
    InputError
        If the file is no table of numbers, or names columns without x, y and z.
    UsageError
        If the option ``columns`` does not fit the file.
    """
    import pandas as pd

    context.feedback.step(0, 3, tr("Reading {name}", name=path.name))
    with reading(path, TITLE):
        skip, first, names = _beginning(path)
        columns, source = _columns(str(context.options.get("columns", "auto")), names, len(first))
        separator = _separator(path, skip)
        frame = pd.read_csv(
            path, sep=separator, header=None, skiprows=skip, usecols=range(len(columns)),
            names=columns, dtype=np.float64, comment="#", encoding="latin-1",
            skip_blank_lines=True,
        )  # fmt: skip
        context.feedback.step(2, 3)
        metadata: dict[str, Any] = {"columns": ",".join(columns), "columns_source": source}
        points = frame[["x", "y", "z"]].to_numpy(np.float64)
        attributes = _attributes({name: frame[name].to_numpy() for name in columns}, metadata)
    return [cloud_layer(path, TITLE, points, attributes, metadata)]


def _beginning(path: Path) -> tuple[int, list[str], list[str]]:
    """Return lines to skip, the cells of the first point, and the names of the columns if any."""
    with path.open("rb") as stream:
        head = stream.read(65_536)
    if b"\0" in head:
        raise mislabelled(path, TITLE)
    lines = io.StringIO(head.decode(name_encoding(head), "replace"))
    names: list[str] = []
    for n, line in enumerate(lines):
        cells = _cells(line)
        if len(cells) < 3:  # an empty line, a remark, the number of points of PTS
            continue
        if all(map(_is_number, cells)):
            return n, cells, names
        names = cells
        if n > 100:
            break
    raise mislabelled(path, TITLE)


def _cells(line: str) -> list[str]:
    for separator in (",", ";"):
        line = line.replace(separator, " ")
    return line.split()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _separator(path: Path, skip: int) -> str:
    with path.open("rb") as stream:
        for _ in range(skip):
            stream.readline()
        line = stream.readline(65_536)
    return "," if b"," in line else ";" if b";" in line else r"\s+"


def _columns(stated: str, names: list[str], count: int) -> tuple[list[str], str]:
    """Return what each column is and who said so."""
    if stated != "auto":
        columns = [name.strip().lower() for name in stated.split(",")]
        source = "option"
    elif len(names) == count:
        lower = [name.lower() for name in names]
        columns, source = [_ALIASES.get(name, name) for name in lower], "file"
    else:
        usual = _USUAL.get(count, _USUAL[3])
        columns, source = usual.split(","), "number of columns"
    columns = [f"-{n}" if name in ("-", "") else name for n, name in enumerate(columns)]
    if len(columns) > count or len(set(columns)) < len(columns) or not {*"xyz"} <= set(columns):
        kind = InputError if stated == "auto" else UsageError
        raise kind(
            tr("The columns “{names}” do not fit a file with {n} columns.",
               names=",".join(columns)[:200], n=count),
            tr("Name them in their order, e.g. columns=x,y,z,-,r,g,b; - leaves one out."),
        )  # fmt: skip
    return columns, source


def _attributes(columns: dict[str, AnyArray], metadata: dict[str, Any]) -> dict[str, AnyArray]:
    attributes: dict[str, AnyArray] = {}
    if {"r", "g", "b"} <= columns.keys():
        attributes["rgb"] = colors_8bit(np.column_stack([columns.pop(c) for c in "rgb"]))
    if "intensity" in columns:
        attributes["intensity"] = intensity_16bit(columns.pop("intensity"), metadata)
    if "classification" in columns:
        values = np.nan_to_num(columns.pop("classification"))
        attributes["classification"] = np.clip(values, 0, 255).astype(np.uint8)
    for name, values in columns.items():
        if name not in ("x", "y", "z") and not name.startswith("-"):
            attributes[name] = values
    return attributes
