"""Whether a point is inside a body of triangles: winding numbers from solid angles."""

from __future__ import annotations

import numpy as np

from plumbline.core.data import AnyArray, FloatArray


def winding_numbers(corners: FloatArray, owner: AnyArray, count: int) -> FloatArray:
    """Return how often each body encloses the origin, ``(count,)``.

    1 or -1 inside a closed body with one orientation, 0 outside; a body with holes gives what lies
    between. Solid angles after Van Oosterom and Strackee (1983), "The Solid Angle of a Plane
    Triangle", IEEE Trans. Biomed. Eng. 30(2).

    Parameters
    ----------
    corners : (M, 3, 3) float64
        Triangles relative to the point.
    owner : (M,) integer
        Body of each triangle.
    count : int
        Number of bodies.
    """
    a, b, c = (corners[:, n] for n in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c))
    spread = (
        la * lb * lc
        + np.einsum("ij,ij->i", a, b) * lc
        + np.einsum("ij,ij->i", b, c) * la
        + np.einsum("ij,ij->i", c, a) * lb
    )
    angle = 2.0 * np.arctan2(volume, spread)
    total: FloatArray = np.bincount(owner, angle, minlength=count) / (4.0 * np.pi)
    return total
