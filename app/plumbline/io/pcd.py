"""PCD, the format of the Point Cloud Library: text, binary and compressed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.base import mislabelled, parse_numbers, reading
from plumbline.io.cloud import cloud_layer, colors_8bit, intensity_16bit
from plumbline.io.registry import LoadContext

TITLE = "PCD"
_HEAD = 65_536
_KINDS = {"I": "i", "U": "u", "F": "f"}
#: A field with more values than this (a histogram has 308) is not a field.
_MAX_COUNT = 4096
#: No text and no compression makes more bytes out of one.
_MAX_RATIO = 300
_MATTER = ("x", "y", "z", "rgb", "rgba", "intensity", "label")


@dataclass
class _Header:
    """The text before the points."""

    fields: np.dtype[Any]
    count: int
    storage: str
    viewpoint: str
    begin: int


def load_pcd(path: Path, context: LoadContext) -> list[Layer]:
    """Read a PCD file into one point cloud layer.

    Raises
    ------
    InputError
        If the file is no PCD, contradicts itself or is cut off.
    """
    context.feedback.step(0, 3, tr("Reading {name}", name=path.name))
    with reading(path, TITLE):
        raw = path.read_bytes()
        header = _header(path, raw)
        table = _table(header, raw, context.feedback.part(0.2, 0.9))
        names = set(header.fields.names or ())
        if not names >= {"x", "y", "z"}:
            raise ValueError(tr("its points have no coordinates"))
        points = np.column_stack([table[axis].astype(np.float64) for axis in "xyz"])
        metadata: dict[str, Any] = {"data": header.storage}
        if header.viewpoint not in ("", "0 0 0 1 0 0 0"):
            metadata["viewpoint"] = header.viewpoint
        attributes = _attributes(table, metadata)
    return [cloud_layer(path, TITLE, points, attributes, metadata)]


def _header(path: Path, raw: bytes) -> _Header:
    """Return what the header says.

    Raises
    ------
    InputError, ValueError
        If it is none, or contradicts itself.
    """
    words: dict[str, list[str]] = {}
    begin = 0
    while "DATA" not in words:
        end = raw.find(b"\n", begin, _HEAD)
        if end < 0:
            raise mislabelled(path, TITLE)
        line = raw[begin:end].decode("ascii", "replace").strip()
        begin = end + 1
        if line and not line.startswith("#"):
            key, *rest = line.split()
            words[key] = rest
    names = words["FIELDS"]
    sizes = [int(text) for text in words["SIZE"]]
    counts = [int(text) for text in words.get("COUNT", ["1"] * len(names))]
    if not len(names) == len(sizes) == len(words["TYPE"]) == len(counts):
        raise ValueError(tr("its header contradicts itself"))
    fields = []
    for n, (name, size, kind, count) in enumerate(
        zip(names, sizes, words["TYPE"], counts, strict=True)
    ):
        if size not in (1, 2, 4, 8) or not 1 <= count <= _MAX_COUNT:
            raise ValueError(tr("its header contradicts itself"))
        # Padding has the same name wherever it comes.
        unique = f"_{n}" if name == "_" else name
        fields.append((unique, f"<{_KINDS[kind]}{size}", (count,) if count > 1 else ()))
    width, height = int(words["WIDTH"][0]), int(words["HEIGHT"][0])
    count = int(words.get("POINTS", [str(width * height)])[0])
    if count != width * height or not 0 < count <= 8 * len(raw):
        raise ValueError(tr("its header contradicts itself"))
    viewpoint = " ".join(words.get("VIEWPOINT", []))
    return _Header(np.dtype(fields), count, words["DATA"][0].lower(), viewpoint, begin)


def _table(header: _Header, raw: bytes, feedback: Feedback) -> AnyArray:
    """Return the points as one structured array."""
    needed = header.count * header.fields.itemsize
    if needed > len(raw) * _MAX_RATIO:
        raise ValueError(tr("its header contradicts itself"))
    if header.storage == "binary":
        if len(raw) - header.begin < needed:
            raise ValueError(tr("it is cut off"))
        return np.frombuffer(raw, header.fields, header.count, header.begin)
    table = np.zeros(header.count, header.fields)
    if header.storage == "ascii":
        _fill_text(table, raw[header.begin :])
    elif header.storage == "binary_compressed":
        packed, size = (
            int.from_bytes(raw[header.begin + n : header.begin + n + 4], "little") for n in (0, 4)
        )
        body = raw[header.begin + 8 : header.begin + 8 + packed]
        if len(body) < packed:
            raise ValueError(tr("it is cut off"))
        if size != needed:
            raise ValueError(tr("its header contradicts itself"))
        _fill_columns(table, unpack_lzf(body, size, feedback))
    else:
        raise ValueError(tr("its points are stored as “{name}”", name=header.storage[:30]))
    return table


def _fill_text(table: AnyArray, text: bytes) -> None:
    fields = table.dtype
    widths = [int(np.prod(fields[name].shape)) for name in fields.names or ()]
    values = parse_numbers(text, np.float64)
    if len(values) != len(table) * sum(widths):
        raise ValueError(tr("it is cut off"))
    rows = values.reshape(len(table), -1)
    column = 0
    for name, width in zip(fields.names or (), widths, strict=True):
        cells = rows[:, column : column + width]
        whole = fields[name].base.kind in "iu"
        cells = np.nan_to_num(cells) if whole else cells
        with np.errstate(over="ignore", invalid="ignore"):
            table[name] = cells.reshape(table[name].shape).astype(fields[name].base)
        column += width


def _fill_columns(table: AnyArray, data: bytes) -> None:
    """Compressed points are stored field by field."""
    at = 0
    for name in table.dtype.names or ():
        field = table.dtype[name]
        table[name] = np.frombuffer(
            data, field.base, len(table) * int(np.prod(field.shape)), at
        ).reshape(table[name].shape)
        at += field.itemsize * len(table)


def unpack_lzf(data: bytes, size: int, feedback: Feedback) -> bytes:
    """Return the `size` bytes that LZF has packed into `data`.

    Raises
    ------
    ValueError
        If the bytes are no LZF of that size.
    """
    out = bytearray()
    at, count = 0, len(data)
    steps = 0
    while at < count and len(out) <= size:
        control = data[at]
        at += 1
        if control < 32:  # so many bytes as they are
            out += data[at : at + control + 1]
            at += control + 1
        else:  # a piece that came before
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            begin = len(out) - ((control & 31) << 8) - data[at] - 1
            at += 1
            length += 2
            if begin < 0:
                raise ValueError(tr("its structure is damaged"))
            piece = out[begin : begin + length]
            while len(piece) < length:  # it overlaps what it makes
                piece += piece[: length - len(piece)]
            out += piece
        steps += 1
        if steps % 65_536 == 0:
            feedback.step(at, count)
    if len(out) != size:
        raise ValueError(tr("its structure is damaged"))
    return bytes(out)


def _attributes(table: AnyArray, metadata: dict[str, Any]) -> dict[str, AnyArray]:
    attributes: dict[str, AnyArray] = {}
    names = table.dtype.names or ()
    packed = next((name for name in ("rgb", "rgba") if name in names), None)
    if packed is not None and table.dtype[packed] in (np.dtype("<f4"), np.dtype("<u4")):
        bits = np.ascontiguousarray(table[packed]).view("<u4")
        attributes["rgb"] = np.column_stack([bits >> 16, bits >> 8, bits]).astype(np.uint8)
    elif {"r", "g", "b"} <= set(names):
        attributes["rgb"] = colors_8bit(np.column_stack([table[c] for c in "rgb"]))
    if "intensity" in names:
        attributes["intensity"] = intensity_16bit(table["intensity"], metadata)
    for name in names:
        plain = table.dtype[name].shape == () and not name.startswith("_")
        if plain and name not in _MATTER and name not in "rgb":
            attributes[name] = np.ascontiguousarray(table[name])
    if "label" in names:
        attributes["label"] = np.ascontiguousarray(table["label"])
    return attributes
