"""Writing a mesh with its photographs as OBJ: what every 3D program takes.

Coordinates are written with all digits that float64 needs to three decimals of a millimetre; the
textures go beside the file.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from plumbline.core.data import MeshData, Texture
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr
from plumbline.io.writers import not_written, write_mesh

#: What the first bytes of an embedded image say about its kind.
_MAGIC = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}


def write_part(mesh: MeshData, path: Path) -> None:
    """Write a mesh as PLY or OBJ, by the suffix.

    Raises
    ------
    UsageError
        If the suffix names another format.
    InputError
        If the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".ply":
        write_mesh(mesh, path)
    elif suffix == ".obj":
        write_obj(mesh, path)
    else:
        raise UsageError(
            tr("A part of a mesh is not written as “{suffix}”.", suffix=suffix or path.name),
            tr("Name a file that ends in .obj or .ply."),
        )


def write_obj(mesh: MeshData, path: Path) -> None:
    """Write a mesh as OBJ with MTL and textures, all under the name of the file.

    Raises
    ------
    InputError
        If a file cannot be written, or a texture not read.
    """
    try:
        _write_materials(mesh, path)
        with path.open("w", encoding="utf-8", newline="\n") as out:
            out.write(f"mtllib {path.stem}.mtl\n")
            np.savetxt(out, mesh.vertices, "v %.6f %.6f %.6f")
            if mesh.uv is not None:
                np.savetxt(out, mesh.uv, "vt %.7f %.7f")
            index = mesh.material_index
            materials = np.full(len(mesh.triangles), -1) if index is None else np.asarray(index)
            for number in np.unique(materials).tolist():
                out.write(f"usemtl m{number}\n")
                faces = np.asarray(mesh.triangles)[materials == number] + 1
                if mesh.uv is not None:
                    np.savetxt(out, np.repeat(faces, 2, axis=1), "f %d/%d %d/%d %d/%d")
                else:
                    np.savetxt(out, faces, "f %d %d %d")
    except OSError as error:
        raise not_written(path, error) from error


def _write_materials(mesh: MeshData, path: Path) -> None:
    lines = ["newmtl m-1", "Kd 0.8 0.8 0.8"]
    used = set() if mesh.material_index is None else set(np.unique(mesh.material_index).tolist())
    for number, material in enumerate(mesh.materials):
        if number not in used:
            continue
        r, g, b, a = material.color
        lines += [f"newmtl m{number}", f"Kd {r:.4f} {g:.4f} {b:.4f}", f"d {a:.4f}"]
        if material.texture is not None:
            lines.append(f"map_Kd {_write_texture(material.texture, path, number)}")
    path.with_suffix(".mtl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _write_texture(texture: Texture, path: Path, number: int) -> str:
    if texture.path is not None:
        name = f"{path.stem}_{number}{texture.path.suffix.lower()}"
        shutil.copyfile(texture.path, path.with_name(name))
        return name
    data = texture.data or b""
    kind = next((suffix for magic, suffix in _MAGIC.items() if data.startswith(magic)), ".img")
    name = f"{path.stem}_{number}{kind}"
    path.with_name(name).write_bytes(data)
    return name
