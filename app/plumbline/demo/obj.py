"""Writes textured OBJ the way photogrammetry programs hand it over: local, with metadata.xml."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo.frame import CRS, Bytes, Floats


@dataclass
class Piece:
    """Triangles of one object in one material; indices count from 0 over the whole file."""

    name: str
    material: str
    corners: NDArray[np.int64]
    """(n, 3) vertex indices."""
    uv: NDArray[np.int64] | None = None
    """(n, 3) texture indices."""
    normals: NDArray[np.int64] | None = None


@dataclass
class Model:
    """What goes into one OBJ file; coordinates are relative to the origin of its metadata."""

    vertices: Floats
    uv: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    normals: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    pieces: list[Piece] = field(default_factory=list)


def write(
    path: Path, model: Model, materials: dict[str, Any], origin: tuple[float, float, float]
) -> None:
    """Write OBJ, MTL, JPEG textures and metadata.xml.

    Parameters
    ----------
    path : the OBJ file.
    model : the triangles.
    materials : material -> picture (rows, columns, 3) or colour (3,) of 0 to 255.
    origin : easting, northing, height in m that the coordinates count from.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"# Plumbline demo district\nmtllib {path.stem}.mtl\n")
        _lines(file, "v %.3f %.3f %.3f\n", model.vertices)
        _lines(file, "vt %.5f %.5f\n", model.uv)
        _lines(file, "vn %.3f %.3f %.3f\n", model.normals)
        before = None
        for piece in model.pieces:
            if piece.name != before:
                file.write(f"o {piece.name}\n")
                before = piece.name
            file.write(f"usemtl {piece.material}\n")
            columns = [c + 1 for c in (piece.corners, piece.uv, piece.normals) if c is not None]
            if piece.uv is None and piece.normals is not None:
                corner = "%d//%d"
            else:
                corner = "/".join(["%d"] * len(columns))
            rows = np.stack(columns, axis=2).reshape(len(piece.corners), -1)
            _lines(file, f"f {corner} {corner} {corner}\n", rows)
    with path.with_suffix(".mtl").open("w", encoding="utf-8", newline="\n") as file:
        for name, look in materials.items():
            look = np.asarray(look)
            colour = np.ones(3) if look.ndim == 3 else look / 255
            file.write(
                f"newmtl {name}\nKa 0 0 0\nKd {colour[0]:.3f} {colour[1]:.3f} {colour[2]:.3f}\n"
            )
            file.write("Ks 0 0 0\nd 1\nillum 1\n")
            if look.ndim == 3:
                file.write(f"map_Kd {name}.jpg\n")
                _jpeg(look, path.parent / f"{name}.jpg")
    x, y, z = origin
    (path.parent / "metadata.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<ModelMetadata version="1">\n'
        f"\t<SRS>{CRS}</SRS>\n\t<SRSOrigin>{x:.3f},{y:.3f},{z:.3f}</SRSOrigin>\n"
        "\t<Texture>\n\t\t<ColorSource>Visible</ColorSource>\n\t</Texture>\n</ModelMetadata>\n",
        encoding="utf-8",
    )


def _lines(file: Any, form: str, rows: NDArray[Any]) -> None:
    """Write rows by one format; in batches, so that memory stays small."""
    for start in range(0, len(rows), 20000):
        batch: Iterable[Any] = rows[start : start + 20000].tolist()
        file.write("".join([form % tuple(row) for row in batch]))


def _jpeg(image: Bytes, path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(image, np.uint8)).save(path, quality=86, subsampling=2)
