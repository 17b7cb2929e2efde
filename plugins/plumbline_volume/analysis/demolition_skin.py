"""What a survey saw of a building from above: samples of its roof, and of the ground around it.

Clouds give their own points, meshes and rasters are asked on a lattice. Coordinates are metres of
a `Frame`. Points well below their neighbours are walls and what lies under roofs: a roof that is
seen from above has no such points, and they are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from plumbline.api import (
    EmbreeCaster,
    Feedback,
    Frame,
    Layer,
    MeshData,
    PointCloudData,
    RasterData,
    RefusedError,
    Scene,
    cleared_mesh,
    crs_units,
    heights_from_above,
    mask_of,
    sample_bilinear,
    shell,
    standing,
    tr,
)
from plumbline_volume.analysis.demolition_overhangs import Underside

FloatArray = NDArray[np.float64]
Kind = Literal["cloud", "mesh", "raster"]

#: Classes of points (ASPRS) by what they are.
GROUND, BUILDING = (2,), (6,)
VEGETATION = (3, 4, 5)
#: No things that stand: noise, water, bridge decks, wires.
NOTHING = (7, 9, 17, 18)
#: Points of a cloud that may be in one request; some arrays of this size are in memory.
MAX_POINTS = 60_000_000
#: Edge of the squares by which points are found again, metres.
SQUARE = 8.0
#: A point lower than the median of its nearest neighbours by more is no roof, metres.
DROP = 0.8
NEIGHBOURS = 8
#: Places across a building on which meshes and rasters are asked.
LATTICE, FINEST = 60, 0.1


@dataclass(frozen=True)
class Survey:
    """Snapshot of the layer that saw the buildings."""

    layer: Layer
    frame: Frame
    #: What the scheme clears from a capture; project CRS.
    mask: Any = None


@dataclass
class Skin:
    """Samples of a surface, metres of the frame.

    Attributes
    ----------
    spacing : float
        Mean distance of samples, metres.
    points, classes
        Of a cloud, those near the area; classes are None where it has none.
    underside
        Of a mesh, its faces for looking at them from below.
    """

    kind: Kind
    frame: Frame
    spacing: float
    points: FloatArray = field(default_factory=lambda: np.empty((0, 3)))
    classes: NDArray[np.uint8] | None = None
    data: RasterData | MeshData | None = None
    caster: EmbreeCaster | None = None
    underside: Underside | None = None
    _order: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    _keys: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def near(self, box: tuple[float, float, float, float]) -> NDArray[np.intp]:
        """Return the points of a cloud in the squares that a box meets."""
        low, high = (np.floor(np.array(box[k : k + 2]) / SQUARE).astype(np.int64) for k in (0, 2))
        found = []
        for column in range(low[0], high[0] + 1):
            first = np.searchsorted(self._keys, _key(column, low[1]))
            last = np.searchsorted(self._keys, _key(column, high[1]), side="right")
            found.append(self._order[first:last])
        return np.concatenate(found) if found else np.empty(0, np.intp)

    def inside(self, shape: Any, classes: tuple[int, ...] | None = None) -> FloatArray:
        """Return the samples in a polygon; of a cloud with classes only those of `classes`."""
        if shape.is_empty:
            return np.empty((0, 3))
        if self.kind != "cloud":
            return self.sampled(places_in(shape, lattice_step(shape)))
        index = self.near(shape.bounds)
        if classes is not None and self.classes is not None:
            index = index[np.isin(self.classes[index], classes)]
        points = self.points[index]
        shapely.prepare(shape)
        within: FloatArray = points[shapely.contains_xy(shape, points[:, 0], points[:, 1])]
        return within

    def sampled(self, xy: FloatArray) -> FloatArray:
        """Return places of a mesh or a raster with their heights; those without are left out."""
        if self.caster is not None:
            z = heights_from_above(self.caster, xy, float(self.caster.high[2]) + 1.0)
        else:
            assert isinstance(self.data, RasterData)
            absolute = self.frame.project(np.column_stack([xy, np.zeros(len(xy))]))[:, :2]
            z = self.frame.local_height(sample_bilinear(self.data, absolute))
        points = np.column_stack([xy, z])
        return points[np.isfinite(z)]


def _key(column: int, row: int) -> int:
    return (int(column) + (1 << 30)) * (1 << 31) + int(row) + (1 << 30)


def survey_of(scene: Scene, layer_id: str, frame: Frame) -> Survey:
    """Return the snapshot of a survey; on the scene's thread.

    Raises
    ------
    RefusedError
        If the layer saw nothing from above.
    """
    layer = scene[layer_id]
    data = layer.data
    terrain = isinstance(data, RasterData) and data.role == "terrain"
    if not terrain and not isinstance(data, MeshData | PointCloudData):
        raise RefusedError(
            tr("“{name}” gives no heights.", name=layer.name),
            tr("Choose a GeoTIFF of heights, a mesh, a building model or a point cloud."),
        )
    return Survey(standing(scene, layer), frame, mask_of(scene, layer))


def skin_of(survey: Survey, around: Any, feedback: Feedback) -> Skin:
    """Return the samples of a survey in a polygon of the frame; in a worker.

    Raises
    ------
    RefusedError
        If there are none, or more than `MAX_POINTS`.
    """
    data, frame = survey.layer.data, survey.frame
    if isinstance(data, PointCloudData):
        return _cloud(survey, data, around, feedback)
    if isinstance(data, MeshData):
        if survey.mask is not None:
            data = cleared_mesh(data, survey.mask)
        vertices = frame.local(data.vertices)
        faces = shell(data)
        caster = EmbreeCaster(vertices, faces)
        edge = vertices[data.triangles[:: max(1, len(data.triangles) // 20_000)]]
        spacing = float(np.median(np.linalg.norm(edge[:, 1, :2] - edge[:, 0, :2], axis=1)))
        # Surveys are open below, with normals towards the camera.
        underside = Underside(vertices[faces], outward=True)
        return Skin("mesh", frame, spacing, data=data, caster=caster, underside=underside)
    assert isinstance(data, RasterData)
    a, b, _, d, e, _ = data.transform
    unit = crs_units(frame.georeference.crs).horizontal or 1.0
    return Skin("raster", frame, math.sqrt(abs(a * e - b * d)) * unit, data=data)


def _cloud(survey: Survey, data: PointCloudData, around: Any, feedback: Feedback) -> Skin:
    feedback.step(0, 3, tr("Gathering the points of “{name}”", name=survey.layer.name))
    x0, y0, x1, y1 = around.bounds
    corners = survey.frame.project(np.array([[x0, y0, 0.0], [x1, y1, 0.0]]))
    near = data.within((*corners[0, :2].tolist(), *corners[1, :2].tolist()))
    if len(near.points) > MAX_POINTS:
        raise RefusedError(
            tr("The area holds {n:.0f} million points.", n=len(near.points) / 1e6),
            tr("Choose a smaller area, or thin the cloud."),
        )
    if len(near.points) == 0:
        raise RefusedError(
            tr("“{name}” has no points in the area.", name=survey.layer.name),
            tr("Check the area and the CRS of the cloud."),
        )
    points = survey.frame.local(near.points)
    classes = near.attributes.get("classification")
    chosen = None if classes is None else np.asarray(classes)
    if chosen is not None:
        kept = ~np.isin(chosen, NOTHING)
        points, chosen = points[kept], chosen[kept]
        # A cloud in which nothing is classified has classes in name only.
        chosen = chosen if np.isin(chosen, (*GROUND, *BUILDING)).any() else None
    feedback.step(1, 3)
    cell = np.floor(points[:, :2] / SQUARE).astype(np.int64)
    keys = (cell[:, 0] + (1 << 30)) * (1 << 31) + cell[:, 1] + (1 << 30)
    order = np.argsort(keys, kind="stable")
    squares = len(np.unique(keys))
    spacing = math.sqrt(squares * SQUARE**2 / max(len(points), 1))
    return Skin("cloud", survey.frame, spacing, points, chosen, _order=order, _keys=keys[order])


def lattice_step(shape: Any) -> float:
    """Return the step of the lattice on which a building is looked at, metres."""
    return max(math.sqrt(shape.area) / LATTICE, FINEST)


def places_in(shape: Any, step: float) -> FloatArray:
    """Return the places ``(N, 2)`` of a square lattice in a polygon."""
    x0, y0, x1, y1 = shape.bounds
    x, y = np.arange(x0 + step / 2, x1, step), np.arange(y0 + step / 2, y1, step)
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    shapely.prepare(shape)
    within: FloatArray = places[shapely.contains_xy(shape, places[:, 0], places[:, 1])]
    return within


def without_walls(points: FloatArray) -> FloatArray:
    """Return the points of a roof without those on walls and under it.

    A point is left out that lies more than `DROP` below the median of its nearest neighbours on
    the map; twice, since wall points hide behind each other.
    """
    from scipy.spatial import cKDTree

    for _ in range(2):
        if len(points) <= NEIGHBOURS:
            return points
        _, index = cKDTree(points[:, :2]).query(points[:, :2], k=NEIGHBOURS + 1)
        middle = np.median(points[index[:, 1:], 2], axis=1)
        points = points[points[:, 2] > middle - DROP]
    return points
