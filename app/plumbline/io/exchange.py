"""Vector formats for exchange: KML and KMZ, GML, DXF, and tables with coordinates.

They go the way of all vector files (`plumbline.io.vector`); what stands here is what is peculiar to
each of them and must be refused, moved aside or said.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.data import VectorData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.io.base import check_magic, damaged, mislabelled, name_encoding, reading
from plumbline.io.registry import LoadContext
from plumbline.io.vector import clean_features, read_layers, suggest_style

if TYPE_CHECKING:
    from pandas import DataFrame

_HEAD = 65_536
#: What a KMZ may unpack to, bytes.
_MAX_UNPACKED = 1 << 30
#: Columns that the reader adds to every KML, whether the file says anything about them or not.
_KML_EXTRAS = {
    "id", "timestamp", "begin", "end", "altitudeMode", "tessellate", "extrude", "visibility",
    "drawOrder", "icon", "snippet",
}  # fmt: skip
#: $INSUNITS of a DXF: name, and metres per unit.
_UNITS = {
    1: ("in", 0.0254), 2: ("ft", 0.3048), 3: ("mi", 1609.344), 4: ("mm", 0.001), 5: ("cm", 0.01),
    6: ("m", 1.0), 7: ("km", 1000.0), 10: ("yd", 0.9144), 14: ("dm", 0.1),
}  # fmt: skip
_MAX_TABLE = 1 << 30
#: Names of columns with coordinates, lower case.
_X = ("x", "lon", "lng", "longitude", "easting", "east", "e", "经度", "东坐标", "x坐标")
_Y = ("y", "lat", "latitude", "northing", "north", "n", "纬度", "北坐标", "y坐标")
_Z = ("z", "elevation", "altitude", "alt", "高程", "z坐标")


def load_kml(path: Path, context: LoadContext) -> list[Layer]:
    """Read the folders of a KML or KMZ file; its coordinates are WGS 84 by definition."""
    title = "KMZ" if path.suffix.lower() == ".kmz" else "KML"
    if title == "KMZ":
        check_magic(path, title, [b"PK\x03\x04"])
        with reading(path, title), zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED:
                raise ValueError(tr("it asks for more memory than there is"))
            if not any(name.lower().endswith(".kml") for name in archive.namelist()):
                raise mislabelled(path, title)
    else:
        _check_xml(path, title, b"<kml")
    layers = read_layers(path, context, title, "LIBKML")
    for layer in layers:
        assert isinstance(layer.data, VectorData)
        extras = _KML_EXTRAS & set(map(str, layer.data.features.columns))
        layer.data.features = layer.data.features.drop(columns=sorted(extras))
        fields: dict[str, str] = layer.metadata["fields"]
        layer.metadata["fields"] = {k: v for k, v in fields.items() if k not in extras}
    return layers


def load_gml(path: Path, context: LoadContext) -> list[Layer]:
    """Read the layers of a GML file.

    GDAL looks for a schema beside the file and leaves notes there: it gets a copy of its own.
    """
    title = "GML"
    _check_xml(path, title, b"opengis.net/gml")
    import pyogrio

    pyogrio.set_gdal_config_options({"GML_DOWNLOAD_SCHEMA": "NO"})
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        return read_layers(copy, context, title, "GML")


def _check_xml(path: Path, title: str, mark: bytes) -> None:
    """Refuse what is no such XML, is cut off, or declares entities."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        stream.seek(-min(4096, path.stat().st_size), 2)
        tail = stream.read().rstrip(b" \t\r\n\0")
    if mark not in head:
        raise mislabelled(path, title)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise damaged(path, title, tr("it declares entities, which are not allowed"))
    if not tail.endswith(b">"):
        raise damaged(path, title, tr("it is cut off"))


def load_dxf(path: Path, context: LoadContext) -> list[Layer]:
    """Read the entities of a DXF file: lines, areas, texts, blocks in their places.

    The name of its CAD layer is an attribute of every feature.
    """
    title = "DXF"
    with path.open("rb") as stream:
        head = stream.read(1 << 20)
        stream.seek(-min(4096, path.stat().st_size), 2)
        tail = stream.read().rstrip(b" \t\r\n\0")
    if head.startswith(b"AutoCAD Binary DXF"):
        raise InputError(
            tr("“{name}” is a binary DXF, which Plumbline does not read.", name=path.name),
            tr("Save it as DXF in text form."),
        )
    if b"SECTION" not in head[:4096]:
        raise mislabelled(path, title)
    if not tail.endswith(b"EOF"):
        raise damaged(path, title, tr("it is cut off"))
    layers = read_layers(path, context, title, "DXF")
    unit = re.search(rb"\$INSUNITS\s+70\s+(\d{1,3})\s", head)
    name, factor = _UNITS.get(int(unit.group(1)) if unit else 0, ("", 1.0))
    scale = _positive(str(context.options.get("scale", 1.0)))
    for layer in layers:
        assert isinstance(layer.data, VectorData)
        features = layer.data.features
        if "Layer" in features:
            found = features["Layer"].value_counts()
            layer.metadata["cad_layers"] = {str(k): int(n) for k, n in found.items()}
        if name:
            layer.metadata["units"] = name
        if scale != 1.0:
            moved = features.geometry.affine_transform(
                [scale, 0, 0, 0, scale, 0, 0, 0, scale, 0, 0, 0]
            )
            layer.data.features = features.set_geometry(moved)
        elif factor != 1.0:
            layer.warnings.append(
                tr(
                    "The drawing says that its unit is {unit}; its numbers were taken as metres. "
                    "If it is right, load it with scale={factor}.",
                    unit=name,
                    factor=f"{factor:g}",
                )
            )
    return layers


def _positive(text: str) -> float:
    scale = float(text)
    if not (np.isfinite(scale) and scale > 0):
        raise UsageError(
            tr("The scale {scale} is no positive number.", scale=scale),
            tr("Give metres per unit, e.g. 0.001 for millimetres."),
        )
    return scale


def load_csv(path: Path, context: LoadContext) -> list[Layer]:
    """Read a table whose rows have coordinates into a layer of points.

    Raises
    ------
    InputError
        If it is no table, or does not say which columns hold coordinates.
    UsageError
        If a column that is stated is not there.
    """
    import geopandas

    title = "CSV"
    context.feedback.step(0, 2, tr("Reading {name}", name=path.name))
    with reading(path, title):
        frame, encoding = _table(path, title)
        chosen = _coordinate_columns(frame, context)
        context.feedback.step(1, 2)
        numbers = [_numbers(frame, name) for name in chosen]
        shapes = geopandas.points_from_xy(*numbers)
        shapes[~np.isfinite(np.column_stack(numbers)).all(axis=1)] = None
        features = geopandas.GeoDataFrame(frame, geometry=shapes)
        features.index = features.index.rename("fid")
        metadata: dict[str, Any] = {
            "format": title,
            "encoding": encoding,
            "columns": ",".join(chosen),
            "fields": {str(c): str(t) for c, t in frame.dtypes.items()},
        }
        warnings: list[str] = []
        features, has_z = clean_features(features, metadata, warnings)
        if len(features) == 0:
            raise ValueError(tr("no row has coordinates"))
    metadata["geometry"] = {"Point": len(features)}
    data = VectorData(features, has_z)
    layer = Layer(
        path.stem, path.stem, LayerKind.VECTOR, data, metadata=metadata, warnings=warnings
    )
    suggest_style(layer)
    return [layer]


def _table(path: Path, title: str) -> tuple[DataFrame, str]:
    """Return the rows of a table and the encoding of its texts."""
    import pandas as pd

    if path.stat().st_size > _MAX_TABLE:
        raise ValueError(tr("it asks for more memory than there is"))
    raw = path.read_bytes()
    if b"\0" in raw[:_HEAD]:
        raise mislabelled(path, title)
    encoding = name_encoding(raw)
    first = raw[:_HEAD].splitlines()[0]
    separator = max((b",", b";", b"\t", b"|"), key=first.count)
    if separator not in first:
        raise mislabelled(path, title)
    frame = pd.read_csv(path, sep=separator.decode(), encoding=encoding, skipinitialspace=True)
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError(tr("its rows are longer than its first line"))
    frame.columns = [str(name).strip() for name in frame.columns]
    if "geometry" in frame.columns:  # a name that the points of a layer have
        frame = frame.rename(columns={"geometry": "geometry_text"})
    return frame, encoding


def _coordinate_columns(frame: DataFrame, context: LoadContext) -> list[str]:
    """Return the columns with x, y and, where there is one, z."""
    by_name = {str(name).lower(): str(name) for name in frame.columns}
    names = " ".join(", ".join(map(str, frame.columns)).split())[:200]
    chosen = []
    for option, usual in (("x", _X), ("y", _Y), ("z", _Z)):
        stated = str(context.options.get(option, ""))
        if stated and stated not in frame.columns:
            raise UsageError(
                tr("The table has no column “{name}”.", name=stated[:80]),
                tr("Its columns are: {names}.", names=names),
            )
        found = stated or next((by_name[name] for name in usual if name in by_name), "")
        if not found and option != "z":
            raise InputError(
                tr("The table does not say which of its columns is {axis}.", axis=option),
                tr("Name them with the options x and y; the columns are: {names}.",
                   names=names),
            )  # fmt: skip
        chosen += [found] if found else []
    return chosen


def _numbers(frame: DataFrame, name: str) -> Any:
    import pandas as pd

    return pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
