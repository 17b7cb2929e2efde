"""Damaged files: every loader ends in a layer or in one sentence, whatever the bytes are.

The default suite takes a sample; ``-m nightly`` takes 200 truncations and 2000 flips of each file.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
import trimesh
from pyproj import CRS
from tests.io.city_files import write_city, write_sequence
from tests.io.mesh_files import write
from tests.io.osgb_files import osgb, square
from tests.io.test_citygml import city as city_gml
from tests.io.test_cloud_text import pcd, points
from tests.io.test_e57 import write_e57
from tests.io.test_ept import ept
from tests.io.test_exchange import KML, dxf, gml
from tests.io.test_more_formats import DAE, FBX, make_3ds
from tests.io.test_tiles3d import b3dm, box_glb, volume, write_set

from plumbline.core.data import RasterData
from plumbline.core.errors import InputError
from plumbline.core.tiles import TilesData
from plumbline.io import load
from plumbline.io.raster import read_grid, read_image, sample_bilinear
from plumbline.io.writers import write_raster, write_vector


def features() -> geopandas.GeoDataFrame:
    boxes = [shapely.box(n, 0, n + 1, 1) for n in range(30)]
    names = ["住宅", "办公"] * 15
    return geopandas.GeoDataFrame({"用途": names, "高度": range(30)}, geometry=boxes, crs=4549)


def make_obj(path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"v {x} {y} {z}" for x, y, z in rng.normal(size=(60, 3))] + ["vt 0 0", "vt 1 1"]
    lines += [f"o part {n}\nusemtl m{n % 3}\nf {n + 1} {n + 2} {n + 3}" for n in range(40)]
    lines += ["f 1/1 2/2 3/1 4/2 5/1", "f -1//1 -2//2 -3//3", "f 1/1/1 2//2 3"]
    write(path, "\n".join(lines))


def make_raster(path: Path) -> None:
    heights = np.random.default_rng(0).normal(50, 9, (300, 300)).astype(np.float32)
    write_raster(path, heights, (1, 0, 5e5, 0, -1, 4e6), CRS.from_epsg(4549))


def make_image(path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (3, 200, 200)).astype(np.uint8)
    write_raster(path, image, (1, 0, 5e5, 0, -1, 4e6), CRS.from_epsg(4549))


def make_mesh(**options: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        mesh = trimesh.creation.icosphere(subdivisions=2)
        mesh.visual.vertex_colors = np.arange(len(mesh.vertices) * 4).reshape(-1, 4) % 256
        mesh.export(path, **options)

    return make


def make_gltf(path: Path) -> None:
    for name, raw in trimesh.Scene(trimesh.creation.box()).export(file_type="gltf").items():
        write(path if name.endswith(".gltf") else path.with_name(name), raw)


def make_vector(driver: str) -> Callable[[Path], None]:
    return lambda path: features().to_file(path, driver=driver)


def make_kmz(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", KML)


def make_grid(driver: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        make_raster(path.with_suffix(".tif"))
        rasterio.shutil.copy(path.with_suffix(".tif"), path, driver=driver)

    return make


def make_tiles(path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (3, 256, 256)).astype(np.uint8)
    place = rasterio.Affine(4.77731426794937, 0, 13368838.5, 0, -4.77731426794937, 4320000)
    with rasterio.open(
        path, "w", driver="MBTiles", width=256, height=256, count=3, dtype="uint8",
        crs="EPSG:3857", transform=place,
    ) as target:  # fmt: skip
        target.write(picture)


def make_tileset(path: Path) -> None:
    box = {"boundingVolume": volume(0, 0, 0, 5), "geometricError": 1}
    leaf = box | {"geometricError": 0, "content": {"uri": "a.b3dm"}}
    content = b3dm(box_glb(2), {"BATCH_LENGTH": 2}, {"name": ["甲", "乙"]})
    write_set(path.parent, box | {"refine": "ADD", "children": [leaf]}, a__b3dm=content)


def make_archive(path: Path) -> None:
    leaf = {"boundingVolume": volume(0, 0, 0, 5), "geometricError": 0, "content": {"uri": "a.glb"}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tileset.json", json.dumps({"geometricError": 1, "root": leaf}))
        archive.writestr("a.glb", box_glb())


MAKERS: dict[str, Callable[[Path], object]] = {
    "a.obj": make_obj,
    "binary.ply": make_mesh(),
    "text.ply": make_mesh(encoding="ascii"),
    "binary.stl": make_mesh(),
    "text.stl": make_mesh(file_type="stl_ascii"),
    "a.glb": make_mesh(),
    "a.gltf": make_gltf,
    "a.shp": make_vector("ESRI Shapefile"),
    "a.gpkg": lambda path: write_vector(features(), path),
    "a.sqlite": make_vector("SQLite"),
    "a.fgb": make_vector("FlatGeobuf"),
    "a.geojson": make_vector("GeoJSON"),
    "a.city.json": write_city,
    "a.jsonl": write_sequence,
    "a.citygml": lambda path: write(path, city_gml()),
    "a.kml": lambda path: write(path, KML),
    "a.gml": gml,
    "a.dxf": lambda path: write(path, dxf().encode("gbk")),
    "a.csv": lambda path: write(path, "x,y\n" + "1,2\n" * 50),
    "a.xyz": lambda path: write(path, "1 2 3\n" * 50),
    "a.pcd": lambda path: write(path, pcd(points(), "binary_compressed")),
    "a.e57": write_e57,
    "a.dae": lambda path: write(path, DAE.format(up="Z_UP")),
    "a.3ds": lambda path: write(path, make_3ds()),
    "a.fbx": lambda path: write(path, FBX),
    "a.kmz": make_kmz,
    "a.asc": make_grid("AAIGrid"),
    "a.img": make_grid("HFA"),
    "a.mbtiles": make_tiles,
    "tileset.json": make_tileset,
    "a.3tz": make_archive,
    "ept.json": lambda path: ept(path.parent),
    "a.osgb": lambda path: path.write_bytes(
        osgb([(square(0, 0, 9, 1, 3), "b.osgb", (0, 0, 0, 9))])
    ),
    "terrain.tif": make_raster,
    "image.tif": make_image,
}


#: These are read in a process of their own, half a second for each.
APART = ("a.e57", "a.dae", "a.3ds", "a.fbx")
#: Rasterio cannot read a message of GDAL with damaged bytes in it, and prints that it cannot.
UNREADABLE = (
    pytest.mark.qt_no_exception_capture,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
)
NAMES = [pytest.param(n, marks=UNREADABLE if n == "a.img" else ()) for n in MAKERS]


def attempt(path: Path) -> bool:
    """Load a file and use what came out; tell whether there was a layer."""
    layers, refusal = [], ""
    try:
        layers = load(path, digest=False)
        for layer in layers:
            if isinstance(layer.data, RasterData):
                read = read_grid if layer.data.role == "terrain" else read_image
                read(layer.data, 1000)
                sample_bilinear(layer.data, np.array([[5e5 + 9, 4e6 - 9]]))
            elif isinstance(layer.data, TilesData):
                layer.data.mesh()
    except InputError as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        assert len(refusal) < 500
        assert str(path.parent) not in refusal
        return False
    assert layers
    for layer in layers:
        assert layer.counts
        bounds = layer.bounds
        assert bounds is None or np.isfinite(bounds.as_list()).all()
    return True


def truncations(raw: bytes, count: int) -> Iterator[bytes]:
    return (raw[: len(raw) * n // count] for n in range(count))


def flips(raw: bytes, count: int, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(raw)
        reach = min(len(raw), rng.choice([200, 2000, len(raw)]))
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(reach)] = rng.randrange(256)
        yield bytes(data)


def check(name: str, folder: Path, cuts: int, changes: int) -> None:
    path = folder / "屋 a" / name
    path.parent.mkdir()
    MAKERS[name](path)
    raw = path.read_bytes()
    assert attempt(path)
    whole, memory = 0, peak()
    for data in truncations(raw, cuts):
        path.write_bytes(data)
        whole += attempt(path)
    # A text that ends between two lines may still be a smaller model, and the last page of a
    # database may be one that nothing uses.
    assert whole == 0 or name in ("a.obj", "a.jsonl", "a.csv", "a.xyz", "a.mbtiles")
    for data in flips(raw, changes, seed=len(name)):
        path.write_bytes(data)
        attempt(path)
    path.write_bytes(raw)
    assert attempt(path)
    assert peak() - memory < 2 * 1024**3


def peak() -> int:
    """Return the most memory that this process has held, bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files(name: str, tmp_path: Path) -> None:
    cuts, changes = (3, 3) if name in APART else (20, 25)
    check(name, tmp_path, cuts, changes)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_many_damaged_files(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, cuts=200, changes=2000)


@pytest.mark.parametrize("name", list(MAKERS))
@pytest.mark.parametrize("other", ["a.obj", "a.gpkg", "binary.stl", "terrain.tif", "a.geojson"])
def test_mislabelled_files(name: str, other: str, tmp_path: Path) -> None:
    right = name in ("a.city.json", "tileset.json", "ept.json") and other == "a.geojson"
    if right or Path(name).suffix == Path(other).suffix:
        return
    MAKERS[other](tmp_path / other)
    shutil.copy(tmp_path / other, tmp_path / f"wrong{Path(name).suffix}")
    with pytest.raises(InputError):
        load(tmp_path / f"wrong{Path(name).suffix}", digest=False)


def test_side_files_of_a_shapefile_may_be_damaged(tmp_path: Path) -> None:
    features().to_file(tmp_path / "a.shp")
    for suffix in (".dbf", ".shx", ".prj", ".cpg"):
        side = tmp_path / f"a{suffix}"
        raw = side.read_bytes()
        for data in [*truncations(raw, 10), *flips(raw, 20, seed=1)]:
            side.write_bytes(data)
            attempt(tmp_path / "a.shp")
        side.write_bytes(raw)
    assert attempt(tmp_path / "a.shp")
