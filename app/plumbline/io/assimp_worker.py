"""Reads a model with the Open Asset Import Library, in a child process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.i18n import tr
from plumbline.io.base import reading
from plumbline.io.child import Child

#: Nodes inside nodes; copies of one mesh; more are made to break readers.
_MAX_DEPTH, _MAX_TRIANGLES = 500, 100_000_000


def read(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Save the triangles in the scene's axes, float64; return materials and names."""
    import assimp_py as assimp

    path = Path(args["path"])
    with reading(path, str(args["title"])):
        flags = assimp.Process_Triangulate | assimp.Process_GlobalScale
        flags |= assimp.Process_FindInvalidData | assimp.Process_ValidateDataStructure
        scene = assimp.import_file(str(path), flags)
        parts = [_part(scene, node, matrix, number) for node, matrix, number in _placed(scene)]
        if parts:
            _save(parts, child)
    return {
        "materials": [_material(one) for one in scene.materials],
        "elements": [name for part in parts for name in (part["name"],)],
    }


def _placed(scene: Any) -> Iterator[tuple[Any, FloatArray, int]]:
    """Yield node, world matrix ``(4, 4)`` and number of every mesh in every node."""
    stack = [(scene.root_node, np.eye(4), 0)]
    total = 0
    while stack:
        node, parent, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise ValueError(tr("its nodes do not form a tree"))
        matrix = parent @ np.array(node.transformation, dtype=np.float64)
        for number in node.mesh_indices:
            total += int(scene.meshes[number].num_faces)
            if total > _MAX_TRIANGLES:
                text = tr("it unfolds to more than {n} triangles", n=_MAX_TRIANGLES)
                raise ValueError(text)
            yield node, matrix, int(number)
        stack += [(below, matrix, depth + 1) for below in reversed(node.children)]


def _part(scene: Any, node: Any, matrix: FloatArray, number: int) -> dict[str, Any]:
    mesh = scene.meshes[number]
    count = int(mesh.num_vertices)
    local = np.asarray(mesh.vertices, dtype=np.float64).reshape(-1, 3)[:count]
    indices = np.asarray(mesh.indices, dtype=np.int64)
    triangles = indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if len(indices) != 3 * int(mesh.num_faces):
        triangles = triangles[:0]  # points and lines
    if np.linalg.det(matrix[:3, :3]) < 0:
        triangles = triangles[:, ::-1]
    return {
        "name": str(node.name or mesh.name or f"mesh {number}"),
        "vertices": local @ matrix[:3, :3].T + matrix[:3, 3],
        "triangles": triangles,
        "uv": _channel(mesh.texcoords, count, 2),
        "colors": _channel(mesh.colors, count, 4),
        "material": int(mesh.material_index),
    }


def _channel(channels: Any, count: int, width: int) -> AnyArray | None:
    """Return the first channel of texture coordinates or colours, None where there is none."""
    if not channels:
        return None
    values = np.asarray(channels[0], dtype=np.float64).ravel()
    if count == 0 or len(values) % count or len(values) // count < width:
        return None
    return values.reshape(count, -1)[:, :width]


def _save(parts: list[dict[str, Any]], child: Child) -> None:
    names: dict[str, int] = {}
    for part in parts:
        names[part["name"]] = names.get(part["name"], 0) + 1
        if names[part["name"]] > 1:
            part["name"] = f"{part['name']} #{names[part['name']]}"
    sizes = [len(part["vertices"]) for part in parts]
    lengths = [len(part["triangles"]) for part in parts]
    start = np.cumsum([0, *sizes[:-1]])
    if not sum(lengths):
        return
    child.save("vertices", np.concatenate([part["vertices"] for part in parts]))
    child.save("triangles", np.concatenate(
        [part["triangles"] + first for part, first in zip(parts, start, strict=True)]
    ).astype(np.int32))  # fmt: skip
    child.save("material_index", np.repeat([p["material"] for p in parts], lengths).astype("i4"))
    child.save("element_index", np.repeat(np.arange(len(parts)), lengths).astype(np.int32))
    if any(part["uv"] is not None for part in parts):
        uvs = [np.zeros((n, 2)) if p["uv"] is None else p["uv"]
               for p, n in zip(parts, sizes, strict=True)]  # fmt: skip
        child.save("uv", np.concatenate(uvs).astype(np.float32))
    if any(part["colors"] is not None for part in parts):
        colors = [np.ones((n, 4)) if p["colors"] is None else p["colors"]
                  for p, n in zip(parts, sizes, strict=True)]  # fmt: skip
        child.save("colors", np.rint(np.clip(np.concatenate(colors), 0, 1) * 255).astype(np.uint8))


def _material(described: dict[str, Any]) -> dict[str, Any]:
    color = [*described.get("COLOR_DIFFUSE", (0.8, 0.8, 0.8))][:3]
    opacity = described.get("OPACITY", 1.0)
    numbers = [float(v) if np.isfinite(v) else 0.8 for v in (*color, opacity)]
    textures = described.get("TEXTURES") or {}
    files = [str(name) for names in textures.values() for name in names]
    return {
        "name": str(described.get("NAME", "")),
        "color": [min(max(v, 0.0), 1.0) for v in numbers] if len(numbers) == 4 else [0.8] * 3 + [1],
        "texture": next((name for name in files if not name.startswith("*")), ""),
    }
