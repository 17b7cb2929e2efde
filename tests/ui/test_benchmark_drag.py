"""Previews a second while an observer is dragged over the demo in the real window.

`pytest -m benchmark -s tests/ui/test_benchmark_drag.py`; software rendering counts too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest

from plumbline.api import Camera
from plumbline.demo.layers import load
from plumbline.demo.project import project_content
from plumbline.render import camera as moves
from plumbline.services.project import SUFFIX, write_content

from .hand import LEFT, NONE, Hand, live

#: Places of the mouse in one drag.
PLACES = 60
#: Processors of the desk that this is for.
CORES = 2


@pytest.fixture
def demo(open_window: Callable[..., Hand], demo_district: Path, tmp_path: Path) -> Hand:
    """Return a hand before the demo, from above its middle."""
    project = tmp_path / f"demo{SUFFIX}"
    write_content(project_content(load(demo_district)), project)
    hand = open_window()
    hand.window.session.open_project(project)
    hand.rest()
    return hand


def spot(hand: Hand, place: tuple[float, float, float]) -> QPoint:
    canvas = hand.window.canvas
    column, row, _ = moves.project(canvas.camera(), np.array([place]), canvas.view.size)[0]
    ratio = canvas.view.size[1] / canvas.interactor.height()
    return QPoint(round(column / ratio), round(canvas.interactor.height() - 1 - row / ratio))


@pytest.mark.benchmark
@pytest.mark.parametrize("surface", [("terrain",), ("terrain", "models")])
def test_viewsheds_a_second(
    demo: Hand, surface: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = demo
    scene, canvas = hand.window.scene, hand.window.canvas
    box = scene["terrain"].bounds
    assert box is not None
    x, y = box.center[:2].tolist()
    hand.click(hand.action_button("tool.sightline"))
    panel: Any = hand.window.tools.currentWidget()
    panel.choose("sightline.viewshed")
    canvas.go_to(Camera((x, y - 700.0, 500.0), (x, y, 10.0)), ease=False)
    hand.rest()
    panel.form.set_values({"surface": surface, "facades": False})
    ground = canvas.interactor
    hand.click(ground, spot(hand, (x, y, panel.height_at(x, y))))
    shown: list[float] = []
    drape = canvas.view._drape
    paint = drape._paint

    def painted() -> None:
        paint()
        shown.append(time.perf_counter())

    monkeypatch.setattr(drape, "_paint", painted)
    (eye,) = panel._eye()
    start = spot(hand, eye)
    top = hand.window.windowHandle()

    def at(place: QPoint) -> QPoint:
        return ground.mapTo(hand.window, place)

    QTest.mousePress(top, LEFT, NONE, at(start))
    QTest.mouseMove(top, at(start + QPoint(8, 0)))
    hand.wait_until(lambda: bool(shown), 120)
    hand.wait_until(lambda: not hand.window.tools._previews._running, 60)
    shown.clear()
    began, processor, own = time.perf_counter(), time.process_time(), time.thread_time()
    for n in range(PLACES):
        QTest.mouseMove(top, at(start + QPoint(8 + 2 * n, n % 7)))
        live(30)
    seconds, own = time.perf_counter() - began, time.thread_time() - own
    work = time.process_time() - processor
    count = max(1, len(shown))
    QTest.mouseRelease(top, LEFT, NONE, at(start + QPoint(8 + 2 * PLACES, 0)))
    hand.wait_until(lambda: not hand.window.tools._previews._running, 60)
    print(
        f"\ndragging over {' and '.join(surface)}: {count} viewsheds in {seconds:.2f} s at a load "
        f"of {os.getloadavg()[0]:.1f}, {count / seconds:.1f} a second; each took "
        f"{1000 * work / count:.0f} ms of processor, {1000 * own / count:.0f} ms of them in the "
        "window's thread"
    )
    # By the processors' own time, so that others on the machine do not count: a second has two
    # seconds of two cores, and one of the window's thread.
    assert count / max(work / CORES, own) >= 10
