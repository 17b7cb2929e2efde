"""The project file: everything comes back, other programs can read it, nothing absent is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest

from plumbline.core.crs import parse_crs
from plumbline.core.errors import InputError
from plumbline.core.georeference import Georeference
from plumbline.core.scene import Camera, Group, Record, Scene
from plumbline.services.project import (
    accept_source,
    build_scene,
    load_entry,
    new_project,
    open_project,
    read_project,
    relink,
    save_project,
)

MakeRecord = Callable[[str, float], Record]


def test_everything_comes_back(scene: Scene, tmp_path: Path, camera: Camera) -> None:
    path = tmp_path / "青岛 东岸.plumb.gpkg"
    save_project(scene, path, camera, {"docks": "AAE="})
    assert not scene.modified
    again, warnings, view = open_project(path)
    assert warnings == []
    assert view == camera
    assert again.georeference == scene.georeference
    assert again.tree == scene.tree
    assert [layer.name for layer in again] == [layer.name for layer in scene]
    for layer_id in ("buildings", "tower"):
        assert again.style(layer_id) == scene.style(layer_id)
        assert again.view(layer_id) == scene.view(layer_id)
        assert again[layer_id].kind == scene[layer_id].kind
    assert again["buildings"].source == scene["buildings"].source
    assert again.viewpoints == scene.viewpoints
    assert again.records == scene.records
    assert again.schemes == scene.schemes
    assert again.active_scheme == scene.active_scheme
    assert not again.modified
    assert again.history.undo_label is None
    assert read_project(path).extra == {"docks": "AAE="}


def test_sources_are_relative_with_digest(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    with closing(sqlite3.connect(path)) as db:
        (text,) = db.execute("SELECT source FROM plumbline_layers WHERE id='buildings'").fetchone()
    assert '"path":"数据 2026/建筑 a.geojson"' in text
    assert str(tmp_path) not in text
    assert len(read_project(path).layers[1].source.sha256) == 64


def test_a_moved_folder_opens(scene: Scene, tmp_path: Path) -> None:
    save_project(scene, tmp_path / "数据 2026" / "p.plumb.gpkg")
    (tmp_path / "数据 2026").rename(tmp_path / "elsewhere")
    again, warnings, _ = open_project(tmp_path / "elsewhere" / "p.plumb.gpkg")
    assert warnings == []
    assert len(again) == 2


def test_other_programs_read_it(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA application_id").fetchone()[0] == 0x47504B47
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        declared = {r[0] for r in db.execute("SELECT table_name FROM gpkg_extensions")}
        own = {
            r[0]
            for r in db.execute("SELECT name FROM sqlite_master WHERE name GLOB 'plumbline_*'")
            if not r[0].startswith("sqlite_")
        }
    assert own <= declared
    assert pyogrio.list_layers(path).tolist() == [
        ["measurements", "LineString Z"],
        ["plumbline_saves", None],
    ]
    lines = gpd.read_file(path, layer="measurements")
    assert lines.crs.to_epsg() == 4549
    assert lines.geometry.length.tolist() == [12.5, 7.0]
    assert lines["operator"].tolist() == ["王工", "王工"]
    assert lines.geometry[0].coords[0] == (500000.0, 4000000.0, 1.0)


def test_custom_crs_survives_here_and_in_gdal(tmp_path: Path, make_record: MakeRecord) -> None:
    # The photogrammetry of the Pearl River delta comes in such systems: no EPSG code has them.
    wkt = parse_crs(
        "+proj=tmerc +lat_0=0 +lon_0=113.366666666667 +k=1 +x_0=500000 +y_0=90"
        " +ellps=GRS80 +units=m +no_defs"
    ).to_wkt()
    scene = Scene(Georeference.from_text(wkt, (501000.0, 2488700.0, 0.0)))
    scene.set_records([make_record("r", 3.0)])
    path = tmp_path / "p.plumb.gpkg"
    for _ in range(2):
        save_project(scene, path)
    assert open_project(path)[0].georeference.crs == parse_crs(wkt)
    with closing(sqlite3.connect(path)) as db:
        own = db.execute("SELECT count(*) FROM gpkg_spatial_ref_sys WHERE srs_id >= 100000")
        assert own.fetchone() == (1,)
    read = gpd.read_file(path, layer="measurements").crs
    parameters = {p.name: p.value for p in read.coordinate_operation.params}
    assert parameters["False northing"] == 90
    assert parameters["Longitude of natural origin"] == pytest.approx(113.366666666667, abs=1e-12)


def test_new_project_has_its_suffix_and_never_overwrites(tmp_path: Path) -> None:
    path = new_project(tmp_path / "district.gpkg", Georeference.from_text("EPSG:4549"))
    assert path.name == "district.plumb.gpkg"
    assert read_project(path).georeference.crs_text == "EPSG:4549"
    with pytest.raises(InputError, match="already"):
        new_project(tmp_path / "district")
    new_project(tmp_path / "district", overwrite=True)
    assert read_project(path).georeference.crs is None
    assert [p.name for p in tmp_path.iterdir()] == ["district.plumb.gpkg"]


def test_an_empty_project_without_crs_still_takes_the_first_layers(
    scene: Scene, tmp_path: Path
) -> None:
    empty, _, camera = open_project(new_project(tmp_path / "p"))
    assert camera is None
    empty.add(scene["buildings"])
    assert empty.georeference.crs_text == "EPSG:4549"


def test_a_missing_source_is_reported_and_survives_saving(
    scene: Scene, buildings: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    moved = buildings.rename(tmp_path / "moved.geojson")
    for _ in range(2):
        again, warnings, _ = open_project(path)
        assert len(warnings) == 1
        assert "建筑 a.geojson" in warnings[0]
        assert [e.id for e in again.absent] == ["buildings"]
        assert "not where it was" in again.absent[0].problem
        assert again.unique_id("buildings") == "buildings_2"
        save_project(again, path)
    layer = relink(again, "buildings", moved)
    assert layer.source is not None
    assert layer.source.path == moved
    assert again.tree == scene.tree
    assert again.style("buildings") == scene.style("buildings")
    assert again.modified
    save_project(again, path)
    assert open_project(path)[1] == []


def test_relinking_to_the_wrong_file_changes_nothing(
    scene: Scene, buildings: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    buildings.unlink()
    again, _, _ = open_project(path)
    with pytest.raises(InputError):
        relink(again, "buildings", tmp_path / "none.geojson")
    assert [e.id for e in again.absent] == ["buildings"]


def test_a_changed_source_is_reported_until_accepted(
    scene: Scene,
    buildings: Path,
    tmp_path: Path,
    make_buildings: Callable[[Path, list[float]], Path],
) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    make_buildings(buildings, [11.0, 20.0, 30.0])
    for _ in range(2):
        again, warnings, _ = open_project(path)
        assert len(warnings) == 1
        assert "changed" in warnings[0]
        assert again["buildings"].source.sha256 != scene["buildings"].source.sha256
        save_project(again, path)
    accept_source(again, "buildings")
    save_project(again, path)
    assert open_project(path)[1] == []


def test_layers_arrive_one_by_one_in_their_places(scene: Scene, tmp_path: Path) -> None:
    scene.set_tree(["tower", *scene.groups])
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    content = read_project(path)
    window = build_scene(content)
    assert len(window) == 0
    assert window.full_tree == scene.tree
    assert window.groups == [Group("group_1", "现状")]
    for entry in reversed(window.absent):
        window.arrive(load_entry(entry, content.georeference))
    assert window.tree == scene.tree
    assert not window.modified
    assert window.absent == ()


def test_saving_as_while_stored_layers_still_load_keeps_them(scene: Scene, tmp_path: Path) -> None:
    save_project(scene, tmp_path / "p.plumb.gpkg")
    window = build_scene(read_project(tmp_path / "p.plumb.gpkg"))
    save_project(window, tmp_path / "copy.plumb.gpkg")
    (tmp_path / "p.plumb.gpkg").unlink()
    again, warnings, _ = open_project(tmp_path / "copy.plumb.gpkg")
    assert warnings == []
    np.testing.assert_array_equal(again["tower"].data.vertices, scene["tower"].data.vertices)


def test_tables_of_others_survive_a_save(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    gpd.GeoDataFrame({"a": [1]}, geometry=gpd.points_from_xy([1], [2]), crs=4549).to_file(
        path, layer="手绘", driver="GPKG"
    )
    save_project(scene, path)
    assert gpd.read_file(path, layer="手绘").geometry[0].x == 1
    assert open_project(path)[1] == []


def test_removed_layers_leave_the_file(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    scene.remove("tower")
    save_project(scene, path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM plumbline_data").fetchone() == (0,)
    assert open_project(path)[0].layer_ids == ["buildings"]


def test_absolute_paths_are_reported(
    scene: Scene, buildings: Path, tmp_path: Path, edit: Callable[..., None]
) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    relative = '"path":"数据 2026/建筑 a.geojson"'
    edit(
        path,
        "UPDATE plumbline_layers SET source = replace(source, ?, ?)",
        (relative, f'"path":"{buildings.as_posix()}"'),
    )
    content = read_project(path)
    assert len(content.warnings) == 1
    assert buildings.as_posix() in content.warnings[0]


def test_saves_are_counted(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "p.plumb.gpkg"
    for _ in range(3):
        save_project(scene, path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM plumbline_saves").fetchone() == (3,)


def test_values_that_are_not_finite_do_not_stop_a_save(
    scene: Scene, tmp_path: Path, camera: Camera, make_record: MakeRecord
) -> None:
    path = tmp_path / "p.plumb.gpkg"
    broken = replace(camera, position=(float("nan"), 0.0, 0.0))
    scene.set_records(
        [
            make_record("r", 1.0),
            replace(make_record("s", 1.0), values={"d": {"value": np.float64("inf")}}),
        ]
    )
    save_project(scene, path, broken)
    content = read_project(path)
    assert content.camera is None
    assert content.warnings == ()
    assert content.records[1].values == {"d": {"value": None}}
