"""Entities in a project file: as the scene has them, and as polygons for other programs to show.

The table is made when a project first has entities: files without it are files without entities,
for this version and for those before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from plumbline.core.city import CityEntity
from plumbline.services.project import geopackage
from plumbline.services.project.schema import parse_json, plain_json

if TYPE_CHECKING:
    from pyproj import CRS

_TABLE = "plumbline_entities"
#: Name of the feature table, which any GIS opens.
FEATURES = "city_entities"
_ENTITY = TypeAdapter(CityEntity)


def write_entities(
    db: sqlite3.Connection, entities: tuple[CityEntity, ...], crs: CRS | None
) -> None:
    """Write the entities inside the open transaction; they replace those of the last save."""
    had = _exists(db)
    if not entities and not had:
        return
    if not had:
        db.execute(
            f"CREATE TABLE {_TABLE} (position INTEGER NOT NULL PRIMARY KEY, entity TEXT NOT NULL)"
        )
        text = "Things of the city whose parts lie in several layers"
        geopackage.register_extension(db, [_TABLE], "plumbline_project", text)
    db.execute(f"DELETE FROM {_TABLE}")
    db.executemany(
        f"INSERT INTO {_TABLE} VALUES (?, ?)", [(n, plain_json(e)) for n, e in enumerate(entities)]
    )
    _write_features(db, entities, crs)


def _write_features(
    db: sqlite3.Connection, entities: tuple[CityEntity, ...], crs: CRS | None
) -> None:
    query = "SELECT 1 FROM plumbline_data WHERE lower(table_name) = ?"
    if db.execute(query, (FEATURES,)).fetchone() is not None:
        return  # a layer of an earlier version has that name: its data come first
    geopackage.drop_features(db, FEATURES)
    if not entities:
        return
    columns = [("entity", "TEXT"), ("name", "TEXT"), ("height", "REAL"), ("storeys", "REAL"),
               ("base", "REAL"), ("top", "REAL"), ("parts", "TEXT")]  # fmt: skip
    geopackage.write_features(
        db,
        FEATURES,
        [one.shape() for one in entities],
        columns,
        [(e.id, e.name, e.height, e.storeys, e.base, e.top, plain_json(e.parts)) for e in entities],
        crs=crs,
        geometry_type="MULTIPOLYGON",
        description="Entities: footprints with what is known of them",
    )


def read_entities(
    db: sqlite3.Connection, warn: Callable[[str, Exception], None]
) -> tuple[CityEntity, ...]:
    """Return the entities of a project; a broken one is told and left out."""
    if not _exists(db):
        return ()
    found: dict[str, CityEntity] = {}
    rows = db.execute(f"SELECT entity FROM {_TABLE} ORDER BY position")
    for n, (text,) in enumerate(rows):
        try:
            one: Any = _ENTITY.validate_python(parse_json(text))
            one.shape()
        except (ValueError, TypeError) as error:
            warn(f"entity {n + 1}", error)
            continue
        found.setdefault(one.id, one)
    return tuple(found.values())


def _exists(db: sqlite3.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return db.execute(query, (_TABLE,)).fetchone() is not None
