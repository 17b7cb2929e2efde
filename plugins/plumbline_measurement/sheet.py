"""The measurement sheet: one page with picture, numbers, coordinates and where they come from."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from plumbline.api import (
    Georeference,
    Record,
    Value,
    crs_label,
    default_digits,
    format_value,
    paper_font,
    paper_markup,
    tr,
)

#: Points that the page lists; the others are in the exports.
MAX_POINTS = 14


def record_digest(record: Record) -> str:
    """Return the SHA-256 of what was asked and what came out, as canonical JSON.

    Name, visibility and label may change later without another measurement being made.
    """
    kept = asdict(record)
    for name in ("id", "name", "visible", "label"):
        kept.pop(name)
    text = json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sheet_pdf(
    record: Record,
    georeference: Georeference,
    picture: bytes | None = None,
    names: Mapping[str, str] | None = None,
) -> bytes:
    """Return the sheet as PDF, A4 upright, one page.

    Parameters
    ----------
    picture : bytes, optional
        PNG of the measurement in the scene.
    names : mapping, optional
        Words for the values, by their names.

    Raises
    ------
    RefusedError
        If this machine has no font that a PDF can embed.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import Frame, KeepInFrame, PageTemplate
    from reportlab.platypus.doctemplate import BaseDocTemplate

    stream = io.BytesIO()
    document = BaseDocTemplate(
        stream,
        pagesize=A4,
        title=record.name,
        author=record.operator,
        subject=tr("Measurement sheet"),
        creator="Plumbline",
        # The same record gives the same file.
        invariant=True,
    )
    width, height = A4[0] - 36 * mm, A4[1] - 30 * mm
    frame = Frame(18 * mm, 15 * mm, width, height, 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate(frames=[frame]))
    story = _Story(width, paper_font())
    story.head(record, georeference)
    if picture is not None:
        story.picture(picture)
    story.values(record, names or {})
    story.points(record)
    story.origin(record)
    document.build([KeepInFrame(width, height, story.parts, mode="shrink")])
    return stream.getvalue()


class _Story:
    """The parts of the page from top to bottom."""

    def __init__(self, width: float, font: str) -> None:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.enums import TA_LEFT, TA_RIGHT
        from reportlab.lib.styles import ParagraphStyle

        self.parts: list[Any] = []
        self._width, self._font = width, font
        self._ink, self._muted, self._line = map(HexColor, ("#1c2733", "#5b6875", "#cfd6dd"))
        self._text = ParagraphStyle(
            "text", fontName=font, fontSize=9, leading=12.5, textColor=self._ink, wordWrap="CJK"
        )
        self._small = ParagraphStyle(
            "small", self._text, fontSize=7.5, leading=10, textColor=self._muted
        )
        # By whether it is in the head, and whether it is a number.
        self._cell = {
            (head, right): ParagraphStyle(
                "cell",
                self._text,
                fontSize=8.5,
                leading=11,
                alignment=TA_RIGHT if right else TA_LEFT,
                textColor=self._muted if head else self._ink,
            )
            for head in (False, True)
            for right in (False, True)
        }
        self._title = ParagraphStyle("title", self._text, fontSize=18, leading=23)
        self._big = ParagraphStyle("big", self._text, fontSize=22, leading=28)

    def _add(self, text: str, style: Any) -> None:
        from reportlab.platypus import Paragraph

        self.parts.append(Paragraph(paper_markup(text), style))

    def _space(self, points: float) -> None:
        from reportlab.platypus import Spacer

        self.parts.append(Spacer(1, points))

    def _table(self, rows: list[list[str]], widths: list[float], head: bool) -> None:
        from reportlab.platypus import Paragraph, Table

        look: list[tuple[Any, ...]] = [
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, self._line),
            ("TOPPADDING", (0, 0), (-1, -1), 1.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2),
        ]
        cells = [
            [
                Paragraph(paper_markup(text), self._cell[head and n == 0, column > 0])
                for column, text in enumerate(row)
            ]
            for n, row in enumerate(rows)
        ]
        self.parts.append(Table(cells, [w * self._width for w in widths], style=look))

    def head(self, record: Record, georeference: Georeference) -> None:
        """Say what it is, of which project CRS, by whom and when."""
        self._add(tr("Measurement sheet"), self._small)
        self._add(record.name, self._title)
        crs = crs_label(georeference.crs) if georeference.crs is not None else tr("own plane")
        about = [record.request.get("analysis", ""), crs, record.created, record.operator]
        self._add(" · ".join(str(text) for text in about if text), self._small)
        self._space(8)

    def picture(self, png: bytes) -> None:
        """Show the scene across the page."""
        from reportlab.lib.utils import ImageReader
        from reportlab.platypus import Image

        wide, tall = ImageReader(io.BytesIO(png)).getSize()
        scale = min(self._width / wide, 300 / tall)
        self.parts.append(Image(io.BytesIO(png), wide * scale, tall * scale))
        self._space(8)

    def values(self, record: Record, names: Mapping[str, str]) -> None:
        """Show the number that matters large, and the others as a table."""
        values = {n: Value(**v) for n, v in record.values.items()}
        if record.label:
            self._add(record.label, self._big)
        rows = [[tr("Measured value"), ""]]
        for name, value in values.items():
            if isinstance(value.value, int | float):
                digits = default_digits(value.unit)
                text = format_value(float(value.value), value.unit, value.uncertainty, digits)
                rows.append([names.get(name, name), text])
        self._table(rows, [0.55, 0.45], head=True)
        if any(v.uncertainty is not None for v in values.values()):
            text = tr("± is the expanded uncertainty, coverage factor 2, about 95 %.")
            self._add(text, self._small)
        self._space(8)

    def points(self, record: Record) -> None:
        """List the coordinates and what each point was picked in."""
        picked = record.request.get("params", {}).get("picked") or ()
        rows = [[tr("Point"), "x", "y", "z", tr("Layer"), tr("Snap")]]
        for n, point in enumerate(record.points[:MAX_POINTS]):
            source = picked[n] if n < len(picked) else {}
            place = [f"{v:.4f}" for v in point]
            rows.append([str(n + 1), *place, source.get("layer", ""), source.get("snap", "")])
        self._table(rows, [0.08, 0.2, 0.2, 0.14, 0.22, 0.16], head=True)
        more = len(record.points) - MAX_POINTS
        if more > 0:
            self._add(tr("{n} more points are in the exports.", n=more), self._small)
        self._space(8)

    def origin(self, record: Record) -> None:
        """Say what the number rests on: inputs, program, digest of the record."""
        for source in record.provenance.get("inputs") or ():
            digest = source.get("sha256") or "–"
            self._add(f"{source.get('id')}: {source.get('path') or '–'}", self._small)
            self._add(f"SHA-256 {digest}", self._small)
        engine = record.provenance.get("engine") or {}
        self._add(f"Plumbline {engine.get('plumbline', '')}".strip(), self._small)
        self._add(f"{tr('Record')} SHA-256 {record_digest(record)}", self._small)
