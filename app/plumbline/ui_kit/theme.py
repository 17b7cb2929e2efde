"""The two themes: tokens read from `resources/themes`, one palette and one style sheet from them.

Nothing else in the application names a colour. A widget that paints itself asks `current_theme()`
in its paint event; everything else is styled by ``app.qss``, whose ``{token}`` fields are filled
from the theme and whose ``{icon:name:token}`` fields become recoloured icon files.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from psygnal import Signal
from pydantic import BaseModel, ConfigDict, StringConstraints
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from plumbline.core.resources import resource

#: Weight of headings. Elsewhere than on Windows and macOS many Chinese fonts have one weight only,
#: and are thickened from bold on, not from semi-bold.
STRONG = 600 if sys.platform in ("win32", "darwin") else 700

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-F]{6}$")]
Mode = Literal["light", "dark", "system"]


class AnalysisColors(BaseModel):
    """Colours that mean the same in every analysis, on screen and in print."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    visible: Color
    hidden: Color
    lit: Color
    shade: Color
    cut: Color
    fill: Color
    new: Color
    gone: Color
    changed: Color


class Theme(BaseModel):
    """Tokens of one theme; every colour is ``#RRGGBB``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    dark: bool
    # Surfaces from the bottom up, and lines between them.
    surface: Color
    raised: Color
    sunken: Color
    border: Color
    border_strong: Color
    # Text.
    text: Color
    muted: Color
    disabled: Color
    # The one accent: as a ground (`accent`) and as a text or line (`link`).
    accent: Color
    accent_hover: Color
    accent_pressed: Color
    accent_text: Color
    link: Color
    # States.
    hover: Color
    pressed: Color
    selected: Color
    selected_text: Color
    focus: Color
    # Meaning, as text and as a ground.
    good: Color
    warn: Color
    bad: Color
    info_soft: Color
    good_soft: Color
    warn_soft: Color
    bad_soft: Color
    bad_hover: Color
    bad_pressed: Color
    bad_text: Color
    # Small parts.
    scroll: Color
    scroll_hover: Color
    tooltip: Color
    tooltip_text: Color
    # The canvas.
    sky_top: Color
    sky_bottom: Color
    ground: Color
    halo: Color
    fog: Color
    selection_outline: Color
    edge: Color
    # Data.
    categorical: tuple[Color, ...]
    sequential: tuple[Color, ...]
    diverging: tuple[Color, ...]
    analysis: AnalysisColors

    def token(self, name: str) -> str:
        """Return one colour by the name of its token; an unknown name is a `KeyError`."""
        value = getattr(self, name, None)
        if name not in type(self).model_fields or not isinstance(value, str) or name == "name":
            raise KeyError(f"no colour token {name!r}")
        return value

    def color(self, name: str, alpha: float = 1.0) -> QColor:
        """Return one token as a `QColor` with an opacity of 0 to 1."""
        color = QColor(self.token(name))
        color.setAlphaF(alpha)
        return color


@cache
def load_theme(name: str) -> Theme:
    """Read and validate ``resources/themes/<name>.json``."""
    text = resource("themes", f"{name}.json").read_text(encoding="utf-8")
    return Theme.model_validate_json(text)


class _State:
    """What is shown now; the signal fires after palette and style sheet are in place."""

    changed = Signal(Theme)

    def __init__(self) -> None:
        self.mode: Mode = "light"
        self.theme = load_theme("light")
        self.following = False


_state = _State()

#: Emits the new `Theme` after it has been applied.
theme_changed = _state.changed


def current_theme() -> Theme:
    """Return the theme on the screen."""
    return _state.theme


def current_mode() -> Mode:
    """Return what the user chose: ``"light"``, ``"dark"`` or ``"system"``."""
    return _state.mode


def apply_theme(app: QApplication, mode: Mode = "system") -> Theme:
    """Give the whole application one theme, now and for every window opened later.

    Parameters
    ----------
    app : QApplication
        The running application.
    mode : {"light", "dark", "system"}
        ``"system"`` follows the desktop and keeps following it.
    """
    _state.mode = mode
    hints = app.styleHints()
    hints.setColorScheme(
        {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(
            mode, Qt.ColorScheme.Unknown
        )
    )
    if not _state.following:
        hints.colorSchemeChanged.connect(lambda _: _follow_system())
        _state.following = True
    dark = mode == "dark" or (mode == "system" and hints.colorScheme() == Qt.ColorScheme.Dark)
    theme = load_theme("dark" if dark else "light")
    _state.theme = theme
    app.setStyle("Fusion")
    app.setPalette(make_palette(theme))
    app.setStyleSheet(style_sheet(theme))
    _state.changed.emit(theme)
    return theme


def _follow_system() -> None:
    app = QApplication.instance()
    if _state.mode == "system" and isinstance(app, QApplication):
        scheme = app.styleHints().colorScheme()
        if (scheme == Qt.ColorScheme.Dark) != _state.theme.dark:
            apply_theme(app, "system")


def make_palette(theme: Theme) -> QPalette:
    """Return the palette, for what a style sheet does not reach (native parts, painters)."""
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    palette = QPalette()
    for target, token in {
        role.Window: "surface",
        role.WindowText: "text",
        role.Base: "raised",
        role.AlternateBase: "surface",
        role.Text: "text",
        role.PlaceholderText: "muted",
        role.Button: "raised",
        role.ButtonText: "text",
        role.BrightText: "bad",
        role.ToolTipBase: "tooltip",
        role.ToolTipText: "tooltip_text",
        role.Highlight: "selected",
        role.HighlightedText: "selected_text",
        role.Accent: "accent",
        role.Link: "link",
        role.LinkVisited: "link",
        role.Light: "raised",
        role.Midlight: "hover",
        role.Mid: "border_strong",
        role.Dark: "border_strong",
        role.Shadow: "edge",
    }.items():
        palette.setColor(target, theme.color(token))
    for target in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(group.Disabled, target, theme.color("disabled"))
    return palette


_ICON_FIELD = re.compile(r"\{icon:([a-z0-9-]+):([a-z_]+)\}")
_TOKEN_FIELD = re.compile(r"\{([a-z_]+)\}")


def style_sheet(theme: Theme) -> str:
    """Return ``app.qss`` with every field filled; an unknown token is a `KeyError`."""
    template = resource("themes", "app.qss").read_text(encoding="utf-8")

    def icon_url(match: re.Match[str]) -> str:
        path = recoloured_icon(match[1], theme.token(match[2]))
        return f'url("{path.as_posix()}")'

    filled = _ICON_FIELD.sub(icon_url, template).replace("{strong}", str(STRONG))
    return _TOKEN_FIELD.sub(lambda match: theme.token(match[1]), filled)


def cache_folder() -> Path:
    """Return a writable folder for generated files, below ``PLUMBLINE_HOME`` where it is set."""
    home = os.environ.get("PLUMBLINE_HOME")
    folder = Path(home) / "cache" if home else Path(platformdirs.user_cache_dir("plumbline", False))
    try:
        (folder / "icons").mkdir(parents=True, exist_ok=True)
    except OSError:
        # A read-only home must not keep the window from opening.
        folder = _temporary_folder()
        (folder / "icons").mkdir(parents=True, exist_ok=True)
    return folder


@cache
def _temporary_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="plumbline-"))


@cache
def icon_source(name: str) -> str:
    """Return the SVG text of one icon; an unknown name is a `KeyError`."""
    path = resource("icons", f"{name}.svg")
    if not path.is_file():
        raise KeyError(f"no icon {name!r}")
    return path.read_text(encoding="utf-8")


def recoloured_icon(name: str, color: str) -> Path:
    """Return a file with one icon drawn in one colour; style sheets and `QIcon` read only files.

    The name of the file follows its content, so a new version of an icon never meets an old file.
    """
    return _recoloured_icon(name, color, cache_folder())


@cache
def _recoloured_icon(name: str, color: str, folder: Path) -> Path:
    svg = icon_source(name).replace("currentColor", color).encode()
    digest = hashlib.sha256(svg).hexdigest()[:12]
    path = folder / "icons" / f"{name}-{digest}.svg"
    if not path.is_file() or path.read_bytes() != svg:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".svg", delete=False) as stream:
            stream.write(svg)
        Path(stream.name).replace(path)
    return path
