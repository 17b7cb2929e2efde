"""Labels in the picture: text with a halo, Chinese and Latin in one line.

Text is set by Pillow from font files, since VTK's built-in font has no Chinese and no halo.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.core.fonts import chinese_font, latin_font
from plumbline.render.theme import rgb

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont
    from vtkmodules.vtkRenderingCore import vtkTexturedActor2D

#: From here on characters are set in the Chinese font.
_FIRST_CHINESE = "\u2e80"


@lru_cache(maxsize=32)
def _font(path: Path, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(path), size)


def _runs(text: str, size: int) -> list[tuple[str, FreeTypeFont]]:
    """Split a line where the font changes."""
    latin, chinese = _font(latin_font(), size), chinese_font()
    runs: list[tuple[str, FreeTypeFont]] = []
    for letter in text:
        foreign = chinese is not None and letter >= _FIRST_CHINESE
        font = _font(chinese, size) if foreign and chinese is not None else latin
        if runs and runs[-1][1] is font:
            runs[-1] = (runs[-1][0] + letter, font)
        else:
            runs.append((letter, font))
    return runs


@lru_cache(maxsize=512)
def text_image(text: str, size: int, color: str, halo: str) -> NDArray[np.uint8]:
    """Return text as an image ``(H, W, 4)`` with a halo around the letters, first row on top."""
    from PIL import Image, ImageDraw

    lines = [_runs(line, size) for line in text.split("\n")]
    border = max(2, round(size / 6))
    width = max(round(sum(font.getlength(run) for run, font in line)) for line in lines)
    step = round(size * 1.3)
    image = Image.new("RGBA", (width + 2 * border + 2, step * len(lines) + 2 * border))
    ground = (*(round(c * 255) for c in rgb(halo)), 0)
    image.paste(ground, (0, 0, *image.size))
    draw = ImageDraw.Draw(image)
    for ring in (True, False):
        for n, line in enumerate(lines):
            x, baseline = float(border), border + n * step + round(size * 0.98)
            for run, font in line:
                draw.text(
                    (x, baseline),
                    run,
                    font=font,
                    anchor="ls",
                    fill=halo if ring else color,
                    stroke_width=border if ring else 0,
                    stroke_fill=halo,
                )
                x += font.getlength(run)
    return np.asarray(image, dtype=np.uint8)


def label_actor(
    image: NDArray[np.uint8], shift: tuple[float, float] = (0.0, 0.0)
) -> vtkTexturedActor2D:
    """Return an actor that shows an image centred on its position, moved by some pixels.

    The caller sets the position through ``GetPositionCoordinate``.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkFloatArray, vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkRenderingCore import vtkPolyDataMapper2D, vtkTexturedActor2D

    from plumbline.render.parts import texture

    height, width = image.shape[:2]
    x0, y0 = round(shift[0] - width / 2), round(shift[1] - height / 2)
    points = vtkPoints()
    for x, y in ((x0, y0), (x0 + width, y0), (x0 + width, y0 + height), (x0, y0 + height)):
        points.InsertNextPoint(x, y, 0)
    corners = numpy_to_vtk(np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float32), deep=True)
    assert isinstance(corners, vtkFloatArray)
    quad = vtkCellArray()
    quad.InsertNextCell(4, (0, 1, 2, 3))
    data = vtkPolyData()
    data.SetPoints(points)
    data.SetPolys(quad)
    data.GetPointData().SetTCoords(corners)
    mapper = vtkPolyDataMapper2D()
    mapper.SetInputData(data)
    actor = vtkTexturedActor2D()
    actor.SetMapper(mapper)
    picture = texture(image, repeat=False)
    picture.MipmapOff()
    actor.SetTexture(picture)
    return actor
