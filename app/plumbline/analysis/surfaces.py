"""Layers that have one height at a place: what profiles, volumes and viewsheds stand on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.analysis.clearing import mask_of
from plumbline.core.data import FloatArray, MeshData, RasterData
from plumbline.core.errors import RefusedError
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.core.scene import Scene
from plumbline.core.tiles import TilesData
from plumbline.geometry.geodesy import crs_units
from plumbline.geometry.masking import standing_points
from plumbline.geometry.raycast import EmbreeCaster, heights_from_above
from plumbline.io.raster import sample_bilinear

if TYPE_CHECKING:
    import shapely


@dataclass(frozen=True)
class Surface:
    """A layer that has one height at a place: terrain, a mesh, tiles or a BIM model.

    A raster is bilinear between its cell centres; of meshes and BIM it is the first triangle that a
    plumb line from above meets, rooms not counted. What a scheme clears of a capture has no height.

    Attributes
    ----------
    mask : polygons, optional
        What the scheme clears from a capture; project CRS.
    clip, clip_height
        Where the scheme cuts (None) or levels (a height) the terrain; project CRS.
    """

    layer: str
    name: str
    data: RasterData | MeshData | TilesData
    georeference: Georeference
    mask: shapely.MultiPolygon | None = None
    clip: tuple[tuple[float, float], ...] = ()
    clip_height: float | None = None

    def heights(self, xy: FloatArray, feedback: Feedback | None = None) -> FloatArray:
        """Return heights ``(N,)`` in the unit of the project's z, NaN where there is none."""
        if isinstance(self.data, RasterData):
            metres = sample_bilinear(self.data, xy, feedback)
            return self._levelled(metres / crs_units(self.georeference.crs).vertical, xy)
        mesh = self.data if isinstance(self.data, MeshData) else self._cut(self.data, xy, feedback)
        caster = EmbreeCaster(mesh.vertices, shell(mesh))
        heights = heights_from_above(caster, xy, float(caster.high[2]) + 1.0, feedback)
        if self.mask is not None:
            heights[~standing_points(xy, self.mask)] = np.nan
        return heights

    def _levelled(self, heights: FloatArray, xy: FloatArray) -> FloatArray:
        if not self.clip:
            return heights
        import shapely

        polygon = shapely.Polygon(self.clip)
        shapely.prepare(polygon)
        level = np.nan if self.clip_height is None else self.clip_height
        levelled: FloatArray = np.where(shapely.contains_xy(polygon, *xy.T), level, heights)
        return levelled

    @staticmethod
    def _cut(data: TilesData, xy: FloatArray, feedback: Feedback | None) -> MeshData:
        """Return the tiles over places, as fine as they are."""
        if len(xy) == 0:
            return data.mesh((0.0, 0.0, 0.0, 0.0), feedback=feedback).mesh
        west, south = xy.min(axis=0)
        east, north = xy.max(axis=0)
        around = (float(west), float(south), float(east), float(north))
        return data.mesh(around, feedback=feedback).mesh


def shell(data: MeshData) -> NDArray[np.integer]:
    """Return the triangles of things that stand in the way; a room is air."""
    air = [n for n, element in enumerate(data.elements) if element.cls == "IfcSpace"]
    if data.element_index is None or not air:
        return data.triangles
    return data.triangles[~np.isin(data.element_index, air)]


def surface(scene: Scene, layer_id: str) -> Surface:
    """Return a layer as a surface.

    Raises
    ------
    RefusedError
        If the layer has no heights, or more than one at a place.
    """
    layer: Layer = scene[layer_id]
    data = layer.data
    if isinstance(data, RasterData) and data.role == "terrain":
        found = Surface(layer_id, layer.name, data, scene.georeference)
        scheme = scene.active_scheme
        if scheme is None or len(scheme.terrain_polygon) < 3:
            return found
        return replace(found, clip=scheme.terrain_polygon, clip_height=scheme.terrain_height)
    if isinstance(data, MeshData | TilesData):
        return Surface(layer_id, layer.name, data, scene.georeference, mask_of(scene, layer))
    raise RefusedError(
        tr("“{name}” gives no height: it is neither terrain nor a mesh.", name=layer.name),
        tr("Choose a GeoTIFF of heights, a mesh or a building model."),
    )
