"""Underground pipes along the streets: 3D centre lines a known depth below the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.demo.model import District
from plumbline.demo.streets import segments
from plumbline.demo.terrain import sample

CLASSES = {
    # class: (offset from the centre line as share of the carriage, depth m, material, owner)
    "给水": (-0.36, 1.4, "球墨铸铁", "市政水务"),
    "污水": (-0.12, 3.2, "钢筋混凝土", "市政排水"),
    "燃气": (0.22, 1.1, "PE", "燃气公司"),
    "电力": (0.42, 0.9, "CPVC 排管", "供电公司"),
}
_DIAMETERS = {
    "主干路": {"给水": 600, "污水": 1000, "燃气": 300, "电力": 250},
    "次干路": {"给水": 400, "污水": 600, "燃气": 200, "电力": 200},
    "支路": {"给水": 300, "污水": 500, "燃气": 160, "电力": 175},
}
COLOURS = {"给水": "#2f7fd0", "污水": "#8a5a2b", "燃气": "#e0b020", "电力": "#d03a3a"}
STEP = 5.0


@dataclass(frozen=True)
class Pipe:
    """One run of pipe: its axis (shapely LineString Z in local m) and what it is."""

    kind: str
    street: str
    diameter: int
    depth: float
    material: str
    owner: str
    axis: Any

    @property
    def length(self) -> float:
        """Length in m along the axis in space."""
        import shapely

        points = shapely.get_coordinates(self.axis, include_z=True)
        return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def lay(district: District) -> list[Pipe]:
    """Return the pipes of every street that cars use; each vertex lies `depth` below ground.

    Depth counts from the ground to the axis; between vertices, 5 m apart, pipes run straight.
    """
    import shapely

    found = []
    for road, line in segments(district.streets):
        if road.grade not in _DIAMETERS or line.length < 20:
            continue
        for kind, (share, depth, material, owner) in CLASSES.items():
            run = line.offset_curve(share * road.carriage)
            if run.geom_type != "LineString" or run.length < 10:
                continue
            at = np.linspace(0, run.length, int(run.length / STEP) + 2)
            points = shapely.get_coordinates(shapely.line_interpolate_point(run, at))
            points = np.round(points, 3)
            z = np.round(sample(district.ground, points[:, 0], points[:, 1]) - depth, 3)
            axis = shapely.LineString(np.column_stack([points, z]))
            diameter = _DIAMETERS[road.grade][kind]
            found.append(Pipe(kind, road.name, diameter, depth, material, owner, axis))
    return found


def rows(pipes: list[Pipe]) -> list[dict[str, Any]]:
    """Return the table of the pipes; 管径 in mm, 埋深 and 长度 in m."""
    return [
        {
            "编号": f"P{number:04d}", "类别": p.kind, "管径": p.diameter, "埋深": p.depth,
            "材质": p.material, "权属单位": p.owner, "道路": p.street,
            "长度": round(p.length, 3), "geometry": p.axis,
        }
        for number, p in enumerate(pipes, 1)
    ]  # fmt: skip
