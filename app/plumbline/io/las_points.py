"""Records of LAS points as clouds: names of attributes, colours, and errors of the decoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.data import AnyArray, PointCloudData
from plumbline.core.errors import UserError
from plumbline.core.i18n import tr
from plumbline.io.pointcloud_header import damaged

if TYPE_CHECKING:
    from laspy import LasHeader

#: Attributes of every point format, by the names that layers use.
_PLAIN = ("intensity", "return_number", "number_of_returns", "classification", "gps_time")


@contextmanager
def third_party(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises on damaged bytes into one clear error."""
    try:
        yield
    except (UserError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # lazrs panics are BaseExceptions
        raise damaged(
            path, tr("its points cannot be decoded"), f"{type(error).__name__}: {error}"
        ) from error


def plain_names(header: LasHeader) -> list[str]:
    """Return the attributes of a file's points but colours, by the names that layers use."""
    point_format = header.point_format
    present = set(point_format.dimension_names)
    extra = [str(name) for name in point_format.extra_dimension_names]
    taken = {*_PLAIN, "rgb", "X", "Y", "Z", "x", "y", "z"}
    return [n for n in (*_PLAIN, "nir") if n in present] + [n for n in extra if n not in taken]


def attribute_names(header: LasHeader) -> tuple[str, ...]:
    """Return all attributes of a file's points."""
    colored = "red" in set(header.point_format.dimension_names)
    return (*plain_names(header), *(("rgb",) if colored else ()))


def cloud_of(raw: AnyArray, header: LasHeader, names: tuple[str, ...]) -> PointCloudData:
    """Return points and attributes of records; colours as they are stored, ``(N, 3)`` uint16.

    Parameters
    ----------
    raw : (N,) uint8
        Whole records in the point format of the header.
    """
    from laspy import PackedPointRecord

    form = header.point_format
    record = PackedPointRecord(np.frombuffer(raw, form.dtype()), form)
    array = record.array
    scales, offsets = header.scales, header.offsets
    points = np.column_stack([array[n] * scales[i] + offsets[i] for i, n in enumerate("XYZ")])
    attributes = {name: np.array(record[name]) for name in names if name != "rgb"}
    if "rgb" in names:
        attributes["rgb"] = np.column_stack([array[n] for n in ("red", "green", "blue")])
    return PointCloudData(points, attributes)


def rgb_shift(rgb: AnyArray) -> int:
    """Return the bits by which stored colours exceed 8 bits.

    The format wants 16 bits, but many writers leave the 8-bit value as it is.
    """
    return 8 if int(rgb.max(initial=0)) > 255 else 0
