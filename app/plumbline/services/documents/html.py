"""Documents as one HTML file: pictures inside it, so that it can be sent alone; prints well."""

from __future__ import annotations

import base64
from html import escape
from itertools import count

from plumbline.services.documents.content import (
    Block,
    Contents,
    Document,
    Facts,
    Gallery,
    Heading,
    Mark,
    Note,
    Number,
    PageBreak,
    Picture,
    Sheet,
    Text,
    on_paper,
    shown,
)

_STYLE = """
:root { color-scheme: light; --ink: #1c2733; --muted: #5b6875; --line: #d9dfe7; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.6 "Microsoft YaHei", "Noto Sans CJK SC", "Droid Sans Fallback",
  system-ui, sans-serif; color: var(--ink); background: #f4f6f9; }
main { max-width: 1120px; margin: 0 auto; background: #fff; padding: 48px 56px 64px; }
h1 { font-size: 32px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 21px; margin: 48px 0 12px; padding-bottom: 6px; color: var(--accent);
  border-bottom: 1px solid var(--line); }
h3 { font-size: 16px; margin: 26px 0 4px; }
p { margin: 8px 0; } .lead, small, figcaption { color: var(--muted); }
small, figcaption { font-size: 13px; display: block; }
figure { margin: 14px 0; } figure img { max-width: 100%; display: block; border-radius: 6px; }
.gallery { display: grid; gap: 18px; } .gallery figure { margin: 0; }
.gallery img { width: 100%; }
.logo { max-height: 64px; margin-bottom: 32px; }
.cover { border-bottom: 1px solid var(--line); padding-bottom: 28px; }
.wide { overflow-x: auto; margin: 10px 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: 14px; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--muted); font-weight: 600; font-size: 13px; vertical-align: bottom; }
tfoot td { font-weight: 600; background: #f2f5f8; }
.number { text-align: right; white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(120px, 26%) 1fr; margin: 10px 0; }
dt, dd { margin: 0; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); }
dt { color: var(--muted); } dd { overflow-wrap: anywhere; }
.good { color: #1b7a43; } .bad { color: #b3261e; } .open { color: #8a5a00; }
.note { border-left: 4px solid currentColor; background: #f6f8fa; padding: 10px 16px; }
.note p { color: var(--ink); margin: 0; }
nav a { display: block; color: inherit; text-decoration: none; padding: 3px 0; }
footer { margin-top: 48px; color: var(--muted); font-size: 13px; }
@media print { body { background: #fff; } main { padding: 0; max-width: none; }
  figure, tr, .note { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .break { break-before: page; } }
"""


def html_bytes(document: Document) -> bytes:
    """Return a document as HTML in UTF-8."""
    headings = [b.text for b in document.blocks if isinstance(b, Heading) and b.level == 1]
    numbers = count(1)
    body = "".join(_block(block, headings, numbers) for block in document.blocks)
    logo = f'<img class="logo" alt="" src="{_data(document.look.logo)}">' * bool(document.look.logo)
    cover = "".join(_block(block, headings, numbers) for block in document.cover)
    text = (
        f'<!doctype html><html lang="{document.language.replace("_", "-")}"><head>'
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(document.title)}</title>"
        f"<style>:root {{ --accent: {escape(document.look.accent)}; }}{_STYLE}</style></head>"
        f'<body><main><div class="cover">{logo}<h1>{escape(document.title)}</h1>'
        f'<p class="lead">{escape(document.subtitle)}</p>{cover}</div>{body}'
        f"<footer>{escape(document.footer)}</footer></main></body></html>\n"
    )
    return text.encode("utf-8")


def _block(block: Block, headings: list[str], numbers: count[int]) -> str:
    if isinstance(block, Heading):
        if block.level > 1:
            return f"<h3>{escape(block.text)}</h3>"
        return f'<h2 id="s{next(numbers)}">{escape(block.text)}</h2>'
    if isinstance(block, Text):
        tag = "small" if block.small else "p"
        return f"<{tag}>{escape(block.text)}</{tag}>"
    if isinstance(block, Note):
        return f'<div class="note {block.tone}"><p>{escape(block.text)}</p></div>'
    if isinstance(block, Facts):
        rows = "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in block.rows)
        return f"<dl>{rows}</dl>"
    if isinstance(block, Picture):
        return _picture(block)
    if isinstance(block, Gallery):
        columns = f"grid-template-columns: repeat({block.columns}, 1fr)"
        return (
            f'<div class="gallery" style="{columns}">{"".join(map(_picture, block.pictures))}</div>'
        )
    if isinstance(block, Contents):
        links = "".join(f'<a href="#s{n}">{escape(t)}</a>' for n, t in enumerate(headings, 1))
        return f"<h3>{escape(block.title)}</h3><nav>{links}</nav>"
    if isinstance(block, PageBreak):
        return '<div class="break"></div>'
    return _sheet(on_paper(block))


def _picture(picture: Picture) -> str:
    width = f"width: {100 * picture.width:.0f}%"
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    alt = escape(picture.caption, quote=True)
    return f'<figure><img style="{width}" src="{_data(picture.png)}" alt="{alt}">{caption}</figure>'


def _data(png: bytes) -> str:
    kind = "png" if png.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(png).decode('ascii')}"


def _sheet(sheet: Sheet) -> str:
    kinds = ['class="number"' if column.digits is not None else "" for column in sheet.columns]
    head = "".join(
        f"<th {kind}>{escape(column.title)}</th>"
        for column, kind in zip(sheet.columns, kinds, strict=True)
    )
    body = "".join(_row(row, sheet, kinds) for row in sheet.rows)
    foot = f"<tfoot>{_row(sheet.totals, sheet, kinds)}</tfoot>" if sheet.totals else ""
    caption = f"<small>{escape(sheet.caption)}</small>" if sheet.caption else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>"
    return f'<div class="wide">{table}</div>{caption}'


def _row(row: tuple[object, ...], sheet: Sheet, kinds: list[str]) -> str:
    cells = []
    for cell, column, kind in zip(row, sheet.columns, kinds, strict=True):
        assert cell is None or isinstance(cell, int | float | str | Mark | Number)
        text = escape(shown(cell, column))
        if isinstance(cell, Mark):
            text = f'<span class="{cell.tone}">{text}</span>'
        cells.append(f"<td {kind}>{text}</td>")
    return f"<tr>{''.join(cells)}</tr>"
