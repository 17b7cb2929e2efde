"""The project file ``NAME.plumb.gpkg``: a GeoPackage with Plumbline's own tables beside.

Any GIS opens its feature tables (measurements, vector results) as they are; the ``plumbline_*``
tables hold what a scene is made of. Sources stay where they are, as relative path and SHA-256.

How a save cannot hurt: a new file is written whole under a temporary name, synced and renamed. An
existing project is changed in place in one SQLite transaction (rollback journal,
``synchronous=EXTRA``), not rewritten and renamed, for three reasons: tables that others put into
the file survive; a GIS that has the file open keeps seeing it; and a write-ahead log left beside
the file by such a program is never paired with a file it does not belong to, which SQLite names as
a way to corrupt databases. A process killed at any moment leaves either no journal or one that
the next reader rolls back; a full disk rolls back at once.

Reading treats the file as hostile: only JSON and NumPy arrays, everything validated; a broken
entry is a warning, the rest opens.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from plumbline import __version__
from plumbline.core.crs import crs_text, parse_crs
from plumbline.core.data import LayerData
from plumbline.core.errors import CancelledError, InputError, UserError
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerEntry, LayerKind, LayerStyle, LayerView, Source
from plumbline.core.scene import Camera, Group, Record, Scene, Scheme, Viewpoint
from plumbline.io import load
from plumbline.services import embedded, geopackage, paths

log = logging.getLogger(__name__)

SUFFIX = ".plumb.gpkg"
#: Raised when the tables below change their meaning.
SCHEMA_VERSION = 1
#: Key of `Layer.metadata`: digest recorded in the project when the source has changed since.
CHANGED_FROM = "source_changed_from"
SAVES_KEPT = 100

T = TypeVar("T")

_OWN_TABLES = """
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
_OWN_NAMES = ("meta", "layers", "styles", "views", "tree", "viewpoints", "records", "schemes")


class _StoredSource(BaseModel):
    """A source as the file keeps it."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    path: str = Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")
    loader: str = Field(max_length=100)
    sublayer: str = Field("", max_length=1000)
    options: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    crs: str | None = Field(None, max_length=100_000)
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    size: int = Field(0, ge=0)


class _StoredItem(BaseModel):
    """A row of the tree."""

    item: str = Field(min_length=1, max_length=1000)
    kind: Literal["layer", "group"]
    parent: str = ""
    name: str = ""
    visible: bool = True


_CAMERA = TypeAdapter(Camera)
_VIEWPOINT = TypeAdapter(Viewpoint)
_RECORD = TypeAdapter(Record)
_SCHEME = TypeAdapter(Scheme)
_ORIGIN = TypeAdapter(tuple[float, float, float])
_JSON: TypeAdapter[Mapping[str, Any]] = TypeAdapter(dict[str, Any])


@dataclass(frozen=True)
class ProjectContent:
    """All that a project file says, as plain data without the layers' data.

    Attributes
    ----------
    layers : tuple of LayerEntry
        In the order of the tree, from its top.
    tree : tuple of str or Group
        Groups and layer ids.
    extra : dict
        Plain JSON values of the window (docks, active tool, ...).
    warnings : tuple of str
        Translated sentences: what was broken and left out, which sources have absolute paths.
    data : mapping
        Data of layers that live inside the project; filled by `snapshot` only.
    """

    georeference: Georeference = field(default_factory=Georeference)
    layers: tuple[LayerEntry, ...] = ()
    tree: tuple[str | Group, ...] = ()
    viewpoints: tuple[Viewpoint, ...] = ()
    records: tuple[Record, ...] = ()
    schemes: tuple[Scheme, ...] = ()
    active_scheme: str = ""
    camera: Camera | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    saved_at: str = ""
    saved_by: str = ""
    warnings: tuple[str, ...] = ()
    data: Mapping[str, LayerData] = field(default_factory=dict)


# -- writing ---------------------------------------------------------------------------------


def project_path(path: Path | str) -> Path:
    """Return an absolute path that ends in ``.plumb.gpkg``, adding what lacks."""
    path = Path(path).expanduser().absolute()
    if path.name.lower().endswith(SUFFIX):
        return path
    stem = path.name[: -len(".gpkg")] if path.name.lower().endswith(".gpkg") else path.name
    return path.with_name(stem + SUFFIX)


def new_project(
    path: Path | str, georeference: Georeference | None = None, *, overwrite: bool = False
) -> Path:
    """Write an empty project and return its path, which ends in ``.plumb.gpkg``.

    Raises
    ------
    InputError
        If there is a file of that name and `overwrite` is not set, or it cannot be written.
    """
    path = project_path(path)
    if path.exists() and not overwrite:
        raise InputError(
            tr("There is a file “{path}” already.", path=path),
            tr("Choose another name, or say that it may be overwritten."),
        )
    write_content(ProjectContent(georeference or Georeference()), path, replace_file=True)
    return path


def save_project(
    scene: Scene,
    path: Path | str,
    camera: Camera | None = None,
    extra: Mapping[str, Any] | None = None,
    *,
    replace_file: bool = False,
) -> None:
    """Save a scene; afterwards it counts as unmodified.

    Parameters
    ----------
    camera : Camera, optional
        The view to come back to.
    extra : mapping, optional
        Plain JSON values of the window.
    replace_file : bool
        Replace an existing file instead of updating it ("save as" over another project).

    Raises
    ------
    InputError
        If it cannot be written (full disk, locked, read-only, not a project, from a newer
        version); what was saved before is untouched.
    """
    write_content(snapshot(scene, camera, extra), Path(path), replace_file=replace_file)
    scene.mark_modified(False)


def snapshot(
    scene: Scene, camera: Camera | None = None, extra: Mapping[str, Any] | None = None
) -> ProjectContent:
    """Return what a save would write; quick, so that the writing can go to another thread.

    Layers' data are shared with the scene, not copied: nothing changes them in place.
    """
    absent = {entry.id: entry for entry in scene.absent}
    entries, data = [], {}
    tree = scene.full_tree
    for layer_id in (
        i for item in tree for i in ([item] if isinstance(item, str) else item.layers)
    ):
        if layer_id in absent:
            entries.append(absent[layer_id])
            continue
        entry = _entry_of(scene, scene[layer_id])
        entries.append(entry)
        if entry.source is None:
            data[layer_id] = scene[layer_id].data
    scheme = scene.active_scheme
    return ProjectContent(
        scene.georeference,
        tuple(entries),
        tree,
        scene.viewpoints,
        scene.records,
        scene.schemes,
        scheme.id if scheme else "",
        camera,
        dict(extra or {}),
        data=data,
    )


def write_content(content: ProjectContent, path: Path, *, replace_file: bool = False) -> None:
    """Write what `snapshot` gave; may run in any thread.

    Raises
    ------
    InputError
        As `save_project`.
    """
    path = path.expanduser().absolute()
    with _explained(path):
        if path.exists() and not replace_file:
            with closing(geopackage.connect(path)) as db, _transaction(db):
                _check_version(db, path)
                _write(db, content, path)
        else:
            _write_new(content, path)


def _entry_of(scene: Scene, layer: Layer) -> LayerEntry:
    source = layer.source
    if layer.kind is LayerKind.RESULT:
        source = None  # results belong to the project, wherever they were computed
    if source is not None:
        recorded = str(layer.metadata.get(CHANGED_FROM, source.sha256))
        source = replace(source, sha256=recorded)
    return LayerEntry(
        layer.id,
        layer.name,
        layer.kind,
        source,
        scene.style(layer.id),
        scene.view(layer.id),
        crs=crs_text(layer.crs) or "" if source is None else "",
        metadata=dict(layer.metadata) if source is None else {},
    )


def _write_new(content: ProjectContent, path: Path) -> None:
    """Write a whole new file, sync it and rename it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    stored = next((entry.stored for entry in content.layers if entry.stored), None)
    try:
        with closing(geopackage.connect(temporary)) as db:
            if stored is not None:
                # Absent layers whose data are in the old project: start from a copy of it.
                with closing(geopackage.connect(stored)) as old:
                    old.backup(db)
            with _transaction(db):
                if stored is None:
                    _create(db)
                _write(db, content, path)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        _settle(path)
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        for leftover in (temporary, temporary.with_name(temporary.name + "-journal")):
            leftover.unlink(missing_ok=True)


def _settle(path: Path) -> None:
    """Fold logs beside a file that is about to be replaced into it, so that none is left over."""
    if not path.exists():
        return
    try:
        with closing(geopackage.connect(path, timeout=1.0)) as db:
            db.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        return  # no database: nothing of it can be left over
    if path.with_name(path.name + "-wal").exists():
        raise sqlite3.OperationalError("database is locked")


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut; not every system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _create(db: sqlite3.Connection) -> None:
    geopackage.create(db)
    geopackage.script(db, _OWN_TABLES + embedded.TABLE)
    tables = [f"plumbline_{name}" for name in (*_OWN_NAMES, "saves", "data")]
    text = "Plumbline project: layers, styles, views, viewpoints, results and schemes of a scene"
    geopackage.register_extension(db, tables, "plumbline_project", text)
    geopackage.register_attributes(db, "plumbline_saves", "When the project was saved")


def _write(db: sqlite3.Connection, content: ProjectContent, path: Path) -> None:
    for name in _OWN_NAMES:
        db.execute(f"DELETE FROM plumbline_{name}")
    _write_meta(db, content)
    for entry in content.layers:
        _write_layer(db, entry, path)
    _write_tree(db, content.tree)
    for name, items in (
        ("viewpoint", content.viewpoints),
        ("record", content.records),
        ("scheme", content.schemes),
    ):
        db.executemany(
            f"INSERT INTO plumbline_{name}s VALUES (?, ?)",
            [(n, _json(item)) for n, item in enumerate(items)],
        )
    _write_measurements(db, content)
    crs = content.georeference.crs
    embedded.prune(db, {entry.id for entry in content.layers if entry.source is None})
    for entry in content.layers:
        if entry.id in content.data:
            embedded.write(db, entry.id, entry.name, content.data[entry.id], crs)
    db.execute(
        "INSERT INTO plumbline_saves (saved_at, version) VALUES (?, ?)",
        (geopackage.now(), __version__),
    )
    db.execute(
        "DELETE FROM plumbline_saves WHERE n <= (SELECT max(n) FROM plumbline_saves) - ?",
        (SAVES_KEPT,),
    )


def _write_meta(db: sqlite3.Connection, content: ProjectContent) -> None:
    georeference = content.georeference
    meta = {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "saved_at": geopackage.now(),
        "crs": georeference.crs_text,
        "origin": georeference.origin,
        "active_scheme": content.active_scheme,
        "camera": content.camera,
        "extra": content.extra,
    }
    db.executemany(
        "INSERT INTO plumbline_meta VALUES (?, ?)", [(k, _json(v)) for k, v in meta.items()]
    )


def _write_layer(db: sqlite3.Connection, entry: LayerEntry, path: Path) -> None:
    stored = None if entry.source is None else _json(_stored_source(entry.source, path.parent))
    db.execute(
        "INSERT INTO plumbline_layers VALUES (?, ?, ?, ?, ?, ?)",
        (entry.id, entry.name, entry.kind.value, entry.crs, stored, _json(entry.metadata)),
    )
    db.execute("INSERT INTO plumbline_styles VALUES (?, ?)", (entry.id, _json(entry.style)))
    db.execute("INSERT INTO plumbline_views VALUES (?, ?)", (entry.id, _json(entry.view)))


def _write_tree(db: sqlite3.Connection, tree: tuple[str | Group, ...]) -> None:
    rows: list[tuple[str, str, str, str, bool]] = []
    for item in tree:
        if isinstance(item, str):
            rows.append((item, "layer", "", "", True))
        else:
            rows.append((item.id, "group", "", item.name, item.visible))
            rows += [(i, "layer", item.id, "", True) for i in item.layers]
    db.executemany(
        "INSERT INTO plumbline_tree VALUES (?, ?, ?, ?, ?, ?)",
        [(n, *row) for n, row in enumerate(rows)],
    )


def _write_measurements(db: sqlite3.Connection, content: ProjectContent) -> None:
    """Write the kept results that have points as features, for other programs to show."""
    import shapely

    columns = [
        ("record", "TEXT"),
        ("name", "TEXT"),
        ("analysis", "TEXT"),
        ("label", "TEXT"),
        ("result", "TEXT"),
        ("created", "TEXT"),
        ("operator", "TEXT"),
    ]
    lines = [r for r in content.records if len(r.points) > 1]
    points = [r for r in content.records if len(r.points) == 1]
    for table, kind, records in (
        ("measurements", "LINESTRING", lines),
        ("measurement_points", "POINT", points),
    ):
        geometry = [
            shapely.linestrings(r.points) if kind == "LINESTRING" else shapely.points(r.points[0])
            for r in records
        ]
        rows = [
            (
                r.id,
                r.name,
                str(r.request.get("analysis", "")),
                r.label,
                _json(r.values),
                r.created,
                r.operator,
            )
            for r in records
        ]
        geopackage.write_features(
            db,
            table,
            geometry,
            columns,
            rows,
            crs=content.georeference.crs,
            geometry_type=kind,
        )


def _stored_source(source: Source, folder: Path) -> _StoredSource:
    path = Path(os.path.normpath(source.path.absolute()))
    try:
        text = Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        text = path.as_posix()
    return _StoredSource(
        path=text,
        loader=source.loader,
        sublayer=source.sublayer,
        options=dict(source.options),
        crs=source.crs,
        sha256=source.sha256,
        size=source.size,
    )


def _json(value: Any) -> str:
    """Return plain JSON; what is not finite becomes null, NumPy scalars their values."""

    def plain(other: Any) -> Any:
        return other.tolist() if isinstance(other, np.generic | np.ndarray) else str(other)

    return to_json(value, inf_nan_mode="null", fallback=plain).decode()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("PRAGMA synchronous = EXTRA")
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk may have rolled back already
            db.execute("ROLLBACK")
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into what the user can do about it."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        text = str(error).lower()
        kept = tr("What was saved before is untouched.")
        number = getattr(error, "errno", None)
        if "locked" in text or "busy" in text:
            raise InputError(
                tr("“{name}” is in use by another program.", name=path.name),
                tr("Close it there (QGIS, a second window) and save again.") + " " + kept,
                str(error),
            ) from error
        if "full" in text or number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(
                tr("“{name}” cannot be saved: the disk is full.", name=path.name),
                tr("Free some space, or save to another disk.") + " " + kept,
                str(error),
            ) from error
        if "malformed" in text or "not a database" in text:
            raise _damaged(path, str(error)) from error
        raise InputError(
            tr("“{name}” cannot be saved: {why}.", name=path.name, why=error),
            tr("Check that you may write to its folder.") + " " + kept,
            str(error),
        ) from error


# -- reading ---------------------------------------------------------------------------------


def read_project(path: Path | str) -> ProjectContent:
    """Read a project file without loading any layer.

    Raises
    ------
    InputError
        If it is missing, damaged, no project, or from a newer version of Plumbline.
    """
    path = Path(path).expanduser().absolute()
    _check_header(path)
    try:
        with closing(geopackage.connect(path)) as db:
            db.execute("BEGIN")  # one consistent state, whoever saves meanwhile
            _check_version(db, path)
            return _Reader(db, path).content()
    except (sqlite3.Error, OSError) as error:
        if "locked" in str(error):
            raise InputError(
                tr("“{name}” is in use by another program.", name=path.name),
                tr("Close it there (QGIS, a second window) and open it again."),
                str(error),
            ) from error
        raise _damaged(path, str(error)) from error


class _Reader:
    """Reads the tables of one open project; broken entries become warnings."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self.db = db
        self.path = path
        self.warnings: list[str] = []

    def content(self) -> ProjectContent:
        rows = self.db.execute("SELECT key, value FROM plumbline_meta").fetchall()
        self.meta = {str(key): value for key, value in rows}
        entries, tree = self._layers_in_tree()
        return ProjectContent(
            self._georeference(),
            entries,
            tree,
            self._items("viewpoint", _VIEWPOINT),
            self._items("record", _RECORD),
            self._items("scheme", _SCHEME),
            self._meta("active_scheme", TypeAdapter(str), ""),
            self._meta("camera", TypeAdapter(Camera | None), None),
            self._meta("extra", _JSON, {}),
            self._meta("saved_at", TypeAdapter(str), ""),
            self._meta("version", TypeAdapter(str), ""),
            tuple(self.warnings),
        )

    def _georeference(self) -> Georeference:
        try:
            text = TypeAdapter(str | None).validate_python(_parse(self.meta["crs"]))
            origin = _ORIGIN.validate_python(_parse(self.meta["origin"]))
            return Georeference.from_text(text, origin)
        except (KeyError, ValueError, UserError) as error:
            raise _damaged(self.path, str(error)) from error

    def _meta(self, key: str, adapter: TypeAdapter[T], default: T) -> T:
        if key not in self.meta:
            return default
        try:
            return adapter.validate_python(_parse(self.meta[key]))
        except ValueError as error:
            self._warn(key, error)
            return default

    def _items(self, name: str, adapter: TypeAdapter[T]) -> tuple[T, ...]:
        items = []
        query = f"SELECT {name} FROM plumbline_{name}s ORDER BY position"
        for n, (text,) in enumerate(self.db.execute(query)):
            try:
                items.append(adapter.validate_python(_parse(text)))
            except ValueError as error:
                self._warn(f"{name} {n + 1}", error)
        return tuple(items)

    def _layers_in_tree(self) -> tuple[tuple[LayerEntry, ...], tuple[str | Group, ...]]:
        known = {entry.id: entry for entry in self._layers()}
        tree = self._tree(set(known))
        places: dict[str, tuple[str, tuple[str, ...]]] = {}
        for n, item in enumerate(tree):
            above = tuple(i if isinstance(i, str) else i.id for i in tree[:n])
            if isinstance(item, str):
                places[item] = ("", above)
            else:
                places |= {i: (item.id, item.layers[:m]) for m, i in enumerate(item.layers)}
        entries = [replace(known[i], group=g, above=above) for i, (g, above) in places.items()]
        return tuple(entries), tree

    def _layers(self) -> Iterator[LayerEntry]:
        query = (
            "SELECT l.id, l.name, l.kind, l.crs, l.source, l.metadata, s.style, v.view"
            " FROM plumbline_layers l LEFT JOIN plumbline_styles s ON s.layer = l.id"
            " LEFT JOIN plumbline_views v ON v.layer = l.id"
        )
        for layer_id, name, kind, crs, source, metadata, style, view in self.db.execute(query):
            try:
                yield LayerEntry(
                    str(layer_id),
                    str(name),
                    LayerKind(kind),
                    None if source is None else self._source(str(name), source),
                    self._look(LayerStyle, str(name), style),
                    self._look(LayerView, str(name), view),
                    str(crs),
                    _JSON.validate_python(_parse(metadata)),
                    self.path if source is None else None,
                )
            except ValueError as error:
                self._warn(tr("layer “{name}”", name=name), error)

    def _look(self, model: type[_Model], name: str, text: Any) -> _Model:
        """Return a style or view; a broken one costs the look, not the layer."""
        try:
            return model.model_validate({} if text is None else _parse(text))
        except ValueError as error:
            self._warn(tr("style of layer “{name}”", name=name), error)
            return model()

    def _source(self, name: str, text: Any) -> Source:
        stored = _StoredSource.model_validate(_parse(text))
        absolute = (
            PurePosixPath(stored.path).is_absolute() or PureWindowsPath(stored.path).drive != ""
        )
        if absolute:
            self.warnings.append(
                tr(
                    "Layer “{name}” is read from a fixed place outside the project: {path}.",
                    name=name,
                    path=stored.path,
                )
            )
        return Source(
            Path(os.path.normpath(self.path.parent / stored.path)),
            stored.loader,
            stored.sublayer,
            stored.options,
            stored.crs,
            stored.sha256,
            stored.size,
        )

    def _tree(self, layers: set[str]) -> tuple[str | Group, ...]:
        """Return the tree with every layer in it exactly once, whatever the table says."""
        rows = self.db.execute(
            "SELECT item, kind, parent, name, visible FROM plumbline_tree ORDER BY position"
        )
        tree: list[str | Group] = []
        left = set(layers)
        for item, kind, parent, name, visible in rows:
            try:
                row = _StoredItem.model_validate(
                    {"item": item, "kind": kind, "parent": parent, "name": name, "visible": visible}
                )
            except ValidationError as error:
                self._warn(tr("layer tree"), error)
                continue
            groups = {g.id: n for n, g in enumerate(tree) if isinstance(g, Group)}
            if row.kind == "group" and row.item not in groups:
                tree.append(Group(row.item, row.name, (), row.visible))
            elif row.kind == "layer" and row.item in left:
                left.remove(row.item)
                holder = tree[groups[row.parent]] if row.parent in groups else None
                if isinstance(holder, Group):
                    tree[groups[row.parent]] = replace(holder, layers=(*holder.layers, row.item))
                else:
                    tree.append(row.item)
        return (*sorted(left), *tree)

    def _warn(self, what: str, error: Exception) -> None:
        log.warning("%s: %s: %s", self.path, what, error)
        self.warnings.append(tr("{what} in the project is damaged and was left out.", what=what))


_Model = TypeVar("_Model", LayerStyle, LayerView)


def _parse(text: Any) -> Any:
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


def _check_header(path: Path) -> None:
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


def _check_version(db: sqlite3.Connection, path: Path) -> None:
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
        raise _damaged(path, f"schema version: {error}") from error
    if schema > SCHEMA_VERSION:
        raise InputError(
            tr(
                "“{name}” was saved by a newer Plumbline ({version}).",
                name=path.name,
                version=meta.get("version", "?").strip('"')[:30],
            ),
            tr("Update Plumbline to open it. The file was not changed."),
        )
    lacking = {f"plumbline_{name}" for name in (*_OWN_NAMES, "saves", "data")} - tables
    if schema < SCHEMA_VERSION or lacking:
        raise _damaged(path, f"schema version {schema}, without tables {sorted(lacking)}")


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        tr("The project “{name}” is damaged.", name=path.name),
        tr("Go back to a copy of it, or to a recovery copy offered at the start."),
        why,
    )


# -- loading ---------------------------------------------------------------------------------


def load_entry(
    entry: LayerEntry, georeference: Georeference, feedback: Feedback | None = None
) -> Layer:
    """Load the data of one layer of a project; may run in any thread.

    A source that changed since the last save loads with a warning; the project keeps the recorded
    digest, so that the warning comes again until `accept_source`.

    Raises
    ------
    InputError
        If the source is not where it was, or cannot be read.
    """
    feedback = feedback or Feedback()
    if entry.source is None:
        return _load_stored(entry)
    source = entry.source
    if not source.path.exists():
        raise InputError(
            tr(
                "The source of layer “{name}” is not where it was: {path}.",
                name=entry.name,
                path=source.path,
            ),
            tr("Put it back, or relink the layer to its new place."),
        )
    layers = load(
        source.path,
        source.options,
        feedback,
        crs=source.crs,
        target_crs=georeference.crs,
        sublayer=source.sublayer,
        cache=paths.cache_folder(),
    )
    layer = _only(layers, entry, source)
    layer.id, layer.name = entry.id, entry.name
    assert layer.source is not None
    if source.sha256 and layer.source.sha256 != source.sha256:
        layer.metadata[CHANGED_FROM] = source.sha256
        layer.warnings.append(
            tr(
                "The source of layer “{name}” has changed since the project was saved: {path}.",
                name=entry.name,
                path=source.path,
            )
        )
    return layer


def _only(layers: list[Layer], entry: LayerEntry, source: Source) -> Layer:
    matching = [
        layer
        for layer in layers
        if not source.sublayer or (layer.source and layer.source.sublayer == source.sublayer)
    ]
    if len(matching) != 1:
        raise InputError(
            tr(
                "“{path}” no longer holds the layer “{name}”.",
                path=source.path,
                name=source.sublayer or entry.name,
            ),
            tr("Put the earlier file back, or relink the layer to its new place."),
        )
    return matching[0]


def _load_stored(entry: LayerEntry) -> Layer:
    if entry.stored is None:
        raise ValueError(f"the layer {entry.id} has neither a source nor stored data")
    crs = parse_crs(entry.crs) if entry.crs else None
    with closing(geopackage.connect(entry.stored)) as db:
        data = embedded.read(db, entry.id, crs)
    return Layer(entry.id, entry.name, entry.kind, data, crs, metadata=dict(entry.metadata))


def build_scene(
    content: ProjectContent,
    loaded: Mapping[str, Layer] | None = None,
    problems: Mapping[str, str] | None = None,
) -> Scene:
    """Make the scene of a project on the thread that will own it.

    Layers that are not in `loaded` are its absent layers, with the sentence from `problems` if
    there is one. A window shows this scene at once, loads each `scene.absent` with `load_entry` in
    workers, and hands each to `scene.arrive`, or notes the problem with `note_problem`.
    """
    known = content.georeference.crs is not None or content.layers
    scene = Scene(content.georeference if known else None)
    scene.set_tree(replace(g, layers=()) for g in content.tree if isinstance(g, Group))
    problems = problems or {}
    scene.set_absent(replace(e, problem=problems.get(e.id, "")) for e in content.layers)
    for layer in (loaded or {}).values():
        scene.arrive(layer)
    scene.set_viewpoints(content.viewpoints)
    scene.set_records(content.records)
    scene.set_schemes(content.schemes)
    scene.activate_scheme(content.active_scheme)
    scene.history.clear()
    scene.mark_modified(False)
    return scene


def note_problem(scene: Scene, layer_id: str, problem: str) -> None:
    """Note why the data of an absent layer could not be loaded."""
    scene.set_absent(replace(e, problem=problem) if e.id == layer_id else e for e in scene.absent)


def open_project(
    path: Path | str, feedback: Feedback | None = None
) -> tuple[Scene, list[str], Camera | None]:
    """Read a project and load its layers one after the other, on this thread.

    Returns
    -------
    scene : Scene
        Layers that could not be loaded are in `scene.absent` and survive the next save.
    warnings : list of str
        Translated sentences.
    camera : Camera, optional
        The view at the last save.

    Raises
    ------
    InputError
        As `read_project`. A layer that cannot be loaded is a warning.
    """
    feedback = feedback or Feedback()
    content = read_project(path)
    warnings = list(content.warnings)
    loaded: dict[str, Layer] = {}
    problems: dict[str, str] = {}
    total = max(1, len(content.layers))
    for n, entry in enumerate(content.layers):
        part = feedback.part(n / total, (n + 1) / total)
        part.step(0, 1, tr("Loading {name}", name=entry.name))
        try:
            loaded[entry.id] = load_entry(entry, content.georeference, part)
            warnings += loaded[entry.id].warnings
        except CancelledError:
            raise
        except UserError as error:
            problems[entry.id] = error.message
            warnings.append(str(error))
    return build_scene(content, loaded, problems), warnings, content.camera


def relinked(entry: LayerEntry, path: Path | str) -> LayerEntry:
    """Return the entry of a layer with its source at another place, to be given to `load_entry`."""
    if entry.source is None:
        raise ValueError("the layer has no source")
    source = replace(entry.source, path=Path(path).expanduser().absolute())
    return replace(entry, source=source, problem="")


def relink(
    scene: Scene, layer_id: str, path: Path | str, feedback: Feedback | None = None
) -> Layer:
    """Load an absent layer from the place where its source is now.

    Raises
    ------
    InputError
        If it cannot be read; the scene is unchanged.
    """
    entry = relinked(next(e for e in scene.absent if e.id == layer_id), path)
    layer = load_entry(entry, scene.georeference, feedback)
    scene.arrive(layer)
    scene.mark_modified()
    return layer


def accept_source(scene: Scene, layer_id: str) -> None:
    """Take a changed source for the right one: the next save records its digest."""
    if scene[layer_id].metadata.pop(CHANGED_FROM, None) is not None:
        scene.mark_modified()
