"""Documents as DOCX: styles that an office can change, tables whose head is repeated."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from plumbline.services.documents.content import (
    Block,
    Contents,
    Document,
    Facts,
    Gallery,
    Heading,
    Mark,
    Note,
    PageBreak,
    Picture,
    Sheet,
    Text,
    on_paper,
    shown,
)

#: Fonts that word processors have; the second one for Chinese.
LATIN, HAN = "Arial", "Microsoft YaHei"
#: A fixed date: the same document gives the same file.
DATE = datetime(2000, 1, 1, tzinfo=UTC)
#: Colours by the tone of a mark or a box.
TONES = {"good": "1B7A43", "bad": "B3261E", "open": "8A5A00", "plain": "1C2733"}
TABLE = "Light Grid Accent 1"


def docx_bytes(document: Document) -> bytes:
    """Return a document as DOCX."""
    import docx
    from docx.enum.section import WD_ORIENT
    from docx.shared import Mm

    own = document.look.docx
    file = docx.Document(io.BytesIO(own)) if own else docx.Document()
    section = file.sections[0]
    if own:
        _empty(file)
    else:
        sides = (Mm(297), Mm(210)) if document.landscape else (Mm(210), Mm(297))
        section.page_width, section.page_height = sides
        section.orientation = WD_ORIENT.LANDSCAPE if document.landscape else WD_ORIENT.PORTRAIT
        section.left_margin = section.right_margin = Mm(16)
        section.top_margin = section.bottom_margin = Mm(16)
        _fonts(file, document.look.accent)
    width = section.page_width - section.left_margin - section.right_margin
    properties = file.core_properties
    properties.title, properties.author = document.title, document.author
    properties.created = properties.modified = DATE
    if document.look.logo:
        file.add_picture(io.BytesIO(document.look.logo), width=int(0.22 * width))
    file.add_heading(document.title, level=0)
    file.add_paragraph(document.subtitle)
    for block in document.cover:
        _add(file, block, int(width))
    if document.cover:
        file.add_page_break()
    for block in document.blocks:
        _add(file, block, int(width))
    if not own:
        section.footer.paragraphs[0].text = document.footer
    stream = io.BytesIO()
    file.save(stream)
    return stream.getvalue()


def _empty(file: Any) -> None:
    """Take everything out of an office's file but its styles, headers, footers and pages."""
    from docx.oxml.ns import qn

    body = file.element.body
    for part in list(body):
        if part.tag != qn("w:sectPr"):
            body.remove(part)


def _fonts(file: Any, accent: str) -> None:
    """Let every style show Chinese in a Chinese font, and headings in the office's colour."""
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    for name in ("Normal", "Title", "Heading 1", "Heading 2", "Footer"):
        style = file.styles[name]
        style.font.name = LATIN
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for place in ("w:eastAsia", "w:ascii", "w:hAnsi"):
            fonts.set(qn(place), HAN if place == "w:eastAsia" else LATIN)
        if name.startswith("Heading"):
            style.font.color.rgb = RGBColor.from_string(accent.removeprefix("#").upper())
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
    elif isinstance(block, Note):
        _write(file.add_paragraph(), f"▌ {block.text}", 10, tone=block.tone)
    elif isinstance(block, Gallery):
        _gallery(file, block, width)
    elif isinstance(block, PageBreak):
        file.add_page_break()
    elif isinstance(block, Contents):
        _contents(file, block)
    elif isinstance(block, Picture):
        file.add_picture(io.BytesIO(block.png), width=int(width * block.width))
        if block.caption:
            _write(file.add_paragraph(), block.caption, 7.5)
    else:
        _sheet(file, on_paper(block), width)


def _contents(file: Any, contents: Contents) -> None:
    """Add a field that the word processor fills with headings and pages when it updates fields."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    file.add_heading(contents.title, level=2)
    paragraph = file.add_paragraph()
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), 'TOC \\o "1-1" \\h \\z')
    field.set(qn("w:dirty"), "true")
    paragraph._p.append(field)


def _gallery(file: Any, gallery: Gallery, width: int) -> None:
    table = file.add_table(rows=0, cols=gallery.columns)
    table.autofit = False
    share = int(width / gallery.columns)
    for first in range(0, len(gallery.pictures), gallery.columns):
        cells = table.add_row().cells
        own = gallery.pictures[first : first + gallery.columns]
        for cell, picture in zip(cells, own, strict=False):
            cell.width = share
            run = cell.paragraphs[0].add_run()
            run.add_picture(io.BytesIO(picture.png), width=int(0.94 * share))
            _write(cell.add_paragraph(), picture.caption, 7.5)


def _write(
    paragraph: Any, text: str, size: float, right: bool = False, tone: str = "plain"
) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt, RGBColor

    run = paragraph.add_run(text)
    if tone != "plain":
        run.font.color.rgb = RGBColor.from_string(TONES[tone])
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
    names = [style.name for style in file.styles]
    # An office's file has styles of its own; its tables look as its default table does.
    if TABLE in names:
        table.style = TABLE
    table.autofit = False
    weight = sum(column.weight for column in sheet.columns)
    # `table.cell` looks a cell up anew each time, which takes minutes for long tables.
    lines = [row.cells for row in table.rows]
    for k, column in enumerate(sheet.columns):
        cells = [column.title, *(row[k] for row in rows)]
        for line, cell in zip(lines, cells, strict=True):
            line[k].width = int(width * column.weight / weight)
            tone = cell.tone if isinstance(cell, Mark) else "plain"
            right = column.digits is not None
            _write(line[k].paragraphs[0], shown(cell, column), 6.5, right, tone)
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(mark)
    if sheet.caption:
        _write(file.add_paragraph(), sheet.caption, 7.5)
