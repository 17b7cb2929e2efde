"""What follows from a camera and what it sees: clipping range, size of pixels, scale, heading."""

from __future__ import annotations

import numpy as np

from plumbline.core.errors import RefusedError
from plumbline.core.georeference import Georeference
from plumbline.core.scene import Camera
from plumbline.render import camera as moves
from plumbline.render.effects import Bounds6

#: Pixels of the desktop that a scale bar has at most.
SCALE_BAR = 120


def clipping_range(
    camera: Camera, box: Bounds6 | None, georeference: Georeference
) -> tuple[float, float]:
    """Return near and far distance that hold everything that is drawn.

    Parameters
    ----------
    box : tuple of float, optional
        xmin, xmax, ymin, ymax, zmin, zmax of all that is drawn, scene coordinates.
    """
    away = moves.distance(camera)
    if box is None:
        return away * 0.01, away * 10
    corners = np.array([[x, y, z] for x in box[:2] for y in box[2:4] for z in box[4:]])
    corners = georeference.to_project(corners)
    depth = (corners - np.array(camera.position)) @ moves.axes(camera)[2]
    # What is drawn nearer to the viewer than it lies, as marks are, is not to be cut off.
    margin = 0.01 * float(np.ptp(depth)) + 5.0
    near, far = float(depth.min()) - margin, float(depth.max()) + margin
    if camera.parallel:
        return near, max(far, near + 1.0)
    # Depth is stored unevenly: of what is very near some is given up.
    near = max(near, min(away * 0.02, 0.5), far * 1e-4, 0.05)
    return near, max(far, near * 1.1)


def pixel_size(
    camera: Camera, height: int, box: tuple[float, ...], georeference: Georeference
) -> float:
    """Return the size of a pixel at the near side of a box, metres.

    Parameters
    ----------
    height : int
        Of the picture, pixels.
    box : tuple of float
        xmin, xmax, ymin, ymax, zmin, zmax, scene coordinates.
    """
    if camera.parallel:
        return 2 * camera.parallel_scale / height
    eye = georeference.to_local(np.array(camera.position))
    sides = np.array(box).reshape(3, 2)
    outside = np.maximum(np.maximum(sides[:, 0] - eye, eye - sides[:, 1]), 0.0)
    # Inside of a cloud the focal point says what is looked at.
    away = max(float(np.linalg.norm(outside)), 0.6 * moves.distance(camera))
    return 2 * away * float(np.tan(np.radians(camera.view_angle) / 2)) / height


def scale_bar(
    camera: Camera, height: int, pixel_ratio: float, georeference: Georeference
) -> tuple[float, float]:
    """Return a round length in metres and how many pixels it has at the focal point."""
    pixel = moves.metres_per_pixel(camera, camera.focal_point, height)
    crs = georeference.crs
    if crs is not None and crs.is_projected:  # which may count in feet
        pixel *= crs.axis_info[0].unit_conversion_factor
    wanted = SCALE_BAR * pixel_ratio * pixel
    power = 10.0 ** np.floor(np.log10(wanted))
    metres = float(max(step * power for step in (1, 2, 5) if step * power <= wanted))
    return metres, metres / pixel


def heading(camera: Camera, georeference: Georeference) -> float:
    """Return the azimuth of a view from true north, degrees clockwise, 0..360.

    Where the project is not tied to the earth, grid north stands for it.
    """
    x, y, _ = camera.focal_point
    try:
        convergence = georeference.convergence(x, y)
    except RefusedError:
        convergence = 0.0
    return (moves.azimuth(camera) + convergence) % 360
