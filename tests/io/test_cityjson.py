"""CityJSON and CityJSONSeq: objects, levels of detail, meanings, holes, templates, refusals."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import CRS
from tests.io.city_files import city, write_city, write_sequence
from tests.io.mesh_files import area, load_mesh, mesh_of, volume, write

from plumbline.core.data import MeshData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.layer import LayerKind
from plumbline.io import load, loader_for


def part(data: MeshData, element: str) -> MeshData:
    """Return the triangles of one element."""
    assert data.element_index is not None
    number = [e.id for e in data.elements].index(element)
    return MeshData(data.vertices, data.triangles[data.element_index == number])


def meanings(data: MeshData) -> Counter[str]:
    assert data.material_index is not None
    return Counter(data.materials[n].name for n in data.material_index)


@pytest.fixture(params=["a.city.json", "屋 b.json", "c.jsonl"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    return write_sequence(path) if path.suffix == ".jsonl" else write_city(path)


def test_objects_come_with_their_attributes(file: Path) -> None:
    data, layer = load_mesh(file)
    assert layer.kind is LayerKind.MESH
    assert layer.name == file.name.split(".")[0]
    assert layer.crs == CRS.from_epsg(32651)
    assert layer.counts["buildings"] == 2
    assert layer.counts["elements"] == 5
    by_id = {e.id: e for e in data.elements}
    assert by_id["tower"].name == "塔"
    assert by_id["tower"].properties["Building"] == {
        "name": "塔", "storeys": 4, "owner": '{"kind": "public"}',
    }  # fmt: skip
    assert by_id["tower-a"].parent == "tower"
    assert by_id["tower-a"].cls == "BuildingPart"
    assert any("points or lines" in warning for warning in layer.warnings)


def test_solids_face_outwards_and_are_placed(file: Path) -> None:
    data, layer = load_mesh(file)
    tower = part(data, "tower-a")
    shifted = MeshData(tower.vertices - [500_000, 4_000_000, 100], tower.triangles)
    assert volume(shifted) == pytest.approx(1000.0)
    assert layer.bounds is not None
    assert layer.bounds.as_list()[:3] == pytest.approx([500_000, 4_000_000, 100])
    # 2 triangles each of ground and roof, 8 of walls.
    assert meanings(data)["GroundSurface"] == 2
    assert meanings(data)["WallSurface"] == 8


def test_a_hole_stays_open(file: Path) -> None:
    data, _ = load_mesh(file)
    house = part(data, "house")
    assert area(house) == pytest.approx(200 - 36)
    corners = house.vertices[house.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).all()


def test_a_template_is_turned_scaled_and_put_in_its_place(file: Path) -> None:
    data, _ = load_mesh(file)
    tree = part(data, "tree")
    corners = tree.vertices[tree.triangles].reshape(-1, 3) - [500_000, 4_000_000, 100]
    assert corners.tolist() == pytest.approx(np.array([[50, 0, 0], [52, 0, 0], [50, 2, 0]]))


def test_the_highest_level_hides_the_coarser_one_of_the_whole(file: Path) -> None:
    data, layer = load_mesh(file)
    assert layer.metadata["lods"] == ["0", "1", "2.2"]
    assert len(part(data, "tower").triangles) == 0
    (coarse,) = load(file, {"lod": "0"}, digest=False)
    assert len(part(mesh_of(coarse), "tower").triangles) == 2
    assert len(part(mesh_of(coarse), "tower-a").triangles) == 0
    (same,) = load(file, {"lod": "2.20"}, digest=False)
    assert len(mesh_of(same).triangles) == 12
    assert coarse.counts["buildings"] == 2


def test_a_level_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(InputError, match=r"It holds: 0, 1, 2\.2"):
        load(file, {"lod": "3"})
    with pytest.raises(UsageError, match="no level of detail"):
        load(file, {"lod": "all"})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("urn:ogc:def:crs:EPSG::7415", 7415),
        ("http://www.opengis.net/def/crs/EPSG/0/4549", 4549),
        ("EPSG:28992", 28992),
    ],
)
def test_spellings_of_a_crs(tmp_path: Path, name: str, expected: int) -> None:
    document = city()
    document["metadata"]["referenceSystem"] = name
    _, layer = load_mesh(write_city(tmp_path / "a.json", document))
    assert layer.crs == CRS.from_epsg(expected)


def test_a_crs_that_nobody_knows_is_said(tmp_path: Path) -> None:
    document = city()
    document["metadata"]["referenceSystem"] = "https://www.opengis.net/def/crs/EPSG/0/999999"
    _, layer = load_mesh(write_city(tmp_path / "a.json", document))
    assert layer.crs is None
    assert any("999999" in warning for warning in layer.warnings)


def test_latitude_first_is_recognised(tmp_path: Path) -> None:
    for order in ([35.25, 139.73, 3.0], [139.73, 35.25, 3.0]):
        document = city()
        document["metadata"]["referenceSystem"] = "EPSG:6697"
        document["transform"] = {"scale": [1e-9] * 3, "translate": order}
        _, layer = load_mesh(write_city(tmp_path / "a.json", document), {"lod": "2.2"})
        assert layer.bounds is not None
        assert layer.bounds.xmin == pytest.approx(139.73, abs=1e-3)
        assert layer.bounds.ymin == pytest.approx(35.25, abs=1e-3)
        assert "first" in layer.metadata["axis_order"]


def test_meanings_nested_too_deep_or_missing(tmp_path: Path) -> None:
    document = city()
    solid = document["CityObjects"]["tower-a"]["geometry"][0]
    for values in ([[[0, 1, 2, 2, 2, 2]]], [0, 1, 2, 2, 2, 2]):
        solid["semantics"]["values"] = values
        data, _ = load_mesh(write_city(tmp_path / "a.json", document))
        assert meanings(data)["RoofSurface"] == 2
    solid["semantics"]["values"] = [None]
    data, _ = load_mesh(write_city(tmp_path / "a.json", document))
    assert meanings(data)["BuildingPart"] == 12
    solid["semantics"]["values"] = [[0, 1]]
    data, layer = load_mesh(write_city(tmp_path / "a.json", document))
    assert any("do not say" in warning for warning in layer.warnings)


def broken(change: Any) -> dict[str, Any]:
    document = city()
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["vertices"].pop(), "not there"),
        (lambda d: d["vertices"].__setitem__(0, [1, 2]), "cannot be read"),
        (lambda d: d["vertices"].__setitem__(0, [10**400, 2, 3]), "cannot be read"),
        (lambda d: d["transform"].update(scale=[1, 2]), "three numbers"),
        (lambda d: d["transform"].update(scale=[float("inf")] * 3), "three numbers"),
        (lambda d: d.update(version="0.8"), "CityJSON 0.8"),
        (lambda d: d.update(version="7.0"), "CityJSON 7.0"),
        (lambda d: d.update(CityObjects={}), "no triangles"),
        (lambda d: d.update(CityObjects=[]), "damaged"),
        (lambda d: d["CityObjects"]["tower"].pop("type"), "damaged"),
        (lambda d: d["geometry-templates"]["templates"].clear(), "cannot be read"),
        (lambda d: d["geometry-templates"]["vertices-templates"].pop(), "not there"),
        (lambda d: d.update(type="CityJSONFeature"), "no CityJSON"),
    ],
)
def test_damaged_models_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    path = write_city(tmp_path / "a.json", broken(change))
    with pytest.raises(InputError, match=words) as caught:
        load(path, digest=False)
    assert "\n" not in str(caught.value)


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '{"type": "CityJSON", "vertices": ' + "[" * 200_000)
    with pytest.raises(InputError):
        load(path, digest=False)


def test_templates_cannot_multiply_a_small_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.io.city.MAX_CORNERS", 100)
    document = city()
    document["CityObjects"]["tree"]["geometry"] *= 50
    with pytest.raises(InputError, match="too many corners"):
        load(write_city(tmp_path / "a.json", document), digest=False)


def test_a_cut_sequence_is_refused(tmp_path: Path) -> None:
    raw = write_sequence(tmp_path / "a.jsonl").read_bytes()
    (tmp_path / "a.jsonl").write_bytes(raw[:-40])
    with pytest.raises(InputError):
        load(tmp_path / "a.jsonl", digest=False)
    write(tmp_path / "a.jsonl", raw + json.dumps({"type": "Feature"}).encode())
    with pytest.raises(InputError, match="line 6 is no CityJSONFeature"):
        load(tmp_path / "a.jsonl", digest=False)
    repeated = raw + raw.splitlines()[-1] + b"\n"
    (layer,) = load(write(tmp_path / "a.jsonl", repeated), digest=False)
    assert any("was there before" in warning for warning in layer.warnings)


def test_geojson_with_the_same_extension_stays_geojson(tmp_path: Path) -> None:
    assert loader_for(write(tmp_path / "a.json", '{"type":"FeatureCollection"}')).id == "geojson"
    assert loader_for(write_city(tmp_path / "b.geojson")).id == "cityjson"
    tail = json.dumps({"vertices": [[0, 0, 0]] * 40_000, "type": "CityJSON"})
    assert loader_for(write(tmp_path / "c.json", tail)).id == "cityjson"


@pytest.mark.parametrize(
    ("file", "crs", "objects", "buildings"),
    [
        ("citymodel/cjio/delft.json", 7415, 570, 160),
        ("citymodel/versions_rotterdam/initial.json", None, 853, 853),
        ("citymodel/versions_rotterdam/initial_deleted_building.json", None, 852, 852),
        ("mesh/3dfier_output/testarea.json", 7415, 570, 160),
    ],
)
def test_real_cities(
    real_data: Path, file: str, crs: int | None, objects: int, buildings: int
) -> None:
    (layer,) = load(real_data / file, digest=False)
    assert layer.counts["elements"] == objects
    assert layer.counts["buildings"] == buildings
    assert layer.crs == (CRS.from_epsg(crs) if crs else None)
    stated = json.loads((real_data / file).read_bytes())["metadata"]["geographicalExtent"]
    assert layer.bounds is not None
    found = layer.bounds.as_list()
    # Heights are left out: the writer of testarea.json states 0 for both.
    assert [found[n] for n in (0, 1, 3, 4)] == pytest.approx([stated[n] for n in (0, 1, 3, 4)])


def test_roofs_of_a_real_city_look_up(real_data: Path) -> None:
    (layer,) = load(real_data / "citymodel/versions_rotterdam/initial.json", digest=False)
    data = mesh_of(layer)
    assert data.material_index is not None
    names = np.array([m.name for m in data.materials])[data.material_index]
    assert set(names) == {"RoofSurface", "WallSurface", "GroundSurface"}
    corners = data.vertices[data.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    roofs, ground = normals[names == "RoofSurface"], normals[names == "GroundSurface"]
    assert (roofs > -1e-6).mean() > 0.97  # some have undersides
    assert (ground < 1e-6).mean() > 0.99
