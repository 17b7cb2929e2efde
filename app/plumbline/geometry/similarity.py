"""Transformations of local grids: shift, turn and one scale, fitted from control points.

The plane fit is what surveyors call the 4-parameter transformation, the fit in space the
7-parameter one. Both are least squares in closed form (Umeyama 1991, *Least-squares estimation of
transformation parameters between two point patterns*, IEEE PAMI 13(4)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.errors import RefusedError
from plumbline.core.i18n import tr


@dataclass(frozen=True)
class Similarity:
    """``target = scale · rotation · (source − origin) + shift``.

    Attributes
    ----------
    origin, shift : (3,) float64
        Middle of the control points before and after; numbers stay small in between.
    rotation : (3, 3) float64
    residuals : (N, 3) float64
        Target minus transformed source at each control point; z is 0 where none was given.
    """

    origin: FloatArray
    shift: FloatArray
    rotation: FloatArray
    scale: float
    residuals: FloatArray

    def apply(self, points: AnyArray) -> FloatArray:
        """Return points ``(N, 3)`` transformed."""
        local = np.asarray(points, dtype=np.float64) - self.origin
        moved: FloatArray = self.scale * (local @ self.rotation.T) + self.shift
        return moved

    @property
    def turn(self) -> float:
        """Rotation about the vertical, degrees, counterclockwise."""
        return math.degrees(math.atan2(self.rotation[1, 0], self.rotation[0, 0]))

    @property
    def rms(self) -> float:
        """Root mean square of the lengths of the residuals."""
        return float(np.sqrt((self.residuals**2).sum(axis=1).mean()))


def fit_plane(source: AnyArray, target: AnyArray, *, with_scale: bool = True) -> Similarity:
    """Fit shift, turn and scale on the map; heights are shifted by their mean difference.

    Parameters
    ----------
    source, target : (N, 3) float64
        Control points before and after; z may be NaN in both.

    Raises
    ------
    RefusedError
        If there are fewer than two points, or all are at one place.
    """
    source, target = _checked(source, target, 2)
    rise = target[:, 2] - source[:, 2]
    height = float(np.nanmean(rise)) if np.isfinite(rise).any() else 0.0
    flat = _umeyama(source[:, :2], target[:, :2], with_scale)
    rotation = np.eye(3)
    rotation[:2, :2] = flat[1]
    low = float(np.nanmean(source[:, 2])) if np.isfinite(source[:, 2]).any() else 0.0
    origin = np.append(source[:, :2].mean(axis=0), low)
    shift = np.append(target[:, :2].mean(axis=0), low + height)
    scale = flat[0]
    # A scale of the map is none of heights: they are only shifted.
    rotation[2, 2] = 1.0 / scale
    fit = Similarity(origin, shift, rotation, scale, np.zeros_like(source))
    known = np.nan_to_num(source, nan=0.0)
    residuals = target - fit.apply(known)
    return Similarity(origin, shift, rotation, scale, np.nan_to_num(residuals, nan=0.0))


def fit_space(source: AnyArray, target: AnyArray) -> Similarity:
    """Fit shift, three turns and a scale in space.

    Raises
    ------
    RefusedError
        If there are fewer than three points with heights, or they lie on one line.
    """
    source, target = _checked(source, target, 3)
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise RefusedError(
            tr("Seven parameters need a height at every control point."),
            tr("Give all heights, or fit four parameters."),
        )
    local = source - source.mean(axis=0)
    if np.linalg.matrix_rank(local, tol=1e-9 * max(1.0, float(np.abs(local).max()))) < 2:
        raise RefusedError(
            tr("The control points lie on one line."), tr("Add a point beside that line.")
        )
    scale, rotation = _umeyama(source, target, True)
    origin, shift = source.mean(axis=0), target.mean(axis=0)
    fit = Similarity(origin, shift, rotation, scale, np.zeros_like(source))
    return Similarity(origin, shift, rotation, scale, target - fit.apply(source))


def _checked(source: AnyArray, target: AnyArray, least: int) -> tuple[FloatArray, FloatArray]:
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if len(source) < least or source.shape != target.shape:
        raise RefusedError(
            tr("{n} control points are too few: {least} are needed.", n=len(source), least=least),
            tr("Give each with its place before and after."),
        )
    flat = source[:, :2]
    if not np.isfinite(flat).all() or not np.isfinite(target[:, :2]).all():
        raise RefusedError(
            tr("A control point has no place."), tr("Give x and y before and after.")
        )
    if np.ptp(flat, axis=0).max() == 0 or np.ptp(target[:, :2], axis=0).max() == 0:
        raise RefusedError(
            tr("All control points are at one place."), tr("Give points that are far apart.")
        )
    return source, target


def _umeyama(source: FloatArray, target: FloatArray, with_scale: bool) -> tuple[float, FloatArray]:
    """Return scale and rotation between two patterns, Umeyama (1991), equations 40 to 43."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, d, vt = np.linalg.svd(b.T @ a)
    sign = np.ones(len(d))
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        sign[-1] = -1.0
    rotation: FloatArray = u @ np.diag(sign) @ vt
    scale = float((d * sign).sum() / (a**2).sum()) if with_scale else 1.0
    return scale, rotation
