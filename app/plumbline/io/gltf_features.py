"""Features inside glTF: property tables of EXT_structural_metadata, ids of EXT_mesh_features.

Facts of the formats: Cesium's *EXT_structural_metadata* and *EXT_mesh_features* (in OGC 22-025r4
by reference). A table may claim any number of rows; only those are read that triangles refer to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, IntArray
from plumbline.core.i18n import tr

#: Types of components.
_KINDS = {
    "INT8": "i1", "UINT8": "u1", "INT16": "<i2", "UINT16": "<u2", "INT32": "<i4", "UINT32": "<u4",
    "INT64": "<i8", "UINT64": "<u8", "FLOAT32": "<f4", "FLOAT64": "<f8",
}  # fmt: skip
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
#: Numbers of one value, and characters of one text.
MAX_VALUES, MAX_TEXT = 10_000, 100_000


class PropertyTable:
    """Rows of attributes in buffers of a file.

    Parameters
    ----------
    table : dict
        As the file states it.
    schema : dict
        Classes and enumerations.
    view : callable
        Returns the bytes of a buffer view.
    """

    def __init__(
        self, table: dict[str, Any], schema: dict[str, Any], view: Callable[[int], bytes]
    ) -> None:
        self.count = int(table.get("count", 0))
        self.name = str(table.get("name") or table.get("class") or "")
        known = dict(schema.get("classes") or {}).get(table.get("class")) or {}
        self._classes: dict[str, dict[str, Any]] = dict(known.get("properties") or {})
        self._enums: dict[str, Any] = dict(schema.get("enums") or {})
        self._properties: dict[str, dict[str, Any]] = dict(table.get("properties") or {})
        self._view = view

    def rows(self, ids: IntArray) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the attributes of rows, and the names of properties that cannot be read."""
        rows: list[dict[str, Any]] = [{} for _ in ids]
        broken: list[str] = []
        for name, described in self._classes.items():
            stored = self._properties.get(name)
            default = described.get("default")
            try:
                values = (
                    [None] * len(ids) if stored is None else self._values(described, stored, ids)
                )
            except (ValueError, KeyError, TypeError, IndexError, AttributeError):
                broken.append(name)
                continue
            none = described.get("noData")
            for row, value in zip(rows, values, strict=True):
                said = default if value is None or (none is not None and value == none) else value
                if said is not None:
                    row[str(described.get("name") or name)] = said
        return rows, broken

    def _values(
        self, described: dict[str, Any], stored: dict[str, Any], ids: IntArray
    ) -> list[Any]:
        """Return the values of a property in rows."""
        raw = self._view(int(stored["values"]))
        if not described.get("array"):
            return self._plain(described, stored, raw, ids)
        count = described.get("count")
        if count is not None:
            first = ids * int(count)
            last = first + int(count)
        else:
            kind = str(stored.get("arrayOffsetType", "UINT32"))
            first, last = self._offsets(stored["arrayOffsets"], kind, ids)
        if (last - first > MAX_VALUES).any():
            raise ValueError(tr("its structure is damaged"))
        return [
            self._plain(described, stored, raw, np.arange(a, b))
            for a, b in zip(first.tolist(), last.tolist(), strict=True)
        ]

    def _offsets(self, view: Any, kind: str, ids: IntArray) -> tuple[IntArray, IntArray]:
        table = np.frombuffer(self._view(int(view)), _KINDS[kind])
        first, last = table[ids].astype(np.int64), table[ids + 1].astype(np.int64)
        if (last < first).any() or (first < 0).any():
            raise ValueError(tr("its structure is damaged"))
        return first, last

    def _plain(
        self, described: dict[str, Any], stored: dict[str, Any], raw: bytes, ids: IntArray
    ) -> list[Any]:
        """Return single values by their numbers in a buffer."""
        kind = str(described.get("type", "SCALAR"))
        if kind == "BOOLEAN":
            bits = np.frombuffer(raw, np.uint8)
            found: list[Any] = (bits[ids >> 3] >> (ids & 7) & 1).astype(bool).tolist()
            return found
        if kind == "STRING":
            sizes = str(stored.get("stringOffsetType", "UINT32"))
            first, last = self._offsets(stored["stringOffsets"], sizes, ids)
            if (last > len(raw)).any():
                raise ValueError(tr("its structure is damaged"))
            return [
                raw[a : min(b, a + MAX_TEXT)].decode("utf-8", "replace")
                for a, b in zip(first.tolist(), last.tolist(), strict=True)
            ]
        if kind == "ENUM":
            return self._named(described, raw, ids)
        component = np.dtype(_KINDS[str(described["componentType"])])
        width = _WIDTHS[kind]
        numbers = np.frombuffer(raw, component, len(raw) // component.itemsize)
        numbers = numbers[: len(numbers) // width * width].reshape(-1, width)[ids]
        return _scaled(numbers, described, stored, width)

    def _named(self, described: dict[str, Any], raw: bytes, ids: IntArray) -> list[Any]:
        """Return the names of values of an enumeration."""
        kinds = self._enums[str(described["enumType"])]
        component = np.dtype(_KINDS[str(kinds.get("valueType", "UINT16"))])
        numbers = np.frombuffer(raw, component, len(raw) // component.itemsize)[ids].tolist()
        names = {one.get("value"): str(one.get("name")) for one in kinds.get("values") or ()}
        return [names.get(number, number) for number in numbers]


def _scaled(
    numbers: AnyArray, described: dict[str, Any], stored: dict[str, Any], width: int
) -> list[Any]:
    """Return numbers as they are meant: normalized, scaled, moved."""
    if described.get("normalized") and numbers.dtype.kind in "iu":
        numbers = np.maximum(numbers / np.iinfo(numbers.dtype).max, -1.0)
    scale, offset = (stored.get(k, described.get(k)) for k in ("scale", "offset"))
    if scale is not None or offset is not None:
        scale, offset = (
            np.asarray(given, np.float64).reshape(-1)
            for given in (1.0 if scale is None else scale, 0.0 if offset is None else offset)
        )
        numbers = numbers * scale + offset
    if numbers.dtype.kind == "f":
        numbers = numbers.astype(np.float64)
    values: list[Any] = numbers.tolist()
    return [row[0] if width == 1 else row for row in values]


def feature_ids(
    described: dict[str, Any],
    triangles: IntArray,
    attribute: Callable[[int], AnyArray],
    texture: Callable[[dict[str, Any]], AnyArray],
) -> IntArray:
    """Return the feature of each triangle ``(M,)``, that of its first corner; -1 for none.

    Parameters
    ----------
    described : dict
        One of the feature ids of a primitive.
    triangles : (M, 3) int
    attribute : callable
        Returns the numbers ``(V,)`` of a vertex attribute ``_FEATURE_ID_n``.
    texture : callable
        Returns the number of each triangle ``(M,)`` from a texture.
    """
    if "attribute" in described:
        ids = np.rint(attribute(int(described["attribute"]))).astype(np.int64)[triangles[:, 0]]
    elif isinstance(described.get("texture"), dict):
        ids = np.asarray(texture(described["texture"]), np.int64)
    else:
        ids = triangles[:, 0].astype(np.int64)  # every vertex is a feature
    none = described.get("nullFeatureId")
    count = int(described.get("featureCount", 0))
    found: IntArray = np.where((ids < 0) | (ids >= count) | (ids == none), -1, ids)
    return found


def chosen_ids(features: Sequence[Any]) -> dict[str, Any] | None:
    """Return the feature ids of a primitive that lead to a table, else the first ones."""
    known = [one for one in features if isinstance(one, dict)]
    return next((one for one in known if "propertyTable" in one), known[0] if known else None)
