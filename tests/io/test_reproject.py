"""Reprojection: against formulas and PROJ pipelines set up by hand; heights, units, failures."""

from __future__ import annotations

import math
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from pyproj import CRS, Transformer

from plumbline.core.crs import parse_crs
from plumbline.core.data import MeshData, PointCloudData, VectorData
from plumbline.core.errors import CancelledError, InputError, MissingCrsError
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer, LayerKind
from plumbline.io import reproject
from plumbline.io.reproject import reproject_layer


def cloud(points: Any, crs: str | None, **metadata: Any) -> Layer:
    data = PointCloudData(np.array(points, dtype=np.float64))
    return Layer("c", "c", LayerKind.POINTCLOUD, data, parse_crs(crs) if crs else None,
                 metadata=metadata)  # fmt: skip


def points_of(layer: Layer) -> Any:
    assert isinstance(layer.data, PointCloudData)
    return layer.data.points


def transverse_mercator(lon: float, lat: float, lon_0: float) -> tuple[float, float]:
    """Easting and northing on CGCS2000 by the series of Krueger (1912) to the sixth order.

    Karney (2011), Transverse Mercator with an accuracy of a few nanometers, eq. 7-9, 14, 35.
    """
    a, f = 6378137.0, 1 / 298.257222101
    e, n = math.sqrt(f * (2 - f)), f / (2 - f)
    radius = a / (1 + n) * (1 + n**2 / 4 + n**4 / 64 + n**6 / 256)
    alpha = [
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16 + 41 * n**4 / 180 - 127 * n**5 / 288,
        13 * n**2 / 48 - 3 * n**3 / 5 + 557 * n**4 / 1440 + 281 * n**5 / 630,
        61 * n**3 / 240 - 103 * n**4 / 140 + 15061 * n**5 / 26880,
        49561 * n**4 / 161280 - 179 * n**5 / 168,
        34729 * n**5 / 80640,
    ]
    phi, lam = math.radians(lat), math.radians(lon - lon_0)
    tau = math.tan(phi)
    sigma = math.sinh(e * math.atanh(e * tau / math.sqrt(1 + tau**2)))
    t = tau * math.sqrt(1 + sigma**2) - sigma * math.sqrt(1 + tau**2)
    xi, eta = math.atan2(t, math.cos(lam)), math.asinh(math.sin(lam) / math.hypot(t, math.cos(lam)))
    x, y = eta, xi
    for j, c in enumerate(alpha, 1):
        x += c * math.cos(2 * j * xi) * math.sinh(2 * j * eta)
        y += c * math.sin(2 * j * xi) * math.cosh(2 * j * eta)
    return 500000 + radius * x, radius * y


def test_cgcs2000_zone_against_the_formula() -> None:
    places = [(120.35, 36.09, 5.0), (119.2, 36.4, 100.25), (120.0, 0.0, 0.0), (121.4, 53.1, 1.0)]
    layer = cloud(places, "EPSG:4490")
    reproject_layer(layer, CRS.from_epsg(4549))
    expected = [(*transverse_mercator(lon, lat, 120), z) for lon, lat, z in places]
    assert np.abs(points_of(layer) - expected).max() < 1e-6
    assert layer.crs == CRS.from_epsg(4549)
    assert "heights kept" in layer.metadata["reprojected"]


def test_there_and_back_is_below_a_millimetre() -> None:
    rng = np.random.default_rng(1)
    start = rng.uniform([480_000, 3_980_000, -20], [560_000, 4_050_000, 300], (5000, 3))
    layer = cloud(start, "EPSG:4549")
    for code in ("EPSG:4490", "EPSG:4528", "EPSG:32651", "EPSG:4549"):
        reproject_layer(layer, parse_crs(code))
    assert np.abs(points_of(layer) - start).max() < 1e-6


def test_every_vertex_not_the_origin_alone() -> None:
    # 60 km apart, meridian convergence differs: a shift of the origin would be metres off.
    vertices = np.array([[85_000.0, 447_500.0, 1], [145_000, 447_500, 2], [85_000, 507_500, 3]])
    data = MeshData(vertices.copy(), np.array([[0, 1, 2]]))
    layer = Layer("m", "m", LayerKind.MESH, data, CRS.from_epsg(28992))
    reproject_layer(layer, CRS.from_epsg(25831))
    way = Transformer.from_crs("EPSG:28992", "EPSG:25831", always_xy=True)
    x, y = way.transform(vertices[:, 0], vertices[:, 1])
    assert (data.vertices == np.column_stack([x, y, vertices[:, 2]])).all()
    turned = data.vertices[1, :2] - data.vertices[0, :2]
    assert abs(turned[1]) > 500


@pytest.mark.parametrize(
    ("source", "target", "metadata", "factor"),
    [
        ("EPSG:2994", "EPSG:32610", {}, 0.3048),  # plane in feet, heights not stated
        ("EPSG:2994", "EPSG:32610", {"z_factor": 1.0}, 1.0),  # the loader knows better
        ("EPSG:2994+8228", "EPSG:32610", {}, 0.3048),  # NAVD88 height (ft)
        ("EPSG:32610+8228", "EPSG:32610", {}, 0.3048),  # same plane, heights in feet
        ("EPSG:32610+6360", "EPSG:32610", {}, 1200 / 3937),  # NAVD88 height (ftUS)
        ("EPSG:32610+5703", "EPSG:32610", {}, 1.0),
        ("EPSG:32610", "EPSG:32610+8228", {}, 1 / 0.3048),
    ],
)
def test_heights_become_metres(
    source: str, target: str, metadata: dict[str, float], factor: float
) -> None:
    crs = parse_crs(source)
    axis = crs.axis_info[0].unit_conversion_factor
    layer = cloud([[1_900_000 * 0.3048 / axis, 260_000 * 0.3048 / axis, 400.0]], source, **metadata)
    before = points_of(layer)[0, 2]
    reproject_layer(layer, parse_crs(target))
    assert points_of(layer)[0, 2] == pytest.approx(before * factor, rel=1e-12)
    assumed = source == "EPSG:2994" and not metadata
    assert bool(layer.warnings) == assumed


def test_ellipsoidal_and_geocentric_heights() -> None:
    layer = cloud([[120.35, 36.09, 25.0]], "EPSG:4979")
    reproject_layer(layer, CRS.from_epsg(32651))
    assert points_of(layer)[0, 2] == 25.0
    geocentric = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    layer = cloud([geocentric.transform(120.35, 36.09, 25.0)], "EPSG:4978")
    reproject_layer(layer, CRS.from_epsg(32651))
    plane = Transformer.from_crs("EPSG:4326", "EPSG:32651", always_xy=True).transform(120.35, 36.09)
    assert points_of(layer)[0] == pytest.approx([*plane, 25.0], abs=1e-6)


def test_a_datum_without_a_way_there_keeps_its_heights_and_says_so() -> None:
    layer = cloud([[85_000, 447_500, 12.5]], "EPSG:28992+5709")
    reproject_layer(layer, parse_crs("EPSG:25831+5730"))
    z = points_of(layer)[0, 2]
    moved = "moved to" in layer.metadata["reprojected"]
    assert moved == (abs(z - 12.5) > 1e-9)
    assert moved or any("NAP" in warning for warning in layer.warnings)


def features(shapes: list[Any], crs: str, has_z: bool) -> Layer:
    frame = geopandas.GeoDataFrame({"n": range(len(shapes))}, geometry=shapes, crs=crs)
    frame.index = frame.index + 100
    return Layer("v", "v", LayerKind.VECTOR, VectorData(frame, has_z), parse_crs(crs))


def test_features_in_3d_and_2d() -> None:
    for has_z in (True, False):
        line = [(120.1, 36.0, 5.0), (120.2, 36.1, 7.5)]
        shape = shapely.LineString(line if has_z else [p[:2] for p in line])
        layer = features([shape, shapely.MultiPoint([line[0][: 2 + has_z]])], "EPSG:4490", has_z)
        reproject_layer(layer, CRS.from_epsg(4549))
        assert isinstance(layer.data, VectorData)
        frame = layer.data.features
        got = shapely.get_coordinates(frame.geometry.iloc[0], include_z=has_z)
        expected = [(*transverse_mercator(x, y, 120), z)[: 2 + has_z] for x, y, z in line]
        assert np.abs(got - expected).max() < 1e-6
        assert frame.index.tolist() == [100, 101]
        assert frame.crs == CRS.from_epsg(4549)
        assert shapely.has_z(frame.geometry.iloc[1]) == has_z


def test_points_without_a_place_are_counted() -> None:
    layer = cloud([[120.0, 36.0, 0], [120.0, 91.5, 0], [0.0, -95.0, 0]], "EPSG:4490")
    with pytest.raises(InputError, match="2 points"):
        reproject_layer(layer, CRS.from_epsg(4549))


def test_without_crs_it_is_refused() -> None:
    with pytest.raises(MissingCrsError, match="does not say"):
        reproject_layer(cloud([[0, 0, 0]], None), CRS.from_epsg(4549))


def test_nothing_happens_in_the_same_crs() -> None:
    layer = cloud([[500_000.125, 4_000_000.25, 1]], "EPSG:4549")
    points = points_of(layer)
    reproject_layer(layer, CRS.from_epsg(4549))
    assert points_of(layer) is points
    assert "reprojected" not in layer.metadata


def test_reports_and_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproject, "CHUNK", 10)
    layer = cloud(np.tile([120.0, 36.0, 0.0], (100, 1)), "EPSG:4490")
    feedback = Feedback(lambda fraction, text: feedback.cancel() if fraction >= 0.5 else None)
    points = points_of(layer)
    with pytest.raises(CancelledError):
        reproject_layer(layer, CRS.from_epsg(4549), feedback)
    assert points_of(layer) is points
    assert layer.crs == CRS.from_epsg(4490)
