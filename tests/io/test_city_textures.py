"""Textures of city models, and CityGML 3.0 as its schema writes it.

Every textured face of the box gets the horizontal place of its corners as places on an image, so
that what comes out can be computed: u = x / 10 m, v = y / 20 m for roof and ground, v = z / 5 m for
walls.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.io.city_files import BOX, SHELL, city, write_city
from tests.io.mesh_files import load_mesh, volume, write

from plumbline.core.data import MeshData

CORNERS = np.array(BOX, dtype=float) / 1000
ORIGIN = np.array([500_000.0, 4_000_000.0, 100.0])


def places(face: list[int]) -> list[list[float]]:
    """Return where the corners of a face of the box lie on its image."""
    at = CORNERS[face]
    flat = np.ptp(at[:, 2]) == 0
    v = at[:, 1] / 20 if flat else at[:, 2] / 5
    return np.column_stack([at[:, 0] / 10, v]).tolist()  # type: ignore[no-any-return]


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (200, 120, 40)).save(path)
    return path


def json_city(name: str = "图/顶 面.png") -> dict[str, Any]:
    """Return the city with roof and ground on one image, the first wall on another."""
    document = city()
    laid: list[list[float]] = []
    values: list[Any] = []
    for number, (face,) in enumerate(SHELL):
        if number > 2:
            values.append([[None]])
            continue
        ring = [0 if number < 2 else 1, *range(len(laid), len(laid) + 4)]
        laid += places(face)
        values.append([ring])
    document["appearance"] = {
        "textures": [{"type": "PNG", "image": name}, {"type": "PNG", "image": "墙.png"}],
        "vertices-texture": laid,
    }
    solid = document["CityObjects"]["tower-a"]["geometry"][0]
    solid["texture"] = {"夏": {"values": [values]}}
    return document


def ring_text(face: list[int]) -> str:
    closed = [*face, face[0]]
    return " ".join(f"{value!r}" for value in (CORNERS[closed] + ORIGIN).ravel().tolist())


def gml_2() -> str:
    """Return CityGML 2: the appearance stands behind all objects and names rings by id."""
    walls = "".join(
        f"<b:boundedBy><b:{kind}><b:lod2MultiSurface><g:MultiSurface><g:surfaceMember>"
        f'<g:Polygon g:id="p{n}"><g:exterior><g:LinearRing g:id="r{n}"><g:posList>'
        f"{ring_text(face)}</g:posList></g:LinearRing></g:exterior></g:Polygon></g:surfaceMember>"
        f"</g:MultiSurface></b:lod2MultiSurface></b:{kind}></b:boundedBy>"
        for n, (kind, (face,)) in enumerate(zip(KINDS, SHELL, strict=True))
    )
    laid = "".join(
        f'<a:target uri="#p{n}"><a:TexCoordList><a:textureCoordinates ring="#r{n}">'
        f"{' '.join(map(str, np.ravel([*places(face), places(face)[0]])))}"
        "</a:textureCoordinates></a:TexCoordList></a:target>"
        for n, (face,) in enumerate(SHELL[:2])
    )
    wall = " ".join(map(str, np.ravel(places(SHELL[2][0]))))  # without the closing place
    return (
        '<CityModel xmlns="http://www.opengis.net/citygml/2.0" xmlns:g="http://www.opengis.net/gml"'
        ' xmlns:b="http://www.opengis.net/citygml/building/2.0"'
        ' xmlns:a="http://www.opengis.net/citygml/appearance/2.0"><g:boundedBy><g:Envelope '
        'srsName="EPSG:32651" srsDimension="3"/></g:boundedBy><cityObjectMember>'
        f'<b:Building g:id="t">{walls}</b:Building></cityObjectMember><a:appearanceMember>'
        "<a:Appearance><a:theme>夏</a:theme><a:surfaceDataMember><a:ParameterizedTexture>"
        f"<a:imageURI>图/顶 面.png</a:imageURI>{laid}</a:ParameterizedTexture>"
        "</a:surfaceDataMember><a:surfaceDataMember><a:ParameterizedTexture>"
        '<a:imageURI>墙.png</a:imageURI><a:target uri="#p2"><a:TexCoordList>'
        f'<a:textureCoordinates ring="#r2">{wall}</a:textureCoordinates></a:TexCoordList>'
        "</a:target></a:ParameterizedTexture></a:surfaceDataMember></a:Appearance>"
        "</a:appearanceMember></CityModel>"
    )


KINDS = ["GroundSurface", "RoofSurface", *["WallSurface"] * 4]


def gml_3() -> str:
    """Return CityGML 3.0: boundaries of core and construction, texture associations, a height."""
    walls = "".join(
        f"<boundary><con:{kind}><lod2MultiSurface><g:MultiSurface><g:surfaceMember>"
        f'<g:Polygon g:id="p{n}"><g:exterior><g:LinearRing g:id="r{n}"><g:posList>'
        f"{ring_text(face)}</g:posList></g:LinearRing></g:exterior></g:Polygon></g:surfaceMember>"
        f"</g:MultiSurface></lod2MultiSurface></con:{kind}></boundary>"
        for n, (kind, (face,)) in enumerate(zip(KINDS, SHELL, strict=True))
    )

    def texture(name: str, faces: range) -> str:
        laid = "".join(
            f"<a:target><a:TextureAssociation><a:uri>#p{n}</a:uri><a:textureParameterization>"
            f"<a:TexCoordList><a:textureCoordinates>"
            f"{' '.join(map(str, np.ravel([*places(SHELL[n][0]), places(SHELL[n][0])[0]])))}"
            f"</a:textureCoordinates><a:ring>#r{n}</a:ring></a:TexCoordList>"
            "</a:textureParameterization></a:TextureAssociation></a:target>"
            for n in faces
        )
        return (
            f"<a:surfaceData><a:ParameterizedTexture><a:imageURI>{name}</a:imageURI>{laid}"
            "</a:ParameterizedTexture></a:surfaceData>"
        )

    links = "".join(f'<g:surfaceMember x:href="#p{n}"/>' for n in range(6))
    return (
        '<CityModel xmlns="http://www.opengis.net/citygml/3.0" xmlns:x="http://www.w3.org/1999/xlink"'
        ' xmlns:g="http://www.opengis.net/gml/3.2" '
        'xmlns:gen="http://www.opengis.net/citygml/generics/3.0" '
        'xmlns:con="http://www.opengis.net/citygml/construction/3.0" '
        'xmlns:b="http://www.opengis.net/citygml/building/3.0" '
        'xmlns:a="http://www.opengis.net/citygml/appearance/3.0"><g:boundedBy><g:Envelope '
        'srsName="http://www.opengis.net/def/crs/EPSG/0/32651" srsDimension="3"/></g:boundedBy>'
        "<appearanceMember><a:Appearance><a:theme>夏</a:theme>"
        f"{texture('图/顶 面.png', range(2))}{texture('墙.png', range(2, 3))}"
        '</a:Appearance></appearanceMember><cityObjectMember><b:Building g:id="t">'
        "<genericAttribute><gen:StringAttribute><gen:name>用途</gen:name><gen:value>住宅</gen:value>"
        f"</gen:StringAttribute></genericAttribute>{walls}<lod2Solid><g:Solid><g:exterior><g:Shell>"
        f"{links}</g:Shell></g:exterior></g:Solid></lod2Solid><con:height><con:Height>"
        "<con:highReference>highestRoofEdge</con:highReference>"
        "<con:lowReference>lowestGroundPoint</con:lowReference><con:status>measured</con:status>"
        '<con:value uom="m">5.5</con:value></con:Height></con:height>'
        "<b:storeysAboveGround>2</b:storeysAboveGround></b:Building></cityObjectMember></CityModel>"
    )


def write_json(folder: Path) -> Path:
    return write_city(folder / "城.city.json", json_city())


def write_gml_2(folder: Path) -> Path:
    return write(folder / "城 2.gml", gml_2())


def write_gml_3(folder: Path) -> Path:
    return write(folder / "城 3.gml", gml_3())


def box_of(data: MeshData) -> MeshData:
    """Return the triangles of the box."""
    assert data.element_index is not None
    number = [e.id for e in data.elements].index("tower-a" if len(data.elements) > 1 else "t")
    of = data.element_index == number
    assert data.material_index is not None
    return MeshData(
        data.vertices - ORIGIN,
        data.triangles[of],
        data.uv,
        materials=data.materials,
        material_index=data.material_index[of],
    )


WRITERS = [write_json, write_gml_2, write_gml_3]


@pytest.mark.parametrize("make", WRITERS)
def test_every_corner_lies_where_the_file_says(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    top, wall = image(tmp_path / "图/顶 面.png"), image(tmp_path / "墙.png")
    data, layer = load_mesh(make(tmp_path))
    box = box_of(data)
    assert layer.warnings == [] or make is write_json  # the lines of a road
    assert volume(box) == pytest.approx(1000)
    assert box.uv is not None
    assert box.material_index is not None
    used = [box.materials[n] for n in box.material_index]
    assert sum(m.texture is not None for m in used) == 6
    for triangle, material in zip(box.triangles, used, strict=True):
        if material.texture is None:
            assert material.name == "WallSurface"
            continue
        assert material.color == (1, 1, 1, 1)
        at = box.vertices[triangle]
        flat = material.name != "WallSurface"
        assert material.texture.path == (top if flat else wall)
        v = at[:, 1] / 20 if flat else at[:, 2] / 5
        assert box.uv[triangle] == pytest.approx(np.column_stack([at[:, 0] / 10, v]), abs=1e-6)


@pytest.mark.parametrize("make", WRITERS)
def test_without_its_images_a_city_keeps_its_colours(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    data, layer = load_mesh(make(tmp_path))
    assert data.uv is None
    assert all(m.texture is None for m in data.materials)
    told = [w for w in layer.warnings if "texture" in w]
    assert len(told) == 2
    assert "it is not in the folder of the model" in told[0]


@pytest.mark.parametrize("name", ["../墙.png", "/etc/hostname", "C:\\a.png", "http://a/b.png"])
def test_images_outside_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    image(tmp_path / "墙.png")
    data, layer = load_mesh(write_city(tmp_path / "里/a.city.json", json_city(name)))
    assert data.uv is None
    assert sum("texture" in w for w in layer.warnings) == 2


def test_many_lost_images_are_told_in_a_few_lines(tmp_path: Path) -> None:
    document = json_city()
    document["appearance"]["textures"] = [{"image": f"{n}.png"} for n in range(40)]
    for number, ring in enumerate(
        document["CityObjects"]["tower-a"]["geometry"][0]["texture"]["夏"]["values"][0][:3]
    ):
        ring[0][0] = number
    # Only images that a surface lies on are looked for.
    _, layer = load_mesh(write_city(tmp_path / "a.city.json", document))
    assert sum("texture" in w for w in layer.warnings) == 3


@pytest.mark.parametrize("index", [7, -1, 10**12])
def test_a_place_that_is_not_there_is_refused(tmp_path: Path, index: int) -> None:
    from plumbline.core.errors import InputError

    document = json_city()
    document["CityObjects"]["tower-a"]["geometry"][0]["texture"]["夏"]["values"][0][0][0][0] = index
    with pytest.raises(InputError, match="not there"):
        load_mesh(write(tmp_path / "a.city.json", json.dumps(document)))


def test_a_building_of_citygml_3(tmp_path: Path) -> None:
    data, layer = load_mesh(write_gml_3(tmp_path))
    (building,) = data.elements
    assert layer.counts["buildings"] == 1
    assert layer.metadata["lods"] == ["2"]
    assert building.properties["Building"] == {
        "用途": "住宅",
        "height lowestGroundPoint highestRoofEdge": 5.5,
        "storeysAboveGround": 2,
    }
    assert volume(box_of(data)) == pytest.approx(1000)
