"""Journey 1, the first quarter of an hour: demo, shore, a building, two measurements, come back.

Walked with the mouse in the real window. Set ``PLUMBLINE_SHOTS`` to a folder to keep the pictures
and look at them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QToolButton

from plumbline import demo
from plumbline.core.i18n import translator
from plumbline.demo.project import demo_folder, generator_version, project_content
from plumbline.render import camera as moves
from plumbline.services.project import SUFFIX, write_content
from plumbline.ui_kit.theme import current_theme

from .hand import Hand


@pytest.fixture
def demo_at_hand(demo_district: Path, tmp_path: Path) -> Path:
    """Put a project on the session's district where the start page looks for the demo."""
    folder = demo_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "district").symlink_to(demo_district, target_is_directory=True)
    (folder / "district.version").write_text(generator_version(), encoding="utf-8")
    project = folder / f"demo{SUFFIX}"
    write_content(project_content(demo.load(folder / "district")), project)
    return project


def shot(hand: Hand, name: str) -> None:
    """Keep a picture when somebody wants to look at it."""
    folder = os.environ.get("PLUMBLINE_SHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        hand.window.grab().save(str(Path(folder) / f"journey1-{name}.png"))


def place_of(hand: Hand, point: tuple[float, float, float]) -> QPoint:
    """Return where a point of the scene is in the canvas, logical pixels."""
    canvas = hand.window.canvas
    x, y, depth = moves.project(canvas.camera(), np.array([point]), canvas.view.size)[0]
    assert depth > 0
    ratio = canvas.devicePixelRatioF()
    return QPoint(round(x / ratio), round(canvas.interactor.height() - 1 - y / ratio))


def free_roof(hand: Hand, district: Path) -> tuple[str, dict[str, object], QPoint]:
    """Return a building whose model is what the view shows at its middle, and where it is."""
    truth = json.loads((district / "truth.json").read_text(encoding="utf-8"))
    canvas = hand.window.canvas
    scene = hand.window.scene
    models = scene["models"].data
    for element in models.elements:
        row = next(iter(element.properties.values()), {})
        if not row.get("层数"):
            continue
        triangles = models.triangles[
            models.element_index == [e.id for e in models.elements].index(element.id)
        ]
        centre = models.vertices[triangles.ravel()].mean(axis=0)
        spot = place_of(hand, tuple(centre))
        inside = canvas.interactor.rect().adjusted(80, 80, -120, -80)
        if not inside.contains(spot):
            continue
        pick = canvas.view.pick(*canvas.pixel(spot.toPointF()))
        if pick is not None and pick.entity == element.id and truth:
            return element.id, row, spot
    raise AssertionError("no building is in the middle of the view")


def test_first_quarter_of_an_hour(
    open_window: Callable[..., Hand], demo_at_hand: Path, demo_district: Path
) -> None:
    """Demo, shore, attributes, measurements, Chinese and dark, save, close, reopen."""
    hand = open_window(1366, 768)
    window = hand.window
    assert window.start_page.isVisible()
    shot(hand, "1-start")

    # Open the demo from the start page.
    hand.click(hand.button("Open the demo district"))
    hand.wait_until(lambda: window.session.name == "demo", 120)
    hand.rest()
    assert not window.scene.absent
    assert len(window.scene) == len(demo.load(demo_district).layers)
    shot(hand, "2-demo")
    assert hand.colours(window.canvas) > 100, "the canvas shows next to nothing"

    # Fly down to the shore by its viewpoint.
    before = window.canvas.camera()
    hand.click(
        window.scene_tabs.tabBar(),
        window.scene_tabs.tabBar().tabRect(2).center(),
    )
    shore = window.viewpoints.list.item(1)
    hand.click(
        window.viewpoints.list.viewport(), window.viewpoints.list.visualItemRect(shore).center()
    )
    hand.wait_until(lambda: window.canvas.camera() == window.scene.viewpoints[1].camera, 20)
    assert window.canvas.camera() != before
    hand.rest()
    shot(hand, "3-shore")

    # Back to the bird's eye, orbit by hand, click a building and read what it is.
    first = window.viewpoints.list.item(0)
    hand.click(
        window.viewpoints.list.viewport(), window.viewpoints.list.visualItemRect(first).center()
    )
    hand.wait_until(lambda: window.canvas.camera() == window.scene.viewpoints[0].camera, 20)
    hand.rest()
    centre = window.canvas.interactor.rect().center()
    hand.drag(window.canvas.interactor, centre, centre + QPoint(40, 10))
    assert window.canvas.camera() != window.scene.viewpoints[0].camera
    hand.rest()
    building, row, spot = free_roof(hand, demo_district)
    hand.click(window.canvas.interactor, spot)
    assert [ref.entity for ref in window.scene.selection] == [building]
    shown = window.attributes.rows()
    assert shown["用途"] == row["用途"]
    assert shown["层数"] == str(row["层数"])
    shot(hand, "4-building")

    # Measure from its roof to its neighbour and across the street.
    hand.click(hand.action_button("tool.measure"))
    assert window.tools.active == "measure"
    hand.rest()
    # The panel has taken a part of the canvas: the building is elsewhere on the screen now.
    building, row, spot = free_roof(hand, demo_district)
    for n, (dx, dy) in enumerate(((0, 0), (60, 30), (-50, 40), (20, 60))):
        hand.move(window.canvas.interactor, spot + QPoint(dx + 4, dy))
        hand.click(window.canvas.interactor, spot + QPoint(dx, dy))
        if n == 0:
            hand.move(window.canvas.interactor, spot + QPoint(30, 20))
            shot(hand, "5-rubber-band")
        hand.rest()
    hand.wait_until(lambda: len(window.scene.records) == 2, 20)
    record = window.scene.records[0]
    measured = record.values["distance"]["value"]
    closed_form = float(np.linalg.norm(np.subtract(*record.points)))
    assert measured == pytest.approx(closed_form, abs=1e-9)
    shot(hand, "6-measured")

    # Chinese and dark.
    hand.click(hand.action_button("window.language"))
    hand.click(hand.action_button("window.theme"))
    hand.rest()
    assert translator.language == "zh_CN"
    assert current_theme().dark
    assert window.left_dock.windowTitle() == "场景"
    shot(hand, "7-chinese-dark")

    # Save with the key, close.
    camera = window.canvas.camera()
    hand.key(Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert not window.scene.modified
    labels = [r.label for r in window.scene.records]
    assert window.close()

    # Reopen from the recent projects: view, measurements and language are there.
    again = open_window(1366, 768)
    window = again.window
    assert translator.language == "zh_CN"
    assert current_theme().dark
    entries = [
        b
        for b in window.start_page.findChildren(QToolButton.__mro__[1])
        if b.isVisible() and b.text() == "demo"
    ]
    again.click(entries[0])
    again.wait_until(lambda: window.session.name == "demo", 120)
    again.rest()
    assert [r.label for r in window.scene.records] == labels
    assert np.allclose(window.canvas.camera().position, camera.position, atol=1e-6)
    shot(again, "8-reopened")
