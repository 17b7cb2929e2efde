"""`volume.solid`: what meshes and elements of building models enclose, one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Element,
    Feedback,
    Frame,
    Layer,
    LayerRef,
    MeshData,
    ObstacleLayers,
    Params,
    Problem,
    RefusedError,
    Result,
    Scene,
    Solid,
    Table,
    Value,
    VectorData,
    build_obstacles,
    entity_ids,
    obstacle_layers,
    solid_of,
    tr,
)

FloatArray = NDArray[np.float64]

#: Classes of elements that are no matter: listed, but not part of the total.
AIR = ("IfcSpace", "IfcOpeningElement")
#: Groups of properties that hold quantities of the standard, by the beginning of their name.
GROUPS = ("Qto_", "BaseQuantities")
COLUMNS = (
    *("id", "name", "class", "volume", "area", "closed", "method", "uncertainty"),
    *("open_length", "leak_area", "turned", "net_in_file", "gross_in_file", "deviation"),
)
UNITS = {
    "volume": "m³",
    "area": "m²",
    "uncertainty": "m³",
    "open_length": "m",
    "leak_area": "m²",
    "net_in_file": "m³",
    "gross_in_file": "m³",
    "deviation": "%",
}


class SolidParams(Params):
    """What `volume.solid` can be asked."""

    layer: Annotated[
        LayerRef,
        Field(
            title=N_("Layer"),
            description=N_("A mesh, a building model, or features with heights."),
            json_schema_extra={"widget": "layer", "kinds": ["mesh", "bim", "vector"]},
        ),
    ]
    entities: Annotated[
        tuple[str, ...],
        Field(title=N_("Entities"), description=N_("Ids; all entities of the layer otherwise.")),
    ] = ()


@dataclass(frozen=True)
class Thing:
    """One entity, or a whole layer that names none."""

    id: str
    name: str = ""
    cls: str = ""
    quantities: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class Inputs:
    """Snapshot: triangles in metres with their owners, or features that are yet to be raised."""

    things: tuple[Thing, ...]
    corners: FloatArray
    owner: NDArray[np.intp]
    features: ObstacleLayers | None = None
    wanted: frozenset[str] = frozenset()


class SolidVolume(Analysis[SolidParams]):
    """Volume and surface of each entity; exact where it is closed.

    Leaky meshes enclose what their generalized winding number says; `open_length` is the length
    of their open sides and `leak_area` the area of the holes.
    """

    id = "volume.solid"
    version = "1"
    title = N_("Volume of solids")
    description = N_(
        "Volume and surface of meshes and elements, closed or leaky; quantities that the file "
        "itself states stand beside."
    )
    Params = SolidParams

    def check(self, scene: Scene, params: SolidParams) -> list[Problem]:
        known = set(entity_ids(scene[params.layer]))
        missing = [one for one in params.entities if one not in known]
        if not missing:
            return []
        text = tr(
            "“{name}” has no entity “{id}”.", name=scene[params.layer].name, id=missing[0][:80]
        )
        return [Problem("entities", text)]

    def layers(self, params: SolidParams) -> list[str]:
        return [params.layer]

    def prepare(self, scene: Scene, params: SolidParams) -> Inputs:
        layer = scene[params.layer]
        frame = Frame.of(scene.georeference)
        wanted = frozenset(params.entities)
        if isinstance(layer.data, MeshData):
            gone = scene.hidden_entities(layer.id) if not wanted else frozenset()
            return _of_mesh(layer, layer.data, frame, wanted, gone)
        if isinstance(layer.data, VectorData):
            features = obstacle_layers(scene, [layer.id])
            empty = np.empty((0, 3, 3))
            return Inputs((), empty, np.empty(0, np.intp), features, wanted)
        raise RefusedError(
            tr("“{name}” holds no solids.", name=layer.name),
            tr("Choose a mesh, a building model, or features with heights."),
        )

    def compute(self, inputs: Inputs, params: SolidParams, feedback: Feedback) -> Result:
        if inputs.features is not None:
            inputs = _of_features(inputs.features, inputs.wanted, feedback.part(0.0, 0.2))
        if len(inputs.corners) == 0:
            raise RefusedError(
                tr("There is nothing in the layer that could have a volume."),
                tr("Choose a layer with surfaces, or other entities."),
            )
        solids = _solids(inputs, feedback)
        rows = [(t, s) for t, s in zip(inputs.things, solids, strict=True) if s is not None]
        # Rooms are no matter; they count only where they are asked for by name or are alone.
        matter = [s for t, s in rows if inputs.wanted or t.cls not in AIR] or [s for _, s in rows]
        known = [s for s in matter if s.volume is not None]
        unsure = [s.uncertainty for s in known if s.uncertainty is not None]
        total = math.fsum(s.volume for s in known if s.volume is not None)
        return Result(
            values={
                "volume": Value(total, "m³", math.fsum(unsure)),
                "area": Value(math.fsum(s.area for s in matter), "m²"),
                "solids": Value(len(matter)),
                "closed": Value(sum(s.closed for s in matter)),
            },
            tables={"solids": Table(COLUMNS, tuple(_row(t, s) for t, s in rows), UNITS)},
            warnings=_notes(rows, matter, sum(s is None for s in solids)),
            headline="volume",
        )


def _of_mesh(
    layer: Layer, data: MeshData, frame: Frame, wanted: frozenset[str], gone: frozenset[str]
) -> Inputs:
    corners = frame.local(data.vertices)[data.triangles]
    if not data.elements or data.element_index is None:
        return Inputs((Thing(""),), corners, np.zeros(len(corners), np.intp), None, wanted)
    things: list[Thing] = []
    number = np.full(len(data.elements) + 1, -1, dtype=np.intp)
    for n, element in enumerate(data.elements):
        if (wanted and element.id not in wanted) or element.id in gone:
            continue
        number[n] = len(things)
        things.append(Thing(element.id, element.name, element.cls, quantities(element)))
    owner = number[data.element_index]
    return Inputs(tuple(things), corners[owner >= 0], owner[owner >= 0], None, wanted)


def _of_features(features: ObstacleLayers, wanted: frozenset[str], feedback: Feedback) -> Inputs:
    built = build_obstacles(features, feedback)
    things: list[Thing] = []
    number = np.full(len(built.entities), -1, dtype=np.intp)
    for n, (entity, name) in enumerate(zip(built.entities, built.names, strict=True)):
        if not wanted or entity.entity in wanted:
            number[n] = len(things)
            things.append(Thing(entity.entity, name))
    owner = number[built.owner]
    return Inputs(tuple(things), built.corners[owner >= 0], owner[owner >= 0], None, wanted)


def quantities(element: Element) -> tuple[float | None, float | None]:
    """Return net and gross volume as the file states them, m³; None where it does not.

    ``NetVolume`` and ``GrossVolume`` of the base quantities of IFC (buildingSMART, IFC 4.3, sets
    ``Qto_*BaseQuantities``; ``BaseQuantities`` in IFC2x3); doors and windows state ``Volume``.
    """
    net: Any = None
    gross: Any = None
    for name, group in element.properties.items():
        if name.startswith(GROUPS):
            net = group.get("NetVolume", group.get("Volume", net))
            gross = group.get("GrossVolume", gross)
    return _number(net), _number(gross)


def _number(value: object) -> float | None:
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if ok and isinstance(value, int | float) else None


def _solids(inputs: Inputs, feedback: Feedback) -> list[Solid | None]:
    """Return the solid of each thing, None for one without triangles."""
    order = np.argsort(inputs.owner, kind="stable")
    count = len(inputs.things)
    ends = np.cumsum(np.bincount(inputs.owner, minlength=count))
    parts = np.split(order, ends[:-1])
    solids: list[Solid | None] = []
    for n, part in enumerate(parts):
        feedback.step(n, count, tr("Measuring solid {n} of {count}", n=n + 1, count=count))
        solids.append(solid_of(inputs.corners[part]) if len(part) else None)
    return solids


def _row(thing: Thing, found: Solid) -> tuple[object, ...]:
    net, gross = thing.quantities
    stated = net if net is not None else gross
    deviation = None
    if stated and found.volume is not None:
        deviation = 100 * (found.volume / stated - 1)
    return (
        thing.id,
        thing.name,
        thing.cls,
        found.volume,
        found.area,
        found.closed,
        found.method,
        found.uncertainty,
        found.open_length,
        found.leak_area,
        found.turned,
        net,
        gross,
        deviation,
    )


def _notes(rows: list[tuple[Thing, Solid]], matter: list[Solid], without: int) -> list[str]:
    """Return what is to be said: leaks, wrong normals, rooms, what could not be measured."""
    notes = []
    leaky = [s for s in matter if s.method == "winding number"]
    if leaky:
        notes.append(
            tr(
                "{n} solids are not closed: {length:.1f} m of open sides, holes of {area:.2f} m². "
                "They enclose what their winding number says.",
                n=len(leaky),
                length=math.fsum(s.open_length for s in leaky),
                area=math.fsum(s.leak_area for s in leaky),
            )
        )
    inverted = sum(s.inverted for s in matter)
    if inverted:
        notes.append(tr("Normals of {n} solids point inwards; they were turned.", n=inverted))
    turned = sum(s.turned for s in matter)
    if turned:
        text = tr("{n} triangles face against their neighbours; they were turned.", n=turned)
        notes.append(text)
    nothing = sum(s.volume is None for s in matter)
    if nothing:
        notes.append(tr("{n} entities enclose nothing that could be told.", n=nothing))
    if without:
        notes.append(tr("{n} entities have no geometry and are left out.", n=without))
    if len(matter) < len(rows):
        notes.append(
            tr(
                "{n} rooms and openings are listed, but not part of the total.",
                n=len(rows) - len(matter),
            )
        )
    off = [t for t, s in rows if _off(t, s)]
    if off:
        notes.append(
            tr("{n} volumes differ from net and gross in the file by over 1 %.", n=len(off))
        )
    return notes


def _off(thing: Thing, found: Solid) -> bool:
    """Tell whether a volume is more than 1 % from every quantity that the file states."""
    stated = [q for q in thing.quantities if q]
    volume = found.volume
    return bool(stated) and volume is not None and all(abs(volume / q - 1) > 0.01 for q in stated)
