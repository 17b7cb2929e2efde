"""The real tile of a production as it is streamed, against the OBJ of the same level: pictures."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from render_scenes import viewing

from plumbline.core.data import MeshData
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer
from plumbline.core.scene import Camera, Scene
from plumbline.io import load
from plumbline.render.theme import SOFTWARE

#: SRSOrigin of the production: the OBJ counts from there.
ORIGIN = np.array([501027.524, 2488718.808, 0.0])
SIZE = (900, 650)
CAMERAS = {
    "south-east": ((150.0, 1230.0, 90.0), (45.0, 1350.0, 12.0)),
    "above": ((50.0, 1349.0, 220.0), (50.0, 1350.0, 0.0)),
}


def picture(layer: Layer, name: str, error: float) -> np.ndarray:
    scene = Scene(Georeference(None, tuple(ORIGIN.tolist())))  # type: ignore[arg-type]
    scene.add(replace(layer, crs=None))
    eye, target = (tuple((ORIGIN + place).tolist()) for place in CAMERAS[name])
    with viewing(scene, budget=replace(SOFTWARE, anisotropy=4)) as view:
        view.tiles.error = error
        view.set_camera(Camera(eye, target))  # type: ignore[arg-type]
        image = view.screenshot(SIZE)
        assert view.settled.complete
    if folder := os.environ.get("PLUMBLINE_PICTURES"):
        Image.fromarray(image).save(Path(folder) / f"{name} {layer.id}.png")
    return image.astype(int)


@pytest.mark.nightly
def test_a_streamed_tile_looks_like_its_obj(real_data: Path) -> None:
    level = "osgb/Production_5/Data/Tile_+000_+013/Tile_+000_+013_L18_0uuuu.osgb"
    (tile,) = load(real_data / level)
    (mesh,) = load(real_data / "mesh/photogrammetry_obj/tile_013_L18/tile_013_L18.obj")
    assert isinstance(mesh.data, MeshData)
    mesh.data.vertices = mesh.data.vertices + ORIGIN
    for name in CAMERAS:
        streamed, whole = picture(tile, name, 1e6), picture(mesh, name, math.inf)
        shown = np.abs(whole - (255, 0, 255)).max(axis=-1) > 8
        assert shown.mean() > 0.2
        differs = np.abs(streamed - whole).max(axis=-1)
        assert (differs[shown] > 12).mean() < 0.002
        assert (differs > 12).mean() < 0.002
    # The finest level shows more than the one above it, in the same place.
    fine, coarse = picture(tile, "above", math.inf), picture(tile, "above", 1e6)
    differs = np.abs(fine - coarse).max(axis=-1)
    assert (differs > 12).mean() > 0.01
    outline = [np.abs(p - (255, 0, 255)).max(axis=-1) > 8 for p in (fine, coarse)]
    assert (outline[0] != outline[1]).mean() < 0.02
