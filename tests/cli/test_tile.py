"""``tile`` as people and scripts use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from plumbline.cli.common import source_path
from plumbline.cli.main import main
from plumbline.io.writers import write_ply


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_mesh_is_tiled_described_and_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trimesh.creation.box(extents=(10, 20, 30)).export(tmp_path / "box.ply")
    out = tmp_path / "瓦块 tiles"
    code, done = ask(capsys, "tile", str(tmp_path / "box.ply"), "--out", str(out),
                     "--crs", "EPSG:4547")  # fmt: skip
    assert code == 0
    assert (done["tiles"], done["triangles"]) == (1, 12)
    _, told = ask(capsys, "info", str(out))
    (entry,) = told["files"]  # type: ignore[misc]
    assert entry["crs"] == "EPSG:4547"
    assert entry["bounds"] == pytest.approx([-5, -10, -15, 5, 10, 15])
    project = str(tmp_path / "p.plumb.gpkg")
    assert main(["new", project, "--crs", "EPSG:4547"]) == 0
    code, added = ask(capsys, "add", project, str(out))
    assert code == 0
    assert added["layers"][0]["kind"] == "tiles"  # type: ignore[index]
    # A second time there is something in its place.
    assert main(["tile", str(tmp_path / "box.ply"), "--out", str(out)]) == 3
    assert main(["tile", str(tmp_path / "box.ply"), "--out", str(out), "--overwrite"]) == 0


def test_a_cloud_is_tiled_into_copc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ply(tmp_path / "c.ply", np.random.default_rng(1).uniform(0, 9, (50, 3)))
    out = tmp_path / "c.copc.laz"
    code, done = ask(capsys, "tile", str(tmp_path / "c.ply"), "--out", str(out))
    assert (code, done["points"]) == (0, 50)
    again = tmp_path / "again.copc.laz"
    code, done = ask(capsys, "tile", str(out), "--out", str(again))
    assert (code, done["points"]) == (0, 50)
    assert main(["tile", str(out), "--out", str(tmp_path / "folder")]) == 2


@pytest.mark.parametrize("width", ["0", "-1", "nan", "inf"])
def test_absurd_widths_are_refused(tmp_path: Path, width: str) -> None:
    (tmp_path / "a.ply").write_bytes(b"ply")
    assert (
        main(["tile", str(tmp_path / "a.ply"), "--out", str(tmp_path / "o"), f"--width={width}"])
        == 2
    )


def test_an_address_becomes_a_shortcut(tmp_path: Path) -> None:
    path = source_path("http://10.1.2.3:8080/city/tileset.json?key=a")
    assert path.name == "10.1.2.3_8080_city.url"
    assert "URL=http://10.1.2.3:8080/city/tileset.json?key=a" in path.read_text(encoding="utf-8")
    assert source_path(str(tmp_path / "a.obj")) == tmp_path / "a.obj"
    # Nothing answers there: what was asked for cannot be read.
    assert main(["info", "http://127.0.0.1:9/city/tileset.json"]) == 3
