"""How tall a site may be built so that every protected window keeps its sun.

For every window a stretch of the day is chosen in which its sun shall stay; the rays of that
stretch, from both ends of its sill, are a roof over the site that nothing may pierce. Whatever
stays below all roofs keeps every window legal, so the envelope is sufficient. It is not the only
one: with other stretches other envelopes are legal too. Stretches are chosen to leave the largest
volume, window after window and then once more around; a limit holds for the whole square of a
cell, taken at its nearest point. Both err to the side of the windows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    LIFT,
    N_,
    Analysis,
    Band,
    Feedback,
    GridData,
    Layer,
    LayerKind,
    LayerStyle,
    MeshData,
    Obstacles,
    Problem,
    RefusedError,
    Region,
    Result,
    Scene,
    SunlightRule,
    Table,
    Value,
    build_obstacles,
    region,
    tr,
)
from plumbline_sunlight.analysis.envelope_figures import envelope_figure
from plumbline_sunlight.analysis.judging import FAIL, WindowSun, judge, stretches
from plumbline_sunlight.analysis.openings import openings
from plumbline_sunlight.analysis.packs import band_of, rule_provenance, rule_warnings
from plumbline_sunlight.analysis.roofs import Roof, Site, chosen_roofs
from plumbline_sunlight.analysis.window_tables import Clockwork
from plumbline_sunlight.analysis.windows import WindowInputs, Windows, WindowsParams

FloatArray = NDArray[np.float64]
Affine6 = tuple[float, float, float, float, float, float]

#: Cells of a site.
MAX_CELLS = 250_000


class EnvelopeParams(WindowsParams):
    """What `sunlight.envelope` can be asked."""

    site: Annotated[Region, Field(title=N_("Site"), description=N_("Land that is to be built on."))]
    cell_size: Annotated[
        float,
        Field(
            gt=0,
            le=50,
            title=N_("Cell size"),
            description=N_("Side of the squares that have one height each."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 2.0
    max_height: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            title=N_("Greatest height"),
            description=N_("Above the ground, where no window limits it."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 100.0
    storey_height: Annotated[
        float,
        Field(
            gt=1,
            le=20,
            title=N_("Storey height"),
            description=N_("For the floor area: whole storeys below the limit count."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 3.0
    ground_z: Annotated[
        float | None,
        Field(
            title=N_("Ground level"),
            description=N_("In the project CRS; the terrain's otherwise."),
        ),
    ] = None
    clear_site: Annotated[
        bool,
        Field(
            title=N_("Clear the site"),
            description=N_("What stands on the site now is taken away first, terrain excepted."),
        ),
    ] = True
    already_failing: Annotated[
        Literal["keep", "ignore"],
        Field(
            title=N_("Windows that fail already"),
            description=N_("They keep all the sun that they have now, or are left out."),
        ),
    ] = "keep"


@dataclass(frozen=True)
class Cells:
    """The squares of a site.

    Attributes
    ----------
    transform, shape
        Of the raster, project CRS.
    index : (N,) intp
        Flat indices of the cells whose middles lie on the site.
    ground : (N,) float64
        Metres of the frame.
    """

    transform: Affine6
    shape: tuple[int, int]
    index: NDArray[np.intp]
    middles: FloatArray
    ground: FloatArray
    size: float

    def raster(self, values: FloatArray) -> FloatArray:
        """Return values of cells on the raster, NaN outside of the site."""
        flat = np.full(self.shape[0] * self.shape[1], np.nan)
        flat[self.index] = values
        return flat.reshape(self.shape)


class Envelope(Analysis[EnvelopeParams]):
    """Tallest heights over a site that keep every protected window legal.

    Sufficient, not necessary: see the module and the manual. A window that passes keeps the rule's
    hours and its tolerance, so that its verdict stays clear.
    """

    id = "sunlight.envelope"
    version = "1"
    title = N_("Sunlight envelope")
    description = N_(
        "The tallest buildable height over every cell of a site that keeps every protected window "
        "legal, as raster and solid, with the floor area and plot ratio that it allows."
    )
    Params = EnvelopeParams

    def layers(self, params: EnvelopeParams) -> list[str]:
        return Windows().layers(params)

    def check(self, scene: Scene, params: EnvelopeParams) -> list[Problem]:
        return Windows().check(scene, params)

    def prepare(self, scene: Scene, params: EnvelopeParams) -> WindowInputs:
        region(params.site)
        return Windows().prepare(scene, params)

    def compute(self, inputs: WindowInputs, params: EnvelopeParams, feedback: Feedback) -> Result:
        rule, band = inputs.rule, band_of(inputs.rule, params)
        given = openings(inputs.windows, rule.sill_height, feedback.part(0.0, 0.1))
        cells = _cells(inputs, params)
        obstacles = build_obstacles(inputs.obstacles, feedback.part(0.1, 0.2))
        cleared = 0
        if params.clear_site:
            obstacles, cleared = _cleared(obstacles, params)
        windows = judge(given, rule, band, obstacles, feedback.part(0.2, 0.5))
        site = Site(cells.middles, cells.size, cells.ground, params.max_height)
        protected = [w for w in windows if w.margin is not None]
        if params.already_failing == "ignore":
            protected = [w for w in protected if w.verdict != FAIL]
        roofs = chosen_roofs(
            site,
            protected,
            [_ends(w, rule) for w in protected],
            rule,
            obstacles.frame,
            feedback.part(0.5, 0.95),
        )
        return _result(inputs, params, band, cells, windows, protected, roofs, obstacles, cleared)


def _ends(window: WindowSun, rule: SunlightRule) -> FloatArray:
    """Return the ends of the stretch of sill that counts, lifted as the engine lifts them."""
    opening = window.opening
    assert opening.outward is not None
    offsets, pairs = stretches(opening.width, rule)
    middle = [(offsets[a] + offsets[b]) / 2 for a, b in pairs]
    a, b = pairs[int(np.argmin(np.abs(np.array(middle) - window.offset)))]
    points = np.array([opening.at(float(offsets[n])) for n in dict.fromkeys((a, b))])
    points[:, :2] += LIFT * np.array(opening.outward)
    return points


def _cells(inputs: WindowInputs, params: EnvelopeParams) -> Cells:
    import shapely

    frame = inputs.obstacles.frame
    shape = region(params.site)
    step = params.cell_size / frame.scale[0]
    xmin, ymin, xmax, ymax = shape.bounds
    x0, y1 = math.floor(xmin / step) * step, math.ceil(ymax / step) * step
    columns, rows = math.ceil((xmax - x0) / step), math.ceil((y1 - ymin) / step)
    if rows * columns > 4 * MAX_CELLS:
        raise RefusedError(
            tr("The site has {n:.1f} million cells.", n=rows * columns / 1e6),
            tr("Choose a smaller site or larger cells."),
        )
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    xy = np.column_stack([x0 + (column.ravel() + 0.5) * step, y1 - (row.ravel() + 0.5) * step])
    index = np.flatnonzero(shapely.contains_xy(shape, xy[:, 0], xy[:, 1]))
    if len(index) == 0 or len(index) > MAX_CELLS:
        raise RefusedError(
            tr("The site has {n} cells.", n=len(index)),
            tr("Choose another site or other cells."),
        )
    if params.ground_z is not None:
        ground = np.full(len(index), params.ground_z * frame.scale[2])
    else:
        ground = inputs.obstacles.ground_heights(xy[index])
    if not np.isfinite(ground).all():
        raise RefusedError(
            tr("There is no terrain under all of the site."),
            tr("State the ground level, or add terrain."),
        )
    level = frame.local_height(ground)
    middles = frame.local(np.column_stack([xy[index], np.zeros(len(index))]))[:, :2]
    transform = (step, 0.0, x0, 0.0, -step, y1)
    return Cells(transform, (rows, columns), index, middles, level, params.cell_size)


def _cleared(obstacles: Obstacles, params: EnvelopeParams) -> tuple[Obstacles, int]:
    """Return obstacles without the entities whose middle lies on the site, and how many went."""
    from dataclasses import replace

    import shapely

    shape = region(params.site)
    middles = obstacles.frame.project(obstacles.corners.mean(axis=1))
    count = np.maximum(np.bincount(obstacles.owner, minlength=len(obstacles.entities)), 1)
    x, y = (
        np.bincount(obstacles.owner, middles[:, n], minlength=len(obstacles.entities)) / count
        for n in (0, 1)
    )
    # A layer without entities is ground or a whole city: it stays.
    named = np.array([bool(one.entity) for one in obstacles.entities], dtype=np.bool_)
    gone = named & shapely.contains_xy(shape, x, y)
    keep = ~gone[obstacles.owner]
    kept = replace(obstacles, triangles=obstacles.triangles[keep], owner=obstacles.owner[keep])
    return kept, int(gone.sum())


# -- what comes out ------------------------------------------------------------------------------


def _result(
    inputs: WindowInputs,
    params: EnvelopeParams,
    band: Band,
    cells: Cells,
    windows: Sequence[WindowSun],
    protected: Sequence[WindowSun],
    roofs: Sequence[Roof],
    obstacles: Obstacles,
    cleared: int,
) -> Result:
    frame, crs = obstacles.frame, obstacles.frame.georeference.crs
    limits = np.array([roof.top for roof in roofs]).reshape(-1, len(cells.index))
    free = cells.ground + params.max_height
    tops = np.minimum(limits.min(axis=0, initial=np.inf), free)
    height = np.maximum(tops - cells.ground, 0.0)
    binding = np.where(tops < free - 1e-9, limits.argmin(axis=0) if len(roofs) else 0, len(roofs))
    area = cells.size**2
    site_area = float(region(params.site).area) * frame.scale[0] ** 2
    floors = np.floor(height / params.storey_height + 1e-9)
    values = {
        "far": Value(float(floors.sum() * area / site_area)),
        "floor_area": Value(float(floors.sum() * area), "m²"),
        "volume": Value(float(height.sum() * area), "m³"),
        "site_area": Value(site_area, "m²"),
        "height_max": Value(float(height.max()), "m"),
        "height_mean": Value(float(height.mean()), "m"),
        "height_min": Value(float(height.min()), "m"),
        "limited_share": Value(float(100 * (binding < len(roofs)).mean()), "%"),
        "windows": Value(len(windows)),
        "protected": Value(len(protected)),
        "limiting": Value(len(set(binding.tolist()) - {len(roofs)})),
        "failing_already": Value(sum(w.verdict == FAIL for w in windows)),
        "cleared": Value(cleared),
        "rule": Value(inputs.rule.name),
        "day": Value(band.day.isoformat()),
    }
    clock = Clockwork.of(frame, protected, params.timezone) if protected else None
    rows = [
        (
            *(w.opening.id, w.hours, w.verdict, roof.free / 60.0, roof.kept / 60.0),
            *(clock.civil(t) if clock and t is not None else "" for t in roof.span),
            int((binding == n).sum()),
        )
        for n, (w, roof) in enumerate(zip(protected, roofs, strict=True))
    ]
    warnings = [*inputs.warnings, *rule_warnings(inputs.rule, params), *obstacles.warnings]
    warnings += _warnings(windows, params)
    heights = cells.raster(height)
    layers = {
        "height": Layer(
            "height",
            tr("Buildable height"),
            LayerKind.RASTER,
            GridData(heights, cells.transform, N_("Buildable height"), "m"),
            crs,
            style=LayerStyle(palette="viridis"),
        ),
    }
    if (height > 0).any():
        mesh = solid(cells, cells.ground, cells.ground + height)
        layers["solid"] = Layer(
            "solid",
            tr("Sunlight envelope"),
            LayerKind.MESH,
            MeshData(frame.project(mesh[0]), mesh[1]),
            crs,
            style=LayerStyle(color="#F2B02E", color_by="solid"),
        )
    return Result(
        values=values,
        tables={"windows": Table(COLUMNS, tuple(rows), UNITS)},
        layers=layers,
        figures={"height": envelope_figure(heights, cells.transform, params.site)},
        warnings=warnings,
        headline="far",
        provenance=rule_provenance(inputs.rule),
    )


COLUMNS = ("id", "hours", "verdict", "free", "kept", "kept_from", "kept_to", "cells")
UNITS = {"hours": "h", "free": "min", "kept": "min"}


def _warnings(windows: Sequence[WindowSun], params: EnvelopeParams) -> list[str]:
    found = [
        tr(
            "The floor area fills the whole envelope: density, setbacks and spacing come on top of "
            "sunlight."
        )
    ]
    failing = sum(w.verdict == FAIL for w in windows)
    if failing and params.already_failing == "keep":
        found.append(
            tr("{n} windows fail already: they keep all the sun that they have.", n=failing)
        )
    elif failing:
        found.append(tr("{n} windows fail already and are left out.", n=failing))
    unknown = sum(w.margin is None for w in windows)
    if unknown:
        found.append(tr("{n} windows have no clear outside and are not protected.", n=unknown))
    return found


def solid(
    cells: Cells, bottom: FloatArray, top: FloatArray
) -> tuple[FloatArray, NDArray[np.int32]]:
    """Return vertices and triangles of prisms on cells: tops, bottoms and the walls between."""
    chosen = np.flatnonzero(top > bottom)
    half = cells.size / 2
    corner = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
    plan = cells.middles[chosen][:, None, :] + corner[None]
    low = np.broadcast_to(bottom[chosen][:, None], plan.shape[:2])
    high = np.broadcast_to(top[chosen][:, None], plan.shape[:2])
    vertices = np.concatenate([np.dstack([plan, low]), np.dstack([plan, high])], axis=1).reshape(
        -1, 3
    )
    box = [(0, 2, 1), (0, 3, 2), (4, 5, 6), (4, 6, 7)]
    for a in range(4):
        b = (a + 1) % 4
        box += [(a, b, b + 4), (a, b + 4, a + 4)]
    triangles = (np.arange(len(chosen)) * 8)[:, None, None] + np.array(box)[None]
    return vertices, triangles.reshape(-1, 3).astype(np.int32)
