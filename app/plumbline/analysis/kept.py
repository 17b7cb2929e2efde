"""Results kept by content: the same inputs, parameters and versions are computed once.

What decides a result makes its key: the analysis and its version, the parameters, the data of every
layer, what the scheme hides and adds, the rule packs, and the version of Plumbline. A name, a
colour or the place of a file is no part of it. A result whose inputs have no digest (streamed
tiles) has no key and is computed each time.

Kept are values, tables, figures and warnings, not layers and documents. They lie in memory, and in
a folder where one is set, so that another process finds them; a damaged file is a miss.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

import plumbline
from plumbline.analysis.result import Result, Table, Value
from plumbline.analysis.rules import rule_files
from plumbline.analysis.runner import Prepared
from plumbline.analysis.store import StoredValue, plain
from plumbline.core.data import GridData, MeshData, PointCloudData, RasterData, VectorData
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import translator
from plumbline.core.layer import Layer, file_sha256
from plumbline.core.scene import Scheme

#: Bytes of results in memory and on disk; the longest unused go first.
LARGEST = 64 * 2**20
LARGEST_FOLDER = 512 * 2**20
#: Raised when the files below change their meaning.
FORMAT = 1

_USED = ContextVar("used", default=True)


@contextmanager
def computed_anew() -> Iterator[None]:
    """Compute everything within: a replay that looks up its answer proves nothing."""
    token = _USED.set(False)
    try:
        yield
    finally:
        _USED.reset(token)


# -- what a result depends on ----------------------------------------------------------------


def request_key(
    prepared: Prepared, layers: Mapping[str, Layer], known: dict[str, str] | None = None
) -> str:
    """Return the key of a request, empty where some input has no digest.

    Parameters
    ----------
    layers : mapping of str to Layer
        The layers that `prepared` has read, by id.
    known : dict, optional
        Digests of these layers by id, filled here: many requests read the same layers.
    """
    known = {} if known is None else known
    for name in prepared.sources:
        if name not in known:
            known[name] = layer_digest(layers[name])
    digests = {name: known[name] for name in prepared.sources}
    if not all(digests.values()):
        return ""
    read = set(prepared.sources)
    content = {
        "format": FORMAT,
        "plumbline": plumbline.__version__,
        "analysis": prepared.request.analysis,
        "version": prepared.request.version,
        "params": prepared.request.params,
        "layers": digests,
        "styles": prepared.styles,
        "crs": prepared.crs,
        "scheme": _what_counts(prepared.scheme, read),
        "schemes": [_what_counts(scheme, read) for scheme in prepared.schemes],
        "files": _files(prepared.request.params),
        # Warnings and some words in tables are in the language of the run.
        "language": translator.language,
    }
    text = json.dumps(plain(content), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _what_counts(scheme: Scheme | None, read: set[str]) -> dict[str, Any] | None:
    """Return what of a scheme can move a number: not its name, nor what it does to other layers."""
    if scheme is None:
        return None
    return {
        "id": scheme.id,
        "terrain": [scheme.terrain_polygon, scheme.terrain_height],
        "hidden": sorted((ref.layer, ref.entity) for ref in scheme.hidden if ref.layer in read),
        "layers": [name for name in scheme.layers if name in read],
        "site": scheme.site,
        "cleared": [asdict(clearing) for clearing in scheme.cleared],
    }


def _files(params: Any) -> dict[str, str]:
    """Return digests of rule packs and of JSON files that parameters name."""
    files = dict(rule_files())
    files |= {text: Path(text) for text in _texts(params) if text.lower().endswith(".json")}
    found = {}
    for name, path in files.items():
        with suppress(OSError, ValueError):
            found[name] = file_sha256(path)
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def layer_digest(layer: Layer) -> str:
    """Return a digest of what a layer holds; empty where that is streamed from many files.

    What lies in memory is looked at itself, since tables that are joined and edits are in no file's
    digest; rasters and clouds are known by their file.
    """
    data = layer.data
    if isinstance(data, MeshData | VectorData | GridData):
        return _digest_of(data)
    source = layer.source
    if isinstance(data, RasterData | PointCloudData) and source is not None and source.sha256:
        placed = [source.sha256, source.sublayer, dict(source.options), source.crs]
        return hashlib.sha256(json.dumps(placed, sort_keys=True, default=str).encode()).hexdigest()
    return _digest_of(data) if type(data) is PointCloudData else ""


def _digest_of(data: MeshData | VectorData | GridData | PointCloudData) -> str:
    import numpy as np

    sha = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray):
            sha.update(f"{value.dtype}{value.shape}".encode())
            sha.update(np.ascontiguousarray(value).data)
        else:
            sha.update(json.dumps(plain(value), sort_keys=True).encode())

    if isinstance(data, VectorData):
        import shapely

        frame = data.features
        add([str(label) for label in frame.index])
        for shape in shapely.to_wkb(frame.geometry.to_numpy(), output_dimension=3):
            sha.update(shape or b"-")
        rest = frame.drop(columns=frame.geometry.name)
        add({str(name): [_cell(v) for v in rest[name]] for name in rest.columns})
    elif isinstance(data, GridData):
        add(data.values)
        add([data.transform, data.heights, data.unit])
    elif isinstance(data, PointCloudData):
        add(data.points)
        for name in sorted(data.attributes):
            add(data.attributes[name])
    else:
        for array in (data.vertices, data.triangles, data.element_index):
            add(array)
        add([asdict(element) for element in data.elements])
    return sha.hexdigest()


def _cell(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)


# -- keeping ---------------------------------------------------------------------------------


class _Stored(BaseModel):
    """A kept result as its file has it."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, StoredValue]
    tables: dict[str, tuple[list[str], list[list[Any]], dict[str, str]]]
    figures: dict[str, str]
    warnings: list[str]
    headline: str
    provenance: dict[str, Any]


class KeptResults:
    """Results by key, the longest unused dropped first; safe for threads.

    Parameters
    ----------
    folder : callable, optional
        Gives the folder of the files, asked each time; None keeps in memory only.
    """

    def __init__(self, folder: Callable[[], Path | None] | None = None) -> None:
        self.folder = folder
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Result | None:
        """Return a kept result, without layers; None where there is none."""
        with self._lock:
            text = self._texts.get(key)
            if text is not None:
                self._texts.move_to_end(key)
        if text is None:
            text = self._read(key)
        if text is None:
            return None
        try:
            result = _result(_Stored.model_validate_json(text))
        except (ValidationError, ValueError):
            return None
        self._hold(key, text)
        return result

    def put(self, key: str, result: Result) -> None:
        """Keep a result; a disk that is full or read-only keeps nothing and stops nothing."""
        text = _text(result)
        self._hold(key, text)
        folder = self._folder()
        if folder is None:
            return
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            beside = folder / f"{key}.{uuid4().hex[:8]}.part"
            beside.write_text(text, encoding="utf-8")
            beside.replace(folder / f"{key}.json")
            _thin(folder)

    def clear(self) -> None:
        """Forget what lies in memory."""
        with self._lock:
            self._texts.clear()

    def _folder(self) -> Path | None:
        return None if self.folder is None else self.folder()

    def _read(self, key: str) -> str | None:
        folder = self._folder()
        if folder is None:
            return None
        path = folder / f"{key}.json"
        try:
            text = path.read_text(encoding="utf-8")
            path.touch()
        except (OSError, ValueError):
            return None
        return text

    def _hold(self, key: str, text: str) -> None:
        with self._lock:
            self._texts[key] = text
            self._texts.move_to_end(key)
            while len(self._texts) > 1 and sum(map(len, self._texts.values())) > LARGEST:
                self._texts.popitem(last=False)


def _thin(folder: Path) -> None:
    """Remove the files that were not used for longest, down to what a folder may hold."""
    files = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.json")]
    held = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if held <= LARGEST_FOLDER:
            return
        path.unlink(missing_ok=True)
        held -= size


def _text(result: Result) -> str:
    document = {
        "values": {name: value.as_json() for name, value in result.values.items()},
        "tables": {name: (t.columns, t.rows, t.units) for name, t in result.tables.items()},
        "figures": {n: base64.b64encode(png).decode() for n, png in result.figures.items()},
        "warnings": result.warnings,
        "headline": result.headline,
        "provenance": result.provenance,
    }
    return json.dumps(plain(document), ensure_ascii=False, allow_nan=False)


def _result(stored: _Stored) -> Result:
    return Result(
        values={n: Value(v.value, v.unit, v.uncertainty) for n, v in stored.values.items()},
        tables={
            name: Table(tuple(columns), tuple(tuple(row) for row in rows), units)
            for name, (columns, rows, units) in stored.tables.items()
        },
        figures={name: base64.b64decode(text) for name, text in stored.figures.items()},
        warnings=list(stored.warnings),
        headline=stored.headline,
        provenance=dict(stored.provenance),
    )


#: Those of this process.
kept_results = KeptResults()


def compute_once(
    prepared: Prepared,
    layers: Mapping[str, Layer],
    feedback: Feedback | None = None,
    known: dict[str, str] | None = None,
) -> tuple[Result, bool]:
    """Return the result of a request, kept or computed, and whether it was kept.

    Either way it has been through the same text, so that both are the same to the last digit; it
    has no layers and no documents. See `request_key` for `layers` and `known`.
    """
    key = request_key(prepared, layers, known)
    kept = kept_results.get(key) if key and _USED.get() else None
    if kept is None:
        computed = prepared.compute(feedback)
        if key:
            kept_results.put(key, computed)
    result = kept or _result(_Stored.model_validate_json(_text(computed)))
    result.analysis = prepared.request.analysis
    result.version = prepared.request.version
    result.params = dict(prepared.request.params)
    return result, kept is not None
