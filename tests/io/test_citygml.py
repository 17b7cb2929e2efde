"""CityGML: objects, parts, meanings, links, levels of detail, order of axes, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS
from tests.io.city_files import BOX, SHELL
from tests.io.mesh_files import area, load_mesh, volume, write

from plumbline.core.data import MeshData
from plumbline.core.errors import InputError
from plumbline.io import load, loader_for

NAMESPACES = (
    'xmlns="http://www.opengis.net/citygml/2.0" xmlns:gml="http://www.opengis.net/gml" '
    'xmlns:bldg="http://www.opengis.net/citygml/building/2.0" '
    'xmlns:gen="http://www.opengis.net/citygml/generics/2.0" '
    'xmlns:xlink="http://www.w3.org/1999/xlink"'
)
CORNERS = np.array(BOX) / 1000 + [500_000, 4_000_000, 100]


def ring(points: object) -> str:
    closed = np.vstack([points, np.asarray(points)[:1]])
    numbers = " ".join(f"{v!r}" for v in closed.ravel().tolist())
    return f"<gml:LinearRing><gml:posList>{numbers}</gml:posList></gml:LinearRing>"


def polygon(points: object, name: str = "", holes: str = "") -> str:
    key = f' gml:id="{name}"' if name else ""
    exterior = f"<gml:exterior>{ring(points)}</gml:exterior>"
    return f"<gml:Polygon{key}>{exterior}{holes}</gml:Polygon>"


def member(text: str) -> str:
    return f"<gml:surfaceMember>{text}</gml:surfaceMember>"


def multi(*polygons: str) -> str:
    return f"<gml:MultiSurface>{''.join(map(member, polygons))}</gml:MultiSurface>"


def city(srs: str = "urn:ogc:def:crs:EPSG::32651", corners: object = CORNERS) -> str:
    """Return a tower of two levels of detail, whose solid links to its walls, and a house."""
    at = np.asarray(corners)
    kinds = ["GroundSurface", "RoofSurface", *["WallSurface"] * 4]
    bounds = "".join(
        f"<bldg:boundedBy><bldg:{kind}><bldg:lod2MultiSurface>"
        f"{multi(polygon(at[face[0]], f'p{n}'))}"
        f"</bldg:lod2MultiSurface></bldg:{kind}></bldg:boundedBy>"
        for n, (kind, face) in enumerate(zip(kinds, SHELL, strict=True))
    )
    links = "".join(f'<gml:surfaceMember xlink:href="#p{n}"/>' for n in range(6))
    solid = (
        "<bldg:lod2Solid><gml:Solid><gml:exterior><gml:CompositeSurface>"
        f"{links}</gml:CompositeSurface></gml:exterior></gml:Solid></bldg:lod2Solid>"
    )
    yard = at[4] + (at[6] - at[4]) * [[0.2, 0.2, 0], [0.2, 0.8, 0], [0.8, 0.8, 0], [0.8, 0.2, 0]]
    hole = f"<gml:interior>{ring(yard)}</gml:interior>"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<CityModel {NAMESPACES}><gml:boundedBy><gml:Envelope srsName="{srs}" srsDimension="3">
<gml:lowerCorner>0 0 0</gml:lowerCorner></gml:Envelope></gml:boundedBy>
<cityObjectMember><bldg:Building gml:id="tower"><gml:name>塔</gml:name>
<gen:stringAttribute name="用途"><gen:value>住宅</gen:value></gen:stringAttribute>
<bldg:measuredHeight uom="m">5.5</bldg:measuredHeight>
<bldg:lod1MultiSurface>{multi(polygon(at[SHELL[0][0]]))}</bldg:lod1MultiSurface>
<bldg:consistsOfBuildingPart><bldg:BuildingPart gml:id="part">{bounds}{solid}
</bldg:BuildingPart></bldg:consistsOfBuildingPart></bldg:Building></cityObjectMember>
<cityObjectMember><bldg:Building gml:id="house"><bldg:lod1MultiSurface>
{multi(polygon(at[4:], holes=hole))}</bldg:lod1MultiSurface></bldg:Building></cityObjectMember>
</CityModel>"""


def part(data: MeshData, element: str) -> MeshData:
    assert data.element_index is not None
    number = [e.id for e in data.elements].index(element)
    return MeshData(data.vertices - data.vertices[0], data.triangles[data.element_index == number])


@pytest.mark.parametrize("name", ["城 a.gml", "a.xml", "a.citygml"])
def test_objects_parts_and_meanings(tmp_path: Path, name: str) -> None:
    data, layer = load_mesh(write(tmp_path / name, city()))
    assert layer.crs == CRS.from_epsg(32651)
    assert layer.counts["buildings"] == 2
    tower, piece, _ = data.elements
    assert (tower.id, tower.name, tower.cls) == ("tower", "塔", "Building")
    assert tower.properties["Building"] == {"name": "塔", "用途": "住宅", "measuredHeight": 5.5}
    assert (piece.parent, piece.cls) == ("tower", "BuildingPart")
    assert data.material_index is not None
    names = [data.materials[n].name for n in data.material_index]
    assert [names.count(k) for k in ("RoofSurface", "GroundSurface", "WallSurface")] == [2, 2, 8]
    assert not layer.warnings


def test_linked_surfaces_come_once_and_face_outwards(tmp_path: Path) -> None:
    data, _ = load_mesh(write(tmp_path / "a.gml", city()))
    piece = part(data, "part")
    assert len(piece.triangles) == 12
    assert volume(piece) == pytest.approx(1000)
    assert area(part(data, "house")) == pytest.approx(200 * (1 - 0.36))


def test_levels_of_detail(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gml", city())
    data, layer = load_mesh(path)
    assert layer.metadata["lods"] == ["1", "2"]
    assert len(part(data, "tower").triangles) == 0
    coarse, _ = load_mesh(path, {"lod": "1"})
    assert len(part(coarse, "tower").triangles) == 2
    assert len(part(coarse, "part").triangles) == 0
    with pytest.raises(InputError, match="It holds: 1, 2"):
        load(path, {"lod": "3"})


@pytest.mark.parametrize("northing_first", [True, False])
def test_both_orders_of_axes_end_in_the_same_place(tmp_path: Path, northing_first: bool) -> None:
    place = np.array([139.7374, 35.2583, 2.0])
    corners = (CORNERS - CORNERS[0]) * [1e-6, 1e-6, 1] + place
    if northing_first:
        corners = corners[:, [1, 0, 2]]
    srs = "http://www.opengis.net/def/crs/EPSG/0/6697"
    data, layer = load_mesh(write(tmp_path / "a.gml", city(srs, corners)))
    assert layer.crs == CRS.from_epsg(6697)
    assert data.vertices.min(axis=0) == pytest.approx(place, abs=1e-9)
    assert layer.metadata["axis_order"].startswith("northing") == northing_first
    (placed,) = load(tmp_path / "a.gml", target_crs=CRS.from_epsg(6677), digest=False)
    assert isinstance(placed.data, MeshData)
    assert placed.data.vertices[:, 2].max() == pytest.approx(7.0)


def test_links_that_lead_nowhere_or_in_a_circle(tmp_path: Path) -> None:
    text = city().replace('xlink:href="#p0"', 'xlink:href="#gone"')
    _, layer = load_mesh(write(tmp_path / "a.gml", text))
    assert any("1 links lead to surfaces" in warning for warning in layer.warnings)
    circle = city().replace(
        "<gml:CompositeSurface>",
        '<gml:CompositeSurface gml:id="c"><gml:surfaceMember xlink:href="#c"/>',
    )
    data, _ = load_mesh(write(tmp_path / "a.gml", circle))
    assert len(part(data, "part").triangles) == 12


def test_ids_that_come_twice_stay_apart(tmp_path: Path) -> None:
    text = city().replace('gml:id="house"', 'gml:id="tower"')
    data, layer = load_mesh(write(tmp_path / "a.gml", text))
    assert len({e.id for e in data.elements}) == 3
    assert any("was changed" in warning for warning in layer.warnings)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("?>", '?><!DOCTYPE a [<!ENTITY b "c">]>', "declares entities"),
        ("<gml:posList>", "<gml:posList>7 ", "cannot be read"),
        ("<gml:posList>", "<gml:posList>seven ", "“seven” is no number"),
        ("</CityModel>", "", "cannot be read"),
        ("CityModel", "cityModel", "is no"),
        ("gml:Polygon", "gml:Curve", "no triangles"),
    ],
)
def test_damaged_models_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = write(tmp_path / "a.citygml", city().replace(old, new))
    with pytest.raises(InputError, match=words) as caught:
        load(path, digest=False)
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    raw = city().encode()
    for n in range(1, 30):
        with pytest.raises(InputError):
            load(write(tmp_path / "a.gml", raw[: len(raw) * n // 30]), digest=False)


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    text = city().replace("<gml:MultiSurface>", "<gml:MultiSurface>" + "<a>" * 100_000)
    with pytest.raises(InputError):
        load(write(tmp_path / "a.gml", text), digest=False)


def test_other_gml_stays_gml(tmp_path: Path) -> None:
    assert loader_for(write(tmp_path / "a.gml", "<gml:FeatureCollection/>")).id == "gml"
    assert loader_for(write(tmp_path / "b.gml", city())).id == "citygml"


def test_a_real_city(real_data: Path) -> None:
    file = real_data / "citymodel/plateau/52397519_bldg_6697_op.gml"
    (layer,) = load(file, digest=False)
    assert layer.crs == CRS.from_epsg(6697)
    assert layer.counts["buildings"] == 13
    assert layer.bounds is not None
    assert layer.bounds.as_list() == pytest.approx(
        [139.73724371, 35.25829734, 2.19367719, 139.7405549, 35.26154396, 21.72735547], abs=1e-7
    )
    assert layer.metadata["lods"] == ["0", "1", "2"]
    data = layer.data
    assert isinstance(data, MeshData)
    heights = [
        group["measuredHeight"]
        for element in data.elements
        for group in element.properties.values()
        if "measuredHeight" in group
    ]
    assert (min(heights), max(heights)) == (3.2, 13.9)
