"""What a camera sees of boxes: whether they are in view, and how large a metre of theirs is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray
from plumbline.core.scene import Camera
from plumbline.render.camera import Size, axes

#: What is nearer counts as this far away, metres: inside of a box an error would be without bounds.
NEAREST = 1.0


@dataclass(frozen=True)
class TileView:
    """A camera over a picture, for boxes ``(N, 6)``: xmin, ymin, zmin, xmax, ymax, zmax.

    Attributes
    ----------
    eye : (3,) float64
        Project CRS, lowered by the offset at which the layer is drawn.
    normals, offsets : (K, 3), (K,) float64
        Planes that bound the view, pointing inwards: inside ``normals @ p + offsets >= 0``, `p`
        relative to the eye.
    pixels : float
        Pixels of a metre across the view: one metre away, or anywhere in parallel projection.
    parallel : bool
    """

    eye: FloatArray
    normals: FloatArray
    offsets: FloatArray
    pixels: float
    parallel: bool

    @classmethod
    def of(cls, camera: Camera, size: Size, offset: float = 0.0) -> TileView:
        """Return the view of a camera over a picture of so many pixels."""
        width, height = size
        right, up, forward = axes(camera)
        eye = np.array(camera.position, dtype=np.float64) - (0.0, 0.0, offset)
        if camera.parallel:
            high = camera.parallel_scale
            wide = high * width / height
            normals = np.array([right, -right, up, -up])
            offsets = np.array([wide, wide, high, high])
            return cls(eye, normals, offsets, height / (2 * high), True)
        tangent = math.tan(math.radians(camera.view_angle) / 2)
        across = tangent * width / height
        normals = np.array(
            [
                forward,
                right + forward * across,
                -right + forward * across,
                up + forward * tangent,
                -up + forward * tangent,
            ]
        )
        return cls(eye, normals, np.zeros(5), height / (2 * tangent), False)

    def look_at(self, boxes: FloatArray) -> tuple[NDArray[np.bool_], FloatArray]:
        """Return which boxes ``(N,)`` may be in view, and the pixels of a metre there ``(N,)``.

        A box is kept if for each plane its corner that lies farthest inside is inside.
        """
        low, high = boxes[:, :3] - self.eye, boxes[:, 3:] - self.eye
        inward, outward = np.maximum(self.normals, 0.0), np.minimum(self.normals, 0.0)
        reach = high @ inward.T + low @ outward.T + self.offsets
        seen: NDArray[np.bool_] = np.all(reach >= 0, axis=1)
        if self.parallel:
            return seen, np.full(len(boxes), self.pixels)
        away = np.maximum(np.maximum(low, -high), 0.0)
        distance = np.sqrt(np.einsum("ij,ij->i", away, away))
        return seen, self.pixels / np.maximum(distance, NEAREST)
