"""Windows that change most between two schemes: from before to after, with the rule's threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plumbline.api import SunlightRule, draw_figure, figure_colors, tr

if TYPE_CHECKING:
    from plumbline_sunlight.analysis.compare import Pair

SHOWN = 28

#: Those that come first, and their colours.
_TELLING = {"newly failing": "hidden", "newly passing": "visible"}


def change_figure(
    found: Sequence[Pair], status: Sequence[str], rule: SunlightRule, before: str, after: str
) -> bytes:
    """Return a figure of the windows that change most, those that fail newly first."""
    both = [
        (pair, one)
        for pair, one in zip(found, status, strict=True)
        if _hours(pair.before) is not None and _hours(pair.after) is not None
    ]
    both.sort(key=lambda item: (item[1] not in _TELLING, -abs(_change(item[0])), _id(item[0])))
    shown = both[:SHOWN]

    def paint(figure: Any) -> None:
        _paint(figure, shown, rule, before, after)

    return draw_figure(paint, (8.0, 1.7 + 0.22 * max(1, len(shown))))


def _hours(window: Any) -> float | None:
    return None if window is None else window.hours


def _change(pair: Pair) -> float:
    return (_hours(pair.after) or 0.0) - (_hours(pair.before) or 0.0)


def _id(pair: Pair) -> str:
    return pair.either.opening.id


def _paint(
    figure: Any, shown: Sequence[tuple[Pair, str]], rule: SunlightRule, before: str, after: str
) -> None:
    from matplotlib.lines import Line2D

    colors = figure_colors()
    axes = figure.add_subplot()
    for n, (pair, status) in enumerate(shown):
        one, two = _hours(pair.before), _hours(pair.after)
        tone = colors[_TELLING.get(status, "muted")]
        axes.plot([one, two], [n, n], color=tone, linewidth=2.2 if status in _TELLING else 1.4)
        axes.plot([one], [n], "o", color="white", markeredgecolor=colors["text"], markersize=5)
        axes.plot([two], [n], "o", color=tone, markersize=6)
    axes.axvline(rule.hours, color=colors["text"], linestyle="--", linewidth=1.0)
    names = [pair.either.opening.name or _id(pair) for pair, _ in shown]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(tr("Hours of sun"))
    sides = [name or tr("present state") for name in (before, after)]
    title = tr("Windows that change most: {before} to {after}", before=sides[0], after=sides[1])
    axes.set_title(title, pad=22)
    above = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(rule.text, (0, 1), (0, 6), fontsize=7.5, **above)
    handles = [
        Line2D([], [], linestyle="none", marker="o", label=label, **look)
        for label, look in (
            (sides[0], {"color": "white", "markeredgecolor": colors["text"]}),
            (sides[1], {"color": colors["muted"]}),
            (tr("fails newly"), {"color": colors["hidden"]}),
            (tr("passes newly"), {"color": colors["visible"]}),
        )
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
