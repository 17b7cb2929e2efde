"""Where measured points were picked, and how sure that makes them.

A point that was picked in a layer is known to the layer's resolution (spacing of a cloud, edges of
a photogrammetric mesh, cells of a raster; footprints and building models are exact by
construction), and as well as the survey that made the layer, where its accuracy is stated. Typed
points are as sure as whoever typed them: their uncertainty is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from plumbline.core.data import (
    BimData,
    FloatArray,
    GridData,
    MeshData,
    PointCloudData,
    RasterData,
)
from plumbline.core.i18n import N_, tr
from plumbline.core.layer import Layer
from plumbline.core.scene import Scene
from plumbline.geometry.geodesy import crs_units
from plumbline.geometry.uncertainty import resolution_sigma

#: Edges of a mesh that are looked at for its resolution.
_EDGES = 200_000


class PickedPoint(BaseModel):
    """How one point was found; an empty layer means that it was typed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str = ""
    snap: Literal["", "face", "vertex", "edge", "midpoint", "perpendicular", "feature", "point"] = (
        ""
    )


#: One entry for each point of a measurement, in their order; empty when all were typed.
PickedPoints: TypeAlias = Annotated[
    tuple[PickedPoint, ...],
    Field(
        title=N_("Picked from"),
        description=N_("Layer and snap of each point; the uncertainty follows from them."),
        json_schema_extra={"widget": "hidden"},
    ),
]


@dataclass(frozen=True)
class Certainty:
    """Standard uncertainties of points, metres for each coordinate; NaN where unknown."""

    sigma: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether every point's uncertainty is known."""
        return len(self.sigma) > 0 and bool(np.isfinite(self.sigma).all())


def picked_layers(picked: Sequence[PickedPoint]) -> list[str]:
    """Return the ids of the layers that points were picked in."""
    return list(dict.fromkeys(p.layer for p in picked if p.layer))


def certainty(scene: Scene, picked: Sequence[PickedPoint], count: int) -> Certainty:
    """Return how sure the points of a measurement are; on the scene's thread.

    Parameters
    ----------
    count : int
        Points of the measurement; where `picked` says another number, nothing is known.
    """
    if len(picked) != count:
        return Certainty(np.full(count, np.nan))
    known: dict[str, tuple[float, str]] = {
        n: _sigma(scene, scene[n]) for n in picked_layers(picked)
    }
    sigma = np.array([known[p.layer][0] if p.layer else math.nan for p in picked])
    return Certainty(sigma, tuple(note for _, note in known.values() if note))


def _sigma(scene: Scene, layer: Layer) -> tuple[float, str]:
    """Return the standard uncertainty of a point of a layer, metres, and what it leaves out."""
    fine = resolution(layer) * (crs_units(scene.georeference.crs).horizontal or math.nan)
    if math.isnan(fine):
        return math.nan, tr("The project CRS is in degrees: the uncertainty is unknown.")
    stated = layer.metadata.get("accuracy")
    if isinstance(stated, int | float) and not isinstance(stated, bool) and stated > 0:
        return math.hypot(resolution_sigma(fine), float(stated)), ""
    if fine == 0:
        # Exact as drawn; how well it was surveyed nobody says, and that is not 0.
        return math.nan, ""
    note = tr(
        "“{name}” states no accuracy: the uncertainty holds its resolution of {size:.3f} m only.",
        name=layer.name,
        size=fine,
    )
    return resolution_sigma(fine), note


def with_resolution(scene: Scene, provenance: dict[str, Any]) -> dict[str, Any]:
    """Return a provenance whose inputs say how fine they are: ``resolution``, metres.

    What is exact as drawn has none.
    """
    metres = crs_units(scene.georeference.crs).horizontal or math.nan
    inputs = []
    for row in provenance.get("inputs") or ():
        fine = resolution(scene[row["id"]]) * metres if row.get("id") in scene else 0.0
        inputs.append({**row, "resolution": fine if fine > 0 else None})
    return {**provenance, "inputs": inputs}


def resolution(layer: Layer) -> float:
    """Return the resolution of a layer in the unit of x and y: spacing, edge or cell; 0 if exact.

    The spacing of a cloud is that of as many points spread evenly over its box; of a mesh it is
    the median length of its edges.
    """
    data = layer.data
    if isinstance(data, PointCloudData):
        box = data.bounds
        if box is None:
            return 0.0
        return math.sqrt((box.xmax - box.xmin) * (box.ymax - box.ymin) / data.counts["points"])
    if isinstance(data, RasterData | GridData):
        a, b, _, d, e, _ = data.transform
        return math.sqrt(abs(a * e - b * d))
    if isinstance(data, MeshData) and not isinstance(data, BimData) and not data.elements:
        if len(data.triangles) == 0:
            return 0.0
        step = max(1, len(data.triangles) // _EDGES)
        corners = data.vertices[data.triangles[::step]]
        return float(np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)))
    return 0.0
