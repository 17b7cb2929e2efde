"""Cut and fill between surfaces of every kind."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests.plugins.volume_scenes import X, Y, cloud, mesh, raster, scene, sheet, square, values

from plumbline import api
from plumbline.api import RefusedError, UsageError


def test_cut_and_fill_of_a_terrace(tmp_path: Path) -> None:
    held = scene()
    x = np.mgrid[0:40, 0:40][1]
    slope = 20 + 0.25 * (x - 19.5)
    raster(held, tmp_path, "before", slope)
    raster(held, tmp_path, "after", np.full((40, 40), 20.0))
    result = api.run("volume.cutfill", held, before="before", after="after")
    found = values(result)
    moved = np.maximum(slope - 20, 0).sum()
    assert found["cut"] == pytest.approx(moved)
    assert found["fill"] == pytest.approx(moved)
    assert found["net"] == pytest.approx(0.0, abs=1e-9)
    assert found["balance_height"] == pytest.approx(20.0)
    assert found["balance_volume"] == pytest.approx(moved)
    assert found["unchanged_area"] == 0
    # The surfaces meet in one line, from the north to the south, half a cell short of each border.
    line = result.layers["balance_line"].data.features.geometry.iloc[0]
    assert line.length == pytest.approx(39.0)
    assert np.ptp(np.asarray(line.coords)[:, 0]) == pytest.approx(0.0, abs=1e-6)
    assert line.coords[0][0] == pytest.approx(X + 20.0)
    difference = result.layers["difference"].data
    assert difference.values == pytest.approx(20 - slope)
    assert difference.transform == held["before"].data.transform
    table = result.tables["histogram"]
    assert sum(row[2] for row in table.rows) == pytest.approx(1600)
    assert result.figures["histogram"].startswith(b"\x89PNG")


def test_the_level_of_detection_hides_noise_and_says_what_it_may_hide(tmp_path: Path) -> None:
    held = scene()
    random = np.random.default_rng(2)
    noise = random.normal(0, 0.02, (60, 60))
    pit = np.zeros((60, 60))
    pit[20:30, 20:30] = -2.0
    raster(held, tmp_path, "before", np.full((60, 60), 8.0))
    raster(held, tmp_path, "after", 8 + noise + pit)
    asked = {"before": "before", "after": "after"}
    found = values(api.run("volume.cutfill", held, **asked, level_of_detection=0.1))
    assert found["cut"] == pytest.approx(200.0, rel=2e-3)
    assert found["fill"] == 0
    assert found["unchanged_area"] == pytest.approx(3500)
    assert found["error"] == pytest.approx(0.1 * 100)
    bare = values(api.run("volume.cutfill", held, **asked))
    assert bare["fill"] > 20
    assert bare["unchanged_area"] == 0


def test_a_raster_and_a_cloud_and_a_mesh_are_compared(tmp_path: Path) -> None:
    held = scene()
    random = np.random.default_rng(5)
    raster(held, tmp_path, "ground", np.full((60, 60), 10.0))
    x, y = random.uniform(0, 60, (2, 120_000))
    heap = np.maximum(0, 5 - 0.5 * np.hypot(x - 30, y - 30))
    cloud(held, "survey", np.column_stack([x, y - 60, 10 + heap + random.normal(0, 0.03, len(x))]))
    cone = sheet(lambda u, v: 12 + np.maximum(0, 4 - 0.5 * np.hypot(u, v)), 25.0, 0.25)
    mesh(held, "plan", cone, at=(X + 30, Y - 30, 0.0))
    around = {"polygon": square(8, -52, 52, -8)}
    built = api.run("volume.cutfill", held, before="ground", after="survey", **around)
    cone_volume = math.pi * 100 * 5 / 3
    error = abs(built.values["net"].value - cone_volume)
    assert error <= built.values["net"].uncertainty
    assert built.values["net"].uncertainty < 0.02 * cone_volume
    planned = values(api.run("volume.cutfill", held, before="ground", after="plan", **around))
    volume = 44 * 44 * 2 + math.pi * 64 * 4 / 3
    assert planned["net"] == pytest.approx(volume, rel=1e-3)
    assert planned["cut"] == 0
    assert planned["cell_size"] == pytest.approx(1.0)


def test_surfaces_of_different_grids_share_the_first_one(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "before", np.full((30, 30), 2.0), 2.0)
    raster(held, tmp_path, "after", np.full((80, 80), 3.0), 0.5)
    result = api.run("volume.cutfill", held, before="before", after="after")
    # What is common: 40 m of 60.
    assert result.values["net"].value == pytest.approx(1600.0)
    assert result.layers["difference"].data.values.shape == (30, 30)
    swapped = api.run("volume.cutfill", held, before="after", after="before")
    assert swapped.values["net"].value == pytest.approx(-1600.0)
    assert swapped.values["cell_size"].value == pytest.approx(0.5)


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "before", np.full((30, 30), 2.0))
    cloud(held, "far", np.random.default_rng(1).uniform(500, 600, (1000, 3)))
    with pytest.raises(UsageError, match="same layer"):
        api.run("volume.cutfill", held, before="before", after="before")
    with pytest.raises(RefusedError, match="no place in common"):
        api.run("volume.cutfill", held, before="before", after="far")
    z = np.full((30, 30), np.nan)
    z[0, 0] = 1.0
    raster(held, tmp_path, "empty", z)
    with pytest.raises(RefusedError, match="no heights in common"):
        api.run(
            "volume.cutfill", held, before="before", after="empty",
            polygon=square(10, -20, 20, -10),
        )  # fmt: skip
