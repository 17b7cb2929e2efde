"""The truth by construction, against which every analysis can be checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.demo import cloud, mesh, schemes
from plumbline.demo.fabric import PIER_DECK, pier_head
from plumbline.demo.frame import CRS, HEIGHT, ORIGIN, SUN_AZIMUTH, SUN_ELEVATION, WIDTH, to_crs
from plumbline.demo.model import Building, District
from plumbline.demo.pipes import Pipe
from plumbline.demo.surface import SEA_LEVEL, heights_at
from plumbline.demo.terrain import FORMULA, natural, sample

UNITS = {
    "coordinates": "m in EPSG:4549 (easting, northing, height above the sea)",
    "height, *_height, height_max": "m above the base of the building",
    "base, ground, sea_level, level": "m above the sea",
    "*_area, area": "m2",
    "*volume*": "m3",
    "length, radius, width, distance, clearance, depth, sigma": "m",
    "diameter": "mm",
    "far, density": "ratio",
    "azimuth_grid, elevation": "degrees; azimuth clockwise from grid north",
    "storeys, dwellings, count, points": "1",
}
NOTES = {
    "volume": "body of the building: footprint x eaves + roof; no parapets, nothing on the roof",
    "volume_extras": "parapets, stair heads, lift boxes and the like, on top of `volume`",
    "height": "attribute 高度 = half-way from eaves to ridge (GB 50016), roof level when flat",
    "floor_area": "storeys x footprint",
    "tree": "crown = ellipsoid of the radius and the vertical semi-axis, its top at the height",
    "trees.table": "easting, northing, ground, height, radius, vertical semi-axis, canopy volume",
    "orthophoto": "shows cars, markings and shadows that no height product has",
    "models": "LoD2 by construction, no noise; walls reach 1.2 m into the ground",
}


def write(
    district: District,
    pipes: list[Pipe],
    points: dict[int, int],
    indicators: dict[str, Any],
    path: Path,
) -> None:
    """Write ``truth.json``; every key's unit is said in its ``units``."""
    content = {
        "units": UNITS,
        "notes": NOTES,
        "crs": CRS,
        "seed": district.seed,
        "bounds": [*ORIGIN, ORIGIN[0] + WIDTH, ORIGIN[1] + HEIGHT],
        "sea_level": SEA_LEVEL,
        "sun": {"azimuth_grid": SUN_AZIMUTH, "elevation": SUN_ELEVATION},
        "accuracy": _accuracy(),
        "terrain": _terrain(district),
        "buildings": [_building(b) for b in district.buildings],
        "buildings_total": _total(district.buildings),
        "old_quarter": _old_quarter(district),
        "trees": _trees(district),
        "pipes": _pipes(pipes),
        "cloud": {
            "points": sum(points.values()),
            "by_class": {str(k): n for k, n in points.items()},
        },
        "schemes": indicators,
        "sightlines": sightlines(district),
        "tutorial": tutorial(district),
        "counts": {
            "buildings": len(district.buildings),
            "trees": len(district.trees),
            "parcels": len(district.parcels),
            "streets": len(district.streets),
            "pipes": len(pipes),
        },
    }
    text = json.dumps(_rounded(content), ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _rounded(value: Any) -> Any:
    """Return the content with numbers of at most six decimals, and plain Python types."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 6)
    return value.item() if isinstance(value, np.generic) else value


def _accuracy() -> dict[str, Any]:
    return {
        "cloud": {"sigma": cloud.SIGMA, "note": "Gaussian in height; across the wall on walls"},
        "photogrammetry": {
            "sigma": mesh.SIGMA,
            "wall_offset_top": mesh.INNER,
            "wall_offset_foot": mesh.OUTER,
            "note": "nodes 1 m apart: ridges and corners are cut by up to 0.5 m, crowns rough",
        },
        "terrain": {
            "note": "bilinear between the centres of 1 m cells is the true ground, exactly"
        },
    }


def _terrain(district: District) -> dict[str, Any]:
    named = {
        "信标山顶 hill top": (880.5, 870.5),
        "海床 sea bed": (700.5, 60.5),
        "海滩 beach": (600.5, 190.5),
        "栈桥广场 square": (360.5, 262.5),
        "西山 western hill": (30.5, 950.5),
    }
    samples = []
    for name, (u, v) in named.items():
        level, free = float(sample(district.ground, np.array(u), np.array(v))), float(natural(u, v))
        samples.append(
            {
                "name": name,
                "point": [u + ORIGIN[0], v + ORIGIN[1], level],
                "untouched": abs(level - free) < 1e-6,
            }
        )
    z = district.ground
    return {
        "formula": FORMULA,
        "formula_holds": "at `untouched` points; streets and platforms are graded into it",
        "samples": samples,
        "lowest": float(z.min()),
        "highest": float(z.max()),
        "land_area": float((z >= SEA_LEVEL).sum()),
        "volume_above": [
            {
                "level": level,
                "volume": float(np.maximum(z - level, 0).sum()),
                "area": float((z > level).sum()),
            }
            for level in (0.0, 20.0, 40.0)
        ],
    }


def _building(b: Building) -> dict[str, Any]:
    return {
        "id": b.ident,
        "name": b.name,
        "use": b.use,
        "block": b.block,
        "roof": b.roof,
        "footprint_area": b.footprint.area,
        "base": b.base,
        "eaves_height": b.eaves,
        "ridge_height": b.ridge,
        "height": b.height,
        "top_height": b.top,
        "storeys": b.storeys,
        "floor_area": b.floor_area,
        "dwellings": b.dwellings,
        "volume": b.volume,
        "volume_extras": b.volume_extras,
        "demolish": b.demolish,
    }


def _total(buildings: list[Building]) -> dict[str, Any]:
    return {
        "count": len(buildings),
        "footprint_area": sum(b.footprint.area for b in buildings),
        "floor_area": sum(b.floor_area for b in buildings),
        "volume": sum(b.volume for b in buildings),
        "volume_extras": sum(b.volume_extras for b in buildings),
        "dwellings": sum(b.dwellings for b in buildings),
    }


def _old_quarter(district: District) -> dict[str, Any]:
    polygons = schemes.site(district)
    marked = [b for b in district.buildings if b.demolish]
    return {
        **_total(marked),
        "site_area": sum(p.area for p in polygons),
        "polygons": [to_crs(np.asarray(p.exterior.coords)).tolist() for p in polygons],
        "buildings": [b.ident for b in marked],
    }


def _trees(district: District) -> dict[str, Any]:
    rows: list[list[float]] = []
    species: dict[str, int] = {}
    volume = 0.0
    for t in district.trees:
        crown = 4 / 3 * np.pi * t.radius**2 * t.semi
        rows.append([t.u + ORIGIN[0], t.v + ORIGIN[1], t.ground, t.height, t.radius, t.semi, crown])
        species[t.species] = species.get(t.species, 0) + 1
        volume += crown
    return {"count": len(rows), "canopy_volume": volume, "by_species": species, "table": rows}


def _pipes(pipes: list[Pipe]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for pipe in pipes:
        own = found.setdefault(pipe.kind, {"count": 0, "length": 0.0, "depth": pipe.depth})
        own["count"] += 1
        own["length"] += pipe.length
    return {"count": len(pipes), "length": sum(p.length for p in pipes), "by_class": found}


def named(district: District, name: str) -> Building:
    """Return the first building called `name`."""
    return next(b for b in district.buildings if b.name == name)


def sightlines(district: District) -> list[dict[str, Any]]:
    """Return pairs of points whose view is free or blocked by a clear margin.

    `clearance` is the least height in m of the line above the surface, crowns included, away from
    its ends; negative where it is blocked, and then by buildings or ground alone.
    """
    head = pier_head()
    eye = (head[0] + 11.0, head[1] - 6.0, PIER_DECK + 1.6)
    spire, beacon = named(district, "圣山教堂钟楼"), named(district, "信标塔")
    light, tower = named(district, "望海灯塔"), named(district, "海天名邸1号楼")
    pairs = [
        ("pier head to lighthouse", eye, _tip(light)),
        ("pier head to beacon hill", eye, _tip(beacon)),
        ("church spire to beacon hill", _tip(spire), _tip(beacon)),
        ("church spire to lighthouse", _tip(spire), _tip(light)),
        ("through the tower on the shore", *_across(tower, 60.0, tower.base + 30)),
        (
            "through the slab of the hospital",
            *_across(named(district, "市立医院住院楼"), 50.0, None),
        ),
        ("through the office podium", *_across(named(district, "观澜中心A座"), 60.0, None)),
        ("through the hotel", *_across(named(district, "海晏大饭店"), 60.0, None)),
    ]
    return [r for r in (_sightline(district, *pair) for pair in pairs) if abs(r["clearance"]) > 1]


def _tip(building: Building) -> tuple[float, float, float]:
    """Return a point 1 m above the tip of a building."""
    part = building.parts[0]
    return part.u, part.v, building.base + building.top + 1.0


def _across(building: Building, reach: float, z: float | None) -> tuple[Any, Any]:
    """Return two points south and north of a building, 12 m above its base (or at height `z`)."""
    part = building.parts[0]
    south = np.array([np.sin(part.angle), -np.cos(part.angle)]) * (part.depth / 2 + reach)
    level = building.base + 12 if z is None else z
    return (part.u + south[0], part.v + south[1], level), (
        part.u - south[0],
        part.v - south[1],
        level,
    )


def _sightline(district: District, name: str, a: Any, b: Any) -> dict[str, Any]:
    start, end = np.array(a, float), np.array(b, float)
    length = float(np.linalg.norm(end - start))
    share = np.arange(2.0, length - 2.0, 0.2) / length
    line = start + share[:, None] * (end - start)
    with_trees = line[:, 2] - heights_at(district, line[:, 0], line[:, 1])
    without = line[:, 2] - heights_at(district, line[:, 0], line[:, 1], trees=False)
    free = bool(with_trees.min() > 0)
    return {
        "name": name,
        "observer": to_crs(start[None])[0].tolist(),
        "target": to_crs(end[None])[0].tolist(),
        "distance": length,
        "visible": free,
        "clearance": float((with_trees if free else without).min()),
    }


def tutorial(district: District) -> dict[str, Any]:
    """Return the street whose width and the building whose height the tutorial measures."""
    road = next(s for s in district.streets if s.name == "观澜路")
    at = 330.0
    a, b = (np.array(road.line.interpolate(at + k).coords[0]) for k in (-0.5, 0.5))
    along, middle = (b - a) / np.linalg.norm(b - a), (a + b) / 2
    across = np.array([-along[1], along[0]]) * road.width / 2
    ends = np.vstack([middle - across, middle + across])
    z = sample(district.ground, ends[:, 0], ends[:, 1])
    tower = named(district, "海天名邸1号楼")
    part = tower.parts[0]
    return {
        "street": {
            "name": road.name,
            "width": road.width,
            "carriage": road.carriage,
            "from": to_crs(np.array([[*ends[0], z[0]]]))[0].tolist(),
            "to": to_crs(np.array([[*ends[1], z[1]]]))[0].tolist(),
        },
        "building": {
            "id": tower.ident,
            "name": tower.name,
            "use": tower.use,
            "storeys": tower.storeys,
            "height": tower.height,
            "base": tower.base,
            "centre": to_crs(np.array([[part.u, part.v]]))[0].tolist(),
        },
    }
