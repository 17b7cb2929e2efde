"""Oblique photogrammetry: every dialect of the format, placing, levels, hostile trees."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from tests.io.osgb_files import jpeg, osgb, production, square

from plumbline.core.crs import parse_crs
from plumbline.core.data import MeshData
from plumbline.core.errors import InputError, MissingCrsError
from plumbline.core.tiles import Tile, TilesData
from plumbline.io import load
from plumbline.io.mesh import Placement
from plumbline.io.osgb import BrokenFileError, Item, read_tree
from plumbline.io.osgb_tiles import OsgbSource

SPHERE = (0.0, 0.0, 0.0, 10.0)


def geometries(item: object) -> list[Item]:
    if not isinstance(item, Item):
        return []
    below = [*(item.get("children") or ()), *(item.get("drawables") or ())]
    own = [item] if item.cls == "osg::Geometry" else []
    return own + [g for child in below for g in geometries(child)]


def values(geometry: Item) -> np.ndarray:
    points = geometry.get("points")
    return np.asarray(points["values"] if isinstance(points, dict) else points.get("values"))


def tiles_of(data: TilesData, tile: Tile | None = None) -> list[Tile]:
    below = data.source.roots() if tile is None else data.source.children(tile)
    return [t for one in below for t in (one, *tiles_of(data, one))]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("brackets", [False, True])
@pytest.mark.parametrize(
    "version", [80, 94, 95, 97, 98, 111, 112, 141, 142, 145, 147, 149, 151, 154, 155, 156, 161, 162]
)
def test_every_dialect_gives_the_same(version: int, brackets: bool, packed: bool) -> None:
    corners = square(3, 4, 5, 6, 3)
    raw = osgb([(corners, "next.osgb", SPHERE)], version, brackets, packed)
    root, skipped = read_tree(raw)
    (geometry,) = geometries(root)
    assert values(geometry) == pytest.approx(corners)
    assert root.get("children")[0].get("files") == ["", "next.osgb"]
    texture = geometry.get("state").get("textures")[0][0]
    assert texture.get("image").get("file") == jpeg()
    assert not skipped


def test_other_writers_agree(real_data: Path, tmp_path: Path) -> None:
    """OpenSceneGraph's own converter writes the same tile in newer dialects."""
    program = shutil.which("osgconv")
    if program is None:
        pytest.skip("osgconv is not installed")
    folder = real_data / "osgb/Production_5/Data/Tile_+000_+013"
    source = folder / "Tile_+000_+013_L19_0uuuu5.osgb"
    before = [len(values(g)) for g in geometries(read_tree(source.read_bytes())[0])]
    for options in ("Compressor=zlib", "TargetFileVersion=100", "TargetFileVersion=150"):
        out = tmp_path / "out.osgb"
        subprocess.run([program, source, out, "-O", options], check=True, capture_output=True)
        found = geometries(read_tree(out.read_bytes())[0])
        arrays = [g.get("points") for g in found]
        assert [
            len(a["values"] if isinstance(a, dict) else a.get("values")) for a in arrays
        ] == before


def test_a_production_lies_where_it_belongs(tmp_path: Path) -> None:
    path = production(tmp_path / "生产 成果")
    for entrance in (path, path.parent):
        (layer,) = load(entrance)
        assert layer.kind == "tiles"
        assert layer.crs is not None
        assert layer.crs.to_epsg() == 4547
        assert layer.counts == {"tiles": 3}
        assert layer.bounds is not None
        assert layer.bounds.as_list() == pytest.approx([500000, 2500000, 5, 500100, 2500100, 5])
        assert layer.metadata["shift"] == [500000, 2500000, 0]


def test_a_production_without_metadata_is_whole_and_asks_for_its_crs(tmp_path: Path) -> None:
    path = production(tmp_path / "p")
    second = path.parent / "Data" / "Tile_+001_+000"
    shutil.copytree(path.parent / "Data" / "Tile_+000_+000", second)
    (second / "Tile_+000_+000.osgb").rename(second / "Tile_+001_+000.osgb")
    path.unlink()
    (layer,) = load(path.parent)
    assert layer.crs is None
    assert layer.name == "p"
    assert layer.counts == {"tiles": 6}
    assert isinstance(layer.data, TilesData)
    assert len(layer.data.source.roots()) == 2
    with pytest.raises(MissingCrsError):
        load(path.parent, target_crs=parse_crs("EPSG:4547"))
    # Stated by the user, it lies where one with metadata lies, and opens there again.
    offset = {"offset": "500000,2500000,0"}
    (placed,) = load(path.parent, offset, crs="EPSG:4547", target_crs=parse_crs("EPSG:4547"))
    assert placed.bounds is not None
    assert placed.bounds.as_list() == pytest.approx([500000, 2500000, 5, 500100, 2500100, 5])
    source = placed.source
    assert source is not None
    assert source.fingerprint.startswith("files-1:")
    (again,) = load(source.path, source.options, crs=source.crs)
    assert again.bounds == placed.bounds
    assert again.counts == {"tiles": 6}


def test_levels_replace_each_other_and_missing_files_end_a_branch(tmp_path: Path) -> None:
    (layer,) = load(production(tmp_path))
    data = layer.data
    assert isinstance(data, TilesData)
    tiles = tiles_of(data)
    assert [t.id.rpartition("/")[2] for t in tiles] == [
        "Tile_+000_+000.osgb#0",
        "Tile_+000_+000_L15_0.osgb#0",
        "Tile_+000_+000_L16_00.osgb#0",
        "Tile_+000_+000_L15_0.osgb#1",
    ]
    assert [t.is_leaf for t in tiles] == [False, False, True, True]
    # Sixteen pixels of a tile of 140 m that is replaced at 320 pixels.
    assert tiles[0].error == pytest.approx(140 / 320 * 16)
    whole = data.mesh()
    assert whole.error == 0
    assert len(whole.mesh.triangles) == 128 + 8
    assert area(whole.mesh) == pytest.approx(50 * 50 + 50 * 50)
    assert data.source.notes == []
    coarse = data.mesh(error=10)
    assert len(coarse.mesh.triangles) == 2
    west = data.mesh((500010, 2500010, 500020, 2500020))
    assert len(west.mesh.triangles) == 128
    capped = data.mesh(max_triangles=0)
    assert (len(capped.mesh.triangles), capped.error) == (2, pytest.approx(7.0))


def area(mesh: MeshData) -> float:
    return float(trimesh.triangles.area(mesh.vertices[mesh.triangles]).sum())


def test_the_real_tile_agrees_with_its_obj(real_data: Path) -> None:
    """29,687 vertices and 20,454 triangles; box and area of the OBJ of the same tile."""
    tile = real_data / "osgb/Production_5/Data/Tile_+000_+013/Tile_+000_+013_L18_0uuuu.osgb"
    (layer,) = load(tile)
    assert layer.counts["vertices"] == 29687
    assert layer.counts["triangles"] == 20454
    data = layer.data
    assert isinstance(data, TilesData)
    own = data.mesh(error=4).mesh
    assert area(own) == pytest.approx(32_100.21, abs=0.5)
    origin = np.array([501027.524, 2488718.808, 0])
    low, high = own.vertices.min(axis=0) - origin, own.vertices.max(axis=0) - origin
    assert low == pytest.approx([-0.145, 1299.9, -1.218], abs=1e-3)
    assert high == pytest.approx([100.1, 1400.1, 48.475], abs=1e-3)
    assert len([m for m in own.materials if m.texture is not None]) == 8
    assert any("EPSG:4547" in warning for warning in layer.warnings)


def test_the_real_production_is_not_where_its_label_says(real_data: Path) -> None:
    (layer,) = load(real_data / "osgb/Production_5")
    assert layer.counts == {"tiles": 13}
    assert layer.crs is not None
    operation = layer.crs.coordinate_operation
    assert operation is not None
    stated = {p.name: p.value for p in operation.params}
    assert stated["Longitude of natural origin"] == pytest.approx(113.37)
    assert stated["False northing"] == 90
    data = layer.data
    assert isinstance(data, TilesData)
    assert len(data.mesh().tiles) == 28
    (placed,) = load(real_data / "osgb/Production_5", target_crs=None)
    assert placed.bounds == layer.bounds


def test_every_vertex_is_reprojected(tmp_path: Path) -> None:
    from plumbline.core.crs import parse_crs, transformer

    path = production(tmp_path)
    (here,) = load(path)
    (there,) = load(path, target_crs=parse_crs("EPSG:4526"))
    assert isinstance(here.data, TilesData)
    assert isinstance(there.data, TilesData)
    way = transformer(parse_crs("EPSG:4547"), parse_crs("EPSG:4526"))
    before, after = here.data.mesh().mesh.vertices, there.data.mesh().mesh.vertices
    x, y = way.transform(before[:, 0], before[:, 1])
    assert after == pytest.approx(np.column_stack([x, y, before[:, 2]]), abs=1e-6)


def test_pixels_inside_the_file_become_pictures() -> None:
    from plumbline.io.osgb_parts import _texture

    pixels = bytes(range(48)) * 4  # 8 x 8 RGB, rows from the bottom
    image = Item("osg::Image", {"width": 8, "height": 8, "format": 6407, "type": 5121,
                                "packing": 1, "origin": 0, "pixels": pixels})  # fmt: skip
    texture = _texture(image)
    assert texture is not None
    assert texture.data is not None
    picture = np.asarray(Image.open(io.BytesIO(texture.data)))
    assert (picture[-1].ravel() == np.frombuffer(pixels, "u1")[:24]).all()
    # One block of DXT1: two colours, all texels the first (RGB 565 red).
    block = struct.pack("<HHI", 0xF800, 0x001F, 0)
    image = Item("osg::Image", {"width": 4, "height": 4, "format": 0x83F0, "pixels": block})
    texture = _texture(image)
    assert texture is not None
    assert texture.data is not None
    assert (np.asarray(Image.open(io.BytesIO(texture.data)))[..., :3] == [255, 0, 0]).all()


# -- hostile files ---------------------------------------------------------------------------------


def test_trees_that_turn_in_circles_or_leave_the_folder_are_contained(tmp_path: Path) -> None:
    path = production(tmp_path / "p")
    tile = path.parent / "Data" / "Tile_+000_+000"
    secret = tmp_path / "secret.osgb"
    secret.write_bytes(osgb([(square(0, 0, 1, 0), "", SPHERE)]))
    circle = f"{tile.name}.osgb"
    names = (circle, "../../../secret.osgb", str(secret), f"{tile.name}_L15_0.osgb")
    levels = [(square(0, 0, 50, 5), name, SPHERE) for name in names]
    (tile / f"{tile.name}_L15_0.osgb").write_bytes(osgb(levels))
    (layer,) = load(path)
    data = layer.data
    assert isinstance(data, TilesData)
    tiles = tiles_of(data)
    assert len(tiles) == 5
    assert not any("secret" in t.id for t in tiles)
    assert len(data.source.notes) == 2


@pytest.mark.parametrize(
    ("points", "sphere"),
    [
        (square(0, 0, 50, np.nan), (np.nan, 0, 0, 9)),
        (square(0, 0, 1e30, 5), (0, 0, 0, 1e300)),
        (square(0, 0, 50, np.inf), (0, 0, 0, -5)),
    ],
)
def test_absurd_boxes_leave_their_branch_out(
    tmp_path: Path, points: np.ndarray, sphere: tuple[float, float, float, float]
) -> None:
    path = production(tmp_path / "p")
    tile = path.parent / "Data" / "Tile_+000_+000"
    good = (square(50, 0, 50, 5), "", SPHERE)
    (tile / f"{tile.name}_L15_0.osgb").write_bytes(osgb([(points, "gone.osgb", sphere), good]))
    (layer,) = load(path)
    assert isinstance(layer.data, TilesData)
    found = tiles_of(layer.data)
    assert all(np.isfinite(t.bounds.as_list()).all() and t.error >= 0 for t in found)
    assert len(layer.data.mesh().mesh.triangles) == 2
    assert layer.data.source.notes


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, "cut", "flip"])
def test_one_broken_tile_is_left_out(tmp_path: Path, damage: bytes | str) -> None:
    path = production(tmp_path)
    child = path.parent / "Data" / "Tile_+000_+000" / "Tile_+000_+000_L16_00.osgb"
    raw = child.read_bytes()
    if isinstance(damage, str):
        damage = raw[: len(raw) // 2] if damage == "cut" else raw[:60] + b"\xff" * 9 + raw[69:]
    child.write_bytes(damage)
    (layer,) = load(path)
    assert isinstance(layer.data, TilesData)
    assert len(layer.data.mesh().mesh.triangles) in (8, 16)
    assert any(child.name in note for note in layer.data.source.notes)


def test_a_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plumbline.io.osgb.MAX_BYTES", 10_000)
    raw = osgb([(square(0, 0, 1, 0, 40), "", SPHERE)], 161, True, packed=True)
    with pytest.raises(BrokenFileError, match="unpacks"):
        read_tree(raw)


@pytest.mark.parametrize("raw", [b"", b"not a tile", osgb([])[:21], osgb([])])
def test_files_without_tiles_are_refused_in_one_sentence(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.osgb"
    path.write_bytes(raw)
    with pytest.raises(InputError):
        load(path)
    (tmp_path / "metadata.xml").write_text("<ModelMetadata/>", encoding="utf-8")
    with pytest.raises(InputError, match="no tiles"):
        load(tmp_path)


def test_files_of_a_large_production_are_read_once_and_kept_within_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 1000
    top, fine = (
        osgb([(square(0, 0, 9, 1), "fine.osgb", SPHERE)]),
        osgb([(square(0, 0, 9, 1), "", SPHERE)]),
    )
    tops = [tmp_path / f"{n:04}" / "top.osgb" for n in range(count)]
    for path in tops:
        path.parent.mkdir()
        path.write_bytes(top)
        path.with_name("fine.osgb").write_bytes(fine)
    opened: list[str] = []
    parse = OsgbSource._parse

    def counted(self: OsgbSource, path: Path) -> object:
        opened.append(path.relative_to(tmp_path).as_posix())
        return parse(self, path)

    monkeypatch.setattr(OsgbSource, "_parse", counted)
    source = OsgbSource(tmp_path, tops, Placement())
    assert len(source.roots()) == len(source.roots()) == count
    assert len(opened) == count
    assert all(len(source.children(tile)) == 1 for tile in source.roots())
    assert len(opened) == len(set(opened)) == 2 * count
    assert source._held == count * (len(top) + len(fine))
    # The latest are kept: they are not read again, the oldest is.
    monkeypatch.setattr("plumbline.io.osgb_tiles.CACHE_BYTES", 10 * len(top))
    opened.clear()
    source = OsgbSource(tmp_path, tops, Placement())
    first, *_, last = source.roots()
    assert source._held == 10 * len(top)
    assert source.content(last) is not None
    assert len(opened) == count
    assert source.content(first) is not None
    assert opened[count:] == [tops[0].relative_to(tmp_path).as_posix()]
