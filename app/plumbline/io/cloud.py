"""What the loaders of simple point clouds share: points that are there, colours, intensities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, Bounds, FloatArray, PointCloudData, StoredCloud
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.io.base import damaged

#: Smaller clouds are read whole wherever they are wanted.
STORED_POINTS = 5_000_000
#: Points of a block in which a stored cloud is looked through.
STORED_BLOCK = 250_000


def cloud_layer(
    path: Path,
    title: str,
    points: FloatArray,
    attributes: dict[str, AnyArray],
    metadata: dict[str, Any],
) -> Layer:
    """Return the layer of a cloud; points without finite coordinates are left out and counted.

    Parameters
    ----------
    points : (N, 3) float64
    attributes : dict of str to (N, ...) array

    Raises
    ------
    InputError
        If no point is left.
    """
    warnings: list[str] = []
    finite: AnyArray = np.logical_and.reduce(np.isfinite(points), axis=1)
    lost = int(len(points) - finite.sum())
    if lost:
        points = points[finite]
        attributes = {name: values[finite] for name, values in attributes.items()}
        warnings.append(tr("{n} points without coordinates were left out.", n=lost))
    if len(points) == 0:
        raise damaged(path, title, tr("it holds no points"))
    data = PointCloudData(points, attributes)
    info = {"format": title, **metadata}
    return Layer(path.stem, path.stem, LayerKind.POINTCLOUD, data, metadata=info, warnings=warnings)


def stored_layer(
    path: Path,
    title: str,
    count: int,
    stream: Callable[[int], Iterator[tuple[AnyArray, AnyArray | None]]],
    whole: Callable[[], PointCloudData],
    feedback: Feedback,
) -> Layer:
    """Return the layer of a cloud that stays in its file; looks through it once for its box.

    Raises
    ------
    InputError
        If no point has coordinates.
    """
    box: Bounds | None = None
    seen = 0
    for points, _ in stream(STORED_BLOCK):
        feedback.step(seen, count, tr("Reading {name}", name=path.name))
        seen += len(points)
        part = Bounds.of(points)
        # A block without any coordinates has a box of NaN, which belongs to none.
        if part is not None and np.isfinite(part.as_list()).all():
            box = Bounds.union((box, part))
    if box is None:
        raise damaged(path, title, tr("it holds no points"))
    data = StoredCloud(count, box, stream, whole)
    info = {"format": title, "stored": True}
    return Layer(path.stem, path.stem, LayerKind.POINTCLOUD, data, metadata=info)


def colors_8bit(values: AnyArray) -> AnyArray:
    """Return colours ``(N, 3)`` as uint8; stored as 0 … 1, 0 … 255 or 0 … 65535."""
    values = np.nan_to_num(values.astype(np.float64))
    highest = values.max(initial=0.0)
    if highest <= 1.0 and (values % 1).any():
        values = values * 255
    elif highest > 255:
        values = values / 257
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def intensity_16bit(values: AnyArray, metadata: dict[str, Any]) -> AnyArray:
    """Return intensities as uint16, as they are where they fit, else by their range, noted."""
    values = np.nan_to_num(values.astype(np.float64))
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    if low >= 0 and high <= 65_535 and not (values % 1).any():
        return values.astype(np.uint16)
    metadata["intensity_range"] = [low, high]
    span = high - low or 1.0
    return np.rint((values - low) / span * 65_535).astype(np.uint16)
