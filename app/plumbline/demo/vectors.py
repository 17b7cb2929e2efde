"""The plan layers as GeoPackages with Chinese attributes, and the buildings once more in GBK."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plumbline.demo import facades, schemes
from plumbline.demo.frame import CRS, ORIGIN
from plumbline.demo.model import Building, District, Tree
from plumbline.demo.streets import segments

FIXED_DATE = "2026-01-01T00:00:00.000Z"
"""GeoPackages carry a date of change; a fixed one keeps two builds identical."""

ROOF_NAMES = {"flat": "平屋顶", "gable": "双坡", "hip": "四坡", "pyramid": "攒尖"}
USE_COLOURS = {
    "住宅": "#e8c26a", "商业": "#d9694f", "商务办公": "#7f8fc9", "教育": "#e39bb5",
    "医疗": "#d65a7a", "文化": "#b388c9", "旅馆": "#e08e3c", "宗教": "#9a7b5f",
    "仓储": "#9a9a9a", "市政": "#6fa3a8",
}  # fmt: skip
"""Suggested colour of every 用途, near to the colours of planning drawings."""


@contextmanager
def fixed_date() -> Iterator[None]:
    """Let GDAL write a fixed date into GeoPackages while this lasts."""
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FIXED_DATE})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def frame(rows: list[dict[str, Any]]) -> Any:
    """Return rows with a local ``geometry`` as GeoDataFrame in EPSG:4549."""
    import geopandas
    import shapely

    def move(points: Any) -> Any:
        points = points.copy()
        points[:, 0] += ORIGIN[0]
        points[:, 1] += ORIGIN[1]
        return points

    table = geopandas.GeoDataFrame(rows, geometry="geometry", crs=CRS)
    has_z = bool(table.geometry.has_z.any())
    table["geometry"] = shapely.transform(table.geometry.to_numpy(), move, include_z=has_z)
    return table


def save(rows: list[dict[str, Any]], path: Path, layer: str) -> None:
    """Write one table of a GeoPackage; OSError when the disk does not take it."""
    _to_file(rows, path, layer=layer, driver="GPKG")


def _to_file(rows: list[dict[str, Any]], path: Path, **options: Any) -> None:
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with fixed_date():
            frame(rows).to_file(path, engine="pyogrio", **options)
    except (DataSourceError, DataLayerError) as error:
        raise OSError(str(error)) from error


def building_row(building: Building, number_of_parcel: str) -> dict[str, Any]:
    """Return the attributes of one building; lengths in m, areas in m²."""
    return {
        "编号": building.ident,
        "名称": building.name,
        "用途": building.use,
        "层数": building.storeys,
        "高度": round(building.height, 2),
        "檐口高度": round(building.eaves, 2),
        "屋脊高度": round(building.ridge, 2),
        "基底高程": building.base,
        "基底面积": round(float(building.footprint.area), 2),
        "建筑面积": round(building.floor_area, 2),
        "建成年代": building.year,
        "结构": building.structure,
        "屋顶": ROOF_NAMES[building.roof],
        "户数": building.dwellings,
        "地块编号": number_of_parcel,
        "拆除": "是" if building.demolish else "否",
        "geometry": building.footprint,
    }


def write(district: District, folder: Path) -> None:
    """Write roads, parcels, green, buildings and, once more in GBK, the buildings."""
    _roads(district, folder / "roads.gpkg")
    save(district.parcels, folder / "parcels.gpkg", "parcels")
    site = [
        {"名称": f"旧城改造地块{'西东'[k]}", "面积": round(float(p.area), 2), "geometry": p}
        for k, p in enumerate(schemes.site(district))
    ]
    save(site, folder / "parcels.gpkg", "site")
    save(_windows(district), folder / "windows.gpkg", "windows")
    save(district.greens, folder / "green.gpkg", "green")
    save([_tree_row(i, t) for i, t in enumerate(district.trees, 1)], folder / "green.gpkg", "trees")
    parcel = {p["街坊"]: p["地块编号"] for p in district.parcels}
    rows = [building_row(b, parcel.get(b.block, "")) for b in district.buildings]
    save(rows, folder / "buildings.gpkg", "buildings")
    _table(rows, folder / "models" / "buildings" / "buildings.csv")
    _to_file(
        rows,
        folder / "buildings_gbk.shp",
        driver="ESRI Shapefile",
        encoding="GBK",
        DBF_DATE_LAST_UPDATE=FIXED_DATE[:10],
    )


def _table(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the attributes once more beside the models, to be joined to them by 编号."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [name for name in rows[0] if name != "geometry"]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row[name] for name in columns] for row in rows)
        # The pier is a model without a footprint of its own.
        pier = {"编号": "pier", "名称": "栈桥", "用途": "市政", "结构": "砖石", "拆除": "否"}
        writer.writerow([pier.get(name, "") for name in columns])


def _roads(district: District, path: Path) -> None:
    lines = [
        {
            "名称": road.name, "等级": road.grade, "宽度": road.width, "车行道宽": road.carriage,
            "长度": round(line.length, 2), "geometry": line,
        }
        for road, line in segments(district.streets)
    ]  # fmt: skip
    save(lines, path, "roads")
    areas = [
        {
            "名称": s.name,
            "类型": "道路红线",
            "等级": s.grade,
            "桥面高程": None,
            "geometry": s.polygon,
        }
        for s in district.streets
    ]
    areas += [
        {"名称": "栈桥", "类型": "栈桥", "等级": "步行", "桥面高程": p.eaves, "geometry": p.polygon}
        for p in district.pier[:2]
    ]
    save(areas, path, "road_areas")


def _tree_row(number: int, tree: Tree) -> dict[str, Any]:
    import shapely

    return {
        "编号": f"T{number:05d}", "树种": tree.species, "高度": tree.height,
        "冠幅": round(2 * tree.radius, 2), "冠高": round(2 * tree.semi, 2), "地面高程": tree.ground,
        "geometry": shapely.Point(tree.u, tree.v, tree.ground),
    }  # fmt: skip


def _windows(district: District) -> list[dict[str, Any]]:
    """Return sill points of the south windows of the slab dwellings around the old quarter.

    Points lie on the wall, 0.9 m above the floor of their storey.
    """
    import numpy as np
    import shapely

    area = shapely.union_all(schemes.site(district)).buffer(160)
    found: list[dict[str, Any]] = []
    for building in district.buildings:
        part = building.parts[0]
        slab = building.use == "住宅" and not building.demolish and building.storeys >= 5
        if not slab or len(building.parts) > 1 or not area.intersects(building.footprint):
            continue
        storey = building.eaves / building.storeys
        bays = max(1, round(part.length / facades.bay_width(building.facade)))
        along = (np.arange(bays) + 0.5) / bays * part.length - part.length / 2
        foot = part.place(np.column_stack([along, np.full(bays, -part.depth / 2)]))
        azimuth = round(float(np.degrees(np.pi - part.angle)) % 360, 2)
        for floor in range(building.storeys):
            z = round(building.base + floor * storey + 0.9, 3)
            for k, (u, v) in enumerate(foot, 1):
                found.append(
                    {
                        "编号": f"{building.ident}-{floor + 1:02d}-{k:02d}", "楼号": building.ident,
                        "楼层": floor + 1, "窗宽": 1.8, "窗高": 1.5, "朝向": azimuth,
                        "geometry": shapely.Point(u, v, z),
                    }
                )  # fmt: skip
    return found
