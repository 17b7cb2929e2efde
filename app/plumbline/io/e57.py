"""E57: the scans of a file as one cloud, each point put where the pose of its scan says.

The reader is a native library, so it works in a child process: a damaged file that crashes it costs
an error message, not the application.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from plumbline.core.data import PointCloudData
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.io.axes import declared_crs
from plumbline.io.base import check_magic, damaged
from plumbline.io.child import run_in_child
from plumbline.io.registry import LoadContext

TITLE = "E57"
#: Address space of the reader: what it needs to start, and for each byte of the file.
_MEMORY_FLOOR = 2 << 30
_MEMORY_PER_BYTE = 60
#: Seconds without a word after which the reader counts as hanging.
_PATIENCE = 300.0


def load_e57(path: Path, context: LoadContext) -> list[Layer]:
    """Read all scans of an E57 file into one point cloud layer.

    Colours become 8 bits, intensities 16 bits, both by the limits that the file states; points
    that the scanner marked as invalid are left out. Images are not read.

    Raises
    ------
    InputError
        If the file is no E57, is cut off, or fails its checksums.
    """
    if find_spec("pye57") is None:
        raise InputError(
            tr("“{name}” cannot be read: there is no E57 reader for this machine.", name=path.name),
            tr("Convert it to LAZ on another one, e.g. with PDAL or CloudCompare."),
        )
    check_magic(path, TITLE, [b"ASTM-E57"])
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(24)[16:24], "little")
    size = path.stat().st_size
    if length > size:
        raise damaged(path, TITLE, tr("it is cut off"))
    result = run_in_child(
        "plumbline.io.e57_worker:read",
        {"path": str(path)},
        context.feedback,
        subject=path.name,
        memory=_MEMORY_FLOOR + _MEMORY_PER_BYTE * size,
        patience=_PATIENCE,
    )
    arrays, document = result.arrays, result.document
    points = arrays.pop("points")
    metadata = {"format": TITLE, "scans": document["scans"]}
    warnings: list[str] = []
    if document["invalid"]:
        warnings.append(
            tr("{n} points that the scanner marked as invalid were left out.",
               n=document["invalid"])
        )  # fmt: skip
    if document["images"]:
        warnings.append(tr("{n} images in the file were not read.", n=document["images"]))
    crs = declared_crs(document["crs"], metadata, warnings)
    data = PointCloudData(points, arrays)
    return [
        Layer(
            path.stem,
            path.stem,
            LayerKind.POINTCLOUD,
            data,
            crs=crs,
            metadata=metadata,
            warnings=warnings,
        )
    ]
