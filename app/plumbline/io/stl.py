"""STL, text and binary: bare triangles, whose equal corners are joined."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from plumbline.core.data import AnyArray, FloatArray, MeshData
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.base import damaged, mislabelled, reading
from plumbline.io.mesh import mesh_layer
from plumbline.io.registry import LoadContext

TITLE = "STL"
_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])
_VERTEX = re.compile(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def load_stl(path: Path, context: LoadContext) -> list[Layer]:
    """Read an STL file into one mesh layer.

    Raises
    ------
    InputError
        If the file is no STL, or is cut off.
    """
    context.feedback.step(0, 3, tr("Reading {name}", name=path.name))
    with reading(path, TITLE):
        raw = path.read_bytes()
        count = int.from_bytes(raw[80:84], "little") if len(raw) >= 84 else -1
        if len(raw) == 84 + 50 * count:
            corners: AnyArray = np.frombuffer(raw, _RECORD, count, 84)["corners"].reshape(-1, 3)
        elif raw[:512].lstrip()[:5].lower() == b"solid":
            corners = _text_corners(path, raw)
        elif len(raw) > 84 and 84 + 50 * count > len(raw) and _plausible(raw):
            raise damaged(path, TITLE, tr("it is cut off"))
        else:
            raise mislabelled(path, TITLE)
        context.feedback.step(1, 3)
        data = _joined(corners)
        context.feedback.step(2, 3)
    return [mesh_layer(path, data, context, title=TITLE)]


def _plausible(raw: bytes) -> bool:
    """Tell whether the first records look like unit normals and finite corners."""
    records = np.frombuffer(raw, _RECORD, min(20, (len(raw) - 84) // 50), 84)
    normals = np.linalg.norm(np.nan_to_num(records["normal"].astype(np.float64)), axis=1)
    unit = (normals < 1e-3) | (np.abs(normals - 1) < 1e-2)
    return len(records) > 0 and bool(unit.all() and np.isfinite(records["corners"]).all())


def _text_corners(path: Path, raw: bytes) -> FloatArray:
    found = _VERTEX.findall(raw)
    if b"endsolid" not in raw[-512:].lower():
        raise damaged(path, TITLE, tr("it is cut off"))
    if not found or len(found) % 3:
        raise ValueError(tr("it holds no triangles"))
    return np.array(found).astype(np.float64)


def _joined(corners: AnyArray) -> MeshData:
    """Join corners with exactly equal coordinates."""
    rows = np.ascontiguousarray(corners) + 0.0  # -0.0 and 0.0 are one place
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * 3))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return MeshData(rows[first].astype(np.float64), inverse.reshape(-1, 3))
