"""The font of the window: one chain in which Chinese and Latin stand in one line as if set."""

from __future__ import annotations

import sys

from PySide6.QtGui import QFont, QFontDatabase, QFontMetrics, QRawFont
from PySide6.QtWidgets import QApplication

from plumbline.core.i18n import tr

#: Pixels of body text.
BODY = 13

# The first family draws Latin, the following ones what it lacks.
_CHAINS = {
    "win32": ["Segoe UI", "Microsoft YaHei UI", "Microsoft YaHei", "SimHei"],
    "darwin": [".AppleSystemUIFont", "PingFang SC", "Hiragino Sans GB"],
    "linux": [
        "Inter",
        "Noto Sans",
        "Source Han Sans SC",
        "Noto Sans CJK SC",
        "Noto Sans SC",
        "WenQuanYi Micro Hei",
        "Droid Sans Fallback",
        "DejaVu Sans",
    ],
}
_CHINESE = "准绳实景三维日照视廊亩"


def font_chain() -> list[str]:
    """Return the families of this system that exist, Latin first."""
    wanted = _CHAINS.get(sys.platform, _CHAINS["linux"])
    known = set(QFontDatabase.families())
    chain = [name for name in wanted if name in known or name.startswith(".")]
    # Droid Sans Fallback has no Latin of its own worth reading: a Latin family must precede it.
    latin = [name for name in chain if not _draws(name, _CHINESE)]
    chinese = [name for name in chain if name not in latin]
    return latin + chinese


def ui_font(pixels: int = BODY, *, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Return the font of the window at a size, with figures of one width."""
    font = QFont(QApplication.font())
    chain = font_chain()
    if chain:
        font.setFamilies(chain)
    font.setPixelSize(pixels)
    font.setWeight(weight)
    font.setFeature(QFont.Tag("tnum"), 1)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def setup_fonts(app: QApplication) -> list[str]:
    """Set the application's font and return what a user should know about it, translated."""
    app.setFont(ui_font())
    if has_chinese():
        return []
    return [
        tr(
            "No font on this computer draws Chinese characters. "
            "Install Noto Sans CJK SC or Droid Sans Fallback."
        )
    ]


def has_chinese() -> bool:
    """Return whether some installed font draws simplified Chinese."""
    if any(_draws(name, _CHINESE) for name in font_chain()):
        return True
    system = QFontDatabase.WritingSystem.SimplifiedChinese
    return any(_draws(name, _CHINESE) for name in QFontDatabase.families(system))


def _draws(family: str, text: str) -> bool:
    raw = QRawFont.fromFont(QFont(family))
    return raw.isValid() and all(raw.supportsCharacter(ord(char)) for char in text)


def text_width(text: str, pixels: int = BODY) -> int:
    """Return the width of a text in the window's font, in logical pixels."""
    return QFontMetrics(ui_font(pixels)).horizontalAdvance(text)
