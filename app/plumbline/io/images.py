"""Images of materials: what may be decoded, checked by their header alone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from plumbline.core.data import AnyArray
from plumbline.core.i18n import tr

#: Formats that are decoded; anything else Pillow knows has no business in a material.
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "TGA", "WEBP", "GIF")
MAX_SIDE = 32_768
MAX_PIXELS = 300_000_000


def image_problem(source: Path | bytes) -> str:
    """Return why an image cannot be used, an empty text when it can; reads its header only."""
    from PIL import Image, UnidentifiedImageError

    stream = source if isinstance(source, Path) else io.BytesIO(source)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(stream, formats=FORMATS) as image:
            width, height = image.size
    except UnidentifiedImageError:
        return tr("it is not an image")
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        return " ".join(str(error).split())[:120] or tr("it is not an image")
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        return tr("it is too large ({width} × {height} pixels)", width=width, height=height)
    return ""


def pixels(source: Path | bytes) -> AnyArray:
    """Return the channels ``(rows, columns, 4)`` of an image that `image_problem` has passed."""
    from PIL import Image

    stream = source if isinstance(source, Path) else io.BytesIO(source)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(stream, formats=FORMATS) as image:
            return np.asarray(image.convert("RGBA"))
    finally:
        Image.MAX_IMAGE_PIXELS = limit
