"""The sky above a place against closed forms, and what is wrong with a place."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sightline_scenes import X, Y, bodies, box, column, held, terrain

from plumbline import api
from plumbline.api import Layer, RefusedError, Result, Scene, UsageError

AT = (X, Y, 0.0)


def dome(scene: Scene, point: object, *obstacles: str, **params: object) -> Result:
    return api.run("sightline.dome", scene, point=point, obstacles=obstacles, **params)


def number(result: Result, name: str) -> float:
    value = result.values[name].value
    assert isinstance(value, float)
    return value


def courtyard(a: float, b: float, h: float, **keywords: object) -> Layer:
    """Return four walls 2 m thick around a court of 2a by 2b."""
    walls = {
        "south": box((-a - 2, -b - 2, -1), (a + 2, -b, h), AT),
        "north": box((-a - 2, b, -1), (a + 2, b + 2, h), AT),
        "west": box((-a - 2, -b, -1), (-a, b, h), AT),
        "east": box((a, -b, -1), (a + 2, b, h), AT),
    }
    return bodies(walls, **keywords)  # type: ignore[arg-type]


def test_an_open_plain_sees_the_whole_sky(tmp_path: Path) -> None:
    result = dome(held(terrain(tmp_path, np.full((100, 100), 5.0))), [X, Y], "terrain")
    assert number(result, "sky_view_factor") == 1.0
    assert number(result, "visible_share") == 1.0
    assert number(result, "openness") == pytest.approx(90.0, abs=0.3)
    assert result.points[0] == pytest.approx((X, Y, 6.6))


def test_a_long_wall_takes_a_known_part() -> None:
    # Half the sky is hidden below the angle of its top: (1 - cos b) / 2 by cosine, b / pi by angle.
    wall = bodies({"wall": box((-5e5, 20, -10), (5e5, 25, 30), AT)})
    result = dome(held(wall), [X, Y, 0.0], "city")
    beta = math.atan2(30, 20)
    factor = result.values["sky_view_factor"]
    assert number(result, "sky_view_factor") == pytest.approx((1 + math.cos(beta)) / 2, abs=1e-4)
    assert number(result, "visible_share") == pytest.approx(1 - beta / math.pi, abs=1e-4)
    assert factor.uncertainty is not None
    assert 0 < factor.uncertainty < 1e-3


@pytest.mark.parametrize(("a", "b", "h"), [(10.0, 10.0, 10.0), (40.0, 9.0, 18.0)])
def test_a_courtyard_agrees_with_its_form_factor(a: float, b: float, h: float) -> None:
    # Howell, A Catalog of Radiation Heat Transfer Configuration Factors, B-3, four corners of it.
    x, y = a / h, b / h
    corner = (
        x / math.hypot(1, x) * math.atan(y / math.hypot(1, x))
        + y / math.hypot(1, y) * math.atan(x / math.hypot(1, y))
    ) / (2 * math.pi)
    result = dome(held(courtyard(a, b, h)), [X, Y, 0.0], "city")
    assert number(result, "sky_view_factor") == pytest.approx(4 * corner, abs=1e-4)


def test_lengths_are_metres_whatever_the_project_counts_in() -> None:
    # A CRS of feet (Oregon, EPSG:2994): the same court, its numbers 1 / 0.3048 as great.
    foot = 0.3048
    points, cells = zip(
        *(box(*c, AT) for c in [((-12, -12, -1), (12, -10, 10)), ((-12, 10, -1), (12, 12, 10))]),
        strict=True,
    )
    metres = held(
        bodies({str(n): (p, c) for n, (p, c) in enumerate(zip(points, cells, strict=True))})
    )
    feet = held(
        bodies(
            {
                str(n): ((p - AT) / foot + [600_000, 870_000, 0], c)
                for n, (p, c) in enumerate(zip(points, cells, strict=True))
            },
            crs="EPSG:2994",
        ),
        crs="EPSG:2994",
        origin=(600_000, 870_000, 0),
    )
    one = dome(metres, [X, Y, 0.0], "city", radius=20)
    two = dome(feet, [600_000, 870_000, 0.0], "city", radius=20)
    assert number(two, "sky_view_factor") == pytest.approx(number(one, "sky_view_factor"), abs=2e-3)


def test_the_radius_leaves_out_what_is_farther() -> None:
    scene = held(bodies({"tower": box((-5, 100, 0), (5, 110, 80), AT)}))
    assert number(dome(scene, [X, Y, 0.0], "city"), "sky_view_factor") < 0.999
    assert number(dome(scene, [X, Y, 0.0], "city", radius=99), "sky_view_factor") == 1.0


def test_the_horizon_has_azimuths_from_true_north() -> None:
    # A thin mast exactly grid north of the place: its azimuth is the meridian convergence.
    scene = held(bodies({"mast": box((-1, 200, 0), (1, 201, 50), AT)}))
    result = dome(scene, [X, Y, 0.0], "city")
    horizon = result.tables["horizon"]
    azimuth, elevation = column(horizon, "azimuth"), column(horizon, "elevation")
    middle = azimuth[np.isfinite(elevation)]
    middle = np.where(middle > 180, middle - 360, middle)
    assert middle.mean() == pytest.approx(scene.georeference.convergence(X, Y), abs=0.13)
    assert abs(scene.georeference.convergence(X, Y)) > 0.2
    assert result.values["north"].value == "true"
    plane = held(bodies({"mast": box((-1, 200, 0), (1, 201, 50), AT)}, crs=None), crs=None)
    assert dome(plane, [X, Y, 0.0], "city").values["north"].value == "grid"


def test_the_figure_shows_the_sky_round_and_light() -> None:
    result = dome(held(courtyard(10, 10, 10)), [X, Y, 0.0], "city")
    picture = np.asarray(Image.open(io.BytesIO(result.figures["fisheye"])).convert("RGB")).astype(
        int
    )
    assert picture.shape == (810, 1080, 3)
    assert (picture[0, 0] == 255).all()
    sky = np.abs(picture - [0xBD, 0xD2, 0xE8]).max(axis=2) < 6
    wall = np.abs(picture - [0x2F, 0x6F, 0xDE]).max(axis=2) < 6
    # Angle from the zenith to the horizon is the radius: the court's rim lies at half of it.
    assert 0.15 < sky.sum() / (sky.sum() + wall.sum()) < 0.45


def test_what_a_result_says_of_how_it_came(tmp_path: Path) -> None:
    scene = held(terrain(tmp_path, np.full((100, 100), 5.0)), courtyard(10, 10, 20))
    result = dome(scene, [X, Y], "terrain", "city")
    assert result.provenance["lods"] == {"terrain": "full", "city": "full"}
    assert result.provenance["quadrature"]["azimuths"] == 1440
    assert [row["id"] for row in result.provenance["inputs"]] == ["terrain", "city"]
    assert dome(scene, [X, Y], "terrain", "city").values == result.values


def test_places_that_are_no_places_are_refused(tmp_path: Path) -> None:
    scene = held(
        terrain(tmp_path, np.full((100, 100), 5.0)),
        bodies({"house": box((-5, -5, 4), (5, 5, 20), AT)}),
    )
    with pytest.raises(RefusedError, match=r"2\.00 m under the terrain"):
        dome(scene, [X + 50, Y, 3.0], "terrain")
    with pytest.raises(RefusedError, match="inside “house”"):
        dome(scene, [X, Y, 8.0], "terrain", "city")
    # Terrain that is not named decides nothing: the eye then stands on what is there, the roof.
    assert dome(scene, [X, Y], "city").points[0] == pytest.approx((X, Y, 21.6))
    with pytest.raises(RefusedError, match="inside “house”"):
        dome(scene, [X, Y], "terrain", "city")
    with pytest.raises(RefusedError, match="no ground at"):
        dome(scene, [X + 5000, Y], "terrain")
    with pytest.raises(UsageError, match="radius"):
        dome(scene, [X, Y], "terrain", radius=0)
    with pytest.raises(UsageError, match="obstacles"):
        dome(scene, [X, Y])
    # Standing on the roof is no being inside.
    assert number(dome(scene, [X, Y, 20.0], "city"), "sky_view_factor") == pytest.approx(1.0)
