"""Documents as PDF, A4, with embedded fonts: page numbers, tables whose head is repeated."""

from __future__ import annotations

import io
from functools import cache, partial
from typing import Any

from plumbline.analysis.paper import paper_font, paper_markup
from plumbline.core.i18n import tr
from plumbline.services.documents.content import (
    Block,
    Cell,
    Column,
    Contents,
    Document,
    Facts,
    Gallery,
    Heading,
    Look,
    Mark,
    Note,
    PageBreak,
    Picture,
    Sheet,
    Text,
    on_paper,
    shown,
)

INK, MUTED, LINE, SHADE = "#1c2733", "#5b6875", "#cfd6dd", "#f2f5f8"
#: By the tone of a mark or a box.
TONES = {"good": "#1b7a43", "bad": "#b3261e", "open": "#8a5a00", "plain": INK}
#: Margins of the page, millimetres: left and right, top, bottom.
SIDE, TOP, BOTTOM = 16, 16, 18
#: A picture is no higher than this share of the page.
TALLEST = 0.78


def pdf_bytes(document: Document) -> bytes:
    """Return a document as PDF.

    Raises
    ------
    RefusedError
        If this machine has no font that can be embedded.
    """
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Frame, PageTemplate

    size = landscape(A4) if document.landscape else A4
    width, height = size[0] - 2 * SIDE * mm, size[1] - (TOP + BOTTOM) * mm
    stream = io.BytesIO()
    file = _template()(
        stream,
        pagesize=size,
        title=document.title,
        author=document.author,
        creator="Plumbline",
        invariant=True,
    )
    frame = Frame(SIDE * mm, BOTTOM * mm, width, height, 0, 0, 0, 0)
    paper = _Paper(width, height, document.look)

    def foot(canvas: Any, _: Any) -> None:
        if document.cover and canvas.getPageNumber() == 1:
            return
        text = tr("Page {n}", n=canvas.getPageNumber())
        line = paper.paragraph(f"{document.footer}　{text}" if document.footer else text, "small")
        line.wrap(width, 12 * mm)
        line.drawOn(canvas, SIDE * mm, 9 * mm)

    file.addPageTemplates(PageTemplate(frames=[frame], onPage=foot))
    # Several passes, since a list of contents knows its pages only in the second.
    file.multiBuild(
        paper.parts(document), canvasmaker=partial(Canvas, initialFontName=paper_font())
    )
    return stream.getvalue()


@cache
def _template() -> Any:
    """Return the class of documents that tells headings to contents and outline."""
    from reportlab.platypus.doctemplate import BaseDocTemplate

    class Template(BaseDocTemplate):  # type: ignore[misc]  # reportlab has no types
        def afterFlowable(self, flowable: Any) -> None:
            text = getattr(flowable, "heading", None)
            if text is not None:
                key = f"h{flowable.number}"
                self.canv.bookmarkPage(key)
                self.canv.addOutlineEntry(text, key, 0)
                self.notify("TOCEntry", (0, paper_markup(text), self.page, key))

    return Template


class _Paper:
    """Makes blocks into what reportlab lays out."""

    def __init__(self, width: float, height: float, look: Look) -> None:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle

        self._width, self._height, self._look = width, height, look
        self._color, self._headings = HexColor, 0
        base = ParagraphStyle(
            "text", fontName=paper_font(), fontSize=9.5, leading=14, textColor=HexColor(INK),
            wordWrap="CJK", spaceAfter=4,
        )  # fmt: skip

        def style(name: str, **changes: Any) -> Any:
            return ParagraphStyle(name, base, **changes)

        small = {"fontSize": 7.5, "leading": 10, "spaceAfter": 2}
        cell = {"fontSize": 7.2, "leading": 9, "spaceAfter": 0}
        self._styles = {
            "text": base,
            "small": style("small", textColor=HexColor(MUTED), **small),
            "title": style("title", fontSize=20, leading=27, spaceAfter=2),
            "cover": style("cover", fontSize=28, leading=37, spaceAfter=6),
            "contents": style("contents", fontSize=10, leading=17),
            "lead": style("lead", textColor=HexColor(MUTED), fontSize=10.5, leading=15),
            "h1": style(
                "h1", fontSize=14, leading=19, spaceBefore=12, textColor=HexColor(look.accent)
            ),
            "h2": style("h2", fontSize=11, leading=15, spaceBefore=6),
            "cell": style("cell", **cell),
            "number": style("number", alignment=2, **cell),
            "head": style("head", textColor=HexColor(MUTED), **cell),
            "head_number": style("head_number", textColor=HexColor(MUTED), alignment=2, **cell),
            "name": style("name", textColor=HexColor(MUTED), fontSize=9, leading=12, spaceAfter=0),
            "fact": style("fact", fontSize=9, leading=12, spaceAfter=0),
        }

    def paragraph(self, text: str, style: str) -> Any:
        from reportlab.platypus import Paragraph

        return Paragraph(paper_markup(text), self._styles[style])

    def parts(self, document: Document) -> list[Any]:
        """Return everything that stands in a document, in order."""
        from reportlab.platypus import KeepTogether

        if document.cover:
            parts = self._cover(document)
        else:
            parts = [
                self.paragraph(document.title, "title"),
                self.paragraph(document.subtitle, "lead"),
            ]
        before: Block | None = None
        for block in document.blocks:
            flow = self.flow(block)
            if isinstance(block, Picture | Gallery) and isinstance(before, Heading):
                # A heading stays with its picture, which moves as a whole.
                flow = [KeepTogether([parts.pop(), *flow[:2]]), *flow[2:]]
            parts += flow
            before = block
        return parts

    def _cover(self, document: Document) -> list[Any]:
        from reportlab.platypus import PageBreak, Spacer

        logo = [Picture(document.look.logo, width=0.22)] if document.look.logo else []
        parts = [flow for one in logo for flow in self._picture(one)]
        return [
            *parts,
            Spacer(0, 0.06 * self._height),
            self.paragraph(document.title, "cover"),
            self.paragraph(document.subtitle, "lead"),
            Spacer(0, 14),
            *(flow for block in document.cover for flow in self.flow(block)),
            PageBreak(),
        ]

    def flow(self, block: Block) -> list[Any]:
        """Return what stands on the page for a block."""
        from reportlab.platypus import CondPageBreak
        from reportlab.platypus import PageBreak as NewPage

        if isinstance(block, Heading):
            return [self._heading(block)]
        if isinstance(block, Text):
            return [self.paragraph(block.text, "small" if block.small else "text")]
        if isinstance(block, Facts):
            return self._facts(block)
        if isinstance(block, Picture):
            return self._picture(block)
        if isinstance(block, Gallery):
            return self._gallery(block)
        if isinstance(block, Note):
            return self._note(block)
        if isinstance(block, Contents):
            return self._contents(block)
        if isinstance(block, PageBreak):
            # Nothing on a page that has only begun.
            return [CondPageBreak(0.98 * self._height) if self._headings else NewPage()]
        return self._sheet(on_paper(block))

    def _heading(self, block: Heading) -> Any:
        heading = self.paragraph(block.text, f"h{block.level}")
        heading.keepWithNext = True
        if block.level == 1:
            self._headings += 1
            heading.heading, heading.number = block.text, self._headings
        return heading

    def _contents(self, block: Contents) -> list[Any]:
        from reportlab.platypus.tableofcontents import TableOfContents

        contents = TableOfContents(dotsMinLevel=0)
        contents.levelStyles = [self._styles["contents"]]
        return [self.paragraph(block.title, "h2"), contents]

    def _note(self, block: Note) -> list[Any]:
        from reportlab.platypus import Spacer, Table

        table = Table([[self.paragraph(block.text, "text")]], colWidths=[self._width])
        table.setStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), self._color(SHADE)),
                ("LINEBEFORE", (0, 0), (0, -1), 2.5, self._color(TONES[block.tone])),
                ("LEFTPADDING", (0, 0), (-1, -1), 10),
                ("TOPPADDING", (0, 0), (-1, -1), 5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
        return [table, Spacer(0, 6)]

    def _gallery(self, gallery: Gallery) -> list[Any]:
        from reportlab.platypus import Spacer, Table

        gap, columns = 8.0, gallery.columns
        width = (self._width - gap * (columns - 1)) / columns
        rows = []
        for first in range(0, len(gallery.pictures), columns):
            row = [self._image(one, width) for one in gallery.pictures[first : first + columns]]
            rows.append(row + [""] * (columns - len(row)))
        table = Table(rows, colWidths=[width + gap] * (columns - 1) + [width], hAlign="LEFT")
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-2, -1), gap),
                ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 0),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
            ]
        )
        return [table, Spacer(0, 4)]

    def _facts(self, facts: Facts) -> list[Any]:
        from reportlab.platypus import Spacer, Table

        rows = [[self.paragraph(a, "name"), self.paragraph(b, "fact")] for a, b in facts.rows]
        table = Table(rows, colWidths=[0.26 * self._width, 0.74 * self._width], hAlign="LEFT")
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ("LINEBELOW", (0, 0), (-1, -1), 0.3, self._color(LINE)),
            ]
        )
        return [table, Spacer(0, 6)]

    def _picture(self, picture: Picture) -> list[Any]:
        from reportlab.platypus import KeepTogether, Spacer

        image = self._image(picture, self._width * picture.width)
        return [KeepTogether(image), Spacer(0, 6)]

    def _image(self, picture: Picture, width: float) -> list[Any]:
        from PIL import Image as Images
        from reportlab.platypus import Image, Spacer

        with Images.open(io.BytesIO(picture.png)) as image:
            pixels = image.size
        scale = min(width / pixels[0], self._height * TALLEST / pixels[1])
        shown_ = Image(io.BytesIO(picture.png), pixels[0] * scale, pixels[1] * scale)
        shown_.hAlign = "LEFT"
        caption = [self.paragraph(picture.caption, "small")] if picture.caption else []
        return [shown_, Spacer(0, 3), *caption]

    def _cell(self, cell: Cell, column: Column, style: str) -> Any:
        from reportlab.platypus import Paragraph

        text = paper_markup(shown(cell, column))
        if isinstance(cell, Mark):
            text = f'<font color="{TONES[cell.tone]}">{text}</font>'
        return Paragraph(text, self._styles[style])

    def _sheet(self, sheet: Sheet) -> list[Any]:
        from reportlab.platypus import LongTable, Spacer

        numeric = [column.digits is not None for column in sheet.columns]
        head = [
            self.paragraph(column.title, "head_number" if number else "head")
            for column, number in zip(sheet.columns, numeric, strict=True)
        ]
        body = [
            [
                self._cell(cell, column, "number" if number else "cell")
                for cell, column, number in zip(row, sheet.columns, numeric, strict=True)
            ]
            for row in (*sheet.rows, *((sheet.totals,) if sheet.totals else ()))
        ]
        weight = sum(column.weight for column in sheet.columns)
        widths = [self._width * column.weight / weight for column in sheet.columns]
        lines = [head, *body]
        last = len(lines) - 1
        if sheet.caption:
            # Inside the table: alone on the next page it would say nothing.
            lines.append([self.paragraph(sheet.caption, "small"), *[""] * (len(head) - 1)])
        table = LongTable(lines, colWidths=widths, repeatRows=1, hAlign="LEFT")
        style: list[Any] = [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ("TOPPADDING", (0, 0), (-1, -1), 1.6),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
            ("BACKGROUND", (0, 0), (-1, 0), self._color(SHADE)),
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, self._color(INK)),
            ("LINEBELOW", (0, 1), (-1, last), 0.25, self._color(LINE)),
        ]
        # A text beside the right end of a number needs room.
        style += [
            ("LEFTPADDING", (k, 0), (k, last), 8)
            for k in range(1, len(numeric))
            if numeric[k - 1] and not numeric[k]
        ]
        if sheet.caption:
            style += [("SPAN", (0, -1), (-1, -1)), ("NOSPLIT", (0, last), (0, -1))]
        if sheet.totals:
            style += [
                ("LINEABOVE", (0, last), (-1, last), 0.8, self._color(INK)),
                ("BACKGROUND", (0, last), (-1, last), self._color(SHADE)),
            ]
        table.setStyle(style)
        return [table, Spacer(0, 9)]
