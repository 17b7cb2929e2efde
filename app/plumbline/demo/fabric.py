"""The buildings: how each kind of block is filled, by construction without any overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from plumbline.demo.frame import HEIGHT, WIDTH, random, shore
from plumbline.demo.model import Block, Building
from plumbline.demo.parts import Part

STOREY = 2.9
LANES = [
    "永安里",
    "同兴里",
    "福禄里",
    "三余里",
    "宝善里",
    "泰和里",
    "广兴里",
    "平康里",
    "鼎新里",
    "介寿里",
    "裕德里",
    "九如里",
    "仁和里",
    "长春里",
    "聚福里",
    "安乐里",
    "天成里",
    "文兴里",
]


class Lot:
    """A block while it is being filled: where there is room, and what stands there already.

    Positions are given in the frame of the lot: x along its streets, y up the hill, both in m from
    the middle of the buildable land.
    """

    def __init__(self, block: Block, inset: float, rng: np.random.Generator) -> None:
        import shapely
        import shapely.affinity

        edge = shapely.box(0, 0, WIDTH, HEIGHT).buffer(-5, join_style="mitre")
        self.block = block
        self.rng = rng
        self.room = block.polygon.buffer(-inset).intersection(edge)
        self.buildings: list[Building] = []
        self._taken: list[Any] = []
        turned = shapely.affinity.rotate(self.room, -block.angle, (0, 0), use_radians=True)
        west, south, east, north = turned.bounds
        self.width, self.depth = east - west, north - south
        c, s = np.cos(block.angle), np.sin(block.angle)
        x, y = (west + east) / 2, (south + north) / 2
        self._middle = np.array([x * c - y * s, x * s + y * c])
        self._turn = np.array([[c, s], [-s, c]])

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the frame in local m."""
        u, v = np.array([x, y]) @ self._turn + self._middle
        return float(u), float(v)

    def part(
        self, x: float, y: float, length: float, depth: float, turn: float = 0.0, **more: Any
    ) -> Part:
        """Return a part centred at x, y of the frame, turned by `turn` rad against it."""
        u, v = self.point(x, y)
        if depth > length:  # the ridge runs along the longer side
            length, depth, turn = depth, length, turn + np.pi / 2
        return Part(u, v, length, depth, self.block.angle + turn, **more)

    def add(self, building: Building, gap: float = 2.2) -> bool:
        """Keep the building when it lies inside and `gap` m clear of the others."""
        import shapely

        shape = building.footprint
        if not self.room.contains(shape):
            return False
        if self._taken and float(np.min(shapely.distance(shape, self._taken))) < gap:
            return False
        self._taken.append(shape)
        self.buildings.append(building)
        return True

    def reserve(self, shape: Any) -> None:
        """Keep a polygon (a sports field, a square) free of buildings."""
        self._taken.append(shape)

    def new(
        self, parts: Part | list[Part], name: str, use: str, storeys: int, **more: Any
    ) -> Building:
        """Return a building of this lot."""
        parts = [parts] if isinstance(parts, Part) else parts
        return Building(
            name=name, use=use, storeys=storeys, parts=tuple(parts), block=self.block.key, **more
        )


def on_roof(part: Part, x: float, y: float, length: float, depth: float, height: float) -> Part:
    """Return a box that stands on the flat roof of `part`, at x, y from its centre."""
    c, s = np.cos(part.angle), np.sin(part.angle)
    return Part(
        part.u + x * c - y * s,
        part.v + x * s + y * c,
        length,
        depth,
        part.angle,
        eaves=part.eaves + height,
        bottom=part.eaves,
        tile=part.tile,
    )


def _stair_heads(part: Part, every: float = 18.0) -> tuple[Part, ...]:
    count = max(1, round(part.length / every))
    at = (np.arange(count) + 0.5) / count * part.length - part.length / 2
    return tuple(on_roof(part, float(x), part.depth / 2 - 3.2, 3.2, 5.0, 2.7) for x in at)


def slab(
    lot: Lot,
    x: float,
    y: float,
    length: float,
    storeys: int,
    name: str,
    look: int,
    depth: float = 12.6,
) -> Building:
    """Return a slab of flats that faces south."""
    red = storeys <= 7 and look % 3 != 0
    facade = (
        ("beige", "cream", "white", "brick", "salmon")[look % 5]
        if storeys <= 7
        else ("salmon", "cream", "white")[look % 3]
    )
    body = lot.part(
        x,
        y,
        length,
        depth,
        eaves=storeys * STOREY + 0.6,
        roof="hip" if red else "flat",
        rise=2.8 if red else 0.0,
        parapet=0.0 if red else 0.9,
        tile=("red", "rust", "brown")[look % 3] if red else ("grey", "light", "sand")[look % 3],
    )
    flats = max(1, round(length / 15)) * 2 * storeys
    year = int(lot.rng.integers(1984, 2001)) if storeys <= 7 else int(lot.rng.integers(2004, 2019))
    return lot.new(
        body,
        name,
        "住宅",
        storeys,
        facade=facade,
        dwellings=flats,
        year=year,
        structure="砖混" if storeys <= 7 else "剪力墙",
        extras=() if red else _stair_heads(body),
    )


def fill_slabs(lot: Lot, storeys: int) -> None:
    """Fill with rows of flats that face south, a sun distance apart, and shops on the street."""
    rng = lot.rng
    name = str(rng.choice(["海晏", "松岭", "观澜", "云溪", "金湾", "碧波", "翠岭", "临港"])) + str(
        rng.choice(["小区", "花园", "新村", "家园"])
    )
    look = int(rng.integers(0, 30))
    depth, height = 12.6, storeys * STOREY
    shops = lot.depth > 90 and rng.random() < 0.75
    low = -lot.depth / 2 + (13.0 if shops else 0.0)
    pitch = depth + (1.3 if storeys < 9 else 1.1) * height
    rows = max(1, int((lot.depth / 2 - low - depth) // pitch) + 1)
    pitch = min((lot.depth / 2 - low - depth - 4) / max(rows - 1, 1), pitch * 1.35)
    columns = max(1, round(lot.width / (52 if storeys < 9 else 46)))
    length = min((lot.width - 10 * (columns - 1)) / columns - 4, 60.0)
    number = 0
    for row in range(rows):
        for column in range(columns):
            number += 1
            own = length - float(rng.uniform(0, 7))
            x = (column - (columns - 1) / 2) * (lot.width / columns) + float(rng.uniform(-1.5, 1.5))
            y = low + depth / 2 + 2 + row * pitch + float(rng.uniform(-1.5, 1.5))
            taller = storeys + (int(rng.integers(-1, 2)) if storeys > 7 else 0)
            for shift in (0.0, 6.0, -6.0, 12.0):
                body = slab(
                    lot, x - np.sign(x) * abs(shift), y, own, taller, f"{name}{number}号楼", look
                )
                if lot.add(body, 6.0):
                    break
                own -= 6
    if shops:
        fill_shops(lot, -lot.depth / 2 + 5.5)


def fill_shops(lot: Lot, y: float) -> None:
    """Line the southern street with small shops."""
    x = -lot.width / 2 + 8
    while x < lot.width / 2 - 8:
        length = float(lot.rng.uniform(14, 26))
        storeys = int(lot.rng.integers(1, 4))
        body = lot.part(
            x + length / 2,
            y + float(lot.rng.uniform(-0.5, 1.5)),
            length,
            9.0,
            eaves=storeys * 3.6 + 0.4,
            parapet=0.9,
            tile=str(lot.rng.choice(["grey", "light", "sand", "blue"])),
        )
        lot.add(
            lot.new(
                body,
                "沿街商铺",
                "商业",
                storeys,
                facade="shop",
                structure="框架",
                year=int(lot.rng.integers(1992, 2016)),
            ),
            3.0,
        )
        x += length + float(lot.rng.uniform(3, 22))


def fill_liyuan(lot: Lot) -> None:
    """Fill with courtyard houses (里院) and low gabled houses along the lanes."""
    rng = lot.rng
    for corner in range(2):
        for _ in range(40):
            width, depth = float(rng.uniform(25, 33)), float(rng.uniform(21, 27))
            x = (
                (lot.width / 2 - width / 2 - 1)
                * (-1 if corner == 0 else 1)
                * float(rng.uniform(0.85, 1))
            )
            y = (
                (lot.depth / 2 - depth / 2 - 1)
                * (1 if corner == 0 else -1)
                * float(rng.uniform(0.8, 1))
            )
            name = LANES[int(rng.integers(len(LANES)))]
            if lot.add(courtyard(lot, x, y, width, depth, name), 2.6):
                break
    _fill_lanes(lot)


def _fill_lanes(lot: Lot) -> None:
    """Pack low houses into what is left, wall beside wall with narrow lanes between."""
    rng = lot.rng
    for size in (1.0, 0.72):
        for y in np.arange(-lot.depth / 2 + 4, lot.depth / 2 - 3, 2.5):
            for x in np.arange(-lot.width / 2 + 5, lot.width / 2 - 4, 3.0):
                length = float(rng.uniform(9.5, 16)) * size
                depth = float(rng.uniform(6.2, 7.6)) * (0.85 if size < 1 else 1)
                turn = 0.0 if rng.random() < 0.65 else np.pi / 2
                storeys = 1 if rng.random() < 0.6 else 2
                body = lot.part(
                    x + float(rng.uniform(-1, 1)),
                    float(y),
                    length,
                    depth,
                    turn + float(rng.normal(0, 0.02)),
                    eaves=storeys * 3.0 + 0.4,
                    roof="gable",
                    rise=float(rng.uniform(1.5, 2.1)),
                    tile=str(rng.choice(["red", "rust", "rust", "brown", "slate"])),
                )
                house = lot.new(
                    body,
                    "民居",
                    "住宅",
                    storeys,
                    facade=str(rng.choice(["yellow", "brick", "plaster"])),
                    structure="砖木",
                    year=int(rng.integers(1912, 1956)),
                    demolish=True,
                    dwellings=storeys,
                )
                if rng.random() < 0.5:
                    lot.add(house, 2.1 + float(rng.exponential(0.9)))


def courtyard(lot: Lot, x: float, y: float, width: float, depth: float, name: str) -> Building:
    """Return a two- or three-storey house around a yard: four wings under gable roofs."""
    rng = lot.rng
    wing, storeys = 6.4, 2 if rng.random() < 0.7 else 3
    look: dict[str, Any] = {
        "eaves": storeys * 3.1 + 0.5,
        "roof": "gable",
        "rise": 2.0,
        "tile": str(rng.choice(["red", "rust", "red"])),
    }
    dx, dy = (width - wing) / 2, (depth - wing) / 2
    wings = [
        lot.part(x, y - dy, width, wing, **look),
        lot.part(x, y + dy, width, wing, **look),
        lot.part(x - dx, y, wing, depth - 2 * wing, **look),
        lot.part(x + dx, y, wing, depth - 2 * wing, **look),
    ]
    if rng.random() < 0.35:  # open to one side
        wings.pop(3)
    return lot.new(
        wings,
        name,
        "住宅",
        storeys,
        facade=str(rng.choice(["yellow", "brick"])),
        structure="砖木",
        year=int(rng.integers(1905, 1938)),
        demolish=True,
        dwellings=storeys * 12,
    )


def fill_villas(lot: Lot) -> None:
    """Scatter villas with red roofs over gardens."""
    rng = lot.rng
    columns, rows = max(1, int(lot.width // 31)), max(1, int(lot.depth // 30))
    for row in range(rows):
        for column in range(columns):
            if rng.random() < 0.1:
                continue
            x = (column - (columns - 1) / 2) * lot.width / columns + float(rng.uniform(-4, 4))
            y = (row - (rows - 1) / 2) * lot.depth / rows + float(rng.uniform(-4, 4))
            storeys = 2 if rng.random() < 0.75 else 3
            length, depth = float(rng.uniform(12, 17)), float(rng.uniform(9.5, 11.5))
            look: dict[str, Any] = {
                "eaves": storeys * 3.1 + 0.5,
                "roof": str(rng.choice(["hip", "gable", "hip"])),
                "rise": depth * 0.33,
                "tile": str(rng.choice(["red", "red", "rust", "brown"])),
            }
            body = lot.part(x, y, length, depth, float(rng.normal(0, 0.12)), **look)
            lot.add(
                lot.new(
                    body,
                    "别墅",
                    "住宅",
                    storeys,
                    facade=str(rng.choice(["yellow", "stone", "white", "plaster"])),
                    structure=str(rng.choice(["砖混", "砖石"])),
                    year=int(rng.integers(1924, 2008)),
                    dwellings=1,
                ),
                6.0,
            )


def fill_towers(lot: Lot) -> None:
    """Place towers of flats above a row of low shops, looking over the sea."""
    rng = lot.rng
    storeys = [int(n) for n in rng.permutation([18, 26, 31])]
    estate = "海天名邸" if lot.block.key.startswith("D") else "金湾名邸"
    for k, n in enumerate(storeys):
        x = (k - 1) * lot.width * 0.3
        y = lot.depth * (0.24 if k % 2 else 0.02)
        tile = ("light", "grey", "sand")[k]
        body = lot.part(x, y, 27.0, 17.5, eaves=n * 3.0 + 0.9, parapet=1.2, tile=tile)
        crown = (on_roof(body, -4, 0, 8, 7, 4.2), on_roof(body, 7, 1.5, 4, 5, 3.0))
        lot.add(
            lot.new(
                body,
                f"{estate}{k + 1}号楼",
                "住宅",
                n,
                facade=("tower", "terrace")[k % 2],
                structure="剪力墙",
                year=2012 + k,
                dwellings=4 * n,
                extras=crown,
            ),
            9.0,
        )
    fill_shops(lot, -lot.depth / 2 + 6)
    club = lot.part(lot.width * 0.3, lot.depth * 0.38, 24, 13, eaves=7.6, parapet=0.9, tile="light")
    lot.add(lot.new(club, "业主会所", "商业", 2, facade="office", structure="框架", year=2013), 7.0)


def fill_offices(lot: Lot) -> None:
    """Place a podium with two office towers, and a smaller office beside it."""
    heights = [int(n) for n in lot.rng.permutation([34, 24])]
    centre = "观澜中心" if lot.block.key.startswith("F") else "松岭国际"
    y = -lot.depth * 0.16
    towers = []
    for k, n in enumerate(heights):
        body = lot.part(
            (k * 2 - 1) * 27.0,
            y + (3.0 if k else -2.0),
            30,
            26,
            eaves=n * 3.9 + 4.0,
            parapet=1.8,
            tile="grey" if k else "light",
        )
        extras = (on_roof(body, 0, 0, 15, 12, 5.0), on_roof(body, 9, -8, 4, 4, 3.0))
        towers.append(
            lot.new(
                body,
                f"{centre}{'AB'[k]}座",
                "商务办公",
                n,
                facade="glass" if k else "curtain",
                structure="框筒",
                year=2016 + k,
                extras=extras,
            )
        )
    podium = lot.part(
        0,
        y,
        min(lot.width - 12, 112),
        44,
        eaves=4 * 4.8,
        parapet=1.2,
        tile="sand",
        holes=tuple(t.footprint for t in towers),
    )
    for building in towers:
        lot.add(building, 0.0)
    lot.add(
        lot.new(
            podium,
            f"{centre}裙楼",
            "商业",
            4,
            facade="office",
            structure="框架",
            year=2016,
            extras=tuple(on_roof(podium, x, 15, 6, 4, 2.6) for x in (-48, -2, 48)),
        ),
        0.0,
    )
    small = lot.part(
        -lot.width * 0.22, lot.depth * 0.35, 46, 18, eaves=9 * 3.6, parapet=1.2, tile="grey"
    )
    lot.add(
        lot.new(
            small,
            "海运大厦",
            "商务办公",
            9,
            facade="office",
            structure="框架",
            year=1998,
            extras=_stair_heads(small, 24),
        ),
        7.0,
    )
    bank = lot.part(
        lot.width * 0.28, lot.depth * 0.33, 30, 20, eaves=6 * 3.8, parapet=1.2, tile="light"
    )
    lot.add(
        lot.new(
            bank,
            "银行营业楼",
            "商务办公",
            6,
            facade="stone",
            structure="框架",
            year=2003,
            extras=_stair_heads(bank, 30),
        ),
        7.0,
    )


def sports_field(lot: Lot) -> tuple[float, float, float, float]:
    """Return centre x, y, straight length and radius in m of the running track in the school."""
    return lot.width * 0.16, -lot.depth / 2 + 33.0, 50.0, 30.0


def fill_school(lot: Lot) -> None:
    """Place a school: wings of classrooms, a hall, and the sports field kept free."""
    import shapely

    x, y, straight, radius = sports_field(lot)
    ends = [lot.point(x - straight / 2, y), lot.point(x + straight / 2, y)]
    lot.reserve(shapely.LineString(ends).buffer(radius + 2))
    look: dict[str, Any] = {"eaves": 5 * 3.7 + 0.6, "parapet": 1.1, "tile": "sand"}
    top = lot.depth / 2
    teaching = [
        lot.part(-18, top - 8, 62, 13, **look),
        lot.part(-18 + 0, top - 38, 62, 13, **look),
        lot.part(-18 - 27, top - 23, 8, 17, **look),
    ]
    lot.add(
        lot.new(
            teaching,
            "滨海小学教学楼",
            "教育",
            5,
            facade="school",
            structure="框架",
            year=2006,
            extras=_stair_heads(teaching[0], 30),
        ),
        5.0,
    )
    hall = lot.part(48, top - 14, 36, 24, eaves=11.0, roof="gable", rise=4.0, tile="blue")
    lot.add(
        lot.new(hall, "滨海小学体育馆", "教育", 2, facade="school", structure="钢结构", year=2009),
        5.0,
    )
    office = lot.part(
        -lot.width / 2 + 14, -lot.depth / 2 + 40, 12, 40, eaves=4 * 3.6, parapet=0.9, tile="grey"
    )
    lot.add(
        lot.new(
            office,
            "滨海小学综合楼",
            "教育",
            4,
            facade="school",
            structure="框架",
            year=1996,
            extras=_stair_heads(office, 40),
        ),
        5.0,
    )
    gate = lot.part(
        -lot.width / 2 + 12, -lot.depth / 2 + 6, 7, 4.5, eaves=3.6, parapet=0.5, tile="light"
    )
    lot.add(lot.new(gate, "门卫室", "教育", 1, facade="plaster", structure="砖混", year=2006), 3.0)


def fill_market(lot: Lot) -> None:
    """Place a market hall of five bays, cold stores and shops."""
    y = lot.depth * 0.12
    bays = [
        lot.part(0, y + (k - 2) * 12.0, 78, 12, eaves=7.5, roof="gable", rise=3.0, tile="blue")
        for k in range(5)
    ]
    lot.add(
        lot.new(bays, "海晏农贸市场", "商业", 1, facade="shop", structure="钢结构", year=2001), 6.0
    )
    for k in (-1, 1):
        store = lot.part(k * lot.width * 0.42, y, 14, 44, eaves=9.0, parapet=0.6, tile="light")
        lot.add(
            lot.new(
                store,
                "冷库" if k < 0 else "水产批发楼",
                "仓储",
                2,
                facade="plaster",
                structure="框架",
                year=1999,
            ),
            6.0,
        )
    fill_shops(lot, -lot.depth / 2 + 5.5)
    fill_shops(lot, lot.depth / 2 - 6.5)


def fill_hotel(lot: Lot) -> None:
    """Place a bent seaside hotel with its hall, and old villas in its garden."""
    look: dict[str, Any] = {"eaves": 14 * 3.5 + 1.0, "parapet": 1.4, "tile": "light"}
    y = lot.depth * 0.14
    main = [lot.part(-24, y, 44, 17, **look), lot.part(20, y, 44, 17, **look)]
    crown = (on_roof(main[0], 14, 0, 14, 9, 4.5), on_roof(main[1], -14, 0, 10, 9, 3.2))
    lot.add(
        lot.new(
            main,
            "海晏大饭店",
            "旅馆",
            14,
            facade="hotel",
            structure="框剪",
            year=1988,
            extras=crown,
        ),
        8.0,
    )
    hall = lot.part(-2, y - 27, 50, 22, eaves=9.4, parapet=1.0, tile="sand")
    lot.add(
        lot.new(
            hall,
            "海晏大饭店宴会厅",
            "旅馆",
            2,
            facade="stone",
            structure="框架",
            year=1988,
            extras=(on_roof(hall, 12, 4, 9, 5, 2.2),),
        ),
        6.0,
    )
    for x, low in (
        (-lot.width * 0.4, -0.3),
        (lot.width * 0.4, -0.3),
        (lot.width * 0.4, 0.2),
        (-0.4 * lot.width, 0.3),
    ):
        villa = lot.part(
            x, lot.depth * low, 13, 10, 0.1, eaves=7.4, roof="hip", rise=3.4, tile="red"
        )
        lot.add(
            lot.new(villa, "饭店别墅", "旅馆", 2, facade="stone", structure="砖石", year=1931), 6.0
        )


def fill_square(lot: Lot) -> None:
    """Leave a square in front of the pier and close it with arcaded houses."""
    top = lot.depth / 2
    for k, length in enumerate((40, 40)):
        house = lot.part(
            (k * 2 - 1) * 30.0,
            top - 8,
            length,
            14,
            eaves=4 * 3.8 + 0.6,
            roof="hip",
            rise=4.0,
            tile="red",
        )
        lot.add(
            lot.new(
                house,
                ("海关旧址", "邮电旧址")[k],
                "文化",
                4,
                facade="stone",
                structure="砖石",
                year=1914 + k,
                extras=(),
            ),
            6.0,
        )
    for k in (-1, 1):
        for row in range(2):
            house = lot.part(
                k * (lot.width / 2 - 15),
                -8 + row * 34 - 22,
                13,
                28,
                eaves=3 * 3.6 + 0.5,
                roof="gable",
                rise=3.4,
                tile="rust",
            )
            lot.add(
                lot.new(
                    house, "骑楼商铺", "商业", 3, facade="yellow", structure="砖混", year=1928 + row
                ),
                5.0,
            )
    kiosk = lot.part(22, -lot.depth * 0.3, 7, 7, eaves=3.4, roof="pyramid", rise=2.0, tile="slate")
    lot.add(
        lot.new(kiosk, "游客中心", "文化", 1, facade="curtain", structure="钢结构", year=2015), 5.0
    )


def fill_museum(lot: Lot) -> None:
    """Place a maritime museum with a round hall and flats behind it."""
    hall = lot.part(
        -20, -lot.depth * 0.2, 40, 40, eaves=16.0, roof="pyramid", rise=6.0, sides=24, tile="slate"
    )
    lot.add(
        lot.new(hall, "海洋博物馆主馆", "文化", 3, facade="curtain", structure="钢结构", year=2014),
        8.0,
    )
    wing = lot.part(28, -lot.depth * 0.22, 44, 24, eaves=12.5, parapet=1.2, tile="light")
    lot.add(
        lot.new(
            wing,
            "海洋博物馆展厅",
            "文化",
            2,
            facade="stone",
            structure="框架",
            year=2014,
            extras=(on_roof(wing, 8, 0, 10, 6, 2.5),),
        ),
        5.0,
    )
    for k in range(3):
        flats = slab(
            lot, (k - 1) * lot.width * 0.32, lot.depth * 0.36, 40, 6, f"望海里{k + 1}号楼", 4
        )
        lot.add(flats, 6.0)


def fill_church(lot: Lot) -> None:
    """Place the church with its spire on the knoll, the parish house and villas around."""
    nave = lot.part(6, 4, 38, 17, eaves=13.0, roof="gable", rise=8.5, tile="red")
    lot.add(lot.new(nave, "圣山教堂", "宗教", 1, facade="church", structure="砖石", year=1910), 2.0)
    tower = lot.part(6 - 19 - 4.5, 4, 9, 9, eaves=27.0, roof="pyramid", rise=17.0, tile="copper")
    lot.add(
        lot.new(tower, "圣山教堂钟楼", "宗教", 5, facade="church", structure="砖石", year=1910), 0.0
    )
    parish = lot.part(2, 36, 30, 11, eaves=7.2, roof="hip", rise=3.6, tile="red")
    lot.add(lot.new(parish, "神父楼", "宗教", 2, facade="stone", structure="砖石", year=1912), 5.0)
    import shapely

    lot.reserve(shapely.Point(nave.u, nave.v).buffer(34))
    fill_villas(lot)


def fill_hospital(lot: Lot) -> None:
    """Place a hospital: wards facing south, an outpatient hall, services."""
    wards = lot.part(0, lot.depth * 0.2, 72, 18, eaves=12 * 3.7 + 1, parapet=1.2, tile="light")
    lot.add(
        lot.new(
            wards,
            "市立医院住院楼",
            "医疗",
            12,
            facade="white",
            structure="框剪",
            year=2008,
            extras=_stair_heads(wards, 30),
        ),
        8.0,
    )
    clinic = lot.part(0, -lot.depth * 0.2, 66, 32, eaves=5 * 4.0 + 0.8, parapet=1.1, tile="sand")
    lot.add(
        lot.new(
            clinic,
            "市立医院门诊楼",
            "医疗",
            5,
            facade="office",
            structure="框架",
            year=2008,
            extras=(on_roof(clinic, -18, 4, 8, 6, 3), on_roof(clinic, 18, 4, 8, 6, 3)),
        ),
        8.0,
    )
    for k in (-1, 1):
        side = lot.part(k * lot.width * 0.39, 0, 13, 40, eaves=4 * 3.6, parapet=0.9, tile="grey")
        lot.add(
            lot.new(
                side,
                "医技楼" if k < 0 else "行政楼",
                "医疗",
                4,
                facade="beige",
                structure="框架",
                year=1995,
                extras=_stair_heads(side, 40),
            ),
            8.0,
        )


def fill_park(lot: Lot) -> None:
    """Place the beacon hill's lookout and a few pavilions between the trees."""
    if lot.block.key.startswith("F5"):
        lot.add(_single(lot, "信标塔", 893, 840, 10, 8, 22.0, 6.0, "copper", 2), 1.0)
    if lot.block.key.startswith("G5"):
        lot.add(_single(lot, "观景台", 925, 838, 18, 24, 7.0, 3.2, "red", 1), 1.0)
    if lot.block.key.startswith("F4"):
        lot.add(_single(lot, "望海亭", 826, 738, 8, 6, 4.2, 2.6, "slate", 1), 1.0)
    if lot.block.key.startswith("A5"):
        lot.add(_single(lot, "听涛亭", 24, 905, 8, 6, 4.2, 2.6, "slate", 1), 1.0)


def _single(
    lot: Lot,
    name: str,
    u: float,
    v: float,
    size: float,
    sides: int,
    eaves: float,
    rise: float,
    tile: str,
    storeys: int,
) -> Building:
    body = Part(
        u, v, size, size, 0.0, eaves=eaves, roof="pyramid", rise=rise, sides=sides, tile=tile
    )
    return lot.new(body, name, "文化", storeys, facade="stone", structure="砖石", year=1999)


def fill_shore(lot: Lot) -> None:
    """Place bathing houses on the beach and the lighthouse on the cape."""
    if lot.block.key.startswith("G0"):
        at = 1072.0
        v = float(shore(at)) + 18
        house = Part(
            at, v, 9.0, 9.0, 0.0, eaves=19.0, roof="pyramid", rise=4.0, sides=16, tile="red"
        )
        lot.add(
            lot.new(house, "望海灯塔", "市政", 5, facade="lighthouse", structure="砖石", year=1903),
            1.0,
        )
        keep = Part(
            at - 26,
            float(shore(at - 26)) + 45,
            14,
            8,
            -0.35,
            eaves=4.4,
            roof="gable",
            rise=2.4,
            tile="red",
        )
        lot.add(
            lot.new(keep, "灯塔看守房", "市政", 1, facade="stone", structure="砖石", year=1903), 2.0
        )
    if lot.block.key[0] in "DEF":
        for k in (-1, 1):
            hut = lot.part(
                k * lot.width * 0.25,
                lot.depth / 2 - 9,
                22,
                8,
                eaves=4.2,
                roof="gable",
                rise=1.8,
                tile="blue" if k > 0 else "red",
            )
            for down in (0, 4, 8, 12, 16):
                moved = Part(
                    hut.u, hut.v - down, 22, 8, hut.angle, 4.2, "gable", 1.8, tile=hut.tile
                )
                if lot.add(
                    lot.new(
                        moved, "更衣室", "商业", 1, facade="white", structure="砖混", year=1986
                    ),
                    4.0,
                ):
                    break


FILL: dict[str, tuple[float, Callable[[Lot], None]]] = {
    "slabs6": (5.0, lambda lot: fill_slabs(lot, 6)),
    "slabs11": (6.0, lambda lot: fill_slabs(lot, 11)),
    "liyuan": (2.0, fill_liyuan),
    "villas": (5.0, fill_villas),
    "towers": (6.0, fill_towers),
    "offices": (7.0, fill_offices),
    "school": (6.0, fill_school),
    "market": (5.0, fill_market),
    "hotel": (6.0, fill_hotel),
    "square": (4.0, fill_square),
    "museum": (7.0, fill_museum),
    "church": (6.0, fill_church),
    "hospital": (7.0, fill_hospital),
    "park": (6.0, fill_park),
    "shore": (3.0, fill_shore),
}


def build(blocks: list[Block], seed: int) -> list[Building]:
    """Return the buildings of all blocks, numbered; their bases are still to be set."""
    found: list[Building] = []
    for block in blocks:
        inset, fill = FILL[block.use]
        lot = Lot(block, inset, random(seed, f"block {block.key}"))
        if lot.room.is_empty:
            continue
        fill(lot)
        found += lot.buildings
    found.append(_pavilion())
    for number, building in enumerate(found, start=1):
        building.ident = f"B{number:04d}"
    return found


PIER_LENGTH, PIER_WIDTH, PIER_DECK = 130.0, 9.0, 4.3
"""Length and width in m, and height in m of the deck above the sea."""
PIER_U = 398.0


def pier() -> list[Part]:
    """Return the pier: deck, columns in the water, and the round head that carries the pavilion."""
    start = float(shore(PIER_U)) + 24
    deck = Part(
        PIER_U,
        start - PIER_LENGTH / 2,
        PIER_LENGTH,
        PIER_WIDTH,
        np.pi / 2,
        eaves=PIER_DECK,
        bottom=PIER_DECK - 1.2,
        tile="light",
    )
    u, v, radius = pier_head()
    # 2 cm above the made ground, so that the two never flicker through each other.
    head = Part(
        u,
        v,
        2 * radius + 5,
        2 * radius + 5,
        0.0,
        PIER_DECK + 0.02,
        bottom=-8.0,
        sides=32,
        tile="sand",
    )
    rows = np.arange(start - 34, start - PIER_LENGTH + 6, -12.0)
    columns = [
        Part(PIER_U + side, float(v), 1.4, 1.4, 0.0, PIER_DECK - 1.2, bottom=-8.0, tile="sand")
        for v in rows
        for side in (-3.2, 3.2)
    ]
    return [deck, head, *columns]


def pier_head() -> tuple[float, float, float]:
    """Return u, v and the radius in m of the made island at the end of the pier."""
    return PIER_U, float(shore(PIER_U)) + 24 - PIER_LENGTH - 14, 13.0


def _pavilion() -> Building:
    u, v, _ = pier_head()
    body = Part(u, v, 16.0, 16.0, 0.0, eaves=8.6, roof="pyramid", rise=6.4, sides=8, tile="gold")
    return Building("回澜阁", "文化", 2, 1931, "砖石", (body,), "stone", "pier")
