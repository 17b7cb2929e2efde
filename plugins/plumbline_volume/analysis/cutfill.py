"""`volume.cutfill`: what was taken away and what was brought between two surfaces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Changes,
    Cover,
    Feedback,
    Heights,
    LayerRef,
    Params,
    Problem,
    Result,
    Scene,
    Table,
    Value,
    Volumes,
    changes_of,
    layer_base,
    region,
    tr,
    volumes_between,
)
from plumbline_volume.analysis.polygon import SURFACES, Area, CellSize, Classes, EmptyCells
from plumbline_volume.analysis.sheets import (
    coverage_notes,
    difference_layer,
    feet_note,
    histogram,
    level_notes,
    outside_note,
    overhang_note,
    refuse_nothing,
    unit_notes,
    zero_line,
)
from plumbline_volume.analysis.surfaces import Surface, make_cover, surface_of

if TYPE_CHECKING:
    import shapely

FloatArray = NDArray[np.float64]


class CutFillParams(Params):
    """What `volume.cutfill` can be asked."""

    before: Annotated[
        LayerRef,
        Field(
            title=N_("Before"),
            description=N_("The surface as it was; any kind."),
            json_schema_extra=SURFACES,
        ),
    ]
    after: Annotated[
        LayerRef,
        Field(
            title=N_("After"),
            description=N_("The surface as it is, or is planned; any kind."),
            json_schema_extra=SURFACES,
        ),
    ]
    polygon: Area = None
    cell_size: CellSize = None
    level_of_detection: Annotated[
        float,
        Field(
            ge=0,
            title=N_("Level of detection"),
            description=N_("Smaller changes count as none: how sure heights are, at 95 %."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.0
    empty: EmptyCells = "auto"
    classes: Classes = ()


@dataclass(frozen=True)
class Inputs:
    """Snapshot: both surfaces and the polygon."""

    before: Surface
    after: Surface
    polygon: shapely.Polygon | shapely.MultiPolygon | None


class CutFill(Analysis[CutFillParams]):
    """Cut and fill from one surface to another, with the level platform that balances them."""

    id = "volume.cutfill"
    version = "1"
    title = N_("Cut and fill")
    description = N_(
        "Volume taken away and brought between two surfaces, above a level of detection; the line "
        "of no change, and the height of a level platform on the first surface that balances cut "
        "and fill."
    )
    Params = CutFillParams

    def check(self, scene: Scene, params: CutFillParams) -> list[Problem]:
        if params.before == params.after:
            return [Problem("after", tr("Both surfaces are the same layer: nothing changes."))]
        return []

    def layers(self, params: CutFillParams) -> list[str]:
        return list(dict.fromkeys([params.before, params.after]))

    def prepare(self, scene: Scene, params: CutFillParams) -> Inputs:
        return Inputs(
            surface_of(scene, params.before, _classes_of(scene, params.before, params.classes)),
            surface_of(scene, params.after, _classes_of(scene, params.after, params.classes)),
            None if params.polygon is None else region(params.polygon),
        )

    def compute(self, inputs: Inputs, params: CutFillParams, feedback: Feedback) -> Result:
        both = [inputs.before, inputs.after]
        cover = make_cover(both, inputs.polygon, params.cell_size)
        before = inputs.before.heights(cover, feedback.part(0.0, 0.45), params.empty)
        after = inputs.after.heights(cover, feedback.part(0.45, 0.9), params.empty)
        found = volumes_between(cover, after, layer_base(before))
        refuse_nothing(found, both)
        changed = changes_of(found, params.level_of_detection)
        level, balanced = _balance(cover, before, found)
        lines = zero_line(cover, found.difference, inputs.before.georeference.crs)
        layers = {"difference": difference_layer(cover, found, inputs.before)}
        if lines is not None:
            layers["balance_line"] = lines
        return Result(
            values=_values(cover, found, changed, level, balanced),
            tables={"histogram": _histogram_table(found)},
            layers=layers,
            figures={"histogram": histogram(found, params.level_of_detection)},
            warnings=[
                *outside_note(cover, both),
                *coverage_notes(cover, found),
                *level_notes(both),
                *unit_notes(both),
                *feet_note(before.z, after.z),
                *overhang_note(inputs.before, cover, feedback),
                *overhang_note(inputs.after, cover, feedback),
            ],
            headline="net",
        )


def _classes_of(scene: Scene, layer_id: str, classes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the classes for a cloud; other surfaces have none."""
    return classes if scene[layer_id].kind == "pointcloud" else ()


def _balance(cover: Cover, before: Heights, found: Volumes) -> tuple[float, float]:
    """Return the height of the level platform that balances cut and fill, and what is moved.

    That is the mean height of the ground: as much lies above it as is missing below.
    """
    weight, z = found.weight, np.nan_to_num(before.z)
    level = float((weight * z).sum() / weight.sum())
    return level, float((weight * np.maximum(z - level, 0.0)).sum())


def _values(
    cover: Cover, found: Volumes, changed: Changes, level: float, balanced: float
) -> dict[str, Value]:
    return {
        "cut": Value(changed.cut, "m³", found.u_below),
        "fill": Value(changed.fill, "m³", found.u_above),
        "net": Value(changed.net, "m³", found.u_net),
        "error": Value(changed.error, "m³"),
        "unchanged_area": Value(changed.unchanged_area, "m²"),
        "cut_area": Value(changed.cut_area, "m²"),
        "fill_area": Value(changed.fill_area, "m²"),
        "area": Value(found.area, "m²"),
        "area_empty": Value(found.area_empty, "m²"),
        "balance_height": Value(level, "m"),
        "balance_volume": Value(balanced, "m³"),
        "cell_size": Value(cover.grid.dx * cover.grid.unit, "m"),
    }


def _histogram_table(found: Volumes) -> Table:
    """Return area by height difference in at most 200 steps of a round width."""
    known = np.isfinite(found.difference) & (found.weight > 0)
    d, weight = found.difference[known], found.weight[known]
    low, high = float(d.min()), float(d.max())
    step = max((high - low) / 100, 1e-6)
    power = 10.0 ** math.floor(math.log10(step))
    width = next(power * n for n in (1, 2, 5, 10) if power * n >= step * (1 - 1e-9))
    first, last = math.floor(low / width), math.floor(high / width)
    number = np.clip(np.floor(d / width).astype(np.int64), first, last) - first
    areas = np.bincount(number, weight, last - first + 1)
    rows = tuple(
        ((first + n) * width, (first + n + 1) * width, float(area)) for n, area in enumerate(areas)
    )
    return Table(("from", "to", "area"), rows, {"from": "m", "to": "m", "area": "m²"})
