"""Journey 5, the security desk: a route, what sees it, guards that watch it, the map on paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sightline_scenes import X, Y, bodies, box, terrain

from plumbline.api import Camera, Georeference

from .hand import Hand, live
from .test_journey_tools import spot, tool

GROUND = 10.0


@pytest.fixture
def place(hand: Hand, tmp_path: Path) -> Hand:
    """Return a hand before level ground with two houses, seen from above."""
    scene = hand.window.scene
    scene.set_georeference(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    scene.add(terrain(tmp_path, np.full((120, 120), GROUND), cell=2.0, corner=(X - 120, Y + 120)))
    at = (X, Y, GROUND)
    houses = {"near": box((-10, 0, 0), (10, 15, 20), at), "far": box((40, 30, 0), (60, 45, 9), at)}
    scene.add(bodies(houses, layer_id="houses"))
    hand.rest(60)
    return hand


def from_above(hand: Hand) -> None:
    hand.rest(60)
    camera = Camera((X, Y - 300.0, 330.0), (X, Y, GROUND))
    hand.window.canvas.go_to(camera, ease=False)
    hand.rest(60)


def test_what_sees_the_route_and_who_watches_it_goes_on_paper(place: Hand, tmp_path: Path) -> None:
    hand, tools = place, place.window.tools
    panel = tool(hand, "sightline")
    from_above(hand)
    ground = hand.window.canvas.interactor
    panel.choose("sightline.windows")
    panel.form.set_values({"facades": ("houses",), "range": 400.0, "spacing": 10.0})
    panel.form.edited("range")
    for x in (-60, 60):
        hand.click(ground, spot(hand, x, -40))
    route = panel.form.values()["route"]
    assert route[0][2] == pytest.approx(GROUND + 1.5, abs=0.05), "the height of those who walk"
    panel.picker.finish()
    hand.wait_until(lambda: panel.view.result is not None, 120)
    assert panel.view.result.values["facades"].value > 0
    printed: list[Path] = []
    tools.ask_print = lambda name: str(
        printed.append(tmp_path / f"{len(printed)}.pdf") or printed[-1]
    )
    panel.view.print_requested.emit()
    hand.wait_until(lambda: printed[-1].exists(), 60)

    panel.choose("sightline.coverage")
    for x in (-50, 0, 50):
        hand.click(ground, spot(hand, x, -55))
    panel.picker.finish()
    for x, y in ((-60, -45), (60, -45), (60, -30), (-60, -30)):
        hand.click(ground, spot(hand, x, y))
    panel.form.set_values({"count": 2})
    panel.picker.finish()
    hand.wait_until(lambda: panel.view.result is not None, 120)
    assert panel.view.result.values["covered_share"].value > 0.95
    panel.view.print_requested.emit()
    hand.wait_until(lambda: printed[-1].exists(), 60)
    assert [path.read_bytes()[:4] for path in printed] == [b"%PDF", b"%PDF"]
    live(20)
