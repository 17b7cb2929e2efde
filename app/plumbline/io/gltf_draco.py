"""Draco: triangles and points compressed inside glTF and 3D Tiles, through DracoPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, IntArray
from plumbline.core.i18n import tr

#: Largest compressed piece; a bomb is small, but what unpacks from this fits into memory.
MAX_BYTES = 256 << 20


def decode(raw: bytes, wanted: Mapping[str, Any]) -> tuple[dict[str, AnyArray], IntArray]:
    """Return attributes ``(V, n)`` by their names and triangles ``(M, 3)`` of a compressed piece.

    Parameters
    ----------
    wanted : mapping of str to int
        Name of each attribute and its unique id in the piece.

    Raises
    ------
    ValueError
        If it cannot be decoded, or lacks an attribute.
    """
    import DracoPy

    if len(raw) > MAX_BYTES or not raw.startswith(b"DRACO"):
        raise ValueError(tr("its compressed triangles are damaged"))
    try:
        found = DracoPy.decode(raw)
    except Exception as error:  # the binding raises kinds of its own
        raise ValueError(tr("its compressed triangles are damaged")) from error
    held = {int(one["unique_id"]): np.asarray(one["data"]) for one in found.attributes}
    attributes = {name: held.get(number) for name, number in wanted.items()}
    count = len(found.points)
    plain: dict[str, AnyArray] = {}
    for name, values in attributes.items():
        if values is None or len(values) != count:
            raise ValueError(tr("its compressed triangles are damaged"))
        plain[name] = values.reshape(count, -1)
    faces = getattr(found, "faces", None)
    triangles = np.zeros((0, 3)) if faces is None else np.asarray(faces).reshape(-1, 3)
    return plain, triangles.astype(np.int64)
