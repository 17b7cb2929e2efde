"""Recognising pipes among lines: a column of diameters, its unit, and a column of depths."""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.core.data import VectorData
from plumbline.core.layer import Layer

DIAMETERS = ("管径", "直径", "管径_mm", "diameter", "diam", "dn", "od", "diameter_mm", "dn_mm")
DEPTHS = ("埋深", "管顶埋深", "depth", "cover", "bury_depth")
#: No pipe is wider than this, metres: larger numbers count millimetres.
WIDEST = 8.0


def suggest_tubes(layer: Layer) -> dict[str, Any]:
    """Return style fields that draw a layer of pipes as tubes; empty where it says no diameters.

    What was recognised is noted in the metadata of the layer.
    """
    assert isinstance(layer.data, VectorData)
    frame = layer.data.features
    by_name = {str(c).lower(): str(c) for c in frame.columns if frame[c].dtype.kind in "iuf"}
    column = next((by_name[name] for name in DIAMETERS if name in by_name), "")
    numbers = frame[column].to_numpy(dtype=np.float64) if column else np.empty(0)
    known = numbers[np.isfinite(numbers) & (numbers > 0)]
    if len(known) == 0:
        return {}
    millimetres = bool(np.median(known) > WIDEST)
    layer.metadata["tube_attribute"] = f"{column} ({'mm' if millimetres else 'm'})"
    found: dict[str, Any] = {"tube": column, "tube_unit": 0.001 if millimetres else 1.0}
    depth = next((by_name[name] for name in DEPTHS if name in by_name), "")
    if depth and not layer.data.has_z:
        found["depth"] = depth
    return found
