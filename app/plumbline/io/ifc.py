"""Building models: IFC 2x3, 4 and 4.3 (ADD2), through ifcopenshell in a child process.

The parent checks the file before a child starts, asks the cache, and places what comes back: the
vertices of the layer are in the map CRS that the file declares, or in metres of the file where it
declares none. Rooms are loaded, but hidden at first.
"""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import plumbline
from plumbline.core.data import BimData, Element, Material, Storey
from plumbline.core.errors import InputError
from plumbline.core.i18n import tr, translator
from plumbline.core.layer import Layer, LayerKind, LayerStyle, file_sha256
from plumbline.io.child import ChildResult, run_in_child
from plumbline.io.ifc_cache import Cache, entry_key
from plumbline.io.ifc_position import Placement, place
from plumbline.io.ifc_worker import FILE_SCHEMA, HEAD
from plumbline.io.registry import LoadContext

#: Schemas that ifcopenshell reads, by the name in the header.
_SCHEMAS = ("IFC2X3", "IFC4", "IFC4X3_ADD2")
#: Editions that differ from those in details only, and what they are read as.
_EDITIONS = {
    "IFC2X3_TC1": "IFC2X3",
    "IFC4_ADD1": "IFC4",
    "IFC4_ADD2": "IFC4",
    "IFC4_ADD2_TC1": "IFC4",
    "IFC4X3": "IFC4X3_ADD2",
    "IFC4X3_TC1": "IFC4X3_ADD2",
    "IFC4X3_ADD1": "IFC4X3_ADD2",
}
#: Raised when the layout of cached documents changes.
_LAYOUT = 3
#: Bytes at the end of the file where its last mark must be.
_TAIL = 4_096
_HIDDEN = ("IfcSpace", "IfcSpatialZone", "IfcOpeningElement")
#: Address space for the child: a floor for libraries, and for each thread and byte of the file.
_MEMORY_FLOOR, _MEMORY_PER_THREAD, _MEMORY_PER_BYTE = 3 * 1024**3 // 2, 128 * 1024**2, 200


def load_ifc(path: Path, context: LoadContext) -> list[Layer]:
    """Read an IFC file into one layer with elements, storeys and materials.

    Parameters
    ----------
    path : Path
        The file.
    context : LoadContext
        Options ``tolerance`` (metres) and ``georeference`` (``auto`` or ``none``), progress,
        cancelling, cache.

    Returns
    -------
    list of Layer
        One layer in the CRS of the file's map conversion; ``crs`` is None where it has none.

    Raises
    ------
    InputError
        If the file is no IFC, is cut off, has a schema that cannot be read, or its reader fails.
    """
    schema = check_step(path)
    result = _tessellated(path, schema, context)
    document = result.document
    placement = Placement(metadata={"georeference": "none"})
    if context.options.get("georeference", "auto") == "auto":
        placement = place(document["position"])
    data = _model(result)
    data.vertices = placement.apply(data.vertices)
    return [
        Layer(
            id=path.stem,
            name=path.stem,
            kind=LayerKind.BIM,
            data=data,
            crs=placement.crs,
            metadata={"format": f"IFC ({schema})", **document["metadata"], **placement.metadata},
            warnings=[*document["warnings"], *placement.warnings],
            style=LayerStyle(hidden_classes=_HIDDEN),
        )
    ]


def check_step(path: Path) -> str:
    """Return the schema of a whole, readable IFC file.

    Raises
    ------
    InputError
        If the file is something else, ends early or is written in a schema that cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        stream.seek(max(0, path.stat().st_size - _TAIL))
        tail = stream.read()
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"ISO-10303-21"):
        raise InputError(
            tr("“{name}” is not an IFC file: {why}.", name=path.name, why=_what_it_is(head)),
            tr("Export the model as IFC (.ifc, the STEP form)."),
        )
    named = FILE_SCHEMA.search(head)
    if named is None:
        raise InputError(
            tr("“{name}” does not name its schema.", name=path.name),
            tr("The file is probably damaged; copy or export it again."),
        )
    schema = named[1].decode("ascii", "replace").upper()
    if schema not in _SCHEMAS and schema not in _EDITIONS:
        raise _unknown_schema(path, schema)
    if b"END-ISO-10303-21" not in tail:
        raise InputError(
            tr("“{name}” is cut off: its end is missing.", name=path.name),
            tr("Copy or export the file again."),
        )
    return schema


def _what_it_is(head: bytes) -> str:
    if head.startswith(b"PK"):
        return tr("it is a ZIP archive")
    if head.lstrip().startswith(b"<"):
        return tr("it is XML")
    return tr("its signature is missing")


def _unknown_schema(path: Path, schema: str) -> InputError:
    if not schema.startswith("IFC"):
        return InputError(
            tr("“{name}” is a STEP file of {schema}, not IFC.", name=path.name, schema=schema),
            tr("Export the model as IFC4."),
        )
    draft = re.search(r"RC\d|IFC4X[12]", schema) is not None
    text = (
        tr("“{name}” is written in {schema}, a draft of IFC that was withdrawn.",
           name=path.name, schema=schema)
        if draft
        else tr("“{name}” is written in {schema}, which cannot be read.",
                name=path.name, schema=schema)
    )  # fmt: skip
    return InputError(
        text, tr("Export the model again as IFC4 or IFC4X3_ADD2 from the program that made it.")
    )


def _tessellated(path: Path, schema: str, context: LoadContext) -> ChildResult:
    """Return the content of the file, from the cache where it has it."""
    threads = min(os.cpu_count() or 1, 16)
    args = {
        "path": str(path),
        "name": path.name,
        "tolerance": float(context.options.get("tolerance", 0.001)),
        "threads": threads,
        # Where the header names another edition: the schema to read it as.
        "read_as": _EDITIONS.get(schema, ""),
    }
    if context.cache is None:
        return _run(path, args, context, None)
    cache = Cache(context.cache / "ifc")
    context.feedback.step(0, 1, tr("Reading {name}", name=path.name))
    key = entry_key(
        {
            "sha256": file_sha256(path),
            "tolerance": args["tolerance"],
            "layout": _LAYOUT,
            "versions": [plumbline.__version__, _reader_version()],
            # Warnings are stored as people read them.
            "language": translator.language,
        }
    )
    known = cache.get(key)
    if known is not None and _sound(known):
        return known
    part = cache.part()
    result = _run(path, args, context, part)
    if part is not None:
        cache.keep(part, key)
    return result


def _run(
    path: Path, args: dict[str, Any], context: LoadContext, folder: Path | None
) -> ChildResult:
    result = run_in_child(
        "plumbline.io.ifc_worker:tessellate",
        args,
        context.feedback,
        subject=path.name,
        folder=folder,
        memory=_memory(path, args["threads"]),
    )
    if not _sound(result):
        raise InputError(
            tr("The shapes in “{name}” are not sound.", name=path.name),
            tr("The file is probably damaged; copy or export it again."),
        )
    return result


def _memory(path: Path, threads: int) -> int:
    """Return the most that the child may take: by the size of the file, and of the machine."""
    wanted = _MEMORY_FLOOR + threads * _MEMORY_PER_THREAD
    wanted += path.stat().st_size * _MEMORY_PER_BYTE
    try:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no such question, nor such limits
        return wanted
    return min(wanted, max(_MEMORY_FLOOR, installed * 9 // 10))


def _reader_version() -> str:
    try:
        return metadata.version("ifcopenshell")
    except metadata.PackageNotFoundError:  # a frozen build pins it by Plumbline's own version
        return "bundled"


def _sound(result: ChildResult) -> bool:
    """Tell whether all indices point inside: renderers and ray casters trust them."""
    a, document = result.arrays, result.document
    try:
        vertices, triangles = a["vertices"], a["triangles"]
        owners, styles = a["element_index"], a["material_index"]
        elements, materials = document["elements"], document["materials"]
    except KeyError:
        return False
    if vertices.dtype != np.float64 or vertices.ndim != 2 or vertices.shape[1] != 3:
        return False
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        return False
    if not len(triangles) == len(owners) == len(styles):
        return False
    return len(triangles) == 0 or all(
        array.min() >= 0 and array.max() < limit
        for array, limit in (
            (triangles, len(vertices)),
            (owners, len(elements)),
            (styles, len(materials)),
        )
    )


def _model(result: ChildResult) -> BimData:
    document, arrays = result.document, result.arrays
    return BimData(
        vertices=arrays["vertices"],
        triangles=arrays["triangles"],
        materials=[Material(m["name"], tuple(m["color"])) for m in document["materials"]],
        material_index=arrays["material_index"],
        elements=[Element(**element) for element in document["elements"]],
        element_index=arrays["element_index"],
        storeys=[Storey(**storey) for storey in document["storeys"]],
        spatial=document["spatial"],
        products=document["products"],
        tally=document["tally"],
    )
