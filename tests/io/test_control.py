"""Local grids and floating models brought into place by control points."""

from __future__ import annotations

import math
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
import trimesh
from scipy.spatial.transform import Rotation

from plumbline.core.crs import parse_crs
from plumbline.core.data import VectorData
from plumbline.core.errors import InputError, RefusedError, UsageError
from plumbline.geometry.similarity import fit_plane, fit_space
from plumbline.io import load

RNG = np.random.default_rng(5)
LOCAL = RNG.uniform(0, 800, (6, 3))
SHIFT = np.array([40_534_000.0, 3_993_000.0, 12.5])


def turned(points: np.ndarray, angle: float, scale: float) -> np.ndarray:
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    flat = scale * points[:, :2] @ np.array([[c, -s], [s, c]]).T
    return np.column_stack([flat, points[:, 2]]) + SHIFT


def test_four_parameters_are_found_to_the_millionth() -> None:
    fit = fit_plane(LOCAL, turned(LOCAL, 33.4, 1.000_25))
    assert fit.turn == pytest.approx(33.4, abs=1e-9)
    assert fit.scale == pytest.approx(1.000_25, abs=1e-10)
    assert fit.rms < 1e-7
    points = RNG.uniform(-100, 900, (50, 3))
    assert fit.apply(points) == pytest.approx(turned(points, 33.4, 1.000_25), abs=1e-6)


def test_two_points_without_heights_are_enough() -> None:
    source = np.column_stack([LOCAL[:2, :2], np.full(2, np.nan)])
    target = turned(LOCAL[:2], -5, 1.0)
    target[:, 2] = np.nan
    fit = fit_plane(source, target, with_scale=False)
    assert fit.scale == 1
    moved = fit.apply(LOCAL)
    assert moved[:, :2] == pytest.approx(turned(LOCAL, -5, 1.0)[:, :2], abs=1e-6)
    assert moved[:, 2] == pytest.approx(LOCAL[:, 2])


def test_seven_parameters_agree_with_scipy() -> None:
    rotation = Rotation.from_euler("xyz", [0.4, -0.9, 25], degrees=True)
    target = 0.9998 * rotation.apply(LOCAL) + SHIFT
    fit = fit_space(LOCAL, target)
    assert fit.apply(LOCAL) == pytest.approx(target, abs=1e-6)
    middle = [LOCAL - LOCAL.mean(axis=0), target - target.mean(axis=0)]
    other, _ = Rotation.align_vectors(middle[1], middle[0])
    assert fit.rotation == pytest.approx(other.as_matrix(), abs=1e-9)


def test_a_bad_point_shows_in_the_residuals() -> None:
    target = turned(LOCAL, 10, 1)
    target[2] += [0.5, 0, 0]
    fit = fit_plane(LOCAL, target)
    worst = np.linalg.norm(fit.residuals, axis=1)
    assert worst.argmax() == 2
    assert fit.residuals.sum(axis=0) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_points_are_refused(n: int) -> None:
    with pytest.raises(RefusedError):
        fit_plane(LOCAL[:n], LOCAL[:n])
    with pytest.raises(RefusedError):
        fit_space(LOCAL[: n + 1], LOCAL[: n + 1])


def test_points_at_one_place_or_on_one_line_are_refused() -> None:
    with pytest.raises(RefusedError):
        fit_plane(np.zeros((3, 3)), LOCAL[:3])
    line = np.outer(np.arange(4.0), [1.0, 2.0, 3.0])
    with pytest.raises(RefusedError):
        fit_space(line, line)


# -- files -----------------------------------------------------------------------------------


def write_control(path: Path, source: np.ndarray, target: np.ndarray) -> None:
    rows = [",".join(repr(float(v)) for v in (*a, *b)) for a, b in zip(source, target, strict=True)]
    path.write_text("x,y,z,to_x,to_y,to_z\n" + "\n".join(rows), encoding="utf-8")


def test_a_model_in_a_local_grid_is_put_into_the_citys(tmp_path: Path) -> None:
    mesh = trimesh.creation.box((30, 20, 10))
    mesh.apply_translation([400, 300, 5])
    mesh.export(tmp_path / "楼.ply")
    write_control(tmp_path / "控制点.csv", LOCAL, turned(LOCAL, 33.4, 1.000_25))
    options = {"control": "控制点.csv"}
    (layer,) = load(
        tmp_path / "楼.ply", options, crs="EPSG:4528", target_crs=parse_crs("EPSG:4528")
    )
    expected = turned(np.asarray(mesh.vertices, dtype=np.float64), 33.4, 1.000_25)
    found = layer.data.vertices  # type: ignore[union-attr]
    assert np.sort(found, axis=0) == pytest.approx(np.sort(expected, axis=0), abs=1e-6)
    assert layer.metadata["control"]["turn"] == pytest.approx(33.4)
    assert layer.metadata["control"]["rms"] < 1e-6
    assert layer.source is not None
    assert layer.source.options == options
    assert not [w for w in layer.warnings if "residual" in w]


def test_features_too_and_bad_control_is_told(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.box(0, 0, 10, 20)], crs=4326)
    frame.to_file(tmp_path / "a.gpkg")
    target = turned(LOCAL, 90, 1)
    target[0, 0] += 2
    write_control(tmp_path / "c.csv", LOCAL, target)
    (layer,) = load(tmp_path / "a.gpkg", {"control": "c.csv", "control_fit": "3"}, crs="EPSG:4528")
    assert isinstance(layer.data, VectorData)
    assert layer.data.features.crs == parse_crs("EPSG:4528")
    assert layer.data.features.area.iloc[0] == pytest.approx(200, rel=1e-6)
    assert any("residual" in warning for warning in layer.warnings)


@pytest.mark.parametrize(
    "text", ["", "x,y\n1,2", "x,y,to_x,to_y\n1,2,3,x", "x,y,to_x,to_y\n1,2,3,4"]
)
def test_tables_that_fix_nothing_are_refused(tmp_path: Path, text: str) -> None:
    trimesh.creation.box().export(tmp_path / "a.ply")
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    with pytest.raises((InputError, RefusedError)):
        load(tmp_path / "a.ply", {"control": "c.csv"})
    with pytest.raises(UsageError):
        load(tmp_path / "a.ply", {"control": "../c.csv"})
