"""Reading a project as if it came from an enemy: everything validated, broken entries left out."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from plumbline.core.clipping import Clipping
from plumbline.core.errors import InputError, UserError
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import tr
from plumbline.core.layer import LayerEntry, LayerKind, LayerStyle, LayerView, Source
from plumbline.core.report_plan import ReportPlan
from plumbline.core.scene import Camera, Group, Record, Scheme, Viewpoint
from plumbline.services.project import geopackage
from plumbline.services.project.content import ProjectContent
from plumbline.services.project.schema import (
    StoredItem,
    StoredSource,
    check_header,
    check_version,
    damaged,
    parse_json,
)
from plumbline.services.project.things import read_entities

log = logging.getLogger(__name__)

T = TypeVar("T")
_Model = TypeVar("_Model", LayerStyle, LayerView)

_CAMERA = TypeAdapter(Camera)
_VIEWPOINT = TypeAdapter(Viewpoint)
_RECORD = TypeAdapter(Record)
_SCHEME = TypeAdapter(Scheme)
_ORIGIN = TypeAdapter(tuple[float, float, float])
_CLIPPING = TypeAdapter(Clipping)
_REPORT = TypeAdapter(ReportPlan)
_JSON: TypeAdapter[Mapping[str, Any]] = TypeAdapter(dict[str, Any])


def read_project(path: Path | str) -> ProjectContent:
    """Read a project file without loading any layer.

    Raises
    ------
    InputError
        If it is missing, damaged, no project, or from a newer version of Plumbline.
    """
    path = Path(path).expanduser().absolute()
    check_header(path)
    try:
        with closing(geopackage.connect(path)) as db:
            db.execute("BEGIN")  # one consistent state, whoever saves meanwhile
            check_version(db, path)
            return _Reader(db, path).content()
    except (sqlite3.Error, OSError) as error:
        if "locked" in str(error):
            raise InputError(
                tr("“{name}” is in use by another program.", name=path.name),
                tr("Close it there (QGIS, a second window) and open it again."),
                str(error),
            ) from error
        raise damaged(path, str(error)) from error


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
            report=self._meta("report", _REPORT, ReportPlan()),
            clipping=self._meta("clipping", _CLIPPING, Clipping()),
            entities=read_entities(self.db, self._warn),
            warnings=tuple(self.warnings),
        )

    def _georeference(self) -> Georeference:
        try:
            text = TypeAdapter(str | None).validate_python(parse_json(self.meta["crs"]))
            origin = _ORIGIN.validate_python(parse_json(self.meta["origin"]))
            return Georeference.from_text(text, origin)
        except (KeyError, ValueError, UserError) as error:
            raise damaged(self.path, str(error)) from error

    def _meta(self, key: str, adapter: TypeAdapter[T], default: T) -> T:
        if key not in self.meta:
            return default
        try:
            return adapter.validate_python(parse_json(self.meta[key]))
        except ValueError as error:
            self._warn(key, error)
            return default

    def _items(self, name: str, adapter: TypeAdapter[T]) -> tuple[T, ...]:
        items = []
        query = f"SELECT {name} FROM plumbline_{name}s ORDER BY position"
        for n, (text,) in enumerate(self.db.execute(query)):
            try:
                items.append(adapter.validate_python(parse_json(text)))
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
                    _JSON.validate_python(parse_json(metadata)),
                    self.path if source is None else None,
                )
            except ValueError as error:
                self._warn(tr("layer “{name}”", name=name), error)

    def _look(self, model: type[_Model], name: str, text: Any) -> _Model:
        """Return a style or view; a broken one costs the look, not the layer."""
        try:
            return model.model_validate({} if text is None else parse_json(text))
        except ValueError as error:
            self._warn(tr("style of layer “{name}”", name=name), error)
            return model()

    def _source(self, name: str, text: Any) -> Source:
        stored = StoredSource.model_validate(parse_json(text))
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
            stored.fingerprint,
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
                row = StoredItem.model_validate(
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
