"""Layers that live inside the project file because no file of their own holds them.

Vector layers are feature tables that any GIS shows as they are; meshes, point clouds and computed
grids are NumPy archives; rasters are the bytes of their GeoTIFF. A digest beside each tells a save
what has not changed and need not be written again.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from plumbline.core.crs import crs_text, parse_crs
from plumbline.core.data import (
    Bounds,
    LayerData,
    RasterData,
    VectorData,
)
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.tiles import TilesData
from plumbline.services import paths
from plumbline.services.project import arrays, geopackage
from plumbline.services.project.schema import plain_json

if TYPE_CHECKING:
    import pandas as pd
    from pyproj import CRS

#: SQLite refuses single values above 10⁹ bytes.
LARGEST_BLOB = 999_000_000

TABLE = """
CREATE TABLE plumbline_data (
  layer TEXT NOT NULL PRIMARY KEY, format TEXT NOT NULL, digest TEXT NOT NULL,
  table_name TEXT, description TEXT NOT NULL, data BLOB);
"""

_DTYPE = re.compile(r"(object|bool(ean)?|u?int\d{1,2}|U?Int\d{1,2}|[Ff]loat\d{2}|datetime64\[.+\])")


@dataclass(frozen=True)
class _Column:
    """One attribute: its name in the layer, in the table, and what it was."""

    name: str
    column: str
    dtype: str
    sql: str = "TEXT"
    json: bool = False


def write(
    db: sqlite3.Connection, layer_id: str, name: str, data: LayerData, crs: CRS | None
) -> None:
    """Store the data of a layer, unless the same data are stored already.

    Raises
    ------
    InputError
        If they are too large for a project file, or a raster's file is gone.
    """
    if isinstance(data, VectorData):
        _write_features(db, layer_id, name, data, crs)
    elif isinstance(data, RasterData):
        _write_blob(db, layer_id, "raster", _describe_raster(data), _raster_bytes(name, data))
    else:
        # Tiles always have a source; they are never stored inside.
        assert not isinstance(data, TilesData)
        kind, members, description = arrays.to_arrays(data)
        _write_blob(db, layer_id, kind, description, arrays.pack(members), name)


def read(project: Path, layer_id: str, crs: CRS | None) -> LayerData:
    """Return the data of a layer stored in a project file.

    Raises
    ------
    InputError
        If they are not there or damaged.
    """
    try:
        with closing(geopackage.connect(project)) as db:
            return _read(db, layer_id, crs)
    except (ValueError, KeyError, TypeError, sqlite3.Error, zipfile.BadZipFile, OSError) as error:
        raise InputError(
            tr("The data of layer “{id}” inside the project are damaged.", id=layer_id),
            tr("Make the layer again, or go back to an earlier copy of the project."),
            str(error),
        ) from error


def _read(db: sqlite3.Connection, layer_id: str, crs: CRS | None) -> LayerData:
    row = db.execute(
        "SELECT format, table_name, description, data, digest FROM plumbline_data WHERE layer = ?",
        (layer_id,),
    ).fetchone()
    if row is None:
        raise ValueError("no data stored")
    kind, table, description, data, digest = row
    described = json.loads(description)
    if kind == "features":
        return _read_features(db, str(table), described, crs)
    if kind == "raster":
        return _read_raster(described, data, str(digest))
    return arrays.from_arrays(kind, arrays.unpack(data), described)


def prune(db: sqlite3.Connection, keep: set[str]) -> None:
    """Remove the stored data of layers that are no longer in the project."""
    for layer_id, table in db.execute("SELECT layer, table_name FROM plumbline_data").fetchall():
        if layer_id not in keep:
            if table:
                geopackage.drop_features(db, table)
            db.execute("DELETE FROM plumbline_data WHERE layer = ?", (layer_id,))


# -- feature tables --------------------------------------------------------------------------


def _write_features(
    db: sqlite3.Connection, layer_id: str, name: str, data: VectorData, crs: CRS | None
) -> None:
    frame = data.features
    columns = _columns(frame)
    values = [
        [str(v) for v in frame.index],
        *(_to_sql(frame[c.name], c) for c in columns),
    ]
    rows = list(zip(*values, strict=True))
    geometry = frame.geometry.to_numpy()
    description = {
        "index": str(frame.index.dtype),
        "has_z": data.has_z,
        "geometry": str(frame.geometry.name),
        "columns": to_jsonable_python(columns),
    }
    state = hashlib.sha256(plain_json([description, crs_text(crs)]).encode())
    for blob, row in zip(geopackage.geometry_blobs(geometry, 0), rows, strict=True):
        state.update(repr((blob, row)).encode("utf-8", "surrogatepass"))
    digest = state.hexdigest()
    if _stored_digest(db, layer_id) == digest:
        return
    table = _table_for(db, layer_id)
    geopackage.write_features(
        db,
        table,
        geometry,
        [("entity", "TEXT"), *((c.column, c.sql) for c in columns)],
        rows,
        crs=crs,
        geometry_type=_geometry_type(frame),
        description=name,
    )
    db.execute(
        "INSERT OR REPLACE INTO plumbline_data VALUES (?, 'features', ?, ?, ?, NULL)",
        (layer_id, digest, table, json.dumps(description)),
    )


def _read_features(
    db: sqlite3.Connection, table: str, description: Mapping[str, Any], crs: CRS | None
) -> VectorData:
    import geopandas as gpd
    import pandas as pd

    if table not in geopackage.feature_tables(db):
        raise ValueError(f"no feature table {table}")
    columns = TypeAdapter(list[_Column]).validate_python(description["columns"])
    names = ", ".join(geopackage.quoted(c.column) for c in columns)
    query = f"SELECT geom, entity{', ' if names else ''}{names} FROM {geopackage.quoted(table)}"
    rows = db.execute(query + " ORDER BY fid").fetchall()
    index = _from_sql([row[1] for row in rows], _Column("", "", str(description["index"])))
    attributes = {
        c.name: pd.Series(_from_sql([row[n + 2] for row in rows], c), index=index)
        for n, c in enumerate(columns)
    }
    geometry = geopackage.parse_geometry([row[0] for row in rows])
    name = str(description["geometry"])
    attributes[name] = gpd.GeoSeries(geometry, index=index, crs=crs)
    frame = gpd.GeoDataFrame(attributes, geometry=name, index=index)
    if not frame.index.is_unique:
        raise ValueError("entity ids are not unique")
    return VectorData(frame, bool(description["has_z"]))


def _columns(frame: Any) -> list[_Column]:
    """Name the table's columns: as the attributes, apart from case and from reserved names."""
    taken = {"fid", "geom", "entity"}
    columns = []
    for name in frame.columns:
        if name == frame.geometry.name:
            continue
        series = frame[name]
        column, n = str(name), 1
        while column.lower() in taken or not column:
            n += 1
            column = f"{name}_{n}"
        taken.add(column.lower())
        columns.append(_describe(str(name), column, series))
    return columns


def _describe(name: str, column: str, series: Any) -> _Column:
    dtype = str(series.dtype)
    if dtype == "object" or not _DTYPE.fullmatch(dtype):
        plain = all(isinstance(value, str) for value in series.dropna())
        return _Column(name, column, "object", json=not plain)
    if dtype.startswith("datetime"):
        # The standard knows UTC or none, and milliseconds; what is more stays exact as text.
        zone, whole = series.dt.tz, (series.dropna() == series.dropna().dt.floor("ms")).all()
        fits = (zone is None or str(zone) == "UTC") and whole
        return _Column(name, column, dtype, "DATETIME" if fits else "TEXT")
    return _Column(name, column, dtype, _sql_type(dtype))


def _sql_type(dtype: str) -> str:
    known = {"bool": "BOOLEAN", "int": "INTEGER", "uint": "INTEGER", "float": "REAL"}
    return next((sql for kind, sql in known.items() if dtype.lower().startswith(kind)), "TEXT")


def _to_sql(series: pd.Series[Any], column: _Column) -> list[Any]:
    """Return the values as SQLite takes them, None where there is none."""
    missing = series.isna()
    values: list[Any] = []
    for value, nothing in zip(series, missing, strict=True):
        if nothing:
            values.append(None)
        elif column.json:
            values.append(plain_json(value))
        elif column.sql == "DATETIME":
            values.append(value.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        elif column.dtype.startswith("datetime"):
            values.append(value.isoformat())
        else:
            values.append(value.item() if isinstance(value, np.generic) else value)
    return values


def _from_sql(values: Sequence[Any], column: _Column) -> Any:
    """Return an array of the attribute's own type."""
    import pandas as pd

    dtype: Any = column.dtype
    if column.json:
        values = [None if v is None else json.loads(v) for v in values]
    elif dtype.lower().startswith(("int", "uint")):  # the index is stored as text
        values = [None if v is None else int(v) for v in values]
    series: Any = pd.Series(values, dtype=object)
    if dtype == "object" or not _DTYPE.fullmatch(dtype):
        return series.array
    if dtype.startswith("datetime"):
        series = pd.to_datetime(series, format="ISO8601", utc="," in dtype)
    return series.astype(dtype).array


def _geometry_type(frame: Any) -> str:
    kinds = {str(kind) for kind in frame.geometry.geom_type.dropna().unique()}
    known = {
        "Point",
        "LineString",
        "Polygon",
        "MultiPoint",
        "MultiLineString",
        "MultiPolygon",
    }
    return kinds.pop().upper() if len(kinds) == 1 and kinds <= known else "GEOMETRY"


def _table_for(db: sqlite3.Connection, layer_id: str) -> str:
    """Return the table that holds a layer already, or a free name close to its id."""
    row = db.execute("SELECT table_name FROM plumbline_data WHERE layer = ?", (layer_id,))
    known = row.fetchone()
    if known is not None and known[0]:
        return str(known[0])
    taken = {str(r[0]).lower() for r in db.execute("SELECT name FROM sqlite_master")}
    taken |= {"measurements", "measurement_points", "city_entities"}
    base = re.sub(r"[\x00-\x1f\"]", "_", layer_id)[:60] or "layer"
    if base.lower().startswith(("gpkg_", "sqlite_", "rtree_", "plumbline_")):
        base = f"layer_{base}"
    name, n = base, 1
    while name.lower() in taken:
        n += 1
        name = f"{base}_{n}"
    return name


# -- arrays and files ------------------------------------------------------------------------


def _write_blob(
    db: sqlite3.Connection,
    layer_id: str,
    kind: str,
    description: Mapping[str, Any],
    data: bytes,
    name: str = "",
) -> None:
    if len(data) > LARGEST_BLOB:
        raise InputError(
            tr(
                "Layer “{name}” ({size} MB) is too large to live inside the project.",
                name=name or layer_id,
                size=len(data) // 1_000_000,
            ),
            tr("Export it to a file and add that file to the project."),
        )
    text = plain_json(description)
    digest = hashlib.sha256(text.encode() + data).hexdigest()
    if _stored_digest(db, layer_id) != digest:
        db.execute(
            "INSERT OR REPLACE INTO plumbline_data VALUES (?, ?, ?, NULL, ?, ?)",
            (layer_id, kind, digest, text, data),
        )


def _raster_bytes(name: str, data: RasterData) -> bytes:
    try:
        return data.path.read_bytes()
    except OSError as error:
        raise InputError(
            tr("The raster of layer “{name}” is gone: {path}.", name=name, path=data.path),
            tr("Run the analysis again, or remove the layer."),
            str(error),
        ) from error


def _describe_raster(data: RasterData) -> dict[str, Any]:
    plain = {f.name: getattr(data, f.name) for f in fields(RasterData)}
    del plain["path"]
    return plain | {"crs": crs_text(data.crs), "target_crs": crs_text(data.target_crs)}


def _read_raster(description: dict[str, Any], data: bytes, digest: str) -> RasterData:
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError("no digest")
    folder = paths.cache_folder() / "rasters"
    folder.mkdir(exist_ok=True)
    path = folder / f"{digest}.tif"
    if not path.is_file() or path.stat().st_size != len(data):
        path.write_bytes(data)
    given = dict(description)
    given["bounds"] = TypeAdapter(Bounds | None).validate_python(given["bounds"])
    for name in ("crs", "target_crs"):
        given[name] = parse_crs(given[name]) if given[name] else None
    transform = TypeAdapter(tuple[float, float, float, float, float, float])
    given["transform"] = transform.validate_python(given["transform"])
    if given["height_range"] is not None:
        given["height_range"] = TypeAdapter(tuple[float, float]).validate_python(
            given["height_range"]
        )
    return RasterData(path, **given)


def _stored_digest(db: sqlite3.Connection, layer_id: str) -> str | None:
    row = db.execute("SELECT digest FROM plumbline_data WHERE layer = ?", (layer_id,)).fetchone()
    return str(row[0]) if row else None
