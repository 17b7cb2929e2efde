"""IFC models lie where their map conversion puts them; every expected number is hand-computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ifc_text import METRES, House
from pyproj import Transformer

from plumbline.core.data import BimData
from plumbline.core.layer import Layer
from plumbline.io import load

#: A place near Qingdao in EPSG:4549 (CGCS2000, central meridian 120°E).
E, N, H = 534_210.25, 3_998_765.5, 12.75
DUPLEX = "ifc/georef/Duplex_A_20110907_georeferenced.ifc"
COS30, SIN30 = math.sqrt(3) / 2, 0.5
AXIS = f"{COS30!r},{SIN30!r}"


def placed(tmp_path: Path, house: House) -> tuple[Layer, BimData]:
    """Write and load a model."""
    (layer,) = load(house.write(tmp_path / "a.ifc"), digest=False)
    assert isinstance(layer.data, BimData)
    return layer, layer.data


def corners(scale: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """Return the corners of the wall turned by 30° at the offset, in metres.

    E + s (x cos 30° - y sin 30°), N + s (x sin 30° + y cos 30°), H + s z.
    """
    local = [(at[0] + x, at[1] + y, at[2] + z) for x in (-2, 2) for y in (-1, 1) for z in (0, 3)]
    return np.array(
        [
            (
                E + scale * (x * COS30 - y * SIN30),
                N + scale * (x * SIN30 + y * COS30),
                H + scale * z,
            )
            for x, y, z in local
        ]
    )


def assert_corners(data: BimData, expected: np.ndarray, atol: float = 1e-8) -> None:
    """Check that the vertices are these points, in any order."""
    found = np.unique(np.round(data.vertices, 7), axis=0)
    wanted = np.unique(np.round(expected, 7), axis=0)
    distance = np.linalg.norm(found[:, None] - wanted[None], axis=2)
    assert found.shape == wanted.shape
    assert distance.min(axis=1).max() < atol + 2e-7


def in_units(unit: str, scale: str) -> str:
    """Return the map conversion with its offset in a unit."""
    offset = ",".join(repr(v / METRES[unit]) for v in (E, N, H))
    return f"{offset},{AXIS},{scale}"


@pytest.mark.parametrize(
    ("unit", "map_unit", "scale", "metres", "warns"),
    [
        # model unit, map unit, Scale as written -> metres of map per metre of model
        ("m", "m", "1.", 1.0, ""),
        ("m", "m", "$", 1.0, ""),
        ("m", "m", "0.9996", 0.9996, ""),
        ("mm", "mm", "1.", 1.0, ""),
        ("mm", "m", "0.001", 1.0, ""),
        ("mm", "m", "0.00099984", 0.99984, ""),
        ("ft", "m", "0.3048", 1.0, ""),
        ("mm", "m", "1.", 1.0, "different units"),
        ("mm", "m", "$", 1.0, "different units"),
        ("mm", "m", "0.9996", 0.9996, "different units"),
        ("m", "m", "2.", 2.0, "scales the model"),
    ],
)
def test_units_and_scale(
    tmp_path: Path, unit: str, map_unit: str, scale: str, metres: float, warns: str
) -> None:
    """Offset in map units, scale between the units; a scale that forgot the units is mended."""
    size = (4.0 / METRES[unit], 2.0 / METRES[unit], 3.0 / METRES[unit])
    house = House(unit=unit, map_unit=map_unit, conversion=in_units(map_unit, scale), size=size)
    layer, data = placed(tmp_path, house)
    assert_corners(data, corners(metres))
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4549
    assert layer.metadata["georeference"] == "IfcMapConversion"
    assert layer.metadata["rotation"] == pytest.approx(30.0)
    assert layer.metadata["scale"] == pytest.approx(metres, rel=1e-12)
    assert [bool(warns) and warns in w for w in layer.warnings] == ([True] if warns else [])


@pytest.mark.parametrize(("offset_unit", "warns"), [("mm", False), ("m", True)])
def test_offset_without_a_unit(tmp_path: Path, offset_unit: str, warns: bool) -> None:
    """Without a map unit the project's holds; metres, where only they lie in the CRS's area."""
    house = House(unit="mm", conversion=in_units(offset_unit, "$"), size=(4000.0, 2000.0, 3000.0))
    layer, data = placed(tmp_path, house)
    assert_corners(data, corners(1.0))
    assert any("states no unit" in w for w in layer.warnings) is warns


def test_property_sets_of_ifc2x3(tmp_path: Path) -> None:
    """IFC2x3 has no map conversion; the property sets of the buildingSMART guide stand in."""
    pairs = {"Eastings": E, "Northings": N, "OrthogonalHeight": H}
    values = [f"{name}=IFCLENGTHMEASURE({value!r})" for name, value in pairs.items()]
    values += [f"XAxisAbscissa=IFCREAL({COS30!r})", f"XAxisOrdinate=IFCREAL({SIN30!r})"]
    layer, data = placed(tmp_path, House(schema="IFC2X3", properties=";".join(values)))
    assert_corners(data, corners(1.0))
    assert layer.crs is not None
    assert layer.metadata["georeference"] == "ePSet_MapConversion"


def test_property_sets_with_numbers_as_text(tmp_path: Path) -> None:
    """Authoring tools write the numbers as labels; a number is a number."""
    pairs = {"Eastings": E, "Northings": N, "OrthogonalHeight": H, "XAxisAbscissa": COS30}
    pairs["XAxisOrdinate"] = SIN30
    text = ";".join(f"{name}=IFCLABEL('{value!r}')" for name, value in pairs.items())
    _, data = placed(tmp_path, House(schema="IFC2X3", properties=text))
    assert_corners(data, corners(1.0))


def test_map_conversion_without_an_offset(tmp_path: Path) -> None:
    """Half a map conversion places nothing, and says so."""
    house = House(schema="IFC2X3", properties=f"Eastings=IFCLENGTHMEASURE({E!r})")
    layer, data = placed(tmp_path, house)
    assert layer.crs is None
    assert any("lacks its offset" in w for w in layer.warnings)
    assert data.bounds is not None
    assert data.bounds.xmin == pytest.approx(-2)


def test_large_placements_keep_their_millimetres(tmp_path: Path) -> None:
    """A site placed at full map coordinates, in millimetres, loses nothing to rounding."""
    site = (E * 1000, N * 1000, H * 1000)
    house = House(unit="mm", site=site, at=(1500.0, 2500.0, 0.0), size=(4000.0, 2000.0, 3000.0))
    layer, data = placed(tmp_path, house)
    assert layer.crs is None
    assert data.bounds is not None
    low = [E + 1.5 - 2, N + 2.5 - 1, H]
    np.testing.assert_allclose(data.bounds.low, low, rtol=0, atol=1e-8)
    np.testing.assert_allclose(data.bounds.high - data.bounds.low, [4, 2, 3], atol=1e-8)


def test_world_coordinate_system_is_where_the_map_conversion_starts(tmp_path: Path) -> None:
    """The offset holds for the origin of the world coordinate system."""
    house = House(world=(100.0, 50.0, 5.0), map_unit="m", conversion=in_units("m", "1."))
    _, data = placed(tmp_path, house)
    assert_corners(data, corners(1.0, at=(-100.0, -50.0, -5.0)))


def test_map_in_feet(tmp_path: Path) -> None:
    """A CRS in feet gets its coordinates in feet, heights too, and says so."""
    # EPSG:2994 (Oregon Lambert, international feet), model in metres.
    house = House(
        crs="EPSG:2994", map_unit="ft", conversion="637000.,851000.,500.,1.,0.,3.280839895"
    )
    layer, data = placed(tmp_path, house)
    assert data.bounds is not None
    np.testing.assert_allclose(
        data.bounds.as_list(),
        [637000 - 2 / 0.3048, 851000 - 1 / 0.3048, 500,
         637000 + 2 / 0.3048, 851000 + 1 / 0.3048, 500 + 3 / 0.3048],
        rtol=0, atol=1e-7,
    )  # fmt: skip
    assert layer.metadata["units"] == "foot"
    assert layer.metadata["z_factor"] == 0.3048


def test_scaled_conversion_of_ifc4x3(tmp_path: Path) -> None:
    """IfcMapConversionScaled has its own factor for each axis."""
    house = House(schema="IFC4X3_ADD2", extra=(
        "#7=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);\n#8=IFCPROJECTEDCRS('EPSG:4549',$,$,$,$,$,#7);\n"
        f"#9=IFCMAPCONVERSIONSCALED(#10,#8,{E!r},{N!r},{H!r},1.,0.,1.,0.9999,0.9998,1.);"
    ))  # fmt: skip
    _, data = placed(tmp_path, house)
    assert data.bounds is not None
    size = data.bounds.high - data.bounds.low
    np.testing.assert_allclose(size, [4 * 0.9999, 2 * 0.9998, 3], atol=1e-8)


@pytest.mark.parametrize(
    ("name", "says"), [("local grid of the plant", "no CRS"), ("EPSG:4490", "no map projection")]
)
def test_unknown_crs_leaves_map_coordinates(tmp_path: Path, name: str, says: str) -> None:
    """The numbers are those of the map; the CRS is for the user to state, never guessed."""
    house = House(crs=name, map_unit="m", conversion=in_units("m", "1."))
    layer, data = placed(tmp_path, house)
    assert layer.crs is None
    assert any(says in w for w in layer.warnings)
    assert_corners(data, corners(1.0))


def test_no_georeference(tmp_path: Path) -> None:
    """Without a map conversion a model stays local; latitude and true north are noted only."""
    layer, data = placed(tmp_path, House(lat_lon="(36,3,36,0),(120,22,48,0)"))
    assert layer.crs is None
    assert data.bounds is not None
    assert data.bounds.xmin == pytest.approx(-2)
    assert layer.metadata["site"]["latitude"] == pytest.approx(36.06)
    assert layer.metadata["site"]["longitude"] == pytest.approx(120.38)
    # TrueNorth (0.5, 0.866): 30° clockwise from the model's y axis.
    assert layer.metadata["true_north"] == pytest.approx(30.0)


def test_georeference_can_be_left_out(tmp_path: Path) -> None:
    """The option keeps the model's own coordinates."""
    house = House(map_unit="m", conversion=in_units("m", "1."))
    (layer,) = load(house.write(tmp_path / "a.ifc"), {"georeference": "none"}, digest=False)
    assert layer.crs is None
    assert layer.bounds is not None
    assert layer.bounds.xmin == pytest.approx(-2)


@pytest.mark.parametrize(
    ("lat_lon", "conflict"),
    [("(36,6,50,0),(120,22,48,0)", False), ("(41,52,27,840000),(-87,-38,-21,-839999)", True)],
)
def test_site_that_contradicts_the_map_conversion(
    tmp_path: Path, lat_lon: str, conflict: bool
) -> None:
    """The conflict is named with both places and their distance; the map conversion wins."""
    house = House(map_unit="m", conversion=in_units("m", "1."), lat_lon=lat_lon)
    layer, data = placed(tmp_path, house)
    assert any("contradicts itself" in w for w in layer.warnings) is conflict
    assert_corners(data, corners(1.0))


def test_model_far_from_the_area_of_its_crs(tmp_path: Path) -> None:
    """An empty map conversion puts the model at the origin of the projection: told."""
    layer, _ = placed(tmp_path, House(map_unit="m", conversion="0.,0.,0.,1.,0.,1."))
    assert any("outside the area" in w for w in layer.warnings)


# -- real files -----------------------------------------------------------------------------------


def test_real_duplex(real_layer: Callable[..., Layer]) -> None:
    """Luxembourg by its property sets, 71° turned; Chicago by its site: told, 6,859 km apart."""
    layer = real_layer(DUPLEX)
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 9897
    assert layer.metadata["rotation"] == pytest.approx(71.0, abs=1e-6)
    np.testing.assert_allclose(layer.metadata["origin"], [76670, 77179, 293.700012207031])
    (warning,) = layer.warnings
    assert "49.62" in warning
    assert "41.87" in warning
    assert "6859" in warning


@pytest.mark.parametrize("part", ["Architecture", "Structural"])
def test_real_millimetres(real_layer: Callable[..., Layer], part: str) -> None:
    """EPSG:32760 in millimetres of the map, turned by 60°; the two models fall together."""
    layer = real_layer(f"ifc/pcert_sample_scene/Building-{part}.ifc")
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 32760
    np.testing.assert_allclose(
        layer.metadata["origin"], [729013.348830, 9063992.684697, 1.3], atol=1e-6
    )
    assert layer.metadata["rotation"] == pytest.approx(60.0, abs=1e-9)
    assert layer.warnings == []
    assert isinstance(layer.data, BimData)
    walls = [n for n, e in enumerate(layer.data.elements) if e.cls == "IfcWall"]
    own = np.isin(layer.data.element_index, walls)
    corners_ = layer.data.vertices[layer.data.triangles[own].ravel()]
    low, high = corners_.min(axis=0), corners_.max(axis=0)
    other = real_layer("ifc/pcert_sample_scene/Building-Structural.ifc")
    assert other.bounds is not None
    # The walls of both lie inside one another's box, to the overlap of their finishes.
    assert (low > other.bounds.low - 0.5).all()
    assert (high < other.bounds.high + 0.5).all()


def test_real_place_by_an_independent_road(real_layer: Callable[..., Layer]) -> None:
    """The house lies where PROJ and a rotation by hand put one of its vertices."""
    local, mapped = real_layer(DUPLEX, georeference="none"), real_layer(DUPLEX)
    assert isinstance(local.data, BimData)
    assert isinstance(mapped.data, BimData)
    x, y, z = local.data.vertices[1234]
    turn = math.radians(71)
    expected = (
        76670 + x * math.cos(turn) - y * math.sin(turn),
        77179 + x * math.sin(turn) + y * math.cos(turn),
        293.700012207031 + z,
    )
    np.testing.assert_allclose(mapped.data.vertices[1234], expected, atol=1e-6)
    lon, lat = Transformer.from_crs(2169, 4326, always_xy=True).transform(*expected[:2])
    assert (lon, lat) == pytest.approx((6.1205, 49.628), abs=2e-3)
