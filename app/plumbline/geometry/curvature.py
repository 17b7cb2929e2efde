"""How far the earth falls away from a horizontal line, and how much refraction lifts it again.

The drop at distance d is d² / (2 R) · (1 - k): the sagitta of a sphere of radius R, lessened by the
coefficient of refraction k (0.13 is Gauss's mean for light over land, 0 is none).
"""

from __future__ import annotations

import math

import numpy as np

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.georeference import Georeference

#: Gauss's mean coefficient of refraction.
REFRACTION = 0.13


def earth_radius(georeference: Georeference, x: float, y: float) -> float:
    """Return the Gaussian radius of curvature of the project's ellipsoid at a place, metres.

    The geometric mean of the radii along the meridian and across it, √(M N), which is the mean over
    all azimuths (Torge, Müller 2012, *Geodesy*, 4th ed., eq. 4.20).

    Parameters
    ----------
    x, y : float
        Project CRS.

    Raises
    ------
    RefusedError
        If the project has no CRS tied to the earth.
    """
    _, latitude = georeference.geographic(x, y)
    assert georeference.crs is not None
    ellipsoid = georeference.crs.get_geod()
    assert ellipsoid is not None
    bulge = 1.0 - ellipsoid.es * math.sin(math.radians(latitude)) ** 2
    return float(ellipsoid.a * math.sqrt(1.0 - ellipsoid.es) / bulge)


def curvature_drop(distance: AnyArray, radius: float, refraction: float = REFRACTION) -> FloatArray:
    """Return how far below its height above the datum a point appears, metres.

    Parameters
    ----------
    distance : (...) float64
        Horizontal, metres from the observer.
    radius : float
        Of the earth, metres; infinite for a plane.
    refraction : float
        Coefficient of refraction.
    """
    fall: FloatArray = np.square(np.asarray(distance, dtype=np.float64)) * (
        (1.0 - refraction) / (2.0 * radius)
    )
    return fall


def apparent_points(
    points: FloatArray, observer: AnyArray, radius: float, refraction: float = REFRACTION
) -> FloatArray:
    """Return points ``(..., 3)`` where an observer on a flat earth would see them.

    A straight line between points that are lowered so is the line of sight, refraction included, so
    that rays can be cast; lower obstacles and targets alike, for each observer anew.

    Parameters
    ----------
    points : (..., 3) float64
        Metres of a frame.
    observer : (2,) or (3,) float64
        In the same frame.
    """
    offset = points[..., :2] - np.asarray(observer, dtype=np.float64)[:2]
    result = np.array(points, dtype=np.float64)
    result[..., 2] -= curvature_drop(np.hypot(offset[..., 0], offset[..., 1]), radius, refraction)
    return result
