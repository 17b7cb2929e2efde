"""``render`` as a process: pictures of projects and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def colours(path: Path) -> int:
    with Image.open(path) as image:
        return len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0))


def test_a_picture_of_files(child: Any, terrain: Path, box: Path, tmp_path: Path) -> None:
    out = tmp_path / "图 picture.png"
    done = child(
        "render", terrain, box, "--crs", "EPSG:4549", "--out", out, "--size", "320x200", "--json"
    )
    assert done.code == 0, done.err
    assert done.json == {"image": str(out), "size": [320, 200]}
    with Image.open(out) as image:
        assert image.size == (320, 200)
    assert colours(out) > 100


def test_views_of_a_project(child: Any, cli: Any, terrain: Path, tmp_path: Path) -> None:
    cli("new", tmp_path / "p", "--crs", "EPSG:4549")
    cli("add", tmp_path / "p", terrain, "--id", "dem")
    pictures = {}
    for view in ("top", "front"):
        out = tmp_path / f"{view}.jpg"
        done = child(
            "render", tmp_path / "p.plumb.gpkg", "--view", view, "--out", out, "--size", "320x200"
        )
        assert done.code == 0, done.err
        with Image.open(out) as image:
            pictures[view] = np.asarray(image.convert("L"), dtype=float)
    assert np.abs(pictures["top"] - pictures["front"]).mean() > 2
    done = child("render", tmp_path / "p.plumb.gpkg", "--view", "moon", "--out", tmp_path / "x.png")
    assert done.code == 2
    assert "top" in done.err


def test_what_cannot_be_drawn(child: Any, terrain: Path, tmp_path: Path) -> None:
    assert child("render", tmp_path / "gone.obj", "--out", tmp_path / "x.png").code == 3
    assert child("render", tmp_path / "gone.plumb.gpkg", "--out", tmp_path / "x.png").code == 3
    (tmp_path / "taken").write_text("a file, no folder")
    done = child("render", terrain, "--out", tmp_path / "taken" / "x.png", "--size", "64x64")
    assert done.code == 3
    assert "cannot be written" in done.err
