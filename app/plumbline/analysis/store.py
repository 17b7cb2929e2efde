"""Result folders: ``result.json`` with tables, layers and figures beside it.

The format of ``result.json`` is a stable contract (docs: command line). Tables are CSV in UTF-8
without byte order mark, so that programs read the first column's name as it is; numbers are
written with all their digits. A folder is written beside its place and moved in at the end, so
that a crash or a full disk never leaves half a result.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plumbline.analysis.result import Result, Table, Value
from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Scheme

RESULT_NAME = "result.json"

#: A result.json is small; anything larger is not one.
_MAX_BYTES = 256 * 1024 * 1024

_SUFFIXES = {LayerKind.VECTOR: ".gpkg", LayerKind.RASTER: ".tif"}


class StoredStyle(BaseModel):
    """What a style says of where features stand."""

    model_config = ConfigDict(extra="ignore")

    extrude: str | None = None
    base: str | None = None
    drape: bool | None = None


class StoredInput(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    path: str | None
    sha256: str | None = None
    fingerprint: str | None = None
    relative: str | None = None
    sublayer: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    crs: str | None = None
    style: StoredStyle | None = None


class StoredProvenance(BaseModel):
    model_config = ConfigDict(extra="allow")

    inputs: list[StoredInput]
    crs: str | None
    scheme: str = ""
    scheme_definition: Scheme | None = None
    schemes_read: tuple[Scheme, ...] = ()


class StoredValue(BaseModel):
    value: float | int | str | bool | None
    unit: str = ""
    uncertainty: float | None = None


class Stored(BaseModel):
    """What `result.json` must hold to be one."""

    model_config = ConfigDict(extra="ignore")

    analysis: str
    version: str
    params: dict[str, Any]
    values: dict[str, StoredValue]
    tables: dict[str, str] = Field(default_factory=dict)
    layers: dict[str, str] = Field(default_factory=dict)
    figures: dict[str, str] = Field(default_factory=dict)
    documents: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    provenance: StoredProvenance

    @property
    def files(self) -> set[str]:
        """Names of the files beside it; only plain names, whatever the file says."""
        parts = (self.tables, self.layers, self.figures, self.documents)
        names = {name for part in parts for name in part.values()}
        return {n for n in names if n not in ("", ".", "..") and not re.search(r"[/\\:\0]", n)}


# -- writing ---------------------------------------------------------------------------------


def document(result: Result) -> dict[str, Any]:
    """Return the content of ``result.json`` as plain JSON values.

    Files are named after their tables, layers, figures and documents; ``documents`` is there only
    where a result has some.
    """
    names = file_names(result)
    documents = {name: names["documents", name] for name in result.documents}
    return {
        "analysis": result.analysis,
        "version": result.version,
        "params": plain(result.params),
        "values": {name: plain(value.as_json()) for name, value in result.values.items()},
        "tables": {name: names["tables", name] for name in result.tables},
        "layers": {name: names["layers", name] for name in result.layers},
        "figures": {name: names["figures", name] for name in result.figures},
        **({"documents": documents} if documents else {}),
        "warnings": list(result.warnings),
        "provenance": plain(result.provenance),
    }


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: NumPy numbers unwrapped, numbers that are none as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def check_folder(out: Path) -> None:
    """Refuse a place where a result cannot go, before anything is computed.

    Raises
    ------
    UsageError
        If it is a file, or holds a ``result.json`` that is none of ours.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(
            tr("“{path}” is a file; a result needs a folder.", path=out),
            tr("Name a folder with --out."),
        )
    if (out / RESULT_NAME).exists():
        read_stored(out / RESULT_NAME)


def write_result(result: Result, out: Path | str) -> Path:
    """Write a result folder; return the path of its ``result.json``.

    An earlier result in the folder is replaced, and only its own files; other files in the folder
    are left alone and never overwritten.

    Raises
    ------
    UsageError
        If the place is a file, or a file of that name is none of an earlier result's.
    InputError
        If the folder cannot be written.
    """
    out = Path(out).expanduser().absolute()
    check_folder(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = out.with_name(f".{out.name}.{uuid4().hex[:8]}.part")
        folder.mkdir()
        try:
            _write_files(result, folder, out)
            _move_in(folder, out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise InputError(
            tr("The result cannot be written to “{path}”: {why}.", path=out, why=error.strerror),
            tr("Choose another folder, or make room on the disk."),
        ) from error
    return out / RESULT_NAME


def _write_files(result: Result, folder: Path, out: Path) -> None:
    names = file_names(result)
    for name, table in result.tables.items():
        text = table_csv(table)
        (folder / names["tables", name]).write_text(text, encoding="utf-8", newline="")
    for name, layer in result.layers.items():
        from plumbline.io.writers import write_layer

        write_layer(layer, folder, Path(names["layers", name]).stem)
    for name, png in result.figures.items():
        (folder / names["figures", name]).write_bytes(png)
    for name, content in result.documents.items():
        (folder / names["documents", name]).write_bytes(content)
    data = document(result)
    for row in data["provenance"].get("inputs", ()):
        if row.get("path"):
            row["relative"] = _relative(Path(row["path"]), out)
    text = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False)
    (folder / RESULT_NAME).write_text(text + "\n", encoding="utf-8", newline="\n")


def table_csv(table: Table) -> str:
    """Return a table as CSV; floats with all their digits, unknown cells empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([["" if v is None else v for v in plain(row)] for row in table.rows])
    return stream.getvalue()


def file_names(result: Result) -> dict[tuple[str, str], str]:
    """Return a file name for each part: unique, also where case does not count."""
    taken = {RESULT_NAME}
    names: dict[tuple[str, str], str] = {}
    parts = [("tables", n, ".csv") for n in result.tables]
    parts += [("layers", n, layer_suffix(layer)) for n, layer in result.layers.items()]
    parts += [("figures", n, ".png") for n in result.figures]
    parts += [("documents", n, Path(n).suffix) for n in result.documents]
    for group, name, suffix in parts:
        stem = re.sub(r"[^\w-]+", "_", name.removesuffix(suffix)).strip("_") or group
        number = 1
        while (
            candidate := f"{stem}{'' if number == 1 else f'_{number}'}{suffix}"
        ).lower() in taken:
            number += 1
        taken.add(candidate.lower())
        names[group, name] = candidate
    return names


def layer_suffix(layer: Layer) -> str:
    """Return the format in which results store a layer: GeoPackage, GeoTIFF or PLY."""
    return _SUFFIXES.get(layer.kind, ".ply")


def _relative(path: Path, out: Path) -> str | None:
    try:
        return Path(os.path.relpath(path, out)).as_posix()
    except ValueError:  # another drive
        return None


def _move_in(folder: Path, out: Path) -> None:
    """Move a written folder to its place; ``result.json`` last, since it makes the result one."""
    old = read_stored(out / RESULT_NAME).files if (out / RESULT_NAME).exists() else set()
    new = {path.name for path in folder.iterdir()} - {RESULT_NAME}
    foreign = sorted(name for name in new - old if (out / name).exists())
    if foreign:
        raise UsageError(
            tr("“{name}” in {path} belongs to something else.", name=foreign[0], path=out),
            tr("Name another folder with --out."),
        )
    if not out.exists():
        folder.rename(out)
        return
    (out / RESULT_NAME).unlink(missing_ok=True)
    for name in old - new:
        (out / name).unlink(missing_ok=True)
    for name in [*sorted(new), RESULT_NAME]:
        (folder / name).replace(out / name)


# -- reading -------------------------------------------------------------------


def read_stored(path: Path) -> Stored:
    """Return the content of a ``result.json``, checked.

    Raises
    ------
    InputError
        If there is no result of Plumbline.
    """
    hint = tr("Name the result.json of a result folder.")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(tr("“{path}” is no result of Plumbline.", path=path), hint)
        return Stored.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be read: {why}.", path=path, why=error.strerror or error), hint
        ) from error
    except (ValueError, RecursionError, ValidationError) as error:
        raise InputError(
            tr("“{path}” is no result of Plumbline.", path=path), hint, str(error)
        ) from error


def result_path(path: Path | str) -> Path:
    """Return the ``result.json`` that a path names, be it the file or its folder."""
    path = Path(path).expanduser().absolute()
    return path / RESULT_NAME if path.is_dir() else path


def read_result(path: Path | str) -> Result:
    """Return a stored result: values, tables as texts, warnings, provenance.

    Layers and figures stay on disk; their file names are in ``provenance["files"]``.

    Raises
    ------
    InputError
        If there is no result of Plumbline.
    """
    path = result_path(path)
    stored = read_stored(path)
    return Result(
        values={n: Value(v.value, v.unit, v.uncertainty) for n, v in stored.values.items()},
        tables={
            n: _read_table(path.parent / f) for n, f in stored.tables.items() if f in stored.files
        },
        warnings=list(stored.warnings),
        analysis=stored.analysis,
        version=stored.version,
        params=dict(stored.params),
        provenance={
            **stored.provenance.model_dump(),
            "files": {
                "layers": dict(stored.layers),
                "figures": dict(stored.figures),
                "documents": dict(stored.documents),
            },
        },
    )


def _read_table(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            tr("The table “{name}” of the result cannot be read.", name=path.name),
            tr("Run the analysis again."),
            str(error),
        ) from error
    return Table(tuple(rows[0]) if rows else (), tuple(tuple(row) for row in rows[1:]))
