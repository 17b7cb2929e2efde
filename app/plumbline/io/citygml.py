"""CityGML 2.0 and 3.0, levels of detail 0 to 3.

One mesh with an element for every city object; surfaces have the textures of the first theme, or
are coloured by what they mean. The file is read object by object, so that a large city needs no
tree of all of it. Models that are placed many times (implicit representations) are not read, which
is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.data import Element, FloatArray
from plumbline.core.errors import InputError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.axes import declared_crs, east_first
from plumbline.io.base import mislabelled, parse_numbers, reading
from plumbline.io.city import Surfaces, chosen_lods, city_layer, wanted_lod
from plumbline.io.registry import LoadContext

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

TITLE = "CityGML"
_GEOMETRY = re.compile(r"lod([0-4])(\w*)")
#: Properties with geometry that has no surfaces.
_CURVES = ("TerrainIntersection", "TerrainIntersectionCurve", "MultiCurve", "Network", "Point",
           "MultiPoint")  # fmt: skip
_BOUNDARIES = ("boundedBy", "boundary", "opening", "fillingSurface")
#: Properties whose values are city objects of their own.
_PARTS = re.compile(
    r"(consistsOf\w+Part|\w+Part|(outer)?\w+(Installation|Construction)|"
    r"(auxiliaryT|t)rafficArea|(auxiliaryT|t)rafficSpace|section|intersection)$"
)
_FACES = ("Polygon", "Triangle", "Rectangle")
_ID = "id"
_HREF = "{http://www.w3.org/1999/xlink}href"


def load_citygml(path: Path, context: LoadContext) -> list[Layer]:
    """Read a CityGML file into one mesh layer.

    Raises
    ------
    InputError
        If it is no CityGML, damaged, or without the wanted level of detail.
    """
    with path.open("rb") as stream:
        if re.search(rb"<(?:\w+:)?CityModel\b", stream.read(65_536)) is None:
            raise mislabelled(path, TITLE)
    model = _Model(wanted_lod(context))
    with reading(path, TITLE):
        _parse(path, model, context.feedback)
        return [model.layer(path)]


def _parse(path: Path, model: _Model, feedback: Feedback) -> None:
    """Hand the city objects of a file over one by one."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    size = path.stat().st_size
    text = tr("Reading {name}", name=path.name)
    with path.open("rb") as stream:
        try:
            for _, node in iterparse(stream, events=("end",), forbid_dtd=True):
                name = _local(node)
                if name == "Envelope":
                    model.envelope(node)
                elif name in ("cityObjectMember", "featureMember"):
                    feedback.step(min(stream.tell(), size), size + size // 10, text)
                    for child in node:
                        model.member(child)
                    node.clear()
                elif name == "ParameterizedTexture":
                    model.texture(node)
                    node.clear()
        except DefusedXmlException:
            raise ValueError(tr("it declares entities, which are not allowed")) from None


def _local(node: Node) -> str:
    """Return the name of a node without its namespace."""
    return str(node.tag).rpartition("}")[2]


def _attribute(node: Node, name: str) -> str:
    """Return an attribute in whatever namespace it stands."""
    found = (v for k, v in node.attrib.items() if k.rpartition("}")[2] == name)
    return next(found, "")


@dataclass
class _Face:
    """A polygon of a city object and what it means."""

    node: Node
    kind: str
    flipped: bool


@dataclass
class _Object:
    """A city object with its faces by level of detail, and its parts."""

    element: Element
    faces: dict[float, list[_Face]] = field(default_factory=dict)
    parts: list[_Object] = field(default_factory=list)


class _Model:
    """A city model while it is read."""

    def __init__(self, wanted: float | None) -> None:
        self.wanted = wanted
        self.surfaces = Surfaces()
        self.points: list[FloatArray] = []
        self.count = 0
        self.elements: list[Element] = []
        self.known: set[str] = set()
        self.lods: set[float] = set()
        self.srs = ""
        self.dimension = 3
        #: First corner and number of corners of the rings that have an id; whether turned round.
        self.rings: dict[str, tuple[int, int, bool]] = {}
        #: Image, ring and places on it; the rings may be read before or after.
        self.images: list[tuple[str, str, FloatArray]] = []
        self.skipped = {"twice": 0, "implicit": 0, "links": 0}

    def envelope(self, node: Node) -> None:
        """Take the CRS from the first box that names one."""
        self.srs = self.srs or _attribute(node, "srsName")
        if _attribute(node, "srsDimension") == "2":
            self.dimension = 2

    def texture(self, node: Node) -> None:
        """Take an image and the places of rings on it, as CityGML 2 or 3 writes them."""
        image = next((n.text or "" for n in node if _local(n) == "imageURI"), "").strip()
        for places in node.iter():
            if _local(places) != "TexCoordList":
                continue
            lists = [n for n in places if _local(n) == "textureCoordinates"]
            rings = [(n.text or "").strip() for n in places if _local(n) == "ring"]
            for n, child in enumerate(lists):
                ring = _attribute(child, "ring") or (rings[n] if n < len(rings) else "")
                numbers = parse_numbers((child.text or "").encode(), np.float64)
                self.images.append((image, ring.removeprefix("#"), numbers.reshape(-1, 2)))

    def member(self, node: Node) -> None:
        """Take a city object with all its parts."""
        targets = {_attribute(n, _ID): n for n in node.iter() if _attribute(n, _ID)}
        self._add(self._object(node, "", targets))

    def _object(self, node: Node, parent: str, targets: dict[str, Node]) -> _Object:
        kind = _local(node)
        key = _attribute(node, _ID) or f"{kind}_{len(self.known) + 1}"
        if key in self.known:
            self.skipped["twice"] += 1
            key = f"{key}~{len(self.known) + 1}"
        self.known.add(key)
        values = dict(_values(node))
        found = _Object(
            Element(
                key,
                kind,
                name=str(values.get("name", "")),
                parent=parent,
                properties={kind: values} if values else {},
            )
        )
        for child in node:  # what means something comes first: a solid only links to it
            name = _local(child)
            if name in _BOUNDARIES:
                for surface in child:
                    self._boundary(surface, found, targets)
            elif _PARTS.fullmatch(name):
                found.parts += [self._object(part, key, targets) for part in child]
        self._faces(node, kind, found, targets)
        return found

    def _boundary(self, node: Node, owner: _Object, targets: dict[str, Node]) -> None:
        kind = _local(node)
        self._faces(node, kind, owner, targets)
        for child in node:
            if _local(child) in _BOUNDARIES:
                for opening in child:
                    self._boundary(opening, owner, targets)

    def _faces(self, node: Node, kind: str, owner: _Object, targets: dict[str, Node]) -> None:
        """Add the faces in the geometry of a node, each level by itself."""
        for child in node:
            match = _GEOMETRY.fullmatch(_local(child))
            if match is None or match[2] in _CURVES:
                continue
            if match[2] == "ImplicitRepresentation":
                self.skipped["implicit"] += 1
                continue
            if not self.srs:  # no box of the whole names it
                self.srs = next(filter(None, (n.get("srsName", "") for n in child.iter())), "")
            faces = owner.faces.setdefault(float(match[1]), [])
            seen = {id(face.node) for face in faces}
            for face, flipped in self._polygons(child, targets, seen):
                faces.append(_Face(face, kind, flipped))

    def _polygons(
        self, top: Node, targets: dict[str, Node], seen: set[int]
    ) -> Iterator[tuple[Node, bool]]:
        """Yield the polygons under a node, links followed, each once."""
        stack = [(top, False)]
        while stack:
            node, flipped = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            name = _local(node)
            if name in _FACES:
                yield node, flipped
                continue
            if name == "OrientableSurface" and node.get("orientation") == "-":
                flipped = not flipped
            link = node.get(_HREF)
            if link:
                target = targets.get(link.removeprefix("#"))
                self.skipped["links"] += target is None
                stack += [(target, flipped)] if target is not None else []
            stack += [(child, flipped) for child in reversed(node)]

    def _add(self, found: _Object) -> set[float]:
        """Add an object and its parts to the mesh; return the levels that they have."""
        held = {lod for lod, faces in found.faces.items() if faces}
        number = len(self.elements)
        self.elements.append(found.element)
        below: set[float] = set()
        for part in found.parts:
            below |= self._add(part)
        self.lods |= held
        for lod in chosen_lods(held, below, self.wanted):
            for face in found.faces[lod]:
                self._face(face, number)
        return held | below

    def _face(self, face: _Face, number: int) -> None:
        rings: list[list[int]] = []
        start = len(self.surfaces.corners)
        for node in face.node.iter():
            if _local(node) == "LinearRing":
                points = self._ring(node)
                if face.flipped:
                    points = points[::-1]
                key = _attribute(node, _ID)
                if key:
                    self.rings[key] = (start, len(points), face.flipped)
                start += len(points)
                rings.append(list(range(self.count, self.count + len(points))))
                self.points.append(points)
                self.count += len(points)
        if rings:
            self.surfaces.add(rings, number, face.kind)

    def _ring(self, node: Node) -> FloatArray:
        """Return the corners of a ring ``(N, 3)`` without the closing one."""
        dimension = self.dimension
        texts = []
        for child in node.iter():
            if _local(child) in ("posList", "pos", "coordinates"):
                texts.append((child.text or "").replace(",", " "))
                stated = _attribute(child, "srsDimension")
                dimension = int(stated) if stated in ("2", "3") else dimension
        numbers = parse_numbers(" ".join(texts).encode(), np.float64)
        points = numbers.reshape(-1, dimension)
        if dimension == 2:
            points = np.column_stack([points, np.zeros(len(points))])
        if len(points) > 1 and (points[0] == points[-1]).all():
            points = points[:-1]
        return points

    def layer(self, path: Path) -> Layer:
        """Return the layer of all that was read."""
        lods = sorted(self.lods)
        if self.wanted is not None and self.wanted not in self.lods:
            raise InputError(
                tr("“{name}” holds no level of detail {lod}.", name=path.name, lod=self.wanted),
                tr("It holds: {lods}.", lods=", ".join(f"{lod:g}" for lod in lods) or "–"),
            )
        metadata: dict[str, Any] = {"lods": [f"{lod:g}" for lod in lods]}
        warnings: list[str] = []
        crs = declared_crs(self.srs, metadata, warnings)
        points = np.concatenate(self.points) if self.points else np.zeros((0, 3))
        self._lay_images()
        warnings += self._notes()
        data = self.surfaces.mesh(points, self.elements, path.parent, warnings)
        if crs is not None:
            data.vertices = east_first(data.vertices, crs, metadata)
        layer = city_layer(path, TITLE, data, metadata, warnings)
        layer.crs = crs
        return layer

    def _lay_images(self) -> None:
        for image, ring, uv in self.images:
            start, count, flipped = self.rings.get(ring, (0, 0, False))
            if count and len(uv) in (count, count + 1):  # with or without the closing place
                places = uv[:count]
                self.surfaces.textures.lay(image, start, places[::-1] if flipped else places)

    def _notes(self) -> list[str]:
        notes = []
        if self.skipped["implicit"]:
            n = self.skipped["implicit"]
            notes.append(tr("{n} models that are placed many times were left out.", n=n))
        if self.skipped["links"]:
            n = self.skipped["links"]
            notes.append(tr("{n} links lead to surfaces that are not there.", n=n))
        if self.skipped["twice"]:
            n = self.skipped["twice"]
            notes.append(tr("{n} objects have an id that was there before; it was changed.", n=n))
        return notes


def _values(node: Node) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a city object: its own simple ones and the generic ones."""
    for child in node:
        name = _local(child)
        if name == "genericAttribute":  # CityGML 3.0
            for inner in child:
                yield from _generic(inner)
        elif name.endswith("Attribute"):
            yield from _generic(child)
        elif name == "height" and len(child):  # CityGML 3.0: a number between two references
            yield from _heights(child)
        elif len(child) == 0 and (child.text or "").strip():
            yield name, _value(child.text or "")


def _generic(node: Node) -> Iterator[tuple[str, Any]]:
    texts = {_local(child): child.text or "" for child in node if len(child) == 0}
    name = node.get("name") or texts.get("name", "")
    if name and "value" in texts:
        yield name, _value(texts["value"])


def _heights(node: Node) -> Iterator[tuple[str, Any]]:
    for height in node:
        texts = {_local(child): (child.text or "").strip() for child in height}
        if texts.get("value"):
            between = [texts[k] for k in ("lowReference", "highReference") if texts.get(k)]
            yield " ".join(["height", *between]), _value(texts["value"])


def _value(text: str) -> Any:
    """Return a number where the text is one as a program writes it, else the text."""
    text = text.strip()
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if str(number) == text:  # "007" is a name
            return number
    return text[:2000]
