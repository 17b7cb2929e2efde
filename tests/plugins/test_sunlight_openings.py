"""Windows of the demo's building models look out of the buildings that truth describes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from plumbline import api
from plumbline.api import Georeference, Scene


@pytest.mark.parametrize("scheme", ["A", "B"])
def test_windows_of_building_models_look_out_of_their_building(
    demo_district: Path, scheme: str
) -> None:
    from plumbline.demo import schemes
    from plumbline_sunlight.analysis.openings import openings, snapshot, window_problems
    from plumbline_sunlight.analysis.windows import WindowsParams

    truth = json.loads((demo_district / "truth.json").read_text(encoding="utf-8"))
    blocks = {b.name: b for b in schemes.SCHEMES[scheme][1]}
    model = api.load(demo_district / f"scheme_{scheme}.ifc")[0]
    model.id = "scheme"
    scene = Scene(Georeference(model.crs, (534_000.0, 3_993_300.0, 0.0)))
    scene.add(model)
    params = WindowsParams(windows="scheme", pack="qingdao")  # type: ignore[arg-type]
    assert window_problems(scene, params.windows) == []
    given = snapshot(scene, params.windows, [])
    found = openings(given, 0.9)
    stated = truth["schemes"][scheme]["buildings"]
    assert len(found) == sum(b["windows"] for b in stated)
    centres = {b["name"]: np.array(b["centre"]) for b in stated}
    bases = {b["name"]: b["base"] for b in stated}
    for one in found:
        block = blocks[one.building]
        assert one.how == "sky", one
        # The building's own axes: x along its length.
        place = given.frame.project(np.array(one.middle))
        assert block.storey * (int(one.storey[:-1]) - 1) + 0.9 == pytest.approx(
            place[2] - bases[one.building], abs=0.006
        )
        _outside(block, place[:2] - centres[one.building], one)


def _outside(block: Any, offset: Any, one: Any) -> None:
    """Assert that a step outward from a window leaves the footprint, and one inward does not."""
    ring = [shapely.Polygon(r) for r in block.rings]
    footprint = ring[0].difference(ring[1]) if len(ring) > 1 else ring[0]
    # Turn the wall's direction back: the outward side of an edge is known on the footprint.
    angle = TURN[block.name[0]]
    back = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    at, out = offset @ back, np.array(one.outward) @ back
    assert footprint.boundary.distance(shapely.Point(*at)) < 0.05
    assert not footprint.contains(shapely.Point(*(at + 0.3 * out)))
    assert footprint.contains(shapely.Point(*(at - 0.3 * out)))


TURN: dict[str, float] = {}


@pytest.fixture(autouse=True, scope="module")
def _turn_of_the_site(demo_district: Path) -> None:
    """Read the direction of the streets off truth: from one building to the next in line."""
    truth = json.loads((demo_district / "truth.json").read_text(encoding="utf-8"))
    from plumbline.demo import schemes

    for scheme, (one, other) in (("A", (1, 2)), ("B", (0, 1))):
        blocks = schemes.SCHEMES[scheme][1]
        a, b = (truth["schemes"][scheme]["buildings"][n]["centre"] for n in (one, other))
        across = np.subtract(b, a)
        local = (blocks[other].x - blocks[one].x, blocks[other].y - blocks[one].y)
        TURN[scheme] = math.atan2(across[1], across[0]) - math.atan2(local[1], local[0])
