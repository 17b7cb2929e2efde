"""Protective security: the windows, facades and roofs from which a route or a place is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Layer,
    LayerKind,
    LayerRefs,
    LayerStyle,
    MeshData,
    ObstacleLayers,
    Obstacles,
    Params,
    Point,
    Points,
    Problem,
    RefusedError,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
    blocked,
    build_obstacles,
    draw_figure,
    figure_colors,
    obstacle_layers,
    tr,
)
from plumbline_sightline.analysis.corridor import along_path, standing
from plumbline_sightline.analysis.eyes import Eye, Places, box_around
from plumbline_sightline.analysis.lookouts import Lookouts, lookouts_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Of somebody on a roof, metres.
EYE_HEIGHT = 1.6
#: Places on a route and lines of sight of one request.
MAX_PLACES = 20_000
MAX_LINES = 200_000_000
COLUMNS = (
    *("rank", "kind", "entity", "name", "layer", "storey", "x", "y", "z"),
    *("places_seen", "length_seen", "nearest", "elevation", "share"),
)
UNITS = {"length_seen": "m", "nearest": "m", "elevation": "°"}


class WindowsParams(Params):
    """What `sightline.windows` can be asked."""

    obstacles: Annotated[
        LayerRefs,
        Field(
            min_length=1,
            title=N_("Obstacles"),
            description=N_(
                "Terrain and buildings that stand in the way; windows let look through."
            ),
        ),
    ]
    route: Annotated[
        Points | None,
        Field(
            min_length=2,
            title=N_("Route"),
            description=N_("The line that is to be protected; or give a place."),
            json_schema_extra={"widget": "points"},
        ),
    ] = None
    point: Annotated[
        Point | None,
        Field(
            title=N_("Place"),
            description=N_("The place that is to be protected; or give a route."),
            json_schema_extra={"widget": "point"},
        ),
    ] = None
    windows: Annotated[
        LayerRefs | None,
        Field(
            min_length=1,
            title=N_("Windows"),
            description=N_("Building models with windows, or points of windows with heights."),
        ),
    ] = None
    facades: Annotated[
        LayerRefs | None,
        Field(
            min_length=1,
            title=N_("Facades and roofs"),
            description=N_("Models whose walls and roofs are looked from as a whole."),
        ),
    ] = None
    range: Annotated[
        float,
        Field(
            gt=0,
            title=N_("Range"),
            description=N_("Lines of sight that are longer do not count."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 400.0
    spacing: Annotated[
        float,
        Field(
            ge=0.1,
            title=N_("Spacing on the route"),
            description=N_("Between the places that are looked at."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 10.0
    facade_spacing: Annotated[
        float,
        Field(
            ge=0.1,
            title=N_("Spacing on facades"),
            description=N_("Between the points that are looked from."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 3.0
    target_height: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            title=N_("Target height"),
            description=N_("Above the ground, where the route has no heights of its own."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 1.5


@dataclass(frozen=True)
class Guarded:
    """Snapshot: obstacles, and the layers to look from with what a scheme hides of them."""

    layers: ObstacleLayers
    windows: tuple[tuple[Layer, frozenset[str]], ...]
    facades: tuple[tuple[Layer, frozenset[str]], ...]


@dataclass
class Watch:
    """What has been seen so far.

    Attributes
    ----------
    places, length : (C,)
        Number of places that each lookout sees, and how much of the route, metres.
    nearest : (C,)
        Its shortest line of sight, metres; inf for none.
    point, place : (C,) intp
        The ends of that line.
    seen : (P,) bool
        Points of lookouts that see anything.
    by_place : (S,) intp
        Number of lookouts that see each place.
    """

    places: Indices
    length: FloatArray
    nearest: FloatArray
    point: Indices
    place: Indices
    seen: NDArray[np.bool_]
    by_place: Indices


class Windows(Analysis[WindowsParams]):
    """Windows, facades and roofs with a line of sight to a route or a place.

    A window looks from before its middle, walls from points on them, roofs from eye height above
    them; glass stops nobody. Ranked by how much of the route they see, then by distance.
    """

    id = "sightline.windows"
    version = "1"
    title = N_("Windows that see")
    description = N_(
        "The windows, facades and roofs that have a line of sight to a route or a place within a "
        "range, ranked by how much of it they see."
    )
    Params = WindowsParams

    def layers(self, params: WindowsParams) -> list[str]:
        named = [*params.obstacles, *(params.windows or ()), *(params.facades or ())]
        return list(dict.fromkeys(named))

    def check(self, scene: Scene, params: WindowsParams) -> list[Problem]:
        problems = []
        if (params.route is None) == (params.point is None):
            problems.append(Problem("route", tr("Give either a route or a place.")))
        if params.windows is None and params.facades is None:
            problems.append(Problem("windows", tr("Give windows or facades to look from.")))
        return problems

    def prepare(self, scene: Scene, params: WindowsParams) -> Guarded:
        def held(ids: tuple[str, ...] | None) -> tuple[tuple[Layer, frozenset[str]], ...]:
            return tuple((scene[n], scene.hidden_entities(n)) for n in ids or ())

        # What is looked from stands in the way of itself.
        solid = [n for n in params.windows or () if isinstance(scene[n].data, MeshData)]
        ids = [*params.obstacles, *solid, *(params.facades or ())]
        layers = obstacle_layers(scene, ids, without=("IfcWindow",))
        return Guarded(layers, held(params.windows), held(params.facades))

    def compute(self, inputs: Guarded, params: WindowsParams, feedback: Feedback) -> Result:
        layers = inputs.layers
        points: list[Point] = [] if params.point is None else [params.point]
        if params.route is not None:
            step = params.spacing / layers.frame.scale[0]
            points = along_path(params.route, step, MAX_PLACES)
        box = box_around(layers, points, params.range)
        obstacles = build_obstacles(layers, feedback.part(0.0, 0.2), box)
        places = Places(layers, obstacles)
        targets, skipped = standing(points, params.target_height, places, params.point is None)
        lookouts = lookouts_of(
            inputs.windows, inputs.facades, layers.frame, params.facade_spacing, EYE_HEIGHT
        )
        lengths = _lengths(targets)
        watch = _watch(lookouts, targets, lengths, obstacles, params, feedback.part(0.2, 0.95))
        order = _ranked(watch)
        rows = _rows(order, watch, lookouts, targets, layers)
        kinds = [lookouts.lookouts[n].kind for n in order.tolist()]
        return Result(
            values={
                "windows": Value(kinds.count("window")),
                "facades": Value(kinds.count("facade")),
                "roofs": Value(kinds.count("roof")),
                "places": Value(len(targets)),
                "places_seen": Value(int((watch.by_place > 0).sum())),
                "length": Value(float(lengths.sum()), "m"),
                "length_seen": Value(float(lengths[watch.by_place > 0].sum()), "m"),
            },
            tables={
                "windows": Table(COLUMNS, tuple(rows), UNITS),
                "places": _places(targets, lengths, watch),
            },
            layers={"lookouts": _layer(rows, layers)} if rows else {},
            figures={"map": _figure(rows, targets)},
            warnings=[*obstacles.warnings, *skipped],
            points=tuple(target.point for target in targets),
            headline="windows" if params.windows else "facades",
            provenance={
                "lods": obstacles.lods,
                "lookouts": len(lookouts.lookouts),
                "points": len(lookouts.points),
            },
        )


def _lengths(targets: list[Eye]) -> FloatArray:
    """Return how much of the route each place stands for: half of the way to its neighbours."""
    at = np.array([target.place for target in targets])
    legs = np.linalg.norm(np.diff(at, axis=0), axis=1)
    lengths: FloatArray = (np.r_[0.0, legs] + np.r_[legs, 0.0]) / 2
    return lengths


def _watch(
    lookouts: Lookouts,
    targets: list[Eye],
    lengths: FloatArray,
    obstacles: Obstacles,
    params: WindowsParams,
    feedback: Feedback,
) -> Watch:
    """Cast all lines of sight within the range, one place at a time."""
    if len(lookouts.points) * len(targets) > MAX_LINES:
        raise RefusedError(
            tr("These are {n:.0f} million lines.", n=len(lookouts.points) * len(targets) / 1e6),
            tr("Give a larger spacing, a shorter route or fewer facades."),
        )
    count = len(lookouts.lookouts)
    watch = Watch(
        np.zeros(count, dtype=np.intp),
        np.zeros(count),
        np.full(count, np.inf),
        np.full(count, -1, dtype=np.intp),
        np.full(count, -1, dtype=np.intp),
        np.zeros(len(lookouts.points), dtype=bool),
        np.zeros(len(targets), dtype=np.intp),
    )
    caster = obstacles.caster()
    for n, target in enumerate(targets):
        feedback.step(n, len(targets), tr("Looking from the windows"))
        distance = np.linalg.norm(lookouts.points - target.place, axis=1)
        near = np.flatnonzero(distance <= params.range)
        if len(near) == 0:
            continue
        eyes = lookouts.eyes_towards(near, target.place)
        free = near[~blocked(caster, eyes, target.place, feedback)]
        order = free[np.lexsort((free, distance[free], lookouts.lookout[free]))]
        who = lookouts.lookout[order]
        first = order[np.r_[True, who[1:] != who[:-1]]] if len(order) else order
        who = lookouts.lookout[first]
        watch.seen[free] = True
        watch.places[who] += 1
        watch.length[who] += lengths[n]
        watch.by_place[n] = len(who)
        nearer = distance[first] < watch.nearest[who]
        who, first = who[nearer], first[nearer]
        watch.nearest[who] = distance[first]
        watch.point[who], watch.place[who] = first, n
    return watch


def _ranked(watch: Watch) -> Indices:
    """Return the lookouts that see anything, those first that see most, then the nearest."""
    order = np.lexsort((np.arange(len(watch.places)), watch.nearest, -watch.length, -watch.places))
    ranked: Indices = order[watch.places[order] > 0]
    return ranked


def _rows(
    order: Indices, watch: Watch, lookouts: Lookouts, targets: list[Eye], layers: ObstacleLayers
) -> list[tuple[Any, ...]]:
    count = len(watch.places)
    whole = np.bincount(lookouts.lookout, lookouts.weight, minlength=count)
    seeing = np.bincount(lookouts.lookout, lookouts.weight * watch.seen, minlength=count)
    rows: list[tuple[Any, ...]] = []
    for rank, n in enumerate(order.tolist(), 1):
        one = lookouts.lookouts[n]
        place = lookouts.points[watch.point[n]]
        rise = place - targets[int(watch.place[n])].place
        elevation = float(np.degrees(np.arctan2(rise[2], np.hypot(rise[0], rise[1]))))
        rows.append(
            (rank, one.kind, one.entity, one.name, one.layer, one.storey)
            + tuple(layers.frame.project(place).tolist())
            + (int(watch.places[n]), float(watch.length[n]), float(watch.nearest[n]), elevation)
            + (float(seeing[n] / whole[n]),)
        )
    return rows


def _places(targets: list[Eye], lengths: FloatArray, watch: Watch) -> Table:
    """Return the places of the route with the number of lookouts that see each."""
    columns = ("place", "x", "y", "z", "length", "seen_by")
    rows = tuple(
        (n + 1, *target.point, float(lengths[n]), int(watch.by_place[n]))
        for n, target in enumerate(targets)
    )
    return Table(columns, rows, {"length": "m"})


def _layer(rows: list[tuple[Any, ...]], layers: ObstacleLayers) -> Layer:
    import geopandas as gpd
    import shapely

    points = shapely.points(np.array([row[6:9] for row in rows], dtype=np.float64))
    columns = {name: [row[n] for row in rows] for n, name in enumerate(COLUMNS[:6])}
    columns["length_seen"] = [row[10] for row in rows]
    crs = layers.frame.georeference.crs
    frame = gpd.GeoDataFrame(columns, geometry=points, crs=crs)
    style = LayerStyle(color="#D2441C", point_size=6.0)
    name = tr("Windows that see")
    return Layer("lookouts", name, LayerKind.VECTOR, VectorData(frame, True), crs, style=style)


def _figure(rows: list[tuple[Any, ...]], targets: list[Eye]) -> bytes:
    """Return a map of the route and of what sees it, larger where it sees more."""
    at = np.array([target.point for target in targets])
    colors = figure_colors()
    shown = {
        "window": (colors["categorical"][0], "o", tr("Windows")),
        "facade": (colors["categorical"][1], "s", tr("Facades")),
        "roof": (colors["categorical"][3], "^", tr("Roofs")),
    }

    route = tr("Route") if len(targets) > 1 else tr("Place")

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for kind, (color, mark, label) in shown.items():
            own = [row for row in rows if row[1] == kind]
            if own:
                size = np.array([row[9] for row in own], dtype=np.float64)
                axes.scatter(
                    [row[6] for row in own],
                    [row[7] for row in own],
                    s=8 + 40 * size / len(targets),
                    color=color,
                    marker=mark,
                    alpha=0.7,
                    lw=0,
                    label=label,
                )
        axes.plot(at[:, 0], at[:, 1], "-o", color=colors["hidden"], ms=3, label=route)
        axes.ticklabel_format(useOffset=False, style="plain")
        axes.tick_params(axis="x", rotation=30)
        axes.set_aspect("equal", adjustable="datalim")
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))

    return draw_figure(paint, (7.5, 5.5))
