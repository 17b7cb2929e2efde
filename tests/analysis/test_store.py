"""Result folders: their format, their safety, their replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from plumbline.analysis import replay as replay_module
from plumbline.analysis.registry import Registry
from plumbline.analysis.replay import replay
from plumbline.analysis.result import Result, Table, Value
from plumbline.analysis.runner import run
from plumbline.analysis.store import document, plain, read_result, write_result
from plumbline.core.data import PointCloudData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Scene
from plumbline.io import load

KEYS = [
    "analysis",
    "version",
    "params",
    "values",
    "tables",
    "layers",
    "figures",
    "warnings",
    "provenance",
]


@pytest.fixture
def result(analyses: Registry, scene: Scene) -> Result:
    return run("sample.all", scene, {"at": "1,2,3"})


def test_documents_lie_beside_and_are_named(result: Result, tmp_path: Path) -> None:
    result.documents["剖面 1.dxf"] = b"0\nEOF\n"
    path = write_result(result, tmp_path / "out")
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["documents"] == {"剖面 1.dxf": "剖面_1.dxf"}
    assert (path.parent / "剖面_1.dxf").read_bytes() == b"0\nEOF\n"
    assert read_result(path).provenance["files"]["documents"] == data["documents"]


def test_the_format_is_the_stable_one(result: Result, tmp_path: Path) -> None:
    path = write_result(result, tmp_path / "out")
    assert path == tmp_path / "out" / "result.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    assert list(data) == KEYS
    assert data["values"]["length"] == {"value": 1.1, "unit": "m", "uncertainty": 0.02}
    assert data["values"]["layers"] == {"value": 1, "unit": "", "uncertainty": None}
    assert data["tables"] == {"rows/of": "rows_of.csv"}
    assert data["figures"] == {"chart": "chart.png"}
    assert {"inputs", "crs", "engine", "started", "seconds"} <= set(data["provenance"])
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "chart.png",
        "result.json",
        "rows_of.csv",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_tables_keep_every_digit_and_unknown_cells_are_empty(
    result: Result, tmp_path: Path
) -> None:
    text = (write_result(result, tmp_path / "out").parent / "rows_of.csv").read_text("utf-8")
    assert text.splitlines()[:3] == ["n,third,none,yes", "0,0.0,,True", f"1,{1 / 3!r},,True"]


def test_a_result_reads_back(result: Result, tmp_path: Path) -> None:
    path = write_result(result, tmp_path / "out")
    again = read_result(path.parent)
    assert again.values == result.values
    assert again.tables["rows/of"].columns == ("n", "third", "none", "yes")
    assert again.params == result.params


def test_only_its_own_files_are_replaced(result: Result, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_result(result, out)
    (out / "notes.txt").write_text("mine")
    result.tables = {}
    write_result(result, out)
    assert sorted(p.name for p in out.iterdir()) == ["chart.png", "notes.txt", "result.json"]
    assert (out / "notes.txt").read_text() == "mine"


def test_a_foreign_file_is_never_overwritten(result: Result, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "rows_of.csv").write_text("mine")
    with pytest.raises(UsageError, match="belongs to something else"):
        write_result(result, out)
    assert [p.name for p in out.iterdir()] == ["rows_of.csv"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_foreign_result_json_is_never_overwritten(result: Result, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"something": "else"}')
    with pytest.raises(InputError, match="no result of Plumbline"):
        write_result(result, tmp_path)
    assert json.loads((tmp_path / "result.json").read_text()) == {"something": "else"}


def test_a_file_is_no_folder(result: Result, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="needs a folder"):
        write_result(result, tmp_path / "out")


def test_a_failure_half_way_leaves_the_earlier_result(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_result(result, tmp_path / "out")
    before = path.read_bytes()

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        write_result(result, tmp_path / "out")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_names_that_collide_get_files_of_their_own() -> None:
    table = Table(("a",), ())
    result = Result(tables={"a b": table, "a_b": table, "A B": table, "../x": table, "表": table})
    names = document(result)["tables"]
    assert len({name.lower() for name in names.values()}) == 5
    assert all("/" not in name and name.endswith(".csv") for name in names.values())


def test_numbers_that_json_does_not_know_become_null() -> None:
    value: Any = {"a": np.float32(0.5), "b": [np.nan, np.int64(3)], "c": np.array([1.0, np.inf])}
    assert plain(value) == {"a": 0.5, "b": [None, 3], "c": [1.0, None]}


def test_layers_are_written_in_open_formats(tmp_path: Path) -> None:
    points = PointCloudData(np.array([[0.0, 1, 2], [3, 4, 5]]))
    result = Result(
        layers={"seen": Layer("seen", "seen", LayerKind.POINTCLOUD, points)},
        analysis="a",
        version="1",
        provenance={"inputs": [], "crs": None},
    )
    path = write_result(result, tmp_path / "out")
    assert json.loads(path.read_text())["layers"] == {"seen": "seen.ply"}
    assert load(path.parent / "seen.ply")[0].bounds is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"analysis": 3}',
        '{"analysis":"a","version":"1","params":{},"values":{"x":{}},"provenance":{}}',
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError, match="no result of Plumbline"):
        read_result(tmp_path)


def test_a_result_cannot_name_files_outside_its_folder(result: Result, tmp_path: Path) -> None:
    precious = tmp_path / "precious.csv"
    precious.write_text("a\n1\n")
    path = write_result(result, tmp_path / "out")
    data = json.loads(path.read_text())
    data["tables"] |= {"evil": "../precious.csv", "worse": str(precious), "dot": ".."}
    path.write_text(json.dumps(data))
    assert list(read_result(path).tables) == ["rows/of"]
    write_result(result, tmp_path / "out")
    assert precious.exists()


# -- replay ----------------------------------------------------------------------------------


@pytest.fixture
def terrain(tmp_path: Path) -> Path:
    path = tmp_path / "地形 dem.tif"
    heights = np.random.default_rng(3).normal(40, 4, (30, 40)).astype("float32")
    transform = Affine(2, 0, 590_000, 0, -2, 4_000_060)
    with rasterio.open(
        path, "w", driver="GTiff", width=40, height=30, count=1, dtype="float32",
        crs="EPSG:4549", transform=transform,
    ) as file:  # fmt: skip
        file.write(heights, 1)
    return path


@pytest.fixture
def measured(terrain: Path, tmp_path: Path) -> Path:
    scene = Scene()
    scene.add(load(terrain, layer_id="dem")[0])
    line = [[590_005, 4_000_050], [590_070, 4_000_010]]
    result = run("measure.polyline", scene, {"points": line, "surface": "dem"})
    return write_result(result, tmp_path / "out")


def test_a_replay_gives_the_same_numbers(measured: Path) -> None:
    result, differences = replay(measured)
    assert differences == []
    assert result.values == read_result(measured).values


def test_a_replay_names_a_number_that_is_not_the_same(measured: Path) -> None:
    data = json.loads(measured.read_text())
    data["values"]["length"]["value"] *= 1 + 1e-6
    measured.write_text(json.dumps(data))
    _, differences = replay(measured)
    assert [d.what for d in differences] == ["length"]


def test_a_replay_forgives_what_the_tolerance_forgives(measured: Path) -> None:
    data = json.loads(measured.read_text())
    data["values"]["length"]["value"] *= 1 + 1e-12
    measured.write_text(json.dumps(data))
    assert replay(measured)[1] == []


def test_a_replay_says_that_an_input_has_changed(measured: Path, terrain: Path) -> None:
    with rasterio.open(terrain, "r+") as file:
        file.write(file.read(1) + 1, 1)
    _, differences = replay(measured)
    assert differences[0].what == "input dem"
    assert "has changed since" in differences[0].message


def test_a_moved_folder_replays_from_where_it_lies_now(measured: Path, tmp_path: Path) -> None:
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    assert replay(moved / "out" / "result.json")[1] == []


def test_a_missing_input_is_named(measured: Path, terrain: Path) -> None:
    terrain.unlink()
    with pytest.raises(InputError, match="dem"):
        replay(measured)


def test_another_version_of_the_analysis_is_said(measured: Path) -> None:
    data = json.loads(measured.read_text())
    data["version"] = "0"
    measured.write_text(json.dumps(data))
    assert [d.what for d in replay(measured)[1]] == ["version"]


def test_tables_are_compared_cell_by_cell() -> None:
    def result(*rows: tuple[Any, ...]) -> Result:
        return Result(values={"n": Value(1)}, tables={"t": Table(("a", "b"), rows)})

    def read(one: Result) -> Result:
        columns, rows = replay_module._as_read(one.tables["t"])
        return Result(values=one.values, tables={"t": Table(columns, rows)})

    a = result((1, "x"), (2.5, None))
    assert replay_module.compare(read(a), a) == []
    assert replay_module.compare(read(a), result((1, "x"), (2.5 + 1e-13, None))) == []
    for other in (
        result((1, "x")),
        result((1, "y"), (2.5, None)),
        result((1, "x"), (2.6, None)),
        Result(values={"n": Value(1)}),
    ):
        assert [d.what for d in replay_module.compare(read(a), other)] == ["t"]


def layered(shift: float, folder: Path) -> Result:
    """Return a result with a raster, features, a mesh and points, moved by `shift` metres."""
    import geopandas
    import shapely

    from plumbline.core.data import MeshData, VectorData
    from plumbline.io.writers import write_raster

    folder.mkdir()
    write_raster(folder / "grid.tif", np.full((4, 5), 1.5 + shift), (1.0, 0.0, 0.0, 0.0, -1.0, 4.0))
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, shift]])
    frame = geopandas.GeoDataFrame(
        {"height": [2.0 + shift]}, geometry=[shapely.Point(1.0, 2.0)], crs=None
    )
    layers = {
        "grid": load(folder / "grid.tif")[0],
        "mesh": Layer("mesh", "mesh", LayerKind.MESH, MeshData(corners, np.array([[0, 1, 2]]))),
        "points": Layer("points", "points", LayerKind.POINTCLOUD, PointCloudData(corners)),
        "features": Layer("features", "features", LayerKind.VECTOR, VectorData(frame)),
    }
    provenance: dict[str, Any] = {"inputs": [], "crs": None}
    return Result(layers=layers, analysis="a", version="1", provenance=provenance)


@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_layers_are_compared_by_their_numbers(tmp_path: Path, shift: float) -> None:
    path = write_result(layered(0.0, tmp_path / "before"), tmp_path / "out")
    stored = replay_module.read_stored(path)
    now = layered(shift, tmp_path / "now")
    (tmp_path / "again").mkdir()
    found = replay_module._compare_layers(stored, path.parent, now, tmp_path / "again")
    assert [d.what for d in found] == ([] if shift == 0.0 else sorted(now.layers))


def test_a_layer_that_is_gone_is_said(tmp_path: Path) -> None:
    path = write_result(layered(0.0, tmp_path / "before"), tmp_path / "out")
    stored = replay_module.read_stored(path)
    now = layered(0.0, tmp_path / "now")
    del now.layers["grid"]
    (path.parent / "mesh.ply").unlink()
    (tmp_path / "again").mkdir()
    found = replay_module._compare_layers(stored, path.parent, now, tmp_path / "again")
    assert [d.what for d in found] == ["grid", "mesh"]
