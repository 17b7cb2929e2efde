"""Pictures without a window."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from render_scenes import boxes_layer, new_scene

from plumbline.core.errors import UserError
from plumbline.core.fonts import chinese_font
from plumbline.render import offscreen
from plumbline.render.labels import text_image
from plumbline.render.theme import RenderTheme
from plumbline.render.vtk_errors import VtkError, raising


def test_a_picture_is_written_with_its_caption(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    path = offscreen.render_scene(scene, tmp_path / "城市 picture.png", (400, 300))
    with_caption = np.asarray(Image.open(path)).astype(int)
    assert with_caption.shape == (300, 400, 3)
    plain = offscreen.scene_picture(scene, (400, 300)).astype(int)
    different = np.abs(with_caption - plain).max(axis=2) > 60
    assert different[-40:, :200].any(), "scale bar and CRS at the lower left"
    assert different[:90, -90:].any(), "north arrow at the upper right"
    assert not different[120:220, 100:300].any(), "nothing over the scene"


def test_it_works_without_a_display(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from render_scenes import boxes_layer, new_scene
from plumbline.render.offscreen import render_scene
scene = new_scene()
scene.add(boxes_layer())
render_scene(scene, Path({str(tmp_path / "p.png")!r}), (64, 48))
"""
    clean = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "nothing of VTK's on the terminal"
    assert (tmp_path / "p.png").is_file()


def test_opengl_is_named() -> None:
    assert offscreen.probe_opengl().startswith("OpenGL ")


def test_no_opengl_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    offscreen.probe_opengl.cache_clear()
    # A driver that aborts takes only the child with it.
    monkeypatch.setattr(offscreen, "_PROBE", "import os; os.abort()")
    with pytest.raises(UserError, match="OpenGL") as caught:
        offscreen.probe_opengl()
    assert "driver" in caught.value.hint
    monkeypatch.undo()
    offscreen.probe_opengl.cache_clear()


def test_vtk_errors_become_exceptions() -> None:
    from vtkmodules.vtkIOLegacy import vtkPolyDataReader

    reader = vtkPolyDataReader()
    reader.SetFileName("no-such-file.vtk")
    with pytest.raises(VtkError, match="no-such-file"), raising():
        reader.Update()
    with raising():
        pass


def test_text_has_a_halo_and_chinese() -> None:
    theme = RenderTheme()
    image = text_image("Ab", 20, theme.text, theme.halo)
    opaque = image[image[..., 3] > 250][:, :3].astype(int)
    assert (opaque.max(axis=1) < 90).any(), "letters"
    assert (opaque.min(axis=1) > 240).any(), "halo"
    if chinese_font() is None:
        pytest.skip("no Chinese font on this machine")
    one, other = (text_image(c, 20, theme.text, theme.halo) for c in "准绳")
    assert one.shape != other.shape or (one != other).any()
