"""What a document consists of, whatever format it is written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from plumbline.core.units import format_number

#: What stands in a table where nothing is known.
UNKNOWN = "–"


@dataclass(frozen=True)
class Heading:
    """A heading of the first or the second level."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Text:
    """A paragraph; `small` for notes."""

    text: str
    small: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and what they are, in two columns."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Picture:
    """A PNG with its caption; `width` is a share of the text's."""

    png: bytes
    caption: str = ""
    width: float = 1.0


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    digits : int or None
        Decimals of numbers; None for texts.
    weight : float
        Share of the table's width, relative to the other columns.
    """

    title: str
    digits: int | None = None
    weight: float = 1.0


Cell: TypeAlias = float | str | None


@dataclass(frozen=True)
class Sheet:
    """A table; in a workbook, a sheet of its own.

    Attributes
    ----------
    name : str
        Of the sheet in a workbook.
    totals : tuple, optional
        A last row that is set off.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[Cell, ...] | None = None
    caption: str = ""


Block: TypeAlias = Heading | Text | Facts | Picture | Sheet


@dataclass(frozen=True)
class Document:
    """A document with its head and its parts in order."""

    title: str
    subtitle: str
    blocks: tuple[Block, ...]
    footer: str = ""
    author: str = ""
    landscape: bool = False


def shown(cell: Cell, column: Column) -> str:
    """Return a cell as text, as readers of paper see it."""
    if cell is None or cell == "":
        return UNKNOWN
    if isinstance(cell, str) or column.digits is None:
        return str(cell)
    return format_number(float(cell), column.digits)
