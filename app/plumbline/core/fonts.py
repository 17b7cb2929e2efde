"""Font files for pictures and figures: one with Chinese, one for everything else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from plumbline.core.resources import resource

_PLACES = {
    "win32": ["C:/Windows/Fonts/msyh.ttc", "C:/Windows/Fonts/simhei.ttf"],
    "darwin": ["/System/Library/Fonts/PingFang.ttc", "/System/Library/Fonts/STHeiti Medium.ttc"],
    "linux": [
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
        "/usr/share/fonts/truetype/droid/DroidSansFallback.ttf",
        "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    ],
}


@cache
def chinese_font() -> Path | None:
    """Return a font file with Chinese: ours, the system's, or what fontconfig names."""
    own = sorted(p for p in resource("fonts").glob("*") if p.suffix in (".ttf", ".otf", ".ttc"))
    places = [*own, *(Path(p) for p in _PLACES.get(sys.platform, _PLACES["linux"]))]
    for place in places:
        if place.is_file() and _draws_chinese(place):
            return place
    program = shutil.which("fc-match")
    if program is None:
        return None
    answer = subprocess.run(
        [program, "-f", "%{file}", ":lang=zh-cn"], capture_output=True, text=True, timeout=10
    ).stdout.strip()
    named = Path(answer)
    return named if answer and named.is_file() and _draws_chinese(named) else None


def latin_font() -> Path:
    """Return the font file for everything else; matplotlib brings it along."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def _draws_chinese(path: Path) -> bool:
    from PIL import ImageFont

    try:
        font = ImageFont.truetype(str(path), 20)
    except OSError:
        return False
    # A missing glyph is the same box for every character.
    return font.getmask("准").getbbox() is not None and bytes(font.getmask("准")) != bytes(
        font.getmask("绳")
    )
