"""Large meshes as trees of tiles: whole triangles in the leaves, fewer and larger ones above.

A tile with too many triangles is halved along its long sides; what it shows itself is its mesh with
corners put together in a grid, so that no corner is farther from its place than a cell is wide
across: that is its error. Colours of textures go into the corners there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, Bounds, FloatArray, IntArray, MeshData
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.io.tileset_writer import TilesetWriter

#: Triangles of a tile.
TRIANGLES = 30_000
#: Cells along the longest side of a tile whose corners are put together, tried in turn.
_GRIDS = (256, 181, 128, 90, 64, 45, 32, 22, 16, 8, 4)
#: Levels of the tree; copies of one triangle would be divided forever.
MAX_LEVEL = 24


def tile_mesh(mesh: MeshData, writer: TilesetWriter, feedback: Feedback) -> dict[str, Any]:
    """Write a mesh as tiles and return the root.

    Raises
    ------
    Cancelled
        If asked to stop.
    """
    return _Tiler(mesh, writer, feedback).node("0", np.arange(len(mesh.triangles)), 0)


class _Tiler:
    def __init__(self, mesh: MeshData, writer: TilesetWriter, feedback: Feedback) -> None:
        self._mesh, self._writer, self._feedback = mesh, writer, feedback
        self._done = 0

    def node(self, name: str, chosen: IntArray, level: int) -> dict[str, Any]:
        """Write a tile with everything below it, and return it."""
        corners = self._mesh.vertices[self._mesh.triangles[chosen]]
        low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
        box = Bounds(*map(float, (*low, *high)))
        if len(chosen) <= TRIANGLES or level >= MAX_LEVEL:
            self._done += len(chosen)
            self._feedback.step(self._done, len(self._mesh.triangles), tr("Tiling"))
            return self._writer.tile(name, part(self._mesh, chosen), 0.0, [], box)
        children = []
        place = _halves(corners.mean(axis=1), low, high)
        for number in np.unique(place).tolist():
            children.append(self.node(f"{name}{number}", chosen[place == number], level + 1))
        coarse, error = self._coarse(chosen, low, high)
        return self._writer.tile(name, coarse, error, children, box)

    def _coarse(
        self, chosen: IntArray, low: FloatArray, high: FloatArray
    ) -> tuple[MeshData, float]:
        """Return a mesh with fewer triangles and by how much its corners are moved at most."""
        mesh = self._mesh
        used, back = np.unique(mesh.triangles[chosen], return_inverse=True)
        triangles = back.reshape(-1, 3)
        points, colors = mesh.vertices[used], self._colors(used, chosen, triangles)
        owner = None if mesh.element_index is None else mesh.element_index[chosen]
        for grid in _GRIDS:
            cell = float((high - low).max()) / grid
            merged, kept, corner = _merged(points, triangles, low, cell)
            if len(kept) <= TRIANGLES:
                break
        count = np.bincount(corner)
        means = [np.bincount(corner, points[:, axis]) / count for axis in range(3)]
        shades = [np.bincount(corner, colors[:, n].astype(float)) / count for n in range(4)]
        coarse = MeshData(np.column_stack(means), merged)
        coarse.colors = np.rint(np.column_stack(shades)).astype(np.uint8)
        if owner is not None:
            coarse.elements, coarse.element_index = _owners(mesh, owner[kept])
        return coarse, cell * 3**0.5

    def _colors(self, used: IntArray, chosen: IntArray, triangles: IntArray) -> AnyArray:
        """Return the colour ``(N, 4)`` of corners, with their materials and textures in it."""
        mesh = self._mesh
        colors = np.full((len(used), 4), 255.0) if mesh.colors is None else mesh.colors[used] * 1.0
        if mesh.material_index is None:
            return colors.astype(np.uint8)
        of_corner = np.full(len(used), -1)
        of_corner[triangles.ravel()] = np.repeat(mesh.material_index[chosen], 3)
        for number in np.unique(of_corner[of_corner >= 0]).tolist():
            material = mesh.materials[number]
            mine = of_corner == number
            picture = self._writer.pixels(material.texture) if material.texture else None
            if picture is None or mesh.uv is None:
                colors[mine] *= material.color
                continue
            uv = mesh.uv[used[mine]].astype(np.float64)
            rows, columns = picture.shape[:2]
            x = np.clip((uv[:, 0] % 1.0 * columns).astype(int), 0, columns - 1)
            y = np.clip(((1.0 - uv[:, 1]) % 1.0 * rows).astype(int), 0, rows - 1)
            colors[mine] *= picture[y, x] / 255.0
        return np.rint(np.clip(colors, 0, 255)).astype(np.uint8)


def _halves(middles: FloatArray, low: FloatArray, high: FloatArray) -> IntArray:
    """Return the number of the child of each triangle: halves along each long side."""
    sides = high - low
    place = np.zeros(len(middles), np.int64)
    for axis in range(3):
        if sides[axis] > 0.5 * sides.max():
            place = 2 * place + (middles[:, axis] > (low[axis] + high[axis]) / 2)
    return place


def _merged(
    points: FloatArray, triangles: IntArray, low: FloatArray, cell: float
) -> tuple[IntArray, IntArray, IntArray]:
    """Return triangles between cells, which ones these are, and the cell of each point."""
    cells = np.floor((points - low) / max(cell, 1e-9)).astype(np.int64)
    keys = (cells[:, 0] << 40) | (cells[:, 1] << 20) | cells[:, 2]
    corner = np.unique(keys, return_inverse=True)[1].ravel()
    merged = corner[triangles]
    a, b, c = merged.T
    kept = np.flatnonzero((a != b) & (b != c) & (c != a))
    # Of triangles with the same corners the first one stays.
    first = np.unique(np.sort(merged[kept], axis=1), axis=0, return_index=True)[1]
    kept = kept[np.sort(first)]
    return merged[kept], kept, corner


def part(mesh: MeshData, chosen: IntArray) -> MeshData:
    """Return some triangles of a mesh, with the vertices, materials and elements they need."""
    used, back = np.unique(mesh.triangles[chosen], return_inverse=True)
    made = MeshData(mesh.vertices[used], back.reshape(-1, 3))
    made.uv = None if mesh.uv is None else mesh.uv[used]
    made.colors = None if mesh.colors is None else mesh.colors[used]
    if mesh.material_index is not None:
        numbers, index = np.unique(mesh.material_index[chosen], return_inverse=True)
        made.materials = [mesh.materials[n] for n in numbers.tolist() if n >= 0]
        made.material_index = (index.ravel() - int((numbers < 0).sum())).astype(np.int32)
    if mesh.element_index is not None:
        made.elements, made.element_index = _owners(mesh, mesh.element_index[chosen])
    return made


def _owners(mesh: MeshData, owner: AnyArray) -> tuple[list[Any], AnyArray]:
    """Return the elements that triangles belong to, and the number of each."""
    numbers, index = np.unique(owner, return_inverse=True)
    elements = [replace(mesh.elements[n]) for n in numbers.tolist() if n >= 0]
    found: AnyArray = (index.ravel() - int((numbers < 0).sum())).astype(np.int32)
    return elements, found
