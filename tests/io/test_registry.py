"""The door through which files come in: options, sources, ids, CRS, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import CRS
from tests.io.mesh_files import load_mesh, write

from plumbline.core.data import RasterData
from plumbline.core.errors import InputError, MissingCrsError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import LANGUAGES, translator
from plumbline.io import load, loader_for, loaders
from plumbline.io.info import as_json, describe
from plumbline.io.registry import FOREIGN
from plumbline.io.writers import write_raster

OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def test_every_row_can_be_resolved_and_no_extension_has_two() -> None:
    extensions = [e for spec in loaders() for e in spec.extensions]
    assert len(extensions) == len(set(extensions))
    assert len({spec.id for spec in loaders()}) == len(loaders())
    for spec in loaders():
        assert callable(spec.resolve())
        for extension in spec.extensions:
            assert extension == extension.lower()
            assert loader_for(Path(f"屋 a{extension.upper()}")) is spec


def test_what_is_noted_about_the_source(tmp_path: Path) -> None:
    path = write(tmp_path / "三维 模型" / "a b.obj", OBJ)
    (layer,) = load(path, {"scale": "2"}, layer_id="m", crs="EPSG:4549")
    assert layer.id == "m"
    assert layer.name == "a b"
    source = layer.source
    assert source is not None
    assert source.path == path
    assert source.loader == "obj"
    assert source.size == len(OBJ)
    assert source.sha256 == hashlib.sha256(OBJ.encode()).hexdigest()
    assert source.options == {"scale": 2.0}
    assert source.crs == "EPSG:4549"
    assert source.sublayer == ""


def test_the_crs_that_the_user_states_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_raster(path, np.ones((4, 4), np.float32), (1, 0, 0, 0, -1, 9), CRS.from_epsg(3857))
    (layer,) = load(path, crs="EPSG:4549")
    assert layer.crs == CRS.from_epsg(4549)
    assert isinstance(layer.data, RasterData)
    assert layer.data.crs == layer.crs
    assert layer.metadata["crs_source"] == "user"


def test_a_layer_without_crs_is_not_guessed_in_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.obj", OBJ)
    with pytest.raises(MissingCrsError, match="--crs"):
        load(path, target_crs=CRS.from_epsg(4549))
    place = {"offset": "40500000,4000000,0"}
    (layer,) = load(path, place, crs="EPSG:4528", target_crs=CRS.from_epsg(4549))
    assert layer.crs == CRS.from_epsg(4549)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.obj", None, "There is no file"),
        ("empty.obj", b"", "is empty"),
        ("a.xyzzy", b"x", "no loader for .xyzzy"),
        ("noextension", b"x", "no loader for"),
    ],
)
def test_what_cannot_be_opened(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        load(path)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "title", "way_out"),
    [
        ("a.rvt", "Revit", "IFC4"),
        ("图 纸.DWG", "DWG", "DXF"),
        ("a.dgn", "DGN", "DXF"),
        ("a.skp", "SketchUp", "glTF"),
        ("a.3dm", "Rhino", "OBJ"),
        ("a.stp", "STEP", "FreeCAD"),
        ("a.CATPart", "CATIA", "STL"),
        ("a.max", "3ds Max", "glTF"),
    ],
)
def test_a_foreign_format_is_named_with_the_way_out(
    tmp_path: Path, name: str, title: str, way_out: str
) -> None:
    with pytest.raises(InputError, match=title) as caught:
        load(write(tmp_path / name, "x"))
    assert way_out in caught.value.hint


def test_no_format_is_foreign_and_read() -> None:
    assert not FOREIGN.keys() & {e for spec in loaders() for e in spec.extensions}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "a.obj"
    folder.mkdir()
    with pytest.raises(InputError, match="is a folder"):
        load(folder)


def test_options_are_checked_before_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.obj", "this is no OBJ at all")
    with pytest.raises(UsageError, match="no option “upp”"):
        load(path, {"upp": "y"})
    with pytest.raises(UsageError, match="Choose one of: auto, y, z"):
        load(path, {"up": "north"})


def test_errors_speak_chinese(tmp_path: Path) -> None:
    assert "zh_CN" in LANGUAGES
    translator.set_language("zh_CN")
    with pytest.raises(InputError, match="名不副实"):
        load(write(tmp_path / "模型.obj", "<html></html>\n"))


def test_progress_never_goes_back(tmp_path: Path) -> None:
    seen: list[float] = []
    feedback = Feedback(lambda fraction, text: seen.append(fraction))
    path = write(tmp_path / "a.obj", OBJ)
    place = {"offset": "40500000,4000000,0"}
    load(path, place, feedback, crs="EPSG:4528", target_crs=CRS.from_epsg(4549))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_describe_has_the_stable_format(tmp_path: Path) -> None:
    path = write(tmp_path / "a.obj", OBJ)
    (entry,) = describe(path)
    assert list(entry) == [
        "path", "kind", "format", "crs", "counts", "bounds", "metadata", "warnings",
    ]  # fmt: skip
    assert entry["path"] == str(path)
    assert entry["kind"] == "mesh"
    assert entry["format"] == "Wavefront OBJ"
    assert entry["crs"] is None
    assert entry["counts"] == {"vertices": 3, "triangles": 1}
    assert entry["bounds"] == [0, 0, 0, 1, 1, 0]
    assert json.loads(json.dumps(entry)) == entry


def test_describe_names_layers_where_there_are_several(tmp_path: Path) -> None:
    import geopandas
    import shapely

    for name in ("a", "b"):
        frame = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs=4549)
        frame.to_file(tmp_path / "x.gpkg", layer=name, driver="GPKG")
    entries = describe(tmp_path / "x.gpkg")
    assert [entry["layer"] for entry in entries] == ["a", "b"]
    assert entries[0]["crs"] == "EPSG:4549"


def test_json_holds_no_number_that_json_cannot() -> None:
    value: dict[Any, Any] = {
        1: np.float32(0.5),
        "nan": float("nan"),
        "array": np.array([1, 2]),
        "path": Path("x"),
        "flag": np.bool_(True),
        "nested": ({"inf": np.inf},),
    }
    expected = {"1": 0.5, "nan": None, "array": [1, 2], "path": "x", "flag": True,
                "nested": [{"inf": None}]}  # fmt: skip
    assert as_json(value) == expected
    json.dumps(as_json(value), allow_nan=False)


def test_real_files_are_described(real_data: Path) -> None:
    counts = {
        "mesh/3dfier_output/testarea.obj": {"triangles": 28_619},
        "vector/goteborg/buildings.shp": {"features": 137},
        "vector/delft_bgt/bgt_pand.sqlite": {"features": 160},
        "vector/pybdshadow/bd_demo.json": {"features": 1_374},
        "vector/china_derived_gbk_cgcs2000/province_gbk.shp": {"features": 34},
        "terrain/qgis/dem25.tif": {"cells": 601 * 410},
        "reference/viewshed/grass_dem25_A.tif": {"cells": 601 * 410},
    }
    for name, expected in counts.items():
        (entry,) = describe(real_data / name)
        assert entry["counts"].items() >= expected.items()
        json.dumps(entry, allow_nan=False)


def test_a_mesh_keeps_its_place_through_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.obj", OBJ)
    monkeypatch.chdir(tmp_path)
    _, layer = load_mesh(Path("a.obj"))
    assert layer.source is not None
    assert layer.source.path == tmp_path / "a.obj"
