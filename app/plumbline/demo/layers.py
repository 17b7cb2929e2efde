"""The list of layers, viewpoints and schemes of the district: `demo.json` beside the data.

Styles use the names of `plumbline.core.layer.LayerStyle`, so ``LayerStyle(**layer.style)`` works.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.demo import facades, pipes, schemes, vectors
from plumbline.demo.fabric import pier_head
from plumbline.demo.frame import CRS, HEIGHT, ORIGIN, WIDTH, to_crs
from plumbline.demo.model import DemoDistrict, DemoLayer, DemoScheme, District, Viewpoint
from plumbline.demo.terrain import sample

LAYERS = (
    DemoLayer("terrain", "terrain.tif", "raster", "Terrain", "地形", "terrain"),
    DemoLayer("orthophoto", "orthophoto.tif", "raster", "Orthophoto", "正射影像", "terrain"),
    DemoLayer(
        "sea",
        "models/sea/sea.obj",
        "mesh",
        "Sea",
        "海面",
        "terrain",
        style={"color_by": "texture"},
    ),
    DemoLayer(
        "models",
        "models/buildings/buildings.obj",
        "mesh",
        "Building models",
        "建筑模型",
        "city",
        style={"color_by": "texture"},
        join={"layer": "buildings", "key": "编号", "table": "buildings.csv"},
    ),
    DemoLayer(
        "tree_models",
        "models/trees/trees.obj",
        "mesh",
        "Tree models",
        "树木模型",
        "city",
        style={"color_by": "texture"},
    ),
    DemoLayer(
        "buildings",
        "buildings.gpkg",
        "vector",
        "Buildings",
        "建筑物",
        "city",
        sublayer="buildings",
        style={
            "extrude": "高度",
            "base": "基底高程",
            "color_by": "attribute",
            "attribute": "用途",
            "class_colors": vectors.USE_COLOURS,
            "edges": True,
        },
        visible=False,
    ),
    DemoLayer(
        "roads",
        "roads.gpkg",
        "vector",
        "Street centre lines",
        "道路中心线",
        "plan",
        sublayer="roads",
        style={"color": "#f2b134", "line_width": 2.0, "label": "名称"},
        visible=False,
    ),
    DemoLayer(
        "road_areas",
        "roads.gpkg",
        "vector",
        "Street areas",
        "道路红线",
        "plan",
        sublayer="road_areas",
        style={"color": "#c9433a"},
        visible=False,
    ),
    DemoLayer(
        "parcels",
        "parcels.gpkg",
        "vector",
        "Parcels",
        "地块",
        "plan",
        sublayer="parcels",
        style={
            "color": "#e5533d",
            "color_by": "attribute",
            "attribute": "用地性质",
            "label": "地块编号",
        },
        visible=False,
        opacity=0.5,
    ),
    DemoLayer(
        "site",
        "parcels.gpkg",
        "vector",
        "Site of the schemes",
        "旧城改造范围",
        "plan",
        sublayer="site",
        style={"color": "#d03a3a"},
        visible=False,
        opacity=0.5,
    ),
    DemoLayer(
        "green",
        "green.gpkg",
        "vector",
        "Green areas",
        "绿地",
        "plan",
        sublayer="green",
        style={"color": "#5c9f4a"},
        visible=False,
        opacity=0.6,
    ),
    DemoLayer(
        "trees",
        "green.gpkg",
        "vector",
        "Trees",
        "树木",
        "plan",
        sublayer="trees",
        style={"color": "#3f7a36", "point_size": 5.0},
        visible=False,
    ),
    DemoLayer(
        "windows",
        "windows.gpkg",
        "vector",
        "Windows of dwellings",
        "住宅窗户",
        "plan",
        sublayer="windows",
        style={"color": "#3b6fb5", "point_size": 6.0},
        visible=False,
    ),
    DemoLayer(
        "photogrammetry",
        "photogrammetry/photogrammetry.obj",
        "mesh",
        "Photogrammetry of the old quarter",
        "旧城倾斜摄影",
        "survey",
        style={"color_by": "texture"},
        visible=False,
    ),
    DemoLayer(
        "cloud",
        "cloud.laz",
        "pointcloud",
        "Point cloud",
        "激光点云",
        "survey",
        style={"color_by": "rgb", "point_size": 2.0, "eye_dome": True},
        visible=False,
    ),
    DemoLayer(
        "pipes",
        "pipes.gpkg",
        "vector",
        "Underground pipes",
        "地下管线",
        "underground",
        sublayer="pipes",
        style={
            "color_by": "attribute",
            "attribute": "类别",
            "class_colors": pipes.COLOURS,
            "line_width": 4.0,
            "tube": "管径",
            "tube_unit": 0.001,
            "drape": False,
        },
        visible=False,
    ),
    DemoLayer(
        "scheme_A",
        "scheme_A.ifc",
        "bim",
        "Scheme A: slabs and a tower",
        "方案A：板塔结合",
        "schemes",
        style={"color_by": "material", "hidden_classes": ["IfcSpace"]},
    ),
    DemoLayer(
        "scheme_B",
        "scheme_B.ifc",
        "bim",
        "Scheme B: courtyards",
        "方案B：低层围合",
        "schemes",
        style={"color_by": "material", "hidden_classes": ["IfcSpace"]},
    ),
)
"""Every layer, in the order of the layer tree from the bottom up."""

GROUPS = {
    "terrain": ("Terrain", "地形影像"),
    "city": ("City", "城市现状"),
    "plan": ("Plan layers", "规划图层"),
    "survey": ("Surveys", "实景测量"),
    "underground": ("Underground", "地下空间"),
    "schemes": ("Schemes", "规划方案"),
}


def viewpoints(district: District) -> tuple[Viewpoint, ...]:
    """Return the named cameras."""

    def ground(u: float, v: float) -> float:
        return max(float(sample(district.ground, np.array(u), np.array(v))), 0.0)

    def view(
        ident: str,
        name: str,
        chinese: str,
        eye: tuple[float, float, float],
        aim: tuple[float, float, float],
    ) -> Viewpoint:
        """Heights are above the ground (or the sea) at that place."""
        points = [
            to_crs(np.array([[u, v, ground(u, v) + h]]))[0].round(2).tolist()
            for u, v, h in (eye, aim)
        ]
        return Viewpoint(ident, name, chinese, tuple(points[0]), tuple(points[1]))

    head_u, head_v, _ = pier_head()
    old, _ = schemes.frame(district)
    return (
        view("birds_eye", "Bird's eye from the sea", "海上鸟瞰", (380, -330, 420), (600, 470, 0)),
        view("shore", "Along the shore", "海滨", (880, 60, 45), (430, 330, 10)),
        view(
            "pier",
            "The pier",
            "栈桥",
            (head_u - 70, head_v - 45, 16),
            (head_u + 25, head_v + 140, 12),
        ),
        view(
            "old_quarter",
            "The old quarter",
            "里院旧城",
            (float(old[0]) - 70, float(old[1]) - 190, 120),
            (float(old[0]), float(old[1]), 0),
        ),
        view("street", "On the street", "街景", (262, 552.5, 9), (420, 537.3, 5)),
        view("hill", "From the beacon hill", "信标山眺望", (893, 850, 38), (520, 330, 0)),
    )


def write(district: District, path: Path) -> None:
    """Write ``demo.json``."""
    hidden = [b.ident for b in district.buildings if b.demolish]
    polygons = [
        to_crs(np.asarray(p.exterior.coords)).round(3).tolist() for p in schemes.site(district)
    ]
    content = {
        "crs": CRS,
        "origin": [ORIGIN[0] + WIDTH / 2, ORIGIN[1] + HEIGHT / 2, 0.0],
        "bounds": [*ORIGIN, ORIGIN[0] + WIDTH, ORIGIN[1] + HEIGHT],
        "sea_level": 0.0,
        "groups": {k: {"name": n, "name_zh": zh} for k, (n, zh) in GROUPS.items()},
        "layers": [dataclasses.asdict(layer) for layer in LAYERS],
        "viewpoints": [dataclasses.asdict(v) for v in viewpoints(district)],
        "schemes": [
            {
                "id": letter,
                "name": f"Scheme {letter}",
                "name_zh": schemes.SCHEMES[letter][0],
                "layers": [f"scheme_{letter}"],
                "hidden": hidden,
                "site": polygons,
            }
            for letter in schemes.SCHEMES
        ],
        "roof_colours": {k: list(c) for k, c in facades.ROOFS.items()},
    }
    text = json.dumps(content, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def load(folder: Path) -> DemoDistrict:
    """Return the description of the district in `folder`.

    Raises
    ------
    InputError
        If there is no demo district, or its description is damaged.
    """
    from plumbline.core.errors import InputError
    from plumbline.core.i18n import tr

    try:
        content: dict[str, Any] = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
        return DemoDistrict(
            folder=folder,
            crs=content["crs"],
            origin=tuple(content["origin"]),
            bounds=tuple(content["bounds"]),
            sea_level=content["sea_level"],
            groups={k: (v["name"], v["name_zh"]) for k, v in content["groups"].items()},
            layers=tuple(DemoLayer(**row) for row in content["layers"]),
            viewpoints=tuple(
                Viewpoint(
                    row["id"],
                    row["name"],
                    row["name_zh"],
                    tuple(row["position"]),
                    tuple(row["focal_point"]),
                )
                for row in content["viewpoints"]
            ),
            schemes=tuple(DemoScheme(**row) for row in content["schemes"]),
            truth=folder / "truth.json",
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            tr("There is no readable demo district in {path}.", path=folder),
            tr("Build it again with: plumbline demo --out FOLDER"),
            str(error),
        ) from error
