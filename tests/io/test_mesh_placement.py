"""metadata.xml beside a photogrammetric model: shift, CRS, tangent plane, and labels that lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS, Transformer
from tests.io.mesh_files import load_mesh, write

TRIANGLE = "v 0 0 0\nv 1000 0 0\nv 0 1000 100\nf 1 2 3\n"
METADATA = """<?xml version="1.0" encoding="utf-8"?>
<ModelMetadata version="1"><SRS>{srs}</SRS><SRSOrigin>{origin}</SRSOrigin></ModelMetadata>"""


def model(folder: Path, srs: str, origin: str, above: bool = False) -> Path:
    metadata = folder.parent if above else folder
    path = write(folder / "a.obj", TRIANGLE)
    write(metadata / "metadata.xml", METADATA.format(srs=srs, origin=origin))
    return path


@pytest.mark.parametrize("above", [False, True])
def test_shift_and_label(tmp_path: Path, above: bool) -> None:
    path = model(tmp_path / "Data", "EPSG:4549", "534000.25,4003000.5,-3", above)
    mesh, layer = load_mesh(path)
    assert mesh.vertices[0].tolist() == [534000.25, 4003000.5, -3]
    assert layer.crs == CRS.from_epsg(4549)
    assert layer.metadata["crs_source"] == "metadata.xml"
    assert layer.metadata["shift"] == [534000.25, 4003000.5, -3.0]


def test_a_label_that_contradicts_its_parameters_loses(real_data: Path, tmp_path: Path) -> None:
    shutil.copy(real_data / "osgb/Production_5/metadata.xml", tmp_path)
    mesh, layer = load_mesh(write(tmp_path / "a.obj", TRIANGLE))
    assert layer.crs is not None
    assert layer.crs.to_authority() is None
    # The parameters: central meridian 113.37, false northing 90.
    lon, lat = Transformer.from_crs(layer.crs, "EPSG:4490", always_xy=True).transform(
        *mesh.vertices[0, :2]
    )
    by_hand = Transformer.from_pipeline(
        "+proj=tmerc +lat_0=0 +lon_0=113.37 +k=1 +x_0=500000 +y_0=90 +ellps=GRS80"
    )
    expected = by_hand.transform(501027.524, 2488718.808, direction="INVERSE")
    assert (lon, lat) == pytest.approx(expected, abs=1e-9)
    assert any("EPSG:4547" in warning for warning in layer.warnings)


def test_a_label_that_agrees_stays(tmp_path: Path) -> None:
    wkt = CRS.from_epsg(4547).to_wkt("WKT1_GDAL")
    path = model(tmp_path, wkt.replace("<", "&lt;"), "500000,2500000,0")
    _, layer = load_mesh(path)
    assert layer.warnings == []
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4547


def test_a_tangent_plane_is_bent_to_the_earth(tmp_path: Path) -> None:
    mesh, layer = load_mesh(model(tmp_path, "ENU:36.1,120.4", "0,0,0"))
    assert layer.crs is not None
    # East, north, up to the geocentric frame by the textbook rotation, then to latitude and height.
    lat, lon = np.radians([36.1, 120.4])
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    to_geocentric = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    origin = np.array(to_geocentric.transform(120.4, 36.1, 0.0))
    local = np.array([[0, 0, 0], [1000, 0, 0], [0, 1000, 100]], float)
    geocentric = origin + local @ np.array([east, north, up])
    expected = to_geocentric.transform(*geocentric.T, direction="INVERSE")
    got = Transformer.from_crs(layer.crs, "EPSG:4326", always_xy=True).transform(
        mesh.vertices[:, 0], mesh.vertices[:, 1]
    )
    assert np.abs(np.subtract(got, expected[:2])).max() < 1e-10
    assert np.abs(mesh.vertices[:, 2] - expected[2]).max() < 1e-4
    assert mesh.vertices[1, 2] == pytest.approx(0.0785, abs=0.001)


@pytest.mark.parametrize(
    ("srs", "origin"),
    [
        ("EPSG:999999", "0,0,0"),
        ("EPSG:4549", "0,zero,0"),
        ("ENU:north", "0,0,0"),
        ("ENU:95,0", "0,0,0"),
        ("&unknown;", "0,0,0"),
    ],
)
def test_metadata_that_cannot_be_used_is_a_warning(tmp_path: Path, srs: str, origin: str) -> None:
    mesh, layer = load_mesh(model(tmp_path, srs, origin))
    assert layer.crs is None
    assert mesh.vertices[0].tolist() == [0, 0, 0]
    assert len(layer.warnings) == 1


def test_entities_in_metadata_are_not_expanded(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.txt", "EPSG:4549")
    text = f'<!DOCTYPE m [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    path = write(tmp_path / "model" / "a.obj", TRIANGLE)
    text += METADATA.format(srs="&x;", origin="0,0,0").split("?>")[1]
    write(tmp_path / "model" / "metadata.xml", text)
    _, layer = load_mesh(path)
    assert layer.crs is None
    assert len(layer.warnings) == 1
