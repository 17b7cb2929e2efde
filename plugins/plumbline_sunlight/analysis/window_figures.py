"""The days of windows as bars: lit, dark, and who blocks; the narrowest margins first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumbline.api import Band, SunlightRule, draw_figure, figure_colors, tr
from plumbline_sunlight.analysis.judging import WindowSun
from plumbline_sunlight.analysis.window_tables import Clockwork, Shaders

#: Windows that a figure shows, and blockers that it names; the others are together.
SHOWN, NAMED = 24, 6


def day_figure(
    windows: Sequence[WindowSun],
    shaders: Shaders,
    clock: Clockwork,
    rule: SunlightRule,
    band: Band,
) -> bytes:
    """Return a figure of the windows with the least margin."""
    order = [n for n, w in enumerate(windows) if w.margin is not None]
    order.sort(key=lambda n: (windows[n].margin or 0.0, windows[n].opening.id))
    shown = order[:SHOWN]
    height = 1.6 + 0.24 * len(shown)

    def paint(figure: Any) -> None:
        _paint(figure, [(n, windows[n]) for n in shown], shaders, clock, rule, band)

    return draw_figure(paint, (9.0, height))


def _paint(
    figure: Any,
    shown: Sequence[tuple[int, WindowSun]],
    shaders: Shaders,
    clock: Clockwork,
    rule: SunlightRule,
    band: Band,
) -> None:
    from matplotlib.patches import Patch

    colors = figure_colors()
    axes = figure.add_subplot()
    minutes: dict[str, float] = {}
    for _, one in shown:
        for label, length in shaders.minutes(one):
            minutes[label] = minutes.get(label, 0.0) + length
    leading = sorted(minutes, key=lambda label: (-minutes[label], label))[:NAMED]
    # The second colour is too near to that of light.
    palette = [tone for n, tone in enumerate(colors["categorical"]) if n != 1]
    tones = dict(zip(leading, palette, strict=False))
    for row, (n, one) in enumerate(shown):
        for dark in one.dark:
            tone = tones.get(shaders.label(dark.owner), colors["shade"])
            left, right = clock.solar_hours(n, (dark.start, dark.end))
            axes.barh(row, right - left, 0.72, left, color=tone, linewidth=0)
        for (start, end), counted in zip(one.periods, one.counted.counted, strict=True):
            left, right = clock.solar_hours(n, (start, end))
            alpha = 1.0 if counted else 0.45
            axes.barh(row, right - left, 0.72, left, color=colors["lit"], alpha=alpha, linewidth=0)
        text = f"{one.hours:.2f} h  {_verdict(one.verdict)}"
        axes.annotate(text, (1.01, row), xycoords=("axes fraction", "data"), va="center")
    axes.set_yticks(range(len(shown)), [_label(one) for _, one in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.margins(x=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{int(value)}:{round(value % 1 * 60):02d}")
    axes.set_xlabel(tr("True solar time"))
    axes.grid(visible=False, axis="y")
    axes.set_title(tr("Windows with the least sun, {day}", day=band.day.isoformat()), pad=22)
    axes.annotate(
        rule.text,
        (0, 1),
        (0, 6),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7.5,
    )
    handles = [Patch(color=colors["lit"], label=tr("lit"))]
    handles += [Patch(color=tones[label], label=_said(label)) for label in leading]
    if len(minutes) > len(leading):
        handles.append(Patch(color=colors["shade"], label=tr("others")))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)


def _label(one: WindowSun) -> str:
    return one.opening.name or one.opening.id


def _said(label: str) -> str:
    return {"own wall": tr("own wall"), "low sun": tr("low sun")}.get(label, label)


def _verdict(verdict: str) -> str:
    return {
        "pass": tr("passes"),
        "fail": tr("fails"),
        "close": tr("too close to call"),
        "unknown": tr("unknown"),
    }[verdict]
