"""Oblique photogrammetry as a tree of tiles: a production folder, or one ``.osgb`` file and below.

A production is ``metadata.xml`` with ``Data/<tile>/<tile>.osgb``; every file names the files of its
finer levels. Files that are named and not there are normal: productions are cut out of larger ones.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import Bounds, MeshData, Texture
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.tiles import Content, Tile, TilesData, TileSource
from plumbline.io.base import damaged, file_inside
from plumbline.io.mesh import Placement, parse_offset, place_vertices, placement
from plumbline.io.osgb import MAX_BYTES, BrokenFileError, read_tree
from plumbline.io.osgb_parts import Part, mesh_of, parts_of, sphere_box
from plumbline.io.registry import LoadContext

#: Parsed files that are kept for the next question, bytes of the files.
CACHE_BYTES = 256 * 1024 * 1024
#: No coordinate lies farther from any origin, metres.
FAR = 1e9


@dataclass(frozen=True)
class _File:
    """What a file holds, ready for questions."""

    parts: tuple[Part, ...]
    boxes: tuple[Bounds | None, ...]
    images: dict[int, Texture | None]
    size: int


class OsgbSource(TileSource):
    """Tiles of ``.osgb`` files.

    A tile's id is the file's path inside the folder and the number of its part, e.g.
    ``Tile_+000_+013/Tile_+000_+013_L18_0uuuu.osgb#3``.
    """

    def __init__(self, folder: Path, files: list[Path], place: Placement) -> None:
        super().__init__()
        self._folder, self._place = folder.resolve(), place
        self._tops = [file.resolve().relative_to(self._folder).as_posix() for file in files]
        self._are_tops = frozenset(self._tops)
        self._files: OrderedDict[str, _File | None] = OrderedDict()
        self._held = 0
        self._owner: dict[str, str] = {}
        self._lock = threading.Lock()
        self._roots: tuple[Tile, ...] | None = None

    # -- the tree ----------------------------------------------------------------------------

    def roots(self) -> tuple[Tile, ...]:
        """Return the parts of the coarsest files."""
        if self._roots is None:
            self._roots = tuple(t for name in self._tops for t in self._tiles(name))
        return self._roots

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the parts of the file with the next level."""
        name, part = self._part(tile)
        if part is None or not part.file:
            return ()
        below = self._below(name, part.file)
        if below is None:
            return ()
        # A file belongs to one tile; a second one that names it would make the tree a circle.
        with self._lock:
            if below in self._are_tops or self._owner.setdefault(below, tile.id) != tile.id:
                self.note(tr("“{name}” is named twice.", name=below))
                return ()
        return tuple(self._tiles(below))

    def content(self, tile: Tile) -> Content | None:
        """Return the triangles of a part, in the CRS of the production."""
        name, part = self._part(tile)
        if part is None or not part.geometries:
            return None
        file = self._read(name)
        assert file is not None
        try:
            return self._placed(mesh_of(part, file.images))
        except BrokenFileError as error:
            self._leave_out(name, error)
            return None

    def _tiles(self, name: str) -> Iterator[Tile]:
        file = self._read(name)
        if file is None:
            return
        for number, (part, box) in enumerate(zip(file.parts, file.boxes, strict=True)):
            if box is None:
                if part.geometries or part.file:
                    self._leave_out(name, ValueError(tr("its box is not finite")))
                continue
            leaf = not part.file or self._below(name, part.file) is None
            yield Tile(
                f"{name}#{number}",
                box,
                0.0 if leaf else part.error,
                has_content=bool(part.geometries),
                is_leaf=leaf,
            )

    def _part(self, tile: Tile) -> tuple[str, Part | None]:
        name, _, number = tile.id.rpartition("#")
        file = self._read(name)
        return name, None if file is None else file.parts[int(number)]

    def _below(self, name: str, file: str) -> str | None:
        """Return the file of the next level inside the folder; none where it is not there."""
        found = file_inside((self._folder / name).parent, file)
        if found is None or not found.resolve().is_relative_to(self._folder):
            return None
        return found.resolve().relative_to(self._folder).as_posix()

    # -- files -------------------------------------------------------------------------------

    def _read(self, name: str) -> _File | None:
        with self._lock:
            if name in self._files:
                self._files.move_to_end(name)
                return self._files[name]
        try:
            file = self._parse(self._folder / name)
        except (OSError, BrokenFileError) as error:
            self._leave_out(name, error)
            file = None
        with self._lock:
            # Two threads may have read it at once; the later one takes the place of the other.
            self._held += _size(file) - _size(self._files.pop(name, None))
            self._files[name] = file
            while self._held > CACHE_BYTES and len(self._files) > 1:
                self._held -= _size(self._files.popitem(last=False)[1])
        return file

    def _parse(self, path: Path) -> _File:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BrokenFileError("it is larger than 1 GiB")
        root, _ = read_tree(path.read_bytes())
        parts = tuple(parts_of(root))
        return _File(parts, tuple(self._box(part) for part in parts), {}, size)

    def _box(self, part: Part) -> Bounds | None:
        """Return the box of a part in the CRS of the production, from its triangles and sphere.

        A sphere reaches far above and below flat land; where there are triangles they say more,
        and what is finer stays near them.
        """
        mesh = mesh_of(part, {}) if part.geometries else None
        if mesh is not None and len(mesh.triangles):
            box = Bounds.of(self._placed(mesh).vertices)
            return box if box is not None and np.abs(box.as_list()).max() < FAR else None
        rough = sphere_box(part)
        if rough is None or not np.abs(rough.as_list()).max() < FAR:
            return None
        corners = np.array([rough.low, rough.high])
        return Bounds.of(place_vertices(corners, self._place, np.zeros(3)))

    def _placed(self, mesh: MeshData) -> MeshData:
        mesh.vertices = place_vertices(mesh.vertices, self._place, np.zeros(3))
        return mesh

    def _leave_out(self, name: str, error: Exception) -> None:
        self.note(tr("“{name}” is left out: {why}.", name=name, why=error))


def _size(file: _File | None) -> int:
    return 0 if file is None else file.size


# -- layers ----------------------------------------------------------------------------------------


def load_osgb(path: Path, context: LoadContext) -> list[Layer]:
    """Read a production from its ``metadata.xml``, or one ``.osgb`` file with all below it.

    A production that came without metadata is read from one of its tiles with the option
    ``whole``; it has no CRS then, and its origin is the option ``offset``.
    """
    place = _placement(path)
    if place.crs is None and place.shift == (0.0, 0.0, 0.0) and place.tangent is None:
        x, y, z = parse_offset(str(context.options.get("offset", "0,0,0"))).tolist()
        place = replace(place, shift=(x, y, z))
    folder = _production(path, bool(context.options.get("whole")))
    if folder is not None:
        files = sorted((folder / "Data").glob("*/*.osgb"))
        tops = [file for file in files if file.stem == file.parent.name]
        if not tops:
            raise InputError(
                tr("“{name}” has no tiles beside it in Data/<tile>/<tile>.osgb.", name=path.name),
                tr("Copy the whole folder of the production."),
            )
        source = OsgbSource(folder / "Data", tops, place)
    else:
        source = OsgbSource(path.parent, [path], place)
    if not source.roots():
        why = source.notes[0] if source.notes else tr("it holds no triangles")
        raise damaged(path, "OSGB", why)
    data = TilesData(source, _counts(path, source, folder, context))
    name = path.stem if folder is None else folder.name
    metadata: dict[str, Any] = {"format": "OSGB", **place.metadata}
    notes = [*place.warnings, *source.notes]
    return [Layer(name, name, LayerKind.TILES, data, place.crs, metadata=metadata, warnings=notes)]


def _production(path: Path, whole: bool) -> Path | None:
    """Return the folder of the production that a file stands for, None for a file of its own."""
    if path.suffix.lower() == ".xml":
        return path.parent
    return path.parents[2] if whole and path.parents[1].name == "Data" else None


def _counts(
    path: Path, source: OsgbSource, folder: Path | None, context: LoadContext
) -> dict[str, int]:
    """Count files of a production; of one file also its own vertices and triangles."""
    if folder is not None:
        return {"tiles": sum(1 for _ in (folder / "Data").glob("*/*.osgb"))}
    counts = {"tiles": sum(1 for _ in path.parent.glob(f"{path.stem}*.osgb"))}
    counts |= {"vertices": 0, "triangles": 0}
    for n, tile in enumerate(source.roots()):
        context.feedback.step(n, len(source.roots()))
        content = source.content(tile)
        if isinstance(content, MeshData):
            counts["vertices"] += len(content.vertices)
            counts["triangles"] += len(content.triangles)
    return counts


def _placement(path: Path) -> Placement:
    """Return where the ``metadata.xml`` of the production puts its tiles.

    It stands beside the folder ``Data``, two folders above a tile's file.
    """
    for folder in (path.parent, *list(path.parents)[1:4]):
        if (folder / "metadata.xml").is_file():
            return placement(folder / "metadata.xml")
    return Placement()
