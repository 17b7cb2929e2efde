"""Verdicts on schemes against limits whose outcome follows by hand."""

from __future__ import annotations

from typing import Any

import geopandas
import pytest
import shapely
from pyproj import CRS

from plumbline import api
from plumbline.api import (
    Georeference,
    InputError,
    Layer,
    LayerKind,
    LayerStyle,
    Result,
    Scene,
    Scheme,
    UsageError,
    VectorData,
)

PLANE = CRS("EPSG:4549")
X, Y = 534_000.0, 3_993_000.0
SITE = [[X, Y], [X + 100, Y], [X + 100, Y + 100], [X, Y + 100]]


def check(schemes: Any = (), **params: Any) -> Result:
    """Two slabs of 800 m² and 8 storeys on a hectare: FAR 1.28, density 16 %, 6 m apart."""
    shapes = [shapely.box(X + 10, Y + y, X + 90, Y + y + 10) for y in (20, 36)]
    features = geopandas.GeoDataFrame(
        {"层数": [8, 8], "高度": [24.0, 26.0]}, geometry=shapes, crs=PLANE
    )
    scene = Scene(Georeference(PLANE, (X, Y, 0.0)))
    data = VectorData(features)
    style = LayerStyle(extrude="高度")
    scene.add(Layer("houses", "houses", LayerKind.VECTOR, data, PLANE, style=style))
    scene.set_schemes(schemes)
    asked = {"buildings": "houses", "site": SITE, **params}
    return api.run("schemes.check", scene, {k: v for k, v in asked.items() if v is not None})


def rules(result: Result) -> dict[str, dict[str, Any]]:
    table = result.tables["rules"]
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_limits_of_a_plan_pass_and_fail_with_their_margin() -> None:
    result = check(
        pack="",
        controls={
            "far_max": 1.28, "far_min": 1.3, "density_max": 15, "green_min": 30, "height_max": 25,
            "setback_min": 10, "distance_min": 8,
        },
    )  # fmt: skip
    found = rules(result)
    verdicts = {name: row["verdict"] for name, row in found.items()}
    assert verdicts == {
        "far_max": "pass", "far_min": "fail", "density_max": "fail", "green_min": "unknown",
        "height_max": "fail", "setback_min": "pass", "distance_min": "fail",
    }  # fmt: skip
    assert found["density_max"]["value"] == pytest.approx(16)
    assert found["density_max"]["margin"] == pytest.approx(-1)
    assert found["far_min"]["margin"] == pytest.approx(-0.02)
    assert found["height_max"]["place"] == "1"
    assert found["distance_min"]["margin"] == pytest.approx(-2)
    assert found["distance_min"]["place"] == "0; 1"
    assert found["green_min"]["margin"] is None
    counts = {name: result.values[name].value for name in ("passed", "failed", "unknown")}
    assert counts == {"passed": 2, "failed": 4, "unknown": 1}


def test_a_pack_gives_the_limits_of_its_zone_and_storeys() -> None:
    result = check(zone="II")
    pack = api.load_pack("gb50180-2018-site", api.SitePack)
    limit = pack.limit("II", 8.0)
    found = rules(result)
    assert found["far_max"]["limit"] == limit.far[1]
    assert found["height_max"]["limit"] == limit.height
    assert found["green_min"]["verdict"] == "unknown"
    assert found["far_max"]["clause"] == limit.clause
    assert result.provenance["rule_pack"]["sha256"] == pack.sha256
    said = any("text of the code" in warning for warning in result.warnings)
    assert said is not limit.verified


def test_a_scheme_brings_its_own_limits() -> None:
    scheme = Scheme("S", "S", layers=("houses",), site={"controls": {"height_max": 30}})
    result = check([scheme], scheme="S", buildings=None, pack="")
    assert rules(result)["height_max"]["verdict"] == "pass"


def test_requests_that_name_no_limit_are_refused() -> None:
    with pytest.raises(UsageError, match="climate zone"):
        check()
    with pytest.raises(UsageError, match="no limit of a plan"):
        check(pack="", controls={"mood_max": 1.0})
    with pytest.raises(UsageError, match="Give a rule pack"):
        check(pack="")
    with pytest.raises((UsageError, InputError)):
        check(pack="no-such-pack", zone="II")
