"""A tool films the canvas: every picture has its own sun and caption, in all views of schemes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sightline_scenes import bodies, box

from plumbline.api import Camera, Georeference
from plumbline.core.scheme_edits import add_scheme
from plumbline.render.sun import Sun

from .hand import Hand

X, Y = 555_000.0, 3_990_000.0


@pytest.fixture
def ground(hand: Hand) -> Hand:
    """Show a level ground with a tower from above; a tool has the canvas."""
    window = hand.window
    window.scene.set_georeference(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    parts = {"ground": box((0, 0, -1), (240, 240, 0), (X, Y, 0.0))}
    parts["tower"] = box((105, 105, 0), (135, 135, 60), (X, Y, 0.0))
    window.scene.add(bodies(parts))
    hand.rest()
    eye = Camera((X + 120, Y + 120, 600.0), (X + 120, Y + 120, 0.0), (0, 1, 0), True, 150.0)
    window.canvas.go_to(eye, ease=False)
    window.canvas.tool_active = True
    hand.rest()
    return hand


SUNS = [(120.0, 20.0), (180.0, 50.0), (240.0, 20.0)]


def film(hand: Hand, path: Path) -> list[int]:
    """Film three suns; return the pictures that were shown."""
    tools, shown, ends = hand.window.tools, list[int](), list[int]()
    tools.ask_film = lambda _name: str(path)

    def show(n: int) -> str:
        shown.append(n)
        hand.window.canvas.tool.set_sun(*SUNS[n])
        return f"{9 + 3 * n}:00"

    running = tools.film("day", len(SUNS), 0.5, show, lambda: ends.append(1))
    assert running is not None
    hand.wait_until(lambda: running.finished)
    assert ends == [1]
    assert running.fraction == 1
    hand.wait_until(lambda: path.exists())
    hand.rest()
    return shown


def test_each_picture_has_its_sun(ground: Hand, tmp_path: Path) -> None:
    path = tmp_path / "day.gif"
    assert film(ground, path) == [0, 1, 2]
    assert [one.name for one in tmp_path.glob("day*")] == ["day.gif"]
    assert not list(tmp_path.glob(".*")), "the pictures are gone"
    with Image.open(path) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
        assert image.size[0] <= 1280
        pictures = []
        for n in range(3):
            image.seek(n)
            pictures.append(np.asarray(image.convert("L"), dtype=float))
    # The shadow lies to the west in the morning and to the east in the evening.
    height, width = pictures[0].shape
    half = slice(height // 3, 2 * height // 3)
    tilt = [
        p[half, width // 4 : width // 2].mean() - p[half, width // 2 : 3 * width // 4].mean()
        for p in pictures
    ]
    assert tilt[0] < tilt[1] < tilt[2]


def test_a_film_can_be_given_up(ground: Hand, tmp_path: Path) -> None:
    tools, ends = ground.window.tools, list[int]()
    tools.ask_film = lambda _name: str(tmp_path / "day.gif")
    running = tools.film("day", 500, 0.1, lambda n: str(n), lambda: ends.append(1))
    assert running is not None
    ground.wait_until(lambda: running.fraction > 0)
    running.cancel()
    assert running.finished
    assert ends == [1]
    ground.rest()
    assert not list(tmp_path.glob("*day*"))
    assert not list(tmp_path.glob(".pictures*"))
    tools.ask_film = lambda _name: ""
    assert tools.film("day", 5, 0.1, str, lambda: None) is None


def test_the_sun_is_in_the_views_of_both_schemes(ground: Hand) -> None:
    scene, canvas = ground.window.scene, ground.window.canvas
    first, second = (add_scheme(scene, name) for name in ("A", "B"))
    canvas.views.arrange([first, second], "beside")
    ground.rest()
    canvas.tool.set_sun(200.0, 40.0)
    ground.wait_until(lambda: all(view.sun == Sun(200.0, 40.0) for view in canvas.views))
    assert len(canvas.views) == 2
    canvas.tool.set_sun(None)
    ground.wait_until(lambda: all(view.sun is None for view in canvas.views))
