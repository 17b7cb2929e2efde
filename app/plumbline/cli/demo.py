"""``demo``: the demo district as a project; in the window, or with no display all of it headless.

One folder holds everything::

    district/          generated data with truth.json
    demo.plumb.gpkg    the project on it
    results/           one result folder for each analysis      (without a window)
    pictures/          one picture for each viewpoint           (without a window)
    report.html        the schemes compared, and every result   (without a window)
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.cli.common import add_json, scene_of_project, start_plugins
from plumbline.cli.main import Command
from plumbline.core.errors import UserError
from plumbline.core.i18n import tr
from plumbline.demo.project import DISTRICT, demo_folder, ensure_demo

if TYPE_CHECKING:
    from plumbline.analysis.result import Result
    from plumbline.core.scene import Scene
    from plumbline.demo import DemoDistrict

_PICTURE_SIZE = (1600, 1000)


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``demo``."""
    parser.add_argument(
        "--out", metavar="DIR", help=tr("folder; this user's data folder otherwise")
    )
    parser.add_argument(
        "--no-open", action="store_true", help=tr("run it all headless although there is a display")
    )
    add_json(parser)
    parser.set_defaults(function=demo)


def demo(command: Command) -> None:
    """Build the demo district, then open it or run it all headless."""
    from plumbline.cli.window import show, why_no_window

    options = command.options
    folder = Path(options.out).expanduser().absolute() if options.out else demo_folder()
    if not options.no_open and not options.json and why_no_window() is None:
        # The window comes first and shows how far the district is.
        show(command, [], demo=folder)
        return
    project = ensure_demo(folder, command.feedback)
    command.progress.clear()
    run_headless(command, folder, project)


# -- without a window ------------------------------------------------------------------------


def requests(district: DemoDistrict) -> dict[str, dict[str, Any]]:
    """Return a request for each analysis that has something to show on the district."""
    points = {v.id: v.focal_point for v in district.viewpoints}
    eyes = {v.id: v.position for v in district.viewpoints}
    walk = [points["shore"], points["old_quarter"], points["street"], eyes["hill"]]
    x, y = points["old_quarter"][:2]
    # The slab north of the old quarter that one of the schemes takes the sun from, and beside it.
    north = "楼号 IN ('B0200', 'B0201', 'B0203') AND 楼层 <= 2"
    sunlight = {
        "windows": {"layer": "windows", "where": north},
        "pack": "gb50180-2018",
        "zone": "II",
        "population": 1_000_000,
    }
    square = [[x - 40, y - 30], [x + 40, y - 30], [x + 40, y + 30], [x - 40, y + 30]]
    return {
        "measure.point": {"point": points["pier"], "layers": ["terrain"], "crs": "EPSG:4528"},
        "measure.area": {"polygon": square, "surface": "terrain"},
        "measure.angle": {"points": [points["shore"], points["old_quarter"], points["street"]]},
        "measure.height": {"point": eyes["hill"], "ground": "terrain"},
        "measure.profile": {"line": walk, "layers": ["terrain", "models", "cloud"], "width": 2},
        "measure.clearance": {"a": "pipes", "b": "scheme_A", "max_distance": 15},
        "measure.section": {
            "line": [[x - 60, y], [x + 60, y]],
            "layers": ["terrain", "models", "cloud"],
        },
        "measure.count": {"polygon": square, "layers": ["models", "cloud", "pipes", "terrain"]},
        "measure.distance": {"start": points["pier"], "end": eyes["hill"]},
        "measure.polyline": {"points": [p[:2] for p in walk], "surface": "terrain"},
        "volume.demolition": {
            "surface": "cloud",
            "area": {"layer": "site"},
            "footprints": ["buildings"],
            "ground": "terrain",
            "models": "models",
        },
        "schemes.check": {"scheme": "A", "site": "site", "zone": "II"},
        "schemes.score": {
            "matrix": {"A": {"far": 1.82, "density": 13.7}, "B": {"far": 1.77, "density": 29.5}},
            "weights": {"far": 1, "density": 2},
            "better": {"density": "less"},
        },
        "schemes.diff": {"a": "A", "b": "B"},
        "schemes.conflicts": {
            "schemes": ["A", "B"],
            "plans": [
                {"layer": "road_areas", "where": "类型 = '道路红线'"},
                {"layer": "pipes", "distance": 10},
                {"layer": "site", "rule": "keep_within"},
            ],
        },
        "schemes.earthwork": {"scheme": "B", "terrain": "terrain"},
        "schemes.compare": {
            "schemes": ["A", "B"],
            "requests": [
                {"analysis": "schemes.check", "params": {"site": "site", "zone": "II"}},
                {"analysis": "schemes.earthwork", "params": {"terrain": "terrain"}},
            ],
            "weights": {"check.far": 1, "earthwork.moved": 1},
        },
        "schemes.indicators": {"scheme": "A", "site": "site", "green": "green"},
        "sunlight.position": {"time": "2001-01-20T12:00+08:00", "point": [x, y]},
        "sunlight.shadow": {
            "time": "2001-01-20T10:00+08:00",
            "receivers": {"polygon": square, "cell_size": 1},
            "obstacles": ["terrain", "models"],
        },
        "sunlight.hours": {
            "day": "great_cold",
            "year": 2001,
            "receivers": {"polygon": square, "cell_size": 2},
            "obstacles": ["terrain", "models"],
        },
        "sunlight.isochrones": {
            "request": {
                "day": "great_cold",
                "year": 2001,
                "receivers": {"polygon": square, "cell_size": 2},
                "obstacles": ["terrain", "models"],
            },
            "levels": [1, 2, 3, 4, 5, 6, 7],
        },
        "sunlight.windows": {**sunlight, "obstacles": ["models"]},
        "sunlight.compare": {
            "before": "A",
            "after": "B",
            "reference": "",
            "request": {**sunlight, "obstacles": ["models", "scheme_A", "scheme_B"]},
        },
        "sunlight.envelope": {
            **sunlight,
            "site": {"layer": "site"},
            "cell_size": 4,
            "obstacles": ["terrain", "models"],
        },
        "sunlight.shadow_path": {"point": [x, y], "obstacles": ["terrain", "models"]},
        "sightline.dome": {"point": [x, y], "obstacles": ["terrain", "models"], "radius": 400},
        "sightline.line": {
            "observer": eyes["pier"],
            "targets": [points["old_quarter"], points["street"], eyes["hill"]],
            "obstacles": ["terrain", "models"],
            "curvature": True,
        },
        "sightline.viewshed": {
            "observer": eyes["pier"],
            "surface": ["terrain", "models"],
            "max_distance": 400,
            "cell_size": 4,
        },
        "sightline.skyline": {
            "viewpoint": eyes["pier"],
            "obstacles": ["terrain", "models"],
            "azimuth_from": 270,
            "azimuth_to": 100,
        },
        "sightline.corridor": {
            "viewpoints": [eyes["pier"]],
            "landmark": [eyes["hill"]],
            "width": 30,
            "protected_height": 10,
            "obstacles": ["terrain", "models"],
        },
        "sightline.windows": {
            "obstacles": ["terrain", "models"],
            "route": [[x - 150, y - 80], [x + 150, y - 60]],
            "windows": ["windows"],
            "facades": ["models"],
            "range": 250,
            "spacing": 20,
            "facade_spacing": 5,
        },
        "sightline.coverage": {
            "candidates": [[x + a, y + b] for a in (-90, -30, 30, 90) for b in (-60, 0, 60)],
            "area": [[x - 100, y - 80], [x + 100, y - 80], [x + 100, y + 80], [x - 100, y + 80]],
            "obstacles": ["terrain", "models"],
            "instrument": {"height": 6, "range": 150, "horizontal_fov": 90},
            "count": 4,
        },
        "sightline.highpoints": {
            "obstacles": ["terrain", "models"],
            "area": [
                [x - 300, y - 300],
                [x + 300, y - 300],
                [x + 300, y + 300],
                [x - 300, y + 300],
            ],
        },
        "sightline.height_limit": {
            "obstacles": ["models"],
            "ground": "terrain",
            "surfaces": [
                {"kind": "zones", "layer": "parcels", "attribute": "限高", "above": "ground"},
                {
                    "kind": "cone",
                    "name": "lighthouse",
                    "center": points["shore"],
                    "height": 30,
                    "slope": 0.1,
                    "radius_to": 400,
                },
            ],
        },
        "volume.polygon": {"surface": "cloud", "polygon": square, "base": "terrain"},
        "volume.cutfill": {"before": "terrain", "after": "cloud", "polygon": square},
        "volume.solid": {"layer": "tree_models"},
        "volume.storage": {
            "surface": "terrain",
            "level": [0, 2, 5, 10],
            "water": "connected",
        },
        "volume.excavation": {
            "polygon": [[x - 20, y - 15], [x + 20, y - 15], [x + 20, y + 15], [x - 20, y + 15]],
            "terrain": "terrain",
            "depth": 6,
            "slope_ratio": 0.5,
            "underground": ["pipes"],
        },
    }


def run_headless(command: Command, folder: Path, project: Path) -> None:
    """Draw every viewpoint, run every analysis and write the report."""
    from plumbline import demo as district
    from plumbline.analysis.registry import registry
    from plumbline.cli.report import report_of

    start_plugins(command)
    described = district.load(folder / DISTRICT)
    command.note(tr("Loading the demo district"))
    scene, _ = scene_of_project(project, command)
    asked = requests(described)
    results: dict[str, Result] = {}
    failed: dict[str, str] = {}
    for name in registry.ids():
        if name in asked:
            command.note(tr("Running {name}", name=name))
            _run_one(command, scene, folder, name, asked[name], results, failed)
    # Only what is drawn: a renderer also prepares the layers that are switched off.
    drawn, _ = scene_of_project(project, command, drawn_only=True)
    pictures = _pictures(command, drawn, folder / "pictures")
    report = folder / "report.html"
    plan = replace(
        scene.report,
        title=tr("The Plumbline demo district"),
        subtitle=tr(
            "A made-up quarter by the sea near Qingdao, the same on every machine. Its true "
            "volumes, heights and areas are known by construction (truth.json), so every number "
            "can be checked."
        ),
    )
    gaps = [f"{name}: {why}" for name, why in failed.items()]
    report_of(command, scene, plan, project, [report], drawn=drawn, results=results, gaps=gaps)
    truth = json.loads(described.truth.read_text(encoding="utf-8"))
    lines = [
        tr("Report: {path}", path=report),
        tr("Pictures: {path}", path=folder / "pictures") if pictures else "",
        tr("Results: {path}", path=folder / "results"),
        tr("Project: {path}", path=project),
    ]
    document = {
        "folder": str(folder),
        "project": str(project),
        "report": str(report),
        "pictures": {name: str(path) for name, path in pictures.items()},
        "results": {name: str(folder / "results" / name / "result.json") for name in results},
        "failed": failed,
        "buildings": truth["buildings_total"]["count"],
    }
    command.answer(document, "\n".join(line for line in lines if line))


def _run_one(
    command: Command,
    scene: Scene,
    folder: Path,
    name: str,
    params: Mapping[str, Any],
    results: dict[str, Result],
    failed: dict[str, str],
) -> None:
    """Run one analysis; one that is refused is told and does not stop the others."""
    from plumbline.analysis import runner
    from plumbline.analysis.store import write_result
    from plumbline.core.errors import CancelledError

    try:
        result = runner.run(name, scene, params, command.feedback)
        write_result(result, folder / "results" / name)
    except CancelledError:
        raise
    except UserError as error:
        failed[name] = str(error)
        command.exit_code = error.exit_code
        command.note(str(error))
    else:
        results[name] = result
    command.progress.clear()


def _pictures(command: Command, scene: Scene, folder: Path) -> dict[str, Path]:
    """Draw every viewpoint; without VTK the report has no pictures, and that is said."""
    from plumbline.cli.window import draw

    pictures: dict[str, Path] = {}
    for n, viewpoint in enumerate(scene.viewpoints):
        command.note(tr("Drawing “{name}”", name=viewpoint.name))
        path = folder / f"{n + 1:02d}.png"
        try:
            draw(scene, path, _PICTURE_SIZE, viewpoint.name)
        except UserError as error:
            command.note(str(error))
            return pictures
        pictures[viewpoint.name] = path
    return pictures
