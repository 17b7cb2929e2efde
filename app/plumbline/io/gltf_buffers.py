"""The buffers of a glTF: accessors as arrays, with every border checked; files that it names."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from plumbline.core.data import AnyArray
from plumbline.core.i18n import tr
from plumbline.io.base import file_inside

MAX_BYTES = 4 << 30
COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


class Buffers:
    """A document and its buffers.

    Parameters
    ----------
    path : Path
        File that it came out of; other files are looked for in its folder only.
    fetch : callable, optional
        Returns the bytes of a file that it names, where they do not lie in a folder.
    """

    def __init__(
        self,
        path: Path,
        document: dict[str, Any],
        binary: bytes,
        fetch: Callable[[str], bytes] | None = None,
    ) -> None:
        self.path, self.document, self.binary = path, document, binary
        self._fetch = fetch
        self._buffers: dict[int, bytes] = {}

    def accessor(self, number: Any, raw: bool = False) -> AnyArray:
        """Return an accessor as ``(count, width)``: float64, or as stored when `raw`."""
        accessor = self.document["accessors"][whole(number)]
        kind = np.dtype(COMPONENTS[accessor["componentType"]])
        width, count = WIDTHS[accessor["type"]], whole(accessor["count"])
        if "bufferView" in accessor:
            values = self._view(accessor["bufferView"], accessor.get("byteOffset", 0), kind,
                                count, width)  # fmt: skip
        else:
            if count * width > 100_000_000:
                raise ValueError(tr("it asks for more memory than there is"))
            values = np.zeros((count, width), kind)
        if "sparse" in accessor:
            values = self._sparse(values, accessor["sparse"], kind, width)
        if raw:
            return values
        return plain_numbers(values, bool(accessor.get("normalized")))

    def _sparse(
        self, values: AnyArray, sparse: dict[str, Any], kind: np.dtype[Any], width: int
    ) -> AnyArray:
        count = whole(sparse["count"])
        where, what = sparse["indices"], sparse["values"]
        places = self._view(where["bufferView"], where.get("byteOffset", 0),
                            np.dtype(COMPONENTS[where["componentType"]]), count, 1)  # fmt: skip
        values = values.copy()
        values[places[:, 0].astype(np.int64)] = self._view(
            what["bufferView"], what.get("byteOffset", 0), kind, count, width
        )
        return values

    def _view(
        self, number: Any, offset: Any, kind: np.dtype[Any], count: int, width: int
    ) -> AnyArray:
        """Return ``(count, width)`` numbers of a buffer view; its borders are checked."""
        raw, stride = self.view_bytes(number)
        stride = stride or kind.itemsize * width
        offset = whole(offset)
        if count == 0:
            return np.zeros((0, width), kind)
        if offset + (count - 1) * stride + kind.itemsize * width > len(raw):
            raise ValueError(tr("an accessor reaches beyond its buffer"))
        return np.ndarray((count, width), kind, raw, offset, (stride, kind.itemsize))

    def view_bytes(self, place: Any) -> tuple[bytes, int]:
        view = self.document["bufferViews"][whole(place)]
        number = whole(view["buffer"])
        packed = "EXT_meshopt_compression" in view.get("extensions", {})
        if packed and "uri" not in self.document["buffers"][number]:
            # What is not compressed would stand in a buffer of its own.
            raise ValueError(tr("it is compressed in a way that cannot be decoded here"))
        raw = self._buffer(number)
        start, length = whole(view.get("byteOffset", 0)), whole(view["byteLength"])
        if start + length > len(raw):
            raise ValueError(tr("a buffer view reaches beyond its buffer"))
        return raw[start : start + length], whole(view.get("byteStride", 0))

    def _buffer(self, number: int) -> bytes:
        if number not in self._buffers:
            buffer = self.document["buffers"][number]
            uri = buffer.get("uri")
            if uri is None:
                self._buffers[number] = self.binary
            else:
                raw = self.resource(str(uri))
                if raw is None:
                    raise ValueError(tr("its buffer “{name}” is not there", name=str(uri)[-80:]))
                self._buffers[number] = raw
        return self._buffers[number]

    def resource(self, uri: str) -> bytes | None:
        """Return the bytes of a data URI or of a file in the folder of the model."""
        if uri.startswith("data:"):
            return data_uri(uri)
        if self._fetch is not None:
            try:
                return self._fetch(uri)
            except (OSError, ValueError):
                return None
        file = self.file(uri)
        if file is not None:
            return file.read_bytes() if file.stat().st_size <= MAX_BYTES else None
        return None

    def file(self, uri: str) -> Path | None:
        return None if "://" in uri else file_inside(self.path.parent, unquote(uri))


def plain_numbers(values: AnyArray, normalized: bool) -> AnyArray:
    """Return numbers as float64; whole ones as parts of their range where they are meant so."""
    numbers = values.astype(np.float64)
    if normalized and values.dtype.kind in "iu":
        numbers = np.maximum(numbers / np.iinfo(values.dtype).max, -1.0)
    return numbers


def whole(value: Any, lowest: int = 0) -> int:
    """Return a JSON number that counts something; refuse all others."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise ValueError(tr("it holds a number where none can be: {value}", value=str(value)[:40]))
    return value


def data_uri(uri: str) -> bytes | None:
    head, _, text = uri.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        return None
    try:
        return base64.b64decode(text, validate=False)
    except binascii.Error:
        return None
