"""3D Tiles 1.0 and 1.1 from a folder: explicit, external and implicit trees.

Every coordinate is brought into the axes of the tileset in float64. Where those are the earth's
(a region, or numbers of the size of the earth's radius), the CRS is geocentric WGS 84, EPSG:4978;
otherwise the tileset does not say where it is.

Facts of the format: OGC 22-025r4, *3D Tiles Specification 1.1*.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np

from plumbline.core.crs import parse_crs
from plumbline.core.data import Bounds, FloatArray, MeshData, PointCloudData
from plumbline.core.errors import UserError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.tiles import Content, Tile, TilesData, TileSource, join
from plumbline.io.base import damaged, reading
from plumbline.io.registry import LoadContext
from plumbline.io.tiles3d_content import MAX_BYTES, read_content, unpacked
from plumbline.io.tiles3d_implicit import Implicit, Subtree, filled, morton, read_subtree

TITLE = "3D Tiles"
#: Tilesets inside tilesets, and tiles inside tiles.
MAX_EXTERNAL, MAX_DEPTH = 32, 200
#: Subtrees and tilesets that are kept.
CACHE = 256
#: Numbers beyond this are no local plane but the earth, metres.
EARTH = 3_000_000.0


@dataclass(frozen=True)
class _Node:
    """A tile as its tileset states it.

    Attributes
    ----------
    matrix : (4, 4) float64
        From the tile's axes to the tileset's.
    base : Path
        Folder that its URIs are relative to.
    implicit, level, place
        How it is divided and where it is in that; None for an explicit tile.
    volume : dict
        Its bounding volume, in its own axes.
    """

    tile: Tile
    body: dict[str, Any]
    matrix: FloatArray
    base: Path
    up: str
    depth: int
    chain: tuple[Path, ...]
    contents: tuple[str, ...]
    implicit: Implicit | None = None
    level: int = 0
    place: tuple[int, ...] = ()
    volume: dict[str, Any] | None = None


class TilesetSource(TileSource):
    """Tiles of a ``tileset.json``."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.root = path.parent.resolve()
        self._nodes: dict[str, _Node] = {}
        self._cache: OrderedDict[Path, Any] = OrderedDict()
        self._lock = threading.Lock()
        document = self._document(path)
        first = self._node(document, document["root"], "0", np.eye(4), path, (path,), 0, None)
        self._roots = (first.tile,)

    def roots(self) -> tuple[Tile, ...]:
        """Return the root."""
        return self._roots

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the children that a tile states, those of tilesets that it names, and implicit."""
        node = self._nodes[tile.id]
        try:
            return tuple(child.tile for child in self._children(node))
        except (OSError, ValueError, KeyError, TypeError, UserError) as error:
            self._leave_out(node, error)
            return ()

    def content(self, tile: Tile) -> Content | None:
        """Return what is drawn of a tile, in the axes of the tileset."""
        node = self._nodes[tile.id]
        meshes: list[MeshData] = []
        clouds: list[PointCloudData] = []
        for uri in node.contents:
            try:
                path = self._inside(node.base, uri)
                found = read_content(self._bytes(path), path, node.up)
            except (OSError, ValueError, KeyError, TypeError, IndexError, UserError) as error:
                self._leave_out(node, error, uri)
                continue
            for mesh in found[0]:
                for element in mesh.elements:
                    element.id = f"{path.relative_to(self.root).as_posix()}#{element.id}"
            meshes += found[0]
            clouds += found[1]
            for text in found[2]:
                self.note(text)
        for mesh in meshes:
            mesh.vertices = _through(node.matrix, mesh.vertices)
        for cloud in clouds:
            cloud.points = _through(node.matrix, cloud.points)
        if meshes:
            return meshes[0] if len(meshes) == 1 else join(meshes)
        return clouds[0] if clouds else None

    # -- nodes -------------------------------------------------------------------------------

    def _node(
        self,
        document: dict[str, Any],
        body: dict[str, Any],
        name: str,
        parent: FloatArray,
        path: Path,
        chain: tuple[Path, ...],
        depth: int,
        inherited: _Node | None,
    ) -> _Node:
        """Return the node of a stated tile."""
        matrix = parent @ _matrix(body.get("transform"))
        uris = tuple(str(uri) for uri in _uris(body))
        implicit = None
        if "implicitTiling" in body:
            implicit = Implicit.of(body["implicitTiling"], uris[0] if uris else "")
        outer = tuple(uri for uri in uris if _is_tileset(uri))
        drawn = () if implicit else tuple(uri for uri in uris if not _is_tileset(uri))
        volume = body.get("boundingVolume") or {}
        bounds = _bounds(volume, matrix)
        refine = str(body.get("refine", "")).lower()
        if refine not in ("add", "replace"):
            refine = inherited.tile.refine if inherited is not None else "replace"
        error = _error(body.get("geometricError"))
        below = bool(body.get("children") or outer or implicit)
        tile = Tile(
            name,
            bounds,
            error if below else 0.0,
            _refine(refine),
            has_content=bool(drawn),
            is_leaf=not below,
        )
        up = str(document.get("asset", {}).get("gltfUpAxis", "y")).lower()
        place = () if implicit is None else (0,) * (2 if implicit.branches == 4 else 3)
        node = _Node(
            tile, body, matrix, path.parent, up, depth, chain, drawn, implicit, 0, place, volume
        )
        if implicit is not None:
            node = self._implicit_root(node)
        self._nodes[name] = node
        return node

    def _children(self, node: _Node) -> Iterator[_Node]:
        if node.depth > MAX_DEPTH:
            raise ValueError(tr("its tiles are nested too deep"))
        if node.implicit is not None:
            yield from self._implicit_children(node)
            return
        document = self._document(node.chain[-1])
        path, chain = node.chain[-1], node.chain
        for n, body in enumerate(node.body.get("children") or ()):
            name = f"{node.tile.id}/{n}"
            yield self._node(document, body, name, node.matrix, path, chain, node.depth + 1, node)
        for uri in filter(_is_tileset, _uris(node.body)):
            outer = self._inside(node.base, str(uri))
            if outer in chain or len(chain) > MAX_EXTERNAL:
                self.note(tr("“{name}” refers to itself.", name=outer.name))
                continue
            inner = self._document(outer)
            name = f"{node.tile.id}/{outer.relative_to(self.root).as_posix()}"
            yield self._node(
                inner, inner["root"], name, node.matrix, outer, (*chain, outer), node.depth + 1,
                node,
            )  # fmt: skip

    # -- implicit trees ------------------------------------------------------------------------

    def _implicit_root(self, node: _Node) -> _Node:
        """Give the root of an implicit tree its content, if its subtree says that it has one."""
        try:
            return self._with_content(node, self._subtree(node, 0, node.place), 0)
        except (OSError, ValueError, KeyError, TypeError, UserError) as error:
            self._leave_out(node, error)
            return node

    def _with_content(self, node: _Node, subtree: Subtree, index: int) -> _Node:
        tiling = node.implicit
        assert tiling is not None
        level = node.level
        held = bool(subtree.contents[index]) and bool(tiling.contents)
        uris = (filled(tiling.contents, level, node.place),) if held else ()
        return replace(node, tile=replace(node.tile, has_content=held), contents=uris)

    def _subtree(self, node: _Node, level: int, place: tuple[int, ...]) -> Subtree:
        tiling = node.implicit
        assert tiling is not None
        path = self._inside(node.base, filled(tiling.subtrees, level, place))
        with self._lock:
            if path in self._cache:
                self._cache.move_to_end(path)
                known: Subtree = self._cache[path]
                return known
        with reading(path, TITLE):
            subtree = read_subtree(unpacked(self._bytes(path)), tiling)
        self._keep(path, subtree)
        return subtree

    def _implicit_children(self, node: _Node) -> Iterator[_Node]:
        tiling = node.implicit
        assert tiling is not None
        level = node.level + 1
        if level >= tiling.levels:
            return
        height = tiling.subtree_levels
        root_level = (level // height) * height
        dimensions = len(node.place)
        for n in range(tiling.branches):
            step = tuple(n >> axis & 1 for axis in range(dimensions))
            place = tuple(2 * p + s for p, s in zip(node.place, step, strict=True))
            deeper = level - root_level
            above = tuple(p >> deeper for p in place)
            inside = tuple(p - (a << deeper) for p, a in zip(place, above, strict=True))
            if deeper == 0 and not self._hangs_below(node, place):
                continue
            subtree = self._subtree(node, root_level, above)
            before = sum(tiling.branches**k for k in range(deeper))
            index = before + morton(inside)
            if subtree.tiles[index]:
                yield self._implicit_node(node, level, n, place, step, subtree, index)

    def _hangs_below(self, node: _Node, place: tuple[int, ...]) -> bool:
        """Tell whether a subtree hangs at a place, as the subtree above it says."""
        tiling = node.implicit
        assert tiling is not None
        height = tiling.subtree_levels
        above = tuple(p >> height for p in place)
        root_level = node.level + 1 - height
        inside = tuple(p - (a << height) for p, a in zip(place, above, strict=True))
        return bool(self._subtree(node, root_level, above).children[morton(inside)])

    def _implicit_node(
        self,
        parent: _Node,
        level: int,
        number: int,
        place: tuple[int, ...],
        step: tuple[int, ...],
        subtree: Subtree,
        index: int,
    ) -> _Node:
        tiling = parent.implicit
        assert tiling is not None
        volume = _part(parent.volume or {}, step)
        error = _error(parent.body.get("geometricError")) / 2**level
        leaf = level + 1 >= tiling.levels
        tile = replace(
            parent.tile,
            id=f"{parent.tile.id}/{number}",
            bounds=_bounds(volume, parent.matrix),
            error=0.0 if leaf else error,
            is_leaf=leaf,
        )
        node = replace(
            parent, tile=tile, level=level, place=place, volume=volume, depth=parent.depth + 1
        )
        node = self._with_content(node, subtree, index)
        self._nodes[tile.id] = node
        return node

    # -- files ---------------------------------------------------------------------------------

    def _inside(self, base: Path, uri: str) -> Path:
        """Return the file that a URI names; it must lie in the folder of the tileset."""
        name = unquote(uri.partition("?")[0].partition("#")[0])
        if "://" in name or name.startswith(("/", "\\")) or ":" in name[:2]:
            raise ValueError(tr("“{name}” is not in the folder of the tileset", name=name[-80:]))
        path = (base / name.replace("\\", "/")).resolve()
        if not path.is_relative_to(self.root):
            raise ValueError(tr("“{name}” is not in the folder of the tileset", name=name[-80:]))
        return path

    def _bytes(self, path: Path) -> bytes:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(tr("it is larger than 1 GiB"))
        return path.read_bytes()

    def _document(self, path: Path) -> dict[str, Any]:
        with self._lock:
            if path in self._cache:
                self._cache.move_to_end(path)
                known: dict[str, Any] = self._cache[path]
                return known
        with reading(path, TITLE):
            document = json.loads(unpacked(self._bytes(path)).decode("utf-8-sig"))
            if not isinstance(document, dict) or not isinstance(document.get("root"), dict):
                raise ValueError(tr("it holds no tree of tiles"))
        self._keep(path, document)
        return document

    def _keep(self, path: Path, what: Any) -> None:
        with self._lock:
            self._cache[path] = what
            while len(self._cache) > CACHE:
                self._cache.popitem(last=False)

    def _leave_out(self, node: _Node, error: Exception, uri: str = "") -> None:
        name = uri or (node.contents[0] if node.contents else node.tile.id)
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        self.note(tr("“{name}” is left out: {why}.", name=name[-120:], why=why.rstrip(".")))


# -- small parts -----------------------------------------------------------------------------------


def _uris(body: dict[str, Any]) -> Iterator[str]:
    for content in (body.get("content"), *(body.get("contents") or ())):
        if isinstance(content, dict):
            uri = content.get("uri", content.get("url"))
            if isinstance(uri, str):
                yield uri


def _is_tileset(uri: str) -> bool:
    return uri.partition("?")[0].lower().endswith(".json")


def _refine(text: str) -> Literal["add", "replace"]:
    return "add" if text == "add" else "replace"


def _error(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value < 1e9 else 0.0


def _matrix(values: Any) -> FloatArray:
    if values is None:
        return np.eye(4)
    matrix = np.array(values, dtype=np.float64)
    if matrix.shape != (16,) or not np.isfinite(matrix).all():
        raise ValueError(tr("its structure is damaged"))
    return matrix.reshape(4, 4).T


def _through(matrix: FloatArray, points: FloatArray) -> FloatArray:
    moved: FloatArray = points @ matrix[:3, :3].T + matrix[:3, 3]
    return moved


def _bounds(volume: dict[str, Any], matrix: FloatArray) -> Bounds:
    """Return the box of a bounding volume in the axes of the tileset."""
    if "region" in volume:
        corners = _region(np.array(volume["region"], dtype=np.float64))
    elif "sphere" in volume:
        x, y, z, r = (float(v) for v in volume["sphere"])
        signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
        scale = float(np.cbrt(abs(np.linalg.det(matrix[:3, :3]))))
        center = _through(matrix, np.array([[x, y, z]]))
        corners = center + signs * abs(r) * scale
    else:
        numbers = np.array(volume.get("box", ()), dtype=np.float64)
        if numbers.shape != (12,):
            raise ValueError(tr("its structure is damaged"))
        axes = numbers[3:].reshape(3, 3)
        signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
        corners = _through(matrix, numbers[:3] + signs @ axes)
    box = Bounds.of(corners)
    if box is None or not np.isfinite(box.as_list()).all() or box.diagonal > 1e9:
        raise ValueError(tr("its box is not finite"))
    return box


def _region(region: FloatArray) -> FloatArray:
    """Return points of the earth's surface that span a region (radians, metres), EPSG:4978."""
    if region.shape != (6,) or not np.isfinite(region).all():
        raise ValueError(tr("its structure is damaged"))
    west, south, east, north, low, high = region
    lon, lat, height = np.meshgrid(
        np.linspace(west, east, 5), np.linspace(south, north, 5), [low, high]
    )
    # The ellipsoid of WGS 84: NIMA TR8350.2, table 3.1.
    a, f = 6_378_137.0, 1 / 298.257223563
    e2 = f * (2 - f)
    n = a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    x = (n + height) * np.cos(lat) * np.cos(lon)
    y = (n + height) * np.cos(lat) * np.sin(lon)
    z = (n * (1 - e2) + height) * np.sin(lat)
    return np.column_stack([x.ravel(), y.ravel(), z.ravel()])


def _part(volume: dict[str, Any], step: tuple[int, ...]) -> dict[str, Any]:
    """Return the volume of a child of an implicit tile; a quadtree keeps the heights."""
    if "box" in volume:
        numbers = np.array(volume["box"], dtype=np.float64)
        center, axes = numbers[:3].copy(), numbers[3:].reshape(3, 3).copy()
        for axis, side in enumerate(step):
            axes[axis] /= 2
            center += axes[axis] * (1 if side else -1)
        return {"box": [*center.tolist(), *axes.ravel().tolist()]}
    if "region" in volume:
        region = [float(v) for v in volume["region"]]
        pairs = ((0, 2), (1, 3), (4, 5))
        for (low, high), side in zip(pairs, step, strict=False):
            middle = (region[low] + region[high]) / 2
            region[low if side else high] = middle
        return {"region": region}
    raise ValueError(tr("its structure is damaged"))


# -- layers ----------------------------------------------------------------------------------------


def load_tileset(path: Path, context: LoadContext) -> list[Layer]:
    """Read a ``tileset.json`` as one layer of tiles."""
    with reading(path, TITLE):
        source = TilesetSource(path)
    (root,) = source.roots()
    version = str(source._document(path).get("asset", {}).get("version", ""))
    earth = "region" in (source._document(path)["root"].get("boundingVolume") or {})
    earth = earth or float(np.abs(root.bounds.as_list()).max()) > EARTH
    counts = {"tiles": sum(1 for _ in _listed(source, root, context))}
    content = [n for n in source.notes if n]
    if counts["tiles"] == 0:
        raise damaged(path, TITLE, content[0] if content else tr("it holds no tree of tiles"))
    metadata: dict[str, Any] = {"format": TITLE, "version": version}
    if earth:
        metadata["crs_source"] = tr("3D Tiles are geocentric")
    name = path.parent.name if path.name == "tileset.json" else path.stem
    return [
        Layer(
            name,
            name,
            LayerKind.TILES,
            TilesData(source, counts),
            parse_crs("EPSG:4978") if earth else None,
            metadata=metadata,
            warnings=list(source.notes),
        )
    ]


#: Tiles that are counted; larger trees are told as they are met.
MAX_COUNTED = 20_000


def _listed(source: TilesetSource, root: Tile, context: LoadContext) -> Iterator[Tile]:
    """Yield the tiles with content, up to a limit."""
    stack, seen = [root], 0
    while stack and seen < MAX_COUNTED:
        context.feedback.check()
        tile = stack.pop()
        seen += 1
        if tile.has_content:
            yield tile
        if not tile.is_leaf:
            stack += source.children(tile)
