"""How long it takes to show another scheme of the demo district, without drawing it and with it.

Run with ``-m benchmark -s``. Drawing is the graphics' own time: with a processor for graphics it is
most of it, so that the frames before and after are told beside.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import pyvista

from plumbline import demo
from plumbline.demo.project import project_content
from plumbline.render.scene_view import SceneView
from plumbline.services.project import open_project, write_content


@pytest.mark.benchmark
def test_switching_schemes_of_the_demo(demo_district: Path, tmp_path: Path) -> None:
    project = tmp_path / "demo.plumb.gpkg"
    write_content(project_content(demo.load(demo_district)), project)
    scene = open_project(project)[0]
    plotter = pyvista.Plotter(off_screen=True, window_size=(1280, 800))
    view = SceneView(plotter, scene, request_render=lambda: None)
    try:
        ids = [scheme.id for scheme in scene.schemes]
        for scheme in [*ids, "", *ids]:
            scene.activate_scheme(scheme)
        view.render()
        switch, frames = [], []
        for number in range(8):
            began = time.process_time()
            scene.activate_scheme(ids[number % len(ids)])
            switch.append(time.process_time() - began)
            view.render()
            frames.append(view.frame_time())
        switch.sort()
        frames.sort()
        print(f"\nswitch {1000 * switch[4]:.0f} ms CPU (most {1000 * switch[-1]:.0f} ms)", end=", ")
        print(f"the frame {1000 * frames[4]:.0f} ms")
        assert switch[4] < 0.2
    finally:
        view.close()
        plotter.close()
