"""A small scene with everything a project keeps, for the tests of services."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from plumbline.core.data import MeshData
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Camera, Record, Scene, Scheme, Viewpoint
from plumbline.io import load

CAMERA = Camera((500100.25, 4000100.5, 300.0), (500000.0, 4000000.0, 0.0), parallel=True)


def write_geojson(path: Path, heights: list[float]) -> Path:
    """Write square buildings in EPSG:4549, one for each height."""
    features = [
        {
            "type": "Feature",
            "properties": {"高度": height, "用途": "住宅"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, 0], [x + 10, 0], [x + 10, 10], [x, 10], [x, 0]]],
            },
        }
        for x, height in zip(range(500000, 600000, 20), heights, strict=False)
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4549"}}
    text = json.dumps({"type": "FeatureCollection", "crs": crs, "features": features})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def record(name: str, length: float) -> Record:
    """Return a kept measurement of a length."""
    return Record(
        name,
        f"Width {name}",
        {"analysis": "measure.distance", "version": "1", "params": {}},
        {"distance": {"value": length, "unit": "m", "uncertainty": None}},
        ((500000.0, 4000000.0, 1.0), (500000.0 + length, 4000000.0, 1.0)),
        f"{length} m",
        "2026-11-20T10:00:00+08:00",
        "王工",
    )


def edit_database(path: Path, sql: str, values: tuple[object, ...] = ()) -> None:
    """Change a project behind Plumbline's back."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql, values)
        db.commit()


@pytest.fixture
def camera() -> Camera:
    """Return a view of the scene."""
    return CAMERA


@pytest.fixture
def make_record() -> Callable[[str, float], Record]:
    """Return the function that makes a kept measurement."""
    return record


@pytest.fixture
def make_buildings() -> Callable[[Path, list[float]], Path]:
    """Return the function that writes a file of buildings."""
    return write_geojson


@pytest.fixture
def edit() -> Callable[..., None]:
    """Return the function that changes a project behind Plumbline's back."""
    return edit_database


@pytest.fixture
def buildings(tmp_path: Path) -> Path:
    """Return a file of three buildings in a folder with spaces and Chinese."""
    return write_geojson(tmp_path / "数据 2026" / "建筑 a.geojson", [10.0, 20.0, 30.0])


@pytest.fixture
def scene(buildings: Path) -> Scene:
    """Return a scene with a source layer, a stored mesh, groups, records, schemes, viewpoints."""
    georeference = Georeference.from_text("EPSG:4549", (500000.0, 4000000.0, 0.0))
    scene = Scene(georeference)
    for layer in load(buildings, target_crs=georeference.crs, layer_id="buildings"):
        scene.add(layer)
    mesh = MeshData(np.eye(3) + np.array([500000.0, 4000000.0, 0.0]), np.array([[0, 1, 2]]))
    scene.add(Layer("tower", "塔楼", LayerKind.MESH, mesh, georeference.crs))
    scene.add_group("现状", ["buildings"])
    scene.set_style("buildings", LayerStyle(color="#ff0000", extrude="高度"))
    scene.set_view("tower", opacity=0.5)
    scene.set_records([record("r1", 12.5), record("r2", 7.0)])
    scene.set_viewpoints([Viewpoint("海边", CAMERA)])
    scene.set_schemes([Scheme("s1", "方案一", (EntityRef("buildings", "0"),), ("tower",))])
    scene.activate_scheme("s1")
    return scene
