"""What is known of a building besides its shape: use, storeys, floor areas, dwellings, parking.

Every number says where it comes from. Where two sources of a floor area are there and disagree,
that is said, and neither is mended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from plumbline.api import Element, tr
from plumbline_schemes.analysis.buildings import Building, flat

Source = Literal["auto", "table", "spaces", "quantities", "attributes", "storeys"]
#: Order in which sources are believed, the one that tells most first.
ORDER = ("table", "spaces", "quantities", "attributes", "storeys")
#: Share by which two sources of a floor area may differ before it is said.
AGREE = 0.02

#: What columns and properties are called in files, by what they mean.
NAMES: dict[str, tuple[str, ...]] = {
    "use": ("用途", "使用性质", "建筑功能", "OccupancyType", "use", "usage", "function"),
    "storeys": ("层数", "地上层数", "NumberOfStoreys", "storeys", "floors", "storeysAboveGround"),
    "floor_area": ("建筑面积", "总建筑面积", "floor_area", "gross_floor_area"),
    "dwellings": ("户数", "总户数", "dwellings"),
    "parking": ("停车位", "车位数", "停车位数", "机动车停车位", "parking", "parking_spaces"),
    "footprint": ("基底面积", "FootprintArea", "footprint_area"),
    "base": ("基底高程", "base"),
    "eaves": ("檐口高度", "eaves_height"),
    "ridge": ("屋脊高度", "ridge_height"),
    "parapet": ("女儿墙高度", "parapet_height"),
    "green": ("绿地面积", "green_area"),
}


class FloorRow(BaseModel):
    """A row of a table of floor areas that someone gives beside the model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    building: str
    area: float = Field(ge=0)
    use: str = ""
    storey: str = ""


@dataclass(frozen=True)
class Floor:
    """A floor area, m²; storey and use are empty where the source does not tell them."""

    use: str
    storey: str
    area: float


@dataclass(frozen=True)
class Facts:
    """What is known of a building; None where nothing says it."""

    use: str
    storeys: float | None
    dwellings: float | None
    parking: float | None
    footprint: float
    footprint_from: str
    floors: tuple[Floor, ...]
    floors_from: str
    other_floor_areas: dict[str, float]

    @property
    def floor_area(self) -> float | None:
        """Sum of the floors, m²; None where no source gives them."""
        return math.fsum(f.area for f in self.floors) if self.floors_from else None


def number(attributes: Mapping[str, Any], meaning: str, columns: Mapping[str, str]) -> float | None:
    """Return an attribute by what it means, None where it is not there or holds no number."""
    for name in (columns[meaning],) if meaning in columns else NAMES[meaning]:
        value = attributes.get(name)
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                continue
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None


def text(attributes: Mapping[str, Any], meaning: str, columns: Mapping[str, str]) -> str:
    """Return a text attribute by what it means, empty where it is not there."""
    for name in (columns[meaning],) if meaning in columns else NAMES[meaning]:
        value = attributes.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def facts(
    building: Building,
    columns: Mapping[str, str],
    table: Sequence[FloorRow],
    source: Source,
    warnings: list[str],
) -> Facts:
    """Return what is known of a building; what is doubtful goes into `warnings`."""
    own = building.attributes
    use = text(own, "use", columns)
    storeys = number(own, "storeys", columns)
    if storeys is None:
        count = sum(part.cls == "IfcBuildingStorey" for part in building.parts)
        storeys = float(count) if count else None
    stated = number(own, "footprint", columns)
    # A stated footprint is believed for models, whose slabs and sills reach out; outlines are it.
    modelled = building.corners is not None and stated is not None and stated > 0
    footprint = float(stated) if modelled and stated is not None else float(building.footprint.area)
    found = _floor_sources(building, columns, table, use, storeys, footprint)
    wanted = [source] if source != "auto" else [one for one in ORDER if one in found]
    chosen = wanted[0] if wanted and wanted[0] in found else ""
    totals = {name: math.fsum(f.area for f in floors) for name, floors in found.items()}
    _compare(building, chosen, totals, warnings)
    return Facts(
        use, storeys, number(own, "dwellings", columns), number(own, "parking", columns), footprint,
        "stated" if modelled else "outline", found.get(chosen, ()), chosen,
        {name: total for name, total in totals.items() if name != chosen},
    )  # fmt: skip


def _floor_sources(
    building: Building,
    columns: Mapping[str, str],
    table: Sequence[FloorRow],
    use: str,
    storeys: float | None,
    footprint: float,
) -> dict[str, tuple[Floor, ...]]:
    """Return the floors by every source that is there."""
    found: dict[str, tuple[Floor, ...]] = {}
    rows = [row for row in table if row.building and row.building in (building.id, building.name)]
    if rows:
        found["table"] = tuple(Floor(row.use or use, row.storey, row.area) for row in rows)
    rooms = _rooms(building.parts, use)
    if rooms:
        found["spaces"] = rooms
    quantities = building.attributes.get("GrossFloorArea")
    if isinstance(quantities, int | float) and quantities > 0:
        found["quantities"] = (Floor(use, "", float(quantities)),)
    stated = number(building.attributes, "floor_area", columns)
    if stated is not None:
        found["attributes"] = (Floor(use, "", stated),)
    if storeys is not None and storeys > 0:
        whole = int(storeys)
        floors = [Floor(use, str(k + 1), footprint) for k in range(whole)]
        if storeys > whole:
            floors.append(Floor(use, str(whole + 1), footprint * (storeys - whole)))
        found["storeys"] = tuple(floors)
    return found


def _rooms(parts: Sequence[Element], use: str) -> tuple[Floor, ...]:
    """Return the gross floor areas of rooms; none unless every room states one."""
    rooms = [(part, flat(part)) for part in parts if part.cls == "IfcSpace"]
    areas = [own.get("GrossFloorArea") for _, own in rooms]
    if not rooms or not all(isinstance(area, int | float) and area >= 0 for area in areas):
        return ()
    return tuple(
        Floor(str(own.get("OccupancyType") or own.get("LongName") or use), part.storey, float(area))
        for (part, own), area in zip(rooms, areas, strict=True)
        if isinstance(area, int | float)
    )


def _compare(
    building: Building, chosen: str, totals: Mapping[str, float], warnings: list[str]
) -> None:
    name = building.name or building.id
    if not chosen:
        warnings.append(tr("Nothing tells the floor area of “{name}”: a gap is left.", name=name))
        return
    for other, total in totals.items():
        if abs(total - totals[chosen]) > AGREE * max(total, totals[chosen]):
            warnings.append(
                tr(
                    "“{name}” has {a:.1f} m² of floors by {source}, but {b:.1f} m² by {other}.",
                    name=name,
                    a=totals[chosen],
                    b=total,
                    source=chosen,
                    other=other,
                )
            )
