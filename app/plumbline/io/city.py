"""What the loaders of city models share: surfaces with holes, their looks, levels of detail.

A city model consists of planar surfaces that belong to city objects and mean something (roof,
wall, ground). `Surfaces` gathers them flat and makes one mesh of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import (
    AnyArray,
    Element,
    FloatArray,
    IntArray,
    Material,
    MeshData,
    Texture,
)
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.io.city_textures import Textures, split_by_image
from plumbline.io.mesh import drop_unusable, triangulate
from plumbline.io.registry import LoadContext

#: More corners than any file of a city holds; templates could multiply a small file beyond them.
MAX_CORNERS = 50_000_000
#: Colour of a surface by what it means, else by the city object that it belongs to.
COLORS: dict[str, tuple[float, float, float]] = {
    "RoofSurface": (0.71, 0.33, 0.26),
    "WallSurface": (0.88, 0.84, 0.76),
    "GroundSurface": (0.55, 0.52, 0.47),
    "FloorSurface": (0.66, 0.60, 0.52),
    "CeilingSurface": (0.80, 0.78, 0.74),
    "Window": (0.52, 0.68, 0.80),
    "Door": (0.45, 0.32, 0.22),
    "Bridge": (0.66, 0.62, 0.60),
    "Road": (0.55, 0.55, 0.57),
    "Railway": (0.47, 0.44, 0.43),
    "WaterBody": (0.36, 0.61, 0.84),
    "WaterSurface": (0.36, 0.61, 0.84),
    "PlantCover": (0.50, 0.69, 0.41),
    "SolitaryVegetationObject": (0.36, 0.58, 0.32),
    "LandUse": (0.76, 0.76, 0.62),
    "TINRelief": (0.70, 0.66, 0.55),
}
OTHER = (0.85, 0.80, 0.70)


class Surfaces:
    """Planar surfaces with holes, gathered flat: corners, corners of each ring, rings of each."""

    def __init__(self) -> None:
        self.corners = array("q")
        self._lengths = array("q")
        self._rings = array("q")
        self._elements = array("q")
        self._kinds = array("q")
        self._names: dict[str, int] = {}
        self.textures = Textures()

    def add(self, rings: Sequence[Sequence[int]], element: int, kind: str) -> None:
        """Add a surface: outline and holes as indices of points, without closing points."""
        if len(self.corners) + sum(map(len, rings)) > MAX_CORNERS:
            raise ValueError(tr("it holds too many corners"))
        for ring in rings:
            self.corners.extend(array("q", ring))
            self._lengths.append(len(ring))
        self._rings.append(len(rings))
        self._elements.append(element)
        self._kinds.append(self._names.setdefault(kind, len(self._names)))

    def mesh(
        self, points: FloatArray, elements: list[Element], folder: Path, warnings: list[str]
    ) -> MeshData:
        """Return the triangles of all surfaces.

        Parameters
        ----------
        points : (N, 3) float64
            The corners are indices of them; those that no surface uses are left out.
        folder : Path
            Where the images are.
        warnings : list of str
            Takes what is said of surfaces that could not be split, and of images.

        Raises
        ------
        ValueError
            If a surface names a point that is not there.
        """
        corners = np.array(self.corners, dtype=np.int64)
        if len(corners) and not (corners.min() >= 0 and corners.max() < len(points)):
            raise ValueError(tr("a surface names a vertex that is not there"))
        textures = self.textures.found(folder, warnings)
        image, uv = self.textures.spread(len(corners), [t is not None for t in textures])
        used, vertices, uv = split_by_image(corners, image, uv)
        points = points[used]
        triangles, surface, skipped = self._split(points, vertices)
        if skipped:
            notes = tr("{n} surfaces have too few corners; they were left out.", n=skipped)
            warnings.append(notes)
        materials, looks = self._looks(image, textures)
        return MeshData(
            points,
            triangles,
            uv=uv if (image >= 0).any() else None,
            materials=materials,
            material_index=looks[surface],
            elements=elements,
            element_index=np.array(self._elements, dtype=np.int32)[surface],
        )

    def _looks(
        self, image: IntArray, textures: Sequence[Texture | None]
    ) -> tuple[list[Material], AnyArray]:
        """Return the materials, and which of them each surface has: its meaning and its image."""
        lengths = np.array(self._lengths, dtype=np.int64)
        rings = np.array(self._rings, dtype=np.int64)
        outlines = (np.cumsum(lengths) - lengths)[np.cumsum(rings) - rings]
        # A ring without corners at the end has none to look at.
        on = np.append(image, -1)[outlines]
        pairs = np.column_stack([np.array(self._kinds, dtype=np.int64), on])
        kinds = np.column_stack([np.arange(len(self._names)), np.full(len(self._names), -1)])
        found = np.unique(pairs[on >= 0], axis=0)
        names, materials = list(self._names), []
        for kind, number in (*kinds.tolist(), *found.tolist()):
            color = (*COLORS.get(names[kind], OTHER), 1.0) if number < 0 else (1.0, 1.0, 1.0, 1.0)
            texture = textures[number] if number >= 0 else None
            materials.append(Material(names[kind], color, texture))
        wide = len(textures) + 1
        keys = found[:, 0] * wide + found[:, 1]
        looks = np.searchsorted(keys, pairs[:, 0] * wide + pairs[:, 1]) + len(names)
        return materials, np.where(on < 0, pairs[:, 0], looks).astype(np.int32)

    def _split(self, points: FloatArray, corners: IntArray) -> tuple[IntArray, IntArray, int]:
        """Return triangles ``(M, 3)``, the surface of each, and the number of skipped surfaces."""
        lengths = np.array(self._lengths, dtype=np.int64)
        rings = np.array(self._rings, dtype=np.int64)
        first_ring = np.cumsum(rings) - rings
        starts = np.cumsum(lengths) - lengths
        plain = np.flatnonzero(rings == 1)
        ring = first_ring[plain]
        chosen = np.zeros(len(lengths), dtype=bool)
        chosen[ring] = True
        flat = corners[np.repeat(chosen, lengths)]
        local, polygon, skipped = triangulate(points, flat, lengths[ring])
        parts: list[AnyArray] = [flat[local]]
        owners: list[AnyArray] = [plain[polygon]]
        for surface in np.flatnonzero(rings > 1).tolist():
            of = slice(first_ring[surface], first_ring[surface] + rings[surface])
            begin = starts[of][0]
            inside = corners[begin : begin + lengths[of].sum()]
            found = _with_holes(points[inside], lengths[of])
            skipped += len(found) == 0
            parts.append(inside[found])
            owners.append(np.full(len(found), surface))
        return np.concatenate(parts).reshape(-1, 3), np.concatenate(owners).astype(int), skipped


def _with_holes(points: FloatArray, lengths: IntArray) -> IntArray:
    """Return the triangles ``(M, 3)`` of one surface; its first ring is the outline."""
    import mapbox_earcut

    if lengths[0] < 3 or not np.isfinite(points).all():
        return np.zeros((0, 3), np.int64)
    local = points - points[0]
    outline = local[: lengths[0]]
    normal = np.cross(outline, np.roll(outline, -1, axis=0)).sum(axis=0)
    plane = np.ascontiguousarray(np.delete(local, int(np.argmax(np.abs(normal))), axis=1))
    ends = np.cumsum(lengths).astype(np.uint32)
    found: IntArray = mapbox_earcut.triangulate_float64(plane, ends).astype(np.int64)
    triangles = found.reshape(-1, 3)
    a, b, c = (local[triangles[:, n]] for n in range(3))
    flipped = np.cross(b - a, c - a) @ normal < 0
    triangles[flipped] = triangles[flipped][:, ::-1]
    return triangles


def lod_number(lod: object) -> float:
    """Return a level of detail as a number that can be compared: 2, "2" and "2.0" are one.

    Raises
    ------
    ValueError
        If it is no number.
    """
    return float(str(lod))


def wanted_lod(context: LoadContext) -> float | None:
    """Return the level of detail that the option ``lod`` asks for, None for the highest.

    Raises
    ------
    UsageError
        If the option is neither a number nor ``highest``.
    """
    text = str(context.options.get("lod", "highest"))
    if text == "highest":
        return None
    try:
        return lod_number(text)
    except ValueError as error:
        raise UsageError(
            tr("“{value}” is no level of detail.", value=text),
            tr("Give a number such as 1 or 2.2, or highest."),
        ) from error


def chosen_lods(
    held: Iterable[float], children: Iterable[float], wanted: float | None
) -> set[float]:
    """Return which of an object's levels of detail are to be shown.

    Parameters
    ----------
    held : iterable of float
        The levels that the object has geometry of.
    children : iterable of float
        Those of its parts: where they show more, the object itself would hide it.
    wanted : float, optional
        The level that the user asks for; the highest otherwise.
    """
    levels = set(held)
    if wanted is not None:
        return levels & {wanted}
    highest = max(levels, default=None)
    if highest is None or max(children, default=-1.0) > highest:
        return set()
    return {highest}


def city_layer(
    path: Path, title: str, data: MeshData, metadata: dict[str, Any], warnings: list[str]
) -> Layer:
    """Return the layer of a city model, with unusable triangles left out and noted."""
    drop_unusable(path, title, data, warnings)
    types: dict[str, int] = {}
    for element in data.elements:
        types[element.cls] = types.get(element.cls, 0) + 1
    info = {"format": title, "objects": types, **metadata}
    name = path.name.removesuffix(path.suffix).removesuffix(".city")
    return Layer(name, name, LayerKind.MESH, data, metadata=info, warnings=warnings)
