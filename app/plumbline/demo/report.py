"""What the report of the demo district compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plumbline.core.report_plan import ReportPlan

if TYPE_CHECKING:
    from plumbline.demo.model import DemoDistrict

#: Dwellings north of the site, whose sun the schemes may take.
NORTH = "楼号 IN ('B0200', 'B0201', 'B0203') AND 楼层 <= 2"


def report_plan(district: DemoDistrict) -> ReportPlan:
    """Return the plan of the demo's report: its two schemes by seven analyses."""
    return ReportPlan(
        requests=tuple(requests(district)),
        weights={
            "check.far": 1.0,
            "check.failed": 2.0,
            "windows.newly_failing": 3.0,
            "skyline.rise_max": 2.0,
            "earthwork.moved": 1.0,
        },
        rates={"earthwork.moved": 35.0, "demolition.cost": 1.0},
    )


def requests(district: DemoDistrict) -> list[dict[str, Any]]:
    """Return what every scheme is asked."""
    eyes = {v.id: list(v.position) for v in district.viewpoints}
    obstacles = ["terrain", "models", "@layers"]
    return [
        {
            "analysis": "schemes.check",
            "params": {
                "site": "site",
                "zone": "II",
                "controls": {"distance_min": 13, "parking_min": 400},
            },
        },
        {
            "analysis": "sunlight.windows",
            "params": {
                "windows": {"layer": "windows", "where": NORTH},
                "pack": "gb50180-2018",
                "zone": "II",
                "population": 1_000_000,
                "obstacles": ["models", "@layers"],
            },
        },
        {
            "analysis": "sightline.corridor",
            "params": {
                "viewpoints": [eyes["pier"]],
                "landmark": [eyes["hill"]],
                "width": 30,
                "protected_height": 10,
                "obstacles": obstacles,
            },
        },
        {
            "analysis": "sightline.skyline",
            "params": {
                "viewpoint": eyes["pier"],
                "obstacles": obstacles,
                "azimuth_from": 270,
                "azimuth_to": 100,
            },
        },
        {"analysis": "schemes.earthwork", "params": {"terrain": "terrain"}},
        {
            "analysis": "volume.demolition",
            "under": "baseline",
            "params": {
                "surface": "cloud",
                "footprints": ["@hidden:buildings"],
                "ground": "terrain",
                "models": "models",
            },
        },
        {
            "analysis": "schemes.conflicts",
            "params": {
                "schemes": ["@scheme"],
                "plans": [
                    {"layer": "road_areas", "where": "类型 = '道路红线'"},
                    {"layer": "pipes", "distance": 10},
                    {"layer": "site", "rule": "keep_within"},
                ],
                "overlaps": False,
            },
        },
    ]
