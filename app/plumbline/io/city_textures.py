"""Textures of city models: images that are laid on rings of surfaces.

CityGML states them apart from the geometry, even behind all of it, by the id of a ring; CityJSON
inside the geometry. `Textures` gathers both as the place of a ring among the corners of `Surfaces`
with its coordinates on an image, and resolves the images only once all is read.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plumbline.core.data import AnyArray, FloatArray, IntArray, Texture
from plumbline.core.i18n import tr
from plumbline.io.base import file_inside
from plumbline.io.images import image_problem

#: Names that a warning tells of many.
_TOLD = 3


class Textures:
    """The images of a city model and the rings that they are laid on."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._images = array("q")
        self._starts = array("q")
        self._lengths = array("q")
        self._uv = array("d")

    def __bool__(self) -> bool:
        return bool(self._images)

    def lay(self, image: str, start: int, uv: FloatArray) -> None:
        """Lay an image on a ring.

        Parameters
        ----------
        image : str
            Path as the file names it.
        start : int
            Number of the ring's first corner among all corners.
        uv : (N, 2) float64
            Place of each corner on the image; origin at the lower left, 1 across it.
        """
        self._images.append(self._names.setdefault(image, len(self._names)))
        self._starts.append(start)
        self._lengths.append(len(uv))
        self._uv.extend(uv.ravel().tolist())

    def found(self, folder: Path, warnings: list[str]) -> list[Texture | None]:
        """Return the image of each name, None for those that cannot be used, which is said."""
        textures: list[Texture | None] = []
        lost: list[tuple[str, str]] = []
        for name in self._names:
            image = file_inside(folder, name)
            problem = image_problem(image) if image else tr("it is not in the folder of the model")
            textures.append(Texture(image) if image and not problem else None)
            if problem:
                lost.append((name[-120:], problem))
        for name, why in lost[:_TOLD]:
            warnings.append(tr("The texture “{name}” was left out: {why}.", name=name, why=why))
        if len(lost) > _TOLD:
            warnings.append(tr("{n} more textures were left out likewise.", n=len(lost) - _TOLD))
        return textures

    def spread(self, corners: int, usable: Sequence[bool]) -> tuple[IntArray, FloatArray]:
        """Return for each corner the number of its image, -1 for none, and its place on it.

        Parameters
        ----------
        corners : int
            Number of all corners.
        usable : sequence of bool
            Of each image.
        """
        image = np.full(corners, -1, dtype=np.int64)
        uv = np.zeros((corners, 2))
        given = np.array(self._uv, dtype=np.float64).reshape(-1, 2)
        first = 0
        for name, start, length in zip(self._images, self._starts, self._lengths, strict=True):
            part = slice(start, start + length)
            # What a later theme lays on the same ring does not cover the first.
            if usable[name] and start + length <= corners and (image[part] < 0).all():
                image[part] = name
                uv[part] = given[first : first + length]
            first += length
        return image, np.nan_to_num(uv, posinf=0.0, neginf=0.0)


def split_by_image(
    corners: IntArray, image: IntArray, uv: FloatArray
) -> tuple[IntArray, IntArray, AnyArray]:
    """Give every corner with an image a vertex of its own: a point may lie on several images.

    Returns
    -------
    points : (V,) integer
        The point of each vertex.
    vertices : (C,) integer
        The vertex of each corner.
    uv : (V, 2) float32
    """
    own = np.where(image >= 0, corners.max(initial=0) + 1 + np.arange(len(corners)), corners)
    _, first, vertices = np.unique(own, return_index=True, return_inverse=True)
    return corners[first], vertices, uv[first].astype(np.float32)
