"""The colours of the canvas, taken from the theme of the window."""

from __future__ import annotations

from plumbline.render.theme import RenderTheme
from plumbline.ui_kit.theme import Theme


def render_theme(theme: Theme, measure: str = "") -> RenderTheme:
    """Return the renderer's colours for a theme of the window; `measure` is of measurements."""
    return RenderTheme(
        sky_top=theme.sky_top,
        sky_bottom=theme.sky_bottom,
        fog=theme.fog,
        text=theme.text,
        halo=theme.halo,
        accent=theme.link,
        measure=measure,
        selection=theme.selection_outline,
        edge=theme.edge,
        categorical=theme.categorical,
        tones={
            **{name: theme.token(name) for name in ("good", "warn", "bad", "muted")},
            **theme.analysis.model_dump(),
        },
    )
