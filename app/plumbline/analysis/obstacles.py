"""What stands in the way of light and of looks: layers as one set of triangles that know whose
they are.

`obstacle_layers` takes the snapshot on the scene's thread; `build_obstacles` belongs to a worker.
Meshes and building models come as they are (rooms are air), footprints extruded as their style
says, terrain as the triangles between its cell centres. What a scheme removes, clears or
flattens is removed, cleared and flattened here too. Coordinates are metres of a `Frame`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.analysis.clearing import mask_of
from plumbline.core.data import AnyArray, FloatArray, MeshData, RasterData, VectorData
from plumbline.core.entities import entity_ids, entity_name
from plumbline.core.errors import RefusedError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerStyle
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Scene
from plumbline.core.tiles import TilesData
from plumbline.geometry.frame import Frame
from plumbline.geometry.masking import cleared_mesh
from plumbline.geometry.polygons import Rings, rings_of, triangles_of_features, triangulate
from plumbline.geometry.raycast import EmbreeCaster
from plumbline.io.raster import read_grid, sample_bilinear

if TYPE_CHECKING:
    import shapely

#: Cells of terrain that become triangles; more are thinned, and that is said.
MAX_CELLS = 4_000_000

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ObstacleLayer:
    """A layer as it stands in a scheme.

    Attributes
    ----------
    hidden : frozenset of str
        Entities that the scheme removes.
    clip, clip_height
        Where the scheme cuts (None) or flattens (a height) the terrain; project CRS.
    mask : polygons, optional
        What the scheme clears from a capture; project CRS.
    """

    layer: Layer
    style: LayerStyle
    hidden: frozenset[str] = frozenset()
    clip: tuple[tuple[float, float], ...] = ()
    clip_height: float | None = None
    mask: shapely.MultiPolygon | None = None


@dataclass(frozen=True)
class ObstacleLayers:
    """Snapshot of obstacles: the layers, the ground under footprints, the metres around them."""

    frame: Frame
    layers: tuple[ObstacleLayer, ...]
    ground: ObstacleLayer | None = None

    def ground_heights(self, xy: FloatArray) -> FloatArray:
        """Return the terrain of the scheme at places ``(N, 2)`` of the project CRS.

        Metres above the vertical datum; NaN where there is no terrain.
        """
        if self.ground is None:
            return np.full(len(xy), np.nan)
        data = self.ground.layer.data
        assert isinstance(data, RasterData)
        metres = sample_bilinear(data, xy)
        if not self.ground.clip:
            return metres
        x, y = xy.T
        return _clipped(metres, x, y, self.ground, self.frame)


@dataclass(frozen=True)
class Obstacles:
    """Triangles with owners.

    Attributes
    ----------
    vertices : (N, 3) float64
        Metres of `frame`.
    triangles : (M, 3) int32
    owner : (M,) int32
        Index into `entities`.
    entities : tuple of EntityRef
        Whose triangles they are; the entity is empty where a layer names none.
    names : tuple of str
        What people call them, in the order of `entities`.
    lods : dict of str to str
        How each layer was taken, for provenance.
    """

    frame: Frame
    vertices: FloatArray
    triangles: NDArray[np.int32]
    owner: NDArray[np.int32]
    entities: tuple[EntityRef, ...]
    names: tuple[str, ...]
    lods: dict[str, str]
    warnings: tuple[str, ...] = ()

    def caster(self) -> EmbreeCaster:
        """Return a ray caster on these triangles; rays are in metres of `frame`."""
        return EmbreeCaster(self.vertices, self.triangles)

    @property
    def corners(self) -> FloatArray:
        """Corners ``(M, 3, 3)`` of the triangles."""
        corners: FloatArray = self.vertices[self.triangles]
        return corners


def obstacle_layers(
    scene: Scene, layer_ids: Sequence[str], without: Collection[str] = ()
) -> ObstacleLayers:
    """Return a snapshot of layers as obstacles, on the scene's thread.

    Parameters
    ----------
    layer_ids : sequence of str
        Meshes, building models, terrain, and vector layers with heights. Footprints without z and
        without a base stand on the first terrain among them, else at height 0.
    without : collection of str
        Classes of elements that let light through, e.g. ``IfcWindow``.

    Raises
    ------
    RefusedError
        If a layer cannot stand in the way, or the project CRS is in degrees.
    """
    frame = Frame.of(scene.georeference)
    layers = tuple(_snapshot(scene, scene[n], frozenset(without)) for n in dict.fromkeys(layer_ids))
    # Only terrain that the request names: another one may not be loaded where it is replayed.
    terrains = [one for one in layers if _is_terrain(one.layer)]
    return ObstacleLayers(frame, layers, terrains[0] if terrains else None)


def _is_terrain(layer: Layer) -> bool:
    return isinstance(layer.data, RasterData) and layer.data.role == "terrain"


def _is_laid(one: ObstacleLayer) -> bool:
    """Tell whether the height of a layer's features comes from the ground under them."""
    data = one.layer.data
    return isinstance(data, VectorData) and not data.has_z and not one.style.base


def _snapshot(scene: Scene, layer: Layer, without: frozenset[str]) -> ObstacleLayer:
    hidden = set(scene.hidden_entities(layer.id))
    data = layer.data
    if isinstance(data, MeshData):
        air = {*without, "IfcSpace", "IfcOpeningElement"}
        hidden |= {element.id for element in data.elements if element.cls in air}
    one = ObstacleLayer(layer, scene.style(layer.id), frozenset(hidden))
    scheme = scene.active_scheme
    if _is_terrain(layer):
        if scheme is None or len(scheme.terrain_polygon) < 3:
            return one
        return replace(one, clip=scheme.terrain_polygon, clip_height=scheme.terrain_height)
    solid = isinstance(data, VectorData) and (data.has_z or bool(one.style.extrude))
    if isinstance(data, MeshData | TilesData) or solid:
        return replace(one, mask=mask_of(scene, layer))
    raise RefusedError(
        tr("“{name}” cannot stand in the way: it has no surfaces.", name=layer.name),
        tr("Choose terrain, meshes, building models, or footprints with a height attribute."),
    )


def build_obstacles(
    given: ObstacleLayers,
    feedback: Feedback | None = None,
    around: Box | None = None,
    max_cells: int = MAX_CELLS,
) -> Obstacles:
    """Return the triangles of a snapshot; in a worker.

    Parameters
    ----------
    around : (xmin, ymin, xmax, ymax), optional
        Only this part of the terrain, project CRS; other layers come whole.
    max_cells : int
        Terrain of more cells is thinned, and a warning says so.
    """
    feedback = feedback or Feedback()
    parts: list[tuple[FloatArray, AnyArray]] = []
    entities: list[EntityRef] = []
    names: list[str] = []
    lods: dict[str, str] = {}
    warnings: list[str] = []
    for n, one in enumerate(given.layers):
        feedback.step(n, len(given.layers), tr("Preparing “{name}”", name=one.layer.name))
        corners, owner, lod = _triangles(given, one, around, max_cells)
        lods[one.layer.id] = lod
        if len(corners) == 0:
            warnings.append(tr("“{name}” has nothing that stands there.", name=one.layer.name))
        if lod.startswith("1:"):
            warnings.append(
                tr("“{name}” is thinned: {lod} of its cells.", name=one.layer.name, lod=lod)
            )
        elif lod.startswith("error"):
            warnings.append(
                tr("“{name}” is taken at a coarser level: {lod}.", name=one.layer.name, lod=lod)
            )
        if given.ground is None and _is_laid(one):
            warnings.append(
                tr(
                    "“{name}” stands at height 0: name terrain beside it to put it on the ground.",
                    name=one.layer.name,
                )
            )
        own = entity_ids(one.layer)
        whole = len(own)
        owner = np.where(owner < 0, whole, owner)
        used, owner = np.unique(owner, return_inverse=True)
        parts.append((corners, owner + len(entities)))
        for number in used.tolist():
            entity = own[number] if number < whole else ""
            entities.append(EntityRef(one.layer.id, entity))
            names.append(entity_name(one.layer, entity) if entity else one.layer.name)
    corners = np.concatenate([c for c, _ in parts]) if parts else np.empty((0, 3, 3))
    owner = np.concatenate([o for _, o in parts]) if parts else np.empty(0)
    return Obstacles(
        given.frame,
        corners.reshape(-1, 3),
        np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3),
        owner.astype(np.int32),
        tuple(entities),
        tuple(names),
        lods,
        tuple(warnings),
    )


def _triangles(
    given: ObstacleLayers, one: ObstacleLayer, around: Box | None, max_cells: int
) -> tuple[FloatArray, AnyArray, str]:
    """Return corners (M, 3, 3) in the frame, the entity number of each (-1 for none), the LoD."""
    data = one.layer.data
    lod = str(one.layer.metadata.get("lod") or "full")
    if isinstance(data, MeshData):
        if one.mask is not None:
            data = cleared_mesh(data, one.mask)
        owner: AnyArray = np.full(len(data.triangles), -1)
        if data.element_index is not None:
            owner = np.asarray(data.element_index)
        gone = np.array([element.id in one.hidden for element in data.elements] + [False])
        kept = ~gone[owner]
        return given.frame.local(data.vertices)[data.triangles[kept]], owner[kept], lod
    if isinstance(data, TilesData):
        cut = data.mesh(around)
        left = cut.mesh if one.mask is None else cleared_mesh(cut.mesh, one.mask)
        corners = given.frame.local(left.vertices)[left.triangles]
        # Of what is asked for the finest there is, unless that is too much.
        lod = "full" if cut.error == 0 else f"error ≤ {cut.error:.2f} m"
        return corners, np.full(len(corners), -1), lod
    if isinstance(data, RasterData):
        corners, lod = _terrain(given.frame, one, around, max_cells)
        return corners, np.full(len(corners), -1), lod
    assert isinstance(data, VectorData)
    corners, owner = _features(given, one)
    return given.frame.local(corners), owner, lod


# -- terrain ---------------------------------------------------------------------------------


def _terrain(
    frame: Frame, one: ObstacleLayer, around: Box | None, max_cells: int
) -> tuple[FloatArray, str]:
    data = one.layer.data
    assert isinstance(data, RasterData)
    heights, (a, _, c, _, e, f) = read_grid(data, max_cells, around)
    if min(heights.shape) < 2:
        return np.empty((0, 3, 3)), "full"
    rows, columns = heights.shape
    x = c + (np.arange(columns) + 0.5) * a
    y = f + (np.arange(rows) + 0.5) * e
    grid_x, grid_y = np.meshgrid(x, y)
    if one.clip:
        heights = _clipped(heights, grid_x, grid_y, one, frame)
    points = np.stack([grid_x, grid_y, heights / frame.scale[2]], axis=-1).reshape(-1, 3)
    index = np.arange(rows * columns).reshape(rows, columns)
    nw, ne, sw, se = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    cells = np.concatenate(
        [np.stack([nw, sw, ne], axis=-1).reshape(-1, 3), np.stack([ne, sw, se], -1).reshape(-1, 3)]
    )
    corners = frame.local(points)[cells]
    file_cell = abs(data.transform[0] * data.transform[4] - data.transform[1] * data.transform[3])
    thinned = abs(a * e) / file_cell if data.crs is None or data.target_crs is None else 1.0
    lod = "full" if thinned < 1.05 else f"1:{thinned:.0f}"
    return corners[np.isfinite(corners).all(axis=(1, 2))], lod


def _clipped(
    heights: FloatArray, x: FloatArray, y: FloatArray, one: ObstacleLayer, frame: Frame
) -> FloatArray:
    """Return heights with the scheme's polygon cut out or flattened; metres."""
    import shapely

    polygon = shapely.Polygon(one.clip)
    shapely.prepare(polygon)
    level = np.nan if one.clip_height is None else one.clip_height * frame.scale[2]
    result: FloatArray = np.where(shapely.contains_xy(polygon, x, y), level, heights)
    return result


# -- features --------------------------------------------------------------------------------


def _features(given: ObstacleLayers, one: ObstacleLayer) -> tuple[FloatArray, AnyArray]:
    """Return corners in the project CRS and the row of each feature."""
    data = one.layer.data
    assert isinstance(data, VectorData)
    geometry = data.features.geometry.to_numpy()
    labels = data.features.index.astype(str).to_numpy()
    empty = (data.features.geometry.is_empty | data.features.geometry.isna()).to_numpy()
    rows = np.flatnonzero(~empty & ~np.isin(labels, list(one.hidden)))
    if not one.style.extrude:
        corners, feature = triangles_of_features(geometry[rows])
        return corners, rows[feature]
    rings = rings_of(geometry[rows], rows)
    height = numbers_of(data, one.style.extrude) / given.frame.scale[2]
    tall = np.nan_to_num(height) > 0
    return _blocks(rings.take(tall[rings.feature]), height, _bases(given, one, rings))


def numbers_of(data: VectorData, column: str) -> FloatArray:
    """Return an attribute as numbers, NaN where it holds none or is not there."""
    import pandas as pd

    if not column or column not in data.features.columns:
        return np.full(len(data.features), np.nan)
    values = pd.to_numeric(data.features[column], errors="coerce")
    result: FloatArray = values.to_numpy(dtype=np.float64)
    return result


def _bases(given: ObstacleLayers, one: ObstacleLayer, rings: Rings) -> FloatArray:
    """Return the base of every feature: attribute, own lowest z, or the lowest ground around it."""
    data = one.layer.data
    assert isinstance(data, VectorData)
    stated = numbers_of(data, one.style.base) / given.frame.scale[2]
    z = rings.z if data.has_z else None
    if z is None and given.ground is not None and one.style.drape:
        z = given.ground_heights(rings.points) / given.frame.scale[2]
    lowest = np.full(len(data.features), np.inf)
    if z is not None:
        np.fmin.at(lowest, rings.point_feature, z)
    lowest[~np.isfinite(lowest)] = 0.0
    return np.where(np.isfinite(stated), stated, lowest)


def _blocks(rings: Rings, height: FloatArray, base: FloatArray) -> tuple[FloatArray, AnyArray]:
    """Return floors, roofs and walls of extruded outlines, and the feature of each triangle."""
    low = np.column_stack([rings.points, base[rings.point_feature]])
    high = np.column_stack([rings.points, (base + height)[rings.point_feature]])
    cells, feature = triangulate(rings)
    start, end = rings.segments()
    walls = [
        np.stack([low[start], low[end], high[end]], axis=1),
        np.stack([low[start], high[end], high[start]], axis=1),
    ]
    owner = rings.point_feature[start]
    corners = np.concatenate([high[cells], low[cells[:, ::-1]], *walls])
    return corners, np.concatenate([feature, feature, owner, owner])
