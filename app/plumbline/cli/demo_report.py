"""The page that ``demo`` writes without a window: pictures, layers and numbers in one HTML file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.core.i18n import tr, translator
from plumbline.core.units import default_digits, format_value

if TYPE_CHECKING:
    from plumbline.analysis.result import Result, Value
    from plumbline.core.scene import Scene

_STYLE = """
:root { color-scheme: light; --ink: #1b2430; --muted: #5b6675; --line: #d9dfe7; --accent: #1f5fbf; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.6 "Microsoft YaHei", "Noto Sans CJK SC", "Droid Sans Fallback",
  system-ui, sans-serif; color: var(--ink); background: #f4f6f9; }
main { max-width: 1120px; margin: 0 auto; background: #fff; padding: 48px 56px 64px; }
h1 { font-size: 32px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 44px 0 12px; padding-bottom: 6px;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 16px; margin: 24px 0 4px; }
.muted { color: var(--muted); } .warn { color: #9a5b00; }
figure { margin: 0; } figure img { width: 100%; display: block; border-radius: 6px; }
figcaption { color: var(--muted); font-size: 13px; padding: 6px 2px 0; }
.lead { margin: 28px 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 20px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 8px 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--muted); font-weight: 600; font-size: 13px; }
.number { text-align: right; white-space: nowrap; }
code { font-size: 13px; color: var(--muted); }
footer { margin-top: 48px; color: var(--muted); font-size: 13px; }
@media print { body { background: #fff; } main { padding: 0; }
  figure, table { break-inside: avoid; } }
"""


def write_report(
    path: Path,
    scene: Scene,
    pictures: Mapping[str, Path],
    results: Mapping[str, Result],
    failed: Mapping[str, str],
) -> Path:
    """Write the page and return its path; pictures are inside it, so that it can be sent alone."""
    parts = [
        _head(scene),
        _gallery(pictures),
        f"<h2>{escape(tr('Layers'))}</h2>{_layers(scene)}",
        f"<h2>{escape(tr('Analyses'))}</h2>{_analyses(results, failed)}",
        _foot(results),
    ]
    language = translator.language.replace("_", "-")
    title = escape(tr("The Plumbline demo district"))
    text = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _head(scene: Scene) -> str:
    from plumbline.core.crs import crs_label

    box = scene.bounds
    size = ""
    if box is not None:
        width, depth = box.xmax - box.xmin, box.ymax - box.ymin
        size = tr("{width:.0f} m by {depth:.0f} m", width=width, depth=depth)
    about = tr(
        "A made-up quarter by the sea near Qingdao, the same on every machine. Its true volumes, "
        "heights and areas are known by construction (truth.json), so every number can be checked."
    )
    crs = crs_label(scene.georeference.crs)
    return (
        f"<h1>{escape(tr('The Plumbline demo district'))}</h1>"
        f'<div class="muted">{escape(crs)} · {escape(size)}</div><p>{escape(about)}</p>'
    )


def _gallery(pictures: Mapping[str, Path]) -> str:
    if not pictures:
        return f'<p class="warn">{escape(tr("No pictures: VTK is not installed here."))}</p>'
    figures = [_figure(name, path) for name, path in pictures.items()]
    rest = "".join(figures[1:])
    return f'<div class="lead">{figures[0]}</div><div class="grid">{rest}</div>'


def _figure(name: str, path: Path) -> str:
    from PIL import Image

    # JPEG: a page with photographs as PNG is too large to be sent by mail.
    stream = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(stream, "JPEG", quality=88)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    caption = escape(name)
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _layers(scene: Scene) -> str:
    rows = []
    for layer in scene:
        counts = ", ".join(f"{count:,} {name}" for name, count in layer.counts.items())
        file = layer.source.path.name if layer.source is not None else ""
        rows.append((layer.name, layer.kind.value, counts, file))
    rows += [(entry.name, entry.kind.value, entry.problem, "") for entry in scene.absent]
    head = [tr("Layer"), tr("Kind"), tr("Content"), tr("File")]
    return _table(head, rows)


def _analyses(results: Mapping[str, Result], failed: Mapping[str, str]) -> str:
    from plumbline.analysis.registry import registry

    parts = []
    for name, result in results.items():
        analysis = registry.get(name)
        rows = [(value_name, _number(v), _spread(v)) for value_name, v in result.values.items()]
        parts.append(
            f"<h3>{escape(registry.title(name))} <code>{escape(name)}</code></h3>"
            f'<div class="muted">{escape(tr(analysis.description))}</div>'
            + _table([tr("Value"), tr("Number"), tr("Uncertainty")], rows, numbers=(1, 2))
            + _tables(result)
            + "".join(f'<p class="warn">{escape(text)}</p>' for text in result.warnings)
        )
    parts += [
        f'<h3><code>{escape(name)}</code></h3><p class="warn">{escape(why)}</p>'
        for name, why in failed.items()
    ]
    return "".join(parts)


def _tables(result: Result) -> str:
    """Return the first rows of each table; the whole table is in the result folder."""
    parts = []
    for name, table in result.tables.items():
        rows = [tuple(_cell(value) for value in row) for row in table.rows[:12]]
        more = len(table.rows) - len(rows)
        note = f'<p class="muted">{escape(tr("and {n} more rows", n=more))}</p>' if more else ""
        parts.append(f"<h3>{escape(name)}</h3>{_table(table.columns, rows)}{note}")
    return "".join(parts)


def _foot(results: Mapping[str, Result]) -> str:
    from plumbline.analysis.runner import engine_versions

    started = max((str(r.provenance.get("started", "")) for r in results.values()), default="")
    engine = ", ".join(f"{name} {version}" for name, version in engine_versions().items())
    return f"<footer>{escape(started)}<br>{escape(engine)}</footer>"


def _table(head: Any, rows: Any, numbers: tuple[int, ...] = ()) -> str:
    top = "".join(
        f'<th class="{"number" if n in numbers else ""}">{escape(str(cell))}</th>'
        for n, cell in enumerate(head)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{"number" if n in numbers else ""}">{escape(str(cell))}</td>'
            for n, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='wide'>{table}</div>"


def _number(value: Value) -> str:
    if isinstance(value.value, bool) or not isinstance(value.value, int | float):
        return "–" if value.value is None else str(value.value)
    digits = 0 if isinstance(value.value, int) else default_digits(value.unit)
    return format_value(value.value, value.unit, None, digits)


def _spread(value: Value) -> str:
    if value.uncertainty is None:
        return tr("unknown")
    return format_value(value.uncertainty, value.unit, None, default_digits(value.unit))


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
