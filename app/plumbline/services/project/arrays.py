"""Layer data as NumPy archives (never pickled) with a plain description, and back.

A project file may come from anyone: sizes, shapes, types and indices are checked before anything
else sees the arrays.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from plumbline.core.data import (
    AnyArray,
    BimData,
    Element,
    GridData,
    LayerData,
    Material,
    MeshData,
    PointCloudData,
    Storey,
    Texture,
)

#: Bytes that a NumPy archive may unpack to.
LARGEST_ARRAYS = 8 * 1024**3

_MESH_ARRAYS = ("vertices", "triangles", "uv", "colors", "material_index", "element_index")
#: What a building model has beyond a mesh.
_BIM_FIELDS: dict[str, Any] = {
    "storeys": list[Storey],
    "spatial": dict[str, str],
    "products": int,
    "tally": dict[str, int],
}
#: What a grid has beside its values.
_GRID_FIELDS: dict[str, Any] = {
    "transform": tuple[float, float, float, float, float, float],
    "quantity": str,
    "unit": str,
    "heights": bool,
}


def to_arrays(
    data: MeshData | PointCloudData | GridData,
) -> tuple[str, dict[str, AnyArray], dict[str, Any]]:
    """Return the format, the arrays by name and what else there is to say, as plain JSON values."""
    if isinstance(data, GridData):
        about = {name: getattr(data, name) for name in _GRID_FIELDS}
        return "grid", {"values": data.values}, about
    if isinstance(data, PointCloudData):
        arrays = {"points": data.points}
        arrays |= {f"attribute:{name}": array for name, array in data.attributes.items()}
        return "points", arrays, {}
    arrays = {n: getattr(data, n) for n in _MESH_ARRAYS if getattr(data, n) is not None}
    arrays |= {f"scalar:{name}": array for name, array in data.scalars.items()}
    description: dict[str, Any] = {"elements": data.elements, "materials": []}
    for n, material in enumerate(data.materials):
        description["materials"].append({"name": material.name, "color": material.color})
        texture = material.texture
        if texture is not None:
            encoded = texture.data or (texture.path.read_bytes() if texture.path else b"")
            arrays[f"texture:{n}"] = np.frombuffer(encoded, dtype=np.uint8)
    if not isinstance(data, BimData):
        return "mesh", arrays, description
    description |= {name: getattr(data, name) for name in _BIM_FIELDS}
    return "bim", arrays, description


def from_arrays(
    kind: str, arrays: dict[str, AnyArray], description: Mapping[str, Any]
) -> LayerData:
    """Return the data of a format of `to_arrays`.

    Raises
    ------
    ValueError, KeyError
        If something is missing, or does not fit the rest.
    """
    if kind == "grid":
        return _grid(arrays["values"], description)
    if kind == "points":
        points = arrays.pop("points")
        if points.ndim != 2 or points.shape[1] != 3 or points.dtype != np.float64:
            raise ValueError("points are not (N, 3) float64")
        return PointCloudData(points, {n.partition(":")[2]: a for n, a in arrays.items()})
    if kind not in ("mesh", "bim"):
        raise ValueError(f"unknown format {kind}")
    materials = [
        Material(
            str(m["name"]),
            TypeAdapter(tuple[float, float, float, float]).validate_python(m["color"]),
            Texture(data=arrays[f"texture:{n}"].tobytes()) if f"texture:{n}" in arrays else None,
        )
        for n, m in enumerate(description["materials"])
    ]
    elements = TypeAdapter(list[Element]).validate_python(description["elements"])
    _check_mesh(arrays, len(materials), len(elements))
    parts: dict[str, Any] = {name: arrays[name] for name in _MESH_ARRAYS if name in arrays}
    parts["scalars"] = _scalars(arrays)
    if kind == "mesh":
        return MeshData(**parts, materials=materials, elements=elements)
    own = _BIM_FIELDS.items()
    return BimData(
        **parts,
        materials=materials,
        elements=elements,
        **{name: TypeAdapter(kind).validate_python(description[name]) for name, kind in own},
    )


def _grid(values: AnyArray, description: Mapping[str, Any]) -> GridData:
    known = (np.float32, np.float64, np.uint8)
    if values.ndim != 2 or not values.size or values.dtype not in known:
        raise ValueError("values are not (rows, columns) of float or uint8")
    about = {
        name: TypeAdapter(kind).validate_python(description[name])
        for name, kind in _GRID_FIELDS.items()
    }
    a, b, _, d, e, _ = about["transform"]
    if not all(map(math.isfinite, about["transform"])) or a * e == b * d:
        raise ValueError("the transform does not give places to cells")
    return GridData(values, **about)


def _scalars(arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Return the numbers of the triangles by name."""
    count = len(arrays["triangles"])
    named = {name[7:]: array for name, array in arrays.items() if name.startswith("scalar:")}
    for array in named.values():
        if array.shape != (count,) or not np.issubdtype(array.dtype, np.floating):
            raise ValueError("scalars are not a number for each triangle")
    return named


def _check_mesh(arrays: Mapping[str, AnyArray], materials: int, elements: int) -> None:
    """Refuse indices that point outside: renderers and ray casters trust them."""
    vertices, triangles = arrays["vertices"], arrays["triangles"]
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype != np.float64:
        raise ValueError("vertices are not (N, 3) float64")
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError("triangles are not (M, 3)")
    limits = {
        "triangles": (0, len(vertices)),
        "material_index": (-1, materials),
        "element_index": (-1, elements),
    }
    for name, (low, high) in limits.items():
        array = arrays.get(name)
        if array is None or not array.size:
            continue
        if not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"{name} is not integer")
        if array.min() < low or array.max() >= high:
            raise ValueError(f"{name} points outside")
    for name, owner in (("uv", vertices), ("colors", vertices)):
        if name in arrays and len(arrays[name]) != len(owner):
            raise ValueError(f"{name} has another length")
    for name in ("material_index", "element_index"):
        if name in arrays and arrays[name].shape != (len(triangles),):
            raise ValueError(f"{name} has another length")


def pack(arrays: Mapping[str, AnyArray]) -> bytes:
    """Return arrays as the bytes of a NumPy archive."""
    buffer = io.BytesIO()
    # savez takes names as keywords; ours hold ":" and the names of a file's attributes.
    names = json.dumps(list(arrays)).encode()
    members = {f"a{n}": array for n, array in enumerate(arrays.values())}
    np.savez(buffer, allow_pickle=False, names=np.frombuffer(names, dtype=np.uint8), **members)
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, AnyArray]:
    """Return the arrays of `pack`; ValueError when they would not fit."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > LARGEST_ARRAYS:
            raise ValueError("too large")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        names = json.loads(archive["names"].tobytes())
        return {str(name): archive[f"a{n}"] for n, name in enumerate(names)}
