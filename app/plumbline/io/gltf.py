"""glTF 2.0 and GLB: node transforms in float64, embedded textures, nodes as elements.

Read without a library, because those that exist apply transforms in float32 or drop node names.
The file is y up; `plumbline.io.mesh` turns it z up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import (
    AnyArray,
    Element,
    FloatArray,
    IntArray,
    Material,
    MeshData,
    PointCloudData,
    Texture,
)
from plumbline.core.errors import InputError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io import gltf_draco
from plumbline.io.base import damaged, mislabelled, reading
from plumbline.io.gltf_buffers import MAX_BYTES, Buffers, plain_numbers, whole
from plumbline.io.gltf_features import PropertyTable, chosen_ids, feature_ids
from plumbline.io.images import image_problem
from plumbline.io.mesh import mesh_layer
from plumbline.io.registry import LoadContext

TITLE = "glTF"
MAX_TRIANGLES = 200_000_000
#: Compressions without a decoder here, and what to do about each.
COMPRESSED = ("EXT_meshopt_compression",)
DRACO, INSTANCES = "KHR_draco_mesh_compression", "EXT_mesh_gpu_instancing"
#: Copies of one model that a node may place.
MAX_INSTANCES = 100_000
#: Attributes that name a feature, the best first.
_NAMES = ("名称", "name", "Name", "NAME", "id", "ID")
#: Required extensions that change nothing that is read here, or that are read.
UNDERSTOOD = (
    "KHR_materials_", "KHR_texture_transform", "KHR_mesh_quantization", "EXT_texture_webp",
    "KHR_lights_punctual", "EXT_mesh_features", "EXT_structural_metadata", "CESIUM_RTC",
    "CESIUM_primitive_outline", "EXT_instance_features", DRACO, INSTANCES,
)  # fmt: skip


def load_gltf(path: Path, context: LoadContext) -> list[Layer]:
    """Read a glTF or GLB file into one mesh layer, an element for each node with a mesh.

    Raises
    ------
    InputError
        If the file is no glTF 2.0, is damaged, or compressed in a way that cannot be decoded.
    """
    context.feedback.step(0, 1, tr("Reading {name}", name=path.name))
    with reading(path, TITLE):
        document, binary = _parse(path)
        _refuse_unreadable(path, document)
        reader = _Reader(path, document, binary)
        data = reader.mesh(context.feedback)
        if len(data.triangles) == 0:
            raise ValueError(tr("it holds no triangles"))
    metadata = {
        "generator": str(document.get("asset", {}).get("generator", "")),
        "materials": len(data.materials),
        "textures": sum(m.texture is not None for m in data.materials),
    }
    return [
        mesh_layer(
            path,
            data,
            context,
            title="GLB" if path.suffix.lower() == ".glb" else TITLE,
            up="y",
            metadata=metadata,
            warnings=reader.warnings,
        )
    ]


def read_gltf(
    raw: bytes, path: Path, fetch: Callable[[str], bytes] | None = None
) -> tuple[MeshData | None, list[PointCloudData], list[str]]:
    """Return the triangles of a glTF in memory, its points, and what was left out.

    Both are in its own axes (y up). Rows of its property tables are elements; where it has none,
    numbers of batches (``_BATCHID``, ``_FEATURE_ID_0``) are the scalar ``batch`` of the mesh.

    Parameters
    ----------
    path : Path
        File that it came out of; other files are looked for in its folder only.
    fetch : callable, optional
        Returns the bytes of a file that it names, where they do not lie in a folder.

    Raises
    ------
    InputError
        As `load_gltf`.
    """
    with reading(path, TITLE):
        document, binary = _document(path, raw)
        _refuse_unreadable(path, document)
        reader = _Reader(path, document, binary, fetch)
        mesh = reader.mesh(Feedback())
        return (mesh if len(mesh.triangles) else None), reader.clouds, reader.warnings


def _parse(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the JSON document and the binary chunk of a GLB."""
    if path.stat().st_size > MAX_BYTES:
        raise damaged(path, TITLE, tr("it is larger than glTF can be"))
    return _document(path, path.read_bytes())


def _document(path: Path, raw: bytes) -> tuple[dict[str, Any], bytes]:
    text, binary = raw, b""
    if raw.startswith(b"glTF"):
        version, length = (int.from_bytes(raw[at : at + 4], "little") for at in (4, 8))
        if version != 2:
            raise damaged(path, TITLE, tr("it is version {n}, only 2 can be read", n=version))
        if len(raw) < length:
            raise damaged(path, TITLE, tr("it is cut off"))
        chunks = dict(_chunks(raw[:length]))
        text, binary = chunks.get(b"JSON", b""), chunks.get(b"BIN\0", b"")
    elif raw.lstrip()[:1] != b"{" and not raw.startswith(b"\xef\xbb\xbf"):
        raise mislabelled(path, TITLE)
    document = json.loads(text.decode("utf-8-sig"))
    if not isinstance(document, dict) or "asset" not in document:
        raise mislabelled(path, TITLE)
    return document, binary


def _chunks(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(raw):
        length = int.from_bytes(raw[at : at + 4], "little")
        if at + 8 + length > len(raw):
            raise ValueError(tr("it is cut off"))
        yield raw[at + 4 : at + 8], raw[at + 8 : at + 8 + length]
        at += 8 + length


def _refuse_unreadable(path: Path, document: dict[str, Any]) -> None:
    version = str(document["asset"].get("version", ""))
    if not version.startswith("2."):
        raise damaged(path, TITLE, tr("it is version {n}, only 2 can be read", n=version[:10]))
    for name in document.get("extensionsRequired", []):
        if name in COMPRESSED:
            raise InputError(
                tr("“{name}” is compressed with {extension}, which cannot be decoded here.",
                   name=path.name, extension=name),
                tr("Export it without compression, e.g. with gltf-transform or gltfpack."),
            )  # fmt: skip
        if not str(name).startswith(UNDERSTOOD) and name != "KHR_texture_basisu":
            raise InputError(
                tr("“{name}” needs the extension {extension}, which cannot be read here.",
                   name=path.name, extension=str(name)[:60]),
                tr("Export it without that extension."),
            )  # fmt: skip


@dataclass
class _Parts:
    """Arrays of all primitives, to be joined."""

    points: list[FloatArray] = field(default_factory=list)
    triangles: list[IntArray] = field(default_factory=list)
    uvs: list[AnyArray | None] = field(default_factory=list)
    colors: list[AnyArray | None] = field(default_factory=list)
    materials: list[int] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    batches: list[AnyArray | None] = field(default_factory=list)
    #: Property table and feature of each triangle, where a primitive has features.
    features: list[tuple[int, IntArray] | None] = field(default_factory=list)
    #: Triangles so far.
    count: int = 0


class _Reader(Buffers):
    """Reads one document."""

    def __init__(
        self,
        path: Path,
        document: dict[str, Any],
        binary: bytes,
        fetch: Callable[[str], bytes] | None = None,
    ) -> None:
        super().__init__(path, document, binary, fetch)
        self.warnings: list[str] = []
        self.clouds: list[PointCloudData] = []
        self._skipped = 0

    def mesh(self, feedback: Feedback) -> MeshData:
        """Return all triangles of the scene, in the scene's axes (y up), float64."""
        parts, elements = _Parts(), list[Element]()
        names: dict[str, int] = {}
        corners = 0
        nodes = list(self._nodes())
        for n, (index, node, matrix) in enumerate(nodes):
            feedback.step(n, len(nodes))
            mesh = self.document["meshes"][whole(node["mesh"])]
            name = str(node.get("name") or mesh.get("name") or f"node {index}")
            names[name] = names.get(name, 0) + 1
            unique = name if names[name] == 1 else f"{name} #{names[name]}"
            for place, more in self._copies(node):
                own = f"{unique} [{len(elements)}]" if more is not None else unique
                properties = _extras(node, mesh) | (more or {})
                elements.append(Element(own, name=name, properties=properties))
                for primitive in mesh["primitives"]:
                    owner = len(elements) - 1
                    corners += self._primitive(primitive, matrix @ place, owner, corners, parts)
                    if max(corners, parts.count) > MAX_TRIANGLES:
                        raise ValueError(
                            tr("it unfolds to more than {n} triangles", n=MAX_TRIANGLES)
                        )
        if self._skipped:
            self.warnings.append(
                tr("{n} parts are points or lines, or hold nothing; they were left out.",
                   n=self._skipped)
            )  # fmt: skip
        if parts.points:
            return self._joined(parts, elements)
        if not self.clouds:
            raise ValueError(tr("it holds no triangles"))
        return MeshData(np.zeros((0, 3)), np.zeros((0, 3), np.int64))

    def _copies(
        self, node: dict[str, Any]
    ) -> Iterator[tuple[FloatArray, dict[str, dict[str, Any]] | None]]:
        """Yield the matrix ``(4, 4)`` of each copy of a node's mesh, and what is said of it."""
        extensions = node.get("extensions", {})
        placed = dict(extensions.get(INSTANCES, {}).get("attributes") or {})
        if not placed:
            yield np.eye(4), None
            return
        columns = {
            name.lower(): self.accessor(number)
            for name, number in placed.items()
            if name in ("TRANSLATION", "ROTATION", "SCALE")
        }
        count = min(map(len, columns.values()), default=0)
        if count > MAX_INSTANCES:
            raise ValueError(tr("it places its model {n} times", n=count))
        known = extensions.get("EXT_instance_features", {}).get("featureIds", ())
        rows = self._rows_of_copies(chosen_ids(known), placed, count)
        for n in range(count):
            yield _matrix({name: values[n] for name, values in columns.items()}), rows[n]

    def _rows_of_copies(
        self, described: dict[str, Any] | None, placed: dict[str, Any], count: int
    ) -> list[dict[str, dict[str, Any]]]:
        if described is None or "propertyTable" not in described:
            return [{} for _ in range(count)]
        order = np.repeat(np.arange(count), 3).reshape(-1, 3)
        ids = feature_ids(
            described,
            order,
            lambda n: self.accessor(placed[f"_FEATURE_ID_{n}"])[:, 0],
            lambda _: np.full(count, -1),
        )
        rows = self._rows(int(described["propertyTable"]), np.maximum(ids, 0))
        return [
            {"Attributes": row} if number >= 0 else {}
            for row, number in zip(rows, ids.tolist(), strict=True)
        ]

    def _rows(self, number: int, ids: IntArray) -> list[dict[str, Any]]:
        """Return rows of a property table; what cannot be read of it is told once."""
        stated = self.document.get("extensions", {}).get("EXT_structural_metadata", {})
        tables = stated.get("propertyTables") or ()
        if not 0 <= number < len(tables):
            return [{} for _ in ids]
        table = PropertyTable(tables[number], self._schema(stated), lambda n: self.view_bytes(n)[0])
        rows, broken = table.rows(np.minimum(ids, max(0, table.count - 1)))
        for name in broken:
            text = tr("The attribute “{name}” was left out: its structure is damaged.", name=name)
            if text not in self.warnings:
                self.warnings.append(text)
        return rows

    def _schema(self, stated: dict[str, Any]) -> dict[str, Any]:
        if isinstance(stated.get("schema"), dict):
            return dict(stated["schema"])
        raw = self.resource(str(stated.get("schemaUri", "")))
        found = json.loads(raw) if raw else {}
        return found if isinstance(found, dict) else {}

    def _joined(self, parts: _Parts, elements: list[Element]) -> MeshData:
        sizes = [len(points) for points in parts.points]
        lengths = [len(triangles) for triangles in parts.triangles]
        data = MeshData(np.concatenate(parts.points), np.concatenate(parts.triangles))
        data.uv = _padded(parts.uvs, sizes, 0.0, np.float32, 2)
        data.colors = _padded(parts.colors, sizes, 255, np.uint8, 4)
        data.materials = self._materials()
        used = np.repeat(np.array(parts.materials, np.int32), lengths)
        if (used < 0).any():
            used[used < 0] = len(data.materials)
            data.materials.append(Material("default"))
        data.material_index = used
        data.elements = elements
        data.element_index = np.repeat(np.array(parts.owners, np.int32), lengths)
        if any(feature is not None for feature in parts.features):
            self._by_feature(data, parts, lengths)
            return data
        batches = _padded(parts.batches, lengths, np.nan, np.float64, 1)
        if batches is not None:
            data.scalars["batch"] = batches[:, 0]
        return data

    def _by_feature(self, data: MeshData, parts: _Parts, lengths: list[int]) -> None:
        """Give each feature an element of its own; triangles without keep that of their node."""
        tables = np.repeat([-1 if f is None else f[0] for f in parts.features], lengths)
        numbers = np.concatenate(
            [
                np.full(length, -1) if f is None else f[1]
                for f, length in zip(parts.features, lengths, strict=True)
            ]
        )
        assert data.element_index is not None
        nodes = data.elements
        data.elements = []
        index = np.full(len(numbers), -1, np.int32)
        for table in np.unique(tables[numbers >= 0]).tolist():
            mine = (tables == table) & (numbers >= 0)
            ids, back = np.unique(numbers[mine], return_inverse=True)
            index[mine] = len(data.elements) + back
            for number, row in zip(ids.tolist(), self._rows(table, ids), strict=True):
                name = next((str(row[k]) for k in _NAMES if row.get(k) not in (None, "")), "")
                data.elements.append(
                    Element(f"{table}.{number}", name=name, properties={"Attributes": row})
                )
        plain = index < 0
        used, back = np.unique(data.element_index[plain], return_inverse=True)
        index[plain] = len(data.elements) + back
        data.elements += [nodes[n] for n in used.tolist()]
        data.element_index = index

    def _nodes(self) -> Iterator[tuple[int, dict[str, Any], FloatArray]]:
        """Yield number, node and world matrix ``(4, 4)`` of every node with a mesh."""
        nodes = self.document.get("nodes", [])
        scenes = self.document.get("scenes", [])
        if scenes:
            roots = scenes[whole(self.document.get("scene", 0))].get("nodes", [])
        else:
            children = {child for node in nodes for child in node.get("children", [])}
            roots = [n for n in range(len(nodes)) if n not in children]
        root = np.eye(4)
        rtc = self.document.get("extensions", {}).get("CESIUM_RTC", {}).get("center")
        if rtc is not None:
            root[:3, 3] = rtc
        stack = [(whole(n), root) for n in reversed(roots)]
        seen: set[int] = set()
        while stack:
            n, parent = stack.pop()
            if n in seen:
                raise ValueError(tr("its nodes do not form a tree"))
            seen.add(n)
            node = nodes[n]
            world = parent @ _matrix(node)
            if "mesh" in node:
                yield n, node, world
            stack += [(whole(child), world) for child in reversed(node.get("children", []))]

    def _primitive(
        self, primitive: dict[str, Any], matrix: FloatArray, owner: int, first: int, parts: _Parts
    ) -> int:
        """Add one primitive; return how many vertices it added."""
        attributes = primitive.get("attributes", {})
        mode = primitive.get("mode", 4)
        if any(name in primitive.get("extensions", {}) for name in COMPRESSED):
            raise ValueError(tr("it is compressed in a way that cannot be decoded here"))
        if mode not in (0, 4, 5, 6) or "POSITION" not in attributes:
            self._skipped += 1
            return 0
        values, indices = self._values(primitive)
        local = values("POSITION")[:, :3]
        if not np.isfinite(local).all() or not np.isfinite(matrix).all():
            raise ValueError(tr("its coordinates are not finite"))
        points = local @ matrix[:3, :3].T + matrix[:3, 3]
        if mode == 0:
            rgba = self._colors(values, attributes, len(points))
            rgb = {} if rgba is None else {"rgb": rgba[:, :3]}
            self.clouds.append(PointCloudData(points, rgb))
            return 0
        if indices is None:
            indices = np.arange(len(points))
        triangles = _triangles(indices, mode)
        triangles[(triangles < 0) | (triangles >= len(points))] = -1 - first
        if np.linalg.det(matrix[:3, :3]) < 0:
            triangles = triangles[:, ::-1]  # a mirrored node keeps its outside outside
        material = whole(primitive.get("material", -1), -1)
        if material >= len(self.document.get("materials", [])):
            material = -1
        parts.points.append(points)
        parts.triangles.append(triangles + first)
        parts.count += len(triangles)
        parts.uvs.append(self._uv(values, attributes, material, len(points)))
        parts.colors.append(self._colors(values, attributes, len(points)))
        parts.materials.append(material)
        parts.owners.append(owner)
        parts.batches.append(self._batches(values, attributes, triangles, len(points)))
        parts.features.append(self._features(values, primitive, triangles, len(points)))
        return len(points)

    def _values(
        self, primitive: dict[str, Any]
    ) -> tuple[Callable[[str], AnyArray], IntArray | None]:
        """Return how to get an attribute of a primitive, and its corners where it lists them."""
        attributes = primitive["attributes"]
        indices = None
        if "indices" in primitive:
            indices = primitive["indices"]
        packed = primitive.get("extensions", {}).get(DRACO)
        if packed is None:
            corners = None if indices is None else self.accessor(indices, raw=True)[:, 0]
            corners = None if corners is None else corners.astype(np.int64)
            return (lambda name: self.accessor(attributes[name])), corners
        wanted = {str(k): v for k, v in dict(packed["attributes"]).items() if k in attributes}
        decoded, triangles = gltf_draco.decode(self.view_bytes(packed["bufferView"])[0], wanted)

        def values(name: str) -> AnyArray:
            if name not in decoded:
                return self.accessor(attributes[name])
            accessor = self.document["accessors"][whole(attributes[name])]
            return plain_numbers(decoded[name], bool(accessor.get("normalized")))

        return values, triangles.ravel()

    def _features(
        self,
        values: Callable[[str], AnyArray],
        primitive: dict[str, Any],
        triangles: IntArray,
        count: int,
    ) -> tuple[int, IntArray] | None:
        """Return the property table of a primitive and the feature of each triangle ``(M,)``."""
        known = primitive.get("extensions", {}).get("EXT_mesh_features", {})
        described = chosen_ids(known.get("featureIds", ()))
        if described is None or "propertyTable" not in described:
            return None
        safe = np.where((triangles >= 0) & (triangles < count), triangles, 0)
        try:
            ids = feature_ids(
                described,
                safe,
                lambda n: values(f"_FEATURE_ID_{n}")[:, 0],
                lambda texture: self._texture_ids(values, texture, safe),
            )
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self.warnings.append(
                tr("Its features were left out: {why}.", why=str(error).rstrip("."))
            )
            return None
        return whole(described["propertyTable"]), ids

    def _texture_ids(
        self, values: Callable[[str], AnyArray], texture: dict[str, Any], triangles: IntArray
    ) -> IntArray:
        """Return the number in a texture at the middle of each triangle ``(M,)``."""
        from plumbline.io.images import pixels

        uv = values(f"TEXCOORD_{whole(texture.get('texCoord', 0))}")[:, :2]
        found = self._texture({"index": texture["index"]})
        if found is None:
            raise ValueError(tr("its format cannot be decoded here"))
        grid = pixels(found.path or found.data or b"")
        middle = uv[triangles].mean(axis=1) % 1.0
        column, row = (middle * [grid.shape[1], grid.shape[0]]).astype(np.int64).T
        ids = np.zeros(len(triangles), np.int64)
        for place, channel in enumerate(texture.get("channels", [0])):
            ids |= grid[row, column, whole(channel)].astype(np.int64) << 8 * place
        return ids

    def _uv(
        self,
        values: Callable[[str], AnyArray],
        attributes: dict[str, Any],
        material: int,
        count: int,
    ) -> AnyArray | None:
        texture = self._texture_info(material) if material >= 0 else None
        transform = (texture or {}).get("extensions", {}).get("KHR_texture_transform", {})
        number = transform.get("texCoord", (texture or {}).get("texCoord", 0))
        name = f"TEXCOORD_{whole(number)}"
        if name not in attributes:
            return None
        uv = values(name)[:, :2]
        if len(uv) != count:
            raise ValueError(tr("its attributes differ in length"))
        if transform:
            angle = float(transform.get("rotation", 0.0))
            scale = np.array(transform.get("scale", [1.0, 1.0]), float)
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            uv = (uv * scale) @ turn.T + np.array(transform.get("offset", [0.0, 0.0]), float)
        # glTF counts from the upper left, MeshData from the lower left.
        return np.column_stack([uv[:, 0], 1.0 - uv[:, 1]]).astype(np.float32)

    def _colors(
        self, values: Callable[[str], AnyArray], attributes: dict[str, Any], count: int
    ) -> AnyArray | None:
        if "COLOR_0" not in attributes:
            return None
        colors = values("COLOR_0")
        if len(colors) != count or colors.shape[1] < 3:
            raise ValueError(tr("its attributes differ in length"))
        rgba = np.full((count, 4), 255, np.uint8)
        rgba[:, :3] = np.rint(_screen(colors[:, :3]) * 255)
        if colors.shape[1] == 4:
            rgba[:, 3] = np.rint(np.clip(np.nan_to_num(colors[:, 3]), 0, 1) * 255)
        return rgba

    def _batches(
        self,
        values: Callable[[str], AnyArray],
        attributes: dict[str, Any],
        triangles: IntArray,
        count: int,
    ) -> AnyArray | None:
        """Return the batch of each triangle ``(M, 1)``, that of its first corner."""
        name = next((n for n in ("_BATCHID", "_FEATURE_ID_0") if n in attributes), None)
        if name is None:
            return None
        batches = values(name)[:, :1]
        if len(batches) != count:
            raise ValueError(tr("its attributes differ in length"))
        first = triangles[:, 0]
        known = (first >= 0) & (first < count)
        numbers: AnyArray = np.where(known[:, None], batches[np.where(known, first, 0)], np.nan)
        return numbers

    def _texture_info(self, material: int) -> dict[str, Any] | None:
        """Return the texture info of a material's base colour."""
        described = self.document["materials"][material]
        pbr = described.get("pbrMetallicRoughness", {})
        glossy = described.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
        info = pbr.get("baseColorTexture") or glossy.get("diffuseTexture")
        return info if isinstance(info, dict) else None

    def _materials(self) -> list[Material]:
        materials = []
        for n, described in enumerate(self.document.get("materials", [])):
            pbr = described.get("pbrMetallicRoughness", {})
            glossy = described.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
            factor = pbr.get("baseColorFactor") or glossy.get("diffuseFactor") or [1.0] * 4
            linear = np.array([float(value) for value in factor])[:4]
            if linear.shape != (4,):
                raise ValueError(tr("a colour has not four numbers"))
            r, g, b = _screen(linear[:3]).tolist()
            opaque = described.get("alphaMode", "OPAQUE") == "OPAQUE"
            alpha = 1.0 if opaque else float(np.clip(linear[3], 0, 1))
            info = self._texture_info(n)
            texture = self._texture(info) if info is not None else None
            materials.append(
                Material(str(described.get("name") or f"material {n}"), (r, g, b, alpha), texture)
            )
        return materials

    def _texture(self, info: dict[str, Any]) -> Texture | None:
        described = self.document["textures"][whole(info["index"])]
        webp = described.get("extensions", {}).get("EXT_texture_webp", {})
        source = webp.get("source", described.get("source"))
        if source is None:
            self._no_texture("KTX2", tr("its format cannot be decoded here"))
            return None
        image = self.document["images"][whole(source)]
        name = str(image.get("uri") or image.get("name") or f"image {source}")
        name = name if not name.startswith("data:") else f"image {source}"
        texture = self._image(image)
        if texture is None:
            self._no_texture(name, tr("it is not in the folder of the model"))
            return None
        problem = image_problem(texture.path or texture.data or b"")
        if problem:
            self._no_texture(name, problem)
            return None
        return texture

    def _image(self, image: dict[str, Any]) -> Texture | None:
        if "bufferView" in image:
            return Texture(data=bytes(self.view_bytes(image["bufferView"])[0]))
        uri = str(image.get("uri", ""))
        if uri.startswith("data:") or self._fetch is not None:
            raw = self.resource(uri)
            return Texture(data=raw) if raw else None
        file = self.file(uri)
        return Texture(file) if file is not None else None

    def _no_texture(self, name: str, why: str) -> None:
        text = tr("The texture “{name}” was left out: {why}.", name=name[-120:], why=why)
        if text not in self.warnings:
            self.warnings.append(text)


def _matrix(node: dict[str, Any]) -> FloatArray:
    """Return a node's own matrix ``(4, 4)``, float64."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    x, y, z, w = (float(v) for v in node.get("rotation", (0, 0, 0, 1)))
    length = np.sqrt(x * x + y * y + z * z + w * w) or 1.0
    x, y, z, w = x / length, y / length, z / length, w / length
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _triangles(indices: IntArray, mode: int) -> IntArray:
    """Return ``(M, 3)`` of a list (4), a strip (5) or a fan (6)."""
    if mode == 4:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3).copy()
    n = max(0, len(indices) - 2)
    at = np.arange(n)
    if mode == 6:
        return np.column_stack([np.full(n, indices[0] if n else 0), indices[1:-1], indices[2:]])
    odd = at % 2
    return np.column_stack([indices[at], indices[at + 1 + odd], indices[at + 2 - odd]])


def _screen(linear: AnyArray) -> FloatArray:
    """Return colours 0..1 as screens show them (sRGB) from linear light."""
    light = np.clip(np.nan_to_num(np.asarray(linear, dtype=np.float64)), 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _padded(
    parts: list[AnyArray | None], sizes: list[int], fill: float, kind: type, width: int
) -> AnyArray | None:
    """Join arrays of the primitives that have them, filled up for those that have not."""
    if all(part is None for part in parts):
        return None
    return np.concatenate(
        [
            part if part is not None else np.full((size, width), fill, kind)
            for part, size in zip(parts, sizes, strict=True)
        ]
    )


def _extras(node: dict[str, Any], mesh: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the plain values that the authoring program left on a node."""
    extras = {**_plain(mesh.get("extras")), **_plain(node.get("extras"))}
    return {"extras": extras} if extras else {}


def _plain(extras: Any) -> dict[str, Any]:
    if not isinstance(extras, dict):
        return {}
    return {str(k): v for k, v in extras.items() if isinstance(v, str | int | float | bool)}
