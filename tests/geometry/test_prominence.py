"""Prominence against hills made for it."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.geometry.prominence import peaks


def test_a_chain_of_peaks_by_hand() -> None:
    # Peaks 9, 7, 8 with saddles 2 (between 9 and 7) and 5 (between 7 and 8), lowest 1.
    line = np.array([[1.0, 9, 2, 7, 5, 8, 3]])
    found = peaks(line)
    assert line.ravel()[found.cell].tolist() == [9, 8, 7]
    assert found.prominence.tolist() == [8, 6, 2]
    assert line.ravel()[found.saddle].tolist() == [1, 2, 5]
    assert peaks(line, least=2).cell.tolist() == [1, 5]


def test_two_cones_meet_where_they_must() -> None:
    # Cones of slope 1, tops 100 and 80 m, 60 m apart: they meet at 60 m, (100 + 80 - 60) / 2.
    y, x = np.mgrid[0:101, 0:161].astype(float)
    one, two = 100 - np.hypot(x - 40, y - 50), 80 - np.hypot(x - 100, y - 50)
    heights = np.maximum(one, two)
    found = peaks(heights)
    assert [divmod(int(c), 161) for c in found.cell] == [(50, 40), (50, 100)]
    assert found.prominence[1] == pytest.approx(80 - 60)
    assert found.prominence[0] == pytest.approx(100 - heights.min())


def test_level_tops_count_once_and_gaps_part_islands() -> None:
    heights = np.zeros((9, 9))
    heights[2:4, 2:5] = 5.0
    assert len(peaks(heights).cell) == 1
    heights[:, 6] = np.nan
    heights[4, 8] = 3.0
    found = peaks(heights)
    assert found.prominence.tolist() == [5.0, 3.0]
    assert len(peaks(np.full((3, 3), np.nan)).cell) == 0


def test_it_agrees_with_flooding_level_by_level() -> None:
    from scipy.ndimage import label

    rng = np.random.default_rng(2)
    heights = rng.permutation(400).reshape(20, 20).astype(float)
    found = peaks(heights)
    for cell, prominence in zip(
        found.cell[1:].tolist(), found.prominence[1:].tolist(), strict=True
    ):
        top = heights.ravel()[cell]
        for level in range(int(top), -1, -1):
            part, _ = label(heights >= level, structure=np.ones((3, 3)))
            if heights[part == part.ravel()[cell]].max() > top:
                assert prominence == top - level
                break
