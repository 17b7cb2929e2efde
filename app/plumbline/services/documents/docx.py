"""Documents as DOCX: styles that an office can change, tables whose head is repeated."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from plumbline.services.documents.content import (
    Block,
    Document,
    Facts,
    Heading,
    Picture,
    Sheet,
    Text,
    shown,
)

#: Fonts that word processors have; the second one for Chinese.
LATIN, HAN = "Arial", "Microsoft YaHei"
#: A fixed date: the same document gives the same file.
DATE = datetime(2000, 1, 1, tzinfo=UTC)


def docx_bytes(document: Document) -> bytes:
    """Return a document as DOCX."""
    import docx
    from docx.enum.section import WD_ORIENT
    from docx.shared import Mm

    file = docx.Document()
    section = file.sections[0]
    sides = (Mm(297), Mm(210)) if document.landscape else (Mm(210), Mm(297))
    section.page_width, section.page_height = sides
    section.orientation = WD_ORIENT.LANDSCAPE if document.landscape else WD_ORIENT.PORTRAIT
    section.left_margin = section.right_margin = Mm(16)
    section.top_margin = section.bottom_margin = Mm(16)
    width = section.page_width - section.left_margin - section.right_margin
    _fonts(file)
    properties = file.core_properties
    properties.title, properties.author = document.title, document.author
    properties.created = properties.modified = DATE
    file.add_heading(document.title, level=0)
    file.add_paragraph(document.subtitle)
    for block in document.blocks:
        _add(file, block, int(width))
    section.footer.paragraphs[0].text = document.footer
    stream = io.BytesIO()
    file.save(stream)
    return stream.getvalue()


def _fonts(file: Any) -> None:
    """Let every style show Chinese in a Chinese font."""
    from docx.oxml.ns import qn
    from docx.shared import Pt

    for name in ("Normal", "Title", "Heading 1", "Heading 2", "Footer"):
        style = file.styles[name]
        style.font.name = LATIN
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for place in ("w:eastAsia", "w:ascii", "w:hAnsi"):
            fonts.set(qn(place), HAN if place == "w:eastAsia" else LATIN)
        for theme in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
            fonts.attrib.pop(qn(theme), None)
    file.styles["Normal"].font.size = Pt(9.5)


def _add(file: Any, block: Block, width: int) -> None:
    if isinstance(block, Heading):
        file.add_heading(block.text, level=block.level)
    elif isinstance(block, Text):
        _write(file.add_paragraph(), block.text, 7.5 if block.small else 9.5)
    elif isinstance(block, Facts):
        _facts(file, block, width)
    elif isinstance(block, Picture):
        file.add_picture(io.BytesIO(block.png), width=int(width * block.width))
        if block.caption:
            _write(file.add_paragraph(), block.caption, 7.5)
    else:
        _sheet(file, block, width)


def _write(paragraph: Any, text: str, size: float, right: bool = False) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    run = paragraph.add_run(text)
    run.font.size = Pt(size)
    paragraph.paragraph_format.space_after = Pt(2)
    if right:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def _facts(file: Any, facts: Facts, width: int) -> None:
    table = file.add_table(rows=0, cols=2)
    table.autofit = False
    for name, text in facts.rows:
        cells = table.add_row().cells
        for cell, content, share in zip(cells, (name, text), (0.26, 0.74), strict=True):
            cell.width = int(width * share)
            _write(cell.paragraphs[0], content, 9)


def _sheet(file: Any, sheet: Sheet, width: int) -> None:
    """Add a table; its first row is repeated on every page."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    rows = [*sheet.rows, *((sheet.totals,) if sheet.totals else ())]
    table = file.add_table(rows=1 + len(rows), cols=len(sheet.columns))
    table.style = "Light Grid Accent 1"
    table.autofit = False
    weight = sum(column.weight for column in sheet.columns)
    # `table.cell` looks a cell up anew each time, which takes minutes for long tables.
    lines = [row.cells for row in table.rows]
    for k, column in enumerate(sheet.columns):
        texts = [column.title, *(shown(row[k], column) for row in rows)]
        for line, text in zip(lines, texts, strict=True):
            line[k].width = int(width * column.weight / weight)
            _write(line[k].paragraphs[0], text, 6.5, right=column.digits is not None)
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(mark)
    if sheet.caption:
        _write(file.add_paragraph(), sheet.caption, 7.5)
