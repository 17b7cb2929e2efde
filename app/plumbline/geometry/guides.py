"""Where a dragged grip goes that keeps to a line or a plane, whatever lies under the cursor."""

from __future__ import annotations

import numpy as np

from plumbline.core.data import FloatArray
from plumbline.geometry.rays import Ray

#: A ray nearer than this to the direction of a line, or to a plane, meets it nowhere (sine).
FLAT = 0.02


def on_line(ray: Ray, point: FloatArray, direction: FloatArray) -> FloatArray | None:
    """Return the point of a line that a ray passes nearest to.

    Parameters
    ----------
    point, direction : (3,) float64
        Of the line.

    Returns
    -------
    (3,) float64 or None
        None where the ray runs along the line, and none of its points is nearest.
    """
    along = direction / np.linalg.norm(direction)
    lean = float(along @ ray.direction)
    away = 1.0 - lean * lean
    if away < FLAT**2:
        return None
    offset = ray.origin - point
    reach = (float(along @ offset) - lean * float(ray.direction @ offset)) / away
    found: FloatArray = point + along * reach
    return found


def on_plane(ray: Ray, point: FloatArray, normal: FloatArray) -> FloatArray | None:
    """Return where a ray meets a plane; None behind the eye, and where it runs along the plane."""
    upright = normal / np.linalg.norm(normal)
    lean = float(upright @ ray.direction)
    if abs(lean) < FLAT:
        return None
    distance = float(upright @ (point - ray.origin)) / lean
    return None if distance <= max(ray.start, -np.inf) else ray.at(distance)
