"""Documents as PDF, A4, with embedded fonts: page numbers, tables whose head is repeated."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

from plumbline.analysis.paper import paper_font, paper_markup
from plumbline.core.i18n import tr
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

INK, MUTED, LINE, SHADE, ACCENT = "#1c2733", "#5b6875", "#cfd6dd", "#f2f5f8", "#1f5f8b"
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
    from reportlab.platypus import Frame, KeepTogether, PageTemplate
    from reportlab.platypus.doctemplate import BaseDocTemplate

    size = landscape(A4) if document.landscape else A4
    width, height = size[0] - 2 * SIDE * mm, size[1] - (TOP + BOTTOM) * mm
    stream = io.BytesIO()
    file = BaseDocTemplate(
        stream,
        pagesize=size,
        title=document.title,
        author=document.author,
        creator="Plumbline",
        invariant=True,
    )
    frame = Frame(SIDE * mm, BOTTOM * mm, width, height, 0, 0, 0, 0)
    paper = _Paper(width, height)

    def foot(canvas: Any, _: Any) -> None:
        text = tr("Page {n}", n=canvas.getPageNumber())
        line = paper.paragraph(f"{document.footer}　{text}" if document.footer else text, "small")
        line.wrap(width, 12 * mm)
        line.drawOn(canvas, SIDE * mm, 9 * mm)

    file.addPageTemplates(PageTemplate(frames=[frame], onPage=foot))
    parts = [paper.paragraph(document.title, "title"), paper.paragraph(document.subtitle, "lead")]
    before: Block | None = None
    for block in document.blocks:
        flow = paper.flow(block)
        if isinstance(block, Picture) and isinstance(before, Heading):
            # A heading stays with its picture, which moves as a whole.
            flow = [KeepTogether([parts.pop(), *flow])]
        parts += flow
        before = block
    file.build(parts, canvasmaker=partial(Canvas, initialFontName=paper_font()))
    return stream.getvalue()


class _Paper:
    """Makes blocks into what reportlab lays out."""

    def __init__(self, width: float, height: float) -> None:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle

        self._width, self._height = width, height
        self._color = HexColor
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
            "lead": style("lead", textColor=HexColor(MUTED), fontSize=10.5, leading=15),
            "h1": style("h1", fontSize=14, leading=19, spaceBefore=12, textColor=HexColor(ACCENT)),
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

    def flow(self, block: Block) -> list[Any]:
        """Return what stands on the page for a block."""
        if isinstance(block, Heading):
            heading = self.paragraph(block.text, f"h{block.level}")
            heading.keepWithNext = True
            return [heading]
        if isinstance(block, Text):
            return [self.paragraph(block.text, "small" if block.small else "text")]
        if isinstance(block, Facts):
            return self._facts(block)
        if isinstance(block, Picture):
            return self._picture(block)
        return self._sheet(block)

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
        from PIL import Image as Images
        from reportlab.platypus import Image, Spacer

        with Images.open(io.BytesIO(picture.png)) as image:
            pixels = image.size
        scale = min(self._width * picture.width / pixels[0], self._height * TALLEST / pixels[1])
        shown_ = Image(io.BytesIO(picture.png), pixels[0] * scale, pixels[1] * scale)
        shown_.hAlign = "LEFT"
        caption = [self.paragraph(picture.caption, "small")] if picture.caption else []
        return [shown_, Spacer(0, 3), *caption, Spacer(0, 6)]

    def _sheet(self, sheet: Sheet) -> list[Any]:
        from reportlab.platypus import LongTable, Spacer

        numeric = [column.digits is not None for column in sheet.columns]
        head = [
            self.paragraph(column.title, "head_number" if number else "head")
            for column, number in zip(sheet.columns, numeric, strict=True)
        ]
        body = [
            [
                self.paragraph(shown(cell, column), "number" if number else "cell")
                for cell, column, number in zip(row, sheet.columns, numeric, strict=True)
            ]
            for row in (*sheet.rows, *((sheet.totals,) if sheet.totals else ()))
        ]
        weight = sum(column.weight for column in sheet.columns)
        widths = [self._width * column.weight / weight for column in sheet.columns]
        table = LongTable([head, *body], colWidths=widths, repeatRows=1, hAlign="LEFT")
        style: list[Any] = [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ("TOPPADDING", (0, 0), (-1, -1), 1.6),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
            ("BACKGROUND", (0, 0), (-1, 0), self._color(SHADE)),
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, self._color(INK)),
            ("LINEBELOW", (0, 1), (-1, -1), 0.25, self._color(LINE)),
        ]
        if sheet.totals:
            style += [
                ("LINEABOVE", (0, -1), (-1, -1), 0.8, self._color(INK)),
                ("BACKGROUND", (0, -1), (-1, -1), self._color(SHADE)),
            ]
        table.setStyle(style)
        caption = [self.paragraph(sheet.caption, "small")] if sheet.caption else []
        return [table, Spacer(0, 3), *caption, Spacer(0, 6)]
