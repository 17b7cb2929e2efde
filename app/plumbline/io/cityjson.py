"""CityJSON 1.0 to 2.0, and CityJSONSeq, which has one city object with its parts in each line.

One mesh with an element for every city object; surfaces have the textures of the first theme, or
are coloured by what they mean. Of several levels of detail one is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import Element, FloatArray
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.axes import declared_crs, east_first
from plumbline.io.base import mislabelled, reading
from plumbline.io.city import Surfaces, chosen_lods, city_layer, lod_number, wanted_lod
from plumbline.io.registry import LoadContext

#: How deep the surfaces of a geometry lie in its boundaries.
_DEPTHS = {
    "MultiSurface": 1,
    "CompositeSurface": 1,
    "Solid": 2,
    "MultiSolid": 3,
    "CompositeSolid": 3,
}


def load_cityjson(path: Path, context: LoadContext) -> list[Layer]:
    """Read a CityJSON or CityJSONSeq file into one mesh layer.

    Raises
    ------
    InputError
        If it is no CityJSON, of a version before 1.0, damaged, or without the wanted level of
        detail.
    """
    sequence = path.suffix.lower() == ".jsonl"
    title = "CityJSONSeq" if sequence else "CityJSON"
    context.feedback.step(0, 3, tr("Reading {name}", name=path.name))
    with reading(path, title):
        model = _Model(wanted_lod(context))
        if sequence:
            _read_sequence(path, title, model, context)
        else:
            document = json.loads(path.read_bytes())
            _check_head(path, title, document)
            model.head(document)
            model.add(document)
        context.feedback.step(1, 3)
        layer = model.layer(path, title)
        context.feedback.step(2, 3)
    return [layer]


def _check_head(path: Path, title: str, document: Any) -> None:
    """Refuse what is no CityJSON of a version that is known."""
    if not isinstance(document, dict) or document.get("type") != "CityJSON":
        raise mislabelled(path, title)
    version = str(document.get("version", ""))
    if version.split(".")[0] not in ("1", "2"):
        raise InputError(
            tr("“{name}” is CityJSON {version}, which is not known.", name=path.name,
               version=version or "–"),
            tr("Bring it to version 2.0 with cjio: cjio in.json upgrade save out.json."),
        )  # fmt: skip


def _read_sequence(path: Path, title: str, model: _Model, context: LoadContext) -> None:
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = json.loads(stream.readline())
        _check_head(path, title, head)
        model.head(head)
        model.add(head)
        for n, line in enumerate(stream):
            if n % 100 == 0:
                context.feedback.step(stream.tell() if stream.seekable() else 0, 3 * size)
            if line.strip():
                feature = json.loads(line)
                if not isinstance(feature, dict) or feature.get("type") != "CityJSONFeature":
                    raise ValueError(tr("line {n} is no CityJSONFeature", n=n + 2))
                model.add(feature)


class _Model:
    """A city model while it is read, document by document."""

    def __init__(self, wanted: float | None) -> None:
        self.wanted = wanted
        self.surfaces = Surfaces()
        self.points: list[FloatArray] = []
        self.count = 0
        self.elements: list[Element] = []
        self.known: set[str] = set()
        self.lods: set[float] = set()
        self.metadata: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.skipped = {"lines": 0, "semantics": 0, "twice": 0}

    def head(self, document: dict[str, Any]) -> None:
        """Take what holds for all documents: transform, CRS, templates."""
        transform = document.get("transform") or {}
        self.scale = _triple(transform.get("scale", (1, 1, 1)))
        self.translate = _triple(transform.get("translate", (0, 0, 0)))
        metadata = document.get("metadata") or {}
        self.metadata["version"] = str(document["version"])
        self.crs = declared_crs(
            str(metadata.get("referenceSystem") or ""), self.metadata, self.warnings
        )
        for key in ("title", "referenceDate"):
            if metadata.get(key):
                self.metadata[key] = str(metadata[key])
        templates = document.get("geometry-templates") or {}
        self.templates: list[dict[str, Any]] = templates.get("templates", [])
        self.template_points = _points(templates.get("vertices-templates", []))

    def add(self, document: dict[str, Any]) -> None:
        """Take the city objects of a document, whose indices are those of its own vertices."""
        objects: dict[str, dict[str, Any]] = document.get("CityObjects", {})
        points = _points(document.get("vertices", [])) * self.scale + self.translate
        base = self._append(points)
        self._appearance(document.get("appearance") or {})
        lods = {key: self._lods(entry) for key, entry in objects.items()}
        for key, entry in objects.items():
            if key in self.known:
                self.skipped["twice"] += 1
                continue
            self.known.add(key)
            number = len(self.elements)
            self.elements.append(_element(key, entry))
            parts = [lod for child in entry.get("children") or [] for lod in lods.get(child, ())]
            chosen = chosen_lods(lods[key], parts, self.wanted)
            for geometry in entry.get("geometry") or []:
                lod = self._lod(geometry)
                if lod is not None and lod in chosen:
                    self._geometry(geometry, number, points, base)

    def _appearance(self, appearance: dict[str, Any]) -> None:
        """Take the images of a document, and the places on them that its rings name."""
        self.images = [str(entry.get("image", "")) for entry in appearance.get("textures") or []]
        places = appearance.get("vertices-texture") or []
        self.places = np.array(places, dtype=np.float64).reshape(len(places), 2)
        self.theme = str(appearance.get("default-theme-texture") or "")

    def _append(self, points: FloatArray) -> int:
        base = self.count
        self.points.append(points)
        self.count += len(points)
        return base

    def _lod(self, geometry: dict[str, Any]) -> float | None:
        """Return the level of detail of a geometry, None when it has no surfaces."""
        if geometry["type"] == "GeometryInstance":
            geometry = self.templates[_index(geometry["template"])]
        if geometry["type"] not in _DEPTHS:
            return None
        return lod_number(geometry.get("lod", 0))

    def _lods(self, entry: dict[str, Any]) -> set[float]:
        found = {self._lod(geometry) for geometry in entry.get("geometry") or []}
        if None in found:
            self.skipped["lines"] += 1
        levels = {lod for lod in found if lod is not None}
        self.lods |= levels
        return levels

    def _geometry(
        self, geometry: dict[str, Any], number: int, points: FloatArray, base: int
    ) -> None:
        kind = self.elements[number].cls
        if geometry["type"] != "GeometryInstance":
            self._surfaces(geometry, number, kind, base, len(points))
            return
        template = self.templates[_index(geometry["template"])]
        matrix = np.array(geometry["transformationMatrix"], dtype=np.float64).reshape(4, 4)
        anchor = points[_index(geometry["boundaries"][0])]
        begin = len(self.surfaces.corners)
        self._surfaces(template, number, kind, 0, len(self.template_points))
        # Only the vertices of this template are placed anew, not those of all templates.
        corners = np.array(self.surfaces.corners[begin:], dtype=np.int64)
        used, inverse = np.unique(corners, return_inverse=True)
        placed = self.template_points[used] @ matrix[:3, :3].T + matrix[:3, 3] + anchor
        first = self._append(placed)
        for n, corner in enumerate(inverse.tolist()):
            self.surfaces.corners[begin + n] = first + corner

    def _surfaces(
        self, geometry: dict[str, Any], number: int, kind: str, base: int, count: int
    ) -> None:
        """Add the surfaces of a geometry whose `count` points begin at `base`."""
        surfaces = list(_leaves(geometry["boundaries"], _DEPTHS[geometry["type"]]))
        meanings = self._meanings(geometry, len(surfaces))
        images = self._images(geometry, len(surfaces))
        for surface, meaning, image in zip(surfaces, meanings, images, strict=True):
            rings = [_ring(ring, base, count) for ring in surface]
            if rings:
                self._lay(image, rings)
                self.surfaces.add(rings, number, meaning or kind)

    def _images(self, geometry: dict[str, Any], count: int) -> Sequence[Any]:
        """Return what the geometry's theme says of each surface, None where it says nothing."""
        themes = geometry.get("texture") or {}
        if not themes or not self.images:
            return [None] * count
        theme = themes.get(self.theme) or next(iter(themes.values()))
        found = list(_leaves(theme.get("values") or [], _DEPTHS[geometry["type"]]))
        return found if len(found) == count else [None] * count

    def _lay(self, image: Any, rings: list[list[int]]) -> None:
        """Lay images on the rings of a surface that is to be added: [image, place, place, ...]."""
        start = len(self.surfaces.corners)
        for named, ring in zip(image or [], rings, strict=False):
            if named and named[0] is not None and len(named) == len(ring) + 1:
                number, *places = map(_index, named)
                if number >= len(self.images) or max(places) >= len(self.places):
                    raise ValueError(tr("a surface names a texture that is not there"))
                self.surfaces.textures.lay(self.images[number], start, self.places[places])
            start += len(ring)

    def _meanings(self, geometry: dict[str, Any], count: int) -> Sequence[str | None]:
        """Return the type of each surface, None where the file does not say it."""
        semantics = geometry.get("semantics")
        if not semantics:
            return [None] * count
        types = [str(surface["type"]) for surface in semantics["surfaces"]]
        # Some writers nest the list deeper or less deep than the surfaces; its order is the same.
        values = list(_flat(semantics.get("values")))
        if len(values) != count:
            depth = _DEPTHS[geometry["type"]]
            values = list(_spread(semantics.get("values"), geometry["boundaries"], depth))
        if len(values) != count:
            self.skipped["semantics"] += 1
            return [None] * count
        return [None if value is None else types[_index(value)] for value in values]

    def layer(self, path: Path, title: str) -> Layer:
        """Return the layer of all that was added."""
        lods = sorted(self.lods)
        if self.wanted is not None and self.wanted not in self.lods:
            raise InputError(
                tr("“{name}” holds no level of detail {lod}.", name=path.name, lod=self.wanted),
                tr("It holds: {lods}.", lods=", ".join(f"{lod:g}" for lod in lods) or "–"),
            )
        self.metadata["lods"] = [f"{lod:g}" for lod in lods]
        points = np.concatenate(self.points) if self.points else np.zeros((0, 3))
        notes = [*self.warnings, *self._notes()]
        data = self.surfaces.mesh(points, self.elements, path.parent, notes)
        if self.crs is not None:
            data.vertices = east_first(data.vertices, self.crs, self.metadata)
        layer = city_layer(path, title, data, self.metadata, notes)
        layer.crs = self.crs
        return layer

    def _notes(self) -> list[str]:
        notes = []
        if self.skipped["lines"]:
            n = self.skipped["lines"]
            notes.append(tr("{n} objects have points or lines, which were left out.", n=n))
        if self.skipped["semantics"]:
            n = self.skipped["semantics"]
            notes.append(tr("{n} geometries do not say what their surfaces mean.", n=n))
        if self.skipped["twice"]:
            n = self.skipped["twice"]
            notes.append(tr("{n} objects have an id that was there before; left out.", n=n))
        return notes


def _element(key: str, entry: dict[str, Any]) -> Element:
    attributes = {name: _plain(value) for name, value in (entry.get("attributes") or {}).items()}
    return Element(
        id=key,
        cls=str(entry["type"]),
        name=str(attributes.get("name") or ""),
        parent=str((entry.get("parents") or [""])[0]),
        properties={str(entry["type"]): attributes} if attributes else {},
    )


def _plain(value: Any) -> Any:
    """Return a value for a table: what is nested becomes text."""
    nested = isinstance(value, list | dict)
    return json.dumps(value, ensure_ascii=False)[:2000] if nested else value


def _triple(values: Any) -> FloatArray:
    triple = np.array(values, dtype=np.float64)
    if triple.shape != (3,) or not np.isfinite(triple).all():
        raise ValueError(tr("its transform is not three numbers"))
    return triple


def _points(values: Any) -> FloatArray:
    return np.array(values, dtype=np.float64).reshape(len(values), 3)


def _index(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(tr("a surface names a vertex that is not there"))
    return value


def _ring(ring: list[int], base: int, count: int) -> list[int]:
    if ring and not (min(ring) >= 0 and max(ring) < count):
        raise ValueError(tr("a surface names a vertex that is not there"))
    return [corner + base for corner in ring]


def _leaves(values: Any, depth: int) -> Iterator[Any]:
    """Yield what lies `depth` lists deep."""
    for value in values:
        if depth == 1:
            yield value
        else:
            yield from _leaves(value, depth - 1)


def _spread(values: Any, boundaries: Any, depth: int) -> Iterator[Any]:
    """Yield the value of each surface; a null stands for all that lies under it."""
    if not isinstance(values, list):
        yield from (None for _ in _leaves(boundaries, depth))
    elif depth == 1:
        yield from values
    else:
        for value, inner in zip(values, boundaries, strict=False):
            yield from _spread(value, inner, depth - 1)


def _flat(values: Any) -> Iterator[Any]:
    if isinstance(values, list):
        for value in values:
            yield from _flat(value)
    else:
        yield values
