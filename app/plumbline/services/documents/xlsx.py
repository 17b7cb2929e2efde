"""Documents as XLSX: texts and pictures on the first sheet, every table on one of its own.

Numbers are numbers with all their digits and a format, so that an office can go on calculating;
a text that looks like a formula stays a text.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from plumbline.core.i18n import tr
from plumbline.services.documents.content import (
    Cell,
    Column,
    Document,
    Facts,
    Gallery,
    Heading,
    Mark,
    Note,
    Number,
    Picture,
    Sheet,
    Text,
)

#: A fixed date: the same document gives the same file.
DATE = datetime(2000, 1, 1)
#: Width of a picture on a sheet, pixels.
PIXELS = 900
#: Height of a row, pixels.
ROW = 20
HEAD, TOTAL = "DCE6F0", "F2F5F8"
TONES = {"good": "1B7A43", "bad": "B3261E", "open": "8A5A00", "plain": "1C2733"}


def xlsx_bytes(document: Document) -> bytes:
    """Return a document as XLSX."""
    import openpyxl

    book = openpyxl.Workbook()
    book.properties.title, book.properties.creator = document.title, document.author
    book.properties.created = book.properties.modified = DATE
    front = book.active
    assert front is not None
    front.title = _sheet_name(document.title, set())
    taken = {front.title}
    names: dict[int, str] = {}
    for block in document.blocks:
        if isinstance(block, Sheet):
            names[id(block)] = _sheet_name(block.name, taken)
            taken.add(names[id(block)])
            _table(book.create_sheet(names[id(block)]), block)
    _front(front, document, names)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _sheet_name(text: str, taken: set[str]) -> str:
    """Return a name that a workbook accepts: 31 characters, none of ``[]:*?/\\``."""
    base = re.sub(r"[\[\]:*?/\\]", " ", text).strip()[:28] or "1"
    names = (base if n == 1 else f"{base} {n}" for n in range(1, 100))
    return next(name for name in names if name not in taken)


def _front(sheet: Any, document: Document, names: dict[int, str]) -> None:
    """Write everything that is no table, from top to bottom."""
    from openpyxl.styles import Alignment, Font

    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 28, 110
    _text(sheet.cell(1, 1), document.title).font = Font(size=16, bold=True)
    _text(sheet.cell(2, 1), document.subtitle)
    row = 4
    for block in (*document.cover, *document.blocks):
        if isinstance(block, Heading):
            _text(sheet.cell(row, 1), block.text).font = Font(size=12, bold=True)
            row += 1
        elif isinstance(block, Text | Note):
            _text(sheet.cell(row, 1), block.text)
            row += 1
        elif isinstance(block, Sheet):
            _text(sheet.cell(row, 1), tr("See the sheet “{name}”.", name=names[id(block)]))
            row += 1
        elif isinstance(block, Gallery):
            for picture in block.pictures:
                row = _picture(sheet, picture, row)
        elif isinstance(block, Facts):
            for name, text in block.rows:
                _text(sheet.cell(row, 1), name)
                _text(sheet.cell(row, 2), text).alignment = Alignment(wrap_text=True)
                row += 1
            row += 1
        elif isinstance(block, Picture):
            row = _picture(sheet, block, row)
    if document.footer:
        _text(sheet.cell(row + 1, 1), document.footer)


def _picture(sheet: Any, picture: Picture, row: int) -> int:
    """Place a picture and return the row below it."""
    from openpyxl.drawing.image import Image

    image = Image(io.BytesIO(picture.png))
    scale = PIXELS * picture.width / image.width
    image.width, image.height = image.width * scale, image.height * scale
    sheet.add_image(image, f"A{row}")
    below = row + int(image.height // ROW) + 1
    _text(sheet.cell(below, 1), picture.caption)
    return below + 2


def _text(cell: Any, text: str) -> Any:
    """Write a text that is never taken for a formula; control characters are left out."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell.value = ILLEGAL_CHARACTERS_RE.sub("", text)
    cell.data_type = "s"
    return cell


def _table(sheet: Any, table: Sheet) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    for k, column in enumerate(table.columns, 1):
        head = _text(sheet.cell(1, k), column.title)
        head.font, head.fill = Font(bold=True), PatternFill("solid", fgColor=HEAD)
        head.alignment = Alignment(wrap_text=True, vertical="bottom")
        sheet.column_dimensions[get_column_letter(k)].width = max(9.0, 11 * column.weight)
    rows = [*table.rows, *((table.totals,) if table.totals else ())]
    for n, row in enumerate(rows, 2):
        for k, (value, column) in enumerate(zip(row, table.columns, strict=True), 1):
            _cell(sheet.cell(n, k), value, column)
    if table.totals:
        for k in range(1, len(table.columns) + 1):
            last = sheet.cell(len(rows) + 1, k)
            last.font, last.fill = Font(bold=True), PatternFill("solid", fgColor=TOTAL)
    sheet.freeze_panes = "B2"
    if table.rows:
        width = get_column_letter(len(table.columns))
        sheet.auto_filter.ref = f"A1:{width}{len(table.rows) + 1}"


def _cell(cell: Any, value: Cell, column: Column) -> None:
    from openpyxl.styles import Font

    if value is None:
        return
    if isinstance(value, Mark):
        _text(cell, value.text).font = Font(color=TONES[value.tone])
        return
    if isinstance(value, str):
        _text(cell, value)
        return
    if isinstance(value, Number):
        number, digits = value.value, value.digits
        _cell(cell, number, replace(column, digits=digits))
        return
    cell.value = value
    if column.digits is not None:
        digits = column.digits
        cell.number_format = "#,##0" + ("." + "0" * digits if digits else "")
