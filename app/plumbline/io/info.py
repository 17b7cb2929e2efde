"""What a loader reads of a file, as plain data: the answer of ``plumbline info``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.crs import crs_text
from plumbline.core.decisions import decisions
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer
from plumbline.io.address import is_address
from plumbline.io.registry import load


def describe(
    path: Path | str,
    options: Mapping[str, Any] | None = None,
    feedback: Feedback | None = None,
    *,
    crs: str | None = None,
    tiles: tuple[Path, ...] = (),
) -> list[dict[str, Any]]:
    """Load a file and describe its layers, one entry each.

    Parameters
    ----------
    tiles : tuple of Path
        Where the shortcut to an address is kept.

    Returns
    -------
    list of dict
        ``path, kind, format, crs, counts, bounds, metadata, warnings``; with several layers also
        ``layer``. Values are plain JSON; each of the ``decisions`` in the metadata has ``what,
        taken, why``.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    kept = tiles if is_address(path) else ()
    layers = load(path, options, feedback, crs=crs, digest=False, tiles=kept)
    return [describe_layer(layer, several=len(layers) > 1) for layer in layers]


def describe_layer(layer: Layer, several: bool = False) -> dict[str, Any]:
    """Describe a loaded layer as plain JSON values."""
    metadata = {key: value for key, value in layer.metadata.items() if key != "format"}
    metadata["decisions"] = [asdict(one) for one in decisions(layer)]
    bounds = layer.bounds
    entry: dict[str, Any] = {
        "path": str(layer.source.path) if layer.source else "",
        "kind": str(layer.kind),
        "format": layer.metadata.get("format", ""),
        "crs": crs_text(layer.crs),
        "counts": layer.counts,
        "bounds": bounds.as_list() if bounds else None,
        "metadata": metadata,
        "warnings": list(layer.warnings),
    }
    if several:
        entry = {"path": entry.pop("path"), "layer": layer.name, **entry}
    plain: dict[str, Any] = as_json(entry)
    return plain


def as_json(value: Any) -> Any:
    """Return a value that JSON can hold: arrays as lists, numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return as_json(value.tolist())
    if isinstance(value, list | tuple | set):
        return [as_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
