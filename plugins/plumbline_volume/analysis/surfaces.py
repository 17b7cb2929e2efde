"""Layers as surfaces on a grid: what every 2.5D volume of this plugin asks for.

`surface_of` takes the snapshot on the scene's thread; grids and heights belong to a worker. Rasters
keep their own cells where they can, meshes and building models are met by plumb lines from above,
clouds are gathered in batches. What a scheme removes, cuts or flattens is so here too. Heights on
grids are metres above the vertical datum, whatever the project CRS counts in.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.api import (
    CloudGrid,
    Cover,
    EmbreeCaster,
    Feedback,
    Georeference,
    Grid,
    Heights,
    Layer,
    MeshData,
    PointCloudData,
    RasterData,
    RefusedError,
    Scene,
    TiledCloud,
    TilesData,
    cleared_mesh,
    cover_of,
    crs_units,
    fill_gaps,
    heights_from_above,
    mask_of,
    raster_heights,
    read_grid,
    sample_bilinear,
    sampled_heights,
    standing,
    standing_points,
    tr,
)

if TYPE_CHECKING:
    import shapely

FloatArray = NDArray[np.float64]
Box = tuple[float, float, float, float]

#: Cells that are summed at a time.
MAX_CELLS = 16_000_000
#: Points of a cloud that are gathered at a time.
BATCH = 250_000
#: Points of a cloud from which its density is taken.
SAMPLE = 200_000
#: One of so many points of a tiled cloud is looked at for its density.
THIN = 16
#: Cells across a mesh, or points in a cell of a cloud, where no cell size is given.
CELLS_ACROSS, POINTS_PER_CELL = 300, 4.0
#: Empty cells of a cloud are interpolated up to this many cells from a measured one.
REACH = 3.0
#: Classes of elements that are air.
AIR = ("IfcSpace", "IfcOpeningElement")


@dataclass(frozen=True)
class Surface:
    """A layer with one height at a place, as it stands in a scheme.

    Attributes
    ----------
    hidden : frozenset of str
        Entities that the scheme removes.
    clip, clip_height
        Where the scheme cuts (None) or flattens (a height) the terrain; project CRS.
    mask : polygons, optional
        What the scheme clears from a capture; project CRS.
    classes : tuple of int
        Only points of these classes; all without.
    """

    layer: Layer
    georeference: Georeference
    hidden: frozenset[str] = frozenset()
    clip: tuple[tuple[float, float], ...] = ()
    clip_height: float | None = None
    mask: shapely.MultiPolygon | None = None
    classes: tuple[int, ...] = ()
    #: What was read of tiles, by box: they are asked twice.
    _cuts: dict[Box, tuple[MeshData, float]] = field(default_factory=dict, compare=False)

    @property
    def unit(self) -> float:
        """Metres per unit of x and y."""
        return metres_per_unit(self.georeference)

    @property
    def factor(self) -> float:
        """Metres per unit of z of meshes and clouds."""
        return crs_units(self.georeference.crs).vertical

    @property
    def box(self) -> Box:
        """``(xmin, ymin, xmax, ymax)`` of the layer, project CRS."""
        bounds = self.layer.bounds
        if bounds is None:
            raise RefusedError(
                tr("“{name}” has no extent.", name=self.layer.name), tr("Choose another layer.")
            )
        return (bounds.xmin, bounds.ymin, bounds.xmax, bounds.ymax)

    def heights(self, cover: Cover, feedback: Feedback, empty: str = "auto") -> Heights:
        """Return the surface on a grid.

        Parameters
        ----------
        empty : str
            What to do with cells without a height: ``leave``, ``interpolate``, or ``auto``, which
            interpolates clouds up to `REACH` cells from a measured one and leaves the others.
        """
        data = self.layer.data
        if isinstance(data, RasterData):
            found = self._raster(data, cover, feedback)
        elif isinstance(data, PointCloudData):
            found = self._cloud(data, cover, feedback)
        else:
            found = self._mesh(cover, feedback)
        if empty == "interpolate":
            return fill_gaps(found, cover, None)
        if empty == "auto" and isinstance(data, PointCloudData):
            return self._bare(fill_gaps(found, cover, REACH), cover)
        return found

    def _bare(self, heights: Heights, cover: Cover) -> Heights:
        """Return heights without those that were interpolated into what a scheme clears."""
        if self.mask is None:
            return heights
        gone = ~standing_points(cover.places(), self.mask).reshape(heights.z.shape)
        gone &= heights.known == 0
        return replace(
            heights,
            z=np.where(gone, np.nan, heights.z),
            u=np.where(gone, np.nan, heights.u),
        )

    def _raster(self, data: RasterData, cover: Cover, feedback: Feedback) -> Heights:
        own = own_cells(data, cover.grid)
        if own is not None:
            return raster_heights(self._clipped(own, cover), cover)
        a, b, _, d, e, _ = data.transform
        cell = math.sqrt(abs(a * e - b * d))
        count = math.ceil(cover.grid.dx / cell) ** 2 if not _warped(data) else 4

        def sample(places: FloatArray) -> FloatArray:
            return sample_bilinear(data, places, feedback)

        found = sampled_heights(sample, cover, feedback, int(np.clip(count, 1, 64)))
        scatter = raster_heights(found.z, cover).u
        return replace(found, z=self._clipped(found.z, cover), u=np.fmax(found.u, scatter))

    def _clipped(self, z: FloatArray, cover: Cover) -> FloatArray:
        if not self.clip:
            return z
        import shapely

        polygon = shapely.Polygon(self.clip)
        level = math.nan if self.clip_height is None else self.clip_height * self.factor
        x, y = cover.places().T
        within = shapely.contains_xy(polygon, x, y).reshape(z.shape)
        clipped: FloatArray = np.where(within, level, z)
        return clipped

    def _mesh(self, cover: Cover, feedback: Feedback) -> Heights:
        feedback.step(0, 1, tr("Preparing “{name}”", name=self.layer.name))
        caster = self.caster(cover, feedback)
        if caster is None:
            nothing = np.full(cover.share.shape, np.nan)
            return Heights(nothing, nothing, np.zeros(cover.share.shape))
        ceiling, factor = float(caster.high[2]) + 1.0, self.factor

        def sample(places: FloatArray) -> FloatArray:
            return heights_from_above(caster, places, ceiling, feedback) * factor

        return sampled_heights(sample, cover, feedback)

    def caster(self, cover: Cover, feedback: Feedback) -> EmbreeCaster | None:
        """Return a ray caster on the triangles around a grid; None for other layers, or none."""
        data = self.layer.data
        if isinstance(data, TilesData):
            data = self._cut(data, cover.grid.box, feedback)[0]
        if not isinstance(data, MeshData):
            return None
        if self.mask is not None:
            data = cleared_mesh(data, self.mask)
        triangles = data.triangles
        if data.element_index is not None:
            gone = np.array([e.id in self.hidden or e.cls in AIR for e in data.elements] + [False])
            triangles = triangles[~gone[data.element_index]]
        return EmbreeCaster(data.vertices, triangles) if len(triangles) else None

    def _cut(self, data: TilesData, box: Box, feedback: Feedback) -> tuple[MeshData, float]:
        """Return the tiles in a box, as fine as they are, and how coarse that is, metres."""
        if box not in self._cuts:
            cut = data.mesh(box, feedback=feedback)
            self._cuts[box] = (cut.mesh, cut.error)
        return self._cuts[box]

    @property
    def coarseness(self) -> float:
        """Error of the tiles that were read, metres; 0 where they were the finest."""
        return max((error for _, error in self._cuts.values()), default=0.0)

    def _cloud(self, data: PointCloudData, cover: Cover, feedback: Feedback) -> Heights:
        bounds = data.bounds
        reference = 0.0 if bounds is None else (bounds.zmin + bounds.zmax) / 2 * self.factor
        gathered = CloudGrid(cover, reference, self.factor)
        text = tr("Gathering the points of “{name}”", name=self.layer.name)
        seen, count = 0, data.counts["points"]
        for points, classes in data.blocks(BATCH, cover.grid.box):
            feedback.step(seen, count, text)
            seen += len(points)
            if self.classes and classes is not None:
                points = points[np.isin(classes, self.classes)]
            gathered.add(points)
        return gathered.heights()

    def cell_size(self, box: Box) -> float:
        """Return the size of cells that suits the layer in a box, metres."""
        data = self.layer.data
        if isinstance(data, RasterData):
            a, b, _, d, e, _ = data.transform
            if not _warped(data):
                return math.sqrt(abs(a * e - b * d)) * self.unit
            _, (a, _, _, _, e, _) = read_grid(data, MAX_CELLS, box)
            return math.sqrt(abs(a * e)) * self.unit
        width, height = (box[2] - box[0]) * self.unit, (box[3] - box[1]) * self.unit
        if not isinstance(data, PointCloudData):
            return max(max(width, height) / CELLS_ACROSS, 1e-3)
        size = math.sqrt(POINTS_PER_CELL / max(_density(data, self.unit, box), 1e-9))
        return max(size, math.sqrt(width * height / MAX_CELLS) * 1.001, 1e-3)


def surface_of(scene: Scene, layer_id: str, classes: Sequence[int] = ()) -> Surface:
    """Return a layer as a surface; on the scene's thread.

    Raises
    ------
    RefusedError
        If the layer has no heights, or the project CRS is in degrees.
    """
    layer = scene[layer_id]
    data = layer.data
    metres_per_unit(scene.georeference)
    terrain = isinstance(data, RasterData) and data.role == "terrain"
    if not terrain and not isinstance(data, MeshData | TilesData | PointCloudData):
        raise RefusedError(
            tr("“{name}” gives no heights.", name=layer.name),
            tr("Choose a GeoTIFF of heights, a mesh, a building model or a point cloud."),
        )
    if classes and (
        not isinstance(data, PointCloudData) or "classification" not in data.attribute_names
    ):
        raise RefusedError(
            tr("“{name}” has no classes of points.", name=layer.name),
            tr("Choose a classified point cloud, or leave the classes out."),
        )
    hidden = frozenset(scene.hidden_entities(layer_id))
    found = Surface(
        standing(scene, layer), scene.georeference, hidden,
        mask=mask_of(scene, layer), classes=tuple(classes),
    )  # fmt: skip
    scheme = scene.active_scheme
    if terrain and scheme is not None and len(scheme.terrain_polygon) >= 3:
        return replace(found, clip=scheme.terrain_polygon, clip_height=scheme.terrain_height)
    return found


def _classified(data: object) -> bool:
    """Tell whether points have classes; a cloud in its file is looked at in its first block."""
    if not isinstance(data, PointCloudData):
        return False
    return any(found is not None for _, found in itertools.islice(data.blocks(1), 1))


def metres_per_unit(georeference: Georeference) -> float:
    """Return metres per unit of x and y.

    Raises
    ------
    RefusedError
        If they are degrees.
    """
    unit = crs_units(georeference.crs).horizontal
    if unit is None:
        raise RefusedError(
            tr("The project CRS is in degrees: this needs metres."),
            tr("Set a projected project CRS, e.g. EPSG:4549."),
        )
    return unit


def _density(data: PointCloudData, unit: float, box: Box) -> float:
    """Return points per m² of what the cloud covers; of a tiled cloud in a box only.

    What it covers is counted in cells that hold some twenty of the points looked at.
    """
    if isinstance(data, TiledCloud):
        data = _thinned(data, box)
    bounds, total = data.bounds, data.counts["points"]
    if bounds is None:
        return 1.0
    step = max(1, total // SAMPLE)
    points = np.concatenate([block[::step, :2] for block, _ in data.blocks(BATCH)])
    low = bounds.low[:2]
    span = np.maximum(bounds.high[:2] - low, 1e-9)
    across = max(1, int(math.sqrt(len(points) / 20)))
    places = points[np.isfinite(points).all(axis=1)]
    cells = np.clip(((places - low) / span * across).astype(np.int64), 0, across - 1)
    covered = len(np.unique(cells[:, 0] * across + cells[:, 1])) / across**2
    return total / (covered * float(np.prod(span)) * unit**2)


def _thinned(data: TiledCloud, box: Box) -> PointCloudData:
    """Return a few points of a region as often as there are points, for counting."""
    blocks = [block[::THIN] for block, _ in data.blocks(BATCH, box)]
    points = np.concatenate([np.empty((0, 3)), *blocks])
    inside = PointCloudData(points).within(box).points
    return PointCloudData(np.repeat(inside, THIN, axis=0))


def _warped(data: RasterData) -> bool:
    """Tell whether a raster is read through another grid than its own."""
    a, b, _, d, e, _ = data.transform
    foreign = data.crs is not None and data.target_crs is not None
    return (foreign and data.crs != data.target_crs) or b != 0 or d != 0 or e > 0 or a < 0


# -- grids -------------------------------------------------------------------------------------


def make_cover(
    surfaces: Sequence[Surface],
    polygon: shapely.Polygon | None,
    cell_size: float | None,
) -> Cover:
    """Return the grid of an analysis and what of it lies in the polygon.

    A raster among the surfaces gives its own cells unless another size is asked for; the first one
    does. Without a polygon the grid covers what is common to all surfaces.

    Raises
    ------
    RefusedError
        If the surfaces have nothing in common, or there are too many cells.
    """
    box = common_box(surfaces)
    if polygon is not None:
        box = (
            *(max(a, b) for a, b in zip(box[:2], polygon.bounds[:2], strict=True)),
            *(min(a, b) for a, b in zip(box[2:], polygon.bounds[2:], strict=True)),
        )
    if box[0] >= box[2] or box[1] >= box[3]:
        raise RefusedError(
            tr("The polygon lies outside of the surface.")
            if polygon is not None
            else tr("The surfaces have no place in common."),
            tr("Check the polygon and the CRS of the layers."),
        )
    grid = _own_grid(surfaces, box, cell_size)
    if grid is None:
        size = cell_size or max(one.cell_size(box) for one in surfaces)
        unit = surfaces[0].unit
        around = box if polygon is None else _whole_cells(box, polygon.bounds, size / unit)
        grid = Grid.over(around, size, unit)
    return cover_of(grid, polygon)


def _whole_cells(box: Box, anchor: Box, size: float) -> Box:
    """Return the cells around a box that are counted from the north-west corner of another."""
    left = anchor[0] + math.floor((box[0] - anchor[0]) / size) * size
    top = anchor[3] - math.floor((anchor[3] - box[3]) / size) * size
    right = min(anchor[2], left + math.ceil((box[2] - left) / size) * size)
    low = max(anchor[1], top - math.ceil((top - box[1]) / size) * size)
    return (left, low, right, top)


def common_box(surfaces: Sequence[Surface]) -> Box:
    """Return ``(xmin, ymin, xmax, ymax)`` of what is common to surfaces; may be inside out."""
    boxes = np.array([one.box for one in surfaces])
    low, high = boxes[:, :2].max(axis=0), boxes[:, 2:].min(axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _own_grid(surfaces: Sequence[Surface], box: Box, cell_size: float | None) -> Grid | None:
    """Return the cells of the first raster that meet a box, None where others are asked for."""
    for one in surfaces:
        data = one.layer.data
        if not isinstance(data, RasterData):
            continue
        size = one.cell_size(box)
        if cell_size is not None and abs(cell_size / size - 1) > 1e-6:
            return None
        count = (box[2] - box[0]) * (box[3] - box[1]) * one.unit**2 / size**2
        if count > MAX_CELLS:
            raise RefusedError(
                tr("The polygon holds {n:.0f} million cells of the surface.", n=count / 1e6),
                tr("Give a larger cell_size or a smaller polygon."),
            )
        return _cells_of(data, box, one.unit)
    return None


def _cells_of(data: RasterData, box: Box, unit: float) -> Grid:
    """Return the cells of a raster that meet a box."""
    a, _, c, _, e, f = data.transform
    if not _warped(data):
        left, top = max(0, math.floor((box[0] - c) / a + 1e-9)), (box[3] - f) / e
        right = min(data.width, math.ceil((box[2] - c) / a - 1e-9))
        above, below = max(0, math.floor(top + 1e-9)), math.ceil((box[1] - f) / e - 1e-9)
        rows = min(data.height, below) - above
        return Grid(c + left * a, f + above * e, a, -e, rows, right - left, unit)
    heights, (a, _, c, _, e, f) = read_grid(data, 2 * MAX_CELLS, box)
    return Grid(c, f, a, -e, heights.shape[0], heights.shape[1], unit)


def own_cells(data: RasterData, grid: Grid) -> FloatArray | None:
    """Return the heights of a raster on a grid of its own cells, NaN outside; None on another."""
    left, low, right, top = grid.box
    shrink = 1e-6 * min(grid.dx, grid.dy)
    box = (left + shrink, low + shrink, right - shrink, top - shrink)
    heights, (a, _, c, _, e, f) = read_grid(data, 2 * MAX_CELLS, box)
    z = np.full(grid.shape, np.nan)
    if heights.size == 0:
        return z
    column, row = (c - grid.xmin) / grid.dx, (grid.ymax - f) / grid.dy
    same = max(abs(a / grid.dx - 1), abs(-e / grid.dy - 1)) * max(grid.shape) < 1e-3
    if not same or abs(column - round(column)) > 1e-3 or abs(row - round(row)) > 1e-3:
        return None
    top_row, left_column = round(row), round(column)
    rows, columns = heights.shape
    z[top_row : top_row + rows, left_column : left_column + columns] = heights
    return z
