"""``info``, ``new``, ``add``, ``layers``."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from plumbline.services.project import open_project, read_project


def test_info_of_one_file(cli: Any, terrain: Path) -> None:
    done = cli("info", terrain, "--json")
    assert (done.code, done.err) == (0, "")
    (entry,) = done.json["files"]
    assert entry["path"] == str(terrain)
    assert (entry["kind"], entry["format"], entry["crs"]) == ("raster", "GeoTIFF", "EPSG:4549")
    assert entry["counts"]["cells"] == 2400
    assert entry["bounds"][:2] == [534_000, 3_993_920]
    assert isinstance(entry["metadata"], dict)
    assert entry["warnings"] == []


def test_info_for_people(cli: Any, terrain: Path) -> None:
    done = cli("info", terrain)
    assert done.code == 0
    assert "CGCS2000 / 3-degree Gauss-Kruger CM 120E" in done.out
    assert "2,400 cells" in done.out


def test_info_tells_what_it_can_read_and_what_not(cli: Any, terrain: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.las"
    empty.touch()
    done = cli("info", terrain, empty, tmp_path / "gone.ply", "--json")
    assert done.code == 3
    assert [entry["path"] for entry in done.json["files"]] == [str(terrain)]
    assert [Path(e["path"]).name for e in done.json["errors"]] == ["empty.las", "gone.ply"]
    assert len(done.err.strip().splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.tif", None),
        ("empty.tif", b""),
        ("text.tif", b"this is no raster"),
        ("cut.laz", b"LASF" + b"\0" * 200),
        ("unknown.xyz9", b"1 2 3"),
        ("word.obj", b"PK\3\4" + b"\0" * 100),
        ("photo.ifc", b"\xff\xd8\xff\xe0" + b"\0" * 100),
    ],
)
def test_bad_files_are_one_line_and_exit_code_3(
    cli: Any, tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / f"坏 {name}"
    if content is not None:
        path.write_bytes(content)
    done = cli("info", path)
    assert done.code == 3
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert name in done.err
    assert "Traceback" not in done.err


def test_a_loader_option_that_does_not_exist_is_usage(cli: Any, box: Path) -> None:
    assert cli("info", box, "--option", "upp=z").code == 2
    assert cli("info", box, "--option", "up=sideways").code == 2
    assert cli("info", box, "--option", "up").code == 2
    assert cli("info", box, "--option", "up=z").code == 0


def test_a_project_from_nothing(cli: Any, terrain: Path, box: Path, tmp_path: Path) -> None:
    project = tmp_path / "城区 district.plumb.gpkg"
    made = cli("new", project, "--crs", "EPSG:4549", "--json")
    assert made.code == 0
    assert made.json == {"project": str(project), "crs": "EPSG:4549", "origin": [0, 0, 0]}
    assert cli("layers", project, "--json").json["layers"] == []

    added = cli("add", project, terrain, "--id", "dem", "--json")
    assert added.code == 0
    (layer,) = added.json["layers"]
    assert (layer["id"], layer["kind"], layer["crs"]) == ("dem", "raster", "EPSG:4549")
    assert cli("add", project, box, "--crs", "EPSG:4549", "--option", "up=z").code == 0

    listed = cli("layers", project, "--json").json
    assert [row["id"] for row in listed["layers"]] == ["box", "dem"]
    assert listed["crs"] == "EPSG:4549"
    # An origin near the data, because the renderer works in float32 around it.
    assert listed["origin"] == [534_100.0, 3_994_000.0, 0.0]
    assert not any(row["missing"] for row in listed["layers"])
    scene, warnings, _ = open_project(project)
    assert scene.layer_ids == ["box", "dem"]
    assert warnings == []


def test_paths_are_kept_relative_to_the_project(cli: Any, terrain: Path, tmp_path: Path) -> None:
    cli("new", tmp_path / "p", "--crs", "EPSG:4549")
    cli("add", tmp_path / "p.plumb.gpkg", terrain)
    with sqlite3.connect(tmp_path / "p.plumb.gpkg") as db:
        (source,) = db.execute("SELECT source FROM plumbline_layers").fetchone()
    db.close()
    assert "资料 data/地形 dem.tif" in source
    assert str(tmp_path) not in source
    moved = tmp_path.with_name(tmp_path.name + " moved")
    shutil.move(tmp_path, moved)
    assert open_project(moved / "p.plumb.gpkg")[1] == []


def test_a_project_takes_the_crs_of_its_first_file(cli: Any, terrain: Path, tmp_path: Path) -> None:
    cli("new", tmp_path / "p")
    assert cli("add", tmp_path / "p", terrain).code == 0
    assert read_project(tmp_path / "p.plumb.gpkg").georeference.crs_text == "EPSG:4549"


def test_a_file_without_crs_names_the_option(cli: Any, box: Path, tmp_path: Path) -> None:
    cli("new", tmp_path / "p", "--crs", "EPSG:4549")
    done = cli("add", tmp_path / "p", box)
    assert done.code == 3
    assert "--crs" in done.err
    assert cli("layers", tmp_path / "p", "--json").json["layers"] == []


def test_a_file_in_another_crs_is_reprojected(cli: Any, box: Path, tmp_path: Path) -> None:
    cli("new", tmp_path / "p", "--crs", "EPSG:4528")
    assert cli("add", tmp_path / "p", box, "--crs", "EPSG:4549").code == 0
    scene = open_project(tmp_path / "p.plumb.gpkg")[0]
    assert scene["box"].bounds.as_list()[0] == pytest.approx(40_534_010, abs=1e-3)


def test_an_id_is_taken_once(cli: Any, terrain: Path, tmp_path: Path) -> None:
    cli("new", tmp_path / "p", "--crs", "EPSG:4549")
    cli("add", tmp_path / "p", terrain, "--id", "dem")
    done = cli("add", tmp_path / "p", terrain, "--id", "dem")
    assert done.code == 2
    assert "already has a layer" in done.err
    # Without an id of its own, the second gets a number.
    cli("add", tmp_path / "p", terrain)
    cli("add", tmp_path / "p", terrain)
    ids = [row["id"] for row in cli("layers", tmp_path / "p", "--json").json["layers"]]
    assert ids == ["地形 dem_2", "地形 dem", "dem"]


def test_a_project_is_not_overwritten_unasked(cli: Any, terrain: Path, tmp_path: Path) -> None:
    cli("new", tmp_path / "p", "--crs", "EPSG:4549")
    cli("add", tmp_path / "p", terrain)
    assert cli("new", tmp_path / "p", "--crs", "EPSG:4549").code == 3
    assert len(read_project(tmp_path / "p.plumb.gpkg").layers) == 1
    assert cli("new", tmp_path / "p", "--crs", "EPSG:4528", "--overwrite").code == 0
    assert len(read_project(tmp_path / "p.plumb.gpkg").layers) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--crs", "EPSG:999999"),
        ("--crs", "Qingdao"),
        ("--crs", "EPSG:4549", "--origin", "1", "2"),
        ("--crs", "EPSG:4549", "--origin", "1", "2", "nan"),
        ("--crs", "EPSG:4549", "--origin", "a", "b", "c"),
    ],
)
def test_new_refuses_what_is_no_crs_or_origin(
    cli: Any, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = cli("new", tmp_path / "p", *arguments)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_negative_origins_are_numbers(cli: Any, tmp_path: Path) -> None:
    place = ("--origin", "-1.5", "-2000", "0")
    done = cli("new", tmp_path / "p", "--crs", "EPSG:32760", *place, "--json")
    assert done.json["origin"] == [-1.5, -2000.0, 0.0]


def test_no_such_project(cli: Any, tmp_path: Path, terrain: Path) -> None:
    for arguments in (("layers", tmp_path / "p"), ("add", tmp_path / "p", terrain)):
        done = cli(*arguments)
        assert done.code == 3
        assert "plumbline new" in done.err


def test_a_file_that_is_no_project(cli: Any, terrain: Path) -> None:
    assert cli("layers", terrain).code == 3


def test_a_source_that_is_gone_is_said(cli: Any, terrain: Path, tmp_path: Path) -> None:
    cli("new", tmp_path / "p", "--crs", "EPSG:4549")
    cli("add", tmp_path / "p", terrain, "--id", "dem")
    terrain.unlink()
    assert cli("layers", tmp_path / "p", "--json").json["layers"][0]["missing"] is True
    done = cli(
        "run", "measure.polyline", "--project", tmp_path / "p", "-p", "surface=dem",
        "-p", "points=[[534010,3993990],[534020,3993990]]", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 3
    assert "not where it was" in done.err
