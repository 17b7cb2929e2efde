"""Reads an E57 file with libE57Format, in a child process.

The library is used as it is and not through the class of its package, which may remove a file that
it failed to open.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.i18n import tr
from plumbline.io.base import reading
from plumbline.io.child import Child

#: Points read between two reports.
_BLOCK = 500_000
#: No file holds more points in a byte, though a constant coordinate takes no space at all.
_POINTS_PER_BYTE = 64
_CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
_SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
_COLORS = ("colorRed", "colorGreen", "colorBlue")
_RETURNS = {"returnIndex": "return_number", "returnCount": "number_of_returns"}


def read(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Save the points and their attributes; return what is known of the scans."""
    from pye57.libe57 import E57Exception

    path = Path(args["path"])
    with reading(path, "E57"):
        try:
            return _File(path, child).read()
        except E57Exception as error:  # its further lines are for the authors of the library
            raise ValueError(str(error).partition("\n")[0]) from None


class _File:
    """An open file and what is gathered of it."""

    def __init__(self, path: Path, child: Child) -> None:
        from pye57 import libe57

        self.libe57 = libe57
        self.path = path
        self.child = child
        self.image = libe57.ImageFile(str(path), "r")
        self.root = self.image.root()
        self.invalid = 0

    def read(self) -> dict[str, Any]:
        scans = self.root["data3D"] if self.root.isDefined("data3D") else []
        images = self.root["images2D"] if self.root.isDefined("images2D") else []
        nodes = [scans[n] for n in range(len(scans))]
        counts = [int(node["points"].childCount()) for node in nodes]
        total = sum(counts)
        if total == 0:
            raise ValueError(tr("it holds no points"))
        if total > self.path.stat().st_size * _POINTS_PER_BYTE:
            raise ValueError(tr("its header claims {count} points, too many for it", count=total))
        parts, done, told = [], 0, []
        for n, (node, count) in enumerate(zip(nodes, counts, strict=True)):
            part = self._scan(node, count, done, total)
            done += count
            if len(nodes) > 1:
                part["scan"] = np.full(len(part["points"]), n, dtype=np.uint16)
            parts.append(part)
            name = str(node["name"].value()) if node.isDefined("name") else ""
            told.append({"name": name, "points": len(part["points"])})
        # An attribute that some scans lack would be invented for their points.
        for key in set.intersection(*(set(part) for part in parts)):
            self.child.save(key, np.concatenate([part[key] for part in parts]))
        return {
            "scans": told,
            "invalid": self.invalid,
            "images": len(images),
            "crs": self._text("coordinateMetadata"),
        }

    def _text(self, name: str) -> str:
        return str(self.root[name].value()) if self.root.isDefined(name) else ""

    def _scan(self, node: Any, count: int, done: int, total: int) -> dict[str, AnyArray]:
        """Return points in the frame of the file and attributes of one scan."""
        names = self._fields(node)
        raw = {name: np.empty(count, np.float64) for name in names}
        block = min(_BLOCK, max(count, 1))
        buffers = {name: np.empty(block, np.float64) for name in names}
        vector = self.libe57.VectorSourceDestBuffer()
        for name, buffer in buffers.items():
            vector.append(self.libe57.SourceDestBuffer(self.image, name, buffer, block, True, True))
        reader = node["points"].reader(vector)
        have = 0
        while (got := int(reader.read())) > 0:
            if have + got > count:
                raise ValueError(tr("a scan holds more points than it says"))
            for name in names:
                raw[name][have : have + got] = buffers[name][:got]
            have += got
            self.child.feedback.step(done + have, total, tr("Reading {name}", name=self.path.name))
        reader.close()
        if have < count:
            raise ValueError(tr("it is cut off"))
        return self._sorted_out(node, raw)

    def _fields(self, node: Any) -> list[str]:
        """Return the fields to read, coordinates first."""
        prototype = self.libe57.StructureNode(node["points"].prototype())
        held = [prototype.get(n).elementName() for n in range(prototype.childCount())]
        place = next((p for p in (_CARTESIAN, _SPHERICAL) if set(p) <= set(held)), None)
        if place is None:
            raise ValueError(tr("a scan has no coordinates"))
        flag = place[0].removesuffix("X").removesuffix("Range") + "InvalidState"
        wanted = [*place, flag, "intensity", *_RETURNS]
        if set(held) >= set(_COLORS):
            wanted += _COLORS
        return [name for name in wanted if name in held]

    def _sorted_out(self, node: Any, raw: dict[str, FloatArray]) -> dict[str, AnyArray]:
        place = _CARTESIAN if _CARTESIAN[0] in raw else _SPHERICAL
        points = np.column_stack([raw.pop(name) for name in place])
        if place is _SPHERICAL:
            points = _from_sphere(points)
        valid: AnyArray = np.logical_and.reduce(np.isfinite(points), axis=1)
        for name in ("cartesianInvalidState", "sphericalInvalidState"):
            if name in raw:
                valid &= raw.pop(name) == 0
        self.invalid += int(len(valid) - valid.sum())
        result: dict[str, AnyArray] = {"points": _posed(node, points[valid])}
        raw = {name: values[valid] for name, values in raw.items()}
        if "colorRed" in raw:
            channels = [
                _scaled(raw[name], _limits(node, "colorLimits", name), 255) for name in _COLORS
            ]
            result["rgb"] = np.column_stack(channels).astype(np.uint8)
        if "intensity" in raw:
            limits = _limits(node, "intensityLimits", "intensity")
            result["intensity"] = _scaled(raw["intensity"], limits, 65_535).astype(np.uint16)
        for name, ours in _RETURNS.items():
            if name in raw:
                result[ours] = np.clip(raw[name], 0, 255).astype(np.uint8)
        return result


def _from_sphere(values: FloatArray) -> FloatArray:
    """Return points of range, azimuth and elevation ``(N, 3)`` in radians."""
    distance, azimuth, elevation = values.T
    flat = distance * np.cos(elevation)
    return np.column_stack(
        [flat * np.cos(azimuth), flat * np.sin(azimuth), distance * np.sin(elevation)]
    )


def _posed(node: Any, points: FloatArray) -> FloatArray:
    """Turn and move the points of a scan by its pose."""
    if not node.isDefined("pose"):
        return points
    pose = node["pose"]
    if pose.isDefined("rotation"):
        w, x, y, z = (float(pose["rotation"][key].value()) for key in "wxyz")
        norm = float(np.sqrt(w * w + x * x + y * y + z * z))
        if not (np.isfinite(norm) and norm > 0):
            raise ValueError(tr("the pose of a scan is no rotation"))
        w, x, y, z = w / norm, x / norm, y / norm, z / norm
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        points = points @ turn.T
    if pose.isDefined("translation"):
        points = points + [float(pose["translation"][key].value()) for key in "xyz"]
    if not np.isfinite(points).all():
        raise ValueError(tr("the pose of a scan is no rotation"))
    return points


def _limits(node: Any, group: str, name: str) -> tuple[float, float] | None:
    """Return the least and the greatest value that the file states for a field."""
    if not node.isDefined(group):
        return None
    limits = node[group]
    low, high = f"{name}Minimum", f"{name}Maximum"
    if not (limits.isDefined(low) and limits.isDefined(high)):
        return None
    return float(limits[low].value()), float(limits[high].value())


def _scaled(values: FloatArray, limits: tuple[float, float] | None, top: int) -> FloatArray:
    """Bring values from their limits, or their own range, to 0 … `top`."""
    values = np.nan_to_num(values)
    if limits is None or not limits[1] > limits[0]:
        highest = float(values.max(initial=0.0))
        limits = (0.0, next((h for h in (1.0, 255.0, 65_535.0) if highest <= h), highest))
    low, high = limits
    scaled: FloatArray = np.rint(np.clip((values - low) / (high - low), 0.0, 1.0) * top)
    return scaled
