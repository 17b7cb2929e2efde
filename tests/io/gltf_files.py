"""A writer of small GLB files with what the reader's own tests need: any attributes, extensions."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

TYPES = {"f4": 5126, "u1": 5121, "u2": 5123, "u4": 5125}
#: A square of two triangles, corners counted around.
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "<f4")
CORNERS = np.array([0, 1, 2, 0, 2, 3], "<u2")


class Glb:
    """Buffer views and accessors of a document in the making."""

    def __init__(self) -> None:
        self.binary = b""
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, raw: bytes) -> int:
        self.binary += b"\0" * (-len(self.binary) % 8)
        self.views.append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(raw)})
        self.binary += raw
        return len(self.views) - 1

    def accessor(self, values: np.ndarray, stored: bool = True) -> int:
        width = values.shape[1] if values.ndim == 2 else 1
        one = {
            "componentType": TYPES[values.dtype.str[1:]],
            "count": len(values),
            "type": {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}[width],
        }
        if stored:
            one["bufferView"] = self.view(values.tobytes())
        self.accessors.append(one)
        return len(self.accessors) - 1

    def square(self, **attributes: np.ndarray) -> dict[str, Any]:
        named = {"POSITION": self.accessor(SQUARE)}
        named |= {name: self.accessor(values) for name, values in attributes.items()}
        return {"attributes": named, "indices": self.accessor(CORNERS)}

    def bytes(self, primitives: list[dict[str, Any]], **document: Any) -> bytes:
        whole = {
            "asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "scene": 0,
            "nodes": [{"mesh": 0, "name": "node"}], "meshes": [{"primitives": primitives}],
            "buffers": [{"byteLength": len(self.binary)}], "bufferViews": self.views,
            "accessors": self.accessors, **document,
        }  # fmt: skip
        text = json.dumps(whole).encode()
        text += b" " * (-len(text) % 4)
        binary = self.binary + b"\0" * (-len(self.binary) % 4)
        size = 12 + 8 + len(text) + 8 + len(binary)
        head = b"glTF" + struct.pack("<2I", 2, size)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        return head + chunks + struct.pack("<I4s", len(binary), b"BIN\0") + binary
