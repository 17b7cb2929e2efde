"""`volume.polygon`: a surface over a base inside a polygon, for every base side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    VOLUME_BASES,
    Analysis,
    Base,
    Cover,
    Feedback,
    Heights,
    LayerRef,
    Params,
    Problem,
    RefusedError,
    Region,
    Result,
    Scene,
    Table,
    Value,
    Volumes,
    base_of,
    layer_base,
    region,
    tr,
    volumes_between,
)
from plumbline_volume.analysis.sheets import (
    coverage_notes,
    difference_layer,
    feet_note,
    grid_layer,
    histogram,
    level_notes,
    outside_note,
    overhang_note,
    refuse_nothing,
    unit_notes,
)
from plumbline_volume.analysis.surfaces import Surface, make_cover, surface_of

if TYPE_CHECKING:
    import shapely

FloatArray = NDArray[np.float64]

COLUMNS = ("base", "height", "above", "below", "net", "uncertainty")
UNITS = {"height": "m", "above": "m³", "below": "m³", "net": "m³", "uncertainty": "m³"}

#: Layers that have heights, for forms.
SURFACES: dict[str, Any] = {
    "widget": "layer",
    "kinds": ["raster", "mesh", "tiles", "bim", "pointcloud"],
}

EmptyCells = Annotated[
    Literal["auto", "leave", "interpolate"],
    Field(
        title=N_("Empty cells"),
        description=N_(
            "leave: they count nothing; interpolate: between measured cells; auto: clouds are "
            "interpolated up to 3 cells from a measured one, others are left."
        ),
    ),
]
CellSize = Annotated[
    float | None,
    Field(
        ge=0.001,
        title=N_("Cell size"),
        description=N_("The cells of the raster otherwise, or what suits the cloud or mesh."),
        json_schema_extra={"unit": "m"},
    ),
]
Area = Annotated[
    Region | None,
    Field(
        title=N_("Polygon"),
        description=N_("Where; the whole common extent otherwise."),
        json_schema_extra={"widget": "region"},
    ),
]
Classes = Annotated[
    tuple[int, ...],
    Field(
        title=N_("Point classes"),
        description=N_("Only points of these classes, e.g. 2 for ground; all otherwise."),
    ),
]


class PolygonParams(Params):
    """What `volume.polygon` can be asked."""

    surface: Annotated[
        LayerRef,
        Field(
            title=N_("Surface"),
            description=N_("Terrain, a mesh, a building model or a point cloud."),
            json_schema_extra=SURFACES,
        ),
    ]
    polygon: Area = None
    base: Annotated[
        str | None,
        Field(
            title=N_("Base"),
            description=N_(
                "constant, lowest, mean, plane (fitted to the rim), rim (TIN through the rim), or "
                "the id of a layer; constant where base_z is given, else rim."
            ),
        ),
    ] = None
    base_z: Annotated[
        float | None,
        Field(
            title=N_("Height of the base"),
            description=N_("Above the vertical datum, for a constant base."),
            json_schema_extra={"unit": "m"},
        ),
    ] = None
    cell_size: CellSize = None
    empty: EmptyCells = "auto"
    classes: Classes = ()
    height_bias: Annotated[
        float,
        Field(
            ge=0,
            title=N_("Common uncertainty of heights"),
            description=N_(
                "Standard uncertainty of all heights together against the base (instrument, "
                "georeference); added to the range."
            ),
            json_schema_extra={"unit": "m"},
        ),
    ] = 0.0

    @property
    def chosen(self) -> str:
        """The base that is asked for."""
        return self.base or ("rim" if self.base_z is None else "constant")


@dataclass(frozen=True)
class Inputs:
    """Snapshot: the surface, the layer it stands on, the polygon."""

    surface: Surface
    base: Surface | None
    polygon: shapely.Polygon | shapely.MultiPolygon | None

    @property
    def surfaces(self) -> list[Surface]:
        """All surfaces."""
        return [self.surface] if self.base is None else [self.surface, self.base]


class PolygonVolume(Analysis[PolygonParams]):
    """Volume between a surface and a base inside a polygon.

    Cells that the outline cuts count by the exact area of their part inside. `lowest` and `mean`
    are of the surface inside the polygon; `plane` and `rim` go through the cells along the outline.
    """

    id = "volume.polygon"
    version = "1"
    title = N_("Volume over a base")
    description = N_(
        "Volume above and below a base inside a polygon, with its range; the result for every base "
        "side by side, since the choice of base moves a volume more than anything else."
    )
    Params = PolygonParams

    def check(self, scene: Scene, params: PolygonParams) -> list[Problem]:
        if params.chosen == "constant" and params.base_z is None:
            return [Problem("base_z", tr("A constant base needs a height."))]
        return []

    def layers(self, params: PolygonParams) -> list[str]:
        return list(dict.fromkeys([params.surface, *self._base_layer(params)]))

    @staticmethod
    def _base_layer(params: PolygonParams) -> list[str]:
        return [] if params.chosen in VOLUME_BASES else [params.chosen]

    def prepare(self, scene: Scene, params: PolygonParams) -> Inputs:
        base = self._base_layer(params)
        return Inputs(
            surface_of(scene, params.surface, params.classes),
            surface_of(scene, base[0]) if base else None,
            None if params.polygon is None else region(params.polygon),
        )

    def compute(self, inputs: Inputs, params: PolygonParams, feedback: Feedback) -> Result:
        cover = make_cover(inputs.surfaces, inputs.polygon, params.cell_size)
        surface = inputs.surface.heights(cover, feedback.part(0.0, 0.6), params.empty)
        other = None
        if inputs.base is not None:
            other = inputs.base.heights(cover, feedback.part(0.6, 0.9), params.empty)
        table, (chosen, found), notes = _side_by_side(params, cover, surface, other)
        refuse_nothing(found, inputs.surfaces)
        warnings = [
            *outside_note(cover, inputs.surfaces),
            *coverage_notes(cover, found),
            *level_notes(inputs.surfaces),
            *unit_notes(inputs.surfaces),
            *([] if other is None else feet_note(surface.z, other.z)),
            *overhang_note(inputs.surface, cover, feedback.part(0.9, 1.0)),
            *notes,
        ]
        crs_layer = grid_layer(
            "base",
            tr("Base surface"),
            cover,
            np.where(found.weight > 0, chosen.z, np.nan),
            inputs.surface,
            N_("Height of the base"),
            heights=True,
        )
        return Result(
            values=_values(params, cover, found, chosen),
            tables={"bases": table},
            layers={
                "difference": difference_layer(cover, found, inputs.surface),
                "base": crs_layer,
            },
            figures={"histogram": histogram(found)},
            warnings=warnings,
            headline="net",
        )


def _side_by_side(
    params: PolygonParams, cover: Cover, surface: Heights, other: Heights | None
) -> tuple[Table, tuple[Base, Volumes], list[str]]:
    """Return the table of all bases, the one that is asked for, and why others cannot be made.

    One after another: each holds several arrays of all cells.

    Raises
    ------
    RefusedError
        If the base that is asked for cannot be made.
    """
    kinds = [kind for kind in VOLUME_BASES if kind != "constant" or params.base_z is not None]
    if other is not None:
        kinds.append(params.chosen)
    rows, notes = [], []
    chosen: tuple[Base, Volumes] | None = None
    for kind in kinds:
        try:
            if kind in VOLUME_BASES:
                base = base_of(kind, cover, surface, params.base_z)
            else:
                assert other is not None
                base = layer_base(other)
        except RefusedError as error:
            if kind == params.chosen:
                raise
            notes.append(f"{kind}: {error.message}")
            continue
        found = volumes_between(cover, surface, base)
        rows.append(_row(params, kind, base, found))
        if kind == params.chosen:
            chosen = base, found
        # Not two of them at a time: the next is made while these names still hold the last.
        del base, found
    assert chosen is not None
    return Table(COLUMNS, tuple(rows), UNITS), chosen, notes


def _half_width(params: PolygonParams, found: Volumes, u: float) -> float:
    """Return half of the 95 % range, with the uncertainty that all heights have in common."""
    return u + 2 * params.height_bias * (found.area + found.area_interpolated)


def _values(params: PolygonParams, cover: Cover, found: Volumes, base: Base) -> dict[str, Value]:
    u_net = _half_width(params, found, found.u_net)
    total = found.area + found.area_interpolated
    mean_base = float((found.weight * np.nan_to_num(base.z)).sum()) / total
    return {
        "above": Value(found.above, "m³", _half_width(params, found, found.u_above)),
        "below": Value(found.below, "m³", _half_width(params, found, found.u_below)),
        "net": Value(found.net, "m³", u_net),
        "uncertainty": Value(u_net, "m³"),
        "area": Value(found.area, "m²"),
        "area_empty": Value(found.area_empty, "m²"),
        "area_interpolated": Value(found.area_interpolated, "m²"),
        "mean_height": Value(found.mean_height, "m", u_net / total),
        "base": Value(params.chosen),
        "base_height": Value(mean_base, "m"),
        "cell_size": Value(cover.grid.dx * cover.grid.unit, "m"),
    }


def _row(params: PolygonParams, kind: str, base: Base, found: Volumes) -> tuple[object, ...]:
    total = max(found.area + found.area_interpolated, 1e-300)
    height = float((found.weight * np.nan_to_num(base.z)).sum()) / total
    spread = _half_width(params, found, found.u_net)
    return (kind, height, found.above, found.below, found.net, spread)
