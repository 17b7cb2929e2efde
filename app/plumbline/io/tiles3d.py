"""3D Tiles 1.0 and 1.1 from a folder, an archive or the local network, trees of every kind.

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
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import numpy as np

from plumbline.core.crs import parse_crs
from plumbline.core.data import Bounds, FloatArray, MeshData, PointCloudData
from plumbline.core.errors import UserError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.tiles import Content, Tile, TilesData, TileSource, join
from plumbline.io.base import damaged, reading
from plumbline.io.registry import LoadContext
from plumbline.io.stores import FolderStore, HttpStore, Store, ZipStore
from plumbline.io.tiles3d_content import read_content, unpacked
from plumbline.io.tiles3d_implicit import Implicit, Subtree, filled, morton, read_subtree

if TYPE_CHECKING:
    from pyproj import CRS

TITLE = "3D Tiles"
#: Tilesets inside tilesets, and tiles inside tiles.
MAX_EXTERNAL, MAX_DEPTH = 32, 200
#: Subtrees and tilesets that are kept.
CACHE = 256
#: What a damaged branch raises.
BROKEN = (
    OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, UserError,
)  # fmt: skip
#: Numbers beyond this are no local plane but the earth, metres.
EARTH = 3_000_000.0


@dataclass(frozen=True)
class _Node:
    """A tile as its tileset states it.

    Attributes
    ----------
    matrix : (4, 4) float64
        From the tile's axes to the tileset's.
    base : str
        Folder in the store that its URIs are relative to.
    implicit, level, place
        How it is divided and where it is in that; None for an explicit tile.
    volume : dict
        Its bounding volume, in its own axes.
    """

    tile: Tile
    body: dict[str, Any]
    matrix: FloatArray
    base: str
    up: str
    depth: int
    chain: tuple[str, ...]
    contents: tuple[str, ...]
    implicit: Implicit | None = None
    level: int = 0
    place: tuple[int, ...] = ()
    volume: dict[str, Any] | None = None


class TilesetSource(TileSource):
    """Tiles of a ``tileset.json``.

    Parameters
    ----------
    store : Store
        Where its files lie.
    name : str
        The tileset in it.
    """

    def __init__(self, store: Store, name: str) -> None:
        super().__init__()
        self.store, self.name = store, name
        self._nodes: dict[str, _Node] = {}
        self._cache: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()
        document = self.document(name)
        first = self._node(document, document["root"], "0", np.eye(4), name, (name,), 0, None)
        self._roots = (first.tile,)

    def roots(self) -> tuple[Tile, ...]:
        """Return the root."""
        return self._roots

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the children that a tile states, those of tilesets that it names, and implicit."""
        node = self._nodes[tile.id]
        try:
            return tuple(child.tile for child in self._children(node))
        except BROKEN as error:
            self._leave_out(node, error)
            return ()

    def content(self, tile: Tile) -> Content | None:
        """Return what is drawn of a tile, in the axes of the tileset."""
        node = self._nodes[tile.id]
        meshes: list[MeshData] = []
        clouds: list[PointCloudData] = []
        for uri in node.contents:
            try:
                name = self.store.resolve(node.base, uri)
                found = self._read(name, node.up)
            except BROKEN as error:
                self._leave_out(node, error, uri)
                continue
            said = self._said(node, uri)
            for element in (e for mesh in found[0] for e in mesh.elements):
                element.id = f"{name}#{element.id}"
                if said:
                    element.properties = {**element.properties, "Tile": said}
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

    def _said(self, node: _Node, uri: str) -> dict[str, Any]:
        """Return the metadata that a tileset states for a tile, its content and its group."""
        if node.implicit is not None:
            return {}
        body = node.body
        contents = [body.get("content"), *(body.get("contents") or ())]
        content = next((c for c in contents if isinstance(c, dict) and uri in c.values()), {})
        groups = self.document(node.chain[-1]).get("groups") or []
        number = content.get("group")
        said: dict[str, Any] = {}
        group = groups[number] if isinstance(number, int) and 0 <= number < len(groups) else None
        for one in (group, body.get("metadata"), content.get("metadata")):
            if isinstance(one, dict) and isinstance(one.get("properties"), dict):
                said |= one["properties"]
        return said

    def _read(self, name: str, up: str) -> tuple[list[MeshData], list[PointCloudData], list[str]]:
        """Return what a file holds; one that does not lie in a folder names others of its store."""
        local = self.store.local(name)
        raw = self.store.read(name)
        if local is not None:
            return read_content(raw, local, up)
        folder = _folder(name)
        return read_content(
            raw,
            Path(PurePosixPath(name).name),
            up,
            fetch=lambda uri: self.store.read(self.store.resolve(folder, uri)),
        )

    # -- nodes -------------------------------------------------------------------------------

    def _node(
        self,
        document: dict[str, Any],
        body: dict[str, Any],
        name: str,
        parent: FloatArray,
        path: str,
        chain: tuple[str, ...],
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
            tile, body, matrix, _folder(path), up, depth, chain, drawn, implicit, 0, place, volume
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
        document = self.document(node.chain[-1])
        path, chain = node.chain[-1], node.chain
        for n, body in enumerate(node.body.get("children") or ()):
            name = f"{node.tile.id}/{n}"
            try:
                yield self._node(
                    document, body, name, node.matrix, path, chain, node.depth + 1, node
                )
            except BROKEN as error:
                self._leave_out(node, error, name)
        for uri in filter(_is_tileset, _uris(node.body)):
            try:
                yield from self._outer(node, uri)
            except BROKEN as error:
                self._leave_out(node, error, uri)

    def _outer(self, node: _Node, uri: str) -> Iterator[_Node]:
        """Yield the root of a tileset that a tile names."""
        outer = self.store.resolve(node.base, uri)
        if outer in node.chain or len(node.chain) > MAX_EXTERNAL:
            self.note(tr("“{name}” refers to itself.", name=outer))
            return
        inner, chain = self.document(outer), (*node.chain, outer)
        name = f"{node.tile.id}/{outer}"
        yield self._node(
            inner, inner["root"], name, node.matrix, outer, chain, node.depth + 1, node
        )

    # -- implicit trees ------------------------------------------------------------------------

    def _implicit_root(self, node: _Node) -> _Node:
        """Give the root of an implicit tree its content, if its subtree says that it has one."""
        try:
            return self._with_content(node, self._subtree(node, 0, node.place), 0)
        except BROKEN as error:
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
        path = self.store.resolve(node.base, filled(tiling.subtrees, level, place))
        with self._lock:
            if path in self._cache:
                self._cache.move_to_end(path)
                known: Subtree = self._cache[path]
                return known
        with reading(Path(path), TITLE):
            subtree = read_subtree(unpacked(self.store.read(path)), tiling)
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

    def document(self, name: str) -> dict[str, Any]:
        """Return a tileset as it is stated."""
        with self._lock:
            if name in self._cache:
                self._cache.move_to_end(name)
                known: dict[str, Any] = self._cache[name]
                return known
        with reading(Path(name), TITLE):
            document = json.loads(unpacked(self.store.read(name)).decode("utf-8-sig"))
            if not isinstance(document, dict) or not isinstance(document.get("root"), dict):
                raise ValueError(tr("it holds no tree of tiles"))
        self._keep(name, document)
        return document

    def _keep(self, path: str, what: Any) -> None:
        with self._lock:
            self._cache[path] = what
            while len(self._cache) > CACHE:
                self._cache.popitem(last=False)

    def _leave_out(self, node: _Node, error: Exception, uri: str = "") -> None:
        name = uri or (node.contents[0] if node.contents else node.tile.id)
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        self.note(tr("“{name}” is left out: {why}.", name=name[-120:], why=why.rstrip(".")))


# -- small parts -----------------------------------------------------------------------------------


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.as_posix().removeprefix(".").removeprefix("/")


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
    if box is None or not np.abs(box.as_list()).max() < 1e9:
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
    name = path.parent.name if path.name == "tileset.json" else path.stem
    return [tileset_layer(path, FolderStore(path.parent), path.name, name, context)]


def load_archive(path: Path, context: LoadContext) -> list[Layer]:
    """Read the tileset in an archive (``.3tz``, ``.zip``) as one layer of tiles."""
    with reading(path, TITLE):
        store = ZipStore(path)
        sets = [name for name in store.names if name.split("/")[-1].lower() == "tileset.json"]
        if not sets:
            raise ValueError(tr("it holds no tree of tiles"))
    # The outermost one names the others.
    entrance = min(sets, key=lambda name: (name.count("/"), name))
    return [tileset_layer(path, store, entrance, path.stem, context)]


def tileset_of_address(path: Path, url: str, context: LoadContext) -> list[Layer]:
    """Read a tileset at an address on the local network as one layer of tiles."""
    name = PurePosixPath(urlsplit(url).path).name or "tileset.json"
    return [tileset_layer(path, HttpStore(url), unquote(name), path.stem, context)]


def tileset_layer(
    path: Path, store: Store, entrance: str, name: str, context: LoadContext
) -> Layer:
    """Return the layer of a tileset in a store.

    Raises
    ------
    InputError
        If it cannot be read, or holds no tiles.
    """
    with reading(path, TITLE):
        source = TilesetSource(store, entrance)
        document = source.document(entrance)
    (root,) = source.roots()
    stated = document.get("asset")
    version = str(stated.get("version", "")) if isinstance(stated, dict) else ""
    metadata: dict[str, Any] = {"format": TITLE, "version": version}
    crs, warnings = _stated_crs(stated, metadata)
    if crs is None and "plumbline" not in _extras(stated) and _geocentric(document, root):
        crs = parse_crs("EPSG:4978")
        metadata["crs_source"] = tr("3D Tiles are geocentric")
    counts = {"tiles": sum(1 for _ in _listed(source, root, context))}
    if counts["tiles"] == 0:
        raise damaged(path, TITLE, source.notes[0] if source.notes else _no_tiles())
    data = TilesData(source, counts)
    notes = [*source.notes, *warnings]
    return Layer(name, name, LayerKind.TILES, data, crs, metadata=metadata, warnings=notes)


def _geocentric(document: dict[str, Any], root: Tile) -> bool:
    """Tell whether the axes of a tileset are the earth's."""
    region = "region" in (document["root"].get("boundingVolume") or {})
    return region or float(np.abs(root.bounds.as_list()).max()) > EARTH


def _extras(asset: Any) -> dict[str, Any]:
    extras = asset.get("extras") if isinstance(asset, dict) else None
    return extras if isinstance(extras, dict) else {}


def _stated_crs(asset: Any, metadata: dict[str, Any]) -> tuple[CRS | None, list[str]]:
    """Return the CRS that `plumbline tile` wrote into a tileset, and what is wrong with it."""
    ours = _extras(asset).get("plumbline")
    text = ours.get("crs") if isinstance(ours, dict) else None
    if not isinstance(text, str):
        return None, []
    try:
        crs = parse_crs(text)
    except UserError:
        return None, [tr("Its CRS cannot be understood: {text}.", text=text[:80])]
    metadata["crs_source"] = "tileset"
    return crs, []


def _no_tiles() -> str:
    return tr("it holds no tree of tiles")


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
