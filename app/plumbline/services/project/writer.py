"""Writing a project so that no crash can hurt it; the package says how and why."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from plumbline import __version__
from plumbline.core.errors import InputError
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import tr
from plumbline.core.layer import LayerEntry, Source
from plumbline.core.scene import Camera, Group, Scene
from plumbline.services.project import embedded, geopackage
from plumbline.services.project.content import ProjectContent, project_path, snapshot
from plumbline.services.project.schema import (
    OWN_NAMES,
    OWN_TABLES,
    SCHEMA_VERSION,
    StoredSource,
    check_version,
    damaged,
    plain_json,
)
from plumbline.services.project.things import write_entities

log = logging.getLogger(__name__)

SAVES_KEPT = 100


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
                check_version(db, path)
                _write(db, content, path, in_place=True)
        else:
            _write_new(content, path)


def _write_new(content: ProjectContent, path: Path) -> None:
    """Write a whole new file, sync it and rename it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    try:
        with closing(geopackage.connect(temporary, create=True)) as db, _transaction(db):
            _create(db)
            _write(db, content, path, in_place=False)
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
    geopackage.script(db, OWN_TABLES + embedded.TABLE)
    tables = [f"plumbline_{name}" for name in (*OWN_NAMES, "saves", "data")]
    text = "Plumbline project: layers, styles, views, viewpoints, results and schemes of a scene"
    geopackage.register_extension(db, tables, "plumbline_project", text)
    geopackage.register_attributes(db, "plumbline_saves", "When the project was saved")


def _write(db: sqlite3.Connection, content: ProjectContent, path: Path, *, in_place: bool) -> None:
    for name in OWN_NAMES:
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
            [(n, plain_json(item)) for n, item in enumerate(items)],
        )
    _write_measurements(db, content)
    write_entities(db, content.entities, content.georeference.crs)
    _write_data(db, content, path if in_place else None)
    db.execute(
        "INSERT INTO plumbline_saves (saved_at, version) VALUES (?, ?)",
        (geopackage.now(), __version__),
    )
    db.execute(
        "DELETE FROM plumbline_saves WHERE n <= (SELECT max(n) FROM plumbline_saves) - ?",
        (SAVES_KEPT,),
    )


def _write_data(db: sqlite3.Connection, content: ProjectContent, here: Path | None) -> None:
    """Write the data of layers that live inside projects.

    Absent layers keep theirs; where these are in another file than `here`, they are copied.
    """
    crs = content.georeference.crs
    embedded.prune(db, {entry.id for entry in content.layers if entry.source is None})
    for entry in content.layers:
        if entry.id in content.data:
            embedded.write(db, entry.id, entry.name, content.data[entry.id], crs)
        elif entry.stored is not None and entry.stored != here:
            try:
                data = embedded.read(entry.stored, entry.id, crs)
            except InputError as error:  # unreadable there: it stays absent, with its entry
                log.warning("%s: %s", entry.stored, error)
            else:
                embedded.write(db, entry.id, entry.name, data, crs)


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
        "report": content.report,
        "clipping": content.clipping,
    }
    db.executemany(
        "INSERT INTO plumbline_meta VALUES (?, ?)", [(k, plain_json(v)) for k, v in meta.items()]
    )


def _write_layer(db: sqlite3.Connection, entry: LayerEntry, path: Path) -> None:
    stored = None if entry.source is None else plain_json(_stored_source(entry.source, path.parent))
    db.execute(
        "INSERT INTO plumbline_layers VALUES (?, ?, ?, ?, ?, ?)",
        (entry.id, entry.name, entry.kind.value, entry.crs, stored, plain_json(entry.metadata)),
    )
    db.execute("INSERT INTO plumbline_styles VALUES (?, ?)", (entry.id, plain_json(entry.style)))
    db.execute("INSERT INTO plumbline_views VALUES (?, ?)", (entry.id, plain_json(entry.view)))


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
        geopackage.drop_features(db, table)
        if not records:
            continue
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
                plain_json(r.values),
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


def _stored_source(source: Source, folder: Path) -> StoredSource:
    path = Path(os.path.normpath(source.path.absolute()))
    try:
        text = Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        text = path.as_posix()
    return StoredSource(
        path=text,
        loader=source.loader,
        sublayer=source.sublayer,
        options=dict(source.options),
        crs=source.crs,
        sha256=source.sha256,
        size=source.size,
        fingerprint=source.fingerprint,
    )


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
            raise damaged(path, str(error)) from error
        raise InputError(
            tr("“{name}” cannot be saved: {why}.", name=path.name, why=error),
            tr("Check that you may write to its folder.") + " " + kept,
            str(error),
        ) from error
