"""FBX, COLLADA and 3DS through the Open Asset Import Library, in a child process.

These formats have no reader in Python that holds up. The library is native code that has crashed on
damaged files, so it works where a crash costs an error message.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from plumbline.core.data import Element, Material, MeshData, Texture
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.base import damaged, file_inside
from plumbline.io.child import run_in_child
from plumbline.io.images import image_problem
from plumbline.io.mesh import mesh_layer
from plumbline.io.registry import LoadContext

#: Suffix -> title. The library turns all of them so that y is up.
FORMATS = {".fbx": "FBX", ".dae": "COLLADA", ".3ds": "3DS"}
#: Address space of the reader: what it needs to start, and for each byte of the file.
_MEMORY_FLOOR = 2 << 30
_MEMORY_PER_BYTE = 100
#: Seconds without a word after which the reader counts as hanging.
_PATIENCE = 300.0


def load_assimp(path: Path, context: LoadContext) -> list[Layer]:
    """Read a model into one mesh layer, an element for each node with a mesh.

    Raises
    ------
    InputError
        If the file is damaged or holds no triangles.
    """
    title = FORMATS[path.suffix.lower()]
    if find_spec("assimp_py") is None:
        raise InputError(
            tr("“{name}” cannot be read: there is no reader for it on this machine.",
               name=path.name),
            tr("Convert it to glTF or OBJ, e.g. in Blender."),
        )  # fmt: skip
    result = run_in_child(
        "plumbline.io.assimp_worker:read",
        {"path": str(path), "title": title},
        context.feedback,
        subject=path.name,
        memory=_MEMORY_FLOOR + _MEMORY_PER_BYTE * path.stat().st_size,
        patience=_PATIENCE,
    )
    arrays, document = result.arrays, result.document
    if "triangles" not in arrays:
        raise damaged(path, title, tr("it holds no triangles"))
    warnings: list[str] = []
    data = MeshData(
        arrays["vertices"],
        arrays["triangles"],
        uv=arrays.get("uv"),
        colors=arrays.get("colors"),
        materials=[_material(path, one, warnings) for one in document["materials"]],
        material_index=arrays["material_index"],
        elements=[Element(one, name=one.partition(" #")[0]) for one in document["elements"]],
        element_index=arrays["element_index"],
    )
    return [mesh_layer(path, data, context, title=title, up="y", warnings=warnings)]


def _material(path: Path, described: dict[str, Any], warnings: list[str]) -> Material:
    """Return a material; a texture that is not in the folder of the model is a warning."""
    name, texture = str(described["texture"]), None
    if name:
        file = file_inside(path.parent, name)
        why = tr("it is not in the folder of the model")
        problem = image_problem(file) if file is not None else why
        if problem:
            text = tr("The texture “{name}” was left out: {why}.", name=name[-120:], why=problem)
            warnings += [text] if text not in warnings else []
        else:
            texture = Texture(file)
    r, g, b, a = described["color"]
    return Material(str(described["name"]), (r, g, b, a), texture)
