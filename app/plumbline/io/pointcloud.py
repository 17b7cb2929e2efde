"""Point clouds: LAS 1.0 to 1.4, LAZ and COPC (which is LAZ), through laspy and lazrs.

Points are decoded in blocks straight into arrays of their final size, so that a cloud needs little
more memory than it has points, shows progress and can be cancelled. Coordinates stay in the CRS
and the units of the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.data import AnyArray, Bounds, PointCloudData
from plumbline.core.errors import InputError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.io import copc, indexed
from plumbline.io.cloud import STORED_POINTS, stored_layer
from plumbline.io.las_points import attribute_names, plain_names, third_party
from plumbline.io.pointcloud_header import check_header, damaged, read_crs, too_few
from plumbline.io.registry import LoadContext

if TYPE_CHECKING:
    from laspy import LasHeader, LasReader

#: Points per block: ten LAZ chunks of the usual size, so that all cores decode.
_BLOCK = 500_000

# A reader's own log would go to standard error where no log file is set up.
logging.getLogger("laspy").addHandler(logging.NullHandler())


def load_las(path: Path, context: LoadContext) -> list[Layer]:
    """Read a LAS, LAZ or COPC file into one point cloud layer.

    Parameters
    ----------
    path : Path
        The file.
    context : LoadContext
        Progress and cancelling.

    Returns
    -------
    list of Layer
        One layer, in the CRS and the units of the file (``metadata["units"]``; heights have
        ``metadata["z_factor"]`` metres per unit).

    Raises
    ------
    InputError
        If the file is no LAS file, is damaged or cut off.
    """
    import laspy

    # Very old files are one compressed stream, which only the sequential decoder reads.
    decoders = (laspy.LazBackend.LazrsParallel, laspy.LazBackend.Lazrs)
    check_header(path)
    with third_party(path), laspy.open(path, laz_backend=decoders) as reader:
        header = reader.header
        info = copc.read_info(header)
        unusable = ""
        if info is not None:
            try:
                return [copc.copc_layer(path, header, info, _describe(header))]
            except InputError as error:
                unusable = error.message
        found, problems = indexed.index_of(
            path, header, context.tiles, not context.stored, context.feedback
        )
        if found is not None:
            return [_through_index(path, header, found)]
        if context.stored and header.point_count >= STORED_POINTS:
            return [_stored(path, header, context)]
        points, attributes = _read(path, reader, context.feedback)
    data = PointCloudData(points, attributes)
    bounds = data.bounds
    assert bounds is not None  # check_header refuses a file without points
    metadata = _describe(header)
    warnings = problems
    if unusable:
        warnings.append(tr("{why} It was read as a plain LAZ file.", why=unusable))
    _tidy_colors(attributes, metadata)
    classes = np.bincount(attributes["classification"], minlength=1)
    metadata["classes"] = {str(n): int(classes[n]) for n in np.flatnonzero(classes)}
    if not _same_box(header, bounds):
        warnings.append(tr("The box in the header is not that of the points; theirs is used."))
    declared = read_crs(header, bounds)
    metadata |= declared.metadata
    name = path.name.removesuffix(path.suffix).removesuffix(".copc")
    return [
        Layer(
            id=name,
            name=name,
            kind=LayerKind.POINTCLOUD,
            data=data,
            crs=declared.crs,
            metadata=metadata,
            warnings=warnings + declared.warnings,
        )
    ]


def _through_index(path: Path, header: LasHeader, index: Path) -> Layer:
    """Return the layer of a large cloud whose points are read from its index."""
    import laspy

    with third_party(index), laspy.open(index) as reader:
        info = copc.read_info(reader.header)
        assert info is not None
        described = _describe(header) | {"index": index.name}
        layer = copc.copc_layer(index, reader.header, info, described, attribute_names(header))
    layer.name = layer.id = path.stem
    return layer


def _stored(path: Path, header: LasHeader, context: LoadContext) -> Layer:
    """Return the layer of a large cloud that stays in its file."""
    import laspy

    def stream(size: int) -> Iterator[tuple[AnyArray, AnyArray | None]]:
        decoders = (laspy.LazBackend.LazrsParallel, laspy.LazBackend.Lazrs)
        with third_party(path), laspy.open(path, laz_backend=decoders) as reader:
            for block in reader.chunk_iterator(size):
                points = np.empty((len(block), 3))
                for axis, name in enumerate("XYZ"):
                    np.multiply(block.array[name], header.scales[axis], out=points[:, axis])
                    points[:, axis] += header.offsets[axis]
                yield points, np.asarray(block["classification"])

    def whole() -> PointCloudData:
        data = load_las(path, LoadContext(context.options))[0].data
        assert isinstance(data, PointCloudData)
        return data

    layer = stored_layer(path, "LAS", int(header.point_count), stream, whole, context.feedback)
    assert layer.bounds is not None
    declared = read_crs(header, layer.bounds)
    layer.metadata |= _describe(header) | declared.metadata
    layer.name = layer.id = path.name.removesuffix(path.suffix).removesuffix(".copc")
    layer.crs = declared.crs
    layer.warnings += declared.warnings
    if not _same_box(header, layer.bounds):
        layer.warnings.append(
            tr("The box in the header is not that of the points; theirs is used.")
        )
    return layer


def _read(
    path: Path, reader: LasReader, feedback: Feedback
) -> tuple[AnyArray, dict[str, AnyArray]]:
    """Decode all points block by block into arrays of their final size."""
    header = reader.header
    count = int(header.point_count)
    points = np.empty((count, 3), dtype=np.float64)
    attributes: dict[str, AnyArray] = {}
    names = plain_names(header)
    text = tr("Reading {name}", name=path.name)
    done = 0
    while done < count:
        feedback.step(done, count, text)
        block = reader.read_points(min(_BLOCK, count - done))
        if len(block) == 0 or (len(block) < _BLOCK and done + len(block) < count):
            raise damaged(path, too_few(count, done + len(block)))
        part = slice(done, done + len(block))
        raw = block.array
        for axis, name in enumerate("XYZ"):
            np.multiply(raw[name], header.scales[axis], out=points[part, axis])
            points[part, axis] += header.offsets[axis]
        for name in names:
            _fill(attributes, name, np.asarray(block[name]), part, count)
        if "red" in raw.dtype.names:
            for channel, name in enumerate(("red", "green", "blue")):
                _colors(attributes, count)[part, channel] = raw[name]
        done += len(block)
    feedback.step(count, count, text)
    return points, attributes


def _fill(
    attributes: dict[str, AnyArray], name: str, values: AnyArray, part: slice, count: int
) -> None:
    if name not in attributes:
        attributes[name] = np.empty((count, *values.shape[1:]), dtype=values.dtype)
    attributes[name][part] = values


def _colors(attributes: dict[str, AnyArray], count: int) -> AnyArray:
    if "rgb" not in attributes:
        attributes["rgb"] = np.empty((count, 3), dtype=np.uint16)
    return attributes["rgb"]


def _tidy_colors(attributes: dict[str, AnyArray], metadata: dict[str, Any]) -> None:
    """Bring colours to 8 bits and say how they were stored.

    The format wants 16 bits, but many writers leave the 8-bit value as it is: then no value of
    the whole file exceeds 255.
    """
    rgb = attributes.get("rgb")
    if rgb is None:
        metadata["colors"] = "none"
        return
    highest = int(rgb.max())
    if highest == 0:
        del attributes["rgb"]
        metadata["colors"] = "none (all black)"
    elif highest <= 255:
        attributes["rgb"] = rgb.astype(np.uint8)
        metadata["colors"] = "8-bit values in 16-bit fields"
    else:
        np.right_shift(rgb, 8, out=rgb)
        attributes["rgb"] = rgb.astype(np.uint8)
        metadata["colors"] = "16-bit"


def _describe(header: LasHeader) -> dict[str, Any]:
    copc = any(vlr.user_id == "copc" for vlr in header.vlrs)
    packed = "COPC" if copc else "LAZ" if header.are_points_compressed else ""
    name = f"LAS {header.version} PDRF {header.point_format.id}"
    return {
        "format": f"{name} ({packed})" if packed else name,
        "point_format": int(header.point_format.id),
        "scale": [float(v) for v in header.scales],
        "offset": [float(v) for v in header.offsets],
        "software": _plain(header.generating_software),
        "system": _plain(header.system_identifier),
        "date": header.creation_date.isoformat() if header.creation_date else None,
        "extra_dimensions": [str(n) for n in header.point_format.extra_dimension_names],
    }


def _plain(text: object) -> str:
    """Return a header text without padding and unprintable bytes."""
    decoded = text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)
    return "".join(c for c in decoded.split("\0")[0] if c.isprintable()).strip()


def _same_box(header: LasHeader, bounds: Bounds) -> bool:
    tolerance = 1.5 * np.asarray(header.scales)
    low, high = np.asarray(header.mins), np.asarray(header.maxs)
    return bool(
        (np.abs(low - bounds.low) <= tolerance).all()
        and (np.abs(high - bounds.high) <= tolerance).all()
    )
