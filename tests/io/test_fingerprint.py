"""Fingerprints of large sources: what is noticed, and that nothing else is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from plumbline.io import fingerprint as module
from plumbline.io.fingerprint import SAMPLE, SAMPLES, fingerprint, is_sampled


@pytest.fixture
def _all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE", 1000)


def big(path: Path, size: int = SAMPLE * SAMPLES * 3) -> Path:
    path.write_bytes(bytes(range(251)) * (size // 251 + 1))
    os.truncate(path, size)
    return path


def production(folder: Path) -> Path:
    for n in range(3):
        tile = folder / f"Data/Tile_{n}/Tile_{n}.osgb"
        tile.parent.mkdir(parents=True)
        tile.write_bytes(bytes([n]) * 5000)
    index = folder / "metadata.xml"
    index.write_text("<ModelMetadata/>", encoding="utf-8")
    return index


def test_small_files_have_none(tmp_path: Path) -> None:
    path = big(tmp_path / "a.laz", 5000)
    assert fingerprint(path, "las") == ""
    assert not is_sampled(path, "las")


@pytest.mark.usefixtures("_all_is_large")
@pytest.mark.parametrize("place", [0, SAMPLE * SAMPLES * 3 - 1])
def test_a_changed_end_of_a_large_file_is_noticed(tmp_path: Path, place: int) -> None:
    path = big(tmp_path / "a.laz")
    before = fingerprint(path, "las")
    assert before.startswith("samples-1:")
    assert len(before) == len("samples-1:") + 64
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\xff")
    assert fingerprint(path, "las") != before


@pytest.mark.usefixtures("_all_is_large")
def test_a_large_file_that_only_grew_is_noticed_and_a_copy_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.laz"
    path.write_bytes(bytes(SAMPLE * 4))
    before = fingerprint(path, "las")
    copy = tmp_path / "elsewhere" / "b.laz"
    copy.parent.mkdir()
    shutil.copyfile(path, copy)
    os.utime(copy, (0, 0))
    assert fingerprint(copy, "las") == before
    # Zeros more: every sample holds the same bytes, only the size tells.
    path.write_bytes(bytes(SAMPLE * 4 + 1))
    assert fingerprint(path, "las") != before


def test_folders_are_known_by_index_files_and_samples(tmp_path: Path) -> None:
    index = production(tmp_path / "a")
    before = fingerprint(index, "osgb")
    assert before.startswith("files-1:")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert fingerprint(tmp_path / "b/metadata.xml", "osgb") == before
    tile = tmp_path / "a/Data/Tile_1/Tile_1.osgb"
    changes = [
        lambda: index.write_text("<ModelMetadata />", encoding="utf-8"),
        lambda: tile.write_bytes(bytes([9]) * 5000),
        lambda: tile.write_bytes(bytes([9]) * 5001),
        lambda: tile.rename(tile.with_name("Tile_9.osgb")),
        lambda: (tmp_path / "a/Data/new.osgb").write_bytes(b"x"),
    ]
    seen = {before}
    for change in changes:
        change()
        seen.add(fingerprint(index, "osgb"))
    assert len(seen) == len(changes) + 1


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "s.osgb").write_bytes(b"before")
    index = production(tmp_path / "a")
    try:
        (tmp_path / "a/Data/out").symlink_to(secret, target_is_directory=True)
        (tmp_path / "a/Data/loop").symlink_to(tmp_path / "a", target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    before = fingerprint(index, "osgb")
    (secret / "s.osgb").write_bytes(b"after it")
    assert fingerprint(index, "osgb") == before


def test_a_tile_stands_for_its_production(tmp_path: Path) -> None:
    """Without metadata a production is opened by its first tile."""
    production(tmp_path / "a")
    first = tmp_path / "a/Data/Tile_0/Tile_0.osgb"
    before = fingerprint(first, "osgb")
    (tmp_path / "a/Data/Tile_2/Tile_2.osgb").write_bytes(b"other")
    assert fingerprint(first, "osgb") != before
