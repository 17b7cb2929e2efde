"""200 clicks in the real window against float64 ray casting that knows nothing of the renderer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from sightline_scenes import X, Y, bodies, box, terrain

from plumbline.api import (
    Camera,
    Georeference,
    Layer,
    LayerKind,
    MeshData,
    Pick,
    PointCloudData,
    parse_crs,
)

from .hand import LEFT, NONE, Hand, live

CLICKS = 200
#: Height of the ground at the foot, and how it rises to the east.
BASE, RISE = 10.0, 0.08


def ray(camera: Camera, x: float, y: float, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return eye and unit direction through the middle of a pixel, origin at the lower left."""
    eye, focal = np.array(camera.position), np.array(camera.focal_point)
    ahead = (focal - eye) / np.linalg.norm(focal - eye)
    right = np.cross(ahead, camera.view_up)
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    half = np.tan(np.radians(camera.view_angle) / 2)
    across = (2 * (x + 0.5) / size[0] - 1) * half * size[0] / size[1]
    above = (2 * (y + 0.5) / size[1] - 1) * half
    way = ahead + across * right + above * up
    return eye, way / np.linalg.norm(way)


def nearest_triangle(eye: np.ndarray, way: np.ndarray, corners: np.ndarray) -> float:
    """Return the distance to the first of triangles ``(N, 3, 3)``; inf if there is none."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    matrix = np.stack([np.broadcast_to(-way, a.shape), a, b], axis=2)
    det = np.linalg.det(matrix)
    safe = np.abs(det) > 1e-12
    matrix[~safe] = np.eye(3)
    t, u, v = np.linalg.solve(matrix, (eye - corners[:, 0])[:, :, None])[:, :, 0].T
    met = safe & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return float(t[met].min()) if met.any() else np.inf


def layers(folder: Path) -> list[Layer]:
    """Return a slope as raster, triangles in the air, turned boxes as BIM, and a cloud."""
    rng, crs = np.random.default_rng(11), parse_crs("EPSG:4549")
    place = np.array([X, Y, BASE])
    west = X - 150 + 2.0 * (np.arange(150) + 0.5)
    slope = np.tile(BASE + RISE * (west - X), (150, 1))
    ground = terrain(folder, slope, cell=2.0, corner=(X - 150, Y + 150))
    middle = place + rng.uniform((-60, -50, 5), (0, 60, 30), (250, 3))
    soup = (middle[:, None] + rng.normal(0, 3, (250, 3, 3))).reshape(-1, 3)
    mesh = Layer("mesh", "mesh", LayerKind.MESH, MeshData(soup, np.arange(750).reshape(-1, 3)), crs)
    parts = {}
    for n in range(12):
        turn = rng.uniform(0, np.pi)
        spin = np.array(
            [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
        )
        corners, faces = box((-5, -3, 0), (5, 3, rng.uniform(6, 25)))
        parts[f"w{n}"] = (corners @ spin.T + place + rng.uniform((5, -50, 3), (65, 50, 6)), faces)
    points = place + rng.uniform((-40, -60, 15), (50, 60, 45), (20_000, 3))
    cloud = Layer("cloud", "cloud", LayerKind.POINTCLOUD, PointCloudData(points), crs)
    return [ground, mesh, bodies(parts, "bim", classes=dict.fromkeys(parts, "IfcWall")), cloud]


def test_200_clicks_meet_the_visible_surface_to_its_depth(hand: Hand, tmp_path: Path) -> None:
    """Each click gives what is in front, where the ray meets it, and never what lies behind."""
    canvas, scene = hand.window.canvas, hand.window.scene
    scene.set_georeference(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    made = {layer.id: scene.add(layer) or layer for layer in layers(tmp_path)}
    solids = {n: made[n].data.vertices[made[n].data.triangles] for n in ("mesh", "bim")}
    points = made["cloud"].data.points
    hand.rest(60)
    camera = Camera((X + 20.0, Y - 170.0, 150.0), (X, Y, BASE))
    canvas.go_to(camera, ease=False)
    canvas.tool_active = True
    hand.rest(60)
    clicked: list[Pick] = []
    canvas.tool.clicked.connect(clicked.append)
    rng, met = np.random.default_rng(5), dict.fromkeys((*solids, "cloud", "terrain"), 0)
    last = QPoint(0, 0)
    # Beside what floats above the canvas: legend on the left, navigation on the right.
    low, high = (270, 130), (canvas.width() - 90, canvas.height() - 60)
    while len(clicked) < CLICKS:
        place = QPoint(*(int(v) for v in rng.integers(low, high)))
        if (place - last).manhattanLength() < 20:
            continue  # two clicks there would be a double click
        last, count = place, len(clicked)
        handle, where = hand._at(canvas.interactor, place)
        QTest.mouseClick(handle, LEFT, NONE, where)
        hand.wait_until(lambda count=count: len(clicked) > count, 20)
        pick = clicked[-1]
        met[pick.layer] += 1
        size = canvas.view.size
        eye, way = ray(camera, *canvas.pixel(place.toPointF()), size)
        fronts = {n: nearest_triangle(eye, way, corners) for n, corners in solids.items()}
        # The bilinear surface of a slope is the slope.
        fronts["terrain"] = (BASE + RISE * (eye[0] - X) - eye[2]) / (way[2] - RISE * way[0])
        front = min(fronts.values())
        pixel = 2 * np.tan(np.radians(camera.view_angle) / 2) / size[1]
        offset = points - eye
        along = offset @ way
        beside = np.linalg.norm(offset - along[:, None] * way, axis=1) / (pixel * along)
        if pick.layer == "cloud":
            which = int(np.argmin(np.abs(points - pick.position).sum(axis=1)))
            assert np.abs(points[which] - pick.position).max() < 1e-9, "a point of the cloud"
            assert beside[which] < 8, "under the cursor"
            assert along[which] <= front + 1.01 * pixel * along[which], "not behind the surface"
            continue
        assert fronts[pick.layer] == front, "what is in front"
        assert np.abs(eye + front * way - pick.position).max() < 1e-6, "where the ray meets it"
        assert not ((along < front) & (beside < 0.5)).any(), "no point of the cloud before it"
    live(50)
    assert len(clicked) == CLICKS
    assert min(met.values()) >= 10, met
    assert canvas.camera() == camera


def test_the_caster_of_this_test_knows_a_box() -> None:
    """The reference itself, on a box of which the answer is plain."""
    corners, faces = box((-1, -1, -1), (1, 1, 1))
    eye, way = np.array([0.25, -9.0, 0.5]), np.array([0.0, 1.0, 0.0])
    assert nearest_triangle(eye, way, corners[faces]) == pytest.approx(8.0)
    assert nearest_triangle(eye, -way, corners[faces]) == np.inf
