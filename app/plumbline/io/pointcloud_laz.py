"""What the compressed part of a LAZ file claims, checked before the decoder believes it.

The decoder allocates what the file says: chunk sizes, the chunk table and the sizes of layers. A
damaged one would ask for gigabytes, and its library ends the whole process when it gets none.
Everything that is allocated from is therefore compared with the size of the file first.

Layout: laszip 3.4 (Isenburg 2013, *LASzip: lossless compression of LiDAR data*) and the LAZ
specification of the ASPRS working group: LASzip record, offset to the chunk table, chunks, table.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from plumbline.core.errors import InputError
from plumbline.core.i18n import tr

USER_ID, RECORD_ID = b"laszip encoded", 22204
_POINTWISE, _CHUNKED, _LAYERED = 1, 2, 3
_VARIABLE = 0xFFFF_FFFF
#: Points that a chunk may hold beyond those of the file: writers use 50,000 even for a few.
_BIGGEST_CHUNK = 2_000_000
#: Layers of each item of the layered formats; extra bytes have one for each byte.
_LAYERS = {10: 9, 11: 1, 12: 2, 13: 1}
_EXTRA_BYTES = 14


@dataclass(frozen=True)
class Compressed:
    """What the header says about a compressed file.

    Attributes
    ----------
    first_point, length, count : int
        Where the points begin, bytes of one record, number of points.
    record : bytes
        The LASzip record, empty when there is none.
    """

    path: Path
    size: int
    first_point: int
    length: int
    count: int
    record: bytes


def check_laz(claims: Compressed, stream: BinaryIO) -> None:
    """Refuse a compressed file that would make the decoder allocate what it cannot need.

    Raises
    ------
    InputError
        If record, chunk table or layers contradict the file.
    """
    kind, chunk_size, items = _record(claims)
    if kind == _POINTWISE:
        return  # one stream without chunks: nothing is allocated from it
    if chunk_size != _VARIABLE and not 0 < chunk_size <= max(claims.count, _BIGGEST_CHUNK):
        raise _damaged(claims)
    start, end = _span(claims, stream)
    chunks = _chunks(claims, stream, end)
    total = sum(size for _, size in chunks)
    points = sum(points for points, _ in chunks)
    if total > end - start or not claims.count <= points < claims.count + _BIGGEST_CHUNK:
        raise _damaged(claims)
    if min(min(pair) for pair in chunks) < 0:
        raise _damaged(claims)
    if kind == _LAYERED:
        _check_layers(claims, stream, start, [size for _, size in chunks], items)


def _damaged(claims: Compressed) -> InputError:
    return InputError(
        tr(
            "“{name}” is damaged: {why}.",
            name=claims.path.name,
            why=tr("its table of compressed points contradicts the file"),
        ),
        tr("Copy or export the file again."),
    )


def _record(claims: Compressed) -> tuple[int, int, list[tuple[int, int]]]:
    """Return compressor, points per chunk and items (type, size) of the LASzip record."""
    record = claims.record
    if len(record) < 34:
        raise _damaged(claims)
    kind = struct.unpack_from("<H", record, 0)[0]
    chunk_size = struct.unpack_from("<I", record, 12)[0]
    n = struct.unpack_from("<H", record, 32)[0]
    if kind not in (_POINTWISE, _CHUNKED, _LAYERED) or len(record) < 34 + 6 * n:
        raise _damaged(claims)
    items = [struct.unpack_from("<HH", record, 34 + 6 * i) for i in range(n)]
    if sum(size for _, size in items) != claims.length:
        raise _damaged(claims)
    return kind, chunk_size, items


def _span(claims: Compressed, stream: BinaryIO) -> tuple[int, int]:
    """Return where the chunks begin and where their table does."""
    start = claims.first_point + 8
    # A writer that could not go back left -1 here and the offset in the last 8 bytes.
    for at in (claims.first_point, claims.size - 8):
        stream.seek(at)
        raw = stream.read(8)
        offset = struct.unpack("<q", raw)[0] if len(raw) == 8 else -1
        if start <= offset <= claims.size - 8:
            return start, offset
    raise _damaged(claims)


def _chunks(claims: Compressed, stream: BinaryIO, table: int) -> list[tuple[int, int]]:
    """Return points and bytes of each chunk."""
    import lazrs

    stream.seek(table + 4)
    n = struct.unpack("<I", stream.read(4))[0]
    # Each chunk begins with one point as it is.
    if not 0 < n <= (claims.size - claims.first_point) // claims.length + 1:
        raise _damaged(claims)
    stream.seek(claims.first_point)
    try:
        chunks = lazrs.read_chunk_table(stream, lazrs.LazVlr(claims.record))
    except Exception as error:
        raise _damaged(claims) from error
    return [(int(points), int(size)) for points, size in chunks]


def _check_layers(
    claims: Compressed,
    stream: BinaryIO,
    start: int,
    sizes: list[int],
    items: list[tuple[int, int]],
) -> None:
    """Check that the layers of every chunk fit into the chunk."""
    head = _head_size(claims.length, items)
    for size in sizes:
        stream.seek(start)
        if not layers_fit(stream.read(head), claims.length, None, items, size):
            raise _damaged(claims)
        start += size


def _head_size(length: int, items: list[tuple[int, int]]) -> int:
    """Return the bytes of a chunk before its layers: a point, a count, the size of each layer."""
    return length + 4 + 4 * _layer_count(items)


def _layer_count(items: list[tuple[int, int]]) -> int:
    return sum(size if kind == _EXTRA_BYTES else _LAYERS.get(kind, 0) for kind, size in items)


def layers_fit(
    raw: bytes,
    length: int,
    count: int | None,
    items: list[tuple[int, int]],
    size: int | None = None,
) -> bool:
    """Tell whether the layers that a chunk announces fit into it.

    Parameters
    ----------
    raw : bytes
        The chunk, or its head.
    length : int
        Bytes of a record.
    count : int, optional
        Points that it must hold.
    items : list of (type, size)
        Of the LASzip record.
    size : int, optional
        Bytes of the chunk where `raw` is only its head.
    """
    head, layers = _head_size(length, items), _layer_count(items)
    if len(raw) < head:
        return False
    if count is not None and struct.unpack_from("<I", raw, length)[0] != count:
        return False
    sizes: tuple[int, ...] = struct.unpack_from(f"<{layers}I", raw, length + 4)
    return head + sum(sizes) <= (len(raw) if size is None else size)


def items_of(record: bytes) -> list[tuple[int, int]]:
    """Return the items (type, size) of a LASzip record that was checked with its file."""
    n = struct.unpack_from("<H", record, 32)[0]
    return [struct.unpack_from("<HH", record, 34 + 6 * i) for i in range(n)]
