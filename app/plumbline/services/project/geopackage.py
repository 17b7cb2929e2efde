"""The part of the GeoPackage standard that a project needs, on plain SQLite.

Written by hand so that a project's own tables and its feature tables change in one transaction.
Follows OGC 12-128r18 (GeoPackage 1.3.1): application id and contents (1.1.1), reference systems
(1.1.2), features (2.1), extensions (2.3), WKT 2 for reference systems (annex F.10).
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.crs import horizontal_crs

if TYPE_CHECKING:
    from pyproj import CRS

APPLICATION_ID = 0x47504B47  # "GPKG"
USER_VERSION = 10301
UNDEFINED_CARTESIAN = -1
#: First id for reference systems that no authority knows.
FIRST_OWN_SRS = 100_000

_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT,
  definition_12_063 TEXT NOT NULL);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined cartesian SRS', -1, 'NONE', -1, 'undefined', NULL, 'undefined'),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', NULL, 'undefined');
INSERT INTO gpkg_extensions VALUES
  ('gpkg_spatial_ref_sys', 'definition_12_063', 'gpkg_crs_wkt',
   'http://www.geopackage.org/spec131/#extension_crs_wkt', 'read-write');
"""

#: Bytes of the envelope for each value of its three flag bits.
_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def script(db: sqlite3.Connection, statements: str) -> None:
    """Run several statements inside the open transaction (`executescript` would commit it)."""
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)


def create(db: sqlite3.Connection) -> None:
    """Turn an empty database into an empty GeoPackage."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {USER_VERSION}")
    script(db, _TABLES)
    from pyproj import CRS

    register_crs(db, CRS.from_epsg(4326))


def register_extension(db: sqlite3.Connection, tables: Iterable[str], name: str, text: str) -> None:
    """Declare tables as an extension; readers that do not know it may ignore them."""
    db.executemany(
        "INSERT OR IGNORE INTO gpkg_extensions VALUES (?, NULL, ?, ?, 'write-only')",
        [(table, name, text) for table in tables],
    )


def register_attributes(db: sqlite3.Connection, table: str, description: str) -> None:
    """List a plain table in the contents, so that other programs show it.

    GDAL shows every table of a file that lists none in this way.
    """
    db.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description)"
        " VALUES (?, 'attributes', ?, ?)",
        (table, table, description),
    )


def register_crs(db: sqlite3.Connection, crs: CRS | None) -> int:
    """Return the ``srs_id`` of a CRS in this file, registering it if needed."""
    if crs is None:
        return UNDEFINED_CARTESIAN
    # Heights are in the coordinates; the plane is what every reader of GeoPackage understands.
    crs = horizontal_crs(crs)
    wkt = crs.to_wkt("WKT2_2015")
    authority = crs.to_authority(min_confidence=100)
    if authority is not None and authority[0] == "EPSG" and authority[1].isdigit():
        organization, number, srs_id = "EPSG", int(authority[1]), int(authority[1])
        found = db.execute("SELECT 1 FROM gpkg_spatial_ref_sys WHERE srs_id = ?", (srs_id,))
    else:
        query = "SELECT srs_id FROM gpkg_spatial_ref_sys WHERE definition_12_063 = ?"
        known = db.execute(query, (wkt,)).fetchone()
        if known is not None:
            return int(known[0])
        highest = db.execute("SELECT max(srs_id) FROM gpkg_spatial_ref_sys").fetchone()[0]
        srs_id = max(FIRST_OWN_SRS, int(highest) + 1)
        organization, number = "NONE", srs_id
        found = db.execute("SELECT 1 WHERE 0")
    if found.fetchone() is None:
        db.execute(
            "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL, ?)",
            (crs.name, srs_id, organization, number, _wkt1(crs), wkt),
        )
    return srs_id


def _wkt1(crs: CRS) -> str:
    from pyproj.exceptions import CRSError

    try:
        return str(crs.to_wkt("WKT1_GDAL"))
    except CRSError:
        return "undefined"  # what the standard asks for where only WKT 2 can say it


def geometry_blobs(geometry: Any, srs_id: int) -> list[bytes | None]:
    """Encode shapely geometries (None allowed) as GeoPackage binary with an xy envelope."""
    import shapely

    array = np.asarray(geometry, dtype=object)
    encoded = shapely.to_wkb(array, flavor="iso", byte_order=1)
    boxes = shapely.bounds(array)
    empty = shapely.is_empty(array)
    blobs: list[bytes | None] = []
    for wkb, box, nothing in zip(encoded, boxes, empty, strict=True):
        if wkb is None:
            blobs.append(None)
        elif nothing:
            blobs.append(struct.pack("<2sBBi", b"GP", 0, 0b010001, srs_id) + wkb)
        else:
            envelope = struct.pack("<4d", box[0], box[2], box[1], box[3])
            blobs.append(struct.pack("<2sBBi", b"GP", 0, 0b000011, srs_id) + envelope + wkb)
    return blobs


def parse_geometry(blobs: Sequence[bytes | None]) -> Any:
    """Decode GeoPackage binary into an array of shapely geometries.

    Raises
    ------
    ValueError
        If a blob is not what the standard says.
    """
    import shapely

    encoded: list[bytes | None] = []
    for blob in blobs:
        if blob is None:
            encoded.append(None)
            continue
        if len(blob) < 8 or blob[:2] != b"GP":
            raise ValueError("not a GeoPackage geometry")
        envelope = (blob[3] >> 1) & 0b111
        if envelope not in _ENVELOPE_BYTES:
            raise ValueError(f"unknown envelope {envelope}")
        encoded.append(blob[8 + _ENVELOPE_BYTES[envelope] :])
    try:
        return shapely.from_wkb(np.array(encoded, dtype=object))
    except shapely.errors.GEOSException as error:
        raise ValueError(str(error)) from error


def write_features(
    db: sqlite3.Connection,
    table: str,
    geometry: Any,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    *,
    crs: CRS | None,
    geometry_type: str = "GEOMETRY",
    description: str = "",
) -> None:
    """Write a feature table, replacing one of that name.

    Parameters
    ----------
    geometry : sequence of shapely geometries
        In `crs`, one for each row; None allowed.
    columns : sequence of (name, SQL type)
        Attributes beside ``fid`` and ``geom``; names must differ without regard to case.
    """
    import shapely

    drop_features(db, table)
    srs_id = register_crs(db, crs)
    defined = "".join(f", {quoted(name)} {sql}" for name, sql in columns)
    db.execute(
        f"CREATE TABLE {quoted(table)} "
        f"(fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom {geometry_type}{defined})"
    )
    array = np.asarray(geometry, dtype=object)
    known = array[~shapely.is_missing(array) & ~shapely.is_empty(array)]
    box = [float(v) for v in shapely.total_bounds(known)] if len(known) else [None] * 4
    db.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description,"
        " min_x, min_y, max_x, max_y, srs_id) VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?)",
        (table, table, description, *box, srs_id),
    )
    db.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, ?, 0)",
        (table, geometry_type, srs_id, _z_flag(shapely.has_z(known), geometry_type)),
    )
    names = "".join(f", {quoted(name)}" for name, _ in columns)
    marks = ", ?" * len(columns)
    db.executemany(
        f"INSERT INTO {quoted(table)} (geom{names}) VALUES (?{marks})",
        ((blob, *row) for blob, row in zip(geometry_blobs(array, srs_id), rows, strict=True)),
    )


def _z_flag(has_z: Any, geometry_type: str) -> int:
    """Return whether z is prohibited (0), mandatory (1) or optional (2)."""
    if not has_z.any():
        return 0
    # GDAL knows no "any geometry, z mandatory".
    return 1 if has_z.all() and geometry_type != "GEOMETRY" else 2


def drop_features(db: sqlite3.Connection, table: str) -> None:
    """Remove a feature table and all that names it; does nothing when there is none."""
    db.execute(f"DROP TABLE IF EXISTS {quoted(table)}")
    for catalogue in ("gpkg_geometry_columns", "gpkg_extensions", "gpkg_contents"):
        db.execute(f"DELETE FROM {catalogue} WHERE lower(table_name) = lower(?)", (table,))


def feature_tables(db: sqlite3.Connection) -> set[str]:
    """Return the names of the feature tables that are really tables."""
    rows = db.execute(
        "SELECT c.table_name FROM gpkg_contents c JOIN sqlite_master m ON m.name = c.table_name"
        " WHERE c.data_type = 'features' AND m.type = 'table'"
    )
    return {str(row[0]) for row in rows}


def connect(path: Path, *, create: bool = False, timeout: float = 5.0) -> sqlite3.Connection:
    """Open a database without trusting what its schema might call, in manual transactions.

    Raises
    ------
    sqlite3.Error
        If it cannot be opened.
    """
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
    db = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    return db


def now() -> str:
    """Return the time as GeoPackage writes it: UTC, milliseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
