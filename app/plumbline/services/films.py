"""Animations from pictures: GIF and WebP that play anywhere, or numbered pictures for a cutter."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.api import Feedback, InputError, UsageError, tr

if TYPE_CHECKING:
    from PIL.Image import Image

#: Endings of files, and what they hold.
KINDS = (".gif", ".webp", ".png")


def write_film(
    pictures: Sequence[Path], path: Path, seconds: float, feedback: Feedback | None = None
) -> Path:
    """Write pictures of one size as an animation that starts again at its end.

    Parameters
    ----------
    pictures : sequence of path
        PNG files in their order.
    path : path
        ``.gif`` or ``.webp``; with ``.png`` the pictures themselves are put into a new folder of
        that name without its ending, as ``0001.png`` and so on.
    seconds : float
        For which each picture stands.

    Returns
    -------
    path
        The file or the folder; it is whole, or not there.

    Raises
    ------
    UsageError
        If the ending is another one, or there are no pictures.
    InputError
        If it cannot be written, or the folder is there already.
    CancelledError
        If someone cancelled through `feedback`.
    """
    feedback = feedback or Feedback()
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UsageError(
            tr("“{name}” is no animation that can be written.", name=path.name),
            tr("Choose one of: {kinds}.", kinds=", ".join(KINDS)),
        )
    if not pictures:
        raise UsageError(tr("There are no pictures to be played."))
    target = path.with_suffix("") if kind == ".png" else path
    if kind == ".png" and target.exists():
        raise InputError(
            tr("“{path}” is there already.", path=target),
            tr("Choose another name: pictures of two animations would be mixed."),
        )
    part = target.with_name(f".{target.name}.part")
    try:
        if kind == ".png":
            _copy(pictures, part, feedback)
        else:
            _join(pictures, part, kind[1:].upper(), seconds, feedback)
        part.replace(target)
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be written: {why}.", path=target, why=error.strerror or error),
            tr("Choose another folder, or make room on the disk."),
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
    return target


def _copy(pictures: Sequence[Path], folder: Path, feedback: Feedback) -> None:
    folder.mkdir()
    for n, picture in enumerate(pictures):
        feedback.step(n, len(pictures), tr("Writing the animation"))
        shutil.copyfile(picture, folder / f"{n + 1:04d}.png")


def _join(
    pictures: Sequence[Path], part: Path, kind: str, seconds: float, feedback: Feedback
) -> None:
    import PIL.Image

    def frames() -> Iterator[Image]:
        for n, picture in enumerate(pictures):
            feedback.step(n, len(pictures), tr("Writing the animation"))
            with PIL.Image.open(picture) as image:
                frame = image.convert("RGB")
            # The best 256 colours of each picture: a sky has more shades than a fixed palette.
            yield frame.quantize(256) if kind == "GIF" else frame

    rest = frames()
    start = next(rest)
    milliseconds = round(seconds * 1000)
    start.save(part, kind, save_all=True, append_images=rest, duration=milliseconds, loop=0)
