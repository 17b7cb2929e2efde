"""The result of `volume.demolition`: one line a building, totals, materials, budget, map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from plumbline.api import (
    Frame,
    Layer,
    LayerKind,
    LayerStyle,
    Result,
    Table,
    Value,
    VectorData,
    draw_figure,
    figure_colors,
    tr,
)
from plumbline_volume.analysis.demolition_factors import Factors, Item, budget
from plumbline_volume.analysis.demolition_footprints import Footprint, to_project
from plumbline_volume.analysis.demolition_objects import Thing
from plumbline_volume.analysis.demolition_roofs import Measured
from plumbline_volume.analysis.trees import Tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Share of a building's volume from which the spread of the methods is said.
WIDE = 0.15
#: Share of a footprint below which the surface left a part of it uncovered.
WHOLE = 0.95
#: Buildings that a warning names one by one.
MOST_NAMED = 8

BUILDINGS = (
    "id", "number", "name", "use", "structure", "structure_from", "footprint_area", "ground",
    "eaves_height", "ridge_height", "top_height", "height", "height_stated", "storeys",
    "storeys_from", "floor_area", "volume", "volume_from", "volume_2_5d", "volume_extruded",
    "volume_solid", "solid_method", "spread", "spread_percent", "volume_low", "volume_high",
    "coverage", "uncovered_area", "overhang_area", "overhang_volume", "samples",
    "roof_p50", "roof_p90", "material_volume", "debris",
)  # fmt: skip
UNITS = {
    **dict.fromkeys(("footprint_area", "floor_area", "uncovered_area", "overhang_area"), "m²"),
    **dict.fromkeys(
        ("ground", "eaves_height", "ridge_height", "top_height", "height", "height_stated"), "m"
    ),
    **dict.fromkeys(("roof_p50", "roof_p90"), "m"),
    **dict.fromkeys(
        ("volume", "volume_2_5d", "volume_extruded", "volume_solid", "spread", "volume_low",
         "volume_high", "material_volume", "overhang_volume"),
        "m³",
    ),
    "spread_percent": "%",
    "coverage": "%",
    "debris": "t",
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A footprint and what was measured on it."""

    footprint: Footprint
    measured: Measured

    @property
    def volume(self) -> float | None:
        """The volume that counts, m³."""
        return next(iter(self.measured.methods.values()), None)

    @property
    def label(self) -> str:
        """What people call it."""
        return self.footprint.text("number") or self.footprint.name or self.footprint.id


@dataclass(frozen=True)
class Line:
    """One building with what follows from its measures and the factors."""

    finding: Finding
    structure: str
    structure_from: str
    storeys: float | None
    storeys_from: str
    floor_area: float | None
    material: float | None
    debris: float | None


def sheet(
    frame: Frame,
    area: Any,
    findings: Sequence[Finding],
    things: Sequence[Thing],
    trees: Sequence[Tree],
    factors: Factors,
    ground: str,
) -> Result:
    """Return the result of measuring an area."""
    lines = [_line(finding, factors) for finding in findings]
    walls = [thing for thing in things if thing.kind == "wall"]
    sheds = [thing for thing in things if thing.kind == "shed"]
    tall = [tree for tree in trees if not tree.shrub]
    quantities = _quantities(lines, things, tall, factors)
    items = budget(factors.costs, quantities)
    totals = {
        name: math.fsum(f.measured.methods[name] for f in findings if name in f.measured.methods)
        for name in ("2_5d", "extruded", "solid")
        if all(name in f.measured.methods for f in findings)
    }
    half = (max(totals.values()) - min(totals.values())) / 2 if len(totals) > 1 else None
    uncovered = math.fsum(f.footprint.shape.area * (1 - f.measured.coverage) for f in findings)
    values = {
        "volume": Value(math.fsum(f.volume or 0.0 for f in findings), "m³", half),
        "buildings": Value(len(findings)),
        "footprint_area": Value(math.fsum(f.footprint.shape.area for f in findings), "m²"),
        "floor_area": Value(quantities["floor_area"], "m²"),
        "volume_2_5d": Value(totals.get("2_5d"), "m³"),
        "volume_extruded": Value(totals.get("extruded"), "m³"),
        "volume_solid": Value(totals.get("solid"), "m³"),
        "area": Value(float(area.area), "m²"),
        "ground_method": Value(ground),
        "uncovered_area": Value(uncovered, "m²"),
        "overhang_volume": Value(air_under(findings), "m³"),
        "sheds": Value(len(sheds)),
        "shed_volume": Value(math.fsum(t.volume for t in sheds), "m³"),
        "walls": Value(len(walls)),
        "wall_length": Value(math.fsum(t.length for t in walls), "m"),
        "wall_volume": Value(math.fsum(t.volume for t in walls), "m³"),
        "trees": Value(len(tall)),
        "shrubs": Value(len(trees) - len(tall)),
        "canopy_volume": Value(math.fsum(t.volume for t in trees), "m³"),
        "material_volume": Value(math.fsum(ln.material or 0.0 for ln in lines), "m³"),
        "debris": Value(quantities["debris"], "t"),
        "debris_loose_volume": Value(quantities["debris"] / factors.value("swell"), "m³"),
        "cost": Value(math.fsum(item.amount for item in items), factors.currency),
    }
    return Result(
        values=values,
        tables={
            "buildings": Table(BUILDINGS, tuple(_row(ln, frame) for ln in lines), UNITS),
            "totals": _totals(lines),
            "objects": _objects(things, frame),
            "trees": _trees(trees, frame),
            "budget": _budget(items, factors),
            "factors": _factors(factors),
        },
        layers=_layers(lines, things, trees, frame),
        figures={"map": _map(area, findings, things, trees)},
        warnings=_warnings(lines, factors, uncovered),
        headline="volume",
    )


def air_under(findings: Sequence[Finding]) -> float | None:
    """Return the air under overhangs, m³; None where no building shows its lower sides."""
    seen = [f.measured.overhang for f in findings if f.measured.overhang is not None]
    return math.fsum(one.volume for one in seen) if seen else None


# -- what follows from the measures --------------------------------------------------------------


def _line(finding: Finding, factors: Factors) -> Line:
    one, measured = finding.footprint, finding.measured
    storeys = one.number("storeys")
    source = "attribute"
    if storeys is None or storeys <= 0:
        storeys, source = None, ""
        if measured.eaves is not None:
            storeys = float(max(1, round(measured.eaves / factors.value("storey_height"))))
            source = "eaves / storey height"
    floor = None if storeys is None else storeys * float(one.shape.area)
    stated = one.text("structure")
    kind = factors.structure_of(stated)
    debris = None if floor is None else floor * factors.value(f"debris.{kind}")
    material = None if floor is None else floor * factors.value(f"material.{kind}")
    return Line(
        finding, kind, "attribute" if stated else "", storeys, source, floor, material, debris
    )


def _quantities(
    lines: Sequence[Line], things: Sequence[Thing], trees: Sequence[Tree], factors: Factors
) -> dict[str, float]:
    """Return what the rates of the budget are multiplied by."""
    walls = math.fsum(thing.volume for thing in things if thing.kind == "wall")
    return {
        "footprint_area": math.fsum(ln.finding.footprint.shape.area for ln in lines),
        "floor_area": math.fsum(ln.floor_area or 0.0 for ln in lines),
        "volume": math.fsum(ln.finding.volume or 0.0 for ln in lines),
        "objects_volume": math.fsum(thing.volume for thing in things),
        "trees": float(len(trees)),
        "debris": math.fsum(ln.debris or 0.0 for ln in lines)
        + walls * factors.value("wall_density"),
    }


# -- tables --------------------------------------------------------------------------------------


def _row(line: Line, frame: Frame) -> tuple[Any, ...]:
    one, measured = line.finding.footprint, line.finding.measured
    volumes = list(measured.methods.values())
    volume, spread = line.finding.volume, measured.spread
    height = None
    if measured.eaves is not None and measured.ridge is not None:
        height = (measured.eaves + measured.ridge) / 2

    def absolute(z: float | None) -> float | None:
        return None if z is None else float(frame.project_height(z))

    return (
        one.id, one.text("number"), one.name, one.text("use"), line.structure,
        line.structure_from, float(one.shape.area), absolute(measured.ground), measured.eaves,
        measured.ridge, measured.top, height, one.number("height"), line.storeys,
        line.storeys_from, line.floor_area, volume, next(iter(measured.methods), ""),
        measured.volume_2_5d, measured.volume_extruded, measured.volume_solid,
        measured.solid_method, spread, 100 * spread / volume if spread and volume else None,
        min(volumes, default=None), max(volumes, default=None), 100 * measured.coverage,
        one.shape.area * (1 - measured.coverage),
        None if measured.overhang is None else measured.overhang.area,
        None if measured.overhang is None else measured.overhang.volume, measured.samples,
        absolute(measured.p50),
        absolute(measured.p90), line.material, line.debris,
    )  # fmt: skip


def _totals(lines: Sequence[Line]) -> Table:
    """Return totals by use and by structure."""
    uses = [("use", line.finding.footprint.text("use"), line) for line in lines]
    kinds = [("structure", line.structure, line) for line in lines]
    rows = []
    for column, value in sorted({(c, v) for c, v, _ in (*uses, *kinds)}, reverse=True):
        own = [line for c, v, line in (*uses, *kinds) if (c, v) == (column, value)]
        rows.append(
            (
                column, value, len(own),
                math.fsum(ln.finding.footprint.shape.area for ln in own),
                math.fsum(ln.floor_area or 0.0 for ln in own),
                math.fsum(ln.finding.volume or 0.0 for ln in own),
                math.fsum(ln.material or 0.0 for ln in own),
                math.fsum(ln.debris or 0.0 for ln in own),
            )
        )  # fmt: skip
    columns = ("by", "class", "buildings", "footprint_area", "floor_area", "volume",
               "material_volume", "debris")  # fmt: skip
    units = {"footprint_area": "m²", "floor_area": "m²", "volume": "m³", "debris": "t"}
    return Table(columns, tuple(rows), {**units, "material_volume": "m³"})


def _objects(things: Sequence[Thing], frame: Frame) -> Table:
    rows = []
    for n, thing in enumerate(things, 1):
        x, y = shapely.get_coordinates(to_project(thing.outline.centroid, frame))[0].tolist()
        rows.append(
            (n, thing.kind, x, y, thing.length, thing.width, thing.height, thing.area, thing.volume)
        )
    columns = ("id", "kind", "x", "y", "length", "width", "height", "area", "volume")
    units = {**dict.fromkeys(("length", "width", "height"), "m"), "area": "m²", "volume": "m³"}
    return Table(columns, tuple(rows), units)


def _trees(trees: Sequence[Tree], frame: Frame) -> Table:
    rows = []
    for n, tree in enumerate(trees, 1):
        x, y, z = frame.project(np.array([tree.x, tree.y, tree.ground])).tolist()
        kind = "shrub" if tree.shrub else "tree"
        rows.append((n, kind, x, y, z, tree.height, 2 * tree.radius, tree.volume))
    columns = ("id", "kind", "x", "y", "z", "height", "crown_diameter", "canopy_volume")
    units = {"height": "m", "crown_diameter": "m", "canopy_volume": "m³"}
    return Table(columns, tuple(rows), units)


def _budget(items: Sequence[Item], factors: Factors) -> Table:
    """Return the budget; `share` items are shares of all items that are none."""
    rows = tuple(
        (
            item.cost.group, item.cost.id, item.cost.title,
            item.cost.per, item.quantity, item.cost.rate.value, item.cost.rate.unit, item.amount,
            item.cost.rate.source,
        )
        for item in items
    )  # fmt: skip
    columns = ("group", "item", "title", "per", "quantity", "rate", "rate_unit",
               "amount", "source")  # fmt: skip
    return Table(columns, rows, {"amount": factors.currency})


def _factors(factors: Factors) -> Table:
    rows = tuple(
        (f.name, f.value, f.unit, f.source, int(f.assumed)) for f in factors.factors.values()
    )
    return Table(("name", "value", "unit", "source", "assumption"), rows)


# -- layers and map ------------------------------------------------------------------------------


def _layers(
    lines: Sequence[Line], things: Sequence[Thing], trees: Sequence[Tree], frame: Frame
) -> dict[str, Layer]:
    import geopandas

    crs = frame.georeference.crs
    rows = [dict(zip(BUILDINGS, _row(line, frame), strict=True)) for line in lines]
    for row in rows:
        row["entity"] = row.pop("id")
    shapes = [to_project(line.finding.footprint.shape, frame) for line in lines]
    style = LayerStyle(extrude="height", base="ground", color_by="attribute", attribute="volume")
    found = {
        "buildings": Layer(
            "demolition", tr("Buildings to be taken down"), LayerKind.VECTOR,
            VectorData(geopandas.GeoDataFrame(rows, geometry=shapes, crs=crs)), crs, style=style,
        )
    }  # fmt: skip
    if things:
        named = [{"kind": t.kind, "height": t.height, "volume": t.volume} for t in things]
        shapes = [to_project(thing.outline, frame) for thing in things]
        features = geopandas.GeoDataFrame(named, geometry=shapes, crs=crs)
        found["objects"] = Layer(
            "objects", tr("Sheds and walls"), LayerKind.VECTOR, VectorData(features), crs
        )
    if trees:
        points = [
            shapely.Point(*frame.project(np.array([t.x, t.y, t.ground])).tolist()) for t in trees
        ]
        crowns = [{"height": t.height, "crown": 2 * t.radius, "volume": t.volume} for t in trees]
        features = geopandas.GeoDataFrame(crowns, geometry=points, crs=crs)
        found["trees"] = Layer(
            "trees_found", tr("Trees"), LayerKind.VECTOR, VectorData(features, has_z=True), crs
        )
    return found


def _map(
    area: Any, findings: Sequence[Finding], things: Sequence[Thing], trees: Sequence[Tree]
) -> bytes:
    """Return a map of what comes down, coloured by volume, with numbers."""
    colors = figure_colors()

    def paint(figure: Figure) -> None:
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Polygon

        axes = figure.add_subplot()
        for part in shapely.get_parts(area):
            axes.plot(*part.exterior.xy, color=colors["accent"], linewidth=1.4)
        patches, volumes = [], []
        for finding in findings:
            for part in shapely.get_parts(finding.footprint.shape):
                patches.append(Polygon(shapely.get_coordinates(part.exterior)))
                volumes.append(finding.volume if finding.volume is not None else math.nan)
        shown = PatchCollection(patches, cmap="YlOrBr", edgecolor="#5b4636", linewidth=0.5)
        shown.set_array(np.array(volumes))
        axes.add_collection(shown)
        for thing in things:
            for part in shapely.get_parts(thing.outline):
                axes.fill(*part.exterior.xy, color=colors["changed"])
        if trees:
            sizes = [max((2 * t.radius) ** 2, 2.0) for t in trees]
            axes.scatter([t.x for t in trees], [t.y for t in trees], s=sizes, color="#4f8a4b",
                         linewidths=0, alpha=0.8)  # fmt: skip
        if len(findings) <= 150:
            for finding in findings:
                at = finding.footprint.shape.representative_point()
                axes.text(at.x, at.y, finding.label, fontsize=4.5, ha="center", va="center")
        axes.set_aspect("equal")
        axes.set_axis_off()
        bar = figure.colorbar(shown, ax=axes, shrink=0.7)
        bar.set_label(tr("Volume, m³"))
        x0, y0, x1, _ = area.bounds
        length = 10 ** math.floor(math.log10(max((x1 - x0) / 3, 1)))
        axes.plot([x0, x0 + length], [y0 - 6, y0 - 6], color=colors["text"], linewidth=2)
        axes.text(x0 + length / 2, y0 - 9, f"{length:g} m", ha="center", va="top")
        axes.annotate("N", (x1, y0 + 14), (x1, y0 - 2), ha="center",
                      arrowprops={"arrowstyle": "<-", "color": colors["text"]})  # fmt: skip

    return draw_figure(paint, (8.0, 5.2))


# -- warnings ------------------------------------------------------------------------------------


def _named(findings: Sequence[Finding]) -> str:
    names = ", ".join(finding.label for finding in findings[:MOST_NAMED])
    return names + (", …" if len(findings) > MOST_NAMED else "")


def _warnings(lines: Sequence[Line], factors: Factors, uncovered: float) -> list[str]:
    findings = [line.finding for line in lines]
    found = []
    unknown = [f for f in findings if f.volume is None]
    if unknown:
        text = tr("{n} buildings have no volume, a gap is left: {names}.", n=len(unknown),
                  names=_named(unknown))  # fmt: skip
        found.append(text)
    partly = [f for f in findings if f.measured.coverage < WHOLE]
    if partly:
        text = tr(
            "The surface leaves {area:.0f} m² of footprints uncovered, in {n} buildings: {names}.",
            area=uncovered, n=len(partly), names=_named(partly),
        )  # fmt: skip
        found.append(text)
    hanging = [f for f in findings if f.measured.overhang and f.measured.overhang.volume > 0]
    if hanging:
        text = tr(
            "Under overhangs of {n} buildings lie about {volume:.0f} m³ of air, which the surface "
            "over the ground counts as solid; their solid counts instead: {names}.",
            n=len(hanging), volume=air_under(hanging), names=_named(hanging),
        )  # fmt: skip
        found.append(text)
    wide = [
        f
        for f in findings
        if f.measured.spread is not None and f.measured.spread > WIDE * (f.volume or math.inf)
    ]
    if wide:
        text = tr(
            "The methods differ by more than {share:.0f} % in {n} buildings: {names}.",
            share=100 * WIDE, n=len(wide), names=_named(wide),
        )  # fmt: skip
        found.append(text)
    guessed = sum(line.storeys_from.startswith("eaves") for line in lines)
    if guessed:
        text = tr(
            "{n} buildings state no storeys: they are taken from the eaves, {height:g} m each.",
            n=guessed, height=factors.value("storey_height"),
        )  # fmt: skip
        found.append(text)
    nameless = sum(line.structure == "other" for line in lines)
    if nameless:
        found.append(tr("{n} buildings have an unknown structure.", n=nameless))
    assumed = sum(factor.assumed for factor in factors.factors.values())
    if assumed:
        text = tr("{n} factors are assumptions: replace them before the sum is signed.", n=assumed)
        found.append(text)
    return found
