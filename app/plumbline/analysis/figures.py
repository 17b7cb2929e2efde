"""Figures of results: PNG bytes in one style for screen, paper and projector, without a display.

A figure is light whatever theme the window has, since it ends in a report. Colours are those of the
light theme, so that visible, lit or new look the same in a figure as in the canvas.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from plumbline.core.fonts import chinese_font
from plumbline.core.resources import resource

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Pixels per inch; a figure 8 inches wide fills a page of A4 sharply.
DPI = 150
#: matplotlib's settings and font cache belong to the process, and analyses run in threads.
_LOCK = threading.Lock()

_DRAWN = ContextVar("drawn", default=True)


@contextmanager
def without_figures() -> Iterator[None]:
    """Leave figures empty within: what follows the mouse shows none, and drawing takes longest."""
    token = _DRAWN.set(False)
    try:
        yield
    finally:
        _DRAWN.reset(token)


@cache
def figure_colors() -> dict[str, Any]:
    """Return the colours of figures by name.

    Those of the light theme: ``text``, ``muted``, ``border``, ``accent``, ...; the lists
    ``categorical``, ``sequential`` and ``diverging``; and by meaning ``visible``, ``hidden``,
    ``lit``, ``shade``, ``cut``, ``fill``, ``new``, ``gone``, ``changed``.
    """
    tokens = json.loads(resource("themes", "light.json").read_text(encoding="utf-8"))
    return {**tokens, **tokens["analysis"]}


def draw_figure(
    paint: Callable[[Figure], None], size: tuple[float, float] = (8.0, 4.5), dpi: int = DPI
) -> bytes:
    """Return a figure as PNG.

    Parameters
    ----------
    paint : function
        Gets an empty matplotlib figure with constrained layout and draws into it; texts may be
        Chinese and Latin in one line.
    size : (width, height)
        Inches.

    Returns
    -------
    bytes
        The same bytes for the same drawing: no time and no program name in them. None at all
        within `without_figures`.
    """
    if not _DRAWN.get():
        return b""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _LOCK, matplotlib.rc_context(_style()):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def _style() -> dict[str, Any]:
    """Return matplotlib's settings for all figures."""
    from matplotlib.rcsetup import cycler

    colors = figure_colors()
    return {
        "font.family": _families(),
        "font.size": 9.0,
        # One weight for all: free fonts with Chinese have no bold, and half a line would stand out.
        "axes.titlesize": 11.0,
        "axes.titlelocation": "left",
        "axes.titlepad": 10.0,
        "axes.labelcolor": colors["muted"],
        "axes.edgecolor": colors["border_strong"],
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=colors["categorical"]),
        "grid.color": colors["border"],
        "grid.linewidth": 0.6,
        "text.color": colors["text"],
        "xtick.color": colors["border_strong"],
        "ytick.color": colors["border_strong"],
        "xtick.labelcolor": colors["muted"],
        "ytick.labelcolor": colors["muted"],
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
    }


@cache
def _families() -> list[str]:
    """Return the families that letters are looked for in, Latin first."""
    from matplotlib.font_manager import FontProperties, fontManager

    chinese = chinese_font()
    if chinese is None:
        return ["DejaVu Sans"]
    fontManager.addfont(chinese)
    return ["DejaVu Sans", FontProperties(fname=chinese).get_name()]
