"""The fonts of PDF documents, embedded in the file: one for Latin, one for Chinese.

Free Chinese fonts (Droid Sans Fallback) hold no Latin letters, so a line of both is set in two
fonts: `paper_markup` marks the runs.
"""

from __future__ import annotations

import re
from functools import cache
from xml.sax.saxutils import escape

from plumbline.core.errors import RefusedError
from plumbline.core.fonts import chinese_font, latin_font
from plumbline.core.i18n import tr

LATIN, HAN = "Paper", "PaperHan"
#: CJK symbols, kana, ideographs, compatibility forms, full-width forms, and beyond the BMP.
_HAN = re.compile(
    "[\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]+"
)


@cache
def paper_font() -> str:
    """Register the fonts of documents with reportlab and return the name of the Latin one.

    Raises
    ------
    RefusedError
        If no font can be embedded.
    """
    from reportlab.lib.fonts import addMapping
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    latin, han = latin_font(), chinese_font()
    for name, path in ((LATIN, latin), (HAN, han or latin)):
        try:
            pdfmetrics.registerFont(TTFont(name, str(path)))
        except TTFError as error:  # outlines that PDF writers cannot embed
            raise RefusedError(
                tr("The font “{name}” cannot be embedded in a PDF.", name=path.name),
                tr("Install another one with Chinese, e.g. Debian's fonts-droid-fallback."),
                str(error),
            ) from error
        for bold in (0, 1):
            for italic in (0, 1):
                addMapping(name, bold, italic, name)
    return LATIN


def paper_markup(text: str) -> str:
    """Return a plain text as reportlab's paragraph markup, Chinese runs in the Chinese font."""
    return _HAN.sub(lambda run: f'<font name="{HAN}">{run.group()}</font>', escape(text))
