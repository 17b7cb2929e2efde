"""Camera maths: every movement as a pure function from a camera to a camera.

Points are in the project CRS, float64; pixels have their origin at the lower left of the view.
The canvas maps mouse and keys to these functions.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from plumbline.core.data import Bounds, FloatArray
from plumbline.core.scene import Camera
from plumbline.geometry.rays import Ray

Direction = Literal["top", "bottom", "front", "back", "left", "right", "iso"]
Size = tuple[int, int]

#: From the focal point towards the camera, and what is up on the screen.
_LOOKS: dict[Direction, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "top": ((0, 0, 1), (0, 1, 0)),
    "bottom": ((0, 0, -1), (0, 1, 0)),
    "front": ((0, -1, 0), (0, 0, 1)),
    "back": ((0, 1, 0), (0, 0, 1)),
    "left": ((-1, 0, 0), (0, 0, 1)),
    "right": ((1, 0, 0), (0, 0, 1)),
    "iso": ((0.56, -0.56, 0.6), (0, 0, 1)),
}
#: The camera stays this far from straight up and straight down while it orbits, degrees.
_POLE = 0.2
#: Room around what is framed.
_MARGIN = 1.06


def _unit(vector: FloatArray) -> FloatArray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


def _triple(vector: FloatArray) -> tuple[float, float, float]:
    return (float(vector[0]), float(vector[1]), float(vector[2]))


def axes(camera: Camera) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return unit vectors (right, up, forward) of the view."""
    forward = _unit(np.subtract(camera.focal_point, camera.position))
    right = np.cross(forward, camera.view_up)
    if np.linalg.norm(right) < 1e-9:
        right = np.cross(forward, (0.0, 1.0, 0.0) if abs(forward[1]) < 0.9 else (1.0, 0.0, 0.0))
    right = _unit(right)
    return right, np.cross(right, forward), forward


def distance(camera: Camera) -> float:
    """Return the distance from camera to focal point, metres."""
    return float(np.linalg.norm(np.subtract(camera.focal_point, camera.position)))


def half_height(camera: Camera) -> float:
    """Return half of the height of the view at the focal point, metres."""
    if camera.parallel:
        return camera.parallel_scale
    return distance(camera) * math.tan(math.radians(camera.view_angle) / 2)


def ray(camera: Camera, x: float, y: float, size: Size) -> Ray:
    """Return the ray through a place on the screen.

    Parameters
    ----------
    x, y : float
        Pixels from the lower left corner; the centre of the first pixel is (0.5, 0.5).
    size : (width, height)
        Size of the view in the same pixels.
    """
    width, height = size
    right, up, forward = axes(camera)
    across = (2 * x - width) / height
    upward = (2 * y - height) / height
    origin = np.array(camera.position, dtype=np.float64)
    if camera.parallel:
        scale = camera.parallel_scale
        origin = origin + (across * right + upward * up) * scale
        return Ray(origin, forward, 2 * scale / height, 0.0, -np.inf)
    tangent = math.tan(math.radians(camera.view_angle) / 2)
    direction = forward + (across * right + upward * up) * tangent
    length = float(np.linalg.norm(direction))
    return Ray(origin, direction / length, 0.0, 2 * tangent / height / length)


def project(camera: Camera, points: FloatArray, size: Size) -> FloatArray:
    """Return ``(N, 3)``: pixel x, pixel y and depth along the view of points ``(N, 3)``."""
    width, height = size
    right, up, forward = axes(camera)
    offset = np.asarray(points, dtype=np.float64) - np.asarray(camera.position)
    depth = offset @ forward
    if camera.parallel:
        scale = np.full(len(depth), camera.parallel_scale)
    else:
        scale = depth * math.tan(math.radians(camera.view_angle) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = (offset @ right) / scale * height / 2 + width / 2
        y = (offset @ up) / scale * height / 2 + height / 2
    return np.column_stack([x, y, depth])


def metres_per_pixel(camera: Camera, point: tuple[float, float, float], height: int) -> float:
    """Return the size of a pixel at a point of the scene, metres."""
    if camera.parallel:
        return 2 * camera.parallel_scale / height
    depth = float(np.subtract(point, camera.position) @ axes(camera)[2])
    return 2 * abs(depth) * math.tan(math.radians(camera.view_angle) / 2) / height


#: What is farther than this many distances to the focal point, and than so many metres, is far.
FAR, NEVER_FAR = 2.5, 150.0


def footprint(camera: Camera, size: Size, low: float, high: float) -> FloatArray:
    """Return places ``(N, 3)`` around what is in view and not far, between two heights."""
    width, height = size
    near, far = (-1e6, 1e6) if camera.parallel else (0.0, max(FAR * distance(camera), NEVER_FAR))
    places = []
    for x in (0.0, width / 2, width):
        for y in (0.0, height / 2, height):
            line = ray(camera, x, y, size)
            start, rise = float(line.origin[2]), float(line.direction[2]) or 1e-12
            enters, leaves = sorted(((low - start) / rise, (high - start) / rise))
            enters, leaves = max(enters, near), min(leaves, far)
            if enters <= leaves:
                places += [line.at(enters), line.at(leaves)]
    return np.array(places).reshape(-1, 3)


def frame(camera: Camera, bounds: Bounds, aspect: float) -> Camera:
    """Return the camera moved along its view so that a box fills the picture.

    Parameters
    ----------
    aspect : float
        Width of the view by its height.
    """
    right, up, forward = axes(camera)
    corners = np.array(
        [
            [x, y, z]
            for x in (bounds.xmin, bounds.xmax)
            for y in (bounds.ymin, bounds.ymax)
            for z in (bounds.zmin, bounds.zmax)
        ]
    )
    offset = corners - bounds.center
    sides = (offset @ right, offset @ up)
    along = offset @ forward
    tangent = math.tan(math.radians(camera.view_angle) / 2)
    limits = (tangent * aspect / _MARGIN, tangent / _MARGIN)
    if camera.parallel:
        shift = [float(side.max() + side.min()) / 2 for side in sides]
        scale = max(float(np.ptp(sides[0])) / aspect, float(np.ptp(sides[1])), 1.0) / 2 * _MARGIN
        back = -max(bounds.diagonal, scale / tangent)
    else:
        # A corner lies inside the left border if side - shift >= -limit (along - back), and so on:
        # for each direction that gives the farthest `back` and the `shift` in the middle.
        low = [
            float((side + limit * along).min()) for side, limit in zip(sides, limits, strict=True)
        ]
        high = [
            float((side - limit * along).max()) for side, limit in zip(sides, limits, strict=True)
        ]
        pairs = list(zip(low, high, limits, strict=True))
        back = min((a - b) / (2 * limit) for a, b, limit in pairs)
        back = min(back, float(along.min()) - 1.0)
        shift = [(a + b) / 2 for a, b, _ in pairs]
        scale = -back * tangent
    focal = bounds.center + shift[0] * right + shift[1] * up
    return replace(
        camera,
        focal_point=_triple(focal),
        position=_triple(focal + back * forward),
        parallel_scale=float(scale),
    )


def look(camera: Camera, direction: Direction, bounds: Bounds, aspect: float) -> Camera:
    """Return a camera that looks at a box from one of the standard sides and frames it."""
    towards, up = _LOOKS[direction]
    center = bounds.center
    turned = replace(
        camera,
        focal_point=_triple(center),
        position=_triple(center + np.array(towards, dtype=np.float64)),
        view_up=up,
    )
    return frame(turned, bounds, aspect)


def set_parallel(camera: Camera, parallel: bool) -> Camera:
    """Return the camera in the other projection, with the focal point at the same size."""
    if parallel == camera.parallel:
        return camera
    if parallel:
        return replace(camera, parallel=True, parallel_scale=half_height(camera))
    away = camera.parallel_scale / math.tan(math.radians(camera.view_angle) / 2)
    position = np.array(camera.focal_point) - axes(camera)[2] * away
    return replace(camera, parallel=False, position=_triple(position))


def orbit(camera: Camera, pivot: tuple[float, float, float], turn: float, tilt: float) -> Camera:
    """Return the camera turned around a pivot, which stays where it is on the screen.

    Parameters
    ----------
    turn : float
        Degrees around the vertical, positive counterclockwise seen from above.
    tilt : float
        Degrees up (positive) or down; stops short of straight up and straight down.
    """
    _, up, forward = axes(camera)
    pitch = math.degrees(math.asin(max(-1.0, min(1.0, float(forward[2])))))
    limit = 90 - _POLE
    tilt = max(-limit, min(limit, pitch - tilt)) - pitch
    # Looking straight down, the horizontal heading is that of the screen's up.
    heading = forward if abs(forward[2]) < 0.9999 else up * -np.sign(forward[2])
    side = _unit(np.array([heading[1], -heading[0], 0.0]))
    matrix = _rotation((0.0, 0.0, 1.0), turn) @ _rotation(_triple(side), tilt)
    center = np.array(pivot, dtype=np.float64)
    new_forward = matrix @ forward
    new_up = np.cross(matrix @ side, new_forward)
    return replace(
        camera,
        position=_triple(center + matrix @ (np.array(camera.position) - center)),
        focal_point=_triple(center + matrix @ (np.array(camera.focal_point) - center)),
        view_up=(0.0, 0.0, 1.0) if abs(new_forward[2]) < 0.999 else _triple(new_up),
    )


def pan(
    camera: Camera,
    anchor: tuple[float, float, float],
    start: tuple[float, float],
    end: tuple[float, float],
    size: Size,
) -> Camera:
    """Return the camera moved across its view so that a point follows the cursor.

    Parameters
    ----------
    anchor : (x, y, z)
        Point of the scene that was under the cursor at `start`.
    start, end : (x, y)
        Pixels.
    """
    right, up, _ = axes(camera)
    scale = metres_per_pixel(camera, anchor, size[1])
    shift = (start[0] - end[0]) * scale * right + (start[1] - end[1]) * scale * up
    return _moved(camera, shift)


def zoom_to(camera: Camera, anchor: tuple[float, float, float], factor: float) -> Camera:
    """Return the camera nearer to a point, which stays where it is on the screen.

    Parameters
    ----------
    factor : float
        More than 1 zooms in: the distance to the point is divided by it.
    """
    point = np.array(anchor, dtype=np.float64)
    share = 1 - 1 / factor
    position = np.array(camera.position, dtype=np.float64)
    if camera.parallel:
        right, up, _ = axes(camera)
        offset = point - np.array(camera.position)
        moved = _moved(camera, ((offset @ right) * right + (offset @ up) * up) * share)
        return replace(moved, parallel_scale=camera.parallel_scale / factor)
    new_position = position + (point - position) * share
    forward = axes(camera)[2]
    # The focal point keeps to the depth of the anchor, so that the next orbit turns about it.
    depth = max(float((point - new_position) @ forward), 0.1)
    return replace(
        camera, position=_triple(new_position), focal_point=_triple(new_position + forward * depth)
    )


def walk(camera: Camera, forward: float, right: float = 0.0, up: float = 0.0) -> Camera:
    """Return the camera moved horizontally along its heading, sideways and vertically, metres."""
    side, upward, ahead = axes(camera)
    flat = ahead if abs(ahead[2]) < 0.999 else upward * -np.sign(ahead[2])
    heading = _unit(np.array([flat[0], flat[1], 0.0]))
    return _moved(camera, heading * forward + side * right + np.array([0.0, 0.0, up]))


def fly(camera: Camera, forward: float, right: float = 0.0, up: float = 0.0) -> Camera:
    """Return the camera moved along its line of sight, sideways and upwards on screen, metres."""
    side, upward, ahead = axes(camera)
    return _moved(camera, ahead * forward + side * right + upward * up)


def turn_head(camera: Camera, turn: float, tilt: float) -> Camera:
    """Return the camera turned about itself, degrees to the left and upwards."""
    return orbit(camera, camera.position, turn, -tilt)


def interpolate(a: Camera, b: Camera, share: float) -> Camera:
    """Return a camera between two, eased at both ends; distances change by equal factors."""
    s = share * share * (3 - 2 * share)
    focal = np.array(a.focal_point) * (1 - s) + np.array(b.focal_point) * s
    away = distance(a) ** (1 - s) * distance(b) ** s
    back = _unit(-axes(a)[2] * (1 - s) - axes(b)[2] * s)
    if np.linalg.norm(back) == 0:  # exactly opposite views have no way between them
        return b if s > 0.5 else a
    up = axes(a)[1] * (1 - s) + axes(b)[1] * s
    return (
        replace(
            b,
            position=_triple(focal + back * away),
            focal_point=_triple(focal),
            view_up=_triple(_unit(up)),
            parallel_scale=a.parallel_scale ** (1 - s) * b.parallel_scale**s,
            view_angle=a.view_angle * (1 - s) + b.view_angle * s,
        )
        if 0 < share < 1
        else (b if share >= 1 else a)
    )


def azimuth(camera: Camera) -> float:
    """Return the heading of the view, degrees clockwise from grid north, 0..360."""
    _, up, forward = axes(camera)
    heading = forward if abs(forward[2]) < 0.999 else up * -np.sign(forward[2])
    return math.degrees(math.atan2(heading[0], heading[1])) % 360


def _moved(camera: Camera, shift: FloatArray) -> Camera:
    return replace(
        camera,
        position=_triple(np.add(camera.position, shift)),
        focal_point=_triple(np.add(camera.focal_point, shift)),
    )


def _rotation(axis: tuple[float, float, float], degrees: float) -> FloatArray:
    """Return the matrix ``(3, 3)`` of a right-handed turn about a unit axis (Rodrigues)."""
    x, y, z = axis
    angle = math.radians(degrees)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix: FloatArray = (
        np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)
    )
    return matrix
