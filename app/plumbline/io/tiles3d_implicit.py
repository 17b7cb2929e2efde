"""Implicit tiling of 3D Tiles 1.1: which tiles of a quadtree or octree there are.

A subtree says for a few levels which tiles exist, which have content and where further subtrees
hang; its bits are in Morton order. OGC 22-025r4, clause 7.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.i18n import tr

#: Levels of one subtree; more cannot be listed.
MAX_LEVELS = 16


@dataclass(frozen=True)
class Implicit:
    """How a tree is divided."""

    branches: int
    subtree_levels: int
    levels: int
    subtrees: str
    contents: str

    @classmethod
    def of(cls, tiling: dict[str, Any], content: str) -> Implicit:
        """Return the tiling that a tile states.

        Raises
        ------
        ValueError
            If it cannot be.
        """
        scheme = str(tiling.get("subdivisionScheme", "")).upper()
        levels = int(tiling.get("availableLevels") or 0)
        made = cls(
            {"QUADTREE": 4, "OCTREE": 8}.get(scheme, 0),
            int(tiling.get("subtreeLevels", 0)),
            levels,
            str(dict(tiling.get("subtrees") or {}).get("uri", "")),
            content,
        )
        if not (made.branches and 1 <= made.subtree_levels <= MAX_LEVELS and 1 <= levels <= 60):
            raise ValueError(tr("its structure is damaged"))
        return made


@dataclass(frozen=True)
class Subtree:
    """Which tiles of one subtree there are; indices count from its root in Morton order."""

    tiles: NDArray[np.bool_]
    contents: NDArray[np.bool_]
    children: NDArray[np.bool_]


def read_subtree(raw: bytes, tiling: Implicit) -> Subtree:
    """Return the availability in a ``.subtree`` file, JSON or binary.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    binary = b""
    text = raw
    if raw[:4] == b"subt":
        json_size, binary_size = struct.unpack_from("<QQ", raw, 8)
        if 24 + json_size + binary_size > len(raw):
            raise ValueError(tr("it is cut off"))
        text = raw[24 : 24 + json_size]
        binary = raw[24 + json_size : 24 + json_size + binary_size]
    document = json.loads(text.decode("utf-8"))
    count = sum(tiling.branches**n for n in range(tiling.subtree_levels))
    below = tiling.branches**tiling.subtree_levels
    contents = document.get("contentAvailability") or [{"constant": 0}]
    contents = contents if isinstance(contents, list) else [contents]
    return Subtree(
        _bits(document, document.get("tileAvailability"), binary, count),
        np.logical_or.reduce([_bits(document, one, binary, count) for one in contents]),
        _bits(document, document.get("childSubtreeAvailability"), binary, below),
    )


def _bits(
    document: dict[str, Any], availability: Any, binary: bytes, count: int
) -> NDArray[np.bool_]:
    if not isinstance(availability, dict):
        raise ValueError(tr("its structure is damaged"))
    if "constant" in availability:
        return np.full(count, bool(availability["constant"]))
    number = availability["bitstream" if "bitstream" in availability else "bufferView"]
    view = document["bufferViews"][int(number)]
    buffer = document["buffers"][int(view["buffer"])]
    if "uri" in buffer:
        raise ValueError(tr("it keeps its bits in another file"))
    start, size = int(view.get("byteOffset", 0)), int(view["byteLength"])
    if start < 0 or size < 0 or start + size > len(binary) or size * 8 < count:
        raise ValueError(tr("it is cut off"))
    raw = np.frombuffer(binary, np.uint8, size, start)
    return np.unpackbits(raw, bitorder="little")[:count].astype(bool)


def morton(place: tuple[int, ...]) -> int:
    """Return the Morton index of a tile inside its level; x is the lowest bit."""
    index = 0
    for bit in range(max((n.bit_length() for n in place), default=0)):
        for axis, n in enumerate(place):
            index |= (n >> bit & 1) << (bit * len(place) + axis)
    return index


def filled(template: str, level: int, place: tuple[int, ...]) -> str:
    """Return a template URI with level and place written in."""
    names = dict(zip("xyz", place, strict=False)) | {"level": level}
    for name, value in names.items():
        template = template.replace(f"{{{name}}}", str(value))
    return template
