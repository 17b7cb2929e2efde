"""Terrain and imagery: a simplified relief with shaded heights, and photographs laid on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, Bounds, FloatArray, RasterData
from plumbline.geometry.masking import cleared_pixels
from plumbline.geometry.rays import HeightField, Hit, Ray, TriangleSet
from plumbline.render.colors import palette
from plumbline.render.ground import GroundGrid
from plumbline.render.parts import Part, Prepared, Request, Target
from plumbline.render.relief import relief


def prepare(request: Request) -> Prepared:
    """Prepare a raster by its role."""
    data = request.layer.data
    assert isinstance(data, RasterData)
    return _terrain(request, data) if data.role == "terrain" else _imagery(request, data)


#: Cells of the window in which a pick is solved; more than any window has.
_WINDOW = 4_000_000

# -- terrain -------------------------------------------------------------------------------------


class Terrain:
    """The terrain for picking: found on the grid that is drawn, solved on the cells of the file."""

    def __init__(self, request: Request, data: RasterData, drawn: HeightField) -> None:
        self._request = request
        self._data = data
        self._drawn = drawn
        self._reduced = drawn.heights.size < 0.99 * data.width * data.height
        self._reach = 24 * GroundGrid(drawn).cell
        self._window: tuple[FloatArray, HeightField | None] | None = None

    def hit(self, ray: Ray) -> Hit | None:
        """Return where the ray meets the ground."""
        rough = self._drawn.hit(ray)
        if rough is None or not self._reduced:
            return rough
        fine = self._cells_around(rough.position[:2])
        if fine is None:
            return rough
        # Only this window counts: nearer hills would have been met by the drawn grid.
        start = max(ray.start, rough.t - self._reach)
        return fine.hit(replace(ray, start=start)) or rough

    def _cells_around(self, place: FloatArray) -> HeightField | None:
        """Return the cells of the file around a place; the last ones are kept for the next."""
        known = self._window
        if known is None or np.abs(known[0] - place).max() > self._reach / 2:
            low, high = place - self._reach, place + self._reach
            around = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
            self._window = known = (place, _read(self._request, self._data, _WINDOW, around))
        return known[1]


def _read(
    request: Request,
    data: RasterData,
    cells: int,
    bounds: tuple[float, float, float, float] | None = None,
) -> HeightField | None:
    from plumbline.io.raster import read_grid

    heights, transform = read_grid(data, cells, bounds)
    if min(heights.shape) < 2:
        return None
    field = HeightField(np.asarray(heights), transform)
    if len(request.clip) >= 3:
        field = HeightField(_clipped(field, request), transform)
    return field


def _clipped(field: HeightField, request: Request) -> AnyArray:
    """Return heights with the active scheme's polygon cut out or flattened."""
    import shapely

    rows, cols = field.heights.shape
    a, b, c, d, e, f = field.transform
    col, row = np.meshgrid(np.arange(cols) + 0.5, np.arange(rows) + 0.5)
    polygon = shapely.Polygon(request.clip)
    shapely.prepare(polygon)
    inside = shapely.contains_xy(polygon, a * col + b * row + c, d * col + e * row + f)
    level = np.nan if request.clip_height is None else request.clip_height
    return np.where(inside, level, field.heights)


def _terrain(request: Request, data: RasterData) -> Prepared:
    field = _read(request, data, request.budget.terrain_cells)
    if field is None or not np.isfinite(field.heights).any():
        return Prepared()
    points, triangles, normals = relief(field, request.budget.terrain_tolerance)
    part = Part(
        points=request.local32(points),
        triangles=triangles,
        colors=_terrain_colors(request, points[:, 2]),
        normals=normals,
        smooth=True,
        lit=request.style.hillshade,
    )
    ground = GroundGrid(field, request.style.z_offset)
    return Prepared([part], [Target(Terrain(request, data, field))], ground=ground)


#: From the shore upwards: quiet land colours that leave the city in front.
_LAND = ["#C7CDB8", "#BCC7A6", "#C9CBA6", "#CFC6A2", "#C9B794", "#BBA48A", "#B3A59B"]


def _terrain_colors(request: Request, z: FloatArray) -> NDArray[np.uint8]:
    style = request.style
    if style.color_by == "solid":
        from plumbline.render.mesh import solid_color

        return solid_color(style.color, len(z))
    if style.color_by == "auto":
        from matplotlib.colors import LinearSegmentedColormap

        land = LinearSegmentedColormap.from_list("land", _LAND)
        low, high = style.value_range or (float(z.min()), float(z.max()))
        share = np.clip((z - low) / max(high - low, 20.0), 0, 1)
        colors: NDArray[np.uint8] = (land(share)[:, :3] * 255).round().astype(np.uint8)
        return colors
    return palette(style.palette, z, style.value_range)


# -- imagery -------------------------------------------------------------------------------------


def _imagery(request: Request, data: RasterData) -> Prepared:
    from plumbline.io.raster import read_image

    image, (xmin, ymin, xmax, ymax) = read_image(data, request.budget.image_pixels)
    box = Bounds(xmin, ymin, 0.0, xmax, ymax, 0.0)
    if request.mask is not None:
        # The ground below shows where the photograph shows what is gone.
        image = image.copy()
        cleared = cleared_pixels(image.shape[:2], (xmin, ymin, xmax, ymax), request.mask)
        image[cleared, 3] = 0
    if image[..., 3].min() == 255:
        image = np.ascontiguousarray(image[..., :3])
    grids = request.ground.grids if request.ground is not None else ()
    under = next((grid for grid in grids if _overlap(grid.bounds, box)), None)
    if under is None:
        return _flat(request, image, box)
    points, triangles, normals = relief(under.field, request.budget.terrain_tolerance, box)
    points[:, 2] += under.offset
    part = _photograph(request, points, triangles, image, box)
    part.normals, part.smooth = normals, True
    part.lit = request.style.hillshade
    covers = image.shape[2] == 3 and _within(under.bounds, box)
    return Prepared([part], covers_ground=covers)


def _flat(request: Request, image: NDArray[np.uint8], box: Bounds) -> Prepared:
    west, south, east, north = box.xmin, box.ymin, box.xmax, box.ymax
    corners = [(west, south), (east, south), (east, north), (west, north)]
    points = np.array([(x, y, 0.0) for x, y in corners])
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    part = _photograph(request, points, triangles, image, box)
    part.lit = False
    return Prepared([part], [Target(TriangleSet(points, triangles), primitive=lambda _: -1)])


def _photograph(
    request: Request, points: FloatArray, triangles: AnyArray, image: NDArray[np.uint8], box: Bounds
) -> Part:
    uv = np.column_stack(
        [
            (points[:, 0] - box.xmin) / (box.xmax - box.xmin),
            (points[:, 1] - box.ymin) / (box.ymax - box.ymin),
        ]
    )
    return Part(
        points=request.local32(points),
        triangles=triangles,
        uv=uv.astype(np.float32),
        image=image,
        repeat=False,
        draped=True,
    )


def _overlap(a: Bounds, b: Bounds) -> bool:
    return a.xmin < b.xmax and b.xmin < a.xmax and a.ymin < b.ymax and b.ymin < a.ymax


def _within(a: Bounds, b: Bounds) -> bool:
    """Tell whether `a` lies inside `b`, on the map."""
    return a.xmin >= b.xmin and a.xmax <= b.xmax and a.ymin >= b.ymin and a.ymax <= b.ymax
