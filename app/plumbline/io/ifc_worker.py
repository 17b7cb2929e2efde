"""IFC as a child process reads it: geometry, what the products are, and the declared position.

Runs only in a child (`plumbline.io.child`), because tessellation stalls the interpreter, keeps its
memory and can crash on damaged input. Hands over plain arrays in metres, in the coordinates of the
file, and a document; where the model lies on the earth is decided by the parent.
"""

from __future__ import annotations

import math
import re
import shutil
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.errors import InputError, UserError
from plumbline.core.i18n import tr
from plumbline.io.child import Child
from plumbline.io.ifc_position import declared_position, no_position

#: Bytes from the start that hold the header, and the schema named in it.
HEAD = 65_536
FILE_SCHEMA = re.compile(rb"FILE_SCHEMA\s*\(\s*\(\s*'([^']{1,40})'")
#: Products that cut holes; their shapes are the holes, which are cut already.
_VOIDS = "IfcFeatureElementSubtraction"
#: Products whose failed shapes are named one by one.
_MOST_NAMED = 20
#: Seconds between two progress messages.
_PACE = 0.1
#: Look of triangles for which the file has none.
_NO_STYLE = ("DefaultMaterial", (0.7, 0.7, 0.7, 1.0))


def tessellate(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Read an IFC file.

    Parameters
    ----------
    args : dict
        ``path``, ``name`` (for messages), ``tolerance`` (largest deviation of a facet from a
        curved surface, metres), ``threads``, ``read_as`` (schema to put in the place of the one in
        the header, or nothing).
    child : Child
        Gets the arrays ``vertices`` (N, 3) float64 in metres, ``triangles`` (M, 3) int32,
        ``material_index`` and ``element_index`` (M,) int32.

    Returns
    -------
    dict
        ``elements``, ``materials``, ``storeys``, ``spatial``, ``tally``, ``products``,
        ``position``, ``metadata``, ``warnings``.
    """
    try:
        return _tessellate(args, child)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        # References that lead nowhere, values of the wrong type: what is wrong with a damaged
        # model shows anywhere in the reader.
        raise InputError(
            tr("“{name}” cannot be read as IFC.", name=args["name"]),
            tr("The file is probably damaged; copy or export it again."),
            traceback.format_exc(),
        ) from error


def _tessellate(args: dict[str, Any], child: Child) -> dict[str, Any]:
    name, warnings = args["name"], list[str]()
    child.feedback.step(0.0, 1.0, tr("Reading {name}", name=name))
    model = _open(args, child, warnings)
    products = list(model.by_type("IfcProduct"))
    if not products:
        raise InputError(
            tr("“{name}” holds no building elements.", name=name),
            tr("Export the model again, with its elements."),
        )
    mesh = _Mesh(model, {product.id(): n for n, product in enumerate(products)})
    mesh.build(args, child.feedback.part(0.1, 0.85))
    for array, values in mesh.arrays().items():
        child.save(array, values)
    child.feedback.step(0.87, 1.0, tr("Reading the properties in {name}", name=name))
    document = _describe(model, products)
    document["materials"] = mesh.materials
    failed = mesh.failed(products)
    if failed:
        document["metadata"]["failed"] = len(failed)
    document["warnings"] = [*warnings, *document["warnings"], *_named(failed)]
    return document


def _open(args: dict[str, Any], child: Child, warnings: list[str]) -> Any:
    import ifcopenshell

    path, copy = Path(args["path"]), child.folder / "edition.ifc"
    try:
        if args["read_as"]:
            old = _write_as(path, copy, args["read_as"])
            warnings.append(
                tr("The file is written in {schema}; it was read as {other}.",
                   schema=old, other=args["read_as"])
            )  # fmt: skip
            path = copy
        return ifcopenshell.open(str(path))
    finally:
        copy.unlink(missing_ok=True)


def _write_as(path: Path, copy: Path, schema: str) -> str:
    """Copy a file with another schema in its header; return the schema that it had."""
    with path.open("rb") as source, copy.open("wb") as target:
        head = source.read(HEAD)
        named = FILE_SCHEMA.search(head)
        if named is None:
            raise ValueError("no schema")
        target.write(head[: named.start(1)] + schema.encode() + head[named.end(1) :])
        shutil.copyfileobj(source, target)
    return named[1].decode()


# -- geometry -----------------------------------------------------------------------------------


@dataclass
class _Piece:
    """The shape of one product; `styles` maps its triangles to `looks`, (name, RGBA) each."""

    product: int
    shape: str
    vertices: FloatArray
    triangles: AnyArray
    styles: AnyArray
    looks: list[tuple[str, tuple[float, ...]]]


@dataclass
class _Mesh:
    """One merged mesh, made of the pieces of all products.

    Threads finish in any order, so that pieces are put in the order of the file at the end: the
    same file gives the same arrays every time.
    """

    model: Any
    #: Index of each product by its STEP number.
    order: dict[int, int]
    pieces: list[_Piece] = field(default_factory=list)
    materials: list[dict[str, Any]] = field(default_factory=list)
    _looks: dict[str, tuple[str, tuple[float, ...]]] = field(default_factory=dict)

    def build(self, args: dict[str, Any], feedback: Any) -> None:
        """Tessellate every product but the holes, on all threads."""
        from ifcopenshell import geom

        settings = geom.settings()
        settings.set("mesher-linear-deflection", float(args["tolerance"]))
        options: dict[str, Any] = {"exclude": [_VOIDS]} if self.model.by_type(_VOIDS) else {}
        iterator = geom.iterator(settings, self.model, int(args["threads"]), **options)
        text = tr("Building the shapes of {name}", name=args["name"])
        feedback.step(0, 100, text)
        more = iterator.initialize()
        told = time.monotonic()
        while more:
            self._add(iterator.get())
            if time.monotonic() - told > _PACE:
                told = time.monotonic()
                feedback.step(iterator.progress(), 100, text)
            more = iterator.next()
        self.pieces.sort(key=lambda piece: (piece.product, piece.shape))

    def _add(self, shape: Any) -> None:
        number = self.order.get(int(shape.id))
        geometry = shape.geometry
        local = np.frombuffer(geometry.verts_buffer, dtype=np.float64).reshape(-1, 3)
        triangles = np.frombuffer(geometry.faces_buffer, dtype=np.int32).reshape(-1, 3)
        if number is None or len(triangles) == 0:
            return
        # Columns of the placement follow each other: its transpose multiplies rows from the right.
        placement = np.frombuffer(shape.transformation_buffer, dtype=np.float64).reshape(4, 4)
        vertices = local @ placement[:3, :3] + placement[3, :3]
        if not np.isfinite(vertices).all():
            return
        styles = np.frombuffer(geometry.material_ids_buffer, dtype=np.int32)
        colors = np.frombuffer(geometry.colors_buffer, dtype=np.float64).reshape(-1, 4)
        looks = [self._look(s, c) for s, c in zip(geometry.materials, colors, strict=True)]
        # Triangles without a style have -1 and take the last look.
        looks += [_NO_STYLE] if (styles < 0).any() else []
        self.pieces.append(_Piece(number, str(geometry.id), vertices, triangles, styles, looks))

    def _look(self, style: Any, color: FloatArray) -> tuple[str, tuple[float, ...]]:
        """Return name and colour of a style."""
        key = str(style.name)
        if key not in self._looks:
            entity = self.model.by_id(style.instance_id()) if style.instance_id() else None
            rgba = np.clip(np.nan_to_num(color, nan=0.8), 0.0, 1.0)
            name = str(getattr(entity, "Name", None) or key)
            self._looks[key] = (name, tuple(float(v) for v in rgba))
        return self._looks[key]

    def arrays(self) -> dict[str, AnyArray]:
        """Return the merged arrays, and fill `materials`."""
        known: dict[tuple[str, tuple[float, ...]], int] = {}
        vertices, triangles = [np.empty((0, 3))], [np.empty((0, 3), dtype=np.int32)]
        styles, owners = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int32)]
        count = 0
        for piece in self.pieces:
            index = [known.setdefault(look, len(known)) for look in piece.looks]
            vertices.append(piece.vertices)
            triangles.append(piece.triangles + np.int32(count))
            styles.append(np.array(index, dtype=np.int32)[piece.styles])
            owners.append(np.full(len(piece.triangles), piece.product, dtype=np.int32))
            count += len(piece.vertices)
        self.materials = [{"name": name, "color": list(color)} for name, color in known]
        return {
            "vertices": np.concatenate(vertices),
            "triangles": np.concatenate(triangles),
            "material_index": np.concatenate(styles),
            "element_index": np.concatenate(owners),
        }

    def failed(self, products: list[Any]) -> list[Any]:
        """Return the products whose body could not be built."""
        built = {piece.product for piece in self.pieces}
        return [p for n, p in enumerate(products) if n not in built and _has_body(p)]


def _named(failed: list[Any]) -> list[str]:
    """Return a note for each product that failed, one for the rest where they are many."""
    lines = [
        tr("{cls} “{name}” ({id}) has a shape that cannot be built; it is left out.",
           cls=p.is_a(), name=p.Name or "", id=p.GlobalId)
        for p in failed[:_MOST_NAMED]
    ]  # fmt: skip
    if len(failed) > _MOST_NAMED:
        lines.append(tr("{n} more elements are left out.", n=len(failed) - _MOST_NAMED))
    return lines


def _has_body(product: Any) -> bool:
    """Tell whether a product should give triangles: it has a body that is no hole."""
    if product.Representation is None or product.is_a(_VOIDS):
        return False
    return any(
        r.RepresentationIdentifier in ("Body", "Facetation") and r.Items
        for r in product.Representation.Representations or ()
    )


# -- what the products are ----------------------------------------------------------------------


def _describe(model: Any, products: list[Any]) -> dict[str, Any]:
    from ifcopenshell.util.unit import calculate_unit_scale

    warnings: list[str] = []
    ids = _unique_ids(products, warnings)
    parents = _parents(model)
    scale = float(calculate_unit_scale(model))
    elements = [_element(p, ids, parents, warnings) for p in products]
    shaped = {p.id() for p in products if p.Representation is not None}
    parts = {e.id() for e in model.by_type("IfcElement")}
    return {
        "elements": elements,
        "storeys": _storeys(model, ids, parents, scale),
        "spatial": _spatial(model, ids, parents),
        "products": len(products),
        "tally": {
            "products_with_geometry": len(shaped),
            "elements": len(parts),
            "elements_with_geometry": len(parts & shaped),
            "spaces": len(model.by_type("IfcSpace")),
        },
        "position": _position(model, scale, warnings),
        "metadata": {
            "schema": str(model.schema_identifier),
            "metres_per_unit": scale,
            "software": _software(model),
        },
        "warnings": warnings,
    }


def _unique_ids(products: list[Any], warnings: list[str]) -> dict[int, str]:
    """Return an id for each product by STEP number: its GlobalId, made unique where it is not."""
    ids: dict[int, str] = {}
    taken: set[str] = set()
    repeated = 0
    for product in products:
        wanted = product.GlobalId or f"#{product.id()}"
        if wanted in taken:
            repeated += 1
            wanted = f"{wanted}#{product.id()}"
        taken.add(wanted)
        ids[product.id()] = wanted
    if repeated:
        warnings.append(
            tr("{n} elements share their GlobalId with another; they got new ids.", n=repeated)
        )
    return ids


#: Relations that give a product its parent, strongest first: name, parent, children.
_RELATIONS = (
    ("IfcRelAggregates", "RelatingObject", "RelatedObjects"),
    ("IfcRelNests", "RelatingObject", "RelatedObjects"),
    ("IfcRelContainedInSpatialStructure", "RelatingStructure", "RelatedElements"),
    ("IfcRelVoidsElement", "RelatingBuildingElement", "RelatedOpeningElement"),
    ("IfcRelFillsElement", "RelatingOpeningElement", "RelatedBuildingElement"),
)


def _parents(model: Any) -> dict[int, Any]:
    """Return the parent entity of every object by STEP number."""
    parents: dict[int, Any] = {}
    for relation, parent_name, child_name in _RELATIONS:
        for rel in model.by_type(relation):
            parent, children = getattr(rel, parent_name), getattr(rel, child_name)
            if parent is None or children is None:
                continue
            for child in children if isinstance(children, tuple) else (children,):
                parents.setdefault(child.id(), parent)
    return parents


def _ancestor(entity: Any, parents: dict[int, Any], cls: str) -> Any:
    """Return the nearest ancestor of a class, None if there is none; circles end."""
    seen: set[int] = set()
    while entity is not None and entity.id() not in seen:
        if entity.is_a(cls):
            return entity
        seen.add(entity.id())
        entity = parents.get(entity.id())
    return None


def _element(
    product: Any, ids: dict[int, str], parents: dict[int, Any], warnings: list[str]
) -> dict[str, Any]:
    """Describe a product; one that cannot be described keeps its id and class, with a warning."""
    bare = {"id": ids[product.id()], "cls": product.is_a()}
    try:
        return bare | _description(product, ids, parents)
    except Exception:  # broken references show anywhere
        warnings.append(
            tr("{cls} ({id}) has properties that cannot be read.", cls=bare["cls"], id=bare["id"])
        )
        return bare


def _description(product: Any, ids: dict[int, str], parents: dict[int, Any]) -> dict[str, Any]:
    from ifcopenshell.util import element as util

    storey = _ancestor(product, parents, "IfcBuildingStorey")
    kind = util.get_type(product)
    materials = [m.Name for m in util.get_materials(product) if getattr(m, "Name", None)]
    parent = parents.get(product.id())
    return {
        "name": product.Name or "",
        "storey": (storey.Name or "") if storey is not None else "",
        "type_name": (getattr(kind, "Name", None) or "") if kind is not None else "",
        "material": ", ".join(dict.fromkeys(materials)),
        "parent": ids.get(parent.id(), parent.GlobalId or "") if parent is not None else "",
        "properties": {"Attributes": _attributes(product), **_property_sets(product)},
    }


def _position(model: Any, scale: float, warnings: list[str]) -> dict[str, Any]:
    """Collect what the file says about its position; nothing where that is broken."""
    try:
        return declared_position(model, scale)
    except Exception:  # broken references show anywhere
        warnings.append(tr("What the file says about its position cannot be read."))
        return no_position(scale)


def _attributes(product: Any) -> dict[str, Any]:
    """Return the direct attributes that hold plain values."""
    skip = {"id", "type", "GlobalId", "Name", "OwnerHistory", "ObjectPlacement", "Representation"}
    values = {k: v for k, v in product.get_info(recursive=False).items() if k not in skip}
    return {k: plain for k, v in values.items() if (plain := _plain(v)) not in (None, "")}


def _property_sets(product: Any) -> dict[str, dict[str, Any]]:
    from ifcopenshell.util.element import get_psets

    sets = get_psets(product)
    return {
        str(name): {str(k): _plain(v) for k, v in values.items() if k != "id"}
        for name, values in sets.items()
    }


def _plain(value: Any) -> Any:
    """Return a JSON value: numbers that are none become None, entities their name or nothing."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if k != "id"}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return getattr(value, "Name", None)


def _storeys(
    model: Any, ids: dict[int, str], parents: dict[int, Any], scale: float
) -> list[dict[str, Any]]:
    storeys = []
    for storey in model.by_type("IfcBuildingStorey"):
        building = _ancestor(storey, parents, "IfcBuilding")
        elevation = storey.Elevation
        known = elevation is not None and math.isfinite(elevation)
        storeys.append(
            {
                "id": ids[storey.id()],
                "name": storey.Name or "",
                "elevation": elevation * scale if known else None,
                "building": (building.Name or "") if building is not None else "",
            }
        )
    return sorted(storeys, key=lambda s: math.inf if s["elevation"] is None else s["elevation"])


def _spatial(model: Any, ids: dict[int, str], parents: dict[int, Any]) -> dict[str, str]:
    """Return the parent id of every product that has a parent; the project is the root."""
    spatial = {}
    for number, own in ids.items():
        parent = parents.get(number)
        if parent is not None:
            spatial[own] = ids.get(parent.id()) or parent.GlobalId or ""
    return spatial


def _software(model: Any) -> str:
    applications = model.by_type("IfcApplication")
    if not applications:
        return ""
    name = applications[0].ApplicationFullName or ""
    return f"{name} {applications[0].Version or ''}".strip()
