"""Figures are PNG, the same bytes every time, and set Chinese."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.analysis.figures import without_figures
from plumbline.api import draw_figure, figure_colors
from plumbline.core.fonts import chinese_font


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(int)


def write(text: str) -> bytes:
    def paint(figure: Any) -> None:
        figure.text(0.5, 0.5, text, ha="center", fontsize=30)

    return draw_figure(paint, (3, 1), dpi=100)


def test_the_same_drawing_gives_the_same_bytes_and_size() -> None:
    png = write("sky 1.5 m²")
    assert png == write("sky 1.5 m²")
    picture = pixels(png)
    assert picture.shape == (100, 300)
    assert picture[0, 0] == 255, "light whatever the theme"
    assert picture.min() < 60


def test_chinese_and_latin_stand_in_one_line() -> None:
    if chinese_font() is None:
        pytest.skip("no Chinese font on this machine")
    one, other = pixels(write("准 sky")), pixels(write("绳 sky"))
    # A missing glyph is the same box for every character.
    assert (one != other).any()


def test_colours_mean_the_same_as_in_the_canvas() -> None:
    colors = figure_colors()
    assert colors["visible"] != colors["hidden"]
    assert len(colors["sequential"]) > 5


def test_what_follows_the_mouse_draws_no_figures() -> None:
    with without_figures():
        assert draw_figure(lambda figure: pytest.fail("drawn")) == b""
    assert draw_figure(lambda figure: None).startswith(b"\x89PNG")
