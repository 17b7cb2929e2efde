"""Entities from footprints: what is joined, what is measured, what is told, what is taken out."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from city_scene import GROUND, HEIGHTS, IDS, city, outline

from plumbline.analysis.dossier import dossier
from plumbline.analysis.entities import Built, build, plan
from plumbline.analysis.entity_layer import overlay_layer
from plumbline.analysis.extract import extracted_layer, part_of_entity
from plumbline.core.city import CityEntity
from plumbline.core.data import GridData, MeshData, PointCloudData
from plumbline.core.errors import RefusedError, UsageError
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Record, Scene

TABLE = ("rates.csv", ("No", "owner", "storeys"), (("A1", "Li", 4), ("A3", "Wang", 1)), "No")


def built(scene: Scene, **options: Any) -> Built:
    found = build(plan(scene, "footprints", **options))
    scene.set_entities(found.entities)
    return found


def by_id(found: Built) -> dict[str, CityEntity]:
    return {one.id: one for one in found.entities}


def rows(groups: list[tuple[str, list[tuple[str, Any]]]]) -> dict[str, dict[str, Any]]:
    return {title: dict(entries) for title, entries in groups}


def mesh_area(data: MeshData) -> float:
    p = data.vertices[data.triangles]
    return float(np.abs(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])[:, 2]).sum() / 2)


def test_a_footprint_becomes_an_entity_with_its_parts() -> None:
    scene = city()
    found = by_id(built(scene))
    assert tuple(found) == IDS
    inn, shop, hut = (found[i] for i in IDS)
    assert (inn.name, shop.name, hut.name) == ("Inn", "Shop", "")
    # The model on the footprint, and the one of the same id wherever it stands.
    assert inn.parts == (EntityRef("footprints", "0"), EntityRef("models", "m1"))
    assert shop.parts == (EntityRef("footprints", "1"), EntityRef("models", "A2"))
    assert {part.layer for part in hut.surfaces} == {"capture", "points"}
    assert (inn.storeys, inn.sources["storeys"]) == (4, "层数")
    assert hut.storeys is None


@pytest.mark.parametrize("surface", ["capture", "points"])
def test_heights_are_measured_on_what_stands_above(surface: str) -> None:
    found = by_id(built(city("footprints", surface)))
    for n, ident in enumerate(IDS):
        one = found[ident]
        assert one.base == pytest.approx(GROUND, abs=1e-9)
        assert one.top == pytest.approx(GROUND + HEIGHTS[n], abs=1e-9)
        assert one.height == pytest.approx(HEIGHTS[n], abs=1e-9)
        assert one.sources["height"] == "measured"


def test_bare_ground_is_no_building() -> None:
    scene = city("footprints", "capture")
    flat = scene["capture"].data
    assert isinstance(flat, MeshData)
    flat.vertices[:, 2] = GROUND
    assert all(one.surfaces == () and one.height is None for one in built(scene).entities)


def test_any_part_leads_to_its_entity() -> None:
    scene = city()
    built(scene)
    book, east, north = scene.entity_book, *outline(0).centroid.coords[0]
    inn = book.by_id["A1"]
    assert book.of(EntityRef("footprints", "0")) is inn
    assert book.of(EntityRef("models", "m1")) is inn
    assert book.at("capture", east, north) is inn
    assert book.at("points", east + 20, north) is book.by_id["A2"]
    assert book.at("capture", east + 10, north) is None
    assert book.at("footprints", east, north) is None  # its things are known by their ids


def test_rows_of_tables_and_documents() -> None:
    scene = city("footprints")
    found = built(scene, tables=[TABLE], columns={"documents": "plan"})
    inn, shop, hut = found.entities
    assert inn.documents == ("inn.pdf", "inn.dwg")
    assert inn.rows == {"rates.csv": {"No": "A1", "owner": "Li", "storeys": 4}}
    assert (hut.storeys, hut.sources["storeys"]) == (1, "rates.csv: storeys")
    assert shop.rows == {}
    assert len(found.warnings) == 1
    assert "A2" in found.warnings[0]


def test_footprints_of_one_id_are_one_entity() -> None:
    scene = city("footprints")
    scene["footprints"].data.features["编号"] = ["A1", "A1", None]  # type: ignore[union-attr]
    found = built(scene)
    assert [one.id for one in found.entities] == ["A1", "2"]
    assert found.entities[0].shape().area == pytest.approx(200)
    assert len(found.warnings) == 2


def test_a_dossier_gathers_what_is_known() -> None:
    scene = city()
    one = built(scene, tables=[TABLE], columns={"documents": "plan"}).entities[0]
    request = {"params": {"targets": [{"layer": "models", "entities": ["m1"]}]}}
    place = (*outline(0).centroid.coords[0], 17.0)
    scene.set_records(
        [
            Record("r1", "Sun on the inn", request, {}, label="3.5 h"),
            Record("r2", "Height", {}, {}, (place,), "12.00 m"),
            Record("r3", "Elsewhere", {}, {}, ((0.0, 0.0, 0.0),), "1 m"),
        ]
    )
    west, _, _, north = outline(0).bounds
    values = np.array([[2.0, 4.0, 100.0]], dtype=np.float32)
    transform = (5.0, 0.0, west, 0.0, -10.0, north)
    grid = GridData(values, transform, quantity="Sunlight", unit="h")
    scene.add(Layer("hours", "Hours", LayerKind.RASTER, grid, scene.georeference.crs))
    told = rows(dossier(scene, one))
    assert told["Entity"]["Height"] == "12.00 m (measured)"
    assert told["Entity"]["Storeys"] == "4 (层数)"
    assert told["Entity"]["Footprint area"] == "100.0 m²"
    assert told["Footprints"]["名称"] == "Inn"
    assert told["Models"]["architect"] == "Wu"
    assert told["Capture"]["Highest"] == GROUND + 12
    assert told["rates.csv"]["owner"] == "Li"
    assert list(told["Documents"].values()) == ["inn.pdf", "inn.dwg"]
    assert set(told["Results"]) == {"Sun on the inn", "Height", "Hours"}
    # The third cell lies beside the house.
    assert told["Results"]["Hours"].startswith("2.00 h to 4.00 h")


def test_the_part_of_a_mesh_is_cut_exactly_and_the_source_stays() -> None:
    scene = city("footprints", "capture")
    one = built(scene).entities[0]
    source = scene["capture"].data
    assert isinstance(source, MeshData)
    before = (source.vertices.copy(), source.triangles.copy())
    part = part_of_entity(scene["capture"], one)
    assert isinstance(part, MeshData)
    assert mesh_area(part) == pytest.approx(100, abs=1e-6)
    wide = part_of_entity(scene["capture"], one, margin=0.25)
    assert isinstance(wide, MeshData)
    assert mesh_area(wide) == pytest.approx(10.5**2, abs=1e-6)
    assert wide.uv is not None
    assert np.array_equal(source.vertices, before[0])
    assert np.array_equal(source.triangles, before[1])


def test_the_part_of_a_model_and_of_a_cloud() -> None:
    scene = city()
    one = built(scene).entities[0]
    model = part_of_entity(scene["models"], one)
    assert isinstance(model, MeshData)
    assert ([e.id for e in model.elements], len(model.triangles)) == (["m1"], 12)
    assert model.bounds is not None
    assert model.bounds.zmax == GROUND + 12
    cloud = part_of_entity(scene["points"], one)
    assert isinstance(cloud, PointCloudData)
    xy = shapely.points(cloud.points[:, :2])
    assert shapely.intersects(outline(0), xy).all()
    assert len(cloud.points) == 21 * 21  # half metres from edge to edge
    layer = extracted_layer(scene["points"], one, "inn_points")
    assert (layer.kind, layer.name) == (LayerKind.POINTCLOUD, "Inn of Points")


def test_what_is_not_there_is_refused() -> None:
    scene = city("footprints", "capture")
    one = built(scene).entities[0]
    moved = replace(one, outline=((((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)),),))
    with pytest.raises(RefusedError):
        part_of_entity(scene["capture"], moved)
    with pytest.raises(RefusedError):
        plan(scene, "capture")
    with pytest.raises(UsageError):
        plan(scene, "footprints", columns={"height": "tallness"})
    with pytest.raises(UsageError):
        plan(scene, "footprints", margin=float("nan"))
    with pytest.raises(RefusedError):
        plan(scene, "footprints", expression="层数 > 100")


def test_the_overlay_stands_around_what_it_tints() -> None:
    scene = city("footprints", "capture")
    found = built(scene)
    layer = overlay_layer(found.entities, scene.georeference.crs, "tint", "height")
    scene.add(layer)
    frame = layer.data.features  # type: ignore[union-attr]
    assert list(frame.index) == list(IDS)
    assert frame.geometry.iloc[0].contains(outline(0))
    assert frame["prism_base"].iloc[0] < GROUND
    assert frame["prism_base"].iloc[0] + frame["prism"].iloc[0] > GROUND + 12
    assert layer.style.attribute == "height"


def test_delft_roofs_agree_with_the_lidar_percentiles(real_data: Path) -> None:
    """Against percentiles that were computed per building with other tools."""
    from plumbline.io import load

    path = real_data / "vector/delft_bgt/bgt_pand.sqlite"
    scene = Scene()
    for layer in load(path):
        scene.add(layer)
    scene.add(load(real_data / "pointcloud/3dfier_ahn3/ahn3_cropped_1.laz", crs="EPSG:28992")[0])
    found = build(plan(scene, scene.layer_ids[-1], columns={"id": "gml_id"}))
    reference = real_data / "reference/delft/building_heights_lidar_vs_models.csv"
    with reference.open(encoding="utf-8") as file:
        known = {r["gml_id"]: r for r in csv.DictReader(file)}
    differences = [
        one.top - float(known[one.id]["p90_z"])
        for one in found.entities
        if one.top is not None and float(known[one.id]["n_pts_class0_1_6"] or 0) > 100
    ]
    assert len(differences) > 50
    assert 0 <= np.median(differences) < 1.0  # the roof is the 98th percentile, not the 90th
