"""Indicators of a scheme on its site: areas, ratios, heights, dwellings, setbacks, frontage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import shapely
from pydantic import BeforeValidator, Field, TypeAdapter

from plumbline.api import (
    N_,
    Analysis,
    Entities,
    EntityRefs,
    Feedback,
    Frame,
    Layer,
    LayerRef,
    Params,
    Problem,
    RefusedError,
    Region,
    Result,
    Scene,
    Scheme,
    Table,
    Value,
    VectorData,
    region,
    tr,
)
from plumbline_schemes.analysis.buildings import (
    Building,
    Stock,
    buildings,
    frame_of,
    hidden_in,
    scheme_layers,
    stock,
    to_frame,
    to_project,
)
from plumbline_schemes.analysis.floors import Facts, FloorRow, Source, facts
from plumbline_schemes.analysis.heights import Heights, heights
from plumbline_schemes.analysis.setbacks import (
    Boundary,
    built_along,
    distances,
    outlines,
    setbacks,
)

#: What a column that says the kind of a boundary may be called.
KIND_COLUMNS = ("类型", "type", "kind", "控制线", "等级", "class")
#: Rows of a table that anyone can still open.
MAX_ROWS = 1_000_000
#: Share of a footprint that lies on the site from which a building is the site's.
MOSTLY = 0.5


def _layer_or_region(value: object) -> object:
    """Leave the id of a layer as it is; a text of coordinates becomes polygons."""
    if isinstance(value, str) and ("(" in value or ";" in value):
        return TypeAdapter(Region).validate_python(value)
    return value


#: Polygons, or the id of a layer of polygons.
Area = Annotated[LayerRef | Region, BeforeValidator(_layer_or_region)]


class IndicatorParams(Params):
    """What `schemes.indicators` can be asked."""

    scheme: Annotated[
        str | None,
        Field(
            title=N_("Scheme"),
            description=N_("Its layers and the baseline that it leaves are counted."),
        ),
    ] = None
    buildings: Annotated[
        EntityRefs | None,
        Field(
            title=N_("Buildings to count"),
            description=N_("Instead of a scheme: layers of buildings, or some of their entities."),
        ),
    ] = None
    site: Annotated[
        Area | None,
        Field(
            title=N_("Site"),
            description=N_("Parcels with holes, or a layer of them; the scheme's own otherwise."),
        ),
    ] = None
    before: Annotated[
        EntityRefs | None,
        Field(
            title=N_("Before"),
            description=N_(
                "Buildings that stand there now; of a scheme, the baseline that it hides something "
                "of otherwise."
            ),
        ),
    ] = None
    green: Annotated[
        Area | None,
        Field(title=N_("Green areas"), description=N_("Polygons of planned green areas.")),
    ] = None
    boundaries: Annotated[
        LayerRef | None,
        Field(
            title=N_("Boundary lines"),
            description=N_(
                "Lines or areas that buildings keep off, typed by a column; the outlines of the "
                "parcels otherwise."
            ),
        ),
    ] = None
    boundary_type: Annotated[
        str,
        Field(
            title=N_("Type of boundaries"),
            description=N_("Column that says what a boundary is; found by its name otherwise."),
        ),
    ] = ""
    frontage: Annotated[
        LayerRef | None,
        Field(
            title=N_("Building lines"),
            description=N_("Lines along which walls are to stand, for the frontage ratio."),
        ),
    ] = None
    frontage_depth: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            title=N_("Frontage depth"),
            description=N_("A wall no farther from the line than this stands on it."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.5
    max_distance: Annotated[
        float,
        Field(
            gt=0,
            le=10_000,
            title=N_("Greatest distance"),
            description=N_("Pairs of buildings farther apart are left out of the table."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 100.0
    floor_area_from: Annotated[
        Source,
        Field(
            title=N_("Floor area from"),
            description=N_(
                "table, spaces (IFC rooms), quantities (IFC), attributes, storeys (times "
                "footprint); auto takes the first that there is."
            ),
        ),
    ] = "auto"
    floor_table: Annotated[
        tuple[FloorRow, ...],
        Field(
            title=N_("Table of floor areas"),
            description=N_("Rows of building (id or name), area in m², use and storey."),
        ),
    ] = ()
    columns: Annotated[
        dict[str, str],
        Field(
            title=N_("Columns"),
            description=N_(
                "What columns are called, where they are not found by their name: use, storeys, "
                "floor_area, dwellings, parking, footprint, eaves, ridge, parapet."
            ),
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it


@dataclass(frozen=True)
class Given:
    """Snapshot: what stands there before and after, the site and the lines."""

    frame: Frame
    site: Any
    after: tuple[Stock, ...]
    before: tuple[Stock, ...]
    green: Any
    boundaries: tuple[Boundary, ...]
    frontage: tuple[Boundary, ...]


@dataclass
class Count:
    """The buildings of one state of the site, with what is known of them."""

    buildings: list[Building] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    heights: list[Heights] = field(default_factory=list)


class Indicators(Analysis[IndicatorParams]):
    """Indicators of the buildings that stand on a site by more than half of their footprint.

    FAR is floor area by site area, density is footprint by site area, as GB 50180-2018 has them.
    Floor areas say their source; where none tells, the value is empty and a warning names the
    building.
    """

    id = "schemes.indicators"
    version = "1"
    title = N_("Indicators")
    description = N_(
        "Site, footprint and floor area by use and storey, plot ratio, building density, green "
        "ratio, heights, storeys, dwellings, parking, setbacks, frontage ratio and distances of a "
        "scheme, before and after."
    )
    Params = IndicatorParams

    def layers(self, params: IndicatorParams) -> list[str]:
        refs = [*(params.buildings or ()), *(params.before or ())]
        one = [params.boundaries, params.frontage]
        one += [a for a in (params.site, params.green) if isinstance(a, str)]
        return list(dict.fromkeys([*(ref.layer for ref in refs), *(i for i in one if i)]))

    def schemes(self, params: IndicatorParams) -> list[str]:
        return [params.scheme] if params.scheme else []

    def check(self, scene: Scene, params: IndicatorParams) -> list[Problem]:
        problems = []
        if params.scheme is not None and params.buildings is not None:
            problems.append(Problem("buildings", tr("Give a scheme or buildings, not both.")))
        known = [scheme.id for scheme in scene.schemes]
        if params.scheme is not None and params.scheme not in known:
            text = tr(
                "There is no scheme “{id}”; the schemes are: {ids}.",
                id=params.scheme[:80],
                ids=", ".join(known) or "–",
            )
            problems.append(Problem("scheme", text))
        elif params.buildings is None and _scheme(scene, params) is None:
            problems.append(Problem("scheme", tr("Give a scheme or buildings.")))
        if params.site is None and not _own_site(_scheme(scene, params)):
            problems.append(Problem("site", tr("Give a site: the scheme has none of its own.")))
        unknown = sorted(set(params.columns) - set(_MEANINGS))
        if unknown:
            text = tr("“{name}” is no column that can be named.", name=unknown[0][:80])
            problems.append(Problem("columns", text))
        return problems

    def prepare(self, scene: Scene, params: IndicatorParams) -> Given:
        scheme = _scheme(scene, params)
        site = _area(scene, params.site if params.site is not None else _own_site(scheme))
        after, before = _stocks(scene, params, scheme)
        frame = frame_of(scene, [one.layer.id for one in (*after, *before)])
        return Given(
            frame,
            to_frame(site, frame),
            after,
            before,
            None if params.green is None else to_frame(_area(scene, params.green), frame),
            _lines(scene, params.boundaries, params.boundary_type, frame),
            _lines(scene, params.frontage, "", frame),
        )

    def compute(self, inputs: Given, params: IndicatorParams, feedback: Feedback) -> Result:
        warnings: list[str] = []
        after = _count(inputs, inputs.after, params, feedback.part(0, 0.5), warnings)
        if not after.buildings:
            raise RefusedError(
                tr("No building of the scheme stands on the site."),
                tr("Check the site, and where the scheme lies."),
            )
        before = (
            _count(inputs, inputs.before, params, feedback.part(0.5, 0.8), [])
            if inputs.before
            else None
        )
        feedback.step(0.8, 1, tr("Measuring setbacks and distances"))
        values = _values(inputs, after, warnings)
        tables = {
            "buildings": _buildings_table(after, inputs.frame),
            "floors": _floors_table(after),
            "uses": _uses_table(after, warnings),
        }
        _add_places(inputs, params, after, values, tables)
        if before is not None:
            tables["before_after"] = _before_after(_values(inputs, before, []), values)
        return Result(values=values, tables=tables, warnings=warnings, headline="far")


_MEANINGS = (
    "use", "storeys", "floor_area", "dwellings", "parking", "footprint", "eaves", "ridge",
    "parapet", "base",
)  # fmt: skip


# -- snapshot --------------------------------------------------------------------------------


def _scheme(scene: Scene, params: IndicatorParams) -> Scheme | None:
    """Return the scheme that is named, else the one that the request runs under."""
    if params.scheme is None:
        return scene.active_scheme
    return next((s for s in scene.schemes if s.id == params.scheme), None)


def _own_site(scheme: Scheme | None) -> Region:
    """Return the polygons that a scheme has as its site; none where it has none."""
    polygons = [] if scheme is None else scheme.site.get("polygons") or []
    adapter: TypeAdapter[Region] = TypeAdapter(Region)
    return tuple(part for shape in polygons for part in adapter.validate_python(shape))


def _area(scene: Scene, given: str | Region | None) -> Any:
    """Return polygons of the project CRS from coordinates or a layer."""
    assert given is not None
    if not isinstance(given, str):
        return region(given)
    layer = scene[given]
    if isinstance(layer.data, VectorData):
        shapes = layer.data.features.geometry.dropna().to_numpy()
        joined = shapely.union_all(shapely.make_valid(shapes))
        parts = [p for p in shapely.get_parts(joined) if p.geom_type == "Polygon"]
        if parts:
            return shapely.MultiPolygon(parts)
    raise RefusedError(
        tr("“{name}” holds no polygons.", name=layer.name), tr("Choose a layer of polygons.")
    )


def _stocks(
    scene: Scene, params: IndicatorParams, scheme: Scheme | None
) -> tuple[tuple[Stock, ...], tuple[Stock, ...]]:
    """Return the layers after and before; what the scheme leaves of the baseline stands in both."""
    named = params.before
    before = tuple(_named(scene, ref) for ref in named or ())
    if params.buildings is not None:
        return tuple(_named(scene, ref) for ref in params.buildings), before
    assert scheme is not None
    baseline = (
        [ref.layer for ref in named]
        if named is not None
        else [i for i in scheme_layers(scene, scheme) if i not in scheme.layers]
    )
    before = before or tuple(stock(scene, i) for i in baseline)
    left = tuple(stock(scene, i, hidden_in(scheme, i)) for i in dict.fromkeys(baseline))
    return (*(stock(scene, i) for i in scheme.layers), *left), before


def _named(scene: Scene, ref: Entities) -> Stock:
    return stock(scene, ref.layer, scene.hidden_entities(ref.layer), ref.entities or None)


def _lines(scene: Scene, layer_id: str | None, column: str, frame: Frame) -> tuple[Boundary, ...]:
    """Return the features of a layer of lines or areas, typed by a column."""
    if layer_id is None:
        return ()
    layer: Layer = scene[layer_id]
    if not isinstance(layer.data, VectorData):
        raise RefusedError(
            tr("“{name}” holds no lines.", name=layer.name), tr("Choose a layer of lines or areas.")
        )
    features = layer.data.features
    if column and column not in features.columns:
        raise RefusedError(
            tr("“{name}” has no column “{column}”.", name=layer.name, column=column[:80]),
            tr("Its columns are: {names}.", names=", ".join(map(str, features.columns))),
        )
    typed = column or next((c for c in KIND_COLUMNS if c in features.columns), "")
    kinds = features[typed].astype(str) if typed else [""] * len(features)
    rows = zip(features.index.astype(str), kinds, features.geometry, strict=True)
    return tuple(
        Boundary(label, kind, to_frame(shape, frame))
        for label, kind, shape in rows
        if shape is not None and not shape.is_empty
    )


# -- counting --------------------------------------------------------------------------------


def _count(
    inputs: Given,
    stocks: Sequence[Stock],
    params: IndicatorParams,
    feedback: Feedback,
    warnings: list[str],
) -> Count:
    """Return the buildings that stand on the site, with what is known of them."""
    everything, _ = buildings(stocks, inputs.frame, feedback)
    result = Count()
    shapely.prepare(inputs.site)
    for building in everything:
        inside = shapely.intersection(building.footprint, inputs.site).area
        share = inside / building.footprint.area
        if 1e-3 < share < 1 - 1e-3:
            text = tr(
                "“{name}” crosses the boundary of the site: {share:.0f} % of it lies inside.",
                name=building.name or building.id,
                share=100 * share,
            )
            warnings.append(text)
        if share <= MOSTLY:
            continue
        result.buildings.append(building)
        result.facts.append(
            facts(building, params.columns, params.floor_table, params.floor_area_from, warnings)
        )
        result.heights.append(heights(building, params.columns, feedback))
    return result


def _sum(numbers: Sequence[float | None]) -> float | None:
    """Return a sum, None where a part of it is unknown."""
    known = [number for number in numbers if number is not None]
    return math.fsum(known) if len(known) == len(numbers) else None


def _known(numbers: Sequence[float | None]) -> float | None:
    """Return the sum of what is known, None where nothing is."""
    known = [number for number in numbers if number is not None]
    return math.fsum(known) if known else None


def _greatest(numbers: Sequence[float | None]) -> float | None:
    return max((number for number in numbers if number is not None), default=None)


def _values(inputs: Given, count: Count, warnings: list[str]) -> dict[str, Value]:
    """Return the indicators of one state of the site."""
    area = float(inputs.site.area)
    footprint = math.fsum(f.footprint for f in count.facts)
    floors = _sum([f.floor_area for f in count.facts])
    sources = sorted({f.floors_from for f in count.facts if f.floors_from})
    volumes = [b.volume if math.isfinite(b.volume) else None for b in count.buildings]
    green = None
    if inputs.green is not None:
        built = shapely.union_all([b.footprint for b in count.buildings])
        green = float(
            shapely.difference(shapely.intersection(inputs.green, inputs.site), built).area
        )
    else:
        warnings.append(tr("No green areas are given: the green ratio is unknown."))
    return {
        "site_area": Value(area, "m²"),
        "footprint_area": Value(footprint, "m²"),
        "floor_area": Value(floors, "m²"),
        "floor_area_source": Value(", ".join(sources) or None),
        "far": Value(None if floors is None else floors / area),
        "density": Value(footprint / area),
        "green_area": Value(green, "m²"),
        "green_ratio": Value(None if green is None else green / area),
        "buildings": Value(len(count.buildings)),
        "height_max": Value(_greatest([h.height for h in count.heights]), "m"),
        "top_max": Value(_greatest([h.top for h in count.heights]), "m"),
        "storeys_max": Value(_greatest([f.storeys for f in count.facts])),
        "dwellings": Value(_known([f.dwellings for f in count.facts])),
        "parking": Value(_known([f.parking for f in count.facts])),
        "volume": Value(_sum(volumes), "m³"),
    }


# -- tables ----------------------------------------------------------------------------------


def _buildings_table(count: Count, frame: Frame) -> Table:
    columns = (
        "id", "name", "layer", "use", "footprint_area", "footprint_from", "floor_area",
        "floor_area_from", "storeys", "dwellings", "parking", "base", "height", "eaves_height",
        "ridge_height", "parapet_height", "top_height", "heights_from", "volume", "volume_from",
    )  # fmt: skip
    rows = []
    for building, known, high in zip(count.buildings, count.facts, count.heights, strict=True):
        base = None if building.base is None else float(frame.project_height(building.base))
        volume = building.volume if math.isfinite(building.volume) else None
        rows.append(
            (
                building.id, building.name, building.layer, known.use, known.footprint,
                known.footprint_from, known.floor_area, known.floors_from, known.storeys,
                known.dwellings, known.parking, base, high.height, high.eaves, high.ridge,
                high.parapet, high.top, high.source, volume, building.volume_from,
            )
        )  # fmt: skip
    metres = ("base", "height", "eaves_height", "ridge_height", "parapet_height", "top_height")
    units = {**dict.fromkeys(metres, "m"), "footprint_area": "m²", "floor_area": "m²"}
    return Table(columns, tuple(rows), {**units, "volume": "m³"})


def _floors_table(count: Count) -> Table:
    rows = tuple(
        (building.id, floor.use, floor.storey, floor.area, known.floors_from)
        for building, known in zip(count.buildings, count.facts, strict=True)
        for floor in known.floors
    )
    return Table(("building", "use", "storey", "area", "source"), rows, {"area": "m²"})


def _uses_table(count: Count, warnings: list[str]) -> Table:
    """Return the floor area by use; an unknown use stays empty and is said."""
    areas: dict[str, float] = {}
    for known in count.facts:
        for floor in known.floors:
            areas[floor.use] = areas.get(floor.use, 0.0) + floor.area
    if areas.get(""):
        warnings.append(tr("{area:.1f} m² of floors have no known use.", area=areas[""]))
    total = math.fsum(areas.values())
    rows = tuple((use, a, a / total if total else None) for use, a in sorted(areas.items()))
    return Table(("use", "floor_area", "share"), rows, {"floor_area": "m²"})


def _add_places(
    inputs: Given,
    params: IndicatorParams,
    after: Count,
    values: dict[str, Value],
    tables: dict[str, Table],
) -> None:
    """Add setbacks, frontage and distances."""
    kept_off = inputs.boundaries or tuple(outlines(inputs.site))
    if len(kept_off) * len(after.buildings) > MAX_ROWS:
        raise RefusedError(
            tr("This makes more than {n:.0f} setbacks.", n=MAX_ROWS),
            tr("Give fewer boundary lines or buildings."),
        )
    found = setbacks(after.buildings, kept_off)
    rows = []
    for one in found:
        ends = [
            tuple(xy)
            for xy in shapely.get_coordinates(
                to_project(shapely.LineString([one.at, one.foot]), inputs.frame)
            ).tolist()
        ]
        kind, number = one.boundary.kind, one.boundary.id
        rows.append((one.building.id, number, kind, one.distance, *ends[0], *ends[1]))
    columns = ("building", "boundary", "type", "distance", "x", "y", "boundary_x", "boundary_y")
    tables["setbacks"] = Table(columns, tuple(rows), {"distance": "m"})
    values["setback_min"] = Value(min((s.distance for s in found), default=None), "m")
    lines = [(b, b.shape if b.shape.geom_type.endswith("String") else b.shape.boundary)
             for b in inputs.frontage]  # fmt: skip
    built = [built_along(line, after.buildings, params.frontage_depth) for _, line in lines]
    length = math.fsum(line.length for _, line in lines)
    values["frontage_ratio"] = Value(math.fsum(built) / length if length else None)
    if lines:
        tables["frontage"] = Table(
            ("line", "type", "length", "built", "ratio"),
            tuple(
                (b.id, b.kind, float(line.length), part, part / line.length)
                for (b, line), part in zip(lines, built, strict=True)
            ),
            {"length": "m", "built": "m"},
        )
    near = distances(after.buildings, params.max_distance)
    values["distance_min"] = Value(near[0][2] if near else None, "m")
    tables["distances"] = Table(
        ("a", "b", "distance"), tuple((a.id, b.id, d) for a, b, d in near), {"distance": "m"}
    )


def _before_after(before: Mapping[str, Value], after: Mapping[str, Value]) -> Table:
    rows = []
    for name, now in after.items():
        if name not in before or name in ("floor_area_source", "site_area"):
            continue
        a, b = before[name].value, now.value
        both = isinstance(a, int | float) and isinstance(b, int | float)
        rows.append((name, a, b, b - a if both else None, now.unit))  # type: ignore[operator]
    return Table(("indicator", "before", "after", "difference", "unit"), tuple(rows))
