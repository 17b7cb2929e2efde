"""Animations from pictures, read again with Pillow; whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from plumbline.core.errors import CancelledError, InputError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.services.films import write_film

COLOURS = [(200, 40, 40), (40, 200, 40), (40, 40, 200)]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for path, colour in zip(paths, COLOURS, strict=True):
        Image.new("RGB", (32, 20), colour).save(path)
    return paths


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_pictures_follow_each_other(pictures: list[Path], tmp_path: Path, kind: str) -> None:
    out = write_film(pictures, tmp_path / f"day.{kind}", 0.1)
    with Image.open(out) as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (3, (32, 20), 0)  # type: ignore[attr-defined]
        for n, colour in enumerate(COLOURS):
            film.seek(n)
            shown = film.convert("RGB").getpixel((5, 5))
            assert film.info["duration"] == 100
            assert isinstance(shown, tuple)
            assert max(abs(a - b) for a, b in zip(shown, colour, strict=True)) < 12


def test_numbered_pictures_get_a_folder(pictures: list[Path], tmp_path: Path) -> None:
    out = write_film(pictures, tmp_path / "day.png", 0.1)
    assert [path.name for path in sorted(out.iterdir())] == ["0001.png", "0002.png", "0003.png"]
    assert (out / "0002.png").read_bytes() == pictures[1].read_bytes()
    with pytest.raises(InputError, match="already"):
        write_film(pictures, tmp_path / "day.png", 0.1)


def test_nothing_is_half_written(pictures: list[Path], tmp_path: Path) -> None:
    feedback = Feedback()
    feedback.cancel()
    for name in ("day.gif", "day.webp", "day.png"):
        with pytest.raises(CancelledError):
            write_film(pictures, tmp_path / name, 0.1, feedback)
    with pytest.raises(InputError, match="cannot be written"):
        write_film(pictures, tmp_path / "missing" / "day.gif", 0.1)
    with pytest.raises(UsageError, match="no animation"):
        write_film(pictures, tmp_path / "day.mp4", 0.1)
    with pytest.raises(UsageError, match="no pictures"):
        write_film([], tmp_path / "day.gif", 0.1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png", "2.png"]
