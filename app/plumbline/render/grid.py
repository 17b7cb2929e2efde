"""Computed grids: cells of colour laid on the terrain, or heights as a surface of their own.

Cells stay crisp: what was computed for a cell must not look as if it were known between cells.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, Bounds, FloatArray, GridData
from plumbline.core.entities import cell_corners, grid_cell
from plumbline.geometry.rays import HeightField, Hit, Pickable, Ray
from plumbline.render.ground import drape_lines, lay
from plumbline.render.mesh import compact
from plumbline.render.parts import Part, Prepared, Request, Target
from plumbline.render.relief import relief
from plumbline.render.scales import scale_of

#: Longest side of the picture of a grid: textures of every OpenGL 3.2 driver may be this large.
MAX_SIDE = 8192
#: What lies below stays to be seen.
OPACITY = 0.78


class CellSurface:
    """A surface that is hit only where the grid has a value; the primitive is the cell's number."""

    def __init__(self, surface: Pickable, data: GridData) -> None:
        self._surface = surface
        self._data = data
        self._cells = HeightField(data.values, data.transform)

    def hit(self, ray: Ray) -> Hit | None:
        """Return where the ray meets the surface in a cell with a value."""
        found = self._surface.hit(ray)
        if found is None:
            return None
        column, row = np.floor(self._cells.to_grid(found.position[None, :2])[0] + 0.5).astype(int)
        rows, columns = self._data.values.shape
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        value = float(self._data.values[row, column])
        if not np.isfinite(value) or value == self._data.nodata:
            return None
        return Hit(found.t, found.position, int(row * columns + column), found.normal)


def prepare(request: Request) -> Prepared:
    """Prepare a computed grid."""
    data = request.layer.data
    assert isinstance(data, GridData)
    field = _own_heights(request, data) if data.heights else _ground_heights(request, data)
    if field is None:
        return Prepared()
    own = data.heights
    box = data.bounds
    points, triangles, normals = relief(
        field, request.budget.terrain_tolerance, None if own else box
    )
    part = Part(
        points=request.local32(points),
        triangles=triangles,
        uv=_places_in_picture(data, points),
        image=picture(request, data),
        repeat=False,
        crisp=True,
        data=True,
        lit=own and request.style.hillshade,
        normals=normals,
        smooth=True,
        draped=not own,
        opacity=request.style.opacity if own else OPACITY,
    )
    solid = own or request.ground is None
    target = Target(CellSurface(field, data), entity=str, solid=solid, draped=not solid)

    def highlight(ids: Iterable[str]) -> list[Part]:
        return [mark for i in ids for mark in _outline(request, data, i)]

    def extent(ids: Iterable[str]) -> Bounds | None:
        cells = [_corners(request, data, i) for i in ids]
        return Bounds.union(Bounds.of(corners) for corners in cells)

    return Prepared([part], [target], highlight, extent)


def picture(request: Request, data: GridData) -> NDArray[np.uint8]:
    """Return the cells as an image ``(H, W, 4)`` with a border that is not drawn."""
    values = data.values
    step = -(-max(values.shape) // (MAX_SIDE - 2))
    scale = scale_of(values.ravel(), request.style, request.theme)
    seen = values[::step, ::step]
    colors = scale.colors(seen.ravel()).reshape(*seen.shape, 4)
    # Beyond its border a texture repeats its last pixels: they are transparent.
    image: NDArray[np.uint8] = np.pad(colors, ((1, 1), (1, 1), (0, 0)))
    image[..., :3][image[..., 3] == 0] = 128
    return image


def _places_in_picture(data: GridData, points: FloatArray) -> NDArray[np.float32]:
    """Return texture coordinates of places, origin at the lower left, border left out."""
    rows, columns = data.values.shape
    step = -(-max(rows, columns) // (MAX_SIDE - 2))
    size = np.array([-(-columns // step), -(-rows // step)])
    cell = (HeightField(data.values, data.transform).to_grid(points[:, :2]) + 0.5) / step
    u, v = ((cell + 1) / (size + 2)).T
    return np.column_stack([u, 1 - v]).astype(np.float32)


# -- where it lies -------------------------------------------------------------------------------


def _own_heights(request: Request, data: GridData) -> HeightField | None:
    """Return the numbers as heights, thinned to what this machine can draw."""
    step = int(np.ceil(np.sqrt(data.values.size / request.budget.terrain_cells)))
    values = data.values[::step, ::step]
    if min(values.shape) < 2 or not np.isfinite(values).any():
        return None
    a, b, c, d, e, f = data.transform
    # The centre of the first cell stays where it is.
    shift = (1 - step) / 2
    moved = (a * step, b * step, c + shift * (a + b), d * step, e * step, f + shift * (d + e))
    return HeightField(values, moved)


def _ground_heights(request: Request, data: GridData) -> HeightField | None:
    """Return the ground below the grid, as it is drawn where one terrain carries the whole grid."""
    box = data.bounds
    if box is None or not data.values.size:
        return None
    for under in request.ground.grids if request.ground is not None else ():
        known = under.bounds
        within = known.xmin <= box.xmin and known.xmax >= box.xmax
        if within and known.ymin <= box.ymin and known.ymax >= box.ymax:
            return HeightField(under.field.heights + under.offset, under.field.transform)
    return _sampled(request, box)


def _sampled(request: Request, box: Bounds) -> HeightField:
    """Return heights of all terrains together, continued level; without any, of the models."""
    width, height = box.xmax - box.xmin, box.ymax - box.ymin
    cell = np.sqrt(width * height / request.budget.terrain_cells)
    if request.ground is not None:
        cell = max(request.ground.cell, cell)
    elif not request.models:
        cell = max(width, height)
    columns, rows = int(np.ceil(width / cell)) + 1, int(np.ceil(height / cell)) + 1
    x, y = np.linspace(box.xmin, box.xmax, columns), np.linspace(box.ymax, box.ymin, rows)
    dx, dy = x[1] - x[0], y[1] - y[0]
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    z = lay(request.ground, places)[:, 2] if request.ground else _from_above(request, box, places)
    transform = (dx, 0.0, box.xmin - dx / 2, 0.0, dy, box.ymax - dy / 2)
    return HeightField(z.reshape(rows, columns), transform)


def _from_above(request: Request, box: Bounds, places: FloatArray) -> FloatArray:
    """Return the heights of the models at places ``(N, 2)``, and the floor beside them."""
    heights = np.full(len(places), request.floor)
    points, triangles, count = [], [], 0
    for model in request.models:
        x, y = model.vertices[:, 0][model.triangles], model.vertices[:, 1][model.triangles]
        near = (x.max(axis=1) >= box.xmin) & (x.min(axis=1) <= box.xmax)
        near &= (y.max(axis=1) >= box.ymin) & (y.min(axis=1) <= box.ymax)
        used, faces = compact(model.triangles[near], len(model.vertices))
        points.append(model.vertices[used])
        triangles.append(faces + count)
        count += len(used)
    if not count:
        return heights
    from plumbline.geometry.raycast import EmbreeCaster, heights_from_above

    caster = EmbreeCaster(np.concatenate(points), np.concatenate(triangles))
    found = heights_from_above(caster, places, float(caster.high[2]) + 1.0)
    return np.where(np.isfinite(found), found, heights)


# -- one cell ------------------------------------------------------------------------------------


def _corners(request: Request, data: GridData, entity: str) -> FloatArray:
    cell = grid_cell(data, entity)
    if cell is None:
        return np.empty((0, 3))
    corners = cell_corners(data, *cell)
    if data.heights:
        return corners
    if request.ground is not None:
        return lay(request.ground, corners[:, :2])
    box = Bounds(*corners.min(axis=0), *corners.max(axis=0))
    return np.column_stack([corners[:, :2], _from_above(request, box, corners[:, :2])])


def _outline(request: Request, data: GridData, entity: str) -> list[Part]:
    """Return the border of a cell in the colour of the selection."""
    corners = _corners(request, data, entity)
    if len(corners) == 0:
        return []
    sides: AnyArray = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
    if not data.heights and request.ground is not None:
        corners, sides, _ = drape_lines(request.ground, corners[:, :2], sides)
    points, color = request.local32(corners), request.theme.selection
    border = Part(points, lines=sides, color=color, size=3.0, lit=False, draped=True)
    through = Part(points, lines=sides, color=color, lit=False, opacity=0.3, on_top=True, size=1.0)
    return [border, through]
