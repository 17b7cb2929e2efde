"""Pictures without a window: for the command line, reports and thumbnails.

Runs with no display: VTK falls back to EGL and then to OSMesa. A broken driver can end a process,
so OpenGL is tried in a child process first.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.core.crs import crs_label
from plumbline.core.errors import UserError
from plumbline.core.i18n import tr
from plumbline.core.scene import Camera, Scene
from plumbline.render.labels import text_image
from plumbline.render.streaming.scheduler import Settled
from plumbline.render.theme import LIGHT, SOFTWARE, RenderTheme, rgb

if TYPE_CHECKING:
    from plumbline.render.scene_view import SceneView

#: Drawn this much larger and averaged, so that edges are smooth.
SUPERSAMPLING = 2
#: Seconds that the trial of OpenGL may take.
PATIENCE = 60

_PROBE = """
import sys
from vtkmodules.vtkCommonCore import vtkLogger
vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
window = vtkRenderWindow()
window.SetOffScreenRendering(True)
window.SetSize(16, 16)
window.AddRenderer(vtkRenderer())
window.Render()
report = window.ReportCapabilities()
named = [line for line in report.splitlines() if line.startswith("OpenGL ") and "string" in line]
version = [line.split(":", 1)[1].strip() for line in named if "version string" in line]
renderer = [line.split(":", 1)[1].strip() for line in named if "renderer string" in line]
if not version or not window.SupportsOpenGL():
    sys.exit(1)
print(f"OpenGL {version[0]}, {renderer[0] if renderer else '?'}, {window.GetClassName()}")
"""


@cache
def probe_opengl() -> str:
    """Return what this machine draws with, e.g. ``OpenGL 4.5 ..., llvmpipe ...``.

    Raises
    ------
    UserError
        If nothing can be drawn here.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise _no_opengl(tr("the graphics driver did not answer")) from error
    lines = [line for line in child.stdout.splitlines() if line.startswith("OpenGL ")]
    if child.returncode != 0 or not lines:
        raise _no_opengl(child.stderr.strip()[-2000:] or f"exit code {child.returncode}")
    return lines[-1]


def _no_opengl(details: str) -> UserError:
    return UserError(
        tr("This machine offers no OpenGL 3.2, which Plumbline needs for drawing."),
        tr("Install a graphics driver, or Mesa (on Debian: libegl1 and libgl1-mesa-dri)."),
        details,
    )


@dataclass
class TileWish:
    """How fine trees of tiles are to be in a picture, and how fine they became.

    Attributes
    ----------
    error : float
        Metres that tiles may be wrong by, wherever they are; inf: what can be seen in the picture.
    timeout : float
        Seconds that the picture waits for that.
    settled : Settled
        Of the picture, once there is one.
    """

    error: float = math.inf
    timeout: float = 60.0
    settled: Settled = field(default_factory=lambda: Settled(True, 0.0))


def render_scene(
    scene: Scene,
    path: Path,
    size: tuple[int, int] = (1600, 1000),
    camera: Camera | None = None,
    theme: RenderTheme = LIGHT,
    *,
    caption: bool = True,
    sun: tuple[float, float] | None = None,
    tiles: TileWish | None = None,
) -> Path:
    """Write a picture of a scene (PNG or JPEG, by the ending of the path) and return its path.

    Parameters
    ----------
    camera : Camera, optional
        Project CRS; without one everything visible is framed from the south-east.
    caption : bool
        Draw the scale bar, the north arrow and the CRS into the picture.
    sun : (azimuth, elevation), optional
        Light it from the sun, with shadows: degrees clockwise from grid north, above the horizon.
    tiles : TileWish, optional
        How fine trees of tiles are to be; it learns how fine they became.

    Raises
    ------
    UserError
        If there is no OpenGL.
    """
    from PIL import Image

    picture = scene_picture(scene, size, camera, theme, caption=caption, sun=sun, tiles=tiles)
    Image.fromarray(picture).save(path)
    return path


def scene_picture(
    scene: Scene,
    size: tuple[int, int],
    camera: Camera | None = None,
    theme: RenderTheme = LIGHT,
    *,
    caption: bool = False,
    sun: tuple[float, float] | None = None,
    tiles: TileWish | None = None,
) -> NDArray[np.uint8]:
    """Return a picture of a scene ``(H, W, 3)``, first row on top; see `render_scene`."""
    with _off_screen(scene, size, theme) as view:
        if camera is not None:
            view.set_camera(camera)
        if sun is not None:
            view.set_sun(*sun)
        wish = tiles or TileWish()
        view.tiles.error, view.patience = wish.error, wish.timeout
        picture = _taken(view, scene, size, theme, caption)
        wish.settled = view.settled
        return picture


def scheme_pictures(
    scene: Scene,
    size: tuple[int, int],
    shots: Iterable[tuple[str, Camera]],
    theme: RenderTheme = LIGHT,
) -> Iterator[NDArray[np.uint8]]:
    """Draw schemes (empty for the present state) from cameras, with captions, one after the other.

    The scene is prepared once; it shows the last scheme afterwards. See `render_scene`.
    """
    with _off_screen(scene, size, theme) as view:
        for scheme, camera in shots:
            if scheme != (scene.active_scheme.id if scene.active_scheme else ""):
                scene.activate_scheme(scheme)
            view.set_camera(camera)
            yield _taken(view, scene, size, theme, True)


@contextmanager
def _off_screen(scene: Scene, size: tuple[int, int], theme: RenderTheme) -> Iterator[SceneView]:
    """Give a view of a scene that no window shows."""
    # Before Mesa starts: only without threads does llvmpipe draw ambient occlusion as it should.
    if "llvmpipe" in probe_opengl():
        os.environ.setdefault("LP_NUM_THREADS", "0")
    import pyvista

    from plumbline.render.scene_view import SceneView
    from plumbline.render.vtk_errors import raising

    large = (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING)
    with raising():
        plotter = pyvista.Plotter(off_screen=True, window_size=large)
        try:
            view = SceneView(
                plotter,
                scene,
                theme,
                request_render=lambda: None,
                budget=replace(SOFTWARE, anisotropy=4, occlusion=True),
                pixel_ratio=SUPERSAMPLING,
            )
            try:
                yield view
            finally:
                view.close()
        finally:
            plotter.close()


def _taken(
    view: SceneView, scene: Scene, size: tuple[int, int], theme: RenderTheme, caption: bool
) -> NDArray[np.uint8]:
    from PIL import Image

    image = Image.fromarray(view.screenshot())
    metres, pixels = view.scale_bar()
    north = view.north_angle()
    image = image.resize(size, Image.Resampling.BOX)
    if caption:
        _caption(image, scene, theme, (metres, pixels / SUPERSAMPLING), north)
    return np.asarray(image, dtype=np.uint8)


def _caption(
    image: object, scene: Scene, theme: RenderTheme, bar: tuple[float, float], north: float
) -> None:
    """Draw scale bar and CRS at the lower left, the north arrow at the upper right."""
    from PIL import Image, ImageDraw

    assert isinstance(image, Image.Image)
    draw = ImageDraw.Draw(image, "RGBA")
    width, height = image.size
    text, halo = theme.text, theme.halo
    metres, pixels = bar
    x, y = 24, height - 26
    for color, thick in ((halo, 5), (text, 2)):
        draw.line(
            [(x, y - 6), (x, y), (x + pixels, y), (x + pixels, y - 6)], fill=color, width=thick
        )
    length = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    _write(image, length, (x + pixels + 10, y - 14), theme)
    label = crs_label(scene.georeference.crs)
    _write(image, label, (x + pixels + 10 + 70, y - 14), theme)
    _north_arrow(image, (width - 44, 48), north, theme)


def _write(image: object, text: str, place: tuple[float, float], theme: RenderTheme) -> None:
    from PIL import Image

    assert isinstance(image, Image.Image)
    label = Image.fromarray(text_image(text, 13, theme.text, theme.halo))
    image.paste(label, (round(place[0]), round(place[1])), label)


def _north_arrow(
    image: object, center: tuple[float, float], degrees: float, theme: RenderTheme
) -> None:
    from PIL import Image, ImageDraw

    assert isinstance(image, Image.Image)
    factor = 4
    side = 64 * factor
    arrow = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(arrow)
    middle = side / 2
    tip, tail, wing = (middle, middle - 22 * factor), middle + 16 * factor, 10 * factor
    left = [tip, (middle - wing, tail), (middle, tail - 6 * factor)]
    right = [tip, (middle + wing, tail), (middle, tail - 6 * factor)]
    halo = tuple(round(c * 255) for c in rgb(theme.halo))
    draw.polygon([*left[:2], left[2], right[1]], outline=halo, fill=halo, width=3 * factor)
    draw.polygon(left, fill=theme.text)
    draw.polygon(right, fill=theme.halo, outline=theme.text, width=factor)
    arrow = arrow.rotate(-degrees, Image.Resampling.BICUBIC).resize((64, 64))
    corner = (round(center[0] - 32), round(center[1] - 32))
    image.paste(arrow, corner, arrow)
    letter = text_image("N", 12, theme.text, theme.halo)
    turn = np.radians(degrees)
    place = (center[0] + 32 * np.sin(turn), center[1] - 32 * np.cos(turn))
    _write(image, "N", (place[0] - letter.shape[1] / 2, place[1] - letter.shape[0] / 2), theme)
