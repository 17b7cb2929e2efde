"""Vector files through pyogrio: Shapefile, GeoPackage, SpatiaLite, GeoJSON, FlatGeobuf.

Features keep their attributes and their id in the file; invalid rings are repaired and counted,
features without geometry are left out and counted. Nothing is invented: a file without CRS stays
without one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.data import AnyArray, VectorData
from plumbline.core.errors import InputError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.io.base import check_magic, damaged, library_notes, mislabelled, reading
from plumbline.io.encoding import Encoding, dbf_encoding
from plumbline.io.pipes import suggest_tubes
from plumbline.io.registry import LoadContext

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

#: Features read between two looks at the cancel button.
BATCH = 100_000
READ_OPTIONS: dict[str, Any] = {
    "fid_as_index": True,
    "on_invalid": "ignore",
    "datetime_as_string": True,
}
#: Tables of a Plumbline project, not layers that somebody wants to open.
OWN_TABLES = "plumbline_"
#: Names of attributes that hold the height of a building, lower case.
HEIGHT_NAMES = (
    "高度", "建筑高度", "房屋高度", "楼高", "建筑高", "height", "building_height", "bldg_height",
    "bldgheight", "buildingheight", "measuredheight", "height_m", "hgt", "hoogte", "höjd", "h",
)  # fmt: skip
#: Words in a layer's name or attributes that say what it shows, and a colour for that.
COLORS = (
    (("water", "river", "lake", "水", "河", "湖", "海"), "#5b9bd5"),
    (("green", "plant", "park", "vegetation", "begroei", "tree", "绿", "林", "草"), "#7fb069"),
    (("road", "street", "traffic", "wegdeel", "rail", "道路", "街", "路"), "#9a9a9a"),
    (("building", "pand", "house", "建筑", "房屋", "楼"), "#d9b38c"),
    (("parcel", "地块", "宗地", "规划", "红线"), "#c9798a"),
    (("pipe", "管线", "管网", "管道"), "#b5651d"),
)


def load_shapefile(path: Path, context: LoadContext) -> list[Layer]:
    """Read a Shapefile; its texts by the .cpg, the option ``encoding``, or as they look."""
    title = "Shapefile"
    check_magic(path, title, [b"\x00\x00\x27\x0a"])
    with path.open("rb") as stream:
        words = int.from_bytes(stream.read(28)[24:28], "big")
    if path.stat().st_size < words * 2:
        raise damaged(path, title, tr("it is cut off"))
    if not any(path.with_suffix(s).is_file() for s in (".shx", ".SHX")):
        raise InputError(
            tr("“{name}” has no .shx file beside it.", name=path.name),
            tr("Copy all files of the Shapefile: .shp, .shx, .dbf and .prj."),
        )
    with reading(path, title):
        encoding = dbf_encoding(path, str(context.options.get("encoding", "auto")))
    layers = read_layers(path, context, title, "ESRI Shapefile", encoding)
    if not any(path.with_suffix(s).is_file() for s in (".dbf", ".DBF")):
        layers[0].warnings.append(tr("There is no .dbf file beside it: no attributes."))
    return layers


def load_geopackage(path: Path, context: LoadContext) -> list[Layer]:
    """Read all vector layers of a GeoPackage, or the one that is asked for; else its tiles."""
    _check_sqlite(path, "GeoPackage")
    if _only_tiles(path):
        from plumbline.io.raster import load_raster

        return load_raster(path, context)
    return read_layers(path, context, "GeoPackage", "GPKG")


def _only_tiles(path: Path) -> bool:
    """Tell whether a GeoPackage holds tiles of a raster and no features."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            db.text_factory = bytes  # texts of a damaged file need not be texts
            kinds = {row[0] for row in db.execute("SELECT data_type FROM gpkg_contents")}
    except (sqlite3.Error, UnicodeDecodeError):
        return False
    return b"tiles" in kinds and b"features" not in kinds


def load_spatialite(path: Path, context: LoadContext) -> list[Layer]:
    """Read all vector layers of a SpatiaLite database, or the one that is asked for."""
    _check_sqlite(path, "SpatiaLite")
    return read_layers(path, context, "SpatiaLite", "SQLite")


def _check_sqlite(path: Path, title: str) -> None:
    """Refuse what is no SQLite database, and one with fewer pages than it says."""
    check_magic(path, title, [b"SQLite format 3\0"])
    with path.open("rb") as stream:
        head = stream.read(100)
    page = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big")
    counted = head[24:28] == head[92:96]  # else an old program wrote it and left no count
    if counted and path.stat().st_size < pages * (65_536 if page == 1 else page):
        raise damaged(path, title, tr("it is cut off"))


def load_flatgeobuf(path: Path, context: LoadContext) -> list[Layer]:
    """Read a FlatGeobuf file."""
    check_magic(path, "FlatGeobuf", [b"fgb\x03"])
    return read_layers(path, context, "FlatGeobuf", "FlatGeobuf")


def load_geojson(path: Path, context: LoadContext) -> list[Layer]:
    """Read GeoJSON: WGS 84 after RFC 7946, or the CRS of the older ``crs`` member."""
    title = "GeoJSON"
    with path.open("rb") as stream:
        head = stream.read(65_536).decode("utf-8-sig", "replace").lstrip()
        stream.seek(-min(4096, path.stat().st_size), 2)
        tail = stream.read().rstrip(b" \t\r\n\0")
    # A pipeline of GDAL commands is also JSON, and would run while it is opened.
    if not head.startswith("{") or "gdal_streamed_alg" in head:
        raise mislabelled(path, title)
    if not tail.endswith(b"}"):
        raise damaged(path, title, tr("it is cut off"))
    layers = read_layers(path, context, title, "GeoJSON")
    for layer in layers:
        stated = '"crs"' in head or b'"crs"' in tail
        layer.metadata["crs_source"] = "file" if stated else "RFC 7946"
        box = layer.bounds
        degrees = box is None or (
            max(abs(box.xmin), abs(box.xmax)) <= 360 and max(abs(box.ymin), abs(box.ymax)) <= 90
        )
        if layer.crs is not None and layer.crs.is_geographic and not degrees:
            assert isinstance(layer.data, VectorData)
            layer.data.features = layer.data.features.set_crs(None, allow_override=True)
            layer.crs = None
            layer.metadata["crs_source"] = "none"
            layer.warnings.append(
                tr("It says WGS 84, but its coordinates are no degrees: CRS unknown.")
            )
    return layers


def read_layers(
    path: Path, context: LoadContext, title: str, driver: str, encoding: Encoding | None = None
) -> list[Layer]:
    """Read all layers of a file through a driver of GDAL, or the one that the context asks for."""
    with reading(path, title), _recognised(path, title), library_notes() as notes:
        names, several = [path.stem], False
        if driver != "GeoJSON":  # it holds one layer, and each look parses the whole file
            names, several = _layer_names(path, context.sublayer)
        layers = []
        for n, name in enumerate(names):
            feedback = context.feedback.part(n / len(names), (n + 1) / len(names))
            layers.append(_read_layer(path, name, feedback, title, driver, encoding))
    for layer, name in zip(layers, names, strict=True):
        if len(names) > 1:
            layer.id, layer.name = f"{path.stem}_{name}", name
        if several:
            layer.metadata["layer"] = name
        if notes:
            layer.metadata["reader_notes"] = notes
        suggest_style(layer)
    return layers


@contextmanager
def _recognised(path: Path, title: str) -> Iterator[None]:
    """Say that a file is mislabelled where GDAL does not recognise it."""
    from pyogrio.errors import DataSourceError

    try:
        yield
    except DataSourceError as error:
        if "not recognized" in str(error):
            raise mislabelled(path, title, str(error)) from error
        raise


def _layer_names(path: Path, wanted: str) -> tuple[list[str], bool]:
    """Return the names of the layers to read, and whether the file has several tables."""
    import pyogrio

    found = pyogrio.list_layers(path)
    tables = [(str(n), kind) for n, kind in found if not str(n).startswith(OWN_TABLES)]
    names = [name for name, kind in tables if kind is not None]
    if not names:
        raise InputError(
            tr("“{name}” holds no vector layers.", name=path.name),
            tr("Open it in another program to see what it holds."),
        )
    if wanted and wanted not in names:
        raise InputError(
            tr("“{name}” has no layer “{layer}”.", name=path.name, layer=wanted),
            tr("Its layers are: {ids}.", ids=", ".join(names)),
        )
    return ([wanted] if wanted else names), len(tables) > 1


def _read_layer(
    path: Path,
    name: str,
    feedback: Feedback,
    title: str,
    driver: str,
    encoding: Encoding | None,
) -> Layer:
    import pyogrio

    if driver == "GeoJSON":
        feedback.step(0, 1, tr("Reading {name}", name=path.name))
        frame = _read_texts(path, None, dict(READ_OPTIONS))
    else:
        info = pyogrio.read_info(path, layer=name, force_feature_count=True)
        if info["driver"] != driver:
            raise mislabelled(path, title, f"GDAL driver {info['driver']}")
        frame = _read_frame(path, name, int(info["features"]), feedback, encoding)
        if len(frame) < info["features"]:
            raise ValueError(tr("it is cut off"))
    feedback.check()
    frame.index = frame.index.rename("fid") if frame.index.is_unique else np.arange(len(frame))
    metadata: dict[str, Any] = {
        "format": title,
        "fields": {str(c): str(t) for c, t in frame.dtypes.items() if c != frame.geometry.name},
    }
    warnings: list[str] = []
    if encoding is not None:
        metadata |= {"encoding": encoding.name, "encoding_source": encoding.source}
        metadata |= {"encoding_sample": list(encoding.sample)} if encoding.sample else {}
        warnings += [encoding.warning] if encoding.warning else []
    crs = frame.crs
    if crs is not None:
        metadata["crs_source"] = "file"
    features, has_z = clean_features(frame, metadata, warnings)
    kinds = features.geometry.geom_type.value_counts()
    metadata["geometry"] = {str(kind): int(n) for kind, n in kinds.items()}
    data = VectorData(features, has_z)
    stem = path.stem
    return Layer(stem, stem, LayerKind.VECTOR, data, crs, metadata=metadata, warnings=warnings)


def _read_frame(
    path: Path, name: str, count: int, feedback: Feedback, encoding: Encoding | None
) -> GeoDataFrame:
    """Read a layer in batches."""
    import pandas as pd

    codec = encoding.name if encoding is not None else None
    frames = []
    for start in range(0, max(count, 1), BATCH):
        feedback.step(start, max(count, 1), tr("Reading {name}", name=path.name))
        options = {"layer": name, **READ_OPTIONS}
        if count > BATCH:
            options |= {"skip_features": start, "max_features": min(BATCH, count - start)}
        frames.append(_read_texts(path, codec, options))
    if len(frames) == 1:
        return frames[0]
    joined: GeoDataFrame = pd.concat(frames)
    return joined


def _read_texts(path: Path, codec: str | None, options: dict[str, Any]) -> GeoDataFrame:
    """Read features; texts in any encoding but UTF-8 are decoded here.

    GDAL decodes only what its build knows, and passes on what it does not. Latin-1 it always knows,
    and every byte survives that.
    """
    import pyogrio

    if codec in (None, "utf-8"):
        try:
            return _with_geometry(pyogrio.read_dataframe(path, encoding=codec, **options))
        except UnicodeDecodeError:
            if codec is None:
                raise  # else the width of a field cut a character in two
    frame = _with_geometry(pyogrio.read_dataframe(path, encoding="ISO-8859-1", **options))

    def decode(text: object) -> object:
        if not isinstance(text, str) or text.isascii():
            return text
        return text.encode("latin-1").decode(codec or "utf-8", "ignore")

    for column in frame.columns:
        if column != frame.geometry.name and frame[column].dtype.kind not in "iufbM":
            frame[column] = frame[column].map(decode)
    return frame.rename(columns=decode)


def _with_geometry(frame: Any) -> GeoDataFrame:
    if not hasattr(frame, "geometry"):
        raise ValueError(tr("it has no geometry"))
    return frame


def clean_features(
    frame: GeoDataFrame, metadata: dict[str, Any], warnings: list[str]
) -> tuple[GeoDataFrame, bool]:
    """Return features with usable geometry and whether they have heights; note what was done.

    Invalid polygons are repaired (their area kept, lines and points that fall off left out);
    features without geometry are left out.
    """
    import shapely

    shapes = frame.geometry.to_numpy().copy()
    usable = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    usable &= np.isfinite(shapely.bounds(shapes)).all(axis=1)
    if not usable.all():
        lost = int((~usable).sum())
        metadata["without_geometry"] = lost
        warnings.append(tr("{n} features without geometry were left out.", n=lost))
        frame, shapes = frame[usable], shapes[usable]
    invalid = ~shapely.is_valid(shapes) & (shapely.get_dimensions(shapes) == 2)
    if invalid.any():
        shapes[invalid] = [_polygons(shape) for shape in shapely.make_valid(shapes[invalid])]
        repaired = int(invalid.sum())
        metadata["repaired"] = repaired
        warnings.append(tr("{n} features with invalid rings were repaired.", n=repaired))
    shapes, has_z = _heights(shapes, metadata, warnings)
    frame = frame.copy() if frame.geometry.to_numpy() is shapes else frame
    return frame.set_geometry(_series(frame, shapes)), has_z


def _series(frame: GeoDataFrame, shapes: AnyArray) -> Any:
    import geopandas

    name = str(frame.geometry.name)
    return geopandas.GeoSeries(shapes, index=frame.index, crs=frame.crs, name=name)


def _polygons(shape: Any) -> Any:
    """Return the polygons of a repaired shape, the shape itself when it has none."""
    import shapely

    parts = [p for p in shapely.get_parts(shape) if p.geom_type in ("Polygon", "MultiPolygon")]
    polygons = [q for p in parts for q in shapely.get_parts(p)]
    if not polygons:
        return shape
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _heights(
    shapes: AnyArray, metadata: dict[str, Any], warnings: list[str]
) -> tuple[AnyArray, bool]:
    """Return shapes that all have heights or all have none."""
    import shapely

    with_z = shapely.has_z(shapes)
    if not with_z.any():
        return shapes, False
    z = shapely.get_coordinates(shapes, include_z=True)[:, 2]
    if not np.nan_to_num(z).any():
        metadata["z"] = "all 0, taken as 2D"
        return shapely.force_2d(shapes), False
    if not np.isfinite(z).all():
        # Repair leaves a new corner without height; the height of its feature is the honest one.
        flat = int((~with_z).sum())
        if flat:
            warnings.append(tr("{n} features have no heights; they were put at 0.", n=flat))
        shapes = shapely.force_3d(shapes)
        for n in np.flatnonzero([not np.isfinite(_z(s)).all() for s in shapes]).tolist():
            known = _z(shapes[n])[np.isfinite(_z(shapes[n]))]
            height = float(known.mean()) if len(known) else 0.0
            points = shapely.get_coordinates(shapes[n], include_z=True)
            points[~np.isfinite(points[:, 2]), 2] = height
            shapes[n] = shapely.set_coordinates(shapes[n], points)
    return shapes, True


def _z(shape: Any) -> AnyArray:
    import shapely

    z: AnyArray = shapely.get_coordinates(shape, include_z=True)[:, 2]
    return z


def suggest_style(layer: Layer) -> None:
    """Extrude buildings by their height; colour water, green, roads, parcels as people expect."""
    assert isinstance(layer.data, VectorData)
    frame = layer.data.features
    changes: dict[str, Any] = {}
    words = " ".join((layer.name, str(layer.metadata.get("layer", "")))).lower()
    color = next((c for keys, c in COLORS if any(key in words for key in keys)), None)
    if color is not None:
        changes["color"] = color
    polygonal = any("Polygon" in kind for kind in layer.metadata["geometry"])
    if polygonal and not layer.data.has_z:
        by_name = {str(column).lower(): str(column) for column in frame.columns}
        for name in HEIGHT_NAMES:
            column = by_name.get(name)
            if column is not None and frame[column].dtype.kind in "iuf":
                changes["extrude"] = column
                layer.metadata["height_attribute"] = column
                break
    if any("Line" in kind for kind in layer.metadata["geometry"]):
        changes |= suggest_tubes(layer)
    layer.style = LayerStyle(**changes)
