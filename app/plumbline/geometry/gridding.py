"""Surfaces as grids inside a polygon: what every 2.5D volume is summed over.

A `Grid` says where cells lie, a `Cover` how much of each lies in a polygon (exactly), and `Heights`
what a surface is in each: mean height, its standard uncertainty, and how much of the cell has one.
Rasters come as they are (`raster_heights`); what gives heights at places is asked at many of each
cell (`sampled_heights`); clouds are gathered by `plumbline.geometry.cloud_grid`. Nothing here knows
a layer or a file; heights on grids are metres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.errors import RefusedError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.geometry.lines import grid_crossings

if TYPE_CHECKING:
    import shapely

#: Cells of one grid: some arrays of this size are in memory at a time.
MAX_CELLS = 16_000_000
#: Shares of a cell nearer to 0 or 1 than this are rounding.
_ROUNDING = 1e-7
#: Places that are asked where nobody says how many in a cell.
_BUDGET = 2_000_000
#: Places of one batch.
_PLACES = 1_000_000


@dataclass(frozen=True)
class Grid:
    """Cells north up, in the project CRS.

    Attributes
    ----------
    xmin, ymax : float
        Corner of the first cell.
    dx, dy : float
        Size of a cell in the unit of the project CRS, both positive.
    unit : float
        Metres per unit of x and y.
    """

    xmin: float
    ymax: float
    dx: float
    dy: float
    rows: int
    columns: int
    unit: float = 1.0

    @classmethod
    def over(
        cls, box: tuple[float, float, float, float], cell_size: float, unit: float = 1.0
    ) -> Grid:
        """Return the grid of square cells that begins at the north-west corner of a box.

        Parameters
        ----------
        box : (xmin, ymin, xmax, ymax)
            Project CRS.
        cell_size : float
            Metres.

        Raises
        ------
        RefusedError
            If there would be more than `MAX_CELLS` cells.
        """
        size = cell_size / unit
        # A width that is a whole number of cells but for rounding is that number.
        across, down = (
            max(1.0, float(np.ceil(span / size - 1e-6)))
            for span in (box[2] - box[0], box[3] - box[1])
        )
        if not across * down <= MAX_CELLS:
            raise RefusedError(
                tr(
                    "These are {n:.0f} million cells; at most {most:.0f} million are summed.",
                    n=across * down / 1e6,
                    most=MAX_CELLS / 1e6,
                ),
                tr("Give a larger cell_size or a smaller polygon."),
            )
        rows, columns = int(down), int(across)
        return cls(box[0], box[3], size, size, rows, columns, unit)

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine transform from (column, row) of cell corners to the project CRS."""
        return (self.dx, 0.0, self.xmin, 0.0, -self.dy, self.ymax)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """``(xmin, ymin, xmax, ymax)`` in the project CRS."""
        low, right = self.ymax - self.rows * self.dy, self.xmin + self.columns * self.dx
        return (self.xmin, low, right, self.ymax)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.rows, self.columns)

    @property
    def cell_area(self) -> float:
        """Area of a cell, m²."""
        return self.dx * self.dy * self.unit**2

    def centres(self, cells: NDArray[np.integer[Any]] | None = None) -> FloatArray:
        """Return centres ``(N, 2)`` of cells given by their flat index, of all otherwise."""
        index = np.arange(self.rows * self.columns) if cells is None else cells
        row, column = np.divmod(index, self.columns)
        x = self.xmin + (column + 0.5) * self.dx
        y = self.ymax - (row + 0.5) * self.dy
        return np.column_stack([x, y])

    def boxes(self, cells: NDArray[np.integer[Any]]) -> AnyArray:
        """Return cells, given by their flat index, as shapely boxes."""
        import shapely

        x, y = self.centres(cells).T
        dx, dy = self.dx / 2, self.dy / 2
        boxes: AnyArray = shapely.box(x - dx, y - dy, x + dx, y + dy)
        return boxes


@dataclass(frozen=True)
class Cover:
    """How much of each cell of a grid lies in a polygon.

    Attributes
    ----------
    share : (rows, columns) float64
        0 to 1, exact.
    border : (B,) intp
        Flat index of the cells that the outline cuts, increasing.
    middles : (B, 2) float64
        Centroid of the part inside of each of them, project CRS.
    polygon : shapely geometry or None
        Project CRS; None for the whole grid.
    outside : float
        Area of the polygon outside of the grid, m².
    """

    grid: Grid
    share: FloatArray
    border: NDArray[np.intp]
    middles: FloatArray
    polygon: shapely.Polygon | shapely.MultiPolygon | None = None
    outside: float = 0.0

    @property
    def areas(self) -> FloatArray:
        """Area ``(rows, columns)`` of each cell inside the polygon, m²."""
        areas: FloatArray = self.share * self.grid.cell_area
        return areas

    @property
    def area(self) -> float:
        """Area of the polygon, also of what lies outside of the grid, m²."""
        return float(self.share.sum()) * self.grid.cell_area + self.outside

    def places(self, cells: NDArray[np.integer[Any]] | None = None) -> FloatArray:
        """Return the middle ``(N, 2)`` of the part inside of cells given by their flat index."""
        index = np.arange(self.share.size) if cells is None else np.asarray(cells)
        places = self.grid.centres(index)
        if len(self.border):
            slot = np.minimum(np.searchsorted(self.border, index), len(self.border) - 1)
            cut = self.border[slot] == index
            places[cut] = self.middles[slot[cut]]
        return places

    def rows_of_box(self) -> tuple[slice, slice]:
        """Return the rows and columns around the cells that have a share."""
        rows, columns = (np.flatnonzero(self.share.any(axis=axis)) for axis in (1, 0))
        if len(rows) == 0:
            return slice(0, 0), slice(0, 0)
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def cover_of(grid: Grid, polygon: shapely.Polygon | shapely.MultiPolygon | None = None) -> Cover:
    """Return how much of each cell lies in a polygon, exactly.

    Every side of the outline adds its signed area to the cells that it passes and to all cells
    right of them, as in the scan conversion of outline fonts; one running sum then gives all.

    Parameters
    ----------
    polygon : shapely.Polygon or shapely.MultiPolygon, optional
        Valid, project CRS, holes allowed; all cells count whole without one.
    """
    import shapely

    if polygon is None:
        return Cover(grid, np.ones(grid.shape), np.empty(0, np.intp), np.empty((0, 2)))
    inside = shapely.intersection(polygon, shapely.box(*grid.box))
    outside = max(0.0, polygon.area - inside.area) * grid.unit**2
    sums = np.zeros((grid.rows, grid.columns + 2))
    parts = [part for part in shapely.get_parts(inside) if part.geom_type == "Polygon"]
    for ring in shapely.get_rings(shapely.orient_polygons(np.array(parts, dtype=object))):
        points = shapely.get_coordinates(ring) - (grid.xmin, grid.ymax)
        _add_ring(sums, points / (grid.dx, -grid.dy))
    share = np.abs(np.cumsum(sums, axis=1)[:, : grid.columns])
    share[share < _ROUNDING] = 0.0
    share[share > 1 - _ROUNDING] = 1.0
    border = np.flatnonzero((share > 0) & (share < 1))
    pieces = shapely.intersection(grid.boxes(border), inside)
    middles = shapely.get_coordinates(shapely.centroid(pieces))
    if len(middles) < len(border):  # rounding left nothing of a sliver
        middles = grid.centres(border)
    shapely.prepare(polygon)
    return Cover(grid, share, border, middles, polygon, outside)


def _add_ring(sums: FloatArray, points: FloatArray) -> None:
    """Add the signed areas of a closed ring ``(N, 2)`` in cells (column, row)."""
    pieces = []
    for start, end in pairwise(points):
        cuts = start + grid_crossings(start, end)[:, None] * (end - start)
        pieces.append(np.hstack([cuts[:-1], cuts[1:]]))
    x0, y0, x1, y1 = np.concatenate(pieces).T
    column = np.clip(np.floor((x0 + x1) / 2).astype(np.intp), 0, sums.shape[1] - 2)
    row = np.clip(np.floor((y0 + y1) / 2).astype(np.intp), 0, sums.shape[0] - 1)
    right = (x0 + x1) / 2 - column
    np.add.at(sums, (row, column), (y1 - y0) * (1 - right))
    np.add.at(sums, (row, column + 1), (y1 - y0) * right)


@dataclass(frozen=True)
class Heights:
    """A surface on a grid.

    Attributes
    ----------
    z : (rows, columns) float64
        Mean height in the part of the cell that is inside, metres; NaN where unknown.
    u : (rows, columns) float64
        Standard uncertainty of `z` from sampling, independent between cells, metres; where
        neighbours were interpolated, enlarged by what the cell lends to them. NaN as `z`.
    known : (rows, columns) float64
        How much of the part inside has a height, 0 to 1; 0 in interpolated cells.
    common : float or (rows, columns) float64
        Standard uncertainty that is the same error in all cells, metres.
    samples : int
        Places of a cell that were asked, 0 where `known` is exact.
    """

    z: FloatArray
    u: FloatArray
    known: FloatArray
    common: FloatArray | float = 0.0
    samples: int = 0

    @property
    def interpolated(self) -> NDArray[np.bool_]:
        """Cells whose height was not measured but taken from their neighbours."""
        taken: NDArray[np.bool_] = np.isfinite(self.z) & (self.known == 0)
        return taken

    @property
    def weight(self) -> FloatArray:
        """How much of the part inside counts: what is known, all of an interpolated cell."""
        weight: FloatArray = np.where(self.interpolated, 1.0, self.known)
        return weight


# -- rasters -----------------------------------------------------------------------------------


def raster_heights(z: FloatArray, cover: Cover) -> Heights:
    """Return cells of a raster as heights; their uncertainty is how they scatter.

    The residual r of a cell against the mean of its k neighbours, in pairs to the north and south
    or east and west, has the variance ``u² (1 + 1/k)`` where cells err independently: `u` is taken
    from it, cell by cell. On a slope r is 0; at an edge it says how badly a cell knows where the
    edge runs. Cells without a pair of neighbours take the root mean square of the others.

    Parameters
    ----------
    z : (rows, columns) float64
        Metres, NaN where unknown; on the grid of `cover`.
    """
    around, count = neighbours(z)
    with np.errstate(invalid="ignore", divide="ignore"):
        u = np.abs(z - around) / np.sqrt(1 + 1 / count)
    alone = np.isfinite(z) & (count == 0)
    if alone.any():
        u[alone] = np.sqrt(np.nanmean(u**2)) if np.isfinite(u).any() else 0.0
    known = (np.isfinite(z) & (cover.share > 0)).astype(np.float64)
    return Heights(np.where(cover.share > 0, z, np.nan), u, known)


def neighbours(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean of the neighbours of each cell and their count: 0, 2 or 4.

    Only opposite neighbours that are both known count, so that a slope leaves no residual; NaN
    where there is no such pair.
    """
    wide = np.pad(z, 1, constant_values=np.nan)
    total, count = np.zeros(z.shape), np.zeros(z.shape)
    for one, two in (
        (wide[:-2, 1:-1], wide[2:, 1:-1]),
        (wide[1:-1, :-2], wide[1:-1, 2:]),
    ):
        pair = one + two
        both = np.isfinite(pair) & np.isfinite(z)
        total[both] += pair[both]
        count[both] += 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / count, count


# -- surfaces that are asked at places ---------------------------------------------------------

#: Heights in metres at places ``(N, 2)`` of the project CRS, NaN where there are none.
Sample = Callable[[FloatArray], FloatArray]


def sampled_heights(
    sample: Sample, cover: Cover, feedback: Feedback | None = None, count: int | None = None
) -> Heights:
    """Return a surface that gives heights at places, such as a mesh met by plumb lines.

    Each cell has 4 to 64 places on a rank-1 lattice (Korobov 1959; golden ratio), shifted by a
    number of its own (Cranley and Patterson 1976), so that no wall runs along them. In cells on the
    outline those inside the polygon count.

    Parameters
    ----------
    count : int, optional
        Places in a cell.
    """
    feedback = feedback or Feedback()
    cells = np.flatnonzero(cover.share > 0)
    size = cover.share.size
    if count is None:
        count = int(np.clip(_BUDGET // max(len(cells), 1), 4, 64))
    mean, u, known = np.full(size, np.nan), np.full(size, np.nan), np.zeros(size)
    step = max(1, _PLACES // count)
    for start in range(0, len(cells), step):
        feedback.step(start, len(cells), tr("Meeting the surface from above"))
        part = cells[start : start + step]
        places = _lattice(cover.grid, part, count)
        inside = _inside(cover, part, places)
        z = sample(places.reshape(-1, 2)).reshape(inside.shape)
        mean[part], u[part], known[part] = _statistics(np.where(inside, z, np.nan), inside)
    shape = cover.grid.shape
    return Heights(mean.reshape(shape), u.reshape(shape), known.reshape(shape), samples=count)


def _lattice(grid: Grid, cells: NDArray[np.intp], count: int) -> FloatArray:
    """Return places ``(N, count, 2)`` in cells."""
    golden = (np.sqrt(5) - 1) / 2
    steps = np.arange(count)
    # Fractions of multiples of irrational numbers: even over many cells, no two rows alike.
    shift_x, shift_y = (cells * np.sqrt(2)) % 1.0, (cells * np.sqrt(3)) % 1.0
    x = ((steps + 0.5) / count + shift_x[:, None]) % 1.0
    y = (steps * golden + shift_y[:, None]) % 1.0
    corner = grid.centres(cells) - (grid.dx / 2, grid.dy / 2)
    places: FloatArray = corner[:, None] + np.stack([x * grid.dx, y * grid.dy], axis=-1)
    return places


def _inside(cover: Cover, cells: NDArray[np.intp], places: FloatArray) -> NDArray[np.bool_]:
    """Tell which places ``(N, count)`` count; where the polygon leaves none of a cell, all do."""
    import shapely

    inside = np.ones(places.shape[:2], dtype=bool)
    cut = np.flatnonzero(np.isin(cells, cover.border, assume_unique=True))
    if len(cut):
        within = shapely.contains_xy(cover.polygon, places[cut, :, 0], places[cut, :, 1])
        inside[cut] = within | ~within.any(axis=1, keepdims=True)
    return inside


def _statistics(
    z: FloatArray, inside: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean, its standard uncertainty and the share of hits of each row of samples."""
    hits = np.isfinite(z)
    n = hits.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(hits, z, 0.0).sum(axis=1) / n
        scatter = np.where(hits, z - mean[:, None], 0.0)
        u = np.sqrt((scatter**2).sum(axis=1) / np.maximum(n - 1, 1) / n)
    return mean, u, n / inside.sum(axis=1)


# -- gaps --------------------------------------------------------------------------------------


def fill_gaps(heights: Heights, cover: Cover, reach: float | None = 3.0) -> Heights:
    """Return heights whose empty cells are interpolated linearly between measured ones.

    Between the cells around a gap the surface is the TIN of their heights. The uncertainty of an
    interpolated cell is the root mean square of what that misses at measured cells: how they stand
    off the mean of their neighbours. What a measured cell lends to interpolated ones errs with it;
    its `u` is enlarged by that.

    Parameters
    ----------
    reach : float, optional
        Cells farther than this many cells from a measured one stay empty; None for no limit.
        Near ones outside the convex hull of all take the height of the nearest.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt

    known = heights.known > 0
    empty = ~known & (cover.share > 0)
    if not empty.any() or not known.any():
        return heights
    distance, nearest = distance_transform_edt(~known, return_indices=True)
    near = empty if reach is None else empty & (distance <= reach)
    # Only cells beside a gap take part: the others lie in no triangle of it.
    beside = known & binary_dilation(~known, iterations=2)
    corners, weights = tin_weights(np.argwhere(beside), np.argwhere(near))
    target, index = np.flatnonzero(near), np.flatnonzero(beside)[corners]
    bare = np.isnan(weights[:, 0])
    index[bare] = np.ravel_multi_index(nearest[:, near][:, bare], near.shape)[:, None]
    weights[bare] = 1 / 3
    z, u = heights.z.ravel().copy(), heights.u.ravel().copy()
    z[target] = (z[index] * weights).sum(axis=1)
    areas = np.ravel(cover.share)
    lent = np.bincount(index.ravel(), (weights * areas[target][:, None]).ravel(), len(z))
    own = areas * np.ravel(heights.known)
    with np.errstate(invalid="ignore", divide="ignore"):
        u *= np.where(own > 0, 1 + lent / own, 1.0)
    around, _ = neighbours(heights.z)
    miss = (heights.z - around)[beside]
    u[target] = np.sqrt(np.nanmean(miss**2)) if np.isfinite(miss).any() else 0.0
    shape = cover.grid.shape
    return replace(heights, z=z.reshape(shape), u=u.reshape(shape))


class Tin:
    """Triangles between points (Delaunay), and by which of them a place between has its height.

    Parameters
    ----------
    points : (K, 2)
        There is no triangle where they lie on one line.
    """

    def __init__(self, points: AnyArray) -> None:
        import shapely
        from scipy.spatial import Delaunay, QhullError

        self._origin = points[0] if len(points) else np.zeros(2)
        local = (points - self._origin).astype(np.float64)
        self._tin: Any = None
        if len(points) >= 3:
            try:
                self._tin = Delaunay(local)
            except QhullError:
                return
            # The search for a triangle looks at all of them for a place that is in none.
            self._hull = shapely.convex_hull(shapely.multipoints(local))
            shapely.prepare(self._hull)

    def weights(self, places: AnyArray) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the corners ``(N, 3)`` around places and their weights, NaN outside."""
        import shapely

        corners = np.zeros((len(places), 3), np.intp)
        weights = np.full((len(places), 3), np.nan)
        if self._tin is None or len(places) == 0:
            return corners, weights
        local = (places - self._origin).astype(np.float64)
        inside = np.flatnonzero(shapely.intersects_xy(self._hull, *local.T))
        simplex = self._tin.find_simplex(local[inside])
        inside, simplex = inside[simplex >= 0], simplex[simplex >= 0]
        matrix = self._tin.transform[simplex]
        two = np.einsum("nij,nj->ni", matrix[:, :2], local[inside] - matrix[:, 2])
        corners[inside] = self._tin.simplices[simplex]
        weights[inside] = np.column_stack([two, 1 - two.sum(axis=1)])
        weights[~np.isfinite(weights).all(axis=1)] = np.nan
        return corners, weights


def tin_weights(known: AnyArray, wanted: AnyArray) -> tuple[NDArray[np.intp], FloatArray]:
    """Return corners ``(N, 3)`` and weights of places in the TIN of known points; see `Tin`."""
    return Tin(known).weights(wanted)
