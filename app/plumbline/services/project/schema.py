"""The project's own tables, their version, and how values are spelled in them."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.services.project.content import SUFFIX

#: Raised when the tables below change their meaning.
SCHEMA_VERSION = 1

OWN_TABLES = """
CREATE TABLE plumbline_meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE plumbline_layers (
  id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, crs TEXT NOT NULL,
  source TEXT, metadata TEXT NOT NULL);
CREATE TABLE plumbline_styles (layer TEXT NOT NULL PRIMARY KEY, style TEXT NOT NULL);
CREATE TABLE plumbline_views (layer TEXT NOT NULL PRIMARY KEY, view TEXT NOT NULL);
CREATE TABLE plumbline_tree (
  position INTEGER NOT NULL PRIMARY KEY, item TEXT NOT NULL, kind TEXT NOT NULL,
  parent TEXT NOT NULL, name TEXT NOT NULL, visible INTEGER NOT NULL);
CREATE TABLE plumbline_viewpoints (position INTEGER NOT NULL PRIMARY KEY, viewpoint TEXT NOT NULL);
CREATE TABLE plumbline_records (position INTEGER NOT NULL PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE plumbline_schemes (position INTEGER NOT NULL PRIMARY KEY, scheme TEXT NOT NULL);
CREATE TABLE plumbline_saves (
  n INTEGER PRIMARY KEY AUTOINCREMENT, saved_at TEXT NOT NULL, version TEXT NOT NULL);
"""
OWN_NAMES = ("meta", "layers", "styles", "views", "tree", "viewpoints", "records", "schemes")


class StoredSource(BaseModel):
    """A source as the file keeps it."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    path: str = Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")
    loader: str = Field(max_length=100)
    sublayer: str = Field("", max_length=1000)
    options: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    crs: str | None = Field(None, max_length=100_000)
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    size: int = Field(0, ge=0)
    fingerprint: str = Field("", max_length=100)


class StoredItem(BaseModel):
    """A row of the tree."""

    item: str = Field(min_length=1, max_length=1000)
    kind: Literal["layer", "group"]
    parent: str = ""
    name: str = ""
    visible: bool = True


def plain_json(value: Any) -> str:
    """Return plain JSON; what is not finite becomes null, NumPy scalars their values."""

    def plain(other: Any) -> Any:
        return other.tolist() if isinstance(other, np.generic | np.ndarray) else str(other)

    return to_json(value, inf_nan_mode="null", fallback=plain).decode()


def parse_json(text: Any) -> Any:
    """Parse JSON; only finite numbers.

    Raises
    ------
    ValueError
        If it is no such JSON, whatever else the cell holds.
    """

    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise ValueError(f"{number} is not finite")
        return value

    if not isinstance(text, str):
        raise ValueError("not a text")
    try:
        return json.loads(text, parse_float=finite, parse_constant=finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def check_header(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            header = stream.read(100)
    except OSError as error:
        raise InputError(
            tr("The project “{path}” cannot be opened: {why}.", path=path, why=error.strerror),
            tr("Check the path and the disk."),
        ) from error
    if not header.startswith(b"SQLite format 3\0"):
        raise InputError(
            tr("“{name}” is not a Plumbline project.", name=path.name),
            tr("Projects are files that end in {suffix}.", suffix=SUFFIX),
        )


def check_version(db: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no project, or one that this version does not understand."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'plumbline_%'"
    tables = {str(row[0]) for row in db.execute(query)}
    if "plumbline_meta" not in tables:
        raise InputError(
            tr("“{name}” is a GeoPackage, but not a Plumbline project.", name=path.name),
            tr("Open a project first, then add this file to it as a layer."),
        )
    rows = db.execute("SELECT key, value FROM plumbline_meta WHERE key LIKE '%version'")
    meta = {str(key): str(value) for key, value in rows}
    try:
        schema = int(meta["schema_version"])
    except (KeyError, ValueError) as error:
        raise damaged(path, f"schema version: {error}") from error
    if schema > SCHEMA_VERSION:
        raise InputError(
            tr(
                "“{name}” was saved by a newer Plumbline ({version}).",
                name=path.name,
                version=meta.get("version", "?").strip('"')[:30],
            ),
            tr("Update Plumbline to open it. The file was not changed."),
        )
    lacking = {f"plumbline_{name}" for name in (*OWN_NAMES, "saves", "data")} - tables
    if schema < SCHEMA_VERSION or lacking:
        raise damaged(path, f"schema version {schema}, without tables {sorted(lacking)}")


def damaged(path: Path, why: str) -> InputError:
    return InputError(
        tr("The project “{name}” is damaged.", name=path.name),
        tr("Go back to a copy of it, or to a recovery copy offered at the start."),
        why,
    )
