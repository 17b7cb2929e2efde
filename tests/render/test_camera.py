"""Camera maths: what is under the cursor stays there."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from plumbline.core.data import Bounds
from plumbline.core.scene import Camera
from plumbline.render import camera as moves

CENTER = np.array([555_000.0, 3_990_000.0, 40.0])
SIZE = (1600, 1000)


def triple(v: np.ndarray) -> tuple[float, float, float]:
    return (float(v[0]), float(v[1]), float(v[2]))


def view(dx: float = 300, dy: float = -400, dz: float = 250, **options: object) -> Camera:
    return Camera(triple(CENTER + (dx, dy, dz)), triple(CENTER), **options)  # type: ignore[arg-type]


VIEWS = [view(), view(-50, 20, 700), view(parallel=True, parallel_scale=180), view(0, -300, 10)]


@pytest.mark.parametrize("camera", VIEWS)
def test_rays_go_through_what_they_project(camera: Camera) -> None:
    rng = np.random.default_rng(0)
    points = CENTER + rng.uniform(-60, 60, (50, 3))
    for point, (x, y, depth) in zip(points, moves.project(camera, points, SIZE), strict=True):
        ray = moves.ray(camera, x, y, SIZE)
        t = float((point - ray.origin) @ ray.direction)
        assert np.abs(ray.at(t) - point).max() < 1e-6
        assert depth > 0
        assert ray.pixel(t) == pytest.approx(
            moves.metres_per_pixel(camera, triple(point), SIZE[1]), rel=1e-9
        )


@pytest.mark.parametrize("camera", VIEWS)
def test_orbit_keeps_the_pivot_on_its_pixel(camera: Camera) -> None:
    pivot = triple(CENTER + (30, 10, -5))
    before = moves.project(camera, np.array([pivot]), SIZE)
    for turn, tilt in itertools.product((-70, 15, 180), (-20, 0, 12)):
        after = moves.orbit(camera, pivot, turn, tilt)
        assert moves.project(after, np.array([pivot]), SIZE) == pytest.approx(before, abs=1e-5)
        assert moves.distance(after) == pytest.approx(moves.distance(camera))


def test_orbit_turns_counterclockwise_and_upwards() -> None:
    camera = view(0, -500, 0)
    turned = moves.orbit(camera, triple(CENTER), 90, 0)
    assert np.subtract(turned.position, CENTER) == pytest.approx([500, 0, 0], abs=1e-6)
    raised = moves.orbit(camera, triple(CENTER), 0, 30)
    assert np.subtract(raised.position, CENTER)[2] == pytest.approx(250)


def test_orbit_stops_short_of_the_poles_and_comes_back() -> None:
    camera = view()
    over = moves.orbit(camera, camera.focal_point, 0, 500)
    assert 89 < np.degrees(np.arcsin(-moves.axes(over)[2][2])) < 90
    back = moves.orbit(over, over.focal_point, 0, -60)
    assert moves.azimuth(back) == pytest.approx(moves.azimuth(camera), abs=1e-6)


def test_orbit_from_straight_above_keeps_the_heading() -> None:
    box = Bounds(*triple(CENTER - 100), *triple(CENTER + 100))
    top = moves.look(view(), "top", box, 1.6)
    assert moves.azimuth(top) == pytest.approx(0)
    tilted = moves.orbit(top, top.focal_point, 0, -40)
    assert moves.azimuth(tilted) == pytest.approx(0, abs=1e-6)
    assert tilted.position[1] < top.position[1], "the camera comes down in the south"


@pytest.mark.parametrize("camera", VIEWS)
def test_pan_carries_the_point_with_the_cursor(camera: Camera) -> None:
    anchor = np.array([CENTER + (12, -7, 3)])
    x, y, _ = moves.project(camera, anchor, SIZE)[0]
    after = moves.pan(camera, triple(anchor[0]), (x, y), (x + 140, y - 60), SIZE)
    assert moves.project(after, anchor, SIZE)[0, :2] == pytest.approx([x + 140, y - 60], abs=1e-5)


@pytest.mark.parametrize("camera", VIEWS)
def test_zoom_keeps_the_point_on_its_pixel_and_scales(camera: Camera) -> None:
    anchor = np.array([CENTER + (12, -7, 3)])
    before = moves.project(camera, anchor, SIZE)[0]
    after = moves.zoom_to(camera, triple(anchor[0]), 2.0)
    assert moves.project(after, anchor, SIZE)[0, :2] == pytest.approx(before[:2], abs=1e-5)
    half = moves.metres_per_pixel(camera, triple(anchor[0]), SIZE[1]) / 2
    assert moves.metres_per_pixel(after, triple(anchor[0]), SIZE[1]) == pytest.approx(half)


@pytest.mark.parametrize("direction", ["top", "bottom", "front", "back", "left", "right", "iso"])
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("aspect", [0.5, 1.6])
def test_looks_frame_the_box(direction: moves.Direction, parallel: bool, aspect: float) -> None:
    box = Bounds(*triple(CENTER - (400, 250, 10)), *triple(CENTER + (400, 250, 90)))
    camera = moves.look(view(parallel=parallel), direction, box, aspect)
    corners = np.array(list(itertools.product(*zip(box.low, box.high, strict=True))))
    size = (round(1000 * aspect), 1000)
    x, y, depth = moves.project(camera, corners, size).T
    assert (depth > 0).all()
    assert x.min() >= 0
    assert x.max() <= size[0]
    assert y.min() >= 0
    assert y.max() <= size[1]
    fill = max(np.ptp(x) / size[0], np.ptp(y) / size[1])
    assert fill > 0.9, "the box fills the view in one direction"
    middle = (x.max() + x.min()) / 2, (y.max() + y.min()) / 2
    assert middle == pytest.approx((size[0] / 2, size[1] / 2), rel=0.1)


def test_standard_sides_look_where_they_say() -> None:
    box = Bounds(*triple(CENTER - 100), *triple(CENTER + 100))
    headings = {"front": 0, "right": 270, "back": 180, "left": 90, "iso": 315}
    for name, expected in headings.items():
        camera = moves.look(view(), name, box, 1.6)  # type: ignore[arg-type]
        assert moves.azimuth(camera) == pytest.approx(expected)


def test_projections_agree_at_the_focal_point() -> None:
    camera = view()
    flat = moves.set_parallel(camera, True)
    point = camera.focal_point
    scale = moves.metres_per_pixel(camera, point, 1000)
    assert moves.metres_per_pixel(flat, point, 1000) == pytest.approx(scale)
    zoomed = moves.zoom_to(flat, point, 4)
    back = moves.set_parallel(zoomed, False)
    assert moves.metres_per_pixel(back, point, 1000) == pytest.approx(scale / 4)
    assert moves.set_parallel(back, False) is back


def test_walking_keeps_the_height_and_flying_follows_the_view() -> None:
    camera = view()
    walked = moves.walk(camera, 10)
    step = np.subtract(walked.position, camera.position)
    assert step[2] == pytest.approx(0)
    assert np.linalg.norm(step) == pytest.approx(10)
    flown = moves.fly(camera, 10)
    assert np.subtract(flown.position, camera.position) == pytest.approx(10 * moves.axes(camera)[2])
    assert moves.walk(camera, 0, up=3).position[2] == pytest.approx(camera.position[2] + 3)


def test_turning_the_head_stays_in_place() -> None:
    camera = view()
    turned = moves.turn_head(camera, 30, 10)
    assert turned.position == pytest.approx(camera.position)
    assert moves.azimuth(turned) == pytest.approx(moves.azimuth(camera) - 30)
    assert moves.axes(turned)[2][2] > moves.axes(camera)[2][2]


def test_easing_starts_and_ends_where_it_should() -> None:
    a, b = view(), view(-900, 100, 60, view_angle=40.0)
    assert moves.interpolate(a, b, 0) == a
    assert moves.interpolate(a, b, 1) == b
    middle = moves.interpolate(a, b, 0.5)
    assert moves.distance(middle) == pytest.approx(np.sqrt(moves.distance(a) * moves.distance(b)))
    opposite = view(-300, 400, -250)
    for share in (0.2, 0.5, 0.8):
        assert np.isfinite(moves.interpolate(a, opposite, share).position).all()


def test_the_footprint_is_what_is_seen_between_two_heights_and_not_far() -> None:
    down = Camera((0, 0, 500), (0, 0, 0), (0, 1, 0), True, 50.0)
    places = moves.footprint(down, (200, 100), 0.0, 20.0)
    assert places.min(axis=0) == pytest.approx([-100, -50, 0])
    assert places.max(axis=0) == pytest.approx([100, 50, 20])
    # From eye height to the horizon: as far as matters, and no higher than the scene.
    level = Camera((0, 0, 2), (0, 100, 2))
    places = moves.footprint(level, (200, 100), 0.0, 20.0)
    assert places[:, 1].max() == pytest.approx(moves.FAR * 100, rel=1e-6)
    assert places[:, 2].max() <= 20.0 + 1e-9
    # Only sky in view.
    assert len(moves.footprint(Camera((0, 0, 50), (0, 10, 90)), (200, 100), 0.0, 20.0)) == 0
