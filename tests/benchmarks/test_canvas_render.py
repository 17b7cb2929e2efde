"""What tools draw and what the sun costs, against a whole frame of the demo in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pyvista

from plumbline import demo
from plumbline.demo.project import project_content
from plumbline.render import camera as moves
from plumbline.render.scene_view import SceneView
from plumbline.services.project import SUFFIX, open_project, write_content

RUNS = 9


@dataclass(frozen=True)
class Line:
    """A mark, as `plumbline.ui_kit.context.Mark`."""

    points: tuple[tuple[float, float, float], ...]
    tone: str
    kind: str = "line"
    width: float = 2.5
    label: str = ""
    closed: bool = False


def median(view: SceneView, change: Callable[[int], None]) -> float:
    """Return the median seconds of a change with the frame that shows it."""
    times = []
    for n in range(RUNS):
        start = time.perf_counter()
        change(n)
        view.render()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


@pytest.mark.benchmark
def test_marks_and_shadows(demo_district: Path, tmp_path: Path) -> None:
    project = tmp_path / f"demo{SUFFIX}"
    write_content(project_content(demo.load(demo_district)), project)
    scene, _, _ = open_project(project)
    plotter = pyvista.Plotter(off_screen=True, window_size=(1280, 800))
    view = SceneView(plotter, scene, request_render=lambda: None)
    random = np.random.default_rng(1)
    box = scene["terrain"].bounds
    assert box is not None
    places = box.center + random.uniform(-400, 400, (RUNS, 200, 2, 3)) * (1, 1, 0.1)
    tones = ("visible", "hidden", "lit", "shade")

    def mark(n: int) -> None:
        lines = (tuple(tuple(p) for p in ends) for ends in places[n])
        view.tools.set_marks("a", [Line(ends, tones[k % 4]) for k, ends in enumerate(lines)])  # type: ignore[arg-type]

    def turn(_: int) -> None:
        camera = view.camera()
        view.set_camera(moves.orbit(camera, camera.focal_point, 1.0, 0.0))

    try:
        median(view, turn)
        frame = median(view, turn)
        view.render()
        marks = median(view, mark)
        view.tools.clear()
        view.begin_interaction()
        moving = median(view, turn)
        view.set_sun(120.0, 30.0)
        lit = median(view, turn)
        casting = median(view, lambda n: view.set_sun(120.0 + n, 30.0))
    finally:
        view.close()
        plotter.close()
    print(
        f"\nframe at rest {frame * 1e3:.0f} ms; 200 new marks {marks * 1e3:.0f} ms"
        f" ({marks / frame:.2f} of it)\nmoving frame {moving * 1e3:.0f} ms; with shadows"
        f" {lit * 1e3:.0f} ms ({lit / moving:.2f}); with another sun {casting * 1e3:.0f} ms"
        f" ({casting / moving:.2f})"
    )
    assert marks < frame, "the scene was drawn again for marks"
