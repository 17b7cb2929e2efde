"""``open`` and ``render``: what needs a screen or a renderer is imported when they run."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.cli.common import (
    add_json,
    existing_project,
    is_project,
    scene_of_files,
    scene_of_project,
    source_path,
)
from plumbline.cli.main import Command
from plumbline.core.cloud_tree import tree_of
from plumbline.core.errors import InputError, UsageError, UserError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from plumbline.core.scene import Camera, Scene
    from plumbline.render.streaming.scheduler import Settled

#: Largest side of an image, pixels: what graphics memory surely holds.
_MAX_SIDE = 16_384


def add_open(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``open``."""
    parser.add_argument("paths", nargs="*", metavar="PROJECT|FILE")
    parser.set_defaults(function=open_window)


def open_window(command: Command) -> None:
    """Open the window and stay until it is closed."""
    paths = [source_path(path).absolute() for path in command.options.paths]
    for path in paths:
        if not path.exists():
            raise InputError(
                tr("There is no file “{path}”.", path=path), tr("Check the path and the disk.")
            )
    show(command, paths)


def show(command: Command, paths: list[Path], demo: Path | None = None) -> None:
    """Show the window with a project or files in it, or with the demo district of a folder.

    Raises
    ------
    UserError
        If there is no display, or Qt and VTK are not installed.
    """
    reason = why_no_window()
    if reason is not None:
        raise reason
    from plumbline.ui.app import main as window

    command.exit_code = window(paths, demo)


def why_no_window() -> UserError | None:
    """Return why no window can open here, None when one can."""
    lacking = [name for name in ("PySide6", "pyvistaqt", "vtkmodules") if find_spec(name) is None]
    if lacking:
        return UsageError(
            tr("The window needs {names}, not installed here.", names=", ".join(lacking)),
            tr("Install it: pip install “plumbline[gui]”, or run installer/bootstrap.py."),
        )
    display = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if sys.platform.startswith("linux") and not display:
        return UsageError(
            tr("There is no display to open a window on."),
            tr("Use “plumbline render” for pictures and “plumbline run” for analyses."),
        )
    return None


def add_render(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``render``."""
    parser.add_argument("paths", nargs="+", metavar="PROJECT|FILE")
    parser.add_argument("--out", required=True, metavar="IMAGE.png")
    parser.add_argument("--view", default="", metavar="NAME", help=tr("viewpoint or preset view"))
    parser.add_argument(
        "--size", default="1600x1000", type=image_size, metavar="WxH", help=tr("pixels")
    )
    parser.add_argument("--crs", help=tr("project CRS for files, and CRS of those that say none"))
    parser.add_argument(
        "--error",
        type=positive,
        metavar=tr("METRES"),
        help=tr("tiles may be wrong by this much; default: what can be seen in the picture"),
    )
    parser.add_argument(
        "--timeout",
        default=60.0,
        type=positive,
        metavar=tr("SECONDS"),
        help=tr("how long to wait for tiles (default 60)"),
    )
    add_json(parser)
    parser.set_defaults(function=render)


def positive(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(tr("“{text}” is no number above 0", text=text))
    return number


def image_size(text: str) -> tuple[int, int]:
    """Read ``1600x1000``."""
    match = re.fullmatch(r"(\d{1,5})[xX×](\d{1,5})", text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(16 <= side <= _MAX_SIDE for side in size):
        raise argparse.ArgumentTypeError(
            tr("“{text}” is no size such as 1600x1000, each side 16 to 16384", text=text)
        )
    return size


def render(command: Command) -> None:
    """Draw a project or files into an image."""
    options = command.options
    out = Path(options.out).expanduser().absolute()
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError(
            tr("“{name}” is no image that can be written.", name=out.name),
            tr("Name a .png or .jpg file with --out."),
        )
    scene, camera = _scene(command)
    wish = (options.error, options.timeout)
    path, tiles = draw(scene, out, options.size, options.view, camera, wish)
    answer: dict[str, object] = {"image": str(path), "size": list(options.size)}
    if any(tree_of(layer.data) is not None for layer in scene if scene.is_visible(layer.id)):
        answer["tiles"] = {"complete": tiles.complete, "error": tiles.error}
        _tell_tiles(scene, tiles, command)
    command.answer(answer, tr("Drew {path}", path=path))


def _tell_tiles(scene: Scene, tiles: Settled, command: Command) -> None:
    """Say what is missing from a picture of trees of tiles."""
    for layer in scene:
        tree = tree_of(layer.data)
        for note in tree.source.notes if tree is not None else ():
            if note not in layer.warnings:
                command.note(f"{layer.name}: {note}")
    if not tiles.complete:
        command.note(
            tr("The time was over before all tiles were read; the picture is coarser than asked.")
        )


def _scene(command: Command) -> tuple[Scene, Camera | None]:
    paths = [source_path(path) for path in command.options.paths]
    projects = [path for path in paths if is_project(path)]
    if projects and len(paths) > 1:
        raise UsageError(
            tr("A project is drawn alone."), tr("Name one project, or files without a project.")
        )
    if projects:
        return scene_of_project(existing_project(str(projects[0])), command, drawn_only=True)
    files = [("", path) for path in paths]
    return scene_of_files(files, command.options.crs, command, for_picture=True), None


def draw(
    scene: Scene,
    out: Path,
    size: tuple[int, int],
    view: str = "",
    camera: Camera | None = None,
    tiles: tuple[float | None, float] = (None, 60.0),
) -> tuple[Path, Settled]:
    """Draw a scene into an image file; return it and how far its trees of tiles were refined.

    Parameters
    ----------
    tiles : (error, timeout)
        Metres that tiles may be wrong by, None for what can be seen, and seconds to wait for it.

    Raises
    ------
    UserError
        If VTK is not installed or cannot draw here, or the view does not exist.
    """
    if find_spec("vtkmodules") is None or find_spec("pyvista") is None:
        raise UsageError(
            tr("Pictures need VTK, not installed here."),
            tr("Install it: pip install “plumbline[gui]”, or run installer/bootstrap.py."),
        )
    from plumbline.render.offscreen import TileWish, render_scene

    error, timeout = tiles
    wish = TileWish(math.inf if error is None else error, timeout)
    camera = view_camera(scene, view, size) if view else camera
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        render_scene(scene, out, size, camera, tiles=wish)
    except OSError as failure:
        raise InputError(
            tr("“{path}” cannot be written: {why}.", path=out, why=failure.strerror or failure),
            tr("Choose another folder, or make room on the disk."),
        ) from failure
    return out, wish.settled


def view_camera(scene: Scene, name: str, size: tuple[int, int]) -> Camera:
    """Return the camera of a viewpoint, or a standard side that frames what is visible.

    Raises
    ------
    UsageError
        If there is no such view; lists those that there are.
    """
    from typing import get_args

    from plumbline.core.data import Bounds
    from plumbline.core.scene import Camera
    from plumbline.render.camera import Direction, look

    for viewpoint in scene.viewpoints:
        if viewpoint.name == name:
            return viewpoint.camera
    box = Bounds.union(layer.bounds for layer in scene if scene.is_visible(layer.id))
    sides: tuple[Direction, ...] = get_args(Direction)
    for side in sides:
        if side == name and box is not None:
            return look(Camera((0, 0, 1), (0, 0, 0)), side, box, size[0] / size[1])
    known = [viewpoint.name for viewpoint in scene.viewpoints]
    raise UsageError(
        tr("There is no view “{name}”.", name=name),
        tr("The views are: {names}.", names=", ".join([*known, *sides])),
    )
