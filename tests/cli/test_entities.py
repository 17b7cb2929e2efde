"""``entities`` as people and scripts use it: build, list, show, take out, forget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from city_scene import CRS, GROUND, capture, footprints

from plumbline.core.data import Material, MeshData, Texture
from plumbline.io import load
from plumbline.io.obj_writer import write_obj
from plumbline.services.project import read_project

Cli = Callable[..., Any]


@pytest.fixture
def project(tmp_path: Path, cli: Cli) -> Path:
    """Make a project of footprints and a photographed mesh, both from files."""
    path = tmp_path / "街 street.plumb.gpkg"
    footprints().features.to_file(tmp_path / "footprints.gpkg")
    write_obj(capture(), tmp_path / "capture.obj")
    assert cli("new", path, "--crs", CRS).code == 0
    assert cli("add", path, tmp_path / "footprints.gpkg").code == 0
    assert cli("add", path, tmp_path / "capture.obj", "--crs", CRS).code == 0
    return path


def test_build_list_show_and_clear(project: Path, cli: Cli, tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("No,owner\nA1,李\n", encoding="utf-8")
    told = cli(
        "entities", project, "--footprints", "footprints", "--table", f"{rates}=No",
        "--where", "编号 <> 'A3'", "--overlay", "height", "--json",
    )  # fmt: skip
    assert told.code == 0, told.err
    assert [one["id"] for one in told.json["entities"]] == ["A1", "A2"]
    assert len(told.json["warnings"]) == 1
    listed = cli("entities", project, "--json").json["entities"]
    assert [one["height"] for one in listed] == [pytest.approx(12), pytest.approx(7)]
    shown = cli("entities", project, "--show", "A1")
    assert "12.00 m" in shown.out
    assert "李" in shown.out
    assert "entities" in [entry.id for entry in read_project(project).layers]
    assert cli("entities", project, "--clear").code == 0
    assert cli("entities", project, "--json").json["entities"] == []


def test_one_building_is_taken_out_of_the_mesh(project: Path, cli: Cli, tmp_path: Path) -> None:
    assert cli("entities", project, "--footprints", "footprints").code == 0
    out = tmp_path / "inn.obj"
    assert cli("entities", project, "--export", "A1", "--out", out).code == 0
    data = load(out, crs=CRS)[0].data
    assert isinstance(data, MeshData)
    assert data.bounds is not None
    assert data.bounds.xmax - data.bounds.xmin == pytest.approx(10, abs=1e-3)
    assert data.bounds.zmax == pytest.approx(GROUND + 12)
    assert cli("entities", project, "--export", "A1", "--out", tmp_path / "inn.ply").code == 0
    assert cli("entities", project, "--export", "A1", "--out", tmp_path / "inn.xyz").code == 2


def test_what_is_not_there_is_told(project: Path, cli: Cli) -> None:
    assert "--footprints" in cli("entities", project).out
    assert cli("entities", project, "--show", "B7").code == 2
    assert cli("entities", project, "--footprints", "capture").code == 4
    assert cli("entities", project, "--footprints", "nothing").code == 2
    assert cli("entities", project, "--footprints", "footprints", "--column", "x=y").code == 2


def test_an_obj_keeps_photographs_and_millimetres(tmp_path: Path) -> None:
    picture = (tmp_path / "roof.png").resolve()
    picture.write_bytes(_png())
    mesh = capture()
    mesh.vertices[:, 0] += 0.0004
    mesh.materials = [Material("roof", texture=Texture(path=picture)), Material("unused")]
    mesh.materials += [Material("wall", color=(1.0, 0.5, 0.25, 1.0))]
    mesh.material_index = np.where(np.arange(len(mesh.triangles)) % 2, 0, 2).astype(np.int32)
    write_obj(mesh, tmp_path / "out.obj")
    picture.unlink()  # the copy beside the OBJ is what counts
    found = load(tmp_path / "out.obj", crs=CRS)[0].data
    assert isinstance(found, MeshData)
    assert len(found.triangles) == len(mesh.triangles)
    corners = np.sort(found.vertices[found.triangles].reshape(-1, 3), axis=0)
    assert np.abs(corners - np.sort(mesh.vertices[mesh.triangles].reshape(-1, 3), axis=0)).max() < (
        1e-5
    )
    textured = [m for m in found.materials if m.texture is not None]
    assert [m.texture.path.name for m in textured if m.texture.path] == ["out_0.png"]
    assert any(m.color[:3] == pytest.approx((1, 0.5, 0.25), abs=1e-3) for m in found.materials)


def _png() -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (4, 4), (200, 40, 40)).save(out, "PNG")
    return out.getvalue()
