"""What a document consists of, whatever format it is written in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from plumbline.core.i18n import tr
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
    """A PNG or JPEG with its caption; `width` is a share of the text's."""

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


#: What a word or a box means: it is coloured, and says so in words besides.
Tone: TypeAlias = Literal["good", "bad", "open", "plain"]


@dataclass(frozen=True)
class Mark:
    """A word in a table that is set off by its meaning, such as a verdict."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Number:
    """A number with decimals of its own, where a column holds different quantities."""

    value: float
    digits: int


Cell: TypeAlias = float | str | Mark | Number | None


@dataclass(frozen=True)
class Sheet:
    """A table; in a workbook, a sheet of its own.

    Attributes
    ----------
    name : str
        Of the sheet in a workbook.
    totals : tuple, optional
        A last row that is set off.
    most : int
        Rows on paper and on the screen, 0 for all; a workbook has every row.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[Cell, ...] | None = None
    caption: str = ""
    most: int = 0

    @property
    def cut(self) -> int:
        """Rows that are left out on paper."""
        return max(0, len(self.rows) - self.most) if self.most else 0


@dataclass(frozen=True)
class Gallery:
    """Pictures beside each other, in rows of `columns`."""

    pictures: tuple[Picture, ...]
    columns: int = 2


@dataclass(frozen=True)
class Note:
    """A box that nobody overlooks: what is recommended, what is missing."""

    text: str
    tone: Tone = "open"


@dataclass(frozen=True)
class PageBreak:
    """What follows begins on a new page."""


@dataclass(frozen=True)
class Contents:
    """The list of headings of the first level, with their pages where there are pages."""

    title: str


Block: TypeAlias = Heading | Text | Facts | Picture | Sheet | Gallery | Note | PageBreak | Contents


@dataclass(frozen=True)
class Look:
    """What an office changes of how its documents look.

    Attributes
    ----------
    accent : str
        Colour of headings, ``#rrggbb``.
    logo : bytes
        PNG for the cover; empty for none.
    docx : bytes
        A Word file whose styles, headers and footers are taken; empty for our own.
    """

    accent: str = "#1f5f8b"
    logo: bytes = b""
    docx: bytes = b""


@dataclass(frozen=True)
class Document:
    """A document with its head and its parts in order.

    A `cover` is a page of its own with a picture and facts; without one the title stands on top of
    the first page.
    """

    title: str
    subtitle: str
    blocks: tuple[Block, ...]
    footer: str = ""
    author: str = ""
    landscape: bool = False
    cover: tuple[Block, ...] = ()
    look: Look = field(default_factory=Look)
    language: str = "en"


def shown(cell: Cell, column: Column) -> str:
    """Return a cell as text, as readers of paper see it."""
    if cell is None or cell == "":
        return UNKNOWN
    if isinstance(cell, Mark):
        return cell.text
    if isinstance(cell, Number):
        return format_number(cell.value, cell.digits)
    if isinstance(cell, str) or column.digits is None:
        return str(cell)
    return format_number(float(cell), column.digits)


def on_paper(sheet: Sheet) -> Sheet:
    """Return a table as long as it is on paper, its caption saying how much is left out."""
    if not sheet.cut:
        return sheet
    rest = tr("{n} more rows are in the workbook.", n=sheet.cut)
    caption = f"{sheet.caption} {rest}" if sheet.caption else rest
    return replace(sheet, rows=sheet.rows[: sheet.most], caption=caption)
