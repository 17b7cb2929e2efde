"""Massing in the real window: placed, pulled by its top, pushed by its walls, drawn; real mouse."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from plumbline.api import Camera, Element, Layer, LayerKind, MeshData, Scheme
from plumbline_schemes.analysis.massing import Block, blocks_of
from plumbline_schemes.massing_panel import MassingPanel

from .hand import Hand

PLACE = np.array([555_000.0, 3_990_000.0, 0.0])
#: The ground lies here: no terrain, so that blocks stand on height 0.
SIDES = ((-100, -100), (100, -100), (100, 100), (-100, 100))
SITE = [[[float(PLACE[0] + x), float(PLACE[1] + y)] for x, y in SIDES]]


@pytest.fixture
def building(hand: Hand) -> tuple[Hand, MassingPanel]:
    """A level ground seen from the south, an empty scheme with a site, the tool open."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 200 + PLACE
    ground = MeshData(
        corners, np.array([[0, 1, 2], [0, 2, 3]]), elements=[Element("g", "Ground")],
        element_index=np.zeros(2, dtype=np.int32),
    )  # fmt: skip
    scene = hand.window.scene
    scene.add(Layer("ground", "Ground", LayerKind.MESH, ground))
    scene.set_schemes([Scheme("A", "A", site={"polygons": SITE})])
    scene.activate_scheme("A")
    hand.rest()
    x, y, _ = PLACE
    camera = Camera((x, y - 400, 260.0), (x, y, 35.0))
    hand.window.canvas.go_to(camera, ease=False)
    hand.window.open_tool("massing")
    hand.rest()
    panel = hand.window.tools.currentWidget()
    assert isinstance(panel, MassingPanel)
    return hand, panel


def spot(hand: Hand, x: float, y: float, z: float = 0.0) -> QPoint:
    return hand.window.canvas.place_of((PLACE[0] + x, PLACE[1] + y, z)).toPoint()


def only(hand: Hand) -> Block:
    scene = hand.window.scene
    (layer_id,) = scene.scheme("A").layers
    (block,) = blocks_of(scene[layer_id])
    return block


def grip(hand: Hand, panel: MassingPanel, number: int) -> QPoint:
    return hand.window.canvas.place_of(panel._grips[number].place).toPoint()


def test_a_tower_is_placed_raised_moved_and_widened(
    building: tuple[Hand, MassingPanel],
) -> None:
    hand, panel = building
    canvas, scene = hand.window.canvas, hand.window.scene
    hand.click(panel.modes["tower"])
    hand.move(canvas.interactor, spot(hand, 0, 0))
    assert canvas.view.tools.tags, "what a click would place is shown"
    hand.click(canvas.interactor, spot(hand, 0, 0))
    hand.click(panel.modes["tower"])
    hand.rest()
    block = only(hand)
    assert (block.storeys, block.base) == (33, 0.0)
    hand.wait_until(lambda: panel.numbers.told["far"].text() != "–", 20)
    assert panel.numbers.told["far"].text() == f"{33 * 600 / 200**2:.2f}"
    mesh = scene[scene.scheme("A").layers[0]].data
    assert mesh.bounds is not None
    assert mesh.bounds.zmax == pytest.approx(99.0)

    camera = canvas.camera()
    top = panel._grips[0].place
    down = canvas.place_of((top[0], top[1], 30.0)).toPoint()
    hand.drag(canvas.interactor, grip(hand, panel, 0), down)
    hand.rest()
    assert canvas.camera() == camera, "the camera stands still"
    assert only(hand).storeys == 10
    hand.wait_until(lambda: panel.numbers.told["far"].text() == f"{10 * 600 / 200**2:.2f}", 20)
    scene.history.undo()
    assert only(hand).storeys == 33, "a drag is one step"
    scene.history.redo()

    place = panel._grips[1].place
    there = canvas.place_of((place[0] - 30, place[1], place[2])).toPoint()
    hand.drag(canvas.interactor, grip(hand, panel, 1), there)
    hand.rest()
    middle = np.mean(only(hand).tiers[0].rings[0], axis=0) - PLACE[:2]
    assert middle[0] == pytest.approx(-30, abs=1.0)

    old = only(hand).tiers[0].polygon.area
    wall = next(g for g in panel._grips[3:] if g.guide.direction[1] < -0.9)
    outwards = (wall.place[0], wall.place[1] - 10, wall.place[2])
    hand.drag(
        canvas.interactor,
        canvas.place_of(wall.place).toPoint(),
        canvas.place_of(outwards).toPoint(),
    )
    hand.rest()
    assert only(hand).tiers[0].polygon.area == pytest.approx(old + 10 * 30, rel=0.03)


def test_an_outline_is_drawn_and_set_by_numbers(building: tuple[Hand, MassingPanel]) -> None:
    hand, panel = building
    canvas = hand.window.canvas
    hand.click(panel.modes["outline"])
    corners = ((-30, -20), (30, -20), (30, 20), (-30, 20))
    for x, y in corners:
        hand.click(canvas.interactor, spot(hand, x, y))
    hand.key(Qt.Key.Key_Return)
    hand.rest()
    assert only(hand).tiers[0].polygon.area == pytest.approx(2400, rel=0.02)
    for part, text in (
        (panel.form.storeys, "12"),
        (panel.form.storey_height, "3.5"),
        (panel.form.podium, "2"),
    ):
        part.setFocus()
        part.selectAll()
        QTest.keyClicks(part.lineEdit(), text)
    QTest.keyClick(panel.form.podium.lineEdit(), Qt.Key.Key_Return)
    hand.rest()
    block = only(hand)
    assert [(t.storeys, t.storey_height) for t in block.tiers] == [(2, 4.5), (12, 3.5)]
    # Each number is one step, however many digits it has: podium, height, storeys, the outline.
    history = hand.window.scene.history
    storeys = []
    for _ in range(3):
        history.undo()
        storeys.append([(t.storeys, t.storey_height) for t in only(hand).tiers])
    assert storeys == [[(12, 3.5)], [(12, 3.0)], [(6, 3.0)]]
    for _ in range(3):
        history.redo()
    hand.rest()
    assert only(hand) == block

    # What is typed goes to the building it was typed for, when another click comes.
    panel.form.storeys.setFocus()
    panel.form.storeys.selectAll()
    QTest.keyClicks(panel.form.storeys.lineEdit(), "14")
    panel.select("")
    assert only(hand).tiers[-1].storeys == 14
    # A click beside it lets it go, a click on it takes it again.
    hand.click(canvas.interactor, spot(hand, 70, -30))
    assert panel.selected is None
    hand.click(canvas.interactor, spot(hand, 0, -18, 25.0))
    assert panel.selected is not None

    hand.window.scene.update_scheme("A", locked=True)
    hand.click(panel.modes["slab"])
    assert panel.mode == "", "a locked scheme is not built upon"
    assert not panel._grips
