"""What the header of a LAS file claims: checked before anything is allocated, and its CRS.

A header is a few hundred bytes that promise gigabytes. `check_header` compares every promise with
the size of the file; `read_crs` turns WKT or GeoTIFF keys into a CRS and doubts it where the
numbers contradict it.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from plumbline.core.crs import crs_label, crs_text
from plumbline.core.data import Bounds
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.io.crs_check import outside_area
from plumbline.io.pointcloud_laz import RECORD_ID, USER_ID, Compressed, check_laz

if TYPE_CHECKING:
    from laspy import LasHeader
    from pyproj import CRS

#: Smallest record of each point format 0..10 (ASPRS LAS 1.4 R15, section 2.6).
_RECORD_LENGTHS = (20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67)
#: No scanner's points compress below one bit each; a header that claims more lies.
_MAX_POINTS_PER_BYTE = 8
#: Points that a small compressed file may hold whatever its size.
_SMALL_CLOUD = 1_000_000
#: GeoTIFF key with the EPSG code of the unit of heights.
_VERTICAL_UNITS = 4099
#: Largest distance from the mean earth radius that a geocentric survey can have, metres.
_EARTH_RADIUS, _RADIUS_MARGIN = 6_371_000.0, 100_000.0


def damaged(path: Path, why: str, details: str = "") -> InputError:
    """Return the error for a file that contradicts itself."""
    return InputError(
        tr("“{name}” is damaged: {why}.", name=path.name, why=why),
        tr("Copy or export the file again."),
        details,
    )


def too_few(count: int, n: int) -> str:
    """Return the reason for a file with fewer points than its header claims."""
    return tr("its header claims {count} points, but it holds {n}", count=count, n=n)


def check_header(path: Path) -> None:
    """Refuse a header whose promises do not fit the file, before a reader believes them.

    Raises
    ------
    InputError
        If the file is no LAS file, is cut off, or claims what cannot be.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(375)
        if head[:4] != b"LASF":
            raise InputError(
                tr("“{name}” is not a LAS or LAZ file: its signature is missing.", name=path.name),
                tr("Check what the file is, or export the cloud as LAS or LAZ."),
            )
        if len(head) < 227:
            raise damaged(path, tr("it ends inside its header"))
        minor = head[25]
        if head[24] != 1 or minor > 4:
            raise InputError(
                tr(
                    "“{name}” is LAS {version}, which is not known.",
                    name=path.name,
                    version=f"{head[24]}.{minor}",
                ),
                tr("Export it as LAS 1.4 or older."),
            )
        _check_records(path, stream, head.ljust(375, b"\0"), minor, size)
    _check_grid(path, head)


def _check_records(path: Path, stream: BinaryIO, head: bytes, minor: int, size: int) -> None:
    header_size, first_point, vlrs, point_format, length, count = struct.unpack_from(
        "<HIIBHI", head, 94
    )
    evlr_start, evlrs = struct.unpack_from("<QI", head, 235) if minor >= 4 else (0, 0)
    if minor >= 4:
        count = struct.unpack_from("<Q", head, 247)[0] or count
    if header_size < (375 if minor >= 4 else 227) or first_point < header_size:
        raise damaged(path, tr("its header contradicts itself"))
    if first_point > size:
        raise damaged(path, tr("it ends before its first point"))
    compressed, kind = point_format & 0x80, point_format & 0x3F
    if kind >= len(_RECORD_LENGTHS):
        raise damaged(path, tr("there is no point format {n}", n=kind))
    if length < _RECORD_LENGTHS[kind]:
        raise damaged(path, tr("its point records are too short"))
    if count == 0:
        raise InputError(
            tr("“{name}” holds no points.", name=path.name), tr("Export the cloud again.")
        )
    room = size - first_point
    most = room * _MAX_POINTS_PER_BYTE + _SMALL_CLOUD if compressed else room // length
    if count > most:
        claim = tr("its header claims {count} points, too many for it", count=count)
        raise damaged(path, claim if compressed else too_few(count, most))
    record = _walk(path, stream, _Records(header_size, vlrs, first_point, "<H", 54))
    if evlrs:
        _walk(path, stream, _Records(evlr_start, evlrs, size, "<Q", 60))
    if compressed:
        check_laz(Compressed(path, size, first_point, length, count, record), stream)


@dataclass(frozen=True)
class _Records:
    """A chain of `count` records from byte `start`, which must stay before byte `end`."""

    start: int
    count: int
    end: int
    #: Format of the length of a record's data, and bytes of its head.
    length: str
    head: int


def _walk(path: Path, stream: BinaryIO, records: _Records) -> bytes:
    """Check a chain of records; return the one that describes the compression, if any."""
    ends_early = damaged(path, tr("its list of header records runs past its end"))
    at, found = records.start, b""
    if at + records.count * records.head > records.end:
        raise ends_early
    for _ in range(records.count):
        stream.seek(at)
        head = stream.read(records.head)
        if len(head) < records.head:
            raise ends_early
        length = int(struct.unpack_from(records.length, head, 20)[0])
        at += records.head + length
        if at > records.end:
            raise ends_early
        owner, number = head[2:18].rstrip(b"\0"), struct.unpack_from("<H", head, 18)[0]
        if (owner, number) == (USER_ID, RECORD_ID):
            found = stream.read(length)
    return found


def _check_grid(path: Path, head: bytes) -> None:
    """Refuse scales and offsets that cannot give coordinates."""
    numbers = struct.unpack_from("<6d", head, 131)
    scales, offsets = numbers[:3], numbers[3:]
    for scale, offset in zip(scales, offsets, strict=True):
        reach = abs(offset) + abs(scale) * 2.0**31
        if not math.isfinite(reach) or scale <= 0 or reach > 1e15:
            why = tr("scale {scale} and offset {offset} cannot be", scale=scale, offset=offset)
            raise damaged(path, why)


@dataclass
class DeclaredCrs:
    """What a header says about the CRS, and what became of it.

    Attributes
    ----------
    crs : CRS, optional
        The CRS to use; None where none is declared or the declared one cannot be true.
    metadata : dict
        ``crs_source``, ``crs_declared``, ``crs_doubt``, ``units``, ``vertical_units``,
        ``z_factor`` (metres per unit of height), ``z_factor_source``.
    """

    crs: CRS | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_crs(header: LasHeader, bounds: Bounds) -> DeclaredCrs:
    """Return the CRS of a LAS header, doubted where the coordinates contradict it."""
    declared = DeclaredCrs()
    keys = _geo_keys(header)
    crs, source = _parse(header, keys, declared.warnings)
    if crs is None:
        return declared
    declared.metadata["crs_source"] = source
    declared.metadata["crs_declared"] = _short_text(crs)
    doubt = _impossible(crs, bounds)
    if doubt:
        declared.metadata["crs_doubt"] = doubt
        declared.warnings.append(
            tr(
                "The file declares {crs}, but {why}: this CRS is to be doubted and was not taken. "
                "State the right one.",
                crs=_label(crs),
                why=doubt,
            )
        )
        return declared
    if outside_area(crs, bounds.center[0], bounds.center[1]):
        declared.warnings.append(
            tr("The coordinates lie outside the area where {crs} is used.", crs=_label(crs))
        )
    declared.crs = crs
    _note_units(crs, keys, declared)
    return declared


def _short_text(crs: CRS) -> str:
    code = crs.to_epsg(min_confidence=20)
    return f"EPSG:{code}" if code else (crs_text(crs) or crs.name)


def _label(crs: CRS) -> str:
    code = crs.to_epsg(min_confidence=20)
    return f"EPSG:{code}" if code else crs_label(crs)


def _geo_keys(header: LasHeader) -> dict[int, int]:
    """Return the GeoTIFF keys that hold plain numbers."""
    records = list(header.vlrs) + list(header.evlrs or [])
    return {
        key.id: key.value_offset
        for record in records
        if type(record).__name__ == "GeoKeyDirectoryVlr"
        for key in record.geo_keys
        if key.tiff_tag_location == 0
    }


def _parse(
    header: LasHeader, keys: dict[int, int], warnings: list[str]
) -> tuple[CRS | None, str | None]:
    """Parse WKT first (it says more), then the GeoTIFF keys."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    records = list(header.vlrs) + list(header.evlrs or [])
    texts = [r.string for r in records if type(r).__name__ == "WktCoordinateSystemVlr"]
    for text in texts:
        text = text.strip("\0 \r\n\t")
        if not text:
            continue
        try:
            return CRS.from_wkt(text), "header WKT"
        except CRSError:
            warnings.append(tr("The WKT of the CRS in the header cannot be read."))
    codes = [keys.get(3072, 0), keys.get(2048, 0)]
    if not any(codes):
        return None, None
    code = next((c for c in codes if 1024 <= c <= 32766), 0)
    vertical = keys.get(4096, 0)
    try:
        if not code:
            raise CRSError("no EPSG code")
        text = f"EPSG:{code}"
        if 1024 <= vertical <= 32766:
            try:
                return CRS.from_user_input(f"{text}+{vertical}"), "header GeoTIFF keys"
            except CRSError:
                warnings.append(
                    tr("The header names an unknown vertical CRS, EPSG:{code}.", code=vertical)
                )
        return CRS.from_user_input(text), "header GeoTIFF keys"
    except CRSError:
        warnings.append(
            tr("The header defines a CRS of its own that has no EPSG code; state the CRS.")
        )
        return None, None


def _impossible(crs: CRS, bounds: Bounds) -> str:
    """Say why these numbers cannot be in this CRS, by its very definition; empty if they can."""
    corners = np.array([bounds.low, bounds.high])
    if crs.is_geocentric:
        radius = float(np.linalg.norm(bounds.center))
        if abs(radius - _EARTH_RADIUS) > _RADIUS_MARGIN:
            return tr(
                "its points lie {radius} km from the centre of the earth",
                radius=f"{radius / 1000:.0f}",
            )
    elif crs.is_geographic:
        per_degree = math.degrees(crs.axis_info[0].unit_conversion_factor)
        if (np.abs(corners[:, :2]) * per_degree > (360.0, 90.0)).any():
            return tr("its numbers are no longitudes and latitudes")
    return ""


def _note_units(crs: CRS, keys: dict[int, int], declared: DeclaredCrs) -> None:
    """Note the units of plane and height; heights without a unit take that of the plane."""
    axis = crs.axis_info[0]
    stated = {9001: ("metre", 1.0), 9002: ("foot", 0.3048), 9003: ("US survey foot", 1200 / 3937)}
    if len(crs.axis_info) == 3:
        height = crs.axis_info[2]
        name, factor, source = height.unit_name, height.unit_conversion_factor, "crs"
    elif keys.get(_VERTICAL_UNITS) in stated:
        name, factor, source = *stated[keys[_VERTICAL_UNITS]], "header key"
    elif crs.is_projected:
        name, factor, source = axis.unit_name, axis.unit_conversion_factor, "plane"
        if not math.isclose(factor, 1.0):
            declared.warnings.append(
                tr(
                    "The file does not state the unit of its heights; taken as {unit}, "
                    "as in the plane.",
                    unit=name,
                )
            )
    else:
        name, factor, source = "metre", 1.0, "plane"
    declared.metadata |= {
        "units": axis.unit_name,
        "vertical_units": name,
        "z_factor": factor,
        "z_factor_source": source,
    }
