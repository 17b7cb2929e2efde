"""Trees of tiles in the real window: they come by themselves while the window lives."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event

import numpy as np
from PySide6.QtCore import QPoint

from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Camera
from plumbline.core.tiles import Content, Tile
from plumbline.render.streaming.loader import Job
from plumbline.ui.tile_feed import PAUSE

from .hand import Hand

sys.path.insert(0, str(Path(__file__).parents[1] / "render"))
from tile_city import City

PLACE = (555_000.0, 3_990_000.0)


class LeakyCity(City):
    """One tile of it cannot be read."""

    def content(self, tile: Tile) -> Content | None:
        if tile.id == "3/4/4":
            raise OSError("the share is gone")
        return super().content(tile)


def test_tiles_come_follow_the_camera_and_are_picked(hand: Hand) -> None:
    window = hand.window
    window.session.new("EPSG:4549")
    source = LeakyCity(2, corner=PLACE)
    scene, canvas = window.session.scene, window.canvas
    scene.add(Layer("city", "city", LayerKind.TILES, source.data(), scene.georeference.crs))
    canvas.frame(ease=False)
    tiles = canvas.view.tiles
    hand.wait_until(lambda: tiles.complete and tiles.cost > 0)
    few = tiles.cost
    # Near by there are finer tiles; what lies elsewhere is not read for it.
    x, y = PLACE[0] + 420.0, PLACE[1] + 420.0
    canvas.go_to(Camera((x, y - 60.0, 120.0), (x, y, 20.0)), ease=False)
    hand.wait_until(lambda: tiles.complete and any(name.startswith("4/") for name in source.read))
    hand.wait_until(lambda: any("the share is gone" in n.message for n in notifications(hand)))
    assert tiles.cost > 0
    assert few > 0
    found = canvas.view.pick(*(side // 2 for side in canvas.view.size))
    assert found is not None
    assert found.entity.startswith("block ")
    middle = canvas.interactor.rect().center()
    hand.click(canvas.interactor, QPoint(middle.x(), middle.y()))
    hand.wait_until(lambda: bool(scene.selection))
    assert scene.selection[0].entity == found.entity
    picture = canvas.view.screenshot()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    scene.remove("city")
    assert tiles.cost == 0


def notifications(hand: Hand) -> list:  # type: ignore[type-arg]
    return hand.window.session.notifier.notifications


def test_what_was_read_waits_only_for_what_is_being_read(hand: Hand) -> None:
    feed, tiles = hand.window.canvas.tiles, hand.window.canvas.view.tiles
    gate = Event()
    assert not tiles.gathering
    tiles._loader.want([Job("slow", lambda: gate.wait(20))])
    assert tiles.gathering
    feed.wake()
    hand.wait_until(lambda: feed._timer.interval() == PAUSE)
    gate.set()
    # The loader wakes the feed by itself, and then nothing more can come.
    hand.wait_until(lambda: feed._timer.interval() == 0)
