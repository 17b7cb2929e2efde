"""Replays stored results: the same request on the same inputs, and whether the numbers agree."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.analysis.kept import computed_anew
from plumbline.analysis.result import Result, Table
from plumbline.analysis.runner import run
from plumbline.analysis.store import (
    Stored,
    StoredInput,
    file_names,
    plain,
    read_result,
    read_stored,
    result_path,
    table_csv,
)
from plumbline.core.errors import InputError
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, file_sha256
from plumbline.core.scene import Scene
from plumbline.io.registry import load

#: Relative difference below which a replayed number counts as the same: far above what another
#: order of summation or another release of a library moves, far below what anyone measures.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Difference:
    """One thing in which a replay is not the same as the stored result."""

    what: str
    before: Any
    now: Any
    message: str


def replay(path: Path | str, feedback: Feedback | None = None) -> tuple[Result, list[Difference]]:
    """Run a stored request again from its inputs and compare the numbers.

    Returns
    -------
    result : Result
        The new result.
    differences : list of Difference
        Empty when every input is the same file and every number is the same within `TOLERANCE`.

    Raises
    ------
    InputError
        If the result or one of its inputs cannot be read.
    """
    path = result_path(path)
    feedback = feedback or Feedback()
    stored, before = read_stored(path), read_result(path)
    scene, differences = _scene(stored, path.parent, feedback.part(0, 0.5))
    with computed_anew():
        result = run(
            stored.analysis, scene, stored.params, feedback.part(0.5, 1), stored.provenance.scheme
        )
    if result.version != stored.version:
        text = tr(
            "The analysis is version {now} now, it was {before}.",
            now=result.version,
            before=stored.version,
        )
        differences.append(Difference("version", stored.version, result.version, text))
    differences += compare(before, result)
    with tempfile.TemporaryDirectory(prefix="plumbline-replay-") as temporary:
        differences += _compare_layers(stored, path.parent, result, Path(temporary))
    return result, differences


def _scene(stored: Stored, folder: Path, feedback: Feedback) -> tuple[Scene, list[Difference]]:
    """Return a scene with the stored inputs, and those of them that changed."""
    georeference = Georeference.from_text(stored.provenance.crs)
    scene, changed = Scene(georeference), []
    inputs = stored.provenance.inputs
    for n, item in enumerate(inputs):
        source = _find(item, folder)
        layer = load(
            source,
            item.options,
            feedback.part(n / len(inputs), (n + 1) / len(inputs)),
            crs=item.crs,
            target_crs=georeference.crs,
            layer_id=item.id,
            sublayer=item.sublayer,
        )[0]
        stands = item.style.model_dump(exclude_none=True) if item.style else {}
        scene.add(layer, style=layer.style.model_copy(update=stands))
        found = layer.source
        marks = (None, None) if found is None else (found.sha256, found.fingerprint)
        for before, now in zip((item.sha256, item.fingerprint), marks, strict=True):
            if before is not None and now != before:
                text = tr("The file “{name}” has changed since.", name=source.name)
                changed.append(Difference(f"input {item.id}", before, now, text))
    schemes = list(stored.provenance.schemes_read)
    if stored.provenance.scheme_definition is not None:
        own = stored.provenance.scheme_definition
        schemes = [own, *(scheme for scheme in schemes if scheme.id != own.id)]
    scene.set_schemes(schemes)
    return scene, changed


def _find(item: StoredInput, folder: Path) -> Path:
    """Return the file of an input: where it was, else where it lies now from the result."""
    candidates = [Path(item.path)] if item.path else []
    if item.relative:
        candidates.append(folder / item.relative)
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(
        tr(
            "The input “{id}” of this result is missing: {path}.", id=item.id, path=item.path or "–"
        ),
        tr("Put the file back, or run the analysis anew."),
    )


def compare(before: Result, now: Result) -> list[Difference]:
    """Return in which values and tables two results differ, beyond `TOLERANCE`."""
    found = _compare_maps(
        {name: (v.value, v.unit) for name, v in before.values.items()},
        {name: (plain(v.value), v.unit) for name, v in now.values.items()},
        lambda a, b: a[1] == b[1] and same(a[0], b[0]),
    )
    found += _compare_maps(
        {name: (t.columns, t.rows) for name, t in before.tables.items()},
        {name: _as_read(table) for name, table in now.tables.items()},
        _same_table,
    )
    return found


def _compare_maps(
    before: Mapping[str, Any], now: Mapping[str, Any], equal: Callable[[Any, Any], bool]
) -> list[Difference]:
    found = []
    for name in [*before, *(n for n in now if n not in before)]:
        if name not in before or name not in now:
            text = tr("“{name}” is in one of the results only.", name=name)
            found.append(Difference(name, name in before, name in now, text))
        elif not equal(before[name], now[name]):
            a, b = before[name][0], now[name][0]
            short = not isinstance(a, tuple)
            text = (
                tr("“{name}” was {before}, is {now}.", name=name, before=a, now=b)
                if short
                else tr("The table “{name}” is not the same.", name=name)
            )
            found.append(Difference(name, a if short else None, b if short else None, text))
    return found


def same(a: Any, b: Any) -> bool:
    """Tell whether two values are the same number within `TOLERANCE`, or else equal."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=0.0)
    return bool(a == b)


def _as_read(table: Table) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = list(csv.reader(io.StringIO(table_csv(table))))
    return tuple(rows[0]) if rows else (), tuple(tuple(row) for row in rows[1:])


def _same_table(a: Sequence[Any], b: Sequence[Any]) -> bool:
    def cell(x: str, y: str) -> bool:
        try:
            return same(float(x), float(y))
        except ValueError:
            return x == y

    return (
        a[0] == b[0]
        and len(a[1]) == len(b[1])
        and all(len(x) == len(y) and all(map(cell, x, y)) for x, y in zip(a[1], b[1], strict=True))
    )


def _compare_layers(
    stored: Stored, folder: Path, result: Result, temporary: Path
) -> list[Difference]:
    """Compare layer files: the new ones are written the same way and read back."""
    found = []
    names = file_names(result)
    for name in sorted({*stored.layers, *result.layers}):
        file = stored.layers.get(name, "")
        if file not in stored.files or name not in result.layers:
            text = tr("“{name}” is in one of the results only.", name=name)
            found.append(Difference(name, bool(file), name in result.layers, text))
            continue
        from plumbline.io.writers import write_layer

        again = write_layer(result.layers[name], temporary, Path(names["layers", name]).stem)
        if not _same_file(folder / file, again):
            text = tr("The layer “{name}” is not the same.", name=name)
            found.append(Difference(name, None, None, text))
    return found


def _same_file(a: Path, b: Path) -> bool:
    """Tell whether two layer files hold the same numbers, whatever their bytes are."""
    import numpy as np

    if not a.is_file():
        return False
    if file_sha256(a) == file_sha256(b):
        return True
    before, now = (_numbers(load(path, digest=False)) for path in (a, b))
    return len(before) == len(now) and all(
        x.shape == y.shape and np.allclose(x, y, rtol=TOLERANCE, atol=0.0, equal_nan=True)
        for x, y in zip(before, now, strict=True)
    )


def _numbers(layers: list[Layer]) -> list[Any]:
    """Return every number of layers: raster cells, vertices, points, coordinates and columns."""
    import numpy as np

    from plumbline.core.data import MeshData, PointCloudData, RasterData, VectorData

    arrays: list[Any] = []
    for layer in layers:
        data = layer.data
        if isinstance(data, RasterData):
            import rasterio

            with rasterio.open(data.path) as file:
                arrays += [np.array(file.transform), *file.read().astype(np.float64)]
        elif isinstance(data, VectorData):
            import shapely

            geometry = data.features.geometry.to_numpy()
            arrays.append(shapely.get_coordinates(geometry, include_z=True))
            numbers = data.features.select_dtypes("number")
            arrays.append(numbers.to_numpy(dtype=np.float64))
        elif isinstance(data, PointCloudData):
            arrays.append(data.points)
        elif isinstance(data, MeshData):
            arrays += [data.vertices, data.triangles]
    return arrays
