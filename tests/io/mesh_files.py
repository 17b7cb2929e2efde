"""Small mesh files written by hand, and measures of what was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import MeshData
from plumbline.core.layer import Layer
from plumbline.io import load


def mesh_of(layer: Layer) -> MeshData:
    assert isinstance(layer.data, MeshData)
    return layer.data


def load_mesh(path: Path, options: dict[str, Any] | None = None) -> tuple[MeshData, Layer]:
    """Load the one mesh layer of a file."""
    (layer,) = load(path, options, digest=False)
    return mesh_of(layer), layer


def area(mesh: MeshData) -> float:
    """Sum of the areas of all triangles, by Heron's formula."""
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    sides = [np.linalg.norm(p - q, axis=1) for p, q in ((a, b), (b, c), (c, a))]
    s = sum(sides) / 2
    return float(np.sqrt(np.maximum(0, s * (s - sides[0]) * (s - sides[1]) * (s - sides[2]))).sum())


def volume(mesh: MeshData) -> float:
    """Signed volume: positive when a closed mesh faces outwards."""
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
