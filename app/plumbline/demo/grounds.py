"""What lies on the ground between the buildings: covers, green areas, parcels, and the trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.demo.fabric import PIER_U, Lot, pier_head, sports_field
from plumbline.demo.frame import HEIGHT, WIDTH, Floats, noise, random, shore
from plumbline.demo.model import Block, Building, Street, Tree
from plumbline.demo.terrain import burn, sample

COVER = {
    "sea": 0,
    "sand": 1,
    "rock": 2,
    "grass": 3,
    "asphalt": 4,
    "sidewalk": 5,
    "plaza": 6,
    "concrete": 7,
    "track": 8,
    "turf": 9,
    "brick": 10,
    "forest": 11,
    "path": 12,
    "earth": 13,
    "parking": 14,
    "court": 15,
    "stone": 16,
    "garden": 17,
    "hedge": 18,
}
_BASE = {
    "slabs6": "grass",
    "slabs11": "grass",
    "liyuan": "earth",
    "villas": "garden",
    "towers": "grass",
    "offices": "plaza",
    "school": "concrete",
    "market": "concrete",
    "hotel": "grass",
    "square": "plaza",
    "museum": "plaza",
    "church": "garden",
    "hospital": "concrete",
    "park": "forest",
    "shore": "grass",
}
_LAND_USE = {
    "slabs6": ("R2", "二类居住用地", 1.8, 30, 24),
    "slabs11": ("R2", "二类居住用地", 2.4, 25, 54),
    "liyuan": ("R3", "三类居住用地（旧城改造）", 2.5, 35, 80),
    "villas": ("R1", "一类居住用地", 0.6, 25, 12),
    "towers": ("R2", "二类居住用地", 3.0, 22, 100),
    "offices": ("B2", "商务用地", 5.0, 45, 150),
    "school": ("A33", "中小学用地", 0.9, 30, 24),
    "market": ("B1", "商业用地", 1.5, 50, 24),
    "hotel": ("B14", "旅馆用地", 2.0, 35, 60),
    "square": ("G3", "广场用地", 0.4, 20, 24),
    "museum": ("A2", "文化设施用地", 1.2, 35, 30),
    "church": ("A9", "宗教用地", 0.5, 25, 45),
    "hospital": ("A51", "医院用地", 1.6, 30, 60),
    "park": ("G1", "公园绿地", 0.05, 5, 12),
    "shore": ("G1", "公园绿地（滨海）", 0.05, 5, 12),
}


def covers(
    roads: list[Street], blocks: list[Block], buildings: list[Building]
) -> list[tuple[Any, int]]:
    """Return polygons with their cover number, bottom one first."""
    import shapely

    laid: list[tuple[Any, str]] = []
    own: dict[str, list[Building]] = {b.key: [] for b in blocks}
    for building in buildings:
        own.setdefault(building.block, []).append(building)
    for block in blocks:
        laid.append((block.polygon, _BASE[block.use]))
        for shape, cover in _inside(block, own[block.key]):
            laid.append((shape.intersection(block.polygon), cover))
    laid += _coast(blocks)
    u, v, radius = pier_head()
    laid.append((shapely.Point(u, v).buffer(radius), "stone"))
    for road in roads:
        if road.grade == "园路":
            laid.append((road.polygon, "path"))
        elif road.grade == "巷道":
            laid.append((road.polygon, "brick" if "里" in road.name else "concrete"))
        else:
            laid.append((road.polygon, "sidewalk"))
    for road in roads:
        if road.grade not in ("园路", "巷道"):
            laid.append((road.line.buffer(road.carriage / 2, cap_style="flat"), "asphalt"))
    return [(shape, COVER[cover]) for shape, cover in laid if not shape.is_empty]


def _inside(block: Block, buildings: list[Building]) -> list[tuple[Any, str]]:
    """Return the covers within one block: aprons, ways, yards, the sports field."""
    import shapely

    lot = Lot(block, 0.0, np.random.default_rng(0))
    found: list[tuple[Any, str]] = []
    outlines = [b.footprint for b in buildings]
    if block.use in ("slabs6", "slabs11", "towers", "hotel"):
        c, s = np.cos(block.angle), np.sin(block.angle)
        for building in buildings:
            part = building.parts[0]
            away = part.depth / 2 + 5.5
            way = shapely.LineString(
                [
                    (part.u - away * s + k * c, part.v + away * c + k * s)
                    for k in (-part.length / 2 - 9, part.length / 2 + 9)
                ]
            )
            found.append((way.buffer(2.2), "concrete"))
            if building.use == "商业":
                found.append((building.footprint.buffer(7, join_style="mitre"), "sidewalk"))
        for k in (-0.47, 0.0, 0.47):
            ends = [
                lot.point(k * lot.width, -lot.depth / 2),
                lot.point(k * lot.width, lot.depth / 2),
            ]
            found.append((shapely.LineString(ends).buffer(2.4), "concrete"))
        found += [(o.buffer(1.3, join_style="mitre"), "concrete") for o in outlines]
    elif block.use in ("villas", "church"):
        street = block.polygon.exterior
        if block.use == "villas" and len(outlines) > 2:
            found += [(hedge, "hedge") for hedge in _hedges(block, outlines)]
        for outline in outlines:
            found.append((outline.buffer(1.6, join_style="mitre"), "brick"))
            found.append((shapely.shortest_line(outline, street).buffer(1.6), "concrete"))
    elif block.use == "school":
        x, y, straight, radius = sports_field(Lot(block, 6.0, np.random.default_rng(0)))
        inner = Lot(block, 6.0, np.random.default_rng(0))
        line = shapely.LineString(
            [inner.point(x - straight / 2, y), inner.point(x + straight / 2, y)]
        )
        found.append((line.buffer(radius, quad_segs=24), "track"))
        found.append((line.buffer(radius - 7.5, quad_segs=24), "turf"))
        for k in range(3):
            court = inner.part(
                inner.width / 2 - 14, 6 + k * 0.0 + (k - 1) * 17.5, 26, 14.5, eaves=0.0
            )
            found.append((court.polygon, "court"))
        found.append((block.polygon.exterior.buffer(5, single_sided=False), "grass"))
    elif block.use in ("offices", "hospital", "museum", "market"):
        found.append((block.polygon.exterior.buffer(5.5), "grass"))
        for x in (-0.25, 0.27):
            ends = [
                lot.point(x * lot.width, -lot.depth / 2 - 2),
                lot.point(x * lot.width, lot.depth / 2 + 2),
            ]
            found.append((shapely.LineString(ends).buffer(4), _BASE[block.use]))
        found += [(o.buffer(3.0, join_style="mitre"), "plaza") for o in outlines]
        found += [(yard, "parking") for yard in _yards(lot, outlines)]
    elif block.use == "liyuan":
        for building in buildings:
            if len(building.parts) > 1:
                found.append((building.footprint.convex_hull, "brick"))
    elif block.use == "square":
        ring = [
            lot.point(-0.4 * lot.width, -0.4 * lot.depth),
            lot.point(0.4 * lot.width, -0.4 * lot.depth),
        ]
        for side in (-1, 1):
            for row in (-0.27, 0.16):
                bed = lot.part(side * 27, row * lot.depth, 26, 0.3 * lot.depth, eaves=0.0).polygon
                found.append((bed.buffer(-3).buffer(3), "grass"))
                found.append((bed.buffer(-6), "garden"))
        found += [(shapely.Point(p).buffer(11), "grass") for p in ring]
        found.append(
            (shapely.Point(lot.point(0, 0.02 * lot.depth)).buffer(9, quad_segs=3), "stone")
        )
    return found


def _yards(lot: Lot, outlines: list[Any]) -> list[Any]:
    """Return up to three rectangles for parked cars, clear of the buildings."""
    import shapely

    room = lot.room.buffer(-7)
    taken = list(outlines)
    found: list[Any] = []
    for length in (90.0, 60.0, 40.0, 26.0):
        for y in np.linspace(-0.42, 0.42, 22) * lot.depth:
            for x in np.linspace(-0.3, 0.3, 7) * lot.width:
                yard = lot.part(float(x), float(y), length, 16.5, eaves=0.0).polygon
                clear = not taken or float(np.min(shapely.distance(yard, taken))) > 3.5
                if clear and len(found) < 3 and room.contains(yard):
                    found.append(yard)
                    taken.append(yard.buffer(8))
    return found


def _hedges(block: Block, outlines: list[Any]) -> list[Any]:
    """Return the hedges between the gardens of villas."""
    import shapely

    middles = shapely.MultiPoint([o.centroid for o in outlines])
    gardens = shapely.get_parts(shapely.voronoi_polygons(middles, extend_to=block.polygon))
    return [g.intersection(block.polygon).exterior.buffer(0.55) for g in gardens]


def _coast(blocks: list[Block]) -> list[tuple[Any, str]]:
    """Return beach, rocks and promenade of the shore strip."""
    import shapely

    u = np.arange(-20, WIDTH + 21, 2.0)
    line = shore(u)

    def strip(low: float | Floats, high: float | Floats) -> Any:
        lower, upper = np.column_stack([u, line + low]), np.column_stack([u, line + high])
        return shapely.Polygon(np.vstack([lower, upper[::-1]])).buffer(0)

    land = shapely.union_all([b.polygon for b in blocks if b.use == "shore"]).buffer(25)
    beach = np.clip(np.minimum((u - 330) / 60, (900 - u) / 60), 0, 1)
    found = [
        (strip(-6.0, 11 + 3 * np.sin(u / 13)), "rock"),
        (strip(-14.0 * beach, 27 * beach), "sand"),
        (strip(27.0, 33.0), "plaza"),
    ]
    plaza = shapely.box(
        PIER_U - 26, float(shore(PIER_U)) + 12, PIER_U + 26, float(shore(PIER_U)) + 70
    )
    return [(shape.intersection(land), name) for shape, name in [*found, (plaza, "plaza")]]


def parcels(blocks: list[Block], buildings: list[Building]) -> list[dict[str, Any]]:
    """Return the parcels with number, use and planning limits."""
    found = []
    for number, block in enumerate((b for b in blocks if b.polygon.area > 1500), start=1):
        code, use, far, density, height = _LAND_USE[block.use]
        inside = [b for b in buildings if b.block == block.key]
        area = block.polygon.area
        found.append(
            {
                "地块编号": f"QD-{number:03d}",
                "用地代码": code,
                "用地性质": use,
                "面积": round(area, 2),
                "容积率上限": far,
                "建筑密度上限": density,
                "限高": height,
                "绿地率下限": 65 if code.startswith("G") else 35 if code == "R1" else 30,
                "现状容积率": round(sum(b.floor_area for b in inside) / area, 3),
                "街坊": block.key,
                "拆迁范围": "是" if block.use == "liyuan" else "否",
                "geometry": block.polygon,
            }
        )
    return found


def greens(
    blocks: list[Block], laid: list[tuple[Any, int]], buildings: list[Building]
) -> list[dict[str, Any]]:
    """Return green areas: parks as a whole, lawns of the other blocks without ways and houses."""
    import shapely

    hard = {COVER[n] for n in COVER if n not in ("grass", "forest", "garden", "turf")}
    paved = shapely.STRtree([shape for shape, cover in laid if cover in hard])
    shapes = [shape for shape, cover in laid if cover in hard]
    outlines = shapely.STRtree([b.footprint for b in buildings])
    found = []
    for block in blocks:
        if _BASE[block.use] not in ("grass", "forest", "garden"):
            continue
        over = [shapes[i] for i in paved.query(block.polygon)]
        over += [buildings[i].footprint for i in outlines.query(block.polygon)]
        free = block.polygon.difference(shapely.union_all(over)).buffer(-0.8).buffer(0.8)
        kind = "公园绿地" if block.use in ("park", "shore") else "附属绿地"
        for piece in shapely.get_parts(free):
            if piece.area > 60:
                found.append(
                    {
                        "类型": kind,
                        "街坊": block.key,
                        "面积": round(piece.area, 2),
                        "geometry": piece,
                    }
                )
    return found


# species: height from-to, crown radius from-to, share of the height that is crown
SPECIES = {
    "法桐": (9.0, 13.0, 3.0, 4.2, 0.62),
    "黑松": (6.0, 10.5, 2.2, 3.4, 0.6),
    "刺槐": (7.0, 11.0, 2.4, 3.6, 0.6),
    "雪松": (8.0, 15.0, 2.2, 3.2, 0.85),
    "银杏": (8.0, 12.0, 2.0, 3.0, 0.65),
    "樱花": (3.8, 5.2, 1.8, 2.6, 0.6),
    "冬青": (1.0, 1.8, 0.8, 1.3, 0.95),
}


def plant(
    roads: list[Street],
    blocks: list[Block],
    buildings: list[Building],
    ground: Floats,
    laid: list[tuple[Any, int]],
    seed: int,
) -> list[Tree]:
    """Return the trees: along the streets, on lawns and in gardens, forest on the hills."""
    from scipy.ndimage import distance_transform_edt

    rng = random(seed, "trees")
    res = 0.5
    cover = burn(laid, res)
    solid = burn([(b.footprint, 1) for b in buildings], res, all_touched=True) > 0
    wall = distance_transform_edt(~solid) * res
    use = burn([(b.polygon, list(_BASE).index(b.use) + 1) for b in blocks], res)
    lane = np.isin(cover, [COVER["asphalt"], COVER["brick"]])
    verge = distance_transform_edt(~lane) * res

    def look(raster: Any, u: Floats, v: Floats) -> Any:
        i = np.clip(((HEIGHT - v) / res).astype(int), 0, raster.shape[0] - 1)
        return raster[i, np.clip((u / res).astype(int), 0, raster.shape[1] - 1)]

    spots: list[tuple[Floats, Floats, Any]] = []
    along = [_along(road, rng) for road in roads if road.grade in ("主干路", "次干路", "支路")]
    u, v = np.vstack(along).T
    spots.append((u, v, np.full(len(u), "法桐")))
    u, v = _jittered(6.2, rng)
    field = noise((250, 300), 14, rng)
    thick = field[
        np.clip(((HEIGHT - v) / 4).astype(int), 0, 249), np.clip((u / 4).astype(int), 0, 299)
    ]
    kind, here = look(cover, u, v), look(use, u, v)
    chance = np.select(
        [
            kind == COVER["forest"],
            kind == COVER["garden"],
            (kind == COVER["grass"]),
            kind == COVER["earth"],
            np.isin(kind, [COVER["plaza"], COVER["concrete"]]),
        ],
        [np.where(thick > -0.45, 0.93, 0.12), 0.42, 0.36, 0.16, 0.1],
        0.0,
    )
    chance[here == list(_BASE).index("shore") + 1] *= 0.45
    keep = rng.random(len(u)) < chance
    u, v, kind = u[keep], v[keep], kind[keep]
    draw = rng.random(len(u))
    names = np.where(
        draw < 0.3,
        "刺槐",
        np.where(
            draw < 0.5, "雪松", np.where(draw < 0.7, "银杏", np.where(draw < 0.82, "樱花", "冬青"))
        ),
    )
    names = np.where((kind == COVER["forest"]) & (draw < 0.75), "黑松", names)
    names = np.where((kind == COVER["forest"]) & (draw >= 0.75), "刺槐", names)
    spots.append((u, v, names))
    return _grow(spots, wall, verge, look, ground, rng)


def _grow(
    spots: list[tuple[Floats, Floats, Any]],
    wall: Any,
    verge: Any,
    look: Any,
    ground: Floats,
    rng: np.random.Generator,
) -> list[Tree]:
    """Give every spot a size; leave out crowns that would touch a house or stand in the way."""
    u, v = np.concatenate([s[0] for s in spots]), np.concatenate([s[1] for s in spots])
    names = np.concatenate([s[2] for s in spots])
    street = np.arange(len(u)) < len(spots[0][0])
    table = np.array([SPECIES[n] for n in names])
    draw, other = rng.random(len(u)), rng.random(len(u))
    height = np.round(table[:, 0] + draw * (table[:, 1] - table[:, 0]), 2)
    radius = np.round(table[:, 2] + (0.6 * draw + 0.4 * other) * (table[:, 3] - table[:, 2]), 2)
    semi = np.round(np.minimum(height * table[:, 4], height - 0.1) / 2, 2)
    room = look(wall, u, v) - 0.8
    # A tree between houses stays small rather than being left out.
    radius = np.where((room < radius) & (room > 1.4), np.round(room, 2), radius)
    free = (radius <= room) & (look(verge, u, v) > np.where(street, 0.4, 1.6))
    inside = (u > radius) & (u < WIDTH - radius) & (v > radius) & (v < HEIGHT - radius)
    dry = sample(ground, u, v) > 1.2
    level = np.round(sample(ground, u, v), 3)
    return [
        Tree(
            float(u[i]),
            float(v[i]),
            float(level[i]),
            float(height[i]),
            float(radius[i]),
            float(semi[i]),
            str(names[i]),
        )
        for i in np.flatnonzero(free & inside & dry)
    ]


def _jittered(step: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    u, v = np.meshgrid(np.arange(step / 2, WIDTH, step), np.arange(step / 2, HEIGHT, step))
    u[::2] += step / 2
    u = np.round(u + rng.uniform(-0.32, 0.32, u.shape) * step, 2)
    return u.ravel(), np.round(v + rng.uniform(-0.32, 0.32, v.shape) * step, 2).ravel()


def _along(road: Street, rng: np.random.Generator) -> Floats:
    """Return tree pits (n, 2) on both pavements of a street."""
    import shapely

    found = []
    step = 8.5
    for side in (-1, 1):
        line = road.line.offset_curve(side * (road.carriage / 2 + 1.3))
        run = np.arange(step, line.length - step, step)
        run = run[rng.random(len(run)) < 0.9] + 0.0
        found.append(shapely.get_coordinates(shapely.line_interpolate_point(line, run)))
    return np.round(np.vstack(found), 2)
