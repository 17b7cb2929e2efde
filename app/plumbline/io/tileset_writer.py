"""A 3D Tiles 1.1 tileset in the making: contents as they come, the tree at the end.

The set stays in the CRS of its source, which stands in ``asset.extras``: nothing is moved to the
earth's centre and back, so that analyses get the coordinates that went in.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, Bounds, FloatArray, MeshData, Texture
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.io.gltf_writer import glb_of
from plumbline.io.images import image_problem, pixels

#: Decoded textures that are kept, bytes.
_HELD = 512 * 1024 * 1024


class TilesetWriter:
    """Writes contents into a folder.

    Parameters
    ----------
    folder : Path
        Is there, and empty.
    origin : (3,) float64
        Point of the source's CRS that coordinates in the set are relative to.
    """

    def __init__(self, folder: Path, origin: FloatArray) -> None:
        self.folder, self.origin = folder, np.asarray(origin, np.float64)
        self.tiles = self.triangles = 0
        self._pictures: OrderedDict[Any, AnyArray | None] = OrderedDict()

    def tile(
        self,
        name: str,
        mesh: MeshData | None,
        error: float,
        children: list[dict[str, Any]],
        box: Bounds,
    ) -> dict[str, Any]:
        """Write the content of a tile and return the tile.

        Parameters
        ----------
        mesh : MeshData, optional
            What it shows, in the CRS of the source; None where it shows nothing.
        error : float
            Metres by which it is wrong.
        box : Bounds
            Of it and everything below it.
        """
        centre = box.center - self.origin
        half = np.maximum(np.subtract(box.high, box.low) / 2, 1e-3)
        volume = [*centre.tolist(), half[0], 0, 0, 0, half[1], 0, 0, 0, half[2]]
        made: dict[str, Any] = {
            "boundingVolume": {"box": [round(float(v), 4) for v in volume]},
            "geometricError": round(error, 4),
            "refine": "REPLACE",
        }
        if mesh is not None and len(mesh.triangles):
            local = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2 - self.origin
            near = MeshData(
                mesh.vertices - self.origin, mesh.triangles, mesh.uv, mesh.colors, mesh.materials,
                mesh.material_index, mesh.elements, mesh.element_index,
            )  # fmt: skip
            raw = glb_of(near, np.round(local, 3), self.pixels)
            (self.folder / f"{name}.glb").write_bytes(raw)
            made["content"] = {"uri": f"{name}.glb"}
            self.tiles += 1
            self.triangles += len(mesh.triangles) if not children else 0
        if children:
            made["children"] = children
        return made

    def pixels(self, texture: Texture) -> AnyArray | None:
        """Return the pixels of a texture, kept for a while; None where it cannot be read."""
        key = texture.path or texture.data
        if key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        source = texture.path or texture.data or b""
        found = None if image_problem(source) else pixels(source)
        self._pictures[key] = found
        while sum(p.nbytes for p in self._pictures.values() if p is not None) > _HELD:
            if len(self._pictures) == 1:
                break
            self._pictures.popitem(last=False)
        return found

    def finish(self, root: dict[str, Any], crs: str | None, source: str) -> None:
        """Write the ``tileset.json`` of a tree."""
        transform = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, *self.origin.tolist(), 1]
        document = {
            "asset": {"version": "1.1", "generator": "Plumbline",
                      "extras": {"plumbline": {"crs": crs, "source": source}}},
            "geometricError": root["geometricError"],
            "root": {"transform": transform, **root},
        }  # fmt: skip
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        (self.folder / "tileset.json").write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def new_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    """Give a folder that becomes the target when all went well; else nothing is left of it.

    Raises
    ------
    InputError
        If there is something at the target that may not be replaced, or it cannot be written.
    """
    if target.exists() and not (overwrite and (target / "tileset.json").is_file()):
        raise InputError(
            tr("There is something at “{path}” already.", path=target),
            tr("Choose another place, or --overwrite to replace a tileset."),
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".tiling-", dir=target.parent) as folder:
            made = Path(folder) / "made"
            made.mkdir()
            yield made
            if target.exists():
                target.rename(Path(folder) / "old")
            shutil.move(made, target)
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be written: {why}.", path=target, why=error.strerror or error),
            tr("Check that you may write there, and the space on the disk."),
        ) from error
